/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Machine code against the interpreter, with all registers seen at the end; and
 * the memory that it is executed in.  What single instructions do is tested in
 * check_interp, what helpers, tail calls and replaced functions do in
 * check_link and check_extend, which run what the loader makes.
 */
#include "ebpf/insn.h"
#include "ebpf/jit/jit.h"
#include "ebpf/jit/pass.h"
#include "tests/support/random_prog.h"
#include "tests/support/suite.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if EBPF_HAS_JIT

#define MOV_K(d, i) { .code = EBPF_ALU64 | EBPF_MOV, .dst_reg = (d), .imm = (i) }
#define EXIT_ { .code = EBPF_JMP | EBPF_EXIT }

static const struct ebpf_insn seven[] = { MOV_K(0, 7), EXIT_ };

static struct ebpf_prog *
load(const struct ebpf_insn *insns, size_t n, enum ebpf_jit jit, enum ebpf_blinding blinding)
{
	struct ebpf_policy policy = { .size = sizeof(policy), .jit = jit, .blinding = blinding };
	struct ebpf_prog *prog;
	struct ebpf_err err;

	ck_assert_msg(ebpf_prog_load_trusted_by(&random_prog_type, insns, n, NULL, &policy, &prog,
						&err) == 0, "%s", err.text);
	return prog;
}

static struct ebpf_prog *
must_jit(const struct ebpf_insn *insns, size_t n)
{
	struct ebpf_prog *prog = load(insns, n, EBPF_JIT_REQUIRED, EBPF_BLINDING_OFF);

	ck_assert_int_eq(ebpf_prog_runtime(prog), EBPF_RUNTIME_JIT);
	return prog;
}

/* ---- it does what the interpreter does ---- */

struct outcome {
	uint64_t r0;
	uint8_t mem[RANDOM_PROG_MEM];
};

static void
run(const struct ebpf_prog *prog, uint64_t seed, struct outcome *out)
{
	static _Alignas(8) uint8_t mem[RANDOM_PROG_MEM];

	for (size_t i = 0; i < sizeof(mem); i += 8) {
		uint64_t v = rng_next(&seed) >> rng_below(&seed, 64);

		memcpy(mem + i, &v, sizeof(v));
	}
	out->r0 = ebpf_prog_run(prog, (uintptr_t)mem, sizeof(mem));
	memcpy(out->mem, mem, sizeof(mem));
}

/* Each assertion is written down: one for each pair would take longer than the runs. */
static void
differs(const struct outcome *a, const struct outcome *b, uint64_t program, int input)
{
	size_t at = 0;

	ck_assert_msg(a->r0 == b->r0, "program %" PRIu64 ", input %d: r0 %" PRIx64
		      ", interpreter %" PRIx64, program, input, a->r0, b->r0);
	while (a->mem[at] == b->mem[at])
		at++;
	ck_abort_msg("program %" PRIu64 ", input %d: byte %zu is %02x, interpreter %02x", program,
		     input, at, a->mem[at], b->mem[at]);
}

enum { INPUTS = 50 };

/* i: the program's number. */
static void
compare_programs(const struct ebpf_prog *jit, const struct ebpf_prog *interp, uint64_t i,
		 uint64_t *rng)
{
	ck_assert_int_eq(ebpf_prog_runtime(interp), EBPF_RUNTIME_INTERP);
	for (int k = 0; k < INPUTS; k++) {
		uint64_t seed = rng_next(rng);
		struct outcome a, b;

		run(jit, seed, &a);
		run(interp, seed, &b);
		if (a.r0 != b.r0 || memcmp(a.mem, b.mem, sizeof(a.mem)) != 0)
			differs(&a, &b, i, k);
	}
}

/* Programs end by storing their registers. */
START_TEST(all_registers_are_those_of_the_interpreter)
{
	static struct random_prog p;
	uint64_t rng = suite_seed(0x717), n_programs = suite_scaled(4000);

	for (uint64_t i = 0; i < n_programs; i++) {
		struct ebpf_prog *jit, *interp;

		random_prog(&p, 10 + rng_below(&rng, 60), &rng);
		jit = must_jit(p.insns, p.n);
		interp = load(p.insns, p.n, EBPF_JIT_OFF, EBPF_BLINDING_OFF);
		compare_programs(jit, interp, i, &rng);
		ebpf_prog_put(interp);
		ebpf_prog_put(jit);
	}
	suite_pairs(n_programs * INPUTS);
}
END_TEST

/* NULL: the verifier refuses it. */
static struct ebpf_prog *
load_verified(const struct random_prog *p, enum ebpf_jit jit, enum ebpf_blinding blinding)
{
	struct ebpf_policy policy = { .size = sizeof(policy), .jit = jit, .blinding = blinding };
	struct ebpf_load_opts opts = { .size = sizeof(opts), .policy = &policy,
				       .verify = EBPF_VERIFY_NO_LEAKS,
				       .mem_size = RANDOM_PROG_MEM };
	struct ebpf_prog *prog;

	return ebpf_prog_load_opts(&random_prog_type, p->insns, p->n, &opts, &prog, NULL) == 0
		       ? prog
		       : NULL;
}

/*
 * Of those programs the ones that a user could load: about one in eight, the others
 * have slots that nothing reaches, or shift by more than the width.
 */
START_TEST(verified_programs_end_with_the_registers_of_the_interpreter)
{
	static struct random_prog p;
	uint64_t rng = suite_seed(0x7e41f), n_programs = suite_scaled(2000), n_refused = 0;

	for (uint64_t i = 0; i < n_programs;) {
		struct ebpf_prog *jit, *interp;

		random_prog(&p, 2 + rng_below(&rng, 40), &rng);
		if ((jit = load_verified(&p, EBPF_JIT_REQUIRED,
					 i % 8 == 0 ? EBPF_BLINDING_ALWAYS : EBPF_BLINDING_OFF)) ==
		    NULL) {
			n_refused++;
			continue;
		}
		interp = load_verified(&p, EBPF_JIT_OFF, EBPF_BLINDING_OFF);
		ck_assert_ptr_nonnull(interp);
		ck_assert_int_eq(ebpf_prog_runtime(jit), EBPF_RUNTIME_JIT);
		compare_programs(jit, interp, i, &rng);
		ebpf_prog_put(interp);
		ebpf_prog_put(jit);
		i++;
	}
	ck_assert_uint_lt(n_refused, 30 * (n_programs + 10));
	suite_pairs(n_programs * INPUTS);
}
END_TEST

/* ---- tests that end the program ---- */

/* What both ways return: a bit and nothing, or not. */
static const int32_t returned[][2] = {
	{ 0, 1 }, { 1, 0 }, { 0, 0x40000 }, { 0x40000, 0 }, { 5, 9 }, { 0, INT32_MIN },
	{ 3, 0 }, { 0, 0 }, { -1, 0 },
};

/* Numbers at which comparisons of some width turn. */
static uint64_t
near_a_bound(uint64_t *rng)
{
	static const uint64_t bounds[] = { 0, 0x7f, 0xff, 0x7fff, 0xffff, INT32_MAX, UINT32_MAX,
					   INT64_MAX, UINT64_MAX };

	return bounds[rng_below(rng, N_ELEMS(bounds))] + rng_below(rng, 3) - 1;
}

/* R0 = condition(size bytes at R1, in a register, imm) ? one : other; sometimes jumped into. */
static size_t
ending_program(struct ebpf_insn *p, uint64_t *rng)
{
	static const uint8_t ops[] = { EBPF_JEQ, EBPF_JNE, EBPF_JGT, EBPF_JGE, EBPF_JLT, EBPF_JLE,
				       EBPF_JSGT, EBPF_JSGE, EBPF_JSLT, EBPF_JSLE, EBPF_JSET };
	const int32_t *ways = returned[rng_below(rng, N_ELEMS(returned))];
	uint8_t reg = rng_below(rng, 3) & 0xf, base = rng_below(rng, 2) & 0xf;
	uint8_t mov = (rng_below(rng, 2) ? EBPF_ALU : EBPF_ALU64) | EBPF_MOV;
	uint8_t jump = rng_below(rng, 2) ? EBPF_JMP : EBPF_JMP32;
	uint8_t size = (uint8_t)(rng_below(rng, 4) << 3);
	size_t n = 0;

	if (base == 0)
		p[n++] = (struct ebpf_insn){ .code = EBPF_ALU64 | EBPF_MOV | EBPF_X, .src_reg = 1 };
	if (reg != base && rng_below(rng, 4) == 0) {
		p[n++] = (struct ebpf_insn)MOV_K(reg, 0x80);
		p[n++] = (struct ebpf_insn){ .code = EBPF_JMP | EBPF_JGT, .dst_reg = base,
					     .off = 1, .imm = INT32_MAX };
	}
	p[n++] = (struct ebpf_insn){ .code = EBPF_LDX | EBPF_MEM | size, .dst_reg = reg,
				     .src_reg = base };
	p[n++] = (struct ebpf_insn){ .code = jump | ops[rng_below(rng, N_ELEMS(ops))],
				     .dst_reg = reg, .off = 2,
				     .imm = (int32_t)(uint32_t)near_a_bound(rng) };
	for (int way = 1; way >= 0; way--) {
		p[n++] = (struct ebpf_insn){ .code = mov, .imm = ways[way] };
		p[n++] = (struct ebpf_insn)EXIT_;
	}
	return n;
}

START_TEST(tests_that_end_the_program_end_it_as_in_the_interpreter)
{
	enum { N_VALUES = 16 };
	uint64_t rng = suite_seed(0xe4d), n_programs = suite_scaled(8000);

	for (uint64_t i = 0; i < n_programs; i++) {
		struct ebpf_insn insns[16];
		size_t n = ending_program(insns, &rng);
		struct ebpf_prog *jit = must_jit(insns, n);
		struct ebpf_prog *interp = load(insns, n, EBPF_JIT_OFF, EBPF_BLINDING_OFF);
		uint64_t values[N_VALUES];
		uint32_t many[N_VALUES];

		for (size_t k = 0; k < N_VALUES; k++)
			values[k] = near_a_bound(&rng);
		ebpf_prog_run_many(jit, values, sizeof(values[0]), N_VALUES, many);
		for (size_t k = 0; k < N_VALUES; k++) {
			uint64_t a = ebpf_prog_run(jit, (uintptr_t)&values[k], 8),
				 b = ebpf_prog_run(interp, (uintptr_t)&values[k], 8);

			if (a != b || many[k] != (uint32_t)b)
				ck_abort_msg("program %" PRIu64 ", %" PRIx64 ": %" PRIx64
					     ", in a batch %" PRIx32 ", interpreter %" PRIx64, i,
					     values[k], a, many[k], b);
		}
		ebpf_prog_put(interp);
		ebpf_prog_put(jit);
	}
	suite_pairs(n_programs * N_VALUES);
}
END_TEST

/* ---- constants that are divided by ---- */

static const int32_t divisors[] = {
	0, 1, -1, 2, -2, 3, -3, 5, 6, 7, -7, 9, 10, -10, 11, 12, 13, 25, 60, 64, -64, 100, 125,
	127, 255, 256, -256, 641, 1000, -1000, 3600, 6700417, 1000000, 0xffff, 0x10000, 0x10001,
	999999999, INT32_MAX, INT32_MAX - 1, -INT32_MAX, INT32_MIN, INT32_MIN + 2, 1 << 30,
};
enum { N_RANDOM_DIVISORS = 60, N_DIVISORS = N_ELEMS(divisors) + N_RANDOM_DIVISORS };

/* Registers that machines divide in, and others. */
static const uint8_t divided_in[] = { 0, 2, 4, 7 };

/* Next to multiples of the divisor and to the ends of both widths; any. */
static uint64_t
dividend(int32_t by, uint32_t i, uint64_t *rng)
{
	static const uint64_t ends[] = { 0, 1u << 31, UINT32_MAX, (uint64_t)1 << 63, UINT64_MAX };
	uint64_t v = rng_next(rng) >> rng_below(rng, 64);

	if (i % 3 == 0)
		return v * (uint64_t)(int64_t)by + rng_below(rng, 3) - 1;
	return i % 3 == 1 ? ends[rng_below(rng, N_ELEMS(ends))] + rng_below(rng, 5) - 2 : v;
}

/* R0 = R of the first number there, divided, R2 and R4 as before where they are not R. */
static void
compare_division(uint8_t class, uint8_t op, bool is_signed, uint8_t reg, int32_t by, uint64_t *rng)
{
	const struct ebpf_insn insns[] = {
		{ .code = EBPF_LDX | EBPF_MEM | EBPF_DW, .dst_reg = 5, .src_reg = 1 },
		MOV_K(0, 7), MOV_K(2, 8), MOV_K(4, 9),
		{ .code = EBPF_ALU64 | EBPF_MOV | EBPF_X, .dst_reg = reg & 0xf, .src_reg = 5 },
		{ .code = class | op, .dst_reg = reg & 0xf, .off = is_signed, .imm = by },
		{ .code = EBPF_ALU64 | EBPF_MUL, .dst_reg = 2, .imm = 3 },
		{ .code = EBPF_ALU64 | EBPF_MUL, .dst_reg = 4, .imm = 5 },
		{ .code = EBPF_ALU64 | EBPF_XOR | EBPF_X, .dst_reg = 2, .src_reg = 4 },
		{ .code = EBPF_ALU64 | EBPF_XOR | EBPF_X, .dst_reg = 0, .src_reg = 2 },
		{ .code = EBPF_ALU64 | EBPF_ADD | EBPF_X, .dst_reg = 0, .src_reg = reg & 0xf },
		EXIT_,
	};
	struct ebpf_prog *jit = must_jit(insns, N_ELEMS(insns));
	struct ebpf_prog *interp = load(insns, N_ELEMS(insns), EBPF_JIT_OFF, EBPF_BLINDING_OFF);

	for (uint32_t i = 0; i < 60; i++) {
		uint64_t n = dividend(by, i, rng), a = ebpf_prog_run(jit, (uintptr_t)&n, 8),
			 b = ebpf_prog_run(interp, (uintptr_t)&n, 8);

		if (a != b)
			ck_abort_msg("%" PRIx64 " by %d, code %x, off %d, r%u: %" PRIx64
				     ", interpreter %" PRIx64, n, by, class | op, is_signed, reg, a, b);
	}
	ebpf_prog_put(interp);
	ebpf_prog_put(jit);
}

START_TEST(constants_divide_as_in_the_interpreter)
{
	uint64_t rng = suite_seed(0xd117);
	uint8_t class = _i & 1 ? EBPF_ALU64 : EBPF_ALU, op = _i & 2 ? EBPF_MOD : EBPF_DIV;

	for (size_t i = 0; i < N_DIVISORS; i++) {
		uint32_t any = (uint32_t)(rng_next(&rng) >> 32) >> rng_below(&rng, 32);
		int32_t by = i < N_ELEMS(divisors) ? divisors[i] : (int32_t)any;

		for (size_t r = 0; r < N_ELEMS(divided_in); r++)
			compare_division(class, op, (_i & 4) != 0, divided_in[r], by, &rng);
	}
}
END_TEST

/* ---- long ones ---- */

/* n slots in which each ten-thousandth leads past all, and each seventh to the next but one. */
START_TEST(long_programs_have_their_jumps)
{
	enum { N = 100000 };
	struct ebpf_insn *insns = calloc(N, sizeof(*insns));
	static const struct ebpf_insn end[] = { MOV_K(0, 5), EXIT_ };
	struct ebpf_prog *jit, *interp;
	struct outcome a, b;

	ck_assert_ptr_nonnull(insns);
	insns[0] = (struct ebpf_insn)MOV_K(0, 0);
	for (int pc = 1; pc < N - 2; pc++) {
		insns[pc] = (struct ebpf_insn){ .code = EBPF_ALU64 | EBPF_ADD, .imm = pc };
		if (pc % 7 == 0 && pc < N - 4)
			insns[pc] = (struct ebpf_insn){ .code = EBPF_JMP | EBPF_JSET, .off = 1,
							.imm = 64 };
		if (pc % 10000 == 0)
			insns[pc] = (struct ebpf_insn){ .code = EBPF_JMP32 | EBPF_JA, .imm = 8000 };
	}
	memcpy(&insns[N - 2], end, sizeof(end));
	insns[N - 2] = (struct ebpf_insn){ .code = EBPF_ALU64 | EBPF_ADD, .imm = 5 };
	jit = must_jit(insns, N);
	interp = load(insns, N, EBPF_JIT_OFF, EBPF_BLINDING_OFF);
	run(jit, 1, &a);
	run(interp, 1, &b);
	ck_assert_uint_eq(a.r0, b.r0);
	ck_assert_uint_ne(a.r0, 0);
	ebpf_prog_put(jit);
	ebpf_prog_put(interp);
	free(insns);
}
END_TEST

/*
 * Jumps over the next one each, which on x86-64 are short where that one is: the
 * last first, in as many passes as there are jumps, if it were let to.
 */
START_TEST(chains_of_jumps_are_given_up_upon)
{
	enum { BODY = 17, N_JUMPS = 2000, N = N_JUMPS * (BODY + 1) + BODY + 3 };
	struct ebpf_insn *insns = calloc(N, sizeof(*insns));
	struct ebpf_prog *jit, *interp;
	struct outcome a, b;
	size_t n = 0;

	ck_assert_ptr_nonnull(insns);
	insns[n++] = (struct ebpf_insn)MOV_K(0, 0);
	while (n < N - 2) {
		bool is_jump = n % (BODY + 1) == 1;
		bool is_last = n + BODY + 2 > N - 2;

		insns[n] = (struct ebpf_insn){ .code = EBPF_ALU64 | EBPF_ADD, .imm = 1000 + n % 7 };
		if (is_jump)
			insns[n] = (struct ebpf_insn){ .code = EBPF_JMP | EBPF_JSGT, .imm = 100,
						       .off = is_last ? 0 : BODY + 1 };
		n++;
	}
	insns[n++] = (struct ebpf_insn){ .code = EBPF_ALU64 | EBPF_ADD, .imm = 1 };
	insns[n++] = (struct ebpf_insn)EXIT_;
	jit = must_jit(insns, n);
	interp = load(insns, n, EBPF_JIT_OFF, EBPF_BLINDING_OFF);
	run(jit, 1, &a);
	run(interp, 1, &b);
	ck_assert_uint_eq(a.r0, b.r0);
#if defined(__x86_64__)
	/* jumps of 6 bytes, twice: what is called, and the batch's loop */
	ck_assert_uint_gt(jit->aux->jit->n, 2 * N_JUMPS * (BODY * 7 + 4 + 5));
#endif
	ebpf_prog_put(jit);
	ebpf_prog_put(interp);
	free(insns);
}
END_TEST

/*
 * Branches that get 32 KB, or 1 MB, or less on some machine: by a bit, by 0, by
 * a comparison, over so many instructions of 4 bytes or of 36 there.
 */
static const struct {
	uint8_t op;
	int32_t imm;
} far_branches[] = { { EBPF_JSET, 2 }, { EBPF_JNE, 0 }, { EBPF_JGT, 1 } };

static const struct {
	struct ebpf_insn body;
	size_t n_min, n_max;
} far_bodies[] = {
	{ { .code = EBPF_ALU64 | EBPF_ADD | EBPF_X, .dst_reg = 2, .src_reg = 2 }, 8175, 8199 },
	{ { .code = EBPF_ALU64 | EBPF_MOD, .dst_reg = 2, .imm = 0x12345 }, 29118, 29136 },
};

/* R3 is the byte at R1, or from 3 down.  R0 tells which way it went. */
static size_t
far_program(struct ebpf_insn *insns, size_t n_body, struct ebpf_insn body, size_t branch,
	    bool is_back)
{
	struct ebpf_insn jump = { .code = EBPF_JMP | far_branches[branch].op, .dst_reg = 3,
				  .imm = far_branches[branch].imm };
	size_t n = 0;

	insns[n++] = (struct ebpf_insn)MOV_K(0, 0);
	insns[n++] = (struct ebpf_insn)MOV_K(2, 77);
	if (is_back) {
		insns[n++] = (struct ebpf_insn)MOV_K(3, 3);
		insns[n++] = (struct ebpf_insn){ .code = EBPF_ALU64 | EBPF_ADD, .dst_reg = 3,
						 .imm = -1 };
	} else {
		insns[n++] = (struct ebpf_insn){ .code = EBPF_LDX | EBPF_MEM | EBPF_B, .dst_reg = 3,
						 .src_reg = 1 };
		jump.off = (int16_t)(n_body + 1);
		insns[n++] = jump;
	}
	for (size_t i = 0; i < n_body; i++)
		insns[n++] = body;
	insns[n++] = (struct ebpf_insn){ .code = EBPF_ALU64 | EBPF_ADD, .imm = 1 };
	if (is_back) {
		jump.off = (int16_t)(3 - (int)n - 1);
		insns[n++] = jump;
	}
	insns[n++] = (struct ebpf_insn){ .code = EBPF_ALU64 | EBPF_ADD, .imm = 16 };
	insns[n++] = (struct ebpf_insn)EXIT_;
	return n;
}

static void
compare_far(const struct ebpf_insn *insns, size_t n)
{
	struct ebpf_prog *jit = must_jit(insns, n);
	struct ebpf_prog *interp = load(insns, n, EBPF_JIT_OFF, EBPF_BLINDING_OFF);
	static const uint8_t mem[2] = { 0, 2 };         /* no branch is taken, each is */
	uint32_t a[2], b[2];

	for (size_t i = 0; i < 2; i++)
		ck_assert_uint_eq(ebpf_prog_run(jit, (uintptr_t)&mem[i], 1),
				  ebpf_prog_run(interp, (uintptr_t)&mem[i], 1));
	ebpf_prog_run_many(jit, mem, 1, 2, a);
	ebpf_prog_run_many(interp, mem, 1, 2, b);
	ck_assert_mem_eq(a, b, sizeof(a));
	ebpf_prog_put(interp);
	ebpf_prog_put(jit);
}

START_TEST(far_branches_lead_where_near_ones_do)
{
	size_t kind = (size_t)_i / 2, most = far_bodies[kind].n_max;
	struct ebpf_insn *insns = calloc(most + 16, sizeof(*insns));

	ck_assert_ptr_nonnull(insns);
	for (size_t n = far_bodies[kind].n_min; n < most; n++)
		compare_far(insns, far_program(insns, n, far_bodies[kind].body,
					       n % N_ELEMS(far_branches), _i % 2));
	free(insns);
}
END_TEST

/* ---- batches ---- */

/* A turn finds its context, whatever the one before has done to R1. */
START_TEST(turns_have_their_context_after_atomics_into_r1)
{
	static const int32_t ops[] = { EBPF_ADD | EBPF_FETCH, EBPF_OR | EBPF_FETCH,
				       EBPF_AND | EBPF_FETCH, EBPF_XOR | EBPF_FETCH, EBPF_XCHG };
	static const uint8_t ctxs[3][8] = { { 7 }, { 8 }, { 9 } };

	for (size_t i = 0; i < N_ELEMS(ops); i++) {
		const struct ebpf_insn insns[] = {
			{ .code = EBPF_LDX | EBPF_MEM | EBPF_B, .src_reg = 1 },
			{ .code = EBPF_ST | EBPF_MEM | EBPF_DW, .dst_reg = 10, .off = -8 },
			{ .code = EBPF_STX | EBPF_ATOMIC | EBPF_DW, .dst_reg = 10, .src_reg = 1,
			  .off = -8, .imm = ops[i] },
			EXIT_,
		};
		struct ebpf_prog *prog = must_jit(insns, N_ELEMS(insns));
		uint32_t results[3] = { 0 };

		ck_assert(prog->many != NULL);
		ebpf_prog_run_many(prog, ctxs, sizeof(ctxs[0]), 3, results);
		for (unsigned k = 0; k < 3; k++)
			ck_assert_uint_eq(results[k], 7 + k);
		ebpf_prog_put(prog);
	}
}
END_TEST

/* ---- the memory ---- */

/* Mappings of this process that can be written and executed, or are executed by that name. */
static void
count_mappings(size_t *n_both, size_t *n_ours)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512], mode[8];

	*n_both = *n_ours = 0;
	ck_assert_ptr_nonnull(maps);
	while (fgets(line, sizeof(line), maps) != NULL) {
		ck_assert_int_eq(sscanf(line, "%*s %7s", mode), 1);
		*n_both += strchr(mode, 'w') != NULL && strchr(mode, 'x') != NULL;
		*n_ours += strchr(mode, 'x') != NULL && strstr(line, "bpfsift-jit") != NULL;
	}
	fclose(maps);
}

START_TEST(no_page_is_written_and_executed)
{
	enum { N = 2000 };
	static struct ebpf_prog *progs[N];
	size_t n_both, n_ours;

	for (int i = 0; i < N; i++) {
		const struct ebpf_insn insns[] = { MOV_K(0, i), EXIT_ };

		progs[i] = load(insns, 2, EBPF_JIT_REQUIRED,
				i % 2 ? EBPF_BLINDING_ALWAYS : EBPF_BLINDING_OFF);
	}
	count_mappings(&n_both, &n_ours);
	ck_assert_uint_eq(n_both, 0);
	ck_assert_uint_gt(n_ours, 0);
	ck_assert_uint_lt(n_ours, N / 50);      /* many to a group */
	for (int i = 0; i < N; i++) {
		ck_assert_uint_eq(ebpf_prog_run(progs[i], 0, 0), (unsigned)i);
		ebpf_prog_put(progs[i]);
	}
	count_mappings(&n_both, &n_ours);
	ck_assert_uint_eq(n_both, 0);
	ck_assert_uint_le(n_ours, 1);           /* the one to be filled next */
}
END_TEST

static void
is_breakpoint(const uint8_t *at)
{
	ck_assert_uint_eq(*at, EBPF_JIT_TARGET->breakpoint[(uintptr_t)at % 4]);
}

START_TEST(breakpoints_lie_around_each_program)
{
	struct ebpf_prog *a = must_jit(seven, 2), *b = must_jit(seven, 2);

	for (int i = 0; i < 2; i++) {
		const struct ebpf_jit_text *text = (i == 0 ? a : b)->aux->jit;

		for (size_t at = 1; at <= 32; at++)
			is_breakpoint(text->code - at);
		ck_assert_uint_eq((uintptr_t)text->code % 32, 0);
	}
	is_breakpoint(&a->aux->jit->code[a->aux->jit->n]);
	ebpf_prog_put(a);
	ebpf_prog_put(b);
}
END_TEST

START_TEST(freed_code_is_overwritten)
{
	struct ebpf_prog *a = must_jit(seven, 2), *b = must_jit(seven, 2);
	const uint8_t *code = a->aux->jit->code;
	size_t n = a->aux->jit->n;

	ebpf_prog_put(a);
	for (size_t i = 0; i < n; i++)
		is_breakpoint(&code[i]);
	ck_assert_uint_eq(ebpf_prog_run(b, 0, 0), 7);
	ebpf_prog_put(b);
}
END_TEST

/* A blinded program's code begins nobody knows where. */
START_TEST(where_blinded_code_begins_is_random)
{
	bool differs = false;
	uintptr_t first = 0;

	for (int i = 0; i < 20; i++) {
		struct ebpf_prog *prog = load(seven, 2, EBPF_JIT_REQUIRED, EBPF_BLINDING_ALWAYS);
		uintptr_t at = (uintptr_t)prog->aux->jit->code;

		differs |= i > 0 && at % 256 != first % 256;
		first = i == 0 ? at : first;
		ebpf_prog_put(prog);
	}
	ck_assert(differs);
}
END_TEST

/* Where no file in memory can be had, pages change from the one to the other. */
START_TEST(without_files_pages_are_sealed)
{
	struct rlimit none, before;
	struct ebpf_prog *prog;
	size_t n_both, n_ours;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	prog = must_jit(seven, 2);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	ck_assert_uint_eq(ebpf_prog_run(prog, 0, 0), 7);
	count_mappings(&n_both, &n_ours);
	ck_assert_uint_eq(n_both, 0);
	ck_assert_uint_eq(n_ours, 0);
	ebpf_prog_put(prog);
}
END_TEST

static void
must_write(int fd)
{
	ck_assert_int_eq(write(fd, "", 1), 1);
}

static void
wait_for(int fd)
{
	char byte;

	ck_assert_int_eq(read(fd, &byte, 1), 1);
}

static void
fill_groups(uint64_t r0)
{
	struct ebpf_insn insns[] = { MOV_K(0, (int32_t)r0), EXIT_ };

	for (int i = 0; i < 100; i++) {
		struct ebpf_prog *prog = must_jit(insns, 2);

		ck_assert_uint_eq(ebpf_prog_run(prog, 0, 0), r0);
		ebpf_prog_put(prog);
	}
}

/* Neither process writes where the other one runs, whatever each has freed. */
START_TEST(parent_and_child_leave_each_others_code_alone)
{
	struct ebpf_prog *a = must_jit(seven, 2), *b = must_jit(seven, 2);
	int to_child[2], to_parent[2], status;
	pid_t child;

	ck_assert_int_eq(pipe(to_child), 0);
	ck_assert_int_eq(pipe(to_parent), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		wait_for(to_child[0]);          /* the parent has freed a */
		ebpf_prog_put(b);
		fill_groups(9);
		must_write(to_parent[1]);
		_exit(ebpf_prog_run(a, 0, 0) == 7 ? 0 : 1);
	}
	ebpf_prog_put(a);
	fill_groups(8);
	must_write(to_child[1]);
	wait_for(to_parent[0]);                 /* the child has freed b */
	ck_assert_uint_eq(ebpf_prog_run(b, 0, 0), 7);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ebpf_prog_put(b);
	for (int i = 0; i < 2; i++) {
		close(to_child[i]);
		close(to_parent[i]);
	}
}
END_TEST

static void
add_tests(TCase *tc)
{
	tcase_add_test(tc, all_registers_are_those_of_the_interpreter);
	tcase_add_test(tc, verified_programs_end_with_the_registers_of_the_interpreter);
	tcase_add_test(tc, tests_that_end_the_program_end_it_as_in_the_interpreter);
	tcase_add_loop_test(tc, constants_divide_as_in_the_interpreter, 0, 8);
	tcase_add_test(tc, long_programs_have_their_jumps);
	tcase_add_test(tc, chains_of_jumps_are_given_up_upon);
	tcase_add_loop_test(tc, far_branches_lead_where_near_ones_do, 0, 2 * N_ELEMS(far_bodies));
	tcase_add_test(tc, turns_have_their_context_after_atomics_into_r1);
	tcase_add_test(tc, no_page_is_written_and_executed);
	tcase_add_test(tc, breakpoints_lie_around_each_program);
	tcase_add_test(tc, freed_code_is_overwritten);
	tcase_add_test(tc, where_blinded_code_begins_is_random);
	tcase_add_test(tc, without_files_pages_are_sealed);
	tcase_add_test(tc, parent_and_child_leave_each_others_code_alone);
}

#else

START_TEST(there_is_none)
{
	suite_skip("no JIT for this machine");
}
END_TEST

static void
add_tests(TCase *tc)
{
	tcase_add_test(tc, there_is_none);
}

#endif

Suite *
suite(void)
{
	Suite *s = suite_create("ebpf/jit");
	TCase *tc = tcase_create("machine code");

	tcase_set_timeout(tc, 300);
	add_tests(tc);
	suite_add_tcase(s, tc);
	return s;
}
