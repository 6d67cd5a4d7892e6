/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Small pcap files that are read one after the other as one source; see <bpfsift/filter.h>.
 *
 * A file is read whole, by one read, and only if all of it is sound: in front of one that is
 * not, the source ends, and whoever reads that file by itself says what is wrong.  So what
 * a file's header means is found out once for all that begin with the same bytes.
 */
#ifndef BPFSIFT_FILTER_SERIES_H
#define BPFSIFT_FILTER_SERIES_H

#include "filter/record.h"
#include "filter/source.h"

/* Records of files, one file behind the other. */
struct sift_series_block {
	uint8_t *room;    /* in front of the records there is some for a file's header */
	uint8_t *records; /* all of them whole */
	size_t n;         /* bytes of them */
};

/* An empty one, with room for a stretch, and for one file more.  0 or -ENOMEM. */
int sift_series_block_init(struct sift_series_block *block);
void sift_series_block_destroy(struct sift_series_block *block);

/* ---- of a source that is one of a series' files ---- */

const struct sift_record_format *sift_series_format(const struct sift_source *source);

/* How many files it has. */
size_t sift_series_length(const struct sift_source *source);

/*
 * How many files, from file i of the source on, make a stretch: as long as it takes for
 * threads not to wait for each other too often, and small enough for the cache.  At least 1,
 * if there are any.
 */
size_t sift_series_stretch(const struct sift_source *source, size_t i);

/*
 * Put the records of file i behind those in the block, beside other threads.  false: there is
 * no such file, no room, or the source ends in front of it; and the block is as it was.
 */
bool sift_series_read(const struct sift_source *source, size_t i, struct sift_series_block *block);

/* Close it, when it is done with. */
void sift_series_close(struct sift_source *source, size_t i);

/* What comes next is file i, with so many bytes in those before; by the one who goes on. */
void sift_series_go_on(struct sift_source *source, size_t i, uint64_t n_bytes);
uint64_t sift_series_bytes(const struct sift_source *source);

#endif
