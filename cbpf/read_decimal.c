/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decimal numbers, the count first: tcpdump -ddd, one instruction a line, and
 * the same on one line as iptables' bpf match, tc and bpf_asm have it:
 *
 *	2                       2,40 0 0 12,6 0 0 1
 *	40 0 0 12
 *	6 0 0 1
 */
#include "cbpf/read.h"

#include <errno.h>
#include <inttypes.h>

static int
read_insn(struct cbpf_scan *s, struct cbpf_insn *insn)
{
	uint64_t code, jt, jf, k;
	int rc;

	if ((rc = cbpf_scan_decimal(s, "a code", UINT16_MAX, &code)) < 0 ||
	    (rc = cbpf_scan_decimal(s, "jt", UINT8_MAX, &jt)) < 0 ||
	    (rc = cbpf_scan_decimal(s, "jf", UINT8_MAX, &jf)) < 0 ||
	    (rc = cbpf_scan_decimal(s, "k", UINT32_MAX, &k)) < 0)
		return rc;
	*insn = (struct cbpf_insn){ (uint16_t)code, (uint8_t)jt, (uint8_t)jf, (uint32_t)k };
	return 0;
}

static int
read_count(struct cbpf_scan *s, uint64_t *count)
{
	const char *begin = s->at;
	int rc = cbpf_scan_decimal(s, "the number of instructions", UINT64_MAX, count);

	if (rc < 0)
		return rc;
	if (*count <= EBPF_MAXINSNS)
		return 0;
	s->at = begin;
	return cbpf_scan_fail(s, -E2BIG, "%" PRIu64 " instructions announced, limit is %d", *count,
			      EBPF_MAXINSNS);
}

/* Between instructions: commas in one form, ends of lines in the other. */
static int
read_separator(struct cbpf_scan *s, char separator, const char *name)
{
	if (!cbpf_scan_char(s, separator))
		return cbpf_scan_expected(s, name);
	if (separator == '\n')
		cbpf_skip_blanks(s);
	return 0;
}

static int
read_separated(struct cbpf_scan *s, struct cbpf_vec *vec, char separator, const char *name)
{
	uint64_t count;
	int rc;

	cbpf_skip_blanks(s);
	s->skip = cbpf_skip_in_line;
	if ((rc = read_count(s, &count)) < 0)
		return rc;
	for (uint64_t i = 0; i < count; i++) {
		struct cbpf_insn insn;

		if (cbpf_scan_peek(s) != '\0' && (rc = read_separator(s, separator, name)) < 0)
			return rc;
		if (s->at == s->end)
			return cbpf_scan_fail(s, -EINVAL,
					      "%" PRIu64 " instructions announced, found %" PRIu64,
					      count, i);
		if ((rc = read_insn(s, &insn)) < 0 || (rc = cbpf_vec_add(vec, s, insn)) < 0)
			return rc;
	}
	if (separator != '\n')
		cbpf_scan_char(s, separator);
	cbpf_skip_blanks(s);
	if (s->at < s->end)
		return cbpf_scan_fail(s, -EINVAL,
				      "%" PRIu64 " instructions announced, but there is more",
				      count);
	return 0;
}

int
cbpf_read_decimal(struct cbpf_scan *s, struct cbpf_vec *vec)
{
	return read_separated(s, vec, '\n', "the end of the line");
}

int
cbpf_read_xt_bpf(struct cbpf_scan *s, struct cbpf_vec *vec)
{
	s->is_one_line = true;
	return read_separated(s, vec, ',', "','");
}
