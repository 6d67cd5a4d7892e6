/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A ring of buffers: the one that is given changes places with one that was written.  None
 * has no bytes but the last, which ends the thread.
 */
#include "config.h"

#include "filter/writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "ebpf/err.h"
#include "filter/thread.h"
#include "filter/turn.h"

/* To wake the thread takes about as long as to write a buffer: it is not done for one alone. */
enum { BUFFERS = 8, WORTH_WAKING = BUFFERS / 2 };

struct sift_writer {
	sift_writer_put_fn put;
	void *arg;
	pthread_t thread;
	struct sift_turn given, done; /* how many buffers were, as far as the thread was told */
	uint64_t n_given, n_told;     /* known to the owner */
	atomic_int failed;            /* a negative errno, */
	struct ebpf_err failure;      /* and its message, which does not change then */
	struct sift_writer_buffer ring[BUFFERS];
};

static void *
work(void *arg)
{
	struct sift_writer *w = arg;

	for (uint64_t n = 0;; n++) {
		const struct sift_writer_buffer *buffer = &w->ring[n % BUFFERS];

		sift_turn_wait(&w->given, n + 1);
		if (buffer->bytes == NULL)
			return NULL;
		if (atomic_load(&w->failed) == 0) {
			int rc = w->put(w->arg, buffer->bytes, buffer->used, &w->failure);

			atomic_store(&w->failed, rc);
		}
		sift_turn_pass(&w->done);
	}
}

static int
tell_failure(const struct sift_writer *w, struct ebpf_err *err)
{
	int rc = atomic_load(&w->failed);

	return rc < 0 ? ebpf_err_set(err, rc, "%s", w->failure.text) : 0;
}

/* Tell the thread of all that it was given. */
static void
tell(struct sift_writer *w)
{
	if (w->n_told == w->n_given)
		return;
	sift_turn_pass_many(&w->given, w->n_given - w->n_told);
	w->n_told = w->n_given;
}

int
sift_writer_give(struct sift_writer *w, struct sift_writer_buffer *buffer, struct ebpf_err *err)
{
	struct sift_writer_buffer *place = &w->ring[w->n_given % BUFFERS], other;

	if (w->n_given >= BUFFERS)
		sift_turn_wait(&w->done, w->n_given - BUFFERS + 1);
	other = *place;
	*place = *buffer;
	*buffer = other;
	buffer->used = 0;
	w->n_given++;
	if (w->n_given - w->n_told >= WORTH_WAKING || !sift_turn_is_slept_for(&w->given))
		tell(w);
	return tell_failure(w, err);
}

int
sift_writer_wait(struct sift_writer *w, struct ebpf_err *err)
{
	tell(w);
	sift_turn_wait(&w->done, w->n_given);
	return tell_failure(w, err);
}

static void
destroy(struct sift_writer *w)
{
	for (size_t i = 0; i < BUFFERS; i++)
		free(w->ring[i].bytes);
	free(w);
}

static int
fill_ring(struct sift_writer *w, size_t size)
{
	for (size_t i = 0; i < BUFFERS; i++) {
		if ((w->ring[i].bytes = malloc(size)) == NULL)
			return -ENOMEM;
		w->ring[i].size = size;
	}
	return 0;
}

static int
start(struct sift_writer *w)
{
	int rc;

	if ((rc = sift_turn_init(&w->given)) < 0)
		return rc;
	if ((rc = sift_turn_init(&w->done)) < 0)
		goto fail_done;
	if ((rc = sift_thread_start(&w->thread, work, w)) < 0)
		goto fail_thread;
	return 0;
fail_thread:
	sift_turn_destroy(&w->done);
fail_done:
	sift_turn_destroy(&w->given);
	return rc;
}

int
sift_writer_new(sift_writer_put_fn put, void *arg, size_t size, struct sift_writer **out)
{
	/* turns have lines of their own */
	struct sift_writer *w = aligned_alloc(_Alignof(struct sift_writer), sizeof(*w));
	int rc;

	if (w == NULL)
		return -ENOMEM;
	*w = (struct sift_writer){ .put = put, .arg = arg };
	if ((rc = fill_ring(w, size)) < 0 || (rc = start(w)) < 0) {
		destroy(w);
		return rc;
	}
	*out = w;
	return 0;
}

void
sift_writer_free(struct sift_writer *w)
{
	struct sift_writer_buffer last = { .bytes = NULL };

	if (w == NULL)
		return;
	sift_writer_give(w, &last, NULL);
	tell(w);
	free(last.bytes);
	pthread_join(w->thread, NULL);
	sift_turn_destroy(&w->done);
	sift_turn_destroy(&w->given);
	destroy(w);
}
