/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The printers: libpcap's bpf_image() and bpf_dump() are what D, DD and DDD
 * must equal; the other forms have rows.
 */
#include "config.h"

#include "cbpf/insn.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef HAVE_PCAP
#include <pcap/pcap.h>
#endif

#include "tests/support/suite.h"

static char *
print(const struct cbpf_insn *insns, size_t n, enum cbpf_form form, size_t *len)
{
	struct ebpf_err err = { "" };
	char *text = NULL;

	ck_assert_msg(cbpf_print(insns, n, form, &text, len, &err) == 0, "%s", err.text);
	return text;
}

#ifdef HAVE_PCAP
/* Operands around which libpcap's notation changes. */
static const uint32_t ks[] = {
	0, 1, 9, 10, 12, 15, 16, 255, 0x800, 65535, 0x7fffffff, 0x80000000, 0xffe00000, 0xfff00000,
	0xffffefff, 0xfffff000, 0xfffff001, 0xfffff004, 0xfffff008, 0xfffff00c, 0xfffff010,
	0xfffff014, 0xfffff018, 0xfffff01c, 0xfffff020, 0xfffff024, 0xfffff028, 0xfffff02c,
	0xfffff030, 0xfffff034, 0xfffff038, 0xfffff03c, 0xfffff03d, 0xfffff040, 0xfffffffe,
	0xffffffff,
};

static struct bpf_insn
theirs(struct cbpf_insn insn)
{
	return (struct bpf_insn){ insn.code, insn.jt, insn.jf, insn.k };
}

/* Our listing of n instructions, line by line, against bpf_image(). */
static void
compare_images(const struct cbpf_insn *insns, size_t n)
{
	char *text = print(insns, n, CBPF_FORM_D, NULL);
	char *line = text;

	for (size_t pc = 0; pc < n; pc++) {
		const struct bpf_insn insn = theirs(insns[pc]);
		char *end = strchr(line, '\n');

		if (end == NULL)
			ck_abort_msg("no line %zu", pc);
		*end = '\0';
		if (strcmp(line, bpf_image(&insn, (int)pc)) != 0)
			ck_abort_msg("'%s', not '%s'", line, bpf_image(&insn, (int)pc));
		line = end + 1;
	}
	ck_assert_str_eq(line, "");
	free(text);
}

START_TEST(lists_each_code_as_libpcap)
{
	struct cbpf_insn insns[N_ELEMS(ks) * 2];
	uint16_t code = (uint16_t)_i;

	for (size_t i = 0; i < N_ELEMS(insns); i++)
		insns[i] = (struct cbpf_insn)CBPF_JUMP(code, ks[i / 2], i % 2 ? 255 : 0, i % 3);
	compare_images(insns, N_ELEMS(insns));
	for (size_t i = 0; i < N_ELEMS(insns); i++)
		insns[i].code |= 0x8000;
	compare_images(insns, N_ELEMS(insns));
}
END_TEST

static struct cbpf_insn
random_insn(uint64_t *rng)
{
	struct cbpf_insn insn = {
		.code = rng_below(rng, 8) ? cbpf_ops[rng_below(rng, CBPF_N_OPS)].code
					  : (uint16_t)rng_next(rng),
		.jt = (uint8_t)rng_next(rng),
		.jf = (uint8_t)rng_next(rng),
		.k = rng_below(rng, 2) ? ks[rng_below(rng, N_ELEMS(ks))] : (uint32_t)rng_next(rng),
	};

	return insn;
}

START_TEST(lists_random_programs_as_libpcap)
{
	uint64_t rng = suite_seed(0x696d6167), n_programs = suite_scaled(500);

	for (uint64_t i = 0; i < n_programs; i++) {
		struct cbpf_insn insns[1200];
		/* Line numbers of four digits, now and then. */
		size_t n = 1 + rng_below(&rng, i % 10 == 0 ? N_ELEMS(insns) : 60);

		for (size_t j = 0; j < n; j++)
			insns[j] = random_insn(&rng);
		compare_images(insns, n);
	}
}
END_TEST

/* What bpf_dump() prints, which is to stdout: the caller frees it. */
static char *
capture_dump(const struct cbpf_insn *insns, size_t n, int option)
{
	struct bpf_program program = { .bf_len = (u_int)n,
				       .bf_insns = calloc(n, sizeof(struct bpf_insn)) };
	char *text = calloc(n, 80);
	FILE *file = tmpfile();
	int saved = dup(STDOUT_FILENO);

	ck_assert(program.bf_insns != NULL && text != NULL && file != NULL && saved >= 0);
	for (size_t i = 0; i < n; i++)
		program.bf_insns[i] = theirs(insns[i]);
	fflush(stdout);
	ck_assert_int_ge(dup2(fileno(file), STDOUT_FILENO), 0);
	bpf_dump(&program, option);
	fflush(stdout);
	ck_assert_int_ge(dup2(saved, STDOUT_FILENO), 0);
	close(saved);
	rewind(file);
	ck_assert_uint_lt(fread(text, 1, n * 80, file), n * 80);
	fclose(file);
	free(program.bf_insns);
	return text;
}

START_TEST(prints_as_bpf_dump)
{
	static const enum cbpf_form forms[] = { CBPF_FORM_D, CBPF_FORM_DD, CBPF_FORM_DDD };
	uint64_t rng = suite_seed(0x64756d70), n_programs = suite_scaled(200);

	for (uint64_t i = 0; i < n_programs; i++) {
		struct cbpf_insn insns[100];
		size_t n = 1 + rng_below(&rng, N_ELEMS(insns));

		for (size_t j = 0; j < n; j++)
			insns[j] = random_insn(&rng);
		for (size_t form = 0; form < N_ELEMS(forms); form++) {
			char *expected = capture_dump(insns, n, (int)form + 1);
			char *text = print(insns, n, forms[form], NULL);

			ck_assert_str_eq(text, expected);
			free(expected);
			free(text);
		}
	}
}
END_TEST
#else
START_TEST(is_libpcaps)
{
	suite_skip("built without libpcap: not compared with it");
}
END_TEST
#endif

static const struct cbpf_insn example[] = {
	CBPF_STMT(CBPF_LD | CBPF_H | CBPF_ABS, 12),
	CBPF_JUMP(CBPF_JMP | CBPF_JEQ | CBPF_K, 0x800, 0, 3),
	CBPF_STMT(CBPF_LD | CBPF_B | CBPF_ABS, 0xfffff030),
	CBPF_STMT(CBPF_LD | CBPF_W | CBPF_ABS, 0xfffff028),
	CBPF_STMT(CBPF_RET | CBPF_K, 0xffffffff),
	CBPF_STMT(CBPF_RET | CBPF_A, 0),
};

static const struct {
	enum cbpf_form form;
	const char *text;
	size_t len;
} printed[] = {
	{ CBPF_FORM_XT_BPF,
	  "6,40 0 0 12,21 0 3 2048,48 0 0 4294963248,32 0 0 4294963240,6 0 0 4294967295,22 0 0 0\n",
	  0 },
	{ CBPF_FORM_BPF_ASM,
	  "        ldh [12]\n"
	  "        jeq #0x800, l2, l5\n"
	  "l2:     ldb vlan_avail\n"
	  "        ld [0xfffff028]\n"
	  "        ret #4294967295\n"
	  "l5:     ret a\n", 0 },
	{ CBPF_FORM_HEX,
	  "280000000c000000\n1500000300080000\n3000000030f0ffff\n2000000028f0ffff\n"
	  "06000000ffffffff\n1600000000000000\n", 0 },
	{ CBPF_FORM_RAW,
	  "\x28\0\0\0\x0c\0\0\0\x15\0\0\x03\0\x08\0\0\x30\0\0\0\x30\xf0\xff\xff"
	  "\x20\0\0\0\x28\xf0\xff\xff\x06\0\0\0\xff\xff\xff\xff\x16\0\0\0\0\0\0\0", 48 },
};

START_TEST(prints_the_example)
{
	size_t expected = printed[_i].len > 0 ? printed[_i].len : strlen(printed[_i].text), len;
	char *text = print(example, N_ELEMS(example), printed[_i].form, &len);

	ck_assert_uint_eq(len, expected);
	ck_assert_mem_eq(text, printed[_i].text, len + 1);
	free(text);
}
END_TEST

static const struct {
	struct cbpf_insn insns[2];
	enum cbpf_form form;
	const char *err;
} refused[] = {
	{ { CBPF_STMT(CBPF_RET, 0), CBPF_STMT(CBPF_RET, 0) }, CBPF_FORM_AUTO,
	  "form 0 cannot be written" },
	{ { CBPF_STMT(CBPF_RET, 0), CBPF_STMT(CBPF_RET, 0) }, (enum cbpf_form)8,
	  "form 8 cannot be written" },
	{ { CBPF_STMT(CBPF_RET, 0), CBPF_STMT(0x90, 0) }, CBPF_FORM_BPF_ASM,
	  "insn 1: bpf_asm has no name for code 0x90" },
	{ { CBPF_STMT(CBPF_JMP | CBPF_JA, 1), CBPF_STMT(CBPF_RET, 0) }, CBPF_FORM_BPF_ASM,
	  "insn 0: jump to 2, but the program has 2" },
	{ { CBPF_JUMP(CBPF_JMP | CBPF_JEQ, 1, 0, 2), CBPF_STMT(CBPF_RET, 0) }, CBPF_FORM_BPF_ASM,
	  "insn 0: jump to 3, but the program has 2" },
};

START_TEST(refuses)
{
	char *const untouched = (char *)(uintptr_t)&refused;
	char *text = untouched;
	struct ebpf_err err = { "" };
	size_t len = 77;

	ck_assert_int_eq(cbpf_print(refused[_i].insns, 2, refused[_i].form, &text, &len, &err),
			 -EINVAL);
	ck_assert_str_eq(err.text, refused[_i].err);
	ck_assert_ptr_eq(text, untouched);
	ck_assert_uint_eq(len, 77);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("cbpf/print");
	TCase *tc = tcase_create("forms");

	tcase_set_timeout(tc, 60);
#ifdef HAVE_PCAP
	tcase_add_loop_test(tc, lists_each_code_as_libpcap, 0, 256);
	tcase_add_test(tc, lists_random_programs_as_libpcap);
	tcase_add_test(tc, prints_as_bpf_dump);
#else
	tcase_add_test(tc, is_libpcaps);
#endif
	tcase_add_loop_test(tc, prints_the_example, 0, N_ELEMS(printed));
	tcase_add_loop_test(tc, refuses, 0, N_ELEMS(refused));
	suite_add_tcase(s, tc);
	return s;
}
