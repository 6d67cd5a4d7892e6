/* SPDX-License-Identifier: BSD-2-Clause */
/* What the rooms of the back end for x86-64 share. */
#ifndef BPFSIFT_EBPF_JIT_X86_64_H
#define BPFSIFT_EBPF_JIT_X86_64_H

#include "ebpf/jit/pass.h"
#include "ebpf/jit/x86_64_emit.h"

/*
 * R9 and R11 are scratch within an instruction.  R12 is the run, in programs
 * that may go on to another.
 */
#define RUN R12

/* ---- x86_64.c ---- */

/* Whether the load at hand is made by the test behind it, which alone needs what it loads. */
bool x86_jit_is_folded(const struct jit *j);

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
