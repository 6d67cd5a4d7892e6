/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Helpers of the program type raw, numbered as in the kernel's uapi
 * <linux/bpf.h>.  Their arguments are what helper_core.def says: somebody has
 * seen to it before the call.
 */
#include "config.h"

#include "ebpf/helper.h"

#include "ebpf/map.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define HELPER(name)                                                                               \
	static uint64_t name(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5,      \
			     void *env)

static struct ebpf_map *
map_of(uint64_t r)
{
	return (struct ebpf_map *)(uintptr_t)r;
}

static const void *
memory(uint64_t r)
{
	return (const void *)(uintptr_t)r;
}

static uint64_t
result(int rc)
{
	return (uint64_t)(int64_t)rc;
}

/* ---- maps ---- */

HELPER(map_lookup_elem)
{
	struct ebpf_map *map = map_of(r1);

	(void)r3, (void)r4, (void)r5, (void)env;
	if (map->kind.lookup == NULL)
		return 0;
	return (uintptr_t)map->kind.lookup(map->state, memory(r2));
}

HELPER(map_update_elem)
{
	struct ebpf_map *map = map_of(r1);

	(void)r5, (void)env;
	if (map->opts.flags & EBPF_MAP_RDONLY_PROG)
		return result(-EACCES);
	return result(ebpf_map_update(map, memory(r2), memory(r3), r4));
}

/* What a program array holds is the host's business. */
HELPER(map_delete_elem)
{
	struct ebpf_map *map = map_of(r1);

	(void)r3, (void)r4, (void)r5, (void)env;
	if (map->opts.flags & EBPF_MAP_RDONLY_PROG)
		return result(-EACCES);
	if (map->opts.type == EBPF_MAP_PROG_ARRAY)
		return result(-EOPNOTSUPP);
	return result(ebpf_map_delete(map, memory(r2)));
}

HELPER(ringbuf_output)
{
	(void)r4, (void)r5, (void)env;
	return result(ebpf_ringbuf_output(map_of(r1), memory(r2), r3));
}

HELPER(ringbuf_query)
{
	(void)r3, (void)r4, (void)r5, (void)env;
	return ebpf_ringbuf_query(map_of(r1), r2);
}

/* ---- the machine ---- */

HELPER(ktime_get_ns)
{
	struct timespec now = { 0 };

	(void)r1, (void)r2, (void)r3, (void)r4, (void)r5, (void)env;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

HELPER(get_smp_processor_id)
{
	int cpu = sched_getcpu();

	(void)r1, (void)r2, (void)r3, (void)r4, (void)r5, (void)env;
	return cpu >= 0 ? (uint64_t)cpu : 0;
}

/* splitmix64 over a counter: threads take numbers without a lock, each its own. */
HELPER(get_prandom_u32)
{
	struct ebpf_core_env *core = env;
	uint64_t n = atomic_fetch_add_explicit(&core->draws, 1, memory_order_relaxed);
	uint64_t z = core->random_seed + (n + 1) * 0x9e3779b97f4a7c15u;

	(void)r1, (void)r2, (void)r3, (void)r4, (void)r5;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (z ^ (z >> 31)) >> 32;
}

/* ---- trace_printk ---- */

#define LINE_SIZE 512

struct line {
	char text[LINE_SIZE];
	size_t used;
};

static void
append(struct line *line, const char *text, size_t n)
{
	size_t room = sizeof(line->text) - 1 - line->used;

	if (n > room)
		n = room;
	memcpy(line->text + line->used, text, n);
	line->used += n;
}

/* One conversion, its '%' at fmt: its length; 0: not one that this helper has. */
static size_t
conversion(struct line *line, const char *fmt, uint64_t v)
{
	size_t n = 1, n_longs = 0;
	char text[32];
	int len;

	while (fmt[n] == 'l' && n_longs < 2)
		n++, n_longs++;
	if (n_longs == 0 && fmt[n] != 'p')
		v = (uint32_t)v;
	switch (fmt[n]) {
	case 'd':
	case 'i':
		len = n_longs == 0 ? snprintf(text, sizeof(text), "%" PRId32, (int32_t)v)
				   : snprintf(text, sizeof(text), "%" PRId64, (int64_t)v);
		break;
	case 'u':
		len = snprintf(text, sizeof(text), "%" PRIu64, v);
		break;
	case 'x':
		len = snprintf(text, sizeof(text), "%" PRIx64, v);
		break;
	case 'p':
		len = snprintf(text, sizeof(text), "0x%" PRIx64, v);
		break;
	default:
		return 0;
	}
	append(line, text, (size_t)len);
	return n + 1;
}

/*
 * %d %i %u %x, with l and ll, %p and %%; at most three of them.  No %s: nobody
 * has tested where its address leads.
 */
HELPER(trace_printk)
{
	const struct ebpf_core_env *core = env;
	const char *fmt = memory(r1);
	uint64_t args[] = { r3, r4, r5 };
	size_t n_args = 0, n;
	struct line line = { .used = 0 };

	if (fmt[r2 - 1] != '\0')
		return result(-EINVAL);
	for (; *fmt != '\0'; fmt += n) {
		n = 1;
		if (*fmt != '%') {
			append(&line, fmt, 1);
		} else if (fmt[1] == '%') {
			append(&line, fmt, 1);
			n = 2;
		} else if (n_args == 3 || (n = conversion(&line, fmt, args[n_args++])) == 0) {
			return result(-EINVAL);
		}
	}
	line.text[line.used] = '\0';
	if (line.used > 0 && line.text[line.used - 1] == '\n')
		line.text[line.used - 1] = '\0';
	if (core->print != NULL)
		core->print(core->print_arg, line.text);
	return line.used;
}

/* ---- the table ---- */

#define tail_call NULL

const struct ebpf_prog_type *
ebpf_prog_type_raw(void)
{
	static const struct ebpf_helper helpers[] = {
#define C(id_, name_, a, b, c, d, e, r)                                                            \
	{ .id = id_, .name = #name_, .fn = name_,                                                  \
	  .args = { EBPF_ARG_##a, EBPF_ARG_##b, EBPF_ARG_##c, EBPF_ARG_##d, EBPF_ARG_##e },        \
	  .ret = EBPF_RET_##r },
#include "ebpf/helper_core.def"
	};
	static const struct ebpf_prog_type raw = {
		.name = "raw",
		.rfc9669 = true,
		.helpers = helpers,
		.n_helpers = sizeof(helpers) / sizeof(helpers[0]),
	};

	return &raw;
}

#undef tail_call

int32_t
ebpf_helper_index(const struct ebpf_prog_type *type, int32_t id)
{
	for (size_t i = 0; i < type->n_helpers; i++) {
		if (type->helpers[i].id == id)
			return (int32_t)i;
	}
	return -1;
}
