/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Jump threading: an edge to a test whose outcome is known on that edge goes
 * where the test would go.
 *
 * Values never change, so what a test said on the way to an edge still holds
 * there.  What dominated a block before this pass is looked at: an edge that
 * goes past a block has made good all that the block's test would have said.
 * A block that is passed by must have no effects, and its phis no uses but by
 * its own test and edges.
 */
#include "cbpf/opt.h"

#include <errno.h>

/* Tests that are looked at for one answer, and blocks that an edge passes by. */
#define MAX_TESTS 64
#define MAX_HOPS 16

/* What is known of a value where an edge is. */
struct facts {
	uint32_t lo, hi;
	uint32_t zeros, ones;   /* bits that are 0, and that are 1 */
};

struct question {
	uint8_t test;
	uint32_t a, b;
	uint32_t k;             /* b, if constant */
	bool by_constant;
};

static int
answer(const struct question *q, const struct facts *f)
{
	if (f->lo > f->hi)
		return -1;      /* no packet comes here */
	switch (q->test) {
	case EBPF_JEQ:
		if (q->k < f->lo || q->k > f->hi || (q->k & f->zeros) != 0 ||
		    (~q->k & f->ones) != 0)
			return 0;
		return f->lo == f->hi ? 1 : -1;
	case EBPF_JGT:
		return f->lo > q->k ? 1 : f->hi <= q->k ? 0 : -1;
	case EBPF_JGE:
		return f->lo >= q->k ? 1 : f->hi < q->k ? 0 : -1;
	default:
		if (f->lo == f->hi)
			return (f->lo & q->k) != 0;
		return (f->ones & q->k) != 0 ? 1 : (q->k & ~f->zeros) == 0 ? 0 : -1;
	}
}

static void
at_least(struct facts *f, uint32_t k)
{
	f->lo = k > f->lo ? k : f->lo;
}

static void
at_most(struct facts *f, uint32_t k)
{
	f->hi = k < f->hi ? k : f->hi;
}

/* A test of the value against k went one way: -1, or what that alone answers. */
static int
learn(const struct question *q, struct facts *f, uint8_t test, uint32_t k, bool holds)
{
	switch (test) {
	case EBPF_JEQ:
		if (holds) {
			at_least(f, k);
			at_most(f, k);
		} else if (q->test == EBPF_JEQ && k == q->k) {
			return 0;
		} else if (k == 0) {
			at_least(f, 1);
		}
		break;
	case EBPF_JGT:
		if (holds)
			at_least(f, k + 1);
		else
			at_most(f, k);
		break;
	case EBPF_JGE:
		if (holds)
			at_least(f, k);
		else
			at_most(f, k - 1);
		break;
	default:
		if (!holds)
			f->zeros |= k;
		else if ((k & (k - 1)) == 0)
			f->ones |= k;
		else if (q->test == EBPF_JSET && (k & ~q->k) == 0)
			return 1;
		else
			at_least(f, 1);
	}
	return answer(q, f);
}

static int
learn_from_edge(const struct opt *o, const struct question *q, struct facts *f, uint32_t edge)
{
	const struct opt_block *b = &o->blocks[o->edges[edge].from];
	uint32_t k;
	bool holds;

	if (b->end != OPT_END_IF || b->a != q->a)
		return -1;
	holds = b->edges[0] == edge;
	if (b->test == q->test && b->b == q->b)
		return holds;
	if (!q->by_constant || !opt_is_const(o, b->b, &k))
		return -1;
	return learn(q, f, b->test, k, holds);
}

/* The outcome of a test at the end of an edge, by all that the way there says: or -1. */
static int
ask(const struct opt *o, uint32_t edge, const struct question *q)
{
	struct facts f = { 0, o->values[q->a].max, ~o->values[q->a].bits, 0 };
	int known = opt_decide(o, q->test, q->a, q->b);
	uint32_t block;

	if (known >= 0 || o->values[q->a].op == OPT_CONST)
		return known;
	known = learn_from_edge(o, q, &f, edge);
	block = o->edges[edge].from;
	for (unsigned n = 0; n < MAX_TESTS && known < 0 && block != OPT_NO_BLOCK; n++) {
		const struct opt_block *b = &o->blocks[block];

		if (b->n_in == 1) {
			known = learn_from_edge(o, q, &f, b->first_in);
			block = o->edges[b->first_in].from;
		} else {
			block = b->idom;
		}
	}
	return known;
}

/* ---- what may be passed by ---- */

/* Uses of a block's phi by its own test and by what its edges bring along. */
static uint32_t
own_uses(const struct opt *o, const struct opt_block *b, const uint32_t *uses, uint32_t phi)
{
	uint32_t n = 0;

	if (b->end != OPT_END_GOTO)
		n += b->a == phi;
	if (b->end == OPT_END_IF)
		n += b->b == phi;
	for (uint32_t i = 0; b->end != OPT_END_RET && i < b->n_edges; i++) {
		const struct opt_edge *e = &o->edges[b->edges[i]];
		const struct opt_block *to = &o->blocks[e->to];

		for (uint32_t j = 0; j < to->n_phis; j++)
			n += uses[to->phis[j]] > 0 && opt_real(o, e->args[j]) == phi;
	}
	return n;
}

static bool
may_be_passed(const struct opt *o, const struct opt_block *b, const uint32_t *uses)
{
	if (opt_has_effects(b))
		return false;
	for (uint32_t i = 0; i < b->n_phis; i++) {
		if (uses[b->phis[i]] != own_uses(o, b, uses, b->phis[i]))
			return false;
	}
	return true;
}

/*
 * By block.  Redirecting edges does not change it: what an edge comes to bring
 * along is never the phi of a block that it does not leave.
 */
static bool *
find_passable(struct opt *o)
{
	const uint32_t *uses = opt_count_uses(o);
	bool *passable = opt_alloc(o, o->n_blocks, sizeof(*passable));

	if (o->failed)
		return NULL;
	for (size_t i = 0; i < o->n_order; i++)
		passable[o->order[i]] = may_be_passed(o, &o->blocks[o->order[i]], uses);
	return passable;
}

/* Make an edge do what it and one behind it do. */
static int
redirect(struct opt *o, uint32_t edge, uint32_t on)
{
	const struct opt_block *to = &o->blocks[o->edges[on].to];
	uint32_t *args = NULL;

	if (to->n_phis > 0) {
		args = opt_alloc(o, to->n_phis, sizeof(*args));
		if (args == NULL)
			return -ENOMEM;
	}
	for (uint32_t i = 0; i < to->n_phis; i++)
		args[i] = opt_through(o, edge, opt_real(o, o->edges[on].args[i]));
	o->edges[edge].to = o->edges[on].to;
	o->edges[edge].args = args;
	o->changed = true;
	return 0;
}

/* ---- edges ---- */

/* An edge to a block that returns what the edge brings along, a constant. */
static int
return_constant(struct opt *o, uint32_t edge)
{
	const struct opt_block *b = &o->blocks[o->edges[edge].to];
	uint32_t v = opt_through(o, edge, b->a), k, block;

	if (v == b->a || !opt_is_const(o, v, &k))
		return 0;
	block = opt_ret_block(o, k);
	if (block == OPT_NO_BLOCK)
		return -ENOMEM;
	o->edges[edge].to = block;
	o->edges[edge].args = NULL;
	o->changed = true;
	return 0;
}

static int
thread(struct opt *o, uint32_t edge, const bool *passable, size_t n_blocks)
{
	int rc = 0;

	for (unsigned hops = 0; hops < MAX_HOPS && rc == 0; hops++) {
		uint32_t to = o->edges[edge].to;
		const struct opt_block *b = &o->blocks[to];
		struct question q;
		int outcome = 0;

		/* blocks made by this pass are ends */
		if (to >= n_blocks || !passable[to])
			return 0;
		if (b->end == OPT_END_RET)
			return b->n_phis > 0 ? return_constant(o, edge) : 0;
		if (b->end == OPT_END_SWITCH)
			return 0;
		if (b->end == OPT_END_IF) {
			q = (struct question){ .test = b->test,
					       .a = opt_through(o, edge, b->a),
					       .b = opt_through(o, edge, b->b) };
			q.by_constant = opt_is_const(o, q.b, &q.k);
			outcome = ask(o, edge, &q);
			if (outcome < 0)
				return 0;
		}
		rc = redirect(o, edge, b->edges[b->end == OPT_END_IF && !outcome ? 1 : 0]);
	}
	return rc;
}

int
opt_pass_thread(struct opt *o)
{
	const bool *passable = find_passable(o);
	size_t n_blocks = o->n_blocks;
	int rc = 0;

	if (passable == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < o->n_order && rc == 0; i++) {
		uint32_t block = o->order[i];

		for (uint32_t j = 0; j < o->blocks[block].n_edges && rc == 0; j++) {
			if (o->blocks[block].end != OPT_END_RET)
				rc = thread(o, o->blocks[block].edges[j], passable, n_blocks);
		}
	}
	return rc;
}
