/* SPDX-License-Identifier: BSD-2-Clause */
/* The program type `packet`: its helpers' numbers and their environment. */
#ifndef BPFSIFT_FILTER_PROG_PACKET_H
#define BPFSIFT_FILTER_PROG_PACKET_H

#include <stdatomic.h>
#include <stdint.h>

/*
 * Helpers that the kernel has too keep its numbers; ours start at 1000, far
 * from what it is likely to reach.
 */
enum {
	SIFT_HELPER_RANDOM = 7,         /* get_prandom_u32 */
	SIFT_HELPER_NLATTR = 1000,
	SIFT_HELPER_NLATTR_NEST = 1001,
	SIFT_HELPER_PAY_OFFSET = 1002,
	SIFT_HELPER_LOAD8 = 1003,       /* what packet loads are expanded to */
	SIFT_HELPER_LOAD16 = 1004,
	SIFT_HELPER_LOAD32 = 1005,
};

/*
 * The env that programs of this type are loaded with.  Zero but for the seed
 * at first.  draws counts modulo the size of size_t: a 64-bit atomic would
 * need a lock on some 32-bit machines, where the sequence instead repeats
 * after 2^32 numbers.
 */
struct sift_packet_env {
	uint64_t random_seed;
	atomic_size_t draws;
};

#endif
