/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a pipeline has counted: added up by one thread at a time, and read meanwhile by
 * others, and by signal handlers, never torn, and always such as was there together.
 *
 * There are two places.  The one that readers are sent to is not written to before they are
 * sent to the other: so a handler that interrupts the writer itself has nothing to wait for.
 */
#ifndef BPFSIFT_FILTER_TALLY_H
#define BPFSIFT_FILTER_TALLY_H

#include <bpfsift/filter.h>

#include <stdatomic.h>

enum { SIFT_TALLY_NUMBERS = 4 };

struct sift_tally {
	struct sift_pipeline_counters now; /* the writer's */
	_Atomic uint32_t turn;             /* its lowest bit: the place to be read */
	/* halves of numbers, low ones first: every machine stores 32 bits in one piece */
	_Atomic uint32_t halves[2][2 * SIFT_TALLY_NUMBERS];
};

_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "read by signal handlers");

void sift_tally_init(struct sift_tally *tally);

/* Readers see what is there now. */
void sift_tally_publish(struct sift_tally *tally);

/* What was published last.  Async-signal-safe. */
struct sift_pipeline_counters sift_tally_read(const struct sift_tally *tally);

#endif
