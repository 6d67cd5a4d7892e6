/* SPDX-License-Identifier: BSD-2-Clause */
/* What a pipeline can be told beyond <bpfsift/filter.h>. */
#ifndef BPFSIFT_FILTER_PIPELINE_H
#define BPFSIFT_FILTER_PIPELINE_H

#include <bpfsift/filter.h>

/*
 * Several threads share blocks of so many bytes, any but 0, and files that have at least so
 * many left, or are of a series, where the pipeline would choose both: for tests, to which no
 * file is too small, and no series too short.
 */
void sift_pipeline_set_blocks(struct sift_pipeline *pipeline, size_t block_size, size_t least);

#endif
