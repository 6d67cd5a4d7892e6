/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Target packet: R1 is a packet view, whose layout comes with the options.
 *
 * A header that a packet has not is at offset UINT32_MAX, beyond any packet:
 * loads from it fail by the same guard as those past the end.
 */
#include "cbpf/opt.h"

static void
load_field(struct lowering *l, enum cbpf_field field, uint8_t dst)
{
	uint8_t width = l->opts->layout->fields[field].width;
	uint8_t size = width == 8 ? EBPF_DW : width == 4 ? EBPF_W : width == 2 ? EBPF_H : EBPF_B;

	emit(&l->e, insn_ldx(size, dst, REG_CTX, (int16_t)l->opts->layout->fields[field].off));
}

/* A jump, for emit_land(), that is taken if the packet has a value for the field. */
static size_t
skip_if_known(struct lowering *l, enum cbpf_field field)
{
	size_t jump;

	emit(&l->e, insn_ldx(EBPF_W, REG_TMP, REG_CTX, (int16_t)l->opts->layout->known_off));
	jump = l->e.n;
	emit(&l->e, insn_jmp_k(EBPF_JSET, REG_TMP, (int32_t)l->opts->layout->fields[field].known,
			       0));
	return jump;
}

static void
prologue(struct lowering *l, bool loads, bool needs_len)
{
	(void)needs_len;
	emit(&l->e, insn_alu64_x(EBPF_MOV, REG_CTX, EBPF_R1));
	if (!loads)
		return;
	load_field(l, CBPF_FIELD_DATA, REG_DATA);
	load_field(l, CBPF_FIELD_CAPLEN, REG_HLEN);
}

static void
len(struct lowering *l, uint8_t dst)
{
	load_field(l, CBPF_FIELD_WIRELEN, dst);
}

static void
header_offset(struct lowering *l, enum lower_window window, uint8_t dst)
{
	load_field(l, window == WINDOW_LL ? CBPF_FIELD_MAC_OFF : CBPF_FIELD_NET_OFF, dst);
}

static int
load_abs(struct lowering *l, uint32_t k, uint8_t size, uint8_t dst)
{
	return lower_linear_abs(l, k, size, dst, header_offset);
}

static void
load_ind(struct lowering *l, uint32_t k, uint8_t size)
{
	lower_linear_ind(l, k, size, header_offset);
}

static int
call(struct lowering *l, int32_t helper)
{
	if (helper == 0)
		return lower_refuse(l, "the packet context has no helper for this ancillary load");
	emit(&l->e, insn_alu64_x(EBPF_MOV, EBPF_R1, REG_CTX));
	emit(&l->e, insn_alu64_x(EBPF_MOV, EBPF_R2, REG_A));
	emit(&l->e, insn_alu64_x(EBPF_MOV, EBPF_R3, REG_X));
	emit(&l->e, insn_call(helper));
	emit(&l->e, insn_alu32_x(EBPF_MOV, REG_A, REG_A));
	return 0;
}

/* Without an interface these two end the program with A as it is. */
static int
of_interface(struct lowering *l, enum cbpf_field field)
{
	size_t known = skip_if_known(l, field);

	lower_ret_a(l);
	emit_land(&l->e, known);
	load_field(l, field, REG_A);
	return 0;
}

static int
plain(struct lowering *l, enum cbpf_field field)
{
	load_field(l, field, REG_A);
	return 0;
}

/* libpcap knows the VLAN tag alone, its 12 bits of identifier. */
static int
ancillary_pcap(struct lowering *l, uint32_t ad)
{
	enum cbpf_field field =
		ad == CBPF_AD_VLAN_TAG ? CBPF_FIELD_VLAN_TCI : CBPF_FIELD_VLAN_PRESENT;

	size_t known = skip_if_known(l, field);

	lower_ret_k(l, 0);
	emit_land(&l->e, known);
	load_field(l, field, REG_A);
	if (ad == CBPF_AD_VLAN_TAG)
		emit(&l->e, insn_alu32_k(EBPF_AND, REG_A, 0xfff));
	return 0;
}

static int
ancillary(struct lowering *l, uint32_t ad)
{
	const struct cbpf_packet_layout *layout = l->opts->layout;

	if (l->dialect == CBPF_DIALECT_PCAP)
		return ancillary_pcap(l, ad);
	switch (ad) {
	case CBPF_AD_PROTOCOL:
		return plain(l, CBPF_FIELD_PROTOCOL);
	case CBPF_AD_PKTTYPE:
		return plain(l, CBPF_FIELD_PKTTYPE);
	case CBPF_AD_IFINDEX:
		return of_interface(l, CBPF_FIELD_IFINDEX);
	case CBPF_AD_NLATTR:
		return call(l, layout->nlattr);
	case CBPF_AD_NLATTR_NEST:
		return call(l, layout->nlattr_nest);
	case CBPF_AD_MARK:
		return plain(l, CBPF_FIELD_MARK);
	case CBPF_AD_QUEUE:
		return plain(l, CBPF_FIELD_QUEUE);
	case CBPF_AD_HATYPE:
		return of_interface(l, CBPF_FIELD_HATYPE);
	case CBPF_AD_RXHASH:
		return plain(l, CBPF_FIELD_RXHASH);
	case CBPF_AD_CPU:
		return plain(l, CBPF_FIELD_CPU);
	case CBPF_AD_VLAN_TAG:
		return plain(l, CBPF_FIELD_VLAN_TCI);
	case CBPF_AD_VLAN_TAG_PRESENT:
		return plain(l, CBPF_FIELD_VLAN_PRESENT);
	case CBPF_AD_PAY_OFFSET:
		return call(l, layout->pay_offset);
	case CBPF_AD_RANDOM:
		return call(l, layout->random);
	case CBPF_AD_VLAN_TPID:
		return plain(l, CBPF_FIELD_VLAN_PROTO);
	default:
		return lower_refuse(l, "unknown ancillary load");
	}
}

const struct lower_target lower_packet = {
	.name = "packet",
	.has_vlan_tag = true,
	.prologue = prologue,
	.len = len,
	.abs = load_abs,
	.ind = load_ind,
	.ancillary = ancillary,
	.opt = &opt_packet,
};

/* ---- whether a packet was too short ---- */

/* R0 = 1 where the bytes were on the wire, at TMP, a number below 2^33; else 0. */
static void
past_end(struct lowering *l, uint8_t size)
{
	load_field(l, CBPF_FIELD_WIRELEN, REG_A);
	emit(&l->e, insn_alu64_x(EBPF_SUB, REG_A, REG_TMP));
	emit(&l->e, insn_jmp_k(EBPF_JSGE, REG_A, (int32_t)lower_size_bytes(size), 2));
	lower_ret_k(l, 0);
	emit(&l->e, insn_alu32_k(EBPF_MOV, REG_A, 1));
	emit(&l->e, insn_exit());
}

/*
 * The same program with another result: 1 where it ends by a load that goes past what was
 * captured of the packet, but not past what was on the wire; 0 where it ends otherwise.
 * Of level 0, since guards that are merged fail before the load that they are for.
 */
const struct lower_target lower_too_short = {
	.name = "packet",
	.has_vlan_tag = true,
	.acts = true,
	.actions = { .match = 0, .miss = 0 },
	.prologue = prologue,
	.len = len,
	.abs = load_abs,
	.ind = load_ind,
	.past_end = past_end,
	.ancillary = ancillary,
};
