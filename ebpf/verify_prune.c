/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pruning: a path may end at a join where an earlier one, followed to all its
 * ends, was at least as permissive.
 *
 * Numbers are compared only as far as they mattered for safety: each register
 * knows from which of the last checkpoint's registers and slots it was
 * computed (deps); where its number is relied on (an offset, a size, a branch
 * that can go one way only) those are marked precise there, and through their
 * own deps in the checkpoints before.  So the marks of a checkpoint are final
 * once it is complete, and only complete ones end a path, with one exception:
 * at may_goto, whose budget ends any loop, coming back within an unfinished
 * checkpoint's state ends the path too; all on the way there then counts as
 * precise.
 */
#include "ebpf/verify_prune.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

/* A state is kept only so far from the last one: comparing costs too. */
enum { MIN_INSNS = 8, MIN_JUMPS = 2 };

/* A loop without end is found if it comes back to one of so many states. */
enum { MAX_ANCESTORS = 16 };

/* ---- marks ---- */

static struct ebpf_reg *
slot_reg(struct ebpf_frame *f, unsigned n)
{
	return n < f->n_slots && f->slots[n].n_spilled > 0 ? &f->slots[n].reg : NULL;
}

static void
mark(struct ebpf_reg *r, struct ebpf_deps *before)
{
	if (r == NULL || r->kind != EBPF_REG_SCALAR || r->is_precise)
		return;
	r->is_precise = true;
	ebpf_deps_add(before, &r->deps);
}

static void
mark_any(struct ebpf_reg *r, void *arg)
{
	(void)arg;
	if (r->kind == EBPF_REG_SCALAR)
		r->is_precise = true;
}

static void
mark_all_from(struct checkpoint *c)
{
	for (; c != NULL && !c->all_precise; c = c->parent) {
		ebpf_state_each(&c->state, mark_any, NULL);
		c->all_precise = true;
	}
}

void
ebpf_walk_precise(struct walk *w, const struct ebpf_reg *r)
{
	struct ebpf_deps deps = r->deps;

	for (struct checkpoint *c = w->state.parent; c != NULL; c = c->parent) {
		struct ebpf_deps before = { 0 };
		struct ebpf_frame *f;

		if (deps.all) {
			mark_all_from(c);
			return;
		}
		if (deps.regs == 0 && deps.slots == 0)
			return;
		f = c->state.frames[deps.frame];
		for (unsigned n = 0; n < EBPF_R10; n++) {
			if ((deps.regs >> n & 1) != 0)
				mark(&f->regs[n], &before);
		}
		for (unsigned n = 0; n < EBPF_N_SLOTS; n++) {
			if ((deps.slots >> n & 1) != 0)
				mark(slot_reg(f, n), &before);
		}
		deps = before;
	}
}

/* What mattered when the kept state was followed matters of this one as well. */
static void
pass_marks(struct walk *w, const struct checkpoint *c)
{
	for (unsigned i = 0; i < c->state.n_frames; i++) {
		const struct ebpf_frame *kept = c->state.frames[i];
		struct ebpf_frame *f = w->state.frames[i];

		for (unsigned n = 0; n < EBPF_R10; n++) {
			if (kept->regs[n].is_precise)
				ebpf_walk_precise(w, &f->regs[n]);
		}
		for (unsigned n = 0; n < kept->n_slots; n++) {
			if (kept->slots[n].n_spilled > 0 && kept->slots[n].reg.is_precise &&
			    n < f->n_slots)
				ebpf_walk_precise(w, &f->slots[n].reg);
		}
	}
}

/* ---- checkpoints ---- */

static void
checkpoint_free(struct walk *w, struct checkpoint *c)
{
	ebpf_state_clear(&c->state);
	free(c);
	w->n_checkpoints--;
}

static void
drop(struct walk *w, struct checkpoint **at)
{
	struct checkpoint *c = *at;

	*at = c->next;
	checkpoint_free(w, c);
}

static void
reset_marks(struct ebpf_reg *r, void *arg)
{
	(void)arg;
	r->is_precise = false;
}

static int
keep(struct walk *w)
{
	struct checkpoint *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return ebpf_walk_no_memory(w);
	if (!ebpf_state_copy(&c->state, &w->state)) {
		free(c);
		return ebpf_walk_no_memory(w);
	}
	ebpf_state_each(&c->state, reset_marks, NULL);
	c->n_branches = 1;
	c->parent = w->state.parent;
	c->next = w->checkpoints[w->state.pc].unfinished;
	w->checkpoints[w->state.pc].unfinished = c;
	if (++w->n_checkpoints > w->result.n_states)
		w->result.n_states = w->n_checkpoints;
	ebpf_state_reset_deps(&w->state);
	w->state.parent = c;
	w->state.n_insns = w->state.n_jumps = 0;
	return 0;
}

void
ebpf_prune_end_path(struct walk *w)
{
	struct checkpoint *c = w->state.parent;

	while (c != NULL && --c->n_branches == 0) {
		uint32_t pc = c->state.pc;

		/* Younger ones of this slot came after it and were complete before. */
		assert(w->checkpoints[pc].unfinished == c);
		w->checkpoints[pc].unfinished = c->next;
		c->next = w->checkpoints[pc].complete;
		w->checkpoints[pc].complete = c;
		c = c->parent;
	}
}

static void
free_list(struct walk *w, struct checkpoint *c)
{
	while (c != NULL) {
		struct checkpoint *next = c->next;

		checkpoint_free(w, c);
		c = next;
	}
}

void
ebpf_prune_free(struct walk *w)
{
	for (uint32_t pc = 0; w->checkpoints != NULL && pc < w->flow.n_insns; pc++) {
		free_list(w, w->checkpoints[pc].complete);
		free_list(w, w->checkpoints[pc].unfinished);
	}
	free(w->checkpoints);
}

/* ---- may_goto ---- */

/* A loop that may_goto ends: what changes from turn to turn and did not matter is anything. */
static void
widen_reg(struct ebpf_reg *r, const struct ebpf_reg *kept)
{
	struct ebpf_deps deps = r->deps;

	if (r->kind != EBPF_REG_SCALAR || kept->kind != EBPF_REG_SCALAR || kept->is_precise ||
	    r->rel.kind != EBPF_RELATION_NONE || ebpf_scalar_contains(&kept->var, &r->var))
		return;
	ebpf_reg_set_scalar(r, ebpf_scalar_unknown());
	r->deps = deps;
}

static void
widen(struct walk *w, const struct checkpoint *c)
{
	const struct ebpf_frame *kept = ebpf_state_frame(&c->state);
	struct ebpf_frame *f = ebpf_state_frame(&w->state);

	for (unsigned n = 0; n < EBPF_R10; n++)
		widen_reg(&f->regs[n], &kept->regs[n]);
	for (unsigned n = 0; n < kept->n_slots && n < f->n_slots; n++) {
		if (kept->slots[n].n_spilled == 8 && f->slots[n].n_spilled == 8)
			widen_reg(&f->slots[n].reg, &kept->slots[n].reg);
	}
}

/* ---- comparing ---- */

static void
live_registers(const struct walk *w, uint16_t live[EBPF_MAX_FRAMES])
{
	const struct ebpf_verify_state *s = &w->state;

	for (unsigned i = 0; i + 1 < s->n_frames; i++)
		live[i] = w->flow.live[s->frames[i + 1]->return_to] & (uint16_t)~0x3fu;
	live[s->n_frames - 1] = w->flow.live[s->pc];
}

/* Against an unfinished checkpoint, an ancestor: *known, or -ELOOP. */
static int
compare_ancestor(struct walk *w, struct checkpoint *c, const uint16_t *live, bool *known)
{
	bool is_may_goto = ebpf_op_of(&w->insns[w->state.pc]) == EBPF_OP_MAY_GOTO;

	if (is_may_goto && c->state.n_frames == w->state.n_frames &&
	    c->state.n_may_goto != w->state.n_may_goto) {
		if (!w->env->exact)
			widen(w, c);
		if (ebpf_state_covers(&c->state, &w->state, live, true)) {
			mark_all_from(w->state.parent);
			*known = true;
		}
		return 0;
	}
	if (c->state.n_may_goto == w->state.n_may_goto &&
	    ebpf_state_covers(&c->state, &w->state, live, true) &&
	    ebpf_state_covers(&w->state, &c->state, live, true))
		return ebpf_walk_refuse(w, -ELOOP, "loop without end: nothing changes from turn to turn");
	return 0;
}

/* Of little use. */
static bool
is_worn_out(const struct checkpoint *c)
{
	return c->n_misses > 3 * c->n_hits + 64;
}

static bool
compare_complete(struct walk *w, const uint16_t *live)
{
	struct checkpoint **at = &w->checkpoints[w->state.pc].complete;

	while (*at != NULL) {
		struct checkpoint *c = *at;

		if (ebpf_state_covers(&c->state, &w->state, live, w->env->exact)) {
			pass_marks(w, c);
			c->n_hits++;
			return true;
		}
		c->n_misses++;
		if (is_worn_out(c))
			drop(w, at);
		else
			at = &c->next;
	}
	return false;
}

int
ebpf_prune(struct walk *w, bool *known)
{
	uint32_t pc = w->state.pc;
	uint16_t live[EBPF_MAX_FRAMES];
	bool is_may_goto = ebpf_op_of(&w->insns[pc]) == EBPF_OP_MAY_GOTO;
	struct checkpoint *c = w->checkpoints[pc].unfinished;
	int rc;

	*known = false;
	live_registers(w, live);
	for (unsigned n = 0; c != NULL && n < MAX_ANCESTORS; n++, c = c->next) {
		if ((rc = compare_ancestor(w, c, live, known)) < 0 || *known)
			return rc;
	}
	if (compare_complete(w, live)) {
		*known = true;
		return 0;
	}
	if (w->state.parent != NULL && !is_may_goto &&
	    (w->state.n_insns < MIN_INSNS || w->state.n_jumps < MIN_JUMPS))
		return 0;
	return keep(w);
}
