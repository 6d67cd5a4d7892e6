/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets of a pcapng savefile, read as records.h reads those of pcap: views point
 * into the buffer, and no byte is copied but those of a block that the buffer's end
 * cuts in two.
 *
 * What libpcap accepts is accepted, with the same packets, and what it refuses is
 * refused, in its words, after as many packets.  The blocks up to the first
 * interface's, which tell what a savefile is to libpcap, are left to it.
 */
#ifndef BPFSIFT_FILTER_BLOCKS_H
#define BPFSIFT_FILTER_BLOCKS_H

#include <bpfsift/filter.h>

#include <stdbool.h>

#include "filter/inflow.h"

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
};

/* What a file begins with. */
struct sift_blocks_head {
	size_t len;      /* of all blocks up to the first interface's, that one included */
	bool is_swapped; /* fields are in the other byte order */
	struct sift_blocks_interface first;
};

struct sift_blocks_opts {
	struct sift_inflow *flow; /* borrowed */
	const char *name;                    /* for messages; borrowed */
	const struct sift_blocks_head *head; /* borrowed for the call */
	const uint8_t *read;                 /* bytes behind the head that were read already */
	size_t n_read;
	/*
	 * Interfaces and sections may differ in link type, snapshot length and byte
	 * order, which libpcap refuses.  All packets of a batch are of one link type.
	 */
	bool is_mixed;
};

struct sift_blocks;

/*
 * Look for the first interface in a file's first n bytes.  1: filled; 0: it is not whole
 * among them; -EINVAL: there is none, or a damaged one, of which libpcap is to tell.
 */
int sift_blocks_look(const uint8_t *bytes, size_t n, struct sift_blocks_head *head);

/* Whether packets of a file with this head are read here. */
bool sift_blocks_take(const struct sift_blocks_head *head);

/* 0 or -ENOMEM. */
int sift_blocks_new(const struct sift_blocks_opts *opts, struct sift_blocks **out,
		    struct ebpf_err *err);
void sift_blocks_free(struct sift_blocks *blocks);

/* As sift_source_next(). */
int sift_blocks_next(struct sift_blocks *blocks, const struct sift_view **views, size_t *n,
		     struct ebpf_err *err);

/* DLT_* of each packet in the last batch. */
int sift_blocks_dlt(const struct sift_blocks *blocks);

/* The interface that packet i of the last batch came from; valid until the next. */
const struct sift_blocks_interface *sift_blocks_interface(const struct sift_blocks *blocks,
							  size_t i);

#endif
