/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flow graph as text, for --trace-passes:
 *
 *	pass guard: 5 blocks
 *	b0:
 *	  guard 24
 *	  if load2[12] == 0x800 goto b1 else b3
 *
 * A value is written as an expression where that is short, else by its number,
 * and then said above the line that needs it first in the block.
 */
#include "cbpf/opt.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define LINE_SIZE 160
#define MAX_DEPTH 4

struct dump {
	const struct opt *o;
	void (*line)(void *arg, const char *text);
	void *arg;
	char text[LINE_SIZE];
	size_t n;
};

static void
say(struct dump *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void
say(struct dump *d, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(d->text + d->n, sizeof(d->text) - d->n, format, args);
	va_end(args);
	if (n > 0)
		d->n += (size_t)n < sizeof(d->text) - d->n ? (size_t)n : sizeof(d->text) - d->n - 1;
}

static void
end_line(struct dump *d)
{
	d->line(d->arg, d->text);
	d->n = 0;
	d->text[0] = '\0';
}

static const char *const names[] = {
#define O(id, name) name,
	OPT_OPS(O)
#undef O
};

static const char *
sign_of(uint8_t op)
{
	switch ((enum opt_op)op) {
	case OPT_ADD:
		return "+";
	case OPT_SUB:
		return "-";
	case OPT_MUL:
		return "*";
	case OPT_DIV:
		return "/";
	case OPT_MOD:
		return "%";
	case OPT_OR:
		return "|";
	case OPT_AND:
		return "&";
	case OPT_XOR:
		return "^";
	case OPT_LSH:
	case OPT_LSH_OUT:
		return "<<";
	case OPT_RSH:
	case OPT_RSH_OUT:
		return ">>";
	default:
		return NULL;
	}
}

static void say_value(struct dump *d, uint32_t id, unsigned depth);

static void
say_load(struct dump *d, const struct opt_value *v, unsigned depth)
{
	say(d, "%s%" PRIu32 "[", names[v->op], v->size);
	if (v->a != OPT_NONE) {
		say_value(d, v->a, depth + 1);
		say(d, " + ");
	}
	say(d, "%" PRIu32 "]", v->k);
}

/* An expression; what is nested deeper than MAX_DEPTH is named by its number. */
static void
say_value(struct dump *d, uint32_t id, unsigned depth)
{
	const struct opt_value *v = &d->o->values[id];

	if (id == d->o->hlen && id != OPT_NONE && v->op != OPT_CONST) {
		say(d, "caplen");
		return;
	}
	if (depth > MAX_DEPTH) {
		say(d, "v%" PRIu32, id);
		return;
	}
	switch ((enum opt_op)v->op) {
	case OPT_CONST:
		say(d, v->k < 10 ? "%" PRIu32 : "0x%" PRIx32, v->k);
		return;
	case OPT_CONST64:
		say(d, "0x%" PRIx32 "%08" PRIx32, v->b, v->k);
		return;
	case OPT_LOAD:
	case OPT_RAW:
		say_load(d, v, depth);
		return;
	case OPT_FIELD:
		say(d, "field%" PRIu32 "[%" PRIu32 "]", v->size, v->k);
		return;
	case OPT_PHI:
	case OPT_CALL:
	case OPT_FETCH:
		say(d, "%s v%" PRIu32, names[v->op], id);
		return;
	default:
		break;
	}
	if (sign_of(v->op) == NULL) {
		say(d, "%s(", names[v->op]);
		if (v->a != OPT_NONE)
			say_value(d, v->a, depth + 1);
		else
			say(d, "%" PRIu32, v->k);
		say(d, ")");
		return;
	}
	say(d, "(");
	say_value(d, v->a, depth + 1);
	say(d, " %s ", sign_of(v->op));
	say_value(d, v->b, depth + 1);
	say(d, ")");
}

/* Of a call or a fetch, what it is given; elsewhere it is named by its number. */
static void
say_call(struct dump *d, const struct opt_value *v)
{
	if (v->op == OPT_FETCH) {
		say_load(d, v, 0);
		return;
	}
	say(d, "call %" PRIu32 "(", v->k);
	if (v->a != OPT_NONE)
		say_value(d, v->a, 0);
	if (v->b != OPT_NONE) {
		say(d, ", ");
		say_value(d, v->b, 0);
	}
	say(d, ")");
}

static void
dump_effect(struct dump *d, const struct opt_effect *e)
{
	switch ((enum opt_effect_kind)e->kind) {
	case OPT_EFFECT_NONE:
		return;
	case OPT_EFFECT_GUARD:
		say(d, "  guard ");
		if (e->base != OPT_NONE) {
			say_value(d, e->base, 0);
			say(d, " + ");
		}
		say(d, "%" PRIu32, e->n);
		break;
	case OPT_EFFECT_NONZERO:
		say(d, "  nonzero ");
		say_value(d, e->base, 0);
		break;
	case OPT_EFFECT_CALL:
		say(d, "  v%" PRIu32 " = ", e->base);
		say_call(d, &d->o->values[e->base]);
		break;
	}
	end_line(d);
}

/* A block, and what its phis get. */
static void
say_edge(struct dump *d, uint32_t edge)
{
	const struct opt_edge *e = &d->o->edges[edge];
	const struct opt_block *to = &d->o->blocks[e->to];

	say(d, "b%" PRIu32, e->to);
	for (uint32_t i = 0; i < to->n_phis; i++) {
		say(d, "%sv%" PRIu32 " = ", i == 0 ? "(" : ", ", to->phis[i]);
		say_value(d, opt_real(d->o, e->args[i]), 0);
	}
	if (to->n_phis > 0)
		say(d, ")");
}

static const char *
test_sign(uint8_t test)
{
	return test == EBPF_JEQ ? "==" : test == EBPF_JGT ? ">" : test == EBPF_JGE ? ">=" : "&";
}

static void
dump_ranges(struct dump *d, const struct opt_block *b)
{
	uint64_t first = 0;

	for (uint32_t i = 0; i < b->n_ranges; i++) {
		const struct opt_range *r = &b->ranges[i];

		say(d, "    0x%" PRIx64, first);
		if (r->last != first)
			say(d, " ... 0x%" PRIx32, r->last);
		say(d, ": ");
		say_edge(d, b->edges[r->edge]);
		end_line(d);
		first = (uint64_t)r->last + 1;
	}
}

static void
dump_end(struct dump *d, const struct opt_block *b)
{
	switch ((enum opt_end)b->end) {
	case OPT_END_GOTO:
		say(d, "  goto ");
		say_edge(d, b->edges[0]);
		break;
	case OPT_END_IF:
		say(d, "  if ");
		say_value(d, b->a, 0);
		say(d, " %s ", test_sign(b->test));
		say_value(d, b->b, 0);
		say(d, " goto ");
		say_edge(d, b->edges[0]);
		say(d, " else ");
		say_edge(d, b->edges[1]);
		break;
	case OPT_END_SWITCH:
		say(d, "  search ");
		say_value(d, b->a, 0);
		end_line(d);
		dump_ranges(d, b);
		return;
	case OPT_END_RET:
		say(d, "  ret ");
		say_value(d, b->a, 0);
		break;
	}
	end_line(d);
}

void
opt_dump(const struct opt *o, const char *pass, void (*line)(void *arg, const char *text),
	 void *arg)
{
	struct dump d = { .o = o, .line = line, .arg = arg };

	say(&d, "pass %s: %zu blocks", pass, o->n_order);
	end_line(&d);
	for (size_t i = 0; i < o->n_order; i++) {
		const struct opt_block *b = &o->blocks[o->order[i]];

		say(&d, "b%" PRIu32 ":", o->order[i]);
		end_line(&d);
		for (uint32_t j = 0; j < b->n_effects; j++)
			dump_effect(&d, &b->effects[j]);
		dump_end(&d, b);
	}
}
