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
 *
 * One thread is the simple path; where several can share a file, see parallel.h, they go as
 * far as what lies before them allows, and that path goes on.
 */
#include "config.h"

#include "filter/pipeline.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "ebpf/err.h"
#include "ebpf/prog.h"
#include "ebpf/sized.h"
#include "filter/blocks.h"
#include "filter/carry.h"
#include "filter/filter.h"
#include "filter/gather.h"
#include "filter/mapped.h"
#include "filter/parallel.h"
#include "filter/series.h"
#include "filter/sink.h"
#include "filter/source.h"
#include "filter/tally.h"
#include "filter/uncancelled.h"

/*
 * A block that is read by one of several threads stays in its second-level cache; the larger
 * it is, the less do they wait for each other, if each has a few of them.  For less than a
 * few of the smallest no thread is made.
 */
enum { BLOCK = 512 << 10, SMALLEST = 128 << 10, LEAST = 4 * SMALLEST, SHARE = 4 };

/*
 * What is shorter is read: it takes longer to map.  So is what one thread keeps most of, five
 * eighths, of so many bytes: it is to be copied, which the system does better.
 */
enum { LEAST_MAPPED = 4 << 20, STRETCH = 2 << 20 };

/*
 * Pages are given back by a call that stops all threads: not too often.  Each thread has a
 * block, and what it keeps of it: the more there are, the smaller are blocks, and so each has
 * a few of them in the shortest file that is mapped.
 */
enum {
	MAPPED_BLOCK = 8 << 20,
	MAPPED_SMALLEST = 1 << 20,
	MAPPED_AT_ONCE = 32 << 20,
	LEAST_SHARED = 2 * MAPPED_AT_ONCE,
};

/* To start a thread takes as long as a few small files do. */
enum { LEAST_FILES = 16 };

struct sift_pipeline {
	struct sift_pipeline_opts opts;
	struct sift_tally tally;
	struct sift_kind *kinds; /* of the packets so far */
	size_t n_kinds;
	struct sift_kind kind;     /* of those that are judged now */
	bool is_raw;               /* records are written as they lie */
	struct sift_gather gather; /* where they are; of a sink with a file, in its buffer */
	bool has_begun;
	int sink_dlt; /* what the sink was told, or is for */
	uint32_t sink_ext, sink_snaplen;
	bool is_carried; /* blocks are, into a section that was begun */
	struct sift_carry carry;
	size_t block_size, smallest, least; /* of files that several threads share */
	size_t least_mapped, least_shared, mapped_block;
	uint64_t stretch, stretch_begin, stretch_kept; /* bytes: of one, where in the file, of it */
	size_t least_files;       /* small ones that they share */
};

/*
 * Whether packets can be given to the sink as bytes.  A sink that formats them tells kinds of
 * packets apart, of which records have one.
 */
static bool
is_appended(const struct sift_pipeline *p)
{
	const struct sift_sink_ops *ops = p->opts.sink->ops;

	return ops->append != NULL && (ops->format == NULL || p->opts.source->records != NULL);
}

static void
note_sink(struct sift_pipeline *p)
{
	const struct sift_source_info *info = &p->opts.source->info;

	p->sink_dlt = info->dlt;
	p->sink_ext = info->linktype_ext;
	p->sink_snaplen = info->snaplen;
}

static void
plan(struct sift_pipeline *p)
{
	const struct sift_records *records = p->opts.source->records;

	note_sink(p);
	if (records == NULL || p->opts.sink == NULL || !is_appended(p))
		return;
	sift_gather_set_sink(&p->gather, p->opts.sink, sift_records_format(records));
	p->is_raw = p->gather.is_raw;
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
		return ebpf_err_set(err, -EINVAL,
				    known.filter_for != NULL ? "filter and filter_for"
							     : "one filter for mixed packets");
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	p->opts = known;
	sift_tally_init(&p->tally);
	p->block_size = BLOCK;
	p->smallest = SMALLEST;
	p->least = LEAST;
	p->least_mapped = LEAST_MAPPED;
	p->least_shared = LEAST_SHARED;
	p->mapped_block = MAPPED_BLOCK;
	p->stretch = STRETCH;
	p->least_files = LEAST_FILES;
	plan(p);
	*out = p;
	return 0;
}

void
sift_pipeline_set_blocks(struct sift_pipeline *pipeline, size_t block_size, size_t least)
{
	pipeline->block_size = pipeline->smallest = block_size;
	pipeline->least = least;
	pipeline->least_mapped = pipeline->least_shared = least;
	pipeline->mapped_block = block_size;
	pipeline->stretch = 1;
	pipeline->least_files = 1;
}

void
sift_pipeline_free(struct sift_pipeline *pipeline)
{
	if (pipeline == NULL)
		return;
	sift_gather_destroy(&pipeline->gather);
	sift_carry_destroy(&pipeline->carry);
	free(pipeline->kinds);
	free(pipeline);
}

static bool
has_enough(const struct sift_pipeline *p)
{
	return p->opts.max_matched != 0 && p->tally.now.matched >= p->opts.max_matched;
}

static uint32_t
bytes_to_keep(const struct sift_pipeline *p)
{
	return p->opts.snaplen != 0 ? p->opts.snaplen : UINT32_MAX;
}

/*
 * Turn verdicts into what the sink is to keep.  Returns how many of the n packets
 * count: those after the last one wanted were never seen.
 */
static size_t
take_verdicts(const struct sift_pipeline *p, uint32_t *verdicts, size_t n)
{
	uint32_t keep = bytes_to_keep(p);
	uint64_t most =
		p->opts.max_matched != 0 ? p->opts.max_matched - p->tally.now.matched : UINT64_MAX;
	size_t i, matched = 0;

	for (i = 0; i < n && matched < most; i++) {
		matched += verdicts[i] != 0;
		verdicts[i] = verdicts[i] != 0 ? keep : 0;
	}
	return i;
}

/* ---- kinds of packets ---- */

static bool
is_kind(const struct sift_kind *kind, const struct sift_source_info *info)
{
	return kind->dlt == info->dlt && kind->expr_flags == info->expr_flags;
}

/* A kind that comes for the first time. */
static int
add_kind(struct sift_pipeline *p, struct ebpf_err *err)
{
	const struct sift_source_info *info = &p->opts.source->info;
	struct sift_kind kind = { info->dlt, info->expr_flags, .filter = p->opts.filter };
	struct sift_kind *kinds = reallocarray(p->kinds, p->n_kinds + 1, sizeof(*kinds));
	int rc;

	if (kinds == NULL)
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	p->kinds = kinds;
	if (p->opts.filter_for != NULL &&
	    (rc = p->opts.filter_for(p->opts.filter_arg, kind.dlt, kind.expr_flags, &kind.filter,
				     err)) < 0)
		return rc;
	kind.is_pure = kind.filter == NULL || sift_judge_is_pure(sift_filter_ebpf(kind.filter));
	p->kind = kinds[p->n_kinds++] = kind;
	return 0;
}

/* The filter for the packets that are next. */
static int
choose_filter(struct sift_pipeline *p, struct ebpf_err *err)
{
	for (size_t i = 0; i < p->n_kinds; i++) {
		if (is_kind(&p->kinds[i], &p->opts.source->info)) {
			p->kind = p->kinds[i];
			return 0;
		}
	}
	return add_kind(p, err);
}

/* What is looked at of a view. */
static enum sift_detail
detail_of(const struct sift_pipeline *p)
{
	bool is_written = p->opts.sink != NULL && !p->is_carried;

	if (!p->kind.is_pure || (is_written && !is_appended(p)))
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

	if (!source->is_mixed || is_kind(&p->kind, &source->info))
		return 0;
	if ((rc = choose_filter(p, err)) < 0)
		return ebpf_err_prefix(err, rc, "%s", source->info.name);
	if ((after = detail_of(p)) == before)
		return 0;
	set_detail(p, after);
	if (source->blocks != NULL)
		sift_blocks_complete(source->blocks);
	return 0;
}

/*
 * The filter was replaced by one that looks at more than views have so far: those of this
 * batch are completed, and it stays so, whatever comes next.
 */
static void
look_at_all(struct sift_pipeline *p, size_t n)
{
	enum sift_detail before = detail_of(p);

	p->kind.is_pure = false;
	for (size_t i = 0; i < p->n_kinds; i++) {
		if (is_kind(&p->kinds[i], &p->opts.source->info))
			p->kinds[i].is_pure = false;
	}
	if (before == SIFT_DETAIL_ALL)
		return;
	set_detail(p, SIFT_DETAIL_ALL);
	if (p->opts.source->records != NULL)
		sift_records_complete(p->opts.source->records, n);
	if (p->opts.source->blocks != NULL)
		sift_blocks_complete(p->opts.source->blocks);
}

/*
 * Have one filter judge a batch as a whole, be it replaced meanwhile.  Returns what it is;
 * NULL: there is none, and all match.
 */
static const struct ebpf_prog *
judge_batch(struct sift_pipeline *p, const struct sift_view *views, size_t n, uint32_t *verdicts)
{
	const struct ebpf_prog *judge;

	if (p->kind.filter == NULL) {
		for (size_t i = 0; i < n; i++)
			verdicts[i] = UINT32_MAX;
		return NULL;
	}
	judge = sift_filter_ebpf(p->kind.filter);
	if (p->kind.is_pure && !sift_judge_is_pure(judge))
		look_at_all(p, n);
	ebpf_prog_run_many(judge, views, sizeof(*views), n, verdicts);
	return judge;
}

/* ---- what the sink holds ---- */

/* Of the source's packets, the longest that the sink will see. */
static uint32_t
longest(const struct sift_pipeline *p)
{
	const struct sift_source_info *info = &p->opts.source->info;
	uint32_t keep = bytes_to_keep(p);

	return keep < info->snaplen ? keep : info->snaplen;
}

/* The first of the sink's packets. */
static int
begin_source(struct sift_pipeline *p, struct ebpf_err *err)
{
	note_sink(p);
	return sift_sink_begin(p->opts.sink, &p->opts.source->info, longest(p), err);
}

/* Those that come are of another kind. */
static int
turn_to_kind(struct sift_pipeline *p, struct ebpf_err *err)
{
	note_sink(p);
	return sift_sink_turn(p->opts.sink, &p->opts.source->info, longest(p), err);
}

/* A packet that the sink, of one kind of packets, is not for; its number is i. */
static int
refuse_kind(const struct sift_pipeline *p, const struct sift_view *view, size_t i,
	    struct ebpf_err *err)
{
	const struct sift_source *source = p->opts.source;
	const char *ours = sift_linktype_name(p->sink_dlt);
	const char *other = sift_linktype_name(source->info.dlt);
	const struct sift_blocks_interface *itf;
	unsigned long long off;

	if (source->blocks == NULL)
		return ebpf_err_set(
			err, -EPROTOTYPE,
			"%s: a packet has link type %s, which the output cannot hold beside %s",
			source->info.name, other != NULL ? other : "(unnamed)",
			ours != NULL ? ours : "(unnamed)");
	itf = sift_blocks_interface(source->blocks, i);
	off = itf->off;

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

static bool
has_matches(const uint32_t *keep, size_t n)
{
	size_t i = 0;

	while (i < n && keep[i] == 0)
		i++;
	return i < n;
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

	if (p->opts.sink == NULL || p->is_carried ||
	    (info->dlt == p->sink_dlt && info->linktype_ext == p->sink_ext &&
	     info->snaplen == p->sink_snaplen))
		return 0;
	if (p->opts.sink->ops->begin != NULL)
		return has_matches(keep, *n) ? turn_to_kind(p, err) : 0;
	for (size_t i = 0; i < *n; i++) {
		uint32_t caplen = views[i].caplen < keep[i] ? views[i].caplen : keep[i];

		if (keep[i] != 0 && (info->dlt != p->sink_dlt || caplen > p->sink_snaplen)) {
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
		return begin_source(p, err);
	p->is_carried = true;
	head = sift_blocks_head(blocks, &n);
	if ((rc = sift_sink_carry(sink, head, n, err)) < 0)
		return rc;
	/* as a file's header is: it is seen at once if that cannot be written */
	return sift_sink_flush(sink, err);
}

/* ---- batches ---- */

/* A carried batch's bytes go to the sink as they come. */
static int
put_carried(void *sink, const uint8_t *bytes, size_t n, bool stays, struct ebpf_err *err)
{
	(void)stays;
	return sift_sink_carry(sink, bytes, n, err);
}

static bool
is_mapped(const struct sift_pipeline *p)
{
	return p->opts.source->records != NULL && sift_records_is_mapped(p->opts.source->records);
}

/* What is formatted from where it was read to goes there at once. */
static bool
is_gathered(const struct sift_pipeline *p)
{
	return p->opts.sink != NULL && (p->is_raw || is_mapped(p));
}

/* As it is to be written, while it is not sure that the batch is as it seems. */
static int
gather(struct sift_pipeline *p, const struct sift_view *views, const uint32_t *keep, size_t n,
       size_t size, struct ebpf_err *err)
{
	uint8_t *room;
	int rc;

	if (p->opts.sink->file == NULL)
		rc = sift_gather_reset(&p->gather, size, err);
	else if ((rc = sift_sink_reserve(p->opts.sink, size, &room, err)) == 0)
		sift_gather_into(&p->gather, room, size);
	if (rc < 0)
		return rc;
	sift_gather_add(&p->gather, views, keep, n);
	if (is_mapped(p))
		sift_gather_own(&p->gather);
	return 0;
}

static int
write_gathered(struct sift_pipeline *p, struct ebpf_err *err)
{
	size_t n;
	const uint8_t *bytes = sift_gather_bytes(&p->gather, &n);

	if (p->opts.sink->file == NULL || bytes != p->gather.to)
		return sift_sink_append(p->opts.sink, bytes, n, err);
	sift_sink_commit(p->opts.sink, n);
	return 0;
}

static int
write_matches(struct sift_pipeline *p, const struct sift_view *views, const uint32_t *keep,
	      size_t n, bool is_all, uint64_t matched, struct ebpf_err *err)
{
	int rc = 0;

	if (p->opts.sink == NULL)
		return 0;
	if (p->is_carried)
		rc = sift_carry_batch(&p->carry, p->opts.source->blocks, views, keep, n, is_all,
				      put_carried, p->opts.sink, err);
	else if (matched > 0)
		rc = is_gathered(p) ? write_gathered(p, err)
				    : sift_sink_write(p->opts.sink, views, keep, n, err);
	if (rc < 0)
		return rc;
	p->tally.now.written += matched;
	return p->opts.flags & SIFT_PIPELINE_FLUSH ? sift_sink_flush(p->opts.sink, err) : 0;
}

static bool
is_lost(const struct sift_pipeline *p)
{
	return p->opts.source->records != NULL && sift_records_lost(p->opts.source->records);
}

/*
 * As many as fit are judged and written, and then it is told what is wrong with the next.
 * What was lost meanwhile comes again, and is not counted.
 */
static int
run_batch(struct sift_pipeline *p, const struct sift_view *views, size_t n, struct ebpf_err *err)
{
	uint32_t verdicts[SIFT_BATCH_MAX];
	const struct ebpf_prog *judge;
	struct ebpf_err unfit;
	size_t in_batch = n, matched, too_short = 0, room = 0;
	int rc, written = 0;

	assert(n <= SIFT_BATCH_MAX);
	judge = judge_batch(p, views, n, verdicts);
	n = take_verdicts(p, verdicts, n);
	rc = fit_kind(p, views, verdicts, &n, &unfit);
	if (rc < 0 && rc != -EPROTOTYPE)
		return ebpf_err_set(err, rc, "%s", unfit.text);
	if (judge != NULL)
		too_short = sift_judge_too_short(judge, views, verdicts, n);
	matched = sift_count_matches(verdicts, n);
	if (matched > 0 && p->opts.sink != NULL && p->opts.source->records != NULL)
		room = sift_gather_room(&p->gather, views, verdicts, n);
	p->stretch_kept += room;
	if (matched > 0 && is_gathered(p))
		written = gather(p, views, verdicts, n, room, err);
	if (is_lost(p))
		return written;
	p->tally.now.seen += n;
	p->tally.now.matched += matched;
	p->tally.now.too_short += too_short;
	if (written == 0)
		written = write_matches(p, views, verdicts, n, n == in_batch, matched, err);
	return written < 0 || rc == 0 ? written : ebpf_err_set(err, rc, "%s", unfit.text);
}

/* No filter for the batch: what precedes its first packet is not held back for that. */
static void
write_front(struct sift_pipeline *p)
{
	const struct sift_blocks *blocks = p->opts.source->blocks;
	size_t n_bytes, n;
	const uint8_t *bytes;

	if (!p->is_carried)
		return;
	bytes = sift_blocks_bytes(blocks, &n_bytes);
	n = sift_blocks_places(blocks)[0].begin;
	assert(n <= n_bytes);
	if (n > 0)
		sift_sink_carry(p->opts.sink, bytes, n, NULL);
}

/*
 * Whether all that is made of a file's bytes is thrown away if they are lost, and nobody goes
 * by what is in them after that, as who divides them among files does.
 */
static bool
may_map(const struct sift_pipeline *p)
{
	const struct sift_records *records = p->opts.source->records;

	return records != NULL && sift_records_may_map(records) &&
	       (p->opts.sink == NULL ||
		(p->opts.sink->file != NULL &&
		 (p->is_raw || p->opts.sink->ops->format != NULL)));
}

/* Map the file or read it, by what was kept of the last stretch. */
static void
choose_way(struct sift_pipeline *p)
{
	struct sift_records *records = p->opts.source->records;
	uint64_t off = sift_records_offset(records), passed = off - p->stretch_begin;

	if (passed < p->stretch)
		return;
	if (p->stretch_kept > passed / 8 * 5)
		sift_records_unmap(records);
	else
		sift_records_map(records, p->least_mapped);
	p->stretch_begin = off;
	p->stretch_kept = 0;
}

/*
 * To the end.  1: packets of a kind came for the first time, which several threads may go on
 * with.
 */
static int
run_batches(struct sift_pipeline *p, struct ebpf_err *err)
{
	size_t n_kinds = p->n_kinds, n;
	const struct sift_view *views;
	int rc;

	while (!has_enough(p)) {
		rc = sift_source_next(p->opts.source, &views, &n, err);
		if (rc <= 0)
			return rc;
		if ((rc = take_kind(p, err)) < 0) {
			write_front(p);
			return rc;
		}
		rc = run_batch(p, views, n, err);
		sift_tally_publish(&p->tally);
		if (rc < 0)
			return rc;
		if (may_map(p))
			choose_way(p);
		if (p->opts.between != NULL &&
		    (rc = p->opts.between(p->opts.between_arg, err)) != 0)
			return rc < 0 ? rc : 0;
		if (p->n_kinds != n_kinds)
			return 1;
	}
	return 0;
}

/* Whether packets can be judged side by side. */
static bool
is_for_crew(const struct sift_pipeline *p)
{
	bool is_written = p->opts.sink != NULL && !p->is_carried;

	return p->kind.is_pure && !(p->opts.flags & SIFT_PIPELINE_FLUSH) &&
	       (!is_written || is_appended(p));
}

/* Whether several threads can do it, and what lies before them. */
static bool
is_for_threads(const struct sift_pipeline *p, struct sift_extent *extent)
{
	const struct sift_source *source = p->opts.source;

	if (p->opts.threads <= 1 || p->opts.max_matched != 0 || !is_for_crew(p))
		return false;
	if (source->records != NULL
		    ? !sift_records_extent(source->records, extent)
		    : source->blocks == NULL || !sift_blocks_extent(source->blocks, extent))
		return false;
	return extent->end - extent->begin >= p->least;
}

static int
between_blocks(void *arg, uint64_t next, struct ebpf_err *err)
{
	struct sift_pipeline *p = arg;

	p->opts.source->reached = next;
	return p->opts.between(p->opts.between_arg, err);
}

/* The size of blocks of which each thread has some. */
static size_t
divide(const struct sift_pipeline *p, uint64_t length)
{
	uint64_t size = length / ((uint64_t)SHARE * p->opts.threads);

	if (size > p->block_size)
		size = p->block_size;
	return size > p->smallest ? (size_t)size : p->smallest;
}

/* Those of a file that is mapped. */
static size_t
divide_mapped(const struct sift_pipeline *p)
{
	size_t size = MAPPED_AT_ONCE / p->opts.threads / MAPPED_SMALLEST * MAPPED_SMALLEST;

	if (size < MAPPED_SMALLEST)
		size = MAPPED_SMALLEST;
	return size < p->mapped_block ? size : p->mapped_block;
}

/* What several threads filter they write by turns. */
static int
share(const struct sift_pipeline *p, bool is_shared, struct ebpf_err *err)
{
	bool is_written = p->opts.sink != NULL && p->opts.threads > 1;

	return is_written ? sift_sink_share(p->opts.sink, is_shared, err) : 0;
}

static int
run_extent(struct sift_pipeline *p, struct sift_parallel *parallel, struct ebpf_err *err)
{
	struct sift_source *source = p->opts.source;
	uint64_t next;
	int rc;

	if (!is_for_threads(p, &parallel->extent))
		return 0;
	parallel->mapped_block = divide_mapped(p);
	parallel->block_size = divide(p, parallel->extent.end - parallel->extent.begin);
	if (source->records != NULL)
		parallel->format = sift_records_format(source->records);
	if (may_map(p) && parallel->extent.end - parallel->extent.begin >= p->least_shared)
		parallel->map = sift_records_mapping(source->records);
	rc = sift_parallel_run(parallel, &next, err);
	if (source->records != NULL)
		sift_records_resume(source->records, next);
	else
		sift_blocks_resume(source->blocks, next);
	return rc;
}

static int
run_series(struct sift_pipeline *p, struct sift_parallel *parallel, struct ebpf_err *err)
{
	struct sift_source *source = p->opts.source;

	if (!is_for_crew(p))
		return 0;
	parallel->format = sift_series_format(source);
	parallel->max_matched = p->opts.max_matched;
	if (parallel->n_threads == 0 || sift_series_length(source) < p->least_files)
		parallel->n_threads = 1;
	return sift_parallel_run_series(parallel, source, err);
}

/* With several threads as far as that goes; the rest is for one.  1: there is none. */
static int
run_parallel(struct sift_pipeline *p, struct ebpf_err *err)
{
	struct sift_source *source = p->opts.source;
	struct sift_parallel parallel = {
		.ops = source->blocks != NULL ? &sift_parallel_blocks : &sift_parallel_records,
		.name = source->info.name,
		.is_stopped = &source->is_stopped,
		.blocks = source->blocks,
		.kinds = p->kinds,
		.n_kinds = p->n_kinds,
		.sink = p->opts.sink,
		.is_carried = p->is_carried,
		.sink_dlt = p->sink_dlt,
		.sink_snaplen = p->sink_snaplen,
		.keep = bytes_to_keep(p),
		.n_threads = p->opts.threads,
		.tally = &p->tally,
		.between = p->opts.between != NULL ? between_blocks : NULL,
		.between_arg = p,
	};
	int rc;

	if ((rc = share(p, true, err)) < 0)
		return rc;
	rc = source->is_series ? run_series(p, &parallel, err) : run_extent(p, &parallel, err);
	share(p, false, NULL);
	return rc;
}

static int
run_source(struct sift_pipeline *p, struct ebpf_err *err)
{
	int rc;

	do {
		if ((rc = run_parallel(p, err)) != 0)
			return rc < 0 ? rc : 0;
		set_detail(p, detail_of(p));
		if (may_map(p))
			sift_records_map(p->opts.source->records, p->least_mapped);
		rc = run_batches(p, err);
		if (p->opts.source->records != NULL)
			sift_records_unmap(p->opts.source->records);
	} while (rc == 1);
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

static int
run(struct sift_pipeline *pipeline, struct ebpf_err *err)
{
	int rc = choose_filter(pipeline, err), stats;

	if (rc < 0 || (rc = begin_sink(pipeline, err)) < 0)
		return rc;
	rc = run_source(pipeline, err);
	/* whoever goes on with the source itself sees all of it */
	set_detail(pipeline, SIFT_DETAIL_ALL);
	if (pipeline->is_carried)
		sift_blocks_carry_no_more(pipeline->opts.source->blocks);
	stats = write_stats(pipeline, rc == 0 ? err : NULL);
	return rc < 0 ? rc : stats;
}

int
sift_pipeline_run(struct sift_pipeline *pipeline, struct ebpf_err *err)
{
	int cancel = sift_cancel_hold(), rc = run(pipeline, err);

	sift_cancel_allow(cancel);
	return rc;
}

int
sift_pipeline_counters(const struct sift_pipeline *pipeline,
		       struct sift_pipeline_counters *counters, struct ebpf_err *err)
{
	const struct sift_pipeline_counters known = sift_tally_read(&pipeline->tally);

	return ebpf_sized_give("pipeline counters", &known, sizeof(known), counters,
			       EBPF_SIZED_LEAST(struct sift_pipeline_counters, written), err);
}
