/* SPDX-License-Identifier: BSD-2-Clause */
/* Which decoded instructions begin a fused run. */
#ifndef BPFSIFT_EBPF_FUSE_H
#define BPFSIFT_EBPF_FUSE_H

#include "ebpf/prog.h"

enum ebpf_fused {
#define F(id, ...) EBPF_FUSED_##id,
#include "ebpf/fused.def"
};

enum {
	EBPF_N_FUSED = 0
#define F(id, ...) + 1
#include "ebpf/fused.def"
};

#define EBPF_MAX_RUN 12

struct ebpf_run {
	const char *name;
	/* Whether the operands of decoded slots with these rows agree. */
	bool (*fits)(const struct ebpf_decoded *d);
	uint16_t outs;          /* bits: slots whose jumps lead to a result */
	uint8_t n;
	uint8_t rows[EBPF_MAX_RUN];
};

extern const struct ebpf_run ebpf_runs[EBPF_N_FUSED];

/*
 * Give the runs in a decoded program their labels.
 *
 * rows     the row of each slot, and one more that is none: EBPF_N_OPS
 * labels   of the fused instructions, by enum ebpf_fused
 */
void ebpf_fuse(struct ebpf_decoded *code, const uint8_t *rows, size_t n,
	       const void *const *labels);

#endif
