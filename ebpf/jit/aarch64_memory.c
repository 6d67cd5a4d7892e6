/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loads, stores and atomic operations.  Those are instructions where the machine
 * has them, else loops that try until nobody came between.  Both want addresses
 * that are multiples of the size.  The verifier sees to that; in programs that it
 * has not seen, other addresses are looked for, and there it is done in plain
 * steps, as the interpreter does.
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

/* ---- addresses that are no multiples of the size ---- */

/* Where code goes on that has gone the one way or the other; of use if is_there. */
struct way_round {
	bool is_there;
	size_t from;
};

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

static void
load_plainly(struct jit *j, unsigned size, unsigned reg, unsigned at)
{
	a64_access(&j->b, A64_LOAD, size, reg, at, 0, ZR);
}

static void
store_plainly(struct jit *j, unsigned size, unsigned reg, unsigned at)
{
	a64_access(&j->b, A64_STORE, size, reg, at, 0, ZR);
}

static void
compare_plainly(struct jit *j, unsigned size, unsigned src, unsigned at)
{
	unsigned r0 = jit_reg(j, EBPF_R0);
	struct a64_branch is_other = a64_b_if(CC_NE);
	size_t from;

	load_plainly(j, size, X13, at);
	a64_rrr(&j->b, size == 3, A64_CMP, ZR, X13, r0);
	from = a64_branch_forward(&j->b, is_other);
	store_plainly(j, size, src, at);
	a64_land(&j->b, from, is_other);
	a64_mov(&j->b, true, r0, X13);
}

/* What one is in steps that others may come between. */
static void
do_plainly(struct jit *j, const struct ebpf_insn *insn, unsigned size, unsigned at)
{
	unsigned src = jit_reg(j, insn->src_reg);

	switch (insn->imm) {
	case EBPF_LOAD_ACQ:
		load_plainly(j, size, jit_reg(j, insn->dst_reg), at);
		return;
	case EBPF_STORE_REL:
		store_plainly(j, size, src, at);
		return;
	case EBPF_CMPXCHG:
		compare_plainly(j, size, src, at);
		return;
	}
	load_plainly(j, size, X13, at);
	if (insn->imm == EBPF_XCHG) {
		store_plainly(j, size, src, at);
	} else {
		a64_rrr(&j->b, size == 3, op_of(insn->imm), X15, X13, src);
		store_plainly(j, size, X15, at);
	}
	if (insn->imm & EBPF_FETCH)
		a64_mov(&j->b, true, src, X13);
}

/* Behind it is what is done at multiples of the size, and then end_aligned(). */
static struct way_round
begin_aligned(struct jit *j, const struct ebpf_insn *insn, unsigned size, unsigned at)
{
	struct way_round way = { .is_there = j->prog->aux->is_own && size > 0 };
	struct a64_branch is_multiple = a64_cbz(true, true, X14);
	size_t from;

	if (!way.is_there)
		return way;
	a64_bits(&j->b, true, false, X14, at, 0, size - 1);
	from = a64_branch_forward(&j->b, is_multiple);
	do_plainly(j, insn, size, at);
	way.from = a64_branch_forward(&j->b, a64_b_always());
	a64_land(&j->b, from, is_multiple);
	return way;
}

static void
end_aligned(struct jit *j, struct way_round way)
{
	if (way.is_there)
		a64_land(&j->b, way.from, a64_b_always());
}

/* ---- atomic operations ---- */

void
a64_jit_load_acquire(struct jit *j, const struct ebpf_insn *insn)
{
	unsigned size = size_of(insn), at = address_of(j, insn->src_reg, insn->off);
	struct way_round way = begin_aligned(j, insn, size, at);

	a64_exclusive(&j->b, A64_LDAR, size, 0, jit_reg(j, insn->dst_reg), at);
	end_aligned(j, way);
}

void
a64_jit_store_release(struct jit *j, const struct ebpf_insn *insn)
{
	unsigned size = size_of(insn), at = address_of(j, insn->dst_reg, insn->off);
	struct way_round way = begin_aligned(j, insn, size, at);

	a64_exclusive(&j->b, A64_STLR, size, 0, jit_reg(j, insn->src_reg), at);
	end_aligned(j, way);
}

/* The same as one instruction; one that clears bits has those that it leaves. */
static uint32_t
lse_of(int32_t imm)
{
	switch (imm & ~EBPF_FETCH) {
	case EBPF_ADD:
		return A64_LDADD;
	case EBPF_OR:
		return A64_LDSET;
	case EBPF_AND:
		return A64_LDCLR;
	case EBPF_XOR:
		return A64_LDEOR;
	default:
		return A64_SWP;
	}
}

/* By an instruction, to a register that receives what was there, or ZR. */
static void
do_at_once(struct jit *j, const struct ebpf_insn *insn, unsigned at, uint32_t order, unsigned to)
{
	unsigned size = size_of(insn), operand = jit_reg(j, insn->src_reg);
	uint32_t op = lse_of(insn->imm);

	if (op == A64_LDCLR) {
		a64_rrr(&j->b, size == 3, A64_ORN, X13, ZR, operand);
		operand = X13;
	}
	a64_lse(&j->b, op | order, size, operand, to, at);
}

static void
do_by_trying(struct jit *j, const struct ebpf_insn *insn, unsigned at)
{
	unsigned size = size_of(insn);
	size_t again = j->b.n;

	a64_exclusive(&j->b, A64_LDXR, size, 0, X13, at);
	a64_rrr(&j->b, size == 3, op_of(insn->imm), X13, X13, jit_reg(j, insn->src_reg));
	a64_exclusive(&j->b, A64_STXR, size, X14, X13, at);
	a64_branch_to(&j->b, a64_cbz(false, false, X14), again);
}

/* Without an order to other accesses. */
void
a64_jit_atomic(struct jit *j, const struct ebpf_insn *insn)
{
	unsigned at = address_of(j, insn->dst_reg, insn->off);
	struct way_round way = begin_aligned(j, insn, size_of(insn), at);

	if (j->has_lse)
		do_at_once(j, insn, at, 0, ZR);
	else
		do_by_trying(j, insn, at);
	end_aligned(j, way);
}

static void
fetch_by_trying(struct jit *j, const struct ebpf_insn *insn, unsigned at)
{
	unsigned size = size_of(insn), src = jit_reg(j, insn->src_reg), new = src;
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

/* Those that return what was there are ordered before and after all others. */
void
a64_jit_fetch(struct jit *j, const struct ebpf_insn *insn)
{
	unsigned at = address_of(j, insn->dst_reg, insn->off);
	struct way_round way = begin_aligned(j, insn, size_of(insn), at);

	if (j->has_lse)
		do_at_once(j, insn, at, A64_ORDERED, jit_reg(j, insn->src_reg));
	else
		fetch_by_trying(j, insn, at);
	end_aligned(j, way);
}

static void
compare_by_trying(struct jit *j, unsigned size, unsigned src, unsigned at)
{
	unsigned r0 = jit_reg(j, EBPF_R0);
	struct a64_branch is_other = a64_b_if(CC_NE);
	size_t again = j->b.n, from;

	a64_exclusive(&j->b, A64_LDAXR, size, 0, X13, at);
	a64_rrr(&j->b, size == 3, A64_CMP, ZR, X13, r0);
	from = a64_branch_forward(&j->b, is_other);
	a64_exclusive(&j->b, A64_STLXR, size, X14, src, at);
	a64_branch_to(&j->b, a64_cbz(false, false, X14), again);
	a64_land(&j->b, from, is_other);
	a64_barrier(&j->b);
	a64_mov(&j->b, true, r0, X13);
}

void
a64_jit_cmpxchg(struct jit *j, const struct ebpf_insn *insn)
{
	unsigned size = size_of(insn), at = address_of(j, insn->dst_reg, insn->off);
	unsigned src = jit_reg(j, insn->src_reg);
	struct way_round way = begin_aligned(j, insn, size, at);

	if (j->has_lse)
		a64_lse(&j->b, A64_CASAL, size, jit_reg(j, EBPF_R0), src, at);
	else
		compare_by_trying(j, size, src, at);
	end_aligned(j, way);
}
