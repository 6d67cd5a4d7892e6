/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * struct sock_filter in memory, little-endian on every host, as bytes or as
 * hex digits: code (2 bytes), jt, jf, k (4 bytes).
 */
#include "cbpf/read.h"

#include <errno.h>

#define INSN_SIZE 8

static struct cbpf_insn
load_insn(const uint8_t bytes[INSN_SIZE])
{
	return (struct cbpf_insn){
		.code = (uint16_t)(bytes[0] | bytes[1] << 8),
		.jt = bytes[2],
		.jf = bytes[3],
		.k = (uint32_t)bytes[4] | (uint32_t)bytes[5] << 8 | (uint32_t)bytes[6] << 16 |
		     (uint32_t)bytes[7] << 24,
	};
}

/* Bytes left over make the file a truncated one, or none of ours. */
static int
check_whole(const struct cbpf_scan *s, size_t n_bytes)
{
	if (n_bytes == 0)
		return 0;
	return cbpf_scan_fail(s, -EINVAL, "the last instruction has %zu bytes of %d", n_bytes,
			      INSN_SIZE);
}

/* The next hex digit's value; -1: none there. */
static int
hex_digit(struct cbpf_scan *s)
{
	char c = cbpf_scan_peek(s);
	int value;

	if (c >= '0' && c <= '9')
		value = c - '0';
	else if (c >= 'a' && c <= 'f')
		value = c - 'a' + 10;
	else if (c >= 'A' && c <= 'F')
		value = c - 'A' + 10;
	else
		return -1;
	s->at++;
	return value;
}

int
cbpf_read_hex(struct cbpf_scan *s, struct cbpf_vec *vec)
{
	uint8_t bytes[INSN_SIZE];
	size_t n = 0;
	int rc, hi, lo;

	s->is_one_line = true;
	s->skip = cbpf_skip_blanks;
	while ((hi = hex_digit(s)) >= 0) {
		if ((lo = hex_digit(s)) < 0)
			return cbpf_scan_expected(s, "a byte's second hex digit");
		bytes[n++] = (uint8_t)(hi << 4 | lo);
		if (n < INSN_SIZE)
			continue;
		if ((rc = cbpf_vec_add(vec, s, load_insn(bytes))) < 0)
			return rc;
		n = 0;
	}
	if (s->at < s->end)
		return cbpf_scan_expected(s, "a hex digit");
	return check_whole(s, n);
}

int
cbpf_read_raw(struct cbpf_scan *s, struct cbpf_vec *vec)
{
	int rc;

	s->is_one_line = true;
	for (; s->end - s->at >= INSN_SIZE; s->at += INSN_SIZE) {
		uint8_t bytes[INSN_SIZE];

		for (size_t i = 0; i < INSN_SIZE; i++)
			bytes[i] = (uint8_t)s->at[i];
		if ((rc = cbpf_vec_add(vec, s, load_insn(bytes))) < 0)
			return rc;
	}
	return check_whole(s, (size_t)(s->end - s->at));
}
