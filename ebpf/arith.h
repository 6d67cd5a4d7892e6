/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the instructions compute where C does not say it: division, shifts,
 * sign extension, byte order.  One function each, for interpreter, verifier
 * and constant folder alike; the JITs are tested against them.
 *
 * All values are unsigned; what is signed about an operation is inside its
 * function.  No shift reaches its width, no division traps.
 * Source: RFC 9669, sections 4.1 and 4.2.
 */
#ifndef BPFSIFT_EBPF_ARITH_H
#define BPFSIFT_EBPF_ARITH_H

#include <stdint.h>

/* The one place where values become signed: two's complement on every host. */
static inline int64_t
s64(uint64_t v)
{
	return v <= INT64_MAX ? (int64_t)v : -(int64_t)(UINT64_MAX - v) - 1;
}

static inline int32_t
s32(uint32_t v)
{
	return v <= INT32_MAX ? (int32_t)v : -(int32_t)(UINT32_MAX - v) - 1;
}

/* ---- sign extension of the low bits ---- */

static inline uint64_t
sext8(uint64_t v)
{
	return ((v & 0xff) ^ 0x80) - 0x80;
}

static inline uint64_t
sext16(uint64_t v)
{
	return ((v & 0xffff) ^ 0x8000) - 0x8000;
}

static inline uint64_t
sext32(uint64_t v)
{
	return ((v & UINT32_MAX) ^ 0x80000000u) - 0x80000000u;
}

/* ---- division: by 0 gives 0, and a remainder by 0 the dividend ---- */

static inline uint64_t
div64(uint64_t a, uint64_t b)
{
	return b != 0 ? a / b : 0;
}

static inline uint64_t
mod64(uint64_t a, uint64_t b)
{
	return b != 0 ? a % b : a;
}

static inline uint32_t
div32(uint32_t a, uint32_t b)
{
	return b != 0 ? a / b : 0;
}

static inline uint32_t
mod32(uint32_t a, uint32_t b)
{
	return b != 0 ? a % b : a;
}

/* By -1 apart: the smallest number has no opposite and is its own result. */
static inline uint64_t
sdiv64(uint64_t a, uint64_t b)
{
	if (b == 0)
		return 0;
	if (b == UINT64_MAX)
		return 0 - a;
	return (uint64_t)(s64(a) / s64(b));
}

static inline uint64_t
smod64(uint64_t a, uint64_t b)
{
	if (b == 0)
		return a;
	if (b == UINT64_MAX)
		return 0;
	return (uint64_t)(s64(a) % s64(b));
}

static inline uint32_t
sdiv32(uint32_t a, uint32_t b)
{
	if (b == 0)
		return 0;
	if (b == UINT32_MAX)
		return 0 - a;
	return (uint32_t)(s32(a) / s32(b));
}

static inline uint32_t
smod32(uint32_t a, uint32_t b)
{
	if (b == 0)
		return a;
	if (b == UINT32_MAX)
		return 0;
	return (uint32_t)(s32(a) % s32(b));
}

/* ---- shifts: the count modulo the width ---- */

static inline uint64_t
lsh64(uint64_t v, uint64_t n)
{
	return v << (n & 63);
}

static inline uint64_t
rsh64(uint64_t v, uint64_t n)
{
	return v >> (n & 63);
}

/* Right shifts of negative numbers are the compiler's choice; of ~v they are not. */
static inline uint64_t
arsh64(uint64_t v, uint64_t n)
{
	return v >> 63 ? ~(~v >> (n & 63)) : v >> (n & 63);
}

static inline uint32_t
lsh32(uint32_t v, uint32_t n)
{
	return v << (n & 31);
}

static inline uint32_t
rsh32(uint32_t v, uint32_t n)
{
	return v >> (n & 31);
}

static inline uint32_t
arsh32(uint32_t v, uint32_t n)
{
	return v >> 31 ? ~(~v >> (n & 31)) : v >> (n & 31);
}

/* ---- byte order: the low bits converted, the bits above them 0 ---- */

static inline uint64_t
swap16(uint64_t v)
{
	return (v & 0xff) << 8 | (v >> 8 & 0xff);
}

static inline uint64_t
swap32(uint64_t v)
{
	return swap16(v) << 16 | swap16(v >> 16);
}

static inline uint64_t
swap64(uint64_t v)
{
	return swap32(v) << 32 | swap32(v >> 32);
}

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define EBPF_SWAPS_LE 1
#else
#define EBPF_SWAPS_LE 0
#endif

static inline uint64_t
to_le16(uint64_t v)
{
	return EBPF_SWAPS_LE ? swap16(v) : (v & 0xffff);
}

static inline uint64_t
to_le32(uint64_t v)
{
	return EBPF_SWAPS_LE ? swap32(v) : (v & UINT32_MAX);
}

static inline uint64_t
to_le64(uint64_t v)
{
	return EBPF_SWAPS_LE ? swap64(v) : v;
}

static inline uint64_t
to_be16(uint64_t v)
{
	return EBPF_SWAPS_LE ? (v & 0xffff) : swap16(v);
}

static inline uint64_t
to_be32(uint64_t v)
{
	return EBPF_SWAPS_LE ? (v & UINT32_MAX) : swap32(v);
}

static inline uint64_t
to_be64(uint64_t v)
{
	return EBPF_SWAPS_LE ? v : swap64(v);
}

#undef EBPF_SWAPS_LE

#endif
