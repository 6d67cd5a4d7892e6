/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "tests/support/compress.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "filter/outflow.h"
#include "tests/support/suite.h"

void
bytes_add(struct bytes *b, const void *p, size_t n)
{
	if (n > b->size - b->n) {
		b->size = 2 * b->size + n;
		b->p = realloc(b->p, b->size);
		ck_assert_ptr_nonnull(b->p);
	}
	if (n > 0)
		memcpy(b->p + b->n, p, n);
	b->n += n;
}

void
bytes_add_content(struct bytes *b, size_t n, uint64_t *rng)
{
	static const char text[] = "GET /index.html HTTP/1.1\r\nHost: www.example.org\r\n";
	uint8_t record[54] = { 0x12, 0x34, 0x56, 0x65 };
	size_t end = b->n + n;

	while (b->n < end) {
		size_t left = end - b->n, some;
		uint64_t noise[32];

		record[4 + rng_below(rng, 50)] = (uint8_t)rng_next(rng);
		bytes_add(b, record, left < sizeof(record) ? left : sizeof(record));
		left = end - b->n;
		some = rng_below(rng, sizeof(text));
		bytes_add(b, text, left < some ? left : some);
		left = end - b->n;
		for (size_t i = 0; i < N_ELEMS(noise); i++)
			noise[i] = rng_next(rng);
		some = rng_below(rng, sizeof(noise));
		bytes_add(b, noise, left < some ? left : some);
	}
}

static int
put(void *arg, const uint8_t *bytes, size_t n, struct ebpf_err *err)
{
	(void)err;
	bytes_add(arg, bytes, n);
	return 0;
}

void
bytes_add_frame(struct bytes *b, enum sift_codec codec, int level, const uint8_t *p, size_t n,
		uint64_t *rng)
{
	const struct sift_outflow_opts opts = {
		.codec = codec,
		.level = level,
		.put = put,
		.arg = b,
		.name = "x",
	};
	struct sift_outflow *flow;
	struct ebpf_err err = { "" };

	ck_assert_msg(sift_outflow_new(&opts, &flow, &err) == 0, "%s", err.text);
	while (n > 0) {
		size_t some = 1 + rng_below(rng, 200000);

		if (some > n)
			some = n;
		ck_assert_msg(sift_outflow_write(flow, p, some, &err) == 0, "%s", err.text);
		p += some;
		n -= some;
	}
	ck_assert_msg(sift_outflow_finish(flow, &err) == 0, "%s", err.text);
	sift_outflow_free(flow);
}

bool
has_codec(enum sift_codec codec)
{
	if (sift_codec_decoder(codec) != NULL)
		return true;
	suite_skip("this build leaves %s out", sift_codec_name(codec));
	return false;
}

bool
has_tool(const char *tool)
{
	char command[64];

	snprintf(command, sizeof(command), "command -v %s >/dev/null 2>&1", tool);
	if (system(command) == 0)
		return true;
	suite_skip("no %s: not compared with it", tool);
	return false;
}

int
open_file(const uint8_t *p, size_t n)
{
	int fd = memfd_create("compressed", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	for (size_t done = 0; done < n;) {
		ssize_t put_now = write(fd, p + done, n - done);

		ck_assert(put_now > 0);
		done += (size_t)put_now;
	}
	ck_assert(lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

bool
pass_through(const char *command, const struct bytes *in, struct bytes *out)
{
	int from = open_file(in->p, in->n), to = open_file(NULL, 0), status;
	uint8_t some[65536];
	ssize_t got;
	pid_t child;

	fflush(stdout);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		dup2(from, STDIN_FILENO);
		dup2(to, STDOUT_FILENO);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(lseek(to, 0, SEEK_SET) == 0);
	while ((got = read(to, some, sizeof(some))) > 0)
		bytes_add(out, some, (size_t)got);
	close(from);
	close(to);
	return status == 0;
}

int
open_slow_pipe(const uint8_t *p, size_t n, uint32_t most, uint64_t seed, int *child)
{
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	fflush(stdout);
	*child = fork();
	ck_assert_int_ge(*child, 0);
	if (*child == 0) {
		close(fds[0]);
		while (n > 0) {
			size_t some = 1 + rng_below(&seed, most);
			ssize_t done = write(fds[1], p, some < n ? some : n);

			if (done < 0)
				_exit(1);
			p += done;
			n -= (size_t)done;
		}
		_exit(0);
	}
	close(fds[1]);
	return fds[0];
}
