/* SPDX-License-Identifier: BSD-2-Clause */
/* Several threads on the records of a pcap file. */
#include "config.h"

#include <assert.h>
#include <stdlib.h>

#include "ebpf/prog.h"
#include "filter/gather.h"
#include "filter/parallel.h"
#include "filter/sink.h"

enum { BATCH = SIFT_BATCH_MAX };

struct judge {
	const struct sift_parallel *job;
	const struct sift_filter *filter;
	enum sift_detail detail;
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

static size_t
count_matches(const uint32_t *verdicts, size_t n)
{
	size_t n_matched = 0;

	for (size_t i = 0; i < n; i++)
		n_matched += verdicts[i] != 0;
	return n_matched;
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
		n_matched = count_matches(j->verdicts, n);
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

static void
judge_free(void *judge)
{
	struct judge *j = judge;

	sift_gather_destroy(&j->gather);
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
		sift_gather_set_format(&j->gather, job->format, job->sink->ts_scale);
	j->detail = job->sink == NULL || j->gather.is_raw ? SIFT_DETAIL_BARE : SIFT_DETAIL_TIMED;
	sift_record_init_views(job->format->dlt, j->views, BATCH);
	return j;
}

const struct sift_parallel_ops sift_parallel_records = {
	.judge_new = judge_new,
	.judge_free = judge_free,
	.follow = follow,
	.judge = judge,
};
