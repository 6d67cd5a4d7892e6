/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records of a pcap savefile, read in blocks: views point into the block, and no
 * byte is copied but those of a record that a block's end cuts in two.
 */
#ifndef BPFSIFT_FILTER_RECORDS_H
#define BPFSIFT_FILTER_RECORDS_H

#include "filter/inflow.h"
#include "filter/record.h"

/* What the file's header says, and what was read of the file beyond it. */
struct sift_records_opts {
	struct sift_inflow *flow;       /* borrowed */
	const char *name;               /* for messages; borrowed */
	struct sift_record_format format;
	bool may_map;           /* the file: see sift_records_map() */
	bool is_salvaged;       /* damage is passed over, */
	void (*on_skip)(void *arg, uint64_t off, uint64_t n_bytes);     /* and told; or NULL */
	void *on_skip_arg;
	const uint8_t *read;    /* bytes behind the header that were read already */
	size_t n_read;
};

struct sift_records;

/* Whether a file that begins with this header, of 24 bytes, is one of pcap. */
bool sift_records_begin(const uint8_t *header);

/* Whether records of a file with this header, of 24 bytes, are read here. */
bool sift_records_take(const uint8_t *header, int dlt);

/* 0 or -ENOMEM. */
int sift_records_new(const struct sift_records_opts *opts, struct sift_records **out,
		     struct ebpf_err *err);
void sift_records_free(struct sift_records *records);

/* As sift_source_next(). */
int sift_records_next(struct sift_records *records, const struct sift_view **views, size_t *n,
		      struct ebpf_err *err);

const struct sift_record_format *sift_records_format(const struct sift_records *records);

/* What views have from the next batch on; at first it is all. */
void sift_records_set_detail(struct sift_records *records, enum sift_detail detail);

/* The n views of the last batch get all that they would have with SIFT_DETAIL_ALL. */
void sift_records_complete(struct sift_records *records, size_t n);

/* The offset of what is handed out next, in what is decompressed. */
uint64_t sift_records_offset(const struct sift_records *records);

/* What is not handed out yet, where it can be read out of order. */
bool sift_records_extent(const struct sift_records *records, struct sift_extent *extent);

/*
 * Whether what is not handed out yet may be mapped, if it is long; and have it so, or give
 * that up, which reading does by itself where the mapping ends.
 */
bool sift_records_may_map(const struct sift_records *records);
void sift_records_map(struct sift_records *records, uint64_t least);
void sift_records_unmap(struct sift_records *records);
bool sift_records_is_mapped(const struct sift_records *records);

/*
 * Whether the last batch was lost under who looked at it: see mapped.h.  It is then read
 * again, from the file, and is what comes next.
 */
bool sift_records_lost(struct sift_records *records);

/* What it is mapped by, or others may map it by, whose handler finds it there. */
struct sift_mapped *sift_records_mapping(struct sift_records *records);

/* Go on with the record at off, of what sift_records_extent() told. */
void sift_records_resume(struct sift_records *records, uint64_t off);

#endif
