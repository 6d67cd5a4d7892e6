/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lowering's structure: which paths lead where, what each cpu is given,
 * what is refused.  That it computes the right verdicts is tests/diff/'s part.
 */
#include "cbpf/insn.h"
#include "ebpf/insn.h"
#include "ebpf/prog.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"

#define NONE UINT32_MAX

/* A context of our own: the layout need not be that of struct sift_view. */
static const struct cbpf_packet_layout layout = {
	.size = sizeof(layout),
	.fields = {
		[CBPF_FIELD_DATA] = { 0, sizeof(void *), 0 },
		[CBPF_FIELD_CAPLEN] = { 8, 4, 0 },
		[CBPF_FIELD_WIRELEN] = { 12, 4, 0 },
		[CBPF_FIELD_MAC_OFF] = { 16, 4, 0 },
		[CBPF_FIELD_NET_OFF] = { 20, 4, 0 },
		[CBPF_FIELD_PROTOCOL] = { 24, 2, 0x1 },
		[CBPF_FIELD_PKTTYPE] = { 26, 1, 0x2 },
		[CBPF_FIELD_IFINDEX] = { 28, 4, 0x4 },
		[CBPF_FIELD_MARK] = { 32, 4, 0x8 },
		[CBPF_FIELD_QUEUE] = { 36, 2, 0x10 },
		[CBPF_FIELD_HATYPE] = { 38, 2, 0x20 },
		[CBPF_FIELD_RXHASH] = { 40, 4, 0x40 },
		[CBPF_FIELD_CPU] = { 44, 4, 0x80 },
		[CBPF_FIELD_VLAN_TCI] = { 48, 2, 0x100 },
		[CBPF_FIELD_VLAN_PRESENT] = { 50, 1, 0x100 },
		[CBPF_FIELD_VLAN_PROTO] = { 52, 2, 0x100 },
	},
	.known_off = 56,
	.nlattr = 1001, .nlattr_nest = 1002, .pay_offset = 1003, .random = 7,
};

static struct cbpf_lowered
lower(const struct cbpf_insn *insns, size_t n, enum cbpf_dialect dialect, enum cbpf_target target,
      enum cbpf_cpu cpu)
{
	const struct cbpf_lower_opts opts = { .size = sizeof(opts), .cpu = cpu, .layout = &layout,
					      .level = CBPF_LEVEL_0 };
	struct cbpf_lowered out = { 0 };
	struct cbpf_prog *prog = NULL;
	struct ebpf_err err = { "" };

	ck_assert_msg(cbpf_check(insns, n, dialect, &prog, &err) == 0, "%s", err.text);
	ck_assert_msg(cbpf_lower(prog, target, &opts, &out, &err) == 0, "%s", err.text);
	cbpf_prog_free(prog);
	return out;
}

/* ---- every extended path is a classic path ---- */

static bool
is_successor(const struct cbpf_insn *insns, size_t pc, size_t to)
{
	const struct cbpf_insn *insn = &insns[pc];

	if (CBPF_CLASS(insn->code) == CBPF_RET)
		return false;
	if (CBPF_CLASS(insn->code) != CBPF_JMP)
		return to == pc + 1;
	if (insn->code == (CBPF_JMP | CBPF_JA))
		return to == (uint32_t)(pc + 1 + insn->k);
	return to == pc + 1 + insn->jt || to == pc + 1 + insn->jf;
}

static bool
is_jump(const struct ebpf_insn *insn)
{
	uint8_t op = insn->code & 0xf0;

	return (EBPF_CLASS(insn->code) == EBPF_JMP || EBPF_CLASS(insn->code) == EBPF_JMP32) &&
	       op != EBPF_CALL && op != EBPF_EXIT;
}

static bool
is_goto(const struct ebpf_insn *insn)
{
	return insn->code == (EBPF_JMP | EBPF_JA) || insn->code == (EBPF_JMP32 | EBPF_JA);
}

static size_t
jump_target(const struct cbpf_lowered *p, size_t slot)
{
	const struct ebpf_insn *insn = &p->insns[slot];
	int64_t off = insn->code == (EBPF_JMP32 | EBPF_JA) ? insn->imm : insn->off;

	return (size_t)((int64_t)slot + 1 + off);
}

/* One way on from a slot: through trampolines to its origin or a successor's start. */
static void
check_edge(const struct cbpf_insn *insns, const struct cbpf_lowered *p, size_t from, size_t to)
{
	uint32_t origin = p->origin[from];
	bool direct = p->origin[to] != NONE;

	for (size_t hops = 0; p->origin[to] == NONE; hops++) {
		ck_assert(is_goto(&p->insns[to]));
		ck_assert_uint_lt(hops, p->n_insns);
		to = jump_target(p, to);
		ck_assert_uint_lt(to, p->n_insns);
	}
	if (direct && p->origin[to] == origin && p->origin[to - 1] == origin)
		return;
	ck_assert_msg(p->origin[to - 1] != p->origin[to], "insn %zu is entered in the middle", to);
	ck_assert_msg(is_successor(insns, origin, p->origin[to]), "insn %u goes on at %u", origin,
		      p->origin[to]);
}

static void
check_paths(const struct cbpf_insn *insns, const struct cbpf_lowered *p, enum cbpf_cpu cpu)
{
	size_t start = 0;       /* of the first classic instruction */

	while (p->origin[start] == NONE)
		start++;
	for (size_t slot = 0; slot < p->n_insns; slot++) {
		const struct ebpf_insn *insn = &p->insns[slot];
		int op = ebpf_op_of(insn);

		ck_assert_msg(op >= 0, "slot %zu: code %02x", slot, insn->code);
		ck_assert_msg(ebpf_ops[op].cpu <= (unsigned)cpu, "slot %zu: %s in v%d", slot,
			      ebpf_ops[op].name, (int)cpu);
		if (slot < start || p->origin[slot] == NONE)
			continue;
		if (is_jump(insn))
			check_edge(insns, p, slot, jump_target(p, slot));
		if (op != EBPF_OP_EXIT && !is_goto(insn))
			check_edge(insns, p, slot, slot + 1);
	}
}

/* Mostly long expansions, with jumps of every length, one over all; ends with RET. */
static void
random_program(uint64_t *rng, struct cbpf_insn *insns, size_t n, bool backward)
{
	for (size_t pc = 0; pc + 1 < n; pc++) {
		uint32_t left = (uint32_t)(n - 1 - pc);
		uint8_t reach = left < 200 ? 0 : (uint8_t)rng_below(rng, 200);

		switch (pc > 0 ? rng_below(rng, 8) : 0) {
		case 0:
			if (left < 3)
				goto load;
			/* a test goes over it, so that what follows stays reachable */
			insns[pc++] = (struct cbpf_insn) CBPF_JUMP(CBPF_JMP | CBPF_JEQ,
								   rng_next(rng), 1, 0);
			left--;
			insns[pc] = (struct cbpf_insn) CBPF_STMT(
				CBPF_JMP | CBPF_JA, pc == 1 ? left - 1 : rng_below(rng, left));
			if (pc > 1 && backward && rng_below(rng, 2) == 0)
				insns[pc].k = -rng_below(rng, (uint32_t)pc + 1) - 1;
			break;
		case 1:
			insns[pc] = (struct cbpf_insn) CBPF_JUMP(CBPF_JMP | CBPF_JGT,
								 rng_next(rng), reach, 0);
			break;
		case 2:
			insns[pc] = (struct cbpf_insn) CBPF_JUMP(CBPF_JMP | CBPF_JGE | CBPF_X, 0, 0,
								 reach);
			break;
		case 3:
			insns[pc] = (struct cbpf_insn) CBPF_JUMP(CBPF_JMP | CBPF_JSET,
								 rng_next(rng), reach / 2, reach);
			break;
		default:
load:
			insns[pc] = (struct cbpf_insn) CBPF_STMT(CBPF_LD | CBPF_H | CBPF_IND,
								 rng_below(rng, 100));
		}
	}
	insns[n - 1] = (struct cbpf_insn) CBPF_STMT(CBPF_RET | CBPF_A, 0);
}

START_TEST(long_jumps_arrive_on_each_cpu)
{
	enum cbpf_cpu cpu = (enum cbpf_cpu)(_i % 4 + 1);
	bool pcap = _i >= 4;
	enum cbpf_dialect dialect = pcap ? CBPF_DIALECT_PCAP : CBPF_DIALECT_KERNEL;
	size_t max = pcap ? 20000 : CBPF_MAXINSNS;
	struct cbpf_insn *insns = calloc(max, sizeof(*insns));
	uint64_t rng = suite_seed(0x10f7 + (uint64_t)_i), runs = suite_scaled(20);
	size_t far = 0;

	/* one program may happen to have no trampoline */
	runs = runs > 5 ? runs : 5;
	for (uint64_t run = 0; run < runs; run++) {
		size_t n = max - rng_below(&rng, run == 0 ? 1 : (uint32_t)max / 2);
		struct cbpf_lowered p;

		random_program(&rng, insns, n, pcap);
		p = lower(insns, n, dialect, CBPF_TARGET_PACKET, cpu);
		check_paths(insns, &p, cpu);
		for (size_t slot = 0; slot < p.n_insns; slot++)
			far += slot > 100 && p.origin[slot] == NONE;
		cbpf_lowered_free(&p);
	}
	free(insns);
	/* the test is about trampolines: there were some, unless gotol does without */
	ck_assert_int_eq(far > 0, cpu < CBPF_CPU_V4);
}
END_TEST

START_TEST(thousands_of_labels_cross_one_pool)
{
	enum { JUMPS = 2000, N = 2 * JUMPS };
	struct cbpf_insn insns[N];
	struct cbpf_lowered p;

	for (uint32_t i = 0; i < N; i++) {
		if (i < JUMPS)
			insns[i] = (struct cbpf_insn) CBPF_JUMP(CBPF_JMP | CBPF_JEQ, i, 0, 1);
		else
			insns[i] = (struct cbpf_insn) CBPF_STMT(CBPF_LD | CBPF_W | CBPF_IND, i);
		if (i % 2 == 1 && i < JUMPS)
			insns[i] = (struct cbpf_insn) CBPF_STMT(CBPF_JMP | CBPF_JA,
								N - 2 - i - i / 2);
	}
	insns[N - 1] = (struct cbpf_insn) CBPF_STMT(CBPF_RET | CBPF_K, 1);
	p = lower(insns, N, CBPF_DIALECT_KERNEL, CBPF_TARGET_PACKET, CBPF_CPU_V1);
	check_paths(insns, &p, CBPF_CPU_V1);
	cbpf_lowered_free(&p);
}
END_TEST

/* ---- listings: they change on purpose only ---- */

static const struct cbpf_net_base ethernet = { .off = 14, .vlan_at = 12 };

static const struct {
	const char *what;
	enum cbpf_dialect dialect;
	enum cbpf_target target;
	enum cbpf_cpu cpu;
	bool with_link_type;
	const char *classic;
	const char *extended;
} listings[] = {
	{ "a load is guarded by the captured length",
	  CBPF_DIALECT_KERNEL, CBPF_TARGET_PACKET, CBPF_CPU_V3, false,
	  "ldh [12]\nret a",
	  "(bf) r6 = r1\n"
	  "(79) r8 = *(u64 *)(r6 +0)\n"
	  "(61) r9 = *(u32 *)(r6 +8)\n"
	  "(b4) w0 = 0\n"
	  "(b4) w7 = 0\n"
	  "(35) if r9 >= 0xe goto pc+2\n"
	  "(b4) w0 = 0\n"
	  "(95) exit\n"
	  "(69) r0 = *(u16 *)(r8 +12)\n"
	  "(dc) r0 = be16 r0\n"
	  "(95) exit\n" },
	{ "past 16 bits the offset is added first",
	  CBPF_DIALECT_KERNEL, CBPF_TARGET_BUFFER, CBPF_CPU_V3, false,
	  "ld [32768]\nret a",
	  "(bf) r8 = r1\n"
	  "(bf) r9 = r2\n"
	  "(b4) w0 = 0\n"
	  "(b4) w7 = 0\n"
	  "(35) if r9 >= 0x8004 goto pc+2\n"
	  "(b4) w0 = 0\n"
	  "(95) exit\n"
	  "(bf) r2 = r8\n"
	  "(07) r2 += 32768\n"
	  "(61) r0 = *(u32 *)(r2 +0)\n"
	  "(dc) r0 = be32 r0\n"
	  "(95) exit\n" },
	{ "a load past any packet ends the program, and what follows is left out",
	  CBPF_DIALECT_KERNEL, CBPF_TARGET_BUFFER, CBPF_CPU_V3, false,
	  "ld [0x7fffffff]\nret #1",
	  "(b4) w0 = 0\n"
	  "(b4) w7 = 0\n"
	  "(b4) w0 = 0\n"
	  "(95) exit\n" },
	{ "constants above INT32_MAX go through a register",
	  CBPF_DIALECT_KERNEL, CBPF_TARGET_PACKET, CBPF_CPU_V3, false,
	  "ld #5\njeq #0x80000000, yy, nn\nyy: ret #1\nnn: ret #2",
	  "(bf) r6 = r1\n"
	  "(b4) w0 = 0\n"
	  "(b4) w7 = 0\n"
	  "(b4) w0 = 5\n"
	  "(b4) w2 = -2147483648\n"
	  "(5d) if r0 != r2 goto pc+2\n"
	  "(b4) w0 = 1\n"
	  "(95) exit\n"
	  "(b4) w0 = 2\n"
	  "(95) exit\n" },
	{ "one way inverted: v2 and later",
	  CBPF_DIALECT_KERNEL, CBPF_TARGET_PACKET, CBPF_CPU_V2, false,
	  "ld len\njgt #5, yy, nn\nyy: ret #1\nnn: ret #2",
	  "(bf) r6 = r1\n"
	  "(b4) w0 = 0\n"
	  "(b4) w7 = 0\n"
	  "(61) r0 = *(u32 *)(r6 +12)\n"
	  "(b5) if r0 <= 0x5 goto pc+2\n"
	  "(b4) w0 = 1\n"
	  "(95) exit\n"
	  "(b4) w0 = 2\n"
	  "(95) exit\n" },
	{ "v1 has no jle: a goto follows",
	  CBPF_DIALECT_KERNEL, CBPF_TARGET_PACKET, CBPF_CPU_V1, false,
	  "ld len\njgt #5, yy, nn\nyy: ret #1\nnn: ret #2",
	  "(bf) r6 = r1\n"
	  "(b4) w0 = 0\n"
	  "(b4) w7 = 0\n"
	  "(61) r0 = *(u32 *)(r6 +12)\n"
	  "(25) if r0 > 0x5 goto pc+1\n"
	  "(05) goto pc+2\n"
	  "(b4) w0 = 1\n"
	  "(95) exit\n"
	  "(b4) w0 = 2\n"
	  "(95) exit\n" },
	{ "jset has no opposite",
	  CBPF_DIALECT_KERNEL, CBPF_TARGET_PACKET, CBPF_CPU_V3, false,
	  "ld len\njset #5, yy, nn\nyy: ret #1\nnn: ret #2",
	  "(bf) r6 = r1\n"
	  "(b4) w0 = 0\n"
	  "(b4) w7 = 0\n"
	  "(61) r0 = *(u32 *)(r6 +12)\n"
	  "(45) if r0 & 0x5 goto pc+1\n"
	  "(05) goto pc+2\n"
	  "(b4) w0 = 1\n"
	  "(95) exit\n"
	  "(b4) w0 = 2\n"
	  "(95) exit\n" },
	{ "division by X = 0 ends the program with 0",
	  CBPF_DIALECT_KERNEL, CBPF_TARGET_PACKET, CBPF_CPU_V3, false,
	  "ld #7\ndiv x\nret a",
	  "(bf) r6 = r1\n"
	  "(b4) w0 = 0\n"
	  "(b4) w7 = 0\n"
	  "(b4) w0 = 7\n"
	  "(55) if r7 != 0x0 goto pc+2\n"
	  "(b4) w0 = 0\n"
	  "(95) exit\n"
	  "(3c) w0 /= w7\n"
	  "(95) exit\n" },
	{ "shifts by X: modulo 32 in dialect kernel",
	  CBPF_DIALECT_KERNEL, CBPF_TARGET_PACKET, CBPF_CPU_V3, false,
	  "lsh x\nret a",
	  "(bf) r6 = r1\n"
	  "(b4) w0 = 0\n"
	  "(b4) w7 = 0\n"
	  "(6c) w0 <<= w7\n"
	  "(95) exit\n" },
	{ "shifts by X: all bits out in dialect pcap",
	  CBPF_DIALECT_PCAP, CBPF_TARGET_PACKET, CBPF_CPU_V3, false,
	  "lsh x\nret a",
	  "(bf) r6 = r1\n"
	  "(b4) w0 = 0\n"
	  "(b4) w7 = 0\n"
	  "(25) if r7 > 0x1f goto pc+2\n"
	  "(6c) w0 <<= w7\n"
	  "(05) goto pc+1\n"
	  "(b4) w0 = 0\n"
	  "(95) exit\n" },
	{ "the header length goes to X, A stays",
	  CBPF_DIALECT_KERNEL, CBPF_TARGET_BUFFER, CBPF_CPU_V3, false,
	  "ldxb 4*([14]&0xf)\nret a",
	  "(bf) r8 = r1\n"
	  "(bf) r9 = r2\n"
	  "(b4) w0 = 0\n"
	  "(b4) w7 = 0\n"
	  "(35) if r9 >= 0xf goto pc+2\n"
	  "(b4) w0 = 0\n"
	  "(95) exit\n"
	  "(71) r7 = *(u8 *)(r8 +14)\n"
	  "(54) w7 &= 15\n"
	  "(64) w7 <<= 2\n"
	  "(95) exit\n" },
	{ "scratch that was never written is 0 in dialect pcap",
	  CBPF_DIALECT_PCAP, CBPF_TARGET_PACKET, CBPF_CPU_V3, false,
	  "ld M[3]\nret a",
	  "(bf) r6 = r1\n"
	  "(b4) w0 = 0\n"
	  "(b4) w7 = 0\n"
	  "(62) *(u32 *)(r10 -16) = 0\n"
	  "(61) r0 = *(u32 *)(r10 -16)\n"
	  "(95) exit\n" },
	{ "scratch of dialect kernel was written before",
	  CBPF_DIALECT_KERNEL, CBPF_TARGET_PACKET, CBPF_CPU_V3, false,
	  "st M[15]\nldx M[15]\ntxa\nret a",
	  "(bf) r6 = r1\n"
	  "(b4) w0 = 0\n"
	  "(b4) w7 = 0\n"
	  "(63) *(u32 *)(r10 -64) = r0\n"
	  "(61) r7 = *(u32 *)(r10 -64)\n"
	  "(bc) w0 = w7\n"
	  "(95) exit\n" },
	{ "network-layer offset of the view",
	  CBPF_DIALECT_KERNEL, CBPF_TARGET_PACKET, CBPF_CPU_V3, false,
	  "ldb [0xfff00009]\nret a",
	  "(bf) r6 = r1\n"
	  "(79) r8 = *(u64 *)(r6 +0)\n"
	  "(61) r9 = *(u32 *)(r6 +8)\n"
	  "(b4) w0 = 0\n"
	  "(b4) w7 = 0\n"
	  "(61) r2 = *(u32 *)(r6 +20)\n"
	  "(07) r2 += 9\n"
	  "(bf) r3 = r9\n"
	  "(1f) r3 -= r2\n"
	  "(75) if r3 s>= 0x1 goto pc+2\n"
	  "(b4) w0 = 0\n"
	  "(95) exit\n"
	  "(0f) r2 += r8\n"
	  "(71) r0 = *(u8 *)(r2 +0)\n"
	  "(95) exit\n" },
	{ "network-layer offset by link type, VLAN tag looked for",
	  CBPF_DIALECT_KERNEL, CBPF_TARGET_BUFFER, CBPF_CPU_V3, true,
	  "ldb [0xfff00009]\nret a",
	  "(bf) r8 = r1\n"
	  "(bf) r9 = r2\n"
	  "(b4) w0 = 0\n"
	  "(b4) w7 = 0\n"
	  "(b4) w2 = -1\n"
	  "(b7) r4 = 14\n"
	  "(2d) if r4 > r9 goto pc+6\n"
	  "(69) r4 = *(u16 *)(r8 +12)\n"
	  "(dc) r4 = be16 r4\n"
	  "(b4) w2 = 18\n"
	  "(15) if r4 == 0x8100 goto pc+2\n"
	  "(15) if r4 == 0x88a8 goto pc+1\n"
	  "(b4) w2 = 14\n"
	  "(07) r2 += 9\n"
	  "(bf) r3 = r9\n"
	  "(1f) r3 -= r2\n"
	  "(75) if r3 s>= 0x1 goto pc+2\n"
	  "(b4) w0 = 0\n"
	  "(95) exit\n"
	  "(0f) r2 += r8\n"
	  "(71) r0 = *(u8 *)(r2 +0)\n"
	  "(95) exit\n" },
	{ "a computed offset may be in a window",
	  CBPF_DIALECT_KERNEL, CBPF_TARGET_PACKET, CBPF_CPU_V3, false,
	  "ldh [x + 2]\nret a",
	  "(bf) r6 = r1\n"
	  "(79) r8 = *(u64 *)(r6 +0)\n"
	  "(61) r9 = *(u32 *)(r6 +8)\n"
	  "(b4) w0 = 0\n"
	  "(b4) w7 = 0\n"
	  "(bc) w2 = w7\n"
	  "(04) w2 += 2\n"
	  "(b4) w3 = 2147483647\n"
	  "(3d) if r3 >= r2 goto pc+12\n"
	  "(b4) w3 = -1048576\n"
	  "(3d) if r2 >= r3 goto pc+7\n"
	  "(b4) w3 = -2097152\n"
	  "(3d) if r2 >= r3 goto pc+2\n"
	  "(b4) w0 = 0\n"
	  "(95) exit\n"
	  "(04) w2 += 2097152\n"
	  "(61) r3 = *(u32 *)(r6 +16)\n"
	  "(05) goto pc+2\n"
	  "(04) w2 += 1048576\n"
	  "(61) r3 = *(u32 *)(r6 +20)\n"
	  "(0f) r2 += r3\n"
	  "(bf) r3 = r9\n"
	  "(1f) r3 -= r2\n"
	  "(75) if r3 s>= 0x2 goto pc+2\n"
	  "(b4) w0 = 0\n"
	  "(95) exit\n"
	  "(0f) r2 += r8\n"
	  "(69) r0 = *(u16 *)(r2 +0)\n"
	  "(dc) r0 = be16 r0\n"
	  "(95) exit\n" },
	{ "without a link type there are no windows",
	  CBPF_DIALECT_KERNEL, CBPF_TARGET_BUFFER, CBPF_CPU_V3, false,
	  "ldh [x + 2]\nret a",
	  "(bf) r8 = r1\n"
	  "(bf) r9 = r2\n"
	  "(b4) w0 = 0\n"
	  "(b4) w7 = 0\n"
	  "(bc) w2 = w7\n"
	  "(04) w2 += 2\n"
	  "(bf) r3 = r9\n"
	  "(1f) r3 -= r2\n"
	  "(75) if r3 s>= 0x2 goto pc+2\n"
	  "(b4) w0 = 0\n"
	  "(95) exit\n"
	  "(0f) r2 += r8\n"
	  "(69) r0 = *(u16 *)(r2 +0)\n"
	  "(dc) r0 = be16 r0\n"
	  "(95) exit\n" },
	{ "dialect pcap has no windows, and the sum does not wrap",
	  CBPF_DIALECT_PCAP, CBPF_TARGET_PACKET, CBPF_CPU_V3, false,
	  "ldh [x + 2]\nret a",
	  "(bf) r6 = r1\n"
	  "(79) r8 = *(u64 *)(r6 +0)\n"
	  "(61) r9 = *(u32 *)(r6 +8)\n"
	  "(b4) w0 = 0\n"
	  "(b4) w7 = 0\n"
	  "(bc) w2 = w7\n"
	  "(07) r2 += 2\n"
	  "(bf) r3 = r9\n"
	  "(1f) r3 -= r2\n"
	  "(75) if r3 s>= 0x2 goto pc+2\n"
	  "(b4) w0 = 0\n"
	  "(95) exit\n"
	  "(0f) r2 += r8\n"
	  "(69) r0 = *(u16 *)(r2 +0)\n"
	  "(dc) r0 = be16 r0\n"
	  "(95) exit\n" },
	{ "a computed load out of dialect pcap's reach",
	  CBPF_DIALECT_PCAP, CBPF_TARGET_PACKET, CBPF_CPU_V3, false,
	  "ld [x + 0x80000000]\nret #1",
	  "(bf) r6 = r1\n"
	  "(b4) w0 = 0\n"
	  "(b4) w7 = 0\n"
	  "(b4) w0 = 0\n"
	  "(95) exit\n" },
	{ "without an interface A is the result",
	  CBPF_DIALECT_KERNEL, CBPF_TARGET_PACKET, CBPF_CPU_V3, false,
	  "ld ifidx\nret a",
	  "(bf) r6 = r1\n"
	  "(b4) w0 = 0\n"
	  "(b4) w7 = 0\n"
	  "(61) r2 = *(u32 *)(r6 +56)\n"
	  "(45) if r2 & 0x4 goto pc+1\n"
	  "(95) exit\n"
	  "(61) r0 = *(u32 *)(r6 +28)\n"
	  "(95) exit\n" },
	{ "a helper takes the context, A and X",
	  CBPF_DIALECT_KERNEL, CBPF_TARGET_PACKET, CBPF_CPU_V3, false,
	  "ld nla\nret a",
	  "(bf) r6 = r1\n"
	  "(b4) w0 = 0\n"
	  "(b4) w7 = 0\n"
	  "(bf) r1 = r6\n"
	  "(bf) r2 = r0\n"
	  "(bf) r3 = r7\n"
	  "(85) call unknown#1001\n"
	  "(bc) w0 = w0\n"
	  "(95) exit\n" },
	{ "the exclusive or is no load",
	  CBPF_DIALECT_KERNEL, CBPF_TARGET_BUFFER, CBPF_CPU_V3, false,
	  "ld [0xfffff028]\nret a",
	  "(b4) w0 = 0\n"
	  "(b4) w7 = 0\n"
	  "(ac) w0 ^= w7\n"
	  "(95) exit\n" },
	{ "dialect pcap knows the tag's 12 bits, if there is one",
	  CBPF_DIALECT_PCAP, CBPF_TARGET_PACKET, CBPF_CPU_V3, false,
	  "ld vlan_tci\nret a",
	  "(bf) r6 = r1\n"
	  "(b4) w0 = 0\n"
	  "(b4) w7 = 0\n"
	  "(61) r2 = *(u32 *)(r6 +56)\n"
	  "(45) if r2 & 0x100 goto pc+2\n"
	  "(b4) w0 = 0\n"
	  "(95) exit\n"
	  "(69) r0 = *(u16 *)(r6 +48)\n"
	  "(54) w0 &= 4095\n"
	  "(95) exit\n" },
	{ "and no other ancillary load",
	  CBPF_DIALECT_PCAP, CBPF_TARGET_PACKET, CBPF_CPU_V3, false,
	  "ld proto\nret #1",
	  "(bf) r6 = r1\n"
	  "(b4) w0 = 0\n"
	  "(b4) w7 = 0\n"
	  "(b4) w0 = 0\n"
	  "(95) exit\n" },
	{ "socket: X + k does not wrap, and ends the program where it passes INT32_MAX",
	  CBPF_DIALECT_PCAP, CBPF_TARGET_SOCKET, CBPF_CPU_V3, false,
	  "ldx len\nldh [x + 2]\nret a",
	  "(bf) r6 = r1\n"
	  "(b4) w0 = 0\n"
	  "(b4) w7 = 0\n"
	  "(61) r7 = *(u32 *)(r6 +0)\n"
	  "(bc) w2 = w7\n"
	  "(07) r2 += 2\n"
	  "(b4) w3 = 2147483647\n"
	  "(3d) if r3 >= r2 goto pc+2\n"
	  "(b4) w0 = 0\n"
	  "(95) exit\n"
	  "(48) r0 = *(u16 *)skb[r2 + 0]\n"
	  "(95) exit\n" },
	{ "socket: the identifier of a tag alone, in dialect pcap",
	  CBPF_DIALECT_PCAP, CBPF_TARGET_SOCKET, CBPF_CPU_V3, false,
	  "ld vlan_tci\nret a",
	  "(bf) r6 = r1\n"
	  "(b4) w0 = 0\n"
	  "(b4) w7 = 0\n"
	  "(61) r0 = *(u32 *)(r6 +24)\n"
	  "(54) w0 &= 4095\n"
	  "(95) exit\n" },
	{ "socket: random numbers",
	  CBPF_DIALECT_KERNEL, CBPF_TARGET_SOCKET, CBPF_CPU_V3, false,
	  "ld rand\nret a",
	  "(bf) r6 = r1\n"
	  "(b4) w0 = 0\n"
	  "(b4) w7 = 0\n"
	  "(85) call bpf_get_prandom_u32#7\n"
	  "(bc) w0 = w0\n"
	  "(95) exit\n" },
	{ "xdp: the length is the whole buffer's",
	  CBPF_DIALECT_KERNEL, CBPF_TARGET_XDP, CBPF_CPU_V3, false,
	  "ld len\nret a",
	  "(bf) r6 = r1\n"
	  "(b4) w0 = 0\n"
	  "(b4) w7 = 0\n"
	  "(bf) r1 = r6\n"
	  "(85) call bpf_xdp_get_buff_len#188\n"
	  "(bc) w0 = w0\n"
	  "(15) if r0 == 0x0 goto pc+2\n"
	  "(b4) w0 = 2\n"
	  "(95) exit\n"
	  "(b4) w0 = 1\n"
	  "(95) exit\n" },
	{ "xdp: and in X it leaves A alone",
	  CBPF_DIALECT_KERNEL, CBPF_TARGET_XDP, CBPF_CPU_V3, false,
	  "ldx len\ntxa\nret a",
	  "(bf) r6 = r1\n"
	  "(b4) w0 = 0\n"
	  "(b4) w7 = 0\n"
	  "(bf) r8 = r0\n"
	  "(bf) r1 = r6\n"
	  "(85) call bpf_xdp_get_buff_len#188\n"
	  "(bc) w0 = w0\n"
	  "(bc) w7 = w0\n"
	  "(bf) r0 = r8\n"
	  "(bc) w0 = w7\n"
	  "(15) if r0 == 0x0 goto pc+2\n"
	  "(b4) w0 = 2\n"
	  "(95) exit\n"
	  "(b4) w0 = 1\n"
	  "(95) exit\n" },
	{ "xdp: the interface",
	  CBPF_DIALECT_KERNEL, CBPF_TARGET_XDP, CBPF_CPU_V3, false,
	  "ld ifidx\nret a",
	  "(bf) r6 = r1\n"
	  "(b4) w0 = 0\n"
	  "(b4) w7 = 0\n"
	  "(61) r0 = *(u32 *)(r6 +12)\n"
	  "(15) if r0 == 0x0 goto pc+2\n"
	  "(b4) w0 = 2\n"
	  "(95) exit\n"
	  "(b4) w0 = 1\n"
	  "(95) exit\n" },
	{ "xdp: the queue",
	  CBPF_DIALECT_KERNEL, CBPF_TARGET_XDP, CBPF_CPU_V3, false,
	  "ld queue\nret a",
	  "(bf) r6 = r1\n"
	  "(b4) w0 = 0\n"
	  "(b4) w7 = 0\n"
	  "(61) r0 = *(u32 *)(r6 +16)\n"
	  "(15) if r0 == 0x0 goto pc+2\n"
	  "(b4) w0 = 2\n"
	  "(95) exit\n"
	  "(b4) w0 = 1\n"
	  "(95) exit\n" },
	{ "xdp: the processor",
	  CBPF_DIALECT_KERNEL, CBPF_TARGET_XDP, CBPF_CPU_V3, false,
	  "ld cpu\nret a",
	  "(bf) r6 = r1\n"
	  "(b4) w0 = 0\n"
	  "(b4) w7 = 0\n"
	  "(85) call bpf_get_smp_processor_id#8\n"
	  "(bc) w0 = w0\n"
	  "(15) if r0 == 0x0 goto pc+2\n"
	  "(b4) w0 = 2\n"
	  "(95) exit\n"
	  "(b4) w0 = 1\n"
	  "(95) exit\n" },
	{ "xdp: random numbers",
	  CBPF_DIALECT_KERNEL, CBPF_TARGET_XDP, CBPF_CPU_V3, false,
	  "ld rand\nret a",
	  "(bf) r6 = r1\n"
	  "(b4) w0 = 0\n"
	  "(b4) w7 = 0\n"
	  "(85) call bpf_get_prandom_u32#7\n"
	  "(bc) w0 = w0\n"
	  "(15) if r0 == 0x0 goto pc+2\n"
	  "(b4) w0 = 2\n"
	  "(95) exit\n"
	  "(b4) w0 = 1\n"
	  "(95) exit\n" },
	{ "a backward jump spends a step",
	  CBPF_DIALECT_PCAP, CBPF_TARGET_PACKET, CBPF_CPU_V3, false,
	  "aa: ld len\njeq #0, bb, cc\nbb: ret #0\ncc: ja aa\nret #1",
	  "(bf) r6 = r1\n"
	  "(b4) w0 = 0\n"
	  "(b4) w7 = 0\n"
	  "(62) *(u32 *)(r10 -68) = 65536\n"
	  "(61) r0 = *(u32 *)(r6 +12)\n"
	  "(55) if r0 != 0x0 goto pc+2\n"
	  "(b4) w0 = 0\n"
	  "(95) exit\n"
	  "(61) r2 = *(u32 *)(r10 -68)\n"
	  "(55) if r2 != 0x0 goto pc+2\n"
	  "(b4) w0 = 0\n"
	  "(95) exit\n"
	  "(07) r2 += -1\n"
	  "(63) *(u32 *)(r10 -68) = r2\n"
	  "(05) goto pc-11\n" },
	{ "unreachable instructions are left out",
	  CBPF_DIALECT_KERNEL, CBPF_TARGET_PACKET, CBPF_CPU_V3, false,
	  "ja out\nld [4]\nout: ret #3",
	  "(bf) r6 = r1\n"
	  "(b4) w0 = 0\n"
	  "(b4) w7 = 0\n"
	  "(05) goto pc+0\n"
	  "(b4) w0 = 3\n"
	  "(95) exit\n" },
};

/* The context's pointer is loaded in the host's size; the listings are of 64 bits. */
static void
widen_pointer(char *line)
{
	static const char narrow[] = "(61) r8 = *(u32 *)(r6 +0)";
	static const char wide[] = "(79) r8 = *(u64 *)(r6 +0)";

	if (sizeof(void *) == 4 && strcmp(line, narrow) == 0)
		memcpy(line, wide, sizeof(wide));
}

START_TEST(lowers_to_exactly_this)
{
	const struct cbpf_lower_opts opts = {
		.size = sizeof(opts),
		.cpu = listings[_i].cpu,
		.layout = &layout,
		.net_base = listings[_i].with_link_type ? &ethernet : NULL,
		.level = CBPF_LEVEL_0,
	};
	const char *classic = listings[_i].classic, *expected = listings[_i].extended;
	struct cbpf_lowered p = { 0 };
	struct cbpf_insn *insns;
	struct cbpf_prog *prog;
	struct ebpf_err err;
	size_t n;

	ck_assert_int_eq(cbpf_read(classic, strlen(classic), CBPF_FORM_BPF_ASM, &insns, &n, &err),
			 0);
	ck_assert_int_eq(cbpf_check(insns, n, listings[_i].dialect, &prog, &err), 0);
	ck_assert_int_eq(cbpf_lower(prog, listings[_i].target, &opts, &p, &err), 0);
	for (size_t slot = 0; slot < p.n_insns; slot++) {
		char line[EBPF_DISASM_SIZE];
		size_t len = strcspn(expected, "\n");

		ebpf_disasm(&p.insns[slot], p.n_insns - slot, line, sizeof(line));
		widen_pointer(line);
		ck_assert_msg(strlen(line) == len && memcmp(line, expected, len) == 0,
			      "%s: slot %zu is %s, expected %.*s", listings[_i].what, slot, line,
			      (int)len, expected);
		expected += len + 1;
	}
	ck_assert_msg(*expected == '\0', "%s: %s is missing", listings[_i].what, expected);
	cbpf_lowered_free(&p);
	cbpf_prog_free(prog);
	free(insns);
}
END_TEST

/* ---- refusals ---- */

static const struct {
	struct cbpf_insn insns[2];
	enum cbpf_dialect dialect;
	enum cbpf_target target;
	bool with_layout;
	const char *err;
} refused[] = {
	{ { CBPF_STMT(CBPF_LD | CBPF_W | CBPF_ABS, CBPF_AD_OFF + CBPF_AD_MARK),
	    CBPF_STMT(CBPF_RET | CBPF_A, 0) },
	  CBPF_DIALECT_KERNEL, CBPF_TARGET_BUFFER, true,
	  "insn 0: an ancillary load: target buffer has no packet metadata, target packet has" },
	{ { CBPF_STMT(CBPF_LDX | CBPF_B | CBPF_MSH, CBPF_NET_OFF),
	    CBPF_STMT(CBPF_RET | CBPF_A, 0) },
	  CBPF_DIALECT_KERNEL, CBPF_TARGET_BUFFER, true,
	  "insn 0: a load from the link- or network-layer header: "
	  "target buffer needs a link type to find it" },
	{ { CBPF_STMT(CBPF_LD | CBPF_B | CBPF_ABS, CBPF_LL_OFF + 5),
	    CBPF_STMT(CBPF_RET | CBPF_A, 0) },
	  CBPF_DIALECT_KERNEL, CBPF_TARGET_BUFFER, true,
	  "insn 0: a load from the link- or network-layer header: "
	  "target buffer needs a link type to find it" },
	{ { CBPF_STMT(CBPF_LD | CBPF_W | CBPF_ABS, CBPF_AD_OFF + CBPF_AD_HATYPE),
	    CBPF_STMT(CBPF_RET | CBPF_A, 0) },
	  CBPF_DIALECT_KERNEL, CBPF_TARGET_SOCKET, false,
	  "insn 0: the interface's type: struct __sk_buff has it not, target packet has" },
	{ { CBPF_STMT(CBPF_LD | CBPF_W | CBPF_ABS, CBPF_AD_OFF + CBPF_AD_NLATTR),
	    CBPF_STMT(CBPF_RET | CBPF_A, 0) },
	  CBPF_DIALECT_KERNEL, CBPF_TARGET_SOCKET, false,
	  "insn 0: a netlink attribute: the kernel has no helper for it, target packet has" },
	{ { CBPF_STMT(CBPF_LD | CBPF_W | CBPF_ABS, CBPF_AD_OFF + CBPF_AD_PAY_OFFSET),
	    CBPF_STMT(CBPF_RET | CBPF_A, 0) },
	  CBPF_DIALECT_KERNEL, CBPF_TARGET_SOCKET, false,
	  "insn 0: the payload's offset: the kernel has no helper for it, target packet has" },
	{ { CBPF_STMT(CBPF_LD | CBPF_W | CBPF_ABS, CBPF_AD_OFF + CBPF_AD_NLATTR),
	    CBPF_STMT(CBPF_RET | CBPF_A, 0) },
	  CBPF_DIALECT_KERNEL, CBPF_TARGET_TC, false,
	  "insn 0: a netlink attribute: the kernel has no helper for it, target packet has" },
	{ { CBPF_STMT(CBPF_LD | CBPF_W | CBPF_ABS, CBPF_AD_OFF + CBPF_AD_MARK),
	    CBPF_STMT(CBPF_RET | CBPF_A, 0) },
	  CBPF_DIALECT_KERNEL, CBPF_TARGET_XDP, false,
	  "insn 0: ancillary load 'mark': struct xdp_md has no field for it, "
	  "targets packet, socket and tc have" },
	{ { CBPF_STMT(CBPF_LD | CBPF_W | CBPF_ABS, CBPF_AD_OFF + CBPF_AD_HATYPE),
	    CBPF_STMT(CBPF_RET | CBPF_A, 0) },
	  CBPF_DIALECT_KERNEL, CBPF_TARGET_XDP, false,
	  "insn 0: ancillary load 'hatype': struct xdp_md has no field for it, "
	  "target packet has" },
	{ { CBPF_STMT(CBPF_LD | CBPF_B | CBPF_ABS, CBPF_NET_OFF),
	    CBPF_STMT(CBPF_RET | CBPF_A, 0) },
	  CBPF_DIALECT_KERNEL, CBPF_TARGET_XDP, false,
	  "insn 0: a load from the link- or network-layer header: "
	  "target xdp needs a link type to find it" },
	{ { CBPF_STMT(CBPF_LD | CBPF_IMM, 1), CBPF_STMT(CBPF_RET | CBPF_A, 0) },
	  CBPF_DIALECT_PCAP, CBPF_TARGET_PACKET, false,
	  "target packet needs the layout of its context" },
	{ { CBPF_STMT(CBPF_LD | CBPF_IMM, 1), CBPF_STMT(CBPF_RET | CBPF_A, 0) },
	  CBPF_DIALECT_PCAP, (enum cbpf_target)77, true, "no target 77" },
};

START_TEST(refuses_with_a_message_and_leaves_the_output)
{
	const struct cbpf_lower_opts opts = { .size = sizeof(opts),
					      .layout = refused[_i].with_layout ? &layout : NULL };
	struct cbpf_lowered out = { .n_insns = 4711 };
	struct ebpf_err err = { "" };
	struct cbpf_prog *prog;

	ck_assert_int_eq(cbpf_check(refused[_i].insns, 2, refused[_i].dialect, &prog, &err), 0);
	ck_assert_int_eq(cbpf_lower(prog, refused[_i].target, &opts, &out, &err), -EINVAL);
	ck_assert_str_eq(err.text, refused[_i].err);
	ck_assert_uint_eq(out.n_insns, 4711);
	cbpf_prog_free(prog);
}
END_TEST

START_TEST(refuses_a_layout_that_no_load_can_read)
{
	struct cbpf_packet_layout bad = layout;
	const struct cbpf_lower_opts opts = { .size = sizeof(opts), .layout = &bad };
	const struct cbpf_insn ret[] = { CBPF_STMT(CBPF_RET | CBPF_K, 1) };
	struct cbpf_lowered out;
	struct ebpf_err err;
	struct cbpf_prog *prog;

	ck_assert_int_eq(cbpf_check(ret, 1, CBPF_DIALECT_KERNEL, &prog, NULL), 0);
	bad.fields[CBPF_FIELD_MARK].width = 3;
	ck_assert_int_eq(cbpf_lower(prog, CBPF_TARGET_PACKET, &opts, &out, &err), -EINVAL);
	ck_assert_str_eq(err.text, "layout: field 8 is 3 bytes wide");
	bad = layout;
	bad.fields[CBPF_FIELD_QUEUE].off = 32766;
	ck_assert_int_eq(cbpf_lower(prog, CBPF_TARGET_PACKET, &opts, &out, &err), -EINVAL);
	ck_assert_str_eq(err.text, "layout: field 9 is at offset 32766");
	bad = layout;
	bad.size = 8;
	ck_assert_int_eq(cbpf_lower(prog, CBPF_TARGET_PACKET, &opts, &out, &err), -EINVAL);
	ck_assert_msg(strncmp(err.text, "layout of 8 bytes, but ", 23) == 0, "%s", err.text);
	cbpf_prog_free(prog);
}
END_TEST

static const struct {
	struct cbpf_net_base base;
	const char *err;
} bad_bases[] = {
	{ { 14, 32766 }, "net base: ethertype at offset 32766, limit is 32765" },
	{ { 14, 0x7fffffff }, "net base: ethertype at offset 2147483647, limit is 32765" },
	{ { 14, UINT32_MAX }, "net base: ethertype at offset 4294967295, limit is 32765" },
	{ { 0x80000000, 0 },
	  "net base: network layer at offset 2147483648, limit is 2147483647" },
};

START_TEST(refuses_options_without_their_size)
{
	const struct cbpf_lower_opts opts = { .cpu = CBPF_CPU_V4 };
	const struct cbpf_insn ret[] = { CBPF_STMT(CBPF_RET | CBPF_K, 1) };
	struct cbpf_lowered out;
	struct ebpf_err err = { "" };
	struct cbpf_prog *prog;

	ck_assert_int_eq(cbpf_check(ret, 1, CBPF_DIALECT_KERNEL, &prog, NULL), 0);
	ck_assert_int_eq(cbpf_lower(prog, CBPF_TARGET_BUFFER, &opts, &out, &err), -EINVAL);
	ck_assert_msg(strncmp(err.text, "lowering options of 0 bytes, ", 29) == 0, "%s", err.text);
	cbpf_prog_free(prog);
}
END_TEST

START_TEST(refuses_a_net_base_that_no_load_can_read)
{
	const struct cbpf_lower_opts opts = { .size = sizeof(opts),
					      .net_base = &bad_bases[_i].base };
	const struct cbpf_insn ret[] = { CBPF_STMT(CBPF_RET | CBPF_K, 1) };
	struct cbpf_lowered out;
	struct ebpf_err err = { "" };
	struct cbpf_prog *prog;

	ck_assert_int_eq(cbpf_check(ret, 1, CBPF_DIALECT_KERNEL, &prog, NULL), 0);
	ck_assert_int_eq(cbpf_lower(prog, CBPF_TARGET_BUFFER, &opts, &out, &err), -EINVAL);
	ck_assert_str_eq(err.text, bad_bases[_i].err);
	cbpf_prog_free(prog);
}
END_TEST

/* No network layer, and a tag where one is looked for: there is still none. */
START_TEST(a_vlan_tag_makes_no_network_layer)
{
	static uint8_t frame[64] = { [12] = 0x81, [3] = 7 };
	static const struct cbpf_insn load[] = {
		CBPF_STMT(CBPF_LD | CBPF_B | CBPF_ABS, CBPF_NET_OFF),
		CBPF_STMT(CBPF_RET | CBPF_A, 0),
	};
	const struct cbpf_net_base base = { UINT32_MAX, 12 };
	const struct cbpf_lower_opts opts = { .size = sizeof(opts), .net_base = &base };
	struct cbpf_lowered lowered;
	struct cbpf_prog *classic;
	struct ebpf_prog *prog;
	uint64_t r0 = 1;

	ck_assert_int_eq(cbpf_check(load, 2, CBPF_DIALECT_KERNEL, &classic, NULL), 0);
	ck_assert_int_eq(cbpf_lower(classic, CBPF_TARGET_BUFFER, &opts, &lowered, NULL), 0);
	ck_assert_int_eq(ebpf_prog_load(ebpf_prog_type_raw(), lowered.insns, lowered.n_insns,
					&prog, NULL),
			 0);
	ck_assert_int_eq(
		ebpf_prog_run_checked(prog, frame, sizeof(frame), NULL, &r0, NULL), 0);
	ck_assert_uint_eq(r0, 0);
	ebpf_prog_put(prog);
	cbpf_lowered_free(&lowered);
	cbpf_prog_free(classic);
}
END_TEST

/* What struct xdp_md has of it, by the kernel's uapi: a field at an offset, or a helper. */
static const struct {
	uint32_t ad;
	uint8_t code;
	int16_t off;
	int32_t imm;
} xdp_has[] = {
	{ CBPF_AD_IFINDEX, EBPF_LDX | EBPF_MEM | EBPF_W, 12, 0 },
	{ CBPF_AD_QUEUE, EBPF_LDX | EBPF_MEM | EBPF_W, 16, 0 },
	{ CBPF_AD_CPU, EBPF_JMP | EBPF_CALL, 0, 8 },
	{ CBPF_AD_RANDOM, EBPF_JMP | EBPF_CALL, 0, 7 },
};

START_TEST(xdp_is_asked_for_what_it_has)
{
	const struct cbpf_insn insns[] = {
		CBPF_STMT(CBPF_LD | CBPF_W | CBPF_ABS, CBPF_AD_OFF + (int)xdp_has[_i].ad),
		CBPF_STMT(CBPF_RET | CBPF_A, 0),
	};

	for (enum cbpf_level level = CBPF_LEVEL_0; level <= CBPF_LEVEL_2; level++) {
		const struct cbpf_lower_opts opts = { .size = sizeof(opts), .level = level };
		struct cbpf_lowered p;
		struct cbpf_prog *classic;
		size_t n = 0;

		ck_assert_int_eq(cbpf_check(insns, 2, CBPF_DIALECT_KERNEL, &classic, NULL), 0);
		ck_assert_int_eq(cbpf_lower(classic, CBPF_TARGET_XDP, &opts, &p, NULL), 0);
		for (size_t pc = 0; pc < p.n_insns; pc++)
			n += p.insns[pc].code == xdp_has[_i].code &&
			     p.insns[pc].off == xdp_has[_i].off &&
			     p.insns[pc].imm == xdp_has[_i].imm;
		ck_assert_msg(n == 1, "level %d: %zu times", (int)level - (int)CBPF_LEVEL_0, n);
		cbpf_lowered_free(&p);
		cbpf_prog_free(classic);
	}
}
END_TEST

/* The kernel knows where the network layer of a frame is, whether its link type is told or not. */
START_TEST(tc_has_the_network_layer_from_the_kernel)
{
	enum { SKB_LOAD_BYTES_RELATIVE = 68 };
	static const struct cbpf_insn load[] = {
		CBPF_STMT(CBPF_LD | CBPF_H | CBPF_ABS, CBPF_NET_OFF + 2),
		CBPF_STMT(CBPF_RET | CBPF_A, 0),
	};
	static const struct cbpf_net_base nowhere = { .off = UINT32_MAX };
	static const struct cbpf_net_base *const bases[] = { NULL, &nowhere, &ethernet };
	const struct cbpf_lower_opts opts = { .size = sizeof(opts),
					      .net_base = bases[_i / 3],
					      .level = (enum cbpf_level)(CBPF_LEVEL_0 + _i % 3) };
	struct cbpf_lowered p;
	struct cbpf_prog *classic;
	struct ebpf_err err = { "" };
	size_t n = 0;

	ck_assert_int_eq(cbpf_check(load, 2, CBPF_DIALECT_KERNEL, &classic, NULL), 0);
	ck_assert_msg(cbpf_lower(classic, CBPF_TARGET_TC, &opts, &p, &err) == 0, "%s", err.text);
	for (size_t pc = 0; pc < p.n_insns; pc++)
		n += p.insns[pc].code == (EBPF_JMP | EBPF_CALL) &&
		     p.insns[pc].imm == SKB_LOAD_BYTES_RELATIVE;
	ck_assert_uint_eq(n, 1);
	cbpf_lowered_free(&p);
	cbpf_prog_free(classic);
}
END_TEST

/* Where the link layer begins needs no telling, at any level. */
START_TEST(xdp_loads_from_the_link_layer)
{
	static const struct cbpf_insn load[] = {
		CBPF_STMT(CBPF_LD | CBPF_B | CBPF_ABS, CBPF_LL_OFF),
		CBPF_STMT(CBPF_RET | CBPF_A, 0),
	};
	static const struct cbpf_insn load_net[] = {
		CBPF_STMT(CBPF_LD | CBPF_B | CBPF_ABS, CBPF_NET_OFF),
		CBPF_STMT(CBPF_RET | CBPF_A, 0),
	};
	const struct cbpf_lower_opts opts = { .size = sizeof(opts),
					      .level = (enum cbpf_level)(CBPF_LEVEL_0 + _i) };
	struct cbpf_lowered lowered;
	struct cbpf_prog *classic;
	struct ebpf_err err = { "" };

	ck_assert_int_eq(cbpf_check(load, 2, CBPF_DIALECT_KERNEL, &classic, NULL), 0);
	ck_assert_msg(cbpf_lower(classic, CBPF_TARGET_XDP, &opts, &lowered, &err) == 0, "%s",
		      err.text);
	cbpf_lowered_free(&lowered);
	cbpf_prog_free(classic);
	ck_assert_int_eq(cbpf_check(load_net, 2, CBPF_DIALECT_KERNEL, &classic, NULL), 0);
	ck_assert_int_eq(cbpf_lower(classic, CBPF_TARGET_XDP, &opts, &lowered, &err), -EINVAL);
	ck_assert_msg(strncmp(err.text, "insn 0: ", 8) == 0, "%s", err.text);
	cbpf_prog_free(classic);
}
END_TEST

START_TEST(too_long_a_program_is_refused)
{
	enum { N = 100000 };
	struct cbpf_insn *insns = calloc(N, sizeof(*insns));
	const struct cbpf_lower_opts opts = { .size = sizeof(opts), .level = CBPF_LEVEL_0 };
	struct cbpf_lowered out;
	struct ebpf_err err;
	struct cbpf_prog *prog;

	for (size_t i = 0; i + 1 < N; i++)
		insns[i] = (struct cbpf_insn) CBPF_STMT(CBPF_LD | CBPF_W | CBPF_IND, 1);
	insns[N - 1] = (struct cbpf_insn) CBPF_STMT(CBPF_RET | CBPF_K, 1);
	ck_assert_int_eq(cbpf_check(insns, N, CBPF_DIALECT_PCAP, &prog, NULL), 0);
	ck_assert_int_eq(cbpf_lower(prog, CBPF_TARGET_BUFFER, &opts, &out, &err), 0);
	cbpf_lowered_free(&out);
	cbpf_prog_free(prog);
	free(insns);

	insns = calloc(10 * N, sizeof(*insns));
	for (size_t i = 0; i < 10 * N; i++)
		insns[i] = (struct cbpf_insn) CBPF_STMT(CBPF_RET | CBPF_K, 1);
	for (size_t i = 0; i + 1 < 10 * N; i++)
		insns[i] = (struct cbpf_insn) CBPF_STMT(CBPF_LDX | CBPF_B | CBPF_MSH, 1);
	ck_assert_int_eq(cbpf_check(insns, 10 * N, CBPF_DIALECT_PCAP, &prog, NULL), 0);
	ck_assert_int_eq(cbpf_lower(prog, CBPF_TARGET_BUFFER, &opts, &out, &err), -E2BIG);
	ck_assert_str_eq(err.text, "the lowered program has more than 1000000 instructions");
	cbpf_prog_free(prog);
	free(insns);
}
END_TEST

/* ---- level 2: two limits are one test ---- */

enum { LOW = 1000, HIGH = 2000 };

/* A half word of LOW to HIGH gives 1, any other 0: by which tests, and how many remain. */
static const struct {
	struct cbpf_insn tests[2];
	unsigned n_jumps;
} ranges[] = {
	{ { CBPF_JUMP(CBPF_JMP | CBPF_JGE, LOW, 0, 2), CBPF_JUMP(CBPF_JMP | CBPF_JGT, HIGH, 1, 0) },
	  2 },
	{ { CBPF_JUMP(CBPF_JMP | CBPF_JGT, HIGH, 2, 0), CBPF_JUMP(CBPF_JMP | CBPF_JGE, LOW, 0, 1) },
	  2 },
	{ { CBPF_JUMP(CBPF_JMP | CBPF_JGT, LOW - 1, 0, 2),
	    CBPF_JUMP(CBPF_JMP | CBPF_JGE, HIGH + 1, 1, 0) }, 2 },
	/* outside of it there are two ways */
	{ { CBPF_JUMP(CBPF_JMP | CBPF_JGE, LOW, 0, 2), CBPF_JUMP(CBPF_JMP | CBPF_JGT, HIGH, 2, 0) },
	  3 },
};

START_TEST(two_limits_are_one_test)
{
	const struct cbpf_insn insns[] = {
		CBPF_STMT(CBPF_LD | CBPF_H | CBPF_ABS, 0), ranges[_i].tests[0], ranges[_i].tests[1],
		CBPF_STMT(CBPF_RET | CBPF_K, 1), CBPF_STMT(CBPF_RET | CBPF_K, 0),
		CBPF_STMT(CBPF_RET | CBPF_K, 7),
	};
	const struct cbpf_lower_opts opts = { .size = sizeof(opts), .level = CBPF_LEVEL_2 };
	struct cbpf_lowered p;
	struct cbpf_prog *prog;
	struct ebpf_prog *ebpf;
	unsigned n_jumps = 0;

	ck_assert_int_eq(cbpf_check(insns, N_ELEMS(insns), CBPF_DIALECT_PCAP, &prog, NULL), 0);
	ck_assert_int_eq(cbpf_lower(prog, CBPF_TARGET_BUFFER, &opts, &p, NULL), 0);
	for (size_t i = 0; i < p.n_insns; i++)
		n_jumps += ebpf_ops[ebpf_op_of(&p.insns[i])].form == EBPF_FORM_JMP_K;
	ck_assert_uint_eq(n_jumps, ranges[_i].n_jumps);
	ck_assert_int_eq(ebpf_prog_load_trusted(ebpf_prog_type_raw(), p.insns, p.n_insns, NULL,
						&ebpf, NULL), 0);
	for (unsigned v = 0; v <= UINT16_MAX; v++) {
		const uint8_t bytes[2] = { (uint8_t)(v >> 8), (uint8_t)v };
		unsigned outside = ranges[_i].n_jumps == 3 && v > HIGH ? 7 : 0;
		unsigned expected = v >= LOW && v <= HIGH ? 1 : outside;

		if (ebpf_prog_run(ebpf, (uintptr_t)bytes, sizeof(bytes)) != expected)
			ck_abort_msg("%u: not %u", v, expected);
	}
	ebpf_prog_put(ebpf);
	cbpf_lowered_free(&p);
	cbpf_prog_free(prog);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("cbpf/lower");
	TCase *tc = tcase_create("structure");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, long_jumps_arrive_on_each_cpu, 0, 8);
	tcase_add_loop_test(tc, lowers_to_exactly_this, 0, N_ELEMS(listings));
	tcase_add_test(tc, thousands_of_labels_cross_one_pool);
	tcase_add_loop_test(tc, refuses_with_a_message_and_leaves_the_output, 0, N_ELEMS(refused));
	tcase_add_test(tc, refuses_a_layout_that_no_load_can_read);
	tcase_add_loop_test(tc, tc_has_the_network_layer_from_the_kernel, 0, 9);
	tcase_add_loop_test(tc, xdp_is_asked_for_what_it_has, 0, N_ELEMS(xdp_has));
	tcase_add_loop_test(tc, xdp_loads_from_the_link_layer, 0, 3);
	tcase_add_loop_test(tc, refuses_a_net_base_that_no_load_can_read, 0, N_ELEMS(bad_bases));
	tcase_add_test(tc, refuses_options_without_their_size);
	tcase_add_test(tc, a_vlan_tag_makes_no_network_layer);
	tcase_add_test(tc, too_long_a_program_is_refused);
	tcase_add_loop_test(tc, two_limits_are_one_test, 0, N_ELEMS(ranges));
	suite_add_tcase(s, tc);
	return s;
}
