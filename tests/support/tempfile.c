/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h" /* system extensions: mkstemp() */

#include "tests/support/tempfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/suite.h"

enum { BEGINNING = 20000, MOST = 70000 };

void
tempfile_create(char path[TEMPFILE_PATH])
{
	static const char name[] = "/bpfsift-XXXXXX";
	const char *dir = getenv("TMPDIR");
	int fd;

	if (dir == NULL || strlen(dir) + sizeof(name) > TEMPFILE_PATH)
		dir = "/tmp";
	snprintf(path, TEMPFILE_PATH, "%s%s", dir, name);
	ck_assert_int_ge(fd = mkstemp(path), 0);
	close(fd);
}

uint64_t
tempfile_size(const char *path)
{
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	return (uint64_t)st.st_size;
}

void
tempfile_save(const char *path, const uint8_t *bytes, size_t n)
{
	FILE *out = fopen(path, "wb");

	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(fwrite(bytes, 1, n, out), n);
	ck_assert_int_eq(fclose(out), 0);
}

int
tempfile_pipe(const uint8_t *bytes, size_t n, uint32_t first, uint64_t seed, pid_t *child)
{
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	*child = fork();
	ck_assert_int_ge(*child, 0);
	if (*child == 0) {
		size_t at = 0;

		close(fds[0]);
		while (at < n) {
			size_t left = n - at;
			size_t some = 1 + rng_below(&seed, at < BEGINNING ? first : MOST);
			ssize_t done = write(fds[1], bytes + at, some < left ? some : left);

			if (done < 0)
				_exit(1);
			at += (size_t)done;
		}
		_exit(0);
	}
	close(fds[1]);
	return fds[0];
}
