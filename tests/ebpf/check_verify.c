/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs that the verifier accepts, and those that it refuses with what it
 * says of them.
 */
#include "ebpf/verify.h"

#include "tests/support/suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEM_SIZE = 256 };

static const struct ebpf_ctx_field fields[] = {
	{ 0, 8, EBPF_CTX_PACKET, false },      { 8, 4, EBPF_CTX_PACKET_LEN, false },
	{ 12, 4, EBPF_CTX_SCALAR, false },     { 16, 8, EBPF_CTX_PACKET_END, false },
	{ 24, 4, EBPF_CTX_SCALAR, true },
};

static const struct ebpf_verify_map maps[] = {
	{ .fd = 7, .key_size = 4, .value_size = 16, .direct_value = true, .n_values = 1 },
	{ .fd = 8, .kind = EBPF_VERIFY_MAP_PROGS, .key_size = 4, .value_size = 4 },
	{ .fd = 10, .read_only = true, .key_size = 4, .value_size = 16, .direct_value = true,
	  .n_values = 1 },
};

static const struct ebpf_verify_helper helpers[] = {
	{ .id = 1, .name = "lookup", .args = { EBPF_ARG_MAP, EBPF_ARG_MAP_KEY },
	  .ret = EBPF_RET_MAP_VALUE_OR_NULL },
	{ .id = 2, .name = "update",
	  .args = { EBPF_ARG_MAP, EBPF_ARG_MAP_KEY, EBPF_ARG_MAP_VALUE, EBPF_ARG_SCALAR },
	  .ret = EBPF_RET_SCALAR },
	{ .id = 5, .name = "ktime", .ret = EBPF_RET_SCALAR },
	{ .id = 6, .name = "print", .args = { EBPF_ARG_MEM_READ, EBPF_ARG_SIZE },
	  .ret = EBPF_RET_SCALAR },
	{ .id = 7, .name = "note", .args = { EBPF_ARG_ANYTHING }, .ret = EBPF_RET_VOID },
	{ .id = 12, .name = "tail_call", .args = { EBPF_ARG_CTX, EBPF_ARG_MAP, EBPF_ARG_SCALAR },
	  .ret = EBPF_RET_SCALAR, .is_tail_call = true },
	{ .id = 26, .name = "fill", .args = { EBPF_ARG_MEM_WRITE, EBPF_ARG_SIZE_OR_ZERO },
	  .ret = EBPF_RET_SCALAR },
	{ .id = 43, .name = "pull", .args = { EBPF_ARG_CTX }, .ret = EBPF_RET_SCALAR,
	  .moves_packet = true },
};

static const struct ebpf_verify_env raw = { .mem_size = MEM_SIZE, .rfc9669 = true,
					    .helpers = helpers, .n_helpers = N_ELEMS(helpers),
					    .maps = maps, .n_maps = N_ELEMS(maps) };
static const struct ebpf_verify_env ctx = { .ctx_fields = fields, .n_ctx_fields = N_ELEMS(fields),
					    .has_packet_loads = true,
					    .helpers = helpers, .n_helpers = N_ELEMS(helpers),
					    .maps = maps, .n_maps = N_ELEMS(maps) };

static const struct ebpf_verify_env raw_read_only = { .mem_size = MEM_SIZE, .mem_read_only = true };
/* Addresses are numbers to whoever sees them. */
static const struct ebpf_verify_env leaky = { .mem_size = MEM_SIZE, .addresses_may_leak = true };
static const struct ebpf_verify_env ctx_writable = { .ctx_fields = fields,
						     .n_ctx_fields = N_ELEMS(fields),
						     .packet_writable = true };

static int
verify_text(const char *text, const struct ebpf_verify_env *env, struct ebpf_verify_result *out,
	    struct ebpf_err *err)
{
	struct ebpf_insn *insns;
	size_t n;
	int rc = ebpf_asm(text, strlen(text), &insns, &n, err);

	ck_assert_msg(rc == 0, "%s: %s", text, err->text);
	err->text[0] = '\0';
	rc = ebpf_verify(insns, n, env, out, err);
	free(insns);
	return rc;
}

#define DATA "r8 = *(u64 *)(r1 +0)\n"
#define DATA_LEN DATA "r9 = *(u32 *)(r1 +8)\n"
#define DATA_END DATA "r9 = *(u64 *)(r1 +16)\n"
#define RET "r0 = 0\nexit\n"
#define BYTE "r2 = *(u8 *)(r1 +0)\n"
#define KEY "*(u32 *)(r10 -4) = 0\nr2 = r10\nr2 += -4\n"

static const struct {
	const struct ebpf_verify_env *env;
	const char *text;
} accepted[] = {
	/* numbers and memory */
	{ &raw, "r0 = *(u8 *)(r1 +255)\nexit\n" },
	{ &raw, BYTE "r1 += r2\nr0 = *(u8 *)(r1 +0)\nexit\n" },
	{ &raw, BYTE "r2 &= 0xf8\nr2 += r1\nr0 = *(u64 *)(r2 +0)\nexit\n" },
	{ &raw, "r2 = *(u64 *)(r1 +0)\nif r2 > 248 goto pc+2\nr1 += r2\nr0 = *(u64 *)(r1 +0)\n" RET },
	{ &raw, "r2 = *(u64 *)(r1 +0)\nif r2 s> 248 goto pc+3\nif r2 s< 0 goto pc+2\n"
		"r1 += r2\nr0 = *(u64 *)(r1 +0)\n" RET },
	{ &raw, "r2 = *(u64 *)(r1 +0)\nw2 = w2\nif w2 >= 0x100 goto pc+2\nr1 += r2\n"
		"r0 = *(u8 *)(r1 +0)\n" RET },
	{ &raw, "r2 = *(u64 *)(r1 +0)\nif r2 & -256 goto pc+2\nr1 += r2\nr0 = *(u8 *)(r1 +0)\n" RET },
	/* a copy learns what its twin is compared with, in a register and in the stack */
	{ &raw, "r2 = *(u64 *)(r1 +0)\nr3 = r2\nif r3 > 248 goto pc+2\nr1 += r2\n"
		"r0 = *(u64 *)(r1 +0)\n" RET },
	{ &raw, "r2 = *(u64 *)(r1 +0)\n*(u64 *)(r10 -8) = r2\nif r2 > 248 goto pc+3\n"
		"r3 = *(u64 *)(r10 -8)\nr1 += r3\nr0 = *(u64 *)(r1 +0)\n" RET },
	/* x < length: there is a byte at x */
	{ &ctx, DATA_LEN "r2 = *(u8 *)(r1 +12)\nif r2 >= r9 goto pc+2\nr8 += r2\n"
		"r0 = *(u8 *)(r8 +0)\n" RET },
	/* length - x >= size, with the length known */
	{ &raw, "r4 = *(u32 *)(r1 +0)\nr3 = r2\nr3 -= r4\nif r3 s< 4 goto pc+2\nr4 += r1\n"
		"r0 = *(u32 *)(r4 +0)\n" RET },
	/* stack */
	{ &raw, "*(u64 *)(r10 -8) = r1\nr3 = *(u64 *)(r10 -8)\nr0 = *(u8 *)(r3 +0)\nexit\n" },
	{ &raw, BYTE "*(u64 *)(r10 -8) = 1\nr2 &= 7\nr3 = r10\nr3 += -8\nr3 += r2\n"
		"r0 = *(u8 *)(r3 +0)\nexit\n" },
	{ &raw, "*(u8 *)(r10 -512) = 1\nr0 = *(u8 *)(r10 -512)\nexit\n" },
	/* RFC 9669 where the kernel is stricter */
	{ &raw, "r0 = 1\nr0 <<= 65\nr0 /= 0\nexit\n" },
	/* calls and loops */
	{ &raw, "call pc+1\nexit\nr0 = *(u8 *)(r1 +0)\nexit\n" },
	{ &raw, "r3 = r10\nr3 += -8\n*(u64 *)(r10 -8) = 0\nr1 = r3\ncall pc+1\nexit\n"
		"*(u32 *)(r1 +0) = 5\nr0 = 0\nexit\n" },
	{ &raw, "r3 = 0\nr0 = 0\nr4 = r1\nr4 += r3\nr5 = *(u8 *)(r4 +0)\nr0 += r5\nr3 += 1\n"
		"if r3 < 256 goto pc-6\nexit\n" },
	/* 2^20 paths, were numbers that do not matter compared */
	{ &raw, "r3 = 0\nr0 = 0\nr4 = r1\nr4 += r3\nr5 = *(u8 *)(r4 +0)\nif r5 == 7 goto pc+1\nr0 += 1\n"
		"r3 += 1\nif r3 < 200 goto pc-7\nexit\n" },
	{ &raw, "r0 = 0\nmay_goto pc+2\nr0 += 1\ngoto pc-3\nexit\n" },
	/* packets, by length */
	{ &ctx, DATA_LEN "if r9 < 14 goto pc+1\nr0 = *(u16 *)(r8 +12)\n" RET },
	{ &ctx, DATA_LEN "if w9 < 14 goto pc+1\nr0 = *(u16 *)(r8 +12)\n" RET },
	{ &ctx, DATA_LEN "r9 += -12\nif r9 s< 2 goto pc+1\nr0 = *(u16 *)(r8 +12)\n" RET },
	{ &ctx, DATA_LEN "r7 = *(u32 *)(r1 +12)\nr3 = r9\nr3 -= r7\nif r3 s< 4 goto pc+2\nr7 += r8\n"
		"r0 = *(u32 *)(r7 +0)\n" RET },
	{ &ctx, DATA_LEN "r7 = *(u32 *)(r1 +12)\nif r7 >= r9 goto pc+2\nr8 += r7\n"
		"r0 = *(u8 *)(r8 +0)\n" RET },
	/* packets, by their end */
	{ &ctx, DATA_END "r2 = r8\nr2 += 14\nif r2 > r9 goto pc+1\nr0 = *(u16 *)(r8 +12)\n" RET },
	{ &ctx, DATA_END "r2 = r8\nr2 += 14\nif r9 >= r2 goto pc+2\n" RET
		"r0 = *(u16 *)(r8 +12)\nexit\n" },
	{ &ctx, DATA_END "r2 = *(u8 *)(r1 +12)\nr8 += r2\nr3 = r8\nr3 += 4\nif r3 > r9 goto pc+1\n"
		"r0 = *(u32 *)(r8 +0)\n" RET },
	{ &ctx, DATA_END "r9 -= r8\nif r9 s< 4 goto pc+1\nr0 = *(u32 *)(r8 +0)\n" RET },
	{ &ctx, "r6 = r1\nr0 = *(u16 *)skb[12]\nexit\n" },
	{ &ctx, "*(u32 *)(r1 +24) = 1\n" RET },
	/* maps */
	{ &ctx, KEY "r1 = map_fd[7]\ncall 1\nif r0 == 0 goto pc+1\nr0 = *(u64 *)(r0 +8)\nexit\n" },
	{ &ctx, KEY "r1 = map_fd[7]\ncall 1\nr6 = r0\nif r0 != 0 goto pc+1\nexit\n"
		"*(u64 *)(r6 +8) = 1\n" RET },
	{ &ctx, "r2 = map_fd[8]\nr3 = 0\ncall 12\n" RET },
	{ &ctx, "r1 = map_value[7][8]\nr0 = *(u64 *)(r1 +0)\n" RET },
	{ &ctx, "r1 = map_value[10][0]\nr0 = *(u64 *)(r1 +8)\n" RET },
	{ &ctx, "r1 = map_idx_value[2][8]\nr0 = *(u64 *)(r1 +0)\n" RET },
	{ &ctx, KEY "r1 = map_idx[0]\ncall 1\n" RET },
	/* the distance of two addresses in one object */
	{ &raw, BYTE "r3 = r1\nr3 += r2\nr3 += 4\nr3 -= r1\nr3 += -4\nr1 += r3\n"
		"r0 = *(u8 *)(r1 +0)\nexit\n" },
	{ &raw, "*(u64 *)(r10 -8) = 0\nr2 = r10\nr2 += -8\nr3 = r10\nr3 -= r2\nr3 += r1\n"
		"r0 = *(u8 *)(r3 +247)\nexit\n" },
	/* where addresses may leak, they are copied, stored, compared and returned as numbers */
	{ &leaky, "w0 = w1\nexit\n" },
	{ &leaky, "r0 = (s32)r10\nexit\n" },
	{ &leaky, "w0 = (s8)w10\nexit\n" },
	{ &leaky, "*(u64 *)(r1 +0) = r10\nr0 = r1\nexit\n" },
	{ &leaky, "*(u32 *)(r10 -4) = r1\nr0 = *(u32 *)(r10 -4)\nexit\n" },
	{ &leaky, "if r1 > r10 goto pc+0\nif r1 > 5 goto pc+0\n" RET },
	{ &leaky, "r3 = r10\nr3 = atomic64_fetch_add((u64 *)(r1 +0), r3)\n" RET },
	{ &ctx_writable, DATA_LEN "if r9 < 14 goto pc+1\n*(u8 *)(r8 +13) = 0\n" RET },
	/* an address of the caller's stack, and numbers that change their width on the way */
	{ &raw, "*(u64 *)(r10 -8) = 7\nr0 = *(s8 *)(r10 -8)\nr2 = *(u16 *)(r10 -8)\nexit\n" },
	{ &raw, BYTE "*(u64 *)(r10 -8) = r2\nr3 = *(u64 *)(r10 -8)\nr1 += r3\n"
		"r0 = *(u8 *)(r1 +0)\nexit\n" },
	{ &raw, BYTE "*(u32 *)(r10 -8) = r2\nr3 = *(s32 *)(r10 -8)\nr1 += r3\n"
		"r0 = *(u8 *)(r1 +0)\nexit\n" },
	{ &raw, BYTE "r3 = r2\nr3 = be16 r3\nr3 = bswap16 r3\nr3 = -r3\nr0 = r3\nexit\n" },
	/* helpers that fill memory */
	{ &raw, "r1 = r10\nr1 += -8\nr2 = 8\ncall 26\nr0 = *(u64 *)(r10 -8)\nexit\n" },
};

static const struct {
	const struct ebpf_verify_env *env;
	const char *text;
	int rc;
	const char *err;
} refused[] = {
	{ &raw, "r0 = *(u8 *)(r1 +256)\nexit\n", -EACCES,
	  "insn 0: r1 (mem 0) +256, read 1 bytes: offset up to 257 of 256" },
	{ &raw, "r0 = *(u8 *)(r1 -1)\nexit\n", -EACCES,
	  "insn 0: r1 (mem 0) -1, read 1 bytes: offset down to -1 of 256" },
	{ &raw, BYTE "r1 += r2\nr0 = *(u32 *)(r1 +0)\nexit\n", -EACCES,
	  "insn 2: r1 (mem 0 + 0..255) +0, read 4 bytes: offset up to 259 of 256" },
	{ &raw, "r2 = *(u64 *)(r1 +0)\nr1 += r2\n" RET, -EACCES,
	  "insn 1: r1 (mem 0) + r2 (scalar unknown): unbounded offset" },
	{ &raw, "r0 = r3\nexit\n", -EACCES, "insn 0: r3 is read, but was not written" },
	{ &raw, "exit\n", -EACCES, "insn 0: r0 is read, but was not written" },
	{ &raw, "r0 = r1\nexit\n", -EACCES, "insn 1: r0 (mem 0): an address as the program's result" },
	{ &raw, "*(u64 *)(r1 +0) = r10\n" RET, -EACCES,
	  "insn 0: r1 (mem 0) +0, write 8 bytes: an address may be stored in the stack only" },
	{ &raw, "*(u32 *)(r10 -4) = r1\n" RET, -EACCES,
	  "insn 0: r10 (fp+0) -4, write 4 bytes: an address goes to an aligned slot of 8 bytes, whole" },
	{ &raw, "*(u64 *)(r10 -8) = r1\nr0 = *(u32 *)(r10 -8)\nexit\n", -EACCES,
	  "insn 1: r10 (fp+0) -8, read 4 bytes: byte at r10-8 is part of an address" },
	{ &raw, "*(u64 *)(r10 -8) = r1\n*(u8 *)(r10 -8) = 0\nr0 = *(u32 *)(r10 -4)\nexit\n", -ENODATA,
	  "insn 2: r10 (fp+0) -4, read 4 bytes: byte at r10-4 was never written" },
	{ &raw, "r0 = *(u64 *)(r10 -8)\nexit\n", -ENODATA,
	  "insn 0: r10 (fp+0) -8, read 8 bytes: byte at r10-8 was never written" },
	{ &raw, "*(u8 *)(r10 -513) = 0\n" RET, -EACCES,
	  "insn 0: r10 (fp+0) -513, write 1 bytes: stack is r10-512 to r10-1, this -513 to -513" },
	{ &raw, "w1 += 1\n" RET, -EACCES,
	  "insn 0: r1 (mem 0): only 64-bit add and sub of an address" },
	{ &raw, "r1 *= 2\n" RET, -EACCES,
	  "insn 0: r1 (mem 0): only 64-bit add and sub of an address" },
	{ &raw, "if r1 > 5 goto pc+0\n" RET, -EACCES,
	  "insn 0: r1 (mem 0): an address compared with what tells where it is" },
	{ &raw, "goto pc+1\nr0 = 0\nr0 = 1\nexit\n", -EINVAL, "insn 1: unreachable" },
	{ &raw, "r0 = 0\ngoto pc-1\n", -ELOOP,
	  "insn 1: loop without end: nothing changes from turn to turn" },
	{ &raw, "r0 = 0\nr0 += 1\ngoto pc-2\n", -E2BIG,
	  "insn 2: not proven safe within 1000000 instructions" },
	{ &raw, "call pc+1\nexit\nr0 = r6\nexit\n", -EACCES, "insn 2: r6 is read, but was not written" },
	{ &raw, "call pc+1\nexit\nr0 = r10\nexit\n", -EACCES,
	  "insn 3: r0 (fp+0): address in a stack that ends here" },
	{ &raw, "*(u8 *)(r10 -256) = 0\ncall pc+1\nexit\n*(u8 *)(r10 -264) = 0\n" RET, -EACCES,
	  "program: calls use 528 bytes of stack together, limit is 512" },
	{ &raw, "call 99\nexit\n", -EINVAL, "insn 0: no helper 99" },
	{ &raw, "call 5\nr0 = r1\nexit\n", -EACCES, "insn 1: r1 is read, but was not written" },
	{ &raw, "r1 = r10\nr1 += -8\nr2 = 8\ncall 6\nexit\n", -ENODATA,
	  "insn 3: r1 (fp-8) +0, read 8 bytes: byte at r10-8 was never written" },
	{ &raw, "r3 = 0\nr1 = r10\nr2 = 0\ncall 6\nexit\n", -EACCES,
	  "insn 3: r2 (scalar 0): print wants a size of 1 or more" },
	{ &raw, "r0 = *(u16 *)skb[0]\nexit\n", -EINVAL,
	  "insn 0: packet load, but there is no packet" },
	{ &raw, "r0 = 0\nif r0 == 0x0 goto pc+1\nr0 = *(u16 *)skb[0]\nexit\n", -EINVAL,
	  "insn 2: packet load, but there is no packet" },
	{ &raw, "r0 = 0\nif r0 == 0x0 goto pc+1\ncall unknown#4711\nexit\n", -EINVAL,
	  "insn 2: no helper 4711" },
	{ &raw, "*(u64 *)(r10 -16) = 0\n*(u64 *)(r10 -8) = 0\nr2 = 1\n"
		"lock *(u64 *)(r10 -12) += r2\n" RET, -EACCES,
	  "insn 3: r10 (fp+0) -12, write 8 bytes: atomic, but perhaps not aligned" },
	/* contexts and packets */
	{ &ctx, "r0 = *(u32 *)(r1 +28)\nexit\n", -EACCES,
	  "insn 0: r1 (ctx 0) +28, read 4 bytes: no such field in the context" },
	{ &ctx, "*(u32 *)(r1 +12) = 0\n" RET, -EACCES,
	  "insn 0: r1 (ctx 0) +12, write 4 bytes: the field is read-only" },
	{ &ctx, "r0 = *(u16 *)(r1 +8)\nexit\n", -EACCES,
	  "insn 0: r1 (ctx 0) +8, read 2 bytes: the field is read whole" },
	{ &ctx, DATA "r0 = *(u8 *)(r8 +0)\nexit\n", -EACCES,
	  "insn 1: r8 (packet 0) +0, read 1 bytes: offset up to 1, packet of at least 0" },
	{ &ctx, DATA_LEN "if r9 < 13 goto pc+1\nr0 = *(u16 *)(r8 +12)\n" RET, -EACCES,
	  "insn 3: r8 (packet 0) +12, read 2 bytes: offset up to 14, packet of at least 13" },
	{ &ctx, DATA_LEN "r7 = *(u32 *)(r1 +12)\nr3 = r9\nr3 -= r7\nif r3 s< 3 goto pc+2\nr7 += r8\n"
		"r0 = *(u32 *)(r7 +0)\n" RET, -EACCES,
	  "insn 7: r7 (packet 0 + 0..4294967295) +0, read 4 bytes: 4 bytes from there, "
	  "3 of them proven" },
	/* unsigned, and so no proof: length - x wraps */
	{ &ctx, DATA_LEN "r7 = *(u32 *)(r1 +12)\nr3 = r9\nr3 -= r7\nif r3 < 4 goto pc+2\nr7 += r8\n"
		"r0 = *(u32 *)(r7 +0)\n" RET, -EACCES,
	  "insn 7: r7 (packet 0 + 0..4294967295) +0, read 4 bytes: offset up to 4294967299, "
	  "packet of at least 0" },
	/* x changed after it was checked */
	{ &ctx, DATA_LEN "r7 = *(u32 *)(r1 +12)\nr3 = r9\nr3 -= r7\nif r3 s< 4 goto pc+3\nr7 += 1\n"
		"r7 += r8\nr0 = *(u32 *)(r7 +0)\n" RET, -EACCES,
	  "insn 8: r7 (packet 0 + 1..4294967296) +0, read 4 bytes: offset up to 4294967300, "
	  "packet of at least 0" },
	/* x <= length: there need not be */
	{ &ctx, DATA_LEN "r2 = *(u8 *)(r1 +12)\nif r2 > r9 goto pc+2\nr8 += r2\n"
		"r0 = *(u8 *)(r8 +0)\n" RET, -EACCES,
	  "insn 5: r8 (packet 0 + 0..255) +0, read 1 bytes: offset up to 256, packet of at least 0" },
	{ &ctx, DATA_END "r2 = r8\nr2 += 14\nif r2 > r9 goto pc+1\nr0 = *(u16 *)(r8 +13)\n" RET,
	  -EACCES,
	  "insn 5: r8 (packet 0) +13, read 2 bytes: offset up to 15, packet of at least 14" },
	{ &ctx, DATA_LEN "r6 = r1\nif r9 < 14 goto pc+4\nr1 = r6\ncall 43\nr0 = *(u8 *)(r8 +0)\nexit\n"
		"exit\n", -EACCES, "insn 6: r8 is read, but was not written" },
	{ &ctx, DATA_LEN "if r9 < 14 goto pc+1\n*(u8 *)(r8 +0) = 0\n" RET, -EACCES,
	  "insn 3: r8 (packet 0) +0, write 1 bytes: the packet is read-only" },
	{ &ctx, "r0 = 1\nr0 <<= 64\nexit\n", -EINVAL, "insn 1: r0: shift by 64 of 64 bits" },
	{ &ctx, "r0 = 1\nr0 /= 0\nexit\n", -EINVAL, "insn 1: r0: division by 0" },
	{ &ctx, "r6 = 0\nr0 = *(u16 *)skb[12]\nexit\n", -EACCES,
	  "insn 1: r6 (scalar 0): packet load wants the context" },
	/* maps */
	{ &ctx, KEY "r1 = map_fd[7]\ncall 1\nr0 = *(u64 *)(r0 +8)\nexit\n", -EACCES,
	  "insn 6: r0 (map_value_or_null 0 0) +8, read 8 bytes: not compared with 0 before" },
	{ &ctx, KEY "r1 = map_fd[7]\ncall 1\nif r0 == 0 goto pc+1\nr0 = *(u64 *)(r0 +9)\nexit\n",
	  -EACCES, "insn 7: r0 (map_value 0 0) +9, read 8 bytes: offset up to 17 of 16" },
	{ &ctx, KEY "r1 = map_fd[9]\ncall 1\n" RET, -EINVAL, "insn 3: no map with descriptor 9" },
	{ &ctx, KEY "r1 = map_fd[8]\ncall 1\n" RET, -EACCES,
	  "insn 5: r1 (map 1): lookup wants a map of data" },
	{ &ctx, "r2 = map_fd[7]\nr3 = 0\ncall 12\n" RET, -EACCES,
	  "insn 3: r2 (map 0): tail_call wants a map of programs" },
	{ &ctx, "r1 += 4\nr2 = map_fd[8]\nr3 = 0\ncall 12\n" RET, -EACCES,
	  "insn 4: r1 (ctx 4): tail_call wants the context" },
	{ &raw, "r1 += 4\nr2 = map_fd[8]\nr3 = 0\ncall 12\n" RET, -EACCES,
	  "insn 4: r1 (mem 4): tail_call wants the context" },
	{ &ctx, KEY "r1 = 7\ncall 1\n" RET, -EACCES, "insn 4: r1 (scalar 7): lookup wants a map" },
	{ &ctx, KEY "r1 = map_fd[7]\nr3 = r2\nr4 = 0\ncall 2\n" RET, -EACCES,
	  "insn 7: r3 (fp-4) +0, read 16 bytes: stack is r10-512 to r10-1, this -4 to +11" },
	{ &ctx, "*(u64 *)(r10 -16) = 0\n*(u64 *)(r10 -8) = 0\nr2 = r10\nr2 += -4\nr3 = r10\nr3 += -16\n"
		"r1 = map_fd[7]\nr4 = r10\ncall 2\n" RET, -EACCES,
	  "insn 9: r4 (fp+0): update wants a number" },
	{ &ctx, "r1 = map_value[8][0]\n" RET, -EINVAL, "insn 0: map 1 has no value to point at" },
	{ &ctx, "r1 = map_value[7][16]\n" RET, -EINVAL, "insn 0: offset 16 in a map value of 16" },
	{ &ctx, "r1 = map_value[10][0]\n*(u8 *)(r1 +0) = 1\n" RET, -EACCES,
	  "insn 2: r1 (map_value 2 0) +0, write 1 bytes: the map is read-only" },
	/* what helpers want */
	{ &raw, "call 7\nexit\n", -EACCES, "insn 0: r1 (mem 0): note wants a number" },
	{ &raw, "r1 = 1\ncall 7\nexit\n", -EACCES, "insn 2: r0 is read, but was not written" },
	{ &raw, "r2 = *(u64 *)(r1 +0)\nr2 |= 1\ncall 6\nexit\n", -EACCES,
	  "insn 2: r2 (scalar -9223372036854775807..9223372036854775807 bits 0x1/0xfffffffffffffffe): print wants a bounded size" },
	{ &raw, "r2 = r1\ncall 6\nexit\n", -EACCES,
	  "insn 1: r2 (mem 0): print wants a size" },
	{ &ctx, "r2 = 4\ncall 6\nexit\n", -EACCES,
	  "insn 1: r1 (ctx 0) +0, read 4 bytes: the context is no plain memory" },
	{ &raw, "r1 = 4\nr2 = 4\ncall 6\nexit\n", -EACCES,
	  "insn 2: r1 (scalar 4) +0, read 4 bytes: not an address of memory" },
	/* the packet may have moved: what was spilled is void, too */
	{ &ctx, DATA "*(u64 *)(r10 -8) = r8\ncall 43\nr8 = *(u64 *)(r10 -8)\n" RET, -ENODATA,
	  "insn 3: r10 (fp+0) -8, read 8 bytes: byte at r10-8 was never written" },
	{ &raw, "r1 = map_idx[3]\n" RET, -EINVAL, "insn 0: no map number 3" },
	{ &raw, "r1 = var[0]\n" RET, -EINVAL, "insn 0: LDDW_VAR is not supported" },
	{ &ctx, "r6 = r1\nr0 = *(u16 *)skb[r7 + 0]\nexit\n", -EACCES,
	  "insn 1: r7 is read, but was not written" },
	{ &ctx, "r6 += 4\nexit\n", -EACCES, "insn 0: r6 is read, but was not written" },
	{ &ctx, "r6 = r1\nr6 += 4\nr0 = *(u16 *)skb[0]\nexit\n", -EACCES,
	  "insn 2: r6 (ctx 4): packet load wants the context" },
	/* arithmetic with addresses */
	{ &ctx, KEY "r1 = map_fd[7]\ncall 1\nr0 += 1\n" RET, -EACCES,
	  "insn 6: r0 (map_value_or_null 0 0) + 1: no arithmetic on such an address" },
	{ &ctx, "r2 = *(u32 *)(r1 +12)\nr1 += r2\n" RET, -EACCES,
	  "insn 1: r1 (ctx 0) + r2 (scalar 0..4294967295): variable offset in the context" },
	{ &raw, "r1 -= r10\n" RET, -EACCES,
	  "insn 0: r1 (mem 0) - r10 (fp+0): addresses of different objects" },
	{ &raw, "r1 += r10\n" RET, -EACCES,
	  "insn 0: r1 (mem 0) + r10 (fp+0): sum of two addresses" },
	{ &raw, "r2 -= r1\n" RET, -EACCES,
	  "insn 0: r2 (scalar 256) - r1 (mem 0): address taken from a number" },
	{ &raw, "w2 = w1\n" RET, -EACCES,
	  "insn 0: r1 (mem 0): part of an address copied" },
	{ &raw, "r2 = (s32)r1\n" RET, -EACCES,
	  "insn 0: r1 (mem 0): part of an address copied" },
	{ &raw, "r1 = -r1\n" RET, -EACCES,
	  "insn 0: r1 (mem 0): only 64-bit add and sub of an address" },
	{ &raw, "r1 = bswap64 r1\n" RET, -EACCES,
	  "insn 0: r1 (mem 0): only 64-bit add and sub of an address" },
	{ &raw, "r2 = 0x300000000\nr1 += r2\nr1 += r2\n" RET, -EACCES,
	  "insn 3: r1 (mem 12884901888) + r2 (scalar 0x300000000): unbounded offset" },
	{ &raw, "r2 = 0x3f0000000\nr1 -= r2\nr1 -= 268435457\n" RET, -EACCES,
	  "insn 3: r1 (mem -16911433728) - 268435457: unbounded offset" },
	{ &raw, "r2 = *(u32 *)(r1 +0)\nr3 = 0x3f0000000\nr3 += r2\nr1 += r3\n" RET, -EACCES,
	  "insn 4: r1 (mem 0) + r3 (scalar 16911433728..21206401023): unbounded offset" },
	/* whose stack it is */
	{ &raw, "r1 = r10\nr1 += -8\ncall pc+1\nexit\n*(u64 *)(r1 +0) = r10\n" RET, -EACCES,
	  "insn 4: r1 (fp-8) +0, write 8 bytes: address of a stack that ends before this one" },
	{ &ctx, DATA_LEN "r0 = *(u8 *)(r8 -1)\nexit\n", -EACCES,
	  "insn 2: r8 (packet 0) -1, read 1 bytes: offset down to -1" },
	/* atomic operations */
	{ &ctx_writable, DATA_LEN "if r9 < 16 goto pc+2\nr2 = 1\nlock *(u32 *)(r8 +0) += r2\n" RET, -EACCES,
	  "insn 4: r8 (packet 0) +0, write 4 bytes: no atomics in the packet" },
	{ &ctx, "r2 = 1\nlock *(u32 *)(r1 +24) += r2\n" RET, -EACCES,
	  "insn 1: r1 (ctx 0) +24, write 4 bytes: no atomics in the context" },
	{ &raw, "lock *(u64 *)(r1 +0) += r10\n" RET, -EACCES,
	  "insn 0: r10 (fp+0): atomics work on numbers" },
	{ &raw, "r2 = 1\nr0 = r10\nr0 = atomic64_cmpxchg((u64 *)(r1 +0), r0, r2)\n" RET, -EACCES,
	  "insn 2: r0 (fp+0): atomics work on numbers" },
	{ &raw, "r3 = 1\nlock *(u64 *)(r3 +0) += r2\n" RET, -EACCES,
	  "insn 1: r3 (scalar 1) +0, write 8 bytes: not an address of memory" },
	{ &raw, "r2 = 1\nlock *(u64 *)(r10 -8) += r2\n" RET, -ENODATA,
	  "insn 1: r10 (fp+0) -8, write 8 bytes: byte at r10-8 was never written" },
	/* fields and memory */
	{ &ctx, "r0 = *(u16 *)(r1 +13)\nexit\n", -EACCES,
	  "insn 0: r1 (ctx 0) +13, read 2 bytes: part of a field, not aligned" },
	{ &ctx, "r0 = *(s32 *)(r1 +8)\nexit\n", -EACCES,
	  "insn 0: r1 (ctx 0) +8, read 4 bytes: the field is read whole" },
	{ &raw_read_only, "*(u8 *)(r1 +0) = 0\n" RET, -EACCES,
	  "insn 0: r1 (mem 0) +0, write 1 bytes: the memory is read-only" },
	{ &raw, "r0 = *(u8 *)(r4 +0)\nexit\n", -EACCES,
	  "insn 0: r4 is read, but was not written" },
	/* packet loads */
	{ &ctx, "r6 = r1\ncall pc+1\nexit\nr6 = r1\nr0 = *(u16 *)skb[0]\nexit\n", -EINVAL,
	  "insn 4: packet load in a called function" },
	{ &ctx, "r6 = r1\nr7 = r10\nr0 = *(u16 *)skb[r7 + 0]\nexit\n", -EACCES,
	  "insn 2: r7 (fp+0): packet load wants a number" },
	{ &ctx, "if r1 > r10 goto pc+0\n" RET, -EACCES,
	  "insn 0: r1 (ctx 0): an address compared with what tells where it is" },
	{ &ctx, "if w1 == 0 goto pc+0\n" RET, -EACCES,
	  "insn 0: r1 (ctx 0): an address compared with what tells where it is" },
	{ &raw, "r2 = *(u8 *)(r1 +0)\nif r2 == r1 goto pc+0\n" RET, -EACCES,
	  "insn 1: r1 (mem 0): an address compared with what tells where it is" },
};

START_TEST(accepts)
{
	struct ebpf_verify_result result;
	struct ebpf_err err;
	int rc = verify_text(accepted[_i].text, accepted[_i].env, &result, &err);

	ck_assert_msg(rc == 0, "%s%s", accepted[_i].text, err.text);
	ck_assert_str_eq(err.text, "");
	ck_assert_uint_gt(result.n_visited, 0);
}
END_TEST

START_TEST(refuses)
{
	struct ebpf_verify_result result, untouched;
	struct ebpf_err err;
	int rc;

	memset(&result, 0x5a, sizeof(result));
	untouched = result;
	rc = verify_text(refused[_i].text, refused[_i].env, &result, &err);
	ck_assert_msg(rc == refused[_i].rc, "%s%d: %s", refused[_i].text, rc, err.text);
	ck_assert_str_eq(err.text, refused[_i].err);
	ck_assert_mem_eq(&result, &untouched, sizeof(result));
}
END_TEST

START_TEST(tells_what_a_program_is)
{
	struct ebpf_verify_result r;
	struct ebpf_err err;

	ck_assert_int_eq(verify_text("r6 = 0\n*(u8 *)(r10 -9) = 0\ncall pc+4\nr6 += 1\n"
				     "if r6 < 5 goto pc-3\ncall 5\nexit\n"
				     "*(u64 *)(r10 -40) = 0\nr0 = 0\nexit\n",
				     &raw, &r, &err), 0);
	ck_assert_uint_eq(r.n_funcs, 2);
	ck_assert_uint_eq(r.funcs[0].stack_depth, 9);
	ck_assert_uint_eq(r.funcs[1].start, 7);
	ck_assert_uint_eq(r.funcs[1].stack_depth, 40);
	ck_assert_uint_eq(r.stack_depth, 16 + 48);
	ck_assert_uint_eq(r.max_frames, 2);
	ck_assert(r.has_loops && r.has_helper_calls && !r.has_may_goto && !r.has_tail_calls);
}
END_TEST

/* Calls nested as deep as allowed, and once more. */
START_TEST(eight_frames_and_no_more)
{
	for (int n = 8; n <= 9; n++) {
		char text[1024] = "";
		struct ebpf_err err;

		for (int i = 1; i < n; i++)
			strcat(text, "call pc+1\nexit\n");
		strcat(text, "r0 = 0\nexit\n");
		ck_assert_int_eq(verify_text(text, &raw, NULL, &err), n == 8 ? 0 : -E2BIG);
	}
}
END_TEST

/* Programs that are too long, or too much, for the verifier to walk. */
START_TEST(limits_are_named)
{
	static struct ebpf_insn long_program[EBPF_MAXINSNS + 1];
	static const struct ebpf_insn half[] = {
		{ .code = EBPF_LD | EBPF_IMM | EBPF_DW, .dst_reg = 1, .src_reg = 1, .imm = 7 },
		{ .imm = 1 },
		{ .code = EBPF_JMP | EBPF_EXIT },
	};
	static char text[1 << 16];
	struct ebpf_err err;
	size_t n = 0;

	ck_assert_int_eq(ebpf_verify(long_program, 0, &raw, NULL, &err), -EINVAL);
	ck_assert_str_eq(err.text, "program has no instructions");
	ck_assert_int_eq(ebpf_verify(long_program, EBPF_MAXINSNS + 1, &raw, NULL, &err), -E2BIG);
	snprintf(text, sizeof(text), "program has %d instructions, limit is %d", EBPF_MAXINSNS + 1,
		 EBPF_MAXINSNS);
	ck_assert_str_eq(err.text, text);
	ck_assert_int_eq(ebpf_verify(half, 3, &ctx, NULL, &err), -EINVAL);
	ck_assert_str_eq(err.text, "insn 0: second half of a map's load is not 0");

	/* each turn leaves the way out open */
	ck_assert_int_eq(verify_text("r0 = 0\nr3 = 0\nr4 = *(u8 *)(r1 +0)\nif r4 == 7 goto pc+2\n"
				     "r3 += 1\nif r3 < 9000 goto pc-4\nexit\n",
				     &raw, NULL, &err), -E2BIG);
	ck_assert_str_eq(err.text, "insn 3: more than 8192 branches left open");

	/* as many functions as there may be, and one more */
	for (int n_funcs = 256; n_funcs <= 257; n_funcs++) {
		n = 0;
		for (int i = 1; i < n_funcs; i++)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "call pc+%d\n",
					      n_funcs - 1 + i);
		for (int i = 0; i < n_funcs; i++)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "r0 = 0\nexit\n");
		ck_assert_int_eq(verify_text(text, &raw, NULL, &err), n_funcs == 256 ? 0 : -E2BIG);
	}
	ck_assert_str_eq(err.text, "insn 768: more than 256 functions");
}
END_TEST

struct log {
	char text[4096];
};

static void
append_line(void *arg, const char *line)
{
	struct log *log = arg;

	strncat(log->text, line, sizeof(log->text) - strlen(log->text) - 2);
	strcat(log->text, "\n");
}

START_TEST(log_shows_the_walk)
{
	struct ebpf_verify_env env = raw;
	struct log log = { "" };
	struct ebpf_err err;

	env.log = append_line;
	env.log_arg = &log;
	ck_assert_int_eq(verify_text("r0 = *(u8 *)(r1 +0)\nif r0 > 9 goto pc+0\nexit\n", &env, NULL,
				     &err), 0);
	ck_assert_str_eq(log.text,
			 "0: (71) r0 = *(u8 *)(r1 +0) ; r0=scalar 0..255\n"
			 "1: (25) if r0 > 0x9 goto pc+0 ; r0=scalar 0..9\n"
			 "2: (95) exit\n"
			 "2: other way ; r0=scalar 10..255; r1=mem 0; r2=scalar 256\n"
			 "2: (95) exit\n");
}
END_TEST

/* What stands in the stack, what is known of the packet, and where a way joins another. */
START_TEST(log_shows_stack_and_packet)
{
	struct ebpf_verify_env env = ctx;
	struct log log = { "" };
	struct ebpf_err err;

	env.log = append_line;
	env.log_arg = &log;
	ck_assert_int_eq(verify_text(DATA_LEN "*(u64 *)(r10 -8) = r8\n*(u64 *)(r10 -16) = 5\n"
				     "if r9 < 14 goto pc+1\nr2 = *(u64 *)(r10 -8)\n" RET,
				     &env, NULL, &err), 0);
	ck_assert_str_eq(log.text,
			 "0: (79) r8 = *(u64 *)(r1 +0) ; r8=packet 0\n"
			 "1: (61) r9 = *(u32 *)(r1 +8) ; r9=scalar 0..2147483647 of length\n"
			 "2: (7b) *(u64 *)(r10 -8) = r8 ; fp-8=packet 0\n"
			 "3: (7a) *(u64 *)(r10 -16) = 5 ; fp-16=scalar 5\n"
			 "4: (a5) if r9 < 0xe goto pc+1 ; r9=scalar 14..2147483647 of length; "
			 "packet>=14\n"
			 "5: (79) r2 = *(u64 *)(r10 -8) ; r2=packet 0\n"
			 "6: (b7) r0 = 0 ; r0=scalar 0\n"
			 "7: (95) exit\n"
			 "6: other way ; r1=ctx 0; r8=packet 0; r9=scalar 0..13 of length; "
			 "fp-8=packet 0; fp-16=scalar 5\n"
			 "6: (b7) r0 = 0 ; r0=scalar 0\n"
			 "7: (95) exit\n");
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("ebpf/verify");
	TCase *tc = tcase_create("rows");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, accepts, 0, N_ELEMS(accepted));
	tcase_add_loop_test(tc, refuses, 0, N_ELEMS(refused));
	tcase_add_test(tc, tells_what_a_program_is);
	tcase_add_test(tc, eight_frames_and_no_more);
	tcase_add_test(tc, limits_are_named);
	tcase_add_test(tc, log_shows_the_walk);
	tcase_add_test(tc, log_shows_stack_and_packet);
	suite_add_tcase(s, tc);
	return s;
}
