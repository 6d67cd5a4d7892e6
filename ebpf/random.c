/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "ebpf/random.h"

#include "ebpf/siphash.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

void
ebpf_random(void *out, size_t n)
{
	struct timespec now = { 0 };
	uint64_t seed[2];

	if (getrandom(out, n, GRND_NONBLOCK) == (ssize_t)n)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	seed[0] = (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 32;
	seed[1] = (uintptr_t)out;
	for (size_t i = 0; i < n; i++) {
		uint8_t byte = (uint8_t)siphash13(seed, &i, sizeof(i));

		memcpy((uint8_t *)out + i, &byte, 1);
	}
}
