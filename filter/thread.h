/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BPFSIFT_FILTER_THREAD_H
#define BPFSIFT_FILTER_THREAD_H

#include <pthread.h>

/*
 * Start a thread that takes no signals, which are for the threads of those who asked for
 * them.  0, or a negative errno of pthread_create().
 */
int sift_thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg);

/* Processors that this thread may use; 1 where the system does not tell. */
unsigned sift_thread_processors(void);

#endif
