/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs as C initialisers: what tcpdump -dd and bpf_asm -c write, and what
 * people write by hand, with a declaration around it or without:
 *
 *	static const struct sock_filter code[] = {
 *		{ 0x28, 0, 0, 0x0000000c },
 *		BPF_JUMP(BPF_JMP + BPF_JEQ + BPF_K, 0x800, 0, 1),
 *		BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
 *	};
 *
 * Values are sums and unions of numbers and of the names in <linux/filter.h>
 * and <pcap/bpf.h>.  There is no preprocessor and no other operator.
 */
#include "cbpf/read.h"

#include <errno.h>
#include <inttypes.h>

/* Parentheses within parentheses. */
#define MAX_DEPTH 16

static const struct {
	const char *name;
	int64_t value;
} symbols[] = {
#define BPF(name) { "BPF_" #name, CBPF_##name }
#define SKF(name) { "SKF_" #name, CBPF_##name }
	BPF(LD), BPF(LDX), BPF(ST), BPF(STX), BPF(ALU), BPF(JMP), BPF(RET), BPF(MISC),
	BPF(W), BPF(H), BPF(B),
	BPF(IMM), BPF(ABS), BPF(IND), BPF(MEM), BPF(LEN), BPF(MSH),
	BPF(ADD), BPF(SUB), BPF(MUL), BPF(DIV), BPF(OR), BPF(AND), BPF(LSH), BPF(RSH),
	BPF(NEG), BPF(MOD), BPF(XOR),
	BPF(JA), BPF(JEQ), BPF(JGT), BPF(JGE), BPF(JSET),
	BPF(K), BPF(X), BPF(A), BPF(TAX), BPF(TXA),
	SKF(AD_OFF), SKF(NET_OFF), SKF(LL_OFF),
	SKF(AD_PROTOCOL), SKF(AD_PKTTYPE), SKF(AD_IFINDEX), SKF(AD_NLATTR), SKF(AD_NLATTR_NEST),
	SKF(AD_MARK), SKF(AD_QUEUE), SKF(AD_HATYPE), SKF(AD_RXHASH), SKF(AD_CPU),
	SKF(AD_ALU_XOR_X), SKF(AD_VLAN_TAG), SKF(AD_VLAN_TAG_PRESENT), SKF(AD_PAY_OFFSET),
	SKF(AD_RANDOM), SKF(AD_VLAN_TPID),
#undef BPF
#undef SKF
};

static int read_sum(struct cbpf_scan *s, unsigned depth, int64_t *value);

static int
read_symbol(struct cbpf_scan *s, int64_t *value)
{
	struct cbpf_scan before = *s;
	struct cbpf_word word = cbpf_scan_word(s);

	for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
		if (cbpf_word_is(word, symbols[i].name)) {
			*value = symbols[i].value;
			return 0;
		}
	}
	return cbpf_scan_expected(&before, "a number or one of the BPF_ and SKF_ names");
}

/* A number's type does not change its value here. */
static void
skip_suffix(struct cbpf_scan *s)
{
	while (s->at < s->end && (*s->at == 'u' || *s->at == 'U' || *s->at == 'l' || *s->at == 'L'))
		s->at++;
}

static int
read_constant(struct cbpf_scan *s, int64_t *value)
{
	struct cbpf_scan digits = *s;
	uint64_t v;
	int rc;

	/* Cut the suffix off, which is no part of the number. */
	while (digits.at < digits.end && ((*digits.at >= '0' && *digits.at <= '9') ||
					  (*digits.at >= 'a' && *digits.at <= 'f') ||
					  (*digits.at >= 'A' && *digits.at <= 'F') ||
					  *digits.at == 'x' || *digits.at == 'X'))
		digits.at++;
	digits.end = digits.at;
	digits.at = s->at;
	if ((rc = cbpf_scan_unsigned(&digits, &v)) < 0)
		return rc;
	s->at = digits.at;
	if (v > UINT32_MAX)
		return cbpf_scan_fail(s, -EINVAL, "number does not fit into 32 bits");
	skip_suffix(s);
	*value = (int64_t)v;
	return 0;
}

static int
read_term(struct cbpf_scan *s, unsigned depth, int64_t *value)
{
	char c = cbpf_scan_peek(s);
	int rc;

	if (depth == MAX_DEPTH)
		return cbpf_scan_fail(s, -EINVAL, "parentheses deeper than %d", MAX_DEPTH);
	if (c == '(') {
		s->at++;
		rc = read_sum(s, depth + 1, value);
		return rc < 0 ? rc : cbpf_scan_need(s, ')');
	}
	if (c == '-') {
		s->at++;
		rc = read_term(s, depth + 1, value);
		*value = rc < 0 ? 0 : -*value;
		return rc;
	}
	return c >= '0' && c <= '9' ? read_constant(s, value) : read_symbol(s, value);
}

/* Values stay in the range of a 32-bit number, signed or not. */
static int
read_sum(struct cbpf_scan *s, unsigned depth, int64_t *value)
{
	int64_t term;
	int rc;

	if ((rc = read_term(s, depth, value)) < 0)
		return rc;
	for (;;) {
		char op = cbpf_scan_peek(s);

		if (op != '+' && op != '|' && op != '-')
			return 0;
		s->at++;
		if ((rc = read_term(s, depth, &term)) < 0)
			return rc;
		if (op == '|')
			*value |= term;
		else
			*value += op == '+' ? term : -term;
		if (*value < INT32_MIN || *value > UINT32_MAX)
			return cbpf_scan_fail(s, -EINVAL, "sum does not fit into 32 bits");
	}
}

static int
read_field(struct cbpf_scan *s, const char *name, int64_t max, uint32_t *value)
{
	int64_t min = max == UINT32_MAX ? INT32_MIN : 0;
	int64_t v;
	int rc = read_sum(s, 0, &v);

	if (rc < 0)
		return rc;
	if (v < min || v > max)
		return cbpf_scan_fail(s, -EINVAL,
				      "%s is %" PRId64 ", not in %" PRId64 " to %" PRId64, name, v,
				      min, max);
	*value = (uint32_t)v;
	return 0;
}

/* The fields of one instruction with commas between them: "ctfk" is code, jt, jf, k. */
static int
read_fields(struct cbpf_scan *s, const char *order, struct cbpf_insn *insn)
{
	uint32_t code = 0, jt = 0, jf = 0, k = 0;
	int rc;

	for (const char *o = order; *o != '\0'; o++) {
		if (o > order && (rc = cbpf_scan_need(s, ',')) < 0)
			return rc;
		switch (*o) {
		case 'c':
			rc = read_field(s, "code", UINT16_MAX, &code);
			break;
		case 't':
			rc = read_field(s, "jt", UINT8_MAX, &jt);
			break;
		case 'f':
			rc = read_field(s, "jf", UINT8_MAX, &jf);
			break;
		default:
			rc = read_field(s, "k", UINT32_MAX, &k);
			break;
		}
		if (rc < 0)
			return rc;
	}
	*insn = (struct cbpf_insn){ (uint16_t)code, (uint8_t)jt, (uint8_t)jf, k };
	return 0;
}

static int
read_insn(struct cbpf_scan *s, struct cbpf_insn *insn)
{
	struct cbpf_scan before;
	struct cbpf_word word;
	int rc;

	if (cbpf_scan_char(s, '{')) {
		if ((rc = read_fields(s, "ctfk", insn)) < 0)
			return rc;
		cbpf_scan_char(s, ',');
		return cbpf_scan_need(s, '}');
	}
	before = *s;
	word = cbpf_scan_word(s);
	if (!cbpf_word_is(word, "BPF_STMT") && !cbpf_word_is(word, "BPF_JUMP"))
		return cbpf_scan_expected(&before, "'{', BPF_STMT or BPF_JUMP");
	if ((rc = cbpf_scan_need(s, '(')) < 0)
		return rc;
	rc = read_fields(s, cbpf_word_is(word, "BPF_STMT") ? "ck" : "cktf", insn);
	return rc < 0 ? rc : cbpf_scan_need(s, ')');
}

/* "static const struct sock_filter code[] = {", or nothing of it. */
static int
read_declaration(struct cbpf_scan *s, bool *is_there)
{
	struct cbpf_scan before = *s;
	struct cbpf_word word = cbpf_scan_word(s);

	*is_there = cbpf_word_is(word, "static") || cbpf_word_is(word, "const") ||
		    cbpf_word_is(word, "struct");
	if (!*is_there) {
		*s = before;
		return 0;
	}
	while (s->at < s->end && *s->at != '=' && *s->at != '{' && *s->at != '}')
		s->at++;
	if (cbpf_scan_need(s, '=') < 0)
		return -EINVAL;
	return cbpf_scan_need(s, '{');
}

int
cbpf_read_c(struct cbpf_scan *s, struct cbpf_vec *vec)
{
	bool is_declared, is_more = true;
	int rc;

	s->skip = cbpf_skip_c;
	if ((rc = read_declaration(s, &is_declared)) < 0)
		return rc;
	while (is_more) {
		struct cbpf_insn insn;
		char c;

		if ((rc = read_insn(s, &insn)) < 0 || (rc = cbpf_vec_add(vec, s, insn)) < 0)
			return rc;
		is_more = cbpf_scan_char(s, ',');
		c = cbpf_scan_peek(s);
		if (c == '}' || s->at == s->end)
			is_more = false;
	}
	if (is_declared) {
		if ((rc = cbpf_scan_need(s, '}')) < 0)
			return rc;
		cbpf_scan_char(s, ';');
	}
	s->skip(s);
	return s->at == s->end ? 0 : cbpf_scan_expected(s, "','");
}
