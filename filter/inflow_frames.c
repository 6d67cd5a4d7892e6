/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames that tell their lengths and are short, handed to several decoders at a time. */
#include "config.h"

#include "filter/inflow_parts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* The longest frame that is decoded beside others; pzstd makes them of 8 MiB and less. */
enum { MAX_FRAME = 16 << 20 };

void
sift_inflow_end_frames(struct sift_inflow *f)
{
	sift_frames_free(f->frames);
	f->frames = NULL;
}

/* Leave out short frames that are to be skipped, as pzstd puts one before each. */
static size_t
skip_short_frames(struct sift_inflow *f)
{
	size_t n = sift_inflow_want(f, SIFT_CODEC_HEAD);

	while (sift_codec_is_skippable(f->in.bytes + f->in.begin, n)) {
		uint64_t len = sift_inflow_skippable_len(f->in.bytes + f->in.begin, n);

		if (len == 0 || len > n)
			break;
		sift_inflow_use(f, (size_t)len);
		n = sift_inflow_want(f, SIFT_CODEC_HEAD);
	}
	return n;
}

/*
 * Have the next frame in the input, whole.  0 where something else comes next, or
 * the frame is cut: that is for who reads them one by one.  -1: so is all that follows.
 */
static int
have_frame(struct sift_inflow *f, struct sift_frame_size *size)
{
	size_t n = skip_short_frames(f), before;
	uint64_t most = f->opts.memlimit / sift_frames_most(f->frames);
	int rc;

	do {
		const uint8_t *p = f->in.bytes + f->in.begin;

		if (n == 0 || !sift_codec_may_begin(f->kind, p, n))
			return 0;
		rc = f->ops->measure(p, n, size);
		if (rc > 0 && (size->coded > most || size->content > most - size->coded))
			return -1;
		if (rc != 0)
			return rc;
		before = n;
		n = sift_inflow_want(f, n < MAX_FRAME - SIFT_INFLOW_INPUT ? n + SIFT_INFLOW_INPUT
									  : MAX_FRAME);
	} while (n > before);
	return n == MAX_FRAME ? -1 : 0;
}

/* A frame that its thread found to be no good: all that can be had of it, and why. */
static int
decode_again(struct sift_inflow *f, const struct sift_frame *frame)
{
	struct sift_inflow_input ahead = f->in;
	int rc;

	f->in = (struct sift_inflow_input){
		.bytes = frame->coded,
		.end = frame->size.coded,
		.size = frame->size.coded,
		.off = frame->off,
		.has_ended = true,
	};
	rc = sift_inflow_decode_frame(f);
	f->in = ahead;
	return rc;
}

/* Hand on what the oldest frame holds. */
static int
take_frame(struct sift_inflow *f)
{
	const struct sift_frame *frame = sift_frames_take(f->frames);
	size_t done = 0;

	if (!frame->is_good)
		return decode_again(f, frame);
	while (done < frame->size.content) {
		size_t n = frame->size.content - done;

		if (!sift_inflow_have_room(f))
			return SIFT_INFLOW_GONE;
		if (n > SIFT_INFLOW_BLOCK - f->used)
			n = SIFT_INFLOW_BLOCK - f->used;
		memcpy(f->room + f->used, frame->content + done, n);
		f->used += n;
		done += n;
		if (f->used == SIFT_INFLOW_BLOCK)
			sift_inflow_hand_over_full(f);
	}
	return 0;
}

int
sift_inflow_decode_frames(struct sift_inflow *f)
{
	struct sift_frame_size size;
	int found = 1, rc = 0;

	while (rc == 0) {
		while (found == 1 && sift_frames_pending(f->frames) < sift_frames_most(f->frames) &&
		       (found = have_frame(f, &size)) == 1) {
			if (sift_frames_put(f->frames, f->in.bytes + f->in.begin, &size,
					    f->in.off) < 0)
				found = -1;
			else
				sift_inflow_use(f, size.coded);
		}
		if (sift_frames_pending(f->frames) == 0)
			break;
		rc = take_frame(f);
	}
	if (found < 0)
		sift_inflow_end_frames(f);
	return rc;
}

void
sift_inflow_begin_frames(struct sift_inflow *f)
{
	uint8_t *larger;

	assert(f->in.bytes == f->in.buffer && "nothing is read ahead yet");
	if (f->opts.n_threads < 2 || f->ops->measure == NULL || f->can_wait ||
	    sift_frames_new(f->ops, f->opts.n_threads, &f->frames) < 0)
		return;
	if ((larger = realloc(f->in.buffer, f->in.size + MAX_FRAME + SIFT_INFLOW_INPUT)) == NULL) {
		sift_inflow_end_frames(f);
		return;
	}
	f->in.bytes = f->in.buffer = larger;
	f->in.size += MAX_FRAME + SIFT_INFLOW_INPUT;
}
