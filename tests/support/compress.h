/* SPDX-License-Identifier: BSD-2-Clause */
/* Contents, compressed by ourselves and by the formats' own tools. */
#ifndef TESTS_SUPPORT_COMPRESS_H
#define TESTS_SUPPORT_COMPRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "filter/codec.h"

/* Bytes that grow; { NULL } is empty, and released by free(bytes). */
struct bytes {
	uint8_t *p;
	size_t n, size;
};

void bytes_add(struct bytes *b, const void *p, size_t n);

/* Add n bytes such as captures hold: headers that differ little, text, noise. */
void bytes_add_content(struct bytes *b, size_t n, uint64_t *rng);

/* Add a frame that holds n bytes, written in pieces of any size. */
void bytes_add_frame(struct bytes *b, enum sift_codec codec, int level, const uint8_t *p, size_t n,
		     uint64_t *rng);

/* Whether this build reads and writes the format; says that a test is skipped if not. */
bool has_codec(enum sift_codec codec);

/* Whether the tool is there; says that a test is skipped if not. */
bool has_tool(const char *tool);

/* What a shell command makes of its input; whether it ended well. */
bool pass_through(const char *command, const struct bytes *in, struct bytes *out);

/* A descriptor of a regular file that holds these bytes. */
int open_file(const uint8_t *p, size_t n);

/* A pipe that a child fills with at most `most` bytes at a time, any number of them. */
int open_slow_pipe(const uint8_t *p, size_t n, uint32_t most, uint64_t seed, int *child);

#endif
