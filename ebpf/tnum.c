/* SPDX-License-Identifier: BSD-2-Clause */
#include "ebpf/tnum.h"

/* All bits below the highest one that is set in x, and it. */
static uint64_t
fill_below(uint64_t x)
{
	for (unsigned by = 1; by < 64; by *= 2)
		x |= x >> by;
	return x;
}

struct ebpf_tnum
ebpf_tnum_range(uint64_t min, uint64_t max)
{
	uint64_t mask = fill_below(min ^ max);

	return (struct ebpf_tnum){ min & ~mask, mask };
}

bool
ebpf_tnum_intersect(struct ebpf_tnum *a, struct ebpf_tnum b)
{
	if (((a->value ^ b.value) & ~a->mask & ~b.mask) != 0)
		return false;
	a->value |= b.value;
	a->mask &= b.mask;
	return true;
}

struct ebpf_tnum
ebpf_tnum_join(struct ebpf_tnum a, struct ebpf_tnum b)
{
	uint64_t mask = a.mask | b.mask | (a.value ^ b.value);

	return (struct ebpf_tnum){ a.value & ~mask, mask };
}

/*
 * Where x breaks a known bit, the highest such bit decides.  A known 1 where x
 * has 0: all below it starts over from the smallest.  A known 0 where x has 1:
 * the next higher unknown bit that x has at 0 must be carried into.
 */
bool
ebpf_tnum_next(struct ebpf_tnum t, uint64_t x, uint64_t *next)
{
	uint64_t wrong = (x ^ t.value) & ~t.mask, below;

	if (wrong == 0) {
		*next = x;
		return true;
	}
	below = fill_below(wrong);
	if ((t.value & (below ^ (below >> 1))) == 0) {
		uint64_t room = t.mask & ~x & ~below;

		if (room == 0)
			return false;
		room &= -room;
		x |= room;
		below = room - 1;
	}
	*next = (x & ~below) | (t.value & below);
	return true;
}

bool
ebpf_tnum_prev(struct ebpf_tnum t, uint64_t x, uint64_t *prev)
{
	struct ebpf_tnum inverse = { ~t.value & ~t.mask, t.mask };

	if (!ebpf_tnum_next(inverse, ~x, prev))
		return false;
	*prev = ~*prev;
	return true;
}

/* Carries differ at most where the lowest sum differs from the highest. */
struct ebpf_tnum
ebpf_tnum_add(struct ebpf_tnum a, struct ebpf_tnum b)
{
	uint64_t lowest = a.value + b.value;
	uint64_t highest = ebpf_tnum_max(a) + ebpf_tnum_max(b);
	uint64_t mask = (lowest ^ highest) | a.mask | b.mask;

	return (struct ebpf_tnum){ lowest & ~mask, mask };
}

struct ebpf_tnum
ebpf_tnum_sub(struct ebpf_tnum a, struct ebpf_tnum b)
{
	uint64_t lowest = a.value - ebpf_tnum_max(b);
	uint64_t highest = ebpf_tnum_max(a) - b.value;
	uint64_t mask = (lowest ^ highest) | a.mask | b.mask;

	return (struct ebpf_tnum){ lowest & ~mask, mask };
}

/* Long multiplication: an unknown bit of a adds its row, or does not. */
struct ebpf_tnum
ebpf_tnum_mul(struct ebpf_tnum a, struct ebpf_tnum b)
{
	struct ebpf_tnum sum = { 0, 0 };

	if (ebpf_tnum_is_const(a) && ebpf_tnum_is_const(b))
		return ebpf_tnum_const(a.value * b.value);
	for (unsigned i = 0; i < 64 && (ebpf_tnum_max(a) >> i) != 0; i++) {
		struct ebpf_tnum with = ebpf_tnum_add(sum, ebpf_tnum_lsh(b, i));

		if ((a.mask >> i & 1) != 0)
			sum = ebpf_tnum_join(sum, with);
		else if ((a.value >> i & 1) != 0)
			sum = with;
	}
	return sum;
}

struct ebpf_tnum
ebpf_tnum_and(struct ebpf_tnum a, struct ebpf_tnum b)
{
	uint64_t ones = a.value & b.value;

	return (struct ebpf_tnum){ ones, ebpf_tnum_max(a) & ebpf_tnum_max(b) & ~ones };
}

struct ebpf_tnum
ebpf_tnum_or(struct ebpf_tnum a, struct ebpf_tnum b)
{
	uint64_t ones = a.value | b.value;

	return (struct ebpf_tnum){ ones, (a.mask | b.mask) & ~ones };
}

struct ebpf_tnum
ebpf_tnum_xor(struct ebpf_tnum a, struct ebpf_tnum b)
{
	uint64_t mask = a.mask | b.mask;

	return (struct ebpf_tnum){ (a.value ^ b.value) & ~mask, mask };
}

struct ebpf_tnum
ebpf_tnum_lsh(struct ebpf_tnum t, unsigned by)
{
	return (struct ebpf_tnum){ t.value << by, t.mask << by };
}

struct ebpf_tnum
ebpf_tnum_rsh(struct ebpf_tnum t, unsigned by)
{
	return (struct ebpf_tnum){ t.value >> by, t.mask >> by };
}

static uint64_t
sext(uint64_t x, unsigned width)
{
	uint64_t sign = UINT64_C(1) << (width - 1);

	return ((x & (UINT64_MAX >> (64 - width))) ^ sign) - sign;
}

struct ebpf_tnum
ebpf_tnum_sext(struct ebpf_tnum t, unsigned width)
{
	return (struct ebpf_tnum){ sext(t.value, width), sext(t.mask, width) };
}

struct ebpf_tnum
ebpf_tnum_bswap(struct ebpf_tnum t, unsigned width)
{
	return (struct ebpf_tnum){ __builtin_bswap64(t.value) >> (64 - width),
				   __builtin_bswap64(t.mask) >> (64 - width) };
}
