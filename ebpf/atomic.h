/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Atomic operations on program memory.
 *
 * At an address that is not a multiple of the size no host promises atomicity:
 * there the operation is done in plain steps.  The checked interpreter refuses
 * such an access.
 *
 * Operations that fetch are fully ordered, those that do not are relaxed.
 * Source: RFC 9669, section 5.3, and the kernel's memory model.
 */
#ifndef BPFSIFT_EBPF_ATOMIC_H
#define BPFSIFT_EBPF_ATOMIC_H

#include <bpfsift/ebpf.h>
#include <stdbool.h>
#include <string.h>

/* What a program writes may be read through any type, and the reverse. */
typedef uint8_t __attribute__((may_alias)) atomic_u8;
typedef uint16_t __attribute__((may_alias)) atomic_u16;
typedef uint32_t __attribute__((may_alias)) atomic_u32;
typedef uint64_t __attribute__((may_alias)) atomic_u64;

static inline bool
is_aligned(uint64_t addr, size_t size)
{
	return (addr & (size - 1)) == 0;
}

/* One step of a read-modify-write; op is imm without EBPF_FETCH, or EBPF_XCHG. */
static inline uint64_t
atomic_apply(int32_t op, uint64_t old, uint64_t v)
{
	switch (op) {
	case EBPF_ADD:
		return old + v;
	case EBPF_OR:
		return old | v;
	case EBPF_AND:
		return old & v;
	case EBPF_XOR:
		return old ^ v;
	default:
		return v;
	}
}

#define ATOMIC_WIDTH(N)                                                                            \
	/* *p = *p op v, relaxed. */                                                               \
	static inline void atomic_do##N(void *p, int32_t op, uint##N##_t v)                        \
	{                                                                                          \
		uint##N##_t old;                                                                   \
                                                                                                   \
		if (!is_aligned((uintptr_t)p, sizeof(v))) {                                        \
			memcpy(&old, p, sizeof(old));                                              \
			old = (uint##N##_t)atomic_apply(op, old, v);                               \
			memcpy(p, &old, sizeof(old));                                              \
		} else if (op == EBPF_ADD) {                                                       \
			__atomic_fetch_add((atomic_u##N *)p, v, __ATOMIC_RELAXED);                 \
		} else if (op == EBPF_OR) {                                                        \
			__atomic_fetch_or((atomic_u##N *)p, v, __ATOMIC_RELAXED);                  \
		} else if (op == EBPF_AND) {                                                       \
			__atomic_fetch_and((atomic_u##N *)p, v, __ATOMIC_RELAXED);                 \
		} else {                                                                           \
			__atomic_fetch_xor((atomic_u##N *)p, v, __ATOMIC_RELAXED);                 \
		}                                                                                  \
	}                                                                                          \
                                                                                                   \
	/* *p = *p op v, fully ordered.  Returns what *p was. */                                   \
	static inline uint##N##_t atomic_fetch##N(void *p, int32_t op, uint##N##_t v)              \
	{                                                                                          \
		uint##N##_t old, new;                                                              \
                                                                                                   \
		if (is_aligned((uintptr_t)p, sizeof(v))) {                                         \
			if (op == EBPF_ADD)                                                        \
				return __atomic_fetch_add((atomic_u##N *)p, v, __ATOMIC_SEQ_CST);  \
			if (op == EBPF_OR)                                                         \
				return __atomic_fetch_or((atomic_u##N *)p, v, __ATOMIC_SEQ_CST);   \
			if (op == EBPF_AND)                                                        \
				return __atomic_fetch_and((atomic_u##N *)p, v, __ATOMIC_SEQ_CST);  \
			if (op == EBPF_XOR)                                                        \
				return __atomic_fetch_xor((atomic_u##N *)p, v, __ATOMIC_SEQ_CST);  \
			return __atomic_exchange_n((atomic_u##N *)p, v, __ATOMIC_SEQ_CST);         \
		}                                                                                  \
		memcpy(&old, p, sizeof(old));                                                      \
		new = (uint##N##_t)atomic_apply(op, old, v);                                       \
		memcpy(p, &new, sizeof(new));                                                      \
		return old;                                                                        \
	}                                                                                          \
                                                                                                   \
	/* If *p is expected, *p = v.  Returns what *p was. */                                     \
	static inline uint##N##_t atomic_cmpxchg##N(void *p, uint##N##_t expected, uint##N##_t v)  \
	{                                                                                          \
		uint##N##_t old;                                                                   \
                                                                                                   \
		if (is_aligned((uintptr_t)p, sizeof(v))) {                                         \
			__atomic_compare_exchange_n((atomic_u##N *)p, &expected, v, 0,             \
						    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);           \
			return expected;                                                           \
		}                                                                                  \
		memcpy(&old, p, sizeof(old));                                                      \
		if (old == expected)                                                               \
			memcpy(p, &v, sizeof(v));                                                  \
		return old;                                                                        \
	}

#define ATOMIC_ORDERED(N)                                                                          \
	static inline uint##N##_t load_acquire##N(const void *p)                                   \
	{                                                                                          \
		uint##N##_t v;                                                                     \
                                                                                                   \
		if (is_aligned((uintptr_t)p, sizeof(v)))                                           \
			return __atomic_load_n((const atomic_u##N *)p, __ATOMIC_ACQUIRE);          \
		memcpy(&v, p, sizeof(v));                                                          \
		return v;                                                                          \
	}                                                                                          \
                                                                                                   \
	static inline void store_release##N(void *p, uint##N##_t v)                                \
	{                                                                                          \
		if (is_aligned((uintptr_t)p, sizeof(v)))                                           \
			__atomic_store_n((atomic_u##N *)p, v, __ATOMIC_RELEASE);                   \
		else                                                                               \
			memcpy(p, &v, sizeof(v));                                                  \
	}

ATOMIC_WIDTH(32)
ATOMIC_WIDTH(64)
ATOMIC_ORDERED(8)
ATOMIC_ORDERED(16)
ATOMIC_ORDERED(32)
ATOMIC_ORDERED(64)

#undef ATOMIC_WIDTH
#undef ATOMIC_ORDERED

#endif
