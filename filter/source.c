/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sources, seen from outside: each call goes to the kind's own function, and
 * what holds for every kind is settled here.
 */
#include "filter/source.h"

#include <errno.h>

#include "ebpf/err.h"
#include "ebpf/sized.h"
#include "filter/mapped.h"
#include "filter/records.h"
#include "filter/uncancelled.h"

int
sift_source_next(struct sift_source *source, const struct sift_view **views, size_t *n,
		 struct ebpf_err *err)
{
	int rc = 0, cancel;

	if (!source->has_ended && !atomic_load(&source->is_stopped)) {
		cancel = sift_cancel_hold();
		rc = source->ops->next(source, views, n, err);
		sift_cancel_allow(cancel);
	}
	if (rc <= 0)
		source->has_ended = true;
	return rc;
}

void
sift_source_stop(struct sift_source *source)
{
	atomic_store(&source->is_stopped, true);
	if (source->ops->stop != NULL)
		source->ops->stop(source);
}

int
sift_source_attach(struct sift_source *source, const struct sift_filter *filter,
		   struct ebpf_err *err)
{
	if (source->ops->attach == NULL)
		return ebpf_err_set(err, -ENOTSUP, "%s: not a live capture", source->info.name);
	return source->ops->attach(source, filter, err);
}

int
sift_source_forgive(struct sift_source *source, const void *addr)
{
	return source->records != NULL &&
	       sift_mapped_forgive(sift_records_mapping(source->records), addr);
}

void
sift_source_wake(struct sift_source *source)
{
	if (source->ops->wake != NULL)
		source->ops->wake(source);
}

uint64_t
sift_source_position(const struct sift_source *source)
{
	uint64_t position = source->ops->position != NULL ? source->ops->position(source) : 0;

	return position > source->reached ? position : source->reached;
}

uint64_t
sift_source_size(const struct sift_source *source)
{
	return source->ops->size != NULL ? source->ops->size(source) : 0;
}

void
sift_source_close(struct sift_source *source)
{
	int cancel;

	if (source == NULL)
		return;
	cancel = sift_cancel_hold();
	source->ops->close(source);
	sift_cancel_allow(cancel);
}

int
sift_source_info(const struct sift_source *source, struct sift_source_info *info,
		 struct ebpf_err *err)
{
	return ebpf_sized_give("source info", &source->info, sizeof(source->info), info,
			       EBPF_SIZED_LEAST(struct sift_source_info, warning), err);
}

int
sift_source_set_linktype(struct sift_source *source, int dlt, struct ebpf_err *err)
{
	if (source->ops->set_linktype == NULL)
		return ebpf_err_set(err, -EINVAL, "%s: its link type is given", source->info.name);
	return source->ops->set_linktype(source, dlt, err);
}

int
sift_source_linktypes(struct sift_source *source, int **dlts, size_t *n, struct ebpf_err *err)
{
	if (source->ops->linktypes == NULL)
		return ebpf_err_set(err, -EINVAL, "%s: its link type is given", source->info.name);
	return source->ops->linktypes(source, dlts, n, err);
}

int
sift_source_stats(struct sift_source *source, struct sift_source_stats *stats, struct ebpf_err *err)
{
	struct sift_source_stats known = { .size = sizeof(known) };
	int rc;

	if (source->ops->stats == NULL)
		return ebpf_err_set(err, -EINVAL, "%s: not a live capture", source->info.name);
	if ((rc = source->ops->stats(source, &known, err)) < 0)
		return rc;
	return ebpf_sized_give("source statistics", &known, sizeof(known), stats,
			       EBPF_SIZED_LEAST(struct sift_source_stats, dropped_interface), err);
}
