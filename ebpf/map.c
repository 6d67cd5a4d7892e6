/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Maps: what all kinds have in common, and the way to those functions that
 * only one has.  References are of two sorts.  Those of the host keep the map
 * and what is in it; those of programs keep the map alone, so that a program
 * array and a program in it that uses it do not keep each other for ever.
 */
#include "ebpf/map.h"

#include "ebpf/err.h"
#include "ebpf/sized.h"
#include "ebpf/map_value.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	uint32_t type;
	const struct ebpf_map_kind *kind;
} kinds[] = {
	{ EBPF_MAP_HASH, &ebpf_map_hash },
	{ EBPF_MAP_ARRAY, &ebpf_map_array },
	{ EBPF_MAP_PROG_ARRAY, &ebpf_map_prog_array },
	{ EBPF_MAP_PERCPU_ARRAY, &ebpf_map_percpu_array },
	{ EBPF_MAP_LPM_TRIE, &ebpf_map_lpm_trie },
	{ EBPF_MAP_RINGBUF, &ebpf_map_ringbuf },
};

static const struct ebpf_map_kind *
kind_of(const struct ebpf_map_opts *opts)
{
	if (opts->type >= EBPF_MAP_OWN)
		return opts->kind;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (kinds[i].type == opts->type)
			return kinds[i].kind;
	}
	return NULL;
}

/* What holds for every kind.  Sizes stay so small that no sum of two wraps. */
static int
map_check(const struct ebpf_map_opts *opts, const char *name, struct ebpf_err *err)
{
	const uint32_t known = EBPF_MAP_NO_PREALLOC | EBPF_MAP_RDONLY_PROG;

	if (opts->flags & ~known)
		return ebpf_err_set(err, -EINVAL, "map %s: unknown flags 0x%" PRIx32, name,
				    opts->flags & ~known);
	if (opts->max_entries == 0)
		return ebpf_err_set(err, -EINVAL, "map %s: no entries", name);
	if (opts->key_size > INT32_MAX / 4 || opts->value_size > INT32_MAX / 4)
		return ebpf_err_set(err, -E2BIG,
				    "map %s: keys of %" PRIu32 " and values of %" PRIu32
				    " bytes, limit is %d",
				    name, opts->key_size, opts->value_size, INT32_MAX / 4);
	return 0;
}

int
ebpf_map_new(const struct ebpf_map_opts *opts, struct ebpf_map **out, struct ebpf_err *err)
{
	struct ebpf_map *map = calloc(1, sizeof(*map));
	const struct ebpf_map_kind *kind;
	int rc;

	if (map == NULL)
		return ebpf_err_set(err, -ENOMEM, "map: out of memory");
	if ((rc = ebpf_sized_take("map options", &map->opts, sizeof(map->opts), opts,
				  EBPF_SIZED_LEAST(struct ebpf_map_opts, kind_arg), err)) < 0)
		goto fail;
	if (map->opts.name != NULL)
		strncpy(map->name, map->opts.name, sizeof(map->name) - 1);
	map->opts.name = map->name;
	kind = kind_of(&map->opts);
	if (kind == NULL) {
		rc = ebpf_err_set(err, -EINVAL, "map %s: unknown type %" PRIu32, map->name,
				  map->opts.type);
		goto fail;
	}
	if ((rc = map_check(&map->opts, map->name, err)) < 0)
		goto fail;
	if ((rc = ebpf_sized_take("kind of map", &map->kind, sizeof(map->kind), kind,
				  EBPF_SIZED_LEAST(struct ebpf_map_kind, close), err)) < 0)
		goto fail;
	atomic_init(&map->n_refs, 1);
	atomic_init(&map->n_user_refs, 1);
	if ((rc = map->kind.open(&map->opts, &map->state, err)) < 0) {
		ebpf_err_prefix(err, rc, "map %s: %s", map->name, map->kind.name);
		goto fail;
	}
	*out = map;
	return 0;
fail:
	free(map);
	return rc;
}

void
ebpf_map_hold(struct ebpf_map *map)
{
	atomic_fetch_add_explicit(&map->n_refs, 1, memory_order_relaxed);
}

void
ebpf_map_release(struct ebpf_map *map)
{
	if (atomic_fetch_sub_explicit(&map->n_refs, 1, memory_order_acq_rel) != 1)
		return;
	map->kind.close(map->state);
	free(map);
}

struct ebpf_map *
ebpf_map_get(struct ebpf_map *map)
{
	atomic_fetch_add_explicit(&map->n_user_refs, 1, memory_order_relaxed);
	ebpf_map_hold(map);
	return map;
}

void
ebpf_map_put(struct ebpf_map *map)
{
	if (map == NULL)
		return;
	if (atomic_fetch_sub_explicit(&map->n_user_refs, 1, memory_order_acq_rel) == 1 &&
	    map->opts.type == EBPF_MAP_PROG_ARRAY)
		ebpf_prog_array_empty(map->state);
	ebpf_map_release(map);
}

void
ebpf_map_describe(const struct ebpf_map *map, struct ebpf_map_opts *opts)
{
	ebpf_sized_give("map options", &map->opts, sizeof(map->opts), opts,
			EBPF_SIZED_LEAST(struct ebpf_map_opts, kind_arg), NULL);
}

int
ebpf_map_lookup(struct ebpf_map *map, const void *key, void *value)
{
	const void *p;

	if (map->kind.lookup == NULL)
		return -EOPNOTSUPP;
	if ((p = map->kind.lookup(map->state, key)) == NULL)
		return -ENOENT;
	map_value_read(value, p, map->opts.value_size);
	return 0;
}

int
ebpf_map_update(struct ebpf_map *map, const void *key, const void *value, uint64_t flags)
{
	if (map->kind.update == NULL)
		return -EOPNOTSUPP;
	if (flags > EBPF_EXIST)
		return -EINVAL;
	return map->kind.update(map->state, key, value, flags);
}

int
ebpf_map_delete(struct ebpf_map *map, const void *key)
{
	return map->kind.remove != NULL ? map->kind.remove(map->state, key) : -EOPNOTSUPP;
}

int
ebpf_map_next_key(struct ebpf_map *map, const void *key, void *next)
{
	return map->kind.next_key != NULL ? map->kind.next_key(map->state, key, next)
					  : -EOPNOTSUPP;
}

bool
ebpf_map_owns(const struct ebpf_map *map, uint64_t addr, uint64_t len, bool is_write)
{
	if (map->kind.owns == NULL || (is_write && map->opts.flags & EBPF_MAP_RDONLY_PROG) ||
	    addr > UINTPTR_MAX || len > SIZE_MAX)
		return false;
	return map->kind.owns(map->state, (const void *)(uintptr_t)addr, (size_t)len) == 1;
}

void *
ebpf_map_direct(const struct ebpf_map *map)
{
	if (map->kind.direct == NULL || map->opts.max_entries != 1)
		return NULL;
	return map->kind.direct(map->state);
}

int
ebpf_map_lookup_percpu(struct ebpf_map *map, const void *key, size_t i, void *value)
{
	if (map->opts.type != EBPF_MAP_PERCPU_ARRAY)
		return -EOPNOTSUPP;
	return ebpf_percpu_lookup(map->state, key, i, value);
}

int
ebpf_map_set_prog(struct ebpf_map *map, uint32_t index, struct ebpf_prog *prog)
{
	if (map->opts.type != EBPF_MAP_PROG_ARRAY)
		return -EOPNOTSUPP;
	return ebpf_prog_array_set(map->state, index, prog);
}

void
ebpf_map_reap(struct ebpf_map *map)
{
	if (map->opts.type == EBPF_MAP_PROG_ARRAY)
		ebpf_prog_array_reap(map->state);
}

int
ebpf_ringbuf_consume(struct ebpf_map *map, int (*fn)(void *arg, const void *data, size_t len),
		     void *arg)
{
	if (map->opts.type != EBPF_MAP_RINGBUF)
		return -EOPNOTSUPP;
	return ebpf_ringbuf_take(map->state, fn, arg);
}
