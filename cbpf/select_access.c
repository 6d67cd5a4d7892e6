/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Instruction selection: loads, and the guards before them.
 *
 * A target either knows how many bytes there are (hlen) and compares numbers,
 * or where they end (end) and compares addresses, as the verifier of the Linux
 * kernel wants it: a range proven for one address holds for what is a constant
 * away from it, so each offset that is a value has one register for its address.
 */
#include "cbpf/select.h"

/* How far the operands of a value are followed. */
#define MAX_DEPTH 4

/* A guard failed: the verdict is 0, or what helpers can tell of the bytes. */
static uint32_t
fail_label(struct selection *s)
{
	if (s->o->end == OPT_NONE)
		return sel_zero_label(s);
	s->retry_is_used = true;
	return s->retry;
}

/*
 * No more than a verifier of the Linux kernel can be shown by way of the bounds of
 * what a value is computed from: those that it follows.
 */
static uint32_t
proven_max(const struct opt *o, uint32_t v, unsigned depth)
{
	const struct opt_value *value = &o->values[v];
	uint32_t k, max;

	if (depth > MAX_DEPTH)
		return UINT32_MAX;
	switch ((enum opt_op)value->op) {
	case OPT_CONST:
		return value->k;
	case OPT_LOAD:
	case OPT_RAW:
		return value->size == 1 ? UINT8_MAX : UINT32_MAX;
	case OPT_AND:
		max = proven_max(o, value->a, depth + 1);
		return opt_is_const(o, value->b, &k) && k < max ? k : max;
	case OPT_LSH:
		max = proven_max(o, value->a, depth + 1);
		return opt_is_const(o, value->b, &k) && k < 16 && max <= UINT16_MAX ? max << k
										   : UINT32_MAX;
	case OPT_RSH:
		max = proven_max(o, value->a, depth + 1);
		return opt_is_const(o, value->b, &k) && k < 32 ? max >> k : UINT32_MAX;
	default:
		return UINT32_MAX;
	}
}

/*
 * Address of the data at an offset that is a value.  Where it is compared with
 * the data's end, the offset has to be small: a larger one is left to helpers.
 */
static uint32_t
pointer(struct selection *s, uint32_t base)
{
	uint32_t reg = sel_find_kept(s, KEEP_POINTER, base);

	if (reg != LIR_NO_REG)
		return reg;
	if (s->o->end != OPT_NONE && proven_max(s->o, base, 0) > OPT_MAX_BASE)
		sel_jump_k(s, EBPF_JGT, sel_reg_of(s, base), OPT_MAX_BASE, fail_label(s));
	reg = sel_new_reg(s);
	sel_mov64(s, reg, sel_reg_of(s, base));
	sel_alu64(s, EBPF_ADD, reg, sel_reg_of(s, s->o->data));
	sel_keep(s, KEEP_POINTER, base, s->block, reg);
	return reg;
}

static uint8_t
size_code(uint32_t size)
{
	return size == 8 ? EBPF_DW : size == 4 ? EBPF_W : size == 2 ? EBPF_H : EBPF_B;
}

void
sel_put_load(struct selection *s, const struct opt_value *v, uint32_t dst)
{
	uint32_t from = v->a != OPT_NONE ? pointer(s, v->a) : sel_reg_of(s, s->o->data);
	uint32_t off = v->k;

	if (off > INT16_MAX) {
		uint32_t far = sel_new_reg(s);

		sel_mov64(s, far, from);
		sel_put(s, insn_alu64_k(EBPF_ADD, 0, (int32_t)off), far, LIR_NO_REG);
		from = far;
		off = 0;
	}
	sel_put(s, insn_ldx(size_code(v->size), 0, 0, (int16_t)off), dst, from);
	if (v->op == OPT_LOAD && v->size > 1)
		sel_put(s, insn_be(0, (int32_t)v->size * 8), dst, LIR_NO_REG);
}

void
sel_put_field(struct selection *s, const struct opt_value *v, uint32_t dst)
{
	sel_put(s, insn_ldx(size_code(v->size), 0, 0, (int16_t)v->k), dst, sel_reg_of(s, v->a));
}

/* dst += the offset of a header, which may be a constant. */
static void
add_header(struct selection *s, uint32_t header, uint32_t dst)
{
	const struct opt_value *v = &s->o->values[header];
	uint32_t reg;

	if (v->op == OPT_CONST && v->k <= INT32_MAX) {
		sel_put(s, insn_alu64_k(EBPF_ADD, 0, (int32_t)v->k), dst, LIR_NO_REG);
		return;
	}
	if (v->op == OPT_FIELD) {       /* loaded where it is needed only */
		reg = sel_new_reg(s);
		sel_put_field(s, v, reg);
	} else {
		reg = sel_reg_of(s, header);
	}
	sel_alu64(s, EBPF_ADD, dst, reg);
}

/*
 * The offset in the data that a 32-bit sum means: one that is in no window
 * becomes UINT32_MAX, beyond any packet.
 */
void
sel_put_window(struct selection *s, const struct opt_value *v, uint32_t dst)
{
	uint32_t done = sel_new_label(s), net = sel_new_label(s), ll = sel_new_label(s);

	sel_mov32(s, dst, sel_reg_of(s, v->a));
	sel_jump_k(s, EBPF_JLE, dst, INT32_MAX, done);
	sel_jump_k(s, EBPF_JGE, dst, (uint32_t)CBPF_NET_OFF, net);
	sel_jump_k(s, EBPF_JGE, dst, (uint32_t)CBPF_LL_OFF, ll);
	sel_mov32_k(s, dst, UINT32_MAX);
	sel_put_jump(s, insn_ja(0), LIR_NO_REG, LIR_NO_REG, done);
	sel_put_label(s, ll);
	sel_put(s, insn_alu32_k(EBPF_ADD, 0, -(uint32_t)CBPF_LL_OFF), dst, LIR_NO_REG);
	add_header(s, v->b, dst);
	sel_put_jump(s, insn_ja(0), LIR_NO_REG, LIR_NO_REG, done);
	sel_put_label(s, net);
	sel_put(s, insn_alu32_k(EBPF_ADD, 0, -(uint32_t)CBPF_NET_OFF), dst, LIR_NO_REG);
	add_header(s, v->k, dst);
	sel_put_label(s, done);
}

/* Jump where n bytes from an address on reach beyond the data's end. */
static void
jump_beyond(struct selection *s, uint32_t from, uint32_t n, uint32_t label)
{
	uint32_t past = sel_new_reg(s);

	sel_mov64(s, past, from);
	sel_put(s, insn_alu64_k(EBPF_ADD, 0, (int32_t)n), past, LIR_NO_REG);
	sel_put_jump(s, insn_jmp_x(EBPF_JGT, 0, 0, 0), past, sel_reg_of(s, s->o->end), label);
}

/* A frame too short to tell has no network layer either. */
void
sel_put_tagged(struct selection *s, const struct opt_value *v, uint32_t dst)
{
	uint32_t done = sel_new_label(s), type = sel_new_reg(s);

	sel_mov32_k(s, dst, UINT32_MAX);
	if (s->o->end != OPT_NONE)
		jump_beyond(s, sel_reg_of(s, s->o->data), v->size + 2, done);
	else
		sel_jump_k(s, EBPF_JLT, sel_reg_of(s, s->o->hlen), v->size + 2, done);
	sel_put(s, insn_ldx(EBPF_H, 0, 0, (int16_t)v->size), type, sel_reg_of(s, s->o->data));
	sel_put(s, insn_be(0, 16), type, LIR_NO_REG);
	sel_mov32_k(s, dst, v->k + 4);
	sel_jump_k(s, EBPF_JEQ, type, ETHERTYPE_VLAN, done);
	sel_jump_k(s, EBPF_JEQ, type, ETHERTYPE_QINQ, done);
	sel_mov32_k(s, dst, v->k);
	sel_put_label(s, done);
}

/* hlen - base, which tells how many bytes there are from base on. */
static uint32_t
room(struct selection *s, uint32_t base)
{
	uint32_t reg = sel_find_kept(s, KEEP_ROOM, base), taken, len;

	if (reg != LIR_NO_REG)
		return reg;
	taken = sel_needed_reg(s, base);
	len = sel_needed_reg(s, s->o->hlen);
	reg = sel_new_reg(s);
	sel_mov64(s, reg, len);
	sel_alu64(s, EBPF_SUB, reg, taken);
	sel_keep(s, KEEP_ROOM, base, s->block, reg);
	return reg;
}

void
sel_guard(struct selection *s, const struct opt_effect *e)
{
	const struct opt *o = s->o;

	if (o->end != OPT_NONE) {
		/* a value that turned out to be a constant, and a large one */
		if (e->n > (e->base != OPT_NONE ? OPT_MAX_FROM_BASE : OPT_MAX_END))
			s->lir.failed = OPT_GIVE_UP;
		sel_needed_reg(s, o->end);
		sel_needed_reg(s, o->data);
		if (e->base != OPT_NONE)
			sel_needed_reg(s, e->base);
		jump_beyond(s, e->base != OPT_NONE ? pointer(s, e->base) : sel_reg_of(s, o->data),
			    e->n, fail_label(s));
	} else if (e->base == OPT_NONE) {
		sel_jump_k(s, EBPF_JLT, sel_needed_reg(s, o->hlen), e->n, fail_label(s));
	} else {
		sel_jump_k(s, EBPF_JSLT, room(s, e->base), e->n, fail_label(s));
	}
}
