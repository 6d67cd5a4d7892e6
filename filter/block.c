/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "filter/block.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "ebpf/err.h"
#include "filter/dlt.h"

enum {
	OPTION_END = 0,
	OPTION_TSRESOL = 9,
	OPTION_FCSLEN = 13,
	OPTION_TSOFFSET = 14,
};

enum { MAX_SNAPLEN = 262144 }; /* libpcap's, for the link types taken here */
#define NANO 1000000000u

/* An enhanced packet's fields, of which a simple one has few. */
enum { ENHANCED_FIXED = 20 };

int
sift_block_too_short(const struct sift_block_body *body, struct ebpf_err *err)
{
	return ebpf_err_set(err, -EINVAL, "block of type %u in pcapng dump file is too short",
			    body->type);
}

int
sift_block_check_length(uint32_t total, struct ebpf_err *err)
{
	if (total < SIFT_BLOCK_HEADER + SIFT_BLOCK_TRAILER)
		return ebpf_err_set(err, -EINVAL,
				    "block in pcapng dump file has a length of %u < %d", total,
				    SIFT_BLOCK_HEADER + SIFT_BLOCK_TRAILER);
	if (total % 4 != 0)
		return ebpf_err_set(
			err, -EINVAL,
			"block in pcapng dump file has a length of %u that is not a multiple of 4",
			total);
	if (total > SIFT_BLOCK_MAX)
		return ebpf_err_set(err, -EINVAL, "pcapng block size %u > maximum %d", total,
				    SIFT_BLOCK_MAX);
	return 0;
}

/* ---- interfaces ---- */

/* Where a number is not listed, libpcap takes it for the same in programs. */
static int
dlt_of(uint16_t linktype)
{
	static const struct {
		int dlt;
		uint16_t linktype;
	} rows[] = {
#define L(name, dlt, linktype) { dlt, linktype },
#include "filter/linktype.def"
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].linktype == linktype)
			return rows[i].dlt;
	return linktype;
}

static uint32_t
adjusted_snaplen(uint32_t snaplen)
{
	return snaplen == 0 || snaplen > INT_MAX ? MAX_SNAPLEN : snaplen;
}

static int
set_resolution(struct sift_blocks_interface *itf, uint8_t resolution, struct ebpf_err *err)
{
	uint8_t exponent = resolution & 0x7f;
	bool is_binary = resolution & 0x80;

	if (exponent > (is_binary ? 63 : 19))
		return ebpf_err_set(
			err, -EINVAL,
			"Interface Description Block if_tsresol option resolution %d^-%u is too high",
			is_binary ? 2 : 10, exponent);
	if (is_binary) {
		itf->units = (uint64_t)1 << exponent;
		/* beyond 2^-34 the product wraps: libpcap's nanoseconds are wrong there, too */
		itf->mul = NANO;
		itf->div = itf->units;
		return 0;
	}
	itf->units = 1;
	while (exponent-- > 0)
		itf->units *= 10;
	itf->mul = itf->units < NANO ? NANO / itf->units : 1;
	itf->div = itf->units > NANO ? itf->units / NANO : 1;
	return 0;
}

static int
wrong_len(const char *option, size_t len, int wanted, struct ebpf_err *err)
{
	return ebpf_err_set(err, -EINVAL,
			    "Interface Description Block has %s option with length %zu != %d",
			    option, len, wanted);
}

static int
repeated(const char *option, struct ebpf_err *err)
{
	return ebpf_err_set(err, -EINVAL, "Interface Description Block has more than one %s option",
			    option);
}

int
sift_block_read_options(struct sift_blocks_interface *itf, struct sift_block_body *body,
			struct ebpf_err *err)
{
	bool has_resolution = false, has_offset = false;

	while (body->len > 0) {
		const uint8_t *option = sift_block_take(body, 4), *value;
		uint16_t code, len;
		int rc = 0;

		if (option == NULL)
			return sift_block_too_short(body, err);
		code = load16(option, body->is_swapped);
		len = load16(option + 2, body->is_swapped);
		if ((value = sift_block_take(body, ((size_t)len + 3) & ~(size_t)3)) == NULL)
			return sift_block_too_short(body, err);
		switch (code) {
		case OPTION_END:
			return len == 0 ? 0 : wrong_len("opt_endofopt", len, 0, err);
		case OPTION_TSRESOL:
			rc = len != 1         ? wrong_len("if_tsresol", len, 1, err)
			     : has_resolution ? repeated("if_tsresol", err)
					      : set_resolution(itf, *value, err);
			has_resolution = true;
			break;
		case OPTION_TSOFFSET:
			rc = len != 8     ? wrong_len("if_tsoffset", len, 8, err)
			     : has_offset ? repeated("if_tsoffset", err)
					  : 0;
			if (rc == 0)
				itf->offset_s = (int64_t)load64(value, body->is_swapped);
			has_offset = true;
			break;
		case OPTION_FCSLEN:
			if (len == 1)
				itf->fcs_len = *value;
			break;
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}

int
sift_block_read_interface(struct sift_blocks_interface *itf, struct sift_block_body *body,
			  struct ebpf_err *err)
{
	const uint8_t *fixed = sift_block_take(body, 8);

	if (fixed == NULL)
		return sift_block_too_short(body, err);
	*itf = (struct sift_blocks_interface){
		.linktype = load16(fixed, body->is_swapped),
		.snaplen = adjusted_snaplen(load32(fixed + 4, body->is_swapped)),
		.units = 1000000,
		.mul = 1000,
		.div = 1,
	};
	itf->dlt = dlt_of(itf->linktype);
	return 0;
}

/* ---- packets ---- */

bool
sift_block_read_packet(struct sift_block_packet *packet, struct sift_block_body *body,
		       uint32_t first_snaplen)
{
	bool is_swapped = body->is_swapped;
	const uint8_t *fixed =
		sift_block_take(body, body->type == SIFT_BLOCK_SIMPLE ? 4 : ENHANCED_FIXED);

	if (fixed == NULL)
		return false;
	if (body->type == SIFT_BLOCK_SIMPLE) {
		packet->interface = 0;
		packet->time = 0;
		packet->wirelen = load32(fixed, is_swapped);
		packet->caplen = packet->wirelen < first_snaplen ? packet->wirelen : first_snaplen;
		return true;
	}
	packet->interface = body->type == SIFT_BLOCK_PACKET ? load16(fixed, is_swapped)
							    : load32(fixed, is_swapped);
	packet->time =
		(uint64_t)load32(fixed + 4, is_swapped) << 32 | load32(fixed + 8, is_swapped);
	packet->caplen = load32(fixed + 12, is_swapped);
	packet->wirelen = load32(fixed + 16, is_swapped);
	return true;
}

size_t
sift_block_cut_max(size_t len)
{
	return len + ENHANCED_FIXED;
}

static void
put32(uint8_t *p, uint32_t v, bool is_swapped)
{
	v = is_swapped ? __builtin_bswap32(v) : v;
	memcpy(p, &v, sizeof(v));
}

static size_t
padded(uint32_t len)
{
	return ((size_t)len + 3) & ~(size_t)3;
}

size_t
sift_block_cut(struct sift_block_body body, uint32_t first_snaplen, uint32_t caplen, uint8_t *to)
{
	bool is_swapped = body.is_swapped;
	uint32_t type = body.type == SIFT_BLOCK_PACKET ? SIFT_BLOCK_PACKET : SIFT_BLOCK_ENHANCED;
	const uint8_t *fixed = body.p;
	uint8_t *end = to + SIFT_BLOCK_HEADER;
	struct sift_block_packet packet;
	bool is_whole = sift_block_read_packet(&packet, &body, first_snaplen);

	assert(is_whole && caplen < packet.caplen);
	(void)is_whole;
	if (body.type == SIFT_BLOCK_SIMPLE) /* which has no time, and interface 0 */
		memset(end, 0, 12);
	else
		memcpy(end, fixed, 12);
	put32(end + 12, caplen, is_swapped);
	put32(end + 16, packet.wirelen, is_swapped);
	end += ENHANCED_FIXED;
	memcpy(end, body.p, caplen);
	memset(end + caplen, 0, padded(caplen) - caplen);
	end += padded(caplen);
	/* options, if any, stand behind the padded bytes */
	if (body.type != SIFT_BLOCK_SIMPLE &&
	    sift_block_take(&body, padded(packet.caplen)) != NULL) {
		memcpy(end, body.p, body.len);
		end += body.len;
	}
	end += SIFT_BLOCK_TRAILER;
	put32(to, type, is_swapped);
	put32(to + 4, (uint32_t)(end - to), is_swapped);
	put32(end - SIFT_BLOCK_TRAILER, (uint32_t)(end - to), is_swapped);
	return (size_t)(end - to);
}
