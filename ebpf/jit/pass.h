/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What back ends share: one translation under way, and what a machine brings
 * to it.
 *
 * A program is translated several times: first with every jump long, then with
 * the distances found, until nothing gets shorter.  Some machines then set jumps
 * apart, until nothing gets longer.  In a pass come the entry
 * for runs, the functions, the entry from within a run, and, in programs that
 * are worth it, the first function again in a loop over contexts.
 */
#ifndef BPFSIFT_EBPF_JIT_PASS_H
#define BPFSIFT_EBPF_JIT_PASS_H

#include "ebpf/helper.h"
#include "ebpf/insn.h"
#include "ebpf/jit/buf.h"
#include "ebpf/jit/jit.h"
#include "ebpf/prog.h"

/* A function of the program. */
struct jit_func {
	uint32_t start, end;    /* slots */
	uint32_t entry;         /* offset that it is called at, as the pass before found it */
	uint32_t named, written;        /* registers, by number */
	uint32_t n_exits;
	bool has_calls;         /* of helpers and functions */
	bool has_may_goto;
};

/* How a slot is reached, and what is made of it; 0: not at all, so nothing. */
enum {
	JIT_FALLEN_TO = 1,      /* from the slot before */
	JIT_JUMPED_TO = 2,
	JIT_SELECTS = 4,        /* see jit_selects() */
	/* A jump of its was long while jumps were set apart, and stays so. */
	JIT_FAR = 8,
	JIT_FAR_IN_MANY = 16,
	JIT_FAR_FROM_HEAD = 32, /* the one back to the head of the batch's loop */
};

/* Offsets of slots, and of the end: as the pass before found them, and as this one does. */
struct jit_copy {
	uint32_t *prev, *now;
};

/* The batch's loop, and where it has what it keeps. */
struct jit_turns {
	size_t head;            /* offset of a turn's first instruction */
	size_t prev_head;       /* as the pass before found it */
	uint32_t next;          /* offset that exits lead to */
	uint8_t ctx, stride, end, result;       /* registers */
	uint8_t n_pushed;
	uint8_t pushed[4];                      /* those of them that are the host's */
};

struct jit {
	const struct ebpf_prog *prog;
	const struct jit_target *target;
	const struct ebpf_insn *insns;
	uint32_t n_insns;
	struct jit_func *funcs;
	size_t n_funcs;
	uint32_t *func_at;      /* for each slot: the place in funcs of the one that begins there */
	uint8_t *marks;         /* for each slot */
	bool has_many;          /* a loop for batches */
	bool has_run;           /* a run is kept: tail calls, functions that are replaced */
	bool has_lse;           /* see struct jit_target */
	bool calls_helpers;
	bool zeroes_args;       /* a helper takes whatever its registers hold */
	struct jit_copy all, many;      /* all functions; the first one again, for batches */
	const uint8_t *regs;    /* of the machine, for each of the program's */
	struct jit_turns turns;
	struct jit_buf b;
	const struct jit_func *func;    /* the one that is emitted, into this copy */
	const struct jit_copy *copy;
	uint32_t pc;            /* the slot that is emitted */
	bool in_many;
	bool pads;              /* a slot is as long as in the pass before */
	bool spreads;           /* jumps are set apart */
	/* Where the last two conditional jumps end that a slot is fallen to from; 0: none does. */
	size_t jumped[2];
};

/* How an instruction is emitted. */
typedef void (*jit_insn_fn)(struct jit *j, const struct ebpf_insn *insn);

/*
 * A machine.  What its functions emit has the same length or less in each pass,
 * and so at most the length that it is padded to, until jumps are set apart.
 * From then on it depends on where it is, and on jumps that only get longer.
 */
struct jit_target {
	/* Whether the processor at hand has FEAT_LSE of aarch64; NULL: for another machine. */
	bool (*has_lse)(void);
	/* Choose registers, and whether there is a loop for batches, by what functions are like. */
	void (*plan)(struct jit *j);
	/* Where a host's call of C becomes one of the program's; the first function follows. */
	void (*emit_run)(struct jit *j);
	/* Where other programs go on to the first function, with arguments as in C. */
	void (*emit_inner)(struct jit *j);
	/* What a function begins with. */
	void (*enter)(struct jit *j);
	/* What is before and behind the first function in the loop for batches. */
	void (*begin_many)(struct jit *j);
	void (*end_many)(struct jit *j);
	/* By enum ebpf_form; NULL: the loader has made others of these. */
	jit_insn_fn forms[EBPF_N_FORMS];
	size_t reach;           /* bytes that a jump and a call get over */
	size_t align;           /* of instructions */
	uint8_t breakpoint[4];  /* what lies where no code does, by offset */
	uint8_t nop[4];         /* what does nothing, by offset */
	/* Code may come to where other code was: no processor has still that. */
	bool is_coherent;
	bool spreads;           /* jumps are set apart in the end, if that settles */
};

static inline unsigned
jit_reg(const struct jit *j, unsigned r)
{
	return j->regs[r];
}

static inline bool
jit_is_named(const struct jit_func *f, unsigned r)
{
	return f->named >> r & 1;
}

static inline const struct ebpf_helper *
jit_helper(const struct jit *j, const struct ebpf_insn *insn)
{
	return &j->prog->helpers[ebpf_helper_index(&j->prog->aux->link.type, insn->imm)];
}

/* Where the slot begins that is so many after the next one. */
static inline uint32_t
jit_slot_at(const struct jit *j, int32_t displacement)
{
	return j->copy->prev[(int64_t)j->pc + 1 + displacement];
}

/*
 * Where a jump leads, in bytes from the end of the slot that it is in.  By the
 * offsets of the pass before, all of them: so distances never grow from one
 * pass to the next, until jumps are set apart.
 */
static inline int64_t
jit_distance(const struct jit *j, uint32_t to)
{
	return (int64_t)to - (int64_t)j->copy->prev[j->pc + 1];
}

/* The function that an instruction calls. */
const struct jit_func *jit_callee(const struct jit *j, const struct ebpf_insn *insn);

/* The program that may stand for it; NULL: none ever does. */
const struct ebpf_global *jit_replaced(const struct jit *j, const struct ebpf_insn *insn);

/*
 * Whether a conditional jump leads to "r0 = value; exit" on both ways.  One of
 * the values is then selected: which way packets go in the end is what a
 * processor predicts worst.
 */
bool jit_selects(const struct jit *j, const struct ebpf_insn *insn, uint64_t *taken,
		 uint64_t *otherwise);

/* What a wide load gives. */
uint64_t jit_wide_value(const struct jit *j, const struct ebpf_insn *insn);

#endif
