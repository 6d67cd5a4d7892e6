/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packet loads of targets that ask a helper for bytes: CTX is what it takes, and
 * R8, R9 and a word of the stack are scratch within one load.
 */
#ifndef BPFSIFT_CBPF_LOWER_HELPER_H
#define BPFSIFT_CBPF_LOWER_HELPER_H

#include "cbpf/lower.h"

/* What a load adds up. */
#define REG_SUM EBPF_R9

/* For struct lower_target. */
void lower_helper_prologue(struct lowering *l, bool loads, bool needs_len);
int lower_helper_abs(struct lowering *l, uint32_t k, uint8_t size, uint8_t dst);
void lower_helper_ind(struct lowering *l, uint32_t k, uint8_t size);

/* What a target's loads go by. */
struct lower_helpers {
	int32_t load;           /* (ctx, offset, to, len): 0, or there are no such bytes */
	/*
	 * TMP bytes from a header on, size of them, to the place that load
	 * stores to: 0 in R0, or what there is not.  TMP is in SUM too.
	 */
	void (*load_net)(struct lowering *l, uint8_t size);
	void (*load_ll)(struct lowering *l, uint8_t size);
	bool (*has_net)(const struct lowering *l);
};

/* Call load for size bytes at TMP of the data. */
void lower_helper_load(struct lowering *l, uint8_t size);
/* R1, R3 and R4 of such a call: context, where to, how many. */
void lower_helper_args(struct lowering *l, uint8_t size);
/* dst = what was stored there, in the host's byte order. */
void lower_helper_take(struct lowering *l, uint8_t size, uint8_t dst);

#endif
