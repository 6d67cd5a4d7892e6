/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/support/a64.h"

static bool
bit(uint32_t word, unsigned i)
{
	return word >> i & 1;
}

static unsigned
field(uint32_t word, unsigned low, unsigned n)
{
	return word >> low & ((1u << n) - 1);
}

/* MOVN, MOVZ, MOVK */
static uint64_t
moved(struct a64_moves *moves, uint32_t word)
{
	uint64_t *reg = &moves->regs[field(word, 0, 5)];
	unsigned shift = 16 * field(word, 21, 2), op = field(word, 29, 2);
	uint64_t half = (uint64_t)field(word, 5, 16) << shift;

	if (op == 0)
		*reg = ~half;
	else if (op == 2)
		*reg = half;
	else
		*reg = (*reg & ~((uint64_t)0xffff << shift)) | half;
	if (!bit(word, 31))
		*reg &= UINT32_MAX;
	return *reg;
}

/* One bit after the other: ones up to imms, in elements, rotated to the right by immr. */
static uint64_t
logical(uint32_t word)
{
	unsigned n = field(word, 22, 1), immr = field(word, 16, 6), imms = field(word, 10, 6);
	unsigned size = 64, top = n << 6 | (~imms & 0x3f);
	uint64_t v = 0;

	while (size > 1 && (top & size) == 0)
		size /= 2;
	for (unsigned i = 0; i < 64; i++) {
		unsigned from = (i + immr) % size;

		if (from <= (imms & (size - 1)))
			v |= (uint64_t)1 << i;
	}
	return bit(word, 31) ? v : v & UINT32_MAX;
}

bool
a64_constant(struct a64_moves *moves, uint32_t word, uint64_t *v)
{
	if (field(word, 23, 6) == 0x25) {
		*v = moved(moves, word);
	} else if (field(word, 23, 6) == 0x24) {
		*v = logical(word);
		if (field(word, 29, 2) != 3)
			moves->regs[field(word, 0, 5)] = *v;    /* ORR with 0: a move */
	} else if (field(word, 23, 6) == 0x22) {
		*v = (uint64_t)field(word, 10, 12) << (bit(word, 22) ? 12 : 0);
		if (bit(word, 30))
			*v = 0 - *v;
	} else if (field(word, 25, 6) == 0x1b) {        /* TBZ, TBNZ */
		*v = (uint64_t)1 << (bit(word, 31) << 5 | field(word, 19, 5));
	} else {
		return false;
	}
	return true;
}
