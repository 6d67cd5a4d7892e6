/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The dissector, header by header.  The expected offsets are what a socket
 * filter `ld #poff; ret a' returned for the same frames on Linux 6.18.
 */
#include "tests/support/suite.h"

#include <bpfsift/filter.h>
#include <stdlib.h>
#include <string.h>

#include "filter/dissect.h"
#include "filter/dlt.h"

#define BE16(v) (uint8_t)((v) >> 8), (uint8_t)(v)
#define Z4 0, 0, 0, 0
#define Z8 Z4, Z4
#define Z16 Z8, Z8

/* Headers, each as it stands on the wire; those in brackets name the next. */
#define ETHER(type) 2, Z4, 1, 2, Z4, 2, BE16(type)                      /* 14 */
#define TAG(type) BE16(0x6064), BE16(type)                              /* 4 */
#define IPV4_WITH(first, frag, proto)                                                              \
	first, 0, BE16(60), 0, 1, BE16(frag), 64, proto, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2
#define IPV4(proto) IPV4_WITH(0x45, 0, proto)                           /* 20 */
#define IPV6(proto) 0x60, 0, 0, 0, 0, 20, proto, 64, Z16, Z16           /* 40 */
#define OPTIONS(proto) proto, 0, Z4, 0, 0                               /* 8 */
#define OPTIONS16(proto) proto, 1, Z8, Z4, 0, 0                         /* 16 */
#define FRAGMENT(proto, frag) proto, 0, BE16(frag), Z4                  /* 8 */
#define GRE(flags, type) BE16(flags), BE16(type)                        /* 4 */
#define PPPOE(ppp) 0x11, 0, 0, 7, 0, 40, BE16(ppp)                      /* 8 */
#define TCP(doff) BE16(1024), BE16(80), Z8, (doff) << 4, 0x10, Z4, 0, 0 /* 20 */
#define UDP BE16(1024), BE16(53), 0, 8, 0, 0                            /* 8 */
#define BATMAN(kind, version) kind, version, Z8
#define LABEL(bottom) 0, 1, bottom, 64                                  /* 4 */

static const struct {
	const char *name;
	uint32_t offset;
	size_t n;
	uint8_t frame[256];
} cases[] = {
#define F(name, offset, ...) { name, offset, sizeof((uint8_t[]){ __VA_ARGS__ }), { __VA_ARGS__ } }
	F("udp", 42, ETHER(0x0800), IPV4(17), UDP),
	F("udp, header cut", 42, ETHER(0x0800), IPV4(17), 1),
	F("udp-lite", 42, ETHER(0x0800), IPV4(136), UDP),
	F("icmp", 42, ETHER(0x0800), IPV4(1), Z8),
	F("icmpv6 over ipv4", 42, ETHER(0x0800), IPV4(58), Z8),
	F("igmp", 42, ETHER(0x0800), IPV4(2), Z8),
	F("dccp", 46, ETHER(0x0800), IPV4(33), Z16),
	F("sctp", 46, ETHER(0x0800), IPV4(132), Z16),
	F("esp", 34, ETHER(0x0800), IPV4(50), Z8),
	F("ah", 34, ETHER(0x0800), IPV4(51), Z8),
	F("tcp", 54, ETHER(0x0800), IPV4(6), TCP(5)),
	F("tcp with options", 58, ETHER(0x0800), IPV4(6), TCP(6), Z4),
	F("tcp, longest", 94, ETHER(0x0800), IPV4(6), TCP(15), Z16, Z16, Z8),
	F("tcp, doff too small", 54, ETHER(0x0800), IPV4(6), TCP(4)),
	F("tcp, doff just there", 54, ETHER(0x0800), IPV4(6), Z8, Z4, 0x50),
	F("tcp, doff cut", 34, ETHER(0x0800), IPV4(6), Z8, Z4),
	F("ipv4 with options", 46, ETHER(0x0800), IPV4_WITH(0x46, 0, 17), Z4, UDP),
	F("ipv4, version not looked at", 42, ETHER(0x0800), IPV4_WITH(0x55, 0, 17), UDP),
	F("ipv4, header too short", 0, ETHER(0x0800), IPV4_WITH(0x44, 0, 17), UDP),
	F("ipv4, options cut", 36 + 8, ETHER(0x0800), IPV4_WITH(0x4f, 0, 17), 0, 0),
	F("ipv4, don't fragment", 42, ETHER(0x0800), IPV4_WITH(0x45, 0x4000, 17), UDP),
	F("ipv4, first fragment", 42, ETHER(0x0800), IPV4_WITH(0x45, 0x2000, 17), UDP),
	F("ipv4, first fragment of a tunnel", 34, ETHER(0x0800), IPV4_WITH(0x45, 0x2000, 4),
	  IPV4(17), UDP),
	F("ipv4, later fragment", 34, ETHER(0x0800), IPV4_WITH(0x45, 0x2001, 17), UDP),
	F("ipv4, last fragment", 34, ETHER(0x0800), IPV4_WITH(0x45, 0x0001, 17), UDP),
	F("ipv6", 62, ETHER(0x86dd), IPV6(17), UDP),
	F("ipv6, no next header", 54, ETHER(0x86dd), IPV6(59), UDP),
	F("ipv6, each option header", 62 + 32, ETHER(0x86dd), IPV6(0), OPTIONS(43), OPTIONS16(60),
	  OPTIONS(17), UDP),
	F("ipv6, options cut", 0, ETHER(0x86dd), IPV6(0), 17),
	F("ipv6, options longer than the frame", 56 + 8, ETHER(0x86dd), IPV6(0), 17, 255),
	F("ipv6, ah is not walked", 54, ETHER(0x86dd), IPV6(51), OPTIONS(17), UDP),
	F("ipv6, first fragment", 70, ETHER(0x86dd), IPV6(44), FRAGMENT(17, 1), UDP),
	F("ipv6, later fragment", 62, ETHER(0x86dd), IPV6(44), FRAGMENT(17, 8), UDP),
	F("ipv6, options behind a fragment header", 62, ETHER(0x86dd), IPV6(44), FRAGMENT(60, 1),
	  OPTIONS(17), UDP),
	F("ipv6, fragment cut", 0, ETHER(0x86dd), IPV6(44), 17, 0, 0, 0),
	F("ipv4 has no extension headers", 34, ETHER(0x0800), IPV4(60), OPTIONS(17), UDP),
	F("ipv4 has no fragment header", 34, ETHER(0x0800), IPV4(44), FRAGMENT(17, 0), UDP),
	F("ipip", 62, ETHER(0x0800), IPV4(4), IPV4(17), UDP),
	F("ipv6 in ipv4", 82, ETHER(0x0800), IPV4(41), IPV6(17), UDP),
	F("ipv4 in ipv6", 82, ETHER(0x86dd), IPV6(4), IPV4(17), UDP),
	F("mpls in ip", 38, ETHER(0x0800), IPV4(137), LABEL(1), IPV4(17), UDP),
	F("tag", 46, ETHER(0x8100), TAG(0x0800), IPV4(17), UDP),
	F("two tags", 50, ETHER(0x88a8), TAG(0x8100), TAG(0x0800), IPV4(17), UDP),
	F("three tags", 54, ETHER(0x88a8), TAG(0x88a8), TAG(0x8100), TAG(0x0800), IPV4(17), UDP),
	F("tag of another kind", 0, ETHER(0x9100), TAG(0x0800), IPV4(17), UDP),
	F("second tag cut", 0, ETHER(0x8100), TAG(0x8100), 0, 1),
	F("mpls", 18, ETHER(0x8847), LABEL(0), LABEL(1), IPV4(17), UDP),
	F("mpls multicast", 18, ETHER(0x8848), LABEL(1), IPV4(17), UDP),
	F("mpls, label cut", 16, ETHER(0x8847), 0, 1),
	F("pppoe with ipv4", 50, ETHER(0x8864), PPPOE(0x0021), IPV4(17), UDP),
	F("pppoe with ipv6", 70, ETHER(0x8864), PPPOE(0x0057), IPV6(17), UDP),
	F("pppoe with mpls", 26, ETHER(0x8864), PPPOE(0x0281), LABEL(1), IPV4(17), UDP),
	F("pppoe with multicast mpls", 26, ETHER(0x8864), PPPOE(0x0283), LABEL(1), IPV4(17), UDP),
	F("pppoe with lcp", 22, ETHER(0x8864), PPPOE(0xc021), Z16),
	F("pppoe, protocol even", 0, ETHER(0x8864), PPPOE(0xc020), Z16),
	F("pppoe, protocol of one byte", 0, ETHER(0x8864), 0x11, 0, 0, 7, 0, 40, 0x21, IPV4(17), UDP),
	F("pppoe, version 2", 0, ETHER(0x8864), 0x21, 0, 0, 7, 0, 40, 0, 0x21, IPV4(17), UDP),
	F("pppoe, not a session", 0, ETHER(0x8864), 0x11, 9, 0, 7, 0, 40, 0, 0x21, IPV4(17), UDP),
	F("pppoe discovery", 0, ETHER(0x8863), PPPOE(0x0021), IPV4(17), UDP),
	F("gre", 66, ETHER(0x0800), IPV4(47), GRE(0, 0x0800), IPV4(17), UDP),
	F("gre over ipv6", 86, ETHER(0x86dd), IPV6(47), GRE(0, 0x0800), IPV4(17), UDP),
	F("gre with checksum", 70, ETHER(0x0800), IPV4(47), GRE(0x8000, 0x0800), Z4, IPV4(17), UDP),
	F("gre with key", 70, ETHER(0x0800), IPV4(47), GRE(0x2000, 0x0800), Z4, IPV4(17), UDP),
	F("gre with sequence", 70, ETHER(0x0800), IPV4(47), GRE(0x1000, 0x0800), Z4, IPV4(17), UDP),
	F("gre with all three", 78, ETHER(0x0800), IPV4(47), GRE(0xb000, 0x0800), Z8, Z4, IPV4(17),
	  UDP),
	F("gre, key cut", 0, ETHER(0x0800), IPV4(47), GRE(0x2000, 0x0800), 0, 0, 0),
	F("gre with routing", 34, ETHER(0x0800), IPV4(47), GRE(0x4000, 0x0800), Z4, IPV4(17), UDP),
	F("gre, version 2", 34, ETHER(0x0800), IPV4(47), GRE(0x0002, 0x0800), IPV4(17), UDP),
	F("gre with ethernet", 80, ETHER(0x0800), IPV4(47), GRE(0, 0x6558), ETHER(0x0800), IPV4(17),
	  UDP),
	F("gre with a tagged frame", 84, ETHER(0x0800), IPV4(47), GRE(0, 0x6558), ETHER(0x8100),
	  TAG(0x0800), IPV4(17), UDP),
	F("gre, ethernet cut", 0, ETHER(0x0800), IPV4(47), GRE(0, 0x6558), Z8, Z4, 8),
	F("gre with what is not known", 0, ETHER(0x0800), IPV4(47), GRE(0, 0x1234), Z16),
	F("pptp", 74, ETHER(0x0800), IPV4(47), GRE(0x2001, 0x880b), Z4, 0xff, 3, BE16(0x0021),
	  IPV4(17), UDP),
	F("pptp with sequence and ack", 102, ETHER(0x0800), IPV4(47), GRE(0x3081, 0x880b), Z4, Z8,
	  0xff, 3, BE16(0x0057), IPV6(17), UDP),
	F("pptp without key", 34, ETHER(0x0800), IPV4(47), GRE(0x0001, 0x880b), 0xff, 3,
	  BE16(0x0021), IPV4(17), UDP),
	F("pptp, other protocol", 34, ETHER(0x0800), IPV4(47), GRE(0x2001, 0x0800), Z4, IPV4(17),
	  UDP),
	F("pptp with lcp", 0, ETHER(0x0800), IPV4(47), GRE(0x2001, 0x880b), Z4, 0xff, 3,
	  BE16(0xc021), Z16),
	F("batman", 66, ETHER(0x4305), BATMAN(0x40, 15), ETHER(0x0800), IPV4(17), UDP),
	F("batman, not unicast", 0, ETHER(0x4305), BATMAN(0x41, 15), ETHER(0x0800), IPV4(17), UDP),
	F("batman, version 14", 0, ETHER(0x4305), BATMAN(0x40, 14), ETHER(0x0800), IPV4(17), UDP),
	F("hsr", 48, ETHER(0x892f), Z4, BE16(0x0800), IPV4(17), UDP),
	F("prp", 48, ETHER(0x88fb), Z4, BE16(0x0800), IPV4(17), UDP),
	F("ptp", 48, ETHER(0x88f7), Z16, Z16, 0, 0),
	F("ptp, cut", 0, ETHER(0x88f7), Z16, Z16, 0),
	F("fcoe", 52, ETHER(0x8906), Z16, Z16, Z4, 0, 0),
	F("fcoe, cut", 0, ETHER(0x8906), Z16, Z16, Z4, 0),
	F("tipc", 14, ETHER(0x88ca), Z16),
	F("tipc, cut", 0, ETHER(0x88ca), Z8, Z4, 0, 0, 0),
	F("arp", 14, ETHER(0x0806), Z16),
	F("rarp", 14, ETHER(0x8035), Z16),
	F("cfm", 14, ETHER(0x8902), Z16),
	F("llc", 0, ETHER(40), 0x42, 0x42, 3, Z16),
	F("loopback protocol", 0, ETHER(0x9000), Z16),
#undef F
};

/* A copy of its own size, so that a sanitizer sees the first byte beyond. */
static uint32_t
dissect(const uint8_t *frame, size_t n)
{
	uint8_t *copy = malloc(n);
	struct sift_view v;
	uint32_t offset;

	if (n > 0)
		memcpy(copy, frame, n);
	sift_view_init(&v, DLT_EN10MB, copy, (uint32_t)n, (uint32_t)n);
	offset = sift_dissect_payload(&v);
	free(copy);
	return offset;
}

START_TEST(finds_the_payload)
{
	uint32_t offset = dissect(cases[_i].frame, cases[_i].n);

	ck_assert_msg(offset == cases[_i].offset, "%s: %u, not %u", cases[_i].name, offset,
		      cases[_i].offset);
}
END_TEST

/* Cutting a frame never invents a payload further on than a header away. */
START_TEST(survives_any_cut)
{
	uint32_t last = 0;

	for (size_t n = 0; n <= cases[_i].n; n++) {
		uint32_t offset = dissect(cases[_i].frame, n);

		ck_assert_uint_le(offset, n + 60);
		if (n < 14)
			ck_assert_uint_eq(offset, 0);
		last = offset;
	}
	ck_assert_uint_eq(last, cases[_i].offset);
}
END_TEST

START_TEST(survives_random_bytes)
{
	uint64_t rng = suite_seed(20260101), n_found = 0, rounds = suite_scaled(100000);

	for (uint64_t i = 0; i < rounds; i++) {
		size_t which = rng_below(&rng, (uint32_t)N_ELEMS(cases));
		size_t n = cases[which].n;
		uint8_t frame[sizeof(cases[0].frame)];
		uint32_t offset;

		memcpy(frame, cases[which].frame, sizeof(frame));
		for (uint32_t j = rng_below(&rng, 4); j < 4; j++)
			frame[12 + rng_below(&rng, (uint32_t)n - 12)] = (uint8_t)rng_next(&rng);
		offset = dissect(frame, n);
		ck_assert_msg(offset == 0 || (offset >= 14 && offset <= n + 60),
			      "%s with random bytes: %u", cases[which].name, offset);
		n_found += offset != 0;
	}
	ck_assert_uint_gt(n_found, rounds / 4);
}
END_TEST

/* IPv6 headers in each other: 16 are looked into, the walk ends at the next. */
START_TEST(stops_after_sixteen_headers)
{
	uint8_t frame[14 + 18 * 40 + 8] = { [12] = 0x86, [13] = 0xdd };

	for (uint32_t n_headers = 1; n_headers <= 18; n_headers++) {
		size_t n = 14 + (size_t)n_headers * 40;

		for (uint32_t i = 0; i < n_headers; i++)
			frame[14 + i * 40 + 6] = i + 1 < n_headers ? 41 : 17;
		ck_assert_uint_eq(dissect(frame, n + 8),
				  n_headers <= 16 ? n + 8 : (size_t)14 + 16 * 40);
	}
}
END_TEST

/* Where the kernel took a tag off, that tag is the first header. */
START_TEST(counts_a_tag_taken_off)
{
	uint8_t frame[14 + 16 * 40 + 8] = { [12] = 0x86, [13] = 0xdd };
	struct sift_view v;

	for (uint32_t i = 0; i < 16; i++)
		frame[14 + i * 40 + 6] = i + 1 < 16 ? 41 : 17;
	sift_view_init(&v, DLT_EN10MB, frame, sizeof(frame), sizeof(frame));
	ck_assert_uint_eq(sift_dissect_payload(&v), sizeof(frame));
	v.known |= SIFT_KNOWN_VLAN;
	v.vlan_present = 1;
	ck_assert_uint_eq(sift_dissect_payload(&v), 14 + 15 * 40);
}
END_TEST

START_TEST(needs_a_network_layer_and_its_protocol)
{
	static const uint8_t frame[] = { ETHER(0x0800), IPV4(17), UDP };
	struct sift_view v;

	sift_view_init(&v, DLT_EN10MB, frame, sizeof(frame), sizeof(frame));
	ck_assert_uint_eq(sift_dissect_payload(&v), 42);
	v.known &= ~SIFT_KNOWN_PROTOCOL;
	ck_assert_uint_eq(sift_dissect_payload(&v), 0);
	v.known |= SIFT_KNOWN_PROTOCOL;
	v.net_off = SIFT_OFF_NONE;
	ck_assert_uint_eq(sift_dissect_payload(&v), 0);
	v.net_off = sizeof(frame) + 1;
	ck_assert_uint_eq(sift_dissect_payload(&v), 0);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("filter/dissect");
	TCase *tc = tcase_create("dissect");

	tcase_add_loop_test(tc, finds_the_payload, 0, (int)N_ELEMS(cases));
	tcase_add_loop_test(tc, survives_any_cut, 0, (int)N_ELEMS(cases));
	tcase_add_test(tc, survives_random_bytes);
	tcase_add_test(tc, stops_after_sixteen_headers);
	tcase_add_test(tc, counts_a_tag_taken_off);
	tcase_add_test(tc, needs_a_network_layer_and_its_protocol);
	suite_add_tcase(s, tc);
	return s;
}
