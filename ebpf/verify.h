/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The verifier: proves, by simulating all paths with what is known of each
 * register, that a program touches only what it may, reads only what was
 * written, and ends.  What it accepts is run without tests of its accesses.
 *
 * The program type's side of the contract is struct ebpf_verify_env: what the
 * engine promises of R1, R2, helpers and maps, and what programs may do.
 */
#ifndef BPFSIFT_EBPF_VERIFY_H
#define BPFSIFT_EBPF_VERIFY_H

#include "ebpf/prog.h"

struct ebpf_verify_helper {
	int32_t id;
	const char *name;
	uint8_t args[5];        /* enum ebpf_arg_kind; R1 first */
	uint8_t ret;            /* enum ebpf_ret_kind */
	bool moves_packet;      /* pointers to packet bytes are void afterwards */
	bool is_tail_call;
};

enum ebpf_verify_map_kind {
	EBPF_VERIFY_MAP_DATA,   /* values that programs read and write */
	EBPF_VERIFY_MAP_PROGS,  /* programs: of use to tail calls only */
};

struct ebpf_verify_map {
	int32_t fd;             /* the number by which LDDW_MAP_FD names it */
	uint8_t kind;           /* enum ebpf_verify_map_kind */
	bool read_only;         /* to programs */
	bool direct_value;      /* LDDW_MAP_VALUE: address of its first value */
	uint32_t key_size;
	uint32_t value_size;
	uint32_t n_values;      /* reachable from that address, one after another */
};

/*
 * A function that another program may take the place of: it is called with any
 * arguments of these kinds, returns a number, and is verified by itself.
 */
struct ebpf_verify_global {
	uint32_t start;         /* slot */
	uint8_t args[5];        /* EBPF_ARG_NONE, EBPF_ARG_SCALAR or EBPF_ARG_CTX; R1 first */
};

struct ebpf_verify_state;

/* Zero is the default of what is not needed. */
struct ebpf_verify_env {
	/* R1 at entry: a context with fields, or (none) plain memory. */
	const struct ebpf_ctx_field *ctx_fields;
	size_t n_ctx_fields;
	size_t mem_size;        /* plain memory: its size, the value of R2 */
	bool mem_read_only;
	bool packet_writable;

	/* Division and modulo by a constant 0, shifts past the width: as RFC 9669. */
	bool rfc9669;
	/*
	 * The engine fills each frame's stack with 0 as it is entered: bytes
	 * may be read that the program did not write.
	 */
	bool stack_is_zeroed;
	/*
	 * Whoever sees the result and the memory may know where things are:
	 * addresses can be compared, stored and returned like numbers.
	 */
	bool addresses_may_leak;
	/* LD_ABS and LD_IND exist, with the context in R6. */
	bool has_packet_loads;

	const struct ebpf_verify_helper *helpers;
	size_t n_helpers;
	const struct ebpf_verify_map *maps;
	size_t n_maps;
	const struct ebpf_verify_global *globals;
	size_t n_globals;
	/* The program stands for such a function: R1-R5 are these. */
	const uint8_t *entry_args;

	uint64_t max_visited;   /* instructions simulated at most; 0: 1,000,000 */
	/*
	 * Never let two states count as equal because a difference in numbers
	 * did not matter before: slower, for tests that compare real values
	 * with the ranges seen.
	 */
	bool exact;

	/* The walk as text, a line a call, without newline. */
	void (*log)(void *log_arg, const char *line);
	void *log_arg;
	/* Called before each simulated instruction (tests). */
	void (*observe)(void *observe_arg, size_t pc, const struct ebpf_verify_state *state);
	void *observe_arg;
};

struct ebpf_verify_func {
	uint32_t start;         /* slot */
	uint32_t n_insns;       /* slots */
	uint32_t stack_depth;   /* bytes used below R10 */
};

struct ebpf_verify_result {
	uint64_t n_visited;
	size_t n_states;        /* kept for comparison, at most at a time */
	size_t n_funcs;         /* functions, the main one first */
	struct ebpf_verify_func funcs[EBPF_MAX_FUNCS];
	unsigned max_frames;    /* 1: no calls to own functions */
	unsigned stack_depth;   /* of the deepest chain of calls, each rounded up to 16 */
	bool has_loops;
	bool has_helper_calls;
	bool has_may_goto;
	bool has_tail_calls;
};

/*
 * Verify a program.
 *
 * insns: n slots in host order, borrowed.  out (may be NULL) is filled on
 * success.  0; -EINVAL: malformed; -EACCES: not proven safe; -ENODATA: not,
 * since it reads a byte of its stack that was not written; -E2BIG: too
 * large, too deep, or not proven within max_visited; -ELOOP: runs for ever;
 * -ENOMEM.  Thread-safe.  err says which instruction, what it was given, why.
 */
int ebpf_verify(const struct ebpf_insn *insns, size_t n, const struct ebpf_verify_env *env,
		struct ebpf_verify_result *out, struct ebpf_err *err);

#endif
