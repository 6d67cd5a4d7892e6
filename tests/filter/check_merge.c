/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A merged source hands on, again and again, the earliest of the packets that come next in
 * its sources, which is found here by looking at all of them.
 */
#include "config.h"

#include <bpfsift/filter.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/capture.h"
#include "tests/support/savefile.h"
#include "tests/support/suite.h"

enum { MOST = 6 };

static struct sift_source *
open_source(const char *path)
{
	struct sift_source *source;
	struct ebpf_err err = { "" };

	ck_assert_msg(sift_source_open_savefile(path, &source, &err) == 0, "%s", err.text);
	return source;
}

/* A source read packet by packet. */
struct cursor {
	struct sift_source *source;
	const struct sift_view *views;
	size_t n;
	int rc;
};

static void
settle(struct cursor *c, size_t *n_failed)
{
	struct ebpf_err err;

	if (c->n > 0 || c->source == NULL)
		return;
	c->rc = sift_source_next(c->source, &c->views, &c->n, &err);
	if (c->rc > 0)
		return;
	*n_failed += c->rc < 0;
	sift_source_close(c->source);
	c->source = NULL;
}

static bool
is_before(const struct sift_view *a, const struct sift_view *b)
{
	int64_t left = a->ts_sec + (int64_t)a->ts_excess;
	int64_t right = b->ts_sec + (int64_t)b->ts_excess;

	return left != right ? left < right : a->ts_nsec < b->ts_nsec;
}

static struct cursor *
earliest(struct cursor *cursors, size_t n)
{
	struct cursor *best = NULL;

	for (size_t i = 0; i < n; i++)
		if (cursors[i].n > 0 &&
		    (best == NULL || is_before(cursors[i].views, best->views)))
			best = &cursors[i];
	return best;
}

static uint64_t
compare(struct capture *captures, size_t n)
{
	struct cursor cursors[MOST] = { { NULL, NULL, 0, 0 } };
	struct sift_source *sources[MOST], *merged;
	const struct sift_view *views;
	size_t n_views, n_failed = 0;
	uint64_t n_packets = 0;
	struct ebpf_err err;
	int rc;

	for (size_t i = 0; i < n; i++) {
		sources[i] = open_source(captures[i].path);
		cursors[i].source = open_source(captures[i].path);
	}
	ck_assert_int_eq(sift_source_open_merged(sources, n, &merged, &err), 0);
	while ((rc = sift_source_next(merged, &views, &n_views, &err)) > 0) {
		for (size_t i = 0; i < n_views; i++, n_packets++) {
			struct cursor *c;

			for (size_t j = 0; j < n; j++)
				settle(&cursors[j], &n_failed);
			ck_assert_ptr_nonnull(c = earliest(cursors, n));
			ck_assert_int_eq(views[i].ts_sec, c->views->ts_sec);
			ck_assert_uint_eq(views[i].ts_nsec, c->views->ts_nsec);
			ck_assert_uint_eq(views[i].caplen, c->views->caplen);
			ck_assert(views[i].caplen == 0 ||
				  memcmp(views[i].data, c->views->data, views[i].caplen) == 0);
			c->views++;
			c->n--;
		}
	}
	for (size_t j = 0; j < n; j++)
		settle(&cursors[j], &n_failed);
	ck_assert_ptr_null(earliest(cursors, n));
	ck_assert_int_eq(rc < 0, n_failed > 0);
	if (n_failed > 1)
		ck_assert_ptr_nonnull(strstr(err.text, "more inputs failed)"));
	sift_source_close(merged);
	return n_packets;
}

START_TEST(the_earliest_comes_first)
{
	uint64_t rng = suite_seed(0x3e26e), n_packets = 0;
	struct capture captures[MOST];

	for (size_t i = 0; i < MOST; i++)
		capture_init(&captures[i]);
	for (uint64_t round = suite_scaled(300); round > 0; round--) {
		size_t n = 1 + rng_below(&rng, MOST);

		for (size_t i = 0; i < n; i++)
			capture_make(&captures[i], 100, &rng);
		n_packets += compare(captures, n);
	}
	ck_assert_uint_gt(n_packets, 0);
	for (size_t i = 0; i < MOST; i++)
		capture_destroy(&captures[i]);
}
END_TEST

START_TEST(a_stop_ends_it)
{
	struct sift_source *sources[] = { open_source(suite_data("demo.pcap")), NULL }, *merged;
	const struct sift_view *views;
	struct ebpf_err err;
	size_t n;

	sources[1] = open_source(suite_data("ether.pcap"));
	ck_assert_int_eq(sift_source_open_merged(sources, 2, &merged, &err), 0);
	ck_assert_int_eq(sift_source_next(merged, &views, &n, &err), 1);
	sift_source_stop(merged);
	ck_assert_int_eq(sift_source_next(merged, &views, &n, &err), 0);
	sift_source_close(merged);
}
END_TEST

static uint64_t
bytes_of(const char *name)
{
	struct stat st;

	ck_assert_int_eq(stat(suite_data(name), &st), 0);
	return (uint64_t)st.st_size;
}

/* Of all files together; of a pipe nobody knows how much is to come. */
START_TEST(it_is_as_long_as_its_parts)
{
	struct sift_source *sources[] = { open_source(suite_data("demo.pcap")), NULL }, *merged;
	uint64_t size = bytes_of("demo.pcap") + bytes_of("ether.pcap");
	const struct sift_view *views;
	struct ebpf_err err;
	int fds[2], saved;
	size_t n;

	sources[1] = open_source(suite_data("ether.pcap"));
	ck_assert_int_eq(sift_source_open_merged(sources, 2, &merged, &err), 0);
	ck_assert_uint_eq(sift_source_size(merged), size);
	while (sift_source_next(merged, &views, &n, &err) == 1)
		ck_assert_uint_le(sift_source_position(merged), size);
	ck_assert_uint_eq(sift_source_position(merged), size);
	sift_source_close(merged);

	ck_assert_int_eq(pipe(fds), 0);
	saved = dup(STDIN_FILENO);
	ck_assert_int_eq(dup2(fds[0], STDIN_FILENO), STDIN_FILENO);
	close(fds[0]);
	{
		static uint8_t bytes[4096];
		FILE *f = fopen(suite_data("ether.pcap"), "rb");

		ck_assert_ptr_nonnull(f);
		n = fread(bytes, 1, sizeof(bytes), f);
		fclose(f);
		ck_assert_int_eq(write(fds[1], bytes, n), (ssize_t)n);
		close(fds[1]);
	}
	sources[0] = open_source(suite_data("demo.pcap"));
	sources[1] = open_source("-");
	ck_assert_int_eq(sift_source_open_merged(sources, 2, &merged, &err), 0);
	ck_assert_uint_eq(sift_source_size(merged), 0);
	sift_source_close(merged);
	ck_assert_int_ge(dup2(saved, STDIN_FILENO), 0);
	close(saved);
}
END_TEST

START_TEST(what_cannot_be_merged_is_refused)
{
	struct sift_source *sources[] = { open_source(suite_data("null.pcap")), NULL },
			   *merged = NULL;
	struct ebpf_err err;

	ck_assert_int_eq(sift_source_open_merged(sources, 0, &merged, &err), -EINVAL);
	ck_assert_str_eq(err.text, "nothing to merge");
	sources[1] = open_source(suite_data("null-be.pcap"));
	ck_assert_int_eq(sift_source_open_merged(sources, 2, &merged, &err), -EINVAL);
	ck_assert_ptr_nonnull(
		strstr(err.text, "cannot be merged: the byte order of their headers differs"));
	ck_assert_ptr_null(merged);
	sift_source_close(sources[0]);
	sift_source_close(sources[1]);
}
END_TEST

/* ---- several link types ---- */

/* Write what is merged as pcapng, and say how many packets there were. */
static uint64_t
write_merged(const struct capture *captures, size_t n, const char *path)
{
	const struct sift_savefile_opts savefile = { .size = sizeof(savefile),
						     .dlt = 1,
						     .snaplen = 262144,
						     .precision = SIFT_PRECISION_NANO,
						     .format = SIFT_FORMAT_PCAPNG,
						     .flags = SIFT_SAVEFILE_SECTIONS };
	struct sift_pipeline_counters counters = { .size = sizeof(counters) };
	struct sift_pipeline_opts opts = { .size = sizeof(opts) };
	struct sift_source *sources[MOST];
	struct sift_pipeline *pipeline;

	for (size_t i = 0; i < n; i++)
		sources[i] = open_source(captures[i].path);
	ck_assert_int_eq(sift_source_open_merged(sources, n, &opts.source, NULL), 0);
	ck_assert_int_eq(sift_sink_open_savefile(path, &savefile, &opts.sink, NULL), 0);
	ck_assert_int_eq(sift_pipeline_new(&opts, &pipeline, NULL), 0);
	sift_pipeline_run(pipeline, NULL); /* captures may be cut */
	ck_assert_int_eq(sift_pipeline_counters(pipeline, &counters, NULL), 0);
	sift_pipeline_free(pipeline);
	ck_assert_int_eq(sift_sink_close(opts.sink, NULL), 0);
	sift_source_close(opts.source);
	return counters.written;
}

/* One packet after another, each with its link type. */
struct reader {
	struct sift_source *source;
	const struct sift_view *views;
	size_t n;
	struct sift_source_info info;
};

static bool
next_packet(struct reader *r)
{
	if (r->n > 1) {
		r->n--;
		r->views++;
		return true;
	}
	if (sift_source_next(r->source, &r->views, &r->n, NULL) != 1) {
		r->n = 0;
		return false;
	}
	r->info.size = sizeof(r->info);
	ck_assert_int_eq(sift_source_info(r->source, &r->info, NULL), 0);
	return true;
}

/* The packets of the merged source, by another one, are those of the file. */
static uint64_t
compare_written(const struct capture *captures, size_t n, const char *path)
{
	const struct sift_reader_opts mixed = { .size = sizeof(mixed), .flags = SIFT_READER_MIXED };
	struct sift_source *sources[MOST];
	struct reader a = { NULL }, b = { NULL };
	uint64_t n_packets = 0;

	for (size_t i = 0; i < n; i++)
		sources[i] = open_source(captures[i].path);
	ck_assert_int_eq(sift_source_open_merged(sources, n, &a.source, NULL), 0);
	ck_assert_int_eq(sift_source_open_savefile_opts(path, &mixed, &b.source, NULL), 0);
	for (; next_packet(&a); n_packets++) {
		ck_assert(next_packet(&b));
		ck_assert_int_eq(a.info.dlt, b.info.dlt);
		ck_assert_uint_eq(a.views->caplen, b.views->caplen);
		ck_assert_uint_eq(a.views->wirelen, b.views->wirelen);
		/* a savefile has no seconds below 0, nor fractions above one */
		ck_assert_uint_eq((uint32_t)(a.views->ts_sec + (int64_t)a.views->ts_excess),
				  (uint32_t)b.views->ts_sec);
		ck_assert_uint_eq(a.views->ts_nsec, b.views->ts_nsec);
		ck_assert(a.views->caplen == 0 ||
			  memcmp(a.views->data, b.views->data, a.views->caplen) == 0);
	}
	ck_assert(!next_packet(&b));
	sift_source_close(a.source);
	sift_source_close(b.source);
	return n_packets;
}

START_TEST(link_types_may_differ)
{
	static const uint32_t linktypes[] = { 1, 101, 113, 105 };
	uint64_t rng = suite_seed(0x3e26f), n_packets = 0;
	struct capture captures[MOST];
	char path[TEMPFILE_PATH];

	for (size_t i = 0; i < MOST; i++)
		capture_init(&captures[i]);
	tempfile_create(path);
	/* of one round, or two, the captures may all be empty */
	for (uint64_t round = 5 + suite_scaled(60); round > 0; round--) {
		size_t n = 1 + rng_below(&rng, MOST);
		uint64_t written;

		for (size_t i = 0; i < n; i++) {
			captures[i].linktype = linktypes[rng_below(&rng, N_ELEMS(linktypes))];
			capture_make(&captures[i], 100, &rng);
		}
		written = write_merged(captures, n, path);
		ck_assert_uint_eq(compare_written(captures, n, path), written);
		n_packets += written;
	}
	ck_assert_uint_gt(n_packets, 0);
	for (size_t i = 0; i < MOST; i++)
		capture_destroy(&captures[i]);
	unlink(path);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("filter/source_merge");
	TCase *tc = tcase_create("merge");

	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, the_earliest_comes_first);
	tcase_add_test(tc, a_stop_ends_it);
	tcase_add_test(tc, it_is_as_long_as_its_parts);
	tcase_add_test(tc, what_cannot_be_merged_is_refused);
	tcase_add_test(tc, link_types_may_differ);
	suite_add_tcase(s, tc);
	return s;
}
