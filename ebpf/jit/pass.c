/* SPDX-License-Identifier: BSD-2-Clause */
/* The passes over a program that each back end makes, and what it asks of the program. */
#include "config.h"

#include "ebpf/jit/pass.h"

#include "ebpf/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- what functions are like ---- */

static void
look_at_helper(struct jit *j, const struct ebpf_helper *h)
{
	j->calls_helpers = true;
	j->has_run |= h->fn == NULL;
	for (unsigned i = 0; i < 5; i++)
		j->zeroes_args |= h->args[i] == EBPF_ARG_ANYTHING;
}

/* Registers that an instruction changes, or at least those. */
static uint32_t
written_by(const struct ebpf_insn *insn, enum ebpf_form form)
{
	uint32_t dst = 1u << insn->dst_reg;

	switch (form) {
	case EBPF_FORM_FETCH:
	case EBPF_FORM_XCHG:
		return dst | 1u << insn->src_reg;
	case EBPF_FORM_CMPXCHG:
		return dst | 1u << EBPF_R0;
	default:
		return dst;
	}
}

static void
look_at(struct jit *j, struct jit_func *f)
{
	for (uint32_t pc = f->start; pc < f->end; pc++) {
		const struct ebpf_insn *insn = &j->insns[pc];
		int row = ebpf_op_of(insn);

		f->written |= written_by(insn, (enum ebpf_form)ebpf_ops[row].form);
		f->named |= 1u << insn->dst_reg |
			    (row != EBPF_OP_CALL_LOCAL ? 1u << insn->src_reg : 0);
		f->has_calls |= row == EBPF_OP_CALL || row == EBPF_OP_CALL_LOCAL;
		f->has_may_goto |= row == EBPF_OP_MAY_GOTO;
		if (row == EBPF_OP_CALL)
			look_at_helper(j, jit_helper(j, insn));
		pc += ebpf_code_is_wide(insn->code);
	}
}

static int
find_functions(struct jit *j)
{
	j->func_at = calloc((size_t)j->n_insns + 1, sizeof(*j->func_at));
	if (j->func_at == NULL)
		return -ENOMEM;
	j->func_at[0] = 1;
	for (uint32_t pc = 0; pc < j->n_insns; pc++) {
		if (ebpf_op_of(&j->insns[pc]) == EBPF_OP_CALL_LOCAL)
			j->func_at[(int64_t)pc + 1 + j->insns[pc].imm] = 1;
		pc += ebpf_code_is_wide(j->insns[pc].code);
	}
	for (uint32_t pc = 0; pc < j->n_insns; pc++)
		j->n_funcs += j->func_at[pc];
	j->funcs = calloc(j->n_funcs, sizeof(*j->funcs));
	if (j->funcs == NULL)
		return -ENOMEM;
	for (uint32_t pc = 0, f = 0; pc < j->n_insns; pc++) {
		if (j->func_at[pc] == 0)
			continue;
		j->func_at[pc] = f;
		j->funcs[f++].start = pc;
	}
	for (size_t f = 0; f < j->n_funcs; f++) {
		j->funcs[f].end = f + 1 < j->n_funcs ? j->funcs[f + 1].start : j->n_insns;
		look_at(j, &j->funcs[f]);
	}
	return 0;
}

/* ---- what instructions mean here ---- */

static uint32_t
callee_start(const struct jit *j, const struct ebpf_insn *insn)
{
	return (uint32_t)((int64_t)j->pc + 1 + insn->imm);
}

const struct jit_func *
jit_callee(const struct jit *j, const struct ebpf_insn *insn)
{
	return &j->funcs[j->func_at[callee_start(j, insn)]];
}

const struct ebpf_global *
jit_replaced(const struct jit *j, const struct ebpf_insn *insn)
{
	int16_t index = ebpf_prog_global_index(j->prog->aux, callee_start(j, insn));

	return index != 0 ? &j->prog->aux->extension.globals[index - 1] : NULL;
}

/* Within the function. */
static bool
returns_constant(const struct jit *j, uint32_t pc, uint64_t *value)
{
	return ebpf_returns_constant(&j->insns[pc], j->func->end - pc, value);
}

bool
jit_selects(const struct jit *j, const struct ebpf_insn *insn, uint64_t *taken,
	    uint64_t *otherwise)
{
	return returns_constant(j, (uint32_t)((int64_t)j->pc + 1 + insn->off), taken) &&
	       returns_constant(j, j->pc + 1, otherwise);
}

uint64_t
jit_wide_value(const struct jit *j, const struct ebpf_insn *insn)
{
	enum ebpf_op row = (enum ebpf_op)ebpf_op_of(insn);

	return ebpf_link_value(&j->prog->aux->link, insn, row, j->pc, j->prog->code);
}

/* ---- which slots are reached ---- */

/* Slots that lead further back to where nothing has led before are to be looked at again. */
static void
mark(struct jit *j, int64_t to, uint8_t how, bool *again)
{
	*again |= to <= (int64_t)j->pc && j->marks[to] == 0;
	j->marks[to] |= how;
}

static void
mark_jump(struct jit *j, int32_t displacement, bool *again)
{
	mark(j, (int64_t)j->pc + 1 + displacement, JIT_JUMPED_TO, again);
}

static void
mark_ways(struct jit *j, const struct ebpf_insn *insn, bool *again)
{
	int row = ebpf_op_of(insn);
	uint64_t taken, otherwise;

	switch (ebpf_ops[row].form) {
	case EBPF_FORM_EXIT:
		return;
	case EBPF_FORM_JA32:
		mark_jump(j, insn->imm, again);
		return;
	case EBPF_FORM_JA:
		mark_jump(j, insn->off, again);
		if (row != EBPF_OP_MAY_GOTO)
			return;
		break;
	case EBPF_FORM_JMP_K:
	case EBPF_FORM_JMP_X:
		if (jit_selects(j, insn, &taken, &otherwise)) {
			j->marks[j->pc] |= JIT_SELECTS;
			return;
		}
		mark_jump(j, insn->off, again);
		break;
	default:
		break;
	}
	mark(j, (int64_t)j->pc + 1 + ebpf_code_is_wide(insn->code), JIT_FALLEN_TO, again);
}

/* Once over a function, in which few jumps lead back to what only they lead to. */
static bool
mark_once(struct jit *j)
{
	bool again = false;

	for (j->pc = j->func->start; j->pc < j->func->end; j->pc++) {
		if (j->marks[j->pc] != 0)
			mark_ways(j, &j->insns[j->pc], &again);
		j->pc += ebpf_code_is_wide(j->insns[j->pc].code);
	}
	return again;
}

static void
count_exits(struct jit *j, struct jit_func *f)
{
	for (uint32_t pc = f->start; pc < f->end; pc++) {
		if (j->marks[pc] != 0)
			f->n_exits += (j->marks[pc] & JIT_SELECTS) != 0 ||
				      ebpf_op_of(&j->insns[pc]) == EBPF_OP_EXIT;
		pc += ebpf_code_is_wide(j->insns[pc].code);
	}
}

/* What a program has for others, as where both ways of a test were made one, is not emitted. */
static int
find_reached(struct jit *j)
{
	enum { MAX_TURNS = 4 };

	j->marks = calloc((size_t)j->n_insns + 1, sizeof(*j->marks));
	if (j->marks == NULL)
		return -ENOMEM;
	for (size_t f = 0; f < j->n_funcs; f++) {
		struct jit_func *func = &j->funcs[f];
		int turns = 0;

		j->func = func;
		j->marks[func->start] = JIT_FALLEN_TO;
		while (mark_once(j)) {
			if (++turns < MAX_TURNS)
				continue;
			for (uint32_t pc = func->start; pc < func->end; pc++)
				j->marks[pc] |= JIT_FALLEN_TO | JIT_JUMPED_TO;
		}
		count_exits(j, func);
	}
	return 0;
}

/* ---- one pass ---- */

/* Up to where the pass before had the next slot. */
static void
pad(struct jit *j, uint32_t to)
{
	while (j->pads && j->b.n < to)
		jit_byte(&j->b, j->target->nop[j->b.n % 4]);
}

static void
translate_body(struct jit *j)
{
	for (j->pc = j->func->start; j->pc < j->func->end; j->pc++) {
		const struct ebpf_insn *insn = &j->insns[j->pc];

		j->copy->now[j->pc] = (uint32_t)j->b.n;
		if (j->pc == j->func->start || (j->marks[j->pc] & JIT_FALLEN_TO) == 0)
			j->jumped[0] = j->jumped[1] = 0;
		if (j->marks[j->pc] != 0)
			j->target->forms[ebpf_ops[ebpf_op_of(insn)].form](j, insn);
		pad(j, j->copy->prev[j->pc + 1]);
		if (ebpf_code_is_wide(insn->code))
			j->copy->now[++j->pc] = (uint32_t)j->b.n;
	}
	j->copy->now[j->func->end] = (uint32_t)j->b.n;
}

static void
emit_functions(struct jit *j)
{
	j->copy = &j->all;
	j->in_many = false;
	for (size_t f = 0; f < j->n_funcs; f++) {
		j->func = &j->funcs[f];
		j->funcs[f].entry = (uint32_t)j->b.n;
		j->target->enter(j);
		translate_body(j);
	}
}

/* The first function again, in a loop over contexts: no packet is called for. */
static void
emit_many(struct jit *j)
{
	j->func = &j->funcs[0];
	j->copy = &j->many;
	j->in_many = true;
	j->target->begin_many(j);
	translate_body(j);
	j->target->end_many(j);
}

/* This pass is the one before now; whether they agree. */
static bool
turn_over(struct jit_copy *c, size_t n)
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
	uint32_t next_turn = j->turns.next;
	bool agree;

	j->b = (struct jit_buf){ .bytes = bytes };
	entries->run = 0;
	j->target->emit_run(j);
	emit_functions(j);
	entries->inner = j->b.n;
	j->target->emit_inner(j);
	while (j->b.n % 16 != 0)
		jit_byte(&j->b, j->target->breakpoint[j->b.n % 4]);
	entries->many = j->b.n;
	agree = turn_over(&j->all, (size_t)j->n_insns + 1);
	if (!j->has_many)
		return agree;
	emit_many(j);
	return turn_over(&j->many, (size_t)j->funcs[0].end + 1) && agree &&
	       next_turn == j->turns.next;
}

/* ---- the whole ---- */

/* More bytes than any instruction takes: jumps are long at first. */
#define FAR 256

/* Real programs settle within ten. */
#define MAX_PASSES 20

static int
make_room(struct jit *j)
{
	size_t n = (size_t)j->n_insns + 1;
	uint32_t *all = calloc(4 * n, sizeof(*all));

	if (all == NULL)
		return -ENOMEM;
	j->all = (struct jit_copy){ .prev = all, .now = all + n };
	j->many = (struct jit_copy){ .prev = all + 2 * n, .now = all + 3 * n };
	return 0;
}

/* Pass after pass; false: some are still not where the one before had them. */
static bool
settle(struct jit *j, struct ebpf_jit_entries *entries)
{
	for (int n = 0; n < MAX_PASSES; n++) {
		if (pass(j, NULL, entries))
			return true;
	}
	return false;
}

/*
 * Every jump as short as it can be.  A chain of jumps of which each gets short
 * once the next one is takes a pass for each: at some point all stays where it is.
 */
static void
shrink(struct jit *j, struct ebpf_jit_entries *entries)
{
	size_t n = (size_t)j->n_insns + 1;

	for (size_t pc = 0; pc < n; pc++)
		j->all.prev[pc] = j->many.prev[pc] = (uint32_t)pc * FAR;
	j->turns.next = (uint32_t)n * FAR;
	while (!settle(j, entries))
		j->pads = true;
}

static int
emit(struct jit *j, uint8_t **code, size_t *n, struct ebpf_jit_entries *entries)
{
	shrink(j, entries);
	j->spreads = j->target->spreads && !j->pads;
	if (j->spreads && !settle(j, entries)) {
		j->spreads = false;
		shrink(j, entries);
	}
	if (j->b.n > j->target->reach)
		return -E2BIG;
	*n = j->b.n;
	*code = malloc(*n);
	if (*code == NULL)
		return -ENOMEM;
	pass(j, *code, entries);
	return 0;
}

int
ebpf_jit_translate(const struct jit_target *target, const struct ebpf_prog *prog, uint8_t **code,
		   size_t *n, struct ebpf_jit_entries *entries, uint32_t *starts)
{
	struct jit j = { .prog = prog, .target = target, .insns = ebpf_prog_running(prog),
			 .n_insns = prog->n_insns,
			 .has_run = prog->aux->extension.n_globals > 0 };
	int rc;

	if ((rc = find_functions(&j)) == 0 && (rc = find_reached(&j)) == 0 &&
	    (rc = make_room(&j)) == 0) {
		uint32_t *all = j.all.prev;

		target->plan(&j);
		rc = emit(&j, code, n, entries);
		/* the last pass is the one before the next that there is not */
		memcpy(starts, j.all.prev, ((size_t)j.n_insns + 1) * sizeof(*starts));
		free(all);
	}
	free(j.marks);
	free(j.funcs);
	free(j.func_at);
	return rc;
}
