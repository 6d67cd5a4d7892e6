/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ring buffers: records that many programs write and one reader at a time
 * takes out.
 *
 *	u32 length of the data, with BUSY while it is written, or PADDING
 *	u32 unused
 *	the data, up to a multiple of 8
 *
 * Positions count bytes for ever, modulo the size of size_t, and the buffer's
 * size is a power of two.  A record lies in one piece: where it would pass the
 * end, padding goes before it.  So that padding and record always fit an empty
 * buffer, a record takes half of it at most.
 *
 * Writers claim room under a lock and fill it outside; a record is published
 * by clearing BUSY, the reader's room is given back by moving its position.
 */
#include "config.h"

#include "ebpf/err.h"
#include "ebpf/map.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BUSY 0x80000000u
#define PADDING 0x40000000u
#define MIN_SIZE 64u
#define MAX_SIZE 0x40000000u

struct record {
	_Atomic uint32_t head;
	uint32_t unused;
	uint8_t data[];
};

struct ring {
	size_t size;
	pthread_mutex_t writers;
	_Atomic size_t written;         /* position after the last claimed record */
	_Alignas(64) pthread_mutex_t reader;
	_Atomic size_t read;            /* position of the next one to take */
	_Alignas(64) uint8_t data[];
};

static int
ring_open(const struct ebpf_map_opts *opts, void **state, struct ebpf_err *err)
{
	uint32_t size = opts->max_entries;
	struct ring *r;

	if (opts->key_size != 0 || opts->value_size != 0)
		return ebpf_err_set(err, -EINVAL, "it has neither keys nor values");
	if (size < MIN_SIZE || size > MAX_SIZE || (size & (size - 1)) != 0)
		return ebpf_err_set(err, -EINVAL, "its size is a power of two from %u to %u",
				    MIN_SIZE, MAX_SIZE);
	r = aligned_alloc(_Alignof(struct ring), sizeof(*r) + size);
	if (r == NULL)
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	memset(r, 0, sizeof(*r) + size);
	r->size = size;
	if (pthread_mutex_init(&r->writers, NULL) != 0)
		goto fail;
	if (pthread_mutex_init(&r->reader, NULL) != 0)
		goto fail_reader;
	*state = r;
	return 0;
fail_reader:
	pthread_mutex_destroy(&r->writers);
fail:
	free(r);
	return ebpf_err_set(err, -ENOMEM, "out of memory");
}

static void
ring_close(void *state)
{
	struct ring *r = state;

	pthread_mutex_destroy(&r->reader);
	pthread_mutex_destroy(&r->writers);
	free(r);
}

static struct record *
record_at(struct ring *r, size_t position)
{
	return (struct record *)(void *)(r->data + (position & (r->size - 1)));
}

static size_t
room_for(size_t len)
{
	return (sizeof(struct record) + len + 7) & ~(size_t)7;
}

/* A busy record of len bytes; NULL: no room now. */
static struct record *
claim(struct ring *r, uint32_t len)
{
	size_t need = room_for(len), at, to_end, used;
	struct record *record = NULL;

	pthread_mutex_lock(&r->writers);
	at = atomic_load_explicit(&r->written, memory_order_relaxed);
	used = at - atomic_load_explicit(&r->read, memory_order_acquire);
	to_end = r->size - (at & (r->size - 1));
	if (need > to_end ? to_end + need <= r->size - used : need <= r->size - used) {
		if (need > to_end) {
			atomic_store_explicit(&record_at(r, at)->head,
					      PADDING | (uint32_t)(to_end - sizeof(*record)),
					      memory_order_relaxed);
			at += to_end;
		}
		record = record_at(r, at);
		atomic_store_explicit(&record->head, BUSY | len, memory_order_relaxed);
		atomic_store_explicit(&r->written, at + need, memory_order_release);
	}
	pthread_mutex_unlock(&r->writers);
	return record;
}

int
ebpf_ringbuf_output(struct ebpf_map *map, const void *data, uint64_t len)
{
	struct ring *r = map->state;
	struct record *record;

	if (map->opts.type != EBPF_MAP_RINGBUF)
		return -EINVAL;
	if (len > r->size / 2 - sizeof(*record))
		return -E2BIG;
	record = claim(r, (uint32_t)len);
	if (record == NULL)
		return -EAGAIN;
	memcpy(record->data, data, (size_t)len);
	atomic_store_explicit(&record->head, (uint32_t)len, memory_order_release);
	return 0;
}

uint64_t
ebpf_ringbuf_query(const struct ebpf_map *map, uint64_t what)
{
	struct ring *r = map->state;
	size_t read, written;

	if (map->opts.type != EBPF_MAP_RINGBUF)
		return 0;
	read = atomic_load_explicit(&r->read, memory_order_acquire);
	written = atomic_load_explicit(&r->written, memory_order_acquire);
	switch (what) {
	case 0:
		return written - read;
	case 1:
		return r->size;
	case 2:
		return read;
	case 3:
		return written;
	default:
		return 0;
	}
}

int
ebpf_ringbuf_take(void *state, int (*fn)(void *arg, const void *data, size_t len), void *arg)
{
	struct ring *r = state;
	size_t at;
	int n = 0;
	bool stop = false;

	if (pthread_mutex_trylock(&r->reader) != 0)
		return -EBUSY;
	at = atomic_load_explicit(&r->read, memory_order_relaxed);
	while (!stop && n < INT_MAX &&
	       at != atomic_load_explicit(&r->written, memory_order_acquire)) {
		struct record *record = record_at(r, at);
		uint32_t head = atomic_load_explicit(&record->head, memory_order_acquire);
		uint32_t len = head & ~(BUSY | PADDING);

		if (head & BUSY)
			break;
		if (!(head & PADDING)) {
			stop = fn(arg, record->data, len) != 0;
			n++;
		}
		at += room_for(len);
		atomic_store_explicit(&r->read, at, memory_order_release);
	}
	pthread_mutex_unlock(&r->reader);
	return n;
}

const struct ebpf_map_kind ebpf_map_ringbuf = {
	.size = sizeof(struct ebpf_map_kind),
	.name = "ring buffer",
	.open = ring_open,
	.close = ring_close,
};
