/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A growing buffer of extended instructions whose jumps go to labels, and the
 * linker that turns labels into offsets.
 *
 * Labels are the classic instructions' indices.  Memory that runs out is
 * remembered, not reported at each call: emit_link() says so at the end.
 */
#ifndef BPFSIFT_CBPF_EMIT_H
#define BPFSIFT_CBPF_EMIT_H

#include <bpfsift/cbpf.h>
#include <stdbool.h>

#define EMIT_NO_LABEL UINT32_MAX
#define EMIT_NO_ORIGIN UINT32_MAX

struct emit_slot {
	struct ebpf_insn insn;
	uint32_t label;         /* where the jump goes; EMIT_NO_LABEL: off is final */
	uint32_t origin;        /* classic instruction, or EMIT_NO_ORIGIN */
};

struct emit {
	struct emit_slot *slots;
	size_t n, cap;
	uint32_t origin;        /* given to what is emitted next */
	uint32_t *label_at;     /* slot at which each label stands */
	size_t n_labels;
	int failed;             /* 0, or -ENOMEM or -E2BIG: emitting goes on, linking fails */
};

/* Start a buffer for n_labels labels; emit_fini() ends it in any case. */
void emit_init(struct emit *e, size_t n_labels);
void emit_fini(struct emit *e);

/* Append an instruction. */
void emit(struct emit *e, struct ebpf_insn insn);

/* Append a jump to a label; its off is set when linking. */
void emit_jump(struct emit *e, struct ebpf_insn insn, uint32_t label);

/* Make the jump emitted at a slot, within one expansion, land on what is emitted next. */
void emit_land(struct emit *e, size_t jump);

/* The label stands here: at a boundary between two classic instructions. */
void emit_label(struct emit *e, uint32_t label);

/*
 * Resolve all jumps and hand over the program.  Jumps too far for 16 bits
 * become gotol from v4 on, and go over trampolines below.
 */
int emit_link(struct emit *e, enum cbpf_cpu cpu, struct cbpf_lowered *out, struct ebpf_err *err);

/* Constructors of instructions, named after their notation. */

static inline struct ebpf_insn
insn_alu32_k(uint8_t op, uint8_t dst, uint32_t imm)
{
	return (struct ebpf_insn) { .code = EBPF_ALU | EBPF_K | op, .dst_reg = dst & 0xf,
				    .imm = (int32_t)imm };
}

static inline struct ebpf_insn
insn_alu32_x(uint8_t op, uint8_t dst, uint8_t src)
{
	return (struct ebpf_insn) { .code = EBPF_ALU | EBPF_X | op, .dst_reg = dst & 0xf,
				    .src_reg = src & 0xf };
}

static inline struct ebpf_insn
insn_alu64_k(uint8_t op, uint8_t dst, int32_t imm)
{
	return (struct ebpf_insn) { .code = EBPF_ALU64 | EBPF_K | op, .dst_reg = dst & 0xf,
				    .imm = imm };
}

static inline struct ebpf_insn
insn_alu64_x(uint8_t op, uint8_t dst, uint8_t src)
{
	return (struct ebpf_insn) { .code = EBPF_ALU64 | EBPF_X | op, .dst_reg = dst & 0xf,
				    .src_reg = src & 0xf };
}

static inline struct ebpf_insn
insn_be(uint8_t dst, int32_t bits)
{
	return (struct ebpf_insn) { .code = EBPF_ALU | EBPF_X | EBPF_END, .dst_reg = dst & 0xf,
				    .imm = bits };
}

static inline struct ebpf_insn
insn_ldx(uint8_t size, uint8_t dst, uint8_t src, int16_t off)
{
	return (struct ebpf_insn) { .code = EBPF_LDX | EBPF_MEM | size, .dst_reg = dst & 0xf,
				    .src_reg = src & 0xf, .off = off };
}

static inline struct ebpf_insn
insn_st(uint8_t size, uint8_t dst, int16_t off, int32_t imm)
{
	return (struct ebpf_insn) { .code = EBPF_ST | EBPF_MEM | size, .dst_reg = dst & 0xf,
				    .off = off, .imm = imm };
}

static inline struct ebpf_insn
insn_stx(uint8_t size, uint8_t dst, int16_t off, uint8_t src)
{
	return (struct ebpf_insn) { .code = EBPF_STX | EBPF_MEM | size, .dst_reg = dst & 0xf,
				    .src_reg = src & 0xf, .off = off };
}

/* 64-bit compare and branch. */
static inline struct ebpf_insn
insn_jmp_k(uint8_t op, uint8_t dst, int32_t imm, int16_t off)
{
	return (struct ebpf_insn) { .code = EBPF_JMP | EBPF_K | op, .dst_reg = dst & 0xf,
				    .off = off, .imm = imm };
}

static inline struct ebpf_insn
insn_jmp_x(uint8_t op, uint8_t dst, uint8_t src, int16_t off)
{
	return (struct ebpf_insn) { .code = EBPF_JMP | EBPF_X | op, .dst_reg = dst & 0xf,
				    .src_reg = src & 0xf, .off = off };
}

static inline struct ebpf_insn
insn_ja(int16_t off)
{
	return (struct ebpf_insn) { .code = EBPF_JMP | EBPF_JA, .off = off };
}

static inline struct ebpf_insn
insn_call(int32_t helper)
{
	return (struct ebpf_insn) { .code = EBPF_JMP | EBPF_CALL, .imm = helper };
}

static inline struct ebpf_insn
insn_exit(void)
{
	return (struct ebpf_insn) { .code = EBPF_JMP | EBPF_EXIT };
}

#endif
