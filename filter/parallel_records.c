/* SPDX-License-Identifier: BSD-2-Clause */
/* Several threads on the records of a pcap file. */
#include "config.h"

#include <assert.h>
#include <stdlib.h>

#include "ebpf/prog.h"
#include "filter/filter.h"
#include "filter/gather.h"
#include "filter/lanes.h"
#include "filter/parallel.h"
#include "filter/read_at.h"
#include "filter/salvage.h"
#include "filter/sink.h"

enum { BATCH = SIFT_BATCH_MAX };

struct judge {
	const struct sift_parallel *job;
	const struct sift_filter *filter;
	enum sift_detail detail;
	struct sift_salvage known; /* what a guess goes by; */
	struct sift_lanes *lanes;  /* and what it leads to, of a file that is mapped */
	struct sift_gather gather;
	struct sift_view views[BATCH];
	uint32_t verdicts[BATCH];
};

static size_t
follow(void *walker, void *judge, struct sift_walk *walk)
{
	const struct judge *j = judge;
	uint64_t next = walk->next;

	(void)walker;
	while (next < walk->stop) {
		uint64_t left = walk->end - next;
		uint32_t caplen;

		if (left < SIFT_RECORD_HEADER) {
			walk->has_ended = true;
			break;
		}
		caplen = sift_record_caplen(j->job->format, walk->p + (next - walk->off));
		if (caplen > SIFT_RECORD_MAX_CAPLEN || left - SIFT_RECORD_HEADER < caplen) {
			walk->has_ended = true;
			break;
		}
		next += SIFT_RECORD_HEADER + (uint64_t)caplen;
	}
	walk->next = next;
	return 0;
}

/* One filter for the batch, which was pure when the work began, and may have been replaced. */
static void
run_filter(struct judge *j, size_t n, struct sift_judged *judged)
{
	const struct ebpf_prog *prog = sift_filter_ebpf(j->filter);

	if (!sift_judge_is_pure(prog))
		sift_record_complete_views(j->job->format, j->views, n);
	ebpf_prog_run_many(prog, j->views, sizeof(j->views[0]), n, j->verdicts);
	judged->n_too_short += sift_judge_too_short(prog, j->views, j->verdicts, n);
}

static void
judge_batch(struct judge *j, size_t n, struct sift_judged *judged)
{
	size_t n_matched = n;

	if (j->filter != NULL) {
		run_filter(j, n, judged);
		n_matched = sift_count_matches(j->verdicts, n);
	}
	judged->n_seen += n;
	judged->n_matched += n_matched;
	if (n_matched == 0 || j->job->sink == NULL)
		return;
	/* a verdict other than 0 does not cut */
	for (size_t i = 0; i < n; i++) {
		if (j->filter == NULL || j->verdicts[i] != 0)
			j->verdicts[i] = j->job->keep;
	}
	sift_gather_add(&j->gather, j->views, j->verdicts, n);
}

static void
judge(void *judge, uint8_t *p, size_t n, uint64_t off, struct sift_judged *judged)
{
	struct judge *j = judge;
	const uint8_t *at = p, *end = p + n;
	size_t n_views;

	/* no record becomes longer */
	if (sift_gather_reset(&j->gather, n, NULL) < 0)
		return;
	while ((n_views = sift_record_views(j->job->format, j->detail, &at, end, j->views, BATCH)) >
	       0)
		judge_batch(j, n_views, judged);
	assert(at == end);
	judged->bytes = sift_gather_bytes(&j->gather, &judged->n);
	judged->end = off + n;
}

/* ---- in a file that is mapped ---- */

/* As far as it is looked for one: from the middle of the longest that most networks have. */
enum { GUESS = 128 << 10 };

static size_t
guess(void *judge, const uint8_t *p, size_t n)
{
	const struct judge *j = judge;
	const struct sift_stretch stretch = { p, n, false };
	size_t most = n < GUESS ? n : GUESS, at = sift_salvage_find(&j->known, &stretch, most);

	return at < most ? at : n;
}

/*
 * Judge n > 0 records that begin at these offsets from p, in what goes on to end.  Returns
 * where they end; NULL: one has changed meanwhile.
 */
static const uint8_t *
judge_followed(struct judge *j, const uint8_t *p, const uint8_t *end, const uint32_t *begins,
	       size_t n, struct sift_judged *judged)
{
	const uint8_t *at = p;

	while (n > 0) {
		size_t n_views = sift_record_views_at(j->job->format, j->detail, &at, end, p,
						      begins, j->views, n < BATCH ? n : BATCH);

		if (n_views == 0)
			return NULL;
		judge_batch(j, n_views, judged);
		/* while it is in the cache: whoever writes it may find it gone */
		sift_gather_own(&j->gather);
		begins += n_views;
		n -= n_views;
	}
	return at;
}

static bool
judge_front(void *judge, const uint8_t *p, size_t n, size_t stop, uint64_t off,
	    struct sift_judged *judged)
{
	struct judge *j = judge;
	const uint8_t *at = p, *end = p + n;

	if (sift_gather_reset(&j->gather, n, NULL) < 0)
		return false;
	while (at != NULL && at < p + stop && !sift_lanes_are_unlucky(j->lanes)) {
		const uint32_t *begins;
		size_t left = (size_t)(p + stop - at), n_begins;

		n_begins = sift_lanes_follow(j->lanes, at, left, (size_t)(end - at), &begins);
		if (n_begins == 0)
			break;
		at = judge_followed(j, at, end, begins, n_begins, judged);
	}
	if (at == NULL)
		return false;
	judged->bytes = sift_gather_bytes(&j->gather, &judged->n);
	judged->end = off + (size_t)(at - p);
	return true;
}

/* The time of the first record, for those whose clock had not been set. */
static void
look_at_first(struct judge *j)
{
	const struct sift_extent *extent = &j->job->extent;
	uint8_t header[SIFT_RECORD_HEADER];

	j->known.format = j->job->format;
	j->known.has_time = sift_read_at(extent->fd, header, sizeof(header), extent->begin) ==
			    (ssize_t)sizeof(header);
	if (j->known.has_time)
		j->known.sec = load32(header, j->job->format->is_swapped);
}

static void
judge_free(void *judge)
{
	struct judge *j = judge;

	sift_gather_destroy(&j->gather);
	sift_lanes_free(j->lanes);
	free(j);
}

static void *
judge_new(const struct sift_parallel *job)
{
	struct judge *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return NULL;
	assert(job->n_kinds == 1 && job->kinds[0].is_pure);
	j->job = job;
	j->filter = job->kinds[0].filter;
	if (job->sink != NULL)
		sift_gather_set_sink(&j->gather, job->sink, job->format);
	j->detail = job->sink == NULL || j->gather.is_raw ? SIFT_DETAIL_BARE : SIFT_DETAIL_TIMED;
	sift_record_init_views(job->format->dlt, j->views, BATCH);
	if (job->map == NULL)
		return j;
	look_at_first(j);
	if ((j->lanes = sift_lanes_new(job->format)) != NULL)
		return j;
	judge_free(j);
	return NULL;
}

const struct sift_parallel_ops sift_parallel_records = {
	.judge_new = judge_new,
	.judge_free = judge_free,
	.follow = follow,
	.judge = judge,
	.guess = guess,
	.judge_front = judge_front,
};
