/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A half that is stored with release, and loaded with acquire, shows a reader who has seen
 * it that the turn has changed: fences would do the same, but thread sanitizers do not see
 * them.
 */
#include "filter/tally.h"

void
sift_tally_init(struct sift_tally *tally)
{
	tally->now = (struct sift_pipeline_counters){ .size = sizeof(tally->now) };
	atomic_init(&tally->turn, 0);
	for (int i = 0; i < 2 * SIFT_TALLY_NUMBERS; i++) {
		atomic_init(&tally->halves[0][i], 0);
		atomic_init(&tally->halves[1][i], 0);
	}
}

static void
put(_Atomic uint32_t *halves, uint64_t number)
{
	atomic_store_explicit(&halves[0], (uint32_t)number, memory_order_release);
	atomic_store_explicit(&halves[1], (uint32_t)(number >> 32), memory_order_release);
}

static uint64_t
get(const _Atomic uint32_t *halves)
{
	uint64_t low = atomic_load_explicit(&halves[0], memory_order_acquire);

	return low | (uint64_t)atomic_load_explicit(&halves[1], memory_order_acquire) << 32;
}

void
sift_tally_publish(struct sift_tally *tally)
{
	uint32_t next = atomic_load_explicit(&tally->turn, memory_order_relaxed) + 1;
	_Atomic uint32_t *halves = tally->halves[next % 2];

	put(&halves[0], tally->now.seen);
	put(&halves[2], tally->now.matched);
	put(&halves[4], tally->now.written);
	put(&halves[6], tally->now.too_short);
	atomic_store_explicit(&tally->turn, next, memory_order_release);
}

struct sift_pipeline_counters
sift_tally_read(const struct sift_tally *tally)
{
	struct sift_pipeline_counters counters = { .size = sizeof(counters) };
	uint32_t turn;

	do {
		const _Atomic uint32_t *halves;

		turn = atomic_load_explicit(&tally->turn, memory_order_acquire);
		halves = tally->halves[turn % 2];
		counters.seen = get(&halves[0]);
		counters.matched = get(&halves[2]);
		counters.written = get(&halves[4]);
		counters.too_short = get(&halves[6]);
	} while (atomic_load_explicit(&tally->turn, memory_order_relaxed) != turn);
	return counters;
}
