/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several threads on small pcap files, a few of which are a piece, judged as a stretch of a
 * larger one is.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ebpf/err.h"
#include "filter/crew.h"
#include "filter/parallel.h"
#include "filter/savefile.h"
#include "filter/series.h"

struct job {
	const struct sift_parallel *parallel;
	struct sift_source *source;
	size_t *firsts; /* of each piece's files, */
	size_t n_pieces;
	struct sift_delivery delivery; /* in the crew's order */
	atomic_bool is_over;           /* what is behind is not wanted, or for who goes on */
};

struct worker {
	struct job *job;
	void *judge;
	struct sift_series_block block;
	size_t first, n_read, n_wanted; /* files of the piece */
	size_t n_done;                  /* of them: they can be closed */
	struct sift_judged judged;
};

/* Beside the others, not while they wait. */
static void
close_done(struct worker *w)
{
	for (size_t i = 0; i < w->n_done; i++)
		sift_series_close(w->job->source, w->first + i);
	w->n_done = 0;
}

static size_t
piece_end(const struct job *job, uint64_t number)
{
	return number + 1 < job->n_pieces ? job->firsts[number + 1]
					  : sift_series_length(job->source);
}

/* As many files as are sound. */
static void
read_files(struct worker *w)
{
	while (w->n_read < w->n_wanted &&
	       sift_series_read(w->job->source, w->first + w->n_read, &w->block))
		w->n_read++;
}

static bool
work(void *worker, uint64_t number)
{
	struct worker *w = worker;
	struct job *job = w->job;

	close_done(w);
	w->block.n = w->n_read = w->n_wanted = 0;
	w->judged = (struct sift_judged){ .end = 0 };
	if (number >= job->n_pieces || atomic_load(&job->is_over) ||
	    atomic_load(job->parallel->is_stopped))
		return true;
	w->first = job->firsts[number];
	w->n_wanted = piece_end(job, number) - w->first;
	read_files(w);
	job->parallel->ops->judge(w->judge, w->block.records, w->block.n, 0, &w->judged);
	return w->n_read < w->n_wanted;
}

/* The last packet that is wanted is in these files, which are read no farther than that. */
static bool
has_last(const struct worker *w)
{
	const struct sift_parallel *parallel = w->job->parallel;
	uint64_t most = parallel->max_matched;

	return most != 0 && w->judged.n_matched >= most - parallel->tally->now.matched;
}

static void
deliver(struct worker *w, bool is_callers)
{
	struct job *job = w->job;
	uint64_t n_bytes =
		sift_series_bytes(job->source) + w->block.n + w->n_read * SIFT_SAVEFILE_HEADER;

	sift_deliver(&job->delivery, &w->judged);
	if (atomic_load(&job->delivery.ended) < 0)
		return;
	sift_series_go_on(job->source, w->first + w->n_read, n_bytes);
	w->n_done = w->n_read;
	if (is_callers)
		sift_deliver_between(&job->delivery, n_bytes);
}

static bool
finish(void *worker, bool is_callers)
{
	struct worker *w = worker;
	struct job *job = w->job;
	bool is_last = w->n_read < w->n_wanted || w->n_wanted == 0;

	if (atomic_load(&job->is_over))
		return true;
	/* without memory nothing was judged */
	if (w->judged.end != w->block.n || has_last(w))
		is_last = true;
	else if (w->n_read > 0)
		deliver(w, is_callers);
	if (is_last || atomic_load(&job->delivery.ended) != 0)
		atomic_store(&job->is_over, true);
	return atomic_load(&job->is_over);
}

static void
worker_free(void *worker)
{
	struct worker *w = worker;

	close_done(w);
	if (w->judge != NULL)
		w->job->parallel->ops->judge_free(w->judge);
	sift_series_block_destroy(&w->block);
	free(w);
}

static void *
worker_new(void *cookie)
{
	struct job *job = cookie;
	struct worker *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->job = job;
	if (sift_series_block_init(&w->block) < 0 ||
	    (w->judge = job->parallel->ops->judge_new(job->parallel)) == NULL) {
		worker_free(w);
		return NULL;
	}
	return w;
}

/* Where each piece begins. */
static int
divide(struct job *job)
{
	size_t length = sift_series_length(job->source), n;

	if ((job->firsts = calloc(length, sizeof(*job->firsts))) == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < length; i += n) {
		n = sift_series_stretch(job->source, i);
		job->firsts[job->n_pieces++] = i;
	}
	return 0;
}

int
sift_parallel_run_series(const struct sift_parallel *parallel, struct sift_source *series,
			 struct ebpf_err *err)
{
	static const struct sift_crew_ops ops = {
		.worker_new = worker_new,
		.worker_free = worker_free,
		.work = work,
		.finish = finish,
	};
	struct job job = { .parallel = parallel, .source = series, .delivery.job = parallel };
	int rc = divide(&job);

	if (rc == 0)
		rc = sift_crew_run(&ops, &job, parallel->n_threads);
	free(job.firsts);
	if (rc < 0)
		return ebpf_err_set(err, rc, "%s: %s", parallel->name, strerror(-rc));
	return sift_delivery_end(&job.delivery, err);
}
