/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Text to instructions: each line is held against the template of each row
 * until one takes the whole of it.  No two rows take the same line but for
 * the 64-bit loads of an immediate, told apart by base: "r1 = 5" is a move,
 * "r1 = 0x5" fills two slots.
 */
#include "ebpf/notation.h"

#include "ebpf/err.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What is left of a line. */
struct text {
	const char *at;
	const char *end;
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static void
skip_blanks(struct text *t)
{
	while (t->at < t->end && is_blank(*t->at))
		t->at++;
}

static bool
take(struct text *t, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(t->end - t->at) < len || memcmp(t->at, word, len) != 0)
		return false;
	t->at += len;
	return true;
}

/* The value of a digit in that base; -1: it is none. */
static int
digit_value(char c, unsigned int base)
{
	int v = -1;

	if (is_digit(c))
		v = c - '0';
	else if (c >= 'a' && c <= 'f')
		v = c - 'a' + 10;
	else if (c >= 'A' && c <= 'F')
		v = c - 'A' + 10;
	return v >= 0 && (unsigned int)v < base ? v : -1;
}

/* Digits to a number of 64 bits; none, or too many, are refused. */
static bool
take_digits(struct text *t, unsigned int base, uint64_t *v)
{
	const char *start = t->at;
	int digit;

	*v = 0;
	while (t->at < t->end && (digit = digit_value(*t->at, base)) >= 0) {
		if (*v > (UINT64_MAX - (unsigned int)digit) / base)
			return false;
		*v = *v * base + (unsigned int)digit;
		t->at++;
	}
	return t->at > start;
}

struct number {
	uint64_t magnitude;
	bool is_negative;
	bool is_hex;
};

static bool
take_number(struct text *t, struct number *n)
{
	n->is_negative = take(t, "-");
	n->is_hex = take(t, "0x");
	return take_digits(t, n->is_hex ? 16 : 10, &n->magnitude);
}

/* A number from -min to max to the signed field that it stands for. */
static bool
fits(const struct number *n, uint64_t min, uint64_t max, int64_t *v)
{
	if (n->magnitude > (n->is_negative ? min : max))
		return false;
	*v = n->is_negative ? -(int64_t)n->magnitude : (int64_t)n->magnitude;
	return true;
}

static int32_t
imm_of(int64_t v)
{
	return v > INT32_MAX ? (int32_t)(v - ((int64_t)1 << 32)) : (int32_t)v;
}

static bool
take_register(struct text *t, const char *width, uint8_t *reg)
{
	uint64_t v;

	if (!take(t, width) || !take_digits(t, 10, &v) || v > EBPF_MAX_REG)
		return false;
	*reg = (uint8_t)v;
	return true;
}

/*
 * A signed immediate.  Bit patterns above INT32_MAX only where nothing extends
 * them, and in hexadecimal.
 */
static bool
take_imm(struct text *t, enum ebpf_op row, int32_t *imm)
{
	bool is_pattern_fine = EBPF_CLASS(ebpf_ops[row].code) == EBPF_ALU;
	struct number n;
	int64_t v;

	if (!take_number(t, &n) || (row == EBPF_OP_MOV64_K && n.is_hex) ||
	    !fits(&n, (uint64_t)1 << 31, n.is_hex && is_pattern_fine ? UINT32_MAX : INT32_MAX, &v))
		return false;
	*imm = imm_of(v);
	return true;
}

static bool
take_unsigned_imm(struct text *t, int32_t *imm)
{
	struct number n;
	int64_t v;

	if (!take_number(t, &n) ||
	    !fits(&n, (uint64_t)1 << 31, n.is_hex ? UINT32_MAX : INT32_MAX, &v))
		return false;
	*imm = imm_of(v);
	return true;
}

/* "+5" or "-5", blanks after the sign allowed. */
static bool
take_signed(struct text *t, uint64_t min, uint64_t max, int64_t *v)
{
	struct number n = { 0 };

	if (!take(t, "+")) {
		if (!take(t, "-"))
			return false;
		n.is_negative = true;
	}
	skip_blanks(t);
	n.is_hex = take(t, "0x");
	return take_digits(t, n.is_hex ? 16 : 10, &n.magnitude) && fits(&n, min, max, v);
}

/* "bpf_name#7", "bpf_name", "name", "#7" or "7": the number counts if it is there. */
static bool
take_helper(struct text *t, int32_t *imm)
{
	const char *name;
	size_t len;
	struct number n;
	int64_t v;

	take(t, "bpf_");
	name = t->at;
	while (t->at < t->end && ((*t->at >= 'a' && *t->at <= 'z') || *t->at == '_' ||
				  (t->at > name && is_digit(*t->at))))
		t->at++;
	len = (size_t)(t->at - name);
	if (!take(t, "#") && len > 0) {
		*imm = ebpf_helper_by_name(name, len);
		return *imm >= 0;
	}
	if (!take_number(t, &n) || !fits(&n, (uint64_t)1 << 31, INT32_MAX, &v))
		return false;
	*imm = (int32_t)v;
	return true;
}

static bool
take_field(struct text *t, char letter, enum ebpf_op row, struct ebpf_insn insn[2],
	   unsigned int *seen)
{
	const struct ebpf_op_desc *d = &ebpf_ops[row];
	unsigned int class = EBPF_CLASS(d->code);
	const char *width = class == EBPF_ALU || class == EBPF_JMP32 ? "w" : "r";
	struct number n;
	uint8_t reg;
	uint64_t u;
	int64_t v;

	switch (letter) {
	case 'd':
	case 'D':
		if (!take_register(t, letter == 'd' ? width : "r", &reg) ||
		    (*seen & EBPF_USES_DST && reg != insn->dst_reg))
			return false;
		insn->dst_reg = reg & 0xf;
		*seen |= EBPF_USES_DST;
		return true;
	case 's':
	case 'S':
		if (!take_register(t, letter == 's' ? width : "r", &reg) ||
		    (*seen & EBPF_USES_SRC && reg != insn->src_reg))
			return false;
		insn->src_reg = reg & 0xf;
		*seen |= EBPF_USES_SRC;
		return true;
	case 't':
		return take(t, d->text);
	case 'n':
		return take_digits(t, 10, &u) && u == (uint64_t)d->val;
	case 'z':
		return take(t, ebpf_size_name(d->code));
	case 'y':
		return (d->code & EBPF_DW) != EBPF_DW || take(t, "64");
	case 'i':
		return take_imm(t, row, &insn->imm);
	case 'x':
		return take_unsigned_imm(t, &insn->imm);
	case 'o':
		if (!take_signed(t, (uint64_t)1 << 15, INT16_MAX, &v))
			return false;
		insn->off = (int16_t)v;
		return true;
	case 'j':
		if (!take_signed(t, (uint64_t)1 << 31, INT32_MAX, &v))
			return false;
		insn->imm = (int32_t)v;
		return true;
	case 'h':
		return take_helper(t, &insn->imm);
	case 'q':
		if (!take_number(t, &n) || !n.is_hex || n.is_negative)
			return false;
		insn[0].imm = imm_of((int64_t)(n.magnitude & UINT32_MAX));
		insn[1].imm = imm_of((int64_t)(n.magnitude >> 32));
		return true;
	case 'm':
		return take_imm(t, row, &insn[1].imm);
	}
	return false;
}

/* The line as an instruction of that row; false: it is not one. */
static bool
match(struct text t, enum ebpf_op row, struct ebpf_insn insn[2])
{
	const struct ebpf_op_desc *d = &ebpf_ops[row];
	unsigned int seen = 0;

	memset(insn, 0, 2 * sizeof(*insn));
	for (const char *p = ebpf_notation(row); *p != '\0'; p++) {
		char word[2] = { *p, '\0' };

		if (*p == ' ')
			skip_blanks(&t);
		else if (*p == '%' ? !take_field(&t, *++p, row, insn, &seen) : !take(&t, word))
			return false;
	}
	if (t.at != t.end)
		return false;
	insn->code = d->code;
	if (d->by == EBPF_BY_OFF)
		insn->off = (int16_t)d->val;
	else if (d->by == EBPF_BY_SRC)
		insn->src_reg = (uint8_t)d->val & 0xf;
	else if (d->by == EBPF_BY_IMM)
		insn->imm = d->val;
	return true;
}

/* Past "12:" and "(71)". */
static void
skip_prefix(struct text *t)
{
	struct text p = *t;
	uint64_t v;

	if (take_digits(&p, 10, &v) && take(&p, ":"))
		*t = p;
	skip_blanks(t);
	p = *t;
	if (take(&p, "(") && take_digits(&p, 16, &v) && take(&p, ")"))
		*t = p;
	skip_blanks(t);
}

/* The instruction of a line.  Returns its slots, 0: an empty line, -1: none. */
static int
assemble_line(struct text t, struct ebpf_insn insn[2])
{
	const char *comment = memchr(t.at, ';', (size_t)(t.end - t.at));

	if (comment != NULL)
		t.end = comment;
	skip_blanks(&t);
	while (t.end > t.at && is_blank(t.end[-1]))
		t.end--;
	if (t.at == t.end)
		return 0;
	skip_prefix(&t);
	for (int row = 0; row < EBPF_N_OPS; row++) {
		if (match(t, (enum ebpf_op)row, insn))
			return ebpf_code_is_wide(insn->code) ? 2 : 1;
	}
	return -1;
}

/* A growing program. */
struct program {
	struct ebpf_insn *insns;
	size_t n;
	size_t room;
};

static int
append(struct program *prog, const struct ebpf_insn *insn, size_t n, struct ebpf_err *err)
{
	if (EBPF_MAXINSNS - prog->n < n)
		return ebpf_err_set(err, -E2BIG, "more than %d instructions", EBPF_MAXINSNS);
	if (prog->room - prog->n < n) {
		size_t room = prog->room < 32 ? 64 : prog->room * 2;
		struct ebpf_insn *insns = realloc(prog->insns, room * sizeof(*insns));

		if (insns == NULL)
			return ebpf_err_set(err, -ENOMEM, "out of memory");
		prog->insns = insns;
		prog->room = room;
	}
	memcpy(&prog->insns[prog->n], insn, n * sizeof(*insn));
	prog->n += n;
	return 0;
}

static int
refuse_line(struct text t, struct ebpf_err *err)
{
	skip_blanks(&t);
	while (t.end > t.at && is_blank(t.end[-1]))
		t.end--;
	for (const char *p = t.at; p < t.end; p++) {
		if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
			return ebpf_err_set(err, -EINVAL, "byte 0x%02x is not text",
					    (unsigned char)*p);
	}
	return ebpf_err_set(err, -EINVAL, "not an instruction: %.*s",
			    (int)(t.end - t.at < 80 ? t.end - t.at : 80), t.at);
}

int
ebpf_asm(const char *text, size_t len, struct ebpf_insn **insns, size_t *n_insns,
	 struct ebpf_err *err)
{
	const char *end = text + len;
	struct program prog = { 0 };
	size_t line_no = 0;
	int rc = 0;

	for (const char *at = text; at < end && rc == 0;) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		struct text line = { at, newline != NULL ? newline : end };
		struct ebpf_insn insn[2];
		int n = assemble_line(line, insn);

		line_no++;
		if (n < 0)
			rc = refuse_line(line, err);
		else if (n > 0)
			rc = append(&prog, insn, (size_t)n, err);
		if (rc < 0)
			rc = ebpf_err_prefix(err, rc, "line %zu", line_no);
		at = newline != NULL ? newline + 1 : end;
	}
	if (rc == 0 && prog.n == 0)
		rc = ebpf_err_set(err, -EINVAL, "no instructions");
	if (rc < 0) {
		free(prog.insns);
		return rc;
	}
	*insns = prog.insns;
	*n_insns = prog.n;
	return 0;
}
