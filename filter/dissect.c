/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flow dissector behind the ancillary load 'payload offset': from the
 * network layer through tags, tunnels and extension headers to the transport
 * header, and past that.
 *
 * It looks into what the Linux kernel's dissector looks into when it is asked
 * for no more than this offset, and stops where that stops, so that a filter
 * gives the same answer here and attached to a socket: it stops past one MPLS
 * label, UDP tunnels are payload, and of fragments only the first has a
 * transport header.  tests/filter/check_dissect.c has a case for each header.
 *
 * Each header is a function.  It reads only what was captured, moves off past
 * the header, and says in what way to go on.
 *
 * Sources: RFC 791, RFC 8200, RFC 2784 and 2890 (GRE), RFC 2637 (PPTP),
 * RFC 2516 (PPPoE), RFC 1661 (PPP), IEEE 802.1Q, IEC 62439-3 (HSR, PRP),
 * IEEE 1588, the B.A.T.M.A.N. advanced packet format, and measurements.
 */
#include "filter/dissect.h"

#include "filter/bytes.h"
#include "filter/view.h"

/* Headers looked into after the first; what lies deeper is payload. */
#define MAX_MORE_HEADERS 15

enum next {
	NEXT_NETWORK,   /* ethertype says what is at off */
	NEXT_PROTOCOL,  /* ip_proto says what is at off */
	NEXT_NOTHING,   /* the walk ends at off */
	NEXT_BROKEN,    /* the packet makes no sense */
};

struct walk {
	const uint8_t *data;
	uint32_t len;
	uint32_t off;
	uint16_t ethertype;
	uint8_t ip_proto;
	bool is_later_fragment; /* no transport header at off */
};

/* The n bytes at off + skip; NULL: not all there. */
static const uint8_t *
peek(const struct walk *w, uint32_t skip, uint32_t n)
{
	if (!bytes_have(w->len, w->off, skip) || !bytes_have(w->len - w->off, skip, n))
		return NULL;
	return w->data + w->off + skip;
}

static enum next
go_network(struct walk *w, uint16_t ethertype, uint32_t n)
{
	w->ethertype = ethertype;
	w->off += n;
	return NEXT_NETWORK;
}

static enum next
go_protocol(struct walk *w, uint8_t ip_proto, uint32_t n)
{
	w->ip_proto = ip_proto;
	w->off += n;
	return NEXT_PROTOCOL;
}

/* The walk ends past a header of n bytes, which must be there. */
static enum next
end_past(struct walk *w, uint32_t n)
{
	if (peek(w, 0, n) == NULL)
		return NEXT_BROKEN;
	w->off += n;
	return NEXT_NOTHING;
}

/* ---- after an IP header, by protocol number ---- */

enum {
	PROTO_HOPOPTS = 0,
	PROTO_ICMP = 1,
	PROTO_IGMP = 2,
	PROTO_IPIP = 4,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_DCCP = 33,
	PROTO_IPV6 = 41,
	PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44,
	PROTO_GRE = 47,
	PROTO_ICMPV6 = 58,
	PROTO_DSTOPTS = 60,
	PROTO_SCTP = 132,
	PROTO_UDPLITE = 136,
	PROTO_MPLS = 137,
};

/* Extension header: u8 next header, u8 length in units of 8 after the first. */
static enum next
ipv6_options(struct walk *w)
{
	const uint8_t *p = peek(w, 0, 2);

	if (w->ethertype != SIFT_ETHERTYPE_IPV6)
		return NEXT_NOTHING;
	if (p == NULL)
		return NEXT_BROKEN;
	return go_protocol(w, p[0], (p[1] + 1u) * 8);
}

/* Fragment header: u8 next header, u8 0, u13 offset, 3 bits, u32 identification. */
static enum next
ipv6_fragment(struct walk *w)
{
	const uint8_t *p = peek(w, 0, 8);

	if (w->ethertype != SIFT_ETHERTYPE_IPV6)
		return NEXT_NOTHING;
	if (p == NULL)
		return NEXT_BROKEN;
	w->is_later_fragment = (load_be16(p + 2) & 0xfff8) != 0;
	go_protocol(w, p[0], 8);
	return NEXT_NOTHING;
}

/*
 * GRE: u16 flags and version, u16 protocol, then what the flags announce, in
 * the order of their bits here.
 */
#define GRE_CHECKSUM 0x8000     /* u16 checksum, u16 0 */
#define GRE_ROUTING 0x4000      /* a list of any length; obsolete */
#define GRE_KEY 0x2000          /* u32 */
#define GRE_SEQUENCE 0x1000     /* u32 */
#define GRE_ACK 0x0080          /* u32, version 1 only */
#define GRE_VERSION 0x0007
#define GRE_OPTION_SIZE 4u

/* Version 0 has the ethertype of what it carries, or an Ethernet frame. */
static enum next
gre_carries(struct walk *w, uint16_t ethertype, uint32_t size)
{
	const uint8_t *ether;

	if (ethertype != SIFT_ETHERTYPE_TEB)
		return go_network(w, ethertype, size);
	ether = peek(w, size, 14);
	if (ether == NULL)
		return NEXT_BROKEN;
	return go_network(w, load_be16(ether + 12), size + 14);
}

/* Version 1 carries PPP: u8 address, u8 control, u16 protocol. */
static enum next
gre_carries_ppp(struct walk *w, uint32_t size)
{
	const uint8_t *ppp = peek(w, size, 4);

	if (ppp == NULL)
		return NEXT_BROKEN;
	switch (load_be16(ppp + 2)) {
	case SIFT_PPP_IPV4:
		return go_network(w, SIFT_ETHERTYPE_IPV4, size + 4);
	case SIFT_PPP_IPV6:
		return go_network(w, SIFT_ETHERTYPE_IPV6, size + 4);
	default:
		return NEXT_BROKEN;
	}
}

static enum next
gre(struct walk *w)
{
	const uint8_t *p = peek(w, 0, 4);
	uint32_t size = 4;
	uint16_t flags, ethertype;

	if (p == NULL)
		return NEXT_BROKEN;
	flags = load_be16(p);
	ethertype = load_be16(p + 2);
	if ((flags & GRE_ROUTING) != 0 || (flags & GRE_VERSION) > 1)
		return NEXT_NOTHING;
	if ((flags & GRE_VERSION) == 1 &&
	    ((flags & GRE_KEY) == 0 || ethertype != SIFT_ETHERTYPE_PPP))
		return NEXT_NOTHING;
	if ((flags & GRE_CHECKSUM) != 0)
		size += GRE_OPTION_SIZE;
	if ((flags & GRE_KEY) != 0) {
		if (peek(w, size, GRE_OPTION_SIZE) == NULL)
			return NEXT_BROKEN;
		size += GRE_OPTION_SIZE;
	}
	if ((flags & GRE_SEQUENCE) != 0)
		size += GRE_OPTION_SIZE;
	if ((flags & GRE_VERSION) == 0)
		return gre_carries(w, ethertype, size);
	if ((flags & GRE_ACK) != 0)
		size += GRE_OPTION_SIZE;
	return gre_carries_ppp(w, size);
}

static enum next
protocol_layer(struct walk *w)
{
	switch (w->ip_proto) {
	case PROTO_HOPOPTS:
	case PROTO_ROUTING:
	case PROTO_DSTOPTS:
		return ipv6_options(w);
	case PROTO_FRAGMENT:
		return ipv6_fragment(w);
	case PROTO_GRE:
		return gre(w);
	case PROTO_IPIP:
		return go_network(w, SIFT_ETHERTYPE_IPV4, 0);
	case PROTO_IPV6:
		return go_network(w, SIFT_ETHERTYPE_IPV6, 0);
	case PROTO_MPLS:
		return go_network(w, SIFT_ETHERTYPE_MPLS, 0);
	default:
		return NEXT_NOTHING;
	}
}

/* ---- network layers, by ethertype ---- */

/* Options are skipped by the header's length alone, captured or not. */
static enum next
ipv4(struct walk *w)
{
	const uint8_t *p = peek(w, 0, 20);
	uint16_t fragment;

	if (p == NULL || (p[0] & 0x0f) < 5)
		return NEXT_BROKEN;
	fragment = load_be16(p + 6) & 0x3fff;   /* more-fragments bit and offset */
	w->is_later_fragment = (fragment & 0x1fff) != 0;
	go_protocol(w, p[9], (p[0] & 0x0fu) * 4);
	return fragment != 0 ? NEXT_NOTHING : protocol_layer(w);
}

static enum next
ipv6(struct walk *w)
{
	const uint8_t *p = peek(w, 0, 40);

	if (p == NULL)
		return NEXT_BROKEN;
	go_protocol(w, p[6], 40);
	return protocol_layer(w);
}

/* VLAN tag behind its ethertype: u16 TCI, u16 ethertype. */
static enum next
vlan(struct walk *w)
{
	const uint8_t *p = peek(w, 0, 4);

	return p != NULL ? go_network(w, load_be16(p + 2), 4) : NEXT_BROKEN;
}

/* Redundancy tag: u4 path, u12 size, u16 sequence number, u16 ethertype. */
static enum next
redundancy_tag(struct walk *w)
{
	const uint8_t *p = peek(w, 0, 6);

	return p != NULL ? go_network(w, load_be16(p + 4), 6) : NEXT_BROKEN;
}

/*
 * PPPoE session: u4 version 1, u4 type 1, u8 code 0, u16 session, u16 length;
 * then u16 PPP protocol, whose first byte is even and whose second is odd.  RFC
 * 1661 lets a sender leave out a first byte of 0, but such packets are refused.
 */
static enum next
pppoe(struct walk *w)
{
	const uint8_t *p = peek(w, 0, 8);

	if (p == NULL || p[0] != 0x11 || p[1] != 0)
		return NEXT_BROKEN;
	switch (load_be16(p + 6)) {
	case SIFT_PPP_IPV4:
		return go_network(w, SIFT_ETHERTYPE_IPV4, 8);
	case SIFT_PPP_IPV6:
		return go_network(w, SIFT_ETHERTYPE_IPV6, 8);
	case SIFT_PPP_MPLS:
		return go_network(w, SIFT_ETHERTYPE_MPLS, 8);
	case SIFT_PPP_MPLS_MC:
		return go_network(w, SIFT_ETHERTYPE_MPLS_MC, 8);
	default:
		w->off += 8;
		return (p[6] & 1) == 0 && (p[7] & 1) != 0 ? NEXT_NOTHING : NEXT_BROKEN;
	}
}

/*
 * B.A.T.M.A.N. advanced: u8 type, u8 version, u8 TTL, u8 table version, 6 bytes
 * of destination; a unicast packet then carries an Ethernet frame.
 */
static enum next
batman(struct walk *w)
{
	const uint8_t *p = peek(w, 0, 24);

	if (p == NULL || p[0] != 0x40 || p[1] != 15)
		return NEXT_BROKEN;
	return go_network(w, load_be16(p + 22), 24);
}

static enum next
network_layer(struct walk *w)
{
	switch (w->ethertype) {
	case SIFT_ETHERTYPE_IPV4:
		return ipv4(w);
	case SIFT_ETHERTYPE_IPV6:
		return ipv6(w);
	case SIFT_ETHERTYPE_VLAN:
	case SIFT_ETHERTYPE_SVLAN:
		return vlan(w);
	case SIFT_ETHERTYPE_PPPOE_SESSION:
		return pppoe(w);
	case SIFT_ETHERTYPE_BATMAN:
		return batman(w);
	case SIFT_ETHERTYPE_PRP:
	case SIFT_ETHERTYPE_HSR:
		return redundancy_tag(w);
	case SIFT_ETHERTYPE_PTP:
		return end_past(w, 34);
	case SIFT_ETHERTYPE_FCOE:
		return end_past(w, 38);
	case SIFT_ETHERTYPE_TIPC:
		return peek(w, 0, 16) != NULL ? NEXT_NOTHING : NEXT_BROKEN;
	case SIFT_ETHERTYPE_ARP:
	case SIFT_ETHERTYPE_RARP:
	case SIFT_ETHERTYPE_CFM:
		return NEXT_NOTHING;
	case SIFT_ETHERTYPE_MPLS:
	case SIFT_ETHERTYPE_MPLS_MC:
		w->off += 4;    /* one label, captured or not */
		return NEXT_NOTHING;
	default:
		return NEXT_BROKEN;
	}
}

/* ---- transport headers ---- */

/*
 * Bytes of the transport header at off: a fixed number, captured or not, but
 * for TCP, whose length is in the upper half of its byte 12, in units of 4.
 */
static uint32_t
transport_header(const struct walk *w)
{
	const uint8_t *doff;

	switch (w->ip_proto) {
	case PROTO_TCP:
		doff = peek(w, 12, 1);
		if (doff == NULL)
			return 0;
		return *doff >> 4 > 5 ? (*doff >> 4) * 4u : 20;
	case PROTO_UDP:
	case PROTO_UDPLITE:
	case PROTO_ICMP:
	case PROTO_ICMPV6:
	case PROTO_IGMP:
		return 8;
	case PROTO_DCCP:
	case PROTO_SCTP:
		return 12;
	default:
		return 0;
	}
}

/* From the network layer to the transport header; false: broken. */
static bool
walk_headers(struct walk *w, unsigned n_seen)
{
	enum next next = NEXT_NETWORK;

	for (unsigned n = n_seen; n <= MAX_MORE_HEADERS; n++) {
		next = next == NEXT_NETWORK ? network_layer(w) : protocol_layer(w);
		if (next == NEXT_NOTHING)
			return true;
		if (next == NEXT_BROKEN)
			return false;
	}
	return true;
}

uint32_t
sift_dissect_payload(const struct sift_view *view)
{
	struct walk w = {
		.data = view->data,
		.len = view->caplen,
		.off = view->net_off,
		.ethertype = view->protocol,
	};

	if (w.off > w.len || (view->known & SIFT_KNOWN_PROTOCOL) == 0)
		return 0;
	/*
	 * A tag that the kernel took off counts as a header all the same.  One
	 * that net_off is past does not: a view does not say whether there was
	 * one, which tells in packets of sixteen headers and more alone.
	 */
	if (!walk_headers(&w, view->vlan_present))
		return 0;
	if (w.off > w.len)
		w.off = w.len;
	return w.is_later_fragment ? w.off : w.off + transport_header(&w);
}
