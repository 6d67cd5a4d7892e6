/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Extended programs in binary: what the verifier lets pass does the same in the
 * interpreter and as machine code, blinded and not, and in the checked run, and leaves the
 * same memory.
 */
#include <bpfsift/ebpf.h>

#include <string.h>

#include "fuzz/fuzz.h"

enum { MEM = 64, MAX_INSNS = 4096 };

struct outcome {
	int rc;
	uint64_t r0;
	uint8_t mem[MEM];
};

static struct ebpf_prog *
load(const struct ebpf_insn *insns, size_t n, const struct ebpf_policy *policy)
{
	const struct ebpf_load_opts opts = { .size = sizeof(opts),
					     .random_seed = 1,
					     .policy = policy,
					     .mem_size = MEM,
					     .verify = EBPF_VERIFY_ON };
	struct ebpf_prog *prog;
	struct ebpf_err err;

	return ebpf_prog_load_opts(ebpf_prog_type_raw(), insns, n, &opts, &prog, &err) == 0 ? prog
											     : NULL;
}

static void
run(const struct ebpf_prog *prog, struct outcome *outcome)
{
	uint8_t *mem = malloc(MEM); /* with guards, where the sanitizers are */
	struct ebpf_err err;

	FUZZ_MUST(mem != NULL);
	for (size_t i = 0; i < MEM; i++)
		mem[i] = (uint8_t)(3 * i);
	outcome->r0 = 0;
	outcome->rc = ebpf_prog_exec(prog, mem, MEM, &outcome->r0, &err);
	memcpy(outcome->mem, mem, MEM);
	free(mem);
}

/* Helpers tell of time and memory: such programs are run, but not compared. */
static int
is_deterministic(const struct ebpf_insn *insns, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (insns[i].code == (EBPF_JMP | EBPF_CALL) && insns[i].src_reg == 0)
			return 0;
	return 1;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ebpf_insn insns[MAX_INSNS];
	size_t n = size / sizeof(insns[0]);
	struct outcome want, got;

	if (n == 0 || n > MAX_INSNS)
		return 0;
	memcpy(insns, data, n * sizeof(insns[0]));
	for (int way = 0; way < 4; way++) {
		const struct ebpf_policy policy = {
			.size = sizeof(policy),
			.jit = way & 1 ? EBPF_JIT_ON : EBPF_JIT_OFF,
			.blinding = way & 2 ? EBPF_BLINDING_ALWAYS : EBPF_BLINDING_OFF,
		};
		struct ebpf_prog *prog = load(insns, n, &policy);

		if (prog == NULL) {
			FUZZ_MUST(way == 0 || (way & 2) != 0);
			if (way == 0)
				return 0;
			continue;
		}
		run(prog, way == 0 ? &want : &got);
		ebpf_prog_put(prog);
		if (way > 0 && is_deterministic(insns, n))
			FUZZ_MUST(got.rc == want.rc && got.r0 == want.r0 &&
				  memcmp(got.mem, want.mem, MEM) == 0);
	}
	return 0;
}
