/* SPDX-License-Identifier: BSD-2-Clause */
/* A sink that hands on to two others what it is given. */
#include "filter/sink.h"

#include <errno.h>
#include <stdlib.h>

#include "ebpf/err.h"

struct tee {
	struct sift_sink sink;
	struct sift_sink *both[2];
};

static int
tee_write(struct sift_sink *sink, const struct sift_view *views, const uint32_t *keep, size_t n,
	  struct ebpf_err *err)
{
	struct tee *t = (struct tee *)sink;
	int rc = sift_sink_write(t->both[0], views, keep, n, err);

	return rc < 0 ? rc : sift_sink_write(t->both[1], views, keep, n, err);
}

static int
tee_append(struct sift_sink *sink, const uint8_t *records, size_t n, struct ebpf_err *err)
{
	struct tee *t = (struct tee *)sink;
	int rc = sift_sink_append(t->both[0], records, n, err);

	return rc < 0 ? rc : sift_sink_append(t->both[1], records, n, err);
}

static int
tee_share(struct sift_sink *sink, bool is_shared, struct ebpf_err *err)
{
	struct tee *t = (struct tee *)sink;
	int rc = sift_sink_share(t->both[0], is_shared, err);

	return rc < 0 ? rc : sift_sink_share(t->both[1], is_shared, err);
}

/* Where one has failed, the other still gets what it was given. */
static int
tee_flush(struct sift_sink *sink, struct ebpf_err *err)
{
	struct tee *t = (struct tee *)sink;
	int first = t->both[0]->failed == 0 ? sift_sink_flush(t->both[0], err) : 0;
	int second =
		t->both[1]->failed == 0 ? sift_sink_flush(t->both[1], first == 0 ? err : NULL) : 0;

	return first != 0 ? first : second;
}

static int
tee_close(struct sift_sink *sink, struct ebpf_err *err)
{
	struct tee *t = (struct tee *)sink;
	int first = sift_sink_close(t->both[0], err);
	int second = sift_sink_close(t->both[1], first == 0 ? err : NULL);

	free(t);
	return first != 0 ? first : second;
}

static const struct sift_sink_ops tee_ops = {
	.write = tee_write,
	.flush = tee_flush,
	.close = tee_close,
};

static const struct sift_sink_ops tee_records_ops = {
	.write = tee_write,
	.append = tee_append,
	.share = tee_share,
	.flush = tee_flush,
	.close = tee_close,
};

int
sift_sink_open_tee(struct sift_sink *first, struct sift_sink *second, struct sift_sink **out,
		   struct ebpf_err *err)
{
	struct tee *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	t->both[0] = first;
	t->both[1] = second;
	t->sink.ops = &tee_ops;
	if (sift_sink_has_records(first) && sift_sink_has_records(second) &&
	    first->ts_scale == second->ts_scale) {
		t->sink.ops = &tee_records_ops;
		t->sink.ts_scale = first->ts_scale;
	}
	*out = &t->sink;
	return 0;
}
