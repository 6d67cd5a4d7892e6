/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing classic programs in each of their text forms.
 *
 * D, DD and DDD are byte for byte what tcpdump 4.99.3 with libpcap 1.10.3
 * prints, oddities included: a blank behind mnemonics without operand, signed
 * constants in arithmetic, no name for "ldx #len".
 */
#include "config.h"             /* open_memstream() */

#include "cbpf/ancillary.h"
#include "cbpf/insn.h"
#include "ebpf/err.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* Enough for any operand. */
#define OPERAND_SIZE 48

struct printer {
	const struct cbpf_insn *insns;
	size_t n_insns;
	FILE *out;              /* a stream in memory: fails only for lack of that */
	struct ebpf_err *err;
};

/* libpcap prints most of k, and all line numbers, as int. */
static int32_t
as_int(uint32_t k)
{
	return k <= INT32_MAX ? (int32_t)k : -(int32_t)(UINT32_MAX - k) - 1;
}

/* ---- D ---- */

static bool
is_bitwise(uint16_t code)
{
	uint16_t op = code & 0xf0;

	return op == CBPF_OR || op == CBPF_AND || op == CBPF_XOR;
}

static void
format_unknown(const struct cbpf_insn *insn, char text[OPERAND_SIZE])
{
	snprintf(text, OPERAND_SIZE, "0x%x", insn->code);
}

static void
format_absolute(uint32_t k, char text[OPERAND_SIZE])
{
	const struct cbpf_ancillary *ad = cbpf_ancillary_at(k);

	if (ad != NULL)
		snprintf(text, OPERAND_SIZE, "[%s]", ad->listing);
	else
		snprintf(text, OPERAND_SIZE, "[%" PRId32 "]", as_int(k));
}

static void
format_operand(const struct cbpf_insn *insn, enum cbpf_shape shape, uint32_t pc,
	       char text[OPERAND_SIZE])
{
	int32_t k = as_int(insn->k);

	switch (shape) {
	case CBPF_SHAPE_NONE:
	case CBPF_SHAPE_RET_A:
		text[0] = '\0';
		return;
	case CBPF_SHAPE_LEN:
		snprintf(text, OPERAND_SIZE, "#pktlen");
		return;
	case CBPF_SHAPE_MEM:
		snprintf(text, OPERAND_SIZE, "M[%" PRId32 "]", k);
		return;
	case CBPF_SHAPE_ABS:
		format_absolute(insn->k, text);
		return;
	case CBPF_SHAPE_IND:
		snprintf(text, OPERAND_SIZE, "[x + %" PRId32 "]", k);
		return;
	case CBPF_SHAPE_MSH:
		snprintf(text, OPERAND_SIZE, "4*([%" PRId32 "]&0xf)", k);
		return;
	case CBPF_SHAPE_ALU_X:
	case CBPF_SHAPE_JMP_X:
		snprintf(text, OPERAND_SIZE, "x");
		return;
	case CBPF_SHAPE_JA:
		snprintf(text, OPERAND_SIZE, "%" PRId32, as_int(pc + 1 + insn->k));
		return;
	case CBPF_SHAPE_ALU_K:
		if (!is_bitwise(insn->code)) {
			snprintf(text, OPERAND_SIZE, "#%" PRId32, k);
			return;
		}
		break;
	case CBPF_SHAPE_RET_K:
		snprintf(text, OPERAND_SIZE, "#%" PRId32, k);
		return;
	case CBPF_SHAPE_IMM:
	case CBPF_SHAPE_JMP_K:
		break;
	}
	snprintf(text, OPERAND_SIZE, "#0x%" PRIx32, insn->k);
}

static int
print_listing(const struct printer *p)
{
	for (size_t pc = 0; pc < p->n_insns; pc++) {
		const struct cbpf_insn *insn = &p->insns[pc];
		int op = insn->code == (CBPF_LDX | CBPF_LEN) ? -1 : cbpf_op_of(insn->code);
		char text[OPERAND_SIZE];

		if (op < 0)
			format_unknown(insn, text);
		else
			format_operand(insn, (enum cbpf_shape)cbpf_ops[op].shape, (uint32_t)pc,
				       text);
		fprintf(p->out, "(%03zu) %-8s ", pc, op < 0 ? "unimp" : cbpf_ops[op].text);
		if (CBPF_CLASS(insn->code) == CBPF_JMP && (insn->code & 0xf0) != CBPF_JA)
			fprintf(p->out, "%-16s jt %zu\tjf %zu\n", text, pc + 1 + insn->jt,
				pc + 1 + insn->jf);
		else
			fprintf(p->out, "%s\n", text);
	}
	return 0;
}

/* ---- DD, DDD, XT_BPF ---- */

static int
print_c(const struct printer *p)
{
	for (size_t pc = 0; pc < p->n_insns; pc++) {
		const struct cbpf_insn *insn = &p->insns[pc];

		fprintf(p->out, "{ 0x%x, %d, %d, 0x%08" PRIx32 " },\n", insn->code, insn->jt,
			insn->jf, insn->k);
	}
	return 0;
}

static void
print_separated(const struct printer *p, char separator)
{
	fprintf(p->out, "%zu", p->n_insns);
	for (size_t pc = 0; pc < p->n_insns; pc++) {
		const struct cbpf_insn *insn = &p->insns[pc];

		fprintf(p->out, "%c%d %d %d %" PRIu32, separator, insn->code, insn->jt, insn->jf,
			insn->k);
	}
	fputc('\n', p->out);
}

static int
print_decimal(const struct printer *p)
{
	print_separated(p, '\n');
	return 0;
}

static int
print_xt_bpf(const struct printer *p)
{
	print_separated(p, ',');
	return 0;
}

/* ---- BPF_ASM ---- */

/* Targets of jumps, each of which needs a label; -EINVAL: outside the program. */
static int
mark_target(const struct printer *p, size_t pc, uint32_t distance, bool *is_target)
{
	/* Modulo 2^32, as libpcap's backward jumps have it. */
	uint32_t target = (uint32_t)pc + 1 + distance;

	if (target >= p->n_insns)
		return ebpf_err_set(p->err, -EINVAL,
				    "insn %zu: jump to %" PRIu32 ", but the program has %zu", pc,
				    target, p->n_insns);
	is_target[target] = true;
	return 0;
}

static int
mark_targets(const struct printer *p, bool *is_target)
{
	for (size_t pc = 0; pc < p->n_insns; pc++) {
		const struct cbpf_insn *insn = &p->insns[pc];
		int rc = 0;

		if (insn->code == (CBPF_JMP | CBPF_JA))
			rc = mark_target(p, pc, insn->k, is_target);
		else if (CBPF_CLASS(insn->code) == CBPF_JMP &&
			 (rc = mark_target(p, pc, insn->jt, is_target)) == 0)
			rc = mark_target(p, pc, insn->jf, is_target);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static void
print_asm_absolute(const struct printer *p, uint32_t k)
{
	const struct cbpf_ancillary *ad = cbpf_ancillary_at(k);

	if (ad != NULL && ad->assembly != NULL)
		fprintf(p->out, " %s", ad->assembly);
	else if (k <= INT32_MAX)
		fprintf(p->out, " [%" PRIu32 "]", k);
	else
		fprintf(p->out, " [0x%" PRIx32 "]", k);
}

static void
print_asm_operand(const struct printer *p, enum cbpf_shape shape, size_t pc)
{
	const struct cbpf_insn *insn = &p->insns[pc];
	uint32_t k = insn->k;

	switch (shape) {
	case CBPF_SHAPE_NONE:
		return;
	case CBPF_SHAPE_LEN:
		fprintf(p->out, " #len");
		return;
	case CBPF_SHAPE_MEM:
		fprintf(p->out, " M[%" PRIu32 "]", k);
		return;
	case CBPF_SHAPE_ABS:
		print_asm_absolute(p, k);
		return;
	case CBPF_SHAPE_IND:
		fprintf(p->out, " [x + %" PRId32 "]", as_int(k));
		return;
	case CBPF_SHAPE_MSH:
		fprintf(p->out, " 4*([%" PRId32 "]&0xf)", as_int(k));
		return;
	case CBPF_SHAPE_ALU_X:
		fprintf(p->out, " x");
		return;
	case CBPF_SHAPE_RET_A:
		fprintf(p->out, " a");
		return;
	case CBPF_SHAPE_JA:
		fprintf(p->out, " l%" PRIu32, (uint32_t)pc + 1 + k);
		return;
	case CBPF_SHAPE_JMP_K:
		fprintf(p->out, " #0x%" PRIx32 ", l%zu, l%zu", k, pc + 1 + insn->jt,
			pc + 1 + insn->jf);
		return;
	case CBPF_SHAPE_JMP_X:
		fprintf(p->out, " x, l%zu, l%zu", pc + 1 + insn->jt, pc + 1 + insn->jf);
		return;
	case CBPF_SHAPE_ALU_K:
	case CBPF_SHAPE_IMM:
		fprintf(p->out, is_bitwise(insn->code) ? " #0x%" PRIx32 : " #%" PRIu32, k);
		return;
	case CBPF_SHAPE_RET_K:
		fprintf(p->out, " #%" PRIu32, k);
		return;
	}
}

static int
print_asm_insn(const struct printer *p, size_t pc, bool is_target)
{
	int op = cbpf_op_of(p->insns[pc].code);
	char label[24] = "";

	if (is_target)
		snprintf(label, sizeof(label), "l%zu:", pc);
	fprintf(p->out, "%-7s ", label);
	if (op >= 0) {
		fprintf(p->out, "%s", cbpf_ops[op].text);
		print_asm_operand(p, (enum cbpf_shape)cbpf_ops[op].shape, pc);
	} else if (p->insns[pc].code == (CBPF_RET | CBPF_X)) {
		fprintf(p->out, "ret x");
	} else {
		return ebpf_err_set(p->err, -EINVAL,
				    "insn %zu: bpf_asm has no name for code 0x%02x", pc,
				    p->insns[pc].code);
	}
	fputc('\n', p->out);
	return 0;
}

static int
print_assembly(const struct printer *p)
{
	bool *is_target = calloc(p->n_insns + 1, sizeof(*is_target));
	int rc;

	if (is_target == NULL)
		return ebpf_err_set(p->err, -ENOMEM, "out of memory");
	rc = mark_targets(p, is_target);
	for (size_t pc = 0; rc == 0 && pc < p->n_insns; pc++)
		rc = print_asm_insn(p, pc, is_target[pc]);
	free(is_target);
	return rc;
}

/* ---- HEX, RAW ---- */

static void
store_insn(const struct cbpf_insn *insn, uint8_t bytes[8])
{
	bytes[0] = (uint8_t)(insn->code & 0xff);
	bytes[1] = (uint8_t)(insn->code >> 8);
	bytes[2] = insn->jt;
	bytes[3] = insn->jf;
	for (unsigned i = 0; i < 4; i++)
		bytes[4 + i] = (uint8_t)(insn->k >> 8 * i);
}

static int
print_hex(const struct printer *p)
{
	for (size_t pc = 0; pc < p->n_insns; pc++) {
		uint8_t bytes[8];

		store_insn(&p->insns[pc], bytes);
		for (size_t i = 0; i < sizeof(bytes); i++)
			fprintf(p->out, "%02x", bytes[i]);
		fputc('\n', p->out);
	}
	return 0;
}

static int
print_raw(const struct printer *p)
{
	for (size_t pc = 0; pc < p->n_insns; pc++) {
		uint8_t bytes[8];

		store_insn(&p->insns[pc], bytes);
		fwrite(bytes, sizeof(bytes), 1, p->out);
	}
	return 0;
}

static int (*const printers[])(const struct printer *) = {
	[CBPF_FORM_D] = print_listing,
	[CBPF_FORM_DD] = print_c,
	[CBPF_FORM_DDD] = print_decimal,
	[CBPF_FORM_XT_BPF] = print_xt_bpf,
	[CBPF_FORM_BPF_ASM] = print_assembly,
	[CBPF_FORM_HEX] = print_hex,
	[CBPF_FORM_RAW] = print_raw,
};

int
cbpf_print(const struct cbpf_insn *insns, size_t n_insns, enum cbpf_form form, char **text,
	   size_t *len, struct ebpf_err *err)
{
	struct printer p = { .insns = insns, .n_insns = n_insns, .err = err };
	char *buf = NULL;
	size_t n;
	int rc;
	bool is_short;

	if (form == CBPF_FORM_AUTO || (size_t)form >= sizeof(printers) / sizeof(printers[0]))
		return ebpf_err_set(err, -EINVAL, "form %d cannot be written", (int)form);
	if ((p.out = open_memstream(&buf, &n)) == NULL)
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	rc = printers[form](&p);
	is_short = ferror(p.out) != 0;
	if (fclose(p.out) != 0 || is_short)
		rc = ebpf_err_set(err, -ENOMEM, "out of memory");
	if (rc < 0) {
		free(buf);
		return rc;
	}
	*text = buf;
	if (len != NULL)
		*len = n;
	return 0;
}
