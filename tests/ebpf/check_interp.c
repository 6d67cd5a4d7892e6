/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Machine code and both interpreters, in both dispatch variants, against computations that
 * share nothing with ebpf/arith.h: schoolbook division and multiplication,
 * shifts one bit at a time.
 */
#include "ebpf/check.h"
#include "ebpf/insn.h"
#include "ebpf/jit/jit.h"
#include "tests/ebpf/variants.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- running a program everywhere ---- */

/* What the loader chose comes first: machine code, where there is a back end. */
enum {
	AS_LOADED, FAST_LABELS, FAST_SWITCH, LEAF_LABELS, LEAF_SWITCH, CHECKED_LABELS,
	CHECKED_SWITCH, N_ENGINES
};

static const char *const engine_names[N_ENGINES] = {
	"as loaded",   "interp_labels",  "interp_switch",  "leaf_labels",
	"leaf_switch", "checked_labels", "checked_switch",
};

static const ebpf_run_fn fast[N_ENGINES] = {
	[FAST_LABELS] = interp_labels, [FAST_SWITCH] = interp_switch,
	[LEAF_LABELS] = leaf_labels,   [LEAF_SWITCH] = leaf_switch,
};

static unsigned long n_executed[N_ENGINES][EBPF_N_OPS];

struct watched {
	const struct ebpf_insn *insns;
	int engine;
};

static void
count_row(void *arg, size_t pc, const uint64_t regs[EBPF_MAX_REG])
{
	const struct watched *w = arg;

	(void)regs;
	n_executed[w->engine][ebpf_op_of(&w->insns[pc])]++;
}

static uint64_t
add_five(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, void *env)
{
	return r1 + 10 * r2 + 100 * r3 + 1000 * r4 + 10000 * r5 +
	       (env != NULL ? *(uint64_t *)env : 0);
}

static const struct ebpf_helper helpers[] = { { 42, "add_five", add_five } };
static const struct ebpf_prog_type type = { "test", helpers, N_ELEMS(helpers) };

#define MEM_SIZE 32

struct outcome {
	uint64_t r0;
	_Alignas(8) uint8_t mem[MEM_SIZE];
};

/*
 * One engine.  What the checked ones executed is counted by their trace; the
 * fast ones took the same path if the outcome is the same.
 */
static void
run_one(int engine, struct ebpf_prog *prog, const uint8_t *mem, struct outcome *out)
{
	size_t n;
	struct watched w = { ebpf_prog_insns(prog, &n), engine };
	struct ebpf_run_opts opts = { sizeof(opts), 100000, count_row, &w };
	struct ebpf_err err = { "" };
	int rc = 0;

	memcpy(out->mem, mem, MEM_SIZE);
	switch (engine) {
	case AS_LOADED:
		ck_assert_int_eq(ebpf_prog_runtime(prog),
				 EBPF_HAS_JIT ? EBPF_RUNTIME_JIT : EBPF_RUNTIME_INTERP);
		out->r0 = ebpf_prog_run(prog, (uintptr_t)out->mem, MEM_SIZE);
		break;
	case FAST_LABELS:
	case FAST_SWITCH:
	case LEAF_LABELS:
	case LEAF_SWITCH:
		ck_assert_int_eq(ebpf_prog_set_run(prog, fast[engine]), 0);
		out->r0 = ebpf_prog_run(prog, (uintptr_t)out->mem, MEM_SIZE);
		break;
	case CHECKED_LABELS:
		rc = checked_labels(prog, out->mem, MEM_SIZE, &opts, &out->r0, &err);
		break;
	case CHECKED_SWITCH:
		rc = checked_switch(prog, out->mem, MEM_SIZE, &opts, &out->r0, &err);
		break;
	}
	ck_assert_msg(rc == 0, "%s: %s", engine_names[engine], err.text);
}

/* Run a program by all engines, which must agree. */
static struct outcome
run(const struct ebpf_insn *insns, size_t n_insns, const uint8_t *mem)
{
	static const uint8_t zeros[MEM_SIZE];
	uint64_t env = 0;
	struct outcome out[N_ENGINES];
	struct ebpf_prog *prog;
	struct ebpf_err err;

	ck_assert_msg(ebpf_prog_load_trusted(&type, insns, n_insns, &env, &prog, &err) == 0, "%s",
		      err.text);
	for (int e = 0; e < N_ENGINES; e++) {
		bool is_leaf = ebpf_is_leaf(insns, n_insns);
		unsigned long before[EBPF_N_OPS];

		if ((e == LEAF_LABELS || e == LEAF_SWITCH) && !is_leaf)
			continue;
		memcpy(before, n_executed[CHECKED_SWITCH], sizeof(before));
		run_one(e, prog, mem != NULL ? mem : zeros, &out[e]);
		ck_assert_msg(out[e].r0 == out[0].r0, "%s: r0 %" PRIx64 ", %s: %" PRIx64,
			      engine_names[e], out[e].r0, engine_names[0], out[0].r0);
		ck_assert_mem_eq(out[e].mem, out[0].mem, MEM_SIZE);
		if (e != CHECKED_SWITCH)
			continue;
		for (int row = 0; row < EBPF_N_OPS; row++) {
			unsigned long n = n_executed[CHECKED_SWITCH][row] - before[row];

			n_executed[AS_LOADED][row] += n;
			n_executed[FAST_LABELS][row] += n;
			n_executed[FAST_SWITCH][row] += n;
			n_executed[LEAF_LABELS][row] += is_leaf ? n : 0;
			n_executed[LEAF_SWITCH][row] += is_leaf ? n : 0;
		}
	}
	ebpf_prog_put(prog);
	return out[0];
}

/* ---- instructions ---- */

#define INSN(c, d, s, o, i)                                                                        \
	((struct ebpf_insn){ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) })
#define EXIT_ INSN(EBPF_JMP | EBPF_EXIT, 0, 0, 0, 0)
#define MOV_K(d, i) INSN(EBPF_ALU64 | EBPF_MOV, d, 0, 0, i)
#define MOV_X(d, s) INSN(EBPF_ALU64 | EBPF_MOV | EBPF_X, d, s, 0, 0)

static int32_t
low_half(uint64_t v)
{
	int32_t i;
	uint32_t u = (uint32_t)v;

	memcpy(&i, &u, sizeof(i));
	return i;
}

struct program {
	struct ebpf_insn insns[16];
	size_t n;
};

static void
add(struct program *p, struct ebpf_insn insn)
{
	ck_assert_uint_lt(p->n, N_ELEMS(p->insns));
	p->insns[p->n++] = insn;
}

static void
add_lddw(struct program *p, uint8_t dst, uint64_t v)
{
	add(p, INSN(EBPF_LD | EBPF_IMM | EBPF_DW, dst & 0xf, 0, 0, low_half(v)));
	add(p, INSN(0, 0, 0, 0, low_half(v >> 32)));
}

/* The row's instruction with these fields, but for the one that tells it apart. */
static struct ebpf_insn
row_insn(int row, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
	const struct ebpf_op_desc *d = &ebpf_ops[row];
	unsigned int uses = ebpf_form_uses[d->form];
	struct ebpf_insn insn = INSN(d->code, 0, 0, 0, 0);

	if (uses & EBPF_USES_DST)
		insn.dst_reg = dst & 0xf;
	if (uses & EBPF_USES_SRC)
		insn.src_reg = src & 0xf;
	if (uses & EBPF_USES_OFF)
		insn.off = off;
	if (uses & EBPF_USES_IMM)
		insn.imm = imm;
	if (d->by == EBPF_BY_OFF)
		insn.off = (int16_t)d->val;
	else if (d->by == EBPF_BY_SRC)
		insn.src_reg = (uint8_t)d->val & 0xf;
	else if (d->by == EBPF_BY_IMM)
		insn.imm = d->val;
	return insn;
}

/* ---- the reference: numbers as width bits in the low part of a u64 ---- */

static uint64_t
mask(unsigned int width)
{
	return width == 64 ? UINT64_MAX : ((uint64_t)1 << width) - 1;
}

static bool
is_negative(uint64_t v, unsigned int width)
{
	return v >> (width - 1) & 1;
}

static uint64_t
ref_extend(uint64_t v, unsigned int width)
{
	v &= mask(width);
	return is_negative(v, width) ? v | ~mask(width) : v;
}

static uint64_t
ref_mul(uint64_t a, uint64_t b)
{
	uint64_t sum = 0;

	for (; b != 0; b >>= 1, a <<= 1)
		sum += b & 1 ? a : 0;
	return sum;
}

/* Bit by bit; the remainder comes back too.  b is not 0. */
static uint64_t
ref_divide(uint64_t a, uint64_t b, uint64_t *rest)
{
	uint64_t quotient = 0, r = 0;

	for (int bit = 63; bit >= 0; bit--) {
		bool carry = r >> 63;

		r = r << 1 | (a >> bit & 1);
		if (carry || r >= b) {
			r -= b;
			quotient |= (uint64_t)1 << bit;
		}
	}
	*rest = r;
	return quotient;
}

/* Sign and magnitude apart: truncates toward zero, the rest has the dividend's sign. */
static uint64_t
ref_signed_divide(uint64_t a, uint64_t b, unsigned int width, uint64_t *rest)
{
	bool a_neg = is_negative(a, width), b_neg = is_negative(b, width);
	uint64_t q = ref_divide((a_neg ? ~a + 1 : a) & mask(width),
				(b_neg ? ~b + 1 : b) & mask(width), rest);

	if (a_neg)
		*rest = ~*rest + 1;
	return a_neg != b_neg ? ~q + 1 : q;
}

static uint64_t
ref_shift(uint64_t v, unsigned int count, unsigned int width, int op)
{
	for (count %= width; count > 0; count--) {
		if (op == EBPF_LSH)
			v = v + v;
		else
			v = v / 2 | (op == EBPF_ARSH && is_negative(v, width)
					     ? (uint64_t)1 << (width - 1) : 0);
		v &= mask(width);
	}
	return v;
}

static uint64_t
ref_alu(const struct ebpf_op_desc *d, uint64_t a, uint64_t b)
{
	unsigned int width = EBPF_CLASS(d->code) == EBPF_ALU ? 32 : 64;
	bool is_signed = d->by == EBPF_BY_OFF && d->val == 1;
	uint64_t q = 0, rest;

	a &= mask(width);
	b &= mask(width);
	rest = a;
	switch (d->code & 0xf0) {
	case EBPF_ADD:
		return (a + b) & mask(width);
	case EBPF_SUB:
		return (a + ~b + 1) & mask(width);
	case EBPF_MUL:
		return ref_mul(a, b) & mask(width);
	case EBPF_DIV:
	case EBPF_MOD:
		if (b != 0)
			q = is_signed ? ref_signed_divide(a, b, width, &rest)
				      : ref_divide(a, b, &rest);
		return ((d->code & 0xf0) == EBPF_DIV ? q : rest) & mask(width);
	case EBPF_OR:
		return ~(~a & ~b) & mask(width);
	case EBPF_AND:
		return ~(~a | ~b) & mask(width);
	case EBPF_XOR:
		return (a | b) & ~(a & b);
	case EBPF_LSH:
	case EBPF_RSH:
	case EBPF_ARSH:
		return ref_shift(a, (unsigned int)(b % width), width, d->code & 0xf0);
	case EBPF_NEG:
		return (~a + 1) & mask(width);
	case EBPF_MOV:
		return b;
	}
	ck_abort_msg("row %s", d->name);
}

static uint64_t
ref_movsx(const struct ebpf_op_desc *d, uint64_t v)
{
	unsigned int width = EBPF_CLASS(d->code) == EBPF_ALU ? 32 : 64;

	return ref_extend(v, (unsigned int)d->val) & mask(width);
}

/* Byte by byte: swapped where the order asked for is not the host's. */
static uint64_t
ref_end(const struct ebpf_op_desc *d, uint64_t v)
{
	static const uint16_t probe = 1;
	bool is_little = *(const uint8_t *)&probe == 1;
	bool swaps = EBPF_CLASS(d->code) == EBPF_ALU64 || is_little == ((d->code & EBPF_X) != 0);
	unsigned int n = (unsigned int)d->val / 8;
	uint64_t out = 0;

	for (unsigned int i = 0; i < n; i++)
		out |= (v >> (8 * i) & 0xff) << (8 * (swaps ? n - 1 - i : i));
	return out;
}

/* Order of signed numbers is that of unsigned ones with the sign bit turned. */
static bool
ref_jump(const struct ebpf_op_desc *d, uint64_t a, uint64_t b)
{
	unsigned int width = EBPF_CLASS(d->code) == EBPF_JMP32 ? 32 : 64;
	uint64_t sign = (uint64_t)1 << (width - 1), sa, sb;

	a &= mask(width);
	b &= mask(width);
	sa = a ^ sign;
	sb = b ^ sign;
	switch (d->code & 0xf0) {
	case EBPF_JEQ:
		return a == b;
	case EBPF_JNE:
		return a != b;
	case EBPF_JGT:
		return a > b;
	case EBPF_JGE:
		return a >= b;
	case EBPF_JLT:
		return a < b;
	case EBPF_JLE:
		return a <= b;
	case EBPF_JSET:
		return (a & b) != 0;
	case EBPF_JSGT:
		return sa > sb;
	case EBPF_JSGE:
		return sa >= sb;
	case EBPF_JSLT:
		return sa < sb;
	case EBPF_JSLE:
		return sa <= sb;
	}
	ck_abort_msg("row %s", d->name);
}

static unsigned int
size_of(uint8_t code)
{
	static const unsigned int sizes[] = { 4, 2, 1, 8 };

	return sizes[code >> 3 & 3];
}

/* A number of n bytes in host order. */
static uint64_t
peek(const uint8_t *p, unsigned int n)
{
	static const uint16_t probe = 1;
	bool is_little = *(const uint8_t *)&probe == 1;
	uint64_t v = 0;

	for (unsigned int i = 0; i < n; i++)
		v |= (uint64_t)p[i] << (8 * (is_little ? i : n - 1 - i));
	return v;
}

/* ---- one row on one pair of operands ---- */

static bool
takes_imm(const struct ebpf_op_desc *d)
{
	return ebpf_form_uses[d->form] & EBPF_USES_IMM;
}

static void
check_value(int row, uint64_t a, uint64_t b)
{
	const struct ebpf_op_desc *d = &ebpf_ops[row];
	struct program p = { .n = 0 };
	struct outcome out;
	uint64_t want;

	if (takes_imm(d))
		b = ref_extend(b, 32);
	add_lddw(&p, 0, a);
	add_lddw(&p, 3, b);
	add(&p, row_insn(row, 0, 3, 0, low_half(b)));
	add(&p, INSN(EBPF_STX | EBPF_MEM | EBPF_DW, 1, 3, 0, 0));
	add(&p, EXIT_);
	out = run(p.insns, p.n, NULL);
	want = d->form == EBPF_FORM_END	    ? ref_end(d, a)
	       : d->form == EBPF_FORM_MOVSX ? ref_movsx(d, b)
					    : ref_alu(d, a, b);
	ck_assert_msg(out.r0 == want,
		      "%s of %" PRIx64 " and %" PRIx64 ": %" PRIx64 ", expected %" PRIx64, d->name,
		      a, b, out.r0, want);
	ck_assert_msg(peek(out.mem, 8) == b, "%s changed its source", d->name);
}

static void
check_jump(int row, uint64_t a, uint64_t b)
{
	const struct ebpf_op_desc *d = &ebpf_ops[row];
	struct program p = { .n = 0 };

	if (takes_imm(d))
		b = ref_extend(b, 32);
	add_lddw(&p, 3, a);
	add_lddw(&p, 4, b);
	add(&p, MOV_K(0, 1));
	add(&p, row_insn(row, 3, 4, 1, low_half(b)));
	add(&p, MOV_K(0, 0));
	add(&p, EXIT_);
	ck_assert_msg(run(p.insns, p.n, NULL).r0 == ref_jump(d, a, b), "%s of %" PRIx64
		      " and %" PRIx64, d->name, a, b);
}

/* At each offset, aligned or not: loads see the bytes, stores change no others. */
static void
check_memory(int row, uint64_t v, uint64_t seed)
{
	const struct ebpf_op_desc *d = &ebpf_ops[row];
	unsigned int n = size_of(d->code);
	bool loads = d->form == EBPF_FORM_LDX || d->form == EBPF_FORM_LOAD_ACQ;
	bool is_signed = d->form == EBPF_FORM_LDX && (d->code & 0xe0) == EBPF_MEMSX;
	bool is_ordered = d->form == EBPF_FORM_LOAD_ACQ || d->form == EBPF_FORM_STORE_REL;
	uint8_t mem[MEM_SIZE];

	for (size_t i = 0; i < MEM_SIZE; i++)
		mem[i] = (uint8_t)rng_next(&seed);
	for (unsigned int off = 0; off + n <= MEM_SIZE; off += is_ordered ? n : 1) {
		struct program p = { .n = 0 };
		struct outcome out;

		add(&p, MOV_K(0, 0));
		add_lddw(&p, 3, v);
		/* From the end, so that offsets are negative too. */
		add(&p, MOV_X(4, 1));
		add(&p, INSN(EBPF_ALU64 | EBPF_ADD, 4, 0, 0, MEM_SIZE));
		if (loads)
			add(&p, row_insn(row, 0, 4, (int16_t)((int)off - MEM_SIZE), 0));
		else
			add(&p, row_insn(row, 4, 3, (int16_t)((int)off - MEM_SIZE), low_half(v)));
		add(&p, EXIT_);
		out = run(p.insns, p.n, mem);
		if (loads) {
			uint64_t want = peek(mem + off, n);

			ck_assert_uint_eq(out.r0, is_signed ? ref_extend(want, 8 * n) : want);
			ck_assert_mem_eq(out.mem, mem, MEM_SIZE);
		} else {
			uint64_t want = d->form == EBPF_FORM_ST ? ref_extend(v, 32) : v;

			ck_assert_uint_eq(peek(out.mem + off, n), want & mask(8 * n));
			ck_assert_mem_eq(out.mem, mem, off);
			ck_assert_mem_eq(out.mem + off + n, mem + off + n, MEM_SIZE - off - n);
		}
	}
}

/* old in memory, v in the source, r0 to compare with. */
static void
check_atomic(int row, uint64_t old, uint64_t v, uint64_t r0)
{
	const struct ebpf_op_desc *d = &ebpf_ops[row];
	unsigned int n = size_of(d->code), width = 8 * n;
	_Alignas(8) uint8_t mem[MEM_SIZE] = { 0 };
	uint32_t old32 = (uint32_t)old;
	struct program p = { .n = 0 };
	struct outcome out;
	uint64_t new = 0, src = v, result = r0;

	memcpy(mem + 8, n == 8 ? (const void *)&old : &old32, n);
	old &= mask(width);
	add_lddw(&p, 0, r0);
	add_lddw(&p, 3, v);
	add(&p, row_insn(row, 1, 3, 8, 0));
	add(&p, INSN(EBPF_STX | EBPF_MEM | EBPF_DW, 1, 3, 16, 0));
	add(&p, EXIT_);
	out = run(p.insns, p.n, mem);
	switch (d->val & ~EBPF_FETCH) {
	case EBPF_ADD:
		new = old + v;
		break;
	case EBPF_OR:
		new = old | v;
		break;
	case EBPF_AND:
		new = old & v;
		break;
	case EBPF_XOR:
		new = old ^ v;
		break;
	case EBPF_XCHG & ~EBPF_FETCH:
		new = v;
		break;
	case EBPF_CMPXCHG & ~EBPF_FETCH:
		new = (r0 & mask(width)) == old ? v : old;
		result = old;
		break;
	}
	if (d->form == EBPF_FORM_FETCH || d->form == EBPF_FORM_XCHG)
		src = old;
	ck_assert_msg(peek(out.mem + 8, n) == (new & mask(width)), "%s: memory", d->name);
	ck_assert_msg(peek(out.mem + 16, 8) == src, "%s: source %" PRIx64, d->name,
		      peek(out.mem + 16, 8));
	ck_assert_msg(out.r0 == result, "%s: r0 %" PRIx64, d->name, out.r0);
}

static uint64_t
r0_of(const struct ebpf_insn *insns, size_t n)
{
	return run(insns, n, NULL).r0;
}
#define R0_OF(...)                                                                                 \
	r0_of((const struct ebpf_insn[]){ __VA_ARGS__ },                                           \
	      N_ELEMS(((const struct ebpf_insn[]){ __VA_ARGS__ })))

#define CALL_LOCAL(n) INSN(EBPF_JMP | EBPF_CALL, 0, 1, 0, n)
#define JA(n) INSN(EBPF_JMP | EBPF_JA, 0, 0, n, 0)
#define ADD_X(d, s) INSN(EBPF_ALU64 | EBPF_ADD | EBPF_X, d, s, 0, 0)
#define ADD_K(d, i) INSN(EBPF_ALU64 | EBPF_ADD, d, 0, 0, i)
#define MAY_GOTO(n) INSN(EBPF_JMP | EBPF_JCOND, 0, 0, n, 0)

static void
check_control(void)
{
	uint64_t v = 0x0123456789abcdef;
	struct program p = { .n = 0 };

	ck_assert_uint_eq(R0_OF(MOV_K(0, 1), JA(1), MOV_K(0, 2), EXIT_), 1);
	ck_assert_uint_eq(R0_OF(MOV_K(0, 1), INSN(EBPF_JMP32 | EBPF_JA, 0, 0, 0, 1), MOV_K(0, 2),
				EXIT_), 1);
	/* Backward, three times. */
	ck_assert_uint_eq(R0_OF(MOV_K(0, 0), ADD_K(0, 1),
				INSN(EBPF_JMP | EBPF_JLT, 0, 0, -2, 3), EXIT_), 3);
	ck_assert_uint_eq(R0_OF(MOV_K(0, 1), MAY_GOTO(1), MOV_K(0, 2), EXIT_), 2);
	ck_assert_uint_eq(R0_OF(MOV_K(1, 1), MOV_K(2, 2), MOV_K(3, 3), MOV_K(4, 4), MOV_K(5, 5),
				INSN(EBPF_JMP | EBPF_CALL, 0, 0, 0, 42), EXIT_), 54321);
	add_lddw(&p, 0, v);
	add(&p, EXIT_);
	ck_assert_uint_eq(run(p.insns, p.n, NULL).r0, v);
	/* R6 survives a call in which it is changed. */
	ck_assert_uint_eq(R0_OF(MOV_K(6, 7), MOV_K(1, 30), CALL_LOCAL(2), ADD_X(0, 6), EXIT_,
				MOV_K(6, 100), MOV_X(0, 1), ADD_X(0, 6), EXIT_), 137);

	/* The address of a subprogram, equal to itself. */
	const struct ebpf_insn func[] = {
		{ .code = 0x18, .dst_reg = 6, .src_reg = 4, .imm = 4 }, { 0 },
		{ .code = 0x18, .dst_reg = 0, .src_reg = 4, .imm = 2 }, { 0 },
		INSN(EBPF_ALU64 | EBPF_SUB | EBPF_X, 0, 6, 0, 0), EXIT_, EXIT_,
	};

	ck_assert_uint_eq(run(func, N_ELEMS(func), NULL).r0, 0);
}

static const uint64_t boundaries[] = {
	0, 1, 2, 3, 7, 31, 32, 33, 63, 64, 65, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x10000,
	0x7fffffff, 0x80000000, 0x80000001, 0xfffffff9, 0xffffffff, 0x100000000, 0x180000000,
	0x1122334455667788, 0x7fffffffffffffff, 0x8000000000000000, 0x8000000000000001,
	0xfffffffffffffff9, 0xfffffffffffffffe, 0xffffffffffffffff,
};

static void
check_row(int row, uint64_t a, uint64_t b)
{
	switch ((enum ebpf_form)ebpf_ops[row].form) {
	case EBPF_FORM_ALU_K:
	case EBPF_FORM_ALU_X:
	case EBPF_FORM_NEG:
	case EBPF_FORM_MOVSX:
	case EBPF_FORM_END:
		check_value(row, a, b);
		break;
	case EBPF_FORM_JMP_K:
	case EBPF_FORM_JMP_X:
		check_jump(row, a, b);
		break;
	case EBPF_FORM_LDX:
	case EBPF_FORM_ST:
	case EBPF_FORM_STX:
	case EBPF_FORM_LOAD_ACQ:
	case EBPF_FORM_STORE_REL:
		if (b == 1)     /* they have one operand, and sweep offsets */
			check_memory(row, a, a);
		break;
	case EBPF_FORM_ATOMIC:
	case EBPF_FORM_FETCH:
	case EBPF_FORM_XCHG:
	case EBPF_FORM_CMPXCHG:
		check_atomic(row, a, b, a);
		check_atomic(row, a, b, b ^ 0x100000000);
		break;
	case EBPF_FORM_JA:
	case EBPF_FORM_JA32:
	case EBPF_FORM_CALL:
	case EBPF_FORM_CALL_LOCAL:
	case EBPF_FORM_EXIT:
	case EBPF_FORM_LDDW:
	case EBPF_FORM_LDABS:
	case EBPF_FORM_LDIND:
		break;          /* check_control() */
	}
}

/* Rows that the loader refuses: there is nothing to execute. */
static bool
is_refused(int row)
{
	struct ebpf_insn insns[3] = { row_insn(row, 1, 1, 0, 0), { 0 }, { 0 } };
	struct ebpf_prog *prog;
	size_t n = ebpf_code_is_wide(insns[0].code) ? 2 : 1;

	insns[n++] = EXIT_;
	if (ebpf_prog_load(&type, insns, n, &prog, NULL) < 0)
		return true;
	ebpf_prog_put(prog);
	return false;
}

START_TEST(each_row_computes_what_the_reference_does_on_every_engine)
{
	uint64_t seed = suite_seed(20260);
	uint64_t n_random = suite_scaled(200);
	int n_refused = 0;

	for (int row = 0; row < EBPF_N_OPS; row++) {
		for (size_t i = 0; i < N_ELEMS(boundaries); i++) {
			for (size_t k = 0; k < N_ELEMS(boundaries); k++)
				check_row(row, boundaries[i], boundaries[k]);
		}
		for (uint64_t i = 0; i < n_random; i++) {
			uint64_t a = rng_next(&seed) >> rng_below(&seed, 64);

			check_row(row, a, rng_next(&seed) >> rng_below(&seed, 64));
		}
	}
	check_control();
	for (int row = 0; row < EBPF_N_OPS; row++) {
		if (is_refused(row)) {
			n_refused++;
			continue;
		}
		for (int e = 0; e < N_ENGINES; e++) {
			bool is_leafs = e == LEAF_LABELS || e == LEAF_SWITCH;

			if (is_leafs && (row == EBPF_OP_CALL || row == EBPF_OP_CALL_LOCAL ||
					 row == EBPF_OP_MAY_GOTO))
				continue;
			ck_assert_msg(n_executed[e][row] > 0, "%s never executed %s",
				      engine_names[e], ebpf_ops[row].name);
		}
	}
	/* Five loads of maps and variables, which there are not, six packet loads. */
	ck_assert_int_eq(n_refused, 11);
}
END_TEST

/* ---- frames ---- */

START_TEST(eight_frames_have_a_stack_each)
{
	struct ebpf_insn insns[64];
	size_t n = 0;

	/* Each frame stores its number at both ends of its stack, calls, and adds its own. */
	for (int frame = 0; frame < EBPF_MAX_FRAMES; frame++) {
		insns[n++] = INSN(EBPF_ST | EBPF_MEM | EBPF_DW, 10, 0, -8, frame + 1);
		insns[n++] = INSN(EBPF_ST | EBPF_MEM | EBPF_DW, 10, 0, -EBPF_STACK_SIZE, frame + 1);
		if (frame < EBPF_MAX_FRAMES - 1)
			insns[n++] = CALL_LOCAL(4);
		else
			insns[n++] = MOV_K(0, 0);
		insns[n++] = INSN(EBPF_LDX | EBPF_MEM | EBPF_DW, 1, 10, -8, 0);
		insns[n++] = INSN(EBPF_LDX | EBPF_MEM | EBPF_DW, 2, 10, -EBPF_STACK_SIZE, 0);
		insns[n++] = ADD_X(0, 1);
		insns[n++] = ADD_X(0, 2);
		insns[n++] = EXIT_;
	}
	for (size_t i = 2; i < n - 8; i += 8)
		insns[i].imm = 5;
	ck_assert_uint_eq(r0_of(insns, n), 2 * 36);
}
END_TEST

START_TEST(callees_use_what_callers_point_to)
{
	ck_assert_uint_eq(R0_OF(MOV_X(1, 10), ADD_K(1, -8), CALL_LOCAL(2),
				INSN(EBPF_LDX | EBPF_MEM | EBPF_DW, 0, 10, -8, 0), EXIT_,
				INSN(EBPF_ST | EBPF_MEM | EBPF_DW, 1, 0, 0, 77), EXIT_), 77);
}
END_TEST

START_TEST(may_goto_ends_an_endless_loop)
{
	static const struct ebpf_insn insns[] = {
		{ EBPF_ALU64 | EBPF_MOV, 0, 0, 0, 0 },
		{ EBPF_JMP | EBPF_JCOND, 0, 0, 2, 0 },
		{ EBPF_ALU64 | EBPF_ADD, 0, 0, 0, 1 },
		{ EBPF_JMP | EBPF_JA, 0, 0, -3, 0 },
		{ EBPF_JMP | EBPF_EXIT, 0, 0, 0, 0 },
	};
	struct ebpf_prog *prog;

	ck_assert_int_eq(ebpf_prog_load_trusted(&type, insns, N_ELEMS(insns), NULL, &prog, NULL),
			 0);
	ck_assert_uint_eq(ebpf_prog_run(prog, 0, 0), EBPF_MAX_LOOPS);
	ebpf_prog_put(prog);
}
END_TEST

START_TEST(helpers_get_the_environment)
{
	static const struct ebpf_insn insns[] = {
		{ EBPF_JMP | EBPF_CALL, 0, 0, 0, 42 },
		{ EBPF_JMP | EBPF_EXIT, 0, 0, 0, 0 },
	};
	uint64_t env = 9;
	struct ebpf_prog *prog;

	ck_assert_int_eq(ebpf_prog_load_trusted(&type, insns, 2, &env, &prog, NULL), 0);
	ck_assert_uint_eq(ebpf_prog_run(prog, 1, 2), 30);
	ebpf_prog_put(prog);
}
END_TEST

/* Machine code for this library's own programs, which no verifier has seen, does the same. */
static const enum ebpf_jit engines[] = { EBPF_JIT_OFF, EBPF_JIT_ON };

START_TEST(unaligned_atomics_change_the_right_bytes)
{
	static const struct ebpf_insn insns[] = {
		{ EBPF_ALU64 | EBPF_MOV, 2, 0, 0, 5 },
		{ EBPF_STX | EBPF_ATOMIC | EBPF_DW, 1, 2, 3, EBPF_ADD | EBPF_FETCH },
		{ EBPF_ALU64 | EBPF_MOV | EBPF_X, 0, 2, 0, 0 },
		{ EBPF_JMP | EBPF_EXIT, 0, 0, 0, 0 },
	};
	struct ebpf_policy policy = { .size = sizeof(policy), .jit = engines[_i] };
	_Alignas(8) uint8_t mem[16] = { 0 };
	struct ebpf_prog *prog;
	uint64_t v = 37;

	memcpy(mem + 3, &v, sizeof(v));
	ck_assert_int_eq(ebpf_prog_load_trusted_by(&type, insns, N_ELEMS(insns), NULL, &policy,
						   &prog, NULL), 0);
	ck_assert_uint_eq(ebpf_prog_run(prog, (uintptr_t)mem, 0), 37);
	ck_assert_uint_eq(peek(mem + 3, 8), 42);
	ebpf_prog_put(prog);
}
END_TEST

static const uint64_t atomic_value = 0x123456789abcdef5;

/* What an atomic row gives, on a value at an offset: R0 and R2 as one number, and the value. */
static void
run_atomic(int row, int16_t off, enum ebpf_jit jit, uint64_t r0, uint64_t *result, uint64_t *after)
{
	const struct ebpf_policy policy = { .size = sizeof(policy), .jit = jit };
	bool is_load = ebpf_ops[row].form == EBPF_FORM_LOAD_ACQ;
	_Alignas(8) uint8_t mem[24] = { 0 };
	struct program p = { .n = 0 };
	struct ebpf_prog *prog;

	add_lddw(&p, 0, r0);
	add_lddw(&p, 2, 0x5a5a5a5a00ff00ff);
	add(&p, is_load ? row_insn(row, 2, 1, off, 0) : row_insn(row, 1, 2, off, 0));
	add(&p, INSN(EBPF_ALU64 | EBPF_MUL, 0, 0, 0, 31));
	add(&p, INSN(EBPF_ALU64 | EBPF_ADD | EBPF_X, 0, 2, 0, 0));
	add(&p, EXIT_);
	memcpy(mem + off, &atomic_value, sizeof(atomic_value));
	ck_assert_int_eq(ebpf_prog_load_trusted_by(&type, p.insns, p.n, NULL, &policy, &prog, NULL),
			 0);
	*result = ebpf_prog_run(prog, (uintptr_t)mem, 0);
	*after = peek(mem + off, 8);
	memset(mem + off, 0, 8);
	for (size_t k = 0; k < sizeof(mem); k++)
		ck_assert_uint_eq(mem[k], 0);
	ebpf_prog_put(prog);
}

/* Each atomic row, on a value at other addresses and on the same at an aligned one. */
START_TEST(unaligned_atomics_do_what_aligned_ones_do)
{
	const struct ebpf_op_desc *d = &ebpf_ops[_i];
	bool is_load = d->form == EBPF_FORM_LOAD_ACQ;
	static const int16_t offs[] = { 3, 10, 12, 15 };
	uint64_t result, after, other, other_after, same = atomic_value;
	uint32_t half;

	memcpy(&half, &atomic_value, sizeof(half));
	if (d->form < EBPF_FORM_ATOMIC || d->form > EBPF_FORM_STORE_REL)
		return;
	if (size_of(d->code) == 4)
		same = half;
	/* compare-and-exchange finds what it compares with, or not */
	for (uint64_t r0 = same; r0 <= same + 1; r0++) {
		run_atomic(_i, 8, EBPF_JIT_OFF, r0, &result, &after);
		ck_assert_msg(is_load || after != atomic_value || r0 != same, "%s", d->name);
		for (size_t i = 0; i < N_ELEMS(offs) * N_ELEMS(engines); i++) {
			run_atomic(_i, offs[i / 2], engines[i % 2], r0, &other, &other_after);
			ck_assert_msg(result == other && after == other_after,
				      "%s at %d, engine %zu", d->name, offs[i / 2], i % 2);
		}
	}
}
END_TEST

/* ---- what the checked interpreter refuses ---- */

#define K(c, d, s, o, i) { .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) }
#define K_EXIT K(EBPF_JMP | EBPF_EXIT, 0, 0, 0, 0)
#define K_MOV K(EBPF_ALU64 | EBPF_MOV, 0, 0, 0, 0)
#define LDXW(s, o) K(EBPF_LDX | EBPF_MEM | EBPF_W, 0, s, o, 0)

static const struct {
	struct ebpf_insn insns[4];
	size_t n;
	int rc;
	const char *err;
} failing[] = {
	{ { LDXW(1, 13), K_EXIT }, 2, -EFAULT,
	  "insn 0: 4 bytes at offset 13 of the memory, which has 16" },
	{ { LDXW(1, -1), K_EXIT }, 2, -EFAULT,
	  "insn 0: 4 bytes at offset -1 of the memory, which has 16" },
	{ { LDXW(10, -3), K_EXIT }, 2, -EFAULT, "insn 0: 4 bytes at r10-3, outside the stack" },
	{ { LDXW(10, -513), K_EXIT }, 2, -EFAULT, "insn 0: 4 bytes at r10-513, outside the stack" },
	{ { K_MOV, LDXW(0, 0), K_EXIT }, 3, -EFAULT,
	  "insn 1: 4 bytes at address 0x0, outside memory, stack and maps" },
	{ { K(EBPF_ST | EBPF_MEM | EBPF_DW, 0, 0, -1, 0), K_EXIT }, 2, -EFAULT,
	  "insn 0: 8 bytes at address 0xffffffffffffffff, outside memory, stack and maps" },
	{ { K(EBPF_STX | EBPF_ATOMIC | EBPF_DW, 10, 0, -12, EBPF_ADD), K_EXIT }, 2, -EFAULT, NULL },
	{ { K_MOV, K_MOV }, 2, -EINVAL, "insn 1: ran off the end of the program" },
	{ { K(EBPF_JMP | EBPF_JA, 0, 0, 5, 0), K_EXIT }, 2, -EINVAL,
	  "insn 0: jump to 6, but the program has 2" },
	{ { K_MOV, K(EBPF_JMP | EBPF_JEQ, 0, 0, -3, 0), K_EXIT }, 3, -EINVAL,
	  "insn 1: jump to -1, but the program has 3" },
	{ { K(EBPF_JMP32 | EBPF_JA, 0, 0, 0, INT32_MAX), K_EXIT }, 2, -EINVAL,
	  "insn 0: jump to 2147483648, but the program has 2" },
	{ { K(EBPF_JMP | EBPF_JA, 0, 0, 1, 0), K(EBPF_LD | EBPF_DW, 0, 0, 0, 0), { 0 }, K_EXIT }, 4,
	  -EINVAL, "insn 2: reached, but it is the second half of an instruction" },
	{ { K(EBPF_JMP | EBPF_CALL, 0, 0, 0, 9999), K_EXIT }, 2, -EINVAL,
	  "insn 0: program type raw has no helper 9999" },
	{ { K(EBPF_JMP | EBPF_CALL, 0, 1, 0, -1), K_EXIT }, 2, -E2BIG,
	  "insn 0: calls nested deeper than 8 frames" },
	{ { K(EBPF_JMP | EBPF_JA, 0, 0, -1, 0), K_EXIT }, 2, -ELOOP,
	  "insn 0: still running after 1000 instructions" },
};

START_TEST(a_failed_run_names_the_instruction)
{
	for (int variant = 0; variant < 2; variant++) {
		_Alignas(8) uint8_t mem[16] = { 0 };
		struct ebpf_run_opts opts = { .size = sizeof(opts), .max_steps = 1000 };
		struct ebpf_err err = { "" };
		struct ebpf_prog *prog;
		uint64_t r0 = 12345;
		int rc;

		ck_assert_msg(ebpf_prog_load(ebpf_prog_type_raw(), failing[_i].insns, failing[_i].n,
					     &prog, &err) == 0, "%s", err.text);
		rc = (variant ? checked_switch : checked_labels)(prog, mem, sizeof(mem), &opts, &r0,
								 &err);
		ck_assert_int_eq(rc, failing[_i].rc);
		if (failing[_i].err != NULL)
			ck_assert_str_eq(err.text, failing[_i].err);
		ck_assert_uint_eq(r0, 12345);
		ck_assert_uint_eq(ebpf_prog_run(prog, 0, 0), 0);
		ebpf_prog_put(prog);
	}
}
END_TEST

/* A load of each size at each address around both ends of the memory. */
START_TEST(access_is_allowed_exactly_within_bounds)
{
	static const uint8_t sizes[] = { EBPF_B, EBPF_H, EBPF_W, EBPF_DW };
	uint8_t mem[64] = { 0 };

	for (size_t s = 0; s < N_ELEMS(sizes); s++) {
		for (size_t len = 0; len <= 16; len++) {
			for (int off = -10; off <= 26; off++) {
				struct ebpf_insn insns[] = {
					K(EBPF_LDX | EBPF_MEM, 0, 1, 0, 0), K_EXIT,
				};
				int n = (int)size_of(sizes[s]);
				struct ebpf_prog *prog;
				uint64_t r0;
				int rc;

				insns[0].code |= sizes[s];
				insns[0].off = (int16_t)off;
				ck_assert_int_eq(ebpf_prog_load(ebpf_prog_type_raw(), insns, 2,
								&prog, NULL), 0);
				rc = ebpf_prog_run_checked(prog, mem + 16, len, NULL, &r0, NULL);
				ck_assert_int_eq(rc, off >= 0 && off + n <= (int)len ? 0 : -EFAULT);
				ebpf_prog_put(prog);
			}
		}
	}
}
END_TEST

START_TEST(foreign_programs_of_other_types_are_refused)
{
	static const struct ebpf_insn insns[] = { K_EXIT };
	struct ebpf_prog *prog;
	struct ebpf_err err;
	uint64_t r0;

	ck_assert_int_eq(ebpf_prog_load(&type, insns, 1, &prog, NULL), 0);
	ck_assert_int_eq(ebpf_prog_run_checked(prog, NULL, 0, NULL, &r0, &err), -EINVAL);
	ck_assert_str_eq(err.text, "program type test: its helpers do not test what they are given");
	ebpf_prog_put(prog);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("ebpf/interp");
	TCase *tc = tcase_create("both");

	tcase_set_timeout(tc, 240);
	tcase_add_test(tc, each_row_computes_what_the_reference_does_on_every_engine);
	tcase_add_test(tc, eight_frames_have_a_stack_each);
	tcase_add_test(tc, callees_use_what_callers_point_to);
	suite_add_tcase(s, tc);

	tc = tcase_create("fast");
	tcase_add_test(tc, may_goto_ends_an_endless_loop);
	tcase_add_test(tc, helpers_get_the_environment);
	tcase_add_loop_test(tc, unaligned_atomics_change_the_right_bytes, 0, N_ELEMS(engines));
	tcase_add_loop_test(tc, unaligned_atomics_do_what_aligned_ones_do, 0, EBPF_N_OPS);
	suite_add_tcase(s, tc);

	tc = tcase_create("checked");
	tcase_add_loop_test(tc, a_failed_run_names_the_instruction, 0, N_ELEMS(failing));
	tcase_add_test(tc, access_is_allowed_exactly_within_bounds);
	tcase_add_test(tc, foreign_programs_of_other_types_are_refused);
	suite_add_tcase(s, tc);
	return s;
}
