/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Formats of compressed files: their names, how a file is told to be of one, and
 * what this build has to read and write them with.
 *
 * Each library is wrapped by one file (codec_zlib.c and so on) behind the structs of
 * functions below.  A decoder reads one frame at a time (gzip: member, xz: stream);
 * what stands between them is the business of inflow.c.
 */
#ifndef BPFSIFT_FILTER_CODEC_H
#define BPFSIFT_FILTER_CODEC_H

#include <bpfsift/filter.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SIFT_N_CODECS = SIFT_CODEC_XZ + 1 };

enum {
	SIFT_CODEC_MAGIC = 6,         /* bytes that tell any format */
	SIFT_CODEC_HEAD = 64,         /* bytes of a frame's front that a decoder begins with */
	SIFT_CODEC_SKIPPABLE_HEAD = 8 /* of a skippable frame: magic, length */
};

/* Bytes to code and room for the result; what is done is taken off the front of both. */
struct sift_codec_io {
	const uint8_t *in;
	size_t n_in;
	uint8_t *out;
	size_t n_out;
	/* On failure, what is wrong, in the library's words, or NULL: the checksum. */
	const char *what;
	uint64_t needs; /* with -E2BIG: bytes of memory, or 0: more than the limit */
};

/* Take off what a step has used and made. */
static inline void
sift_codec_take(struct sift_codec_io *io, size_t used, size_t made)
{
	io->in += used;
	io->n_in -= used;
	io->out += made;
	io->n_out -= made;
}

/* Bytes of a frame that is there whole, and of what is in it. */
struct sift_frame_size {
	size_t coded, content;
};

struct sift_decoder_ops {
	/* 0 or -ENOMEM. */
	int (*open)(uint64_t memlimit, unsigned n_threads, void **out);
	/*
	 * Make ready for the frame that io->in begins with: SIFT_CODEC_HEAD bytes of it,
	 * or all there are.  Takes none.  0, -ENOMEM, -E2BIG.
	 */
	int (*begin)(void *decoder, struct sift_codec_io *io);
	/*
	 * Decode until the room is full or the input used up: 0; or until the frame
	 * ends: 1.  -EINVAL, -ENOMEM, -E2BIG; what was decoded before is in io->out then,
	 * and taken off.  is_last: there is no more input than this.
	 */
	int (*decode)(void *decoder, struct sift_codec_io *io, bool is_last);
	void (*close)(void *decoder);
	/*
	 * Both NULL where a format does not tell.  The size of the frame that the n
	 * bytes at p begin with: 1; 0: with more of them it may be known; -1: it is not.
	 */
	int (*measure)(const uint8_t *p, size_t n, struct sift_frame_size *size);
	/* Decode all of a frame that was measured; whether it is sound. */
	bool (*whole)(void *decoder, const uint8_t *coded, uint8_t *content,
		      const struct sift_frame_size *size);
};

enum sift_encode_until {
	SIFT_ENCODE_MORE,  /* bytes may wait in the encoder */
	SIFT_ENCODE_FLUSH, /* what went in can be read */
	SIFT_ENCODE_END    /* the frame is complete */
};

struct sift_encoder_ops {
	/* 0, -ENOMEM. */
	int (*open)(int level, unsigned n_threads, void **out);
	/*
	 * 1: all input is taken, and what `until` asks for is done; 0: wants more room.
	 * -ENOMEM, -EINVAL: the library refuses.
	 */
	int (*encode)(void *encoder, struct sift_codec_io *io, enum sift_encode_until until);
	void (*close)(void *encoder);
};

/* By the first n bytes of its content, and none if it is no other. */
enum sift_codec sift_codec_by_magic(const uint8_t *p, size_t n);

/* Whether the n > 0 bytes at p, however few, may be the front of a frame. */
bool sift_codec_may_begin(enum sift_codec codec, const uint8_t *p, size_t n);

/*
 * Whether the n bytes at p begin with the magic number of a frame that zstd and lz4
 * skip.  Its length is in the four bytes, little-endian, behind those.
 */
bool sift_codec_is_skippable(const uint8_t *p, size_t n);

/* NULL: this build leaves the format out. */
const struct sift_decoder_ops *sift_codec_decoder(enum sift_codec codec);

/*
 * The encoder for a level, 0 being the default, which is replaced by what it is.
 * 0; -EINVAL: no such level; -ENOTSUP: this build leaves the format out.
 */
int sift_codec_encoder(enum sift_codec codec, int *level, const struct sift_encoder_ops **out,
		       struct ebpf_err *err);

/* One for each library, defined where it is there. */
extern const struct sift_decoder_ops sift_zlib_decoder, sift_isal_decoder, sift_zstd_decoder,
	sift_lz4_decoder, sift_lzma_decoder;
extern const struct sift_encoder_ops sift_zlib_encoder, sift_isal_encoder, sift_zstd_encoder,
	sift_lz4_encoder, sift_lzma_encoder;

#endif
