/* SPDX-License-Identifier: BSD-2-Clause */
#include "filter/lanes.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "filter/salvage.h"

#ifdef BPFSIFT_DEBUG
enum { LEAST = 256, LANES = 4 }; /* what is rare elsewhere */
#else
/* As many as memory answers at once; shorter stretches are not worth them. */
enum { LEAST = 256 << 10, LANES = 16 };
#endif

enum {
	/* As far as a record is looked for in a lane: those that most networks have are shorter. */
	GUESS = 16 << 10,
	/* What a wrong guess weighs against a right one, and how much is too much. */
	WRONG = 8,
	TOO_WRONG = LANES * WRONG,
	/* Lines of a packet that a filter looks at most often, with the header in front. */
	LINE = 64,
	REACH = 56,
	MOST = SIFT_LANES_STRETCH / SIFT_RECORD_HEADER,
};

struct lane {
	const uint8_t *at, *stop;
	uint32_t *begins, *end; /* found so far */
};

struct sift_lanes {
	const struct sift_record_format *format;
	unsigned n_wrong;                  /* guesses, by weight */
	uint32_t begins[MOST + 2 * LANES]; /* each may begin one in its last bytes */
};

struct sift_lanes *
sift_lanes_new(const struct sift_record_format *format)
{
	struct sift_lanes *l = malloc(sizeof(*l));

	if (l == NULL)
		return NULL;
	l->format = format;
	l->n_wrong = 0;
	return l;
}

void
sift_lanes_free(struct sift_lanes *lanes)
{
	free(lanes);
}

bool
sift_lanes_are_unlucky(const struct sift_lanes *lanes)
{
	return lanes->n_wrong > TOO_WRONG;
}

/* Follow one record, and ask for the next.  Whether there was one. */
static inline bool
step(struct lane *lane, const struct sift_record_format *format, const uint8_t *p,
     const uint8_t *end)
{
	const uint8_t *at = lane->at;
	uint32_t caplen;

	if (at >= lane->stop || end - at < SIFT_RECORD_HEADER)
		return false;
	caplen = sift_record_caplen_once(at, format->is_swapped);
	if (caplen > SIFT_RECORD_MAX_CAPLEN || end - at - SIFT_RECORD_HEADER < (ptrdiff_t)caplen)
		return false;
	*lane->end++ = (uint32_t)(at - p);
	at += SIFT_RECORD_HEADER + (size_t)caplen;
	__builtin_prefetch(at + SIFT_RECORD_CAPLEN_AT);
	__builtin_prefetch(at + REACH);
	lane->at = at;
	return true;
}

/* Where lanes begin that each have as many bytes; the first with a record, others anywhere. */
static void
ask_for_lanes(const uint8_t *p, size_t each)
{
	for (size_t i = 1; i < LANES; i++) {
		for (size_t line = 0; line < 4; line++)
			__builtin_prefetch(p + i * each + line * LINE);
	}
}

/* Those that were begun: a lane for which no guess is likely is left to the one before. */
static size_t
begin_lanes(struct sift_lanes *l, struct lane *lanes, const uint8_t *p, size_t stop, size_t n)
{
	size_t n_lanes = 1, each = stop / LANES;
	const struct sift_salvage known = {
		.format = l->format,
		.has_time = true,
		.sec = load32(p, l->format->is_swapped),
	};

	lanes[0] = (struct lane){ p, p + stop, l->begins, l->begins };
	if (stop < LEAST || sift_lanes_are_unlucky(l))
		return 1;
	ask_for_lanes(p, each);
	for (size_t i = 1; i < LANES; i++) {
		size_t from = i * each, most = each < GUESS ? each : GUESS;
		const struct sift_stretch stretch = { p + from, n - from, false };
		size_t at = sift_salvage_find(&known, &stretch, most);
		uint32_t *begins = l->begins + i * (each / SIFT_RECORD_HEADER + 1);

		if (at == most)
			continue;
		lanes[n_lanes - 1].stop = p + from;
		lanes[n_lanes++] = (struct lane){ p + from + at, p + stop, begins, begins };
	}
	return n_lanes;
}

static void
follow_side_by_side(struct lane *lanes, size_t n_lanes, const struct sift_record_format *format,
		    const uint8_t *p, const uint8_t *end)
{
	struct lane *live[LANES];

	for (size_t i = 0; i < n_lanes; i++)
		live[i] = &lanes[i];
	while (n_lanes > 0) {
		for (size_t i = 0; i < n_lanes;) {
			if (step(live[i], format, p, end))
				i++;
			else
				live[i] = live[--n_lanes];
		}
	}
}

/* Whether the lane begins where the one before has ended; if not, it is begun anew there. */
static bool
was_right(const struct lane *lane, const struct lane *before, const uint8_t *p)
{
	const uint8_t *begin = lane->end > lane->begins ? p + lane->begins[0] : lane->at;

	return begin == before->at;
}

/* What the lanes have found, one behind the other, as far as it is sure. */
static size_t
join(struct sift_lanes *l, struct lane *lanes, size_t n_lanes, const uint8_t *p, const uint8_t *end)
{
	uint32_t *to = lanes[0].end;

	for (size_t i = 1; i < n_lanes && lanes[i - 1].at >= lanes[i - 1].stop; i++) {
		struct lane *lane = &lanes[i];
		size_t found;

		if (was_right(lane, &lanes[i - 1], p)) {
			l->n_wrong -= l->n_wrong > 0;
		} else {
			l->n_wrong += WRONG;
			lane->at = lanes[i - 1].at;
			lane->end = lane->begins;
			while (step(lane, l->format, p, end))
				;
		}
		found = (size_t)(lane->end - lane->begins);
		memmove(to, lane->begins, found * sizeof(*to));
		to += found;
	}
	return (size_t)(to - l->begins);
}

size_t
sift_lanes_follow(struct sift_lanes *l, const uint8_t *p, size_t stop, size_t n,
		  const uint32_t **begins)
{
	struct lane lanes[LANES];
	size_t n_lanes;

	assert(stop <= n);
	*begins = l->begins;
	if (n < SIFT_RECORD_HEADER)
		return 0;
	if (stop > SIFT_LANES_STRETCH)
		stop = SIFT_LANES_STRETCH;
	n_lanes = begin_lanes(l, lanes, p, stop, n);
	follow_side_by_side(lanes, n_lanes, l->format, p, p + n);
	return join(l, lanes, n_lanes, p, p + n);
}
