/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program object and its type, as the floors above and the other files of
 * this one see them.
 */
#ifndef BPFSIFT_EBPF_PROG_H
#define BPFSIFT_EBPF_PROG_H

#include <bpfsift/ebpf.h>

/*
 * A helper is called with R1-R5 and the environment that its program was
 * loaded with; what it returns becomes R0.
 */
typedef uint64_t (*ebpf_helper_fn)(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4,
				   uint64_t r5, void *env);

struct ebpf_helper {
	int32_t id;
	const char *name;
	ebpf_helper_fn fn;
};

struct ebpf_prog_type {
	const char *name;
	const struct ebpf_helper *helpers;
	size_t n_helpers;
};

/*
 * Load a program that our own lowering made: checked for structure (jumps,
 * calls, last instruction, helpers), then run without tests of its accesses.
 * env is handed to helpers and outlives the program.
 */
int ebpf_prog_load_trusted(const struct ebpf_prog_type *type, const struct ebpf_insn *insns,
			   size_t n_insns, void *env, struct ebpf_prog **out,
			   struct ebpf_err *err);

/* Run a trusted program.  An untrusted one fails closed: 0. */
uint64_t ebpf_prog_run(const struct ebpf_prog *prog, uint64_t r1, uint64_t r2);

#endif
