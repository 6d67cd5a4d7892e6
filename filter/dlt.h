/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DLT_* numbers, for files that do without libpcap's headers: these are its
 * names, so a file includes this or <pcap/dlt.h>, never both.
 */
#ifndef BPFSIFT_FILTER_DLT_H
#define BPFSIFT_FILTER_DLT_H

enum {
#define L(name, dlt, linktype) DLT_##name = (dlt),
#include "filter/linktype.def"
};

#endif
