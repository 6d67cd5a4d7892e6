/* SPDX-License-Identifier: BSD-2-Clause */
/* Arrays: all values are there from the start, 0 at first, and stay. */
#include "config.h"

#include "ebpf/err.h"
#include "ebpf/map.h"
#include "ebpf/map_value.h"

#include <errno.h>
#include <stdlib.h>

struct array {
	uint32_t n;
	uint32_t value_size;
	size_t stride;
	uint8_t *values;
};

static int
array_open(const struct ebpf_map_opts *opts, void **state, struct ebpf_err *err)
{
	struct array *a;

	if (opts->key_size != sizeof(uint32_t) || opts->value_size == 0)
		return ebpf_err_set(err, -EINVAL, "keys have 4 bytes, and values some");
	a = calloc(1, sizeof(*a));
	if (a == NULL)
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	a->n = opts->max_entries;
	a->value_size = opts->value_size;
	a->stride = map_value_stride(opts->value_size);
	a->values = calloc(a->n, a->stride);
	if (a->values == NULL) {
		free(a);
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	}
	*state = a;
	return 0;
}

static void
array_close(void *state)
{
	struct array *a = state;

	free(a->values);
	free(a);
}

static void *
array_lookup(void *state, const void *key)
{
	struct array *a = state;
	uint32_t index = map_index(key);

	return index < a->n ? a->values + index * a->stride : NULL;
}

static int
array_update(void *state, const void *key, const void *value, uint64_t flags)
{
	struct array *a = state;
	void *p = array_lookup(state, key);

	if (p == NULL)
		return -E2BIG;
	if (flags == EBPF_NOEXIST)
		return -EEXIST;
	map_value_write(p, value, a->value_size);
	return 0;
}

static int
array_remove(void *state, const void *key)
{
	(void)state, (void)key;
	return -EINVAL;
}

static int
array_next_key(void *state, const void *key, void *next)
{
	struct array *a = state;

	return map_next_index(key, next, a->n) ? 0 : -ENOENT;
}

static int
array_owns(void *state, const void *addr, size_t len)
{
	struct array *a = state;

	return map_values_own(a->values, a->n, a->stride, a->value_size, addr, len);
}

static void *
array_direct(void *state)
{
	return ((struct array *)state)->values;
}

const struct ebpf_map_kind ebpf_map_array = {
	.size = sizeof(struct ebpf_map_kind),
	.name = "array",
	.open = array_open,
	.close = array_close,
	.lookup = array_lookup,
	.update = array_update,
	.remove = array_remove,
	.next_key = array_next_key,
	.owns = array_owns,
	.direct = array_direct,
};
