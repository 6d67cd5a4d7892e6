/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loads, stores and atomic operations.  Those are loops that try until nobody
 * came between, which every machine has, and whose addresses are multiples of
 * the size: the verifier sees to that.
 */
#include "config.h"

#include "ebpf/jit/aarch64.h"

/* The power of two that is the number of bytes. */
static unsigned
size_of(const struct ebpf_insn *insn)
{
	static const uint8_t sizes[] = { 2, 1, 0, 3 };

	return sizes[(insn->code & 0x18) >> 3];
}

/* An access relative to R10 is one to the stack's pointer, from which offsets reach farther. */
static void
access_memory(struct jit *j, enum a64_access how, unsigned size, unsigned reg, unsigned base,
	      int32_t off)
{
	int32_t above = a64_stack_size(j) + off;

	if (base == EBPF_R10 && above >= 0)
		a64_access(&j->b, how, size, reg, SP, above, X16);
	else
		a64_access(&j->b, how, size, reg, jit_reg(j, base), off, X16);
}

void
a64_jit_load(struct jit *j, const struct ebpf_insn *insn)
{
	bool is_signed = (insn->code & 0xe0) == EBPF_MEMSX;

	access_memory(j, is_signed ? A64_LOAD_SIGNED : A64_LOAD, size_of(insn),
		      jit_reg(j, insn->dst_reg), insn->src_reg, insn->off);
}

void
a64_jit_store(struct jit *j, const struct ebpf_insn *insn)
{
	access_memory(j, A64_STORE, size_of(insn), jit_reg(j, insn->src_reg), insn->dst_reg,
		      insn->off);
}

void
a64_jit_store_imm(struct jit *j, const struct ebpf_insn *insn)
{
	unsigned size = size_of(insn);
	uint64_t v = (uint64_t)(int64_t)insn->imm;

	if (size < 3)
		v &= (UINT64_C(1) << (8 << size)) - 1;
	if (v != 0)
		a64_mov_imm(&j->b, X17, v);
	access_memory(j, A64_STORE, size, v != 0 ? X17 : ZR, insn->dst_reg, insn->off);
}

/* The register with base + off, as instructions without offsets want it; X12 where it must be. */
static unsigned
address_of(struct jit *j, unsigned base, int32_t off)
{
	uint64_t distance = (uint64_t)(off < 0 ? -off : off);
	enum a64_op op = off < 0 ? A64_SUB : A64_ADD;

	base = jit_reg(j, base);
	if (off == 0)
		return base;
	if (a64_is_addend(distance)) {
		a64_add_imm(&j->b, true, op, X12, base, distance);
	} else {
		a64_mov_imm(&j->b, X12, distance);
		a64_rrr(&j->b, true, op, X12, base, X12);
	}
	return X12;
}

void
a64_jit_load_acquire(struct jit *j, const struct ebpf_insn *insn)
{
	unsigned at = address_of(j, insn->src_reg, insn->off);

	a64_exclusive(&j->b, A64_LDAR, size_of(insn), 0, jit_reg(j, insn->dst_reg), at);
}

void
a64_jit_store_release(struct jit *j, const struct ebpf_insn *insn)
{
	unsigned at = address_of(j, insn->dst_reg, insn->off);

	a64_exclusive(&j->b, A64_STLR, size_of(insn), 0, jit_reg(j, insn->src_reg), at);
}

/* The machine's operation for an atomic one. */
static enum a64_op
op_of(int32_t imm)
{
	switch (imm & ~EBPF_FETCH) {
	case EBPF_ADD:
		return A64_ADD;
	case EBPF_OR:
		return A64_ORR;
	case EBPF_AND:
		return A64_AND;
	default:
		return A64_EOR;
	}
}

/* Without an order to other accesses. */
void
a64_jit_atomic(struct jit *j, const struct ebpf_insn *insn)
{
	unsigned size = size_of(insn), at = address_of(j, insn->dst_reg, insn->off);
	size_t again = j->b.n;

	a64_exclusive(&j->b, A64_LDXR, size, 0, X13, at);
	a64_rrr(&j->b, size == 3, op_of(insn->imm), X13, X13, jit_reg(j, insn->src_reg));
	a64_exclusive(&j->b, A64_STXR, size, X14, X13, at);
	a64_branch_to(&j->b, a64_cbz(false, false, X14), again);
}

/* Those that return what was there are ordered before and after all others. */
void
a64_jit_fetch(struct jit *j, const struct ebpf_insn *insn)
{
	unsigned size = size_of(insn), at = address_of(j, insn->dst_reg, insn->off);
	unsigned src = jit_reg(j, insn->src_reg), new = src;
	size_t again = j->b.n;

	a64_exclusive(&j->b, A64_LDAXR, size, 0, X13, at);
	if (insn->imm != EBPF_XCHG) {
		new = X15;
		a64_rrr(&j->b, size == 3, op_of(insn->imm), new, X13, src);
	}
	a64_exclusive(&j->b, A64_STLXR, size, X14, new, at);
	a64_branch_to(&j->b, a64_cbz(false, false, X14), again);
	a64_barrier(&j->b);
	a64_mov(&j->b, true, src, X13);
}

void
a64_jit_cmpxchg(struct jit *j, const struct ebpf_insn *insn)
{
	unsigned size = size_of(insn), at = address_of(j, insn->dst_reg, insn->off);
	unsigned r0 = jit_reg(j, EBPF_R0);
	struct a64_branch is_other = a64_b_if(CC_NE);
	size_t again = j->b.n, from;

	a64_exclusive(&j->b, A64_LDAXR, size, 0, X13, at);
	a64_rrr(&j->b, size == 3, A64_CMP, ZR, X13, r0);
	from = a64_branch_forward(&j->b, is_other);
	a64_exclusive(&j->b, A64_STLXR, size, X14, jit_reg(j, insn->src_reg), at);
	a64_branch_to(&j->b, a64_cbz(false, false, X14), again);
	a64_land(&j->b, from, is_other);
	a64_barrier(&j->b);
	a64_mov(&j->b, true, r0, X13);
}
