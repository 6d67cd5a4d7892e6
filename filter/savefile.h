/* SPDX-License-Identifier: BSD-2-Clause */
/* The header of pcap savefiles. */
#ifndef BPFSIFT_FILTER_SAVEFILE_H
#define BPFSIFT_FILTER_SAVEFILE_H

#include <bpfsift/filter.h>

enum { SIFT_SAVEFILE_HEADER = 24 };

/*
 * What libpcap begins a savefile with, in host byte order.  0; -EINVAL: there
 * is no LINKTYPE_* for dlt; -ENOMEM.
 */
int sift_savefile_header(int dlt, uint32_t snaplen, enum sift_precision precision,
			 uint8_t header[SIFT_SAVEFILE_HEADER], struct ebpf_err *err);

/* The LINKTYPE_* of a DLT_*, by libpcap or without it.  Returns as above. */
int sift_savefile_linktype(int dlt, uint32_t *linktype, struct ebpf_err *err);

#endif
