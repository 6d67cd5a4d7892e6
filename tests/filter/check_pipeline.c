/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <bpfsift/filter.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/filter.h"
#include "tests/support/savefile.h"
#include "tests/support/suite.h"

/* A verdict on a match: of fewer bytes than any packet has. */
enum { ETHERNET = 1, FEWER_THAN_ANY = 5 };
static const char out_path[] = "pipeline-out.tmp";

static struct sift_source *
open_source(void)
{
	struct sift_source *source;
	struct savefile file;
	struct ebpf_err err;

	savefile_make(&file, &savefile_kinds[0]);
	ck_assert_int_eq(
		sift_source_open_savefile(savefile_write(file.bytes, file.len), &source, &err), 0);
	unlink(savefile_path());
	return source;
}

static struct sift_sink *
open_sink(void)
{
	struct sift_savefile_opts opts = { .size = sizeof(opts), .dlt = ETHERNET, .snaplen = 1000 };
	struct sift_sink *sink;
	struct ebpf_err err;

	ck_assert_int_eq(sift_sink_open_savefile(out_path, &opts, &sink, &err), 0);
	return sink;
}

/* Packet i has 20 + 7i bytes of 20 + 9i. */
static const struct {
	const char *expression; /* NULL: no filter */
	uint64_t max_matched;
	uint32_t snaplen;
	uint64_t seen, matched;
	size_t bytes; /* of packets, in the file */
} runs[] = {
	{ NULL, 0, 0, 5, 5, 5 * 20 + 7 * 10 },
	{ "", 0, 0, 5, 5, 5 * 20 + 7 * 10 },
	{ "len >= 38", 0, 0, 5, 3, 34 + 41 + 48 },
	{ "len >= 38", 0, 40, 5, 3, 34 + 40 + 40 },
	{ "len >= 38", 0, 1, 5, 3, 3 },
	{ "len >= 38", 2, 0, 4, 2, 34 + 41 },
	{ "len >= 38", 3, 0, 5, 3, 34 + 41 + 48 },
	{ "len < 38", 2, 0, 2, 2, 20 + 27 },
	{ "len < 38", 100, 0, 5, 2, 20 + 27 },
	{ "len == 1", 0, 0, 5, 0, 0 },
};

static void
check_run(struct sift_pipeline_opts *opts, uint64_t seen, uint64_t matched, uint64_t written)
{
	struct sift_pipeline_counters counters = { .size = sizeof(counters) };
	struct sift_pipeline *pipeline;
	struct ebpf_err err;

	ck_assert_int_eq(sift_pipeline_new(opts, &pipeline, &err), 0);
	ck_assert_int_eq(sift_pipeline_run(pipeline, &err), 0);
	ck_assert_int_eq(sift_pipeline_counters(pipeline, &counters, &err), 0);
	ck_assert_uint_eq(counters.seen, seen);
	ck_assert_uint_eq(counters.matched, matched);
	ck_assert_uint_eq(counters.written, written);
	sift_pipeline_free(pipeline);
}

START_TEST(counts_and_writes_what_matches)
{
	struct sift_pipeline_opts opts = {
		.size = sizeof(opts),
		.source = open_source(),
		.sink = open_sink(),
		.max_matched = runs[_i].max_matched,
		.snaplen = runs[_i].snaplen,
	};
	struct sift_filter *filter =
		runs[_i].expression != NULL ? filter_make(runs[_i].expression, FEWER_THAN_ANY)
					    : NULL;
	struct ebpf_err err;
	struct stat st;

	opts.filter = filter;
	check_run(&opts, runs[_i].seen, runs[_i].matched, runs[_i].matched);
	ck_assert_int_eq(sift_sink_close(opts.sink, &err), 0);
	ck_assert_int_eq(stat(out_path, &st), 0);
	ck_assert_uint_eq((size_t)st.st_size, 24 + 16 * runs[_i].matched + runs[_i].bytes);
	sift_source_close(opts.source);
	sift_filter_free(filter);
	unlink(out_path);
}
END_TEST

START_TEST(counts_without_a_sink)
{
	struct sift_filter *filter = filter_make(runs[_i].expression, FEWER_THAN_ANY);
	struct sift_pipeline_opts opts = {
		.size = sizeof(opts),
		.source = open_source(),
		.filter = filter,
		.max_matched = runs[_i].max_matched,
	};

	check_run(&opts, runs[_i].seen, runs[_i].matched, 0);
	sift_source_close(opts.source);
	sift_filter_free(filter);
}
END_TEST

START_TEST(a_stopped_source_ends_the_run)
{
	struct sift_pipeline_opts opts = { .size = sizeof(opts), .source = open_source() };

	sift_source_stop(opts.source);
	check_run(&opts, 0, 0, 0);
	sift_source_close(opts.source);
}
END_TEST

START_TEST(a_sink_that_fails_ends_the_run)
{
	struct rlimit limit = { 30, RLIM_INFINITY };
	struct sift_pipeline_opts opts = {
		.size = sizeof(opts),
		.source = open_source(),
		.sink = open_sink(),
		.flags = SIFT_PIPELINE_FLUSH,
	};
	struct sift_pipeline *pipeline;
	struct ebpf_err err;
	int rc;

	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(sift_pipeline_new(&opts, &pipeline, &err), 0);
	setrlimit(RLIMIT_FSIZE, &limit);
	rc = sift_pipeline_run(pipeline, &err);
	limit.rlim_cur = RLIM_INFINITY;
	setrlimit(RLIMIT_FSIZE, &limit);
	ck_assert_int_eq(rc, -EFBIG);
	ck_assert_str_eq(err.text, "pipeline-out.tmp: offset 30: File too large");
	ck_assert_int_eq(sift_sink_close(opts.sink, &err), 0);
	sift_pipeline_free(pipeline);
	sift_source_close(opts.source);
	unlink(out_path);
}
END_TEST

START_TEST(refuses_misuse)
{
	struct sift_pipeline_opts opts = { .size = sizeof(opts) };
	struct sift_pipeline *pipeline = NULL;
	struct ebpf_err err;

	ck_assert_int_eq(sift_pipeline_new(&opts, &pipeline, &err), -EINVAL);
	ck_assert_str_eq(err.text, "a pipeline needs a source");
	opts.source = open_source();
	opts.flags = 0x40;
	ck_assert_int_eq(sift_pipeline_new(&opts, &pipeline, &err), -EINVAL);
	ck_assert_str_eq(err.text, "unknown flags 0x40");
	opts.size = 8;
	ck_assert_int_eq(sift_pipeline_new(&opts, &pipeline, &err), -EINVAL);
	ck_assert_ptr_null(pipeline);
	sift_pipeline_free(NULL);
	sift_source_close(opts.source);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("filter/pipeline");
	TCase *tc = tcase_create("pipeline");

	tcase_add_loop_test(tc, counts_and_writes_what_matches, 0, N_ELEMS(runs));
	tcase_add_loop_test(tc, counts_without_a_sink, 1, N_ELEMS(runs));
	tcase_add_test(tc, a_stopped_source_ends_the_run);
	tcase_add_test(tc, a_sink_that_fails_ends_the_run);
	tcase_add_test(tc, refuses_misuse);
	suite_add_tcase(s, tc);
	return s;
}
