/* SPDX-License-Identifier: BSD-2-Clause */
/* Damage done to a file's parts, and what a reader that passes over it tells. */
#ifndef TESTS_SUPPORT_DAMAGE_H
#define TESTS_SUPPORT_DAMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The parts of a file that can be damaged: where each begins, and the last one ends. */
struct damage_parts {
	uint8_t *bytes;         /* of the file, n of them */
	size_t n, head;         /* the first head bytes are spared */
	const size_t *at;       /* n_parts + 1 offsets */
	size_t n_parts;
	bool *is_hit;           /* each, set where bytes of it were changed */
};

/* Mark the parts that n bytes from offset at on belong to. */
void damage_mark(const struct damage_parts *parts, size_t at, size_t n);

/* Noise, a hole or a pattern in place of some bytes. */
void damage_hit(const struct damage_parts *parts, uint64_t *rng);

/* Fewer than three sound parts between damaged ones may be lost with those: they count as hit. */
void damage_give_up_short_runs(const struct damage_parts *parts);

/* What was passed over; end: of the last stretch, or where the first may begin. */
struct damage_skips {
	uint64_t n, n_bytes, end;
};

/* As on_skip of struct sift_reader_opts; arg is a struct damage_skips. */
void damage_on_skip(void *arg, const char *name, uint64_t off, uint64_t n_bytes);

#endif
