/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Turns: something that several threads do one after the other, in the order of
 * numbers that they hold; or how often something was done, which others wait for.
 *
 * What is written before sift_turn_pass() is seen after the sift_turn_wait() that
 * it ends.  Waits are short where all threads run: they begin with looking a while.
 */
#ifndef BPFSIFT_FILTER_TURN_H
#define BPFSIFT_FILTER_TURN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct sift_turn {
	_Alignas(64) _Atomic uint64_t number;   /* whose turn it is */
	atomic_uint n_waiting;
	pthread_mutex_t mutex;
	pthread_cond_t passed;
};

/* Number 0 comes first.  0 or a negative errno. */
int sift_turn_init(struct sift_turn *turn);
void sift_turn_destroy(struct sift_turn *turn);

/* Until the number has come, or has gone by. */
void sift_turn_wait(struct sift_turn *turn, uint64_t number);

/* Whether somebody waits so long already that it takes a call to the system to end it. */
bool sift_turn_is_slept_for(const struct sift_turn *turn);

/* By the one whose turn it is, or who counts: n numbers further. */
void sift_turn_pass_many(struct sift_turn *turn, uint64_t n);

static inline void
sift_turn_pass(struct sift_turn *turn)
{
	sift_turn_pass_many(turn, 1);
}

#endif
