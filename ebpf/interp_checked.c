/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The checked interpreter: interp_loop.def with every test made.  It runs any
 * program whose form is right: jumps are tested as they are taken, accesses
 * as they are made, and the number of steps is bounded.
 *
 * Registers and stack start as 0.  The stack is that of all frames in one
 * piece, so that a function may use what its caller points it to; what lies
 * below the running frame is out of bounds.
 */
#include "config.h"

#include "ebpf/arith.h"
#include "ebpf/atomic.h"
#include "ebpf/err.h"
#include "ebpf/insn.h"
#include "ebpf/prog.h"
#include "ebpf/sized.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#ifndef EBPF_CHECKED_NAME
#define EBPF_CHECKED_NAME ebpf_prog_run_checked
#if defined(__GNUC__) && !defined(BPFSIFT_DEBUG)
#define LOOP_LABELS 1
#else
#define LOOP_LABELS 0
#endif
#endif

#define DEFAULT_MAX_STEPS ((uint64_t)1 << 32)

struct frame {
	const struct ebpf_decoded *ret;
	uint32_t n_loops;
	uint64_t saved[4];      /* R6 ... R9 */
};

/* All that a run may touch, and what it reports to. */
struct run {
	const struct ebpf_decoded *code;        /* by row */
	uint64_t mem;           /* address */
	uint64_t mem_len;
	uint64_t stack_top;     /* address after the first frame's last byte */
	uint64_t max_steps;
	uint64_t steps_left;
	void (*trace)(void *trace_arg, size_t pc, const uint64_t regs[EBPF_MAX_REG]);
	void *trace_arg;
	struct ebpf_err *err;
	_Alignas(16) uint8_t stack[EBPF_MAX_FRAMES * EBPF_STACK_SIZE];
};

static inline void *
pointer(uint64_t addr)
{
	return (void *)(uintptr_t)addr;
}

/* Distances are taken from the start of the area: before it they are huge. */
static inline bool
within(uint64_t addr, uint64_t size, uint64_t start, uint64_t len)
{
	return size <= len && addr - start <= len - size;
}

static inline bool
may_access(const struct run *run, uint64_t fp, uint64_t addr, uint64_t size)
{
	uint64_t bottom = fp - EBPF_STACK_SIZE;

	return within(addr, size, run->mem, run->mem_len) ||
	       within(addr, size, bottom, run->stack_top - bottom);
}

/* ---- what ends a run; each returns what the run does ---- */

static int
fail_access(const struct run *run, size_t pc, uint64_t fp, uint64_t addr, uint64_t size)
{
	if (addr - run->mem < run->mem_len || run->mem - addr <= size)
		return ebpf_err_set(run->err, -EFAULT,
				    "insn %zu: %" PRIu64 " bytes at offset %" PRId64
				    " of the memory, which has %" PRIu64,
				    pc, size, s64(addr - run->mem), run->mem_len);
	if (fp - addr <= 2 * EBPF_STACK_SIZE || addr - fp <= EBPF_STACK_SIZE)
		return ebpf_err_set(run->err, -EFAULT,
				    "insn %zu: %" PRIu64 " bytes at r10%+" PRId64
				    ", outside the stack",
				    pc, size, s64(addr - fp));
	return ebpf_err_set(run->err, -EFAULT,
			    "insn %zu: %" PRIu64 " bytes at address 0x%" PRIx64
			    ", outside memory and stack",
			    pc, size, addr);
}

static int
fail_aligned(const struct run *run, size_t pc, uint64_t addr, uint64_t size)
{
	return ebpf_err_set(run->err, -EFAULT,
			    "insn %zu: atomic access of %" PRIu64 " bytes at address 0x%" PRIx64
			    ", not a multiple of it",
			    pc, size, addr);
}

static int
fail_no_insn(const struct run *run, const struct ebpf_prog *prog, size_t pc)
{
	if (pc >= prog->n_insns)
		return ebpf_err_set(run->err, -EINVAL, "insn %zu: ran off the end of the program",
				    pc - 1);
	return ebpf_err_set(run->err, -EINVAL,
			    "insn %zu: reached, but it is the second half of an instruction", pc);
}

static int
fail_jump(const struct run *run, const struct ebpf_prog *prog, size_t pc, int64_t to)
{
	return ebpf_err_set(run->err, -EINVAL,
			    "insn %zu: jump to %" PRId64 ", but the program has %" PRIu32, pc, to,
			    prog->n_insns);
}

static int
fail_steps(const struct run *run, size_t pc)
{
	return ebpf_err_set(run->err, -ELOOP,
			    "insn %zu: still running after %" PRIu64 " instructions", pc,
			    run->max_steps);
}

static int
fail_depth(const struct run *run, size_t pc)
{
	return ebpf_err_set(run->err, -E2BIG, "insn %zu: calls nested deeper than %d frames", pc,
			    EBPF_MAX_FRAMES);
}

static int
fail_helper(const struct run *run, const struct ebpf_prog *prog, size_t pc)
{
	return ebpf_err_set(run->err, -EINVAL, "insn %zu: program type %s has no helper %" PRId32,
			    pc, prog->aux->type->name, prog->aux->insns[pc].imm);
}

/* ---- the loop ---- */

#define LOOP_FUSED 0
#define LOOP                                                                                       \
	static int interpret(const struct ebpf_prog *prog, struct run *run, uint64_t *r0)

#if LOOP_LABELS
#define DISPATCH goto *labels[pc->row];
#define CASE(id) op_##id:
#define NO_CASE no_op:
#else
#define DISPATCH switch ((enum ebpf_op)pc->row)
#define CASE(id) case EBPF_OP_##id:
#define NO_CASE
#endif
#define NEXT                                                                                       \
	{                                                                                          \
		TRACE;                                                                             \
		continue;                                                                          \
	}

#define LOOP_ENTER                                                                                 \
	const struct ebpf_decoded *const code = run->code, *pc = code;                             \
	struct frame frames[EBPF_MAX_FRAMES - 1], *frame = frames;                                 \
	uint64_t regs[EBPF_N_REGS] = { 0 };                                                        \
	uint32_t n_loops = EBPF_MAX_LOOPS;                                                         \
	size_t at;                                                                                 \
                                                                                                   \
	regs[EBPF_R1] = run->mem;                                                                  \
	regs[EBPF_R2] = run->mem_len;                                                              \
	regs[EBPF_R10] = run->stack_top;

#define STEP                                                                                       \
	do {                                                                                       \
		at = (size_t)(pc - code);                                                          \
		if (pc->row == EBPF_N_OPS)                                                         \
			return fail_no_insn(run, prog, at);                                        \
		if (run->steps_left == 0)                                                          \
			return fail_steps(run, at);                                                \
		run->steps_left--;                                                                 \
	} while (0)
#define TRACE                                                                                      \
	do {                                                                                       \
		if (run->trace != NULL)                                                            \
			run->trace(run->trace_arg, at, regs);                                      \
	} while (0)
#define ACCESS(addr, size)                                                                         \
	do {                                                                                       \
		if (!may_access(run, regs[EBPF_R10], addr, size))                                  \
			return fail_access(run, at, regs[EBPF_R10], addr, size);                   \
	} while (0)
#define ATOMIC(addr, size)                                                                         \
	do {                                                                                       \
		ACCESS(addr, size);                                                                \
		if (!is_aligned(addr, size))                                                       \
			return fail_aligned(run, at, addr, size);                                  \
	} while (0)
#define GOTO(n)                                                                                    \
	do {                                                                                       \
		int64_t to_ = (int64_t)at + 1 + (n);                                               \
                                                                                                   \
		if (to_ < 0 || to_ >= prog->n_insns)                                               \
			return fail_jump(run, prog, at, to_);                                      \
		pc += (n);                                                                         \
	} while (0)
#define ENTER_FRAME                                                                                \
	do {                                                                                       \
		if (frame == frames + (EBPF_MAX_FRAMES - 1))                                       \
			return fail_depth(run, at);                                                \
	} while (0)
#define HELPER                                                                                     \
	do {                                                                                       \
		if (pc->imm < 0)                                                                   \
			return fail_helper(run, prog, at);                                         \
	} while (0)
#define RETURN                                                                                     \
	do {                                                                                       \
		*r0 = regs[EBPF_R0];                                                               \
		return 0;                                                                          \
	} while (0)
#define FAIL return fail_no_insn(run, prog, at)

/* Labels as values are an extension; as a label is named, so is a jump to one. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#include "ebpf/interp_loop.def"
#pragma GCC diagnostic pop

int
EBPF_CHECKED_NAME(const struct ebpf_prog *prog, void *mem, size_t len,
		  const struct ebpf_run_opts *opts, uint64_t *r0, struct ebpf_err *err)
{
	struct ebpf_run_opts known = { .size = sizeof(known) };
	struct ebpf_decoded *by_row = NULL;
	struct run *run;
	int rc;

	if (opts != NULL &&
	    (rc = ebpf_sized_take("run options", &known, sizeof(known), opts,
				  EBPF_SIZED_LEAST(struct ebpf_run_opts, trace_arg), err)) < 0)
		return rc;
	if (!prog->aux->is_trusted && prog->aux->type != ebpf_prog_type_raw())
		return ebpf_err_set(err, -EINVAL,
				    "program type %s: its helpers do not test what they are given",
				    prog->aux->type->name);
	run = calloc(1, sizeof(*run));
	if (run == NULL)
		return ebpf_err_set(err, -ENOMEM, "run: out of memory");
	run->code = prog->code;
	if (prog->aux->is_trusted) {
		run->code = by_row = calloc((size_t)prog->n_insns + 1, sizeof(*by_row));
		if (by_row == NULL) {
			rc = ebpf_err_set(err, -ENOMEM, "run: out of memory");
			goto out;
		}
		ebpf_prog_decode(prog, NULL, by_row);
	}
	run->mem = (uintptr_t)mem;
	run->mem_len = len;
	run->stack_top = (uintptr_t)(run->stack + sizeof(run->stack));
	run->max_steps = known.max_steps != 0 ? known.max_steps : DEFAULT_MAX_STEPS;
	run->steps_left = run->max_steps;
	run->trace = known.trace;
	run->trace_arg = known.trace_arg;
	run->err = err;
	rc = interpret(prog, run, r0);
out:
	free(by_row);
	free(run);
	return rc;
}
