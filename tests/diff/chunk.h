/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How to see all 32 bits of a kernel filter's verdict: it cuts a packet to that
 * many bytes, so a program is rewritten to return a few bits of its verdict
 * plus one.  A packet that does not arrive then had the verdict 0 without a
 * return: a load out of the packet, or a division by 0.
 */
#ifndef TESTS_DIFF_CHUNK_H
#define TESTS_DIFF_CHUNK_H

#include <bpfsift/cbpf.h>

/* Room that chunk_program() needs at most: n_insns and this. */
#define CHUNK_TAIL 4

/*
 * Write to out the program that returns bits shift ... shift + width - 1 of
 * what insns would return, plus 1.  Returns its length.
 */
size_t chunk_program(const struct cbpf_insn *insns, size_t n_insns, unsigned shift, unsigned width,
		     struct cbpf_insn *out);

#endif
