/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The records of what matches, one behind the other, to be written at once.
 *
 * Where they lie in the input as they are to lie in the output, each run of them
 * is copied as one; if there is but one run, nothing is.  Or packets of another format,
 * which the sink that is to have them makes of each.
 */
#ifndef BPFSIFT_FILTER_GATHER_H
#define BPFSIFT_FILTER_GATHER_H

#include "filter/record.h"
#include "filter/sink.h"

struct sift_gather {
	const struct sift_sink *sink; /* that packets are for */
	bool is_raw;            /* each view's bytes stand behind a header fit for that */
	uint8_t *buf;           /* its own */
	size_t size;
	uint8_t *to;            /* that, or room elsewhere */
	size_t room, used;
	const uint8_t *run;     /* that comes behind what is there, not copied yet */
	size_t run_len;
};

/* One of zeros has nothing in it, and room for nothing. */
void sift_gather_destroy(struct sift_gather *gather);

/*
 * Packets are for a sink with append(), borrowed, and the views' records have this format;
 * NULL: they are elsewhere than in records.
 */
void sift_gather_set_sink(struct sift_gather *gather, const struct sift_sink *sink,
			  const struct sift_record_format *format);

/* Forget what is there, and have room for size bytes of records, or what they become. */
int sift_gather_reset(struct sift_gather *gather, size_t size, struct ebpf_err *err);

/* As much room as sift_gather_add() takes at most for these views. */
size_t sift_gather_room(const struct sift_gather *gather, const struct sift_view *views,
			const uint32_t *keep, size_t n);

/* Forget what is there, and gather where there are size bytes. */
void sift_gather_into(struct sift_gather *gather, uint8_t *to, size_t size);

/*
 * Add the packets of views whose keep is not 0, cut to that.  All that is added
 * between two resets is as long as there is room for.
 */
void sift_gather_add(struct sift_gather *gather, const struct sift_view *views,
		     const uint32_t *keep, size_t n);

/* Add bytes as they are, which stay where they are, or are copied at once. */
void sift_gather_add_bytes(struct sift_gather *gather, const uint8_t *bytes, size_t n, bool stays);

/* Copy what was not copied yet: the views' bytes may go. */
void sift_gather_own(struct sift_gather *gather);

/* All of it, valid until the next call, and as long as the views' bytes are; its length in *n. */
const uint8_t *sift_gather_bytes(struct sift_gather *gather, size_t *n);

#endif
