/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packet loads are the program type's: before the program runs they become
 * what the type makes of them.  All in one pass: where each slot goes is known
 * first, then displacements are those between the new places.  A jump to an
 * instruction that was expanded goes to the first one of its expansion; inside
 * an expansion displacements are the type's own.
 */
#include "ebpf/expand.h"

#include "ebpf/err.h"
#include "ebpf/insn.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static bool
is_packet_load(const struct ebpf_insn *insn)
{
	int row = ebpf_op_of(insn);

	return row >= 0 && (ebpf_ops[row].form == EBPF_FORM_LDABS ||
			    ebpf_ops[row].form == EBPF_FORM_LDIND);
}

/* Where each slot goes; the last element is the length.  Returns it, 0: no loads. */
static size_t
place(const struct ebpf_prog_type *type, const struct ebpf_insn *insns, size_t n, uint32_t *to)
{
	struct ebpf_insn expanded[EBPF_MAX_EXPANSION];
	size_t at = 0, n_loads = 0;

	for (size_t pc = 0; pc < n; pc++) {
		to[pc] = (uint32_t)at;
		if (is_packet_load(&insns[pc])) {
			at += type->expand(&insns[pc], expanded);
			n_loads++;
		} else if (ebpf_code_is_wide(insns[pc].code)) {
			to[++pc] = (uint32_t)++at;
			at++;
		} else {
			at++;
		}
	}
	to[n] = (uint32_t)at;
	return n_loads > 0 ? at : 0;
}

/* Let the instruction, once at pc, jump to where its target is now. */
static int
mend(struct ebpf_insn *insn, const struct ebpf_insn *old, const uint32_t *to, size_t pc,
     struct ebpf_err *err)
{
	int row = ebpf_op_of(old);
	int64_t distance;

	switch (row < 0 ? EBPF_FORM_EXIT : (enum ebpf_form)ebpf_ops[row].form) {
	case EBPF_FORM_JMP_K:
	case EBPF_FORM_JMP_X:
	case EBPF_FORM_JA:
		distance = (int64_t)to[(int64_t)pc + 1 + old->off] - to[pc] - 1;
		if (distance < INT16_MIN || distance > INT16_MAX)
			return ebpf_err_set(err, -ERANGE,
					    "insn %zu: jump of %" PRId64
					    " once packet loads are expanded, limit is %d",
					    pc, distance, INT16_MAX);
		insn->off = (int16_t)distance;
		break;
	case EBPF_FORM_JA32:
	case EBPF_FORM_CALL_LOCAL:
		insn->imm = (int32_t)((int64_t)to[(int64_t)pc + 1 + old->imm] - to[pc] - 1);
		break;
	default:        /* of the forms, not of the rows: all others do not jump */
		if (row == EBPF_OP_LDDW_FUNC)
			insn->imm = (int32_t)((int64_t)to[(int64_t)pc + 1 + old->imm] - to[pc] - 1);
		break;
	}
	return 0;
}

int
ebpf_expand(const struct ebpf_prog_type *type, const struct ebpf_insn *insns, size_t n_insns,
	    struct ebpf_insn **out, size_t *n_out, struct ebpf_err *err)
{
	uint32_t *to;
	struct ebpf_insn *new_insns = NULL;
	size_t n;
	int rc = 0;

	*out = NULL;
	if (type->expand == NULL)
		return 0;
	to = calloc(n_insns + 1, sizeof(*to));
	if (to == NULL)
		return ebpf_err_set(err, -ENOMEM, "program of %zu instructions: out of memory",
				    n_insns);
	if ((n = place(type, insns, n_insns, to)) == 0)
		goto out;
	if (n > EBPF_MAXINSNS) {
		rc = ebpf_err_set(err, -E2BIG, "program has %zu instructions once packet loads are "
				  "expanded, limit is %d", n, EBPF_MAXINSNS);
		goto out;
	}
	new_insns = calloc(n, sizeof(*new_insns));
	if (new_insns == NULL) {
		rc = ebpf_err_set(err, -ENOMEM, "program of %zu instructions: out of memory", n);
		goto out;
	}
	for (size_t pc = 0; pc < n_insns && rc == 0; pc++) {
		if (is_packet_load(&insns[pc])) {
			type->expand(&insns[pc], &new_insns[to[pc]]);
			continue;
		}
		new_insns[to[pc]] = insns[pc];
		rc = mend(&new_insns[to[pc]], &insns[pc], to, pc, err);
		if (ebpf_code_is_wide(insns[pc].code)) {
			pc++;
			new_insns[to[pc]] = insns[pc];
		}
	}
	if (rc == 0) {
		*out = new_insns;
		*n_out = n;
		new_insns = NULL;
	}
out:
	free(new_insns);
	free(to);
	return rc;
}
