/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every sink of packets is behind <bpfsift/filter.h>: a struct of
 * functions.  A new kind is a file of its own that embeds struct sift_sink as
 * its first member and brings a table and an opening function.
 */
#ifndef BPFSIFT_FILTER_SINK_H
#define BPFSIFT_FILTER_SINK_H

#include <bpfsift/filter.h>

struct sift_sink_ops {
	/* As the public functions of these names; not called after one failed. */
	int (*write)(struct sift_sink *sink, const struct sift_view *views, const uint32_t *keep,
		     size_t n, struct ebpf_err *err);
	int (*flush)(struct sift_sink *sink, struct ebpf_err *err);
	/* Close and free, sink included; the buffer is flushed or of no use. */
	int (*close)(struct sift_sink *sink, struct ebpf_err *err);
};

struct sift_sink {
	const struct sift_sink_ops *ops;
	int failed; /* what write or flush failed with, or 0 */
};

#endif
