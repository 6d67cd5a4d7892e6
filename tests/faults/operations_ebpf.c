/* SPDX-License-Identifier: BSD-2-Clause */
/* Extended programs: loaded in every way, run, extended, counted; maps of each type. */
#include "config.h"

#include "tests/faults/operations.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/object.h"
#include "tests/support/suite.h"

/* Of 4 bytes: branches that meet again, a loop, a call, an atomic addition. */
static const char branches[] = "r6 = r1\n"
			       "r7 = 0\n"
			       "r8 = *(u8 *)(r6 +0)\n"
			       "if r8 > 0x7 goto pc+1\n"
			       "r7 += 1\n"
			       "if r8 & 0x1 goto pc+1\n"
			       "r7 += 2\n"
			       "*(u64 *)(r10 -8) = r7\n"
			       "r9 = 0\n"
			       "r9 += 1\n"
			       "r1 = r9\n"
			       "call pc+4\n"
			       "if r9 < 0x5 goto pc-4\n"
			       "lock *(u64 *)(r10 -8) += r7\n"
			       "r0 = *(u64 *)(r10 -8)\n"
			       "exit\n"
			       "r0 = r1\n"
			       "r0 *= 0x10001\n"
			       "exit\n";

/* Slot 5 begins a function of two numbers. */
static const char replaceable[] = "r6 = r1\nr1 = 20\nr2 = 3\ncall pc+1\nexit\n"
				  "r0 = r1\nr0 += r2\nexit\n";

/* Counts in the element 7 of a map of 8-byte keys and values. */
#define K(c, d, s, o, i) { .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) }
#define CALL(id) K(0x85, 0, 0, 0, id)
#define MAP(d, i) K(0x18, d, 1, 0, i), K(0, 0, 0, 0, 0)
static const struct ebpf_insn counter[] = {
	K(0x7a, 10, 0, -8, 7),                  /* *(u64 *)(r10 -8) = 7 */
	K(0x7a, 10, 0, -16, 1),                 /* *(u64 *)(r10 -16) = 1 */
	MAP(1, 0),
	K(0xbf, 2, 10, 0, 0), K(0x07, 2, 0, 0, -8),
	CALL(1),
	K(0x55, 0, 0, 10, 0),                   /* if r0 != 0 goto count */
	MAP(1, 0),
	K(0xbf, 2, 10, 0, 0), K(0x07, 2, 0, 0, -8),
	K(0xbf, 3, 10, 0, 0), K(0x07, 3, 0, 0, -16),
	K(0xb7, 4, 0, 0, 0),
	CALL(2),
	K(0xb7, 0, 0, 0, 0),
	K(0x95, 0, 0, 0, 0),
	K(0xb7, 1, 0, 0, 1),
	K(0xdb, 0, 1, 0, 1),                    /* *r0 += r1, fetching it */
	K(0xbf, 0, 1, 0, 0),
	K(0x95, 0, 0, 0, 0),
};

static struct ebpf_insn *insns;
static size_t n_insns;

static void
assemble(const char *text)
{
	struct ebpf_err err = { "" };

	ck_assert_msg(ebpf_asm(text, strlen(text), &insns, &n_insns, &err) == 0, "%s", err.text);
}

static void
make_branches(void)
{
	assemble(branches);
}

/* Long enough for the array to grow. */
static int
assemble_again(struct ebpf_err *err)
{
	static char text[64 * sizeof(branches)];
	struct ebpf_insn *got = UNTOUCHED;
	size_t n = 0;
	int rc;

	for (size_t i = 0; i < 64; i++)
		memcpy(text + i * (sizeof(branches) - 1), branches, sizeof(branches) - 1);
	rc = ebpf_asm(text, strlen(text), &got, &n, err);
	if (rc < 0) {
		EXPECT(got == UNTOUCHED);
		return rc;
	}
	EXPECT(n == 64 * n_insns);
	free(got);
	return 0;
}

static int
load(const struct ebpf_insn *text, size_t n, const struct ebpf_load_opts *opts,
     struct ebpf_prog **prog, struct ebpf_err *err)
{
	int rc;

	*prog = UNTOUCHED;
	rc = ebpf_prog_load_opts(ebpf_prog_type_raw(), text, n, opts, prog, err);
	if (rc < 0) {
		EXPECT(*prog == UNTOUCHED);
		*prog = NULL;
	}
	return rc;
}

static int
load_branches(enum ebpf_jit jit, enum ebpf_blinding blinding, struct ebpf_err *err)
{
	const struct ebpf_policy policy = { .size = sizeof(policy), .jit = jit,
					    .blinding = blinding };
	const struct ebpf_load_opts opts = { .size = sizeof(opts), .mem_size = 4,
					     .verify = EBPF_VERIFY_ON, .policy = &policy };
	_Alignas(8) uint8_t mem[4] = { 4 };
	struct ebpf_prog *prog;
	uint64_t r0 = 99;
	int rc = load(insns, n_insns, &opts, &prog, err);

	if (rc < 0)
		return rc;
	/* Whatever is left to run it gets it right. */
	EXPECT(ebpf_prog_exec(prog, mem, sizeof(mem), &r0, err) == 0);
	EXPECT(r0 == 6);
	r0 = 99;
	rc = ebpf_prog_run_checked(prog, mem, sizeof(mem), NULL, &r0, err);
	EXPECT(r0 == (rc < 0 ? 99u : 6u));
	ebpf_prog_put(prog);
	return rc;
}

static int
load_interpreted(struct ebpf_err *err)
{
	return load_branches(EBPF_JIT_OFF, EBPF_BLINDING_OFF, err);
}

static int
load_compiled(struct ebpf_err *err)
{
	return load_branches(EBPF_JIT_ON, EBPF_BLINDING_OFF, err);
}

static int
load_blinded(struct ebpf_err *err)
{
	return load_branches(EBPF_JIT_ON, EBPF_BLINDING_ALWAYS, err);
}

/*
 * Five constants a round, and random numbers are drawn for 64 at a time: so that these run
 * out at each of them in turn.
 */
static int
load_blinded_constants(struct ebpf_err *err)
{
	enum { ROUNDS = 60 };
	static const struct ebpf_insn round[] = {
		K(0x07, 0, 0, 0, 5),                     /* r0 += 5 */
		K(0x18, 1, 0, 0, 1), K(0, 0, 0, 0, 2),   /* r1 = a constant of 64 bits */
		K(0x62, 10, 0, -8, 7),                   /* *(u32 *)(r10 -8) = 7 */
		K(0x15, 0, 0, 0, 3),                     /* if r0 == 3 goto pc+0 */
	};
	static struct ebpf_insn text[1 + ROUNDS * N_ELEMS(round) + 1] = { K(0xb7, 0, 0, 0, 0) };
	const struct ebpf_policy policy = { .size = sizeof(policy),
					    .blinding = EBPF_BLINDING_ALWAYS };
	const struct ebpf_load_opts opts = { .size = sizeof(opts), .policy = &policy };
	struct ebpf_prog *prog;
	uint64_t r0 = 99;
	int rc;

	for (size_t i = 0; i < ROUNDS; i++)
		memcpy(text + 1 + i * N_ELEMS(round), round, sizeof(round));
	text[N_ELEMS(text) - 1] = (struct ebpf_insn)K(0x95, 0, 0, 0, 0);
	if ((rc = load(text, N_ELEMS(text), &opts, &prog, err)) < 0)
		return rc;
	rc = ebpf_prog_run_checked(prog, NULL, 0, NULL, &r0, err);
	EXPECT(r0 == (rc < 0 ? 99u : 5u * ROUNDS));
	ebpf_prog_put(prog);
	return rc;
}

static int
load_unverified(struct ebpf_err *err)
{
	_Alignas(8) uint8_t mem[4] = { 4 };
	struct ebpf_prog *prog;
	uint64_t r0 = 99;
	int rc = load(insns, n_insns, NULL, &prog, err);

	if (rc < 0)
		return rc;
	rc = ebpf_prog_run_checked(prog, mem, sizeof(mem), NULL, &r0, err);
	EXPECT(r0 == (rc < 0 ? 99u : 6u));
	ebpf_prog_put(prog);
	return rc;
}

static int
count_runs(struct ebpf_err *err)
{
	const struct ebpf_load_opts opts = { .size = sizeof(opts), .mem_size = 4,
					     .verify = EBPF_VERIFY_ON };
	struct ebpf_stats stats = { .size = sizeof(stats) };
	_Alignas(8) uint8_t mem[4] = { 4 };
	struct ebpf_prog *prog;
	uint64_t r0 = 99;
	int rc = load(insns, n_insns, &opts, &prog, err);

	if (rc < 0)
		return rc;
	if ((rc = ebpf_prog_count(prog, 1, err)) == 0) {
		for (int i = 0; i < 3; i++)
			EXPECT(ebpf_prog_exec(prog, mem, sizeof(mem), &r0, err) == 0);
		EXPECT(r0 == 6);
		ebpf_prog_stats(prog, &stats);
		EXPECT(stats.runs == 3);
	}
	ebpf_prog_put(prog);
	return rc;
}

/* ---- a function is replaced ---- */

static struct ebpf_insn *other;
static size_t n_other;

static void
make_replaceable(void)
{
	static const char text[] = "r0 = r1\nr0 *= r2\nexit\n";

	assemble(replaceable);
	ck_assert_int_eq(ebpf_asm(text, sizeof(text) - 1, &other, &n_other, NULL), 0);
}

/* A run for which the thread had no memory was not made, and is counted as such. */
static bool
gives(const struct ebpf_prog *prog, uint64_t expected)
{
	struct ebpf_stats before = { .size = sizeof(before) }, after = { .size = sizeof(after) };
	uint64_t r0 = 99;

	ebpf_prog_stats(prog, &before);
	if (ebpf_prog_exec(prog, NULL, 0, &r0, NULL) < 0)
		return false;
	ebpf_prog_stats(prog, &after);
	return after.misses > before.misses ? r0 == 0 : r0 == expected;
}

static int
replace(struct ebpf_err *err)
{
	const struct ebpf_func_opts func = { .size = sizeof(func), .insn = 5,
					     .args = { EBPF_ARG_SCALAR, EBPF_ARG_SCALAR } };
	const struct ebpf_func_opts *const funcs[] = { &func };
	struct ebpf_load_opts opts = { .size = sizeof(opts), .verify = EBPF_VERIFY_ON,
				       .funcs = funcs, .n_funcs = 1 };
	struct ebpf_prog *target, *ext = NULL;
	uint64_t expected = 23;
	int rc = load(insns, n_insns, &opts, &target, err);

	if (rc < 0)
		return rc;
	opts = (struct ebpf_load_opts){ .size = sizeof(opts), .verify = EBPF_VERIFY_ON,
					.extends = target, .extends_insn = 5 };
	if ((rc = load(other, n_other, &opts, &ext, err)) == 0 &&
	    (rc = ebpf_prog_extend(ext, err)) == 0) {
		EXPECT(gives(target, 60));
		if ((rc = ebpf_prog_restore(target, 5)) < 0) {
			memcpy(err->text, "restore", sizeof("restore"));
			expected = 60;
		} else {
			ebpf_prog_reap(target);
		}
	}
	EXPECT(gives(target, expected));
	/* Who had no pages for machine code is interpreted, and fits no other. */
	if (rc == -EINVAL && ebpf_prog_runtime(ext) != ebpf_prog_runtime(target))
		rc = -ENOMEM;
	ebpf_prog_put(ext);
	ebpf_prog_put(target);
	return rc;
}

/* ---- maps ---- */

static int
use_map(uint32_t type, uint32_t key_size, uint32_t value_size, uint32_t n_entries, uint32_t flags,
	struct ebpf_err *err)
{
	const struct ebpf_map_opts opts = { .size = sizeof(opts), .type = type,
					    .key_size = key_size, .value_size = value_size,
					    .max_entries = n_entries, .flags = flags, .name = "m" };
	struct ebpf_map *map = UNTOUCHED;
	uint64_t key[1] = { 7 }, value = 5, got = 0;
	int rc = ebpf_map_new(&opts, &map, err);

	if (rc < 0) {
		EXPECT(map == UNTOUCHED);
		return rc;
	}
	if (type != EBPF_MAP_RINGBUF && type != EBPF_MAP_PROG_ARRAY) {
		rc = ebpf_map_update(map, key, &value, 0);
		if (rc < 0) {
			memcpy(err->text, "update", sizeof("update"));
		} else {
			EXPECT(ebpf_map_lookup(map, key, &got) == 0);
			EXPECT(got == 5);
		}
	}
	ebpf_map_put(map);
	return rc;
}

static int
use_maps(struct ebpf_err *err)
{
	int rc;

	if ((rc = use_map(EBPF_MAP_ARRAY, 4, 8, 16, 0, err)) < 0 ||
	    (rc = use_map(EBPF_MAP_HASH, 8, 8, 16, 0, err)) < 0 ||
	    (rc = use_map(EBPF_MAP_HASH, 8, 8, 16, EBPF_MAP_NO_PREALLOC, err)) < 0 ||
	    (rc = use_map(EBPF_MAP_LPM_TRIE, 8, 8, 16, EBPF_MAP_NO_PREALLOC, err)) < 0 ||
	    (rc = use_map(EBPF_MAP_PERCPU_ARRAY, 4, 8, 16, 0, err)) < 0 ||
	    (rc = use_map(EBPF_MAP_RINGBUF, 0, 0, 4096, 0, err)) < 0)
		return rc;
	return use_map(EBPF_MAP_PROG_ARRAY, 4, 4, 4, 0, err);
}

/* A program counts in a map.  Where a per-processor value cannot be had, helpers say so. */
static int
count_in(uint32_t type, uint32_t key_size, struct ebpf_err *err)
{
	const struct ebpf_map_opts kind = { .size = sizeof(kind), .type = type,
					    .key_size = key_size, .value_size = 8,
					    .max_entries = 16, .name = "m" };
	struct ebpf_map *map, *bound = NULL;
	struct ebpf_load_opts opts = { .size = sizeof(opts), .maps = &map, .n_maps = 1,
				       .verify = EBPF_VERIFY_ON };
	struct ebpf_prog *prog;
	uint64_t r0 = 99;
	int rc = ebpf_map_new(&kind, &map, err);

	if (rc < 0)
		return rc;
	if ((rc = load(counter, N_ELEMS(counter), &opts, &prog, err)) == 0) {
		for (int i = 0; i < 3 && rc == 0; i++)
			rc = ebpf_prog_exec(prog, NULL, 0, &r0, err);
		if (rc == 0 && (rc = ebpf_map_new(&kind, &bound, err)) == 0 &&
		    (rc = ebpf_prog_bind_map(prog, bound)) < 0)
			memcpy(err->text, "bind", sizeof("bind"));
		ebpf_map_put(bound);
		ebpf_prog_put(prog);
	}
	ebpf_map_put(map);
	return rc;
}

static int
count_in_maps(struct ebpf_err *err)
{
	int rc = count_in(EBPF_MAP_HASH, 8, err);

	return rc < 0 ? rc : count_in(EBPF_MAP_PERCPU_ARRAY, 4, err);
}

static int
call_tails(struct ebpf_err *err)
{
	const struct ebpf_map_opts kind = { .size = sizeof(kind), .type = EBPF_MAP_PROG_ARRAY,
					    .key_size = 4, .value_size = 4, .max_entries = 4 };
	struct ebpf_map *map;
	struct ebpf_prog *prog;
	int rc = ebpf_map_new(&kind, &map, err);

	if (rc < 0)
		return rc;
	if ((rc = load(insns, n_insns, NULL, &prog, err)) == 0) {
		for (uint32_t i = 0; i < 4 && rc == 0; i++)
			rc = ebpf_map_set_prog(map, i, prog);
		if (rc == 0 && (rc = ebpf_map_set_prog(map, 1, NULL)) == 0)
			ebpf_map_reap(map);
		if (rc < 0)
			memcpy(err->text, "set", sizeof("set"));
		ebpf_prog_put(prog);
	}
	ebpf_map_put(map);
	return rc;
}

/* ---- helpers of the host's, and object files ---- */

static uint64_t
double_it(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, void *env)
{
	(void)r2, (void)r3, (void)r4, (void)r5, (void)env;
	return 2 * r1;
}

static int
call_helper(struct ebpf_err *err)
{
	static const struct ebpf_insn text[] = {
		K(0xb7, 1, 0, 0, 21), CALL(1000), K(0x95, 0, 0, 0, 0),
	};
	const struct ebpf_helper_opts helper = { .size = sizeof(helper), .id = 1000,
						 .name = "double_it", .fn = double_it,
						 .args = { EBPF_ARG_SCALAR } };
	const struct ebpf_helper_opts *const helpers[] = { &helper };
	const struct ebpf_load_opts opts = { .size = sizeof(opts), .verify = EBPF_VERIFY_ON,
					     .helpers = helpers, .n_helpers = 1 };
	struct ebpf_prog *prog;
	int rc = load(text, N_ELEMS(text), &opts, &prog, err);

	if (rc < 0)
		return rc;
	EXPECT(gives(prog, 42));
	ebpf_prog_put(prog);
	return 0;
}

/* Reads stack that nobody has written, which is filled with 0 before. */
static void
make_reader_of_stack(void)
{
	assemble("r0 = *(u64 *)(r10 -8)\nr1 = *(u64 *)(r10 -128)\nr0 += r1\nr0 += 7\nexit\n");
}

static int
read_stack(struct ebpf_err *err)
{
	const struct ebpf_load_opts opts = { .size = sizeof(opts), .verify = EBPF_VERIFY_ON };
	struct ebpf_prog *prog;
	int rc = load(insns, n_insns, &opts, &prog, err);

	if (rc < 0)
		return rc;
	EXPECT(gives(prog, 7));
	ebpf_prog_put(prog);
	return 0;
}

static uint8_t *object;
static size_t object_len;

/* Two functions, two maps, data. */
static void
make_object(void)
{
	static const char text[] =
		"struct { int (*type)[2]; int (*max_entries)[2]; unsigned *key; int *value; }\n"
		"	counts __attribute__((section(\".maps\"), used));\n"
		"struct { int (*type)[1]; int (*max_entries)[2]; unsigned *key; int *value; }\n"
		"	others __attribute__((section(\".maps\"), used));\n"
		"static void *(*const lookup)(void *, const void *) = (void *)1;\n"
		"int total = 5;\n"
		"__attribute__((noinline)) int twice(int x) { return x * 2 + total; }\n"
		"__attribute__((section(\"xdp\"))) int entry(void *ctx)\n"
		"{ unsigned k = 1; int *p = lookup(&counts, &k);\n"
		"  return p ? twice(*p + 3) + (lookup(&others, &k) == 0) : 0; }\n";
	const char *why = object_make(text, "bpf", &object, &object_len);
	struct ebpf_object *o;
	struct ebpf_err err = { "" };

	if (why != NULL) {
		operation_skip(why);
	} else if (ebpf_object_open(object, object_len, &o, &err) == 0) {
		ebpf_object_close(o);
	} else {
		ck_assert_msg(strstr(err.text, "without libelf") != NULL, "%s", err.text);
		operation_skip("built without libelf");
	}
}

static int
load_object(struct ebpf_err *err)
{
	const struct ebpf_load_opts opts = { .size = sizeof(opts), .verify = EBPF_VERIFY_ON };
	struct ebpf_object *o = UNTOUCHED;
	struct ebpf_prog *prog = UNTOUCHED;
	int rc = ebpf_object_open(object, object_len, &o, err);

	if (rc < 0) {
		EXPECT(o == UNTOUCHED);
		return rc;
	}
	rc = ebpf_object_load(o, NULL, NULL, ebpf_prog_type_raw(), &opts, &prog, err);
	ebpf_object_close(o);
	if (rc < 0) {
		EXPECT(prog == UNTOUCHED);
		return rc;
	}
	EXPECT(gives(prog, 3 * 2 + 5 + 1));
	ebpf_prog_put(prog);
	return 0;
}

const struct operation operations_ebpf[] = {
	{ "the assembler", make_branches, assemble_again },
	{ "a verified program, interpreted", make_branches, load_interpreted },
	{ "a verified program, as machine code", make_branches, load_compiled },
	{ "a verified program, blinded", make_branches, load_blinded },
	{ "many constants, blinded", NULL, load_blinded_constants },
	{ "a program that is not verified", make_branches, load_unverified },
	{ "runs are counted", make_branches, count_runs },
	{ "a function is replaced", make_replaceable, replace },
	{ "maps of each type", NULL, use_maps },
	{ "programs with maps", NULL, count_in_maps },
	{ "programs in an array", make_branches, call_tails },
	{ "a helper of the host's", NULL, call_helper },
	{ "a stack that is filled", make_reader_of_stack, read_stack },
	{ "an object file", make_object, load_object },
};
const size_t n_operations_ebpf = N_ELEMS(operations_ebpf);
