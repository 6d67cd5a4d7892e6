/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames are numbered as they are put; the n-th is in slots[n % n_slots] until the
 * one that needs its slot.  The lock guards the numbers and is_done; the rest of a
 * slot belongs to its putter until n_put counts it, then to the thread that
 * n_begun counted it for, and to the taker once it is done.
 */
#include "config.h"

#include "filter/frames.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "filter/lock.h"

/* Frames for each thread: one in work, and one that waits for it. */
enum { PER_THREAD = 2 };

struct slot {
	struct sift_frame frame;
	size_t coded_room, content_room;
	bool is_done;
};

struct sift_frames {
	const struct sift_decoder_ops *ops;
	pthread_mutex_t lock;
	pthread_cond_t has_work, has_result;
	bool is_freed;
	uint64_t n_put, n_begun, n_taken;
	unsigned n_slots, n_threads;
	struct slot *slots;
	pthread_t threads[];
};

/* Room for n bytes, whose contents may be lost. */
static bool
have_room(uint8_t **bytes, size_t *room, size_t n)
{
	uint8_t *larger;

	if (n <= *room)
		return true;
	if ((larger = malloc(n)) == NULL)
		return false;
	free(*bytes);
	*bytes = larger;
	*room = n;
	return true;
}

static struct slot *
next_work(struct sift_frames *f)
{
	struct slot *slot = NULL;

	pthread_mutex_lock(&f->lock);
	while (f->n_begun == f->n_put && !f->is_freed)
		pthread_cond_wait(&f->has_work, &f->lock);
	if (!f->is_freed)
		slot = &f->slots[f->n_begun++ % f->n_slots];
	pthread_mutex_unlock(&f->lock);
	return slot;
}

static void *
work(void *arg)
{
	struct sift_frames *f = arg;
	struct slot *slot;
	void *decoder;

	/* what cannot be done here is no good, and done by the taker */
	if (f->ops->open(UINT64_MAX, 1, &decoder) < 0)
		decoder = NULL;
	while ((slot = next_work(f)) != NULL) {
		struct sift_frame *frame = &slot->frame;

		frame->is_good = decoder != NULL &&
				 f->ops->whole(decoder, frame->coded, frame->content, &frame->size);
		pthread_mutex_lock(&f->lock);
		slot->is_done = true;
		pthread_cond_signal(&f->has_result);
		pthread_mutex_unlock(&f->lock);
	}
	if (decoder != NULL)
		f->ops->close(decoder);
	return NULL;
}

unsigned
sift_frames_pending(const struct sift_frames *f)
{
	return (unsigned)(f->n_put - f->n_taken);
}

unsigned
sift_frames_most(const struct sift_frames *f)
{
	return f->n_slots;
}

int
sift_frames_put(struct sift_frames *f, const uint8_t *coded, const struct sift_frame_size *size,
		uint64_t off)
{
	struct slot *slot = &f->slots[f->n_put % f->n_slots];
	struct sift_frame *frame = &slot->frame;

	assert(sift_frames_pending(f) < f->n_slots);
	/* content has a byte at least: there is a pointer to hand to libraries */
	if (!have_room(&frame->coded, &slot->coded_room, size->coded) ||
	    !have_room(&frame->content, &slot->content_room, size->content + 1))
		return -ENOMEM;
	memcpy(frame->coded, coded, size->coded);
	frame->size = *size;
	frame->off = off;
	pthread_mutex_lock(&f->lock);
	slot->is_done = false;
	f->n_put++;
	pthread_cond_signal(&f->has_work);
	pthread_mutex_unlock(&f->lock);
	return 0;
}

const struct sift_frame *
sift_frames_take(struct sift_frames *f)
{
	struct slot *slot = &f->slots[f->n_taken % f->n_slots];

	assert(sift_frames_pending(f) > 0);
	pthread_mutex_lock(&f->lock);
	while (!slot->is_done)
		pthread_cond_wait(&f->has_result, &f->lock);
	pthread_mutex_unlock(&f->lock);
	f->n_taken++;
	return &slot->frame;
}

int
sift_frames_new(const struct sift_decoder_ops *ops, unsigned n_threads, struct sift_frames **out)
{
	struct sift_frames *f = calloc(1, sizeof(*f) + n_threads * sizeof(f->threads[0]));
	int error = 0, rc;

	if (f == NULL)
		return -ENOMEM;
	if ((rc = sift_lock_init(&f->lock, &f->has_work, &f->has_result)) < 0) {
		free(f);
		return rc;
	}
	f->ops = ops;
	f->n_slots = n_threads * PER_THREAD;
	f->slots = calloc(f->n_slots, sizeof(*f->slots));
	if (f->slots == NULL)
		error = ENOMEM;
	while (error == 0 && f->n_threads < n_threads) {
		error = pthread_create(&f->threads[f->n_threads], NULL, work, f);
		if (error == 0)
			f->n_threads++;
	}
	if (error != 0) {
		sift_frames_free(f);
		return -error;
	}
	*out = f;
	return 0;
}

void
sift_frames_free(struct sift_frames *f)
{
	if (f == NULL)
		return;
	pthread_mutex_lock(&f->lock);
	f->is_freed = true;
	pthread_cond_broadcast(&f->has_work);
	pthread_mutex_unlock(&f->lock);
	for (unsigned i = 0; i < f->n_threads; i++)
		pthread_join(f->threads[i], NULL);
	for (unsigned i = 0; f->slots != NULL && i < f->n_slots; i++) {
		free(f->slots[i].frame.coded);
		free(f->slots[i].frame.content);
	}
	free(f->slots);
	sift_lock_destroy(&f->lock, &f->has_work, &f->has_result);
	free(f);
}
