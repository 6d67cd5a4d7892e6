/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The buffer grows by doubling.  emit_link() first tries plain 16-bit offsets;
 * what it does where those do not reach stands at link_far().
 */
#include "cbpf/emit.h"

#include "ebpf/err.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void
emit_init(struct emit *e, size_t n_labels)
{
	memset(e, 0, sizeof(*e));
	e->origin = EMIT_NO_ORIGIN;
	e->n_labels = n_labels;
	e->label_at = calloc(n_labels, sizeof(*e->label_at));
	if (e->label_at == NULL)
		e->failed = -ENOMEM;
}

void
emit_fini(struct emit *e)
{
	free(e->slots);
	free(e->label_at);
}

static bool
make_room(struct emit *e)
{
	size_t cap = e->cap > 0 ? 2 * e->cap : 64;
	struct emit_slot *slots;

	if (e->failed != 0)
		return false;
	if (e->n < e->cap)
		return true;
	if (e->n >= EBPF_MAXINSNS) {
		e->failed = -E2BIG;
		return false;
	}
	slots = realloc(e->slots, cap * sizeof(*slots));
	if (slots == NULL) {
		e->failed = -ENOMEM;
		return false;
	}
	e->slots = slots;
	e->cap = cap;
	return true;
}

void
emit_jump(struct emit *e, struct ebpf_insn insn, uint32_t label)
{
	if (make_room(e))
		e->slots[e->n++] = (struct emit_slot) { insn, label, e->origin };
}

void
emit(struct emit *e, struct ebpf_insn insn)
{
	emit_jump(e, insn, EMIT_NO_LABEL);
}

void
emit_land(struct emit *e, size_t jump)
{
	if (e->failed == 0)
		e->slots[jump].insn.off = (int16_t)(e->n - jump - 1);
}

void
emit_label(struct emit *e, uint32_t label)
{
	if (e->failed == 0)
		e->label_at[label] = (uint32_t)e->n;
}

static bool
fits_s16(int64_t off)
{
	return off >= INT16_MIN && off <= INT16_MAX;
}

static bool
is_ja(const struct ebpf_insn *insn)
{
	return insn->code == (EBPF_JMP | EBPF_JA);
}

static int
out_of_memory(struct ebpf_err *err)
{
	return ebpf_err_set(err, -ENOMEM, "out of memory");
}

static int
too_long(struct ebpf_err *err)
{
	return ebpf_err_set(err, -E2BIG, "the lowered program has more than %d instructions",
			    EBPF_MAXINSNS);
}

/* ---- trampolines ----
 *
 * Below v4 a jump reaches 32,767 slots.  Pools of trampolines stand between
 * classic instructions, at least POOL_DISTANCE slots apart:
 *
 *	goto +n         what falls into the pool goes round it
 *	goto label 1    n trampolines
 *	...
 *
 * A jump that cannot reach its label goes to a trampoline for it in the
 * farthest pool on the way that it can reach; that trampoline is such a jump
 * itself.  Adding trampolines moves code, which may put further labels out of
 * reach, so routes are looked for again till none is added.  Trampolines are
 * never taken away, so this ends.
 */

#define POOL_DISTANCE 8192

struct pool {
	size_t at;              /* slot of the buffer before which it stands */
	uint32_t *labels;       /* where its trampolines go */
	size_t n, cap;
	size_t start;           /* slot in the layout */
};

/* Trampolines by pool and label: open addressing, pool + 1 so that 0 is free. */
struct index_entry {
	uint32_t pool, label, slot;
};

struct far {
	const struct emit *e;
	struct pool *pools;
	size_t n_pools, pools_cap;
	struct index_entry *index;
	size_t n_index, index_cap;
};

static void
far_fini(struct far *f)
{
	for (size_t i = 0; i < f->n_pools; i++)
		free(f->pools[i].labels);
	free(f->pools);
	free(f->index);
}

/* Pools go where a classic instruction begins, so no expansion is torn. */
static int
place_pools(struct far *f)
{
	const struct emit *e = f->e;
	size_t last = 0;

	f->pools_cap = e->n / POOL_DISTANCE + 1;
	f->pools = calloc(f->pools_cap, sizeof(*f->pools));
	if (f->pools == NULL)
		return -ENOMEM;
	for (size_t i = 1; i < e->n; i++) {
		if (i - last < POOL_DISTANCE || e->slots[i].origin == e->slots[i - 1].origin)
			continue;
		f->pools[f->n_pools++].at = i;
		last = i;
	}
	return 0;
}

static size_t
pool_size(const struct pool *p)
{
	return p->n > 0 ? p->n + 1 : 0;
}

static void
lay_out(struct far *f)
{
	size_t added = 0;

	for (size_t i = 0; i < f->n_pools; i++) {
		f->pools[i].start = f->pools[i].at + added;
		added += pool_size(&f->pools[i]);
	}
}

/* Pools that stand before or at a slot of the buffer. */
static size_t
pools_up_to(const struct far *f, size_t slot)
{
	size_t lo = 0, hi = f->n_pools;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (f->pools[mid].at <= slot)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Where a slot of the buffer stands in the layout. */
static size_t
moved(const struct far *f, size_t slot)
{
	size_t n = pools_up_to(f, slot);
	const struct pool *last;

	if (n == 0)
		return slot;
	last = &f->pools[n - 1];
	return slot - last->at + last->start + pool_size(last);
}

static struct index_entry *
index_find(struct index_entry *index, size_t cap, uint32_t pool, uint32_t label)
{
	size_t i = (pool * 0x9e3779b1u ^ label * 0x85ebca6bu) & (cap - 1);

	while (index[i].pool != 0 && (index[i].pool != pool + 1 || index[i].label != label))
		i = (i + 1) & (cap - 1);
	return &index[i];
}

static int
index_grow(struct far *f)
{
	size_t cap = f->index_cap > 0 ? 2 * f->index_cap : 64;
	struct index_entry *index;

	if (2 * (f->n_index + 1) <= f->index_cap)
		return 0;
	index = calloc(cap, sizeof(*index));
	if (index == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < f->index_cap; i++) {
		if (f->index[i].pool != 0)
			*index_find(index, cap, f->index[i].pool - 1, f->index[i].label) =
				f->index[i];
	}
	free(f->index);
	f->index = index;
	f->index_cap = cap;
	return 0;
}

/*
 * The trampoline for a label in a pool, made if there is none: its slot in
 * the pool, or a negative errno code.
 */
static int64_t
trampoline(struct far *f, size_t pool, uint32_t label, bool *added)
{
	struct pool *p = &f->pools[pool];
	struct index_entry *entry;
	int rc = index_grow(f);

	if (rc < 0)
		return rc;
	entry = index_find(f->index, f->index_cap, (uint32_t)pool, label);
	if (entry->pool != 0)
		return entry->slot;
	if (p->n == p->cap) {
		size_t cap = p->cap > 0 ? 2 * p->cap : 16;
		uint32_t *labels = realloc(p->labels, cap * sizeof(*labels));

		if (labels == NULL)
			return -ENOMEM;
		p->labels = labels;
		p->cap = cap;
	}
	*entry = (struct index_entry) { (uint32_t)pool + 1, label, (uint32_t)p->n };
	f->n_index++;
	p->labels[p->n] = label;
	*added = true;
	return (int64_t)p->n++;
}

/*
 * The offset that a jump at slot `from` of the layout needs to get to a label,
 * over a trampoline where it must.  -E2BIG: no pool is in reach either.
 */
static int
route(struct far *f, size_t from, uint32_t label, int16_t *off, bool *added)
{
	size_t target = moved(f, f->e->label_at[label]);
	int64_t distance = (int64_t)target - (int64_t)from - 1;
	bool forward = distance > 0;
	int64_t best = 0;
	bool found = false;

	if (fits_s16(distance)) {
		*off = (int16_t)distance;
		return 0;
	}
	for (size_t i = 0; i < f->n_pools; i++) {
		/* scanned from the far end, so that the first in reach is the farthest */
		size_t pool = forward ? f->n_pools - 1 - i : i;
		const struct pool *p = &f->pools[pool];
		int64_t to_pool = (int64_t)p->start - (int64_t)from;
		int64_t slot;

		if (forward ? (p->start <= from || p->start >= target)
			    : (p->start + pool_size(p) > from || p->start <= target))
			continue;
		/* a new trampoline comes last in its pool */
		if (!fits_s16(to_pool) || !fits_s16(to_pool + (int64_t)p->n + 1))
			continue;
		slot = trampoline(f, pool, label, added);
		if (slot < 0)
			return (int)slot;
		best = to_pool + slot;
		found = true;
		break;
	}
	if (!found)
		return -E2BIG;
	*off = (int16_t)best;
	return 0;
}

/* Route every jump, trampolines included, till none is added. */
static int
route_all(struct far *f, int16_t *offs)
{
	const struct emit *e = f->e;
	bool added = true;
	int16_t ignored;
	int rc = 0;

	while (added && rc == 0) {
		added = false;
		lay_out(f);
		for (size_t i = 0; i < e->n && rc == 0; i++) {
			if (e->slots[i].label != EMIT_NO_LABEL)
				rc = route(f, moved(f, i), e->slots[i].label, &offs[i], &added);
		}
		for (size_t i = 0; i < f->n_pools && rc == 0; i++) {
			for (size_t j = 0; j < f->pools[i].n && rc == 0; j++)
				rc = route(f, f->pools[i].start + 1 + j, f->pools[i].labels[j],
					   &ignored, &added);
		}
	}
	return rc;
}

static void
put(struct cbpf_lowered *out, struct ebpf_insn insn, uint32_t origin)
{
	out->insns[out->n_insns] = insn;
	out->origin[out->n_insns] = origin;
	out->n_insns++;
}

static void
write_pool(struct far *f, size_t pool, struct cbpf_lowered *out)
{
	const struct pool *p = &f->pools[pool];
	bool added = false;
	int16_t off = 0;

	if (p->n == 0)
		return;
	put(out, insn_ja((int16_t)p->n), EMIT_NO_ORIGIN);
	for (size_t j = 0; j < p->n; j++) {
		/* routed before, in the same layout: cannot fail or add */
		route(f, p->start + 1 + j, p->labels[j], &off, &added);
		put(out, insn_ja(off), EMIT_NO_ORIGIN);
	}
}

static int
allocate(struct cbpf_lowered *out, size_t n)
{
	struct cbpf_lowered made = {
		.insns = calloc(n, sizeof(*made.insns)),
		.origin = calloc(n, sizeof(*made.origin)),
	};

	if (made.insns == NULL || made.origin == NULL) {
		cbpf_lowered_free(&made);
		return -ENOMEM;
	}
	*out = made;
	return 0;
}

static int
link_far(struct emit *e, struct cbpf_lowered *out, struct ebpf_err *err)
{
	struct far f = { .e = e };
	int16_t *offs = calloc(e->n, sizeof(*offs));
	size_t total = e->n, pool = 0;
	int rc = offs == NULL ? -ENOMEM : place_pools(&f);

	if (rc == 0)
		rc = route_all(&f, offs);
	for (size_t i = 0; i < f.n_pools; i++)
		total += pool_size(&f.pools[i]);
	if (rc == 0 && total > EBPF_MAXINSNS)
		rc = -E2BIG;
	if (rc == 0)
		rc = allocate(out, total);
	if (rc == 0) {
		for (size_t i = 0; i < e->n; i++) {
			if (pool < f.n_pools && f.pools[pool].at == i)
				write_pool(&f, pool++, out);
			if (e->slots[i].label != EMIT_NO_LABEL)
				e->slots[i].insn.off = offs[i];
			put(out, e->slots[i].insn, e->slots[i].origin);
		}
	}
	far_fini(&f);
	free(offs);
	if (rc == -E2BIG)
		return ebpf_err_set(err, rc, "the lowered program is too long for 16-bit jumps");
	return rc < 0 ? out_of_memory(err) : 0;
}

/* Whether plain offsets reach everything, gotol taken where cpu has it. */
static bool
resolve_near(struct emit *e, enum cbpf_cpu cpu)
{
	for (size_t i = 0; i < e->n; i++) {
		struct emit_slot *s = &e->slots[i];
		int64_t distance;

		if (s->label == EMIT_NO_LABEL)
			continue;
		distance = (int64_t)e->label_at[s->label] - (int64_t)i - 1;
		if (fits_s16(distance)) {
			s->insn.off = (int16_t)distance;
		} else if (cpu >= CBPF_CPU_V4 && is_ja(&s->insn)) {
			s->insn = (struct ebpf_insn) { .code = EBPF_JMP32 | EBPF_JA,
						       .imm = (int32_t)distance };
		} else {
			return false;
		}
	}
	return true;
}

int
emit_link(struct emit *e, enum cbpf_cpu cpu, struct cbpf_lowered *out, struct ebpf_err *err)
{
	if (e->failed == -E2BIG)
		return too_long(err);
	if (e->failed != 0)
		return out_of_memory(err);
	if (!resolve_near(e, cpu))
		return link_far(e, out, err);
	if (allocate(out, e->n) < 0)
		return out_of_memory(err);
	for (size_t i = 0; i < e->n; i++)
		put(out, e->slots[i].insn, e->slots[i].origin);
	return 0;
}
