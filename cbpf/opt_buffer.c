/* SPDX-License-Identifier: BSD-2-Clause */
/* Target buffer for the optimiser: R1 = data, R2 = its length. */
#include "cbpf/opt.h"

static void
begin(struct opt *o)
{
	o->data = opt_entry(o, EBPF_R1);
	o->hlen = opt_entry(o, EBPF_R2);
	o->len = o->hlen;
	opt_frame_headers(o);
}

static int
ancillary(struct opt *o, uint32_t ad, uint32_t a, uint32_t x, uint32_t *value,
	  struct opt_missing *missing)
{
	(void)a, (void)x, (void)value, (void)missing;
	return o->l->target->ancillary(o->l, ad);       /* refuses it */
}

const struct opt_target opt_buffer = {
	.begin = begin,
	.ancillary = ancillary,
};
