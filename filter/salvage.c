/* SPDX-License-Identifier: BSD-2-Clause */
#include "filter/salvage.h"

enum { CHAIN = 3, NEAR_S = 86400 };

/* 1980: nothing was captured before; counters and small numbers in packets look earlier. */
#define FIRST_SEC 315532800

enum answer { NO, YES, MORE };

struct header {
	int64_t sec;
	uint32_t fraction, caplen, wirelen;
};

static struct header
read_header(const struct sift_record_format *format, const uint8_t *p)
{
	bool is_swapped = format->is_swapped;

	return (struct header){
		.sec = load32(p, is_swapped),
		.fraction = load32(p + 4, is_swapped),
		.caplen = sift_record_caplen_once(p, is_swapped),
		.wirelen = load32(p + SIFT_RECORD_WIRELEN_AT, is_swapped),
	};
}

/* What a reader who is not asked to salvage takes for a record; but no hole of zeros. */
static bool
is_possible(const struct header *h)
{
	return h->caplen <= SIFT_RECORD_MAX_CAPLEN &&
	       (h->sec != 0 || h->fraction != 0 || h->caplen != 0 || h->wirelen != 0);
}

static bool
is_plausible(const struct sift_record_format *format, const struct header *h)
{
	return is_possible(h) && h->fraction < 1000000000u / format->ts_scale &&
	       h->wirelen >= h->caplen;
}

static bool
is_near(int64_t a, int64_t b)
{
	return (a < b ? b - a : a - b) <= NEAR_S;
}

/* A header in the middle of nowhere. */
static bool
is_likely(const struct sift_salvage *s, const struct header *h)
{
	if (!is_plausible(s->format, h) || h->caplen == 0 ||
	    h->wirelen > SIFT_RECORD_MAX_CAPLEN)
		return false;
	return h->sec >= FIRST_SEC || (s->has_time && is_near(h->sec, s->sec));
}

/* Whether a chain of likely records begins at an offset. */
static enum answer
has_chain(const struct sift_salvage *s, const struct sift_stretch *stretch, size_t at)
{
	int64_t before = 0;

	for (unsigned n = 0; n < CHAIN; n++) {
		struct header h;

		if (stretch->n - at < SIFT_RECORD_HEADER) {
			if (!stretch->is_last)
				return MORE;
			return n > 0 && at == stretch->n ? YES : NO;
		}
		h = read_header(s->format, stretch->p + at);
		if (!is_likely(s, &h) || (n > 0 && !is_near(h.sec, before)))
			return NO;
		before = h.sec;
		at += SIFT_RECORD_HEADER;
		if (stretch->n - at < h.caplen)
			return stretch->is_last ? NO : MORE;
		at += h.caplen;
	}
	return YES;
}

/* What bytes in the middle of nowhere most often are not: it is seen at once. */
static inline bool
may_be_likely(const struct sift_record_format *format, const uint8_t *p)
{
	return load32(p + SIFT_RECORD_CAPLEN_AT, format->is_swapped) - 1 < SIFT_RECORD_MAX_CAPLEN;
}

/* Where the first chain in [from, to) begins; to: nowhere. */
static enum answer
find_chain(const struct sift_salvage *s, const struct sift_stretch *stretch, size_t from, size_t to,
	   size_t *found)
{
	for (*found = from; *found < to; ++*found) {
		enum answer answer;

		if (stretch->n - *found >= SIFT_RECORD_HEADER &&
		    !may_be_likely(s->format, stretch->p + *found))
			continue;
		answer = has_chain(s, stretch, *found);
		if (answer != NO)
			return answer;
	}
	return NO;
}

static enum sift_belief
believe(struct sift_salvage *s, const struct header *h)
{
	s->has_time = true;
	s->sec = h->sec;
	s->is_lost = false;
	return SIFT_RECORD_GOOD;
}

/* Whether what follows the record, which is whole, speaks for its length. */
static enum answer
is_followed(const struct sift_salvage *s, const struct sift_stretch *stretch, int64_t sec,
	    size_t end)
{
	struct header next;

	if (stretch->n == end && stretch->is_last)
		return YES;
	if (stretch->n - end < SIFT_RECORD_HEADER)
		return stretch->is_last ? NO : MORE;
	next = read_header(s->format, stretch->p + end);
	return is_likely(s, &next) && is_near(next.sec, sec) ? YES : NO;
}

/* Nothing in front of a chain is a record. */
static enum sift_belief
look_behind(struct sift_salvage *s, const struct sift_stretch *stretch, size_t *skip)
{
	enum answer answer = find_chain(s, stretch, 1, stretch->n, skip);

	/* what was looked at is out, unless more is needed to tell of the first byte */
	if (answer == MORE && *skip == 1)
		return SIFT_RECORD_UNKNOWN;
	s->is_lost = true;
	return SIFT_RECORD_BAD;
}

/* The record that a stretch begins with, which the one before leads to. */
static enum sift_belief
judge(struct sift_salvage *s, const struct sift_stretch *stretch, const struct header *h,
      size_t *skip)
{
	size_t end = SIFT_RECORD_HEADER + (size_t)h->caplen;
	enum answer answer = NO;

	if (end > stretch->n)
		return stretch->is_last ? look_behind(s, stretch, skip) : SIFT_RECORD_UNKNOWN;
	if (is_plausible(s->format, h))
		answer = is_followed(s, stretch, h->sec, end);
	if (answer == YES)
		return believe(s, h);
	/* It may be that a length is wrong, and swallows others. */
	if (answer == NO)
		answer = find_chain(s, stretch, 1, end, skip);
	if (answer == MORE)
		return SIFT_RECORD_UNKNOWN;
	/* Nothing speaks for what comes behind it, but the one before does for it. */
	if (answer == NO)
		return !s->has_time || is_near(h->sec, s->sec) ? SIFT_RECORD_GOOD
							       : look_behind(s, stretch, skip);
	s->is_lost = true;
	return SIFT_RECORD_BAD;
}

enum sift_belief
sift_salvage_judge(struct sift_salvage *s, const struct sift_stretch *stretch, size_t *skip)
{
	struct header h;

	if (stretch->n < SIFT_RECORD_HEADER) {
		*skip = stretch->n;
		return stretch->is_last ? SIFT_RECORD_BAD : SIFT_RECORD_UNKNOWN;
	}
	h = read_header(s->format, stretch->p);
	if (s->is_lost) {
		switch (has_chain(s, stretch, 0)) {
		case YES:
			return believe(s, &h);
		case NO:
			return look_behind(s, stretch, skip);
		case MORE:
			return SIFT_RECORD_UNKNOWN;
		}
	}
	return is_possible(&h) ? judge(s, stretch, &h, skip) : look_behind(s, stretch, skip);
}

size_t
sift_salvage_find(const struct sift_salvage *s, const struct sift_stretch *stretch, size_t n)
{
	size_t at = 0;

	while (find_chain(s, stretch, at, n, &at) == MORE)
		at++;
	return at;
}
