/* SPDX-License-Identifier: BSD-2-Clause */
/* What targets share whose CTX is struct __sk_buff. */
#ifndef BPFSIFT_CBPF_LOWER_SKB_H
#define BPFSIFT_CBPF_LOWER_SKB_H

#include "cbpf/lower.h"

/* For struct lower_target. */
void lower_skb_len(struct lowering *l, uint8_t dst);
int lower_skb_ancillary(struct lowering *l, uint32_t ad);

#endif
