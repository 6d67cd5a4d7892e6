/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the library is asked for while allocations fail.  Each operation is done from
 * beginning to end: it frees what it made, and looks at what came out of it.
 */
#ifndef TESTS_FAULTS_OPERATIONS_H
#define TESTS_FAULTS_OPERATIONS_H

#include <stdbool.h>
#include <stddef.h>

#include <bpfsift/filter.h>

struct operation {
	const char *name;
	void (*prepare)(void); /* once, with all the memory there is; NULL: nothing */
	int (*run)(struct ebpf_err *err);
	void (*look)(void); /* at what a run that succeeded left, with memory; NULL: nothing */
};

extern const struct operation operations_cbpf[], operations_ebpf[], operations_filter[];
extern const size_t n_operations_cbpf, n_operations_ebpf, n_operations_filter;

/* From prepare(): what the operation needs is not here, so it is skipped. */
void operation_skip(const char *why);

/* Why, once; NULL: it can be run. */
const char *operation_is_skipped(void);

/*
 * In place of ck_assert() while allocations fail, which Check needs too: what did not
 * hold first is told afterwards.
 */
#define EXPECT(holds) operation_expect((holds), __FILE__, __LINE__, #holds)
void operation_expect(bool holds, const char *file, int line, const char *what);

/* What did not hold since the last call; fails the test that is running. */
void operation_expected(const struct operation *o, long n, const char *failed);

/*
 * Where a failing call is to leave its output alone: what stands there before it.  A
 * pointer that nothing has.
 */
#define UNTOUCHED ((void *)(operations_nothing + 1))
extern char operations_nothing[2];

#endif
