/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables made from insn.def, and which row an instruction is. */
#ifndef BPFSIFT_EBPF_INSN_H
#define BPFSIFT_EBPF_INSN_H

#include <bpfsift/ebpf.h>
#include <stdbool.h>

enum ebpf_op {
#define I(id, ...) EBPF_OP_##id,
#include "ebpf/insn.def"
};

enum {
	EBPF_N_OPS = 0  /* counted apart: a switch over ebpf_op stays exhaustive */
#define I(id, ...) + 1
#include "ebpf/insn.def"
};

/* The field that tells instructions with the same code apart. */
enum ebpf_by { EBPF_BY_NONE, EBPF_BY_OFF, EBPF_BY_SRC, EBPF_BY_IMM };

/* Operand shapes; those with the same fields differ in notation. */
enum ebpf_form {
	EBPF_FORM_ALU_K,        /* r1 += 5, w1 += 5 */
	EBPF_FORM_ALU_X,        /* r1 += r2 */
	EBPF_FORM_NEG,          /* r1 = -r1 */
	EBPF_FORM_MOVSX,        /* r1 = (s8)r2 */
	EBPF_FORM_END,          /* r1 = be16 r1 */
	EBPF_FORM_JMP_K,        /* if r1 > 5 goto pc+2 */
	EBPF_FORM_JMP_X,        /* if r1 > r2 goto pc+2 */
	EBPF_FORM_JA,           /* goto pc+2 */
	EBPF_FORM_JA32,         /* gotol pc+70000 */
	EBPF_FORM_CALL,         /* call name#7 */
	EBPF_FORM_CALL_LOCAL,   /* call pc+3 */
	EBPF_FORM_EXIT,
	EBPF_FORM_LDX,          /* r1 = *(u8 *)(r2 +4) */
	EBPF_FORM_ST,           /* *(u8 *)(r1 +4) = 5 */
	EBPF_FORM_STX,          /* *(u8 *)(r1 +4) = r2 */
	EBPF_FORM_ATOMIC,       /* lock *(u64 *)(r1 +0) += r2 */
	EBPF_FORM_FETCH,        /* r2 = atomic64_fetch_add((u64 *)(r1 +0), r2) */
	EBPF_FORM_XCHG,
	EBPF_FORM_CMPXCHG,
	EBPF_FORM_LOAD_ACQ,     /* r1 = load_acquire((u8 *)(r2 +0)) */
	EBPF_FORM_STORE_REL,    /* store_release((u8 *)(r1 +0), r2) */
	EBPF_FORM_LDDW,         /* r1 = 0x1122334455667788 */
	EBPF_FORM_LDABS,        /* r0 = *(u16 *)skb[12] */
	EBPF_FORM_LDIND,        /* r0 = *(u16 *)skb[r7 + 14] */
};
enum { EBPF_N_FORMS = EBPF_FORM_LDIND + 1 };

enum ebpf_group {
	EBPF_GROUP_BASE32,
	EBPF_GROUP_BASE64,
	EBPF_GROUP_DIVMUL32,
	EBPF_GROUP_DIVMUL64,
	EBPF_GROUP_ATOMIC32,
	EBPF_GROUP_ATOMIC64,
	EBPF_GROUP_PACKET,
	EBPF_GROUP_LINUX,
};

struct ebpf_op_desc {
	const char *name;
	const char *text;
	const char *meaning;
	int32_t val;
	uint8_t code;
	uint8_t by;     /* enum ebpf_by */
	uint8_t form;   /* enum ebpf_form */
	uint8_t group;  /* enum ebpf_group */
	uint8_t cpu;    /* 1 ... 4 */
};

extern const struct ebpf_op_desc ebpf_ops[EBPF_N_OPS];

/* Which fields a form uses. */
enum {
	EBPF_USES_DST = 1, EBPF_USES_SRC = 2, EBPF_USES_OFF = 4, EBPF_USES_IMM = 8,
};
extern const uint8_t ebpf_form_uses[];

/*
 * The row of an instruction, by its code and the field that tells sharers
 * apart; -1: there is none.  Other fields are not looked at.
 */
int ebpf_op_of(const struct ebpf_insn *insn);

/* Bytes that a load, store or atomic instruction accesses. */
static inline unsigned
ebpf_access_size(uint8_t code)
{
	static const uint8_t sizes[] = { 4, 2, 1, 8 };

	return sizes[code >> 3 & 3];
}

/* Whether the n slots begin with "r0 = value; exit", and which value. */
bool ebpf_returns_constant(const struct ebpf_insn *insns, size_t n, uint64_t *value);

/* Whether the code is that of a 64-bit immediate load: two slots. */
static inline bool
ebpf_code_is_wide(uint8_t code)
{
	return code == (EBPF_LD | EBPF_IMM | EBPF_DW);
}

#endif
