/* SPDX-License-Identifier: BSD-2-Clause */
#include "cbpf/insn.h"

const struct cbpf_op_desc cbpf_ops[CBPF_N_OPS] = {
#define I(id, cls, a, b, shape_, text_, meaning_)                                              \
	[CBPF_OP_##id] = { .text = text_, .meaning = meaning_,                                 \
			   .code = CBPF_##cls | CBPF_##a | CBPF_##b,                           \
			   .shape = CBPF_SHAPE_##shape_ },
#include "cbpf/insn.def"
};

/* The row of each code, plus one; 0 where there is none. */
static const uint8_t row_of[256] = {
#define I(id, cls, a, b, ...) [CBPF_##cls | CBPF_##a | CBPF_##b] = CBPF_OP_##id + 1,
#include "cbpf/insn.def"
};

int
cbpf_op_of(uint16_t code)
{
	return code < 256 ? row_of[code] - 1 : -1;
}
