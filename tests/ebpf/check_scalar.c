/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The verifier's numbers against the machine's: whatever an instruction
 * computes from members of two scalars is a member of the result, and whatever
 * a branch lets through is still there after it.
 */
#include "ebpf/scalar.h"

#include "ebpf/arith.h"
#include "tests/support/suite.h"

#include <bpfsift/ebpf.h>
#include <inttypes.h>
#include <stdio.h>

/* Values next to where something changes. */
static const uint64_t corners[] = {
	0, 1, 2, 3, 7, 8, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff,
	0x7ffffffe, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff,
	0x100000000, 0x100000001, 0x17fffffff, 0x180000000,
	0x7ffffffffffffffe, 0x7fffffffffffffff, 0x8000000000000000, 0x8000000000000001,
	0xffffffff00000000, 0xffffffff7fffffff, 0xffffffff80000000, 0xffffffffffff8000,
	0xffffffffffffff7f, 0xffffffffffffff80, 0xfffffffffffffff8, 0xfffffffffffffffd,
	0xfffffffffffffffe, 0xffffffffffffffff,
};

struct operation {
	const char *name;
	uint8_t op;
	bool is_signed;
};

static const struct operation operations[] = {
	{ "add", EBPF_ADD, false },   { "sub", EBPF_SUB, false },  { "mul", EBPF_MUL, false },
	{ "div", EBPF_DIV, false },   { "sdiv", EBPF_DIV, true },  { "or", EBPF_OR, false },
	{ "and", EBPF_AND, false },   { "lsh", EBPF_LSH, false },  { "rsh", EBPF_RSH, false },
	{ "neg", EBPF_NEG, false },   { "mod", EBPF_MOD, false },  { "smod", EBPF_MOD, true },
	{ "xor", EBPF_XOR, false },   { "arsh", EBPF_ARSH, false },
};

static const uint8_t compares[] = {
	EBPF_JEQ,  EBPF_JNE,  EBPF_JGT,  EBPF_JGE,  EBPF_JLT, EBPF_JLE,
	EBPF_JSGT, EBPF_JSGE, EBPF_JSLT, EBPF_JSLE, EBPF_JSET,
};

static uint64_t
compute64(const struct operation *o, uint64_t a, uint64_t b)
{
	switch (o->op) {
	case EBPF_ADD:
		return a + b;
	case EBPF_SUB:
		return a - b;
	case EBPF_MUL:
		return a * b;
	case EBPF_DIV:
		return o->is_signed ? sdiv64(a, b) : div64(a, b);
	case EBPF_MOD:
		return o->is_signed ? smod64(a, b) : mod64(a, b);
	case EBPF_OR:
		return a | b;
	case EBPF_AND:
		return a & b;
	case EBPF_XOR:
		return a ^ b;
	case EBPF_LSH:
		return lsh64(a, b);
	case EBPF_RSH:
		return rsh64(a, b);
	case EBPF_ARSH:
		return arsh64(a, b);
	case EBPF_NEG:
		return 0 - a;
	}
	ck_abort_msg("operation 0x%x", o->op);
	return 0;
}

static uint64_t
compute32(const struct operation *o, uint32_t a, uint32_t b)
{
	switch (o->op) {
	case EBPF_DIV:
		return o->is_signed ? sdiv32(a, b) : div32(a, b);
	case EBPF_MOD:
		return o->is_signed ? smod32(a, b) : mod32(a, b);
	case EBPF_LSH:
		return lsh32(a, b);
	case EBPF_RSH:
		return rsh32(a, b);
	case EBPF_ARSH:
		return arsh32(a, b);
	}
	return (uint32_t)compute64(o, a, b);
}

static bool
holds(uint8_t op, unsigned width, uint64_t a, uint64_t b)
{
	int64_t sa, sb;

	if (width == 32) {
		a = (uint32_t)a;
		b = (uint32_t)b;
	}
	sa = width == 32 ? s32((uint32_t)a) : s64(a);
	sb = width == 32 ? s32((uint32_t)b) : s64(b);
	switch (op) {
	case EBPF_JEQ:
		return a == b;
	case EBPF_JNE:
		return a != b;
	case EBPF_JGT:
		return a > b;
	case EBPF_JGE:
		return a >= b;
	case EBPF_JLT:
		return a < b;
	case EBPF_JLE:
		return a <= b;
	case EBPF_JSET:
		return (a & b) != 0;
	case EBPF_JSGT:
		return sa > sb;
	case EBPF_JSGE:
		return sa >= sb;
	case EBPF_JSLT:
		return sa < sb;
	case EBPF_JSLE:
		return sa <= sb;
	}
	ck_abort_msg("compare 0x%x", op);
	return false;
}

static uint64_t
random_value(uint64_t *rng)
{
	uint64_t x = corners[rng_below(rng, N_ELEMS(corners))];

	switch (rng_below(rng, 4)) {
	case 0:
		return rng_next(rng) >> rng_below(rng, 64);
	case 1:
		return x + rng_below(rng, 16) - 8;
	}
	return x;
}

#define MAX_MEMBERS 24

/* A scalar, and some of the values that it stands for. */
struct sample {
	struct ebpf_scalar s;
	uint64_t members[MAX_MEMBERS];
	unsigned n;
};

static void
add_member(struct sample *m, uint64_t x)
{
	if (m->n < MAX_MEMBERS && ebpf_scalar_has(&m->s, x))
		m->members[m->n++] = x;
}

/* One from a few facts, as programs make them: a range, an arc, known bits. */
static struct ebpf_scalar
random_scalar(uint64_t *rng)
{
	uint64_t a = random_value(rng), b = random_value(rng), t;
	struct ebpf_scalar s, and;

	switch (rng_below(rng, 6)) {
	case 0:
		return ebpf_scalar_const(a);
	case 1:
		if (a > b)
			t = a, a = b, b = t;
		return ebpf_scalar_urange(a, b);
	case 2:
		return s64(a) < s64(b) ? ebpf_scalar_srange(s64(a), s64(b))
				       : ebpf_scalar_srange(s64(b), s64(a));
	case 3:
		s = ebpf_scalar_unknown();
		and = ebpf_scalar_const(a);
		ebpf_scalar_alu(&s, &and, EBPF_AND, false, 64);
		and = ebpf_scalar_const(b);
		ebpf_scalar_alu(&s, &and, EBPF_OR, false, 64);
		return s;
	case 4:
		s = ebpf_scalar_unknown();
		and = ebpf_scalar_const(a);
		if (!ebpf_scalar_refine(&s, &and, compares[rng_below(rng, N_ELEMS(compares))], 32,
					rng_below(rng, 2)))
			return ebpf_scalar_const(b);
		return s;
	}
	s = ebpf_scalar_urange(a & 0xff, (a & 0xff) + (b & 0xff));
	and = ebpf_scalar_const(random_value(rng));
	ebpf_scalar_alu(&s, &and, EBPF_ADD, false, 64);
	return s;
}

static void
random_sample(struct sample *m, uint64_t *rng)
{
	m->s = random_scalar(rng);
	m->n = 0;
	add_member(m, m->s.r64.umin);
	add_member(m, m->s.r64.umax);
	add_member(m, (uint64_t)m->s.r64.smin);
	add_member(m, (uint64_t)m->s.r64.smax);
	for (unsigned i = 0; i < N_ELEMS(corners); i++)
		add_member(m, corners[(i + (unsigned)m->s.r64.umax) % N_ELEMS(corners)]);
	for (unsigned i = 0; i < 8; i++) {
		uint64_t x = m->s.bits.value | (rng_next(rng) & m->s.bits.mask);
		uint64_t span = m->s.r64.umax - m->s.r64.umin;

		add_member(m, x);
		add_member(m, m->s.r64.umin + (span == UINT64_MAX ? x : x % (span + 1)));
	}
}

static void
fail_with(const struct ebpf_scalar *a, const struct ebpf_scalar *b, const struct ebpf_scalar *out,
	  const char *what, unsigned width, uint64_t x, uint64_t y, uint64_t z)
{
	char ta[EBPF_SCALAR_TEXT_SIZE], tb[EBPF_SCALAR_TEXT_SIZE], to[EBPF_SCALAR_TEXT_SIZE];

	ebpf_scalar_text(a, ta, sizeof(ta));
	ebpf_scalar_text(b, tb, sizeof(tb));
	ebpf_scalar_text(out, to, sizeof(to));
	ck_abort_msg("%s%u of (%s) and (%s) is (%s), but 0x%" PRIx64 " and 0x%" PRIx64
		     " give 0x%" PRIx64, what, width, ta, tb, to, x, y, z);
}

static void
check_operation(const struct operation *o, const struct sample *a, const struct sample *b,
		unsigned width)
{
	struct ebpf_scalar out = a->s;

	ebpf_scalar_alu(&out, &b->s, o->op, o->is_signed, width);
	for (unsigned i = 0; i < a->n; i++) {
		for (unsigned j = 0; j < b->n; j++) {
			uint64_t x = a->members[i], y = b->members[j];
			uint64_t z = width == 64 ? compute64(o, x, y)
						 : compute32(o, (uint32_t)x, (uint32_t)y);

			if (!ebpf_scalar_has(&out, z))
				fail_with(&a->s, &b->s, &out, o->name, width, x, y, z);
		}
	}
	if (ebpf_scalar_is_const(&a->s) && ebpf_scalar_is_const(&b->s) && a->n > 0 && b->n > 0)
		ck_assert_msg(ebpf_scalar_is_const(&out), "%s%u of constants is none", o->name,
			      width);
}

START_TEST(results_are_members)
{
	const struct operation *o = &operations[_i];
	uint64_t rng = suite_seed(20260101) + (uint64_t)_i;

	for (uint64_t n = suite_scaled(40000); n > 0; n--) {
		struct sample a, b;

		random_sample(&a, &rng);
		random_sample(&b, &rng);
		check_operation(o, &a, &b, 64);
		check_operation(o, &a, &b, 32);
	}
}
END_TEST

/* All ranges with both ends in a small window, around a place where things wrap. */
START_TEST(small_ranges_whole)
{
	static const uint64_t around[] = { 0, 0x80000000, 0x8000000000000000 };
	const struct operation *o = &operations[_i];
	enum { N = 7 };

	for (unsigned c = 0; c < N_ELEMS(around) * N_ELEMS(around); c++) {
		uint64_t at_a = around[c / N_ELEMS(around)] - N / 2;
		uint64_t at_b = around[c % N_ELEMS(around)] - N / 2;

		for (unsigned r = 0; r < N * N * N * N; r++) {
			unsigned a0 = r % N, a1 = r / N % N, b0 = r / N / N % N, b1 = r / N / N / N;
			struct sample a = { .s = ebpf_scalar_const(0) }, b = a;

			if (a1 < a0 || b1 < b0)
				continue;
			a.s = ebpf_scalar_urange(a0, a1);
			b.s = ebpf_scalar_urange(b0, b1);
			{
				struct ebpf_scalar base = ebpf_scalar_const(at_a);

				ebpf_scalar_alu(&a.s, &base, EBPF_ADD, false, 64);
				base = ebpf_scalar_const(at_b);
				ebpf_scalar_alu(&b.s, &base, EBPF_ADD, false, 64);
			}
			for (unsigned x = a0; x <= a1; x++) {
				ck_assert(ebpf_scalar_has(&a.s, at_a + x));
				add_member(&a, at_a + x);
			}
			for (unsigned x = b0; x <= b1; x++)
				add_member(&b, at_b + x);
			check_operation(o, &a, &b, 64);
			check_operation(o, &a, &b, 32);
		}
	}
}
END_TEST

/* Every known-bits number of 4 bits with every other, placed low, at bit 31 and on top. */
START_TEST(small_tnums_whole)
{
	static const unsigned shifts[] = { 0, 30, 60 };
	const struct operation *o = &operations[_i];

	for (unsigned c = 0; c < 81 * 81 * N_ELEMS(shifts); c++) {
		unsigned shift = shifts[c % N_ELEMS(shifts)];
		struct sample m[2];
		unsigned code = c / N_ELEMS(shifts);

		for (unsigned k = 0; k < 2; k++) {
			struct ebpf_tnum t = { 0, 0 };

			for (unsigned bit = 0; bit < 4; bit++, code /= 3) {
				t.value |= (uint64_t)(code % 3 == 1) << bit;
				t.mask |= (uint64_t)(code % 3 == 2) << bit;
			}
			m[k].s = ebpf_scalar_unknown();
			m[k].s.bits = ebpf_tnum_lsh(t, k == 0 ? shift : 0);
			m[k].n = 0;
			{
				struct ebpf_scalar all = ebpf_scalar_unknown();

				ck_assert(ebpf_scalar_intersect(&m[k].s, &all));
			}
			for (uint64_t x = 0; x < 16; x++)
				add_member(&m[k], x << (k == 0 ? shift : 0));
		}
		check_operation(o, &m[0], &m[1], 64);
		check_operation(o, &m[0], &m[1], 32);
	}
}
END_TEST

static void
check_refine(const struct sample *a, const struct sample *b, uint8_t op, unsigned width,
	     bool outcome)
{
	struct ebpf_scalar ra = a->s, rb = b->s;
	bool is_open = ebpf_scalar_refine(&ra, &rb, op, width, outcome);
	char name[16];

	snprintf(name, sizeof(name), "%s 0x%02x/", outcome ? "if" : "unless", op);
	for (unsigned i = 0; i < a->n; i++) {
		for (unsigned j = 0; j < b->n; j++) {
			uint64_t x = a->members[i], y = b->members[j];

			if (holds(op, width, x, y) != outcome)
				continue;
			if (!is_open || !ebpf_scalar_has(&ra, x))
				fail_with(&a->s, &b->s, &ra, name, width, x, y, x);
			if (!ebpf_scalar_has(&rb, y))
				fail_with(&a->s, &b->s, &rb, name, width, x, y, y);
		}
	}
	if (is_open) {
		ck_assert_msg(ebpf_scalar_contains(&a->s, &ra) && ebpf_scalar_contains(&b->s, &rb),
			      "%s%u: knows less than before", name, width);
		return;
	}
	/* Constants have one outcome, and it is found. */
	ck_assert(!ebpf_scalar_is_const(&a->s) || !ebpf_scalar_is_const(&b->s) ||
		  holds(op, width, a->members[0], b->members[0]) != outcome);
}

START_TEST(branches_keep_members)
{
	uint64_t rng = suite_seed(20260102) + (uint64_t)_i;

	for (uint64_t n = suite_scaled(40000); n > 0; n--) {
		struct sample a, b;

		random_sample(&a, &rng);
		random_sample(&b, &rng);
		for (unsigned k = 0; k < 4; k++)
			check_refine(&a, &b, compares[_i], k & 1 ? 64 : 32, k & 2);
	}
}
END_TEST

START_TEST(branches_on_constants_go_one_way)
{
	for (unsigned i = 0; i < N_ELEMS(corners) * N_ELEMS(corners); i++) {
		uint64_t x = corners[i / N_ELEMS(corners)], y = corners[i % N_ELEMS(corners)];

		for (unsigned k = 0; k < 4; k++) {
			struct ebpf_scalar a = ebpf_scalar_const(x), b = ebpf_scalar_const(y);
			unsigned width = k & 1 ? 64 : 32;
			bool outcome = k & 2;

			ck_assert_int_eq(ebpf_scalar_refine(&a, &b, compares[_i], width, outcome),
					 holds(compares[_i], width, x, y) == outcome);
		}
	}
}
END_TEST

/* x in [lo, hi] tested against its ends: what a compiler's bounds check must give. */
START_TEST(branches_learn_the_exact_bound)
{
	struct ebpf_scalar x = ebpf_scalar_unknown(), k = ebpf_scalar_const(100);

	ck_assert(ebpf_scalar_refine(&x, &k, EBPF_JLT, 64, true));
	ck_assert_uint_eq(x.r64.umax, 99);
	ck_assert_int_eq(x.r64.smin, 0);
	k = ebpf_scalar_const(10);
	ck_assert(ebpf_scalar_refine(&x, &k, EBPF_JSGT, 32, true));
	ck_assert_uint_eq(x.r64.umin, 11);
	k = ebpf_scalar_const(7);
	ck_assert(ebpf_scalar_refine(&x, &k, EBPF_JSET, 64, false));
	ck_assert_uint_eq(x.r64.umin, 16);
	ck_assert_uint_eq(x.r64.umax, 96);
	k = ebpf_scalar_const(16);
	ck_assert(ebpf_scalar_refine(&x, &k, EBPF_JNE, 64, true));
	ck_assert_uint_eq(x.r64.umin, 24);
}
END_TEST

START_TEST(extensions_and_swaps)
{
	uint64_t rng = suite_seed(20260103);

	for (uint64_t n = suite_scaled(100000); n > 0; n--) {
		static const unsigned widths[] = { 8, 16, 32 };
		unsigned width = widths[rng_below(&rng, 3)], swap = rng_below(&rng, 2) ? 64 : 32;
		struct sample a;
		struct ebpf_scalar zx, sx, bs;

		random_sample(&a, &rng);
		zx = sx = bs = a.s;
		ebpf_scalar_zext(&zx, width);
		ebpf_scalar_sext(&sx, width);
		ebpf_scalar_bswap(&bs, swap);
		for (unsigned i = 0; i < a.n; i++) {
			uint64_t x = a.members[i], low = x & (UINT64_MAX >> (64 - width));
			uint64_t s = width == 8 ? sext8(x) : width == 16 ? sext16(x) : sext32(x);
			uint64_t b = __builtin_bswap64(x) >> (64 - swap);

			if (!ebpf_scalar_has(&zx, low))
				fail_with(&a.s, &a.s, &zx, "zext", width, x, x, low);
			if (!ebpf_scalar_has(&sx, s))
				fail_with(&a.s, &a.s, &sx, "sext", width, x, x, s);
			if (!ebpf_scalar_has(&bs, b))
				fail_with(&a.s, &a.s, &bs, "bswap", swap, x, x, b);
		}
	}
}
END_TEST

/* Against counting through all 8-bit numbers. */
START_TEST(tnum_next_and_prev_whole)
{
	for (unsigned value = 0; value < 256; value++) {
		for (unsigned mask = 0; mask < 256; mask++) {
			struct ebpf_tnum t = { value, mask };

			if (value & mask)
				continue;
			for (uint64_t x = 0; x < 256; x += 5) {
				uint64_t up = x, down = x, next, prev;

				while (up < 256 && !ebpf_tnum_has(t, up))
					up++;
				while (down != UINT64_MAX && !ebpf_tnum_has(t, down))
					down--;
				ck_assert_int_eq(ebpf_tnum_next(t, x, &next), up < 256);
				ck_assert(up == 256 || next == up);
				ck_assert_int_eq(ebpf_tnum_prev(t, x, &prev), down != UINT64_MAX);
				ck_assert(down == UINT64_MAX || prev == down);
			}
		}
	}
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("ebpf/scalar");
	TCase *tc = tcase_create("arithmetic");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, results_are_members, 0, N_ELEMS(operations));
	tcase_add_loop_test(tc, small_ranges_whole, 0, N_ELEMS(operations));
	tcase_add_loop_test(tc, small_tnums_whole, 0, N_ELEMS(operations));
	tcase_add_test(tc, extensions_and_swaps);
	tcase_add_test(tc, tnum_next_and_prev_whole);
	suite_add_tcase(s, tc);
	tc = tcase_create("branches");
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, branches_keep_members, 0, N_ELEMS(compares));
	tcase_add_loop_test(tc, branches_on_constants_go_one_way, 0, N_ELEMS(compares));
	tcase_add_test(tc, branches_learn_the_exact_bound);
	suite_add_tcase(s, tc);
	return s;
}
