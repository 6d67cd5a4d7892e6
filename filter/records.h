/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records of a pcap savefile, read in blocks: views point into the block, and no
 * byte is copied but those of a record that a block's end cuts in two.
 */
#ifndef BPFSIFT_FILTER_RECORDS_H
#define BPFSIFT_FILTER_RECORDS_H

#include <bpfsift/filter.h>

#include <stdatomic.h>
#include <stdbool.h>

/* What the file's header says, and what was read of the file beyond it. */
struct sift_records_opts {
	int fd;                 /* borrowed */
	const atomic_bool *is_stopped;
	const char *name;       /* for messages; borrowed */
	int dlt;
	bool is_swapped;        /* headers are in the other byte order */
	uint32_t ts_scale;      /* nanoseconds in the unit of the fraction */
	uint32_t snaplen;       /* of longer records the rest is skipped */
	const uint8_t *read;    /* bytes behind the header that were read already */
	size_t n_read;
};

struct sift_records;

/* Whether records of a file with this header, of 24 bytes, are read here. */
bool sift_records_take(const uint8_t *header, int dlt);

/* 0 or -ENOMEM. */
int sift_records_new(const struct sift_records_opts *opts, struct sift_records **out,
		     struct ebpf_err *err);
void sift_records_free(struct sift_records *records);

/* As sift_source_next(). */
int sift_records_next(struct sift_records *records, const struct sift_view **views, size_t *n,
		      struct ebpf_err *err);

#endif
