/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loads behind a test of the packet's length, which for target buffer says how much of it is
 * there: each test, way, offset and length, against the reference.  Packets end where memory
 * does.
 */
#include "tests/diff/guard.h"
#include "tests/diff/party.h"
#include "tests/diff/reference.h"
#include "tests/support/suite.h"

#include <string.h>

enum { LENGTHS = 10, MAX_K = 6, MAX_OFF = 6 };

static const unsigned tests[] = { CBPF_JGT, CBPF_JGE, CBPF_JEQ, CBPF_JSET };
static const unsigned sizes[] = { CBPF_B, CBPF_H, CBPF_W };

/* One packet of each length. */
static struct diff_packet packets[LENGTHS];

static void
make_packets(const struct diff_guard *guard)
{
	static uint8_t bytes[LENGTHS] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 };

	memset(packets, 0, sizeof(packets));
	for (uint32_t len = 0; len < LENGTHS; len++)
		packets[len].view =
			(struct sift_view){ .data = bytes, .caplen = len, .wirelen = len };
	diff_guard_take(guard, packets, LENGTHS);
}

static void
check_program(const struct cbpf_insn *insns, size_t n_insns)
{
	struct cbpf_prog *prog;
	struct ebpf_err err = { "" };

	ck_assert_int_eq(cbpf_check(insns, n_insns, CBPF_DIALECT_PCAP, &prog, &err), 0);
	for (size_t p = 0; p < DIFF_PARTIES; p++) {
		const struct diff_party *party = &diff_parties[p];
		uint32_t verdicts[LENGTHS];

		if (party->policy.jit == EBPF_JIT_OFF ||
		    party->policy.blinding != EBPF_BLINDING_OFF)
			continue;
		ck_assert_msg(diff_party_ask(party, prog, packets, LENGTHS, verdicts, &err) == 0,
			      "%s: %s", party->name, err.text);
		for (uint32_t len = 0; len < LENGTHS; len++) {
			uint32_t want =
				reference_run(insns, CBPF_DIALECT_PCAP, &packets[len].view, 0)
					.verdict;

			ck_assert_msg(verdicts[len] == want,
				      "%s: test 0x%x of %u, load 0x%x at %u, %u bytes: %u, not %u",
				      party->name, insns[1].code, insns[1].k, insns[2].code,
				      insns[2].k, len, verdicts[len], want);
		}
	}
	cbpf_prog_free(prog);
}

START_TEST(what_a_length_was_tested_for_is_there_and_no_more)
{
	struct diff_guard guard;

	ck_assert_int_eq(diff_guard_open(&guard), 0);
	make_packets(&guard);
	for (uint32_t k = 0; k <= MAX_K; k++) {
		for (uint32_t i = 0; i < N_ELEMS(sizes) * MAX_OFF * 2; i++) {
			bool holds = i % 2 == 0;
			const struct cbpf_insn insns[] = {
				CBPF_STMT(CBPF_LD | CBPF_W | CBPF_LEN, 0),
				CBPF_JUMP(CBPF_JMP | tests[_i] | CBPF_K, k, holds ? 0 : 2,
					  holds ? 2 : 0),
				CBPF_STMT(CBPF_LD | sizes[i / 2 % N_ELEMS(sizes)] | CBPF_ABS,
					  i / 2 / N_ELEMS(sizes)),
				CBPF_STMT(CBPF_RET | CBPF_A, 0),
				CBPF_STMT(CBPF_RET | CBPF_K, 99),
			};

			check_program(insns, N_ELEMS(insns));
		}
	}
	diff_guard_close(&guard);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("diff/lengths");
	TCase *tc = tcase_create("lengths");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, what_a_length_was_tested_for_is_there_and_no_more, 0,
			    N_ELEMS(tests));
	suite_add_tcase(s, tc);
	return s;
}
