/* SPDX-License-Identifier: BSD-2-Clause */
/* One verification under way, as the verifier's files share it. */
#ifndef BPFSIFT_EBPF_VERIFY_WALK_H
#define BPFSIFT_EBPF_VERIFY_WALK_H

#include "ebpf/insn.h"
#include "ebpf/verify_flow.h"
#include "ebpf/verify_state.h"

/* Addresses stay this near to where they began, so that none can wrap. */
#define EBPF_MAX_DISTANCE (INT64_C(1) << 34)

/*
 * A state kept at a join, to compare later ones with.  It is complete once
 * all paths from it were followed to their ends: n_branches, the unfinished
 * ones, is 0.  Unfinished checkpoints are ancestors of the current path.
 */
struct checkpoint {
	struct ebpf_verify_state state;
	struct checkpoint *next;        /* of the same slot, complete or unfinished like this */
	struct checkpoint *parent;
	uint32_t n_branches;
	uint32_t n_hits, n_misses;
	bool all_precise;
};

struct walk {
	const struct ebpf_insn *insns;
	const struct ebpf_verify_env *env;
	struct ebpf_flow flow;
	uint32_t at;                            /* slot of the current instruction */
	bool in_function;                       /* the first frame is not the program's own */
	struct ebpf_verify_state state;         /* the current path's */
	struct ebpf_verify_state *pending;      /* the other ways of branches */
	size_t n_pending, max_pending;
	struct {
		struct checkpoint *complete;
		struct checkpoint *unfinished;  /* the newest first */
	} *checkpoints;                         /* by slot */
	size_t n_checkpoints;
	uint64_t n_visited;
	struct ebpf_verify_result result;
	struct ebpf_err *err;
};

/* "insn 5: ..." */
__attribute__((format(printf, 3, 4))) int ebpf_walk_refuse(struct walk *w, int rc,
							   const char *fmt, ...);
int ebpf_walk_no_memory(struct walk *w);

/* The text of a register of the running frame: "r2 (scalar 0..255)". */
struct ebpf_walk_text {
	char text[EBPF_REG_TEXT_SIZE + 8];
};
struct ebpf_walk_text ebpf_walk_reg(const struct walk *w, unsigned regno);

static inline struct ebpf_reg *
ebpf_walk_regs(struct walk *w)
{
	return ebpf_state_frame(&w->state)->regs;
}

/* The running frame's stack, before the program writes to it. */
static inline enum ebpf_byte
ebpf_walk_fill(const struct walk *w)
{
	return w->env->stack_is_zeroed ? EBPF_BYTE_DATA : EBPF_BYTE_NONE;
}

/* A register that was written; else refused. */
int ebpf_walk_readable(struct walk *w, unsigned regno);

/* A name for a number that has none. */
uint32_t ebpf_walk_id(struct walk *w, struct ebpf_reg *r);

/*
 * The number in a register matters for safety: checkpoints on the way here
 * are equal to others only where they agree on what it was computed from.
 */
void ebpf_walk_precise(struct walk *w, const struct ebpf_reg *r);

/* Follow a copy of the current path later, from pc on: *out is its state. */
int ebpf_walk_fork(struct walk *w, uint32_t pc, struct ebpf_verify_state **out);

/* verify_alu.c: dst = dst op src, moves, byte swaps. */
int ebpf_verify_alu(struct walk *w, const struct ebpf_insn *insn, enum ebpf_op row);

/* verify_branch.c: sets the state's pc, forks it where both ways are open. */
int ebpf_verify_branch(struct walk *w, const struct ebpf_insn *insn);

/* verify_mem.c: loads, stores, atomics. */
int ebpf_verify_load(struct walk *w, const struct ebpf_insn *insn, enum ebpf_op row);
int ebpf_verify_store(struct walk *w, const struct ebpf_insn *insn, enum ebpf_op row);
int ebpf_verify_atomic(struct walk *w, const struct ebpf_insn *insn, enum ebpf_op row);
/*
 * A helper reads or fills the memory at a register: at least min, at most max
 * bytes.
 */
int ebpf_verify_region(struct walk *w, unsigned regno, uint64_t min, uint64_t max,
		       bool is_write);

/* verify_call.c: helpers, own functions, returns, packet loads. */
int ebpf_verify_helper_call(struct walk *w, const struct ebpf_insn *insn);
int ebpf_verify_local_call(struct walk *w, const struct ebpf_insn *insn);
/* *ends: the path ends here. */
int ebpf_verify_exit(struct walk *w, bool *ends);
int ebpf_verify_packet_load(struct walk *w, const struct ebpf_insn *insn, enum ebpf_op row);

#endif
