/* SPDX-License-Identifier: BSD-2-Clause */
/* Headers that are found by the frame itself, for targets without metadata. */
#include "cbpf/opt.h"

void
opt_frame_headers(struct opt *o)
{
	const struct cbpf_net_base *base = o->l->opts->net_base;

	if (base == NULL)
		return;
	o->ll = opt_const(o, 0);
	o->net = base->vlan_at != 0 && base->off != UINT32_MAX
			 ? opt_tagged(o, base->off, base->vlan_at)
			 : opt_const(o, base->off);
}
