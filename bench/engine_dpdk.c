/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DPDK's rte_bpf_exec(), and its JIT.  Its programs have one argument: ours for target
 * buffer, which wants an address and a length, finds the length before the
 * packet's bytes.
 */
#include "config.h"

#include "bench/engine.h"

#include "bench/dpdk.h"
#include "bench/packets.h"

#include <stdlib.h>
#include <string.h>

static void *
load(const struct cbpf_lowered *lowered)
{
	static const struct ebpf_insn prologue[] = {
		{ .code = EBPF_LDX | EBPF_MEM | EBPF_DW, .dst_reg = EBPF_R2, .src_reg = EBPF_R1 },
		{ .code = EBPF_ALU64 | EBPF_ADD, .dst_reg = EBPF_R1, .imm = PACKETS_LEN_SIZE },
	};
	enum { N = sizeof(prologue) / sizeof(prologue[0]) };
	struct ebpf_insn *insns = calloc(N + lowered->n_insns, sizeof(*insns));
	void *bpf;

	if (insns == NULL)
		return NULL;
	memcpy(insns, prologue, sizeof(prologue));
	memcpy(insns + N, lowered->insns, lowered->n_insns * sizeof(*insns));
	bpf = dpdk_load(insns, (uint32_t)(N + lowered->n_insns),
			PACKETS_LEN_SIZE + PACKETS_MAX_LEN);
	free(insns);
	return bpf;
}

static void *
prepare(const struct cbpf_insn *insns, size_t n_insns)
{
	struct cbpf_lower_opts opts = { .size = sizeof(opts) };
	struct cbpf_lowered lowered;
	struct cbpf_prog *prog;
	void *bpf = NULL;

	if (cbpf_check(insns, n_insns, CBPF_DIALECT_PCAP, &prog, NULL) < 0)
		return NULL;
	if (cbpf_lower(prog, CBPF_TARGET_BUFFER, &opts, &lowered, NULL) == 0) {
		bpf = load(&lowered);
		cbpf_lowered_free(&lowered);
	}
	cbpf_prog_free(prog);
	return bpf;
}

static size_t
run(void *state, const struct sift_view *views, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		kept += (uint32_t)dpdk_exec(state, (void *)(uintptr_t)(views[i].data -
								       PACKETS_LEN_SIZE)) != 0;
	return kept;
}

static size_t
run_jit(void *state, const struct sift_view *views, size_t n)
{
	uint64_t (*jit)(void *mem) = dpdk_jit(state);
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		kept += (uint32_t)jit((void *)(uintptr_t)(views[i].data - PACKETS_LEN_SIZE)) != 0;
	return kept;
}

const struct engine engine_dpdk = { "rte_bpf", prepare, run, dpdk_free, NULL };
const struct engine engine_dpdk_jit = { "rte_bpf jit", prepare, run_jit, dpdk_free, NULL };
