/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A64 instructions as ebpf/jit/aarch64_emit.h encodes them, on every machine:
 * by what an assembler makes of them, and constants by reading them back.  What
 * they do is tested in check_jit, where they can be executed.
 */
#include "ebpf/jit/aarch64_emit.h"

#include "tests/support/a64.h"
#include "tests/support/suite.h"

#include <inttypes.h>

/* ---- constants ---- */

static uint32_t
word_at(const uint8_t *bytes, size_t i)
{
	uint32_t word = 0;

	for (unsigned k = 0; k < 4; k++)
		word |= (uint32_t)bytes[4 * i + k] << 8 * k;
	return word;
}

/* Move it to X5; how many instructions that took. */
static size_t
must_move(uint64_t v)
{
	uint8_t bytes[64];
	struct jit_buf b = { bytes, 0 };
	struct a64_moves moves = { { 0 } };
	uint64_t found = 0;

	a64_mov_imm(&b, X5, v);
	ck_assert_uint_le(b.n, 16);
	for (size_t i = 0; i < b.n / 4; i++) {
		ck_assert_uint_eq(word_at(bytes, i) & 31, X5);
		ck_assert(a64_constant(&moves, word_at(bytes, i), &found));
	}
	ck_assert_msg(found == v, "%" PRIx64 " became %" PRIx64, v, found);
	return b.n / 4;
}

START_TEST(constants_arrive_whole)
{
	uint64_t rng = suite_seed(0xa64), n = suite_scaled(100000);

	for (uint64_t i = 0; i < n; i++) {
		static const uint64_t halves[] = { 0, 0xffff, 1, 0x8000, 0x1234 };
		uint64_t v = 0;

		for (unsigned k = 0; k < 4; k++)
			v = v << 16 | halves[rng_below(&rng, N_ELEMS(halves))];
		must_move(v);
		must_move(v & UINT32_MAX);
		must_move(rng_next(&rng));
		must_move(rng_next(&rng) >> rng_below(&rng, 64));
	}
}
END_TEST

START_TEST(constants_take_few_instructions)
{
	static const struct {
		uint64_t v;
		size_t n;
	} rows[] = {
		{ 0, 1 }, { 1, 1 }, { 0xffff, 1 }, { 0x10000, 1 }, { 0x12345678, 2 },
		{ UINT32_MAX, 1 }, { 0xffff1234, 1 }, { 0xfffffffe, 1 }, { UINT64_MAX, 1 },
		{ UINT64_MAX - 1, 1 }, { 0xffffffff12345678, 2 }, { 0x5555555555555555, 1 },
		{ 0x0ff00ff0, 1 }, { 0x123400000000, 1 }, { 0x7fffffffffffffff, 1 },
		{ 0x55d512345678, 3 }, { 0x123456789abcdef0, 4 }, { 0xffff123456789abc, 3 },
	};

	for (size_t i = 0; i < N_ELEMS(rows); i++)
		ck_assert_msg(must_move(rows[i].v) == rows[i].n, "%" PRIx64, rows[i].v);
}
END_TEST

/* The manual has 5334 of them for 64 bits, 1302 for 32. */
START_TEST(logical_constants_are_all_that_there_are)
{
	for (int wide = 0; wide < 2; wide++) {
		size_t n = 0;

		for (uint32_t bits = 0; bits < 1u << 13; bits++) {
			unsigned len = bits >> 12 << 6 | (~bits & 0x3f), size = 64;
			struct a64_moves moves = { { 0 } };
			uint32_t word, found;
			uint64_t v;

			while (size > 1 && (len & size) == 0)
				size /= 2;
			if (size < 2 || (bits & (size - 1)) == size - 1 ||
			    (bits >> 6 & 0x3f) >= size || (!wide && size == 64))
				continue;       /* reserved, or another one */
			word = 0x12000000 | a64_width(wide) | bits << 10;
			ck_assert(a64_constant(&moves, word, &v));
			ck_assert(a64_logical(v, wide, &found));
			ck_assert_uint_eq(found, bits << 10);
			n++;
		}
		ck_assert_uint_eq(n, wide ? 5334 : 1302);
	}
}
END_TEST

START_TEST(other_constants_are_not_logical)
{
	static const uint64_t rows[] = {
		0, UINT64_MAX, 5, 0x1234, 0xff00ff, 0x8000000180000002, 0x0f0f0f0f0f0f0f1f,
		0x5555555555555557, 0xa0000000a0000000,
	};
	uint32_t bits;

	for (size_t i = 0; i < N_ELEMS(rows); i++)
		ck_assert_msg(!a64_logical(rows[i], true, &bits), "%" PRIx64, rows[i]);
	ck_assert(!a64_logical(UINT32_MAX, false, &bits));
	ck_assert(a64_logical(UINT32_MAX, true, &bits));
}
END_TEST

/* ---- by an assembler ---- */

static void
one_of_each(struct jit_buf *b)
{
	a64_rrr(b, true, A64_ADD, X0, X1, X2);
	a64_rrr(b, false, A64_SUB, X3, X4, X5);
	a64_rrr(b, true, A64_CMP, ZR, X6, X7);
	a64_rrr(b, false, A64_EOR, X19, X20, X21);
	a64_rrr(b, true, A64_TST, ZR, X8, X9);
	a64_rrr(b, false, A64_UDIV, X0, X1, X2);
	a64_rrr(b, true, A64_SDIV, X0, X1, X2);
	a64_rrr(b, true, A64_LSL, X0, X1, X2);
	a64_rrr(b, false, A64_LSR, X0, X1, X2);
	a64_rrr(b, true, A64_ASR, X0, X1, X2);
	a64_mov(b, true, X29, X30);
	a64_madd(b, false, X0, X1, X2, ZR);
	a64_msub(b, true, X0, X1, X2, X3);
	a64_mulh(b, false, X17, X16, X15);
	a64_mulh(b, true, X17, X16, X15);
	a64_rev16(b, X1, X2);
	a64_rev(b, false, X1, X2);
	a64_rev(b, true, X1, X2);
	a64_csel(b, X0, X16, ZR, CC_HI);
	a64_lsl_imm(b, true, X1, X2, 5);
	a64_lsl_imm(b, false, X1, X2, 0);
	a64_shr_imm(b, false, false, X1, X2, 31);
	a64_shr_imm(b, true, true, X1, X2, 63);
	a64_bits(b, true, true, X1, X2, 0, 31);
	a64_bits(b, false, false, X1, X2, 0, 15);
	a64_add_imm(b, true, A64_SUB, SP, SP, 528);
	a64_add_imm(b, false, A64_CMP, ZR, X1, 0xabc000);
	a64_access(b, A64_LOAD, 0, X1, X2, 4095, X16);
	a64_access(b, A64_LOAD, 1, X1, X2, 8190, X16);
	a64_access(b, A64_LOAD_SIGNED, 2, X1, X2, -256, X16);
	a64_access(b, A64_STORE, 3, X1, SP, 32760, X16);
	a64_access(b, A64_STORE, 2, X1, X2, 255, X16);
	a64_push_pair(b, X29, X30, 48);
	a64_store_pair(b, X19, X20, 16);
	a64_load_pair(b, X19, ZR, 16);
	a64_pop_pair(b, X29, X30, 48);
	a64_prefetch(b, X16, 63);
	a64_exclusive(b, A64_LDXR, 3, 0, X13, X12);
	a64_exclusive(b, A64_LDAXR, 2, 0, X13, X12);
	a64_exclusive(b, A64_STXR, 3, X14, X13, X12);
	a64_exclusive(b, A64_STLXR, 2, X14, X13, SP);
	a64_exclusive(b, A64_LDAR, 0, 0, X13, X12);
	a64_exclusive(b, A64_STLR, 1, 0, X13, X12);
	a64_barrier(b);
	a64_b(b, false, b->n - 4);
	a64_b(b, true, b->n + 8);
	a64_branch_to(b, a64_b_if(CC_LS), b->n - 8);
	a64_branch_to(b, a64_cbz(true, true, X3), b->n + 16);
	a64_branch_to(b, a64_cbz(false, false, X3), b->n + 16);
	a64_branch_to(b, a64_tbz(false, X3, 63), b->n - 16);
	a64_branch_to(b, a64_tbz(true, X3, 5), b->n + 16);
	a64_br(b, X16);
	a64_blr(b, X16);
	a64_ret(b);
	a64_bti(b, false);
	a64_bti(b, true);
	a64_lse(b, A64_LDADD, 2, X1, ZR, X12);
	a64_lse(b, A64_LDSET, 3, X1, ZR, X12);
	a64_lse(b, A64_LDEOR, 2, X1, ZR, X2);
	a64_lse(b, A64_LDCLR, 3, X13, ZR, X12);
	a64_lse(b, A64_LDADD | A64_ORDERED, 3, X1, X1, X12);
	a64_lse(b, A64_LDSET | A64_ORDERED, 2, X1, X2, X12);
	a64_lse(b, A64_LDEOR | A64_ORDERED, 3, X1, X1, X1);
	a64_lse(b, A64_LDCLR | A64_ORDERED, 2, X13, X1, X12);
	a64_lse(b, A64_SWP | A64_ORDERED, 3, X1, X1, X12);
	a64_lse(b, A64_CASAL, 2, X0, X1, X12);
	a64_lse(b, A64_CASAL, 3, X0, X1, X0);
	a64_rrr(b, true, A64_ORN, X13, ZR, X1);
	a64_rrr(b, false, A64_ORN, X13, ZR, X1);
}

/* What GNU as makes of the comments. */
static const uint32_t assembled[] = {
	0x8b020020,     /* add x0, x1, x2 */
	0x4b050083,     /* sub w3, w4, w5 */
	0xeb0700df,     /* cmp x6, x7 */
	0x4a150293,     /* eor w19, w20, w21 */
	0xea09011f,     /* tst x8, x9 */
	0x1ac20820,     /* udiv w0, w1, w2 */
	0x9ac20c20,     /* sdiv x0, x1, x2 */
	0x9ac22020,     /* lsl x0, x1, x2 */
	0x1ac22420,     /* lsr w0, w1, w2 */
	0x9ac22820,     /* asr x0, x1, x2 */
	0xaa1e03fd,     /* mov x29, x30 */
	0x1b027c20,     /* mul w0, w1, w2 */
	0x9b028c20,     /* msub x0, x1, x2, x3 */
	0x9bcf7e11,     /* umulh x17, x16, x15 */
	0x9b4f7e11,     /* smulh x17, x16, x15 */
	0x5ac00441,     /* rev16 w1, w2 */
	0x5ac00841,     /* rev w1, w2 */
	0xdac00c41,     /* rev x1, x2 */
	0x9a9f8200,     /* csel x0, x16, xzr, hi */
	0xd37be841,     /* lsl x1, x2, #5 */
	0x53007c41,     /* lsr w1, w2, #0 */
	0x531f7c41,     /* lsr w1, w2, #31 */
	0x937ffc41,     /* asr x1, x2, #63 */
	0x93407c41,     /* sxtw x1, w2 */
	0x53003c41,     /* uxth w1, w2 */
	0xd10843ff,     /* sub sp, sp, #0x210 */
	0x716af03f,     /* cmp w1, #0xabc, lsl #12 */
	0x397ffc41,     /* ldrb w1, [x2, #4095] */
	0x797ffc41,     /* ldrh w1, [x2, #8190] */
	0xb8900041,     /* ldursw x1, [x2, #-256] */
	0xf93fffe1,     /* str x1, [sp, #32760] */
	0xb80ff041,     /* stur w1, [x2, #255] */
	0xa9bd7bfd,     /* stp x29, x30, [sp, #-48]! */
	0xa90153f3,     /* stp x19, x20, [sp, #16] */
	0xa9417ff3,     /* ldp x19, xzr, [sp, #16] */
	0xa8c37bfd,     /* ldp x29, x30, [sp], #48 */
	0xf883f200,     /* prfum pldl1keep, [x16, #63] */
	0xc85f7d8d,     /* ldxr x13, [x12] */
	0x885ffd8d,     /* ldaxr w13, [x12] */
	0xc80e7d8d,     /* stxr w14, x13, [x12] */
	0x880effed,     /* stlxr w14, w13, [sp] */
	0x08dffd8d,     /* ldarb w13, [x12] */
	0x489ffd8d,     /* stlrh w13, [x12] */
	0xd5033bbf,     /* dmb ish */
	0x17ffffff,     /* b 0xa8 */
	0x94000002,     /* bl 0xb8 */
	0x54ffffc9,     /* b.ls 0xac */
	0xb4000083,     /* cbz x3, 0xc8 */
	0x35000083,     /* cbnz w3, 0xcc */
	0xb7ffff83,     /* tbnz x3, #63, 0xb0 */
	0x36280083,     /* tbz w3, #5, 0xd4 */
	0xd61f0200,     /* br x16 */
	0xd63f0200,     /* blr x16 */
	0xd65f03c0,     /* ret */
	0xd503245f,     /* bti c */
	0xd50324df,     /* bti jc */
	0xb821019f,     /* stadd w1, [x12] */
	0xf821319f,     /* stset x1, [x12] */
	0xb821205f,     /* steor w1, [x2] */
	0xf82d119f,     /* stclr x13, [x12] */
	0xf8e10181,     /* ldaddal x1, x1, [x12] */
	0xb8e13182,     /* ldsetal w1, w2, [x12] */
	0xf8e12021,     /* ldeoral x1, x1, [x1] */
	0xb8ed1181,     /* ldclral w13, w1, [x12] */
	0xf8e18181,     /* swpal x1, x1, [x12] */
	0x88e0fd81,     /* casal w0, w1, [x12] */
	0xc8e0fc01,     /* casal x0, x1, [x0] */
	0xaa2103ed,     /* mvn x13, x1 */
	0x2a2103ed,     /* mvn w13, w1 */
};

START_TEST(instructions_are_those_of_an_assembler)
{
	uint8_t bytes[4 * N_ELEMS(assembled) + 64];
	struct jit_buf b = { bytes, 0 };

	one_of_each(&b);
	ck_assert_uint_eq(b.n, sizeof(assembled));
	for (size_t i = 0; i < N_ELEMS(assembled); i++)
		ck_assert_msg(word_at(bytes, i) == assembled[i], "word %zu is %08" PRIx32, i,
			      word_at(bytes, i));
}
END_TEST

/* An offset that no instruction has room for is in a register. */
START_TEST(far_offsets_come_from_a_register)
{
	uint8_t bytes[16];
	struct jit_buf b = { bytes, 0 };

	a64_access(&b, A64_LOAD, 2, X1, X2, -32768, X16);
	ck_assert_uint_eq(b.n, 8);
	ck_assert_uint_eq(word_at(bytes, 0), 0x928ffff0);    /* mov x16, #-32768 */
	ck_assert_uint_eq(word_at(bytes, 1), 0xb8706841);       /* ldr w1, [x2, x16] */
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("ebpf/aarch64");
	TCase *tc = tcase_create("encoding");

	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, constants_arrive_whole);
	tcase_add_test(tc, constants_take_few_instructions);
	tcase_add_test(tc, logical_constants_are_all_that_there_are);
	tcase_add_test(tc, other_constants_are_not_logical);
	tcase_add_test(tc, instructions_are_those_of_an_assembler);
	tcase_add_test(tc, far_offsets_come_from_a_register);
	suite_add_tcase(s, tc);
	return s;
}
