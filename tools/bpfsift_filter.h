/* SPDX-License-Identifier: BSD-2-Clause */
/* The expression of bpfsift, and the filters made of it: one for each kind of packet. */
#ifndef TOOLS_BPFSIFT_FILTER_H
#define TOOLS_BPFSIFT_FILTER_H

#include "tools/bpfsift_options.h"

/* What expressions are compiled for: of a source, or of none. */
struct bpfsift_kind {
	int dlt;
	unsigned expr_flags;
	uint32_t snaplen;       /* what the program returns; no filter's packets depend on it */
	bool may_match_none;    /* else an expression that rejects all packets is an error */
};

struct bpfsift_filter {
	struct bpfsift_kind kind;
	struct cbpf_insn *insns;
	size_t n_insns;
	struct sift_filter *filter;
	struct bpfsift_filter *next;
};

/* Of a program, its runs only where the options ask for statistics. */
struct bpfsift_figures {
	const char *expression; /* NULL: none */
	int dlt;                /* DLT_* of its packets */
	size_t n_classic, n_extended; /* instructions */
	enum ebpf_runtime runtime;
	struct ebpf_stats stats;
	struct bpfsift_figures *next;
};

struct bpfsift_filters {
	const struct bpfsift_options *options;
	char *expression;               /* NULL: none */
	struct bpfsift_filter *first;   /* in the order in which they were wanted */
	struct bpfsift_filters *replaced;       /* what was before, and may still be run */
	struct bpfsift_figures *past, **past_end;       /* of those replaced that are gone */
};

/* Read the expression, from the command line or from a file. */
int bpfsift_filters_init(struct bpfsift_filters *filters, const struct bpfsift_options *options,
			 struct ebpf_err *err);
/* The same of an open file of -F, which path names in messages. */
int bpfsift_filters_read(struct bpfsift_filters *filters, const struct bpfsift_options *options,
			 int fd, struct ebpf_err *err);
void bpfsift_filters_destroy(struct bpfsift_filters *filters);

/* The expression compiled for a kind of packets, and no more. */
int bpfsift_filters_compile(const struct bpfsift_filters *filters, const struct bpfsift_kind *kind,
			    struct cbpf_insn **insns, size_t *n_insns, struct ebpf_err *err);

/*
 * Read the file of -F again, and have what it says take the places of all filters, which may
 * run meanwhile.  On failure, of which err tells in a line, they are as they were.
 */
int bpfsift_filters_reload(struct bpfsift_filters *filters, struct ebpf_err *err);

/* Free those that were replaced: no thread runs them any more. */
void bpfsift_filters_release(struct bpfsift_filters *filters);

/* What is known of the program of a filter; its expression is the filters'. */
struct bpfsift_figures bpfsift_filters_figures(const struct bpfsift_filters *filters,
					       const struct bpfsift_filter *f);

/* The filter for a kind of packets, which stays the filters' own. */
int bpfsift_filters_get(struct bpfsift_filters *filters, const struct bpfsift_kind *kind,
			const struct bpfsift_filter **filter, struct ebpf_err *err);

#endif
