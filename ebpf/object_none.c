/* SPDX-License-Identifier: BSD-2-Clause */
/* Object files in a build without libelf: there are none. */
#include "config.h"

#include "ebpf/err.h"

#include <errno.h>

int
ebpf_object_open(const void *bytes, size_t len, struct ebpf_object **out, struct ebpf_err *err)
{
	(void)bytes, (void)len, (void)out;
	return ebpf_err_set(err, -EOPNOTSUPP, "object files: built without libelf");
}

void
ebpf_object_close(struct ebpf_object *object)
{
	(void)object;
}

struct ebpf_map *
ebpf_object_map(const struct ebpf_object *object, const char *name)
{
	(void)object, (void)name;
	return NULL;
}

int
ebpf_object_load(const struct ebpf_object *object, const char *section, const char *function,
		 const struct ebpf_prog_type *type, const struct ebpf_load_opts *opts,
		 struct ebpf_prog **out, struct ebpf_err *err)
{
	(void)object, (void)section, (void)function, (void)type, (void)opts, (void)out;
	return ebpf_err_set(err, -EOPNOTSUPP, "object files: built without libelf");
}
