/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every Check program shares: main(), scaling, skipping, counting.
 *
 * A program defines suite(); tests/support/suite.c has main(), which runs it
 * and prints Check's summary.  tests/totals.sh adds up what the programs print:
 * "Checks: n, Failures: n, Errors: n", "SKIPPED: reason", "PAIRS: n".
 */
#ifndef TESTS_SUPPORT_SUITE_H
#define TESTS_SUPPORT_SUITE_H

#include <check.h>
#include <stddef.h>
#include <stdint.h>

#define N_ELEMS(a) (sizeof(a) / sizeof((a)[0]))

Suite *suite(void);

/* n scaled by TEST_SCALE (percent, default 100), at least 1. */
uint64_t suite_scaled(uint64_t n);

/*
 * The seed of this run: TEST_SEED, or the default given.  Printed, so that a
 * failure can be repeated.
 */
uint64_t suite_seed(uint64_t otherwise);

/* Say that a test was skipped and why; the caller then returns. */
__attribute__((format(printf, 1, 2))) void suite_skip(const char *reason, ...);

/* Say how many pairs of program and packet were compared. */
void suite_pairs(uint64_t n);

/* A file of tests/data, in a buffer that the next call reuses. */
const char *suite_data(const char *name);

/* splitmix64: small, seedable, the same on every machine. */
static inline uint64_t
rng_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* Uniform in 0 ... n-1; n > 0. */
static inline uint32_t
rng_below(uint64_t *state, uint32_t n)
{
	return (uint32_t)(((rng_next(state) >> 32) * n) >> 32);
}

#endif
