/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Savefiles of the usual kind, which are read in blocks, hold the packets that
 * libpcap finds in them, and end as it says: files of all sizes of packet, whose
 * contents look like records, cut and damaged anywhere; from a file, and from a pipe
 * that hands out any number of bytes at a time.
 */
#include "config.h" /* system extensions: libpcap's headers want u_int */

#include "tests/support/capture.h"
#include "tests/support/suite.h"

#include <bpfsift/filter.h>

#include <errno.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the comparison ---- */

struct totals {
	uint64_t n_files, n_packets, n_failed;
};

/* Packets of a source beside libpcap's, to the end of both. */
static void
compare(const struct capture *f, const char *path, unsigned flags, struct totals *totals)
{
	const struct sift_reader_opts opts = { .size = sizeof(opts), .flags = flags };
	char text[PCAP_ERRBUF_SIZE];
	unsigned precision = f->is_nano ? PCAP_TSTAMP_PRECISION_NANO : PCAP_TSTAMP_PRECISION_MICRO;
	pcap_t *pcap = pcap_open_offline_with_tstamp_precision(f->path, precision, text);
	uint32_t per_second = f->is_nano ? 1000000000 : 1000000;
	const struct sift_view *views;
	struct sift_source *source;
	struct pcap_pkthdr *header;
	struct ebpf_err err = { "" };
	const uint8_t *data;
	size_t n;
	int rc, theirs;

	ck_assert_msg(pcap != NULL, "%s", text);
	ck_assert_msg(sift_source_open_savefile_opts(path, &opts, &source, &err) == 0, "%s",
		      err.text);
	while ((rc = sift_source_next(source, &views, &n, &err)) == 1) {
		for (size_t i = 0; i < n; i++) {
			const struct sift_view *v = &views[i];

			ck_assert_int_eq(pcap_next_ex(pcap, &header, &data), 1);
			ck_assert_uint_eq(v->caplen, header->caplen);
			ck_assert_uint_eq(v->wirelen, header->len);
			ck_assert_int_eq(v->ts_sec, header->ts.tv_sec);
			ck_assert_uint_eq(v->ts_excess * per_second +
						  v->ts_nsec / (1000000000 / per_second),
					  (uint32_t)header->ts.tv_usec);
			ck_assert(v->caplen == 0 || memcmp(v->data, data, v->caplen) == 0);
			totals->n_packets++;
		}
	}
	theirs = pcap_next_ex(pcap, &header, &data);
	ck_assert_int_eq(rc == 0, theirs == PCAP_ERROR_BREAK);
	if (rc < 0) {
		const char *ours = strstr(err.text, ": offset ");

		ck_assert_int_eq(theirs, PCAP_ERROR);
		ck_assert_ptr_nonnull(ours);
		ours = strstr(ours + 2, ": ");
		ck_assert_ptr_nonnull(ours);
		ck_assert_str_eq(ours + 2, pcap_geterr(pcap));
		totals->n_failed++;
	}
	totals->n_files++;
	sift_source_close(source);
	pcap_close(pcap);
}

START_TEST(packets_are_those_that_libpcap_finds)
{
	uint64_t rng = suite_seed(0x8ec0), n_files = suite_scaled(1000);
	struct totals totals = { 0, 0, 0 };
	struct capture f;
	char name[64];
	int fd;

	capture_init(&f);
	for (uint64_t i = 0; i < n_files; i++) {
		pid_t child;
		int status;

		capture_make(&f, 600, &rng);
		compare(&f, f.path, 0, &totals);
		if (i % 16 == 0)
			compare(&f, f.path, SIFT_READER_LIBPCAP, &totals);
		fd = tempfile_pipe(f.bytes, f.n, 70000, rng, &child);
		snprintf(name, sizeof(name), "/dev/fd/%d", fd);
		compare(&f, name, 0, &totals);
		close(fd);
		ck_assert_int_eq(waitpid(child, &status, 0), child);
	}
	capture_destroy(&f);
	printf("%llu files, %llu packets, %llu with an error at the end\n",
	       (unsigned long long)totals.n_files, (unsigned long long)totals.n_packets,
	       (unsigned long long)totals.n_failed);
	ck_assert(n_files < 100 || totals.n_failed > n_files / 4);
}
END_TEST

/* Of some, libpcap changes fields or takes longer packets: which, it alone knows. */
START_TEST(packets_of_each_link_type_are_libpcaps)
{
	enum { LAST = 300 };
	uint64_t rng = suite_seed(0x8ec1), n_rounds = suite_scaled(20);
	struct totals totals = { 0, 0, 0 };
	struct capture f;

	capture_init(&f);
	for (uint64_t i = 0; i < n_rounds; i++) {
		for (f.linktype = 0; f.linktype <= LAST; f.linktype++) {
			capture_make(&f, 30, &rng);
			compare(&f, f.path, 0, &totals);
		}
	}
	capture_destroy(&f);
	ck_assert_uint_gt(totals.n_packets, LAST);
}
END_TEST

/* Of cooked packets from a CAN bus libpcap brings the identifier into this host's order. */
START_TEST(identifiers_of_can_are_libpcaps)
{
	static const uint8_t bytes[] = {
		0xa1, 0xb2, 0xc3, 0xd4, 0, 2, 0, 4, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 113,
		/* the record, of 24 bytes: a cooked header of 16, and the frame's identifier */
		0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 24, 0, 0, 0, 24,
		0, 0, 1, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0c,
		0x12, 0x34, 0x56, 0x78, 0, 0, 0, 0,
	};
	struct totals totals = { 0, 0, 0 };
	struct capture f;

	capture_init(&f);
	f.is_nano = false;
	tempfile_save(f.path, bytes, sizeof(bytes));
	compare(&f, f.path, 0, &totals);
	ck_assert_uint_eq(totals.n_packets, 1);
	capture_destroy(&f);
}
END_TEST

START_TEST(unknown_options_are_refused)
{
	struct sift_reader_opts opts = { .size = sizeof(opts), .flags = 0x80 };
	struct sift_source *source;
	struct ebpf_err err = { "" };

	ck_assert_int_eq(sift_source_open_savefile_opts("x.pcap", &opts, &source, &err), -EINVAL);
	ck_assert_str_eq(err.text, "x.pcap: unknown flags 0x80");
	opts.size = 1;
	ck_assert_int_eq(sift_source_open_savefile_opts("x.pcap", &opts, &source, &err), -EINVAL);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("filter/records");
	TCase *tc = tcase_create("libpcap");

	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, packets_are_those_that_libpcap_finds);
	tcase_add_test(tc, packets_of_each_link_type_are_libpcaps);
	tcase_add_test(tc, identifiers_of_can_are_libpcaps);
	tcase_add_test(tc, unknown_options_are_refused);
	suite_add_tcase(s, tc);
	return s;
}
