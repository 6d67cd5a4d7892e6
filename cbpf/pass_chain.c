/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests of one value against one constant after the other become one search
 * over ranges of numbers, in which each number goes where the tests together
 * would send it: the first that says so decides.
 *
 * Blocks of a chain have no effects.  One that has phis is taken in only if
 * nothing outside the chain uses them, since the search leads past it.
 *
 * Where most numbers of a large set of words begin with the same half, that
 * half is looked up first, and the other half among those that begin with it.
 */
#include "cbpf/opt.h"

#include <errno.h>
#include <stdlib.h>

#define MIN_TESTS 4
/* The same where blocks have phis, which a search does away with. */
#define MIN_TESTS_OF_PHIS 2
/* Phis of a chain's blocks that are kept track of. */
#define MAX_PHIS 32
/* Ends of a chain that are looked at for one like a new one. */
#define MAX_LOOKS 8
/* Numbers to a half from which on halves are looked up one after the other. */
#define PER_HALF 4

struct single {
	uint32_t k, edge, nth;  /* nth: of the tests, for the first one counts */
};

struct chain {
	struct opt *o;
	const uint32_t *uses;
	uint32_t head, value;
	uint32_t *blocks;       /* the head first */
	uint32_t *ways;         /* the edge from each to the next one */
	size_t n;
	struct { uint32_t phi, arg, seen; size_t at; } phis[MAX_PHIS];
	size_t n_phis;
	/* What the tests say: single numbers, and ranges that all numbers are in. */
	struct single *singles;
	struct opt_range *cuts;
	size_t n_singles, n_cuts;
	uint32_t *edges;
	size_t n_edges;
	uint64_t budget;        /* blocks that all chains together may take */
};

/* ---- the walk ---- */

static uint32_t
resolve(const struct chain *c, uint32_t v)
{
	v = opt_real(c->o, v);
	for (size_t i = c->n_phis; i-- > 0;) {
		if (c->phis[i].phi == v)
			return c->phis[i].arg;
	}
	return v;
}

static bool
is_link(const struct chain *c, const struct opt_block *b)
{
	uint32_t k;

	if (b->end != OPT_END_IF || b->test == EBPF_JSET || !opt_is_const(c->o, b->b, &k))
		return false;
	for (uint32_t i = 0; i < b->n_effects; i++) {
		if (b->effects[i].kind != OPT_EFFECT_NONE)
			return false;
	}
	return true;
}

/* The phis of an edge's target get what the edge brings along; false: too many. */
static bool
take_phis(struct chain *c, uint32_t edge)
{
	const struct opt_edge *e = &c->o->edges[edge];
	const struct opt_block *to = &c->o->blocks[e->to];

	if (to->n_phis > MAX_PHIS - c->n_phis)
		return false;
	for (uint32_t i = 0; i < to->n_phis; i++) {
		uint32_t arg = resolve(c, e->args[i]);

		c->phis[c->n_phis].phi = to->phis[i];
		c->phis[c->n_phis].arg = arg;
		c->phis[c->n_phis].at = c->n;
		c->phis[c->n_phis].seen = 0;
		c->n_phis++;
	}
	return true;
}

/* The edge on which a block's test leaves most open; OPT_NO_EDGE: it leads out. */
static uint32_t
way_on(struct chain *c, const struct opt_block *b)
{
	size_t n_phis = c->n_phis;

	for (uint32_t i = 2; i-- > 0;) {
		uint32_t edge = b->edges[i];
		const struct opt_block *to = &c->o->blocks[c->o->edges[edge].to];

		if (i == 0 && b->test == EBPF_JEQ)
			break;
		if (!is_link(c, to) || !take_phis(c, edge))
			continue;
		if (resolve(c, to->a) == c->value)
			return edge;
		c->n_phis = n_phis;
	}
	return OPT_NO_EDGE;
}

static void
walk(struct chain *c)
{
	const struct opt_block *b = &c->o->blocks[c->head];
	uint32_t edge;

	c->n = 0;
	c->n_phis = 0;
	c->blocks[c->n++] = c->head;
	while (c->budget > 0 && (edge = way_on(c, b)) != OPT_NO_EDGE) {
		c->ways[c->n - 1] = edge;
		c->blocks[c->n++] = c->o->edges[edge].to;
		c->budget--;
		b = &c->o->blocks[c->o->edges[edge].to];
	}
}

/* ---- phis that others use ---- */

/* A use of a phi that was taken in not before the block at from. */
static void
see(struct chain *c, uint32_t v, size_t from)
{
	for (size_t i = 0; i < c->n_phis; i++) {
		if (c->phis[i].phi == v && c->phis[i].at >= from)
			c->phis[i].seen++;
	}
}

static void
see_block(struct chain *c, const struct opt_block *b, size_t from)
{
	see(c, b->a, from);
	for (uint32_t i = 0; i < b->n_edges; i++) {
		const struct opt_edge *e = &c->o->edges[b->edges[i]];
		const struct opt_block *to = &c->o->blocks[e->to];

		for (uint32_t j = 0; j < to->n_phis; j++) {
			if (c->uses[to->phis[j]] > 0)
				see(c, opt_real(c->o, e->args[j]), from);
		}
	}
}

/*
 * The chain ends before a block whose phis are used outside of it.  Outside is
 * also what has other ways in: it stays, and is entered from the chain too.
 */
static void
shorten(struct chain *c)
{
	bool is_shorter = c->n_phis > 0;

	while (is_shorter) {
		is_shorter = false;
		for (size_t i = 0; i < c->n_phis; i++)
			c->phis[i].seen = 0;
		for (size_t i = 1, from = 1; i < c->n; i++) {
			const struct opt_block *b = &c->o->blocks[c->blocks[i]];

			from = b->n_in == 1 ? from : i;
			see_block(c, b, from);
		}
		for (size_t i = 0; i < c->n_phis; i++) {
			if (c->phis[i].seen == c->uses[c->phis[i].phi])
				continue;
			c->n = c->phis[i].at;
			while (c->n_phis > 0 && c->phis[c->n_phis - 1].at >= c->n)
				c->n_phis--;
			is_shorter = true;
			break;
		}
	}
}

/* ---- where numbers go ---- */

static bool
is_same_way(const struct chain *c, const struct opt_edge *mine, const struct opt_edge *its)
{
	if (mine->to != its->to)
		return false;
	for (uint32_t i = 0; i < c->o->blocks[its->to].n_phis; i++) {
		if (opt_real(c->o, mine->args[i]) != resolve(c, its->args[i]))
			return false;
	}
	return true;
}

/* The head's own edge, its index, that leads where a block's edge leads. */
static uint32_t
edge_like(struct chain *c, uint32_t edge)
{
	struct opt *o = c->o;
	uint32_t n_phis = o->blocks[o->edges[edge].to].n_phis, mine;

	for (size_t i = c->n_edges; i-- > 0 && c->n_edges - i <= MAX_LOOKS;) {
		if (is_same_way(c, &o->edges[c->edges[i]], &o->edges[edge]))
			return (uint32_t)i;
	}
	mine = opt_new_edge(o, c->head, o->edges[edge].to);
	if (mine == OPT_NO_EDGE)
		return 0;
	o->edges[mine].args = n_phis > 0 ? opt_alloc(o, n_phis, sizeof(uint32_t)) : NULL;
	for (uint32_t i = 0; i < n_phis && !o->failed; i++)
		o->edges[mine].args[i] = resolve(c, o->edges[edge].args[i]);
	c->edges[c->n_edges] = mine;
	return (uint32_t)c->n_edges++;
}

static void
cut(struct chain *c, int64_t last, uint32_t edge)
{
	c->cuts[c->n_cuts++] = (struct opt_range){ (uint32_t)last, edge_like(c, edge) };
}

static void
take_single(struct chain *c, uint32_t k, uint32_t edge)
{
	c->singles[c->n_singles] = (struct single){ k, edge_like(c, edge),
						    (uint32_t)c->n_singles };
	c->n_singles++;
}

/* Of all numbers each test takes some away; first ... last are left. */
static void
read_tests(struct chain *c)
{
	struct opt *o = c->o;
	int64_t first = 0, last = UINT32_MAX;

	for (size_t i = 0; i < c->n && first <= last; i++) {
		const struct opt_block *b = &o->blocks[c->blocks[i]];
		/* the edges are looked up before others are made, which moves them */
		uint32_t yes = b->edges[0], no = b->edges[1];
		bool goes_on_yes = i + 1 < c->n && c->ways[i] == yes;
		int64_t k = o->values[b->b].k, above = b->test == EBPF_JGT ? k + 1 : k;

		if (b->test == EBPF_JEQ) {
			if (k >= first && k <= last)
				take_single(c, (uint32_t)k, yes);
			continue;
		}
		/* it holds for numbers from above on */
		if (goes_on_yes && above > first) {
			above = above <= last ? above : last + 1;
			cut(c, above - 1, no);
			first = above;
		} else if (!goes_on_yes && above <= last) {
			above = above >= first ? above : first;
			cut(c, last, yes);
			last = above - 1;
		}
	}
	if (first <= last)
		cut(c, last, o->blocks[c->blocks[c->n - 1]].edges[1]);
}

static int
by_last(const void *x, const void *y)
{
	const struct opt_range *a = x, *b = y;

	return (a->last > b->last) - (a->last < b->last);
}

static int
by_number(const void *x, const void *y)
{
	const struct single *a = x, *b = y;

	if (a->k != b->k)
		return (a->k > b->k) - (a->k < b->k);
	return (a->nth > b->nth) - (a->nth < b->nth);
}

static void
add_range(struct opt_range *ranges, uint32_t *n, uint32_t last, uint32_t edge)
{
	if (*n > 0 && ranges[*n - 1].edge == edge)
		(*n)--;
	ranges[(*n)++] = (struct opt_range){ last, edge };
}

/* Singles laid over the ranges that they are in. */
static uint32_t
lay_over(struct chain *c, struct opt_range *ranges)
{
	uint32_t n = 0;
	size_t at = 0;
	int64_t first = 0;

	qsort(c->cuts, c->n_cuts, sizeof(*c->cuts), by_last);
	qsort(c->singles, c->n_singles, sizeof(*c->singles), by_number);
	for (size_t i = 0; i < c->n_cuts; i++) {
		for (; at < c->n_singles && c->singles[at].k <= c->cuts[i].last; at++) {
			const struct single *s = &c->singles[at];

			if (s->k < first)
				continue;       /* the same number again */
			if (s->k > first)
				add_range(ranges, &n, s->k - 1, c->cuts[i].edge);
			add_range(ranges, &n, s->k, s->edge);
			first = (int64_t)s->k + 1;
		}
		if (first <= c->cuts[i].last)
			add_range(ranges, &n, c->cuts[i].last, c->cuts[i].edge);
		first = (int64_t)c->cuts[i].last + 1;
	}
	return n;
}

/* Edges that only shadowed tests would have taken are none. */
static void
drop_unused_edges(struct chain *c, struct opt_range *ranges, uint32_t n, uint32_t *renumbered)
{
	size_t n_used = 0;

	for (uint32_t i = 0; i < n; i++)
		renumbered[ranges[i].edge] = 1;
	for (size_t i = 0; i < c->n_edges; i++) {
		if (renumbered[i] == 0)
			continue;
		renumbered[i] = (uint32_t)n_used;
		c->edges[n_used++] = c->edges[i];
	}
	c->n_edges = n_used;
	for (uint32_t i = 0; i < n; i++)
		ranges[i].edge = renumbered[ranges[i].edge];
}

/* The head becomes the search. */
static int
replace(struct chain *c)
{
	struct opt *o = c->o;
	struct opt_range *ranges = opt_alloc(o, 3 * c->n + 3, sizeof(*ranges));
	struct opt_block *head;
	uint32_t n, *renumbered;

	c->singles = opt_alloc(o, c->n, sizeof(*c->singles));
	c->cuts = opt_alloc(o, c->n + 1, sizeof(*c->cuts));
	c->edges = opt_alloc(o, 2 * c->n + 1, sizeof(*c->edges));
	if (o->failed)
		return -ENOMEM;
	c->n_singles = c->n_cuts = c->n_edges = 0;
	read_tests(c);
	renumbered = opt_alloc(o, c->n_edges, sizeof(*renumbered));
	if (o->failed)
		return -ENOMEM;
	n = lay_over(c, ranges);
	drop_unused_edges(c, ranges, n, renumbered);
	o->changed = true;
	head = &o->blocks[c->head];
	head->end = OPT_END_SWITCH;
	head->a = c->value;
	head->b = OPT_NONE;
	head->ranges = ranges;
	head->n_ranges = n;
	head->edges = c->edges;
	head->n_edges = (uint32_t)c->n_edges;
	if (c->n_edges == 1)
		opt_end_goto(o, c->head, c->edges[0]);
	return 0;
}

/* ---- halves ---- */

/* Edges of a block and ranges of its search, being made. */
struct search {
	struct opt *o;
	uint32_t block;
	uint32_t *edges;
	struct opt_range *ranges;
	uint32_t n_edges, n_ranges;
	int64_t first;
};

static bool
begin_search(struct search *s, struct opt *o, uint32_t block, size_t n)
{
	*s = (struct search){ .o = o, .block = block };
	s->edges = opt_alloc(o, n + 1, sizeof(*s->edges));
	s->ranges = opt_alloc(o, 2 * n + 1, sizeof(*s->ranges));
	return !o->failed;
}

/* A further edge of a search, its index. */
static uint32_t
add_edge(struct search *s, uint32_t to, uint32_t *args)
{
	uint32_t edge = opt_new_edge(s->o, s->block, to);

	if (edge == OPT_NO_EDGE)
		return 0;
	s->o->edges[edge].args = args;
	s->edges[s->n_edges] = edge;
	return s->n_edges++;
}

/* Edge 0 is where numbers between singles go. */
static void
search_single(struct search *s, uint32_t k, uint32_t edge)
{
	if (k > s->first)
		add_range(s->ranges, &s->n_ranges, k - 1, 0);
	add_range(s->ranges, &s->n_ranges, k, edge);
	s->first = (int64_t)k + 1;
}

static void
end_search(struct search *s, uint32_t value)
{
	struct opt_block *b = &s->o->blocks[s->block];

	if (s->o->failed)
		return;
	add_range(s->ranges, &s->n_ranges, UINT32_MAX, 0);
	b->end = OPT_END_SWITCH;
	b->a = value;
	b->b = OPT_NONE;
	b->edges = s->edges;
	b->n_edges = s->n_edges;
	b->ranges = s->ranges;
	b->n_ranges = s->n_ranges;
}

/*
 * The singles of a set of words, by upper half: their number, and that of
 * halves.  0: no such set.
 */
static size_t
count_halves(const struct opt *o, const struct opt_block *b, size_t *n_halves)
{
	const struct opt_value *v = &o->values[b->a];
	uint32_t common = b->ranges[b->n_ranges - 1].edge, half = UINT32_MAX;
	int64_t first = 0;
	size_t n = 0;

	*n_halves = 0;
	if (v->op != OPT_LOAD || v->size != 4)
		return 0;
	for (uint32_t i = 0; i < b->n_ranges; i++) {
		const struct opt_range *r = &b->ranges[i];

		if (r->edge != common) {
			if (r->last != first)
				return 0;
			*n_halves += r->last >> 16 != half;
			half = r->last >> 16;
			n++;
		}
		first = (int64_t)r->last + 1;
	}
	return n;
}

/* Ranges from the i-th on with numbers of one half. */
static size_t
count_of_half(const struct opt_block *b, uint32_t i)
{
	uint32_t from = i;

	while (i < b->n_ranges && b->ranges[i].last >> 16 == b->ranges[from].last >> 16)
		i++;
	return i - from;
}

static int
split_halves(struct opt *o, uint32_t block, size_t n_halves)
{
	const struct opt_block old = o->blocks[block];
	const struct opt_value word = o->values[old.a];
	uint32_t upper = opt_load(o, OPT_LOAD, 2, word.a, word.k);
	uint32_t lower = opt_load(o, OPT_LOAD, 2, word.a, word.k + 2);
	const struct opt_edge other = o->edges[old.edges[old.ranges[old.n_ranges - 1].edge]];
	uint32_t common = old.ranges[old.n_ranges - 1].edge, half = UINT32_MAX;
	struct search top, sub = { .o = o };

	if (!begin_search(&top, o, block, n_halves))
		return -ENOMEM;
	add_edge(&top, other.to, other.args);
	for (uint32_t i = 0; i < old.n_ranges && !o->failed; i++) {
		uint32_t k = old.ranges[i].last;
		const struct opt_edge *e = &o->edges[old.edges[old.ranges[i].edge]];
		uint32_t to = e->to, *args = e->args;

		if (old.ranges[i].edge == common)
			continue;
		if (k >> 16 != half) {
			if (half != UINT32_MAX)
				end_search(&sub, lower);
			half = k >> 16;
			if (!begin_search(&sub, o, opt_new_block(o), count_of_half(&old, i)))
				return -ENOMEM;
			o->blocks[sub.block].origin = old.origin;
			search_single(&top, half, add_edge(&top, sub.block, NULL));
			add_edge(&sub, other.to, other.args);
		}
		search_single(&sub, k & UINT16_MAX, add_edge(&sub, to, args));
	}
	if (half != UINT32_MAX)
		end_search(&sub, lower);
	end_search(&top, upper);
	return o->failed ? -ENOMEM : 0;
}

/* ---- the pass ---- */

/* c->n is the number of blocks that it took, 0: there is no chain. */
static int
chain_at(struct chain *c, uint32_t block)
{
	struct opt *o = c->o;
	const struct opt_block *b = &o->blocks[block];
	size_t n, n_halves;
	int rc;

	if (b->end != OPT_END_IF || b->test == EBPF_JSET || o->values[b->b].op != OPT_CONST ||
	    o->values[b->a].op == OPT_CONST)
		return 0;
	c->head = block;
	c->value = b->a;
	walk(c);
	shorten(c);
	if (c->n < (c->n_phis > 0 ? MIN_TESTS_OF_PHIS : MIN_TESTS)) {
		c->n = 0;
		return 0;
	}
	if ((rc = replace(c)) < 0 || o->blocks[block].end != OPT_END_SWITCH)
		return rc;
	n = count_halves(o, &o->blocks[block], &n_halves);
	return n >= PER_HALF * n_halves && n > 0 ? split_halves(o, block, n_halves) : 0;
}

/* Whether a block is part of a chain already, and of nothing else. */
static void
mark_taken(const struct chain *c, bool *taken)
{
	for (size_t i = 1; i < c->n; i++) {
		const struct opt_block *b = &c->o->blocks[c->blocks[i]];

		taken[c->blocks[i]] = b->n_in == 1;
	}
}

int
opt_pass_chain(struct opt *o)
{
	struct chain c = { .o = o, .budget = 8 * o->n_order + 64 };
	bool *taken = opt_alloc(o, o->n_blocks, sizeof(*taken));
	int rc = 0;

	c.uses = opt_count_uses(o);
	c.blocks = opt_alloc(o, o->n_order + 1, sizeof(*c.blocks));
	c.ways = opt_alloc(o, o->n_order + 1, sizeof(*c.ways));
	if (o->failed)
		return -ENOMEM;
	for (size_t i = 0; i < o->n_order && rc == 0; i++) {
		uint32_t block = o->order[i];

		c.n = 0;
		if (!taken[block] && (rc = chain_at(&c, block)) == 0)
			mark_taken(&c, taken);
	}
	return rc;
}
