/* SPDX-License-Identifier: BSD-2-Clause */
/* gzip by zlib. */
#include "config.h"

#include "filter/codec.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { GZIP_FORMAT = 16 }; /* added to the window's bits */

/* zlib counts in unsigned int: what is beyond is for the next call. */
static void
set_spans(z_stream *z, const struct sift_codec_io *io)
{
	z->next_in = (z_const Bytef *)(uintptr_t)io->in;
	z->avail_in = io->n_in < UINT_MAX ? (uInt)io->n_in : UINT_MAX;
	z->next_out = io->out;
	z->avail_out = io->n_out < UINT_MAX ? (uInt)io->n_out : UINT_MAX;
}

static void
take_spans(const z_stream *z, struct sift_codec_io *io)
{
	size_t used = (size_t)(z->next_in - io->in), made = (size_t)(z->next_out - io->out);

	sift_codec_take(io, used, made);
}

static int
decoder_open(uint64_t memlimit, unsigned n_threads, void **out)
{
	z_stream *z = calloc(1, sizeof(*z));

	(void)memlimit; /* 32 KiB and tables */
	(void)n_threads;
	if (z == NULL || inflateInit2(z, MAX_WBITS + GZIP_FORMAT) != Z_OK) {
		free(z);
		return -ENOMEM;
	}
	*out = z;
	return 0;
}

static int
decoder_begin(void *decoder, struct sift_codec_io *io)
{
	(void)io;
	return inflateReset(decoder) == Z_OK ? 0 : -EINVAL;
}

static int
decoder_decode(void *decoder, struct sift_codec_io *io, bool is_last)
{
	z_stream *z = decoder;
	int rc;

	(void)is_last;
	set_spans(z, io);
	rc = inflate(z, Z_NO_FLUSH);
	take_spans(z, io);
	switch (rc) {
	case Z_OK:
	case Z_BUF_ERROR: /* no progress: wants more of either */
		return 0;
	case Z_STREAM_END:
		return 1;
	case Z_MEM_ERROR:
		return -ENOMEM;
	default:
		io->what = z->msg != NULL ? z->msg : "no deflate data";
		if (strcmp(io->what, "incorrect data check") == 0 ||
		    strcmp(io->what, "incorrect length check") == 0)
			io->what = NULL;
		return -EINVAL;
	}
}

static void
decoder_close(void *decoder)
{
	inflateEnd(decoder);
	free(decoder);
}

const struct sift_decoder_ops sift_zlib_decoder = {
	.open = decoder_open,
	.begin = decoder_begin,
	.decode = decoder_decode,
	.close = decoder_close,
};

static int
encoder_open(int level, unsigned n_threads, void **out)
{
	z_stream *z = calloc(1, sizeof(*z));

	(void)n_threads;
	if (z == NULL || deflateInit2(z, level, Z_DEFLATED, MAX_WBITS + GZIP_FORMAT,
				      MAX_MEM_LEVEL - 1, Z_DEFAULT_STRATEGY) != Z_OK) {
		free(z);
		return -ENOMEM;
	}
	*out = z;
	return 0;
}

static int
encoder_encode(void *encoder, struct sift_codec_io *io, enum sift_encode_until until)
{
	static const int flush[] = { Z_NO_FLUSH, Z_SYNC_FLUSH, Z_FINISH };
	z_stream *z = encoder;
	int rc;

	set_spans(z, io);
	rc = deflate(z, flush[until]);
	take_spans(z, io);
	if (rc == Z_STREAM_ERROR) {
		io->what = "zlib refuses";
		return -EINVAL;
	}
	if (until == SIFT_ENCODE_END)
		return rc == Z_STREAM_END;
	return io->n_in == 0 && io->n_out > 0;
}

static void
encoder_close(void *encoder)
{
	deflateEnd(encoder);
	free(encoder);
}

const struct sift_encoder_ops sift_zlib_encoder = {
	.open = encoder_open,
	.encode = encoder_encode,
	.close = encoder_close,
};
