/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Target xdp: R1 = struct xdp_md, whose data begins with the link-layer header.
 * Where the network layer starts is for the link type to say.
 */
#include "cbpf/ancillary.h"
#include "cbpf/kernel.h"
#include "cbpf/lower_helper.h"
#include "cbpf/opt.h"
#include "ebpf/err.h"

#include <errno.h>

static void
len(struct lowering *l, uint8_t dst)
{
	if (dst != REG_A)
		emit(&l->e, insn_alu64_x(EBPF_MOV, REG_SAVED, REG_A));
	emit(&l->e, insn_alu64_x(EBPF_MOV, EBPF_R1, REG_CTX));
	lower_call(l, HELPER_XDP_GET_BUFF_LEN);
	if (dst == REG_A)
		return;
	emit(&l->e, insn_alu32_x(EBPF_MOV, dst, REG_A));
	emit(&l->e, insn_alu64_x(EBPF_MOV, REG_A, REG_SAVED));
}

static bool
has_net(const struct lowering *l)
{
	return l->opts->net_base != NULL && l->opts->net_base->off <= INT32_MAX;
}

/* SUM += 4 where a tag stands in the frame; one too short to tell has nothing to load. */
static void
skip_tag(struct lowering *l)
{
	emit(&l->e, insn_alu32_k(EBPF_MOV, REG_TMP, l->opts->net_base->vlan_at));
	lower_helper_load(l, EBPF_H);
	emit(&l->e, insn_jmp_k(EBPF_JEQ, EBPF_R0, 0, 2));
	lower_ret_k(l, 0);
	lower_helper_take(l, EBPF_H, REG_TMP);
	emit(&l->e, insn_jmp_k(EBPF_JEQ, REG_TMP, ETHERTYPE_VLAN, 1));
	emit(&l->e, insn_jmp_k(EBPF_JNE, REG_TMP, ETHERTYPE_QINQ, 1));
	emit(&l->e, insn_alu64_k(EBPF_ADD, REG_SUM, 4));
}

static void
load_net(struct lowering *l, uint8_t size)
{
	const struct cbpf_net_base *base = l->opts->net_base;

	if (base->vlan_at != 0)
		skip_tag(l);
	emit(&l->e, insn_alu64_x(EBPF_MOV, REG_TMP, REG_SUM));
	emit(&l->e, insn_alu64_k(EBPF_ADD, REG_TMP, (int32_t)base->off));
	lower_helper_load(l, size);
}

static int
refuse(struct lowering *l, uint32_t ad, const char *who)
{
	return ebpf_err_set(l->err, -EINVAL,
			    "insn %zu: ancillary load '%s': struct xdp_md has no field for it, %s",
			    l->pc, cbpf_ancillaries[ad / 4].listing, who);
}

static int
ancillary(struct lowering *l, uint32_t ad)
{
	switch (ad) {
	case CBPF_AD_IFINDEX:
		emit(&l->e, insn_ldx(EBPF_W, REG_A, REG_CTX, XDP_INGRESS_IFINDEX));
		return 0;
	case CBPF_AD_QUEUE:
		emit(&l->e, insn_ldx(EBPF_W, REG_A, REG_CTX, XDP_RX_QUEUE_INDEX));
		return 0;
	case CBPF_AD_CPU:
		return lower_call(l, HELPER_GET_SMP_PROCESSOR_ID);
	case CBPF_AD_RANDOM:
		return lower_call(l, HELPER_GET_PRANDOM_U32);
	case CBPF_AD_HATYPE:
	case CBPF_AD_NLATTR:
	case CBPF_AD_NLATTR_NEST:
	case CBPF_AD_PAY_OFFSET:
		return refuse(l, ad, "target packet has");
	default:
		return refuse(l, ad, "targets packet, socket and tc have");
	}
}

static const struct lower_helpers helpers = {
	.load = HELPER_XDP_LOAD_BYTES,
	.load_net = load_net,
	.load_ll = lower_helper_load,
	.has_net = has_net,
};

const struct lower_target lower_xdp = {
	.name = "xdp",
	.acts = true,
	.actions = { .match = XDP_ACTION_PASS, .miss = XDP_ACTION_DROP },
	.helpers = &helpers,
	.prologue = lower_helper_prologue,
	.len = len,
	.abs = lower_helper_abs,
	.ind = lower_helper_ind,
	.ancillary = ancillary,
	.opt = &opt_xdp,
};
