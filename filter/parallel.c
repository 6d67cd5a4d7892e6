/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "filter/parallel.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ebpf/err.h"
#include "filter/crew.h"
#include "filter/read_at.h"
#include "filter/turn.h"

/* The record that a block's end cuts in two is most often read with it. */
enum { OVERLAP = 2048 };

_Static_assert((int)OVERLAP >= (int)SIFT_RECORD_HEADER && (int)OVERLAP >= 3 * 4,
	       "the header of a record that begins in a block is there");

struct job {
	const struct sift_parallel *parallel;
	uint64_t origin;       /* offset of block 0 */
	struct sift_turn walk; /* guards the next three */
	void *walker;
	uint64_t next; /* offset of the first record not walked over */
	bool has_ended;
	struct sift_delivery delivery; /* in the crew's order, as is what was */
	uint64_t judged;               /* up to here, where a judge has ended early */
	atomic_bool is_halted;         /* it has; seen by walkers too */
};

struct worker {
	struct job *job;
	uint8_t *block; /* as read, and longer where its last record is */
	size_t size;
	uint64_t off;        /* in the file, of its first */
	size_t n;            /* bytes that were read */
	uint64_t begin, end; /* offsets of its records: the first, behind the last */
	void *judge;
	struct sift_judged judged;
};

/* How many bytes there are from off on, but no more than n. */
static size_t
at_most(const struct sift_extent *extent, uint64_t off, size_t n)
{
	uint64_t left = off < extent->end ? extent->end - off : 0;

	return left < n ? (size_t)left : n;
}

static void
read_block(struct worker *w, uint64_t number)
{
	const struct sift_parallel *parallel = w->job->parallel;
	ssize_t got;

	w->off = w->job->origin + number * parallel->block_size;
	got = sift_read_at(parallel->extent.fd, w->block,
		      at_most(&parallel->extent, w->off, parallel->block_size + OVERLAP), w->off);
	w->n = got > 0 ? (size_t)got : 0;
}

/*
 * Have n bytes of the block.  Where they cannot be had, whoever goes on behind us finds out
 * why.
 */
static bool
read_rest(struct worker *w, size_t n)
{
	uint8_t *larger;
	size_t wanted;

	if (n <= w->n)
		return true;
	if (n > w->size) {
		if ((larger = realloc(w->block, n)) == NULL)
			return false;
		w->block = larger;
		w->size = n;
	}
	wanted = n - w->n;
	if (sift_read_at(w->job->parallel->extent.fd, w->block + w->n, wanted, w->off + w->n) !=
	    (ssize_t)wanted)
		return false;
	w->n = n;
	return true;
}

/*
 * Follow the headers of the records that begin in the block.  What cannot be
 * followed is left to the reader that goes on behind us, and knows what to say.
 */
static void
walk(struct worker *w)
{
	struct job *job = w->job;
	const struct sift_parallel *parallel = job->parallel;
	const struct sift_extent *extent = &parallel->extent;
	size_t expected = at_most(extent, w->off, parallel->block_size + OVERLAP), wanted;
	struct sift_walk walk = {
		.off = w->off,
		.next = job->next,
		.stop = w->off + at_most(extent, w->off, parallel->block_size),
		.end = extent->end,
		.has_ended = job->has_ended,
	};

	w->begin = walk.next;
	if (w->n < expected || walk.next >= walk.end || atomic_load(parallel->is_stopped) ||
	    atomic_load(&job->delivery.ended) != 0 || atomic_load(&job->is_halted))
		walk.has_ended = true;
	while (!walk.has_ended) {
		walk.p = w->block;
		walk.n = w->n;
		wanted = parallel->ops->follow(job->walker, w->judge, &walk);
		if (wanted == 0)
			break;
		walk.has_ended = !read_rest(w, wanted);
	}
	job->has_ended = walk.has_ended;
	w->end = job->next = walk.next;
}

static void
judge(struct worker *w)
{
	w->judged = (struct sift_judged){ .end = w->begin };
	/* then they may be anywhere, as behind a block that one record spans */
	if (w->begin == w->end)
		return;
	if (read_rest(w, (size_t)(w->end - w->off)))
		w->job->parallel->ops->judge(w->judge, w->block + (w->begin - w->off),
					     (size_t)(w->end - w->begin), w->begin, &w->judged);
}

static bool
finish(void *worker, bool is_callers)
{
	struct worker *w = worker;
	struct job *job = w->job;

	if (atomic_load(&job->delivery.ended) >= 0 && !atomic_load(&job->is_halted)) {
		sift_deliver(&job->delivery, &w->judged);
		if (w->judged.end != w->end && atomic_load(&job->delivery.ended) >= 0) {
			job->judged = w->judged.end;
			if (job->walker != NULL)
				job->parallel->ops->halt(job->walker, w->judge);
			atomic_store(&job->is_halted, true);
		}
		if (is_callers)
			sift_deliver_between(&job->delivery, w->judged.end);
	}
	/* its judge knows what holds where it has ended */
	return atomic_load(&job->is_halted);
}

static bool
work(void *worker, uint64_t number)
{
	struct worker *w = worker;
	struct job *job = w->job;
	bool is_last;

	read_block(w, number);
	sift_turn_wait(&job->walk, number);
	walk(w);
	is_last = job->has_ended;
	sift_turn_pass(&job->walk);
	judge(w);
	return is_last;
}

static void
worker_free(void *worker)
{
	struct worker *w = worker;

	if (w->judge != NULL)
		w->job->parallel->ops->judge_free(w->judge);
	free(w->block);
	free(w);
}

static void *
worker_new(void *cookie)
{
	struct job *job = cookie;
	const struct sift_parallel *parallel = job->parallel;
	struct worker *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->job = job;
	w->size = parallel->block_size + OVERLAP;
	w->block = malloc(w->size);
	if (w->block == NULL || (w->judge = parallel->ops->judge_new(parallel)) == NULL) {
		worker_free(w);
		return NULL;
	}
	return w;
}

static int
run(struct job *job, struct ebpf_err *err)
{
	static const struct sift_crew_ops ops = {
		.worker_new = worker_new,
		.worker_free = worker_free,
		.work = work,
		.finish = finish,
	};
	const struct sift_parallel *parallel = job->parallel;
	int rc;

	if (parallel->ops->walker_new != NULL &&
	    (job->walker = parallel->ops->walker_new(parallel)) == NULL)
		return ebpf_err_set(err, -ENOMEM, "%s: out of memory", parallel->name);
	if ((rc = sift_turn_init(&job->walk)) == 0) {
		rc = sift_crew_run(&ops, job, parallel->n_threads);
		sift_turn_destroy(&job->walk);
	}
	if (rc < 0)
		return ebpf_err_set(err, rc, "%s: %s", parallel->name, strerror(-rc));
	return sift_delivery_end(&job->delivery, err);
}

int
sift_parallel_run(const struct sift_parallel *parallel, uint64_t *next, struct ebpf_err *err)
{
	uint64_t begin = parallel->extent.begin;
	struct job job = { .parallel = parallel,
			   .delivery.job = parallel,
			   .origin = begin - begin % parallel->block_size,
			   .next = begin };
	int rc;

	assert(parallel->n_threads > 0 && parallel->block_size > 0);
	rc = run(&job, err);
	*next = atomic_load(&job.is_halted) ? job.judged : job.next;
	if (job.walker != NULL) {
		parallel->ops->finish(job.walker, parallel);
		parallel->ops->walker_free(job.walker);
	}
	return rc;
}
