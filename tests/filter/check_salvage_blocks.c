/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets of pcapng files that damage did not touch are found again, each of them and in
 * their order; what is passed over and what is copied make up the file, and the copy is
 * sound.
 */
#include "config.h"

#include <bpfsift/filter.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/damage.h"
#include "tests/support/pcapng.h"
#include "tests/support/suite.h"

enum { MOST = 300, N_HITS = 6, ROOM = 8 << 20, MAX_INTERFACES = 4 };
enum { SECTION = 0x0a0d0d0a, INTERFACE = 1, PACKET = 2, SIMPLE = 3, STATISTICS = 5, ENHANCED = 6 };

/* A file whose packets hold anything, as it was, and as damage has left it. */
struct file {
	char path[TEMPFILE_PATH], copy[TEMPFILE_PATH];
	uint8_t *sound, *bytes;
	size_t n_sound, n, head;
	bool is_swapped;
	uint32_t n_interfaces;
	/* of blocks behind the head */
	size_t at[MOST + 1], data[MOST], caplen[MOST];
	bool is_packet[MOST], is_hit[MOST];
	size_t n_blocks;
};

static void
put(struct file *f, const void *bytes, size_t n)
{
	memcpy(f->sound + f->n_sound, bytes, n);
	f->n_sound += n;
}

static void
put32(struct file *f, uint32_t v)
{
	if (f->is_swapped)
		v = __builtin_bswap32(v);
	put(f, &v, sizeof(v));
}

static void
put16(struct file *f, uint16_t v)
{
	if (f->is_swapped)
		v = __builtin_bswap16(v);
	put(f, &v, sizeof(v));
}

static size_t
begin_block(struct file *f, uint32_t type)
{
	size_t at = f->n_sound;

	put32(f, type);
	put32(f, 0);
	return at;
}

static void
end_block(struct file *f, size_t at)
{
	uint32_t total;

	while ((f->n_sound - at) % 4 != 0)
		f->sound[f->n_sound++] = 0;
	total = (uint32_t)(f->n_sound - at) + 4;
	put32(f, total);
	f->n_sound = at + 4;
	put32(f, total);
	f->n_sound = at + total;
}

/* Noise, zeros, small numbers, text: what blocks are looked for in. */
static void
put_contents(struct file *f, size_t n, uint64_t *rng)
{
	uint32_t kind = rng_below(rng, 4);

	for (size_t i = 0; i < n; i++) {
		uint8_t byte = kind == 0   ? (uint8_t)rng_next(rng)
			       : kind == 1 ? 0
			       : kind == 2 ? (uint8_t)(i % 4 == 0 ? rng_below(rng, 50) : 0)
					   : (uint8_t)('a' + rng_below(rng, 26));

		put(f, &byte, 1);
	}
}

static void
put_head(struct file *f, uint64_t *rng)
{
	size_t at = begin_block(f, SECTION);

	put32(f, 0x1a2b3c4d);
	put16(f, 1);
	put16(f, 0);
	put32(f, UINT32_MAX);
	put32(f, UINT32_MAX);
	end_block(f, at);
	f->n_interfaces = 1 + rng_below(rng, MAX_INTERFACES);
	for (uint32_t i = 0; i < f->n_interfaces; i++) {
		at = begin_block(f, INTERFACE);
		put16(f, 1);
		put16(f, 0);
		put32(f, 0);
		end_block(f, at);
	}
	f->head = f->n_sound;
}

static void
put_packet(struct file *f, size_t i, uint64_t *rng)
{
	static const uint32_t types[] = { ENHANCED, ENHANCED, SIMPLE, PACKET };
	uint32_t type = types[rng_below(rng, N_ELEMS(types))];
	uint32_t caplen =
		rng_below(rng, 30) == 0 ? 40000 + rng_below(rng, 220000) : rng_below(rng, 1500);
	uint32_t interface = rng_below(rng, f->n_interfaces);
	size_t at = begin_block(f, type);

	if (type == ENHANCED)
		put32(f, interface);
	if (type == PACKET) {
		put16(f, (uint16_t)interface);
		put16(f, 0);
	}
	if (type != SIMPLE) {
		put32(f, 0x5f5e1);
		put32(f, (uint32_t)rng_next(rng));
		put32(f, caplen);
	}
	put32(f, caplen);
	f->is_packet[i] = true;
	f->data[i] = f->n_sound;
	f->caplen[i] = caplen;
	put_contents(f, caplen, rng);
	end_block(f, at);
}

static void
make(struct file *f, uint64_t *rng)
{
	f->n_sound = 0;
	f->is_swapped = rng_below(rng, 2);
	f->n_blocks = 1 + rng_below(rng, MOST - 1);
	memset(f->is_hit, 0, sizeof(f->is_hit));
	put_head(f, rng);
	for (size_t i = 0; i < f->n_blocks; i++) {
		f->at[i] = f->n_sound;
		if (f->n_sound > ROOM / 2) {
			f->n_blocks = i;
			break;
		}
		if (rng_below(rng, 15) == 0) {
			size_t at = begin_block(f, STATISTICS);

			f->is_packet[i] = false;
			put_contents(f, 12, rng);
			end_block(f, at);
		} else {
			put_packet(f, i, rng);
		}
	}
	f->at[f->n_blocks] = f->n_sound;
	memcpy(f->bytes, f->sound, f->n_sound);
	f->n = f->n_sound;
}

static struct damage_parts
parts_of(struct file *f)
{
	return (struct damage_parts){ .bytes = f->bytes, .n = f->n, .head = f->head, .at = f->at,
				      .n_parts = f->n_blocks, .is_hit = f->is_hit };
}

/* Take some bytes out, so that nothing behind them is where it was. */
static void
take_out(struct file *f, uint64_t *rng)
{
	size_t room = f->n - f->head, n = 1 + rng_below(rng, 3000), at;
	struct damage_parts parts;

	n = n < room ? n : room;
	at = f->head + rng_below(rng, (uint32_t)(room - n) + 1);
	memmove(f->bytes + at, f->bytes + at + n, f->n - at - n);
	f->n -= n;
	parts = parts_of(f);
	damage_mark(&parts, at, n);
}

static struct sift_source *
open_source(const char *path, unsigned flags, struct damage_skips *skips)
{
	const struct sift_reader_opts opts = {
		.size = sizeof(opts),
		.flags = flags,
		.on_skip = damage_on_skip,
		.on_skip_arg = skips,
	};
	struct sift_source *source;
	struct ebpf_err err = { "" };

	ck_assert_msg(sift_source_open_savefile_opts(path, &opts, &source, &err) == 0, "%s",
		      err.text);
	return source;
}

/* The next packet that damage has to have left. */
static size_t
next_sound(const struct file *f, size_t i)
{
	while (i < f->n_blocks && (f->is_hit[i] || !f->is_packet[i]))
		i++;
	return i;
}

/* All that were not hit come, in their order; others may come between them. */
static uint64_t
check_found(const struct file *f, unsigned flags)
{
	struct damage_skips skips = { 0, 0, f->head };
	struct sift_source *source = open_source(f->path, SIFT_READER_SALVAGE | flags, &skips);
	size_t next = next_sound(f, 0), n;
	const struct sift_view *views;
	struct ebpf_err err;
	uint64_t count = 0;
	int rc;

	while ((rc = sift_source_next(source, &views, &n, &err)) == 1) {
		count += n;
		for (size_t i = 0; i < n && next < f->n_blocks; i++)
			if (views[i].caplen == f->caplen[next] &&
			    memcmp(views[i].data, f->sound + f->data[next], views[i].caplen) == 0)
				next = next_sound(f, next + 1);
	}
	ck_assert_msg(rc == 0, "%s", err.text);
	ck_assert_uint_eq(next, f->n_blocks);
	sift_source_close(source);
	return count;
}

static uint64_t
count_packets(const char *path)
{
	struct sift_source *source = open_source(path, SIFT_READER_MIXED, NULL);
	const struct sift_view *views;
	struct ebpf_err err;
	uint64_t count = 0;
	size_t n;
	int rc;

	while ((rc = sift_source_next(source, &views, &n, &err)) == 1)
		count += n;
	ck_assert_msg(rc == 0, "%s", err.text);
	sift_source_close(source);
	return count;
}

/* Salvaged into a file of sections, with several threads asked for; stretches passed over. */
static uint64_t
check_copied(const char *path, const char *copy, size_t n_bytes)
{
	const struct sift_savefile_opts savefile = { .size = sizeof(savefile),
						     .dlt = 1,
						     .snaplen = 262144,
						     .format = SIFT_FORMAT_PCAPNG,
						     .flags = SIFT_SAVEFILE_SECTIONS };
	struct sift_pipeline_counters counters = { .size = sizeof(counters) };
	struct sift_pipeline_opts opts = { .size = sizeof(opts), .threads = 3 };
	struct damage_skips skips = { 0, 0, 0 };
	struct sift_pipeline *pipeline;
	struct ebpf_err err;

	opts.source = open_source(path, SIFT_READER_SALVAGE | SIFT_READER_MIXED, &skips);
	ck_assert_int_eq(sift_sink_open_savefile(copy, &savefile, &opts.sink, NULL), 0);
	ck_assert_int_eq(sift_pipeline_new(&opts, &pipeline, NULL), 0);
	ck_assert_msg(sift_pipeline_run(pipeline, &err) == 0, "%s", err.text);
	ck_assert_int_eq(sift_pipeline_counters(pipeline, &counters, NULL), 0);
	sift_pipeline_free(pipeline);
	ck_assert_int_eq(sift_sink_close(opts.sink, NULL), 0);
	sift_source_close(opts.source);
	ck_assert_uint_eq(tempfile_size(copy) + skips.n_bytes, n_bytes);
	ck_assert_uint_eq(count_packets(copy), counters.seen);
	return skips.n;
}

static void
init(struct file *f)
{
	f->sound = malloc(ROOM);
	f->bytes = malloc(ROOM);
	ck_assert(f->sound != NULL && f->bytes != NULL);
	tempfile_create(f->path);
	tempfile_create(f->copy);
}

static void
destroy(struct file *f)
{
	unlink(f->path);
	unlink(f->copy);
	free(f->sound);
	free(f->bytes);
}

START_TEST(what_damage_left_is_found)
{
	uint64_t rng = suite_seed(0x5b1), n_files = suite_scaled(400), n_skips = 0, n = 0;
	static struct file f;

	n_files = n_files > 100 ? n_files : 100; /* fewer tell nothing of their shares */
	init(&f);
	for (uint64_t i = 0; i < n_files; i++) {
		struct damage_parts parts;

		make(&f, &rng);
		parts = parts_of(&f);
		for (uint32_t hits = rng_below(&rng, N_HITS); hits > 0; hits--)
			damage_hit(&parts, &rng);
		if (rng_below(&rng, 2) == 0)
			take_out(&f, &rng);
		parts = parts_of(&f);
		damage_give_up_short_runs(&parts);
		tempfile_save(f.path, f.bytes, f.n);
		n += check_found(&f, i % 2 == 0 ? SIFT_READER_MIXED : 0);
		n_skips += check_copied(f.path, f.copy, f.n);
	}
	printf("%llu packets, %llu stretches passed over\n", (unsigned long long)n,
	       (unsigned long long)n_skips);
	ck_assert_uint_gt(n_skips, n_files / 4);
	destroy(&f);
}
END_TEST

START_TEST(sound_files_read_as_ever)
{
	uint64_t rng = suite_seed(0x5b2), n_files = suite_scaled(100);
	static struct file f;

	init(&f);
	for (uint64_t i = 0; i < n_files; i++) {
		make(&f, &rng);
		tempfile_save(f.path, f.bytes, f.n);
		ck_assert_uint_eq(check_found(&f, 0), count_packets(f.path));
		ck_assert_uint_eq(check_copied(f.path, f.copy, f.n), 0);
	}
	destroy(&f);
}
END_TEST

/* Contents that look like blocks, every kind of damage: no error, and nothing unaccounted for. */
START_TEST(anything_is_read_to_its_end)
{
	uint64_t rng = suite_seed(0x5b3), n_files = suite_scaled(300), n_read = 0;
	struct pcapng *f = calloc(1, sizeof(*f));
	char copy[TEMPFILE_PATH];

	ck_assert_ptr_nonnull(f);
	n_files = n_files > 100 ? n_files : 100; /* as above */
	pcapng_init(f);
	tempfile_create(copy);
	for (uint64_t i = 0; i < n_files; i++) {
		const struct sift_reader_opts opts = {
			.size = sizeof(opts), .flags = SIFT_READER_SALVAGE | SIFT_READER_MIXED
		};
		struct sift_source *source;
		int rc;

		f->is_mixed = i % 2 == 0;
		pcapng_make(f, &rng);
		if (f->is_mixed)
			pcapng_flip_bits(f, &rng);
		pcapng_save(f);
		rc = sift_source_open_savefile_opts(f->path, &opts, &source, NULL);
		if (rc < 0) /* its head is damaged, or libpcap's */
			continue;
		sift_source_close(source);
		check_copied(f->path, copy, f->n);
		n_read++;
	}
	ck_assert_uint_gt(n_read, n_files / 2);
	pcapng_destroy(f);
	unlink(copy);
	free(f);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("filter/salvage_blocks");
	TCase *tc = tcase_create("pcapng");

	tcase_set_timeout(tc, 600);
	tcase_add_test(tc, what_damage_left_is_found);
	tcase_add_test(tc, sound_files_read_as_ever);
	tcase_add_test(tc, anything_is_read_to_its_end);
	suite_add_tcase(s, tc);
	return s;
}
