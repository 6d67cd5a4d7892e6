/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lowered programs of dialect kernel give the verdicts of the running kernel's
 * socket filters, over random programs and frames.
 */
#include "tests/diff/compare.h"
#include "tests/support/suite.h"

#include <errno.h>

#define N_PAIRS 80000

START_TEST(agrees_with_the_running_kernel)
{
	static struct diff_tally tally;
	uint64_t n_pairs = suite_scaled(N_PAIRS), seed = suite_seed(1);
	struct ebpf_err err = { "" };
	void *state;
	int rc = diff_oracle_kernel.open(&state, &err);

	if (rc == -EPERM || rc == -EOPNOTSUPP) {
		suite_skip("%s", err.text);
		return;
	}
	ck_assert_msg(rc == 0, "%s", err.text);
	rc = diff_compare(&diff_oracle_kernel, state, seed, 0,
			  (n_pairs + DIFF_PACKETS - 1) / DIFF_PACKETS, &tally, stdout, &err);
	diff_oracle_kernel.close(state);
	diff_tally_print(&tally, stdout);
	suite_pairs(tally.n_pairs);
	ck_assert_msg(rc == 0, "%s", err.text);
	ck_assert_uint_eq(tally.n_differences, 0);
	if (n_pairs >= N_PAIRS) {
		ck_assert(diff_tally_suffices(&tally, CBPF_DIALECT_KERNEL, stdout));
		ck_assert_uint_ge(tally.n_pairs, 20000);
	}
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("diff/kernel");
	TCase *tc = tcase_create("random");

	tcase_set_timeout(tc, 600);
	tcase_add_test(tc, agrees_with_the_running_kernel);
	suite_add_tcase(s, tc);
	return s;
}
