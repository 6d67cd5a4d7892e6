/* SPDX-License-Identifier: BSD-2-Clause */
/* Instructions that become several before a program runs. */
#ifndef BPFSIFT_EBPF_EXPAND_H
#define BPFSIFT_EBPF_EXPAND_H

#include "ebpf/prog.h"

/*
 * Let a program type expand its packet loads, jumps and calls mended.  The
 * structure of the program was checked.
 *
 * out receives an array to be freed with free(), or NULL: there are none.
 * 0; -ERANGE: a jump no longer fits its field; -E2BIG; -ENOMEM.
 */
int ebpf_expand(const struct ebpf_prog_type *type, const struct ebpf_insn *insns, size_t n_insns,
		struct ebpf_insn **out, size_t *n_out, struct ebpf_err *err);

#endif
