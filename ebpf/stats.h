/* SPDX-License-Identifier: BSD-2-Clause */
/* What threads count of a program's runs, each on its own. */
#ifndef BPFSIFT_EBPF_STATS_H
#define BPFSIFT_EBPF_STATS_H

#include <bpfsift/ebpf.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/*
 * Three 64-bit counters that their one writer adds to and readers never see
 * torn, nor one without the others: a sequence lock, odd while it is written.
 * Halves of 32 bits, which every machine loads and stores in one piece.
 */
struct ebpf_record {
	_Atomic uint32_t seq;
	_Atomic uint32_t halves[6];     /* runs, nanoseconds, misses; low halves first */
};

enum { EBPF_STATS_BUCKETS = 64 };

struct ebpf_slot;

/* The counters of one program.  Slots are only ever added, until it is freed. */
struct ebpf_counters {
	_Atomic(struct ebpf_slot *) buckets[EBPF_STATS_BUCKETS];
	struct ebpf_record base;        /* of threads that had no memory for a slot */
	pthread_mutex_t lock;           /* adding slots, writing base */
};

/* 0, or a negative errno code.  Zeroed by the caller. */
int ebpf_counters_init(struct ebpf_counters *c);

void ebpf_counters_destroy(struct ebpf_counters *c);

/* Add to what the calling thread has counted. */
void ebpf_counters_add(struct ebpf_counters *c, uint64_t runs, uint64_t ns, uint64_t misses);

/* The sum of all threads: of each one what it had counted at some moment. */
void ebpf_counters_read(const struct ebpf_counters *c, uint64_t *runs, uint64_t *ns,
			uint64_t *misses);

/*
 * Whether the calling thread is not inside already; then it is now, until it
 * leaves.  Otherwise, or without memory to know, one more miss is counted.
 */
bool ebpf_counters_enter(struct ebpf_counters *c);
void ebpf_counters_leave(struct ebpf_counters *c);

/* Nanoseconds of a clock that only goes forward. */
uint64_t ebpf_clock_ns(void);

#endif
