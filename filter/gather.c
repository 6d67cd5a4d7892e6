/* SPDX-License-Identifier: BSD-2-Clause */
#include "filter/gather.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ebpf/err.h"

void
sift_gather_destroy(struct sift_gather *gather)
{
	free(gather->buf);
}

void
sift_gather_set_sink(struct sift_gather *gather, const struct sift_sink *sink,
		     const struct sift_record_format *format)
{
	gather->sink = sink;
	gather->is_raw = sift_sink_has_records(sink) && format != NULL && !format->is_swapped &&
			 format->ts_scale == sink->ts_scale;
}

static bool
is_formatted(const struct sift_gather *gather)
{
	return gather->sink != NULL && gather->sink->ops->format != NULL;
}

static uint32_t
kept(const struct sift_view *view, uint32_t keep)
{
	return view->caplen < keep ? view->caplen : keep;
}

int
sift_gather_reset(struct sift_gather *gather, size_t size, struct ebpf_err *err)
{
	uint8_t *larger;

	if (is_formatted(gather))
		size += size / SIFT_RECORD_HEADER * (SIFT_SINK_AROUND - SIFT_RECORD_HEADER);
	if (size > gather->size) {
		if ((larger = malloc(size)) == NULL)
			return ebpf_err_set(err, -ENOMEM, "out of memory");
		free(gather->buf);
		gather->buf = larger;
		gather->size = size;
	}
	sift_gather_into(gather, gather->buf, gather->size);
	return 0;
}

size_t
sift_gather_room(const struct sift_gather *gather, const struct sift_view *views,
		 const uint32_t *keep, size_t n)
{
	size_t around = is_formatted(gather) ? SIFT_SINK_AROUND : SIFT_RECORD_HEADER, room = 0;

	for (size_t i = 0; i < n; i++) {
		if (keep[i] != 0)
			room += around + kept(&views[i], keep[i]);
	}
	return room;
}

void
sift_gather_into(struct sift_gather *gather, uint8_t *to, size_t size)
{
	gather->to = to;
	gather->room = size;
	gather->used = gather->run_len = 0;
}

static void
copy(struct sift_gather *gather, const uint8_t *bytes, size_t n)
{
	assert(n <= gather->room - gather->used);
	if (n > 0)
		memcpy(gather->to + gather->used, bytes, n);
	gather->used += n;
}

static void
copy_run(struct sift_gather *gather)
{
	copy(gather, gather->run, gather->run_len);
	gather->run_len = 0;
}

/* What lies as it is to be written. */
static void
add_run(struct sift_gather *gather, const uint8_t *bytes, size_t n)
{
	if (gather->run_len != 0 && gather->run + gather->run_len == bytes) {
		gather->run_len += n;
		return;
	}
	copy_run(gather);
	gather->run = bytes;
	gather->run_len = n;
}

static void
add(struct sift_gather *gather, const struct sift_view *view, uint32_t keep)
{
	uint32_t caplen = kept(view, keep);
	uint8_t header[SIFT_RECORD_HEADER];

	if (is_formatted(gather)) {
		assert(SIFT_SINK_AROUND + (size_t)caplen <= gather->room - gather->used);
		gather->used += gather->sink->ops->format(gather->sink, view, caplen,
							  gather->to + gather->used);
		return;
	}
	if (gather->is_raw) {
		const uint8_t *record = view->data - SIFT_RECORD_HEADER;

		if (load32(record + SIFT_RECORD_CAPLEN_AT, false) == caplen) {
			add_run(gather, record, SIFT_RECORD_HEADER + (size_t)caplen);
			return;
		}
		memcpy(header, record, sizeof(header));
		memcpy(header + SIFT_RECORD_CAPLEN_AT, &caplen, sizeof(caplen));
	} else {
		sift_record_put_header(header, view, caplen, gather->sink->ts_scale);
	}
	copy_run(gather);
	copy(gather, header, sizeof(header));
	copy(gather, view->data, caplen);
}

void
sift_gather_add(struct sift_gather *gather, const struct sift_view *views, const uint32_t *keep,
		size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (keep[i] != 0)
			add(gather, &views[i], keep[i]);
	}
}

void
sift_gather_add_bytes(struct sift_gather *gather, const uint8_t *bytes, size_t n, bool stays)
{
	if (n == 0)
		return;
	if (stays) {
		add_run(gather, bytes, n);
		return;
	}
	copy_run(gather);
	copy(gather, bytes, n);
}

void
sift_gather_own(struct sift_gather *gather)
{
	copy_run(gather);
}

const uint8_t *
sift_gather_bytes(struct sift_gather *gather, size_t *n)
{
	if (gather->used == 0) {
		*n = gather->run_len;
		return gather->run;
	}
	copy_run(gather);
	*n = gather->used;
	return gather->to;
}
