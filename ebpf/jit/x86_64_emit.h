/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x86-64 instructions, encoded one by one at the end of a buffer.  Operands are
 * in the order of Intel's manuals: destination first.
 */
#ifndef BPFSIFT_EBPF_JIT_X86_64_EMIT_H
#define BPFSIFT_EBPF_JIT_X86_64_EMIT_H

#include "ebpf/jit/buf.h"

#include <stdbool.h>

enum x86_reg {
	RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15,
};

/* Conditions, as jumps encode them. */
enum x86_cc {
	CC_B = 2, CC_AE = 3, CC_E = 4, CC_NE = 5, CC_BE = 6, CC_A = 7,
	CC_L = 12, CC_GE = 13, CC_LE = 14, CC_G = 15,
};

/* Groups of operations, as instructions with immediates encode them. */
enum x86_alu { ALU_ADD = 0, ALU_OR = 1, ALU_AND = 4, ALU_SUB = 5, ALU_XOR = 6, ALU_CMP = 7 };
enum x86_shift { SHIFT_ROR = 1, SHIFT_SHL = 4, SHIFT_SHR = 5, SHIFT_SAR = 7 };
enum x86_unary {
	UNARY_NEG = 3, UNARY_MUL = 4, UNARY_IMUL = 5, UNARY_DIV = 6, UNARY_IDIV = 7,
};

static inline bool
x86_is_8(int64_t v)
{
	return v >= INT8_MIN && v <= INT8_MAX;
}

/* REX where it is needed: reg and rm of 4 bits each; byte operands from SPL on need one too. */
static inline void
x86_rex(struct jit_buf *b, bool wide, unsigned reg, unsigned rm, bool is_byte)
{
	unsigned rex = 0x40 | wide << 3 | (reg >> 3) << 2 | rm >> 3;

	if (rex != 0x40 || is_byte)
		jit_byte(b, rex);
}

/* opcode reg, rm: both registers. */
static inline void
x86_rr(struct jit_buf *b, bool wide, unsigned opcode, unsigned reg, unsigned rm)
{
	x86_rex(b, wide, reg, rm, false);
	jit_byte(b, opcode);
	jit_byte(b, 0xc0 | (reg & 7) << 3 | (rm & 7));
}

static inline void
x86_0f_rr(struct jit_buf *b, bool wide, unsigned opcode, unsigned reg, unsigned rm, bool is_byte)
{
	x86_rex(b, wide, reg, rm, is_byte && rm >= RSP);
	jit_byte(b, 0x0f);
	jit_byte(b, opcode);
	jit_byte(b, 0xc0 | (reg & 7) << 3 | (rm & 7));
}

/* The operand [base + off]. */
static inline void
x86_mem(struct jit_buf *b, unsigned reg, unsigned base, int32_t off)
{
	unsigned mod = off == 0 && (base & 7) != RBP ? 0 : x86_is_8(off) ? 1 : 2;

	jit_byte(b, mod << 6 | (reg & 7) << 3 | (base & 7));
	if ((base & 7) == RSP)
		jit_byte(b, 0x24);
	if (mod != 0)
		jit_le(b, (uint32_t)off, mod == 1 ? 1 : 4);
}

/* opcode reg, [base + off], or the other way round, as the opcode says. */
static inline void
x86_rm(struct jit_buf *b, bool wide, unsigned opcode, unsigned reg, unsigned base, int32_t off)
{
	x86_rex(b, wide, reg, base, false);
	jit_byte(b, opcode);
	x86_mem(b, reg, base, off);
}

static inline void
x86_0f_rm(struct jit_buf *b, bool wide, unsigned opcode, unsigned reg, unsigned base, int32_t off)
{
	x86_rex(b, wide, reg, base, false);
	jit_byte(b, 0x0f);
	jit_byte(b, opcode);
	x86_mem(b, reg, base, off);
}

static inline void
x86_mov(struct jit_buf *b, bool wide, unsigned dst, unsigned src)
{
	x86_rr(b, wide, 0x8b, dst, src);
}

/* A constant of 64 bits; flags are kept. */
static inline void
x86_load_imm(struct jit_buf *b, unsigned dst, uint64_t v)
{
	if (v <= UINT32_MAX) {
		x86_rex(b, false, 0, dst, false);
		jit_byte(b, 0xb8 | (dst & 7));
		jit_le(b, v, 4);
	} else if ((int64_t)v < 0 && (int64_t)v >= INT32_MIN) {
		x86_rr(b, true, 0xc7, 0, dst);
		jit_le(b, v, 4);
	} else {
		x86_rex(b, true, 0, dst, false);
		jit_byte(b, 0xb8 | (dst & 7));
		jit_le(b, v, 8);
	}
}

/* The same in its shortest form; flags are lost. */
static inline void
x86_mov_imm(struct jit_buf *b, unsigned dst, uint64_t v)
{
	if (v == 0)
		x86_rr(b, false, 0x33, dst, dst);
	else
		x86_load_imm(b, dst, v);
}

static inline void
x86_alu(struct jit_buf *b, bool wide, enum x86_alu op, unsigned dst, unsigned src)
{
	x86_rr(b, wide, (unsigned)op << 3 | 3, dst, src);
}

static inline void
x86_alu_imm(struct jit_buf *b, bool wide, enum x86_alu op, unsigned dst, int32_t imm)
{
	x86_rr(b, wide, x86_is_8(imm) ? 0x83 : 0x81, op, dst);
	jit_le(b, (uint32_t)imm, x86_is_8(imm) ? 1 : 4);
}

/* Flags of dst & imm, by the shortest form that tests the same bits. */
static inline void
x86_test_imm(struct jit_buf *b, bool wide, unsigned dst, int32_t imm)
{
	if (imm >= 0)
		wide = false;
	if (imm >= 0 && imm <= 0xff) {
		x86_rex(b, false, 0, dst, dst >= RSP);
		jit_byte(b, 0xf6);
		jit_byte(b, 0xc0 | (dst & 7));
		jit_byte(b, (unsigned)imm);
		return;
	}
	x86_rr(b, wide, 0xf7, 0, dst);
	jit_le(b, (uint32_t)imm, 4);
}

static inline void
x86_shift_imm(struct jit_buf *b, bool wide, enum x86_shift op, unsigned dst, unsigned n)
{
	x86_rr(b, wide, 0xc1, op, dst);
	jit_byte(b, n);
}

/* By CL. */
static inline void
x86_shift_cl(struct jit_buf *b, bool wide, enum x86_shift op, unsigned dst)
{
	x86_rr(b, wide, 0xd3, op, dst);
}

static inline void
x86_unary(struct jit_buf *b, bool wide, enum x86_unary op, unsigned dst)
{
	x86_rr(b, wide, 0xf7, op, dst);
}

static inline void
x86_push(struct jit_buf *b, unsigned reg)
{
	x86_rex(b, false, 0, reg, false);
	jit_byte(b, 0x50 | (reg & 7));
}

static inline void
x86_pop(struct jit_buf *b, unsigned reg)
{
	x86_rex(b, false, 0, reg, false);
	jit_byte(b, 0x58 | (reg & 7));
}

static inline void
x86_call_reg(struct jit_buf *b, unsigned reg)
{
	x86_rex(b, false, 2, reg, false);
	jit_byte(b, 0xff);
	jit_byte(b, 0xc0 | 2 << 3 | (reg & 7));
}

static inline void
x86_jmp_reg(struct jit_buf *b, unsigned reg)
{
	x86_rex(b, false, 4, reg, false);
	jit_byte(b, 0xff);
	jit_byte(b, 0xc0 | 4 << 3 | (reg & 7));
}

/* The operand [base + (index << shift)]. */
static inline void
x86_mem_scaled(struct jit_buf *b, unsigned reg, unsigned base, unsigned index, unsigned shift)
{
	bool has_disp = (base & 7) == RBP;      /* without one it would mean another base */

	jit_byte(b, (has_disp ? 0x44 : 0x04) | (reg & 7) << 3);
	jit_byte(b, shift << 6 | (index & 7) << 3 | (base & 7));
	if (has_disp)
		jit_byte(b, 0);
}

/* dst = base + (index << shift) */
static inline void
x86_lea_scaled(struct jit_buf *b, unsigned dst, unsigned base, unsigned index, unsigned shift)
{
	jit_byte(b, 0x48 | (dst >> 3) << 2 | (index >> 3) << 1 | base >> 3);
	jit_byte(b, 0x8d);
	x86_mem_scaled(b, dst, base, index, shift);
}

/* dst = index << 3 */
static inline void
x86_lea_times_8(struct jit_buf *b, unsigned dst, unsigned index)
{
	jit_byte(b, 0x48 | (dst >> 3) << 2 | (index >> 3) << 1);
	jit_byte(b, 0x8d);
	jit_byte(b, 0x04 | (dst & 7) << 3);
	jit_byte(b, 3 << 6 | (index & 7) << 3 | RBP);
	jit_le(b, 0, 4);
}

/* Have a line come that is about to be read: [base + off], [base + (index << shift)]. */
static inline void
x86_prefetch(struct jit_buf *b, unsigned base, int32_t off)
{
	x86_0f_rm(b, false, 0x18, 1, base, off);
}

static inline void
x86_prefetch_scaled(struct jit_buf *b, unsigned base, unsigned index, unsigned shift)
{
	if ((index | base) >> 3 != 0)
		jit_byte(b, 0x40 | (index >> 3) << 1 | base >> 3);
	jit_byte(b, 0x0f);
	jit_byte(b, 0x18);
	x86_mem_scaled(b, 1, base, index, shift);
}

/* n bytes that do nothing, in few instructions. */
static inline void
x86_nops(struct jit_buf *b, size_t n)
{
	static const uint8_t nops[][9] = {
		{ 0x90 },
		{ 0x66, 0x90 },
		{ 0x0f, 0x1f, 0x00 },
		{ 0x0f, 0x1f, 0x40 },
		{ 0x0f, 0x1f, 0x44 },
		{ 0x66, 0x0f, 0x1f, 0x44 },
		{ 0x0f, 0x1f, 0x80 },
		{ 0x0f, 0x1f, 0x84 },
		{ 0x66, 0x0f, 0x1f, 0x84 },
	};
	size_t longest = sizeof(nops[0]);

	while (n > 0) {
		size_t some = n < longest ? n : longest;

		for (size_t i = 0; i < some; i++)
			jit_byte(b, nops[some - 1][i]);
		n -= some;
	}
}

/* A jump forward within one sequence: what is to be filled, and then filling it. */
static inline size_t
x86_jcc_forward(struct jit_buf *b, enum x86_cc cc)
{
	jit_byte(b, 0x70 | cc);
	jit_byte(b, 0);
	return b->n;
}

static inline size_t
x86_jmp_forward(struct jit_buf *b)
{
	jit_byte(b, 0xeb);
	jit_byte(b, 0);
	return b->n;
}

static inline void
x86_land(struct jit_buf *b, size_t from)
{
	if (b->bytes != NULL)
		b->bytes[from - 1] = (uint8_t)(b->n - from);
}

#endif
