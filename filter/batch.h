/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A batch of packet views whose bytes are copies: for readers, as libpcap's,
 * that lend a packet only until the next one.
 *
 * Bytes lie one behind the other in an arena that is allocated once and moves
 * only when a packet is larger than all before it: nothing is allocated per
 * packet.  A batch is full at SIFT_BATCH_PACKETS or SIFT_BATCH_BYTES, whichever
 * comes first, and so holds at most one packet more than the latter.
 */
#ifndef BPFSIFT_FILTER_BATCH_H
#define BPFSIFT_FILTER_BATCH_H

#include <bpfsift/filter.h>

#include <stdbool.h>

#ifdef BPFSIFT_DEBUG
/* Batches of one, and an arena that moves: what is rare elsewhere. */
enum { SIFT_BATCH_PACKETS = 1, SIFT_BATCH_BYTES = 64 };
#else
/* Small enough to stay in the second-level cache until the sink has read it. */
enum { SIFT_BATCH_PACKETS = 64, SIFT_BATCH_BYTES = 128 << 10 };
#endif

_Static_assert((int)SIFT_BATCH_PACKETS <= SIFT_BATCH_MAX, "promised in filter.h");

struct sift_batch {
	struct sift_view views[SIFT_BATCH_PACKETS];
	size_t n;
	uint8_t *arena;
	size_t used, size; /* bytes of the arena */
};

/* Make an empty batch.  0 or -ENOMEM. */
int sift_batch_init(struct sift_batch *batch, struct ebpf_err *err);

void sift_batch_destroy(struct sift_batch *batch);

/* Drop all packets; their views are no longer valid. */
void sift_batch_reset(struct sift_batch *batch);

static inline bool
sift_batch_is_full(const struct sift_batch *batch)
{
	return batch->n == SIFT_BATCH_PACKETS || batch->used >= SIFT_BATCH_BYTES;
}

/*
 * Copy a packet's bytes into a batch with room for another view, and make the
 * view, with time 0.  Returns it, valid until the next call; NULL: out of
 * memory, and the batch is as it was.
 */
struct sift_view *sift_batch_add(struct sift_batch *batch, int dlt, const uint8_t *data,
				 uint32_t caplen, uint32_t wirelen);

#endif
