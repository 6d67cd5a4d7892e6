/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Registers for values: in order of their first mention each virtual register
 * takes a free one; where there is none, what is needed longest goes to the
 * stack.
 *
 * If anything does, all is done again with two registers kept aside: they
 * carry what lives on the stack from and to it around each instruction.
 * Across a call only R6 to R9 keep what they hold.
 */
#include "cbpf/lir.h"

#include "cbpf/opt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SCRATCH_DST EBPF_R4
#define SCRATCH_SRC EBPF_R5
#define N_SLOTS (EBPF_STACK_SIZE / 8)

#define PLACE_NONE 0xff         /* not given yet, or never mentioned */
#define PLACE_STACK 16          /* and further: slots */

/*
 * Where a register is needed: positions are 2 * instruction for what is read
 * and one more for what is written.
 */
struct span {
	uint32_t reg;
	uint32_t start, end;
	uint32_t hint;          /* a register that it is copied from or to */
	bool over_call;
};

struct allocation {
	const struct lir *lir;
	struct span *spans;     /* by start */
	size_t n_spans;
	uint8_t *place;         /* by virtual register - LIR_VIRTUAL */
	struct span *in[EBPF_MAX_REG];
	uint32_t slot_end[N_SLOTS];     /* position of its last mention */
	bool spills, keeps_scratch;
	int failed;
};

static bool
is_virtual(uint32_t reg)
{
	return reg != LIR_NO_REG && reg >= LIR_VIRTUAL;
}

/* Whether an instruction reads what its dst holds, and whether it writes it. */
static bool
reads_dst(const struct lir_insn *i)
{
	uint8_t class = EBPF_CLASS(i->insn.code);

	if (i->kind == LIR_LDDW || i->dst == LIR_NO_REG)
		return false;
	if (class == EBPF_ALU || class == EBPF_ALU64)
		return (i->insn.code & 0xf0) != EBPF_MOV;
	return class == EBPF_JMP || class == EBPF_JMP32;
}

static bool
writes_dst(const struct lir_insn *i)
{
	uint8_t class = EBPF_CLASS(i->insn.code);

	return i->kind == LIR_LDDW || (i->dst != LIR_NO_REG && class != EBPF_JMP &&
				       class != EBPF_JMP32);
}

static bool
is_move(const struct lir_insn *i)
{
	return i->kind == LIR_INSN && (i->insn.code == (EBPF_ALU | EBPF_MOV | EBPF_X) ||
				       i->insn.code == (EBPF_ALU64 | EBPF_MOV | EBPF_X));
}

/* Only R6 to R9 keep what they hold: over helpers, and over loads from packets. */
static bool
is_call(const struct lir_insn *i)
{
	return i->kind == LIR_INSN && (i->insn.code == (EBPF_JMP | EBPF_CALL) ||
				       (EBPF_CLASS(i->insn.code) == EBPF_LD &&
					((i->insn.code & 0xe0) == EBPF_ABS ||
					 (i->insn.code & 0xe0) == EBPF_IND)));
}

/* ---- spans ---- */

static void
mention(struct span *spans, uint32_t reg, uint32_t at)
{
	struct span *s;

	if (!is_virtual(reg))
		return;
	s = &spans[reg - LIR_VIRTUAL];
	if (s->reg == 0) {
		s->reg = reg;
		s->start = at;
		s->hint = LIR_NO_REG;
	}
	if (at > s->end)
		s->end = at;
}

static void
hint(struct span *spans, uint32_t reg, uint32_t other)
{
	if (is_virtual(reg) && spans[reg - LIR_VIRTUAL].hint == LIR_NO_REG)
		spans[reg - LIR_VIRTUAL].hint = other;
}

static void
find_spans(struct allocation *a)
{
	const struct lir *lir = a->lir;

	for (size_t i = 0; i < lir->n; i++) {
		const struct lir_insn *insn = &lir->insns[i];
		uint32_t at = 2 * (uint32_t)i;

		if (insn->kind == LIR_LABEL)
			continue;
		mention(a->spans, insn->src, at);
		if (reads_dst(insn))
			mention(a->spans, insn->dst, at);
		if (writes_dst(insn))
			mention(a->spans, insn->dst, at + 1);
		if (is_move(insn)) {
			hint(a->spans, insn->dst, insn->src);
			/* what goes to a register of its own at its end may be there before */
			if (!is_virtual(insn->dst) || !is_virtual(insn->src))
				hint(a->spans, insn->src, insn->dst);
		}
	}
}

/* Spans that are needed after a call, or by its arguments. */
static void
find_calls(struct allocation *a)
{
	const struct lir *lir = a->lir;
	uint32_t *calls = malloc((lir->n + 1) * sizeof(*calls)), n = 0, first = 0;

	if (calls == NULL) {
		a->failed = -ENOMEM;
		return;
	}
	/* pairs: where the arguments begin, and the call */
	for (size_t i = 0; i < lir->n; i++) {
		if (lir->insns[i].before_call)
			first = 2 * (uint32_t)i;
		if (is_call(&lir->insns[i])) {
			calls[n++] = first;
			calls[n++] = 2 * (uint32_t)i;
		}
	}
	for (size_t s = 0; s < a->n_spans && n > 0; s++) {
		struct span *span = &a->spans[s];
		size_t lo = 0, hi = n / 2;

		/* the first call that begins after the span does */
		while (lo < hi) {
			size_t mid = (lo + hi) / 2;

			if (calls[2 * mid + 1] > span->start)
				hi = mid;
			else
				lo = mid + 1;
		}
		span->over_call = lo < n / 2 && span->end >= calls[2 * lo];
	}
	free(calls);
}

static int
by_start(const void *x, const void *y)
{
	const struct span *a = x, *b = y;

	return (a->start > b->start) - (a->start < b->start);
}

static void
sort_spans(struct allocation *a)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n_spans; i++) {
		if (a->spans[i].reg != 0)
			a->spans[n++] = a->spans[i];
	}
	a->n_spans = n;
	qsort(a->spans, n, sizeof(*a->spans), by_start);
}

/* ---- places ---- */

static bool
is_free(const struct allocation *a, unsigned reg, uint32_t start)
{
	return a->in[reg] == NULL || a->in[reg]->end < start;
}

/* The program's arguments are in R1 and R2 until they have been taken over. */
static bool
may_take(const struct allocation *a, const struct span *s, unsigned reg)
{
	if (a->lir->pins_ctx && reg == EBPF_R6)
		return false;
	if (a->keeps_scratch && (reg == SCRATCH_DST || reg == SCRATCH_SRC))
		return false;
	if (s->over_call && (reg < EBPF_R6 || reg > EBPF_R9))
		return false;
	if (s->start <= 3 && (reg == EBPF_R1 || reg == EBPF_R2))
		return s->hint == reg;
	return true;
}

static unsigned
hinted(const struct allocation *a, const struct span *s)
{
	uint32_t reg = s->hint;

	if (is_virtual(reg))
		reg = a->place[reg - LIR_VIRTUAL];
	return reg < EBPF_R10 ? reg : EBPF_R10;
}

/* What leaves its register is on the stack from its start on, which is past. */
static void
to_stack(struct allocation *a, const struct span *s)
{
	a->spills = true;
	for (unsigned slot = 0; slot < N_SLOTS; slot++) {
		if (a->slot_end[slot] >= s->start)
			continue;
		a->slot_end[slot] = s->end;
		a->place[s->reg - LIR_VIRTUAL] = (uint8_t)(PLACE_STACK + slot);
		return;
	}
	a->failed = OPT_GIVE_UP;
}

static void
put_in(struct allocation *a, struct span *s, unsigned reg)
{
	a->in[reg] = s;
	a->place[s->reg - LIR_VIRTUAL] = (uint8_t)reg;
}

/* R0 to R5 first: what is callee-saved costs a prologue. */
static void
place(struct allocation *a, struct span *s)
{
	static const uint8_t preferred[] = { EBPF_R0, EBPF_R3, EBPF_R4, EBPF_R5, EBPF_R2,
					     EBPF_R1, EBPF_R6, EBPF_R7, EBPF_R8, EBPF_R9 };
	unsigned reg = hinted(a, s), longest = EBPF_R10;

	if (reg < EBPF_R10 && may_take(a, s, reg) && is_free(a, reg, s->start)) {
		put_in(a, s, reg);
		return;
	}
	for (size_t i = 0; i < sizeof(preferred); i++) {
		reg = preferred[i];
		if (!may_take(a, s, reg))
			continue;
		if (is_free(a, reg, s->start)) {
			put_in(a, s, reg);
			return;
		}
		if (longest == EBPF_R10 || a->in[reg]->end > a->in[longest]->end)
			longest = reg;
	}
	if (longest == EBPF_R10 || a->in[longest]->end <= s->end) {
		to_stack(a, s);
		return;
	}
	to_stack(a, a->in[longest]);
	put_in(a, s, longest);
}

static void
place_all(struct allocation *a)
{
	memset(a->place, PLACE_NONE, a->lir->n_regs - LIR_VIRTUAL);
	memset(a->in, 0, sizeof(a->in));
	memset(a->slot_end, 0, sizeof(a->slot_end));
	a->spills = false;
	a->failed = 0;
	for (size_t i = 0; i < a->n_spans && a->failed == 0; i++)
		place(a, &a->spans[i]);
}

static void
allocate(struct allocation *a)
{
	size_t n = a->lir->n_regs - LIR_VIRTUAL;

	a->n_spans = n;
	a->spans = calloc(n + 1, sizeof(*a->spans));
	a->place = malloc(n + 1);
	if (a->spans == NULL || a->place == NULL) {
		a->failed = -ENOMEM;
		return;
	}
	find_spans(a);
	find_calls(a);
	if (a->failed != 0)
		return;
	sort_spans(a);
	place_all(a);
	if (a->spills) {
		a->keeps_scratch = true;
		place_all(a);
	}
}

/* ---- the program ---- */

static unsigned
place_of(const struct allocation *a, uint32_t reg)
{
	if (reg == LIR_NO_REG)
		return 0;
	return is_virtual(reg) ? a->place[reg - LIR_VIRTUAL] : reg;
}

static int16_t
slot_off(unsigned place)
{
	return (int16_t)(-8 * (int)(place - PLACE_STACK) - 8);
}

static void
emit_one(const struct allocation *a, const struct lir_insn *i, struct emit *e)
{
	unsigned dst = place_of(a, i->dst), src = place_of(a, i->src);
	struct ebpf_insn insn = i->insn;

	if (is_move(i) && dst == src)
		return;
	if (src >= PLACE_STACK) {
		unsigned to = is_move(i) && dst < PLACE_STACK ? dst : SCRATCH_SRC;

		emit(e, insn_ldx(EBPF_DW, (uint8_t)to, EBPF_R10, slot_off(src)));
		if (is_move(i) && dst < PLACE_STACK)
			return;
		src = SCRATCH_SRC;
	}
	if (dst >= PLACE_STACK && reads_dst(i))
		emit(e, insn_ldx(EBPF_DW, SCRATCH_DST, EBPF_R10, slot_off(dst)));
	insn.dst_reg = (dst >= PLACE_STACK ? SCRATCH_DST : dst) & 0xf;
	insn.src_reg = i->src != LIR_NO_REG ? src & 0xf : 0;
	if (i->label != EMIT_NO_LABEL)
		emit_jump(e, insn, i->label);
	else
		emit(e, insn);
	if (i->kind == LIR_LDDW)
		emit(e, (struct ebpf_insn){ .imm = (int32_t)i->high });
	if (dst >= PLACE_STACK && writes_dst(i))
		emit(e, insn_stx(EBPF_DW, EBPF_R10, slot_off(dst), SCRATCH_DST));
}

int
lir_emit(struct lir *lir, struct emit *e)
{
	struct allocation a = { .lir = lir };

	allocate(&a);
	for (size_t i = 0; i < lir->n && a.failed == 0; i++) {
		const struct lir_insn *insn = &lir->insns[i];

		e->origin = insn->origin;
		if (insn->kind == LIR_LABEL)
			emit_label(e, insn->label);
		else
			emit_one(&a, insn, e);
	}
	free(a.spans);
	free(a.place);
	return a.failed;
}
