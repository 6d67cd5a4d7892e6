/* SPDX-License-Identifier: BSD-2-Clause */
/* Target packet for the optimiser: R1 is a packet view. */
#include "cbpf/opt.h"

static uint32_t
field(struct opt *o, enum cbpf_field f)
{
	const struct cbpf_packet_layout *layout = o->l->opts->layout;
	uint32_t width = layout->fields[f].width;
	uint32_t max = width == 1 ? UINT8_MAX : width == 2 ? UINT16_MAX : UINT32_MAX;

	if (f == CBPF_FIELD_CAPLEN)
		max = INT32_MAX;
	return opt_field(o, o->ctx, layout->fields[f].off, width, max);
}

static void
begin(struct opt *o)
{
	o->ctx = opt_entry(o, EBPF_R1);
	o->data = field(o, CBPF_FIELD_DATA);
	o->hlen = field(o, CBPF_FIELD_CAPLEN);
	o->len = field(o, CBPF_FIELD_WIRELEN);
	o->net = field(o, CBPF_FIELD_NET_OFF);
	o->ll = field(o, CBPF_FIELD_MAC_OFF);
}

/* *value is the field; without it the verdict is otherwise. */
static int
if_known(struct opt *o, enum cbpf_field f, uint32_t otherwise, uint32_t *value,
	 struct opt_missing *missing)
{
	const struct cbpf_packet_layout *layout = o->l->opts->layout;

	*value = field(o, f);
	missing->value = opt_field(o, o->ctx, layout->known_off, 4, UINT32_MAX);
	missing->known = layout->fields[f].known;
	missing->otherwise = otherwise;
	return 0;
}

static int
plain(struct opt *o, enum cbpf_field f, uint32_t *value)
{
	*value = field(o, f);
	return 0;
}

static int
call(struct opt *o, int32_t helper, uint32_t a, uint32_t x, uint32_t *value)
{
	if (helper == 0)
		return lower_refuse(o->l,
				    "the packet context has no helper for this ancillary load");
	*value = opt_call(o, helper, a, x);
	return 0;
}

/* libpcap knows the VLAN tag alone, its 12 bits of identifier. */
static int
ancillary_pcap(struct opt *o, uint32_t ad, uint32_t *value, struct opt_missing *missing)
{
	bool is_tag = ad == CBPF_AD_VLAN_TAG;

	if_known(o, is_tag ? CBPF_FIELD_VLAN_TCI : CBPF_FIELD_VLAN_PRESENT, opt_const(o, 0), value,
		 missing);
	if (is_tag)
		*value = opt_alu(o, OPT_AND, *value, opt_const(o, 0xfff));
	return 0;
}

static int
ancillary(struct opt *o, uint32_t ad, uint32_t a, uint32_t x, uint32_t *value,
	  struct opt_missing *missing)
{
	const struct cbpf_packet_layout *layout = o->l->opts->layout;

	if (o->l->dialect == CBPF_DIALECT_PCAP)
		return ancillary_pcap(o, ad, value, missing);
	switch (ad) {
	case CBPF_AD_PROTOCOL:
		return plain(o, CBPF_FIELD_PROTOCOL, value);
	case CBPF_AD_PKTTYPE:
		return plain(o, CBPF_FIELD_PKTTYPE, value);
	case CBPF_AD_IFINDEX:   /* without an interface A is the verdict */
		return if_known(o, CBPF_FIELD_IFINDEX, a, value, missing);
	case CBPF_AD_NLATTR:
		return call(o, layout->nlattr, a, x, value);
	case CBPF_AD_NLATTR_NEST:
		return call(o, layout->nlattr_nest, a, x, value);
	case CBPF_AD_MARK:
		return plain(o, CBPF_FIELD_MARK, value);
	case CBPF_AD_QUEUE:
		return plain(o, CBPF_FIELD_QUEUE, value);
	case CBPF_AD_HATYPE:
		return if_known(o, CBPF_FIELD_HATYPE, a, value, missing);
	case CBPF_AD_RXHASH:
		return plain(o, CBPF_FIELD_RXHASH, value);
	case CBPF_AD_CPU:
		return plain(o, CBPF_FIELD_CPU, value);
	case CBPF_AD_VLAN_TAG:
		return plain(o, CBPF_FIELD_VLAN_TCI, value);
	case CBPF_AD_VLAN_TAG_PRESENT:
		return plain(o, CBPF_FIELD_VLAN_PRESENT, value);
	case CBPF_AD_PAY_OFFSET:
		return call(o, layout->pay_offset, a, x, value);
	case CBPF_AD_RANDOM:
		return call(o, layout->random, a, x, value);
	case CBPF_AD_VLAN_TPID:
		return plain(o, CBPF_FIELD_VLAN_PROTO, value);
	default:
		return lower_refuse(o->l, "unknown ancillary load");
	}
}

const struct opt_target opt_packet = {
	.begin = begin,
	.ancillary = ancillary,
};
