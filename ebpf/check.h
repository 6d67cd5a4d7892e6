/* SPDX-License-Identifier: BSD-2-Clause */
/* What can be told of a program without following its paths. */
#ifndef BPFSIFT_EBPF_CHECK_H
#define BPFSIFT_EBPF_CHECK_H

#include "ebpf/prog.h"

/*
 * A type of NULL leaves what a type has (helpers, maps, packet loads) to the
 * caller: the verifier knows more of them than a type says.
 */

/*
 * The form of each instruction by itself: a row of the table, fields that it
 * does not use 0, registers that a program can name, R10 not written, second
 * slots.  Refuses what no program type here has: variables, calls through
 * registers and of kernel functions, packet loads.  Which maps there are is not
 * its matter.
 *
 * Returns 0 or -EINVAL.
 */
int ebpf_check_form(const struct ebpf_prog_type *type, const struct ebpf_insn *insns,
		    size_t n_insns, struct ebpf_err *err);

/*
 * How the instructions of a program hang together, their form being right:
 * jumps stay in their function and hit instructions, functions end with exit
 * or a jump, helpers exist, calls nest at most EBPF_MAX_FRAMES deep (and so
 * never recurse).  n_frames (may be NULL) receives how deep.
 *
 * Returns 0; -EINVAL; -E2BIG: nested deeper; -ENOMEM.
 */
int ebpf_check_structure(const struct ebpf_prog_type *type, const struct ebpf_insn *insns,
			 size_t n_insns, uint32_t *n_frames, struct ebpf_err *err);

/* Whether nothing is called and nothing counted: all of it runs in one frame. */
bool ebpf_is_leaf(const struct ebpf_insn *insns, size_t n_insns);

#endif
