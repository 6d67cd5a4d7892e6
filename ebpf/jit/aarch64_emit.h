/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A64 instructions, encoded one by one at the end of a buffer.  Operands are in
 * the order of the assembler: destination first.
 * Source: Arm Architecture Reference Manual (DDI 0487), chapter C4.
 */
#ifndef BPFSIFT_EBPF_JIT_AARCH64_EMIT_H
#define BPFSIFT_EBPF_JIT_AARCH64_EMIT_H

#include "ebpf/jit/buf.h"

#include <stdbool.h>
#include <string.h>

/* 31 is the stack's pointer or a register of zeros, as the instruction says. */
enum a64_reg {
	X0, X1, X2, X3, X4, X5, X6, X7, X8, X9, X10, X11, X12, X13, X14, X15, X16, X17,
	X19 = 19, X20, X21, X22, X23, X24, X25, X26, X27, X28, X29, X30,
	SP = 31, ZR = 31,
};

/* Conditions, as branches encode them: those with the other lowest bit are the opposite. */
enum a64_cc {
	CC_EQ = 0, CC_NE = 1, CC_HS = 2, CC_LO = 3, CC_HI = 8, CC_LS = 9,
	CC_GE = 10, CC_LT = 11, CC_GT = 12, CC_LE = 13,
};

/* Operations of three registers, 32 bits wide. */
enum a64_op {
	A64_ADD = 0x0b000000, A64_SUB = 0x4b000000, A64_CMP = 0x6b000000,
	A64_AND = 0x0a000000, A64_ORR = 0x2a000000, A64_EOR = 0x4a000000, A64_TST = 0x6a000000,
	A64_ORN = 0x2a200000,
	A64_UDIV = 0x1ac00800, A64_SDIV = 0x1ac00c00,
	A64_LSL = 0x1ac02000, A64_LSR = 0x1ac02400, A64_ASR = 0x1ac02800,
};

/* What is done with memory: as bits 22 and 23 say. */
enum a64_access { A64_STORE = 0, A64_LOAD = 1, A64_LOAD_SIGNED = 2 };

/* Exclusive and ordered accesses of bytes. */
enum a64_exclusive {
	A64_LDXR = 0x085f7c00, A64_LDAXR = 0x085ffc00, A64_STXR = 0x08007c00,
	A64_STLXR = 0x0800fc00, A64_LDAR = 0x08dffc00, A64_STLR = 0x089ffc00,
};

/* Atomic operations of FEAT_LSE, without an order; those of A64_ORDERED have both. */
enum a64_lse {
	A64_LDADD = 0x38200000, A64_LDCLR = 0x38201000, A64_LDEOR = 0x38202000,
	A64_LDSET = 0x38203000, A64_SWP = 0x38208000, A64_CASAL = 0x08e0fc00,
};
#define A64_ORDERED 0x00c00000u

#define A64_WIDE 0x80000000u

static inline void
a64_word(struct jit_buf *b, uint32_t word)
{
	jit_le(b, word, 4);
}

static inline uint32_t
a64_width(bool wide)
{
	return wide ? A64_WIDE : 0;
}

/* ---- registers ---- */

static inline void
a64_rrr(struct jit_buf *b, bool wide, enum a64_op op, unsigned dst, unsigned n, unsigned m)
{
	a64_word(b, (uint32_t)op | a64_width(wide) | m << 16 | n << 5 | dst);
}

/* Not of SP. */
static inline void
a64_mov(struct jit_buf *b, bool wide, unsigned dst, unsigned src)
{
	a64_rrr(b, wide, A64_ORR, dst, ZR, src);
}

/* dst = a + n * m, and a - n * m */
static inline void
a64_madd(struct jit_buf *b, bool wide, unsigned dst, unsigned n, unsigned m, unsigned a)
{
	a64_word(b, 0x1b000000 | a64_width(wide) | m << 16 | a << 10 | n << 5 | dst);
}

static inline void
a64_msub(struct jit_buf *b, bool wide, unsigned dst, unsigned n, unsigned m, unsigned a)
{
	a64_word(b, 0x1b008000 | a64_width(wide) | m << 16 | a << 10 | n << 5 | dst);
}

/* The upper half of the product. */
static inline void
a64_mulh(struct jit_buf *b, bool is_signed, unsigned dst, unsigned n, unsigned m)
{
	a64_word(b, (is_signed ? 0x9b407c00 : 0x9bc07c00) | m << 16 | n << 5 | dst);
}

/* Bytes turned around: in each half word, or in the whole. */
static inline void
a64_rev16(struct jit_buf *b, unsigned dst, unsigned n)
{
	a64_word(b, 0x5ac00400 | n << 5 | dst);
}

static inline void
a64_rev(struct jit_buf *b, bool wide, unsigned dst, unsigned n)
{
	a64_word(b, (wide ? 0xdac00c00 : 0x5ac00800) | n << 5 | dst);
}

static inline void
a64_csel(struct jit_buf *b, unsigned dst, unsigned n, unsigned m, enum a64_cc cc)
{
	a64_word(b, 0x9a800000 | m << 16 | (unsigned)cc << 12 | n << 5 | dst);
}

/* ---- bit fields ---- */

/* Bits r to s of n, the one above the other in the register or around its end. */
static inline void
a64_bits(struct jit_buf *b, bool wide, bool is_signed, unsigned dst, unsigned n, unsigned r,
	 unsigned s)
{
	a64_word(b, (is_signed ? 0x13000000 : 0x53000000) | a64_width(wide) |
			    (uint32_t)wide << 22 | r << 16 | s << 10 | n << 5 | dst);
}

static inline void
a64_lsl_imm(struct jit_buf *b, bool wide, unsigned dst, unsigned n, unsigned count)
{
	unsigned size = wide ? 64 : 32;

	a64_bits(b, wide, false, dst, n, (size - count) % size, size - 1 - count);
}

static inline void
a64_shr_imm(struct jit_buf *b, bool wide, bool is_signed, unsigned dst, unsigned n,
	    unsigned count)
{
	a64_bits(b, wide, is_signed, dst, n, count, wide ? 63 : 31);
}

/* ---- constants ---- */

/*
 * A constant as logical instructions have it: a run of ones in a field of 2 to
 * 64 bits, rotated, and the field as often as the register has it.  Whether v
 * is one; bits receives N, immr and imms, in their place.
 */
static inline bool
a64_logical(uint64_t v, bool wide, uint32_t *bits)
{
	unsigned size = 64, ones, start;
	uint64_t begins;

	if (!wide)
		v = (v & UINT32_MAX) | v << 32;
	if (v == 0 || v == UINT64_MAX)
		return false;
	while (size > 2 && v == (v >> size / 2 | v << (64 - size / 2)))
		size /= 2;
	begins = v & ~(v << 1 | v >> 63);       /* of runs: one in each field */
	if (__builtin_popcountll(begins) != (int)(64 / size))
		return false;
	ones = (unsigned)__builtin_popcountll(v) * size / 64;
	start = (unsigned)__builtin_ctzll(begins);
	*bits = (uint32_t)(size == 64) << 22 | (size - start) % size << 16 |
		((0x3f & ~(2 * size - 1)) | (ones - 1)) << 10;
	return true;
}

/* An operation's bits that say which it is of those with a constant. */
#define A64_WHICH 0x60000000u

/* op is AND, ORR, EOR, or TST. */
static inline void
a64_logical_imm(struct jit_buf *b, bool wide, enum a64_op op, unsigned dst, unsigned n,
		uint32_t bits)
{
	a64_word(b, 0x12000000 | (op & A64_WHICH) | a64_width(wide) | bits | n << 5 | dst);
}

/* Half word i of a constant: MOVN 0, MOVZ 2, MOVK 3. */
static inline void
a64_mov_wide(struct jit_buf *b, bool wide, unsigned op, unsigned dst, unsigned half, unsigned i)
{
	a64_word(b, 0x12800000 | a64_width(wide) | op << 29 | i << 21 | half << 5 | dst);
}

/* A constant of 64 bits in as few instructions as there are; flags are kept. */
static inline void
a64_mov_imm(struct jit_buf *b, unsigned dst, uint64_t v)
{
	bool wide = v > UINT32_MAX, is_first = true, is_inverted;
	unsigned n = wide ? 4 : 2, zeros = 0, ones = 0;
	uint32_t bits;

	for (unsigned i = 0; i < n; i++) {
		zeros += (v >> 16 * i & 0xffff) == 0;
		ones += (v >> 16 * i & 0xffff) == 0xffff;
	}
	if (zeros + 1 < n && ones + 1 < n && a64_logical(v, wide, &bits)) {
		a64_logical_imm(b, wide, A64_ORR, dst, ZR, bits);
		return;
	}
	is_inverted = ones > zeros;
	for (unsigned i = 0; i < n; i++) {
		unsigned half = v >> 16 * i & 0xffff, filler = is_inverted ? 0xffff : 0;

		if (half == filler)
			continue;
		if (is_first)
			a64_mov_wide(b, wide, is_inverted ? 0 : 2, dst, half ^ filler, i);
		else
			a64_mov_wide(b, wide, 3, dst, half, i);
		is_first = false;
	}
	if (is_first)
		a64_mov_wide(b, wide, is_inverted ? 0 : 2, dst, 0, 0);
}

/* A constant as additions have it: 12 bits, or the 12 above them. */
static inline bool
a64_is_addend(uint64_t v)
{
	return v < 1 << 12 || (v < 1 << 24 && (v & 0xfff) == 0);
}

/* op is ADD, SUB, or CMP; v an addend. */
static inline void
a64_add_imm(struct jit_buf *b, bool wide, enum a64_op op, unsigned dst, unsigned n, uint64_t v)
{
	uint32_t imm = v < 1 << 12 ? (uint32_t)v << 10 : 1u << 22 | (uint32_t)(v >> 12) << 10;

	a64_word(b, 0x11000000 | (op & A64_WHICH) | a64_width(wide) | imm | n << 5 | dst);
}

/* ---- memory ---- */

/*
 * 2^size bytes at base + off; scratch is lost where off is more than the
 * instruction has room for.
 */
static inline void
a64_access(struct jit_buf *b, enum a64_access how, unsigned size, unsigned reg, unsigned base,
	   int32_t off, unsigned scratch)
{
	uint32_t word = size << 30 | (uint32_t)how << 22 | base << 5 | reg;
	uint32_t scaled = (uint32_t)off >> size;

	if (off >= 0 && scaled << size == (uint32_t)off && scaled < 1 << 12) {
		a64_word(b, 0x39000000 | word | scaled << 10);
	} else if (off >= -256 && off < 256) {
		a64_word(b, 0x38000000 | word | ((uint32_t)off & 0x1ff) << 12);
	} else {
		a64_mov_imm(b, scratch, (uint64_t)(int64_t)off);
		a64_word(b, 0x38206800 | word | scratch << 16);
	}
}

/* 64 bits at an offset that instructions have room for. */
static inline void
a64_ldr(struct jit_buf *b, unsigned reg, unsigned base, int32_t off)
{
	a64_access(b, A64_LOAD, 3, reg, base, off, ZR);
}

static inline void
a64_str(struct jit_buf *b, unsigned reg, unsigned base, int32_t off)
{
	a64_access(b, A64_STORE, 3, reg, base, off, ZR);
}

/* Two registers at the stack's pointer, after or before which it moves. */
static inline void
a64_push_pair(struct jit_buf *b, unsigned first, unsigned second, int32_t size)
{
	a64_word(b, 0xa9800000 | ((uint32_t)(-size / 8) & 0x7f) << 15 | second << 10 | SP << 5 |
			    first);
}

static inline void
a64_pop_pair(struct jit_buf *b, unsigned first, unsigned second, int32_t size)
{
	a64_word(b, 0xa8c00000 | (uint32_t)(size / 8) << 15 | second << 10 | SP << 5 | first);
}

static inline void
a64_store_pair(struct jit_buf *b, unsigned first, unsigned second, int32_t off)
{
	a64_word(b, 0xa9000000 | (uint32_t)(off / 8) << 15 | second << 10 | SP << 5 | first);
}

static inline void
a64_load_pair(struct jit_buf *b, unsigned first, unsigned second, int32_t off)
{
	a64_word(b, 0xa9400000 | (uint32_t)(off / 8) << 15 | second << 10 | SP << 5 | first);
}

/* Have a line come that is about to be read. */
static inline void
a64_prefetch(struct jit_buf *b, unsigned base, unsigned off)
{
	a64_word(b, 0xf8800000 | off << 12 | base << 5);
}

/* 2^size bytes at base; status, of stores alone, is 0 if nobody came between. */
static inline void
a64_exclusive(struct jit_buf *b, enum a64_exclusive how, unsigned size, unsigned status,
	      unsigned reg, unsigned base)
{
	a64_word(b, (uint32_t)how | size << 30 | status << 16 | base << 5 | reg);
}

/*
 * 2^size bytes at base: operand is what is added and so on, reg receives what was
 * there.  A64_CASAL: operand is compared with and receives it, reg is stored.
 */
static inline void
a64_lse(struct jit_buf *b, uint32_t how, unsigned size, unsigned operand, unsigned reg,
	unsigned base)
{
	a64_word(b, how | size << 30 | operand << 16 | base << 5 | reg);
}

/* Nothing behind it is seen before what is ahead of it. */
static inline void
a64_barrier(struct jit_buf *b)
{
	a64_word(b, 0xd5033bbf);
}

/* ---- branches ---- */

/* Bits of a word that a distance in bytes becomes. */
static inline uint32_t
a64_distance(int64_t distance, unsigned n_bits)
{
	return (uint32_t)((uint64_t)distance >> 2) & ((1u << n_bits) - 1);
}

static inline void
a64_b(struct jit_buf *b, bool is_call, size_t to)
{
	a64_word(b, (is_call ? 0x94000000 : 0x14000000) |
			    a64_distance((int64_t)to - (int64_t)b->n, 26));
}

/* A branch without its distance. */
struct a64_branch {
	uint32_t word;
	uint32_t opposite;      /* bits that make it the opposite */
	unsigned n_bits;        /* of its distance */
};

static inline struct a64_branch
a64_b_if(enum a64_cc cc)
{
	return (struct a64_branch){ 0x54000000 | (uint32_t)cc, 1, 19 };
}

static inline struct a64_branch
a64_b_always(void)
{
	return (struct a64_branch){ 0x54000000 | 14, 0, 19 };
}

/* If a register is 0, or is not. */
static inline struct a64_branch
a64_cbz(bool wide, bool is_zero, unsigned reg)
{
	return (struct a64_branch){ (is_zero ? 0x34000000 : 0x35000000) | a64_width(wide) | reg,
				    1 << 24, 19 };
}

/* If a bit of it is 0, or is not. */
static inline struct a64_branch
a64_tbz(bool is_zero, unsigned reg, unsigned bit)
{
	return (struct a64_branch){ (is_zero ? 0x36000000 : 0x37000000) | (bit >> 5) << 31 |
					    (bit & 31) << 19 | reg,
				    1 << 24, 14 };
}

static inline void
a64_branch_to(struct jit_buf *b, struct a64_branch branch, size_t to)
{
	a64_word(b, branch.word |
			    a64_distance((int64_t)to - (int64_t)b->n, branch.n_bits) << 5);
}

/* A branch forward within one sequence: where it is, and then where it leads. */
static inline size_t
a64_branch_forward(struct jit_buf *b, struct a64_branch branch)
{
	a64_word(b, branch.word);
	return b->n - 4;
}

static inline void
a64_land(struct jit_buf *b, size_t from, struct a64_branch branch)
{
	struct jit_buf at = { b->bytes, from };

	a64_branch_to(&at, branch, b->n);
}

static inline void
a64_br(struct jit_buf *b, unsigned reg)
{
	a64_word(b, 0xd61f0000 | reg << 5);
}

static inline void
a64_blr(struct jit_buf *b, unsigned reg)
{
	a64_word(b, 0xd63f0000 | reg << 5);
}

static inline void
a64_ret(struct jit_buf *b)
{
	a64_word(b, 0xd65f03c0);
}

/* Where indirect calls may arrive, and jumps. */
static inline void
a64_bti(struct jit_buf *b, bool jumps)
{
	a64_word(b, jumps ? 0xd50324df : 0xd503245f);
}

#endif
