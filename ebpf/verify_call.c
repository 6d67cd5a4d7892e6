/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls of helpers and own functions, returns, and packet loads, which are calls in disguise. */
#include "ebpf/verify_walk.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

static void
clobber_args(struct walk *w)
{
	for (unsigned r = EBPF_R1; r <= EBPF_R5; r++)
		ebpf_reg_set_none(&ebpf_walk_regs(w)[r]);
}

/* ---- helpers ---- */

struct call {
	const struct ebpf_verify_helper *helper;
	const struct ebpf_verify_map *map;
	uint16_t map_index;
};

static int
refuse_arg(struct walk *w, const struct call *c, unsigned regno, const char *wanted)
{
	struct ebpf_walk_text text = ebpf_walk_reg(w, regno);

	return ebpf_walk_refuse(w, -EACCES, "%s: %s wants %s", text.text, c->helper->name, wanted);
}

/* The size of the memory in the argument before. */
static int
check_size(struct walk *w, const struct call *c, unsigned regno, bool or_zero)
{
	const struct ebpf_reg *r = &ebpf_walk_regs(w)[regno];
	bool is_write = c->helper->args[regno - 2] == EBPF_ARG_MEM_WRITE;
	uint64_t max = r->var.r64.umax;

	if (r->kind != EBPF_REG_SCALAR)
		return refuse_arg(w, c, regno, "a size");
	ebpf_walk_precise(w, r);
	if (!or_zero && r->var.r64.umin == 0)
		return refuse_arg(w, c, regno, "a size of 1 or more");
	if (max > INT32_MAX)
		return refuse_arg(w, c, regno, "a bounded size");
	return ebpf_verify_region(w, regno - 1, r->var.r64.umin, max, is_write);
}

/* What R1 was at entry: a context, or where there is none the memory's first byte. */
static bool
is_context(const struct walk *w, const struct ebpf_reg *r)
{
	if (w->env->n_ctx_fields > 0)
		return r->kind == EBPF_REG_CTX && r->off == 0;
	return r->kind == EBPF_REG_MEM && ebpf_scalar_is_const(&r->var) &&
	       (uint64_t)r->off + r->var.bits.value == 0;
}

static int
check_arg(struct walk *w, struct call *c, unsigned regno)
{
	const struct ebpf_reg *r = &ebpf_walk_regs(w)[regno];
	enum ebpf_arg_kind kind = (enum ebpf_arg_kind)c->helper->args[regno - 1];
	int rc;

	if (kind == EBPF_ARG_NONE)
		return 0;
	if (kind == EBPF_ARG_ANYTHING)
		return ebpf_reg_is_pointer(r) ? refuse_arg(w, c, regno, "a number") : 0;
	if ((rc = ebpf_walk_readable(w, regno)) < 0)
		return rc;
	switch (kind) {
	case EBPF_ARG_NONE:
	case EBPF_ARG_ANYTHING:
		break;
	case EBPF_ARG_SCALAR:
		return r->kind == EBPF_REG_SCALAR ? 0 : refuse_arg(w, c, regno, "a number");
	case EBPF_ARG_CTX:
		return is_context(w, r) ? 0 : refuse_arg(w, c, regno, "the context");
	case EBPF_ARG_MEM_READ:
	case EBPF_ARG_MEM_WRITE:
		return 0;       /* by its size, the next argument */
	case EBPF_ARG_SIZE:
	case EBPF_ARG_SIZE_OR_ZERO:
		return check_size(w, c, regno, kind == EBPF_ARG_SIZE_OR_ZERO);
	case EBPF_ARG_MAP:
		if (r->kind != EBPF_REG_MAP)
			return refuse_arg(w, c, regno, "a map");
		c->map = &w->env->maps[r->map];
		c->map_index = r->map;
		if ((c->map->kind == EBPF_VERIFY_MAP_PROGS) != c->helper->is_tail_call)
			return refuse_arg(w, c, regno, c->helper->is_tail_call
							       ? "a map of programs"
							       : "a map of data");
		return 0;
	case EBPF_ARG_MAP_KEY:
		assert(c->map != NULL); /* no helper is taken that has none before its key */
		return ebpf_verify_region(w, regno, c->map->key_size, c->map->key_size, false);
	case EBPF_ARG_MAP_VALUE:
		assert(c->map != NULL); /* likewise */
		return ebpf_verify_region(w, regno, c->map->value_size, c->map->value_size, false);
	}
	return 0;
}

static void
void_packet_address(struct ebpf_reg *r, void *arg)
{
	(void)arg;
	if (r->kind == EBPF_REG_PACKET || r->kind == EBPF_REG_PACKET_END)
		ebpf_reg_set_none(r);
	r->room = EBPF_NO_ROOM;
	r->rel.kind = EBPF_RELATION_NONE;
}

/* A spilled address that became void leaves bytes that nobody may read. */
static void
void_slots(struct ebpf_verify_state *s)
{
	for (unsigned i = 0; i < s->n_frames; i++) {
		for (unsigned n = 0; n < s->frames[i]->n_slots; n++) {
			struct ebpf_slot *slot = &s->frames[i]->slots[n];

			if (slot->n_spilled > 0 && slot->reg.kind == EBPF_REG_NONE)
				*slot = (struct ebpf_slot){ .n_spilled = 0 };
		}
	}
}

static void
set_result(struct walk *w, const struct call *c)
{
	struct ebpf_reg *r0 = &ebpf_walk_regs(w)[EBPF_R0];

	switch ((enum ebpf_ret_kind)c->helper->ret) {
	case EBPF_RET_VOID:
		ebpf_reg_set_none(r0);
		break;
	case EBPF_RET_SCALAR:
		ebpf_reg_set_scalar(r0, ebpf_scalar_unknown());
		break;
	case EBPF_RET_MAP_VALUE_OR_NULL:
		ebpf_reg_set_pointer(r0, EBPF_REG_MAP_VALUE_OR_NULL);
		r0->map = c->map_index;
		r0->id = ++w->state.next_id;
		break;
	}
}

int
ebpf_verify_helper_call(struct walk *w, const struct ebpf_insn *insn)
{
	struct call c = { ebpf_verify_helper_of(w->env, insn->imm), NULL, 0 };
	int rc;

	for (unsigned r = EBPF_R1; r <= EBPF_R5; r++) {
		if ((rc = check_arg(w, &c, r)) < 0)
			return rc;
	}
	if (c.helper->moves_packet) {
		ebpf_state_each(&w->state, void_packet_address, NULL);
		void_slots(&w->state);
		w->state.packet_min = 0;
	}
	clobber_args(w);
	set_result(w, &c);
	w->result.has_helper_calls = true;
	w->result.has_tail_calls |= c.helper->is_tail_call;
	w->state.pc++;
	return 0;
}

/* ---- own functions ---- */

/* Of what stands in the function's place, only what its arguments may be is known. */
static int
call_global(struct walk *w, const struct ebpf_verify_global *g)
{
	int rc;

	for (unsigned regno = EBPF_R1; regno <= EBPF_R5; regno++) {
		const struct ebpf_reg *r = &ebpf_walk_regs(w)[regno];
		bool is_ctx = g->args[regno - 1] == EBPF_ARG_CTX;
		struct ebpf_walk_text text;

		if (g->args[regno - 1] == EBPF_ARG_NONE)
			continue;
		if ((rc = ebpf_walk_readable(w, regno)) < 0)
			return rc;
		if (is_ctx ? is_context(w, r) : r->kind == EBPF_REG_SCALAR)
			continue;
		text = ebpf_walk_reg(w, regno);
		return ebpf_walk_refuse(w, -EACCES, "%s: the function wants %s", text.text,
					is_ctx ? "the context" : "a number");
	}
	clobber_args(w);
	ebpf_reg_set_scalar(&ebpf_walk_regs(w)[EBPF_R0], ebpf_scalar_unknown());
	w->state.pc++;
	return 0;
}

int
ebpf_verify_local_call(struct walk *w, const struct ebpf_insn *insn)
{
	uint32_t target = (uint32_t)((int64_t)w->state.pc + 1 + insn->imm);
	const struct ebpf_verify_global *g = ebpf_verify_global_of(w->env, target);
	struct ebpf_reg *caller, *callee;

	if (g != NULL)
		return call_global(w, g);
	if (w->state.n_frames == EBPF_MAX_FRAMES)
		return ebpf_walk_refuse(w, -E2BIG, "calls nested deeper than %d frames",
					EBPF_MAX_FRAMES);
	if (!ebpf_state_push_frame(&w->state, w->flow.func_of[target], w->state.pc + 1,
				   ebpf_walk_fill(w)))
		return ebpf_walk_no_memory(w);
	caller = w->state.frames[w->state.n_frames - 2]->regs;
	callee = ebpf_walk_regs(w);
	for (unsigned r = EBPF_R1; r <= EBPF_R5; r++) {
		callee[r] = caller[r];
		ebpf_reg_set_none(&caller[r]);
	}
	ebpf_reg_set_none(&caller[EBPF_R0]);
	if (w->state.n_frames > w->result.max_frames)
		w->result.max_frames = w->state.n_frames;
	w->state.pc = target;
	return 0;
}

static int
return_to_caller(struct walk *w)
{
	struct ebpf_reg r0 = ebpf_walk_regs(w)[EBPF_R0];

	if (r0.kind == EBPF_REG_STACK && r0.frame == w->state.n_frames - 1) {
		struct ebpf_walk_text text = ebpf_walk_reg(w, EBPF_R0);

		return ebpf_walk_refuse(w, -EACCES, "%s: address in a stack that ends here",
					text.text);
	}
	w->state.pc = ebpf_state_frame(&w->state)->return_to;
	ebpf_state_pop_frame(&w->state);
	ebpf_walk_regs(w)[EBPF_R0] = r0;
	return 0;
}

int
ebpf_verify_exit(struct walk *w, bool *ends)
{
	int rc;

	*ends = w->state.n_frames == 1;
	if (!*ends)
		return return_to_caller(w);
	if ((rc = ebpf_walk_readable(w, EBPF_R0)) < 0)
		return rc;
	if (ebpf_reg_is_pointer(&ebpf_walk_regs(w)[EBPF_R0]) && !w->env->addresses_may_leak) {
		struct ebpf_walk_text text = ebpf_walk_reg(w, EBPF_R0);

		return ebpf_walk_refuse(w, -EACCES, "%s: an address as the program's result",
					text.text);
	}
	return 0;
}

/* ---- LD_ABS, LD_IND ---- */

int
ebpf_verify_packet_load(struct walk *w, const struct ebpf_insn *insn, enum ebpf_op row)
{
	static const uint64_t max[] = { UINT32_MAX, UINT16_MAX, UINT8_MAX };
	bool is_indirect = ebpf_ops[row].form == EBPF_FORM_LDIND;
	struct ebpf_reg *regs = ebpf_walk_regs(w);
	struct ebpf_walk_text text;
	int rc;

	if (w->state.n_frames > 1 || w->in_function)
		return ebpf_walk_refuse(w, -EINVAL, "packet load in a called function");
	if ((rc = ebpf_walk_readable(w, EBPF_R6)) < 0 ||
	    (is_indirect && (rc = ebpf_walk_readable(w, insn->src_reg)) < 0))
		return rc;
	if (regs[EBPF_R6].kind != EBPF_REG_CTX || regs[EBPF_R6].off != 0) {
		text = ebpf_walk_reg(w, EBPF_R6);
		return ebpf_walk_refuse(w, -EACCES, "%s: packet load wants the context", text.text);
	}
	if (is_indirect && regs[insn->src_reg].kind != EBPF_REG_SCALAR) {
		text = ebpf_walk_reg(w, insn->src_reg);
		return ebpf_walk_refuse(w, -EACCES, "%s: packet load wants a number", text.text);
	}
	clobber_args(w);
	ebpf_reg_set_scalar(&regs[EBPF_R0],
			    ebpf_scalar_urange(0, max[(insn->code & 0x18) >> 3]));
	w->state.pc++;
	return 0;
}
