/* SPDX-License-Identifier: BSD-2-Clause */
/* Changes to a valid classic program that leave it valid. */
#ifndef TESTS_DIFF_MUTATE_H
#define TESTS_DIFF_MUTATE_H

#include <bpfsift/cbpf.h>

/*
 * Change a program a few times: bits of constants, instructions, jumps, order.  Programs
 * with backward jumps stay as they are, since they might no longer end, and those that
 * load random numbers, whose verdict one could not foretell.
 */
void diff_mutate(struct cbpf_insn *insns, size_t n_insns, enum cbpf_dialect dialect,
		 uint64_t *rng);

#endif
