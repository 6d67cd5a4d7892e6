/* SPDX-License-Identifier: BSD-2-Clause */
/* Rewritten programs: where jumps lead, what is refused, and that they still do the same. */
#include "ebpf/patch.h"

#include "ebpf/insn.h"
#include "tests/support/random_prog.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define K(c, d, s, o, i) { .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) }
#define MOV(d, i) K(EBPF_ALU64 | EBPF_MOV, d, 0, 0, i)
#define EXIT_ K(EBPF_JMP | EBPF_EXIT, 0, 0, 0, 0)
#define JA(o) K(EBPF_JMP | EBPF_JA, 0, 0, o, 0)
#define JA32(i) K(EBPF_JMP32 | EBPF_JA, 0, 0, 0, i)
#define JEQ(o) K(EBPF_JMP | EBPF_JEQ, 1, 0, o, 7)
#define MAY_GOTO(o) K(EBPF_JMP | EBPF_JCOND, 0, 0, o, 0)
#define CALL(i) K(EBPF_JMP | EBPF_CALL, 0, 1, 0, i)
#define FUNC(i) K(EBPF_LD | EBPF_IMM | EBPF_DW, 1, 4, 0, i)
#define LDDW_ K(EBPF_LD | EBPF_IMM | EBPF_DW, 1, 0, 0, 1)
#define ZERO K(0, 0, 0, 0, 0)
#define NOP JA(0)

static const struct ebpf_insn nops[] = { NOP, NOP, NOP, NOP, NOP, NOP, NOP, NOP };

/* ---- one edit at a time ---- */

static const struct {
	struct ebpf_insn before[8];
	size_t n_before;
	struct ebpf_edit edit;
	struct ebpf_insn after[12];
	size_t n_after;
	uint32_t origin[12];
} edited[] = {
	/* inserted before a jump's target: it goes to what was inserted */
	{ { JA(1), MOV(0, 1), EXIT_ }, 3, { .at = 2, .n_new = 1, .insns = nops },
	  { JA(1), MOV(0, 1), NOP, EXIT_ }, 4, { 0, 1, 2, 2 } },
	/* between a jump and its target, both ways */
	{ { JA(1), MOV(0, 1), JEQ(-3), EXIT_ }, 4, { .at = 1, .n_new = 2, .insns = nops },
	  { JA(3), NOP, NOP, MOV(0, 1), JEQ(-5), EXIT_ }, 6, { 0, 1, 1, 1, 2, 3 } },
	/* before a backward jump's target, and behind the jump: nothing between */
	{ { MOV(0, 1), JEQ(-2), EXIT_ }, 3, { .at = 2, .n_new = 3, .insns = nops },
	  { MOV(0, 1), JEQ(-2), NOP, NOP, NOP, EXIT_ }, 6, { 0, 1, 2, 2, 2, 2 } },
	/* all that has a displacement */
	{ { MAY_GOTO(2), JA32(1), CALL(1), EXIT_, FUNC(-2), ZERO, EXIT_ }, 7,
	  { .at = 3, .n_new = 1, .insns = nops },
	  { MAY_GOTO(2), JA32(1), CALL(2), NOP, EXIT_, FUNC(-3), ZERO, EXIT_ }, 8,
	  { 0, 1, 2, 3, 3, 4, 5, 6 } },
	{ { FUNC(3), ZERO, CALL(2), JA32(0), EXIT_, MOV(0, 1), EXIT_ }, 7,
	  { .at = 4, .n_new = 2, .insns = nops },
	  { FUNC(3), ZERO, CALL(4), JA32(0), NOP, NOP, EXIT_, MOV(0, 1), EXIT_ }, 9,
	  { 0, 1, 2, 3, 4, 4, 4, 5, 6 } },
	/* a wide instruction becomes one slot, and one slot a wide instruction */
	{ { JA(2), LDDW_, ZERO, EXIT_ }, 4, { .at = 1, .n_old = 2, .n_new = 1, .insns = nops },
	  { JA(1), NOP, EXIT_ }, 3, { 0, 1, 3 } },
	/* removed: who went there goes on to what follows */
	{ { JA(1), MOV(0, 1), MOV(0, 2), MOV(0, 3), EXIT_ }, 5, { .at = 2, .n_old = 2 },
	  { JA(1), MOV(0, 1), EXIT_ }, 3, { 0, 1, 4 } },
	{ { JA(2), MOV(0, 1), MOV(0, 2), MOV(0, 3), EXIT_ }, 5, { .at = 2, .n_old = 2 },
	  { JA(1), MOV(0, 1), EXIT_ }, 3, { 0, 1, 4 } },
	/* a jump replaced by more, of which the last goes where it went */
	{ { MOV(0, 1), JEQ(-2), EXIT_ }, 3,
	  { .at = 1, .n_old = 1, .n_new = 3, .takes_jump = true,
	    .insns = (const struct ebpf_insn[]){ MOV(2, 0), MOV(2, 1), JEQ(-2) } },
	  { MOV(0, 1), MOV(2, 0), MOV(2, 1), JEQ(-4), EXIT_ }, 5, { 0, 1, 1, 1, 2 } },
	/* at the end */
	{ { MOV(0, 1), EXIT_ }, 2, { .at = 2, .n_new = 1, .insns = nops },
	  { MOV(0, 1), EXIT_, NOP }, 3, { 0, 1, 1 } },
};

START_TEST(an_edit_keeps_every_jump)
{
	struct ebpf_text text;
	struct ebpf_err err = { "" };

	ck_assert_int_eq(ebpf_text_init(&text, edited[_i].before, edited[_i].n_before, NULL), 0);
	ck_assert_msg(ebpf_patch(&text, &edited[_i].edit, 1, &err) == 0, "%s", err.text);
	ck_assert_uint_eq(text.n, edited[_i].n_after);
	ck_assert_mem_eq(text.insns, edited[_i].after, text.n * sizeof(*text.insns));
	ck_assert_mem_eq(text.origin, edited[_i].origin, text.n * sizeof(*text.origin));
	ebpf_text_destroy(&text);
}
END_TEST

START_TEST(patch_insn_replaces_one_slot_or_two)
{
	static const struct ebpf_insn before[] = { LDDW_, ZERO, MOV(0, 1), EXIT_ };
	struct ebpf_text text;

	ck_assert_int_eq(ebpf_text_init(&text, before, N_ELEMS(before), NULL), 0);
	ck_assert_int_eq(ebpf_patch_insn(&text, 2, nops, 2, NULL), 0);
	ck_assert_int_eq(ebpf_patch_insn(&text, 0, nops, 1, NULL), 0);
	ck_assert_uint_eq(text.n, 4);
	ck_assert_mem_eq(text.insns, nops, 3 * sizeof(nops[0]));
	ck_assert_uint_eq(text.origin[0], 0);
	ck_assert_uint_eq(text.origin[2], 2);
	ebpf_text_destroy(&text);
}
END_TEST

/* ---- refusals ---- */

static const struct {
	struct ebpf_insn insns[5];
	size_t n;
	struct ebpf_edit edits[2];
	size_t n_edits;
	const char *err;
} refused[] = {
	{ { LDDW_, ZERO, EXIT_ }, 3, { { .at = 1, .n_new = 1, .insns = nops } }, 1,
	  "edit of 0 slots at 1: splits an instruction" },
	{ { LDDW_, ZERO, EXIT_ }, 3, { { .at = 0, .n_old = 1 } }, 1,
	  "edit of 1 slots at 0: splits an instruction" },
	{ { EXIT_ }, 1, { { .at = 0, .n_old = 2 } }, 1,
	  "edit of 2 slots at 0: out of order, or past the end" },
	{ { EXIT_ }, 1, { { .at = 2 } }, 1, "edit of 0 slots at 2: out of order, or past the end" },
	{ { NOP, EXIT_ }, 2, { { .at = 1 }, { .at = 0 } }, 2,
	  "edit of 0 slots at 0: out of order, or past the end" },
	{ { NOP, NOP, EXIT_ }, 3, { { .at = 0, .n_old = 2 }, { .at = 1 } }, 2,
	  "edit of 0 slots at 1: out of order, or past the end" },
	{ { EXIT_ }, 1, { { .at = 0, .n_old = 1 } }, 1, "edits leave no instruction" },
	{ { JA(7), EXIT_ }, 2, { { .at = 0 } }, 1, "insn 0: jump to 8, but the program has 2" },
	{ { JA(-2), EXIT_ }, 2, { { .at = 0 } }, 1, "insn 0: jump to -1, but the program has 2" },
	{ { JA(1), LDDW_, ZERO, EXIT_ }, 4, { { .at = 0 } }, 1,
	  "insn 0: jump to 2, the second half of an instruction" },
	{ { JA(1), NOP, NOP, EXIT_ }, 4, { { .at = 1, .n_old = 2, .n_new = 1, .insns = nops } }, 1,
	  "insn 0: jump to 2, inside of what is replaced" },
	{ { EXIT_ }, 1, { { .at = 0, .n_new = UINT32_MAX, .insns = nops } }, 1,
	  "program of 1 slots grows past 8000000" },
};

START_TEST(a_refused_edit_changes_nothing)
{
	struct ebpf_text text;
	struct ebpf_err err = { "" };
	int rc = strstr(refused[_i].err, "grows") != NULL ? -E2BIG : -EINVAL;

	ck_assert_int_eq(ebpf_text_init(&text, refused[_i].insns, refused[_i].n, NULL), 0);
	ck_assert_int_eq(ebpf_patch(&text, refused[_i].edits, refused[_i].n_edits, &err), rc);
	ck_assert_str_eq(err.text, refused[_i].err);
	ck_assert_uint_eq(text.n, refused[_i].n);
	ck_assert_mem_eq(text.insns, refused[_i].insns, text.n * sizeof(*text.insns));
	ebpf_text_destroy(&text);
}
END_TEST

/* A jump at the limit, and what lies between grows by one: forward, and backward. */
START_TEST(a_jump_that_no_longer_fits_is_found_before_anything_changes)
{
	enum { N = INT16_MAX + 3 };
	struct ebpf_insn *insns = calloc(N, sizeof(*insns));
	struct ebpf_edit e = { .at = N / 2, .n_new = 1, .insns = nops };
	struct ebpf_text text;
	struct ebpf_err err;

	for (size_t i = 0; i < N; i++)
		insns[i] = nops[0];
	insns[N - 1] = (struct ebpf_insn)EXIT_;
	insns[_i == 0 ? 1 : N - 1] = nops[0];
	insns[_i == 0 ? 1 : N - 1].off = _i == 0 ? INT16_MAX : INT16_MIN;
	ck_assert_int_eq(ebpf_text_init(&text, insns, N, NULL), 0);
	ck_assert_int_eq(ebpf_patch(&text, &e, 1, &err), -ERANGE);
	ck_assert_str_eq(err.text, _i == 0 ? "insn 1: jump of 32768 slots, limit is 32767"
					   : "insn 32769: jump of -32769 slots, limit is 32767");
	ck_assert_uint_eq(text.n, N);
	ck_assert_mem_eq(text.insns, insns, N * sizeof(*insns));
	/* The same from gotol has no such limit. */
	text.insns[_i == 0 ? 1 : N - 1] = (struct ebpf_insn)JA32(_i == 0 ? INT16_MAX : INT16_MIN);
	ck_assert_int_eq(ebpf_patch(&text, &e, 1, &err), 0);
	ck_assert_int_eq(text.insns[_i == 0 ? 1 : N].imm, _i == 0 ? 32768 : -32769);
	ebpf_text_destroy(&text);
	free(insns);
}
END_TEST

/* ---- random programs ---- */

struct outcome {
	uint64_t r0;
	uint8_t mem[RANDOM_PROG_MEM];
};

static void
run(const struct ebpf_insn *insns, size_t n, struct outcome *out)
{
	static _Alignas(8) uint8_t mem[RANDOM_PROG_MEM];
	struct ebpf_prog *prog;
	struct ebpf_err err;

	for (size_t i = 0; i < sizeof(mem); i++)
		mem[i] = (uint8_t)(i * 37);
	ck_assert_msg(ebpf_prog_load_trusted(&random_prog_type, insns, n, NULL, &prog, &err) == 0,
		      "%s", err.text);
	out->r0 = ebpf_prog_run(prog, (uintptr_t)mem, sizeof(mem));
	memcpy(out->mem, mem, sizeof(mem));
	ebpf_prog_put(prog);
}

/* Runs of nothing at random places, between instructions. */
static size_t
insertions(const struct random_prog *p, struct ebpf_edit *edits, uint64_t *rng)
{
	uint32_t often = 1 + rng_below(rng, 20);
	size_t n = 0;

	for (size_t pc = 0; pc < p->n; pc++) {
		if (rng_below(rng, often) == 0)
			edits[n++] = (struct ebpf_edit){ .at = (uint32_t)pc,
							 .n_new = 1 + rng_below(rng, N_ELEMS(nops)),
							 .insns = nops };
		pc += ebpf_code_is_wide(p->insns[pc].code);
	}
	return n;
}

/* The edits that take the insertions out again. */
static void
invert(struct ebpf_edit *edits, size_t n)
{
	uint32_t grown = 0;

	for (size_t i = 0; i < n; i++) {
		edits[i].at += grown;
		grown += edits[i].n_new;
		edits[i].n_old = edits[i].n_new;
		edits[i].n_new = 0;
	}
}

START_TEST(insertions_that_do_nothing_change_nothing_and_come_out_again)
{
	static struct ebpf_edit edits[RANDOM_PROG_MAX];
	static struct random_prog p;
	uint64_t rng = suite_seed(0x9a7c), n_programs = suite_scaled(3000);

	for (uint64_t i = 0; i < n_programs; i++) {
		struct outcome plain, patched;
		struct ebpf_text text;
		size_t n_edits;

		random_prog(&p, 40, &rng);
		run(p.insns, p.n, &plain);
		n_edits = insertions(&p, edits, &rng);
		ck_assert_int_eq(ebpf_text_init(&text, p.insns, p.n, NULL), 0);
		ck_assert_int_eq(ebpf_patch(&text, edits, n_edits, NULL), 0);
		run(text.insns, text.n, &patched);
		ck_assert_uint_eq(plain.r0, patched.r0);
		ck_assert_mem_eq(plain.mem, patched.mem, sizeof(plain.mem));
		for (uint32_t pc = 0; pc < text.n; pc++)
			ck_assert_uint_lt(text.origin[pc], p.n);
		/* Removed one place at a time or all at once: as if never there. */
		invert(edits, n_edits);
		for (size_t e = n_edits; e-- > 0 && i % 2 == 0;)
			ck_assert_int_eq(ebpf_patch(&text, &edits[e], 1, NULL), 0);
		if (i % 2 != 0)
			ck_assert_int_eq(ebpf_patch(&text, edits, n_edits, NULL), 0);
		ck_assert_uint_eq(text.n, p.n);
		ck_assert_mem_eq(text.insns, p.insns, p.n * sizeof(*p.insns));
		for (uint32_t pc = 0; pc < text.n; pc++)
			ck_assert_uint_eq(text.origin[pc], pc);
		ebpf_text_destroy(&text);
	}
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("ebpf/patch");
	TCase *tc = tcase_create("edits");

	tcase_add_loop_test(tc, an_edit_keeps_every_jump, 0, N_ELEMS(edited));
	tcase_add_test(tc, patch_insn_replaces_one_slot_or_two);
	tcase_add_loop_test(tc, a_refused_edit_changes_nothing, 0, N_ELEMS(refused));
	tcase_add_loop_test(tc, a_jump_that_no_longer_fits_is_found_before_anything_changes, 0, 2);
	suite_add_tcase(s, tc);
	tc = tcase_create("random programs");
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, insertions_that_do_nothing_change_nothing_and_come_out_again);
	suite_add_tcase(s, tc);
	return s;
}
