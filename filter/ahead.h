/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A regular file that a thread reads ahead, for who has enough to do with what is read.
 *
 * One thread at a time takes what was read.  Errors and the end come behind all that was read
 * before them.
 */
#ifndef BPFSIFT_FILTER_AHEAD_H
#define BPFSIFT_FILTER_AHEAD_H

#include <stddef.h>
#include <stdint.h>

struct sift_ahead;

/*
 * From the offset of fd on, which is borrowed, in pieces of at most so many bytes.  0, -ENOMEM
 * or an errno of a thread.
 */
int sift_ahead_new(int fd, size_t piece, struct sift_ahead **out);
void sift_ahead_free(struct sift_ahead *ahead);

/*
 * What comes next, at least a byte: 1, and it stays until the next call; 0: the end; a negative
 * errno of read(2), again and again.
 */
int sift_ahead_next(struct sift_ahead *ahead, uint8_t **bytes, size_t *n);

/* Of what it gave, leave the last n bytes for the next call. */
void sift_ahead_leave(struct sift_ahead *ahead, size_t n);

#endif
