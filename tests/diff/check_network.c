/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Targets that know a frame by its bytes alone find the network layer behind a VLAN tag, or
 * where there is none: loads of each way from it, and loads at offsets that were computed,
 * at each level, over frames with a tag and without, cut at each length, against the
 * reference.  Frames for target buffer end where memory does; xdp is for the running kernel,
 * whose verifier has to see that each access is safe.
 */
#include "tests/diff/guard.h"
#include "tests/diff/kernel_prog.h"
#include "tests/diff/reference.h"
#include "tests/diff/test_run.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

enum { LENGTHS = 48, TAGGED_AT = 12, OFF = 14, MATCH = 2, MISS = 1 };

static const struct cbpf_net_base ethernet = { .off = OFF, .vlan_at = TAGGED_AT };
static const uint16_t types[] = { 0x8100, 0x88a8, 0x9100, 0x1234 };

/* ---- frames ---- */

static struct diff_packet packets[LENGTHS];

static bool
has_tag(uint16_t type)
{
	return type == 0x8100 || type == 0x88a8;
}

/* A frame of each length; one too short to tell has no network layer. */
static void
make_frames(uint16_t type)
{
	static uint8_t bytes[LENGTHS];

	for (uint32_t i = 0; i < LENGTHS; i++)
		bytes[i] = (uint8_t)(17 * i + 3);
	bytes[TAGGED_AT] = (uint8_t)(type >> 8);
	bytes[TAGGED_AT + 1] = (uint8_t)type;
	memset(packets, 0, sizeof(packets));
	for (uint32_t len = 0; len < LENGTHS; len++) {
		packets[len].frame = bytes;
		packets[len].len = len;
		packets[len].view = (struct sift_view){
			.data = bytes,
			.caplen = len,
			.wirelen = len,
			.mac_off = 0,
			.net_off = len < TAGGED_AT + 2 ? SIFT_OFF_NONE
						       : OFF + (has_tag(type) ? 4u : 0u),
		};
	}
}

/* ---- programs ---- */

#define LD(size, mode, k) CBPF_STMT(CBPF_LD | (size) | (mode), (k))
#define ALU(op, k) CBPF_STMT(CBPF_ALU | (op) | CBPF_K, (k))
#define TAX CBPF_STMT(CBPF_MISC | CBPF_TAX, 0)
#define RET_A CBPF_STMT(CBPF_RET | CBPF_A, 0)
#define NET CBPF_NET_OFF

static const struct cbpf_insn programs[][8] = {
	{ LD(CBPF_B, CBPF_ABS, NET), RET_A },
	{ LD(CBPF_H, CBPF_ABS, NET + 2), RET_A },
	{ LD(CBPF_W, CBPF_ABS, NET + 12), RET_A },
	{ LD(CBPF_W, CBPF_ABS, NET + 4096), RET_A },
	{ CBPF_STMT(CBPF_LDX | CBPF_B | CBPF_MSH, NET), LD(CBPF_B, CBPF_IND, 2), RET_A },
	{ CBPF_STMT(CBPF_LDX | CBPF_IMM, 3), LD(CBPF_H, CBPF_IND, NET + 1), RET_A },
	{ CBPF_STMT(CBPF_LDX | CBPF_IMM, 9), LD(CBPF_W, CBPF_IND, NET), RET_A },
	{ LD(CBPF_B, CBPF_ABS, 4), ALU(CBPF_AND, 7), TAX, LD(CBPF_B, CBPF_IND, NET), RET_A },
	/* both headers, so that one test may serve for two loads */
	{ LD(CBPF_H, CBPF_ABS, NET), TAX, LD(CBPF_B, CBPF_ABS, CBPF_LL_OFF + 5),
	  CBPF_STMT(CBPF_ALU | CBPF_ADD | CBPF_X, 0), RET_A },
	{ LD(CBPF_B, CBPF_ABS, NET + 1), TAX, LD(CBPF_B, CBPF_ABS, NET + 9),
	  CBPF_STMT(CBPF_ALU | CBPF_XOR | CBPF_X, 0), RET_A },
	/* offsets of which only how they were computed says that they are small */
	{ LD(CBPF_B, CBPF_ABS, 1), ALU(CBPF_RSH, 4), TAX, LD(CBPF_H, CBPF_IND, 6), RET_A },
	{ LD(CBPF_H, CBPF_ABS, 2), ALU(CBPF_RSH, 11), TAX, LD(CBPF_B, CBPF_IND, 1), RET_A },
	{ LD(CBPF_B, CBPF_ABS, 1), ALU(CBPF_AND, 3), ALU(CBPF_LSH, 2), TAX, LD(CBPF_W, CBPF_IND, 5),
	  RET_A },
	{ LD(CBPF_B, CBPF_ABS, 1), ALU(CBPF_LSH, 17), ALU(CBPF_RSH, 18), TAX,
	  LD(CBPF_B, CBPF_IND, 0), RET_A },
	{ LD(CBPF_B, CBPF_ABS, 1), ALU(CBPF_AND, 15), ALU(CBPF_LSH, 28), TAX,
	  LD(CBPF_B, CBPF_IND, 3), RET_A },
	{ LD(CBPF_W, CBPF_ABS, 0), ALU(CBPF_AND, 0x1f), ALU(CBPF_RSH, 1), TAX,
	  LD(CBPF_H, CBPF_IND, 2), RET_A },
	{ LD(CBPF_W, CBPF_LEN, 0), ALU(CBPF_RSH, 2), TAX, LD(CBPF_B, CBPF_IND, 0), RET_A },
};

static size_t
length_of(const struct cbpf_insn *insns)
{
	size_t n = 1;

	while (CBPF_CLASS(insns[n - 1].code) != CBPF_RET)
		n++;
	return n;
}

static void
lower(const struct cbpf_insn *insns, enum cbpf_target target, enum cbpf_level level,
      struct cbpf_lowered *out)
{
	static const struct cbpf_actions actions = { .match = MATCH, .miss = MISS };
	const struct cbpf_lower_opts opts = {
		.size = sizeof(opts), .net_base = &ethernet, .level = level, .actions = &actions
	};
	struct cbpf_prog *prog;
	struct ebpf_err err;

	ck_assert_msg(cbpf_check(insns, length_of(insns), CBPF_DIALECT_KERNEL, &prog, &err) == 0,
		      "%s", err.text);
	ck_assert_msg(cbpf_lower(prog, target, &opts, out, &err) == 0, "%s", err.text);
	cbpf_prog_free(prog);
}

/* What the classic program says of a frame. */
static uint32_t
verdict_of(const struct cbpf_insn *insns, const struct diff_packet *p)
{
	return reference_run(insns, CBPF_DIALECT_KERNEL, &p->view, 0).verdict;
}

/* ---- target buffer ---- */

/* Verified for the frame's length, and tested as it runs. */
static void
check_on_frame(const struct cbpf_insn *insns, const struct cbpf_lowered *lowered, uint16_t type,
	       const struct diff_packet *p)
{
	const struct ebpf_load_opts opts = { .size = sizeof(opts),
					     .verify = EBPF_VERIFY_NO_LEAKS,
					     .mem_size = p->len };
	uint8_t *frame = (uint8_t *)(uintptr_t)p->view.data;
	uint32_t expected = verdict_of(insns, p);
	struct ebpf_prog *prog;
	struct ebpf_err err = { "" };
	uint64_t r0 = ~(uint64_t)0;

	ck_assert_msg(ebpf_prog_load_opts(ebpf_prog_type_raw(), lowered->insns, lowered->n_insns,
					  &opts, &prog, &err) == 0,
		      "type %04x, %u bytes: %s", type, p->len, err.text);
	ck_assert_int_eq(ebpf_prog_exec(prog, frame, p->len, &r0, &err), 0);
	ck_assert_msg(r0 == expected, "type %04x, %u bytes: %u, not %u", type, p->len, (unsigned)r0,
		      (unsigned)expected);
	ck_assert_msg(ebpf_prog_run_checked(prog, frame, p->len, NULL, &r0, &err) == 0, "%s",
		      err.text);
	ck_assert_msg(r0 == expected, "checked, type %04x, %u bytes: %u, not %u", type, p->len,
		      (unsigned)r0, (unsigned)expected);
	ebpf_prog_put(prog);
}

START_TEST(target_buffer_finds_the_network_layer)
{
	const struct cbpf_insn *insns = programs[_i];
	struct diff_guard guard;

	ck_assert_int_eq(diff_guard_open(&guard), 0);
	for (size_t t = 0; t < N_ELEMS(types); t++) {
		make_frames(types[t]);
		for (enum cbpf_level level = CBPF_LEVEL_0; level <= CBPF_LEVEL_2; level++) {
			struct cbpf_lowered lowered;

			lower(insns, CBPF_TARGET_BUFFER, level, &lowered);
			for (uint32_t len = 0; len < LENGTHS; len++) {
				packets[len].view.data = packets[len].frame;
				diff_guard_take(&guard, &packets[len], 1);
				check_on_frame(insns, &lowered, types[t], &packets[len]);
			}
			cbpf_lowered_free(&lowered);
		}
	}
	diff_guard_close(&guard);
}
END_TEST

/* ---- xdp ---- */

/* How many frames the kernel ran it on. */
static unsigned
check_in_kernel(const struct cbpf_insn *insns, int prog, uint16_t type, enum cbpf_level level)
{
	unsigned n = 0;

	for (uint32_t len = 0; len < LENGTHS; len++) {
		uint32_t action = 0,
			 expected = verdict_of(insns, &packets[len]) != 0 ? MATCH : MISS;
		struct ebpf_err err;

		if (!test_run_takes(&packets[len]))
			continue;
		ck_assert_msg(kernel_prog_run(prog, packets[len].frame, len, &action, &err) == 0,
			      "%s", err.text);
		ck_assert_msg(action == expected, "type %04x, level %d, %u bytes: %u, not %u", type,
			      (int)level - (int)CBPF_LEVEL_0, len, action, expected);
		n++;
	}
	return n;
}

START_TEST(the_kernel_finds_the_network_layer_too)
{
	const struct cbpf_insn *insns = programs[_i];

	for (size_t t = 0; t < N_ELEMS(types); t++) {
		make_frames(types[t]);
		for (enum cbpf_level level = CBPF_LEVEL_0; level <= CBPF_LEVEL_2; level++) {
			struct cbpf_lowered lowered;
			struct ebpf_err err;
			int prog;

			lower(insns, CBPF_TARGET_XDP, level, &lowered);
			prog = kernel_prog_load(KERNEL_XDP, lowered.insns, lowered.n_insns, &err);
			cbpf_lowered_free(&lowered);
			if (prog == -EPERM || prog == -EOPNOTSUPP) {
				suite_skip("%s", err.text);
				return;
			}
			ck_assert_msg(prog >= 0, "level %d: %s", (int)level - (int)CBPF_LEVEL_0,
				      err.text);
			ck_assert_uint_gt(check_in_kernel(insns, prog, types[t], level), 10);
			close(prog);
		}
	}
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("diff/network");
	TCase *tc = tcase_create("network layer");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, target_buffer_finds_the_network_layer, 0, (int)N_ELEMS(programs));
	tcase_add_loop_test(tc, the_kernel_finds_the_network_layer_too, 0, (int)N_ELEMS(programs));
	suite_add_tcase(s, tc);
	return s;
}
