/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs of dialect pcap made for the kernel give by its rules the verdicts that they
 * had by their own, over random programs and packets, and where the two differ most.
 */
#include "cbpf/to_kernel.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ebpf/err.h"
#include "tests/diff/generate.h"
#include "tests/diff/reference.h"
#include "tests/support/suite.h"

enum { N_CASES = 20000, DLT_ETHERNET = 1 };

/* Made for the kernel and by its rules; what may be refused is NULL, err saying why. */
static struct cbpf_insn *
make(const struct cbpf_insn *insns, size_t n_insns, size_t *n_made, struct ebpf_err *err)
{
	struct cbpf_insn *made;
	struct cbpf_prog *prog;
	int rc = cbpf_to_kernel(insns, n_insns, &made, n_made, err);

	if (rc < 0) {
		ck_assert_int_eq(rc, -EINVAL);
		return NULL;
	}
	/* A slot that is never written is 0 in dialect pcap, and refused by the other. */
	rc = cbpf_check(made, *n_made, CBPF_DIALECT_KERNEL, &prog, err);
	if (rc < 0) {
		ck_assert_msg(strstr(err->text, "before it is written") != NULL ||
				      strstr(err->text, "limit is") != NULL,
			      "%s", err->text);
		free(made);
		return NULL;
	}
	cbpf_prog_free(prog);
	return made;
}

static bool
has_code(const struct cbpf_insn *insns, size_t n_insns, unsigned code)
{
	for (size_t pc = 0; pc < n_insns; pc++) {
		if (insns[pc].code == code)
			return true;
	}
	return false;
}

START_TEST(random_programs_keep_their_verdicts)
{
	uint64_t n_cases = suite_scaled(N_CASES), seed = suite_seed(1), n_made = 0, n_shifts = 0;
	uint64_t n_accepted = 0;

	for (uint64_t index = 0; index < n_cases; index++) {
		struct ebpf_err err = { "" };
		struct cbpf_insn *made;
		struct diff_case c;
		size_t n;

		diff_case_init(&c, CBPF_DIALECT_PCAP, seed, index);
		made = make(c.insns, c.n_insns, &n, &err);
		for (size_t i = 0; i < DIFF_PACKETS && made != NULL; i++) {
			const struct sift_view *view = &c.packets[i].view;
			uint32_t expected, verdict;

			expected = reference_run(c.insns, CBPF_DIALECT_PCAP, view, 0).verdict;
			verdict = reference_run(made, CBPF_DIALECT_KERNEL, view, 0).verdict;
			ck_assert_msg(verdict == expected,
				      "seed %llu, case %llu, packet %zu: %u, not %u",
				      (unsigned long long)seed, (unsigned long long)index, i,
				      verdict, expected);
			n_accepted += verdict != 0;
		}
		n_made += made != NULL;
		n_shifts +=
			made != NULL && has_code(c.insns, c.n_insns, CBPF_ALU | CBPF_LSH | CBPF_X);
		free(made);
		diff_case_fini(&c);
	}
	suite_pairs(n_made * DIFF_PACKETS);
	ck_assert_uint_gt(n_made, n_cases / 4);
	ck_assert(n_cases < N_CASES || (n_shifts > 100 && n_accepted > n_cases));
}
END_TEST

#define RET_A CBPF_STMT(CBPF_RET | CBPF_A, 0)
#define LDX(k) CBPF_STMT(CBPF_LDX | CBPF_W | CBPF_IMM, k)
#define LD(k) CBPF_STMT(CBPF_LD | CBPF_IMM, k)
#define LDB(k) CBPF_STMT(CBPF_LD | CBPF_B | CBPF_ABS, k)
#define LDBX(k) CBPF_STMT(CBPF_LD | CBPF_B | CBPF_IND, k)

/* Packet 01 02 03 04 and on. */
static const struct {
	struct cbpf_insn insns[4];
	size_t n;
	uint32_t verdict, by_kernel; /* the program's as it is, by either dialect */
} rows[] = {
	{ { LDX(2), LDBX(1), RET_A }, 3, 4, 4 },
	{ { LDX(0xffffffff), LDBX(1), RET_A }, 3, 0, 1 },
	{ { LDX(0x80000000), LDBX(0x7fffffff), RET_A }, 3, 0, 0 },
	{ { LDX(0x7fffffff), LDBX(1), RET_A }, 3, 0, 0 },
	{ { LDX(0xfff00000), LDBX(2), RET_A }, 3, 0, 17 }, /* the network header */
	{ { LDX(3), LDBX(0xffffffff), RET_A }, 3, 0, 3 },
	{ { LDB(0xfff00002), RET_A }, 2, 0, 17 },
	{ { LD(1), LDX(31), CBPF_STMT(CBPF_ALU | CBPF_LSH | CBPF_X, 0), RET_A },
	  4,
	  0x80000000,
	  0x80000000 },
	{ { LD(1), LDX(32), CBPF_STMT(CBPF_ALU | CBPF_LSH | CBPF_X, 0), RET_A }, 4, 0, 1 },
	{ { LD(8), LDX(33), CBPF_STMT(CBPF_ALU | CBPF_RSH | CBPF_X, 0), RET_A }, 4, 0, 4 },
};

START_TEST(what_differs_is_spelled_out)
{
	const struct cbpf_insn *insns = rows[_i].insns;
	struct ebpf_err err = { "" };
	struct cbpf_insn *made;
	struct sift_view view;
	uint8_t bytes[64];
	size_t n;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i + 1);
	sift_view_init(&view, DLT_ETHERNET, bytes, sizeof(bytes), sizeof(bytes));
	ck_assert_uint_eq(reference_run(insns, CBPF_DIALECT_PCAP, &view, 0).verdict,
			  rows[_i].verdict);
	ck_assert_uint_eq(reference_run(insns, CBPF_DIALECT_KERNEL, &view, 0).verdict,
			  rows[_i].by_kernel);
	made = make(insns, rows[_i].n, &n, &err);
	ck_assert_msg(made != NULL, "%s", err.text);
	ck_assert_uint_eq(reference_run(made, CBPF_DIALECT_KERNEL, &view, 0).verdict,
			  rows[_i].verdict);
	free(made);
}
END_TEST

/* A constant shift that the kernel refuses. */
START_TEST(a_wide_constant_shift_gives_0)
{
	static const struct cbpf_insn insns[] = { LD(7),
						  CBPF_STMT(CBPF_ALU | CBPF_LSH | CBPF_K, 32),
						  CBPF_STMT(CBPF_ALU | CBPF_ADD | CBPF_K, 5),
						  RET_A };
	struct ebpf_err err = { "" };
	struct cbpf_insn *made;
	struct sift_view view;
	size_t n;

	sift_view_init(&view, DLT_ETHERNET, (const uint8_t *)insns, sizeof(insns), sizeof(insns));
	made = make(insns, N_ELEMS(insns), &n, &err);
	ck_assert_msg(made != NULL, "%s", err.text);
	ck_assert_uint_eq(reference_run(made, CBPF_DIALECT_KERNEL, &view, 0).verdict, 5);
	free(made);
}
END_TEST

/* Every slot is in use, and a shift needs one. */
static const struct cbpf_insn crowded[] = {
	CBPF_STMT(CBPF_ST, 0),
	CBPF_STMT(CBPF_ST, 1),
	CBPF_STMT(CBPF_ST, 2),
	CBPF_STMT(CBPF_ST, 3),
	CBPF_STMT(CBPF_ST, 4),
	CBPF_STMT(CBPF_ST, 5),
	CBPF_STMT(CBPF_ST, 6),
	CBPF_STMT(CBPF_ST, 7),
	CBPF_STMT(CBPF_ST, 8),
	CBPF_STMT(CBPF_ST, 9),
	CBPF_STMT(CBPF_ST, 10),
	CBPF_STMT(CBPF_ST, 11),
	CBPF_STMT(CBPF_ST, 12),
	CBPF_STMT(CBPF_ST, 13),
	CBPF_STMT(CBPF_ST, 14),
	CBPF_STMT(CBPF_ST, 15),
	CBPF_STMT(CBPF_ALU | CBPF_LSH | CBPF_X, 0),
	RET_A,
};
static const struct cbpf_insn backward[] = {
	LDB(0),
	CBPF_JUMP(CBPF_JMP | CBPF_JEQ | CBPF_K, 1, 1, 0),
	CBPF_STMT(CBPF_JMP | CBPF_JA, 0xfffffffd),
	RET_A,
};
static const struct cbpf_insn beside[] = { LDB(0xfffff030), RET_A };

static const struct {
	const struct cbpf_insn *insns;
	size_t n;
	const char *err;
} refused[] = {
	{ crowded, N_ELEMS(crowded), "insn 16: no scratch slot to spare for a shift" },
	{ backward, N_ELEMS(backward), "insn 2: it jumps backward" },
	{ beside, N_ELEMS(beside), "insn 0: asks for a VLAN tag beside the packet" },
};

START_TEST(what_the_kernel_cannot_do_is_refused)
{
	struct cbpf_insn *made = NULL;
	struct ebpf_err err = { "" };
	size_t n = 77;

	ck_assert_int_eq(cbpf_to_kernel(refused[_i].insns, refused[_i].n, &made, &n, &err),
			 -EINVAL);
	ck_assert_str_eq(err.text, refused[_i].err);
	ck_assert_ptr_null(made);
	ck_assert_uint_eq(n, 77);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("diff/to_kernel");
	TCase *tc = tcase_create("programs");

	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, random_programs_keep_their_verdicts);
	tcase_add_loop_test(tc, what_differs_is_spelled_out, 0, N_ELEMS(rows));
	tcase_add_test(tc, a_wide_constant_shift_gives_0);
	tcase_add_loop_test(tc, what_the_kernel_cannot_do_is_refused, 0, N_ELEMS(refused));
	suite_add_tcase(s, tc);
	return s;
}
