/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Savefiles one after the other, each a sink of its own behind this one, which sees
 * before each packet whether the next is due.
 *
 * When that is, and what the file is called, is as tcpdump 4.99.3 has it, so that
 * scripts find what they expect: time is looked at first; an interval begins with the
 * packet that ends the one before it; a file may be larger than its limit by less than
 * one packet; numbers begin at 0 with each interval.
 */
#include "config.h"

#include "filter/sink.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ebpf/err.h"
#include "ebpf/sized.h"
#include "filter/outfile.h"
#include "filter/record.h"
#include "filter/view.h"

struct rotated {
	struct sift_sink sink;
	struct sift_rotate_opts rotate;
	struct sift_savefile_opts savefile;
	struct sift_sink *file; /* NULL: none yet, or no more */
	bool is_full;
	bool is_shared; /* as each file is that is begun */
	int64_t begun_at;           /* the interval */
	uint32_t n_intervals;       /* that are over */
	uint32_t number;            /* of the file in its interval */
	int64_t named_by;           /* the time in its name */
	uint64_t n_here, n_packets; /* in this file, and in those before it */
	char path[SIFT_ROTATE_NAME_MAX];
	char pattern[];
};

static void
tell(const struct rotated *r, enum sift_rotate_event event, uint64_t n)
{
	if (r->rotate.on_event != NULL)
		r->rotate.on_event(r->rotate.arg, event, r->path, n);
}

/* ---- names ---- */

/* Digits of the last number, of which 0 needs none. */
static int
n_digits(uint32_t max_files)
{
	int n = 0;

	for (uint32_t last = max_files > 0 ? max_files - 1 : 0; last > 0; last /= 10)
		n++;
	return n;
}

static int
local_time(int64_t time, struct tm *local, struct ebpf_err *err)
{
	time_t t = (time_t)time;

	if (t != time || localtime_r(&t, local) == NULL)
		return ebpf_err_set(err, -EOVERFLOW, "no time for a file's name: %lld seconds",
				    (long long)time);
	return 0;
}

static int
take_rotate(struct sift_rotate_opts *known, const struct sift_rotate_opts *rotate,
	    struct ebpf_err *err)
{
	int rc = ebpf_sized_take("rotation options", known, sizeof(*known), rotate,
				 EBPF_SIZED_LEAST(struct sift_rotate_opts, arg), err);

	if (rc == 0 && known->flags & ~(SIFT_ROTATE_PACKET_CLOCK | SIFT_ROTATE_ALIGN))
		rc = ebpf_err_set(err, -EINVAL, "unknown flags 0x%x", known->flags);
	return rc;
}

int
sift_rotate_name(const char *pattern, const struct sift_rotate_opts *rotate, int64_t time,
		 uint32_t number, char name[SIFT_ROTATE_NAME_MAX], struct ebpf_err *err)
{
	struct sift_rotate_opts known = { .size = sizeof(known) };
	char made[SIFT_ROTATE_NAME_MAX] = "", *to = made;
	size_t len = strlen(pattern);
	struct tm local;
	int rc, digits;

	if ((rc = take_rotate(&known, rotate, err)) < 0)
		return rc;
	if (known.interval_s != 0) {
		if ((rc = local_time(time, &local, err)) < 0)
			return rc;
			/* The pattern is the user's.  0 may be an error or "": neither is a name. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		len = strftime(made, sizeof(made), pattern, &local);
#pragma GCC diagnostic pop
		if (len == 0)
			return ebpf_err_set(err, -ENAMETOOLONG, "%s: no file's name, or too long",
					    pattern);
	} else if (len < sizeof(made)) {
		memcpy(made, pattern, len + 1);
	} else {
		return ebpf_err_set(err, -ENAMETOOLONG, "a file's name of %zu bytes", len);
	}
	digits = known.max_bytes != 0 ? n_digits(known.max_files) : 0;
	if (known.max_bytes != 0 && (digits > 0 || number > 0)) {
		size_t room = sizeof(made) - len;
		int n = snprintf(to + len, room, "%0*lu", digits, (unsigned long)number);

		if (n < 0 || (size_t)n >= room)
			return ebpf_err_set(err, -ENAMETOOLONG, "%s: too long", pattern);
	}
	memcpy(name, made, sizeof(made));
	return 0;
}

/* ---- one file after the other ---- */

/* The multiple of the interval before t, counted in local time: a day begins at midnight. */
static int64_t
aligned(const struct rotated *r, int64_t t)
{
	int64_t interval = r->rotate.interval_s, past;
	struct tm local;

	if (local_time(t, &local, NULL) < 0)
		return t;
	past = (t % interval + local.tm_gmtoff % interval) % interval;
	return t - (past < 0 ? past + interval : past);
}

/* Of struct sift_savefile_opts, where the caller wants to know more. */
static int
open_named(void *arg, const char *path)
{
	const struct rotated *r = arg;

	return r->rotate.open_file(r->rotate.open_arg, path, r->named_by, r->number);
}

static int
open_file(struct rotated *r, int64_t named_by, struct ebpf_err *err)
{
	int rc = sift_rotate_name(r->pattern, &r->rotate, named_by, r->number, r->path, err);

	r->named_by = named_by;
	if (rc < 0 ||
	    (rc = sift_sink_open_savefile(r->path, &r->savefile, &r->file, err)) < 0)
		return rc;
	return sift_sink_share(r->file, r->is_shared, err);
}

/* The first file is called after the moment, be it in the middle of an interval. */
static int
begin(struct rotated *r, int64_t now, struct ebpf_err *err)
{
	r->begun_at = r->rotate.flags & SIFT_ROTATE_ALIGN && r->rotate.interval_s != 0
			      ? aligned(r, now)
			      : now;
	return open_file(r, now, err);
}

static int
close_file(struct rotated *r, enum sift_rotate_event event, struct ebpf_err *err)
{
	struct sift_sink *file = r->file;
	uint64_t n = r->n_here;
	int rc;

	r->file = NULL;
	r->n_packets += n;
	r->n_here = 0;
	if ((rc = sift_sink_close(file, err)) == 0)
		tell(r, event, n);
	return rc;
}

static int
begin_interval(struct rotated *r, int64_t now, struct ebpf_err *err)
{
	int rc = close_file(r, SIFT_ROTATE_CLOSED, err);

	if (rc < 0)
		return rc;
	r->n_intervals++;
	if (r->rotate.max_bytes == 0 && r->rotate.max_files != 0 &&
	    r->n_intervals >= r->rotate.max_files) {
		r->is_full = true;
		tell(r, SIFT_ROTATE_FULL, r->n_packets);
		return 0;
	}
	r->number = 0;
	r->begun_at = r->rotate.flags & SIFT_ROTATE_ALIGN ? aligned(r, now) : now;
	return open_file(r, r->begun_at, err);
}

static int
begin_number(struct rotated *r, struct ebpf_err *err)
{
	int rc = close_file(r, SIFT_ROTATE_CLOSED, err);

	if (rc < 0)
		return rc;
	r->number++;
	if (r->rotate.max_files != 0 && r->number >= r->rotate.max_files)
		r->number = 0;
	return open_file(r, r->begun_at, err);
}

/* Clocks may go back, which ends nothing. */
static bool
is_over(const struct rotated *r, int64_t now)
{
	return r->rotate.interval_s != 0 && now > r->begun_at &&
	       (uint64_t)now - (uint64_t)r->begun_at >= r->rotate.interval_s;
}

static bool
is_large(const struct rotated *r, size_t pending)
{
	return r->rotate.max_bytes != 0 && r->file != NULL &&
	       sift_outfile_length(r->file->file) + pending > r->rotate.max_bytes;
}

/* Have the file open that a packet is for, which comes now; after it is full, none. */
static int
turn(struct rotated *r, int64_t now, struct ebpf_err *err)
{
	int rc = 0;

	if (r->is_full)
		return 0;
	if (r->file == NULL && (rc = begin(r, now, err)) < 0)
		return rc;
	if (is_over(r, now) && (rc = begin_interval(r, now, err)) < 0)
		return rc;
	return is_large(r, 0) ? begin_number(r, err) : 0;
}

/* Seconds as they stand in the file; those of pcap have 32 bits. */
static int64_t
seconds_in_file(const struct rotated *r, const struct sift_view *view)
{
	uint64_t seconds = sift_view_seconds(view);

	return r->savefile.format == SIFT_FORMAT_PCAPNG ? (int64_t)seconds : (uint32_t)seconds;
}

/* The time of a packet that has the time t: by the clock that counts. */
static int64_t
clock_of(const struct rotated *r, int64_t wall, int64_t t)
{
	return r->rotate.flags & SIFT_ROTATE_PACKET_CLOCK ? t : wall;
}

static int
rotated_write(struct sift_sink *sink, const struct sift_view *views, const uint32_t *keep, size_t n,
	      struct ebpf_err *err)
{
	struct rotated *r = (struct rotated *)sink;
	int64_t wall = time(NULL);
	int rc;

	for (size_t i = 0; i < n && !r->is_full; i++) {
		if (keep[i] == 0)
			continue;
		if ((rc = turn(r, clock_of(r, wall, seconds_in_file(r, &views[i])), err)) < 0)
			return rc;
		if (r->is_full)
			break;
		if ((rc = sift_sink_write(r->file, &views[i], &keep[i], 1, err)) < 0)
			return rc;
		r->n_here++;
	}
	return 0;
}

/* Whole records, of which as many as one file takes are written at once. */
static int
rotated_append(struct sift_sink *sink, const uint8_t *records, size_t n, struct ebpf_err *err)
{
	struct rotated *r = (struct rotated *)sink;
	int64_t wall = time(NULL);
	size_t run = 0; /* bytes at records that are for r->file */
	int rc;

	while (run < n && !r->is_full) {
		const uint8_t *record = records + run;
		int64_t now = clock_of(r, wall, load32(record, false));

		if (r->file == NULL || is_over(r, now) || is_large(r, run)) {
			if (run > 0 && (rc = sift_sink_append(r->file, records, run, err)) < 0)
				return rc;
			records += run;
			n -= run;
			run = 0;
			if ((rc = turn(r, now, err)) < 0)
				return rc;
			if (r->is_full)
				break;
		}
		run += SIFT_RECORD_HEADER +
		       (size_t)load32(record + SIFT_RECORD_CAPLEN_AT, false);
		r->n_here++;
	}
	assert(r->is_full || run == n);
	return run > 0 && !r->is_full ? sift_sink_append(r->file, records, run, err) : 0;
}

static int
rotated_share(struct sift_sink *sink, bool is_shared, struct ebpf_err *err)
{
	struct rotated *r = (struct rotated *)sink;

	r->is_shared = is_shared;
	return r->file != NULL ? sift_sink_share(r->file, is_shared, err) : 0;
}

static int
rotated_flush(struct sift_sink *sink, struct ebpf_err *err)
{
	struct rotated *r = (struct rotated *)sink;

	return r->file != NULL ? sift_sink_flush(r->file, err) : 0;
}

static int
rotated_close(struct sift_sink *sink, struct ebpf_err *err)
{
	struct rotated *r = (struct rotated *)sink;
	int rc = 0;

	/* No packet came that could name it. */
	if (r->file == NULL && !r->is_full && sink->failed == 0)
		rc = begin(r, time(NULL), err);
	if (r->file != NULL)
		rc = close_file(r, SIFT_ROTATE_LAST, err);
	free(r);
	return rc;
}

static const struct sift_sink_ops rotated_pcap_ops = {
	.write = rotated_write,
	.append = rotated_append,
	.share = rotated_share,
	.flush = rotated_flush,
	.close = rotated_close,
};

/* Of all the capture, so in its last file. */
static int
rotated_put_stats(struct sift_sink *sink, const struct sift_source_stats *stats,
		  struct ebpf_err *err)
{
	struct rotated *r = (struct rotated *)sink;

	return r->file != NULL ? sift_sink_put_stats(r->file, stats, err) : 0;
}

static const struct sift_sink_ops rotated_pcapng_ops = {
	.write = rotated_write,
	.put_stats = rotated_put_stats,
	.flush = rotated_flush,
	.close = rotated_close,
};

int
sift_sink_open_rotated(const char *pattern, const struct sift_savefile_opts *opts,
		       const struct sift_rotate_opts *rotate, struct sift_sink **out,
		       struct ebpf_err *err)
{
	struct sift_rotate_opts known = { .size = sizeof(known) };
	struct rotated *r;
	int rc;

	if ((rc = take_rotate(&known, rotate, err)) < 0)
		return ebpf_err_prefix(err, rc, "%s", pattern);
	r = calloc(1, sizeof(*r) + strlen(pattern) + 1);
	if (r == NULL)
		return ebpf_err_set(err, -ENOMEM, "%s: out of memory", pattern);
	memcpy(r->pattern, pattern, strlen(pattern) + 1);
	r->rotate = known;
	r->savefile.size = sizeof(r->savefile);
	if ((rc = sift_savefile_opts_take(&r->savefile, opts, err)) < 0) {
		rc = ebpf_err_prefix(err, rc, "%s", pattern);
		goto fail;
	}
	if (r->savefile.flags & SIFT_SAVEFILE_SECTIONS) {
		rc = ebpf_err_set(err, -EINVAL, "%s: sections are not kept from file to file", pattern);
		goto fail;
	}
	if (known.open_file != NULL) {
		r->savefile.open_file = open_named;
		r->savefile.open_arg = r;
	}
	r->sink.ops =
		r->savefile.format == SIFT_FORMAT_PCAPNG ? &rotated_pcapng_ops : &rotated_pcap_ops;
	r->sink.ts_scale = r->savefile.precision == SIFT_PRECISION_NANO ? 1 : 1000;
	if (!(known.flags & SIFT_ROTATE_PACKET_CLOCK) && (rc = begin(r, time(NULL), err)) < 0)
		goto fail;
	*out = &r->sink;
	return 0;
fail:
	free(r);
	return rc;
}
