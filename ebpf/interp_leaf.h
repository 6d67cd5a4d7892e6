/* SPDX-License-Identifier: BSD-2-Clause */
/* The fast interpreter for programs that call nothing: see ebpf_is_leaf(). */
#ifndef BPFSIFT_EBPF_INTERP_LEAF_H
#define BPFSIFT_EBPF_INTERP_LEAF_H

#include "ebpf/prog.h"

/* As ebpf_interp() and ebpf_interp_many(). */
uint64_t ebpf_interp_leaf(const struct ebpf_prog *prog, uint64_t r1, uint64_t r2);
void ebpf_interp_leaf_many(const struct ebpf_prog *prog, const void *ctxs, size_t stride, size_t n,
			   uint32_t *results);

#endif
