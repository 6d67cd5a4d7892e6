/* SPDX-License-Identifier: BSD-2-Clause */
/* What is read ahead is what is there, to its end or to what is wrong; and nobody has to wait. */
#include "config.h"

#include "filter/ahead.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/suite.h"
#include "tests/support/tempfile.h"

enum { MOST = 40000 };

static uint8_t bytes[MOST];

static struct sift_ahead *
open_ahead(const char *path, off_t from, size_t piece, int *fd)
{
	struct sift_ahead *ahead;

	*fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(*fd, 0);
	ck_assert_int_eq(lseek(*fd, from, SEEK_SET), from);
	ck_assert_int_eq(sift_ahead_new(*fd, piece, &ahead), 0);
	return ahead;
}

/* Read bytes[at] and what follows, of n, some of it in two goes. */
static void
expect_bytes(struct sift_ahead *ahead, size_t at, size_t n, size_t piece, uint64_t *rng)
{
	while (at < n) {
		uint8_t *got;
		size_t n_got = 0, n_left;

		ck_assert_int_eq(sift_ahead_next(ahead, &got, &n_got), 1);
		ck_assert(n_got > 0 && n_got <= piece && n_got <= n - at);
		n_left = rng_below(rng, 3) == 0 ? rng_below(rng, (uint32_t)n_got) : 0;
		sift_ahead_leave(ahead, n_left);
		ck_assert(memcmp(got, bytes + at, n_got - n_left) == 0);
		at += n_got - n_left;
	}
}

START_TEST(all_of_a_file_is_read)
{
	uint64_t rng = suite_seed(0xa4ead), n_files = suite_scaled(1000);
	char path[TEMPFILE_PATH];

	tempfile_create(path);
	for (size_t i = 0; i < MOST; i++)
		bytes[i] = (uint8_t)rng_next(&rng);
	for (uint64_t i = 0; i < n_files; i++) {
		size_t n = rng_below(&rng, rng_below(&rng, 2) ? 100 : MOST);
		size_t from = rng_below(&rng, (uint32_t)n + 1), piece = 1 + rng_below(&rng, 9000);
		struct sift_ahead *ahead;
		uint8_t *got;
		size_t n_got;
		int fd;

		tempfile_save(path, bytes, n);
		ahead = open_ahead(path, (off_t)from, piece < n / 64 ? n / 64 : piece, &fd);
		if (rng_below(&rng, 8) > 0) {
			expect_bytes(ahead, from, n, MOST, &rng);
			ck_assert_int_eq(sift_ahead_next(ahead, &got, &n_got), 0);
			ck_assert_int_eq(sift_ahead_next(ahead, &got, &n_got), 0);
		}
		sift_ahead_free(ahead);
		close(fd);
	}
	unlink(path);
}
END_TEST

START_TEST(what_cannot_be_read_is_said_again)
{
	struct sift_ahead *ahead;
	uint8_t *got;
	size_t n;
	int fd;

	ahead = open_ahead("/", 0, 100, &fd);
	ck_assert_int_eq(sift_ahead_next(ahead, &got, &n), -EISDIR);
	ck_assert_int_eq(sift_ahead_next(ahead, &got, &n), -EISDIR);
	sift_ahead_free(ahead);
	close(fd);
	sift_ahead_free(NULL);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("filter/ahead");
	TCase *tc = tcase_create("ahead");

	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, all_of_a_file_is_read);
	tcase_add_test(tc, what_cannot_be_read_is_said_again);
	suite_add_tcase(s, tc);
	return s;
}
