/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs are strings of gadgets: a few instructions that make sense together
 * (an offset in X and an indexed load, a field and a test of it), with jumps
 * that skip any number of instructions and so land in the midst of gadgets.
 * What the validator asks for is kept by construction: the last instruction
 * returns, jumps stay inside, and scratch slots are read where its own forward
 * pass says that they were written.
 *
 * Offsets and constants are mostly taken from one of the case's packets, so
 * that loads succeed and tests go both ways.  One program in four is then changed here
 * and there (mutate.c), to what no gadget is.
 */
#include "tests/diff/generate.h"

#include "tests/diff/chunk.h"
#include "tests/diff/mutate.h"
#include "tests/support/suite.h"

#include <stdlib.h>
#include <string.h>

/* Slots that counted loops keep for themselves. */
#define SLOT_COUNTER 15
#define SLOT_SUM 14

struct maker {
	uint64_t rng;
	enum cbpf_dialect dialect;
	const struct diff_packet *packet; /* where offsets and constants come from */
	/* Dialect pcap: constant shifts of 32 and more, reads of unwritten slots. */
	bool is_wild;
	bool asks_metadata;
	bool is_whole;   /* as long as the kernel takes: no room for what a chunk adds */
	bool is_netlink; /* most packets are netlink attributes */
	struct cbpf_insn *insns;
	size_t pc, last;  /* next to write; the one that must return */
	uint16_t written; /* slots, as the kernel's validator reckons */
	uint16_t *at;     /* and what jumps bring along */
};

static uint32_t
below(struct maker *m, uint32_t n)
{
	return rng_below(&m->rng, n);
}

static bool
chance(struct maker *m, uint32_t percent)
{
	return below(m, 100) < percent;
}

static uint32_t
any32(struct maker *m)
{
	return (uint32_t)rng_next(&m->rng);
}

#define PICK(m, array) ((array)[below(m, N_ELEMS(array))])

/* ---- constants and offsets ---- */

static uint32_t
field(struct maker *m)
{
	const struct diff_packet *p = m->packet;
	uint32_t size = 1u << below(m, 3), value = 0, off;

	if (p->len < size)
		return 0;
	off = below(m, p->len - size + 1);
	if (off > 60 && chance(m, 80))
		off %= 61;
	for (uint32_t i = 0; i < size; i++)
		value = value << 8 | p->frame[off + i];
	return value;
}

static uint32_t
constant(struct maker *m)
{
	static const uint32_t edges[] = {
		0,      1,       2,          7,          31,         32,         33,         63,
		64,     65,      0x7fffffff, 0x80000000, 0x80000001, 0xffffffff, 0xfffffffe, 0xff,
		0xffff, 0x10000, 0x7fff,     0x8000,     0xfffff000, 0xffff0000,
	};
	static const uint32_t known[] = {
		0x800, 0x86dd, 0x806, 0x8100,     0x88a8, 6,    17, 1,  58,   47,
		53,    80,     443,   0x0a000001, 0x1fff, 0x45, 20, 40, 0x0f, 0xf0,
	};

	switch (below(m, 10)) {
	case 0:
	case 1:
	case 2:
		return field(m);
	case 3:
	case 4:
		return PICK(m, edges);
	case 5:
	case 6:
		return PICK(m, known);
	case 7:
	case 8:
		return below(m, 70);
	default:
		return any32(m);
	}
}

/* An offset in the packet's data, mostly inside of it. */
static uint32_t
data_offset(struct maker *m)
{
	static const uint32_t headers[] = { 0,  6,  12, 13, 14, 15, 16, 17, 18, 20,
					    22, 23, 26, 30, 34, 36, 38, 46, 50 };
	static const uint32_t far[] = { 0x7fff,     0x8000,     0x10000,   0x7ffffffb,
					0x7ffffffc, 0x7ffffffd, 0x7fffffff };
	uint32_t len = m->packet->len, kind = below(m, 1000);

	if (kind < 12)
		return PICK(m, far);
	if (kind < 50)
		return len - below(m, 6); /* may wrap: still an offset */
	if (kind < 750 || len == 0)
		return PICK(m, headers);
	return below(m, len < 64 ? len : 64);
}

/* An offset in the negative half, where the kernel finds headers. */
static uint32_t
window_offset(struct maker *m)
{
	static const uint32_t edges[] = {
		0x80000000, 0xffdfffff, 0xffe00000, 0xffe00001, 0xffefffff,
		0xfff00000, 0xffffefff, 0xffffeffc, 0xffdffffe, 0xffefffff,
	};
	uint32_t kind = below(m, 20);

	if (kind == 0)
		return PICK(m, edges);
	if (kind == 1)
		return 0x80000000u + below(m, 0x7ffff000u);
	if (kind < 11)
		return (uint32_t)CBPF_NET_OFF + below(m, 40);
	return (uint32_t)CBPF_LL_OFF + data_offset(m) % 2048;
}

/* One in six loads of dialect kernel goes to a window; those of pcap get nothing there. */
static uint32_t
offset(struct maker *m)
{
	bool is_window = m->dialect == CBPF_DIALECT_KERNEL ? below(m, 6) == 0 : below(m, 400) == 0;
	uint32_t off = is_window ? window_offset(m) : data_offset(m);

	/* Absolute loads from there on are ancillary, and must be known. */
	return off >= (uint32_t)CBPF_AD_OFF ? 0 : off;
}

/* ---- instructions ---- */

static bool
is_full(const struct maker *m)
{
	return m->pc >= m->last;
}

/* Where the program is full, what is left of a gadget is left out. */
static void
put_jump(struct maker *m, unsigned code, uint32_t jt, uint32_t jf, uint32_t k)
{
	if (is_full(m))
		return;
	m->written &= m->at[m->pc];
	m->insns[m->pc] = (struct cbpf_insn)CBPF_JUMP(code, k, (uint8_t)jt, (uint8_t)jf);
	if (code == CBPF_ST || code == CBPF_STX)
		m->written |= (uint16_t)(1u << k);
	if (code == (CBPF_JMP | CBPF_JA) && k <= INT32_MAX) {
		m->at[m->pc + 1 + k] &= m->written;
		m->written = UINT16_MAX;
	} else if (CBPF_CLASS(code) == CBPF_JMP && code != (CBPF_JMP | CBPF_JA)) {
		m->at[m->pc + 1 + jt] &= m->written;
		m->at[m->pc + 1 + jf] &= m->written;
		m->written = UINT16_MAX;
	}
	m->pc++;
}

/* Fields that are not used hold anything now and then. */
static void
put(struct maker *m, unsigned code, uint32_t k)
{
	if (CBPF_CLASS(code) == CBPF_JMP || !chance(m, 2))
		put_jump(m, code, 0, 0, k);
	else
		put_jump(m, code, below(m, 256), below(m, 256), k);
}

/* How far a jump written next may go. */
static uint32_t
room(const struct maker *m)
{
	return is_full(m) ? 0 : (uint32_t)(m->last - m->pc - 1);
}

static uint32_t
hop(struct maker *m, uint32_t most)
{
	uint32_t kind = below(m, 20), far = room(m) < most ? room(m) : most;

	if (kind < 13)
		most = 2;
	else if (kind < 19)
		most = 8;
	else
		most = far;
	return below(m, (most < far ? most : far) + 1);
}

static void
put_test(struct maker *m)
{
	static const unsigned ops[] = { CBPF_JEQ, CBPF_JGT, CBPF_JGE, CBPF_JSET };
	unsigned op = PICK(m, ops), source = chance(m, 30) ? CBPF_X : CBPF_K;
	uint32_t jt = hop(m, 255), jf = hop(m, 255);

	if (chance(m, 70))
		*(chance(m, 50) ? &jt : &jf) = 0;
	put_jump(m, CBPF_JMP | op | source, jt, jf, constant(m));
}

/* ---- gadgets ---- */

static uint32_t
shift_constant(struct maker *m)
{
	if (m->is_wild && chance(m, 30))
		return chance(m, 50) ? 32 + below(m, 33) : constant(m);
	return below(m, 32);
}

static void
alu_k(struct maker *m)
{
	static const unsigned ops[] = { CBPF_ADD, CBPF_SUB, CBPF_MUL, CBPF_DIV, CBPF_OR,
					CBPF_AND, CBPF_LSH, CBPF_RSH, CBPF_MOD, CBPF_XOR };
	unsigned op = PICK(m, ops);
	uint32_t k = constant(m);

	if (op == CBPF_LSH || op == CBPF_RSH)
		k = shift_constant(m);
	else if ((op == CBPF_DIV || op == CBPF_MOD) && k == 0)
		k = 1 + below(m, 100);
	put(m, CBPF_ALU | op | CBPF_K, k);
}

static void
alu_x(struct maker *m)
{
	static const unsigned ops[] = { CBPF_ADD, CBPF_SUB, CBPF_MUL, CBPF_DIV, CBPF_OR,
					CBPF_AND, CBPF_LSH, CBPF_RSH, CBPF_MOD, CBPF_XOR };
	unsigned op = PICK(m, ops);

	if (op == CBPF_LSH || op == CBPF_RSH) {
		if (chance(m, 70))
			put(m, CBPF_LDX | CBPF_W | CBPF_IMM, below(m, 68));
	} else if (op == CBPF_DIV || op == CBPF_MOD) {
		if (chance(m, 80))
			put(m, CBPF_LDX | CBPF_W | CBPF_IMM, 1 + below(m, 300));
	} else if (chance(m, 30)) {
		put(m, CBPF_LDX | CBPF_W | CBPF_IMM, constant(m));
	}
	put(m, CBPF_ALU | op | CBPF_X, constant(m));
}

static void
plain(struct maker *m)
{
	static const unsigned codes[] = {
		CBPF_ALU | CBPF_NEG,          CBPF_MISC | CBPF_TAX,
		CBPF_MISC | CBPF_TXA,         CBPF_LD | CBPF_W | CBPF_IMM,
		CBPF_LDX | CBPF_W | CBPF_IMM, CBPF_LD | CBPF_W | CBPF_LEN,
		CBPF_LDX | CBPF_W | CBPF_LEN,
	};

	put(m, PICK(m, codes), constant(m));
}

static void
store(struct maker *m)
{
	put(m, chance(m, 50) ? CBPF_ST : CBPF_STX, below(m, CBPF_MEMWORDS));
}

/* A slot that is written on each way to here. */
static bool
written_slot(struct maker *m, uint32_t *slot)
{
	uint16_t written = is_full(m) ? 0 : m->written & m->at[m->pc];

	*slot = below(m, CBPF_MEMWORDS);
	if (m->is_wild && chance(m, 30))
		return true;
	for (uint32_t i = 0; i < CBPF_MEMWORDS; i++, *slot = (*slot + 1) % CBPF_MEMWORDS) {
		if (written >> *slot & 1)
			return true;
	}
	return false;
}

static void
recall(struct maker *m)
{
	uint32_t slot;

	if (!written_slot(m, &slot)) {
		store(m);
		if (!written_slot(m, &slot))
			return;
	}
	put(m, (chance(m, 50) ? CBPF_LD : CBPF_LDX) | CBPF_W | CBPF_MEM, slot);
}

static unsigned
any_size(struct maker *m)
{
	static const unsigned sizes[] = { CBPF_W, CBPF_H, CBPF_B };

	return PICK(m, sizes);
}

static void
load_abs(struct maker *m)
{
	put(m, CBPF_LD | any_size(m) | CBPF_ABS, offset(m));
}

static void
load_msh(struct maker *m)
{
	put(m, CBPF_LDX | CBPF_B | CBPF_MSH, chance(m, 40) ? 14 : offset(m));
}

/* X + k is an offset, sometimes only modulo 2^32; or X is whatever it was. */
static void
load_ind(struct maker *m)
{
	bool is_kernel = m->dialect == CBPF_DIALECT_KERNEL;
	uint32_t sum = offset(m), x, kind = below(m, 20);
	bool wraps = is_kernel ? kind < 4 : kind == 0 && chance(m, 20);

	if (is_kernel && below(m, 100) == 0)
		sum = (uint32_t)CBPF_AD_OFF + below(m, 0x1000); /* not ancillary here */
	if (kind == 19) {
		put(m, CBPF_LD | any_size(m) | CBPF_IND, chance(m, 50) ? 0 : below(m, 20));
		return;
	}
	if (kind >= 13) {
		load_msh(m);
		put(m, CBPF_LD | any_size(m) | CBPF_IND, 14 + below(m, 8));
		return;
	}
	x = wraps ? (chance(m, 50) ? any32(m) : constant(m)) : below(m, (sum < 64 ? sum : 63) + 1);
	put(m, CBPF_LDX | CBPF_W | CBPF_IMM, x);
	put(m, CBPF_LD | any_size(m) | CBPF_IND, sum - x);
}

static void
ancillary(struct maker *m, uint32_t ad)
{
	put(m, CBPF_LD | any_size(m) | CBPF_ABS, (uint32_t)CBPF_AD_OFF + ad);
}

/* A = where to look, X = what for. */
static void
netlink(struct maker *m)
{
	uint32_t off = chance(m, 70) ? 14 : offset(m), ad = CBPF_AD_NLATTR + below(m, 2) * 4;

	put(m, CBPF_LD | CBPF_W | CBPF_IMM, off);
	put(m, CBPF_LDX | CBPF_W | CBPF_IMM, chance(m, 80) ? 1 + below(m, 4) : constant(m));
	ancillary(m, ad);
	if (chance(m, 60))
		ancillary(m, CBPF_AD_NLATTR_NEST);
}

static void
metadata(struct maker *m)
{
	static const uint32_t plain_ones[] = {
		CBPF_AD_PROTOCOL,  CBPF_AD_PKTTYPE,  CBPF_AD_IFINDEX,          CBPF_AD_MARK,
		CBPF_AD_QUEUE,     CBPF_AD_HATYPE,   CBPF_AD_RXHASH,           CBPF_AD_CPU,
		CBPF_AD_ALU_XOR_X, CBPF_AD_VLAN_TAG, CBPF_AD_VLAN_TAG_PRESENT, CBPF_AD_PAY_OFFSET,
		CBPF_AD_VLAN_TPID,
	};
	uint32_t kind = below(m, 20);

	if (m->dialect == CBPF_DIALECT_PCAP) {
		ancillary(m, below(m, 16) * 4);
	} else if (kind < (m->is_netlink ? 12 : 2)) {
		netlink(m);
	} else if (kind == 12 && room(m) >= 1) {
		ancillary(m, CBPF_AD_RANDOM);
		put(m, CBPF_ALU | CBPF_AND | CBPF_K, 0);
	} else if (kind == 13 || kind == 14) {
		ancillary(m, CBPF_AD_PAY_OFFSET);
		put(m, CBPF_MISC | CBPF_TAX, 0);
		put(m, CBPF_LD | any_size(m) | CBPF_IND, below(m, 4) - 2);
	} else {
		ancillary(m, PICK(m, plain_ones));
	}
}

static uint32_t
verdict(struct maker *m)
{
	static const uint32_t usual[] = { 0xffffffff, 262144, 65535, 96, 1, 0x80000000 };

	if (chance(m, 15))
		return 0;
	return chance(m, 30) ? PICK(m, usual) : any32(m);
}

static void
put_ret(struct maker *m)
{
	if (chance(m, 45) && !m->is_whole)
		put_jump(m, CBPF_RET | CBPF_A, 0, 0, constant(m));
	else
		put_jump(m, CBPF_RET | CBPF_K, 0, 0, verdict(m));
}

/* A return that a test may skip. */
static void
early_ret(struct maker *m)
{
	if (room(m) < 2)
		return;
	put_jump(m, CBPF_JMP | CBPF_JEQ | CBPF_K, 0, 1, constant(m));
	put_ret(m);
}

/* The beginning of many a filter: ports of TCP and UDP over IPv4. */
static void
idiom(struct maker *m)
{
	put(m, CBPF_LD | CBPF_H | CBPF_ABS, 12);
	put_jump(m, CBPF_JMP | CBPF_JEQ | CBPF_K, 0, hop(m, 8), 0x800);
	put(m, CBPF_LD | CBPF_B | CBPF_ABS, 23);
	put_jump(m, CBPF_JMP | CBPF_JEQ | CBPF_K, hop(m, 1), 0, chance(m, 50) ? 6 : 17);
	put(m, CBPF_LD | CBPF_H | CBPF_ABS, 20);
	put_jump(m, CBPF_JMP | CBPF_JSET | CBPF_K, hop(m, 8), 0, 0x1fff);
	put(m, CBPF_LDX | CBPF_B | CBPF_MSH, 14);
	put(m, CBPF_LD | CBPF_H | CBPF_IND, 14 + 2 * below(m, 2));
	put_test(m);
}

/*
 * A field and many tests of it, most of them with one way out, as lists of
 * hosts and ports are; some of the numbers near each other, some twice.
 */
static void
list_of_numbers(struct maker *m)
{
	static const unsigned ops[] = { CBPF_JEQ, CBPF_JEQ, CBPF_JEQ,
					CBPF_JEQ, CBPF_JGT, CBPF_JGE };
	uint32_t n = 2 + below(m, 14), near = constant(m), out = below(m, 6);

	put(m, CBPF_LD | any_size(m) | CBPF_ABS, offset(m));
	if (chance(m, 20))
		put(m, CBPF_ALU | CBPF_AND | CBPF_K, constant(m));
	for (uint32_t i = 0; i < n && room(m) > n + 8; i++) {
		uint32_t k = chance(m, 50) ? near + below(m, 12) : constant(m);
		uint32_t jt = chance(m, 80) ? n - 1 - i + out : hop(m, 255);
		uint32_t jf = chance(m, 95) ? 0 : hop(m, 4);

		if (chance(m, 10))
			put_jump(m, CBPF_JMP | CBPF_JGE | CBPF_K, jf, jt, k);
		else
			put_jump(m, CBPF_JMP | PICK(m, ops) | CBPF_K, jt, jf, k);
	}
}

/* An address, compared piece by piece with what stands in a packet, or nearly. */
static void
address(struct maker *m)
{
	uint32_t size = 1u << below(m, 3), n = 2 + below(m, 4), out = below(m, 5);
	uint32_t off = below(m, 40);
	unsigned code = CBPF_LD | CBPF_ABS | (size == 4 ? CBPF_W : size == 2 ? CBPF_H : CBPF_B);

	for (uint32_t i = 0; i < n && room(m) > 2 * n + 8; i++, off += size) {
		uint32_t k = 0;

		for (uint32_t j = 0; j < size && off + j < m->packet->len; j++)
			k = k << 8 | m->packet->frame[off + j];
		put(m, code, off);
		put_jump(m, CBPF_JMP | CBPF_JEQ | CBPF_K, 0, 2 * (n - 1 - i) + out,
			 chance(m, 95) ? k : constant(m));
	}
}

static void
skip(struct maker *m)
{
	put_jump(m, CBPF_JMP | CBPF_JA, 0, 0, hop(m, 40));
}

static void
gadget(struct maker *m)
{
	static void (*const kinds[])(struct maker * m) = {
		alu_k,    alu_k,    alu_k,    alu_k,    alu_x,    alu_x,    alu_x,
		alu_x,    plain,    plain,    plain,    store,    store,    recall,
		recall,   recall,   load_abs, load_abs, load_abs, load_msh, load_ind,
		load_ind, put_test, put_test, put_test, put_test, skip,     early_ret,
	};

	if (below(m, 60) == 0)
		idiom(m);
	else if (below(m, 40) == 0)
		list_of_numbers(m);
	else if (below(m, 60) == 0)
		address(m);
	else if (m->asks_metadata && below(m, m->dialect == CBPF_DIALECT_KERNEL ? 6 : 200) == 0)
		metadata(m);
	else
		PICK(m, kinds)(m);
}

/* ---- loops, which only dialect pcap knows ---- */

static void
jump_back(struct maker *m, size_t to)
{
	put_jump(m, CBPF_JMP | CBPF_JA, 0, 0, (uint32_t)(to - m->pc - 1));
}

/* n rounds, which take n - 1 backward jumps. */
static void
counted_loop(struct maker *m, uint32_t n)
{
	size_t top;

	put(m, CBPF_LD | CBPF_W | CBPF_IMM, below(m, 3));
	put(m, CBPF_ST, SLOT_SUM);
	put(m, CBPF_LD | CBPF_W | CBPF_IMM, n);
	put(m, CBPF_ST, SLOT_COUNTER);
	top = m->pc;
	put(m, CBPF_LDX | CBPF_W | CBPF_MEM, SLOT_COUNTER);
	put(m, CBPF_LD | CBPF_W | CBPF_MEM, SLOT_SUM);
	alu_k(m);
	put(m, CBPF_ALU | CBPF_ADD | CBPF_X, 0);
	put(m, CBPF_ST, SLOT_SUM);
	put(m, CBPF_LD | CBPF_W | CBPF_MEM, SLOT_COUNTER);
	put(m, CBPF_ALU | CBPF_SUB | CBPF_K, 1);
	put(m, CBPF_ST, SLOT_COUNTER);
	put_jump(m, CBPF_JMP | CBPF_JEQ | CBPF_K, 1, 0, 0);
	jump_back(m, top);
	put(m, CBPF_LD | CBPF_W | CBPF_MEM, SLOT_SUM);
}

/* As protochain walks extension headers: the next one is further on, to the packet's end. */
static void
chain_loop(struct maker *m)
{
	size_t top;

	put(m, CBPF_LDX | CBPF_W | CBPF_IMM, data_offset(m) % 64);
	top = m->pc;
	put(m, CBPF_LD | CBPF_B | CBPF_IND, 0);
	put_jump(m, CBPF_JMP | CBPF_JEQ | CBPF_K, 6, 0, field(m) & 0xff);
	put(m, CBPF_LD | CBPF_B | CBPF_IND, 1);
	put(m, CBPF_ALU | CBPF_AND | CBPF_K, 15);
	put(m, CBPF_ALU | CBPF_ADD | CBPF_K, 1);
	put(m, CBPF_ALU | CBPF_ADD | CBPF_X, 0);
	put(m, CBPF_MISC | CBPF_TAX, 0);
	jump_back(m, top);
}

/*
 * Loops come first in the program, behind instructions that do not jump: a jump
 * into one would find its counter unset.
 */
static void
loop(struct maker *m)
{
	uint32_t kind = below(m, 30000);

	if (kind >= 1800)
		return;
	for (uint32_t n = below(m, 4); n > 0; n--)
		alu_x(m);
	if (kind < 3)
		jump_back(m, m->pc); /* to itself */
	else if (kind < 12)
		counted_loop(m, 65535 + below(m, 4));
	else if (kind < 900)
		chain_loop(m);
	else
		counted_loop(m, 1 + below(m, 20));
}

/* ---- programs ---- */

static size_t
program_length(struct maker *m)
{
	uint32_t kind = below(m, 4000);

	if (kind == 1)
		return CBPF_MAXINSNS;
	if (kind == 0)
		return m->dialect == CBPF_DIALECT_PCAP
			       ? 5000 + below(m, 20000)
			       : 1000 + below(m, CBPF_MAXINSNS - 1000 + 1);
	if (kind < 60)
		return 300 + below(m, 400);
	if (kind < 200)
		return 1 + below(m, 12);
	return 12 + below(m, 60);
}

/* A jump over more than a test could skip, and something behind it to run. */
static void
long_jump(struct maker *m)
{
	uint32_t most = room(m), k;

	if (most < 300)
		return;
	k = 256 + below(m, most - 256);
	if (chance(m, 50)) {
		put_jump(m, CBPF_JMP | CBPF_JA, 0, 0, k);
	} else {
		put_jump(m, CBPF_JMP | CBPF_JGE | CBPF_K, 255, 254, constant(m));
	}
}

static void
make_program(struct maker *m, struct diff_case *c)
{
	c->n_insns = program_length(m);
	m->is_whole = m->dialect == CBPF_DIALECT_KERNEL && c->n_insns > CBPF_MAXINSNS - CHUNK_TAIL;
	c->insns = calloc(c->n_insns, sizeof(*c->insns));
	m->at = malloc(c->n_insns * sizeof(*m->at));
	if (c->insns == NULL || m->at == NULL)
		abort();
	memset(m->at, 0xff, c->n_insns * sizeof(*m->at));
	m->insns = c->insns;
	m->last = c->n_insns - 1;

	if (m->dialect == CBPF_DIALECT_PCAP && m->last > 30)
		loop(m);
	for (uint32_t n = below(m, 6); n > 0; n--)
		gadget(m);
	long_jump(m);
	while (!is_full(m))
		gadget(m);
	m->last++;
	put_ret(m);
	free(m->at);
}

/* ---- packets ---- */

struct frame {
	struct maker *m;
	uint8_t bytes[DIFF_MAX_FRAME];
	uint32_t len;
};

static void
add_random(struct frame *f, uint32_t n)
{
	while (n-- > 0 && f->len < DIFF_MAX_FRAME)
		f->bytes[f->len++] = (uint8_t)below(f->m, 256);
}

static void
add(struct frame *f, uint32_t value, uint32_t size)
{
	while (size-- > 0 && f->len < DIFF_MAX_FRAME)
		f->bytes[f->len++] = (uint8_t)(value >> size * 8);
}

static void
add_mac(struct frame *f)
{
	static const uint8_t host[] = DIFF_HOST_MAC;

	switch (below(f->m, 5)) {
	case 0:
		add(f, 0xffff, 2);
		add(f, 0xffffffff, 4);
		return;
	case 1:
		add(f, 0x0100, 2);
		add(f, 0x5e000000 | below(f->m, 256), 4);
		return;
	case 2:
	case 3:
		for (size_t i = 0; i < sizeof(host); i++)
			add(f, host[i], 1);
		return;
	default:
		add(f, 0x0200, 2);
		add(f, any32(f->m), 4);
		return;
	}
}

static void
add_ports(struct frame *f)
{
	static const uint32_t ports[] = { 53, 80, 443, 22, 123, 1024, 5060, 65535 };

	add(f, PICK(f->m, ports), 2);
	add(f, chance(f->m, 50) ? PICK(f->m, ports) : any32(f->m), 2);
}

static void
add_tcp(struct frame *f)
{
	uint32_t doff = chance(f->m, 60) ? 5 : below(f->m, chance(f->m, 70) ? 9 : 16);

	add_ports(f);
	add(f, any32(f->m), 4);
	add(f, any32(f->m), 4);
	add(f, doff << 4, 1);
	add(f, any32(f->m), 1);
	add_random(f, 6);
	add_random(f, doff > 5 ? doff * 4 - 20 : 0);
}

static void add_network(struct frame *f, uint32_t ethertype, unsigned depth);

static void
add_gre(struct frame *f, unsigned depth)
{
	uint32_t flags = chance(f->m, 60) ? 0 : (any32(f->m) & 0xb000);
	uint32_t proto = chance(f->m, 60) ? 0x800 : 0x86dd;

	add(f, flags | (chance(f->m, 10) ? below(f->m, 3) : 0), 2);
	add(f, proto, 2);
	add_random(f,
		   (flags & 0x8000 ? 4 : 0) + (flags & 0x2000 ? 4 : 0) + (flags & 0x1000 ? 4 : 0));
	add_network(f, proto, depth + 1);
}

static void
add_transport(struct frame *f, uint32_t proto, unsigned depth)
{
	switch (proto) {
	case 6:
		add_tcp(f);
		return;
	case 17:
	case 136:
		add_ports(f);
		add_random(f, 4);
		return;
	case 4:
		add_network(f, 0x800, depth + 1);
		return;
	case 41:
		add_network(f, 0x86dd, depth + 1);
		return;
	case 47:
		add_gre(f, depth);
		return;
	default:
		add_random(f, 4 + below(f->m, 16));
		return;
	}
}

static uint32_t
any_proto(struct frame *f)
{
	static const uint32_t usual[] = { 6, 6, 6, 17, 17, 1 };
	static const uint32_t others[] = { 2, 4, 41, 47, 58, 132, 33, 136, 50, 51, 0, 43, 44, 60 };

	if (chance(f->m, 75))
		return PICK(f->m, usual);
	return chance(f->m, 90) ? PICK(f->m, others) : below(f->m, 256);
}

static void
add_ipv4(struct frame *f, unsigned depth)
{
	uint32_t ihl = chance(f->m, 80)   ? 5
		       : chance(f->m, 90) ? 5 + below(f->m, 11)
					  : below(f->m, 16);
	uint32_t proto = any_proto(f);
	uint32_t fragment = chance(f->m, 85)   ? 0x4000 * below(f->m, 2)
			    : chance(f->m, 50) ? 0x2000
					       : below(f->m, 0x4000);

	add(f, 0x40 | ihl, 1);
	add(f, chance(f->m, 80) ? 0 : any32(f->m), 1);
	add(f, 20 + below(f->m, 1480), 2);
	add(f, any32(f->m), 2);
	add(f, fragment, 2);
	add(f, 64, 1);
	add(f, proto, 1);
	add(f, any32(f->m), 2);
	add(f, 0x0a000000 | below(f->m, 4), 4);
	add(f, chance(f->m, 70) ? 0x0a000000 | below(f->m, 4) : any32(f->m), 4);
	add_random(f, ihl > 5 ? ihl * 4 - 20 : 0);
	add_transport(f, proto, depth);
}

/* Extension headers, then what they lead to. */
static void
add_ipv6(struct frame *f, unsigned depth)
{
	static const uint32_t extensions[] = { 0, 43, 44, 60, 51 };
	uint32_t n = chance(f->m, 75) ? 0 : 1 + below(f->m, 3);
	uint32_t proto = any_proto(f), next = n > 0 ? PICK(f->m, extensions) : proto;

	add(f, 0x60000000 | (chance(f->m, 80) ? 0 : below(f->m, 0x100000)), 4);
	add(f, below(f->m, 1460), 2);
	add(f, next, 1);
	add(f, 64, 1);
	add(f, 0xfe800000, 4);
	add(f, 0, 4);
	add(f, 0, 4);
	add(f, below(f->m, 4), 4);
	add_random(f, 16);
	for (; n > 0; n--) {
		uint32_t this = next, len = below(f->m, 3);

		next = n > 1 ? PICK(f->m, extensions) : proto;
		add(f, next, 1);
		add(f, len, 1);
		if (this == 44) {
			add(f, chance(f->m, 70) ? below(f->m, 2) : any32(f->m), 2);
			add_random(f, 4);
		} else {
			add_random(f, this == 51 ? (len + 2) * 4 - 2 : (len + 1) * 8 - 2);
		}
	}
	add_transport(f, proto, depth);
}

/* Netlink attributes, some of them holding others, lengths in this host's order. */
static void
add_attributes(struct frame *f, uint32_t n, unsigned depth)
{
	while (n-- > 0) {
		uint32_t start = f->len;
		uint16_t len, type = (uint16_t)(1 + below(f->m, 4));

		add(f, 0, 4);
		if (depth < 2 && chance(f->m, 40))
			add_attributes(f, 1 + below(f->m, 3), depth + 1);
		else
			add_random(f, below(f->m, 9));
		if (start + 4 > f->len)
			return;
		len = (uint16_t)(f->len - start);
		if (chance(f->m, 5))
			len = (uint16_t)below(f->m, 64);
		if (chance(f->m, 30))
			type |= 0x8000; /* a flag, no part of the type */
		memcpy(f->bytes + start, &len, sizeof(len));
		memcpy(f->bytes + start + 2, &type, sizeof(type));
		while (f->len % 4 != start % 4 && f->len < DIFF_MAX_FRAME)
			add(f, 0, 1);
	}
}

static void
add_network(struct frame *f, uint32_t ethertype, unsigned depth)
{
	if (depth > 3)
		return;
	switch (ethertype) {
	case 0x800:
		add_ipv4(f, depth);
		return;
	case 0x86dd:
		add_ipv6(f, depth);
		return;
	case 0x806:
		add(f, 0x00010800, 4);
		add(f, 0x06040000 | (1 + below(f->m, 2)), 4);
		add_random(f, 20);
		return;
	case 0x8847:
		add(f, any32(f->m) & 0xfffffeff, 4);
		add(f, any32(f->m) | 0x100, 4);
		add_network(f, 0x800, depth + 1);
		return;
	case 0x8864:
		add(f, 0x1100, 2);
		add(f, any32(f->m), 4);
		add(f, chance(f->m, 70) ? 0x21 : 0x57, 2);
		add_network(f, chance(f->m, 70) ? 0x800 : 0x86dd, depth + 1);
		return;
	default:
		add_attributes(f, 1 + below(f->m, 6), 0);
		return;
	}
}

static uint32_t
any_ethertype(struct frame *f)
{
	static const uint32_t others[] = { 0x806, 0x8847, 0x8864, 0x88cc, 0x9100, 0x88b5, 0x6558 };
	uint32_t kind = below(f->m, 100);

	if (f->m->is_netlink && chance(f->m, 80))
		return 0x88b5;
	if (kind < 58)
		return 0x800;
	if (kind < 78)
		return 0x86dd;
	if (kind < 92)
		return PICK(f->m, others);
	return chance(f->m, 60) ? below(f->m, 1600) : any32(f->m) & 0xffff;
}

static void
add_ethernet(struct frame *f)
{
	uint32_t ethertype = any_ethertype(f);
	uint32_t n_tags = chance(f->m, 75) ? 0 : 1 + below(f->m, 3);

	add_mac(f);
	add_mac(f);
	for (; n_tags > 0; n_tags--) {
		add(f, chance(f->m, 75) ? 0x8100 : 0x88a8, 2);
		add(f, any32(f->m), 2);
	}
	add(f, ethertype, 2);
	add_network(f, ethertype, 0);
	add_random(f, chance(f->m, 85) ? below(f->m, 64) : below(f->m, DIFF_MAX_FRAME));
}

/* What a wire takes: a whole header, and a tag only with the type behind it. */
static void
make_sendable(struct frame *f)
{
	uint32_t tag;

	add_random(f, f->len < 14 ? 14 - f->len : 0);
	tag = (uint32_t)f->bytes[12] << 8 | f->bytes[13];
	if (f->len < 20 && (tag == 0x8100 || tag == 0x88a8))
		f->bytes[12] = 0x08;
}

/* Metadata that libpcap does not know: a program of dialect pcap never sees them. */
static void
describe(struct maker *m, struct sift_view *v)
{
	v->wirelen = v->caplen + (chance(m, 25) ? below(m, 2000) : 0);
	v->net_off = 14;
	v->known = any32(m) & 0xff;
	v->protocol = (uint16_t)any32(m);
	v->ifindex = any32(m);
	v->hatype = (uint16_t)any32(m);
	v->mark = any32(m);
}

static void
make_packet(struct maker *m, struct diff_packet *p, uint32_t wanted)
{
	struct frame f = { .m = m, .len = 0 };

	if (chance(m, 90))
		add_ethernet(&f);
	else
		add_random(&f, below(m, chance(m, 80) ? 80 : DIFF_MAX_FRAME));
	if (chance(m, 10))
		f.len = below(m, f.len + 1);
	if (wanted != UINT32_MAX) {
		add_random(&f, wanted > f.len ? wanted - f.len : 0);
		f.len = wanted;
	}
	if (m->dialect == CBPF_DIALECT_KERNEL)
		make_sendable(&f);
	p->frame = malloc(f.len > 0 ? f.len : 1);
	if (p->frame == NULL)
		abort();
	memcpy(p->frame, f.bytes, f.len);
	p->len = f.len;
	p->view = (struct sift_view){ .data = p->frame, .caplen = f.len, .wirelen = f.len };
	if (m->dialect == CBPF_DIALECT_PCAP)
		describe(m, &p->view);
	else if (chance(m, 60))
		p->view.mark = chance(m, 50) ? any32(m) : below(m, 4);
}

/* The first packet of each case goes through all lengths. */
static void
make_packets(struct maker *m, struct diff_case *c)
{
	uint32_t lengths = DIFF_MAX_FRAME + 1;

	for (size_t i = 0; i < DIFF_PACKETS; i++)
		make_packet(m, &c->packets[i],
			    i == 0 ? (uint32_t)(c->index % lengths) : UINT32_MAX);
	m->packet = &c->packets[1];
}

void
diff_case_init(struct diff_case *c, enum cbpf_dialect dialect, uint64_t seed, uint64_t index)
{
	struct maker m = { .rng = seed, .dialect = dialect };

	/* Mixed twice, so that neighbouring seeds and indices share nothing. */
	m.rng = rng_next(&m.rng) ^ index * 0x2545f4914f6cdd1du;
	m.rng = rng_next(&m.rng);
	memset(c, 0, sizeof(*c));
	c->dialect = dialect;
	c->seed = seed;
	c->index = index;
	m.is_netlink = dialect == CBPF_DIALECT_KERNEL && below(&m, 8) == 0;
	make_packets(&m, c);
	m.is_wild = dialect == CBPF_DIALECT_PCAP && below(&m, 64) == 0;
	m.asks_metadata = below(&m, 3) > 0;
	make_program(&m, c);
	if (below(&m, 4) == 0)
		diff_mutate(c->insns, c->n_insns, dialect, &m.rng);
}

void
diff_case_fini(struct diff_case *c)
{
	for (size_t i = 0; i < DIFF_PACKETS; i++)
		free(c->packets[i].frame);
	free(c->insns);
}
