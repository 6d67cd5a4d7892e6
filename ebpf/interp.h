/* SPDX-License-Identifier: BSD-2-Clause */
/* The fast interpreter, for programs whose accesses need no test. */
#ifndef BPFSIFT_EBPF_INTERP_H
#define BPFSIFT_EBPF_INTERP_H

#include "ebpf/prog.h"

/*
 * An ebpf_run_fn.  Memory safe for programs that passed ebpf_check_structure()
 * and whose own accesses are right.
 */
uint64_t ebpf_interp(const struct ebpf_prog *prog, uint64_t r1, uint64_t r2);

/*
 * n runs, R1 being the address of one context after the other, stride bytes
 * apart; results receives the low half of each R0.  What the contexts of the
 * coming runs point to is prefetched, where the program's type says where that
 * is.
 */
void ebpf_interp_many(const struct ebpf_prog *prog, const void *ctxs, size_t stride, size_t n,
		      uint32_t *results);

#endif
