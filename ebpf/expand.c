/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packet loads are the program type's: before the program runs they become
 * what the type makes of them.  A jump to a load goes to the first instruction
 * of its expansion; inside an expansion displacements are the type's own.
 */
#include "ebpf/expand.h"

#include "ebpf/err.h"
#include "ebpf/insn.h"
#include "ebpf/patch.h"

#include <errno.h>
#include <stdlib.h>

static bool
is_packet_load(const struct ebpf_insn *insn)
{
	int row = ebpf_op_of(insn);

	return row >= 0 && (ebpf_ops[row].form == EBPF_FORM_LDABS ||
			    ebpf_ops[row].form == EBPF_FORM_LDIND);
}

static size_t
count_packet_loads(const struct ebpf_insn *insns, size_t n_insns)
{
	size_t n_loads = 0;

	for (size_t pc = 0; pc < n_insns; pc++) {
		if (ebpf_code_is_wide(insns[pc].code))
			pc++;
		else if (is_packet_load(&insns[pc]))
			n_loads++;
	}
	return n_loads;
}

bool
ebpf_has_packet_loads(const struct ebpf_insn *insns, size_t n_insns)
{
	return count_packet_loads(insns, n_insns) > 0;
}

int
ebpf_expand(size_t (*expand)(const struct ebpf_insn *insn, struct ebpf_insn *out),
	    struct ebpf_text *text, struct ebpf_err *err)
{
	size_t n_loads = count_packet_loads(text->insns, text->n), n = 0;
	struct ebpf_insn *insns = calloc(n_loads + 1, EBPF_MAX_EXPANSION * sizeof(*insns));
	struct ebpf_edit *edits = calloc(n_loads + 1, sizeof(*edits));
	int rc;

	if (insns == NULL || edits == NULL) {
		rc = ebpf_err_set(err, -ENOMEM, "program of %zu instructions: out of memory",
				  (size_t)text->n);
		goto out;
	}
	for (uint32_t pc = 0; n < n_loads; pc++) {
		struct ebpf_insn *to = &insns[n * EBPF_MAX_EXPANSION];

		if (ebpf_code_is_wide(text->insns[pc].code)) {
			pc++;
		} else if (is_packet_load(&text->insns[pc])) {
			edits[n].at = pc;
			edits[n].n_old = 1;
			edits[n].n_new = (uint32_t)expand(&text->insns[pc], to);
			edits[n].insns = to;
			n++;
		}
	}
	rc = ebpf_patch(text, edits, n, err);
out:
	free(edits);
	free(insns);
	return rc;
}
