/* SPDX-License-Identifier: BSD-2-Clause */
/* The savefiles that bpfsift reads: those named, listed in a file, or found in a directory. */
#ifndef TOOLS_BPFSIFT_INPUTS_H
#define TOOLS_BPFSIFT_INPUTS_H

#include <sys/types.h>

#include "tools/bpfsift_filter.h"
#include "tools/bpfsift_options.h"

struct bpfsift_input {
	char *path;
	uint32_t number;                /* of those that were found */
	bool was_found;                 /* in a directory: may be no savefile */
	bool is_regular;                /* a file, as it was found; then */
	dev_t dev;                      /* this and its number tell which */
	ino_t ino;
	int fd;                         /* of one that was opened ahead; -1 */
	size_t n_in_series;             /* from here on; then it has no source, */
	size_t series_number;           /* but a place there.  0: it is none of them */
	struct sift_source *source;     /* NULL: not open */
	struct sift_source_info info;   /* name and warning only while it is open */
	uint64_t size;                  /* bytes of the file; 0: not known */
};

struct bpfsift_inputs {
	const struct bpfsift_options *options;
	struct bpfsift_input *list;
	size_t n, room;
	struct sift_series *series;     /* of the small ones, as many as can be open; or NULL */
	/* Of all of them, once they were looked at. */
	uint32_t snaplen;
	enum sift_precision precision;
};

/* Find the files, and read nothing of them. */
int bpfsift_inputs_init(struct bpfsift_inputs *inputs, const struct bpfsift_options *options,
			struct ebpf_err *err);

/*
 * Before rights are given up: open small files, as many as may be open, which stay so from
 * being looked at to being read.  Of larger ones few are read in the same time: the helper
 * opens those, and whatever may keep one waiting.
 */
int bpfsift_inputs_open_small(struct bpfsift_inputs *inputs, struct ebpf_err *err);

/*
 * Look at what each one is: whoever reads several knows before anything is written that all
 * can be opened.  A single one, those to be merged, and standard input stay open.
 */
int bpfsift_inputs_look(struct bpfsift_inputs *inputs, struct ebpf_err *err);
void bpfsift_inputs_destroy(struct bpfsift_inputs *inputs);

/* Have it open, the opening line printed. */
int bpfsift_input_open(const struct bpfsift_inputs *inputs, struct bpfsift_input *input,
		       struct ebpf_err *err);
void bpfsift_input_close(struct bpfsift_input *input);

/* The opening lines of n inputs that are read as a series. */
void bpfsift_inputs_print_openings(const struct bpfsift_inputs *inputs, size_t first, size_t n);

/* What its packets are compiled for. */
struct bpfsift_kind bpfsift_input_kind(const struct bpfsift_input *input);

/* 0; -EINVAL: an output at this path would take the place of an input. */
int bpfsift_inputs_check_output(const struct bpfsift_inputs *inputs, const char *path,
				struct ebpf_err *err);

/* 0; -EINVAL: packets of several link types, which cannot be in one pcap file. */
int bpfsift_inputs_check_linktypes(const struct bpfsift_inputs *inputs, struct ebpf_err *err);

#endif
