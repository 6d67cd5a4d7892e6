/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What instruction selection and its ways to reach packet bytes share.
 *
 * sel_put() and those named after what they emit append instructions; registers
 * are virtual ones (lir.h) unless said otherwise.
 */
#ifndef BPFSIFT_CBPF_SELECT_H
#define BPFSIFT_CBPF_SELECT_H

#include "cbpf/lir.h"
#include "cbpf/opt.h"

/* A register that holds something in all that a block dominates. */
struct kept {
	uint32_t block, reg;
	struct kept *next;
};

/* What is kept of a value, or of an offset. */
enum keep { KEEP_VALUE, KEEP_POINTER, KEEP_ROOM, N_KEEPS };

struct selection {
	struct opt *o;
	struct lir lir;
	uint32_t block;                 /* being selected */
	size_t place;                   /* its number in order */
	struct kept **kept[N_KEEPS];    /* by value */
	uint32_t *uses;
	uint32_t *stack;                /* values to be computed */
	uint32_t *early;                /* by block: needed values that cost more, chained */
	uint32_t *early_next;           /* by value */
	bool *is_used;                  /* by place: something jumps there */
	bool falls;                     /* the block before goes on into the next one */
	uint32_t zero;                  /* label of "return 0" */
	bool zero_is_used;
	uint32_t retry;                 /* label of the program by helpers, behind all this */
	bool retry_is_used;
	size_t zero_place;              /* block where that label is; n_order: at the end */
};

/* ---- select.c ---- */

void sel_put(struct selection *s, struct ebpf_insn insn, uint32_t dst, uint32_t src);
void sel_put_jump(struct selection *s, struct ebpf_insn insn, uint32_t dst, uint32_t src,
		  uint32_t label);
void sel_put_label(struct selection *s, uint32_t label);
void sel_mov32_k(struct selection *s, uint32_t dst, uint32_t k);
void sel_mov32(struct selection *s, uint32_t dst, uint32_t src);
void sel_mov64(struct selection *s, uint32_t dst, uint32_t src);
void sel_alu64(struct selection *s, uint8_t op, uint32_t dst, uint32_t src);
/* Compare with a constant, unsigned but for JSLT, by what the cpu has. */
void sel_jump_k(struct selection *s, uint8_t op, uint32_t a, uint32_t k, uint32_t label);

uint32_t sel_new_reg(struct selection *s);
uint32_t sel_new_label(struct selection *s);

/* Where "return 0" stands. */
uint32_t sel_zero_label(struct selection *s);

/* The register that something is kept in here, or LIR_NO_REG. */
uint32_t sel_find_kept(const struct selection *s, enum keep what, uint32_t v);
void sel_keep(struct selection *s, enum keep what, uint32_t v, uint32_t block, uint32_t reg);
/* The register of a value that has one; a constant gets one for the moment. */
uint32_t sel_reg_of(struct selection *s, uint32_t v);
/* The same, computed here if it is nowhere. */
uint32_t sel_needed_reg(struct selection *s, uint32_t v);

/* ---- select_access.c: values from memory, guards ---- */

void sel_put_load(struct selection *s, const struct opt_value *v, uint32_t dst);
void sel_put_field(struct selection *s, const struct opt_value *v, uint32_t dst);
void sel_put_window(struct selection *s, const struct opt_value *v, uint32_t dst);
void sel_put_tagged(struct selection *s, const struct opt_value *v, uint32_t dst);
void sel_guard(struct selection *s, const struct opt_effect *e);

#endif
