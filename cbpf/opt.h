/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lowering, levels 1 and 2: the program as a flow graph over values.
 *
 * Classic programs here jump forwards only, so the graph has no cycles: each
 * block is entered at most once.  A, X and M[] are gone; instructions became
 *
 *	values    what can be computed again anywhere and comes out the same:
 *	          the packet never changes.  Equal values are one value.
 *	effects   what may end the program with 0 (a guard, a divisor that must
 *	          not be 0), and calls, in their order in a block
 *	ends      how a block is left
 *
 * A load is a value; the guard that makes it safe is an effect on every path
 * to each of its uses.  Values have no place until select.c gives them one.
 * A phi is the value that an edge brings along into a block; the edges' args
 * are in the order of the block's phis.
 *
 * Passes leave edges, aliases and unreachable blocks as it suits them, and say
 * so in changed; opt_flow() puts the derived parts in order again.
 */
#ifndef BPFSIFT_CBPF_OPT_H
#define BPFSIFT_CBPF_OPT_H

#include "cbpf/lower.h"

/* Operations of values: O(id, name in dumps). */
#define OPT_OPS(O)                                                                                 \
	O(NONE, "none")                                                                            \
	O(CONST, "const")   /* k */                                                                \
	O(CONST64, "const") /* b, upper half, and k */                                             \
	O(ENTRY, "entry")   /* register k as the program is entered */                             \
	O(FIELD, "field")   /* size bytes at a + k of memory that is always there, host order */   \
	O(LOAD, "load")     /* size bytes of the packet at (a) + k, as big-endian number */        \
	O(RAW, "raw")       /* the same as it lies in memory */                                    \
	O(ADD, "add")                                                                              \
	O(SUB, "sub")                                                                              \
	O(MUL, "mul")                                                                              \
	O(DIV, "div") /* b is not 0 */                                                             \
	O(MOD, "mod") /* likewise */                                                               \
	O(OR, "or")                                                                                \
	O(AND, "and")                                                                              \
	O(XOR, "xor")                                                                              \
	O(LSH, "lsh")     /* by b modulo 32 */                                                     \
	O(RSH, "rsh")     /* likewise */                                                           \
	O(LSH_OUT, "lsho") /* by b; 32 and more leave 0 */                                         \
	O(RSH_OUT, "rsho")                                                                         \
	O(NEG, "neg")                                                                              \
	O(SWAP16, "swap16") /* of 16 bits */                                                       \
	O(WINDOW, "window") /* offset in the data that a means; headers at b (link), k (network) */\
	O(TAGGED, "tagged") /* network layer of a frame with a VLAN tag or none: at k, tag at size */\
	O(PHI, "phi")                                                                              \
	O(CALL, "call") /* helper k (context, a, b) */                                             \
	O(FETCH, "fetch") /* size bytes at (a) + k, by a load that ends the program without them */

enum opt_op {
#define O(id, name) OPT_##id,
	OPT_OPS(O)
#undef O
};

struct opt_value {
	uint8_t op;             /* enum opt_op */
	uint8_t pad;
	uint16_t cost;          /* instructions to compute it from phis, calls and entries */
	uint32_t size;          /* of loads and fields, in bytes */
	uint32_t a, b, k;
	uint32_t max, bits;     /* no larger than max, no bits but these; WINDOW: unknown */
	uint32_t block;         /* phi, call: where it is; else where it was first asked for */
	uint32_t origin;        /* classic instruction */
	uint32_t alias;         /* another value that this one is; 0: none */
};

enum opt_effect_kind {
	OPT_EFFECT_NONE,        /* taken out */
	OPT_EFFECT_GUARD,       /* n bytes are in the packet from (base) on */
	OPT_EFFECT_NONZERO,     /* base is not 0 */
	OPT_EFFECT_CALL,        /* base is the value of a call, or of a fetch */
};

struct opt_effect {
	uint8_t kind;
	uint32_t base;          /* value */
	uint32_t n;
	uint32_t origin;
};

enum opt_end {
	OPT_END_GOTO,           /* edges[0] */
	OPT_END_IF,             /* edges[0] where a op b, else edges[1] */
	OPT_END_SWITCH,         /* a: the edge of the first range whose last is not below it */
	OPT_END_RET,            /* a is the verdict */
};

struct opt_range {
	uint32_t last;
	uint32_t edge;          /* index in the block's edges */
};

struct opt_edge {
	uint32_t from, to;
	uint32_t *args;         /* one for each phi of to */
	uint32_t next_in;       /* further edge into to; OPT_NO_EDGE: none */
};

#define OPT_NO_EDGE UINT32_MAX
#define OPT_NO_BLOCK UINT32_MAX

struct opt_block {
	struct opt_effect *effects;
	uint32_t *phis;
	uint32_t *edges;
	struct opt_range *ranges;
	uint32_t n_effects, n_phis, n_edges, n_ranges;
	uint8_t end;            /* enum opt_end */
	uint8_t test;           /* EBPF_JEQ, JGT, JGE, JSET */
	uint32_t a, b;          /* values */
	uint32_t origin;        /* of the end */
	/* Derived: opt_flow(). */
	uint32_t first_in, n_in;
	uint32_t place;         /* in order; OPT_NO_BLOCK: unreachable */
	uint32_t idom, depth, skip;
};

struct opt_chunk;

struct opt {
	struct lowering *l;
	int level;
	struct opt_chunk *chunks;       /* what dies with the lowering */
	struct opt_value *values;
	size_t n_values, values_cap;
	uint32_t *index;                /* hash table of values */
	size_t index_cap;
	struct opt_block *blocks;
	size_t n_blocks, blocks_cap;
	struct opt_edge *edges;
	size_t n_edges, edges_cap;
	uint32_t *order;                /* reachable blocks, each after all before it */
	size_t n_order;
	uint32_t block;                 /* that values are being made for */
	uint32_t origin;
	uint32_t last_fetch;            /* the newest; older ones behind it */
	bool has_random;                /* drawing numbers is seen from outside */
	bool changed;                   /* edges or ends, since opt_flow() */
	bool failed;                    /* out of memory */
	/* What the target's begin() sets: values. */
	uint32_t data, hlen, len, ctx;
	uint32_t end;           /* address behind the data, in place of hlen; 0: there is hlen */
	uint32_t net, ll;               /* offsets of headers; 0: unknown to the target */
};

/* A value of which a bit of known must be set, or else the verdict is otherwise. */
struct opt_missing {
	uint32_t value, known, otherwise;
};

/*
 * How a target looks to the optimiser.  Zero is success; -EINVAL a refusal,
 * err set.
 */
struct opt_target {
	bool fetches;           /* packet bytes by loads that end the program without them */
	/*
	 * Make the values data, hlen or end, len, and ctx, net and ll where there
	 * are such.  A len that is a call is called as the program begins.
	 */
	void (*begin)(struct opt *o);
	/*
	 * The value of an ancillary load, in *value, ALU_XOR_X apart.  a, x: A
	 * and X before.  *missing: on what it depends; its value 0: on nothing.
	 */
	int (*ancillary)(struct opt *o, uint32_t ad, uint32_t a, uint32_t x, uint32_t *value,
			 struct opt_missing *missing);
};

extern const struct opt_target opt_packet, opt_buffer, opt_socket, opt_tc, opt_xdp;

/*
 * With end: offsets that loads reach at most, from the data's start and from a
 * value, and what such a value may be.  Verifiers follow addresses so far.
 */
#define OPT_MAX_END 0xffff
#define OPT_MAX_FROM_BASE 0x7fff
#define OPT_MAX_BASE 0x7fff

/* Set net and ll by the link type, for targets whose data begins with the frame. */
void opt_frame_headers(struct opt *o);

/* ---- opt.c: the order of passes, memory ---- */

/* Given up: the program is better off with level 0. */
#define OPT_GIVE_UP 1

/* Optimise and emit what l holds: 0, OPT_GIVE_UP, or negative, err set. */
int opt_lower(struct lowering *l, int level, struct cbpf_lowered *out);

/* Memory that lives as long as o, zeroed; NULL: none left, failed is set. */
void *opt_alloc(struct opt *o, size_t n, size_t size);

/* ---- value.c ---- */

uint32_t opt_const(struct opt *o, uint32_t k);
uint32_t opt_const64(struct opt *o, uint64_t k);
uint32_t opt_entry(struct opt *o, uint8_t reg);
uint32_t opt_field(struct opt *o, uint32_t base, uint32_t off, uint32_t size, uint32_t max);
uint32_t opt_load(struct opt *o, enum opt_op op, uint32_t size, uint32_t base, uint32_t off);
uint32_t opt_swap16(struct opt *o, uint32_t a);
uint32_t opt_alu(struct opt *o, enum opt_op op, uint32_t a, uint32_t b);
uint32_t opt_window(struct opt *o, uint32_t sum);
uint32_t opt_tagged(struct opt *o, uint32_t off, uint32_t tag_at);
uint32_t opt_phi(struct opt *o, uint32_t block);
uint32_t opt_call(struct opt *o, int32_t helper, uint32_t a, uint32_t x);
/* made: whether it is a new one, to be an effect here; else one that was before. */
uint32_t opt_fetch(struct opt *o, uint32_t size, uint32_t base, uint32_t off, bool *made);

void opt_fold(struct opt *o, uint32_t v);

/* What a value is by now. */
static inline uint32_t
opt_real(const struct opt *o, uint32_t v)
{
	while (o->values[v].alias != 0)
		v = o->values[v].alias;
	return v;
}

static inline bool
opt_is_const(const struct opt *o, uint32_t v, uint32_t *k)
{
	*k = o->values[v].k;
	return o->values[v].op == OPT_CONST;
}

/* An offset as base and constant: *base + *off == v (+ *off at entry), no wrap. */
void opt_split_offset(const struct opt *o, uint32_t *base, uint64_t *off);

/* The outcome of a test: 1, 0, or -1 where it depends on the packet. */
int opt_decide(const struct opt *o, uint8_t test, uint32_t a, uint32_t b);

/* ---- build.c: from the classic program; flow.c: the graph ---- */

int opt_build(struct opt *o);

uint32_t opt_new_block(struct opt *o);
uint32_t opt_new_edge(struct opt *o, uint32_t from, uint32_t to);
/* Give a block one end: GOTO. */
void opt_end_goto(struct opt *o, uint32_t block, uint32_t edge);

/*
 * Order, edges by target, and dominators; blocks that cannot be reached are out,
 * phis of one edge become its arg, tests whose ways are one become GOTO.
 */
int opt_flow(struct opt *o);

bool opt_has_effects(const struct opt_block *b);

/* Whether a dominates b. */
bool opt_dominates(const struct opt *o, uint32_t a, uint32_t b);
/* The nearest block that dominates both. */
uint32_t opt_common(const struct opt *o, uint32_t a, uint32_t b);
/* Set idom of a block whose dominator's are known. */
void opt_set_idom(struct opt *o, uint32_t block, uint32_t idom);

/* How often the needed parts of the program use each value; an array of the arena. */
uint32_t *opt_count_uses(struct opt *o);

/* A block that returns a constant, made where there is none. */
uint32_t opt_ret_block(struct opt *o, uint32_t k);

/* Whether two edges lead to one block and bring the same along. */
bool opt_same_way(const struct opt *o, uint32_t edge, uint32_t other);

/* The arg that an edge brings for a value of its target: v itself if it is no phi there. */
uint32_t opt_through(const struct opt *o, uint32_t edge, uint32_t v);

/* ---- passes: 0 or -ENOMEM ---- */

int opt_pass_guard(struct opt *o);
int opt_pass_thread(struct opt *o);
int opt_pass_wide(struct opt *o);
int opt_pass_chain(struct opt *o);
int opt_pass_range(struct opt *o);
int opt_pass_swap(struct opt *o);

/* ---- dump.c ---- */

/* Write the graph after a pass, line by line. */
void opt_dump(const struct opt *o, const char *pass, void (*line)(void *arg, const char *text),
	      void *arg);

/* ---- select.c ---- */

/* Emit the graph: 0, OPT_GIVE_UP, or negative, err set. */
int opt_select(struct opt *o, struct cbpf_lowered *out);

#endif
