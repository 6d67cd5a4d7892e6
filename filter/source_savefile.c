/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Savefiles, read by libpcap.
 *
 * libpcap reads from a FILE of ours that does not buffer: the buffer is below
 * it, here.  So this file knows to the byte how far libpcap has read, also from
 * a pipe, and can say which record is damaged; sees the first bytes before
 * libpcap does, which tell the precision of time stamps, which libpcap does
 * not; and can end a wait when the source is stopped.  A C library that read
 * ahead all the same would only make offsets in messages less exact.
 */
#include "config.h"

#include "filter/source.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ebpf/err.h"
#include "filter/batch.h"
#include "filter/bytes.h"

/*
 * What pcapng blocks begin with: type and total length, four bytes each.  The
 * section header's type reads the same in both byte orders.
 */
enum {
	BLOCK_HEADER = 8,
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	OPTION_END = 0,
	OPTION_TSRESOL = 9,
};
#define BYTE_ORDER_MAGIC 0x1a2b3c4du

/* The magic number of pcap with nanoseconds, in either byte order. */
#define PCAP_NANO         0xa1b23c4du
#define PCAP_NANO_SWAPPED 0x4d3cb2a1u

/* Two hundred packets or so: few calls, and the cache keeps it. */
enum { FEED_SIZE = 128 << 10 };

/* The bytes of a file on their way to libpcap. */
struct feed {
	int fd;
	bool owns_fd;
	int error;              /* errno of a failed read, or 0 */
	uint64_t off;           /* in the file, of the next byte to hand out */
	size_t pos, len;        /* the bytes at hand: buf[pos] ... buf[len - 1] */
	bool has_moved;         /* buf does not begin with the file's first byte any more */
	bool is_pcapng;
	bool is_swapped;        /* pcapng: fields are big-endian */
	uint64_t record_off;    /* of the record that is being read */
	uint64_t block_end;     /* pcapng: of the block that is being read */
	uint8_t buf[FEED_SIZE];
};

struct savefile {
	struct sift_source source;
	pcap_t *pcap;
	uint32_t ts_scale;      /* nanoseconds in what libpcap calls tv_usec */
	int failed;             /* a negative errno that waits behind the batch, */
	struct ebpf_err failure;        /* and its message */
	struct sift_batch batch;
	struct feed feed;
	char name[];
};

static uint32_t
feed_load32(const struct feed *feed, const uint8_t *p)
{
	uint32_t v = load_be32(p);

	if (feed->is_swapped)
		return v;
	return v >> 24 | (v >> 8 & 0xff00) | (v << 8 & 0xff0000) | v << 24;
}

static uint16_t
feed_load16(const struct feed *feed, const uint8_t *p)
{
	uint16_t v = load_be16(p);

	return feed->is_swapped ? v : (uint16_t)(v >> 8 | v << 8);
}

/* Have n bytes at hand, at most FEED_SIZE; fewer at the end, or on an error. */
static void
feed_fill(struct savefile *s, size_t n)
{
	struct feed *feed = &s->feed;

	assert(n <= FEED_SIZE);
	if (feed->len - feed->pos >= n)
		return;
	if (feed->pos > 0) {
		memmove(feed->buf, feed->buf + feed->pos, feed->len - feed->pos);
		feed->len -= feed->pos;
		feed->pos = 0;
		feed->has_moved = true;
	}
	while (feed->len < n && feed->error == 0 && !atomic_load(&s->source.is_stopped)) {
		ssize_t got = read(feed->fd, feed->buf + feed->len, FEED_SIZE - feed->len);

		if (got == 0)
			return;
		if (got > 0)
			feed->len += (size_t)got;
		else if (errno != EINTR)
			feed->error = errno;
	}
}

/*
 * Note where a pcapng block begins.  libpcap reads the eight bytes of its
 * header with one call, then the rest; the first block is known beforehand.
 */
static void
feed_note_block(struct feed *feed, size_t n)
{
	if (n != BLOCK_HEADER || feed->off != feed->block_end)
		return;
	feed->record_off = feed->off;
	if (feed->len - feed->pos >= BLOCK_HEADER)
		feed->block_end += feed_load32(feed, feed->buf + feed->pos + 4);
}

/* FILE's read function.  Fewer than n bytes: the end of the file. */
static ssize_t
feed_read(void *cookie, char *to, size_t n)
{
	struct savefile *s = cookie;
	struct feed *feed = &s->feed;
	size_t done = 0;

	while (done < n) {
		size_t want = n - done < FEED_SIZE ? n - done : FEED_SIZE;
		size_t take;

		feed_fill(s, want);
		if (feed->is_pcapng)
			feed_note_block(feed, n);
		take = feed->len - feed->pos < want ? feed->len - feed->pos : want;
		memcpy(to + done, feed->buf + feed->pos, take);
		feed->pos += take;
		feed->off += take;
		done += take;
		if (take < want)
			break;
	}
	if (done == 0 && feed->error != 0) {
		errno = feed->error;
		return -1;
	}
	return (ssize_t)done;
}

/* Which kind of file it is, by its first bytes; libpcap judges the rest. */
static void
feed_look(struct savefile *s)
{
	struct feed *feed = &s->feed;
	uint32_t total;

	feed_fill(s, BLOCK_HEADER + 4);
	if (feed->len < BLOCK_HEADER + 4 || load_be32(feed->buf) != BLOCK_SECTION)
		return;
	feed->is_pcapng = true;
	feed->is_swapped = load_be32(feed->buf + BLOCK_HEADER) == BYTE_ORDER_MAGIC;
	total = feed_load32(feed, feed->buf + 4);
	feed->block_end = total;
}

static bool
is_pcap_nano(const struct feed *feed)
{
	uint32_t magic;

	if (feed->len < 4)
		return false;
	magic = load_be32(feed->buf);
	return magic == PCAP_NANO || magic == PCAP_NANO_SWAPPED;
}

/* Whether an interface block's options ask for more than microseconds. */
static bool
is_finer_than_micro(const struct feed *feed, const uint8_t *options, size_t len)
{
	while (len >= 4) {
		uint16_t code = feed_load16(feed, options);
		size_t size = feed_load16(feed, options + 2);
		size_t padded = (size + 3) & ~(size_t)3;

		if (code == OPTION_END || padded > len - 4)
			return false;
		/* 10^-n, or 2^-n with the high bit; 2^-19 is the last above 10^-6. */
		if (code == OPTION_TSRESOL && size >= 1)
			return options[4] & 0x80 ? (options[4] & 0x7f) > 19 : options[4] > 6;
		options += 4 + padded;
		len -= 4 + padded;
	}
	return false;
}

/*
 * Whether the first interface of a pcapng file has time stamps finer than
 * microseconds.  Once libpcap has opened the file it has read that far, so the
 * blocks are in the buffer, unless they are larger than it: then the answer is
 * no, as tcpdump would have it.
 */
static bool
is_pcapng_nano(const struct feed *feed)
{
	const uint8_t *block = feed->buf;
	size_t left = feed->has_moved ? 0 : feed->len;

	while (left >= BLOCK_HEADER) {
		uint32_t type = feed_load32(feed, block);
		uint32_t total = feed_load32(feed, block + 4);

		if (total < 12 || total > left)
			return false;
		/* link type, reserved, snapshot length: 8 bytes before the options */
		if (type == BLOCK_INTERFACE)
			return total >= 20 &&
			       is_finer_than_micro(feed, block + BLOCK_HEADER + 8, total - 20);
		block += total;
		left -= total;
	}
	return false;
}

/* The time as libpcap gives it.  Whole seconds in a broken fraction move to the seconds. */
static void
set_time(const struct savefile *s, const struct pcap_pkthdr *header, struct sift_view *view)
{
	uint32_t fraction = (uint32_t)header->ts.tv_usec;
	uint32_t per_second = 1000000000u / s->ts_scale;

	view->ts_sec = header->ts.tv_sec;
	if (fraction > UINT32_MAX / s->ts_scale) {
		view->ts_sec += fraction / per_second;
		fraction %= per_second;
	}
	view->ts_nsec = fraction * s->ts_scale;
}

/* Keep an error until the packets before it have been taken. */
static void
fail_later(struct savefile *s)
{
	int rc = s->feed.error != 0 ? -s->feed.error : -EINVAL;

	s->failed = ebpf_err_set(&s->failure, rc, "%s: offset %llu: %s", s->source.info.name,
				 (unsigned long long)s->feed.record_off, pcap_geterr(s->pcap));
}

/* Read one packet into the batch.  Whether there was one. */
static bool
read_packet(struct savefile *s)
{
	struct pcap_pkthdr *header;
	const uint8_t *data;
	struct sift_view *view;
	int rc;

	if (!s->feed.is_pcapng)
		s->feed.record_off = s->feed.off;
	rc = pcap_next_ex(s->pcap, &header, &data);
	/* A wait that was cut short looks like a truncated file. */
	if (rc == 1 && !atomic_load(&s->source.is_stopped)) {
		view = sift_batch_add(&s->batch, s->source.info.dlt, data, header->caplen,
				      header->len);
		if (view != NULL) {
			set_time(s, header, view);
			return true;
		}
		s->failed = ebpf_err_set(&s->failure, -ENOMEM, "%s: out of memory",
					 s->source.info.name);
	} else if (rc == PCAP_ERROR && !atomic_load(&s->source.is_stopped)) {
		fail_later(s);
	}
	return false;
}

static int
savefile_next(struct sift_source *source, const struct sift_view **views, size_t *n,
	      struct ebpf_err *err)
{
	struct savefile *s = (struct savefile *)source;

	sift_batch_reset(&s->batch);
	while (s->failed == 0 && !sift_batch_is_full(&s->batch) && read_packet(s))
		;
	if (s->batch.n > 0) {
		*views = s->batch.views;
		*n = s->batch.n;
		return 1;
	}
	return s->failed != 0 ? ebpf_err_set(err, s->failed, "%s", s->failure.text) : 0;
}

static void
savefile_close(struct sift_source *source)
{
	struct savefile *s = (struct savefile *)source;

	if (s->pcap != NULL)
		pcap_close(s->pcap);
	if (s->feed.owns_fd)
		close(s->feed.fd);
	sift_batch_destroy(&s->batch);
	free(s);
}

static const struct sift_source_ops savefile_ops = {
	.next = savefile_next,
	.close = savefile_close,
};

/* Let libpcap read the file's header. */
static int
open_pcap(struct savefile *s, unsigned precision, struct ebpf_err *err)
{
	char text[PCAP_ERRBUF_SIZE];
	FILE *file = fopencookie(s, "r", (cookie_io_functions_t){ .read = feed_read });

	if (file == NULL)
		return ebpf_err_set(err, -ENOMEM, "%s: out of memory", s->source.info.name);
	setvbuf(file, NULL, _IONBF, 0);
	s->pcap = pcap_fopen_offline_with_tstamp_precision(file, precision, text);
	if (s->pcap == NULL) {
		fclose(file);
		return ebpf_err_set(err, s->feed.error != 0 ? -s->feed.error : -EINVAL, "%s: %s",
				    s->source.info.name, text);
	}
	return 0;
}

/*
 * Microseconds are asked for as such, so that broken ones arrive as they are;
 * all else in nanoseconds, which lose nothing.
 */
static int
read_header(struct savefile *s, struct ebpf_err *err)
{
	struct sift_source_info *info = &s->source.info;
	bool is_nano;
	int rc;

	feed_look(s);
	is_nano = is_pcap_nano(&s->feed);
	s->ts_scale = is_nano || s->feed.is_pcapng ? 1 : 1000;
	rc = open_pcap(s, s->ts_scale == 1 ? PCAP_TSTAMP_PRECISION_NANO : PCAP_TSTAMP_PRECISION_MICRO,
		       err);
	if (rc < 0)
		return rc;
	if (s->feed.is_pcapng)
		is_nano = is_pcapng_nano(&s->feed);
	info->dlt = pcap_datalink(s->pcap);
	info->linktype_ext = (uint32_t)pcap_datalink_ext(s->pcap);
	info->snaplen = (uint32_t)pcap_snapshot(s->pcap);
	info->precision = is_nano ? SIFT_PRECISION_NANO : SIFT_PRECISION_MICRO;
	return 0;
}

static int
open_fd(struct savefile *s, const char *path, struct ebpf_err *err)
{
	if (strcmp(path, "-") == 0) {
		s->feed.fd = STDIN_FILENO;
		return 0;
	}
	s->feed.fd = open(path, O_RDONLY | O_CLOEXEC);
	if (s->feed.fd < 0)
		return ebpf_err_set(err, -errno, "%s: %s", path, strerror(errno));
	s->feed.owns_fd = true;
	return 0;
}

int
sift_source_open_savefile(const char *path, struct sift_source **out, struct ebpf_err *err)
{
	const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
	struct savefile *s = calloc(1, sizeof(*s) + strlen(name) + 1);
	int rc;

	if (s == NULL)
		return ebpf_err_set(err, -ENOMEM, "%s: out of memory", name);
	memcpy(s->name, name, strlen(name) + 1);
	s->source.ops = &savefile_ops;
	s->source.info.name = s->name;
	atomic_init(&s->source.is_stopped, false);
	if ((rc = sift_batch_init(&s->batch, err)) < 0 || (rc = open_fd(s, path, err)) < 0 ||
	    (rc = read_header(s, err)) < 0) {
		savefile_close(&s->source);
		return rc;
	}
	*out = &s->source;
	return 0;
}
