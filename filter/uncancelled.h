/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A thread that was cancelled in the middle of a read or a write would leave locks held,
 * other threads waiting and memory behind: it is put off until the call is over.
 */
#ifndef BPFSIFT_FILTER_UNCANCELLED_H
#define BPFSIFT_FILTER_UNCANCELLED_H

#include <pthread.h>

/* From here on; what is returned is for sift_cancel_allow(). */
static inline int
sift_cancel_hold(void)
{
	int old;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
	return old;
}

static inline void
sift_cancel_allow(int old)
{
	pthread_setcancelstate(old, &old);
}

#endif
