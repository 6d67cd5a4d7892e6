/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A block is judged when it is whole, and its length when its first 8 bytes are there: in this
 * order libpcap finds what is wrong.
 */
#include "config.h"

#include "filter/blocks_parts.h"

#include <errno.h>
#include <string.h>

#include "ebpf/err.h"

enum { SECTION_LENGTH_AT = SIFT_BLOCK_HEADER + 8 }; /* of 8 bytes */

/* ---- failing ---- */

bool
sift_blocks_fail(struct sift_blocks *b, int code)
{
	if (b->is_salvaged && code == -EINVAL) {
		b->is_damaged = true;
		return false;
	}
	b->failed = ebpf_err_prefix(&b->failure, code, "%s: offset %llu", b->name,
				    (unsigned long long)(b->off + b->begin));
	return false;
}

#define FAIL(b, ...) sift_blocks_fail(b, ebpf_err_set(&(b)->failure, -EINVAL, __VA_ARGS__))

/* ---- blocks that tell about packets ---- */

static bool
take_interface(struct sift_blocks *b, struct sift_block_body *body)
{
	int rc = sift_section_take_interface(&b->section, &b->rule, body, b->off + b->begin,
					     &b->failure);

	return rc < 0 ? sift_blocks_fail(b, rc) : true;
}

void
sift_blocks_leave_length_open(uint8_t *block, size_t len)
{
	if (len >= SECTION_LENGTH_AT + 8 + SIFT_BLOCK_TRAILER)
		memset(block + SECTION_LENGTH_AT, 0xff, 8);
}

/* In a section of the other byte order all is read so from its own block on. */
static bool
take_section(struct sift_blocks *b, struct sift_block_body *body)
{
	int rc = sift_section_begin(&b->section, body, &b->failure);

	if (rc < 0)
		return sift_blocks_fail(b, rc);
	if (b->is_carrying)
		sift_blocks_leave_length_open(b->buf + b->begin,
					      SECTION_LENGTH_AT + 8 + SIFT_BLOCK_TRAILER);
	return true;
}

/* ---- packets ---- */

/* A packet whose block was found to be sound joins the batch. */
static inline void
add_packet(struct sift_blocks *b, const struct sift_block_packet *packet, const uint8_t *data)
{
	const struct sift_blocks_interface *itf = &b->section.interfaces[packet->interface];
	struct sift_view *view = &b->views[b->n];

	b->dlt = itf->dlt;
	b->from[b->n++] = packet->interface;
	if (b->detail == SIFT_DETAIL_ALL) {
		sift_view_init(view, itf->dlt, data, packet->caplen, packet->wirelen);
	} else {
		view->data = data;
		view->caplen = packet->caplen;
		view->wirelen = packet->wirelen;
	}
	if (b->detail != SIFT_DETAIL_BARE)
		sift_block_set_time(itf, packet->time, view);
}

/* A packet joins the batch; not if that is of another link type. */
static bool
take_packet(struct sift_blocks *b, struct sift_block_body *body)
{
	const struct sift_blocks_interface *itf;
	const uint8_t *data;
	struct sift_block_packet packet;

	if (!sift_block_read_packet(&packet, body, sift_section_first_snaplen(&b->section)))
		return sift_blocks_fail(b, sift_block_too_short(body, &b->failure));
	if (packet.interface >= b->section.n_interfaces)
		return FAIL(
			b,
			"a packet arrived on interface %u, but there's no Interface Description Block for that interface",
			packet.interface);
	itf = &b->section.interfaces[packet.interface];
	if (packet.caplen > itf->snaplen)
		return FAIL(b, "invalid packet capture length %u, bigger than snaplen of %u",
			    packet.caplen, itf->snaplen);
	if ((data = sift_block_take(body, packet.caplen)) == NULL)
		return sift_blocks_fail(b, sift_block_too_short(body, &b->failure));
	if (b->rule.is_mixed && !sift_record_is_plain(itf->dlt, body->is_swapped))
		return FAIL(b, "a packet has link type %u, which is not read here", itf->linktype);
	if (b->n > 0 && itf->dlt != b->dlt)
		return false;
	add_packet(b, &packet, data);
	return true;
}

/* ---- blocks ---- */

bool
sift_blocks_check_length(struct sift_blocks *b, uint32_t total)
{
	int rc = sift_block_check_length(total, &b->failure);

	return rc < 0 ? sift_blocks_fail(b, rc) : true;
}

/* The packet that was added last has its block at begin. */
static void
set_place(struct sift_blocks *b, uint32_t total)
{
	b->places[b->n - 1] = (struct sift_blocks_place){
		.begin = (uint32_t)(b->begin - b->batch),
		.end = (uint32_t)(b->begin - b->batch + total),
	};
}

/* Take what is in a block; false: it stays, and what comes next is up to the caller. */
static bool
take_body(struct sift_blocks *b, struct sift_block_body *body)
{
	if (sift_block_is_packet(body->type))
		return take_packet(b, body);
	switch (body->type) {
	case SIFT_BLOCK_INTERFACE:
		return take_interface(b, body);
	case SIFT_BLOCK_SECTION:
		/* the batch's interfaces are still asked for */
		return b->n == 0 && take_section(b, body);
	default:
		return true;
	}
}

/* The block at begin; false: more bytes, a new batch or a failure is next. */
static bool
take_block(struct sift_blocks *b)
{
	const uint8_t *block = b->buf + b->begin;
	size_t left = b->end - b->begin;
	struct sift_block_body body;
	bool is_swapped;
	uint32_t total;

	/* with no block shorter than that, all that tells the length is there */
	if (left < SIFT_BLOCK_HEADER ||
	    (b->rule.is_mixed && left < SIFT_BLOCK_HEADER + SIFT_BLOCK_TRAILER))
		return false;
	is_swapped = sift_blocks_order(b, block, left);
	total = load32(block + 4, is_swapped);
	if (!sift_blocks_check_length(b, total) || left < total)
		return false;
	if (load32(block + total - SIFT_BLOCK_TRAILER, is_swapped) != total)
		return FAIL(b, "block total length in header and trailer don't match");
	body = sift_block_body(block, total, is_swapped);
	if (!take_body(b, &body))
		return false;
	if (sift_block_is_packet(body.type))
		set_place(b, total);
	b->begin += total;
	return true;
}

/*
 * What most of a file is, in little of the time: sound enhanced packets, in this machine's
 * byte order, of the batch's link type.  The block behind them is for take_block() to judge.
 */
static void
take_usual(struct sift_blocks *b)
{
	enum { FIXED = 20, LEAST = SIFT_BLOCK_HEADER + FIXED + SIFT_BLOCK_TRAILER };

	while (b->n < SIFT_BLOCKS_BATCH && b->end - b->begin >= LEAST && !b->section.is_swapped) {
		const uint8_t *block = b->buf + b->begin, *fixed = block + SIFT_BLOCK_HEADER;
		uint32_t total = load32(block + 4, false);
		const struct sift_blocks_interface *itf;
		struct sift_block_packet packet;

		if (load32(block, false) != SIFT_BLOCK_ENHANCED || total < LEAST ||
		    total % 4 != 0 || total > b->end - b->begin ||
		    load32(block + total - SIFT_BLOCK_TRAILER, false) != total)
			return;
		packet.interface = load32(fixed, false);
		packet.caplen = load32(fixed + 12, false);
		if (packet.interface >= b->section.n_interfaces)
			return;
		itf = &b->section.interfaces[packet.interface];
		if (packet.caplen > itf->snaplen || packet.caplen > total - LEAST ||
		    itf->dlt != b->dlt || b->n == 0)
			return;
		packet.wirelen = load32(fixed + 16, false);
		packet.time = (uint64_t)load32(fixed + 4, false) << 32 | load32(fixed + 8, false);
		add_packet(b, &packet, fixed + FIXED);
		set_place(b, total);
		b->begin += total;
	}
}

void
sift_blocks_take_batch(struct sift_blocks *b)
{
	while (b->n < SIFT_BLOCKS_BATCH && !b->is_lost && take_block(b))
		take_usual(b);
}
