/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What comparisons prove: each operator, 64 and 32 bits wide, operands in both
 * orders, and both ways on.  What is so for all numbers tried here, the
 * verifier finds out; what is not, it does not believe.
 */
#include "ebpf/verify.h"

#include "tests/support/suite.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEM_SIZE = 256 };

static const struct ebpf_ctx_field fields[] = {
	{ 0, 8, EBPF_CTX_PACKET, false },
	{ 8, 4, EBPF_CTX_PACKET_LEN, false },
	{ 12, 4, EBPF_CTX_SCALAR, false },
	{ 16, 8, EBPF_CTX_PACKET_END, false },
};

static const struct ebpf_verify_env packet = { .ctx_fields = fields,
					       .n_ctx_fields = N_ELEMS(fields) };
static const struct ebpf_verify_env memory = { .mem_size = MEM_SIZE };

static const char *const signs[] = { "==", "!=", "<", "<=", ">", ">=", "s<", "s<=", "s>", "s>=", "&" };

static bool
holds(const char *sign, int width, uint64_t a, uint64_t b)
{
	uint64_t top = UINT64_C(1) << (width - 1);

	if (width == 32) {
		a &= UINT32_MAX;
		b &= UINT32_MAX;
	}
	if (sign[0] == 's') {           /* signed order is unsigned order half a turn on */
		a ^= top;
		b ^= top;
		sign++;
	}
	if (strcmp(sign, "==") == 0)
		return a == b;
	if (strcmp(sign, "!=") == 0)
		return a != b;
	if (strcmp(sign, "<") == 0)
		return a < b;
	if (strcmp(sign, "<=") == 0)
		return a <= b;
	if (strcmp(sign, ">") == 0)
		return a > b;
	if (strcmp(sign, ">=") == 0)
		return a >= b;
	return (a & b) != 0;
}

static int
verify(const struct ebpf_verify_env *env, const char *text, struct ebpf_err *err)
{
	struct ebpf_insn *insns;
	size_t n;
	int rc = ebpf_asm(text, strlen(text), &insns, &n, err);

	ck_assert_msg(rc == 0, "%s: %s", text, err->text);
	rc = ebpf_verify(insns, n, env, NULL, err);
	free(insns);
	return rc;
}

/* What a comparison is made of, and where the code that it is to prove safe stands. */
struct comparison {
	const char *sign;
	int width;
	bool is_swapped;
	bool when;              /* the code runs if it holds, or if it does not */
};

static struct comparison
comparison_of(int i)
{
	return (struct comparison){ signs[i / 8], i & 1 ? 32 : 64, i & 2, i & 4 };
}

enum { N_COMPARISONS = 8 * N_ELEMS(signs) };

static bool
says(const struct comparison *c, uint64_t a, uint64_t b)
{
	return (c->is_swapped ? holds(c->sign, c->width, b, a) : holds(c->sign, c->width, a, b)) ==
	       c->when;
}

/* before, the comparison of registers a and b, and the code of n lines where it says so. */
static void
write_program(char *text, size_t size, const char *before, const struct comparison *c, int a,
	      int b, const char *code, int n)
{
	char of = c->width == 64 ? 'r' : 'w';

	snprintf(text, size, "%sif %c%d %s %c%d goto pc+%d\n%s%sr0 = 0\nexit\n", before, of,
		 c->is_swapped ? b : a, c->sign, of, c->is_swapped ? a : b, c->when ? 2 : n,
		 c->when ? "r0 = 0\nexit\n" : "", code);
}

/* A number below the packet's length is the offset of a byte in it. */
START_TEST(an_offset_compared_with_the_length)
{
	static const uint64_t offsets[] = { 0, 1, 2, INT32_MAX, 0x80000000, UINT32_MAX };
	static const uint64_t lens[] = { 0, 1, 2, INT32_MAX };
	struct comparison c = comparison_of(_i);
	bool is_proof = true;
	char text[512];
	struct ebpf_err err;
	int rc;

	for (size_t i = 0; i < N_ELEMS(offsets); i++) {
		for (size_t k = 0; k < N_ELEMS(lens); k++)
			is_proof = is_proof && (!says(&c, offsets[i], lens[k]) ||
						offsets[i] < lens[k]);
	}
	write_program(text, sizeof(text),
		      "r8 = *(u64 *)(r1 +0)\nr9 = *(u32 *)(r1 +8)\nr7 = *(u32 *)(r1 +12)\n", &c, 7,
		      9, "r8 += r7\nr0 = *(u8 *)(r8 +0)\n", 2);
	rc = verify(&packet, text, &err);
	ck_assert_msg(rc == (is_proof ? 0 : -EACCES), "%s%d %s", text, rc, err.text);
}
END_TEST

/* An address of the packet compared with its end; addresses may lie around 2^63. */
START_TEST(an_address_compared_with_the_end)
{
	static const uint64_t starts[] = { 4096, INT64_MAX - 3 };
	static const char *const reads[] = { "r0 = *(u8 *)(r8 +3)\n", "r0 = *(u8 *)(r8 +4)\n" };
	struct comparison c = comparison_of(_i);

	for (unsigned n = 4; n <= 5; n++) {
		bool is_proof = c.width == 64;
		struct ebpf_err err;
		char text[512];
		int rc;

		for (size_t i = 0; i < N_ELEMS(starts); i++) {
			for (uint64_t len = 0; len <= 8; len++)
				is_proof = is_proof &&
					   (!says(&c, starts[i] + 4, starts[i] + len) || len >= n);
		}
		for (int is_variable = 0; is_variable < 2; is_variable++) {
			char before[256];

			snprintf(before, sizeof(before),
				 "r8 = *(u64 *)(r1 +0)\nr9 = *(u64 *)(r1 +16)\n%sr2 = r8\nr2 += 4\n",
				 is_variable ? "r3 = *(u8 *)(r1 +12)\nr8 += r3\n" : "");
			write_program(text, sizeof(text), before, &c, 2, 9, reads[n - 4], 1);
			rc = verify(&packet, text, &err);
			ck_assert_msg(rc == (is_proof ? 0 : -EACCES), "%s%d %s", text, rc, err.text);
		}
	}
}
END_TEST

/* The way that a register compared with itself never goes may lead anywhere. */
START_TEST(a_number_compared_with_itself)
{
	static const uint64_t numbers[] = { 0, 1, UINT64_MAX, INT64_MAX };
	struct comparison c = comparison_of(_i);
	bool is_open = false;
	char text[512];
	struct ebpf_err err;
	int rc;

	for (size_t i = 0; i < N_ELEMS(numbers); i++)
		is_open = is_open || says(&c, numbers[i], numbers[i]);
	write_program(text, sizeof(text), "r2 = *(u64 *)(r1 +0)\n", &c, 2, 2,
		      "r0 = *(u8 *)(r1 +256)\n", 1);
	rc = verify(&memory, text, &err);
	ck_assert_msg(rc == (is_open ? -EACCES : 0), "%s%d %s", text, rc, err.text);
}
END_TEST

/* Nor the way that two known numbers never take. */
START_TEST(known_numbers_go_one_way)
{
	static const int32_t numbers[] = { 0, 1, 5, -1, INT32_MIN, INT32_MAX };
	struct comparison c = comparison_of(_i);

	for (size_t i = 0; i < N_ELEMS(numbers) * N_ELEMS(numbers); i++) {
		int32_t a = numbers[i / N_ELEMS(numbers)], b = numbers[i % N_ELEMS(numbers)];
		bool is_open = says(&c, (uint64_t)(int64_t)a, (uint64_t)(int64_t)b);
		char before[64], text[512];
		struct ebpf_err err;
		int rc;

		snprintf(before, sizeof(before), "r2 = %d\nr3 = %d\n", a, b);
		write_program(text, sizeof(text), before, &c, 2, 3, "r0 = *(u8 *)(r1 +256)\n", 1);
		rc = verify(&memory, text, &err);
		ck_assert_msg(rc == (is_open ? -EACCES : 0), "%s%d %s", text, rc, err.text);
		if (c.is_swapped)
			continue;
		/* the second as a constant in the comparison */
		snprintf(text, sizeof(text), "r2 = %d\nif %c2 %s %d goto pc+%d\n%s%sr0 = 0\nexit\n", a,
			 c.width == 64 ? 'r' : 'w', c.sign, b, c.when ? 2 : 1,
			 c.when ? "r0 = 0\nexit\n" : "", "r0 = *(u8 *)(r1 +256)\n");
		rc = verify(&memory, text, &err);
		ck_assert_msg(rc == (is_open ? -EACCES : 0), "%s%d %s", text, rc, err.text);
	}
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("ebpf/verify: comparisons");
	TCase *tc = tcase_create("comparisons");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, an_offset_compared_with_the_length, 0, N_COMPARISONS);
	tcase_add_loop_test(tc, an_address_compared_with_the_end, 0, N_COMPARISONS);
	tcase_add_loop_test(tc, a_number_compared_with_itself, 0, N_COMPARISONS);
	tcase_add_loop_test(tc, known_numbers_go_one_way, 0, N_COMPARISONS);
	suite_add_tcase(s, tc);
	return s;
}
