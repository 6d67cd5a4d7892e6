/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Savefiles.  Their headers are read by libpcap, and all of them but the usual
 * kinds: what follows the header of those is read in blocks, see records.h for
 * pcap and blocks.h for pcapng.
 *
 * libpcap reads from a FILE whose read function is ours.  So this file sees the
 * first bytes, which tell the precision of time stamps (libpcap does not); can
 * end a wait when the source is stopped; and knows how far libpcap has read, from
 * a pipe too, which tells the record that is damaged.
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
#include <sys/stat.h>
#include <unistd.h>

#include "ebpf/err.h"
#include "ebpf/sized.h"
#include "filter/batch.h"
#include "filter/blocks.h"
#include "filter/bytes.h"
#include "filter/inflow.h"
#include "filter/records.h"
#include "filter/savefile.h"

/*
 * What pcapng blocks begin with: type and total length, four bytes each.  The
 * section header's type reads the same in both byte orders.
 */
enum {
	BLOCK_HEADER = 8,
	BLOCK_SECTION = 0x0a0d0d0a,
};
#define BYTE_ORDER_SWAPPED 0x4d3c2b1au

/* The magic number of pcap with nanoseconds, in either byte order. */
#define PCAP_NANO 0xa1b23c4du
#define PCAP_NANO_SWAPPED 0x4d3cb2a1u

/* Two hundred packets or so: few calls, and the cache keeps it. */
enum { BUFFER_SIZE = 128 << 10 };

/* As much of the file's beginning as is looked at here. */
enum { HEAD_SIZE = 4096 };

/* The bytes of a file on their way to libpcap. */
struct feed {
	int fd;
	bool owns_fd;
	struct sift_inflow *flow;
	int failed;              /* a negative errno, or 0, */
	struct ebpf_err failure; /* and its message */
	uint64_t off;            /* in what is handed out, of the next byte */
	bool is_pcapng;
	bool is_swapped; /* pcapng: fields are in the other byte order */
	size_t head_len;
	uint8_t head[HEAD_SIZE];
};

struct savefile {
	struct sift_source source;
	pcap_t *pcap;
	uint32_t ts_scale;       /* nanoseconds in what libpcap calls tv_usec */
	int failed;              /* a negative errno that waits behind the batch, */
	struct ebpf_err failure; /* and its message */
	uint64_t record_off;     /* where the record begins that is read next */
	struct sift_batch batch;
	struct feed feed;
	struct sift_reader_opts opts;
	struct sift_blocks_survey survey; /* of a mixed file's first interfaces */
	FILE *file;                       /* that libpcap reads, */
	char *buffer;                     /* and its buffer; NULL: it reads headers alone */
	char *place;                      /* what offsets in messages are in */
	char name[];
};

/* Bytes of the file, decompressed; 0: the end, or the source was stopped, or reading failed. */
static size_t
feed_take(struct savefile *s, void *to, size_t n)
{
	ssize_t got;

	if (n == 0 || s->feed.failed != 0)
		return 0;
	got = sift_inflow_read(s->feed.flow, to, n, &s->feed.failure);
	if (got < 0)
		s->feed.failed = (int)got;
	return got > 0 ? (size_t)got : 0;
}

/*
 * The FILE's read function.  The head was read before, and is handed out
 * first; what else comes of the first HEAD_SIZE bytes is kept as well.
 */
static ssize_t
feed_read(void *cookie, char *to, size_t n)
{
	struct savefile *s = cookie;
	struct feed *feed = &s->feed;
	size_t got;

	if (feed->off < feed->head_len) {
		got = feed->head_len - (size_t)feed->off;
		got = got < n ? got : n;
		memcpy(to, feed->head + feed->off, got);
	} else {
		got = feed_take(s, to, n);
		if (feed->off == feed->head_len) {
			size_t room = HEAD_SIZE - feed->head_len;
			size_t kept = got < room ? got : room;

			memcpy(feed->head + feed->head_len, to, kept);
			feed->head_len += kept;
		}
	}
	feed->off += got;
	if (got == 0 && feed->failed != 0) {
		errno = -feed->failed;
		return -1;
	}
	return (ssize_t)got;
}

/* Its seek function: tells where it is, for ftello(). */
static int
feed_seek(void *cookie, off64_t *off, int whence)
{
	const struct savefile *s = cookie;

	if (whence != SEEK_CUR || *off != 0) {
		errno = ESPIPE;
		return -1;
	}
	*off = (off64_t)s->feed.off;
	return 0;
}

/* How far libpcap has read. */
static uint64_t
position(const struct savefile *s)
{
	off_t off = ftello(s->file);

	return off > 0 ? (uint64_t)off : 0;
}

/* Which kind of file it is, by its first bytes; libpcap judges the rest. */
static void
feed_look(struct savefile *s)
{
	struct feed *feed = &s->feed;
	size_t got;

	while (feed->head_len < BLOCK_HEADER + 4 &&
	       (got = feed_take(s, feed->head + feed->head_len, HEAD_SIZE - feed->head_len)) > 0)
		feed->head_len += got;
	if (feed->head_len < BLOCK_HEADER + 4 || load_be32(feed->head) != BLOCK_SECTION)
		return;
	feed->is_pcapng = true;
	feed->is_swapped = load32(feed->head + BLOCK_HEADER, false) == BYTE_ORDER_SWAPPED;
}

static bool
is_pcap_nano(const struct feed *feed)
{
	uint32_t magic;

	if (feed->head_len < 4)
		return false;
	magic = load_be32(feed->head);
	return magic == PCAP_NANO || magic == PCAP_NANO_SWAPPED;
}

/*
 * Whether the first interface of a pcapng file has time stamps finer than
 * microseconds.  Once libpcap has opened the file it has read that far, so the
 * block is in the head, unless what precedes it is very long: then the answer
 * is no, as tcpdump would have it.
 */
static bool
is_pcapng_nano(const struct feed *feed)
{
	struct sift_blocks_head head;

	return sift_blocks_look(feed->head, feed->head_len, &head) == 1 &&
	       head.first.units > 1000000;
}

/* The time as libpcap gives it, a broken fraction of a second included. */
static void
set_time(const struct savefile *s, const struct pcap_pkthdr *header, struct sift_view *view)
{
	uint32_t fraction = (uint32_t)header->ts.tv_usec;
	uint32_t per_second = 1000000000u / s->ts_scale;

	view->ts_sec = header->ts.tv_sec;
	view->ts_excess = fraction / per_second;
	view->ts_nsec = fraction % per_second * s->ts_scale;
}

/*
 * Where the pcapng block begins that libpcap was reading when it stopped: from
 * record_off on there may be whole blocks that are not packets.  Where the
 * file cannot be read again, those before the damage are not told apart.
 */
static uint64_t
damaged_block(const struct savefile *s)
{
	uint64_t stopped = position(s), off = s->record_off;
	int fd = sift_inflow_fd(s->feed.flow);
	uint8_t header[BLOCK_HEADER];

	while (pread(fd, header, sizeof(header), (off_t)off) == sizeof(header)) {
		uint32_t total = load32(header + 4, s->feed.is_swapped);

		if (total < BLOCK_HEADER || total > stopped - off)
			break;
		/* Read whole, and no more wanted: something in it is wrong. */
		if (total == stopped - off && !feof(s->file))
			break;
		off += total;
	}
	return off;
}

/* Reading failed, or what was read is damaged: libpcap's text says which. */
static int
fail(const struct savefile *s, const char *text, struct ebpf_err *err)
{
	uint64_t off = s->feed.is_pcapng ? damaged_block(s) : s->record_off;

	if (s->feed.failed != 0)
		return ebpf_err_set(err, s->feed.failed, "%s", s->feed.failure.text);
	return ebpf_err_set(err, -EINVAL, "%s: offset %llu: %s", s->place, (unsigned long long)off,
			    text);
}

/* Read one packet into the batch.  Whether there was one. */
static bool
read_packet(struct savefile *s)
{
	struct pcap_pkthdr *header;
	const uint8_t *data;
	struct sift_view *view;
	int rc;

	s->record_off = position(s);
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
		s->failed = fail(s, pcap_geterr(s->pcap), &s->failure);
	}
	return false;
}

/* Of mixed packets, what holds for those of this batch. */
static int
next_blocks(struct sift_source *source, const struct sift_view **views, size_t *n,
	    struct ebpf_err *err)
{
	struct sift_source_info *info = &source->info;
	int rc = sift_blocks_next(source->blocks, views, n, err);

	if (rc != 1 || !source->is_mixed || *n == 0)
		return rc;
	info->dlt = sift_blocks_dlt(source->blocks);
	info->expr_flags = SIFT_EXPR_SAVEFILE;
	if (sift_blocks_is_swapped(source->blocks))
		info->expr_flags |= SIFT_EXPR_SWAPPED;
	if (sift_blocks_snaplen(source->blocks) > info->snaplen)
		info->snaplen = sift_blocks_snaplen(source->blocks);
	return rc;
}

static int
savefile_next(struct sift_source *source, const struct sift_view **views, size_t *n,
	      struct ebpf_err *err)
{
	struct savefile *s = (struct savefile *)source;

	if (s->source.records != NULL)
		return sift_records_next(s->source.records, views, n, err);
	if (s->source.blocks != NULL)
		return next_blocks(source, views, n, err);
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

/* Compressed, it is where the thread that decompresses has its descriptor. */
static uint64_t
savefile_position(const struct sift_source *source)
{
	const struct savefile *s = (const struct savefile *)source;
	off_t off;

	if (sift_inflow_kind(s->feed.flow) != SIFT_CODEC_NONE) {
		off = lseek(s->feed.fd, 0, SEEK_CUR);
		return off > 0 ? (uint64_t)off : 0;
	}
	if (source->records != NULL)
		return sift_records_offset(source->records);
	if (source->blocks != NULL)
		return sift_blocks_offset(source->blocks);
	return position(s);
}

static uint64_t
savefile_size(const struct sift_source *source)
{
	const struct savefile *s = (const struct savefile *)source;
	struct stat st;

	return fstat(s->feed.fd, &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
}

static void
savefile_close(struct sift_source *source)
{
	struct savefile *s = (struct savefile *)source;

	if (s->pcap != NULL)
		pcap_close(s->pcap);
	sift_inflow_free(s->feed.flow);
	if (s->feed.owns_fd)
		close(s->feed.fd);
	free(s->place);
	free(s->buffer);
	sift_records_free(s->source.records);
	sift_blocks_free(s->source.blocks);
	sift_batch_destroy(&s->batch);
	free(s);
}

static const struct sift_source_ops savefile_ops = {
	.next = savefile_next,
	.position = savefile_position,
	.size = savefile_size,
	.close = savefile_close,
};

/* Let libpcap read the file: its header, and then packet by packet. */
static int
open_pcap(struct savefile *s, unsigned precision, struct ebpf_err *err)
{
	static const cookie_io_functions_t functions = { .read = feed_read, .seek = feed_seek };
	char text[PCAP_ERRBUF_SIZE];
	int rc;

	if ((rc = sift_batch_init(&s->batch, err)) < 0)
		return ebpf_err_prefix(err, rc, "%s", s->source.info.name);
	s->buffer = malloc(BUFFER_SIZE);
	s->file = s->buffer != NULL ? fopencookie(s, "r", functions) : NULL;
	if (s->file == NULL)
		return ebpf_err_set(err, -ENOMEM, "%s: out of memory", s->source.info.name);
	setvbuf(s->file, s->buffer, _IOFBF, BUFFER_SIZE);
	s->pcap = pcap_fopen_offline_with_tstamp_precision(s->file, precision, text);
	if (s->pcap == NULL) {
		rc = fail(s, text, err);
		fclose(s->file);
		return rc;
	}
	return 0;
}

/*
 * The head up to where packets may begin: of pcapng as much as it takes to find the
 * first interface.  Length of that; 0: it is not there.
 */
static size_t
feed_header(struct savefile *s, struct sift_blocks_head *blocks)
{
	struct feed *feed = &s->feed;
	size_t got;
	int rc;

	if (!feed->is_pcapng)
		return feed->head_len < SIFT_SAVEFILE_HEADER ? 0 : SIFT_SAVEFILE_HEADER;
	while ((rc = sift_blocks_look(feed->head, feed->head_len, blocks)) == 0 &&
	       (got = feed_take(s, feed->head + feed->head_len, HEAD_SIZE - feed->head_len)) > 0)
		feed->head_len += got;
	return rc == 1 ? blocks->len : 0;
}

/*
 * The head up to the first packet's block, to know all interfaces before it.  What is not
 * there yet is waited for: what is known must not depend on how fast it comes.
 */
static void
feed_interfaces(struct savefile *s, const struct sift_blocks_head *blocks)
{
	struct feed *feed = &s->feed;
	size_t got;

	while (!sift_blocks_look_on(feed->head, feed->head_len, blocks, &s->survey) &&
	       (got = feed_take(s, feed->head + feed->head_len, HEAD_SIZE - feed->head_len)) > 0)
		feed->head_len += got;
}

/* Of what a header means libpcap has the last word. */
static bool
is_for_blocks(pcap_t *pcap, const struct sift_blocks_head *head)
{
	return sift_blocks_take(head) && head->first.dlt == pcap_datalink(pcap) &&
	       head->first.snaplen == (uint32_t)pcap_snapshot(pcap);
}

/*
 * libpcap on the header alone, where what is behind it is for us to read: 1.  0: it is not;
 * -ENOMEM.
 */
static int
open_header(struct savefile *s, unsigned precision, struct sift_blocks_head *blocks,
	    struct ebpf_err *err)
{
	size_t len = s->opts.flags & SIFT_READER_LIBPCAP ? 0 : feed_header(s, blocks);
	char text[PCAP_ERRBUF_SIZE];
	FILE *header;

	if (len == 0)
		return 0;
	header = fmemopen(s->feed.head, len, "r");
	if (header == NULL)
		return ebpf_err_set(err, -ENOMEM, "%s: out of memory", s->name);
	s->pcap = pcap_fopen_offline_with_tstamp_precision(header, precision, text);
	if (s->pcap == NULL) {
		fclose(header);
		return 0;
	}
	if (s->feed.is_pcapng ? is_for_blocks(s->pcap, blocks)
			      : sift_records_take(s->feed.head, pcap_datalink(s->pcap)))
		return 1;
	pcap_close(s->pcap);
	s->pcap = NULL;
	return 0;
}

static void
on_skip(void *arg, uint64_t off, uint64_t n_bytes)
{
	const struct savefile *s = arg;

	if (s->opts.on_skip != NULL)
		s->opts.on_skip(s->opts.on_skip_arg, s->place, off, n_bytes);
}

static int
begin_records(struct savefile *s, struct ebpf_err *err)
{
	const struct sift_records_opts opts = {
		.flow = s->feed.flow,
		.name = s->place,
		.format = {
			.dlt = s->source.info.dlt,
			.is_swapped = pcap_is_swapped(s->pcap),
			.ts_scale = s->ts_scale,
			.snaplen = s->source.info.snaplen,
		},
		.may_map = s->opts.flags & SIFT_READER_MAPPED,
		.is_salvaged = s->opts.flags & SIFT_READER_SALVAGE,
		.on_skip = on_skip,
		.on_skip_arg = s,
		.read = s->feed.head + SIFT_SAVEFILE_HEADER,
		.n_read = s->feed.head_len - SIFT_SAVEFILE_HEADER,
	};

	return sift_records_new(&opts, &s->source.records, err);
}

static int
begin_blocks(struct savefile *s, const struct sift_blocks_head *head, struct ebpf_err *err)
{
	const struct sift_blocks_opts opts = {
		.flow = s->feed.flow,
		.name = s->place,
		.head = head,
		.read = s->feed.head,
		.n_read = s->feed.head_len,
		.is_mixed = s->source.is_mixed,
		.is_salvaged = s->opts.flags & SIFT_READER_SALVAGE,
		.on_skip = on_skip,
		.on_skip_arg = s,
	};

	return sift_blocks_new(&opts, &s->source.blocks, err);
}

/*
 * Microseconds are asked for as such, so that broken ones arrive as they are;
 * all else in nanoseconds, which lose nothing.
 */
static int
read_header(struct savefile *s, struct ebpf_err *err)
{
	struct sift_source_info *info = &s->source.info;
	struct sift_blocks_head blocks;
	unsigned precision;
	bool is_nano, is_ours;
	int rc;

	feed_look(s);
	is_nano = is_pcap_nano(&s->feed);
	s->ts_scale = is_nano || s->feed.is_pcapng ? 1 : 1000;
	precision = s->ts_scale == 1 ? PCAP_TSTAMP_PRECISION_NANO : PCAP_TSTAMP_PRECISION_MICRO;
	if ((rc = open_header(s, precision, &blocks, err)) < 0)
		return rc;
	is_ours = rc == 1;
	if (!is_ours && (rc = open_pcap(s, precision, err)) < 0)
		return rc;
	if (s->feed.is_pcapng)
		is_nano = is_pcapng_nano(&s->feed);
	info->dlt = pcap_datalink(s->pcap);
	info->linktype_ext = (uint32_t)pcap_datalink_ext(s->pcap);
	info->snaplen = (uint32_t)pcap_snapshot(s->pcap);
	info->expr_flags = SIFT_EXPR_SAVEFILE;
	if (pcap_is_swapped(s->pcap))
		info->expr_flags |= SIFT_EXPR_SWAPPED;
	s->source.is_mixed &= is_ours && s->feed.is_pcapng;
	if (s->source.is_mixed) {
		feed_interfaces(s, &blocks);
		is_nano = s->survey.is_nano;
		info->snaplen = s->survey.snaplen;
	}
	info->precision = is_nano ? SIFT_PRECISION_NANO : SIFT_PRECISION_MICRO;
	if (!is_ours && s->opts.flags & SIFT_READER_SALVAGE)
		return ebpf_err_set(err, -ENOTSUP,
				    "%s: files of the usual link types alone are salvaged",
				    s->name);
	if (!is_ours)
		return 0;
	return s->feed.is_pcapng ? begin_blocks(s, &blocks, err) : begin_records(s, err);
}

static int
open_fd(struct savefile *s, const char *path, const struct sift_reader_opts *opts,
	struct ebpf_err *err)
{
	if (strcmp(path, "-") == 0) {
		s->feed.fd = STDIN_FILENO;
		return 0;
	}
	if (opts->open_file != NULL)
		s->feed.fd = opts->open_file(opts->open_arg, path);
	else if ((s->feed.fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		s->feed.fd = -errno;
	if (s->feed.fd < 0)
		return ebpf_err_set(err, s->feed.fd, "%s: %s", path, strerror(-s->feed.fd));
	s->feed.owns_fd = true;
	return 0;
}

/* Offsets in a compressed file are no use to who sees what is in it, nor the other way round. */
static int
open_flow(struct savefile *s, struct ebpf_err *err)
{
	const struct sift_inflow_opts flow_opts = {
		.fd = s->feed.fd,
		.is_stopped = &s->source.is_stopped,
		.name = s->name,
		.memlimit = s->opts.memlimit,
		.n_threads = s->opts.threads,
		.is_followed = s->opts.flags & SIFT_READER_FOLLOW,
	};
	int rc = sift_inflow_new(&flow_opts, &s->feed.flow, err), len;

	if (rc < 0)
		return rc;
	len = asprintf(&s->place, "%s%s", s->name,
		       sift_inflow_kind(s->feed.flow) != SIFT_CODEC_NONE ? " (decompressed)" : "");
	if (len >= 0)
		return 0;
	s->place = NULL;
	return ebpf_err_set(err, -ENOMEM, "%s: out of memory", s->name);
}

static int
take_opts(const struct sift_reader_opts *opts, struct sift_reader_opts *known, struct ebpf_err *err)
{
	int rc = ebpf_sized_take("reader options", known, sizeof(*known), opts,
				 EBPF_SIZED_LEAST(struct sift_reader_opts, flags), err);

	if (rc < 0)
		return rc;
	if (known->flags & ~(SIFT_READER_LIBPCAP | SIFT_READER_FOLLOW | SIFT_READER_SALVAGE |
			     SIFT_READER_MIXED | SIFT_READER_MAPPED))
		return ebpf_err_set(err, -EINVAL, "unknown flags 0x%x", known->flags);
	if (known->flags & SIFT_READER_LIBPCAP && known->flags & SIFT_READER_MIXED)
		return ebpf_err_set(err, -EINVAL, "libpcap reads no mixed files");
	return 0;
}

int
sift_source_open_savefile_opts(const char *path, const struct sift_reader_opts *opts,
			       struct sift_source **out, struct ebpf_err *err)
{
	const char *name = strcmp(path, "-") == 0 ? "standard input" : path;
	struct sift_reader_opts known = { .size = sizeof(known) };
	struct savefile *s;
	int rc;

	if (opts != NULL && (rc = take_opts(opts, &known, err)) < 0)
		return ebpf_err_prefix(err, rc, "%s", name);
	s = calloc(1, sizeof(*s) + strlen(name) + 1);
	if (s == NULL)
		return ebpf_err_set(err, -ENOMEM, "%s: out of memory", name);
	s->opts = known;
	s->source.is_mixed = known.flags & SIFT_READER_MIXED;
	memcpy(s->name, name, strlen(name) + 1);
	s->source.ops = &savefile_ops;
	s->source.info.name = s->name;
	atomic_init(&s->source.is_stopped, false);
	if ((rc = open_fd(s, path, &known, err)) < 0 || (rc = open_flow(s, err)) < 0 ||
	    (rc = read_header(s, err)) < 0) {
		savefile_close(&s->source);
		return rc;
	}
	*out = &s->source;
	return 0;
}

int
sift_source_open_savefile(const char *path, struct sift_source **out, struct ebpf_err *err)
{
	return sift_source_open_savefile_opts(path, NULL, out, err);
}
