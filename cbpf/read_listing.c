/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcpdump -d listings:
 *
 *	(000) ldh      [12]
 *	(001) jeq      #0x800           jt 2	jf 3
 *	(002) ret      #262144
 *	(003) ret      #0
 *
 * Targets of jumps are absolute there, so that lines must be complete and in
 * order.  What libpcap has no name for it lists as "unimp 0x..", the code.
 */
#include "cbpf/operand.h"

#include <errno.h>
#include <inttypes.h>

static int
read_operand(struct cbpf_scan *s, struct cbpf_operand *operand)
{
	struct cbpf_scan ahead;
	struct cbpf_word word;
	char c = cbpf_scan_peek(s);

	*operand = (struct cbpf_operand){ CBPF_OPERAND_NONE, 0 };
	if (c == '\0' || c == '\n')
		return 0;
	if (c == '[')
		return cbpf_read_address(s, true, operand);
	ahead = *s;
	if (c == '#')
		ahead.at++;
	word = cbpf_scan_word(&ahead);
	if (word.len == 0)
		return cbpf_read_number_operand(s, operand);
	if (c == '#' && (cbpf_word_is(word, "pktlen") || cbpf_word_is(word, "len")))
		operand->kind = CBPF_OPERAND_LEN;
	else if (c != '#' && cbpf_word_is(word, "x"))
		operand->kind = CBPF_OPERAND_X;
	else if (c != '#' && cbpf_word_is(word, "M"))
		operand->kind = CBPF_OPERAND_MEM;
	else
		return cbpf_scan_expected(s, "an operand");
	*s = ahead;
	return operand->kind == CBPF_OPERAND_MEM ? cbpf_read_slot(s, operand) : 0;
}

static int
read_branch(struct cbpf_scan *s, size_t pc, const char *name, uint8_t *skip)
{
	struct cbpf_scan before = *s;
	uint64_t target;
	int rc;

	if (!cbpf_word_is(cbpf_scan_word(s), name))
		return cbpf_scan_expected(&before, name);
	if ((rc = cbpf_scan_decimal(s, "a target", UINT32_MAX, &target)) < 0)
		return rc;
	if (target <= pc || target - pc - 1 > UINT8_MAX)
		return cbpf_scan_fail(s, -EINVAL,
				      "%s %" PRIu64 ", but from %zu on %zu to %zu can be reached",
				      name, target, pc, pc + 1, pc + 1 + UINT8_MAX);
	*skip = (uint8_t)(target - pc - 1);
	return 0;
}

/* libpcap lists branches for all codes of the class but ja, known or not. */
static bool
has_branches(uint16_t code)
{
	return CBPF_CLASS(code) == CBPF_JMP && (code & 0xf0) != CBPF_JA;
}

static int
read_code(const struct cbpf_scan *s, struct cbpf_word mnemonic, const struct cbpf_operand *operand,
	  size_t pc, struct cbpf_insn *insn)
{
	int op = cbpf_op_find(mnemonic, operand->kind);

	insn->k = operand->k;
	if (op >= 0) {
		insn->code = cbpf_ops[op].code;
	} else if (cbpf_word_is(mnemonic, "ja") && operand->kind == CBPF_OPERAND_NUMBER) {
		insn->code = CBPF_JMP | CBPF_JA;
		insn->k = operand->k - (uint32_t)pc - 1;
	} else if (cbpf_word_is(mnemonic, "ret") && operand->kind == CBPF_OPERAND_NONE) {
		insn->code = CBPF_RET | CBPF_A;
	} else if (cbpf_word_is(mnemonic, "unimp") && operand->kind == CBPF_OPERAND_NUMBER &&
		   operand->k <= UINT16_MAX) {
		insn->code = (uint16_t)operand->k;
		insn->k = 0;
	} else {
		return cbpf_scan_fail(s, -EINVAL, "no such instruction");
	}
	return 0;
}

static int
read_insn(struct cbpf_scan *s, size_t pc, struct cbpf_insn *insn)
{
	struct cbpf_word mnemonic;
	struct cbpf_operand operand;
	struct cbpf_scan before;
	uint64_t number;
	int rc;

	*insn = (struct cbpf_insn){ 0 };
	if ((rc = cbpf_scan_need(s, '(')) < 0 ||
	    (rc = cbpf_scan_decimal(s, "an instruction's number", UINT32_MAX, &number)) < 0)
		return rc;
	if (number != pc)
		return cbpf_scan_fail(s, -EINVAL, "instruction %" PRIu64 ", expected %zu", number,
				      pc);
	if ((rc = cbpf_scan_need(s, ')')) < 0)
		return rc;
	before = *s;
	mnemonic = cbpf_scan_word(s);
	if (mnemonic.len == 0)
		return cbpf_scan_expected(&before, "an instruction");
	if ((rc = read_operand(s, &operand)) < 0 ||
	    (rc = read_code(&before, mnemonic, &operand, pc, insn)) < 0)
		return rc;
	if (!has_branches(insn->code))
		return 0;
	rc = read_branch(s, pc, "jt", &insn->jt);
	return rc < 0 ? rc : read_branch(s, pc, "jf", &insn->jf);
}

int
cbpf_read_listing(struct cbpf_scan *s, struct cbpf_vec *vec)
{
	int rc;

	s->skip = cbpf_skip_in_line;
	for (;;) {
		struct cbpf_insn insn;

		cbpf_skip_blanks(s);
		if (s->at == s->end)
			return 0;
		if ((rc = read_insn(s, vec->n, &insn)) < 0 || (rc = cbpf_vec_add(vec, s, insn)) < 0)
			return rc;
		cbpf_skip_in_line(s);
		if (s->at < s->end && *s->at != '\n')
			return cbpf_scan_expected(s, "the end of the line");
	}
}
