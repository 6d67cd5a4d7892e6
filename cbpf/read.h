/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the readers of text forms share: a cursor over the text, and the array
 * of instructions that they fill.
 */
#ifndef BPFSIFT_CBPF_READ_H
#define BPFSIFT_CBPF_READ_H

#include <bpfsift/cbpf.h>

#include <stdbool.h>

struct cbpf_scan {
	const char *text, *at, *end;    /* text <= at <= end */
	void (*skip)(struct cbpf_scan *s); /* over what separates words */
	bool is_one_line;               /* messages name the offset, not the line */
	bool is_wrapping;               /* numbers are taken modulo 2^32 */
	struct ebpf_err *err;
};

/* A piece of the text. */
struct cbpf_word {
	const char *at;
	size_t len;
};

struct cbpf_vec {
	struct cbpf_insn *insns;
	size_t n, room;
};

/* Set the message, "line n: " before it, and return rc. */
__attribute__((format(printf, 3, 4))) int cbpf_scan_fail(const struct cbpf_scan *s, int rc,
							 const char *fmt, ...);

/* The same, -EINVAL, of what was expected and what is there instead. */
int cbpf_scan_expected(const struct cbpf_scan *s, const char *what);

/* Ways to skip: blanks of one line, of several, and with comments as in C or in bpf_asm. */
void cbpf_skip_in_line(struct cbpf_scan *s);
void cbpf_skip_blanks(struct cbpf_scan *s);
void cbpf_skip_c(struct cbpf_scan *s);
void cbpf_skip_asm(struct cbpf_scan *s);

/* What follows, after skipping; '\0': the end (or a NUL, which no form has). */
char cbpf_scan_peek(struct cbpf_scan *s);

/* Whether c follows; if so it is taken. */
bool cbpf_scan_char(struct cbpf_scan *s, char c);

/* Take c, or fail. */
int cbpf_scan_need(struct cbpf_scan *s, char c);

/* Take a word of letters, digits and underscores; len 0: there is none. */
struct cbpf_word cbpf_scan_word(struct cbpf_scan *s);

/* Letter case does not count. */
bool cbpf_word_is(struct cbpf_word word, const char *text);

/*
 * Take a number without a sign: decimal, 0x, 0b or, with a leading 0, octal.
 * value saturates.
 */
int cbpf_scan_unsigned(struct cbpf_scan *s, uint64_t *value);

/* Take a number in decimal, at most max. */
int cbpf_scan_decimal(struct cbpf_scan *s, const char *what, uint64_t max, uint64_t *value);

/*
 * Take a number of 32 bits, a sign before it allowed.  One out of range is
 * refused, or loses its upper bits where the text is wrapping.
 */
int cbpf_scan_u32(struct cbpf_scan *s, uint32_t *value);

/* Append. */
int cbpf_vec_add(struct cbpf_vec *vec, const struct cbpf_scan *s, struct cbpf_insn insn);

/* The forms' readers. */
int cbpf_read_listing(struct cbpf_scan *s, struct cbpf_vec *vec);
int cbpf_read_c(struct cbpf_scan *s, struct cbpf_vec *vec);
int cbpf_read_decimal(struct cbpf_scan *s, struct cbpf_vec *vec);
int cbpf_read_xt_bpf(struct cbpf_scan *s, struct cbpf_vec *vec);
int cbpf_read_assembly(struct cbpf_scan *s, struct cbpf_vec *vec);
int cbpf_read_hex(struct cbpf_scan *s, struct cbpf_vec *vec);
int cbpf_read_raw(struct cbpf_scan *s, struct cbpf_vec *vec);

#endif
