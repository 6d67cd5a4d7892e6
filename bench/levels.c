/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * levels: what the lowering makes of the benchmark's filters, target buffer.
 *
 * For levels 0, 1 and 2, and for clang -O2 -mcpu=v3 on the same program
 * as straight C: instructions in the program, and executed per packet of the
 * benchmark's packets; both counted in our interpreter.  Then what lowering
 * costs: of each filter beside pcap_compile, program object included, and of
 * lists of hosts up to the longest program that the kernel takes.
 */
#include "config.h"

#include "bench/c_form.h"
#include "bench/figures.h"
#include "bench/filters.h"
#include "bench/packets.h"

#include <bpfsift/filter.h>
#include <math.h>
#include <pcap/dlt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { N_LEVELS = 3, N_COLUMNS = N_LEVELS + 1, CLANG = N_LEVELS };
enum { N_PACKETS = 4096, SNAPLEN = 262144, ROUNDS = 200 };

static const enum cbpf_level levels[N_LEVELS] = { CBPF_LEVEL_0, CBPF_LEVEL_1, CBPF_LEVEL_2 };

/* A program, and what it was seen to do. */
struct figures {
	size_t n_insns;
	double executed;        /* per packet */
	size_t kept;
};

static void
die(const char *what)
{
	fprintf(stderr, "levels: %s\n", what);
	exit(EXIT_FAILURE);
}

static struct cbpf_prog *
compile(const char *expr)
{
	struct cbpf_insn *insns;
	struct cbpf_prog *prog;
	struct ebpf_err err;
	size_t n;

	if (sift_expr_compile(expr, DLT_EN10MB, SNAPLEN, SIFT_NETMASK_UNKNOWN, 0, &insns, &n,
			      &err) < 0 ||
	    cbpf_check(insns, n, CBPF_DIALECT_PCAP, &prog, &err) < 0)
		die(err.text);
	free(insns);
	return prog;
}

static struct ebpf_prog *
lower(const struct cbpf_prog *prog, enum cbpf_level level)
{
	const struct cbpf_lower_opts opts = { .size = sizeof(opts), .level = level };
	struct cbpf_lowered lowered;
	struct ebpf_prog *out;
	struct ebpf_err err;

	if (cbpf_lower(prog, CBPF_TARGET_BUFFER, &opts, &lowered, &err) < 0 ||
	    ebpf_prog_load(ebpf_prog_type_raw(), lowered.insns, lowered.n_insns, &out, &err) < 0)
		die(err.text);
	cbpf_lowered_free(&lowered);
	return out;
}

/* ---- clang ---- */

static void *
read_file(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	char *bytes = malloc(1 << 20);

	if (f == NULL || bytes == NULL)
		die("no object file");
	*len = fread(bytes, 1, 1 << 20, f);
	fclose(f);
	return bytes;
}

/* NULL: there is no clang. */
static struct ebpf_prog *
by_clang(const struct cbpf_prog *prog)
{
	char dir[] = "/tmp/levels-XXXXXX", c[64], o[64], command[256];
	struct ebpf_object *object;
	struct ebpf_prog *out = NULL;
	struct ebpf_err err;
	const struct cbpf_insn *insns;
	size_t n, len;
	void *bytes;
	FILE *f;

	insns = cbpf_prog_insns(prog, &n);
	if (mkdtemp(dir) == NULL)
		die("no temporary directory");
	snprintf(c, sizeof(c), "%s/f.c", dir);
	snprintf(o, sizeof(o), "%s/f.o", dir);
	if ((f = fopen(c, "w")) == NULL)
		die("no temporary file");
	c_form_write(insns, n, f);
	fclose(f);
	snprintf(command, sizeof(command), "clang -O2 -target bpf -mcpu=v3 -w -g -c -o %s %s", o, c);
	if (system(command) == 0) {
		bytes = read_file(o, &len);
		if (ebpf_object_open(bytes, len, &object, &err) < 0 ||
		    ebpf_object_load(object, "socket", NULL, ebpf_prog_type_raw(), NULL, &out,
				     &err) < 0)
			die(err.text);
		ebpf_object_close(object);
		free(bytes);
	}
	unlink(c);
	unlink(o);
	rmdir(dir);
	return out;
}

/* ---- instructions ---- */

static void
count_one(void *arg, size_t pc, const uint64_t regs[EBPF_MAX_REG])
{
	(void)pc, (void)regs;
	++*(uint64_t *)arg;
}

static struct figures
watch(const struct ebpf_prog *prog, const struct packets *p)
{
	uint64_t executed = 0, r0 = 0;
	struct ebpf_run_opts opts = { .size = sizeof(opts), .trace = count_one,
				      .trace_arg = &executed };
	struct figures f = { 0 };
	struct ebpf_err err;

	ebpf_prog_insns(prog, &f.n_insns);
	for (size_t i = 0; i < p->n; i++) {
		const struct sift_view *v = &p->views[i];

		if (ebpf_prog_run_checked(prog, (void *)(uintptr_t)v->data, v->caplen, &opts, &r0,
					  &err) < 0)
			die(err.text);
		f.kept += (uint32_t)r0 != 0;
	}
	f.executed = (double)executed / (double)p->n;
	return f;
}

static int
by_level(const char *expr, const struct packets *p, double log_sum[N_COLUMNS])
{
	struct cbpf_prog *prog = compile(expr);
	struct figures f[N_COLUMNS] = { { 0 } };

	printf("%-36.36s", expr);
	for (size_t i = 0; i < N_COLUMNS; i++) {
		struct ebpf_prog *e = i == CLANG ? by_clang(prog) : lower(prog, levels[i]);

		if (e == NULL) {
			printf("       -       -");
			continue;
		}
		f[i] = watch(e, p);
		ebpf_prog_put(e);
		if (f[i].kept != f[0].kept) {
			fprintf(stderr, "levels: %s: %zu and %zu packets kept\n", expr, f[0].kept,
				f[i].kept);
			return 0;
		}
		printf(" %7zu %7.2f", f[i].n_insns, f[i].executed);
		log_sum[i] += log(f[i].executed) / N_FILTERS;
	}
	printf("\n");
	cbpf_prog_free(prog);
	return 1;
}

static int
table_of_instructions(void)
{
	double log_sum[N_COLUMNS] = { 0 };
	char buf[4096];
	struct packets p;

	if (packets_make(&p, N_PACKETS, 1) < 0)
		die("out of memory");
	printf("target buffer, %d packets: instructions in the program, and executed per packet\n"
	       "%-36s", N_PACKETS, "");
	for (int i = 0; i < N_LEVELS; i++)
		printf("         level %d", i);
	printf("     clang -O2\n");
	for (size_t i = 0; i < N_FILTERS; i++) {
		if (!by_level(filter_expression(i, buf, sizeof(buf)), &p, log_sum))
			return 0;
	}
	printf("%-36s", "geometric mean");
	for (size_t i = 0; i < N_COLUMNS; i++)
		printf(" %15.2f", exp(log_sum[i]));
	printf("\n\n");
	packets_free(&p);
	return 1;
}

/* ---- cost ---- */

/* Median microseconds of n rounds, program object included. */
static double
cost_of_lowering(const struct cbpf_prog *prog, enum cbpf_level level, size_t n)
{
	double ns[ROUNDS];

	for (size_t i = 0; i < n; i++) {
		double start = now_ns(CLOCK_MONOTONIC);

		struct ebpf_prog *made = lower(prog, level);

		ns[i] = now_ns(CLOCK_MONOTONIC) - start;
		ebpf_prog_put(made);
	}
	return median_of(ns, n) / 1000;
}

static double
cost_of_compiling(const char *expr)
{
	double ns[ROUNDS / 10];

	for (size_t i = 0; i < ROUNDS / 10; i++) {
		double start = now_ns(CLOCK_MONOTONIC);

		cbpf_prog_free(compile(expr));
		ns[i] = now_ns(CLOCK_MONOTONIC) - start;
	}
	return median_of(ns, ROUNDS / 10) / 1000;
}

static void
table_of_costs(void)
{
	double sum[1 + N_LEVELS] = { 0 };
	char buf[4096];

	printf("microseconds, program object included\n%-36s  insns pcap_compile level 0"
	       "  level 1  level 2\n", "");
	for (size_t i = 0; i < N_FILTERS; i++) {
		const char *expr = filter_expression(i, buf, sizeof(buf));
		struct cbpf_prog *prog = compile(expr);
		double us = cost_of_compiling(expr);
		size_t n;

		cbpf_prog_insns(prog, &n);
		printf("%-36.36s %6zu %12.1f", expr, n, us);
		sum[0] += us;
		for (size_t j = 0; j < N_LEVELS; j++) {
			us = cost_of_lowering(prog, levels[j], ROUNDS);
			printf(" %8.1f", us);
			sum[1 + j] += us;
		}
		printf("\n");
		cbpf_prog_free(prog);
	}
	printf("%-43s %12.1f %8.1f %8.1f %8.1f\n\n", "sum", sum[0], sum[1], sum[2], sum[3]);
}

/* Pairs of addresses at two offsets: a load, and tests of what it gives. */
static size_t
list_of_hosts(struct cbpf_insn *insns, size_t n)
{
	size_t pc = 0;

	while (pc + 12 < n) {
		insns[pc++] = (struct cbpf_insn)CBPF_STMT(CBPF_LD | CBPF_W | CBPF_ABS,
							  pc / 12 % 2 == 0 ? 26 : 30);
		for (uint32_t i = 0; i < 10; i++)
			insns[pc++] = (struct cbpf_insn)CBPF_JUMP(CBPF_JMP | CBPF_JEQ | CBPF_K,
								  (uint32_t)pc * 2654435761u,
								  10 - i, 0);
		insns[pc++] = (struct cbpf_insn)CBPF_JUMP(CBPF_JMP | CBPF_JA, 1, 0, 0);
		insns[pc++] = (struct cbpf_insn)CBPF_STMT(CBPF_RET | CBPF_K, SNAPLEN);
	}
	while (pc < n)
		insns[pc++] = (struct cbpf_insn)CBPF_STMT(CBPF_RET | CBPF_K, 0);
	return pc;
}

/* Arithmetic on what was loaded, with everything needed till the end. */
static size_t
arithmetic(struct cbpf_insn *insns, size_t n)
{
	size_t pc = 0;

	while (pc + 9 < n) {
		uint32_t k = (uint32_t)pc;

		insns[pc++] = (struct cbpf_insn)CBPF_STMT(CBPF_LDX | CBPF_B | CBPF_MSH, k % 60);
		insns[pc++] = (struct cbpf_insn)CBPF_STMT(CBPF_LD | CBPF_W | CBPF_IND, k % 50);
		insns[pc++] = (struct cbpf_insn)CBPF_STMT(CBPF_ALU | CBPF_ADD | CBPF_X, 0);
		insns[pc++] = (struct cbpf_insn)CBPF_STMT(CBPF_ALU | CBPF_MUL | CBPF_K, k | 1);
		insns[pc++] = (struct cbpf_insn)CBPF_STMT(CBPF_ST, k % CBPF_MEMWORDS);
		insns[pc++] = (struct cbpf_insn)CBPF_JUMP(CBPF_JMP | CBPF_JGT | CBPF_K, k, 1, 0);
		insns[pc++] = (struct cbpf_insn)CBPF_STMT(CBPF_ALU | CBPF_XOR | CBPF_X, 0);
		insns[pc++] = (struct cbpf_insn)CBPF_STMT(CBPF_ST, k % CBPF_MEMWORDS);
	}
	while (pc < n)
		insns[pc++] = (struct cbpf_insn)CBPF_STMT(CBPF_RET | CBPF_A, 0);
	return pc;
}

static void
growth_of(const char *name, size_t (*make)(struct cbpf_insn *insns, size_t n))
{
	static struct cbpf_insn insns[CBPF_MAXINSNS];
	struct ebpf_err err;

	printf("%-20s", name);
	for (size_t n = 64; n <= CBPF_MAXINSNS; n *= 2) {
		struct cbpf_prog *prog;

		if (cbpf_check(insns, make(insns, n), CBPF_DIALECT_PCAP, &prog, &err) < 0)
			die(err.text);
		printf(" %8.1f", cost_of_lowering(prog, CBPF_LEVEL_2, ROUNDS / 10));
		cbpf_prog_free(prog);
	}
	printf("\n");
}

int
main(void)
{
	if (!table_of_instructions())
		return EXIT_FAILURE;
	table_of_costs();
	printf("level 2, microseconds by instructions\n%-20s", "");
	for (size_t n = 64; n <= CBPF_MAXINSNS; n *= 2)
		printf(" %8zu", n);
	printf("\n");
	growth_of("list of hosts", list_of_hosts);
	growth_of("arithmetic", arithmetic);
	return EXIT_SUCCESS;
}
