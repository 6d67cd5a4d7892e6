/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/cbpf2ebpf_say.h"

#include <bpfsift/ebpf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* One line, whatever the names and expressions quoted in it hold. */
__attribute__((format(printf, 1, 0))) static void
complain(const char *fmt, va_list ap)
{
	char line[EBPF_ERR_SIZE + 1024];

	vsnprintf(line, sizeof(line), fmt, ap);
	for (char *p = line; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	fprintf(stderr, "cbpf2ebpf: %s\n", line);
}

void
die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(fmt, ap);
	va_end(ap);
	/* What is held goes with the process: nothing for a leak checker to look for. */
	fflush(stdout);
	_exit(EXIT_FAILURE);
}

void
usage(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(fmt, ap);
	va_end(ap);
	exit(EXIT_USAGE);
}

void *
must(void *p)
{
	if (p == NULL)
		die("out of memory");
	return p;
}
