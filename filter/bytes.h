/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading packet bytes: bounds, and wire order at any alignment.  Offsets and
 * lengths may come from the packet itself, so bounds never add to them.
 */
#ifndef BPFSIFT_FILTER_BYTES_H
#define BPFSIFT_FILTER_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

#endif
