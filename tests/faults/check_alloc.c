/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The library without memory: each request of each operation fails in turn, alone and
 * with all that follow, until the operation is done without a failure.  Each time it is
 * done all the same, or refused with one line and -ENOMEM (or what threads and
 * descriptors run out with), its outputs as they were, nothing leaked.
 */
#include "config.h"

#include "tests/faults/operations.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/faults/wrap.h"
#include "tests/support/suite.h"

static size_t
n_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	if (dir == NULL)
		return 0;
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

static bool
may_fail_with(int rc)
{
	return rc == -ENOMEM || rc == -EAGAIN || rc == -EMFILE || rc == -ENFILE;
}

/* Until the n-th request is one too many.  How many failed. */
static long
run_out(const struct operation *o, bool and_later)
{
	for (long n = 0;; n++) {
		struct ebpf_err err = { "" };
		const char *failed;
		int rc;

		wrap_arm(n, and_later);
		rc = o->run(&err);
		failed = wrap_disarm();
		operation_expected(o, n, failed);
		if (rc == 0 && o->look != NULL)
			o->look();
		if (failed == NULL) {
			ck_assert_msg(rc == 0, "%s: %s", o->name, err.text);
			return n;
		}
		if (rc == 0)
			continue;
		ck_assert_msg(may_fail_with(rc), "%s: request %ld, %s: %d, %s", o->name, n, failed,
			      rc, err.text);
		ck_assert_msg(err.text[0] != '\0' && strchr(err.text, '\n') == NULL,
			      "%s: request %ld, %s: no line, but '%s'", o->name, n, failed, err.text);
	}
}

/* What is kept between operations, as pages of machine code, is there after the first pass. */
static void
try_operation(const struct operation *o)
{
	size_t n_blocks, n_fds;
	const char *why;
	long n;

	if (o->prepare != NULL)
		o->prepare();
	if ((why = operation_is_skipped()) != NULL) {
		suite_skip("%s: %s", o->name, why);
		return;
	}
	n = run_out(o, false);
	ck_assert_msg(n > 0, "%s: asks for nothing", o->name);
	printf("%s: %ld requests\n", o->name, n);
	n_blocks = wrap_n_live();
	n_fds = n_descriptors();
	run_out(o, false);
	run_out(o, true);
	ck_assert_msg(wrap_n_live() == n_blocks, "%s: %zu blocks before, %zu after", o->name,
		      n_blocks, wrap_n_live());
	ck_assert_msg(n_descriptors() == n_fds, "%s: %zu descriptors before, %zu after", o->name,
		      n_fds, n_descriptors());
}

START_TEST(each_classic_operation_bears_failures)
{
	try_operation(&operations_cbpf[_i]);
}
END_TEST

START_TEST(each_extended_operation_bears_failures)
{
	try_operation(&operations_ebpf[_i]);
}
END_TEST

START_TEST(each_operation_on_packets_bears_failures)
{
	try_operation(&operations_filter[_i]);
}
END_TEST

/* Of what nothing is ever seen to fail, this suite says nothing. */
START_TEST(failures_and_leaks_are_seen)
{
	size_t before = wrap_n_live(), between;
	const char *first, *second;
	void *volatile p[4]; /* compilers know malloc(), and need none that nobody looks at */

	wrap_arm(1, false);
	p[0] = malloc(10);
	p[1] = calloc(1, 10);
	first = wrap_disarm();
	between = wrap_n_live();
	wrap_arm(0, true);
	p[2] = malloc(10);
	p[3] = strdup("x");
	second = wrap_disarm();
	ck_assert_ptr_nonnull(p[0]);
	for (int i = 1; i < 4; i++)
		ck_assert_ptr_null(p[i]);
	ck_assert_str_eq(first, "calloc");
	ck_assert_str_eq(second, "malloc");
	ck_assert_uint_eq(between, before + 1);
	free(p[0]);
	ck_assert_uint_eq(wrap_n_live(), before);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("faults/alloc");
	TCase *tc = tcase_create("without memory");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, failures_and_leaks_are_seen);
	tcase_add_loop_test(tc, each_classic_operation_bears_failures, 0, (int)n_operations_cbpf);
	tcase_add_loop_test(tc, each_extended_operation_bears_failures, 0,
			    (int)n_operations_ebpf);
	tcase_add_loop_test(tc, each_operation_on_packets_bears_failures, 0,
			    (int)n_operations_filter);
	suite_add_tcase(s, tc);
	return s;
}
