/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The verifier beside the running kernel's, on the same random socket filters
 * without maps: who accepts what.
 *
 * The kernel judges as for root, so ours does too (addresses may leak, the
 * stack may be read before it is written).  What the kernel accepts and we
 * refuse must stay below 5 % of what it accepts; what we accept and it refuses
 * is counted by the kernel's reason, and all but a few must be for one that
 * explained[] knows.
 */
#include "config.h"

#include "ebpf/verify.h"

#include "tests/diff/kernel_prog.h"
#include "tests/support/ebpf_gen.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What struct __sk_buff lets a socket filter see, and change. */
#define WORD(off, w) { off, 4, EBPF_CTX_SCALAR, w }

static const struct ebpf_ctx_field skb_fields[] = {
	WORD(0, false),  WORD(4, false),  WORD(8, false),  WORD(12, false), WORD(16, false),
	WORD(20, false), WORD(24, false), WORD(28, false), WORD(32, false), WORD(36, false),
	WORD(40, false), WORD(44, false), WORD(48, true),  WORD(52, true),  WORD(56, true),
	WORD(60, true),  WORD(64, true),  WORD(68, false), { 164, 4, EBPF_CTX_SCALAR, false },
};

static const struct ebpf_verify_helper helpers[] = {
	{ .id = 5, .name = "ktime_get_ns", .ret = EBPF_RET_SCALAR },
	{ .id = 7, .name = "get_prandom_u32", .ret = EBPF_RET_SCALAR },
	{ .id = 8, .name = "get_smp_processor_id", .ret = EBPF_RET_SCALAR },
};

static const struct ebpf_verify_env env = {
	.ctx_fields = skb_fields,
	.n_ctx_fields = N_ELEMS(skb_fields),
	.stack_is_zeroed = true,
	.addresses_may_leak = true,
	.has_packet_loads = true,
	.helpers = helpers,
	.n_helpers = N_ELEMS(helpers),
};

/* Words of the kernel's refusals of what we accept, and why we do; the first match counts. */
static struct {
	const char *words;
	const char *why;
	uint64_t n;
} explained[] = {
	{ "misaligned stack access", "stack bytes are tracked one by one: any alignment", 0 },
	{ "with unbounded min value", "ranges of modulo and division, and of more shifts and moves", 0 },
	{ "invalid unbounded variable-offset", "likewise", 0 },
	{ "invalid variable-offset", "likewise", 0 },
	{ "invalid size of register spill", "part of an address is a number where it may leak", 0 },
	{ "subtraction from stack pointer", "an address minus a number is one less that number", 0 },
	{ "out of bounds", "addresses may go 2^34 away, the kernel's 2^29", 0 },
	{ "math between", "likewise", 0 },
	{ "old state:", "a loop, on a path that our ranges rule out", 0 },
	{ "!read_ok", "a path that our ranges rule out (a register compared with itself)", 0 },
	{ "on pointer prohibited", "likewise", 0 },
	{ "pointer arithmetic prohibited", "likewise", 0 },
	{ "expected pointer type", "likewise", 0 },
	{ "invalid mem access", "likewise", 0 },
};

/* 0, or what kernel_prog_load() returns. */
static int
kernel_judge(const struct ebpf_insn *insns, size_t n, struct ebpf_err *err)
{
	int prog = kernel_prog_load(KERNEL_SOCKET_FILTER, insns, n, err);

	if (prog < 0)
		return prog;
	close(prog);
	return 0;
}

static void
dump(const struct ebpf_gen_prog *p)
{
	for (size_t pc = 0; pc < p->n; pc++) {
		char line[EBPF_DISASM_SIZE];

		ebpf_disasm(&p->insns[pc], p->n - pc, line, sizeof(line));
		fprintf(stderr, "%4zu: %s\n", pc, line);
	}
}

static bool
explain(const char *why)
{
	for (size_t i = 0; i < N_ELEMS(explained); i++) {
		if (strstr(why, explained[i].words) != NULL) {
			explained[i].n++;
			return true;
		}
	}
	return false;
}

#define CHANCE 3

START_TEST(agrees_with_the_running_kernel)
{
	static struct ebpf_gen_prog p;
	const struct ebpf_gen_opts opts = { .entry = EBPF_GEN_SOCKET };
	const struct ebpf_insn minimal[] = { { .code = 0xb7 }, { .code = 0x95 } };
	uint64_t rng = suite_seed(20260130), table[2][2] = { { 0, 0 }, { 0, 0 } };
	uint64_t n_unexplained = 0;
	struct ebpf_err why = { "" };

	if (kernel_judge(minimal, 2, &why) < 0) {
		suite_skip("%s", why.text);
		return;
	}
	/* of few, as many may be refused by chance as are accepted */
	for (uint64_t n = 300 + suite_scaled(2000); n > 0; n--) {
		struct ebpf_err err = { "" };
		int theirs, ours;

		ebpf_gen(&p, &opts, &rng);
		theirs = kernel_judge(p.insns, p.n, &why);
		ours = ebpf_verify(p.insns, p.n, &env, NULL, &err);
		table[ours == 0][theirs == 0]++;
		if (ours == 0 && theirs < 0 && !explain(why.text)) {
			n_unexplained++;
			fprintf(stderr, "kernel alone refuses: %s\n", why.text);
			if (getenv("VERIFY_DUMP") != NULL)
				dump(&p);
		}
		if (ours < 0 && theirs == 0) {
			fprintf(stderr, "we alone refuse: %s\n", err.text);
			if (getenv("VERIFY_DUMP") != NULL)
				dump(&p);
		}
	}
	printf("verify: both accept %" PRIu64 ", both refuse %" PRIu64 ", kernel alone accepts %" PRIu64
	       ", we alone accept %" PRIu64 "\n",
	       table[1][1], table[0][0], table[0][1], table[1][0]);
	for (size_t i = 0; i < N_ELEMS(explained); i++)
		printf("verify: we alone accept, kernel: '%s': %" PRIu64 " (%s)\n",
		       explained[i].words, explained[i].n, explained[i].why);
	fflush(stdout);
	/* shares, and as many again as chance makes of few programs */
	ck_assert_uint_lt(20 * table[0][1], table[0][1] + table[1][1] + 20 * CHANCE);
	printf("verify: we alone accept, kernel says something else: %" PRIu64 "\n", n_unexplained);
	fflush(stdout);
	/* On paths that only our ranges rule out the kernel may say anything. */
	ck_assert_uint_le(200 * n_unexplained, table[1][0] + table[1][1] + 200 * CHANCE);
	ck_assert_uint_gt(table[1][1], table[0][0]);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("diff/verify_kernel");
	TCase *tc = tcase_create("socket filters");

	tcase_set_timeout(tc, 240);
	tcase_add_test(tc, agrees_with_the_running_kernel);
	suite_add_tcase(s, tc);
	return s;
}
