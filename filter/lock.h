/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BPFSIFT_FILTER_LOCK_H
#define BPFSIFT_FILTER_LOCK_H

#include <pthread.h>

/*
 * A lock, and two conditions that threads wait for under it, of which limits are by a clock
 * that nobody sets (CLOCK_MONOTONIC).  0, or a negative errno: then there is none of them.
 */
int sift_lock_init(pthread_mutex_t *lock, pthread_cond_t *one, pthread_cond_t *other);
void sift_lock_destroy(pthread_mutex_t *lock, pthread_cond_t *one, pthread_cond_t *other);

#endif
