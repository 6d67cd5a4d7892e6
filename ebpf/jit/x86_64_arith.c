/* SPDX-License-Identifier: BSD-2-Clause */
/* Arithmetic as x86-64 has it, and where it has not: division, shifts by any register. */
#include "config.h"

#include "ebpf/jit/x86_64.h"

/*
 * The machine divides RDX:RAX, here by R11.  R9 keeps R0 and the stack what RDX
 * is, where they are not what is divided.
 */
static void
divide_by_r11(struct jit *j, bool wide, bool is_signed, bool is_mod, unsigned dst)
{
	x86_mov(&j->b, true, R9, RAX);
	x86_push(&j->b, RDX);
	if (dst != RAX)
		x86_mov(&j->b, true, RAX, dst);
	if (is_signed) {
		x86_rex(&j->b, wide, 0, 0, false);
		jit_byte(&j->b, 0x99);  /* cdq, cqo */
	} else {
		x86_rr(&j->b, false, 0x33, RDX, RDX);
	}
	x86_unary(&j->b, wide, is_signed ? UNARY_IDIV : UNARY_DIV, R11);
	x86_mov(&j->b, wide, R11, is_mod ? RDX : RAX);
	x86_pop(&j->b, RDX);
	x86_mov(&j->b, true, RAX, R9);
	x86_mov(&j->b, wide, dst, R11);
}

/* By 0: the quotient is 0, the remainder what was divided. */
static void
divide_by_zero(struct jit *j, bool wide, bool is_mod, unsigned dst)
{
	if (!is_mod)
		x86_rr(&j->b, false, 0x33, dst, dst);
	else if (!wide)
		x86_mov(&j->b, false, dst, dst);
}

/* By -1, which the machine cannot for the least number. */
static void
divide_by_minus_one(struct jit *j, bool wide, bool is_mod, unsigned dst)
{
	if (is_mod)
		x86_rr(&j->b, false, 0x33, dst, dst);
	else
		x86_unary(&j->b, wide, UNARY_NEG, dst);
}

static void
divide_by_any(struct jit *j, bool wide, bool is_signed, bool is_mod, unsigned dst)
{
	size_t zero, done, minus_one = 0;

	x86_rr(&j->b, wide, 0x85, R11, R11);
	zero = x86_jcc_forward(&j->b, CC_E);
	if (is_signed) {
		size_t other;

		x86_alu_imm(&j->b, wide, ALU_CMP, R11, -1);
		other = x86_jcc_forward(&j->b, CC_NE);
		divide_by_minus_one(j, wide, is_mod, dst);
		minus_one = x86_jmp_forward(&j->b);
		x86_land(&j->b, other);
	}
	divide_by_r11(j, wide, is_signed, is_mod, dst);
	done = x86_jmp_forward(&j->b);
	x86_land(&j->b, zero);
	divide_by_zero(j, wide, is_mod, dst);
	x86_land(&j->b, done);
	if (is_signed)
		x86_land(&j->b, minus_one);
}

static void
divide_by_power(struct jit *j, bool wide, bool is_mod, unsigned dst, uint32_t k)
{
	unsigned n = (unsigned)__builtin_ctz(k);

	if (is_mod)
		x86_alu_imm(&j->b, wide, ALU_AND, dst, (int32_t)(k - 1));
	else if (n > 0)
		x86_shift_imm(&j->b, wide, SHIFT_SHR, dst, n);
	else if (!wide)
		x86_mov(&j->b, false, dst, dst);
}

/*
 * 32 bits by a constant that is no power of two: the upper half of the product
 * with 2^64 / k, rounded up, which is exact since what rounding adds to it,
 * less than k, stays below one unit when multiplied by 32 bits.
 */
static void
divide_by_product(struct jit *j, bool is_mod, unsigned dst, uint32_t k)
{
	x86_mov(&j->b, true, R9, RAX);
	x86_push(&j->b, RDX);
	x86_mov(&j->b, false, RAX, dst);
	x86_mov_imm(&j->b, R11, UINT64_MAX / k + 1);
	x86_unary(&j->b, true, UNARY_MUL, R11);
	if (is_mod) {
		x86_rr(&j->b, false, 0x69, R11, RDX);
		jit_le(&j->b, k, 4);
	} else {
		x86_mov(&j->b, false, R11, RDX);
	}
	x86_pop(&j->b, RDX);
	x86_mov(&j->b, true, RAX, R9);
	if (is_mod)
		x86_alu(&j->b, false, ALU_SUB, dst, R11);
	else
		x86_mov(&j->b, false, dst, R11);
}

/* Whether a constant was divided by without the machine's division. */
static bool
divide_by_constant(struct jit *j, const struct ebpf_insn *insn, bool wide, bool is_mod)
{
	uint32_t k = (uint32_t)insn->imm;
	unsigned dst = jit_reg(j, insn->dst_reg);

	if ((insn->code & 0x08) == EBPF_X || insn->off == 1 || k == 0 || (wide && insn->imm < 0))
		return false;
	if ((k & (k - 1)) == 0)
		divide_by_power(j, wide, is_mod, dst, k);
	else if (!wide)
		divide_by_product(j, is_mod, dst, k);
	else
		return false;
	return true;
}

static void
divide(struct jit *j, const struct ebpf_insn *insn, bool wide)
{
	bool is_mod = (insn->code & 0xf0) == EBPF_MOD;
	unsigned dst = jit_reg(j, insn->dst_reg);

	if (divide_by_constant(j, insn, wide, is_mod))
		return;
	if ((insn->code & 0x08) == EBPF_X)
		x86_mov(&j->b, true, R11, jit_reg(j, insn->src_reg));
	else
		x86_mov_imm(&j->b, R11, (uint64_t)(int64_t)insn->imm);
	divide_by_any(j, wide, insn->off == 1, is_mod, dst);
}

static void
shift(struct jit *j, const struct ebpf_insn *insn, bool wide)
{
	uint8_t op = insn->code & 0xf0;
	enum x86_shift how = op == EBPF_LSH ? SHIFT_SHL : op == EBPF_RSH ? SHIFT_SHR : SHIFT_SAR;
	unsigned dst = jit_reg(j, insn->dst_reg), src = jit_reg(j, insn->src_reg);

	if ((insn->code & 0x08) != EBPF_X) {
		unsigned n = (unsigned)insn->imm & (wide ? 63 : 31);

		if (n != 0)
			x86_shift_imm(&j->b, wide, how, dst, n);
		else if (!wide)
			x86_mov(&j->b, false, dst, dst);
		return;
	}
	if (src == RCX && dst != RCX) {
		x86_shift_cl(&j->b, wide, how, dst);
		return;
	}
	/* The machine shifts by CL only. */
	x86_mov(&j->b, true, R11, RCX);
	if (src != RCX)
		x86_mov(&j->b, false, RCX, src);
	x86_shift_cl(&j->b, wide, how, dst == RCX ? R11 : dst);
	if (dst == RCX && !wide)
		x86_mov(&j->b, false, RCX, R11);
	else
		x86_mov(&j->b, true, RCX, R11);
}

static void
multiply(struct jit *j, const struct ebpf_insn *insn, bool wide)
{
	unsigned dst = jit_reg(j, insn->dst_reg);

	if ((insn->code & 0x08) == EBPF_X) {
		x86_0f_rr(&j->b, wide, 0xaf, dst, jit_reg(j, insn->src_reg), false);
	} else {
		x86_rr(&j->b, wide, x86_is_8(insn->imm) ? 0x6b : 0x69, dst, dst);
		jit_le(&j->b, (uint32_t)insn->imm, x86_is_8(insn->imm) ? 1 : 4);
	}
}

static const enum x86_alu alu_ops[16] = {
	[EBPF_ADD >> 4] = ALU_ADD, [EBPF_SUB >> 4] = ALU_SUB, [EBPF_OR >> 4] = ALU_OR,
	[EBPF_AND >> 4] = ALU_AND, [EBPF_XOR >> 4] = ALU_XOR,
};

void
x86_jit_alu(struct jit *j, const struct ebpf_insn *insn)
{
	bool wide = EBPF_CLASS(insn->code) == EBPF_ALU64;
	unsigned dst = jit_reg(j, insn->dst_reg), src = jit_reg(j, insn->src_reg);
	bool is_x = (insn->code & 0x08) == EBPF_X;

	switch (insn->code & 0xf0) {
	case EBPF_MOV:
		if (!is_x)
			x86_mov_imm(&j->b, dst, wide ? (uint64_t)(int64_t)insn->imm
						     : (uint32_t)insn->imm);
		else if (!wide || dst != src)
			x86_mov(&j->b, wide, dst, src);
		break;
	case EBPF_LSH:
	case EBPF_RSH:
	case EBPF_ARSH:
		shift(j, insn, wide);
		break;
	case EBPF_MUL:
		multiply(j, insn, wide);
		break;
	case EBPF_DIV:
	case EBPF_MOD:
		divide(j, insn, wide);
		break;
	default:
		if (is_x)
			x86_alu(&j->b, wide, alu_ops[insn->code >> 4], dst, src);
		else
			x86_alu_imm(&j->b, wide, alu_ops[insn->code >> 4], dst,
				    insn->imm);
	}
}

/* A register's low bytes, with sign. */
void
x86_jit_movsx(struct jit *j, const struct ebpf_insn *insn)
{
	bool wide = EBPF_CLASS(insn->code) == EBPF_ALU64;
	unsigned dst = jit_reg(j, insn->dst_reg), src = jit_reg(j, insn->src_reg);

	if (insn->off == 32)
		x86_rr(&j->b, true, 0x63, dst, src);
	else
		x86_0f_rr(&j->b, wide, insn->off == 8 ? 0xbe : 0xbf, dst, src, insn->off == 8);
}

static void
swap_bytes(struct jit *j, unsigned dst, int32_t bits)
{
	if (bits == 16) {
		jit_byte(&j->b, 0x66);
		x86_shift_imm(&j->b, false, SHIFT_ROR, dst, 8);
		x86_0f_rr(&j->b, false, 0xb7, dst, dst, false);
		return;
	}
	x86_rex(&j->b, bits == 64, 0, dst, false);
	jit_byte(&j->b, 0x0f);
	jit_byte(&j->b, 0xc8 | (dst & 7));
}

/* On this machine little-endian is no change but for the width. */
void
x86_jit_end(struct jit *j, const struct ebpf_insn *insn)
{
	bool swaps = EBPF_CLASS(insn->code) == EBPF_ALU64 || (insn->code & 0x08) != 0;
	unsigned dst = jit_reg(j, insn->dst_reg);

	if (swaps)
		swap_bytes(j, dst, insn->imm);
	else if (insn->imm == 16)
		x86_0f_rr(&j->b, false, 0xb7, dst, dst, false);
	else if (insn->imm == 32)
		x86_mov(&j->b, false, dst, dst);
}
