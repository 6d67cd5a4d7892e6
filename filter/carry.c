/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocks that lie next to each other and are both written are written as one run.
 */
#include "filter/carry.h"

#include <errno.h>
#include <stdlib.h>

#include "ebpf/err.h"
#include "filter/sink.h"

void
sift_carry_destroy(struct sift_carry *carry)
{
	free(carry->buf);
}

static int
write_run(struct sift_sink *sink, const uint8_t *begin, const uint8_t *end, struct ebpf_err *err)
{
	return end > begin ? sift_sink_carry(sink, begin, (size_t)(end - begin), err) : 0;
}

static int
make_room(struct sift_carry *carry, size_t size, struct ebpf_err *err)
{
	uint8_t *grown;

	if (size <= carry->size)
		return 0;
	if ((grown = realloc(carry->buf, size)) == NULL)
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	carry->buf = grown;
	carry->size = size;
	return 0;
}

static int
write_cut(struct sift_carry *carry, const struct sift_blocks *blocks, size_t i, uint32_t caplen,
	  struct sift_sink *sink, struct ebpf_err *err)
{
	int rc = make_room(carry, sift_blocks_cut_max(&sift_blocks_places(blocks)[i]), err);

	if (rc < 0)
		return rc;
	return sift_sink_carry(sink, carry->buf, sift_blocks_cut(blocks, i, caplen, carry->buf),
			       err);
}

int
sift_carry_batch(struct sift_carry *carry, const struct sift_blocks *blocks,
		 const struct sift_view *views, const uint32_t *keep, size_t n, bool is_all,
		 struct sift_sink *sink, struct ebpf_err *err)
{
	const struct sift_blocks_place *places = sift_blocks_places(blocks);
	size_t len;
	const uint8_t *bytes = sift_blocks_bytes(blocks, &len), *run = bytes;
	int rc;

	for (size_t i = 0; i < n; i++) {
		bool is_cut = keep[i] != 0 && views[i].caplen > keep[i];

		if (keep[i] != 0 && !is_cut)
			continue;
		if ((rc = write_run(sink, run, bytes + places[i].begin, err)) < 0 ||
		    (is_cut &&
		     (rc = write_cut(carry, blocks, i, keep[i], sink, err)) < 0))
			return rc;
		run = bytes + places[i].end;
	}
	return write_run(sink, run, is_all ? bytes + len : bytes + places[n - 1].end, err);
}
