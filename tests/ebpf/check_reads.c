/* SPDX-License-Identifier: BSD-2-Clause */
/* What batches fetch of data to come: what is found in programs, and that results are the same. */
#include "config.h"

#include "ebpf/reads.h"

#include "ebpf/insn.h"
#include "ebpf/jit/jit.h"
#include "ebpf/prog.h"
#include "tests/support/suite.h"

#include <stdlib.h>
#include <string.h>

struct context {
	const uint8_t *data;
	uint32_t len, number;
};
/* The programs below are of machines with 8 bytes of address. */
enum { DATA = 0, LEN = 8, NUMBER = 12, NEAR = 38 };

static const struct ebpf_prog_type type = {
	.name = "data", .data_near = NEAR, .data_off = DATA,
};

static const struct {
	const char *name, *text;
	struct ebpf_reads reads;
} programs[] = {
	{ "nothing", "r0 = 7\nexit\n", { .any = false } },
	{ "numbers alone", "r0 = *(u32 *)(r1 +8)\nexit\n", { .any = false } },
	{ "the stack", "*(u64 *)(r10 -8) = r1\nr0 = *(u32 *)(r10 -8)\nexit\n", { .any = false } },
	{ "a type", "r3 = *(u64 *)(r1 +0)\nr0 = *(u16 *)(r3 +12)\nexit\n",
	  { .any = true, .from = 12, .to = 13 } },
	{ "two fields",
	  "r3 = *(u64 *)(r1 +0)\nr0 = *(u8 *)(r3 +23)\nr0 = *(u16 *)(r3 +12)\nexit\n",
	  { .any = true, .from = 12, .to = 23 } },
	{ "by way of a copy of the context",
	  "r6 = r1\nr7 = *(u64 *)(r6 +0)\nr0 = *(u32 *)(r7 +26)\nexit\n",
	  { .any = true, .from = 26, .to = 29 } },
	{ "somewhere behind a header",
	  "r3 = *(u64 *)(r1 +0)\nr4 = *(u8 *)(r3 +14)\nr4 &= 15\nr4 += r3\n"
	  "r0 = *(u16 *)(r4 +16)\nexit\n",
	  { .any = true, .from = 14, .to = NEAR - 1 } },
	{ "near and far", "r3 = *(u64 *)(r1 +0)\nr0 = *(u8 *)(r3 +14)\nr0 = *(u64 *)(r3 +31)\nexit\n",
	  { .any = true, .from = 14, .to = 14 } },
	{ "far alone", "r3 = *(u64 *)(r1 +0)\nr0 = *(u8 *)(r3 +38)\nexit\n", { .any = true } },
	{ "before the beginning", "r3 = *(u64 *)(r1 +0)\nr0 = *(u8 *)(r3 -1)\nexit\n",
	  { .any = true } },
	{ "a short guard",
	  "r0 = *(u32 *)(r1 +8)\nif r0 < 0x40 goto pc+2\nr3 = *(u64 *)(r1 +0)\n"
	  "r0 = *(u8 *)(r3 +9)\nexit\n",
	  { .any = true, .from = 9, .to = 9 } },
	{ "less than a long one",
	  "r0 = *(u32 *)(r1 +8)\nif r0 < 0x3e8 goto pc+2\nr3 = *(u64 *)(r1 +0)\n"
	  "r0 = *(u8 *)(r3 +9)\nexit\n",
	  { .any = true, .from = 9, .to = 9, .has_guard = true, .guard_off = LEN,
	    .guard_least = 1000 } },
	{ "at most a long one, behind a short one",
	  "r0 = *(u32 *)(r1 +8)\nif r0 < 0xe goto pc+4\nr0 = *(u32 *)(r1 +12)\n"
	  "if r0 <= 0x3e8 goto pc+2\nr3 = *(u64 *)(r1 +0)\nr0 = *(u8 *)(r3 +9)\nexit\n",
	  { .any = true, .from = 9, .to = 9, .has_guard = true, .guard_off = NUMBER,
	    .guard_least = 1001 } },
	{ "more than one, which says nothing of the rest",
	  "r0 = *(u32 *)(r1 +8)\nif r0 > 0x3e8 goto pc+2\nr3 = *(u64 *)(r1 +0)\n"
	  "r0 = *(u8 *)(r3 +9)\nexit\n",
	  { .any = true, .from = 9, .to = 9 } },
	{ "of another register",
	  "r2 = 5\nr0 = *(u32 *)(r1 +8)\nif r2 < 0x3e8 goto pc+2\nr3 = *(u64 *)(r1 +0)\n"
	  "r0 = *(u8 *)(r3 +9)\nexit\n",
	  { .any = true, .from = 9, .to = 9 } },
	{ "the last number",
	  "r0 = *(u32 *)(r1 +8)\nif r0 <= 0x7fffffff goto pc+2\nr3 = *(u64 *)(r1 +0)\n"
	  "r0 = *(u8 *)(r3 +9)\nexit\n",
	  { .any = true, .from = 9, .to = 9 } },
	{ "a wide constant between",
	  "(18) r2 = 0x123456789abcdef\nr3 = *(u64 *)(r1 +0)\nr0 = *(u8 *)(r3 +9)\nexit\n",
	  { .any = true, .from = 9, .to = 9 } },
};

static size_t
assemble(const char *text, struct ebpf_insn **insns)
{
	struct ebpf_err err;
	size_t n;

	ck_assert_msg(ebpf_asm(text, strlen(text), insns, &n, &err) == 0, "%s", err.text);
	return n;
}

START_TEST(first_and_last_byte_and_guard_are_found)
{
	const struct ebpf_reads *expected = &programs[_i].reads;
	struct ebpf_prog_type without = { .name = "without" };
	struct ebpf_reads reads;
	struct ebpf_insn *insns;
	size_t n = assemble(programs[_i].text, &insns);

	ebpf_find_reads(&type, insns, n, &reads);
	ck_assert_msg(reads.any == expected->any, "%s", programs[_i].name);
	ck_assert_msg(!reads.any || (reads.from == expected->from && reads.to == expected->to),
		      "%s: from %u to %u", programs[_i].name, reads.from, reads.to);
	ck_assert_msg(reads.has_guard == expected->has_guard &&
			      reads.guard_off == expected->guard_off &&
			      reads.guard_least == expected->guard_least,
		      "%s: guard %d, at %u, %d", programs[_i].name, reads.has_guard, reads.guard_off,
		      reads.guard_least);
	ebpf_find_reads(&without, insns, n, &reads);
	ck_assert(!reads.any);
	free(insns);
}
END_TEST

/* Data of the contexts that a guard lets through, and addresses that nobody may read. */
static void
fill(struct context *contexts, size_t n, const uint8_t *data)
{
	for (size_t i = 0; i < n; i++) {
		bool is_long = i % 3 != 0;

		contexts[i] = (struct context) {
			.data = is_long ? data + i : (const uint8_t *)(uintptr_t)i,
			.len = is_long ? 1000 + (uint32_t)i : (uint32_t)i,
			.number = (uint32_t)i,
		};
	}
}

START_TEST(batches_of_any_length_are_so_many_single_runs)
{
	enum { N = 200 };
	static const char text[] =
		"r0 = *(u32 *)(r1 +8)\nif r0 < 0x3e8 goto pc+2\nr3 = *(u64 *)(r1 +0)\n"
		"r0 = *(u8 *)(r3 +9)\nexit\n";
	struct ebpf_policy policy = { .size = sizeof(policy),
				      .jit = _i == 0 ? EBPF_JIT_OFF : EBPF_JIT_REQUIRED };
	static uint8_t data[N + NEAR];
	static struct context contexts[N];
	struct ebpf_insn *insns;
	struct ebpf_prog *prog;
	struct ebpf_err err;
	size_t n_insns;

	if (sizeof(void *) != 8) {
		suite_skip("addresses of %zu bytes", sizeof(void *));
		return;
	}
	n_insns = assemble(text, &insns);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	fill(contexts, N, data);
	ck_assert_msg(ebpf_prog_load_trusted_by(&type, insns, n_insns, NULL, &policy, &prog,
						&err) == 0, "%s", err.text);
	ck_assert(prog->aux->reads.has_guard);
	for (size_t n = 0; n < N; n++) {
		uint32_t results[N + 1];

		memset(results, 0xa5, sizeof(results));
		ebpf_prog_run_many(prog, contexts, sizeof(*contexts), n, results);
		for (size_t i = 0; i < n; i++)
			ck_assert_uint_eq(results[i], i % 3 != 0 ? data[i + 9] : i);
		ck_assert_uint_eq(results[n], 0xa5a5a5a5);
	}
	ebpf_prog_put(prog);
	free(insns);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("ebpf/reads");
	TCase *tc = tcase_create("data to come");

	tcase_add_loop_test(tc, first_and_last_byte_and_guard_are_found, 0, N_ELEMS(programs));
	tcase_add_loop_test(tc, batches_of_any_length_are_so_many_single_runs, 0, 1 + EBPF_HAS_JIT);
	suite_add_tcase(s, tc);
	return s;
}
