/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packet loads of extended programs against what the classic load of the same
 * offset gives, whose lowering has no helper: every length of packet, offsets
 * around each edge.
 */
#include "ebpf/prog.h"
#include "filter/prog_packet.h"
#include "tests/support/suite.h"

#include <bpfsift/cbpf.h>
#include <bpfsift/filter.h>
#include <errno.h>
#include <string.h>

#define K(c, d, s, o, i) { .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) }
#define EXIT_ K(0x95, 0, 0, 0, 0)

static const uint8_t sizes[] = { EBPF_W, EBPF_H, EBPF_B };
static uint8_t packet[64];

static struct ebpf_prog *
load(const struct ebpf_insn *insns, size_t n)
{
	struct ebpf_prog *prog;
	struct ebpf_err err;

	ck_assert_msg(ebpf_prog_load_trusted(sift_prog_type_packet(), insns, n, NULL, &prog,
					     &err) == 0, "%s", err.text);
	return prog;
}

/* ld [k]; ret a */
static struct sift_filter *
classic(uint8_t size, uint32_t k)
{
	struct cbpf_insn insns[] = { { (uint16_t)(0x20 | size), 0, 0, k }, { 0x16, 0, 0, 0 } };
	struct sift_filter *filter;
	struct cbpf_prog *prog;
	struct ebpf_err err;

	ck_assert_msg(cbpf_check(insns, 2, CBPF_DIALECT_KERNEL, &prog, &err) == 0, "%s", err.text);
	ck_assert_msg(sift_filter_new(prog, NULL, &filter, &err) == 0, "%s", err.text);
	cbpf_prog_free(prog);
	return filter;
}

static struct sift_view
view_of_len(uint32_t len)
{
	struct sift_view v;

	for (size_t i = 0; i < sizeof(packet); i++)
		packet[i] = (uint8_t)(0x81 + i);        /* negative as bytes, halves and words */
	packet[12] = 0x08;
	packet[13] = 0x00;
	sift_view_init(&v, 1, packet, len, len);
	return v;
}

static const int64_t starts[] = {
	0, -0x100000, -0x200000, -0x2000, INT32_MIN, INT32_MAX - 40,
};

START_TEST(a_packet_load_is_the_classic_load)
{
	uint8_t size = sizes[_i % 3];
	int64_t start = starts[_i / 3];
	uint64_t n_kept = 0;

	for (int64_t off = start; off < start + 40; off++) {
		const struct ebpf_insn abs[] = {
			K(0xbf, 6, 1, 0, 0), K(0x20 | size, 0, 0, 0, (int32_t)off), EXIT_,
		};
		/* The source has more than 32 bits, and wraps once imm is added. */
		const struct ebpf_insn ind[] = {
			K(0xbf, 6, 1, 0, 0),
			K(0x18, 1, 0, 0, (int32_t)((uint32_t)off - 5u)), K(0, 0, 0, 0, 3),
			K(0x40 | size, 0, 1, 0, 5), EXIT_,
		};
		struct sift_filter *filter = classic(size, (uint32_t)off);
		struct ebpf_prog *progs[] = { load(abs, 3), load(ind, 5) };

		for (uint32_t len = 0; len <= 40; len++) {
			struct sift_view v = view_of_len(len);
			uint32_t verdict;

			sift_filter_batch(filter, &v, 1, &verdict);
			n_kept += verdict != 0;
			for (size_t p = 0; p < 2; p++)
				ck_assert_uint_eq(ebpf_prog_run(progs[p], (uintptr_t)&v, 0),
						  verdict);
		}
		ebpf_prog_put(progs[0]);
		ebpf_prog_put(progs[1]);
		sift_filter_free(filter);
	}
	if (_i / 3 < 3)
		ck_assert_uint_gt(n_kept, 0);
	else
		ck_assert_uint_eq(n_kept, 0);
}
END_TEST

/* Over, onto and back across loads, from a function too, whose frame a failed load ends. */
START_TEST(jumps_and_calls_find_their_targets_after_expansion)
{
	const struct ebpf_insn insns[] = {
		K(0xbf, 6, 1, 0, 0),
		K(0xb7, 7, 0, 0, 0),            /* r7 = 0 */
		K(0x05, 0, 0, 1, 0),            /* over a load */
		K(0x30, 0, 0, 0, 1000),
		K(0x30, 0, 0, 0, 0),            /* again: r0 = P[0] */
		K(0x07, 7, 0, 0, 1),
		K(0xa5, 7, 0, -3, 3),           /* if r7 < 3 goto again */
		K(0xbf, 8, 0, 0, 0),
		K(0xbf, 1, 6, 0, 0),
		K(0x85, 0, 1, 0, 6),            /* call */
		K(0x0f, 8, 0, 0, 0),
		K(0x18, 1, 4, 0, 4), K(0, 0, 0, 0, 0),
		K(0x27, 7, 0, 0, 1000),
		K(0xbf, 0, 8, 0, 0),
		EXIT_,                          /* 15 */
		K(0xbf, 6, 1, 0, 0),
		K(0x30, 0, 0, 0, 1),
		K(0x30, 0, 0, 0, 1000),         /* fails: returns 0 */
		EXIT_,
	};
	struct sift_view v = view_of_len(40);
	struct ebpf_prog *prog = load(insns, N_ELEMS(insns));
	const struct ebpf_insn *kept;
	size_t n;

	ck_assert_uint_eq(ebpf_prog_run(prog, (uintptr_t)&v, 0), 0x81);
	kept = ebpf_prog_insns(prog, &n);
	ck_assert_uint_eq(n, N_ELEMS(insns));
	for (size_t i = 0; i < n; i++)
		ck_assert_uint_eq(kept[i].code, insns[i].code);
	ebpf_prog_put(prog);
}
END_TEST

START_TEST(a_jump_that_no_longer_fits_is_refused)
{
	static struct ebpf_insn insns[8003];
	struct ebpf_prog *prog = NULL;
	struct ebpf_err err;

	insns[0] = (struct ebpf_insn)K(0xbf, 6, 1, 0, 0);
	insns[1] = (struct ebpf_insn)K(0x05, 0, 0, 8000, 0);
	for (size_t i = 2; i < 8002; i++)
		insns[i] = (struct ebpf_insn)K(0x30, 0, 0, 0, 0);
	insns[8002] = (struct ebpf_insn)EXIT_;
	ck_assert_int_eq(ebpf_prog_load_trusted(sift_prog_type_packet(), insns, 8003, NULL, &prog,
						&err), -ERANGE);
	ck_assert_str_eq(err.text, "insn 1: jump of 48000 slots, limit is 32767");
	ck_assert_ptr_null(prog);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("filter/prog_packet");
	TCase *tc = tcase_create("loads");

	tcase_add_loop_test(tc, a_packet_load_is_the_classic_load, 0,
			    3 * N_ELEMS(starts));
	tcase_add_test(tc, jumps_and_calls_find_their_targets_after_expansion);
	tcase_add_test(tc, a_jump_that_no_longer_fits_is_refused);
	suite_add_tcase(s, tc);
	return s;
}
