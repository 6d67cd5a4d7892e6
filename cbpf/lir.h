/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Extended instructions before they have registers: what select.c makes, and
 * registers.c turns into a program.
 *
 * Registers 0 to 10 are the machine's own; from LIR_VIRTUAL on each stands for
 * one value, or for a phi.  All jumps go forwards, and on each path a register
 * is written before it is read: so where its first and its last mention stand,
 * and nothing between them, says how long it is needed.
 */
#ifndef BPFSIFT_CBPF_LIR_H
#define BPFSIFT_CBPF_LIR_H

#include "cbpf/emit.h"

#define LIR_VIRTUAL 16
#define LIR_NO_REG UINT32_MAX

enum lir_kind { LIR_INSN, LIR_LABEL, LIR_LDDW };

struct lir_insn {
	struct ebpf_insn insn;  /* its registers are not set yet */
	uint32_t dst, src;      /* LIR_NO_REG where there is none */
	uint32_t label;         /* of a jump, of LIR_LABEL; else EMIT_NO_LABEL */
	uint32_t high;          /* LIR_LDDW: upper half of the constant */
	uint32_t origin;
	uint8_t kind;           /* enum lir_kind */
	bool before_call;       /* first of what sets the arguments of a call */
};

struct lir {
	struct lir_insn *insns;
	size_t n, cap, max;     /* max: longer ones are given up */
	uint32_t n_regs;        /* virtual ones are below */
	uint32_t n_labels;
	uint32_t origin;
	bool pins_ctx;          /* R6 holds the context to the end */
	int failed;             /* 0, -ENOMEM, or OPT_GIVE_UP */
};

/*
 * Give every virtual register one of the machine's, or a place on the stack,
 * and emit all.  0, OPT_GIVE_UP: no room on the stack, -ENOMEM.
 */
int lir_emit(struct lir *lir, struct emit *e);

#endif
