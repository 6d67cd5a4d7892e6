/* SPDX-License-Identifier: BSD-2-Clause */
/* What the verifier learns of a program before it follows any path. */
#ifndef BPFSIFT_EBPF_VERIFY_FLOW_H
#define BPFSIFT_EBPF_VERIFY_FLOW_H

#include "ebpf/verify.h"

/* Of a slot. */
enum {
	EBPF_FLOW_SECOND = 1,   /* second half of a wide instruction */
	EBPF_FLOW_FUNC = 2,     /* first of a function */
	EBPF_FLOW_JOIN = 4,     /* paths may meet here: states are compared */
	EBPF_FLOW_REACHED = 8,
	EBPF_FLOW_ON_PATH = 16, /* while walking the graph */
};

struct ebpf_flow {
	uint8_t *marks;
	uint16_t *live;         /* bit r: register r may be read before it is written */
	uint16_t *func_of;
	uint32_t n_insns;
	uint32_t n_funcs;
	uint32_t starts[EBPF_MAX_FUNCS];
	bool has_loops;
};

/*
 * Make the tables of a program whose form and structure were checked; helper
 * signatures are those of env.  Refuses instructions that no path reaches.
 * 0; -EINVAL; -E2BIG: too many functions; -ENOMEM.  Free in any case.
 */
int ebpf_flow_make(struct ebpf_flow *flow, const struct ebpf_insn *insns, size_t n,
		   const struct ebpf_verify_env *env, struct ebpf_err *err);
void ebpf_flow_free(struct ebpf_flow *flow);

/* The slots that can follow slot pc within its function: at most two. */
unsigned ebpf_flow_next(const struct ebpf_insn *insns, uint32_t pc, uint32_t next[2]);

/* The helper with a number; NULL: there is none. */
const struct ebpf_verify_helper *ebpf_verify_helper_of(const struct ebpf_verify_env *env,
						       int32_t id);

/* The function at a slot, if it may be replaced; else NULL. */
const struct ebpf_verify_global *ebpf_verify_global_of(const struct ebpf_verify_env *env,
						       uint32_t start);

#endif
