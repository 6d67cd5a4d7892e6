/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Target buffer: R1 = data, R2 = its length, and nothing else is known.
 *
 * With a link type, header offsets are what its frames have; without one, a
 * load that asks for a header is refused where it can be seen in the program,
 * and ends it where the offset is computed.
 */
#include "cbpf/opt.h"

static void
prologue(struct lowering *l, bool loads, bool needs_len)
{
	if (loads)
		emit(&l->e, insn_alu64_x(EBPF_MOV, REG_DATA, EBPF_R1));
	if (loads || needs_len)
		emit(&l->e, insn_alu64_x(EBPF_MOV, REG_HLEN, EBPF_R2));
}

static void
len(struct lowering *l, uint8_t dst)
{
	emit(&l->e, insn_alu32_x(EBPF_MOV, dst, REG_HLEN));
}

/*
 * dst = network-layer offset of a frame that may have a VLAN tag at vlan_at.
 * A frame too short to tell has no network layer to load from either.
 */
static void
net_offset_with_vlan(struct lowering *l, uint8_t dst)
{
	const struct cbpf_net_base *base = l->opts->net_base;

	emit(&l->e, insn_alu32_k(EBPF_MOV, dst, UINT32_MAX));
	emit(&l->e, insn_alu64_k(EBPF_MOV, EBPF_R4, (int32_t)base->vlan_at + 2));
	emit(&l->e, insn_jmp_x(EBPF_JGT, EBPF_R4, REG_HLEN, 6));
	emit(&l->e, insn_ldx(EBPF_H, EBPF_R4, REG_DATA, (int16_t)base->vlan_at));
	emit(&l->e, insn_be(EBPF_R4, 16));
	emit(&l->e, insn_alu32_k(EBPF_MOV, dst, base->off + 4));
	emit(&l->e, insn_jmp_k(EBPF_JEQ, EBPF_R4, ETHERTYPE_VLAN, 2));
	emit(&l->e, insn_jmp_k(EBPF_JEQ, EBPF_R4, ETHERTYPE_QINQ, 1));
	emit(&l->e, insn_alu32_k(EBPF_MOV, dst, base->off));
}

/* The link-layer header is where the data begins. */
static void
header_offset(struct lowering *l, enum lower_window window, uint8_t dst)
{
	const struct cbpf_net_base *base = l->opts->net_base;

	if (window == WINDOW_LL)
		emit(&l->e, insn_alu32_k(EBPF_MOV, dst, 0));
	else if (base->vlan_at != 0 && base->off != UINT32_MAX)
		net_offset_with_vlan(l, dst);
	else
		emit(&l->e, insn_alu32_k(EBPF_MOV, dst, base->off));
}

/* Which headers are known: those of frames whose link type is. */
static lower_base_fn *
headers(const struct lowering *l)
{
	return l->opts->net_base != NULL ? header_offset : NULL;
}

static int
load_abs(struct lowering *l, uint32_t k, uint8_t size, uint8_t dst)
{
	return lower_linear_abs(l, k, size, dst, headers(l));
}

static void
load_ind(struct lowering *l, uint32_t k, uint8_t size)
{
	lower_linear_ind(l, k, size, headers(l));
}

static int
ancillary(struct lowering *l, uint32_t ad)
{
	(void)ad;
	return lower_refuse(l, "an ancillary load: target buffer has no packet metadata, "
			       "target packet has");
}

const struct lower_target lower_buffer = {
	.name = "buffer",
	.prologue = prologue,
	.len = len,
	.abs = load_abs,
	.ind = load_ind,
	.ancillary = ancillary,
	.opt = &opt_buffer,
};
