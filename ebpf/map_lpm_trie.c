/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tries of prefixes: a lookup finds the longest one that its key begins with.
 *
 * A key is a uint32_t, the bits of the prefix in host order, and then its
 * bytes, most significant bit first.  A node stands for a prefix; below it are
 * longer ones that begin with it, by their next bit.  Nodes where two prefixes
 * part have no value.  No library of Debian's has tries over keys of any
 * length whose elements stay in place, which addresses in programs need: hence
 * this one.
 *
 * Of n prefixes at most n - 1 nodes have no value: all of them are allocated
 * when the map is made.  Readers share a lock, writers have it alone.
 */
#include "config.h"

#include "ebpf/err.h"
#include "ebpf/map.h"
#include "ebpf/map_value.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#define MIN_KEY 5
#define MAX_KEY 260

struct node {
	uint32_t child[2];      /* index + 1; 0: none.  [0] links free nodes */
	uint32_t has_value;
	uint32_t n_bits;        /* the key: its prefix, and */
	uint8_t bytes[];        /* key_size - 4; then, at value_off, the value */
};

struct trie {
	pthread_rwlock_t lock;
	uint8_t *nodes;
	size_t stride;
	size_t value_off;
	uint32_t key_size;
	uint32_t value_size;
	uint32_t max_bits;
	uint32_t max_entries;
	uint32_t n_entries;
	uint32_t n_touched;     /* nodes that were ever used, the first ones */
	uint32_t free;          /* index + 1 */
	uint32_t root;
};

static struct node *
node_at(const struct trie *t, uint32_t link)
{
	return (struct node *)(void *)(t->nodes + (link - 1) * t->stride);
}

static uint32_t
link_of(const struct trie *t, const struct node *n)
{
	return (uint32_t)((size_t)((const uint8_t *)n - t->nodes) / t->stride) + 1;
}

static uint8_t *
value_of(const struct trie *t, struct node *n)
{
	return (uint8_t *)n + t->value_off;
}

static int
trie_open(const struct ebpf_map_opts *opts, void **state, struct ebpf_err *err)
{
	struct trie *t;

	if (opts->key_size < MIN_KEY || opts->key_size > MAX_KEY || opts->value_size == 0)
		return ebpf_err_set(err, -EINVAL, "keys have %d to %d bytes, and values some",
				    MIN_KEY, MAX_KEY);
	if (opts->max_entries > UINT32_MAX / 2 - 1)
		return ebpf_err_set(err, -E2BIG, "too many entries");
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	t->key_size = opts->key_size;
	t->value_size = opts->value_size;
	t->max_bits = (opts->key_size - 4) * 8;
	t->max_entries = opts->max_entries;
	t->value_off = map_value_stride(sizeof(struct node) + opts->key_size - 4);
	t->stride = map_value_stride(t->value_off + opts->value_size);
	t->nodes = calloc((size_t)t->max_entries * 2, t->stride);
	if (t->nodes == NULL || pthread_rwlock_init(&t->lock, NULL) != 0) {
		free(t->nodes);
		free(t);
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	}
	*state = t;
	return 0;
}

static void
trie_close(void *state)
{
	struct trie *t = state;

	pthread_rwlock_destroy(&t->lock);
	free(t->nodes);
	free(t);
}

/* ---- keys ---- */

struct key {
	uint32_t n_bits;
	const uint8_t *bytes;
};

static struct key
key_of(const void *p)
{
	struct key k = { .bytes = (const uint8_t *)p + sizeof(uint32_t) };

	memcpy(&k.n_bits, p, sizeof(k.n_bits));
	return k;
}

static unsigned int
bit(const uint8_t *bytes, uint32_t i)
{
	return bytes[i / 8] >> (7 - i % 8) & 1;
}

/* Bits that a node and a key have in common at their start. */
static uint32_t
common_bits(const struct node *n, struct key k)
{
	uint32_t max = n->n_bits < k.n_bits ? n->n_bits : k.n_bits, i = 0;

	while (max - i >= 8 && n->bytes[i / 8] == k.bytes[i / 8])
		i += 8;
	while (i < max && bit(n->bytes, i) == bit(k.bytes, i))
		i++;
	return i;
}

/* Where the walk for a key ends: the link to the first node that is not a
 * proper start of it. */
static uint32_t *
walk(struct trie *t, struct key k, uint32_t **above)
{
	uint32_t *link = &t->root;

	*above = NULL;
	while (*link != 0) {
		struct node *n = node_at(t, *link);

		if (n->n_bits >= k.n_bits || common_bits(n, k) < n->n_bits)
			break;
		*above = link;
		link = &n->child[bit(k.bytes, n->n_bits)];
	}
	return link;
}

static struct node *
find_exact(struct trie *t, struct key k)
{
	uint32_t *above, *link = walk(t, k, &above);
	struct node *n = *link != 0 ? node_at(t, *link) : NULL;

	return n != NULL && n->has_value && n->n_bits == k.n_bits && common_bits(n, k) == k.n_bits
		       ? n
		       : NULL;
}

/* ---- operations ---- */

static void *
trie_lookup(void *state, const void *key)
{
	struct trie *t = state;
	struct key k = key_of(key);
	struct node *best = NULL;
	uint32_t link;

	if (k.n_bits > t->max_bits)
		return NULL;
	pthread_rwlock_rdlock(&t->lock);
	for (link = t->root; link != 0;) {
		struct node *n = node_at(t, link);

		if (common_bits(n, k) < n->n_bits)
			break;
		if (n->has_value)
			best = n;
		if (n->n_bits == k.n_bits)
			break;
		link = n->child[bit(k.bytes, n->n_bits)];
	}
	pthread_rwlock_unlock(&t->lock);
	return best != NULL ? value_of(t, best) : NULL;
}

/* There always is one: see above. */
static struct node *
take_node(struct trie *t, struct key k, uint32_t n_bits)
{
	struct node *n;

	if (t->free != 0) {
		n = node_at(t, t->free);
		t->free = n->child[0];
	} else {
		n = node_at(t, ++t->n_touched);
	}
	n->child[0] = n->child[1] = 0;
	n->has_value = 0;
	n->n_bits = n_bits;
	memcpy(n->bytes, k.bytes, t->key_size - 4);
	return n;
}

static void
give_node(struct trie *t, struct node *n)
{
	n->has_value = 0;
	n->child[0] = t->free;
	t->free = link_of(t, n);
}

static void
set_value(struct trie *t, struct node *n, const void *value)
{
	map_value_write(value_of(t, n), value, t->value_size);
	n->has_value = 1;
}

/* A new node, at the place in the trie where the walk for its key ended. */
static struct node *
insert(struct trie *t, uint32_t *link, struct key k)
{
	struct node *old = *link != 0 ? node_at(t, *link) : NULL;
	uint32_t common = old != NULL ? common_bits(old, k) : 0;
	struct node *n, *parting;

	if (old != NULL && old->n_bits == k.n_bits && common == k.n_bits)
		return old;     /* one without a value */
	n = take_node(t, k, k.n_bits);
	if (old != NULL && common == k.n_bits) {
		n->child[bit(old->bytes, common)] = *link;
	} else if (old != NULL) {
		parting = take_node(t, k, common);
		parting->child[bit(old->bytes, common)] = *link;
		parting->child[bit(k.bytes, common)] = link_of(t, n);
		*link = link_of(t, parting);
		return n;
	}
	*link = link_of(t, n);
	return n;
}

static int
trie_update(void *state, const void *key, const void *value, uint64_t flags)
{
	struct trie *t = state;
	struct key k = key_of(key);
	uint32_t *above;
	struct node *n;
	int rc = 0;

	if (k.n_bits > t->max_bits)
		return -EINVAL;
	pthread_rwlock_wrlock(&t->lock);
	n = find_exact(t, k);
	if (n != NULL && flags == EBPF_NOEXIST) {
		rc = -EEXIST;
	} else if (n == NULL && flags == EBPF_EXIST) {
		rc = -ENOENT;
	} else if (n == NULL && t->n_entries == t->max_entries) {
		rc = -ENOSPC;
	} else {
		if (n == NULL) {
			n = insert(t, walk(t, k, &above), k);
			t->n_entries++;
		}
		set_value(t, n, value);
	}
	pthread_rwlock_unlock(&t->lock);
	return rc;
}

/* Take out a node that has no value and less than two children. */
static bool
collapse(struct trie *t, uint32_t *link)
{
	struct node *n = node_at(t, *link);

	if (n->has_value || (n->child[0] != 0 && n->child[1] != 0))
		return false;
	*link = n->child[0] != 0 ? n->child[0] : n->child[1];
	give_node(t, n);
	return true;
}

static int
trie_remove(void *state, const void *key)
{
	struct trie *t = state;
	struct key k = key_of(key);
	uint32_t *above, *link;
	struct node *n;

	if (k.n_bits > t->max_bits)
		return -EINVAL;
	pthread_rwlock_wrlock(&t->lock);
	n = find_exact(t, k);
	if (n != NULL) {
		link = walk(t, k, &above);
		n->has_value = 0;
		t->n_entries--;
		if (collapse(t, link) && above != NULL)
			collapse(t, above);
	}
	pthread_rwlock_unlock(&t->lock);
	return n != NULL ? 0 : -ENOENT;
}

/* In the order in which the nodes lie in memory, which adding does not change. */
static int
trie_next_key(void *state, const void *key, void *next)
{
	struct trie *t = state;
	const struct node *at = NULL;
	int rc = -ENOENT;

	pthread_rwlock_rdlock(&t->lock);
	if (key != NULL && key_of(key).n_bits <= t->max_bits)
		at = find_exact(t, key_of(key));
	for (uint32_t i = at != NULL ? link_of(t, at) + 1 : 1; i <= t->n_touched; i++) {
		const struct node *n = node_at(t, i);

		if (n->has_value) {
			memcpy(next, &n->n_bits, sizeof(n->n_bits));
			memcpy((uint8_t *)next + sizeof(n->n_bits), n->bytes, t->key_size - 4);
			rc = 0;
			break;
		}
	}
	pthread_rwlock_unlock(&t->lock);
	return rc;
}

static int
trie_owns(void *state, const void *addr, size_t len)
{
	struct trie *t = state;

	return map_values_own(t->nodes + t->value_off, (size_t)t->max_entries * 2, t->stride,
			      t->value_size, addr, len);
}

const struct ebpf_map_kind ebpf_map_lpm_trie = {
	.size = sizeof(struct ebpf_map_kind),
	.name = "LPM trie",
	.open = trie_open,
	.close = trie_close,
	.lookup = trie_lookup,
	.update = trie_update,
	.remove = trie_remove,
	.next_key = trie_next_key,
	.owns = trie_owns,
};
