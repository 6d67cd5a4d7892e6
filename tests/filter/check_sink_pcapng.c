/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is written as pcapng is read back, by libpcap, by the reader here and by
 * tcpdump, as the packets that it was.
 */
#include "config.h"

#include <bpfsift/filter.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "filter/blocks.h"
#include "filter/dlt.h"
#include "tests/support/savefile.h"
#include "tests/support/suite.h"

/* The last is longer than the buffer of the file. */
enum { N_PACKETS = 300, LARGEST = 200000, SNAPLEN = 262144 };

static uint8_t payload[LARGEST];

static struct sift_savefile_opts
ethernet(void)
{
	return (struct sift_savefile_opts){
		.size = sizeof(struct sift_savefile_opts),
		.format = SIFT_FORMAT_PCAPNG,
		.dlt = DLT_EN10MB,
		.snaplen = SNAPLEN,
	};
}

static void
random_views(uint64_t *rng, int dlt, struct sift_view *views, uint32_t *keep)
{
	for (size_t i = 0; i < LARGEST; i++)
		payload[i] = (uint8_t)rng_next(rng);
	for (size_t i = 0; i < N_PACKETS; i++) {
		uint32_t caplen = i < 20 ? (uint32_t)i : rng_below(rng, 1515);

		if (i == N_PACKETS - 1)
			caplen = LARGEST;
		sift_view_init(&views[i], dlt, payload, caplen, caplen + rng_below(rng, 2) * 1000);
		views[i].ts_sec = rng_below(rng, UINT32_MAX);
		views[i].ts_nsec = rng_below(rng, 1000000000);
		views[i].ts_excess = rng_below(rng, 8) == 0 ? rng_below(rng, 4) : 0;
		keep[i] = rng_below(rng, 8) == 0 ? 0 : UINT32_MAX;
		if (rng_below(rng, 8) == 0)
			keep[i] = 1 + rng_below(rng, 100);
	}
}

static void
write_all(const struct sift_savefile_opts *opts, const struct sift_view *views,
	  const uint32_t *keep, size_t n)
{
	struct sift_sink *sink;
	struct ebpf_err err;

	ck_assert_int_eq(sift_sink_open_savefile(savefile_path(), opts, &sink, &err), 0);
	for (size_t i = 0; i < n; i += 50)
		ck_assert_int_eq(sift_sink_write(sink, views + i, keep + i, 50, &err), 0);
	ck_assert_int_eq(sift_sink_close(sink, &err), 0);
}

static void
check_view(const struct sift_view *got, const struct sift_view *wrote, uint32_t keep, bool is_nano)
{
	uint32_t caplen = wrote->caplen < keep ? wrote->caplen : keep;

	ck_assert_uint_eq(got->caplen, caplen);
	ck_assert_uint_eq(got->wirelen, wrote->wirelen);
	ck_assert_int_eq(got->ts_sec, wrote->ts_sec + wrote->ts_excess);
	ck_assert_uint_eq(got->ts_nsec, wrote->ts_nsec - (is_nano ? 0 : wrote->ts_nsec % 1000));
	ck_assert_uint_eq(got->ts_excess, 0);
	ck_assert(caplen == 0 || memcmp(got->data, wrote->data, caplen) == 0);
}

static void
check_read_back(const struct sift_savefile_opts *wrote, const struct sift_view *views,
		const uint32_t *keep, unsigned flags)
{
	const struct sift_reader_opts opts = { .size = sizeof(opts), .flags = flags };
	struct sift_source_info info = { .size = sizeof(info) };
	const struct sift_view *batch;
	struct sift_source *source;
	struct ebpf_err err;
	size_t seen = 0, n;
	int rc;

	ck_assert_int_eq(sift_source_open_savefile_opts(savefile_path(), &opts, &source, &err), 0);
	ck_assert_int_eq(sift_source_info(source, &info, &err), 0);
	ck_assert_int_eq(info.dlt, wrote->dlt);
	ck_assert_uint_eq(info.snaplen, wrote->snaplen);
	ck_assert_int_eq(info.precision, wrote->precision);
	ck_assert_uint_eq(info.expr_flags, SIFT_EXPR_SAVEFILE);
	while ((rc = sift_source_next(source, &batch, &n, &err)) == 1) {
		for (size_t i = 0; i < n; i++, seen++) {
			while (seen < N_PACKETS && keep[seen] == 0)
				seen++;
			ck_assert_uint_lt(seen, N_PACKETS);
			check_view(&batch[i], &views[seen], keep[seen],
				   wrote->precision == SIFT_PRECISION_NANO);
		}
	}
	ck_assert_msg(rc == 0, "%s", err.text);
	while (seen < N_PACKETS && keep[seen] == 0)
		seen++;
	ck_assert_uint_eq(seen, N_PACKETS);
	sift_source_close(source);
}

static const int dlts[] = { DLT_EN10MB,     DLT_NULL, DLT_RAW, DLT_LINUX_SLL,
			    DLT_LINUX_SLL2, DLT_PPP,  150 /* USER3 */ };

START_TEST(both_readers_find_what_was_written)
{
	static struct sift_view views[N_PACKETS];
	static uint32_t keep[N_PACKETS];
	struct sift_savefile_opts opts = ethernet();
	uint64_t rng = suite_seed(30 + (uint64_t)_i);

	opts.dlt = dlts[_i / 2];
	opts.precision = _i % 2 ? SIFT_PRECISION_NANO : SIFT_PRECISION_MICRO;
	random_views(&rng, opts.dlt, views, keep);
	write_all(&opts, views, keep, N_PACKETS);
	check_read_back(&opts, views, keep, 0);
	check_read_back(&opts, views, keep, SIFT_READER_LIBPCAP);
	unlink(savefile_path());
}
END_TEST

static size_t
slurp(FILE *file, uint8_t *bytes, size_t room)
{
	size_t len = fread(bytes, 1, room, file);

	ck_assert_uint_lt(len, room);
	return len;
}

/* tcpdump makes of it the pcap file that is written of the same packets. */
START_TEST(tcpdump_reads_what_was_written)
{
	enum { ROOM = 4 << 20 };
	static struct sift_view views[N_PACKETS];
	static uint32_t keep[N_PACKETS];
	static uint8_t ours[ROOM], theirs[ROOM];
	struct sift_savefile_opts opts = ethernet();
	struct sift_savefile_opts pcap = { .size = sizeof(pcap), .dlt = DLT_EN10MB };
	uint64_t rng = suite_seed(40 + (uint64_t)_i);
	char command[256];
	struct sift_sink *sink;
	struct ebpf_err err;
	size_t len;
	FILE *file;

	if (system("tcpdump --version >/dev/null 2>&1") != 0) {
		suite_skip("tcpdump is missing: pcapng files were not given to it");
		return;
	}
	opts.precision = pcap.precision = _i ? SIFT_PRECISION_NANO : SIFT_PRECISION_MICRO;
	pcap.snaplen = opts.snaplen;
	random_views(&rng, opts.dlt, views, keep);
	for (size_t i = 0; i < N_PACKETS; i++)
		views[i].ts_excess = 0; /* pcap keeps what is broken */
	write_all(&opts, views, keep, N_PACKETS);
	snprintf(command, sizeof(command),
		 "tcpdump --time-stamp-precision=%s -r %s -w - 2>/dev/null", _i ? "nano" : "micro",
		 savefile_path());
	ck_assert_ptr_nonnull(file = popen(command, "r"));
	len = slurp(file, theirs, ROOM);
	ck_assert_int_eq(pclose(file), 0);
	ck_assert_int_eq(sift_sink_open_savefile(savefile_path(), &pcap, &sink, &err), 0);
	ck_assert_int_eq(sift_sink_write(sink, views, keep, N_PACKETS, &err), 0);
	ck_assert_int_eq(sift_sink_close(sink, &err), 0);
	ck_assert_ptr_nonnull(file = fopen(savefile_path(), "rb"));
	ck_assert_uint_eq(slurp(file, ours, ROOM), len);
	fclose(file);
	ck_assert_mem_eq(ours, theirs, len);
	unlink(savefile_path());
}
END_TEST

/* Times that 32 bits of seconds, or a sign, may get wrong. */
static const struct {
	int64_t ts_sec, want;
} times[] = {
	{ 0, 0 },
	{ INT32_MAX, INT32_MAX },
	{ (int64_t)INT32_MAX + 1, (int64_t)INT32_MAX + 1 },
	{ UINT32_MAX, UINT32_MAX },
	{ 10000000000, 10000000000 },
	{ -1, UINT32_MAX },
	{ INT32_MIN, (int64_t)INT32_MAX + 1 },
};

START_TEST(times_are_those_that_pcap_would_tell)
{
	struct sift_savefile_opts opts = ethernet();
	const struct sift_view *batch;
	static struct sift_view views[50];
	static const uint32_t keep[50] = { 1 };
	struct sift_source *source;
	struct ebpf_err err;
	size_t n;

	opts.precision = SIFT_PRECISION_NANO;
	sift_view_init(&views[0], opts.dlt, payload, 60, 60);
	views[0].ts_sec = times[_i].ts_sec;
	views[0].ts_nsec = 999999999;
	write_all(&opts, views, keep, 50);
	ck_assert_int_eq(sift_source_open_savefile(savefile_path(), &source, &err), 0);
	ck_assert_int_eq(sift_source_next(source, &batch, &n, &err), 1);
	ck_assert_int_eq(batch[0].ts_sec, times[_i].want);
	ck_assert_uint_eq(batch[0].ts_nsec, 999999999);
	sift_source_close(source);
	unlink(savefile_path());
}
END_TEST

/* Whole headers: what is not said has its default. */
START_TEST(a_header_says_no_more_than_it_has_to)
{
	struct sift_savefile_opts opts = ethernet();
	struct sift_blocks_head head;
	uint8_t bytes[128];
	FILE *file;
	size_t len;

	opts.precision = _i & 1 ? SIFT_PRECISION_NANO : SIFT_PRECISION_MICRO;
	opts.linktype_ext = _i & 2 ? 0x24000000 : 0; /* FCS of 4 bytes */
	opts.dlt = DLT_RAW;
	opts.snaplen = 96;
	write_all(&opts, NULL, NULL, 0);
	ck_assert_ptr_nonnull(file = fopen(savefile_path(), "rb"));
	len = slurp(file, bytes, sizeof(bytes));
	fclose(file);
	ck_assert_int_eq(sift_blocks_look(bytes, len, &head), 1);
	ck_assert_uint_eq(head.len, len);
	ck_assert_uint_eq(len, 28 + 20 + (_i == 0 ? 0 : _i == 3 ? 20 : 12));
	ck_assert(!head.is_swapped);
	ck_assert_uint_eq(head.first.linktype, 101);
	ck_assert_uint_eq(head.first.snaplen, 96);
	ck_assert_uint_eq(head.first.units, _i & 1 ? 1000000000 : 1000000);
	ck_assert_uint_eq(head.first.fcs_len, _i & 2 ? 32 : 0);
	unlink(savefile_path());
}
END_TEST

/* Not with what the buffer held before. */
START_TEST(a_block_is_padded_with_zeros)
{
	enum { HEAD = 48, FIRST = 32 + 60, PACKET_AT = 28 };
	static const uint8_t want[4] = { 0xff };
	struct sift_savefile_opts opts = ethernet();
	uint8_t bytes[256];
	uint32_t keep = UINT32_MAX;
	struct sift_sink *sink;
	struct sift_view view;
	struct ebpf_err err;
	FILE *file;

	memset(payload, 0xff, 60);
	sift_view_init(&view, opts.dlt, payload, 60, 60);
	ck_assert_int_eq(sift_sink_open_savefile(savefile_path(), &opts, &sink, &err), 0);
	ck_assert_int_eq(sift_sink_write(sink, &view, &keep, 1, &err), 0);
	ck_assert_int_eq(sift_sink_flush(sink, &err), 0);
	keep = 1;
	ck_assert_int_eq(sift_sink_write(sink, &view, &keep, 1, &err), 0);
	ck_assert_int_eq(sift_sink_close(sink, &err), 0);
	ck_assert_ptr_nonnull(file = fopen(savefile_path(), "rb"));
	ck_assert_uint_eq(slurp(file, bytes, sizeof(bytes)), HEAD + FIRST + 36);
	fclose(file);
	ck_assert_mem_eq(bytes + HEAD + FIRST + PACKET_AT, want, sizeof(want));
	unlink(savefile_path());
}
END_TEST

START_TEST(says_that_the_disk_is_full)
{
	struct sift_savefile_opts opts = ethernet();
	struct sift_sink *sink = NULL;
	struct ebpf_err err;

	ck_assert_int_eq(sift_sink_open_savefile("/dev/full", &opts, &sink, &err), -ENOSPC);
	ck_assert_str_eq(err.text, "/dev/full: offset 0: No space left on device");
	ck_assert_ptr_null(sink);
}
END_TEST

/* A limit at every place of the header and of the first three packets. */
START_TEST(a_file_that_cannot_grow_ends_in_a_whole_packet)
{
	enum { HEAD = 28 + 20 + 12, BLOCK = 32 + 60 + 4 };
	struct sift_savefile_opts opts = ethernet();
	struct sift_view views[20];
	uint32_t keep[20];

	opts.precision = SIFT_PRECISION_NANO;
	signal(SIGXFSZ, SIG_IGN);
	for (size_t i = 0; i < 20; i++) {
		sift_view_init(&views[i], opts.dlt, payload, 61, 61);
		keep[i] = UINT32_MAX;
	}
	for (rlim_t limit = 0; limit < HEAD + 3 * BLOCK; limit++) {
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
			ck_assert_int_eq(sift_sink_close(sink, NULL), 0);
		}
		rlimit.rlim_cur = RLIM_INFINITY;
		setrlimit(RLIMIT_FSIZE, &rlimit);
		ck_assert_int_eq(rc, -EFBIG);
		ck_assert_int_eq(stat(savefile_path(), &st), 0);
		ck_assert_msg((rlim_t)st.st_size ==
				      (limit < HEAD ? 0 : HEAD + (limit - HEAD) / BLOCK * BLOCK),
			      "limit %lu: %ld bytes", (unsigned long)limit, (long)st.st_size);
	}
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
	opts.snaplen = 1u << 31;
	ck_assert_int_eq(sift_sink_open_savefile("none.tmp", &opts, &sink, &err), -EINVAL);
	opts.snaplen = 1;
	opts.size = 4;
	ck_assert_int_eq(sift_sink_open_savefile("none.tmp", &opts, &sink, &err), -EINVAL);
	ck_assert_ptr_null(sink);
	ck_assert_int_eq(access("none.tmp", F_OK), -1);
	opts = ethernet();
	ck_assert_int_eq(sift_sink_open_savefile("no/such.tmp", &opts, &sink, &err), -ENOENT);
	ck_assert_str_eq(err.text, "no/such.tmp: No such file or directory");
	ck_assert_ptr_null(sink);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("filter/sink_pcapng");
	TCase *tc = tcase_create("pcapng");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, both_readers_find_what_was_written, 0, 2 * N_ELEMS(dlts));
	tcase_add_loop_test(tc, tcpdump_reads_what_was_written, 0, 2);
	tcase_add_loop_test(tc, times_are_those_that_pcap_would_tell, 0, N_ELEMS(times));
	tcase_add_loop_test(tc, a_header_says_no_more_than_it_has_to, 0, 4);
	tcase_add_test(tc, a_block_is_padded_with_zeros);
	tcase_add_test(tc, says_that_the_disk_is_full);
	tcase_add_test(tc, a_file_that_cannot_grow_ends_in_a_whole_packet);
	tcase_add_test(tc, refuses_before_anything_is_created);
	suite_add_tcase(s, tc);
	return s;
}
