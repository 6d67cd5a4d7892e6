/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs lowered for tc and xdp, each level: the running kernel's verifier takes
 * all of them, and on frames that it runs them on they act as the classic program
 * judges.
 */
#include "cbpf/insn.h"
#include "ebpf/err.h"
#include "ebpf/insn.h"
#include "tests/diff/generate.h"
#include "tests/diff/kernel_prog.h"
#include "tests/diff/reference.h"
#include "tests/diff/test_run.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { N_PAIRS = 60000, MATCH = 1, MISS = 2 };

/* Each program judges its own packets, and those of so many other cases. */
enum { N_OTHERS = 14 };

static const struct kind {
	const char *name;
	enum cbpf_target target;
	enum kernel_prog_type type;
	enum cbpf_dialect dialect;
} kinds[] = {
	{ "tc", CBPF_TARGET_TC, KERNEL_TC, CBPF_DIALECT_KERNEL },
	{ "tc, dialect pcap", CBPF_TARGET_TC, KERNEL_TC, CBPF_DIALECT_PCAP },
	{ "xdp", CBPF_TARGET_XDP, KERNEL_XDP, CBPF_DIALECT_KERNEL },
	{ "xdp, dialect pcap", CBPF_TARGET_XDP, KERNEL_XDP, CBPF_DIALECT_PCAP },
};

static const enum cbpf_level levels[] = { CBPF_LEVEL_0, CBPF_LEVEL_1, CBPF_LEVEL_2 };

static struct {
	uint64_t n_programs, n_inexpressible, n_endless, n_insns, n_pairs, n_matches;
} tally;

/* ---- cases ---- */

static bool
has(const struct diff_case *c, uint32_t ad)
{
	for (size_t pc = 0; pc < c->n_insns; pc++) {
		if ((c->insns[pc].code & 0xe7) == (CBPF_LD | CBPF_ABS) &&
		    c->insns[pc].k == (uint32_t)CBPF_AD_OFF + ad)
			return true;
	}
	return false;
}

static bool
jumps_back(const struct diff_case *c)
{
	for (size_t pc = 0; pc < c->n_insns; pc++) {
		if (c->insns[pc].code == (CBPF_JMP | CBPF_JA) &&
		    (uint32_t)(pc + 1 + c->insns[pc].k) <= pc)
			return true;
	}
	return false;
}

static void
print(const struct diff_case *c, const struct cbpf_lowered *lowered)
{
	char *text;

	if (cbpf_print(c->insns, c->n_insns, CBPF_FORM_DDD, &text, NULL, NULL) == 0) {
		fputs(text, stderr);
		free(text);
	}
	for (size_t pc = 0; pc < lowered->n_insns; pc++) {
		char line[EBPF_DISASM_SIZE];

		ebpf_disasm(&lowered->insns[pc], lowered->n_insns - pc, line, sizeof(line));
		fprintf(stderr, "%4zu: %s\n", pc, line);
	}
}

/* What the kernel tells of packets, for the kind that is tried. */
static struct test_run test_run;

static void
see(struct diff_packet *p)
{
	struct ebpf_err err = { "" };

	ck_assert_msg(test_run_see(&test_run, p, &err) == 0, "%s", err.text);
}

/* Cases of which only the packets are used, as the kernel shows them to programs. */
static struct diff_case others[N_OTHERS];

static void
open_others(const struct kind *kind, uint64_t seed)
{
	for (uint64_t i = 0; i < N_OTHERS; i++) {
		diff_case_init(&others[i], kind->dialect, ~seed, i);
		for (size_t p = 0; p < DIFF_PACKETS; p++) {
			if (test_run_takes(&others[i].packets[p]))
				see(&others[i].packets[p]);
		}
	}
}

static void
close_others(void)
{
	for (size_t i = 0; i < N_OTHERS; i++)
		diff_case_fini(&others[i]);
}

static void
judge_packets(const struct kind *kind, const struct diff_case *c, int level, int prog,
	      const struct cbpf_lowered *lowered, const struct diff_packet *packets)
{
	struct ebpf_err err = { "" };

	for (size_t i = 0; i < DIFF_PACKETS; i++) {
		const struct diff_packet *p = &packets[i];
		struct reference_run run;
		uint32_t action = 0, expected;

		if (!test_run_takes(p))
			continue;
		run = reference_run(c->insns, kind->dialect, &p->view, p->pay_offset);
		expected = run.verdict != 0 ? MATCH : MISS;
		ck_assert_msg(kernel_prog_run(prog, p->frame, p->len, &action, &err) == 0, "%s",
			      err.text);
		if (action != expected)
			print(c, lowered);
		ck_assert_msg(action == expected,
			      "%s, level %d, case %" PRIu64 ", packet %zu of %u bytes: %u, not %u",
			      kind->name, level, c->index, i, p->len, action, expected);
		tally.n_pairs++;
		tally.n_matches += expected == MATCH;
	}
}

/* c has a program, and packets or none. */
static void
judge(const struct kind *kind, const struct diff_case *c, int level, int prog,
      const struct cbpf_lowered *lowered)
{
	if (c->packets[0].frame != NULL)
		judge_packets(kind, c, level, prog, lowered, c->packets);
	for (size_t i = 0; i < N_OTHERS; i++)
		judge_packets(kind, c, level, prog, lowered, others[i].packets);
}

/* No instruction is of a later generation. */
static void
check_cpu(const struct cbpf_lowered *l, enum cbpf_cpu cpu)
{
	for (size_t pc = 0; pc < l->n_insns; pc++) {
		int op = ebpf_op_of(&l->insns[pc]);

		ck_assert_msg(op >= 0 && ebpf_ops[op].cpu <= (unsigned)cpu, "slot %zu: code %02x in v%d",
			      pc, l->insns[pc].code, (int)cpu);
		pc += l->insns[pc].code == (EBPF_LD | EBPF_IMM | EBPF_DW);
	}
}

/* -EPERM, -EOPNOTSUPP: the kernel cannot be asked. */
static int
compare(const struct kind *kind, const struct diff_case *c, int level, struct ebpf_err *err)
{
	static const struct cbpf_net_base ethernet = { .off = 14 };
	static const struct cbpf_actions actions = { .match = MATCH, .miss = MISS };
	/* v4 is not for every kernel */
	const struct cbpf_lower_opts opts = {
		.size = sizeof(opts), .level = levels[level], .net_base = &ethernet,
		.actions = &actions, .cpu = (enum cbpf_cpu)(CBPF_CPU_V1 + c->index % 3),
	};
	struct cbpf_lowered lowered = { 0 };
	struct cbpf_prog *prog;
	int fd, rc;

	ck_assert_msg(cbpf_check(c->insns, c->n_insns, kind->dialect, &prog, err) == 0, "%s",
		      err->text);
	rc = cbpf_lower(prog, kind->target, &opts, &lowered, err);
	cbpf_prog_free(prog);
	if (rc == -EINVAL) {
		tally.n_inexpressible++;
		return 0;
	}
	ck_assert_msg(rc == 0, "%s", err->text);
	check_cpu(&lowered, opts.cpu);
	fd = kernel_prog_load(kind->type, lowered.insns, lowered.n_insns, err);
	if (fd == -E2BIG || (fd == -EACCES && jumps_back(c))) {
		/* a verifier follows loops to their end, and these take a budget */
		ck_assert_msg(jumps_back(c), "%s, level %d, case %" PRIu64 ": %s", kind->name,
			      level, c->index, err->text);
		tally.n_endless++;
		rc = 0;
	} else if (fd == -EACCES) {
		print(c, &lowered);
		ck_abort_msg("%s, level %d, case %" PRIu64 ": the kernel refuses %zu instructions: %s",
			     kind->name, level, c->index, lowered.n_insns, err->text);
	} else if (fd < 0) {
		rc = fd;
	} else {
		tally.n_programs++;
		tally.n_insns += lowered.n_insns;
		judge(kind, c, level, fd, &lowered);
		close(fd);
	}
	cbpf_lowered_free(&lowered);
	return rc;
}

/* On one processor, and with a tally of nothing; false: it has been skipped. */
static bool
can_ask(const struct kind *kind)
{
	struct ebpf_err err = { "" };
	int rc = test_run_open(&test_run, kind->type, &err);

	if (rc == -EPERM || rc == -EOPNOTSUPP) {
		suite_skip("%s", err.text);
		return false;
	}
	ck_assert_msg(rc == 0, "%s", err.text);
	memset(&tally, 0, sizeof(tally));
	return true;
}

START_TEST(the_kernel_takes_each_program_and_acts_as_the_classic_one_says)
{
	const struct kind *kind = &kinds[_i];
	uint64_t n_pairs = suite_scaled(N_PAIRS), seed = suite_seed(0xac7 + (uint64_t)_i);
	struct ebpf_err err = { "" };
	int rc = 0;

	if (!can_ask(kind))
		return;
	open_others(kind, seed);
	for (uint64_t i = 0; tally.n_pairs < n_pairs; i++) {
		struct diff_case c;

		diff_case_init(&c, kind->dialect, seed, i);
		for (size_t p = 0; p < DIFF_PACKETS; p++) {
			if (test_run_takes(&c.packets[p]))
				see(&c.packets[p]);
		}
		for (int level = 0; level < (int)N_ELEMS(levels); level++) {
			if (has(&c, CBPF_AD_RANDOM))
				continue;       /* nobody knows */
			rc = compare(kind, &c, level, &err);
			ck_assert_msg(rc == 0, "%s", err.text);
		}
		diff_case_fini(&c);
	}
	close_others();
	test_run_close(&test_run);
	printf("%s: %" PRIu64 " programs of %" PRIu64 " instructions on average taken, "
	       "%" PRIu64 " that it cannot express, %" PRIu64 " that loop; %" PRIu64
	       " pairs, %.1f %% match\n",
	       kind->name, tally.n_programs, tally.n_insns / tally.n_programs,
	       tally.n_inexpressible, tally.n_endless, tally.n_pairs,
	       100.0 * (double)tally.n_matches / (double)tally.n_pairs);
	suite_pairs(tally.n_pairs);
}
END_TEST

#ifdef HAVE_PCAP
enum { DLT_ETHERNET = 1, SNAPLEN = 262144 };

static bool
compile(const char *expr, struct diff_case *c)
{
	struct ebpf_err err;

	return sift_expr_compile(expr, DLT_ETHERNET, SNAPLEN, 0, 0, &c->insns, &c->n_insns,
				 &err) == 0;
}

/* The list that is tried beside tcpdump: those for Ethernet but for unbounded loops. */
START_TEST(expressions_act_as_they_judge)
{
	const struct kind *kind = &kinds[2 * _i];
	uint64_t scale = suite_scaled(100), n = 0;
	struct ebpf_err err = { "" };
	char line[512], path[512];
	const char *srcdir = getenv("srcdir");
	FILE *list;

	if (!can_ask(kind))
		return;
	snprintf(path, sizeof(path), "%s/tests/cli/expressions.txt", srcdir != NULL ? srcdir : ".");
	ck_assert_msg((list = fopen(path, "r")) != NULL, "%s: %s", path, strerror(errno));
	open_others(kind, 1);
	while (fgets(line, sizeof(line), list) != NULL) {
		struct diff_case c = { .dialect = kind->dialect, .index = n };

		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "EN10MB\t", 7) != 0 || strstr(line, "protochain") != NULL ||
		    61 * n++ % 100 >= scale)
			continue;
		ck_assert_msg(compile(line + 7, &c), "%s", line);
		for (int level = 0; level < (int)N_ELEMS(levels); level++)
			ck_assert_msg(compare(kind, &c, level, &err) == 0, "%s: %s", line, err.text);
		free(c.insns);
	}
	fclose(list);
	close_others();
	test_run_close(&test_run);
	printf("%s: %" PRIu64 " programs of expressions, %" PRIu64 " pairs, %.1f %% match\n",
	       kind->name, tally.n_programs, tally.n_pairs,
	       100.0 * (double)tally.n_matches / (double)tally.n_pairs);
	suite_pairs(tally.n_pairs);
}
END_TEST
#endif

Suite *
suite(void)
{
	Suite *s = suite_create("diff/actions");
	TCase *tc = tcase_create("random");

	tcase_set_timeout(tc, 600);
	tcase_add_loop_test(tc, the_kernel_takes_each_program_and_acts_as_the_classic_one_says, 0,
			    N_ELEMS(kinds));
#ifdef HAVE_PCAP
	/* dialect kernel: of what libpcap makes of these, the other says the same */
	tcase_add_loop_test(tc, expressions_act_as_they_judge, 0, N_ELEMS(kinds) / 2);
#endif
	suite_add_tcase(s, tc);
	return s;
}
