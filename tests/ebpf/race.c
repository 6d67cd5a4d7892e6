/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads that run one program, count it, read what is counted and take
 * references, for tests/ebpf/race.sh to compile with a thread sanitizer:
 * stand-alone, since all code that it watches must be compiled so.
 */
#include "ebpf/prog.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { N_RUNS = 3000, MAX_THREADS = 16 };

static const struct ebpf_insn insns[] = {
	{ .code = EBPF_JMP | EBPF_CALL, .imm = 1 },
	{ .code = EBPF_JMP | EBPF_EXIT },
};

static uint64_t
answer(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, void *env)
{
	(void)r1;
	(void)r2;
	(void)r3;
	(void)r4;
	(void)r5;
	(void)env;
	return 42;
}

static const struct ebpf_helper leaf = { .id = 1, .name = "answer", .fn = answer };
static const struct ebpf_helper guarded = { .id = 1, .name = "answer", .fn = answer,
					    .may_reenter = true };
static const struct ebpf_prog_type types[] = {
	{ .name = "leaf", .helpers = &leaf, .n_helpers = 1 },
	{ .name = "guarded", .helpers = &guarded, .n_helpers = 1 },
};

static void
die(const char *what)
{
	fprintf(stderr, "race: %s\n", what);
	exit(EXIT_FAILURE);
}

static void *
run(void *arg)
{
	struct ebpf_prog *prog = ebpf_prog_get(arg);

	for (int i = 0; i < N_RUNS; i++) {
		if (ebpf_prog_run(prog, 0, 0) != 42)
			die("wrong result");
	}
	for (int i = 0; i < N_RUNS; i += 100) {
		uint32_t results[100];

		ebpf_prog_run_many(prog, NULL, 0, 100, results);
		for (int j = 0; j < 100; j++) {
			if (results[j] != 42)
				die("wrong result");
		}
	}
	ebpf_prog_put(prog);
	return NULL;
}

static uint64_t
runs_of(struct ebpf_prog *prog)
{
	struct ebpf_stats stats = { .size = sizeof(stats) };

	ebpf_prog_stats(prog, &stats);
	if (stats.misses != 0)
		die("a run was missed");
	return stats.runs;
}

/* All runs counted: their sum is exact.  Switched meanwhile: it is no more than that. */
static void
race(const struct ebpf_prog_type *type, size_t n_threads, int switches)
{
	pthread_t threads[MAX_THREADS];
	struct ebpf_prog *prog;
	uint64_t all = (uint64_t)n_threads * N_RUNS * 2;

	if (ebpf_prog_load_trusted(type, insns, 2, NULL, &prog, NULL) < 0 ||
	    ebpf_prog_count(prog, 1, NULL) < 0)
		die("cannot load");
	for (size_t i = 0; i < n_threads; i++) {
		if (pthread_create(&threads[i], NULL, run, prog) != 0)
			die("no thread");
	}
	for (int i = 0; i < 50; i++) {
		if (runs_of(prog) > all || (switches && ebpf_prog_count(prog, i % 2, NULL) < 0))
			die("too many runs, or not switched");
	}
	for (size_t i = 0; i < n_threads; i++)
		pthread_join(threads[i], NULL);
	if (switches ? runs_of(prog) > all : runs_of(prog) != all)
		die("runs do not add up");
	ebpf_prog_put(prog);
}

int
main(int argc, char **argv)
{
	size_t n_threads = argc == 2 ? (size_t)atoi(argv[1]) : 0;

	if (n_threads < 1 || n_threads > MAX_THREADS)
		die("usage: race THREADS");
	for (size_t i = 0; i < 2; i++) {
		race(&types[i], n_threads, 0);
		race(&types[i], n_threads, 1);
	}
	return EXIT_SUCCESS;
}
