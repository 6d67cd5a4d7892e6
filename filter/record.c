/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loop over records is made once for each byte order and detail: it is what
 * each packet of a file costs, whatever the filter.
 */
#include "filter/record.h"

#include "filter/dlt.h"

bool
sift_record_is_plain(int dlt, bool is_swapped)
{
	switch (dlt) {
	case DLT_USB_LINUX:
	case DLT_DBUS:
	case DLT_USB_LINUX_MMAPPED:
	case DLT_USBPCAP:
	case DLT_USB_DARWIN:
	case DLT_EBHSCR:
		return false;
	case DLT_LINUX_SLL:
	case DLT_PFLOG:
	case DLT_NFLOG:
		return !is_swapped;
	default:
		return true;
	}
}

/* The time as it stands there, a broken fraction of a second included. */
static inline void
set_time(const uint8_t *header, bool is_swapped, uint32_t ts_scale, struct sift_view *view)
{
	uint32_t seconds = load32(header, is_swapped);
	uint32_t fraction = load32(header + 4, is_swapped);
	uint32_t per_second = 1000000000u / ts_scale;

	/* beyond 2038 libpcap sees a sign in this host's order, and none in the other */
	view->ts_sec = is_swapped ? (int64_t)seconds : (int64_t)(int32_t)seconds;
	if (fraction < per_second) {
		view->ts_nsec = fraction * ts_scale;
		view->ts_excess = 0;
	} else {
		view->ts_excess = fraction / per_second;
		view->ts_nsec = fraction % per_second * ts_scale;
	}
}

/*
 * Whether a record is not where the one before has ended.  A copy is compared: the compiler would
 * go on with that end, which is to be waited for.
 */
static inline bool
is_elsewhere(const uint8_t *record, const uint8_t *end)
{
	__asm__("" : "+r"(record));
	return record != end;
}

/*
 * One behind the other; where begins has them, as long as it does, so that nobody waits for
 * the length of one to find the next.
 */
__attribute__((always_inline)) static inline size_t
make_views(const struct sift_record_format *format, bool is_swapped, enum sift_detail detail,
	   const uint8_t **at, const uint8_t *end, const uint8_t *base, const uint32_t *begins,
	   struct sift_view *views, size_t max)
{
	const uint32_t snaplen = format->snaplen;
	const uint8_t *header = *at;
	size_t n = 0;

	for (; n < max; n++) {
		const uint8_t *record = begins != NULL ? base + begins[n] : header;
		const uint8_t *data = record + SIFT_RECORD_HEADER;
		struct sift_view *view = &views[n];
		uint32_t caplen, wirelen, kept;

		if (begins != NULL && is_elsewhere(record, header))
			break;
		if ((size_t)(end - record) < SIFT_RECORD_HEADER)
			break;
		caplen = sift_record_caplen_once(record, is_swapped);
		wirelen = load32(record + SIFT_RECORD_WIRELEN_AT, is_swapped);
		kept = caplen < snaplen ? caplen : snaplen;
		if (caplen > SIFT_RECORD_MAX_CAPLEN || (size_t)(end - data) < caplen)
			break;
		if (detail == SIFT_DETAIL_ALL) {
			sift_view_init(view, format->dlt, data, kept, wirelen);
		} else {
			view->data = data;
			view->caplen = kept;
			view->wirelen = wirelen;
		}
		if (detail != SIFT_DETAIL_BARE)
			set_time(record, is_swapped, format->ts_scale, view);
		header = data + caplen;
	}
	*at = header;
	return n;
}

__attribute__((always_inline)) static inline size_t
make_detailed(const struct sift_record_format *format, enum sift_detail detail, const uint8_t **at,
	      const uint8_t *end, const uint8_t *base, const uint32_t *begins,
	      struct sift_view *views, size_t max)
{
	bool is_swapped = format->is_swapped;

	switch (detail) {
	case SIFT_DETAIL_BARE:
		return is_swapped ? make_views(format, true, SIFT_DETAIL_BARE, at, end, base,
					       begins, views, max)
				  : make_views(format, false, SIFT_DETAIL_BARE, at, end, base,
					       begins, views, max);
	case SIFT_DETAIL_TIMED:
		return is_swapped ? make_views(format, true, SIFT_DETAIL_TIMED, at, end, base,
					       begins, views, max)
				  : make_views(format, false, SIFT_DETAIL_TIMED, at, end, base,
					       begins, views, max);
	case SIFT_DETAIL_ALL:
		break;
	}
	return make_views(format, is_swapped, SIFT_DETAIL_ALL, at, end, base, begins, views,
			  max);
}

size_t
sift_record_views(const struct sift_record_format *format, enum sift_detail detail,
		  const uint8_t **at, const uint8_t *end, struct sift_view *views, size_t max)
{
	return make_detailed(format, detail, at, end, NULL, NULL, views, max);
}

size_t
sift_record_views_at(const struct sift_record_format *format, enum sift_detail detail,
		     const uint8_t **at, const uint8_t *end, const uint8_t *base,
		     const uint32_t *begins, struct sift_view *views, size_t max)
{
	return make_detailed(format, detail, at, end, base, begins, views, max);
}

bool
sift_records_are_whole(const struct sift_record_format *format, const uint8_t *p, size_t n)
{
	while (n >= SIFT_RECORD_HEADER) {
		uint32_t caplen = sift_record_caplen(format, p);

		if (caplen > SIFT_RECORD_MAX_CAPLEN || caplen > n - SIFT_RECORD_HEADER)
			return false;
		p += SIFT_RECORD_HEADER + (size_t)caplen;
		n -= SIFT_RECORD_HEADER + (size_t)caplen;
	}
	return n == 0;
}

void
sift_record_complete_views(const struct sift_record_format *format, struct sift_view *views,
			   size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct sift_view bare = views[i];

		sift_view_init(&views[i], format->dlt, bare.data, bare.caplen, bare.wirelen);
		set_time(bare.data - SIFT_RECORD_HEADER, format->is_swapped, format->ts_scale,
			 &views[i]);
	}
}

void
sift_record_init_views(int dlt, struct sift_view *views, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sift_view_init(&views[i], dlt, NULL, 0, 0);
}

void
sift_record_put_header(uint8_t *to, const struct sift_view *view, uint32_t caplen,
		       uint32_t ts_scale)
{
	const uint32_t fields[] = {
		(uint32_t)view->ts_sec,
		view->ts_excess * (1000000000u / ts_scale) + view->ts_nsec / ts_scale,
		caplen,
		view->wirelen,
	};

	_Static_assert(sizeof(fields) == SIFT_RECORD_HEADER, "four fields");
	memcpy(to, fields, sizeof(fields));
}
