/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads, stores and atomic operations, which x86-64 orders as they want it. */
#include "config.h"

#include "ebpf/jit/x86_64.h"

void
x86_jit_load(struct jit *j, const struct ebpf_insn *insn)
{
	unsigned dst = jit_reg(j, insn->dst_reg), base = jit_reg(j, insn->src_reg);
	bool is_signed = (insn->code & 0xe0) == EBPF_MEMSX;
	int32_t off = insn->off;

	if (x86_jit_is_folded(j))
		return;
	switch (insn->code & 0x18) {
	case EBPF_B:
		x86_0f_rm(&j->b, is_signed, is_signed ? 0xbe : 0xb6, dst, base, off);
		break;
	case EBPF_H:
		x86_0f_rm(&j->b, is_signed, is_signed ? 0xbf : 0xb7, dst, base, off);
		break;
	case EBPF_W:
		x86_rm(&j->b, is_signed, is_signed ? 0x63 : 0x8b, dst, base, off);
		break;
	case EBPF_DW:
		x86_rm(&j->b, true, 0x8b, dst, base, off);
		break;
	}
}

void
x86_jit_store(struct jit *j, const struct ebpf_insn *insn)
{
	unsigned base = jit_reg(j, insn->dst_reg), src = jit_reg(j, insn->src_reg);
	uint8_t size = insn->code & 0x18;
	int32_t off = insn->off;

	if (size == EBPF_B) {
		x86_rex(&j->b, false, src, base, src >= RSP);
		jit_byte(&j->b, 0x88);
		x86_mem(&j->b, src, base, off);
		return;
	}
	if (size == EBPF_H)
		jit_byte(&j->b, 0x66);
	x86_rm(&j->b, size == EBPF_DW, 0x89, src, base, off);
}

void
x86_jit_store_imm(struct jit *j, const struct ebpf_insn *insn)
{
	static const uint8_t widths[] = { 4, 2, 1, 4 };
	uint8_t size = insn->code & 0x18;

	if (size == EBPF_H)
		jit_byte(&j->b, 0x66);
	x86_rm(&j->b, size == EBPF_DW, size == EBPF_B ? 0xc6 : 0xc7, 0, jit_reg(j, insn->dst_reg),
	       insn->off);
	jit_le(&j->b, (uint32_t)insn->imm, widths[size >> 3]);
}

/* The machine's operation for an atomic one. */
static enum x86_alu
op_of(int32_t imm)
{
	switch (imm & ~EBPF_FETCH) {
	case EBPF_ADD:
		return ALU_ADD;
	case EBPF_OR:
		return ALU_OR;
	case EBPF_AND:
		return ALU_AND;
	default:
		return ALU_XOR;
	}
}

static void
locked(struct jit *j)
{
	jit_byte(&j->b, 0xf0);
}

/* or, and, xor that return what was there: tried until nobody came between. */
static void
fetch_by_trying(struct jit *j, const struct ebpf_insn *insn, bool wide, enum x86_alu op)
{
	unsigned src = jit_reg(j, insn->src_reg), operand = src == RAX ? R11 : src;
	size_t again, from;

	x86_rm(&j->b, true, 0x8d, R9, jit_reg(j, insn->dst_reg), insn->off);
	x86_mov(&j->b, true, R11, RAX);
	x86_push(&j->b, R12);
	x86_rm(&j->b, wide, 0x8b, RAX, R9, 0);
	again = j->b.n;
	x86_mov(&j->b, wide, R12, RAX);
	x86_alu(&j->b, wide, op, R12, operand);
	locked(j);
	x86_0f_rm(&j->b, wide, 0xb1, R12, R9, 0);
	from = x86_jcc_forward(&j->b, CC_NE);
	if (j->b.bytes != NULL)
		j->b.bytes[from - 1] = (uint8_t)(again - from);
	x86_pop(&j->b, R12);
	x86_mov(&j->b, wide, src, RAX);
	if (src != RAX)
		x86_mov(&j->b, true, RAX, R11);
}

void
x86_jit_atomic(struct jit *j, const struct ebpf_insn *insn)
{
	bool wide = (insn->code & 0x18) == EBPF_DW;
	unsigned dst = jit_reg(j, insn->dst_reg), src = jit_reg(j, insn->src_reg);

	switch (insn->imm) {
	case EBPF_ADD:
	case EBPF_OR:
	case EBPF_AND:
	case EBPF_XOR:
		locked(j);
		x86_rm(&j->b, wide, (unsigned)op_of(insn->imm) << 3 | 1, src, dst, insn->off);
		break;
	case EBPF_ADD | EBPF_FETCH:
		locked(j);
		x86_0f_rm(&j->b, wide, 0xc1, src, dst, insn->off);
		break;
	case EBPF_XCHG:
		x86_rm(&j->b, wide, 0x87, src, dst, insn->off);
		break;
	case EBPF_CMPXCHG:
		locked(j);
		x86_0f_rm(&j->b, wide, 0xb1, src, dst, insn->off);
		if (!wide)
			x86_mov(&j->b, false, RAX, RAX);
		break;
	case EBPF_OR | EBPF_FETCH:
	case EBPF_AND | EBPF_FETCH:
	case EBPF_XOR | EBPF_FETCH:
		fetch_by_trying(j, insn, wide, op_of(insn->imm));
		break;
	}
}
