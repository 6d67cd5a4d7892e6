/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench [PACKETS]: nanoseconds a packet, engines side by side.
 *
 * Two data sets: 4,096 packets that stay in the cache, and PACKETS (1,000,000)
 * that do not.  Engines take turns, ROUNDS times each; a figure is the median
 * of its rounds, a ratio is that of the medians of one run.  Before anything
 * is timed, all engines must keep the same number of packets.  The kernel's row
 * is of its own clock, for 64 of the packets, see engine_kernel.c.
 */
#include "config.h"

#include "bench/engine.h"
#include "bench/filters.h"
#include "bench/packets.h"

#include <math.h>
#include <pcap/dlt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 9, SNAPLEN = 262144, IN_CACHE = 4096, RUNS_IN_CACHE = 40 };

static const struct engine *const engines[] = {
	&engine_libpcap, &engine_native, &engine_native_loop, &engine_interp_plain, &engine_interp,
	&engine_interp_batch, &engine_jit, &engine_jit_batch,
#ifdef __linux__
	&engine_kernel,
#endif
#ifdef HAVE_DPDK
	&engine_dpdk, &engine_dpdk_jit,
#endif
};
enum { N_ENGINES = sizeof(engines) / sizeof(engines[0]) };

static double
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
time_engine(const struct engine *engine, void *state, const struct packets *p, size_t runs)
{
	volatile size_t sink = 0;
	double start = now_ns();

	if (engine->measure != NULL)
		return engine->measure(state, p->views, p->n);
	for (size_t i = 0; i < runs; i++)
		sink += engine->run(state, p->views, p->n);
	return (now_ns() - start) / (double)(p->n * runs);
}

/* Median nanoseconds a packet for each engine; NaN for those that cannot. */
static void
time_engines(void *const states[N_ENGINES], const struct packets *p, size_t runs,
	     double ns[N_ENGINES])
{
	double samples[N_ENGINES][ROUNDS];

	for (size_t round = 0; round < ROUNDS; round++) {
		for (size_t e = 0; e < N_ENGINES; e++)
			samples[e][round] = states[e] != NULL
						    ? time_engine(engines[e], states[e], p, runs)
						    : 0;
	}
	for (size_t e = 0; e < N_ENGINES; e++) {
		qsort(samples[e], ROUNDS, sizeof(double), by_value);
		ns[e] = states[e] != NULL ? samples[e][ROUNDS / 2] : (double)NAN;
	}
}

static int
counts_agree(void *const states[N_ENGINES], const struct packets *p, const char *expr)
{
	size_t expected = engines[0]->run(states[0], p->views, p->n);

	for (size_t e = 1; e < N_ENGINES; e++) {
		size_t kept = states[e] != NULL ? engines[e]->run(states[e], p->views, p->n)
						: expected;

		if (kept == expected)
			continue;
		fprintf(stderr, "bench: %s keeps %zu packets, %s keeps %zu: %s\n",
			engines[0]->name, expected, engines[e]->name, kept, expr);
		return 0;
	}
	printf("%5.1f%%", 100.0 * (double)expected / (double)p->n);
	return 1;
}

/* Over the filters that an engine takes. */
struct mean {
	double log_sum[N_ENGINES];
	unsigned n[N_ENGINES];
};

static int
bench_filter(size_t i, const struct packets *p, size_t runs, struct mean *mean)
{
	char buf[4096];
	const char *expr = filter_expression(i, buf, sizeof(buf));
	void *states[N_ENGINES] = { NULL };
	double ns[N_ENGINES];
	struct cbpf_insn *insns;
	struct ebpf_err err;
	size_t n_insns;
	int ok;

	if (sift_expr_compile(expr, DLT_EN10MB, SNAPLEN, SIFT_NETMASK_UNKNOWN, 0, &insns, &n_insns,
			      &err) < 0) {
		fprintf(stderr, "bench: %s\n", err.text);
		return 0;
	}
	for (size_t e = 0; e < N_ENGINES; e++)
		states[e] = engines[e]->prepare(insns, n_insns);
	printf("%-36.36s ", expr);
	ok = counts_agree(states, p, expr);
	if (ok) {
		time_engines(states, p, runs, ns);
		for (size_t e = 0; e < N_ENGINES; e++) {
			if (states[e] == NULL) {
				printf(" %13s", "refused");
				continue;
			}
			printf(" %7.1f %5.2f", ns[e], ns[0] / ns[e]);
			mean->log_sum[e] += log(ns[0] / ns[e]);
			mean->n[e]++;
		}
		printf("\n");
	}
	for (size_t e = 0; e < N_ENGINES; e++) {
		if (states[e] != NULL)
			engines[e]->release(states[e]);
	}
	free(insns);
	return ok;
}

static int
bench_set(const char *title, size_t n, size_t runs)
{
	struct mean mean = { { 0 }, { 0 } };
	struct packets p;
	int ok = 1;

	if (packets_make(&p, n, 1) < 0) {
		fprintf(stderr, "bench: out of memory\n");
		return 0;
	}
	printf("%s: %zu packets; ns a packet, times as fast as %s\n%-36s  kept", title, p.n,
	       engines[0]->name, "");
	for (size_t e = 0; e < N_ENGINES; e++)
		printf(" %13s", engines[e]->name);
	printf("\n");
	for (size_t i = 0; i < N_FILTERS && ok; i++)
		ok = bench_filter(i, &p, runs, &mean);
	printf("%-43s", "geometric mean");
	for (size_t e = 0; e < N_ENGINES; e++)
		printf(" %7s %5.2f", "", exp(mean.log_sum[e] / mean.n[e]));
	printf("\n\n");
	packets_free(&p);
	return ok;
}

int
main(int argc, char **argv)
{
	size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;

	if (n == 0) {
		fprintf(stderr, "usage: bench [PACKETS]\n");
		return 2;
	}
	return bench_set("in cache", IN_CACHE, RUNS_IN_CACHE) && bench_set("out of cache", n, 1)
		       ? EXIT_SUCCESS
		       : EXIT_FAILURE;
}
