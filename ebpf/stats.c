/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Statistics: a slot for each thread that has run a program, found without a
 * lock and written by that thread alone.
 *
 * A thread is known by the address of its errno, which no other living thread
 * has: the library has no writable statics, thread-local ones included.  The
 * slot of a thread that has ended keeps its counts, and is taken over by the
 * next thread that the C library gives the same place; so there are about as
 * many slots as threads have lived at the same time.
 *
 * Nothing here may be interrupted by a signal handler that runs the same
 * program on the same thread.
 */
#include "config.h"     /* system extensions: clock_gettime() */

#include "ebpf/stats.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* More than a cache line: the one next to it is often fetched with it. */
#define SLOT_ALIGNMENT 128

struct ebpf_slot {
	_Alignas(SLOT_ALIGNMENT) struct ebpf_record record;
	_Atomic uint32_t active;        /* 1 while the thread is inside */
	uintptr_t owner;
	struct ebpf_slot *next;         /* in its bucket; set before it is found */
};

/* ---- records ---- */

static uint64_t
load_counter(const struct ebpf_record *r, int i, memory_order order)
{
	uint64_t low = atomic_load_explicit(&r->halves[2 * i], order);

	return low | (uint64_t)atomic_load_explicit(&r->halves[2 * i + 1], order) << 32;
}

/*
 * Releasing each half keeps it behind the odd sequence number, as acquiring
 * each keeps it before the second look at it; fences would do the same, but
 * thread sanitizers do not see them.
 */
static void
record_add(struct ebpf_record *r, const uint64_t values[3])
{
	uint32_t seq = atomic_load_explicit(&r->seq, memory_order_relaxed);

	atomic_store_explicit(&r->seq, seq + 1, memory_order_relaxed);
	for (int i = 0; i < 3; i++) {
		uint64_t sum = load_counter(r, i, memory_order_relaxed) + values[i];

		atomic_store_explicit(&r->halves[2 * i], (uint32_t)sum, memory_order_release);
		atomic_store_explicit(&r->halves[2 * i + 1], (uint32_t)(sum >> 32),
				      memory_order_release);
	}
	atomic_store_explicit(&r->seq, seq + 2, memory_order_release);
}

static void
record_sum(const struct ebpf_record *r, uint64_t sums[3])
{
	uint64_t values[3];
	uint32_t before, after;

	for (unsigned int tries = 1;; tries++) {
		before = atomic_load_explicit(&r->seq, memory_order_acquire);
		for (int i = 0; i < 3; i++)
			values[i] = load_counter(r, i, memory_order_acquire);
		after = atomic_load_explicit(&r->seq, memory_order_relaxed);
		if (before == after && before % 2 == 0)
			break;
		/* The writer may have lost its processor half-way. */
		if (tries % 64 == 0)
			sched_yield();
	}
	for (int i = 0; i < 3; i++)
		sums[i] += values[i];
}

/* ---- slots ---- */

static uintptr_t
this_thread(void)
{
	return (uintptr_t)&errno;
}

static size_t
bucket_of(uintptr_t thread)
{
	/* Threads lie whole stacks apart: the product's upper bits tell them. */
	return (size_t)(((uint64_t)thread * 0x9e3779b97f4a7c15u) >> 58);
}

_Static_assert(EBPF_STATS_BUCKETS == 1 << (64 - 58), "bucket_of() keeps 6 bits");

static struct ebpf_slot *
find_slot(struct ebpf_counters *c, uintptr_t thread)
{
	struct ebpf_slot *slot =
		atomic_load_explicit(&c->buckets[bucket_of(thread)], memory_order_acquire);

	while (slot != NULL && slot->owner != thread)
		slot = slot->next;
	return slot;
}

static struct ebpf_slot *
add_slot(struct ebpf_counters *c, uintptr_t thread)
{
	_Atomic(struct ebpf_slot *) *bucket = &c->buckets[bucket_of(thread)];
	struct ebpf_slot *slot = aligned_alloc(SLOT_ALIGNMENT, sizeof(*slot));

	if (slot == NULL)
		return NULL;
	memset(slot, 0, sizeof(*slot));
	slot->owner = thread;
	pthread_mutex_lock(&c->lock);
	slot->next = atomic_load_explicit(bucket, memory_order_relaxed);
	atomic_store_explicit(bucket, slot, memory_order_release);
	pthread_mutex_unlock(&c->lock);
	return slot;
}

/* That of the calling thread; NULL: out of memory. */
static struct ebpf_slot *
own_slot(struct ebpf_counters *c)
{
	uintptr_t thread = this_thread();
	struct ebpf_slot *slot = find_slot(c, thread);

	return slot != NULL ? slot : add_slot(c, thread);
}

static void
slot_add(struct ebpf_counters *c, struct ebpf_slot *slot, uint64_t runs, uint64_t ns,
	 uint64_t misses)
{
	const uint64_t values[3] = { runs, ns, misses };

	if (slot != NULL) {
		record_add(&slot->record, values);
		return;
	}
	pthread_mutex_lock(&c->lock);
	record_add(&c->base, values);
	pthread_mutex_unlock(&c->lock);
}

/* ---- counters ---- */

int
ebpf_counters_init(struct ebpf_counters *c)
{
	return -pthread_mutex_init(&c->lock, NULL);
}

void
ebpf_counters_destroy(struct ebpf_counters *c)
{
	for (size_t i = 0; i < EBPF_STATS_BUCKETS; i++) {
		struct ebpf_slot *slot = atomic_load_explicit(&c->buckets[i], memory_order_acquire);

		while (slot != NULL) {
			struct ebpf_slot *next = slot->next;

			free(slot);
			slot = next;
		}
	}
	pthread_mutex_destroy(&c->lock);
}

void
ebpf_counters_add(struct ebpf_counters *c, uint64_t runs, uint64_t ns, uint64_t misses)
{
	slot_add(c, own_slot(c), runs, ns, misses);
}

void
ebpf_counters_read(const struct ebpf_counters *c, uint64_t *runs, uint64_t *ns, uint64_t *misses)
{
	uint64_t sums[3] = { 0 };

	record_sum(&c->base, sums);
	for (size_t i = 0; i < EBPF_STATS_BUCKETS; i++) {
		const struct ebpf_slot *slot =
			atomic_load_explicit(&c->buckets[i], memory_order_acquire);

		for (; slot != NULL; slot = slot->next)
			record_sum(&slot->record, sums);
	}
	*runs = sums[0];
	*ns = sums[1];
	*misses = sums[2];
}

bool
ebpf_counters_enter(struct ebpf_counters *c)
{
	struct ebpf_slot *slot = own_slot(c);

	if (slot != NULL && atomic_load_explicit(&slot->active, memory_order_relaxed) == 0) {
		atomic_store_explicit(&slot->active, 1, memory_order_relaxed);
		return true;
	}
	slot_add(c, slot, 0, 0, 1);
	return false;
}

void
ebpf_counters_leave(struct ebpf_counters *c)
{
	/* It was found when the thread entered, so it is there. */
	struct ebpf_slot *slot = find_slot(c, this_thread());

	atomic_store_explicit(&slot->active, 0, memory_order_relaxed);
}

uint64_t
ebpf_clock_ns(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}
