/* SPDX-License-Identifier: BSD-2-Clause */
#include "ebpf/sized.h"

#include "ebpf/err.h"

#include <errno.h>
#include <string.h>

static size_t
size_of(const void *sized)
{
	size_t size;

	memcpy(&size, sized, sizeof(size));
	return size;
}

static int
check_least(const char *what, size_t size, size_t least, struct ebpf_err *err)
{
	if (size >= least)
		return 0;
	return ebpf_err_set(err, -EINVAL, "%s of %zu bytes, but %zu are the least: set size", what,
			    size, least);
}

int
ebpf_sized_take(const char *what, void *ours, size_t ours_size, const void *theirs, size_t least,
		struct ebpf_err *err)
{
	size_t size = size_of(theirs);
	size_t n = size < ours_size ? size : ours_size;
	int rc = check_least(what, size, least, err);

	if (rc < 0)
		return rc;
	memset(ours, 0, ours_size);
	memcpy(ours, theirs, n);
	memcpy(ours, &ours_size, sizeof(ours_size));
	return 0;
}

int
ebpf_sized_give(const char *what, const void *ours, size_t ours_size, void *theirs, size_t least,
		struct ebpf_err *err)
{
	size_t size = size_of(theirs);
	size_t n = size < ours_size ? size : ours_size;
	int rc = check_least(what, size, least, err);

	if (rc < 0)
		return rc;
	memset(theirs, 0, size);
	memcpy(theirs, ours, n);
	memcpy(theirs, &size, sizeof(size));
	return 0;
}
