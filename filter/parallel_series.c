/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several threads on small pcap files, each a piece of its own.  What the files hold is
 * judged as a stretch of a larger one is.
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
	struct sift_delivery delivery; /* in the crew's order */
	atomic_bool is_over;           /* what is behind is not wanted, or for who goes on */
};

struct worker {
	struct job *job;
	void *judge;
	struct sift_series_file file;
	size_t number;   /* of the file */
	bool has_judged; /* all of it */
	bool is_done;    /* with it: it can be closed */
	struct sift_judged judged;
};

/* Beside the others, not while they wait. */
static void
close_done(struct worker *w)
{
	if (w->is_done)
		sift_series_close(w->job->source, w->number);
	w->is_done = false;
}

static bool
work(void *worker, uint64_t number)
{
	struct worker *w = worker;
	struct job *job = w->job;

	close_done(w);
	w->number = (size_t)number;
	w->has_judged = false;
	if (atomic_load(&job->is_over) || atomic_load(job->parallel->is_stopped) ||
	    !sift_series_read(job->source, w->number, &w->file))
		return true;
	w->judged = (struct sift_judged){ .end = 0 };
	job->parallel->ops->judge(w->judge, w->file.bytes + SIFT_SAVEFILE_HEADER, w->file.n,
				  SIFT_SAVEFILE_HEADER, &w->judged);
	w->has_judged = w->judged.end == SIFT_SAVEFILE_HEADER + w->file.n;
	return !w->has_judged;
}

/* The last packet that is wanted is in this file, which is read no farther than that. */
static bool
has_last(const struct worker *w)
{
	const struct sift_parallel *parallel = w->job->parallel;
	uint64_t most = parallel->max_matched;

	return most != 0 && w->judged.n_matched >= most - parallel->tally->now.matched;
}

static bool
finish(void *worker, bool is_callers)
{
	struct worker *w = worker;
	struct job *job = w->job;
	uint64_t n_bytes;

	if (atomic_load(&job->is_over))
		return true;
	if (!w->has_judged || has_last(w)) {
		atomic_store(&job->is_over, true);
		return true;
	}
	sift_deliver(&job->delivery, &w->judged);
	if (atomic_load(&job->delivery.ended) == 0) {
		n_bytes = sift_series_bytes(job->source) + SIFT_SAVEFILE_HEADER + w->file.n;
		sift_series_go_on(job->source, w->number + 1, n_bytes);
		w->is_done = true;
		if (is_callers)
			sift_deliver_between(&job->delivery, n_bytes);
	}
	if (atomic_load(&job->delivery.ended) != 0)
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
	sift_series_file_destroy(&w->file);
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
	if (sift_series_file_init(&w->file) < 0 ||
	    (w->judge = job->parallel->ops->judge_new(job->parallel)) == NULL) {
		worker_free(w);
		return NULL;
	}
	return w;
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
	int rc = sift_crew_run(&ops, &job, parallel->n_threads);

	if (rc < 0)
		return ebpf_err_set(err, rc, "%s: %s", parallel->name, strerror(-rc));
	return sift_delivery_end(&job.delivery, err);
}
