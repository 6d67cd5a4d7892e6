/* SPDX-License-Identifier: BSD-2-Clause */
/* zstd frames by libzstd. */
#include "config.h"

#include "filter/codec.h"

#include <errno.h>
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

struct decoder {
	ZSTD_DCtx *ctx;
	uint64_t memlimit;
	size_t wanted; /* bytes that the next step takes */
	bool was_full; /* there may be more of the step before */
};

static int
decoder_open(uint64_t memlimit, unsigned n_threads, void **out)
{
	ZSTD_bounds bounds = ZSTD_dParam_getBounds(ZSTD_d_windowLogMax);
	struct decoder *d = calloc(1, sizeof(*d));

	(void)n_threads;
	if (d == NULL || (d->ctx = ZSTD_createDCtx()) == NULL) {
		free(d);
		return -ENOMEM;
	}
	d->memlimit = memlimit;
	/* memlimit is held here, to the byte, so that a message can say what is needed */
	ZSTD_DCtx_setParameter(d->ctx, ZSTD_d_windowLogMax, bounds.upperBound);
	*out = d;
	return 0;
}

static uint64_t
load_le(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | p[n];
	return v;
}

/*
 * The window of the frame at p, RFC 8878, "Frame Header": the descriptor behind the
 * magic number says whether a byte for it follows, or it is the content's size.
 * 0: less than the header is there.
 */
static uint64_t
window_size(const uint8_t *p, size_t n)
{
	static const uint8_t id_sizes[] = { 0, 1, 2, 4 }, content_sizes[] = { 1, 2, 4, 8 };
	size_t content_size, content;

	if (n < 6)
		return 0;
	if (!(p[4] & 0x20)) {
		uint64_t base = (uint64_t)1 << (10 + (p[5] >> 3));

		return base + base / 8 * (p[5] & 7);
	}
	content_size = content_sizes[p[4] >> 6];
	content = 5 + id_sizes[p[4] & 3];
	if (n < content + content_size)
		return 0;
	return load_le(p + content, content_size) + (content_size == 2 ? 256 : 0);
}

static int
decoder_begin(void *decoder, struct sift_codec_io *io)
{
	struct decoder *d = decoder;
	uint64_t window = window_size(io->in, io->n_in);

	if (window > d->memlimit) {
		io->needs = window;
		return -E2BIG;
	}
	ZSTD_DCtx_reset(d->ctx, ZSTD_reset_session_only);
	d->wanted = ZSTD_initDStream(d->ctx);
	d->was_full = false;
	return 0;
}

/*
 * No more goes in than one step takes, a block with the next one's header: when
 * libzstd fails it does not tell how much it had made until then, so nothing but
 * the block that is damaged may be in the call, nor what was left of the one before.
 */
static int
decoder_decode(void *decoder, struct sift_codec_io *io, bool is_last)
{
	struct decoder *d = decoder;

	(void)is_last;
	do {
		size_t n_in = d->was_full ? 0 : io->n_in < d->wanted ? io->n_in : d->wanted;
		ZSTD_inBuffer in = { io->in, n_in, 0 };
		ZSTD_outBuffer out = { io->out, io->n_out, 0 };
		size_t rc = ZSTD_decompressStream(d->ctx, &out, &in);

		if (ZSTD_isError(rc)) {
			if (ZSTD_getErrorCode(rc) == ZSTD_error_memory_allocation)
				return -ENOMEM;
			if (ZSTD_getErrorCode(rc) != ZSTD_error_checksum_wrong)
				io->what = ZSTD_getErrorName(rc);
			return -EINVAL;
		}
		sift_codec_take(io, in.pos, out.pos);
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

	ZSTD_freeDCtx(d->ctx);
	free(d);
}

static int
decoder_measure(const uint8_t *p, size_t n, struct sift_frame_size *size)
{
	unsigned long long content = ZSTD_getFrameContentSize(p, n);
	size_t coded;

	/* an error is too short a front as well */
	if (content == ZSTD_CONTENTSIZE_UNKNOWN || content == ZSTD_CONTENTSIZE_ERROR ||
	    content > SIZE_MAX)
		return -1;
	coded = ZSTD_findFrameCompressedSize(p, n);
	if (ZSTD_isError(coded))
		return ZSTD_getErrorCode(coded) == ZSTD_error_srcSize_wrong ? 0 : -1;
	*size = (struct sift_frame_size){ .coded = coded, .content = (size_t)content };
	return 1;
}

static bool
decoder_whole(void *decoder, const uint8_t *coded, uint8_t *content,
	      const struct sift_frame_size *size)
{
	struct decoder *d = decoder;

	return ZSTD_decompressDCtx(d->ctx, content, size->content, coded, size->coded) ==
	       size->content;
}

const struct sift_decoder_ops sift_zstd_decoder = {
	.open = decoder_open,
	.begin = decoder_begin,
	.decode = decoder_decode,
	.close = decoder_close,
	.measure = decoder_measure,
	.whole = decoder_whole,
};

static int
encoder_open(int level, unsigned n_threads, void **out)
{
	ZSTD_CCtx *ctx = ZSTD_createCCtx();

	if (ctx == NULL)
		return -ENOMEM;
	ZSTD_CCtx_setParameter(ctx, ZSTD_c_compressionLevel, level);
	ZSTD_CCtx_setParameter(ctx, ZSTD_c_checksumFlag, 1);
	/* Refused by a libzstd built without threads, which does it all in the call. */
	ZSTD_CCtx_setParameter(ctx, ZSTD_c_nbWorkers, (int)n_threads);
	*out = ctx;
	return 0;
}

static int
encoder_encode(void *encoder, struct sift_codec_io *io, enum sift_encode_until until)
{
	static const ZSTD_EndDirective directives[] = { ZSTD_e_continue, ZSTD_e_flush, ZSTD_e_end };
	ZSTD_inBuffer in = { io->in, io->n_in, 0 };
	ZSTD_outBuffer out = { io->out, io->n_out, 0 };
	size_t rc = ZSTD_compressStream2(encoder, &out, &in, directives[until]);

	if (ZSTD_isError(rc)) {
		if (ZSTD_getErrorCode(rc) == ZSTD_error_memory_allocation)
			return -ENOMEM;
		io->what = ZSTD_getErrorName(rc);
		return -EINVAL;
	}
	sift_codec_take(io, in.pos, out.pos);
	return until == SIFT_ENCODE_MORE ? io->n_in == 0 : rc == 0;
}

static void
encoder_close(void *encoder)
{
	ZSTD_freeCCtx(encoder);
}

const struct sift_encoder_ops sift_zstd_encoder = {
	.open = encoder_open,
	.encode = encoder_encode,
	.close = encoder_close,
};
