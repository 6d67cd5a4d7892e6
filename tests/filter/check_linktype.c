/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Link types: frames of each with what they tell, cut at every byte; and
 * libpcap as the oracle of where the network layer starts and what is IPv4.
 */
#include "config.h"

#include "tests/support/suite.h"

#include <bpfsift/filter.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#ifdef HAVE_PCAP
#include <pcap/pcap.h>
#else
#include "filter/dlt.h"
#endif

#define BE16(v) (uint8_t)((v) >> 8), (uint8_t)(v)
#define Z4 0, 0, 0, 0
#define Z8 Z4, Z4
#define Z12 Z8, Z4
#define MACS 2, Z4, 1, 2, Z4, 2
#define SNAP(type) 0xaa, 0xaa, 3, 0, 0, 0, BE16(type)
#define SLL(pkttype, hatype, type) BE16(pkttype), BE16(hatype), BE16(6), Z8, BE16(type)
#define SLL2(type, ifindex, hatype, pkttype)                                                       \
	BE16(type), 0, 0, 0, 0, BE16(ifindex), BE16(hatype), pkttype, 6, Z8

#define NONE SIFT_OFF_NONE
#define P SIFT_KNOWN_PROTOCOL
#define H SIFT_KNOWN_HATYPE
#define T SIFT_KNOWN_PKTTYPE
#define I SIFT_KNOWN_IFINDEX

static const struct {
	const char *name;
	int dlt;
	uint32_t net_off;
	uint32_t known;
	uint16_t protocol;
	uint16_t hatype;
	uint8_t pkttype;
	uint32_t ifindex;
	uint32_t need;  /* bytes that tell all this; with fewer there is no network layer */
	size_t n;
	uint8_t frame[64];
} cases[] = {
#define F(...) sizeof((uint8_t[]){ __VA_ARGS__ }), { __VA_ARGS__ }
	{ "ethernet", DLT_EN10MB, 14, P | H, 0x0800, 1, 0, 0, 14, F(MACS, BE16(0x0800), 0x45) },
	{ "one tag", DLT_EN10MB, 18, P | H, 0x86dd, 1, 0, 0, 18,
	  F(MACS, BE16(0x8100), BE16(5), BE16(0x86dd), 0x60) },
	{ "one service tag", DLT_EN10MB, 18, P | H, 0x0800, 1, 0, 0, 18,
	  F(MACS, BE16(0x88a8), BE16(5), BE16(0x0800), 0x45) },
	{ "two tags", DLT_EN10MB, 18, P | H, 0x8100, 1, 0, 0, 18,
	  F(MACS, BE16(0x88a8), BE16(5), BE16(0x8100), BE16(6), BE16(0x0800), 0x45) },
	{ "three tags", DLT_EN10MB, 18, P | H, 0x88a8, 1, 0, 0, 18,
	  F(MACS, BE16(0x8100), BE16(5), BE16(0x88a8), BE16(6), BE16(0x8100), BE16(7),
	    BE16(0x0800)) },
	{ "a tag of another kind", DLT_EN10MB, 14, P | H, 0x9100, 1, 0, 0, 14,
	  F(MACS, BE16(0x9100), BE16(5), BE16(0x0800)) },
	{ "802.2", DLT_EN10MB, 14, P | H, 4, 1, 0, 0, 14, F(MACS, BE16(38), 0x42, 0x42, 3) },
	{ "802.2 under a tag", DLT_EN10MB, 18, P | H, 4, 1, 0, 0, 18,
	  F(MACS, BE16(0x8100), BE16(5), BE16(38), 0x42, 0x42, 3) },
	{ "the highest length", DLT_EN10MB, 14, P | H, 4, 1, 0, 0, 14, F(MACS, BE16(0x5ff), 1) },
	{ "the lowest ethertype", DLT_EN10MB, 14, P | H, 0x600, 1, 0, 0, 14,
	  F(MACS, BE16(0x600), 1) },
	{ "netanalyzer", DLT_NETANALYZER, 18, P | H, 0x0800, 1, 0, 0, 18,
	  F(Z4, MACS, BE16(0x0800), 0x45) },
	{ "netanalyzer, tag", DLT_NETANALYZER, 22, P | H, 0x0800, 1, 0, 0, 22,
	  F(Z4, MACS, BE16(0x8100), BE16(5), BE16(0x0800), 0x45) },
	{ "netanalyzer transparent", DLT_NETANALYZER_TRANSPARENT, 26, P | H, 0x0800, 1, 0, 0, 26,
	  F(Z12, MACS, BE16(0x0800), 0x45) },
	{ "broadcom tag", DLT_DSA_TAG_BRCM, 18, P | H, 0x0800, 1, 0, 0, 18,
	  F(MACS, Z4, BE16(0x0800), 0x45) },
	{ "marvell tag", DLT_DSA_TAG_DSA, 18, P | H, 0x86dd, 1, 0, 0, 18,
	  F(MACS, Z4, BE16(0x86dd), 0x60) },
	{ "cooked", DLT_LINUX_SLL, 16, P | H | T, 0x0800, 772, 4, 0, 16,
	  F(SLL(4, 772, 0x0800), 0x45) },
	{ "cooked, tag", DLT_LINUX_SLL, 20, P | H | T, 0x0800, 1, 3, 0, 20,
	  F(SLL(3, 1, 0x8100), BE16(5), BE16(0x0800), 0x45) },
	{ "cooked, 802.2", DLT_LINUX_SLL, 16, P | H | T, 4, 1, 2, 0, 16,
	  F(SLL(2, 1, 4), 0x42, 0x42) },
	{ "cooked 2", DLT_LINUX_SLL2, 20, P | H | T | I, 0x86dd, 512, 1, 0x1234, 20,
	  F(SLL2(0x86dd, 0x1234, 512, 1), 0x60) },
	{ "raw ipv4", DLT_RAW, 0, P, 0x0800, 0, 0, 0, 1, F(0x45, 0) },
	{ "raw ipv6", DLT_RAW, 0, P, 0x86dd, 0, 0, 0, 1, F(0x60, 0) },
	{ "raw neither", DLT_RAW, 0, 0, 0, 0, 0, 0, 0, F(0x50, 0) },
	{ "ipv4", DLT_IPV4, 0, P, 0x0800, 0, 0, 0, 1, F(0x46, 0) },
	{ "ipv6", DLT_IPV6, 0, P, 0x86dd, 0, 0, 0, 1, F(0x6f, 0) },
	{ "null, little-endian", DLT_NULL, 4, P, 0x0800, 0, 0, 0, 4, F(2, 0, 0, 0, 0x45) },
	{ "null, big-endian", DLT_NULL, 4, P, 0x86dd, 0, 0, 0, 4, F(0, 0, 0, 30, 0x60) },
	{ "null, freebsd", DLT_NULL, 4, P, 0x86dd, 0, 0, 0, 4, F(28, 0, 0, 0, 0x60) },
	{ "null, openbsd", DLT_LOOP, 4, P, 0x86dd, 0, 0, 0, 4, F(0, 0, 0, 24, 0x60) },
	{ "null, another family", DLT_NULL, 4, 0, 0, 0, 0, 0, 4, F(7, 0, 0, 0, 0x45) },
	{ "enc", DLT_ENC, 12, P, 0x0800, 0, 0, 0, 13, F(Z12, 0x45) },
	{ "ipnet", DLT_IPNET, 24, P, 0x86dd, 0, 0, 0, 25, F(Z12, Z12, 0x60) },
	{ "slip", DLT_SLIP, 16, P | H, 0x0800, 256, 0, 0, 17, F(Z12, Z4, 0x45) },
	{ "slip of bsd/os", DLT_SLIP_BSDOS, 24, P | H, 0x0800, 256, 0, 0, 25, F(Z12, Z12, 0x45) },
	{ "ppp", DLT_PPP, 4, P | H, 0x0800, 512, 0, 0, 4, F(0xff, 3, BE16(0x21), 0x45) },
	{ "ppp, ipv6", DLT_PPP_SERIAL, 4, P | H, 0x86dd, 512, 0, 0, 4,
	  F(0xff, 3, BE16(0x57), 0x60) },
	{ "ppp, mpls", DLT_PPP_PPPD, 4, P | H, 0x8847, 512, 0, 0, 4, F(1, 3, BE16(0x281), 0) },
	{ "ppp, multicast mpls", DLT_PPP, 4, P | H, 0x8848, 512, 0, 0, 4,
	  F(0xff, 3, BE16(0x283), 0) },
	{ "ppp, lcp", DLT_PPP, 4, H, 0, 512, 0, 0, 4, F(0xff, 3, BE16(0xc021), 1) },
	{ "ppp of bsd/os", DLT_PPP_BSDOS, 24, P | H, 0x0800, 512, 0, 0, 24,
	  F(Z4, 0, BE16(0x21), Z12, Z4, 0, 0x45) },
	{ "pppoe", DLT_PPP_ETHER, 8, P | H, 0x0800, 512, 0, 0, 8,
	  F(0x11, 0, 0, 1, 0, 9, BE16(0x21), 0x45) },
	{ "cisco hdlc", DLT_C_HDLC, 4, P | H, 0x0800, 513, 0, 0, 4,
	  F(0x0f, 0, BE16(0x0800), 0x45) },
	{ "fddi, snap", DLT_FDDI, 21, P | H, 0x0800, 774, 0, 0, 21,
	  F(0x50, MACS, SNAP(0x0800), 0x45) },
	{ "fddi, llc", DLT_FDDI, 13, P | H, 4, 774, 0, 0, 16, F(0x50, MACS, 0x42, 0x42, 3, 0) },
	{ "token ring, snap", DLT_IEEE802, 22, P | H, 0x0806, 6, 0, 0, 22,
	  F(0x10, 0x40, MACS, SNAP(0x0806), 0) },
	{ "token ring, snap of another organisation", DLT_IEEE802, 22, H, 0, 6, 0, 0, 22,
	  F(0x10, 0x40, MACS, 0xaa, 0xaa, 3, 0, 0, 12, BE16(0x2000), 0) },
	{ "atm, snap", DLT_ATM_RFC1483, 8, P | H, 0x0800, 19, 0, 0, 8, F(SNAP(0x0800), 0x45) },
	{ "classical ip", DLT_ATM_CLIP, 8, P | H, 0x86dd, 19, 0, 0, 8, F(SNAP(0x86dd), 0x60) },
	{ "arcnet", DLT_ARCNET, 6, P | H, 0x0800, 7, 0, 0, 6, F(1, 2, 212, 0, 0, 1, 0x45) },
	{ "arcnet, arp", DLT_ARCNET, 6, P | H, 0x0806, 7, 0, 0, 6, F(1, 2, 213, 0, 0, 1, 0) },
	{ "arcnet of linux", DLT_ARCNET_LINUX, 8, P | H, 0x86dd, 7, 0, 0, 8,
	  F(1, 2, 0, 0, 196, 0, 0, 1, 0x60) },
	{ "arcnet, another protocol", DLT_ARCNET, 6, H, 0, 7, 0, 0, 6, F(1, 2, 5, 0, 0, 1, 0) },
	{ "ieee 1394", DLT_APPLE_IP_OVER_IEEE1394, 18, P | H, 0x0800, 24, 0, 0, 18,
	  F(Z8, Z8, BE16(0x0800), 0x45) },
	{ "netlink", DLT_NETLINK, NONE, P | H | T, 16, 824, 4, 0, 16, F(SLL(4, 824, 16), Z4) },
	{ "802.11", DLT_IEEE802_11, NONE, H, 0, 801, 0, 0, 0, F(8, 0, Z12, Z12) },
	{ "prism", DLT_PRISM_HEADER, NONE, H, 0, 802, 0, 0, 0, F(8, 0, Z12, Z12) },
	{ "radiotap", DLT_IEEE802_11_RADIO, NONE, H, 0, 803, 0, 0, 0, F(0, 0, 8, 0, Z12, Z12) },
	{ "pflog", DLT_PFLOG, NONE, 0, 0, 0, 0, 0, 0, F(61, 2, 0, 0, Z12, Z12) },
	{ "unknown", 147, NONE, 0, 0, 0, 0, 0, 0, F(MACS, BE16(0x0800), 0x45) },
	{ "negative", -1, NONE, 0, 0, 0, 0, 0, 0, F(MACS, BE16(0x0800), 0x45) },
	{ "beyond the table", 1 << 20, NONE, 0, 0, 0, 0, 0, 0, F(MACS, BE16(0x0800), 0x45) },
#undef F
};

#undef P
#undef H
#undef T
#undef I

/* A view of a copy of its own size, so that a sanitizer sees the first byte beyond. */
static uint8_t *
view_of_copy(struct sift_view *v, int dlt, const uint8_t *frame, size_t n)
{
	uint8_t *copy = malloc(n);

	if (n > 0)
		memcpy(copy, frame, n);
	sift_view_init(v, dlt, copy, (uint32_t)n, 1500);
	return copy;
}

START_TEST(tells_what_the_frame_tells)
{
	struct sift_view v;
	uint8_t *copy = view_of_copy(&v, cases[_i].dlt, cases[_i].frame, cases[_i].n);
	const char *name = cases[_i].name;

	ck_assert_msg(v.net_off == cases[_i].net_off, "%s: net_off %u", name, v.net_off);
	ck_assert_msg(v.known == cases[_i].known, "%s: known 0x%x", name, v.known);
	ck_assert_msg(v.protocol == cases[_i].protocol, "%s: protocol 0x%x", name, v.protocol);
	ck_assert_msg(v.hatype == cases[_i].hatype, "%s: hatype %u", name, v.hatype);
	ck_assert_msg(v.pkttype == cases[_i].pkttype, "%s: pkttype %u", name, v.pkttype);
	ck_assert_msg(v.ifindex == cases[_i].ifindex, "%s: ifindex %u", name, v.ifindex);
	ck_assert_uint_eq(v.mac_off, 0);
	free(copy);
}
END_TEST

/* With the bytes it needs a cut frame tells the same, with fewer nothing. */
START_TEST(tells_nothing_by_a_cut_header)
{
	for (size_t n = 0; n <= cases[_i].n; n++) {
		struct sift_view v;
		uint8_t *copy = view_of_copy(&v, cases[_i].dlt, cases[_i].frame, n);
		const char *name = cases[_i].name;

		if (n >= cases[_i].need) {
			ck_assert_msg(v.net_off == cases[_i].net_off, "%s of %zu: net_off %u",
				      name, n, v.net_off);
			ck_assert_msg(v.known == cases[_i].known, "%s of %zu: known 0x%x", name, n,
				      v.known);
			ck_assert_uint_eq(v.protocol, cases[_i].protocol);
		} else {
			/* Where IP's version tells, the header before it may be whole. */
			ck_assert_msg(v.net_off == SIFT_OFF_NONE || v.net_off == n,
				      "%s of %zu: net_off %u", name, n, v.net_off);
			ck_assert_msg((v.known & ~SIFT_KNOWN_HATYPE) == 0, "%s of %zu: known 0x%x",
				      name, n, v.known);
			ck_assert_uint_eq(v.protocol, 0);
		}
		free(copy);
	}
}
END_TEST

/* Novell's frames without LLC are told by two bytes of the network layer. */
START_TEST(tells_raw_802_3_by_its_checksum)
{
	static const uint8_t frame[] = { MACS, BE16(30), 0xff, 0xff, 0, 30 };
	struct sift_view v;

	sift_view_init(&v, DLT_EN10MB, frame, sizeof(frame), sizeof(frame));
	ck_assert_uint_eq(v.protocol, 1);
	sift_view_init(&v, DLT_EN10MB, frame, 15, sizeof(frame));
	ck_assert_uint_eq(v.protocol, 4);
	ck_assert_uint_eq(v.net_off, 14);
}
END_TEST

#define MAX_DLT 320

/* The first bytes of a random frame, likely to mean something somewhere. */
static size_t
random_frame(uint64_t *rng, uint8_t frame[64])
{
	static const uint16_t halves[] = {
		0x0800, 0x86dd, 0x0806, 0x8100, 0x88a8, 0x8847, 0x0021, 0x0057, 0x0281,
		0xaaaa, 0x0300, 0x0002, 0x0200, 0x4500, 0x6000, 0xffff, 0x0040, 0x00d4,
	};

	for (size_t i = 0; i < 64; i++)
		frame[i] = (uint8_t)rng_next(rng);
	for (size_t i = rng_below(rng, 2); i < 63; i += 2 + rng_below(rng, 2)) {
		uint16_t half = halves[rng_below(rng, (uint32_t)N_ELEMS(halves))];

		frame[i] = (uint8_t)(half >> 8);
		frame[i + 1] = (uint8_t)half;
	}
	return rng_below(rng, 65);
}

static bool
is_tag_at(const uint8_t *frame, uint32_t off)
{
	return (frame[off] == 0x81 && frame[off + 1] == 0) ||
	       (frame[off] == 0x88 && frame[off + 1] == 0xa8);
}

/* What target BUFFER makes of a frame is what the view says. */
START_TEST(net_base_agrees_with_views)
{
	uint64_t rng = suite_seed(31), rounds = suite_scaled(200000), n_tagged = 0;
	struct cbpf_net_base base;
	uint8_t frame[64];

	for (uint64_t i = 0; i < rounds; i++) {
		int dlt = (int)rng_below(&rng, MAX_DLT);
		size_t n = random_frame(&rng, frame);
		uint32_t want = SIFT_OFF_NONE;
		struct sift_view v;
		uint8_t *copy = view_of_copy(&v, dlt, frame, n);

		ck_assert(v.net_off == SIFT_OFF_NONE || v.net_off <= n);
		if (sift_linktype_net_base(dlt, &base) == 0) {
			want = base.off;
			if (base.vlan_at != 0 && n >= base.off && is_tag_at(frame, base.vlan_at)) {
				want += 4;
				n_tagged++;
			}
			if (want > n)
				want = SIFT_OFF_NONE;
			ck_assert_msg(v.net_off == want, "dlt %d of %zu: net_off %u, not %u", dlt,
				      n, v.net_off, want);
		}
		free(copy);
	}
	/* one in some thousands */
	ck_assert(n_tagged > 0 || rounds < 100000);
}
END_TEST

START_TEST(net_base_refuses_what_varies)
{
	static const int dlts[] = { DLT_IEEE802_11, DLT_IEEE802_11_RADIO, DLT_FDDI, DLT_IEEE802,
				    DLT_ATM_RFC1483, DLT_NETLINK, DLT_PFLOG, 147, -1, 1 << 20 };
	struct cbpf_net_base base = { 4711, 4712 };

	ck_assert_int_eq(sift_linktype_net_base(dlts[_i], &base), -ENOENT);
	ck_assert_uint_eq(base.off, 4711);
	ck_assert_uint_eq(base.vlan_at, 4712);
}
END_TEST

/* ---- libpcap as the oracle ---- */

#ifdef HAVE_PCAP

#define MARK 0x7b

/*
 * Where libpcap's program for an expression "... ip[0] = 0x7b" loads the byte
 * that it compares with 0x7b; -1: it does not compile, or computes the offset.
 */
static int64_t
pcap_loads_at(int dlt, const char *expr)
{
	struct cbpf_insn *insns;
	int64_t at = -1;
	size_t n;

	if (sift_expr_compile(expr, dlt, 262144, SIFT_NETMASK_UNKNOWN, 0, &insns, &n, NULL) < 0)
		return -1;
	for (size_t i = 1; i < n; i++)
		if (insns[i].code == (CBPF_JMP | CBPF_JEQ | CBPF_K) && insns[i].k == MARK &&
		    insns[i - 1].code == (CBPF_LD | CBPF_B | CBPF_ABS))
			at = insns[i - 1].k;
	free(insns);
	return at;
}

START_TEST(net_base_is_where_libpcap_looks)
{
	unsigned n_compared = 0;

	for (int dlt = 0; dlt < MAX_DLT; dlt++) {
		struct cbpf_net_base base;
		int64_t at = pcap_loads_at(dlt, "ip[0] = 0x7b");

		if (at < 0)
			at = pcap_loads_at(dlt, "ip6[0] = 0x7b");
		if (at < 0 || sift_linktype_net_base(dlt, &base) < 0)
			continue;
		ck_assert_msg(at == base.off, "dlt %d: libpcap looks at %d, not %u", dlt, (int)at,
			      base.off);
		n_compared++;
	}
	ck_assert_uint_ge(n_compared, 23);
}
END_TEST

static const int snap_dlts[] = { DLT_FDDI, DLT_IEEE802, DLT_ATM_RFC1483, DLT_ATM_CLIP };

/* Of these, libpcap has IPv4 behind SNAP alone. */
START_TEST(snap_ends_where_libpcap_looks)
{
	int64_t at = pcap_loads_at(snap_dlts[_i], "ip[0] = 0x7b");
	uint8_t frame[64] = { 0 };
	static const uint8_t snap[] = { SNAP(0x0800) };
	struct sift_view v;

	ck_assert_int_ge(at, 8);
	memcpy(frame + at - 8, snap, sizeof(snap));
	sift_view_init(&v, snap_dlts[_i], frame, sizeof(frame), sizeof(frame));
	ck_assert_int_eq(v.net_off, at);
	ck_assert_uint_eq(v.protocol, 0x0800);
}
END_TEST

static const int vlan_dlts[] = { DLT_EN10MB, DLT_NETANALYZER, DLT_NETANALYZER_TRANSPARENT };

START_TEST(tag_ends_where_libpcap_looks)
{
	struct cbpf_net_base base;

	ck_assert_int_eq(sift_linktype_net_base(vlan_dlts[_i], &base), 0);
	ck_assert_int_eq(pcap_loads_at(vlan_dlts[_i], "vlan and ip[0] = 0x7b"), base.off + 4);
}
END_TEST

/* Link types of which libpcap takes for IPv4 what has that ethertype, and nothing else. */
static const int ip_dlts[] = {
	DLT_EN10MB, DLT_NETANALYZER, DLT_NETANALYZER_TRANSPARENT, DLT_LINUX_SLL, DLT_LINUX_SLL2,
	DLT_RAW, DLT_LOOP, DLT_PPP, DLT_PPP_SERIAL, DLT_PPP_ETHER, DLT_C_HDLC,
	DLT_APPLE_IP_OVER_IEEE1394,
};

START_TEST(protocol_is_ipv4_where_libpcap_says_so)
{
	uint64_t rng = suite_seed(32) + (uint64_t)_i, rounds = suite_scaled(20000), n_ipv4 = 0;
	int dlt = ip_dlts[_i];
	pcap_t *pcap = pcap_open_dead(dlt, 262144);
	struct cbpf_net_base base = { 0, 0 };
	struct bpf_program ip;
	uint8_t frame[64];

	ck_assert_int_eq(pcap_compile(pcap, &ip, "ip", 1, PCAP_NETMASK_UNKNOWN), 0);
	sift_linktype_net_base(dlt, &base);
	for (uint64_t i = 0; i < rounds; i++) {
		struct sift_view v;
		bool is_ipv4;

		random_frame(&rng, frame);
		if (dlt == DLT_LOOP)
			memset(frame, 0, 3);
		/* What is under a tag libpcap finds with `vlan and ip'. */
		if (base.vlan_at != 0 && is_tag_at(frame, base.vlan_at))
			continue;
		sift_view_init(&v, dlt, frame, sizeof(frame), sizeof(frame));
		is_ipv4 = bpf_filter(ip.bf_insns, frame, sizeof(frame), sizeof(frame)) != 0;
		ck_assert_msg(is_ipv4 == (v.protocol == 0x0800), "dlt %d, frame %u: protocol 0x%x",
			      dlt, (unsigned)i, v.protocol);
		n_ipv4 += is_ipv4;
	}
	ck_assert_uint_gt(n_ipv4, rounds / 1000);
	pcap_freecode(&ip);
	pcap_close(pcap);
}
END_TEST
#else
START_TEST(is_libpcaps)
{
	suite_skip("built without libpcap: not compared with it");
}
END_TEST
#endif

Suite *
suite(void)
{
	Suite *s = suite_create("filter/linktype");
	TCase *tc = tcase_create("linktype");

	tcase_add_loop_test(tc, tells_what_the_frame_tells, 0, (int)N_ELEMS(cases));
	tcase_add_loop_test(tc, tells_nothing_by_a_cut_header, 0, (int)N_ELEMS(cases));
	tcase_add_test(tc, tells_raw_802_3_by_its_checksum);
	tcase_add_test(tc, net_base_agrees_with_views);
	tcase_add_loop_test(tc, net_base_refuses_what_varies, 0, 10);
#ifdef HAVE_PCAP
	tcase_add_test(tc, net_base_is_where_libpcap_looks);
	tcase_add_loop_test(tc, snap_ends_where_libpcap_looks, 0, (int)N_ELEMS(snap_dlts));
	tcase_add_loop_test(tc, tag_ends_where_libpcap_looks, 0, (int)N_ELEMS(vlan_dlts));
	tcase_add_loop_test(tc, protocol_is_ipv4_where_libpcap_says_so, 0,
			    (int)N_ELEMS(ip_dlts));
#else
	tcase_add_test(tc, is_libpcaps);
#endif
	suite_add_tcase(s, tc);
	return s;
}
