/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading packet bytes: bounds, and wire order at any alignment; and a file's fields,
 * which are in this machine's byte order or in the other.  Offsets and lengths may come
 * from the packet itself, so bounds never add to them.
 */
#ifndef BPFSIFT_FILTER_BYTES_H
#define BPFSIFT_FILTER_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Whether width bytes at off lie within len. */
static inline bool
bytes_have(size_t len, size_t off, size_t width)
{
	return off <= len && width <= len - off;
}

static inline uint16_t
load_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t
load_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint16_t
load16(const uint8_t *p, bool is_swapped)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return is_swapped ? __builtin_bswap16(v) : v;
}

static inline uint32_t
load32(const uint8_t *p, bool is_swapped)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return is_swapped ? __builtin_bswap32(v) : v;
}

static inline uint64_t
load64(const uint8_t *p, bool is_swapped)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return is_swapped ? __builtin_bswap64(v) : v;
}

#endif
