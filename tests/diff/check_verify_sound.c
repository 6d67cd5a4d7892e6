/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the verifier accepts is run, and watched: no access may leave the
 * memory and the stack, no run may last longer than the verifier saw, and at
 * each instruction every live register, and every stack slot whose contents
 * the verifier remembers, holds a value that the verifier said it can hold.
 *
 * The checked interpreter tests the accesses and shows the registers; the fast
 * one runs the same program with memory between two pages that fault, and
 * must agree.
 *
 * As a campaign: make verify-campaign RUNS=n SEED=s.
 */
#include "config.h"

#include "ebpf/verify.h"

#include "ebpf/arith.h"
#include "ebpf/prog.h"
#include "ebpf/verify_flow.h"
#include "ebpf/verify_state.h"
#include "tests/support/ebpf_gen.h"
#include "tests/support/suite.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* More states than that, and a program is run without looking at registers. */
enum { MAX_SEEN = 3000, MAX_STEPS = 200000, MAX_MEM = 256, MAX_SLOTS = 20 };

/* ---- all states that a verification passed through, by instruction ---- */

struct seen {
	struct ebpf_verify_state state;
	struct seen *next;
};

struct history {
	struct seen *by_pc[EBPF_GEN_MAX];
	unsigned n;
	bool is_full;
};

static void
remember(void *arg, size_t pc, const struct ebpf_verify_state *state)
{
	struct history *h = arg;
	struct seen *s;

	if (h->n == MAX_SEEN) {
		h->is_full = true;
		return;
	}
	s = calloc(1, sizeof(*s));
	ck_assert(s != NULL && ebpf_state_copy(&s->state, state));
	s->next = h->by_pc[pc];
	h->by_pc[pc] = s;
	h->n++;
}

static void
forget(struct history *h)
{
	for (size_t pc = 0; pc < EBPF_GEN_MAX; pc++) {
		while (h->by_pc[pc] != NULL) {
			struct seen *s = h->by_pc[pc];

			h->by_pc[pc] = s->next;
			ebpf_state_clear(&s->state);
			free(s);
		}
	}
	h->n = 0;
	h->is_full = false;
}

/* ---- watching a run ---- */

struct watch {
	const struct ebpf_gen_prog *p;
	const struct ebpf_flow *flow;
	const struct history *history;
	uint64_t mem;
	uint64_t before[EBPF_MAX_REG];          /* registers before the current instruction */
	uint64_t slots[MAX_SLOTS];              /* of the running frame, likewise */
	uint64_t fps[EBPF_MAX_FRAMES];
	unsigned n_frames;
	bool has_before;
	uint64_t n_steps;
	uint64_t n_compared;
	size_t bad_pc;
	bool is_bad;
	char why[EBPF_REG_TEXT_SIZE + 64];
};

/* Whether a value is one of those that a register stands for. */
static bool
reg_allows(const struct watch *w, const struct ebpf_reg *r, uint64_t value)
{
	uint64_t base;

	switch ((enum ebpf_reg_kind)r->kind) {
	case EBPF_REG_NONE:
		return true;
	case EBPF_REG_SCALAR:
		return ebpf_scalar_has(&r->var, value);
	case EBPF_REG_MEM:
		base = w->mem;
		break;
	case EBPF_REG_STACK:
		base = w->fps[r->frame];
		break;
	default:        /* kinds that plain memory has not */
		return false;
	}
	return ebpf_scalar_has(&r->var, value - base - (uint64_t)r->off);
}

static void
explain(struct watch *w, const char *what, unsigned n, const struct ebpf_reg *r, uint64_t value)
{
	char text[EBPF_REG_TEXT_SIZE];

	ebpf_reg_text(r, text, sizeof(text));
	snprintf(w->why, sizeof(w->why), "%s%u = 0x%" PRIx64 " is not in (%s)", what, n, value,
		 text);
}

/* Numbers of one name are one number. */
static bool
names_agree(struct watch *w, const struct ebpf_frame *f, uint16_t live)
{
	for (unsigned a = 0; a < EBPF_R10; a++) {
		for (unsigned b = a + 1; b < EBPF_R10; b++) {
			if (f->regs[a].kind == EBPF_REG_SCALAR && f->regs[a].id != 0 &&
			    f->regs[b].kind == EBPF_REG_SCALAR &&
			    f->regs[b].id == f->regs[a].id && (live >> a & 1) != 0 &&
			    (live >> b & 1) != 0 && w->before[a] != w->before[b]) {
				snprintf(w->why, sizeof(w->why),
					 "r%u = 0x%" PRIx64 " and r%u = 0x%" PRIx64
					 " were proven equal", a, w->before[a], b, w->before[b]);
				return false;
			}
		}
	}
	return true;
}

static bool
slots_allow(struct watch *w, const struct ebpf_frame *f)
{
	for (unsigned n = 0; n < f->n_slots && n < MAX_SLOTS; n++) {
		const struct ebpf_slot *slot = &f->slots[n];

		if (slot->n_spilled == 8 && !reg_allows(w, &slot->reg, w->slots[n])) {
			explain(w, "slot", 8 * (n + 1), &slot->reg, w->slots[n]);
			return false;
		}
	}
	return true;
}

static bool
state_allows(struct watch *w, const struct ebpf_verify_state *s, size_t pc)
{
	const struct ebpf_frame *f;
	uint16_t live = w->flow->live[pc];

	if (s->n_frames != w->n_frames)
		return false;
	f = s->frames[s->n_frames - 1];
	for (unsigned r = 0; r < EBPF_MAX_REG; r++) {
		if (r != EBPF_R10 && (live >> r & 1) == 0)
			continue;
		if (!reg_allows(w, &f->regs[r], w->before[r])) {
			explain(w, "r", r, &f->regs[r], w->before[r]);
			return false;
		}
	}
	return names_agree(w, f, live) && slots_allow(w, f);
}

static void
check_before(struct watch *w, size_t pc)
{
	if (!w->has_before || w->history->is_full || w->is_bad)
		return;
	for (const struct seen *s = w->history->by_pc[pc]; s != NULL; s = s->next) {
		if (state_allows(w, &s->state, pc)) {
			w->n_compared++;
			return;
		}
	}
	w->is_bad = true;
	w->bad_pc = pc;
}

static void
watch_step(void *arg, size_t pc, const uint64_t regs[EBPF_MAX_REG])
{
	struct watch *w = arg;
	const struct ebpf_insn *insn = &w->p->insns[pc];

	if (!w->has_before) {
		w->n_frames = 1;
		w->fps[0] = regs[EBPF_R10];
	}
	check_before(w, pc);
	if (insn->code == (EBPF_JMP | EBPF_CALL) && insn->src_reg == 1 &&
	    w->n_frames < EBPF_MAX_FRAMES)
		w->fps[w->n_frames++] = regs[EBPF_R10];
	if (insn->code == (EBPF_JMP | EBPF_EXIT) && w->n_frames > 1)
		w->n_frames--;
	memcpy(w->before, regs, sizeof(w->before));
	for (unsigned n = 0; n < MAX_SLOTS; n++)
		memcpy(&w->slots[n], (const void *)(uintptr_t)(regs[EBPF_R10] - 8 * (n + 1)), 8);
	w->has_before = true;
	w->n_steps++;
}

/* ---- memory between two pages that fault ---- */

struct guarded {
	uint8_t *pages;
	size_t page;
};

static void
guarded_new(struct guarded *g)
{
	g->page = (size_t)sysconf(_SC_PAGESIZE);
	g->pages = mmap(NULL, 3 * g->page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert(g->pages != MAP_FAILED);
	ck_assert_int_eq(mprotect(g->pages + g->page, g->page, PROT_READ | PROT_WRITE), 0);
}

/* size bytes that begin, or end, at a page that faults. */
static uint8_t *
guarded_at(const struct guarded *g, size_t size, bool at_end)
{
	return g->pages + g->page + (at_end ? g->page - size : 0);
}

/* ---- one program ---- */

struct totals {
	uint64_t n_programs, n_accepted, n_runs, n_steps, n_compared, n_unwatched;
	uint64_t n_variable, n_loop, n_call;
};

static void
dump(const struct ebpf_gen_prog *p)
{
	for (size_t pc = 0; pc < p->n; pc++) {
		char line[EBPF_DISASM_SIZE];

		ebpf_disasm(&p->insns[pc], p->n - pc, line, sizeof(line));
		fprintf(stderr, "%4zu: %s\n", pc, line);
	}
}

static void
fail_with(const struct ebpf_gen_prog *p, uint64_t seed, uint32_t mem_size, const char *what)
{
	dump(p);
	ck_abort_msg("seed %" PRIu64 ", memory of %u: %s", seed, mem_size, what);
}

/* The same number with what the host's addresses are taken out: none may be in it. */
static void
run_both(const struct ebpf_gen_prog *p, struct ebpf_prog *checked, struct ebpf_prog *fast,
	 struct watch *w, const struct guarded *g, uint32_t mem_size, uint64_t seed,
	 uint64_t *rng)
{
	uint8_t input[MAX_MEM], after[MAX_MEM];
	uint8_t *mem = guarded_at(g, mem_size, rng_below(rng, 2));
	struct ebpf_run_opts opts = { .size = sizeof(opts), .max_steps = MAX_STEPS,
				      .trace = watch_step, .trace_arg = w };
	struct ebpf_err err = { "" };
	uint64_t r0, r0_fast;

	for (size_t i = 0; i < mem_size; i++)
		input[i] = rng_below(rng, 3) == 0 ? (uint8_t)rng_next(rng)
						  : (uint8_t)(rng_below(rng, 4) * 85);
	memcpy(mem, input, mem_size);
	w->mem = (uintptr_t)mem;
	w->has_before = false;
	w->n_steps = 0;
	if (ebpf_prog_run_checked(checked, mem, mem_size, &opts, &r0, &err) < 0)
		fail_with(p, seed, mem_size, err.text);
	if (w->is_bad) {
		char what[sizeof(w->why) + 64];

		snprintf(what, sizeof(what), "insn %zu: %s", w->bad_pc, w->why);
		fail_with(p, seed, mem_size, what);
	}
	memcpy(after, mem, mem_size);
	memcpy(mem, input, mem_size);
	r0_fast = ebpf_prog_run(fast, (uintptr_t)mem, mem_size);
	if (r0 != r0_fast || memcmp(mem, after, mem_size) != 0)
		fail_with(p, seed, mem_size, "fast and checked interpreter disagree");
}

/* What plain memory is verified as here: strictly, no byte unwritten, no address out. */
static struct ebpf_verify_env
strict_env(uint32_t mem_size)
{
	return (struct ebpf_verify_env){ .mem_size = mem_size, .rfc9669 = true,
					 .max_visited = 20000 };
}

static void
one_program(struct totals *t, const struct guarded *g, uint64_t seed)
{
	static struct history history;
	static struct ebpf_gen_prog p;
	uint64_t rng = seed;
	struct ebpf_gen_opts opts = { .mem_size = 8 * (1 + rng_below(&rng, MAX_MEM / 8)) };
	struct ebpf_verify_env env = strict_env(opts.mem_size);
	struct ebpf_verify_result result;
	struct ebpf_prog *checked, *fast;
	struct ebpf_err err = { "" };
	struct ebpf_flow flow;
	struct watch w = { .p = &p, .flow = &flow, .history = &history };

	ebpf_gen(&p, &opts, &rng);
	t->n_programs++;
	if (ebpf_verify(p.insns, p.n, &env, &result, &err) < 0) {
		if (strncmp(err.text, "insn ", 5) != 0 && strncmp(err.text, "program", 7) != 0)
			fail_with(&p, seed, opts.mem_size, err.text);
		return;
	}
	t->n_accepted++;
	t->n_variable += p.has_variable;
	t->n_loop += result.has_loops;
	t->n_call += result.max_frames > 1;

	env.exact = true;
	env.observe = remember;
	env.observe_arg = &history;
	if (ebpf_verify(p.insns, p.n, &env, NULL, &err) < 0) {
		/* Comparing all numbers takes longer, and may take too long. */
		history.is_full = true;
	}
	t->n_unwatched += history.is_full;
	ck_assert_int_eq(ebpf_flow_make(&flow, p.insns, p.n, &env, &err), 0);
	ck_assert_msg(ebpf_prog_load(ebpf_prog_type_raw(), p.insns, p.n, &checked, &err) == 0,
		      "%s", err.text);
	ck_assert_msg(ebpf_prog_load_trusted(ebpf_prog_type_raw(), p.insns, p.n, NULL, &fast,
					     &err) == 0, "%s", err.text);
	for (unsigned n = 0; n < 4; n++) {
		run_both(&p, checked, fast, &w, g, opts.mem_size, seed, &rng);
		t->n_runs++;
		t->n_steps += w.n_steps;
	}
	t->n_compared += w.n_compared;
	ebpf_prog_put(fast);
	ebpf_prog_put(checked);
	ebpf_flow_free(&flow);
	forget(&history);
}

static uint64_t
wanted_runs(void)
{
	const char *runs = getenv("VERIFY_RUNS");

	return runs != NULL ? strtoull(runs, NULL, 10) : suite_scaled(40000);
}

START_TEST(accepted_programs_stay_within_what_was_proven)
{
	uint64_t rng = suite_seed(20260110), n = wanted_runs();
	struct totals t = { 0 };
	struct guarded g;

	guarded_new(&g);
	while (t.n_runs < n)
		one_program(&t, &g, rng_next(&rng));
	printf("verify: %" PRIu64 " programs, %" PRIu64 " accepted, of them %" PRIu64
	       " with a guarded variable offset, %" PRIu64 " with a loop, %" PRIu64
	       " with a call\n",
	       t.n_programs, t.n_accepted, t.n_variable, t.n_loop, t.n_call);
	printf("verify: %" PRIu64 " runs, %" PRIu64 " instructions, registers compared at %" PRIu64
	       ", %" PRIu64 " programs not watched\n",
	       t.n_runs, t.n_steps, t.n_compared, t.n_unwatched);
	fflush(stdout);
	ck_assert_uint_ge(2 * t.n_variable, t.n_accepted);
	ck_assert_uint_ge(5 * t.n_loop, t.n_accepted);
	ck_assert_uint_ge(5 * t.n_call, t.n_accepted);
	ck_assert_uint_ge(10 * t.n_accepted, t.n_programs);
	ck_assert_uint_le(10 * t.n_unwatched, t.n_accepted);
	munmap(g.pages, 3 * g.page);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("diff/verify_sound");
	TCase *tc = tcase_create("random programs");

	tcase_set_timeout(tc, getenv("VERIFY_RUNS") != NULL ? 0 : 240);
	tcase_add_test(tc, accepted_programs_stay_within_what_was_proven);
	suite_add_tcase(s, tc);
	return s;
}
