/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "filter/parallel.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ebpf/err.h"
#include "filter/crew.h"
#include "filter/mapped.h"
#include "filter/read_at.h"
#include "filter/turn.h"

/* The record that a block's end cuts in two is most often read with it. */
enum { OVERLAP = 2048 };

_Static_assert((int)OVERLAP >= (int)SIFT_RECORD_HEADER && (int)OVERLAP >= 3 * 4,
	       "the header of a record that begins in a block is there");

struct job {
	const struct sift_parallel *parallel;
	size_t block_size;
	uint64_t begin, origin; /* offsets of what is to be judged, of block 0 */
	struct sift_mapped *map; /* from there on; NULL: it is read */
	struct sift_turn walk; /* guards the next five */
	void *walker;
	uint64_t next; /* offset of the first record not walked over */
	bool has_ended;
	unsigned n_wrong; /* guesses, by weight */
	bool is_unlucky;  /* and too many */
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
	bool is_judged;      /* from a guessed one on */
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

/* How many of the block's bytes there are, beside what overlaps. */
static size_t
block_len(const struct worker *w)
{
	const struct job *job = w->job;

	return at_most(&job->parallel->extent, w->off, job->block_size);
}

/* Those and what overlaps, as far as the file goes. */
static size_t
read_len(const struct worker *w)
{
	const struct job *job = w->job;

	return at_most(&job->parallel->extent, w->off, job->block_size + OVERLAP);
}

static void
read_block(struct worker *w)
{
	ssize_t got = sift_read_at(w->job->parallel->extent.fd, w->block, read_len(w), w->off);

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

/* ---- guessing, in a file that is mapped ---- */

/* What a wrong guess weighs against a right one, and how much is too much. */
enum { WRONG = 8, TOO_WRONG = 4 * WRONG };

/* Among the block's n bytes at p, of its first record; n: not clear. */
static size_t
guess_begin(const struct worker *w, const uint8_t *p, size_t n)
{
	const struct job *job = w->job;

	if (w->off > job->begin)
		return job->parallel->ops->guess(w->judge, p, n);
	return (size_t)(job->begin - w->off); /* nothing to be guessed */
}

/*
 * Judge the block before it is known where its records begin.  Whether that came to an end:
 * any record fits in what is looked at behind it.
 */
static bool
judge_guessed(struct worker *w)
{
	const struct job *job = w->job;
	const struct sift_parallel *parallel = job->parallel;
	size_t len = block_len(w), n, at;
	const uint8_t *p = job->map->bytes + (w->off - job->map->begin);

	n = at_most(&parallel->extent, w->off, len + SIFT_RECORD_HEADER + SIFT_RECORD_MAX_CAPLEN);
	if (sift_mapped_is_lost(job->map) ||
	    !sift_mapped_have(job->map, w->off, w->off + read_len(w)) ||
	    (at = guess_begin(w, p, n)) >= len)
		return false;
	w->judged = (struct sift_judged){ .end = 0 };
	if (!parallel->ops->judge_front(w->judge, p + at, n - at, len - at, w->off + at,
					&w->judged))
		return false;
	w->begin = w->off + at;
	w->end = w->judged.end;
	return w->end >= w->off + len;
}

static void
judge_ahead(struct worker *w)
{
	size_t len = block_len(w);

	w->n = 0;
	w->is_judged = len > 0 && judge_guessed(w);
}

/* Nobody looks at it any more, once the blocks before it, which may do, are judged. */
static void
give_back(const struct worker *w)
{
	sift_mapped_drop(w->job->map, w->off, w->off + block_len(w));
}

/* Whether the walk comes to where it was guessed, and what was seen there was the file. */
static bool
is_right(struct worker *w)
{
	struct job *job = w->job;

	if (w->is_judged && w->begin == job->next && !sift_mapped_is_lost(job->map)) {
		if (job->n_wrong > 0)
			job->n_wrong--;
		return true;
	}
	job->n_wrong += WRONG;
	job->is_unlucky |= job->n_wrong > TOO_WRONG;
	return false;
}

/* ---- knowing ---- */

/*
 * Follow the headers of the records that begin in the block.  What cannot be
 * followed is left to the reader that goes on behind us, and knows what to say.
 */
static void
follow(struct worker *w, struct sift_walk *walk)
{
	const struct sift_parallel *parallel = w->job->parallel;
	size_t wanted;

	w->is_judged = false;
	w->begin = walk->next;
	if (w->job->map != NULL && !walk->has_ended)
		read_block(w);
	if (w->n < read_len(w))
		walk->has_ended = true;
	while (!walk->has_ended) {
		walk->p = w->block;
		walk->n = w->n;
		wanted = parallel->ops->follow(w->job->walker, w->judge, walk);
		if (wanted == 0)
			break;
		walk->has_ended = !read_rest(w, wanted);
	}
	w->end = walk->next;
}

/* By those whose turn it is: where the block's records begin and end. */
static void
walk(struct worker *w)
{
	struct job *job = w->job;
	const struct sift_parallel *parallel = job->parallel;
	struct sift_walk walk = {
		.off = w->off,
		.next = job->next,
		.stop = w->off + block_len(w),
		.end = parallel->extent.end,
		.has_ended = job->has_ended,
	};

	if (walk.next >= walk.end || atomic_load(parallel->is_stopped) ||
	    atomic_load(&job->delivery.ended) != 0 || atomic_load(&job->is_halted))
		walk.has_ended = true;
	if (job->map != NULL && !walk.has_ended && is_right(w))
		walk.next = w->end;
	else
		follow(w, &walk);
	job->has_ended = walk.has_ended || job->is_unlucky;
	job->next = walk.next;
}

static void
judge(struct worker *w)
{
	if (w->is_judged)
		return;
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

	w->off = job->origin + number * job->block_size;
	if (job->map != NULL)
		judge_ahead(w);
	else
		read_block(w);
	sift_turn_wait(&job->walk, number);
	walk(w);
	is_last = job->has_ended;
	sift_turn_pass(&job->walk);
	if (job->map != NULL)
		give_back(w);
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
	w->size = job->block_size + OVERLAP;
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

/* From *next on, which is moved.  *is_unlucky: not to the end, as guesses were wrong too often. */
static int
run_from(const struct sift_parallel *parallel, size_t block_size, struct sift_mapped *map,
	 uint64_t *next, bool *is_unlucky, struct ebpf_err *err)
{
	struct job job = {
		.parallel = parallel,
		.delivery.job = parallel,
		.map = map,
		.block_size = block_size,
		.begin = *next,
		.origin = *next - *next % block_size,
		.next = *next,
	};
	int rc;

	/* the block is none for a file that is read */
	if (map != NULL && sift_mapped_open(map, parallel->extent.fd, job.origin,
					    parallel->extent.end) < 0) {
		*is_unlucky = true;
		return 0;
	}
	rc = run(&job, err);
	*next = atomic_load(&job.is_halted) ? job.judged : job.next;
	*is_unlucky = job.is_unlucky;
	if (job.walker != NULL) {
		parallel->ops->finish(job.walker, parallel);
		parallel->ops->walker_free(job.walker);
	}
	if (map != NULL)
		sift_mapped_close(map);
	return rc;
}

int
sift_parallel_run(const struct sift_parallel *parallel, uint64_t *next, struct ebpf_err *err)
{
	bool is_unlucky = true;
	int rc = 0;

	assert(parallel->n_threads > 0 && parallel->block_size > 0);
	*next = parallel->extent.begin;
	if (parallel->map != NULL)
		rc = run_from(parallel, parallel->mapped_block, parallel->map, next, &is_unlucky,
			      err);
	if (rc == 0 && is_unlucky)
		rc = run_from(parallel, parallel->block_size, NULL, next, &is_unlucky, err);
	return rc;
}
