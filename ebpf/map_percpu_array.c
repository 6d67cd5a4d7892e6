/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arrays of which each thread has its own copy, made at its first access.
 *
 * By thread and not by CPU: the kernel keeps a program on its CPU while it
 * runs, user space does not, and two threads in the copy of one CPU would lose
 * counts.  A copy outlives its thread, with what is in it, and the next new
 * thread takes it over: there are as many copies as there ever were threads at
 * a time.  They are found through a key of pthreads, since the library has no
 * statics, and stand in a list that only grows.
 */
#include "config.h"

#include "ebpf/err.h"
#include "ebpf/map.h"
#include "ebpf/map_value.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/* One thread's, in a cache line of its own at both ends. */
#define PAD 64

struct copy {
	struct copy *next;              /* the one made before */
	atomic_bool is_taken;
	size_t i;
	_Alignas(PAD) uint8_t values[];
};

struct percpu {
	uint32_t n;
	uint32_t value_size;
	size_t stride;
	size_t n_bytes;                 /* of a copy */
	pthread_key_t key;
	_Atomic(struct copy *) copies;  /* the youngest */
};

/* A thread ends: its copy is free. */
static void
leave(void *arg)
{
	struct copy *c = arg;

	atomic_store_explicit(&c->is_taken, false, memory_order_release);
}

static int
percpu_open(const struct ebpf_map_opts *opts, void **state, struct ebpf_err *err)
{
	struct percpu *p;
	int rc;

	if (opts->key_size != sizeof(uint32_t) || opts->value_size == 0)
		return ebpf_err_set(err, -EINVAL, "keys have 4 bytes, and values some");
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	p->n = opts->max_entries;
	p->value_size = opts->value_size;
	p->stride = map_value_stride(opts->value_size);
	if (p->n > (SIZE_MAX / 2 - sizeof(struct copy)) / p->stride) {
		free(p);
		return ebpf_err_set(err, -E2BIG, "too large for this machine");
	}
	p->n_bytes = (sizeof(struct copy) + p->n * p->stride + PAD - 1) / PAD * PAD;
	if ((rc = pthread_key_create(&p->key, leave)) != 0) {
		free(p);
		return ebpf_err_set(err, -rc, "no thread-specific key left");
	}
	*state = p;
	return 0;
}

static void
percpu_close(void *state)
{
	struct percpu *p = state;
	struct copy *c = atomic_load_explicit(&p->copies, memory_order_acquire);

	pthread_key_delete(p->key);
	while (c != NULL) {
		struct copy *next = c->next;

		free(c);
		c = next;
	}
	free(p);
}

static struct copy *
take_free_copy(struct percpu *p)
{
	struct copy *c = atomic_load_explicit(&p->copies, memory_order_acquire);

	for (; c != NULL; c = c->next) {
		bool is_taken = false;

		if (atomic_compare_exchange_strong_explicit(&c->is_taken, &is_taken, true,
							    memory_order_acquire,
							    memory_order_relaxed))
			return c;
	}
	return NULL;
}

static struct copy *
make_copy(struct percpu *p)
{
	struct copy *c = aligned_alloc(PAD, p->n_bytes), *last;

	if (c == NULL)
		return NULL;
	memset(c, 0, p->n_bytes);
	atomic_init(&c->is_taken, true);
	last = atomic_load_explicit(&p->copies, memory_order_acquire);
	do {
		c->next = last;
		c->i = last != NULL ? last->i + 1 : 0;
	} while (!atomic_compare_exchange_weak_explicit(&p->copies, &last, c, memory_order_acq_rel,
							memory_order_acquire));
	return c;
}

/* This thread's copy; NULL: out of memory. */
static struct copy *
own_copy(struct percpu *p)
{
	struct copy *c = pthread_getspecific(p->key);

	if (c != NULL)
		return c;
	c = take_free_copy(p);
	if (c == NULL)
		c = make_copy(p);
	if (c != NULL && pthread_setspecific(p->key, c) != 0) {
		leave(c);
		c = NULL;
	}
	return c;
}

static void *
percpu_lookup(void *state, const void *key)
{
	struct percpu *p = state;
	uint32_t index = map_index(key);
	struct copy *c;

	if (index >= p->n || (c = own_copy(p)) == NULL)
		return NULL;
	return c->values + index * p->stride;
}

static int
percpu_update(void *state, const void *key, const void *value, uint64_t flags)
{
	struct percpu *p = state;
	void *to;

	if (map_index(key) >= p->n)
		return -E2BIG;
	if (flags == EBPF_NOEXIST)
		return -EEXIST;
	if ((to = percpu_lookup(state, key)) == NULL)
		return -ENOMEM;
	map_value_write(to, value, p->value_size);
	return 0;
}

static int
percpu_remove(void *state, const void *key)
{
	(void)state, (void)key;
	return -EINVAL;
}

static int
percpu_next_key(void *state, const void *key, void *next)
{
	struct percpu *p = state;

	return map_next_index(key, next, p->n) ? 0 : -ENOENT;
}

static int
percpu_owns(void *state, const void *addr, size_t len)
{
	struct percpu *p = state;
	const struct copy *c = pthread_getspecific(p->key);

	return c != NULL && map_values_own(c->values, p->n, p->stride, p->value_size, addr, len);
}

int
ebpf_percpu_lookup(void *state, const void *key, size_t i, void *value)
{
	struct percpu *p = state;
	const struct copy *c = atomic_load_explicit(&p->copies, memory_order_acquire);
	uint32_t index = map_index(key);

	while (c != NULL && c->i != i)
		c = c->next;
	if (c == NULL || index >= p->n)
		return -ENOENT;
	map_value_read(value, c->values + index * p->stride, p->value_size);
	return 0;
}

const struct ebpf_map_kind ebpf_map_percpu_array = {
	.size = sizeof(struct ebpf_map_kind),
	.name = "per-CPU array",
	.open = percpu_open,
	.close = percpu_close,
	.lookup = percpu_lookup,
	.update = percpu_update,
	.remove = percpu_remove,
	.next_key = percpu_next_key,
	.owns = percpu_owns,
};
