/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading classic programs from any text form: which form it is, and the call
 * of that form's reader.  Only the form is looked at here; whether the program
 * makes sense is for cbpf_check() to say.
 */
#include "cbpf/read.h"

#include "ebpf/err.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int (*const readers[])(struct cbpf_scan *, struct cbpf_vec *) = {
	[CBPF_FORM_D] = cbpf_read_listing,
	[CBPF_FORM_DD] = cbpf_read_c,
	[CBPF_FORM_DDD] = cbpf_read_decimal,
	[CBPF_FORM_XT_BPF] = cbpf_read_xt_bpf,
	[CBPF_FORM_BPF_ASM] = cbpf_read_assembly,
	[CBPF_FORM_HEX] = cbpf_read_hex,
	[CBPF_FORM_RAW] = cbpf_read_raw,
};

/* A control character that text does not have; each known code has a 0. */
static bool
is_binary(const struct cbpf_scan *s)
{
	for (const char *p = s->at; p < s->end; p++) {
		unsigned char c = (unsigned char)*p;

		if (c == 0x7f || (c < ' ' && (c < '\t' || c > '\r')))
			return true;
	}
	return false;
}

static bool
is_all_hex(const struct cbpf_scan *s)
{
	static const char set[] = "0123456789abcdefABCDEF \t\n\v\f\r";

	for (const char *p = s->at; p < s->end; p++)
		if (*p == '\0' || strchr(set, *p) == NULL)
			return false;
	return true;
}

/*
 * A text that begins with a digit.  A count stands alone on its line (-ddd) or
 * before a comma, and has few digits; hex digits come in groups of eight or,
 * for single bytes, with more of them on the line.
 */
static enum cbpf_form
form_of_digits(struct cbpf_scan s)
{
	const char *begin = s.at;

	while (s.at < s.end && *s.at >= '0' && *s.at <= '9')
		s.at++;
	cbpf_skip_in_line(&s);
	if (s.at < s.end && *s.at == ',')
		return CBPF_FORM_XT_BPF;
	if (s.at - begin < 8 && (s.at == s.end || *s.at == '\n'))
		return CBPF_FORM_DDD;
	s.at = begin;
	return is_all_hex(&s) ? CBPF_FORM_HEX : CBPF_FORM_DDD;
}

static bool
is_c_word(struct cbpf_word word)
{
	return cbpf_word_is(word, "BPF_STMT") || cbpf_word_is(word, "BPF_JUMP") ||
	       cbpf_word_is(word, "static") || cbpf_word_is(word, "const") ||
	       cbpf_word_is(word, "struct");
}

static enum cbpf_form
form_of(struct cbpf_scan s)
{
	char c;

	if (is_binary(&s))
		return CBPF_FORM_RAW;
	s.skip = cbpf_skip_c;
	c = cbpf_scan_peek(&s);
	if (c == '(')
		return CBPF_FORM_D;
	if (c == '{')
		return CBPF_FORM_DD;
	if (c >= '0' && c <= '9')
		return form_of_digits(s);
	if (is_all_hex(&s))
		return CBPF_FORM_HEX;
	return is_c_word(cbpf_scan_word(&s)) ? CBPF_FORM_DD : CBPF_FORM_BPF_ASM;
}

static int
read_form(struct cbpf_scan *s, enum cbpf_form form, struct cbpf_vec *vec)
{
	int rc = readers[form](s, vec);

	if (rc == 0 && vec->n == 0)
		return ebpf_err_set(s->err, -EINVAL, "offset %zu: no instructions",
				    (size_t)(s->at - s->text));
	return rc;
}

int
cbpf_read(const char *text, size_t len, enum cbpf_form form, struct cbpf_insn **insns,
	  size_t *n_insns, struct ebpf_err *err)
{
	struct cbpf_scan s = { .text = len > 0 ? text : "", .skip = cbpf_skip_blanks, .err = err };
	struct cbpf_vec vec = { 0 };
	int rc;

	s.at = s.text;
	s.end = s.text + len;
	if (form == CBPF_FORM_AUTO)
		form = form_of(s);
	if ((size_t)form >= sizeof(readers) / sizeof(readers[0]))
		return ebpf_err_set(err, -EINVAL, "unknown form %d", (int)form);
	if ((rc = read_form(&s, form, &vec)) < 0) {
		free(vec.insns);
		return rc;
	}
	*insns = vec.insns;
	*n_insns = vec.n;
	return 0;
}
