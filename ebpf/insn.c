/* SPDX-License-Identifier: BSD-2-Clause */
#include "ebpf/insn.h"

const struct ebpf_op_desc ebpf_ops[EBPF_N_OPS] = {
#define I(id, cls, op, x, by_, val_, form_, text_, group_, cpu_, meaning_)                     \
	[EBPF_OP_##id] = { .name = #id, .text = text_, .meaning = meaning_, .val = val_,       \
			   .code = EBPF_##cls | EBPF_##op | EBPF_##x, .by = EBPF_BY_##by_,     \
			   .form = EBPF_FORM_##form_, .group = EBPF_GROUP_##group_, .cpu = cpu_ },
#include "ebpf/insn.def"
};

enum { D = EBPF_USES_DST, S = EBPF_USES_SRC, O = EBPF_USES_OFF, M = EBPF_USES_IMM };

const uint8_t ebpf_form_uses[] = {
	[EBPF_FORM_ALU_K] = D | M,
	[EBPF_FORM_ALU_X] = D | S,
	[EBPF_FORM_NEG] = D,
	[EBPF_FORM_MOVSX] = D | S,
	[EBPF_FORM_END] = D,
	[EBPF_FORM_JMP_K] = D | M | O,
	[EBPF_FORM_JMP_X] = D | S | O,
	[EBPF_FORM_JA] = O,
	[EBPF_FORM_JA32] = M,
	[EBPF_FORM_CALL] = M,
	[EBPF_FORM_CALL_LOCAL] = M,
	[EBPF_FORM_EXIT] = 0,
	[EBPF_FORM_LDX] = D | S | O,
	[EBPF_FORM_ST] = D | O | M,
	[EBPF_FORM_STX] = D | S | O,
	[EBPF_FORM_ATOMIC] = D | S | O,
	[EBPF_FORM_FETCH] = D | S | O,
	[EBPF_FORM_XCHG] = D | S | O,
	[EBPF_FORM_CMPXCHG] = D | S | O,
	[EBPF_FORM_LOAD_ACQ] = D | S | O,
	[EBPF_FORM_STORE_REL] = D | S | O,
	[EBPF_FORM_LDDW] = D | M,
	[EBPF_FORM_LDABS] = M,
	[EBPF_FORM_LDIND] = S | M,
};

/*
 * The last row of each code, plus one; 0 where there is none.  Rows with the
 * same code stand together, and of several initialisers the last one counts.
 */
#pragma GCC diagnostic push
#ifdef __clang__
#pragma GCC diagnostic ignored "-Winitializer-overrides"
#else
#pragma GCC diagnostic ignored "-Woverride-init"
#endif
static const uint16_t last_row[256] = {
#define I(id, cls, op, x, ...) [EBPF_##cls | EBPF_##op | EBPF_##x] = EBPF_OP_##id + 1,
#include "ebpf/insn.def"
};
#pragma GCC diagnostic pop

int
ebpf_op_of(const struct ebpf_insn *insn)
{
	for (int row = last_row[insn->code] - 1; row >= 0; row--) {
		const struct ebpf_op_desc *d = &ebpf_ops[row];

		if (d->code != insn->code)
			break;
		switch ((enum ebpf_by)d->by) {
		case EBPF_BY_NONE:
			return row;
		case EBPF_BY_OFF:
			if (insn->off == d->val)
				return row;
			break;
		case EBPF_BY_SRC:
			if (insn->src_reg == d->val)
				return row;
			break;
		case EBPF_BY_IMM:
			if (insn->imm == d->val)
				return row;
			break;
		}
	}
	return -1;
}

bool
ebpf_returns_constant(const struct ebpf_insn *insns, size_t n, uint64_t *value)
{
	int row;

	if (n < 2 || insns->dst_reg != EBPF_R0 || ebpf_op_of(&insns[1]) != EBPF_OP_EXIT)
		return false;
	row = ebpf_op_of(insns);
	*value = row == EBPF_OP_MOV32_K ? (uint32_t)insns->imm : (uint64_t)(int64_t)insns->imm;
	return row == EBPF_OP_MOV32_K || row == EBPF_OP_MOV64_K;
}
