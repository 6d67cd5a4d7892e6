/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Link types: where a frame's network layer starts, and what its link-layer
 * header tells of what a kernel would have known.
 *
 * One table.  A link type that is not in it, or whose headers vary in length,
 * has no network layer.  A header that was not captured whole tells nothing:
 * then there is no network layer either.  The hardware type is the link
 * type's own and needs no header, but for the cooked ones, which carry it.
 *
 * In Ethernet's frames the network layer starts after the outermost VLAN tag,
 * if any, and deeper tags belong to it: the Linux kernel takes the outermost
 * one off before a filter sees the frame.  That tag is 0x8100 or 0x88a8; with
 * any other number it is no tag to the kernel.
 *
 * Token Ring frames with a source route, and PPP frames whose address and
 * control fields are compressed away, are read as if they had not been, as
 * libpcap's generated code does.
 *
 * Sources: the descriptions of link types at tcpdump.org, RFC 1042 (SNAP),
 * RFC 1661 and IANA's PPP numbers, and Linux's uapi <linux/if_arp.h> and
 * <linux/if_ether.h>.
 */
#include "filter/view.h"

#include <errno.h>

#include "filter/bytes.h"
#include "filter/dlt.h"

/* ARPHRD_* of <net/if_arp.h>, which not every system has in full. */
enum {
	HATYPE_NONE = 0,        /* our own: the link type does not tell */
	HATYPE_ETHER = 1,
	HATYPE_IEEE802 = 6,
	HATYPE_ARCNET = 7,
	HATYPE_ATM = 19,
	HATYPE_IEEE1394 = 24,
	HATYPE_SLIP = 256,
	HATYPE_PPP = 512,
	HATYPE_CISCO = 513,
	HATYPE_LOCALTLK = 773,
	HATYPE_FDDI = 774,
	HATYPE_IEEE80211 = 801,
	HATYPE_IEEE80211_PRISM = 802,
	HATYPE_IEEE80211_RADIOTAP = 803,
	HATYPE_IEEE802154 = 804,
};

/* What the kernel has for protocol where a frame's type field is a length. */
#define PROTOCOL_802_3 1
#define PROTOCOL_802_2 4
#define ETHERTYPE_MIN 0x0600

/* How the frames of a link type tell their network layer and its protocol. */
enum how {
	HOW_UNKNOWN,    /* not in the table */
	HOW_VARIES,     /* no network layer */
	HOW_ETHER,      /* at type_at: ethertype, or length; VLAN tags */
	HOW_TYPE,       /* at type_at: ethertype */
	HOW_COOKED,     /* Linux cooked, version 1; VLAN tags */
	HOW_COOKED2,    /* Linux cooked, version 2 */
	HOW_NETLINK,    /* the fields of version 1; no network layer */
	HOW_LLC,        /* IEEE 802.2, at net_off; SNAP has the ethertype */
	HOW_PPP,        /* at type_at: PPP protocol number */
	HOW_ARCNET,     /* at type_at: protocol ID, one byte */
	HOW_AF,         /* at type_at: AF_*, four bytes in either order */
	HOW_IP,         /* first nibble of the network layer is IP's version */
};

struct linktype {
	uint8_t how;            /* enum how */
	uint8_t net_off;        /* the network layer, VLAN tag or SNAP not counted */
	uint8_t type_at;
	uint16_t hatype;
};

static const struct linktype linktypes[] = {
	[DLT_EN10MB] = { HOW_ETHER, 14, 12, HATYPE_ETHER },
	[DLT_NETANALYZER] = { HOW_ETHER, 18, 16, HATYPE_ETHER },
	[DLT_NETANALYZER_TRANSPARENT] = { HOW_ETHER, 26, 24, HATYPE_ETHER },
	[DLT_DSA_TAG_BRCM] = { HOW_ETHER, 18, 16, HATYPE_ETHER },
	[DLT_DSA_TAG_DSA] = { HOW_ETHER, 18, 16, HATYPE_ETHER },

	[DLT_LINUX_SLL] = { HOW_COOKED, 16, 14, HATYPE_NONE },
	[DLT_LINUX_SLL2] = { HOW_COOKED2, 20, 0, HATYPE_NONE },
	[DLT_NETLINK] = { HOW_NETLINK, 16, 14, HATYPE_NONE },

	[DLT_RAW] = { HOW_IP, 0, 0, HATYPE_NONE },
	[DLT_IPV4] = { HOW_IP, 0, 0, HATYPE_NONE },
	[DLT_IPV6] = { HOW_IP, 0, 0, HATYPE_NONE },
	[DLT_NULL] = { HOW_AF, 4, 0, HATYPE_NONE },
	[DLT_LOOP] = { HOW_AF, 4, 0, HATYPE_NONE },
	[DLT_ENC] = { HOW_IP, 12, 0, HATYPE_NONE },
	[DLT_IPNET] = { HOW_IP, 24, 0, HATYPE_NONE },
	[DLT_SLIP] = { HOW_IP, 16, 0, HATYPE_SLIP },
	[DLT_SLIP_BSDOS] = { HOW_IP, 24, 0, HATYPE_SLIP },

	[DLT_PPP] = { HOW_PPP, 4, 2, HATYPE_PPP },
	[DLT_PPP_SERIAL] = { HOW_PPP, 4, 2, HATYPE_PPP },
	[DLT_PPP_PPPD] = { HOW_PPP, 4, 2, HATYPE_PPP },
	[DLT_PPP_BSDOS] = { HOW_PPP, 24, 5, HATYPE_PPP },
	[DLT_PPP_ETHER] = { HOW_PPP, 8, 6, HATYPE_PPP },
	[DLT_C_HDLC] = { HOW_TYPE, 4, 2, HATYPE_CISCO },

	[DLT_FDDI] = { HOW_LLC, 13, 0, HATYPE_FDDI },
	[DLT_IEEE802] = { HOW_LLC, 14, 0, HATYPE_IEEE802 },
	[DLT_ATM_RFC1483] = { HOW_LLC, 0, 0, HATYPE_ATM },
	[DLT_ATM_CLIP] = { HOW_LLC, 0, 0, HATYPE_ATM },
	[DLT_ARCNET] = { HOW_ARCNET, 6, 2, HATYPE_ARCNET },
	[DLT_ARCNET_LINUX] = { HOW_ARCNET, 8, 4, HATYPE_ARCNET },
	[DLT_APPLE_IP_OVER_IEEE1394] = { HOW_TYPE, 18, 16, HATYPE_IEEE1394 },

	[DLT_IEEE802_11] = { HOW_VARIES, 0, 0, HATYPE_IEEE80211 },
	[DLT_PRISM_HEADER] = { HOW_VARIES, 0, 0, HATYPE_IEEE80211_PRISM },
	[DLT_IEEE802_11_RADIO] = { HOW_VARIES, 0, 0, HATYPE_IEEE80211_RADIOTAP },
	[DLT_IEEE802_11_RADIO_AVS] = { HOW_VARIES, 0, 0, HATYPE_IEEE80211_PRISM },
	[DLT_IEEE802_15_4] = { HOW_VARIES, 0, 0, HATYPE_IEEE802154 },
	[DLT_IEEE802_15_4_NOFCS] = { HOW_VARIES, 0, 0, HATYPE_IEEE802154 },
	[DLT_LTALK] = { HOW_VARIES, 0, 0, HATYPE_LOCALTLK },
};

/* A row of its own kind stands for all that are not in the table. */
static const struct linktype *
find(int dlt)
{
	static const struct linktype unknown = { HOW_UNKNOWN, 0, 0, HATYPE_NONE };

	if (dlt < 0 || (size_t)dlt >= sizeof(linktypes) / sizeof(linktypes[0]))
		return &unknown;
	return &linktypes[dlt];
}

static bool
is_vlan_tag(uint32_t type)
{
	return type == SIFT_ETHERTYPE_VLAN || type == SIFT_ETHERTYPE_SVLAN;
}

static void
set_protocol(struct sift_view *v, uint32_t protocol)
{
	v->protocol = (uint16_t)protocol;
	v->known |= SIFT_KNOWN_PROTOCOL;
}

static void
set_hatype(struct sift_view *v, uint32_t hatype)
{
	v->hatype = (uint16_t)hatype;
	v->known |= SIFT_KNOWN_HATYPE;
}

static void
set_pkttype(struct sift_view *v, uint32_t pkttype)
{
	v->pkttype = (uint8_t)pkttype;
	v->known |= SIFT_KNOWN_PKTTYPE;
}

/*
 * The network layer after a type field that ends where it starts, or after the
 * VLAN tag that the type field announces.  Returns the type: of the two, the
 * one next to the network layer.  There is no network layer if the tag is cut.
 */
static uint32_t
skip_vlan_tag(struct sift_view *v, const struct linktype *lt)
{
	uint32_t type = load_be16(v->data + lt->type_at);

	if (!is_vlan_tag(type)) {
		v->net_off = lt->net_off;
	} else if (bytes_have(v->caplen, lt->net_off, 4)) {
		type = load_be16(v->data + lt->net_off + 2);
		v->net_off = lt->net_off + 4u;
	}
	return type;
}

/*
 * A length in place of a type announces an LLC header, or, where its first two
 * bytes are 0xff, IPX without one (Novell's "raw 802.3").
 */
static void
describe_ether(struct sift_view *v, const struct linktype *lt)
{
	uint32_t type = skip_vlan_tag(v, lt);

	if (v->net_off == SIFT_OFF_NONE)
		return;
	if (type >= ETHERTYPE_MIN)
		set_protocol(v, type);
	else if (bytes_have(v->caplen, v->net_off, 2) &&
		 load_be16(v->data + v->net_off) == 0xffff)
		set_protocol(v, PROTOCOL_802_3);
	else
		set_protocol(v, PROTOCOL_802_2);
}

/*
 * Linux cooked, version 1: u16 packet type, u16 hardware type, u16 address
 * length, 8 bytes of address, u16 protocol.  libpcap puts a VLAN tag that the
 * kernel had taken off back in before the protocol.
 */
static void
describe_cooked(struct sift_view *v, const struct linktype *lt)
{
	uint32_t type = skip_vlan_tag(v, lt);

	if (v->net_off == SIFT_OFF_NONE)
		return;
	set_pkttype(v, load_be16(v->data));
	set_hatype(v, load_be16(v->data + 2));
	set_protocol(v, type);
}

/*
 * Version 2: u16 protocol, u16 reserved, u32 interface index, u16 hardware
 * type, u8 packet type, u8 address length, 8 bytes of address.
 */
static void
describe_cooked2(struct sift_view *v, const struct linktype *lt)
{
	v->net_off = lt->net_off;
	set_protocol(v, load_be16(v->data));
	set_hatype(v, load_be16(v->data + 8));
	set_pkttype(v, v->data[10]);
	v->ifindex = load_be32(v->data + 4);
	v->known |= SIFT_KNOWN_IFINDEX;
}

/* A netlink message with a header like that of version 1, its family last. */
static void
describe_netlink(struct sift_view *v, const struct linktype *lt)
{
	set_pkttype(v, load_be16(v->data));
	set_hatype(v, load_be16(v->data + 2));
	set_protocol(v, load_be16(v->data + lt->type_at));
}

/*
 * IEEE 802.2: DSAP, SSAP, control.  0xaa 0xaa 0x03 is SNAP, with a u24
 * organisation, 0 of those whose last field is an ethertype, and a u16.
 */
static void
describe_llc(struct sift_view *v, const struct linktype *lt)
{
	const uint8_t *llc = v->data + lt->net_off;

	if (!bytes_have(v->caplen, lt->net_off, 3))
		return;
	if (llc[0] != 0xaa || llc[1] != 0xaa || llc[2] != 0x03) {
		v->net_off = lt->net_off;
		set_protocol(v, PROTOCOL_802_2);
		return;
	}
	if (!bytes_have(v->caplen, lt->net_off, 8))
		return;
	v->net_off = lt->net_off + 8u;
	if (llc[3] == 0 && llc[4] == 0 && llc[5] == 0)
		set_protocol(v, load_be16(llc + 6));
}

/* Sets the protocol from numbers that are not ethertypes; 0: not known. */
static void
set_known_protocol(struct sift_view *v, uint32_t protocol)
{
	if (protocol != 0)
		set_protocol(v, protocol);
}

static uint32_t
protocol_of_ppp(uint32_t ppp)
{
	switch (ppp) {
	case SIFT_PPP_IPV4:
		return SIFT_ETHERTYPE_IPV4;
	case SIFT_PPP_IPV6:
		return SIFT_ETHERTYPE_IPV6;
	case SIFT_PPP_MPLS:
		return SIFT_ETHERTYPE_MPLS;
	case SIFT_PPP_MPLS_MC:
		return SIFT_ETHERTYPE_MPLS_MC;
	default:
		return 0;
	}
}

static uint32_t
protocol_of_arcnet(uint8_t id)
{
	switch (id) {
	case 212:
		return SIFT_ETHERTYPE_IPV4;
	case 213:
		return SIFT_ETHERTYPE_ARP;
	case 196:
		return SIFT_ETHERTYPE_IPV6;
	default:
		return 0;
	}
}

/* AF_INET is 2 wherever it came from, AF_INET6 one of four numbers. */
static uint32_t
protocol_of_af(const uint8_t *p)
{
	uint32_t af = load_be32(p);

	if (af > 0xffff)
		af = (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
	switch (af) {
	case 2:
		return SIFT_ETHERTYPE_IPV4;
	case 10:        /* Linux */
	case 24:        /* NetBSD, OpenBSD */
	case 28:        /* FreeBSD */
	case 30:        /* macOS */
		return SIFT_ETHERTYPE_IPV6;
	default:
		return 0;
	}
}

static uint32_t
protocol_of_ip_version(const struct sift_view *v)
{
	if (!bytes_have(v->caplen, v->net_off, 1))
		return 0;
	switch (v->data[v->net_off] >> 4) {
	case 4:
		return SIFT_ETHERTYPE_IPV4;
	case 6:
		return SIFT_ETHERTYPE_IPV6;
	default:
		return 0;
	}
}

void
sift_linktype_describe(int dlt, struct sift_view *view)
{
	const struct linktype *lt = find(dlt);

	if (lt->hatype != HATYPE_NONE)
		set_hatype(view, lt->hatype);
	if (view->caplen < lt->net_off || view->data == NULL)
		return;
	switch ((enum how)lt->how) {
	case HOW_UNKNOWN:
	case HOW_VARIES:
		break;
	case HOW_ETHER:
		describe_ether(view, lt);
		break;
	case HOW_COOKED:
		describe_cooked(view, lt);
		break;
	case HOW_COOKED2:
		describe_cooked2(view, lt);
		break;
	case HOW_NETLINK:
		describe_netlink(view, lt);
		break;
	case HOW_LLC:
		describe_llc(view, lt);
		break;
	case HOW_TYPE:
		view->net_off = lt->net_off;
		set_protocol(view, load_be16(view->data + lt->type_at));
		break;
	case HOW_PPP:
		view->net_off = lt->net_off;
		set_known_protocol(view, protocol_of_ppp(load_be16(view->data + lt->type_at)));
		break;
	case HOW_ARCNET:
		view->net_off = lt->net_off;
		set_known_protocol(view, protocol_of_arcnet(view->data[lt->type_at]));
		break;
	case HOW_AF:
		view->net_off = lt->net_off;
		set_known_protocol(view, protocol_of_af(view->data + lt->type_at));
		break;
	case HOW_IP:
		view->net_off = lt->net_off;
		set_known_protocol(view, protocol_of_ip_version(view));
		break;
	}
}

int
sift_linktype_net_base(int dlt, struct cbpf_net_base *base)
{
	const struct linktype *lt = find(dlt);

	switch ((enum how)lt->how) {
	case HOW_UNKNOWN:
	case HOW_VARIES:
	case HOW_NETLINK:
	case HOW_LLC:
		return -ENOENT;
	case HOW_ETHER:
	case HOW_COOKED:
		*base = (struct cbpf_net_base){ lt->net_off, lt->type_at };
		return 0;
	case HOW_TYPE:
	case HOW_COOKED2:
	case HOW_PPP:
	case HOW_ARCNET:
	case HOW_AF:
	case HOW_IP:
		*base = (struct cbpf_net_base){ lt->net_off, 0 };
		return 0;
	}
	return -ENOENT;
}
