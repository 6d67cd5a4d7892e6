/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "filter/batch.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ebpf/err.h"

int
sift_batch_init(struct sift_batch *batch, struct ebpf_err *err)
{
	batch->n = batch->used = 0;
	batch->size = SIFT_BATCH_BYTES;
	batch->arena = malloc(batch->size);
	if (batch->arena == NULL)
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	return 0;
}

void
sift_batch_destroy(struct sift_batch *batch)
{
	free(batch->arena);
}

void
sift_batch_reset(struct sift_batch *batch)
{
#ifdef BPFSIFT_DEBUG
	memset(batch->arena, 0xa5, batch->size);
#endif
	batch->n = batch->used = 0;
}

/* Move the arena to where another len bytes have room. */
static int
grow(struct sift_batch *batch, size_t len)
{
	size_t size = batch->used + len;
	uint8_t *arena = malloc(size);

	if (arena == NULL)
		return -ENOMEM;
	memcpy(arena, batch->arena, batch->used);
	for (size_t i = 0; i < batch->n; i++)
		batch->views[i].data = arena + (batch->views[i].data - batch->arena);
	free(batch->arena);
	batch->arena = arena;
	batch->size = size;
	return 0;
}

struct sift_view *
sift_batch_add(struct sift_batch *batch, int dlt, const uint8_t *data, uint32_t caplen,
	       uint32_t wirelen)
{
	struct sift_view *view = &batch->views[batch->n];

	assert(batch->n < SIFT_BATCH_PACKETS);
	if (caplen > batch->size - batch->used && grow(batch, caplen) < 0)
		return NULL;
	if (caplen > 0)
		memcpy(batch->arena + batch->used, data, caplen);
	sift_view_init(view, dlt, batch->arena + batch->used, caplen, wirelen);
	batch->used += caplen;
	batch->n++;
	return view;
}
