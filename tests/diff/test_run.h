/* SPDX-License-Identifier: BSD-2-Clause */
/* The running kernel's test runs of programs for tc and xdp: which packets, seen how. */
#ifndef TESTS_DIFF_TEST_RUN_H
#define TESTS_DIFF_TEST_RUN_H

#include "tests/diff/generate.h"
#include "tests/diff/kernel_prog.h"

#include <stdbool.h>

enum { TEST_RUN_FIELDS = 4 };

/* Programs that tell what the context holds, of a program type. */
struct test_run {
	enum kernel_prog_type type;
	int fields[TEST_RUN_FIELDS];
};

/*
 * Load them, and stay on this processor.  0; -EPERM, -EOPNOTSUPP: the kernel cannot be
 * asked here; else another negative code; err set.
 */
int test_run_open(struct test_run *run, enum kernel_prog_type type, struct ebpf_err *err);
void test_run_close(struct test_run *run);

/* Whether the kernel runs programs on it: a header must be whole. */
bool test_run_takes(const struct diff_packet *p);

/* Make the packet's view what programs see.  0, or a negative code, err set. */
int test_run_see(const struct test_run *run, struct diff_packet *p, struct ebpf_err *err);

#endif
