/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arithmetic as aarch64 has it, which is nearly all as programs want it: a
 * quotient by 0 is 0, that of the least number by -1 is itself, and counts of
 * shifts are taken modulo the width.
 */
#include "config.h"

#include "ebpf/jit/aarch64.h"
#include "ebpf/jit/magic.h"

static bool
is_x(const struct ebpf_insn *insn)
{
	return (insn->code & 0x08) == EBPF_X;
}

/* The constant as an operation of that width sees it. */
static uint64_t
imm_of(const struct ebpf_insn *insn, bool wide)
{
	return wide ? (uint64_t)(int64_t)insn->imm : (uint32_t)insn->imm;
}

/* The register that the second operand is in; a constant comes to X16. */
static unsigned
operand(struct jit *j, const struct ebpf_insn *insn, bool wide)
{
	if (is_x(insn))
		return jit_reg(j, insn->src_reg);
	if (insn->imm == 0)
		return ZR;
	a64_mov_imm(&j->b, X16, imm_of(insn, wide));
	return X16;
}

/* ---- division ---- */

static void
divide_by_power(struct jit *j, bool wide, bool is_mod, unsigned dst, uint32_t k)
{
	unsigned n = (unsigned)__builtin_ctz(k);

	if (is_mod && n == 0)
		a64_mov(&j->b, false, dst, ZR);
	else if (is_mod)
		a64_bits(&j->b, wide, false, dst, dst, 0, n - 1);
	else if (n > 0 || !wide)
		a64_shr_imm(&j->b, wide, false, dst, dst, n);
}

/* From the upper half in X17, of what n is, to the quotient there. */
static void
correct_unsigned(struct jit *j, const struct jit_magic *m, unsigned n)
{
	unsigned shift = m->shift;

	if (m->adds) {
		a64_rrr(&j->b, true, A64_SUB, X16, n, X17);
		a64_shr_imm(&j->b, true, false, X16, X16, 1);
		a64_rrr(&j->b, true, A64_ADD, X17, X17, X16);
		shift--;
	}
	if (shift > 0)
		a64_shr_imm(&j->b, true, false, X17, X17, shift);
}

static void
correct_signed(struct jit *j, const struct jit_magic *m, unsigned n)
{
	if (m->adds || m->subtracts)
		a64_rrr(&j->b, true, m->adds ? A64_ADD : A64_SUB, X17, X17, n);
	if (m->shift > 0)
		a64_shr_imm(&j->b, true, true, X17, X17, m->shift);
	a64_shr_imm(&j->b, true, false, X16, X17, 63);
	a64_rrr(&j->b, true, A64_ADD, X17, X17, X16);
}

/*
 * By the upper half of a product in 64 bits, n in X16 where it is widened to that.
 *
 * Unsigned 32 bits need no correction: 2^64 / k, rounded up, is exact since what
 * rounding adds to it, less than k, stays below one unit when multiplied by 32 bits.
 */
static void
divide_by_product(struct jit *j, bool wide, bool is_signed, bool is_mod, unsigned dst, int32_t imm)
{
	struct jit_magic m = { .factor = UINT64_MAX / (uint32_t)imm + 1 };
	unsigned n = wide ? dst : X16;

	if (is_signed)
		m = jit_magic_signed(imm);
	else if (wide)
		m = jit_magic_unsigned((uint64_t)(int64_t)imm);
	if (!wide)
		a64_bits(&j->b, true, is_signed, X16, dst, 0, 31);
	a64_mov_imm(&j->b, X17, m.factor);
	a64_mulh(&j->b, is_signed, X17, n, X17);
	if (is_signed)
		correct_signed(j, &m, n);
	else
		correct_unsigned(j, &m, n);
	if (!is_mod) {
		a64_mov(&j->b, wide, dst, X17);
		return;
	}
	a64_mov_imm(&j->b, X16, wide ? (uint64_t)(int64_t)imm : (uint32_t)imm);
	a64_msub(&j->b, wide, dst, X17, X16, dst);
}

/* Whether a constant was divided by without the machine's division. */
static bool
divide_by_constant(struct jit *j, const struct ebpf_insn *insn, bool wide, bool is_mod)
{
	bool is_signed = insn->off == 1;
	uint32_t k = (uint32_t)insn->imm;
	unsigned dst = jit_reg(j, insn->dst_reg);

	/* by 0 and -1 as the machine does it */
	if (is_x(insn) || k == 0 || (is_signed && insn->imm == -1))
		return false;
	if ((k & (k - 1)) == 0 && (k == 1 || !is_signed) && (!wide || insn->imm > 0))
		divide_by_power(j, wide, is_mod, dst, k);
	else
		divide_by_product(j, wide, is_signed, is_mod, dst, insn->imm);
	return true;
}

static void
divide(struct jit *j, const struct ebpf_insn *insn, bool wide)
{
	bool is_mod = (insn->code & 0xf0) == EBPF_MOD;
	unsigned dst = jit_reg(j, insn->dst_reg), by;

	if (divide_by_constant(j, insn, wide, is_mod))
		return;
	by = operand(j, insn, wide);
	a64_rrr(&j->b, wide, insn->off == 1 ? A64_SDIV : A64_UDIV, is_mod ? X17 : dst, dst, by);
	if (is_mod)
		a64_msub(&j->b, wide, dst, X17, by, dst);
}

/* ---- the others ---- */

static void
shift(struct jit *j, const struct ebpf_insn *insn, bool wide)
{
	uint8_t op = insn->code & 0xf0;
	unsigned dst = jit_reg(j, insn->dst_reg), n = (unsigned)insn->imm & (wide ? 63 : 31);

	if (is_x(insn))
		a64_rrr(&j->b, wide, op == EBPF_LSH ? A64_LSL : op == EBPF_RSH ? A64_LSR : A64_ASR,
			dst, dst, jit_reg(j, insn->src_reg));
	else if (n == 0 && wide)
		return;
	else if (op == EBPF_LSH)
		a64_lsl_imm(&j->b, wide, dst, dst, n);
	else
		a64_shr_imm(&j->b, wide, op == EBPF_ARSH, dst, dst, n);
}

/* Whether a constant was added, or compared with, as the instruction's own. */
static bool
add_constant(struct jit *j, const struct ebpf_insn *insn, bool wide, enum a64_op op, unsigned dst)
{
	uint64_t v = (uint64_t)(int64_t)insn->imm;
	unsigned n = jit_reg(j, insn->dst_reg);

	if (is_x(insn))
		return false;
	if (!a64_is_addend(v)) {
		v = 0 - v;
		op ^= A64_ADD ^ A64_SUB;
	}
	if (!a64_is_addend(v))
		return false;
	a64_add_imm(&j->b, wide, op, dst, n, v);
	return true;
}

static void
add(struct jit *j, const struct ebpf_insn *insn, bool wide, enum a64_op op)
{
	unsigned dst = jit_reg(j, insn->dst_reg);

	if (!add_constant(j, insn, wide, op, dst))
		a64_rrr(&j->b, wide, op, dst, dst, operand(j, insn, wide));
}

/* dst ZR: flags alone. */
static void
logical(struct jit *j, const struct ebpf_insn *insn, bool wide, enum a64_op op, unsigned dst)
{
	unsigned n = jit_reg(j, insn->dst_reg);
	uint32_t bits;

	if (!is_x(insn) && a64_logical(imm_of(insn, wide), wide, &bits))
		a64_logical_imm(&j->b, wide, op, dst, n, bits);
	else
		a64_rrr(&j->b, wide, op, dst, n, operand(j, insn, wide));
}

static void
move(struct jit *j, const struct ebpf_insn *insn, bool wide)
{
	unsigned dst = jit_reg(j, insn->dst_reg), src = jit_reg(j, insn->src_reg);

	if (!is_x(insn))
		a64_mov_imm(&j->b, dst, imm_of(insn, wide));
	else if (!wide || dst != src)
		a64_mov(&j->b, wide, dst, src);
}

void
a64_jit_alu(struct jit *j, const struct ebpf_insn *insn)
{
	bool wide = EBPF_CLASS(insn->code) == EBPF_ALU64;
	unsigned dst = jit_reg(j, insn->dst_reg);

	switch (insn->code & 0xf0) {
	case EBPF_MOV:
		move(j, insn, wide);
		break;
	case EBPF_ADD:
		add(j, insn, wide, A64_ADD);
		break;
	case EBPF_SUB:
		add(j, insn, wide, A64_SUB);
		break;
	case EBPF_MUL:
		a64_madd(&j->b, wide, dst, dst, operand(j, insn, wide), ZR);
		break;
	case EBPF_DIV:
	case EBPF_MOD:
		divide(j, insn, wide);
		break;
	case EBPF_AND:
		logical(j, insn, wide, A64_AND, dst);
		break;
	case EBPF_OR:
		logical(j, insn, wide, A64_ORR, dst);
		break;
	case EBPF_XOR:
		logical(j, insn, wide, A64_EOR, dst);
		break;
	default:
		shift(j, insn, wide);
	}
}

void
a64_jit_neg(struct jit *j, const struct ebpf_insn *insn)
{
	unsigned dst = jit_reg(j, insn->dst_reg);

	a64_rrr(&j->b, EBPF_CLASS(insn->code) == EBPF_ALU64, A64_SUB, dst, ZR, dst);
}

/* A register's low bytes, with sign. */
void
a64_jit_movsx(struct jit *j, const struct ebpf_insn *insn)
{
	a64_bits(&j->b, EBPF_CLASS(insn->code) == EBPF_ALU64, true, jit_reg(j, insn->dst_reg),
		 jit_reg(j, insn->src_reg), 0, (unsigned)insn->off - 1);
}

/* On this machine little-endian is no change but for the width. */
void
a64_jit_end(struct jit *j, const struct ebpf_insn *insn)
{
	bool swaps = EBPF_CLASS(insn->code) == EBPF_ALU64 || (insn->code & 0x08) != 0;
	unsigned dst = jit_reg(j, insn->dst_reg);

	if (swaps && insn->imm == 16)
		a64_rev16(&j->b, dst, dst);
	else if (swaps)
		a64_rev(&j->b, insn->imm == 64, dst, dst);
	if (insn->imm == 16 || (insn->imm == 32 && !swaps))
		a64_bits(&j->b, false, false, dst, dst, 0, (unsigned)insn->imm - 1);
}

void
a64_jit_compare(struct jit *j, const struct ebpf_insn *insn)
{
	bool wide = EBPF_CLASS(insn->code) == EBPF_JMP;

	if ((insn->code & 0xf0) == EBPF_JSET)
		logical(j, insn, wide, A64_TST, ZR);
	else if (!add_constant(j, insn, wide, A64_CMP, ZR))
		a64_rrr(&j->b, wide, A64_CMP, ZR, jit_reg(j, insn->dst_reg),
			operand(j, insn, wide));
}
