/* SPDX-License-Identifier: BSD-2-Clause */
/* xz streams by liblzma. */
#include "config.h"

#include "filter/codec.h"

#include <errno.h>
#include <lzma.h>
#include <stdlib.h>

struct coder {
	lzma_stream stream;
	uint64_t memlimit;
	unsigned n_threads;
};

static void
take(struct sift_codec_io *io, const lzma_stream *stream)
{
	io->in = stream->next_in;
	io->n_in = stream->avail_in;
	io->out = stream->next_out;
	io->n_out = stream->avail_out;
}

static lzma_ret
step(struct coder *c, struct sift_codec_io *io, lzma_action action)
{
	lzma_ret rc;

	c->stream.next_in = io->in;
	c->stream.avail_in = io->n_in;
	c->stream.next_out = io->out;
	c->stream.avail_out = io->n_out;
	rc = lzma_code(&c->stream, action);
	take(io, &c->stream);
	return rc;
}

static void
coder_close(void *coder)
{
	struct coder *c = coder;

	lzma_end(&c->stream);
	free(c);
}

static int
decoder_open(uint64_t memlimit, unsigned n_threads, void **out)
{
	struct coder *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return -ENOMEM;
	c->stream = (lzma_stream)LZMA_STREAM_INIT;
	c->memlimit = memlimit;
	c->n_threads = n_threads;
	*out = c;
	return 0;
}

#if LZMA_VERSION >= 50040002
/* Blocks side by side, where the file has several and says how long they are. */
static lzma_ret
begin_mt(struct coder *c)
{
	const lzma_mt opts = {
		.threads = c->n_threads,
		/* beyond it fewer threads have to do, or one */
		.memlimit_threading = c->memlimit,
		.memlimit_stop = c->memlimit,
	};

	return lzma_stream_decoder_mt(&c->stream, &opts);
}

/*
 * What the first block needs, if that is more than the limit, or 0: the decoder with
 * threads refuses it, but does not tell.
 */
static uint64_t
probe(const struct coder *c, const struct sift_codec_io *io)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	uint64_t needs = 0;

	stream.next_in = io->in;
	stream.avail_in = io->n_in;
	if (lzma_stream_decoder(&stream, c->memlimit, 0) == LZMA_OK &&
	    lzma_code(&stream, LZMA_RUN) == LZMA_MEMLIMIT_ERROR)
		needs = lzma_memusage(&stream);
	lzma_end(&stream);
	return needs;
}
#endif

static int
decoder_begin(void *decoder, struct sift_codec_io *io)
{
	struct coder *c = decoder;

	(void)io;
#if LZMA_VERSION >= 50040002
	if (c->n_threads > 1) {
		if ((io->needs = probe(c, io)) > 0)
			return -E2BIG;
		return begin_mt(c) == LZMA_OK ? 0 : -ENOMEM;
	}
#endif
	return lzma_stream_decoder(&c->stream, c->memlimit, 0) == LZMA_OK ? 0 : -ENOMEM;
}

/*
 * As far as it goes: with threads, the call that takes the last of the input leaves
 * them at work, and one without any waits for what they make of it.
 */
static lzma_ret
step_to_end(struct coder *c, struct sift_codec_io *io, lzma_action action)
{
	size_t n_in, n_out;
	lzma_ret rc;

	do {
		n_in = io->n_in;
		n_out = io->n_out;
		rc = step(c, io, action);
	} while (rc == LZMA_OK && c->n_threads > 1 && io->n_out > 0 &&
		 (io->n_in < n_in || io->n_out < n_out));
	return rc;
}

static int
decoder_decode(void *decoder, struct sift_codec_io *io, bool is_last)
{
	struct coder *c = decoder;

	switch (step_to_end(c, io, is_last ? LZMA_FINISH : LZMA_RUN)) {
	case LZMA_STREAM_END:
		return 1;
	case LZMA_OK:
	case LZMA_BUF_ERROR: /* no progress: wants more of either */
		return 0;
	case LZMA_MEM_ERROR:
		return -ENOMEM;
	case LZMA_MEMLIMIT_ERROR:
		io->needs = c->n_threads > 1 ? 0 : lzma_memusage(&c->stream);
		return -E2BIG;
	case LZMA_OPTIONS_ERROR:
		io->what = "unknown filter or option";
		return -EINVAL;
	default:
		/* a wrong check and damaged data are one code */
		io->what = "invalid data or checksum";
		return -EINVAL;
	}
}

const struct sift_decoder_ops sift_lzma_decoder = {
	.open = decoder_open,
	.begin = decoder_begin,
	.decode = decoder_decode,
	.close = coder_close,
};

static int
encoder_open(int level, unsigned n_threads, void **out)
{
	struct coder *c = calloc(1, sizeof(*c));
	const lzma_mt opts = {
		.threads = n_threads > 0 ? n_threads : 1,
		.preset = (uint32_t)level,
		.check = LZMA_CHECK_CRC64,
	};

	if (c == NULL)
		return -ENOMEM;
	c->stream = (lzma_stream)LZMA_STREAM_INIT;
	/* With one thread too: its blocks say how long they are, for a reader with several. */
	if (lzma_stream_encoder_mt(&c->stream, &opts) != LZMA_OK) {
		free(c);
		return -ENOMEM;
	}
	*out = c;
	return 0;
}

static int
encoder_encode(void *encoder, struct sift_codec_io *io, enum sift_encode_until until)
{
	/* with threads, only the end of a block makes what is in it readable */
	static const lzma_action actions[] = { LZMA_RUN, LZMA_FULL_FLUSH, LZMA_FINISH };

	switch (step(encoder, io, actions[until])) {
	case LZMA_STREAM_END:
		return 1;
	case LZMA_OK:
	case LZMA_BUF_ERROR:
		return until == SIFT_ENCODE_MORE && io->n_in == 0;
	case LZMA_MEM_ERROR:
		return -ENOMEM;
	default:
		io->what = "liblzma refuses";
		return -EINVAL;
	}
}

const struct sift_encoder_ops sift_lzma_encoder = {
	.open = encoder_open,
	.encode = encoder_encode,
	.close = coder_close,
};
