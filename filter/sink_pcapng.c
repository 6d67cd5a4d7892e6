/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Savefiles in the pcapng format, in host byte order: a section of one interface,
 * and each packet in a block of its own.  Or one such section for each source, with an
 * interface for each kind of its packets; or as many sections, in whatever byte order, as
 * the source has that is copied block by block.
 *
 * The section's length is left open, as the file may be a pipe.  A block is whole
 * when it is handed to the buffer, and its length stands where record_len() looks
 * for it, so a file that cannot grow ends with a whole one.
 *
 * Source: draft-ietf-opsawg-pcapng, "General File Structure" and "Block Definitions".
 */
#include "config.h"

#include "filter/sink.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ebpf/err.h"
#include "filter/outfile.h"
#include "filter/savefile.h"
#include "filter/view.h"

enum {
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	BLOCK_STATISTICS = 5,
	BLOCK_ENHANCED = 6,
	OPTION_IFRECV = 4,
	OPTION_IFDROP = 5,
	OPTION_OSDROP = 7,
	OPTION_TSRESOL = 9,
	OPTION_FCSLEN = 13,
};

/* Of a block: type and total length before its body, the length again behind it. */
enum { HEADER = 8, TRAILER = 4 };

/* Interface, time, captured bytes and bytes on the wire precede those bytes. */
enum { FIXED = HEADER + 20 };

/* Bits of linktype_ext: whether it has the length of the FCS, and that in 16 bits each. */
#define EXT_HAS_FCS 0x04000000u
#define EXT_FCS_SHIFT 28

struct section {
	uint32_t magic;
	uint16_t version_major, version_minor;
	uint64_t length;
};

struct interface {
	uint16_t linktype, reserved;
	uint32_t snaplen;
};

_Static_assert(sizeof(struct section) == 16 && sizeof(struct interface) == 8, "written as bytes");

/* An option whose value is one byte, padded. */
struct option {
	uint16_t code, len;
	uint8_t value, padding[3];
};
_Static_assert(sizeof(struct option) == 8, "written as bytes");

/* Fixed fields of an interface's statistics, and its three counters, eight bytes each. */
enum {
	N_COUNTERS = 3,
	COUNTER = 4 + 8,
	STATISTICS_MAX = HEADER + 12 + N_COUNTERS * COUNTER + 4 + TRAILER,
};

/* Both blocks, with two options and the end of them. */
enum {
	SECTION_LEN = HEADER + sizeof(struct section) + TRAILER,
	INTERFACE_MAX = HEADER + sizeof(struct interface) + 2 * sizeof(struct option) + 4 + TRAILER,
	FILE_HEADER_MAX = SECTION_LEN + INTERFACE_MAX,
};

/* What an interface is for. */
struct kind {
	int dlt;
	uint32_t linktype_ext, snaplen;
};

struct pcapng {
	struct sift_sink sink;
	uint32_t ts_scale;              /* nanoseconds in the unit of time stamps */
	struct sift_savefile_opts opts; /* as the section was begun, or would be */
	uint16_t linktype;              /* LINKTYPE_* of that */
	bool has_section;               /* that packets can be written in, with these interfaces */
	bool has_begun;                 /* there is some section */
	struct kind *interfaces;
	uint32_t n_interfaces, interface; /* and the one of what is written now */
	struct sift_outfile out;
};

static void
store_host32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, sizeof(v));
}

/* Whether a block's length, as its front has it, is found again at its end. */
static bool
is_length(const uint8_t *p, size_t len, uint32_t total)
{
	return total >= HEADER + TRAILER && total <= len &&
	       memcmp(p + 4, p + total - TRAILER, TRAILER) == 0;
}

static size_t
record_len(const uint8_t *p, size_t len)
{
	uint32_t total;

	memcpy(&total, p + 4, sizeof(total));
	if (is_length(p, len, total))
		return total;
	/* carried, from a section in the other byte order */
	total = __builtin_bswap32(total);
	return is_length(p, len, total) ? total : len;
}

/* What stands before and behind the body of a block; returns where it ends. */
static uint8_t *
frame(uint8_t *block, uint32_t type, uint8_t *end)
{
	uint32_t total = (uint32_t)(end - block) + TRAILER;

	store_host32(block, type);
	store_host32(block + 4, total);
	store_host32(end, total);
	return end + TRAILER;
}

/* ---- the file's beginning ---- */

static uint8_t *
put(uint8_t *p, const void *from, size_t n)
{
	memcpy(p, from, n);
	return p + n;
}

static uint8_t *
put_section(uint8_t *block)
{
	const struct section fields = {
		.magic = 0x1a2b3c4d, .version_major = 1, .length = UINT64_MAX, /* not told */
	};

	return frame(block, BLOCK_SECTION, put(block + HEADER, &fields, sizeof(fields)));
}

/* Only what is not the default is said; then there is an end of options, too. */
static uint8_t *
put_options(uint8_t *p, const struct sift_savefile_opts *opts)
{
	static const uint8_t end_of_options[4];
	uint8_t *begin = p;

	if (opts->precision == SIFT_PRECISION_NANO)
		p = put(p, &(struct option){ OPTION_TSRESOL, 1, 9, { 0 } }, sizeof(struct option));
	if (opts->linktype_ext & EXT_HAS_FCS) {
		uint8_t bits = (uint8_t)(16 * (opts->linktype_ext >> EXT_FCS_SHIFT));

		p = put(p, &(struct option){ OPTION_FCSLEN, 1, bits, { 0 } },
			sizeof(struct option));
	}
	return p == begin ? p : put(p, end_of_options, sizeof(end_of_options));
}

static uint8_t *
put_interface(uint8_t *block, const struct sift_savefile_opts *opts, uint16_t linktype)
{
	const struct interface fields = { .linktype = linktype, .snaplen = opts->snaplen };
	uint8_t *options = put(block + HEADER, &fields, sizeof(fields));

	return frame(block, BLOCK_INTERFACE, put_options(options, opts));
}

static int
find_linktype(int dlt, uint16_t *linktype, struct ebpf_err *err)
{
	uint32_t number;
	int rc = sift_savefile_linktype(dlt, &number, err);

	if (rc < 0)
		return rc;
	if (number > UINT16_MAX)
		return ebpf_err_set(err, -EINVAL, "pcapng has no number for link type %d", dlt);
	*linktype = (uint16_t)number;
	return 0;
}

/* The section has the interface that was written last. */
static int
note_interface(struct pcapng *s, struct ebpf_err *err)
{
	struct kind *grown =
		reallocarray(s->interfaces, (size_t)s->n_interfaces + 1, sizeof(*grown));

	if (grown == NULL)
		return ebpf_err_set(err, -ENOMEM, "%s: out of memory", s->out.name);
	s->interfaces = grown;
	grown[s->n_interfaces] =
		(struct kind){ s->opts.dlt, s->opts.linktype_ext, s->opts.snaplen };
	s->interface = s->n_interfaces++;
	return 0;
}

/* At once, as sink_savefile.c does, and for the same reasons. */
static int
begin_section(struct pcapng *s, struct ebpf_err *err)
{
	uint8_t *to, *end;
	int rc = sift_outfile_reserve(&s->out, FILE_HEADER_MAX, &to, err);

	s->n_interfaces = 0;
	if (rc < 0 || (rc = note_interface(s, err)) < 0)
		return rc;
	end = put_interface(put_section(to), &s->opts, s->linktype);
	if (!s->has_begun)
		s->out.head_len = (size_t)(end - to);
	s->out.used += (size_t)(end - to);
	s->has_section = s->has_begun = true;
	return sift_outfile_flush(&s->out, err);
}

static int
add_interface(struct pcapng *s, struct ebpf_err *err)
{
	uint8_t *to;
	int rc = sift_outfile_reserve(&s->out, INTERFACE_MAX, &to, err);

	if (rc < 0 || (rc = note_interface(s, err)) < 0)
		return rc;
	s->out.used += (size_t)(put_interface(to, &s->opts, s->linktype) - to);
	return 0;
}

/* Whatever of a section is written needs one. */
static int
need_section(struct pcapng *s, struct ebpf_err *err)
{
	return s->has_section ? 0 : begin_section(s, err);
}

static int
take_kind(struct pcapng *s, const struct sift_source_info *info, uint32_t snaplen,
	  struct ebpf_err *err)
{
	int rc = find_linktype(info->dlt, &s->linktype, err);

	if (rc < 0)
		return ebpf_err_prefix(err, rc, "%s", s->out.name);
	s->opts.dlt = info->dlt;
	s->opts.linktype_ext = info->linktype_ext;
	s->opts.snaplen = snaplen;
	return 0;
}

static int
pcapng_begin(struct sift_sink *sink, const struct sift_source_info *info, uint32_t snaplen,
	     struct ebpf_err *err)
{
	struct pcapng *s = (struct pcapng *)sink;
	int rc = take_kind(s, info, snaplen, err);

	return rc < 0 ? rc : begin_section(s, err);
}

/* The section's interface for such packets, which it gets if it has none. */
static int
pcapng_turn(struct sift_sink *sink, const struct sift_source_info *info, uint32_t snaplen,
	    struct ebpf_err *err)
{
	struct pcapng *s = (struct pcapng *)sink;
	int rc = take_kind(s, info, snaplen, err);

	if (rc < 0 || !s->has_section)
		return rc < 0 ? rc : begin_section(s, err);
	for (uint32_t i = 0; i < s->n_interfaces; i++) {
		const struct kind *kind = &s->interfaces[i];

		if (kind->dlt == info->dlt && kind->linktype_ext == info->linktype_ext &&
		    kind->snaplen == snaplen) {
			s->interface = i;
			return 0;
		}
	}
	return add_interface(s, err);
}

/* ---- packets ---- */

/* Units since 1970. */
static uint64_t
time_of(const struct pcapng *s, const struct sift_view *view)
{
	return (sift_view_seconds(view) + view->ts_excess) * (1000000000u / s->ts_scale) +
	       view->ts_nsec / s->ts_scale;
}

_Static_assert(FIXED + 3 + TRAILER <= SIFT_SINK_AROUND, "there is room for it");

static size_t
pcapng_format(const struct sift_sink *sink, const struct sift_view *view, uint32_t caplen,
	      uint8_t *block)
{
	const struct pcapng *s = (const struct pcapng *)sink;
	size_t padded = ((size_t)caplen + 3) & ~(size_t)3;
	uint64_t time = time_of(s, view);

	store_host32(block + HEADER, s->interface);
	store_host32(block + HEADER + 4, (uint32_t)(time >> 32));
	store_host32(block + HEADER + 8, (uint32_t)time);
	store_host32(block + HEADER + 12, caplen);
	store_host32(block + HEADER + 16, view->wirelen);
	if (caplen > 0)
		memcpy(block + FIXED, view->data, caplen);
	memset(block + FIXED + caplen, 0, padded - caplen);
	return (size_t)(frame(block, BLOCK_ENHANCED, block + FIXED + padded) - block);
}

static int
pcapng_append(struct sift_sink *sink, const uint8_t *packets, size_t n, struct ebpf_err *err)
{
	return sift_outfile_append(&((struct pcapng *)sink)->out, packets, n, err);
}

static int
write_packet(struct pcapng *s, const struct sift_view *view, uint32_t caplen, struct ebpf_err *err)
{
	uint8_t *block;
	int rc = sift_outfile_reserve(&s->out, SIFT_SINK_AROUND + (size_t)caplen, &block, err);

	if (rc == 0)
		s->out.used += pcapng_format(&s->sink, view, caplen, block);
	return rc;
}

static int
pcapng_write(struct sift_sink *sink, const struct sift_view *views, const uint32_t *keep, size_t n,
	     struct ebpf_err *err)
{
	struct pcapng *s = (struct pcapng *)sink;
	int rc = need_section(s, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		uint32_t caplen = views[i].caplen < keep[i] ? views[i].caplen : keep[i];

		if (keep[i] != 0 && (rc = write_packet(s, &views[i], caplen, err)) < 0)
			return rc;
	}
	return 0;
}

static int
pcapng_carry(struct sift_sink *sink, const uint8_t *blocks, size_t n, struct ebpf_err *err)
{
	struct pcapng *s = (struct pcapng *)sink;

	s->has_section = false;
	s->has_begun = true;
	return sift_outfile_append(&s->out, blocks, n, err);
}

/* ---- statistics ---- */

static uint8_t *
put_counter(uint8_t *p, uint16_t code, uint64_t value)
{
	const uint16_t header[2] = { code, sizeof(value) };

	return put(put(p, header, sizeof(header)), &value, sizeof(value));
}

static int
pcapng_put_stats(struct sift_sink *sink, const struct sift_source_stats *stats,
		 struct ebpf_err *err)
{
	static const uint8_t end_of_options[4];
	struct pcapng *s = (struct pcapng *)sink;
	struct sift_view now = { .known = 0 };
	struct timespec clock;
	uint32_t fields[3] = { 0 }; /* interface, and time as of packets */
	uint64_t time;
	uint8_t *block, *p;
	int rc;

	if ((rc = need_section(s, err)) < 0 ||
	    (rc = sift_outfile_reserve(&s->out, STATISTICS_MAX, &block, err)) < 0)
		return rc;
	clock_gettime(CLOCK_REALTIME, &clock);
	now.ts_sec = clock.tv_sec;
	now.ts_nsec = (uint32_t)clock.tv_nsec;
	time = time_of(s, &now);
	fields[1] = (uint32_t)(time >> 32);
	fields[2] = (uint32_t)time;
	p = put(block + HEADER, fields, sizeof(fields));
	p = put_counter(p, OPTION_IFRECV, stats->received);
	p = put_counter(p, OPTION_IFDROP, stats->dropped_interface);
	p = put_counter(p, OPTION_OSDROP, stats->dropped_kernel);
	p = put(p, end_of_options, sizeof(end_of_options));
	s->out.used += (size_t)(frame(block, BLOCK_STATISTICS, p) - block);
	return 0;
}

static int
pcapng_share(struct sift_sink *sink, bool is_shared, struct ebpf_err *err)
{
	return sift_outfile_share(sink->file, is_shared, err);
}

static int
pcapng_flush(struct sift_sink *sink, struct ebpf_err *err)
{
	struct pcapng *s = (struct pcapng *)sink;

	/* no file is empty */
	return s->has_begun ? sift_outfile_flush(&s->out, err) : begin_section(s, err);
}

static int
pcapng_close(struct sift_sink *sink, struct ebpf_err *err)
{
	struct pcapng *s = (struct pcapng *)sink;
	int rc = sift_outfile_close(&s->out, err);

	free(s->interfaces);
	free(s);
	return rc;
}

static const struct sift_sink_ops pcapng_ops = {
	.write = pcapng_write,
	.append = pcapng_append,
	.format = pcapng_format,
	.share = pcapng_share,
	.put_stats = pcapng_put_stats,
	.flush = pcapng_flush,
	.close = pcapng_close,
};

static const struct sift_sink_ops sections_ops = {
	.begin = pcapng_begin,
	.turn = pcapng_turn,
	.write = pcapng_write,
	.append = pcapng_append,
	.format = pcapng_format,
	.share = pcapng_share,
	.carry = pcapng_carry,
	.put_stats = pcapng_put_stats,
	.flush = pcapng_flush,
	.close = pcapng_close,
};

int
sift_sink_open_pcapng(const char *path, const struct sift_savefile_opts *opts,
		      struct sift_sink **out, struct ebpf_err *err)
{
	bool has_sections = opts->flags & SIFT_SAVEFILE_SECTIONS;
	uint16_t linktype = 0;
	struct pcapng *s;
	int rc;

	/* Nothing is created, or truncated, that could not have a header. */
	if ((rc = find_linktype(opts->dlt, &linktype, err)) < 0)
		return ebpf_err_prefix(err, rc, "%s", path);
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return ebpf_err_set(err, -ENOMEM, "%s: out of memory", path);
	s->sink.ops = has_sections ? &sections_ops : &pcapng_ops;
	s->opts = *opts;
	s->linktype = linktype;
	s->sink.file = &s->out;
	s->ts_scale = opts->precision == SIFT_PRECISION_NANO ? 1 : 1000;
	if ((rc = sift_outfile_open(&s->out, path, record_len, opts, err)) < 0 ||
	    (!has_sections && (rc = begin_section(s, err)) < 0)) {
		pcapng_close(&s->sink, NULL);
		return rc;
	}
	*out = &s->sink;
	return 0;
}
