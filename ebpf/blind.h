/* SPDX-License-Identifier: BSD-2-Clause */
/* Constants of a program hidden from who looks at what runs. */
#ifndef BPFSIFT_EBPF_BLIND_H
#define BPFSIFT_EBPF_BLIND_H

#include "ebpf/patch.h"

/*
 * Rewrite a text so that no constant of its author stands in it: each is made
 * in AX of two random halves, fresh for each instruction and each call.
 *
 * Where a jump no longer fits 16 bits, all jumps go by gotol.
 *
 * Returns 0, or what ebpf_patch() and getrandom(2) return.  The text is as it
 * was on failure.
 */
int ebpf_blind(struct ebpf_text *text, struct ebpf_err *err);

#endif
