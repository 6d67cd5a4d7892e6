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
#include "ebpf/stats.h"

/* The hidden register AX: no program can name it. */
#define EBPF_AX 11
#define EBPF_N_REGS 12

/* Frames of calls within a program, the first one included. */
#define EBPF_MAX_FRAMES 8

/* Times that the may_goto of one frame go on; the one after that jumps. */
#define EBPF_MAX_LOOPS (8u << 20)

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
	bool may_reenter;       /* it calls back: the program may be run inside of itself */
};

struct ebpf_prog_type {
	const char *name;
	const struct ebpf_helper *helpers;
	size_t n_helpers;
};

/* How a program is run: the entry, chosen once it is loaded. */
typedef uint64_t (*ebpf_run_fn)(const struct ebpf_prog *prog, uint64_t r1, uint64_t r2);

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
};

/* What only slow paths need. */
struct ebpf_prog_aux {
	_Atomic uint32_t n_refs;
	const struct ebpf_prog_type *type;
	struct ebpf_insn *insns;        /* as they were loaded */
	size_t n_insns;
	struct ebpf_text text;          /* as they run; insns NULL: as they were loaded */
	size_t n_bytes;                 /* of the mapping that holds the program */
	bool is_trusted;                /* passed ebpf_check_structure(); code has run's labels */
	bool jit_requested;
	bool jit_required;
	bool blinding_requested;
	bool may_reenter;
	enum ebpf_runtime runtime;
	_Atomic bool is_counted;        /* what entries know; for checked runs, which use none */
	pthread_mutex_t entry_lock;     /* held while the page of the entry can be written */
	struct ebpf_counters counters;
};

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
	const struct ebpf_helper *helpers;
	void *env;
	struct ebpf_prog_aux *aux;
	uint32_t n_insns;       /* slots of code */
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
 * env is handed to helpers and outlives the program.
 *
 * Returns 0; -EINVAL: malformed; -E2BIG: too long, or calls nested too deep;
 * -ENOMEM.  out is untouched on failure.
 */
int ebpf_prog_load_trusted(const struct ebpf_prog_type *type, const struct ebpf_insn *insns,
			   size_t n_insns, void *env, struct ebpf_prog **out,
			   struct ebpf_err *err);

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

/*
 * Many runs that are counted as one: begin, call run for each, end with their
 * number.  While statistics are off it costs a comparison at each end.
 */
struct ebpf_batch {
	ebpf_run_fn run;
	bool is_counted;        /* at the end, rather than by run */
	uint64_t start_ns;
};

static inline struct ebpf_batch
ebpf_batch_begin(const struct ebpf_prog *prog)
{
	struct ebpf_batch batch = { .run = atomic_load_explicit(&prog->run, memory_order_relaxed) };

	/* A program that may re-enter counts its runs itself: some are misses. */
	if (batch.run != prog->uncounted && !prog->aux->may_reenter) {
		batch.run = prog->uncounted;
		batch.is_counted = true;
		batch.start_ns = ebpf_clock_ns();
	}
	return batch;
}

static inline void
ebpf_batch_end(const struct ebpf_prog *prog, const struct ebpf_batch *batch, size_t n_runs)
{
	if (batch->is_counted)
		ebpf_counters_add(&prog->aux->counters, n_runs, ebpf_clock_ns() - batch->start_ns,
				  0);
}

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
