/* SPDX-License-Identifier: BSD-2-Clause */
#include "ebpf/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Names come from files and strangers: what they hold makes no second line, and moves no cursor. */
static void
flatten(char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < ' ' || c == 0x7f)
			*text = '?';
	}
}

int
ebpf_err_set(struct ebpf_err *err, int rc, const char *fmt, ...)
{
	va_list ap;

	if (err == NULL)
		return rc;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	flatten(err->text);
	return rc;
}

int
ebpf_err_prefix(struct ebpf_err *err, int rc, const char *fmt, ...)
{
	struct ebpf_err old;
	size_t used;
	va_list ap;

	if (err == NULL)
		return rc;
	old = *err;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	flatten(err->text);
	used = strlen(err->text);
	snprintf(err->text + used, sizeof(err->text) - used, ": %s", old.text);
	return rc;
}
