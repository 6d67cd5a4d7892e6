/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A section of a pcapng file, as far as its packets depend on it: the byte order, and the
 * interfaces that were described so far.
 */
#ifndef BPFSIFT_FILTER_SECTION_H
#define BPFSIFT_FILTER_SECTION_H

#include "filter/block.h"

/* { .is_swapped } has no interfaces. */
struct sift_section {
	bool is_swapped; /* fields are in the other byte order */
	struct sift_blocks_interface *interfaces;
	size_t n_interfaces, room;
	uint32_t snaplen; /* the greatest of all so far, in sections before this one too */
};

/* What libpcap wants all interfaces to agree with; of mixed ones nothing is wanted. */
struct sift_section_rule {
	bool is_mixed;
	int dlt;
	uint32_t snaplen;
};

void sift_section_destroy(struct sift_section *section);

/* Add an interface that was read.  0 or -ENOMEM. */
int sift_section_add(struct sift_section *section, const struct sift_blocks_interface *itf,
		     struct ebpf_err *err);

/* The section becomes as another one is.  0 or -ENOMEM. */
int sift_section_copy(struct sift_section *section, const struct sift_section *from,
		      struct ebpf_err *err);

/* The snapshot length that simple packets have: 0 where there is no interface. */
static inline uint32_t
sift_section_first_snaplen(const struct sift_section *section)
{
	return section->n_interfaces > 0 ? section->interfaces[0].snaplen : 0;
}

/*
 * Whether a block, of which left bytes are there, is in the other byte order.  Where sections
 * may differ in it, a section's own block tells.
 */
static inline bool
sift_section_order(const struct sift_section *section, const struct sift_section_rule *rule,
		   const uint8_t *block, size_t left)
{
	if (rule->is_mixed && left >= SIFT_BLOCK_HEADER + 4 &&
	    load_be32(block) == SIFT_BLOCK_SECTION &&
	    load32(block + SIFT_BLOCK_HEADER, section->is_swapped) == SIFT_BYTE_ORDER_SWAPPED)
		return !section->is_swapped;
	return section->is_swapped;
}

/* Take the interface of a block at off.  0, -EINVAL, -ENOMEM. */
int sift_section_take_interface(struct sift_section *section, const struct sift_section_rule *rule,
				struct sift_block_body *body, uint64_t off, struct ebpf_err *err);

/* Another section begins, with no interfaces, in the byte order of the block.  0, -EINVAL. */
int sift_section_begin(struct sift_section *section, struct sift_block_body *body,
		       struct ebpf_err *err);

#endif
