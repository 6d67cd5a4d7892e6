/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ebpf/reads.h"

#include "ebpf/insn.h"
#include "ebpf/prog.h"

enum { LINE = 64 }; /* what data of most runs have at least */

/* Bytes from first to last are read. */
static void
add(struct ebpf_reads *reads, int first, int last)
{
	reads->from = first < reads->from ? (uint8_t)first : reads->from;
	reads->to = last > reads->to ? (uint8_t)last : reads->to;
}

/* Which registers hold what, wherever in the program. */
struct holders {
	uint32_t context, data;
};

static void
look_at_load(const struct ebpf_prog_type *type, const struct ebpf_insn *insn, struct holders *h,
	     struct ebpf_reads *reads)
{
	int last;

	if ((h->context >> insn->src_reg & 1) != 0) {
		if (insn->off == type->data_off)
			h->data |= 1u << insn->dst_reg;
		return;
	}
	last = insn->off + (int)ebpf_access_size(insn->code) - 1;
	reads->any = true;
	if ((h->data >> insn->src_reg & 1) == 0)
		add(reads, type->data_near - 1, type->data_near - 1); /* somewhere */
	else if (insn->off >= 0 && last < type->data_near)
		add(reads, insn->off, last);
}

/*
 * "number = *(u32 *)(context + off); if number < k goto", where k is more than what most
 * have, and a constant is returned there.  n slots.
 */
static bool
is_guard(const struct ebpf_insn *insns, size_t n, struct ebpf_reads *reads)
{
	const struct ebpf_insn *test = &insns[1];
	int row = ebpf_op_of(test);
	size_t to = 2 + (size_t)test->off;
	uint64_t value;

	if (test->dst_reg != insns->dst_reg || test->imm <= LINE || test->imm == INT32_MAX ||
	    (row != EBPF_OP_JLT64_K && row != EBPF_OP_JLE64_K) || test->off <= 0 || to > n ||
	    !ebpf_returns_constant(&insns[to], n - to, &value))
		return false;
	reads->guard_off = (uint16_t)insns->off;
	reads->guard_least = test->imm + (row == EBPF_OP_JLE64_K);
	return true;
}

/* Among the tests that come before all else. */
static void
find_guard(const struct ebpf_insn *insns, size_t n, struct ebpf_reads *reads)
{
	for (; n >= 2 && !reads->has_guard; insns += 2, n -= 2) {
		if (ebpf_op_of(insns) != EBPF_OP_LDXW || insns->src_reg != EBPF_R1 ||
		    insns->off < 0)
			return;
		reads->has_guard = is_guard(insns, n, reads);
	}
}

void
ebpf_find_reads(const struct ebpf_prog_type *type, const struct ebpf_insn *insns, size_t n,
		struct ebpf_reads *reads)
{
	struct holders h = { .context = 1u << EBPF_R1 };

	*reads = (struct ebpf_reads){ .from = UINT8_MAX };
	if (type->data_near == 0)
		return;
	for (size_t pc = 0; pc < n; pc++) {
		const struct ebpf_insn *insn = &insns[pc];
		int row = ebpf_op_of(insn);

		if (row == EBPF_OP_MOV64_X && (h.context >> insn->src_reg & 1) != 0)
			h.context |= 1u << insn->dst_reg;
		else if (ebpf_ops[row].form == EBPF_FORM_LDX && insn->src_reg != EBPF_R10)
			look_at_load(type, insn, &h, reads);
		pc += ebpf_code_is_wide(insn->code);
	}
	if (reads->from > reads->to)
		reads->from = reads->to = 0; /* far behind, all of them */
	find_guard(insns, n, reads);
}
