/* SPDX-License-Identifier: BSD-2-Clause */
/* gzip by Intel's ISA-L, for x86-64 and aarch64. */
#include "config.h"

#include "filter/codec.h"

#include <errno.h>
#include <isa-l/igzip_lib.h>
#include <stdlib.h>

enum { MAX_LEVEL = 3 };

static uint32_t
as_u32(size_t n)
{
	return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

static void
take(struct sift_codec_io *io, const uint8_t *next_in, const uint8_t *next_out)
{
	size_t used = (size_t)(next_in - io->in), made = (size_t)(next_out - io->out);

	sift_codec_take(io, used, made);
}

static int
decoder_open(uint64_t memlimit, unsigned n_threads, void **out)
{
	struct inflate_state *state = malloc(sizeof(*state));

	(void)memlimit; /* the struct is all there is, 90 KiB of it */
	(void)n_threads;
	if (state == NULL)
		return -ENOMEM;
	isal_inflate_init(state);
	*out = state;
	return 0;
}

static int
decoder_begin(void *decoder, struct sift_codec_io *io)
{
	struct inflate_state *state = decoder;

	(void)io;
	isal_inflate_reset(state);
	state->crc_flag = ISAL_GZIP;
	return 0;
}

static const char *
decode_error(int rc)
{
	switch (rc) {
	case ISAL_INVALID_BLOCK:
		return "invalid deflate block";
	case ISAL_INVALID_SYMBOL:
		return "invalid deflate symbol";
	case ISAL_INVALID_LOOKBACK:
		return "distance too far back";
	case ISAL_UNSUPPORTED_METHOD:
		return "unknown compression method";
	case ISAL_INVALID_WRAPPER:
		return "incorrect header";
	default:
		return "no deflate data";
	}
}

static int
decoder_decode(void *decoder, struct sift_codec_io *io, bool is_last)
{
	struct inflate_state *state = decoder;
	int rc;

	(void)is_last;
	state->next_in = (uint8_t *)(uintptr_t)io->in;
	state->avail_in = as_u32(io->n_in);
	state->next_out = io->out;
	state->avail_out = as_u32(io->n_out);
	rc = isal_inflate(state);
	take(io, state->next_in, state->next_out);
	if (rc == ISAL_INCORRECT_CHECKSUM)
		return -EINVAL;
	if (rc < 0) {
		io->what = decode_error(rc);
		return -EINVAL;
	}
	return state->block_state == ISAL_BLOCK_FINISH;
}

static void
decoder_close(void *decoder)
{
	free(decoder);
}

const struct sift_decoder_ops sift_isal_decoder = {
	.open = decoder_open,
	.begin = decoder_begin,
	.decode = decoder_decode,
	.close = decoder_close,
};

struct encoder {
	struct isal_zstream stream;
	uint8_t level_buf[]; /* what a level works in */
};

static int
encoder_open(int level, unsigned n_threads, void **out)
{
	static const uint32_t sizes[MAX_LEVEL + 1] = {
		ISAL_DEF_LVL0_DEFAULT,
		ISAL_DEF_LVL1_DEFAULT,
		ISAL_DEF_LVL2_DEFAULT,
		ISAL_DEF_LVL3_DEFAULT,
	};
	struct encoder *e;

	(void)n_threads;
	if (level > MAX_LEVEL)
		level = MAX_LEVEL;
	e = malloc(sizeof(*e) + sizes[level]);
	if (e == NULL)
		return -ENOMEM;
	isal_deflate_init(&e->stream);
	e->stream.gzip_flag = IGZIP_GZIP;
	e->stream.level = (uint32_t)level;
	e->stream.level_buf = e->level_buf;
	e->stream.level_buf_size = sizes[level];
	*out = e;
	return 0;
}

static int
encoder_encode(void *encoder, struct sift_codec_io *io, enum sift_encode_until until)
{
	static const uint16_t flush[] = { NO_FLUSH, SYNC_FLUSH, NO_FLUSH };
	struct isal_zstream *stream = &((struct encoder *)encoder)->stream;

	stream->next_in = (uint8_t *)(uintptr_t)io->in;
	stream->avail_in = as_u32(io->n_in);
	stream->next_out = io->out;
	stream->avail_out = as_u32(io->n_out);
	stream->flush = flush[until];
	stream->end_of_stream = until == SIFT_ENCODE_END;
	if (isal_deflate(stream) != COMP_OK) {
		io->what = "ISA-L refuses";
		return -EINVAL;
	}
	take(io, stream->next_in, stream->next_out);
	if (until == SIFT_ENCODE_END)
		return stream->internal_state.state == ZSTATE_END;
	return io->n_in == 0 && io->n_out > 0;
}

static void
encoder_close(void *encoder)
{
	free(encoder);
}

const struct sift_encoder_ops sift_isal_encoder = {
	.open = encoder_open,
	.encode = encoder_encode,
	.close = encoder_close,
};
