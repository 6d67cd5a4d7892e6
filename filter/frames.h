/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames that are there whole, decoded side by side by threads and handed back in
 * their order.
 *
 * One thread puts and takes.  A frame that is no good is handed back as it came, for
 * who wants to know what is wrong with it.
 */
#ifndef BPFSIFT_FILTER_FRAMES_H
#define BPFSIFT_FILTER_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "filter/codec.h"

struct sift_frames;

struct sift_frame {
	uint8_t *coded, *content;
	struct sift_frame_size size;
	uint64_t off; /* in the file */
	bool is_good; /* content is all of it */
};

/* Threads for at most n_threads frames at a time.  0, -ENOMEM, or an errno of a thread. */
int sift_frames_new(const struct sift_decoder_ops *ops, unsigned n_threads,
		    struct sift_frames **out);
void sift_frames_free(struct sift_frames *frames);

/* Frames put and not taken; and the most there may be. */
unsigned sift_frames_pending(const struct sift_frames *frames);
unsigned sift_frames_most(const struct sift_frames *frames);

/* Put a frame, of which the bytes are copied, where fewer than the most are.  0, -ENOMEM. */
int sift_frames_put(struct sift_frames *frames, const uint8_t *coded,
		    const struct sift_frame_size *size, uint64_t off);

/* The oldest of those pending, of which there is one.  Valid until the next is put. */
const struct sift_frame *sift_frames_take(struct sift_frames *frames);

#endif
