/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Instruction selection: blocks in order, each value computed where it is first
 * needed, and kept for all blocks that this one dominates.  What costs more
 * than a few instructions is computed where the classic program did it, so
 * that it is not done again on each way on.
 *
 * A load needs its guard, and its guard is an effect before it on each path:
 * computing a value no earlier than where it is used keeps that so.
 */
#include "cbpf/select.h"

#include "ebpf/err.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Values that cost no more than this are made where they are used. */
#define CHEAP 4
/* Kept registers of a value that are looked at. */
#define MAX_LOOKS 8
/* How far an address may be from where it started, for the kernel's verifier. */
#define FAR (1u << 29)

/* ---- emitting ---- */

static struct lir_insn *
append(struct selection *s)
{
	struct lir *lir = &s->lir;
	static const struct lir_insn empty = { .dst = LIR_NO_REG, .src = LIR_NO_REG,
					       .label = EMIT_NO_LABEL };

	if (lir->failed != 0)
		return NULL;
	if (lir->n >= lir->max) {
		lir->failed = OPT_GIVE_UP;
		return NULL;
	}
	if (lir->n == lir->cap) {
		size_t cap = lir->cap > 0 ? 2 * lir->cap : 128;
		struct lir_insn *insns = realloc(lir->insns, cap * sizeof(*insns));

		if (insns == NULL) {
			lir->failed = -ENOMEM;
			return NULL;
		}
		lir->insns = insns;
		lir->cap = cap;
	}
	lir->insns[lir->n] = empty;
	lir->insns[lir->n].origin = lir->origin;
	return &lir->insns[lir->n++];
}

void
sel_put(struct selection *s, struct ebpf_insn insn, uint32_t dst, uint32_t src)
{
	struct lir_insn *i = append(s);

	if (i == NULL)
		return;
	i->insn = insn;
	i->dst = dst;
	i->src = src;
}

void
sel_put_jump(struct selection *s, struct ebpf_insn insn, uint32_t dst, uint32_t src, uint32_t label)
{
	struct lir_insn *i = append(s);

	if (i == NULL)
		return;
	i->insn = insn;
	i->dst = dst;
	i->src = src;
	i->label = label;
}

void
sel_put_label(struct selection *s, uint32_t label)
{
	struct lir_insn *i = append(s);

	if (i == NULL)
		return;
	i->kind = LIR_LABEL;
	i->label = label;
}

static void
put_lddw(struct selection *s, uint32_t dst, uint32_t low, uint32_t high)
{
	struct lir_insn *i = append(s);

	if (i == NULL)
		return;
	i->kind = LIR_LDDW;
	i->insn = (struct ebpf_insn){ .code = EBPF_LD | EBPF_IMM | EBPF_DW, .imm = (int32_t)low };
	i->dst = dst;
	i->high = high;
}

uint32_t
sel_new_reg(struct selection *s)
{
	return s->lir.n_regs++;
}

uint32_t
sel_new_label(struct selection *s)
{
	return s->lir.n_labels++;
}

void
sel_mov32_k(struct selection *s, uint32_t dst, uint32_t k)
{
	sel_put(s, insn_alu32_k(EBPF_MOV, 0, k), dst, LIR_NO_REG);
}

void
sel_mov32(struct selection *s, uint32_t dst, uint32_t src)
{
	sel_put(s, insn_alu32_x(EBPF_MOV, 0, 0), dst, src);
}

void
sel_mov64(struct selection *s, uint32_t dst, uint32_t src)
{
	sel_put(s, insn_alu64_x(EBPF_MOV, 0, 0), dst, src);
}

void
sel_alu64(struct selection *s, uint8_t op, uint32_t dst, uint32_t src)
{
	sel_put(s, insn_alu64_x(op, 0, 0), dst, src);
}

/* ---- jumps ---- */

/* For those before v2: the same with operands changed round, EBPF_JA: there is none. */
static uint8_t
changed_round(uint8_t op)
{
	switch (op) {
	case EBPF_JLT:
		return EBPF_JGT;
	case EBPF_JLE:
		return EBPF_JGE;
	case EBPF_JSLT:
		return EBPF_JSGT;
	case EBPF_JSLE:
		return EBPF_JSGE;
	default:
		return EBPF_JA;
	}
}

static void
jump_x(struct selection *s, uint8_t op, uint32_t a, uint32_t b, uint32_t label)
{
	if (s->o->l->cpu < CBPF_CPU_V2 && changed_round(op) != EBPF_JA)
		sel_put_jump(s, insn_jmp_x(changed_round(op), 0, 0, 0), b, a, label);
	else
		sel_put_jump(s, insn_jmp_x(op, 0, 0, 0), a, b, label);
}

/*
 * Compare a register with a constant, unsigned but for JSLT.  In 64 bits a
 * constant above INT32_MAX would be sign-extended, which matters not to JSET:
 * the register's upper half is 0.
 */
void
sel_jump_k(struct selection *s, uint8_t op, uint32_t a, uint32_t k, uint32_t label)
{
	struct ebpf_insn insn = insn_jmp_k(op, 0, (int32_t)k, 0);
	bool fits = k <= INT32_MAX || op == EBPF_JSET;
	uint32_t b;

	if (fits && (s->o->l->cpu >= CBPF_CPU_V2 || changed_round(op) == EBPF_JA)) {
		sel_put_jump(s, insn, a, LIR_NO_REG, label);
		return;
	}
	if (!fits && s->o->l->cpu >= CBPF_CPU_V3) {
		insn.code = EBPF_JMP32 | EBPF_K | op;
		sel_put_jump(s, insn, a, LIR_NO_REG, label);
		return;
	}
	b = sel_new_reg(s);
	sel_mov32_k(s, b, k);
	jump_x(s, op, a, b, label);
}

static uint8_t
inverse(uint8_t test)
{
	switch (test) {
	case EBPF_JEQ:
		return EBPF_JNE;
	case EBPF_JGT:
		return EBPF_JLE;
	case EBPF_JGE:
		return EBPF_JLT;
	default:
		return EBPF_JA; /* JSET has none */
	}
}

static void
ret_k(struct selection *s, uint32_t k)
{
	sel_mov32_k(s, EBPF_R0, lower_result(s->o->l, k));
	sel_put(s, insn_exit(), LIR_NO_REG, EBPF_R0);
}

uint32_t
sel_zero_label(struct selection *s)
{
	s->zero_is_used = true;
	return s->zero;
}

/* ---- what is kept ---- */

uint32_t
sel_find_kept(const struct selection *s, enum keep what, uint32_t v)
{
	unsigned looks = 0, max_looks = MAX_LOOKS;

	/* of an address whose range was proven there is no second one */
	if (what == KEEP_POINTER && s->o->end != OPT_NONE)
		max_looks = UINT_MAX;
	for (const struct kept *k = s->kept[what][v]; k != NULL && looks++ < max_looks;
	     k = k->next) {
		if (k->block == s->block || opt_dominates(s->o, k->block, s->block))
			return k->reg;
	}
	return LIR_NO_REG;
}

void
sel_keep(struct selection *s, enum keep what, uint32_t v, uint32_t block, uint32_t reg)
{
	struct kept *k = opt_alloc(s->o, 1, sizeof(*k));

	if (k == NULL) {
		s->lir.failed = -ENOMEM;
		return;
	}
	*k = (struct kept){ block, reg, s->kept[what][v] };
	s->kept[what][v] = k;
}

/* ---- values ---- */

/* The register of a value that has one; a constant gets one for the moment. */
uint32_t
sel_reg_of(struct selection *s, uint32_t v)
{
	uint32_t k, reg;

	if (opt_is_const(s->o, v, &k)) {
		reg = sel_new_reg(s);
		sel_mov32_k(s, reg, k);
		return reg;
	}
	reg = sel_find_kept(s, KEEP_VALUE, v);
	if (reg == LIR_NO_REG && s->lir.failed == 0)
		s->lir.failed = OPT_GIVE_UP;
	return reg;
}

static void
start_with(struct selection *s, uint32_t v, uint32_t dst)
{
	uint32_t k;

	if (opt_is_const(s->o, v, &k))
		sel_mov32_k(s, dst, k);
	else
		sel_mov32(s, dst, sel_reg_of(s, v));
}

/*
 * Constants that came late may be none that the machine takes: a divisor of 0,
 * which has a test before it that fails, and counts above 31.
 */
static void
put_alu_k(struct selection *s, uint8_t op, uint32_t dst, uint32_t k)
{
	if (op == EBPF_LSH || op == EBPF_RSH)
		k &= 31;
	if (k == 0 && (op == EBPF_DIV || op == EBPF_MOD))
		op = EBPF_AND;
	sel_put(s, insn_alu32_k(op, 0, k), dst, LIR_NO_REG);
}

static void
put_alu(struct selection *s, uint8_t op, const struct opt_value *v, uint32_t dst)
{
	bool is_by_const;
	uint32_t k;

	is_by_const = op != EBPF_NEG && opt_is_const(s->o, v->b, &k);
	/*
	 * Kernels from 6.11 on remember that a number is another one plus a constant,
	 * and add to no address what is so far from it: here it is the other way round.
	 */
	if (s->o->end != OPT_NONE && op == EBPF_ADD && is_by_const && k >= FAR && k <= 0 - FAR) {
		sel_mov32_k(s, dst, k);
		sel_put(s, insn_alu32_x(op, 0, 0), dst, sel_reg_of(s, v->a));
		return;
	}
	start_with(s, v->a, dst);
	if (op == EBPF_NEG)
		sel_put(s, insn_alu32_k(EBPF_NEG, 0, 0), dst, LIR_NO_REG);
	else if (is_by_const)
		put_alu_k(s, op, dst, k);
	else
		sel_put(s, insn_alu32_x(op, 0, 0), dst, sel_reg_of(s, v->b));
}

/* The machine takes the count modulo 32. */
static void
put_shift_out(struct selection *s, uint8_t op, const struct opt_value *v, uint32_t dst)
{
	uint32_t done = sel_new_label(s), count = sel_reg_of(s, v->b);

	start_with(s, v->a, dst);
	sel_put(s, insn_alu32_x(op, 0, 0), dst, count);
	sel_jump_k(s, EBPF_JLE, count, 31, done);
	sel_mov32_k(s, dst, 0);
	sel_put_label(s, done);
}

static void
compute(struct selection *s, uint32_t v, uint32_t dst)
{
	const struct opt_value *value = &s->o->values[v];

	switch ((enum opt_op)value->op) {
	case OPT_CONST64:
		put_lddw(s, dst, value->k, value->b);
		return;
	case OPT_FIELD:
		sel_put_field(s, value, dst);
		return;
	case OPT_LOAD:
	case OPT_RAW:
		sel_put_load(s, value, dst);
		return;
	case OPT_ADD:
		put_alu(s, EBPF_ADD, value, dst);
		return;
	case OPT_SUB:
		put_alu(s, EBPF_SUB, value, dst);
		return;
	case OPT_MUL:
		put_alu(s, EBPF_MUL, value, dst);
		return;
	case OPT_DIV:
		put_alu(s, EBPF_DIV, value, dst);
		return;
	case OPT_MOD:
		put_alu(s, EBPF_MOD, value, dst);
		return;
	case OPT_OR:
		put_alu(s, EBPF_OR, value, dst);
		return;
	case OPT_AND:
		put_alu(s, EBPF_AND, value, dst);
		return;
	case OPT_XOR:
		put_alu(s, EBPF_XOR, value, dst);
		return;
	case OPT_LSH:
		put_alu(s, EBPF_LSH, value, dst);
		return;
	case OPT_RSH:
		put_alu(s, EBPF_RSH, value, dst);
		return;
	case OPT_NEG:
		put_alu(s, EBPF_NEG, value, dst);
		return;
	case OPT_SWAP16:
		sel_mov32(s, dst, sel_reg_of(s, value->a));
		sel_put(s, insn_be(0, 16), dst, LIR_NO_REG);
		return;
	case OPT_LSH_OUT:
		put_shift_out(s, EBPF_LSH, value, dst);
		return;
	case OPT_RSH_OUT:
		put_shift_out(s, EBPF_RSH, value, dst);
		return;
	case OPT_WINDOW:
		sel_put_window(s, value, dst);
		return;
	case OPT_TAGGED:
		sel_put_tagged(s, value, dst);
		return;
	case OPT_NONE:
	case OPT_CONST:
	case OPT_ENTRY:
	case OPT_PHI:
	case OPT_CALL:
	case OPT_FETCH:
		break;
	}
	/* a phi or a call that does not dominate its use: no graph of ours */
	s->lir.failed = OPT_GIVE_UP;
}

static bool
is_ready(const struct selection *s, uint32_t v)
{
	return v == OPT_NONE || s->o->values[v].op == OPT_CONST ||
	       sel_find_kept(s, KEEP_VALUE, v) != LIR_NO_REG;
}

/* What must be in registers before a value can be computed; their number. */
static size_t
operands(const struct selection *s, uint32_t v, uint32_t out[4])
{
	const struct opt_value *value = &s->o->values[v];
	size_t n = 0;

	switch ((enum opt_op)value->op) {
	case OPT_CONST64:
	case OPT_PHI:
	case OPT_CALL:
	case OPT_FETCH:
	case OPT_ENTRY:
		return 0;
	case OPT_LOAD:
	case OPT_RAW:
		out[n++] = s->o->data;
		if (value->a != OPT_NONE && sel_find_kept(s, KEEP_POINTER, value->a) != LIR_NO_REG)
			return n;
		break;
	case OPT_TAGGED:
		out[n++] = s->o->data;
		out[n++] = s->o->end != OPT_NONE ? s->o->end : s->o->hlen;
		break;
	case OPT_WINDOW:
		/* fields are loaded in place, from the context */
		out[n++] = s->o->values[value->k].op == OPT_FIELD ? s->o->ctx : value->k;
		out[n++] = s->o->values[value->b].op == OPT_FIELD ? s->o->ctx : value->b;
		out[n++] = value->a;
		return n;
	default:
		break;
	}
	if (value->a != OPT_NONE)
		out[n++] = value->a;
	if (value->b != OPT_NONE)
		out[n++] = value->b;
	return n;
}

/* Have a value, and what it is computed from, in registers here. */
static void
need(struct selection *s, uint32_t v)
{
	size_t n = 0;

	s->stack[n++] = v;
	while (n > 0 && s->lir.failed == 0) {
		uint32_t top = s->stack[n - 1], before[4], reg;
		size_t n_before = is_ready(s, top) ? 0 : operands(s, top, before);
		size_t n_old = n;

		for (size_t i = 0; i < n_before; i++) {
			if (!is_ready(s, before[i]))
				s->stack[n++] = before[i];
		}
		if (n > n_old)
			continue;
		n--;
		if (is_ready(s, top))
			continue;
		reg = sel_new_reg(s);
		compute(s, top, reg);
		sel_keep(s, KEEP_VALUE, top, s->block, reg);
	}
}

uint32_t
sel_needed_reg(struct selection *s, uint32_t v)
{
	need(s, v);
	return sel_reg_of(s, v);
}

/* ---- effects ---- */

/* R0 = bytes at a constant, or at a register and a constant; R6 is the context. */
static void
fetch(struct selection *s, uint32_t v)
{
	const struct opt_value *value = &s->o->values[v];
	uint8_t size = value->size == 4 ? EBPF_W : value->size == 2 ? EBPF_H : EBPF_B;
	struct ebpf_insn load = { .code = EBPF_LD | EBPF_ABS | size, .imm = (int32_t)value->k };
	uint32_t base = LIR_NO_REG, result;
	size_t first;

	if (value->a != OPT_NONE) {
		base = sel_needed_reg(s, value->a);
		load.code = EBPF_LD | EBPF_IND | size;
	}
	first = s->lir.n;
	sel_put(s, load, LIR_NO_REG, base);
	result = sel_new_reg(s);
	sel_mov32(s, result, EBPF_R0);
	if (s->lir.failed == 0)
		s->lir.insns[first].before_call = true;
	sel_keep(s, KEEP_VALUE, v, s->block, result);
}

static void
call(struct selection *s, uint32_t v)
{
	const struct opt_value *value = &s->o->values[v];
	uint32_t a = value->a, x = value->b, ctx = sel_needed_reg(s, s->o->ctx), result, ka, kx;
	size_t first;

	if (a != OPT_NONE && !opt_is_const(s->o, a, &ka))
		need(s, a);
	if (x != OPT_NONE && !opt_is_const(s->o, x, &kx))
		need(s, x);
	first = s->lir.n;
	sel_mov64(s, EBPF_R1, ctx);
	if (a != OPT_NONE)
		start_with(s, a, EBPF_R2);
	if (x != OPT_NONE)
		start_with(s, x, EBPF_R3);
	sel_put(s, insn_call((int32_t)value->k), LIR_NO_REG, LIR_NO_REG);
	result = sel_new_reg(s);
	sel_mov32(s, result, EBPF_R0);
	if (s->lir.failed == 0)
		s->lir.insns[first].before_call = true;
	sel_keep(s, KEEP_VALUE, v, s->block, result);
}

static void
select_effects(struct selection *s, const struct opt_block *b)
{
	for (uint32_t i = 0; i < b->n_effects; i++) {
		const struct opt_effect *e = &b->effects[i];

		s->lir.origin = e->origin;
		switch ((enum opt_effect_kind)e->kind) {
		case OPT_EFFECT_NONE:
			break;
		case OPT_EFFECT_GUARD:
			sel_guard(s, e);
			break;
		case OPT_EFFECT_NONZERO:
			sel_jump_k(s, EBPF_JEQ, sel_needed_reg(s, e->base), 0, sel_zero_label(s));
			break;
		case OPT_EFFECT_CALL:
			if (s->o->values[e->base].op == OPT_FETCH)
				fetch(s, e->base);
			else
				call(s, e->base);
			break;
		}
	}
}

/* ---- ends ---- */

static const struct opt_block *
target(const struct selection *s, const struct opt_block *b, uint32_t edge)
{
	return &s->o->blocks[s->o->edges[b->edges[edge]].to];
}

/* Whether a block does nothing but return a constant. */
static bool
is_plain_ret(const struct selection *s, const struct opt_block *b, uint32_t *k)
{
	return b->end == OPT_END_RET && b->n_effects == 0 && opt_is_const(s->o, b->a, k);
}

static uint32_t
label_of(struct selection *s, const struct opt_block *b)
{
	s->is_used[b->place] = true;
	return b->place;
}

static bool
is_next(const struct selection *s, const struct opt_block *b)
{
	return b->place == s->place + 1;
}

/* Go on at a block; last: nothing more is emitted for the block under way. */
static void
go_to(struct selection *s, const struct opt_block *to, bool last)
{
	uint32_t k;

	if (last && is_next(s, to))
		s->falls = true;
	else if (is_plain_ret(s, to, &k))
		ret_k(s, k);
	else
		sel_put_jump(s, insn_ja(0), LIR_NO_REG, LIR_NO_REG, label_of(s, to));
}

static void
jump_test(struct selection *s, uint8_t op, uint32_t a, uint32_t b, uint32_t label)
{
	uint32_t k;

	if (opt_is_const(s->o, b, &k))
		sel_jump_k(s, op, a, k, label);
	else
		jump_x(s, op, a, sel_reg_of(s, b), label);
}

static void
select_if(struct selection *s, const struct opt_block *b)
{
	const struct opt_block *yes = target(s, b, 0), *no = target(s, b, 1);
	uint32_t k, a = sel_needed_reg(s, b->a);

	if (!opt_is_const(s->o, b->b, &k))
		need(s, b->b);
	if (is_next(s, yes) && inverse(b->test) != EBPF_JA) {
		jump_test(s, inverse(b->test), a, b->b, label_of(s, no));
		s->falls = true;
		return;
	}
	jump_test(s, b->test, a, b->b, label_of(s, yes));
	go_to(s, no, true);
}

/* The edge that most of the ranges lead to. */
static uint32_t
common_edge(const struct opt_range *r, size_t n)
{
	/* singles stand between ranges: two neighbours of one say it */
	return n >= 3 && r[0].edge == r[2].edge ? r[0].edge : r[n - 1].edge;
}

static bool
is_single(const struct opt_range *r, size_t i, uint64_t first)
{
	uint64_t start = i > 0 ? (uint64_t)r[i - 1].last + 1 : first;

	return r[i].last == start;
}

/* At most two single numbers that do not go where all others go. */
static bool
is_few_singles(const struct opt_range *r, size_t n, uint64_t first, uint32_t common)
{
	size_t singles = 0;

	for (size_t i = 0; i < n; i++) {
		if (r[i].edge == common)
			continue;
		if (!is_single(r, i, first) || ++singles > 2)
			return false;
	}
	return true;
}

static void
select_singles(struct selection *s, const struct opt_block *b, uint32_t a,
	       const struct opt_range *r, size_t n, uint32_t common, bool last)
{
	const struct opt_block *other = target(s, b, common);
	bool is_near = last && is_next(s, other);
	uint32_t k;
	size_t left = 0;

	/* what all others do costs no further jump if it stands here */
	is_near = is_near || is_plain_ret(s, other, &k);

	for (size_t i = 0; i < n; i++)
		left += r[i].edge != common;
	for (size_t i = 0; i < n; i++) {
		const struct opt_block *to = target(s, b, r[i].edge);

		if (r[i].edge == common)
			continue;
		if (--left > 0 || is_near) {
			sel_jump_k(s, EBPF_JEQ, a, r[i].last, label_of(s, to));
			continue;
		}
		sel_jump_k(s, EBPF_JNE, a, r[i].last, label_of(s, other));
		go_to(s, to, last);
		return;
	}
	go_to(s, other, last);
}

/* A tree over ranges, of which the first begins at first. */
static void
select_ranges(struct selection *s, const struct opt_block *b, uint32_t a,
	      const struct opt_range *r, size_t n, uint64_t first, bool last)
{
	uint32_t common = common_edge(r, n), right;
	size_t half = n / 2, rest = n - half;

	if (is_few_singles(r, n, first, common)) {
		select_singles(s, b, a, r, n, common, last);
		return;
	}
	if (rest == 1) {
		sel_jump_k(s, EBPF_JGT, a, r[0].last, label_of(s, target(s, b, r[1].edge)));
		go_to(s, target(s, b, r[0].edge), last);
		return;
	}
	if (half == 1) {
		sel_jump_k(s, EBPF_JLE, a, r[0].last, label_of(s, target(s, b, r[0].edge)));
	} else {
		right = sel_new_label(s);
		sel_jump_k(s, EBPF_JGT, a, r[half - 1].last, right);
		select_ranges(s, b, a, r, half, first, false);
		sel_put_label(s, right);
	}
	select_ranges(s, b, a, r + half, rest, (uint64_t)r[half - 1].last + 1, last);
}

static void
select_ret(struct selection *s, const struct opt_block *b)
{
	uint32_t k;

	if (opt_is_const(s->o, b->a, &k)) {
		ret_k(s, k);
		return;
	}
	if (s->o->l->target->acts) {
		sel_jump_k(s, EBPF_JEQ, sel_needed_reg(s, b->a), 0, sel_zero_label(s));
		ret_k(s, 1);
		return;
	}
	sel_mov32(s, EBPF_R0, sel_needed_reg(s, b->a));
	sel_put(s, insn_exit(), LIR_NO_REG, EBPF_R0);
}

/* Phis of the block that comes get their values. */
static void
select_args(struct selection *s, const struct opt_edge *e)
{
	const struct opt_block *to = &s->o->blocks[e->to];

	for (uint32_t i = 0; i < to->n_phis; i++) {
		uint32_t v = opt_real(s->o, e->args[i]), k, reg;

		if (s->uses[to->phis[i]] == 0)
			continue;
		reg = s->kept[KEEP_VALUE][to->phis[i]]->reg;
		if (opt_is_const(s->o, v, &k))
			sel_mov32_k(s, reg, k);
		else
			sel_mov32(s, reg, sel_needed_reg(s, v));
	}
}

static void
select_end(struct selection *s, const struct opt_block *b)
{
	s->lir.origin = b->origin;
	s->falls = false;
	switch ((enum opt_end)b->end) {
	case OPT_END_GOTO:
		select_args(s, &s->o->edges[b->edges[0]]);
		go_to(s, target(s, b, 0), true);
		break;
	case OPT_END_IF:
		select_if(s, b);
		break;
	case OPT_END_SWITCH:
		select_ranges(s, b, sel_needed_reg(s, b->a), b->ranges, b->n_ranges, 0, true);
		break;
	case OPT_END_RET:
		select_ret(s, b);
		break;
	}
}

/* ---- blocks ---- */

/* Values that cost much, where the classic program computed them. */
static void
select_early(struct selection *s)
{
	for (uint32_t v = s->early[s->block]; v != OPT_NONE; v = s->early_next[v]) {
		s->lir.origin = s->o->values[v].origin;
		need(s, v);
	}
}

static void
select_block(struct selection *s)
{
	const struct opt_block *b = &s->o->blocks[s->block];
	uint32_t k;

	if (is_plain_ret(s, b, &k) && !s->falls && !s->is_used[s->place] &&
	    !(s->place == s->zero_place && s->zero_is_used))
		return;         /* copied to all that go there */
	sel_put_label(s, (uint32_t)s->place);
	if (s->place == s->zero_place)
		sel_put_label(s, s->zero);
	select_effects(s, b);
	select_early(s);
	select_end(s, b);
}

static void
pin_context(struct selection *s)
{
	s->lir.pins_ctx = true;
	sel_put(s, insn_alu64_x(EBPF_MOV, 0, 0), EBPF_R6, EBPF_R1);
	sel_keep(s, KEEP_VALUE, s->o->ctx, 0, EBPF_R6);
}

/*
 * What goes on behind the program needs the context.  Of addresses, each load from
 * the context is a new one, of which nothing is proven: there is one.
 */
static void
begin_direct(struct selection *s)
{
	pin_context(s);
	sel_needed_reg(s, s->o->data);
	sel_needed_reg(s, s->o->end);
}

static bool
has_guards(const struct opt *o)
{
	for (size_t i = 0; i < o->n_order; i++) {
		const struct opt_block *b = &o->blocks[o->order[i]];

		for (uint32_t j = 0; j < b->n_effects; j++) {
			if (b->effects[j].kind == OPT_EFFECT_GUARD)
				return true;
		}
	}
	return false;
}

static void
take_over_entry(struct selection *s)
{
	s->block = 0;
	if (s->o->end != OPT_NONE && has_guards(s->o)) {
		begin_direct(s);
		return;
	}
	if (s->o->l->target->opt->fetches) {
		pin_context(s);
		return;
	}
	for (uint32_t v = 1; v < s->o->n_values; v++) {
		uint32_t reg;

		if (s->o->values[v].op != OPT_ENTRY || s->uses[v] == 0)
			continue;
		reg = sel_new_reg(s);
		sel_mov64(s, reg, s->o->values[v].k);
		sel_keep(s, KEEP_VALUE, v, 0, reg);
	}
}

static void
name_phis(struct selection *s)
{
	for (size_t i = 0; i < s->o->n_order; i++) {
		const struct opt_block *b = &s->o->blocks[s->o->order[i]];

		for (uint32_t j = 0; j < b->n_phis; j++)
			sel_keep(s, KEEP_VALUE, b->phis[j], s->o->order[i], sel_new_reg(s));
	}
}

/* The last block that returns 0, if no guard stands behind it, is where guards jump. */
static void
find_zero(struct selection *s)
{
	uint32_t k;

	s->zero = sel_new_label(s);
	s->zero_place = s->o->n_order;
	for (size_t i = s->o->n_order; i-- > 0;) {
		const struct opt_block *b = &s->o->blocks[s->o->order[i]];

		if (is_plain_ret(s, b, &k) && k == 0) {
			s->zero_place = i;
			return;
		}
		if (b->n_effects > 0 || (s->o->l->target->acts && b->end == OPT_END_RET))
			return;         /* it may want to jump there */
	}
}

static void
find_early(struct selection *s)
{
	for (size_t v = s->o->n_values; v-- > 1;) {
		const struct opt_value *value = &s->o->values[v];

		if (s->uses[v] == 0 || value->cost <= CHEAP || value->op == OPT_PHI ||
		    value->op == OPT_CALL || value->op == OPT_FETCH || value->op == OPT_WINDOW ||
		    value->block == OPT_NO_BLOCK ||
		    s->o->blocks[value->block].place == OPT_NO_BLOCK)
			continue;
		s->early_next[v] = s->early[value->block];
		s->early[value->block] = (uint32_t)v;
	}
}

/* A phi's value is set in a block that goes nowhere else. */
static int
split_edges(struct opt *o)
{
	size_t n = o->n_order;
	bool split = false;

	for (size_t i = 0; i < n; i++) {
		uint32_t from = o->order[i], n_edges = o->blocks[from].n_edges;

		if (o->blocks[from].end != OPT_END_IF && o->blocks[from].end != OPT_END_SWITCH)
			continue;
		for (uint32_t j = 0; j < n_edges; j++) {
			uint32_t edge = o->blocks[from].edges[j], block, on;

			if (o->blocks[o->edges[edge].to].n_phis == 0)
				continue;
			block = opt_new_block(o);
			on = opt_new_edge(o, block, o->edges[edge].to);
			if (o->failed)
				return -ENOMEM;
			o->edges[on].args = o->edges[edge].args;
			o->edges[edge].to = block;
			o->edges[edge].args = NULL;
			o->blocks[block].origin = o->blocks[from].origin;
			opt_end_goto(o, block, on);
			split = true;
		}
	}
	return split ? opt_flow(o) : 0;
}

static int
prepare(struct selection *s)
{
	struct opt *o = s->o;
	int rc = split_edges(o);

	if (rc < 0)
		return rc;
	s->uses = opt_count_uses(o);
	for (int what = 0; what < N_KEEPS; what++)
		s->kept[what] = opt_alloc(o, o->n_values, sizeof(*s->kept[what]));
	s->stack = opt_alloc(o, 4 * o->n_values + 4, sizeof(*s->stack));
	s->early = opt_alloc(o, o->n_blocks, sizeof(*s->early));
	s->early_next = opt_alloc(o, o->n_values, sizeof(*s->early_next));
	s->is_used = opt_alloc(o, o->n_order, sizeof(*s->is_used));
	if (o->failed)
		return -ENOMEM;
	s->lir.n_regs = LIR_VIRTUAL;
	s->lir.n_labels = (uint32_t)o->n_order;
	s->retry = sel_new_label(s);
	s->lir.max = 16 * o->l->n_insns + 256;
	s->lir.origin = EMIT_NO_ORIGIN;
	find_zero(s);
	find_early(s);
	return 0;
}

static void
select_all(struct selection *s)
{
	take_over_entry(s);
	name_phis(s);
	s->falls = true;
	for (s->place = 0; s->place < s->o->n_order; s->place++) {
		s->block = s->o->order[s->place];
		select_block(s);
	}
	if (s->zero_place == s->o->n_order && s->zero_is_used) {
		sel_put_label(s, s->zero);
		ret_k(s, 0);
	}
}

int
opt_select(struct opt *o, struct cbpf_lowered *out)
{
	struct selection s = { .o = o };
	struct lowering *l = o->l;
	int rc = prepare(&s);

	if (rc == 0) {
		select_all(&s);
		rc = s.lir.failed != 0 ? s.lir.failed : o->failed ? -ENOMEM : 0;
	}
	if (rc == 0) {
		emit_init(&l->e, s.lir.n_labels + (s.retry_is_used ? l->n_insns : 0));
		rc = lir_emit(&s.lir, &l->e);
		if (rc == 0 && s.retry_is_used) {
			emit_label(&l->e, s.retry);
			rc = lower_append(l, s.lir.n_labels);
		}
		if (rc == 0)
			rc = emit_link(&l->e, l->cpu, out, l->err);
		emit_fini(&l->e);
	}
	free(s.lir.insns);
	return rc;
}
