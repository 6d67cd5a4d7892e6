/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Linux kernel's interface to its programs, as far as filters use it: fields
 * of their contexts, of 32 bits each, by offset, and helpers by number.  None of
 * the helpers asks for a licence.
 */
#ifndef BPFSIFT_CBPF_KERNEL_H
#define BPFSIFT_CBPF_KERNEL_H

/* struct __sk_buff */
enum {
	SKB_LEN = 0,
	SKB_PKT_TYPE = 4,
	SKB_MARK = 8,
	SKB_QUEUE_MAPPING = 12,
	SKB_PROTOCOL = 16,      /* network order */
	SKB_VLAN_PRESENT = 20,
	SKB_VLAN_TCI = 24,
	SKB_VLAN_PROTO = 28,    /* network order */
	SKB_IFINDEX = 40,
	SKB_HASH = 68,
	SKB_DATA = 76,          /* addresses, to the verifier: not to socket filters */
	SKB_DATA_END = 80,
};

/* struct xdp_md */
enum {
	XDP_DATA = 0,
	XDP_DATA_END = 4,
	XDP_INGRESS_IFINDEX = 12,
	XDP_RX_QUEUE_INDEX = 16,
};

enum {
	HELPER_GET_PRANDOM_U32 = 7,
	HELPER_GET_SMP_PROCESSOR_ID = 8,
	HELPER_SKB_LOAD_BYTES = 26,             /* (skb, offset, to, len) */
	HELPER_SKB_LOAD_BYTES_RELATIVE = 68,    /* (skb, offset, to, len, header) */
	HELPER_XDP_GET_BUFF_LEN = 188,          /* (xdp) */
	HELPER_XDP_LOAD_BYTES = 189,            /* (xdp, offset, to, len) */
};

/* Headers that bytes are loaded relative to. */
enum { HEADER_MAC = 0, HEADER_NET = 1 };

enum { TC_OK = 0, TC_SHOT = 2 };
enum { XDP_ACTION_DROP = 1, XDP_ACTION_PASS = 2 };

#endif
