/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program is a prologue, some pieces, and an epilogue.  R6 is the context
 * all along, R0 and R7-R9 are numbers, R1-R5 belong to the piece that uses
 * them.  Now and then a piece is wrong on purpose: a limit off by one, a
 * field changed at random.
 */
#include "tests/support/ebpf_gen.h"

#include "tests/support/suite.h"

#include <stddef.h>
#include <string.h>

struct gen {
	struct ebpf_gen_prog *p;
	const struct ebpf_gen_opts *opts;
	uint64_t *rng;
	unsigned depth;         /* of conditions and loops around */
	size_t calls[8];        /* instructions whose callee is to come */
	unsigned n_calls;
	bool in_callee;
	int stack_low;          /* lowest offset that the prologue writes */
};

static uint32_t
below(struct gen *g, uint32_t n)
{
	return rng_below(g->rng, n);
}

static bool
one_in(struct gen *g, uint32_t n)
{
	return below(g, n) == 0;
}

static void
emit(struct gen *g, uint8_t code, unsigned dst, unsigned src, int off, int32_t imm)
{
	struct ebpf_gen_prog *p = g->p;

	if (p->n < EBPF_GEN_MAX)
		p->insns[p->n++] = (struct ebpf_insn){ .code = code, .dst_reg = dst & 15,
						       .src_reg = src & 15, .off = (int16_t)off,
						       .imm = imm };
}

static unsigned
number_reg(struct gen *g)
{
	static const uint8_t regs[] = { 0, 7, 8, 9 };

	return regs[below(g, 4)];
}

static int32_t
constant(struct gen *g)
{
	static const int32_t corners[] = { 0, 1, -1, 2, 8, 31, 32, 63, 127, 128, 255, 256, 4095,
					   INT32_MAX, INT32_MIN, -8, -256 };

	switch (below(g, 3)) {
	case 0:
		return corners[below(g, N_ELEMS(corners))];
	case 1:
		return (int32_t)below(g, 256);
	}
	return (int32_t)rng_next(g->rng);
}

static uint8_t
size_code(struct gen *g, unsigned *size)
{
	static const uint8_t codes[] = { EBPF_B, EBPF_H, EBPF_W, EBPF_DW };
	unsigned i = below(g, 4);

	*size = 1u << i;
	return codes[i];
}

/* ---- pieces ---- */

static void
arithmetic(struct gen *g)
{
	static const uint8_t ops[] = { EBPF_ADD, EBPF_SUB, EBPF_MUL, EBPF_DIV, EBPF_OR, EBPF_AND,
				       EBPF_LSH, EBPF_RSH, EBPF_NEG, EBPF_MOD, EBPF_XOR, EBPF_MOV,
				       EBPF_ARSH, EBPF_END, EBPF_AND, EBPF_RSH, EBPF_MOV };

	for (unsigned n = 1 + below(g, 4); n > 0; n--) {
		uint8_t op = ops[below(g, N_ELEMS(ops))];
		uint8_t cls = one_in(g, 2) ? EBPF_ALU : EBPF_ALU64;
		unsigned dst = number_reg(g), src = number_reg(g);
		static const int32_t swaps[] = { 16, 32, 64 };
		int32_t imm = constant(g);
		int off = 0;

		if (op == EBPF_NEG) {
			emit(g, cls | op, dst, 0, 0, 0);
			continue;
		}
		if (op == EBPF_END) {
			emit(g, cls | op | (cls == EBPF_ALU && one_in(g, 2) ? EBPF_X : 0), dst, 0,
			     0, swaps[below(g, 3)]);
			continue;
		}
		if (op == EBPF_LSH || op == EBPF_RSH || op == EBPF_ARSH)
			imm = (int32_t)below(g, cls == EBPF_ALU ? 32 : 64);
		if ((op == EBPF_DIV || op == EBPF_MOD) && imm == 0)
			imm = 1;
		if ((op == EBPF_DIV || op == EBPF_MOD) && one_in(g, 2))
			off = 1;
		if (one_in(g, 2)) {
			if (op == EBPF_MOV && one_in(g, 2))
				off = one_in(g, 2) ? 8 : 16;
			emit(g, cls | op | EBPF_X, dst, src, off, 0);
		} else {
			emit(g, cls | op | EBPF_K, dst, 0, off, imm);
		}
	}
}

static void
load_number(struct gen *g)
{
	static const uint8_t fields[] = { 0, 4, 8, 12, 16, 40, 48, 52, 56, 60, 64 };
	unsigned size, dst = number_reg(g);
	uint8_t code;

	if (g->opts->entry == EBPF_GEN_PACKET) {
		code = size_code(g, &size);
		if (size == 8)
			code = EBPF_W, size = 4;
		emit(g, EBPF_LDX | (one_in(g, 3) ? EBPF_MEMSX : EBPF_MEM) | code, dst, 6,
		     (int)(size * below(g, 32 / size)), 0);
		return;
	}
	if (g->opts->entry == EBPF_GEN_SOCKET) {
		if (!g->in_callee && one_in(g, 3)) {
			emit(g, EBPF_LD | EBPF_ABS | (uint8_t)(below(g, 3) * 8), 0, 0, 0,
			     (int32_t)below(g, 64));
			emit(g, EBPF_ALU64 | EBPF_MOV | EBPF_X, dst, 0, 0, 0);
			return;
		}
		emit(g, EBPF_LDX | EBPF_MEM | EBPF_W, dst, 6, fields[below(g, N_ELEMS(fields))], 0);
		return;
	}
	code = size_code(g, &size);
	emit(g, EBPF_LDX | (size < 8 && one_in(g, 3) ? EBPF_MEMSX : EBPF_MEM) | code, dst, 6,
	     (int)below(g, g->opts->mem_size - size + 1), 0);
}

/* r2 = a number below limit; the check may be wrong by one. */
static void
bounded_number(struct gen *g, uint32_t limit)
{
	unsigned src = number_reg(g);
	uint32_t last = limit - 1, slip = one_in(g, 12);

	emit(g, EBPF_ALU64 | EBPF_MOV | EBPF_X, 2, src, 0, 0);
	switch (below(g, 6)) {
	case 0: {
		uint32_t mask = last;

		while (mask & (mask + 1))
			mask &= mask >> 1 | mask >> 2;
		emit(g, EBPF_ALU64 | EBPF_AND | EBPF_K, 2, 0, 0, (int32_t)(mask + slip));
		break;
	}
	case 1:
		emit(g, EBPF_ALU64 | EBPF_MOD | EBPF_K, 2, 0, 0, (int32_t)(limit + slip));
		break;
	case 2:
		emit(g, EBPF_JMP | EBPF_JLE | EBPF_K, 2, 0, 1, (int32_t)(last + slip));
		emit(g, EBPF_ALU64 | EBPF_MOV | EBPF_K, 2, 0, 0, (int32_t)below(g, limit));
		break;
	case 3:
		emit(g, EBPF_ALU | EBPF_MOV | EBPF_X, 2, 2, 0, 0);
		emit(g, EBPF_JMP32 | EBPF_JLT | EBPF_K, 2, 0, 1, (int32_t)(limit + slip));
		emit(g, EBPF_ALU | EBPF_XOR | EBPF_X, 2, 2, 0, 0);
		break;
	case 4:
		emit(g, EBPF_JMP | EBPF_JSGT | EBPF_K, 2, 0, 1, (int32_t)(last + slip));
		emit(g, EBPF_JMP | EBPF_JSGE | EBPF_K, 2, 0, 1, 0);
		emit(g, EBPF_ALU64 | EBPF_MOV | EBPF_K, 2, 0, 0, 0);
		break;
	case 5:
		emit(g, EBPF_ALU64 | EBPF_MOV | EBPF_K, 3, 0, 0, (int32_t)(last + slip));
		emit(g, EBPF_JMP | (one_in(g, 2) ? EBPF_JGE : EBPF_JSGE) | EBPF_X, 3, 2, 1, 0);
		emit(g, EBPF_ALU64 | EBPF_MOV | EBPF_X, 2, 3, 0, 0);
		break;
	}
	g->p->has_variable = true;
}

static void
access_at(struct gen *g, unsigned base, int off, uint8_t code)
{
	unsigned value = number_reg(g);

	if (one_in(g, 3))
		emit(g, EBPF_STX | EBPF_MEM | code, base, value, off, 0);
	else if (one_in(g, 4))
		emit(g, EBPF_ST | EBPF_MEM | code, base, 0, off, constant(g));
	else
		emit(g, EBPF_LDX | EBPF_MEM | code, value, base, off, 0);
}

/* Memory, or the stack, at a number that was checked. */
static void
variable_access(struct gen *g)
{
	bool is_socket = g->opts->entry == EBPF_GEN_SOCKET;
	bool on_stack = g->opts->entry != EBPF_GEN_MEMORY || one_in(g, 3);
	uint32_t area = on_stack ? 64 : g->opts->mem_size, first, limit;
	unsigned size;
	uint8_t code = size_code(g, &size);

	if (area <= size)
		return;
	first = below(g, area - size);
	if (is_socket && !one_in(g, 20))
		first &= ~(size - 1);   /* as the kernel wants stack accesses */
	limit = area - size - first + 1;
	bounded_number(g, limit);
	if (is_socket && size > 1 && !one_in(g, 20))
		emit(g, EBPF_ALU64 | EBPF_AND | EBPF_K, 2, 0, 0, -(int32_t)size);
	emit(g, EBPF_ALU64 | EBPF_MOV | EBPF_X, 3, on_stack ? 10 : 6, 0, 0);
	if (on_stack)
		emit(g, EBPF_ALU64 | EBPF_ADD | EBPF_K, 3, 0, 0, -64);
	if (one_in(g, 2)) {
		emit(g, EBPF_ALU64 | EBPF_ADD | EBPF_X, 3, 2, 0, 0);
		access_at(g, 3, (int)first, code);
	} else {
		emit(g, EBPF_ALU64 | EBPF_ADD | EBPF_X, 2, 3, 0, 0);
		access_at(g, 2, (int)first, code);
	}
}

#define POINTER_CODE (sizeof(void *) == 8 ? EBPF_DW : EBPF_W)

static void
load_field(struct gen *g, unsigned dst, size_t off, uint8_t code)
{
	emit(g, EBPF_LDX | EBPF_MEM | code, dst, 6, (int)off, 0);
}

/* The guard of our own lowering: length - x >= size. */
static void
remaining_access(struct gen *g)
{
	unsigned size, x = number_reg(g);
	uint8_t code = size_code(g, &size);

	if (g->opts->entry == EBPF_GEN_SOCKET)
		return;
	emit(g, EBPF_ALU | EBPF_MOV | EBPF_X, 2, x, 0, 0);
	if (g->opts->entry == EBPF_GEN_PACKET) {
		load_field(g, 3, offsetof(struct ebpf_gen_ctx, len), EBPF_W);
		load_field(g, 4, offsetof(struct ebpf_gen_ctx, data), POINTER_CODE);
	} else {
		emit(g, EBPF_ALU64 | EBPF_MOV | EBPF_K, 3, 0, 0, (int32_t)g->opts->mem_size);
		emit(g, EBPF_ALU64 | EBPF_MOV | EBPF_X, 4, 6, 0, 0);
	}
	emit(g, EBPF_ALU64 | EBPF_SUB | EBPF_X, 3, 2, 0, 0);
	emit(g, EBPF_JMP | EBPF_JSLT | EBPF_K, 3, 0, 2, (int32_t)(size - one_in(g, 10)));
	emit(g, EBPF_ALU64 | EBPF_ADD | EBPF_X, 2, 4, 0, 0);
	access_at(g, 2, 0, code);
	g->p->has_variable = true;
}

/* The packet, at a number that was checked and then against its end, or at a fixed offset. */
static void
packet_access(struct gen *g)
{
	bool is_fixed = one_in(g, 2);
	unsigned size, at = below(g, 24), base = is_fixed ? 4 : 3;
	uint8_t code = size_code(g, &size);

	if (!is_fixed)
		bounded_number(g, 1 + below(g, 200));
	load_field(g, 3, offsetof(struct ebpf_gen_ctx, data), POINTER_CODE);
	load_field(g, 5, offsetof(struct ebpf_gen_ctx, end), POINTER_CODE);
	if (!is_fixed)
		emit(g, EBPF_ALU64 | EBPF_ADD | EBPF_X, 3, 2, 0, 0);
	emit(g, EBPF_ALU64 | EBPF_MOV | EBPF_X, 4, 3, 0, 0);
	emit(g, EBPF_ALU64 | EBPF_ADD | EBPF_K, 4, 0, 0, (int32_t)(at + size - one_in(g, 10)));
	if (one_in(g, 2))
		emit(g, EBPF_JMP | EBPF_JGT | EBPF_X, 4, 5, 1, 0);
	else
		emit(g, EBPF_JMP | EBPF_JLT | EBPF_X, 5, 4, 1, 0);
	access_at(g, base == 4 ? 3 : base, (int)at, code);
}

/* The packet, guarded by its length. */
static void
length_access(struct gen *g)
{
	unsigned size, at = below(g, 60);
	uint8_t code = size_code(g, &size);

	load_field(g, 3, offsetof(struct ebpf_gen_ctx, len), EBPF_W);
	load_field(g, 2, offsetof(struct ebpf_gen_ctx, data), POINTER_CODE);
	emit(g, (one_in(g, 2) ? EBPF_JMP : EBPF_JMP32) | EBPF_JLT | EBPF_K, 3, 0, 1,
	     (int32_t)(at + size - one_in(g, 10)));
	access_at(g, 2, (int)at, code);
}

static void
load_map(struct gen *g, unsigned dst, unsigned src, int32_t map, int32_t off)
{
	emit(g, EBPF_LD | EBPF_IMM | EBPF_DW, dst, src, 0, map);
	emit(g, 0, 0, 0, 0, off);
}

/* A value that was looked up, or the one with an address; at a number that was checked. */
static void
value_access(struct gen *g)
{
	bool is_direct = one_in(g, 3);
	unsigned size, first = below(g, 48);
	uint8_t code = size_code(g, &size);
	size_t at = 0;

	if (is_direct) {
		bounded_number(g, EBPF_GEN_VALUE - first - size + 1);
		load_map(g, 4, 2, EBPF_GEN_DIRECT, (int32_t)first);
		emit(g, EBPF_ALU64 | EBPF_ADD | EBPF_X, 4, 2, 0, 0);
		access_at(g, 4, 0, code);
		return;
	}
	emit(g, EBPF_STX | EBPF_MEM | EBPF_W, 10, number_reg(g), -4, 0);
	if (one_in(g, 2))
		emit(g, EBPF_ST | EBPF_MEM | EBPF_W, 10, 0, -4, (int32_t)below(g, 5));
	emit(g, EBPF_ALU64 | EBPF_MOV | EBPF_X, 2, 10, 0, 0);
	emit(g, EBPF_ALU64 | EBPF_ADD | EBPF_K, 2, 0, 0, -4);
	load_map(g, 1, 1, EBPF_GEN_ARRAY, 0);
	emit(g, EBPF_JMP | EBPF_CALL, 0, 0, 0, 1);
	emit(g, EBPF_ALU64 | EBPF_MOV | EBPF_X, 4, 0, 0, 0);
	emit(g, EBPF_ALU64 | EBPF_MOV | EBPF_K, 0, 0, 0, constant(g));
	if (!one_in(g, 12)) {
		at = g->p->n;
		emit(g, EBPF_JMP | EBPF_JEQ | EBPF_K, 4, 0, 0, 0);
	}
	bounded_number(g, EBPF_GEN_VALUE - first - size + 1);
	emit(g, EBPF_ALU64 | EBPF_ADD | EBPF_X, 4, 2, 0, 0);
	access_at(g, 4, (int)first, code);
	if (at != 0 && at < g->p->n)
		g->p->insns[at].off = (int16_t)(g->p->n - at - 1);
}

/* A helper gets part of the stack, of the packet or of a value, its size a checked number. */
static void
helper_call(struct gen *g)
{
	bool fills = one_in(g, 2);
	uint32_t first = below(g, 32), room = 64 - first;
	size_t at = 0;

	bounded_number(g, room + 1);
	switch (below(g, 3)) {
	case 0:
		emit(g, EBPF_ALU64 | EBPF_MOV | EBPF_X, 1, 10, 0, 0);
		emit(g, EBPF_ALU64 | EBPF_ADD | EBPF_K, 1, 0, 0, (int32_t)first - 64);
		break;
	case 1:
		load_map(g, 1, 2, EBPF_GEN_DIRECT, (int32_t)first);
		break;
	case 2:
		load_field(g, 1, offsetof(struct ebpf_gen_ctx, data), POINTER_CODE);
		load_field(g, 3, offsetof(struct ebpf_gen_ctx, len), EBPF_W);
		at = g->p->n;
		emit(g, EBPF_JMP | EBPF_JLT | EBPF_K, 3, 0, 0, (int32_t)(64 - one_in(g, 10)));
		emit(g, EBPF_ALU64 | EBPF_ADD | EBPF_K, 1, 0, 0, (int32_t)first);
		break;
	}
	if (fills && !one_in(g, 10)) {
		emit(g, EBPF_JMP | EBPF_JNE | EBPF_K, 2, 0, 1, 0);
		emit(g, EBPF_ALU64 | EBPF_MOV | EBPF_K, 2, 0, 0, 1);
	}
	emit(g, EBPF_ALU64 | EBPF_MOV | EBPF_K, 3, 0, 0, constant(g));
	emit(g, EBPF_JMP | EBPF_CALL, 0, 0, 0, fills ? EBPF_GEN_FILL : EBPF_GEN_SUM);
	if (at != 0 && at < g->p->n)
		g->p->insns[at].off = (int16_t)(g->p->n - at - 1);
}

static void
reach_out(struct gen *g)
{
	switch (below(g, 6)) {
	case 0:
		packet_access(g);
		break;
	case 1:
		length_access(g);
		break;
	case 2:
	case 3:
		value_access(g);
		break;
	case 4:
		helper_call(g);
		break;
	case 5:
		emit(g, EBPF_STX | EBPF_MEM | EBPF_W, 6, number_reg(g),
		     16 + 4 * (int)below(g, 5), 0);
		break;
	}
}

static void
stack_access(struct gen *g)
{
	unsigned size;
	uint8_t code = size_code(g, &size);
	int off = -(int)(size * (1 + below(g, 64 / size)));

	if (one_in(g, 16))
		off -= 64;
	access_at(g, 10, off, code);
}

/* An address, or a number, goes to the stack and comes back. */
static void
spill_and_fill(struct gen *g)
{
	int off = -8 * (int)(9 + below(g, 4));
	unsigned size;
	uint8_t code;

	if (one_in(g, 2)) {
		unsigned r = number_reg(g);

		code = size_code(g, &size);
		emit(g, EBPF_STX | EBPF_MEM | code, 10, r, off, 0);
		emit(g, EBPF_LDX | EBPF_MEM | code, number_reg(g), 10, off, 0);
		return;
	}
	emit(g, EBPF_STX | EBPF_MEM | EBPF_DW, 10, 6, off, 0);
	emit(g, EBPF_LDX | EBPF_MEM | EBPF_DW, 4, 10, off, 0);
	if (g->opts->entry != EBPF_GEN_MEMORY)
		emit(g, EBPF_LDX | EBPF_MEM | EBPF_W, number_reg(g), 4, 0, 0);
	else
		emit(g, EBPF_LDX | EBPF_MEM | EBPF_B, number_reg(g), 4,
		     (int)below(g, g->opts->mem_size), 0);
}

static void
atomic(struct gen *g)
{
	static const int32_t ops[] = { EBPF_ADD, EBPF_OR, EBPF_AND, EBPF_XOR,
				       EBPF_ADD | EBPF_FETCH, EBPF_XOR | EBPF_FETCH, EBPF_XCHG,
				       EBPF_CMPXCHG };
	bool wide = one_in(g, 2);

	emit(g, EBPF_STX | EBPF_ATOMIC | (wide ? EBPF_DW : EBPF_W), 10, number_reg(g),
	     -8 * (int)(1 + below(g, 8)), ops[below(g, N_ELEMS(ops))]);
}

static void
own_call(struct gen *g)
{
	if (g->in_callee || g->n_calls == N_ELEMS(g->calls))
		return;
	emit(g, EBPF_ALU64 | EBPF_MOV | EBPF_X, 1, 6, 0, 0);
	emit(g, EBPF_ALU64 | EBPF_MOV | EBPF_X, 2, number_reg(g), 0, 0);
	emit(g, EBPF_ALU64 | EBPF_MOV | EBPF_X, 3, 10, 0, 0);
	emit(g, EBPF_ALU64 | EBPF_ADD | EBPF_K, 3, 0, 0, -8 * (int)(1 + below(g, 8)));
	g->calls[g->n_calls++] = g->p->n;
	emit(g, EBPF_JMP | EBPF_CALL, 0, 1, 0, 0);
	g->p->has_call = true;
}

static void piece(struct gen *g);

static void
condition(struct gen *g)
{
	static const uint8_t ops[] = { EBPF_JEQ, EBPF_JNE, EBPF_JGT, EBPF_JGE, EBPF_JLT, EBPF_JLE,
				       EBPF_JSGT, EBPF_JSGE, EBPF_JSLT, EBPF_JSLE, EBPF_JSET };
	uint8_t cls = one_in(g, 2) ? EBPF_JMP : EBPF_JMP32, op = ops[below(g, N_ELEMS(ops))];
	size_t at = g->p->n;

	if (one_in(g, 2))
		emit(g, cls | op | EBPF_X, number_reg(g), number_reg(g), 0, 0);
	else
		emit(g, cls | op | EBPF_K, number_reg(g), 0, 0, constant(g));
	g->depth++;
	piece(g);
	if (one_in(g, 2))
		piece(g);
	g->depth--;
	if (at < g->p->n)
		g->p->insns[at].off = (int16_t)(g->p->n - at - 1);
}

/* r5 counts in the stack, so that pieces may use all registers. */
static void
loop(struct gen *g)
{
	int off = -8 * (int)(13 + g->depth), turns = 1 + (int)below(g, 10);
	size_t start;

	emit(g, EBPF_ST | EBPF_MEM | EBPF_DW, 10, 0, off, 0);
	start = g->p->n;
	g->depth++;
	piece(g);
	piece(g);
	g->depth--;
	emit(g, EBPF_LDX | EBPF_MEM | EBPF_DW, 5, 10, off, 0);
	emit(g, EBPF_ALU64 | EBPF_ADD | EBPF_K, 5, 0, 0, 1);
	emit(g, EBPF_STX | EBPF_MEM | EBPF_DW, 10, 5, off, 0);
	emit(g, EBPF_JMP | (one_in(g, 2) ? EBPF_JLT : EBPF_JNE) | EBPF_K, 5, 0,
	     -(int)(g->p->n - start + 1), turns);
	g->p->has_loop = true;
}

static void
piece(struct gen *g)
{
	if (g->opts->entry == EBPF_GEN_PACKET && one_in(g, 3)) {
		reach_out(g);
		return;
	}
	switch (below(g, g->depth < 3 ? 16 : 12)) {
	case 0:
	case 1:
	case 2:
		arithmetic(g);
		break;
	case 3:
	case 4:
		load_number(g);
		break;
	case 5:
	case 6:
		variable_access(g);
		break;
	case 7:
		remaining_access(g);
		break;
	case 8:
		stack_access(g);
		break;
	case 9:
		spill_and_fill(g);
		break;
	case 10:
		atomic(g);
		break;
	case 11:
		own_call(g);
		break;
	case 12:
	case 13:
	case 14:
		condition(g);
		break;
	case 15:
		if (g->opts->entry == EBPF_GEN_PACKET || one_in(g, 2))
			loop(g);
		break;
	}
}

/* A context and numbers everywhere, 64 bytes of stack written. */
static void
prologue(struct gen *g)
{
	unsigned second = g->in_callee ? 2 : 0;

	emit(g, EBPF_ALU64 | EBPF_MOV | EBPF_X, 6, 1, 0, 0);
	if (second != 0)
		emit(g, EBPF_ALU64 | EBPF_MOV | EBPF_X, 0, second, 0, 0);
	else
		emit(g, EBPF_ALU64 | EBPF_MOV | EBPF_K, 0, 0, 0, constant(g));
	if (g->in_callee)
		emit(g, EBPF_LDX | EBPF_MEM | EBPF_B, 9, 3, (int)below(g, 8), 0);
	else
		emit(g, EBPF_ALU64 | EBPF_MOV | EBPF_K, 9, 0, 0, constant(g));
	emit(g, EBPF_ALU64 | EBPF_MOV | EBPF_K, 7, 0, 0, constant(g));
	emit(g, EBPF_ALU | EBPF_MOV | EBPF_K, 8, 0, 0, constant(g));
	for (int off = -64; off < 0; off += 8) {
		if (!one_in(g, 40))
			emit(g, EBPF_ST | EBPF_MEM | EBPF_DW, 10, 0, off, constant(g));
	}
	for (unsigned n = 1 + below(g, 3); n > 0; n--)
		load_number(g);
}

static void
function(struct gen *g, unsigned n_pieces)
{
	prologue(g);
	for (unsigned n = 0; n < n_pieces; n++)
		piece(g);
	if (number_reg(g) != 0)
		emit(g, EBPF_ALU64 | EBPF_MOV | EBPF_X, 0, number_reg(g), 0, 0);
	emit(g, EBPF_JMP | EBPF_EXIT, 0, 0, 0, 0);
}

static void
mutate(struct gen *g)
{
	struct ebpf_insn *insn = &g->p->insns[below(g, (uint32_t)g->p->n)];

	switch (below(g, 5)) {
	case 0:
		insn->dst_reg = below(g, 11) & 15;
		break;
	case 1:
		insn->src_reg = below(g, 11) & 15;
		break;
	case 2:
		insn->off = (int16_t)(insn->off + (int)below(g, 17) - 8);
		break;
	case 3:
		insn->imm = constant(g);
		break;
	case 4:
		insn->code ^= (uint8_t)(1u << below(g, 8));
		break;
	}
}

void
ebpf_gen(struct ebpf_gen_prog *prog, const struct ebpf_gen_opts *opts, uint64_t *rng)
{
	struct gen g = { .p = prog, .opts = opts, .rng = rng };

	memset(prog, 0, sizeof(*prog));
	function(&g, 2 + below(&g, 12));
	if (g.n_calls > 0) {
		size_t start = prog->n;

		g.in_callee = true;
		function(&g, 1 + below(&g, 5));
		for (unsigned i = 0; i < g.n_calls; i++) {
			if (g.calls[i] < prog->n)
				prog->insns[g.calls[i]].imm = (int32_t)(start - g.calls[i] - 1);
		}
	}
	if (one_in(&g, 4))
		mutate(&g);
}
