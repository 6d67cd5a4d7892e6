/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs for frames whose outermost VLAN tag the kernel has taken off. */
#ifndef BPFSIFT_CBPF_RETAG_H
#define BPFSIFT_CBPF_RETAG_H

#include <bpfsift/cbpf.h>

/*
 * Of a program for Ethernet frames as they were on the wire, make one of dialect
 * kernel that judges a frame whose tag is metadata as if the tag were back in its
 * place, and any other frame as the program does.
 *
 * insns     valid, forward jumps only, without loads relative to headers.
 * out       receives an array to be freed with free(), *n_out of it.
 *
 * Returns 0; -EINVAL: there are not three scratch slots to spare, err set; -ENOMEM.
 */
int cbpf_retag(const struct cbpf_insn *insns, size_t n_insns, struct cbpf_insn **out,
	       size_t *n_out, struct ebpf_err *err);

#endif
