/* SPDX-License-Identifier: BSD-2-Clause */
/* What a checked program is: made by check.c alone, read by the lowering. */
#ifndef BPFSIFT_CBPF_PROG_H
#define BPFSIFT_CBPF_PROG_H

#include <bpfsift/cbpf.h>

struct cbpf_prog {
	enum cbpf_dialect dialect;
	size_t n_insns;                 /* at least 1 */
	struct cbpf_insn insns[];
};

#endif
