/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lowered programs of dialect pcap give the verdicts of libpcap's bpf_filter(),
 * over random programs and packets.
 */
#include "tests/diff/compare.h"
#include "tests/support/suite.h"

#define N_PAIRS 1050000

START_TEST(agrees_with_bpf_filter)
{
	static struct diff_tally tally;
	uint64_t n_pairs = suite_scaled(N_PAIRS), seed = suite_seed(1);
	struct ebpf_err err = { "" };
	void *state;

	ck_assert_int_eq(diff_oracle_open(&diff_oracle_pcap, &state, &err), 0);
	ck_assert_msg(diff_compare(&diff_oracle_pcap, state, seed, 0,
				   (n_pairs + DIFF_PACKETS - 1) / DIFF_PACKETS, &tally, stdout,
				   &err) == 0,
		      "%s", err.text);
	diff_oracle_close(&diff_oracle_pcap, state);
	diff_tally_print(&tally, stdout);
	suite_pairs(tally.n_pairs);
	ck_assert_uint_eq(tally.n_differences, 0);
	if (n_pairs >= N_PAIRS) {
		ck_assert(diff_tally_suffices(&tally, CBPF_DIALECT_PCAP, stdout));
		ck_assert_uint_ge(tally.n_pairs, 1000000);
	}
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("diff/pcap");
	TCase *tc = tcase_create("random");

	tcase_set_timeout(tc, 600);
	tcase_add_test(tc, agrees_with_bpf_filter);
	suite_add_tcase(s, tc);
	return s;
}
