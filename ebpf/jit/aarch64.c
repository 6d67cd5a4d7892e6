/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The back end for aarch64.
 *
 * R0-R10 have a machine register each, AX is X11.  Each instruction is of 4
 * bytes; conditional branches, which reach 1 MB or 32 KB, jump over one that
 * gets farther where they have to.
 */
#include "config.h"

#include "ebpf/jit/aarch64.h"

#include <stddef.h>
#if defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

/* Arguments where helpers want them.  R10 is the frame's pointer of the host, too. */
static const uint8_t calling[EBPF_N_REGS] = {
	[EBPF_R0] = X7,  [EBPF_R1] = X0,  [EBPF_R2] = X1,  [EBPF_R3] = X2,
	[EBPF_R4] = X3,  [EBPF_R5] = X4,  [EBPF_R6] = X19, [EBPF_R7] = X20,
	[EBPF_R8] = X21, [EBPF_R9] = X22, [EBPF_R10] = X29, [EBPF_AX] = X11,
};

/* Without helpers: arguments where the host's call has them already, and the result. */
static const uint8_t leaf[EBPF_N_REGS] = {
	[EBPF_R0] = X0,  [EBPF_R1] = X1,  [EBPF_R2] = X2,  [EBPF_R3] = X3,
	[EBPF_R4] = X4,  [EBPF_R5] = X5,  [EBPF_R6] = X19, [EBPF_R7] = X20,
	[EBPF_R8] = X21, [EBPF_R9] = X22, [EBPF_R10] = X29, [EBPF_AX] = X11,
};

/* One function, which calls nothing: no register is to be kept. */
static const uint8_t alone[EBPF_N_REGS] = {
	[EBPF_R0] = X0, [EBPF_R1] = X1, [EBPF_R2] = X2, [EBPF_R3] = X3,
	[EBPF_R4] = X4, [EBPF_R5] = X5, [EBPF_R6] = X6, [EBPF_R7] = X7,
	[EBPF_R8] = X8, [EBPF_R9] = X9, [EBPF_R10] = X10, [EBPF_AX] = X11,
};

/* ---- entering and leaving a function ---- */

enum { MAX_KEPT = 6 };

/* Registers that a function keeps, the host's: how many, the frame's link first. */
static unsigned
registers_kept(const struct jit *j, uint8_t *regs)
{
	unsigned n = 0;

	if (j->func->has_calls || (j->regs != alone && jit_is_named(j->func, EBPF_R10))) {
		regs[n++] = X29;
		regs[n++] = X30;
	}
	for (unsigned r = EBPF_R6; r <= EBPF_R9 && j->regs != alone; r++) {
		if (jit_is_named(j->func, r))
			regs[n++] = (uint8_t)jit_reg(j, r);
	}
	if (n % 2 != 0)
		regs[n++] = ZR; /* pairs keep the stack aligned */
	return n;
}

/* The program's stack, and at its lower end a counter of may_goto. */
int32_t
a64_stack_size(const struct jit *j)
{
	return (jit_is_named(j->func, EBPF_R10) ? EBPF_STACK_SIZE : 0) +
	       (j->func->has_may_goto ? 16 : 0);
}

static void
push_frame(struct jit *j)
{
	uint8_t regs[MAX_KEPT];
	unsigned n = registers_kept(j, regs);
	int32_t size = a64_stack_size(j);

	for (unsigned i = 0; i < n; i += 2) {
		if (i == 0)
			a64_push_pair(&j->b, regs[0], regs[1], 8 * (int32_t)n);
		else
			a64_store_pair(&j->b, regs[i], regs[i + 1], 8 * (int32_t)i);
	}
	if (n > 0 && regs[0] == X29)
		a64_add_imm(&j->b, true, A64_ADD, X29, SP, 0);
	else if (jit_is_named(j->func, EBPF_R10))
		a64_add_imm(&j->b, true, A64_ADD, jit_reg(j, EBPF_R10), SP, 0);
	if (size > 0)
		a64_add_imm(&j->b, true, A64_SUB, SP, SP, (uint64_t)size);
}

static void
pop_frame(struct jit *j)
{
	uint8_t regs[MAX_KEPT];
	unsigned n = registers_kept(j, regs);
	int32_t size = a64_stack_size(j);

	if (size > 0)
		a64_add_imm(&j->b, true, A64_ADD, SP, SP, (uint64_t)size);
	for (unsigned i = n; i > 0; i -= 2) {
		if (i == 2)
			a64_pop_pair(&j->b, regs[0], regs[1], 8 * (int32_t)n);
		else
			a64_load_pair(&j->b, regs[i - 2], regs[i - 1], 8 * (int32_t)(i - 2));
	}
}

/* What a frame begins with: its own turns of may_goto. */
static void
begin_frame(struct jit *j)
{
	if (j->func->has_may_goto) {
		a64_mov_imm(&j->b, X16, EBPF_MAX_LOOPS);
		a64_str(&j->b, X16, SP, 0);
	}
}

static void
enter(struct jit *j)
{
	push_frame(j);
	begin_frame(j);
}

/* ---- jumps ---- */

static void
jump_to(struct jit *j, uint32_t to)
{
	a64_b(&j->b, false, to);
}

/* Bytes before the end of a slot that its last branch is at, at most. */
#define BEFORE_END 64

static bool
reaches(const struct jit *j, struct a64_branch branch, uint32_t to)
{
	int64_t distance = jit_distance(j, to), reach = (int64_t)1 << (branch.n_bits + 1);

	return distance >= -reach + BEFORE_END && distance < reach - BEFORE_END;
}

static void
branch_to(struct jit *j, struct a64_branch branch, uint32_t to)
{
	if (reaches(j, branch, to)) {
		a64_branch_to(&j->b, branch, to);
		return;
	}
	branch.word ^= branch.opposite;
	a64_branch_to(&j->b, branch, j->b.n + 8);
	jump_to(j, to);
}

static void
leave_function(struct jit *j)
{
	if (j->in_many) {
		if (jit_distance(j, j->turns.next) != 0)
			jump_to(j, j->turns.next);
		return;
	}
	pop_frame(j);
	if (jit_reg(j, EBPF_R0) != X0)
		a64_mov(&j->b, true, X0, jit_reg(j, EBPF_R0));
	a64_ret(&j->b);
}

static enum a64_cc
condition_of(uint8_t op)
{
	switch (op) {
	case EBPF_JEQ:
		return CC_EQ;
	case EBPF_JGT:
		return CC_HI;
	case EBPF_JGE:
		return CC_HS;
	case EBPF_JLT:
		return CC_LO;
	case EBPF_JLE:
		return CC_LS;
	case EBPF_JSGT:
		return CC_GT;
	case EBPF_JSGE:
		return CC_GE;
	case EBPF_JSLT:
		return CC_LT;
	case EBPF_JSLE:
		return CC_LE;
	default:        /* JNE, and JSET: not zero */
		return CC_NE;
	}
}

/* Whether a comparison with a constant is one of the register with 0, or of one of its bits. */
static bool
is_of_itself(const struct jit *j, const struct ebpf_insn *insn, struct a64_branch *branch)
{
	bool wide = EBPF_CLASS(insn->code) == EBPF_JMP;
	uint64_t v = wide ? (uint64_t)(int64_t)insn->imm : (uint32_t)insn->imm;
	uint8_t op = insn->code & 0xf0;
	unsigned dst = jit_reg(j, insn->dst_reg);

	if ((insn->code & 0x08) == EBPF_X)
		return false;
	if (op == EBPF_JSET && v != 0 && (v & (v - 1)) == 0)
		*branch = a64_tbz(false, dst, (unsigned)__builtin_ctzll(v));
	else if (v != 0)
		return false;
	else if (op == EBPF_JEQ || op == EBPF_JLE)
		*branch = a64_cbz(wide, true, dst);
	else if (op == EBPF_JNE || op == EBPF_JGT)
		*branch = a64_cbz(wide, false, dst);
	else if (op == EBPF_JSLT || op == EBPF_JSGE)
		*branch = a64_tbz(op == EBPF_JSGE, dst, wide ? 63 : 31);
	else
		return false;
	return true;
}

/* A constant in the register, or the one that has it. */
static unsigned
constant_in(struct jit *j, unsigned reg, uint64_t v)
{
	if (v == 0)
		return ZR;
	a64_mov_imm(&j->b, reg, v);
	return reg;
}

static void
conditional(struct jit *j, const struct ebpf_insn *insn)
{
	enum a64_cc cc = condition_of(insn->code & 0xf0);
	uint64_t taken, otherwise;
	struct a64_branch branch;

	if (!jit_selects(j, insn, &taken, &otherwise)) {
		if (!is_of_itself(j, insn, &branch)) {
			a64_jit_compare(j, insn);
			branch = a64_b_if(cc);
		}
		branch_to(j, branch, jit_slot_at(j, insn->off));
		return;
	}
	a64_jit_compare(j, insn);
	a64_csel(&j->b, jit_reg(j, EBPF_R0), constant_in(j, X16, taken),
		 constant_in(j, X17, otherwise), cc);
	leave_function(j);
}

static void
may_goto(struct jit *j, const struct ebpf_insn *insn)
{
	a64_ldr(&j->b, X16, SP, 0);
	branch_to(j, a64_cbz(true, true, X16), jit_slot_at(j, insn->off));
	a64_add_imm(&j->b, true, A64_SUB, X16, X16, 1);
	a64_str(&j->b, X16, SP, 0);
}

static void
jump(struct jit *j, const struct ebpf_insn *insn)
{
	if (ebpf_op_of(insn) == EBPF_OP_MAY_GOTO)
		may_goto(j, insn);
	else if (insn->off != 0)
		jump_to(j, jit_slot_at(j, insn->off));
}

static void
jump32(struct jit *j, const struct ebpf_insn *insn)
{
	if (insn->imm != 0)
		jump_to(j, jit_slot_at(j, insn->imm));
}

static void
leave_by_exit(struct jit *j, const struct ebpf_insn *insn)
{
	(void)insn;
	leave_function(j);
}

/* ---- calls ---- */

static void
zero_regs(struct jit *j, unsigned from)
{
	for (unsigned r = from; r <= EBPF_R5; r++)
		a64_mov(&j->b, false, jit_reg(j, r), ZR);
}

/* What a call gave; and where a helper takes whatever is in its registers, that is nothing. */
static void
end_call(struct jit *j)
{
	if (jit_reg(j, EBPF_R0) != X0)
		a64_mov(&j->b, true, jit_reg(j, EBPF_R0), X0);
	if (j->zeroes_args)
		zero_regs(j, EBPF_R1);
}

static void
call_c(struct jit *j, uintptr_t fn)
{
	a64_mov_imm(&j->b, X16, fn);
	a64_blr(&j->b, X16);
}

static void
tail_call(struct jit *j)
{
	struct a64_branch is_none = a64_cbz(true, true, X16);
	size_t from;

	a64_str(&j->b, X7, RUN, offsetof(struct ebpf_jit_run, saved_r0));
	a64_str(&j->b, X0, RUN, offsetof(struct ebpf_jit_run, saved_r1));
	a64_mov(&j->b, true, X0, X1);
	a64_mov(&j->b, false, X1, X2);
	a64_mov(&j->b, true, X2, RUN);
	call_c(j, (uintptr_t)ebpf_jit_tail_callee);
	a64_mov(&j->b, true, X16, X0);
	a64_ldr(&j->b, X7, RUN, offsetof(struct ebpf_jit_run, saved_r0));
	a64_ldr(&j->b, X0, RUN, offsetof(struct ebpf_jit_run, saved_r1));
	from = a64_branch_forward(&j->b, is_none);
	a64_ldr(&j->b, X1, RUN, offsetof(struct ebpf_jit_run, next_r2));
	pop_frame(j);
	a64_br(&j->b, X16);
	a64_land(&j->b, from, is_none);
	if (j->zeroes_args)
		zero_regs(j, EBPF_R1);
}

static void
helper_call(struct jit *j, const struct ebpf_insn *insn)
{
	const struct ebpf_helper *h = jit_helper(j, insn);

	if (h->fn == NULL) {
		tail_call(j);
		return;
	}
	a64_mov_imm(&j->b, X5, (uintptr_t)(h->env != NULL ? h->env : j->prog->env));
	call_c(j, (uintptr_t)h->fn);
	end_call(j);
}

static void
count_frames(struct jit *j, bool is_call)
{
	enum { AT = offsetof(struct ebpf_jit_run, depth) };

	if (!j->has_run)
		return;
	a64_access(&j->b, A64_LOAD, 2, X16, RUN, AT, ZR);
	a64_add_imm(&j->b, false, is_call ? A64_ADD : A64_SUB, X16, X16, 1);
	a64_access(&j->b, A64_STORE, 2, X16, RUN, AT, ZR);
}

static void
local_call(struct jit *j, const struct ebpf_insn *insn)
{
	const struct ebpf_global *global = jit_replaced(j, insn);
	const struct jit_func *callee = jit_callee(j, insn);
	struct a64_branch is_own = a64_cbz(true, true, X16);
	struct a64_branch always = a64_b_always();
	size_t own, done;

	count_frames(j, true);
	if (global == NULL) {
		a64_b(&j->b, true, callee->entry);
	} else {
		a64_mov_imm(&j->b, X16, (uintptr_t)&global->ext);
		a64_exclusive(&j->b, A64_LDAR, 3, 0, X16, X16);
		own = a64_branch_forward(&j->b, is_own);
		a64_ldr(&j->b, X16, X16, offsetof(struct ebpf_prog, inner));
		a64_blr(&j->b, X16);
		done = a64_branch_forward(&j->b, always);
		a64_land(&j->b, own, is_own);
		a64_b(&j->b, true, callee->entry);
		a64_land(&j->b, done, always);
	}
	count_frames(j, false);
	end_call(j);
}

static void
wide_load(struct jit *j, const struct ebpf_insn *insn)
{
	a64_mov_imm(&j->b, jit_reg(j, insn->dst_reg), jit_wide_value(j, insn));
}

/* ---- entries ---- */

/* A run lies above what is kept of the host: two pairs. */
enum {
	RUN_AT = 32,
	ROOM = RUN_AT + (sizeof(struct ebpf_jit_run) + 15) / 16 * 16,
};

static void
begin_run(struct jit *j)
{
	a64_push_pair(&j->b, X29, X30, ROOM);
	a64_store_pair(&j->b, RUN, ZR, 16);
	a64_add_imm(&j->b, true, A64_ADD, X29, SP, 0);
	a64_add_imm(&j->b, true, A64_ADD, RUN, SP, RUN_AT);
	a64_str(&j->b, X2, RUN, offsetof(struct ebpf_jit_run, r2));
	a64_access(&j->b, A64_STORE, 2, ZR, RUN, offsetof(struct ebpf_jit_run, n_tail_calls), ZR);
	a64_access(&j->b, A64_STORE, 2, ZR, RUN, offsetof(struct ebpf_jit_run, depth), ZR);
}

static void
emit_run(struct jit *j)
{
	a64_bti(&j->b, false);
	if (j->regs != calling)
		return;
	if (j->has_run)
		begin_run(j);
	a64_mov(&j->b, true, X0, X1);
	a64_mov(&j->b, true, X1, X2);
	if (j->calls_helpers)
		zero_regs(j, EBPF_R3);  /* those that a program is not entered with */
	if (j->has_run) {
		a64_b(&j->b, true, j->funcs[0].entry);
		a64_load_pair(&j->b, RUN, ZR, 16);
		a64_pop_pair(&j->b, X29, X30, ROOM);
		a64_ret(&j->b);
	}
}

static void
emit_inner(struct jit *j)
{
	a64_bti(&j->b, true);
	for (unsigned r = EBPF_R5; r >= EBPF_R1 && j->regs != calling; r--)
		a64_mov(&j->b, true, jit_reg(j, r), r - EBPF_R1 + X0);
	a64_b(&j->b, false, j->funcs[0].entry);
}

/* ---- batches ---- */

/* What the loop keeps is in registers that no leaf has. */
static void
plan(struct jit *j)
{
	struct jit_turns *t = &j->turns;

	j->has_lse = j->target->has_lse();
	if (j->calls_helpers || j->has_run)
		j->regs = calling;
	else
		j->regs = j->n_funcs > 1 || j->funcs[0].has_calls ? leaf : alone;
	/* those that keep a run would begin with a new one each time */
	j->has_many = j->regs != calling;
	t->stride = X23;
	t->end = X24;
	t->result = X25;
	/* a context stays in R1 where nobody changes that */
	t->ctx = j->funcs[0].written >> EBPF_R1 & 1 || j->funcs[0].has_calls
			 ? X26
			 : (uint8_t)jit_reg(j, EBPF_R1);
}

/* As many turns ahead as the interpreter. */
#define AHEAD 8

static void
prefetch(struct jit *j)
{
	const struct ebpf_reads *reads = &j->prog->aux->reads;
	struct a64_branch is_end = a64_b_if(CC_HS);
	size_t from;

	if (!reads->any)
		return;
	a64_mov_imm(&j->b, X17, AHEAD);
	a64_madd(&j->b, true, X16, j->turns.stride, X17, j->turns.ctx);
	a64_rrr(&j->b, true, A64_CMP, ZR, X16, j->turns.end);
	from = a64_branch_forward(&j->b, is_end);
	a64_access(&j->b, A64_LOAD, 3, X16, X16, j->prog->aux->type->data_off, X17);
	a64_prefetch(&j->b, X16, reads->from);
	if (reads->to - reads->from > 1)
		a64_prefetch(&j->b, X16, reads->to);
	a64_land(&j->b, from, is_end);
}

/* From the arguments of ebpf_many_fn to the loop's registers. */
static void
begin_turns(struct jit *j)
{
	a64_madd(&j->b, true, j->turns.end, X3, X2, X1);
	a64_mov(&j->b, true, j->turns.stride, X2);
	a64_mov(&j->b, true, j->turns.result, X4);
	if (j->turns.ctx != X1)
		a64_mov(&j->b, true, j->turns.ctx, X1);
}

static void
begin_many(struct jit *j)
{
	a64_bti(&j->b, false);
	a64_push_pair(&j->b, X23, X24, 32);
	a64_store_pair(&j->b, X25, X26, 16);
	push_frame(j);
	begin_turns(j);
	j->turns.head = j->b.n;
	begin_frame(j);
	prefetch(j);
	if (j->turns.ctx != jit_reg(j, EBPF_R1))
		a64_mov(&j->b, true, jit_reg(j, EBPF_R1), j->turns.ctx);
	if (jit_is_named(j->func, EBPF_R2))
		a64_mov(&j->b, false, jit_reg(j, EBPF_R2), ZR);
}

static void
end_many(struct jit *j)
{
	j->turns.next = (uint32_t)j->b.n;
	a64_access(&j->b, A64_STORE, 2, jit_reg(j, EBPF_R0), j->turns.result, 0, ZR);
	a64_add_imm(&j->b, true, A64_ADD, j->turns.result, j->turns.result, sizeof(uint32_t));
	a64_rrr(&j->b, true, A64_ADD, j->turns.ctx, j->turns.ctx, j->turns.stride);
	a64_rrr(&j->b, true, A64_CMP, ZR, j->turns.ctx, j->turns.end);
	j->pc = j->func->end - 1;
	branch_to(j, a64_b_if(CC_NE), (uint32_t)j->turns.head);
	pop_frame(j);
	a64_load_pair(&j->b, X25, X26, 16);
	a64_pop_pair(&j->b, X23, X24, 32);
	a64_ret(&j->b);
}

/* ---- the machine ---- */

static bool
has_lse(void)
{
#ifdef HWCAP_ATOMICS
	return (getauxval(AT_HWCAP) & HWCAP_ATOMICS) != 0;
#else
	return false;
#endif
}

const struct jit_target ebpf_jit_aarch64 = {
	.has_lse = has_lse,
	.plan = plan,
	.emit_run = emit_run,
	.emit_inner = emit_inner,
	.enter = enter,
	.begin_many = begin_many,
	.end_many = end_many,
	.forms = {
		[EBPF_FORM_ALU_K] = a64_jit_alu,
		[EBPF_FORM_ALU_X] = a64_jit_alu,
		[EBPF_FORM_NEG] = a64_jit_neg,
		[EBPF_FORM_MOVSX] = a64_jit_movsx,
		[EBPF_FORM_END] = a64_jit_end,
		[EBPF_FORM_JMP_K] = conditional,
		[EBPF_FORM_JMP_X] = conditional,
		[EBPF_FORM_JA] = jump,
		[EBPF_FORM_JA32] = jump32,
		[EBPF_FORM_CALL] = helper_call,
		[EBPF_FORM_CALL_LOCAL] = local_call,
		[EBPF_FORM_EXIT] = leave_by_exit,
		[EBPF_FORM_LDX] = a64_jit_load,
		[EBPF_FORM_ST] = a64_jit_store_imm,
		[EBPF_FORM_STX] = a64_jit_store,
		[EBPF_FORM_ATOMIC] = a64_jit_atomic,
		[EBPF_FORM_FETCH] = a64_jit_fetch,
		[EBPF_FORM_XCHG] = a64_jit_fetch,
		[EBPF_FORM_CMPXCHG] = a64_jit_cmpxchg,
		[EBPF_FORM_LOAD_ACQ] = a64_jit_load_acquire,
		[EBPF_FORM_STORE_REL] = a64_jit_store_release,
		[EBPF_FORM_LDDW] = wide_load,
	},
	.reach = (size_t)128 * 1024 * 1024 - 4,
	.align = 4,
	.breakpoint = { 0x00, 0x00, 0x20, 0xd4 },       /* brk #0 */
	.nop = { 0x1f, 0x20, 0x03, 0xd5 },
};
