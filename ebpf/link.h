/* SPDX-License-Identifier: BSD-2-Clause */
/* What a program is linked with when it is loaded: maps and helpers. */
#ifndef BPFSIFT_EBPF_LINK_H
#define BPFSIFT_EBPF_LINK_H

#include "ebpf/prog.h"

#include "ebpf/insn.h"

/* A caller's options, as far as they go.  0; -EINVAL: size is not set. */
int ebpf_load_opts_take(struct ebpf_load_opts *opts, const struct ebpf_load_opts *from,
			struct ebpf_err *err);

/*
 * Take what opts have for a program of a type.  -EINVAL, -ENOMEM: nothing was
 * taken.
 */
int ebpf_link_init(struct ebpf_link *link, const struct ebpf_prog_type *type,
		   const struct ebpf_load_opts *opts, struct ebpf_err *err);

/* Give it back. */
void ebpf_link_free(struct ebpf_link *link);

/*
 * Whether all 64-bit loads of a program whose form is right find what they
 * name.  -ENOENT: a map that is not there; -EINVAL: another reason.
 */
int ebpf_link_check(const struct ebpf_link *link, const struct ebpf_insn *insns, size_t n_insns,
		    struct ebpf_err *err);

/* What a 64-bit load, at slot pc of a program that was checked, loads. */
uint64_t ebpf_link_value(const struct ebpf_link *link, const struct ebpf_insn *insn,
			 enum ebpf_op row, size_t pc, const struct ebpf_decoded *code);

#endif
