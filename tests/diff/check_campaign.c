/* SPDX-License-Identifier: BSD-2-Clause */
/* What the comparison is made of: a difference is found, made small and can be repeated. */
#include "config.h" /* system extensions: open_memstream() */

#include "tests/diff/compare.h"
#include "tests/diff/guard.h"
#include "tests/diff/minimise.h"
#include "tests/diff/mutate.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- an oracle that is wrong ---- */

#define LIE (CBPF_ALU | CBPF_MUL | CBPF_K)

static int
judge(void *state, const struct cbpf_insn *insns, size_t n_insns, const struct diff_packet *packets,
      size_t n, const bool *skip, uint32_t *verdicts, struct ebpf_err *err)
{
	(void)state, (void)n_insns, (void)skip, (void)err;
	for (size_t i = 0; i < n; i++) {
		struct reference_run run = reference_run(insns, CBPF_DIALECT_PCAP, &packets[i].view,
							 packets[i].pay_offset);

		verdicts[i] = run.verdict + (uint32_t)(run.codes[LIE / 64] >> LIE % 64 & 1);
	}
	return 0;
}

static int
refuse(void *state, const struct cbpf_insn *insns, size_t n_insns,
       const struct diff_packet *packets, size_t n, const bool *skip, uint32_t *verdicts,
       struct ebpf_err *err)
{
	for (size_t pc = 0; pc < n_insns; pc++) {
		if (insns[pc].code == LIE) {
			snprintf(err->text, sizeof(err->text), "a lie");
			return -EINVAL;
		}
	}
	return judge(state, insns, n_insns, packets, n, skip, verdicts, err);
}

static const struct diff_oracle liars[] = {
	{ .name = "liar",
	  .dialect = CBPF_DIALECT_PCAP,
	  .judge = judge },
	{ .name = "refuser",
	  .dialect = CBPF_DIALECT_PCAP,
	  .judge = refuse },
};

/* Compare until there is a difference; what it prints. */
static char *
provoke(const struct diff_oracle *oracle)
{
	static struct diff_tally tally;
	struct ebpf_err err = { "" };
	size_t size = 0;
	char *text = NULL;
	FILE *out = open_memstream(&text, &size);
	void *state;

	ck_assert_ptr_nonnull(out);
	memset(&tally, 0, sizeof(tally));
	ck_assert_int_eq(diff_oracle_open(oracle, &state, &err), 0);
	for (uint64_t i = 0; tally.n_differences == 0; i++) {
		ck_assert_uint_lt(i, 10000);
		ck_assert_int_eq(diff_compare(oracle, state, 5, i, 1, &tally, out, &err), 0);
	}
	diff_oracle_close(oracle, state);
	fclose(out);
	return text;
}

START_TEST(a_difference_is_reported_with_two_instructions)
{
	char *text = provoke(&liars[_i]), *smaller = strstr(text, "made smaller:\n");

	ck_assert_ptr_nonnull(strstr(text, "\nDIFFERENCE: "));
	ck_assert_ptr_nonnull(strstr(text, "\nrepeat: make differential ORACLE="));
	ck_assert_ptr_nonnull(smaller);
	/* the lie, and a return */
	ck_assert_msg(strncmp(smaller, "made smaller:\n2\n36 0 0 ", 23) == 0, "%s", text);
	free(text);
}
END_TEST

/* ---- making smaller ---- */

/* What has to stay: a load, a jump over what may go, and a return behind it. */
static bool
shows(void *arg, const struct cbpf_insn *insns, size_t n_insns)
{
	struct cbpf_prog *prog;
	size_t pc = 0;

	++*(unsigned *)arg;
	if (cbpf_check(insns, n_insns, CBPF_DIALECT_KERNEL, &prog, NULL) < 0)
		return false;
	cbpf_prog_free(prog);
	while (pc < n_insns && insns[pc].code != (CBPF_LD | CBPF_H | CBPF_ABS))
		pc++;
	if (pc + 1 >= n_insns || insns[pc].k != 12 ||
	    insns[pc + 1].code != (CBPF_JMP | CBPF_JEQ | CBPF_K))
		return false;
	pc += 2 + insns[pc + 1].jf;
	return insns[pc].code == (CBPF_RET | CBPF_K) && insns[pc].k == 77;
}

START_TEST(a_program_of_full_length_becomes_three_instructions)
{
	struct cbpf_insn insns[CBPF_MAXINSNS];
	unsigned n_tries = 0;
	size_t n;

	for (size_t pc = 0; pc < CBPF_MAXINSNS; pc++)
		insns[pc] = (struct cbpf_insn)CBPF_STMT(CBPF_ALU | CBPF_ADD | CBPF_K, 1);
	insns[2000] = (struct cbpf_insn)CBPF_STMT(CBPF_LD | CBPF_H | CBPF_ABS, 12);
	insns[2001] = (struct cbpf_insn)CBPF_JUMP(CBPF_JMP | CBPF_JEQ | CBPF_K, 0x800, 3, 200);
	insns[2202] = (struct cbpf_insn)CBPF_STMT(CBPF_RET | CBPF_K, 77);
	insns[CBPF_MAXINSNS - 1] = (struct cbpf_insn)CBPF_STMT(CBPF_RET | CBPF_K, 5);
	n = diff_minimise(insns, CBPF_MAXINSNS, shows, &n_tries);
	ck_assert_uint_eq(n, 3);
	ck_assert_uint_eq(insns[1].k, 0);
	ck_assert_uint_eq(insns[1].jt, 0);
	ck_assert(shows(&n_tries, insns, n));
	/* in pieces, not one by one */
	ck_assert_uint_lt(n_tries, 500);
}
END_TEST

/* ---- changes ---- */

START_TEST(changed_programs_are_valid_and_others)
{
	enum cbpf_dialect dialect = _i == 0 ? CBPF_DIALECT_KERNEL : CBPF_DIALECT_PCAP;
	uint64_t seed = suite_seed(0x3a7e), rng = seed, n = suite_scaled(3000), n_changed = 0;

	for (uint64_t i = 0; i < n; i++) {
		struct cbpf_insn *old;
		struct cbpf_prog *prog;
		struct ebpf_err err;
		struct diff_case c;

		diff_case_init(&c, dialect, seed, i);
		ck_assert_ptr_nonnull(old = calloc(c.n_insns, sizeof(*old)));
		memcpy(old, c.insns, c.n_insns * sizeof(*old));
		diff_mutate(c.insns, c.n_insns, dialect, &rng);
		n_changed += memcmp(old, c.insns, c.n_insns * sizeof(*old)) != 0;
		ck_assert_msg(cbpf_check(c.insns, c.n_insns, dialect, &prog, &err) == 0, "%s",
			      err.text);
		cbpf_prog_free(prog);
		free(old);
		diff_case_fini(&c);
	}
	ck_assert_uint_gt(2 * n_changed, n);
}
END_TEST

/* ---- what cases are ---- */

START_TEST(there_are_packets_of_every_length_and_programs_of_every_size)
{
	static bool has_length[DIFF_MAX_FRAME + 1];
	unsigned n_whole = 0, n_far = 0;

	for (uint64_t i = 0; i < 10000; i++) {
		struct diff_case c;

		diff_case_init(&c, CBPF_DIALECT_PCAP, 1, i);
		for (size_t p = 0; p < DIFF_PACKETS; p++)
			has_length[c.packets[p].len] = true;
		n_whole += c.n_insns == CBPF_MAXINSNS;
		for (size_t pc = 0; pc < c.n_insns; pc++)
			n_far += c.insns[pc].code == (CBPF_JMP | CBPF_JA) && c.insns[pc].k > 1000 &&
				 c.insns[pc].k < CBPF_MAXINSNS;
		diff_case_fini(&c);
	}
	for (size_t len = 0; len <= DIFF_MAX_FRAME; len++)
		ck_assert_msg(has_length[len], "no packet of %zu bytes", len);
	ck_assert_uint_gt(n_whole, 0);
	ck_assert_uint_gt(n_far, 0);
}
END_TEST

/* ---- guards ---- */

START_TEST(behind_a_packet_is_no_memory)
{
	struct diff_guard guard;
	struct diff_case c;
	int pipes[2];

	ck_assert_int_eq(pipe(pipes), 0);
	ck_assert_int_eq(diff_guard_open(&guard), 0);
	diff_case_init(&c, CBPF_DIALECT_PCAP, 1, 3);
	diff_guard_take(&guard, c.packets, DIFF_PACKETS);
	for (size_t i = 0; i < DIFF_PACKETS; i++) {
		const struct sift_view *v = &c.packets[i].view;

		ck_assert_mem_eq(v->data, c.packets[i].frame, v->caplen);
		/* the kernel says so, where a read of our own would end the test */
		ck_assert_int_eq(write(pipes[1], v->data + v->caplen, 1), -1);
		ck_assert_int_eq(errno, EFAULT);
	}
	diff_case_fini(&c);
	diff_guard_close(&guard);
	close(pipes[0]);
	close(pipes[1]);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("diff/campaign");
	TCase *tc = tcase_create("campaign");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, a_difference_is_reported_with_two_instructions, 0, N_ELEMS(liars));
	tcase_add_test(tc, a_program_of_full_length_becomes_three_instructions);
	tcase_add_loop_test(tc, changed_programs_are_valid_and_others, 0, 2);
	tcase_add_test(tc, there_are_packets_of_every_length_and_programs_of_every_size);
	tcase_add_test(tc, behind_a_packet_is_no_memory);
	suite_add_tcase(s, tc);
	return s;
}
