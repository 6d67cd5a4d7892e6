/* SPDX-License-Identifier: BSD-2-Clause */
/* BPF type information, as far as the sizes of maps are told by it. */
#ifndef BPFSIFT_EBPF_BTF_H
#define BPFSIFT_EBPF_BTF_H

#include <bpfsift/ebpf.h>
#include <stdbool.h>

struct ebpf_btf;

/*
 * Read the section .BTF.  bytes are kept until ebpf_btf_close().
 * 0; -EINVAL: damaged; -ENOMEM.
 */
int ebpf_btf_open(const uint8_t *bytes, size_t len, bool is_big_endian, struct ebpf_btf **out,
		  struct ebpf_err *err);
void ebpf_btf_close(struct ebpf_btf *btf);

/* What the variable of that name, a map's definition, says about the map. */
int ebpf_btf_map(const struct ebpf_btf *btf, const char *name, struct ebpf_map_opts *opts,
		 struct ebpf_err *err);

#endif
