/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/support/damage.h"

#include <string.h>

#include "tests/support/suite.h"

void
damage_mark(const struct damage_parts *parts, size_t at, size_t n)
{
	for (size_t i = 0; i < parts->n_parts; i++) {
		if (at < parts->at[i + 1] && parts->at[i] < at + n)
			parts->is_hit[i] = true;
	}
}

void
damage_hit(const struct damage_parts *parts, uint64_t *rng)
{
	size_t room = parts->n - parts->head, n, at;
	uint32_t kind = rng_below(rng, 3);

	n = 1 + rng_below(rng, rng_below(rng, 2) == 0 ? 20 : 5000);
	n = n < room ? n : room;
	at = parts->head + rng_below(rng, (uint32_t)(room - n) + 1);
	for (size_t i = at; i < at + n; i++)
		parts->bytes[i] = kind == 0 ? (uint8_t)rng_next(rng) : kind == 1 ? 0 : 0xff;
	damage_mark(parts, at, n);
}

void
damage_give_up_short_runs(const struct damage_parts *parts)
{
	for (size_t i = 1, end; i < parts->n_parts; i = end + 1) {
		for (end = i; end < parts->n_parts && !parts->is_hit[end]; end++)
			;
		if (parts->is_hit[i - 1] && end < parts->n_parts && end - i < 3)
			memset(&parts->is_hit[i], true, end - i);
	}
}

void
damage_on_skip(void *arg, const char *name, uint64_t off, uint64_t n_bytes)
{
	struct damage_skips *skips = arg;

	ck_assert_ptr_nonnull(name);
	ck_assert_uint_ge(off, skips->end);
	ck_assert_uint_gt(n_bytes, 0);
	skips->n++;
	skips->n_bytes += n_bytes;
	skips->end = off + n_bytes;
}
