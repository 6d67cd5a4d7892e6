/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The checker: rows of what each dialect refuses and accepts, and random
 * programs put to the judges whose rules the dialects are, libpcap's
 * bpf_validate() and the running kernel's SO_ATTACH_FILTER.
 */
#include "config.h"

#include "cbpf/insn.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#ifdef HAVE_PCAP
#include <pcap/pcap.h>
#endif

#include "tests/support/suite.h"

#define BOTH     2
#define KERNEL   CBPF_DIALECT_KERNEL
#define PCAP     CBPF_DIALECT_PCAP
#define ST(code, k) { (uint16_t)(code), 0, 0, (uint32_t)(k) }
#define J(code, k, jt, jf) { (uint16_t)(code), (jt), (jf), (uint32_t)(k) }
#define LD_ABS   (CBPF_LD | CBPF_W | CBPF_ABS)
#define JA       (CBPF_JMP | CBPF_JA)
#define JEQ      (CBPF_JMP | CBPF_JEQ | CBPF_K)
#define RET      (CBPF_RET | CBPF_K)
#define RET_A    (CBPF_RET | CBPF_A)
#define LD_MEM   (CBPF_LD | CBPF_MEM)
#define LDX_MEM  (CBPF_LDX | CBPF_MEM)
#define ALU_K    (CBPF_ALU | CBPF_K)

struct row {
	int dialect;            /* or BOTH */
	struct cbpf_insn insns[8];
	size_t n;
	const char *err;        /* NULL: accepted */
};

static const struct row rows[] = {
	/* length */
	{ BOTH, { { 0 } }, 0, "program has no instructions" },
	{ BOTH, { ST(RET, 0) }, 1, NULL },
	/* codes, reachable or not */
	{ BOTH, { ST(0x0e, 0), ST(RET, 0) }, 2, "insn 0: unknown code 0x0e" },
	{ BOTH, { ST(RET, 0), ST(0x90, 0), ST(RET, 0) }, 3, "insn 1: unknown code 0x90" },
	{ BOTH, { ST(0x100, 0), ST(RET, 0) }, 2, "insn 0: unknown code 0x100" },
	{ BOTH, { ST(0x8004, 0), ST(RET, 0) }, 2, "insn 0: unknown code 0x8004" },
	{ BOTH, { ST(0x41, 0), ST(RET, 0) }, 2, "insn 0: unknown code 0x41" },
	/* constants */
	{ BOTH, { ST(ALU_K | CBPF_DIV, 0), ST(RET, 0) }, 2, "insn 0: div by constant 0" },
	{ BOTH, { ST(ALU_K | CBPF_MOD, 0), ST(RET, 0) }, 2, "insn 0: mod by constant 0" },
	{ BOTH, { ST(ALU_K | CBPF_DIV, 1), ST(RET, 0) }, 2, NULL },
	{ BOTH, { ST(CBPF_ALU | CBPF_DIV | CBPF_X, 0), ST(RET, 0) }, 2, NULL },
	{ BOTH, { ST(ALU_K | CBPF_LSH, 31), ST(ALU_K | CBPF_RSH, 31), ST(RET, 0) }, 3, NULL },
	{ KERNEL, { ST(ALU_K | CBPF_LSH, 32), ST(RET, 0) }, 2,
	  "insn 0: shift by 32, the most is 31" },
	{ KERNEL, { ST(ALU_K | CBPF_RSH, -1), ST(RET, 0) }, 2,
	  "insn 0: shift by 4294967295, the most is 31" },
	{ PCAP, { ST(ALU_K | CBPF_LSH, 32), ST(ALU_K | CBPF_RSH, -1), ST(RET, 0) }, 3, NULL },
	/* scratch slots */
	{ BOTH, { ST(CBPF_ST, 15), ST(CBPF_STX, 15), ST(LD_MEM, 15), ST(RET, 0) }, 4, NULL },
	{ BOTH, { ST(CBPF_ST, 16), ST(RET, 0) }, 2, "insn 0: scratch slot 16, the last is 15" },
	{ BOTH, { ST(CBPF_STX, 16), ST(RET, 0) }, 2, "insn 0: scratch slot 16, the last is 15" },
	{ BOTH, { ST(LD_MEM, 16), ST(RET, 0) }, 2, "insn 0: scratch slot 16, the last is 15" },
	{ BOTH, { ST(LDX_MEM, -1), ST(RET, 0) }, 2,
	  "insn 0: scratch slot 4294967295, the last is 15" },
	/* jumps */
	{ BOTH, { ST(JA, 0), ST(RET, 0) }, 2, NULL },
	{ BOTH, { ST(JA, 1), ST(RET, 0) }, 2, "insn 0: jump to 2, but the program has 2" },
	{ KERNEL, { ST(JA, -2), ST(RET, 0) }, 2,
	  "insn 0: jump to 4294967295, but the program has 2" },
	{ KERNEL, { ST(JA, -1), ST(RET, 0) }, 2,
	  "insn 0: jump back to 0, which the kernel refuses" },
	{ KERNEL, { ST(0, 0), ST(JA, -2), ST(RET, 0) }, 3,
	  "insn 1: jump back to 0, which the kernel refuses" },
	{ PCAP, { ST(JA, -1), ST(RET, 0) }, 2, NULL },
	{ PCAP, { ST(0, 0), ST(JA, -2), ST(RET, 0) }, 3, NULL },
	{ PCAP, { ST(JA, -2), ST(RET, 0) }, 2,
	  "insn 0: jump to 4294967295, but the program has 2" },
	{ BOTH, { J(JEQ, 0, 1, 0), ST(RET, 0), ST(RET, 0) }, 3, NULL },
	{ BOTH, { J(JEQ, 0, 2, 0), ST(RET, 0), ST(RET, 0) }, 3,
	  "insn 0: jump to 3, but the program has 3" },
	{ BOTH, { J(JEQ | CBPF_X, 0, 0, 255), ST(RET, 0), ST(RET, 0) }, 3,
	  "insn 0: jump to 256, but the program has 3" },
	/* the end */
	{ BOTH, { ST(RET, 0), ST(0, 0) }, 2, "insn 1: the program does not end with ret" },
	{ BOTH, { ST(RET_A, 0) }, 1, NULL },
	/* fields that are not used */
	{ BOTH, { J(CBPF_MISC | CBPF_TAX, -1, 255, 255), J(CBPF_ALU | CBPF_NEG, 7, 1, 2),
		  J(RET_A, 9, 9, 9) }, 3, NULL },
	/* ancillary data */
	{ KERNEL, { ST(LD_ABS, 0xfffff000), ST(LD_ABS | CBPF_B, 0xfffff03c), ST(RET, 0) }, 3,
	  NULL },
	{ KERNEL, { ST(LD_ABS, 0xfffff001), ST(RET, 0) }, 2,
	  "insn 0: load at 0xfffff001: no ancillary data at offset 1" },
	{ KERNEL, { ST(LD_ABS | CBPF_H, 0xfffff040), ST(RET, 0) }, 2,
	  "insn 0: load at 0xfffff040: no ancillary data at offset 64" },
	{ KERNEL, { ST(LD_ABS | CBPF_B, -1), ST(RET, 0) }, 2,
	  "insn 0: load at 0xffffffff: no ancillary data at offset 4095" },
	{ PCAP, { ST(LD_ABS, 0xfffff001), ST(LD_ABS, -1), ST(RET, 0) }, 3, NULL },
	{ BOTH, { ST(LD_ABS, 0xffffefff), ST(LD_ABS, 0x80000000), ST(RET, 0) }, 3, NULL },
	{ BOTH, { ST(CBPF_LD | CBPF_B | CBPF_IND, 0xfffff001),
		  ST(CBPF_LDX | CBPF_B | CBPF_MSH, 0xfffff001), ST(RET, 0) }, 3, NULL },
	/* scratch read before it is written */
	{ KERNEL, { ST(LD_MEM, 3), ST(RET, 0) }, 2, "insn 0: M[3] read before it is written" },
	{ KERNEL, { ST(CBPF_ST, 2), ST(LDX_MEM, 3), ST(RET, 0) }, 3,
	  "insn 1: M[3] read before it is written" },
	{ PCAP, { ST(LD_MEM, 3), ST(LDX_MEM, 4), ST(RET, 0) }, 3, NULL },
	/* ... on one path only */
	{ KERNEL, { J(JEQ, 0, 0, 1), ST(CBPF_ST, 0), ST(LD_MEM, 0), ST(RET_A, 0) }, 4,
	  "insn 2: M[0] read before it is written" },
	{ KERNEL, { J(JEQ, 0, 0, 2), ST(CBPF_ST, 0), ST(JA, 1), ST(CBPF_STX, 0), ST(LD_MEM, 0),
		    ST(RET_A, 0) }, 6, NULL },
	/* ... behind a jump that nobody passes */
	{ KERNEL, { ST(JA, 1), ST(LD_MEM, 9), ST(RET, 0) }, 3, NULL },
	/* ... and a ret does not end the flow */
	{ KERNEL, { J(JEQ, 0, 1, 0), ST(JA, 2), ST(CBPF_ST, 0), ST(JA, 1), ST(RET, 0),
		    ST(LD_MEM, 0), ST(RET_A, 0) }, 7, "insn 5: M[0] read before it is written" },
	{ KERNEL, { J(JEQ, 0, 0, 1), ST(RET, 0), ST(CBPF_ST, 0), ST(LD_MEM, 0), ST(RET_A, 0) }, 5,
	  NULL },
};

static void
check_row(const struct row *row, enum cbpf_dialect dialect)
{
	struct cbpf_prog *const untouched = (struct cbpf_prog *)(uintptr_t)&rows;
	struct cbpf_prog *prog = untouched;
	struct ebpf_err err = { "" };
	int rc = cbpf_check(row->insns, row->n, dialect, &prog, &err);
	const struct cbpf_insn *insns;
	size_t n;

	if (row->err != NULL) {
		ck_assert_int_eq(rc, -EINVAL);
		ck_assert_str_eq(err.text, row->err);
		ck_assert_ptr_eq(prog, untouched);
		ck_assert_int_eq(cbpf_check(row->insns, row->n, dialect, &prog, NULL), -EINVAL);
		return;
	}
	ck_assert_msg(rc == 0, "row refused: %s", err.text);
	ck_assert_str_eq(err.text, "");
	insns = cbpf_prog_insns(prog, &n);
	ck_assert_uint_eq(n, row->n);
	ck_assert_mem_eq(insns, row->insns, n * sizeof(*insns));
	ck_assert_int_eq(cbpf_prog_dialect(prog), dialect);
	cbpf_prog_free(prog);
}

START_TEST(decides_and_says_why)
{
	const struct row *row = &rows[_i];

	if (row->dialect != PCAP)
		check_row(row, CBPF_DIALECT_KERNEL);
	if (row->dialect != KERNEL)
		check_row(row, CBPF_DIALECT_PCAP);
}
END_TEST

/* n instructions, all "ret #0". */
static struct cbpf_insn *
rets(size_t n)
{
	struct cbpf_insn *insns = calloc(n, sizeof(*insns));

	ck_assert_ptr_nonnull(insns);
	for (size_t i = 0; i < n; i++)
		insns[i].code = RET;
	return insns;
}

START_TEST(limits_the_length)
{
	struct cbpf_insn *insns = rets(CBPF_MAXINSNS + 1);
	struct cbpf_prog *prog = NULL;
	struct ebpf_err err = { "" };

	ck_assert_int_eq(cbpf_check(insns, CBPF_MAXINSNS, CBPF_DIALECT_KERNEL, &prog, &err), 0);
	cbpf_prog_free(prog);
	prog = NULL;
	ck_assert_int_eq(cbpf_check(insns, CBPF_MAXINSNS + 1, CBPF_DIALECT_KERNEL, &prog, &err),
			 -EINVAL);
	ck_assert_str_eq(err.text, "program has 4097 instructions, limit is 4096");
	ck_assert_ptr_null(prog);
	ck_assert_int_eq(cbpf_check(insns, CBPF_MAXINSNS + 1, CBPF_DIALECT_PCAP, &prog, &err), 0);
	cbpf_prog_free(prog);
	ck_assert_int_eq(cbpf_check(insns, (size_t)INT32_MAX + 1, CBPF_DIALECT_PCAP, &prog, &err),
			 -EINVAL);
	ck_assert_str_eq(err.text, "program has 2147483648 instructions, limit is 2147483647");
	free(insns);
}
END_TEST

START_TEST(refuses_misuse)
{
	const struct cbpf_insn ret = CBPF_STMT(RET, 0);
	struct cbpf_prog *prog = NULL;
	struct ebpf_err err = { "" };

	ck_assert_int_eq(cbpf_check(&ret, 1, (enum cbpf_dialect)2, &prog, &err), -EINVAL);
	ck_assert_str_eq(err.text, "unknown dialect 2");
	ck_assert_int_eq(cbpf_check(NULL, 1, CBPF_DIALECT_KERNEL, &prog, &err), -EINVAL);
	ck_assert_str_eq(err.text, "program has no instructions");
	ck_assert_ptr_null(prog);
	cbpf_prog_free(NULL);
}
END_TEST

/* ---- random programs ---- */

#define RANDOM_MAX 24

/* Operands at which rules change their mind. */
static uint32_t
random_k(uint64_t *rng)
{
	static const uint32_t edges[] = { 0, 1, 14, 15, 16, 31, 32, 33, 0x7fffffff, 0x80000000,
					  0xffefffff, 0xfff00000, 0xffffefff, 0xfffff000,
					  0xfffff001, 0xfffff03c, 0xfffff040, 0xfffffffe,
					  0xffffffff };

	switch (rng_below(rng, 4)) {
	case 0:
		return edges[rng_below(rng, N_ELEMS(edges))];
	case 1:
		return 0xfffff000 + rng_below(rng, 70);
	default:
		return rng_below(rng, 18);
	}
}

/*
 * A program that is near the border of the legal ones: mostly known codes,
 * short jumps, much scratch memory, a ret at the end more often than not.
 */
static size_t
random_program(uint64_t *rng, struct cbpf_insn insns[RANDOM_MAX])
{
	size_t n = 1 + rng_below(rng, RANDOM_MAX);

	for (size_t i = 0; i < n; i++) {
		uint32_t left = (uint32_t)(n - i - 1);

		insns[i].code = cbpf_ops[rng_below(rng, CBPF_N_OPS)].code;
		insns[i].k = random_k(rng);
		insns[i].jt = (uint8_t)rng_below(rng, left + (rng_below(rng, 40) == 0) + !left);
		insns[i].jf = (uint8_t)rng_below(rng, left + (rng_below(rng, 40) == 0) + !left);
		if (rng_below(rng, 60) == 0)
			insns[i].code = (uint16_t)rng_below(rng, rng_below(rng, 4) ? 256 : 65536);
		if (insns[i].code == JA && rng_below(rng, 20))
			insns[i].k = rng_below(rng, left + 1);
		switch (CBPF_CLASS(insns[i].code)) {
		case CBPF_JMP:
			/* A conditional jump needs room behind it. */
			if (left < 2)
				insns[i].code = CBPF_LD | CBPF_IMM;
			break;
		case CBPF_ALU:
			insns[i].k = rng_below(rng, 20) ? 1 + rng_below(rng, 31) : insns[i].k;
			break;
		case CBPF_ST:
		case CBPF_STX:
		case CBPF_LDX:
			insns[i].k = rng_below(rng, 30) ? rng_below(rng, 4) : insns[i].k;
			break;
		case CBPF_LD:
			if (insns[i].code == LD_MEM || rng_below(rng, 10))
				insns[i].k = rng_below(rng, 30) ? rng_below(rng, 4) : insns[i].k;
			break;
		default:
			break;
		}
	}
	if (rng_below(rng, 20))
		insns[n - 1] = (struct cbpf_insn)CBPF_STMT(rng_below(rng, 2) ? RET : RET_A, 1);
	return n;
}

static bool
accepts(const struct cbpf_insn *insns, size_t n, enum cbpf_dialect dialect, struct ebpf_err *err)
{
	struct cbpf_prog *prog = NULL;
	int rc = cbpf_check(insns, n, dialect, &prog, err);

	cbpf_prog_free(prog);
	return rc == 0;
}

static void
ck_assert_same_answer(bool ours, bool theirs, const char *who, const struct cbpf_insn *insns,
		      size_t n, const struct ebpf_err *err)
{
	char *text = NULL;

	if (ours == theirs)
		return;
	ck_assert_int_eq(cbpf_print(insns, n, CBPF_FORM_DD, &text, NULL, NULL), 0);
	ck_abort_msg("we %s, %s does not agree:\n%s%s", ours ? "accept" : "refuse", who, text,
		     ours ? "" : err->text);
}

/* Half of the answers must not all be the same: the judges would not be asked anything. */
static void
ck_assert_both_answers(uint64_t n_accepted, uint64_t n)
{
	printf("%llu of %llu accepted\n", (unsigned long long)n_accepted, (unsigned long long)n);
	ck_assert_msg(n < 1000 || (n_accepted > n / 20 && n_accepted < n - n / 20),
		      "%llu of %llu accepted: the generator is lopsided",
		      (unsigned long long)n_accepted, (unsigned long long)n);
}

#ifdef HAVE_PCAP
/* bpf_validate() looks at parts of the code; on what we refuse more bpf_filter() aborts. */
static bool
has_known_codes(const struct cbpf_insn *insns, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (cbpf_op_of(insns[i].code) < 0)
			return false;
	return true;
}

START_TEST(agrees_with_libpcap)
{
	uint64_t rng = suite_seed(0x70636170), n_programs = suite_scaled(300000), n_accepted = 0;

	for (uint64_t i = 0; i < n_programs; i++) {
		struct cbpf_insn insns[RANDOM_MAX];
		struct bpf_insn theirs[RANDOM_MAX];
		size_t n = random_program(&rng, insns);
		struct ebpf_err err = { "" };
		bool ours = accepts(insns, n, CBPF_DIALECT_PCAP, &err);

		for (size_t j = 0; j < n; j++)
			theirs[j] = (struct bpf_insn){ insns[j].code, insns[j].jt, insns[j].jf,
						       insns[j].k };
		ck_assert_same_answer(ours,
				      bpf_validate(theirs, (int)n) && has_known_codes(insns, n),
				      "libpcap", insns, n, &err);
		n_accepted += ours;
	}
	ck_assert_both_answers(n_accepted, n_programs);
}
END_TEST
#else
START_TEST(agrees_with_libpcap)
{
	suite_skip("built without libpcap: not compared with it");
}
END_TEST
#endif

/* struct sock_filter and struct sock_fprog, whose names libpcap's header does not leave free. */
struct kernel_filter {
	unsigned short len;
	const struct cbpf_insn *insns;
};

/*
 * What the kernel says; our two exceptions to its rules are about memory, and
 * ENOMEM tells one of them.
 */
static int
attach(int fd, const struct cbpf_insn *insns, size_t n)
{
	const struct kernel_filter filter = { (unsigned short)n, insns };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) == 0 ? 0
											  : -errno;
}

static int
udp_socket(void)
{
	static const struct cbpf_insn ret = CBPF_STMT(RET, 0);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	int rc = fd < 0 ? -errno : attach(fd, &ret, 1);

	if (rc == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	suite_skip("no socket that takes a filter: %s", strerror(-rc));
	return -1;
}

START_TEST(agrees_with_the_kernel)
{
	uint64_t rng = suite_seed(0x6b65726e), n_programs = suite_scaled(100000), n_accepted = 0;
	int fd = udp_socket();

	for (uint64_t i = 0; fd >= 0 && i < n_programs; i++) {
		struct cbpf_insn insns[RANDOM_MAX];
		size_t n = random_program(&rng, insns);
		struct ebpf_err err = { "" };
		bool ours = accepts(insns, n, CBPF_DIALECT_KERNEL, &err);
		int rc = attach(fd, insns, n);

		ck_assert_msg(rc == 0 || rc == -EINVAL, "kernel: %s", strerror(-rc));
		ck_assert_same_answer(ours, rc == 0, "the kernel", insns, n, &err);
		n_accepted += ours;
	}
	if (fd >= 0) {
		ck_assert_both_answers(n_accepted, n_programs);
		close(fd);
	}
}
END_TEST

/* Each code, alone, with each operand at a border: 65536 codes with k 0, known ones with all. */
START_TEST(agrees_with_the_kernel_on_each_code)
{
	static const uint32_t ks[] = { 0, 1, 15, 16, 31, 32, 0x7fffffff, 0x80000000, 0xffdfffff,
				       0xffe00000, 0xfff00000, 0xffffefff, 0xfffff000, 0xfffff002,
				       0xfffff004, 0xfffff03c, 0xfffff03d, 0xfffff040, 0xffffffff };
	int fd = udp_socket();

	for (uint32_t code = 0; fd >= 0 && code <= UINT16_MAX; code++) {
		size_t n_ks = cbpf_op_of((uint16_t)code) >= 0 ? N_ELEMS(ks) : 1;

		for (size_t i = 0; i < n_ks; i++) {
			const struct cbpf_insn insns[] = {
				CBPF_STMT(CBPF_ST, 0), CBPF_STMT(CBPF_ST, 1),
				CBPF_STMT(CBPF_ST, 15), CBPF_STMT(code, ks[i]),
				CBPF_STMT(RET, 0), CBPF_STMT(RET, 0),
			};
			struct ebpf_err err = { "" };
			bool ours = accepts(insns, N_ELEMS(insns), CBPF_DIALECT_KERNEL, &err);

			ck_assert_same_answer(ours, attach(fd, insns, N_ELEMS(insns)) == 0,
					      "the kernel", insns, N_ELEMS(insns), &err);
		}
	}
	if (fd >= 0)
		close(fd);
}
END_TEST

/*
 * Where the kernel refuses what its rules allow, for what the program becomes:
 * a jump over more than 32767 extended instructions; more memory than
 * net.core.optmem_max.
 */
START_TEST(does_not_count_extended_instructions)
{
	struct cbpf_insn *insns = rets(CBPF_MAXINSNS);
	struct ebpf_err err = { "" };
	int fd = udp_socket();

	insns[0] = (struct cbpf_insn)CBPF_STMT(JA, CBPF_MAXINSNS - 2);
	for (size_t i = 1; i < CBPF_MAXINSNS - 1; i++)
		insns[i] = (struct cbpf_insn)CBPF_STMT(LD_ABS, 1);
	ck_assert_msg(accepts(insns, CBPF_MAXINSNS, CBPF_DIALECT_KERNEL, &err), "%s", err.text);
	if (fd >= 0) {
		int rc = attach(fd, insns, CBPF_MAXINSNS);

		ck_assert_msg(rc == -EINVAL || rc == -ENOMEM, "kernel: %s", strerror(-rc));
		close(fd);
	}
	free(insns);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("cbpf/check");
	TCase *tc = tcase_create("rules");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, decides_and_says_why, 0, N_ELEMS(rows));
	tcase_add_test(tc, limits_the_length);
	tcase_add_test(tc, refuses_misuse);
	tcase_add_test(tc, agrees_with_libpcap);
	tcase_add_test(tc, agrees_with_the_kernel);
	tcase_add_test(tc, agrees_with_the_kernel_on_each_code);
	tcase_add_test(tc, does_not_count_extended_instructions);
	suite_add_tcase(s, tc);
	return s;
}
