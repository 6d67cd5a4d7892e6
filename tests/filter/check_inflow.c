/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A compressed file reads as what was compressed: of each format and any size, in
 * several frames, from a file and from a pipe that is slow; cut and damaged anywhere;
 * and a reader that leaves early is never kept.
 */
#include "config.h"

#include "filter/inflow.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef HAVE_ZSTD
#include <zstd.h>
#endif

#include "filter/outflow.h"
#include "tests/support/compress.h"
#include "tests/support/suite.h"

/* ---- reading ---- */

/* How a flow ended. */
struct outcome {
	struct bytes got;
	enum sift_codec kind;
	int rc;
	struct ebpf_err err;
};

static void
open_flow(const struct sift_inflow_opts *opts, struct sift_inflow **flow)
{
	struct ebpf_err err = { "" };

	ck_assert_msg(sift_inflow_new(opts, flow, &err) == 0, "%s", err.text);
}

/* To the end, by either function or both in turns. */
static void
drain(struct sift_inflow *flow, struct outcome *o, uint64_t *rng)
{
	uint32_t manner = rng_below(rng, 3), most = 1 + rng_below(rng, 300000);
	uint8_t *to = malloc(most);

	ck_assert_ptr_nonnull(to);
	o->kind = sift_inflow_kind(flow);
	for (;;) {
		if (manner == 0 || (manner == 1 && rng_below(rng, 2) == 0)) {
			const uint8_t *block = NULL;
			size_t n = 0;

			if ((o->rc = sift_inflow_next(flow, &block, &n, &o->err)) != 1)
				break;
			ck_assert_uint_gt(n, 0);
			bytes_add(&o->got, block, n);
		} else {
			ssize_t n = sift_inflow_read(flow, to, 1 + rng_below(rng, most), &o->err);

			if (n <= 0) {
				o->rc = (int)n;
				break;
			}
			bytes_add(&o->got, to, (size_t)n);
		}
	}
	/* and again, as often as one asks */
	ck_assert_int_eq(sift_inflow_read(flow, to, 1, NULL), o->rc);
	free(to);
}

static struct outcome
read_fd(int fd, const uint8_t *read, size_t n_read, uint64_t *rng)
{
	const struct sift_inflow_opts opts = {
		.fd = fd,
		.name = "x",
		.n_threads = rng_below(rng, 4),
		.read = read,
		.n_read = n_read,
	};
	struct outcome o = { .rc = 0 };
	struct sift_inflow *flow;

	open_flow(&opts, &flow);
	drain(flow, &o, rng);
	sift_inflow_free(flow);
	close(fd);
	return o;
}

/* From a file, of which some may have been read before. */
static struct outcome
read_bytes(const uint8_t *p, size_t n, uint64_t *rng)
{
	uint32_t most = n < 9000 ? (uint32_t)n : 9000;
	size_t n_read = rng_below(rng, 3) > 0 ? 0 : rng_below(rng, most + 1);

	/* no offset at all to no bytes */
	return read_fd(open_file(n_read > 0 ? p + n_read : p, n - n_read), p, n_read, rng);
}

static void
expect(struct outcome o, enum sift_codec kind, const struct bytes *content)
{
	ck_assert_msg(o.rc == 0, "%s", o.err.text);
	ck_assert_int_eq(o.kind, kind);
	ck_assert_uint_eq(o.got.n, content->n);
	ck_assert(content->n == 0 || memcmp(o.got.p, content->p, content->n) == 0);
	free(o.got.p);
}

static void
expect_failure(struct outcome o, int rc, const char *text)
{
	ck_assert_int_eq(o.rc, rc);
	ck_assert_str_eq(o.err.text, text);
	free(o.got.p);
}

static bool
is_prefix(const struct outcome *o, const struct bytes *content)
{
	return o->got.n <= content->n &&
	       (o->got.n == 0 || memcmp(o->got.p, content->p, o->got.n) == 0);
}

/* ---- whole files ---- */

static const size_t sizes[] = { 0,      1,      2,      100,    4095,    65536,   131071, 131072,
				131073, 262143, 262144, 262145, 1048576, 1048577, 3000000 };

/* _i is the format; 0 is none. */
START_TEST(reads_what_was_compressed)
{
	enum sift_codec codec = (enum sift_codec)_i;
	uint64_t rng = suite_seed(0xf10), n_more = suite_scaled(40);

	if (codec != SIFT_CODEC_NONE && !has_codec(codec))
		return;
	for (size_t i = 0; i < N_ELEMS(sizes) + n_more; i++) {
		struct bytes content = { NULL }, file = { NULL };
		size_t n = i < N_ELEMS(sizes) ? sizes[i] : rng_below(&rng, 600000);
		uint32_t most = rng_below(&rng, 2) == 0 ? 70000 : 7000;
		int child, status, fd;

		bytes_add_content(&content, n, &rng);
		if (codec == SIFT_CODEC_NONE)
			bytes_add(&file, content.p, n);
		else
			bytes_add_frame(&file, codec, 1 + (int)rng_below(&rng, 2), content.p, n,
					&rng);
		expect(read_bytes(file.p, file.n, &rng), codec, &content);
		fd = open_slow_pipe(file.p, file.n, most, rng, &child);
		expect(read_fd(fd, NULL, 0, &rng), codec, &content);
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		ck_assert_int_eq(status, 0);
		free(content.p);
		free(file.p);
	}
}
END_TEST

/* What may stand between frames. */
static void
add_filler(struct bytes *file, enum sift_codec codec, bool is_last, uint64_t *rng)
{
	static const uint8_t zeros[4000];
	uint8_t skippable[8 + 3000] = { (uint8_t)(0x50 + rng_below(rng, 16)), 0x2a, 0x4d, 0x18 };
	uint32_t n = rng_below(rng, 3) == 0 ? 0 : rng_below(rng, 3000);

	if (codec == SIFT_CODEC_XZ)
		bytes_add(file, zeros, (size_t)rng_below(rng, 1000) * 4);
	else if (codec == SIFT_CODEC_GZIP && is_last)
		bytes_add(file, zeros, n);
	if (codec != SIFT_CODEC_ZSTD && codec != SIFT_CODEC_LZ4)
		return;
	skippable[4] = (uint8_t)n;
	skippable[5] = (uint8_t)(n >> 8);
	bytes_add(file, skippable, 8 + (size_t)n);
}

START_TEST(reads_frames_that_follow_each_other)
{
	enum sift_codec codec = (enum sift_codec)_i;
	uint64_t rng = suite_seed(0xf11), n_files = suite_scaled(80);

	if (!has_codec(codec))
		return;
	for (uint64_t i = 0; i < n_files; i++) {
		struct bytes content = { NULL }, file = { NULL };
		uint32_t n_frames = 2 + rng_below(&rng, 5);

		if (codec != SIFT_CODEC_XZ && rng_below(&rng, 2) == 0)
			add_filler(&file, codec, false, &rng);
		for (uint32_t k = 0; k < n_frames; k++) {
			size_t begin = content.n;

			bytes_add_content(&content, rng_below(&rng, 100000), &rng);
			bytes_add_frame(&file, codec, 1, content.p + begin, content.n - begin,
					&rng);
			if (rng_below(&rng, 2) == 0)
				add_filler(&file, codec, k == n_frames - 1, &rng);
		}
		expect(read_bytes(file.p, file.n, &rng), codec, &content);
		free(content.p);
		free(file.p);
	}
}
END_TEST

START_TEST(frames_to_be_skipped_alone_are_an_empty_file)
{
	static const uint8_t file[] = { 0x5f, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'a', 'b', 'c' };
	const struct bytes nothing = { NULL };
	uint64_t rng = 1;

	if (!has_codec(SIFT_CODEC_ZSTD))
		return;
	expect(read_bytes(file, sizeof(file), &rng), SIFT_CODEC_ZSTD, &nothing);
	expect_failure(read_bytes(file, sizeof(file) - 1, &rng), -EINVAL,
		       "x: offset 10: zstd: truncated");
	expect_failure(read_bytes(file, 7, &rng), -EINVAL, "x: offset 0: zstd: truncated");
}
END_TEST

/* ---- files of the formats' own tools ---- */

static const struct {
	enum sift_codec codec;
	const char *tool, *command;
} commands[] = {
	{ SIFT_CODEC_GZIP, "gzip", "gzip -1" },
	{ SIFT_CODEC_GZIP, "gzip", "gzip -9" },
	{ SIFT_CODEC_ZSTD, "zstd", "zstd -q -1 --no-check" },
	{ SIFT_CODEC_ZSTD, "zstd", "zstd -q -19 --long=27" },
	{ SIFT_CODEC_ZSTD, "zstd", "zstd -q -T2 -B600KB" },
	{ SIFT_CODEC_ZSTD, "pzstd", "pzstd -q -1 -p 2" },
	{ SIFT_CODEC_LZ4, "lz4", "lz4 -q -1" },
	{ SIFT_CODEC_LZ4, "lz4", "lz4 -q -9 -B4 -BD --content-size" },
	{ SIFT_CODEC_XZ, "xz", "xz -0" },
	{ SIFT_CODEC_XZ, "xz", "xz -6 --check=sha256" },
	{ SIFT_CODEC_XZ, "xz", "xz -1 -T2 --block-size=300KiB" },
};

START_TEST(reads_what_the_tools_write)
{
	static const size_t some[] = { 0, 1, 300000, 700000 };
	uint64_t rng = suite_seed(0xf12);

	if (!has_codec(commands[_i].codec) || !has_tool(commands[_i].tool))
		return;
	for (size_t i = 0; i < N_ELEMS(some); i++) {
		struct bytes content = { NULL }, file = { NULL };

		bytes_add_content(&content, some[i], &rng);
		ck_assert(pass_through(commands[_i].command, &content, &file));
		expect(read_bytes(file.p, file.n, &rng), commands[_i].codec, &content);
		free(content.p);
		free(file.p);
	}
}
END_TEST

/* ---- damage ---- */

START_TEST(a_file_cut_anywhere_reads_as_far_as_it_goes)
{
	enum sift_codec codec = (enum sift_codec)_i;
	uint64_t rng = suite_seed(0xf13), n_cuts = suite_scaled(150);
	struct bytes content = { NULL }, file = { NULL };

	if (!has_codec(codec))
		return;
	bytes_add_content(&content, 1500000, &rng);
	bytes_add_frame(&file, codec, 1, content.p, content.n, &rng);
	for (uint64_t i = 0; i < 40 + n_cuts; i++) {
		size_t n = i < 20   ? SIFT_CODEC_MAGIC + i
			   : i < 40 ? file.n - 1 - (i - 20)
				    : 6 + rng_below(&rng, (uint32_t)file.n - 6);
		struct outcome o = read_bytes(file.p, n, &rng);
		char text[64];

		ck_assert_int_eq(o.kind, codec);
		ck_assert(is_prefix(&o, &content));
		/* less than the largest block of any of them is kept back, but for xz's one */
		if (codec != SIFT_CODEC_XZ)
			ck_assert_uint_ge(o.got.n + 600000, content.n * (uint64_t)n / file.n);
		snprintf(text, sizeof(text), "x: offset %zu: %s: truncated", n,
			 sift_codec_name(codec));
		expect_failure(o, -EINVAL, text);
	}
	free(content.p);
	free(file.p);
}
END_TEST

START_TEST(a_wrong_bit_is_found_or_does_not_matter)
{
	enum sift_codec codec = (enum sift_codec)_i;
	uint64_t rng = suite_seed(0xf14), n_flips = suite_scaled(400), n_found = 0;

	if (!has_codec(codec))
		return;
	for (uint64_t i = 0; i < n_flips; i++) {
		struct bytes content = { NULL }, file = { NULL };
		struct outcome o;
		size_t at;

		bytes_add_content(&content, 1 + rng_below(&rng, 60000), &rng);
		bytes_add_frame(&file, codec, 1, content.p, content.n, &rng);
		/* a wrong magic number is another format's, or none's */
		at = SIFT_CODEC_MAGIC + (rng_below(&rng, 2) == 0
						 ? rng_below(&rng, 14)
						 : rng_below(&rng, (uint32_t)file.n - 6));
		if (at >= file.n)
			at = file.n - 1;
		file.p[at] ^= (uint8_t)(1 << rng_below(&rng, 8));
		o = read_bytes(file.p, file.n, &rng);
		if (o.rc == 0) {
			expect(o, codec, &content);
		} else {
			/* a larger window, by one bit */
			ck_assert(o.rc == -EINVAL || o.rc == -E2BIG || o.rc == -ENOMEM);
			ck_assert_msg(strncmp(o.err.text, "x: ", 3) == 0, "%s", o.err.text);
			free(o.got.p);
			n_found++;
		}
		free(content.p);
		free(file.p);
	}
	ck_assert_uint_ge(n_found, n_flips / 2);
}
END_TEST

START_TEST(what_stands_before_damage_is_handed_out)
{
	enum sift_codec codec = (enum sift_codec)_i;
	uint64_t rng = suite_seed(0xf15), n_files = suite_scaled(40);

	if (!has_codec(codec))
		return;
	for (uint64_t i = 0; i < n_files; i++) {
		struct bytes content = { NULL }, file = { NULL };
		unsigned long long off;
		struct outcome o;

		bytes_add_content(&content, 3000000, &rng);
		bytes_add_frame(&file, codec, 1, content.p, content.n, &rng);
		memset(file.p + file.n / 10 * 9, 0xff, 64);
		o = read_bytes(file.p, file.n, &rng);
		ck_assert_int_eq(o.rc, -EINVAL);
		ck_assert_uint_ge(o.got.n, content.n / 10 * 7);
		o.got.n = content.n / 10 * 7;
		ck_assert(is_prefix(&o, &content));
		ck_assert_int_eq(sscanf(o.err.text, "x: offset %llu: ", &off), 1);
		/* where the decompressor was when it saw that something is wrong */
		ck_assert_uint_ge(off, file.n / 10 * 7);
		ck_assert_uint_le(off, file.n);
		free(o.got.p);
		free(content.p);
		free(file.p);
	}
}
END_TEST

START_TEST(a_wrong_checksum_is_named)
{
	static const char *const texts[] = {
		[SIFT_CODEC_GZIP] = "gzip: checksum mismatch",
		[SIFT_CODEC_ZSTD] = "zstd: checksum mismatch",
		[SIFT_CODEC_LZ4] = "lz4: checksum mismatch",
		[SIFT_CODEC_XZ] = "xz: corrupt: invalid data or checksum",
	};
	/* from the end: gzip's length follows, and xz's index */
	static const size_t back[] = { [SIFT_CODEC_GZIP] = 8,
				       [SIFT_CODEC_ZSTD] = 4,
				       [SIFT_CODEC_LZ4] = 4,
				       [SIFT_CODEC_XZ] = 12 };
	enum sift_codec codec = (enum sift_codec)_i;
	struct bytes content = { NULL }, file = { NULL };
	uint64_t rng = suite_seed(0xf16);
	const char *text;
	struct outcome o;

	if (!has_codec(codec))
		return;
	bytes_add_content(&content, 300000, &rng);
	bytes_add_frame(&file, codec, 1, content.p, content.n, &rng);
	file.p[file.n - back[codec]] ^= 1;
	o = read_bytes(file.p, file.n, &rng);
	ck_assert_int_eq(o.rc, -EINVAL);
	ck_assert_uint_eq(o.got.n, content.n);
	ck_assert(is_prefix(&o, &content));
	text = strchr(o.err.text + 3, ':');
	ck_assert_ptr_nonnull(text);
	ck_assert_str_eq(text + 2, texts[codec]);
	free(o.got.p);
	free(content.p);
	free(file.p);
}
END_TEST

#define GZIP(flags) 0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3

/* Streams written by hand, each with one thing wrong. */
static const struct {
	enum sift_codec codec;
	const char *says[2];    /* ISA-L and zlib have words of their own; NULL: a checksum */
	uint8_t bytes[40];
	size_t n;
} damaged[] = {
	/* the last block, of a type that there is not; RFC 1951, 3.2.3 */
	{ SIFT_CODEC_GZIP, { "invalid deflate block", "invalid block type" }, { GZIP(0), 7 }, 32 },
	/* a stored block whose length and its complement do not fit */
	{ SIFT_CODEC_GZIP, { "invalid deflate block", "invalid stored block lengths" },
	  { GZIP(0), 1, 5, 0, 5, 0 }, 32 },
	/* fixed codes: a copy from before the first byte, which ISA-L notices behind it, and a
	   code that stands for nothing */
	{ SIFT_CODEC_GZIP, { "distance too far back", "invalid distance too far back" },
	  { GZIP(0), 0x03, 0xde, 0xff, 0x0f }, 32 },
	{ SIFT_CODEC_GZIP, { "invalid deflate symbol", "invalid literal/length code" },
	  { GZIP(0), 0x1b, 0x03, 0 }, 32 },
	/* a header with a checksum, which is wrong */
	{ SIFT_CODEC_GZIP, { NULL, "header crc mismatch" },
	  { GZIP(2), 0x12, 0x34, 3, 0 }, 32 },
	/* a descriptor with the reserved bit, and a block of the reserved type; RFC 8878 */
	{ SIFT_CODEC_ZSTD, { "Unsupported frame parameter" }, { 0x28, 0xb5, 0x2f, 0xfd, 0x08, 0x50 }, 32 },
	{ SIFT_CODEC_ZSTD, { "Data corruption detected" },
	  { 0x28, 0xb5, 0x2f, 0xfd, 0x20, 4, 7, 0, 0 }, 32 },
	/* a version that there is not, reserved bits, a checksum of the header */
	{ SIFT_CODEC_LZ4, { "ERROR_headerVersion_wrong" }, { 0x04, 0x22, 0x4d, 0x18, 0x24, 0x40, 0 }, 32 },
	{ SIFT_CODEC_LZ4, { "ERROR_reservedFlag_set" }, { 0x04, 0x22, 0x4d, 0x18, 0x62, 0x40, 0 }, 32 },
	{ SIFT_CODEC_LZ4, { NULL }, { 0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0 }, 32 },
	/* flags that are not known yet, their checksum right and wrong */
	{ SIFT_CODEC_XZ, { "unknown filter or option" },
	  { 0xfd, '7', 'z', 'X', 'Z', 0, 1, 0, 0xbe, 0x23, 0xc2, 0x58 }, 32 },
	{ SIFT_CODEC_XZ, { "invalid data or checksum" }, { 0xfd, '7', 'z', 'X', 'Z', 0, 0, 1, 0 }, 32 },
};

START_TEST(what_is_wrong_with_a_stream_is_named)
{
	uint64_t rng = suite_seed(0xf18);
	bool is_zlib = false;
	struct outcome o;
	char text[128];
	const char *says = damaged[_i].says[0];

	if (!has_codec(damaged[_i].codec))
		return;
#if !defined(HAVE_ISAL)
	is_zlib = damaged[_i].codec == SIFT_CODEC_GZIP;
#endif
	if (is_zlib)
		says = damaged[_i].says[1];
	o = read_bytes(damaged[_i].bytes, damaged[_i].n, &rng);
	ck_assert_int_eq(o.rc, -EINVAL);
	ck_assert_uint_eq(o.got.n, _i == 2 && !is_zlib ? 3 : 0);
	snprintf(text, sizeof(text), "%s: %s%s", sift_codec_name(damaged[_i].codec),
		 says != NULL ? "corrupt: " : "", says != NULL ? says : "checksum mismatch");
	ck_assert_msg(strlen(o.err.text) > strlen(text) &&
			      strcmp(o.err.text + strlen(o.err.text) - strlen(text), text) == 0,
		      "%s, not %s", o.err.text, text);
	free(o.got.p);
}
END_TEST

START_TEST(what_follows_is_refused_behind_what_was_there)
{
	static const struct {
		const char *bytes;
		size_t n;
	} tails[] = { { "tail", 4 }, { "\0\0\0\0tail", 8 }, { "\0", 1 }, { "\x1f\x8b\x09", 3 } };
	enum sift_codec codec = (enum sift_codec)_i;
	uint64_t rng = suite_seed(0xf17);

	if (!has_codec(codec))
		return;
	for (size_t i = 0; i < N_ELEMS(tails); i++) {
		struct bytes content = { NULL }, file = { NULL };
		struct outcome o;
		size_t end;
		char text[96];
		const char *what = "followed by something else";

		bytes_add_content(&content, 100000, &rng);
		bytes_add_frame(&file, codec, 1, content.p, content.n, &rng);
		end = file.n;
		bytes_add(&file, tails[i].bytes, tails[i].n);
		o = read_bytes(file.p, file.n, &rng);
		ck_assert_uint_eq(o.got.n, content.n);
		ck_assert(is_prefix(&o, &content));
		if (i == 2 && codec == SIFT_CODEC_GZIP) {
			expect(o, codec, &content);
		} else {
			if (i == 1 && (codec == SIFT_CODEC_GZIP || codec == SIFT_CODEC_XZ))
				end += 4;
			if (i == 2 && codec == SIFT_CODEC_XZ) {
				end += 1;
				what = "corrupt: padding is no multiple of 4 bytes";
			}
			snprintf(text, sizeof(text), "x: offset %zu: %s: %s", end,
				 sift_codec_name(codec), what);
			expect_failure(o, -EINVAL, text);
		}
		free(content.p);
		free(file.p);
	}
}
END_TEST

START_TEST(a_read_that_fails_is_reported_to_who_wants_the_bytes)
{
	const struct sift_inflow_opts opts = { .fd = open("/", O_RDONLY), .name = "x" };
	struct ebpf_err err = { "" };
	struct sift_inflow *flow;
	char byte;

	ck_assert_int_ge(opts.fd, 0);
	open_flow(&opts, &flow);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(sift_inflow_read(flow, &byte, 1, &err), -EISDIR);
		ck_assert_str_eq(err.text, "x: offset 0: Is a directory");
	}
	sift_inflow_free(flow);
	close(opts.fd);
}
END_TEST

START_TEST(a_format_left_out_is_named)
{
	static const uint8_t magics[][6] = {
		[SIFT_CODEC_GZIP] = { 0x1f, 0x8b, 8 },
		[SIFT_CODEC_ZSTD] = { 0x28, 0xb5, 0x2f, 0xfd },
		[SIFT_CODEC_LZ4] = { 0x04, 0x22, 0x4d, 0x18 },
		[SIFT_CODEC_XZ] = { 0xfd, '7', 'z', 'X', 'Z', 0 },
	};
	enum sift_codec codec = (enum sift_codec)_i;
	struct sift_inflow_opts opts = { .name = "x" };
	struct sift_inflow *flow = NULL;
	struct ebpf_err err = { "" };
	char text[96];
	int rc;

	opts.fd = open_file(magics[codec], 6);
	rc = sift_inflow_new(&opts, &flow, &err);
	if (sift_codec_decoder(codec) != NULL) {
		ck_assert_int_eq(rc, 0);
		ck_assert_int_eq(sift_inflow_kind(flow), codec);
		sift_inflow_free(flow);
	} else {
		snprintf(text, sizeof(text), "x: compressed with %s, which this build leaves out",
			 sift_codec_name(codec));
		ck_assert_int_eq(rc, -ENOTSUP);
		ck_assert_str_eq(err.text, text);
		ck_assert_ptr_null(flow);
	}
	close(opts.fd);
}
END_TEST

/* ---- memory ---- */

#ifdef HAVE_ZSTD
/* Frames that tell their sizes, as pzstd writes them, and now and then one that does not. */
static void
add_sized_frames(struct bytes *file, struct bytes *content, uint64_t *rng)
{
	uint32_t n_frames = 1 + rng_below(rng, 12);

	for (uint32_t i = 0; i < n_frames; i++) {
		size_t n = rng_below(rng, 8) == 0 ? 0 : rng_below(rng, 300000), begin = content->n;
		size_t bound = ZSTD_compressBound(n), made;
		uint8_t *coded = malloc(bound);

		ck_assert_ptr_nonnull(coded);
		bytes_add_content(content, n, rng);
		made = ZSTD_compress(coded, bound, content->p + begin, n, 1);
		ck_assert(!ZSTD_isError(made));
		if (rng_below(rng, 2) == 0)
			add_filler(file, SIFT_CODEC_ZSTD, false, rng);
		if (rng_below(rng, 20) == 0)
			bytes_add_frame(file, SIFT_CODEC_ZSTD, 1, content->p + begin, n, rng);
		else
			bytes_add(file, coded, made);
		free(coded);
	}
}

/* What is left of a message without the offset, which depends on how the input came. */
static const char *
what_of(const struct outcome *o)
{
	const char *what = strstr(o->err.text, ": zstd: ");

	return what != NULL ? what : o->err.text;
}
#endif

static struct outcome
read_within(const uint8_t *p, size_t n, uint64_t memlimit, unsigned n_threads)
{
	const struct sift_inflow_opts opts = {
		.fd = open_file(p, n),
		.name = "x",
		.memlimit = memlimit,
		.n_threads = n_threads,
	};
	struct outcome o = { .rc = 0 };
	struct sift_inflow *flow;
	uint64_t rng = 1;

	open_flow(&opts, &flow);
	drain(flow, &o, &rng);
	sift_inflow_free(flow);
	close(opts.fd);
	return o;
}

/* What stands before a frame that is no good, and why it is none, is as one thread has it. */
START_TEST(a_bad_frame_between_good_ones_is_told)
{
#ifdef HAVE_ZSTD
	enum { N_FRAMES = 6, BAD = 3, FRAME = 50000 };
	struct bytes content = { NULL }, file = { NULL };
	uint64_t rng = suite_seed(0xbad);
	ZSTD_CCtx *zstd = ZSTD_createCCtx();
	uint8_t coded[2 * FRAME];
	struct outcome one, some;

	ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1);
	for (int i = 0; i < N_FRAMES; i++) {
		size_t begin = content.n, made;

		bytes_add_content(&content, FRAME, &rng);
		made = ZSTD_compress2(zstd, coded, sizeof(coded), content.p + begin, FRAME);
		ck_assert(!ZSTD_isError(made));
		if (i == BAD)
			memset(coded + made / 2, 0xff, 32);
		bytes_add(&file, coded, made);
	}
	ZSTD_freeCCtx(zstd);
	one = read_within(file.p, file.n, 0, 1);
	ck_assert_int_lt(one.rc, 0);
	ck_assert_uint_ge(one.got.n, BAD * FRAME);
	ck_assert_int_eq(memcmp(one.got.p, content.p, BAD * FRAME), 0);
	for (unsigned n_threads = 2; n_threads <= 4; n_threads++) {
		some = read_within(file.p, file.n, 0, n_threads);
		ck_assert_int_eq(some.rc, one.rc);
		ck_assert_str_eq(what_of(&some), what_of(&one));
		ck_assert_uint_eq(some.got.n, one.got.n);
		ck_assert_int_eq(memcmp(some.got.p, one.got.p, one.got.n), 0);
		free(some.got.p);
	}
	free(one.got.p);
	free(content.p);
	free(file.p);
#else
	suite_skip("this build leaves zstd out");
#endif
}
END_TEST

/* Whole, cut, or with a bit that is wrong: all ends as it does with one thread. */
START_TEST(zstd_frames_are_read_side_by_side)
{
#ifdef HAVE_ZSTD
	uint64_t rng = suite_seed(0xf1b), n_files = suite_scaled(200), n_failed = 0;

	for (uint64_t i = 0; i < n_files; i++) {
		struct bytes content = { NULL }, file = { NULL };
		struct outcome one, some;

		/* a pointer to hand to libzstd, even if nothing is in it */
		bytes_add(&content, "", 1);
		content.n = 0;
		add_sized_frames(&file, &content, &rng);
		if (i % 3 == 1)
			file.n = 4 + rng_below(&rng, (uint32_t)file.n - 4);
		else if (i % 3 == 2)
			file.p[4 + rng_below(&rng, (uint32_t)file.n - 4)] ^=
				(uint8_t)(1 << rng_below(&rng, 8));
		one = read_within(file.p, file.n, 0, 1);
		some = read_within(file.p, file.n, i % 5 == 0 ? 1 << 20 : 0, 2 + (unsigned)i % 3);
		ck_assert_int_eq(some.rc, one.rc);
		ck_assert_str_eq(what_of(&some), what_of(&one));
		ck_assert_uint_eq(some.got.n, one.got.n);
		ck_assert(one.got.n == 0 || memcmp(some.got.p, one.got.p, one.got.n) == 0);
		ck_assert(i % 3 == 2 || is_prefix(&one, &content));
		ck_assert(i % 3 != 0 || (one.rc == 0 && one.got.n == content.n));
		n_failed += one.rc != 0;
		free(one.got.p);
		free(some.got.p);
		free(content.p);
		free(file.p);
	}
	ck_assert(n_files < 100 || n_failed > n_files / 4);
#else
	suite_skip("this build leaves zstd out");
#endif
}
END_TEST

START_TEST(zstd_is_held_to_the_memory_limit)
{
	/* RFC 8878: descriptor, window (exponent 21 above 10, mantissa 0), an empty last block */
	static const uint8_t window[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x00, 21 << 3, 0x01, 0x00, 0x00 };
	static const uint8_t odd[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x00, 7 << 3 | 1, 0x01, 0x00, 0x00 };
	/* the content's size in place of the window: 2^40 bytes */
	static const uint8_t single[] = { 0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0,    0,    0,
					  0,    0,    1,    0,    0,    0x01, 0x00, 0x00 };
	const struct bytes nothing = { NULL };

	if (!has_codec(SIFT_CODEC_ZSTD))
		return;
	expect_failure(read_within(window, sizeof(window), 0, 0), -E2BIG,
		       "x: needs 2048 MiB to decompress, the limit is 512 MiB");
	expect_failure(read_within(single, sizeof(single), 1 << 20, 0), -E2BIG,
		       "x: needs 1048576 MiB to decompress, the limit is 1 MiB");
	/* 128 KiB and an eighth */
	expect(read_within(odd, sizeof(odd), 144 << 10, 0), SIFT_CODEC_ZSTD, &nothing);
	expect_failure(read_within(odd, sizeof(odd), (144 << 10) - 1, 0), -E2BIG,
		       "x: needs 1 MiB to decompress, the limit is 0 MiB");
}
END_TEST

START_TEST(xz_is_held_to_the_memory_limit)
{
	struct bytes content = { NULL }, file = { NULL };
	uint64_t rng = suite_seed(0xf18);

	if (!has_codec(SIFT_CODEC_XZ))
		return;
	bytes_add_content(&content, 1000, &rng);
	bytes_add_frame(&file, SIFT_CODEC_XZ, 3, content.p, content.n, &rng);
	for (unsigned n_threads = 0; n_threads < 3; n_threads++) {
		/* a dictionary of 4 MiB, and what goes with it */
		expect_failure(read_within(file.p, file.n, 2 << 20, n_threads), -E2BIG,
			       "x: needs 5 MiB to decompress, the limit is 2 MiB");
		expect(read_within(file.p, file.n, 6 << 20, n_threads), SIFT_CODEC_XZ, &content);
	}
	free(content.p);
	free(file.p);
}
END_TEST

/* ---- leaving early ---- */

/* The front of a compressed file in a pipe that stays open: *end is to be closed. */
static int
open_stalled_pipe(enum sift_codec codec, size_t n, int *end)
{
	struct bytes content = { NULL }, file = { NULL };
	uint64_t rng = suite_seed(0xf19);
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	bytes_add_content(&content, 20000, &rng);
	if (codec == SIFT_CODEC_NONE)
		bytes_add(&file, content.p, content.n);
	else
		bytes_add_frame(&file, codec, 1, content.p, content.n, &rng);
	ck_assert_int_eq(write(fds[1], file.p, n), n);
	free(content.p);
	free(file.p);
	*end = fds[1];
	return fds[0];
}

static int
put(void *arg, const uint8_t *bytes, size_t n, struct ebpf_err *err)
{
	(void)err;
	bytes_add(arg, bytes, n);
	return 0;
}

/* What was flushed into a pipe arrives while the pipe is silent. */
START_TEST(nobody_waits_for_what_is_there)
{
	enum sift_codec codec = (enum sift_codec)_i;
	struct bytes content = { NULL }, file = { NULL }, got = { NULL };
	const struct sift_outflow_opts to = {
		.codec = codec, .put = put, .arg = &file, .name = "x"
	};
	uint64_t rng = suite_seed(0xf1c);
	struct ebpf_err err = { "" };
	struct sift_outflow *out;

	if (!has_codec(codec))
		return;
	bytes_add_content(&content, 30000, &rng);
	ck_assert_int_eq(sift_outflow_new(&to, &out, &err), 0);
	ck_assert_int_eq(sift_outflow_write(out, content.p, content.n, &err), 0);
	ck_assert_int_eq(sift_outflow_flush(out, &err), 0);
	for (unsigned n_threads = 1; n_threads <= 3; n_threads++) {
		struct sift_inflow_opts opts = { .name = "x", .n_threads = n_threads };
		struct sift_inflow *flow;
		const uint8_t *block;
		int fds[2];
		size_t n;

		ck_assert_int_eq(pipe(fds), 0);
		ck_assert_int_eq(write(fds[1], file.p, file.n), file.n);
		opts.fd = fds[0];
		open_flow(&opts, &flow);
		for (got.n = 0; got.n < content.n; bytes_add(&got, block, n))
			ck_assert_int_eq(sift_inflow_next(flow, &block, &n, &err), 1);
		ck_assert_uint_eq(got.n, content.n);
		ck_assert(memcmp(got.p, content.p, got.n) == 0);
		sift_inflow_free(flow);
		close(fds[0]);
		close(fds[1]);
	}
	sift_outflow_free(out);
	free(content.p);
	free(file.p);
	free(got.p);
}
END_TEST

static void *
stop(void *arg)
{
	atomic_store((atomic_bool *)arg, true);
	return NULL;
}

START_TEST(a_stop_ends_a_wait_for_a_pipe)
{
	enum sift_codec codec = (enum sift_codec)_i;
	static const size_t lengths[] = { 0, 3, 6, 40, 2000 };

	if (codec != SIFT_CODEC_NONE && !has_codec(codec))
		return;
	for (size_t i = 0; i < N_ELEMS(lengths); i++) {
		atomic_bool is_stopped = false;
		struct sift_inflow_opts opts = { .is_stopped = &is_stopped, .name = "x" };
		struct sift_inflow *flow;
		struct outcome o = { .rc = 0 };
		pthread_t thread;
		uint64_t rng = i;
		int end;

		opts.fd = open_stalled_pipe(codec, lengths[i], &end);
		ck_assert_int_eq(pthread_create(&thread, NULL, stop, &is_stopped), 0);
		open_flow(&opts, &flow);
		drain(flow, &o, &rng);
		ck_assert_msg(o.rc == 0, "%s", o.err.text);
		pthread_join(thread, NULL);
		sift_inflow_free(flow);
		free(o.got.p);
		close(opts.fd);
		close(end);
	}
}
END_TEST

START_TEST(is_freed_while_it_waits)
{
	enum sift_codec codec = (enum sift_codec)_i;
	uint64_t rng = suite_seed(0xf1a), n_times = suite_scaled(100);
	struct bytes content = { NULL }, file = { NULL };
	struct sift_inflow_opts opts = { .name = "x" };
	struct sift_inflow *flow;

	if (!has_codec(codec))
		return;
	bytes_add_content(&content, 3000000, &rng);
	bytes_add_frame(&file, codec, 1, content.p, content.n, &rng);
	for (uint64_t i = 0; i < n_times; i++) {
		uint32_t n_blocks = rng_below(&rng, 4);
		const uint8_t *block;
		int end;
		size_t n;

		/* for a pipe */
		opts.fd = open_stalled_pipe(codec, 6 + rng_below(&rng, 2000), &end);
		open_flow(&opts, &flow);
		sift_inflow_free(flow);
		close(opts.fd);
		close(end);
		/* for room */
		opts.fd = open_file(file.p, file.n);
		open_flow(&opts, &flow);
		while (n_blocks-- > 0)
			ck_assert_int_eq(sift_inflow_next(flow, &block, &n, NULL), 1);
		sift_inflow_free(flow);
		close(opts.fd);
	}
	free(content.p);
	free(file.p);
}
END_TEST

START_TEST(nothing_to_free_is_fine)
{
	sift_inflow_free(NULL);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("filter/inflow");
	TCase *whole = tcase_create("whole"), *damage = tcase_create("damage");
	TCase *early = tcase_create("early");
	const int first = SIFT_CODEC_NONE + 1;

	tcase_set_timeout(whole, 300);
	tcase_add_loop_test(whole, reads_what_was_compressed, 0, SIFT_N_CODECS);
	tcase_add_loop_test(whole, reads_frames_that_follow_each_other, first, SIFT_N_CODECS);
	tcase_add_test(whole, frames_to_be_skipped_alone_are_an_empty_file);
	tcase_add_loop_test(whole, reads_what_the_tools_write, 0, N_ELEMS(commands));
	suite_add_tcase(s, whole);
	tcase_set_timeout(damage, 300);
	tcase_add_loop_test(damage, a_file_cut_anywhere_reads_as_far_as_it_goes, first,
			    SIFT_N_CODECS);
	tcase_add_loop_test(damage, a_wrong_bit_is_found_or_does_not_matter, first, SIFT_N_CODECS);
	tcase_add_loop_test(damage, what_stands_before_damage_is_handed_out, first, SIFT_N_CODECS);
	tcase_add_loop_test(damage, a_wrong_checksum_is_named, first, SIFT_N_CODECS);
	tcase_add_loop_test(damage, what_follows_is_refused_behind_what_was_there, first,
			    SIFT_N_CODECS);
	tcase_add_loop_test(damage, what_is_wrong_with_a_stream_is_named, 0, N_ELEMS(damaged));
	tcase_add_test(damage, a_read_that_fails_is_reported_to_who_wants_the_bytes);
	tcase_add_loop_test(damage, a_format_left_out_is_named, first, SIFT_N_CODECS);
	tcase_add_test(damage, a_bad_frame_between_good_ones_is_told);
	tcase_add_test(damage, zstd_frames_are_read_side_by_side);
	tcase_add_test(damage, zstd_is_held_to_the_memory_limit);
	tcase_add_test(damage, xz_is_held_to_the_memory_limit);
	suite_add_tcase(s, damage);
	tcase_set_timeout(early, 120);
	tcase_add_loop_test(early, nobody_waits_for_what_is_there, first, SIFT_N_CODECS);
	tcase_add_loop_test(early, a_stop_ends_a_wait_for_a_pipe, 0, SIFT_N_CODECS);
	tcase_add_loop_test(early, is_freed_while_it_waits, first, SIFT_N_CODECS);
	tcase_add_test(early, nothing_to_free_is_fine);
	suite_add_tcase(s, early);
	return s;
}
