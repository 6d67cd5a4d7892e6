/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Target tc: a classifier of the kernel, whose R1 is struct __sk_buff and whose
 * data begins with the link-layer header.
 *
 * The kernel's helper for loads relative to a header sees no further than the
 * packet's first piece.  What lies behind is asked for by its offset in the
 * data, if the link type tells where the network layer starts: a tag that the
 * kernel knows of is not in the data, so that is after the first header.
 */
#include "cbpf/kernel.h"
#include "cbpf/lower_helper.h"
#include "cbpf/lower_skb.h"
#include "cbpf/opt.h"

static void
load_relative(struct lowering *l, uint8_t size, uint32_t header)
{
	lower_helper_args(l, size);
	emit(&l->e, insn_alu32_k(EBPF_MOV, EBPF_R5, header));
	emit(&l->e, insn_call(HELPER_SKB_LOAD_BYTES_RELATIVE));
}

/* Or else at an offset in the data: SUM bytes from where the header is. */
static void
load_header(struct lowering *l, uint8_t size, uint32_t header, uint32_t at)
{
	size_t loaded;

	load_relative(l, size, header);
	loaded = l->e.n;
	emit(&l->e, insn_jmp_k(EBPF_JEQ, EBPF_R0, 0, 0));
	emit(&l->e, insn_alu64_x(EBPF_MOV, REG_TMP, REG_SUM));
	if (at != 0)
		emit(&l->e, insn_alu32_k(EBPF_ADD, REG_TMP, at));
	lower_helper_load(l, size);
	emit_land(&l->e, loaded);
}

static void
load_net(struct lowering *l, uint8_t size)
{
	const struct cbpf_net_base *base = l->opts->net_base;

	if (base != NULL && base->off <= INT32_MAX)
		load_header(l, size, HEADER_NET, base->off);
	else
		load_relative(l, size, HEADER_NET);
}

static void
load_ll(struct lowering *l, uint8_t size)
{
	load_header(l, size, HEADER_MAC, 0);
}

static bool
has_net(const struct lowering *l)
{
	(void)l;
	return true;
}

static const struct lower_helpers helpers = {
	.load = HELPER_SKB_LOAD_BYTES,
	.load_net = load_net,
	.load_ll = load_ll,
	.has_net = has_net,
};

const struct lower_target lower_tc = {
	.name = "tc",
	.has_vlan_tag = true,
	.acts = true,
	.actions = { .match = TC_OK, .miss = TC_SHOT },
	.helpers = &helpers,
	.prologue = lower_helper_prologue,
	.len = lower_skb_len,
	.abs = lower_helper_abs,
	.ind = lower_helper_ind,
	.ancillary = lower_skb_ancillary,
	.opt = &opt_tc,
};
