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

/* Room for one file. */
struct sift_series_file {
	uint8_t *bytes;
	const uint8_t *records; /* in them, of the file that was read last */
	size_t n;               /* bytes of records, all of them whole */
};

/* 0 or -ENOMEM. */
int sift_series_file_init(struct sift_series_file *file);
void sift_series_file_destroy(struct sift_series_file *file);

/* ---- of a source that is one of a series' files ---- */

const struct sift_record_format *sift_series_format(const struct sift_source *source);

/* How many files it has. */
size_t sift_series_length(const struct sift_source *source);

/*
 * Read the i-th file from the first one of the source on, beside other threads.  false: there
 * is none, or the source ends in front of it.
 */
bool sift_series_read(const struct sift_source *source, size_t i, struct sift_series_file *file);

/* Close it, when it is done with. */
void sift_series_close(struct sift_source *source, size_t i);

/* What comes next is file i, with so many bytes in those before; by the one who goes on. */
void sift_series_go_on(struct sift_source *source, size_t i, uint64_t n_bytes);
uint64_t sift_series_bytes(const struct sift_source *source);

#endif
