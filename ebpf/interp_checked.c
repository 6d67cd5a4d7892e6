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
#include "ebpf/map.h"
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
	const struct ebpf_prog *prog;
	uint32_t n_loops;
	uint64_t saved[4];      /* R6 ... R9 */
};

/* All that a run may touch, and what it reports to. */
struct run {
	const struct ebpf_text *text;   /* NULL: what runs is what was loaded */
	/* The programs that it came to, decoded by row, in that order. */
	struct {
		const struct ebpf_prog *prog;
		const struct ebpf_decoded *code;
		struct ebpf_decoded *own;       /* NULL: the program's */
	} progs[EBPF_MAX_TAIL_CALLS + 1 + EBPF_MAX_FUNCS];
	size_t n_progs;
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

static bool
in_a_map(const struct ebpf_prog *prog, uint64_t addr, uint64_t size, bool is_write)
{
	const struct ebpf_link *link = &prog->aux->link;

	for (size_t i = 0; i < link->n_maps; i++) {
		if (ebpf_map_owns(link->maps[i], addr, size, is_write))
			return true;
	}
	return false;
}

static inline bool
may_access(const struct run *run, const struct ebpf_prog *prog, uint64_t fp, uint64_t addr,
	   uint64_t size, bool is_write)
{
	uint64_t bottom = fp - EBPF_STACK_SIZE;

	return within(addr, size, run->mem, run->mem_len) ||
	       within(addr, size, bottom, run->stack_top - bottom) ||
	       in_a_map(prog, addr, size, is_write);
}

/* Go on in a program: its code by row; NULL: out of memory. */
static const struct ebpf_decoded *
switch_to(struct run *run, const struct ebpf_prog *prog)
{
	struct ebpf_decoded *own = NULL;

	run->text = prog->aux->text.insns != NULL ? &prog->aux->text : NULL;
	for (size_t i = 0; i < run->n_progs; i++) {
		if (run->progs[i].prog == prog)
			return run->progs[i].code;
	}
	if (prog->aux->is_trusted) {
		own = calloc((size_t)prog->n_insns + 1, sizeof(*own));
		if (own == NULL)
			return NULL;
		ebpf_prog_decode(prog, NULL, own);
	}
	run->progs[run->n_progs].prog = prog;
	run->progs[run->n_progs].own = own;
	run->progs[run->n_progs].code = own != NULL ? own : prog->code;
	return run->progs[run->n_progs++].code;
}

/* The user's slot that slot pc stands for. */
static inline size_t
user_pc(const struct run *run, size_t pc)
{
	return run->text != NULL ? run->text->origin[pc] : pc;
}

/* Whether slot pc is the first that stands for its instruction. */
static inline bool
begins(const struct run *run, size_t pc)
{
	return run->text == NULL || pc == 0 || run->text->origin[pc] != run->text->origin[pc - 1];
}

/* Whether the instruction that slot pc stands for is done when slot next follows. */
static inline bool
completes(const struct run *run, size_t pc, size_t next)
{
	return run->text == NULL || next <= pc || next >= run->text->n ||
	       run->text->origin[next] != run->text->origin[pc];
}

/* ---- what ends a run; each returns what the run does ---- */

static int
fail_access(const struct run *run, size_t pc, uint64_t fp, uint64_t addr, uint64_t size)
{
	if (addr - run->mem <= run->mem_len || run->mem - addr <= size)
		return ebpf_err_set(run->err, -EFAULT,
				    "insn %zu: %" PRIu64 " bytes at offset %" PRId64
				    " of the memory, which has %" PRIu64,
				    user_pc(run, pc), size, s64(addr - run->mem), run->mem_len);
	if (fp - addr <= 2 * EBPF_STACK_SIZE || addr - fp <= EBPF_STACK_SIZE)
		return ebpf_err_set(run->err, -EFAULT,
				    "insn %zu: %" PRIu64 " bytes at r10%+" PRId64
				    ", outside the stack",
				    user_pc(run, pc), size, s64(addr - fp));
	return ebpf_err_set(run->err, -EFAULT,
			    "insn %zu: %" PRIu64 " bytes at address 0x%" PRIx64
			    ", outside memory, stack and maps",
			    user_pc(run, pc), size, addr);
}

static int
fail_aligned(const struct run *run, size_t pc, uint64_t addr, uint64_t size)
{
	return ebpf_err_set(run->err, -EFAULT,
			    "insn %zu: atomic access of %" PRIu64 " bytes at address 0x%" PRIx64
			    ", not a multiple of it",
			    user_pc(run, pc), size, addr);
}

static int
fail_no_insn(const struct run *run, const struct ebpf_prog *prog, size_t pc)
{
	if (pc >= prog->n_insns)
		return ebpf_err_set(run->err, -EINVAL, "insn %zu: ran off the end of the program",
				    prog->aux->n_insns - 1);
	return ebpf_err_set(run->err, -EINVAL,
			    "insn %zu: reached, but it is the second half of an instruction",
			    user_pc(run, pc));
}

static int
fail_jump(const struct run *run, const struct ebpf_prog *prog, size_t pc, int64_t to)
{
	return ebpf_err_set(run->err, -EINVAL,
			    "insn %zu: jump to %" PRId64 ", but the program has %" PRIu32,
			    user_pc(run, pc), to, prog->n_insns);
}

static int
fail_steps(const struct run *run, size_t pc)
{
	return ebpf_err_set(run->err, -ELOOP,
			    "insn %zu: still running after %" PRIu64 " instructions",
			    user_pc(run, pc), run->max_steps);
}

static int
fail_depth(const struct run *run, size_t pc)
{
	return ebpf_err_set(run->err, -E2BIG, "insn %zu: calls nested deeper than %d frames",
			    user_pc(run, pc), EBPF_MAX_FRAMES);
}

static int
fail_helper(const struct run *run, const struct ebpf_prog *prog, size_t pc)
{
	return ebpf_err_set(run->err, -EINVAL, "insn %zu: program type %s has no helper %" PRId32,
			    user_pc(run, pc), prog->aux->type->name,
			    prog->aux->insns[user_pc(run, pc)].imm);
}

static int
fail_memory(const struct run *run)
{
	return ebpf_err_set(run->err, -ENOMEM, "run: out of memory");
}

/* ---- what is handed to helpers ---- */

static int
fail_arg(const struct run *run, const struct ebpf_helper *h, size_t pc, unsigned int r,
	 const char *what)
{
	return ebpf_err_set(run->err, -EFAULT, "insn %zu: %s: r%u is no %s", user_pc(run, pc),
			    h->name, r, what);
}

/* The map of the program at this address, NULL: there is none. */
static const struct ebpf_map *
map_at(const struct ebpf_prog *prog, uint64_t addr)
{
	const struct ebpf_link *link = &prog->aux->link;

	for (size_t i = 0; i < link->n_maps; i++) {
		if ((uintptr_t)link->maps[i] == addr)
			return link->maps[i];
	}
	return NULL;
}

/* The memory in R(r - 1), whose size is in R(r). */
static int
check_sized(const struct run *run, const struct ebpf_prog *prog, const struct ebpf_helper *h,
	    size_t pc, const uint64_t *regs, unsigned int r)
{
	bool is_write = h->args[r - 2] == EBPF_ARG_MEM_WRITE;
	uint64_t size = regs[r];

	if (size == 0 && h->args[r - 1] == EBPF_ARG_SIZE_OR_ZERO)
		return 0;
	if (size == 0 || size > INT32_MAX)
		return fail_arg(run, h, pc, r, "size");
	if (!may_access(run, prog, regs[EBPF_R10], regs[r - 1], size, is_write))
		return fail_arg(run, h, pc, r - 1, "address of that many bytes");
	return 0;
}

static int
check_args(const struct run *run, const struct ebpf_prog *prog, const struct ebpf_helper *h,
	   size_t pc, const uint64_t *regs)
{
	const struct ebpf_map *map = NULL;
	int rc = 0;

	for (unsigned int r = EBPF_R1; r <= EBPF_R5 && rc == 0; r++) {
		switch ((enum ebpf_arg_kind)h->args[r - 1]) {
		case EBPF_ARG_NONE:
		case EBPF_ARG_SCALAR:
		case EBPF_ARG_ANYTHING:
		case EBPF_ARG_MEM_READ:         /* with its size */
		case EBPF_ARG_MEM_WRITE:
			break;
		case EBPF_ARG_CTX:
			/* What goes on to another program is tested there. */
			if (h->fn != NULL && regs[r] != run->mem)
				rc = fail_arg(run, h, pc, r, "context");
			break;
		case EBPF_ARG_SIZE:
		case EBPF_ARG_SIZE_OR_ZERO:
			rc = check_sized(run, prog, h, pc, regs, r);
			break;
		case EBPF_ARG_MAP:
			if ((map = map_at(prog, regs[r])) == NULL)
				rc = fail_arg(run, h, pc, r, "map of the program");
			break;
		case EBPF_ARG_MAP_KEY:
			if (map == NULL || !may_access(run, prog, regs[EBPF_R10], regs[r],
						       map->opts.key_size, false))
				rc = fail_arg(run, h, pc, r, "address of a key");
			break;
		case EBPF_ARG_MAP_VALUE:
			if (map == NULL || !may_access(run, prog, regs[EBPF_R10], regs[r],
						       map->opts.value_size, false))
				rc = fail_arg(run, h, pc, r, "address of a value");
			break;
		}
	}
	return rc;
}

/* ---- the loop ---- */

#define LOOP_FUSED 0
#define LOOP_CALLS 1
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
	const struct ebpf_decoded *code = run->progs[0].code, *pc = code;                          \
	struct frame frames[EBPF_MAX_FRAMES - 1], *frame = frames;                                 \
	uint64_t regs[EBPF_N_REGS] = { 0 };                                                        \
	uint32_t n_loops = EBPF_MAX_LOOPS, n_tail_calls = 0;                                       \
	size_t at;                                                                                 \
                                                                                                   \
	regs[EBPF_R1] = run->mem;                                                                  \
	regs[EBPF_R2] = ebpf_prog_r2(prog, run->mem_len);                                          \
	regs[EBPF_R10] = run->stack_top;

#define STEP                                                                                       \
	do {                                                                                       \
		at = (size_t)(pc - code);                                                          \
		if (pc->row == EBPF_N_OPS)                                                         \
			return fail_no_insn(run, prog, at);                                        \
		if (begins(run, at) && run->steps_left-- == 0)                                     \
			return fail_steps(run, at);                                                \
	} while (0)
#define TRACE                                                                                      \
	do {                                                                                       \
		if (run->trace != NULL && completes(run, at, (size_t)(pc - code) + 1))             \
			run->trace(run->trace_arg, user_pc(run, at), regs);                        \
	} while (0)
#define ACCESS(addr, size)                                                                         \
	do {                                                                                       \
		if (!may_access(run, prog, regs[EBPF_R10], addr, size, false))                     \
			return fail_access(run, at, regs[EBPF_R10], addr, size);                   \
	} while (0)
#define WRITE(addr, size)                                                                          \
	do {                                                                                       \
		if (!may_access(run, prog, regs[EBPF_R10], addr, size, true))                      \
			return fail_access(run, at, regs[EBPF_R10], addr, size);                   \
	} while (0)
#define ATOMIC(addr, size, is_write)                                                               \
	do {                                                                                       \
		if (!may_access(run, prog, regs[EBPF_R10], addr, size, is_write))                  \
			return fail_access(run, at, regs[EBPF_R10], addr, size);                   \
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
/* As below: the call is traced while it has its program. */
#define CALLEE                                                                                     \
	{                                                                                          \
		const struct ebpf_prog *in_place_ = ebpf_prog_in_place(prog, pc->off);             \
                                                                                                   \
		if (in_place_ != NULL) {                                                           \
			TRACE;                                                                     \
			prog = in_place_;                                                          \
			code = switch_to(run, prog);                                               \
			if (code == NULL)                                                          \
				return fail_memory(run);                                           \
			pc = code - 1;                                                             \
			continue;                                                                  \
		}                                                                                  \
		GOTO(pc->imm);                                                                     \
	}
/* As below: the exit is traced as one of the program that it is in. */
#define RESUME                                                                                     \
	{                                                                                          \
		TRACE;                                                                             \
		prog = frame->prog;                                                                \
		code = switch_to(run, prog);                                                       \
		pc = frame->ret;                                                                   \
		continue;                                                                          \
	}
#define HELPER(h)                                                                                  \
	do {                                                                                       \
		int rc_;                                                                           \
                                                                                                   \
		if (pc->imm < 0)                                                                   \
			return fail_helper(run, prog, at);                                         \
		if ((rc_ = check_args(run, prog, h, at, regs)) < 0)                                \
			return rc_;                                                                \
	} while (0)
/* What is traced is the call, while it still has its program; NEXT would be too late. */
#define TAIL_CALL                                                                                  \
	{                                                                                          \
		const struct ebpf_prog *to_ = ebpf_prog_array_get(pointer(regs[EBPF_R2]),          \
								  (uint32_t)regs[EBPF_R3]);        \
                                                                                                   \
		if (to_ != NULL && n_tail_calls < EBPF_MAX_TAIL_CALLS &&                           \
		    ebpf_prog_fits(to_, run->mem_len)) {                                           \
			TRACE;                                                                     \
			n_tail_calls++;                                                            \
			prog = to_;                                                                \
			code = switch_to(run, prog);                                               \
			if (code == NULL)                                                          \
				return fail_memory(run);                                           \
			pc = code - 1;                                                             \
			n_loops = EBPF_MAX_LOOPS;                                                  \
			regs[EBPF_R2] = ebpf_prog_r2(prog, run->mem_len);                          \
			continue;                                                                  \
		}                                                                                  \
	}
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

static int
run_once(const struct ebpf_prog *prog, struct run *run, uint64_t *r0)
{
	int rc = switch_to(run, prog) != NULL ? interpret(prog, run, r0) : fail_memory(run);

	for (size_t i = 0; i < run->n_progs; i++)
		free(run->progs[i].own);
	return rc;
}

/* As the entries of prog.c do it for the fast interpreter. */
static int
run_as_entered(const struct ebpf_prog *prog, struct run *run, uint64_t *r0)
{
	struct ebpf_prog_aux *aux = prog->aux;
	bool is_counted = atomic_load_explicit(&aux->is_counted, memory_order_relaxed);
	uint64_t start = is_counted ? ebpf_clock_ns() : 0;
	int rc;

	if (aux->may_reenter && !ebpf_counters_enter(&aux->counters)) {
		*r0 = 0;
		return 0;
	}
	rc = run_once(prog, run, r0);
	if (is_counted)
		ebpf_counters_add(&aux->counters, 1, ebpf_clock_ns() - start, 0);
	if (aux->may_reenter)
		ebpf_counters_leave(&aux->counters);
	return rc;
}

int
EBPF_CHECKED_NAME(const struct ebpf_prog *prog, void *mem, size_t len,
		  const struct ebpf_run_opts *opts, uint64_t *r0, struct ebpf_err *err)
{
	struct ebpf_run_opts known = { .size = sizeof(known) };
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
	run->mem = (uintptr_t)mem;
	run->mem_len = len;
	run->stack_top = (uintptr_t)(run->stack + sizeof(run->stack));
	run->max_steps = known.max_steps != 0 ? known.max_steps : DEFAULT_MAX_STEPS;
	run->steps_left = run->max_steps;
	run->trace = known.trace;
	run->trace_arg = known.trace_arg;
	run->err = err;
	rc = run_as_entered(prog, run, r0);
	free(run);
	return rc;
}
