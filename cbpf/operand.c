/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Operands as tcpdump -d and bpf_asm write them: their brackets are the same,
 * so that a mnemonic and a kind of operand name an instruction in both.
 */
#include "cbpf/operand.h"

#include "cbpf/ancillary.h"

#include <errno.h>

#define SHAPE(name) (1u << CBPF_SHAPE_##name)

/* The shapes (insn.def) that a kind of operand can be. */
static const uint32_t shapes_of[] = {
	[CBPF_OPERAND_NONE] = SHAPE(NONE),
	[CBPF_OPERAND_K] = SHAPE(IMM) | SHAPE(ALU_K) | SHAPE(JMP_K) | SHAPE(RET_K),
	[CBPF_OPERAND_NUMBER] = 0,
	[CBPF_OPERAND_LEN] = SHAPE(LEN),
	[CBPF_OPERAND_MEM] = SHAPE(MEM),
	[CBPF_OPERAND_ABS] = SHAPE(ABS),
	[CBPF_OPERAND_IND] = SHAPE(IND),
	[CBPF_OPERAND_MSH] = SHAPE(MSH),
	[CBPF_OPERAND_X] = SHAPE(ALU_X) | SHAPE(JMP_X),
	[CBPF_OPERAND_A] = SHAPE(RET_A),
};

int
cbpf_op_find(struct cbpf_word mnemonic, enum cbpf_operand_kind kind)
{
	for (int op = 0; op < CBPF_N_OPS; op++)
		if (shapes_of[kind] & 1u << cbpf_ops[op].shape &&
		    cbpf_word_is(mnemonic, cbpf_ops[op].text))
			return op;
	return -1;
}

int
cbpf_op_is_bare(struct cbpf_word mnemonic)
{
	for (int op = 0; op < CBPF_N_OPS; op++)
		if (cbpf_word_is(mnemonic, cbpf_ops[op].text))
			return cbpf_ops[op].shape == CBPF_SHAPE_NONE;
	return -1;
}

static int
read_ancillary_name(struct cbpf_scan *s, uint32_t *k)
{
	struct cbpf_scan before = *s;
	struct cbpf_word word = cbpf_scan_word(s);

	for (uint32_t i = 0; i < CBPF_N_ANCILLARY; i++) {
		if (cbpf_word_is(word, cbpf_ancillaries[i].listing)) {
			*k = (uint32_t)CBPF_AD_OFF + 4 * i;
			return 0;
		}
	}
	return cbpf_scan_expected(&before, "a number, x or the name of ancillary data");
}

static bool
is_number_next(struct cbpf_scan *s)
{
	char c = cbpf_scan_peek(s);

	return (c >= '0' && c <= '9') || c == '-' || c == '+';
}

/* The '+' may touch the number: bpf_asm cannot read that, but its debugger writes it. */
static int
read_index(struct cbpf_scan *s, struct cbpf_operand *operand)
{
	int rc = cbpf_scan_need(s, '+');

	operand->kind = CBPF_OPERAND_IND;
	return rc < 0 ? rc : cbpf_scan_u32(s, &operand->k);
}

int
cbpf_read_address(struct cbpf_scan *s, bool is_listing, struct cbpf_operand *operand)
{
	struct cbpf_scan ahead;
	bool is_register;
	int rc;

	if ((rc = cbpf_scan_need(s, '[')) < 0)
		return rc;
	is_register = !is_listing && cbpf_scan_char(s, '%');
	cbpf_scan_peek(s);
	ahead = *s;
	operand->kind = CBPF_OPERAND_ABS;
	if (cbpf_word_is(cbpf_scan_word(&ahead), "x")) {
		*s = ahead;
		rc = read_index(s, operand);
	} else if (is_register) {
		rc = cbpf_scan_expected(s, "x");
	} else if (is_number_next(s)) {
		rc = cbpf_scan_u32(s, &operand->k);
	} else if (is_listing) {
		rc = read_ancillary_name(s, &operand->k);
	} else {
		rc = cbpf_scan_expected(s, "a number or x");
	}
	return rc < 0 ? rc : cbpf_scan_need(s, ']');
}

int
cbpf_read_slot(struct cbpf_scan *s, struct cbpf_operand *operand)
{
	int rc;

	operand->kind = CBPF_OPERAND_MEM;
	if ((rc = cbpf_scan_need(s, '[')) < 0 || (rc = cbpf_scan_u32(s, &operand->k)) < 0)
		return rc;
	return cbpf_scan_need(s, ']');
}

/* Behind the 4 of 4*([k]&0xf). */
static int
read_nibble(struct cbpf_scan *s, struct cbpf_operand *operand)
{
	uint32_t four = operand->k, mask;
	int rc;

	operand->kind = CBPF_OPERAND_MSH;
	if ((rc = cbpf_scan_need(s, '*')) < 0 || (rc = cbpf_scan_need(s, '(')) < 0 ||
	    (rc = cbpf_scan_need(s, '[')) < 0 || (rc = cbpf_scan_u32(s, &operand->k)) < 0 ||
	    (rc = cbpf_scan_need(s, ']')) < 0 || (rc = cbpf_scan_need(s, '&')) < 0 ||
	    (rc = cbpf_scan_u32(s, &mask)) < 0 || (rc = cbpf_scan_need(s, ')')) < 0)
		return rc;
	if (four != 4 || mask != 0xf)
		return cbpf_scan_fail(s, -EINVAL, "the only product is 4*([k]&0xf)");
	return 0;
}

int
cbpf_read_number_operand(struct cbpf_scan *s, struct cbpf_operand *operand)
{
	int rc;

	operand->kind = cbpf_scan_char(s, '#') ? CBPF_OPERAND_K : CBPF_OPERAND_NUMBER;
	if ((rc = cbpf_scan_u32(s, &operand->k)) < 0)
		return rc;
	if (operand->kind == CBPF_OPERAND_NUMBER && cbpf_scan_peek(s) == '*')
		return read_nibble(s, operand);
	return 0;
}
