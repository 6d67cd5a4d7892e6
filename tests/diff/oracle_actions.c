/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The running kernel again, with what we make for its hooks tc and xdp: its verifier has
 * to take each program, and a test run of it tells whether a packet matches.
 */
#include "tests/diff/compare.h"

#include "ebpf/err.h"
#include "filter/dissect.h"
#include "tests/diff/kernel_prog.h"
#include "tests/diff/test_run.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { MATCH = 1, MISS = 2 };

/* Shorter ones the kernel's verifier has always followed to their ends. */
#define LONG_PROGRAM 500

struct actions {
	struct test_run run;
	enum cbpf_target target;
	enum cbpf_dialect dialect;
	unsigned n_lowered;
};

static int
open_actions(enum kernel_prog_type type, enum cbpf_target target, enum cbpf_dialect dialect,
	     void **state, struct ebpf_err *err)
{
	struct actions *a = calloc(1, sizeof(*a));
	int rc;

	if (a == NULL)
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	a->target = target;
	a->dialect = dialect;
	if ((rc = test_run_open(&a->run, type, err)) < 0) {
		free(a);
		return rc;
	}
	*state = a;
	return 0;
}

static void
close_actions(void *state)
{
	struct actions *a = state;

	test_run_close(&a->run);
	free(a);
}

static int
meet(void *state, struct diff_case *c, struct ebpf_err *err)
{
	const struct actions *a = state;
	int rc = 0;

	for (size_t i = 0; i < DIFF_PACKETS && rc == 0; i++) {
		struct diff_packet *p = &c->packets[i];

		p->is_unseen = !test_run_takes(p);
		if (!p->is_unseen)
			rc = test_run_see(&a->run, p, err);
		/* asked for by programs that are not for these hooks, which others judge */
		p->pay_offset = sift_dissect_payload(&p->view);
	}
	return rc;
}

static void
part(struct diff_case *c)
{
	(void)c;
}

static bool
jumps_back(const struct cbpf_insn *insns, size_t n_insns)
{
	for (size_t pc = 0; pc < n_insns; pc++) {
		if (insns[pc].code == (CBPF_JMP | CBPF_JA) &&
		    (uint32_t)(pc + 1 + insns[pc].k) <= pc)
			return true;
	}
	return false;
}

/* A file descriptor; -ENOTSUP, -E2BIG, -EINVAL as judge(). */
static int
load(struct actions *a, const struct cbpf_insn *insns, size_t n_insns, struct ebpf_err *err)
{
	static const struct cbpf_net_base ethernet = { .off = 14 };
	static const struct cbpf_actions actions = { .match = MATCH, .miss = MISS };
	/* each level and generation in turn; v4 is not for every kernel */
	const struct cbpf_lower_opts opts = {
		.size = sizeof(opts),
		.level = (enum cbpf_level)(CBPF_LEVEL_0 + a->n_lowered % 3),
		.net_base = &ethernet,
		.actions = &actions,
		.cpu = (enum cbpf_cpu)(CBPF_CPU_V1 + a->n_lowered / 3 % 3),
	};
	struct cbpf_lowered lowered = { NULL, 0, NULL };
	struct cbpf_prog *prog;
	int rc;

	/* loops take a budget, which the kernel's verifier follows for a second, in vain */
	if (jumps_back(insns, n_insns))
		return -E2BIG;
	if ((rc = cbpf_check(insns, n_insns, a->dialect, &prog, err)) < 0)
		return rc;
	a->n_lowered++;
	rc = cbpf_lower(prog, a->target, &opts, &lowered, err);
	cbpf_prog_free(prog);
	if (rc < 0)
		return rc == -EINVAL ? -ENOTSUP : rc;
	rc = kernel_prog_load(a->run.type, lowered.insns, lowered.n_insns, err);
	cbpf_lowered_free(&lowered);
	if (rc == -E2BIG && n_insns >= LONG_PROGRAM)
		return rc;
	return rc == -EACCES || rc == -E2BIG ? -EINVAL : rc;
}

static int
judge(void *state, const struct cbpf_insn *insns, size_t n_insns, const struct diff_packet *packets,
      size_t n, const bool *skip, uint32_t *verdicts, struct ebpf_err *err)
{
	int prog = load(state, insns, n_insns, err), rc = 0;

	if (prog < 0)
		return prog;
	for (size_t i = 0; i < n && rc == 0; i++) {
		uint32_t action = 0;

		if (skip[i])
			continue;
		rc = kernel_prog_run(prog, packets[i].frame, packets[i].len, &action, err);
		if (rc == 0 && action != MATCH && action != MISS)
			rc = ebpf_err_set(err, -EIO, "action %u", action);
		verdicts[i] = action == MATCH;
	}
	close(prog);
	return rc == -EINVAL ? -EIO : rc;
}

#define ORACLE(a_hook, a_type, a_target, a_suffix, a_name, a_dialect)                              \
	static int open_##a_hook##a_suffix(void **state, struct ebpf_err *err)                     \
	{                                                                                          \
		return open_actions(a_type, a_target, a_dialect, state, err);                      \
	}                                                                                          \
	const struct diff_oracle diff_oracle_##a_hook##a_suffix = {                                \
		.name = a_name,                                                                    \
		.dialect = a_dialect,                                                              \
		.is_kernel = true,                                                                 \
		.tells_match = true,                                                               \
		.open = open_##a_hook##a_suffix,                                                   \
		.close = close_actions,                                                            \
		.meet = meet,                                                                      \
		.part = part,                                                                      \
		.judge = judge,                                                                    \
	};

ORACLE(tc, KERNEL_TC, CBPF_TARGET_TC, , "tc", CBPF_DIALECT_KERNEL)
ORACLE(tc, KERNEL_TC, CBPF_TARGET_TC, _pcap, "tc-pcap", CBPF_DIALECT_PCAP)
ORACLE(xdp, KERNEL_XDP, CBPF_TARGET_XDP, , "xdp", CBPF_DIALECT_KERNEL)
ORACLE(xdp, KERNEL_XDP, CBPF_TARGET_XDP, _pcap, "xdp-pcap", CBPF_DIALECT_PCAP)
