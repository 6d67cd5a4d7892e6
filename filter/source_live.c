/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Live capture from an interface, by libpcap.
 *
 * The filter runs above, on frames as libpcap hands them out: with the VLAN tag
 * that the kernel took off put back, so that expressions find it where they
 * find it in a file.  libpcap tells nothing else of what the kernel knows about
 * a packet; of views' metadata only the interface index is set beyond what the
 * frame says itself.
 */
#include "config.h"

#include "filter/source.h"

#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ebpf/err.h"
#include "ebpf/sized.h"
#include "filter/attach.h"
#include "filter/batch.h"
#include "filter/drops.h"

enum { DEFAULT_SNAPLEN = 262144, DEFAULT_TIMEOUT_MS = 1000 };

struct live {
	struct sift_source source;
	pcap_t *pcap;
	uint32_t ts_scale;       /* nanoseconds in what libpcap calls tv_usec */
	uint32_t ifindex;        /* 0: not one interface */
	bool has_no_memory;      /* found while libpcap was delivering */
	int failed;              /* a negative errno that waits behind the batch, */
	struct ebpf_err failure; /* and its message */
	struct ebpf_err warning;
	struct sift_drops drops;
	uint32_t snaplen; /* that was asked for */
	bool is_immediate;
	bool is_whole; /* libpcap does not cut, nor does its buffer */
	/* libpcap's counts are of 32 bits, and so are these. */
	uint32_t n_taken;                   /* packets that it has handed out */
	const struct sift_filter *attached; /* that the kernel runs; NULL: none */
	uint32_t n_unjudged; /* at most so many are to come that were there before, */
	uint32_t n_refused;  /* and so many of them the filter refused here */
	/* libpcap's counters, which are of 32 bits, and what they have come to. */
	struct pcap_stat counts;
	struct sift_source_stats totals;
	unsigned n_dispatched;  /* since they were looked at */
	struct sift_batch batch;
	char name[];
};

/* libpcap's status as an errno. */
static int
rc_of_status(int status)
{
	switch (status) {
	case PCAP_ERROR_NO_SUCH_DEVICE:
		return -ENODEV;
	case PCAP_ERROR_PERM_DENIED:
	case PCAP_ERROR_PROMISC_PERM_DENIED:
		return -EPERM;
	case PCAP_ERROR_IFACE_NOT_UP:
		return -ENETDOWN;
	case PCAP_ERROR_RFMON_NOTSUP:
		return -ENOTSUP;
	default:
		return -EIO;
	}
}

/* Whether libpcap's text is about this status; of others it may be of a call before. */
static bool
has_details(int status)
{
	return status == PCAP_ERROR_NO_SUCH_DEVICE || status == PCAP_ERROR_PERM_DENIED ||
	       status == PCAP_ERROR_PROMISC_PERM_DENIED || status == PCAP_WARNING_PROMISC_NOTSUP;
}

/* "eth9: No such device exists (details)": a status, and what libpcap adds. */
static void
describe_status(const struct live *s, int status, struct ebpf_err *err)
{
	const char *what = pcap_statustostr(status);
	const char *details = pcap_geterr(s->pcap);

	if (status == PCAP_ERROR || status == PCAP_WARNING)
		ebpf_err_set(err, 0, "%s: %s", s->name, details);
	else if (has_details(status) && details[0] != '\0' && strcmp(details, what) != 0)
		ebpf_err_set(err, 0, "%s: %s (%s)", s->name, what, details);
	else
		ebpf_err_set(err, 0, "%s: %s", s->name, what);
}

/*
 * Whether the filter accepts a packet that may have been there before the kernel had it.
 * What is shorter than it was on the wire, where nobody else cuts, was cut by the kernel's
 * filter.
 */
static bool
is_accepted(struct live *s, const struct pcap_pkthdr *header, const uint8_t *data)
{
	struct sift_view view;

	s->n_unjudged--;
	if (s->is_whole && header->caplen < header->len)
		return true;
	sift_view_init(&view, s->source.info.dlt, data, header->caplen, header->len);
	if (sift_filter_match(s->attached, &view) != 0)
		return true;
	s->n_refused++;
	return false;
}

static void
take_packet(uint8_t *user, const struct pcap_pkthdr *header, const uint8_t *data)
{
	struct live *s = (struct live *)(void *)user;
	struct sift_view *view = NULL;

	s->n_taken++;
	if (s->n_unjudged != 0 && !is_accepted(s, header, data))
		return;
	if (!s->has_no_memory)
		view = sift_batch_add(&s->batch, s->source.info.dlt, data, header->caplen,
				      header->len);
	if (view == NULL) {
		s->has_no_memory = true;
		return;
	}
	view->ts_sec = header->ts.tv_sec;
	view->ts_nsec = (uint32_t)header->ts.tv_usec * s->ts_scale;
	if (s->ifindex != 0) {
		view->ifindex = s->ifindex;
		view->known |= SIFT_KNOWN_IFINDEX;
	}
}

/* Often enough that no counter of 32 bits goes round unseen. */
enum { DISPATCHES_PER_LOOK = 4096 };

/* Add what libpcap has counted since the last look.  0 or libpcap's status. */
static int
look_at_counts(struct live *s)
{
	struct pcap_stat counts = { 0 };
	int status = pcap_stats(s->pcap, &counts);

	s->n_dispatched = 0;
	if (status < 0)
		return status;
	s->totals.received += (uint32_t)(counts.ps_recv - s->counts.ps_recv);
	s->totals.dropped_kernel += (uint32_t)(counts.ps_drop - s->counts.ps_drop);
	if (sift_drops_are_known(&s->drops))
		s->totals.dropped_interface = sift_drops_count(&s->drops);
	else
		s->totals.dropped_interface +=
			(uint32_t)(counts.ps_ifdrop - s->counts.ps_ifdrop);
	s->counts = counts;
	return 0;
}

static int
live_stats(struct sift_source *source, struct sift_source_stats *stats, struct ebpf_err *err)
{
	struct live *s = (struct live *)source;

	if (look_at_counts(s) < 0)
		return ebpf_err_set(err, -EIO, "%s: %s", s->name, pcap_geterr(s->pcap));
	*stats = s->totals;
	stats->received -= s->n_refused;
	stats->size = sizeof(*stats);
	return 0;
}

static int
live_next(struct sift_source *source, const struct sift_view **views, size_t *n,
	  struct ebpf_err *err)
{
	struct live *s = (struct live *)source;
	int got = 0;

	sift_batch_reset(&s->batch);
	/* one that cannot be read now is reported to who asks for it */
	if (++s->n_dispatched == DISPATCHES_PER_LOOK)
		look_at_counts(s);
	if (s->failed == 0)
		got = pcap_dispatch(s->pcap, SIFT_BATCH_PACKETS, take_packet, (uint8_t *)s);
	/* Packets that libpcap left out, as -Q has it, were counted and never came. */
	if (s->is_immediate && got >= 0 && got < SIFT_BATCH_PACKETS)
		s->n_unjudged = 0; /* all that was there has been seen */
	if (s->has_no_memory) {
		s->failed = ebpf_err_set(&s->failure, -ENOMEM, "%s: out of memory", s->name);
	} else if (got < 0 && got != PCAP_ERROR_BREAK) {
		s->failed = rc_of_status(got);
		describe_status(s, got, &s->failure);
	}
	if (s->batch.n == 0 && s->failed != 0)
		return ebpf_err_set(err, s->failed, "%s", s->failure.text);
	/* Woken, not stopped: there is a reason to come back. */
	if (s->batch.n == 0 && got == PCAP_ERROR_BREAK && atomic_load(&source->is_stopped))
		return 0;
	*views = s->batch.views;
	*n = s->batch.n;
	return 1;
}

static void
live_stop(struct sift_source *source)
{
	pcap_breakloop(((struct live *)source)->pcap);
}

/* Those of the kernel's frames that it has as libpcap hands them out, but for VLAN tags. */
static int
live_attach(struct sift_source *source, const struct sift_filter *filter, struct ebpf_err *err)
{
	struct live *s = (struct live *)source;
	struct pcap_stat counts;
	int rc;

	if (source->info.dlt != DLT_EN10MB && source->info.dlt != DLT_RAW)
		return ebpf_err_set(err, -ENOTSUP, "the kernel has no such frames");
	rc = sift_attach_socket(pcap_fileno(s->pcap), sift_filter_cbpf(filter),
				source->info.dlt == DLT_EN10MB, err);
	if (rc < 0)
		return rc;
	s->attached = filter;
	/* What was in the buffer by now comes first.  Not counted: all is judged here too. */
	s->n_unjudged = UINT32_MAX;
	if (pcap_stats(s->pcap, &counts) == 0)
		s->n_unjudged = counts.ps_recv - counts.ps_drop - s->n_taken;
	return 0;
}

/* What packets are to be cut to. */
static uint32_t
snaplen_of(const struct live *s)
{
	/* As libpcap has it: a byte of a cooked packet at least. */
	enum { COOKED_SNAPLEN = 21 };
	uint32_t most = (uint32_t)pcap_snapshot(s->pcap), snaplen = s->snaplen;

	if (!s->is_whole || snaplen > most)
		return most;
	return pcap_datalink(s->pcap) == DLT_LINUX_SLL && snaplen < COOKED_SNAPLEN ? COOKED_SNAPLEN
										   : snaplen;
}

static int
live_set_linktype(struct sift_source *source, int dlt, struct ebpf_err *err)
{
	struct live *s = (struct live *)source;

	if (s->attached != NULL)
		return ebpf_err_set(err, -EINVAL, "%s: a filter is attached", s->name);
	if (pcap_set_datalink(s->pcap, dlt) < 0)
		return ebpf_err_set(err, -EINVAL, "%s", pcap_geterr(s->pcap));
	source->info.dlt = dlt;
	source->info.snaplen = snaplen_of(s);
	return 0;
}

static int
live_linktypes(struct sift_source *source, int **dlts, size_t *n, struct ebpf_err *err)
{
	struct live *s = (struct live *)source;
	int *list, *copy;
	int count = pcap_list_datalinks(s->pcap, &list);

	if (count < 0)
		return ebpf_err_set(err, -EIO, "%s: %s", s->name, pcap_geterr(s->pcap));
	/* A copy, since libpcap's list is not to be freed with free(). */
	copy = calloc((size_t)count + 1, sizeof(*copy));
	if (copy != NULL)
		memcpy(copy, list, (size_t)count * sizeof(*copy));
	pcap_free_datalinks(list);
	if (copy == NULL)
		return ebpf_err_set(err, -ENOMEM, "%s: out of memory", s->name);
	*dlts = copy;
	*n = (size_t)count;
	return 0;
}

static void
live_close(struct sift_source *source)
{
	struct live *s = (struct live *)source;

	if (s->pcap != NULL)
		pcap_close(s->pcap);
	sift_drops_close(&s->drops);
	sift_batch_destroy(&s->batch);
	free(s);
}

static const struct sift_source_ops live_ops = {
	.next = live_next,
	.stop = live_stop,
	.wake = live_stop,
	.attach = live_attach,
	.set_linktype = live_set_linktype,
	.linktypes = live_linktypes,
	.stats = live_stats,
	.close = live_close,
};

static int
set_options(struct live *s, const struct sift_live_opts *opts)
{
	uint32_t timeout_ms = opts->timeout_ms != 0 ? opts->timeout_ms : DEFAULT_TIMEOUT_MS;
	int status;

	s->snaplen = opts->snaplen != 0 ? opts->snaplen : DEFAULT_SNAPLEN;
	s->is_immediate = opts->flags & SIFT_LIVE_IMMEDIATE;
	/* What libpcap makes room for, packet by packet, in immediate mode alone. */
	s->is_whole = opts->flags & SIFT_LIVE_WHOLE && !s->is_immediate;
	status = pcap_set_snaplen(s->pcap, s->is_whole ? DEFAULT_SNAPLEN : (int)s->snaplen);
	if (status != 0)
		return status;
	if ((status = pcap_set_promisc(s->pcap, !(opts->flags & SIFT_LIVE_NO_PROMISC))) != 0)
		return status;
	if ((status = pcap_set_timeout(s->pcap, (int)timeout_ms)) != 0)
		return status;
	if (s->is_immediate && (status = pcap_set_immediate_mode(s->pcap, 1)) != 0)
		return status;
	if (opts->flags & SIFT_LIVE_MONITOR && (status = pcap_set_rfmon(s->pcap, 1)) != 0)
		return status;
	if (opts->buffer_kib != 0 &&
	    (status = pcap_set_buffer_size(s->pcap, (int)(opts->buffer_kib * 1024))) != 0)
		return status;
	return pcap_set_tstamp_precision(s->pcap, opts->flags & SIFT_LIVE_NANO
							  ? PCAP_TSTAMP_PRECISION_NANO
							  : PCAP_TSTAMP_PRECISION_MICRO);
}

/* One that the interface has not is a warning, and the kernel's are taken. */
static int
set_tstamp_type(struct live *s, const struct sift_live_opts *opts, struct ebpf_err *err)
{
	int type, status;

	if (opts->tstamp_type == NULL)
		return 0;
	type = pcap_tstamp_type_name_to_val(opts->tstamp_type);
	if (type < 0)
		return ebpf_err_set(err, -EINVAL, "invalid time stamp type %s", opts->tstamp_type);
	status = pcap_set_tstamp_type(s->pcap, type);
	if (status < 0) {
		ebpf_err_set(err, 0, "%s: Can't set time stamp type: %s", s->name,
			     pcap_statustostr(status));
		return rc_of_status(status);
	}
	if (status > 0) {
		ebpf_err_set(&s->warning, 0, "When trying to set timestamp type '%s' on %s: %s",
			     opts->tstamp_type, s->name, pcap_statustostr(status));
		s->source.info.warning = s->warning.text;
	}
	return 0;
}

static int
set_direction(struct live *s, enum sift_direction direction, struct ebpf_err *err)
{
	static const pcap_direction_t directions[] = {
		[SIFT_DIRECTION_IN] = PCAP_D_IN,
		[SIFT_DIRECTION_OUT] = PCAP_D_OUT,
	};

	if (direction == SIFT_DIRECTION_BOTH ||
	    pcap_setdirection(s->pcap, directions[direction]) == 0)
		return 0;
	return ebpf_err_set(err, -EIO, "%s: pcap_setdirection() failed: %s", s->name,
			    pcap_geterr(s->pcap));
}

/* As libpcap, which counts them for interfaces in promiscuous mode. */
static void
open_drops(struct live *s, const struct sift_live_opts *opts)
{
	static const char form[] = "/sys/class/net/%s/statistics";
	char directory[sizeof(form) + IF_NAMESIZE];

	if (!(opts->flags & SIFT_LIVE_NO_PROMISC) && strlen(s->name) < IF_NAMESIZE) {
		snprintf(directory, sizeof(directory), form, s->name);
		sift_drops_open(&s->drops, directory);
	}
}

static int
start(struct live *s, const struct sift_live_opts *opts, struct ebpf_err *err)
{
	struct sift_source_info *info = &s->source.info;
	char text[PCAP_ERRBUF_SIZE];
	int status, rc;

	s->pcap = pcap_create(s->name, text);
	if (s->pcap == NULL)
		return ebpf_err_set(err, strstr(text, "No such device") != NULL ? -ENODEV : -EIO,
				    "%s: %s", s->name, text);
	if ((rc = set_tstamp_type(s, opts, err)) < 0)
		return rc;
	if ((status = set_options(s, opts)) == 0)
		status = pcap_activate(s->pcap);
	if (status < 0) {
		describe_status(s, status, err);
		return rc_of_status(status);
	}
	if (status > 0) {
		describe_status(s, status, &s->warning);
		info->warning = s->warning.text;
	}
	if ((rc = set_direction(s, opts->direction, err)) < 0)
		return rc;
	info->dlt = pcap_datalink(s->pcap);
	info->snaplen = snaplen_of(s);
	/* As for a file: libpcap does not tell what the kernel knows of a packet. */
	info->expr_flags = SIFT_EXPR_SAVEFILE;
	info->precision = opts->flags & SIFT_LIVE_NANO ? SIFT_PRECISION_NANO : SIFT_PRECISION_MICRO;
	s->ts_scale = opts->flags & SIFT_LIVE_NANO ? 1 : 1000;
	s->ifindex = if_nametoindex(s->name);
	open_drops(s, opts);
	return 0;
}

static int
check_opts(const struct sift_live_opts *opts, struct ebpf_err *err)
{
	if (opts->snaplen > INT_MAX || opts->timeout_ms > INT_MAX)
		return ebpf_err_set(err, -EINVAL, "snapshot length or timeout over %d", INT_MAX);
	if (opts->flags & ~(SIFT_LIVE_NO_PROMISC | SIFT_LIVE_NANO | SIFT_LIVE_IMMEDIATE |
			    SIFT_LIVE_MONITOR | SIFT_LIVE_WHOLE))
		return ebpf_err_set(err, -EINVAL, "unknown flags 0x%x", opts->flags);
	if (opts->buffer_kib > INT_MAX / 1024)
		return ebpf_err_set(err, -EINVAL, "a buffer of %lu KiB, but the limit is %d",
				    (unsigned long)opts->buffer_kib, INT_MAX / 1024);
	if (opts->direction != SIFT_DIRECTION_BOTH && opts->direction != SIFT_DIRECTION_IN &&
	    opts->direction != SIFT_DIRECTION_OUT)
		return ebpf_err_set(err, -EINVAL, "unknown direction %d", (int)opts->direction);
	return 0;
}

int
sift_tstamp_type_exists(const char *name)
{
	return pcap_tstamp_type_name_to_val(name) >= 0;
}

int
sift_tstamp_types_list(const char *interface,
		       void (*each)(void *arg, const char *name, const char *description),
		       void *arg, struct ebpf_err *err)
{
	char text[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_create(interface, text);
	int *types, n;

	if (pcap == NULL)
		return ebpf_err_set(err, strstr(text, "No such device") != NULL ? -ENODEV : -EIO,
				    "%s: %s", interface, text);
	n = pcap_list_tstamp_types(pcap, &types);
	if (n < 0) {
		ebpf_err_set(err, 0, "%s: %s", interface, pcap_geterr(pcap));
		pcap_close(pcap);
		return -EIO;
	}
	for (int i = 0; i < n; i++) {
		const char *name = pcap_tstamp_type_val_to_name(types[i]);

		if (name != NULL)
			each(arg, name, pcap_tstamp_type_val_to_description(types[i]));
	}
	if (n > 0)
		pcap_free_tstamp_types(types);
	pcap_close(pcap);
	return n;
}

int
sift_source_open_live(const char *interface, const struct sift_live_opts *opts,
		      struct sift_source **out, struct ebpf_err *err)
{
	struct sift_live_opts known = { .size = sizeof(known) };
	struct live *s;
	int rc;

	if (opts != NULL &&
	    (rc = ebpf_sized_take("live options", &known, sizeof(known), opts,
				  EBPF_SIZED_LEAST(struct sift_live_opts, flags), err)) < 0)
		return rc;
	if ((rc = check_opts(&known, err)) < 0)
		return rc;
	s = calloc(1, sizeof(*s) + strlen(interface) + 1);
	if (s == NULL)
		return ebpf_err_set(err, -ENOMEM, "%s: out of memory", interface);
	memcpy(s->name, interface, strlen(interface) + 1);
	s->source.ops = &live_ops;
	s->source.info.name = s->name;
	s->drops = (struct sift_drops)SIFT_DROPS_NONE;
	atomic_init(&s->source.is_stopped, false);
	if ((rc = sift_batch_init(&s->batch, err)) < 0 || (rc = start(s, &known, err)) < 0) {
		live_close(&s->source);
		return rc;
	}
	*out = &s->source;
	return 0;
}
