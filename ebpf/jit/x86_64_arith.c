/* SPDX-License-Identifier: BSD-2-Clause */
/* Arithmetic as x86-64 has it, and where it has not: division, shifts by any register. */
#include "config.h"

#include "ebpf/jit/magic.h"
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

/* R11 = the upper half of RAX's product with R11, RAX being what is divided, in 64 bits. */
static void
upper_half(struct jit *j, bool wide, bool is_signed, unsigned dst, uint64_t factor)
{
	x86_mov(&j->b, true, R9, RAX);
	x86_push(&j->b, RDX);
	if (is_signed && !wide)
		x86_rr(&j->b, true, 0x63, RAX, dst);    /* movsxd */
	else if (!wide || dst != RAX)
		x86_mov(&j->b, wide, RAX, dst);
	x86_mov_imm(&j->b, R11, factor);
	x86_unary(&j->b, true, is_signed ? UNARY_IMUL : UNARY_MUL, R11);
	x86_mov(&j->b, true, R11, RDX);
	x86_pop(&j->b, RDX);
	x86_mov(&j->b, true, RAX, R9);
}

/* From the upper half to the quotient, both in R11; dst is what is divided. */
static void
correct_unsigned(struct jit *j, const struct jit_magic *m, unsigned dst)
{
	unsigned shift = m->shift;

	if (m->adds) {
		x86_mov(&j->b, true, R9, dst);
		x86_alu(&j->b, true, ALU_SUB, R9, R11);
		x86_shift_imm(&j->b, true, SHIFT_SHR, R9, 1);
		x86_alu(&j->b, true, ALU_ADD, R11, R9);
		shift--;
	}
	if (shift > 0)
		x86_shift_imm(&j->b, true, SHIFT_SHR, R11, shift);
}

static void
correct_signed(struct jit *j, const struct jit_magic *m, bool wide, unsigned dst)
{
	unsigned n = dst;

	if ((m->adds || m->subtracts) && !wide) {
		x86_rr(&j->b, true, 0x63, R9, dst);
		n = R9;
	}
	if (m->adds || m->subtracts)
		x86_alu(&j->b, true, m->adds ? ALU_ADD : ALU_SUB, R11, n);
	if (m->shift > 0)
		x86_shift_imm(&j->b, true, SHIFT_SAR, R11, m->shift);
	x86_mov(&j->b, true, R9, R11);
	x86_shift_imm(&j->b, true, SHIFT_SHR, R9, 63);
	x86_alu(&j->b, true, ALU_ADD, R11, R9);
}

/*
 * Unsigned 32 bits need no correction: 2^64 / k, rounded up, is exact since what
 * rounding adds to it, less than k, stays below one unit when multiplied by 32 bits.
 */
static void
divide_by_product(struct jit *j, bool wide, bool is_signed, bool is_mod, unsigned dst, int32_t imm)
{
	struct jit_magic m = { .factor = UINT64_MAX / (uint32_t)imm + 1 };

	if (is_signed)
		m = jit_magic_signed(imm);
	else if (wide)
		m = jit_magic_unsigned((uint64_t)(int64_t)imm);
	upper_half(j, wide, is_signed, dst, m.factor);
	if (is_signed)
		correct_signed(j, &m, wide, dst);
	else
		correct_unsigned(j, &m, dst);
	if (!is_mod) {
		x86_mov(&j->b, wide, dst, R11);
		return;
	}
	x86_rr(&j->b, wide, 0x69, R11, R11);
	jit_le(&j->b, (uint32_t)imm, 4);
	x86_alu(&j->b, wide, ALU_SUB, dst, R11);
}

/* The machine's own division is the slower one by far. */
static void
divide_by_constant(struct jit *j, const struct ebpf_insn *insn, bool wide, bool is_mod)
{
	bool is_signed = insn->off == 1;
	uint32_t k = (uint32_t)insn->imm;
	unsigned dst = jit_reg(j, insn->dst_reg);

	if (k == 0)
		divide_by_zero(j, wide, is_mod, dst);
	else if (is_signed && insn->imm == -1)
		divide_by_minus_one(j, wide, is_mod, dst);
	else if ((k & (k - 1)) == 0 && (k == 1 || !is_signed) && (!wide || insn->imm > 0))
		divide_by_power(j, wide, is_mod, dst, k);
	else
		divide_by_product(j, wide, is_signed, is_mod, dst, insn->imm);
}

static void
divide(struct jit *j, const struct ebpf_insn *insn, bool wide)
{
	bool is_mod = (insn->code & 0xf0) == EBPF_MOD;
	unsigned dst = jit_reg(j, insn->dst_reg);

	if ((insn->code & 0x08) != EBPF_X) {
		divide_by_constant(j, insn, wide, is_mod);
		return;
	}
	x86_mov(&j->b, true, R11, jit_reg(j, insn->src_reg));
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
