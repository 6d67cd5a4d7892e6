/* SPDX-License-Identifier: BSD-2-Clause */
#include "ebpf/insn.h"

#include "tests/support/suite.h"

START_TEST(every_row_is_found_by_its_code_and_field)
{
	const struct ebpf_op_desc *d = &ebpf_ops[_i];
	struct ebpf_insn insn = { .code = d->code };

	switch ((enum ebpf_by)d->by) {
	case EBPF_BY_NONE:
		break;
	case EBPF_BY_OFF:
		insn.off = (int16_t)d->val;
		break;
	case EBPF_BY_SRC:
		insn.src_reg = (uint8_t)d->val & 0xf;
		break;
	case EBPF_BY_IMM:
		insn.imm = d->val;
		break;
	}
	ck_assert_int_eq(ebpf_op_of(&insn), _i);
}
END_TEST

START_TEST(rows_with_the_same_code_stand_together)
{
	uint8_t seen[256] = { 0 };

	for (size_t row = 0; row < EBPF_N_OPS; row++) {
		uint8_t code = ebpf_ops[row].code;

		if (row > 0 && ebpf_ops[row - 1].code == code)
			continue;
		ck_assert_msg(!seen[code], "row %s", ebpf_ops[row].name);
		seen[code] = 1;
	}
}
END_TEST

START_TEST(unknown_codes_have_no_row)
{
	static const uint8_t unknown[] = { 0x00, 0x06 | 0x80, 0x8c, 0x8f, 0x8d, 0xdf, 0x99, 0xff };

	for (size_t i = 0; i < N_ELEMS(unknown); i++) {
		struct ebpf_insn insn = { .code = unknown[i] };

		ck_assert_msg(ebpf_op_of(&insn) == -1, "code %02x", unknown[i]);
	}
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("ebpf/insn");
	TCase *tc = tcase_create("table");

	tcase_add_loop_test(tc, every_row_is_found_by_its_code_and_field, 0, EBPF_N_OPS);
	tcase_add_test(tc, rows_with_the_same_code_stand_together);
	tcase_add_test(tc, unknown_codes_have_no_row);
	suite_add_tcase(s, tc);
	return s;
}
