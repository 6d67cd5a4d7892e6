/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several threads on the blocks of a pcapng file.
 *
 * The walk takes in what blocks say of sections and interfaces, and each thread begins its
 * own block with what holds there.  Whatever is wrong with a packet its judge finds, which
 * ends in front of it: the file's reader meets it again.
 */
#include "config.h"

#include <assert.h>
#include <stdlib.h>

#include "ebpf/prog.h"
#include "filter/carry.h"
#include "filter/filter.h"
#include "filter/gather.h"
#include "filter/parallel.h"
#include "filter/section.h"
#include "filter/sink.h"

struct walker {
	const struct sift_section_rule *rule;
	struct sift_section section;
	uint64_t n_changes;         /* of it */
	struct sift_section halted; /* as it was where a judge has ended early */
	bool is_halted;
};

struct judge {
	const struct sift_parallel *job;
	struct sift_blocks *blocks;
	uint64_t n_changes; /* of the walk's section, as far as this one's has them */
	struct sift_gather gather;
	struct sift_carry carry;
	uint32_t verdicts[SIFT_BATCH_MAX];
};

static void
walker_free(void *walker)
{
	struct walker *w = walker;

	sift_section_destroy(&w->section);
	sift_section_destroy(&w->halted);
	free(w);
}

static void *
walker_new(const struct sift_parallel *job)
{
	struct walker *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->rule = sift_blocks_rule(job->blocks);
	w->n_changes = 1;
	if (sift_section_copy(&w->section, sift_blocks_section(job->blocks), NULL) < 0) {
		walker_free(w);
		return NULL;
	}
	return w;
}

/* Take in a block that is there whole, and tells of a section or an interface. */
static bool
take_block(struct walker *w, const uint8_t *p, uint32_t total, bool is_swapped, uint64_t off)
{
	struct sift_block_body body = sift_block_body(p, total, is_swapped);

	if (load32(p + total - SIFT_BLOCK_TRAILER, is_swapped) != total)
		return false;
	w->n_changes++;
	return body.type == SIFT_BLOCK_SECTION
		       ? sift_section_begin(&w->section, &body, NULL) == 0
		       : sift_section_take_interface(&w->section, w->rule, &body, off, NULL) == 0;
}

/* Follow one block.  0: done, or the walk has ended; else so many bytes of it are wanted. */
static size_t
follow_block(struct walker *w, struct sift_walk *walk)
{
	const uint8_t *p = walk->p + (walk->next - walk->off);
	size_t there = (size_t)(walk->p + walk->n - p);
	uint64_t left = walk->end - walk->next;
	uint32_t type, total = 0;
	bool is_swapped = false;

	if (left >= SIFT_BLOCK_HEADER + SIFT_BLOCK_TRAILER) {
		is_swapped = sift_section_order(&w->section, w->rule, p, there);
		total = load32(p + 4, is_swapped);
	}
	if (total > left || sift_block_check_length(total, NULL) < 0) {
		walk->has_ended = true;
		return 0;
	}
	type = load32(p, is_swapped);
	if (type == SIFT_BLOCK_SECTION || type == SIFT_BLOCK_INTERFACE) {
		if (there < total)
			return (size_t)(walk->next - walk->off) + total;
		if (!take_block(w, p, total, is_swapped, walk->next)) {
			walk->has_ended = true;
			return 0;
		}
	}
	walk->next += total;
	return 0;
}

static size_t
follow(void *walker, void *judge, struct sift_walk *walk)
{
	struct walker *w = walker;
	struct judge *j = judge;
	size_t wanted = 0;

	if (j->n_changes != w->n_changes &&
	    sift_blocks_set_section(j->blocks, &w->section, NULL) < 0)
		walk->has_ended = true;
	while (wanted == 0 && !walk->has_ended && walk->next < walk->stop)
		wanted = follow_block(w, walk);
	j->n_changes = w->n_changes;
	return wanted;
}

/* ---- judging ---- */

static const struct sift_kind *
kind_of(const struct judge *j)
{
	const struct sift_parallel *job = j->job;
	bool is_swapped = sift_blocks_is_swapped(j->blocks);

	for (size_t i = 0; i < job->n_kinds; i++) {
		const struct sift_kind *kind = &job->kinds[i];

		if (!sift_blocks_rule(j->blocks)->is_mixed ||
		    (kind->dlt == sift_blocks_dlt(j->blocks) &&
		     !!(kind->expr_flags & SIFT_EXPR_SWAPPED) == is_swapped))
			return kind->is_pure ? kind : NULL;
	}
	return NULL;
}

/* How many of n packets come before the first that matches and that the sink is not for. */
static size_t
count_fitting(const struct judge *j, const struct sift_view *views, size_t n)
{
	const struct sift_parallel *job = j->job;
	bool is_other = sift_blocks_dlt(j->blocks) != job->sink_dlt;

	if (job->sink == NULL || job->is_carried)
		return n;
	for (size_t i = 0; i < n; i++) {
		uint32_t len = views[i].caplen < job->keep ? views[i].caplen : job->keep;

		if (j->verdicts[i] != 0 && (is_other || len > job->sink_snaplen))
			return i;
	}
	return n;
}

/* What is to be written of a carried batch; what was cut lies where the next one will. */
static int
put(void *arg, const uint8_t *bytes, size_t n, bool stays, struct ebpf_err *err)
{
	(void)err;
	sift_gather_add_bytes(arg, bytes, n, stays);
	return 0;
}

/* The blocks in front of the batch's first packet. */
static void
carry_front(struct judge *j)
{
	size_t n;
	const uint8_t *bytes = sift_blocks_bytes(j->blocks, &n);

	if (j->job->is_carried)
		sift_gather_add_bytes(&j->gather, bytes, sift_blocks_places(j->blocks)[0].begin,
				      true);
}

/* Whether all of the batch was judged, and put down; else it ends before what was not. */
static bool
judge_batch(struct judge *j, const struct sift_view *views, size_t n, struct sift_judged *judged)
{
	const struct sift_parallel *job = j->job;
	const struct sift_kind *kind = n > 0 ? kind_of(j) : NULL;
	const struct sift_filter *filter = kind != NULL ? kind->filter : NULL;
	const struct ebpf_prog *prog = NULL;
	size_t n_fitting, n_matched;

	if (n > 0 && kind == NULL) {
		carry_front(j);
		sift_blocks_go_back(j->blocks, 0);
		return false;
	}
	if (filter != NULL) {
		/* one for the batch, which was pure when the work began */
		prog = sift_filter_ebpf(filter);
		if (!sift_judge_is_pure(prog))
			sift_blocks_complete(j->blocks);
		ebpf_prog_run_many(prog, views, sizeof(*views), n, j->verdicts);
	}
	for (size_t i = 0; i < n; i++) {
		bool matches = filter == NULL || j->verdicts[i] != 0;

		j->verdicts[i] = matches ? job->keep : 0;
	}
	n_fitting = count_fitting(j, views, n);
	n_matched = sift_count_matches(j->verdicts, n_fitting);
	judged->n_seen += n_fitting;
	judged->n_matched += n_matched;
	if (prog != NULL)
		judged->n_too_short += sift_judge_too_short(prog, views, j->verdicts, n_fitting);
	if (job->is_carried) {
		int rc = sift_carry_batch(&j->carry, j->blocks, views, j->verdicts, n, true, put,
					  &j->gather, NULL);

		assert(rc == 0 && "there is room for whatever is cut");
		(void)rc;
	} else if (job->sink != NULL && n_matched > 0) {
		sift_gather_add(&j->gather, views, j->verdicts, n_fitting);
	}
	if (n_fitting == n)
		return true;
	sift_blocks_go_back(j->blocks, n_fitting);
	return false;
}

/* A simple packet that is cut becomes longer by what it lacks to be an enhanced one. */
static size_t
most_of(const struct judge *j, size_t n)
{
	enum { LEAST = SIFT_BLOCK_HEADER + 4 + SIFT_BLOCK_TRAILER };

	return j->job->is_carried && j->job->keep != UINT32_MAX
		       ? n + n / LEAST * sift_block_cut_max(0)
		       : n;
}

static void
judge(void *judge, uint8_t *p, size_t n, uint64_t off, struct sift_judged *judged)
{
	struct judge *j = judge;
	const struct sift_view *views;
	size_t n_views;

	if (sift_gather_reset(&j->gather, most_of(j, n), NULL) < 0 ||
	    (j->job->is_carried && sift_carry_reserve(&j->carry, n, NULL) < 0))
		return;
	sift_blocks_point(j->blocks, p, n, off);
	while (sift_blocks_next(j->blocks, &views, &n_views, NULL) == 1)
		if (!judge_batch(j, views, n_views, judged))
			break;
	judged->bytes = sift_gather_bytes(&j->gather, &judged->n);
	judged->end = sift_blocks_offset(j->blocks);
}

static void
judge_free(void *judge)
{
	struct judge *j = judge;

	sift_blocks_free(j->blocks);
	sift_gather_destroy(&j->gather);
	sift_carry_destroy(&j->carry);
	free(j);
}

static void *
judge_new(const struct sift_parallel *job)
{
	struct judge *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return NULL;
	j->job = job;
	if (sift_blocks_new_part(job->blocks, &j->blocks, NULL) < 0) {
		judge_free(j);
		return NULL;
	}
	if (job->sink != NULL && !job->is_carried)
		sift_gather_set_sink(&j->gather, job->sink, NULL);
	sift_blocks_set_detail(j->blocks, job->sink == NULL || job->is_carried ? SIFT_DETAIL_BARE
									       : SIFT_DETAIL_TIMED);
	return j;
}

/* ---- the end ---- */

static void
halt(void *walker, void *judge)
{
	struct walker *w = walker;
	struct judge *j = judge;

	sift_blocks_swap_section(j->blocks, &w->halted);
	w->is_halted = true;
}

static void
finish(void *walker, const struct sift_parallel *job)
{
	struct walker *w = walker;

	sift_blocks_swap_section(job->blocks, w->is_halted ? &w->halted : &w->section);
}

const struct sift_parallel_ops sift_parallel_blocks = {
	.walker_new = walker_new,
	.walker_free = walker_free,
	.judge_new = judge_new,
	.judge_free = judge_free,
	.follow = follow,
	.judge = judge,
	.halt = halt,
	.finish = finish,
};
