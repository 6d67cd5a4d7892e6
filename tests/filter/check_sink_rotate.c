/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of rotated files, what is told of them, and refusals; contents are held against
 * tcpdump's in tests/cli/rotate.sh. */
#include "config.h"

#include <bpfsift/filter.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "filter/record.h"
#include "filter/sink.h"
#include "tests/support/suite.h"

enum { ETHERNET = 1, DAY = 86400 };

static const struct {
	const char *pattern;
	struct sift_rotate_opts rotate;
	int64_t time;
	uint32_t number;
	const char *name;
} names[] = {
	{ "out", { .interval_s = 1 }, 0, 0, "out" },
	{ "out%H%%", { .interval_s = 1 }, DAY - 1, 7, "out23%" },
	{ "out%H", { 0 }, 0, 0, "out%H" },
	{ "out%H", { .max_bytes = 1 }, 0, 0, "out%H" },
	{ "out", { .max_bytes = 1 }, 0, 12, "out12" },
	{ "out", { .max_bytes = 1, .max_files = 1 }, 0, 0, "out" },
	{ "out", { .max_bytes = 1, .max_files = 2 }, 0, 0, "out0" },
	{ "out", { .max_bytes = 1, .max_files = 10 }, 0, 9, "out9" },
	{ "out", { .max_bytes = 1, .max_files = 11 }, 0, 9, "out09" },
	{ "out", { .max_bytes = 1, .max_files = 1000 }, 0, 9, "out009" },
	{ "out", { .max_bytes = 1, .max_files = UINT32_MAX }, 0, 9, "out0000000009" },
	{ "out", { .max_files = 1000 }, 0, 9, "out" },
	{ "%Y-", { .interval_s = 1, .max_bytes = 1, .max_files = 20 }, 0, 1, "1970-01" },
	{ "%s", { .interval_s = 1 }, INT64_C(4294967296), 0, "4294967296" },
};

START_TEST(names_are_made)
{
	struct sift_rotate_opts rotate = names[_i].rotate;
	char name[SIFT_ROTATE_NAME_MAX];
	struct ebpf_err err;

	rotate.size = sizeof(rotate);
	ck_assert_int_eq(sift_rotate_name(names[_i].pattern, &rotate, names[_i].time,
					  names[_i].number, name, &err),
			 0);
	ck_assert_str_eq(name, names[_i].name);
}
END_TEST

START_TEST(refuses_names_that_are_none)
{
	struct sift_rotate_opts rotate = { .size = sizeof(rotate), .interval_s = 1 };
	char name[SIFT_ROTATE_NAME_MAX] = "untouched", *longest = malloc(SIFT_ROTATE_NAME_MAX + 1);
	struct ebpf_err err;

	memset(longest, 'x', SIFT_ROTATE_NAME_MAX);
	longest[SIFT_ROTATE_NAME_MAX] = '\0';
	ck_assert_int_eq(sift_rotate_name("", &rotate, 0, 0, name, &err), -ENAMETOOLONG);
	ck_assert_int_eq(sift_rotate_name(longest, &rotate, 0, 0, name, &err), -ENAMETOOLONG);
	ck_assert_int_eq(sift_rotate_name("x", &rotate, INT64_MAX, 0, name, &err), -EOVERFLOW);
	rotate.interval_s = 0;
	ck_assert_int_eq(sift_rotate_name(longest, &rotate, 0, 0, name, &err), -ENAMETOOLONG);
	longest[SIFT_ROTATE_NAME_MAX - 1] = '\0';
	ck_assert_int_eq(sift_rotate_name(longest, &rotate, 0, 0, name, &err), 0);
	strcpy(name, "untouched");
	rotate.max_bytes = 1;
	ck_assert_int_eq(sift_rotate_name(longest, &rotate, 0, 1, name, &err), -ENAMETOOLONG);
	rotate.flags = 4;
	ck_assert_int_eq(sift_rotate_name("x", &rotate, 0, 1, name, &err), -EINVAL);
	ck_assert_str_eq(err.text, "unknown flags 0x4");
	ck_assert_str_eq(name, "untouched");
	free(longest);
}
END_TEST

/* What was told, a line an event. */
static void
note(void *arg, enum sift_rotate_event event, const char *path, uint64_t n)
{
	char *told = arg;

	sprintf(told + strlen(told), "%d %s %d\n", (int)event, path, (int)n);
}

static int n_opened;

static int
open_counted(void *arg, const char *path)
{
	n_opened++;
	ck_assert_ptr_eq(arg, &n_opened);
	if (strcmp(path, "refused") == 0)
		return -EACCES;
	return open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
}

static struct sift_savefile_opts
ethernet(void)
{
	return (struct sift_savefile_opts){ .size = sizeof(struct sift_savefile_opts),
					    .dlt = ETHERNET,
					    .snaplen = 100,
					    .open_file = open_counted,
					    .open_arg = &n_opened };
}

/* Packets of the times 10, 11, ... by the packets' clock, with two seconds a file. */
START_TEST(tells_what_becomes_of_files)
{
	static const char want[] = "0 r10.tmp 2\n0 r12.tmp 2\n2 r12.tmp 4\n";
	char told[200] = "";
	struct sift_rotate_opts rotate = { .size = sizeof(rotate),
					   .interval_s = 2,
					   .max_files = _i == 0 ? 2 : 0,
					   .flags = SIFT_ROTATE_PACKET_CLOCK,
					   .on_event = note,
					   .arg = told };
	struct sift_savefile_opts opts = ethernet();
	struct sift_view views[5];
	uint32_t keep[5];
	struct sift_sink *sink;
	struct ebpf_err err;

	for (int i = 0; i < 5; i++) {
		sift_view_init(&views[i], ETHERNET, (const uint8_t *)"0123456789abcdef", 16, 16);
		views[i].ts_sec = 10 + i;
		keep[i] = 100;
	}
	n_opened = 0;
	ck_assert_int_eq(sift_sink_open_rotated("r%s.tmp", &opts, &rotate, &sink, &err), 0);
	ck_assert_int_eq(n_opened, 0);
	ck_assert_int_eq(sift_sink_write(sink, views, keep, 5, &err), 0);
	ck_assert_int_eq(sift_sink_flush(sink, &err), 0);
	ck_assert_int_eq(sift_sink_close(sink, &err), 0);
	ck_assert_int_eq(n_opened, _i == 0 ? 2 : 3);
	ck_assert_str_eq(told, _i == 0 ? want : "0 r10.tmp 2\n0 r12.tmp 2\n1 r14.tmp 1\n");
	unlink("r10.tmp");
	unlink("r12.tmp");
	unlink("r14.tmp");
}
END_TEST

/* Packets of 16 bytes, seconds apart; all are to be kept. */
enum { N_VIEWS = 6 };

static void
make_views(struct sift_view views[N_VIEWS], uint32_t keep[N_VIEWS])
{
	for (int i = 0; i < N_VIEWS; i++) {
		sift_view_init(&views[i], ETHERNET, (const uint8_t *)"0123456789abcdef", 16, 16);
		views[i].ts_sec = 10 + i;
		keep[i] = 100;
	}
}

/* The second file is not to be had. */
static int
open_first_alone(void *arg, const char *path, int64_t time, uint32_t number)
{
	(void)arg;
	return number > 0 || time > 10 ? -EACCES
				       : open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
}

static const struct {
	enum sift_format format;
	struct sift_rotate_opts rotate;
	const char *told, *second;
} failing[] = {
	/* a header of 24 bytes, of 48, and packets of 32 and 48 */
	{ SIFT_FORMAT_PCAP, { .max_bytes = 60 }, "0 r.tmp 2\n", "r.tmp1" },
	{ SIFT_FORMAT_PCAPNG, { .max_bytes = 60 }, "0 r.tmp 1\n", "r.tmp1" },
	/* larger before its first packet */
	{ SIFT_FORMAT_PCAP, { .max_bytes = 1 }, "0 r.tmp 0\n", "r.tmp1" },
	{ SIFT_FORMAT_PCAP, { .interval_s = 2 }, "0 r10.tmp 2\n", "r12.tmp" },
	{ SIFT_FORMAT_PCAPNG, { .interval_s = 2 }, "0 r10.tmp 2\n", "r12.tmp" },
};

START_TEST(the_next_file_cannot_be_opened)
{
	struct sift_rotate_opts rotate = failing[_i].rotate;
	struct sift_savefile_opts opts = ethernet();
	struct sift_view views[N_VIEWS];
	uint32_t keep[N_VIEWS];
	struct sift_sink *sink;
	struct ebpf_err err = { "" };
	char told[100] = "", said[100];

	make_views(views, keep);
	rotate.size = sizeof(rotate);
	rotate.flags = SIFT_ROTATE_PACKET_CLOCK;
	rotate.open_file = open_first_alone;
	rotate.on_event = note;
	rotate.arg = told;
	opts.format = failing[_i].format;
	ck_assert_int_eq(sift_sink_open_rotated(rotate.max_bytes > 0 ? "r.tmp" : "r%s.tmp", &opts,
						&rotate, &sink, &err), 0);
	ck_assert_int_eq(sift_sink_write(sink, views, keep, N_VIEWS, &err), -EACCES);
	snprintf(said, sizeof(said), "%s: Permission denied", failing[_i].second);
	ck_assert_str_eq(err.text, said);
	/* the first one is complete, and nothing more is written */
	ck_assert_str_eq(told, failing[_i].told);
	ck_assert_int_lt(sift_sink_write(sink, views, keep, 1, &err), 0);
	ck_assert_int_eq(sift_sink_close(sink, &err), 0);
	ck_assert_str_eq(told, failing[_i].told);
	ck_assert_int_eq(unlink(rotate.max_bytes > 0 ? "r.tmp" : "r10.tmp"), 0);
	ck_assert_int_lt(access(failing[_i].second, F_OK), 0);
}
END_TEST

/* They do not begin a file, nor count in one. */
START_TEST(what_is_passed_over_does_not_turn)
{
	struct sift_rotate_opts rotate = { .size = sizeof(rotate),
					   .interval_s = 2,
					   .flags = SIFT_ROTATE_PACKET_CLOCK,
					   .on_event = note };
	struct sift_savefile_opts opts = ethernet();
	struct sift_view views[N_VIEWS];
	uint32_t keep[N_VIEWS];
	struct sift_sink *sink;
	struct ebpf_err err;
	char told[200] = "";

	make_views(views, keep);
	keep[0] = keep[2] = keep[3] = 0;
	rotate.arg = told;
	n_opened = 0;
	ck_assert_int_eq(sift_sink_open_rotated("r%s.tmp", &opts, &rotate, &sink, &err), 0);
	ck_assert_int_eq(sift_sink_write(sink, views, keep, N_VIEWS, &err), 0);
	ck_assert_int_eq(sift_sink_close(sink, &err), 0);
	ck_assert_str_eq(told, "0 r11.tmp 1\n1 r14.tmp 2\n");
	ck_assert_int_eq(n_opened, 2);
	ck_assert_int_eq(unlink("r11.tmp"), 0);
	ck_assert_int_eq(unlink("r14.tmp"), 0);
}
END_TEST

static const struct {
	enum sift_format format;
	int64_t first; /* time of a packet, each a second behind the one before; or of a record */
	bool is_appended;
} late[] = {
	{ SIFT_FORMAT_PCAP, INT64_C(0x7fffffff), false },
	{ SIFT_FORMAT_PCAPNG, INT64_C(0x7fffffff), false },
	{ SIFT_FORMAT_PCAP, INT64_C(0x7fffffff), true },
	/* as files have it, of seconds with a sign */
	{ SIFT_FORMAT_PCAP, -INT64_C(0x80000000), false },
	{ SIFT_FORMAT_PCAPNG, -INT64_C(0x80000000), false },
	{ SIFT_FORMAT_PCAP, -INT64_C(0x80000000), true },
};

/* The same names, whichever way they come. */
START_TEST(seconds_have_no_sign)
{
	struct sift_rotate_opts rotate = { .size = sizeof(rotate),
					   .interval_s = 4,
					   .flags = SIFT_ROTATE_PACKET_CLOCK,
					   .on_event = note };
	struct sift_savefile_opts opts = ethernet();
	uint8_t records[N_VIEWS * (SIFT_RECORD_HEADER + 16)], *to = records;
	struct sift_view views[N_VIEWS];
	uint32_t keep[N_VIEWS];
	struct sift_sink *sink;
	struct ebpf_err err;
	char told[200] = "", wanted[200];
	long long first = (uint32_t)late[_i].first;

	make_views(views, keep);
	for (size_t i = 0; i < N_VIEWS; i++) {
		views[i].ts_sec = late[_i].first + (int64_t)i;
		sift_record_put_header(to, &views[i], 16, 1000);
		memcpy(to + SIFT_RECORD_HEADER, views[i].data, 16);
		to += SIFT_RECORD_HEADER + 16;
	}
	rotate.arg = told;
	opts.format = late[_i].format;
	ck_assert_int_eq(sift_sink_open_rotated("r%s.tmp", &opts, &rotate, &sink, &err), 0);
	ck_assert_int_eq(late[_i].is_appended
				 ? sift_sink_append(sink, records, sizeof(records), &err)
				 : sift_sink_write(sink, views, keep, N_VIEWS, &err),
			 0);
	ck_assert_int_eq(sift_sink_close(sink, &err), 0);
	snprintf(wanted, sizeof(wanted), "0 r%lld.tmp 4\n1 r%lld.tmp 2\n", first, first + 4);
	ck_assert_str_eq(told, wanted);
	for (long long k = first; k <= first + 4; k += 4) {
		snprintf(told, sizeof(told), "r%lld.tmp", k);
		ck_assert_int_eq(unlink(told), 0);
	}
}
END_TEST

/* Whether the last block of a pcapng file is an interface's statistics. */
static bool
ends_with_statistics(const char *path)
{
	uint32_t len, type;
	FILE *f = fopen(path, "rb");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fseek(f, -4, SEEK_END), 0);
	ck_assert_uint_eq(fread(&len, 4, 1, f), 1);
	ck_assert_int_eq(fseek(f, -(long)len, SEEK_END), 0);
	ck_assert_uint_eq(fread(&type, 4, 1, f), 1);
	fclose(f);
	return type == 5;
}

/* What a capture counted in all stands in its last file. */
START_TEST(counts_are_written_last)
{
	const struct sift_source_stats stats = { .size = sizeof(stats), .received = 6,
						 .dropped_kernel = 1 };
	const struct sift_rotate_opts rotate = { .size = sizeof(rotate), .max_bytes = 100,
						 .flags = SIFT_ROTATE_PACKET_CLOCK };
	struct sift_savefile_opts opts = ethernet();
	struct sift_view views[N_VIEWS];
	uint32_t keep[N_VIEWS];
	struct sift_sink *sink;
	struct ebpf_err err;

	make_views(views, keep);
	opts.format = SIFT_FORMAT_PCAPNG;
	ck_assert_int_eq(sift_sink_open_rotated("r.tmp", &opts, &rotate, &sink, &err), 0);
	/* no file yet */
	ck_assert_int_eq(sift_sink_put_stats(sink, &stats, &err), 0);
	ck_assert_int_eq(sift_sink_write(sink, views, keep, 3, &err), 0);
	ck_assert_int_eq(sift_sink_put_stats(sink, &stats, &err), 0);
	ck_assert_int_eq(sift_sink_close(sink, &err), 0);
	ck_assert(!ends_with_statistics("r.tmp"));
	ck_assert(ends_with_statistics("r.tmp1"));
	ck_assert_int_eq(unlink("r.tmp"), 0);
	ck_assert_int_eq(unlink("r.tmp1"), 0);
}
END_TEST

START_TEST(refuses_before_anything_is_created)
{
	struct sift_rotate_opts rotate = { .size = sizeof(rotate), .max_bytes = 1 };
	struct sift_savefile_opts opts = ethernet();
	struct sift_sink *sink = NULL;
	struct ebpf_err err;

	n_opened = 0;
	opts.snaplen = 0;
	ck_assert_int_eq(sift_sink_open_rotated("r.tmp", &opts, &rotate, &sink, &err), -EINVAL);
	ck_assert_str_eq(err.text, "r.tmp: snapshot length 0, but it is 1 to 2147483647");
	opts = ethernet();
	rotate.size = 4;
	ck_assert_int_eq(sift_sink_open_rotated("r.tmp", &opts, &rotate, &sink, &err), -EINVAL);
	ck_assert_int_eq(n_opened, 0);
	rotate.size = sizeof(rotate);
	opts.format = SIFT_FORMAT_PCAPNG;
	opts.flags = SIFT_SAVEFILE_SECTIONS;
	ck_assert_int_eq(sift_sink_open_rotated("r.tmp", &opts, &rotate, &sink, &err), -EINVAL);
	ck_assert_str_eq(err.text, "r.tmp: sections are not kept from file to file");
	ck_assert_int_eq(n_opened, 0);
	opts = ethernet();
	ck_assert_int_eq(sift_sink_open_rotated("refused", &opts, &rotate, &sink, &err), -EACCES);
	ck_assert_str_eq(err.text, "refused: Permission denied");
	ck_assert_int_eq(n_opened, 1);
	ck_assert_ptr_null(sink);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("filter/sink_rotate");
	TCase *tc = tcase_create("rotate");

	setenv("TZ", "UTC", 1);
	tzset();
	tcase_add_loop_test(tc, names_are_made, 0, N_ELEMS(names));
	tcase_add_test(tc, refuses_names_that_are_none);
	tcase_add_loop_test(tc, tells_what_becomes_of_files, 0, 2);
	tcase_add_loop_test(tc, the_next_file_cannot_be_opened, 0, N_ELEMS(failing));
	tcase_add_test(tc, what_is_passed_over_does_not_turn);
	tcase_add_loop_test(tc, seconds_have_no_sign, 0, N_ELEMS(late));
	tcase_add_test(tc, counts_are_written_last);
	tcase_add_test(tc, refuses_before_anything_is_created);
	suite_add_tcase(s, tc);
	return s;
}
