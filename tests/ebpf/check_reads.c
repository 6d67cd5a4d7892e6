/* SPDX-License-Identifier: BSD-2-Clause */
/* What batches fetch of data to come: what is found in programs, and that results are the same. */
#include "config.h"

#include "ebpf/reads.h"

#include "ebpf/insn.h"
#include "ebpf/jit/jit.h"
#include "ebpf/prog.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

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
	  "r0 = *(u32 *)(r1 +8)\nif r0 < 0x40 goto pc+3\nr3 = *(u64 *)(r1 +0)\n"
	  "r0 = *(u8 *)(r3 +9)\nexit\nw0 = 7\nexit\n",
	  { .any = true, .from = 9, .to = 9 } },
	{ "less than a long one",
	  "r0 = *(u32 *)(r1 +8)\nif r0 < 0x3e8 goto pc+3\nr3 = *(u64 *)(r1 +0)\n"
	  "r0 = *(u8 *)(r3 +9)\nexit\nw0 = 7\nexit\n",
	  { .any = true, .from = 9, .to = 9, .has_guard = true, .guard_off = LEN,
	    .guard_least = 1000 } },
	{ "at most a long one, behind a short one",
	  "r0 = *(u32 *)(r1 +8)\nif r0 < 0xe goto pc+5\nr0 = *(u32 *)(r1 +12)\n"
	  "if r0 <= 0x3e8 goto pc+3\nr3 = *(u64 *)(r1 +0)\nr0 = *(u8 *)(r3 +9)\nexit\n"
	  "r0 = 7\nexit\n",
	  { .any = true, .from = 9, .to = 9, .has_guard = true, .guard_off = NUMBER,
	    .guard_least = 1001 } },
	{ "more than one, which says nothing of the rest",
	  "r0 = *(u32 *)(r1 +8)\nif r0 > 0x3e8 goto pc+3\nr3 = *(u64 *)(r1 +0)\n"
	  "r0 = *(u8 *)(r3 +9)\nexit\nw0 = 7\nexit\n",
	  { .any = true, .from = 9, .to = 9 } },
	{ "of another register",
	  "r0 = *(u32 *)(r1 +8)\nif r2 < 0x3e8 goto pc+3\nr3 = *(u64 *)(r1 +0)\n"
	  "r0 = *(u8 *)(r3 +9)\nexit\nw0 = 7\nexit\n",
	  { .any = true, .from = 9, .to = 9 } },
	{ "one whose less read data too",
	  "r0 = *(u32 *)(r1 +8)\nr3 = *(u64 *)(r1 +0)\nif r0 < 0x3e8 goto pc+2\n"
	  "r0 = *(u8 *)(r3 +9)\nexit\nr0 = *(u8 *)(r3 +8)\nexit\n",
	  { .any = true, .from = 8, .to = 9 } },
	{ "one that leads to an end without a constant",
	  "r0 = *(u32 *)(r1 +8)\nif r0 < 0x3e8 goto pc+2\nr3 = *(u64 *)(r1 +0)\n"
	  "r0 = *(u8 *)(r3 +9)\nexit\n",
	  { .any = true, .from = 9, .to = 9 } },
	{ "the last number",
	  "r0 = *(u32 *)(r1 +8)\nif r0 <= 0x7fffffff goto pc+3\nr3 = *(u64 *)(r1 +0)\n"
	  "r0 = *(u8 *)(r3 +9)\nexit\nw0 = 7\nexit\n",
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

/* Registers that are written besides, so that the loop over contexts is kept in others. */
static const char *const besides[] = {
	"",
	"r2 = 0\nr4 = 0\nr5 = 0\n",
	"r2 = 0\nr4 = 0\nr5 = 0\nr1 = 0\n",
	"r2 = 0\nr4 = 0\nr5 = 0\nr6 = 0\nr1 = 0\n",
	"r2 = 0\nr4 = 0\nr5 = 0\nr6 = 0\nr7 = 0\nr8 = 0\nr9 = 0\n",
	"r2 = 0\nr4 = 0\nr5 = 0\nr6 = 0\nr7 = 0\nr8 = 0\nr9 = 0\nr1 = 0\n",
};

static const struct ebpf_policy policies[] = {
	{ .size = sizeof(policies[0]), .jit = EBPF_JIT_OFF },
#if EBPF_HAS_JIT
	{ .size = sizeof(policies[0]), .jit = EBPF_JIT_REQUIRED },
	{ .size = sizeof(policies[0]), .jit = EBPF_JIT_REQUIRED, .blinding = EBPF_BLINDING_ALWAYS },
#endif
};

/* 7 where len is less than 1000, else a byte of the data. */
static struct ebpf_prog *
load_guarded(const char *more, const struct ebpf_policy *policy)
{
	char text[512];
	int distance = 3;
	struct ebpf_insn *insns;
	struct ebpf_prog *prog;
	struct ebpf_err err;
	size_t n;

	for (const char *p = more; *p != '\0'; p++)
		distance += *p == '\n';
	snprintf(text, sizeof(text),
		 "r0 = *(u32 *)(r1 +8)\nif r0 < 0x3e8 goto pc+%d\nr3 = *(u64 *)(r1 +0)\n"
		 "r0 = *(u8 *)(r3 +9)\n%sexit\nw0 = 7\nexit\n", distance, more);
	n = assemble(text, &insns);
	ck_assert_msg(ebpf_prog_load_trusted_by(&type, insns, n, NULL, policy, &prog, &err) == 0,
		      "%s", err.text);
	free(insns);
	return prog;
}

START_TEST(batches_of_any_length_are_so_many_single_runs)
{
	enum { N = 200 };
	static uint8_t data[N + NEAR];
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t room = (N * sizeof(struct context) + page - 1) / page * page;
	struct context *contexts;
	struct ebpf_prog *prog;
	uint8_t *mapping;

	if (sizeof(void *) != 8) {
		suite_skip("addresses of %zu bytes", sizeof(void *));
		return;
	}
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	/* behind the last context nothing can be read */
	mapping = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		       0);
	ck_assert_ptr_ne(mapping, MAP_FAILED);
	ck_assert_int_eq(mprotect(mapping + room, page, PROT_NONE), 0);
	contexts = (struct context *)(void *)(mapping + room) - N;
	fill(contexts, N, data);
	prog = load_guarded(besides[(size_t)_i % N_ELEMS(besides)],
			    &policies[(size_t)_i / N_ELEMS(besides)]);
	for (size_t n = 0; n < N; n++) {
		uint32_t results[N + 1];

		memset(results, 0xa5, sizeof(results));
		ebpf_prog_run_many(prog, contexts + (N - n), sizeof(*contexts), n, results);
		for (size_t i = 0, k = N - n; i < n; i++, k++)
			ck_assert_uint_eq(results[i], k % 3 != 0 ? data[k + 9] : 7);
		ck_assert_uint_eq(results[n], 0xa5a5a5a5);
	}
	ebpf_prog_put(prog);
	munmap(mapping, room + page);
}
END_TEST

/* ---- machine code ---- */

#if EBPF_HAS_JIT

/* Instructions that fetch a line. */
static size_t
count_fetches(const struct ebpf_prog *prog)
{
	const struct ebpf_jit_text *jit = prog->aux->jit;
	size_t n_fetches = 0;

#if defined(__x86_64__)
	for (size_t i = 0; i + 2 < jit->n; i++)
		n_fetches += jit->code[i] == 0x0f && jit->code[i + 1] == 0x18 &&
			     (jit->code[i + 2] & 0x38) == 1 << 3;
#else
	for (size_t i = 0; i + 4 <= jit->n; i += 4) {
		uint32_t word;

		memcpy(&word, jit->code + i, sizeof(word));
		n_fetches += (word & 0xffe00c1f) == 0xf8800000;
	}
#endif
	return n_fetches;
}

/*
 * How many a program's code should have: of its data, and of contexts where that is done; and
 * on which conditions, that there is a context to come, and that its number is large enough.
 */
static const struct {
	const char *text;
	size_t n_of_data, n_conditions;
} fetching[] = {
	{ "r0 = *(u32 *)(r1 +8)\nexit\n", 0, 0 },
	{ "r3 = *(u64 *)(r1 +0)\nr0 = *(u16 *)(r3 +12)\nexit\n", 1, 1 },
	{ "r3 = *(u64 *)(r1 +0)\nr0 = *(u32 *)(r3 +12)\nexit\n", 2, 1 },
	{ "r0 = *(u32 *)(r1 +8)\nif r0 < 0x3e8 goto pc+3\nr3 = *(u64 *)(r1 +0)\n"
	  "r0 = *(u8 *)(r3 +9)\nexit\nw0 = 7\nexit\n", 1, 2 },
};
#if defined(__x86_64__)
enum { N_OF_CONTEXTS = 1 };

/* Moves of 8 bytes where what was compared is not less. */
static size_t
count_conditions(const struct ebpf_prog *prog)
{
	const struct ebpf_jit_text *jit = prog->aux->jit;
	size_t n = 0;

	for (size_t i = 0; i + 2 < jit->n; i++)
		n += (jit->code[i] & 0xf8) == 0x48 && jit->code[i + 1] == 0x0f &&
		     jit->code[i + 2] == 0x43;
	return n;
}
#else
enum { N_OF_CONTEXTS = 0 };
#endif

START_TEST(batches_fetch_what_is_read_and_nothing_else)
{
	struct ebpf_policy policy = { .size = sizeof(policy), .jit = EBPF_JIT_REQUIRED };
	size_t n_of_data = fetching[_i].n_of_data;
	struct ebpf_insn *insns;
	struct ebpf_prog *prog;
	struct ebpf_err err;
	size_t n = assemble(fetching[_i].text, &insns);

	ck_assert_msg(ebpf_prog_load_trusted_by(&type, insns, n, NULL, &policy, &prog, &err) == 0,
		      "%s", err.text);
	ck_assert_uint_eq(count_fetches(prog), n_of_data > 0 ? n_of_data + N_OF_CONTEXTS : 0);
#if defined(__x86_64__)
	ck_assert_uint_eq(count_conditions(prog), fetching[_i].n_conditions);
#endif
	ebpf_prog_put(prog);
	free(insns);
}
END_TEST

#endif

Suite *
suite(void)
{
	Suite *s = suite_create("ebpf/reads");
	TCase *tc = tcase_create("data to come");

	tcase_add_loop_test(tc, first_and_last_byte_and_guard_are_found, 0, N_ELEMS(programs));
	tcase_add_loop_test(tc, batches_of_any_length_are_so_many_single_runs, 0,
			    N_ELEMS(besides) * N_ELEMS(policies));
#if EBPF_HAS_JIT
	tcase_add_loop_test(tc, batches_fetch_what_is_read_and_nothing_else, 0, N_ELEMS(fetching));
#endif
	suite_add_tcase(s, tc);
	return s;
}
