/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef BPFSIFT_FILTER_READ_AT_H
#define BPFSIFT_FILTER_READ_AT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * pread(2) of n bytes, however many calls that takes.  How many there were, fewer where the
 * file ends; or a negative errno.
 */
ssize_t sift_read_at(int fd, uint8_t *to, size_t n, uint64_t off);

#endif
