/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A pcapng block in memory: how it is framed, and what those say that describe an
 * interface or hold a packet.
 *
 * A block is type and total length, four bytes each, the body, and the length again.
 * The section header's type reads the same in both byte orders.
 *
 * What is wrong with a block is told in libpcap's words.
 */
#ifndef BPFSIFT_FILTER_BLOCK_H
#define BPFSIFT_FILTER_BLOCK_H

#include <bpfsift/filter.h>

#include <stdbool.h>

#include "filter/bytes.h"

enum {
	SIFT_BLOCK_HEADER = 8,
	SIFT_BLOCK_TRAILER = 4,
	SIFT_BLOCK_MAX = 16 << 20, /* libpcap's limit for the link types that are read here */
};

enum {
	SIFT_BLOCK_SECTION = 0x0a0d0d0a,
	SIFT_BLOCK_INTERFACE = 1,
	SIFT_BLOCK_PACKET = 2,
	SIFT_BLOCK_SIMPLE = 3,
	SIFT_BLOCK_ENHANCED = 6,
};

#define SIFT_BYTE_ORDER_MAGIC 0x1a2b3c4du
#define SIFT_BYTE_ORDER_SWAPPED 0x4d3c2b1au

static inline bool
sift_block_is_packet(uint32_t type)
{
	return type == SIFT_BLOCK_PACKET || type == SIFT_BLOCK_SIMPLE ||
	       type == SIFT_BLOCK_ENHANCED;
}

/* What is left of a block's body, or of its options. */
struct sift_block_body {
	const uint8_t *p;
	size_t len;
	uint32_t type;
	bool is_swapped;
};

/* The body of a block that is there whole, and that its length fits in. */
static inline struct sift_block_body
sift_block_body(const uint8_t *block, uint32_t total, bool is_swapped)
{
	return (struct sift_block_body){
		.p = block + SIFT_BLOCK_HEADER,
		.len = total - SIFT_BLOCK_HEADER - SIFT_BLOCK_TRAILER,
		.type = load32(block, is_swapped),
		.is_swapped = is_swapped,
	};
}

/* The next n bytes of a body; NULL: it has fewer. */
static inline const uint8_t *
sift_block_take(struct sift_block_body *body, size_t n)
{
	const uint8_t *p = body->p;

	if (n > body->len)
		return NULL;
	body->p += n;
	body->len -= n;
	return p;
}

/* Whether a block can have this length: 0 or -EINVAL. */
int sift_block_check_length(uint32_t total, struct ebpf_err *err);

/* -EINVAL, and the message that says so. */
int sift_block_too_short(const struct sift_block_body *body, struct ebpf_err *err);

/* ---- interfaces ---- */

/* An interface, as its block describes it. */
struct sift_blocks_interface {
	uint32_t index;    /* in its section */
	uint16_t linktype; /* LINKTYPE_* */
	uint8_t fcs_len;   /* bits of each packet's FCS; 0: it does not say */
	int dlt;           /* DLT_* of that */
	uint32_t snaplen;  /* no packet is longer: libpcap's limit where it does not say */
	uint64_t units;    /* of time in a second: a power of 10 or of 2 */
	int64_t offset_s;  /* seconds to be added to each time */
	uint64_t mul, div; /* a fraction of a second in units * mul / div is in nanoseconds */
	uint64_t off;      /* in the file, of its block */
};

/*
 * The part of an interface's block that each has, and the options behind it, at which
 * libpcap looks later.  0 or -EINVAL.
 */
int sift_block_read_interface(struct sift_blocks_interface *itf, struct sift_block_body *body,
			      struct ebpf_err *err);
int sift_block_read_options(struct sift_blocks_interface *itf, struct sift_block_body *body,
			    struct ebpf_err *err);

/* ---- packets ---- */

struct sift_block_packet {
	uint32_t interface, caplen, wirelen;
	uint64_t time;
};

/*
 * The fields before a packet's bytes, of which simple ones have few: those take the
 * snapshot length of the section's first interface.  Whether they are all there.
 */
bool sift_block_read_packet(struct sift_block_packet *packet, struct sift_block_body *body,
			    uint32_t first_snaplen);

/* Of a view, from a packet's time on its interface. */
static inline void
sift_block_set_time(const struct sift_blocks_interface *itf, uint64_t time, struct sift_view *view)
{
	uint64_t fraction = time % itf->units * itf->mul;

	view->ts_sec = (int64_t)(time / itf->units + (uint64_t)itf->offset_s);
	view->ts_nsec = (uint32_t)(itf->div == 1 ? fraction : fraction / itf->div);
}

/* Bytes that a block of so many may have when it is cut. */
size_t sift_block_cut_max(size_t len);

/*
 * Write a packet's block, of that body, with no more than its first caplen bytes, which are
 * fewer than it has; options are kept.  Returns how long it is.
 */
size_t sift_block_cut(struct sift_block_body body, uint32_t first_snaplen, uint32_t caplen,
		      uint8_t *to);

#endif
