/* SPDX-License-Identifier: BSD-2-Clause */
/* Where machine code is written to, byte by byte. */
#ifndef BPFSIFT_EBPF_JIT_BUF_H
#define BPFSIFT_EBPF_JIT_BUF_H

#include <stddef.h>
#include <stdint.h>

/* bytes NULL: it is only counted. */
struct jit_buf {
	uint8_t *bytes;
	size_t n;
};

static inline void
jit_byte(struct jit_buf *b, unsigned v)
{
	if (b->bytes != NULL)
		b->bytes[b->n] = (uint8_t)v;
	b->n++;
}

/* The lower n bytes of v, the lowest first. */
static inline void
jit_le(struct jit_buf *b, uint64_t v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		jit_byte(b, (unsigned)(v >> (8 * i)) & 0xff);
}

#endif
