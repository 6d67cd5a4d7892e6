/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One program that threads run while others replace its function, put it in
 * program arrays and bind maps to it, for tests/ebpf/race.sh to compile with a
 * thread sanitizer.
 */
#include "ebpf/prog.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { N_ROUNDS = 200, MAX_THREADS = 16, FUNC = 2, N_MAPS = 8 };

/* call the function; exit; function: r0 = 1; exit */
static const struct ebpf_insn target_insns[] = {
	{ .code = EBPF_JMP | EBPF_CALL, .src_reg = 1, .imm = 1 },
	{ .code = EBPF_JMP | EBPF_EXIT },
	{ .code = EBPF_ALU64 | EBPF_MOV, .imm = 1 },
	{ .code = EBPF_JMP | EBPF_EXIT },
};
static const struct ebpf_insn ext_insns[] = {
	{ .code = EBPF_ALU64 | EBPF_MOV, .imm = 2 },
	{ .code = EBPF_JMP | EBPF_EXIT },
};

static struct ebpf_prog *target;
static struct ebpf_map *array, *maps[N_MAPS];

/* The sanitizer does not see what machine code reads. */
static const struct ebpf_policy interpreted = { .size = sizeof(interpreted), .jit = EBPF_JIT_OFF };

static void
die(const char *what)
{
	fprintf(stderr, "race_extend: %s\n", what);
	exit(EXIT_FAILURE);
}

static void *
run(void *arg)
{
	for (int i = 0; i < 10 * N_ROUNDS; i++) {
		uint64_t r0;

		if (ebpf_prog_exec(target, NULL, 0, &r0, NULL) < 0 || (r0 != 1 && r0 != 2))
			die("neither function ran");
	}
	return arg;
}

static void *
extend(void *arg)
{
	return (void *)(intptr_t)ebpf_prog_extend(arg, NULL);
}

/* Two threads put one program in its place: at most one of them does. */
static void *
replace(void *arg)
{
	struct ebpf_load_opts opts = { .size = sizeof(opts), .policy = &interpreted,
				       .verify = EBPF_VERIFY_ON,
				       .extends = target, .extends_insn = FUNC };

	for (int i = 0; i < N_ROUNDS; i++) {
		struct ebpf_prog *ext;
		pthread_t other;
		void *rc;
		int own;

		if (ebpf_prog_load_opts(ebpf_prog_type_raw(), ext_insns, 2, &opts, &ext,
					NULL) < 0 ||
		    pthread_create(&other, NULL, extend, ext) != 0)
			die("cannot load");
		own = ebpf_prog_extend(ext, NULL);
		pthread_join(other, &rc);
		if ((own != 0 && own != -EBUSY) || (own == 0 && (intptr_t)rc == 0))
			die("put in its place twice");
		/* Another thread may have taken it back, and have its own there. */
		if (own == 0 || (intptr_t)rc == 0)
			ebpf_prog_restore(target, FUNC);
		ebpf_prog_put(ext);
	}
	return arg;
}

static void *
enter_array(void *arg)
{
	for (int i = 0; i < N_ROUNDS; i++) {
		int rc = ebpf_map_set_prog(array, 0, target);

		if (rc != 0 && rc != -EBUSY)
			die("program array");
		ebpf_map_set_prog(array, 0, NULL);
		ebpf_map_reap(array);
	}
	return arg;
}

static void *
bind(void *arg)
{
	for (size_t i = 0; i < N_ROUNDS; i++) {
		struct ebpf_map *map;

		if (ebpf_prog_bind_map(target, maps[i % N_MAPS]) < 0)
			die("cannot bind");
		map = ebpf_prog_map(target, i % N_MAPS);
		ebpf_map_put(map);
	}
	return arg;
}

static void
make(void)
{
	static const struct ebpf_func_opts func = { .size = sizeof(func), .insn = FUNC };
	static const struct ebpf_func_opts *const funcs[] = { &func };
	struct ebpf_load_opts opts = { .size = sizeof(opts), .policy = &interpreted,
				       .verify = EBPF_VERIFY_ON,
				       .funcs = funcs, .n_funcs = 1 };
	struct ebpf_map_opts kind = { .size = sizeof(kind), .type = EBPF_MAP_PROG_ARRAY,
				      .key_size = 4, .value_size = 4, .max_entries = 1 };

	if (ebpf_prog_load_opts(ebpf_prog_type_raw(), target_insns, 4, &opts, &target, NULL) < 0 ||
	    ebpf_map_new(&kind, &array, NULL) < 0)
		die("cannot load");
	kind.type = EBPF_MAP_ARRAY;
	for (size_t i = 0; i < N_MAPS; i++) {
		if (ebpf_map_new(&kind, &maps[i], NULL) < 0)
			die("no map");
	}
}

int
main(void)
{
	static void *(*const jobs[])(void *) = { run, replace, enter_array, bind,
						 run, replace, enter_array, bind };
	enum { N_JOBS = sizeof(jobs) / sizeof(jobs[0]) };
	pthread_t threads[N_JOBS];
	struct ebpf_map *map;
	size_t n = 0;

	make();
	for (size_t i = 0; i < N_JOBS; i++) {
		if (pthread_create(&threads[i], NULL, jobs[i], NULL) != 0)
			die("no thread");
	}
	for (size_t i = 0; i < N_JOBS; i++)
		pthread_join(threads[i], NULL);
	while ((map = ebpf_prog_map(target, n)) != NULL) {
		ebpf_map_put(map);
		n++;
	}
	if (n != N_MAPS)
		die("a map was bound twice, or lost");
	ebpf_prog_reap(target);
	ebpf_map_put(array);
	for (size_t i = 0; i < N_MAPS; i++)
		ebpf_map_put(maps[i]);
	ebpf_prog_put(target);
	return EXIT_SUCCESS;
}
