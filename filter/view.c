/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The packet view: how one is made, and its layout as the lowering sees it.
 *
 * What a view says about its bytes is settled here and in linktype.c: header
 * offsets never exceed caplen, metadata without a value are 0.  Programs rely
 * on neither for memory safety; each load is bounded by caplen.
 */
#include "filter/view.h"

#include <assert.h>

#include "filter/prog_packet.h"

/* Laid out for the inner loop: everything a program may load, in 80 bytes. */
_Static_assert(sizeof(void *) != 8 || sizeof(struct sift_view) == 80, "frozen in filter.h");

void
sift_view_init(struct sift_view *view, int dlt, const uint8_t *data, uint32_t caplen,
	       uint32_t wirelen)
{
	assert(data != NULL || caplen == 0);
	assert(caplen <= INT32_MAX);
	*view = (struct sift_view){
		.data = data,
		.caplen = caplen,
		.wirelen = wirelen,
		.net_off = SIFT_OFF_NONE,
	};
	sift_linktype_describe(dlt, view);
}

#define FIELD(member, known_bit)                                                                   \
	{                                                                                          \
		offsetof(struct sift_view, member), sizeof(((struct sift_view *)0)->member),       \
			known_bit                                                                  \
	}

static const struct cbpf_packet_layout layout = {
	.size = sizeof(layout),
	.fields = {
		[CBPF_FIELD_DATA] = FIELD(data, 0),
		[CBPF_FIELD_CAPLEN] = FIELD(caplen, 0),
		[CBPF_FIELD_WIRELEN] = FIELD(wirelen, 0),
		[CBPF_FIELD_MAC_OFF] = FIELD(mac_off, 0),
		[CBPF_FIELD_NET_OFF] = FIELD(net_off, 0),
		[CBPF_FIELD_PROTOCOL] = FIELD(protocol, SIFT_KNOWN_PROTOCOL),
		[CBPF_FIELD_PKTTYPE] = FIELD(pkttype, SIFT_KNOWN_PKTTYPE),
		[CBPF_FIELD_IFINDEX] = FIELD(ifindex, SIFT_KNOWN_IFINDEX),
		[CBPF_FIELD_MARK] = FIELD(mark, SIFT_KNOWN_MARK),
		[CBPF_FIELD_QUEUE] = FIELD(queue, SIFT_KNOWN_QUEUE),
		[CBPF_FIELD_HATYPE] = FIELD(hatype, SIFT_KNOWN_HATYPE),
		[CBPF_FIELD_RXHASH] = FIELD(rxhash, SIFT_KNOWN_RXHASH),
		[CBPF_FIELD_CPU] = FIELD(cpu, SIFT_KNOWN_CPU),
		[CBPF_FIELD_VLAN_TCI] = FIELD(vlan_tci, SIFT_KNOWN_VLAN),
		[CBPF_FIELD_VLAN_PRESENT] = FIELD(vlan_present, SIFT_KNOWN_VLAN),
		[CBPF_FIELD_VLAN_PROTO] = FIELD(vlan_proto, SIFT_KNOWN_VLAN),
	},
	.known_off = offsetof(struct sift_view, known),
	.nlattr = SIFT_HELPER_NLATTR,
	.nlattr_nest = SIFT_HELPER_NLATTR_NEST,
	.pay_offset = SIFT_HELPER_PAY_OFFSET,
	.random = SIFT_HELPER_RANDOM,
};

#undef FIELD

const struct cbpf_packet_layout *
sift_packet_layout(void)
{
	return &layout;
}
