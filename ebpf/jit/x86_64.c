/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The back end for x86-64.
 *
 * R0-R10 have a machine register each.  Jumps are of 2 bytes where they reach
 * that far, else of 5 or 6.
 */
#include "config.h"

#include "ebpf/jit/x86_64.h"

#include <stddef.h>

/* Arguments where helpers want them. */
static const uint8_t calling[EBPF_N_REGS] = {
	[EBPF_R0] = RAX, [EBPF_R1] = RDI, [EBPF_R2] = RSI, [EBPF_R3] = RDX,
	[EBPF_R4] = RCX, [EBPF_R5] = R8,  [EBPF_R6] = RBX, [EBPF_R7] = R13,
	[EBPF_R8] = R14, [EBPF_R9] = R15, [EBPF_R10] = RBP, [EBPF_AX] = R10,
};

/* Without helpers: arguments where the host's call has them already. */
static const uint8_t leaf[EBPF_N_REGS] = {
	[EBPF_R0] = RAX, [EBPF_R1] = RSI, [EBPF_R2] = RDX, [EBPF_R3] = RDI,
	[EBPF_R4] = RCX, [EBPF_R5] = R8,  [EBPF_R6] = RBX, [EBPF_R7] = R13,
	[EBPF_R8] = R14, [EBPF_R9] = R15, [EBPF_R10] = RBP, [EBPF_AX] = R10,
};

/* ---- entering and leaving a function ---- */

/* Registers that a function pushes, the program's: the frame pointer first. */
static const uint8_t kept[] = { EBPF_R10, EBPF_R6, EBPF_R7, EBPF_R8, EBPF_R9 };
enum { N_KEPT = sizeof(kept) / sizeof(kept[0]) };

static unsigned
n_pushed(const struct jit *j)
{
	unsigned n = j->in_many ? j->turns.n_pushed : 0;

	for (unsigned i = 0; i < N_KEPT; i++)
		n += jit_is_named(j->func, kept[i]);
	return n;
}

/*
 * Bytes below what was pushed: the program's stack, a counter of may_goto at the
 * lower end, and what aligns calls to 16.  A call pushed 8 before.
 */
static int32_t
frame_size(const struct jit *j)
{
	int32_t size = (jit_is_named(j->func, EBPF_R10) ? EBPF_STACK_SIZE : 0) +
		       (j->func->has_may_goto ? 8 : 0);
	int32_t above = 8 * (int32_t)n_pushed(j) + 8;

	return size + (j->func->has_calls && (size + above) % 16 != 0 ? 8 : 0);
}

static void
push_frame(struct jit *j)
{
	int32_t size = frame_size(j);

	for (unsigned i = 0; i < N_KEPT; i++) {
		if (jit_is_named(j->func, kept[i]))
			x86_push(&j->b, jit_reg(j, kept[i]));
	}
	if (jit_is_named(j->func, EBPF_R10))
		x86_mov(&j->b, true, RBP, RSP);
	if (size > 0)
		x86_alu_imm(&j->b, true, ALU_SUB, RSP, size);
}

static void
leave(struct jit *j)
{
	int32_t size = frame_size(j);

	if (size > 0)
		x86_alu_imm(&j->b, true, ALU_ADD, RSP, size);
	for (unsigned i = N_KEPT; i-- > 0;) {
		if (jit_is_named(j->func, kept[i]))
			x86_pop(&j->b, jit_reg(j, kept[i]));
	}
}

/* What a frame begins with: its own turns of may_goto. */
static void
begin_frame(struct jit *j)
{
	if (j->func->has_may_goto) {
		x86_rm(&j->b, true, 0xc7, 0, RSP, 0);
		jit_le(&j->b, EBPF_MAX_LOOPS, 4);
	}
}

static void
enter(struct jit *j)
{
	push_frame(j);
	begin_frame(j);
}

/* ---- jumps ---- */

/* The distance of a jump, to is an offset, behind its opcode of either length. */
static void
displacement(struct jit *j, bool is_short, uint32_t to)
{
	unsigned n = is_short ? 1 : 4;

	jit_le(&j->b, (uint64_t)to - (j->b.n + n), n);
}

/* Whether a jump of the slot at hand is short; mark: how to remember that it was not. */
static bool
is_near(struct jit *j, int64_t distance, uint8_t mark)
{
	if (!j->spreads)
		return x86_is_8(distance);
	if (!x86_is_8(distance))
		j->marks[j->pc] |= mark;
	return (j->marks[j->pc] & mark) == 0;
}

static bool
reaches(struct jit *j, uint32_t to)
{
	return is_near(j, jit_distance(j, to), j->in_many ? JIT_FAR_IN_MANY : JIT_FAR);
}

static void
jump_to(struct jit *j, uint32_t to)
{
	bool is_short = reaches(j, to);

	jit_byte(&j->b, is_short ? 0xeb : 0xe9);
	displacement(j, is_short, to);
}

static void
jcc(struct jit *j, enum x86_cc cc, bool is_short, uint32_t to)
{
	if (is_short) {
		jit_byte(&j->b, 0x70 | cc);
	} else {
		jit_byte(&j->b, 0x0f);
		jit_byte(&j->b, 0x80 | cc);
	}
	displacement(j, is_short, to);
	j->jumped[1] = j->jumped[0];
	j->jumped[0] = j->b.n;
}

/*
 * A turn of a batch ends wherever the program does: that is a jump less for each
 * packet, and from where it ends a processor sees what it was.
 */
#define MAX_TURN_ENDS 8

static bool
ends_turns_apart(const struct jit *j)
{
	return j->func->n_exits <= MAX_TURN_ENDS;
}

/* Keep the result, and go back for the next, if there is one.  end: of the slot, or later. */
static void
end_turn(struct jit *j, uint32_t end)
{
	int64_t distance = (int64_t)j->turns.prev_head - (int64_t)end;
	bool is_short = is_near(j, distance, JIT_FAR_FROM_HEAD);

	x86_rm(&j->b, false, 0x89, RAX, j->turns.result, 0);
	x86_alu_imm(&j->b, true, ALU_ADD, j->turns.result, sizeof(uint32_t));
	x86_alu(&j->b, true, ALU_ADD, j->turns.ctx, j->turns.stride);
	x86_alu(&j->b, true, ALU_CMP, j->turns.ctx, j->turns.end);
	jcc(j, CC_NE, is_short, (uint32_t)j->turns.head);
}

static void
leave_function(struct jit *j)
{
	if (!j->in_many) {
		leave(j);
		jit_byte(&j->b, 0xc3);
		return;
	}
	if (ends_turns_apart(j))
		end_turn(j, j->copy->prev[j->pc + 1]);
	if (jit_distance(j, j->turns.next) != 0)
		jump_to(j, j->turns.next);
}

static enum x86_cc
condition_of(uint8_t op)
{
	switch (op) {
	case EBPF_JEQ:
		return CC_E;
	case EBPF_JGT:
		return CC_A;
	case EBPF_JGE:
		return CC_AE;
	case EBPF_JLT:
		return CC_B;
	case EBPF_JLE:
		return CC_BE;
	case EBPF_JSGT:
		return CC_G;
	case EBPF_JSGE:
		return CC_GE;
	case EBPF_JSLT:
		return CC_L;
	case EBPF_JSLE:
		return CC_LE;
	default:        /* JNE, and JSET: not zero */
		return CC_NE;
	}
}

/* Flags of the comparison that a conditional jump makes. */
static void
compare(struct jit *j, const struct ebpf_insn *insn)
{
	bool wide = EBPF_CLASS(insn->code) == EBPF_JMP;
	bool is_test = (insn->code & 0xf0) == EBPF_JSET;
	unsigned dst = jit_reg(j, insn->dst_reg);

	if ((insn->code & 0x08) == EBPF_X) {
		if (is_test)
			x86_rr(&j->b, wide, 0x85, jit_reg(j, insn->src_reg), dst);
		else
			x86_alu(&j->b, wide, ALU_CMP, dst, jit_reg(j, insn->src_reg));
	} else if (is_test) {
		x86_test_imm(&j->b, wide, dst, insn->imm);
	} else if (insn->imm == 0 && ((insn->code & 0xf0) == EBPF_JEQ ||
				      (insn->code & 0xf0) == EBPF_JNE)) {
		x86_rr(&j->b, wide, 0x85, dst, dst);
	} else {
		x86_alu_imm(&j->b, wide, ALU_CMP, dst, insn->imm);
	}
}

/* Unsigned comparisons of what was loaded, which the immediate has to have the width of. */
static bool
compares_within(const struct ebpf_insn *insn, const struct ebpf_insn *load)
{
	static const uint8_t bits[] = { 32, 16, 8, 64 };
	bool is_wide = EBPF_CLASS(insn->code) == EBPF_JMP;
	unsigned n = bits[(load->code & 0x18) >> 3];

	switch (insn->code & 0xf0) {
	case EBPF_JSGT:
	case EBPF_JSGE:
	case EBPF_JSLT:
	case EBPF_JSLE:
		return false;
	}
	if (n == 64)
		return is_wide;
	if (n == 32 && !is_wide)
		return true;
	return insn->imm >= 0 && (n == 32 || insn->imm < 1 << n);
}

/* The load that the test in slot pc makes itself, which leaves the function; or NULL. */
static const struct ebpf_insn *
folded_load(const struct jit *j, uint32_t pc)
{
	const struct ebpf_insn *insn, *load;

	if (pc <= j->func->start || pc >= j->func->end || j->marks[pc - 1] == 0 ||
	    (j->marks[pc] & (JIT_SELECTS | JIT_JUMPED_TO)) != JIT_SELECTS)
		return NULL;
	insn = &j->insns[pc];
	load = insn - 1;
	if ((load->code & ~0x18) != (EBPF_LDX | EBPF_MEM) || (insn->code & 0x08) == EBPF_X ||
	    load->dst_reg != insn->dst_reg)
		return NULL;
	return compares_within(insn, load) ? load : NULL;
}

bool
x86_jit_is_folded(const struct jit *j)
{
	return folded_load(j, j->pc + 1) != NULL;
}

static void
compare_memory(struct jit *j, const struct ebpf_insn *insn, const struct ebpf_insn *load)
{
	uint8_t size = load->code & 0x18;
	bool is_test = (insn->code & 0xf0) == EBPF_JSET;
	bool is_8 = size == EBPF_B || (!is_test && x86_is_8(insn->imm));
	unsigned opcode = is_test ? 0xf6 | (size != EBPF_B) : size == EBPF_B ? 0x80
							      : is_8 ? 0x83 : 0x81;

	if (size == EBPF_H)
		jit_byte(&j->b, 0x66);
	x86_rm(&j->b, size == EBPF_DW, opcode, is_test ? 0 : ALU_CMP, jit_reg(j, load->src_reg),
	       load->off);
	jit_le(&j->b, (uint32_t)insn->imm, is_8 ? 1 : size == EBPF_H ? 2 : 4);
}

/* R0 = the condition holds ? taken : otherwise */
static void
select_constant(struct jit *j, const struct ebpf_insn *insn, uint64_t taken, uint64_t otherwise)
{
	enum x86_cc cc = condition_of(insn->code & 0xf0);
	const struct ebpf_insn *load = folded_load(j, j->pc);
	uint64_t either = taken | otherwise;
	bool is_bit = (taken == 0 || otherwise == 0) && either <= 1u << 31 &&
		      (either & (either - 1)) == 0 && either != 0;
	bool needs_r0 = load != NULL ? load->src_reg == EBPF_R0
				     : insn->dst_reg == EBPF_R0 ||
					       ((insn->code & 0x08) == EBPF_X &&
						insn->src_reg == EBPF_R0);

	is_bit = is_bit && !needs_r0;
	if (is_bit)
		x86_rr(&j->b, false, 0x33, RAX, RAX);
	else
		x86_mov_imm(&j->b, R11, taken);
	if (load != NULL)
		compare_memory(j, insn, load);
	else
		compare(j, insn);
	if (!is_bit) {
		x86_load_imm(&j->b, RAX, otherwise);
		x86_0f_rr(&j->b, true, 0x40 | cc, RAX, R11, false);
		return;
	}
	x86_0f_rr(&j->b, false, 0x90 | (taken != 0 ? cc : cc ^ 1), 0, RAX, true);
	if (either != 1)
		x86_shift_imm(&j->b, false, SHIFT_SHL, RAX, (unsigned)__builtin_ctzll(either));
}

/* Whether a slot is a test of a register. */
static bool
tests(const struct jit *j, uint32_t pc, unsigned reg)
{
	const struct ebpf_insn *insn = &j->insns[pc];
	uint8_t class = EBPF_CLASS(insn->code), form;

	/* what is of no such class may be half an instruction */
	if (class != EBPF_JMP && class != EBPF_JMP32)
		return false;
	form = ebpf_ops[ebpf_op_of(insn)].form;
	return insn->dst_reg == reg && (form == EBPF_FORM_JMP_K || form == EBPF_FORM_JMP_X);
}

/*
 * Of conditional jumps that are made one after the other no third ends in the
 * same 32 bytes, to which code is aligned.  Processors of Intel tell jumps by
 * which ones were taken before, the same for all of these, and by bit 5 of where
 * they end: tests close together that are hard to foresee share half of what
 * can be remembered of them.  "tcp port 80" over 4,096 packets, again and again,
 * took 4.6 ns a packet and takes 3.0; where packets are foreseen anyhow, or
 * never, it takes what it took.
 *
 * From its third test of one value on, a search stays close: it is long, and few
 * of its tests are made.
 */
#define BLOCK 32

static void
set_apart(struct jit *j, const struct ebpf_insn *insn, bool is_short)
{
	const struct jit_buf here = j->b;
	size_t end, block;

	if (!j->spreads || j->jumped[1] == 0)
		return;
	if (j->pc >= j->func->start + 2 && tests(j, j->pc - 1, insn->dst_reg) &&
	    tests(j, j->pc - 2, insn->dst_reg))
		return;
	j->b.bytes = NULL;
	compare(j, insn);
	end = j->b.n + (is_short ? 2 : 6);
	j->b = here;
	block = (end - 1) / BLOCK;
	if ((j->jumped[1] - 1) / BLOCK == block)
		x86_nops(&j->b, (block + 1) * BLOCK - (end - 1));
}

static void
conditional(struct jit *j, const struct ebpf_insn *insn)
{
	uint32_t to = jit_slot_at(j, insn->off);
	uint64_t taken, otherwise;
	bool is_short;

	if ((j->marks[j->pc] & JIT_SELECTS) != 0 && jit_selects(j, insn, &taken, &otherwise)) {
		select_constant(j, insn, taken, otherwise);
		leave_function(j);
		return;
	}
	is_short = reaches(j, to);
	set_apart(j, insn, is_short);
	compare(j, insn);
	jcc(j, condition_of(insn->code & 0xf0), is_short, to);
}

static void
may_goto(struct jit *j, const struct ebpf_insn *insn)
{
	size_t from;

	/* One less, if there is one. */
	x86_rm(&j->b, true, 0x83, ALU_SUB, RSP, 0);
	jit_byte(&j->b, 1);
	from = x86_jcc_forward(&j->b, CC_AE);
	x86_rm(&j->b, true, 0xc7, 0, RSP, 0);
	jit_le(&j->b, 0, 4);
	jump_to(j, jit_slot_at(j, insn->off));
	x86_land(&j->b, from);
}

static void
jump(struct jit *j, const struct ebpf_insn *insn)
{
	if (ebpf_op_of(insn) == EBPF_OP_MAY_GOTO)
		may_goto(j, insn);
	else
		jump_to(j, jit_slot_at(j, insn->off));
}

static void
jump32(struct jit *j, const struct ebpf_insn *insn)
{
	jump_to(j, jit_slot_at(j, insn->imm));
}

static void
leave_by_exit(struct jit *j, const struct ebpf_insn *insn)
{
	(void)insn;
	leave_function(j);
}

/* ---- calls ---- */

/* Where a helper takes whatever is in its registers, that is nothing of the host's. */
static void
zero_args(struct jit *j)
{
	for (unsigned r = EBPF_R1; r <= EBPF_R5 && j->zeroes_args; r++)
		x86_rr(&j->b, false, 0x33, jit_reg(j, r), jit_reg(j, r));
}

/* And those that a program is not entered with. */
static void
zero_further_args(struct jit *j)
{
	for (unsigned r = EBPF_R3; r <= EBPF_R5 && j->calls_helpers; r++)
		x86_rr(&j->b, false, 0x33, jit_reg(j, r), jit_reg(j, r));
}

static void
call_c(struct jit *j, uintptr_t fn)
{
	x86_mov_imm(&j->b, RAX, fn);
	x86_call_reg(&j->b, RAX);
}

static void
tail_call(struct jit *j)
{
	size_t from;

	x86_rm(&j->b, true, 0x89, RAX, RUN, offsetof(struct ebpf_jit_run, saved_r0));
	x86_rm(&j->b, true, 0x89, RDI, RUN, offsetof(struct ebpf_jit_run, saved_r1));
	x86_mov(&j->b, true, RDI, RSI);
	x86_mov(&j->b, false, RSI, RDX);
	x86_mov(&j->b, true, RDX, RUN);
	call_c(j, (uintptr_t)ebpf_jit_tail_callee);
	x86_mov(&j->b, true, R11, RAX);
	x86_rm(&j->b, true, 0x8b, RAX, RUN, offsetof(struct ebpf_jit_run, saved_r0));
	x86_rm(&j->b, true, 0x8b, RDI, RUN, offsetof(struct ebpf_jit_run, saved_r1));
	x86_rr(&j->b, true, 0x85, R11, R11);
	from = x86_jcc_forward(&j->b, CC_E);
	x86_rm(&j->b, true, 0x8b, RSI, RUN, offsetof(struct ebpf_jit_run, next_r2));
	leave(j);
	x86_jmp_reg(&j->b, R11);
	x86_land(&j->b, from);
	zero_args(j);
}

static void
helper_call(struct jit *j, const struct ebpf_insn *insn)
{
	const struct ebpf_helper *h = jit_helper(j, insn);

	if (h->fn == NULL) {
		tail_call(j);
		return;
	}
	x86_mov_imm(&j->b, R9, (uintptr_t)(h->env != NULL ? h->env : j->prog->env));
	call_c(j, (uintptr_t)h->fn);
	zero_args(j);
}

static void
count_frames(struct jit *j, bool is_call)
{
	if (!j->has_run)
		return;
	/* inc, dec */
	x86_rm(&j->b, false, 0xff, is_call ? 0 : 1, RUN, offsetof(struct ebpf_jit_run, depth));
}

static void
call_function(struct jit *j, const struct jit_func *f)
{
	jit_byte(&j->b, 0xe8);
	jit_le(&j->b, (uint64_t)f->entry - (j->b.n + 4), 4);
}

static void
local_call(struct jit *j, const struct ebpf_insn *insn)
{
	const struct ebpf_global *global = jit_replaced(j, insn);
	const struct jit_func *callee = jit_callee(j, insn);
	size_t own, done;

	count_frames(j, true);
	if (global == NULL) {
		call_function(j, callee);
	} else {
		x86_mov_imm(&j->b, R11, (uintptr_t)&global->ext);
		x86_rm(&j->b, true, 0x8b, R11, R11, 0);
		x86_rr(&j->b, true, 0x85, R11, R11);
		own = x86_jcc_forward(&j->b, CC_E);
		x86_rm(&j->b, true, 0x8b, R11, R11, offsetof(struct ebpf_prog, inner));
		x86_call_reg(&j->b, R11);
		done = x86_jmp_forward(&j->b);
		x86_land(&j->b, own);
		call_function(j, callee);
		x86_land(&j->b, done);
	}
	count_frames(j, false);
	zero_args(j);
}

/* ---- single instructions ---- */

static void
wide_load(struct jit *j, const struct ebpf_insn *insn)
{
	x86_mov_imm(&j->b, jit_reg(j, insn->dst_reg), jit_wide_value(j, insn));
}

static void
negate(struct jit *j, const struct ebpf_insn *insn)
{
	x86_unary(&j->b, EBPF_CLASS(insn->code) == EBPF_ALU64, UNARY_NEG,
		  jit_reg(j, insn->dst_reg));
}

/* ---- entries ---- */

static void
landing_pad(struct jit *j)
{
	jit_le(&j->b, 0xfa1e0ff3, 4);   /* endbr64 */
}

/* Where a host's call of C becomes one of the program's. */
static void
emit_run(struct jit *j)
{
	enum { ROOM = (sizeof(struct ebpf_jit_run) + 15) / 16 * 16 };

	landing_pad(j);
	if (j->regs == leaf)
		return;         /* the first function follows */
	if (j->has_run) {
		x86_push(&j->b, RUN);
		x86_alu_imm(&j->b, true, ALU_SUB, RSP, ROOM);
		x86_mov(&j->b, true, RUN, RSP);
		x86_rm(&j->b, true, 0x89, RDX, RUN, offsetof(struct ebpf_jit_run, r2));
		x86_rr(&j->b, false, 0x33, RAX, RAX);
		x86_rm(&j->b, false, 0x89, RAX, RUN, offsetof(struct ebpf_jit_run, n_tail_calls));
		x86_rm(&j->b, false, 0x89, RAX, RUN, offsetof(struct ebpf_jit_run, depth));
	}
	x86_mov(&j->b, true, RDI, RSI);
	x86_mov(&j->b, true, RSI, RDX);
	zero_further_args(j);
	if (j->has_run) {
		call_function(j, &j->funcs[0]);
		x86_alu_imm(&j->b, true, ALU_ADD, RSP, ROOM);
		x86_pop(&j->b, RUN);
		jit_byte(&j->b, 0xc3);
	}
	/* else it follows here too */
}

/* Where other programs, which have arguments where helpers want them, go on. */
static void
emit_inner(struct jit *j)
{
	landing_pad(j);
	if (j->regs == leaf) {
		x86_mov(&j->b, true, R9, RDX);
		x86_mov(&j->b, true, RDX, RSI);
		x86_mov(&j->b, true, RSI, RDI);
		x86_mov(&j->b, true, RDI, R9);
	}
	jit_byte(&j->b, 0xe9);
	jit_le(&j->b, (uint64_t)j->funcs[0].entry - (j->b.n + 4), 4);
}

/* ---- batches ---- */

/* Those that a program need not have, the ones that cost nothing first. */
static const struct {
	uint8_t reg;
	int8_t names;           /* which of the program's it is; -1: none */
	bool is_hosts;          /* it keeps its value over calls, so it is pushed */
} spare[] = {
	{ R10, EBPF_AX, false }, { R8, EBPF_R5, false }, { RCX, EBPF_R4, false },
	{ RDI, EBPF_R3, false }, { RDX, EBPF_R2, false }, { R12, -1, true },
	{ RBX, EBPF_R6, true }, { RBP, EBPF_R10, true }, { R13, EBPF_R7, true },
	{ R14, EBPF_R8, true }, { R15, EBPF_R9, true },
};

static bool
is_spare(const struct jit *j, size_t i)
{
	const struct jit_func *f = &j->funcs[0];

	return (spare[i].names < 0 || !jit_is_named(f, (unsigned)spare[i].names)) &&
	       (spare[i].is_hosts || !f->has_calls);
}

static uint8_t
take_spare(struct jit *j, size_t *next)
{
	static const size_t n = sizeof(spare) / sizeof(spare[0]);

	while (*next < n && !is_spare(j, *next))
		++*next;
	if (*next == n)
		return RSP;
	if (spare[*next].is_hosts)
		j->turns.pushed[j->turns.n_pushed++] = spare[*next].reg;
	return spare[(*next)++].reg;
}

/*
 * Find registers for the loop; whether there are.  Programs that call helpers
 * are not worth a loop, and those that keep a run begin with a new one each time.
 */
static bool
plan_turns(struct jit *j)
{
	struct jit_turns *t = &j->turns;
	size_t next = 0;

	if (j->regs != leaf)
		return false;
	t->stride = take_spare(j, &next);
	t->end = take_spare(j, &next);
	t->result = take_spare(j, &next);
	/* a context stays in R1 where nobody changes that */
	t->ctx = j->funcs[0].written >> EBPF_R1 & 1 || j->funcs[0].has_calls
			 ? take_spare(j, &next)
			 : (uint8_t)jit_reg(j, EBPF_R1);
	return t->stride != RSP && t->end != RSP && t->result != RSP && t->ctx != RSP;
}

static void
plan(struct jit *j)
{
	j->regs = j->calls_helpers || j->has_run ? calling : leaf;
	j->has_many = plan_turns(j);
}

/* r9 = the address of data to come, or where nothing of it is read, what is at hand. */
static void
load_data_pointer(struct jit *j, const struct ebpf_reads *reads)
{
	uint16_t off = j->prog->aux->type->data_off;

	if (!reads->has_guard) {
		x86_rm(&j->b, true, 0x8b, R9, R9, off);
		return;
	}
	x86_rm(&j->b, false, 0x81, ALU_CMP, R9, reads->guard_off);
	jit_le(&j->b, (uint32_t)reads->guard_least, 4);
	x86_0f_rm(&j->b, true, 0x40 | CC_AE, R9, R9, off);
}

/*
 * The context 64 turns ahead, and data of the one 32 ahead: a miss of the last cache
 * takes as long as some fifteen to thirty turns.  Near the end there is none to come,
 * but this one again: a branch would be guessed wrong once in each batch.
 */
static void
prefetch(struct jit *j)
{
	const struct ebpf_reads *reads = &j->prog->aux->reads;

	if (!reads->any)
		return;
	x86_lea_times_8(&j->b, R9, j->turns.stride);
	x86_prefetch_scaled(&j->b, j->turns.ctx, R9, 3);
	x86_lea_scaled(&j->b, R9, j->turns.ctx, R9, 2);
	x86_alu(&j->b, true, ALU_CMP, R9, j->turns.end);
	x86_0f_rr(&j->b, true, 0x40 | CC_AE, R9, j->turns.ctx, false);
	load_data_pointer(j, reads);
	x86_prefetch(&j->b, R9, reads->from);
	if (reads->to - reads->from > 1)
		x86_prefetch(&j->b, R9, reads->to);
}

/* From the arguments of ebpf_many_fn to the loop's registers, by way of the stack. */
static void
begin_turns(struct jit *j)
{
	x86_mov(&j->b, true, R9, RCX);
	x86_0f_rr(&j->b, true, 0xaf, R9, RDX, false);
	x86_alu(&j->b, true, ALU_ADD, R9, RSI);
	x86_push(&j->b, RSI);
	x86_push(&j->b, RDX);
	x86_push(&j->b, R8);
	x86_pop(&j->b, j->turns.result);
	x86_pop(&j->b, j->turns.stride);
	x86_pop(&j->b, j->turns.ctx);
	x86_mov(&j->b, true, j->turns.end, R9);
}

static void
begin_many(struct jit *j)
{
	landing_pad(j);
	for (unsigned i = 0; i < j->turns.n_pushed; i++)
		x86_push(&j->b, j->turns.pushed[i]);
	push_frame(j);
	begin_turns(j);
	/* where most packets come by, as compilers have it */
	x86_nops(&j->b, (0 - j->b.n) % BLOCK);
	j->turns.prev_head = j->turns.head;
	j->turns.head = j->b.n;
	begin_frame(j);
	prefetch(j);
	if (j->turns.ctx != jit_reg(j, EBPF_R1))
		x86_mov(&j->b, true, jit_reg(j, EBPF_R1), j->turns.ctx);
	if (jit_is_named(j->func, EBPF_R2))
		x86_rr(&j->b, false, 0x33, jit_reg(j, EBPF_R2), jit_reg(j, EBPF_R2));
}

static void
end_many(struct jit *j)
{
	j->turns.next = (uint32_t)j->b.n;
	/* the jump back is at most 32 bytes behind the last slot */
	if (!ends_turns_apart(j))
		end_turn(j, j->copy->prev[j->func->end] + 32);
	leave(j);
	for (unsigned i = j->turns.n_pushed; i-- > 0;)
		x86_pop(&j->b, j->turns.pushed[i]);
	jit_byte(&j->b, 0xc3);
}

/* ---- the machine ---- */

const struct jit_target ebpf_jit_x86_64 = {
	.plan = plan,
	.emit_run = emit_run,
	.emit_inner = emit_inner,
	.enter = enter,
	.begin_many = begin_many,
	.end_many = end_many,
	.forms = {
		[EBPF_FORM_ALU_K] = x86_jit_alu,
		[EBPF_FORM_ALU_X] = x86_jit_alu,
		[EBPF_FORM_NEG] = negate,
		[EBPF_FORM_MOVSX] = x86_jit_movsx,
		[EBPF_FORM_END] = x86_jit_end,
		[EBPF_FORM_JMP_K] = conditional,
		[EBPF_FORM_JMP_X] = conditional,
		[EBPF_FORM_JA] = jump,
		[EBPF_FORM_JA32] = jump32,
		[EBPF_FORM_CALL] = helper_call,
		[EBPF_FORM_CALL_LOCAL] = local_call,
		[EBPF_FORM_EXIT] = leave_by_exit,
		[EBPF_FORM_LDX] = x86_jit_load,
		[EBPF_FORM_ST] = x86_jit_store_imm,
		[EBPF_FORM_STX] = x86_jit_store,
		[EBPF_FORM_ATOMIC] = x86_jit_atomic,
		[EBPF_FORM_FETCH] = x86_jit_atomic,
		[EBPF_FORM_XCHG] = x86_jit_atomic,
		[EBPF_FORM_CMPXCHG] = x86_jit_atomic,
		[EBPF_FORM_LOAD_ACQ] = x86_jit_load,
		[EBPF_FORM_STORE_REL] = x86_jit_store,
		[EBPF_FORM_LDDW] = wide_load,
	},
	.reach = INT32_MAX,
	.align = 1,
	.breakpoint = { 0xcc, 0xcc, 0xcc, 0xcc },       /* int3 */
	.nop = { 0x90, 0x90, 0x90, 0x90 },
	.is_coherent = true,
	.spreads = true,
};
