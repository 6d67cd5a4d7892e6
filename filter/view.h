/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of this folder share about packet views. */
#ifndef BPFSIFT_FILTER_VIEW_H
#define BPFSIFT_FILTER_VIEW_H

#include <bpfsift/filter.h>

/* Ethertypes that more than one file looks for. */
enum {
	ETHERTYPE_IPV4 = 0x0800,
	ETHERTYPE_ARP = 0x0806,
	ETHERTYPE_VLAN = 0x8100,        /* IEEE 802.1Q, customer tag */
	ETHERTYPE_IPV6 = 0x86dd,
	ETHERTYPE_MPLS = 0x8847,
	ETHERTYPE_MPLS_MC = 0x8848,
	ETHERTYPE_SVLAN = 0x88a8,       /* IEEE 802.1ad, service tag */
};

/*
 * Fill net_off and what else a frame tells about itself, by its link type.
 * The view has its data and lengths, and no network layer or metadata yet.
 */
void sift_linktype_describe(int dlt, struct sift_view *view);

#endif
