/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers that are only compared for equality, or by bits, are compared as
 * they lie in memory: constants and masks change their byte order now rather
 * than each packet's fields at each run.
 *
 * That pays where no use of a load needs the number itself, so either all
 * uses take it as it lies, or none does.
 */
#include "cbpf/opt.h"

#include <errno.h>
#include <stdlib.h>

struct swap {
	struct opt *o;
	bool *as_number;        /* by value: some use needs the number */
	uint32_t *raw;          /* by value: the same as it lies in memory */
	uint32_t *size;         /* by value: bytes of the load it is made from; 0: of none */
};

static bool
is_little_endian(void)
{
	const uint16_t one = 1;

	return *(const uint8_t *)&one == 1;
}

/* A number of size bytes with its bytes in the order of memory. */
static uint32_t
lies(uint32_t k, uint32_t size)
{
	if (!is_little_endian() || size == 1)
		return k;
	if (size == 2)
		return (k & 0xff) << 8 | k >> 8;
	return k << 24 | (k & 0xff00) << 8 | (k >> 8 & 0xff00) | k >> 24;
}

static uint32_t
mask_of(uint32_t size)
{
	return size == 4 ? UINT32_MAX : size == 2 ? UINT16_MAX : UINT8_MAX;
}

static bool
is_bitwise(const struct opt_value *v)
{
	return v->op == OPT_AND || v->op == OPT_OR || v->op == OPT_XOR;
}

/* Values that are loads but for bits of constants. */
static void
find_sizes(struct swap *s)
{
	const struct opt *o = s->o;

	for (size_t v = 1; v < o->n_values; v++) {
		const struct opt_value *value = &o->values[v];
		uint32_t k;

		if (value->op == OPT_LOAD)
			s->size[v] = value->size;
		else if (is_bitwise(value) && opt_is_const(o, value->b, &k) &&
			 k <= mask_of(s->size[value->a]))
			s->size[v] = s->size[value->a];
	}
}

/* ---- which are needed as numbers ---- */

/* Ranges that are single numbers, but for those of one edge: a set. */
static bool
is_set(const struct opt_block *b, uint32_t *common)
{
	uint64_t first = 0;

	*common = b->ranges[b->n_ranges - 1].edge;
	for (uint32_t i = 0; i < b->n_ranges; i++) {
		if (b->ranges[i].edge != *common && b->ranges[i].last != first)
			return false;
		first = (uint64_t)b->ranges[i].last + 1;
	}
	return true;
}

static bool
fits(const struct swap *s, const struct opt_block *b, uint32_t v)
{
	uint32_t max = mask_of(s->size[v]), common, k;

	if (s->size[v] == 0)
		return false;
	if (b->end == OPT_END_IF)
		return (b->test == EBPF_JEQ || b->test == EBPF_JSET) && b->a == v &&
		       opt_is_const(s->o, b->b, &k) && k <= max;
	if (b->end != OPT_END_SWITCH || !is_set(b, &common))
		return false;
	for (uint32_t i = 0; i < b->n_ranges; i++) {
		if (b->ranges[i].edge != common && b->ranges[i].last > max)
			return false;
	}
	return true;
}

static void
look_at_block(struct swap *s, const struct opt_block *b)
{
	if (b->end == OPT_END_RET)
		s->as_number[b->a] = true;
	if ((b->end == OPT_END_IF || b->end == OPT_END_SWITCH) && !fits(s, b, b->a))
		s->as_number[b->a] = true;
	if (b->end == OPT_END_IF)
		s->as_number[b->b] = true;
	for (uint32_t i = 0; i < b->n_effects; i++)
		s->as_number[b->effects[i].base] = true;
	for (uint32_t i = 0; b->end != OPT_END_RET && i < b->n_edges; i++) {
		const struct opt_edge *e = &s->o->edges[b->edges[i]];

		for (uint32_t j = 0; j < s->o->blocks[e->to].n_phis; j++)
			s->as_number[opt_real(s->o, e->args[j])] = true;
	}
}

static void
find_numbers(struct swap *s, const uint32_t *uses)
{
	const struct opt *o = s->o;

	for (size_t i = 0; i < o->n_order; i++)
		look_at_block(s, &o->blocks[o->order[i]]);
	for (size_t v = o->n_values; v-- > 1;) {
		const struct opt_value *value = &o->values[v];

		if (uses[v] == 0 || value->op == OPT_CONST64 || value->op == OPT_PHI)
			continue;
		if (s->size[v] == 0 || s->as_number[v] || !is_bitwise(value))
			s->as_number[value->a] = true;
		s->as_number[value->b] = true;
		if (value->op == OPT_WINDOW)
			s->as_number[value->k] = true;
	}
	s->as_number[OPT_NONE] = true;
}

/* ---- taking them as they lie ---- */

static void
make_raw(struct swap *s)
{
	struct opt *o = s->o;
	size_t n = o->n_values;

	for (size_t v = 1; v < n; v++) {
		struct opt_value value = o->values[v];
		uint32_t k;

		if (s->size[v] < 2 || s->as_number[v])
			continue;
		if (value.op == OPT_LOAD) {
			s->raw[v] = opt_load(o, OPT_RAW, value.size, value.a, value.k);
		} else if (s->raw[value.a] != OPT_NONE && opt_is_const(o, value.b, &k)) {
			k = opt_const(o, lies(k, s->size[v]));
			s->raw[v] = opt_alu(o, (enum opt_op)value.op, s->raw[value.a], k);
		}
	}
}

static int
by_last(const void *x, const void *y)
{
	const struct opt_range *a = x, *b = y;

	return (a->last > b->last) - (a->last < b->last);
}

/* The same set, its numbers as they lie, in their order. */
static bool
swap_set(struct opt *o, struct opt_block *b, uint32_t size)
{
	struct opt_range *singles = opt_alloc(o, b->n_ranges, sizeof(*singles)), *ranges;
	uint32_t common, n = 0, n_ranges = 0;
	uint64_t first = 0;

	is_set(b, &common);
	ranges = opt_alloc(o, 2 * b->n_ranges + 1, sizeof(*ranges));
	if (o->failed)
		return false;
	for (uint32_t i = 0; i < b->n_ranges; i++) {
		if (b->ranges[i].edge != common)
			singles[n++] = (struct opt_range){ lies(b->ranges[i].last, size),
							   b->ranges[i].edge };
	}
	qsort(singles, n, sizeof(*singles), by_last);
	for (uint32_t i = 0; i < n; i++) {
		if (singles[i].last > first)
			ranges[n_ranges++] = (struct opt_range){ singles[i].last - 1, common };
		ranges[n_ranges++] = singles[i];
		first = (uint64_t)singles[i].last + 1;
	}
	if (first <= UINT32_MAX)
		ranges[n_ranges++] = (struct opt_range){ UINT32_MAX, common };
	b->ranges = ranges;
	b->n_ranges = n_ranges;
	return true;
}

static bool
swap_end(struct swap *s, uint32_t block)
{
	struct opt *o = s->o;
	struct opt_block *b = &o->blocks[block];
	uint32_t v = b->a, k;

	if ((b->end != OPT_END_IF && b->end != OPT_END_SWITCH) || s->raw[v] == OPT_NONE)
		return true;
	if (b->end == OPT_END_SWITCH) {
		b->a = s->raw[v];
		return swap_set(o, b, s->size[v]);
	}
	/* its constant was seen to be one */
	opt_is_const(o, b->b, &k);
	b->a = s->raw[v];
	b->b = opt_const(o, lies(k, s->size[v]));
	return !o->failed;
}

int
opt_pass_swap(struct opt *o)
{
	struct swap s = { .o = o };
	const uint32_t *uses = opt_count_uses(o);
	size_t n = o->n_values;

	s.as_number = opt_alloc(o, n, sizeof(*s.as_number));
	s.raw = opt_alloc(o, n, sizeof(*s.raw));
	s.size = opt_alloc(o, n, sizeof(*s.size));
	if (o->failed)
		return -ENOMEM;
	find_sizes(&s);
	find_numbers(&s, uses);
	make_raw(&s);
	for (size_t i = 0; i < o->n_order && !o->failed; i++) {
		if (!swap_end(&s, o->order[i]))
			return -ENOMEM;
	}
	return o->failed ? -ENOMEM : 0;
}
