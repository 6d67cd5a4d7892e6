/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of this folder share about packet views. */
#ifndef BPFSIFT_FILTER_VIEW_H
#define BPFSIFT_FILTER_VIEW_H

#include <bpfsift/filter.h>

/* Ethertypes (IEEE) and PPP protocol numbers (IANA). */
enum {
	ETHERTYPE_IPV4 = 0x0800,
	ETHERTYPE_ARP = 0x0806,
	ETHERTYPE_BATMAN = 0x4305,
	ETHERTYPE_TEB = 0x6558,         /* a whole Ethernet frame */
	ETHERTYPE_RARP = 0x8035,
	ETHERTYPE_VLAN = 0x8100,        /* IEEE 802.1Q, customer tag */
	ETHERTYPE_IPV6 = 0x86dd,
	ETHERTYPE_PPP = 0x880b,
	ETHERTYPE_MPLS = 0x8847,
	ETHERTYPE_MPLS_MC = 0x8848,
	ETHERTYPE_PPPOE_SESSION = 0x8864,
	ETHERTYPE_SVLAN = 0x88a8,       /* IEEE 802.1ad, service tag */
	ETHERTYPE_TIPC = 0x88ca,
	ETHERTYPE_PTP = 0x88f7,
	ETHERTYPE_PRP = 0x88fb,
	ETHERTYPE_CFM = 0x8902,
	ETHERTYPE_FCOE = 0x8906,
	ETHERTYPE_HSR = 0x892f,
};

enum {
	PPP_PROTOCOL_IPV4 = 0x0021,
	PPP_PROTOCOL_IPV6 = 0x0057,
	PPP_PROTOCOL_MPLS = 0x0281,
	PPP_PROTOCOL_MPLS_MC = 0x0283,
};

/*
 * Fill net_off and what else a frame tells about itself, by its link type.
 * The view has its data and lengths, and no network layer or metadata yet.
 */
void sift_linktype_describe(int dlt, struct sift_view *view);

#endif
