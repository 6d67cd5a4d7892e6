/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <bpfsift/filter.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/savefile.h"
#include "tests/support/suite.h"

static void
check_packet(const struct savefile_kind *kind, size_t i, const struct sift_view *view)
{
	struct savefile_packet want = savefile_packet(kind, i);

	ck_assert_msg(view->caplen == want.caplen && view->wirelen == want.wirelen,
		      "%s: packet %zu has %u of %u bytes", kind->name, i, view->caplen,
		      view->wirelen);
	ck_assert_msg(view->ts_sec == want.ts_sec && view->ts_nsec == want.ts_nsec,
		      "%s: packet %zu at %lld.%09u", kind->name, i, (long long)view->ts_sec,
		      view->ts_nsec);
	ck_assert_mem_eq(view->data, want.data, want.caplen);
}

/*
 * Read to the end: packets as they were made, and how many.  Returns what the
 * last call did, its message in err.
 */
static int
read_all(struct sift_source *source, const struct savefile_kind *kind, size_t *n_packets,
	 struct ebpf_err *err)
{
	const struct sift_view *views;
	size_t n;
	int rc;

	for (*n_packets = 0; (rc = sift_source_next(source, &views, &n, err)) == 1;) {
		ck_assert_uint_gt(n, 0);
		ck_assert_uint_le(n, SIFT_BATCH_MAX);
		for (size_t i = 0; i < n; i++)
			check_packet(kind, (*n_packets)++, &views[i]);
	}
	return rc;
}

START_TEST(reads_every_kind_of_savefile)
{
	const struct savefile_kind *kind = &savefile_kinds[_i];
	struct sift_source_info info = { .size = sizeof(info) };
	struct savefile file;
	struct sift_source *source;
	struct ebpf_err err;
	uint16_t one = 1;
	bool is_big_host = *(uint8_t *)&one == 0;
	size_t n;

	savefile_make(&file, kind);
	ck_assert_int_eq(
		sift_source_open_savefile(savefile_write(file.bytes, file.len), &source, &err), 0);
	ck_assert_int_eq(sift_source_info(source, &info, &err), 0);
	ck_assert_int_eq(info.dlt, 1);
	ck_assert_uint_eq(info.snaplen, SAVEFILE_SNAPLEN);
	ck_assert_int_eq(info.precision,
			 kind->is_nano ? SIFT_PRECISION_NANO : SIFT_PRECISION_MICRO);
	ck_assert_uint_eq(info.expr_flags,
			  SIFT_EXPR_SAVEFILE |
				  (kind->is_big_endian != is_big_host ? SIFT_EXPR_SWAPPED : 0));
	ck_assert_int_eq(read_all(source, kind, &n, &err), 0);
	ck_assert_uint_eq(n, SAVEFILE_PACKETS);
	sift_source_close(source);
	unlink(savefile_path());
}
END_TEST

/* Read a file of cut bytes: packets before the cut, then an error that names it. */
static void
check_cut(const struct savefile_kind *kind, const struct savefile *file, size_t cut)
{
	const char *path = savefile_write(file->bytes, cut);
	struct sift_source *source;
	struct ebpf_err err = { "" };
	char want[128];
	size_t whole = 0, n;
	int rc;

	while (whole < SAVEFILE_PACKETS && file->at[whole + 1] <= cut)
		whole++;
	rc = sift_source_open_savefile(path, &source, &err);
	if (rc < 0) {
		ck_assert_msg(cut < file->at[0], "%s: cut at %zu: %s", kind->name, cut, err.text);
		ck_assert_int_eq(rc, -EINVAL);
		/* pcapng: the section header, or the interface's block behind it */
		snprintf(want, sizeof(want), "%s: offset %d: ", path,
			 kind->is_pcapng && cut >= 28 ? 28 : 0);
		ck_assert_msg(strncmp(err.text, want, strlen(want)) == 0, "%s: cut at %zu: %s",
			      kind->name, cut, err.text);
		return;
	}
	rc = read_all(source, kind, &n, &err);
	ck_assert_msg(n == whole, "%s: cut at %zu: %zu packets", kind->name, cut, n);
	if (cut == file->at[whole]) {
		ck_assert_msg(rc == 0, "%s: cut at %zu: %s", kind->name, cut, err.text);
	} else {
		const struct sift_view *views;

		snprintf(want, sizeof(want), "%s: offset %zu: ", path, file->at[whole]);
		ck_assert_msg(rc == -EINVAL, "%s: cut at %zu: %d", kind->name, cut, rc);
		ck_assert_msg(strncmp(err.text, want, strlen(want)) == 0, "%s: cut at %zu: %s",
			      kind->name, cut, err.text);
		ck_assert_int_eq(sift_source_next(source, &views, &n, &err), 0);
	}
	sift_source_close(source);
}

START_TEST(packets_before_a_cut_come_first)
{
	struct savefile file;

	savefile_make(&file, &savefile_kinds[_i]);
	for (size_t cut = 0; cut <= file.at[3]; cut++)
		check_cut(&savefile_kinds[_i], &file, cut);
	unlink(savefile_path());
}
END_TEST

/* Make a pipe with these bytes, and nothing after them, standard input. */
static void
feed_stdin(const uint8_t *bytes, size_t len)
{
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(write(ends[1], bytes, len), (ssize_t)len);
	ck_assert_int_eq(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	close(ends[0]);
	close(ends[1]);
}

START_TEST(reads_standard_input_and_knows_offsets_there)
{
	const struct savefile_kind *kind = &savefile_kinds[_i];
	struct savefile file;
	struct sift_source *source;
	struct ebpf_err err;
	char want[64];
	size_t n;

	savefile_make(&file, kind);
	feed_stdin(file.bytes, file.at[4] + 10);
	ck_assert_int_eq(sift_source_open_savefile("-", &source, &err), 0);
	ck_assert_int_eq(read_all(source, kind, &n, &err), -EINVAL);
	ck_assert_uint_eq(n, 4);
	snprintf(want, sizeof(want), "standard input: offset %zu: ", file.at[4]);
	ck_assert_msg(strncmp(err.text, want, strlen(want)) == 0, "%s", err.text);
	sift_source_close(source);
}
END_TEST

/* The offset is of the block that libpcap choked on, not of the last packet. */
START_TEST(names_the_damaged_block_behind_others)
{
	const struct savefile_kind *kind = &savefile_kinds[4];
	static const uint8_t name_block[] = { 4, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0 };
	struct savefile file;
	struct sift_source *source;
	struct ebpf_err err;
	char want[64];
	const char *path;
	size_t n, damaged;

	savefile_make(&file, kind);
	damaged = file.at[2] + sizeof(name_block);
	memmove(file.bytes + damaged, file.bytes + file.at[2], file.len - file.at[2]);
	memcpy(file.bytes + file.at[2], name_block, sizeof(name_block));
	file.bytes[damaged + 20] = 0xff; /* caplen beyond the block */
	path = savefile_write(file.bytes, file.len + sizeof(name_block));
	ck_assert_int_eq(sift_source_open_savefile(path, &source, &err), 0);
	ck_assert_int_eq(read_all(source, kind, &n, &err), -EINVAL);
	ck_assert_uint_eq(n, 2);
	snprintf(want, sizeof(want), "%s: offset %zu: ", path, damaged);
	ck_assert_msg(strncmp(err.text, want, strlen(want)) == 0, "%s", err.text);
	sift_source_close(source);
	unlink(path);
}
END_TEST

static void
store32(uint8_t *p, uint32_t v)
{
	for (size_t i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

/* Packets of 0 to 40,000 bytes, more than a batch and more than its arena. */
START_TEST(large_packets_among_small_ones_keep_their_bytes)
{
	enum { N = 300 };
	static uint8_t bytes[24 + N * 16 + 40000 * (N / 10 + 1) + 100 * N];
	static uint8_t want[40000];
	struct savefile head;
	const struct sift_view *views;
	struct sift_source *source;
	struct ebpf_err err;
	size_t len = 24, n, seen = 0;

	savefile_make(&head, &savefile_kinds[0]);
	memcpy(bytes, head.bytes, len);
	store32(bytes + 16, 262144);
	for (uint32_t i = 0; i < N; i++) {
		uint32_t caplen = i % 10 == 7 ? 40000 : i % 100;

		store32(bytes + len, i);
		store32(bytes + len + 8, caplen);
		store32(bytes + len + 12, caplen);
		memset(bytes + len + 16, (int)i, caplen);
		len += 16 + caplen;
	}
	ck_assert_uint_le(len, sizeof(bytes));
	ck_assert_int_eq(sift_source_open_savefile(savefile_write(bytes, len), &source, &err), 0);
	while (sift_source_next(source, &views, &n, &err) == 1) {
		for (size_t i = 0; i < n; i++, seen++) {
			ck_assert_int_eq(views[i].ts_sec, (int64_t)seen);
			ck_assert_uint_eq(views[i].caplen, seen % 10 == 7 ? 40000 : seen % 100);
			memset(want, (int)seen, views[i].caplen);
			ck_assert_mem_eq(views[i].data, want, views[i].caplen);
		}
	}
	ck_assert_uint_eq(seen, N);
	sift_source_close(source);
	unlink(savefile_path());
}
END_TEST

/* Fractions of a second and more, as in files of broken writers. */
START_TEST(broken_fractions_are_not_lost)
{
	static const struct {
		uint32_t micro;
		uint32_t excess;
		uint32_t nsec;
	} cases[] = {
		{ 999999, 0, 999999000 },        { 1000000, 1, 0 },
		{ 4294967, 4, 294967000 },       { 4294968, 4, 294968000 },
		{ UINT32_MAX, 4294, 967295000 },
	};
	const struct sift_view *views;
	struct sift_source *source;
	struct savefile file;
	struct ebpf_err err;
	size_t n;

	savefile_make(&file, &savefile_kinds[0]);
	store32(file.bytes + file.at[0] + 4, cases[_i].micro);
	ck_assert_int_eq(
		sift_source_open_savefile(savefile_write(file.bytes, file.len), &source, &err), 0);
	ck_assert_int_eq(sift_source_next(source, &views, &n, &err), 1);
	ck_assert_int_eq(views[0].ts_sec, 1700000000);
	ck_assert_uint_eq(views[0].ts_excess, cases[_i].excess);
	ck_assert_uint_eq(views[0].ts_nsec, cases[_i].nsec);
	sift_source_close(source);
	unlink(savefile_path());
}
END_TEST

static const struct {
	const char *path;
	int rc;
	const char *text;
} unreadable[] = {
	{ "no/such.pcap", -ENOENT, "no/such.pcap: No such file or directory" },
	{ ".", -EISDIR, ".: offset 0: Is a directory" },
	{ "/dev/null", -EINVAL,
	  "/dev/null: offset 0: truncated dump file; tried to read 4 file header bytes, only got 0" },
};

START_TEST(refuses_what_cannot_be_read)
{
	struct sift_source *source = NULL;
	struct ebpf_err err;

	ck_assert_int_eq(sift_source_open_savefile(unreadable[_i].path, &source, &err),
			 unreadable[_i].rc);
	ck_assert_str_eq(err.text, unreadable[_i].text);
	ck_assert_ptr_null(source);
}
END_TEST

START_TEST(a_stopped_source_is_at_its_end)
{
	const struct sift_view *views;
	struct sift_source *source;
	struct savefile file;
	struct ebpf_err err = { "" };
	size_t n;

	savefile_make(&file, &savefile_kinds[_i]);
	ck_assert_int_eq(
		sift_source_open_savefile(savefile_write(file.bytes, file.len), &source, &err), 0);
	sift_source_stop(source);
	ck_assert_int_eq(sift_source_next(source, &views, &n, &err), 0);
	ck_assert_str_eq(err.text, "");
	sift_source_close(source);
	unlink(savefile_path());
}
END_TEST

START_TEST(a_file_is_not_asked_what_only_interfaces_know)
{
	struct sift_source_stats stats = { .size = sizeof(stats) };
	struct sift_source_info info = { .size = 1 };
	struct sift_source *source;
	struct savefile file;
	struct ebpf_err err;
	int *dlts = NULL;
	size_t n;

	savefile_make(&file, &savefile_kinds[0]);
	ck_assert_int_eq(
		sift_source_open_savefile(savefile_write(file.bytes, file.len), &source, &err), 0);
	ck_assert_int_eq(sift_source_stats(source, &stats, &err), -EINVAL);
	ck_assert_int_eq(sift_source_linktypes(source, &dlts, &n, &err), -EINVAL);
	ck_assert_ptr_null(dlts);
	ck_assert_int_eq(sift_source_set_linktype(source, 1, &err), -EINVAL);
	ck_assert_int_eq(sift_source_info(source, &info, &err), -EINVAL);
	sift_source_close(source);
	sift_source_close(NULL);
	unlink(savefile_path());
}
END_TEST

START_TEST(no_such_interface)
{
	struct sift_live_opts opts = { .size = sizeof(opts) };
	struct sift_source *source = NULL;
	struct ebpf_err err = { "" };
	int rc = sift_source_open_live("bpfsift-none", &opts, &source, &err);

	ck_assert_ptr_null(source);
	ck_assert_msg(rc == -ENODEV || rc == -EPERM, "%d: %s", rc, err.text);
	ck_assert_msg(strncmp(err.text, "bpfsift-none: ", 14) == 0, "%s", err.text);
	opts.flags = 0x80;
	ck_assert_int_eq(sift_source_open_live("lo", &opts, &source, &err), -EINVAL);
	ck_assert_str_eq(err.text, "unknown flags 0x80");
}
END_TEST

static const struct {
	struct sift_live_opts opts;
	const char *err;
} bad_live[] = {
	{ { .size = sizeof(struct sift_live_opts), .snaplen = (uint32_t)INT32_MAX + 1 },
	  "snapshot length or timeout over 2147483647" },
	{ { .size = sizeof(struct sift_live_opts), .timeout_ms = (uint32_t)INT32_MAX + 1 },
	  "snapshot length or timeout over 2147483647" },
	{ { .size = sizeof(struct sift_live_opts), .buffer_kib = INT32_MAX / 1024 + 1 },
	  "a buffer of 2097152 KiB, but the limit is 2097151" },
	{ { .size = sizeof(struct sift_live_opts), .direction = (enum sift_direction)7 },
	  "unknown direction 7" },
	{ { .size = sizeof(struct sift_live_opts), .tstamp_type = "sundial" },
	  "invalid time stamp type sundial" },
	{ { .size = 1 }, NULL },
};

START_TEST(refuses_options_of_live_capture)
{
	struct sift_source *source = NULL;
	struct ebpf_err err = { "" };

	ck_assert_int_eq(sift_source_open_live("lo", &bad_live[_i].opts, &source, &err), -EINVAL);
	if (bad_live[_i].err != NULL)
		ck_assert_str_eq(err.text, bad_live[_i].err);
	ck_assert_str_ne(err.text, "");
	ck_assert_ptr_null(source);
}
END_TEST

/* The loopback has no clock of its own: that is a warning, and the kernel's is taken. */
START_TEST(a_clock_that_the_interface_has_not)
{
	const struct sift_live_opts opts = { .size = sizeof(opts), .tstamp_type = "adapter" };
	struct sift_source_info info = { .size = sizeof(info) };
	struct sift_source *source = NULL;
	struct ebpf_err err = { "" };
	int rc = sift_source_open_live("lo", &opts, &source, &err);

	if (rc == -EPERM || rc == -ENODEV || rc == -ENETDOWN) {
		suite_skip("%s", err.text);
		return;
	}
	ck_assert_msg(rc == 0, "%s", err.text);
	ck_assert_int_eq(sift_source_info(source, &info, &err), 0);
	ck_assert_ptr_nonnull(info.warning);
	ck_assert_msg(strstr(info.warning, "timestamp type 'adapter' on lo: ") != NULL, "%s",
		      info.warning);
	sift_source_close(source);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("filter/source");
	TCase *tc = tcase_create("savefile");

	tcase_add_loop_test(tc, reads_every_kind_of_savefile, 0, N_SAVEFILE_KINDS);
	tcase_add_loop_test(tc, packets_before_a_cut_come_first, 0, N_SAVEFILE_KINDS);
	tcase_add_loop_test(tc, reads_standard_input_and_knows_offsets_there, 0, N_SAVEFILE_KINDS);
	tcase_add_test(tc, names_the_damaged_block_behind_others);
	tcase_add_test(tc, large_packets_among_small_ones_keep_their_bytes);
	tcase_add_loop_test(tc, broken_fractions_are_not_lost, 0, 5);
	tcase_add_loop_test(tc, refuses_what_cannot_be_read, 0, N_ELEMS(unreadable));
	tcase_add_loop_test(tc, a_stopped_source_is_at_its_end, 0, N_SAVEFILE_KINDS);
	tcase_add_test(tc, a_file_is_not_asked_what_only_interfaces_know);
	suite_add_tcase(s, tc);
	tc = tcase_create("live");
	tcase_add_test(tc, no_such_interface);
	tcase_add_loop_test(tc, refuses_options_of_live_capture, 0, N_ELEMS(bad_live));
	tcase_add_test(tc, a_clock_that_the_interface_has_not);
	suite_add_tcase(s, tc);
	return s;
}
