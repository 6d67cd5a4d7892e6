/* SPDX-License-Identifier: BSD-2-Clause */
/* Metadata in struct __sk_buff for the optimiser: targets socket and tc. */
#include "cbpf/ancillary.h"
#include "cbpf/kernel.h"
#include "cbpf/opt.h"

static uint32_t
field(struct opt *o, uint32_t off)
{
	return opt_field(o, o->ctx, off, 4, UINT32_MAX);
}

/* Where the headers are is not to be seen: what loads from them asks the kernel. */
static void
begin_socket(struct opt *o)
{
	o->ctx = opt_entry(o, EBPF_R1);
	o->len = field(o, SKB_LEN);
}

static void
begin_tc(struct opt *o)
{
	begin_socket(o);
	o->data = field(o, SKB_DATA);
	o->end = field(o, SKB_DATA_END);
}

static int
ancillary(struct opt *o, uint32_t ad, uint32_t a, uint32_t x, uint32_t *value,
	  struct opt_missing *missing)
{
	(void)x;
	switch (ad) {
	case CBPF_AD_PROTOCOL:
		*value = opt_swap16(o, field(o, SKB_PROTOCOL));
		return 0;
	case CBPF_AD_PKTTYPE:
		*value = field(o, SKB_PKT_TYPE);
		return 0;
	case CBPF_AD_IFINDEX:   /* without an interface A is the verdict */
		*value = field(o, SKB_IFINDEX);
		*missing = (struct opt_missing){ *value, UINT32_MAX, a };
		return 0;
	case CBPF_AD_MARK:
		*value = field(o, SKB_MARK);
		return 0;
	case CBPF_AD_QUEUE:
		*value = field(o, SKB_QUEUE_MAPPING);
		return 0;
	case CBPF_AD_RXHASH:
		*value = field(o, SKB_HASH);
		return 0;
	case CBPF_AD_CPU:
		*value = opt_call(o, HELPER_GET_SMP_PROCESSOR_ID, OPT_NONE, OPT_NONE);
		return 0;
	case CBPF_AD_RANDOM:
		*value = opt_call(o, HELPER_GET_PRANDOM_U32, OPT_NONE, OPT_NONE);
		return 0;
	case CBPF_AD_VLAN_TAG:
		*value = field(o, SKB_VLAN_TCI);
		/* libpcap has the identifier alone */
		if (o->l->dialect == CBPF_DIALECT_PCAP)
			*value = opt_alu(o, OPT_AND, *value, opt_const(o, 0xfff));
		return 0;
	case CBPF_AD_VLAN_TAG_PRESENT:
		*value = field(o, SKB_VLAN_PRESENT);
		return 0;
	case CBPF_AD_VLAN_TPID:
		*value = opt_swap16(o, field(o, SKB_VLAN_PROTO));
		return 0;
	default:
		return o->l->target->ancillary(o->l, ad);       /* refuses it */
	}
}

const struct opt_target opt_socket = {
	.fetches = true,
	.begin = begin_socket,
	.ancillary = ancillary,
};

const struct opt_target opt_tc = {
	.begin = begin_tc,
	.ancillary = ancillary,
};
