/* SPDX-License-Identifier: BSD-2-Clause */
/* The verifier for a program that is being loaded: what it may do is what it is linked with. */
#ifndef BPFSIFT_EBPF_PROVE_H
#define BPFSIFT_EBPF_PROVE_H

#include "ebpf/prog.h"

#include "ebpf/verify.h"

/*
 * The verifier's view of what a program is loaded with, all of it borrowed until
 * ebpf_prove_env_free().  extension may be NULL: no function can be replaced.
 *
 * Returns 0; -EINVAL: a helper whose signature nobody could keep; -E2BIG: more
 * maps than the verifier counts; -ENOMEM.
 */
int ebpf_prove_env(const struct ebpf_link *link, const struct ebpf_extension *extension,
		   const struct ebpf_load_opts *opts, struct ebpf_verify_env *env,
		   struct ebpf_err *err);
void ebpf_prove_env_free(struct ebpf_verify_env *env);

/* What was proven. */
struct ebpf_proof {
	struct ebpf_verify_result verified;
	bool wants_fill;        /* if its stacks are filled, see ebpf_fill() */
};

/* Prove the instructions safe, as ebpf_verify() does. */
int ebpf_prove(const struct ebpf_link *link, const struct ebpf_extension *extension,
	       const struct ebpf_insn *insns, size_t n_insns, const struct ebpf_load_opts *opts,
	       struct ebpf_proof *proof, struct ebpf_err *err);

#endif
