/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The readers: what is printed reads back as what it was; rows of what else
 * people write, and of what is refused and why; and damaged input, which may
 * be refused or not but never crashes, and says one line.
 */
#include "cbpf/insn.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"

#define N_FORMS (CBPF_FORM_RAW + 1)

#define RET_K   (CBPF_RET | CBPF_K)
#define LDH_ABS (CBPF_LD | CBPF_H | CBPF_ABS)
#define JEQ_K   (CBPF_JMP | CBPF_JEQ | CBPF_K)
#define JA      (CBPF_JMP | CBPF_JA)
#define INSN(code, jt, jf, k) { (code), (jt), (jf), (k) }

/* ---- what is read ---- */

struct good {
	enum cbpf_form form;    /* which AUTO finds too */
	const char *text;
	struct cbpf_insn insns[6];
	size_t n;
};

static const struct good good[] = {
	/* D: as libpcap prints, as others do, and with less care for blanks */
	{ CBPF_FORM_D,
	  "(000) ldh      [12]\n(001) jeq      #0x800           jt 2\tjf 3\n"
	  "(002) ret      #262144\n(003) ret      #0\n",
	  { INSN(0x28, 0, 0, 12), INSN(0x15, 0, 1, 0x800), INSN(6, 0, 0, 262144),
	    INSN(6, 0, 0, 0) }, 4 },
	{ CBPF_FORM_D, "(000) ld #pktlen\n(001) ldx #pktlen\n(002) ret", { INSN(0x80, 0, 0, 0),
	    INSN(0x81, 0, 0, 0), INSN(0x16, 0, 0, 0) }, 3 },
	{ CBPF_FORM_D, "\n (0) ld [ proto ]\r\n\n(1)ldb [x+-4]\n(2) ldxb 4 * ( [ 14 ] & 0xf )\n",
	  { INSN(0x20, 0, 0, 0xfffff000), INSN(0x50, 0, 0, 0xfffffffc), INSN(0xb1, 0, 0, 14) }, 3 },
	{ CBPF_FORM_D, "(000) ld M[15]\n(001) jset x jt 2 jf 257\n(002) ja 0\n(003) unimp 0x81\n"
	  "(004) unimp 0x95 jt 5 jf 6\n",
	  { INSN(0x60, 0, 0, 15), INSN(0x4d, 0, 255, 0), INSN(5, 0, 0, 0xfffffffd),
	    INSN(0x81, 0, 0, 0), INSN(0x95, 0, 1, 0) }, 5 },
	{ CBPF_FORM_D, "(000) ja -2147483641", { INSN(5, 0, 0, 0x80000006) }, 1 },
	/* DD: tcpdump, bpf_asm -c, and what people write */
	{ CBPF_FORM_DD, "{ 0x28, 0, 0, 0x0000000c },\n{ 0x6, 0, 0, 0x00000000 },\n",
	  { INSN(0x28, 0, 0, 12), INSN(6, 0, 0, 0) }, 2 },
	{ CBPF_FORM_DD, "{ 0x28,  0,  0, 0x0000000c },\n{ 0x15,  0, 255, 0000000000 },\n"
	  "{ 0000,  0,  0, 0xffffffff }", { INSN(0x28, 0, 0, 12), INSN(0x15, 0, 255, 0),
	    INSN(0, 0, 0, 0xffffffff) }, 3 },
	{ CBPF_FORM_DD, "BPF_STMT(BPF_LD+BPF_H+BPF_ABS, 12), /* type */\n"
	  "BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x800u, 0, 1), // IPv4\n"
	  "BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_PKTTYPE),\n"
	  "BPF_STMT((BPF_RET | (BPF_K)), -1UL),",
	  { INSN(0x28, 0, 0, 12), INSN(0x15, 0, 1, 0x800), INSN(0x20, 0, 0, 0xfffff004),
	    INSN(6, 0, 0, 0xffffffff) }, 4 },
	{ CBPF_FORM_DD, "static const struct sock_filter code[] = {\n\t{ 22, 1, 2, 0x10, },\n};\n",
	  { INSN(22, 1, 2, 16) }, 1 },
	{ CBPF_FORM_DD, "/* one */ struct bpf_insn a [1] = { BPF_STMT(6, 017) }",
	  { INSN(6, 0, 0, 15) }, 1 },
	/* DDD */
	{ CBPF_FORM_DDD, "2\n40 0 0 12\n6 0 0 4294967295\n",
	  { INSN(40, 0, 0, 12), INSN(6, 0, 0, 0xffffffff) }, 2 },
	{ CBPF_FORM_DDD, " 2 \r\n 65535 255\t255 0 \r\n\n6 0 0 1",
	  { INSN(65535, 255, 255, 0), INSN(6, 0, 0, 1) }, 2 },
	/* XT_BPF, with a comma at the end and without */
	{ CBPF_FORM_XT_BPF, "2,40 0 0 12,6 0 0 1,\n", { INSN(40, 0, 0, 12), INSN(6, 0, 0, 1) }, 2 },
	{ CBPF_FORM_XT_BPF, "2, 40 0 0 12, 6 0 0 1", { INSN(40, 0, 0, 12), INSN(6, 0, 0, 1) }, 2 },
	{ CBPF_FORM_XT_BPF, "1,6 0 0 010", { INSN(6, 0, 0, 10) }, 1 },
	/* HEX */
	{ CBPF_FORM_HEX, "280000000C000000 0600000001000000\n",
	  { INSN(0x28, 0, 0, 12), INSN(6, 0, 0, 1) }, 2 },
	{ CBPF_FORM_HEX, "06 00 01 02 78 56 34 12\n", { INSN(6, 1, 2, 0x12345678) }, 1 },
	{ CBPF_FORM_HEX, "b1000000\n0e000000\n", { INSN(0xb1, 0, 0, 14) }, 1 },
	{ CBPF_FORM_HEX, "06000000\n01000000\n", { INSN(6, 0, 0, 1) }, 1 },
	/* BPF_ASM: labels */
	{ CBPF_FORM_BPF_ASM, "ldh [12]\njne #0x800, drop\nret #-1\ndrop: ret #0\n",
	  { INSN(0x28, 0, 0, 12), INSN(0x15, 0, 1, 0x800), INSN(6, 0, 0, 0xffffffff),
	    INSN(6, 0, 0, 0) }, 4 },
	{ CBPF_FORM_BPF_ASM, "again: jeq x,yes,no no: ja again yes: Yes: ret x",
	  { INSN(0x1d, 1, 0, 0), INSN(5, 0, 0, 0xfffffffe), INSN(14, 0, 0, 0) }, 3 },
	{ CBPF_FORM_BPF_ASM, "jgt %x, la\nla: ret #1\nla: ret #2\njmp_ : jmp jmp_",
	  { INSN(0x2d, 0, 0, 0), INSN(6, 0, 0, 1), INSN(6, 0, 0, 2), INSN(5, 0, 0, 0xffffffff) },
	  4 },
	{ CBPF_FORM_BPF_ASM, "jlt #1,end jle #2,end jneq #3,end jset #4,end jge #5,end\nend: tax",
	  { INSN(0x35, 0, 4, 1), INSN(0x25, 0, 3, 2), INSN(0x15, 0, 2, 3), INSN(0x45, 1, 0, 4),
	    INSN(0x35, 0, 0, 5), INSN(7, 0, 0, 0) }, 6 },
	/* ... addresses */
	{ CBPF_FORM_BPF_ASM, "ld [x+4] ldh [x + 4] ldb [%x + -4] LDB [X+0x10] ld [-1] ld m[3]",
	  { INSN(0x40, 0, 0, 4), INSN(0x48, 0, 0, 4), INSN(0x50, 0, 0, 0xfffffffc),
	    INSN(0x50, 0, 0, 16), INSN(0x20, 0, 0, 0xffffffff), INSN(0x60, 0, 0, 3) }, 6 },
	{ CBPF_FORM_BPF_ASM, "ldx 4*([14]&0xf) ldxb 4 * ([0xe] & 15) ldx M[1] st M[16] stx M[2]",
	  { INSN(0xb1, 0, 0, 14), INSN(0xb1, 0, 0, 14), INSN(0x61, 0, 0, 1), INSN(2, 0, 0, 16),
	    INSN(3, 0, 0, 2) }, 5 },
	{ CBPF_FORM_BPF_ASM, "ldi 5 ldi #6 ldxi 7 ldxi #8 ld #9 ldx #10",
	  { INSN(0, 0, 0, 5), INSN(0, 0, 0, 6), INSN(1, 0, 0, 7), INSN(1, 0, 0, 8),
	    INSN(0, 0, 0, 9), INSN(1, 0, 0, 10) }, 6 },
	{ CBPF_FORM_BPF_ASM, "ld len ld #len ldx len ldx #LEN ret a ret %a",
	  { INSN(0x80, 0, 0, 0), INSN(0x80, 0, 0, 0), INSN(0x81, 0, 0, 0), INSN(0x81, 0, 0, 0),
	    INSN(0x16, 0, 0, 0), INSN(0x16, 0, 0, 0) }, 6 },
	/* ... ancillary data: all names */
	{ CBPF_FORM_BPF_ASM, "ld proto ldh #type ldb poff ld ifidx ld nla ld nlan",
	  { INSN(0x20, 0, 0, 0xfffff000), INSN(0x28, 0, 0, 0xfffff004),
	    INSN(0x30, 0, 0, 0xfffff034), INSN(0x20, 0, 0, 0xfffff008),
	    INSN(0x20, 0, 0, 0xfffff00c), INSN(0x20, 0, 0, 0xfffff010) }, 6 },
	{ CBPF_FORM_BPF_ASM, "ld mark ld queue ld hatype ld rxhash ld cpu ld vlan_tci",
	  { INSN(0x20, 0, 0, 0xfffff014), INSN(0x20, 0, 0, 0xfffff018),
	    INSN(0x20, 0, 0, 0xfffff01c), INSN(0x20, 0, 0, 0xfffff020),
	    INSN(0x20, 0, 0, 0xfffff024), INSN(0x20, 0, 0, 0xfffff02c) }, 6 },
	{ CBPF_FORM_BPF_ASM, "ld vlan_avail ld vlan_pr ld vlan_tpid ld rand",
	  { INSN(0x20, 0, 0, 0xfffff030), INSN(0x20, 0, 0, 0xfffff030),
	    INSN(0x20, 0, 0, 0xfffff03c), INSN(0x20, 0, 0, 0xfffff038) }, 4 },
	/* ... arithmetic */
	{ CBPF_FORM_BPF_ASM, "add #1 sub x mul %x div #2 mod x neg",
	  { INSN(4, 0, 0, 1), INSN(0x1c, 0, 0, 0), INSN(0x2c, 0, 0, 0), INSN(0x34, 0, 0, 2),
	    INSN(0x9c, 0, 0, 0), INSN(0x84, 0, 0, 0) }, 6 },
	{ CBPF_FORM_BPF_ASM, "or #1 and x xor #2 lsh x rsh #3 txa",
	  { INSN(0x44, 0, 0, 1), INSN(0x5c, 0, 0, 0), INSN(0xa4, 0, 0, 2), INSN(0x6c, 0, 0, 0),
	    INSN(0x74, 0, 0, 3), INSN(0x87, 0, 0, 0) }, 6 },
	/* ... numbers: all bases, cut to 32 bits */
	{ CBPF_FORM_BPF_ASM, "ret #0x1ffffffff ret #4294967296 ret #017 ret #0b101 ret #+4 ret #0",
	  { INSN(6, 0, 0, 0xffffffff), INSN(6, 0, 0, 0), INSN(6, 0, 0, 15), INSN(6, 0, 0, 5),
	    INSN(6, 0, 0, 4), INSN(6, 0, 0, 0) }, 6 },
	/* ... comments */
	{ CBPF_FORM_BPF_ASM, "# one\n; two\n/* three\n */ ret /* four */ a ; five\n#six",
	  { INSN(0x16, 0, 0, 0) }, 1 },
	{ CBPF_FORM_BPF_ASM, "ret\n#5\n #7", { INSN(6, 0, 0, 7) }, 1 },
};

/*
 * Each of Check's assertions is a system call: where they are made by the
 * million a plain if comes first.
 */
static void
ck_assert_same_insns(const struct cbpf_insn *insns, size_t n, const struct cbpf_insn *expected,
		     size_t n_expected)
{
	if (n != n_expected)
		ck_abort_msg("%zu instructions, not %zu", n, n_expected);
	for (size_t i = 0; i < n; i++) {
		const struct cbpf_insn *a = &insns[i], *b = &expected[i];

		if (a->code != b->code || a->jt != b->jt || a->jf != b->jf || a->k != b->k)
			ck_abort_msg("insn %zu: { %#x, %d, %d, %#x }, not { %#x, %d, %d, %#x }", i,
				     a->code, a->jt, a->jf, a->k, b->code, b->jt, b->jf, b->k);
	}
}

static void
ck_assert_reads(const char *text, size_t len, enum cbpf_form form, const struct cbpf_insn *expected,
		size_t n_expected)
{
	struct cbpf_insn *insns = NULL;
	struct ebpf_err err = { "" };
	size_t n;

	if (cbpf_read(text, len, form, &insns, &n, &err) < 0)
		ck_abort_msg("%s in:\n%s", err.text, form == CBPF_FORM_RAW ? "(binary)" : text);
	ck_assert_same_insns(insns, n, expected, n_expected);
	free(insns);
}

START_TEST(reads)
{
	const struct good *row = &good[_i];

	ck_assert_reads(row->text, strlen(row->text), row->form, row->insns, row->n);
	ck_assert_reads(row->text, strlen(row->text), CBPF_FORM_AUTO, row->insns, row->n);
}
END_TEST

START_TEST(reads_raw_as_little_endian)
{
	static const char bytes[] = "\x06\x00\x01\x02\x78\x56\x34\x12";
	static const struct cbpf_insn expected = INSN(6, 1, 2, 0x12345678);

	ck_assert_reads(bytes, 8, CBPF_FORM_RAW, &expected, 1);
	ck_assert_reads(bytes, 8, CBPF_FORM_AUTO, &expected, 1);
}
END_TEST

/* ---- what is refused ---- */

static const struct {
	enum cbpf_form form;
	const char *text;
	const char *err;
	int rc;                 /* 0: -EINVAL */
} bad[] = {
	{ CBPF_FORM_AUTO, "", "offset 0: no instructions", 0 },
	{ CBPF_FORM_AUTO, " \n\t\n", "offset 4: no instructions", 0 },
	{ (enum cbpf_form)8, "x", "unknown form 8", 0 },
	/* D */
	{ CBPF_FORM_D, "", "offset 0: no instructions", 0 },
	{ CBPF_FORM_D, "(000) ret #0\n(002) ret #0", "line 2: instruction 2, expected 1", 0 },
	{ CBPF_FORM_D, "(000) frob #0", "line 1: no such instruction", 0 },
	{ CBPF_FORM_D, "(000) ldx [4]", "line 1: no such instruction", 0 },
	{ CBPF_FORM_D, "(000) ret #0 #1", "line 1: expected the end of the line, found '#'", 0 },
	{ CBPF_FORM_D, "(000", "line 1: expected ')', found the end of the text", 0 },
	{ CBPF_FORM_D, "(000)\nret #0",
	  "line 1: expected an instruction, found the end of the line",
	  0 },
	{ CBPF_FORM_D, "(000) jeq #0 jt 1", "line 1: expected jf, found the end of the text", 0 },
	{ CBPF_FORM_D, "(000) ret #0\n(001) jeq #0 jt 1 jf 3",
	  "line 2: jt 1, but from 1 on 2 to 257 can be reached", 0 },
	{ CBPF_FORM_D, "(000) jeq #0 jt 1 jf 257",
	  "line 1: jf 257, but from 0 on 1 to 256 can be reached", 0 },
	{ CBPF_FORM_D, "(000) ret #4294967296", "line 1: number does not fit into 32 bits", 0 },
	{ CBPF_FORM_D, "(000) ret #-2147483649", "line 1: number does not fit into 32 bits", 0 },
	{ CBPF_FORM_D, "(000) ld [nonsense]",
	  "line 1: expected a number, x or the name of ancillary data, found 'nonsense'", 0 },
	{ CBPF_FORM_D, "(000) ldxb 4*([14]&0xff)", "line 1: the only product is 4*([k]&0xf)", 0 },
	{ CBPF_FORM_D, "(000) unimp 0x10000", "line 1: no such instruction", 0 },
	/* DD */
	{ CBPF_FORM_DD, "{ 0x28, 0, 0 }", "line 1: expected ',', found '}'", 0 },
	{ CBPF_FORM_DD, "{ 0x28, 0, 0, 12", "line 1: expected '}', found the end of the text", 0 },
	{ CBPF_FORM_DD, "{ 6, 0, 0, 1 }\n{ 6, 0, 0, 1 }", "line 2: expected ',', found '{'", 0 },
	{ CBPF_FORM_DD, "{ 65536, 0, 0, 1 }", "line 1: code is 65536, not in 0 to 65535", 0 },
	{ CBPF_FORM_DD, "{ 6, 256, 0, 1 }", "line 1: jt is 256, not in 0 to 255", 0 },
	{ CBPF_FORM_DD, "{ 6, 0, -1, 1 }", "line 1: jf is -1, not in 0 to 255", 0 },
	{ CBPF_FORM_DD, "{ 6, 0, 0, 0x100000000 }", "line 1: number does not fit into 32 bits", 0 },
	{ CBPF_FORM_DD, "{ 6, 0, 0, 0xffffffff + 1 }", "line 1: sum does not fit into 32 bits", 0 },
	{ CBPF_FORM_DD, "{ 6, 0, 0, -0xffffffff }",
	  "line 1: k is -4294967295, not in -2147483648 to 4294967295", 0 },
	{ CBPF_FORM_DD, "{ 6, 0, 0, 08 }", "line 1: '8' is no digit of this number", 0 },
	{ CBPF_FORM_DD, "BPF_STMT(BPF_NONE, 1)",
	  "line 1: expected a number or one of the BPF_ and SKF_ names, found 'BPF_NONE'", 0 },
	{ CBPF_FORM_DD, "BPF_JUMP(1, 2, 3)", "line 1: expected ',', found ')'", 0 },
	{ CBPF_FORM_DD, "int x;", "line 1: expected '{', BPF_STMT or BPF_JUMP, found 'int'", 0 },
	{ CBPF_FORM_DD, "struct sock_filter code[];",
	  "line 1: expected '=', found the end of the text", 0 },
	{ CBPF_FORM_DD, "struct sock_filter code[] = { { 6, 0, 0, 1 },\n",
	  "line 2: expected '}', found the end of the text", 0 },
	{ CBPF_FORM_DD, "/* {", "line 1: expected '{', BPF_STMT or BPF_JUMP, found '/'", 0 },
	{ CBPF_FORM_DD, "{ ((((((((((((((((((6", "line 1: parentheses deeper than 16", 0 },
	{ CBPF_FORM_DD, "{ ------------------6", "line 1: parentheses deeper than 16", 0 },
	/* DDD */
	{ CBPF_FORM_DDD, "",
	  "line 1: expected the number of instructions, found the end of the text",
	  0 },
	{ CBPF_FORM_DDD, "0\n", "offset 2: no instructions", 0 },
	{ CBPF_FORM_DDD, "2\n6 0 0 1\n", "line 3: 2 instructions announced, found 1", 0 },
	{ CBPF_FORM_DDD, "2\n6 0 0 1", "line 2: 2 instructions announced, found 1", 0 },
	{ CBPF_FORM_DDD, "1\n6 0 0 1\n6 0 0 1\n",
	  "line 3: 1 instructions announced, but there is more",
	  0 },
	{ CBPF_FORM_DDD, "1\n6 0 0\n", "line 2: expected k, found the end of the line", 0 },
	{ CBPF_FORM_DDD, "1\n6 0 0 x\n", "line 2: expected k, found 'x'", 0 },
	{ CBPF_FORM_DDD, "1\n65536 0 0 1\n", "line 2: a code is over 65535", 0 },
	{ CBPF_FORM_DDD, "1\n6 256 0 1\n", "line 2: jt is over 255", 0 },
	{ CBPF_FORM_DDD, "1\n6 0 256 1\n", "line 2: jf is over 255", 0 },
	{ CBPF_FORM_DDD, "1\n6 0 0 4294967296\n", "line 2: k is over 4294967295", 0 },
	{ CBPF_FORM_DDD, "1\n6 0 0 -1\n", "line 2: expected k, found '-'", 0 },
	{ CBPF_FORM_DDD, "1000001\n6 0 0 1\n",
	  "line 1: 1000001 instructions announced, limit is 1000000",
	  -E2BIG },
	{ CBPF_FORM_DDD, "99999999999999999999999\n",
	  "line 1: 18446744073709551615 instructions announced, limit is 1000000", -E2BIG },
	{ CBPF_FORM_DDD, "1 6 0 0 1\n", "line 1: expected the end of the line, found '6'", 0 },
	/* XT_BPF */
	{ CBPF_FORM_XT_BPF, "2,6 0 0 1,", "offset 10: 2 instructions announced, found 1", 0 },
	{ CBPF_FORM_XT_BPF, "1,6 0 0 1,,", "offset 10: 1 instructions announced, but there is more",
	  0 },
	{ CBPF_FORM_XT_BPF, "1,6 0 0,", "offset 7: expected k, found ','", 0 },
	{ CBPF_FORM_XT_BPF, "1;6 0 0", "offset 1: expected ',', found ';'", 0 },
	/* HEX */
	{ CBPF_FORM_HEX, "", "offset 0: no instructions", 0 },
	{ CBPF_FORM_HEX, "28000000", "offset 8: the last instruction has 4 bytes of 8", 0 },
	{ CBPF_FORM_HEX, "280000000c00000", "offset 15: expected a byte's second hex digit, "
	  "found the end of the text", 0 },
	{ CBPF_FORM_HEX, "2800zz", "offset 4: expected a hex digit, found 'zz'", 0 },
	{ CBPF_FORM_HEX, "28\033[0m", "offset 2: expected a hex digit, found byte 0x1b", 0 },
	/* RAW */
	{ CBPF_FORM_RAW, "", "offset 0: no instructions", 0 },
	{ CBPF_FORM_RAW, "123456789", "offset 8: the last instruction has 1 bytes of 8", 0 },
	/* BPF_ASM */
	{ CBPF_FORM_BPF_ASM, "; nothing\n", "offset 10: no instructions", 0 },
	{ CBPF_FORM_BPF_ASM, "ret a # x",
	  "line 1: expected an instruction or a label, found '#'", 0 },
	{ CBPF_FORM_BPF_ASM, "ret a\nfrob #1", "line 2: expected an instruction, found 'frob'", 0 },
	{ CBPF_FORM_BPF_ASM, "L: ret a", "line 1: label 'L' has one character, needs two", 0 },
	{ CBPF_FORM_BPF_ASM, "mark: ret a", "line 1: 'mark' cannot be a label", 0 },
	{ CBPF_FORM_BPF_ASM, "ldxi: ret a", "line 1: 'ldxi' cannot be a label", 0 },
	{ CBPF_FORM_BPF_ASM, "ret a\nend:\n",
	  "line 3: expected an instruction behind the label, found the end of the text", 0 },
	{ CBPF_FORM_BPF_ASM, "\nja nowhere\nret a", "line 2: no label 'nowhere'", 0 },
	{ CBPF_FORM_BPF_ASM, "jeq #1, End\nend: ret a", "line 1: no label 'End'", 0 },
	{ CBPF_FORM_BPF_ASM, "back: ret a\njeq #1, back",
	  "line 2: label 'back' lies behind: a test cannot jump there", 0 },
	{ CBPF_FORM_BPF_ASM, "jne #1, aa, bb\naa: ret a\nbb: ret a",
	  "line 1: expected an instruction or a label, found ','", 0 },
	{ CBPF_FORM_BPF_ASM, "jeq #1", "line 1: expected ',', found the end of the text", 0 },
	{ CBPF_FORM_BPF_ASM, "jeq #1, len", "line 1: expected a label, found 'len'", 0 },
	{ CBPF_FORM_BPF_ASM, "ja 5", "line 1: expected a label, found '5'", 0 },
	{ CBPF_FORM_BPF_ASM, "ld 5", "line 1: 'ld' takes no such operand", 0 },
	{ CBPF_FORM_BPF_ASM, "ldi [5]", "line 1: 'ldi' takes no such operand", 0 },
	{ CBPF_FORM_BPF_ASM, "ldx [5]", "line 1: 'ldx' takes no such operand", 0 },
	{ CBPF_FORM_BPF_ASM, "ldh len", "line 1: 'ldh' takes no such operand", 0 },
	{ CBPF_FORM_BPF_ASM, "ldx proto", "line 1: 'ldx' takes no such operand", 0 },
	{ CBPF_FORM_BPF_ASM, "ldxb 2*([1]&0xf)", "line 1: the only product is 4*([k]&0xf)", 0 },
	{ CBPF_FORM_BPF_ASM, "ld [proto]", "line 1: expected a number or x, found 'proto'", 0 },
	{ CBPF_FORM_BPF_ASM, "ld [%y + 1]", "line 1: expected x, found 'y'", 0 },
	{ CBPF_FORM_BPF_ASM, "ld [x - 4]", "line 1: expected '+', found '-'", 0 },
	{ CBPF_FORM_BPF_ASM, "ret #08", "line 1: '8' is no digit of this number", 0 },
	{ CBPF_FORM_BPF_ASM, "ret #0x", "line 1: expected a digit, found the end of the text", 0 },
	{ CBPF_FORM_BPF_ASM, "ret #0b12", "line 1: '2' is no digit of this number", 0 },
	{ CBPF_FORM_BPF_ASM, "ret", "line 1: expected a number, found the end of the text", 0 },
	{ CBPF_FORM_BPF_ASM, "ret b", "line 1: expected an operand, found 'b'", 0 },
	{ CBPF_FORM_BPF_ASM, "ret a /* open",
	  "line 1: expected an instruction or a label, found '/'",
	  0 },
};

START_TEST(refuses)
{
	struct cbpf_insn *const untouched = (struct cbpf_insn *)(uintptr_t)&good;
	struct cbpf_insn *insns = untouched;
	struct ebpf_err err = { "" };
	size_t n = 77;
	int rc = cbpf_read(bad[_i].text, strlen(bad[_i].text), bad[_i].form, &insns, &n, &err);

	ck_assert_str_eq(err.text, bad[_i].err);
	ck_assert_int_eq(rc, bad[_i].rc != 0 ? bad[_i].rc : -EINVAL);
	ck_assert_ptr_eq(insns, untouched);
	ck_assert_uint_eq(n, 77);
	ck_assert_int_eq(cbpf_read(bad[_i].text, strlen(bad[_i].text), bad[_i].form, &insns, &n,
				   NULL), rc);
}
END_TEST

/* A test reaches 255 instructions over, and not one more. */
START_TEST(refuses_labels_out_of_reach)
{
	char text[256 * 4 + 64] = "jeq #1, far\n";
	struct cbpf_insn *insns = NULL;
	struct ebpf_err err = { "" };
	size_t n = 0;

	for (int i = 0; i < 255; i++)
		strcat(text, "tax\n");
	strcat(text, "far: tax\n");
	ck_assert_int_eq(cbpf_read(text, strlen(text), CBPF_FORM_BPF_ASM, &insns, &n, &err), 0);
	ck_assert_uint_eq(insns[0].jt, 255);
	free(insns);
	memcpy(strstr(text, "far: "), "tax\nfar: tax\n", sizeof("tax\nfar: tax\n"));
	ck_assert_int_eq(cbpf_read(text, strlen(text), CBPF_FORM_BPF_ASM, &insns, &n, &err),
			 -EINVAL);
	ck_assert_str_eq(err.text, "line 1: label 'far' is 256 instructions away, limit is 255");
}
END_TEST

/* ---- round trips ---- */

static struct cbpf_insn
random_insn(uint64_t *rng)
{
	struct cbpf_insn insn = {
		.code = cbpf_ops[rng_below(rng, CBPF_N_OPS)].code,
		.jt = (uint8_t)rng_next(rng),
		.jf = (uint8_t)rng_next(rng),
		.k = (uint32_t)(rng_next(rng) >> rng_below(rng, 32)),
	};

	switch (rng_below(rng, 4)) {
	case 0:
		insn.k = 0xfffff000 + rng_below(rng, 70);
		break;
	case 1:
		insn.k = 0 - insn.k;
		break;
	default:
		break;
	}
	return insn;
}

/* What D and BPF_ASM leave out, left out. */
static struct cbpf_insn
bare_insn(struct cbpf_insn insn)
{
	int op = cbpf_op_of(insn.code);

	if (CBPF_CLASS(insn.code) != CBPF_JMP || (insn.code & 0xf0) == CBPF_JA)
		insn.jt = insn.jf = 0;
	if (op < 0)
		insn.k = 0;
	switch (op < 0 ? CBPF_SHAPE_IMM : cbpf_ops[op].shape) {
	case CBPF_SHAPE_NONE:
	case CBPF_SHAPE_LEN:
	case CBPF_SHAPE_ALU_X:
	case CBPF_SHAPE_JMP_X:
	case CBPF_SHAPE_RET_A:
		insn.k = 0;
		break;
	default:
		break;
	}
	return insn;
}

/* Labels are only found in the program. */
static void
keep_jumps_inside(struct cbpf_insn *insns, size_t n)
{
	for (size_t pc = 0; pc < n; pc++) {
		size_t left = n - pc - 1;

		if (CBPF_CLASS(insns[pc].code) != CBPF_JMP)
			continue;
		if (insns[pc].code == JA)
			insns[pc].k = (uint32_t)(insns[pc].k % n - pc - 1);
		else if (left == 0)
			insns[pc] = (struct cbpf_insn)INSN(RET_K, 0, 0, 1);
		else
			insns[pc] = (struct cbpf_insn)INSN(insns[pc].code,
							   (uint8_t)(insns[pc].jt % left),
							   (uint8_t)(insns[pc].jf % left),
							   insns[pc].k);
	}
}

START_TEST(reads_what_is_printed)
{
	uint64_t rng = suite_seed(0x72656164), n_programs = suite_scaled(3000);
	enum cbpf_form form = (enum cbpf_form)_i;
	bool is_bare = form == CBPF_FORM_D || form == CBPF_FORM_BPF_ASM;

	for (uint64_t i = 0; i < n_programs; i++) {
		struct cbpf_insn insns[300];
		size_t n = 1 + rng_below(&rng, i % 20 == 0 ? N_ELEMS(insns) : 20), len;
		char *text = NULL;

		for (size_t j = 0; j < n; j++) {
			insns[j] = random_insn(&rng);
			/* Any code at all where the form can say it. */
			if (form != CBPF_FORM_BPF_ASM && rng_below(&rng, 9) == 0)
				insns[j].code = (uint16_t)rng_next(&rng);
		}
		if (form == CBPF_FORM_BPF_ASM)
			keep_jumps_inside(insns, n);
		if (cbpf_print(insns, n, form, &text, &len, NULL) < 0)
			ck_abort_msg("not printed");
		for (size_t j = 0; is_bare && j < n; j++)
			insns[j] = bare_insn(insns[j]);
		ck_assert_reads(text, len, form, insns, n);
		/* Bytes of a raw program may happen to look like text. */
		if (form != CBPF_FORM_RAW)
			ck_assert_reads(text, len, CBPF_FORM_AUTO, insns, n);
		free(text);
	}
}
END_TEST

/* ---- damaged input ---- */

/* One printable line that begins with where. */
static bool
is_located(const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			return false;
	return strncmp(text, "line ", 5) == 0 || strncmp(text, "offset ", 7) == 0;
}

/* Of whatever it is told: an answer, and where refused one printable line. */
static int
survive(const char *text, size_t len, enum cbpf_form form)
{
	struct cbpf_insn *insns = NULL;
	struct ebpf_err err = { "" };
	size_t n = 0;
	/* A copy of its exact size: one byte over is an error to a sanitizer. */
	char *copy = malloc(len > 0 ? len : 1);
	int rc;

	if (copy == NULL)
		ck_abort_msg("out of memory");
	memcpy(copy, text, len);
	rc = cbpf_read(copy, len, form, &insns, &n, &err);
	if (rc == 0 && (n == 0 || insns == NULL || err.text[0] != '\0'))
		ck_abort_msg("%zu instructions and '%s'", n, err.text);
	if (rc < 0 && ((rc != -EINVAL && rc != -E2BIG) || insns != NULL || !is_located(err.text)))
		ck_abort_msg("%d and '%s'", rc, err.text);
	free(insns);
	free(copy);
	return rc;
}

/* Each prefix; a cut in the middle of a program of several lines is noticed where lines count. */
START_TEST(survives_each_prefix)
{
	const struct good *row = &good[_i];

	for (size_t len = 0; len < strlen(row->text); len++) {
		survive(row->text, len, row->form);
		survive(row->text, len, CBPF_FORM_AUTO);
	}
}
END_TEST

START_TEST(notices_truncation_of_counted_forms)
{
	static const struct cbpf_insn insns[] = { INSN(LDH_ABS, 0, 0, 12), INSN(JEQ_K, 0, 1, 2048),
						  INSN(RET_K, 0, 0, 65), INSN(RET_K, 0, 0, 70) };
	static const enum cbpf_form forms[] = { CBPF_FORM_DDD, CBPF_FORM_XT_BPF };

	for (size_t i = 0; i < N_ELEMS(forms); i++) {
		char *text = NULL;
		size_t len;

		ck_assert_int_eq(cbpf_print(insns, N_ELEMS(insns), forms[i], &text, &len, NULL),
				 0);
		/* Less the newline and the last digit, whose loss nobody can see. */
		for (size_t cut = 0; cut + 2 < len; cut++)
			ck_assert_int_eq(survive(text, cut, forms[i]), -EINVAL);
		free(text);
	}
}
END_TEST

START_TEST(survives_random_bytes)
{
	static const char alphabet[] = "(){}[]#&*+-,:;/xXaM0123456789 \n\tldhbsteqjrufjtBPF_";
	uint64_t rng = suite_seed(0x66757a7a), n = suite_scaled(20000);

	for (uint64_t i = 0; i < n; i++) {
		char text[64];
		size_t len = rng_below(&rng, sizeof(text));

		for (size_t j = 0; j < len; j++)
			text[j] = i % 2 ? (char)rng_next(&rng)
					: alphabet[rng_below(&rng, sizeof(alphabet) - 1)];
		for (int form = CBPF_FORM_AUTO; form < N_FORMS; form++)
			survive(text, len, (enum cbpf_form)form);
	}
}
END_TEST

START_TEST(survives_mutations)
{
	uint64_t rng = suite_seed(0x6d757461), n = suite_scaled(60000);

	for (uint64_t i = 0; i < n; i++) {
		const struct good *row = &good[rng_below(&rng, N_ELEMS(good))];
		size_t len = strlen(row->text);
		char text[512];

		if (len >= sizeof(text))
			ck_abort_msg("a row of %zu bytes", len);
		memcpy(text, row->text, len);
		for (uint32_t j = 0; j <= rng_below(&rng, 3); j++) {
			size_t at = rng_below(&rng, (uint32_t)len);

			if (rng_below(&rng, 2))
				text[at] = (char)rng_next(&rng);
			else
				memmove(text + at, text + at + 1, --len - at);
		}
		survive(text, len, row->form);
		survive(text, len, CBPF_FORM_AUTO);
	}
}
END_TEST

/* ---- size ---- */

static const struct {
	enum cbpf_form form;
	const char *insn;
} repeated[] = {
	{ CBPF_FORM_DD, "{6,0,0,1}," },
	{ CBPF_FORM_BPF_ASM, "tax\n" },
	{ CBPF_FORM_BPF_ASM, "l_: ja l_\n" },
	{ CBPF_FORM_HEX, "0600000001000000" },
	{ CBPF_FORM_RAW, "12345678" },
};

/* n times the text of an instruction, the caller frees it. */
static char *
repeat(const char *text, size_t n, size_t *len)
{
	size_t one = strlen(text);
	char *all = malloc(n * one + 1);

	ck_assert_ptr_nonnull(all);
	for (size_t i = 0; i < n; i++)
		memcpy(all + i * one, text, one);
	*len = n * one;
	return all;
}

/* A million instructions take a while: with a share of TEST_SCALE one form of n is read. */
static bool
is_left_out(size_t i, size_t n)
{
	return suite_scaled(100) < 100 && i != suite_seed(0) % n;
}

START_TEST(limits_the_number)
{
	struct cbpf_insn *insns = NULL;
	struct ebpf_err err = { "" };
	size_t n = 0, len, one = strlen(repeated[_i].insn);
	char *text;

	if (is_left_out((size_t)_i, N_ELEMS(repeated)))
		return;
	text = repeat(repeated[_i].insn, EBPF_MAXINSNS + 1, &len);
	ck_assert_int_eq(cbpf_read(text, len - one, repeated[_i].form, &insns, &n, &err), 0);
	ck_assert_uint_eq(n, EBPF_MAXINSNS);
	free(insns);
	ck_assert_int_eq(cbpf_read(text, len, repeated[_i].form, &insns, &n, &err), -E2BIG);
	ck_assert_ptr_nonnull(strstr(err.text, ": more than 1000000 instructions"));
	free(text);
}
END_TEST

START_TEST(limits_the_number_of_listed_ones)
{
	static const enum cbpf_form forms[] = { CBPF_FORM_D, CBPF_FORM_DDD, CBPF_FORM_XT_BPF };
	struct cbpf_insn *many = calloc(EBPF_MAXINSNS + 1, sizeof(*many)), *insns = NULL;
	struct ebpf_err err = { "" };

	ck_assert_ptr_nonnull(many);
	for (size_t i = 0; i < N_ELEMS(forms); i++) {
		char *text = NULL;
		size_t len, n = 0;

		if (is_left_out(i, N_ELEMS(forms)))
			continue;
		ck_assert_int_eq(cbpf_print(many, EBPF_MAXINSNS, forms[i], &text, &len, &err), 0);
		ck_assert_int_eq(cbpf_read(text, len, forms[i], &insns, &n, &err), 0);
		ck_assert_uint_eq(n, EBPF_MAXINSNS);
		free(insns);
		free(text);
		ck_assert_int_eq(cbpf_print(many, EBPF_MAXINSNS + 1, forms[i], &text, &len, &err),
				 0);
		ck_assert_int_eq(cbpf_read(text, len, forms[i], &insns, &n, &err), -E2BIG);
		free(text);
	}
	free(many);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("cbpf/read");
	TCase *tc = tcase_create("forms"), *damaged = tcase_create("damaged");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, reads, 0, N_ELEMS(good));
	tcase_add_test(tc, reads_raw_as_little_endian);
	tcase_add_loop_test(tc, refuses, 0, N_ELEMS(bad));
	tcase_add_test(tc, refuses_labels_out_of_reach);
	tcase_add_loop_test(tc, reads_what_is_printed, CBPF_FORM_D, N_FORMS);
	tcase_add_loop_test(tc, limits_the_number, 0, N_ELEMS(repeated));
	tcase_add_test(tc, limits_the_number_of_listed_ones);
	suite_add_tcase(s, tc);
	tcase_set_timeout(damaged, 60);
	tcase_add_loop_test(damaged, survives_each_prefix, 0, N_ELEMS(good));
	tcase_add_test(damaged, notices_truncation_of_counted_forms);
	tcase_add_test(damaged, survives_random_bytes);
	tcase_add_test(damaged, survives_mutations);
	suite_add_tcase(s, damaged);
	return s;
}
