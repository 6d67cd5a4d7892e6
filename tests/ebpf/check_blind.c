/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blinded programs do what the plain ones do, each row by itself and random
 * programs whole, and contain none of their constants.
 */
#include "ebpf/blind.h"

#include "ebpf/check.h"
#include "ebpf/insn.h"
#include "ebpf/jit/jit.h"
#include "tests/ebpf/variants.h"
#include "tests/support/a64.h"
#include "tests/support/random_prog.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define K(c, d, s, o, i)                                                                           \
	((struct ebpf_insn){ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) })
#define MOV_K(d, i) K(EBPF_ALU64 | EBPF_MOV, d, 0, 0, i)
#define EXIT_ K(EBPF_JMP | EBPF_EXIT, 0, 0, 0, 0)

static const struct ebpf_policy always = { .size = sizeof(always),
					   .blinding = EBPF_BLINDING_ALWAYS };

/* ---- the same results ---- */

struct traced {
	uint64_t hash;          /* of slots and registers, those but R10 */
	uint64_t n;
};

static void
trace(void *arg, size_t pc, const uint64_t regs[EBPF_MAX_REG])
{
	struct traced *t = arg;

	t->hash = (t->hash ^ pc) * 0x100000001b3u;
	for (size_t i = 0; i < EBPF_R10; i++)
		t->hash = (t->hash ^ regs[i]) * 0x100000001b3u;
	t->n++;
}

/* What the loader chose comes first: machine code, where there is a back end. */
enum { AS_LOADED, FAST_LABELS, FAST_SWITCH, LEAF_LABELS, LEAF_SWITCH, CHECKED, N_ENGINES };

static const ebpf_run_fn fast[N_ENGINES] = {
	[FAST_LABELS] = interp_labels, [FAST_SWITCH] = interp_switch,
	[LEAF_LABELS] = leaf_labels,   [LEAF_SWITCH] = leaf_switch,
};

struct outcome {
	uint64_t r0;
	uint8_t mem[RANDOM_PROG_MEM];
	struct traced traced;
};

static void
run(struct ebpf_prog *prog, int engine, struct outcome *out)
{
	static _Alignas(8) uint8_t mem[RANDOM_PROG_MEM];
	struct ebpf_run_opts opts = { sizeof(opts), 0, trace, &out->traced };
	struct ebpf_err err = { "" };
	int rc = 0;

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < sizeof(mem); i++)
		mem[i] = (uint8_t)(i * 73 + 1);
	if (engine == CHECKED) {
		rc = ebpf_prog_run_checked(prog, mem, sizeof(mem), &opts, &out->r0, &err);
	} else {
		if (engine == AS_LOADED)
			ck_assert_int_eq(ebpf_prog_runtime(prog),
					 EBPF_HAS_JIT ? EBPF_RUNTIME_JIT : EBPF_RUNTIME_INTERP);
		else
			ck_assert_int_eq(ebpf_prog_set_run(prog, fast[engine]), 0);
		out->r0 = ebpf_prog_run(prog, (uintptr_t)mem, sizeof(mem));
	}
	ck_assert_msg(rc == 0, "%s", err.text);
	memcpy(out->mem, mem, sizeof(mem));
}

static struct ebpf_prog *
load(const struct ebpf_insn *insns, size_t n, const struct ebpf_policy *policy)
{
	struct ebpf_prog *prog;
	struct ebpf_err err;

	ck_assert_msg(ebpf_prog_load_trusted_by(&random_prog_type, insns, n, NULL, policy, &prog,
						&err) == 0, "%s", err.text);
	return prog;
}

static void
compare(const struct ebpf_insn *insns, size_t n, const char *what)
{
	struct ebpf_prog *plain = load(insns, n, NULL), *blinded = load(insns, n, &always);
	size_t n_kept;

	ck_assert_uint_eq(plain->n_insns, n);
	ck_assert_mem_eq(ebpf_prog_insns(blinded, &n_kept), insns, n * sizeof(*insns));
	ck_assert_uint_eq(n_kept, n);
	for (int e = 0; e < N_ENGINES; e++) {
		struct outcome a, b;

		if ((e == LEAF_LABELS || e == LEAF_SWITCH) && !ebpf_is_leaf(insns, n))
			continue;
		run(plain, e, &a);
		run(blinded, e, &b);
		ck_assert_msg(a.r0 == b.r0, "%s: r0 %" PRIx64 ", blinded %" PRIx64, what, a.r0, b.r0);
		ck_assert_msg(memcmp(a.mem, b.mem, sizeof(a.mem)) == 0, "%s: memory differs", what);
		ck_assert_msg(a.traced.n == b.traced.n, "%s: %" PRIu64 " steps, blinded %" PRIu64,
			      what, a.traced.n, b.traced.n);
		ck_assert_msg(a.traced.hash == b.traced.hash, "%s: traces differ", what);
	}
	ebpf_prog_put(blinded);
	ebpf_prog_put(plain);
}

/* One instruction between "registers and memory as they are" and "all registers to memory". */
static size_t
around(struct ebpf_insn *insns, int row, uint64_t *rng)
{
	const struct ebpf_op_desc *d = &ebpf_ops[row];
	uint8_t dst = rng_below(rng, 6) & 0xf, src = rng_below(rng, 6) & 0xf;
	bool loads = d->form == EBPF_FORM_LDX || d->form == EBPF_FORM_LOAD_ACQ;
	bool accesses = ebpf_form_uses[d->form] & EBPF_USES_OFF && EBPF_CLASS(d->code) < EBPF_ALU;
	struct ebpf_insn insn = { .code = d->code };
	size_t n = 0;

	insns[n++] = K(EBPF_ALU64 | EBPF_MOV | EBPF_X, 6, 1, 0, 0);
	for (uint8_t reg = 0; reg < 6; reg++) {
		insns[n++] = K(EBPF_LD | EBPF_IMM | EBPF_DW, reg & 0xf, 0, 0, random_imm(rng));
		insns[n++] = K(0, 0, 0, 0, random_imm(rng));
	}
	insn.dst_reg = ebpf_form_uses[d->form] & EBPF_USES_DST ? dst & 0xf : 0;
	insn.src_reg = ebpf_form_uses[d->form] & EBPF_USES_SRC ? src & 0xf : 0;
	insn.imm = ebpf_form_uses[d->form] & EBPF_USES_IMM ? random_imm(rng) : 0;
	if (accesses) {
		insn.off = (int16_t)(8 * rng_below(rng, 8));
		if (loads)
			insn.src_reg = 6;
		else
			insn.dst_reg = 6;
	} else if (ebpf_form_uses[d->form] & EBPF_USES_OFF) {
		insn.off = 1;
	}
	switch ((enum ebpf_by)d->by) {
	case EBPF_BY_OFF: insn.off = (int16_t)d->val; break;
	case EBPF_BY_SRC: insn.src_reg = d->val & 0xf; break;
	case EBPF_BY_IMM: insn.imm = d->val; break;
	case EBPF_BY_NONE: break;
	}
	if (row == EBPF_OP_CALL)
		insn.imm = 7;
	if (row == EBPF_OP_JA32)
		insn.imm = 1;
	if (row == EBPF_OP_CALL_LOCAL)
		insn.imm = 8;   /* behind the stores and the exit */
	insns[n++] = insn;
	if (d->form == EBPF_FORM_LDDW)
		insns[n++] = K(0, 0, 0, 0, random_imm(rng));
	insns[n++] = K(EBPF_ALU64 | EBPF_ADD, 0, 0, 0, 1);      /* not where it jumps */
	for (uint8_t reg = 0; reg < 6; reg++)
		insns[n++] = K(EBPF_STX | EBPF_MEM | EBPF_DW, 6, reg & 0xf,
			       (int16_t)(RANDOM_PROG_MEM / 2 + 8 * reg), 0);
	insns[n++] = EXIT_;
	if (row == EBPF_OP_CALL_LOCAL) {
		insns[n++] = MOV_K(0, 7);
		insns[n++] = EXIT_;
	}
	return n;
}

START_TEST(each_row_does_the_same_blinded)
{
	uint64_t rng = suite_seed(0xb11d), n_each = suite_scaled(100);

	for (int row = 0; row < EBPF_N_OPS; row++) {
		const struct ebpf_op_desc *d = &ebpf_ops[row];

		/* Those that the loader refuses. */
		if (d->form == EBPF_FORM_LDABS || d->form == EBPF_FORM_LDIND ||
		    (d->form == EBPF_FORM_LDDW && row != EBPF_OP_LDDW))
			continue;
		for (uint64_t i = 0; i < n_each; i++) {
			struct ebpf_insn insns[32];

			compare(insns, around(insns, row, &rng), d->name);
		}
	}
}
END_TEST

START_TEST(random_programs_do_the_same_blinded)
{
	static struct random_prog p;
	uint64_t rng = suite_seed(0xb11e), n_programs = suite_scaled(2000);

	for (uint64_t i = 0; i < n_programs; i++) {
		random_prog(&p, 40, &rng);
		compare(p.insns, p.n, "random program");
	}
}
END_TEST

/* Conditional jumps and gotos over most of a program, forward and back: 20,000 slots each. */
START_TEST(jumps_too_long_when_blinded_go_by_gotol)
{
	enum { BODY = 20000, N = BODY + 20 };
	struct ebpf_insn *insns = calloc(N, sizeof(*insns));
	size_t n = 0, head;

	insns[n++] = K(EBPF_ALU64 | EBPF_MOV | EBPF_X, 6, 1, 0, 0);
	for (uint8_t reg = 0; reg < 6; reg++)
		insns[n++] = MOV_K(reg & 0xf, reg);
	head = n;
	insns[n++] = K(EBPF_JMP | EBPF_JGT, 1, 0, BODY, 0x12345); /* taken the second time */
	while (n < head + BODY)
		insns[n++] = K(EBPF_ALU64 | EBPF_ADD, 1, 0, 0, 0x10001);
	insns[n] = K(EBPF_JMP | EBPF_JA, 0, 0, (int16_t)((int64_t)head - (int64_t)n - 1), 0);
	n++;
	insns[n++] = K(EBPF_ALU64 | EBPF_MOV | EBPF_X, 0, 1, 0, 0);
	insns[n++] = EXIT_;
	compare(insns, n, "far jumps");
	free(insns);
}
END_TEST

/* ---- what the stream contains ---- */

static bool
is_blinded_away(const struct ebpf_insn *insn)
{
	int row = ebpf_op_of(insn);
	int op = insn->code & 0xf0;

	switch (row < 0 ? EBPF_FORM_EXIT : (enum ebpf_form)ebpf_ops[row].form) {
	case EBPF_FORM_ALU_K:
		return op != EBPF_LSH && op != EBPF_RSH && op != EBPF_ARSH;
	case EBPF_FORM_JMP_K:
	case EBPF_FORM_ST:
		return true;
	case EBPF_FORM_LDDW:
		return row == EBPF_OP_LDDW;
	default:
		return false;
	}
}

/* Constants of 2^16 and more that random numbers hit once in 2^32. */
static size_t
collect(const struct random_prog *p, uint32_t *constants)
{
	size_t n = 0;

	for (size_t pc = 0; pc < p->n; pc++) {
		bool is_wide = ebpf_code_is_wide(p->insns[pc].code);

		if (is_blinded_away(&p->insns[pc])) {
			constants[n++] = (uint32_t)p->insns[pc].imm;
			if (is_wide)
				constants[n++] = (uint32_t)p->insns[pc + 1].imm;
		}
		pc += is_wide;
	}
	return n;
}

static bool
contains(const void *code, size_t n, uint32_t constant)
{
	const uint8_t *bytes = code;
	uint8_t forms[2][4];

	for (int i = 0; i < 4; i++)
		forms[0][i] = forms[1][3 - i] = (uint8_t)(constant >> 8 * i);
	for (size_t at = 0; at + 4 <= n; at++) {
		if (memcmp(bytes + at, forms[0], 4) == 0 || memcmp(bytes + at, forms[1], 4) == 0)
			return true;
	}
	return false;
}

/* The same where constants are parts of words: as half of one, or less than nothing. */
static bool
a64_contains(const struct ebpf_jit_text *jit, uint32_t constant)
{
	struct a64_moves moves = { { 0 } };

	for (size_t at = 0; at + 4 <= jit->n; at += 4) {
		uint32_t word;
		uint64_t v;

		memcpy(&word, jit->code + at, sizeof(word));
		if (a64_constant(&moves, word, &v) &&
		    ((uint32_t)v == constant || v >> 32 == constant || 0 - (uint32_t)v == constant))
			return true;
	}
	return false;
}

static bool
code_contains(const struct ebpf_prog *prog, uint32_t constant)
{
	const struct jit_target *target = EBPF_JIT_TARGET;
	const struct ebpf_jit_text *jit = prog->aux->jit;

	if (jit == NULL)
		return false;
	return contains(jit->code, jit->n, constant) ||
	       (target == &ebpf_jit_aarch64 && a64_contains(jit, constant));
}

/* In what runs: instructions, and machine code made of them. */
static bool
runs_with(const struct ebpf_prog *prog, uint32_t constant)
{
	return contains(ebpf_prog_running(prog), prog->n_insns * sizeof(struct ebpf_insn),
			constant) ||
	       code_contains(prog, constant);
}

static bool
is_always_there(const struct random_prog *p, uint32_t constant)
{
	for (int tries = 0; tries < 3; tries++) {
		struct ebpf_prog *prog = load(p->insns, p->n, &always);
		bool found = runs_with(prog, constant);

		ebpf_prog_put(prog);
		if (!found)
			return false;
	}
	return true;
}

/*
 * By chance a random number is a constant: then it is not the next time.  And
 * instructions have bytes, which a constant may have too: then they are there
 * without it.
 */
static bool
leaks(const struct random_prog *p, uint32_t constant)
{
	static struct random_prog without;

	if (!is_always_there(p, constant))
		return false;
	without = *p;
	for (size_t pc = 0; pc < without.n; pc++) {
		if ((uint32_t)without.insns[pc].imm == constant)
			without.insns[pc].imm ^= 0x5a3c;
	}
	return !is_always_there(&without, constant);
}

/* What stays is not searched for: shift counts, distances, numbers of helpers. */
static void
clear_what_stays(struct random_prog *p)
{
	for (size_t pc = 0; pc < p->n; pc++) {
		int row = ebpf_op_of(&p->insns[pc]);

		if (row >= 0 && ebpf_ops[row].form == EBPF_FORM_ALU_K &&
		    !is_blinded_away(&p->insns[pc]))
			p->insns[pc].imm &= 63;
		pc += ebpf_code_is_wide(p->insns[pc].code);
	}
}

START_TEST(no_constant_is_left_at_any_byte)
{
	static struct random_prog p;
	static uint32_t constants[2 * RANDOM_PROG_MAX];
	uint64_t rng = suite_seed(0xb11f), n_programs = suite_scaled(300), n_searched = 0;
	uint64_t n_in_code = 0;

	for (uint64_t i = 0; i < n_programs; i++) {
		struct ebpf_prog *plain, *blinded;
		size_t n;

		random_prog(&p, 20, &rng);
		clear_what_stays(&p);
		n = collect(&p, constants);
		plain = load(p.insns, p.n, NULL);
		blinded = load(p.insns, p.n, &always);
		ck_assert_ptr_null(plain->aux->text.insns);
		for (size_t c = 0; c < n; c++) {
			uint32_t v = constants[c];

			if (v < 1 << 16)
				continue;
			n_searched++;
			ck_assert_msg(runs_with(plain, v), "search is blind for %x", v);
			n_in_code += code_contains(plain, v);
			/*
			 * Of the bytes of small numbers, of either sign as distances are, and
			 * of the sign every program has some.
			 */
			if (v >= 0xffffff00u || (v & 0xffffffu) == 0xffffffu || v == 1 << 16 ||
			    v == 1u << 31 || v == 0xffff8000u || (v >> 24 == 0 && v << 16 == 0))
				continue;
			ck_assert_msg(!runs_with(blinded, v) || !leaks(&p, v), "%x is left", v);
		}
		ebpf_prog_put(blinded);
		ebpf_prog_put(plain);
	}
	ck_assert_uint_gt(n_searched, n_programs * 10);
	/*
	 * What nothing leads to, as functions that nobody calls, is not made; the rest has
	 * them.  How much that is a few programs do not tell.
	 */
	ck_assert(!EBPF_HAS_JIT || n_programs < 100 || n_in_code > n_searched / 10 * 4);
}
END_TEST

START_TEST(each_blinding_is_another)
{
	struct ebpf_insn insns[] = { MOV_K(0, 0x12345678), EXIT_ };
	struct ebpf_prog *a = load(insns, 2, &always), *b = load(insns, 2, &always);

	ck_assert_uint_eq(a->n_insns, 4);
	ck_assert_uint_eq(b->n_insns, 4);
	ck_assert_int_ne(a->aux->text.insns[1].imm, b->aux->text.insns[1].imm);
	ebpf_prog_put(a);
	ebpf_prog_put(b);
}
END_TEST

/* ---- the policy ---- */

START_TEST(the_policy_says_which_programs_are_blinded)
{
	struct ebpf_insn insns[] = { MOV_K(0, 0x12345678), EXIT_ };

	for (int mode = EBPF_BLINDING_OFF; mode <= EBPF_BLINDING_ALWAYS; mode++) {
		struct ebpf_policy policy = { .size = sizeof(policy),
					      .blinding = (enum ebpf_blinding)mode };
		struct ebpf_prog *ours = load(insns, 2, &policy), *theirs;
		uint64_t r0;

		ck_assert_int_eq(ebpf_prog_load_by(ebpf_prog_type_raw(), insns, 2, &policy, &theirs,
						   NULL), 0);
		ck_assert_int_eq(ours->n_insns == 4, mode == EBPF_BLINDING_ALWAYS);
		ck_assert_int_eq(theirs->n_insns == 4, mode != EBPF_BLINDING_OFF);
		ck_assert_int_eq(ebpf_prog_run_checked(theirs, NULL, 0, NULL, &r0, NULL), 0);
		ck_assert_uint_eq(r0, 0x12345678);
		ebpf_prog_put(ours);
		ebpf_prog_put(theirs);
	}
}
END_TEST

START_TEST(messages_name_the_instructions_that_were_loaded)
{
	struct ebpf_insn insns[] = {
		MOV_K(0, 1), MOV_K(2, 77777), K(EBPF_LDX | EBPF_MEM | EBPF_B, 0, 2, 0, 0), EXIT_,
	};
	struct ebpf_insn itself[] = { MOV_K(0, 1), K(EBPF_JMP | EBPF_JEQ, 0, 0, -1, 1), EXIT_ };
	struct ebpf_insn endless[] = { MOV_K(0, 1), K(EBPF_JMP | EBPF_JEQ, 0, 0, -2, 1), EXIT_ };
	struct ebpf_insn wild[] = { K(EBPF_JMP | EBPF_JA, 0, 0, 5, 0), EXIT_ };
	struct traced traced = { 0, 0 };
	struct ebpf_run_opts opts = { sizeof(opts), 7, trace, &traced };
	struct ebpf_prog *prog;
	struct ebpf_err err;
	uint64_t r0 = 3;

	ck_assert_int_eq(ebpf_prog_load_by(ebpf_prog_type_raw(), insns, N_ELEMS(insns), &always,
					   &prog, NULL), 0);
	ck_assert_int_eq(ebpf_prog_run_checked(prog, NULL, 0, NULL, &r0, &err), -EFAULT);
	ck_assert_str_eq(err.text,
			 "insn 2: 1 bytes at address 0x12fd1, outside memory, stack and maps");
	ebpf_prog_put(prog);
	ck_assert_int_eq(ebpf_prog_load_by(ebpf_prog_type_raw(), endless, 3, &always, &prog, NULL),
			 0);
	ck_assert_int_eq(ebpf_prog_run_checked(prog, NULL, 0, &opts, &r0, &err), -ELOOP);
	ck_assert_str_eq(err.text, "insn 1: still running after 7 instructions");
	ck_assert_uint_eq(r0, 3);
	ck_assert_uint_eq(traced.n, 7);
	ebpf_prog_put(prog);
	ck_assert_int_eq(ebpf_prog_load_by(ebpf_prog_type_raw(), itself, 3, &always, &prog, NULL),
			 0);
	ck_assert_int_eq(ebpf_prog_run_checked(prog, NULL, 0, &opts, &r0, NULL), -ELOOP);
	ck_assert_uint_eq(traced.n, 14);
	ebpf_prog_put(prog);
	prog = NULL;
	ck_assert_int_eq(ebpf_prog_load_by(ebpf_prog_type_raw(), wild, 2, &always, &prog, &err),
			 -EINVAL);
	ck_assert_str_eq(err.text, "insn 0: jump to 6, but the program has 2");
	ck_assert_ptr_null(prog);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("ebpf/blind");
	TCase *tc = tcase_create("blinding");

	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, each_row_does_the_same_blinded);
	tcase_add_test(tc, random_programs_do_the_same_blinded);
	tcase_add_test(tc, jumps_too_long_when_blinded_go_by_gotol);
	tcase_add_test(tc, no_constant_is_left_at_any_byte);
	tcase_add_test(tc, each_blinding_is_another);
	tcase_add_test(tc, the_policy_says_which_programs_are_blinded);
	tcase_add_test(tc, messages_name_the_instructions_that_were_loaded);
	suite_add_tcase(s, tc);
	return s;
}
