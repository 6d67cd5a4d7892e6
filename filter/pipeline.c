/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pipelines: batches from a source, judged by a filter, given to a sink.
 *
 * Where the source's packets lie in memory as pcap records, and the sink writes
 * such records, what matches is written as it lies, and views are made with no
 * more in them than the filter and the sink look at.
 */
#include <bpfsift/filter.h>

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "ebpf/err.h"
#include "ebpf/sized.h"
#include "filter/filter.h"
#include "filter/gather.h"
#include "filter/parallel.h"
#include "filter/sink.h"
#include "filter/source.h"

/* A batch of records lies in the reader's buffer, which one of them may have to itself. */
enum { GATHER_SIZE = 256 << 10 | SIFT_RECORD_HEADER };

/*
 * A block that several threads share stays in the second-level cache, its record
 * headers in the first; for less than a few of them no thread is made.
 */
enum { BLOCK = 128 << 10, LEAST = 4 * BLOCK };

struct sift_pipeline {
	struct sift_pipeline_opts opts;
	struct sift_pipeline_counters counters;
	bool is_pure;                   /* the filter looks at bytes and lengths only */
	bool is_raw;                    /* records are written as they lie */
	struct sift_gather gather;      /* where they are */
};

static bool
writes_records(const struct sift_sink *sink)
{
	return sink != NULL && sink->ops->append != NULL;
}

static int
plan(struct sift_pipeline *p, struct ebpf_err *err)
{
	const struct sift_records *records = p->opts.source->records;
	int rc;

	p->is_pure = p->opts.filter == NULL || sift_filter_is_pure(p->opts.filter);
	if (records == NULL || !writes_records(p->opts.sink))
		return 0;
	if ((rc = sift_gather_init(&p->gather, GATHER_SIZE, err)) < 0)
		return rc;
	sift_gather_set_format(&p->gather, sift_records_format(records), p->opts.sink->ts_scale);
	p->is_raw = p->gather.is_raw;
	return 0;
}

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
	if ((rc = plan(p, err)) < 0) {
		sift_pipeline_free(p);
		return rc;
	}
	*out = p;
	return 0;
}

void
sift_pipeline_free(struct sift_pipeline *pipeline)
{
	if (pipeline != NULL)
		sift_gather_destroy(&pipeline->gather);
	free(pipeline);
}

static bool
has_enough(const struct sift_pipeline *p)
{
	return p->opts.max_matched != 0 && p->counters.matched >= p->opts.max_matched;
}

static uint32_t
bytes_to_keep(const struct sift_pipeline *p)
{
	return p->opts.snaplen != 0 ? p->opts.snaplen : UINT32_MAX;
}

/*
 * Turn verdicts into what the sink is to keep, and count.  Returns how many of
 * the n packets count: those after the last one wanted were never seen.
 */
static size_t
take_verdicts(struct sift_pipeline *p, uint32_t *verdicts, size_t n)
{
	uint32_t keep = bytes_to_keep(p);
	uint64_t most = p->opts.max_matched != 0 ? p->opts.max_matched - p->counters.matched
						 : UINT64_MAX;
	size_t i, matched = 0;

	for (i = 0; i < n && matched < most; i++) {
		matched += verdicts[i] != 0;
		verdicts[i] = verdicts[i] != 0 ? keep : 0;
	}
	p->counters.matched += matched;
	p->counters.seen += i;
	return i;
}

static int
write_batch(struct sift_pipeline *p, const struct sift_view *views, const uint32_t *keep, size_t n,
	    struct ebpf_err *err)
{
	const uint8_t *bytes;

	if (!p->is_raw)
		return sift_sink_write(p->opts.sink, views, keep, n, err);
	sift_gather_reset(&p->gather);
	sift_gather_add(&p->gather, views, keep, n);
	bytes = sift_gather_bytes(&p->gather, &n);
	return sift_sink_append(p->opts.sink, bytes, n, err);
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
	matched = p->counters.matched - matched;
	if (p->opts.sink == NULL)
		return 0;
	if (matched > 0 && (rc = write_batch(p, views, verdicts, n, err)) < 0)
		return rc;
	p->counters.written += matched;
	return p->opts.flags & SIFT_PIPELINE_FLUSH ? sift_sink_flush(p->opts.sink, err) : 0;
}

static int
run_batches(struct sift_pipeline *p, struct ebpf_err *err)
{
	const struct sift_view *views;
	size_t n;
	int rc;

	while (!has_enough(p)) {
		rc = sift_source_next(p->opts.source, &views, &n, err);
		if (rc <= 0)
			return rc;
		if ((rc = run_batch(p, views, n, err)) < 0)
			return rc;
	}
	return 0;
}

/* With several threads as far as that goes; the rest is for one. */
static int
run_parallel(struct sift_pipeline *p, struct ebpf_err *err)
{
	struct sift_source *source = p->opts.source;
	struct sift_parallel parallel = {
		.name = source->info.name,
		.is_stopped = &source->is_stopped,
		.filter = p->opts.filter,
		.sink = p->opts.sink,
		.keep = bytes_to_keep(p),
		.block_size = BLOCK,
		.n_threads = p->opts.threads,
		.counters = &p->counters,
	};
	uint64_t next;
	int rc;

	if (p->opts.threads <= 1 || source->records == NULL || !p->is_pure ||
	    p->opts.max_matched != 0 || p->opts.flags & SIFT_PIPELINE_FLUSH ||
	    (p->opts.sink != NULL && !writes_records(p->opts.sink)) ||
	    !sift_records_extent(source->records, &parallel.extent) ||
	    parallel.extent.end - parallel.extent.begin < LEAST)
		return 0;
	parallel.format = sift_records_format(source->records);
	rc = sift_parallel_run(&parallel, &next, err);
	sift_records_resume(source->records, next);
	return rc;
}

/* What is looked at of a view. */
static enum sift_detail
detail_of(const struct sift_pipeline *p)
{
	if (!p->is_pure || (p->opts.sink != NULL && !writes_records(p->opts.sink)))
		return SIFT_DETAIL_ALL;
	return p->opts.sink == NULL || p->is_raw ? SIFT_DETAIL_BARE : SIFT_DETAIL_TIMED;
}

int
sift_pipeline_run(struct sift_pipeline *pipeline, struct ebpf_err *err)
{
	struct sift_records *records = pipeline->opts.source->records;
	int rc = run_parallel(pipeline, err);

	if (rc < 0)
		return rc;
	if (records != NULL)
		sift_records_set_detail(records, detail_of(pipeline));
	rc = run_batches(pipeline, err);
	/* whoever goes on with the source itself sees all of it */
	if (records != NULL)
		sift_records_set_detail(records, SIFT_DETAIL_ALL);
	return rc;
}

int
sift_pipeline_counters(const struct sift_pipeline *pipeline,
		       struct sift_pipeline_counters *counters, struct ebpf_err *err)
{
	return ebpf_sized_give("pipeline counters", &pipeline->counters, sizeof(pipeline->counters),
			       counters, EBPF_SIZED_LEAST(struct sift_pipeline_counters, written),
			       err);
}
