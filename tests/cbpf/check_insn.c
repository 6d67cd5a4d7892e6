/* SPDX-License-Identifier: BSD-2-Clause */
#include "cbpf/insn.h"

#include "tests/support/suite.h"

/* The 49 codes of the kernel's filter checker, from its documentation. */
static const uint8_t legal[] = {
	0x00, 0x80, 0x60, 0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x01, 0x81, 0x61, 0xb1,
	0x02, 0x03, 0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x34, 0x3c, 0x44, 0x4c, 0x54,
	0x5c, 0x64, 0x6c, 0x74, 0x7c, 0x94, 0x9c, 0xa4, 0xac, 0x84, 0x05, 0x15, 0x1d,
	0x25, 0x2d, 0x35, 0x3d, 0x45, 0x4d, 0x06, 0x16, 0x07, 0x87,
};

START_TEST(exactly_the_legal_codes_have_rows)
{
	uint8_t is_legal[256] = { 0 };

	for (size_t i = 0; i < N_ELEMS(legal); i++)
		is_legal[legal[i]] = 1;
	for (uint32_t code = 0; code <= UINT16_MAX; code++) {
		int op = cbpf_op_of((uint16_t)code);

		ck_assert_msg((op >= 0) == (code < 256 && is_legal[code]), "code %04x", code);
		if (op >= 0)
			ck_assert_uint_eq(cbpf_ops[op].code, code);
	}
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("cbpf/insn");
	TCase *tc = tcase_create("table");

	tcase_add_test(tc, exactly_the_legal_codes_have_rows);
	suite_add_tcase(s, tc);
	return s;
}
