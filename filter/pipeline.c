/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pipelines: batches from a source, judged by a filter, given to a sink.
 *
 * Where the source's packets lie in memory as pcap records, and the sink writes
 * such records, what matches is written as it lies, and views are made with no
 * more in them than the filter and the sink look at.  So it is with pcapng blocks;
 * with them goes all else that is in the file.
 *
 * A source's packets may change in kind, from one batch to the next.  The filter is then
 * another one, and the sink is told, if it can hold them.
 */
#include <bpfsift/filter.h>

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "ebpf/err.h"
#include "ebpf/sized.h"
#include "filter/blocks.h"
#include "filter/carry.h"
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
	const struct sift_filter *filter; /* for packets of this kind; NULL: all match */
	int dlt;
	unsigned expr_flags;
	bool is_pure;                   /* the filter looks at bytes and lengths only */
	bool is_raw;                    /* records are written as they lie */
	struct sift_gather gather;      /* where they are */
	bool has_begun;
	int sink_dlt;                   /* what the sink was told, or is for */
	uint32_t sink_snaplen;
	bool is_carried;                /* blocks are, into a section that was begun */
	struct sift_carry carry;
};

static bool
writes_records(const struct sift_sink *sink)
{
	return sink != NULL && sink->ops->append != NULL;
}

static void
set_filter(struct sift_pipeline *p, const struct sift_filter *filter)
{
	p->filter = filter;
	p->is_pure = filter == NULL || sift_filter_is_pure(filter);
}

static int
plan(struct sift_pipeline *p, struct ebpf_err *err)
{
	const struct sift_source_info *info = &p->opts.source->info;
	const struct sift_records *records = p->opts.source->records;
	int rc;

	set_filter(p, p->opts.filter);
	p->sink_dlt = info->dlt;
	p->sink_snaplen = info->snaplen;
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
	if (known.filter != NULL && (known.filter_for != NULL || known.source->is_mixed))
		return ebpf_err_set(err, -EINVAL, known.filter_for != NULL
							  ? "filter and filter_for"
							  : "one filter for mixed packets");
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
	if (pipeline == NULL)
		return;
	sift_gather_destroy(&pipeline->gather);
	sift_carry_destroy(&pipeline->carry);
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

/* ---- kinds of packets ---- */

/* The filter for the packets that are next. */
static int
choose_filter(struct sift_pipeline *p, struct ebpf_err *err)
{
	const struct sift_source_info *info = &p->opts.source->info;
	const struct sift_filter *filter = NULL;
	int rc;

	p->dlt = info->dlt;
	p->expr_flags = info->expr_flags;
	if (p->opts.filter_for == NULL)
		return 0;
	rc = p->opts.filter_for(p->opts.filter_arg, info->dlt, info->expr_flags, &filter, err);
	if (rc == 0)
		set_filter(p, filter);
	return rc;
}

/* What is looked at of a view. */
static enum sift_detail
detail_of(const struct sift_pipeline *p)
{
	bool is_written = p->opts.sink != NULL && !p->is_carried;

	if (!p->is_pure || (is_written && !writes_records(p->opts.sink)))
		return SIFT_DETAIL_ALL;
	return !is_written || p->is_raw ? SIFT_DETAIL_BARE : SIFT_DETAIL_TIMED;
}

static void
set_detail(const struct sift_pipeline *p, enum sift_detail detail)
{
	if (p->opts.source->records != NULL)
		sift_records_set_detail(p->opts.source->records, detail);
	if (p->opts.source->blocks != NULL)
		sift_blocks_set_detail(p->opts.source->blocks, detail);
}

/* The batch that was just read may be of another kind than the one before. */
static int
take_kind(struct sift_pipeline *p, struct ebpf_err *err)
{
	const struct sift_source *source = p->opts.source;
	enum sift_detail before = detail_of(p), after;
	int rc;

	if (!source->is_mixed ||
	    (source->info.dlt == p->dlt && source->info.expr_flags == p->expr_flags))
		return 0;
	if ((rc = choose_filter(p, err)) < 0)
		return ebpf_err_prefix(err, rc, "%s", source->info.name);
	if ((after = detail_of(p)) == before)
		return 0;
	set_detail(p, after);
	sift_blocks_complete(source->blocks);
	return 0;
}

/* ---- what the sink holds ---- */

/* The first of the sink's packets, or the first of another kind. */
static int
begin_kind(struct sift_pipeline *p, struct ebpf_err *err)
{
	const struct sift_source_info *info = &p->opts.source->info;
	uint32_t keep = bytes_to_keep(p);

	p->sink_dlt = info->dlt;
	p->sink_snaplen = info->snaplen;
	return sift_sink_begin(p->opts.sink, info, keep < info->snaplen ? keep : info->snaplen,
			       err);
}

/* A packet that the sink, of one kind of packets, is not for; its number is i. */
static int
refuse_kind(const struct sift_pipeline *p, const struct sift_view *view, size_t i,
	    struct ebpf_err *err)
{
	const struct sift_source *source = p->opts.source;
	const struct sift_blocks_interface *itf = sift_blocks_interface(source->blocks, i);
	const char *ours = sift_linktype_name(p->sink_dlt), *other = sift_linktype_name(itf->dlt);
	unsigned long long off = itf->off;

	if (itf->dlt == p->sink_dlt)
		return ebpf_err_set(
			err, -EPROTOTYPE,
			"%s: offset %llu: interface %u has packets of %u bytes, and the output has a snapshot length of %u",
			source->info.name, off, itf->index, view->caplen, p->sink_snaplen);
	return ebpf_err_set(
		err, -EPROTOTYPE,
		"%s: offset %llu: interface %u has link type %s, which the output cannot hold beside %s",
		source->info.name, off, itf->index, other != NULL ? other : "(unnamed)",
		ours != NULL ? ours : "(unnamed)");
}

/*
 * Whether the sink can hold the batch's matches.  In a pcap file, readers would cut packets
 * beyond its snapshot length.  *n becomes how many it can hold before one that it cannot.
 */
static int
fit_kind(struct sift_pipeline *p, const struct sift_view *views, const uint32_t *keep, size_t *n,
	 struct ebpf_err *err)
{
	const struct sift_source_info *info = &p->opts.source->info;

	if (p->is_carried || (info->dlt == p->sink_dlt && info->snaplen == p->sink_snaplen))
		return 0;
	if (p->opts.sink->ops->begin != NULL)
		return begin_kind(p, err);
	for (size_t i = 0; i < *n; i++) {
		uint32_t caplen = views[i].caplen < keep[i] ? views[i].caplen : keep[i];

		if (keep[i] != 0 &&
		    (info->dlt != p->sink_dlt || caplen > p->sink_snaplen)) {
			*n = i;
			return refuse_kind(p, &views[i], i, err);
		}
	}
	return 0;
}

/* Where the blocks of a file are copied, with all that precedes its first batch. */
static int
begin_sink(struct sift_pipeline *p, struct ebpf_err *err)
{
	struct sift_blocks *blocks = p->opts.source->blocks;
	struct sift_sink *sink = p->opts.sink;
	const uint8_t *head;
	size_t n;
	int rc;

	if (sink == NULL || sink->ops->begin == NULL || p->has_begun)
		return 0;
	p->has_begun = true;
	if (blocks == NULL || sink->ops->carry == NULL || !sift_blocks_carry(blocks))
		return begin_kind(p, err);
	p->is_carried = true;
	head = sift_blocks_head(blocks, &n);
	if ((rc = sift_sink_carry(sink, head, n, err)) < 0)
		return rc;
	/* as a file's header is: it is seen at once if that cannot be written */
	return sift_sink_flush(sink, err);
}

/* ---- batches ---- */

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

/* As many as fit, and then what is wrong with the next. */
static int
write_fitting(struct sift_pipeline *p, const struct sift_view *views, const uint32_t *keep,
	      size_t n, struct ebpf_err *err)
{
	struct ebpf_err unfit;
	int rc = fit_kind(p, views, keep, &n, &unfit), written;

	if (rc < 0 && rc != -EPROTOTYPE)
		return ebpf_err_set(err, rc, "%s", unfit.text);
	written = n > 0 ? write_batch(p, views, keep, n, err) : 0;
	return written < 0 || rc == 0 ? written : ebpf_err_set(err, rc, "%s", unfit.text);
}

static int
run_batch(struct sift_pipeline *p, const struct sift_view *views, size_t n, struct ebpf_err *err)
{
	uint32_t verdicts[SIFT_BATCH_MAX];
	uint64_t matched = p->counters.matched;
	size_t in_batch = n;
	int rc;

	assert(n <= SIFT_BATCH_MAX);
	if (p->filter != NULL) {
		sift_filter_batch(p->filter, views, n, verdicts);
	} else {
		for (size_t i = 0; i < n; i++)
			verdicts[i] = UINT32_MAX;
	}
	n = take_verdicts(p, verdicts, n);
	matched = p->counters.matched - matched;
	if (p->opts.sink == NULL)
		return 0;
	if (p->is_carried)
		rc = sift_carry_batch(&p->carry, p->opts.source->blocks, views, verdicts, n,
				      n == in_batch, p->opts.sink, err);
	else
		rc = matched > 0 ? write_fitting(p, views, verdicts, n, err) : 0;
	if (rc < 0)
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
		if ((rc = take_kind(p, err)) < 0)
			return rc;
		if ((rc = run_batch(p, views, n, err)) < 0)
			return rc;
		if (p->opts.between != NULL &&
		    (rc = p->opts.between(p->opts.between_arg, err)) != 0)
			return rc < 0 ? rc : 0;
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
		.filter = p->filter,
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

/* What a live source counted, where the sink has a place for it; no packet depends on it. */
static int
write_stats(struct sift_pipeline *p, struct ebpf_err *err)
{
	struct sift_source_stats stats = { .size = sizeof(stats) };
	const struct sift_source *source = p->opts.source;

	if (source->ops->stats == NULL || p->opts.sink == NULL ||
	    p->opts.sink->ops->put_stats == NULL || p->opts.sink->failed != 0 ||
	    sift_source_stats(p->opts.source, &stats, NULL) < 0)
		return 0;
	return sift_sink_put_stats(p->opts.sink, &stats, err);
}

int
sift_pipeline_run(struct sift_pipeline *pipeline, struct ebpf_err *err)
{
	int rc = choose_filter(pipeline, err), stats;

	if (rc < 0 || (rc = begin_sink(pipeline, err)) < 0 ||
	    (rc = run_parallel(pipeline, err)) < 0)
		return rc;
	set_detail(pipeline, detail_of(pipeline));
	rc = run_batches(pipeline, err);
	/* whoever goes on with the source itself sees all of it */
	set_detail(pipeline, SIFT_DETAIL_ALL);
	if (pipeline->is_carried)
		sift_blocks_carry_no_more(pipeline->opts.source->blocks);
	stats = write_stats(pipeline, rc == 0 ? err : NULL);
	return rc < 0 ? rc : stats;
}

int
sift_pipeline_counters(const struct sift_pipeline *pipeline,
		       struct sift_pipeline_counters *counters, struct ebpf_err *err)
{
	return ebpf_sized_give("pipeline counters", &pipeline->counters, sizeof(pipeline->counters),
			       counters, EBPF_SIZED_LEAST(struct sift_pipeline_counters, written),
			       err);
}
