/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cursor that the readers of text forms move over their text.
 *
 * It looks at nothing outside [text, end) and knows no locale.  What it quotes
 * in messages is a word, or one character in a form that a terminal can show.
 */
#include "cbpf/read.h"

#include "ebpf/err.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Words are quoted in messages up to here. */
#define QUOTED_MAX 40

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* The digit's value; 16: not one of any base. */
static unsigned
digit_value(char c)
{
	if (is_digit(c))
		return (unsigned)(c - '0');
	c = lower(c);
	return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16;
}

static size_t
line_of(const struct cbpf_scan *s)
{
	size_t line = 1;

	for (const char *p = s->text; p < s->at; p++)
		line += *p == '\n';
	return line;
}

int
cbpf_scan_fail(const struct cbpf_scan *s, int rc, const char *fmt, ...)
{
	char what[EBPF_ERR_SIZE / 2];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (s->is_one_line)
		return ebpf_err_set(s->err, rc, "offset %zu: %s", (size_t)(s->at - s->text), what);
	return ebpf_err_set(s->err, rc, "line %zu: %s", line_of(s), what);
}

int
cbpf_scan_expected(const struct cbpf_scan *s, const char *what)
{
	struct cbpf_scan ahead = *s;
	struct cbpf_word word = cbpf_scan_word(&ahead);

	if (word.len > 0)
		return cbpf_scan_fail(s, -EINVAL, "expected %s, found '%.*s'", what,
				      (int)(word.len < QUOTED_MAX ? word.len : QUOTED_MAX),
				      word.at);
	if (s->at == s->end)
		return cbpf_scan_fail(s, -EINVAL, "expected %s, found the end of the text", what);
	if (*s->at == '\n')
		return cbpf_scan_fail(s, -EINVAL, "expected %s, found the end of the line", what);
	if (*s->at < ' ' || *s->at > '~')
		return cbpf_scan_fail(s, -EINVAL, "expected %s, found byte 0x%02x", what,
				      (unsigned char)*s->at);
	return cbpf_scan_fail(s, -EINVAL, "expected %s, found '%c'", what, *s->at);
}

void
cbpf_skip_in_line(struct cbpf_scan *s)
{
	while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\r'))
		s->at++;
}

void
cbpf_skip_blanks(struct cbpf_scan *s)
{
	while (s->at < s->end && (*s->at == ' ' || (*s->at >= '\t' && *s->at <= '\r')))
		s->at++;
}

static void
skip_line(struct cbpf_scan *s)
{
	while (s->at < s->end && *s->at != '\n')
		s->at++;
}

static bool
follows(const struct cbpf_scan *s, const char *what)
{
	size_t len = strlen(what);

	return (size_t)(s->end - s->at) >= len && memcmp(s->at, what, len) == 0;
}

/* Over a comment; one without an end is left there, for the reader to trip over. */
static bool
skip_comment(struct cbpf_scan *s)
{
	struct cbpf_scan inside = *s;

	if (!follows(s, "/*"))
		return false;
	for (inside.at += 2; inside.at < inside.end; inside.at++) {
		if (follows(&inside, "*/")) {
			s->at = inside.at + 2;
			return true;
		}
	}
	return false;
}

void
cbpf_skip_c(struct cbpf_scan *s)
{
	for (;;) {
		cbpf_skip_blanks(s);
		if (follows(s, "//"))
			skip_line(s);
		else if (!skip_comment(s))
			return;
	}
}

void
cbpf_skip_asm(struct cbpf_scan *s)
{
	for (;;) {
		cbpf_skip_blanks(s);
		if (s->at == s->end)
			return;
		/* Elsewhere in a line '#' is the mark of a constant. */
		if (*s->at == ';' || (*s->at == '#' && (s->at == s->text || s->at[-1] == '\n')))
			skip_line(s);
		else if (!skip_comment(s))
			return;
	}
}

char
cbpf_scan_peek(struct cbpf_scan *s)
{
	s->skip(s);
	return s->at < s->end ? *s->at : '\0';
}

bool
cbpf_scan_char(struct cbpf_scan *s, char c)
{
	if (c == '\0' || cbpf_scan_peek(s) != c)
		return false;
	s->at++;
	return true;
}

int
cbpf_scan_need(struct cbpf_scan *s, char c)
{
	const char what[] = { '\'', c, '\'', '\0' };

	return cbpf_scan_char(s, c) ? 0 : cbpf_scan_expected(s, what);
}

struct cbpf_word
cbpf_scan_word(struct cbpf_scan *s)
{
	struct cbpf_word word = { NULL, 0 };

	if (!is_letter(cbpf_scan_peek(s)))
		return word;
	word.at = s->at;
	while (s->at < s->end && (is_letter(*s->at) || is_digit(*s->at)))
		s->at++;
	word.len = (size_t)(s->at - word.at);
	return word;
}

bool
cbpf_word_is(struct cbpf_word word, const char *text)
{
	for (size_t i = 0; i < word.len; i++)
		if (text[i] == '\0' || lower(word.at[i]) != lower(text[i]))
			return false;
	return text[word.len] == '\0' && word.len > 0;
}

static int
scan_digits(struct cbpf_scan *s, unsigned base, uint64_t *value)
{
	uint64_t v = 0;
	const char *begin = s->at;

	for (; s->at < s->end && digit_value(*s->at) < base; s->at++) {
		unsigned digit = digit_value(*s->at);

		v = v > (UINT64_MAX - digit) / base ? UINT64_MAX : v * base + digit;
	}
	if (s->at == begin)
		return cbpf_scan_expected(s, "a digit");
	if (s->at < s->end && (is_letter(*s->at) || is_digit(*s->at)))
		return cbpf_scan_fail(s, -EINVAL, "'%c' is no digit of this number", *s->at);
	*value = v;
	return 0;
}

int
cbpf_scan_unsigned(struct cbpf_scan *s, uint64_t *value)
{
	if (!is_digit(cbpf_scan_peek(s)))
		return cbpf_scan_expected(s, "a number");
	if (*s->at != '0' || s->end - s->at < 2)
		return scan_digits(s, 10, value);
	if (lower(s->at[1]) == 'x' || lower(s->at[1]) == 'b') {
		unsigned base = lower(s->at[1]) == 'x' ? 16 : 2;

		s->at += 2;
		return scan_digits(s, base, value);
	}
	return scan_digits(s, 8, value);
}

int
cbpf_scan_decimal(struct cbpf_scan *s, const char *what, uint64_t max, uint64_t *value)
{
	const char *begin;
	uint64_t v;
	int rc;

	if (!is_digit(cbpf_scan_peek(s)))
		return cbpf_scan_expected(s, what);
	begin = s->at;
	if ((rc = scan_digits(s, 10, &v)) < 0)
		return rc;
	if (v > max) {
		s->at = begin;
		return cbpf_scan_fail(s, -EINVAL, "%s is over %" PRIu64, what, max);
	}
	*value = v;
	return 0;
}

int
cbpf_scan_u32(struct cbpf_scan *s, uint32_t *value)
{
	bool is_negative = cbpf_scan_char(s, '-');
	uint64_t v, max = is_negative ? (uint64_t)INT32_MAX + 1 : UINT32_MAX;
	const char *begin;
	int rc;

	if (!is_negative && cbpf_scan_peek(s) == '+')
		s->at++;
	begin = s->at;
	if ((rc = cbpf_scan_unsigned(s, &v)) < 0)
		return rc;
	if (v > max && !s->is_wrapping) {
		s->at = begin;
		return cbpf_scan_fail(s, -EINVAL, "number does not fit into 32 bits");
	}
	*value = is_negative ? 0 - (uint32_t)v : (uint32_t)v;
	return 0;
}

int
cbpf_vec_add(struct cbpf_vec *vec, const struct cbpf_scan *s, struct cbpf_insn insn)
{
	if (vec->n == EBPF_MAXINSNS)
		return cbpf_scan_fail(s, -E2BIG, "more than %d instructions", EBPF_MAXINSNS);
	if (vec->n == vec->room) {
		size_t room = vec->room == 0 ? 64 : vec->room * 2;
		struct cbpf_insn *insns = realloc(vec->insns, room * sizeof(*insns));

		if (insns == NULL)
			return ebpf_err_set(s->err, -ENOMEM, "out of memory");
		vec->insns = insns;
		vec->room = room;
	}
	vec->insns[vec->n++] = insn;
	return 0;
}
