/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lowered programs of dialect kernel give the verdicts of the running kernel's
 * socket filters, over random programs and frames.
 */
#include "tests/diff/compare.h"
#include "tests/support/suite.h"

#include <errno.h>

#define N_PAIRS 80000

/* The kernel's own conversion, and what it runs when we have lowered the program for it. */
static const struct diff_oracle *const oracles[] = { &diff_oracle_kernel, &diff_oracle_socket };

START_TEST(agrees_with_the_running_kernel)
{
	static struct diff_tally tally;
	const struct diff_oracle *oracle = oracles[_i];
	uint64_t n_pairs = suite_scaled(N_PAIRS), seed = suite_seed(1 + (uint64_t)_i);
	struct ebpf_err err = { "" };
	void *state;
	int rc = diff_oracle_open(oracle, &state, &err);

	if (rc == -EPERM || rc == -EOPNOTSUPP) {
		suite_skip("%s", err.text);
		return;
	}
	ck_assert_msg(rc == 0, "%s", err.text);
	rc = diff_compare(oracle, state, seed, 0,
			  (n_pairs + DIFF_PACKETS - 1) / DIFF_PACKETS, &tally, stdout, &err);
	if (rc == 0 && oracle == &diff_oracle_socket)
		ck_assert_uint_gt(diff_n_lowered(state), n_pairs / DIFF_PACKETS / 2);
	diff_oracle_close(oracle, state);
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
	tcase_add_loop_test(tc, agrees_with_the_running_kernel, 0, N_ELEMS(oracles));
	suite_add_tcase(s, tc);
	return s;
}
