/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program object and its type, as the floors above and the other files of
 * this one see them.
 */
#ifndef BPFSIFT_EBPF_PROG_H
#define BPFSIFT_EBPF_PROG_H

#include <bpfsift/ebpf.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "ebpf/patch.h"
#include "ebpf/reads.h"
#include "ebpf/stats.h"

/* The hidden register AX: no program can name it. */
#define EBPF_AX 11
#define EBPF_N_REGS 12

/* Frames of calls within a program, the first one included. */
#define EBPF_MAX_FRAMES 8

/* Functions in a verified program. */
#define EBPF_MAX_FUNCS 256

/* Times that the may_goto of one frame go on; the one after that jumps. */
#define EBPF_MAX_LOOPS (8u << 20)

/*
 * A helper is called with its env, or where that is NULL with the one that the
 * program was loaded with.  What it takes is not tested where args says
 * nothing.
 */
struct ebpf_helper {
	int32_t id;
	const char *name;
	ebpf_helper_fn fn;      /* NULL: the interpreters do it, see EBPF_HELPER_TAIL_CALL */
	uint8_t args[5];        /* enum ebpf_arg_kind; R1 first */
	uint8_t ret;            /* enum ebpf_ret_kind */
	bool may_reenter;       /* it calls back: the program may be run inside of itself */
	void *env;
};

/* The number of tail_call: the interpreters' own, since it does not return. */
#define EBPF_HELPER_TAIL_CALL 12

/* Programs that one run may go on to. */
#define EBPF_MAX_TAIL_CALLS 33

/* What a field of a context holds. */
enum ebpf_ctx_kind {
	EBPF_CTX_SCALAR,        /* a number: also in part, aligned to that part's size */
	EBPF_CTX_PACKET,        /* address of the packet's first byte */
	EBPF_CTX_PACKET_END,    /* address after its last byte */
	EBPF_CTX_PACKET_LEN,    /* bytes from the one to the other, at most INT32_MAX */
};

struct ebpf_ctx_field {
	uint16_t off;
	uint16_t size;
	uint8_t kind;           /* enum ebpf_ctx_kind */
	bool writable;          /* scalars only */
};

struct ebpf_prog_type {
	const char *name;
	const struct ebpf_helper *helpers;
	size_t n_helpers;
	/* What R1 points to: a context of fields, or (none) plain memory, its length in R2. */
	const struct ebpf_ctx_field *ctx_fields;
	size_t n_ctx_fields;
	size_t ctx_size;
	/* Division and modulo by a constant 0, shifts past the width: as in RFC 9669. */
	bool rfc9669;
	/*
	 * A context has, at data_off, a pointer to data, of which most runs read nothing
	 * behind the first data_near bytes, at most 64; 0: it has none.
	 */
	uint8_t data_near;
	uint16_t data_off;
	/*
	 * Write what a packet load (LD_ABS, LD_IND) becomes, at most
	 * EBPF_MAX_EXPANSION slots, and return how many; the same number each
	 * time.  The context is in R6, R1-R5 are free, the value goes to R0.
	 * NULL: there is no packet, such loads are refused.
	 */
	size_t (*expand)(const struct ebpf_insn *insn, struct ebpf_insn *out);
};

#define EBPF_MAX_EXPANSION 16

/* How a program is run: the entry, chosen once it is loaded. */
typedef uint64_t (*ebpf_run_fn)(const struct ebpf_prog *prog, uint64_t r1, uint64_t r2);

/* n runs, n at least 1, of one context after the other; see ebpf_prog_run_many(). */
typedef void (*ebpf_many_fn)(const struct ebpf_prog *prog, const void *ctxs, size_t stride,
			     size_t n, uint32_t *results);

/*
 * An instruction as the interpreters want it.  Indices are those of the slots
 * that it was decoded from, so that displacements hold as they are; the second
 * slot of a wide instruction only keeps its imm.
 */
struct ebpf_decoded {
	union {
		const void *label;      /* where its code is, or */
		uintptr_t row;          /* enum ebpf_op; EBPF_N_OPS: not an instruction */
	};
	uint8_t dst;
	uint8_t src;
	int16_t off;
	int32_t imm;    /* of CALL: the helper's place in the type's table, -1: none */
	/* off of CALL_LOCAL: 1 + the function's place in globals, 0: it is not there */
};

/* What the core's own helpers need of the program that calls them. */
struct ebpf_core_env {
	void (*print)(void *print_arg, const char *line);
	void *print_arg;
	uint64_t random_seed;
	atomic_size_t draws;    /* see struct ebpf_load_opts: repeats after SIZE_MAX + 1 */
};

/* A function that another program may stand for. */
struct ebpf_global {
	uint32_t start;         /* slot, as it was loaded */
	uint8_t args[5];        /* EBPF_ARG_NONE, EBPF_ARG_SCALAR, EBPF_ARG_CTX */
	uint32_t depth;         /* frames before it, at most */
	_Atomic(struct ebpf_prog *) ext;        /* NULL: itself */
};

/*
 * A program's part in replacing functions.  The locks, in the order in which
 * they are taken: dst of the one that replaces, ext of the one that is changed.
 */
struct ebpf_extension {
	struct ebpf_global *globals;
	size_t n_globals;
	/* ext: globals' ext, and what has it changed or keeps it from being so. */
	pthread_mutex_t ext_lock;
	size_t n_replaced;
	size_t n_arrays;        /* slots of program arrays that hold it, or did */
	struct ebpf_prog **retired;
	size_t n_retired;
	/* dst: the program that this one was loaded for, until it is in its place. */
	pthread_mutex_t dst_lock;
	struct ebpf_prog *dst;
	size_t dst_global;
	bool is_ext;            /* it was loaded for one: entered as nothing else */
};

/* What a program was linked with, see ebpf/link.h. */
struct ebpf_link {
	struct ebpf_prog_type type;     /* its own, with the helpers that were added */
	struct ebpf_helper *own_helpers;
	struct ebpf_map **maps;         /* that its instructions name, or can */
	int32_t *map_fds;
	size_t n_maps;
	pthread_mutex_t used_maps_lock; /* of those that were bound to it later */
	struct ebpf_map **bound_maps;
	size_t n_bound_maps;
	bool is_made;
	struct ebpf_core_env env;
};

/* What only slow paths need. */
struct ebpf_prog_aux {
	_Atomic uint32_t n_refs;
	const struct ebpf_prog_type *type;
	struct ebpf_link link;
	struct ebpf_extension extension;
	struct ebpf_insn *insns;        /* as they were loaded */
	size_t n_insns;
	struct ebpf_jit_text *jit;      /* its machine code, or NULL */
	struct ebpf_text text;          /* as they run; insns NULL: as they were loaded */
	size_t n_bytes;                 /* of the mapping that holds the program */
	enum ebpf_verify_mode verify;   /* how it was */
	bool is_own;                    /* this library made it */
	bool is_trusted;                /* own, or verified: runs untested; code has run's labels */
	bool has_atomics;
	bool jit_requested;
	bool jit_required;
	bool blinding_requested;
	bool may_reenter;
	struct ebpf_reads reads;        /* what batches fetch */
	enum ebpf_runtime runtime;
	_Atomic bool is_counted;        /* what entries know; for checked runs, which use none */
	pthread_mutex_t entry_lock;     /* held while the page of the entry can be written */
	struct ebpf_counters counters;
};

/* The size of a program's memory is for each run to say, in R2: it tests that itself. */
#define EBPF_ANY_SIZE UINT64_MAX

/*
 * What a run reads, in whole zeroed pages of its own, which are read-only once
 * its runtime is chosen.  code has one more element than the program has
 * slots, whose row is EBPF_N_OPS: the end.
 *
 * run is what a caller enters by; all that differs from run to run has been
 * decided when it was set: whether runs are counted, whether one inside of
 * another must be caught.
 */
struct ebpf_prog {
	_Atomic(ebpf_run_fn) run;
	ebpf_run_fn uncounted;  /* what run is while statistics are off */
	ebpf_run_fn engine;     /* what executes it: the last of those entries */
	const void *inner;      /* its first function, from within a run; machine code has it */
	ebpf_many_fn many;      /* a batch of runs; NULL: one by one */
	const struct ebpf_helper *helpers;
	void *env;
	struct ebpf_prog_aux *aux;
	uint64_t mem_size;      /* plain memory that it was verified for, or EBPF_ANY_SIZE */
	uint32_t n_insns;       /* slots of code */
	uint32_t n_frames;      /* at most at a time; of trusted programs */
	struct ebpf_decoded code[];
};

/* The instructions that run. */
static inline const struct ebpf_insn *
ebpf_prog_running(const struct ebpf_prog *prog)
{
	return prog->aux->text.insns != NULL ? prog->aux->text.insns : prog->aux->insns;
}

/*
 * Load a program that our own lowering made: checked for structure (jumps,
 * calls, last instruction, helpers), then run without tests of its accesses.
 * env is handed to helpers and outlives the program; NULL: the core's own.
 *
 * Returns 0; -EINVAL: malformed; -E2BIG: too long, or calls nested too deep;
 * -ENOMEM.  out is untouched on failure.
 */
int ebpf_prog_load_trusted(const struct ebpf_prog_type *type, const struct ebpf_insn *insns,
			   size_t n_insns, void *env, struct ebpf_prog **out,
			   struct ebpf_err *err);

/*
 * The same with maps, helpers and a policy, as ebpf_prog_load_opts() takes
 * them; opts may be NULL.
 */
int ebpf_prog_load_trusted_opts(const struct ebpf_prog_type *type, const struct ebpf_insn *insns,
				size_t n_insns, const struct ebpf_load_opts *opts, void *env,
				struct ebpf_prog **out, struct ebpf_err *err);

/* The same by a policy, which may be NULL; ebpf_prog_load_by() says more. */
int ebpf_prog_load_trusted_by(const struct ebpf_prog_type *type, const struct ebpf_insn *insns,
			      size_t n_insns, void *env, const struct ebpf_policy *policy,
			      struct ebpf_prog **out, struct ebpf_err *err);

/* Run a trusted program.  An untrusted one fails closed: 0. */
static inline uint64_t
ebpf_prog_run(const struct ebpf_prog *prog, uint64_t r1, uint64_t r2)
{
	return atomic_load_explicit(&prog->run, memory_order_relaxed)(prog, r1, r2);
}

/* What stands in the place of the function that a decoded CALL_LOCAL calls; NULL: nothing. */
static inline const struct ebpf_prog *
ebpf_prog_in_place(const struct ebpf_prog *prog, int16_t off)
{
	if (off == 0)
		return NULL;
	return atomic_load_explicit(&prog->aux->extension.globals[off - 1].ext,
				    memory_order_acquire);
}

/* R2 of a run that was given mem_size bytes, or another number where R1 is a context. */
static inline uint64_t
ebpf_prog_r2(const struct ebpf_prog *prog, uint64_t mem_size)
{
	return prog->mem_size != EBPF_ANY_SIZE ? prog->mem_size : mem_size;
}

/* Whether a tail call in such a run can go on to it. */
static inline bool
ebpf_prog_fits(const struct ebpf_prog *prog, uint64_t mem_size)
{
	return prog->mem_size == EBPF_ANY_SIZE || prog->mem_size <= mem_size;
}

/*
 * n runs that are counted as one, of a program whose R2 nobody reads: R1 is the
 * address of one context after the other, stride bytes apart.  results receives
 * the low half of each R0.
 */
void ebpf_prog_run_many(const struct ebpf_prog *prog, const void *ctxs, size_t stride, size_t n,
			uint32_t *results);

/* 1 + which function that can be replaced begins at a slot of what runs; 0: none. */
int16_t ebpf_prog_global_index(const struct ebpf_prog_aux *aux, int64_t start);

/*
 * Choose what executes a program, and how it is entered, by its policy; then
 * its pages are read-only.  The last step of loading.
 *
 * Returns 0; -ENOTSUP: a JIT is required, and there is none; -ENOMEM; what
 * mprotect(2) returns.
 */
int ebpf_prog_select_runtime(struct ebpf_prog *prog, struct ebpf_err *err);

/*
 * Run it by another interpreter from now on.  Only for its sole owner, before
 * another thread knows the program.
 *
 * An interpreter called without a program returns the address of its labels
 * by row, those of fused runs behind them, as a number; 0: it goes by row.
 *
 * Returns 0 or a negative errno code.
 */
int ebpf_prog_set_run(struct ebpf_prog *prog, ebpf_run_fn run);

/*
 * Decode the instructions of a program into code, which has room for one more:
 * with an interpreter's labels, or by row where labels is NULL.
 */
void ebpf_prog_decode(const struct ebpf_prog *prog, const void *const *labels,
		      struct ebpf_decoded *code);

#endif
