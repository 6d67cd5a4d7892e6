/* SPDX-License-Identifier: BSD-2-Clause */
#include "ebpf/verify_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- registers ---- */

void
ebpf_reg_set_none(struct ebpf_reg *r)
{
	*r = (struct ebpf_reg){ .kind = EBPF_REG_NONE };
}

void
ebpf_reg_set_scalar(struct ebpf_reg *r, struct ebpf_scalar number)
{
	*r = (struct ebpf_reg){ .kind = EBPF_REG_SCALAR, .var = number, .room = EBPF_NO_ROOM };
}

void
ebpf_reg_set_pointer(struct ebpf_reg *r, enum ebpf_reg_kind kind)
{
	*r = (struct ebpf_reg){ .kind = (uint8_t)kind, .var = ebpf_scalar_const(0),
				.room = EBPF_NO_ROOM };
}

static bool
deps_are_empty(const struct ebpf_deps *d)
{
	return d->slots == 0 && d->regs == 0 && !d->all;
}

void
ebpf_deps_add(struct ebpf_deps *to, const struct ebpf_deps *from)
{
	if (deps_are_empty(from))
		return;
	if (deps_are_empty(to)) {
		*to = *from;
		return;
	}
	to->all |= from->all || to->frame != from->frame;
	to->regs |= from->regs;
	to->slots |= from->slots;
}

/* ---- states ---- */

bool
ebpf_state_push_frame(struct ebpf_verify_state *s, unsigned func, uint32_t return_to,
		      enum ebpf_byte fill)
{
	struct ebpf_frame *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return false;
	f->func = (uint16_t)func;
	f->fill = (uint8_t)fill;
	f->return_to = return_to;
	ebpf_reg_set_pointer(&f->regs[EBPF_R10], EBPF_REG_STACK);
	f->regs[EBPF_R10].frame = (uint8_t)s->n_frames;
	s->frames[s->n_frames++] = f;
	return true;
}

static void
frame_free(struct ebpf_frame *f)
{
	if (f != NULL)
		free(f->slots);
	free(f);
}

void
ebpf_state_pop_frame(struct ebpf_verify_state *s)
{
	frame_free(s->frames[--s->n_frames]);
	s->frames[s->n_frames] = NULL;
}

static struct ebpf_slot
untouched_slot(const struct ebpf_frame *f)
{
	struct ebpf_slot slot;

	memset(&slot, 0, sizeof(slot));
	memset(slot.bytes, f->fill, sizeof(slot.bytes));
	return slot;
}

static struct ebpf_frame *
frame_copy(const struct ebpf_frame *from)
{
	struct ebpf_frame *f = malloc(sizeof(*f));

	if (f == NULL)
		return NULL;
	*f = *from;
	f->slots = NULL;
	f->n_slots = 0;
	if (!ebpf_frame_grow(f, from->n_slots)) {
		free(f);
		return NULL;
	}
	if (f->n_slots > 0)
		memcpy(f->slots, from->slots, f->n_slots * sizeof(*f->slots));
	return f;
}

bool
ebpf_state_copy(struct ebpf_verify_state *to, const struct ebpf_verify_state *from)
{
	*to = *from;
	memset(to->frames, 0, sizeof(to->frames));
	for (unsigned i = 0; i < from->n_frames; i++) {
		to->frames[i] = frame_copy(from->frames[i]);
		if (to->frames[i] == NULL) {
			ebpf_state_clear(to);
			return false;
		}
	}
	return true;
}

void
ebpf_state_clear(struct ebpf_verify_state *s)
{
	for (unsigned i = 0; i < EBPF_MAX_FRAMES; i++) {
		frame_free(s->frames[i]);
		s->frames[i] = NULL;
	}
	s->n_frames = 0;
}

bool
ebpf_frame_grow(struct ebpf_frame *f, unsigned n_slots)
{
	struct ebpf_slot *slots;

	if (n_slots <= f->n_slots)
		return true;
	slots = realloc(f->slots, n_slots * sizeof(*slots));
	if (slots == NULL)
		return false;
	for (unsigned n = f->n_slots; n < n_slots; n++)
		slots[n] = untouched_slot(f);
	f->slots = slots;
	f->n_slots = (uint16_t)n_slots;
	return true;
}

void
ebpf_state_each(struct ebpf_verify_state *s, void (*fn)(struct ebpf_reg *r, void *arg), void *arg)
{
	for (unsigned i = 0; i < s->n_frames; i++) {
		struct ebpf_frame *f = s->frames[i];

		for (unsigned r = 0; r < EBPF_MAX_REG; r++)
			fn(&f->regs[r], arg);
		for (unsigned n = 0; n < f->n_slots; n++) {
			if (f->slots[n].n_spilled > 0)
				fn(&f->slots[n].reg, arg);
		}
	}
}

void
ebpf_state_reset_deps(struct ebpf_verify_state *s)
{
	for (unsigned i = 0; i < s->n_frames; i++) {
		struct ebpf_frame *f = s->frames[i];

		for (unsigned r = 0; r < EBPF_MAX_REG; r++)
			f->regs[r].deps = (struct ebpf_deps){ .regs = (uint16_t)(1u << r),
							      .frame = (uint8_t)i };
		for (unsigned n = 0; n < f->n_slots; n++)
			f->slots[n].reg.deps = (struct ebpf_deps){ .slots = UINT64_C(1) << n,
								   .frame = (uint8_t)i };
	}
}

/* ---- comparing ---- */

/*
 * Ids are names: what counts is that those equal in one state are equal in
 * the other.  Pairs are found as registers are compared.
 */
struct id_pairs {
	uint32_t a[EBPF_MAX_FRAMES * EBPF_MAX_REG + EBPF_N_SLOTS];
	uint32_t b[EBPF_MAX_FRAMES * EBPF_MAX_REG + EBPF_N_SLOTS];
	unsigned n;
};

/* a of 0 asks nothing of b. */
static bool
ids_agree(struct id_pairs *pairs, uint32_t a, uint32_t b)
{
	if (a == 0)
		return true;
	if (b == 0)
		return false;
	for (unsigned i = 0; i < pairs->n; i++) {
		if (pairs->a[i] == a)
			return pairs->b[i] == b;
	}
	if (pairs->n == sizeof(pairs->a) / sizeof(pairs->a[0]))
		return false;
	pairs->a[pairs->n] = a;
	pairs->b[pairs->n++] = b;
	return true;
}

static bool
relation_covers(const struct ebpf_relation *a, const struct ebpf_relation *b,
		struct id_pairs *pairs)
{
	if (a->kind == EBPF_RELATION_NONE)
		return true;
	return a->kind == b->kind && a->delta == b->delta &&
	       (a->minus == 0 ? b->minus == 0 : ids_agree(pairs, a->minus, b->minus));
}

static bool
reg_covers(const struct ebpf_reg *a, const struct ebpf_reg *b, struct id_pairs *pairs, bool exact)
{
	if (a->kind == EBPF_REG_NONE)
		return true;
	if (a->kind != b->kind)
		return false;
	if (a->kind == EBPF_REG_SCALAR) {
		if (!exact && !a->is_precise && a->rel.kind == EBPF_RELATION_NONE)
			return true;
	} else if (a->off != b->off || a->map != b->map || a->frame != b->frame) {
		return false;
	}
	return ebpf_scalar_contains(&a->var, &b->var) && a->room <= b->room &&
	       ids_agree(pairs, a->id, b->id) && relation_covers(&a->rel, &b->rel, pairs);
}

static bool
all_data(const struct ebpf_slot *slot)
{
	for (unsigned i = 0; i < 8; i++) {
		if (slot->bytes[i] != EBPF_BYTE_DATA)
			return false;
	}
	return true;
}

static bool
slot_covers(const struct ebpf_slot *a, const struct ebpf_slot *b, struct id_pairs *pairs,
	    bool exact)
{
	bool b_is_number = b->reg.kind == EBPF_REG_SCALAR;

	if (a->n_spilled > 0 && b->n_spilled == 0 && a->reg.kind == EBPF_REG_SCALAR && !exact &&
	    !a->reg.is_precise && a->reg.rel.kind == EBPF_RELATION_NONE && a->n_spilled == 8)
		return all_data(b);
	if (a->n_spilled > 0 &&
	    (a->n_spilled != b->n_spilled || !reg_covers(&a->reg, &b->reg, pairs, exact)))
		return false;
	for (unsigned i = 0; i < 8; i++) {
		if (a->bytes[i] == EBPF_BYTE_NONE || a->bytes[i] == b->bytes[i])
			continue;
		if (a->bytes[i] == EBPF_BYTE_DATA && b->bytes[i] == EBPF_BYTE_SPILL && b_is_number)
			continue;
		return false;
	}
	return true;
}

static bool
frame_covers(const struct ebpf_frame *a, const struct ebpf_frame *b, uint16_t live,
	     struct id_pairs *pairs, bool exact)
{
	const struct ebpf_slot untouched_a = untouched_slot(a), untouched_b = untouched_slot(b);
	unsigned n_slots = a->n_slots;

	if (a->func != b->func || a->return_to != b->return_to)
		return false;
	if (a->fill != EBPF_BYTE_NONE && b->n_slots > n_slots)
		n_slots = b->n_slots;
	for (unsigned r = 0; r < EBPF_R10; r++) {
		if ((live >> r & 1) != 0 && !reg_covers(&a->regs[r], &b->regs[r], pairs, exact))
			return false;
	}
	for (unsigned n = 0; n < n_slots; n++) {
		const struct ebpf_slot *in_a = n < a->n_slots ? &a->slots[n] : &untouched_a;
		const struct ebpf_slot *in_b = n < b->n_slots ? &b->slots[n] : &untouched_b;

		if (!slot_covers(in_a, in_b, pairs, exact))
			return false;
	}
	return true;
}

bool
ebpf_state_covers(const struct ebpf_verify_state *a, const struct ebpf_verify_state *b,
		  const uint16_t live[EBPF_MAX_FRAMES], bool exact)
{
	struct id_pairs pairs;

	pairs.n = 0;
	if (a->n_frames != b->n_frames || a->packet_min > b->packet_min)
		return false;
	for (unsigned i = 0; i < a->n_frames; i++) {
		if (!frame_covers(a->frames[i], b->frames[i], live[i], &pairs, exact))
			return false;
	}
	return true;
}

/* ---- text ---- */

static const char *const kind_names[] = {
	[EBPF_REG_NONE] = "unwritten",
	[EBPF_REG_SCALAR] = "scalar",
	[EBPF_REG_CTX] = "ctx",
	[EBPF_REG_MEM] = "mem",
	[EBPF_REG_STACK] = "fp",
	[EBPF_REG_PACKET] = "packet",
	[EBPF_REG_PACKET_END] = "packet_end",
	[EBPF_REG_MAP] = "map",
	[EBPF_REG_MAP_VALUE] = "map_value",
	[EBPF_REG_MAP_VALUE_OR_NULL] = "map_value_or_null",
};

void
ebpf_reg_text(const struct ebpf_reg *r, char *buf, size_t size)
{
	char number[EBPF_SCALAR_TEXT_SIZE];
	const char *name = kind_names[r->kind];

	switch ((enum ebpf_reg_kind)r->kind) {
	case EBPF_REG_NONE:
		snprintf(buf, size, "%s", name);
		return;
	case EBPF_REG_SCALAR:
		ebpf_scalar_text(&r->var, number, sizeof(number));
		snprintf(buf, size, "%s %s%s", name, number,
			 r->rel.kind == EBPF_RELATION_LEN ? " of length" : "");
		return;
	case EBPF_REG_STACK:
		snprintf(buf, size, "%s%+" PRId64, name, r->off);
		break;
	case EBPF_REG_MAP:
		snprintf(buf, size, "%s %u", name, r->map);
		return;
	case EBPF_REG_MAP_VALUE:
	case EBPF_REG_MAP_VALUE_OR_NULL:
		snprintf(buf, size, "%s %u %" PRId64, name, r->map, r->off);
		break;
	case EBPF_REG_CTX:
	case EBPF_REG_MEM:
	case EBPF_REG_PACKET:
	case EBPF_REG_PACKET_END:
		snprintf(buf, size, "%s %" PRId64, name, r->off);
		break;
	}
	if (!ebpf_scalar_is_const(&r->var)) {
		size_t used = strlen(buf);

		ebpf_scalar_text(&r->var, number, sizeof(number));
		snprintf(buf + used, size - used, " + %s", number);
	}
}

static size_t
append(char *buf, size_t size, size_t used, const char *name, const char *text)
{
	int n;

	if (used >= size)
		return used;
	n = snprintf(buf + used, size - used, "%s%s=%s", used > 0 ? "; " : "", name, text);
	return n > 0 ? used + (size_t)n : used;
}

static bool
reg_changed(const struct ebpf_reg *r, const struct ebpf_reg *before)
{
	return r->kind != before->kind || r->off != before->off || r->map != before->map ||
	       !ebpf_scalar_equal(&r->var, &before->var) || r->rel.kind != before->rel.kind;
}

void
ebpf_state_text(const struct ebpf_verify_state *s, const struct ebpf_verify_state *before,
		char *buf, size_t size)
{
	const struct ebpf_frame *f = ebpf_state_frame(s), *old = NULL;
	char text[EBPF_REG_TEXT_SIZE], name[16];
	size_t used = 0;

	if (before != NULL && before->n_frames == s->n_frames)
		old = ebpf_state_frame(before);
	buf[0] = '\0';
	for (unsigned r = 0; r < EBPF_R10; r++) {
		if (old != NULL ? !reg_changed(&f->regs[r], &old->regs[r])
				: f->regs[r].kind == EBPF_REG_NONE)
			continue;
		snprintf(name, sizeof(name), "r%u", r);
		ebpf_reg_text(&f->regs[r], text, sizeof(text));
		used = append(buf, size, used, name, text);
	}
	for (unsigned n = 0; n < f->n_slots; n++) {
		if (f->slots[n].n_spilled == 0)
			continue;
		if (old != NULL && n < old->n_slots && old->slots[n].n_spilled > 0 &&
		    !reg_changed(&f->slots[n].reg, &old->slots[n].reg))
			continue;
		snprintf(name, sizeof(name), "fp-%u", 8 * (n + 1));
		ebpf_reg_text(&f->slots[n].reg, text, sizeof(text));
		used = append(buf, size, used, name, text);
	}
	if (s->packet_min > 0 && (old == NULL || s->packet_min != before->packet_min)) {
		snprintf(text, sizeof(text), "%" PRId64, s->packet_min);
		append(buf, size, used, "packet>", text);
	}
}
