/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lowering, level 0: what its parts share.  opt.h takes over from level 1 on.
 *
 * Registers keep the roles that the kernel's conversion gives them:
 *
 *	A      R0        DATA  R8   first byte of the packet
 *	X      R7        HLEN  R9   bytes there
 *	CTX    R6        TMP   R2   scratch inside one expansion
 *	FP     R10       TMP2  R3   likewise
 *
 * M[k] is the word at FP - 4 * k - 4.  The upper halves of A and X are always
 * zero, so that 64-bit compares and moves are right.  A program's result is A.
 */
#ifndef BPFSIFT_CBPF_LOWER_H
#define BPFSIFT_CBPF_LOWER_H

#include "cbpf/emit.h"

enum {
	REG_A = EBPF_R0,
	REG_TMP = EBPF_R2,
	REG_TMP2 = EBPF_R3,
	REG_CTX = EBPF_R6,
	REG_X = EBPF_R7,
	REG_DATA = EBPF_R8,
	REG_HLEN = EBPF_R9,
	REG_FP = EBPF_R10,
	REG_SAVED = EBPF_R8,    /* where there is no DATA: A, while a load has R0 */
};

/* What tells a VLAN tag in a frame: IEEE 802.1Q, 802.1ad. */
enum { ETHERTYPE_VLAN = 0x8100, ETHERTYPE_QINQ = 0x88a8 };

/* What an offset of a load is relative to, by its range. */
enum lower_window { WINDOW_DATA, WINDOW_NET, WINDOW_LL, WINDOW_NONE };

struct lowering;
struct opt_target;
struct lower_helpers;

/*
 * How a target reaches packet bytes and metadata.  Loads that fail whatever
 * the packet never come here.
 */
struct lower_target {
	const char *name;
	bool has_vlan_tag;      /* that the kernel took off the frame, as metadata */
	bool acts;              /* the result is an action, as the options or it says */
	struct cbpf_actions actions;
	const struct lower_helpers *helpers;    /* NULL: bytes are in memory; lower_helper.h */
	/*
	 * Set CTX, DATA and HLEN from R1 and R2; loads: the program reads packet
	 * bytes, needs_len: it asks for their number.
	 */
	void (*prologue)(struct lowering *l, bool loads, bool needs_len);
	/* dst = length of the packet. */
	void (*len)(struct lowering *l, uint8_t dst);
	/* dst = size bytes at a constant offset; 0: done, -EINVAL: refused, err set. */
	int (*abs)(struct lowering *l, uint32_t k, uint8_t size, uint8_t dst);
	/* A = size bytes at X + k. */
	void (*ind)(struct lowering *l, uint32_t k, uint8_t size);
	/*
	 * Targets whose bytes are in memory: end the program, since not all of a load's size
	 * bytes at TMP are there.  NULL: with 0.
	 */
	void (*past_end)(struct lowering *l, uint8_t size);
	/* A = ancillary data at a known offset from CBPF_AD_OFF, ALU_XOR_X apart. */
	int (*ancillary)(struct lowering *l, uint32_t ad);
	const struct opt_target *opt;   /* opt.h; NULL: it has level 0 alone */
};

extern const struct lower_target lower_packet, lower_buffer, lower_socket, lower_tc, lower_xdp;
extern const struct lower_target lower_too_short;

struct lowering {
	struct emit e;
	const struct lower_target *target;
	const struct cbpf_lower_opts *opts;
	const struct cbpf_insn *insns;
	size_t n_insns;
	size_t pc;                      /* classic instruction being lowered */
	enum cbpf_dialect dialect;
	enum cbpf_cpu cpu;
	struct cbpf_actions actions;
	uint32_t label_base;            /* label of the first classic instruction */
	bool has_ctx;                   /* CTX is set before the prologue */
	struct ebpf_err *err;
};

/* What R0 says for a classic result. */
uint32_t lower_result(const struct lowering *l, uint32_t k);

/* Emit level 0's program behind what l->e holds, its labels from label_base on. */
int lower_append(struct lowering *l, uint32_t label_base);

/* Emit what ends the program with A. */
void lower_ret_a(struct lowering *l);

/* Emit what ends the program with a constant result: two instructions. */
void lower_ret_k(struct lowering *l, uint32_t k);

/* A = what a helper returns, 32 bits; it takes no argument, or they are there.  0. */
int lower_call(struct lowering *l, int32_t helper);

/* Refuse the load at pc: "insn 3: <what>", -EINVAL. */
int lower_refuse(struct lowering *l, const char *what);

/* Whether a load ends the program whatever the packet. */
bool lower_always_fails(const struct lowering *l, const struct cbpf_insn *insn);

/* The window of an offset, and what is left of it inside. */
enum lower_window lower_window(const struct lowering *l, uint32_t k, uint32_t *off);

/* ---- loads for targets whose packet is HLEN bytes at DATA ---- */

/* Bytes that EBPF_W, EBPF_H or EBPF_B stands for. */
uint32_t lower_size_bytes(uint8_t size);

/*
 * Emit dst = the offset in the data of a window's header, a number above any
 * packet's length where there is none.
 */
typedef void lower_base_fn(struct lowering *l, enum lower_window window, uint8_t dst);

/*
 * dst = size bytes at a constant.  base is NULL where the target knows no
 * headers, so that loads from them are refused.  0, or -EINVAL with err set.
 */
int lower_linear_abs(struct lowering *l, uint32_t k, uint8_t size, uint8_t dst,
		     lower_base_fn *base);

/* Refuse the load at pc: the target knows no headers.  -EINVAL. */
int lower_refuse_header(struct lowering *l);

/* A = size bytes at X + k; without base, a negative sum ends the program. */
void lower_linear_ind(struct lowering *l, uint32_t k, uint8_t size, lower_base_fn *base);

#endif
