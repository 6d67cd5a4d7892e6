/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which packets are too short to be judged: what filters say, against the reference
 * interpreter, over random programs and packets of which the end was not captured.
 */
#include "tests/diff/generate.h"
#include "tests/diff/reference.h"
#include "tests/support/suite.h"

#include <inttypes.h>
#include <stdio.h>

static const struct {
	enum cbpf_dialect dialect;
	enum ebpf_jit jit;
} ways[] = {
	{ CBPF_DIALECT_KERNEL, EBPF_JIT_ON },
	{ CBPF_DIALECT_KERNEL, EBPF_JIT_OFF },
	{ CBPF_DIALECT_PCAP, EBPF_JIT_ON },
	{ CBPF_DIALECT_PCAP, EBPF_JIT_OFF },
};

static bool
draws_numbers(const struct diff_case *c)
{
	for (size_t i = 0; i < c->n_insns; i++) {
		unsigned code = c->insns[i].code;

		if (CBPF_CLASS(code) == CBPF_LD && (code & 0xe0) == CBPF_ABS &&
		    c->insns[i].k == (uint32_t)CBPF_AD_OFF + CBPF_AD_RANDOM)
			return true;
	}
	return false;
}

/* A part of the packet: little is missing, or much, or nothing. */
static struct sift_view
cut(const struct diff_packet *packet, uint64_t *rng)
{
	struct sift_view view = packet->view;

	view.wirelen = view.caplen + (rng_below(rng, 4) == 0 ? rng_below(rng, 100) : 0);
	if (rng_below(rng, 2))
		view.caplen = rng_below(rng, view.caplen + 1);
	else if (view.caplen > 0)
		view.caplen -= rng_below(rng, view.caplen < 4 ? view.caplen : 4);
	/* a view's headers are within it; programs do not rely on that */
	return view;
}

static uint64_t
compare_case(const struct diff_case *c, const struct sift_filter *filter, uint64_t *rng)
{
	uint64_t n_too_short = 0;

	for (size_t i = 0; i < DIFF_PACKETS; i++) {
		const struct diff_packet *packet = &c->packets[i];
		const struct sift_view view = cut(packet, rng);
		struct reference_run run =
			reference_run(c->insns, c->dialect, &view, packet->pay_offset);
		int told = sift_filter_too_short(filter, &view);

		if (draws_numbers(c)) {
			ck_assert_int_eq(told, 0);
			continue;
		}
		ck_assert_msg(told == run.is_too_short,
			      "case %" PRIu64 ", packet %zu, %u bytes of %u: %d, but it is %d", c->index,
			      i, view.caplen, view.wirelen, told, run.is_too_short);
		/* what says nothing of the length cannot be told from what was not there */
		if (told)
			ck_assert_uint_eq(sift_filter_match(filter, &view), 0);
		n_too_short += (uint64_t)told;
	}
	return n_too_short;
}

START_TEST(says_what_the_reference_says)
{
	struct ebpf_policy policy = { .size = sizeof(policy), .jit = ways[_i].jit };
	const struct sift_filter_opts opts = { .size = sizeof(opts), .policy = &policy,
					       .flags = SIFT_FILTER_TELLS_TOO_SHORT };
	uint64_t rng = suite_seed(0x7005), seed = rng, n_cases = suite_scaled(2000);
	uint64_t n_too_short = 0;

	for (uint64_t i = 0; i < n_cases; i++) {
		struct sift_filter *filter;
		struct cbpf_prog *prog;
		struct diff_case c;
		struct ebpf_err err;

		diff_case_init(&c, ways[_i].dialect, seed, i);
		ck_assert_msg(cbpf_check(c.insns, c.n_insns, c.dialect, &prog, &err) == 0, "%s",
			      err.text);
		ck_assert_msg(sift_filter_new(prog, &opts, &filter, &err) == 0, "%s", err.text);
		for (size_t p = 0; p < DIFF_PACKETS; p++)
			c.packets[p].pay_offset = 0; /* of part of a packet it is another one */
		n_too_short += compare_case(&c, filter, &rng);
		sift_filter_free(filter);
		cbpf_prog_free(prog);
		diff_case_fini(&c);
	}
	printf("%" PRIu64 " cases, %" PRIu64 " packets too short\n", n_cases, n_too_short);
	ck_assert_uint_gt(n_too_short, n_cases);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("diff/too_short");
	TCase *tc = tcase_create("random");

	tcase_set_timeout(tc, 300);
	tcase_add_loop_test(tc, says_what_the_reference_says, 0, N_ELEMS(ways));
	suite_add_tcase(s, tc);
	return s;
}
