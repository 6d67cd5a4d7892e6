/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs that are verified when they are loaded, and run without tests because of it. */
#include "config.h"

#include "ebpf/jit/jit.h"
#include "ebpf/map.h"
#include "ebpf/prog.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Load a text, whose 64-bit loads name maps by index; rc of the load. */
static int
load(const struct ebpf_prog_type *type, const char *text, const struct ebpf_load_opts *opts,
     struct ebpf_prog **prog, struct ebpf_err *err)
{
	struct ebpf_insn *insns;
	size_t n;
	int rc;

	ck_assert_int_eq(ebpf_asm(text, strlen(text), &insns, &n, err), 0);
	for (size_t pc = 0; pc < n; pc++) {
		if (insns[pc].code == (EBPF_LD | EBPF_DW))
			insns[pc++].src_reg = 1;
	}
	rc = ebpf_prog_load_opts(type, insns, n, opts, prog, err);
	free(insns);
	return rc;
}

static struct ebpf_load_opts
verified(enum ebpf_verify_mode mode, uint64_t mem_size)
{
	return (struct ebpf_load_opts){ .size = sizeof(struct ebpf_load_opts), .verify = mode,
					.mem_size = mem_size };
}

static struct ebpf_prog *
must_load(const char *text, const struct ebpf_load_opts *opts)
{
	struct ebpf_prog *prog;
	struct ebpf_err err;

	ck_assert_msg(load(ebpf_prog_type_raw(), text, opts, &prog, &err) == 0, "%s: %s", text,
		      err.text);
	return prog;
}

static uint64_t
must_exec(const struct ebpf_prog *prog, void *mem, size_t len)
{
	struct ebpf_err err;
	uint64_t r0;

	ck_assert_msg(ebpf_prog_exec(prog, mem, len, &r0, &err) == 0, "%s", err.text);
	return r0;
}

#define READ_AT_7 "r0 = *(u8 *)(r1 +7)\nexit\n"

START_TEST(verified_programs_run_fast)
{
	struct ebpf_load_opts opts = verified((enum ebpf_verify_mode)_i, 8);
	uint8_t mem[9] = { [7] = 77, [8] = 88 };
	struct ebpf_prog *prog = must_load(READ_AT_7, &opts);

	ck_assert_int_eq(ebpf_prog_runtime(prog),
			 EBPF_HAS_JIT ? EBPF_RUNTIME_JIT : EBPF_RUNTIME_INTERP);
	ck_assert_uint_eq(must_exec(prog, mem, 8), 77);
	ck_assert_uint_eq(must_exec(prog, mem, 9), 77);
	ebpf_prog_put(prog);
	prog = must_load("r0 = r2\nexit\n", &opts);
	ck_assert_uint_eq(must_exec(prog, mem, 9), 8);
	ebpf_prog_put(prog);
}
END_TEST

START_TEST(what_is_not_proven_is_not_loaded)
{
	struct ebpf_load_opts opts = verified(EBPF_VERIFY_ON, 7);
	struct ebpf_prog *prog = NULL;
	struct ebpf_err err;

	ck_assert_int_eq(load(ebpf_prog_type_raw(), READ_AT_7, &opts, &prog, &err), -EACCES);
	ck_assert_str_eq(err.text, "insn 0: r1 (mem 0) +7, read 1 bytes: offset up to 8 of 7");
	ck_assert_ptr_null(prog);
	ck_assert_int_eq(load(ebpf_prog_type_raw(), "goto pc-1\n", &opts, &prog, &err), -ELOOP);
	opts.mem_size = (uint64_t)INT32_MAX + 1;
	ck_assert_int_eq(load(ebpf_prog_type_raw(), READ_AT_7, &opts, &prog, &err), -EINVAL);
	ck_assert_str_eq(err.text, "load options: memory of 2147483648 bytes, limit is 2147483647");
	opts = verified((enum ebpf_verify_mode)3, 8);
	ck_assert_int_eq(load(ebpf_prog_type_raw(), READ_AT_7, &opts, &prog, &err), -EINVAL);
	ck_assert_str_eq(err.text, "load options: no verify mode 3");
}
END_TEST

START_TEST(runs_are_given_what_was_verified)
{
	struct ebpf_load_opts opts = verified(EBPF_VERIFY_ON, 8);
	_Alignas(8) uint8_t mem[16] = { 0 };
	struct ebpf_prog *prog = must_load(READ_AT_7, &opts);
	struct ebpf_err err;
	uint64_t r0 = 5;

	ck_assert_int_eq(ebpf_prog_exec(prog, mem, 7, &r0, &err), -EINVAL);
	ck_assert_str_eq(err.text, "memory of 7 bytes, but the program was verified for 8");
	ck_assert_uint_eq(r0, 5);
	ck_assert_uint_eq(must_exec(prog, mem + 1, 8), 0);
	ebpf_prog_put(prog);
	prog = must_load("r3 = 1\nlock *(u32 *)(r1 +4) += r3\nr0 = *(u32 *)(r1 +4)\nexit\n", &opts);
	ck_assert_int_eq(ebpf_prog_exec(prog, mem + 4, 8, &r0, &err), -EINVAL);
	ck_assert_str_eq(err.text, "memory at an address that is not a multiple of 8");
	ck_assert_uint_eq(must_exec(prog, mem, 8), 1);
	ebpf_prog_put(prog);
	opts.verify = EBPF_VERIFY_OFF;
	prog = must_load(READ_AT_7, &opts);
	ck_assert_int_eq(ebpf_prog_runtime(prog), EBPF_RUNTIME_CHECKED);
	ck_assert_int_eq(ebpf_prog_exec(prog, mem, 8, &r0, &err), -EINVAL);
	ck_assert_str_eq(err.text, "program was not verified when it was loaded");
	ebpf_prog_put(prog);
}
END_TEST

/* The verifier takes the memory's address for one: so it is never 0. */
START_TEST(no_memory_has_an_address)
{
	struct ebpf_load_opts opts = verified(EBPF_VERIFY_ON, 0);
	struct ebpf_prog *prog = must_load("r0 = 1\nif r1 != 0 goto pc+1\nr0 = 2\nexit\n", &opts);

	ck_assert_uint_eq(must_exec(prog, NULL, 0), 1);
	ebpf_prog_put(prog);
}
END_TEST

static void
collect(void *arg, const char *line)
{
	char *all = arg;

	ck_assert_ptr_null(strchr(line, '\n'));
	snprintf(all + strlen(all), 4096 - strlen(all), "%s\n", line);
}

START_TEST(the_walk_is_logged)
{
	struct ebpf_load_opts opts = verified(EBPF_VERIFY_ON, 8);
	char text[4096] = "";

	opts.log = collect;
	opts.log_arg = text;
	ebpf_prog_put(must_load(READ_AT_7, &opts));
	ck_assert_ptr_nonnull(strstr(text, "r0 = *(u8 *)(r1 +7)"));
	ck_assert_ptr_nonnull(strstr(text, "exit"));
}
END_TEST

/* ---- stack that was not written ---- */

/* A function that is called twice, and leaves something where it reads the next time. */
START_TEST(unwritten_stack_is_0)
{
	static const char text[] = "call pc+4\nr6 = r0\ncall pc+2\nr0 += r6\nexit\n"
				   "r0 = *(u64 *)(r10 -16)\nr1 = 7\n*(u64 *)(r10 -16) = r1\nexit\n";
	struct ebpf_load_opts opts = verified(EBPF_VERIFY_ON, 0);
	struct ebpf_policy policy = { .size = sizeof(policy) };
	struct ebpf_prog *prog;
	struct ebpf_err err;
	uint64_t r0;

	opts.policy = &policy;
	if (_i)
		policy.blinding = EBPF_BLINDING_UNTRUSTED;
	prog = must_load(text, &opts);
	for (int i = 0; i < 2; i++) {
		ck_assert_uint_eq(must_exec(prog, NULL, 0), 0);
		ck_assert_int_eq(ebpf_prog_run_checked(prog, NULL, 0, NULL, &r0, &err), 0);
		ck_assert_uint_eq(r0, 0);
	}
	ebpf_prog_put(prog);
	opts.verify = EBPF_VERIFY_NO_LEAKS;
	ck_assert_int_eq(load(ebpf_prog_type_raw(), text, &opts, &prog, &err), -EACCES);
	ck_assert_str_eq(err.text, "insn 5: r10 (fp+0) -16, read 8 bytes: byte at r10-16 was never written");
}
END_TEST

/* What runs before a function's first instruction would run again at each jump to it. */
START_TEST(a_loop_to_the_start_is_not_filled)
{
	static const char text[] = "r0 = *(u64 *)(r10 -8)\n*(u64 *)(r10 -8) = 1\n"
				   "if r0 == 0 goto pc-3\nexit\n";
	struct ebpf_load_opts opts = verified(EBPF_VERIFY_ON, 0);
	struct ebpf_prog *prog;
	struct ebpf_err err;

	ck_assert_int_eq(load(ebpf_prog_type_raw(), text, &opts, &prog, &err), -EACCES);
}
END_TEST

/* So for a function that something calls; a loop elsewhere in it is none to its start. */
START_TEST(a_function_that_loops_to_its_start_is_not_filled)
{
	static const char fatal[] = "r6 = 0\ncall pc+2\nr0 += r6\nexit\n"
				    "r0 = *(u64 *)(r10 -8)\n*(u64 *)(r10 -8) = 1\n"
				    "if r0 == 0 goto pc-3\nexit\n";
	static const char fine[] = "r6 = 0\ncall pc+2\nr0 += r6\nexit\n"
				   "r1 = 0\nr0 = *(u64 *)(r10 -8)\n*(u64 *)(r10 -8) = 1\nr1 += 1\n"
				   "if r1 < 3 goto pc-4\nexit\n";
	struct ebpf_load_opts opts = verified(EBPF_VERIFY_ON, 0);
	struct ebpf_prog *prog;
	struct ebpf_err err;

	ck_assert_int_eq(load(ebpf_prog_type_raw(), fatal, &opts, &prog, &err), -EACCES);
	ck_assert_ptr_nonnull(strstr(err.text, "byte at r10-8 was never written"));
	prog = must_load(fine, &opts);
	ck_assert_uint_eq(must_exec(prog, NULL, 0), 1);
	ebpf_prog_put(prog);
}
END_TEST

/* A jump of 32 bits leads to the start as any does. */
START_TEST(a_far_jump_to_the_start_is_a_loop)
{
	static const struct ebpf_insn insns[] = {
		{ .code = EBPF_LDX | EBPF_MEM | EBPF_DW, .src_reg = 10, .off = -8 },
		{ .code = EBPF_ST | EBPF_MEM | EBPF_DW, .dst_reg = 10, .off = -8, .imm = 1 },
		{ .code = EBPF_JMP | EBPF_JNE | EBPF_K, .off = 1 },
		{ .code = EBPF_JMP32 | EBPF_JA, .imm = -4 },
		{ .code = EBPF_JMP | EBPF_EXIT },
	};
	struct ebpf_load_opts opts = verified(EBPF_VERIFY_ON, 0);
	struct ebpf_prog *prog = NULL;
	struct ebpf_err err;

	ck_assert_int_eq(ebpf_prog_load_opts(ebpf_prog_type_raw(), insns, N_ELEMS(insns), &opts,
					     &prog, &err), -EACCES);
	ck_assert_ptr_nonnull(strstr(err.text, "byte at r10-8 was never written"));
	ck_assert_ptr_null(prog);
}
END_TEST

/* ---- helpers and tail calls ---- */

static uint64_t
helper_add(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, void *env)
{
	(void)r3, (void)r4, (void)r5, (void)env;
	return *(const uint8_t *)(uintptr_t)r1 + r2;
}

START_TEST(helpers_are_given_what_they_take)
{
	struct ebpf_helper_opts helper = { .size = sizeof(helper), .id = 1000, .name = "add",
					   .fn = helper_add,
					   .args = { EBPF_ARG_CTX, EBPF_ARG_SCALAR } };
	const struct ebpf_helper_opts *helpers[] = { &helper };
	struct ebpf_load_opts opts = verified(EBPF_VERIFY_ON, 8);
	uint8_t mem[8] = { 40 };
	struct ebpf_prog *prog;
	struct ebpf_err err;

	opts.helpers = helpers;
	opts.n_helpers = 1;
	prog = must_load("r2 = 2\ncall 1000\nexit\n", &opts);
	ck_assert_uint_eq(must_exec(prog, mem, 8), 42);
	ebpf_prog_put(prog);
	ck_assert_int_eq(load(ebpf_prog_type_raw(), "r1 += 1\nr2 = 2\ncall 1000\nexit\n", &opts, &prog,
			      &err), -EACCES);
	ck_assert_str_eq(err.text, "insn 2: r1 (mem 1): add wants the context");
	helper.args[0] = EBPF_ARG_MEM_READ;
	ck_assert_int_eq(load(ebpf_prog_type_raw(), "r0 = 0\nexit\n", &opts, &prog, &err), -EINVAL);
	ck_assert_str_eq(err.text, "helper 1000 (add): arguments that cannot be proven");
}
END_TEST

/* Declarations in which an argument says nothing without one that is not before it. */
static const struct {
	uint8_t args[5], ret;
	bool is_sound;
} declarations[] = {
	{ { EBPF_ARG_MEM_READ, EBPF_ARG_SIZE }, EBPF_RET_SCALAR, true },
	{ { EBPF_ARG_MEM_WRITE, EBPF_ARG_SIZE_OR_ZERO, EBPF_ARG_ANYTHING }, EBPF_RET_VOID, true },
	{ { EBPF_ARG_MAP, EBPF_ARG_MAP_KEY, EBPF_ARG_MAP_VALUE }, EBPF_RET_SCALAR, true },
	{ { EBPF_ARG_CTX, EBPF_ARG_MAP }, EBPF_RET_MAP_VALUE_OR_NULL, true },
	{ { EBPF_ARG_ANYTHING + 1 }, EBPF_RET_SCALAR, false },
	{ { EBPF_ARG_SIZE }, EBPF_RET_SCALAR, false },
	{ { EBPF_ARG_SCALAR, EBPF_ARG_SIZE_OR_ZERO }, EBPF_RET_SCALAR, false },
	{ { EBPF_ARG_MEM_READ, EBPF_ARG_SCALAR }, EBPF_RET_SCALAR, false },
	{ { EBPF_ARG_MAP_KEY, EBPF_ARG_MAP }, EBPF_RET_SCALAR, false },
	{ { EBPF_ARG_MAP_VALUE, EBPF_ARG_MAP }, EBPF_RET_SCALAR, false },
	{ { EBPF_ARG_CTX, EBPF_ARG_CTX, EBPF_ARG_CTX, EBPF_ARG_CTX, EBPF_ARG_MEM_READ },
	  EBPF_RET_SCALAR, false },
	{ { EBPF_ARG_CTX, EBPF_ARG_CTX, EBPF_ARG_CTX, EBPF_ARG_CTX, EBPF_ARG_MEM_WRITE },
	  EBPF_RET_SCALAR, false },
	{ { EBPF_ARG_SCALAR }, EBPF_RET_MAP_VALUE_OR_NULL, false },
	{ { EBPF_ARG_SCALAR }, EBPF_RET_MAP_VALUE_OR_NULL + 1, false },
};

START_TEST(helpers_say_what_can_be_proven)
{
	struct ebpf_helper_opts helper = { .size = sizeof(helper), .id = 1000, .name = "odd",
					   .fn = helper_add, .ret = declarations[_i].ret };
	const struct ebpf_helper_opts *const helpers[] = { &helper };
	struct ebpf_load_opts opts = verified(EBPF_VERIFY_ON, 0);
	struct ebpf_prog *prog = NULL;
	struct ebpf_err err = { "" };
	int rc;

	memcpy(helper.args, declarations[_i].args, sizeof(helper.args));
	opts.helpers = helpers;
	opts.n_helpers = 1;
	rc = load(ebpf_prog_type_raw(), "r0 = 0\nexit\n", &opts, &prog, &err);
	if (declarations[_i].is_sound) {
		ck_assert_msg(rc == 0, "%s", err.text);
	} else {
		ck_assert_int_eq(rc, -EINVAL);
		ck_assert_str_eq(err.text, "helper 1000 (odd): arguments that cannot be proven");
		ck_assert_ptr_null(prog);
	}
	ebpf_prog_put(prog);
}
END_TEST

/* The verifier tells maps apart by numbers of 16 bits. */
START_TEST(programs_with_too_many_maps_are_not_verified)
{
	enum { N = 70000 };
	struct ebpf_map_opts kind = { .size = sizeof(kind), .type = EBPF_MAP_ARRAY, .key_size = 4,
				      .value_size = 4, .max_entries = 1 };
	struct ebpf_map **maps = calloc(N, sizeof(*maps));
	struct ebpf_load_opts opts = verified(EBPF_VERIFY_ON, 0);
	struct ebpf_prog *prog = NULL;
	struct ebpf_err err;

	ck_assert_ptr_nonnull(maps);
	ck_assert_int_eq(ebpf_map_new(&kind, &maps[0], &err), 0);
	for (size_t i = 1; i < N; i++)
		maps[i] = maps[0];
	opts.maps = maps;
	opts.n_maps = N;
	ck_assert_int_eq(load(ebpf_prog_type_raw(), "r0 = 0\nexit\n", &opts, &prog, &err),
			 -E2BIG);
	ck_assert_ptr_nonnull(strstr(err.text, "program with 70000 maps, limit is "));
	ck_assert_ptr_null(prog);
	opts.n_maps = 100;
	prog = must_load("r0 = 3\nexit\n", &opts);
	ck_assert_uint_eq(must_exec(prog, NULL, 0), 3);
	ebpf_prog_put(prog);
	ebpf_map_put(maps[0]);
	free(maps);
}
END_TEST

/* A program that was verified for more memory than there is, is not gone on to. */
START_TEST(tail_calls_keep_within_the_memory)
{
	struct ebpf_map_opts kind = { .size = sizeof(kind), .type = EBPF_MAP_PROG_ARRAY,
				      .key_size = 4, .value_size = 4, .max_entries = 2 };
	const struct ebpf_policy policy = { .size = sizeof(policy),
					    .jit = _i == 0 ? EBPF_JIT_ON : EBPF_JIT_OFF };
	struct ebpf_load_opts opts = verified(EBPF_VERIFY_ON, 8);
	struct ebpf_prog *caller, *callees[2];
	uint8_t mem[16] = { [7] = 77, [15] = 88 };
	struct ebpf_map *map;
	struct ebpf_err err;
	uint64_t r0;

	ck_assert_int_eq(ebpf_map_new(&kind, &map, &err), 0);
	opts.policy = &policy;
	opts.mem_size = 6;
	callees[0] = must_load("r0 = r2\nexit\n", &opts);
	opts.mem_size = 16;
	callees[1] = must_load("r0 = *(u8 *)(r1 +15)\nexit\n", &opts);
	for (uint32_t i = 0; i < 2; i++)
		ck_assert_int_eq(ebpf_map_set_prog(map, i, callees[i]), 0);
	opts.mem_size = 8;
	opts.maps = &map;
	opts.n_maps = 1;
	caller = must_load("r6 = r1\nr3 = *(u8 *)(r1 +0)\nr2 = 0x0\ncall 12\n"
			   "r0 = 1\nexit\n", &opts);
	ck_assert_uint_eq(must_exec(caller, mem, 16), 6);
	ck_assert_int_eq(ebpf_prog_run_checked(caller, mem, 16, NULL, &r0, &err), 0);
	ck_assert_uint_eq(r0, 6);
	mem[0] = 1;
	ck_assert_uint_eq(must_exec(caller, mem, 16), 1);
	ebpf_prog_put(caller);
	for (int i = 0; i < 2; i++)
		ebpf_prog_put(callees[i]);
	ebpf_map_put(map);
}
END_TEST

START_TEST(statistics_count_verified_runs)
{
	struct ebpf_load_opts opts = verified(EBPF_VERIFY_ON, 8);
	struct ebpf_prog *prog = must_load(READ_AT_7, &opts);
	struct ebpf_stats stats = { .size = sizeof(stats) };
	uint8_t mem[8] = { 0 };

	ck_assert_int_eq(ebpf_prog_count(prog, 1, NULL), 0);
	for (int i = 0; i < 5; i++)
		must_exec(prog, mem, 8);
	ebpf_prog_stats(prog, &stats);
	ck_assert_uint_eq(stats.runs, 5);
	ebpf_prog_put(prog);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("ebpf/prove");
	TCase *tc = tcase_create("verified programs");

	tcase_add_loop_test(tc, verified_programs_run_fast, EBPF_VERIFY_ON,
			    EBPF_VERIFY_NO_LEAKS + 1);
	tcase_add_test(tc, what_is_not_proven_is_not_loaded);
	tcase_add_test(tc, runs_are_given_what_was_verified);
	tcase_add_test(tc, no_memory_has_an_address);
	tcase_add_test(tc, the_walk_is_logged);
	tcase_add_loop_test(tc, unwritten_stack_is_0, 0, 2);
	tcase_add_test(tc, a_loop_to_the_start_is_not_filled);
	tcase_add_test(tc, a_function_that_loops_to_its_start_is_not_filled);
	tcase_add_test(tc, a_far_jump_to_the_start_is_a_loop);
	tcase_add_test(tc, helpers_are_given_what_they_take);
	tcase_add_loop_test(tc, helpers_say_what_can_be_proven, 0, (int)N_ELEMS(declarations));
	tcase_add_test(tc, programs_with_too_many_maps_are_not_verified);
	tcase_add_loop_test(tc, tail_calls_keep_within_the_memory, 0, 2);
	tcase_add_test(tc, statistics_count_verified_runs);
	suite_add_tcase(s, tc);
	return s;
}
