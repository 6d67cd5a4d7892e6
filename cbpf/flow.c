/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flow graph: blocks, edges, their order, and who dominates whom.
 *
 * Dominators are found in one walk in order, since there are no cycles.  The
 * common dominator of two blocks is found over `skip`, an ancestor some way up
 * that all blocks of one depth have at the same depth: so a block with many
 * ways in costs the logarithm of its depth for each, and not its depth.
 */
#include "cbpf/opt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- making ---- */

static bool
grow(struct opt *o, void **array, size_t *cap, size_t n, size_t size)
{
	size_t new_cap = *cap > 0 ? 2 * *cap : 64;
	void *grown;

	if (n < *cap)
		return true;
	grown = realloc(*array, new_cap * size);
	if (grown == NULL) {
		o->failed = true;
		return false;
	}
	*array = grown;
	*cap = new_cap;
	return true;
}

uint32_t
opt_new_block(struct opt *o)
{
	void *blocks = o->blocks;

	if (o->failed || !grow(o, &blocks, &o->blocks_cap, o->n_blocks, sizeof(*o->blocks)))
		return OPT_NO_BLOCK;
	o->blocks = blocks;
	memset(&o->blocks[o->n_blocks], 0, sizeof(*o->blocks));
	o->blocks[o->n_blocks].first_in = OPT_NO_EDGE;
	o->blocks[o->n_blocks].place = OPT_NO_BLOCK;
	o->blocks[o->n_blocks].idom = OPT_NO_BLOCK;
	return (uint32_t)o->n_blocks++;
}

uint32_t
opt_new_edge(struct opt *o, uint32_t from, uint32_t to)
{
	void *edges = o->edges;

	if (o->failed || !grow(o, &edges, &o->edges_cap, o->n_edges, sizeof(*o->edges)))
		return OPT_NO_EDGE;
	o->edges = edges;
	o->edges[o->n_edges] = (struct opt_edge){ .from = from, .to = to,
						  .next_in = OPT_NO_EDGE };
	return (uint32_t)o->n_edges++;
}

void
opt_end_goto(struct opt *o, uint32_t block, uint32_t edge)
{
	uint32_t *edges = opt_alloc(o, 1, sizeof(*edges));
	struct opt_block *b = &o->blocks[block];

	if (edges == NULL)
		return;
	edges[0] = edge;
	b->end = OPT_END_GOTO;
	b->edges = edges;
	b->n_edges = 1;
	b->a = b->b = 0;
}

uint32_t
opt_ret_block(struct opt *o, uint32_t k)
{
	uint32_t value = opt_const(o, k), block;

	for (size_t i = o->n_blocks; i-- > 0;) {
		const struct opt_block *b = &o->blocks[i];

		if (b->end == OPT_END_RET && b->a == value && b->n_effects == 0 && b->n_phis == 0 &&
		    b->place != OPT_NO_BLOCK)
			return (uint32_t)i;
	}
	block = opt_new_block(o);
	if (block == OPT_NO_BLOCK)
		return block;
	o->blocks[block].end = OPT_END_RET;
	o->blocks[block].a = value;
	o->blocks[block].origin = o->origin;
	o->blocks[block].place = 0;     /* found again before the next opt_flow() */
	return block;
}

uint32_t
opt_through(const struct opt *o, uint32_t edge, uint32_t v)
{
	const struct opt_edge *e = &o->edges[edge];
	const struct opt_block *to = &o->blocks[e->to];

	if (o->values[v].op != OPT_PHI || o->values[v].k != e->to)
		return v;
	for (uint32_t i = 0; i < to->n_phis; i++) {
		if (to->phis[i] == v)
			return opt_real(o, e->args[i]);
	}
	return v;
}

bool
opt_has_effects(const struct opt_block *b)
{
	for (uint32_t i = 0; i < b->n_effects; i++) {
		if (b->effects[i].kind != OPT_EFFECT_NONE)
			return true;
	}
	return false;
}

bool
opt_same_way(const struct opt *o, uint32_t edge, uint32_t other)
{
	const struct opt_edge *x = &o->edges[edge], *y = &o->edges[other];

	if (x->to != y->to)
		return false;
	for (uint32_t i = 0; i < o->blocks[x->to].n_phis; i++) {
		if (opt_real(o, x->args[i]) != opt_real(o, y->args[i]))
			return false;
	}
	return true;
}

/* ---- order ---- */

/* An IF whose ways are one way, or whose outcome is known, is none. */
static void
settle_end(struct opt *o, uint32_t block)
{
	struct opt_block *b = &o->blocks[block];
	int outcome;

	if (b->end == OPT_END_RET || b->end == OPT_END_SWITCH || b->end == OPT_END_IF) {
		b->a = opt_real(o, b->a);
		b->b = opt_real(o, b->b);
	}
	if (b->end != OPT_END_IF)
		return;
	outcome = opt_decide(o, b->test, b->a, b->b);
	if (outcome >= 0)
		opt_end_goto(o, block, b->edges[outcome ? 0 : 1]);
	else if (opt_same_way(o, b->edges[0], b->edges[1]))
		opt_end_goto(o, block, b->edges[0]);
}

struct visit {
	uint32_t block;
	uint32_t next;          /* edges still to be looked at */
};

static bool
is_ret(const struct opt *o, uint32_t block)
{
	return o->blocks[block].end == OPT_END_RET;
}

/*
 * The edge looked at last leads to the block that comes next.  That is where a
 * test does not hold, unless the program ends there.
 */
static uint32_t
edge_at(const struct opt *o, const struct opt_block *b, uint32_t i)
{
	uint32_t last;

	if (b->end != OPT_END_IF)
		return b->edges[i];
	last = is_ret(o, o->edges[b->edges[1]].to) && !is_ret(o, o->edges[b->edges[0]].to) ? 0 : 1;
	return b->edges[i == 1 ? last : 1 - last];
}

/* Depth first, so that a block follows one that leads to it. */
static void
sort(struct opt *o, struct visit *stack)
{
	size_t n = 1, at = o->n_blocks;

	stack[0] = (struct visit){ 0, 0 };
	o->blocks[0].place = 0;
	settle_end(o, 0);
	while (n > 0) {
		struct visit *v = &stack[n - 1];
		struct opt_block *b = &o->blocks[v->block];
		uint32_t to;

		if (v->next == b->n_edges || b->end == OPT_END_RET) {
			o->order[--at] = v->block;
			n--;
			continue;
		}
		to = o->edges[edge_at(o, b, v->next++)].to;
		if (o->blocks[to].place != OPT_NO_BLOCK)
			continue;
		o->blocks[to].place = 0;
		settle_end(o, to);
		stack[n++] = (struct visit){ to, 0 };
	}
	o->n_order = o->n_blocks - at;
	memmove(o->order, o->order + at, o->n_order * sizeof(*o->order));
}

static void
link_edges(struct opt *o)
{
	for (size_t i = 0; i < o->n_order; i++)
		o->blocks[o->order[i]].place = (uint32_t)i;
	for (size_t i = o->n_order; i-- > 0;) {
		const struct opt_block *b = &o->blocks[o->order[i]];

		for (uint32_t j = b->end == OPT_END_RET ? 0 : b->n_edges; j-- > 0;) {
			struct opt_edge *e = &o->edges[b->edges[j]];
			struct opt_block *to = &o->blocks[e->to];

			e->from = o->order[i];
			e->next_in = to->first_in;
			to->first_in = b->edges[j];
			to->n_in++;
		}
	}
}

/* ---- dominators ---- */

void
opt_set_idom(struct opt *o, uint32_t block, uint32_t idom)
{
	struct opt_block *b = &o->blocks[block];
	const struct opt_block *up, *upper;

	b->idom = idom;
	if (idom == OPT_NO_BLOCK) {
		b->depth = 0;
		b->skip = block;
		return;
	}
	up = &o->blocks[idom];
	upper = &o->blocks[up->skip];
	b->depth = up->depth + 1;
	b->skip = up->depth - upper->depth == upper->depth - o->blocks[upper->skip].depth
			  ? upper->skip
			  : idom;
}

static uint32_t
ancestor(const struct opt *o, uint32_t block, uint32_t depth)
{
	while (o->blocks[block].depth > depth)
		block = o->blocks[o->blocks[block].skip].depth >= depth ? o->blocks[block].skip
									: o->blocks[block].idom;
	return block;
}

uint32_t
opt_common(const struct opt *o, uint32_t a, uint32_t b)
{
	if (o->blocks[a].depth > o->blocks[b].depth)
		a = ancestor(o, a, o->blocks[b].depth);
	else
		b = ancestor(o, b, o->blocks[a].depth);
	while (a != b) {
		bool skips = o->blocks[a].skip != o->blocks[b].skip;

		a = skips ? o->blocks[a].skip : o->blocks[a].idom;
		b = skips ? o->blocks[b].skip : o->blocks[b].idom;
	}
	return a;
}

bool
opt_dominates(const struct opt *o, uint32_t a, uint32_t b)
{
	return o->blocks[a].depth <= o->blocks[b].depth &&
	       ancestor(o, b, o->blocks[a].depth) == a;
}

static void
find_idom(struct opt *o, uint32_t block)
{
	const struct opt_block *b = &o->blocks[block];
	uint32_t idom = OPT_NO_BLOCK;

	for (uint32_t e = b->first_in; e != OPT_NO_EDGE; e = o->edges[e].next_in)
		idom = idom == OPT_NO_BLOCK ? o->edges[e].from
					    : opt_common(o, idom, o->edges[e].from);
	opt_set_idom(o, block, idom);
}

/* A block with one way in has no phis. */
static bool
drop_phis(struct opt *o)
{
	bool dropped = false;

	for (size_t i = 0; i < o->n_order; i++) {
		struct opt_block *b = &o->blocks[o->order[i]];

		if (b->n_in != 1 || b->n_phis == 0)
			continue;
		for (uint32_t j = 0; j < b->n_phis; j++)
			o->values[b->phis[j]].alias = opt_real(o, o->edges[b->first_in].args[j]);
		b->n_phis = 0;
		dropped = true;
	}
	return dropped;
}

/* More bytes than any packet has. */
#define TOO_MANY (1u << 31)

static void
settle_effect(const struct opt *o, struct opt_effect *e)
{
	uint32_t k;

	e->base = opt_real(o, e->base);
	if (e->kind != OPT_EFFECT_GUARD || !opt_is_const(o, e->base, &k))
		return;
	e->base = OPT_NONE;
	e->n = k < TOO_MANY && e->n < TOO_MANY - k ? e->n + k : TOO_MANY;
}

/* Aliases reach operands, so that values may be compared by their numbers. */
static void
settle_values(struct opt *o)
{
	for (size_t v = 1; v < o->n_values; v++) {
		struct opt_value *value = &o->values[v];

		if (value->op == OPT_CONST64)
			continue;
		if (value->a != 0)
			value->a = opt_real(o, value->a);
		if (value->b != 0)
			value->b = opt_real(o, value->b);
		opt_fold(o, (uint32_t)v);
	}
	for (size_t i = 0; i < o->n_order; i++) {
		struct opt_block *b = &o->blocks[o->order[i]];

		for (uint32_t j = 0; j < b->n_effects; j++)
			settle_effect(o, &b->effects[j]);
	}
}

/* Order blocks and link edges; whether phis were dropped, by which more ends may be settled. */
static bool
flow_once(struct opt *o, struct visit *stack)
{
	for (size_t i = 0; i < o->n_blocks; i++) {
		o->blocks[i].place = OPT_NO_BLOCK;
		o->blocks[i].first_in = OPT_NO_EDGE;
		o->blocks[i].n_in = 0;
	}
	sort(o, stack);
	link_edges(o);
	if (!drop_phis(o))
		return false;
	settle_values(o);
	return true;
}

int
opt_flow(struct opt *o)
{
	struct visit *stack;

	o->changed = false;
	o->order = opt_alloc(o, o->n_blocks + 1, sizeof(*o->order));
	stack = opt_alloc(o, o->n_blocks + 1, sizeof(*stack));
	if (o->failed)
		return -ENOMEM;
	while (flow_once(o, stack))
		;
	for (size_t i = 0; i < o->n_order; i++)
		find_idom(o, o->order[i]);
	return o->failed ? -ENOMEM : 0;
}

/* ---- uses ---- */

static void
use(uint32_t *uses, uint32_t v)
{
	if (v != OPT_NONE)
		uses[v]++;
}

/* What a phi's edges bring along. */
static void
use_args(const struct opt *o, uint32_t *uses, uint32_t phi)
{
	const struct opt_block *b = &o->blocks[o->values[phi].k];
	uint32_t at = 0;

	while (at < b->n_phis && b->phis[at] != phi)
		at++;
	if (at == b->n_phis)
		return;
	for (uint32_t e = b->first_in; e != OPT_NO_EDGE; e = o->edges[e].next_in)
		use(uses, opt_real(o, o->edges[e].args[at]));
}

static void
use_operands(const struct opt *o, uint32_t *uses, uint32_t v)
{
	const struct opt_value *value = &o->values[v];

	switch ((enum opt_op)value->op) {
	case OPT_CONST64:
		return;
	case OPT_PHI:
		use_args(o, uses, v);
		return;
	case OPT_WINDOW:
		use(uses, value->k);
		break;
	case OPT_TAGGED:
		use(uses, o->hlen);
		use(uses, o->end);
		use(uses, o->data);
		break;
	case OPT_LOAD:
	case OPT_RAW:
		use(uses, o->data);
		break;
	case OPT_FETCH:
		use(uses, value->a);
		return;
	default:
		break;
	}
	use(uses, value->a);
	use(uses, value->b);
}

static void
use_effects(const struct opt *o, const struct opt_block *b, uint32_t *uses)
{
	for (uint32_t i = 0; i < b->n_effects; i++) {
		const struct opt_effect *e = &b->effects[i];

		if (e->kind == OPT_EFFECT_NONE)
			continue;
		use(uses, e->base);
		if (e->kind == OPT_EFFECT_GUARD) {
			use(uses, o->hlen);
			use(uses, o->end);
			use(uses, o->end != OPT_NONE ? o->data : OPT_NONE);
		}
		if (e->kind == OPT_EFFECT_CALL)
			use(uses, o->ctx);
	}
}

uint32_t *
opt_count_uses(struct opt *o)
{
	uint32_t *uses = opt_alloc(o, o->n_values, sizeof(*uses));

	if (uses == NULL)
		return NULL;
	for (size_t i = 0; i < o->n_order; i++) {
		const struct opt_block *b = &o->blocks[o->order[i]];

		if (b->end != OPT_END_GOTO)
			use(uses, b->a);
		if (b->end == OPT_END_IF)
			use(uses, b->b);
		use_effects(o, b, uses);
	}
	/* operands, and what edges bring along, were made before their users */
	for (size_t v = o->n_values; v-- > 1;) {
		if (uses[v] > 0)
			use_operands(o, uses, (uint32_t)v);
	}
	return uses;
}
