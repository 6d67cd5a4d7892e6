/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the classic program to the flow graph: each instruction is run once, on
 * values in place of numbers.
 *
 * Jumps go forwards, so that a block's ways in are all known when it is its
 * turn: constants, copies, equal values and what cannot be reached are settled
 * on the way.  Where ways in differ in A, X or a scratch slot that is still
 * read, the block gets a phi.
 */
#include "cbpf/opt.h"

#include "cbpf/insn.h"

#include <errno.h>
#include <string.h>

enum { VAR_A, VAR_X, VAR_M, N_VARS = VAR_M + CBPF_MEMWORDS };

/* A value that costs no more than this is made again rather than brought along. */
#define CHEAP 4

struct builder {
	struct opt *o;
	uint32_t *block_at;     /* by classic instruction; OPT_NO_BLOCK: none begins there */
	uint32_t *live;         /* variables read from there on, a bit each */
	uint32_t **out;         /* by block: variables as it ends */
	size_t out_cap;
	uint32_t vars[N_VARS];
	struct opt_effect *effects;     /* of the block under way */
	size_t n_effects, effects_cap;
	bool gives_up;          /* what the graph has no way to say */
};

static const struct cbpf_insn *
insn_at(const struct builder *b)
{
	return &b->o->l->insns[b->o->l->pc];
}

/* ---- which variables are read ---- */

static uint32_t
reads(const struct cbpf_insn *insn)
{
	uint32_t a = 1u << VAR_A, x = 1u << VAR_X;

	switch (CBPF_CLASS(insn->code)) {
	case CBPF_LD:
		if ((insn->code & 0xe0) == CBPF_MEM)
			return 1u << (VAR_M + insn->k);
		/* ancillary loads may take both */
		return (insn->code & 0xe0) == CBPF_IND ? x :
		       (insn->code & 0xe0) == CBPF_ABS && insn->k >= (uint32_t)CBPF_AD_OFF ? a | x
											  : 0;
	case CBPF_LDX:
		return (insn->code & 0xe0) == CBPF_MEM ? 1u << (VAR_M + insn->k) : 0;
	case CBPF_ST:
		return a;
	case CBPF_STX:
		return x;
	case CBPF_ALU:
		return insn->code & CBPF_X ? a | x : a;
	case CBPF_JMP:
		return insn->code == (CBPF_JMP | CBPF_JA) ? 0 : insn->code & CBPF_X ? a | x : a;
	case CBPF_RET:
		return insn->code == (CBPF_RET | CBPF_A) ? a : 0;
	default:
		return insn->code == (CBPF_MISC | CBPF_TXA) ? x : a;
	}
}

static uint32_t
writes(const struct cbpf_insn *insn)
{
	switch (CBPF_CLASS(insn->code)) {
	case CBPF_LD:
	case CBPF_ALU:
		return 1u << VAR_A;
	case CBPF_LDX:
		return 1u << VAR_X;
	case CBPF_ST:
	case CBPF_STX:
		return 1u << (VAR_M + insn->k);
	case CBPF_MISC:
		return insn->code == (CBPF_MISC | CBPF_TXA) ? 1u << VAR_A : 1u << VAR_X;
	default:
		return 0;
	}
}

static void
find_live(struct builder *b)
{
	const struct lowering *l = b->o->l;

	for (size_t pc = l->n_insns; pc-- > 0;) {
		const struct cbpf_insn *insn = &l->insns[pc];
		uint32_t after = 0;

		if (insn->code == (CBPF_JMP | CBPF_JA))
			after = b->live[pc + 1 + insn->k];
		else if (CBPF_CLASS(insn->code) == CBPF_JMP)
			after = b->live[pc + 1 + insn->jt] | b->live[pc + 1 + insn->jf];
		else if (CBPF_CLASS(insn->code) != CBPF_RET)
			after = b->live[pc + 1];
		b->live[pc] = (after & ~writes(insn)) | reads(insn);
	}
}

/* ---- blocks ---- */

static uint32_t
block_for(struct builder *b, size_t pc)
{
	if (b->block_at[pc] == OPT_NO_BLOCK)
		b->block_at[pc] = opt_new_block(b->o);
	return b->block_at[pc];
}

static void
find_blocks(struct builder *b)
{
	const struct lowering *l = b->o->l;

	block_for(b, 0);
	for (size_t pc = 0; pc < l->n_insns; pc++) {
		const struct cbpf_insn *insn = &l->insns[pc];

		if (CBPF_CLASS(insn->code) != CBPF_JMP)
			continue;
		if (insn->code == (CBPF_JMP | CBPF_JA)) {
			block_for(b, pc + 1 + insn->k);
		} else {
			block_for(b, pc + 1 + insn->jt);
			block_for(b, pc + 1 + insn->jf);
		}
	}
}

static void
keep_effects(struct builder *b)
{
	struct opt_block *block = &b->o->blocks[b->o->block];
	struct opt_effect *effects;

	if (b->n_effects == 0)
		return;
	effects = opt_alloc(b->o, b->n_effects, sizeof(*effects));
	if (effects == NULL)
		return;
	memcpy(effects, b->effects, b->n_effects * sizeof(*effects));
	block->effects = effects;
	block->n_effects = (uint32_t)b->n_effects;
	b->n_effects = 0;
}

/* The block under way is at its end. */
static void
finish(struct builder *b)
{
	struct opt *o = b->o;
	uint32_t *out = opt_alloc(o, N_VARS, sizeof(*out));

	if (o->block >= b->out_cap) {
		size_t cap = 2 * (o->n_blocks + 1);
		uint32_t **outs = opt_alloc(o, cap, sizeof(*outs));

		if (outs != NULL && b->out_cap > 0)
			memcpy(outs, b->out, b->out_cap * sizeof(*outs));
		b->out = outs;
		b->out_cap = outs != NULL ? cap : 0;
	}
	if (o->failed)
		return;
	memcpy(out, b->vars, sizeof(b->vars));
	b->out[o->block] = out;
	keep_effects(b);
	o->blocks[o->block].origin = o->origin;
}

static uint32_t
link_to(struct builder *b, uint32_t to)
{
	struct opt *o = b->o;
	uint32_t edge = opt_new_edge(o, o->block, to);

	if (edge != OPT_NO_EDGE) {
		o->edges[edge].next_in = o->blocks[to].first_in;
		o->blocks[to].first_in = edge;
		o->blocks[to].n_in++;
	}
	return edge;
}

static void
end_goto(struct builder *b, uint32_t to)
{
	finish(b);
	if (b->o->failed)
		return;
	opt_end_goto(b->o, b->o->block, link_to(b, to));
	b->o->block = OPT_NO_BLOCK;
}

static void
end_ret(struct builder *b, uint32_t value)
{
	finish(b);
	if (b->o->failed)
		return;
	b->o->blocks[b->o->block].end = OPT_END_RET;
	b->o->blocks[b->o->block].a = value;
	b->o->block = OPT_NO_BLOCK;
}

static void
end_if(struct builder *b, uint8_t test, uint32_t x, uint32_t y, uint32_t yes, uint32_t no)
{
	struct opt *o = b->o;
	uint32_t *edges;

	finish(b);
	edges = opt_alloc(o, 2, sizeof(*edges));
	if (o->failed)
		return;
	edges[0] = link_to(b, yes);
	edges[1] = link_to(b, no);
	if (o->failed)
		return;
	o->blocks[o->block].end = OPT_END_IF;
	o->blocks[o->block].test = test;
	o->blocks[o->block].a = x;
	o->blocks[o->block].b = y;
	o->blocks[o->block].edges = edges;
	o->blocks[o->block].n_edges = 2;
	o->block = OPT_NO_BLOCK;
}

/* The ways in agree on a variable: its value, else OPT_NONE. */
static uint32_t
agreed(const struct builder *b, uint32_t block, unsigned var)
{
	const struct opt *o = b->o;
	uint32_t first = o->blocks[block].first_in, v = b->out[o->edges[first].from][var];

	for (uint32_t e = o->edges[first].next_in; e != OPT_NO_EDGE; e = o->edges[e].next_in) {
		if (b->out[o->edges[e].from][var] != v)
			return OPT_NONE;
	}
	/* what costs much is brought along by those who have it */
	if (o->values[v].cost > CHEAP && !opt_dominates(o, o->values[v].block, block))
		return OPT_NONE;
	return v;
}

static void
add_phi(struct builder *b, uint32_t block, unsigned var)
{
	struct opt *o = b->o;
	uint32_t phi = opt_phi(o, block), n = o->blocks[block].n_phis, max = 0, bits = 0;

	if (o->failed)
		return;
	o->blocks[block].phis[n] = phi;
	o->blocks[block].n_phis++;
	for (uint32_t e = o->blocks[block].first_in; e != OPT_NO_EDGE; e = o->edges[e].next_in) {
		uint32_t arg = b->out[o->edges[e].from][var];

		o->edges[e].args[n] = arg;
		max = o->values[arg].max > max ? o->values[arg].max : max;
		bits |= o->values[arg].bits;
	}
	o->values[phi].max = max;
	o->values[phi].bits = bits;
	b->vars[var] = phi;
}

static bool
make_room_for_phis(struct builder *b, uint32_t block)
{
	struct opt *o = b->o;

	o->blocks[block].phis = opt_alloc(o, N_VARS, sizeof(uint32_t));
	for (uint32_t e = o->blocks[block].first_in; e != OPT_NO_EDGE; e = o->edges[e].next_in)
		o->edges[e].args = opt_alloc(o, N_VARS, sizeof(uint32_t));
	return !o->failed;
}

/* Take over the variables from the ways in; live: those that are read. */
static void
enter(struct builder *b, uint32_t block, uint32_t live)
{
	struct opt *o = b->o;
	uint32_t first = o->blocks[block].first_in, idom = OPT_NO_BLOCK;

	for (uint32_t e = first; e != OPT_NO_EDGE; e = o->edges[e].next_in)
		idom = idom == OPT_NO_BLOCK ? o->edges[e].from
					    : opt_common(o, idom, o->edges[e].from);
	opt_set_idom(o, block, idom);
	o->block = block;
	if (first == OPT_NO_EDGE)
		return;         /* the program's start */
	memcpy(b->vars, b->out[o->edges[first].from], sizeof(b->vars));
	if (o->blocks[block].n_in == 1)
		return;
	for (unsigned var = 0; var < N_VARS; var++) {
		if (!(live >> var & 1) || agreed(b, block, var) != OPT_NONE)
			continue;
		if (o->blocks[block].phis == NULL && !make_room_for_phis(b, block))
			return;
		add_phi(b, block, var);
	}
}

/* ---- effects ---- */

static void
add_effect(struct builder *b, enum opt_effect_kind kind, uint32_t base, uint32_t n)
{
	struct opt_effect *grown;

	if (b->n_effects == b->effects_cap) {
		size_t cap = b->effects_cap > 0 ? 2 * b->effects_cap : 32;

		grown = opt_alloc(b->o, cap, sizeof(*grown));
		if (grown == NULL)
			return;
		if (b->n_effects > 0)
			memcpy(grown, b->effects, b->n_effects * sizeof(*grown));
		b->effects = grown;
		b->effects_cap = cap;
	}
	b->effects[b->n_effects++] = (struct opt_effect){ (uint8_t)kind, base, n, b->o->origin };
}

/* ---- loads ---- */

/*
 * The bytes at base + off, guarded; OPT_NONE: past the end of any packet, and
 * the block has ended.
 */
static uint32_t
guarded(struct builder *b, uint32_t size, uint32_t base, uint64_t off)
{
	opt_split_offset(b->o, &base, &off);
	if (off > INT32_MAX - size) {
		/* a number that means a header */
		b->gives_up = b->o->end != OPT_NONE;
		end_ret(b, opt_const(b->o, 0));
		return OPT_NONE;
	}
	if (b->o->end != OPT_NONE &&
	    off + size > (base != OPT_NONE ? OPT_MAX_FROM_BASE : OPT_MAX_END))
		b->gives_up = true;
	add_effect(b, OPT_EFFECT_GUARD, base, (uint32_t)off + size);
	return opt_load(b->o, OPT_LOAD, size, base, (uint32_t)off);
}

/* By the target's own load, whose offset is what the classic program says. */
static uint32_t
fetched(struct builder *b, uint32_t size, uint32_t base, uint32_t off)
{
	bool made;
	uint32_t v = opt_fetch(b->o, size, base, off, &made);

	if (made)
		add_effect(b, OPT_EFFECT_CALL, v, 0);
	return v;
}

/* At a constant: 0, or -EINVAL where the target has not the header. */
static int
load_abs(struct builder *b, uint32_t k, uint32_t size, uint32_t *value)
{
	uint32_t off, base = OPT_NONE;
	enum lower_window window = lower_window(b->o->l, k, &off);

	if (b->o->l->target->opt->fetches) {
		*value = fetched(b, size, OPT_NONE, k);
		return 0;
	}
	if (window == WINDOW_NET || window == WINDOW_LL) {
		base = window == WINDOW_NET ? b->o->net : b->o->ll;
		if (base == OPT_NONE && b->o->l->target->helpers != NULL) {
			/* they may know more, or say what is missing */
			b->gives_up = true;
			return 0;
		}
		if (base == OPT_NONE)
			return lower_refuse_header(b->o->l);
	}
	*value = guarded(b, size, base, off);
	return 0;
}

/*
 * The program goes on, in a new block, where a test of x and y has a result; else
 * it ends with a value.
 */
static void
need(struct builder *b, uint8_t test, uint32_t x, uint32_t y, bool result, uint32_t otherwise)
{
	struct opt *o = b->o;
	uint32_t next = opt_new_block(o), other = opt_new_block(o);

	if (o->failed)
		return;
	end_if(b, test, x, y, result ? next : other, result ? other : next);
	if (o->failed)
		return;
	enter(b, other, 0);
	end_ret(b, otherwise);
	if (!o->failed)
		enter(b, next, UINT32_MAX);
}

static void
load_ind(struct builder *b, uint32_t k, uint32_t size)
{
	struct opt *o = b->o;
	uint32_t x = b->vars[VAR_X];
	uint64_t off = k;

	if (o->l->target->opt->fetches) {
		/* in dialect pcap the sum does not wrap */
		if (o->l->dialect == CBPF_DIALECT_PCAP && o->values[x].max > INT32_MAX - k)
			need(b, EBPF_JGT, x, opt_const(o, INT32_MAX - k), false,
			     opt_const(o, 0));
		if (!o->failed)
			b->vars[VAR_A] = fetched(b, size, x, k);
		return;
	}

	if (o->l->dialect == CBPF_DIALECT_KERNEL &&
	    (uint64_t)o->values[x].max + k > INT32_MAX) {
		/* the sum may wrap, or mean a header */
		x = opt_alu(o, OPT_ADD, x, opt_const(o, k));
		if (o->net != OPT_NONE)
			x = opt_window(o, x);
		off = 0;
	}
	b->vars[VAR_A] = guarded(b, size, x, off);
}

static void
load_msh(struct builder *b, uint32_t byte)
{
	struct opt *o = b->o;

	byte = opt_alu(o, OPT_AND, byte, opt_const(o, 0xf));
	b->vars[VAR_X] = opt_alu(o, OPT_LSH, byte, opt_const(o, 2));
}

static void
call(struct builder *b, uint32_t value)
{
	if (b->o->values[value].op != OPT_CALL)
		return;
	add_effect(b, OPT_EFFECT_CALL, value, 0);
}

static int
load_ancillary(struct builder *b, uint32_t ad)
{
	struct opt *o = b->o;
	struct opt_missing missing = { 0, 0, 0 };
	uint32_t value;
	int rc;

	if (ad == CBPF_AD_ALU_XOR_X && o->l->dialect == CBPF_DIALECT_KERNEL) {
		b->vars[VAR_A] = opt_alu(o, OPT_XOR, b->vars[VAR_A], b->vars[VAR_X]);
		return 0;
	}
	rc = o->l->target->opt->ancillary(o, ad, b->vars[VAR_A], b->vars[VAR_X], &value, &missing);
	if (rc < 0 || o->failed)
		return rc;
	if (missing.value != OPT_NONE)
		need(b, EBPF_JSET, missing.value, opt_const(o, missing.known), true,
		     missing.otherwise);
	call(b, value);
	if (ad == CBPF_AD_RANDOM)
		o->has_random = true;
	b->vars[VAR_A] = value;
	return 0;
}

/* ---- arithmetic ---- */

static enum opt_op
alu_op(const struct lowering *l, uint16_t code)
{
	bool is_pcap = l->dialect == CBPF_DIALECT_PCAP;

	switch (code & 0xf0) {
	case CBPF_ADD:
		return OPT_ADD;
	case CBPF_SUB:
		return OPT_SUB;
	case CBPF_MUL:
		return OPT_MUL;
	case CBPF_DIV:
		return OPT_DIV;
	case CBPF_MOD:
		return OPT_MOD;
	case CBPF_OR:
		return OPT_OR;
	case CBPF_AND:
		return OPT_AND;
	case CBPF_XOR:
		return OPT_XOR;
	case CBPF_LSH:
		return is_pcap ? OPT_LSH_OUT : OPT_LSH;
	case CBPF_RSH:
		return is_pcap ? OPT_RSH_OUT : OPT_RSH;
	default:
		return OPT_NEG;
	}
}

static void
alu(struct builder *b, const struct cbpf_insn *insn)
{
	struct opt *o = b->o;
	enum opt_op op = alu_op(o->l, insn->code);
	uint32_t y = insn->code & CBPF_X ? b->vars[VAR_X] : opt_const(o, insn->k), k;

	if (op == OPT_DIV || op == OPT_MOD) {
		if (opt_is_const(o, y, &k) && k == 0) {
			end_ret(b, y);
			return;
		}
		if (!opt_is_const(o, y, &k))
			add_effect(b, OPT_EFFECT_NONZERO, y, 0);
	}
	b->vars[VAR_A] = opt_alu(o, op, b->vars[VAR_A], y);
}

static void
jump_if(struct builder *b, const struct cbpf_insn *insn)
{
	struct opt *o = b->o;
	uint32_t y = insn->code & CBPF_X ? b->vars[VAR_X] : opt_const(o, insn->k);
	uint32_t yes = b->block_at[o->l->pc + 1 + insn->jt];
	uint32_t no = b->block_at[o->l->pc + 1 + insn->jf];
	uint8_t test = insn->code & 0xf0;
	int outcome = yes == no ? 1 : opt_decide(o, test, b->vars[VAR_A], y);

	if (outcome >= 0)
		end_goto(b, outcome ? yes : no);
	else
		end_if(b, test, b->vars[VAR_A], y, yes, no);
}

/* ---- instructions ---- */

static int
load(struct builder *b, const struct cbpf_insn *insn)
{
	uint32_t byte = OPT_NONE, ad = insn->k - (uint32_t)CBPF_AD_OFF;
	int rc;

	switch (insn->code & 0xe0) {
	case CBPF_IND:
		load_ind(b, insn->k, lower_size_bytes(insn->code & 0x18));
		return 0;
	case CBPF_MSH:
		rc = load_abs(b, insn->k, 1, &byte);
		if (byte != OPT_NONE)
			load_msh(b, byte);
		return rc;
	default:
		if (ad < CBPF_AD_MAX && ad % 4 == 0)
			return load_ancillary(b, ad);
		return load_abs(b, insn->k, lower_size_bytes(insn->code & 0x18), &b->vars[VAR_A]);
	}
}

static int
build_load(struct builder *b, const struct cbpf_insn *insn)
{
	unsigned dst = CBPF_CLASS(insn->code) == CBPF_LD ? VAR_A : VAR_X;

	switch (insn->code & 0xe0) {
	case CBPF_IMM:
		b->vars[dst] = opt_const(b->o, insn->k);
		return 0;
	case CBPF_LEN:
		b->vars[dst] = b->o->len;
		return 0;
	case CBPF_MEM:
		b->vars[dst] = b->vars[VAR_M + insn->k];
		return 0;
	default:
		return load(b, insn);
	}
}

static int
build_insn(struct builder *b)
{
	const struct cbpf_insn *insn = insn_at(b);
	struct opt *o = b->o;

	if (lower_always_fails(o->l, insn)) {
		end_ret(b, opt_const(o, 0));
		return 0;
	}
	switch (CBPF_CLASS(insn->code)) {
	case CBPF_LD:
	case CBPF_LDX:
		return build_load(b, insn);
	case CBPF_ST:
		b->vars[VAR_M + insn->k] = b->vars[VAR_A];
		return 0;
	case CBPF_STX:
		b->vars[VAR_M + insn->k] = b->vars[VAR_X];
		return 0;
	case CBPF_ALU:
		alu(b, insn);
		return 0;
	case CBPF_JMP:
		if (insn->code == (CBPF_JMP | CBPF_JA))
			end_goto(b, b->block_at[o->l->pc + 1 + insn->k]);
		else
			jump_if(b, insn);
		return 0;
	case CBPF_RET:
		end_ret(b, insn->code == (CBPF_RET | CBPF_A) ? b->vars[VAR_A]
							      : opt_const(o, insn->k));
		return 0;
	default:
		if (insn->code == (CBPF_MISC | CBPF_TXA))
			b->vars[VAR_A] = b->vars[VAR_X];
		else
			b->vars[VAR_X] = b->vars[VAR_A];
		return 0;
	}
}

static int
build_all(struct builder *b)
{
	struct opt *o = b->o;
	uint32_t zero = opt_const(o, 0);
	int rc = 0;

	for (unsigned var = 0; var < N_VARS; var++)
		b->vars[var] = zero;
	o->block = OPT_NO_BLOCK;
	for (size_t pc = 0; pc < o->l->n_insns && rc == 0 && !o->failed && !b->gives_up; pc++) {
		uint32_t block = b->block_at[pc];

		o->l->pc = pc;
		if (block != OPT_NO_BLOCK && o->block != OPT_NO_BLOCK)
			end_goto(b, block);
		if (block != OPT_NO_BLOCK && (pc == 0 || o->blocks[block].n_in > 0)) {
			o->origin = (uint32_t)pc;
			enter(b, block, b->live[pc]);
			if (pc == 0)
				call(b, o->len);
		}
		if (o->block == OPT_NO_BLOCK)
			continue;
		o->origin = (uint32_t)pc;
		rc = build_insn(b);
	}
	return rc;
}

int
opt_build(struct opt *o)
{
	struct builder b = { .o = o };
	size_t n = o->l->n_insns;
	int rc;

	b.block_at = opt_alloc(o, n, sizeof(*b.block_at));
	b.live = opt_alloc(o, n, sizeof(*b.live));
	if (o->failed)
		return -ENOMEM;
	memset(b.block_at, 0xff, n * sizeof(*b.block_at));
	find_live(&b);
	find_blocks(&b);
	o->block = 0;
	o->l->target->opt->begin(o);
	rc = build_all(&b);
	o->changed = true;
	if (rc == 0 && o->failed)
		rc = -ENOMEM;
	return rc == 0 && b.gives_up ? OPT_GIVE_UP : rc;
}
