/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the verifier knows of a number in a register: its range seen unsigned
 * and signed, as 64 bits and as the lower 32, and its known bits.
 *
 * A scalar stands for the set of all 64-bit values that satisfy each of the
 * five facts.  Functions that compute return a superset of what the machine
 * can get; functions that refine keep every value that the machine can have.
 * Both leave a scalar settled: each fact has told the others what it implies.
 */
#ifndef BPFSIFT_EBPF_SCALAR_H
#define BPFSIFT_EBPF_SCALAR_H

#include "ebpf/tnum.h"

#include <stddef.h>

/* Both ends included.  Of 32 bits: umax <= UINT32_MAX, smin >= INT32_MIN ... */
struct ebpf_range {
	uint64_t umin, umax;
	int64_t smin, smax;
};

struct ebpf_scalar {
	struct ebpf_tnum bits;
	struct ebpf_range r64;
	struct ebpf_range r32;
};

struct ebpf_scalar ebpf_scalar_const(uint64_t value);
struct ebpf_scalar ebpf_scalar_unknown(void);

/* umin ... umax, unsigned. */
struct ebpf_scalar ebpf_scalar_urange(uint64_t umin, uint64_t umax);
/* smin ... smax, signed. */
struct ebpf_scalar ebpf_scalar_srange(int64_t smin, int64_t smax);

static inline bool
ebpf_scalar_is_const(const struct ebpf_scalar *s)
{
	return ebpf_tnum_is_const(s->bits);
}

bool ebpf_scalar_has(const struct ebpf_scalar *s, uint64_t x);
bool ebpf_scalar_equal(const struct ebpf_scalar *a, const struct ebpf_scalar *b);

/* Whether each value of b is one of a. */
bool ebpf_scalar_contains(const struct ebpf_scalar *a, const struct ebpf_scalar *b);

/*
 * dst = dst op src, as the instruction with operation EBPF_ADD ... EBPF_ARSH
 * (EBPF_MOV and EBPF_END not among them) computes it; width 32 or 64.
 * is_signed: of the signed division and modulo.  EBPF_NEG ignores src.
 */
void ebpf_scalar_alu(struct ebpf_scalar *dst, const struct ebpf_scalar *src, uint8_t op,
		     bool is_signed, unsigned width);

/* The low bits, extended to 64: with zeros, with copies of the highest. */
void ebpf_scalar_zext(struct ebpf_scalar *s, unsigned from);
void ebpf_scalar_sext(struct ebpf_scalar *s, unsigned from);

/* Byte order reversed, truncated to width: 16, 32, 64. */
void ebpf_scalar_bswap(struct ebpf_scalar *s, unsigned width);

/*
 * Learn from a branch: a op b (EBPF_JEQ ... EBPF_JSLE, EBPF_JSET, compared as
 * width bits) was true, or false.
 *
 * Returns false when no values of a and b have that outcome: the branch
 * cannot go that way, and a and b are undefined.
 */
bool ebpf_scalar_refine(struct ebpf_scalar *a, struct ebpf_scalar *b, uint8_t op, unsigned width,
			bool outcome);

/* The values in both; false: there are none. */
bool ebpf_scalar_intersect(struct ebpf_scalar *a, const struct ebpf_scalar *b);

/* Enough for any scalar as text. */
#define EBPF_SCALAR_TEXT_SIZE 160

/* As short as what is known: "5", "0..255", "-4..4", "unknown", "0..60 bits 0x3c". */
void ebpf_scalar_text(const struct ebpf_scalar *s, char *buf, size_t size);

#endif
