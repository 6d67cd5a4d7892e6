/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the records of a pcap savefile begin, in a stretch of it that no cache has yet.
 *
 * Who follows headers waits for memory at each.  So several lanes are followed side by side:
 * each but the first begins at a guess, and what was found in it counts if the lane before has
 * ended there.  Else that one goes on through it: a wrong guess costs time, and nothing else.
 */
#ifndef BPFSIFT_FILTER_LANES_H
#define BPFSIFT_FILTER_LANES_H

#include "filter/record.h"

/* Bytes of a stretch; what is looked at of as many stays in a second-level cache. */
enum { SIFT_LANES_STRETCH = 1 << 20 };

struct sift_lanes;

/* For records of a format, borrowed.  NULL: out of memory. */
struct sift_lanes *sift_lanes_new(const struct sift_record_format *format);
void sift_lanes_free(struct sift_lanes *lanes);

/*
 * Follow the records from p on that begin in a stretch, and before stop <= n, up to one that
 * does not lie before n as a whole, or is longer than it may be.  Returns how many; *begins
 * receives their offsets from p, valid until the next call.
 */
size_t sift_lanes_follow(struct sift_lanes *lanes, const uint8_t *p, size_t stop, size_t n,
			 const uint32_t **begins);

/* Whether too many guesses were wrong: such a file is better read. */
bool sift_lanes_are_unlucky(const struct sift_lanes *lanes);

#endif
