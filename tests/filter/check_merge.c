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

START_TEST(what_cannot_be_merged_is_refused)
{
	struct sift_source *sources[] = { open_source(suite_data("demo.pcap")), NULL },
			   *merged = NULL;
	struct ebpf_err err;

	ck_assert_int_eq(sift_source_open_merged(sources, 0, &merged, &err), -EINVAL);
	ck_assert_str_eq(err.text, "nothing to merge");
	sources[1] = open_source(suite_data("raw.pcap"));
	ck_assert_int_eq(sift_source_open_merged(sources, 2, &merged, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "cannot be merged: their link types differ"));
	ck_assert_ptr_null(merged);
	sift_source_close(sources[0]);
	sift_source_close(sources[1]);
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
	tcase_add_test(tc, what_cannot_be_merged_is_refused);
	suite_add_tcase(s, tc);
	return s;
}
