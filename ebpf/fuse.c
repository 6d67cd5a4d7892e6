/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Looks for the runs of fused.def, the first that fits at each slot.  A run's
 * rows are compared first, then its family's operands; what a body leaves to
 * its family's test must be asked here.
 */
#include "ebpf/fuse.h"

#include "ebpf/insn.h"

#include <string.h>

/* r = r1, then two loads from it, and two constants. */
static bool
fits_PROLOGUE(const struct ebpf_decoded *d)
{
	return d[1].src == d[0].dst && d[2].src == d[0].dst;
}

/* length = *(r + off); if length < k goto; data = *(r + off) */
static bool
fits_ENTRY(const struct ebpf_decoded *d)
{
	return d[1].dst == d[0].dst;
}

/* Where the optimiser has them: length, data of the frame, and what is compared of it. */
enum { LEN = EBPF_R0, DATA = EBPF_R3, BYTES = EBPF_R4 };

static bool
fits_FRAME(const struct ebpf_decoded *d)
{
	return d[0].src == DATA && d[0].dst == BYTES;
}

/* t = *(p + off); t &= m; t <<= n; u = len; u -= t; if u s< k goto; t += p */
static bool
fits_HLEN(const struct ebpf_decoded *d)
{
	uint8_t t = d[0].dst, u = d[3].dst;

	return t != u && d[1].dst == t && d[2].dst == t && d[4].dst == u && d[4].src == t &&
	       d[5].dst == u && d[6].dst == t;
}

/* The same with u -= t, where u is the length itself. */
static bool
fits_HLEN_SAME(const struct ebpf_decoded *d)
{
	uint8_t t = d[0].dst, u = d[3].dst;

	return t != u && d[1].dst == t && d[2].dst == t && d[3].src == t && d[4].dst == u &&
	       d[5].dst == t;
}

/* Two loads, each compared, before that. */
static bool
are_of_frame(const struct ebpf_decoded *d)
{
	return fits_FRAME(d) && d[1].dst == BYTES && fits_FRAME(d + 2) && d[3].dst == BYTES &&
	       fits_FRAME(d + 4);
}

static bool
fits_TRANSPORT(const struct ebpf_decoded *d)
{
	return are_of_frame(d) && fits_HLEN(d + 4);
}

static bool
fits_HOSTS(const struct ebpf_decoded *d)
{
	return fits_FRAME(d) && d[1].dst == BYTES && d[2].dst == LEN && fits_FRAME(d + 3);
}

static bool
fits_TRANSPORT_SAME(const struct ebpf_decoded *d)
{
	return are_of_frame(d) && fits_HLEN_SAME(d + 4);
}

static bool
fits_TWICE(const struct ebpf_decoded *d)
{
	return d[1].dst == d[0].dst;
}

/* That the last compares what is loaded is asked of all runs. */
static bool
fits_ONCE(const struct ebpf_decoded *d)
{
	(void)d;
	return true;
}

#define fits_PORTS fits_TWICE
#define fits_MASKED fits_TWICE
#define fits_GUARDED fits_ONCE
#define fits_LAST fits_ONCE
#define fits_GUARDED_LAST fits_ONCE

static bool
fits_ENTRY_ONCE(const struct ebpf_decoded *d)
{
	return d[0].src == EBPF_R1 && d[0].dst == LEN && d[1].dst == LEN &&
	       d[2].src == EBPF_R1 && d[2].dst == DATA && fits_FRAME(d + 3) && d[4].dst == BYTES;
}

#define fits_ENTRY_TWICE fits_ENTRY_ONCE

/* Nothing of it is needed any more. */
static bool
fits_ENTRY_LAST(const struct ebpf_decoded *d)
{
	return d[0].src == EBPF_R1 && d[1].dst == d[0].dst && d[0].dst != EBPF_R1 &&
	       d[2].src == EBPF_R1 && d[3].src == d[2].dst && d[4].dst == d[3].dst;
}

/* "if dst >= k goto +2; r0 = k; exit": a guard that returns a constant. */
static bool
is_guard(const struct ebpf_decoded *d)
{
	return d[0].off == 2 && d[1].dst == EBPF_R0;
}

/* From the load at d on, the loaded register goes through n more slots. */
static bool
flows(const struct ebpf_decoded *d, size_t n)
{
	for (size_t i = 1; i <= n; i++) {
		if (d[i].dst != d[0].dst)
			return false;
	}
	return true;
}

static bool
fits_THRICE(const struct ebpf_decoded *d)
{
	return flows(d, 2);
}

#define fits_RANGE fits_THRICE

static bool
fits_GUARDED_RANGE(const struct ebpf_decoded *d)
{
	return flows(d + 1, 2);
}

static bool
fits_ABS_W(const struct ebpf_decoded *d)
{
	return is_guard(d) && flows(d + 3, 1);
}

#define fits_ABS_H fits_ABS_W

static bool
fits_ABS_B(const struct ebpf_decoded *d)
{
	return is_guard(d);
}

static bool
fits_MSH(const struct ebpf_decoded *d)
{
	return is_guard(d) && flows(d + 3, 2);
}

/*
 * t = x; t += k; u = h; u -= t; if u s>= size goto +2; r0 = k; exit; t += data;
 * dst = *(t + off)
 */
static bool
fits_IND_B(const struct ebpf_decoded *d)
{
	uint8_t t = d[0].dst, u = d[2].dst;

	return t != u && d[1].dst == t && d[3].dst == u && d[3].src == t && d[4].dst == u &&
	       is_guard(d + 4) && d[2].src != t && d[7].dst == t && d[7].src != t &&
	       d[7].src != u && d[8].src == t;
}

static bool
fits_IND_W(const struct ebpf_decoded *d)
{
	return fits_IND_B(d) && flows(d + 8, 1);
}

#define fits_IND_H fits_IND_W

/* t = k; if r cond t goto */
static bool
fits_CMP(const struct ebpf_decoded *d)
{
	return d[1].src == d[0].dst && d[1].dst != d[0].dst;
}

static bool
fits_RET(const struct ebpf_decoded *d)
{
	return d[0].dst == EBPF_R0;
}

/* The rows by their short names, as fused.def has them. */
enum {
#define I(id, ...) id = EBPF_OP_##id,
#include "ebpf/insn.def"
};
_Static_assert(EBPF_N_OPS <= UINT8_MAX, "a row fits a byte");

const struct ebpf_run ebpf_runs[EBPF_N_FUSED] = {
#define OUT(slot) (1u << (slot))
#define F(id, family, ...) R(id, family, 0, __VA_ARGS__)
#define R(id, family, outs, ...)                                                                   \
	[EBPF_FUSED_##id] = { #id, fits_##family, outs,                                            \
			      sizeof((const uint8_t[]) { __VA_ARGS__ }), { __VA_ARGS__ } },
#include "ebpf/fused.def"
};

/* A run's row i compares with a constant. */
static bool
compares(const struct ebpf_run *run, size_t i)
{
	return ebpf_ops[run->rows[i]].form == EBPF_FORM_JMP_K;
}

/* Where slot i branches to, a constant is returned. */
static bool
is_out(const struct ebpf_decoded *d, const uint8_t *rows, size_t n, size_t i)
{
	size_t to = i + 1 + (size_t)d[i].off;

	return d[i].off > 0 && to + 1 < n && rows[to] == EBPF_OP_MOV32_K &&
	       rows[to + 1] == EBPF_OP_EXIT && d[to].dst == EBPF_R0;
}

static bool
are_outs(const struct ebpf_run *run, const struct ebpf_decoded *d, const uint8_t *rows, size_t n)
{
	for (size_t i = 0; i < run->n; i++) {
		if ((run->outs >> i & 1) != 0 && !is_out(d, rows, n, i))
			return false;
	}
	return true;
}

/*
 * What holds for all runs: one that ends with a compare, or with a compare and a
 * result, compares what came before it; the latter is the last on both its ways.
 */
static bool
ends_well(const struct ebpf_run *run, const struct ebpf_decoded *d, const uint8_t *rows, size_t n)
{
	size_t last = run->n - 1u;

	if (last >= 2 && run->rows[last] == EBPF_OP_EXIT && compares(run, last - 2)) {
		last -= 2;
		if (!is_out(d, rows, n, last) || d[last + 1].dst != EBPF_R0)
			return false;
	}
	return last == 0 || !compares(run, last) || d[last].dst == d[last - 1].dst;
}

/* The runs that begin with a row, in their order: their numbers plus 1, and 0 behind the last. */
struct index {
	uint16_t first[EBPF_N_OPS + 1]; /* of slots that are no row, none */
	uint16_t next[EBPF_N_FUSED];
};

static void
index_runs(struct index *index)
{
	memset(index->first, 0, sizeof(index->first));
	for (int id = EBPF_N_FUSED - 1; id >= 0; id--) {
		uint16_t *first = &index->first[ebpf_runs[id].rows[0]];

		index->next[id] = *first;
		*first = (uint16_t)(id + 1);
	}
}

static int
find_run(const struct index *index, const struct ebpf_decoded *d, const uint8_t *rows, size_t n)
{
	for (int id = index->first[rows[0]] - 1; id >= 0; id = index->next[id] - 1) {
		const struct ebpf_run *run = &ebpf_runs[id];

		if (run->n <= n && memcmp(run->rows, rows, run->n) == 0 && run->fits(d) &&
		    are_outs(run, d, rows, n) && ends_well(run, d, rows, n))
			return id;
	}
	return -1;
}

/*
 * Consecutive tests for equality on one register are one loop: off, which
 * "t = k" has no use for, counts those that follow.
 */
static void
link_chains(struct ebpf_decoded *code, size_t n, const void *label)
{
	for (size_t i = n; i-- > 0;) {
		const struct ebpf_decoded *next = &code[i + 2];

		if (code[i].label != label || i + 2 >= n || next->label != label ||
		    next[0].dst != code[i].dst || next[1].dst != code[i + 1].dst ||
		    next->off == INT16_MAX)
			continue;
		code[i].off = (int16_t)(next->off + 1);
	}
}

void
ebpf_fuse(struct ebpf_decoded *code, const uint8_t *rows, size_t n, const void *const *labels)
{
	struct index index;

	index_runs(&index);
	for (size_t i = 0; i < n; i++) {
		int id = find_run(&index, &code[i], &rows[i], n - i);

		if (id >= 0)
			code[i].label = labels[id];
	}
	link_chains(code, n, labels[EBPF_FUSED_CMP_JEQ]);
}
