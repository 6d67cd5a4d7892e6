/* SPDX-License-Identifier: BSD-2-Clause */
/* Whole texts in and out. */
#ifndef TOOLS_CBPF2EBPF_FILE_H
#define TOOLS_CBPF2EBPF_FILE_H

#include <stddef.h>

/* Bytes, and a NUL behind them. */
struct text {
	char *at;
	size_t len;
};

/* All of a file, or of standard input where path is NULL; name is for messages. */
struct text read_file(const char *path, const char *name);

/* A file receives all of it or, if anything fails, keeps what it had. */
void write_file(const char *path, const struct text *text);

void write_stdout(const char *at, size_t len);

#endif
