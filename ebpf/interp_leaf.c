/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fast interpreter for programs that call nothing, as filters are: with one
 * frame and no count of loops, a run begins with a store or two, and a batch goes
 * from run to run inside the loop.
 */
/*
 * What the first two find in common among the many labels costs each way to one more than it
 * saves; and where a label lies in a line of instructions is not left to chance.
 */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-gcse", "no-tree-pre", "align-labels=32")
#endif

#include "config.h"

#include "ebpf/interp_leaf.h"

#include "ebpf/arith.h"
#include "ebpf/atomic.h"
#include "ebpf/fuse.h"
#include "ebpf/insn.h"
#include "ebpf/interp_fast.h"

#include <string.h>

#ifndef EBPF_LEAF_NAME
#define EBPF_LEAF_NAME ebpf_interp_leaf
#define EBPF_LEAF_MANY_NAME ebpf_interp_leaf_many
#endif

#define LOOP_CALLS 0

/* Runs over an array of contexts: R1 goes from one to the next. */
struct many {
	size_t stride;          /* bytes from one context to the next */
	uint64_t last;          /* the last context */
	uint64_t fetch_end;     /* at contexts before this one, data of one to come is fetched: */
	size_t ahead;           /* bytes from a context to where the address of that is */
	const struct ebpf_reads *reads;
	uint32_t *results;
};

#define LOOP                                                                                       \
	static ONE_COPY uint64_t interpret(const struct ebpf_prog *prog, uint64_t r1, uint64_t r2, \
					   struct many *many)

#define LOOP_ENTER                                                                                 \
	const struct ebpf_decoded *pc;                                                             \
	_Alignas(16) uint8_t stack[EBPF_STACK_SIZE];                                               \
	uint64_t regs[EBPF_N_REGS];                                                                \
                                                                                                   \
	if (prog == NULL)                                                                          \
		return (uintptr_t)LABELS;                                                          \
	regs[EBPF_R2] = r2;                                                                        \
	regs[EBPF_R10] = (uintptr_t)(stack + sizeof(stack));                                       \
enter:                                                                                             \
	pc = prog->code;                                                                           \
	regs[EBPF_R1] = r1;

#define RETURN_AT_ONCE(v)                                                                          \
	do {                                                                                       \
		if (__builtin_expect(many == NULL, 1))                                             \
			return v;                                                                  \
	} while (0)
#define RETURN                                                                                     \
	do {                                                                                       \
		if (__builtin_expect(many == NULL, 1))                                             \
			return regs[EBPF_R0];                                                      \
		*many->results++ = (uint32_t)regs[EBPF_R0];                                        \
		if (r1 == many->last)                                                              \
			return 0;                                                                  \
		r1 += many->stride;                                                                \
		if (r1 < many->fetch_end)                                                          \
			fetch_data(pointer(r1 + many->ahead), many->reads);                        \
		goto enter;                                                                        \
	} while (0)

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#include "ebpf/interp_loop.def"
#pragma GCC diagnostic pop

uint64_t
EBPF_LEAF_NAME(const struct ebpf_prog *prog, uint64_t r1, uint64_t r2)
{
	return interpret(prog, r1, r2, NULL);
}

void
EBPF_LEAF_MANY_NAME(const struct ebpf_prog *prog, const void *ctxs, size_t stride, size_t n,
		    uint32_t *results)
{
	const struct ebpf_prog_aux *aux = prog->aux;
	uintptr_t first = (uintptr_t)ctxs;
	struct many many = {
		.stride = stride,
		.last = first + (n - 1) * stride,
		.fetch_end = aux->reads.any && n > AHEAD ? first + (n - AHEAD) * stride : 0,
		.reads = &aux->reads,
		.ahead = AHEAD * stride + aux->type->data_off,
		.results = results,
	};

	if (n > 0)
		interpret(prog, first, 0, &many);
}
