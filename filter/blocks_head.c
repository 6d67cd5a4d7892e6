/* SPDX-License-Identifier: BSD-2-Clause */
/* What a pcapng file begins with: blocks up to the first interface's, and the first packet's. */
#include "config.h"

#include "filter/blocks.h"

#include <errno.h>

/*
 * The next of the blocks that precede packets, at *at of a file's first n bytes.  1: it is in
 * *body, and *at is behind it; 0: it is not whole; -EINVAL: it is a packet's, or damaged.
 */
static int
next_before_packets(const uint8_t *bytes, size_t n, bool is_swapped, size_t *at,
		    struct sift_block_body *body)
{
	uint32_t total;

	if (n - *at < SIFT_BLOCK_HEADER)
		return 0;
	total = load32(bytes + *at + 4, is_swapped);
	if (sift_block_is_packet(load32(bytes + *at, is_swapped)) ||
	    total < SIFT_BLOCK_HEADER + SIFT_BLOCK_TRAILER || total > SIFT_BLOCK_MAX)
		return -EINVAL;
	if (total > n - *at)
		return 0;
	*body = sift_block_body(bytes + *at, total, is_swapped);
	*at += total;
	return 1;
}

static int
read_interface(struct sift_blocks_interface *itf, struct sift_block_body *body)
{
	int rc = sift_block_read_interface(itf, body, NULL);

	return rc < 0 ? rc : sift_block_read_options(itf, body, NULL);
}

int
sift_blocks_look(const uint8_t *bytes, size_t n, struct sift_blocks_head *head)
{
	size_t begin = 0, at = 0;
	struct sift_block_body body;
	int rc;

	if (n < SIFT_BLOCK_HEADER + 4)
		return 0;
	if (load_be32(bytes) != SIFT_BLOCK_SECTION)
		return -EINVAL;
	head->is_swapped = load32(bytes + SIFT_BLOCK_HEADER, false) == SIFT_BYTE_ORDER_SWAPPED;
	while ((rc = next_before_packets(bytes, n, head->is_swapped, &at, &body)) == 1 &&
	       body.type != SIFT_BLOCK_INTERFACE)
		begin = at;
	if (rc != 1 || (rc = read_interface(&head->first, &body)) < 0)
		return rc;
	head->len = at;
	head->first.off = begin;
	return 1;
}

bool
sift_blocks_look_on(const uint8_t *bytes, size_t n, const struct sift_blocks_head *head,
		    struct sift_blocks_survey *survey)
{
	size_t at = head->len;
	struct sift_blocks_interface itf;
	struct sift_block_body body;
	int rc;

	*survey = (struct sift_blocks_survey){ head->first.snaplen, head->first.units > 1000000 };
	while ((rc = next_before_packets(bytes, n, head->is_swapped, &at, &body)) == 1 &&
	       body.type != SIFT_BLOCK_SECTION) {
		/* of what is damaged the reader will tell */
		if (body.type != SIFT_BLOCK_INTERFACE || read_interface(&itf, &body) < 0)
			continue;
		survey->snaplen = itf.snaplen > survey->snaplen ? itf.snaplen : survey->snaplen;
		survey->is_nano |= itf.units > 1000000;
	}
	return rc != 0;
}

bool
sift_blocks_take(const struct sift_blocks_head *head)
{
	return sift_record_is_plain(head->first.dlt, head->is_swapped);
}
