/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records of a pcap savefile in memory: where they begin, views of them, and
 * how one is written.
 *
 * A record is a header of four fields of 32 bits, namely seconds, fraction of a
 * second, captured bytes, bytes on the wire, and the captured bytes.
 */
#ifndef BPFSIFT_FILTER_RECORD_H
#define BPFSIFT_FILTER_RECORD_H

#include <bpfsift/filter.h>

#include <stdbool.h>

#include "filter/bytes.h"

enum {
	SIFT_RECORD_HEADER = 16,
	SIFT_RECORD_CAPLEN_AT = 8,
	SIFT_RECORD_WIRELEN_AT = 12,
	/* libpcap's limit for the link types that are read here */
	SIFT_RECORD_MAX_CAPLEN = 262144,
};

/*
 * Whether packets of a link type are read here, in either format: not those that may be
 * longer than others, and not those in which libpcap changes fields, as it does where
 * headers that it knows are in the other byte order.
 */
bool sift_record_is_plain(int dlt, bool is_swapped);

/* What a file's header says of its records. */
struct sift_record_format {
	int dlt;
	bool is_swapped;        /* headers are in the other byte order */
	uint32_t ts_scale;      /* nanoseconds in the unit of the fraction */
	uint32_t snaplen;       /* of longer records the rest is skipped */
};

/* How much of a view its user needs; the rest is as sift_view_init() has left it. */
enum sift_detail {
	SIFT_DETAIL_ALL,
	SIFT_DETAIL_TIMED,      /* bytes, lengths and time */
	SIFT_DETAIL_BARE,       /* bytes and lengths */
};

/* A stretch of a file that pread() reads, from a record's first byte on: offsets in the file. */
struct sift_extent {
	int fd;                 /* borrowed */
	uint64_t begin, end;
};

static inline uint32_t
sift_record_caplen(const struct sift_record_format *format, const uint8_t *header)
{
	return load32(header + SIFT_RECORD_CAPLEN_AT, format->is_swapped);
}

/* The same where somebody may be writing: what is judged is what is used. */
static inline uint32_t
sift_record_caplen_once(const uint8_t *header, bool is_swapped)
{
	uint32_t caplen = load32(header + SIFT_RECORD_CAPLEN_AT, is_swapped);

	__asm__("" : "+r"(caplen));
	return caplen;
}

/*
 * Views of the records from *at on, at most max of them and those alone that lie
 * before end as a whole and are not longer than a record may be.  *at is moved
 * behind them.  With less than SIFT_DETAIL_ALL the views must have been
 * initialised for the link type before.  Returns how many.
 */
size_t sift_record_views(const struct sift_record_format *format, enum sift_detail detail,
			 const uint8_t **at, const uint8_t *end, struct sift_view *views,
			 size_t max);

/*
 * The same of records that were followed before, and found at these offsets from base, max of
 * them; up to one that does not begin where the one before ends, or *at: somebody may have
 * written there.
 */
size_t sift_record_views_at(const struct sift_record_format *format, enum sift_detail detail,
			    const uint8_t **at, const uint8_t *end, const uint8_t *base,
			    const uint32_t *begins, struct sift_view *views, size_t max);

/* Whether the n bytes at p are records, all of them whole and none longer than it may be. */
bool sift_records_are_whole(const struct sift_record_format *format, const uint8_t *p, size_t n);

/* Give n views of records that were made with less all of SIFT_DETAIL_ALL. */
void sift_record_complete_views(const struct sift_record_format *format, struct sift_view *views,
				size_t n);

/* Initialise n views for records of a link type. */
void sift_record_init_views(int dlt, struct sift_view *views, size_t n);

/*
 * Write the header of a record of caplen bytes in this machine's byte order, with
 * the fraction in units of ts_scale nanoseconds, as it stood in the input if that
 * was broken.
 */
void sift_record_put_header(uint8_t *to, const struct sift_view *view, uint32_t caplen,
			    uint32_t ts_scale);

#endif
