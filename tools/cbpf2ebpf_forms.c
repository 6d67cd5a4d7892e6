/* SPDX-License-Identifier: BSD-2-Clause */
/* Extended programs as assembly, a C array, bytes, and JSON. */
#include "tools/cbpf2ebpf_forms.h"

#include <inttypes.h>
#include <string.h>

int
stack_bytes(const struct cbpf_lowered *lowered)
{
	int bytes = 0;

	for (size_t pc = 0; pc < lowered->n_insns; pc++) {
		const struct ebpf_insn *i = &lowered->insns[pc];
		uint8_t class = EBPF_CLASS(i->code);

		if ((class == EBPF_ST || class == EBPF_STX) && i->dst_reg == EBPF_R10 &&
		    -i->off > bytes)
			bytes = -i->off;
		/* an address on the stack: r3 = r10; r3 += -72 */
		if (i->code == (EBPF_ALU64 | EBPF_ADD | EBPF_K) && pc > 0 &&
		    i[-1].src_reg == EBPF_R10 && -i->imm > bytes)
			bytes = -i->imm;
	}
	return bytes;
}

/* The widest line, at most what still leaves room for the classic one. */
static int
left_width(const struct translation *t)
{
	size_t width = 0;

	for (size_t pc = 0; pc < t->ebpf->n_insns; pc++) {
		size_t len = t->ebpf_lines[pc] != NULL ? strlen(t->ebpf_lines[pc]) : 0;

		if (len > width)
			width = len;
	}
	return width < 48 ? (int)width : 48;
}

/* The classic instruction stands where the first that came from it does; ebpf_asm() reads it. */
static void
write_side_by_side(FILE *out, const struct translation *t)
{
	int width = left_width(t);
	uint32_t before = UINT32_MAX;

	for (size_t pc = 0; pc < t->ebpf->n_insns; pc++) {
		uint32_t origin = t->ebpf->origin[pc];

		if (t->ebpf_lines[pc] == NULL)
			continue;
		if (origin == UINT32_MAX)
			fprintf(out, "%4zu: %s\n", pc, t->ebpf_lines[pc]);
		else if (origin == before)
			fprintf(out, "%4zu: %-*s ;\n", pc, width, t->ebpf_lines[pc]);
		else
			fprintf(out, "%4zu: %-*s ; %s\n", pc, width, t->ebpf_lines[pc],
				t->cbpf_lines[origin]);
		before = origin;
	}
}

void
write_asm(FILE *out, const struct translation *t)
{
	if (t->options->side_by_side) {
		write_side_by_side(out, t);
		return;
	}
	for (size_t pc = 0; pc < t->ebpf->n_insns; pc++)
		if (t->ebpf_lines[pc] != NULL)
			fprintf(out, "%4zu: %s\n", pc, t->ebpf_lines[pc]);
}

void
write_c(FILE *out, const struct translation *t)
{
	const struct cbpf_lowered *l = t->ebpf;

	fprintf(out, "/* struct bpf_insn is that of <linux/bpf.h> */\n"
		     "static const struct bpf_insn program[] = {\n");
	for (size_t pc = 0; pc < l->n_insns; pc++) {
		const struct ebpf_insn *i = &l->insns[pc];

		fprintf(out,
			"\t{ .code = 0x%02x, .dst_reg = %u, .src_reg = %u, .off = %d, "
			".imm = %" PRId32 " },",
			i->code, i->dst_reg, i->src_reg, i->off, i->imm);
		if (t->ebpf_lines[pc] != NULL)
			fprintf(out, " /* %zu: %s */", pc, t->ebpf_lines[pc]);
		fputc('\n', out);
	}
	fprintf(out, "};\n");
}

/* Memory order of a little-endian machine (RFC 9669, section 3.1). */
static void
store_insn(const struct ebpf_insn *insn, uint8_t bytes[8])
{
	uint16_t off = (uint16_t)insn->off;
	uint32_t imm = (uint32_t)insn->imm;

	bytes[0] = insn->code;
	bytes[1] = (uint8_t)(insn->dst_reg | insn->src_reg << 4);
	bytes[2] = (uint8_t)(off & 0xff);
	bytes[3] = (uint8_t)(off >> 8);
	for (unsigned int i = 0; i < 4; i++)
		bytes[4 + i] = (uint8_t)(imm >> 8 * i);
}

void
write_hex(FILE *out, const struct translation *t)
{
	const struct cbpf_lowered *l = t->ebpf;

	for (size_t pc = 0; pc < l->n_insns; pc++) {
		uint8_t bytes[8];

		store_insn(&l->insns[pc], bytes);
		for (size_t i = 0; i < sizeof(bytes); i++)
			fprintf(out, "%02x", bytes[i]);
		fputc('\n', out);
	}
}

void
write_raw(FILE *out, const struct translation *t)
{
	const struct cbpf_lowered *l = t->ebpf;

	for (size_t pc = 0; pc < l->n_insns; pc++) {
		uint8_t bytes[8];

		store_insn(&l->insns[pc], bytes);
		fwrite(bytes, sizeof(bytes), 1, out);
	}
}

static void
write_json_insn(FILE *out, const struct cbpf_lowered *l, size_t pc, const char *line)
{
	const struct ebpf_insn *i = &l->insns[pc];

	fprintf(out,
		"    { \"code\": %u, \"dst_reg\": %u, \"src_reg\": %u, \"off\": %d, "
		"\"imm\": %" PRId32 ", ",
		i->code, i->dst_reg, i->src_reg, i->off, i->imm);
	if (l->origin[pc] != UINT32_MAX)
		fprintf(out, "\"origin\": %" PRIu32 ", ", l->origin[pc]);
	else
		fprintf(out, "\"origin\": null, ");
	/* The notation has no character that JSON would want escaped. */
	if (line != NULL)
		fprintf(out, "\"asm\": \"%s\" }", line);
	else
		fprintf(out, "\"asm\": null }");
}

/* cbpf2ebpf(1) has the schema. */
void
write_json(FILE *out, const struct translation *t)
{
	const struct options *o = t->options;
	size_t n = t->ebpf->n_insns;

	fprintf(out, "{\n  \"dialect\": \"%s\",\n  \"target\": \"%s\",\n  \"cpu\": \"%s\",\n",
		dialect_name(o->dialect), target_name(o->target), cpu_name(o->cpu));
	fprintf(out, "  \"cbpf\": [\n");
	for (size_t pc = 0; pc < t->n_cbpf; pc++)
		fprintf(out, "    { \"code\": %u, \"jt\": %u, \"jf\": %u, \"k\": %" PRIu32 " }%s\n",
			t->cbpf[pc].code, t->cbpf[pc].jt, t->cbpf[pc].jf, t->cbpf[pc].k,
			pc + 1 < t->n_cbpf ? "," : "");
	fprintf(out, "  ],\n  \"ebpf\": [\n");
	for (size_t pc = 0; pc < n; pc++) {
		write_json_insn(out, t->ebpf, pc, t->ebpf_lines[pc]);
		fprintf(out, "%s\n", pc + 1 < n ? "," : "");
	}
	fprintf(out, "  ]\n}\n");
}
