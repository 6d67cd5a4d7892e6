/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "tests/faults/tool.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/suite.h"

enum { MAX_ARGS = 24, ROOM = 8 * 4200, PIECE = 1 << 16 };

static char dir[] = "/tmp/bpfsift-faults.XXXXXX";
static char tools[PATH_MAX], data[PATH_MAX];

/* ---- files ---- */

struct tool_bytes
tool_read_file(const char *path)
{
	struct tool_bytes b = { NULL, 0, false };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 0;

	b.is_there = fd >= 0;
	do {
		b.n += (size_t)n;
		b.p = realloc(b.p, b.n + PIECE);
		ck_assert_ptr_nonnull(b.p);
	} while (fd >= 0 && (n = read(fd, b.p + b.n, PIECE)) > 0);
	ck_assert_int_ge(n, 0);
	if (fd >= 0)
		close(fd);
	return b;
}

void
tool_write_file(const char *path, const void *bytes, size_t n)
{
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
	ck_assert_int_eq(fclose(f), 0);
}

const char *
tool_data(void)
{
	return data;
}

void
tool_prepare(void)
{
	char path[PATH_MAX];
	const char *builddir = getenv("builddir");

	ck_assert_ptr_nonnull(realpath(suite_data(""), data));
	snprintf(path, sizeof(path), "%s/tests/faults", builddir != NULL ? builddir : ".");
	ck_assert_ptr_nonnull(realpath(path, tools));
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chdir(dir), 0);
}

void
tool_clean_up(const char *const *files, size_t n)
{
	static const char *const own[] = { "told", "stdin", "stdout", "stderr", "out" };

	for (size_t i = 0; i < n; i++)
		unlink(files[i]);
	for (size_t i = 0; i < N_ELEMS(own); i++)
		unlink(own[i]);
	/* Not empty: something was left that has another name. */
	ck_assert_int_eq(rmdir(dir), 0);
}

/* ---- a run ---- */

/* Root is not to become another user, who could not write here. */
static void
split(const struct tool_run *run, char *room, char **argv)
{
	char *end = room + ROOM;
	int n = 0;

	room += snprintf(argv[n++] = room, (size_t)(end - room), "%s/%s", tools, run->tool) + 1;
	if (strcmp(run->tool, "bpfsift") == 0 && geteuid() == 0) {
		static char option[] = "-Z", root[] = "root";

		argv[n++] = option;
		argv[n++] = root;
	}
	for (const char *p = run->args; *p != '\0' && n < MAX_ARGS - 1;) {
		bool is_data = strncmp(p, "%d/", 3) == 0;
		int len = (int)strcspn(p, " "), skip = is_data ? 2 : 0;

		room += snprintf(argv[n++] = room, (size_t)(end - room), "%s%.*s",
				 is_data ? data : "", len - skip, p + skip) + 1;
		p += len + (p[len] == ' ');
	}
	argv[n] = NULL;
}

_Noreturn static void
become(char **argv, const char *const *environment)
{
	int in = open("stdin", O_RDONLY), out = open("stdout", O_WRONLY | O_CREAT | O_TRUNC, 0600),
	    err = open("stderr", O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (in < 0 || out < 0 || err < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
		_exit(99);
	setenv("FAULTS_TOLD", "told", 1);
	for (; environment != NULL && *environment != NULL; environment++)
		putenv((char *)(uintptr_t)*environment);
	execv(argv[0], argv);
	_exit(TOOL_NOT_STARTED);
}

struct tool_outcome
tool_run(const struct tool_run *run, const char *const *environment)
{
	char room[ROOM], *argv[MAX_ARGS];
	struct tool_outcome o = { .status = -1 };
	const char *input = run->input != NULL ? run->input : "";
	struct tool_bytes told;
	pid_t child;

	split(run, room, argv);
	unlink("out");
	tool_write_file("told", "", 0);
	tool_write_file("stdin", input, strlen(input));
	fflush(stdout);
	if ((child = fork()) == 0)
		become(argv, environment);
	ck_assert_int_eq(waitpid(child, &o.status, 0), child);
	told = tool_read_file("told");
	o.has_failed = told.n > 0;
	free(told.p);
	o.out = tool_read_file("stdout");
	o.err = tool_read_file("stderr");
	o.file = tool_read_file("out");
	return o;
}

void
tool_outcome_free(struct tool_outcome *outcome)
{
	free(outcome->out.p);
	free(outcome->err.p);
	free(outcome->file.p);
}

/* ---- what came of it ---- */

bool
tool_is_same(const struct tool_bytes *a, const struct tool_bytes *b)
{
	return a->is_there == b->is_there && a->n == b->n && memcmp(a->p, b->p, a->n) == 0;
}

bool
tool_begins(const struct tool_bytes *a, const struct tool_bytes *b)
{
	return a->n <= b->n && memcmp(a->p, b->p, a->n) == 0;
}

bool
tool_holds_whole_packets(const struct tool_bytes *bytes)
{
	size_t at = 24;
	uint32_t caplen;

	if (bytes->n == 0)
		return true;
	while (at + 16 <= bytes->n) {
		memcpy(&caplen, bytes->p + at + 8, sizeof(caplen));
		at += 16 + (size_t)caplen;
	}
	return at == bytes->n;
}

bool
tool_ended_with(const struct tool_outcome *outcome, int status)
{
	return WIFEXITED(outcome->status) && WEXITSTATUS(outcome->status) == status;
}

size_t
tool_n_lines(const struct tool_bytes *bytes)
{
	size_t n = 0;

	for (size_t i = 0; i < bytes->n; i++)
		n += bytes->p[i] == '\n';
	return n;
}

bool
tool_says_why(const struct tool_run *run, const struct tool_outcome *outcome, size_t n)
{
	const struct tool_bytes *err = &outcome->err;
	char name[32];
	size_t len = (size_t)snprintf(name, sizeof(name), "%s: ", run->tool);

	return err->n > 0 && err->p[err->n - 1] == '\n' && tool_n_lines(err) <= n &&
	       memmem(err->p, err->n, name, len) != NULL;
}
