/* SPDX-License-Identifier: BSD-2-Clause */
/* What the rooms of the back end for aarch64 share. */
#ifndef BPFSIFT_EBPF_JIT_AARCH64_H
#define BPFSIFT_EBPF_JIT_AARCH64_H

#include "ebpf/jit/aarch64_emit.h"
#include "ebpf/jit/pass.h"

/*
 * X12 to X17 are scratch within an instruction; X18 is the system's.  X28 is
 * the run, in programs that may go on to another.
 */
#define RUN X28

/* Bytes between the stack's pointer and R10. */
int32_t a64_stack_size(const struct jit *j);

/* ---- aarch64_arith.c: one instruction each ---- */

/* Forms ALU_K and ALU_X. */
void a64_jit_alu(struct jit *j, const struct ebpf_insn *insn);
void a64_jit_neg(struct jit *j, const struct ebpf_insn *insn);
void a64_jit_movsx(struct jit *j, const struct ebpf_insn *insn);
void a64_jit_end(struct jit *j, const struct ebpf_insn *insn);

/* Flags of the comparison that a conditional jump makes; X16 is lost. */
void a64_jit_compare(struct jit *j, const struct ebpf_insn *insn);

/* ---- aarch64_memory.c: likewise ---- */

void a64_jit_load(struct jit *j, const struct ebpf_insn *insn);
void a64_jit_store(struct jit *j, const struct ebpf_insn *insn);
void a64_jit_store_imm(struct jit *j, const struct ebpf_insn *insn);
void a64_jit_load_acquire(struct jit *j, const struct ebpf_insn *insn);
void a64_jit_store_release(struct jit *j, const struct ebpf_insn *insn);
void a64_jit_atomic(struct jit *j, const struct ebpf_insn *insn);
void a64_jit_fetch(struct jit *j, const struct ebpf_insn *insn);
void a64_jit_cmpxchg(struct jit *j, const struct ebpf_insn *insn);

#endif
