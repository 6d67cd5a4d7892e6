/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two tests of one value, against a lower and an upper limit, that go the same
 * way outside of them are one: the distance from the lower limit, modulo 2^32,
 * is at most that of the upper one.
 *
 * Few packets are in a range, but half of them may be below it: a processor
 * predicts one branch for the range well, and neither of the two.
 */
#include "cbpf/opt.h"

#include <errno.h>

/* What a value is on one way of a test, one of an upper or a lower limit. */
struct interval {
	uint32_t first, last;
};

/* The values that take edge 0 or 1 of a test; false: they are no such interval, or none. */
static bool
interval_of(const struct opt *o, const struct opt_block *b, unsigned edge, struct interval *i)
{
	uint32_t k;

	if (b->end != OPT_END_IF || (b->test != EBPF_JGT && b->test != EBPF_JGE) ||
	    !opt_is_const(o, opt_real(o, b->b), &k) || (b->test == EBPF_JGT && k == UINT32_MAX))
		return false;
	k += b->test == EBPF_JGT;       /* the least that takes edge 0 */
	*i = edge == 0 ? (struct interval){ k, UINT32_MAX } : (struct interval){ 0, k - 1 };
	return k != 0;
}

/* End a block by asking whether its value is in an interval. */
static void
set_test(struct opt *o, struct opt_block *b, const struct interval *i, uint32_t inside,
	 uint32_t outside)
{
	uint32_t length = i->last - i->first;
	uint32_t distance = opt_alu(o, OPT_SUB, opt_real(o, b->a), opt_const(o, i->first));
	uint32_t limit = opt_const(o, length);

	if (o->failed)
		return;
	b->end = OPT_END_IF;
	b->test = EBPF_JGT;
	b->a = distance;
	b->b = limit;
	b->edges[0] = outside;
	b->edges[1] = inside;
	b->n_edges = 2;
	o->changed = true;
}

/* Where both go on by edges `on` and `on2`, take the next block's test into this one's. */
static bool
join(struct opt *o, struct opt_block *b, unsigned on, unsigned on2)
{
	struct opt_edge *way = &o->edges[b->edges[on]];
	struct opt_block *next = &o->blocks[way->to];
	struct interval i, i2;
	uint32_t other = b->edges[!on];

	if (!interval_of(o, b, on, &i) || !interval_of(o, next, on2, &i2) ||
	    opt_real(o, b->a) != opt_real(o, next->a) ||
	    !opt_same_way(o, other, next->edges[!on2]))
		return false;
	if (i2.first > i.first)
		i.first = i2.first;
	if (i2.last < i.last)
		i.last = i2.last;
	if (i.first == 0 || i.last == UINT32_MAX || i.first > i.last)
		return false;
	/* the way on is that of the second test; it is left without a way in */
	way->to = o->edges[next->edges[on2]].to;
	way->args = o->edges[next->edges[on2]].args;
	next->n_in = 0;
	set_test(o, b, &i, b->edges[on], other);
	return true;
}

/* A search that finds a range, or one side of it, is such a test too. */
static void
search_to_test(struct opt *o, struct opt_block *b)
{
	const struct opt_range *r = b->ranges;
	struct interval i;

	if (b->end != OPT_END_SWITCH || b->n_ranges != 3 ||
	    !opt_same_way(o, b->edges[r[0].edge], b->edges[r[2].edge]))
		return;
	i = (struct interval){ r[0].last + 1, r[1].last };
	set_test(o, b, &i, b->edges[r[1].edge], b->edges[r[0].edge]);
}

static void
join_next(struct opt *o, uint32_t block)
{
	struct opt_block *b = &o->blocks[block];

	if (b->end != OPT_END_IF)
		return;
	for (unsigned ways = 0; ways < 4; ways++) {
		const struct opt_block *next = &o->blocks[o->edges[b->edges[ways & 1]].to];

		if (next->end == OPT_END_IF && next->n_in == 1 && !opt_has_effects(next) &&
		    join(o, b, ways & 1, ways >> 1))
			return;
	}
}

int
opt_pass_range(struct opt *o)
{
	for (size_t i = 0; i < o->n_order && !o->failed; i++) {
		search_to_test(o, &o->blocks[o->order[i]]);
		join_next(o, o->order[i]);
	}
	return o->failed ? -ENOMEM : 0;
}
