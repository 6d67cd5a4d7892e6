/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pipelines: batches from a source, judged by a filter, given to a sink.
 */
#include <bpfsift/filter.h>

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "ebpf/err.h"
#include "ebpf/sized.h"

struct sift_pipeline {
	struct sift_pipeline_opts opts;
	struct sift_pipeline_counters counters;
};

int
sift_pipeline_new(const struct sift_pipeline_opts *opts, struct sift_pipeline **out,
		  struct ebpf_err *err)
{
	struct sift_pipeline_opts known;
	struct sift_pipeline *p;
	int rc = ebpf_sized_take("pipeline options", &known, sizeof(known), opts,
				 EBPF_SIZED_LEAST(struct sift_pipeline_opts, flags), err);

	if (rc < 0)
		return rc;
	if (known.source == NULL)
		return ebpf_err_set(err, -EINVAL, "a pipeline needs a source");
	if (known.flags & ~SIFT_PIPELINE_FLUSH)
		return ebpf_err_set(err, -EINVAL, "unknown flags 0x%x", known.flags);
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	p->opts = known;
	*out = p;
	return 0;
}

void
sift_pipeline_free(struct sift_pipeline *pipeline)
{
	free(pipeline);
}

static bool
has_enough(const struct sift_pipeline *p)
{
	return p->opts.max_matched != 0 && p->counters.matched >= p->opts.max_matched;
}

/*
 * Turn verdicts into what the sink is to keep, and count.  Returns how many of
 * the n packets count: those after the last one wanted were never seen.
 */
static size_t
take_verdicts(struct sift_pipeline *p, uint32_t *verdicts, size_t n)
{
	uint32_t keep = p->opts.snaplen != 0 ? p->opts.snaplen : UINT32_MAX;
	size_t i;

	for (i = 0; i < n && !has_enough(p); i++) {
		if (verdicts[i] == 0)
			continue;
		verdicts[i] = keep;
		p->counters.matched++;
	}
	p->counters.seen += i;
	return i;
}

static int
run_batch(struct sift_pipeline *p, const struct sift_view *views, size_t n, struct ebpf_err *err)
{
	uint32_t verdicts[SIFT_BATCH_MAX];
	uint64_t matched = p->counters.matched;
	int rc;

	assert(n <= SIFT_BATCH_MAX);
	if (p->opts.filter != NULL) {
		sift_filter_batch(p->opts.filter, views, n, verdicts);
	} else {
		for (size_t i = 0; i < n; i++)
			verdicts[i] = UINT32_MAX;
	}
	n = take_verdicts(p, verdicts, n);
	if (p->opts.sink == NULL)
		return 0;
	if ((rc = sift_sink_write(p->opts.sink, views, verdicts, n, err)) < 0)
		return rc;
	p->counters.written += p->counters.matched - matched;
	return p->opts.flags & SIFT_PIPELINE_FLUSH ? sift_sink_flush(p->opts.sink, err) : 0;
}

int
sift_pipeline_run(struct sift_pipeline *pipeline, struct ebpf_err *err)
{
	const struct sift_view *views;
	size_t n;
	int rc;

	while (!has_enough(pipeline)) {
		rc = sift_source_next(pipeline->opts.source, &views, &n, err);
		if (rc <= 0)
			return rc;
		if ((rc = run_batch(pipeline, views, n, err)) < 0)
			return rc;
	}
	return 0;
}

int
sift_pipeline_counters(const struct sift_pipeline *pipeline,
		       struct sift_pipeline_counters *counters, struct ebpf_err *err)
{
	return ebpf_sized_give("pipeline counters", &pipeline->counters, sizeof(pipeline->counters),
			       counters, EBPF_SIZED_LEAST(struct sift_pipeline_counters, written),
			       err);
}
