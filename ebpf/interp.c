/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fast interpreter: interp_loop.def with every test empty.
 *
 * What keeps it inside the program was checked once at load
 * (ebpf_check_structure): jumps and calls hit instructions, functions do not
 * run into each other, calls fit the frames.  What keeps its accesses inside
 * memory is the program's maker, or the verifier.
 */
/* What these find in common among the many labels costs each way to one more than it saves. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-gcse", "no-tree-pre")
#endif

#include "config.h"

#include "ebpf/interp.h"

#include "ebpf/arith.h"
#include "ebpf/atomic.h"
#include "ebpf/fuse.h"
#include "ebpf/insn.h"
#include "ebpf/interp_fast.h"
#include "ebpf/interp_leaf.h"
#include "ebpf/map.h"

#include <string.h>

#ifndef EBPF_INTERP_NAME
#define EBPF_INTERP_NAME ebpf_interp
#define EBPF_INTERP_MANY_NAME ebpf_interp_many
#endif

struct frame {
	const struct ebpf_decoded *ret;
	const struct ebpf_prog *prog;
	uint32_t n_loops;
	uint64_t saved[4];      /* R6 ... R9 */
};

/*
 * The program that a tail call goes on to; NULL: it fails.  One with neither this
 * interpreter's labels nor the leaf's was not verified, or is machine code; one that
 * might need more frames than are left, or was verified for more memory than
 * mem_size, would write past them.
 */
static const struct ebpf_prog *
tail_callee(const struct ebpf_prog *prog, const uint64_t *regs, size_t n_frames,
	    uint64_t mem_size)
{
	const struct ebpf_map *map = pointer(regs[EBPF_R2]);
	const struct ebpf_prog *to = ebpf_prog_array_get(map, (uint32_t)regs[EBPF_R3]);

	if (to == NULL || (to->engine != prog->engine && to->engine != ebpf_interp_leaf) ||
	    n_frames + to->n_frames > EBPF_MAX_FRAMES || !ebpf_prog_fits(to, mem_size))
		return NULL;
	return to;
}

/*
 * Once a call: no program reads what it has not written.  One by one: for an
 * array compilers call memset() or worse.
 */
#define ZERO_REGS(regs)                                                                            \
	(regs[0] = regs[3] = regs[4] = regs[5] = regs[6] = regs[7] = regs[8] = regs[9] = 0)

/* Runs over an array of contexts. */
struct many {
	const struct ebpf_prog *prog;   /* what each begins with; a tail call leads elsewhere */
	size_t stride;          /* bytes from one context to the next */
	size_t n;               /* runs left */
	uint32_t *results;
	const uint8_t *ahead;   /* where the context AHEAD runs on has its data's address */
	const struct ebpf_reads *reads;
};

/* The run after this one is far off: have its data come. */
static inline void
prefetch(struct many *many)
{
	if (many->ahead == NULL || many->n <= AHEAD)
		return;
	fetch_data(many->ahead, many->reads);
	many->ahead += many->stride;
}

#define LOOP_CALLS 1
#define LOOP                                                                                       \
	static ONE_COPY uint64_t interpret(const struct ebpf_prog *prog, uint64_t r1, uint64_t r2, \
					   struct many *many)

#define LOOP_ENTER                                                                                 \
	const struct ebpf_decoded *pc;                                                             \
	struct frame frames[EBPF_MAX_FRAMES - 1], *frame = frames;                                 \
	_Alignas(16) uint8_t stack[EBPF_MAX_FRAMES * EBPF_STACK_SIZE];                             \
	uint64_t regs[EBPF_N_REGS];                                                                 \
	uint32_t n_loops, n_tail_calls;                                                             \
                                                                                                   \
	if (prog == NULL)                                                                          \
		return (uintptr_t)LABELS;                                                          \
	ZERO_REGS(regs);                                                                           \
enter:                                                                                             \
	if (many != NULL)                                                                          \
		prefetch(many);                                                                    \
	pc = prog->code;                                                                           \
	n_loops = EBPF_MAX_LOOPS;                                                                  \
	n_tail_calls = 0;                                                                          \
	regs[EBPF_R1] = r1;                                                                        \
	regs[EBPF_R2] = r2;                                                                        \
	regs[EBPF_R10] = (uintptr_t)(stack + sizeof(stack));

#define CALLEE                                                                                     \
	do {                                                                                       \
		const struct ebpf_prog *in_place_ = ebpf_prog_in_place(prog, pc->off);             \
                                                                                                   \
		if (in_place_ == NULL) {                                                           \
			GOTO(pc->imm);                                                             \
		} else {                                                                           \
			prog = in_place_;                                                          \
			pc = in_place_->code - 1;                                                  \
		}                                                                                  \
	} while (0)
#define RESUME                                                                                     \
	do {                                                                                       \
		pc = frame->ret;                                                                   \
		prog = frame->prog;                                                                \
	} while (0)
/* R2 is what the target expects there: the memory's length in the type raw. */
#define TAIL_CALL                                                                                  \
	do {                                                                                       \
		const struct ebpf_prog *to_ = NULL;                                                \
                                                                                                   \
		if (n_tail_calls < EBPF_MAX_TAIL_CALLS)                                            \
			to_ = tail_callee(prog, regs, (size_t)(frame - frames), r2);                   \
		if (to_ == NULL)                                                                   \
			break;                                                                     \
		n_tail_calls++;                                                                    \
		if (to_->engine == ebpf_interp_leaf) {                                             \
			R0 = ebpf_interp_leaf(to_, regs[EBPF_R1], ebpf_prog_r2(to_, r2));          \
			goto leave;                                                                \
		}                                                                                  \
		prog = to_;                                                                        \
		pc = to_->code - 1;                                                                \
		n_loops = EBPF_MAX_LOOPS;                                                          \
		regs[EBPF_R2] = ebpf_prog_r2(prog, r2);                                            \
	} while (0)
#define RETURN                                                                                     \
	do {                                                                                       \
		if (many == NULL)                                                                  \
			return regs[EBPF_R0];                                                      \
		*many->results++ = (uint32_t)regs[EBPF_R0];                                        \
		if (--many->n == 0)                                                                \
			return 0;                                                                  \
		r1 += many->stride;                                                                \
		prog = many->prog;                                                                 \
		goto enter;                                                                        \
	} while (0)

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#include "ebpf/interp_loop.def"
#pragma GCC diagnostic pop

uint64_t
EBPF_INTERP_NAME(const struct ebpf_prog *prog, uint64_t r1, uint64_t r2)
{
	return interpret(prog, r1, r2, NULL);
}

void
EBPF_INTERP_MANY_NAME(const struct ebpf_prog *prog, const void *ctxs, size_t stride, size_t n,
		      uint32_t *results)
{
	const struct ebpf_prog_aux *aux = prog->aux;
	struct many many = { .prog = prog, .stride = stride, .n = n, .results = results,
			     .reads = &aux->reads };

	if (n == 0)
		return;
	if (aux->reads.any)
		many.ahead = (const uint8_t *)ctxs + AHEAD * stride + aux->type->data_off;
	interpret(prog, (uintptr_t)ctxs, 0, &many);
}
