/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs that say of a packet whether too little of it was captured to judge it. */
#ifndef BPFSIFT_CBPF_TOO_SHORT_H
#define BPFSIFT_CBPF_TOO_SHORT_H

#include <bpfsift/cbpf.h>

/*
 * Lower a program for target packet so that its result is 1 where it ends by a load that goes
 * past the captured bytes, but not past those on the wire, and 0 where it ends otherwise.
 * opts, out and the result are those of cbpf_lower(); level and actions are passed over.
 */
int cbpf_lower_too_short(const struct cbpf_prog *prog, const struct cbpf_lower_opts *opts,
			 struct cbpf_lowered *out, struct ebpf_err *err);

#endif
