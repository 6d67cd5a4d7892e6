/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rewriting instructions.
 *
 * All edits of a pass are made at once: where each slot goes is laid out
 * first, then displacements are carried over from the old places to the new,
 * into arrays of their own that replace the old ones only when each fits.  One
 * edit at a time would cost the length of the program for each; blinding makes
 * one for almost every instruction.
 */
#include "ebpf/patch.h"

#include "ebpf/err.h"
#include "ebpf/insn.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Longest result: what a program of EBPF_MAXINSNS grows to, and room. */
#define MAX_TEXT ((uint64_t)8 * EBPF_MAXINSNS)

/* Where the old slots go. */
struct layout {
	uint32_t *to;           /* by old slot, and the end; NOWHERE: inside an edit */
	uint8_t *is_second;     /* by old slot, and the end: half an instruction */
	uint32_t n;             /* new slots */
};

#define NOWHERE UINT32_MAX

/* Which field of an instruction says how far it goes. */
enum reach { REACH_NONE, REACH_OFF, REACH_IMM };

static enum reach
reach_of(const struct ebpf_insn *insn)
{
	int row = ebpf_op_of(insn);

	if (row < 0)
		return REACH_NONE;
	if (row == EBPF_OP_LDDW_FUNC)
		return REACH_IMM;
	switch ((enum ebpf_form)ebpf_ops[row].form) {
	case EBPF_FORM_JMP_K:
	case EBPF_FORM_JMP_X:
	case EBPF_FORM_JA:
		return REACH_OFF;
	case EBPF_FORM_JA32:
	case EBPF_FORM_CALL_LOCAL:
		return REACH_IMM;
	default:        /* of the forms, not of the rows: all others go to the next */
		return REACH_NONE;
	}
}

static int
out_of_memory(size_t n, struct ebpf_err *err)
{
	return ebpf_err_set(err, -ENOMEM, "program of %zu instructions: out of memory", n);
}

int
ebpf_text_init(struct ebpf_text *text, const struct ebpf_insn *insns, size_t n,
	       struct ebpf_err *err)
{
	text->insns = calloc(n, sizeof(*text->insns));
	text->origin = calloc(n, sizeof(*text->origin));
	if (text->insns == NULL || text->origin == NULL) {
		ebpf_text_destroy(text);
		return out_of_memory(n, err);
	}
	memcpy(text->insns, insns, n * sizeof(*insns));
	for (size_t i = 0; i < n; i++)
		text->origin[i] = (uint32_t)i;
	text->n = (uint32_t)n;
	return 0;
}

void
ebpf_text_destroy(struct ebpf_text *text)
{
	free(text->insns);
	free(text->origin);
	text->insns = NULL;
	text->origin = NULL;
}

/* ---- the layout ---- */

static int
layout_init(struct layout *l, const struct ebpf_text *text)
{
	l->to = calloc((size_t)text->n + 1, sizeof(*l->to));
	l->is_second = calloc((size_t)text->n + 1, sizeof(*l->is_second));
	if (l->to == NULL || l->is_second == NULL)
		return -ENOMEM;
	for (uint32_t pc = 0; pc < text->n; pc++) {
		if (ebpf_code_is_wide(text->insns[pc].code) && pc + 1 < text->n)
			l->is_second[++pc] = 1;
	}
	return 0;
}

static void
layout_destroy(struct layout *l)
{
	free(l->to);
	free(l->is_second);
}

static int
check_edits(const struct layout *l, const struct ebpf_text *text, const struct ebpf_edit *edits,
	    size_t n_edits, struct ebpf_err *err)
{
	uint64_t n = text->n;   /* new slots */

	for (size_t i = 0; i < n_edits; i++) {
		const struct ebpf_edit *e = &edits[i];
		bool in_order = i == 0 || (e->at > e[-1].at && e->at - e[-1].at >= e[-1].n_old);

		if (!in_order || e->at > text->n || e->n_old > text->n - e->at)
			return ebpf_err_set(err, -EINVAL,
					    "edit of %" PRIu32 " slots at %" PRIu32
					    ": out of order, or past the end",
					    e->n_old, e->at);
		if (l->is_second[e->at] || l->is_second[e->at + e->n_old])
			return ebpf_err_set(err, -EINVAL,
					    "edit of %" PRIu32 " slots at %" PRIu32
					    ": splits an instruction",
					    e->n_old, e->at);
		n = n - e->n_old + e->n_new;
		if (n > MAX_TEXT)
			return ebpf_err_set(err, -E2BIG,
					    "program of %" PRIu32 " slots grows past %" PRIu64, text->n,
					    MAX_TEXT);
	}
	if (n == 0)
		return ebpf_err_set(err, -EINVAL, "edits leave no instruction");
	return 0;
}

static void
lay_out(struct layout *l, const struct ebpf_text *text, const struct ebpf_edit *edits,
	size_t n_edits)
{
	const struct ebpf_edit *e = edits, *end = edits + n_edits;
	uint32_t pc = 0;

	l->n = 0;
	while (pc < text->n) {
		uint32_t n_old = 0;

		l->to[pc] = l->n;
		if (e < end && e->at == pc) {
			/* Inside a removal there is nothing to miss: on to what follows. */
			for (uint32_t i = 1; i < e->n_old; i++)
				l->to[pc + i] = e->n_new == 0 ? l->n : NOWHERE;
			l->n += e->n_new;
			n_old = e->n_old;
			e++;
		}
		if (n_old == 0) {
			l->n++;
			n_old = 1;
		}
		pc += n_old;
	}
	l->to[pc] = l->n;
	if (e < end)
		l->n += e->n_new;
}

/* ---- the new text ---- */

struct writer {
	const struct layout *l;
	const struct ebpf_text *old;
	struct ebpf_text text;  /* n slots so far */
	struct ebpf_err *err;
};

/*
 * Make the slot just written go where it went from the old one before `next`.
 */
static int
carry_over(struct writer *w, uint32_t next)
{
	struct ebpf_insn *insn = &w->text.insns[w->text.n - 1];
	enum reach reach = reach_of(insn);
	int64_t to = (int64_t)next + (reach == REACH_OFF ? insn->off : insn->imm), d;
	uint32_t pc = w->text.origin[w->text.n - 1];

	if (reach == REACH_NONE)
		return 0;
	if (to < 0 || to >= w->old->n)
		return ebpf_err_set(w->err, -EINVAL,
				    "insn %" PRIu32 ": jump to %" PRId64 ", but the program has %" PRIu32,
				    pc, to, w->old->n);
	if (w->l->is_second[to])
		return ebpf_err_set(w->err, -EINVAL,
				    "insn %" PRIu32 ": jump to %" PRId64
				    ", the second half of an instruction",
				    pc, to);
	if (w->l->to[to] == NOWHERE)
		return ebpf_err_set(w->err, -EINVAL,
				    "insn %" PRIu32 ": jump to %" PRId64 ", inside of what is replaced", pc,
				    to);
	d = (int64_t)w->l->to[to] - w->text.n;
	if (reach == REACH_OFF && (d < INT16_MIN || d > INT16_MAX))
		return ebpf_err_set(w->err, -ERANGE,
				    "insn %" PRIu32 ": jump of %" PRId64 " slots, limit is %d", pc, d,
				    INT16_MAX);
	if (reach == REACH_OFF)
		insn->off = (int16_t)d;
	else
		insn->imm = (int32_t)d;
	return 0;
}

static void
write_slot(struct writer *w, struct ebpf_insn insn, uint32_t origin)
{
	w->text.insns[w->text.n] = insn;
	w->text.origin[w->text.n] = origin;
	w->text.n++;
}

static int
write_edit(struct writer *w, const struct ebpf_edit *e)
{
	uint32_t at = e->at < w->old->n ? e->at : w->old->n - 1;

	for (uint32_t i = 0; i < e->n_new; i++)
		write_slot(w, e->insns[i], w->old->origin[at]);
	return e->takes_jump && e->n_new > 0 ? carry_over(w, e->at + e->n_old) : 0;
}

static int
write_text(struct writer *w, const struct ebpf_edit *edits, size_t n_edits)
{
	const struct ebpf_edit *e = edits, *end = edits + n_edits;
	uint32_t pc = 0;
	int rc = 0;

	while (rc == 0 && (pc < w->old->n || e < end)) {
		if (e < end && e->at == pc) {
			rc = write_edit(w, e);
			pc += e->n_old;
			if (e++->n_old > 0)
				continue;
		}
		if (rc == 0 && pc < w->old->n) {
			write_slot(w, w->old->insns[pc], w->old->origin[pc]);
			rc = carry_over(w, ++pc);
		}
	}
	return rc;
}

int
ebpf_patch(struct ebpf_text *text, const struct ebpf_edit *edits, size_t n_edits,
	   struct ebpf_err *err)
{
	struct layout l = { 0 };
	struct writer w = { .l = &l, .old = text, .err = err };
	int rc;

	if (layout_init(&l, text) < 0) {
		rc = out_of_memory(text->n, err);
		goto fail;
	}
	if ((rc = check_edits(&l, text, edits, n_edits, err)) < 0)
		goto fail;
	lay_out(&l, text, edits, n_edits);
	w.text.insns = calloc(l.n, sizeof(*w.text.insns));
	w.text.origin = calloc(l.n, sizeof(*w.text.origin));
	if (w.text.insns == NULL || w.text.origin == NULL) {
		rc = out_of_memory(l.n, err);
		goto fail;
	}
	if ((rc = write_text(&w, edits, n_edits)) < 0)
		goto fail;
	assert(w.text.n == l.n);
	layout_destroy(&l);
	ebpf_text_destroy(text);
	*text = w.text;
	return 0;
fail:
	ebpf_text_destroy(&w.text);
	layout_destroy(&l);
	return rc;
}

int
ebpf_patch_insn(struct ebpf_text *text, uint32_t at, const struct ebpf_insn *insns, uint32_t n_new,
		struct ebpf_err *err)
{
	struct ebpf_edit e = { .at = at, .n_old = 1, .n_new = n_new, .insns = insns };

	if (at < text->n && ebpf_code_is_wide(text->insns[at].code))
		e.n_old = 2;
	return ebpf_patch(text, &e, 1, err);
}
