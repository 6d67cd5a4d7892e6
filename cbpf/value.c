/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Values: each is made once, and simplified as it is made.
 *
 * Operands come before what is computed from them, phis apart.  What has a
 * constant operand has it on the right.  A value without memory for it is 0,
 * OPT_NONE, and failed is set.
 */
#include "cbpf/opt.h"

#include <stdlib.h>
#include <string.h>

#define COST_MAX UINT16_MAX

/* ---- the table ---- */

static uint32_t
hash(const struct opt_value *v)
{
	uint32_t h = v->op * 0x9e3779b1u;

	h = (h ^ v->size) * 0x85ebca6bu;
	h = (h ^ h >> 15 ^ v->a) * 0xc2b2ae35u;
	h = (h ^ h >> 13 ^ v->b) * 0x27d4eb2fu;
	h = (h ^ h >> 16 ^ v->k) * 0x165667b1u;
	return h ^ h >> 15;
}

static bool
is_same(const struct opt_value *x, const struct opt_value *y)
{
	return x->op == y->op && x->size == y->size && x->a == y->a && x->b == y->b &&
	       x->k == y->k;
}

static bool
grow_index(struct opt *o)
{
	size_t cap = o->index_cap > 0 ? 2 * o->index_cap : 128;
	uint32_t *index = calloc(cap, sizeof(*index));

	if (index == NULL)
		return false;
	for (uint32_t v = 1; v < o->n_values; v++) {
		size_t i = hash(&o->values[v]) & (cap - 1);

		while (index[i] != 0)
			i = (i + 1) & (cap - 1);
		index[i] = v;
	}
	free(o->index);
	o->index = index;
	o->index_cap = cap;
	return true;
}

static bool
make_room(struct opt *o)
{
	if (o->failed)
		return false;
	if (o->n_values == o->values_cap) {
		size_t cap = o->values_cap > 0 ? 2 * o->values_cap : 64;
		struct opt_value *values = realloc(o->values, cap * sizeof(*values));

		if (values == NULL)
			return false;
		o->values = values;
		o->values_cap = cap;
	}
	if (o->n_values == 0)
		memset(&o->values[o->n_values++], 0, sizeof(*o->values));
	return 2 * (o->n_values + 1) <= o->index_cap || grow_index(o);
}

static uint32_t
intern(struct opt *o, struct opt_value v)
{
	size_t i;

	/* the first value takes two places, OPT_NONE's and its own */
	if (!make_room(o) || !make_room(o)) {
		o->failed = true;
		return OPT_NONE;
	}
	i = hash(&v) & (o->index_cap - 1);
	for (; o->index[i] != 0; i = (i + 1) & (o->index_cap - 1)) {
		if (is_same(&o->values[o->index[i]], &v))
			return o->index[i];
	}
	v.block = o->block;
	v.origin = o->origin;
	o->values[o->n_values] = v;
	o->index[i] = (uint32_t)o->n_values;
	return (uint32_t)o->n_values++;
}

/* All bits up to the highest of x. */
static uint32_t
fill(uint32_t x)
{
	x |= x >> 1;
	x |= x >> 2;
	x |= x >> 4;
	x |= x >> 8;
	return x | x >> 16;
}

static uint16_t
cost_of(const struct opt *o, uint32_t a, uint32_t b, uint32_t own)
{
	uint32_t cost = own + o->values[a].cost + (b != 0 ? o->values[b].cost : 0);

	return cost < COST_MAX ? (uint16_t)cost : COST_MAX;
}

/* ---- leaves ---- */

uint32_t
opt_const(struct opt *o, uint32_t k)
{
	return intern(o, (struct opt_value){ .op = OPT_CONST, .k = k, .max = k, .bits = k });
}

uint32_t
opt_const64(struct opt *o, uint64_t k)
{
	return intern(o, (struct opt_value){ .op = OPT_CONST64, .cost = 1, .k = (uint32_t)k,
					     .b = (uint32_t)(k >> 32), .max = UINT32_MAX,
					     .bits = UINT32_MAX });
}

uint32_t
opt_entry(struct opt *o, uint8_t reg)
{
	return intern(o, (struct opt_value){ .op = OPT_ENTRY, .k = reg, .max = INT32_MAX,
					     .bits = INT32_MAX });
}

uint32_t
opt_field(struct opt *o, uint32_t base, uint32_t off, uint32_t size, uint32_t max)
{
	return intern(o, (struct opt_value){ .op = OPT_FIELD, .cost = 1, .size = size, .a = base,
					     .k = off, .max = max, .bits = fill(max) });
}

uint32_t
opt_load(struct opt *o, enum opt_op op, uint32_t size, uint32_t base, uint32_t off)
{
	uint32_t max = size == 1 ? UINT8_MAX : size == 2 ? UINT16_MAX : UINT32_MAX;

	return intern(o, (struct opt_value){
				 .op = (uint8_t)op, .size = size, .a = base, .k = off, .max = max,
				 .bits = max, .cost = cost_of(o, base, 0, base != 0 ? 3 : 2) });
}

uint32_t
opt_tagged(struct opt *o, uint32_t off, uint32_t tag_at)
{
	return intern(o, (struct opt_value){ .op = OPT_TAGGED, .cost = 9, .size = tag_at, .k = off,
					     .max = UINT32_MAX, .bits = UINT32_MAX });
}

/* A number of 16 bits in network order as one in the host's. */
uint32_t
opt_swap16(struct opt *o, uint32_t a)
{
	return intern(o, (struct opt_value){ .op = OPT_SWAP16, .a = a, .cost = cost_of(o, a, 0, 2),
					     .max = UINT16_MAX, .bits = UINT16_MAX });
}

uint32_t
opt_phi(struct opt *o, uint32_t block)
{
	/* never equal to another: size numbers them */
	return intern(o, (struct opt_value){ .op = OPT_PHI, .k = block, .max = UINT32_MAX,
					     .size = (uint32_t)o->n_values, .bits = UINT32_MAX });
}

uint32_t
opt_call(struct opt *o, int32_t helper, uint32_t a, uint32_t x)
{
	return intern(o, (struct opt_value){ .op = OPT_CALL, .k = (uint32_t)helper, .a = a, .b = x,
					     .size = (uint32_t)o->n_values, .max = UINT32_MAX,
					     .bits = UINT32_MAX });
}

/* Fetches that are looked at, from the last one back. */
#define MAX_FETCHES 64

uint32_t
opt_fetch(struct opt *o, uint32_t size, uint32_t base, uint32_t off, bool *made)
{
	uint32_t max = size == 1 ? UINT8_MAX : size == 2 ? UINT16_MAX : UINT32_MAX, looks = 0;

	*made = false;
	for (uint32_t v = o->last_fetch; v != OPT_NONE && looks < MAX_FETCHES; looks++) {
		const struct opt_value *value = &o->values[v];

		if (value->size == size && value->a == base && value->k == off &&
		    opt_dominates(o, value->block, o->block))
			return v;
		v = value->b;
	}
	*made = true;
	/* b: the fetch before it; never equal to another by that */
	o->last_fetch = intern(o, (struct opt_value){ .op = OPT_FETCH, .size = size, .a = base,
						      .k = off, .b = o->last_fetch, .max = max,
						      .bits = max });
	return o->last_fetch;
}

/* ---- arithmetic ---- */

static bool
is_commutative(enum opt_op op)
{
	return op == OPT_ADD || op == OPT_MUL || op == OPT_OR || op == OPT_AND || op == OPT_XOR;
}

static uint32_t
compute(enum opt_op op, uint32_t a, uint32_t b)
{
	switch (op) {
	case OPT_ADD:
		return a + b;
	case OPT_SUB:
		return a - b;
	case OPT_MUL:
		return a * b;
	case OPT_DIV:
		return b != 0 ? a / b : 0;
	case OPT_MOD:
		return b != 0 ? a % b : a;
	case OPT_OR:
		return a | b;
	case OPT_AND:
		return a & b;
	case OPT_XOR:
		return a ^ b;
	case OPT_LSH:
		return a << (b & 31);
	case OPT_RSH:
		return a >> (b & 31);
	case OPT_LSH_OUT:
		return b < 32 ? a << b : 0;
	case OPT_RSH_OUT:
		return b < 32 ? a >> b : 0;
	default:
		return 0 - a;   /* NEG */
	}
}

/* What x op x is, where that needs no x; else OPT_NONE. */
static uint32_t
with_itself(struct opt *o, enum opt_op op, uint32_t a)
{
	if (op == OPT_SUB || op == OPT_XOR)
		return opt_const(o, 0);
	if (op == OPT_AND || op == OPT_OR)
		return a;
	return OPT_NONE;
}

static uint32_t
log2_of(uint32_t k)
{
	uint32_t n = 0;

	while (k >>= 1)
		n++;
	return n;
}

/* (x op1 k1) op k as x op k2. */
static uint32_t
of_constants(struct opt *o, enum opt_op op, uint32_t a, uint32_t k)
{
	uint32_t x = o->values[a].a, k1;

	if (o->values[a].op != op || !opt_is_const(o, o->values[a].b, &k1))
		return OPT_NONE;
	switch (op) {
	case OPT_ADD:
	case OPT_MUL:
	case OPT_AND:
	case OPT_OR:
	case OPT_XOR:
		return opt_alu(o, op, x, opt_const(o, compute(op, k1, k)));
	case OPT_LSH:
	case OPT_RSH:
		return k1 + k > 31 ? opt_const(o, 0) : opt_alu(o, op, x, opt_const(o, k1 + k));
	default:
		return OPT_NONE;
	}
}

/* x op k, where that is something simpler; else OPT_NONE. */
static uint32_t
with_constant(struct opt *o, enum opt_op op, uint32_t a, uint32_t k)
{
	uint32_t bits = o->values[a].bits, max = o->values[a].max;
	bool is_power = k != 0 && (k & (k - 1)) == 0;

	switch (op) {
	case OPT_ADD:
	case OPT_XOR:
		if (k == 0)
			return a;
		break;
	case OPT_SUB:
		return opt_alu(o, OPT_ADD, a, opt_const(o, 0 - k));
	case OPT_OR:
		if (k == 0)
			return a;
		if (k == UINT32_MAX)
			return opt_const(o, k);
		break;
	case OPT_AND:
		if ((bits & k) == 0)
			return opt_const(o, 0);
		if ((bits & ~k) == 0)
			return a;
		break;
	case OPT_MUL:
		if (k == 0)
			return opt_const(o, 0);
		if (is_power)
			return opt_alu(o, OPT_LSH, a, opt_const(o, log2_of(k)));
		break;
	case OPT_DIV:
		if (is_power)
			return opt_alu(o, OPT_RSH, a, opt_const(o, log2_of(k)));
		if (max < k)
			return opt_const(o, 0);
		break;
	case OPT_MOD:
		if (is_power)
			return opt_alu(o, OPT_AND, a, opt_const(o, k - 1));
		if (max < k)
			return a;
		break;
	case OPT_LSH_OUT:
	case OPT_RSH_OUT:
		if (k > 31)
			return opt_const(o, 0);
		return opt_alu(o, op == OPT_LSH_OUT ? OPT_LSH : OPT_RSH, a, opt_const(o, k));
	case OPT_LSH:
	case OPT_RSH:
		if (k > 31)
			return opt_alu(o, op, a, opt_const(o, k & 31));
		if (k == 0)
			return a;
		if (compute(op, bits, k) == 0)
			return opt_const(o, 0);
		break;
	default:
		break;
	}
	return of_constants(o, op, a, k);
}

static uint32_t
simplify(struct opt *o, enum opt_op op, uint32_t a, uint32_t b)
{
	uint32_t ka, kb, v = OPT_NONE;
	bool a_is_const = opt_is_const(o, a, &ka), b_is_const = opt_is_const(o, b, &kb);

	if (op == OPT_NEG)
		return a_is_const ? opt_const(o, 0 - ka) : OPT_NONE;
	if (a_is_const && b_is_const)
		return opt_const(o, compute(op, ka, kb));
	if (a == b && (v = with_itself(o, op, a)) != OPT_NONE)
		return v;
	return b_is_const ? with_constant(o, op, a, kb) : OPT_NONE;
}

static void
bound(const struct opt *o, struct opt_value *v)
{
	const struct opt_value *a = &o->values[v->a], *b = &o->values[v->b];
	bool by_const = b->op == OPT_CONST;
	uint64_t max = UINT32_MAX;

	v->bits = UINT32_MAX;
	switch ((enum opt_op)v->op) {
	case OPT_ADD:
		max = (uint64_t)a->max + b->max;
		break;
	case OPT_MUL:
		max = (uint64_t)a->max * b->max;
		break;
	case OPT_AND:
		v->bits = a->bits & b->bits;
		max = a->max < b->max ? a->max : b->max;
		break;
	case OPT_OR:
	case OPT_XOR:
		v->bits = a->bits | b->bits;
		break;
	case OPT_LSH:
		if (by_const) {
			v->bits = a->bits << b->k;
			max = (uint64_t)a->max << b->k;
		}
		break;
	case OPT_RSH:
		v->bits = by_const ? a->bits >> b->k : fill(a->max);
		max = by_const ? a->max >> b->k : a->max;
		break;
	case OPT_RSH_OUT:
		max = a->max;
		break;
	case OPT_DIV:
		max = by_const ? a->max / b->k : a->max;
		break;
	case OPT_MOD:
		max = a->max < b->max ? a->max : b->max;
		break;
	default:
		break;
	}
	if (max > UINT32_MAX)
		max = UINT32_MAX;
	/* what is known of the size says something of the bits, and the other way round */
	v->bits &= fill((uint32_t)max);
	v->max = max < v->bits ? (uint32_t)max : v->bits;
}

uint32_t
opt_alu(struct opt *o, enum opt_op op, uint32_t a, uint32_t b)
{
	struct opt_value v = { .op = (uint8_t)op };
	uint32_t k, simpler;

	if (o->failed)
		return OPT_NONE;
	if (is_commutative(op) && (opt_is_const(o, a, &k) || (a < b && !opt_is_const(o, b, &k)))) {
		uint32_t swapped = a;

		a = b;
		b = swapped;
	}
	if ((simpler = simplify(o, op, a, b)) != OPT_NONE || o->failed)
		return simpler;
	v.a = a;
	v.b = op == OPT_NEG ? 0 : b;
	v.cost = cost_of(o, a, v.b, 2);
	bound(o, &v);
	return intern(o, v);
}

uint32_t
opt_window(struct opt *o, uint32_t sum)
{
	if (o->values[sum].max <= INT32_MAX)
		return sum;
	return intern(o, (struct opt_value){ .op = OPT_WINDOW, .a = sum, .b = o->ll, .k = o->net,
					     .cost = cost_of(o, sum, 0, 8), .max = UINT32_MAX,
					     .bits = UINT32_MAX });
}

/*
 * Operands have changed: what has become a constant is one from now on, in
 * its place, so that operands still come before what is computed from them.
 */
void
opt_fold(struct opt *o, uint32_t v)
{
	struct opt_value *value = &o->values[v];
	uint32_t ka, kb = 0;

	if (!opt_is_const(o, value->a, &ka))
		return;
	if (value->op == OPT_LOAD || value->op == OPT_RAW) {
		/* a sum that wraps has a guard before it that fails */
		value->k += ka;
		value->a = OPT_NONE;
		return;
	}
	if (value->op < OPT_ADD || value->op > OPT_NEG ||
	    (value->op != OPT_NEG && !opt_is_const(o, value->b, &kb)))
		return;
	ka = compute((enum opt_op)value->op, ka, kb);
	*value = (struct opt_value){ .op = OPT_CONST, .k = ka, .max = ka, .bits = ka,
				     .block = value->block, .origin = value->origin };
}

/* ---- what is known of values ---- */

void
opt_split_offset(const struct opt *o, uint32_t *base, uint64_t *off)
{
	for (;;) {
		const struct opt_value *v = &o->values[*base];
		uint32_t k;

		if (v->op == OPT_CONST) {
			*off += v->k;
			*base = OPT_NONE;
			return;
		}
		if (v->op != OPT_ADD || !opt_is_const(o, v->b, &k) ||
		    k > UINT32_MAX - o->values[v->a].max)
			return;
		*off += k;
		*base = v->a;
	}
}

static int
decide_by_bounds(const struct opt_value *a, uint8_t test, uint32_t k)
{
	switch (test) {
	case EBPF_JEQ:
		return k > a->max || (k & ~a->bits) != 0 ? 0 : -1;
	case EBPF_JGT:
		return k >= a->max ? 0 : -1;
	case EBPF_JGE:
		return k > a->max ? 0 : k == 0 ? 1 : -1;
	default:
		return (a->bits & k) == 0 ? 0 : -1;
	}
}

int
opt_decide(const struct opt *o, uint8_t test, uint32_t a, uint32_t b)
{
	uint32_t ka, kb;

	if (opt_is_const(o, a, &ka) && opt_is_const(o, b, &kb))
		return test == EBPF_JEQ ? ka == kb : test == EBPF_JGT ? ka > kb :
		       test == EBPF_JGE ? ka >= kb : (ka & kb) != 0;
	if (a == b && test != EBPF_JSET)
		return test != EBPF_JGT;
	if (o->values[b].op != OPT_CONST || o->values[a].op == OPT_WINDOW)
		return -1;
	return decide_by_bounds(&o->values[a], test, o->values[b].k);
}
