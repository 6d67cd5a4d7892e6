/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Division by a constant as a multiplication: what to multiply by, and what to
 * do with the upper half of the product.  All in 64 bits; numbers of 32 bits
 * are widened.
 * Source: H. S. Warren, Hacker's Delight, 2nd edition, 10-8 and 10-14.
 */
#ifndef BPFSIFT_EBPF_JIT_MAGIC_H
#define BPFSIFT_EBPF_JIT_MAGIC_H

#include <stdbool.h>
#include <stdint.h>

/*
 * t: the upper half of n * factor, both unsigned or both signed.  The quotient is
 *
 *	unsigned            t >> shift
 *	unsigned, adds      (((n - t) >> 1) + t) >> (shift - 1)
 *	signed              t >> shift, and 1 more if that is negative
 *	signed, adds        the same with t + n in place of t
 *	signed, subtracts   the same with t - n in place of t
 */
struct jit_magic {
	uint64_t factor;
	unsigned shift;
	bool adds, subtracts;
};

/* Twice a quotient and its remainder, by d; 1 more is divided where carry is set. */
static inline void
jit_magic_double(uint64_t *q, uint64_t *r, uint64_t d, unsigned carry)
{
	bool fits = *r >= d - *r - carry;       /* 2r + carry >= d, without a sum that wraps */

	*q = 2 * *q + fits;
	*r = 2 * *r + carry - (fits ? d : 0);
}

/* d is no power of two. */
static inline struct jit_magic
jit_magic_unsigned(uint64_t d)
{
	const uint64_t top = (uint64_t)1 << 63;
	uint64_t most = UINT64_MAX - (0 - d) % d;       /* the last n with a remainder of d - 1 */
	uint64_t q1 = top / most, r1 = top % most, q2 = (top - 1) / d, r2 = (top - 1) % d, delta;
	struct jit_magic m = { .shift = 0 };

	for (unsigned p = 64;; p++) {
		jit_magic_double(&q1, &r1, most, 0);
		m.adds |= q2 >= top || (q2 == top - 1 && r2 >= d - r2 - 1);
		jit_magic_double(&q2, &r2, d, 1);
		delta = d - 1 - r2;
		if (p >= 128 || q1 > delta || (q1 == delta && r1 != 0)) {
			m.factor = q2 + 1;
			m.shift = p - 64;
			return m;
		}
	}
}

/* d is not 0, 1 or -1. */
static inline struct jit_magic
jit_magic_signed(int64_t d)
{
	const uint64_t top = (uint64_t)1 << 63;
	uint64_t size = d < 0 ? 0 - (uint64_t)d : (uint64_t)d, bound = top + (d < 0);
	uint64_t most = bound - 1 - bound % size;
	uint64_t q1 = top / most, r1 = top % most, q2 = top / size, r2 = top % size, delta;
	struct jit_magic m = { .shift = 0 };

	for (unsigned p = 64;; p++) {
		jit_magic_double(&q1, &r1, most, 0);
		jit_magic_double(&q2, &r2, size, 0);
		delta = size - r2;
		if (q1 > delta || (q1 == delta && r1 != 0)) {
			m.factor = d < 0 ? 0 - (q2 + 1) : q2 + 1;
			m.shift = p - 64;
			m.adds = d > 0 && m.factor >= top;
			m.subtracts = d < 0 && m.factor < top;
			return m;
		}
	}
}

#endif
