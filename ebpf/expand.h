/* SPDX-License-Identifier: BSD-2-Clause */
/* Instructions that become several before a program runs. */
#ifndef BPFSIFT_EBPF_EXPAND_H
#define BPFSIFT_EBPF_EXPAND_H

#include "ebpf/prog.h"

bool ebpf_has_packet_loads(const struct ebpf_insn *insns, size_t n_insns);

/*
 * Put what a program type makes of each packet load (its expand) in the load's
 * place.  0, or what ebpf_patch() returns: -ERANGE where a jump no longer fits.
 */
int ebpf_expand(size_t (*expand)(const struct ebpf_insn *insn, struct ebpf_insn *out),
		struct ebpf_text *text, struct ebpf_err *err);

#endif
