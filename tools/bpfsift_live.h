/* SPDX-License-Identifier: BSD-2-Clause */
/* bpfsift and interfaces: which there are, and capturing from one. */
#ifndef TOOLS_BPFSIFT_LIVE_H
#define TOOLS_BPFSIFT_LIVE_H

#include "tools/bpfsift_options.h"

/* Print what can be captured from. */
int bpfsift_list_interfaces(struct ebpf_err *err);

/* Print the time stamp types of -i, or of the first interface. */
int bpfsift_list_tstamp_types(const struct bpfsift_options *options, struct ebpf_err *err);

/* A capture.  interface and source are NULL until they are found, and the caller's to free. */
struct bpfsift_live {
	const struct bpfsift_options *options;
	char *interface; /* the name found for it */
	struct sift_source *source;
	struct sift_source_info info;
	const struct sift_filter *filter; /* of an expression; NULL: there is none */
	bool is_in_kernel;                /* where it runs, */
	struct ebpf_err reason;           /* or why not, if it was to */
};

/* Have the kernel filter, where that is wanted and can be had.  is_asked_for: an expression. */
void bpfsift_live_attach(struct bpfsift_live *live, const struct sift_filter *filter,
			 bool is_asked_for);

/* Begin to capture as the options say, the link type set. */
int bpfsift_live_open(struct bpfsift_live *live, struct ebpf_err *err);

/* Print the link types that it can have. */
int bpfsift_live_list_linktypes(struct bpfsift_live *live, struct ebpf_err *err);

void bpfsift_live_print_opening(const struct bpfsift_live *live);

/* The closing lines: n matched. */
void bpfsift_live_print_counts(const struct bpfsift_live *live, uint64_t n);

#endif
