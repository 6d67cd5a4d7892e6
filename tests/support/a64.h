/* SPDX-License-Identifier: BSD-2-Clause */
/* A64 instructions read back, as far as they have constants. */
#ifndef BPFSIFT_TESTS_A64_H
#define BPFSIFT_TESTS_A64_H

#include <stdbool.h>
#include <stdint.h>

/* What moves of half words have left in each register so far. */
struct a64_moves {
	uint64_t regs[32];
};

/*
 * The constant that a word works with, or that a register has once it was
 * executed; whether it is such an instruction.  Negative where it is subtracted.
 */
bool a64_constant(struct a64_moves *moves, uint32_t word, uint64_t *v);

#endif
