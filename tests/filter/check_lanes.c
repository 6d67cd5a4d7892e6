/* SPDX-License-Identifier: BSD-2-Clause */
/* What lanes find side by side is what is found one record after the other. */
#include "config.h"

#include "filter/lanes.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/support/suite.h"

enum { SIZE = SIFT_LANES_STRETCH + (1 << 20), HEADER = SIFT_RECORD_HEADER };

struct stretch {
	struct sift_record_format format;
	uint8_t *p;
	size_t n;            /* bytes that are there */
	bool is_damaged;     /* a header may have been hit, and lead elsewhere */
	uint8_t *room, *end; /* of as many as there may be; behind that is a page of nobody's */
};

static void
begin_stretch(struct stretch *s)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), n = (SIZE / page + 1) * page;

	s->room = mmap(NULL, n + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert(s->room != MAP_FAILED);
	ck_assert_int_eq(mprotect(s->room + n, page, PROT_NONE), 0);
	s->end = s->room + n;
}

static void
end_stretch(const struct stretch *s)
{
	munmap(s->room, (size_t)(s->end - s->room) + (size_t)sysconf(_SC_PAGESIZE));
}

/* Have it end where nothing is to be read. */
static void
move_to_end(struct stretch *s)
{
	memmove(s->end - s->n, s->p, s->n);
	s->p = s->end - s->n;
}

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

/*
 * Lengths from least to most; without any, a few of 1 now and then, which guesses go by.
 * In deceptive ones all that is long enough looks like records.
 */
static uint32_t
any_caplen(uint32_t least, uint32_t most, size_t number, uint64_t *rng)
{
	if (most == 0)
		return number % 200 < 3;
	return rng_below(rng, 16) == 0 ? least : least + rng_below(rng, most - least + 1);
}

static void
make_stretch(struct stretch *s, uint32_t least, uint32_t most, bool is_deceptive, uint64_t *rng)
{
	size_t at = 0, number = 0;

	s->p = s->room;
	memset(s->p, 0, SIZE);

	s->format = (struct sift_record_format){
		.dlt = 1, .ts_scale = 1000, .snaplen = 262144, .is_swapped = rng_below(rng, 2)
	};
	while (at + HEADER <= SIZE) {
		uint32_t caplen = any_caplen(least, most, number++, rng);
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
	s->is_damaged = rng_below(rng, 4) == 0;
	if (s->is_damaged)
		put_header(s, rng_below(rng, SIZE - HEADER), 1, 262145, 1);
	if (rng_below(rng, 2) == 0)
		s->n = rng_below(rng, (uint32_t)s->n + 1);
	move_to_end(s);
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
	uint32_t least, most; /* empty packets are none to go by */
	bool is_deceptive;
	enum { LUCKY, UNLUCKY, EITHER } luck; /* whether guesses are wrong too often */
} contents[] = {
	{ 1, 1514, false, LUCKY },  { 0, 1514, false, EITHER },  { 0, 0, false, EITHER },
	{ 1, 60, false, LUCKY },    { 1, 262144, false, LUCKY }, { 1, 9000, false, LUCKY },
	{ 0, 1514, true, UNLUCKY }, { 0, 60000, true, UNLUCKY },
};

START_TEST(lanes_find_what_one_finds)
{
	uint64_t rng = suite_seed(0x1a9e5 + (uint64_t)_i), n = suite_scaled(60);
	uint32_t *expected = malloc(SIZE / HEADER * sizeof(*expected));
	struct stretch s;
	bool was_unlucky = false;

	ck_assert_ptr_nonnull(expected);
	begin_stretch(&s);
	for (uint64_t i = 0; i < n; i++) {
		struct sift_lanes *lanes;

		make_stretch(&s, contents[_i].least, contents[_i].most, contents[_i].is_deceptive,
			     &rng);
		lanes = sift_lanes_new(&s.format);
		ck_assert_ptr_nonnull(lanes);
		for (int k = 0; k < 3; k++)
			compare(&s, lanes, k == 0 ? s.n : rng_below(&rng, (uint32_t)s.n + 1),
				expected);
		was_unlucky |= !s.is_damaged && sift_lanes_are_unlucky(lanes);
		sift_lanes_free(lanes);
	}
	if (contents[_i].luck == LUCKY)
		ck_assert(!was_unlucky);
	if (contents[_i].luck == UNLUCKY)
		ck_assert(was_unlucky || n < 10);
	sift_lanes_free(NULL);
	end_stretch(&s);
	free(expected);
}
END_TEST

/* Another length than when they were followed: those behind it are not where they were. */
START_TEST(what_was_changed_meanwhile_ends_the_views)
{
	uint64_t rng = suite_seed(0xc4a96e), n_stretches = suite_scaled(200);
	static struct sift_view views[SIZE / HEADER];
	struct stretch s;

	begin_stretch(&s);
	for (uint64_t i = 0; i < n_stretches; i++) {
		struct sift_lanes *lanes;
		const uint32_t *begins;
		const uint8_t *at;
		size_t n, changed, taken;
		uint32_t caplen;

		make_stretch(&s, 0, 1514, false, &rng);
		lanes = sift_lanes_new(&s.format);
		ck_assert_ptr_nonnull(lanes);
		n = sift_lanes_follow(lanes, s.p, s.n, s.n, &begins);
		if (n > 1) {
			changed = rng_below(&rng, (uint32_t)n - 1);
			caplen = sift_record_caplen(&s.format, s.p + begins[changed]);
			put_header(&s, begins[changed], 1500000000,
				   rng_below(&rng, 2) ? caplen + 1 : caplen / 2 + 262144, 0);
			at = s.p;
			taken = sift_record_views_at(&s.format, SIFT_DETAIL_BARE, &at, s.p + s.n,
						     s.p, begins, views, n);
			ck_assert_uint_ge(taken, changed);
			ck_assert_uint_le(taken, changed + 1);
			ck_assert(taken == 0 ||
				  at == views[taken - 1].data + views[taken - 1].caplen);
			/* nor are the others taken where the one before has ended elsewhere */
			at += taken == changed;
			ck_assert_uint_eq(sift_record_views_at(&s.format, SIFT_DETAIL_BARE, &at,
							       s.p + s.n, s.p, begins + taken,
							       views, n - taken),
					  0);
		}
		sift_lanes_free(lanes);
	}
	end_stretch(&s);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("filter/lanes");
	TCase *tc = tcase_create("lanes");

	tcase_set_timeout(tc, 300);
	tcase_add_loop_test(tc, lanes_find_what_one_finds, 0, (int)N_ELEMS(contents));
	tcase_add_test(tc, what_was_changed_meanwhile_ends_the_views);
	suite_add_tcase(s, tc);
	return s;
}
