/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The back end for x86-64.
 *
 * R0-R10 have a machine register each.  A program is translated several times:
 * first with every jump long, then with the distances found, until nothing
 * gets shorter.
 */
#include "config.h"

#include "ebpf/jit/x86_64.h"

#include "ebpf/helper.h"
#include "ebpf/insn.h"
#include "ebpf/jit/jit.h"
#include "ebpf/link.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

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

/* ---- what functions are like ---- */

static bool
is_call_local(const struct ebpf_insn *insn)
{
	return ebpf_op_of(insn) == EBPF_OP_CALL_LOCAL;
}

static const struct ebpf_helper *
helper_of(const struct jit *j, const struct ebpf_insn *insn)
{
	return &j->prog->helpers[ebpf_helper_index(&j->prog->aux->link.type, insn->imm)];
}

static void
look_at_helper(struct jit *j, const struct ebpf_helper *h)
{
	j->calls_helpers = true;
	j->has_run |= h->fn == NULL;
	for (unsigned i = 0; i < 5; i++)
		j->zeroes_args |= h->args[i] == EBPF_ARG_ANYTHING;
}

static void
look_at(struct jit *j, struct func *f)
{
	for (uint32_t pc = f->start; pc < f->end; pc++) {
		const struct ebpf_insn *insn = &j->insns[pc];
		int row = ebpf_op_of(insn);

		f->written |= 1u << insn->dst_reg;
		f->named |= 1u << insn->dst_reg |
			    (row != EBPF_OP_CALL_LOCAL ? 1u << insn->src_reg : 0);
		f->has_calls |= row == EBPF_OP_CALL || row == EBPF_OP_CALL_LOCAL;
		f->has_may_goto |= row == EBPF_OP_MAY_GOTO;
		if (row == EBPF_OP_CALL)
			look_at_helper(j, helper_of(j, insn));
		pc += ebpf_code_is_wide(insn->code);
	}
}

static int
find_functions(struct jit *j)
{
	bool *starts = calloc(j->n_insns + 1, sizeof(*starts));

	if (starts == NULL)
		return -ENOMEM;
	starts[0] = true;
	for (uint32_t pc = 0; pc < j->n_insns; pc++) {
		if (is_call_local(&j->insns[pc]))
			starts[(int64_t)pc + 1 + j->insns[pc].imm] = true;
		pc += ebpf_code_is_wide(j->insns[pc].code);
	}
	for (uint32_t pc = 0; pc < j->n_insns; pc++)
		j->n_funcs += starts[pc];
	j->funcs = calloc(j->n_funcs, sizeof(*j->funcs));
	if (j->funcs != NULL) {
		size_t f = 0;

		for (uint32_t pc = 0; pc < j->n_insns; pc++) {
			if (starts[pc])
				j->funcs[f++].start = pc;
		}
		for (f = 0; f < j->n_funcs; f++) {
			j->funcs[f].end = f + 1 < j->n_funcs ? j->funcs[f + 1].start : j->n_insns;
			look_at(j, &j->funcs[f]);
		}
	}
	free(starts);
	return j->funcs != NULL ? 0 : -ENOMEM;
}

/* ---- entering and leaving a function ---- */

/* Registers that a function pushes, the program's: the frame pointer first. */
static const uint8_t kept[] = { EBPF_R10, EBPF_R6, EBPF_R7, EBPF_R8, EBPF_R9 };
enum { N_KEPT = sizeof(kept) / sizeof(kept[0]) };

static unsigned
n_pushed(const struct jit *j)
{
	unsigned n = j->in_many ? j->turns.n_pushed : 0;

	for (unsigned i = 0; i < N_KEPT; i++)
		n += is_named(j->func, kept[i]);
	return n;
}

/*
 * Bytes below what was pushed: the program's stack, a counter of may_goto at the
 * lower end, and what aligns calls to 16.  A call pushed 8 before.
 */
static int32_t
frame_size(const struct jit *j)
{
	int32_t size = (is_named(j->func, EBPF_R10) ? EBPF_STACK_SIZE : 0) +
		       (j->func->has_may_goto ? 8 : 0);
	int32_t above = 8 * (int32_t)n_pushed(j) + 8;

	return size + (j->func->has_calls && (size + above) % 16 != 0 ? 8 : 0);
}

static void
enter(struct jit *j)
{
	int32_t size = frame_size(j);

	for (unsigned i = 0; i < N_KEPT; i++) {
		if (is_named(j->func, kept[i]))
			x86_push(&j->b, reg_of(j, kept[i]));
	}
	if (is_named(j->func, EBPF_R10))
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
		if (is_named(j->func, kept[i]))
			x86_pop(&j->b, reg_of(j, kept[i]));
	}
}

/* What a frame begins with: its own turns of may_goto. */
static void
begin_frame(struct jit *j)
{
	if (j->func->has_may_goto) {
		x86_rm(&j->b, true, 0xc7, 0, RSP, 0);
		x86_le(&j->b, EBPF_MAX_LOOPS, 4);
	}
}

/* ---- jumps ---- */

/*
 * Whether a jump that ends slot pc is short.  By the offsets of the pass before,
 * all of them: so distances never grow from one pass to the next.
 */
static bool
is_short(const struct jit *j, uint32_t pc, uint32_t to)
{
	return x86_is_8((int64_t)to - (int64_t)j->copy->prev[pc + 1]);
}

static void
jump_to(struct jit *j, uint32_t pc, uint32_t to)
{
	bool short_one = is_short(j, pc, to);

	x86_byte(&j->b, short_one ? 0xeb : 0xe9);
	x86_le(&j->b, (uint64_t)to - (j->b.n + (short_one ? 1 : 4)), short_one ? 1 : 4);
}

static void
jump_if(struct jit *j, enum x86_cc cc, uint32_t pc, uint32_t to)
{
	bool short_one = is_short(j, pc, to);

	if (short_one) {
		x86_byte(&j->b, 0x70 | cc);
	} else {
		x86_byte(&j->b, 0x0f);
		x86_byte(&j->b, 0x80 | cc);
	}
	x86_le(&j->b, (uint64_t)to - (j->b.n + (short_one ? 1 : 4)), short_one ? 1 : 4);
}

static void
leave_function(struct jit *j, uint32_t pc)
{
	if (!j->in_many) {
		leave(j);
		x86_byte(&j->b, 0xc3);
	} else if (j->next_turn != j->copy->prev[pc + 1]) {
		jump_to(j, pc, j->next_turn);
	}
}

static uint32_t
slot_at(const struct jit *j, uint32_t pc, int32_t displacement)
{
	return j->copy->prev[(int64_t)pc + 1 + displacement];
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
	unsigned dst = reg_of(j, insn->dst_reg);

	if ((insn->code & 0x08) == EBPF_X) {
		if (is_test)
			x86_rr(&j->b, wide, 0x85, reg_of(j, insn->src_reg), dst);
		else
			x86_alu(&j->b, wide, ALU_CMP, dst, reg_of(j, insn->src_reg));
	} else if (is_test) {
		x86_test_imm(&j->b, wide, dst, insn->imm);
	} else if (insn->imm == 0 && ((insn->code & 0xf0) == EBPF_JEQ ||
				      (insn->code & 0xf0) == EBPF_JNE)) {
		x86_rr(&j->b, wide, 0x85, dst, dst);
	} else {
		x86_alu_imm(&j->b, wide, ALU_CMP, dst, insn->imm);
	}
}

/* Whether slots from pc on are "r0 = value; exit". */
static bool
returns_constant(const struct jit *j, int64_t pc, uint64_t *value)
{
	const struct ebpf_insn *insn = &j->insns[pc];
	int row;

	if (pc + 1 >= j->func->end || insn->dst_reg != EBPF_R0 ||
	    ebpf_op_of(&insn[1]) != EBPF_OP_EXIT)
		return false;
	row = ebpf_op_of(insn);
	*value = row == EBPF_OP_MOV32_K ? (uint32_t)insn->imm : (uint64_t)(int64_t)insn->imm;
	return row == EBPF_OP_MOV32_K || row == EBPF_OP_MOV64_K;
}

/*
 * Where both ways return constants, one of them is selected: which way packets
 * go in the end is what a processor predicts worst.
 */
static void
conditional(struct jit *j, const struct ebpf_insn *insn, uint32_t pc)
{
	enum x86_cc cc = condition_of(insn->code & 0xf0);
	uint64_t taken, otherwise;

	if (!returns_constant(j, (int64_t)pc + 1 + insn->off, &taken) ||
	    !returns_constant(j, (int64_t)pc + 1, &otherwise)) {
		compare(j, insn);
		jump_if(j, cc, pc, slot_at(j, pc, insn->off));
		return;
	}
	x86_mov_imm(&j->b, R11, taken);
	compare(j, insn);
	x86_load_imm(&j->b, RAX, otherwise);
	x86_0f_rr(&j->b, true, 0x40 | cc, RAX, R11, false);
	leave_function(j, pc);
}

static void
may_goto(struct jit *j, const struct ebpf_insn *insn, uint32_t pc)
{
	size_t from;

	/* One less, if there is one. */
	x86_rm(&j->b, true, 0x83, ALU_SUB, RSP, 0);
	x86_byte(&j->b, 1);
	from = x86_jcc_forward(&j->b, CC_AE);
	x86_rm(&j->b, true, 0xc7, 0, RSP, 0);
	x86_le(&j->b, 0, 4);
	jump_to(j, pc, slot_at(j, pc, insn->off));
	x86_land(&j->b, from);
}

/* ---- calls ---- */

/* Where a helper takes whatever is in its registers, that is nothing of the host's. */
static void
zero_args(struct jit *j)
{
	for (unsigned r = EBPF_R1; r <= EBPF_R5 && j->zeroes_args; r++)
		x86_rr(&j->b, false, 0x33, reg_of(j, r), reg_of(j, r));
}

/* And those that a program is not entered with. */
static void
zero_further_args(struct jit *j)
{
	for (unsigned r = EBPF_R3; r <= EBPF_R5 && j->calls_helpers; r++)
		x86_rr(&j->b, false, 0x33, reg_of(j, r), reg_of(j, r));
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
	const struct ebpf_helper *h = helper_of(j, insn);

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
call_function(struct jit *j, uint32_t start)
{
	size_t f = 0;

	while (j->funcs[f].start != start)
		f++;
	x86_byte(&j->b, 0xe8);
	x86_le(&j->b, (uint64_t)j->funcs[f].entry - (j->b.n + 4), 4);
}

static void
local_call(struct jit *j, const struct ebpf_insn *insn, uint32_t pc)
{
	uint32_t start = (uint32_t)((int64_t)pc + 1 + insn->imm);
	int16_t index = ebpf_prog_global_index(j->prog->aux, start);
	struct ebpf_global *globals = j->prog->aux->extension.globals;
	size_t own, done;

	count_frames(j, true);
	if (index == 0) {
		call_function(j, start);
	} else {
		x86_mov_imm(&j->b, R11, (uintptr_t)&globals[index - 1].ext);
		x86_rm(&j->b, true, 0x8b, R11, R11, 0);
		x86_rr(&j->b, true, 0x85, R11, R11);
		own = x86_jcc_forward(&j->b, CC_E);
		x86_rm(&j->b, true, 0x8b, R11, R11, offsetof(struct ebpf_prog, inner));
		x86_call_reg(&j->b, R11);
		done = x86_jmp_forward(&j->b);
		x86_land(&j->b, own);
		call_function(j, start);
		x86_land(&j->b, done);
	}
	count_frames(j, false);
	zero_args(j);
}

/* ---- all instructions ---- */

static void
wide_load(struct jit *j, const struct ebpf_insn *insn, uint32_t pc)
{
	enum ebpf_op row = (enum ebpf_op)ebpf_op_of(insn);

	x86_mov_imm(&j->b, reg_of(j, insn->dst_reg),
		    ebpf_link_value(&j->prog->aux->link, insn, row, pc, j->prog->code));
}

static void
translate(struct jit *j, uint32_t pc)
{
	const struct ebpf_insn *insn = &j->insns[pc];
	int row = ebpf_op_of(insn);

	switch ((enum ebpf_form)ebpf_ops[row].form) {
	case EBPF_FORM_ALU_K:
	case EBPF_FORM_ALU_X:
		x86_jit_alu(j, insn);
		break;
	case EBPF_FORM_NEG:
		x86_unary(&j->b, EBPF_CLASS(insn->code) == EBPF_ALU64, UNARY_NEG,
			  reg_of(j, insn->dst_reg));
		break;
	case EBPF_FORM_MOVSX:
		x86_jit_movsx(j, insn);
		break;
	case EBPF_FORM_END:
		x86_jit_end(j, insn);
		break;
	case EBPF_FORM_JMP_K:
	case EBPF_FORM_JMP_X:
		conditional(j, insn, pc);
		break;
	case EBPF_FORM_JA:
		if (row == EBPF_OP_MAY_GOTO)
			may_goto(j, insn, pc);
		else
			jump_to(j, pc, slot_at(j, pc, insn->off));
		break;
	case EBPF_FORM_JA32:
		jump_to(j, pc, slot_at(j, pc, insn->imm));
		break;
	case EBPF_FORM_CALL:
		helper_call(j, insn);
		break;
	case EBPF_FORM_CALL_LOCAL:
		local_call(j, insn, pc);
		break;
	case EBPF_FORM_EXIT:
		leave_function(j, pc);
		break;
	case EBPF_FORM_LDX:
	case EBPF_FORM_LOAD_ACQ:
		x86_jit_load(j, insn);
		break;
	case EBPF_FORM_ST:
		x86_jit_store_imm(j, insn);
		break;
	case EBPF_FORM_STX:
	case EBPF_FORM_STORE_REL:
		x86_jit_store(j, insn);
		break;
	case EBPF_FORM_ATOMIC:
	case EBPF_FORM_FETCH:
	case EBPF_FORM_XCHG:
	case EBPF_FORM_CMPXCHG:
		x86_jit_atomic(j, insn);
		break;
	case EBPF_FORM_LDDW:
		wide_load(j, insn, pc);
		break;
	case EBPF_FORM_LDABS:   /* the loader has made other instructions of them */
	case EBPF_FORM_LDIND:
		break;
	}
}

static void
translate_body(struct jit *j)
{
	for (uint32_t pc = j->func->start; pc < j->func->end; pc++) {
		j->copy->now[pc] = (uint32_t)j->b.n;
		translate(j, pc);
		if (ebpf_code_is_wide(j->insns[pc].code))
			j->copy->now[++pc] = (uint32_t)j->b.n;
	}
	j->copy->now[j->func->end] = (uint32_t)j->b.n;
}

/* ---- entries ---- */

static void
landing_pad(struct jit *j)
{
	x86_le(&j->b, 0xfa1e0ff3, 4);   /* endbr64 */
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
		call_function(j, 0);
		x86_alu_imm(&j->b, true, ALU_ADD, RSP, ROOM);
		x86_pop(&j->b, RUN);
		x86_byte(&j->b, 0xc3);
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
	x86_byte(&j->b, 0xe9);
	x86_le(&j->b, (uint64_t)j->funcs[0].entry - (j->b.n + 4), 4);
}

static void
emit_functions(struct jit *j)
{
	j->copy = &j->all;
	j->in_many = false;
	for (size_t f = 0; f < j->n_funcs; f++) {
		j->func = &j->funcs[f];
		j->funcs[f].entry = (uint32_t)j->b.n;
		enter(j);
		begin_frame(j);
		translate_body(j);
	}
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
	const struct func *f = &j->funcs[0];

	return (spare[i].names < 0 || !is_named(f, (unsigned)spare[i].names)) &&
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
	struct turns *t = &j->turns;
	size_t next = 0;

	if (j->regs != leaf)
		return false;
	t->stride = take_spare(j, &next);
	t->end = take_spare(j, &next);
	t->result = take_spare(j, &next);
	/* a context stays in R1 where nobody changes that */
	t->ctx = j->funcs[0].written >> EBPF_R1 & 1 || j->funcs[0].has_calls
			 ? take_spare(j, &next)
			 : (uint8_t)reg_of(j, EBPF_R1);
	return t->stride != RSP && t->end != RSP && t->result != RSP && t->ctx != RSP;
}

/* As many turns ahead as the interpreter. */
#define AHEAD_SHIFT 3

static void
prefetch(struct jit *j)
{
	const struct ebpf_prog_type *type = j->prog->aux->type;
	size_t from;

	if (!type->has_data)
		return;
	x86_lea_scaled(&j->b, R9, j->turns.ctx, j->turns.stride, AHEAD_SHIFT);
	x86_alu(&j->b, true, ALU_CMP, R9, j->turns.end);
	from = x86_jcc_forward(&j->b, CC_AE);
	x86_rm(&j->b, true, 0x8b, R9, R9, type->data_off);
	x86_0f_rm(&j->b, false, 0x18, 1, R9, 0);
	x86_0f_rm(&j->b, false, 0x18, 1, R9, 63);
	x86_land(&j->b, from);
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
next_turn(struct jit *j, size_t turn)
{
	bool is_short = x86_is_8((int64_t)turn - (int64_t)j->copy->prev[j->func->end] - 32);

	j->next_turn = (uint32_t)j->b.n;
	x86_rm(&j->b, false, 0x89, RAX, j->turns.result, 0);
	x86_alu_imm(&j->b, true, ALU_ADD, j->turns.result, sizeof(uint32_t));
	x86_alu(&j->b, true, ALU_ADD, j->turns.ctx, j->turns.stride);
	x86_alu(&j->b, true, ALU_CMP, j->turns.ctx, j->turns.end);
	if (is_short) {
		x86_byte(&j->b, 0x70 | CC_NE);
	} else {
		x86_byte(&j->b, 0x0f);
		x86_byte(&j->b, 0x80 | CC_NE);
	}
	x86_le(&j->b, turn - (j->b.n + (is_short ? 1 : 4)), is_short ? 1 : 4);
}

/* The first function again, in a loop over contexts: no packet is called for. */
static void
emit_many(struct jit *j)
{
	size_t turn;

	j->func = &j->funcs[0];
	j->copy = &j->many;
	j->in_many = true;
	landing_pad(j);
	for (unsigned i = 0; i < j->turns.n_pushed; i++)
		x86_push(&j->b, j->turns.pushed[i]);
	enter(j);
	begin_turns(j);
	turn = j->b.n;
	begin_frame(j);
	prefetch(j);
	if (j->turns.ctx != reg_of(j, EBPF_R1))
		x86_mov(&j->b, true, reg_of(j, EBPF_R1), j->turns.ctx);
	if (is_named(j->func, EBPF_R2))
		x86_rr(&j->b, false, 0x33, reg_of(j, EBPF_R2), reg_of(j, EBPF_R2));
	translate_body(j);
	next_turn(j, turn);
	leave(j);
	for (unsigned i = j->turns.n_pushed; i-- > 0;)
		x86_pop(&j->b, j->turns.pushed[i]);
	x86_byte(&j->b, 0xc3);
}

/* This pass is the one before now; whether they agree. */
static bool
turn_over(struct copy *c, size_t n)
{
	bool agree = memcmp(c->prev, c->now, n * sizeof(*c->now)) == 0;
	uint32_t *prev = c->prev;

	c->prev = c->now;
	c->now = prev;
	return agree;
}

/* The whole once, into bytes or counted; whether all is where the pass before had it. */
static bool
pass(struct jit *j, uint8_t *bytes, struct ebpf_jit_entries *entries)
{
	uint32_t next_turn = j->next_turn;
	bool agree;

	j->b = (struct x86_buf){ .bytes = bytes };
	entries->run = 0;
	emit_run(j);
	emit_functions(j);
	entries->inner = j->b.n;
	emit_inner(j);
	while (j->b.n % 16 != 0)
		x86_byte(&j->b, 0xcc);
	entries->many = j->b.n;
	agree = turn_over(&j->all, (size_t)j->n_insns + 1);
	if (!j->has_many)
		return agree;
	emit_many(j);
	return turn_over(&j->many, (size_t)j->funcs[0].end + 1) && agree &&
	       next_turn == j->next_turn;
}

/* ---- the whole ---- */

/* More bytes than any instruction takes: jumps are long at first. */
#define FAR 256

static int
make_room(struct jit *j)
{
	size_t n = (size_t)j->n_insns + 1;
	uint32_t *all = calloc(4 * n, sizeof(*all));

	if (all == NULL)
		return -ENOMEM;
	j->all = (struct copy){ .prev = all, .now = all + n };
	j->many = (struct copy){ .prev = all + 2 * n, .now = all + 3 * n };
	for (size_t pc = 0; pc < n; pc++)
		j->all.prev[pc] = j->many.prev[pc] = (uint32_t)pc * FAR;
	j->next_turn = (uint32_t)n * FAR;
	return 0;
}

static int
emit(struct jit *j, uint8_t **code, size_t *n, struct ebpf_jit_entries *entries)
{
	while (!pass(j, NULL, entries))
		;
	if (j->b.n > INT32_MAX)
		return -E2BIG;
	*n = j->b.n;
	*code = malloc(*n);
	if (*code == NULL)
		return -ENOMEM;
	pass(j, *code, entries);
	return 0;
}

int
ebpf_jit_x86_64(const struct ebpf_prog *prog, uint8_t **code, size_t *n,
		struct ebpf_jit_entries *entries, uint32_t *starts)
{
	struct jit j = { .prog = prog, .insns = ebpf_prog_running(prog),
			 .n_insns = prog->n_insns,
			 .has_run = prog->aux->extension.n_globals > 0 };
	int rc;

	if ((rc = find_functions(&j)) < 0)
		return rc;
	j.regs = j.calls_helpers || j.has_run ? calling : leaf;
	j.has_many = plan_turns(&j);
	if ((rc = make_room(&j)) == 0) {
		uint32_t *all = j.all.prev;

		rc = emit(&j, code, n, entries);
		/* the last pass is the one before the next that there is not */
		memcpy(starts, j.all.prev, ((size_t)j.n_insns + 1) * sizeof(*starts));
		free(all);
	}
	free(j.funcs);
	return rc;
}

