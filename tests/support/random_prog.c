/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/support/random_prog.h"

#include "ebpf/insn.h"
#include "tests/support/suite.h"

#include <string.h>

/* R6: the memory.  R9: rounds of the running loop.  All others are data. */
enum { MEM = 6, ROUNDS = 9, HELPER_ID = 7, MAX_FUNCS = 4, STACK_BYTES = 32 };

static const uint8_t data_regs[] = { 0, 1, 2, 3, 4, 5, 7, 8 };

static uint64_t
mix(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, void *env)
{
	(void)env;
	return r1 * 3 + (r2 ^ r3) * 5 + (r4 - r5) * 7;
}

static const struct ebpf_helper helpers[] = { { .id = HELPER_ID, .name = "mix", .fn = mix } };

const struct ebpf_prog_type random_prog_type = {
	.name = "random", .helpers = helpers, .n_helpers = N_ELEMS(helpers),
};

/* What is being written: a function, and in it a block that jumps stay in. */
struct author {
	struct random_prog *p;
	uint64_t *rng;
	size_t block;                           /* first slot of the block */
	uint8_t is_start[RANDOM_PROG_MAX + 1];  /* by slot: an instruction begins */
	uint8_t is_open[RANDOM_PROG_MAX];       /* a jump whose target is not chosen */
	struct {
		size_t at;
		uint32_t callee;
	} calls[RANDOM_PROG_MAX];
	size_t n_calls;
	uint32_t func, n_funcs;
};

int32_t
random_imm(uint64_t *rng)
{
	static const int32_t bounds[] = {
		0, 1, -1, INT32_MAX, INT32_MIN, 0xffff, 0x10000, INT16_MIN, 31, 32, 63, 64,
	};

	switch (rng_below(rng, 4)) {
	case 0:
		return bounds[rng_below(rng, N_ELEMS(bounds))];
	case 1:
		return (int32_t)rng_below(rng, 64);
	default:
		return (int32_t)(uint32_t)(rng_next(rng) >> 16);
	}
}

static uint8_t
data_reg(struct author *a)
{
	return data_regs[rng_below(a->rng, N_ELEMS(data_regs))];
}

static struct ebpf_insn *
add(struct author *a, int row)
{
	const struct ebpf_op_desc *d = &ebpf_ops[row];
	struct ebpf_insn *insn = &a->p->insns[a->p->n];

	ck_assert_uint_lt(a->p->n, RANDOM_PROG_MAX);
	a->is_start[a->p->n++] = 1;
	*insn = (struct ebpf_insn){ .code = d->code };
	switch ((enum ebpf_by)d->by) {
	case EBPF_BY_NONE:
		break;
	case EBPF_BY_OFF:
		insn->off = (int16_t)d->val;
		break;
	case EBPF_BY_SRC:
		insn->src_reg = d->val & 0xf;
		break;
	case EBPF_BY_IMM:
		insn->imm = d->val;
		break;
	}
	return insn;
}

static void
add_wide(struct author *a, uint8_t dst, int32_t lo, int32_t hi)
{
	struct ebpf_insn *insn = add(a, EBPF_OP_LDDW);

	insn->dst_reg = dst & 0xf;
	insn->imm = lo;
	ck_assert_uint_lt(a->p->n, RANDOM_PROG_MAX);
	a->p->insns[a->p->n++] = (struct ebpf_insn){ .imm = hi };
}

static void
add_alu(struct author *a, int row, uint8_t dst, uint8_t src, int32_t imm)
{
	struct ebpf_insn *insn = add(a, row);

	insn->dst_reg = dst & 0xf;
	insn->src_reg = src & 0xf;
	insn->imm = imm;
}

/* Where an access goes: the memory, or the part of the stack that was written. */
static void
address(struct author *a, bool is_dst, struct ebpf_insn *insn)
{
	bool on_stack = rng_below(a->rng, 4) == 0;
	uint8_t reg = on_stack ? EBPF_R10 : MEM;

	if (is_dst)
		insn->dst_reg = reg & 0xf;
	else
		insn->src_reg = reg & 0xf;
	insn->off = on_stack ? (int16_t)(-8 * (int)(1 + rng_below(a->rng, STACK_BYTES / 8)))
			     : (int16_t)(8 * rng_below(a->rng, RANDOM_PROG_MEM / 16));
}

/* What calls leave in the registers of arguments is nobody's. */
static void
after_call(struct author *a)
{
	for (uint8_t reg = EBPF_R1; reg <= EBPF_R5; reg++)
		add_alu(a, EBPF_OP_MOV64_K, reg, 0, random_imm(a->rng));
}

/* Functions call only those behind them, which nest then MAX_FUNCS deep. */
static void
add_call(struct author *a)
{
	if (a->func + 1 >= a->n_funcs)
		return;
	add_alu(a, EBPF_OP_MOV64_X, EBPF_R1, MEM, 0);
	a->calls[a->n_calls].at = a->p->n;
	a->calls[a->n_calls++].callee =
		a->func + 1 + rng_below(a->rng, a->n_funcs - a->func - 1);
	add(a, EBPF_OP_CALL_LOCAL);
	a->is_start[a->p->n - 1] = 0;   /* not reached without its argument */
	after_call(a);
}

static void
add_random(struct author *a)
{
	int row = (int)rng_below(a->rng, EBPF_N_OPS);
	struct ebpf_insn *insn;

	switch ((enum ebpf_form)ebpf_ops[row].form) {
	case EBPF_FORM_ALU_K:
		insn = add(a, row);
		insn->dst_reg = data_reg(a) & 0xf;
		insn->imm = random_imm(a->rng);
		break;
	case EBPF_FORM_ALU_X:
	case EBPF_FORM_MOVSX:
		insn = add(a, row);
		insn->dst_reg = data_reg(a) & 0xf;
		insn->src_reg = data_reg(a) & 0xf;
		break;
	case EBPF_FORM_NEG:
	case EBPF_FORM_END:
		add(a, row)->dst_reg = data_reg(a) & 0xf;
		break;
	case EBPF_FORM_JMP_K:
	case EBPF_FORM_JMP_X:
	case EBPF_FORM_JA:
	case EBPF_FORM_JA32:
		a->is_open[a->p->n] = 1;
		insn = add(a, row);
		if (ebpf_form_uses[ebpf_ops[row].form] & EBPF_USES_DST)
			insn->dst_reg = data_reg(a) & 0xf;
		if (ebpf_form_uses[ebpf_ops[row].form] & EBPF_USES_SRC)
			insn->src_reg = data_reg(a) & 0xf;
		if (ebpf_ops[row].form == EBPF_FORM_JMP_K)
			insn->imm = random_imm(a->rng);
		break;
	case EBPF_FORM_CALL:
		add(a, row)->imm = HELPER_ID;
		after_call(a);
		break;
	case EBPF_FORM_CALL_LOCAL:
		add_call(a);
		break;
	case EBPF_FORM_LDX:
	case EBPF_FORM_LOAD_ACQ:
		insn = add(a, row);
		insn->dst_reg = data_reg(a) & 0xf;
		address(a, false, insn);
		break;
	case EBPF_FORM_ST:
		insn = add(a, row);
		insn->imm = random_imm(a->rng);
		address(a, true, insn);
		break;
	case EBPF_FORM_STX:
	case EBPF_FORM_ATOMIC:
	case EBPF_FORM_FETCH:
	case EBPF_FORM_XCHG:
	case EBPF_FORM_CMPXCHG:
	case EBPF_FORM_STORE_REL:
		insn = add(a, row);
		insn->src_reg = data_reg(a) & 0xf;
		address(a, true, insn);
		break;
	case EBPF_FORM_LDDW:
		if (row == EBPF_OP_LDDW)
			add_wide(a, data_reg(a), random_imm(a->rng), random_imm(a->rng));
		break;
	case EBPF_FORM_EXIT:    /* one in passing would leave little to run */
	case EBPF_FORM_LDABS:
	case EBPF_FORM_LDIND:
		break;
	}
}

/* Open jumps of the block go forward, at most to its end. */
static void
close_block(struct author *a)
{
	size_t end = a->p->n;

	a->is_start[end] = 1;
	for (size_t at = a->block; at < end; at++) {
		struct ebpf_insn *insn = &a->p->insns[at];
		size_t to = at + 1 + rng_below(a->rng, (uint32_t)(end - at));

		if (!a->is_open[at])
			continue;
		while (!a->is_start[to])
			to++;
		if (insn->code == (EBPF_JMP32 | EBPF_JA))
			insn->imm = (int32_t)(to - at - 1);
		else
			insn->off = (int16_t)(to - at - 1);
	}
	a->block = end;
}

static void
add_loop(struct author *a, uint32_t n)
{
	struct ebpf_insn *insn;
	size_t head;

	add_alu(a, EBPF_OP_MOV64_K, ROUNDS, 0, 1 + (int32_t)rng_below(a->rng, 3));
	close_block(a);
	head = a->p->n;
	for (uint32_t i = 0; i < n; i++)
		add_random(a);
	close_block(a);
	add_alu(a, EBPF_OP_SUB64_K, ROUNDS, 0, 1);
	insn = add(a, EBPF_OP_JSGT64_K);
	insn->dst_reg = ROUNDS;
	insn->off = (int16_t)((int64_t)head - (int64_t)a->p->n);
	close_block(a);
}

static void
add_function(struct author *a, uint32_t n_insns)
{
	add_alu(a, EBPF_OP_MOV64_X, MEM, EBPF_R1, 0);
	for (size_t i = 0; i < N_ELEMS(data_regs); i++)
		add_wide(a, data_regs[i], random_imm(a->rng), random_imm(a->rng));
	for (int16_t off = 8; off <= STACK_BYTES; off += 8) {
		struct ebpf_insn *insn = add(a, EBPF_OP_STDW);

		insn->dst_reg = EBPF_R10;
		insn->off = (int16_t)-off;
		insn->imm = random_imm(a->rng);
	}
	close_block(a);
	for (uint32_t done = 0; done < n_insns;) {
		uint32_t n = 1 + rng_below(a->rng, 12);

		done += n;
		if (rng_below(a->rng, 3) == 0) {
			add_loop(a, n);
			continue;
		}
		while (n-- > 0)
			add_random(a);
		close_block(a);
	}
	for (size_t i = 0; i < N_ELEMS(data_regs) && a->func == 0; i++) {
		struct ebpf_insn *insn = add(a, EBPF_OP_STXDW);

		insn->dst_reg = MEM;
		insn->src_reg = data_regs[i] & 0xf;
		insn->off = (int16_t)(RANDOM_PROG_MEM / 2 + 8 * i);
	}
	add(a, EBPF_OP_EXIT);
	close_block(a);
}

void
random_prog(struct random_prog *p, uint32_t n_insns, uint64_t *rng)
{
	static struct author a;
	size_t starts[MAX_FUNCS];

	memset(&a, 0, sizeof(a));
	a.p = p;
	a.rng = rng;
	a.n_funcs = 1 + rng_below(rng, MAX_FUNCS);
	p->n = 0;
	for (; a.func < a.n_funcs; a.func++) {
		starts[a.func] = p->n;
		add_function(&a, n_insns);
	}
	for (size_t i = 0; i < a.n_calls; i++)
		p->insns[a.calls[i].at].imm =
			(int32_t)(starts[a.calls[i].callee] - a.calls[i].at - 1);
}
