/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every source of packets is behind <bpfsift/filter.h>: a struct of
 * functions.  A new kind is a file of its own that embeds struct sift_source as
 * its first member and brings a table and an opening function.
 */
#ifndef BPFSIFT_FILTER_SOURCE_H
#define BPFSIFT_FILTER_SOURCE_H

#include <bpfsift/filter.h>

#include <stdatomic.h>
#include <stdbool.h>

struct sift_blocks;
struct sift_records;

_Static_assert(ATOMIC_BOOL_LOCK_FREE == 2, "set by signal handlers");

struct sift_source_ops {
	/*
	 * The next batch, as sift_source_next() documents.  Called neither
	 * after the end nor after an error.  Once the source is stopped it
	 * returns 0 as soon as it can.
	 */
	int (*next)(struct sift_source *source, const struct sift_view **views, size_t *n,
		    struct ebpf_err *err);
	/* End a wait inside next(); async-signal-safe.  NULL: waits end by EINTR. */
	void (*stop)(struct sift_source *source);
	/* Live sources only, else NULL.  wake() is async-signal-safe. */
	void (*wake)(struct sift_source *source);
	int (*set_linktype)(struct sift_source *source, int dlt, struct ebpf_err *err);
	int (*linktypes)(struct sift_source *source, int **dlts, size_t *n, struct ebpf_err *err);
	int (*stats)(struct sift_source *source, struct sift_source_stats *stats,
		     struct ebpf_err *err);
	int (*attach)(struct sift_source *source, const struct sift_filter *filter,
		      struct ebpf_err *err);
	/* See sift_source_position() and _size(); NULL: nothing is known. */
	uint64_t (*position)(const struct sift_source *source);
	uint64_t (*size)(const struct sift_source *source);
	/* Free all, source included. */
	void (*close)(struct sift_source *source);
};

struct sift_source {
	const struct sift_source_ops *ops;
	struct sift_source_info info; /* kept up to date by the source */
	struct sift_records *records; /* what next() takes its batches from; or NULL, */
	struct sift_blocks *blocks;   /* and this or NULL */
	bool is_series;               /* small files one after the other: see series.h */
	bool is_mixed;                /* info may change from batch to batch */
	bool has_ended;               /* by the end of input or an error */
	uint64_t reached;             /* in the file, by those who read it beside next() */
	atomic_bool is_stopped;
};

#endif
