/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "filter/parallel.h"

#include "ebpf/err.h"
#include "filter/sink.h"

static int
write_bytes(const struct sift_parallel *job, const struct sift_judged *judged, struct ebpf_err *err)
{
	if (judged->n == 0)
		return 0;
	return job->is_carried ? sift_sink_carry(job->sink, judged->bytes, judged->n, err)
			       : sift_sink_append(job->sink, judged->bytes, judged->n, err);
}

void
sift_deliver(struct sift_delivery *delivery, const struct sift_judged *judged)
{
	const struct sift_parallel *job = delivery->job;
	struct sift_tally *tally = job->tally;
	int rc;

	tally->now.seen += judged->n_seen;
	tally->now.matched += judged->n_matched;
	tally->now.too_short += judged->n_too_short;
	if ((rc = write_bytes(job, judged, &delivery->failure)) < 0)
		atomic_store(&delivery->ended, rc);
	else if (job->sink != NULL)
		tally->now.written += judged->n_matched;
	sift_tally_publish(tally);
}

void
sift_deliver_between(struct sift_delivery *delivery, uint64_t next)
{
	const struct sift_parallel *job = delivery->job;
	int rc;

	if (job->between == NULL || atomic_load(&delivery->ended) != 0)
		return;
	if ((rc = job->between(job->between_arg, next, &delivery->failure)) != 0)
		atomic_store(&delivery->ended, rc < 0 ? rc : 1);
}

int
sift_delivery_end(const struct sift_delivery *delivery, struct ebpf_err *err)
{
	int rc = atomic_load(&delivery->ended);

	return rc < 0 ? ebpf_err_set(err, rc, "%s", delivery->failure.text) : rc;
}
