/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A ring: the thread fills pieces[tail], n_full of them, from head on, belong to the one who
 * takes.  The lock guards these numbers, ended and is_freed.
 */
#include "config.h"

#include "filter/ahead.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "filter/lock.h"

enum { PIECES = 4 };

struct piece {
	uint8_t *bytes;
	size_t begin, end;
};

struct sift_ahead {
	int fd;
	size_t size; /* of a piece */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t is_filled, is_emptied;
	unsigned head, tail, n_full;
	bool holds_piece; /* the one at head was given */
	bool has_ended, is_freed;
	int failed; /* a negative errno, once it has ended */
	struct piece pieces[PIECES];
};

/* Room for a piece; NULL: nobody wants it any more. */
static struct piece *
have_room(struct sift_ahead *a)
{
	struct piece *piece;

	pthread_mutex_lock(&a->lock);
	while (a->n_full == PIECES && !a->is_freed)
		pthread_cond_wait(&a->is_emptied, &a->lock);
	piece = a->is_freed ? NULL : &a->pieces[a->tail];
	pthread_mutex_unlock(&a->lock);
	return piece;
}

static void
hand_over(struct sift_ahead *a, ssize_t got, int failed)
{
	pthread_mutex_lock(&a->lock);
	if (got > 0) {
		a->tail = (a->tail + 1) % PIECES;
		a->n_full++;
	} else {
		a->has_ended = true;
		a->failed = failed;
	}
	pthread_cond_signal(&a->is_filled);
	pthread_mutex_unlock(&a->lock);
}

static void *
read_ahead(void *arg)
{
	struct sift_ahead *a = arg;
	struct piece *piece;
	ssize_t got = 1;

	while (got > 0 && (piece = have_room(a)) != NULL) {
		do
			got = read(a->fd, piece->bytes, a->size);
		while (got < 0 && errno == EINTR);
		piece->begin = 0;
		piece->end = got > 0 ? (size_t)got : 0;
		hand_over(a, got, got < 0 ? -errno : 0);
	}
	return NULL;
}

int
sift_ahead_next(struct sift_ahead *a, uint8_t **bytes, size_t *n)
{
	struct piece *piece;
	int rc;

	pthread_mutex_lock(&a->lock);
	if (a->holds_piece && a->pieces[a->head].begin == a->pieces[a->head].end) {
		a->head = (a->head + 1) % PIECES;
		a->n_full--;
		pthread_cond_signal(&a->is_emptied);
	}
	while (a->n_full == 0 && !a->has_ended)
		pthread_cond_wait(&a->is_filled, &a->lock);
	a->holds_piece = a->n_full > 0;
	rc = a->holds_piece ? 1 : a->failed;
	pthread_mutex_unlock(&a->lock);
	if (rc != 1)
		return rc;
	piece = &a->pieces[a->head];
	*bytes = piece->bytes + piece->begin;
	*n = piece->end - piece->begin;
	piece->begin = piece->end;
	return 1;
}

void
sift_ahead_leave(struct sift_ahead *a, size_t n)
{
	a->pieces[a->head].begin -= n;
}

static void
destroy(struct sift_ahead *a)
{
	for (unsigned i = 0; i < PIECES; i++)
		free(a->pieces[i].bytes);
	sift_lock_destroy(&a->lock, &a->is_filled, &a->is_emptied);
	free(a);
}

int
sift_ahead_new(int fd, size_t piece, struct sift_ahead **out)
{
	struct sift_ahead *a = calloc(1, sizeof(*a));
	int error = 0, rc;

	if (a == NULL)
		return -ENOMEM;
	if ((rc = sift_lock_init(&a->lock, &a->is_filled, &a->is_emptied)) < 0) {
		free(a);
		return rc;
	}
	a->fd = fd;
	a->size = piece;
	for (unsigned i = 0; i < PIECES && error == 0; i++)
		if ((a->pieces[i].bytes = malloc(piece)) == NULL)
			error = ENOMEM;
	if (error == 0)
		error = pthread_create(&a->thread, NULL, read_ahead, a);
	if (error != 0) {
		destroy(a);
		return -error;
	}
	*out = a;
	return 0;
}

void
sift_ahead_free(struct sift_ahead *a)
{
	if (a == NULL)
		return;
	pthread_mutex_lock(&a->lock);
	a->is_freed = true;
	pthread_cond_signal(&a->is_emptied);
	pthread_mutex_unlock(&a->lock);
	pthread_join(a->thread, NULL);
	destroy(a);
}
