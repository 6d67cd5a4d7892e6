/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The time from a verified program to machine code that can be run: translated,
 * and copied into pages that are executed.  For the benchmark's filters, and for
 * programs up to 100,000 instructions, which show how it grows.
 */
#include "config.h"

#include "bench/compile.h"

#include <bpfsift/filter.h>

#include <pcap/dlt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench/figures.h"
#include "bench/filters.h"
#include "cbpf/emit.h"
#include "ebpf/jit/jit.h"

enum { ROUNDS = 101, SNAPLEN = 262144, MOST = 100000 };

struct taken {
	double translated, sealed;      /* nanoseconds */
	size_t n_bytes;
};

static size_t
length(const struct ebpf_prog *prog)
{
	size_t n;

	ebpf_prog_insns(prog, &n);
	return n;
}

static int
compile(const struct ebpf_prog *prog, size_t rounds, struct taken *taken)
{
	uint32_t *starts = calloc(length(prog) + 1, sizeof(*starts));
	double translated[ROUNDS], sealed[ROUNDS];
	int rc = starts != NULL ? 0 : -1;

	for (size_t i = 0; i < rounds && rc == 0; i++) {
		struct ebpf_jit_entries entries;
		struct ebpf_jit_text text;
		/* its own: the longest take more than a slice of the processor */
		double begin = now_ns(CLOCK_PROCESS_CPUTIME_ID), middle;
		uint8_t *code;

		rc = ebpf_jit_translate(EBPF_JIT_TARGET, prog, &code, &taken->n_bytes, &entries,
					starts);
		if (rc < 0)
			break;
		middle = now_ns(CLOCK_PROCESS_CPUTIME_ID);
		rc = ebpf_jit_text_new(&text, code, taken->n_bytes, 0);
		sealed[i] = now_ns(CLOCK_PROCESS_CPUTIME_ID) - middle;
		translated[i] = middle - begin;
		free(code);
		if (rc == 0)
			ebpf_jit_text_free(&text);
	}
	free(starts);
	if (rc != 0) {
		fprintf(stderr, "bench: no machine code for %zu instructions\n",
			length(prog));
		return -1;
	}
	taken->translated = median_of(translated, rounds);
	taken->sealed = median_of(sealed, rounds);
	return 0;
}

static int
print_row(const char *name, const struct ebpf_prog *prog, size_t rounds)
{
	struct taken taken;
	double us;

	if (compile(prog, rounds, &taken) < 0)
		return -1;
	us = (taken.translated + taken.sealed) / 1000;
	printf("%-36.36s %12zu %9zu %9.1f %9.1f %9.1f %9.1f\n", name, length(prog),
	       taken.n_bytes, us, taken.translated / 1000, taken.sealed / 1000,
	       us * 1000 / (double)length(prog));
	return 0;
}

static int
bench_filter(size_t i)
{
	char buf[4096];
	const char *expr = filter_expression(i, buf, sizeof(buf));
	struct ebpf_policy policy = { .size = sizeof(policy), .jit = EBPF_JIT_REQUIRED };
	struct sift_filter_opts opts = { .size = sizeof(opts), .policy = &policy };
	struct sift_filter *filter = NULL;
	struct cbpf_prog *prog = NULL;
	struct cbpf_insn *insns = NULL;
	struct ebpf_err err;
	size_t n_insns;
	int rc = sift_expr_compile(expr, DLT_EN10MB, SNAPLEN, SIFT_NETMASK_UNKNOWN, 0, &insns,
				   &n_insns, &err);

	if (rc == 0)
		rc = cbpf_check(insns, n_insns, CBPF_DIALECT_PCAP, &prog, &err);
	if (rc == 0)
		rc = sift_filter_new(prog, &opts, &filter, &err);
	if (rc == 0)
		rc = print_row(expr, sift_filter_ebpf(filter), ROUNDS);
	else
		fprintf(stderr, "bench: %s\n", err.text);
	sift_filter_free(filter);
	cbpf_prog_free(prog);
	free(insns);
	return rc;
}

/* Loads, arithmetic and branches, as filters have them. */
static struct ebpf_insn *
make_program(size_t n)
{
	struct ebpf_insn *insns = calloc(n, sizeof(*insns));

	if (insns == NULL)
		return NULL;
	insns[0] = insn_alu32_k(EBPF_MOV, EBPF_R0, 0);
	for (size_t i = 1; i + 1 < n; i++) {
		uint32_t k = (uint32_t)i * 2654435761u;

		/* the verifier leaves no more than 8,192 branches open */
		if (i % 20 == 0 && i + 2 < n) {
			insns[i] = insn_jmp_k(EBPF_JEQ, EBPF_R0, (int32_t)(k >> 4), 1);
			continue;
		}
		switch (i % 3) {
		case 1:
			insns[i] = insn_ldx(EBPF_W, EBPF_R0, EBPF_R1, (int16_t)(i % 60));
			break;
		case 2:
			insns[i] = insn_alu32_x(EBPF_XOR, EBPF_R0, EBPF_R2);
			break;
		default:
			insns[i] = insn_alu32_k(EBPF_ADD, EBPF_R0, k);
			break;
		}
	}
	insns[n - 1] = insn_exit();
	return insns;
}

static int
bench_size(size_t n)
{
	struct ebpf_policy policy = { .size = sizeof(policy), .jit = EBPF_JIT_REQUIRED };
	struct ebpf_load_opts opts = { .size = sizeof(opts), .verify = EBPF_VERIFY_ON,
				       .mem_size = 64, .policy = &policy };
	struct ebpf_insn *insns = make_program(n);
	struct ebpf_prog *prog;
	struct ebpf_err err;
	int rc;

	if (insns == NULL)
		return -1;
	rc = ebpf_prog_load_opts(ebpf_prog_type_raw(), insns, n, &opts, &prog, &err);
	free(insns);
	if (rc < 0) {
		fprintf(stderr, "bench: %s\n", err.text);
		return -1;
	}
	rc = print_row("made up", prog, n < MOST ? ROUNDS : ROUNDS / 10);
	ebpf_prog_put(prog);
	return rc;
}

bool
bench_compile(void)
{
	bool ok = true;

	if (!EBPF_HAS_JIT) {
		printf("machine code: none for this machine\n\n");
		return true;
	}
	printf("machine code: microseconds to make it, and nanoseconds an instruction\n"
	       "%-36s instructions     bytes       all translate      seal   ns each\n",
	       "");
	for (size_t i = 0; i < N_FILTERS && ok; i++)
		ok = bench_filter(i) == 0;
	for (size_t n = 100; n <= MOST && ok; n *= 10)
		ok = bench_size(n) == 0;
	printf("\n");
	fflush(stdout);
	return ok;
}
