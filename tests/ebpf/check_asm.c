/* SPDX-License-Identifier: BSD-2-Clause */
/* Assembler and disassembler, against each other and against bpftool's lines. */
#include "ebpf/insn.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Random, but with each field that the row does not use 0, as the loader wants. */
static void
random_insn(int row, uint64_t *seed, struct ebpf_insn insn[2])
{
	const struct ebpf_op_desc *d = &ebpf_ops[row];
	unsigned int uses = ebpf_form_uses[d->form];

	memset(insn, 0, 2 * sizeof(*insn));
	insn->code = d->code;
	if (uses & EBPF_USES_DST)
		insn->dst_reg = rng_below(seed, 12) & 0xf;
	if (uses & EBPF_USES_SRC)
		insn->src_reg = rng_below(seed, 12) & 0xf;
	if (uses & EBPF_USES_OFF)
		insn->off = (int16_t)((int)rng_below(seed, 65536) - 32768);
	if (uses & EBPF_USES_IMM)
		insn->imm = (int32_t)((int64_t)(rng_next(seed) & UINT32_MAX) + INT32_MIN) >>
			    rng_below(seed, 32);
	if (d->by == EBPF_BY_OFF)
		insn->off = (int16_t)d->val;
	else if (d->by == EBPF_BY_SRC)
		insn->src_reg = (uint8_t)d->val & 0xf;
	else if (d->by == EBPF_BY_IMM)
		insn->imm = d->val;
	if (row == EBPF_OP_LDDW || row == EBPF_OP_LDDW_MAP_VALUE ||
	    row == EBPF_OP_LDDW_MAP_IDX_VALUE)
		insn[1].imm = (int32_t)((int64_t)(rng_next(seed) & UINT32_MAX) + INT32_MIN);
}

START_TEST(what_is_written_is_read_back)
{
	uint64_t seed = suite_seed(7);
	uint64_t n_rounds = suite_scaled(300) * EBPF_N_OPS;

	for (uint64_t round = 0; round < n_rounds; round++) {
		int row = (int)(round % EBPF_N_OPS);
		struct ebpf_insn insn[2], *back;
		char line[EBPF_DISASM_SIZE], again[EBPF_DISASM_SIZE];
		struct ebpf_err err = { "" };
		size_t slots, n;

		random_insn(row, &seed, insn);
		slots = ebpf_disasm(insn, 2, line, sizeof(line));
		ck_assert_uint_eq(slots, ebpf_code_is_wide(insn->code) ? 2 : 1);
		ck_assert_msg(ebpf_asm(line, strlen(line), &back, &n, &err) == 0, "%s: %s", line,
			      err.text);
		ck_assert_uint_eq(n, slots);
		ck_assert_msg(memcmp(back, insn, slots * sizeof(*insn)) == 0, "%s: %s",
			      ebpf_ops[row].name, line);
		/* The code in parentheses is a comment: the text alone says it. */
		free(back);
		ck_assert_int_eq(ebpf_asm(line + 5, strlen(line + 5), &back, &n, &err), 0);
		ebpf_disasm(back, n, again, sizeof(again));
		ck_assert_str_eq(again, line);
		free(back);
	}
}
END_TEST

/* Lines that bpftool 7 prints for programs in a running kernel (prog dump xlated). */
static const char *const bpftool_lines[] = {
	"(bf) r6 = r1",
	"(b7) r0 = -2",
	"(b4) w1 = 5",
	"(04) w1 += 5",
	"(cc) w1 s>>= w1",
	"(b7) r7 = 77",
	"(55) if r7 != 0x0 goto pc+2",
	"(ac) w0 ^= w0",
	"(05) goto pc+1",
	"(3f) r0 /= r7",
	"(af) r0 ^= r7",
	"(97) r0 %= 3",
	"(87) r0 = -r0",
	"(bc) w7 = w0",
	"(dc) r0 = be32 r0",
	"(d4) r0 = le16 r0",
	"(dc) r0 = be64 r0",
	"(69) r2 = *(u16 *)(r6 +176)",
	"(7a) *(u64 *)(r10 -8) = -1",
	"(63) *(u32 *)(r10 -4) = r7",
	"(72) *(u8 *)(r10 -3) = 7",
	"(69) r0 = *(u16 *)(r10 -8)",
	"(79) r0 = *(u64 *)(r10 -8)",
	"(db) lock *(u64 *)(r10 -8) += r7",
	"(c3) lock *(u32 *)(r10 -8) |= r7",
	"(bf) r3 = r7",
	"(db) r3 = atomic64_fetch_or((u64 *)(r10 -8), r3)",
	"(c3) r3 = atomic_fetch_add((u32 *)(r10 -8), r3)",
	"(db) r3 = atomic64_xchg((u64 *)(r10 -8), r3)",
	"(c3) r3 = atomic_xchg((u32 *)(r10 -8), r3)",
	"(db) r0 = atomic64_cmpxchg((u64 *)(r10 -8), r0, r3)",
	"(c3) r0 = atomic_cmpxchg((u32 *)(r10 -8), r0, r3)",
	"(18) r1 = 0x1122334455667788",
	"(b7) r0 = 0",
	"(95) exit",
	"(b7) r0 = 1",
	"(85) call bpf_get_prandom_u32#7",
};

START_TEST(bpftool_lines_are_read_and_written_as_they_are)
{
	const char *line = bpftool_lines[_i];
	struct ebpf_err err = { "" };
	struct ebpf_insn *insns;
	char again[EBPF_DISASM_SIZE];
	size_t n;

	ck_assert_msg(ebpf_asm(line, strlen(line), &insns, &n, &err) == 0, "%s: %s", line, err.text);
	ebpf_disasm(insns, n, again, sizeof(again));
	ck_assert_str_eq(again, line);
	free(insns);
}
END_TEST

START_TEST(a_program_has_lines_numbers_and_comments)
{
	static const char text[] = "; a program\n"
				   "   0: (b7) r0 = 1\n"
				   "\n"
				   "\tr1 = 0x5 ; two slots\r\n"
				   "3: if w1>0xffffffff goto pc+0\n"
				   "exit";
	struct ebpf_insn *insns;
	size_t n;

	ck_assert_int_eq(ebpf_asm(text, strlen(text), &insns, &n, NULL), 0);
	ck_assert_uint_eq(n, 5);
	ck_assert_uint_eq(insns[1].code, EBPF_LD | EBPF_DW);
	ck_assert_int_eq(insns[1].imm, 5);
	ck_assert_uint_eq(insns[3].code, EBPF_JMP32 | EBPF_JGT);
	ck_assert_int_eq(insns[3].imm, -1);
	free(insns);
}
END_TEST

START_TEST(helpers_have_names)
{
	static const struct { const char *text; int32_t id; } calls[] = {
		{ "call bpf_get_prandom_u32#7", 7 }, { "call bpf_ktime_get_ns", 5 },
		{ "call map_lookup_elem", 1 }, { "call 77", 77 }, { "call #77", 77 },
		{ "call unknown#99999", 99999 },
	};

	for (size_t i = 0; i < N_ELEMS(calls); i++) {
		struct ebpf_insn *insns;
		size_t n;

		ck_assert_msg(ebpf_asm(calls[i].text, strlen(calls[i].text), &insns, &n, NULL) == 0,
			      "%s", calls[i].text);
		ck_assert_int_eq(insns->imm, calls[i].id);
		free(insns);
	}
}
END_TEST

static const struct { const char *text, *err; } refused[] = {
	{ "", "no instructions" },
	{ "exit\nr0 = \n", "line 2: not an instruction: r0 =" },
	{ "r0 = 2147483648", "line 1: not an instruction: r0 = 2147483648" },
	{ "r0 = 0x11223344556677889", "line 1: not an instruction: r0 = 0x11223344556677889" },
	{ "r12 = 1", "line 1: not an instruction: r12 = 1" },
	{ "r0 = r1 + 5", "line 1: not an instruction: r0 = r1 + 5" },
	{ "r0 = be16 r1", "line 1: not an instruction: r0 = be16 r1" },
	{ "goto pc+32768", "line 1: not an instruction: goto pc+32768" },
	{ "if w1 > r2 goto pc+1", "line 1: not an instruction: if w1 > r2 goto pc+1" },
	{ "call bpf_no_such_thing", "line 1: not an instruction: call bpf_no_such_thing" },
	{ "exit\x01", "line 1: byte 0x01 is not text" },
};

START_TEST(other_text_is_refused_by_line)
{
	struct ebpf_insn *insns = NULL;
	struct ebpf_err err;
	size_t n = 99;

	ck_assert_int_eq(ebpf_asm(refused[_i].text, strlen(refused[_i].text), &insns, &n, &err),
			 -EINVAL);
	ck_assert_str_eq(err.text, refused[_i].err);
	ck_assert_ptr_null(insns);
	ck_assert_uint_eq(n, 99);
}
END_TEST

START_TEST(what_is_no_instruction_is_unknown)
{
	struct ebpf_insn unknown = { .code = 0xff }, half = { .code = EBPF_LD | EBPF_DW };
	char line[EBPF_DISASM_SIZE], small[8];

	ck_assert_uint_eq(ebpf_disasm(&unknown, 1, line, sizeof(line)), 1);
	ck_assert_str_eq(line, "(ff) unknown");
	ck_assert_uint_eq(ebpf_disasm(&half, 1, line, sizeof(line)), 1);
	ck_assert_str_eq(line, "(18) unknown");
	ck_assert_uint_eq(ebpf_disasm(&unknown, 1, small, sizeof(small)), 1);
	ck_assert_str_eq(small, "(ff) un");
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("ebpf/asm");
	TCase *tc = tcase_create("notation");

	tcase_add_test(tc, what_is_written_is_read_back);
	tcase_add_loop_test(tc, bpftool_lines_are_read_and_written_as_they_are, 0,
			    N_ELEMS(bpftool_lines));
	tcase_add_test(tc, a_program_has_lines_numbers_and_comments);
	tcase_add_test(tc, helpers_have_names);
	tcase_add_loop_test(tc, other_text_is_refused_by_line, 0, N_ELEMS(refused));
	tcase_add_test(tc, what_is_no_instruction_is_unknown);
	suite_add_tcase(s, tc);
	return s;
}
