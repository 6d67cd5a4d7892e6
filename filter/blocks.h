/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets of a pcapng savefile, read as records.h reads those of pcap: views point
 * into the buffer, and no byte is copied but those of a block that the buffer's end
 * cuts in two.
 *
 * What libpcap accepts is accepted, with the same packets, and what it refuses is
 * refused, in its words, after as many packets.  The blocks up to the first
 * interface's, which tell what a savefile is to libpcap, are left to it.
 *
 * Who copies a file, all blocks of it, has the reader carry: a batch is then a
 * stretch of whole blocks, in which the packets' have their places.
 */
#ifndef BPFSIFT_FILTER_BLOCKS_H
#define BPFSIFT_FILTER_BLOCKS_H

#include <bpfsift/filter.h>

#include <stdbool.h>

#include "filter/inflow.h"
#include "filter/record.h"
#include "filter/section.h"

/* What a file begins with. */
struct sift_blocks_head {
	size_t len;      /* of all blocks up to the first interface's, that one included */
	bool is_swapped; /* fields are in the other byte order */
	struct sift_blocks_interface first;
};

/* What the interfaces have in common that come before the first packet. */
struct sift_blocks_survey {
	uint32_t snaplen; /* no packet is longer */
	bool is_nano;     /* times of some are finer than microseconds */
};

struct sift_blocks_opts {
	struct sift_inflow *flow; /* borrowed */
	const char *name;                    /* for messages; borrowed */
	const struct sift_blocks_head *head; /* borrowed for the call */
	const uint8_t *read;                 /* the head, and what else was read already */
	size_t n_read;
	/*
	 * Interfaces and sections may differ in link type, snapshot length and byte
	 * order, which libpcap refuses.  All packets of a batch are of one link type.
	 */
	bool is_mixed;
	bool is_salvaged; /* damage is passed over, see salvage_blocks.h, */
	void (*on_skip)(void *arg, uint64_t off, uint64_t n_bytes); /* and told; or NULL */
	void *on_skip_arg;
};

struct sift_blocks;

/*
 * Look for the first interface in a file's first n bytes.  1: filled; 0: it is not whole
 * among them; -EINVAL: there is none, or a damaged one, of which libpcap is to tell.
 */
int sift_blocks_look(const uint8_t *bytes, size_t n, struct sift_blocks_head *head);

/*
 * The interfaces between the head and the first packet, or the next section, among a
 * file's first n bytes, of which head was found.  Whether one of those two was.
 */
bool sift_blocks_look_on(const uint8_t *bytes, size_t n, const struct sift_blocks_head *head,
			 struct sift_blocks_survey *survey);

/* Whether packets of a file with this head are read here. */
bool sift_blocks_take(const struct sift_blocks_head *head);

/* 0 or -ENOMEM. */
int sift_blocks_new(const struct sift_blocks_opts *opts, struct sift_blocks **out,
		    struct ebpf_err *err);
void sift_blocks_free(struct sift_blocks *blocks);

/* As sift_source_next(). */
int sift_blocks_next(struct sift_blocks *blocks, const struct sift_view **views, size_t *n,
		     struct ebpf_err *err);

/* DLT_* of each packet in the last batch, and whether their section has the other byte order. */
int sift_blocks_dlt(const struct sift_blocks *blocks);
bool sift_blocks_is_swapped(const struct sift_blocks *blocks);

/* No packet up to the end of the last batch is longer. */
uint32_t sift_blocks_snaplen(const struct sift_blocks *blocks);

/* The interface that packet i of the last batch came from; valid until the next. */
const struct sift_blocks_interface *sift_blocks_interface(const struct sift_blocks *blocks,
							  size_t i);

/* What views have from the next batch on; at first it is all. */
void sift_blocks_set_detail(struct sift_blocks *blocks, enum sift_detail detail);

/* The views of the last batch get all that they would have with SIFT_DETAIL_ALL. */
void sift_blocks_complete(struct sift_blocks *blocks);

/* ---- carrying ---- */

/*
 * Carry from now on, before the first batch: batches then follow each other without a
 * gap, and one of no packets has blocks that nothing else would tell of.  Section lengths
 * are left open in what is carried.  Whether it could be begun: some was read before.
 */
bool sift_blocks_carry(struct sift_blocks *blocks);
void sift_blocks_carry_no_more(struct sift_blocks *blocks);

/* The head's bytes, while carrying. */
const uint8_t *sift_blocks_head(const struct sift_blocks *blocks, size_t *n);

/* The last batch's bytes: whole blocks. */
const uint8_t *sift_blocks_bytes(const struct sift_blocks *blocks, size_t *n);

/* A packet's block among these bytes. */
struct sift_blocks_place {
	uint32_t begin, end;
};

/* For each packet of the last batch. */
const struct sift_blocks_place *sift_blocks_places(const struct sift_blocks *blocks);

/*
 * Write a packet's block with no more than its first caplen bytes, which are fewer than
 * it has; options are kept.  Returns how long it is.
 */
size_t sift_blocks_cut(const struct sift_blocks *blocks, size_t i, uint32_t caplen, uint8_t *to);

/* ---- several threads ---- */

/*
 * The blocks that are not handed out yet, where they can be read out of order; and to go on
 * with the block at off of them.
 */
bool sift_blocks_extent(const struct sift_blocks *blocks, struct sift_extent *extent);
void sift_blocks_resume(struct sift_blocks *blocks, uint64_t off);

/*
 * What holds for the block that is next: the section, and what is wanted of interfaces.
 * Another one's can be copied, 0 or -ENOMEM, or exchanged.
 */
const struct sift_section_rule *sift_blocks_rule(const struct sift_blocks *blocks);
const struct sift_section *sift_blocks_section(const struct sift_blocks *blocks);
int sift_blocks_set_section(struct sift_blocks *blocks, const struct sift_section *section,
			    struct ebpf_err *err);
void sift_blocks_swap_section(struct sift_blocks *blocks, struct sift_section *section);

/*
 * A reader of the same file's blocks in memory, borrowed: n bytes of whole ones, from off in
 * the file on, of which it may change what section headers say.  sift_blocks_next() ends
 * behind them, or in front of one that is damaged.  0 or -ENOMEM.
 */
int sift_blocks_new_part(const struct sift_blocks *whole, struct sift_blocks **out,
			 struct ebpf_err *err);
void sift_blocks_point(struct sift_blocks *part, uint8_t *bytes, size_t n, uint64_t off);

/* In the file, of the block that is next. */
uint64_t sift_blocks_offset(const struct sift_blocks *part);

/* Back to packet i of the last batch, as if the file had been read up to there. */
void sift_blocks_go_back(struct sift_blocks *part, size_t i);

#endif
