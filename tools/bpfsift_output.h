/* SPDX-License-Identifier: BSD-2-Clause */
/* The savefile of -w, or those that it is followed by. */
#ifndef TOOLS_BPFSIFT_OUTPUT_H
#define TOOLS_BPFSIFT_OUTPUT_H

#include "tools/bpfsift_options.h"

struct bpfsift_output {
	const struct bpfsift_options *options;
	bool is_full;       /* -W: nothing is written any more */
	uint64_t n_packets; /* then: in all files */
};

/* Whether one file follows the other, each for packets of one link type. */
bool bpfsift_output_is_rotated(const struct bpfsift_options *options);

/* What the options say of when and how files follow each other, and nothing else. */
struct sift_rotate_opts bpfsift_output_rotation(const struct bpfsift_options *options);

/*
 * Open it for packets of a source, cut to `cut` bytes unless 0.  output is kept until the
 * sink is closed.
 */
int bpfsift_output_open(struct bpfsift_output *output, const struct sift_source_info *info,
			uint32_t cut, struct sift_sink **sink, struct ebpf_err *err);

#endif
