/* SPDX-License-Identifier: BSD-2-Clause */
/* Metadata in struct __sk_buff, for socket filters and tc. */
#include "cbpf/lower_skb.h"

#include "cbpf/ancillary.h"
#include "cbpf/kernel.h"

static void
field(struct lowering *l, uint8_t dst, int16_t off)
{
	emit(&l->e, insn_ldx(EBPF_W, dst, REG_CTX, off));
}

void
lower_skb_len(struct lowering *l, uint8_t dst)
{
	field(l, dst, SKB_LEN);
}

static int
plain(struct lowering *l, int16_t off)
{
	field(l, REG_A, off);
	return 0;
}

static int
in_network_order(struct lowering *l, int16_t off)
{
	field(l, REG_A, off);
	emit(&l->e, insn_be(REG_A, 16));
	return 0;
}

/* Without an interface the program ends with A as it is. */
static int
interface(struct lowering *l)
{
	size_t there;

	field(l, REG_TMP, SKB_IFINDEX);
	there = l->e.n;
	emit(&l->e, insn_jmp_k(EBPF_JNE, REG_TMP, 0, 0));
	lower_ret_a(l);
	emit_land(&l->e, there);
	emit(&l->e, insn_alu32_x(EBPF_MOV, REG_A, REG_TMP));
	return 0;
}

int
lower_skb_ancillary(struct lowering *l, uint32_t ad)
{
	switch (ad) {
	case CBPF_AD_PROTOCOL:
		return in_network_order(l, SKB_PROTOCOL);
	case CBPF_AD_PKTTYPE:
		return plain(l, SKB_PKT_TYPE);
	case CBPF_AD_IFINDEX:
		return interface(l);
	case CBPF_AD_MARK:
		return plain(l, SKB_MARK);
	case CBPF_AD_QUEUE:
		return plain(l, SKB_QUEUE_MAPPING);
	case CBPF_AD_RXHASH:
		return plain(l, SKB_HASH);
	case CBPF_AD_CPU:
		return lower_call(l, HELPER_GET_SMP_PROCESSOR_ID);
	case CBPF_AD_VLAN_TAG:
		field(l, REG_A, SKB_VLAN_TCI);
		/* libpcap has the identifier alone */
		if (l->dialect == CBPF_DIALECT_PCAP)
			emit(&l->e, insn_alu32_k(EBPF_AND, REG_A, 0xfff));
		return 0;
	case CBPF_AD_VLAN_TAG_PRESENT:
		return plain(l, SKB_VLAN_PRESENT);
	case CBPF_AD_RANDOM:
		return lower_call(l, HELPER_GET_PRANDOM_U32);
	case CBPF_AD_VLAN_TPID:
		return in_network_order(l, SKB_VLAN_PROTO);
	case CBPF_AD_HATYPE:
		return lower_refuse(l, "the interface's type: struct __sk_buff has it not, "
				       "target packet has");
	case CBPF_AD_NLATTR:
	case CBPF_AD_NLATTR_NEST:
		return lower_refuse(l, "a netlink attribute: the kernel has no helper for it, "
				       "target packet has");
	case CBPF_AD_PAY_OFFSET:
		return lower_refuse(l, "the payload's offset: the kernel has no helper for it, "
				       "target packet has");
	default:
		return lower_refuse(l, "unknown ancillary load");
	}
}
