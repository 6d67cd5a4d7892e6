/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Values of maps.  They start at multiples of 8; what lies in them is copied
 * in machine words, each at once, since programs may write there meanwhile.
 */
#ifndef BPFSIFT_EBPF_MAP_VALUE_H
#define BPFSIFT_EBPF_MAP_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uintptr_t __attribute__((may_alias)) map_word;

#define MAP_VALUE_ALIGN 8u

/* n <= SIZE_MAX - 7, which map_check() sees to. */
static inline size_t
map_value_stride(size_t n)
{
	return (n + MAP_VALUE_ALIGN - 1) & ~(size_t)(MAP_VALUE_ALIGN - 1);
}

/* Out of a map's value. */
static inline void
map_value_read(void *to, const void *value, size_t n)
{
	uint8_t *out = to;
	size_t i = 0;

	for (; n - i >= sizeof(map_word); i += sizeof(map_word)) {
		const map_word *p = (const map_word *)((uintptr_t)value + i);
		map_word word = __atomic_load_n(p, __ATOMIC_RELAXED);

		memcpy(out + i, &word, sizeof(word));
	}
	for (; i < n; i++)
		out[i] = __atomic_load_n((const uint8_t *)value + i, __ATOMIC_RELAXED);
}

/* Into a map's value. */
static inline void
map_value_write(void *value, const void *from, size_t n)
{
	const uint8_t *in = from;
	size_t i = 0;

	for (; n - i >= sizeof(map_word); i += sizeof(map_word)) {
		map_word word, *p = (map_word *)((uintptr_t)value + i);

		memcpy(&word, in + i, sizeof(word));
		__atomic_store_n(p, word, __ATOMIC_RELAXED);
	}
	for (; i < n; i++)
		__atomic_store_n((uint8_t *)value + i, in[i], __ATOMIC_RELAXED);
}

/* Whether addr ... addr + len lie within one of n values, stride apart from base on. */
static inline bool
map_values_own(const void *base, size_t n, size_t stride, size_t value_size, const void *addr,
	       size_t len)
{
	uintptr_t distance = (uintptr_t)addr - (uintptr_t)base;

	return distance / stride < n && len <= value_size && distance % stride <= value_size - len;
}

static inline uint32_t
map_index(const void *key)
{
	uint32_t index;

	memcpy(&index, key, sizeof(index));
	return index;
}

/* The key after key in an array of n. */
static inline bool
map_next_index(const void *key, void *next, uint32_t n)
{
	uint32_t index = key != NULL ? map_index(key) : UINT32_MAX;

	index = index >= n ? 0 : index + 1;
	if (index >= n)
		return false;
	memcpy(next, &index, sizeof(index));
	return true;
}

#endif
