/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "bench/dpdk.h"

#include <sys/types.h>

#include <rte_bpf.h>
#include <rte_log.h>

void *
dpdk_load(const void *insns, uint32_t n, size_t size)
{
	struct rte_bpf_prm prm = {
		.ins = insns,
		.nb_ins = n,
		.prog_arg = { .type = RTE_BPF_ARG_PTR, .size = size },
	};

	/* What is refused is a row of the table, not a message. */
	rte_log_set_global_level(RTE_LOG_EMERG);
	return rte_bpf_load(&prm);
}

uint64_t
dpdk_exec(const void *bpf, void *mem)
{
	return rte_bpf_exec(bpf, mem);
}

uint64_t (*dpdk_jit(const void *bpf))(void *mem)
{
	struct rte_bpf_jit jit = { NULL, 0 };

	return rte_bpf_get_jit(bpf, &jit) == 0 ? jit.func : NULL;
}

void
dpdk_free(void *bpf)
{
	rte_bpf_destroy(bpf);
}
