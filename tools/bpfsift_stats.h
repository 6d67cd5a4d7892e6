/* SPDX-License-Identifier: BSD-2-Clause */
/* --stats: what became of the packets, at each stage, and what the programs did. */
#ifndef TOOLS_BPFSIFT_STATS_H
#define TOOLS_BPFSIFT_STATS_H

#include "tools/bpfsift_filter.h"

struct bpfsift_totals {
	uint64_t seen, matched, too_short, written;
	struct sift_source *live; /* which has counted too; NULL: files */
	bool is_in_kernel;        /* the filter has run there */
};

/* On standard error, as the options say: in lines, or as JSON in one. */
void bpfsift_print_stats(const struct bpfsift_totals *totals,
			 const struct bpfsift_filters *filters);

#endif
