/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "filter/codec.h"

#include <errno.h>
#include <string.h>

#include "ebpf/err.h"

/*
 * ISA-L inflates more than twice as fast as zlib, and at level 1 deflates several
 * times as fast; beyond that it has little to offer, and zlib has.
 */
#if defined(HAVE_ISAL)
#define GZIP_DECODER &sift_isal_decoder
#define GZIP_ENCODER &sift_isal_encoder
#elif defined(HAVE_ZLIB)
#define GZIP_DECODER &sift_zlib_decoder
#define GZIP_ENCODER &sift_zlib_encoder
#else
#define GZIP_DECODER NULL
#define GZIP_ENCODER NULL
#endif
#if defined(HAVE_ZLIB)
#define GZIP_SMALL &sift_zlib_encoder
#else
#define GZIP_SMALL GZIP_ENCODER
#endif

#if defined(HAVE_ZSTD)
#define ZSTD_DECODER &sift_zstd_decoder
#define ZSTD_ENCODER &sift_zstd_encoder
#else
#define ZSTD_DECODER NULL
#define ZSTD_ENCODER NULL
#endif

#if defined(HAVE_LZ4)
#define LZ4_DECODER &sift_lz4_decoder
#define LZ4_ENCODER &sift_lz4_encoder
#else
#define LZ4_DECODER NULL
#define LZ4_ENCODER NULL
#endif

#if defined(HAVE_LZMA)
#define XZ_DECODER &sift_lzma_decoder
#define XZ_ENCODER &sift_lzma_encoder
#else
#define XZ_DECODER NULL
#define XZ_ENCODER NULL
#endif

/*
 * The defaults are the tools' own, but for gzip: a writer of packets should not wait
 * for its file, and level 6 is slower than a disk.
 */
static const struct {
	char name[8], suffix[8];
	uint8_t magic[SIFT_CODEC_MAGIC];
	uint8_t n_magic;
	int default_level, max_level;
	const struct sift_decoder_ops *decoder;
	const struct sift_encoder_ops *encoder, *small; /* at level 1, and above */
} codecs[SIFT_N_CODECS] = {
	[SIFT_CODEC_NONE] = { .name = "none" },
	/* RFC 1952; the third byte is deflate, the only method there is */
	[SIFT_CODEC_GZIP] = {
		.name = "gzip",
		.suffix = ".gz",
		.magic = { 0x1f, 0x8b, 8 },
		.n_magic = 3,
		.default_level = 1,
		.max_level = 9,
		.decoder = GZIP_DECODER,
		.encoder = GZIP_ENCODER,
		.small = GZIP_SMALL,
	},
	/* RFC 8878 */
	[SIFT_CODEC_ZSTD] = {
		.name = "zstd",
		.suffix = ".zst",
		.magic = { 0x28, 0xb5, 0x2f, 0xfd },
		.n_magic = 4,
		.default_level = 3,
		.max_level = 22,
		.decoder = ZSTD_DECODER,
		.encoder = ZSTD_ENCODER,
		.small = ZSTD_ENCODER,
	},
	/* lz4_Frame_format.md */
	[SIFT_CODEC_LZ4] = {
		.name = "lz4",
		.suffix = ".lz4",
		.magic = { 0x04, 0x22, 0x4d, 0x18 },
		.n_magic = 4,
		.default_level = 1,
		.max_level = 12,
		.decoder = LZ4_DECODER,
		.encoder = LZ4_ENCODER,
		.small = LZ4_ENCODER,
	},
	/* xz-file-format.txt */
	[SIFT_CODEC_XZ] = {
		.name = "xz",
		.suffix = ".xz",
		.magic = { 0xfd, '7', 'z', 'X', 'Z', 0 },
		.n_magic = 6,
		.default_level = 6,
		.max_level = 9,
		.decoder = XZ_DECODER,
		.encoder = XZ_ENCODER,
		.small = XZ_ENCODER,
	},
};

const char *
sift_codec_name(enum sift_codec codec)
{
	return codecs[codec].name;
}

int
sift_codec_from_name(const char *name, enum sift_codec *out)
{
	for (int i = 0; i < SIFT_N_CODECS; i++) {
		if (strcmp(name, codecs[i].name) == 0) {
			*out = (enum sift_codec)i;
			return 0;
		}
	}
	return -ENOENT;
}

enum sift_codec
sift_codec_from_suffix(const char *path)
{
	const char *name = strrchr(path, '/');
	size_t len;

	name = name != NULL ? name + 1 : path;
	len = strlen(name);
	for (int i = SIFT_CODEC_NONE + 1; i < SIFT_N_CODECS; i++) {
		size_t n = strlen(codecs[i].suffix);

		/* a name of nothing else is a hidden file's */
		if (len > n && strcmp(name + len - n, codecs[i].suffix) == 0)
			return (enum sift_codec)i;
	}
	return SIFT_CODEC_NONE;
}

enum sift_codec
sift_codec_by_magic(const uint8_t *p, size_t n)
{
	for (int i = SIFT_CODEC_NONE + 1; i < SIFT_N_CODECS; i++)
		if (n >= codecs[i].n_magic && sift_codec_may_begin((enum sift_codec)i, p, n))
			return (enum sift_codec)i;
	return SIFT_CODEC_NONE;
}

bool
sift_codec_may_begin(enum sift_codec codec, const uint8_t *p, size_t n)
{
	size_t n_magic = codecs[codec].n_magic;

	return memcmp(p, codecs[codec].magic, n < n_magic ? n : n_magic) == 0;
}

bool
sift_codec_is_skippable(const uint8_t *p, size_t n)
{
	static const uint8_t magic[] = { 0x2a, 0x4d, 0x18 };

	return n >= 4 && (p[0] & 0xf0) == 0x50 && memcmp(p + 1, magic, sizeof(magic)) == 0;
}

const struct sift_decoder_ops *
sift_codec_decoder(enum sift_codec codec)
{
	return codecs[codec].decoder;
}

int
sift_codec_encoder(enum sift_codec codec, int *level, const struct sift_encoder_ops **out,
		   struct ebpf_err *err)
{
	const char *name = codecs[codec].name;

	if (codec == SIFT_CODEC_NONE)
		return ebpf_err_set(err, -EINVAL, "no compression to write with");
	if (*level < 0 || *level > codecs[codec].max_level)
		return ebpf_err_set(err, -EINVAL, "%s has no level %d: 1 to %d", name, *level,
				    codecs[codec].max_level);
	if (codecs[codec].encoder == NULL)
		return ebpf_err_set(err, -ENOTSUP,
				    "compressing with %s, which this build leaves out", name);
	if (*level == 0)
		*level = codecs[codec].default_level;
	*out = *level > 1 ? codecs[codec].small : codecs[codec].encoder;
	return 0;
}
