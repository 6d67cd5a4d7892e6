/* SPDX-License-Identifier: BSD-2-Clause */
/* Our own engines, one packet a call and in batches. */
#include "config.h"

#include "bench/engine.h"

enum { BATCH = 256, COUNTED = 64 };

static void *
prepare(const struct cbpf_insn *insns, size_t n_insns, enum ebpf_jit jit, enum cbpf_level level)
{
	struct ebpf_policy policy = { .size = sizeof(policy), .jit = jit };
	struct sift_filter_opts opts = { .size = sizeof(opts), .policy = &policy,
					 .level = level };
	struct sift_filter *filter = NULL;
	struct cbpf_prog *prog;

	if (cbpf_check(insns, n_insns, CBPF_DIALECT_PCAP, &prog, NULL) < 0)
		return NULL;
	sift_filter_new(prog, &opts, &filter, NULL);
	cbpf_prog_free(prog);
	return filter;
}

static void *
prepare_interp(const struct cbpf_insn *insns, size_t n_insns)
{
	return prepare(insns, n_insns, EBPF_JIT_OFF, CBPF_LEVEL_DEFAULT);
}

/* What the classic program is, instruction by instruction. */
static void *
prepare_interp_plain(const struct cbpf_insn *insns, size_t n_insns)
{
	return prepare(insns, n_insns, EBPF_JIT_OFF, CBPF_LEVEL_0);
}

static void *
prepare_jit(const struct cbpf_insn *insns, size_t n_insns)
{
	return prepare(insns, n_insns, EBPF_JIT_REQUIRED, CBPF_LEVEL_DEFAULT);
}

static size_t
run_single(void *state, const struct sift_view *views, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		kept += sift_filter_match(state, &views[i]) != 0;
	return kept;
}

static size_t
run_batch(void *state, const struct sift_view *views, size_t n)
{
	uint32_t verdicts[BATCH];
	size_t kept = 0;

	for (size_t i = 0; i < n; i += BATCH) {
		size_t some = n - i < BATCH ? n - i : BATCH;

		sift_filter_batch(state, &views[i], some, verdicts);
		for (size_t j = some; j % COUNTED != 0; j++)
			verdicts[j] = 0;
		/* as many each time, for the compiler */
		for (size_t j = 0; j < some; j += COUNTED) {
			for (size_t k = 0; k < COUNTED; k++)
				kept += verdicts[j + k] != 0;
		}
	}
	return kept;
}

static void
release(void *state)
{
	sift_filter_free(state);
}

const struct engine engine_interp_plain = { "interp -O0", prepare_interp_plain, run_single,
					    release, NULL };
const struct engine engine_interp = { "interp", prepare_interp, run_single, release, NULL };
const struct engine engine_interp_batch = { "interp batch", prepare_interp, run_batch, release,
					    NULL };
const struct engine engine_jit = { "jit", prepare_jit, run_single, release, NULL };
const struct engine engine_jit_batch = { "jit batch", prepare_jit, run_batch, release, NULL };
