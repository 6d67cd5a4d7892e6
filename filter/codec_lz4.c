/* SPDX-License-Identifier: BSD-2-Clause */
/* lz4 frames by liblz4. */
#include "config.h"

#include "filter/codec.h"

#include <errno.h>
#include <lz4frame.h>
#include <stdlib.h>
#include <string.h>

struct decoder {
	LZ4F_dctx *ctx;
	size_t wanted; /* bytes that the next step takes */
	bool was_full; /* there may be more of the step before */
};

static int
decoder_open(uint64_t memlimit, unsigned n_threads, void **out)
{
	struct decoder *d = calloc(1, sizeof(*d));

	(void)memlimit; /* two blocks at most, of 4 MiB at most */
	(void)n_threads;
	if (d == NULL || LZ4F_isError(LZ4F_createDecompressionContext(&d->ctx, LZ4F_VERSION))) {
		free(d);
		return -ENOMEM;
	}
	*out = d;
	return 0;
}

static int
decoder_begin(void *decoder, struct sift_codec_io *io)
{
	struct decoder *d = decoder;

	(void)io;
	LZ4F_resetDecompressionContext(d->ctx);
	d->wanted = LZ4F_MIN_SIZE_TO_KNOW_HEADER_LENGTH;
	d->was_full = false;
	return 0;
}

/* The codes of errors are in a header that only the static library has, so by name. */
static int
decode_failed(size_t rc, struct sift_codec_io *io)
{
	const char *name = LZ4F_getErrorName(rc);

	if (strcmp(name, "ERROR_allocation_failed") == 0)
		return -ENOMEM;
	if (strstr(name, "hecksum_invalid") == NULL)
		io->what = name;
	return -EINVAL;
}

/* One step at a time, as in codec_zstd.c, and for the same reason. */
static int
decoder_decode(void *decoder, struct sift_codec_io *io, bool is_last)
{
	struct decoder *d = decoder;

	(void)is_last;
	do {
		size_t used = d->was_full ? 0 : io->n_in < d->wanted ? io->n_in : d->wanted;
		size_t made = io->n_out;
		size_t rc = LZ4F_decompress(d->ctx, io->out, &made, io->in, &used, NULL);

		if (LZ4F_isError(rc))
			return decode_failed(rc, io);
		sift_codec_take(io, used, made);
		if (rc == 0)
			return 1;
		d->wanted = rc;
		d->was_full = io->n_out == 0;
	} while (io->n_in > 0 && io->n_out > 0);
	return 0;
}

static void
decoder_close(void *decoder)
{
	struct decoder *d = decoder;

	LZ4F_freeDecompressionContext(d->ctx);
	free(d);
}

const struct sift_decoder_ops sift_lz4_decoder = {
	.open = decoder_open,
	.begin = decoder_begin,
	.decode = decoder_decode,
	.close = decoder_close,
};

/* Input of a step: one block. */
enum { STEP = 256 << 10 };

/*
 * liblz4 wants room for the worst case, which the caller may not have: what it
 * makes waits here.
 */
struct encoder {
	LZ4F_cctx *ctx;
	LZ4F_preferences_t prefs;
	bool has_begun, has_ended;
	size_t size, begin, end; /* of what waits; bytes not handed out yet */
	uint8_t waiting[];
};

static int
encoder_open(int level, unsigned n_threads, void **out)
{
	/* Blocks stand alone, so that a reader could take them side by side. */
	const LZ4F_preferences_t prefs = {
		.frameInfo = {
			.blockSizeID = LZ4F_max256KB,
			.blockMode = LZ4F_blockIndependent,
			.contentChecksumFlag = LZ4F_contentChecksumEnabled,
		},
		.compressionLevel = level,
	};
	size_t size = LZ4F_compressBound(STEP, &prefs) + LZ4F_HEADER_SIZE_MAX;
	struct encoder *e = calloc(1, sizeof(*e) + size);

	(void)n_threads;
	if (e == NULL || LZ4F_isError(LZ4F_createCompressionContext(&e->ctx, LZ4F_VERSION))) {
		free(e);
		return -ENOMEM;
	}
	e->prefs = prefs;
	e->size = size;
	*out = e;
	return 0;
}

static void
hand_out(struct encoder *e, struct sift_codec_io *io)
{
	size_t left = e->end - e->begin, n = left < io->n_out ? left : io->n_out;

	memcpy(io->out, e->waiting + e->begin, n);
	e->begin += n;
	io->out += n;
	io->n_out -= n;
}

/* Add what a call made; whether it failed. */
static bool
add(struct encoder *e, size_t rc, struct sift_codec_io *io)
{
	if (LZ4F_isError(rc)) {
		io->what = LZ4F_getErrorName(rc);
		return false;
	}
	e->end += rc;
	return true;
}

/* Take a step of input; with none left, do what is asked for. */
static bool
encode_step(struct encoder *e, struct sift_codec_io *io, enum sift_encode_until until)
{
	size_t n = io->n_in < STEP ? io->n_in : STEP;

	e->begin = e->end = 0;
	if (!e->has_begun) {
		if (!add(e, LZ4F_compressBegin(e->ctx, e->waiting, e->size, &e->prefs), io))
			return false;
		e->has_begun = true;
	}
	if (n > 0) {
		if (!add(e,
			 LZ4F_compressUpdate(e->ctx, e->waiting + e->end, e->size - e->end, io->in,
					     n, NULL),
			 io))
			return false;
		io->in += n;
		io->n_in -= n;
	} else if (until == SIFT_ENCODE_FLUSH) {
		return add(e, LZ4F_flush(e->ctx, e->waiting + e->end, e->size - e->end, NULL), io);
	} else if (until == SIFT_ENCODE_END) {
		e->has_ended = true;
		return add(e, LZ4F_compressEnd(e->ctx, e->waiting + e->end, e->size - e->end, NULL),
			   io);
	}
	return true;
}

static int
encoder_encode(void *encoder, struct sift_codec_io *io, enum sift_encode_until until)
{
	struct encoder *e = encoder;
	bool is_done = false;

	for (;;) {
		hand_out(e, io);
		if (e->begin < e->end)
			return 0;
		if (is_done || e->has_ended || (io->n_in == 0 && until == SIFT_ENCODE_MORE))
			return 1;
		is_done = io->n_in == 0;
		if (!encode_step(e, io, until))
			return -EINVAL;
	}
}

static void
encoder_close(void *encoder)
{
	struct encoder *e = encoder;

	LZ4F_freeCompressionContext(e->ctx);
	free(e);
}

const struct sift_encoder_ops sift_lz4_encoder = {
	.open = encoder_open,
	.encode = encoder_encode,
	.close = encoder_close,
};
