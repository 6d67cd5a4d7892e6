/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes as a file of their own, or as a pipe that hands them out a few at a time. */
#ifndef TESTS_SUPPORT_TEMPFILE_H
#define TESTS_SUPPORT_TEMPFILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { TEMPFILE_PATH = 64 };

/* Create an empty file, and say where. */
void tempfile_create(char path[TEMPFILE_PATH]);

/* How many bytes are there. */
uint64_t tempfile_size(const char *path);

void tempfile_save(const char *path, const uint8_t *bytes, size_t n);

/*
 * The reader's end of a pipe into which a child, to be waited for, writes n bytes: at most
 * `first` at a time of the beginning, then up to 70000.
 */
int tempfile_pipe(const uint8_t *bytes, size_t n, uint32_t first, uint64_t seed, pid_t *child);

#endif
