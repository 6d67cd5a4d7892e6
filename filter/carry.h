/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Copying a pcapng file, all of it but the packets that do not match: what precedes a
 * packet's block, and what follows the last, is in the batch that has the packet.
 */
#ifndef BPFSIFT_FILTER_CARRY_H
#define BPFSIFT_FILTER_CARRY_H

#include "filter/blocks.h"

/* Room for blocks that are cut; { NULL } is none yet. */
struct sift_carry {
	uint8_t *buf;
	size_t size;
};

void sift_carry_destroy(struct sift_carry *carry);

/* Room to cut a block of so many bytes, which is made as it is needed too.  0 or -ENOMEM. */
int sift_carry_reserve(struct sift_carry *carry, size_t len, struct ebpf_err *err);

/* Take n > 0 bytes of whole blocks: those that stay do so as long as the batch does. */
typedef int (*sift_carry_put_fn)(void *arg, const uint8_t *bytes, size_t n, bool stays,
				 struct ebpf_err *err);

/*
 * Put the reader's last batch: all blocks but those of packets whose keep is 0, each cut
 * to keep bytes of its packet.  Of the first n packets, n > 0, alone, and what precedes
 * them, unless it is all.
 */
int sift_carry_batch(struct sift_carry *carry, const struct sift_blocks *blocks,
		     const struct sift_view *views, const uint32_t *keep, size_t n, bool is_all,
		     sift_carry_put_fn put, void *arg, struct ebpf_err *err);

#endif
