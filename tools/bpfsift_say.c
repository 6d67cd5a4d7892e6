/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bpfsift_say.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>

static volatile sig_atomic_t has_line;

void
print_line(const char *text, int columns)
{
	fprintf(stderr, "%.*s\033[K\r", columns, text);
	has_line = 1;
}

void
clear_line(void)
{
	if (!has_line)
		return;
	has_line = 0;
	fputs("\033[K", stderr);
}

bool
line_is_shown(void)
{
	return has_line;
}

int
complain(const struct ebpf_err *err)
{
	fflush(stdout);
	clear_line();
	fprintf(stderr, "bpfsift: %s\n", err->text);
	return EXIT_FAILURE;
}

void
warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	clear_line();
	fputs("bpfsift: WARNING: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
}

int
refuse(struct ebpf_err *err, int rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return rc;
}

void
print_packets(FILE *to, uint64_t n, const char *what)
{
	fprintf(to, "%" PRIu64 " packet%s%s\n", n, n == 1 ? "" : "s", what);
}

const char *
linktype_text(int dlt, char text[LINKTYPE_TEXT])
{
	const char *name = sift_linktype_name(dlt);

	if (name == NULL)
		snprintf(text, LINKTYPE_TEXT, "link-type %d", dlt);
	else
		snprintf(text, LINKTYPE_TEXT, "link-type %s (%s)", name,
			 sift_linktype_description(dlt));
	return text;
}
