/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Conditional jumps: which ways are open, and what each of them teaches.
 *
 * A compare teaches about the two numbers, about all copies of them (same id),
 * through relations about the packet's length and about what was subtracted
 * from it; a compare of packet addresses with the packet's end about how many
 * bytes are there.
 */
#include "ebpf/verify_walk.h"

#include <errno.h>
#include <stdlib.h>

struct compare {
	uint8_t op;             /* EBPF_JEQ ... */
	unsigned width;
	unsigned dst;
	unsigned src;           /* register, or */
	bool is_constant;
	struct ebpf_reg constant;
};

/* ---- what a number that became better known says of others ---- */

struct lesson {
	struct walk *w;
	const struct ebpf_reg *from;
	int64_t room;
	int64_t packet_min;     /* what room says of the packet itself */
};

static bool
is_number_with_id(const struct ebpf_reg *r, uint32_t id)
{
	return r->kind == EBPF_REG_SCALAR && r->id == id;
}

static void
teach_copy(struct ebpf_reg *r, void *arg)
{
	const struct ebpf_reg *from = ((struct lesson *)arg)->from;

	if (r == from || !is_number_with_id(r, from->id))
		return;
	r->var = from->var;
	if (from->room > r->room)
		r->room = from->room;
	ebpf_deps_add(&r->deps, &from->deps);
}

/* Bytes are in the packet from start + (number with id) on, and up to there. */
static void
teach_room(struct ebpf_reg *r, void *arg)
{
	struct lesson *l = arg;

	if ((r->kind != EBPF_REG_PACKET && r->kind != EBPF_REG_SCALAR) ||
	    r->id != l->from->rel.minus)
		return;
	if (l->room > 0 && l->room > r->room)
		r->room = l->room;
	/* its own offset may be a constant by now, and then has no room */
	if (r->kind == EBPF_REG_SCALAR && r->var.r64.smin >= 0 && l->room > 0 &&
	    ebpf_scalar_is_const(&r->var) && r->var.r64.smin <= INT32_MAX - l->room) {
		ebpf_walk_precise(l->w, r);
		if (l->room + r->var.r64.smin > l->packet_min)
			l->packet_min = l->room + r->var.r64.smin;
	}
	ebpf_deps_add(&r->deps, &l->from->deps);
}

/* from = delta - r, and from's range is known: so r = delta - from. */
static void
teach_difference(struct ebpf_reg *r, void *arg)
{
	const struct ebpf_reg *from = ((struct lesson *)arg)->from;
	struct ebpf_scalar other, known = r->var;

	if (!is_number_with_id(r, from->rel.minus))
		return;
	other = ebpf_scalar_const((uint64_t)from->rel.delta);
	ebpf_scalar_alu(&other, &from->var, EBPF_SUB, false, 64);
	if (ebpf_scalar_intersect(&known, &other))
		r->var = known;
	ebpf_deps_add(&r->deps, &from->deps);
}

static void
learn_from_relation(struct walk *w, struct ebpf_verify_state *s, const struct ebpf_reg *r)
{
	struct lesson lesson = { .w = w, .from = r };
	int64_t room = r->var.r64.smin - r->rel.delta;

	if (r->rel.kind == EBPF_RELATION_CONST) {
		ebpf_state_each(s, teach_difference, &lesson);
		return;
	}
	if (r->rel.kind != EBPF_RELATION_LEN)
		return;
	ebpf_walk_precise(w, r);
	lesson.room = room;
	if (r->rel.minus != 0) {
		ebpf_state_each(s, teach_room, &lesson);
		room = lesson.packet_min;
	}
	if (room > s->packet_min)
		s->packet_min = room;
}

/* A register of s has become var, with deps on what it was compared with. */
static void
learn(struct walk *w, struct ebpf_verify_state *s, unsigned regno, const struct ebpf_scalar *var,
      const struct ebpf_deps *deps)
{
	struct ebpf_reg *r = &ebpf_state_frame(s)->regs[regno];
	struct lesson lesson = { .w = w, .from = r };

	r->var = *var;
	ebpf_deps_add(&r->deps, deps);
	if (r->id != 0)
		ebpf_state_each(s, teach_copy, &lesson);
	learn_from_relation(w, s, r);
}

/*
 * small <= big (less: <) as integers, and big is the packet's length + delta:
 * from small on there are -delta bytes (less: one more).
 */
static void
learn_bound_by_length(struct walk *w, struct ebpf_verify_state *s, unsigned small, unsigned big,
		      bool less)
{
	struct ebpf_reg *regs = ebpf_state_frame(s)->regs;
	struct ebpf_reg from = regs[big];
	struct lesson lesson = { .w = w, .from = &from, .room = less - from.rel.delta };

	if (from.kind != EBPF_REG_SCALAR || from.rel.kind != EBPF_RELATION_LEN ||
	    from.rel.minus != 0 || from.var.r64.smin < 0 || regs[small].var.r64.smin < 0 ||
	    regs[small].id == 0)
		return;
	ebpf_walk_precise(w, &from);
	from.rel.minus = regs[small].id;
	ebpf_state_each(s, teach_room, &lesson);
}

static void
learn_order(struct walk *w, struct ebpf_verify_state *s, const struct compare *c, bool outcome)
{
	const struct ebpf_reg *regs = ebpf_state_frame(s)->regs;

	if (c->is_constant || (c->width == 32 && (regs[c->dst].var.r64.umax > UINT32_MAX ||
						  regs[c->src].var.r64.umax > UINT32_MAX)))
		return;
	if (c->width == 32 && (c->op == EBPF_JSLT || c->op == EBPF_JSLE || c->op == EBPF_JSGT ||
			       c->op == EBPF_JSGE))
		return;
	switch (c->op) {
	case EBPF_JLT:
	case EBPF_JSLT:
		learn_bound_by_length(w, s, outcome ? c->dst : c->src, outcome ? c->src : c->dst,
				      outcome);
		break;
	case EBPF_JLE:
	case EBPF_JSLE:
		learn_bound_by_length(w, s, outcome ? c->dst : c->src, outcome ? c->src : c->dst,
				      !outcome);
		break;
	case EBPF_JGT:
	case EBPF_JSGT:
		learn_bound_by_length(w, s, outcome ? c->src : c->dst, outcome ? c->dst : c->src,
				      outcome);
		break;
	case EBPF_JGE:
	case EBPF_JSGE:
		learn_bound_by_length(w, s, outcome ? c->src : c->dst, outcome ? c->dst : c->src,
				      !outcome);
		break;
	}
}

/* ---- numbers ---- */

struct outcome {
	struct ebpf_scalar dst, src;
	bool is_open;
};

/* A number compared with itself. */
static struct outcome
outcome_of_self(const struct ebpf_reg *r, uint8_t op, unsigned width, bool outcome)
{
	struct outcome out = { r->var, ebpf_scalar_const(0), true };
	bool holds = op == EBPF_JEQ || op == EBPF_JGE || op == EBPF_JLE || op == EBPF_JSGE ||
		     op == EBPF_JSLE;

	if (op == EBPF_JSET)
		out.is_open = ebpf_scalar_refine(&out.dst, &out.src, EBPF_JNE, width, outcome);
	else
		out.is_open = holds == outcome;
	out.src = out.dst;
	return out;
}

static struct outcome
outcome_of(const struct compare *c, const struct ebpf_reg *dst, const struct ebpf_reg *src,
	   bool outcome)
{
	struct outcome out = { dst->var, src->var, true };

	if (dst == src)
		return outcome_of_self(dst, c->op, c->width, outcome);
	out.is_open = ebpf_scalar_refine(&out.dst, &out.src, c->op, c->width, outcome);
	return out;
}

static void
learn_outcome(struct walk *w, struct ebpf_verify_state *s, const struct compare *c,
	      const struct outcome *out, bool outcome)
{
	struct ebpf_deps dst_deps = ebpf_state_frame(s)->regs[c->dst].deps, src_deps = { 0 };

	if (!c->is_constant)
		src_deps = ebpf_state_frame(s)->regs[c->src].deps;
	learn(w, s, c->dst, &out->dst, &src_deps);
	if (!c->is_constant && c->src != c->dst) {
		learn(w, s, c->src, &out->src, &dst_deps);
		learn_order(w, s, c, outcome);
	}
}

static int
compare_numbers(struct walk *w, struct compare *c, uint32_t target)
{
	struct ebpf_reg *regs = ebpf_walk_regs(w);
	struct ebpf_reg *dst = &regs[c->dst], *src = c->is_constant ? &c->constant : &regs[c->src];
	struct outcome yes = outcome_of(c, dst, src, true), no = outcome_of(c, dst, src, false);
	struct ebpf_verify_state *fork;
	int rc;

	if (!yes.is_open || !no.is_open) {
		ebpf_walk_precise(w, dst);
		ebpf_walk_precise(w, src);
	}
	if (!yes.is_open && !no.is_open)        /* this path is none that the machine takes */
		no.is_open = true;
	if (!c->is_constant) {
		if (!ebpf_scalar_is_const(&dst->var))
			ebpf_walk_id(w, dst);
		if (!ebpf_scalar_is_const(&src->var))
			ebpf_walk_id(w, src);
	}
	if (!yes.is_open) {
		learn_outcome(w, &w->state, c, &no, false);
		return 0;
	}
	if (no.is_open) {
		if ((rc = ebpf_walk_fork(w, target, &fork)) < 0)
			return rc;
		learn_outcome(w, fork, c, &yes, true);
		learn_outcome(w, &w->state, c, &no, false);
		return 0;
	}
	learn_outcome(w, &w->state, c, &yes, true);
	w->state.pc = target;
	return 0;
}

/* ---- addresses ---- */

static void
resolve_null(struct ebpf_reg *r, void *arg)
{
	const struct lesson *l = arg;

	if (r->kind != EBPF_REG_MAP_VALUE_OR_NULL || r->id != l->from->id)
		return;
	if (l->room == 0)
		ebpf_reg_set_scalar(r, ebpf_scalar_const(0));
	else
		r->kind = EBPF_REG_MAP_VALUE, r->id = 0;
}

static int
compare_null(struct walk *w, const struct compare *c, uint32_t target)
{
	struct ebpf_reg asked = ebpf_walk_regs(w)[c->dst];
	struct ebpf_verify_state *fork;
	bool null_jumps = c->op == EBPF_JEQ;
	struct lesson jumps = { w, &asked, !null_jumps }, stays = { w, &asked, null_jumps };
	int rc;

	if ((rc = ebpf_walk_fork(w, target, &fork)) < 0)
		return rc;
	if (asked.kind == EBPF_REG_MAP_VALUE_OR_NULL) {
		ebpf_state_each(fork, resolve_null, &jumps);
		ebpf_state_each(&w->state, resolve_null, &stays);
	}
	return 0;
}

/* address <= end (less: <), so the packet has the bytes before it (and one). */
static void
learn_packet_bytes(struct walk *w, struct ebpf_verify_state *s, const struct ebpf_reg *address,
		   bool less)
{
	struct ebpf_reg from = *address;
	struct lesson lesson = { w, &from, from.off + less };

	if (address->id == 0) {
		if (lesson.room > s->packet_min)
			s->packet_min = lesson.room;
		return;
	}
	from.rel.minus = from.id;
	from.deps = (struct ebpf_deps){ 0 };
	ebpf_state_each(s, teach_room, &lesson);
}

/* What "address op end" being true says: 0 nothing, 1 address <= end, 2 address < end. */
static int
order_of(uint8_t op, bool outcome)
{
	switch (op) {
	case EBPF_JLT:
		return outcome ? 2 : 0;
	case EBPF_JLE:
		return outcome ? 1 : 0;
	case EBPF_JGT:
		return outcome ? 0 : 1;
	case EBPF_JGE:
		return outcome ? 0 : 2;
	case EBPF_JEQ:
		return outcome ? 1 : 0;
	case EBPF_JNE:
		return outcome ? 0 : 1;
	}
	return 0;
}

/* a op b is b (mirrored op) a. */
static uint8_t
mirrored(uint8_t op)
{
	switch (op) {
	case EBPF_JLT:
		return EBPF_JGT;
	case EBPF_JLE:
		return EBPF_JGE;
	case EBPF_JGT:
		return EBPF_JLT;
	case EBPF_JGE:
		return EBPF_JLE;
	}
	return op;
}

static int
compare_addresses(struct walk *w, const struct compare *c, uint32_t target)
{
	struct ebpf_reg dst = ebpf_walk_regs(w)[c->dst];
	struct ebpf_reg src = c->is_constant ? c->constant : ebpf_walk_regs(w)[c->src];
	struct ebpf_verify_state *fork;
	int rc;

	if ((rc = ebpf_walk_fork(w, target, &fork)) < 0)
		return rc;
	for (int outcome = 0; c->width == 64 && outcome < 2; outcome++) {
		struct ebpf_verify_state *s = outcome ? fork : &w->state;
		int order = 0;

		if (dst.kind == EBPF_REG_PACKET && src.kind == EBPF_REG_PACKET_END &&
		    (order = order_of(c->op, outcome)) != 0)
			learn_packet_bytes(w, s, &dst, order == 2);
		if (dst.kind == EBPF_REG_PACKET_END && src.kind == EBPF_REG_PACKET &&
		    (order = order_of(mirrored(c->op), outcome)) != 0)
			learn_packet_bytes(w, s, &src, order == 2);
	}
	return 0;
}

static bool
is_packet(const struct ebpf_reg *r)
{
	return r->kind == EBPF_REG_PACKET || r->kind == EBPF_REG_PACKET_END;
}

/* Comparing addresses of one object, or with null, tells no one where it is. */
static bool
may_compare(const struct compare *c, const struct ebpf_reg *dst, const struct ebpf_reg *src)
{
	if (c->width != 64)
		return false;
	if (dst->kind == EBPF_REG_SCALAR || src->kind == EBPF_REG_SCALAR)
		return false;
	if (is_packet(dst) && is_packet(src))
		return true;
	return dst->kind == src->kind && dst->frame == src->frame &&
	       (dst->kind == EBPF_REG_MEM || dst->kind == EBPF_REG_STACK);
}

static int
compare(struct walk *w, struct compare *c, uint32_t target)
{
	struct ebpf_reg *regs = ebpf_walk_regs(w);
	struct ebpf_reg *dst = &regs[c->dst], *src = c->is_constant ? &c->constant : &regs[c->src];
	bool is_zero = src->kind == EBPF_REG_SCALAR && ebpf_scalar_is_const(&src->var) &&
		       src->var.bits.value == 0;
	struct ebpf_walk_text text;

	if (!ebpf_reg_is_pointer(dst) && !ebpf_reg_is_pointer(src))
		return compare_numbers(w, c, target);
	if (is_zero && c->width == 64 && (c->op == EBPF_JEQ || c->op == EBPF_JNE)) {
		ebpf_walk_precise(w, src);
		return compare_null(w, c, target);
	}
	if (may_compare(c, dst, src) || w->env->addresses_may_leak)
		return compare_addresses(w, c, target);
	text = ebpf_walk_reg(w, ebpf_reg_is_pointer(dst) ? c->dst : c->src);
	return ebpf_walk_refuse(w, -EACCES, "%s: an address compared with what tells where it is",
				text.text);
}

int
ebpf_verify_branch(struct walk *w, const struct ebpf_insn *insn)
{
	struct compare c = {
		.op = insn->code & 0xf0,
		.width = EBPF_CLASS(insn->code) == EBPF_JMP ? 64 : 32,
		.dst = insn->dst_reg,
		.src = insn->src_reg,
		.is_constant = (insn->code & 0x08) == EBPF_K,
	};
	uint32_t target = (uint32_t)((int64_t)w->state.pc + 1 + insn->off);
	int rc;

	if ((rc = ebpf_walk_readable(w, c.dst)) < 0 ||
	    (!c.is_constant && (rc = ebpf_walk_readable(w, c.src)) < 0))
		return rc;
	if (c.is_constant)
		ebpf_reg_set_scalar(&c.constant,
				    ebpf_scalar_const(c.width == 64 ? (uint64_t)(int64_t)insn->imm
								    : (uint32_t)insn->imm));
	w->state.pc++;
	return compare(w, &c, target);
}
