/* SPDX-License-Identifier: BSD-2-Clause */
/* What is timed: one row an engine. */
#ifndef BENCH_ENGINE_H
#define BENCH_ENGINE_H

#include <bpfsift/filter.h>

struct engine {
	const char *name;
	/* Make the filter ready; NULL where the engine cannot take it. */
	void *(*prepare)(const struct cbpf_insn *insns, size_t n_insns);
	/* Judge n packets: how many are kept. */
	size_t (*run)(void *state, const struct sift_view *views, size_t n);
	void (*release)(void *state);
	/* NULL, or nanoseconds a packet, where the engine itself knows them best. */
	double (*measure)(void *state, const struct sift_view *views, size_t n);
};

/* Which of the processes that measure this is, from 0: compiled code comes to lie by it. */
extern unsigned bench_process;

extern const struct engine engine_libpcap, engine_native, engine_native_loop;
extern const struct engine engine_interp_plain, engine_interp, engine_interp_batch;
extern const struct engine engine_jit, engine_jit_batch;
#ifdef __linux__
extern const struct engine engine_kernel;
#endif
#ifdef HAVE_DPDK
extern const struct engine engine_dpdk, engine_dpdk_jit;
#endif

#endif
