/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What each back end makes, on every machine: all of the program, in its order,
 * with a function for each form, and the same the next time.
 */
#include "ebpf/jit/pass.h"

#include "tests/support/random_prog.h"
#include "tests/support/suite.h"

#include <stdlib.h>
#include <string.h>

static const struct jit_target *const targets[] = { &ebpf_jit_x86_64, &ebpf_jit_aarch64 };

START_TEST(each_form_is_translated)
{
	for (size_t t = 0; t < N_ELEMS(targets); t++) {
		for (int form = 0; form < EBPF_N_FORMS; form++)
			ck_assert_int_eq(targets[t]->forms[form] != NULL,
					 form != EBPF_FORM_LDABS && form != EBPF_FORM_LDIND);
	}
}
END_TEST

struct made {
	uint8_t *code;
	size_t n;
	struct ebpf_jit_entries entries;
	uint32_t starts[RANDOM_PROG_MAX + 1];
};

static void
translate(const struct jit_target *target, const struct ebpf_prog *prog, struct made *made)
{
	memset(made, 0, sizeof(*made));
	ck_assert_int_eq(ebpf_jit_translate(target, prog, &made->code, &made->n, &made->entries,
					    made->starts), 0);
}

static void
is_whole(const struct jit_target *target, const struct random_prog *p, const struct made *made)
{
	ck_assert_uint_eq(made->n % target->align, 0);
	ck_assert_uint_lt(made->entries.run, made->entries.inner);
	ck_assert_uint_lt(made->entries.inner, made->entries.many);
	ck_assert_uint_eq(made->entries.many % 16, 0);
	ck_assert_uint_le(made->entries.many, made->n);
	ck_assert_uint_lt(made->starts[p->n], made->entries.inner + 1);
	for (size_t pc = 0; pc < p->n; pc++) {
		ck_assert_uint_le(made->starts[pc], made->starts[pc + 1]);
		ck_assert_uint_eq(made->starts[pc] % target->align, 0);
	}
}

START_TEST(random_programs_are_translated_whole)
{
	static struct random_prog p;
	uint64_t rng = suite_seed(0x9a55), n_programs = suite_scaled(2000);

	for (uint64_t i = 0; i < n_programs; i++) {
		struct ebpf_policy policy = { .size = sizeof(policy), .jit = EBPF_JIT_OFF };
		struct ebpf_prog *prog;

		random_prog(&p, 10 + rng_below(&rng, 60), &rng);
		ck_assert_int_eq(ebpf_prog_load_trusted_by(&random_prog_type, p.insns, p.n, NULL,
							   &policy, &prog, NULL), 0);
		for (size_t t = 0; t < N_ELEMS(targets); t++) {
			struct made first, second;

			translate(targets[t], prog, &first);
			is_whole(targets[t], &p, &first);
			translate(targets[t], prog, &second);
			ck_assert_uint_eq(first.n, second.n);
			ck_assert_mem_eq(first.code, second.code, first.n);
			free(first.code);
			free(second.code);
		}
		ebpf_prog_put(prog);
	}
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("ebpf/pass");
	TCase *tc = tcase_create("back ends");

	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, each_form_is_translated);
	tcase_add_test(tc, random_programs_are_translated_whole);
	suite_add_tcase(s, tc);
	return s;
}
