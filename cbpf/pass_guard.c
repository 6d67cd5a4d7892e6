/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guards: those that earlier ones imply are dropped, and those that stay take
 * over what later ones ask for.
 *
 * A guard that fails ends the program with 0.  So it may ask for as many bytes
 * as every way from there either asks for too or, whatever the packet, ends
 * with 0: the verdict is the same, only earlier.  Where numbers are drawn,
 * guards keep their sizes: failing earlier would draw fewer.
 */
#include "cbpf/opt.h"

#include <errno.h>

/* No way from here gives anything but 0. */
#define ALL UINT32_MAX
/* How far a guard at a computed offset looks back, or ahead. */
#define MAX_STEPS 32

/* Bytes known to be there from a computed offset on. */
struct known {
	uint32_t base, n;
	const struct known *next;
};

struct guards {
	struct opt *o;
	uint32_t *needed;       /* by block: bytes that every way from its start asks for */
	uint32_t *there;        /* by block: bytes known at its end */
	const struct known **known;     /* likewise, from computed offsets */
};

/* ---- what is needed ---- */

static uint32_t
needed_after(const struct guards *g, const struct opt_block *b)
{
	uint32_t least = ALL, k;

	if (b->end == OPT_END_RET)
		return opt_is_const(g->o, b->a, &k) && k == 0 ? ALL : 0;
	for (uint32_t i = 0; i < b->n_edges; i++) {
		uint32_t n = g->needed[g->o->edges[b->edges[i]].to];

		least = n < least ? n : least;
	}
	return least;
}

static void
find_needed(struct guards *g)
{
	const struct opt *o = g->o;

	for (size_t i = o->n_order; i-- > 0;) {
		const struct opt_block *b = &o->blocks[o->order[i]];
		uint32_t n = needed_after(g, b);

		for (uint32_t j = 0; j < b->n_effects; j++) {
			const struct opt_effect *e = &b->effects[j];

			if (e->kind == OPT_EFFECT_GUARD && e->base == OPT_NONE && e->n > n)
				n = e->n;
		}
		g->needed[o->order[i]] = n;
	}
}

/* What an effect and all behind it in the block ask for. */
static uint32_t
needed_from(const struct guards *g, const struct opt_block *b, uint32_t effect)
{
	uint32_t n = needed_after(g, b);

	for (; effect < b->n_effects; effect++) {
		const struct opt_effect *e = &b->effects[effect];

		if (e->kind == OPT_EFFECT_GUARD && e->base == OPT_NONE && e->n > n)
			n = e->n;
	}
	return n;
}

/* The only way on that may give more than 0; OPT_NO_BLOCK: there are more. */
static uint32_t
only_way(const struct guards *g, const struct opt_block *b)
{
	uint32_t only = OPT_NO_BLOCK;

	for (uint32_t i = 0; b->end != OPT_END_RET && i < b->n_edges; i++) {
		uint32_t to = g->o->edges[b->edges[i]].to;

		if (g->needed[to] == ALL || to == only)
			continue;
		if (only != OPT_NO_BLOCK)
			return OPT_NO_BLOCK;
		only = to;
	}
	return only;
}

/* The same for a computed offset: along a way that is the only one. */
static uint32_t
needed_at(const struct guards *g, const struct opt_block *b, uint32_t effect)
{
	uint32_t base = b->effects[effect].base, n = 0, block;

	for (unsigned steps = 0; steps < MAX_STEPS; steps++) {
		for (; effect < b->n_effects && steps < MAX_STEPS; effect++, steps++) {
			const struct opt_effect *e = &b->effects[effect];

			if (e->kind == OPT_EFFECT_GUARD && e->base == base && e->n > n)
				n = e->n;
		}
		block = only_way(g, b);
		if (block == OPT_NO_BLOCK)
			break;
		b = &g->o->blocks[block];
		effect = 0;
	}
	return n;
}

/* ---- what is there ---- */

/* What a test of the packet's length says where it goes one way. */
static uint32_t
learned(const struct opt *o, const struct opt_edge *e)
{
	const struct opt_block *b = &o->blocks[e->from];
	bool holds = b->n_edges == 2 && &o->edges[b->edges[0]] == e;
	uint32_t k;

	if (b->end != OPT_END_IF || b->a != o->hlen || !opt_is_const(o, b->b, &k) || k >= INT32_MAX)
		return 0;
	if (b->test == EBPF_JGT && holds)
		return k + 1;
	if ((b->test == EBPF_JGE || b->test == EBPF_JEQ) && holds)
		return k;
	return 0;
}

static uint32_t
there_at_start(const struct guards *g, const struct opt_block *b)
{
	const struct opt *o = g->o;
	uint32_t least = UINT32_MAX;

	if (b->first_in == OPT_NO_EDGE)
		return 0;
	for (uint32_t e = b->first_in; e != OPT_NO_EDGE; e = o->edges[e].next_in) {
		uint32_t n = learned(o, &o->edges[e]);

		if (g->there[o->edges[e].from] > n)
			n = g->there[o->edges[e].from];
		least = n < least ? n : least;
	}
	return least;
}

static bool
is_there(const struct guards *g, const struct opt_effect *e, uint32_t there,
	 const struct known *known)
{
	const struct opt_value *base = &g->o->values[e->base];
	unsigned steps = 0;

	if (e->base == OPT_NONE)
		return e->n <= there;
	/* what is computed may be bounded; an address is none that the start's guard proves */
	if (g->o->end == OPT_NONE && base->op != OPT_WINDOW && (uint64_t)base->max + e->n <= there)
		return true;
	for (; known != NULL && steps < MAX_STEPS; known = known->next, steps++) {
		if (known->base == e->base && e->n <= known->n)
			return true;
	}
	return false;
}

static int
pass_block(struct guards *g, uint32_t block)
{
	struct opt *o = g->o;
	struct opt_block *b = &o->blocks[block];
	uint32_t there = there_at_start(g, b);
	const struct known *known = b->idom != OPT_NO_BLOCK ? g->known[b->idom] : NULL;

	for (uint32_t i = 0; i < b->n_effects; i++) {
		struct opt_effect *e = &b->effects[i];
		struct known *k;
		uint32_t n;

		if (e->kind != OPT_EFFECT_GUARD)
			continue;
		if (is_there(g, e, there, known)) {
			e->kind = OPT_EFFECT_NONE;
			continue;
		}
		if (!o->has_random) {
			n = e->base == OPT_NONE ? needed_from(g, b, i) : needed_at(g, b, i);
			e->n = n != ALL ? n : e->n;
		}
		if (e->base == OPT_NONE) {
			there = e->n;
			continue;
		}
		if ((k = opt_alloc(o, 1, sizeof(*k))) == NULL)
			return -ENOMEM;
		*k = (struct known){ e->base, e->n, known };
		known = k;
	}
	g->there[block] = there;
	g->known[block] = known;
	return 0;
}

/* ---- ways that give 0 ---- */

/* Those lead straight to it; no call is seen from outside but the drawing of numbers. */
static int
shorten(struct guards *g)
{
	struct opt *o = g->o;
	uint32_t zero = OPT_NO_BLOCK;

	for (size_t i = 0; i < o->n_order && !o->has_random; i++) {
		const struct opt_block *b = &o->blocks[o->order[i]];

		for (uint32_t j = 0; b->end != OPT_END_RET && j < b->n_edges; j++) {
			uint32_t edge = b->edges[j], to = o->edges[edge].to;

			if (g->needed[to] != ALL || (o->blocks[to].end == OPT_END_RET &&
						      o->blocks[to].n_effects == 0))
				continue;
			if (zero == OPT_NO_BLOCK && (zero = opt_ret_block(o, 0)) == OPT_NO_BLOCK)
				return -ENOMEM;
			b = &o->blocks[o->order[i]];
			o->edges[edge].to = zero;
			o->changed = true;
		}
	}
	return 0;
}

int
opt_pass_guard(struct opt *o)
{
	struct guards g = { .o = o };
	int rc = 0;

	g.needed = opt_alloc(o, o->n_blocks, sizeof(*g.needed));
	g.there = opt_alloc(o, o->n_blocks, sizeof(*g.there));
	g.known = opt_alloc(o, o->n_blocks, sizeof(*g.known));
	if (o->failed)
		return -ENOMEM;
	find_needed(&g);
	for (size_t i = 0; i < o->n_order && rc == 0; i++)
		rc = pass_block(&g, o->order[i]);
	return rc < 0 ? rc : shorten(&g);
}
