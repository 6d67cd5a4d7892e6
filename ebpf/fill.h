/* SPDX-License-Identifier: BSD-2-Clause */
/* Stacks that a program finds filled with 0. */
#ifndef BPFSIFT_EBPF_FILL_H
#define BPFSIFT_EBPF_FILL_H

#include "ebpf/patch.h"
#include "ebpf/verify.h"

/* Whether each function can begin with something that runs once a call: no jump leads there. */
bool ebpf_can_fill(const struct ebpf_insn *insns, size_t n_insns);

/*
 * Have each function of a program that was verified, and not rewritten yet,
 * store 0 in what it uses of its stack before it does anything else.
 *
 * Returns as ebpf_patch().
 */
int ebpf_fill(struct ebpf_text *text, const struct ebpf_verify_result *verified,
	      struct ebpf_err *err);

#endif
