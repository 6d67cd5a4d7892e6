/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random extended programs that are nearly valid: most accesses are guarded,
 * most loops end, most registers are written before they are read.
 */
#ifndef TESTS_SUPPORT_EBPF_GEN_H
#define TESTS_SUPPORT_EBPF_GEN_H

#include <bpfsift/ebpf.h>
#include <stdbool.h>

#define EBPF_GEN_MAX 512

struct ebpf_gen_opts {
	bool is_socket;         /* R1 = struct __sk_buff; else memory of mem_size bytes */
	uint32_t mem_size;      /* multiple of 8 */
};

struct ebpf_gen_prog {
	struct ebpf_insn insns[EBPF_GEN_MAX];
	size_t n;
	bool has_variable;      /* an access at a variable offset, guarded by a check */
	bool has_loop;
	bool has_call;          /* of an own function */
};

void ebpf_gen(struct ebpf_gen_prog *prog, const struct ebpf_gen_opts *opts, uint64_t *rng);

#endif
