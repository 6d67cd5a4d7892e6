/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files that a reader of blocks is made of share: blocks.c has the buffer, and hands
 * out; blocks_take.c judges block by block what is in it.
 *
 * The bytes from begin to end in the buffer are what was read and not handed out yet.
 */
#ifndef BPFSIFT_FILTER_BLOCKS_PARTS_H
#define BPFSIFT_FILTER_BLOCKS_PARTS_H

#include "filter/blocks.h"

#ifdef BPFSIFT_DEBUG
enum { SIFT_BLOCKS_BATCH = 1, SIFT_BLOCKS_BUFFER = 64 }; /* what is rare elsewhere */
#else
enum { SIFT_BLOCKS_BATCH = SIFT_BATCH_MAX, SIFT_BLOCKS_BUFFER = 128 << 10 };
#endif

struct sift_blocks {
	struct sift_inflow *flow; /* NULL: the buffer is all there is, and somebody else's */
	const char *name;
	struct sift_section_rule rule;
	struct sift_section section;
	enum sift_detail detail;
	bool has_begun; /* some was handed out */
	bool is_carrying;
	uint8_t *head;
	size_t head_len;
	uint8_t *buf;
	size_t size, begin, end;
	size_t batch; /* where its bytes begin, which end at begin */
	uint64_t off; /* in the file, of the buffer's first byte */
	bool has_ended;
	bool is_salvaged;                                           /* damage is passed over, */
	void (*on_skip)(void *arg, uint64_t off, uint64_t n_bytes); /* and told; or NULL */
	void *on_skip_arg;
	bool is_damaged;                   /* the block at begin */
	bool is_lost;                      /* what is at begin may be none */
	uint64_t skipped_from, skipped_to; /* not told yet: offsets */
	int failed;                        /* a negative errno that waits behind the batch, */
	struct ebpf_err failure;           /* and its message */
	size_t n;                          /* of the batch */
	int dlt;
	struct sift_view views[SIFT_BLOCKS_BATCH];
	uint32_t from[SIFT_BLOCKS_BATCH]; /* interface of each */
	struct sift_blocks_place places[SIFT_BLOCKS_BATCH];
};

/*
 * Take blocks off the front: packets join the batch, as long as there is room in it, they are
 * of one link type, and the next block is whole and sound; what others tell is taken in.
 */
void sift_blocks_take_batch(struct sift_blocks *b);

/* What was found wrong with the block at begin; b->failure has the text.  false. */
bool sift_blocks_fail(struct sift_blocks *b, int code);

/* Whether the block at begin can have that length; else it has failed. */
bool sift_blocks_check_length(struct sift_blocks *b, uint32_t total);

/* In a section's block, of so many bytes, its length is said to be unknown. */
void sift_blocks_leave_length_open(uint8_t *block, size_t len);

/* The byte order of a block, of which so many bytes are there. */
static inline bool
sift_blocks_order(const struct sift_blocks *b, const uint8_t *block, size_t left)
{
	return sift_section_order(&b->section, &b->rule, block, left);
}

#endif
