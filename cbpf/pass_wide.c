/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Neighbouring bytes that are compared one piece after the other are compared
 * as one: two ports as a word, an IPv6 address as two double words.
 *
 * Both tests are of equality, both go the same way where it does not hold, and
 * between them is nothing: the bytes of the second are known to be there as
 * the first is made.  Compared is what lies in memory, in the host's order.
 */
#include "cbpf/opt.h"

#include <errno.h>

/* A test of a load against a constant: which bytes, and what they should be. */
struct piece {
	uint32_t base, off, size;
	uint8_t bytes[8];
};

static uint64_t
constant(const struct opt *o, uint32_t v)
{
	const struct opt_value *c = &o->values[v];

	return c->op == OPT_CONST64 ? (uint64_t)c->b << 32 | c->k : c->k;
}

static bool
is_little_endian(void)
{
	const uint16_t one = 1;

	return *(const uint8_t *)&one == 1;
}

/* The bytes of a number: as they lie in the packet, or (raw) in the host's memory. */
static void
spell(uint64_t k, uint32_t size, bool raw, uint8_t bytes[8])
{
	bool low_first = raw && is_little_endian();

	for (uint32_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(k >> 8 * (low_first ? i : size - 1 - i));
}

static uint64_t
read_raw(const uint8_t bytes[8], uint32_t size)
{
	uint64_t k = 0;

	for (uint32_t i = 0; i < size; i++)
		k = k << 8 | bytes[is_little_endian() ? size - 1 - i : i];
	return k;
}

static bool
is_piece(const struct opt *o, const struct opt_block *b, struct piece *p)
{
	const struct opt_value *v = &o->values[b->a], *k = &o->values[b->b];

	if (b->end != OPT_END_IF || b->test != EBPF_JEQ ||
	    (v->op != OPT_LOAD && v->op != OPT_RAW) || (k->op != OPT_CONST && k->op != OPT_CONST64))
		return false;
	*p = (struct piece){ .base = v->a, .off = v->k, .size = v->size };
	spell(constant(o, b->b), v->size, v->op == OPT_RAW, p->bytes);
	return true;
}

/* One piece right behind the other, of the same size: both as one. */
static bool
join(const struct piece *a, const struct piece *b, struct piece *both)
{
	const struct piece *first = a->off < b->off ? a : b, *second = a->off < b->off ? b : a;

	if (a->base != b->base || a->size != b->size || a->size > 4 ||
	    second->off - first->off != a->size)
		return false;
	*both = *first;
	both->size = 2 * a->size;
	for (uint32_t i = 0; i < a->size; i++)
		both->bytes[a->size + i] = second->bytes[i];
	return true;
}

static void
set_test(struct opt *o, uint32_t block, const struct piece *p)
{
	uint32_t v = opt_load(o, OPT_RAW, p->size, p->base, p->off);
	uint64_t k = read_raw(p->bytes, p->size);

	o->blocks[block].a = v;
	o->blocks[block].b = p->size == 8 ? opt_const64(o, k) : opt_const(o, (uint32_t)k);
}

/* Take the next block's test into this block's; true: done. */
static bool
widen(struct opt *o, uint32_t block)
{
	struct opt_block *b = &o->blocks[block], *next;
	struct piece mine, its, both;

	if (!is_piece(o, b, &mine))
		return false;
	next = &o->blocks[o->edges[b->edges[0]].to];
	if (next->n_in != 1 || opt_has_effects(next) || !is_piece(o, next, &its) ||
	    !opt_same_way(o, b->edges[1], next->edges[1]) || !join(&mine, &its, &both))
		return false;
	/* the way on is that of the second test; it is left without a way in */
	o->edges[b->edges[0]].to = o->edges[next->edges[0]].to;
	o->edges[b->edges[0]].args = o->edges[next->edges[0]].args;
	next->n_in = 0;
	o->changed = true;
	set_test(o, block, &both);
	return true;
}

/* Backwards, so that what became wide meets what became wide behind it. */
int
opt_pass_wide(struct opt *o)
{
	for (size_t i = o->n_order; i-- > 0;) {
		while (!o->failed && widen(o, o->order[i]))
			;
	}
	return o->failed ? -ENOMEM : 0;
}
