/* SPDX-License-Identifier: BSD-2-Clause */
#include "cbpf/ancillary.h"

#define AD(name, listing_, assembly_)                                                              \
	[CBPF_AD_##name / 4] = { .listing = listing_, .assembly = assembly_ }

const struct cbpf_ancillary cbpf_ancillaries[CBPF_N_ANCILLARY] = {
	AD(PROTOCOL, "proto", "proto"),
	AD(PKTTYPE, "type", "type"),
	AD(IFINDEX, "ifidx", "ifidx"),
	AD(NLATTR, "nla", "nla"),
	AD(NLATTR_NEST, "nlan", "nlan"),
	AD(MARK, "mark", "mark"),
	AD(QUEUE, "queue", "queue"),
	AD(HATYPE, "hatype", "hatype"),
	AD(RXHASH, "rxhash", "rxhash"),
	AD(CPU, "cpu", "cpu"),
	AD(ALU_XOR_X, "xor_x", NULL),
	AD(VLAN_TAG, "vlan_tci", "vlan_tci"),
	AD(VLAN_TAG_PRESENT, "vlanp", "vlan_avail"),
	AD(PAY_OFFSET, "poff", "poff"),
	AD(RANDOM, "random", "rand"),
	AD(VLAN_TPID, "vlan_tpid", "vlan_tpid"),
};

const struct cbpf_ancillary *
cbpf_ancillary_at(uint32_t k)
{
	uint32_t ad = k - (uint32_t)CBPF_AD_OFF;

	return ad < CBPF_AD_MAX && ad % 4 == 0 ? &cbpf_ancillaries[ad / 4] : NULL;
}
