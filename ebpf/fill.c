/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program that reads bytes of its stack which it has not written is given
 * stores that write them, rather than every run a stack that was cleared.
 */
#include "config.h"

#include "ebpf/fill.h"

#include "ebpf/err.h"
#include "ebpf/insn.h"

#include <errno.h>
#include <stdlib.h>

#define WORD 8
#define MAX_STORES (EBPF_STACK_SIZE / WORD)

/* The slot that an instruction jumps to, -1: none. */
static int64_t
target_of(const struct ebpf_insn *insn, size_t pc)
{
	int row = ebpf_op_of(insn);

	if (row == EBPF_OP_JA32)
		return (int64_t)pc + 1 + insn->imm;
	if ((EBPF_CLASS(insn->code) != EBPF_JMP && EBPF_CLASS(insn->code) != EBPF_JMP32) ||
	    row == EBPF_OP_CALL || row == EBPF_OP_CALL_LOCAL || row == EBPF_OP_EXIT)
		return -1;
	return (int64_t)pc + 1 + insn->off;
}

static bool
is_called(const struct ebpf_insn *insns, size_t n_insns, size_t at)
{
	if (at == 0)
		return true;
	for (size_t pc = 0; pc < n_insns; pc++) {
		if (ebpf_op_of(&insns[pc]) == EBPF_OP_CALL_LOCAL &&
		    (int64_t)pc + 1 + insns[pc].imm == (int64_t)at)
			return true;
		pc += ebpf_code_is_wide(insns[pc].code);
	}
	return false;
}

bool
ebpf_can_fill(const struct ebpf_insn *insns, size_t n_insns)
{
	for (size_t pc = 0; pc < n_insns; pc++) {
		int64_t to = ebpf_code_is_wide(insns[pc].code) ? -1 : target_of(&insns[pc], pc);

		if (to >= 0 && to <= (int64_t)pc && is_called(insns, n_insns, (size_t)to))
			return false;
		pc += ebpf_code_is_wide(insns[pc].code);
	}
	return true;
}

int
ebpf_fill(struct ebpf_text *text, const struct ebpf_verify_result *verified, struct ebpf_err *err)
{
	struct ebpf_insn stores[MAX_STORES];
	struct ebpf_edit *edits = calloc(verified->n_funcs, sizeof(*edits));
	size_t n_edits = 0;
	int rc;

	if (edits == NULL)
		return ebpf_err_set(err, -ENOMEM, "program of %zu instructions: out of memory",
				    (size_t)text->n);
	for (int i = 0; i < MAX_STORES; i++)
		stores[i] = (struct ebpf_insn){ .code = EBPF_ST | EBPF_MEM | EBPF_DW,
						.dst_reg = EBPF_R10,
						.off = (int16_t)(-WORD * (i + 1)) };
	for (size_t f = 0; f < verified->n_funcs; f++) {
		const struct ebpf_verify_func *func = &verified->funcs[f];

		if (func->stack_depth > 0)
			edits[n_edits++] = (struct ebpf_edit){
				.at = func->start,
				.n_new = (func->stack_depth + WORD - 1) / WORD,
				.insns = stores,
			};
	}
	rc = ebpf_patch(text, edits, n_edits, err);
	free(edits);
	return rc;
}
