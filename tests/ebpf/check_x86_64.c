/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Instructions of x86-64 as ebpf/jit/x86_64_emit.h encodes them, on every machine, by
 * what an assembler makes of them: those of which a run does not show whether they are
 * right, as they fetch and compute where to fetch from.  All others are tested in
 * check_jit, by what they do.
 */
#include "ebpf/jit/x86_64_emit.h"

#include "tests/support/suite.h"

static void
one_of_each(struct jit_buf *b)
{
	x86_lea_times_8(b, R9, R10);
	x86_lea_times_8(b, R9, R12);
	x86_lea_times_8(b, RAX, RBP);
	x86_prefetch_scaled(b, RSI, R9, 3);
	x86_prefetch_scaled(b, RBP, R9, 3);
	x86_prefetch_scaled(b, R13, R9, 3);
	x86_prefetch_scaled(b, RDI, RCX, 2);
	x86_lea_scaled(b, R9, RSI, R9, 2);
	x86_lea_scaled(b, R9, RBP, R12, 2);
	x86_lea_scaled(b, RCX, R13, RBX, 3);
	x86_prefetch(b, R9, 0);
	x86_prefetch(b, R9, 37);
	x86_prefetch(b, R12, 12);
}

static const uint8_t assembled[] = {
	0x4e, 0x8d, 0x0c, 0xd5, 0x00, 0x00, 0x00, 0x00,   /* lea r9,[r10*8] */
	0x4e, 0x8d, 0x0c, 0xe5, 0x00, 0x00, 0x00, 0x00,   /* lea r9,[r12*8] */
	0x48, 0x8d, 0x04, 0xed, 0x00, 0x00, 0x00, 0x00,   /* lea rax,[rbp*8] */
	0x42, 0x0f, 0x18, 0x0c, 0xce,                     /* prefetcht0 [rsi+r9*8] */
	0x42, 0x0f, 0x18, 0x4c, 0xcd, 0x00,               /* prefetcht0 [rbp+r9*8] */
	0x43, 0x0f, 0x18, 0x4c, 0xcd, 0x00,               /* prefetcht0 [r13+r9*8] */
	0x0f, 0x18, 0x0c, 0x8f,                           /* prefetcht0 [rdi+rcx*4] */
	0x4e, 0x8d, 0x0c, 0x8e,                           /* lea r9,[rsi+r9*4] */
	0x4e, 0x8d, 0x4c, 0xa5, 0x00,                     /* lea r9,[rbp+r12*4] */
	0x49, 0x8d, 0x4c, 0xdd, 0x00,                     /* lea rcx,[r13+rbx*8] */
	0x41, 0x0f, 0x18, 0x09,                           /* prefetcht0 [r9] */
	0x41, 0x0f, 0x18, 0x49, 0x25,                     /* prefetcht0 [r9+0x25] */
	0x41, 0x0f, 0x18, 0x4c, 0x24, 0x0c,               /* prefetcht0 [r12+0xc] */
};

START_TEST(instructions_are_those_of_an_assembler)
{
	uint8_t bytes[sizeof(assembled) + 64];
	struct jit_buf b = { bytes, 0 };

	one_of_each(&b);
	ck_assert_uint_eq(b.n, sizeof(assembled));
	for (size_t i = 0; i < sizeof(assembled); i++)
		ck_assert_msg(bytes[i] == assembled[i], "byte %zu is %02x", i, bytes[i]);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("ebpf/x86_64");
	TCase *tc = tcase_create("encoding");

	tcase_add_test(tc, instructions_are_those_of_an_assembler);
	suite_add_tcase(s, tc);
	return s;
}
