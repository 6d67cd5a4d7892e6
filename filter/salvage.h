/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finding records of a pcap file again behind damage.
 *
 * A header is plausible if it says what a writer would: a fraction below a second, no
 * more bytes captured than there were and than a record may have.  Where a record cannot
 * be believed, the next is where three plausible ones follow each other, or as many as
 * there are to the end of the file, at times that are near each other.
 */
#ifndef BPFSIFT_FILTER_SALVAGE_H
#define BPFSIFT_FILTER_SALVAGE_H

#include "filter/record.h"

struct sift_salvage {
	const struct sift_record_format *format;
	bool has_time;          /* a record was believed, */
	int64_t sec;            /* at this time */
	bool is_lost;           /* bytes were left out: a chain is to come */
};

/* What is there of a file, from a place in it on. */
struct sift_stretch {
	const uint8_t *p;
	size_t n;
	bool is_last;           /* nothing comes behind it */
};

enum sift_belief {
	SIFT_RECORD_GOOD,       /* as it stands */
	SIFT_RECORD_BAD,        /* the bytes in front of *skip are not records */
	SIFT_RECORD_UNKNOWN,    /* more bytes are wanted */
};

/* Bytes after which there is always an answer. */
enum { SIFT_SALVAGE_WINDOW = 5 * (SIFT_RECORD_HEADER + SIFT_RECORD_MAX_CAPLEN) };

/*
 * Judge the record that a stretch begins with.  *skip receives how many bytes to leave out
 * where it is bad: at least one, and all where no other was found in them.
 */
enum sift_belief sift_salvage_judge(struct sift_salvage *salvage,
				    const struct sift_stretch *stretch, size_t *skip);

/*
 * Where among the first n bytes of a stretch, which has as many, three such records follow
 * each other that are there whole; n: nowhere.  Of salvage only the format and the time are
 * looked at.
 */
size_t sift_salvage_find(const struct sift_salvage *salvage, const struct sift_stretch *stretch,
			 size_t n);

#endif
