/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DPDK's BPF library, whose headers define struct ebpf_insn and its constants
 * as ours do: only bench/dpdk.c includes them.
 */
#ifndef BENCH_DPDK_H
#define BENCH_DPDK_H

#include <stddef.h>
#include <stdint.h>

/*
 * Load n slots of a program whose R1 points to size bytes.  NULL: DPDK's
 * verifier, or its loader, does not take it.
 */
void *dpdk_load(const void *insns, uint32_t n, size_t size);

/* One run, in the interpreter. */
uint64_t dpdk_exec(const void *bpf, void *mem);

/* The same as machine code; NULL: there is none. */
uint64_t (*dpdk_jit(const void *bpf))(void *mem);

void dpdk_free(void *bpf);

#endif
