/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files that an inflow is made of share: inflow.c hands out, inflow_file.c reads,
 * inflow_decode.c decompresses frame by frame, inflow_frames.c several side by side.
 *
 * The file is read by one thread only: the caller's while the kind is found out,
 * and to the end of what is not compressed; the decompressor's after that, and, where
 * several are allowed or have processors, one that reads ahead of it.
 *
 * The ring: the decompressor fills blocks[tail], the caller holds blocks[head], and
 * n_full of them, the one held included, are the caller's.  The lock guards these
 * numbers, is_over and is_freed; a block's bytes belong to whom the numbers say.
 * failed and failure are the decompressor's until is_over, the caller's after that.
 */
#ifndef BPFSIFT_FILTER_INFLOW_PARTS_H
#define BPFSIFT_FILTER_INFLOW_PARTS_H

#include "filter/inflow.h"

#include <errno.h>
#include <pthread.h>

#include "filter/ahead.h"
#include "filter/frames.h"

/* All of them stay in a second-level cache, and few are the times that threads meet. */
#ifdef BPFSIFT_DEBUG
enum { SIFT_INFLOW_BLOCK = 1021, SIFT_INFLOW_INPUT = 509 }; /* everything meets an end */
#else
enum { SIFT_INFLOW_BLOCK = 256 << 10, SIFT_INFLOW_INPUT = 128 << 10 };
#endif
/* To wake a thread takes a good part of what a block does: it is told of a few at once. */
enum { SIFT_INFLOW_BLOCKS = 4, SIFT_INFLOW_WORTH_WAKING = SIFT_INFLOW_BLOCKS / 2 };

/* To read so much no thread is made. */
enum { SIFT_INFLOW_SMALL = 2 * SIFT_INFLOW_INPUT };

/* Nothing wakes a thread when is_stopped is set: so often it looks. */
enum { SIFT_INFLOW_STOP_MS = 50 };

/* Whether a decompressor's own thread was told to go; no errno that a file gives. */
enum { SIFT_INFLOW_GONE = -ECANCELED };

struct sift_inflow_block {
	uint8_t *bytes;
	size_t n;
};

/* Of the file, what was read and not used yet. */
struct sift_inflow_input {
	uint8_t *bytes; /* in the buffer, or where they were read ahead */
	size_t begin, end;
	uint8_t *buffer;
	size_t size;
	uint64_t off; /* in the file, of bytes[begin] */
	bool has_ended;
};

struct sift_inflow {
	struct sift_inflow_opts opts;
	enum sift_codec kind;
	const struct sift_decoder_ops *ops;
	void *decoder;
	struct sift_frames *frames; /* that come one after the other, or NULL */

	bool can_wait; /* reading the file may: it is no regular one */
	struct sift_inflow_input in;
	struct sift_ahead *ahead; /* that reads the rest of it; NULL: nobody does, */
	bool is_alone;            /* and nobody is to */

	int failed;              /* a negative errno that waits behind the bytes, */
	struct ebpf_err failure; /* and its message */

	/* What was handed out, or is next. */
	const uint8_t *piece;
	size_t n_piece;
	bool holds_block;

	/* The thread that decompresses. */
	bool has_thread;
	pthread_t thread;
	int wake_fd; /* readable once is_freed */
	uint8_t *room;
	size_t used; /* of room, which is blocks[tail].bytes, or NULL */
	pthread_mutex_t lock;
	pthread_cond_t is_filled, is_emptied;
	bool is_over, is_freed;
	unsigned head, tail, n_full;
	struct sift_inflow_block blocks[SIFT_INFLOW_BLOCKS];
};

/* ---- the file: inflow_file.c ---- */

/* Note what is wrong, at the offset that is read next, and return it. */
int sift_inflow_fail(struct sift_inflow *f, int code, const char *what);

/*
 * read(2) that waits as long as it is wanted.  1, 0 at the end or when no longer
 * wanted, or a negative errno.
 */
int sift_inflow_read_some(struct sift_inflow *f, void *to, size_t n, size_t *got);

/* Add to the input, behind what is left of it.  As sift_inflow_read_some(). */
int sift_inflow_refill(struct sift_inflow *f);

/* Have n bytes in the input, or all there are up to the end or a failure: so many. */
size_t sift_inflow_want(struct sift_inflow *f, size_t n);

static inline void
sift_inflow_use(struct sift_inflow *f, size_t n)
{
	f->in.begin += n;
	f->in.off += n;
}

/* ---- frames one by one: inflow_decode.c ---- */

/* As sift_inflow_fail(), in a file of this kind. */
int sift_inflow_fail_format(struct sift_inflow *f, const char *what, const char *detail);

/* Room to decompress into.  false: nobody wants it any more. */
bool sift_inflow_have_room(struct sift_inflow *f);

/*
 * Give the block to the caller, if there is anything in it: at once, with those that were
 * given before; or one that is full, which may wait for the next.
 */
void sift_inflow_hand_over(struct sift_inflow *f);
void sift_inflow_hand_over_full(struct sift_inflow *f);

/* One frame, from its first byte to its last.  0 or what failed. */
int sift_inflow_decode_frame(struct sift_inflow *f);

/* Of the frame to be skipped at p; 0: less than its head is there. */
uint64_t sift_inflow_skippable_len(const uint8_t *p, size_t n);
int sift_inflow_skip_frame(struct sift_inflow *f);
bool sift_inflow_can_skip(enum sift_codec kind);

/* The thread that decompresses an inflow, which is its argument. */
void *sift_inflow_decode(void *arg);

/* ---- frames side by side: inflow_frames.c ---- */

/*
 * Where a frame's length is seen only by reading it, reading ahead must not wait:
 * not from a pipe.  Without threads or memory for it, all goes on one by one.
 */
void sift_inflow_begin_frames(struct sift_inflow *f);

/* As many frames as follow each other, until something else does. */
int sift_inflow_decode_frames(struct sift_inflow *f);

/* Give it up: the frames are long, or do not tell.  All that were put are taken. */
void sift_inflow_end_frames(struct sift_inflow *f);

#endif
