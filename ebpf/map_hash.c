/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hash maps: uthash over elements that are all allocated when the map is made.
 *
 * Why uthash: a header alone, so that the library links nothing more; well
 * kept; its handles live in our elements, which can therefore stay where they
 * are for as long as the map, as programs that hold their addresses need it.
 * (liburcu's table wants every thread that runs a program to register.)  It
 * has no defence against keys chosen to collide: hash values come from
 * SipHash, under a key of each map's own.
 *
 * Readers share a lock, writers have it alone.
 */
#include "config.h"

#include "ebpf/err.h"
#include "ebpf/map.h"
#include "ebpf/map_value.h"
#include "ebpf/random.h"
#include "ebpf/siphash.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

/* Where a table cannot grow, the element is not added and its handle says so. */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(elem) ((void)(elem))
#include <uthash.h>

#define MAX_KEY 512

struct elem {
	UT_hash_handle hh;
	uint32_t next_free;     /* index + 1 */
	uint32_t is_used;
	uint8_t key[];          /* then, at value_off, the value */
};

struct hash {
	pthread_rwlock_t lock;
	struct elem *head;      /* uthash's */
	uint8_t *elems;
	size_t stride;
	size_t value_off;
	uint32_t key_size;
	uint32_t value_size;
	uint32_t max_entries;
	uint32_t n_touched;     /* elements that were ever used, the first ones */
	uint32_t free;          /* index + 1 of the first of those free again */
	uint64_t seed[2];
};

static struct elem *
elem_at(const struct hash *h, uint32_t i)
{
	return (struct elem *)(void *)(h->elems + i * h->stride);
}

static uint32_t
index_of(const struct hash *h, const struct elem *e)
{
	return (uint32_t)((size_t)((const uint8_t *)e - h->elems) / h->stride);
}

static int
hash_open(const struct ebpf_map_opts *opts, void **state, struct ebpf_err *err)
{
	struct hash *h;

	if (opts->key_size == 0 || opts->key_size > MAX_KEY || opts->value_size == 0)
		return ebpf_err_set(err, -EINVAL, "keys have 1 to %d bytes, and values some",
				    MAX_KEY);
	h = calloc(1, sizeof(*h));
	if (h == NULL)
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	h->key_size = opts->key_size;
	h->value_size = opts->value_size;
	h->max_entries = opts->max_entries;
	h->value_off = map_value_stride(sizeof(struct elem) + opts->key_size);
	h->stride = map_value_stride(h->value_off + opts->value_size);
	ebpf_random(h->seed, sizeof(h->seed));
	h->elems = calloc(h->max_entries, h->stride);
	if (h->elems == NULL || pthread_rwlock_init(&h->lock, NULL) != 0) {
		free(h->elems);
		free(h);
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	}
	*state = h;
	return 0;
}

static void
hash_close(void *state)
{
	struct hash *h = state;

	HASH_CLEAR(hh, h->head);
	pthread_rwlock_destroy(&h->lock);
	free(h->elems);
	free(h);
}

static unsigned int
hash_value(const struct hash *h, const void *key)
{
	return (unsigned int)siphash13(h->seed, key, h->key_size);
}

static struct elem *
find(const struct hash *h, const void *key, unsigned int hashv)
{
	struct elem *e;

	HASH_FIND_BYHASHVALUE(hh, h->head, key, h->key_size, hashv, e);
	return e;
}

static void *
hash_lookup(void *state, const void *key)
{
	struct hash *h = state;
	unsigned int hashv = hash_value(h, key);
	struct elem *e;

	pthread_rwlock_rdlock(&h->lock);
	e = find(h, key, hashv);
	pthread_rwlock_unlock(&h->lock);
	return e != NULL ? (uint8_t *)e + h->value_off : NULL;
}

static struct elem *
take_elem(struct hash *h)
{
	struct elem *e;

	if (h->free != 0) {
		e = elem_at(h, h->free - 1);
		h->free = e->next_free;
		return e;
	}
	return h->n_touched < h->max_entries ? elem_at(h, h->n_touched++) : NULL;
}

static void
give_elem(struct hash *h, struct elem *e)
{
	e->is_used = 0;
	e->next_free = h->free;
	h->free = index_of(h, e) + 1;
}

static int
add(struct hash *h, const void *key, const void *value, unsigned int hashv)
{
	struct elem *e = take_elem(h);

	if (e == NULL)
		return -E2BIG;
	memcpy(e->key, key, h->key_size);
	map_value_write((uint8_t *)e + h->value_off, value, h->value_size);
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, h->head, e->key, h->key_size, hashv, e);
	if (find(h, key, hashv) == NULL) {
		give_elem(h, e);
		return -ENOMEM;
	}
	e->is_used = 1;
	return 0;
}

static int
hash_update(void *state, const void *key, const void *value, uint64_t flags)
{
	struct hash *h = state;
	unsigned int hashv = hash_value(h, key);
	struct elem *e;
	int rc = 0;

	pthread_rwlock_wrlock(&h->lock);
	e = find(h, key, hashv);
	if (e != NULL && flags == EBPF_NOEXIST)
		rc = -EEXIST;
	else if (e == NULL && flags == EBPF_EXIST)
		rc = -ENOENT;
	else if (e == NULL)
		rc = add(h, key, value, hashv);
	else
		map_value_write((uint8_t *)e + h->value_off, value, h->value_size);
	pthread_rwlock_unlock(&h->lock);
	return rc;
}

static int
hash_remove(void *state, const void *key)
{
	struct hash *h = state;
	unsigned int hashv = hash_value(h, key);
	struct elem *e;

	pthread_rwlock_wrlock(&h->lock);
	e = find(h, key, hashv);
	if (e != NULL) {
		HASH_DELETE(hh, h->head, e);
		give_elem(h, e);
	}
	pthread_rwlock_unlock(&h->lock);
	return e != NULL ? 0 : -ENOENT;
}

/* In the order in which the elements lie in memory, which adding does not change. */
static int
hash_next_key(void *state, const void *key, void *next)
{
	struct hash *h = state;
	const struct elem *at = NULL;
	uint32_t i;
	int rc = -ENOENT;

	pthread_rwlock_rdlock(&h->lock);
	if (key != NULL)
		at = find(h, key, hash_value(h, key));
	for (i = at != NULL ? index_of(h, at) + 1 : 0; i < h->n_touched; i++) {
		if (elem_at(h, i)->is_used) {
			memcpy(next, elem_at(h, i)->key, h->key_size);
			rc = 0;
			break;
		}
	}
	pthread_rwlock_unlock(&h->lock);
	return rc;
}

/* Elements that were never used included: they are memory of the map too. */
static int
hash_owns(void *state, const void *addr, size_t len)
{
	struct hash *h = state;

	return map_values_own(h->elems + h->value_off, h->max_entries, h->stride, h->value_size,
			      addr, len);
}

const struct ebpf_map_kind ebpf_map_hash = {
	.size = sizeof(struct ebpf_map_kind),
	.name = "hash",
	.open = hash_open,
	.close = hash_close,
	.lookup = hash_lookup,
	.update = hash_update,
	.remove = hash_remove,
	.next_key = hash_next_key,
	.owns = hash_owns,
};
