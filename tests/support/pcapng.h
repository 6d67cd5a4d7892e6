/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcapng files for readers to stumble over: every kind of block, option and packet, contents
 * that look like blocks, damage, an end anywhere.  Or mixed ones, which libpcap refuses, and
 * in which nothing is wrong.
 */
#ifndef TESTS_SUPPORT_PCAPNG_H
#define TESTS_SUPPORT_PCAPNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/support/tempfile.h"

enum {
	PCAPNG_MAX_CAPLEN = 262144,
	PCAPNG_MAX_FILE = 4 << 20,
	PCAPNG_MAX_PACKETS = 600,
	PCAPNG_MAX_INTERFACES = 6,
};

struct pcapng_interface {
	uint16_t linktype;
	uint32_t snaplen;
	uint8_t resolution, fcs_len;
	int64_t offset_s;
};

/* What was written, for files that libpcap does not read. */
struct pcapng_packet {
	struct pcapng_interface interface;
	uint32_t index, caplen, wirelen;
	uint64_t time;
	size_t at; /* of its bytes in the file */
};

struct pcapng {
	uint8_t *bytes;
	size_t n;
	bool is_swapped;
	bool is_mixed;
	struct pcapng_interface kind; /* of all interfaces, unless it is mixed */
	struct pcapng_interface interfaces[PCAPNG_MAX_INTERFACES];
	size_t n_interfaces;
	size_t blocks[4 * PCAPNG_MAX_PACKETS]; /* where they begin */
	size_t n_blocks;
	struct pcapng_packet packets[PCAPNG_MAX_PACKETS];
	size_t n_packets;
	char path[TEMPFILE_PATH];
};

/* A file without bytes, at a path of its own. */
void pcapng_init(struct pcapng *f);
void pcapng_destroy(struct pcapng *f);

/* Make another one. */
void pcapng_make(struct pcapng *f, uint64_t *rng);

/* Change bits in the fields of blocks. */
void pcapng_flip_bits(struct pcapng *f, uint64_t *rng);

/* Write it to its path. */
void pcapng_save(const struct pcapng *f);

/* A child that writes the file into a pipe, some bytes at a time; the reader's end. */
int pcapng_open_pipe(const struct pcapng *f, uint64_t seed, pid_t *child);

/* The longest packet that readers take from an interface. */
uint32_t pcapng_limit(const struct pcapng_interface *interface);

#endif
