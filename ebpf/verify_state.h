/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the verifier knows at one point of one path: registers, stacks, and
 * how much of the packet was proven to be there.
 */
#ifndef BPFSIFT_EBPF_VERIFY_STATE_H
#define BPFSIFT_EBPF_VERIFY_STATE_H

#include "ebpf/prog.h"
#include "ebpf/scalar.h"

#include <stddef.h>

#define EBPF_N_SLOTS (EBPF_STACK_SIZE / 8)

enum ebpf_reg_kind {
	EBPF_REG_NONE,                  /* never written, or void after a call */
	EBPF_REG_SCALAR,
	EBPF_REG_CTX,
	EBPF_REG_MEM,                   /* plain memory of the program type raw */
	EBPF_REG_STACK,                 /* of the function in frame */
	EBPF_REG_PACKET,
	EBPF_REG_PACKET_END,
	EBPF_REG_MAP,
	EBPF_REG_MAP_VALUE,
	EBPF_REG_MAP_VALUE_OR_NULL,
};

/*
 * Which registers and stack slots, as the last checkpoint knew them, a number
 * was computed from.  All of one frame; where they are of several, all.
 */
struct ebpf_deps {
	uint64_t slots;
	uint16_t regs;
	uint8_t frame;
	bool all;
};

/*
 * How a number hangs together with another one:
 *   LEN    it is exactly (packet length) + delta - (the number with id minus)
 *   CONST  it is exactly delta - (the number with id minus)
 * minus 0: nothing is taken away.
 */
enum ebpf_relation_kind { EBPF_RELATION_NONE, EBPF_RELATION_LEN, EBPF_RELATION_CONST };

struct ebpf_relation {
	int64_t delta;
	uint32_t minus;
	uint8_t kind;
};

/*
 * A register, or a stack slot that holds what a register held.
 *
 * var: the number, or the variable part of an address, whose constant part is
 * off.  id: numbers with the same id are equal; of packet addresses, that of
 * their variable part (0: it has none); of map values that may be null, the
 * same null.  room: so many bytes are in the packet from (start + number with
 * that id) on; proven by compares, negative: nothing is.
 */
struct ebpf_reg {
	struct ebpf_scalar var;
	int64_t off;
	int64_t room;
	struct ebpf_relation rel;
	struct ebpf_deps deps;
	uint32_t id;
	uint16_t map;
	uint8_t kind;           /* enum ebpf_reg_kind */
	uint8_t frame;          /* of stack addresses */
	bool is_precise;        /* in checkpoints: its number mattered */
};

#define EBPF_NO_ROOM INT64_MIN

/* Of a stack byte. */
enum ebpf_byte {
	EBPF_BYTE_NONE,         /* never written: unreadable */
	EBPF_BYTE_DATA,         /* some number's */
	EBPF_BYTE_SPILL,        /* part of the slot's register, from its first byte on */
};

struct ebpf_slot {
	struct ebpf_reg reg;
	uint8_t bytes[8];       /* enum ebpf_byte */
	uint8_t n_spilled;      /* bytes of reg: 1, 2, 4, 8; 0: none */
};

struct ebpf_frame {
	struct ebpf_reg regs[EBPF_MAX_REG];
	struct ebpf_slot *slots;        /* n_slots of them, the first one right below R10 */
	uint16_t n_slots;
	uint16_t func;
	uint8_t fill;                   /* enum ebpf_byte: what slots are at first */
	uint32_t return_to;             /* slot after the call */
};

struct ebpf_verify_state {
	struct ebpf_frame *frames[EBPF_MAX_FRAMES];
	unsigned n_frames;
	uint32_t pc;
	int64_t packet_min;             /* bytes that the packet has at least */
	uint32_t next_id;
	uint32_t n_may_goto;            /* passed on this path */
	/* The path: where it was last kept, and how far away that is. */
	struct checkpoint *parent;
	uint32_t n_insns, n_jumps;      /* since then */
};

static inline struct ebpf_frame *
ebpf_state_frame(const struct ebpf_verify_state *s)
{
	return s->frames[s->n_frames - 1];
}

static inline bool
ebpf_reg_is_pointer(const struct ebpf_reg *r)
{
	return r->kind > EBPF_REG_SCALAR;
}

void ebpf_reg_set_scalar(struct ebpf_reg *r, struct ebpf_scalar number);
void ebpf_reg_set_pointer(struct ebpf_reg *r, enum ebpf_reg_kind kind);
void ebpf_reg_set_none(struct ebpf_reg *r);

/* Deps of a number made of two. */
void ebpf_deps_add(struct ebpf_deps *to, const struct ebpf_deps *from);

/* One more frame, its registers unwritten but R10, its stack fill; false: no memory. */
bool ebpf_state_push_frame(struct ebpf_verify_state *s, unsigned func, uint32_t return_to,
			   enum ebpf_byte fill);
void ebpf_state_pop_frame(struct ebpf_verify_state *s);

/* A copy that shares nothing; false: no memory, and to is empty. */
bool ebpf_state_copy(struct ebpf_verify_state *to, const struct ebpf_verify_state *from);
void ebpf_state_clear(struct ebpf_verify_state *s);

/* Have at least n slots in a frame; false: no memory. */
bool ebpf_frame_grow(struct ebpf_frame *f, unsigned n_slots);

/* Each register and spilled register: fn(reg, arg). */
void ebpf_state_each(struct ebpf_verify_state *s, void (*fn)(struct ebpf_reg *r, void *arg),
		     void *arg);

/* Each number and each pointer's variable part depends on itself alone from now on. */
void ebpf_state_reset_deps(struct ebpf_verify_state *s);

/*
 * Whether all that can happen from b can happen from a, as far as verification
 * goes.  live[frame]: the registers that are read from here on.  exact: also
 * where numbers in a did not matter.
 */
bool ebpf_state_covers(const struct ebpf_verify_state *a, const struct ebpf_verify_state *b,
		       const uint16_t live[EBPF_MAX_FRAMES], bool exact);

/* ---- text ---- */

#define EBPF_REG_TEXT_SIZE 256

/* "scalar 0..255", "mem 0", "fp-8", "packet+14+(0..60)", "map_value_or_null 0" */
void ebpf_reg_text(const struct ebpf_reg *r, char *buf, size_t size);

/*
 * The registers and slots of the running frame, on one line: those that are not
 * what they were in the state before; if that is NULL or another function's,
 * all that were written.
 */
void ebpf_state_text(const struct ebpf_verify_state *s, const struct ebpf_verify_state *before,
		     char *buf, size_t size);

#endif
