/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Maps from the host's side: each kind against a model that is a plain table
 * searched from end to end, then many threads on one map.
 */
#include "ebpf/map.h"
#include "ebpf/prog.h"
#include "ebpf/siphash.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

static struct ebpf_map *
new_map(uint32_t type, uint32_t key_size, uint32_t value_size, uint32_t max_entries)
{
	struct ebpf_map_opts opts = { .size = sizeof(opts), .type = type, .key_size = key_size,
				      .value_size = value_size, .max_entries = max_entries,
				      .name = "m" };
	struct ebpf_map *map;
	struct ebpf_err err;

	ck_assert_msg(ebpf_map_new(&opts, &map, &err) == 0, "%s", err.text);
	return map;
}

/* ---- what is refused ---- */

static const struct {
	struct ebpf_map_opts opts;
	int rc;
	const char *err;
} refused[] = {
	{ { .type = 999, .max_entries = 1 }, -EINVAL, "map m: unknown type 999" },
	{ { .type = EBPF_MAP_OWN, .max_entries = 1 }, -EINVAL, "map m: unknown type 65536" },
	{ { .type = EBPF_MAP_ARRAY, .key_size = 4, .value_size = 4 }, -EINVAL,
	  "map m: no entries" },
	{ { .type = EBPF_MAP_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1,
	    .flags = 0x40 }, -EINVAL, "map m: unknown flags 0x40" },
	{ { .type = EBPF_MAP_ARRAY, .key_size = 8, .value_size = 4, .max_entries = 1 }, -EINVAL,
	  "map m: array: keys have 4 bytes, and values some" },
	{ { .type = EBPF_MAP_ARRAY, .key_size = 4, .value_size = 0x7fffffff, .max_entries = 1 },
	  -E2BIG, "map m: keys of 4 and values of 2147483647 bytes, limit is 536870911" },
	{ { .type = EBPF_MAP_PERCPU_ARRAY, .key_size = 4, .max_entries = 1 }, -EINVAL,
	  "map m: per-CPU array: keys have 4 bytes, and values some" },
	{ { .type = EBPF_MAP_HASH, .key_size = 513, .value_size = 4, .max_entries = 1 }, -EINVAL,
	  "map m: hash: keys have 1 to 512 bytes, and values some" },
	{ { .type = EBPF_MAP_LPM_TRIE, .key_size = 4, .value_size = 4, .max_entries = 1 },
	  -EINVAL, "map m: LPM trie: keys have 5 to 260 bytes, and values some" },
	{ { .type = EBPF_MAP_LPM_TRIE, .key_size = 8, .value_size = 4,
	    .max_entries = UINT32_MAX }, -E2BIG, "map m: LPM trie: too many entries" },
	{ { .type = EBPF_MAP_PROG_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1 },
	  -EINVAL, "map m: program array: keys and values have 4 bytes" },
	{ { .type = EBPF_MAP_RINGBUF, .max_entries = 96 }, -EINVAL,
	  "map m: ring buffer: its size is a power of two from 64 to 1073741824" },
	{ { .type = EBPF_MAP_RINGBUF, .key_size = 4, .max_entries = 64 }, -EINVAL,
	  "map m: ring buffer: it has neither keys nor values" },
	{ { .type = EBPF_MAP_RINGBUF, .value_size = 4, .max_entries = 64 }, -EINVAL,
	  "map m: ring buffer: it has neither keys nor values" },
	{ { .type = EBPF_MAP_RINGBUF, .max_entries = 32 }, -EINVAL,
	  "map m: ring buffer: its size is a power of two from 64 to 1073741824" },
	{ { .type = EBPF_MAP_RINGBUF, .max_entries = 0x80000000u }, -EINVAL,
	  "map m: ring buffer: its size is a power of two from 64 to 1073741824" },
	{ { .type = EBPF_MAP_PERCPU_ARRAY, .key_size = 8, .value_size = 4, .max_entries = 1 },
	  -EINVAL, "map m: per-CPU array: keys have 4 bytes, and values some" },
	{ { .type = EBPF_MAP_ARRAY, .key_size = 0x7fffffff, .value_size = 4, .max_entries = 1 },
	  -E2BIG, "map m: keys of 2147483647 and values of 4 bytes, limit is 536870911" },
};

START_TEST(refuses_maps_that_cannot_be)
{
	struct ebpf_map_opts opts = refused[_i].opts;
	struct ebpf_map *map = NULL;
	struct ebpf_err err = { "" };

	opts.size = sizeof(opts);
	opts.name = "m";
	ck_assert_int_eq(ebpf_map_new(&opts, &map, &err), refused[_i].rc);
	ck_assert_str_eq(err.text, refused[_i].err);
	ck_assert_ptr_null(map);
}
END_TEST

START_TEST(a_kind_refuses_what_only_others_can)
{
	struct ebpf_map *array = new_map(EBPF_MAP_ARRAY, 4, 4, 1);
	struct ebpf_map *ring = new_map(EBPF_MAP_RINGBUF, 0, 0, 64);
	uint32_t key = 0, value = 0;

	ck_assert_int_eq(ebpf_map_lookup(ring, &key, &value), -EOPNOTSUPP);
	ck_assert_int_eq(ebpf_map_update(ring, &key, &value, 0), -EOPNOTSUPP);
	ck_assert_int_eq(ebpf_map_delete(ring, &key), -EOPNOTSUPP);
	ck_assert_int_eq(ebpf_map_next_key(ring, NULL, &key), -EOPNOTSUPP);
	ck_assert_int_eq(ebpf_map_lookup_percpu(array, &key, 0, &value), -EOPNOTSUPP);
	ck_assert_int_eq(ebpf_map_set_prog(array, 0, NULL), -EOPNOTSUPP);
	ck_assert_int_eq(ebpf_ringbuf_consume(array, NULL, NULL), -EOPNOTSUPP);
	ck_assert_int_eq(ebpf_ringbuf_output(array, &key, 4), -EINVAL);
	ck_assert_int_eq(ebpf_map_update(array, &key, &value, 3), -EINVAL);
	ebpf_map_reap(array);
	ebpf_map_put(ring);
	ebpf_map_put(array);
	ebpf_map_put(NULL);
}
END_TEST

/* ---- a random walk beside a model ---- */

/* Enough for a table: speed and spread are the algorithm's own. */
START_TEST(hash_values_depend_on_key_seed_and_length)
{
	static const uint8_t data[16] = { 0 };
	const uint64_t a[2] = { 1, 2 }, b[2] = { 1, 3 };

	ck_assert(siphash13(a, data, 8) != siphash13(b, data, 8));
	ck_assert(siphash13(a, data, 8) != siphash13(a, data, 9));
	ck_assert(siphash13(a, data, 8) == siphash13(a, data + 8, 8));
}
END_TEST

#define MODEL_MAX 24
#define KEY_MAX 12

struct model {
	struct {
		bool is_used;
		uint8_t key[KEY_MAX];
		uint64_t value;
	} rows[MODEL_MAX];
	uint32_t n;
	uint32_t key_size;
	bool is_trie;
	int full;
};

static uint32_t
bits_of(const uint8_t *key)
{
	uint32_t n;

	memcpy(&n, key, sizeof(n));
	return n;
}

/* Whether the first n bits of two keys' bytes agree. */
static bool
same_bits(const uint8_t *a, const uint8_t *b, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if ((a[4 + i / 8] ^ b[4 + i / 8]) & 0x80 >> i % 8)
			return false;
	}
	return true;
}

static bool
is_same(const struct model *m, const uint8_t *a, const uint8_t *b)
{
	if (!m->is_trie)
		return memcmp(a, b, m->key_size) == 0;
	return bits_of(a) == bits_of(b) && same_bits(a, b, bits_of(a));
}

static int
model_find(const struct model *m, const uint8_t *key)
{
	for (int i = 0; i < MODEL_MAX; i++) {
		if (m->rows[i].is_used && is_same(m, m->rows[i].key, key))
			return i;
	}
	return -1;
}

static int
model_lookup(const struct model *m, const uint8_t *key)
{
	int best = -1;

	if (!m->is_trie)
		return model_find(m, key);
	for (int i = 0; i < MODEL_MAX; i++) {
		const uint8_t *row = m->rows[i].key;

		if (m->rows[i].is_used && bits_of(row) <= bits_of(key) &&
		    same_bits(row, key, bits_of(row)) &&
		    (best < 0 || bits_of(row) > bits_of(m->rows[best].key)))
			best = i;
	}
	return best;
}

static int
model_update(struct model *m, const uint8_t *key, uint64_t value, uint64_t flags)
{
	int i = model_find(m, key);

	if (i >= 0 && flags == EBPF_NOEXIST)
		return -EEXIST;
	if (i < 0 && flags == EBPF_EXIST)
		return -ENOENT;
	if (i < 0 && m->n == MODEL_MAX)
		return m->full;
	if (i < 0) {
		for (i = 0; m->rows[i].is_used; i++)
			;
		m->rows[i].is_used = true;
		memcpy(m->rows[i].key, key, m->key_size);
		m->n++;
	}
	m->rows[i].value = value;
	return 0;
}

static int
model_delete(struct model *m, const uint8_t *key)
{
	int i = model_find(m, key);

	if (i < 0)
		return -ENOENT;
	m->rows[i].is_used = false;
	m->n--;
	return 0;
}

/* Keys of few different bytes, so that they meet. */
static void
draw_key(const struct model *m, uint64_t *rng, uint8_t *key)
{
	uint32_t n_bits = rng_below(rng, (m->key_size - 4) * 8 + 1);

	for (uint32_t i = 0; i < m->key_size; i++)
		key[i] = (uint8_t)(rng_below(rng, 3) * 0x41);
	if (m->is_trie)
		memcpy(key, &n_bits, sizeof(n_bits));
}

/* Each key once. */
static void
compare_walks(const struct model *m, struct ebpf_map *map)
{
	uint8_t key[KEY_MAX];
	uint32_t n = 0;
	bool seen[MODEL_MAX] = { false };

	for (int rc = ebpf_map_next_key(map, NULL, key); rc == 0;
	     rc = ebpf_map_next_key(map, key, key)) {
		int i = model_find(m, key);

		ck_assert_int_ge(i, 0);
		ck_assert(!seen[i]);
		seen[i] = true;
		n++;
	}
	ck_assert_uint_eq(n, m->n);
}

static const struct {
	uint32_t type, key_size;
	int full;
} walked[] = {
	{ EBPF_MAP_HASH, 5, -E2BIG },
	{ EBPF_MAP_HASH, 12, -E2BIG },
	{ EBPF_MAP_LPM_TRIE, 6, -ENOSPC },
	{ EBPF_MAP_LPM_TRIE, 7, -ENOSPC },
	{ EBPF_MAP_LPM_TRIE, 12, -ENOSPC },
};

START_TEST(a_map_does_what_a_plain_table_does)
{
	struct model m = { .key_size = walked[_i].key_size, .full = walked[_i].full,
			   .is_trie = walked[_i].type == EBPF_MAP_LPM_TRIE };
	struct ebpf_map *map = new_map(walked[_i].type, m.key_size, 8, MODEL_MAX);
	uint64_t rng = suite_seed(11) + (uint64_t)_i, n_full = 0;

	for (uint64_t step = 0; step < suite_scaled(60000); step++) {
		uint8_t key[KEY_MAX];
		uint64_t value = rng_next(&rng), got = 0, flags = rng_below(&rng, 3);
		int rc, row;

		draw_key(&m, &rng, key);
		switch (rng_below(&rng, 8)) {
		case 0:
		case 1:
		case 2:
			rc = ebpf_map_update(map, key, &value, flags);
			n_full += rc == m.full;
			ck_assert_int_eq(rc, model_update(&m, key, value, flags));
			break;
		case 3:
		case 4:
			ck_assert_int_eq(ebpf_map_delete(map, key), model_delete(&m, key));
			break;
		case 5:
			if (step % 16 == 0)
				compare_walks(&m, map);
			break;
		default:
			row = model_lookup(&m, key);
			rc = ebpf_map_lookup(map, key, &got);
			ck_assert_int_eq(rc, row < 0 ? -ENOENT : 0);
			if (row >= 0)
				ck_assert_uint_eq(got, m.rows[row].value);
		}
	}
	ck_assert_uint_gt(n_full, 0);
	ebpf_map_put(map);
}
END_TEST

START_TEST(a_trie_refuses_a_prefix_longer_than_its_keys)
{
	struct ebpf_map *map = new_map(EBPF_MAP_LPM_TRIE, 8, 4, 4);
	struct { uint32_t n_bits; uint8_t bytes[4]; } key = { 33, { 0 } };
	uint32_t value = 1;

	ck_assert_int_eq(ebpf_map_update(map, &key, &value, 0), -EINVAL);
	ck_assert_int_eq(ebpf_map_delete(map, &key), -EINVAL);
	ck_assert_int_eq(ebpf_map_lookup(map, &key, &value), -ENOENT);
	key.n_bits = 0;         /* everything */
	ck_assert_int_eq(ebpf_map_update(map, &key, &value, 0), 0);
	key.n_bits = 32;
	ck_assert_int_eq(ebpf_map_lookup(map, &key, &value), 0);
	ebpf_map_put(map);
}
END_TEST

START_TEST(an_array_has_all_its_values_and_no_more)
{
	struct ebpf_map *map = new_map(_i ? EBPF_MAP_PERCPU_ARRAY : EBPF_MAP_ARRAY, 4, 5, 3);
	uint8_t value[5], other[5] = { 1, 2, 3, 4, 5 };
	uint32_t key;

	for (key = 0; key < 3; key++) {
		ck_assert_int_eq(ebpf_map_lookup(map, &key, value), 0);
		ck_assert_mem_eq(value, "\0\0\0\0\0", 5);
		ck_assert_int_eq(ebpf_map_update(map, &key, other, EBPF_NOEXIST), -EEXIST);
		other[0] = (uint8_t)key;
		ck_assert_int_eq(ebpf_map_update(map, &key, other, EBPF_EXIST), 0);
		ck_assert_int_eq(ebpf_map_delete(map, &key), -EINVAL);
	}
	ck_assert_int_eq(ebpf_map_update(map, &key, other, 0), -E2BIG);
	ck_assert_int_eq(ebpf_map_lookup(map, &key, value), -ENOENT);
	for (key = 0; key < 3; key++) {
		other[0] = (uint8_t)key;
		ck_assert_int_eq(ebpf_map_lookup(map, &key, value), 0);
		ck_assert_mem_eq(value, other, 5);
	}
	key = UINT32_MAX;
	for (uint32_t i = 0; i < 3; i++) {
		ck_assert_int_eq(ebpf_map_next_key(map, &key, &key), 0);
		ck_assert_uint_eq(key, i);
	}
	ck_assert_int_eq(ebpf_map_next_key(map, &key, &key), -ENOENT);
	ebpf_map_put(map);
}
END_TEST

/* ---- ring buffer ---- */

struct reader {
	uint64_t n, sum;
	uint32_t next;
	int stop_after;
};

/* Each record holds its number and then bytes made from it. */
static int
read_record(void *arg, const void *data, size_t len)
{
	struct reader *r = arg;
	const uint8_t *bytes = data;
	uint32_t number;

	ck_assert_uint_ge(len, 4);
	ck_assert_uint_eq((uintptr_t)data % 8, 0);
	memcpy(&number, data, 4);
	ck_assert_uint_eq(number, r->next++);
	for (size_t i = 4; i < len; i++)
		ck_assert_uint_eq(bytes[i], (uint8_t)(number + i));
	r->n++;
	return r->stop_after > 0 && --r->stop_after == 0;
}

/* One reads, another wants to, in the middle of a record. */
static void *
read_too(void *map)
{
	struct reader reader = { 0 };

	return (void *)(intptr_t)ebpf_ringbuf_consume(map, read_record, &reader);
}

static int
let_another_read(void *arg, const void *data, size_t len)
{
	pthread_t thread;
	void *rc;

	(void)data, (void)len;
	ck_assert_int_eq(pthread_create(&thread, NULL, read_too, arg), 0);
	ck_assert_int_eq(pthread_join(thread, &rc), 0);
	ck_assert_int_eq((int)(intptr_t)rc, -EBUSY);
	return 0;
}

START_TEST(one_reader_at_a_time)
{
	struct ebpf_map *map = new_map(EBPF_MAP_RINGBUF, 0, 0, 256);

	ck_assert_int_eq(ebpf_ringbuf_output(map, "abcd", 4), 0);
	ck_assert_int_eq(ebpf_ringbuf_consume(map, let_another_read, map), 1);
	ck_assert_int_eq(ebpf_ringbuf_consume(map, let_another_read, map), 0);
	ebpf_map_put(map);
}
END_TEST

START_TEST(a_ring_buffer_answers_what_it_can)
{
	struct ebpf_map *map = new_map(EBPF_MAP_RINGBUF, 0, 0, 256);
	struct ebpf_map *array = new_map(EBPF_MAP_ARRAY, 4, 8, 2);
	struct reader reader = { 0 };
	const uint32_t zero = 0;
	uint64_t used;

	ck_assert_uint_eq(ebpf_ringbuf_query(map, 0), 0);
	ck_assert_uint_eq(ebpf_ringbuf_query(map, 1), 256);
	ck_assert_int_eq(ebpf_ringbuf_output(map, &zero, 4), 0);
	used = ebpf_ringbuf_query(map, 0);
	ck_assert_uint_ge(used, 4);
	ck_assert_uint_eq(ebpf_ringbuf_query(map, 2), 0);
	ck_assert_uint_eq(ebpf_ringbuf_query(map, 3), used);
	ck_assert_int_eq(ebpf_ringbuf_consume(map, read_record, &reader), 1);
	ck_assert_uint_eq(ebpf_ringbuf_query(map, 2), used);
	ck_assert_uint_eq(ebpf_ringbuf_query(map, 4), 0);
	for (uint64_t what = 0; what < 5; what++)
		ck_assert_uint_eq(ebpf_ringbuf_query(array, what), 0);
	ebpf_map_put(array);
	ebpf_map_put(map);
}
END_TEST

START_TEST(records_come_out_as_they_went_in)
{
	struct ebpf_map *map = new_map(EBPF_MAP_RINGBUF, 0, 0, 256);
	uint64_t rng = suite_seed(12), n_refused = 0;
	struct reader reader = { 0 };
	uint32_t number = 0;

	ck_assert_int_eq(ebpf_ringbuf_output(map, "", 121), -E2BIG);
	for (uint64_t step = 0; step < suite_scaled(100000); step++) {
		uint8_t data[120];
		uint32_t len = 4 + rng_below(&rng, sizeof(data) - 3);
		bool was_empty = ebpf_ringbuf_query(map, 0) == 0;
		int rc;

		if (rng_below(&rng, 4) == 0) {
			reader.stop_after = (int)rng_below(&rng, 4);
			ck_assert_int_ge(ebpf_ringbuf_consume(map, read_record, &reader), 0);
			continue;
		}
		memcpy(data, &number, 4);
		for (uint32_t i = 4; i < len; i++)
			data[i] = (uint8_t)(number + i);
		rc = ebpf_ringbuf_output(map, data, len);
		number += rc == 0;
		n_refused += rc == -EAGAIN;
		ck_assert(rc == 0 || (rc == -EAGAIN && !was_empty));
	}
	reader.stop_after = 0;
	ebpf_ringbuf_consume(map, read_record, &reader);
	ck_assert_uint_eq(reader.n, number);
	ck_assert_uint_gt(n_refused, 0);
	ck_assert_uint_eq(ebpf_ringbuf_query(map, 0), 0);
	ck_assert_uint_eq(ebpf_ringbuf_query(map, 1), 256);
	ck_assert_uint_eq(ebpf_ringbuf_query(map, 2), ebpf_ringbuf_query(map, 3));
	ebpf_map_put(map);
}
END_TEST

/* ---- threads ---- */

enum { N_THREADS = 8 };

struct worker {
	struct ebpf_map *map;
	uint32_t id;
	uint64_t n, sum;
};

static void
run_threads(void *(*fn)(void *), struct worker *workers, struct ebpf_map *map, uint64_t n)
{
	pthread_t threads[N_THREADS];

	for (uint32_t i = 0; i < N_THREADS; i++) {
		workers[i] = (struct worker){ .map = map, .id = i, .n = n };
		ck_assert_int_eq(pthread_create(&threads[i], NULL, fn, &workers[i]), 0);
	}
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
}

/* Own keys come and go, and a common one is there all the time. */
static void *
churn(void *arg)
{
	struct worker *w = arg;

	for (uint64_t i = 0; i < w->n; i++) {
		struct { uint32_t n_bits, key; } key = { 32, w->id + 1 }, common = { 32, 0 };
		uint64_t value = w->id, got = 99;

		ck_assert_int_eq(ebpf_map_update(w->map, &key, &value, EBPF_NOEXIST), 0);
		ck_assert_int_eq(ebpf_map_lookup(w->map, &key, &got), 0);
		ck_assert_uint_eq(got, w->id);
		ck_assert_int_eq(ebpf_map_lookup(w->map, &common, &got), 0);
		ck_assert_uint_eq(got, 1234);
		ck_assert_int_eq(ebpf_map_update(w->map, &common, &got, EBPF_EXIST), 0);
		ebpf_map_next_key(w->map, &common, &common);
		ck_assert_int_eq(ebpf_map_delete(w->map, &key), 0);
	}
	return NULL;
}

START_TEST(threads_share_a_map)
{
	struct ebpf_map *map = new_map(_i ? EBPF_MAP_LPM_TRIE : EBPF_MAP_HASH, 8, 8, 9);
	struct { uint32_t n_bits; uint32_t key; } common = { 32, 0 };
	struct worker workers[N_THREADS];
	uint64_t value = 1234;

	ck_assert_int_eq(ebpf_map_update(map, &common, &value, 0), 0);
	run_threads(churn, workers, map, suite_scaled(2000));
	ck_assert_int_eq(ebpf_map_next_key(map, NULL, &common), 0);
	ck_assert_int_eq(ebpf_map_next_key(map, &common, &common), -ENOENT);
	ebpf_map_put(map);
}
END_TEST

static void *
count_own(void *arg)
{
	struct worker *w = arg;

	for (uint64_t i = 0; i < w->n; i++) {
		uint32_t key = 1;
		uint64_t value;

		ck_assert_int_eq(ebpf_map_lookup(w->map, &key, &value), 0);
		value++;
		ck_assert_int_eq(ebpf_map_update(w->map, &key, &value, 0), 0);
	}
	return NULL;
}

/* Plain increments: none is lost, and copies of ended threads go on. */
START_TEST(each_thread_counts_in_its_own_copy)
{
	struct ebpf_map *map = new_map(EBPF_MAP_PERCPU_ARRAY, 4, 8, 2);
	struct worker workers[N_THREADS];
	uint64_t n = suite_scaled(20000), sum = 0, value;
	uint32_t key = 1;
	size_t i = 0;

	for (int round = 0; round < 3; round++)
		run_threads(count_own, workers, map, n);
	for (; ebpf_map_lookup_percpu(map, &key, i, &value) == 0; i++)
		sum += value;
	ck_assert_uint_eq(sum, 3 * N_THREADS * n);
	ck_assert_uint_le(i, N_THREADS);
	key = 2;
	ck_assert_int_eq(ebpf_map_lookup_percpu(map, &key, 0, &value), -ENOENT);
	ebpf_map_put(map);
}
END_TEST

static void *
write_records(void *arg)
{
	struct worker *w = arg;

	for (uint64_t i = 0; i < w->n; i++) {
		uint64_t record[2] = { w->id, i };

		while (ebpf_ringbuf_output(w->map, record, sizeof(record)) == -EAGAIN)
			sched_yield();
	}
	return NULL;
}

static int
sum_record(void *arg, const void *data, size_t len)
{
	uint64_t *next = arg, record[2];

	ck_assert_uint_eq(len, sizeof(record));
	memcpy(record, data, sizeof(record));
	ck_assert_uint_lt(record[0], N_THREADS);
	ck_assert_uint_eq(record[1], next[record[0]]++);
	return 0;
}

START_TEST(each_writers_records_arrive_in_order)
{
	struct ebpf_map *map = new_map(EBPF_MAP_RINGBUF, 0, 0, 1024);
	struct worker workers[N_THREADS];
	pthread_t threads[N_THREADS];
	uint64_t n = suite_scaled(5000), next[N_THREADS] = { 0 }, total = 0;

	for (uint32_t i = 0; i < N_THREADS; i++) {
		workers[i] = (struct worker){ .map = map, .id = i, .n = n };
		ck_assert_int_eq(pthread_create(&threads[i], NULL, write_records, &workers[i]), 0);
	}
	while (total < N_THREADS * n) {
		int rc = ebpf_ringbuf_consume(map, sum_record, next);

		ck_assert_int_ge(rc, 0);
		total += (uint64_t)rc;
		if (rc == 0)
			sched_yield();
	}
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(total, N_THREADS * n);
	ebpf_map_put(map);
}
END_TEST

/* ---- an embedder's own kind ---- */

static int
one_open(const struct ebpf_map_opts *opts, void **state, struct ebpf_err *err)
{
	(void)err;
	*state = opts->kind_arg;
	return *state != NULL ? 0 : -EINVAL;
}

static void
one_close(void *state)
{
	(*(int *)state)++;
}

START_TEST(an_embedders_kind_need_not_know_all_functions)
{
	struct ebpf_map_kind kind = { .size = offsetof(struct ebpf_map_kind, lookup),
				      .name = "one", .open = one_open, .close = one_close,
				      .lookup = (void *(*)(void *, const void *))abort };
	int n_closed = 0;
	struct ebpf_map_opts opts = { .size = sizeof(opts), .type = EBPF_MAP_OWN + 1,
				      .key_size = 4, .value_size = 4, .max_entries = 1,
				      .kind = &kind, .kind_arg = &n_closed };
	struct ebpf_map_opts seen = { .size = sizeof(seen) };
	struct ebpf_map *map;
	uint32_t key = 0;

	ck_assert_int_eq(ebpf_map_new(&opts, &map, NULL), 0);
	ck_assert_int_eq(ebpf_map_lookup(map, &key, &key), -EOPNOTSUPP);
	ebpf_map_describe(map, &seen);
	ck_assert_uint_eq(seen.type, EBPF_MAP_OWN + 1);
	ck_assert_str_eq(seen.name, "");
	ebpf_map_put(ebpf_map_get(map));
	ck_assert_int_eq(n_closed, 0);
	ebpf_map_put(map);
	ck_assert_int_eq(n_closed, 1);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("ebpf/map");
	TCase *tc = tcase_create("map");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, refuses_maps_that_cannot_be, 0, N_ELEMS(refused));
	tcase_add_test(tc, a_kind_refuses_what_only_others_can);
	tcase_add_test(tc, hash_values_depend_on_key_seed_and_length);
	tcase_add_loop_test(tc, a_map_does_what_a_plain_table_does, 0, N_ELEMS(walked));
	tcase_add_test(tc, a_trie_refuses_a_prefix_longer_than_its_keys);
	tcase_add_loop_test(tc, an_array_has_all_its_values_and_no_more, 0, 2);
	tcase_add_test(tc, records_come_out_as_they_went_in);
	tcase_add_test(tc, one_reader_at_a_time);
	tcase_add_test(tc, a_ring_buffer_answers_what_it_can);
	tcase_add_loop_test(tc, threads_share_a_map, 0, 2);
	tcase_add_test(tc, each_thread_counts_in_its_own_copy);
	tcase_add_test(tc, each_writers_records_arrive_in_order);
	tcase_add_test(tc, an_embedders_kind_need_not_know_all_functions);
	suite_add_tcase(s, tc);
	return s;
}
