/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions of a program that another program can take the place of. */
#ifndef BPFSIFT_EBPF_EXTEND_H
#define BPFSIFT_EBPF_EXTEND_H

#include "ebpf/prog.h"

#include "ebpf/verify.h"

/* Nothing replaced, nothing to be.  0 or -ENOMEM. */
int ebpf_extension_init(struct ebpf_extension *e);
void ebpf_extension_destroy(struct ebpf_extension *e);

/*
 * Take what opts have of functions, and of a program that this one, of a type,
 * is for.  0; -EINVAL; -ENOENT: that one has no such function; -ENOMEM.
 */
int ebpf_extension_take(struct ebpf_extension *e, const struct ebpf_prog_type *type,
			const struct ebpf_load_opts *opts, struct ebpf_err *err);

/* R1-R5 of a program that is for another; NULL: as its type has them. */
const uint8_t *ebpf_extension_args(const struct ebpf_extension *e);

/* How deep in calls each function can be, of a program that was verified. */
void ebpf_extension_set_depths(struct ebpf_extension *e, const struct ebpf_insn *insns,
			       size_t n_insns, const struct ebpf_verify_result *verified);

/* 1 + the place of the function that an instruction of the program as it was loaded calls, or 0. */
int16_t ebpf_extension_index(const struct ebpf_extension *e, int64_t start);

/*
 * A program is to be in one more slot of a program array, or is in one less.
 * 0; -EINVAL: it stands for a function; -EBUSY: a function of it is replaced.
 */
int ebpf_extension_enter_array(struct ebpf_prog *prog);
void ebpf_extension_leave_array(struct ebpf_prog *prog);

#endif
