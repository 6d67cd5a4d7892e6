/* SPDX-License-Identifier: BSD-2-Clause */
#include "filter/turn.h"

#ifdef BPFSIFT_DEBUG
enum { LOOKS = 1 };             /* what is rare elsewhere */
#else
/*
 * Some fifty to a hundred microseconds: as long as it takes to write a block, or to be
 * woken where an idle processor is the host's.
 */
enum { LOOKS = 4000 };
#endif

int
sift_turn_init(struct sift_turn *turn)
{
	int rc;

	atomic_init(&turn->number, 0);
	atomic_init(&turn->n_waiting, 0);
	if ((rc = pthread_mutex_init(&turn->mutex, NULL)) != 0)
		return -rc;
	if ((rc = pthread_cond_init(&turn->passed, NULL)) != 0)
		pthread_mutex_destroy(&turn->mutex);
	return -rc;
}

void
sift_turn_destroy(struct sift_turn *turn)
{
	pthread_cond_destroy(&turn->passed);
	pthread_mutex_destroy(&turn->mutex);
}

static void
relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

void
sift_turn_wait(struct sift_turn *turn, uint64_t number)
{
	for (int i = 0; i < LOOKS; i++) {
		if (atomic_load(&turn->number) >= number)
			return;
		relax();
	}
	pthread_mutex_lock(&turn->mutex);
	atomic_fetch_add(&turn->n_waiting, 1);
	while (atomic_load(&turn->number) < number)
		pthread_cond_wait(&turn->passed, &turn->mutex);
	atomic_fetch_sub(&turn->n_waiting, 1);
	pthread_mutex_unlock(&turn->mutex);
}

bool
sift_turn_is_slept_for(const struct sift_turn *turn)
{
	return atomic_load(&turn->n_waiting) > 0;
}

/*
 * All in one order: a waiter that is not counted yet when this looks will find the
 * new number, and one that is counted holds the mutex or sleeps.
 */
void
sift_turn_pass_many(struct sift_turn *turn, uint64_t n)
{
	atomic_fetch_add(&turn->number, n);
	if (atomic_load(&turn->n_waiting) == 0)
		return;
	pthread_mutex_lock(&turn->mutex);
	pthread_cond_broadcast(&turn->passed);
	pthread_mutex_unlock(&turn->mutex);
}
