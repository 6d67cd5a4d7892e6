/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the dialects differ, and where they might: each row is a program with
 * its fate in both, of us and of whom the dialect is taken from.
 *
 * The kernel is asked through a pair of datagram sockets, which takes no
 * privilege: a filter there sees the datagram, no link-layer header, no device.
 * What needs those is asked of it by check_kernel, and here of ourselves.
 */
#include "config.h" /* system extensions: libpcap's headers want u_int */

#include "tests/diff/chunk.h"
#include "tests/diff/reference.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* libpcap's functions, declared here: its header and the kernel's do not mix. */
struct bpf_insn;
unsigned bpf_filter(const struct bpf_insn *insns, const unsigned char *data, unsigned wirelen,
		    unsigned caplen);
int bpf_validate(const struct bpf_insn *insns, int n_insns);

#define MAX_ROW 12
/* Chunks of 8 bits want 256 bytes to be delivered. */
#define LEN 300

enum fate {
	RUNS,     /* accepted; the verdict is asserted */
	REFUSED,  /* by the validator */
	ACCEPTED, /* the oracle accepts it, and what it then does is undefined */
	ENDS,     /* as RUNS, but not by a ret: chunks do not see it */
};

#define NET(off) ((uint32_t)CBPF_NET_OFF + (off))
#define LL(off) ((uint32_t)CBPF_LL_OFF + (off))
#define AD(name) ((uint32_t)CBPF_AD_OFF + CBPF_AD_##name)

#define LD_IMM(k) CBPF_STMT(CBPF_LD | CBPF_W | CBPF_IMM, k)
#define LDX_IMM(k) CBPF_STMT(CBPF_LDX | CBPF_W | CBPF_IMM, k)
#define ABS(size, k) CBPF_STMT(CBPF_LD | CBPF_##size | CBPF_ABS, k)
#define IND(size, k) CBPF_STMT(CBPF_LD | CBPF_##size | CBPF_IND, k)
#define MSH(k) CBPF_STMT(CBPF_LDX | CBPF_B | CBPF_MSH, k)
#define ALU(op, src, k) CBPF_STMT(CBPF_ALU | CBPF_##op | CBPF_##src, k)
#define RET(k) CBPF_STMT(CBPF_RET | CBPF_K, k)
#define RET_A CBPF_STMT(CBPF_RET | CBPF_A, 0)
#define JA(k) CBPF_STMT(CBPF_JMP | CBPF_JA, k)

/* Byte i of the packet is i + 1, modulo 256.  One line a program, one its fates. */
/* clang-format off */
static const struct row {
	const char *name;
	struct cbpf_insn insns[MAX_ROW];
	size_t n;
	struct {
		enum fate ours;
		uint32_t verdict;
		enum fate theirs;       /* the kernel's, libpcap's */
	} kernel, pcap;
} rows[] = {
	/* shifts by X: modulo 32, or everything shifted out */
	{ "lsh x by 32", { LD_IMM(1), LDX_IMM(32), ALU(LSH, X, 0), RET_A }, 4,
	  { RUNS, 1, RUNS }, { RUNS, 0, RUNS } },
	{ "lsh x by 33", { LD_IMM(1), LDX_IMM(33), ALU(LSH, X, 0), RET_A }, 4,
	  { RUNS, 2, RUNS }, { RUNS, 0, RUNS } },
	{ "lsh x by 31", { LD_IMM(1), LDX_IMM(31), ALU(LSH, X, 0), RET_A }, 4,
	  { RUNS, 0x80000000, RUNS }, { RUNS, 0x80000000, RUNS } },
	{ "rsh x by 32", { LD_IMM(0x80000001), LDX_IMM(32), ALU(RSH, X, 0), RET_A }, 4,
	  { RUNS, 0x80000001, RUNS }, { RUNS, 0, RUNS } },
	{ "rsh x by 0xffffffff", { LD_IMM(0x80000001), LDX_IMM(0xffffffff), ALU(RSH, X, 0), RET_A },
	  4, { RUNS, 1, RUNS }, { RUNS, 0, RUNS } },
	/* and by a constant */
	{ "lsh 31", { LD_IMM(3), ALU(LSH, K, 31), RET_A }, 3,
	  { RUNS, 0x80000000, RUNS }, { RUNS, 0x80000000, RUNS } },
	{ "lsh 32", { LD_IMM(1), ALU(LSH, K, 32), RET_A }, 3,
	  { REFUSED, 0, REFUSED }, { RUNS, 0, ACCEPTED } },
	{ "rsh 0xffffffff", { LD_IMM(0xffffffff), ALU(RSH, K, 0xffffffff), RET_A }, 3,
	  { REFUSED, 0, REFUSED }, { RUNS, 0, ACCEPTED } },

	/* division: alike */
	{ "div x by 0", { LD_IMM(7), LDX_IMM(0), ALU(DIV, X, 0), RET(9) }, 4,
	  { RUNS, 0, RUNS }, { RUNS, 0, RUNS } },
	{ "mod x by 0", { LD_IMM(7), LDX_IMM(0), ALU(MOD, X, 0), RET(9) }, 4,
	  { RUNS, 0, RUNS }, { RUNS, 0, RUNS } },
	{ "div 0", { LD_IMM(7), ALU(DIV, K, 0), RET(9) }, 3,
	  { REFUSED, 0, REFUSED }, { REFUSED, 0, REFUSED } },
	{ "mod by a constant of 32 bits", { LD_IMM(0xffffffff), ALU(MOD, K, 0x80000001), RET_A }, 3,
	  { RUNS, 0x7ffffffe, RUNS }, { RUNS, 0x7ffffffe, RUNS } },

	/* X + k wraps, or is out of the packet */
	{ "x + 1 wraps to 0", { LDX_IMM(0xffffffff), IND(B, 1), RET_A }, 3,
	  { RUNS, 1, RUNS }, { RUNS, 0, RUNS } },
	{ "x - 1", { LDX_IMM(5), IND(B, 0xffffffff), RET_A }, 3,
	  { RUNS, 5, RUNS }, { RUNS, 0, RUNS } },
	{ "halves wrap to 0", { LDX_IMM(0x80000000), IND(W, 0x80000000), RET_A }, 3,
	  { RUNS, 0x01020304, RUNS }, { RUNS, 0, RUNS } },
	{ "x + k inside", { LDX_IMM(5), IND(H, 2), RET_A }, 3,
	  { RUNS, 0x0809, RUNS }, { RUNS, 0x0809, RUNS } },
	{ "x + k at the end", { LDX_IMM(LEN), IND(B, 0), RET(9) }, 3,
	  { RUNS, 0, RUNS }, { RUNS, 0, RUNS } },
	/* IND and MSH know no ancillary data */
	{ "ind at an ancillary offset", { LDX_IMM(0), IND(W, AD(PROTOCOL)), RET(9) }, 3,
	  { RUNS, 0, RUNS }, { RUNS, 0, RUNS } },
	{ "msh at an ancillary offset", { MSH(AD(PROTOCOL) + 1), RET(9) }, 2,
	  { RUNS, 0, RUNS }, { RUNS, 0, RUNS } },
	/* nowhere in either dialect */
	{ "ld below the link-layer window", { ABS(W, LL(0) - 1), RET(9) }, 2,
	  { RUNS, 0, RUNS }, { RUNS, 0, RUNS } },
	{ "ldb at 0x80000000", { ABS(B, 0x80000000), RET(9) }, 2,
	  { RUNS, 0, RUNS }, { RUNS, 0, RUNS } },
	/* a datagram has no link-layer header: as in an engine without one */
	{ "ld through no link-layer header", { ABS(W, LL(0)), RET(9) }, 2,
	  { RUNS, 0, RUNS }, { RUNS, 0, RUNS } },

	/* ancillary data */
	{ "an unknown ancillary offset", { ABS(W, AD(PROTOCOL) + 1), RET(9) }, 2,
	  { REFUSED, 0, REFUSED }, { RUNS, 0, RUNS } },
	{ "past the last ancillary offset", { ABS(W, AD(VLAN_TPID) + 4), RET(9) }, 2,
	  { REFUSED, 0, REFUSED }, { RUNS, 0, RUNS } },
	{ "ld proto goes on", { ABS(W, AD(PROTOCOL)), RET(9) }, 2,
	  { RUNS, 9, RUNS }, { RUNS, 0, RUNS } },
	{ "ldb vlan_tci goes on", { ABS(B, AD(VLAN_TAG)), RET(9) }, 2,
	  { RUNS, 9, RUNS }, { RUNS, 0, RUNS } },
	{ "ldh vlan_avail goes on", { ABS(H, AD(VLAN_TAG_PRESENT)), RET(9) }, 2,
	  { RUNS, 9, RUNS }, { RUNS, 0, RUNS } },
	{ "xor_x by the byte is xor_x", { LD_IMM(0x5555), LDX_IMM(0xffff), ABS(B, AD(ALU_XOR_X)),
	  RET_A }, 4, { RUNS, 0xaaaa, RUNS }, { RUNS, 0, RUNS } },
	{ "ifidx of no interface is A", { LD_IMM(7), ABS(W, AD(IFINDEX)), RET(9) }, 3,
	  { RUNS, 7, ENDS }, { RUNS, 0, RUNS } },
	{ "hatype of no interface is A", { LD_IMM(7), ABS(H, AD(HATYPE)), RET(9) }, 3,
	  { RUNS, 7, ENDS }, { RUNS, 0, RUNS } },

	/* jumps */
	{ "a loop of three rounds", { LD_IMM(3), ALU(SUB, K, 1),
	  CBPF_JUMP(CBPF_JMP | CBPF_JEQ | CBPF_K, 0, 1, 0), JA((uint32_t)-3), RET(9) }, 5,
	  { REFUSED, 0, REFUSED }, { RUNS, 9, RUNS } },
	{ "a loop to the packet's end", { LDX_IMM(0), IND(B, 0), CBPF_STMT(CBPF_MISC | CBPF_TXA, 0),
	  ALU(ADD, K, 1), CBPF_STMT(CBPF_MISC | CBPF_TAX, 0), JA((uint32_t)-5), RET(9) }, 7,
	  { REFUSED, 0, REFUSED }, { RUNS, 0, RUNS } },
	{ "65536 backward jumps", { LD_IMM(65537), ALU(SUB, K, 1),
	  CBPF_JUMP(CBPF_JMP | CBPF_JEQ | CBPF_K, 0, 1, 0), JA((uint32_t)-3), RET(9) }, 5,
	  { REFUSED, 0, REFUSED }, { RUNS, 9, RUNS } },
	/* here libpcap goes on, and for an endless loop for ever */
	{ "65537 backward jumps", { LD_IMM(65538), ALU(SUB, K, 1),
	  CBPF_JUMP(CBPF_JMP | CBPF_JEQ | CBPF_K, 0, 1, 0), JA((uint32_t)-3), RET(9) }, 5,
	  { REFUSED, 0, REFUSED }, { RUNS, 0, ACCEPTED } },
	{ "a jump to itself", { JA((uint32_t)-1), RET(9) }, 2,
	  { REFUSED, 0, REFUSED }, { RUNS, 0, ACCEPTED } },
	{ "a jump past the end", { JA(1), RET(9) }, 2,
	  { REFUSED, 0, REFUSED }, { REFUSED, 0, REFUSED } },
	{ "no return at the end", { RET(9), LD_IMM(0) }, 2,
	  { REFUSED, 0, REFUSED }, { REFUSED, 0, REFUSED } },

	/* scratch memory */
	{ "a slot never written", { CBPF_STMT(CBPF_LD | CBPF_MEM, 3), RET_A }, 2,
	  { REFUSED, 0, REFUSED }, { RUNS, 0, ACCEPTED } },
	{ "a slot written on one way only", { CBPF_JUMP(CBPF_JMP | CBPF_JEQ | CBPF_K, 1, 0, 1),
	  CBPF_STMT(CBPF_ST, 2), CBPF_STMT(CBPF_LDX | CBPF_MEM, 2),
	  CBPF_STMT(CBPF_MISC | CBPF_TXA, 0), RET_A }, 5,
	  { REFUSED, 0, REFUSED }, { RUNS, 0, ACCEPTED } },
	/* no way leads past the ret to the load, but the kernel's pass goes on there */
	{ "a ret does not end the pass", { CBPF_JUMP(CBPF_JMP | CBPF_JEQ | CBPF_K, 0, 1, 0), JA(2),
	  CBPF_STMT(CBPF_ST, 0), JA(1), RET(0), CBPF_STMT(CBPF_LD | CBPF_MEM, 0), RET_A }, 7,
	  { REFUSED, 0, REFUSED }, { RUNS, 0, RUNS } },
	{ "unreachable code reads what it likes", { JA(1), CBPF_STMT(CBPF_LD | CBPF_MEM, 5), RET(9) },
	  3, { RUNS, 9, RUNS }, { RUNS, 9, RUNS } },
	{ "slot 16", { CBPF_STMT(CBPF_ST, 16), RET(9) }, 2,
	  { REFUSED, 0, REFUSED }, { REFUSED, 0, REFUSED } },

	/* codes that libpcap's validator lets through, and on which its filter aborts */
	{ "ret x", { CBPF_STMT(CBPF_RET | CBPF_X, 0) }, 1,
	  { REFUSED, 0, REFUSED }, { REFUSED, 0, ACCEPTED } },
	{ "code 0x8004", { CBPF_STMT(0x8004, 1), RET(9) }, 2,
	  { REFUSED, 0, REFUSED }, { REFUSED, 0, ACCEPTED } },
	{ "ldb #len", { CBPF_STMT(CBPF_LD | CBPF_B | CBPF_LEN, 0), RET_A }, 2,
	  { REFUSED, 0, REFUSED }, { REFUSED, 0, ACCEPTED } },

	/* results */
	{ "ret of 32 bits", { RET(0xfedcba98) }, 1,
	  { RUNS, 0xfedcba98, RUNS }, { RUNS, 0xfedcba98, RUNS } },
	{ "ret a of 32 bits", { LD_IMM(0x89abcdef), RET_A }, 2,
	  { RUNS, 0x89abcdef, RUNS }, { RUNS, 0x89abcdef, RUNS } },
	{ "a load over the end", { ABS(W, LEN - 3), RET(9) }, 2,
	  { RUNS, 0, RUNS }, { RUNS, 0, RUNS } },
	{ "a load up to the end", { ABS(W, LEN - 4), RET(9) }, 2,
	  { RUNS, 9, RUNS }, { RUNS, 9, RUNS } },
	{ "msh keeps A", { LD_IMM(7), MSH(4), RET_A }, 3,
	  { RUNS, 7, RUNS }, { RUNS, 7, RUNS } },
};

/* clang-format on */

static uint8_t packet[LEN];

static void
fill_packet(void)
{
	for (size_t i = 0; i < sizeof(packet); i++)
		packet[i] = (uint8_t)(i + 1);
}

/* A datagram, as a filter on a local socket sees it. */
static struct sift_view
datagram(uint32_t wirelen)
{
	return (struct sift_view){ .data = packet,
				   .caplen = LEN,
				   .wirelen = wirelen,
				   .mac_off = SIFT_OFF_NONE,
				   .net_off = SIFT_OFF_NONE };
}

/* ---- ours ---- */

static uint32_t
verdict_of(const struct cbpf_prog *prog, const struct sift_view *view)
{
	struct sift_filter *filter;
	struct ebpf_err err;
	uint32_t verdict;

	ck_assert_msg(sift_filter_new(prog, NULL, &filter, &err) == 0, "%s", err.text);
	sift_filter_batch(filter, view, 1, &verdict);
	sift_filter_free(filter);
	return verdict;
}

static uint32_t
judge_ours(const struct cbpf_insn *insns, size_t n, enum cbpf_dialect dialect,
	   const struct sift_view *view)
{
	struct cbpf_prog *prog;
	struct ebpf_err err;
	uint32_t verdict;

	ck_assert_msg(cbpf_check(insns, n, dialect, &prog, &err) == 0, "%s", err.text);
	verdict = verdict_of(prog, view);
	cbpf_prog_free(prog);
	return verdict;
}

static void
check_ours(const struct row *row, enum cbpf_dialect dialect, enum fate fate, uint32_t verdict)
{
	struct sift_view view = datagram(LEN);
	struct cbpf_prog *prog = NULL;
	struct ebpf_err err = { "" };
	int rc = cbpf_check(row->insns, row->n, dialect, &prog, &err);

	if (fate == REFUSED) {
		ck_assert_msg(rc == -EINVAL && prog == NULL && err.text[0] != '\0',
			      "%s: not refused", row->name);
		return;
	}
	ck_assert_msg(rc == 0, "%s: %s", row->name, err.text);
	cbpf_prog_free(prog);
	ck_assert_msg(judge_ours(row->insns, row->n, dialect, &view) == verdict, "%s: %u",
		      row->name, judge_ours(row->insns, row->n, dialect, &view));
	ck_assert_msg(reference_run(row->insns, dialect, &view, 0).verdict == verdict,
		      "%s: the reference differs", row->name);
}

/* ---- the kernel's ---- */

static int
attach(int fd, const struct cbpf_insn *insns, size_t n)
{
	struct sock_fprog prog = { .len = (unsigned short)n,
				   .filter = (struct sock_filter *)(uintptr_t)insns };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) == 0 ? 0 : -errno;
}

/* What a socket with a program delivers of the packet; 0: nothing. */
static uint32_t
delivered(const int fds[2])
{
	char byte;
	ssize_t len;

	ck_assert_int_eq(send(fds[0], packet, LEN, MSG_DONTWAIT), LEN);
	len = recv(fds[1], &byte, 1, MSG_DONTWAIT | MSG_TRUNC);
	return len > 0 ? (uint32_t)len : 0;
}

/*
 * Sets *verdict, put together from chunks, and *len, what the program itself
 * has delivered.  -EINVAL: the kernel refuses the program.
 */
static int
judge_kernel(const struct cbpf_insn *insns, size_t n, uint32_t *verdict, uint32_t *len)
{
	struct cbpf_insn rewritten[MAX_ROW + CHUNK_TAIL];
	int fds[2], rc;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
	rc = attach(fds[1], insns, n);
	*verdict = 0;
	*len = rc == 0 ? delivered(fds) : 0;
	for (unsigned shift = 0; shift < 32 && rc == 0; shift += 8) {
		uint32_t chunk;

		rc = attach(fds[1], rewritten, chunk_program(insns, n, shift, 8, rewritten));
		ck_assert_int_eq(rc, 0);
		chunk = delivered(fds);
		if (chunk > 0)
			*verdict |= (chunk - 1) << shift;
	}
	close(fds[0]);
	close(fds[1]);
	return rc;
}

START_TEST(kernel_dialect_is_the_kernels)
{
	const struct row *row = &rows[_i];
	uint32_t expected = row->kernel.verdict, verdict, len;
	int rc;

	fill_packet();
	check_ours(row, CBPF_DIALECT_KERNEL, row->kernel.ours, expected);
	rc = judge_kernel(row->insns, row->n, &verdict, &len);
	if (row->kernel.theirs == REFUSED) {
		ck_assert_msg(rc == -EINVAL, "%s: the kernel says %d", row->name, rc);
		return;
	}
	ck_assert_msg(rc == 0, "%s: the kernel says %d", row->name, rc);
	ck_assert_msg(len == (expected < LEN ? expected : LEN), "%s: the kernel delivers %u",
		      row->name, len);
	ck_assert_msg(row->kernel.theirs == ENDS || verdict == expected, "%s: the kernel says %u",
		      row->name, verdict);
}
END_TEST

/* ---- libpcap's ---- */

#ifdef HAVE_PCAP
static void
check_pcap_accepts(const char *name, const struct cbpf_insn *insns, size_t n, bool expected)
{
	const struct bpf_insn *code = (const struct bpf_insn *)(const void *)insns;

	ck_assert_msg((bpf_validate(code, (int)n) != 0) == expected, "%s: libpcap %s it", name,
		      expected ? "refuses" : "accepts");
}

static void
check_pcap_says(const char *name, const struct cbpf_insn *insns, uint32_t wirelen,
		uint32_t expected)
{
	const struct bpf_insn *code = (const struct bpf_insn *)(const void *)insns;
	uint32_t verdict = bpf_filter(code, packet, wirelen, LEN);

	ck_assert_msg(verdict == expected, "%s: libpcap says %u", name, verdict);
}

#else
/* Without libpcap the expectations are held against ourselves and the reference. */
static void
check_pcap_accepts(const char *name, const struct cbpf_insn *insns, size_t n, bool expected)
{
	(void)name, (void)insns, (void)n, (void)expected;
}

static void
check_pcap_says(const char *name, const struct cbpf_insn *insns, uint32_t wirelen,
		uint32_t expected)
{
	(void)name, (void)insns, (void)wirelen, (void)expected;
}

START_TEST(is_libpcaps)
{
	suite_skip("built without libpcap: not compared with it");
}
END_TEST
#endif

START_TEST(pcap_dialect_is_libpcaps)
{
	const struct row *row = &rows[_i];

	fill_packet();
	check_ours(row, CBPF_DIALECT_PCAP, row->pcap.ours, row->pcap.verdict);
	check_pcap_accepts(row->name, row->insns, row->n, row->pcap.theirs != REFUSED);
	if (row->pcap.theirs == RUNS)
		check_pcap_says(row->name, row->insns, LEN, row->pcap.verdict);
}
END_TEST

/* ---- what does not fit into a row ---- */

START_TEST(pcap_dialect_has_no_limit_on_length)
{
	static const size_t lengths[] = { 0, 1, 4096, 4097, 5000 };
	size_t n = lengths[_i];
	struct cbpf_insn *insns = calloc(n + 1, sizeof(*insns));
	int fds[2], rc;
	struct cbpf_prog *prog;

	ck_assert_ptr_nonnull(insns);
	for (size_t pc = 0; pc < n; pc++)
		insns[pc] = (struct cbpf_insn)LD_IMM(9);
	insns[n > 0 ? n - 1 : 0] = (struct cbpf_insn)RET_A;

	rc = cbpf_check(insns, n, CBPF_DIALECT_KERNEL, &prog, NULL);
	if (rc == 0)
		cbpf_prog_free(prog);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
	/* qemu's user mode refuses an empty program too, but with -ENOMEM. */
	ck_assert_int_eq(rc == 0, attach(fds[1], insns, n) == 0);
	ck_assert_int_eq(rc, n >= 1 && n <= 4096 ? 0 : -EINVAL);
	close(fds[0]);
	close(fds[1]);

	rc = cbpf_check(insns, n, CBPF_DIALECT_PCAP, &prog, NULL);
	if (rc == 0)
		cbpf_prog_free(prog);
	ck_assert_int_eq(rc, n >= 1 ? 0 : -EINVAL);
	check_pcap_accepts("length", insns, n, n >= 1);
	free(insns);
}
END_TEST

START_TEST(len_is_the_length_on_the_wire)
{
	static const struct cbpf_insn insns[] = { CBPF_STMT(CBPF_LD | CBPF_W | CBPF_LEN, 0),
						  RET_A };
	struct sift_view view = datagram(1500);
	uint32_t verdict, len;

	fill_packet();
	ck_assert_uint_eq(judge_ours(insns, 2, CBPF_DIALECT_PCAP, &view), 1500);
	check_pcap_says("len", insns, 1500, 1500);
	/* a socket's packets are whole */
	ck_assert_uint_eq(judge_ours(insns, 2, CBPF_DIALECT_KERNEL, &view), 1500);
	view.wirelen = LEN;
	ck_assert_uint_eq(judge_ours(insns, 2, CBPF_DIALECT_KERNEL, &view), LEN);
	ck_assert_int_eq(judge_kernel(insns, 2, &verdict, &len), 0);
	ck_assert_uint_eq(verdict, LEN);
}
END_TEST

START_TEST(headers_are_reached_in_dialect_kernel_alone)
{
	static const struct {
		struct cbpf_insn insns[4];
		size_t n;
		uint32_t verdict;
	} loads[] = {
		{ { ABS(H, NET(0)), RET_A }, 2, 0x0f10 },
		{ { ABS(W, LL(12)), RET_A }, 2, 0x0d0e0f10 },
		{ { LDX_IMM(2), IND(B, NET(1)), RET_A }, 3, 0x12 },
		{ { LDX_IMM(LL(3)), IND(B, 0), RET_A }, 3, 0x04 },
		{ { MSH(NET(0)), CBPF_STMT(CBPF_MISC | CBPF_TXA, 0), RET_A }, 3, 0x3c },
		{ { ABS(B, NET(LEN - 15)), RET_A }, 2, LEN & 0xff },
		{ { ABS(B, NET(LEN - 14)), RET(9) }, 2, 0 },
	};
	struct sift_view view = datagram(LEN);

	fill_packet();
	view.mac_off = 0;
	view.net_off = 14;
	for (size_t i = 0; i < N_ELEMS(loads); i++) {
		const struct cbpf_insn *insns = loads[i].insns;

		ck_assert_uint_eq(judge_ours(insns, loads[i].n, CBPF_DIALECT_KERNEL, &view),
				  loads[i].verdict);
		ck_assert_uint_eq(judge_ours(insns, loads[i].n, CBPF_DIALECT_PCAP, &view), 0);
		check_pcap_says("header", insns, LEN, 0);
	}
}
END_TEST

/* libpcap keeps the identifier of a tag, the kernel all of it. */
START_TEST(a_tag_has_12_bits_in_dialect_pcap)
{
	static const struct cbpf_insn tag[] = { ABS(B, AD(VLAN_TAG)), RET_A };
	static const struct cbpf_insn present[] = { ABS(B, AD(VLAN_TAG_PRESENT)), RET_A };
	struct sift_view view = datagram(LEN);

	view.known = SIFT_KNOWN_VLAN;
	view.vlan_present = 1;
	view.vlan_tci = 0x6064;
	view.vlan_proto = 0x8100;
	ck_assert_uint_eq(judge_ours(tag, 2, CBPF_DIALECT_KERNEL, &view), 0x6064);
	ck_assert_uint_eq(judge_ours(tag, 2, CBPF_DIALECT_PCAP, &view), 0x064);
	ck_assert_uint_eq(judge_ours(present, 2, CBPF_DIALECT_KERNEL, &view), 1);
	ck_assert_uint_eq(judge_ours(present, 2, CBPF_DIALECT_PCAP, &view), 1);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("diff/dialects");
	TCase *tc = tcase_create("rows");

	tcase_add_loop_test(tc, kernel_dialect_is_the_kernels, 0, N_ELEMS(rows));
	tcase_add_loop_test(tc, pcap_dialect_is_libpcaps, 0, N_ELEMS(rows));
#ifndef HAVE_PCAP
	tcase_add_test(tc, is_libpcaps);
#endif
	suite_add_tcase(s, tc);
	tc = tcase_create("single");
	tcase_add_loop_test(tc, pcap_dialect_has_no_limit_on_length, 0, 5);
	tcase_add_test(tc, len_is_the_length_on_the_wire);
	tcase_add_test(tc, headers_are_reached_in_dialect_kernel_alone);
	tcase_add_test(tc, a_tag_has_12_bits_in_dialect_pcap);
	suite_add_tcase(s, tc);
	return s;
}
