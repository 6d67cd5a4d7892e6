/* SPDX-License-Identifier: BSD-2-Clause */
/* The type of the map that a program counts in, as loaders want to be told of it. */
#ifndef TOOLS_CBPF2EBPF_BTF_H
#define TOOLS_CBPF2EBPF_BTF_H

#include <stddef.h>

/* Bytes of the struct that stands for a map in an object file. */
enum { BTF_MAP_SIZE = 32 };

/* A section .BTF, *n bytes of it, in the host's order; static. */
const void *btf_of_counter(size_t *n);

#endif
