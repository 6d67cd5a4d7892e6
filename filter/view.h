/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of this folder share about packet views. */
#ifndef BPFSIFT_FILTER_VIEW_H
#define BPFSIFT_FILTER_VIEW_H

#include <bpfsift/filter.h>

/* Ethertypes (IEEE) and PPP protocol numbers (IANA). */
enum {
	SIFT_ETHERTYPE_IPV4 = 0x0800,
	SIFT_ETHERTYPE_ARP = 0x0806,
	SIFT_ETHERTYPE_BATMAN = 0x4305,
	SIFT_ETHERTYPE_TEB = 0x6558,	/* a whole Ethernet frame */
	SIFT_ETHERTYPE_RARP = 0x8035,
	SIFT_ETHERTYPE_VLAN = 0x8100,	/* IEEE 802.1Q, customer tag */
	SIFT_ETHERTYPE_IPV6 = 0x86dd,
	SIFT_ETHERTYPE_PPP = 0x880b,
	SIFT_ETHERTYPE_MPLS = 0x8847,
	SIFT_ETHERTYPE_MPLS_MC = 0x8848,
	SIFT_ETHERTYPE_PPPOE_SESSION = 0x8864,
	SIFT_ETHERTYPE_SVLAN = 0x88a8,	/* IEEE 802.1ad, service tag */
	SIFT_ETHERTYPE_TIPC = 0x88ca,
	SIFT_ETHERTYPE_PTP = 0x88f7,
	SIFT_ETHERTYPE_PRP = 0x88fb,
	SIFT_ETHERTYPE_CFM = 0x8902,
	SIFT_ETHERTYPE_FCOE = 0x8906,
	SIFT_ETHERTYPE_HSR = 0x892f,
};

enum {
	SIFT_PPP_IPV4 = 0x0021,
	SIFT_PPP_IPV6 = 0x0057,
	SIFT_PPP_MPLS = 0x0281,
	SIFT_PPP_MPLS_MC = 0x0283,
};

/*
 * Fill net_off and what else a frame tells about itself, by its link type.
 * The view has its data and lengths, and no network layer or metadata yet.
 */
void sift_linktype_describe(int dlt, struct sift_view *view);

/* Since 1970, of any packet that was captured: a negative second is a sign that libpcap saw. */
static inline uint64_t
sift_view_seconds(const struct sift_view *view)
{
	return view->ts_sec < 0 ? (uint32_t)view->ts_sec : (uint64_t)view->ts_sec;
}

#endif
