/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arithmetic: of numbers by their domain, of addresses by constant and
 * variable part.  Addresses are only added to, subtracted from and copied, in
 * 64 bits.
 */
#include "ebpf/verify_walk.h"

#include "ebpf/insn.h"

#include <errno.h>
#include <inttypes.h>

static uint8_t
op_of(const struct ebpf_insn *insn)
{
	return insn->code & 0xf0;
}

static bool
is_64(const struct ebpf_insn *insn)
{
	return EBPF_CLASS(insn->code) == EBPF_ALU64;
}

static bool
is_near(int64_t x)
{
	return x >= -EBPF_MAX_DISTANCE && x <= EBPF_MAX_DISTANCE;
}

/* ---- addresses ---- */

static bool
takes_offsets(const struct ebpf_reg *r)
{
	return r->kind == EBPF_REG_CTX || r->kind == EBPF_REG_MEM || r->kind == EBPF_REG_STACK ||
	       r->kind == EBPF_REG_PACKET || r->kind == EBPF_REG_MAP_VALUE;
}

static int
refuse_sum(struct walk *w, const struct ebpf_insn *insn, const char *why)
{
	struct ebpf_walk_text dst = ebpf_walk_reg(w, insn->dst_reg), src;

	if ((insn->code & 0x08) == EBPF_K)
		return ebpf_walk_refuse(w, -EACCES, "%s %s %d: %s", dst.text,
					op_of(insn) == EBPF_SUB ? "-" : "+", insn->imm, why);
	src = ebpf_walk_reg(w, insn->src_reg);
	return ebpf_walk_refuse(w, -EACCES, "%s %s %s: %s", dst.text,
				op_of(insn) == EBPF_SUB ? "-" : "+", src.text, why);
}

/* The variable part of a packet address goes by the name of the number added first. */
static void
name_packet_part(struct walk *w, struct ebpf_reg *sum, const struct ebpf_reg *address,
		 struct ebpf_reg *number, bool is_sub)
{
	if (sum->kind != EBPF_REG_PACKET)
		return;
	if (address->id == 0 && !is_sub) {
		sum->id = ebpf_walk_id(w, number);
		sum->room = number->room;
	} else {
		sum->id = ++w->state.next_id;
		sum->room = EBPF_NO_ROOM;
	}
}

/* dst = address +- number; one of them may be dst itself. */
static int
add_to_address(struct walk *w, const struct ebpf_insn *insn, const struct ebpf_reg *address,
	       struct ebpf_reg *number, bool is_sub)
{
	struct ebpf_reg *dst = &ebpf_walk_regs(w)[insn->dst_reg];
	struct ebpf_reg sum = *address;
	const struct ebpf_range *r = &number->var.r64;

	if (!takes_offsets(address))
		return refuse_sum(w, insn, "no arithmetic on such an address");
	if (!is_near(r->smin) || !is_near(r->smax))
		return refuse_sum(w, insn, "unbounded offset");
	ebpf_walk_precise(w, number);
	if (ebpf_scalar_is_const(&number->var)) {
		sum.off += is_sub ? -r->smin : r->smin;
		if (!is_near(sum.off))
			return refuse_sum(w, insn, "unbounded offset");
		*dst = sum;
		return 0;
	}
	if (address->kind == EBPF_REG_CTX)
		return refuse_sum(w, insn, "variable offset in the context");
	ebpf_scalar_alu(&sum.var, &number->var, is_sub ? EBPF_SUB : EBPF_ADD, false, 64);
	if (!is_near(sum.var.r64.smin) || !is_near(sum.var.r64.smax))
		return refuse_sum(w, insn, "unbounded offset");
	name_packet_part(w, &sum, address, number, is_sub);
	*dst = sum;
	return 0;
}

/* What lies between two addresses of one object is a number. */
static int
subtract_addresses(struct walk *w, const struct ebpf_insn *insn)
{
	struct ebpf_reg *regs = ebpf_walk_regs(w), *dst = &regs[insn->dst_reg];
	const struct ebpf_reg *src = &regs[insn->src_reg];
	struct ebpf_reg out;

	if (dst->kind == EBPF_REG_PACKET_END && src->kind == EBPF_REG_PACKET && src->id == 0) {
		ebpf_reg_set_scalar(&out, ebpf_scalar_srange(w->state.packet_min - src->off,
							     INT32_MAX - src->off));
		out.rel = (struct ebpf_relation){ .kind = EBPF_RELATION_LEN,
						  .delta = -src->off };
		*dst = out;
		return 0;
	}
	if (dst->kind != src->kind || dst->frame != src->frame ||
	    (dst->kind != EBPF_REG_MEM && dst->kind != EBPF_REG_STACK &&
	     dst->kind != EBPF_REG_PACKET))
		return refuse_sum(w, insn, "addresses of different objects");
	ebpf_reg_set_scalar(&out, dst->var);
	ebpf_scalar_alu(&out.var, &src->var, EBPF_SUB, false, 64);
	{
		struct ebpf_scalar apart = ebpf_scalar_const((uint64_t)(dst->off - src->off));

		ebpf_scalar_alu(&out.var, &apart, EBPF_ADD, false, 64);
	}
	*dst = out;
	return 0;
}

static int
address_alu(struct walk *w, const struct ebpf_insn *insn, struct ebpf_reg *dst,
	    struct ebpf_reg *src)
{
	bool is_sub = op_of(insn) == EBPF_SUB;
	struct ebpf_reg number;

	if (!is_64(insn) || (op_of(insn) != EBPF_ADD && !is_sub)) {
		struct ebpf_walk_text text = ebpf_walk_reg(
			w, ebpf_reg_is_pointer(dst) ? insn->dst_reg : insn->src_reg);

		return ebpf_walk_refuse(w, -EACCES, "%s: only 64-bit add and sub of an address",
					text.text);
	}
	if (ebpf_reg_is_pointer(dst) && ebpf_reg_is_pointer(src))
		return is_sub ? subtract_addresses(w, insn)
			      : refuse_sum(w, insn, "sum of two addresses");
	if (ebpf_reg_is_pointer(dst))
		return add_to_address(w, insn, dst, src, is_sub);
	if (is_sub)
		return refuse_sum(w, insn, "address taken from a number");
	ebpf_walk_id(w, dst);           /* its copies know it by that name */
	number = *dst;
	return add_to_address(w, insn, src, &number, false);
}

/* ---- numbers ---- */

/*
 * How the result hangs together with the packet's length or another number.
 * Exact only while nothing wraps: all of it is near 0.
 */
static struct ebpf_relation
relation_of(struct walk *w, const struct ebpf_insn *insn, const struct ebpf_reg *dst,
	    struct ebpf_reg *src)
{
	struct ebpf_relation none = { 0 }, rel = dst->rel;
	bool is_sub = op_of(insn) == EBPF_SUB;
	const struct ebpf_reg *constant = ebpf_scalar_is_const(&src->var) ? src : dst;

	if (!is_64(insn) || (!is_sub && op_of(insn) != EBPF_ADD) ||
	    !is_near(dst->var.r64.smin) || !is_near(dst->var.r64.smax) ||
	    !is_near(src->var.r64.smin) || !is_near(src->var.r64.smax))
		return none;
	if (is_sub && !ebpf_scalar_is_const(&src->var)) {
		if (ebpf_scalar_is_const(&dst->var))
			rel = (struct ebpf_relation){ .kind = EBPF_RELATION_CONST,
						      .delta = dst->var.r64.smin };
		else if (rel.kind != EBPF_RELATION_LEN || rel.minus != 0)
			return none;
		rel.minus = ebpf_walk_id(w, src);
		return rel;
	}
	if (!ebpf_scalar_is_const(&constant->var))
		return none;
	if (constant == dst)
		rel = src->rel;
	if (rel.kind == EBPF_RELATION_NONE)
		return none;
	rel.delta += is_sub ? -constant->var.r64.smin : constant->var.r64.smin;
	return is_near(rel.delta) ? rel : none;
}

static int
check_constant(struct walk *w, const struct ebpf_insn *insn)
{
	uint8_t op = op_of(insn);
	int width = is_64(insn) ? 64 : 32;

	if (w->env->rfc9669 || (insn->code & 0x08) != EBPF_K)
		return 0;
	if ((op == EBPF_DIV || op == EBPF_MOD) && insn->imm == 0)
		return ebpf_walk_refuse(w, -EINVAL, "r%u: division by 0", insn->dst_reg);
	if ((op == EBPF_LSH || op == EBPF_RSH || op == EBPF_ARSH) &&
	    (insn->imm < 0 || insn->imm >= width))
		return ebpf_walk_refuse(w, -EINVAL, "r%u: shift by %d of %d bits", insn->dst_reg,
					insn->imm, width);
	return 0;
}

static int
number_alu(struct walk *w, const struct ebpf_insn *insn, struct ebpf_reg *dst,
	   struct ebpf_reg *src)
{
	uint8_t op = op_of(insn);
	struct ebpf_reg out;

	if (dst == src && (op == EBPF_SUB || op == EBPF_XOR)) {
		ebpf_reg_set_scalar(dst, ebpf_scalar_const(0));
		return 0;
	}
	ebpf_reg_set_scalar(&out, dst->var);
	out.rel = relation_of(w, insn, dst, src);
	out.deps = dst->deps;
	ebpf_deps_add(&out.deps, &src->deps);
	ebpf_scalar_alu(&out.var, &src->var, op, insn->off == 1, is_64(insn) ? 64 : 32);
	if (out.rel.kind != EBPF_RELATION_NONE && ebpf_scalar_is_const(&out.var))
		out.rel.kind = EBPF_RELATION_NONE;
	*dst = out;
	return 0;
}

/* A copy, as far as the value stays what it was. */
static int
move(struct walk *w, const struct ebpf_insn *insn, struct ebpf_reg *dst, struct ebpf_reg *src,
     unsigned sext_from)
{
	struct ebpf_scalar value = src->var;

	if (ebpf_reg_is_pointer(src)) {
		struct ebpf_walk_text text = ebpf_walk_reg(w, insn->src_reg);

		if ((!is_64(insn) || sext_from != 0) && w->env->addresses_may_leak) {
			value = ebpf_scalar_unknown();
			if (sext_from != 0)
				ebpf_scalar_sext(&value, sext_from);
			if (!is_64(insn))
				ebpf_scalar_zext(&value, 32);
			ebpf_reg_set_scalar(dst, value);
			return 0;
		}
		if (!is_64(insn) || sext_from != 0)
			return ebpf_walk_refuse(w, -EACCES, "%s: part of an address copied",
						text.text);
		*dst = *src;
		return 0;
	}
	if (sext_from != 0)
		ebpf_scalar_sext(&value, sext_from);
	if (!is_64(insn))
		ebpf_scalar_zext(&value, 32);
	/* Sign and zero extension are one-to-one where they leave the set as it was. */
	if (ebpf_scalar_equal(&value, &src->var) &&
	    (sext_from == 0 ? is_64(insn) || src->var.r64.umax <= UINT32_MAX
			    : src->var.r64.smin >= -(INT64_C(1) << (sext_from - 1)) &&
				      src->var.r64.smax < INT64_C(1) << (sext_from - 1))) {
		if (!ebpf_scalar_is_const(&value))
			ebpf_walk_id(w, src);
		*dst = *src;
		return 0;
	}
	{
		struct ebpf_deps deps = src->deps;

		ebpf_reg_set_scalar(dst, value);
		dst->deps = deps;
	}
	return 0;
}

static void
swap_bytes(const struct ebpf_insn *insn, struct ebpf_reg *dst)
{
	bool is_unconditional = EBPF_CLASS(insn->code) == EBPF_ALU64;
	bool to_big = (insn->code & 0x08) == EBPF_X;
	bool host_is_big = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
	struct ebpf_deps deps = dst->deps;
	struct ebpf_scalar value = dst->var;

	if (is_unconditional || to_big != host_is_big)
		ebpf_scalar_bswap(&value, (unsigned)insn->imm);
	else
		ebpf_scalar_zext(&value, (unsigned)insn->imm);
	ebpf_reg_set_scalar(dst, value);
	dst->deps = deps;
}

/* NEG and END: one operand, a number. */
static int
unary(struct walk *w, const struct ebpf_insn *insn, struct ebpf_reg *dst)
{
	if (ebpf_reg_is_pointer(dst)) {
		struct ebpf_walk_text text = ebpf_walk_reg(w, insn->dst_reg);

		return ebpf_walk_refuse(w, -EACCES, "%s: only 64-bit add and sub of an address",
					text.text);
	}
	if (op_of(insn) == EBPF_END) {
		swap_bytes(insn, dst);
	} else {
		struct ebpf_deps deps = dst->deps;
		struct ebpf_scalar value = dst->var;

		ebpf_scalar_alu(&value, &value, EBPF_NEG, false, is_64(insn) ? 64 : 32);
		ebpf_reg_set_scalar(dst, value);
		dst->deps = deps;
	}
	return 0;
}

int
ebpf_verify_alu(struct walk *w, const struct ebpf_insn *insn, enum ebpf_op row)
{
	struct ebpf_reg *regs = ebpf_walk_regs(w), *dst = &regs[insn->dst_reg];
	struct ebpf_reg constant, *src = &constant;
	uint8_t op = op_of(insn);
	bool is_move = op == EBPF_MOV;
	int rc;

	if (!is_move && (rc = ebpf_walk_readable(w, insn->dst_reg)) < 0)
		return rc;
	if (op == EBPF_NEG || op == EBPF_END)
		return unary(w, insn, dst);
	if ((insn->code & 0x08) == EBPF_X) {
		if ((rc = ebpf_walk_readable(w, insn->src_reg)) < 0)
			return rc;
		src = &regs[insn->src_reg];
	} else {
		ebpf_reg_set_scalar(&constant,
				    ebpf_scalar_const(is_64(insn) ? (uint64_t)(int64_t)insn->imm
								  : (uint32_t)insn->imm));
	}
	if (is_move)
		return move(w, insn, dst, src,
			    ebpf_ops[row].form == EBPF_FORM_MOVSX ? (unsigned)insn->off : 0);
	if (ebpf_reg_is_pointer(dst) || ebpf_reg_is_pointer(src))
		return address_alu(w, insn, dst, src);
	if ((rc = check_constant(w, insn)) < 0)
		return rc;
	return number_alu(w, insn, dst, src);
}
