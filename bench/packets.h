/* SPDX-License-Identifier: BSD-2-Clause */
/* Made-up traffic for the benchmarks: the same for the same seed. */
#ifndef BENCH_PACKETS_H
#define BENCH_PACKETS_H

#include <bpfsift/filter.h>

/* Before each frame stands its length, as an uint64_t. */
#define PACKETS_LEN_SIZE 8
#define PACKETS_MAX_LEN 1514

struct packets {
	uint8_t *bytes;
	struct sift_view *views;
	size_t n;
};

/*
 * n Ethernet frames in the simple IMIX of sizes (7 of 60, 4 of 590, 1 of 1514
 * bytes), of a mixture of protocols of which every filter of the benchmark
 * keeps some.  Returns 0 or -ENOMEM.
 */
int packets_make(struct packets *p, size_t n, uint64_t seed);
void packets_free(struct packets *p);

#endif
