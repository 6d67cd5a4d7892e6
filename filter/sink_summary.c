/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One line a packet, for a first look:
 *
 *	21:59:54.599412 IPv4 192.0.2.1.40000 > 192.0.2.2.80 TCP, length 74
 *
 * Only what tells one conversation from another: everything else is tcpdump's
 * job.  The length is that on the wire.  Numbers and names made here, never
 * bytes of the packet, reach the terminal.
 */
#include "config.h"

#include "filter/sink.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "ebpf/err.h"
#include "ebpf/sized.h"
#include "filter/bytes.h"
#include "filter/outfile.h"
#include "filter/view.h"

/* The longest line, IPv6 with ports, is about 130 bytes. */
enum { LINE_SIZE = 256 };

enum { ETHERNET = 1 }; /* DLT_EN10MB, the one link type whose addresses are shown */

struct summary {
	struct sift_sink sink;
	int dlt;
	enum sift_precision precision;
	struct sift_outfile out;
};

struct line {
	char *text; /* LINE_SIZE bytes */
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void
put(struct line *line, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line->text + line->len, LINE_SIZE - line->len, fmt, ap);
	va_end(ap);
	assert(n >= 0 && (size_t)n < LINE_SIZE - line->len);
	line->len += (size_t)n;
}

static void
put_time(struct line *line, const struct sift_view *view, enum sift_precision precision)
{
	time_t seconds = (time_t)view->ts_sec;
	struct tm tm;

	if (localtime_r(&seconds, &tm) == NULL)
		put(line, "%" PRId64, view->ts_sec);
	else
		put(line, "%02d:%02d:%02d", tm.tm_hour, tm.tm_min, tm.tm_sec);
	if (precision == SIFT_PRECISION_NANO)
		put(line, ".%09" PRIu32, view->ts_nsec);
	else
		put(line, ".%06" PRIu32, view->ts_nsec / 1000);
}

static bool
has_ports(uint8_t protocol)
{
	return protocol == 6 || protocol == 17 || protocol == 33 || protocol == 132;
}

/* Assigned numbers of protocols over IP that are met most. */
static void
put_protocol(struct line *line, uint8_t protocol)
{
	static const struct {
		uint8_t number;
		const char *name;
	} names[] = {
		{ 1, "ICMP" },    { 2, "IGMP" },  { 4, "IPv4" },  { 6, "TCP" },    { 17, "UDP" },
		{ 33, "DCCP" },   { 41, "IPv6" }, { 47, "GRE" },  { 50, "ESP" },   { 51, "AH" },
		{ 58, "ICMPv6" }, { 89, "OSPF" }, { 103, "PIM" }, { 112, "VRRP" }, { 132, "SCTP" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (names[i].number == protocol) {
			put(line, " %s", names[i].name);
			return;
		}
	}
	put(line, " protocol %d", protocol);
}

/* What IPv4 and IPv6 have in common, once their headers are taken apart. */
struct flow {
	int family;
	const uint8_t *src, *dst;
	uint8_t protocol;
	const uint8_t *ports; /* 4 bytes: source, destination; NULL: none to be seen */
};

static void
put_flow(struct line *line, const struct flow *flow)
{
	char src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN];

	inet_ntop(flow->family, flow->src, src, sizeof(src));
	inet_ntop(flow->family, flow->dst, dst, sizeof(dst));
	if (flow->ports != NULL)
		put(line, " %s.%d > %s.%d", src, load_be16(flow->ports), dst,
		    load_be16(flow->ports + 2));
	else
		put(line, " %s > %s", src, dst);
	put_protocol(line, flow->protocol);
}

static bool
put_ipv4(struct line *line, const uint8_t *p, size_t len)
{
	struct flow flow = { .family = AF_INET };
	size_t header;

	if (!bytes_have(len, 0, 20) || p[0] >> 4 != 4)
		return false;
	header = (size_t)(p[0] & 0xf) * 4;
	flow.src = p + 12;
	flow.dst = p + 16;
	flow.protocol = p[9];
	/* Later fragments do not begin with ports. */
	if (has_ports(flow.protocol) && (load_be16(p + 6) & 0x1fff) == 0 && header >= 20 &&
	    bytes_have(len, header, 4))
		flow.ports = p + header;
	put(line, " IPv4");
	put_flow(line, &flow);
	return true;
}

static bool
put_ipv6(struct line *line, const uint8_t *p, size_t len)
{
	struct flow flow = { .family = AF_INET6 };

	if (!bytes_have(len, 0, 40) || p[0] >> 4 != 6)
		return false;
	flow.src = p + 8;
	flow.dst = p + 24;
	flow.protocol = p[6];
	if (has_ports(flow.protocol) && bytes_have(len, 40, 4))
		flow.ports = p + 40;
	put(line, " IPv6");
	put_flow(line, &flow);
	return true;
}

static void
put_mac(struct line *line, const uint8_t *mac)
{
	put(line, " %02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

static void
put_link(struct line *line, const struct sift_view *view, int dlt)
{
	const char *name = sift_linktype_name(dlt);

	if (dlt == ETHERNET && view->caplen >= 14) {
		put_mac(line, view->data + 6);
		put(line, " >");
		put_mac(line, view->data);
	} else if (name != NULL) {
		put(line, " %s", name);
	} else {
		put(line, " link-type %d", dlt);
	}
	if (view->known & SIFT_KNOWN_PROTOCOL)
		put(line, " protocol 0x%04x", view->protocol);
}

static bool
put_network(struct line *line, const struct sift_view *view)
{
	const uint8_t *p = view->data + view->net_off;
	size_t len = view->caplen - view->net_off;

	return put_ipv4(line, p, len) || put_ipv6(line, p, len);
}

/* Whether the network layer, if any, may be IP: where its protocol is known, it says so. */
static bool
may_be_ip(const struct sift_view *view)
{
	if (view->net_off == SIFT_OFF_NONE || view->net_off > view->caplen || view->data == NULL)
		return false;
	return !(view->known & SIFT_KNOWN_PROTOCOL) || view->protocol == SIFT_ETHERTYPE_IPV4 ||
	       view->protocol == SIFT_ETHERTYPE_IPV6;
}

static size_t
summarise(const struct summary *s, const struct sift_view *view, char *text)
{
	struct line line = { .text = text };

	put_time(&line, view, s->precision);
	if (!may_be_ip(view) || !put_network(&line, view))
		put_link(&line, view, s->dlt);
	put(&line, ", length %" PRIu32 "\n", view->wirelen);
	return line.len;
}

static int
summary_write(struct sift_sink *sink, const struct sift_view *views, const uint32_t *keep, size_t n,
	      struct ebpf_err *err)
{
	struct summary *s = (struct summary *)sink;

	for (size_t i = 0; i < n; i++) {
		uint8_t *to;
		int rc;

		if (keep[i] == 0)
			continue;
		if ((rc = sift_outfile_reserve(&s->out, LINE_SIZE, &to, err)) < 0)
			return rc;
		s->out.used += summarise(s, &views[i], (char *)to);
	}
	return 0;
}

static int
summary_begin(struct sift_sink *sink, const struct sift_source_info *info, uint32_t snaplen,
	      struct ebpf_err *err)
{
	(void)snaplen, (void)err;
	((struct summary *)sink)->dlt = info->dlt;
	return 0;
}

static int
summary_flush(struct sift_sink *sink, struct ebpf_err *err)
{
	return sift_outfile_flush(&((struct summary *)sink)->out, err);
}

static int
summary_close(struct sift_sink *sink, struct ebpf_err *err)
{
	struct summary *s = (struct summary *)sink;
	int rc = sift_outfile_close(&s->out, err);

	free(s);
	return rc;
}

static const struct sift_sink_ops summary_ops = {
	.begin = summary_begin,
	.turn = summary_begin,
	.write = summary_write,
	.flush = summary_flush,
	.close = summary_close,
};

static size_t
line_len(const uint8_t *p, size_t len)
{
	const uint8_t *end = memchr(p, '\n', len);

	return end != NULL ? (size_t)(end - p) + 1 : len;
}

int
sift_sink_open_summary(const char *path, const struct sift_summary_opts *opts,
		       struct sift_sink **out, struct ebpf_err *err)
{
	struct sift_summary_opts known;
	struct summary *s;
	int rc = ebpf_sized_take("summary options", &known, sizeof(known), opts,
				 EBPF_SIZED_LEAST(struct sift_summary_opts, precision), err);

	if (rc < 0)
		return rc;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return ebpf_err_set(err, -ENOMEM, "%s: out of memory", path);
	s->sink.ops = &summary_ops;
	s->dlt = known.dlt;
	s->precision = known.precision;
	if ((rc = sift_outfile_open(&s->out, path, line_len, NULL, err)) < 0) {
		summary_close(&s->sink, NULL);
		return rc;
	}
	*out = &s->sink;
	return 0;
}
