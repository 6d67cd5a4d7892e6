/* SPDX-License-Identifier: BSD-2-Clause */
/* The running kernel: its verifier asked, programs pinned and attached. */
#ifndef TOOLS_CBPF2EBPF_KERNEL_H
#define TOOLS_CBPF2EBPF_KERNEL_H

#include "tools/cbpf2ebpf_forms.h"

/*
 * Load the program: a file descriptor, or -E2BIG where the verifier gave up on
 * following it.  Where it refuses it, or nothing can be loaded, the process ends,
 * with one line that names the instruction on both sides.  With --log the
 * verifier's own words are on standard error, by classic instruction.
 */
int kernel_load(const struct translation *t);

/* Do with a loaded program what the options ask for, and say what was done. */
void kernel_use(const struct translation *t, int prog);

/* Take off an interface what kernel_use() attached there. */
void kernel_detach(const struct options *o);

#endif
