/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Known bits ("tristate numbers"): what is known of a 64-bit value bit by bit.
 * A bit is known where mask is 0, and then has the value's bit; where mask is
 * 1 it may be either, and value has 0 there.
 *
 * Each operation returns the known bits that hold for every result of every
 * pair of operands: an over-approximation, as all of the verifier's domains.
 * Literature: Vishwanathan et al., "Sound, Precise, and Fast Abstract
 * Interpretation with Tristate Numbers", CGO 2022.
 */
#ifndef BPFSIFT_EBPF_TNUM_H
#define BPFSIFT_EBPF_TNUM_H

#include <stdbool.h>
#include <stdint.h>

struct ebpf_tnum {
	uint64_t value;
	uint64_t mask;
};

#define EBPF_TNUM_UNKNOWN ((struct ebpf_tnum){ 0, UINT64_MAX })

static inline struct ebpf_tnum
ebpf_tnum_const(uint64_t value)
{
	return (struct ebpf_tnum){ value, 0 };
}

static inline bool
ebpf_tnum_is_const(struct ebpf_tnum t)
{
	return t.mask == 0;
}

static inline bool
ebpf_tnum_has(struct ebpf_tnum t, uint64_t x)
{
	return (x & ~t.mask) == t.value;
}

static inline uint64_t
ebpf_tnum_min(struct ebpf_tnum t)
{
	return t.value;
}

static inline uint64_t
ebpf_tnum_max(struct ebpf_tnum t)
{
	return t.value | t.mask;
}

static inline bool
ebpf_tnum_equal(struct ebpf_tnum a, struct ebpf_tnum b)
{
	return a.value == b.value && a.mask == b.mask;
}

/* Whether each number of b is one of a. */
static inline bool
ebpf_tnum_contains(struct ebpf_tnum a, struct ebpf_tnum b)
{
	return (b.mask & ~a.mask) == 0 && (b.value & ~a.mask) == a.value;
}

/* The low bits alone; width 1 ... 64. */
static inline struct ebpf_tnum
ebpf_tnum_low(struct ebpf_tnum t, unsigned width)
{
	uint64_t ones = UINT64_MAX >> (64 - width);

	return (struct ebpf_tnum){ t.value & ones, t.mask & ones };
}

/* All numbers from min to max: their common leading bits. */
struct ebpf_tnum ebpf_tnum_range(uint64_t min, uint64_t max);

/* The numbers in both; false: there are none. */
bool ebpf_tnum_intersect(struct ebpf_tnum *a, struct ebpf_tnum b);

/* The numbers in either, and perhaps more. */
struct ebpf_tnum ebpf_tnum_join(struct ebpf_tnum a, struct ebpf_tnum b);

/* The smallest number >= x, the largest <= x; false: there is none. */
bool ebpf_tnum_next(struct ebpf_tnum t, uint64_t x, uint64_t *next);
bool ebpf_tnum_prev(struct ebpf_tnum t, uint64_t x, uint64_t *prev);

struct ebpf_tnum ebpf_tnum_add(struct ebpf_tnum a, struct ebpf_tnum b);
struct ebpf_tnum ebpf_tnum_sub(struct ebpf_tnum a, struct ebpf_tnum b);
struct ebpf_tnum ebpf_tnum_mul(struct ebpf_tnum a, struct ebpf_tnum b);
struct ebpf_tnum ebpf_tnum_and(struct ebpf_tnum a, struct ebpf_tnum b);
struct ebpf_tnum ebpf_tnum_or(struct ebpf_tnum a, struct ebpf_tnum b);
struct ebpf_tnum ebpf_tnum_xor(struct ebpf_tnum a, struct ebpf_tnum b);

/* Shifts by a known amount, 0 ... 63. */
struct ebpf_tnum ebpf_tnum_lsh(struct ebpf_tnum t, unsigned by);
struct ebpf_tnum ebpf_tnum_rsh(struct ebpf_tnum t, unsigned by);

/* Bit width - 1 copied to all bits above it; width 1 ... 64. */
struct ebpf_tnum ebpf_tnum_sext(struct ebpf_tnum t, unsigned width);

/* The lowest width / 8 bytes reversed, the others 0; width 16, 32, 64. */
struct ebpf_tnum ebpf_tnum_bswap(struct ebpf_tnum t, unsigned width);

#endif
