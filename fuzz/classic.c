/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Classic programs in binary, behind two bytes: the number of instructions, and what is
 * chosen of dialect and target; behind them the packet.  Filters of all levels, interpreted
 * and as machine code, agree.
 */
#include <bpfsift/filter.h>

#include <string.h>

#include "fuzz/fuzz.h"

enum { ETHERNET = 1 };

static uint32_t
judge(const struct cbpf_prog *prog, enum cbpf_level level, enum ebpf_jit jit,
      const struct sift_view *view, int *rc)
{
	const struct ebpf_policy policy = { .size = sizeof(policy), .jit = jit };
	const struct sift_filter_opts opts = { .size = sizeof(opts),
					       .random_seed = 1,
					       .policy = &policy,
					       .level = level };
	struct sift_filter *filter;
	struct ebpf_err err;
	uint32_t verdict, batch;

	if ((*rc = sift_filter_new(prog, &opts, &filter, &err)) < 0)
		return 0;
	verdict = sift_filter_match(filter, view);
	sift_filter_free(filter);
	FUZZ_MUST(sift_filter_new(prog, &opts, &filter, &err) == 0);
	sift_filter_batch(filter, view, 1, &batch);
	FUZZ_MUST(batch == verdict);
	sift_filter_free(filter);
	return verdict;
}

static void
lower(const struct cbpf_prog *prog, enum cbpf_target target, enum cbpf_level level)
{
	const struct cbpf_net_base base = { .off = 14, .vlan_at = 12 };
	const struct cbpf_lower_opts opts = {
		.size = sizeof(opts),
		.layout = sift_packet_layout(),
		.net_base = target == CBPF_TARGET_PACKET ? NULL : &base,
		.level = level,
	};
	struct cbpf_lowered lowered = { NULL, 0, NULL };
	struct ebpf_err err;

	if (cbpf_lower(prog, target, &opts, &lowered, &err) == 0)
		cbpf_lowered_free(&lowered);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum cbpf_level levels[] = { CBPF_LEVEL_0, CBPF_LEVEL_1, CBPF_LEVEL_2 };
	struct cbpf_insn insns[256];
	struct cbpf_prog *prog;
	struct sift_view view;
	struct ebpf_err err;
	uint32_t want = 0;
	size_t n;
	int rc, want_rc = 0;

	if (size < 2)
		return 0;
	n = data[0];
	if (n == 0 || n > (size - 2) / sizeof(insns[0]))
		return 0;
	memcpy(insns, data + 2, n * sizeof(insns[0]));
	if (cbpf_check(insns, n, data[1] & 1 ? CBPF_DIALECT_PCAP : CBPF_DIALECT_KERNEL, &prog,
		       &err) < 0)
		return 0;
	data += 2 + n * sizeof(insns[0]);
	size -= 2 + n * sizeof(insns[0]);
	sift_view_init(&view, ETHERNET, data, (uint32_t)size, (uint32_t)size + 7);
	for (size_t i = 0; i < 3; i++) {
		for (int jit = 0; jit < 2; jit++) {
			uint32_t got = judge(prog, levels[i], jit ? EBPF_JIT_ON : EBPF_JIT_OFF,
					     &view, &rc);

			if (i == 0 && jit == 0) {
				want = got;
				want_rc = rc;
			}
			FUZZ_MUST(rc == want_rc && got == want);
		}
		for (int target = CBPF_TARGET_BUFFER; target <= CBPF_TARGET_XDP; target++)
			lower(prog, (enum cbpf_target)target, levels[i]);
	}
	cbpf_prog_free(prog);
	return 0;
}
