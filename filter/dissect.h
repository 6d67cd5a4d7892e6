/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a packet's payload starts. */
#ifndef BPFSIFT_FILTER_DISSECT_H
#define BPFSIFT_FILTER_DISSECT_H

#include <bpfsift/filter.h>

/*
 * The offset in data of what follows the transport header, past tunnels; it
 * may lie beyond caplen.  0: no network layer, an unknown protocol in it, or a
 * header on the way that is malformed or cut off.
 */
uint32_t sift_dissect_payload(const struct sift_view *view);

#endif
