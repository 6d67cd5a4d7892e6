/* SPDX-License-Identifier: BSD-2-Clause */
/* What the rooms of the back end for x86-64 share: one translation under way. */
#ifndef BPFSIFT_EBPF_JIT_X86_64_H
#define BPFSIFT_EBPF_JIT_X86_64_H

#include "ebpf/insn.h"
#include "ebpf/jit/x86_64_emit.h"
#include "ebpf/prog.h"

/*
 * R9 and R11 are scratch within an instruction.  R12 is the run, in programs
 * that may go on to another.
 */
#define RUN R12

/* A function of the program. */
struct func {
	uint32_t start, end;    /* slots */
	uint32_t entry;         /* offset that it is called at, as the pass before found it */
	uint32_t named, written;        /* registers, by number */
	bool has_calls;         /* of helpers and functions */
	bool has_may_goto;
};

/* Offsets of slots, and of the end: as the pass before found them, and as this one does. */
struct copy {
	uint32_t *prev, *now;
};

/* Where the batch's loop has what it keeps. */
struct turns {
	uint8_t ctx, stride, end, result;       /* registers */
	uint8_t n_pushed;
	uint8_t pushed[4];                      /* those of them that are the host's */
};

struct jit {
	const struct ebpf_prog *prog;
	const struct ebpf_insn *insns;
	uint32_t n_insns;
	struct func *funcs;
	size_t n_funcs;
	bool has_many;          /* a loop for batches */
	bool has_run;           /* RUN is kept: tail calls, functions that are replaced */
	bool calls_helpers;
	bool zeroes_args;       /* a helper takes whatever its registers hold */
	struct copy all, many;  /* all functions; the first one again, for batches */
	uint32_t next_turn;     /* where exits of the batch's copy lead */
	const uint8_t *regs;    /* of the machine, for each of the program's */
	struct turns turns;
	struct x86_buf b;
	const struct func *func;        /* the one that is emitted, into this copy */
	const struct copy *copy;
	bool in_many;
};

static inline unsigned
reg_of(const struct jit *j, unsigned r)
{
	return j->regs[r];
}

static inline bool
is_named(const struct func *f, unsigned r)
{
	return f->named >> r & 1;
}

/* ---- x86_64_arith.c: one instruction each ---- */

/* Forms ALU_K and ALU_X. */
void x86_jit_alu(struct jit *j, const struct ebpf_insn *insn);
void x86_jit_movsx(struct jit *j, const struct ebpf_insn *insn);
void x86_jit_end(struct jit *j, const struct ebpf_insn *insn);

/* ---- x86_64_memory.c: likewise ---- */

void x86_jit_load(struct jit *j, const struct ebpf_insn *insn);
void x86_jit_store(struct jit *j, const struct ebpf_insn *insn);
void x86_jit_store_imm(struct jit *j, const struct ebpf_insn *insn);
void x86_jit_atomic(struct jit *j, const struct ebpf_insn *insn);

#endif
