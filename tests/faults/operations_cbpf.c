/* SPDX-License-Identifier: BSD-2-Clause */
/* Classic programs: every form read and written, every target and level of the lowering. */
#include "config.h"

#include "tests/faults/operations.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cbpf/to_kernel.h"
#include "tests/support/suite.h"

/* Ports of TCP and UDP: loads at an offset that is loaded, scratch, a wide jump set. */
static const char assembly[] = "	ldh [12]\n"
			       "	jne #0x800, drop\n"
			       "	ldb [23]\n"
			       "	jeq #6, ports\n"
			       "	jne #17, drop\n"
			       "ports:	ldh [20]\n"
			       "	jset #0x1fff, drop\n"
			       "	ldx 4*([14]&0xf)\n"
			       "	ldh [x + 14]\n"
			       "	st M[3]\n"
			       "	jeq #53, keep\n"
			       "	jeq #80, keep\n"
			       "	jeq #443, keep\n"
			       "	jeq #8080, keep\n"
			       "	ld len\n"
			       "	div #7\n"
			       "	tax\n"
			       "	ld M[3]\n"
			       "	add x\n"
			       "	jgt #70000, drop\n"
			       "	ldh [x + 16]\n"
			       "	jeq #53, keep\n"
			       "	jeq #80, keep, drop\n"
			       "keep:	ret #262144\n"
			       "drop:	ret #0\n";

static struct cbpf_insn *insns;
static size_t n_insns;
static struct cbpf_prog *checked;
static char *texts[CBPF_FORM_RAW + 1];
static size_t lens[CBPF_FORM_RAW + 1];

static void
make_program(void)
{
	struct ebpf_err err = { "" };

	ck_assert_msg(cbpf_read(assembly, sizeof(assembly) - 1, CBPF_FORM_BPF_ASM, &insns, &n_insns,
				&err) == 0,
		      "%s", err.text);
	ck_assert_msg(cbpf_check(insns, n_insns, CBPF_DIALECT_KERNEL, &checked, &err) == 0, "%s",
		      err.text);
}

static void
make_texts(void)
{
	make_program();
	for (int form = CBPF_FORM_D; form <= CBPF_FORM_RAW; form++)
		ck_assert_int_eq(cbpf_print(insns, n_insns, form, &texts[form], &lens[form], NULL),
				 0);
}

static int
read_forms(struct ebpf_err *err)
{
	for (int form = CBPF_FORM_D; form <= CBPF_FORM_RAW; form++) {
		struct cbpf_insn *read = UNTOUCHED;
		size_t n = 0;
		int rc = cbpf_read(texts[form], lens[form], form, &read, &n, err);

		if (rc < 0) {
			EXPECT(read == UNTOUCHED);
			return rc;
		}
		EXPECT(n == n_insns);
		EXPECT(memcmp(read, insns, n * sizeof(*read)) == 0);
		free(read);
	}
	return 0;
}

static int
print_forms(struct ebpf_err *err)
{
	for (int form = CBPF_FORM_D; form <= CBPF_FORM_RAW; form++) {
		char *text = UNTOUCHED;
		size_t len = 0;
		int rc = cbpf_print(insns, n_insns, form, &text, &len, err);

		if (rc < 0) {
			EXPECT(text == UNTOUCHED);
			return rc;
		}
		EXPECT(len == lens[form]);
		EXPECT(memcmp(text, texts[form], len) == 0);
		free(text);
	}
	return 0;
}

static int
check_program(struct ebpf_err *err)
{
	struct cbpf_prog *prog = UNTOUCHED;
	int rc = cbpf_check(insns, n_insns, CBPF_DIALECT_KERNEL, &prog, err);

	if (rc < 0)
		EXPECT(prog == UNTOUCHED);
	else
		cbpf_prog_free(prog);
	return rc;
}

/* ---- lowering ---- */

static void
count_line(void *arg, const char *line)
{
	*(size_t *)arg += strlen(line);
}

static int
lower(enum cbpf_target target, enum cbpf_level level, struct ebpf_err *err)
{
	size_t traced = 0;
	const struct cbpf_net_base base = { .off = 14, .vlan_at = 12 };
	const struct cbpf_lower_opts opts = {
		.size = sizeof(opts),
		.layout = sift_packet_layout(),
		.net_base = &base,
		.level = level,
		.trace = level == CBPF_LEVEL_0 ? NULL : count_line,
		.trace_arg = &traced,
	};
	struct cbpf_lowered out = { UNTOUCHED, 12345, UNTOUCHED };
	int rc = cbpf_lower(checked, target, &opts, &out, err);

	if (rc < 0) {
		EXPECT(out.insns == UNTOUCHED);
		EXPECT(out.origin == UNTOUCHED);
		EXPECT(out.n_insns == 12345);
		return rc;
	}
	cbpf_lowered_free(&out);
	return 0;
}

static int
lower_level(enum cbpf_level level, struct ebpf_err *err)
{
	int rc = 0;

	for (int target = CBPF_TARGET_PACKET; rc == 0 && target <= CBPF_TARGET_XDP; target++)
		rc = lower(target, level, err);
	return rc;
}

static int
lower_0(struct ebpf_err *err)
{
	return lower_level(CBPF_LEVEL_0, err);
}

static int
lower_1(struct ebpf_err *err)
{
	return lower_level(CBPF_LEVEL_1, err);
}

static int
lower_2(struct ebpf_err *err)
{
	return lower_level(CBPF_LEVEL_2, err);
}

/* Its first jumps lead further than 16 bits tell, so that there are pools of jumps between. */
static void
make_long_program(void)
{
	enum { N = CBPF_MAXINSNS, N_JUMPS = 300 };
	static struct cbpf_insn text[N];
	struct ebpf_err err = { "" };

	for (uint32_t i = 0; i < N; i++) {
		const struct cbpf_insn load = CBPF_STMT(CBPF_LD | CBPF_W | CBPF_IND, i);
		const struct cbpf_insn test = CBPF_JUMP(CBPF_JMP | CBPF_JEQ | CBPF_K, i, 0, 1);
		const struct cbpf_insn far = CBPF_STMT(CBPF_JMP | CBPF_JA, N - 2 - i - i / 2);

		text[i] = i >= N_JUMPS ? load : i % 2 == 0 ? test : far;
	}
	text[N - 1] = (struct cbpf_insn)CBPF_STMT(CBPF_RET | CBPF_K, 1);
	ck_assert_msg(cbpf_check(text, N, CBPF_DIALECT_KERNEL, &checked, &err) == 0, "%s",
		      err.text);
}

static int
lower_far(struct ebpf_err *err)
{
	return lower(CBPF_TARGET_PACKET, CBPF_LEVEL_0, err);
}

static int
turn_into_kernel_dialect(struct ebpf_err *err)
{
	struct cbpf_insn *made = UNTOUCHED;
	size_t n = 0;
	int rc = cbpf_to_kernel(insns, n_insns, &made, &n, err);

	if (rc < 0) {
		EXPECT(made == UNTOUCHED);
		return rc;
	}
	EXPECT(n >= n_insns);
	free(made);
	return 0;
}

const struct operation operations_cbpf[] = {
	{ "classic programs are read", make_texts, read_forms },
	{ "classic programs are printed", make_texts, print_forms },
	{ "a classic program is checked", make_program, check_program },
	{ "lowering, level 0", make_program, lower_0 },
	{ "lowering, level 1", make_program, lower_1 },
	{ "lowering, level 2", make_program, lower_2 },
	{ "lowering, far jumps", make_long_program, lower_far },
	{ "a program for the kernel", make_program, turn_into_kernel_dialect },
};
const size_t n_operations_cbpf = N_ELEMS(operations_cbpf);
