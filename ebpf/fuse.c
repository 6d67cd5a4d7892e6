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

/* t = *(p + off); t &= m; t <<= n; u = len; u -= t; if u s< k goto; t += p */
static bool
fits_HLEN(const struct ebpf_decoded *d)
{
	uint8_t t = d[0].dst, u = d[3].dst;

	return t != u && d[1].dst == t && d[2].dst == t && d[4].dst == u && d[4].src == t &&
	       d[5].dst == u && d[6].dst == t;
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

#define fits_GUARDED fits_ONCE
#define fits_LAST fits_ONCE
#define fits_GUARDED_LAST fits_ONCE

static bool
fits_ENTRY_ONCE(const struct ebpf_decoded *d)
{
	return fits_ENTRY(d) && d[2].dst == d[3].src && d[4].dst == d[3].dst;
}

#define fits_ENTRY_TWICE fits_ENTRY_ONCE
#define fits_ENTRY_LAST fits_ENTRY_ONCE

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
#define F(id, family, ...)                                                                         \
	[EBPF_FUSED_##id] = { #id, fits_##family, sizeof((const uint8_t[]) { __VA_ARGS__ }),       \
			      { __VA_ARGS__ } },
#include "ebpf/fused.def"
};

/* A run's row i compares with a constant. */
static bool
compares(const struct ebpf_run *run, size_t i)
{
	return ebpf_ops[run->rows[i]].form == EBPF_FORM_JMP_K;
}

/* Slot i's way to where it branches, and its way on, return constants. */
static bool
is_last(const struct ebpf_decoded *d, const uint8_t *rows, size_t n, size_t i)
{
	size_t to = i + 1 + (size_t)d[i].off;

	return d[i].off > 0 && to + 1 < n && rows[to] == EBPF_OP_MOV32_K &&
	       rows[to + 1] == EBPF_OP_EXIT && d[i + 1].dst == EBPF_R0 && d[to].dst == EBPF_R0;
}

/*
 * What holds for all runs: one that ends with a compare, or with a compare and a
 * result, compares what came before it; the latter is the last on both its ways.
 */
static bool
ends_well(const struct ebpf_run *run, const struct ebpf_decoded *d, const uint8_t *rows, size_t n)
{
	size_t last = run->n - 1u;

	if (last >= 3 && run->rows[last] == EBPF_OP_EXIT && compares(run, last - 2)) {
		last -= 2;
		if (!is_last(d, rows, n, last))
			return false;
	}
	return !compares(run, last) || d[last].dst == d[last - 1].dst;
}

static int
find_run(const struct ebpf_decoded *d, const uint8_t *rows, size_t n)
{
	for (int id = 0; id < EBPF_N_FUSED; id++) {
		const struct ebpf_run *run = &ebpf_runs[id];

		if (run->rows[0] == rows[0] && run->n <= n &&
		    memcmp(run->rows, rows, run->n) == 0 && run->fits(d) &&
		    ends_well(run, d, rows, n))
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
	for (size_t i = 0; i < n; i++) {
		int id = find_run(&code[i], &rows[i], n - i);

		if (id >= 0)
			code[i].label = labels[id];
	}
	link_chains(code, n, labels[EBPF_FUSED_CMP_JEQ]);
}
