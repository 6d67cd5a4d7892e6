/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several sources as one, their packets by time.
 *
 * A batch ends where one of the sources' own batches does, since until the next call all
 * views of it must last, and where a packet of another kind comes.  Each source is taken to
 * be in order; where one is not, its packets keep its own order and pass when their turn
 * comes.
 */
#include "filter/source.h"

#include <errno.h>
#include <stdlib.h>

#include "ebpf/err.h"
#include "filter/dlt.h"

/* A source, and what of its batch is not handed out yet. */
struct part {
	struct sift_source *source;
	int dlt; /* of the batch, as the next two */
	uint32_t linktype_ext;
	unsigned expr_flags;
	const struct sift_view *next;
	size_t n;
};

struct merge {
	struct sift_source source;
	struct part *parts;
	size_t n_parts;
	struct part **heap; /* those with packets, the earliest first */
	size_t n_heap;
	struct part **empty; /* those whose next batch is to be asked for */
	size_t n_empty;
	int failed;              /* a negative errno that waits behind all packets, */
	struct ebpf_err failure; /* its message, */
	size_t n_failed;         /* and in how many sources */
	struct sift_view views[SIFT_BATCH_MAX];
};

/* Seconds and their fraction, which may be broken: above a second. */
static bool
is_earlier(const struct part *a, const struct part *b)
{
	int64_t left = a->next->ts_sec + (int64_t)a->next->ts_excess;
	int64_t right = b->next->ts_sec + (int64_t)b->next->ts_excess;

	if (left != right)
		return left < right;
	if (a->next->ts_nsec != b->next->ts_nsec)
		return a->next->ts_nsec < b->next->ts_nsec;
	return a < b;
}

static void
swap(struct part **a, struct part **b)
{
	struct part *was = *a;

	*a = *b;
	*b = was;
}

static void
sift_down(struct merge *m)
{
	size_t at = 0;

	for (;;) {
		size_t least = at, left = 2 * at + 1, right = left + 1;

		if (left < m->n_heap && is_earlier(m->heap[left], m->heap[least]))
			least = left;
		if (right < m->n_heap && is_earlier(m->heap[right], m->heap[least]))
			least = right;
		if (least == at)
			return;
		swap(&m->heap[at], &m->heap[least]);
		at = least;
	}
}

static void
push(struct merge *m, struct part *part)
{
	size_t at = m->n_heap++;

	m->heap[at] = part;
	while (at > 0 && is_earlier(m->heap[at], m->heap[(at - 1) / 2])) {
		swap(&m->heap[at], &m->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
}

/* Ask those that have nothing for more; one that fails is done, and the others go on. */
static void
refill(struct merge *m)
{
	struct ebpf_err err;

	for (size_t i = 0; i < m->n_empty; i++) {
		struct part *part = m->empty[i];
		int rc = sift_source_next(part->source, &part->next, &part->n, &err);

		if (rc > 0) {
			part->dlt = part->source->info.dlt;
			part->linktype_ext = part->source->info.linktype_ext;
			part->expr_flags = part->source->info.expr_flags;
			push(m, part);
		} else if (rc < 0 && m->n_failed++ == 0) {
			m->failed = rc;
			m->failure = err;
		}
	}
	m->n_empty = 0;
}

static int
merge_end(const struct merge *m, struct ebpf_err *err)
{
	if (m->n_failed == 0 || atomic_load(&m->source.is_stopped))
		return 0;
	if (m->n_failed == 1)
		return ebpf_err_set(err, m->failed, "%s", m->failure.text);
	return ebpf_err_set(err, m->failed, "%s (and %zu more inputs failed)", m->failure.text,
			    m->n_failed - 1);
}

/* Whether a part's packets are of the batch's kind, which the first of them makes it. */
static bool
is_for_batch(struct merge *m, const struct part *part, size_t taken)
{
	struct sift_source_info *info = &m->source.info;

	if (!m->source.is_mixed)
		return true;
	if (taken > 0)
		return part->dlt == info->dlt && part->linktype_ext == info->linktype_ext &&
		       part->expr_flags == info->expr_flags;
	info->dlt = part->dlt;
	info->linktype_ext = part->linktype_ext;
	info->expr_flags = part->expr_flags;
	if (part->source->info.snaplen > info->snaplen)
		info->snaplen = part->source->info.snaplen;
	return true;
}

static int
merge_next(struct sift_source *source, const struct sift_view **views, size_t *n,
	   struct ebpf_err *err)
{
	struct merge *m = (struct merge *)source;
	size_t taken = 0;

	refill(m);
	while (taken < SIFT_BATCH_MAX && m->n_empty == 0 && m->n_heap > 0) {
		struct part *part = m->heap[0];

		if (!is_for_batch(m, part, taken))
			break;
		m->views[taken++] = *part->next++;
		if (--part->n == 0) {
			m->empty[m->n_empty++] = part;
			m->heap[0] = m->heap[--m->n_heap];
		}
		sift_down(m);
	}
	if (taken == 0)
		return merge_end(m, err);
	*views = m->views;
	*n = taken;
	return 1;
}

static void
merge_stop(struct sift_source *source)
{
	struct merge *m = (struct merge *)source;

	for (size_t i = 0; i < m->n_parts; i++)
		sift_source_stop(m->parts[i].source);
}

static uint64_t
merge_position(const struct sift_source *source)
{
	const struct merge *m = (const struct merge *)source;
	uint64_t sum = 0;

	for (size_t i = 0; i < m->n_parts; i++)
		sum += sift_source_position(m->parts[i].source);
	return sum;
}

static uint64_t
merge_size(const struct sift_source *source)
{
	const struct merge *m = (const struct merge *)source;
	uint64_t sum = 0;

	for (size_t i = 0; i < m->n_parts; i++) {
		uint64_t size = sift_source_size(m->parts[i].source);

		if (size == 0)
			return 0;
		sum += size;
	}
	return sum;
}

static void
merge_free(struct merge *m)
{
	free(m->parts);
	free(m->heap);
	free(m->empty);
	free(m);
}

static void
merge_close(struct sift_source *source)
{
	struct merge *m = (struct merge *)source;

	for (size_t i = 0; i < m->n_parts; i++)
		sift_source_close(m->parts[i].source);
	merge_free(m);
}

static const struct sift_source_ops merge_ops = {
	.next = merge_next,
	.stop = merge_stop,
	.position = merge_position,
	.size = merge_size,
	.close = merge_close,
};

/* Whether one filter does for both: of DLT_NULL alone the header has the file's byte order. */
static bool
are_alike(const struct sift_source_info *a, const struct sift_source_info *b)
{
	return a->dlt == b->dlt && a->linktype_ext == b->linktype_ext &&
	       (a->dlt != DLT_NULL || a->expr_flags == b->expr_flags);
}

/* What holds for each of them; whether packets may be of several kinds. */
static int
merge_info(struct sift_source_info *info, bool *is_mixed, struct sift_source *const *sources,
	   size_t n, struct ebpf_err *err)
{
	*info = sources[0]->info;
	info->warning = NULL;
	*is_mixed = false;
	for (size_t i = 0; i < n; i++) {
		const struct sift_source_info *other = &sources[i]->info;

		/* one output has one byte order */
		if (other->dlt == DLT_NULL && info->dlt == DLT_NULL && !are_alike(info, other))
			return ebpf_err_set(
				err, -EINVAL,
				"%s and %s cannot be merged: the byte order of their headers differs",
				info->name, other->name);
		*is_mixed |= sources[i]->is_mixed || !are_alike(info, other);
		if (other->snaplen > info->snaplen)
			info->snaplen = other->snaplen;
		if (other->precision == SIFT_PRECISION_NANO)
			info->precision = SIFT_PRECISION_NANO;
	}
	info->name = "the merged inputs";
	return 0;
}

int
sift_source_open_merged(struct sift_source *const *sources, size_t n, struct sift_source **out,
			struct ebpf_err *err)
{
	struct sift_source_info info;
	bool is_mixed;
	struct merge *m;
	int rc;

	if (n == 0)
		return ebpf_err_set(err, -EINVAL, "nothing to merge");
	if ((rc = merge_info(&info, &is_mixed, sources, n, err)) < 0)
		return rc;
	m = calloc(1, sizeof(*m));
	if (m == NULL)
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	m->parts = calloc(n, sizeof(*m->parts));
	m->heap = calloc(n, sizeof(struct part *));
	m->empty = calloc(n, sizeof(struct part *));
	if (m->parts == NULL || m->heap == NULL || m->empty == NULL) {
		merge_free(m);
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	}
	m->source.ops = &merge_ops;
	m->source.info = info;
	m->source.is_mixed = is_mixed;
	atomic_init(&m->source.is_stopped, false);
	m->n_parts = m->n_empty = n;
	for (size_t i = 0; i < n; i++) {
		m->parts[i].source = sources[i];
		m->empty[i] = &m->parts[i];
	}
	*out = &m->source;
	return 0;
}
