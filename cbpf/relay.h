/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Classic programs made anew, one instruction after the other: what becomes of each may be
 * longer, and jumps are laid to where their targets begin by then.
 *
 * It goes twice, first to count and then to write, so put() must do the same in both.
 */
#ifndef BPFSIFT_CBPF_RELAY_H
#define BPFSIFT_CBPF_RELAY_H

#include <bpfsift/cbpf.h>

#include <stdbool.h>

struct relay {
	const struct cbpf_insn *insns; /* forward jumps only */
	size_t n_insns;
	void (*put)(struct relay *r); /* puts what becomes of the instruction at pc */
	size_t pc;
	struct cbpf_insn *out; /* NULL: they are counted */
	size_t n;              /* put so far */
	size_t *start;         /* where each instruction's begins, and where the last ends */
	bool *is_far;          /* of conditional jumps: 8 bits may not do */
};

/* With insns, n_insns and put set.  0, or -ENOMEM, err set. */
int relay_init(struct relay *r, struct ebpf_err *err);
void relay_destroy(struct relay *r); /* out is the caller's */

void relay_put_jump(struct relay *r, unsigned code, uint8_t jt, uint8_t jf, uint32_t k);
void relay_put(struct relay *r, unsigned code, uint32_t k);

/* Put the instruction at pc as it is, its jumps laid again. */
void relay_put_same(struct relay *r);

/* Put the whole program, from n on. */
void relay_place(struct relay *r);

#endif
