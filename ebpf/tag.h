/* SPDX-License-Identifier: BSD-2-Clause */
/* Digests of instructions, as bpftool shows them. */
#ifndef BPFSIFT_EBPF_TAG_H
#define BPFSIFT_EBPF_TAG_H

#include <bpfsift/ebpf.h>

/*
 * The first EBPF_TAG_SIZE bytes of the digest over n instructions, with what
 * differs from load to load, the descriptors of maps, taken as 0.
 *
 * Returns 0; -ENOTSUP: built without libmd.
 */
int ebpf_tag(const struct ebpf_insn *insns, size_t n, uint8_t tag[EBPF_TAG_SIZE],
	     struct ebpf_err *err);
int ebpf_tag_sha1(const struct ebpf_insn *insns, size_t n, uint8_t tag[EBPF_TAG_SIZE],
		  struct ebpf_err *err);

#endif
