/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cbpf2ebpf: translate a classic BPF program to extended BPF, or to another of
 * its own text forms.
 *
 * The output is made in memory first: a file or standard output receives all
 * of it or, if anything was refused, nothing.  The same input and options give
 * the same bytes.
 */
#include "config.h"

#include "tools/cbpf2ebpf_counter.h"
#include "tools/cbpf2ebpf_file.h"
#include "tools/cbpf2ebpf_forms.h"
#include "tools/cbpf2ebpf_kernel.h"
#include "tools/cbpf2ebpf_say.h"

#include <bpfsift/filter.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- input ---- */

/* As tcpdump -F has it: '#' and what follows it on its line is a comment. */
static void
blank_comments(char *text)
{
	for (char *p = strchr(text, '#'); p != NULL; p = strchr(p, '#'))
		while (*p != '\0' && *p != '\n')
			*p++ = ' ';
}

static struct text
read_expression(const struct options *o)
{
	struct text in = read_file(o->in, input_name(o));
	size_t len = strlen(in.at);

	if (len < in.len)
		die("%s: offset %zu: a NUL in the expression", input_name(o), len);
	blank_comments(in.at);
	return in;
}

static struct cbpf_insn *
compile_expression(const struct options *o, size_t *n_insns)
{
	bool has_metadata = o->target == CBPF_TARGET_SOCKET || o->target == CBPF_TARGET_TC;
	unsigned int flags = o->no_pcap_opt ? SIFT_EXPR_NO_OPTIMIZE : 0;
	struct text in = { NULL, 0 };
	struct cbpf_insn *insns;
	struct ebpf_err err;
	int rc;

	if (has_metadata && o->dialect == CBPF_DIALECT_KERNEL)
		flags |= SIFT_EXPR_TAG_APART;
	if (o->expression == NULL)
		in = read_expression(o);
	/* The netmask of no interface is asked for: 0, as with tcpdump -r. */
	rc = sift_expr_compile(in.at != NULL ? in.at : o->expression, o->dlt, o->snaplen, 0, flags,
			       &insns, n_insns, &err);
	free(in.at);
	if (rc < 0)
		die("%s: %s", input_name(o), err.text);
	return insns;
}

static struct cbpf_insn *
read_program(const struct options *o, size_t *n_insns)
{
	struct text in = read_file(o->in, input_name(o));
	struct cbpf_insn *insns;
	struct ebpf_err err;
	int rc = cbpf_read(in.at, in.len, (enum cbpf_form)o->from, &insns, n_insns, &err);

	free(in.at);
	if (rc < 0)
		die("%s: %s", input_name(o), err.text);
	return insns;
}

static struct cbpf_prog *
load(const struct options *o)
{
	size_t n_insns;
	struct cbpf_insn *insns =
		o->from == FROM_EXPR ? compile_expression(o, &n_insns) : read_program(o, &n_insns);
	struct cbpf_prog *prog;
	struct ebpf_err err;
	int rc = cbpf_check(insns, n_insns, o->dialect, &prog, &err);

	free(insns);
	if (rc < 0)
		die("%s: %s", input_name(o), err.text);
	return prog;
}

/* ---- translation ---- */

static void
trace_line(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "%s\n", line);
}

static struct cbpf_lowered
lower(const struct options *o, const struct cbpf_prog *prog)
{
	struct cbpf_lower_opts opts = { .size = sizeof(opts), .cpu = o->cpu, .level = o->level,
					.actions = &o->actions };
	struct cbpf_lowered lowered;
	struct cbpf_net_base base;
	struct ebpf_err err;

	if (o->target == CBPF_TARGET_PACKET)
		opts.layout = sift_packet_layout();
	else if (sift_linktype_net_base(o->dlt, &base) == 0)
		opts.net_base = &base;
	if (o->trace_passes)
		opts.trace = trace_line;
	if (cbpf_lower(prog, o->target, &opts, &lowered, &err) < 0)
		die("%s: %s", input_name(o), err.text);
	return lowered;
}

/* What ended the program leads to its end; there is code of somebody else's behind. */
static void
make_inline(const struct options *o, struct cbpf_lowered *l)
{
	for (size_t pc = 0; pc < l->n_insns; pc++) {
		size_t left = l->n_insns - pc - 1;

		if (l->insns[pc].code != (EBPF_JMP | EBPF_EXIT))
			continue;
		if (left > INT16_MAX)
			die("%s: too long for --inline: %zu instructions", input_name(o),
			    l->n_insns);
		l->insns[pc] = (struct ebpf_insn){ .code = EBPF_JMP | EBPF_JA,
						   .off = (int16_t)left };
	}
}

/*
 * Each instruction in words, by its first slot; NULL for second halves.  The
 * caller frees the array and the one block that the lines are in.
 */
static char **
disassemble(const struct cbpf_lowered *l, char **block)
{
	char **lines = must(calloc(l->n_insns, sizeof(*lines)));
	char *at = *block = must(calloc(l->n_insns, EBPF_DISASM_SIZE));

	for (size_t pc = 0; pc < l->n_insns; at += EBPF_DISASM_SIZE) {
		size_t slots = ebpf_disasm(&l->insns[pc], l->n_insns - pc, at, EBPF_DISASM_SIZE);

		lines[pc] = at;
		pc += slots;
	}
	return lines;
}

/* The listing cut into lines, none with a blank at its end; likewise. */
static char **
list_classic(const struct cbpf_insn *insns, size_t n, char **block)
{
	char **lines = must(calloc(n, sizeof(*lines)));
	struct ebpf_err err;
	char *at;

	if (cbpf_print(insns, n, CBPF_FORM_D, block, NULL, &err) < 0)
		die("%s", err.text);
	at = *block;
	for (size_t pc = 0; pc < n; pc++) {
		char *end = at + strcspn(at, "\n");
		char *next = end + 1;

		while (end > at && end[-1] == ' ')
			end--;
		*end = '\0';
		lines[pc] = at;
		at = next;
	}
	return lines;
}

static void
write_extended(FILE *out, const struct translation *t)
{
	switch ((enum to)t->options->to) {
	case TO_ASM:
		write_asm(out, t);
		return;
	case TO_C:
		if (t->options->function != NULL)
			write_function(out, t);
		else
			write_c(out, t);
		return;
	case TO_HEX:
		write_hex(out, t);
		return;
	case TO_RAW:
		write_raw(out, t);
		return;
	case TO_JSON:
		write_json(out, t);
		return;
	case TO_DOT:
		write_dot(out, t);
		return;
	case TO_ELF:
		write_elf(out, t);
		return;
	}
}

static struct text
print_extended(const struct translation *t)
{
	struct text text = { NULL, 0 };
	FILE *out = must(open_memstream(&text.at, &text.len));
	char *ebpf_block;
	char **ebpf_lines;
	struct translation in_words = *t;
	bool is_short;

	in_words.ebpf_lines = ebpf_lines = disassemble(t->ebpf, &ebpf_block);
	write_extended(out, &in_words);
	is_short = ferror(out) != 0;
	if (fclose(out) != 0 || is_short)
		die("out of memory");
	free(ebpf_lines);
	free(ebpf_block);
	return text;
}

/*
 * Loaded, from another level if the verifier cannot follow this one: level 0 leaves
 * packet bytes to helpers, and with them what there is to follow.
 */
static int
load_into_kernel(struct options *o, const struct cbpf_prog *prog, const struct translation *t,
		 struct cbpf_lowered *lowered)
{
	int fd = kernel_load(t);

	if (fd == -E2BIG && o->level != CBPF_LEVEL_0) {
		o->level = CBPF_LEVEL_0;
		cbpf_lowered_free(lowered);
		*lowered = lower(o, prog);
		printf("the verifier cannot follow so many ways: level 0\n");
		fd = kernel_load(t);
	}
	if (fd == -E2BIG)
		die("%s: the kernel's verifier cannot follow so many ways", input_name(o));
	return fd;
}

/* Nothing is written where only the kernel was to be asked. */
static void
translate(struct options *o, const struct cbpf_prog *prog, struct text *text)
{
	struct cbpf_lowered lowered = lower(o, prog);
	struct translation t = { .options = o, .ebpf = &lowered };
	char *cbpf_block;
	char **cbpf_lines;

	t.cbpf = cbpf_prog_insns(prog, &t.n_cbpf);
	t.cbpf_lines = cbpf_lines = list_classic(t.cbpf, t.n_cbpf, &cbpf_block);
	if (o->counter)
		add_counter(o, &lowered, &t.map_at);
	if (o->in_line)
		make_inline(o, &lowered);
	if (o->load)
		kernel_use(&t, load_into_kernel(o, prog, &t, &lowered));
	if (!o->load || o->has_to || o->out != NULL)
		*text = print_extended(&t);
	free(cbpf_lines);
	free(cbpf_block);
	cbpf_lowered_free(&lowered);
}

static struct text
print_classic(const struct options *o, const struct cbpf_prog *prog)
{
	size_t n;
	const struct cbpf_insn *insns = cbpf_prog_insns(prog, &n);
	struct text text;
	struct ebpf_err err;

	if (cbpf_print(insns, n, (enum cbpf_form)o->to, &text.at, &text.len, &err) < 0)
		die("%s: %s", input_name(o), err.text);
	return text;
}

int
main(int argc, char **argv)
{
	struct options o = parse_options(argc, argv);
	struct text text = { NULL, 0 };
	struct cbpf_prog *prog;

	if (o.detach != NULL) {
		kernel_detach(&o);
		return EXIT_SUCCESS;
	}
	prog = load(&o);
	if (o.to >= TO_ASM)
		translate(&o, prog, &text);
	else
		text = print_classic(&o, prog);
	if (o.out != NULL)
		write_file(o.out, &text);
	else if (text.at != NULL)
		write_stdout(text.at, text.len);
	free(text.at);
	cbpf_prog_free(prog);
	free((char *)(uintptr_t)o.expression);
	return EXIT_SUCCESS;
}
