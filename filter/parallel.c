/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "filter/parallel.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ebpf/err.h"
#include "filter/sink.h"
#include "filter/turn.h"

/* The record that a block's end cuts in two is most often read with it. */
enum { OVERLAP = 2048 };

_Static_assert((int)OVERLAP >= (int)SIFT_RECORD_HEADER && (int)OVERLAP >= 3 * 4,
	       "the header of a record that begins in a block is there");

struct crew {
	const struct sift_parallel *job;
	uint64_t origin;          /* offset of block 0 */
	_Atomic uint64_t n_taken; /* blocks */
	struct sift_turn walk;    /* guards the next three */
	void *walker;
	uint64_t next; /* offset of the first record not walked over */
	bool has_ended;
	struct sift_turn
		write;         /* guards the sink, the tally, what was judged, and the failure */
	uint64_t judged;       /* up to here, where a judge has ended early */
	atomic_bool is_halted; /* it has; seen by walkers too, */
	atomic_bool has_enough; /* between says so; likewise */
	atomic_int failed;     /* as is a negative errno */
	struct ebpf_err failure;
};

struct worker {
	struct crew *crew;
	pthread_t thread; /* not of the caller's */
	bool is_callers;
	uint8_t *block; /* as read, and longer where its last record is */
	size_t size;
	uint64_t off;        /* in the file, of its first */
	size_t n;            /* bytes that were read */
	uint64_t begin, end; /* offsets of its records: the first, behind the last */
	void *judge;
	struct sift_judged judged;
};

/* pread(2) to the end, which comes early where the file does. */
static ssize_t
read_at(int fd, uint8_t *to, size_t n, uint64_t off)
{
	size_t done = 0;

	while (done < n) {
		ssize_t got = pread(fd, to + done, n - done, (off_t)(off + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	return (ssize_t)done;
}

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
	const struct sift_parallel *job = w->crew->job;
	ssize_t got;

	w->off = w->crew->origin + number * job->block_size;
	got = read_at(job->extent.fd, w->block,
		      at_most(&job->extent, w->off, job->block_size + OVERLAP), w->off);
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
	if (read_at(w->crew->job->extent.fd, w->block + w->n, wanted, w->off + w->n) !=
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
	struct crew *crew = w->crew;
	const struct sift_parallel *job = crew->job;
	size_t expected = at_most(&job->extent, w->off, job->block_size + OVERLAP), wanted;
	struct sift_walk walk = {
		.off = w->off,
		.next = crew->next,
		.stop = w->off + at_most(&job->extent, w->off, job->block_size),
		.end = job->extent.end,
		.has_ended = crew->has_ended,
	};

	w->begin = walk.next;
	if (w->n < expected || walk.next >= walk.end || atomic_load(job->is_stopped) ||
	    atomic_load(&crew->failed) != 0 || atomic_load(&crew->is_halted) ||
	    atomic_load(&crew->has_enough))
		walk.has_ended = true;
	while (!walk.has_ended) {
		walk.p = w->block;
		walk.n = w->n;
		wanted = job->ops->follow(crew->walker, w->judge, &walk);
		if (wanted == 0)
			break;
		walk.has_ended = !read_rest(w, wanted);
	}
	crew->has_ended = walk.has_ended;
	w->end = crew->next = walk.next;
}

static void
judge(struct worker *w)
{
	w->judged = (struct sift_judged){ .end = w->begin };
	/* then they may be anywhere, as behind a block that one record spans */
	if (w->begin == w->end)
		return;
	if (read_rest(w, (size_t)(w->end - w->off)))
		w->crew->job->ops->judge(w->judge, w->block + (w->begin - w->off),
					 (size_t)(w->end - w->begin), w->begin, &w->judged);
}

static int
write_bytes(const struct sift_parallel *job, const struct sift_judged *judged, struct ebpf_err *err)
{
	if (judged->n == 0)
		return 0;
	return job->is_carried ? sift_sink_carry(job->sink, judged->bytes, judged->n, err)
			       : sift_sink_append(job->sink, judged->bytes, judged->n, err);
}

static void
fail(struct crew *crew, int rc, const struct ebpf_err *err)
{
	crew->failure = *err;
	atomic_store(&crew->failed, rc);
}

static void
write_block(struct worker *w)
{
	struct crew *crew = w->crew;
	struct sift_tally *tally = crew->job->tally;
	struct ebpf_err err;
	int rc;

	tally->now.seen += w->judged.n_seen;
	tally->now.matched += w->judged.n_matched;
	tally->now.too_short += w->judged.n_too_short;
	if ((rc = write_bytes(crew->job, &w->judged, &err)) < 0)
		fail(crew, rc, &err);
	else if (crew->job->sink != NULL)
		tally->now.written += w->judged.n_matched;
	sift_tally_publish(tally);
	if (rc == 0 && w->judged.end != w->end) {
		crew->judged = w->judged.end;
		if (crew->walker != NULL)
			crew->job->ops->halt(crew->walker, w->judge);
		atomic_store(&crew->is_halted, true);
	}
}

static void
ask_between(struct worker *w)
{
	struct crew *crew = w->crew;
	const struct sift_parallel *job = crew->job;
	struct ebpf_err err;
	int rc;

	if (!w->is_callers || job->between == NULL || atomic_load(&crew->failed) != 0 ||
	    atomic_load(&crew->has_enough))
		return;
	rc = job->between(job->between_arg, w->judged.end, &err);
	if (rc < 0)
		fail(crew, rc, &err);
	else if (rc > 0)
		atomic_store(&crew->has_enough, true);
}

static void *
work(void *cookie)
{
	struct worker *w = cookie;
	struct crew *crew = w->crew;
	bool is_last;

	do {
		uint64_t number = atomic_fetch_add(&crew->n_taken, 1);

		read_block(w, number);
		sift_turn_wait(&crew->walk, number);
		walk(w);
		is_last = crew->has_ended;
		sift_turn_pass(&crew->walk);
		judge(w);
		sift_turn_wait(&crew->write, number);
		if (atomic_load(&crew->failed) == 0 && !atomic_load(&crew->is_halted)) {
			write_block(w);
			ask_between(w);
		}
		/* its judge knows what holds where it has ended */
		is_last |= atomic_load(&crew->is_halted);
		sift_turn_pass(&crew->write);
	} while (!is_last);
	return NULL;
}

static void
worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	if (w->judge != NULL)
		w->crew->job->ops->judge_free(w->judge);
	free(w->block);
	free(w);
}

static struct worker *
worker_new(struct crew *crew)
{
	const struct sift_parallel *job = crew->job;
	struct worker *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->crew = crew;
	w->size = job->block_size + OVERLAP;
	w->block = malloc(w->size);
	if (w->block == NULL || (w->judge = job->ops->judge_new(job)) == NULL) {
		worker_free(w);
		return NULL;
	}
	return w;
}

/* A worker in a thread of its own, in which no signal is handled. */
static struct worker *
worker_start(struct crew *crew)
{
	struct worker *w = worker_new(crew);
	sigset_t all, before;
	int rc;

	if (w == NULL)
		return NULL;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&w->thread, NULL, work, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc == 0)
		return w;
	worker_free(w);
	return NULL;
}

/* The caller's thread works too; where another cannot be had, there is one less. */
static int
run_crew(struct crew *crew, struct ebpf_err *err)
{
	unsigned n_others = 0, n = crew->job->n_threads - 1;
	struct worker **others = calloc(n + 1, sizeof(struct worker *));
	struct worker *own = worker_new(crew);
	int rc = 0;

	if (own == NULL || others == NULL) {
		rc = ebpf_err_set(err, -ENOMEM, "%s: out of memory", crew->job->name);
	} else {
		own->is_callers = true;
		while (n_others < n && (others[n_others] = worker_start(crew)) != NULL)
			n_others++;
		work(own);
	}
	for (unsigned i = 0; i < n_others; i++) {
		pthread_join(others[i]->thread, NULL);
		worker_free(others[i]);
	}
	worker_free(own);
	free(others);
	return rc;
}

static void
free_walker(struct crew *crew)
{
	if (crew->walker != NULL)
		crew->job->ops->walker_free(crew->walker);
}

static int
init_crew(struct crew *crew, struct ebpf_err *err)
{
	const struct sift_parallel *job = crew->job;
	int rc;

	atomic_init(&crew->n_taken, 0);
	atomic_init(&crew->failed, 0);
	atomic_init(&crew->is_halted, false);
	atomic_init(&crew->has_enough, false);
	if (job->ops->walker_new != NULL && (crew->walker = job->ops->walker_new(job)) == NULL)
		return ebpf_err_set(err, -ENOMEM, "%s: out of memory", job->name);
	if ((rc = sift_turn_init(&crew->walk)) < 0)
		goto fail_walk;
	if ((rc = sift_turn_init(&crew->write)) < 0)
		goto fail_write;
	return 0;
fail_write:
	sift_turn_destroy(&crew->walk);
fail_walk:
	free_walker(crew);
	return ebpf_err_set(err, rc, "%s: no threads", job->name);
}

int
sift_parallel_run(const struct sift_parallel *parallel, uint64_t *next, struct ebpf_err *err)
{
	uint64_t begin = parallel->extent.begin;
	struct crew crew = { .job = parallel,
			     .origin = begin - begin % parallel->block_size,
			     .next = begin };
	int rc;

	assert(parallel->n_threads > 0 && parallel->block_size > 0);
	*next = begin;
	if ((rc = init_crew(&crew, err)) < 0)
		return rc;
	rc = run_crew(&crew, err);
	if (rc == 0 && (rc = atomic_load(&crew.failed)) < 0)
		ebpf_err_set(err, rc, "%s", crew.failure.text);
	if (rc == 0 && atomic_load(&crew.has_enough))
		rc = 1;
	*next = atomic_load(&crew.is_halted) ? crew.judged : crew.next;
	if (crew.walker != NULL)
		parallel->ops->finish(crew.walker, parallel);
	sift_turn_destroy(&crew.write);
	sift_turn_destroy(&crew.walk);
	free_walker(&crew);
	return rc;
}
