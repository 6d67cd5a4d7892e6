/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench [PACKETS]: nanoseconds a packet, engines side by side.
 *
 * Three data sets: 64 packets that stay in the first-level cache, 4,096 that stay
 * in the second, and PACKETS (1,000,000) that stay in none, on large pages where the
 * system gives them, since it is filters that are measured.  Where code and data come
 * to lie moves cheap filters, so PROCESSES processes measure, one after the other; in
 * each, the filter in C lies elsewhere in a line of 64 bytes, and engines take turns,
 * ROUNDS times.  A figure is the median of all rounds, a ratio is that of two medians
 * of one set.  Before anything is timed, all engines must keep the same number of
 * packets.  The kernel's row is of its own clock, for 64 of the packets, see
 * engine_kernel.c.
 *
 * What making the machine code takes comes first, see compile.c.
 */
#include "config.h"

#include "bench/compile.h"
#include "bench/engine.h"
#include "bench/figures.h"
#include "bench/filters.h"
#include "bench/packets.h"

#include <math.h>
#include <pcap/dlt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PROCESSES = 3, ROUNDS = 3, SAMPLES = PROCESSES * ROUNDS, SNAPLEN = 262144 };

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

unsigned bench_process;

static double
time_engine(const struct engine *engine, void *state, const struct packets *p, size_t runs)
{
	volatile size_t sink = 0;
	/* the thread's own: others may want the processor too */
	double start = now_ns(CLOCK_THREAD_CPUTIME_ID);

	if (engine->measure != NULL)
		return engine->measure(state, p->views, p->n);
	for (size_t i = 0; i < runs; i++)
		sink += engine->run(state, p->views, p->n);
	return (now_ns(CLOCK_THREAD_CPUTIME_ID) - start) / (double)(p->n * runs);
}

/* Of one filter, what one process has measured. */
struct measured {
	size_t n_kept;
	bool is_taken[N_ENGINES];
	double ns[ROUNDS][N_ENGINES];
};

static bool
counts_agree(void *const states[N_ENGINES], const struct packets *p, const char *expr,
	     struct measured *m)
{
	m->n_kept = engines[0]->run(states[0], p->views, p->n);
	for (size_t e = 1; e < N_ENGINES; e++) {
		size_t n_kept;

		if (states[e] == NULL ||
		    (n_kept = engines[e]->run(states[e], p->views, p->n)) == m->n_kept)
			continue;
		fprintf(stderr, "bench: %s keeps %zu packets, %s keeps %zu: %s\n",
			engines[0]->name, m->n_kept, engines[e]->name, n_kept, expr);
		return false;
	}
	return true;
}

static bool
measure_filter(size_t i, const struct packets *p, size_t runs, struct measured *m)
{
	char buf[4096];
	const char *expr = filter_expression(i, buf, sizeof(buf));
	void *states[N_ENGINES] = { NULL };
	struct cbpf_insn *insns;
	struct ebpf_err err;
	size_t n_insns;
	bool ok;

	if (sift_expr_compile(expr, DLT_EN10MB, SNAPLEN, SIFT_NETMASK_UNKNOWN, 0, &insns, &n_insns,
			      &err) < 0) {
		fprintf(stderr, "bench: %s\n", err.text);
		return false;
	}
	for (size_t e = 0; e < N_ENGINES; e++) {
		states[e] = engines[e]->prepare(insns, n_insns);
		m->is_taken[e] = states[e] != NULL;
	}
	ok = counts_agree(states, p, expr, m);
	for (size_t round = 0; round < ROUNDS && ok; round++) {
		for (size_t e = 0; e < N_ENGINES; e++) {
			if (states[e] != NULL)
				m->ns[round][e] = time_engine(engines[e], states[e], p, runs);
		}
	}
	for (size_t e = 0; e < N_ENGINES; e++) {
		if (states[e] != NULL)
			engines[e]->release(states[e]);
	}
	free(insns);
	return ok;
}

/* In a process of its own: all filters, what was measured to a pipe. */
static bool
measure_set(size_t n, size_t runs, int out)
{
	struct packets p;
	bool ok = packets_make(&p, n, 1) == 0;

	if (!ok)
		fprintf(stderr, "bench: out of memory\n");
	for (size_t i = 0; i < N_FILTERS && ok; i++) {
		struct measured m = { 0 };

		ok = measure_filter(i, &p, runs, &m) && write(out, &m, sizeof(m)) == sizeof(m);
	}
	return ok;
}

static bool
read_all(int in, void *to, size_t n)
{
	ssize_t got;

	for (size_t done = 0; done < n; done += (size_t)got) {
		if ((got = read(in, (char *)to + done, n - done)) <= 0)
			return false;
	}
	return true;
}

static bool
run_process(size_t n, size_t runs, struct measured measured[N_FILTERS])
{
	int ends[2], status;
	bool ok = true;
	pid_t child;

	if (pipe(ends) < 0 || (child = fork()) < 0) {
		perror("bench");
		return false;
	}
	if (child == 0) {
		close(ends[0]);
		_exit(measure_set(n, runs, ends[1]) ? EXIT_SUCCESS : EXIT_FAILURE);
	}
	close(ends[1]);
	for (size_t i = 0; i < N_FILTERS && ok; i++)
		ok = read_all(ends[0], &measured[i], sizeof(measured[i]));
	close(ends[0]);
	return waitpid(child, &status, 0) == child && status == 0 && ok;
}

/* Of a filter and an engine, over all processes. */
static double
median(struct measured measured[PROCESSES][N_FILTERS], size_t filter, size_t e)
{
	double samples[SAMPLES];

	for (size_t i = 0; i < SAMPLES; i++)
		samples[i] = measured[i / ROUNDS][filter].ns[i % ROUNDS][e];
	return median_of(samples, SAMPLES);
}

/* The comparisons that matter, over the filters that both take. */
static const struct {
	const struct engine *engine, *peer;
} pairs[] = {
	{ &engine_interp_plain, &engine_libpcap },
	{ &engine_interp, &engine_libpcap },
	{ &engine_interp_batch, &engine_libpcap },
	{ &engine_jit, &engine_native },
	{ &engine_jit_batch, &engine_native },
	{ &engine_jit_batch, &engine_native_loop },
#ifdef HAVE_DPDK
	{ &engine_interp, &engine_dpdk },
	{ &engine_jit, &engine_dpdk_jit },
#endif
};

static size_t
index_of(const struct engine *engine)
{
	size_t e = 0;

	while (engines[e] != engine)
		e++;
	return e;
}

static void
print_pair(const struct engine *engine, const struct engine *peer,
	   struct measured measured[PROCESSES][N_FILTERS])
{
	size_t e = index_of(engine), p = index_of(peer), n = 0, worst = 0;
	double log_sum = 0, least = INFINITY;
	char buf[4096];

	for (size_t i = 0; i < N_FILTERS; i++) {
		const struct measured *m = &measured[0][i];
		double ratio;

		if (!m->is_taken[e] || !m->is_taken[p])
			continue;
		ratio = median(measured, i, p) / median(measured, i, e);
		log_sum += log(ratio);
		n++;
		if (ratio < least) {
			least = ratio;
			worst = i;
		}
	}
	if (n == 0)
		return;
	printf("%-13s as fast as %-13s %6.2f times over %2zu filters, least %5.2f: %.36s\n",
	       engine->name, peer->name, exp(log_sum / (double)n), n, least,
	       filter_expression(worst, buf, sizeof(buf)));
}

/*
 * Fifty hosts less what `ip` costs, which reads the same lines of views and packets: what is
 * left where those are there.
 */
static void
print_search(struct measured measured[PROCESSES][N_FILTERS])
{
	static const struct engine *const compared[] = { &engine_native, &engine_native_loop,
							 &engine_jit, &engine_jit_batch };

	printf("fifty hosts less ip, ns ");
	for (size_t i = 0; i < sizeof(compared) / sizeof(compared[0]); i++) {
		size_t e = index_of(compared[i]);

		if (measured[0][FILTER_HOSTS].is_taken[e] && measured[0][FILTER_IP].is_taken[e])
			printf("  %s %.1f", compared[i]->name,
			       median(measured, FILTER_HOSTS, e) - median(measured, FILTER_IP, e));
	}
	printf("\n");
}

/* Over the filters that an engine takes. */
struct mean {
	double log_sum[N_ENGINES];
	unsigned n[N_ENGINES];
};

static void
print_filter(size_t i, size_t n_packets, struct measured measured[PROCESSES][N_FILTERS],
	     struct mean *mean)
{
	const struct measured *m = &measured[0][i];
	double first = median(measured, i, 0);
	char buf[4096];

	printf("%-36.36s %5.1f%%", filter_expression(i, buf, sizeof(buf)),
	       100.0 * (double)m->n_kept / (double)n_packets);
	for (size_t e = 0; e < N_ENGINES; e++) {
		double ns;

		if (!m->is_taken[e]) {
			printf(" %13s", "refused");
			continue;
		}
		ns = median(measured, i, e);
		printf(" %7.1f %5.2f", ns, first / ns);
		mean->log_sum[e] += log(first / ns);
		mean->n[e]++;
	}
	printf("\n");
}

static bool
bench_set(const char *title, size_t n, size_t runs)
{
	static struct measured all[PROCESSES][N_FILTERS];
	struct mean mean = { { 0 }, { 0 } };

	for (size_t process = 0; process < PROCESSES; process++) {
		bench_process = (unsigned)process;
		if (!run_process(n, runs, all[process]))
			return false;
	}
	printf("%s: %zu packets; ns a packet, times as fast as %s\n%-36s  kept", title, n,
	       engines[0]->name, "");
	for (size_t e = 0; e < N_ENGINES; e++)
		printf(" %13s", engines[e]->name);
	printf("\n");
	for (size_t i = 0; i < N_FILTERS; i++)
		print_filter(i, n, all, &mean);
	printf("%-43s", "geometric mean");
	for (size_t e = 0; e < N_ENGINES; e++)
		printf(" %7s %5.2f", "", exp(mean.log_sum[e] / mean.n[e]));
	printf("\n");
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		print_pair(pairs[i].engine, pairs[i].peer, all);
	print_search(all);
	printf("\n");
	fflush(stdout);
	return true;
}

int
main(int argc, char **argv)
{
	size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;

	if (n == 0) {
		fprintf(stderr, "usage: bench [PACKETS]\n");
		return 2;
	}
	return bench_compile() && bench_set("in the first-level cache", 64, 2560) &&
			       bench_set("in the second-level cache", 4096, 40) &&
			       bench_set("out of cache", n, 1)
		       ? EXIT_SUCCESS
		       : EXIT_FAILURE;
}
