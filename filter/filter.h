/* SPDX-License-Identifier: BSD-2-Clause */
/* What the library knows of a filter beyond <bpfsift/filter.h>. */
#ifndef BPFSIFT_FILTER_FILTER_H
#define BPFSIFT_FILTER_FILTER_H

#include <bpfsift/filter.h>

#include <stdbool.h>

/* Whether a verdict depends on nothing but the packet's bytes and lengths. */
bool sift_filter_is_pure(const struct sift_filter *filter);

/* Packets that one filter is for. */
struct sift_kind {
	int dlt;
	unsigned expr_flags;
	const struct sift_filter *filter; /* NULL: all match */
	bool is_pure;                     /* it looks at bytes and lengths only */
};

#endif
