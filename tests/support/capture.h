/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcap files for readers to stumble over: packets of all sizes, contents that look like
 * records, damage, an end anywhere.
 */
#ifndef TESTS_SUPPORT_CAPTURE_H
#define TESTS_SUPPORT_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <bpfsift/filter.h>

#include "tests/support/tempfile.h"

enum { CAPTURE_MAX = 4 << 20 };

struct capture {
	uint8_t *bytes;
	size_t n;
	bool is_swapped, is_nano;
	uint32_t linktype;
	char path[TEMPFILE_PATH];
};

/* A capture without bytes, of Ethernet unless changed, at a path of its own. */
void capture_init(struct capture *capture);
void capture_destroy(struct capture *capture);

/* Make another of at most n_packets, and write it to its path. */
void capture_make(struct capture *capture, uint32_t n_packets, uint64_t *rng);

/* A pcap file that is new, for packets of Ethernet, to be closed. */
struct sift_sink *capture_sink(const char *path, enum sift_precision precision);

#endif
