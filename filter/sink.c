/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sinks, seen from outside: each call goes to the kind's own function, and no
 * call follows one that failed.
 */
#include "filter/sink.h"

#include "ebpf/err.h"
#include "filter/outfile.h"
#include "filter/uncancelled.h"

static int
has_failed(const struct sift_sink *sink, struct ebpf_err *err)
{
	return ebpf_err_set(err, sink->failed, "writing has failed before");
}

int
sift_sink_write(struct sift_sink *sink, const struct sift_view *views, const uint32_t *keep,
		size_t n, struct ebpf_err *err)
{
	int cancel;

	if (sink->failed != 0)
		return has_failed(sink, err);
	cancel = sift_cancel_hold();
	sink->failed = sink->ops->write(sink, views, keep, n, err);
	sift_cancel_allow(cancel);
	return sink->failed;
}

int
sift_sink_begin(struct sift_sink *sink, const struct sift_source_info *info, uint32_t snaplen,
		struct ebpf_err *err)
{
	if (sink->failed != 0)
		return has_failed(sink, err);
	sink->failed = sink->ops->begin(sink, info, snaplen, err);
	return sink->failed;
}

int
sift_sink_turn(struct sift_sink *sink, const struct sift_source_info *info, uint32_t snaplen,
	       struct ebpf_err *err)
{
	if (sink->failed != 0)
		return has_failed(sink, err);
	sink->failed = sink->ops->turn(sink, info, snaplen, err);
	return sink->failed;
}

int
sift_sink_carry(struct sift_sink *sink, const uint8_t *blocks, size_t n, struct ebpf_err *err)
{
	if (sink->failed != 0)
		return has_failed(sink, err);
	sink->failed = sink->ops->carry(sink, blocks, n, err);
	return sink->failed;
}

int
sift_sink_put_stats(struct sift_sink *sink, const struct sift_source_stats *stats,
		    struct ebpf_err *err)
{
	if (sink->failed != 0)
		return has_failed(sink, err);
	sink->failed = sink->ops->put_stats(sink, stats, err);
	return sink->failed;
}

int
sift_sink_append(struct sift_sink *sink, const uint8_t *packets, size_t n, struct ebpf_err *err)
{
	if (sink->failed != 0)
		return has_failed(sink, err);
	sink->failed = sink->ops->append(sink, packets, n, err);
	return sink->failed;
}

int
sift_sink_reserve(struct sift_sink *sink, size_t n, uint8_t **room, struct ebpf_err *err)
{
	if (sink->failed != 0)
		return has_failed(sink, err);
	sink->failed = sift_outfile_reserve(sink->file, n, room, err);
	return sink->failed;
}

void
sift_sink_commit(struct sift_sink *sink, size_t n)
{
	sink->file->used += n;
}

int
sift_sink_has_failed(const struct sift_sink *sink)
{
	return sink->failed != 0;
}

int
sift_sink_share(struct sift_sink *sink, bool is_shared, struct ebpf_err *err)
{
	if (sink->failed != 0)
		return has_failed(sink, err);
	if (sink->ops->share != NULL)
		sink->failed = sink->ops->share(sink, is_shared, err);
	return sink->failed;
}

int
sift_sink_flush(struct sift_sink *sink, struct ebpf_err *err)
{
	int cancel;

	if (sink->failed != 0)
		return has_failed(sink, err);
	cancel = sift_cancel_hold();
	sink->failed = sink->ops->flush(sink, err);
	sift_cancel_allow(cancel);
	return sink->failed;
}

int
sift_sink_close(struct sift_sink *sink, struct ebpf_err *err)
{
	int flushed, closed, cancel;

	if (sink == NULL)
		return 0;
	cancel = sift_cancel_hold();
	flushed = sink->failed == 0 ? sift_sink_flush(sink, err) : 0;
	/* The first failure is the one to tell of. */
	closed = sink->ops->close(sink, flushed == 0 ? err : NULL);
	sift_cancel_allow(cancel);
	return flushed != 0 ? flushed : closed;
}
