/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the lowering makes of random classic programs is accepted by the
 * verifier as a stranger's program would have to be, for each target that runs
 * in user space and each dialect: the lowering guards each load.
 *
 * Backward jumps (protochain, in dialect pcap) end by a budget of 65,536
 * steps, which the verifier does not follow (and of a number in the second
 * half of a stack slot it does not remember the value): such programs run
 * because they are our own, and here may be refused, for their loop only.
 */
#include "ebpf/link.h"
#include "ebpf/prove.h"
#include "ebpf/verify.h"

#include "tests/diff/generate.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

static void
dump(const struct cbpf_lowered *p)
{
	for (size_t pc = 0; pc < p->n_insns; pc++) {
		char line[EBPF_DISASM_SIZE];

		ebpf_disasm(&p->insns[pc], p->n_insns - pc, line, sizeof(line));
		fprintf(stderr, "%4zu: %s\n", pc, line);
	}
}

static bool
jumps_back(const struct cbpf_lowered *p)
{
	for (size_t pc = 0; pc < p->n_insns; pc++) {
		if (EBPF_CLASS(p->insns[pc].code) == EBPF_JMP && p->insns[pc].off < 0)
			return true;
	}
	return false;
}

struct counts {
	uint64_t n_accepted, n_insns, n_visited, n_loops;
};

static void
verify_lowered(const struct cbpf_prog *prog, enum cbpf_target target, enum cbpf_level level,
	       uint64_t index, struct counts *counts)
{
	struct cbpf_lower_opts opts = { .size = sizeof(opts), .layout = sift_packet_layout(),
					.level = level };
	bool is_packet = target == CBPF_TARGET_PACKET;
	struct ebpf_load_opts load = { .size = sizeof(load), .mem_size = 1 + index % 1500,
				       .verify = EBPF_VERIFY_NO_LEAKS };
	struct ebpf_verify_env env;
	struct ebpf_link link;
	struct ebpf_verify_result result;
	struct cbpf_lowered lowered = { 0 };
	struct ebpf_err err = { "" };
	int rc;

	if (cbpf_lower(prog, target, &opts, &lowered, &err) < 0)
		return;         /* a load that this target has not */
	ck_assert_int_eq(ebpf_link_init(&link, is_packet ? sift_prog_type_packet()
							 : ebpf_prog_type_raw(), &load, &err), 0);
	ck_assert_int_eq(ebpf_prove_env(&link, NULL, &load, &env, &err), 0);
	env.mem_read_only = true;
	env.rfc9669 = false;
	if (jumps_back(&lowered))
		env.max_visited = 20000;
	rc = ebpf_verify(lowered.insns, lowered.n_insns, &env, &result, &err);
	ebpf_prove_env_free(&env);
	ebpf_link_free(&link);
	if ((rc == -E2BIG || rc == -ELOOP) && jumps_back(&lowered)) {
		counts->n_loops++;
		cbpf_lowered_free(&lowered);
		return;
	}
	if (rc < 0) {
		dump(&lowered);
		ck_abort_msg("case %" PRIu64 ", target %d, level %d, memory %zu: %s", index,
			     (int)target, (int)level - (int)CBPF_LEVEL_0, (size_t)load.mem_size,
			     err.text);
	}
	counts->n_accepted++;
	counts->n_insns += lowered.n_insns;
	counts->n_visited += result.n_visited;
	cbpf_lowered_free(&lowered);
}

static const struct {
	enum cbpf_dialect dialect;
	enum cbpf_level level;
} kinds[] = {
	{ CBPF_DIALECT_KERNEL, CBPF_LEVEL_0 }, { CBPF_DIALECT_PCAP, CBPF_LEVEL_0 },
	{ CBPF_DIALECT_KERNEL, CBPF_LEVEL_1 }, { CBPF_DIALECT_PCAP, CBPF_LEVEL_1 },
	{ CBPF_DIALECT_KERNEL, CBPF_LEVEL_2 }, { CBPF_DIALECT_PCAP, CBPF_LEVEL_2 },
};

START_TEST(lowered_programs_are_accepted)
{
	uint64_t seed = suite_seed(20260120);
	struct counts counts[2] = { { 0, 0, 0, 0 }, { 0, 0, 0, 0 } };

	for (uint64_t i = suite_scaled(1500); i > 0; i--) {
		struct cbpf_prog *prog;
		struct diff_case c;
		struct ebpf_err err;

		diff_case_init(&c, kinds[_i].dialect, seed, i);
		if (cbpf_check(c.insns, c.n_insns, kinds[_i].dialect, &prog, &err) == 0) {
			verify_lowered(prog, CBPF_TARGET_PACKET, kinds[_i].level, i, &counts[0]);
			verify_lowered(prog, CBPF_TARGET_BUFFER, kinds[_i].level, i, &counts[1]);
			cbpf_prog_free(prog);
		}
		diff_case_fini(&c);
	}
	for (int t = 0; t < 2; t++) {
		printf("verify: level %d, target %s: %" PRIu64 " accepted, %" PRIu64 " instructions, %" PRIu64
		       " visited, %" PRIu64 " with backward jumps refused\n",
		       (int)kinds[_i].level - (int)CBPF_LEVEL_0, t == 0 ? "packet" : "buffer", counts[t].n_accepted,
		       counts[t].n_insns, counts[t].n_visited, counts[t].n_loops);
		ck_assert_uint_gt(counts[t].n_accepted, 0);
	}
	fflush(stdout);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("diff/verify_lowered");
	TCase *tc = tcase_create("random classic programs");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, lowered_programs_are_accepted, 0, N_ELEMS(kinds));
	suite_add_tcase(s, tc);
	return s;
}
