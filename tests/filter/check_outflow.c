/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is compressed reads as what was given, by ourselves and by the formats' own
 * tools, at each level and with threads; after a flush as far as that; and a write
 * that fails is reported.
 */
#include "config.h"

#include "filter/outflow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "filter/inflow.h"
#include "tests/support/compress.h"
#include "tests/support/suite.h"

static const int max_levels[] = {
	[SIFT_CODEC_GZIP] = 9, [SIFT_CODEC_ZSTD] = 22, [SIFT_CODEC_LZ4] = 12, [SIFT_CODEC_XZ] = 9
};
static const char *const readers[] = { [SIFT_CODEC_GZIP] = "gzip",
				       [SIFT_CODEC_ZSTD] = "zstd",
				       [SIFT_CODEC_LZ4] = "lz4",
				       [SIFT_CODEC_XZ] = "xz" };

static int
put(void *arg, const uint8_t *bytes, size_t n, struct ebpf_err *err)
{
	(void)err;
	ck_assert_uint_gt(n, 0);
	bytes_add(arg, bytes, n);
	return 0;
}

static struct sift_outflow *
open_flow(enum sift_codec codec, int level, unsigned n_threads, struct bytes *file)
{
	const struct sift_outflow_opts opts = {
		.codec = codec,
		.level = level,
		.n_threads = n_threads,
		.put = put,
		.arg = file,
		.name = "x",
	};
	struct ebpf_err err = { "" };
	struct sift_outflow *flow;

	ck_assert_msg(sift_outflow_new(&opts, &flow, &err) == 0, "%s", err.text);
	return flow;
}

/* The bytes that can be read of it, and how that ended. */
static int
inflate(const struct bytes *file, struct bytes *content, struct ebpf_err *err)
{
	const struct sift_inflow_opts opts = {
		.fd = open_file(file->p, file->n),
		.name = "x",
		.memlimit = (uint64_t)1 << 30,
	};
	struct sift_inflow *flow;
	const uint8_t *block;
	size_t n;
	int rc;

	ck_assert_msg(sift_inflow_new(&opts, &flow, err) == 0, "%s", err->text);
	while ((rc = sift_inflow_next(flow, &block, &n, err)) == 1)
		bytes_add(content, block, n);
	sift_inflow_free(flow);
	close(opts.fd);
	return rc;
}

static void
expect_same(const struct bytes *a, const struct bytes *b)
{
	ck_assert_uint_eq(a->n, b->n);
	ck_assert(a->n == 0 || memcmp(a->p, b->p, a->n) == 0);
}

static void
expect_reads_as(const struct bytes *file, const struct bytes *content)
{
	struct ebpf_err err = { "" };
	struct bytes got = { NULL };

	ck_assert_msg(inflate(file, &got, &err) == 0, "%s", err.text);
	expect_same(&got, content);
	free(got.p);
}

/* Written in pieces, some of them flushed. */
static void
write_all(struct sift_outflow *flow, const struct bytes *content, uint64_t *rng)
{
	struct ebpf_err err = { "" };
	size_t at = 0;

	while (at < content->n) {
		size_t left = content->n - at, some = rng_below(rng, 150000);

		some = some < left ? some : left;
		ck_assert_msg(sift_outflow_write(flow, content->p + at, some, &err) == 0, "%s",
			      err.text);
		at += some;
		if (rng_below(rng, 8) == 0)
			ck_assert_msg(sift_outflow_flush(flow, &err) == 0, "%s", err.text);
	}
	ck_assert_msg(sift_outflow_finish(flow, &err) == 0, "%s", err.text);
}

START_TEST(reads_as_what_was_given)
{
	static const size_t sizes[] = { 0, 1, 65536, 262144, 262145, 3000000 };
	enum sift_codec codec = (enum sift_codec)_i;
	uint64_t rng = suite_seed(0x0f1), n_more = suite_scaled(40);
	char command[32];
	bool has_reader;

	if (!has_codec(codec))
		return;
	has_reader = has_tool(readers[codec]);
	snprintf(command, sizeof(command), "%s -dcq", readers[codec]);
	for (size_t i = 0; i < N_ELEMS(sizes) + n_more; i++) {
		struct bytes content = { NULL }, file = { NULL }, theirs = { NULL };
		struct sift_outflow *flow =
			open_flow(codec, (int)rng_below(&rng, 4), rng_below(&rng, 3), &file);

		bytes_add_content(&content, i < N_ELEMS(sizes) ? sizes[i] : rng_below(&rng, 400000),
				  &rng);
		write_all(flow, &content, &rng);
		ck_assert_uint_eq(sift_outflow_written(flow), file.n);
		sift_outflow_free(flow);
		ck_assert_int_eq(sift_codec_by_magic(file.p, file.n), codec);
		expect_reads_as(&file, &content);
		if (has_reader) {
			ck_assert(pass_through(command, &file, &theirs));
			expect_same(&theirs, &content);
		}
		free(content.p);
		free(file.p);
		free(theirs.p);
	}
}
END_TEST

START_TEST(each_level_compresses)
{
	enum sift_codec codec = (enum sift_codec)_i;
	uint64_t rng = suite_seed(0x0f2);
	struct bytes content = { NULL };

	if (!has_codec(codec))
		return;
	bytes_add_content(&content, 200000, &rng);
	for (int level = 1; level <= max_levels[codec]; level++) {
		struct bytes file = { NULL };
		struct sift_outflow *flow = open_flow(codec, level, 0, &file);

		write_all(flow, &content, &rng);
		sift_outflow_free(flow);
		expect_reads_as(&file, &content);
		ck_assert_uint_lt(file.n, content.n);
		free(file.p);
	}
	free(content.p);
}
END_TEST

START_TEST(what_was_flushed_can_be_read)
{
	enum sift_codec codec = (enum sift_codec)_i;
	uint64_t rng = suite_seed(0x0f3), n_times = suite_scaled(60);

	if (!has_codec(codec))
		return;
	for (uint64_t i = 0; i < n_times; i++) {
		struct bytes content = { NULL }, file = { NULL }, got = { NULL };
		struct sift_outflow *flow = open_flow(codec, 1, rng_below(&rng, 2), &file);
		struct ebpf_err err = { "" };

		for (int k = 0; k < 3; k++) {
			size_t begin = content.n;

			bytes_add_content(&content, 1 + rng_below(&rng, 100000), &rng);
			ck_assert_int_eq(sift_outflow_write(flow, content.p + begin,
							    content.n - begin, &err),
					 0);
			ck_assert_int_eq(sift_outflow_flush(flow, &err), 0);
			got.n = 0;
			ck_assert_int_eq(inflate(&file, &got, &err), -EINVAL);
			ck_assert_ptr_nonnull(strstr(err.text, ": truncated"));
			expect_same(&got, &content);
		}
		sift_outflow_free(flow);
		free(content.p);
		free(file.p);
		free(got.p);
	}
}
END_TEST

/* ---- failures ---- */

static int
refuse(void *arg, const uint8_t *bytes, size_t n, struct ebpf_err *err)
{
	(void)bytes;
	(void)n;
	++*(int *)arg;
	snprintf(err->text, sizeof(err->text), "the disk is on fire");
	return -EIO;
}

/* To the end, whatever comes of it: the first failure. */
static int
write_until_failure(struct sift_outflow *flow, const struct bytes *content, struct ebpf_err *err)
{
	int rc = sift_outflow_write(flow, content->p, content->n, err);

	if (rc == 0)
		rc = sift_outflow_flush(flow, err);
	return rc;
}

START_TEST(a_failed_write_is_reported_and_the_last)
{
	enum sift_codec codec = (enum sift_codec)_i;
	static const size_t sizes[] = { 1, 1000000 };
	uint64_t rng = suite_seed(0x0f4);

	if (!has_codec(codec))
		return;
	for (size_t i = 0; i < N_ELEMS(sizes) * 2; i++) {
		struct bytes content = { NULL };
		struct ebpf_err err = { "" };
		struct sift_outflow *flow;
		int n_calls = 0;
		const struct sift_outflow_opts opts = {
			.codec = codec,
			.n_threads = i / N_ELEMS(sizes),
			.put = refuse,
			.arg = &n_calls,
			.name = "x",
		};

		bytes_add_content(&content, sizes[i % N_ELEMS(sizes)], &rng);
		ck_assert_int_eq(sift_outflow_new(&opts, &flow, &err), 0);
		ck_assert_int_eq(write_until_failure(flow, &content, &err), -EIO);
		ck_assert_str_eq(err.text, "the disk is on fire");
		err.text[0] = '\0';
		ck_assert_int_eq(sift_outflow_write(flow, content.p, 1, &err), -EIO);
		ck_assert_int_eq(sift_outflow_finish(flow, &err), -EIO);
		ck_assert_str_eq(err.text, "the disk is on fire");
		ck_assert_int_eq(n_calls, 1);
		sift_outflow_free(flow);
		free(content.p);
	}
}
END_TEST

START_TEST(the_errno_of_a_descriptor_is_reported)
{
	enum sift_codec codec = (enum sift_codec)_i;
	struct sift_outflow_opts opts = { .codec = codec, .name = "x" };
	uint64_t rng = suite_seed(0x0f5);
	struct bytes content = { NULL };
	struct ebpf_err err = { "" };
	struct sift_outflow *flow;

	if (!has_codec(codec))
		return;
	opts.fd = open("/dev/full", O_WRONLY);
	if (opts.fd < 0) {
		suite_skip("no /dev/full: no disk to be full");
		return;
	}
	bytes_add_content(&content, 500000, &rng);
	ck_assert_int_eq(sift_outflow_new(&opts, &flow, &err), 0);
	ck_assert_int_eq(write_until_failure(flow, &content, &err), -ENOSPC);
	ck_assert_str_eq(err.text, "x: offset 0: No space left on device");
	ck_assert_uint_eq(sift_outflow_written(flow), 0);
	sift_outflow_free(flow);
	close(opts.fd);
	free(content.p);
}
END_TEST

START_TEST(goes_into_a_descriptor)
{
	enum sift_codec codec = (enum sift_codec)_i;
	struct sift_outflow_opts opts = { .codec = codec, .name = "x", .fd = open_file(NULL, 0) };
	struct bytes content = { NULL }, file = { NULL };
	uint64_t rng = suite_seed(0x0f6);
	struct ebpf_err err = { "" };
	struct sift_outflow *flow;
	uint8_t some[4096];
	ssize_t got;

	if (!has_codec(codec))
		return;
	bytes_add_content(&content, 500000, &rng);
	ck_assert_int_eq(sift_outflow_new(&opts, &flow, &err), 0);
	write_all(flow, &content, &rng);
	ck_assert_int_eq(lseek(opts.fd, 0, SEEK_CUR), (off_t)sift_outflow_written(flow));
	sift_outflow_free(flow);
	ck_assert_int_eq(lseek(opts.fd, 0, SEEK_SET), 0);
	while ((got = read(opts.fd, some, sizeof(some))) > 0)
		bytes_add(&file, some, (size_t)got);
	expect_reads_as(&file, &content);
	close(opts.fd);
	free(content.p);
	free(file.p);
}
END_TEST

START_TEST(refuses_what_it_cannot_do)
{
	enum sift_codec codec = (enum sift_codec)_i;
	const char *name = sift_codec_name(codec);
	struct sift_outflow_opts opts = { .codec = codec, .put = put, .name = "x" };
	struct sift_outflow *flow = NULL;
	struct ebpf_err err = { "" };
	char text[96];

	opts.level = max_levels[codec] + 1;
	snprintf(text, sizeof(text), "x: %s has no level %d: 1 to %d", name, opts.level,
		 max_levels[codec]);
	ck_assert_int_eq(sift_outflow_new(&opts, &flow, &err), -EINVAL);
	ck_assert_str_eq(err.text, text);
	opts.level = -1;
	ck_assert_int_eq(sift_outflow_new(&opts, &flow, &err), -EINVAL);
	opts.level = 0;
	opts.codec = SIFT_CODEC_NONE;
	ck_assert_int_eq(sift_outflow_new(&opts, &flow, &err), -EINVAL);
	ck_assert_str_eq(err.text, "x: no compression to write with");
	if (sift_codec_decoder(codec) == NULL) {
		opts.codec = codec;
		snprintf(text, sizeof(text), "x: compressing with %s, which this build leaves out",
			 name);
		ck_assert_int_eq(sift_outflow_new(&opts, &flow, &err), -ENOTSUP);
		ck_assert_str_eq(err.text, text);
	}
	ck_assert_ptr_null(flow);
	sift_outflow_free(NULL);
}
END_TEST

/* ---- names ---- */

static const struct {
	const char *path;
	enum sift_codec codec;
} suffixes[] = {
	{ "a.pcap.gz", SIFT_CODEC_GZIP }, { "a.zst", SIFT_CODEC_ZSTD },
	{ "d.x/b.lz4", SIFT_CODEC_LZ4 },  { "a.pcap.xz", SIFT_CODEC_XZ },
	{ "a.pcap", SIFT_CODEC_NONE },    { ".gz", SIFT_CODEC_NONE },
	{ "d/.xz", SIFT_CODEC_NONE },     { "d.gz/a", SIFT_CODEC_NONE },
	{ "agz", SIFT_CODEC_NONE },       { "a.gz.pcap", SIFT_CODEC_NONE },
	{ "", SIFT_CODEC_NONE },          { "a.GZ", SIFT_CODEC_NONE },
};

START_TEST(a_suffix_names_a_codec)
{
	ck_assert_int_eq(sift_codec_from_suffix(suffixes[_i].path), suffixes[_i].codec);
}
END_TEST

START_TEST(a_name_names_a_codec)
{
	enum sift_codec codec = SIFT_CODEC_NONE;

	for (int i = 0; i < SIFT_N_CODECS; i++) {
		ck_assert_int_eq(
			sift_codec_from_name(sift_codec_name((enum sift_codec)i), &codec), 0);
		ck_assert_int_eq(codec, i);
	}
	codec = SIFT_CODEC_LZ4;
	ck_assert_int_eq(sift_codec_from_name("bzip2", &codec), -ENOENT);
	ck_assert_int_eq(codec, SIFT_CODEC_LZ4);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("filter/outflow");
	TCase *tc = tcase_create("outflow");
	const int first = SIFT_CODEC_NONE + 1;

	tcase_set_timeout(tc, 300);
	tcase_add_loop_test(tc, reads_as_what_was_given, first, SIFT_N_CODECS);
	tcase_add_loop_test(tc, each_level_compresses, first, SIFT_N_CODECS);
	tcase_add_loop_test(tc, what_was_flushed_can_be_read, first, SIFT_N_CODECS);
	tcase_add_loop_test(tc, a_failed_write_is_reported_and_the_last, first, SIFT_N_CODECS);
	tcase_add_loop_test(tc, the_errno_of_a_descriptor_is_reported, first, SIFT_N_CODECS);
	tcase_add_loop_test(tc, goes_into_a_descriptor, first, SIFT_N_CODECS);
	tcase_add_loop_test(tc, refuses_what_it_cannot_do, first, SIFT_N_CODECS);
	tcase_add_loop_test(tc, a_suffix_names_a_codec, 0, N_ELEMS(suffixes));
	tcase_add_test(tc, a_name_names_a_codec);
	suite_add_tcase(s, tc);
	return s;
}
