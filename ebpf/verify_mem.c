/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Accesses to memory.  Stack bytes are tracked one by one; a register stored
 * to the start of an aligned slot is remembered as what it is, an address only
 * as a whole.  Addresses go nowhere but to the stack.
 */
#include "ebpf/verify_walk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

enum access { ACCESS_READ = 1, ACCESS_WRITE = 2, ACCESS_ATOMIC = 4 };

/* One access, by an instruction or a helper: size bytes at a register + off. */
struct place {
	unsigned regno;
	int64_t off;
	uint64_t size;
	unsigned how;           /* enum access */
};

static int
refuse(struct walk *w, const struct place *p, const char *why)
{
	struct ebpf_walk_text text = ebpf_walk_reg(w, p->regno);

	return ebpf_walk_refuse(w, -EACCES, "%s %+" PRId64 ", %s %" PRIu64 " bytes: %s", text.text,
				p->off, p->how & ACCESS_WRITE ? "write" : "read", p->size, why);
}

/* The offsets that the first byte can have in the object. */
static int64_t
lowest(const struct ebpf_reg *r, const struct place *p)
{
	return r->off + p->off + r->var.r64.smin;
}

static int64_t
highest(const struct ebpf_reg *r, const struct place *p)
{
	return r->off + p->off + r->var.r64.smax;
}

static int
refuse_range(struct walk *w, const struct ebpf_reg *r, const struct place *p, int64_t size)
{
	char why[96];

	if (lowest(r, p) < 0)
		snprintf(why, sizeof(why), "offset down to %" PRId64 " of %" PRId64,
			 lowest(r, p), size);
	else
		snprintf(why, sizeof(why), "offset up to %" PRId64 " of %" PRId64,
			 highest(r, p) + (int64_t)p->size, size);
	return refuse(w, p, why);
}

/* In an object of a known size. */
static int
check_bounds(struct walk *w, const struct ebpf_reg *r, const struct place *p, uint64_t size)
{
	if (lowest(r, p) < 0 || (uint64_t)highest(r, p) > size ||
	    p->size > size - (uint64_t)highest(r, p))
		return refuse_range(w, r, p, (int64_t)size);
	return 0;
}

static int
check_packet(struct walk *w, const struct ebpf_reg *r, const struct place *p)
{
	int64_t end = r->off + p->off + (int64_t)p->size;
	int64_t max = highest(r, p) + (int64_t)p->size;
	char why[96];

	if (p->how & ACCESS_ATOMIC)
		return refuse(w, p, "no atomics in the packet");
	if (p->how & ACCESS_WRITE && !w->env->packet_writable)
		return refuse(w, p, "the packet is read-only");
	if (lowest(r, p) < 0) {
		snprintf(why, sizeof(why), "offset down to %" PRId64, lowest(r, p));
		return refuse(w, p, why);
	}
	if (max <= w->state.packet_min || (r->id != 0 && end <= r->room))
		return 0;
	if (r->id != 0 && r->room > 0)
		snprintf(why, sizeof(why), "%" PRId64 " bytes from there, %" PRId64
			 " of them proven", end, r->room);
	else
		snprintf(why, sizeof(why), "offset up to %" PRId64 ", packet of at least %" PRId64,
			 max, w->state.packet_min);
	return refuse(w, p, why);
}

static int
check_map_value(struct walk *w, const struct ebpf_reg *r, const struct place *p)
{
	const struct ebpf_verify_map *map = &w->env->maps[r->map];

	if (p->how & ACCESS_WRITE && map->read_only)
		return refuse(w, p, "the map is read-only");
	return check_bounds(w, r, p, map->value_size);
}

/* ---- stack ---- */

static struct ebpf_frame *
frame_of(struct walk *w, const struct ebpf_reg *r)
{
	return w->state.frames[r->frame];
}

/* Byte at an offset below R10, -512 ... -1: which slot, which byte of it. */
static unsigned
slot_at(int64_t off)
{
	return (unsigned)((-off - 1) / 8);
}

static unsigned
byte_at(int64_t off)
{
	return (unsigned)(off & 7);
}

static int
check_stack(struct walk *w, const struct ebpf_reg *r, const struct place *p)
{
	int64_t low = lowest(r, p), high = highest(r, p) + (int64_t)p->size;
	struct ebpf_frame *f = frame_of(w, r);
	char why[96];

	if (low < -EBPF_STACK_SIZE || high > 0) {
		snprintf(why, sizeof(why), "stack is r10-%d to r10-1, this %+" PRId64 " to %+" PRId64,
			 EBPF_STACK_SIZE, low, high - 1);
		return refuse(w, p, why);
	}
	if (p->size == 0)
		return 0;
	if (-low > w->result.funcs[f->func].stack_depth)
		w->result.funcs[f->func].stack_depth = (uint32_t)-low;
	if (!ebpf_frame_grow(f, slot_at(low) + 1))
		return ebpf_walk_no_memory(w);
	return 0;
}

/*
 * A slot's register is no longer what its bytes say.  Bytes of an address
 * become unreadable rather than a number, lest it leak.
 */
static void
unspill(struct ebpf_slot *slot)
{
	bool was_address = slot->n_spilled > 0 && ebpf_reg_is_pointer(&slot->reg);

	if (slot->n_spilled == 0)
		return;
	for (unsigned i = 0; i < 8; i++) {
		if (slot->bytes[i] == EBPF_BYTE_SPILL)
			slot->bytes[i] = was_address ? EBPF_BYTE_NONE : EBPF_BYTE_DATA;
	}
	slot->n_spilled = 0;
	ebpf_reg_set_none(&slot->reg);
}

/* All bytes that the access can touch hold numbers. */
static int
check_stack_readable(struct walk *w, const struct ebpf_reg *r, const struct place *p)
{
	struct ebpf_frame *f = frame_of(w, r);
	int64_t end = highest(r, p) + (int64_t)p->size;
	char why[64];

	for (int64_t off = lowest(r, p); off < end; off++) {
		const struct ebpf_slot *slot = &f->slots[slot_at(off)];

		if (slot->bytes[byte_at(off)] == EBPF_BYTE_NONE) {
			snprintf(why, sizeof(why), "byte at r10%+" PRId64 " was never written", off);
			refuse(w, p, why);
			return -ENODATA;
		}
		if (slot->bytes[byte_at(off)] == EBPF_BYTE_SPILL &&
		    ebpf_reg_is_pointer(&slot->reg)) {
			snprintf(why, sizeof(why), "byte at r10%+" PRId64 " is part of an address",
				 off);
			return refuse(w, p, why);
		}
	}
	return 0;
}

/* The register that a whole aligned read finds; NULL: just bytes. */
static const struct ebpf_slot *
spilled_at(struct walk *w, const struct ebpf_reg *r, const struct place *p)
{
	const struct ebpf_slot *slot = &frame_of(w, r)->slots[slot_at(lowest(r, p))];

	if (!ebpf_scalar_is_const(&r->var) || byte_at(lowest(r, p)) != 0 || slot->n_spilled == 0)
		return NULL;
	if (p->size == slot->n_spilled)
		return slot;
	if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && p->size < slot->n_spilled &&
	    !ebpf_reg_is_pointer(&slot->reg))
		return slot;
	return NULL;
}

/* The bytes take numbers that are not known. */
static void
smear(struct walk *w, const struct ebpf_reg *r, const struct place *p)
{
	struct ebpf_frame *f = frame_of(w, r);
	int64_t end = highest(r, p) + (int64_t)p->size;

	for (int64_t off = lowest(r, p); off < end; off++) {
		struct ebpf_slot *slot = &f->slots[slot_at(off)];

		unspill(slot);
		if (ebpf_scalar_is_const(&r->var))
			slot->bytes[byte_at(off)] = EBPF_BYTE_DATA;
	}
}

static bool
is_whole_slot(const struct ebpf_reg *r, const struct place *p)
{
	return p->size == 8 && ebpf_scalar_is_const(&r->var) && byte_at(lowest(r, p)) == 0;
}

/* A stack's address must not outlive it: it is stored in its own stack, or a callee's. */
static int
check_spilled_address(struct walk *w, const struct ebpf_reg *r, const struct place *p,
		      const struct ebpf_reg *value)
{
	if (!is_whole_slot(r, p))
		return refuse(w, p, "an address goes to an aligned slot of 8 bytes, whole");
	if (value->kind == EBPF_REG_STACK && value->frame > r->frame)
		return refuse(w, p, "address of a stack that ends before this one");
	return 0;
}

static int
store_to_stack(struct walk *w, const struct ebpf_reg *r, const struct place *p,
	       struct ebpf_reg *value)
{
	struct ebpf_slot *slot = &frame_of(w, r)->slots[slot_at(lowest(r, p))];
	struct ebpf_reg number;
	int rc;

	if (ebpf_reg_is_pointer(value) && w->env->addresses_may_leak &&
	    !is_whole_slot(r, p)) {
		ebpf_reg_set_scalar(&number, ebpf_scalar_unknown());
		value = &number;
	}
	if (ebpf_reg_is_pointer(value) && (rc = check_spilled_address(w, r, p, value)) < 0)
		return rc;
	smear(w, r, p);
	if (!ebpf_scalar_is_const(&r->var) || byte_at(lowest(r, p)) != 0)
		return 0;
	if (value->kind == EBPF_REG_SCALAR && p->size == 8 && !ebpf_scalar_is_const(&value->var))
		ebpf_walk_id(w, value);
	slot->reg = *value;
	slot->n_spilled = (uint8_t)p->size;
	for (unsigned i = 0; i < p->size; i++)
		slot->bytes[i] = EBPF_BYTE_SPILL;
	if (p->size < 8) {
		struct ebpf_deps deps = value->deps;
		struct ebpf_scalar low = value->var;

		ebpf_scalar_zext(&low, (unsigned)p->size * 8);
		ebpf_reg_set_scalar(&slot->reg, low);
		slot->reg.deps = deps;
	}
	return 0;
}

/* ---- context ---- */

static const struct ebpf_ctx_field *
field_at(const struct ebpf_verify_env *env, int64_t off, uint64_t size)
{
	for (size_t i = 0; i < env->n_ctx_fields; i++) {
		const struct ebpf_ctx_field *f = &env->ctx_fields[i];

		if (off >= f->off && off - f->off < f->size &&
		    size <= f->size - (uint64_t)(off - f->off))
			return f;
	}
	return NULL;
}

static int
check_ctx(struct walk *w, const struct ebpf_reg *r, const struct place *p)
{
	int64_t off = r->off + p->off;
	const struct ebpf_ctx_field *f = field_at(w->env, off, p->size);

	if (f == NULL)
		return refuse(w, p, "no such field in the context");
	if (p->how & ACCESS_ATOMIC)
		return refuse(w, p, "no atomics in the context");
	if (p->how & ACCESS_WRITE && !f->writable)
		return refuse(w, p, "the field is read-only");
	if (f->kind != EBPF_CTX_SCALAR && p->size != f->size)
		return refuse(w, p, "the field is read whole");
	if (off % (int64_t)p->size != 0)
		return refuse(w, p, "part of a field, not aligned");
	return 0;
}

static enum ebpf_ctx_kind
field_kind(const struct walk *w, const struct ebpf_reg *r, const struct place *p)
{
	const struct ebpf_ctx_field *f = field_at(w->env, r->off + p->off, p->size);

	return f != NULL ? (enum ebpf_ctx_kind)f->kind : EBPF_CTX_SCALAR;
}

static void
load_field(struct walk *w, const struct ebpf_reg *r, const struct place *p, struct ebpf_reg *out)
{
	switch (field_kind(w, r, p)) {
	case EBPF_CTX_SCALAR:
		break;
	case EBPF_CTX_PACKET:
		ebpf_reg_set_pointer(out, EBPF_REG_PACKET);
		break;
	case EBPF_CTX_PACKET_END:
		ebpf_reg_set_pointer(out, EBPF_REG_PACKET_END);
		break;
	case EBPF_CTX_PACKET_LEN:
		ebpf_reg_set_scalar(out, ebpf_scalar_urange((uint64_t)w->state.packet_min,
							    INT32_MAX));
		out->rel.kind = EBPF_RELATION_LEN;
		break;
	}
}

/* ---- all kinds ---- */

static bool
is_aligned(const struct ebpf_reg *r, const struct place *p)
{
	struct ebpf_tnum at = ebpf_tnum_add(r->var.bits,
					    ebpf_tnum_const((uint64_t)(r->off + p->off)));

	return (ebpf_tnum_max(at) & (p->size - 1)) == 0;
}

static int
check_place(struct walk *w, const struct ebpf_reg *r, const struct place *p)
{
	int rc = 0;

	switch ((enum ebpf_reg_kind)r->kind) {
	case EBPF_REG_NONE:
		return ebpf_walk_readable(w, p->regno);
	case EBPF_REG_SCALAR:
	case EBPF_REG_PACKET_END:
	case EBPF_REG_MAP:
		return refuse(w, p, "not an address of memory");
	case EBPF_REG_MAP_VALUE_OR_NULL:
		return refuse(w, p, "not compared with 0 before");
	case EBPF_REG_CTX:
		return check_ctx(w, r, p);
	case EBPF_REG_MEM:
		if (p->how & ACCESS_WRITE && w->env->mem_read_only)
			return refuse(w, p, "the memory is read-only");
		rc = check_bounds(w, r, p, w->env->mem_size);
		break;
	case EBPF_REG_STACK:
		rc = check_stack(w, r, p);
		break;
	case EBPF_REG_PACKET:
		rc = check_packet(w, r, p);
		break;
	case EBPF_REG_MAP_VALUE:
		rc = check_map_value(w, r, p);
		break;
	}
	if (rc == 0 && p->how & ACCESS_ATOMIC && !is_aligned(r, p))
		return refuse(w, p, "atomic, but perhaps not aligned");
	return rc;
}

static void
set_loaded(struct ebpf_reg *out, uint64_t size, bool is_signed)
{
	struct ebpf_scalar value = ebpf_scalar_unknown();

	if (is_signed)
		ebpf_scalar_sext(&value, (unsigned)size * 8);
	else
		ebpf_scalar_zext(&value, (unsigned)size * 8);
	ebpf_reg_set_scalar(out, value);
}

static int
load_from_stack(struct walk *w, const struct ebpf_reg *r, const struct place *p, bool is_signed,
		struct ebpf_reg *out)
{
	const struct ebpf_slot *slot = spilled_at(w, r, p);
	struct ebpf_deps deps;
	struct ebpf_scalar value;

	if (slot == NULL || (is_signed && ebpf_reg_is_pointer(&slot->reg)))
		return check_stack_readable(w, r, p);
	if (!is_signed && p->size == slot->n_spilled) {
		*out = slot->reg;
		return 0;
	}
	deps = slot->reg.deps;
	value = slot->reg.var;
	if (is_signed)
		ebpf_scalar_sext(&value, (unsigned)p->size * 8);
	else
		ebpf_scalar_zext(&value, (unsigned)p->size * 8);
	ebpf_reg_set_scalar(out, value);
	out->deps = deps;
	return 0;
}

static int
load(struct walk *w, const struct ebpf_insn *insn, unsigned how)
{
	struct ebpf_reg *regs = ebpf_walk_regs(w), out;
	const struct ebpf_reg *r = &regs[insn->src_reg];
	struct place p = { insn->src_reg, insn->off, ebpf_access_size(insn->code), how };
	bool is_signed = (insn->code & 0xe0) == EBPF_MEMSX;
	int rc;

	if ((rc = check_place(w, r, &p)) < 0)
		return rc;
	set_loaded(&out, p.size, is_signed);
	if (r->kind == EBPF_REG_CTX && is_signed && field_kind(w, r, &p) != EBPF_CTX_SCALAR)
		return refuse(w, &p, "the field is read whole");
	if (r->kind == EBPF_REG_CTX)
		load_field(w, r, &p, &out);
	else if (r->kind == EBPF_REG_STACK &&
		 (rc = load_from_stack(w, r, &p, is_signed, &out)) < 0)
		return rc;
	regs[insn->dst_reg] = out;
	return 0;
}

static int
store(struct walk *w, const struct ebpf_insn *insn, struct ebpf_reg *value, unsigned how)
{
	const struct ebpf_reg *r = &ebpf_walk_regs(w)[insn->dst_reg];
	struct place p = { insn->dst_reg, insn->off, ebpf_access_size(insn->code), how };
	int rc;

	if ((rc = check_place(w, r, &p)) < 0)
		return rc;
	if (r->kind == EBPF_REG_STACK)
		return store_to_stack(w, r, &p, value);
	if (ebpf_reg_is_pointer(value) && !w->env->addresses_may_leak)
		return refuse(w, &p, "an address may be stored in the stack only");
	return 0;
}

int
ebpf_verify_load(struct walk *w, const struct ebpf_insn *insn, enum ebpf_op row)
{
	(void)row;
	w->state.pc++;
	return load(w, insn, ACCESS_READ);
}

int
ebpf_verify_store(struct walk *w, const struct ebpf_insn *insn, enum ebpf_op row)
{
	struct ebpf_reg constant;
	int rc;

	if (ebpf_ops[row].form == EBPF_FORM_ST) {
		ebpf_reg_set_scalar(&constant, ebpf_scalar_const((uint64_t)(int64_t)insn->imm));
		rc = store(w, insn, &constant, ACCESS_WRITE);
	} else {
		if ((rc = ebpf_walk_readable(w, insn->src_reg)) < 0)
			return rc;
		rc = store(w, insn, &ebpf_walk_regs(w)[insn->src_reg], ACCESS_WRITE);
	}
	w->state.pc++;
	return rc;
}

/* Reads, modifies and writes a number; what was there goes to src, or R0. */
static int
modify(struct walk *w, const struct ebpf_insn *insn, enum ebpf_form form)
{
	struct ebpf_reg *regs = ebpf_walk_regs(w);
	const struct ebpf_reg *r = &regs[insn->dst_reg];
	struct place p = { insn->dst_reg, insn->off, ebpf_access_size(insn->code),
			   ACCESS_READ | ACCESS_WRITE | ACCESS_ATOMIC };
	struct ebpf_walk_text text;
	int rc;

	if ((rc = check_place(w, r, &p)) < 0)
		return rc;
	if (ebpf_reg_is_pointer(&regs[insn->src_reg]) && !w->env->addresses_may_leak) {
		text = ebpf_walk_reg(w, insn->src_reg);
		return ebpf_walk_refuse(w, -EACCES, "%s: atomics work on numbers", text.text);
	}
	if (form == EBPF_FORM_CMPXCHG && ebpf_reg_is_pointer(&regs[EBPF_R0]) &&
	    !w->env->addresses_may_leak) {
		text = ebpf_walk_reg(w, EBPF_R0);
		return ebpf_walk_refuse(w, -EACCES, "%s: atomics work on numbers", text.text);
	}
	if (r->kind == EBPF_REG_STACK) {
		if ((rc = check_stack_readable(w, r, &p)) < 0)
			return rc;
		smear(w, r, &p);
	}
	if (form == EBPF_FORM_CMPXCHG)
		set_loaded(&regs[EBPF_R0], p.size, false);
	else if (form != EBPF_FORM_ATOMIC)
		set_loaded(&regs[insn->src_reg], p.size, false);
	return 0;
}

int
ebpf_verify_atomic(struct walk *w, const struct ebpf_insn *insn, enum ebpf_op row)
{
	enum ebpf_form form = (enum ebpf_form)ebpf_ops[row].form;
	int rc;

	if ((rc = ebpf_walk_readable(w, insn->dst_reg)) < 0 && form != EBPF_FORM_LOAD_ACQ)
		return rc;
	if ((rc = ebpf_walk_readable(w, insn->src_reg)) < 0)
		return rc;
	if (form == EBPF_FORM_LOAD_ACQ)
		rc = load(w, insn, ACCESS_READ | ACCESS_ATOMIC);
	else if (form == EBPF_FORM_STORE_REL)
		rc = store(w, insn, &ebpf_walk_regs(w)[insn->src_reg],
			   ACCESS_WRITE | ACCESS_ATOMIC);
	else if (form == EBPF_FORM_CMPXCHG && (rc = ebpf_walk_readable(w, EBPF_R0)) < 0)
		return rc;
	else
		rc = modify(w, insn, form);
	w->state.pc++;
	return rc;
}

int
ebpf_verify_region(struct walk *w, unsigned regno, uint64_t min, uint64_t max, bool is_write)
{
	const struct ebpf_reg *r = &ebpf_walk_regs(w)[regno];
	struct place p = { regno, 0, max, is_write ? ACCESS_WRITE : ACCESS_READ };
	int rc;

	if (r->kind == EBPF_REG_CTX)
		return refuse(w, &p, "the context is no plain memory");
	if (max == 0 && r->kind == EBPF_REG_SCALAR && ebpf_scalar_is_const(&r->var) &&
	    r->var.bits.value == 0)
		return 0;
	if ((rc = check_place(w, r, &p)) < 0)
		return rc;
	if (r->kind != EBPF_REG_STACK || max == 0)
		return 0;
	if (!is_write)
		return check_stack_readable(w, r, &p);
	smear(w, r, &p);
	if (ebpf_scalar_is_const(&r->var)) {
		/* What the helper need not fill stays unwritten if it was. */
		struct ebpf_frame *f = frame_of(w, r);

		for (int64_t off = lowest(r, &p) + (int64_t)min; off < lowest(r, &p) + (int64_t)max;
		     off++)
			f->slots[slot_at(off)].bytes[byte_at(off)] = EBPF_BYTE_NONE;
	}
	return 0;
}
