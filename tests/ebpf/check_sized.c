/* SPDX-License-Identifier: BSD-2-Clause */
#include "ebpf/sized.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/suite.h"

/* One struct in three versions; in the library is the second. */
struct first {
	size_t size;
	uint64_t a;
};

struct second {
	size_t size;
	uint64_t a;
	uint64_t b;
};

struct third {
	size_t size;
	uint64_t a;
	uint64_t b;
	uint64_t c;
};

#define LEAST EBPF_SIZED_LEAST(struct second, a)

START_TEST(an_older_callers_missing_members_are_zero)
{
	struct {
		struct first opts;
		uint64_t behind;
	} caller = { { sizeof(caller.opts), 1 }, UINT64_MAX };
	struct second ours;

	memset(&ours, 0xa5, sizeof(ours));
	ck_assert_int_eq(ebpf_sized_take("options", &ours, sizeof(ours), &caller.opts, LEAST, NULL),
			 0);
	ck_assert_uint_eq(ours.size, sizeof(ours));
	ck_assert_uint_eq(ours.a, 1);
	ck_assert_uint_eq(ours.b, 0);
}
END_TEST

START_TEST(a_newer_callers_further_members_are_left)
{
	const struct third theirs = { sizeof(theirs), 1, 2, 3 };
	struct {
		struct second opts;
		uint64_t behind;
	} ours = { .behind = 4711 };

	ck_assert_int_eq(
		ebpf_sized_take("options", &ours.opts, sizeof(ours.opts), &theirs, LEAST, NULL), 0);
	ck_assert_uint_eq(ours.opts.size, sizeof(ours.opts));
	ck_assert_uint_eq(ours.opts.b, 2);
	ck_assert_uint_eq(ours.behind, 4711);
}
END_TEST

START_TEST(an_older_caller_is_given_what_it_has_room_for)
{
	const struct second ours = { sizeof(ours), 1, 2 };
	struct {
		struct first info;
		uint64_t behind;
	} caller = { { .size = sizeof(caller.info) }, 4711 };

	ck_assert_int_eq(ebpf_sized_give("info", &ours, sizeof(ours), &caller.info, LEAST, NULL),
			 0);
	ck_assert_uint_eq(caller.info.size, sizeof(caller.info));
	ck_assert_uint_eq(caller.info.a, 1);
	ck_assert_uint_eq(caller.behind, 4711);
}
END_TEST

START_TEST(a_newer_caller_is_given_zeroes_for_the_rest)
{
	const struct second ours = { sizeof(ours), 1, 2 };
	struct third theirs = { sizeof(theirs), 4711, 4711, 4711 };

	ck_assert_int_eq(ebpf_sized_give("info", &ours, sizeof(ours), &theirs, LEAST, NULL), 0);
	ck_assert_uint_eq(theirs.size, sizeof(theirs));
	ck_assert_uint_eq(theirs.a, 1);
	ck_assert_uint_eq(theirs.b, 2);
	ck_assert_uint_eq(theirs.c, 0);
}
END_TEST

START_TEST(less_than_the_first_version_is_refused)
{
	struct second ours = { 4711, 4711, 4711 }, theirs = { LEAST - 1, 1, 2 };
	struct ebpf_err err = { "" };
	char want[128];

	snprintf(want, sizeof(want), "options of %zu bytes, but %zu are the least: set size",
		 LEAST - 1, LEAST);
	ck_assert_int_eq(ebpf_sized_take("options", &ours, sizeof(ours), &theirs, LEAST, &err),
			 -EINVAL);
	ck_assert_str_eq(err.text, want);
	ck_assert_uint_eq(ours.size, 4711);
	ck_assert_int_eq(ebpf_sized_give("options", &ours, sizeof(ours), &theirs, LEAST, NULL),
			 -EINVAL);
	ck_assert_uint_eq(theirs.a, 1);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("ebpf/sized");
	TCase *tc = tcase_create("sizes");

	tcase_add_test(tc, an_older_callers_missing_members_are_zero);
	tcase_add_test(tc, a_newer_callers_further_members_are_left);
	tcase_add_test(tc, an_older_caller_is_given_what_it_has_room_for);
	tcase_add_test(tc, a_newer_caller_is_given_zeroes_for_the_rest);
	tcase_add_test(tc, less_than_the_first_version_is_refused);
	suite_add_tcase(s, tc);
	return s;
}
