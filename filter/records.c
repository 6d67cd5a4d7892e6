/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A block is read into one buffer, small enough to stay in the second-level cache,
 * and its records are handed out; what is left of one at its end goes to the
 * buffer's front before the next block is read behind it.
 */
#include "config.h"

#include "filter/records.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ebpf/err.h"
#include "filter/bytes.h"
#include "filter/dlt.h"

#define MAGIC_MICRO 0xa1b2c3d4u
#define MAGIC_NANO 0xa1b23c4du

enum {
	FILE_HEADER = 24,
	RECORD_HEADER = 16,     /* seconds, fraction, captured bytes, bytes on the wire */
	MAX_CAPLEN = 262144,    /* libpcap's limit for the link types taken here */
	BLOCK = 128 << 10,
};

#ifdef BPFSIFT_DEBUG
enum { BATCH = 1 };             /* what is rare elsewhere */
#else
enum { BATCH = SIFT_BATCH_MAX };
#endif

struct sift_records {
	struct sift_records_opts opts;
	uint8_t *buf;
	size_t size, begin, end;        /* of the buffer; what is not handed out yet */
	uint64_t off;                   /* in the file, of the buffer's first byte */
	bool has_ended;
	int failed;                     /* a negative errno that waits behind the batch, */
	struct ebpf_err failure;        /* and its message */
	struct sift_view views[BATCH];
};

/* Link types whose packets libpcap hands on as they stand in the file. */
static bool
is_plain(int dlt)
{
	switch (dlt) {
	case DLT_NULL:
	case DLT_EN10MB:
	case DLT_PPP:
	case DLT_RAW:
	case DLT_C_HDLC:
	case DLT_IEEE802_11:
	case DLT_LINUX_SLL:
	case DLT_IEEE802_11_RADIO:
	case DLT_IPV4:
	case DLT_IPV6:
	case DLT_LINUX_SLL2:
		return true;
	default:
		return false;
	}
}

static uint32_t
field32(const uint8_t *p, bool is_swapped)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return is_swapped ? __builtin_bswap32(v) : v;
}

bool
sift_records_take(const uint8_t *header, int dlt)
{
	static const uint8_t versions[][4] = { { 0, 2, 0, 4 }, { 2, 0, 4, 0 } };
	uint32_t magic = load_be32(header);
	bool is_big = magic == MAGIC_MICRO || magic == MAGIC_NANO;

	magic = __builtin_bswap32(magic);
	if (!is_big && magic != MAGIC_MICRO && magic != MAGIC_NANO)
		return false;
	return memcmp(header + 4, versions[is_big ? 0 : 1], 4) == 0 && is_plain(dlt);
}

int
sift_records_new(const struct sift_records_opts *opts, struct sift_records **out,
		 struct ebpf_err *err)
{
	struct sift_records *r = calloc(1, sizeof(*r));

	if (r != NULL && (r->buf = malloc(BLOCK)) == NULL) {
		free(r);
		r = NULL;
	}
	if (r == NULL)
		return ebpf_err_set(err, -ENOMEM, "%s: out of memory", opts->name);
	r->opts = *opts;
	r->size = BLOCK;
	r->end = opts->n_read;
	r->off = FILE_HEADER;
	memcpy(r->buf, opts->read, opts->n_read);
	*out = r;
	return 0;
}

void
sift_records_free(struct sift_records *records)
{
	if (records == NULL)
		return;
	free(records->buf);
	free(records);
}

static int
fail(struct sift_records *r, int code, const char *what)
{
	r->failed = ebpf_err_set(&r->failure, code, "%s: offset %llu: %s", r->opts.name,
				 (unsigned long long)(r->off + r->begin), what);
	return r->failed;
}

static uint32_t
caplen_at(const struct sift_records *r)
{
	return field32(r->buf + r->begin + 8, r->opts.is_swapped);
}

/* The file has ended: between records, or in one, of which libpcap reads what is kept first. */
static void
end(struct sift_records *r)
{
	size_t left = r->end - r->begin;
	uint32_t caplen, wanted;
	char what[96];

	r->has_ended = true;
	if (left == 0)
		return;
	if (left < RECORD_HEADER) {
		snprintf(what, sizeof(what),
			 "truncated dump file; tried to read %d header bytes, only got %zu",
			 RECORD_HEADER, left);
	} else {
		caplen = caplen_at(r);
		left -= RECORD_HEADER;
		wanted = caplen > r->opts.snaplen && left < r->opts.snaplen ? r->opts.snaplen
									     : caplen;
		snprintf(what, sizeof(what),
			 "truncated dump file; tried to read %u captured bytes, only got %zu",
			 wanted, left);
	}
	fail(r, -EINVAL, what);
}

/* Room for the record at begin, whose header is there or is not. */
static int
make_room(struct sift_records *r)
{
	size_t left = r->end - r->begin, wanted = BLOCK;
	uint8_t *grown;

	memmove(r->buf, r->buf + r->begin, left);
	r->off += r->begin;
	r->begin = 0;
	r->end = left;
	if (left >= RECORD_HEADER && wanted < RECORD_HEADER + (size_t)caplen_at(r))
		wanted = RECORD_HEADER + (size_t)caplen_at(r);
	if (wanted <= r->size)
		return 0;
	if ((grown = realloc(r->buf, wanted)) == NULL)
		return fail(r, -ENOMEM, "out of memory");
	r->buf = grown;
	r->size = wanted;
	return 0;
}

/* Some more bytes, or the end; a signal interrupts it only if it stops the source. */
static void
refill(struct sift_records *r)
{
	ssize_t got;

	if (make_room(r) < 0)
		return;
	do {
		if (atomic_load(r->opts.is_stopped)) {
			r->has_ended = true;
			return;
		}
		got = read(r->opts.fd, r->buf + r->end, r->size - r->end);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		fail(r, -errno, strerror(errno));
	else if (got == 0)
		end(r);
	else
		r->end += (size_t)got;
}

/* The time as it stands there, a broken fraction of a second included. */
static void
set_time(const struct sift_records *r, const uint8_t *header, struct sift_view *view)
{
	uint32_t fraction = field32(header + 4, r->opts.is_swapped);
	uint32_t per_second = 1000000000u / r->opts.ts_scale;

	uint32_t seconds = field32(header, r->opts.is_swapped);

	/* beyond 2038 libpcap sees a sign in this host's order, and none in the other */
	view->ts_sec = r->opts.is_swapped ? (int64_t)seconds : (int64_t)(int32_t)seconds;
	if (fraction < per_second) {
		view->ts_nsec = fraction * r->opts.ts_scale;
		return;
	}
	view->ts_excess = fraction / per_second;
	view->ts_nsec = fraction % per_second * r->opts.ts_scale;
}

/* The record at begin, if all of it is there. */
static bool
take_record(struct sift_records *r, struct sift_view *view)
{
	const uint8_t *header = r->buf + r->begin;
	size_t left = r->end - r->begin;
	uint32_t caplen, kept;

	if (left < RECORD_HEADER)
		return false;
	caplen = caplen_at(r);
	if (caplen > MAX_CAPLEN) {
		bool is_above = caplen > r->opts.snaplen;
		char what[112];

		snprintf(what, sizeof(what), "invalid packet capture length %u, bigger than %s of %u",
			 caplen, is_above ? "snaplen" : "maximum",
			 is_above ? r->opts.snaplen : MAX_CAPLEN);
		fail(r, -EINVAL, what);
		return false;
	}
	if (left - RECORD_HEADER < caplen)
		return false;
	kept = caplen < r->opts.snaplen ? caplen : r->opts.snaplen;
	sift_view_init(view, r->opts.dlt, header + RECORD_HEADER, kept,
		       field32(header + 12, r->opts.is_swapped));
	set_time(r, header, view);
	r->begin += RECORD_HEADER + (size_t)caplen;
	return true;
}

int
sift_records_next(struct sift_records *r, const struct sift_view **views, size_t *n,
		  struct ebpf_err *err)
{
	size_t taken = 0;

	while (r->failed == 0) {
		while (taken < BATCH && take_record(r, &r->views[taken]))
			taken++;
		/* views point into the buffer: it is refilled once they are done with */
		if (taken > 0 || r->failed != 0 || r->has_ended)
			break;
		refill(r);
	}
	if (taken > 0) {
		*views = r->views;
		*n = taken;
		return 1;
	}
	return r->failed != 0 ? ebpf_err_set(err, r->failed, "%s", r->failure.text) : 0;
}
