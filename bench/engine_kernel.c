/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The running kernel's JIT, by BPF_PROG_TEST_RUN: our program for target socket,
 * run some times for each of some packets.  The kernel's own figure is taken,
 * less that of a program that returns at once.  It is of one packet again and
 * again, which the processor's prediction is the better for.
 */
#include "config.h" /* system extensions: syscall() */

#include "bench/engine.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/packets.h"

/* Such programs are given what is behind an Ethernet header. */
enum { HEADER = 14, REPEAT = 2000, N_MEASURED = 64 };

struct kernel {
	int prog, nothing;      /* descriptors */
	uint8_t frame[HEADER + PACKETS_MAX_LEN];
};

/* Once for all filters. */
static void
say_why_not(const char *what, int code)
{
	static bool is_said;

	if (!is_said)
		fprintf(stderr, "bench: no row for the kernel's JIT: %s: %s\n", what,
			strerror(code));
	is_said = true;
}

static int
load(const struct ebpf_insn *insns, size_t n)
{
	union bpf_attr attr;
	int fd;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	attr.insns = (uintptr_t)insns;
	attr.insn_cnt = (uint32_t)n;
	attr.license = (uintptr_t)"BSD";
	fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	if (fd < 0)
		say_why_not("BPF_PROG_LOAD", errno);
	return fd;
}

/* Some runs for a packet: the verdict, and nanoseconds for each.  0 or -1. */
static int
test_run(struct kernel *k, int prog, const struct sift_view *v, uint32_t repeat, uint32_t *verdict,
	 uint32_t *ns)
{
	union bpf_attr attr;
	int rc;

	memcpy(k->frame + HEADER, v->data, v->caplen);
	memset(&attr, 0, sizeof(attr));
	attr.test.prog_fd = (uint32_t)prog;
	attr.test.data_in = (uintptr_t)k->frame;
	attr.test.data_size_in = HEADER + v->caplen;
	attr.test.repeat = repeat;
	do {
		rc = (int)syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attr, sizeof(attr));
	} while (rc < 0 && (errno == EINTR || errno == EAGAIN));
	if (rc < 0)
		say_why_not("BPF_PROG_TEST_RUN", errno);
	*verdict = attr.test.retval;
	*ns = attr.test.duration;
	return rc;
}

static bool
jit_is_on(void)
{
	FILE *f = fopen("/proc/sys/net/core/bpf_jit_enable", "r");
	int c = f != NULL ? fgetc(f) : EOF;

	if (f != NULL)
		fclose(f);
	if (c == '0')
		say_why_not("net.core.bpf_jit_enable is 0", EOPNOTSUPP);
	return c != '0';
}

static void
release(void *state)
{
	struct kernel *k = state;

	if (k->prog >= 0)
		close(k->prog);
	if (k->nothing >= 0)
		close(k->nothing);
	free(k);
}

static int
load_both(struct kernel *k, const struct cbpf_insn *insns, size_t n_insns)
{
	static const struct ebpf_insn nothing[] = {
		{ .code = EBPF_ALU64 | EBPF_MOV, .imm = 0 }, { .code = EBPF_JMP | EBPF_EXIT },
	};
	struct cbpf_lower_opts opts = { .size = sizeof(opts), .cpu = CBPF_CPU_V3 };
	struct cbpf_lowered lowered;
	struct cbpf_prog *prog;

	if (cbpf_check(insns, n_insns, CBPF_DIALECT_PCAP, &prog, NULL) < 0)
		return -1;
	if (cbpf_lower(prog, CBPF_TARGET_SOCKET, &opts, &lowered, NULL) == 0) {
		k->prog = load(lowered.insns, lowered.n_insns);
		cbpf_lowered_free(&lowered);
	}
	cbpf_prog_free(prog);
	if (k->prog >= 0)
		k->nothing = load(nothing, sizeof(nothing) / sizeof(nothing[0]));
	return k->nothing;
}

static void *
prepare(const struct cbpf_insn *insns, size_t n_insns)
{
	struct sift_view one = { .data = (const uint8_t[64]){ 0 }, .caplen = 64 };
	struct kernel *k = jit_is_on() ? calloc(1, sizeof(*k)) : NULL;
	uint32_t verdict, ns;

	if (k == NULL)
		return NULL;
	k->prog = k->nothing = -1;
	if (load_both(k, insns, n_insns) >= 0 &&
	    test_run(k, k->nothing, &one, 1, &verdict, &ns) == 0)
		return k;
	release(k);
	return NULL;
}

static size_t
run(void *state, const struct sift_view *views, size_t n)
{
	struct kernel *k = state;
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t verdict = 0, ns;

		test_run(k, k->prog, &views[i], 1, &verdict, &ns);
		kept += verdict != 0;
	}
	return kept;
}

/* The kernel gives whole nanoseconds, rounded down: for both in the same way. */
static double
measure(void *state, const struct sift_view *views, size_t n)
{
	struct kernel *k = state;
	size_t step = n > N_MEASURED ? n / N_MEASURED : 1, n_runs = 0;
	double sum = 0;

	for (size_t i = 0; i < n; i += step, n_runs++) {
		uint32_t verdict, with = 0, without = 0;

		test_run(k, k->prog, &views[i], REPEAT, &verdict, &with);
		test_run(k, k->nothing, &views[i], REPEAT, &verdict, &without);
		sum += (double)with - (double)without;
	}
	return sum / (double)n_runs;
}

const struct engine engine_kernel = { "kernel jit", prepare, run, release, measure };
