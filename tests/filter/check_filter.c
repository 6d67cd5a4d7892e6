/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Filters end to end: a classic program in, verdicts out.  What needs the
 * packet type's context and helpers is here; how each instruction computes is
 * the business of the lowering's and the core's own suites.
 */
#include "ebpf/prog.h"
#include "ebpf/sized.h"
#include "tests/support/suite.h"

#include <bpfsift/filter.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter/dlt.h"

#define AD(what) ((uint32_t)CBPF_AD_OFF + CBPF_AD_##what)
#define NET(off) ((uint32_t)CBPF_NET_OFF + (off))
#define LL(off) ((uint32_t)CBPF_LL_OFF + (off))
#define LD_W (CBPF_LD | CBPF_W | CBPF_ABS)
#define LD_H (CBPF_LD | CBPF_H | CBPF_ABS)
#define LD_B (CBPF_LD | CBPF_B | CBPF_ABS)

static struct sift_filter *
make_filter(const struct cbpf_insn *insns, size_t n_insns, const struct sift_filter_opts *opts)
{
	struct sift_filter *f = NULL;
	struct cbpf_prog *prog = NULL;
	struct ebpf_err err = { "" };

	ck_assert_msg(cbpf_check(insns, n_insns, CBPF_DIALECT_KERNEL, &prog, &err) == 0, "%s",
		      err.text);
	ck_assert_msg(sift_filter_new(prog, opts, &f, &err) == 0, "%s", err.text);
	cbpf_prog_free(prog);
	return f;
}

/* The verdict of `ld #a; ldx #x; CODE k; ret a'. */
static uint32_t
run(const struct sift_view *v, uint32_t a, uint32_t x, uint16_t code, uint32_t k)
{
	const struct cbpf_insn insns[] = {
		CBPF_STMT(CBPF_LD | CBPF_IMM, a),
		CBPF_STMT(CBPF_LDX | CBPF_IMM, x),
		CBPF_STMT(code, k),
		CBPF_STMT(CBPF_RET | CBPF_A, 0),
	};
	/* the library's own, where the other is compiled in here */
	uint32_t (*volatile match)(const struct sift_filter *, const struct sift_view *) =
		sift_filter_match;
	struct sift_filter *f = make_filter(insns, N_ELEMS(insns), NULL);
	uint32_t verdict = 4711;

	sift_filter_batch(f, v, 1, &verdict);
	ck_assert_uint_eq(sift_filter_match(f, v), verdict);
	ck_assert_uint_eq(match(f, v), verdict);
	sift_filter_free(f);
	return verdict;
}

START_TEST(judges_each_packet_of_a_batch)
{
	static const struct cbpf_insn insns[] = {
		CBPF_STMT(CBPF_LD | CBPF_LEN, 0),
		CBPF_STMT(CBPF_RET | CBPF_A, 0),
	};
	struct ebpf_policy policy = { .size = sizeof(policy), .jit = (enum ebpf_jit)_i };
	struct sift_filter_opts opts = { .size = sizeof(opts), .policy = &policy };
	struct sift_filter *f = make_filter(insns, N_ELEMS(insns), &opts);
	static struct sift_view views[1000];
	static uint32_t verdicts[1001];

	for (uint32_t i = 0; i < 1000; i++)
		sift_view_init(&views[i], DLT_RAW, NULL, 0, i * 3);
	for (size_t n = 0; n <= 1000; n += n < 3 ? 1 : 997) {
		memset(verdicts, 0xee, sizeof(verdicts));
		sift_filter_batch(f, views, n, verdicts);
		for (uint32_t i = 0; i < n; i++)
			ck_assert_uint_eq(verdicts[i], i * 3);
		ck_assert_uint_eq(verdicts[n], 0xeeeeeeee);
	}
	sift_filter_free(f);
}
END_TEST

START_TEST(verdict_has_32_bits)
{
	struct sift_view v;

	sift_view_init(&v, DLT_RAW, NULL, 0, 0);
	ck_assert_uint_eq(run(&v, 0x80000000, 0x7fffffff, CBPF_ALU | CBPF_ADD | CBPF_X, 0),
			  0xffffffff);
}
END_TEST

START_TEST(shows_its_programs)
{
	static const struct cbpf_insn insns[] = {
		CBPF_STMT(CBPF_LD | CBPF_LEN, 0),
		CBPF_STMT(CBPF_RET | CBPF_A, 0),
	};
	struct sift_filter *f = make_filter(insns, N_ELEMS(insns), NULL);
	size_t n;

	ck_assert_mem_eq(cbpf_prog_insns(sift_filter_cbpf(f), &n), insns, sizeof(insns));
	ck_assert_uint_eq(n, 2);
	ck_assert_int_eq(cbpf_prog_dialect(sift_filter_cbpf(f)), CBPF_DIALECT_KERNEL);
	ck_assert_ptr_nonnull(ebpf_prog_insns(sift_filter_ebpf(f), &n));
	ck_assert_uint_ge(n, 2);
	sift_filter_free(f);
	sift_filter_free(NULL);
}
END_TEST

/* What real filters begin with is recognised as they are made today. */
START_TEST(batches_fetch_what_filters_read)
{
	static const struct cbpf_insn insns[] = {
		CBPF_STMT(CBPF_LD | CBPF_LEN, 0),
		CBPF_JUMP(CBPF_JMP | CBPF_JGT | CBPF_K, 1000, 0, 3),
		CBPF_STMT(CBPF_LD | CBPF_H | CBPF_ABS, 12),
		CBPF_JUMP(CBPF_JMP | CBPF_JEQ | CBPF_K, 0x800, 0, 1),
		CBPF_STMT(CBPF_RET | CBPF_K, 96),
		CBPF_STMT(CBPF_RET | CBPF_K, 0),
	};
	struct sift_filter *f = make_filter(insns, N_ELEMS(insns), NULL);
	const struct ebpf_reads *reads = &sift_filter_ebpf(f)->aux->reads;

	ck_assert(reads->any);
	ck_assert_uint_eq(reads->from, 12);
	ck_assert_uint_eq(reads->to, 13);
	ck_assert(reads->has_guard);
	ck_assert_uint_eq(reads->guard_off, offsetof(struct sift_view, wirelen));
	ck_assert_int_eq(reads->guard_least, 1001);
	sift_filter_free(f);
}
END_TEST

/* A program of the other dialect is kept as one: index overflow stays out of range. */
START_TEST(keeps_the_dialect)
{
	static const struct cbpf_insn insns[] = {
		CBPF_STMT(CBPF_LDX | CBPF_IMM, 0xffffffff),
		CBPF_STMT(CBPF_LD | CBPF_B | CBPF_IND, 1),
		CBPF_STMT(CBPF_RET | CBPF_A, 0),
	};
	static const uint8_t packet[] = { 7, 8 };
	static const uint32_t want[] = { [CBPF_DIALECT_KERNEL] = 7, [CBPF_DIALECT_PCAP] = 0 };
	struct cbpf_prog *prog;
	struct sift_filter *f;
	struct sift_view v;
	uint32_t verdict = 4711;

	ck_assert_int_eq(cbpf_check(insns, 3, (enum cbpf_dialect)_i, &prog, NULL), 0);
	ck_assert_int_eq(sift_filter_new(prog, NULL, &f, NULL), 0);
	cbpf_prog_free(prog);
	sift_view_init(&v, DLT_RAW, packet, 2, 2);
	sift_filter_batch(f, &v, 1, &verdict);
	ck_assert_uint_eq(verdict, want[_i]);
	ck_assert_int_eq(cbpf_prog_dialect(sift_filter_cbpf(f)), _i);
	sift_filter_free(f);
}
END_TEST

START_TEST(refuses_options_without_their_size)
{
	static const struct cbpf_insn insns[] = { CBPF_STMT(CBPF_RET | CBPF_K, 0) };
	struct sift_filter_opts opts = { .random_seed = 1 };
	struct sift_filter *untouched = (struct sift_filter *)&opts, *f = untouched;
	struct ebpf_err err = { "" };
	struct cbpf_prog *prog;
	char want[128];

	snprintf(want, sizeof(want), "filter options of 0 bytes, but %zu are the least: set size",
		 EBPF_SIZED_LEAST(struct sift_filter_opts, random_seed));
	ck_assert_int_eq(cbpf_check(insns, 1, CBPF_DIALECT_KERNEL, &prog, NULL), 0);
	ck_assert_int_eq(sift_filter_new(prog, &opts, &f, &err), -EINVAL);
	ck_assert_str_eq(err.text, want);
	ck_assert_ptr_eq(f, untouched);
	cbpf_prog_free(prog);
}
END_TEST

/* ---- packet bytes by link type ---- */

static const uint8_t tagged[] = {
	2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0xa8, 0x20, 0x64, 0x81, 0x00, 0x40, 0x65,
	0x08, 0x00, 0x45, 0x00, 0x00, 0x1c, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
	0, 1, 0, 2, 0, 8, 0, 0,
};

static const struct {
	int dlt;
	uint32_t caplen;
	uint16_t code;
	uint32_t k;
	uint32_t verdict;
} loads[] = {
	{ DLT_EN10MB, 50, LD_H, 12, 0x88a8 },
	{ DLT_EN10MB, 50, LD_H, LL(12), 0x88a8 },
	{ DLT_EN10MB, 50, LD_H, NET(0), 0x4065 },
	{ DLT_EN10MB, 50, LD_B, NET(31), 0 },
	{ DLT_EN10MB, 50, LD_B, NET(29), 8 },
	{ DLT_EN10MB, 50, LD_B, NET(32), 0 },
	{ DLT_EN10MB, 19, LD_H, NET(0), 0 },
	{ DLT_EN10MB, 20, LD_H, NET(0), 0x4065 },
	{ DLT_EN10MB, 17, LD_H, NET(0), 0 },
	{ DLT_EN10MB, 13, LD_H, LL(12), 0 },
	{ DLT_EN10MB, 14, LD_H, LL(12), 0x88a8 },
	{ DLT_RAW, 50, LD_H, NET(12), 0x88a8 },
	{ DLT_IEEE802_11, 50, LD_H, NET(0), 0 },
	{ DLT_IEEE802_11, 50, LD_H, LL(12), 0x88a8 },
	{ 147, 50, LD_H, NET(0), 0 },
	{ DLT_EN10MB, 50, LD_H, AD(PROTOCOL), 0x8100 },
	{ DLT_EN10MB, 17, LD_H, AD(PROTOCOL), 0 },
	{ DLT_EN10MB, 50, LD_H, AD(HATYPE), 1 },
	{ DLT_EN10MB, 50, LD_B, AD(PAY_OFFSET), 50 },
	{ DLT_EN10MB, 41, LD_W, AD(PAY_OFFSET), 0 },
	{ DLT_RAW, 50, LD_W, AD(PAY_OFFSET), 0 },
};

START_TEST(reaches_headers_by_link_type)
{
	struct sift_view v;
	uint8_t *copy = malloc(loads[_i].caplen);
	uint32_t verdict;

	memcpy(copy, tagged, loads[_i].caplen);
	sift_view_init(&v, loads[_i].dlt, copy, loads[_i].caplen, sizeof(tagged));
	verdict = run(&v, 0, 0, loads[_i].code, loads[_i].k);
	ck_assert_msg(verdict == loads[_i].verdict, "0x%x, not 0x%x", verdict, loads[_i].verdict);
	free(copy);
}
END_TEST

/* ---- metadata ---- */

static const struct sift_view known = {
	.net_off = SIFT_OFF_NONE,
	.known = 0x1ff,
	.protocol = 0x86dd,
	.pkttype = 3,
	.vlan_present = 1,
	.hatype = 0xfffe,
	.queue = 0xabcd,
	.ifindex = 0x81828384,
	.mark = 0x91929394,
	.rxhash = 0xa1a2a3a4,
	.cpu = 0xb1b2b3b4,
	.vlan_tci = 0xfedc,
	.vlan_proto = 0x88a8,
};

static const struct {
	uint32_t k;
	uint32_t verdict;
} metadata[] = {
	{ AD(PROTOCOL), 0x86dd },   { AD(PKTTYPE), 3 },
	{ AD(IFINDEX), 0x81828384 }, { AD(MARK), 0x91929394 },
	{ AD(QUEUE), 0xabcd },      { AD(HATYPE), 0xfffe },
	{ AD(RXHASH), 0xa1a2a3a4 }, { AD(CPU), 0xb1b2b3b4 },
	{ AD(VLAN_TAG), 0xfedc },   { AD(VLAN_TAG_PRESENT), 1 },
	{ AD(VLAN_TPID), 0x88a8 },  { AD(ALU_XOR_X), 0x5555 ^ 0xffff },
};

/* Whatever the width that the load asks for. */
START_TEST(loads_metadata)
{
	ck_assert_uint_eq(run(&known, 0x5555, 0xffff, LD_W, metadata[_i].k), metadata[_i].verdict);
	ck_assert_uint_eq(run(&known, 0x5555, 0xffff, LD_H, metadata[_i].k), metadata[_i].verdict);
	ck_assert_uint_eq(run(&known, 0x5555, 0xffff, LD_B, metadata[_i].k), metadata[_i].verdict);
}
END_TEST

/* ---- netlink attributes ---- */

#define ATTR(len, type) len, 0, type, 0

/* Attributes as a little-endian host writes them; swapped at run time on others. */
static const uint8_t attributes[] = {
	0xee, 0xee, 0xee, 0xee,                 /*  0: some header */
	ATTR(5, 1), 9, 0, 0, 0,                 /*  4: one byte, padded */
	ATTR(4, 2),                             /* 12: empty */
	ATTR(20, 3),                            /* 16: nest */
	ATTR(8, 5), 1, 2, 3, 4,                 /* 20: inside */
	8, 0, 6, 0x80, 1, 2, 3, 4,              /* 28: inside, with a flag bit */
	ATTR(3, 7), 0, 0, 0, 0,                 /* 36: malformed */
	ATTR(4, 8),                             /* 44: behind that */
};

static const uint16_t one = 1;

static void
put_attributes(uint8_t *to)
{
	static const uint8_t headers[] = { 4, 12, 16, 20, 28, 36, 44 };

	memcpy(to, attributes, sizeof(attributes));
	if (*(const uint8_t *)&one == 1)
		return;
	for (size_t i = 0; i < N_ELEMS(headers); i++)
		for (size_t j = headers[i]; j < headers[i] + 4u; j += 2) {
			to[j] = attributes[j + 1];
			to[j + 1] = attributes[j];
		}
}

static const struct {
	uint32_t k;
	uint32_t a, x;
	uint32_t caplen;
	uint32_t verdict;
} netlink[] = {
	{ AD(NLATTR), 4, 1, 48, 4 },
	{ AD(NLATTR), 4, 2, 48, 12 },
	{ AD(NLATTR), 4, 3, 48, 16 },
	{ AD(NLATTR), 12, 1, 48, 0 },
	{ AD(NLATTR), 4, 5, 48, 0 },
	{ AD(NLATTR), 20, 5, 48, 20 },
	{ AD(NLATTR), 20, 6, 48, 28 },
	{ AD(NLATTR), 20, 0x8006, 48, 0 },
	{ AD(NLATTR), 20, 7, 48, 0 },
	{ AD(NLATTR), 4, 8, 48, 0 },
	{ AD(NLATTR), 44, 8, 48, 44 },
	{ AD(NLATTR), 45, 8, 48, 0 },
	{ AD(NLATTR), 48, 8, 48, 0 },
	{ AD(NLATTR), 0xffffffff, 8, 48, 0 },
	{ AD(NLATTR), 4, 2, 15, 0 },
	{ AD(NLATTR), 4, 2, 16, 12 },
	{ AD(NLATTR), 4, 1, 9, 4 },
	{ AD(NLATTR), 4, 1, 8, 0 },
	{ AD(NLATTR), 0, 1, 3, 0 },
	{ AD(NLATTR), 4, 3, 36, 16 },
	{ AD(NLATTR), 4, 3, 35, 0 },
	{ AD(NLATTR_NEST), 16, 5, 48, 20 },
	{ AD(NLATTR_NEST), 16, 6, 48, 28 },
	{ AD(NLATTR_NEST), 16, 3, 48, 0 },
	{ AD(NLATTR_NEST), 16, 7, 48, 0 },
	{ AD(NLATTR_NEST), 16, 5, 35, 0 },
	{ AD(NLATTR_NEST), 16, 5, 36, 20 },
	{ AD(NLATTR_NEST), 12, 3, 48, 0 },
	{ AD(NLATTR_NEST), 36, 8, 48, 0 },
	{ AD(NLATTR_NEST), 45, 8, 48, 0 },
	{ AD(NLATTR_NEST), 0xfffffffd, 8, 48, 0 },
};

START_TEST(finds_netlink_attributes)
{
	uint8_t whole[sizeof(attributes)], *copy = malloc(netlink[_i].caplen);
	struct sift_view v;
	uint32_t verdict;

	put_attributes(whole);
	memcpy(copy, whole, netlink[_i].caplen);
	sift_view_init(&v, DLT_RAW, copy, netlink[_i].caplen, netlink[_i].caplen);
	verdict = run(&v, netlink[_i].a, netlink[_i].x, LD_W, netlink[_i].k);
	ck_assert_msg(verdict == netlink[_i].verdict, "a %u, x %u, %u bytes: %u, not %u",
		      netlink[_i].a, netlink[_i].x, netlink[_i].caplen, verdict,
		      netlink[_i].verdict);
	free(copy);
}
END_TEST

START_TEST(walks_random_attributes)
{
	static const struct cbpf_insn insns[] = {
		CBPF_STMT(CBPF_LD | CBPF_B | CBPF_ABS, 0),
		CBPF_STMT(CBPF_LDX | CBPF_B | CBPF_MSH, 1),
		CBPF_STMT(LD_W, AD(NLATTR)),
		CBPF_STMT(CBPF_RET | CBPF_A, 0),
	};
	struct sift_filter *f = make_filter(insns, N_ELEMS(insns), NULL);
	uint64_t rng = suite_seed(33), rounds = suite_scaled(100000), n_found = 0;

	for (uint64_t i = 0; i < rounds; i++) {
		uint32_t n = 2 + rng_below(&rng, 100), verdict = 4711;
		uint8_t *packet = malloc(n);
		struct sift_view v;
		uint16_t type;

		for (uint32_t j = 0; j < n; j++)
			packet[j] = (uint8_t)(rng_below(&rng, 3) != 0 ? 0 : rng_below(&rng, 16));
		packet[0] = (uint8_t)rng_below(&rng, 16);
		packet[1] = (uint8_t)rng_below(&rng, 3);
		sift_view_init(&v, DLT_RAW, packet, n, n);
		sift_filter_batch(f, &v, 1, &verdict);
		if (verdict != 0) {
			ck_assert_uint_le(verdict, n - 4);
			ck_assert_uint_ge(verdict, packet[0]);
			memcpy(&type, packet + verdict + 2, sizeof(type));
			ck_assert_uint_eq(type & 0x3fff, 4u * packet[1]);
			n_found++;
		}
		free(packet);
	}
	ck_assert_uint_gt(n_found, rounds / 1000);
	sift_filter_free(f);
}
END_TEST

/* ---- random numbers ---- */

#define N_DRAWS 4000
#define N_THREADS 4

static const struct cbpf_insn draw[] = {
	CBPF_STMT(LD_W, AD(RANDOM)),
	CBPF_STMT(CBPF_RET | CBPF_A, 0),
};

static void
draw_numbers(const struct sift_filter *f, size_t n, uint32_t *numbers)
{
	static struct sift_view view;   /* whatever the packet */

	for (size_t i = 0; i < n; i++)
		sift_filter_batch(f, &view, 1, &numbers[i]);
}

static struct sift_filter *
make_random(uint64_t seed)
{
	struct sift_filter_opts opts = { .size = sizeof(opts), .random_seed = seed };

	return make_filter(draw, N_ELEMS(draw), &opts);
}

/* The generator that tests draw from is the same; so is its sequence. */
START_TEST(random_repeats_by_its_seed)
{
	static uint32_t numbers[N_DRAWS];
	uint64_t seed = suite_seed(34), state = seed, ones = 0;
	struct sift_filter *f = make_random(seed);

	draw_numbers(f, N_DRAWS, numbers);
	for (size_t i = 0; i < N_DRAWS; i++) {
		ck_assert_uint_eq(numbers[i], rng_next(&state) >> 32);
		for (uint32_t bits = numbers[i]; bits != 0; bits &= bits - 1)
			ones++;
	}
	ck_assert_uint_gt(ones, N_DRAWS * 15);
	ck_assert_uint_lt(ones, N_DRAWS * 17);
	sift_filter_free(f);
}
END_TEST

struct thread {
	pthread_t id;
	const struct sift_filter *filter;
	uint32_t numbers[N_DRAWS / N_THREADS];
};

static void *
draw_in_thread(void *arg)
{
	struct thread *t = arg;

	draw_numbers(t->filter, N_ELEMS(t->numbers), t->numbers);
	return NULL;
}

static int
compare_u32(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Threads share out one sequence: none is lost, none drawn twice. */
START_TEST(random_is_shared_by_threads)
{
	static struct thread threads[N_THREADS];
	static uint32_t drawn[N_DRAWS], want[N_DRAWS];
	struct sift_filter *f = make_random(35), *g = make_random(35);

	for (size_t i = 0; i < N_THREADS; i++) {
		threads[i].filter = f;
		ck_assert_int_eq(pthread_create(&threads[i].id, NULL, draw_in_thread, &threads[i]),
				 0);
	}
	for (size_t i = 0; i < N_THREADS; i++) {
		ck_assert_int_eq(pthread_join(threads[i].id, NULL), 0);
		memcpy(drawn + i * N_ELEMS(threads[i].numbers), threads[i].numbers,
		       sizeof(threads[i].numbers));
	}
	draw_numbers(g, N_DRAWS, want);
	qsort(drawn, N_DRAWS, sizeof(drawn[0]), compare_u32);
	qsort(want, N_DRAWS, sizeof(want[0]), compare_u32);
	ck_assert_mem_eq(drawn, want, sizeof(want));
	sift_filter_free(f);
	sift_filter_free(g);
}
END_TEST

/* ---- replacing ---- */

/* A filter whose verdict is k. */
static struct sift_filter *
make_constant(uint32_t k)
{
	const struct cbpf_insn insns[] = { CBPF_STMT(CBPF_RET | CBPF_K, k) };

	return make_filter(insns, 1, NULL);
}

START_TEST(changes_places_with_another)
{
	struct sift_filter *f = make_constant(1), *with = make_random(7);
	const struct ebpf_prog *first = sift_filter_ebpf(f), *second = sift_filter_ebpf(with);
	const struct cbpf_prog *classic = sift_filter_cbpf(with);
	struct sift_filter *same = make_random(7);
	uint32_t wanted[3], drawn[3];
	struct sift_view v;

	sift_view_init(&v, DLT_RAW, NULL, 0, 0);
	draw_numbers(same, 3, wanted);
	draw_numbers(with, 1, drawn);
	sift_filter_replace(f, with);
	ck_assert_ptr_eq(sift_filter_ebpf(f), second);
	ck_assert_ptr_eq(sift_filter_cbpf(f), classic);
	ck_assert_ptr_eq(sift_filter_ebpf(with), first);
	ck_assert_uint_eq(sift_filter_match(with, &v), 1);
	/* its numbers go on where they were */
	draw_numbers(f, 2, drawn + 1);
	ck_assert_mem_eq(drawn, wanted, sizeof(wanted));
	sift_filter_replace(f, f);
	ck_assert_ptr_eq(sift_filter_ebpf(f), second);
	sift_filter_free(with);
	sift_filter_free(same);
	draw_numbers(f, 1, drawn);
	sift_filter_free(f);
}
END_TEST

struct judging {
	pthread_t id;
	const struct sift_filter *filter;
	atomic_bool *is_over;
	uint64_t seen[3]; /* batches by their verdict */
};

/* All of a batch have one verdict, and so have calls one by one. */
static void *
judge_in_thread(void *arg)
{
	struct judging *judging = arg;
	struct sift_view views[SIFT_BATCH_MAX];
	uint32_t verdicts[SIFT_BATCH_MAX];

	for (size_t i = 0; i < SIFT_BATCH_MAX; i++)
		sift_view_init(&views[i], DLT_RAW, NULL, 0, 0);
	do {
		sift_filter_batch(judging->filter, views, SIFT_BATCH_MAX, verdicts);
		for (size_t i = 1; i < SIFT_BATCH_MAX; i++)
			ck_assert_uint_eq(verdicts[i], verdicts[0]);
		ck_assert(verdicts[0] == 1 || verdicts[0] == 2);
		judging->seen[verdicts[0]]++;
		verdicts[0] = sift_filter_match(judging->filter, views);
		ck_assert(verdicts[0] == 1 || verdicts[0] == 2);
	} while (!atomic_load(judging->is_over));
	return NULL;
}

START_TEST(a_batch_is_judged_by_one)
{
	struct sift_filter *f = make_constant(1), *with = make_constant(2);
	struct judging threads[3];
	uint64_t seen[3] = { 0 };
	atomic_bool is_over;

	atomic_init(&is_over, false);
	for (size_t i = 0; i < N_ELEMS(threads); i++) {
		threads[i] = (struct judging){ .filter = f, .is_over = &is_over };
		ck_assert_int_eq(pthread_create(&threads[i].id, NULL, judge_in_thread, &threads[i]),
				 0);
	}
	for (uint64_t i = suite_scaled(20000); i > 0; i--) {
		sift_filter_replace(f, with);
		if (i % 16 == 0)
			sched_yield();
	}
	atomic_store(&is_over, true);
	for (size_t i = 0; i < N_ELEMS(threads); i++) {
		pthread_join(threads[i].id, NULL);
		for (int verdict = 1; verdict <= 2; verdict++)
			seen[verdict] += threads[i].seen[verdict];
	}
	printf("%llu batches by one, %llu by the other\n", (unsigned long long)seen[1],
	       (unsigned long long)seen[2]);
	ck_assert_uint_gt(seen[1] + seen[2], 0);
	sift_filter_free(f);
	sift_filter_free(with);
}
END_TEST

/* ---- too short ---- */

/* ldh [12]; jeq #0x800, ldb [23]; ret A: else 0, and so where that byte is 0. */
static const struct cbpf_insn of_protocol[] = {
	CBPF_STMT(LD_H, 12),
	CBPF_JUMP(CBPF_JMP | CBPF_JEQ | CBPF_K, 0x800, 0, 1),
	CBPF_STMT(LD_B, 23),
	CBPF_JUMP(CBPF_JMP | CBPF_JEQ | CBPF_K, 17, 0, 1),
	CBPF_STMT(CBPF_RET | CBPF_K, 1000),
	CBPF_STMT(CBPF_RET | CBPF_K, 0),
};

static const struct {
	uint8_t ethertype, protocol; /* 0x0800 where the first is 8 */
	uint32_t caplen, wirelen;
	uint32_t verdict;
	int too_short;
} lengths[] = {
	{ 8, 17, 24, 24, 1000, 0 }, { 8, 17, 24, 60, 1000, 0 }, { 8, 6, 24, 60, 0, 0 },
	{ 8, 17, 23, 60, 0, 1 },    { 8, 17, 23, 24, 0, 1 },    { 8, 17, 23, 23, 0, 0 },
	{ 8, 17, 20, 23, 0, 0 },    { 9, 17, 14, 60, 0, 0 },    { 9, 17, 13, 60, 0, 1 },
	{ 9, 17, 13, 13, 0, 0 },    { 9, 17, 0, 14, 0, 1 },     { 9, 17, 0, 13, 0, 0 },
};

START_TEST(tells_what_is_too_short)
{
	const struct sift_filter_opts opts = { .size = sizeof(opts),
					       .flags = SIFT_FILTER_TELLS_TOO_SHORT };
	struct sift_filter *f = make_filter(of_protocol, N_ELEMS(of_protocol), &opts);
	struct sift_filter *mute = make_filter(of_protocol, N_ELEMS(of_protocol), NULL);
	uint8_t frame[24] = { [12] = lengths[_i].ethertype, [23] = lengths[_i].protocol };
	struct sift_view v;

	sift_view_init(&v, DLT_EN10MB, frame, lengths[_i].caplen, lengths[_i].wirelen);
	ck_assert_uint_eq(sift_filter_match(f, &v), lengths[_i].verdict);
	ck_assert_int_eq(sift_filter_too_short(f, &v), lengths[_i].too_short);
	ck_assert_int_eq(sift_filter_too_short(mute, &v), 0);
	sift_filter_free(f);
	sift_filter_free(mute);
}
END_TEST

START_TEST(refuses_unknown_flags)
{
	const struct sift_filter_opts opts = { .size = sizeof(opts), .flags = 0x10 };
	struct sift_filter *f = NULL;
	struct cbpf_prog *prog;
	struct ebpf_err err;

	ck_assert_int_eq(cbpf_check(of_protocol, N_ELEMS(of_protocol), CBPF_DIALECT_KERNEL, &prog,
				    &err),
			 0);
	ck_assert_int_eq(sift_filter_new(prog, &opts, &f, &err), -EINVAL);
	ck_assert_str_eq(err.text, "unknown flags 0x10");
	ck_assert_ptr_null(f);
	cbpf_prog_free(prog);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("filter/filter");
	TCase *tc = tcase_create("filter");

	tcase_add_loop_test(tc, judges_each_packet_of_a_batch, EBPF_JIT_ON, EBPF_JIT_OFF + 1);
	tcase_add_test(tc, verdict_has_32_bits);
	tcase_add_test(tc, shows_its_programs);
	tcase_add_test(tc, batches_fetch_what_filters_read);
	tcase_add_loop_test(tc, keeps_the_dialect, 0, 2);
	tcase_add_test(tc, refuses_options_without_their_size);
	tcase_add_loop_test(tc, reaches_headers_by_link_type, 0, (int)N_ELEMS(loads));
	tcase_add_loop_test(tc, loads_metadata, 0, (int)N_ELEMS(metadata));
	tcase_add_loop_test(tc, finds_netlink_attributes, 0, (int)N_ELEMS(netlink));
	tcase_add_test(tc, walks_random_attributes);
	tcase_add_test(tc, random_repeats_by_its_seed);
	tcase_add_test(tc, random_is_shared_by_threads);
	tcase_add_test(tc, changes_places_with_another);
	tcase_add_test(tc, a_batch_is_judged_by_one);
	tcase_add_loop_test(tc, tells_what_is_too_short, 0, (int)N_ELEMS(lengths));
	tcase_add_test(tc, refuses_unknown_flags);
	suite_add_tcase(s, tc);
	return s;
}
