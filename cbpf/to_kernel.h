/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs of dialect pcap for the kernel. */
#ifndef BPFSIFT_CBPF_TO_KERNEL_H
#define BPFSIFT_CBPF_TO_KERNEL_H

#include <bpfsift/cbpf.h>

/*
 * Of a program of dialect pcap make one that gives the same verdicts by dialect kernel.
 *
 * insns     valid in dialect pcap.
 * out       receives an array to be freed with free(), *n_out of it.
 *
 * Returns 0; -EINVAL: it jumps backward, asks for what the kernel knows of a packet, or
 * leaves no scratch slot where one is needed, err set; -ENOMEM.
 */
int cbpf_to_kernel(const struct cbpf_insn *insns, size_t n_insns, struct cbpf_insn **out,
		   size_t *n_out, struct ebpf_err *err);

#endif
