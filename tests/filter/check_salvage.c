/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records that damage did not touch are found again, each of them and in their order; what
 * was passed over and what was found make up the file.
 */
#include "config.h"

#include <bpfsift/filter.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "filter/salvage.h"
#include "tests/support/capture.h"
#include "tests/support/damage.h"
#include "tests/support/suite.h"

enum { HEADER = 24, RECORD = 16, MOST = 400, N_HITS = 6 };

/* A capture whose packets hold anything, and which of its records were damaged. */
struct file {
	struct capture capture;
	uint8_t *sound;                 /* as it was before */
	size_t at[MOST + 1];            /* where records begin; the end */
	bool is_hit[MOST];
	size_t n;
};

static void
put(struct file *f, const void *bytes, size_t n)
{
	memcpy(f->capture.bytes + f->capture.n, bytes, n);
	f->capture.n += n;
}

static void
put32(struct file *f, uint32_t v)
{
	if (f->capture.is_swapped)
		v = __builtin_bswap32(v);
	put(f, &v, sizeof(v));
}

static void
put_header(struct file *f)
{
	static const uint8_t big[] = { 0, 2, 0, 4 }, little[] = { 2, 0, 4, 0 };
	bool is_big = f->capture.is_swapped != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);

	put32(f, f->capture.is_nano ? 0xa1b23c4d : 0xa1b2c3d4);
	put(f, is_big ? big : little, 4);
	put32(f, 0);
	put32(f, 0);
	put32(f, 65535);
	put32(f, 1);
}

static void
put_packet(struct file *f, uint32_t sec, uint64_t *rng)
{
	uint32_t caplen = rng_below(rng, 30) == 0 ? 40000 + rng_below(rng, 25000)
						   : 1 + rng_below(rng, 1500);
	uint32_t kind = rng_below(rng, 4);

	put32(f, sec);
	put32(f, rng_below(rng, 1000000));
	put32(f, caplen);
	put32(f, caplen + (rng_below(rng, 4) == 0 ? rng_below(rng, 100) : 0));
	/* noise, zeros, small numbers, text: what headers are looked for in */
	for (uint32_t i = 0; i < caplen; i++) {
		uint8_t byte = kind == 0   ? (uint8_t)rng_next(rng)
			       : kind == 1 ? 0
			       : kind == 2 ? (uint8_t)(i % 4 == 0 ? rng_below(rng, 50) : 0)
					   : (uint8_t)('a' + rng_below(rng, 26));

		put(f, &byte, 1);
	}
}

static void
make(struct file *f, uint64_t *rng)
{
	uint32_t sec = 1700000000 + rng_below(rng, 100000);

	f->capture.n = 0;
	f->capture.is_swapped = rng_below(rng, 2);
	f->capture.is_nano = rng_below(rng, 2);
	f->n = 1 + rng_below(rng, MOST - 1);
	memset(f->is_hit, 0, sizeof(f->is_hit));
	put_header(f);
	for (size_t i = 0; i < f->n; i++) {
		f->at[i] = f->capture.n;
		sec += rng_below(rng, 3);
		put_packet(f, sec, rng);
	}
	f->at[f->n] = f->capture.n;
	memcpy(f->sound, f->capture.bytes, f->capture.n);
}

static struct damage_parts
parts_of(struct file *f)
{
	return (struct damage_parts){ .bytes = f->capture.bytes, .n = f->capture.n, .head = HEADER,
				      .at = f->at, .n_parts = f->n, .is_hit = f->is_hit };
}

static struct sift_source *
open_source(const char *path, struct damage_skips *skips)
{
	const struct sift_reader_opts opts = { .size = sizeof(opts),
					       .flags = SIFT_READER_SALVAGE,
					       .on_skip = damage_on_skip,
					       .on_skip_arg = skips };
	struct sift_source *source;
	struct ebpf_err err = { "" };

	ck_assert_msg(sift_source_open_savefile_opts(path, &opts, &source, &err) == 0, "%s",
		      err.text);
	return source;
}

/* Whether a view is of what record i was. */
static bool
is_record(const struct file *f, size_t i, const struct sift_view *view)
{
	size_t len = f->at[i + 1] - f->at[i] - RECORD;

	return view->caplen == len && memcmp(view->data, f->sound + f->at[i] + RECORD, len) == 0;
}

/* All that were not hit come, in their order; others may come between them. */
static uint64_t
check_salvaged(const struct file *f)
{
	struct damage_skips skips = { 0, 0, HEADER };
	struct sift_source *source = open_source(f->capture.path, &skips);
	const struct sift_view *views;
	uint64_t n_bytes = HEADER;
	size_t next = 0, n;
	struct ebpf_err err;
	int rc;

	while (next < f->n && f->is_hit[next])
		next++;
	while ((rc = sift_source_next(source, &views, &n, &err)) == 1) {
		for (size_t i = 0; i < n; i++) {
			n_bytes += RECORD + (uint64_t)views[i].caplen;
			if (next == f->n || !is_record(f, next, &views[i]))
				continue;
			do
				next++;
			while (next < f->n && f->is_hit[next]);
		}
	}
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_eq(next, f->n);
	ck_assert_uint_eq(n_bytes + skips.n_bytes, f->capture.n);
	sift_source_close(source);
	return skips.n;
}

START_TEST(what_damage_left_is_found)
{
	uint64_t rng = suite_seed(0x5a1), n_files = suite_scaled(2000), n_skips = 0;
	struct file f;

	n_files = n_files > 100 ? n_files : 100; /* fewer tell nothing of their shares */
	capture_init(&f.capture);
	f.sound = malloc(CAPTURE_MAX);
	ck_assert_ptr_nonnull(f.sound);
	for (uint64_t i = 0; i < n_files; i++) {
		struct damage_parts parts;

		make(&f, &rng);
		parts = parts_of(&f);
		for (uint32_t hits = rng_below(&rng, N_HITS); hits > 0; hits--)
			damage_hit(&parts, &rng);
		damage_give_up_short_runs(&parts);
		tempfile_save(f.capture.path, f.capture.bytes, f.capture.n);
		n_skips += check_salvaged(&f);
	}
	printf("%llu stretches passed over\n", (unsigned long long)n_skips);
	ck_assert_uint_gt(n_skips, n_files / 4);
	free(f.sound);
	capture_destroy(&f.capture);
}
END_TEST

START_TEST(sound_files_read_as_ever)
{
	uint64_t rng = suite_seed(0x5a2), n_files = suite_scaled(500);
	struct file f;

	capture_init(&f.capture);
	f.sound = malloc(CAPTURE_MAX);
	ck_assert_ptr_nonnull(f.sound);
	for (uint64_t i = 0; i < n_files; i++) {
		make(&f, &rng);
		tempfile_save(f.capture.path, f.capture.bytes, f.capture.n);
		ck_assert_uint_eq(check_salvaged(&f), 0);
	}
	free(f.sound);
	capture_destroy(&f.capture);
}
END_TEST

/* Contents that look like records, damage anywhere: it comes to an end without an error. */
START_TEST(anything_is_read_to_its_end)
{
	uint64_t rng = suite_seed(0x5a3), n_files = suite_scaled(500);
	struct capture capture;

	capture_init(&capture);
	for (uint64_t i = 0; i < n_files; i++) {
		struct damage_skips skips = { 0, 0, 0 };
		const struct sift_view *views;
		struct sift_source *source;
		struct ebpf_err err;
		size_t n;
		int rc;

		capture_make(&capture, 300, &rng);
		source = open_source(capture.path, &skips);
		while ((rc = sift_source_next(source, &views, &n, &err)) == 1)
			;
		ck_assert_int_eq(rc, 0);
		ck_assert_uint_le(skips.end, capture.n);
		sift_source_close(source);
	}
	capture_destroy(&capture);
}
END_TEST

/* From anywhere in a record the next is found, if there are two more. */
START_TEST(the_next_record_is_found)
{
	uint64_t rng = suite_seed(0x9e47), n_files = suite_scaled(300), n_found = 0;
	struct file f;

	capture_init(&f.capture);
	f.sound = malloc(CAPTURE_MAX);
	ck_assert_ptr_nonnull(f.sound);
	for (uint64_t i = 0; i < n_files; i++) {
		struct sift_record_format format;
		struct sift_salvage known = { .format = &format };

		make(&f, &rng);
		format = (struct sift_record_format){ .dlt = 1,
						      .is_swapped = f.capture.is_swapped,
						      .ts_scale = f.capture.is_nano ? 1 : 1000,
						      .snaplen = 65535 };
		for (size_t k = 0; k + 1 < f.n; k++) {
			size_t len = f.at[k + 1] - f.at[k];
			size_t from = f.at[k] + 1 + rng_below(&rng, (uint32_t)len);
			const struct sift_stretch stretch = { f.capture.bytes + from,
							      f.capture.n - from, false };
			size_t found = sift_salvage_find(&known, &stretch, stretch.n);
			bool is_clear = k + 4 <= f.n;

			ck_assert_uint_eq(found, is_clear ? f.at[k + 1] - from : stretch.n);
			n_found += is_clear;
		}
	}
	ck_assert(n_files < 10 || n_found > n_files);
	free(f.sound);
	capture_destroy(&f.capture);
}
END_TEST

START_TEST(what_is_not_salvaged_says_so)
{
	const struct sift_reader_opts opts = { .size = sizeof(opts),
					       .flags = SIFT_READER_SALVAGE };
	struct sift_source *source = NULL;
	struct ebpf_err err;

	ck_assert_int_eq(sift_source_open_savefile_opts(suite_data("pcap-kuznetzov.pcap"), &opts, &source,
							&err),
			 -ENOTSUP);
	ck_assert_ptr_nonnull(
		strstr(err.text, ": files of the usual link types alone are salvaged"));
	ck_assert_ptr_null(source);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("filter/salvage");
	TCase *tc = tcase_create("salvage");

	tcase_set_timeout(tc, 600);
	tcase_add_test(tc, what_damage_left_is_found);
	tcase_add_test(tc, sound_files_read_as_ever);
	tcase_add_test(tc, anything_is_read_to_its_end);
	tcase_add_test(tc, the_next_record_is_found);
	tcase_add_test(tc, what_is_not_salvaged_says_so);
	suite_add_tcase(s, tc);
	return s;
}
