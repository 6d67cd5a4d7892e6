/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Filtering a stretch of a pcap file with several threads, the output in the
 * input's order.
 *
 * Each thread takes the next block of the file, reads it, and waits till it is
 * told where the first record in it begins: by the thread that has the block
 * before, as soon as that has followed the record headers through its own.  No
 * boundary is guessed.  Then it judges the block's records, gathers those that
 * match, and writes them when the block before has been written.
 */
#ifndef BPFSIFT_FILTER_PARALLEL_H
#define BPFSIFT_FILTER_PARALLEL_H

#include <stdatomic.h>

#include "filter/records.h"

/* All borrowed. */
struct sift_parallel {
	const char *name;                       /* of the input, for messages */
	const atomic_bool *is_stopped;
	const struct sift_record_format *format;
	struct sift_extent extent;
	const struct sift_filter *filter;       /* pure; NULL: all match */
	struct sift_sink *sink;                 /* with append(); NULL: matches are counted */
	uint32_t keep;                          /* bytes to write of a packet at most */
	size_t block_size;                      /* any but 0 */
	unsigned n_threads;
	struct sift_pipeline_counters *counters;        /* added to */
};

/*
 * Judge the extent's records, up to its end, to the first that is damaged or not
 * all there, or till the source is stopped.  *next receives the offset behind the
 * last that was judged.  0; negative errno: the sink failed, or the file; -ENOMEM.
 */
int sift_parallel_run(const struct sift_parallel *parallel, uint64_t *next, struct ebpf_err *err);

#endif
