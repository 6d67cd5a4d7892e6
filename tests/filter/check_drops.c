/* SPDX-License-Identifier: BSD-2-Clause */
/* The counts of what an interface has dropped, in files like the kernel's. */
#include "config.h"

#include "filter/drops.h"

#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char directory[] = "/tmp/bpfsift-drops.XXXXXX";

static void
write_number(const char *name, const char *number)
{
	char path[80];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	fputs(number, file);
	ck_assert_int_eq(fclose(file), 0);
}

static void
clear(void)
{
	char path[80];

	snprintf(path, sizeof(path), "%s/rx_missed_errors", directory);
	unlink(path);
	snprintf(path, sizeof(path), "%s/rx_fifo_errors", directory);
	unlink(path);
	ck_assert_int_eq(rmdir(directory), 0);
}

START_TEST(drops_are_those_since_it_was_opened)
{
	struct sift_drops drops;

	ck_assert_ptr_nonnull(mkdtemp(directory));
	write_number("rx_missed_errors", "4294967295\n");
	write_number("rx_fifo_errors", "7\n");
	sift_drops_open(&drops, directory);
	ck_assert(sift_drops_are_known(&drops));
	ck_assert_uint_eq(sift_drops_count(&drops), 0);
	write_number("rx_missed_errors", "8589934599\n");
	write_number("rx_fifo_errors", "9\n");
	ck_assert_uint_eq(sift_drops_count(&drops), 4294967306);
	ck_assert_uint_eq(sift_drops_count(&drops), 4294967306);
	write_number("rx_missed_errors", "1\n");
	ck_assert_uint_eq(sift_drops_count(&drops), 0);
	sift_drops_close(&drops);
	ck_assert(!sift_drops_are_known(&drops));
	clear();
}
END_TEST

START_TEST(an_interface_without_files_has_none)
{
	struct sift_drops drops;

	sift_drops_open(&drops, "/none");
	ck_assert(!sift_drops_are_known(&drops));
	ck_assert_ptr_nonnull(mkdtemp(directory));
	write_number("rx_missed_errors", "3\n");
	sift_drops_open(&drops, directory);
	ck_assert(!sift_drops_are_known(&drops));
	clear();
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("filter/drops");
	TCase *tc = tcase_create("drops");

	tcase_add_test(tc, drops_are_those_since_it_was_opened);
	tcase_add_test(tc, an_interface_without_files_has_none);
	suite_add_tcase(s, tc);
	return s;
}
