/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "filter/lock.h"

#include <time.h>

static int
init_condition(pthread_cond_t *condition)
{
	pthread_condattr_t monotonic;
	int error;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	error = pthread_cond_init(condition, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return error;
}

int
sift_lock_init(pthread_mutex_t *lock, pthread_cond_t *one, pthread_cond_t *other)
{
	int error;

	if ((error = pthread_mutex_init(lock, NULL)) != 0)
		return -error;
	if ((error = init_condition(one)) != 0)
		goto fail_one;
	if ((error = init_condition(other)) != 0)
		goto fail_other;
	return 0;
fail_other:
	pthread_cond_destroy(one);
fail_one:
	pthread_mutex_destroy(lock);
	return -error;
}

void
sift_lock_destroy(pthread_mutex_t *lock, pthread_cond_t *one, pthread_cond_t *other)
{
	pthread_cond_destroy(other);
	pthread_cond_destroy(one);
	pthread_mutex_destroy(lock);
}
