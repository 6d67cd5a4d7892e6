/* SPDX-License-Identifier: BSD-2-Clause */
#include "ebpf/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int
ebpf_err_set(struct ebpf_err *err, int rc, const char *fmt, ...)
{
	va_list ap;

	if (err == NULL)
		return rc;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
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
	used = strlen(err->text);
	snprintf(err->text + used, sizeof(err->text) - used, ": %s", old.text);
	return rc;
}
