/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All of 'bpfsift -r FILE -w FILE EXPRESSION': the expression is the first line, the file
 * what follows it.  The interpreter and machine code, one thread and two, libpcap's reader
 * and ours count the same.
 */
#include "fuzz/file.h"

#include <string.h>

#include "fuzz/fuzz.h"

struct way {
	unsigned flags;         /* of the reader */
	unsigned threads;
	enum ebpf_jit jit;
};

static struct sift_filter *
make_filter(const char *expression, const struct sift_source_info *info, enum ebpf_jit jit)
{
	const struct ebpf_policy policy = { .size = sizeof(policy), .jit = jit };
	const struct sift_filter_opts opts = { .size = sizeof(opts), .policy = &policy };
	struct sift_filter *filter = NULL;
	struct cbpf_insn *insns;
	struct cbpf_prog *prog;
	struct ebpf_err err;
	size_t n;

	if (sift_expr_compile(expression, info->dlt, info->snaplen, 0, info->expr_flags, &insns,
			      &n, &err) < 0)
		return NULL;
	if (cbpf_check(insns, n, CBPF_DIALECT_PCAP, &prog, &err) == 0) {
		FUZZ_MUST(sift_filter_new(prog, &opts, &filter, &err) == 0);
		cbpf_prog_free(prog);
	}
	free(insns);
	return filter;
}

/* Matches; -1: the file does not open, or there is no such filter. */
static int64_t
count(const char *path, const char *expression, const struct way *way)
{
	const struct sift_reader_opts reader = { .size = sizeof(reader),
						 .flags = way->flags,
						 .memlimit = 32 << 20 };
	struct sift_pipeline_counters counters = { .size = sizeof(counters) };
	struct sift_source_info info = { .size = sizeof(info) };
	struct sift_pipeline_opts opts = { .size = sizeof(opts), .threads = way->threads };
	struct sift_savefile_opts out = { .size = sizeof(out), .snaplen = 262144 };
	struct sift_filter *filter;
	struct sift_pipeline *pipeline;
	struct ebpf_err err;

	if (sift_source_open_savefile_opts(path, &reader, &opts.source, &err) < 0)
		return -1;
	FUZZ_MUST(sift_source_info(opts.source, &info, &err) == 0);
	if ((filter = make_filter(expression, &info, way->jit)) == NULL) {
		sift_source_close(opts.source);
		return -1;
	}
	opts.filter = filter;
	out.dlt = info.dlt;
	if (sift_sink_open_savefile("/dev/null", &out, &opts.sink, &err) < 0)
		opts.sink = NULL;
	FUZZ_MUST(sift_pipeline_new(&opts, &pipeline, &err) == 0);
	sift_pipeline_run(pipeline, &err);
	FUZZ_MUST(sift_pipeline_counters(pipeline, &counters, &err) == 0);
	sift_pipeline_free(pipeline);
	FUZZ_MUST(sift_sink_close(opts.sink, &err) == 0);
	sift_filter_free(filter);
	sift_source_close(opts.source);
	return (int64_t)counters.matched;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct way ways[] = {
		{ SIFT_READER_LIBPCAP, 1, EBPF_JIT_OFF },
		{ 0, 1, EBPF_JIT_OFF },
		{ 0, 1, EBPF_JIT_ON },
		{ 0, 2, EBPF_JIT_ON },
	};
	const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
	char expression[256];
	const char *path;
	int64_t want = 0;
	size_t n;

	if (end == NULL || (n = (size_t)(end - data)) >= sizeof(expression))
		return 0;
	memcpy(expression, data, n);
	expression[n] = '\0';
	path = fuzz_file(end + 1, size - n - 1);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		int64_t got = count(path, expression, &ways[i]);

		if (i == 0)
			want = got;
		FUZZ_MUST(got == want);
	}
	return 0;
}
