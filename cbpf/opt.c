/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Levels 1 and 2: the order of the passes, and their memory.
 */
#include "cbpf/opt.h"

#include "ebpf/err.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* ---- memory ---- */

#define CHUNK_SIZE 16384

struct opt_chunk {
	struct opt_chunk *next;
	size_t used, size;      /* bytes of memory[] */
	max_align_t memory[];
};

static struct opt_chunk *
add_chunk(struct opt *o, size_t least)
{
	size_t size = o->chunks != NULL ? 2 * o->chunks->size : CHUNK_SIZE;
	struct opt_chunk *c;

	if (size < least)
		size = least;
	c = malloc(sizeof(*c) + size);
	if (c == NULL) {
		o->failed = true;
		return NULL;
	}
	c->next = o->chunks;
	c->used = 0;
	c->size = size;
	o->chunks = c;
	return c;
}

void *
opt_alloc(struct opt *o, size_t n, size_t size)
{
	struct opt_chunk *c = o->chunks;
	size_t align = sizeof(max_align_t), bytes;
	void *p;

	/* sizes come from numbers of instructions: far from wrapping */
	bytes = (n * size + align - 1) / align * align;
	if (o->failed)
		return NULL;
	if ((c == NULL || bytes > c->size - c->used) && (c = add_chunk(o, bytes)) == NULL)
		return NULL;
	p = (char *)c->memory + c->used;
	c->used += bytes;
	return memset(p, 0, bytes);
}

static void
fini(struct opt *o)
{
	while (o->chunks != NULL) {
		struct opt_chunk *next = o->chunks->next;

		free(o->chunks);
		o->chunks = next;
	}
	free(o->values);
	free(o->index);
	free(o->blocks);
	free(o->edges);
}

/* ---- passes ---- */

static const struct {
	const char *name;
	int (*run)(struct opt *o);
	int level;              /* from which on */
} passes[] = {
	{ "build", opt_build, 1 },
	{ "guard", opt_pass_guard, 1 },
	{ "thread", opt_pass_thread, 1 },
	{ "guard", opt_pass_guard, 1 },
	{ "wide", opt_pass_wide, 2 },
	{ "chain", opt_pass_chain, 2 },
	{ "range", opt_pass_range, 2 },
	{ "swap", opt_pass_swap, 2 },
};

enum { N_PASSES = sizeof(passes) / sizeof(passes[0]) };

static int
run_passes(struct opt *o)
{
	const struct cbpf_lower_opts *opts = o->l->opts;
	int rc = 0;

	for (size_t i = 0; i < N_PASSES && rc == 0; i++) {
		if (passes[i].level > o->level)
			continue;
		rc = passes[i].run(o);
		if (rc == 0 && o->changed)
			rc = opt_flow(o);
		if (rc == 0 && opts->trace != NULL)
			opt_dump(o, passes[i].name, opts->trace, opts->trace_arg);
	}
	return rc;
}

int
opt_lower(struct lowering *l, int level, struct cbpf_lowered *out)
{
	struct opt o = { .l = l, .level = level };
	int rc = run_passes(&o);

	if (rc == 0)
		rc = opt_select(&o, out);
	if (rc == -ENOMEM)
		ebpf_err_set(l->err, rc, "out of memory");
	fini(&o);
	return rc;
}
