/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables made from insn.def, and which row an instruction is. */
#ifndef BPFSIFT_CBPF_INSN_H
#define BPFSIFT_CBPF_INSN_H

#include <bpfsift/cbpf.h>

enum cbpf_op {
#define I(id, ...) CBPF_OP_##id,
#include "cbpf/insn.def"
};

enum {
	CBPF_N_OPS = 0  /* counted apart: a switch over cbpf_op stays exhaustive */
#define I(id, ...) + 1
#include "cbpf/insn.def"
};

/* Shapes of operands. */
enum cbpf_shape {
	CBPF_SHAPE_NONE,        /* tax */
	CBPF_SHAPE_IMM,         /* ld #k */
	CBPF_SHAPE_LEN,         /* ld #len */
	CBPF_SHAPE_MEM,         /* ld M[k] */
	CBPF_SHAPE_ABS,         /* ld [k] */
	CBPF_SHAPE_IND,         /* ld [x + k] */
	CBPF_SHAPE_MSH,         /* ldxb 4*([k]&0xf) */
	CBPF_SHAPE_ALU_K,       /* add #k */
	CBPF_SHAPE_ALU_X,       /* add x */
	CBPF_SHAPE_JA,
	CBPF_SHAPE_JMP_K,       /* jeq #k, t, f */
	CBPF_SHAPE_JMP_X,       /* jeq x, t, f */
	CBPF_SHAPE_RET_K,       /* ret #k */
	CBPF_SHAPE_RET_A,       /* ret a */
};

struct cbpf_op_desc {
	const char *text;       /* mnemonic */
	const char *meaning;
	uint16_t code;
	uint8_t shape;          /* enum cbpf_shape */
};

extern const struct cbpf_op_desc cbpf_ops[CBPF_N_OPS];

/* The row of a code, all 16 bits of it looked at; -1: there is none. */
int cbpf_op_of(uint16_t code);

#endif
