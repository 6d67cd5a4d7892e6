/* SPDX-License-Identifier: BSD-2-Clause */
/* Small savefiles of every kind, made byte by byte, and a place to keep them. */
#ifndef TESTS_SUPPORT_SAVEFILE_H
#define TESTS_SUPPORT_SAVEFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct savefile_kind {
	const char *name;
	bool is_pcapng;
	bool is_big_endian;
	bool is_nano;
};

enum { N_SAVEFILE_KINDS = 8 };
extern const struct savefile_kind savefile_kinds[N_SAVEFILE_KINDS];

enum { SAVEFILE_PACKETS = 5, SAVEFILE_SNAPLEN = 1000 };

/* A savefile of SAVEFILE_PACKETS Ethernet frames. */
struct savefile {
	uint8_t bytes[2048];
	size_t len;
	size_t at[SAVEFILE_PACKETS + 1]; /* where each record begins; the end */
};

void savefile_make(struct savefile *file, const struct savefile_kind *kind);

/* What its packet i is. */
struct savefile_packet {
	uint8_t data[64];
	uint32_t caplen, wirelen;
	int64_t ts_sec;
	uint32_t ts_nsec;
};
struct savefile_packet savefile_packet(const struct savefile_kind *kind, size_t i);

/*
 * Write bytes to a file in the working directory that this process alone uses,
 * in a buffer that the next call reuses.
 */
const char *savefile_write(const uint8_t *bytes, size_t len);

/* The name of that file, for others to write to. */
const char *savefile_path(void);

#endif
