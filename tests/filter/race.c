/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads that judge batches by one filter, while another one replaces it, frees what it was
 * and reads what the first of them counts; for tests/filter/race.sh to compile with a thread
 * sanitizer: stand-alone, since all code that it watches must be compiled so.
 */
#include <bpfsift/filter.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "filter/filter.h"
#include "filter/tally.h"

enum { N_REPLACED = 60, N_VIEWS = 64, MAX_THREADS = 16, ETHERNET = 1 };

/* One looks at the packet, one at what is known of it besides, one at neither. */
static const struct cbpf_insn byte[] = {
	CBPF_STMT(CBPF_LD | CBPF_B | CBPF_ABS, 3),
	CBPF_STMT(CBPF_RET | CBPF_A, 0),
};
static const struct cbpf_insn protocol[] = {
	CBPF_STMT(CBPF_LD | CBPF_H | CBPF_ABS, (uint32_t)CBPF_AD_OFF + CBPF_AD_PROTOCOL),
	CBPF_STMT(CBPF_RET | CBPF_A, 0),
};
static const struct cbpf_insn constant[] = { CBPF_STMT(CBPF_RET | CBPF_K, 3) };
static const struct {
	const struct cbpf_insn *insns;
	size_t n;
	uint32_t verdict;
} programs[] = { { byte, 2, 1 }, { protocol, 2, 0x0800 }, { constant, 1, 3 } };

struct judging {
	pthread_t id;
	_Atomic uint64_t n_batches;
};

static struct judging threads[MAX_THREADS];
static struct sift_filter *filter;
static struct sift_view views[N_VIEWS];
static struct sift_tally tally; /* written by the first thread */
static atomic_bool is_over;

static void
die(const char *what)
{
	fprintf(stderr, "race: %s\n", what);
	exit(EXIT_FAILURE);
}

static struct sift_filter *
make(unsigned i)
{
	struct ebpf_policy policy = { .size = sizeof(policy),
				      .jit = i % 2 ? EBPF_JIT_OFF : EBPF_JIT_ON };
	const struct sift_filter_opts opts = { .size = sizeof(opts), .policy = &policy,
					       .flags = SIFT_FILTER_TELLS_TOO_SHORT };
	struct sift_filter *made;
	struct cbpf_prog *prog;
	struct ebpf_err err;

	if (cbpf_check(programs[i % 3].insns, programs[i % 3].n, CBPF_DIALECT_KERNEL, &prog,
		       &err) < 0 ||
	    sift_filter_new(prog, &opts, &made, &err) < 0)
		die(err.text);
	cbpf_prog_free(prog);
	return made;
}

static void *
judge(void *arg)
{
	struct judging *judging = arg;
	uint32_t verdicts[N_VIEWS];

	while (!atomic_load(&is_over)) {
		uint32_t alone = sift_filter_match(filter, &views[0]);
		const struct ebpf_prog *prog;

		sift_filter_batch(filter, views, N_VIEWS, verdicts);
		for (size_t i = 0; i < N_VIEWS; i++) {
			if (verdicts[i] != verdicts[0])
				die("a batch was judged by two filters");
		}
		for (size_t i = 0; i < 3; i++) {
			if (alone == programs[i].verdict)
				alone = 0;
		}
		if (alone != 0 || verdicts[0] == 0)
			die("no filter's verdict");
		prog = sift_filter_ebpf(filter);
		sift_judge_is_pure(prog);
		if (sift_judge_too_short(prog, views, verdicts, N_VIEWS) != 0 ||
		    sift_filter_too_short(filter, &views[0]) != 0)
			die("a packet that matches is not too short");
		if (judging == &threads[0]) {
			tally.now.seen += N_VIEWS;
			tally.now.matched += 2 * N_VIEWS;
			sift_tally_publish(&tally);
		}
		atomic_fetch_add(&judging->n_batches, 1);
	}
	return NULL;
}

/* Each thread has begun anew since, twice over: what it judged by before is done with. */
static void
wait_for_all(size_t n_threads)
{
	uint64_t before[MAX_THREADS];

	for (size_t i = 0; i < n_threads; i++)
		before[i] = atomic_load(&threads[i].n_batches);
	for (size_t i = 0; i < n_threads; i++) {
		while (atomic_load(&threads[i].n_batches) < before[i] + 2) {
			struct sift_pipeline_counters c = sift_tally_read(&tally);

			if (c.matched != 2 * c.seen)
				die("counters that were not there together");
			sched_yield();
		}
	}
}

int
main(int argc, char **argv)
{
	size_t n_threads = argc == 2 ? (size_t)atoi(argv[1]) : 0;
	static uint8_t frame[60] = { [3] = 1, [12] = 0x08 };

	if (n_threads < 1 || n_threads > MAX_THREADS)
		die("usage: race THREADS");
	for (size_t i = 0; i < N_VIEWS; i++)
		sift_view_init(&views[i], ETHERNET, frame, sizeof(frame), 100);
	sift_tally_init(&tally);
	filter = make(0);
	for (size_t i = 0; i < n_threads; i++) {
		if (pthread_create(&threads[i].id, NULL, judge, &threads[i]) != 0)
			die("no thread");
	}
	for (unsigned i = 1; i <= N_REPLACED; i++) {
		struct sift_filter *with = make(i);

		sift_filter_replace(filter, with);
		wait_for_all(n_threads);
		sift_filter_free(with);
	}
	atomic_store(&is_over, true);
	for (size_t i = 0; i < n_threads; i++)
		pthread_join(threads[i].id, NULL);
	sift_filter_free(filter);
	return EXIT_SUCCESS;
}
