/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each back end makes, on every machine: all of the program, in its order,
 * with a function for each form, and the same the next time.
 */
#include "ebpf/jit/pass.h"

#include "tests/support/random_prog.h"
#include "tests/support/suite.h"

#include <stdlib.h>
#include <string.h>

static bool
yes(void)
{
	return true;
}

static bool
no(void)
{
	return false;
}

/* aarch64 as it was first, and from v8.1 on. */
static struct jit_target first_a64, later_a64;
static const struct jit_target *const targets[] = { &ebpf_jit_x86_64, &first_a64, &later_a64 };

static void
make_targets(void)
{
	first_a64 = later_a64 = ebpf_jit_aarch64;
	first_a64.has_lse = no;
	later_a64.has_lse = yes;
}

START_TEST(each_form_is_translated)
{
	for (size_t t = 0; t < N_ELEMS(targets); t++) {
		for (int form = 0; form < EBPF_N_FORMS; form++)
			ck_assert_int_eq(targets[t]->forms[form] != NULL,
					 form != EBPF_FORM_LDABS && form != EBPF_FORM_LDIND);
	}
}
END_TEST

struct made {
	uint8_t *code;
	size_t n;
	struct ebpf_jit_entries entries;
	uint32_t starts[RANDOM_PROG_MAX + 1];
};

static void
translate(const struct jit_target *target, const struct ebpf_prog *prog, struct made *made)
{
	memset(made, 0, sizeof(*made));
	ck_assert_int_eq(ebpf_jit_translate(target, prog, &made->code, &made->n, &made->entries,
					    made->starts), 0);
}

static void
is_whole(const struct jit_target *target, const struct random_prog *p, const struct made *made)
{
	ck_assert_uint_eq(made->n % target->align, 0);
	ck_assert_uint_lt(made->entries.run, made->entries.inner);
	ck_assert_uint_lt(made->entries.inner, made->entries.many);
	ck_assert_uint_eq(made->entries.many % 16, 0);
	ck_assert_uint_le(made->entries.many, made->n);
	ck_assert_uint_lt(made->starts[p->n], made->entries.inner + 1);
	for (size_t pc = 0; pc < p->n; pc++) {
		ck_assert_uint_le(made->starts[pc], made->starts[pc + 1]);
		ck_assert_uint_eq(made->starts[pc] % target->align, 0);
	}
}

START_TEST(random_programs_are_translated_whole)
{
	static struct random_prog p;
	uint64_t rng = suite_seed(0x9a55), n_programs = suite_scaled(2000);

	for (uint64_t i = 0; i < n_programs; i++) {
		struct ebpf_policy policy = { .size = sizeof(policy), .jit = EBPF_JIT_OFF };
		struct ebpf_prog *prog;

		random_prog(&p, 10 + rng_below(&rng, 60), &rng);
		ck_assert_int_eq(ebpf_prog_load_trusted_by(&random_prog_type, p.insns, p.n, NULL,
							   &policy, &prog, NULL), 0);
		for (size_t t = 0; t < N_ELEMS(targets); t++) {
			struct made first, second;

			translate(targets[t], prog, &first);
			is_whole(targets[t], &p, &first);
			translate(targets[t], prog, &second);
			ck_assert_uint_eq(first.n, second.n);
			ck_assert_mem_eq(first.code, second.code, first.n);
			free(first.code);
			free(second.code);
		}
		ebpf_prog_put(prog);
	}
}
END_TEST

/* The words of an atomic operation, as the verifier has seen its address: none but these. */
START_TEST(atomics_are_instructions_where_there_are_some)
{
	static const struct {
		int32_t imm;
		size_t n_first, n_later;
	} rows[] = {
		{ EBPF_ADD, 4, 1 },
		{ EBPF_AND, 4, 2 },
		{ EBPF_ADD | EBPF_FETCH, 6, 1 },
		{ EBPF_AND | EBPF_FETCH, 6, 2 },
		{ EBPF_XCHG, 5, 1 },
		{ EBPF_CMPXCHG, 7, 1 },
		{ EBPF_LOAD_ACQ, 1, 1 },
		{ EBPF_STORE_REL, 1, 1 },
	};
	struct ebpf_policy policy = { .size = sizeof(policy), .jit = EBPF_JIT_OFF };
	struct ebpf_load_opts opts = { .size = sizeof(opts),
				       .policy = &policy,
				       .verify = EBPF_VERIFY_NO_LEAKS,
				       .mem_size = 8 };

	for (size_t i = 0; i < N_ELEMS(rows); i++) {
		const struct ebpf_insn insns[] = {
			{ .code = EBPF_ALU64 | EBPF_MOV, .dst_reg = 0 },
			{ .code = EBPF_STX | EBPF_ATOMIC | EBPF_DW,
			  .dst_reg = 1,
			  .src_reg = rows[i].imm == EBPF_LOAD_ACQ ? 1 : 0,
			  .imm = rows[i].imm },
			{ .code = EBPF_ALU64 | EBPF_MOV, .dst_reg = 0 },
			{ .code = EBPF_JMP | EBPF_EXIT },
		};
		struct ebpf_prog *prog;
		struct ebpf_err err;
		struct made a, b;

		ck_assert_msg(ebpf_prog_load_opts(&random_prog_type, insns, N_ELEMS(insns), &opts,
						  &prog, &err) == 0,
			      "%s", err.text);
		translate(&first_a64, prog, &a);
		translate(&later_a64, prog, &b);
		ck_assert_uint_eq(a.starts[2] - a.starts[1], 4 * rows[i].n_first);
		ck_assert_uint_eq(b.starts[2] - b.starts[1], 4 * rows[i].n_later);
		free(a.code);
		free(b.code);
		ebpf_prog_put(prog);
	}
}
END_TEST

/* ---- where x86-64 has its jumps ---- */

#define LDXB(dst, off_)                                                                            \
	{                                                                                          \
		.code = EBPF_LDX | EBPF_MEM | EBPF_B, .dst_reg = (dst), .src_reg = 1,              \
		.off = (off_)                                                                      \
	}
#define JNE(dst, k, off_)                                                                          \
	{                                                                                          \
		.code = EBPF_JMP | EBPF_JNE, .dst_reg = (dst), .imm = (k), .off = (off_)           \
	}

enum { BLOCK = 32 };

static void
translate_insns(const struct jit_target *target, const struct ebpf_insn *insns, size_t n,
		struct made *made)
{
	struct ebpf_policy policy = { .size = sizeof(policy), .jit = EBPF_JIT_OFF };
	struct ebpf_prog *prog;

	ck_assert_int_eq(
		ebpf_prog_load_trusted_by(&random_prog_type, insns, n, NULL, &policy, &prog, NULL),
		0);
	translate(target, prog, made);
	ebpf_prog_put(prog);
}

static bool
is_test(const struct ebpf_insn *insn)
{
	return insn->code == (EBPF_JMP | EBPF_JNE);
}

/* n tests that go to the end, of R3 or, where each loads its own, of that. */
static size_t
row_of_tests(struct ebpf_insn *insns, size_t n_tests, bool loads)
{
	const struct ebpf_insn load = LDXB(0, 1);
	size_t n = 0;

	insns[n++] = (struct ebpf_insn)LDXB(3, 0);
	for (size_t i = 0; i < n_tests; i++) {
		if (loads)
			insns[n++] = (struct ebpf_insn)LDXB(3, (int16_t)i);
		insns[n++] = (struct ebpf_insn)JNE(3, (int32_t)i + 1, 0);
	}
	for (size_t pc = 0; pc < n; pc++) {
		if (is_test(&insns[pc]))
			insns[pc].off = (int16_t)(n - pc - 1);
	}
	insns[n++] = load;
	insns[n++] = (struct ebpf_insn){ .code = EBPF_JMP | EBPF_EXIT };
	return n;
}

START_TEST(no_three_tests_in_a_row_end_in_one_block)
{
	struct ebpf_insn insns[RANDOM_PROG_MAX];
	size_t n = row_of_tests(insns, (size_t)_i, true), pairs = 0;
	size_t before[2] = { SIZE_MAX, SIZE_MAX };
	struct made made;

	translate_insns(&ebpf_jit_x86_64, insns, n, &made);
	for (size_t pc = 0; pc < n; pc++) {
		size_t block = (made.starts[pc + 1] - 1) / BLOCK;

		if (!is_test(&insns[pc]))
			continue;
		pairs += block == before[0];
		ck_assert(block != before[0] || block != before[1]);
		before[1] = before[0];
		before[0] = block;
	}
	ck_assert(_i < 8 || pairs > 0);
	free(made.code);
}
END_TEST

START_TEST(tests_that_are_jumped_to_alone_begin_a_row)
{
	/* all three end in the first block */
	static const struct ebpf_insn insns[] = {
		LDXB(0, 0),
		JNE(0, 1, 2),
		JNE(2, 1, 1),
		{ .code = EBPF_JMP | EBPF_EXIT },
		JNE(1, 1, 1),
		LDXB(0, 1),
		{ .code = EBPF_JMP | EBPF_EXIT },
	};
	struct made made;

	translate_insns(&ebpf_jit_x86_64, insns, N_ELEMS(insns), &made);
	ck_assert_uint_le(made.starts[5], BLOCK);
	/* cmp and jne alone */
	ck_assert_uint_eq(made.starts[5] - made.starts[4], 4 + 2);
	free(made.code);
}
END_TEST

START_TEST(a_search_stays_close)
{
	struct ebpf_insn insns[RANDOM_PROG_MAX];
	size_t n = row_of_tests(insns, 40, false);
	struct made made;

	translate_insns(&ebpf_jit_x86_64, insns, n, &made);
	for (size_t pc = 3; pc + 2 < n; pc++) {
		uint32_t length = made.starts[pc + 1] - made.starts[pc];

		ck_assert_msg(length == 4 + 2 || length == 4 + 6, "test %zu: %u", pc, length);
	}
	free(made.code);
}
END_TEST

/* An instruction that is never twice as long while jumps are set apart. */
static void
restless(struct jit *j, const struct ebpf_insn *insn)
{
	static unsigned turns;

	for (unsigned n = j->spreads ? turns++ % 3 : 0; n > 0; n--)
		jit_byte(&j->b, 0x90);
	ebpf_jit_x86_64.forms[EBPF_FORM_NEG](j, insn);
}

START_TEST(what_never_settles_is_left_as_short_as_it_was)
{
	struct jit_target never = ebpf_jit_x86_64, close = ebpf_jit_x86_64;
	struct ebpf_insn insns[RANDOM_PROG_MAX];
	size_t n = row_of_tests(insns, 40, true);
	struct made a, b, c;

	insns[n - 1] = (struct ebpf_insn){ .code = EBPF_ALU64 | EBPF_NEG };
	insns[n++] = (struct ebpf_insn){ .code = EBPF_JMP | EBPF_EXIT };
	never.forms[EBPF_FORM_NEG] = restless;
	close.spreads = false;
	translate_insns(&never, insns, n, &a);
	translate_insns(&close, insns, n, &b);
	ck_assert_uint_eq(a.n, b.n);
	ck_assert_mem_eq(a.code, b.code, a.n);
	translate_insns(&ebpf_jit_x86_64, insns, n, &c);
	ck_assert_uint_gt(c.n, b.n);
	free(a.code);
	free(b.code);
	free(c.code);
}
END_TEST

START_TEST(turns_of_a_batch_begin_with_a_block)
{
	struct ebpf_insn insns[RANDOM_PROG_MAX];
	struct made made;

	for (size_t n_loads = 1; n_loads < 20; n_loads++) {
		for (size_t i = 0; i < n_loads; i++)
			insns[i] = (struct ebpf_insn)LDXB(0, (int16_t)i);
		insns[n_loads] = (struct ebpf_insn){ .code = EBPF_JMP | EBPF_EXIT };
		translate_insns(&ebpf_jit_x86_64, insns, n_loads + 1, &made);
		/* it ends with a short jump back, and ret */
		ck_assert_uint_eq(made.code[made.n - 3], 0x75);
		ck_assert_uint_eq(made.code[made.n - 1], 0xc3);
		ck_assert_uint_eq((made.n - 1 + (size_t)(int8_t)made.code[made.n - 2]) % BLOCK, 0);
		free(made.code);
	}
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("ebpf/pass");
	TCase *tc = tcase_create("back ends");

	make_targets();
	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, each_form_is_translated);
	tcase_add_test(tc, random_programs_are_translated_whole);
	tcase_add_test(tc, atomics_are_instructions_where_there_are_some);
	suite_add_tcase(s, tc);

	tc = tcase_create("jumps of x86-64");
	tcase_add_loop_test(tc, no_three_tests_in_a_row_end_in_one_block, 0, 100);
	tcase_add_test(tc, tests_that_are_jumped_to_alone_begin_a_row);
	tcase_add_test(tc, a_search_stays_close);
	tcase_add_test(tc, what_never_settles_is_left_as_short_as_it_was);
	tcase_add_test(tc, turns_of_a_batch_begin_with_a_block);
	suite_add_tcase(s, tc);
	return s;
}
