/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an interface itself has dropped, from the kernel's files about it.  libpcap opens
 * them each time that it is asked, which a process that was confined cannot; these stay open.
 */
#ifndef FILTER_DROPS_H
#define FILTER_DROPS_H

#include <stdbool.h>
#include <stdint.h>

struct sift_drops {
	int missed, fifo; /* descriptors, -1: none */
	uint64_t before;  /* dropped when this was opened */
};

#define SIFT_DROPS_NONE { .missed = -1, .fifo = -1 }

/* Open those in a directory, as /sys/class/net/eth0/statistics; there may be none. */
void sift_drops_open(struct sift_drops *drops, const char *directory);

/* Whether there were. */
bool sift_drops_are_known(const struct sift_drops *drops);

/* Packets dropped since.  Async-signal-safe. */
uint64_t sift_drops_count(const struct sift_drops *drops);

void sift_drops_close(struct sift_drops *drops);

#endif
