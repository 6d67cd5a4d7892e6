/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Extended programs in binary: what the verifier lets pass does the same in the
 * interpreter and as machine code, blinded and not, and in the checked run, and leaves the
 * same memory.
 */
#include "config.h" /* system extensions: MAP_ANONYMOUS */

#include <bpfsift/ebpf.h>

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz/fuzz.h"

enum { MEM = 64, MAX_INSNS = 4096 };

struct outcome {
	int rc;
	uint64_t r0;
	uint8_t mem[MEM];
};

static struct ebpf_prog *
load(const struct ebpf_insn *insns, size_t n, const struct ebpf_policy *policy,
     enum ebpf_verify_mode verify)
{
	const struct ebpf_load_opts opts = { .size = sizeof(opts),
					     .random_seed = 1,
					     .policy = policy,
					     .mem_size = MEM,
					     .verify = verify };
	struct ebpf_prog *prog;
	struct ebpf_err err;

	return ebpf_prog_load_opts(ebpf_prog_type_raw(), insns, n, &opts, &prog, &err) == 0 ? prog
											     : NULL;
}

/*
 * A page with none before and behind it: what machine code does beside the memory, which is
 * where the page begins or ends, no sanitizer sees.
 */
static uint8_t *
guarded(bool at_end)
{
	static uint8_t *page;
	size_t size = (size_t)sysconf(_SC_PAGESIZE);

	if (page == NULL) {
		page = mmap(NULL, 3 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		FUZZ_MUST(page != MAP_FAILED);
		page += size;
		FUZZ_MUST(mprotect(page, size, PROT_READ | PROT_WRITE) == 0);
	}
	return at_end ? page + size - MEM : page;
}

static void
run(const struct ebpf_prog *prog, bool at_end, struct outcome *outcome)
{
	uint8_t *mem = guarded(at_end);
	struct ebpf_err err;

	for (size_t i = 0; i < MEM; i++)
		mem[i] = (uint8_t)(3 * i);
	outcome->r0 = 0;
	outcome->rc = ebpf_prog_exec(prog, mem, MEM, &outcome->r0, &err);
	memcpy(outcome->mem, mem, MEM);
}

/*
 * Helpers tell of time and memory, and a result can be made of an address, which is another
 * at the page's end and on another stack: such programs are run, but not compared.
 */
static bool
is_deterministic(const struct ebpf_insn *insns, size_t n)
{
	const struct ebpf_policy policy = { .size = sizeof(policy), .jit = EBPF_JIT_OFF };
	struct ebpf_prog *prog;

	for (size_t i = 0; i < n; i++)
		if (insns[i].code == (EBPF_JMP | EBPF_CALL) && insns[i].src_reg == 0)
			return false;
	if ((prog = load(insns, n, &policy, EBPF_VERIFY_NO_LEAKS)) == NULL)
		return false;
	ebpf_prog_put(prog);
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ebpf_insn insns[MAX_INSNS];
	size_t n = size / sizeof(insns[0]);
	struct outcome want, got;
	bool compares = false;

	if (n == 0 || n > MAX_INSNS)
		return 0;
	memcpy(insns, data, n * sizeof(insns[0]));
	for (int way = 0; way < 4; way++) {
		const struct ebpf_policy policy = {
			.size = sizeof(policy),
			.jit = way & 1 ? EBPF_JIT_ON : EBPF_JIT_OFF,
			.blinding = way & 2 ? EBPF_BLINDING_ALWAYS : EBPF_BLINDING_OFF,
		};
		struct ebpf_prog *prog = load(insns, n, &policy, EBPF_VERIFY_ON);

		if (prog == NULL) {
			FUZZ_MUST(way == 0 || (way & 2) != 0);
			if (way == 0)
				return 0;
			continue;
		}
		if (way == 0)
			compares = is_deterministic(insns, n);
		for (int at_end = 0; at_end < 2; at_end++) {
			bool is_first = way == 0 && at_end == 0;

			run(prog, at_end, is_first ? &want : &got);
			if (!is_first && compares)
				FUZZ_MUST(got.rc == want.rc && got.r0 == want.r0 &&
					  memcmp(got.mem, want.mem, MEM) == 0);
		}
		ebpf_prog_put(prog);
	}
	return 0;
}
