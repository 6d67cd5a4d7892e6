/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h" /* O_CLOEXEC, mkstemp() */

#include "tools/cbpf2ebpf_file.h"

#include "tools/cbpf2ebpf_say.h"

#include <bpfsift/ebpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* More text than any program needs. */
#define MAX_INPUT ((size_t)EBPF_MAXINSNS * 128)

static struct text
read_stream(FILE *stream, const char *name)
{
	struct text in = { NULL, 0 };
	size_t room = 0;

	do {
		if (room - in.len < 4096)
			in.at = must(realloc(in.at, room = room == 0 ? 16384 : room * 2));
		in.len += fread(in.at + in.len, 1, room - in.len - 1, stream);
		if (ferror(stream))
			die("%s: %s", name, strerror(errno));
		if (in.len > MAX_INPUT)
			die("%s: over %zu bytes", name, MAX_INPUT);
	} while (!feof(stream));
	in.at[in.len] = '\0';
	return in;
}

struct text
read_file(const char *path, const char *name)
{
	FILE *stream = stdin;
	struct text in;

	if (path != NULL && (stream = fopen(path, "rb")) == NULL)
		die("%s: %s", path, strerror(errno));
	in = read_stream(stream, name);
	if (stream != stdin)
		fclose(stream);
	return in;
}

void
write_stdout(const char *at, size_t len)
{
	fwrite(at, 1, len, stdout);
	if (fflush(stdout) != 0 || ferror(stdout) || fclose(stdout) != 0)
		die("stdout: %s", strerror(errno));
}

/* These return 0 or an errno code.  fd is closed either way. */
static int
write_and_close(int fd, const struct text *text)
{
	size_t done = 0;

	while (done < text->len) {
		ssize_t n = write(fd, text->at + done, text->len - done);

		if (n < 0 && errno != EINTR) {
			int code = errno;

			close(fd);
			return code;
		}
		done += n > 0 ? (size_t)n : 0;
	}
	return close(fd) < 0 ? errno : 0;
}

/* A device or pipe cannot be replaced, only written to. */
static int
write_special(const char *path, const struct text *text)
{
	int fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);

	return fd < 0 ? errno : write_and_close(fd, text);
}

/* The permissions that a new file gets, or that the old one has. */
static mode_t
mode_for(const struct stat *old)
{
	mode_t mask;

	if (old != NULL)
		return old->st_mode & 0777;
	mask = umask(0);
	umask(mask);
	return 0666 & ~mask;
}

/* Under another name first: readers of path see the old file or the whole new one. */
static int
replace_file(const char *path, const struct stat *old, const struct text *text)
{
	static const char suffix[] = ".XXXXXX";
	size_t len = strlen(path);
	char *temporary = must(malloc(len + sizeof(suffix)));
	int fd, code;

	memcpy(temporary, path, len);
	memcpy(temporary + len, suffix, sizeof(suffix));
	if ((fd = mkstemp(temporary)) < 0) {
		code = errno;
		free(temporary);
		return code;
	}
	if (fchmod(fd, mode_for(old)) < 0) {
		code = errno;
		close(fd);
	} else {
		code = write_and_close(fd, text);
	}
	if (code == 0 && rename(temporary, path) < 0)
		code = errno;
	if (code != 0)
		unlink(temporary);
	free(temporary);
	return code;
}

/* A file that is there; a link to it goes on pointing there. */
static int
rewrite_file(const char *path, const struct stat *old, const struct text *text)
{
	char *target;
	int code;

	if (access(path, W_OK) < 0 || (target = realpath(path, NULL)) == NULL)
		return errno;
	code = replace_file(target, old, text);
	free(target);
	return code;
}

void
write_file(const char *path, const struct text *text)
{
	struct stat old;
	int code;

	if (stat(path, &old) < 0)
		code = errno == ENOENT ? replace_file(path, NULL, text) : errno;
	else if (S_ISREG(old.st_mode))
		code = rewrite_file(path, &old, text);
	else
		code = write_special(path, text);
	if (code != 0)
		die("%s: %s", path, strerror(code));
}
