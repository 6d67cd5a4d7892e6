/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "filter/crew.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "filter/thread.h"
#include "filter/turn.h"

struct crew {
	const struct sift_crew_ops *ops;
	void *job;
	_Atomic uint64_t n_taken;
	struct sift_turn finish;
};

struct member {
	struct crew *crew;
	pthread_t thread; /* not of the caller's */
	bool is_callers;
	void *worker;
};

static void *
work(void *cookie)
{
	struct member *m = cookie;
	struct crew *crew = m->crew;
	bool is_last;

	do {
		uint64_t number = atomic_fetch_add(&crew->n_taken, 1);

		is_last = crew->ops->work(m->worker, number);
		sift_turn_wait(&crew->finish, number);
		is_last |= crew->ops->finish(m->worker, m->is_callers);
		sift_turn_pass(&crew->finish);
	} while (!is_last);
	return NULL;
}

static bool
join_in(struct member *m, struct crew *crew)
{
	m->crew = crew;
	m->worker = crew->ops->worker_new(crew->job);
	return m->worker != NULL;
}

static void
leave(struct member *m)
{
	if (m->worker != NULL)
		m->crew->ops->worker_free(m->worker);
}

static int
run(struct crew *crew, unsigned n_threads)
{
	struct member *members = calloc(n_threads, sizeof(*members));
	unsigned n = 1;

	if (members == NULL)
		return -ENOMEM;
	members[0].is_callers = true;
	if (!join_in(&members[0], crew)) {
		free(members);
		return -ENOMEM;
	}
	while (n < n_threads && join_in(&members[n], crew) &&
	       sift_thread_start(&members[n].thread, work, &members[n]) == 0)
		n++;
	if (n < n_threads)
		leave(&members[n]);
	work(&members[0]);
	for (unsigned i = 1; i < n; i++) {
		pthread_join(members[i].thread, NULL);
		leave(&members[i]);
	}
	leave(&members[0]);
	free(members);
	return 0;
}

int
sift_crew_run(const struct sift_crew_ops *ops, void *job, unsigned n_threads)
{
	struct crew crew = { .ops = ops, .job = job };
	int rc;

	assert(n_threads > 0);
	atomic_init(&crew.n_taken, 0);
	if ((rc = sift_turn_init(&crew.finish)) < 0)
		return rc;
	rc = run(&crew, n_threads);
	sift_turn_destroy(&crew.finish);
	return rc;
}
