/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random extended programs that end and stay inside their memory: every row of
 * the table that the type RANDOM_PROG_TYPE may use, loops, calls of own
 * functions and of a helper.  What they compute depends on no address.
 */
#ifndef TESTS_SUPPORT_RANDOM_PROG_H
#define TESTS_SUPPORT_RANDOM_PROG_H

#include "ebpf/prog.h"

enum { RANDOM_PROG_MAX = 2048, RANDOM_PROG_MEM = 128 };

struct random_prog {
	struct ebpf_insn insns[RANDOM_PROG_MAX];
	size_t n;
};

/* R1 = RANDOM_PROG_MEM bytes, aligned to 8; the last 64 receive registers. */
extern const struct ebpf_prog_type random_prog_type;

/* A program whose functions have about n_insns instructions each. */
void random_prog(struct random_prog *p, uint32_t n_insns, uint64_t *rng);

/* An immediate: small, a boundary, or any. */
int32_t random_imm(uint64_t *rng);

#endif
