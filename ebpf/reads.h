/* SPDX-License-Identifier: BSD-2-Clause */
/* What a batch fetches of the data of runs to come: which bytes a program reads first. */
#ifndef BPFSIFT_EBPF_READS_H
#define BPFSIFT_EBPF_READS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ebpf_insn;
struct ebpf_prog_type;

struct ebpf_reads {
	bool any;               /* runs read data */
	uint8_t from, to;       /* the first and the last byte, of those near the beginning */
	/* Runs leave their data alone where a number of the context is less. */
	bool has_guard;
	uint16_t guard_off;     /* of 4 bytes of the context */
	int32_t guard_least;
};

/*
 * Look through n instructions for it.  A guess, good for nothing but what is
 * fetched: the ways through the program are not followed.
 */
void ebpf_find_reads(const struct ebpf_prog_type *type, const struct ebpf_insn *insns, size_t n,
		     struct ebpf_reads *reads);

#endif
