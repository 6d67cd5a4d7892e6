/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the interpreters that test nothing share: how interp_loop.def goes from
 * one instruction to the next, and its tests, which are empty.
 *
 * Dispatch goes through labels as values where the compiler has them; debug and
 * fuzz builds use the switch, and the tests compile these files once for each.
 */
#ifndef BPFSIFT_EBPF_INTERP_FAST_H
#define BPFSIFT_EBPF_INTERP_FAST_H

#include "ebpf/reads.h"

#include <stdint.h>
#include <string.h>

#ifndef LOOP_LABELS
#if defined(__GNUC__) && !defined(BPFSIFT_DEBUG) && !defined(BPFSIFT_FUZZ)
#define LOOP_LABELS 1
#else
#define LOOP_LABELS 0
#endif
#endif
#define LOOP_FUSED LOOP_LABELS

/* A copy of the function would have labels of its own, which no program holds. */
#if LOOP_LABELS && defined(__clang__)
#define ONE_COPY __attribute__((noinline, aligned(64)))
#elif LOOP_LABELS
#define ONE_COPY __attribute__((noinline, noclone, aligned(64)))
#else
#define ONE_COPY
#endif

#if LOOP_LABELS
#define LABELS labels
#define DISPATCH goto *pc->label;
#define CASE(id) op_##id:
#define NO_CASE no_op:
#define NEXT                                                                                       \
	do {                                                                                       \
		pc++;                                                                              \
		goto *pc->label;                                                                   \
	} while (0)
#else
#define LABELS NULL
#define DISPATCH switch ((enum ebpf_op)pc->row)
#define CASE(id) case EBPF_OP_##id:
#define NO_CASE
#define NEXT continue
#endif

#define STEP (void)0
#define TRACE (void)0
#define ACCESS(addr, size) (void)0
#define WRITE(addr, size) (void)0
#define ATOMIC(addr, size, is_write) (void)0
#define GOTO(n) pc += (n)
#define ENTER_FRAME (void)0
#define HELPER(h) (void)0
#define FAIL return 0

static inline void *
pointer(uint64_t addr)
{
	return (void *)(uintptr_t)addr;
}

/* Enough runs to cover a miss of the last cache, and few enough to stay in the first. */
#define AHEAD 8

/* at holds an address, of data for a run to come. */
static inline void
fetch_data(const void *at, const struct ebpf_reads *reads)
{
#if defined(__GNUC__)
	uintptr_t data;

	/* a number: it may be 0, and what is read outside of what is there */
	memcpy(&data, at, sizeof(data));
	__builtin_prefetch((const void *)(data + reads->from));
	__builtin_prefetch((const void *)(data + reads->to));
#else
	(void)at;
	(void)reads;
#endif
}

#endif
