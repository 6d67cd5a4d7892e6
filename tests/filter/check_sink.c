/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <bpfsift/filter.h>

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter/inflow.h"
#include "filter/outfile.h"
#include "filter/record.h"
#include "filter/sink.h"
#include "tests/support/compress.h"
#include "tests/support/savefile.h"
#include "tests/support/suite.h"
#include "tests/support/tempfile.h"

enum { N_PACKETS = 200, LARGEST = 3000 };

static uint8_t payload[LARGEST];

static struct sift_savefile_opts
ethernet(void)
{
	return (struct sift_savefile_opts){
		.size = sizeof(struct sift_savefile_opts),
		.dlt = DLT_EN10MB,
		.snaplen = 65535,
	};
}

static void
random_view(uint64_t *rng, int dlt, struct sift_view *view)
{
	uint32_t caplen = rng_below(rng, LARGEST + 1);

	sift_view_init(view, dlt, payload, caplen, caplen + rng_below(rng, 2) * 1000);
	view->ts_sec = rng_below(rng, UINT32_MAX);
	view->ts_nsec = rng_below(rng, 1000000000);
	/* A few broken ones: a fraction is 32 bits, whatever it says. */
	view->ts_excess = rng_below(rng, 8) == 0 ? rng_below(rng, 4) : 0;
}

/* What libpcap writes of the same packets. */
static void
dump_with_libpcap(const char *path, const struct sift_savefile_opts *opts,
		  const struct sift_view *views, size_t n)
{
	bool is_nano = opts->precision == SIFT_PRECISION_NANO;
	pcap_t *pcap = pcap_open_dead_with_tstamp_precision(opts->dlt, (int)opts->snaplen,
							    is_nano ? PCAP_TSTAMP_PRECISION_NANO
								    : PCAP_TSTAMP_PRECISION_MICRO);
	pcap_dumper_t *dumper = pcap_dump_open(pcap, path);

	ck_assert_ptr_nonnull(dumper);
	for (size_t i = 0; i < n; i++) {
		struct pcap_pkthdr header = {
			.ts.tv_sec = (time_t)views[i].ts_sec,
			.ts.tv_usec = views[i].ts_excess * (is_nano ? 1000000000L : 1000000L) +
				      views[i].ts_nsec / (is_nano ? 1 : 1000),
			.caplen = views[i].caplen,
			.len = views[i].wirelen,
		};

		pcap_dump((uint8_t *)dumper, &header, views[i].data);
	}
	pcap_dump_close(dumper);
	pcap_close(pcap);
}

static size_t
slurp(const char *path, uint8_t **bytes)
{
	FILE *file = fopen(path, "rb");
	size_t len = (size_t)tempfile_size(path);

	ck_assert_ptr_nonnull(file);
	*bytes = malloc(len + 1);
	ck_assert_uint_eq(fread(*bytes, 1, len, file), len);
	fclose(file);
	return len;
}

static void
check_same_files(const char *a, const char *b)
{
	uint8_t *bytes_a, *bytes_b;
	size_t len_a = slurp(a, &bytes_a), len_b = slurp(b, &bytes_b);

	ck_assert_uint_eq(len_a, len_b);
	ck_assert_mem_eq(bytes_a, bytes_b, len_a);
	free(bytes_a);
	free(bytes_b);
}

static const int dlts[] = { DLT_EN10MB, DLT_NULL, DLT_RAW, DLT_LINUX_SLL2, DLT_PPP, DLT_USER3 };

START_TEST(writes_the_bytes_that_libpcap_writes)
{
	struct sift_view views[N_PACKETS];
	uint32_t keep[N_PACKETS];
	struct sift_savefile_opts opts = ethernet();
	struct sift_sink *sink;
	struct ebpf_err err;
	uint64_t rng = suite_seed(20 + (uint64_t)_i);

	opts.dlt = dlts[_i / 2];
	opts.precision = _i % 2 ? SIFT_PRECISION_NANO : SIFT_PRECISION_MICRO;
	for (size_t i = 0; i < LARGEST; i++)
		payload[i] = (uint8_t)rng_next(&rng);
	for (size_t i = 0; i < N_PACKETS; i++) {
		random_view(&rng, opts.dlt, &views[i]);
		keep[i] = UINT32_MAX;
	}
	dump_with_libpcap("libpcap.tmp", &opts, views, N_PACKETS);
	ck_assert_int_eq(sift_sink_open_savefile(savefile_path(), &opts, &sink, &err), 0);
	for (size_t i = 0; i < N_PACKETS; i += 50)
		ck_assert_int_eq(sift_sink_write(sink, views + i, keep + i, 50, &err), 0);
	ck_assert_int_eq(sift_sink_close(sink, &err), 0);
	check_same_files("libpcap.tmp", savefile_path());
	unlink("libpcap.tmp");
	unlink(savefile_path());
}
END_TEST

START_TEST(keeps_what_it_is_told_to)
{
	struct sift_savefile_opts opts = ethernet();
	struct sift_view views[3];
	static const uint32_t keep[3] = { 5, 0, 100 };
	struct sift_sink *sink;
	struct ebpf_err err;
	uint8_t *bytes;

	opts.linktype_ext = 0x24000000; /* FCS of 4 bytes */
	for (size_t i = 0; i < 3; i++)
		sift_view_init(&views[i], opts.dlt, payload, 60, 60);
	ck_assert_int_eq(sift_sink_open_savefile(savefile_path(), &opts, &sink, &err), 0);
	ck_assert_int_eq(sift_sink_write(sink, views, keep, 3, &err), 0);
	ck_assert_int_eq(sift_sink_close(sink, &err), 0);
	ck_assert_uint_eq(slurp(savefile_path(), &bytes), 24 + 16 + 5 + 16 + 60);
	uint32_t linktype, lengths[2];
	memcpy(&linktype, bytes + 20, 4);
	memcpy(lengths, bytes + 24 + 8, 8);
	ck_assert_uint_eq(linktype, 0x24000001);
	ck_assert_uint_eq(lengths[0], 5);
	ck_assert_uint_eq(lengths[1], 60);
	free(bytes);
	unlink(savefile_path());
}
END_TEST

START_TEST(says_that_the_disk_is_full)
{
	struct sift_savefile_opts opts = ethernet();
	struct sift_summary_opts lines = { .size = sizeof(lines), .dlt = DLT_EN10MB };
	struct sift_view view;
	uint32_t keep = UINT32_MAX;
	struct sift_sink *sink = NULL;
	struct ebpf_err err;

	ck_assert_int_eq(sift_sink_open_savefile("/dev/full", &opts, &sink, &err), -ENOSPC);
	ck_assert_str_eq(err.text, "/dev/full: offset 0: No space left on device");
	ck_assert_ptr_null(sink);

	sift_view_init(&view, DLT_EN10MB, payload, 60, 60);
	ck_assert_int_eq(sift_sink_open_summary("/dev/full", &lines, &sink, &err), 0);
	sift_sink_write(sink, &view, &keep, 1, &err);
	ck_assert_int_eq(sift_sink_close(sink, &err), -ENOSPC);
	ck_assert_str_eq(err.text, "/dev/full: offset 0: No space left on device");
}
END_TEST

START_TEST(says_that_the_pipe_is_closed)
{
	struct sift_savefile_opts opts = ethernet();
	struct sift_view view;
	uint32_t keep = UINT32_MAX;
	struct sift_sink *sink;
	struct ebpf_err err;
	int ends[2], saved = dup(STDOUT_FILENO);
	int written, closed;

	signal(SIGPIPE, SIG_IGN);
	sift_view_init(&view, DLT_EN10MB, payload, 60, 60);
	ck_assert_int_eq(pipe(ends), 0);
	fflush(stdout);
	dup2(ends[1], STDOUT_FILENO);
	close(ends[1]);
	ck_assert_int_eq(sift_sink_open_savefile("-", &opts, &sink, &err), 0);
	close(ends[0]);
	written = sift_sink_write(sink, &view, &keep, 1, &err);
	closed = sift_sink_close(sink, &err);
	dup2(saved, STDOUT_FILENO);
	ck_assert_msg(written == -EPIPE || closed == -EPIPE, "%d, %d", written, closed);
	ck_assert_str_eq(err.text, "standard output: offset 24: Broken pipe");
}
END_TEST

/* A limit at every place of the first three records, the file's header included. */
START_TEST(a_file_that_cannot_grow_ends_in_a_whole_packet)
{
	enum { RECORD = 16 + 60 };
	struct sift_savefile_opts opts = ethernet();
	struct sift_view views[20];
	uint32_t keep[20];

	signal(SIGXFSZ, SIG_IGN);
	for (size_t i = 0; i < 20; i++) {
		sift_view_init(&views[i], opts.dlt, payload, 60, 60);
		keep[i] = UINT32_MAX;
	}
	for (rlim_t limit = 0; limit < 24 + 3 * RECORD; limit++) {
		struct rlimit rlimit = { limit, RLIM_INFINITY };
		struct sift_sink *sink = NULL;
		struct ebpf_err err;
		struct stat st;
		int rc;

		setrlimit(RLIMIT_FSIZE, &rlimit);
		rc = sift_sink_open_savefile(savefile_path(), &opts, &sink, &err);
		if (rc == 0) {
			rc = sift_sink_write(sink, views, keep, 20, &err);
			if (rc == 0)
				rc = sift_sink_flush(sink, &err);
			ck_assert_int_eq(sift_sink_write(sink, views, keep, 20, NULL), -EFBIG);
			ck_assert_int_eq(sift_sink_close(sink, NULL), 0);
		}
		rlimit.rlim_cur = RLIM_INFINITY;
		setrlimit(RLIMIT_FSIZE, &rlimit);
		ck_assert_int_eq(rc, -EFBIG);
		ck_assert_msg(strstr(err.text, "File too large") != NULL, "%s", err.text);
		ck_assert_int_eq(stat(savefile_path(), &st), 0);
		ck_assert_msg((rlim_t)st.st_size ==
				      (limit < 24 ? 0 : 24 + (limit - 24) / RECORD * RECORD),
			      "limit %lu: %ld bytes", (unsigned long)limit, (long)st.st_size);
	}
	unlink(savefile_path());
}
END_TEST

/* How many packets a savefile holds, all of which are whole. */
static uint64_t
count_packets(const char *path)
{
	const struct sift_view *views;
	struct sift_source *source;
	struct ebpf_err err = { "" };
	uint64_t sum = 0;
	size_t n;
	int rc;

	ck_assert_msg(sift_source_open_savefile(path, &source, &err) == 0, "%s", err.text);
	while ((rc = sift_source_next(source, &views, &n, &err)) == 1)
		sum += n;
	ck_assert_msg(rc == 0, "%s", err.text);
	sift_source_close(source);
	return sum;
}

static const struct {
	enum sift_format format;
	bool is_rotated, is_behind;
	uint32_t head, packet; /* bytes of the file's header, and of a packet of 3000 */
} full_disks[] = {
	{ SIFT_FORMAT_PCAP, false, false, 24, 16 + 3000 },
	{ SIFT_FORMAT_PCAP, false, true, 24, 16 + 3000 },
	{ SIFT_FORMAT_PCAP, true, false, 24, 16 + 3000 },
	{ SIFT_FORMAT_PCAP, true, true, 24, 16 + 3000 },
	{ SIFT_FORMAT_PCAPNG, false, false, 48, 32 + 3000 },
	{ SIFT_FORMAT_PCAPNG, false, true, 48, 32 + 3000 },
	{ SIFT_FORMAT_PCAPNG, true, false, 48, 32 + 3000 },
};

/* So many in a row are given to a thread, where there is to be one. */
enum { N_BEHIND = 10 * N_PACKETS };

/* More than a buffer holds: the first of several writes in a call that fails ends it. */
START_TEST(a_disk_that_gets_full_within_a_batch)
{
	const struct sift_rotate_opts rotate = { .size = sizeof(rotate),
						 .max_bytes = 1 << 30,
						 .flags = SIFT_ROTATE_PACKET_CLOCK };
	const uint32_t head = full_disks[_i].head, packet = full_disks[_i].packet;
	uint64_t rng = suite_seed(0xf011 + (uint64_t)_i);
	struct sift_savefile_opts opts = ethernet();
	static struct sift_view views[N_BEHIND];
	static uint32_t keep[N_BEHIND];
	size_t n_packets = full_disks[_i].is_behind ? N_BEHIND : N_PACKETS;

	signal(SIGXFSZ, SIG_IGN);
	opts.format = full_disks[_i].format;
	opts.flags = full_disks[_i].is_behind ? SIFT_SAVEFILE_BEHIND : 0;
	for (size_t i = 0; i < n_packets; i++) {
		sift_view_init(&views[i], opts.dlt, payload, LARGEST, LARGEST);
		keep[i] = UINT32_MAX;
	}
	for (uint64_t n = 1 + suite_scaled(20); n > 0; n--) {
		rlim_t limit = 2 * head + rng_below(&rng, (uint32_t)n_packets * packet);
		struct rlimit rlimit = { limit, RLIM_INFINITY };
		struct sift_sink *sink = NULL;
		struct ebpf_err err = { "" };
		struct stat st;
		int rc, later, closed;

		setrlimit(RLIMIT_FSIZE, &rlimit);
		rc = full_disks[_i].is_rotated
			     ? sift_sink_open_rotated(savefile_path(), &opts, &rotate, &sink, &err)
			     : sift_sink_open_savefile(savefile_path(), &opts, &sink, &err);
		ck_assert_msg(rc == 0, "%s", err.text);
		ck_assert_int_eq(sift_sink_has_failed(sink), 0);
		rc = sift_sink_write(sink, views, keep, n_packets, &err);
		if (rc == 0)
			rc = sift_sink_flush(sink, &err);
		later = sift_sink_write(sink, views, keep, 1, NULL);
		ck_assert_int_eq(sift_sink_has_failed(sink), 1);
		closed = sift_sink_close(sink, NULL);
		rlimit.rlim_cur = RLIM_INFINITY;
		setrlimit(RLIMIT_FSIZE, &rlimit);
		ck_assert_int_eq(rc, -EFBIG);
		ck_assert_ptr_nonnull(strstr(err.text, savefile_path()));
		ck_assert_int_lt(later, 0);
		ck_assert_int_eq(closed, 0);
		ck_assert_int_eq(stat(savefile_path(), &st), 0);
		ck_assert_uint_eq(count_packets(savefile_path()), (limit - head) / packet);
		ck_assert_uint_eq((rlim_t)st.st_size, head + (limit - head) / packet * packet);
	}
	unlink(savefile_path());
}
END_TEST

static const struct {
	enum sift_format format;
	enum sift_codec codec;
} behind[] = {
	{ SIFT_FORMAT_PCAP, SIFT_CODEC_NONE },
	{ SIFT_FORMAT_PCAPNG, SIFT_CODEC_NONE },
	{ SIFT_FORMAT_PCAP, SIFT_CODEC_GZIP },
	{ SIFT_FORMAT_PCAPNG, SIFT_CODEC_ZSTD },
};

/* What is in a file, be it compressed. */
static void
read_content(const char *path, struct bytes *content)
{
	const struct sift_inflow_opts opts = { .fd = open(path, O_RDONLY | O_CLOEXEC),
					       .name = path,
					       .memlimit = (uint64_t)1 << 30 };
	struct ebpf_err err = { "" };
	struct sift_inflow *flow;
	const uint8_t *block;
	size_t n;
	int rc;

	ck_assert_msg(sift_inflow_new(&opts, &flow, &err) == 0, "%s", err.text);
	while ((rc = sift_inflow_next(flow, &block, &n, &err)) == 1)
		bytes_add(content, block, n);
	ck_assert_msg(rc == 0, "%s", err.text);
	sift_inflow_free(flow);
	close(opts.fd);
}

/* Packets of any length, flushed now and then. */
static void
write_many(const struct sift_savefile_opts *opts, uint64_t rng, struct bytes *content)
{
	static struct sift_view views[N_PACKETS];
	static uint32_t keep[N_PACKETS];
	struct ebpf_err err = { "" };
	struct sift_sink *sink;
	bool had_writer = false;

	ck_assert_msg(sift_sink_open_savefile(savefile_path(), opts, &sink, &err) == 0, "%s",
		      err.text);
	for (int i = 0; i < 30; i++) {
		for (size_t k = 0; k < N_PACKETS; k++) {
			random_view(&rng, opts->dlt, &views[k]);
			keep[k] = rng_below(&rng, 8) ? UINT32_MAX : rng_below(&rng, 100);
		}
		ck_assert_int_eq(sift_sink_write(sink, views, keep, N_PACKETS, &err), 0);
		had_writer |= sink->file->writer != NULL;
		/* so much first that a thread is worth it */
		if (i < 10)
			continue;
		if (rng_below(&rng, 16) == 0)
			ck_assert_int_eq(sift_sink_flush(sink, &err), 0);
		/* as others do now and then who write to it by turns */
		if (rng_below(&rng, 8) == 0)
			ck_assert_int_eq(sift_sink_share(sink, i % 2 == 0, &err), 0);
	}
	ck_assert_msg(sift_sink_close(sink, &err) == 0, "%s", err.text);
	ck_assert(had_writer == ((opts->flags & SIFT_SAVEFILE_BEHIND) != 0));
	read_content(savefile_path(), content);
}

/* So many that they are not copied: they count all the same. */
START_TEST(many_at_once_are_worth_a_thread)
{
	enum { N = 400, CAPLEN = 84, RECORD = SIFT_RECORD_HEADER + CAPLEN, TIMES = 100 };
	static uint8_t records[N * RECORD];
	struct sift_savefile_opts opts = ethernet();
	struct ebpf_err err = { "" };
	struct bytes content = { NULL };
	struct sift_view view;
	struct sift_sink *sink;

	sift_view_init(&view, opts.dlt, payload, CAPLEN, CAPLEN);
	for (size_t i = 0; i < N; i++)
		sift_record_put_header(records + i * RECORD, &view, CAPLEN, 1000);
	opts.flags = SIFT_SAVEFILE_BEHIND;
	ck_assert_int_eq(sift_sink_open_savefile(savefile_path(), &opts, &sink, &err), 0);
	/* each with its number in its first packet */
	for (int i = 0; i < TIMES; i++) {
		records[SIFT_RECORD_HEADER] = (uint8_t)i;
		ck_assert_int_eq(sift_sink_append(sink, records, sizeof(records), &err), 0);
	}
	ck_assert_ptr_nonnull(sink->file->writer);
	ck_assert_int_eq(sift_sink_close(sink, &err), 0);
	read_content(savefile_path(), &content);
	ck_assert_uint_eq(content.n, 24 + TIMES * sizeof(records));
	for (size_t i = 0; i < TIMES; i++) {
		records[SIFT_RECORD_HEADER] = (uint8_t)i;
		ck_assert(memcmp(content.p + 24 + i * sizeof(records), records, sizeof(records)) ==
			  0);
	}
	free(content.p);
	unlink(savefile_path());
}
END_TEST

START_TEST(what_is_written_behind_is_the_same)
{
	struct sift_savefile_opts opts = ethernet();
	uint64_t seed = suite_seed(0xbe41d + (uint64_t)_i);
	struct bytes behind_it = { NULL }, at_once = { NULL };

	opts.format = behind[_i].format;
	opts.codec = behind[_i].codec;
	if (opts.codec != SIFT_CODEC_NONE && !has_codec(opts.codec))
		return;
	write_many(&opts, seed, &at_once);
	opts.flags = SIFT_SAVEFILE_BEHIND;
	write_many(&opts, seed, &behind_it);
	ck_assert_uint_gt(at_once.n, 4 << 20);
	ck_assert_uint_eq(behind_it.n, at_once.n);
	ck_assert(memcmp(behind_it.p, at_once.p, at_once.n) == 0);
	free(behind_it.p);
	free(at_once.p);
	unlink(savefile_path());
}
END_TEST

START_TEST(refuses_before_anything_is_created)
{
	struct sift_savefile_opts opts = ethernet();
	struct sift_sink *sink = NULL;
	struct ebpf_err err;

	opts.dlt = 9999;
	ck_assert_int_eq(sift_sink_open_savefile("none.tmp", &opts, &sink, &err), -EINVAL);
	ck_assert_str_eq(err.text, "none.tmp: savefiles have no number for link type 9999");
	opts = ethernet();
	opts.snaplen = 0;
	ck_assert_int_eq(sift_sink_open_savefile("none.tmp", &opts, &sink, &err), -EINVAL);
	ck_assert_str_eq(err.text, "none.tmp: snapshot length 0, but it is 1 to 2147483647");
	opts.size = 4;
	ck_assert_int_eq(sift_sink_open_savefile("none.tmp", &opts, &sink, &err), -EINVAL);
	ck_assert_ptr_null(sink);
	ck_assert_int_eq(access("none.tmp", F_OK), -1);
	opts = ethernet();
	ck_assert_int_eq(sift_sink_open_savefile("no/such.tmp", &opts, &sink, &err), -ENOENT);
	ck_assert_str_eq(err.text, "no/such.tmp: No such file or directory");
	ck_assert_int_eq(sift_sink_close(NULL, &err), 0);
}
END_TEST

static const struct {
	int dlt;
	uint32_t len;
	const char *bytes;
	const char *line;
} summaries[] = {
	{ DLT_RAW, 24, "\x45\0\0\x28\0\0\0\0\x40\x06\0\0\xc0\0\2\1\xc0\0\2\2\x9c\x40\0\x50",
	  "22:13:20.123456 IPv4 192.0.2.1.40000 > 192.0.2.2.80 TCP, length 24\n" },
	{ DLT_RAW, 24, "\x45\0\0\x28\0\0\0\1\x40\x06\0\0\xc0\0\2\1\xc0\0\2\2\x9c\x40\0\x50",
	  "22:13:20.123456 IPv4 192.0.2.1 > 192.0.2.2 TCP, length 24\n" },
	{ DLT_RAW, 20, "\x45\0\0\x28\0\0\0\0\x40\xc8\0\0\xc0\0\2\1\xc0\0\2\2",
	  "22:13:20.123456 IPv4 192.0.2.1 > 192.0.2.2 protocol 200, length 20\n" },
	{ DLT_RAW, 44,
	  "\x60\0\0\0\0\x04\x11\x40"
	  " \1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\1 \1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\2\0\x35\0\x35",
	  "22:13:20.123456 IPv6 2001:db8::1.53 > 2001:db8::2.53 UDP, length 44\n" },
	{ DLT_EN10MB, 14, "\1\2\3\4\5\6\x11\x12\x13\x14\x15\x16\x08\x06",
	  "22:13:20.123456 11:12:13:14:15:16 > 01:02:03:04:05:06 protocol 0x0806, length 14\n" },
	{ DLT_IEEE802_11, 3, "\x1b[m", "22:13:20.123456 IEEE802_11, length 3\n" },
	{ DLT_RAW, 0, "", "22:13:20.123456 RAW, length 0\n" },
	{ 9999, 3, "abc", "22:13:20.123456 link-type 9999, length 3\n" },
};

START_TEST(summarises_a_packet_in_a_line)
{
	struct sift_summary_opts opts = { .size = sizeof(opts), .dlt = summaries[_i].dlt };
	struct sift_sink *sink;
	struct sift_view view;
	struct ebpf_err err;
	uint32_t keep = 1;
	uint8_t *text;
	size_t len;

	setenv("TZ", "UTC", 1);
	sift_view_init(&view, opts.dlt, (const uint8_t *)summaries[_i].bytes, summaries[_i].len,
		       summaries[_i].len);
	view.ts_sec = 1700000000;
	view.ts_nsec = 123456789;
	ck_assert_int_eq(sift_sink_open_summary(savefile_path(), &opts, &sink, &err), 0);
	ck_assert_int_eq(sift_sink_write(sink, &view, &keep, 1, &err), 0);
	ck_assert_int_eq(sift_sink_close(sink, &err), 0);
	len = slurp(savefile_path(), &text);
	text[len] = '\0';
	ck_assert_str_eq((char *)text, summaries[_i].line);
	free(text);
	unlink(savefile_path());
}
END_TEST

/* Nanoseconds if asked for, no line for what is not kept, and no part of one. */
START_TEST(a_file_that_cannot_grow_ends_in_a_whole_line)
{
	static const char line[] = "22:13:20.123456789 RAW, length 0\n";
	enum { LINE = sizeof(line) - 1 };
	struct sift_summary_opts opts = { .size = sizeof(opts), .dlt = DLT_RAW,
					  .precision = SIFT_PRECISION_NANO };
	struct sift_view views[6];
	uint32_t keep[6];

	setenv("TZ", "UTC", 1);
	signal(SIGXFSZ, SIG_IGN);
	for (size_t i = 0; i < 6; i++) {
		sift_view_init(&views[i], DLT_RAW, payload, 0, 0);
		views[i].ts_sec = 1700000000;
		views[i].ts_nsec = 123456789;
		keep[i] = i % 2 ? 0 : UINT32_MAX;
	}
	for (rlim_t limit = 0; limit <= 3 * LINE; limit++) {
		struct rlimit rlimit = { limit, RLIM_INFINITY };
		struct sift_sink *sink = NULL;
		struct ebpf_err err;
		uint8_t *text;
		size_t len;
		int rc;

		ck_assert_int_eq(sift_sink_open_summary(savefile_path(), &opts, &sink, &err), 0);
		setrlimit(RLIMIT_FSIZE, &rlimit);
		rc = sift_sink_write(sink, views, keep, 6, &err);
		if (rc == 0)
			rc = sift_sink_flush(sink, &err);
		sift_sink_close(sink, NULL);
		rlimit.rlim_cur = RLIM_INFINITY;
		setrlimit(RLIMIT_FSIZE, &rlimit);
		ck_assert_int_eq(rc, limit < 3 * LINE ? -EFBIG : 0);
		len = slurp(savefile_path(), &text);
		ck_assert_uint_eq(len, limit / LINE * LINE);
		for (size_t at = 0; at < len; at += LINE)
			ck_assert_mem_eq(text + at, line, LINE);
		free(text);
	}
	unlink(savefile_path());
}
END_TEST

/* Every prefix of random bytes with IP's first byte, under every link type of the table. */
START_TEST(summaries_are_printable_whatever_the_packet)
{
	struct sift_summary_opts opts = { .size = sizeof(opts), .dlt = summaries[_i].dlt };
	uint64_t rng = suite_seed(7);
	uint64_t n_frames = suite_scaled(200);
	uint32_t keep = 1;
	struct sift_sink *sink;
	struct ebpf_err err;
	uint8_t *text;
	size_t len;

	ck_assert_int_eq(sift_sink_open_summary(savefile_path(), &opts, &sink, &err), 0);
	for (uint64_t i = 0; i < n_frames; i++) {
		uint32_t caplen = rng_below(&rng, 64);
		uint8_t *frame = malloc(caplen + 1); /* its end is where it should be */
		struct sift_view view;

		for (uint32_t b = 0; b < caplen; b++)
			frame[b] = b == 0 ? (i % 2 ? 0x45 : 0x60) : (uint8_t)rng_next(&rng);
		sift_view_init(&view, opts.dlt, frame, caplen, UINT32_MAX);
		view.ts_sec = (int64_t)rng_next(&rng);
		view.ts_nsec = (uint32_t)rng_next(&rng);
		ck_assert_int_eq(sift_sink_write(sink, &view, &keep, 1, &err), 0);
		free(frame);
	}
	ck_assert_int_eq(sift_sink_close(sink, &err), 0);
	len = slurp(savefile_path(), &text);
	ck_assert_uint_gt(len, 0);
	for (size_t i = 0; i < len; i++)
		ck_assert_msg(text[i] == '\n' || (text[i] >= 0x20 && text[i] < 0x7f), "byte %02x",
			      text[i]);
	free(text);
	unlink(savefile_path());
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("filter/sink");
	TCase *tc = tcase_create("savefile");

	tcase_add_loop_test(tc, writes_the_bytes_that_libpcap_writes, 0, 2 * N_ELEMS(dlts));
	tcase_add_test(tc, keeps_what_it_is_told_to);
	tcase_add_test(tc, says_that_the_disk_is_full);
	tcase_add_test(tc, says_that_the_pipe_is_closed);
	tcase_add_test(tc, a_file_that_cannot_grow_ends_in_a_whole_packet);
	tcase_add_loop_test(tc, a_disk_that_gets_full_within_a_batch, 0,
			    (int)N_ELEMS(full_disks));
	tcase_add_test(tc, many_at_once_are_worth_a_thread);
	tcase_add_loop_test(tc, what_is_written_behind_is_the_same, 0, (int)N_ELEMS(behind));
	tcase_add_test(tc, refuses_before_anything_is_created);
	suite_add_tcase(s, tc);
	tc = tcase_create("summary");
	tcase_add_loop_test(tc, summarises_a_packet_in_a_line, 0, N_ELEMS(summaries));
	tcase_add_test(tc, a_file_that_cannot_grow_ends_in_a_whole_line);
	tcase_add_loop_test(tc, summaries_are_printable_whatever_the_packet, 0, N_ELEMS(summaries));
	suite_add_tcase(s, tc);
	return s;
}
