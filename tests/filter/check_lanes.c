/* SPDX-License-Identifier: BSD-2-Clause */
/* What lanes find side by side is what is found one record after the other. */
#include "config.h"

#include "filter/lanes.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"

enum { SIZE = SIFT_LANES_STRETCH + (1 << 20), HEADER = SIFT_RECORD_HEADER };

struct stretch {
	struct sift_record_format format;
	uint8_t *p;
	size_t n; /* bytes that are there */
};

static void
put_header(struct stretch *s, size_t at, uint32_t sec, uint32_t caplen, uint32_t wirelen)
{
	const uint32_t fields[] = { sec, 0, caplen, wirelen };

	for (size_t i = 0; i < 4; i++) {
		uint32_t field = s->format.is_swapped ? __builtin_bswap32(fields[i]) : fields[i];

		memcpy(s->p + at + 4 * i, &field, sizeof(field));
	}
}

/* Contents in which each 32 bytes are a record, as a guess would have it. */
static void
put_decoys(struct stretch *s, size_t at, size_t n)
{
	for (; n >= 32; at += 32, n -= 32)
		put_header(s, at, 1500000000, 16, 16);
}

/* Lengths up to most; of deceptive ones all look like more of them, but those that do not. */
static void
make_stretch(struct stretch *s, uint32_t most, bool is_deceptive, uint64_t *rng)
{
	size_t at = 0;

	s->format = (struct sift_record_format){
		.dlt = 1, .ts_scale = 1000, .snaplen = 65535, .is_swapped = rng_below(rng, 2)
	};
	while (at + HEADER <= SIZE) {
		uint32_t caplen = rng_below(rng, 16) == 0 ? 0 : rng_below(rng, most + 1);
		uint32_t room = (uint32_t)(SIZE - at) - HEADER;

		if (caplen > room)
			caplen = room;
		put_header(s, at, 1500000000 + rng_below(rng, 100), caplen, caplen);
		at += HEADER;
		for (size_t i = 0; i < caplen; i += 64)
			s->p[at + i] = (uint8_t)rng_next(rng);
		if (is_deceptive)
			put_decoys(s, at, caplen);
		at += caplen;
	}
	s->n = at;
	/* damage, or an end anywhere */
	if (rng_below(rng, 4) == 0)
		put_header(s, rng_below(rng, SIZE - HEADER), 1, 262145, 1);
	if (rng_below(rng, 2) == 0)
		s->n = rng_below(rng, (uint32_t)s->n + 1);
}

/* Follow the records of a stretch one by one. */
static size_t
follow(const struct stretch *s, size_t stop, uint32_t *begins)
{
	size_t at = 0, n = 0;

	if (stop > SIFT_LANES_STRETCH)
		stop = SIFT_LANES_STRETCH;
	while (at < stop && s->n - at >= HEADER) {
		uint32_t caplen = sift_record_caplen(&s->format, s->p + at);

		if (caplen > SIFT_RECORD_MAX_CAPLEN || s->n - at - HEADER < caplen)
			break;
		begins[n++] = (uint32_t)at;
		at += HEADER + caplen;
	}
	return n;
}

static void
compare(const struct stretch *s, struct sift_lanes *lanes, size_t stop, uint32_t *expected)
{
	size_t n_expected = follow(s, stop, expected), n;
	const uint32_t *begins;

	n = sift_lanes_follow(lanes, s->p, stop, s->n, &begins);
	ck_assert_uint_eq(n, n_expected);
	ck_assert(n == 0 || memcmp(begins, expected, n * sizeof(*begins)) == 0);
}

static const struct {
	uint32_t most;
	bool is_deceptive, is_unlucky;
} contents[] = {
	{ 1514, false, false },   { 0, false, false },    { 60, false, false },
	{ 262144, false, false }, { 9000, false, false }, { 1514, true, true },
	{ 60000, true, true },
};

START_TEST(lanes_find_what_one_finds)
{
	uint64_t rng = suite_seed(0x1a9e5 + (uint64_t)_i), n = suite_scaled(60);
	uint32_t *expected = malloc(SIZE / HEADER * sizeof(*expected));
	struct stretch s = { .p = calloc(1, SIZE) };
	bool was_unlucky = false;

	ck_assert(expected != NULL && s.p != NULL);
	for (uint64_t i = 0; i < n; i++) {
		struct sift_lanes *lanes;

		memset(s.p, 0, SIZE);
		make_stretch(&s, contents[_i].most, contents[_i].is_deceptive, &rng);
		lanes = sift_lanes_new(&s.format);
		ck_assert_ptr_nonnull(lanes);
		for (int k = 0; k < 3; k++)
			compare(&s, lanes, k == 0 ? s.n : rng_below(&rng, (uint32_t)s.n + 1),
				expected);
		was_unlucky |= sift_lanes_are_unlucky(lanes);
		sift_lanes_free(lanes);
	}
	ck_assert(was_unlucky == contents[_i].is_unlucky || (!was_unlucky && n < 10));
	sift_lanes_free(NULL);
	free(s.p);
	free(expected);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("filter/lanes");
	TCase *tc = tcase_create("lanes");

	tcase_set_timeout(tc, 300);
	tcase_add_loop_test(tc, lanes_find_what_one_finds, 0, (int)N_ELEMS(contents));
	suite_add_tcase(s, tc);
	return s;
}
