/* SPDX-License-Identifier: BSD-2-Clause */
/* The names of ancillary data: libpcap's and bpf_asm's differ. */
#ifndef BPFSIFT_CBPF_ANCILLARY_H
#define BPFSIFT_CBPF_ANCILLARY_H

#include <bpfsift/cbpf.h>

enum { CBPF_N_ANCILLARY = CBPF_AD_MAX / 4 };

struct cbpf_ancillary {
	const char *listing;    /* in tcpdump -d, between brackets */
	const char *assembly;   /* in bpf_asm, bare; NULL: it has no name for it */
};

/* By offset from CBPF_AD_OFF, divided by 4. */
extern const struct cbpf_ancillary cbpf_ancillaries[CBPF_N_ANCILLARY];

/* What a load at k names; NULL: not ancillary data. */
const struct cbpf_ancillary *cbpf_ancillary_at(uint32_t k);

#endif
