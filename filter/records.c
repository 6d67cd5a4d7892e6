/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A block is read into one buffer, small enough to stay in the second-level cache,
 * and its records are handed out; what is left of one at its end goes to the
 * buffer's front before the next block is read behind it.  A file that is mapped is
 * handed out where it is, up to the end that it had; then it is read.
 */
#include "config.h"

#include "filter/records.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ebpf/err.h"
#include "filter/bytes.h"
#include "filter/lanes.h"
#include "filter/mapped.h"
#include "filter/salvage.h"

#define MAGIC_MICRO 0xa1b2c3d4u
#define MAGIC_NANO 0xa1b23c4du

enum {
	FILE_HEADER = 24,
	BLOCK = 128 << 10,
};

#ifdef BPFSIFT_DEBUG
enum { BATCH = 1 };             /* what is rare elsewhere */
#else
enum { BATCH = SIFT_BATCH_MAX };
#endif

struct sift_records {
	struct sift_records_opts opts;
	enum sift_detail detail;
	uint8_t *buf;
	size_t size;                    /* of the buffer */
	const uint8_t *bytes;           /* it, or the file as it is mapped */
	size_t begin, end;              /* of those; what is not handed out yet */
	uint64_t off;                   /* in the file, of their first */
	struct sift_mapped map;
	size_t dropped;                 /* of the map: up to here pages are no more */
	struct sift_lanes *lanes;       /* once there was one; */
	const uint32_t *begins;         /* of records in it, that were followed already, */
	size_t n_begins, base;          /* from base on */
	size_t batch;                   /* where the last one began */
	bool has_ended;
	struct sift_salvage salvage;
	uint64_t skipped_from, skipped_to;      /* damage passed over and not told yet: offsets */
	int failed;                     /* a negative errno that waits behind the batch, */
	struct ebpf_err failure;        /* and its message */
	struct sift_view views[BATCH];
};

bool
sift_records_begin(const uint8_t *header)
{
	uint32_t magic = load_be32(header), other = __builtin_bswap32(magic);

	return magic == MAGIC_MICRO || magic == MAGIC_NANO || other == MAGIC_MICRO ||
	       other == MAGIC_NANO;
}

bool
sift_records_take(const uint8_t *header, int dlt)
{
	static const uint8_t versions[][4] = { { 0, 2, 0, 4 }, { 2, 0, 4, 0 } };
	uint32_t magic = load_be32(header);
	bool is_big = magic == MAGIC_MICRO || magic == MAGIC_NANO, is_swapped;

	if (!sift_records_begin(header))
		return false;
	is_swapped = is_big != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
	return memcmp(header + 4, versions[is_big ? 0 : 1], 4) == 0 &&
	       sift_record_is_plain(dlt, is_swapped);
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
	r->bytes = r->buf;
	r->end = opts->n_read;
	r->off = FILE_HEADER;
	r->salvage.format = &r->opts.format;
	memcpy(r->buf, opts->read, opts->n_read);
	*out = r;
	return 0;
}

bool
sift_records_is_mapped(const struct sift_records *records)
{
	return records->bytes != records->buf;
}

void
sift_records_free(struct sift_records *records)
{
	if (records == NULL)
		return;
	if (sift_records_is_mapped(records))
		sift_mapped_close(&records->map);
	sift_lanes_free(records->lanes);
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
	return sift_record_caplen(&r->opts.format, r->bytes + r->begin);
}

/* The file has ended: between records, or in one, of which libpcap reads what is kept first. */
static void
end(struct sift_records *r)
{
	size_t left = r->end - r->begin;
	uint32_t snaplen = r->opts.format.snaplen, caplen, wanted;
	char what[96];

	if (left == 0 || r->opts.is_salvaged)
		return;
	if (left < SIFT_RECORD_HEADER) {
		snprintf(what, sizeof(what),
			 "truncated dump file; tried to read %d header bytes, only got %zu",
			 SIFT_RECORD_HEADER, left);
	} else {
		caplen = caplen_at(r);
		left -= SIFT_RECORD_HEADER;
		wanted = caplen > snaplen && left < snaplen ? snaplen : caplen;
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
	if (r->opts.is_salvaged)
		wanted = SIFT_SALVAGE_WINDOW;
	else if (left >= SIFT_RECORD_HEADER && wanted < SIFT_RECORD_HEADER + (size_t)caplen_at(r))
		wanted = SIFT_RECORD_HEADER + (size_t)caplen_at(r);
	if (wanted <= r->size)
		return 0;
	if ((grown = realloc(r->buf, wanted)) == NULL)
		return fail(r, -ENOMEM, "out of memory");
	r->bytes = r->buf = grown;
	r->size = wanted;
	return 0;
}

/* Some more of the mapping.  Whether there is any, and can be had. */
static bool
refill_mapped(struct sift_records *r)
{
	size_t n = (size_t)(r->map.end - r->map.begin), more = n - r->end;

	if (more == 0 || sift_lanes_are_unlucky(r->lanes))
		return false;
	if (more > SIFT_LANES_STRETCH)
		more = SIFT_LANES_STRETCH;
	if (!sift_mapped_have(&r->map, r->off + r->end, r->off + r->end + more))
		return false;
	r->end += more;
	sift_mapped_drop(&r->map, r->off + r->dropped, r->off + r->begin);
	r->dropped = r->begin;
	return true;
}

/* Some more bytes, or the end. */
static void
refill(struct sift_records *r)
{
	ssize_t got;

	if (sift_records_is_mapped(r)) {
		if (refill_mapped(r))
			return;
		sift_records_unmap(r);
	}
	if (make_room(r) < 0)
		return;
	got = sift_inflow_read(r->opts.flow, r->buf + r->end, r->size - r->end, &r->failure);
	if (got > 0) {
		r->end += (size_t)got;
		return;
	}
	if (got == 0 && !sift_inflow_is_stopped(r->opts.flow))
		end(r);
	else if (got == 0)
		r->begin = r->end; /* nobody wants it any more */
	else
		r->failed = (int)got;
	r->has_ended = true;
}

/* No view could be made of what is at begin: it is not all there, or no record. */
static void
check_record(struct sift_records *r)
{
	uint32_t snaplen = r->opts.format.snaplen, caplen;
	char what[112];

	if (r->end - r->begin < SIFT_RECORD_HEADER)
		return;
	caplen = caplen_at(r);
	if (caplen <= SIFT_RECORD_MAX_CAPLEN)
		return;
	snprintf(what, sizeof(what), "invalid packet capture length %u, bigger than %s of %u",
		 caplen, caplen > snaplen ? "snaplen" : "maximum",
		 caplen > snaplen ? snaplen : SIFT_RECORD_MAX_CAPLEN);
	fail(r, -EINVAL, what);
}

/* Tell of a stretch of damage, once its end is known. */
static void
tell_skipped(struct sift_records *r)
{
	if (r->skipped_from != r->skipped_to && r->opts.on_skip != NULL)
		r->opts.on_skip(r->opts.on_skip_arg, r->skipped_from,
				r->skipped_to - r->skipped_from);
	r->skipped_from = r->skipped_to = 0;
}

static void
skip(struct sift_records *r, size_t n)
{
	if (r->skipped_from == r->skipped_to)
		r->skipped_from = r->off + r->begin;
	r->begin += n;
	r->skipped_to = r->off + r->begin;
}

/* One by one, each judged before it is taken. */
static size_t
salvage_records(struct sift_records *r)
{
	size_t n = 0, n_skip;

	while (n < BATCH && r->begin < r->end) {
		const struct sift_stretch stretch = { r->bytes + r->begin, r->end - r->begin,
						      r->has_ended };
		const uint8_t *at = stretch.p;

		switch (sift_salvage_judge(&r->salvage, &stretch, &n_skip)) {
		case SIFT_RECORD_UNKNOWN:
			return n;
		case SIFT_RECORD_BAD:
			skip(r, n_skip);
			break;
		case SIFT_RECORD_GOOD:
			tell_skipped(r);
			n += sift_record_views(&r->opts.format, r->detail, &at, r->bytes + r->end,
					       &r->views[n], 1);
			r->begin = (size_t)(at - r->bytes);
			break;
		}
	}
	if (r->has_ended && r->begin == r->end)
		tell_skipped(r);
	return n;
}

static size_t
take_records(struct sift_records *r)
{
	const uint8_t *at = r->bytes + r->begin;
	size_t n = sift_record_views(&r->opts.format, r->detail, &at, r->bytes + r->end, r->views,
				     BATCH);

	r->begin = (size_t)(at - r->bytes);
	return n;
}

/* Those that were followed; where they are not so any more, none. */
static size_t
take_followed(struct sift_records *r)
{
	const uint8_t *at = r->bytes + r->begin;
	size_t n = sift_record_views_at(&r->opts.format, r->detail, &at, r->bytes + r->end,
					r->bytes + r->base, r->begins, r->views,
					r->n_begins < BATCH ? r->n_begins : BATCH);

	r->batch = r->begin;
	r->begin = (size_t)(at - r->bytes);
	r->begins += n;
	r->n_begins = n > 0 ? r->n_begins - n : 0;
	return n;
}

static size_t
take_mapped(struct sift_records *r)
{
	size_t left, n = r->n_begins > 0 ? take_followed(r) : 0;

	if (n > 0)
		return n;
	left = r->end - r->begin;
	r->base = r->begin;
	r->n_begins = sift_lanes_follow(r->lanes, r->bytes + r->base, left, left, &r->begins);
	return take_followed(r);
}

static size_t
take(struct sift_records *r)
{
	if (r->opts.is_salvaged)
		return salvage_records(r);
	return sift_records_is_mapped(r) ? take_mapped(r) : take_records(r);
}

int
sift_records_next(struct sift_records *r, const struct sift_view **views, size_t *n,
		  struct ebpf_err *err)
{
	/* views point into the buffer: it is refilled once they are done with */
	do {
		*n = take(r);
		if (*n > 0) {
			*views = r->views;
			return 1;
		}
		if (!r->opts.is_salvaged)
			check_record(r);
		if (r->failed != 0 || r->has_ended)
			break;
		refill(r);
		/* what waits for more to be seen behind it is salvaged from a failure, too */
	} while (r->failed == 0 || r->opts.is_salvaged);
	return r->failed != 0 ? ebpf_err_set(err, r->failed, "%s", r->failure.text) : 0;
}

const struct sift_record_format *
sift_records_format(const struct sift_records *records)
{
	return &records->opts.format;
}

void
sift_records_set_detail(struct sift_records *records, enum sift_detail detail)
{
	records->detail = detail;
	if (detail != SIFT_DETAIL_ALL)
		sift_record_init_views(records->opts.format.dlt, records->views, BATCH);
}

void
sift_records_complete(struct sift_records *records, size_t n)
{
	sift_record_complete_views(&records->opts.format, records->views, n);
}

uint64_t
sift_records_offset(const struct sift_records *records)
{
	return records->off + records->begin;
}

bool
sift_records_extent(const struct sift_records *records, struct sift_extent *extent)
{
	int fd = sift_inflow_fd(records->opts.flow);
	struct stat st;

	if (fd < 0 || records->opts.is_salvaged || sift_records_is_mapped(records) ||
	    records->failed != 0 || records->has_ended || fstat(fd, &st) < 0)
		return false;
	*extent = (struct sift_extent){
		.fd = fd,
		.begin = records->off + records->begin,
		.end = (uint64_t)st.st_size,
	};
	return extent->begin < extent->end;
}

void
sift_records_resume(struct sift_records *records, uint64_t off)
{
	sift_inflow_seek(records->opts.flow, off);
	records->off = off;
	records->begin = records->end = 0;
}

bool
sift_records_may_map(const struct sift_records *records)
{
	return records->opts.may_map;
}

void
sift_records_map(struct sift_records *r, uint64_t least)
{
	struct sift_extent extent;

	if (!r->opts.may_map || !sift_records_extent(r, &extent) ||
	    extent.end - extent.begin < least)
		return;
	if (r->lanes == NULL)
		r->lanes = sift_lanes_new(&r->opts.format);
	if (r->lanes == NULL || sift_lanes_are_unlucky(r->lanes) ||
	    sift_mapped_open(&r->map, extent.fd, extent.begin, extent.end) < 0)
		return;
	r->bytes = r->map.bytes;
	r->off = r->map.begin;
	r->begin = r->end = (size_t)(extent.begin - r->map.begin);
	r->n_begins = 0;
	r->dropped = 0;
}

void
sift_records_unmap(struct sift_records *r)
{
	uint64_t next = r->off + r->begin;

	if (!sift_records_is_mapped(r))
		return;
	sift_mapped_close(&r->map);
	r->bytes = r->buf;
	sift_records_resume(r, next);
}

bool
sift_records_lost(struct sift_records *r)
{
	if (!sift_records_is_mapped(r) || !sift_mapped_is_lost(&r->map))
		return false;
	r->begin = r->batch;
	sift_records_unmap(r);
	return true;
}

struct sift_mapped *
sift_records_mapping(struct sift_records *records)
{
	return &records->map;
}
