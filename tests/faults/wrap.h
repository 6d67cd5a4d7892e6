/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Allocations that fail on request, in a program that is linked with LDFLAGS_OF_FAULTS of
 * build.am: whatever the project's own objects ask of malloc() and its kin, mmap(),
 * stdio's streams, of threads and what they share, of descriptors and random numbers.
 * What other libraries ask for among themselves is theirs, and does not fail.
 */
#ifndef TESTS_FAULTS_WRAP_H
#define TESTS_FAULTS_WRAP_H

#include <stdbool.h>
#include <stddef.h>

/* Let the n-th request from now on fail, 0 the next one; and all that come later, if wanted. */
void wrap_arm(long n, bool and_later);

/* No more failures.  What failed first, a function's name; NULL: nothing did. */
const char *wrap_disarm(void);

/* Blocks that were allocated here and not freed: a number that grows is a leak. */
size_t wrap_n_live(void);

#endif
