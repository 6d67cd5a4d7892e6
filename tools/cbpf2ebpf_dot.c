/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flow graph of a program, classic or extended, in Graphviz's language:
 * basic blocks with their instructions, edges by the outcome of the test.
 */
#include "tools/cbpf2ebpf_forms.h"

#include "tools/cbpf2ebpf_say.h"

#include <stdint.h>
#include <stdlib.h>

enum kind {
	FALLS,    /* to the next instruction */
	JUMPS,    /* to on_true */
	BRANCHES, /* to on_true or on_false */
	ENDS,
};

/* What a program does where it ends, as far as the last block shows. */
enum verdict {
	UNKNOWN,
	DROPS,
	KEEPS,
};

struct step {
	enum kind kind;
	bool begins_block;
	size_t on_true, on_false;
	enum verdict verdict; /* of ENDS */
};

struct graph {
	struct step *steps;
	size_t n;
	char *const *lines;
	bool is_numbered; /* lines begin with their number */
};

static const char head[] =
	"digraph filter {\n"
	"\tgraph [rankdir=TB, nodesep=0.5, ranksep=0.45, splines=true, bgcolor=\"white\"];\n"
	"\tnode [shape=box, style=\"rounded,filled\", fillcolor=\"#f4f6f9\", color=\"#51606f\",\n"
	"\t      fontname=\"DejaVu Sans Mono,monospace\", fontsize=10, margin=\"0.16,0.09\"];\n"
	"\tedge [fontname=\"DejaVu Sans,sans-serif\", fontsize=9, color=\"#51606f\",\n"
	"\t      arrowsize=0.7];\n";

/* ---- what each instruction does ---- */

static struct step
classic_step(const struct cbpf_insn *i, size_t pc)
{
	struct step s = { .kind = FALLS };

	if (CBPF_CLASS(i->code) == CBPF_RET) {
		s.kind = ENDS;
		if (i->code == (CBPF_RET | CBPF_K))
			s.verdict = i->k != 0 ? KEEPS : DROPS;
	} else if (i->code == (CBPF_JMP | CBPF_JA)) {
		/* Modulo 2^32, as libpcap's backward jumps have it. */
		s = (struct step){ .kind = JUMPS, .on_true = (uint32_t)(pc + 1 + i->k) };
	} else if (CBPF_CLASS(i->code) == CBPF_JMP) {
		s = (struct step){ .kind = BRANCHES,
				   .on_true = pc + 1 + i->jt,
				   .on_false = pc + 1 + i->jf };
	}
	return s;
}

static size_t
target(size_t pc, int32_t distance)
{
	return (size_t)((int64_t)pc + 1 + distance);
}

static struct step
extended_step(const struct ebpf_insn *i, size_t pc)
{
	uint8_t class = EBPF_CLASS(i->code);
	uint8_t op = i->code & 0xf0;

	if ((class != EBPF_JMP && class != EBPF_JMP32) || op == EBPF_CALL)
		return (struct step){ .kind = FALLS };
	if (op == EBPF_EXIT)
		return (struct step){ .kind = ENDS };
	if (op == EBPF_JA)
		return (struct step){ .kind = JUMPS,
				      .on_true = target(pc, class == EBPF_JMP ? i->off : i->imm) };
	return (struct step){ .kind = BRANCHES, .on_true = target(pc, i->off), .on_false = pc + 1 };
}

/* What r0 was set to just before the end. */
static enum verdict
extended_verdict(const struct ebpf_insn *insns, size_t pc)
{
	const struct ebpf_insn *i = &insns[pc - 1];

	if (i->dst_reg != EBPF_R0 || (i->code != (EBPF_ALU | EBPF_MOV | EBPF_K) &&
				      i->code != (EBPF_ALU64 | EBPF_MOV | EBPF_K)))
		return UNKNOWN;
	return i->imm != 0 ? KEEPS : DROPS;
}

static void
begin_blocks(struct graph *g)
{
	if (g->n > 0)
		g->steps[0].begins_block = true;
	for (size_t pc = 0; pc < g->n; pc++) {
		const struct step *s = &g->steps[pc];

		if (s->kind == FALLS)
			continue;
		if (pc + 1 < g->n)
			g->steps[pc + 1].begins_block = true;
		if (s->kind != ENDS && s->on_true < g->n)
			g->steps[s->on_true].begins_block = true;
		if (s->kind == BRANCHES && s->on_false < g->n)
			g->steps[s->on_false].begins_block = true;
	}
}

static struct graph
classic_graph(const struct translation *t)
{
	struct graph g = { must(calloc(t->n_cbpf, sizeof(*g.steps))), t->n_cbpf, t->cbpf_lines,
			   true };

	for (size_t pc = 0; pc < g.n; pc++)
		g.steps[pc] = classic_step(&t->cbpf[pc], pc);
	begin_blocks(&g);
	return g;
}

static struct graph
extended_graph(const struct translation *t)
{
	const struct ebpf_insn *insns = t->ebpf->insns;
	struct graph g = { must(calloc(t->ebpf->n_insns, sizeof(*g.steps))), t->ebpf->n_insns,
			   t->ebpf_lines, false };

	for (size_t pc = 0; pc < g.n; pc++)
		if (g.lines[pc] != NULL)
			g.steps[pc] = extended_step(&insns[pc], pc);
	begin_blocks(&g);
	for (size_t pc = 1; pc < g.n; pc++)
		if (g.steps[pc].kind == ENDS && !g.steps[pc].begins_block)
			g.steps[pc].verdict = extended_verdict(insns, pc);
	return g;
}

/* ---- drawing ---- */

/* Neither notation has a character that would want escaping. */
static size_t
draw_block(FILE *out, const struct graph *g, size_t pc)
{
	static const char *const looks[] = {
		[UNKNOWN] = "",
		[DROPS] = ", fillcolor=\"#fbe3e1\", color=\"#a8322a\"",
		[KEEPS] = ", fillcolor=\"#e0f2e3\", color=\"#2c7a3d\"",
	};
	size_t first = pc;

	fprintf(out, "\tb%zu [label=\"", first);
	do {
		if (g->lines[pc] == NULL)
			continue;
		if (g->is_numbered)
			fprintf(out, "%s\\l", g->lines[pc]);
		else
			fprintf(out, "%3zu: %s\\l", pc, g->lines[pc]);
	} while (++pc < g->n && !g->steps[pc].begins_block);
	fprintf(out, "\"%s%s];\n", looks[g->steps[pc - 1].verdict],
		first == 0 ? ", penwidth=2" : "");
	return pc;
}

static void
draw_edges(FILE *out, const struct graph *g, size_t first, size_t last)
{
	const struct step *s = &g->steps[last];

	switch (s->kind) {
	case ENDS:
		return;
	case FALLS:
		if (last + 1 < g->n)
			fprintf(out, "\tb%zu -> b%zu;\n", first, last + 1);
		return;
	case JUMPS:
		fprintf(out, "\tb%zu -> b%zu;\n", first, s->on_true);
		return;
	case BRANCHES:
		if (s->on_true == s->on_false) {
			fprintf(out, "\tb%zu -> b%zu;\n", first, s->on_true);
			return;
		}
		fprintf(out,
			"\tb%zu -> b%zu [label=\" true \", color=\"#2c7a3d\", "
			"fontcolor=\"#2c7a3d\"];\n",
			first, s->on_true);
		fprintf(out,
			"\tb%zu -> b%zu [label=\" false \", color=\"#a8322a\", "
			"fontcolor=\"#a8322a\", style=dashed];\n",
			first, s->on_false);
	}
}

void
write_dot(FILE *out, const struct translation *t)
{
	struct graph g = t->options->classic ? classic_graph(t) : extended_graph(t);
	size_t next;

	fputs(head, out);
	for (size_t pc = 0; pc < g.n; pc = next) {
		next = draw_block(out, &g, pc);
		draw_edges(out, &g, pc, next - 1);
	}
	fputs("}\n", out);
	free(g.steps);
}
