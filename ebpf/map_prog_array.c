/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arrays of programs, for tail calls.
 *
 * A running program reads a slot without a lock, so one that is taken out may
 * be running still.  The kernel waits for that; here nobody counts runs, so
 * such programs are kept until the host says that none is running, or the
 * array goes.
 */
#include "config.h"

#include "ebpf/err.h"
#include "ebpf/extend.h"
#include "ebpf/map.h"
#include "ebpf/prog.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct retired {
	struct retired *next;
	struct ebpf_prog *prog;
};

struct progs {
	pthread_mutex_t lock;           /* of writers */
	const struct ebpf_prog_type *type; /* of all programs; NULL: none yet */
	struct retired *retired;
	uint32_t n;
	_Atomic(struct ebpf_prog *) *slots;
};

static int
progs_open(const struct ebpf_map_opts *opts, void **state, struct ebpf_err *err)
{
	struct progs *p;

	if (opts->key_size != sizeof(uint32_t) || opts->value_size != sizeof(uint32_t))
		return ebpf_err_set(err, -EINVAL, "keys and values have 4 bytes");
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	p->slots = calloc(opts->max_entries, sizeof(p->slots[0]));
	if (p->slots == NULL || pthread_mutex_init(&p->lock, NULL) != 0) {
		free(p->slots);
		free(p);
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	}
	p->n = opts->max_entries;
	*state = p;
	return 0;
}

static void
leave(struct ebpf_prog *prog)
{
	if (prog == NULL)
		return;
	ebpf_extension_leave_array(prog);
	ebpf_prog_put(prog);
}

static void
reap(struct progs *p)
{
	while (p->retired != NULL) {
		struct retired *r = p->retired;

		p->retired = r->next;
		leave(r->prog);
		free(r);
	}
}

void
ebpf_prog_array_reap(void *state)
{
	struct progs *p = state;

	pthread_mutex_lock(&p->lock);
	reap(p);
	pthread_mutex_unlock(&p->lock);
}

void
ebpf_prog_array_empty(void *state)
{
	struct progs *p = state;

	pthread_mutex_lock(&p->lock);
	for (uint32_t i = 0; i < p->n; i++)
		leave(atomic_exchange_explicit(&p->slots[i], NULL, memory_order_acq_rel));
	reap(p);
	pthread_mutex_unlock(&p->lock);
}

static void
progs_close(void *state)
{
	struct progs *p = state;

	ebpf_prog_array_empty(p);
	pthread_mutex_destroy(&p->lock);
	free(p->slots);
	free(p);
}

static int
claim(struct progs *p, const struct ebpf_prog_type *type)
{
	if (p->type == NULL)
		p->type = type;
	return p->type == type ? 0 : -EINVAL;
}

int
ebpf_prog_array_claim(struct ebpf_map *map, const struct ebpf_prog_type *type)
{
	struct progs *p = map->state;
	int rc;

	pthread_mutex_lock(&p->lock);
	rc = claim(p, type);
	pthread_mutex_unlock(&p->lock);
	return rc;
}

int
ebpf_prog_array_set(void *state, uint32_t index, struct ebpf_prog *prog)
{
	struct progs *p = state;
	struct retired *r;
	int rc = 0;

	if (index >= p->n)
		return -E2BIG;
	r = malloc(sizeof(*r));
	if (r == NULL)
		return -ENOMEM;
	pthread_mutex_lock(&p->lock);
	if (prog != NULL && ((rc = claim(p, prog->aux->type)) < 0 ||
			     (rc = ebpf_extension_enter_array(prog)) < 0))
		goto out;
	r->prog = atomic_exchange_explicit(&p->slots[index],
					   prog != NULL ? ebpf_prog_get(prog) : NULL,
					   memory_order_acq_rel);
	if (r->prog != NULL) {
		r->next = p->retired;
		p->retired = r;
		r = NULL;
	}
out:
	pthread_mutex_unlock(&p->lock);
	free(r);
	return rc;
}

struct ebpf_prog *
ebpf_prog_array_get(const struct ebpf_map *map, uint32_t index)
{
	struct progs *p = map->state;

	if (map->opts.type != EBPF_MAP_PROG_ARRAY || index >= p->n)
		return NULL;
	return atomic_load_explicit(&p->slots[index], memory_order_acquire);
}

/* The host empties a slot; programs cannot, see the helper. */
static int
progs_remove(void *state, const void *key)
{
	uint32_t index;

	memcpy(&index, key, sizeof(index));
	return ebpf_prog_array_set(state, index, NULL);
}

const struct ebpf_map_kind ebpf_map_prog_array = {
	.size = sizeof(struct ebpf_map_kind),
	.name = "program array",
	.open = progs_open,
	.close = progs_close,
	.remove = progs_remove,
};
