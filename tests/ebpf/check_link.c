/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs with maps and helpers, in the fast and in the checked interpreter:
 * what loads resolve, what tail calls do, what a checked run refuses.
 */
#include "ebpf/helper.h"
#include "ebpf/map.h"
#include "ebpf/interp.h"
#include "ebpf/interp_leaf.h"
#include "ebpf/prog.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define K(c, d, s, o, i) { .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) }
#define EXIT_ K(0x95, 0, 0, 0, 0)
#define MOV_K(d, i) K(0xb7, d, 0, 0, i)
#define MOV_X(d, s) K(0xbf, d, s, 0, 0)
#define ADD_K(d, i) K(0x07, d, 0, 0, i)
#define CALL(id) K(0x85, 0, 0, 0, id)
#define CALL_LOCAL(n) K(0x85, 0, 1, 0, n)
#define STW(d, o, i) K(0x62, d, 0, o, i)
#define STDW(d, o, i) K(0x7a, d, 0, o, i)
#define LDXDW(d, s, o) K(0x79, d, s, o, 0)
#define LDXW(d, s, o) K(0x61, d, s, o, 0)
#define MAP(d, fd) K(0x18, d, 1, 0, fd), K(0, 0, 0, 0, 0)
#define VALUE(d, fd, off) K(0x18, d, 2, 0, fd), K(0, 0, 0, 0, off)

static struct ebpf_map *
new_map(uint32_t type, uint32_t key_size, uint32_t value_size, uint32_t max_entries, uint32_t flags)
{
	struct ebpf_map_opts opts = { .size = sizeof(opts), .type = type, .key_size = key_size,
				      .value_size = value_size, .max_entries = max_entries,
				      .flags = flags, .name = "m" };
	struct ebpf_map *map;
	struct ebpf_err err;

	ck_assert_msg(ebpf_map_new(&opts, &map, &err) == 0, "%s", err.text);
	return map;
}

/* ---- each program here runs in both interpreters ---- */

enum { FAST, CHECKED };

static struct ebpf_prog *
load(int engine, const struct ebpf_insn *insns, size_t n, const struct ebpf_load_opts *opts)
{
	struct ebpf_prog *prog;
	struct ebpf_err err;
	int rc = engine == FAST ? ebpf_prog_load_trusted_opts(ebpf_prog_type_raw(), insns, n, opts,
							      NULL, &prog, &err)
				: ebpf_prog_load_opts(ebpf_prog_type_raw(), insns, n, opts, &prog,
						      &err);

	ck_assert_msg(rc == 0, "%s", err.text);
	return prog;
}

static uint64_t
run(int engine, const struct ebpf_prog *prog, void *mem, size_t len)
{
	struct ebpf_err err;
	uint64_t r0;

	if (engine == FAST)
		return ebpf_prog_run(prog, (uintptr_t)mem, len);
	ck_assert_msg(ebpf_prog_run_checked(prog, mem, len, NULL, &r0, &err) == 0, "%s", err.text);
	return r0;
}

static struct ebpf_load_opts
with_map(struct ebpf_map *const *map)
{
	return (struct ebpf_load_opts){ .size = sizeof(struct ebpf_load_opts), .maps = map,
					.n_maps = 1 };
}

/* ---- maps ---- */

/* Counts in the element of a key that is on the stack, and makes it first. */
static const struct ebpf_insn counter[] = {
	STDW(10, -8, 7),
	MAP(1, 0),
	MOV_X(2, 10), ADD_K(2, -8),
	CALL(1),
	K(0x55, 0, 0, 10, 0),                   /* if r0 != 0 goto count */
	STDW(10, -16, 0),
	MAP(1, 0),
	MOV_X(2, 10), ADD_K(2, -8),
	MOV_X(3, 10), ADD_K(3, -16),
	MOV_K(4, 0),
	CALL(2),
	K(0x05, 0, 0, -16, 0),                  /* again */
	MOV_K(1, 1),
	K(0xdb, 0, 1, 0, 1),                    /* *r0 += r1, fetching it */
	MOV_X(0, 1),
	EXIT_,
};

static const uint32_t counter_types[][2] = {
	{ EBPF_MAP_HASH, 8 }, { EBPF_MAP_LPM_TRIE, 8 }, { EBPF_MAP_ARRAY, 4 },
	{ EBPF_MAP_PERCPU_ARRAY, 4 },
};

START_TEST(a_program_counts_in_a_map)
{
	int engine = _i % 2;
	const uint32_t *type = counter_types[_i / 2];
	struct ebpf_map *map = new_map(type[0], type[1], 8, 16, 0);
	struct ebpf_load_opts opts = with_map(&map);
	struct ebpf_prog *prog = load(engine, counter, N_ELEMS(counter), &opts);
	uint64_t key = 7, value;

	for (uint64_t i = 0; i < 5; i++)
		ck_assert_uint_eq(run(engine, prog, NULL, 0), i);
	ck_assert_int_eq(ebpf_map_lookup(map, &key, &value), 0);
	ck_assert_uint_eq(value, 5);
	ebpf_map_put(map);
	ck_assert_uint_eq(run(engine, prog, NULL, 0), 5);       /* the program has it still */
	ebpf_prog_put(prog);
}
END_TEST

/* Removes key 7; what the helper returned is the result. */
static const struct ebpf_insn remover[] = {
	STDW(10, -8, 7), MAP(1, 0), MOV_X(2, 10), ADD_K(2, -8), CALL(3), EXIT_,
};

START_TEST(a_program_removes_from_a_map)
{
	int engine = _i % 2;
	struct ebpf_map *hash = new_map(EBPF_MAP_HASH, 8, 8, 16, 0);
	struct ebpf_map *array = new_map(EBPF_MAP_ARRAY, 4, 8, 16, 0);
	struct ebpf_map *constant = new_map(EBPF_MAP_HASH, 8, 8, 16, EBPF_MAP_RDONLY_PROG);
	struct ebpf_map *progs = new_map(EBPF_MAP_PROG_ARRAY, 4, 4, 16, 0);
	struct ebpf_map *const maps[] = { hash, hash, array, constant, progs };
	static const int results[] = { 0, -ENOENT, -EINVAL, -EACCES, -EOPNOTSUPP };
	uint64_t key = 7, value = 1;

	ck_assert_int_eq(ebpf_map_update(hash, &key, &value, EBPF_ANY), 0);
	ck_assert_int_eq(ebpf_map_update(constant, &key, &value, EBPF_ANY), 0);
	for (size_t i = 0; i < N_ELEMS(maps); i++) {
		struct ebpf_load_opts opts = with_map(&maps[i]);
		struct ebpf_prog *prog = load(engine, remover, N_ELEMS(remover), &opts);

		ck_assert_int_eq((int64_t)run(engine, prog, NULL, 0), results[i]);
		ebpf_prog_put(prog);
	}
	ck_assert_int_eq(ebpf_map_lookup(hash, &key, &value), -ENOENT);
	ck_assert_int_eq(ebpf_map_lookup(constant, &key, &value), 0);
	ebpf_map_put(hash);
	ebpf_map_put(array);
	ebpf_map_put(constant);
	ebpf_map_put(progs);
}
END_TEST

START_TEST(a_program_knows_its_processor)
{
	static const struct ebpf_insn insns[] = { CALL(8), EXIT_ };
	struct ebpf_prog *prog = load(_i, insns, 2, NULL);

	ck_assert_uint_lt(run(_i, prog, NULL, 0), (uint64_t)sysconf(_SC_NPROCESSORS_CONF));
	ebpf_prog_put(prog);
}
END_TEST

struct worker {
	struct ebpf_prog *prog;
	int engine;
	uint64_t n;
};

static void *
run_often(void *arg)
{
	struct worker *w = arg;

	for (uint64_t i = 0; i < w->n; i++)
		run(w->engine, w->prog, NULL, 0);
	return NULL;
}

START_TEST(threads_lose_no_count)
{
	int engine = _i % 2;
	const uint32_t *type = counter_types[_i / 2];
	struct ebpf_map *map = new_map(type[0], type[1], 8, 16, 0);
	struct ebpf_load_opts opts = with_map(&map);
	struct worker w = { load(engine, counter, N_ELEMS(counter), &opts), engine,
			    suite_scaled(2000) };
	uint64_t key = 7, value = 0, sum = 0, one;
	pthread_t threads[4];

	/* Whether the first count of two threads at a time makes the element is a race. */
	ck_assert_int_eq(ebpf_map_update(map, &key, &value, 0), 0);
	for (size_t i = 0; i < N_ELEMS(threads); i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, run_often, &w), 0);
	for (uint64_t last = 0, i = 0; i < 1000; i++, last = one) {
		ck_assert_int_eq(ebpf_map_lookup(map, &key, &one), 0);
		ck_assert_uint_ge(one, last);
	}
	for (size_t i = 0; i < N_ELEMS(threads); i++)
		pthread_join(threads[i], NULL);
	if (type[0] == EBPF_MAP_PERCPU_ARRAY) {
		for (size_t i = 0; ebpf_map_lookup_percpu(map, &key, i, &one) == 0; i++)
			sum += one;
	} else {
		ck_assert_int_eq(ebpf_map_lookup(map, &key, &sum), 0);
	}
	ck_assert_uint_eq(sum, w.n * N_ELEMS(threads));
	ebpf_prog_put(w.prog);
	ebpf_map_put(map);
}
END_TEST

/* Of two maps under descriptors of the caller's: by number, by index, and inside the value. */
START_TEST(loads_find_maps_by_descriptor_and_by_index)
{
	struct ebpf_map *maps[] = { new_map(EBPF_MAP_ARRAY, 4, 16, 2, 0),
				    new_map(EBPF_MAP_ARRAY, 4, 16, 1, 0) };
	static const int32_t fds[] = { 40, 30 };
	struct ebpf_load_opts opts = { .size = sizeof(opts), .maps = maps, .map_fds = fds,
				       .n_maps = 2 };
	const struct ebpf_insn insns[] = {
		MAP(6, 40),
		K(0x18, 7, 5, 0, 0), K(0, 0, 0, 0, 0),          /* index 0 */
		MOV_K(0, 1),
		K(0x5d, 6, 7, 6, 0),                            /* if r6 != r7 goto exit */
		VALUE(6, 30, 8),
		K(0x18, 7, 6, 0, 1), K(0, 0, 0, 0, 8),
		K(0x5d, 6, 7, 1, 0),
		LDXDW(0, 6, 0),
		EXIT_,
	};
	uint64_t value[2] = { 1, 99 };
	uint32_t key = 0;
	struct ebpf_prog *prog = load(_i, insns, N_ELEMS(insns), &opts);

	ck_assert_int_eq(ebpf_map_update(maps[1], &key, value, 0), 0);
	ck_assert_uint_eq(run(_i, prog, NULL, 0), 99);
	ebpf_prog_put(prog);
	ebpf_map_put(maps[0]);
	ebpf_map_put(maps[1]);
}
END_TEST

START_TEST(the_address_of_a_subprogram_is_a_number_like_no_other)
{
	const struct ebpf_insn insns[] = {
		K(0x18, 6, 4, 0, 5), K(0, 0, 0, 0, 0),
		K(0x18, 7, 4, 0, 3), K(0, 0, 0, 0, 0),
		MOV_K(0, 0),
		EXIT_,
		MOV_K(0, 1),
		EXIT_,
	};
	struct ebpf_insn other[N_ELEMS(insns)];
	struct ebpf_prog *prog = NULL;
	struct ebpf_err err;

	memcpy(other, insns, sizeof(insns));
	ebpf_prog_put(load(_i, insns, N_ELEMS(insns), NULL));
	other[0].imm = 7;
	ck_assert_int_eq(ebpf_prog_load(ebpf_prog_type_raw(), other, N_ELEMS(other), &prog, &err),
			 -EINVAL);
	ck_assert_str_eq(err.text, "insn 0: subprogram at 8, but the program has 8");
	ck_assert_ptr_null(prog);
}
END_TEST

static const struct {
	struct ebpf_insn insns[6];
	size_t n;
	int rc;
	const char *err;
} unlinked[] = {
	{ { MAP(1, 5), EXIT_ }, 3, -ENOENT,
	  "insn 0: no map of descriptor 5 among the 2 of the program" },
	{ { K(0x18, 1, 5, 0, 2), K(0, 0, 0, 0, 0), EXIT_ }, 3, -ENOENT,
	  "insn 0: no map of index 2 among the 2 of the program" },
	{ { K(0x18, 1, 1, 0, 0), K(0, 0, 0, 0, 9), EXIT_ }, 3, -EINVAL,
	  "insn 0: second half of a map load is 0x9, not 0" },
	{ { VALUE(1, 0, 0), EXIT_ }, 3, -EINVAL,
	  "insn 0: address in the value of map m, which has not just one" },
	{ { VALUE(1, 1, 8), EXIT_ }, 3, -EINVAL,
	  "insn 0: offset 8 in the value of map one, which has 8 bytes" },
	{ { K(0x18, 1, 4, 0, 1), K(0, 0, 0, 0, 1), EXIT_, EXIT_ }, 4, -EINVAL,
	  "insn 0: second half of a subprogram's address" },
	{ { K(0x18, 1, 4, 0, -2), K(0, 0, 0, 0, 0), EXIT_ }, 3, -EINVAL,
	  "insn 0: subprogram at -1, but the program has 3" },
};

START_TEST(loads_that_name_nothing_are_refused)
{
	const struct ebpf_map_opts single = { .size = sizeof(single), .type = EBPF_MAP_ARRAY,
					      .key_size = 4, .value_size = 8, .max_entries = 1,
					      .name = "one" };
	struct ebpf_map *maps[2] = { new_map(EBPF_MAP_ARRAY, 4, 8, 2, 0), NULL };
	struct ebpf_load_opts opts = { .size = sizeof(opts), .maps = maps, .n_maps = 2 };
	struct ebpf_prog *prog = NULL;
	struct ebpf_err err;

	ck_assert_int_eq(ebpf_map_new(&single, &maps[1], &err), 0);
	ck_assert_int_eq(ebpf_prog_load_opts(ebpf_prog_type_raw(), unlinked[_i].insns,
					     unlinked[_i].n, &opts, &prog, &err),
			 unlinked[_i].rc);
	ck_assert_str_eq(err.text, unlinked[_i].err);
	ck_assert_ptr_null(prog);
	ebpf_map_put(maps[0]);
	ebpf_map_put(maps[1]);
}
END_TEST

/* ---- what a checked run refuses ---- */

#define LOOKUP STW(10, -4, 1), MAP(1, 0), MOV_X(2, 10), ADD_K(2, -4), CALL(1)

static const struct {
	struct ebpf_insn insns[16];
	size_t n;
	uint32_t flags;
	const char *err;        /* NULL: runs */
} accesses[] = {
	{ { LOOKUP, LDXDW(0, 0, 0), EXIT_ }, 8, 0, NULL },
	{ { LOOKUP, LDXW(0, 0, 8), EXIT_ }, 8, 0, NULL },
	{ { LOOKUP, LDXDW(0, 0, 5), EXIT_ }, 8, 0, "insn 6: 8 bytes at address " },
	{ { LOOKUP, LDXW(0, 0, -4), EXIT_ }, 8, 0, "insn 6: 4 bytes at address " },
	{ { LOOKUP, LDXW(0, 0, 12), EXIT_ }, 8, 0, "insn 6: 4 bytes at address " },
	{ { LOOKUP, STW(0, 8, 3), EXIT_ }, 8, 0, NULL },
	{ { LOOKUP, STW(0, 9, 3), EXIT_ }, 8, 0, "insn 6: 4 bytes at address " },
	{ { LOOKUP, STW(0, 8, 3), EXIT_ }, 8, EBPF_MAP_RDONLY_PROG, "insn 6: 4 bytes at address " },
	{ { LOOKUP, LDXW(0, 0, 8), EXIT_ }, 8, EBPF_MAP_RDONLY_PROG, NULL },
	{ { LOOKUP, K(0xc3, 0, 3, 0, 0), EXIT_ }, 8, EBPF_MAP_RDONLY_PROG,
	  "insn 6: 4 bytes at address " },
	{ { LOOKUP, K(0xc3, 1, 0, 0, 0x100), EXIT_ }, 8, EBPF_MAP_RDONLY_PROG, NULL },
	{ { MOV_K(1, 0), MOV_X(2, 10), CALL(1), EXIT_ }, 4, 0,
	  "insn 2: map_lookup_elem: r1 is no map of the program" },
	{ { MAP(1, 0), MOV_X(2, 10), ADD_K(2, -3), CALL(1), EXIT_ }, 6, 0,
	  "insn 4: map_lookup_elem: r2 is no address of a key" },
	{ { STW(10, -4, 1), MAP(1, 0), MOV_X(2, 10), ADD_K(2, -4), MOV_X(3, 10), ADD_K(3, -8),
	    CALL(2), EXIT_ }, 9, 0, "insn 7: map_update_elem: r3 is no address of a value" },
	{ { MOV_X(1, 10), MOV_K(2, 0), CALL(6), EXIT_ }, 4, 0, "insn 2: trace_printk: r2 is no size" },
	{ { MOV_X(1, 10), MOV_K(2, 1), CALL(6), EXIT_ }, 4, 0,
	  "insn 2: trace_printk: r1 is no address of that many bytes" },
};

START_TEST(a_checked_run_stays_inside_values)
{
	struct ebpf_map *map = new_map(EBPF_MAP_ARRAY, 4, 12, 3, accesses[_i].flags);
	struct ebpf_load_opts opts = with_map(&map);
	struct ebpf_prog *prog = load(CHECKED, accesses[_i].insns, accesses[_i].n, &opts);
	struct ebpf_err err = { "" };
	uint64_t r0 = 77;
	int rc = ebpf_prog_run_checked(prog, NULL, 0, NULL, &r0, &err);

	if (accesses[_i].err == NULL) {
		ck_assert_msg(rc == 0, "%s", err.text);
		ck_assert_uint_ne(r0, 77);
	} else {
		ck_assert_int_eq(rc, -EFAULT);
		ck_assert_uint_eq(r0, 77);
		ck_assert_int_eq(strncmp(err.text, accesses[_i].err, strlen(accesses[_i].err)), 0);
	}
	ebpf_prog_put(prog);
	ebpf_map_put(map);
}
END_TEST

/* ---- tail calls ---- */

struct world {
	struct ebpf_map *array;
	struct ebpf_load_opts opts;
	int engine;
};

static struct world
new_world(int engine)
{
	struct world w = { .engine = engine };

	w.array = new_map(EBPF_MAP_PROG_ARRAY, 4, 4, 4, 0);
	return w;
}

/* A program of the world, also in its array. */
static struct ebpf_prog *
install(struct world *w, uint32_t index, const struct ebpf_insn *insns, size_t n)
{
	struct ebpf_load_opts opts = with_map(&w->array);
	struct ebpf_prog *prog = load(w->engine, insns, n, &opts);

	ck_assert_int_eq(ebpf_map_set_prog(w->array, index, prog), 0);
	return prog;
}

/* *(u64 *)r1 += 1, on to index at r3 if the call works, else 1000 + what is there. */
#define COUNT LDXDW(6, 1, 0), ADD_K(6, 1), K(0x7b, 1, 6, 0, 0)
#define TAIL(lo) MAP(2, 0), K(0x18, 3, 0, 0, lo), K(0, 0, 0, 0, 1), CALL(12)

START_TEST(a_body_that_calls_itself_runs_34_times)
{
	const struct ebpf_insn self[] = { COUNT, TAIL(0), MOV_X(0, 6), EXIT_ };
	struct world w = new_world(_i);
	struct ebpf_prog *prog = install(&w, 0, self, N_ELEMS(self));
	uint64_t mem = 0;

	/* The index is a u32: the upper half of R3, 1 in each program here, is cut off. */
	ck_assert_uint_eq(run(_i, prog, &mem, sizeof(mem)), 34);
	ck_assert_uint_eq(mem, 34);
	ck_assert_uint_eq(run(_i, prog, &mem, sizeof(mem)), 68);
	ebpf_map_put(w.array);
	/* Without the host's reference the array is empty, and the program not in it. */
	ck_assert_uint_eq(run(_i, prog, &mem, sizeof(mem)), 69);
	ebpf_prog_put(prog);
}
END_TEST

static const int32_t missing[] = { 1, 4, -1 };

START_TEST(a_call_of_nothing_continues_and_does_not_count)
{
	struct ebpf_insn self[] = { COUNT, TAIL(0), TAIL(0), TAIL(0), MOV_X(0, 6), EXIT_ };
	struct world w = new_world(_i % 2);
	struct ebpf_prog *prog;
	uint64_t mem = 0;

	/* Two that fail, one that works: 33 still do. */
	self[5].imm = self[10].imm = missing[_i / 2];
	prog = install(&w, 0, self, N_ELEMS(self));
	ck_assert_uint_eq(run(_i % 2, prog, &mem, sizeof(mem)), 34);
	ebpf_map_put(w.array);
	ebpf_prog_put(prog);
}
END_TEST

/* The frame of a function goes to the called program, whose exit returns from it. */
START_TEST(a_function_that_tail_calls_returns_to_its_caller)
{
	const struct ebpf_insn leaf[] = { COUNT, STDW(10, -8, 5), LDXDW(0, 10, -8), EXIT_ };
	const struct ebpf_insn deep[] = {
		CALL_LOCAL(1), EXIT_, CALL_LOCAL(1), EXIT_, CALL_LOCAL(1), EXIT_,
		CALL_LOCAL(1), EXIT_, CALL_LOCAL(1), EXIT_, CALL_LOCAL(1), EXIT_,
		CALL_LOCAL(1), EXIT_, MOV_K(0, 9), EXIT_,
	};
	struct ebpf_insn caller[] = {
		MOV_X(7, 1), STDW(10, -8, 100),
		CALL_LOCAL(4),
		LDXDW(6, 10, -8), K(0x0f, 0, 6, 0, 0), LDXDW(6, 7, 0), EXIT_,
		TAIL(1), MOV_K(0, 1), EXIT_,
	};
	struct world w = new_world(_i);
	struct ebpf_prog *progs[] = { NULL, install(&w, 1, leaf, N_ELEMS(leaf)),
				      install(&w, 2, deep, N_ELEMS(deep)) };
	uint64_t mem = 0;

	progs[0] = install(&w, 0, caller, N_ELEMS(caller));
	ck_assert_uint_eq(run(_i, progs[0], &mem, sizeof(mem)), 105);
	ck_assert_uint_eq(mem, 1);
	/* Eight frames do not fit behind one: the fast interpreter lets the call fail. */
	ck_assert_int_eq(ebpf_map_set_prog(w.array, 1, progs[2]), 0);
	if (_i == FAST) {
		ck_assert_uint_eq(run(_i, progs[0], &mem, sizeof(mem)), 101);
	} else {
		uint64_t r0;

		ck_assert_int_eq(ebpf_prog_run_checked(progs[0], &mem, sizeof(mem), NULL, &r0,
						       NULL), -E2BIG);
	}
	ebpf_map_reap(w.array);
	for (size_t i = 0; i < 3; i++)
		ebpf_prog_put(progs[i]);
	ebpf_map_put(w.array);
}
END_TEST

START_TEST(the_fast_interpreter_does_not_go_on_to_an_unverified_program)
{
	const struct ebpf_insn caller[] = { TAIL(1), MOV_K(0, 3), EXIT_ };
	const struct ebpf_insn leaf[] = { MOV_K(0, 4), EXIT_ };
	struct world w = new_world(CHECKED);
	struct ebpf_prog *other = install(&w, 1, leaf, N_ELEMS(leaf)), *prog;

	w.engine = FAST;
	prog = install(&w, 0, caller, N_ELEMS(caller));
	ck_assert_uint_eq(ebpf_prog_run(prog, 0, 0), 3);
	ck_assert_uint_eq(run(CHECKED, prog, NULL, 0), 4);
	ebpf_map_put(w.array);
	ebpf_prog_put(other);
	ebpf_prog_put(prog);
}
END_TEST

START_TEST(programs_of_one_array_have_one_type)
{
	static const struct ebpf_prog_type other_type = { .name = "other" };
	const struct ebpf_insn leaf[] = { MOV_K(0, 4), EXIT_ };
	struct world w = new_world(FAST);
	struct ebpf_load_opts opts = with_map(&w.array);
	struct ebpf_prog *prog = install(&w, 0, leaf, N_ELEMS(leaf)), *other;
	struct ebpf_err err;

	ck_assert_int_eq(ebpf_prog_load(&other_type, leaf, N_ELEMS(leaf), &other, NULL), 0);
	ck_assert_int_eq(ebpf_map_set_prog(w.array, 1, other), -EINVAL);
	ck_assert_int_eq(ebpf_map_set_prog(w.array, 4, prog), -E2BIG);
	ebpf_prog_put(other);
	ck_assert_int_eq(ebpf_prog_load_opts(&other_type, leaf, N_ELEMS(leaf), &opts, &other, &err),
			 -EINVAL);
	ck_assert_str_eq(err.text, "map m: has programs of another type than other");
	ebpf_map_put(w.array);
	ebpf_prog_put(prog);
}
END_TEST

/* ---- tail calls among programs that are blinded, counted, run in batches ---- */

struct pcs {
	size_t pcs[32];
	size_t n;
};

static void
note_pc(void *arg, size_t pc, const uint64_t regs[EBPF_MAX_REG])
{
	struct pcs *seen = arg;

	(void)regs;
	ck_assert_uint_lt(seen->n, N_ELEMS(seen->pcs));
	seen->pcs[seen->n++] = pc;
}

/* From a function of a blinded program to a plain one and back, each by its own numbers. */
START_TEST(blinded_programs_go_on_to_others_and_come_back)
{
	const struct ebpf_insn caller[] = {
		CALL_LOCAL(2), ADD_K(0, 70000), EXIT_,
		MOV_K(4, 90000), TAIL(1), MOV_K(0, 1), EXIT_,
	};
	const struct ebpf_insn leaf[] = { MOV_K(0, 80000), ADD_K(0, 1), EXIT_ };
	const size_t expected[] = { 0, 3, 4, 6, 8, 0, 1, 2, 1, 2 };
	const struct ebpf_policy policy = {
		.size = sizeof(policy),
		.blinding = _i / 2 == 0 ? EBPF_BLINDING_ALWAYS : EBPF_BLINDING_OFF,
	};
	const struct ebpf_policy reverse = {
		.size = sizeof(reverse),
		.blinding = _i / 2 != 0 ? EBPF_BLINDING_ALWAYS : EBPF_BLINDING_OFF,
	};
	struct world w = new_world(_i % 2);
	struct ebpf_load_opts opts = with_map(&w.array);
	struct pcs seen = { .n = 0 };
	struct ebpf_run_opts run_opts = { .size = sizeof(run_opts), .trace = note_pc,
					  .trace_arg = &seen };
	struct ebpf_prog *progs[2];
	uint64_t r0;

	opts.policy = &policy;
	progs[0] = load(w.engine, caller, N_ELEMS(caller), &opts);
	opts.policy = &reverse;
	progs[1] = load(w.engine, leaf, N_ELEMS(leaf), &opts);
	ck_assert_int_eq(ebpf_map_set_prog(w.array, 1, progs[1]), 0);
	ck_assert_uint_eq(run(w.engine, progs[0], NULL, 0), 150001);
	ck_assert_int_eq(ebpf_prog_run_checked(progs[0], NULL, 0, &run_opts, &r0, NULL), 0);
	ck_assert_uint_eq(r0, 150001);
	ck_assert_uint_eq(seen.n, N_ELEMS(expected));
	ck_assert_mem_eq(seen.pcs, expected, sizeof(expected));
	ebpf_map_put(w.array);
	ebpf_prog_put(progs[0]);
	ebpf_prog_put(progs[1]);
}
END_TEST

START_TEST(each_run_of_a_batch_begins_with_its_own_program)
{
	const struct ebpf_insn caller[] = { LDXDW(6, 1, 0), K(0x35, 6, 0, 5, 3),
					    TAIL(1), MOV_K(0, 3), EXIT_ };
	const struct ebpf_insn leaf[] = { MOV_K(0, 4), EXIT_ };
	struct world w = new_world(FAST);
	struct ebpf_prog *progs[] = { install(&w, 0, caller, N_ELEMS(caller)),
				      install(&w, 1, leaf, N_ELEMS(leaf)) };
	uint64_t ctxs[] = { 0, 5, 1, 2, 9 };
	uint32_t got[5], direct[5];
	const uint32_t expected[] = { 4, 3, 4, 4, 3 };
	struct ebpf_stats stats = { .size = sizeof(stats) };

	ck_assert_int_eq(ebpf_prog_count(progs[0], 1, NULL), 0);
	ck_assert_int_eq(ebpf_prog_count(progs[1], 1, NULL), 0);
	ebpf_prog_run_many(progs[0], ctxs, sizeof(ctxs[0]), N_ELEMS(ctxs), got);
	ck_assert_mem_eq(got, expected, sizeof(expected));
	for (size_t i = 0; i < N_ELEMS(progs); i++)
		ck_assert_int_eq(ebpf_prog_set_run(progs[i], ebpf_interp), 0);
	ebpf_interp_many(progs[0], ctxs, sizeof(ctxs[0]), N_ELEMS(ctxs), direct);
	ck_assert_mem_eq(direct, expected, sizeof(expected));
	/* what calls nothing has an interpreter of its own, and is gone on to all the same */
	ck_assert_int_eq(ebpf_prog_set_run(progs[1], ebpf_interp_leaf), 0);
	memset(direct, 0, sizeof(direct));
	ebpf_interp_many(progs[0], ctxs, sizeof(ctxs[0]), N_ELEMS(ctxs), direct);
	ck_assert_mem_eq(direct, expected, sizeof(expected));
	/* Counted is what was entered, not what that went on to. */
	ebpf_prog_stats(progs[0], &stats);
	ck_assert_uint_eq(stats.runs, N_ELEMS(ctxs));
	ebpf_prog_stats(progs[1], &stats);
	ck_assert_uint_eq(stats.runs, 0);
	ebpf_map_put(w.array);
	ebpf_prog_put(progs[0]);
	ebpf_prog_put(progs[1]);
}
END_TEST

static uint64_t
run_again(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, void *env)
{
	(void)r1, (void)r2, (void)r3, (void)r4, (void)r5;
	return ebpf_prog_run(*(struct ebpf_prog **)env, 0, 0) + 1;
}

/* By way of another program, whose helper runs the first one. */
START_TEST(a_tail_call_does_not_hide_a_recursion)
{
	const struct ebpf_insn caller[] = { TAIL(1), MOV_K(0, 3), EXIT_ };
	const struct ebpf_insn leaf[] = { CALL(99), EXIT_ };
	struct ebpf_prog *progs[2];
	const struct ebpf_helper_opts again = { .size = sizeof(again), .id = 99, .fn = run_again,
						.env = &progs[0] };
	const struct ebpf_helper_opts *const helpers[] = { &again };
	struct world w = new_world(FAST);
	struct ebpf_load_opts opts = with_map(&w.array);
	struct ebpf_stats stats = { .size = sizeof(stats) };

	progs[0] = install(&w, 0, caller, N_ELEMS(caller));
	opts.helpers = helpers;
	opts.n_helpers = 1;
	progs[1] = load(FAST, leaf, N_ELEMS(leaf), &opts);
	ck_assert_int_eq(ebpf_map_set_prog(w.array, 1, progs[1]), 0);
	ck_assert_uint_eq(ebpf_prog_run(progs[0], 0, 0), 1);
	ebpf_prog_stats(progs[0], &stats);
	ck_assert_uint_eq(stats.misses, 1);
	ebpf_map_put(w.array);
	ebpf_prog_put(progs[0]);
	ebpf_prog_put(progs[1]);
}
END_TEST

/* Programs are replaced while they run. */
START_TEST(an_array_changes_under_running_programs)
{
	const struct ebpf_insn caller[] = { TAIL(1), MOV_K(0, 3), EXIT_ };
	const struct ebpf_insn leaf[] = { MOV_K(0, 4), EXIT_ };
	struct world w = new_world(_i);
	struct worker worker = { install(&w, 0, caller, N_ELEMS(caller)), _i, suite_scaled(3000) };
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, run_often, &worker), 0);
	for (int i = 0; i < 300; i++) {
		ebpf_prog_put(install(&w, 1, leaf, N_ELEMS(leaf)));
		ck_assert_int_eq(ebpf_map_set_prog(w.array, 1, NULL), 0);
	}
	pthread_join(thread, NULL);
	ebpf_map_reap(w.array);
	ebpf_map_put(w.array);
	ebpf_prog_put(worker.prog);
}
END_TEST

/* ---- helpers ---- */

struct printed {
	char line[64];
	int n;
};

static void
print(void *arg, const char *line)
{
	struct printed *p = arg;

	snprintf(p->line, sizeof(p->line), "%s", line);
	p->n++;
}

static const struct {
	const char *fmt;
	const char *line;       /* NULL: refused */
} formats[] = {
	{ "%d %u %x\n", "-2 4294967294 fffffffe" },
	{ "%ld %llu %lx", "-2 18446744073709551614 fffffffffffffffe" },
	{ "100%% %i", "100% -2" },
	{ "%p", "0xfffffffffffffffe" },
	{ "", "" },
	{ "%d%d%d%d", NULL },
	{ "%s", NULL },
	{ "%", NULL },
	{ "%lll", NULL },
};

START_TEST(trace_printk_prints_to_the_caller)
{
	static const struct ebpf_insn insns[] = {
		MOV_K(3, -2), MOV_K(4, -2), MOV_K(5, -2), CALL(6), EXIT_,
	};
	struct printed printed = { "", 0 };
	struct ebpf_load_opts opts = { .size = sizeof(opts), .print = print,
				       .print_arg = &printed };
	struct ebpf_prog *prog = load(_i % 2, insns, N_ELEMS(insns), &opts);
	char mem[32];
	uint64_t r0;

	/* R1 and R2 as at entry: the memory is the format. */
	snprintf(mem, sizeof(mem), "%s", formats[_i / 2].fmt);
	r0 = run(_i % 2, prog, mem, strlen(mem) + 1);
	if (formats[_i / 2].line == NULL) {
		ck_assert_int_eq((int64_t)r0, -EINVAL);
		ck_assert_int_eq(printed.n, 0);
	} else {
		ck_assert_str_eq(printed.line, formats[_i / 2].line);
		ck_assert_int_eq(printed.n, 1);
	}
	ck_assert_int_eq((int64_t)run(_i % 2, prog, mem, strlen(mem) > 0 ? strlen(mem) : 1),
			 strlen(mem) > 0 ? -EINVAL : 0);
	ebpf_prog_put(prog);
}
END_TEST

START_TEST(random_numbers_follow_from_the_seed)
{
	static const struct ebpf_insn insns[] = { CALL(7), EXIT_ };
	struct ebpf_load_opts opts = { .size = sizeof(opts), .random_seed = 5 };
	struct ebpf_prog *a = load(_i, insns, 2, &opts), *b = load(_i, insns, 2, &opts);
	struct ebpf_prog *c = load(_i, insns, 2, NULL);
	uint64_t n_same = 0, all = 0;

	for (int i = 0; i < 64; i++) {
		uint64_t v = run(_i, a, NULL, 0);

		ck_assert_uint_eq(v, run(_i, b, NULL, 0));
		ck_assert_uint_le(v, UINT32_MAX);
		n_same += v == run(_i, c, NULL, 0);
		all |= v;
	}
	ck_assert_uint_eq(n_same, 0);
	ck_assert_uint_eq(all, UINT32_MAX);
	ebpf_prog_put(a);
	ebpf_prog_put(b);
	ebpf_prog_put(c);
}
END_TEST

static int
take(void *arg, const void *data, size_t len)
{
	ck_assert_uint_eq(len, 8);
	memcpy(arg, data, len);
	return 0;
}

START_TEST(a_program_writes_records)
{
	static const struct ebpf_insn insns[] = {
		STDW(10, -8, 0x1234), MAP(1, 0), MOV_X(2, 10), ADD_K(2, -8), MOV_K(3, 8),
		MOV_K(4, 0), CALL(130), MOV_X(6, 0), MAP(1, 0), MOV_K(2, 0), CALL(134),
		K(0x0f, 0, 6, 0, 0), EXIT_,
	};
	struct ebpf_map *map = new_map(EBPF_MAP_RINGBUF, 0, 0, 64, 0);
	struct ebpf_load_opts opts = with_map(&map);
	struct ebpf_prog *prog = load(_i, insns, N_ELEMS(insns), &opts);
	uint64_t record = 0;

	for (uint64_t i = 1; i <= 4; i++)
		ck_assert_uint_eq(run(_i, prog, NULL, 0), 16 * i);
	ck_assert_int_eq((int64_t)run(_i, prog, NULL, 0), 64 - EAGAIN);
	ck_assert_int_eq(ebpf_ringbuf_consume(map, take, &record), 4);
	ck_assert_uint_eq(record, 0x1234);
	ebpf_prog_put(prog);
	ebpf_map_put(map);
}
END_TEST

static uint64_t
fill(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, void *env)
{
	(void)r3, (void)r4, (void)r5;
	memset((void *)(uintptr_t)r1, *(int *)env, r2);
	return r2;
}

START_TEST(an_embedders_helper_has_its_arguments_tested)
{
	int byte = 0x5a;
	const struct ebpf_helper_opts helper = {
		.size = sizeof(helper), .id = 5, .name = "fill", .fn = fill, .env = &byte,
		.args = { EBPF_ARG_MEM_WRITE, EBPF_ARG_SIZE },
	};
	const struct ebpf_helper_opts *helpers[] = { &helper };
	struct ebpf_load_opts opts = { .size = sizeof(opts), .helpers = helpers, .n_helpers = 1 };
	static const struct ebpf_insn insns[] = { MOV_X(6, 1), ADD_K(1, 2), CALL(5), LDXW(0, 6, 0),
						 EXIT_ };
	struct ebpf_helper_opts bad = helper;
	struct ebpf_prog *prog = load(CHECKED, insns, N_ELEMS(insns), &opts), *none = NULL;
	uint8_t mem[6] = { 0 };
	struct ebpf_err err;
	uint32_t word;
	uint64_t r0;

	ck_assert_int_eq(ebpf_prog_run_checked(prog, mem, 6, NULL, &r0, &err), -EFAULT);
	ck_assert_str_eq(err.text, "insn 2: fill: r1 is no address of that many bytes");
	ebpf_prog_put(prog);
	prog = load(FAST, insns, N_ELEMS(insns), &opts);
	r0 = ebpf_prog_run(prog, (uintptr_t)mem, 4);
	memcpy(&word, mem, sizeof(word));
	ck_assert_uint_eq(r0, word);
	ck_assert_uint_eq(mem[1], 0);
	ck_assert_uint_eq(mem[2], 0x5a);
	ck_assert_uint_eq(mem[5], 0x5a);
	ebpf_prog_put(prog);
	bad.id = EBPF_HELPER_TAIL_CALL;
	helpers[0] = &bad;
	ck_assert_int_eq(ebpf_prog_load_opts(ebpf_prog_type_raw(), insns, N_ELEMS(insns), &opts,
					     &none, &err), -EINVAL);
	ck_assert_str_eq(err.text, "helper 12: without a function, or not a number for one");
	bad.id = -1;
	ck_assert_int_eq(ebpf_prog_load_opts(ebpf_prog_type_raw(), insns, N_ELEMS(insns), &opts,
					     &none, &err), -EINVAL);
	ck_assert_str_eq(err.text, "helper -1: without a function, or not a number for one");
	bad.id = 5;
	bad.fn = NULL;
	ck_assert_int_eq(ebpf_prog_load_opts(ebpf_prog_type_raw(), insns, N_ELEMS(insns), &opts,
					     &none, &err), -EINVAL);
	ck_assert_str_eq(err.text, "helper 5: without a function, or not a number for one");
	bad.size = 3;
	ck_assert_int_eq(ebpf_prog_load_opts(ebpf_prog_type_raw(), insns, N_ELEMS(insns), &opts,
					     &none, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "helper"));
	ck_assert_ptr_null(none);
}
END_TEST

/* Two lists name helpers by number: they agree. */
START_TEST(helpers_have_the_kernels_names)
{
	static const struct { int32_t id; const char *name; } kernel[] = {
#define H(id_, name_) { id_, #name_ },
#include "ebpf/helper.def"
	};
	const struct ebpf_prog_type *raw = ebpf_prog_type_raw();

	ck_assert_uint_ge(raw->n_helpers, 10);
	for (size_t i = 0; i < raw->n_helpers; i++) {
		int32_t id = raw->helpers[i].id;

		ck_assert_int_eq(kernel[id - 1].id, id);
		ck_assert_str_eq(kernel[id - 1].name, raw->helpers[i].name);
	}
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("ebpf/link");
	TCase *tc = tcase_create("link");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, a_program_counts_in_a_map, 0, 2 * N_ELEMS(counter_types));
	tcase_add_loop_test(tc, a_program_removes_from_a_map, 0, 2);
	tcase_add_loop_test(tc, a_program_knows_its_processor, 0, 2);
	tcase_add_loop_test(tc, threads_lose_no_count, 0, 2 * N_ELEMS(counter_types));
	tcase_add_loop_test(tc, loads_find_maps_by_descriptor_and_by_index, 0, 2);
	tcase_add_loop_test(tc, the_address_of_a_subprogram_is_a_number_like_no_other, 0, 2);
	tcase_add_loop_test(tc, loads_that_name_nothing_are_refused, 0, N_ELEMS(unlinked));
	tcase_add_loop_test(tc, a_checked_run_stays_inside_values, 0, N_ELEMS(accesses));
	tcase_add_loop_test(tc, a_body_that_calls_itself_runs_34_times, 0, 2);
	tcase_add_loop_test(tc, a_call_of_nothing_continues_and_does_not_count, 0,
			    2 * N_ELEMS(missing));
	tcase_add_loop_test(tc, a_function_that_tail_calls_returns_to_its_caller, 0, 2);
	tcase_add_test(tc, the_fast_interpreter_does_not_go_on_to_an_unverified_program);
	tcase_add_test(tc, programs_of_one_array_have_one_type);
	tcase_add_loop_test(tc, blinded_programs_go_on_to_others_and_come_back, 0, 4);
	tcase_add_test(tc, each_run_of_a_batch_begins_with_its_own_program);
	tcase_add_test(tc, a_tail_call_does_not_hide_a_recursion);
	tcase_add_loop_test(tc, an_array_changes_under_running_programs, 0, 2);
	tcase_add_loop_test(tc, trace_printk_prints_to_the_caller, 0, 2 * N_ELEMS(formats));
	tcase_add_loop_test(tc, random_numbers_follow_from_the_seed, 0, 2);
	tcase_add_loop_test(tc, a_program_writes_records, 0, 2);
	tcase_add_test(tc, an_embedders_helper_has_its_arguments_tested);
	tcase_add_test(tc, helpers_have_the_kernels_names);
	suite_add_tcase(s, tc);
	return s;
}
