/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocks that lie next to each other and are both written are written as one run.
 */
#include "filter/carry.h"

#include <errno.h>
#include <stdlib.h>

#include "ebpf/err.h"

void
sift_carry_destroy(struct sift_carry *carry)
{
	free(carry->buf);
}

int
sift_carry_reserve(struct sift_carry *carry, size_t len, struct ebpf_err *err)
{
	size_t size = sift_block_cut_max(len);
	uint8_t *grown;

	if (size <= carry->size)
		return 0;
	if ((grown = realloc(carry->buf, size)) == NULL)
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	carry->buf = grown;
	carry->size = size;
	return 0;
}

int
sift_carry_batch(struct sift_carry *carry, const struct sift_blocks *blocks,
		 const struct sift_view *views, const uint32_t *keep, size_t n, bool is_all,
		 sift_carry_put_fn put, void *arg, struct ebpf_err *err)
{
	const struct sift_blocks_place *places = sift_blocks_places(blocks);
	size_t len, run = 0, end;
	const uint8_t *bytes = sift_blocks_bytes(blocks, &len);
	int rc;

	for (size_t i = 0; i < n; i++) {
		bool is_cut = keep[i] != 0 && views[i].caplen > keep[i];

		if (keep[i] != 0 && !is_cut)
			continue;
		if (places[i].begin > run &&
		    (rc = put(arg, bytes + run, places[i].begin - run, true, err)) < 0)
			return rc;
		run = places[i].end;
		if (!is_cut)
			continue;
		if ((rc = sift_carry_reserve(carry, places[i].end - places[i].begin, err)) < 0 ||
		    (rc = put(arg, carry->buf, sift_blocks_cut(blocks, i, keep[i], carry->buf),
			      false, err)) < 0)
			return rc;
	}
	end = is_all ? len : places[n - 1].end;
	return end > run ? put(arg, bytes + run, end - run, true, err) : 0;
}
