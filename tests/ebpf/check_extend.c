/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs that take the place of another one's function. */
#include "config.h"

#include "ebpf/prog.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Slot 5 begins a function of two numbers. */
#define TARGET                                                                                     \
	"r6 = r1\nr1 = 20\nr2 = 3\ncall pc+1\nexit\n"                                              \
	"r0 = r1\nr0 += r2\nexit\n"

static int
load(const char *text, const struct ebpf_load_opts *opts, struct ebpf_prog **prog,
     struct ebpf_err *err)
{
	struct ebpf_insn *insns;
	size_t n;
	int rc;

	ck_assert_int_eq(ebpf_asm(text, strlen(text), &insns, &n, err), 0);
	rc = ebpf_prog_load_opts(ebpf_prog_type_raw(), insns, n, opts, prog, err);
	free(insns);
	return rc;
}

static struct ebpf_prog *
must_load(const char *text, const struct ebpf_load_opts *opts)
{
	struct ebpf_prog *prog;
	struct ebpf_err err;

	ck_assert_msg(load(text, opts, &prog, &err) == 0, "%s: %s", text, err.text);
	return prog;
}

/* A program with a function that can be replaced. */
static struct ebpf_prog *
target_of(const char *text, uint32_t insn, uint8_t arg1, uint8_t arg2, uint64_t mem_size,
	  const struct ebpf_policy *policy)
{
	struct ebpf_func_opts func = { .size = sizeof(func), .insn = insn,
				       .args = { arg1, arg2 } };
	const struct ebpf_func_opts *funcs[] = { &func };
	struct ebpf_load_opts opts = { .size = sizeof(opts), .verify = EBPF_VERIFY_ON,
				       .mem_size = mem_size, .funcs = funcs, .n_funcs = 1,
				       .policy = policy };

	return must_load(text, &opts);
}

static struct ebpf_load_opts
extending(struct ebpf_prog *target, uint32_t insn)
{
	return (struct ebpf_load_opts){ .size = sizeof(struct ebpf_load_opts),
					.verify = EBPF_VERIFY_ON, .extends = target,
					.extends_insn = insn };
}

/* By both engines alike. */
static uint64_t
run(const struct ebpf_prog *prog, void *mem, size_t len)
{
	struct ebpf_err err;
	uint64_t r0, checked;

	ck_assert_msg(ebpf_prog_exec(prog, mem, len, &r0, &err) == 0, "%s", err.text);
	ck_assert_msg(ebpf_prog_run_checked(prog, mem, len, NULL, &checked, &err) == 0, "%s",
		      err.text);
	ck_assert_uint_eq(r0, checked);
	return r0;
}

START_TEST(a_function_is_replaced_and_restored)
{
	struct ebpf_policy policy = { .size = sizeof(policy),
				      .blinding = _i ? EBPF_BLINDING_ALWAYS : EBPF_BLINDING_OFF };
	struct ebpf_prog *target = target_of(TARGET, 5, EBPF_ARG_SCALAR, EBPF_ARG_SCALAR, 0,
					     &policy);
	struct ebpf_load_opts opts = extending(target, 5);
	struct ebpf_prog *ext;
	struct ebpf_err err;

	opts.policy = &policy;
	ext = must_load("*(u64 *)(r10 -8) = r1\ncall pc+2\nr0 += 1\nexit\n"
			"r0 = r1\nr0 *= r2\nexit\n", &opts);
	ck_assert_uint_eq(run(target, NULL, 0), 23);
	ck_assert_int_eq(ebpf_prog_extend(ext, &err), 0);
	ck_assert_uint_eq(run(target, NULL, 0), 61);
	ck_assert_int_eq(ebpf_prog_extend(ext, &err), -EBUSY);
	ck_assert_str_eq(err.text, "the program was put in a function's place before");
	ebpf_prog_put(ext);
	ck_assert_uint_eq(run(target, NULL, 0), 61);
	ck_assert_int_eq(ebpf_prog_restore(target, 5), 0);
	ck_assert_uint_eq(run(target, NULL, 0), 23);
	ck_assert_int_eq(ebpf_prog_restore(target, 5), -ENOENT);
	ck_assert_int_eq(ebpf_prog_restore(target, 4), -ENOENT);
	ebpf_prog_reap(target);
	ck_assert_uint_eq(run(target, NULL, 0), 23);
	ebpf_prog_put(target);
}
END_TEST

/* Callee-saved registers, stack and the memory are those of the caller. */
START_TEST(the_caller_keeps_what_is_its_own)
{
	static const char text[] = "r6 = r1\nr7 = 40\n*(u64 *)(r10 -8) = r7\n"
				   "call pc+4\nr1 = *(u64 *)(r10 -8)\nr0 += r1\nr0 += r7\nexit\n"
				   "r0 = *(u8 *)(r1 +0)\nexit\n";
	struct ebpf_prog *target = target_of(text, 8, EBPF_ARG_CTX, EBPF_ARG_NONE, 4, NULL);
	struct ebpf_load_opts opts = extending(target, 8);
	struct ebpf_prog *ext = must_load("r6 = 9\nr7 = 9\n*(u64 *)(r10 -8) = r6\n"
					  "r0 = *(u8 *)(r1 +3)\nexit\n", &opts);
	uint8_t mem[4] = { 1, 2, 3, 4 };
	struct ebpf_err err;

	ck_assert_uint_eq(run(target, mem, 4), 81);
	ck_assert_int_eq(ebpf_prog_extend(ext, &err), 0);
	ck_assert_uint_eq(run(target, mem, 4), 84);
	ebpf_prog_put(target);
	ebpf_prog_put(ext);
	/* Verified for memory of the other program's size. */
	target = target_of(text, 8, EBPF_ARG_CTX, EBPF_ARG_NONE, 3, NULL);
	opts = extending(target, 8);
	ck_assert_int_eq(load("r0 = *(u8 *)(r1 +3)\nexit\n", &opts, &ext, &err), -EACCES);
	ebpf_prog_put(target);
}
END_TEST

struct refusal {
	const char *text;
	uint32_t insn;
	uint8_t args[2];
	int rc;
	const char *err;
};

static const struct refusal refusals[] = {
	{ TARGET, 4, { EBPF_ARG_SCALAR, EBPF_ARG_SCALAR }, -EINVAL, "insn 4: not the first of a function" },
	{ TARGET, 0, { EBPF_ARG_NONE, EBPF_ARG_NONE }, -EINVAL, "insn 0: not the first of a function" },
	{ TARGET, 5, { EBPF_ARG_CTX, EBPF_ARG_SCALAR }, -EACCES,
	  "insn 3: r1 (scalar 20): the function wants the context" },
	{ TARGET, 5, { EBPF_ARG_SCALAR, EBPF_ARG_NONE }, -EACCES,
	  "insn 6: r2 is read, but was not written" },
	{ "call pc+1\nexit\nr0 = r1\nexit\n", 2, { EBPF_ARG_SCALAR, EBPF_ARG_NONE }, -EACCES,
	  "insn 0: r1 (mem 0): the function wants a number" },
	{ "r1 = 1\ncall pc+1\nexit\nr0 = *(u8 *)(r1 +0)\nexit\n", 3,
	  { EBPF_ARG_SCALAR, EBPF_ARG_NONE }, -EACCES,
	  "insn 3: r1 (scalar unknown) +0, read 1 bytes: not an address of memory" },
	{ TARGET, 5, { EBPF_ARG_MAP, EBPF_ARG_NONE }, -EINVAL,
	  "function at insn 5: r1 is neither a number nor the context" },
};

/* What is known of R2 does not matter to who may be in the function's place. */
START_TEST(functions_are_verified_by_themselves)
{
	const struct refusal *r = &refusals[_i];
	struct ebpf_func_opts func = { .size = sizeof(func), .insn = r->insn,
				       .args = { r->args[0], r->args[1] } };
	const struct ebpf_func_opts *funcs[] = { &func };
	struct ebpf_load_opts opts = { .size = sizeof(opts), .verify = EBPF_VERIFY_ON,
				       .mem_size = 8, .funcs = funcs, .n_funcs = 1 };
	struct ebpf_prog *prog;
	struct ebpf_err err;

	ck_assert_int_eq(load(r->text, &opts, &prog, &err), r->rc);
	ck_assert_str_eq(err.text, r->err);
}
END_TEST

/* A result of a function that can be replaced is any number. */
START_TEST(results_are_not_known)
{
	struct ebpf_func_opts func = { .size = sizeof(func), .insn = 5 };
	const struct ebpf_func_opts *funcs[] = { &func };
	struct ebpf_load_opts opts = { .size = sizeof(opts), .verify = EBPF_VERIFY_ON,
				       .mem_size = 8 };
	static const char text[] = "r6 = r1\ncall pc+3\nr6 += r0\nr0 = *(u8 *)(r6 +0)\nexit\n"
				   "r0 = 3\nexit\n";
	struct ebpf_prog *prog;
	struct ebpf_err err;

	ebpf_prog_put(must_load(text, &opts));
	opts.funcs = funcs;
	opts.n_funcs = 1;
	ck_assert_int_eq(load(text, &opts, &prog, &err), -EACCES);
}
END_TEST

START_TEST(what_is_refused)
{
	struct ebpf_prog *target = target_of(TARGET, 5, EBPF_ARG_SCALAR, EBPF_ARG_SCALAR, 0, NULL);
	struct ebpf_load_opts opts = extending(target, 5);
	struct ebpf_prog *ext, *other;
	struct ebpf_err err;
	uint64_t r0;

	ck_assert_int_eq(ebpf_prog_extend(target, &err), -EINVAL);
	ck_assert_str_eq(err.text, "the program was loaded for no function");
	opts.extends_insn = 6;
	ck_assert_int_eq(load("r0 = 1\nexit\n", &opts, &ext, &err), -ENOENT);
	ck_assert_str_eq(err.text, "insn 6: no function to be replaced");
	opts.extends_insn = 5;
	opts.verify = EBPF_VERIFY_OFF;
	ck_assert_int_eq(load("r0 = 1\nexit\n", &opts, &ext, &err), -EINVAL);
	opts.verify = EBPF_VERIFY_NO_LEAKS;
	ck_assert_int_eq(load("r0 = r3\nexit\n", &opts, &ext, &err), -EACCES);
	ext = must_load("r0 = r1\nexit\n", &opts);
	ck_assert_int_eq(ebpf_prog_exec(ext, NULL, 0, &r0, &err), -EINVAL);
	ck_assert_str_eq(err.text, "program runs in the place of a function only");
	ck_assert_int_eq(ebpf_prog_extend(ext, &err), 0);
	other = must_load("r0 = r2\nexit\n", &opts);
	ck_assert_int_eq(ebpf_prog_extend(other, &err), -EBUSY);
	ck_assert_str_eq(err.text, "the function at insn 5 is replaced already");
	ck_assert_uint_eq(run(target, NULL, 0), 20);
	ck_assert_int_eq(ebpf_prog_restore(target, 5), 0);
	ck_assert_int_eq(ebpf_prog_extend(other, &err), 0);
	ck_assert_uint_eq(run(target, NULL, 0), 3);
	ebpf_prog_put(other);
	ebpf_prog_put(ext);
	ebpf_prog_put(target);
}
END_TEST

START_TEST(functions_are_named_once_and_by_who_may)
{
	static const struct ebpf_prog_type other_type = { .name = "other" };
	struct ebpf_func_opts func = { .size = sizeof(func), .insn = 5,
				       .args = { EBPF_ARG_SCALAR, EBPF_ARG_SCALAR } };
	struct ebpf_func_opts bad = { .size = 1 };
	const struct ebpf_func_opts *funcs[EBPF_MAX_FUNCS + 1] = { &func, &func };
	struct ebpf_load_opts opts = { .size = sizeof(opts), .funcs = funcs, .n_funcs = 1 };
	struct ebpf_prog *prog = NULL, *target;
	static const struct ebpf_insn exit_insn = { .code = EBPF_JMP | EBPF_EXIT };
	struct ebpf_err err;
	int rc;

	ck_assert_int_eq(load(TARGET, &opts, &prog, &err), -EINVAL);
	ck_assert_str_eq(err.text, "functions of a program that is not verified");
	opts.verify = EBPF_VERIFY_ON;
	opts.n_funcs = EBPF_MAX_FUNCS + 1;
	ck_assert_int_eq(load(TARGET, &opts, &prog, &err), -E2BIG);
	ck_assert_str_eq(err.text, "257 functions, limit is 256");
	opts.n_funcs = 2;
	ck_assert_int_eq(load(TARGET, &opts, &prog, &err), -EINVAL);
	ck_assert_str_eq(err.text, "function at insn 5 named twice");
	funcs[1] = &bad;
	ck_assert_int_eq(load(TARGET, &opts, &prog, &err), -EINVAL);
	funcs[1] = NULL;
	opts.n_funcs = 1;
	func.args[2] = EBPF_ARG_MAP;
	ck_assert_int_eq(load(TARGET, &opts, &prog, &err), -EINVAL);
	ck_assert_str_eq(err.text, "function at insn 5: r3 is neither a number nor the context");
	func.args[2] = EBPF_ARG_NONE;

	target = must_load(TARGET, &opts);
	opts = extending(target, 5);
	opts.funcs = funcs;
	opts.n_funcs = 1;
	ck_assert_int_eq(load(TARGET, &opts, &prog, &err), -EINVAL);
	ck_assert_str_eq(err.text, "a program in a function's place has none itself");
	opts.n_funcs = 0;
	rc = ebpf_prog_load_opts(&other_type, &exit_insn, 1, &opts, &prog, &err);
	ck_assert_int_eq(rc, -EINVAL);
	ck_assert_str_eq(err.text, "function of a program of type raw, not other");
	ck_assert_ptr_null(prog);
	ebpf_prog_put(target);
}
END_TEST

/* Seven calls deep, the function may hold one frame: what calls another does not fit. */
START_TEST(frames_do_not_run_out)
{
	char text[512] = "";
	struct ebpf_prog *target, *ext;
	struct ebpf_load_opts opts;
	struct ebpf_err err;

	for (int i = 0; i < EBPF_MAX_FRAMES - 1; i++)
		strcat(text, "call pc+1\nexit\n");
	strcat(text, "r0 = 5\nexit\n");
	target = target_of(text, 2 * (EBPF_MAX_FRAMES - 1), EBPF_ARG_NONE, EBPF_ARG_NONE, 0, NULL);
	opts = extending(target, 2 * (EBPF_MAX_FRAMES - 1));
	ext = must_load("call pc+1\nexit\nr0 = 6\nexit\n", &opts);
	ck_assert_int_eq(ebpf_prog_extend(ext, &err), -E2BIG);
	ck_assert_str_eq(err.text, "2 frames in place of a function below 7, limit is 8");
	ebpf_prog_put(ext);
	ext = must_load("r0 = 6\nexit\n", &opts);
	ck_assert_int_eq(ebpf_prog_extend(ext, &err), 0);
	ck_assert_uint_eq(run(target, NULL, 0), 6);
	ebpf_prog_put(ext);
	ebpf_prog_put(target);
}
END_TEST

START_TEST(not_in_a_program_array)
{
	struct ebpf_map_opts kind = { .size = sizeof(kind), .type = EBPF_MAP_PROG_ARRAY,
				      .key_size = 4, .value_size = 4, .max_entries = 2 };
	struct ebpf_prog *target = target_of(TARGET, 5, EBPF_ARG_SCALAR, EBPF_ARG_SCALAR, 0, NULL);
	struct ebpf_load_opts opts = extending(target, 5);
	struct ebpf_prog *ext = must_load("r0 = r1\nexit\n", &opts);
	struct ebpf_map *map;
	struct ebpf_err err;

	ck_assert_int_eq(ebpf_map_new(&kind, &map, &err), 0);
	ck_assert_int_eq(ebpf_map_set_prog(map, 0, ext), -EINVAL);
	ck_assert_int_eq(ebpf_map_set_prog(map, 0, target), 0);
	ck_assert_int_eq(ebpf_prog_extend(ext, &err), -EBUSY);
	ck_assert_str_eq(err.text, "the program is in a program array");
	ck_assert_int_eq(ebpf_map_set_prog(map, 0, NULL), 0);
	ck_assert_int_eq(ebpf_prog_extend(ext, &err), -EBUSY);
	ebpf_map_reap(map);
	ck_assert_int_eq(ebpf_prog_extend(ext, &err), 0);
	ck_assert_int_eq(ebpf_map_set_prog(map, 0, target), -EBUSY);
	ck_assert_int_eq(ebpf_prog_restore(target, 5), 0);
	ck_assert_int_eq(ebpf_map_set_prog(map, 0, target), 0);
	ebpf_map_put(map);
	ebpf_prog_put(ext);
	ebpf_prog_put(target);
}
END_TEST

START_TEST(maps_are_bound)
{
	struct ebpf_map_opts kind = { .size = sizeof(kind), .type = EBPF_MAP_ARRAY, .key_size = 4,
				      .value_size = 4, .max_entries = 1 };
	struct ebpf_load_opts opts = { .size = sizeof(opts) };
	struct ebpf_map *maps[3], *got;
	struct ebpf_prog *prog;

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(ebpf_map_new(&kind, &maps[i], NULL), 0);
	opts.maps = maps;
	opts.n_maps = 1;
	prog = must_load("r0 = 0\nexit\n", &opts);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(ebpf_prog_bind_map(prog, maps[i]), 0);
		ck_assert_int_eq(ebpf_prog_bind_map(prog, maps[i]), 0);
	}
	for (size_t i = 0; i < 3; i++) {
		got = ebpf_prog_map(prog, i);
		ck_assert_ptr_eq(got, maps[i]);
		ebpf_map_put(got);
		ebpf_map_put(maps[i]);
	}
	ck_assert_ptr_null(ebpf_prog_map(prog, 3));
	/* The program keeps them. */
	got = ebpf_prog_map(prog, 2);
	ck_assert_ptr_eq(got, maps[2]);
	ebpf_map_put(got);
	ebpf_prog_put(prog);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("ebpf/extend");
	TCase *tc = tcase_create("replaced functions");

	tcase_add_loop_test(tc, a_function_is_replaced_and_restored, 0, 2);
	tcase_add_test(tc, the_caller_keeps_what_is_its_own);
	tcase_add_loop_test(tc, functions_are_verified_by_themselves, 0, N_ELEMS(refusals));
	tcase_add_test(tc, results_are_not_known);
	tcase_add_test(tc, what_is_refused);
	tcase_add_test(tc, functions_are_named_once_and_by_who_may);
	tcase_add_test(tc, frames_do_not_run_out);
	tcase_add_test(tc, not_in_a_program_array);
	tcase_add_test(tc, maps_are_bound);
	suite_add_tcase(s, tc);
	return s;
}
