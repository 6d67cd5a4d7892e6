/* SPDX-License-Identifier: BSD-2-Clause */
/* What the library knows of a filter beyond <bpfsift/filter.h>. */
#ifndef BPFSIFT_FILTER_FILTER_H
#define BPFSIFT_FILTER_FILTER_H

#include <bpfsift/filter.h>

#include <stdbool.h>

/*
 * A filter may be replaced while it runs.  What must be of one filter, as a batch and what
 * is asked of it, is asked of the program that sift_filter_ebpf() gave once: a judge.
 */

/* Whether a verdict depends on nothing but the packet's bytes and lengths. */
bool sift_judge_is_pure(const struct ebpf_prog *prog);

/* Of n packets and their verdicts, those too short, as sift_filter_too_short() tells. */
size_t sift_judge_too_short(const struct ebpf_prog *prog, const struct sift_view *views,
			    const uint32_t *verdicts, size_t n);

/* How many of n verdicts are not 0. */
static inline size_t
sift_count_matches(const uint32_t *verdicts, size_t n)
{
	size_t n_matched = 0;

	for (size_t i = 0; i < n; i++)
		n_matched += verdicts[i] != 0;
	return n_matched;
}

/* Packets that one filter is for. */
struct sift_kind {
	int dlt;
	unsigned expr_flags;
	const struct sift_filter *filter; /* NULL: all match */
	bool is_pure;                     /* it looks at bytes and lengths only */
};

#endif
