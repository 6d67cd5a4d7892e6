/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The arithmetic of scalars.  A 64-bit operation is done on the whole and, as
 * far as the low half of the result depends on the low halves alone, on the
 * low 32 bits too; both with the same code, on a "part": a range and known
 * bits of some width.  settle() lets the facts of a part, and of the parts of
 * a scalar, narrow each other.
 */
#include "ebpf/scalar.h"

#include <bpfsift/ebpf.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ebpf/arith.h"

/* Values of width bits; signed ones are held sign-extended. */
struct part {
	struct ebpf_tnum bits;
	struct ebpf_range r;
};

static uint64_t
umax_of(unsigned width)
{
	return UINT64_MAX >> (64 - width);
}

static int64_t
smax_of(unsigned width)
{
	return (int64_t)(umax_of(width) >> 1);
}

static int64_t
smin_of(unsigned width)
{
	return -smax_of(width) - 1;
}

/* Two's complement, spelled out: the low width bits as a signed number. */
static int64_t
as_signed(uint64_t x, unsigned width)
{
	uint64_t sign = UINT64_C(1) << (width - 1);

	return (int64_t)(((x & umax_of(width)) ^ sign) - sign);
}

static uint64_t
as_unsigned(int64_t x, unsigned width)
{
	return (uint64_t)x & umax_of(width);
}

static struct ebpf_range
range_full(unsigned width)
{
	return (struct ebpf_range){ 0, umax_of(width), smin_of(width), smax_of(width) };
}

static void
at_least_u(struct ebpf_range *r, uint64_t x)
{
	if (x > r->umin)
		r->umin = x;
}

static void
at_most_u(struct ebpf_range *r, uint64_t x)
{
	if (x < r->umax)
		r->umax = x;
}

static void
at_least_s(struct ebpf_range *r, int64_t x)
{
	if (x > r->smin)
		r->smin = x;
}

static void
at_most_s(struct ebpf_range *r, int64_t x)
{
	if (x < r->smax)
		r->smax = x;
}

static bool
range_is_empty(const struct ebpf_range *r)
{
	return r->umin > r->umax || r->smin > r->smax;
}

static bool
range_intersect(struct ebpf_range *a, const struct ebpf_range *b)
{
	at_least_u(a, b->umin);
	at_most_u(a, b->umax);
	at_least_s(a, b->smin);
	at_most_s(a, b->smax);
	return !range_is_empty(a);
}

static void
range_join(struct ebpf_range *a, const struct ebpf_range *b)
{
	a->umin = b->umin < a->umin ? b->umin : a->umin;
	a->umax = b->umax > a->umax ? b->umax : a->umax;
	a->smin = b->smin < a->smin ? b->smin : a->smin;
	a->smax = b->smax > a->smax ? b->smax : a->smax;
}

static bool
range_equal(const struct ebpf_range *a, const struct ebpf_range *b)
{
	return a->umin == b->umin && a->umax == b->umax && a->smin == b->smin &&
	       a->smax == b->smax;
}

static bool
range_contains(const struct ebpf_range *a, const struct ebpf_range *b)
{
	return a->umin <= b->umin && a->umax >= b->umax && a->smin <= b->smin &&
	       a->smax >= b->smax;
}

/*
 * The unsigned and the signed range tell each other what they exclude.  Where
 * one of them straddles the other's ends it is two pieces in the other's
 * order, of which the other may already rule out one.
 */
static void
range_settle(struct ebpf_range *r, unsigned width)
{
	int64_t lo = as_signed(r->umin, width), hi = as_signed(r->umax, width);
	uint64_t first, last;

	if (lo <= hi) {
		at_least_s(r, lo);
		at_most_s(r, hi);
	} else if (r->smin > hi) {
		at_least_s(r, lo);
	} else if (r->smax < lo) {
		at_most_s(r, hi);
	}
	first = as_unsigned(r->smin, width);
	last = as_unsigned(r->smax, width);
	if (first <= last) {
		at_least_u(r, first);
		at_most_u(r, last);
	} else if (r->umin > last) {
		at_least_u(r, first);
	} else if (r->umax < first) {
		at_most_u(r, last);
	}
}

/* False: no value is left. */
static bool
part_settle(struct part *p, unsigned width)
{
	for (int round = 0; round < 2; round++) {
		range_settle(&p->r, width);
		if (range_is_empty(&p->r))
			return false;
		if (!ebpf_tnum_intersect(&p->bits, ebpf_tnum_range(p->r.umin, p->r.umax)) ||
		    !ebpf_tnum_next(p->bits, p->r.umin, &p->r.umin) ||
		    !ebpf_tnum_prev(p->bits, p->r.umax, &p->r.umax) ||
		    p->r.umin > p->r.umax)
			return false;
	}
	range_settle(&p->r, width);
	return !range_is_empty(&p->r);
}

static void
part_join(struct part *a, const struct part *b)
{
	a->bits = ebpf_tnum_join(a->bits, b->bits);
	range_join(&a->r, &b->r);
}

/* start, start + 1, ... start + span modulo 2^width, as a range. */
static struct ebpf_range
range_of_arc(uint64_t start, uint64_t span, unsigned width)
{
	struct ebpf_range r = range_full(width);
	uint64_t first = start & umax_of(width), last = (start + span) & umax_of(width);

	if (span >= umax_of(width))
		return r;
	if (first <= last) {
		r.umin = first;
		r.umax = last;
	}
	if (as_signed(first, width) <= as_signed(last, width)) {
		r.smin = as_signed(first, width);
		r.smax = as_signed(last, width);
	}
	return r;
}

/* The low bits of values in a 64-bit part. */
static struct part
part_truncate(const struct part *p, unsigned width)
{
	struct part low = { ebpf_tnum_low(p->bits, width),
			    range_of_arc(p->r.umin, p->r.umax - p->r.umin, width) };
	struct ebpf_range r = range_of_arc(
		(uint64_t)p->r.smin, (uint64_t)p->r.smax - (uint64_t)p->r.smin, width);

	range_intersect(&low.r, &r);
	return low;
}

/*
 * Move an end of a 64-bit range inwards to a value whose low half is on the
 * arc start ... start + span.  False: past the end of the 64 bits.
 */
static bool
round_up(uint64_t *x, uint64_t start, uint64_t span)
{
	uint64_t past = (*x - start) & UINT32_MAX, add = (UINT64_C(1) << 32) - past;

	if (past <= span)
		return true;
	*x += add;
	return *x >= add;
}

static bool
round_down(uint64_t *x, uint64_t start, uint64_t span)
{
	uint64_t past = (*x - start) & UINT32_MAX, take = past - span;

	if (past <= span)
		return true;
	*x -= take;
	return *x + take >= take;
}

#define SIGN_BIT (UINT64_C(1) << 63)

/* What the low half's values, an arc of them, say of the whole. */
static bool
lift_arc(struct ebpf_range *r, uint64_t start, uint64_t span)
{
	/* In excess notation signed order is unsigned order, the low half as it was. */
	uint64_t smin = (uint64_t)r->smin ^ SIGN_BIT, smax = (uint64_t)r->smax ^ SIGN_BIT;

	if (!round_up(&r->umin, start, span) || !round_down(&r->umax, start, span) ||
	    !round_up(&smin, start, span) || !round_down(&smax, start, span))
		return false;
	r->smin = (int64_t)(smin ^ SIGN_BIT);
	r->smax = (int64_t)(smax ^ SIGN_BIT);
	return !range_is_empty(r);
}

/* False: no value is left. */
static bool
scalar_settle(struct ebpf_scalar *s)
{
	for (int round = 0; round < 4; round++) {
		struct ebpf_scalar before = *s;
		struct part whole = { s->bits, s->r64 }, low;

		if (!part_settle(&whole, 64))
			return false;
		low = part_truncate(&whole, 32);
		if (!range_intersect(&low.r, &s->r32) || !part_settle(&low, 32))
			return false;
		whole.bits.value = (whole.bits.value & ~(uint64_t)UINT32_MAX) | low.bits.value;
		whole.bits.mask = (whole.bits.mask & ~(uint64_t)UINT32_MAX) | low.bits.mask;
		if (!lift_arc(&whole.r, low.r.umin, low.r.umax - low.r.umin) ||
		    !lift_arc(&whole.r, as_unsigned(low.r.smin, 32),
			      (uint64_t)low.r.smax - (uint64_t)low.r.smin))
			return false;
		s->bits = whole.bits;
		s->r64 = whole.r;
		s->r32 = low.r;
		if (ebpf_scalar_equal(&before, s))
			break;
	}
	return true;
}

/*
 * Settle the result of a computation.  Its facts are each true, so it can only
 * be empty if the operands already were: such a path is never taken, and
 * anything may be said of it.
 */
static void
settle_result(struct ebpf_scalar *s)
{
	if (!scalar_settle(s))
		*s = ebpf_scalar_unknown();
}

struct ebpf_scalar
ebpf_scalar_unknown(void)
{
	return (struct ebpf_scalar){ EBPF_TNUM_UNKNOWN, range_full(64), range_full(32) };
}

struct ebpf_scalar
ebpf_scalar_urange(uint64_t umin, uint64_t umax)
{
	struct ebpf_scalar s = ebpf_scalar_unknown();

	s.r64.umin = umin;
	s.r64.umax = umax;
	settle_result(&s);
	return s;
}

struct ebpf_scalar
ebpf_scalar_srange(int64_t smin, int64_t smax)
{
	struct ebpf_scalar s = ebpf_scalar_unknown();

	s.r64.smin = smin;
	s.r64.smax = smax;
	settle_result(&s);
	return s;
}

struct ebpf_scalar
ebpf_scalar_const(uint64_t value)
{
	uint32_t low = (uint32_t)value;

	return (struct ebpf_scalar){
		.bits = ebpf_tnum_const(value),
		.r64 = { value, value, as_signed(value, 64), as_signed(value, 64) },
		.r32 = { low, low, as_signed(low, 32), as_signed(low, 32) },
	};
}

static bool
range_has(const struct ebpf_range *r, uint64_t x, unsigned width)
{
	int64_t s = as_signed(x, width);

	x &= umax_of(width);
	return r->umin <= x && x <= r->umax && r->smin <= s && s <= r->smax;
}

bool
ebpf_scalar_has(const struct ebpf_scalar *s, uint64_t x)
{
	return ebpf_tnum_has(s->bits, x) && range_has(&s->r64, x, 64) &&
	       range_has(&s->r32, x, 32);
}

bool
ebpf_scalar_equal(const struct ebpf_scalar *a, const struct ebpf_scalar *b)
{
	return ebpf_tnum_equal(a->bits, b->bits) && range_equal(&a->r64, &b->r64) &&
	       range_equal(&a->r32, &b->r32);
}

bool
ebpf_scalar_contains(const struct ebpf_scalar *a, const struct ebpf_scalar *b)
{
	return ebpf_tnum_contains(a->bits, b->bits) && range_contains(&a->r64, &b->r64) &&
	       range_contains(&a->r32, &b->r32);
}

bool
ebpf_scalar_intersect(struct ebpf_scalar *a, const struct ebpf_scalar *b)
{
	return ebpf_tnum_intersect(&a->bits, b->bits) && range_intersect(&a->r64, &b->r64) &&
	       range_intersect(&a->r32, &b->r32) && scalar_settle(a);
}

/* ---- arithmetic on one part ---- */

static struct part
part_const(uint64_t value, unsigned width)
{
	int64_t s = as_signed(value, width);

	value &= umax_of(width);
	return (struct part){ ebpf_tnum_const(value), { value, value, s, s } };
}

static struct part
part_unknown(unsigned width)
{
	return (struct part){ ebpf_tnum_low(EBPF_TNUM_UNKNOWN, width), range_full(width) };
}

static bool
part_is_const(const struct part *p)
{
	return ebpf_tnum_is_const(p->bits);
}

/*
 * A sum's two ends: which way they left the width's numbers (-1, 0, 1).  If
 * both left it the same way, so did all between them, and the wrapped ends are
 * the ends of the wrapped results.
 */
struct end {
	int64_t value;
	int way;
};

static struct end
signed_end(int64_t a, int64_t b, bool is_sub, unsigned width)
{
	struct end e = { 0, 0 };
	int64_t exact;
	bool left = is_sub ? __builtin_sub_overflow(a, b, &exact)
			   : __builtin_add_overflow(a, b, &exact);

	if (left)                       /* width is 64; a's sign is the result's */
		e.way = a < 0 ? -1 : 1;
	else
		e.way = exact < smin_of(width) ? -1 : exact > smax_of(width);
	e.value = as_signed((uint64_t)exact, width);
	return e;
}

static struct end
unsigned_end(uint64_t a, uint64_t b, bool is_sub, unsigned width)
{
	uint64_t wrapped = (is_sub ? a - b : a + b) & umax_of(width);

	return (struct end){ (int64_t)wrapped, is_sub ? a < b : wrapped < a };
}

static struct part
part_sum(const struct part *a, const struct part *b, bool is_sub, unsigned width)
{
	struct part out = { .r = range_full(width) };
	struct end lo, hi;

	out.bits = ebpf_tnum_low(is_sub ? ebpf_tnum_sub(a->bits, b->bits)
					: ebpf_tnum_add(a->bits, b->bits),
				 width);
	lo = unsigned_end(a->r.umin, is_sub ? b->r.umax : b->r.umin, is_sub, width);
	hi = unsigned_end(a->r.umax, is_sub ? b->r.umin : b->r.umax, is_sub, width);
	if (lo.way == hi.way) {
		out.r.umin = (uint64_t)lo.value;
		out.r.umax = (uint64_t)hi.value;
	}
	lo = signed_end(a->r.smin, is_sub ? b->r.smax : b->r.smin, is_sub, width);
	hi = signed_end(a->r.smax, is_sub ? b->r.smin : b->r.smax, is_sub, width);
	if (lo.way == hi.way) {
		out.r.smin = lo.value;
		out.r.smax = hi.value;
	}
	return out;
}

static void
include_s(struct ebpf_range *r, int64_t x, bool is_first)
{
	if (is_first || x < r->smin)
		r->smin = x;
	if (is_first || x > r->smax)
		r->smax = x;
}

static struct part
part_mul(const struct part *a, const struct part *b, unsigned width)
{
	struct part out = { ebpf_tnum_low(ebpf_tnum_mul(a->bits, b->bits), width),
			    range_full(width) };
	const int64_t as[] = { a->r.smin, a->r.smax }, bs[] = { b->r.smin, b->r.smax };
	struct ebpf_range corners = range_full(width);
	bool fits = true;
	uint64_t high;

	if (!__builtin_mul_overflow(a->r.umax, b->r.umax, &high) && high <= umax_of(width)) {
		out.r.umin = a->r.umin * b->r.umin;
		out.r.umax = high;
	}
	for (int i = 0; i < 4; i++) {
		int64_t x;

		if (__builtin_mul_overflow(as[i / 2], bs[i % 2], &x) || x < smin_of(width) ||
		    x > smax_of(width)) {
			fits = false;
			break;
		}
		include_s(&corners, x, i == 0);
	}
	if (fits) {
		out.r.smin = corners.smin;
		out.r.smax = corners.smax;
	}
	return out;
}

/* Division by 0 gives 0, modulo 0 leaves the dividend. */
static struct part
part_udiv(const struct part *a, const struct part *b, unsigned width)
{
	struct part out = part_unknown(width);

	if (b->r.umax == 0)
		return part_const(0, width);
	out.r.umin = b->r.umin == 0 ? 0 : a->r.umin / b->r.umax;
	out.r.umax = a->r.umax / (b->r.umin == 0 ? 1 : b->r.umin);
	return out;
}

static struct part
part_umod(const struct part *a, const struct part *b, unsigned width)
{
	struct part out = part_unknown(width);

	if (b->r.umax == 0 || a->r.umax < b->r.umin)
		return *a;
	if (part_is_const(b) && (b->r.umin & (b->r.umin - 1)) == 0)
		out.bits = ebpf_tnum_and(a->bits, ebpf_tnum_const(b->r.umin - 1));
	if (part_is_const(a) && part_is_const(b))
		return part_const(a->r.umin % b->r.umin, width);
	out.r.umax = b->r.umax - 1 < a->r.umax ? b->r.umax - 1 : a->r.umax;
	if (b->r.umin == 0)
		out.r.umax = a->r.umax;
	return out;
}

/*
 * The quotients by divisors lo ... hi, all of one sign: with the dividend
 * fixed they are monotone in the divisor, and the other way round, so that
 * the extremes are at the corners.
 */
static void
include_quotients(struct ebpf_range *r, const struct part *a, int64_t lo, int64_t hi,
		  unsigned width)
{
	const int64_t dividends[] = { a->r.smin, a->r.smax }, divisors[] = { lo, hi };

	if (lo > hi)
		return;
	if (hi == -1 && a->r.smin == smin_of(width)) {
		/* The smallest number by -1 is itself; else as far as -(smin + 1). */
		include_s(r, smin_of(width), false);
		include_s(r, smax_of(width), false);
		return;
	}
	for (int i = 0; i < 4; i++)
		include_s(r, dividends[i / 2] / divisors[i % 2], false);
}

static struct part
part_sdiv(const struct part *a, const struct part *b, unsigned width)
{
	struct part out = part_unknown(width);
	struct ebpf_range q = { .smin = smax_of(width), .smax = smin_of(width) };

	if (part_is_const(a) && part_is_const(b) && b->r.smin == -1)
		return part_const(-a->r.umin, width);
	if (b->r.smin <= 0 && b->r.smax >= 0)
		include_s(&q, 0, false);
	include_quotients(&q, a, b->r.smin, b->r.smax < 0 ? b->r.smax : -1, width);
	include_quotients(&q, a, b->r.smin > 0 ? b->r.smin : 1, b->r.smax, width);
	out.r.smin = q.smin;
	out.r.smax = q.smax;
	return out;
}

/* The remainder has the dividend's sign, and less than either's magnitude allows. */
static struct part
part_smod(const struct part *a, const struct part *b, unsigned width)
{
	struct part out = part_unknown(width);
	bool may_be_zero = b->r.smin <= 0 && b->r.smax >= 0;
	uint64_t neg = b->r.smin < 0 ? -(uint64_t)b->r.smin : 0;
	uint64_t pos = b->r.smax > 0 ? (uint64_t)b->r.smax : 0;
	int64_t most = (int64_t)((neg > pos ? neg : pos) - 1);

	if (b->r.smin == 0 && b->r.smax == 0)
		return *a;
	if (part_is_const(a) && part_is_const(b))
		return part_const(smod64((uint64_t)a->r.smin, (uint64_t)b->r.smin), width);
	out.r.smin = a->r.smin > 0 ? 0 : a->r.smin;
	out.r.smax = a->r.smax < 0 ? 0 : a->r.smax;
	if (!may_be_zero) {
		at_least_s(&out.r, -most);
		at_most_s(&out.r, most);
	}
	return out;
}

static struct part
part_bitwise(const struct part *a, const struct part *b, uint8_t op, unsigned width)
{
	struct part out = part_unknown(width);

	if (op == EBPF_AND) {
		out.bits = ebpf_tnum_and(a->bits, b->bits);
		out.r.umax = a->r.umax < b->r.umax ? a->r.umax : b->r.umax;
		if (a->r.smax < 0 && b->r.smax < 0)
			out.r.smax = a->r.smax < b->r.smax ? a->r.smax : b->r.smax;
	} else if (op == EBPF_OR) {
		out.bits = ebpf_tnum_or(a->bits, b->bits);
		out.r.umin = a->r.umin > b->r.umin ? a->r.umin : b->r.umin;
	} else {
		out.bits = ebpf_tnum_xor(a->bits, b->bits);
	}
	return out;
}

static struct part
part_shift_by(const struct part *a, uint8_t op, unsigned by, unsigned width)
{
	struct part out = part_unknown(width);

	if (op == EBPF_LSH) {
		out.bits = ebpf_tnum_low(ebpf_tnum_lsh(a->bits, by), width);
		if (a->r.umax <= umax_of(width) >> by) {
			out.r.umin = a->r.umin << by;
			out.r.umax = a->r.umax << by;
		}
		if (a->r.smin >= smin_of(width) >> by && a->r.smax <= smax_of(width) >> by) {
			out.r.smin = (int64_t)((uint64_t)a->r.smin << by);
			out.r.smax = (int64_t)((uint64_t)a->r.smax << by);
		}
	} else if (op == EBPF_RSH) {
		out.bits = ebpf_tnum_rsh(a->bits, by);
		out.r.umin = a->r.umin >> by;
		out.r.umax = a->r.umax >> by;
	} else {
		/* Sign-extended first: >> of a negative number copies the sign (gcc, clang). */
		struct ebpf_tnum t = ebpf_tnum_sext(a->bits, width);

		t.value = (uint64_t)((int64_t)t.value >> by);
		t.mask = (uint64_t)((int64_t)t.mask >> by);
		out.bits = ebpf_tnum_low(t, width);
		out.r.smin = a->r.smin >> by;
		out.r.smax = a->r.smax >> by;
	}
	return out;
}

/* All amounts that b can have, one by one: there are at most 64. */
static struct part
part_shift(const struct part *a, const struct ebpf_scalar *amount, uint8_t op, unsigned width)
{
	unsigned modulo = width == 64 ? 63 : 31;
	struct ebpf_tnum masked = ebpf_tnum_and(amount->bits, ebpf_tnum_const(modulo));
	bool in_range = amount->r64.umax <= modulo, is_first = true;
	struct part out = part_unknown(width);

	for (unsigned by = 0; by <= modulo; by++) {
		struct part one;

		if (!ebpf_tnum_has(masked, by))
			continue;
		if (in_range && (by < amount->r64.umin || by > amount->r64.umax))
			continue;
		if (by >= width)
			one = part_const(0, width);     /* the low half, shifted out */
		else
			one = part_shift_by(a, op, by, width);
		part_settle(&one, width);
		if (is_first)
			out = one;
		else
			part_join(&out, &one);
		is_first = false;
	}
	return out;
}

static struct part
part_alu(const struct part *a, const struct part *b, uint8_t op, bool is_signed, unsigned width)
{
	const struct part zero = part_const(0, width);

	switch (op) {
	case EBPF_ADD:
		return part_sum(a, b, false, width);
	case EBPF_SUB:
		return part_sum(a, b, true, width);
	case EBPF_NEG:
		return part_sum(&zero, a, true, width);
	case EBPF_MUL:
		return part_mul(a, b, width);
	case EBPF_DIV:
		return is_signed ? part_sdiv(a, b, width) : part_udiv(a, b, width);
	case EBPF_MOD:
		return is_signed ? part_smod(a, b, width) : part_umod(a, b, width);
	case EBPF_AND:
	case EBPF_OR:
	case EBPF_XOR:
		return part_bitwise(a, b, op, width);
	}
	return part_unknown(width);
}

static struct part
low_half(const struct ebpf_scalar *s)
{
	return (struct part){ ebpf_tnum_low(s->bits, 32), s->r32 };
}

static bool
is_shift(uint8_t op)
{
	return op == EBPF_LSH || op == EBPF_RSH || op == EBPF_ARSH;
}

/* Whether the low half of a 64-bit result depends on the low halves alone. */
static bool
low_half_follows(uint8_t op)
{
	return op != EBPF_DIV && op != EBPF_MOD && op != EBPF_RSH && op != EBPF_ARSH;
}

void
ebpf_scalar_alu(struct ebpf_scalar *dst, const struct ebpf_scalar *src, uint8_t op,
		bool is_signed, unsigned width)
{
	struct part a = { dst->bits, dst->r64 }, b = { src->bits, src->r64 };
	struct part a32 = low_half(dst), b32 = low_half(src), whole, low;
	struct ebpf_scalar amount = *src;

	if (width == 32) {
		if (is_shift(op)) {
			ebpf_scalar_zext(&amount, 32);
			low = part_shift(&a32, &amount, op, 32);
		} else {
			low = part_alu(&a32, &b32, op, is_signed, 32);
		}
		*dst = ebpf_scalar_unknown();
		dst->bits = low.bits;
		dst->r32 = low.r;
		dst->r64.umin = low.r.umin;
		dst->r64.umax = low.r.umax;
		settle_result(dst);
		return;
	}
	whole = is_shift(op) ? part_shift(&a, &amount, op, 64)
			     : part_alu(&a, &b, op, is_signed, 64);
	dst->bits = whole.bits;
	dst->r64 = whole.r;
	dst->r32 = range_full(32);
	if (low_half_follows(op) && op != EBPF_LSH) {
		low = part_alu(&a32, &b32, op, is_signed, 32);
		dst->r32 = low.r;
		ebpf_tnum_intersect(&dst->bits,
				    (struct ebpf_tnum){ low.bits.value,
							low.bits.mask |
								~(uint64_t)UINT32_MAX });
	}
	settle_result(dst);
}

void
ebpf_scalar_zext(struct ebpf_scalar *s, unsigned from)
{
	struct part whole = { s->bits, s->r64 }, low;

	if (from == 64)
		return;
	low = part_truncate(&whole, from);
	if (from == 32)
		range_intersect(&low.r, &s->r32);
	if (!part_settle(&low, from))
		low = part_unknown(from);
	*s = ebpf_scalar_unknown();
	s->bits = low.bits;
	s->r64.umin = low.r.umin;
	s->r64.umax = low.r.umax;
	if (from == 32)
		s->r32 = low.r;
	settle_result(s);
}

void
ebpf_scalar_sext(struct ebpf_scalar *s, unsigned from)
{
	struct part whole = { s->bits, s->r64 }, low;

	if (from == 64)
		return;
	low = part_truncate(&whole, from);
	if (from == 32)
		range_intersect(&low.r, &s->r32);
	if (!part_settle(&low, from))
		low = part_unknown(from);
	*s = ebpf_scalar_unknown();
	s->bits = ebpf_tnum_sext(low.bits, from);
	s->r64.smin = low.r.smin;
	s->r64.smax = low.r.smax;
	settle_result(s);
}

void
ebpf_scalar_bswap(struct ebpf_scalar *s, unsigned width)
{
	struct ebpf_tnum bits = ebpf_tnum_bswap(s->bits, width);

	*s = ebpf_scalar_unknown();
	s->bits = bits;
	settle_result(s);
}

/* ---- branches ---- */

/* a == b: both are what both can be. */
static bool
part_refine_eq(struct part *a, struct part *b)
{
	if (!range_intersect(&a->r, &b->r) || !ebpf_tnum_intersect(&a->bits, b->bits))
		return false;
	*b = *a;
	return true;
}

/* a != b: of use where one is a number at the other's end. */
static bool
part_exclude(struct part *a, const struct part *b)
{
	if (!part_is_const(b))
		return true;
	if (part_is_const(a))
		return a->bits.value != b->bits.value;
	if (a->r.umin == b->r.umin)
		a->r.umin++;
	if (a->r.umax == b->r.umax)
		a->r.umax--;
	if (a->r.smin == b->r.smin)
		a->r.smin++;
	if (a->r.smax == b->r.smax)
		a->r.smax--;
	return true;
}

static bool
part_refine_less(struct part *a, struct part *b, bool or_equal)
{
	if (!or_equal && (b->r.umax == 0 || a->r.umin == UINT64_MAX))
		return false;
	at_most_u(&a->r, b->r.umax - !or_equal);
	at_least_u(&b->r, a->r.umin + !or_equal);
	return true;
}

static bool
part_refine_less_signed(struct part *a, struct part *b, bool or_equal)
{
	if (!or_equal && (b->r.smax == INT64_MIN || a->r.smin == INT64_MAX))
		return false;
	at_most_s(&a->r, b->r.smax - !or_equal);
	at_least_s(&b->r, a->r.smin + !or_equal);
	return true;
}

/* (a & b) is not 0: a common bit, of use where only one can be. */
static bool
part_refine_set(struct part *a, struct part *b)
{
	uint64_t common = ebpf_tnum_max(a->bits) & ebpf_tnum_max(b->bits);
	struct ebpf_tnum one = { common, ~common };

	if (common == 0)
		return false;
	if ((common & (common - 1)) != 0)
		return true;
	return ebpf_tnum_intersect(&a->bits, one) && ebpf_tnum_intersect(&b->bits, one);
}

/* (a & b) is 0: what is 1 in one is 0 in the other. */
static bool
part_refine_clear(struct part *a, struct part *b)
{
	struct ebpf_tnum not_a = { 0, ~a->bits.value }, not_b = { 0, ~b->bits.value };

	return ebpf_tnum_intersect(&a->bits, not_b) && ebpf_tnum_intersect(&b->bits, not_a);
}

static bool
part_refine(struct part *a, struct part *b, uint8_t op, bool outcome)
{
	switch (op) {
	case EBPF_JEQ:
	case EBPF_JNE:
		if ((op == EBPF_JEQ) == outcome)
			return part_refine_eq(a, b);
		return part_exclude(a, b) && part_exclude(b, a);
	case EBPF_JSET:
		return outcome ? part_refine_set(a, b) : part_refine_clear(a, b);
	case EBPF_JLT:
		return outcome ? part_refine_less(a, b, false) : part_refine_less(b, a, true);
	case EBPF_JLE:
		return outcome ? part_refine_less(a, b, true) : part_refine_less(b, a, false);
	case EBPF_JGT:
		return outcome ? part_refine_less(b, a, false) : part_refine_less(a, b, true);
	case EBPF_JGE:
		return outcome ? part_refine_less(b, a, true) : part_refine_less(a, b, false);
	case EBPF_JSLT:
		return outcome ? part_refine_less_signed(a, b, false)
			       : part_refine_less_signed(b, a, true);
	case EBPF_JSLE:
		return outcome ? part_refine_less_signed(a, b, true)
			       : part_refine_less_signed(b, a, false);
	case EBPF_JSGT:
		return outcome ? part_refine_less_signed(b, a, false)
			       : part_refine_less_signed(a, b, true);
	case EBPF_JSGE:
		return outcome ? part_refine_less_signed(b, a, true)
			       : part_refine_less_signed(a, b, false);
	}
	return true;
}

/* The low half is now p; the upper one is as it was. */
static void
set_low_half(struct ebpf_scalar *s, const struct part *p)
{
	s->r32 = p->r;
	s->bits.value = (s->bits.value & ~(uint64_t)UINT32_MAX) | p->bits.value;
	s->bits.mask = (s->bits.mask & ~(uint64_t)UINT32_MAX) | p->bits.mask;
}

bool
ebpf_scalar_refine(struct ebpf_scalar *a, struct ebpf_scalar *b, uint8_t op, unsigned width,
		   bool outcome)
{
	bool is_equality = width == 64 && outcome == (op == EBPF_JEQ) &&
			   (op == EBPF_JEQ || op == EBPF_JNE);

	if (is_equality) {
		if (!ebpf_scalar_intersect(a, b))
			return false;
		*b = *a;
		return true;
	}
	if (width == 32) {
		struct part pa = low_half(a), pb = low_half(b);

		if (!part_refine(&pa, &pb, op, outcome))
			return false;
		set_low_half(a, &pa);
		set_low_half(b, &pb);
	} else {
		struct part pa = { a->bits, a->r64 }, pb = { b->bits, b->r64 };

		if (!part_refine(&pa, &pb, op, outcome))
			return false;
		a->bits = pa.bits;
		a->r64 = pa.r;
		b->bits = pb.bits;
		b->r64 = pb.r;
	}
	return scalar_settle(a) && scalar_settle(b);
}

/* ---- text ---- */

void
ebpf_scalar_text(const struct ebpf_scalar *s, char *buf, size_t size)
{
	const struct ebpf_range *r = &s->r64;
	struct ebpf_tnum implied = ebpf_tnum_range(r->umin, r->umax);
	size_t used;

	if (ebpf_scalar_is_const(s)) {
		if (r->smin < 0 && r->smin >= INT32_MIN)
			snprintf(buf, size, "%" PRId64, r->smin);
		else
			snprintf(buf, size, r->umin > UINT32_MAX ? "0x%" PRIx64 : "%" PRIu64,
				 r->umin);
		return;
	}
	if (r->umin == 0 && r->umax == UINT64_MAX && r->smin == INT64_MIN && r->smax == INT64_MAX)
		snprintf(buf, size, "unknown");
	else if (r->smin < 0 && (r->smin != INT64_MIN || r->smax != INT64_MAX))
		snprintf(buf, size, "%" PRId64 "..%" PRId64, r->smin, r->smax);
	else
		snprintf(buf, size, "%" PRIu64 "..%" PRIu64, r->umin, r->umax);
	used = strlen(buf);
	if (!ebpf_tnum_equal(s->bits, implied))
		snprintf(buf + used, size - used, " bits 0x%" PRIx64 "/0x%" PRIx64, s->bits.value,
			 s->bits.mask);
}
