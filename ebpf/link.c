/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linking: the instructions of a program name maps by number, and the program
 * that runs has their addresses.
 */
#include "config.h"

#include "ebpf/link.h"

#include "ebpf/err.h"
#include "ebpf/insn.h"
#include "ebpf/map.h"
#include "ebpf/sized.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- making ---- */

static int
out_of_memory(struct ebpf_err *err)
{
	return ebpf_err_set(err, -ENOMEM, "maps and helpers of a program: out of memory");
}

/* The type's helpers, and before them those of opts: the first one of a number counts. */
static int
take_helpers(struct ebpf_link *link, const struct ebpf_prog_type *type,
	     const struct ebpf_load_opts *opts, struct ebpf_err *err)
{
	struct ebpf_helper *all;

	link->type = *type;
	if (opts->n_helpers == 0)
		return 0;
	all = calloc(opts->n_helpers + type->n_helpers, sizeof(*all));
	if (all == NULL)
		return out_of_memory(err);
	for (size_t i = 0; i < opts->n_helpers; i++) {
		struct ebpf_helper_opts h;
		int rc = ebpf_sized_take("helper", &h, sizeof(h), opts->helpers[i],
					 EBPF_SIZED_LEAST(struct ebpf_helper_opts, ret), err);

		if (rc < 0) {
			free(all);
			return rc;
		}
		if (h.fn == NULL || h.id < 0 || h.id == EBPF_HELPER_TAIL_CALL) {
			free(all);
			return ebpf_err_set(err, -EINVAL,
					    "helper %" PRId32 ": without a function, or not a number for one",
					    h.id);
		}
		/* What it does is its author's business: it may run programs. */
		all[i] = (struct ebpf_helper){ .id = h.id, .fn = h.fn, .ret = h.ret, .env = h.env,
					       .may_reenter = true,
					       .name = h.name != NULL ? h.name : "helper" };
		memcpy(all[i].args, h.args, sizeof(h.args));
	}
	memcpy(all + opts->n_helpers, type->helpers, type->n_helpers * sizeof(*all));
	link->own_helpers = all;
	link->type.helpers = all;
	link->type.n_helpers += opts->n_helpers;
	return 0;
}

static int
take_maps(struct ebpf_link *link, const struct ebpf_prog_type *type,
	  const struct ebpf_load_opts *opts, struct ebpf_err *err)
{
	if (opts->n_maps == 0)
		return 0;
	link->maps = calloc(opts->n_maps, sizeof(struct ebpf_map *));
	link->map_fds = calloc(opts->n_maps, sizeof(int32_t));
	if (link->maps == NULL || link->map_fds == NULL)
		return out_of_memory(err);
	for (size_t i = 0; i < opts->n_maps; i++) {
		struct ebpf_map *map = opts->maps[i];

		if (map->opts.type == EBPF_MAP_PROG_ARRAY && ebpf_prog_array_claim(map, type) < 0)
			return ebpf_err_set(err, -EINVAL,
					    "map %s: has programs of another type than %s",
					    map->opts.name, type->name);
		ebpf_map_hold(map);
		link->maps[i] = map;
		link->map_fds[i] = opts->map_fds != NULL ? opts->map_fds[i] : (int32_t)i;
		link->n_maps++;
	}
	return 0;
}

int
ebpf_load_opts_take(struct ebpf_load_opts *opts, const struct ebpf_load_opts *from,
		    struct ebpf_err *err)
{
	return ebpf_sized_take("load options", opts, sizeof(*opts), from,
			       EBPF_SIZED_LEAST(struct ebpf_load_opts, policy), err);
}

int
ebpf_link_init(struct ebpf_link *link, const struct ebpf_prog_type *type,
	       const struct ebpf_load_opts *opts, struct ebpf_err *err)
{
	int rc;

	memset(link, 0, sizeof(*link));
	if (pthread_mutex_init(&link->used_maps_lock, NULL) != 0)
		return out_of_memory(err);
	link->is_made = true;
	link->env.print = opts->print;
	link->env.print_arg = opts->print_arg;
	link->env.random_seed = opts->random_seed;
	atomic_init(&link->env.draws, 0);
	if ((rc = take_helpers(link, type, opts, err)) < 0 ||
	    (rc = take_maps(link, type, opts, err)) < 0)
		ebpf_link_free(link);
	return rc;
}

void
ebpf_link_free(struct ebpf_link *link)
{
	if (!link->is_made)
		return;
	for (size_t i = 0; i < link->n_maps; i++)
		ebpf_map_release(link->maps[i]);
	for (size_t i = 0; i < link->n_bound_maps; i++)
		ebpf_map_release(link->bound_maps[i]);
	free(link->bound_maps);
	pthread_mutex_destroy(&link->used_maps_lock);
	free(link->maps);
	free(link->map_fds);
	free(link->own_helpers);
	memset(link, 0, sizeof(*link));
}

/* ---- maps that are bound to it later ---- */

static bool
has_map(const struct ebpf_link *link, const struct ebpf_map *map)
{
	for (size_t i = 0; i < link->n_maps; i++) {
		if (link->maps[i] == map)
			return true;
	}
	for (size_t i = 0; i < link->n_bound_maps; i++) {
		if (link->bound_maps[i] == map)
			return true;
	}
	return false;
}

int
ebpf_prog_bind_map(struct ebpf_prog *prog, struct ebpf_map *map)
{
	struct ebpf_link *link = &prog->aux->link;
	struct ebpf_map **maps;
	int rc = 0;

	pthread_mutex_lock(&link->used_maps_lock);
	if (has_map(link, map))
		goto out;
	maps = reallocarray(link->bound_maps, link->n_bound_maps + 1, sizeof(struct ebpf_map *));
	if (maps == NULL) {
		rc = -ENOMEM;
		goto out;
	}
	ebpf_map_hold(map);
	link->bound_maps = maps;
	link->bound_maps[link->n_bound_maps++] = map;
out:
	pthread_mutex_unlock(&link->used_maps_lock);
	return rc;
}

struct ebpf_map *
ebpf_prog_map(const struct ebpf_prog *prog, size_t i)
{
	struct ebpf_link *link = &prog->aux->link;
	struct ebpf_map *map = NULL;

	if (i < link->n_maps)
		return ebpf_map_get(link->maps[i]);
	pthread_mutex_lock(&link->used_maps_lock);
	if (i - link->n_maps < link->n_bound_maps)
		map = ebpf_map_get(link->bound_maps[i - link->n_maps]);
	pthread_mutex_unlock(&link->used_maps_lock);
	return map;
}

/* ---- 64-bit loads ---- */

static bool
is_by_index(enum ebpf_op row)
{
	return row == EBPF_OP_LDDW_MAP_IDX || row == EBPF_OP_LDDW_MAP_IDX_VALUE;
}

static bool
is_value(enum ebpf_op row)
{
	return row == EBPF_OP_LDDW_MAP_VALUE || row == EBPF_OP_LDDW_MAP_IDX_VALUE;
}

static struct ebpf_map *
map_of(const struct ebpf_link *link, enum ebpf_op row, int32_t number)
{
	for (size_t i = 0; i < link->n_maps; i++) {
		if (is_by_index(row) ? (size_t)(uint32_t)number == i : link->map_fds[i] == number)
			return link->maps[i];
	}
	return NULL;
}

static int
check_map(const struct ebpf_link *link, const struct ebpf_insn *insn, enum ebpf_op row, size_t pc,
	  struct ebpf_err *err)
{
	const struct ebpf_map *map = map_of(link, row, insn[0].imm);
	uint32_t off = (uint32_t)insn[1].imm;

	if (map == NULL)
		return ebpf_err_set(err, -ENOENT,
				    "insn %zu: no map of %s %" PRId32 " among the %zu of the program", pc,
				    is_by_index(row) ? "index" : "descriptor", insn[0].imm,
				    link->n_maps);
	if (!is_value(row) && off != 0)
		return ebpf_err_set(err, -EINVAL, "insn %zu: second half of a map load is 0x%" PRIx32
				    ", not 0", pc, off);
	if (is_value(row) && ebpf_map_direct(map) == NULL)
		return ebpf_err_set(err, -EINVAL,
				    "insn %zu: address in the value of map %s, which has not just one",
				    pc, map->opts.name);
	if (is_value(row) && off >= map->opts.value_size)
		return ebpf_err_set(err, -EINVAL,
				    "insn %zu: offset %" PRIu32 " in the value of map %s, which has %" PRIu32
				    " bytes", pc, off, map->opts.name, map->opts.value_size);
	return 0;
}

static int
check_func(const struct ebpf_insn *insns, size_t n_insns, size_t pc, struct ebpf_err *err)
{
	int64_t to = (int64_t)pc + 1 + insns[pc].imm;

	if (to < 0 || to >= (int64_t)n_insns)
		return ebpf_err_set(err, -EINVAL, "insn %zu: subprogram at %" PRId64
				    ", but the program has %zu", pc, to, n_insns);
	if (insns[pc + 1].imm != 0)
		return ebpf_err_set(err, -EINVAL, "insn %zu: second half of a subprogram's address",
				    pc);
	return 0;
}

int
ebpf_link_check(const struct ebpf_link *link, const struct ebpf_insn *insns, size_t n_insns,
		struct ebpf_err *err)
{
	for (size_t pc = 0; pc < n_insns; pc++) {
		enum ebpf_op row;
		int rc = 0;

		if (!ebpf_code_is_wide(insns[pc].code))
			continue;
		row = (enum ebpf_op)ebpf_op_of(&insns[pc]);
		if (row == EBPF_OP_LDDW_FUNC)
			rc = check_func(insns, n_insns, pc, err);
		else if (row != EBPF_OP_LDDW)
			rc = check_map(link, &insns[pc], row, pc, err);
		if (rc < 0)
			return rc;
		pc++;
	}
	return 0;
}

uint64_t
ebpf_link_value(const struct ebpf_link *link, const struct ebpf_insn *insn, enum ebpf_op row,
		size_t pc, const struct ebpf_decoded *code)
{
	const struct ebpf_map *map;

	if (row == EBPF_OP_LDDW)
		return (uint32_t)insn[0].imm | (uint64_t)(uint32_t)insn[1].imm << 32;
	if (row == EBPF_OP_LDDW_FUNC)
		return (uintptr_t)&code[(int64_t)pc + 1 + insn[0].imm];
	map = map_of(link, row, insn[0].imm);
	return is_value(row) ? (uintptr_t)ebpf_map_direct(map) + (uint32_t)insn[1].imm
			     : (uintptr_t)map;
}
