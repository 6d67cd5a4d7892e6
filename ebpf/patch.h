/* SPDX-License-Identifier: BSD-2-Clause */
/* Instructions that are rewritten, with every jump and call kept right. */
#ifndef BPFSIFT_EBPF_PATCH_H
#define BPFSIFT_EBPF_PATCH_H

#include <bpfsift/ebpf.h>
#include <stdbool.h>

/*
 * A program under rewriting.  origin says of each slot which one of the first
 * program it stands for; what was inserted has the origin of what it replaced
 * or, where it replaced nothing, of what it stands before.
 */
struct ebpf_text {
	struct ebpf_insn *insns;
	uint32_t *origin;
	uint32_t n;
};

/*
 * Slots [at, at + n_old) become the n_new at insns.  n_old = 0 inserts, n_new =
 * 0 removes; neither splits an instruction of two slots.  Who jumped or called
 * to `at` then goes to the first new slot or, after a removal, to what follows.
 *
 * Displacements in new slots are their author's, among themselves, but for that
 * of the last slot where takes_jump is set: it is counted from the end of what
 * is replaced, as that of a jump there was, and adjusted as all others are.
 */
struct ebpf_edit {
	uint32_t at;
	uint32_t n_old;
	uint32_t n_new;
	bool takes_jump;
	const struct ebpf_insn *insns;
};

/* Copy n (at least 1, at most EBPF_MAXINSNS) slots.  0 or -ENOMEM. */
int ebpf_text_init(struct ebpf_text *text, const struct ebpf_insn *insns, size_t n,
		   struct ebpf_err *err);

void ebpf_text_destroy(struct ebpf_text *text);

/*
 * Make edits, in the order of their places, one at a place, that do not
 * overlap: one pass over the program, however many there are.  16-bit jumps, may_goto, gotol, calls
 * and addresses of functions are adjusted; all of them are tried first, so that
 * nothing is half done.
 *
 * Returns 0; -ERANGE: a displacement no longer fits; -EINVAL: an edit splits an
 * instruction, or a jump leaves the program, hits half an instruction or the
 * inside of what is replaced; -E2BIG; -ENOMEM.  The text is as it was on failure.
 */
int ebpf_patch(struct ebpf_text *text, const struct ebpf_edit *edits, size_t n_edits,
	       struct ebpf_err *err);

/* One edit: the instruction at `at`, of one slot or two, becomes n_new slots. */
int ebpf_patch_insn(struct ebpf_text *text, uint32_t at, const struct ebpf_insn *insns,
		    uint32_t n_new, struct ebpf_err *err);

#endif
