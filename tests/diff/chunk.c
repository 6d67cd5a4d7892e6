/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/diff/chunk.h"

#include <string.h>

size_t
chunk_program(const struct cbpf_insn *insns, size_t n_insns, unsigned shift, unsigned width,
	      struct cbpf_insn *out)
{
	uint32_t mask = ((uint32_t)1 << width) - 1;
	const struct cbpf_insn tail[CHUNK_TAIL] = {
		CBPF_STMT(CBPF_ALU | CBPF_RSH | CBPF_K, shift),
		CBPF_STMT(CBPF_ALU | CBPF_AND | CBPF_K, mask),
		CBPF_STMT(CBPF_ALU | CBPF_ADD | CBPF_K, 1),
		CBPF_STMT(CBPF_RET | CBPF_A, 0),
	};
	size_t n = n_insns;

	for (size_t pc = 0; pc < n_insns; pc++) {
		out[pc] = insns[pc];
		if (insns[pc].code == (CBPF_RET | CBPF_K)) {
			out[pc].k = (insns[pc].k >> shift & mask) + 1;
		} else if (insns[pc].code == (CBPF_RET | CBPF_A)) {
			/* One instruction for one, so that no other jump changes. */
			out[pc].code = CBPF_JMP | CBPF_JA;
			out[pc].k = (uint32_t)(n_insns - pc - 1);
			n = n_insns + CHUNK_TAIL;
		}
	}
	if (n > n_insns)
		memcpy(out + n_insns, tail, sizeof(tail));
	return n;
}
