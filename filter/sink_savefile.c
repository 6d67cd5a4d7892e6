/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Savefiles in the pcap format, in host byte order.
 *
 * Records are written as pcap_dump() does, but into a large buffer and with
 * every error noticed.
 */
#include "config.h"

#include "filter/sink.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "ebpf/err.h"
#include "ebpf/sized.h"
#include "filter/bytes.h"
#include "filter/outfile.h"
#include "filter/record.h"
#include "filter/savefile.h"

enum { LINKTYPE_AT = 20 };

struct savefile {
	struct sift_sink sink;
	struct sift_outfile out;
};

static void
store_host32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, sizeof(v));
}

static size_t
record_len(const uint8_t *p, size_t len)
{
	/* which may not be records, where somebody wrote to the input meanwhile */
	if (len < SIFT_RECORD_HEADER)
		return len;
	return SIFT_RECORD_HEADER + (size_t)load32(p + SIFT_RECORD_CAPLEN_AT, false);
}

static int
make_header(const struct sift_savefile_opts *opts, uint8_t *header, struct ebpf_err *err)
{
	int rc = sift_savefile_header(opts->dlt, opts->snaplen, opts->precision, header, err);

	if (rc == 0)
		store_host32(header + LINKTYPE_AT,
			     load32(header + LINKTYPE_AT, false) | opts->linktype_ext);
	return rc;
}

static int
savefile_write(struct sift_sink *sink, const struct sift_view *views, const uint32_t *keep,
	       size_t n, struct ebpf_err *err)
{
	struct savefile *s = (struct savefile *)sink;

	for (size_t i = 0; i < n; i++) {
		const struct sift_view *view = &views[i];
		uint32_t caplen = view->caplen < keep[i] ? view->caplen : keep[i];
		uint8_t *to;
		int rc;

		if (keep[i] == 0)
			continue;
		rc = sift_outfile_reserve(&s->out, SIFT_RECORD_HEADER + (size_t)caplen, &to, err);
		if (rc < 0)
			return rc;
		sift_record_put_header(to, view, caplen, sink->ts_scale);
		if (caplen > 0)
			memcpy(to + SIFT_RECORD_HEADER, view->data, caplen);
		s->out.used += SIFT_RECORD_HEADER + (size_t)caplen;
	}
	return 0;
}

static int
savefile_append(struct sift_sink *sink, const uint8_t *records, size_t n, struct ebpf_err *err)
{
	return sift_outfile_append(&((struct savefile *)sink)->out, records, n, err);
}

static int
savefile_share(struct sift_sink *sink, bool is_shared, struct ebpf_err *err)
{
	return sift_outfile_share(sink->file, is_shared, err);
}

static int
savefile_flush(struct sift_sink *sink, struct ebpf_err *err)
{
	return sift_outfile_flush(&((struct savefile *)sink)->out, err);
}

static int
savefile_close(struct sift_sink *sink, struct ebpf_err *err)
{
	struct savefile *s = (struct savefile *)sink;
	int rc = sift_outfile_close(&s->out, err);

	free(s);
	return rc;
}

static const struct sift_sink_ops savefile_ops = {
	.write = savefile_write,
	.append = savefile_append,
	.share = savefile_share,
	.flush = savefile_flush,
	.close = savefile_close,
};

int
sift_savefile_opts_take(struct sift_savefile_opts *known, const struct sift_savefile_opts *opts,
			struct ebpf_err *err)
{
	int rc = ebpf_sized_take("savefile options", known, sizeof(*known), opts,
				 EBPF_SIZED_LEAST(struct sift_savefile_opts, precision), err);

	if (rc < 0)
		return rc;
	if (known->snaplen == 0 || known->snaplen > INT_MAX)
		return ebpf_err_set(err, -EINVAL, "snapshot length %lu, but it is 1 to %d",
				    (unsigned long)known->snaplen, INT_MAX);
	if (known->format != SIFT_FORMAT_PCAP && known->format != SIFT_FORMAT_PCAPNG)
		return ebpf_err_set(err, -EINVAL, "unknown format %d", (int)known->format);
	if (known->flags & ~(SIFT_SAVEFILE_SECTIONS | SIFT_SAVEFILE_BEHIND))
		return ebpf_err_set(err, -EINVAL, "unknown flags 0x%x", known->flags);
	if (known->flags & SIFT_SAVEFILE_SECTIONS && known->format != SIFT_FORMAT_PCAPNG)
		return ebpf_err_set(err, -EINVAL, "a pcap file has no sections");
	return 0;
}

/*
 * The header is written at once: an empty capture is a whole file while it is
 * being made, and a full disk is noticed before anything is read.
 */
static int
write_header(struct sift_outfile *out, const uint8_t *header, struct ebpf_err *err)
{
	uint8_t *to;
	int rc = sift_outfile_reserve(out, SIFT_SAVEFILE_HEADER, &to, err);

	if (rc < 0)
		return rc;
	memcpy(to, header, SIFT_SAVEFILE_HEADER);
	out->head_len = SIFT_SAVEFILE_HEADER;
	out->used += SIFT_SAVEFILE_HEADER;
	return sift_outfile_flush(out, err);
}

static int
open_pcap(const char *path, const struct sift_savefile_opts *opts, struct sift_sink **out,
	  struct ebpf_err *err)
{
	uint8_t header[SIFT_SAVEFILE_HEADER];
	struct savefile *s;
	int rc;

	/* Nothing is created, or truncated, that could not have a header. */
	if ((rc = make_header(opts, header, err)) < 0)
		return ebpf_err_prefix(err, rc, "%s", path);
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return ebpf_err_set(err, -ENOMEM, "%s: out of memory", path);
	s->sink.ops = &savefile_ops;
	s->sink.file = &s->out;
	s->sink.ts_scale = opts->precision == SIFT_PRECISION_NANO ? 1 : 1000;
	if ((rc = sift_outfile_open(&s->out, path, record_len, opts, err)) < 0 ||
	    (rc = write_header(&s->out, header, err)) < 0) {
		savefile_close(&s->sink, NULL);
		return rc;
	}
	*out = &s->sink;
	return 0;
}

int
sift_sink_open_savefile(const char *path, const struct sift_savefile_opts *opts,
			struct sift_sink **out, struct ebpf_err *err)
{
	struct sift_savefile_opts known = { .size = sizeof(known) };
	int rc;

	if ((rc = sift_savefile_opts_take(&known, opts, err)) < 0)
		return ebpf_err_prefix(err, rc, "%s", path);
	return known.format == SIFT_FORMAT_PCAPNG ? sift_sink_open_pcapng(path, &known, out, err)
						  : open_pcap(path, &known, out, err);
}
