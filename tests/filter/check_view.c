/* SPDX-License-Identifier: BSD-2-Clause */
/* The view as made, and its layout: what it says is where it says so. */
#include "tests/support/suite.h"

#include <bpfsift/filter.h>
#include <string.h>

static uint64_t
load_field(const struct sift_view *v, unsigned off, unsigned width)
{
	const uint8_t *p = (const uint8_t *)v + off;
	uint64_t u64;
	uint32_t u32;
	uint16_t u16;

	switch (width) {
	case 1:
		return *p;
	case 2:
		memcpy(&u16, p, sizeof(u16));
		return u16;
	case 4:
		memcpy(&u32, p, sizeof(u32));
		return u32;
	case 8:
		memcpy(&u64, p, sizeof(u64));
		return u64;
	default:
		ck_abort_msg("a field of %u bytes", width);
		return 0;
	}
}

static uint8_t packet[4];

/* No two fields alike, and no byte of one that is also in its neighbours. */
static const struct sift_view full = {
	.data = packet,
	.caplen = 0x01020304,
	.wirelen = 0x11121314,
	.mac_off = 0x21222324,
	.net_off = 0x31323334,
	.protocol = 0x4142,
	.pkttype = 0x51,
	.ifindex = 0x61626364,
	.mark = 0x71727374,
	.queue = 0x8182,
	.hatype = 0x9192,
	.rxhash = 0xa1a2a3a4,
	.cpu = 0xb1b2b3b4,
	.vlan_tci = 0xc1c2,
	.vlan_present = 0xd1,
	.vlan_proto = 0xe1e2,
};

static const struct {
	enum cbpf_field field;
	uint64_t value;
	uint32_t known;
} fields[] = {
	{ CBPF_FIELD_CAPLEN, 0x01020304, 0 },
	{ CBPF_FIELD_WIRELEN, 0x11121314, 0 },
	{ CBPF_FIELD_MAC_OFF, 0x21222324, 0 },
	{ CBPF_FIELD_NET_OFF, 0x31323334, 0 },
	{ CBPF_FIELD_PROTOCOL, 0x4142, SIFT_KNOWN_PROTOCOL },
	{ CBPF_FIELD_PKTTYPE, 0x51, SIFT_KNOWN_PKTTYPE },
	{ CBPF_FIELD_IFINDEX, 0x61626364, SIFT_KNOWN_IFINDEX },
	{ CBPF_FIELD_MARK, 0x71727374, SIFT_KNOWN_MARK },
	{ CBPF_FIELD_QUEUE, 0x8182, SIFT_KNOWN_QUEUE },
	{ CBPF_FIELD_HATYPE, 0x9192, SIFT_KNOWN_HATYPE },
	{ CBPF_FIELD_RXHASH, 0xa1a2a3a4, SIFT_KNOWN_RXHASH },
	{ CBPF_FIELD_CPU, 0xb1b2b3b4, SIFT_KNOWN_CPU },
	{ CBPF_FIELD_VLAN_TCI, 0xc1c2, SIFT_KNOWN_VLAN },
	{ CBPF_FIELD_VLAN_PRESENT, 0xd1, SIFT_KNOWN_VLAN },
	{ CBPF_FIELD_VLAN_PROTO, 0xe1e2, SIFT_KNOWN_VLAN },
};

START_TEST(layout_finds_each_field)
{
	const struct cbpf_packet_layout *l = sift_packet_layout();
	enum cbpf_field f = fields[_i].field;

	ck_assert_uint_eq(load_field(&full, l->fields[f].off, l->fields[f].width),
			  fields[_i].value);
	ck_assert_uint_eq(l->fields[f].known, fields[_i].known);
}
END_TEST

START_TEST(layout_finds_the_data)
{
	const struct cbpf_packet_layout *l = sift_packet_layout();

	ck_assert_uint_eq(N_ELEMS(fields) + 1, CBPF_N_FIELDS);
	ck_assert_uint_eq(l->size, sizeof(*l));
	ck_assert_uint_eq(load_field(&full, l->fields[CBPF_FIELD_DATA].off,
				     l->fields[CBPF_FIELD_DATA].width),
			  (uintptr_t)packet);
}
END_TEST

START_TEST(layout_finds_the_known_bits)
{
	struct sift_view v = { .known = 0x12345678 };

	ck_assert_uint_eq(load_field(&v, sift_packet_layout()->known_off, 4), 0x12345678);
}
END_TEST

START_TEST(layout_names_helpers_of_their_own)
{
	const struct cbpf_packet_layout *l = sift_packet_layout();
	const int32_t ids[] = { l->nlattr, l->nlattr_nest, l->pay_offset, l->random };

	for (size_t i = 0; i < N_ELEMS(ids); i++) {
		ck_assert_int_ne(ids[i], 0);
		for (size_t j = 0; j < i; j++)
			ck_assert_int_ne(ids[i], ids[j]);
	}
	ck_assert_int_eq(l->random, 7);
}
END_TEST

START_TEST(init_clears_what_it_does_not_know)
{
	struct sift_view v;

	memset(&v, 0xff, sizeof(v));
	sift_view_init(&v, -1, packet, sizeof(packet), 1500);
	ck_assert_ptr_eq(v.data, packet);
	ck_assert_uint_eq(v.caplen, sizeof(packet));
	ck_assert_uint_eq(v.wirelen, 1500);
	ck_assert_int_eq(v.ts_sec, 0);
	ck_assert_uint_eq(v.ts_nsec, 0);
	ck_assert_uint_eq(v.mac_off, 0);
	ck_assert_uint_eq(v.net_off, SIFT_OFF_NONE);
	ck_assert_uint_eq(v.known, 0);
	for (size_t i = 0; i < N_ELEMS(fields); i++)
		if (fields[i].known != 0)
			ck_assert_uint_eq(
				load_field(&v, sift_packet_layout()->fields[fields[i].field].off,
					   sift_packet_layout()->fields[fields[i].field].width),
				0);
	ck_assert_uint_eq(v.ts_excess | v.reserved[0], 0);
}
END_TEST

START_TEST(init_takes_an_empty_frame_without_data)
{
	struct sift_view v;

	for (int dlt = -1; dlt < 300; dlt++) {
		sift_view_init(&v, dlt, NULL, 0, 60);
		ck_assert_uint_eq(v.net_off == 0 || v.net_off == SIFT_OFF_NONE, 1);
		ck_assert_uint_eq(v.known & ~SIFT_KNOWN_HATYPE, 0);
	}
}
END_TEST

START_TEST(view_keeps_its_size)
{
	if (sizeof(void *) != 8) {
		suite_skip("the size is frozen for 64-bit machines only");
		return;
	}
	ck_assert_uint_eq(sizeof(struct sift_view), 80);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("filter/view");
	TCase *tc = tcase_create("view");

	tcase_add_loop_test(tc, layout_finds_each_field, 0, (int)N_ELEMS(fields));
	tcase_add_test(tc, layout_finds_the_data);
	tcase_add_test(tc, layout_finds_the_known_bits);
	tcase_add_test(tc, layout_names_helpers_of_their_own);
	tcase_add_test(tc, init_clears_what_it_does_not_know);
	tcase_add_test(tc, init_takes_an_empty_frame_without_data);
	tcase_add_test(tc, view_keeps_its_size);
	suite_add_tcase(s, tc);
	return s;
}
