/* SPDX-License-Identifier: BSD-2-Clause */
/* Operands of the two notations that write classic BPF as assembly. */
#ifndef BPFSIFT_CBPF_OPERAND_H
#define BPFSIFT_CBPF_OPERAND_H

#include "cbpf/insn.h"
#include "cbpf/read.h"

/* What stands behind a mnemonic. */
enum cbpf_operand_kind {
	CBPF_OPERAND_NONE,      /* nothing */
	CBPF_OPERAND_K,         /* #5 */
	CBPF_OPERAND_NUMBER,    /* 5 */
	CBPF_OPERAND_LEN,       /* #pktlen, #len, len */
	CBPF_OPERAND_MEM,       /* M[5] */
	CBPF_OPERAND_ABS,       /* [5], or ancillary data by name */
	CBPF_OPERAND_IND,       /* [x + 5] */
	CBPF_OPERAND_MSH,       /* 4*([5]&0xf) */
	CBPF_OPERAND_X,         /* x, %x */
	CBPF_OPERAND_A,         /* a, %a */
};

struct cbpf_operand {
	enum cbpf_operand_kind kind;
	uint32_t k;
};

/* Read "[5]" and "[x + 5]"; bracketed names where is_listing. */
int cbpf_read_address(struct cbpf_scan *s, bool is_listing, struct cbpf_operand *operand);

/* Read the index of M, behind the M. */
int cbpf_read_slot(struct cbpf_scan *s, struct cbpf_operand *operand);

/* Read "#5", or 5, or 4*([5]&0xf). */
int cbpf_read_number_operand(struct cbpf_scan *s, struct cbpf_operand *operand);

/* The instruction with this mnemonic and kind of operand: enum cbpf_op; -1: there is none. */
int cbpf_op_find(struct cbpf_word mnemonic, enum cbpf_operand_kind kind);

/* Whether a mnemonic takes no operand; -1: there is no such mnemonic. */
int cbpf_op_is_bare(struct cbpf_word mnemonic);

#endif
