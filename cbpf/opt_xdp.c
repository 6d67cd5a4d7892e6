/* SPDX-License-Identifier: BSD-2-Clause */
/* Target xdp for the optimiser: R1 is struct xdp_md. */
#include "cbpf/ancillary.h"
#include "cbpf/insn.h"
#include "cbpf/kernel.h"
#include "cbpf/opt.h"

static bool
asks_for_len(const struct lowering *l)
{
	for (size_t pc = 0; pc < l->n_insns; pc++) {
		int op = cbpf_op_of(l->insns[pc].code);

		if (op == CBPF_OP_LD_LEN || op == CBPF_OP_LDX_LEN)
			return true;
	}
	return false;
}

static void
begin(struct opt *o)
{
	o->ctx = opt_entry(o, EBPF_R1);
	o->data = opt_field(o, o->ctx, XDP_DATA, 4, UINT32_MAX);
	o->end = opt_field(o, o->ctx, XDP_DATA_END, 4, UINT32_MAX);
	if (asks_for_len(o->l))
		o->len = opt_call(o, HELPER_XDP_GET_BUFF_LEN, OPT_NONE, OPT_NONE);
	opt_frame_headers(o);
}

static int
ancillary(struct opt *o, uint32_t ad, uint32_t a, uint32_t x, uint32_t *value,
	  struct opt_missing *missing)
{
	(void)a, (void)x, (void)missing;
	switch (ad) {
	case CBPF_AD_IFINDEX:
		*value = opt_field(o, o->ctx, XDP_INGRESS_IFINDEX, 4, UINT32_MAX);
		return 0;
	case CBPF_AD_QUEUE:
		*value = opt_field(o, o->ctx, XDP_RX_QUEUE_INDEX, 4, UINT32_MAX);
		return 0;
	case CBPF_AD_CPU:
		*value = opt_call(o, HELPER_GET_SMP_PROCESSOR_ID, OPT_NONE, OPT_NONE);
		return 0;
	case CBPF_AD_RANDOM:
		*value = opt_call(o, HELPER_GET_PRANDOM_U32, OPT_NONE, OPT_NONE);
		return 0;
	default:
		return o->l->target->ancillary(o->l, ad);       /* refuses it */
	}
}

const struct opt_target opt_xdp = {
	.begin = begin,
	.ancillary = ancillary,
};
