/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes as a file. */
#ifndef FUZZ_FILE_H
#define FUZZ_FILE_H

#include <bpfsift/filter.h>

/* A path at which the bytes are until the next call. */
const char *fuzz_file(const uint8_t *data, size_t size);

#endif
