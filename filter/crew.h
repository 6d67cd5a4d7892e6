/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several threads, the caller's one of them, that do the pieces of a job side by side and
 * finish them in their order.
 *
 * Pieces are numbered from 0 on; each thread takes the next one, works on it, and finishes it
 * when the one before is finished.  How many there are is seen in the work itself: a thread
 * goes home after a piece that it calls the last.
 */
#ifndef BPFSIFT_FILTER_CREW_H
#define BPFSIFT_FILTER_CREW_H

#include <stdbool.h>
#include <stdint.h>

struct sift_crew_ops {
	/* What a thread has for itself.  NULL: out of memory. */
	void *(*worker_new)(void *job);
	void (*worker_free)(void *worker);
	/* Whether there is nothing behind this piece. */
	bool (*work)(void *worker, uint64_t number);
	/*
	 * One thread at a time, in the order of numbers; whether it is the caller's.  All that
	 * others wrote in here before is seen.  Whether there is nothing behind this piece.
	 */
	bool (*finish)(void *worker, bool is_callers);
};

/*
 * Run a job with at most so many threads; where another cannot be had, there is one less, and
 * no signal is handled in any but the caller's.  0; -ENOMEM: nothing was done; a negative
 * errno of pthread_mutex_init(3).
 */
int sift_crew_run(const struct sift_crew_ops *ops, void *job, unsigned n_threads);

#endif
