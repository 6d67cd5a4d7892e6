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
#include "filter/gather.h"
#include "filter/sink.h"
#include "filter/turn.h"

enum {
	/* The record that a block's end cuts in two is most often read with it. */
	OVERLAP = 2048,
	BATCH = SIFT_BATCH_MAX,
};

_Static_assert((int)OVERLAP >= (int)SIFT_RECORD_HEADER, "a header that begins in a block is there");

struct crew {
	const struct sift_parallel *job;
	uint64_t origin;                /* offset of block 0 */
	_Atomic uint64_t n_taken;       /* blocks */
	struct sift_turn walk;          /* guards the next two */
	uint64_t next;                  /* offset of the first record not walked over */
	bool has_ended;
	struct sift_turn write;         /* guards the sink, the counters, failed and failure */
	atomic_int failed;              /* a negative errno; seen by walkers too */
	struct ebpf_err failure;
};

struct worker {
	struct crew *crew;
	pthread_t thread;
	uint8_t *block;                 /* as read, with room for one more record */
	uint64_t off;                   /* in the file, of its first */
	size_t n;                       /* bytes that were read */
	uint64_t begin, end;            /* offsets of its records: the first, behind the last */
	int failed;                     /* of this block, a negative errno, */
	struct ebpf_err failure;        /* and its message */
	size_t n_seen, n_matched;
	struct sift_gather gather;
	struct sift_view views[BATCH];
	uint32_t verdicts[BATCH];
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
	w->failed = 0;
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
	size_t expected = at_most(&job->extent, w->off, job->block_size + OVERLAP);
	uint64_t stop = w->off + at_most(&job->extent, w->off, job->block_size);
	uint64_t next = crew->next;

	w->begin = next;
	if (w->n < expected || next >= job->extent.end || atomic_load(job->is_stopped) ||
	    atomic_load(&crew->failed) != 0)
		crew->has_ended = true;
	while (!crew->has_ended && next < stop) {
		uint64_t left = job->extent.end - next;
		uint32_t caplen;

		if (left < SIFT_RECORD_HEADER) {
			crew->has_ended = true;
			break;
		}
		caplen = sift_record_caplen(job->format, w->block + (next - w->off));
		if (caplen > SIFT_RECORD_MAX_CAPLEN || left - SIFT_RECORD_HEADER < caplen) {
			crew->has_ended = true;
			break;
		}
		next += SIFT_RECORD_HEADER + (uint64_t)caplen;
	}
	w->end = crew->next = next;
}

/* What of the last record lies behind what was read. */
static void
read_rest(struct worker *w)
{
	const struct sift_parallel *job = w->crew->job;
	uint64_t end = w->off + w->n;
	size_t wanted;
	ssize_t got;

	if (w->end <= end || w->begin == w->end)
		return;
	wanted = (size_t)(w->end - end);
	got = read_at(job->extent.fd, w->block + w->n, wanted, end);
	if (got == (ssize_t)wanted)
		return;
	w->failed = ebpf_err_set(&w->failure, got < 0 ? (int)got : -EIO, "%s: offset %llu: %s",
				 job->name, (unsigned long long)end,
				 got < 0 ? strerror((int)-got) : "the file was cut while it was read");
	w->end = w->begin;
}

static size_t
count_matches(const uint32_t *verdicts, size_t n)
{
	size_t n_matched = 0;

	for (size_t i = 0; i < n; i++)
		n_matched += verdicts[i] != 0;
	return n_matched;
}

static void
judge_batch(struct worker *w, size_t n)
{
	const struct sift_parallel *job = w->crew->job;
	size_t n_matched = n;

	if (job->filter != NULL) {
		sift_filter_batch(job->filter, w->views, n, w->verdicts);
		n_matched = count_matches(w->verdicts, n);
	}
	w->n_seen += n;
	w->n_matched += n_matched;
	if (n_matched == 0 || job->sink == NULL)
		return;
	/* a verdict other than 0 does not cut */
	for (size_t i = 0; i < n; i++) {
		if (job->filter == NULL || w->verdicts[i] != 0)
			w->verdicts[i] = job->keep;
	}
	sift_gather_add(&w->gather, w->views, w->verdicts, n);
}

static void
judge(struct worker *w)
{
	const struct sift_parallel *job = w->crew->job;
	enum sift_detail detail = job->sink == NULL || w->gather.is_raw ? SIFT_DETAIL_BARE
									: SIFT_DETAIL_TIMED;
	const uint8_t *at, *end;
	size_t n;

	w->n_seen = w->n_matched = 0;
	sift_gather_reset(&w->gather);
	/* then they may be anywhere, as behind a block that one record spans */
	if (w->begin == w->end)
		return;
	at = w->block + (w->begin - w->off);
	end = w->block + (w->end - w->off);
	while ((n = sift_record_views(job->format, detail, &at, end, w->views, BATCH)) > 0)
		judge_batch(w, n);
	assert(at == end);
}

static void
fail(struct crew *crew, int rc, const struct ebpf_err *err)
{
	crew->failure = *err;
	atomic_store(&crew->failed, rc);
}

static void
write_block(struct worker *w, const uint8_t *records, size_t n)
{
	struct crew *crew = w->crew;
	struct sift_pipeline_counters *counters = crew->job->counters;
	struct ebpf_err err;
	int rc;

	if (atomic_load(&crew->failed) != 0)
		return;
	counters->seen += w->n_seen;
	counters->matched += w->n_matched;
	if (n > 0 && (rc = sift_sink_append(crew->job->sink, records, n, &err)) < 0) {
		fail(crew, rc, &err);
		return;
	}
	if (crew->job->sink != NULL)
		counters->written += w->n_matched;
	if (w->failed != 0)
		fail(crew, w->failed, &w->failure);
}

static void *
work(void *cookie)
{
	struct worker *w = cookie;
	struct crew *crew = w->crew;
	bool is_last;

	do {
		uint64_t number = atomic_fetch_add(&crew->n_taken, 1);
		const uint8_t *records;
		size_t n;

		read_block(w, number);
		sift_turn_wait(&crew->walk, number);
		walk(w);
		is_last = crew->has_ended;
		sift_turn_pass(&crew->walk);
		read_rest(w);
		judge(w);
		records = sift_gather_bytes(&w->gather, &n);
		sift_turn_wait(&crew->write, number);
		write_block(w, records, n);
		sift_turn_pass(&crew->write);
	} while (!is_last);
	return NULL;
}

static void
worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	sift_gather_destroy(&w->gather);
	free(w->block);
	free(w);
}

static struct worker *
worker_new(struct crew *crew)
{
	const struct sift_parallel *job = crew->job;
	size_t room = job->block_size + OVERLAP + SIFT_RECORD_HEADER + SIFT_RECORD_MAX_CAPLEN;
	struct worker *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return NULL;
	w->crew = crew;
	w->block = malloc(room);
	if (w->block == NULL || sift_gather_init(&w->gather, room, NULL) < 0) {
		worker_free(w);
		return NULL;
	}
	if (job->sink != NULL)
		sift_gather_set_format(&w->gather, job->format, job->sink->ts_scale);
	sift_record_init_views(job->format->dlt, w->views, BATCH);
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

int
sift_parallel_run(const struct sift_parallel *parallel, uint64_t *next, struct ebpf_err *err)
{
	uint64_t begin = parallel->extent.begin;
	struct crew crew = { .job = parallel, .origin = begin - begin % parallel->block_size,
			     .next = begin };
	int rc;

	assert(parallel->n_threads > 0 && parallel->block_size > 0);
	atomic_init(&crew.n_taken, 0);
	atomic_init(&crew.failed, 0);
	if ((rc = sift_turn_init(&crew.walk)) < 0)
		return ebpf_err_set(err, rc, "%s: no threads", parallel->name);
	if ((rc = sift_turn_init(&crew.write)) < 0) {
		sift_turn_destroy(&crew.walk);
		return ebpf_err_set(err, rc, "%s: no threads", parallel->name);
	}
	rc = run_crew(&crew, err);
	if (rc == 0 && (rc = atomic_load(&crew.failed)) < 0)
		ebpf_err_set(err, rc, "%s", crew.failure.text);
	*next = crew.next;
	sift_turn_destroy(&crew.write);
	sift_turn_destroy(&crew.walk);
	return rc;
}
