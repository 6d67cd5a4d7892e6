/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "tests/support/object.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/support/suite.h"

enum { ROOM = 1 << 16 };

const char *
object_make(const char *text, const char *target, uint8_t **bytes, size_t *len)
{
	char dir[] = "/tmp/bpfsift-object.XXXXXX", c_name[64], o_name[64], command[256];
	const char *why = NULL;
	FILE *f;

	if (mkdtemp(dir) == NULL)
		return "no temporary directory";
	snprintf(c_name, sizeof(c_name), "%s/a.c", dir);
	snprintf(o_name, sizeof(o_name), "%s/a.o", dir);
	snprintf(command, sizeof(command), "clang -target %s -O2 -g -c -o %s %s 2>/dev/null",
		 target, o_name, c_name);
	f = fopen(c_name, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
	if (system(command) != 0) {
		why = "no clang that knows the target bpf";
	} else {
		f = fopen(o_name, "rb");
		ck_assert_ptr_nonnull(f);
		*bytes = malloc(ROOM);
		*len = fread(*bytes, 1, ROOM, f);
		fclose(f);
		remove(o_name);
	}
	remove(c_name);
	rmdir(dir);
	return why;
}
