/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "tests/faults/operations.h"

#include "tests/support/suite.h"

char operations_nothing[2];

static struct {
	const char *file, *what;
	int line;
} broken;

static const char *skipped;

void
operation_skip(const char *why)
{
	skipped = why;
}

const char *
operation_is_skipped(void)
{
	const char *why = skipped;

	skipped = NULL;
	return why;
}

void
operation_expect(bool holds, const char *file, int line, const char *what)
{
	if (holds || broken.what != NULL)
		return;
	broken.file = file;
	broken.line = line;
	broken.what = what;
}

void
operation_expected(const struct operation *o, long n, const char *failed)
{
	ck_assert_msg(broken.what == NULL, "%s:%d: %s: request %ld, %s: %s", broken.file,
		      broken.line, o->name, n, failed != NULL ? failed : "none", broken.what);
}
