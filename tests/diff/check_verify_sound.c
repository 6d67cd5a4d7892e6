/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the verifier accepts is run, and watched: no access may leave the
 * memory and the stack, no run may last longer than the verifier saw, and at
 * each instruction every live register, and every stack slot whose contents
 * the verifier remembers, holds a value that the verifier said it can hold.
 *
 * The checked interpreter tests the accesses and shows the registers; the fast
 * one runs the same program with memory, or context and packet, each between
 * two pages that fault, and must agree.
 *
 * As a campaign: make verify-campaign RUNS=n SEED=s.
 */
#include "config.h"

#include "ebpf/check.h"
#include "ebpf/verify.h"

#include "ebpf/arith.h"
#include "ebpf/helper.h"
#include "ebpf/link.h"
#include "ebpf/map.h"
#include "ebpf/prog.h"
#include "ebpf/prove.h"
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

/* ---- what programs of a context reach ---- */

struct world {
	struct ebpf_prog_type type;
	struct ebpf_helper helpers[3];
	struct ebpf_map *maps[2];
	struct ebpf_link link;
	struct ebpf_verify_env env;
};

#define FIELD(member, k, w)                                                                        \
	{ .off = offsetof(struct ebpf_gen_ctx, member),                                            \
	  .size = sizeof(((struct ebpf_gen_ctx *)0)->member), .kind = EBPF_CTX_##k, .writable = w }

static const struct ebpf_ctx_field fields[] = {
	FIELD(numbers[0], SCALAR, false), FIELD(numbers[1], SCALAR, false),
	FIELD(numbers[2], SCALAR, false), FIELD(numbers[3], SCALAR, false),
	FIELD(numbers[4], SCALAR, true),  FIELD(numbers[5], SCALAR, true),
	FIELD(numbers[6], SCALAR, true),  FIELD(numbers[7], SCALAR, true),
	FIELD(data, PACKET, false),       FIELD(end, PACKET_END, false),
	FIELD(len, PACKET_LEN, false),
};

static uint64_t
helper_sum(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, void *env)
{
	const uint8_t *p = (const uint8_t *)(uintptr_t)r1;
	uint64_t sum = 0;

	(void)r3, (void)r4, (void)r5, (void)env;
	for (uint64_t i = 0; i < r2; i++)
		sum += p[i];
	return sum;
}

static uint64_t
helper_fill(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, void *env)
{
	(void)r4, (void)r5, (void)env;
	memset((void *)(uintptr_t)r1, (int)(uint8_t)r3, r2);
	return 0;
}

static struct ebpf_load_opts
world_opts(const struct world *world)
{
	return (struct ebpf_load_opts){ .size = sizeof(struct ebpf_load_opts),
					.maps = world->maps, .n_maps = N_ELEMS(world->maps),
					.verify = EBPF_VERIFY_NO_LEAKS };
}

static void
world_make(struct world *world)
{
	const struct ebpf_prog_type *raw = ebpf_prog_type_raw();
	struct ebpf_load_opts opts = world_opts(world);
	struct ebpf_err err;

	for (size_t i = 0; i < N_ELEMS(world->maps); i++) {
		struct ebpf_map_opts map = { .size = sizeof(map), .type = EBPF_MAP_ARRAY,
					     .key_size = 4, .value_size = EBPF_GEN_VALUE,
					     .max_entries = i == EBPF_GEN_ARRAY ? EBPF_GEN_ENTRIES
										: 1 };

		ck_assert_int_eq(ebpf_map_new(&map, &world->maps[i], &err), 0);
	}
	world->helpers[0] = raw->helpers[ebpf_helper_index(raw, 1)];
	world->helpers[1] = (struct ebpf_helper){
		.id = EBPF_GEN_SUM, .name = "sum", .fn = helper_sum,
		.args = { EBPF_ARG_MEM_READ, EBPF_ARG_SIZE_OR_ZERO } };
	world->helpers[2] = (struct ebpf_helper){
		.id = EBPF_GEN_FILL, .name = "fill", .fn = helper_fill,
		.args = { EBPF_ARG_MEM_WRITE, EBPF_ARG_SIZE, EBPF_ARG_SCALAR } };
	world->type = (struct ebpf_prog_type){
		.name = "world", .helpers = world->helpers, .n_helpers = N_ELEMS(world->helpers),
		.ctx_fields = fields, .n_ctx_fields = N_ELEMS(fields),
		.ctx_size = sizeof(struct ebpf_gen_ctx), .rfc9669 = true };
	ck_assert_int_eq(ebpf_link_init(&world->link, &world->type, &opts, &err), 0);
	ck_assert_int_eq(ebpf_prove_env(&world->link, NULL, &opts, &world->env, &err), 0);
	world->env.packet_writable = true;
	world->env.max_visited = 20000;
}

static void
world_free(struct world *world)
{
	ebpf_prove_env_free(&world->env);
	ebpf_link_free(&world->link);
	for (size_t i = 0; i < N_ELEMS(world->maps); i++)
		ebpf_map_put(world->maps[i]);
}

/* The values of both maps. */
struct values {
	uint8_t bytes[EBPF_GEN_ENTRIES + 1][EBPF_GEN_VALUE];
};

static uint8_t *
value_at(const struct world *world, uint32_t i)
{
	const struct ebpf_map *map = world->maps[i < EBPF_GEN_ENTRIES ? EBPF_GEN_ARRAY
								      : EBPF_GEN_DIRECT];
	uint32_t key = i % EBPF_GEN_ENTRIES;

	return map->kind.lookup(map->state, &key);
}

static void
read_values(const struct world *world, struct values *to)
{
	for (uint32_t i = 0; i <= EBPF_GEN_ENTRIES; i++)
		memcpy(to->bytes[i], value_at(world, i), EBPF_GEN_VALUE);
}

static void
write_values(const struct world *world, const struct values *from)
{
	for (uint32_t i = 0; i <= EBPF_GEN_ENTRIES; i++)
		memcpy(value_at(world, i), from->bytes[i], EBPF_GEN_VALUE);
}

/* ---- watching a run ---- */

struct watch {
	const struct ebpf_gen_prog *p;
	const struct ebpf_flow *flow;
	const struct history *history;
	const struct world *world;              /* NULL: plain memory */
	uint64_t mem;                           /* R1 at first */
	uint64_t packet, packet_end;
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

/* Whether an address is in one of the values of a map, where a register says. */
static bool
value_allows(const struct watch *w, const struct ebpf_reg *r, uint64_t value)
{
	uint32_t first = r->map == EBPF_GEN_ARRAY ? 0 : EBPF_GEN_ENTRIES;
	uint32_t last = r->map == EBPF_GEN_ARRAY ? EBPF_GEN_ENTRIES - 1 : EBPF_GEN_ENTRIES;

	for (uint32_t i = first; i <= last; i++) {
		uint64_t base = (uintptr_t)value_at(w->world, i);

		if (ebpf_scalar_has(&r->var, value - base - (uint64_t)r->off))
			return true;
	}
	return false;
}

/* Whether a value is one of those that a register stands for. */
static bool
reg_allows(const struct watch *w, const struct ebpf_reg *r, uint64_t value)
{
	uint64_t base;

	if (w->world == NULL && r->kind > EBPF_REG_SCALAR && r->kind != EBPF_REG_MEM &&
	    r->kind != EBPF_REG_STACK)
		return false;   /* kinds that plain memory has not */

	switch ((enum ebpf_reg_kind)r->kind) {
	case EBPF_REG_NONE:
		return true;
	case EBPF_REG_SCALAR:
		return ebpf_scalar_has(&r->var, value);
	case EBPF_REG_MEM:
	case EBPF_REG_CTX:
		base = w->mem;
		break;
	case EBPF_REG_STACK:
		base = w->fps[r->frame];
		break;
	case EBPF_REG_PACKET:
		base = w->packet;
		break;
	case EBPF_REG_PACKET_END:
		return value == w->packet_end;
	case EBPF_REG_MAP:
		return value == (uintptr_t)w->world->maps[r->map];
	case EBPF_REG_MAP_VALUE_OR_NULL:
		return value == 0 || value_allows(w, r, value);
	case EBPF_REG_MAP_VALUE:
		return value_allows(w, r, value);
	default:
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

static void
fill(uint8_t *p, size_t n, uint64_t *rng)
{
	for (size_t i = 0; i < n; i++)
		p[i] = rng_below(rng, 3) == 0 ? (uint8_t)rng_next(rng)
					      : (uint8_t)(rng_below(rng, 4) * 85);
}

/* One program, loaded to be run in both ways. */
struct subject {
	const struct ebpf_gen_prog *p;
	struct ebpf_prog *checked, *fast;
	uint64_t seed;
	uint32_t mem_size;
};

static uint64_t
run_watched(const struct subject *s, struct watch *w, void *mem, size_t len)
{
	struct ebpf_run_opts opts = { .size = sizeof(opts), .max_steps = MAX_STEPS,
				      .trace = watch_step, .trace_arg = w };
	struct ebpf_err err = { "" };
	uint64_t r0;

	w->mem = (uintptr_t)mem;
	w->has_before = false;
	w->n_steps = 0;
	if (ebpf_prog_run_checked(s->checked, mem, len, &opts, &r0, &err) < 0)
		fail_with(s->p, s->seed, s->mem_size, err.text);
	if (w->is_bad) {
		char what[sizeof(w->why) + 64];

		snprintf(what, sizeof(what), "insn %zu: %s", w->bad_pc, w->why);
		fail_with(s->p, s->seed, s->mem_size, what);
	}
	return r0;
}

static void
disagree(const struct subject *s)
{
	fail_with(s->p, s->seed, s->mem_size, "fast and checked interpreter disagree");
}

static void
run_on_memory(const struct subject *s, struct watch *w, const struct guarded *g, uint64_t *rng)
{
	uint8_t input[MAX_MEM], after[MAX_MEM];
	uint8_t *mem = guarded_at(g, s->mem_size, rng_below(rng, 2));
	uint64_t r0;

	fill(input, s->mem_size, rng);
	memcpy(mem, input, s->mem_size);
	r0 = run_watched(s, w, mem, s->mem_size);
	memcpy(after, mem, s->mem_size);
	memcpy(mem, input, s->mem_size);
	if (ebpf_prog_run(s->fast, (uintptr_t)mem, s->mem_size) != r0 ||
	    memcmp(mem, after, s->mem_size) != 0)
		disagree(s);
}

/* The checked run wants all that is reached in one piece: the packet behind the context. */
static void
run_on_packet(const struct subject *s, struct watch *w, const struct guarded g[2], uint64_t *rng)
{
	struct {
		struct ebpf_gen_ctx ctx;
		uint8_t packet[MAX_MEM];
	} block, input;
	uint32_t len = rng_below(rng, rng_below(rng, 2) ? MAX_MEM + 1 : 40);
	struct ebpf_gen_ctx *ctx = (void *)guarded_at(&g[0], sizeof(*ctx), rng_below(rng, 2));
	uint8_t *packet = guarded_at(&g[1], len, rng_below(rng, 2));
	struct values values, after, fast;
	uint64_t r0;

	fill((uint8_t *)&input, sizeof(input), rng);
	fill((uint8_t *)&values, sizeof(values), rng);
	input.ctx.len = len;
	block = input;
	block.ctx.data = block.packet;
	block.ctx.end = block.packet + len;
	w->packet = (uintptr_t)block.ctx.data;
	w->packet_end = (uintptr_t)block.ctx.end;
	write_values(w->world, &values);
	r0 = run_watched(s, w, &block, sizeof(block.ctx) + len);
	read_values(w->world, &after);
	write_values(w->world, &values);
	*ctx = input.ctx;
	ctx->data = packet;
	ctx->end = packet + len;
	memcpy(packet, input.packet, len);
	if (ebpf_prog_run(s->fast, (uintptr_t)ctx, 0) != r0 ||
	    memcmp(ctx->numbers, block.ctx.numbers, sizeof(ctx->numbers)) != 0 ||
	    memcmp(packet, block.packet, len) != 0)
		disagree(s);
	read_values(w->world, &fast);
	if (memcmp(&fast, &after, sizeof(after)) != 0)
		disagree(s);
}

/* What plain memory is verified as here: strictly, no byte unwritten, no address out. */
static struct ebpf_verify_env
strict_env(uint32_t mem_size)
{
	return (struct ebpf_verify_env){ .mem_size = mem_size, .rfc9669 = true,
					 .max_visited = 20000 };
}

static void
load_both(struct subject *s, const struct world *world)
{
	struct ebpf_load_opts opts = { .size = sizeof(opts) };
	const struct ebpf_prog_type *type = ebpf_prog_type_raw();
	struct ebpf_err err = { "" };

	if (world != NULL) {
		opts = world_opts(world);
		type = &world->type;
	}
	ck_assert_msg(ebpf_prog_load_trusted_opts(type, s->p->insns, s->p->n, &opts, NULL,
						  &s->fast, &err) == 0, "%s", err.text);
	if (world != NULL)
		s->checked = ebpf_prog_get(s->fast);
	else
		ck_assert_msg(ebpf_prog_load(type, s->p->insns, s->p->n, &s->checked, &err) == 0,
			      "%s", err.text);
}

static void
one_program(struct totals *t, const struct guarded g[2], const struct world *world, uint64_t seed)
{
	static const struct ebpf_link no_link;
	static struct history history;
	static struct ebpf_gen_prog p;
	uint64_t rng = seed;
	struct ebpf_gen_opts opts = { .mem_size = 8 * (1 + rng_below(&rng, MAX_MEM / 8)) };
	struct ebpf_verify_env env = world != NULL ? world->env : strict_env(opts.mem_size);
	struct subject s = { .p = &p, .seed = seed, .mem_size = opts.mem_size };
	struct ebpf_verify_result result;
	struct ebpf_err err = { "" };
	struct ebpf_flow flow;
	struct watch w = { .p = &p, .flow = &flow, .history = &history, .world = world };

	opts.entry = world != NULL ? EBPF_GEN_PACKET : EBPF_GEN_MEMORY;
	ebpf_gen(&p, &opts, &rng);
	t->n_programs++;
	/* as the loader does; what is wrong may stand where the verifier proves nobody comes */
	if (ebpf_check_form(world != NULL ? &world->type : ebpf_prog_type_raw(), p.insns, p.n,
			    &err) < 0 ||
	    ebpf_link_check(world != NULL ? &world->link : &no_link, p.insns, p.n, &err) < 0 ||
	    ebpf_verify(p.insns, p.n, &env, &result, &err) < 0) {
		if (strncmp(err.text, "insn ", 5) != 0 && strncmp(err.text, "program", 7) != 0)
			fail_with(&p, seed, opts.mem_size, err.text);
		return;
	}
	t->n_accepted++;
	t->n_variable += p.has_variable;
	t->n_loop += result.has_loops;
	t->n_call += result.max_frames > 1 || result.has_helper_calls;

	env.exact = true;
	env.observe = remember;
	env.observe_arg = &history;
	if (ebpf_verify(p.insns, p.n, &env, NULL, &err) < 0) {
		/* Comparing all numbers takes longer, and may take too long. */
		history.is_full = true;
	}
	t->n_unwatched += history.is_full;
	ck_assert_int_eq(ebpf_flow_make(&flow, p.insns, p.n, &env, &err), 0);
	load_both(&s, world);
	for (unsigned n = 0; n < 4; n++) {
		if (world != NULL)
			run_on_packet(&s, &w, g, &rng);
		else
			run_on_memory(&s, &w, g, &rng);
		t->n_runs++;
		t->n_steps += w.n_steps;
	}
	t->n_compared += w.n_compared;
	ebpf_prog_put(s.fast);
	ebpf_prog_put(s.checked);
	ebpf_flow_free(&flow);
	forget(&history);
}

static uint64_t
wanted_runs(void)
{
	const char *runs = getenv("VERIFY_RUNS");

	return runs != NULL ? strtoull(runs, NULL, 10) : suite_scaled(40000);
}

static void
report(const char *entry, const struct totals *t)
{
	printf("verify: %s: %" PRIu64 " programs, %" PRIu64 " accepted, of them %" PRIu64
	       " with a guarded variable offset, %" PRIu64 " with a loop, %" PRIu64
	       " with a call\n",
	       entry, t->n_programs, t->n_accepted, t->n_variable, t->n_loop, t->n_call);
	printf("verify: %s: %" PRIu64 " runs, %" PRIu64 " instructions, registers compared at %"
	       PRIu64 ", %" PRIu64 " programs not watched\n",
	       entry, t->n_runs, t->n_steps, t->n_compared, t->n_unwatched);
	fflush(stdout);
}

/* 0: plain memory; 1: a context with a packet, maps and helpers. */
START_TEST(accepted_programs_stay_within_what_was_proven)
{
	static const char *const entries[] = { "memory", "packet" };
	uint64_t rng = suite_seed(20260110), n = wanted_runs() / N_ELEMS(entries);
	struct totals t = { 0 };
	struct guarded g[2];
	struct world world;

	for (size_t i = 0; i < N_ELEMS(g); i++)
		guarded_new(&g[i]);
	world_make(&world);
	while (t.n_runs < n) {
		one_program(&t, g, _i == 1 ? &world : NULL, rng_next(&rng));
		if (t.n_programs % 1000000 == 0)
			report(entries[_i], &t);
	}
	report(entries[_i], &t);
	/* of few programs chance may make all sorts of shares */
	if (t.n_accepted >= 1000) {
		ck_assert_uint_ge(2 * t.n_variable, t.n_accepted);
		ck_assert_uint_ge(5 * t.n_loop, t.n_accepted);
		ck_assert_uint_ge(5 * t.n_call, t.n_accepted);
		ck_assert_uint_ge(10 * t.n_accepted, t.n_programs);
		ck_assert_uint_le(10 * t.n_unwatched, t.n_accepted);
	}
	world_free(&world);
	for (size_t i = 0; i < N_ELEMS(g); i++)
		munmap(g[i].pages, 3 * g[i].page);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("diff/verify_sound");
	TCase *tc = tcase_create("random programs");

	tcase_set_timeout(tc, getenv("VERIFY_RUNS") != NULL ? 0 : 240);
	tcase_add_loop_test(tc, accepted_programs_stay_within_what_was_proven, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}
