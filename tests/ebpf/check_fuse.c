/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each fused run is found, and leaves memory, registers and path as its slots
 * do one by one in the interpreter that goes by rows and fuses none.
 */
#include "ebpf/fuse.h"
#include "ebpf/insn.h"
#include "tests/ebpf/variants.h"
#include "tests/support/suite.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* The registers that the lowering gives these roles, and in optimised programs these. */
enum { A = 0, T = 2, U = 3, MARK = 5, MEM = 6, X = 7, DATA = 8, LEN = 9 };
enum { FRAME_LEN = 0, FRAME = 3, BYTES = 4 };

/* Memory: packet bytes, then a place for the registers at the end. */
enum { N_BYTES = 64, MEM_SIZE = N_BYTES + 8 * EBPF_MAX_REG };

static const struct ebpf_prog_type type = { .name = "test" };

struct program {
	struct ebpf_insn insns[64];
	size_t n;
};

static struct ebpf_insn *
add(struct program *p, int row)
{
	const struct ebpf_op_desc *d = &ebpf_ops[row];
	struct ebpf_insn *insn = &p->insns[p->n++];

	*insn = (struct ebpf_insn) { .code = d->code };
	if (d->by == EBPF_BY_IMM)
		insn->imm = d->val;
	return insn;
}

static void
mov(struct program *p, uint8_t dst, uint64_t value)
{
	struct ebpf_insn *insn = add(p, EBPF_OP_LDDW);

	insn->dst_reg = dst & 0xf;
	insn->imm = (int32_t)(uint32_t)value;
	p->insns[p->n++] = (struct ebpf_insn) { .imm = (int32_t)(uint32_t)(value >> 32) };
}

/* Constants that compares turn on: of the byte pattern of the memory, or near. */
static int32_t
constant(uint64_t *rng)
{
	static const int32_t near[] = { 0, 1, 2, 3, 0x101, 0x202, 0x01010101, 0x02020202, -1 };

	return near[rng_below(rng, N_ELEMS(near))];
}

static void
guard(struct ebpf_insn *insns, uint8_t dst, int32_t end, uint64_t *rng)
{
	insns[0].dst_reg = dst & 0xf;
	insns[0].imm = end;
	insns[0].off = 2;
	insns[1].dst_reg = A;
	insns[1].imm = (int32_t)rng_next(rng);
}

static int32_t
load_size(const struct ebpf_run *run)
{
	for (size_t i = 0; i < run->n; i++) {
		if (run->rows[i] == EBPF_OP_LDXH)
			return 2;
		if (run->rows[i] == EBPF_OP_LDXW)
			return 4;
	}
	return 1;
}

/* The slots from `from` on work on one register; the last may compare it. */
static void
flow(const struct ebpf_run *run, struct ebpf_insn *insns, size_t from, uint8_t dst, uint64_t *rng)
{
	for (size_t i = from; i < run->n; i++) {
		insns[i].dst_reg = dst & 0xf;
		if (ebpf_ops[run->rows[i]].by == EBPF_BY_IMM || i == from)
			continue;
		insns[i].imm = constant(rng);
		insns[i].off = ebpf_ops[run->rows[i]].form == EBPF_FORM_JMP_K;
	}
}

/* t = *(p + off); t &= m; t <<= n; the length less t, guarded; t += p */
static void
add_header(struct ebpf_insn *insns, size_t n, uint8_t t, uint8_t u, int32_t k, uint64_t *rng)
{
	struct ebpf_insn *sub = &insns[n - 3];

	for (size_t i = 0; i < 3; i++)
		insns[i].dst_reg = t & 0xf;
	insns[1].imm = constant(rng);
	insns[2].imm = 2;
	insns[3].dst_reg = sub[0].dst_reg = sub[1].dst_reg = u & 0xf;
	insns[3].src_reg = LEN;         /* of the move; where there is none, sub is this one */
	sub[0].src_reg = sub[2].dst_reg = t & 0xf;
	sub[1].imm = k;
	sub[1].off = 1;
	sub[2].src_reg = DATA;
}

/* Protocol and fragment offset of a frame before that. */
static void
add_transport(struct ebpf_insn *insns, size_t n, int16_t off, int32_t k, uint64_t *rng)
{
	for (size_t i = 0; i < 4; i++) {
		insns[i].dst_reg = BYTES;
		insns[i].imm = i % 2 == 1 ? constant(rng) : 0;
	}
	/* mostly the tests' way on */
	insns[1].imm = rng_below(rng, 4) == 0 ? insns[1].imm : 1;
	insns[3].imm = rng_below(rng, 4) == 0 ? insns[3].imm : 0x7c7c;
	insns[0].src_reg = insns[2].src_reg = insns[4].src_reg = FRAME;
	insns[0].off = off;
	insns[2].off = insns[4].off = (int16_t)rng_below(rng, N_BYTES - 1);
	add_header(insns + 4, n - 4, BYTES, n == 11 ? T : LEN, k, rng);
}

/* The same field at two places, the second guarded. */
static void
add_pair(const struct ebpf_run *run, struct ebpf_insn *insns, int16_t off, int32_t k, uint64_t *rng)
{
	bool is_hosts = run->rows[0] == EBPF_OP_LDXW;

	insns[0].src_reg = insns[3].src_reg = is_hosts ? FRAME : DATA;
	insns[0].dst_reg = insns[1].dst_reg = is_hosts ? BYTES : T;
	insns[2].dst_reg = is_hosts ? FRAME_LEN : LEN;
	insns[3].dst_reg = insns[4].dst_reg = is_hosts ? BYTES : A;
	insns[0].off = off;
	insns[3].off = (int16_t)rng_below(rng, N_BYTES - 3);
	insns[1].imm = constant(rng);
	insns[1].off = 1;
	insns[2].imm = is_hosts ? constant(rng) : k;
	insns[4].imm = constant(rng);
}

static bool
has_row(const struct ebpf_run *run, size_t from, int row)
{
	return from < run->n && memchr(run->rows + from, row, run->n - from) != NULL;
}

/* Runs that begin with a load. */
static void
add_loads(const struct ebpf_run *run, struct ebpf_insn *insns, int16_t off, int32_t k,
	  uint64_t *rng)
{
	bool is_of_frame = strncmp(run->name, "FRAME", 5) == 0;

	insns[0].src_reg = is_of_frame ? FRAME : DATA;
	insns[0].off = off;
	if (run->rows[run->n - 1] == EBPF_OP_LDXDW) {           /* entry */
		insns[0].src_reg = insns[2].src_reg = MEM;
		insns[0].dst_reg = insns[1].dst_reg = LEN;
		insns[1].imm = constant(rng);
		insns[1].off = 1;
		insns[2].dst_reg = DATA;
	} else if (has_row(run, 2, EBPF_OP_ADD64_X) && has_row(run, 2, EBPF_OP_JSET64_K)) {
		add_transport(insns, run->n, off, k, rng);
	} else if (has_row(run, 2, EBPF_OP_ADD64_X)) {
		add_header(insns, run->n, T, run->n == 7 ? U : LEN, k, rng);
	} else if (has_row(run, 2, run->rows[0])) {
		add_pair(run, insns, off, k, rng);
	} else {
		flow(run, insns, 0, is_of_frame ? BYTES : A, rng);
	}
}

/* A frame's type behind length, guard and data. */
static void
add_entry(struct ebpf_insn *insns, const struct ebpf_run *run, int16_t off, uint64_t *rng)
{
	insns[0].src_reg = insns[2].src_reg = EBPF_R1;
	insns[0].dst_reg = insns[1].dst_reg = FRAME_LEN;
	insns[0].off = 2;
	insns[1].imm = constant(rng);
	insns[1].off = (int16_t)(run->n - 2);
	/* two bytes of memory are no address: it is kept where the data is */
	insns[2].dst_reg = FRAME;
	insns[2].off = N_BYTES;
	insns[3].src_reg = FRAME;
	insns[3].off = off;
	flow(run, insns, 3, BYTES, rng);
}

/* The run branches on its last compare between two results, the further one put behind it. */
static void
add_results(struct program *p, const struct ebpf_run *run, struct ebpf_insn *insns, uint64_t *rng)
{
	/* a guard, or the one behind the length, goes round both */
	if (run->rows[0] == EBPF_OP_JLT64_K || run->rows[0] == EBPF_OP_JSLT64_K)
		insns[0].off = (int16_t)(run->n + 1);
	else if (run->rows[1] == EBPF_OP_JLT64_K)
		insns[1].off = run->n;
	insns[run->n - 3].off = 2;
	insns[run->n - 2].dst_reg = A;
	insns[run->n - 2].imm = (int32_t)rng_next(rng);
	insns[run->n - 1].dst_reg = 0;
	insns[run->n - 1].imm = insns[run->n - 1].off = 0;
	add(p, EBPF_OP_MOV32_K)->imm = (int32_t)rng_next(rng);
	add(p, EBPF_OP_EXIT);
}

/* Results at the program's end for the jumps of the run, at a slot, that lead to some. */
static void
add_outs(struct program *p, const struct ebpf_run *run, size_t at, uint64_t *rng)
{
	for (size_t i = 0; i < run->n; i++) {
		struct ebpf_insn *insn;

		if ((run->outs >> i & 1) == 0)
			continue;
		p->insns[at + i].off = (int16_t)(p->n - (at + i) - 1);
		insn = add(p, EBPF_OP_MOV32_K);
		insn->dst_reg = A;
		insn->imm = (int32_t)rng_next(rng);
		add(p, EBPF_OP_EXIT);
	}
}

static bool
returns_either(const struct ebpf_run *run)
{
	return run->n > 2 && run->rows[run->n - 1] == EBPF_OP_EXIT;
}

/* One run with operands that its family takes, and mostly meaningful ones. */
static void
add_run(struct program *p, const struct ebpf_run *run, uint64_t *rng)
{
	int32_t size = load_size(run);
	int16_t off = (int16_t)rng_below(rng, (uint32_t)(N_BYTES - size) + 1);
	int32_t k = (int32_t)rng_below(rng, N_BYTES);
	struct ebpf_insn *insns = &p->insns[p->n];

	for (size_t i = 0; i < run->n; i++)
		add(p, run->rows[i]);
	switch (run->rows[0]) {
	case EBPF_OP_JGE64_K:   /* guard and load at a constant */
		guard(insns, LEN, off + size, rng);
		insns[3].src_reg = DATA;
		insns[3].off = off;
		flow(run, insns, 3, insns[4].code == ebpf_ops[EBPF_OP_AND32_K].code ? X : A, rng);
		break;
	case EBPF_OP_MOV32_X:   /* at a sum */
		insns[0].dst_reg = insns[1].dst_reg = insns[7].dst_reg = T;
		insns[0].src_reg = X;
		insns[1].imm = k;
		insns[2].dst_reg = insns[3].dst_reg = U;
		insns[2].src_reg = LEN;
		insns[3].src_reg = T;
		guard(&insns[4], U, size, rng);
		insns[7].src_reg = DATA;
		insns[8].src_reg = T;
		flow(run, insns, 8, A, rng);
		break;
	case EBPF_OP_MOV64_X:   /* prologue */
		insns[0].dst_reg = insns[1].src_reg = insns[2].src_reg = 4;
		insns[0].src_reg = MEM;
		insns[1].dst_reg = DATA;
		insns[1].off = 8;
		insns[2].dst_reg = LEN;
		insns[2].off = 3;
		insns[3].dst_reg = A;
		insns[3].imm = (int32_t)rng_next(rng);
		insns[4].dst_reg = X;
		insns[4].imm = (int32_t)rng_next(rng);
		break;
	case EBPF_OP_LDXB:
	case EBPF_OP_LDXH:
	case EBPF_OP_LDXW:
		if (run->rows[1] == EBPF_OP_JLT64_K && run->n > 3)
			add_entry(insns, run, off, rng);
		else
			add_loads(run, insns, off, k, rng);
		break;
	case EBPF_OP_JLT64_K:   /* guarded */
	case EBPF_OP_JSLT64_K:
		insns[0].dst_reg = LEN;
		insns[0].imm = k;
		insns[0].off = 2;
		insns[1].src_reg = DATA;
		insns[1].off = off;
		flow(run, insns, 1, A, rng);
		break;
	case EBPF_OP_JEQ64_K:   /* one more test */
	case EBPF_OP_JNE64_K:
		insns[0].dst_reg = A;
		insns[0].imm = constant(rng);
		break;
	case EBPF_OP_MOV32_K:   /* a result, or a compare with a constant */
		insns[0].dst_reg = run->rows[1] == EBPF_OP_EXIT ? A : T;
		insns[0].imm = constant(rng);
		if (run->rows[1] == EBPF_OP_EXIT)
			break;
		insns[1].dst_reg = A;
		insns[1].src_reg = T;
		insns[1].off = 1;
		break;
	default:
		ck_abort_msg("%s: a family without operands here", run->name);
	}
	if (returns_either(run))
		add_results(p, run, insns, rng);
}

/* Where a jump of the run goes round, and what saves the registers. */
static void
add_epilogue(struct program *p)
{
	struct ebpf_insn *insn = add(p, EBPF_OP_ADD64_K);

	insn->dst_reg = MARK;
	insn->imm = 1;
	for (uint8_t reg = 0; reg < EBPF_MAX_REG - 1; reg++) {
		insn = add(p, EBPF_OP_STXDW);
		insn->dst_reg = MEM;
		insn->src_reg = reg & 0xf;
		insn->off = (int16_t)(N_BYTES + 8 * reg);
	}
	add(p, EBPF_OP_EXIT);
}

static void
add_prologue(struct program *p, uint64_t *rng)
{
	static const uint8_t at_memory[] = { MEM, DATA, FRAME };
	struct ebpf_insn *insn;

	mov(p, A, (uint32_t)constant(rng));
	mov(p, X, rng_below(rng, 8) == 0 ? (uint32_t)rng_next(rng) : rng_below(rng, N_BYTES));
	mov(p, LEN, rng_below(rng, 4) == 0 ? rng_below(rng, N_BYTES) : N_BYTES);
	mov(p, T, 0);
	mov(p, 4, 0);
	mov(p, MARK, 0);
	for (size_t i = 0; i < N_ELEMS(at_memory); i++) {
		insn = add(p, EBPF_OP_MOV64_X);
		insn->dst_reg = at_memory[i] & 0xf;
		insn->src_reg = EBPF_R1;
	}
}

struct outcome {
	uint64_t r0;
	uint8_t mem[MEM_SIZE];
};

/* The one that fuses nothing comes first. */
static const ebpf_run_fn engines[] = { interp_switch, interp_labels, leaf_labels };

/* All at one address, since registers hold it. */
static void
run_all(struct ebpf_prog *prog, uint64_t *rng, struct outcome out[N_ELEMS(engines)])
{
	static _Alignas(8) uint8_t mem[MEM_SIZE];
	uint64_t bytes = rng_next(rng), address = (uintptr_t)mem;

	for (size_t i = 0; i < N_ELEMS(engines); i++) {
		memset(mem, 0, sizeof(mem));
		memcpy(mem + N_BYTES, &address, sizeof(address));
		for (size_t j = 0; j < N_BYTES; j++)
			mem[j] = (uint8_t)(bytes >> j % 5 & 3);
		ck_assert_int_eq(ebpf_prog_set_run(prog, engines[i]), 0);
		out[i].r0 = ebpf_prog_run(prog, (uintptr_t)mem, MEM_SIZE);
		memcpy(out[i].mem, mem, sizeof(mem));
	}
}

static void
compare(const struct program *p, const char *what, uint64_t *rng)
{
	struct outcome out[N_ELEMS(engines)];
	struct ebpf_prog *prog;
	struct ebpf_err err;

	ck_assert_msg(ebpf_prog_load_trusted(&type, p->insns, p->n, NULL, &prog, &err) == 0,
		      "%s: %s", what, err.text);
	run_all(prog, rng, out);
	for (size_t e = 1; e < N_ELEMS(engines); e++) {
		ck_assert_msg(out[e].r0 == out[0].r0, "%s: r0 %" PRIx64 ", one by one %" PRIx64,
			      what, out[e].r0, out[0].r0);
		for (size_t i = 0; i < MEM_SIZE; i++)
			ck_assert_msg(out[e].mem[i] == out[0].mem[i], "%s: r%zu differs", what,
				      (i - N_BYTES) / 8);
	}
	ebpf_prog_put(prog);
}

/* The label that slot `at` of the program gets, as an index of the fused ones. */
static int
fused_at(const struct program *p, size_t at)
{
	const void *const *labels = (const void *const *)(uintptr_t)interp_labels(NULL, 0, 0);
	struct ebpf_prog *prog;
	int found = -1;

	ck_assert_int_eq(ebpf_prog_load_trusted(&type, p->insns, p->n, NULL, &prog, NULL), 0);
	ck_assert_int_eq(ebpf_prog_set_run(prog, interp_labels), 0);
	for (int id = 0; id < EBPF_N_FUSED; id++) {
		if (prog->code[at].label == labels[EBPF_N_OPS + 1 + id])
			found = id;
	}
	ebpf_prog_put(prog);
	return found;
}

START_TEST(a_run_does_what_its_slots_do)
{
	const struct ebpf_run *run = &ebpf_runs[_i];
	uint64_t rng = suite_seed(0xf05e + (uint64_t)_i);

	for (uint64_t n = 0; n < suite_scaled(700); n++) {
		struct program p = { .n = 0 };
		size_t at;

		add_prologue(&p, &rng);
		at = p.n;
		add_run(&p, run, &rng);
		add_epilogue(&p);
		add_outs(&p, run, at, &rng);
		if (n < 20)
			ck_assert_msg(fused_at(&p, at) == _i, "%s is not found", run->name);
		compare(&p, run->name, &rng);
	}
}
END_TEST

/* Constants of one register tested one after the other, each with its own way out. */
START_TEST(chains_of_tests_stop_where_they_should)
{
	uint64_t rng = suite_seed(0xc4a1);

	for (uint64_t n = 0; n < suite_scaled(3000); n++) {
		struct program p = { .n = 0 };
		size_t links = 1 + rng_below(&rng, 8);

		add_prologue(&p, &rng);
		for (size_t i = 0; i < links; i++) {
			add_run(&p, &ebpf_runs[EBPF_FUSED_CMP_JEQ], &rng);
			/* forward to some later link or the end, never into a link */
			p.insns[p.n - 1].off =
				(int16_t)(2 * rng_below(&rng, (uint32_t)(links - i)));
		}
		add_epilogue(&p);
		compare(&p, "chain", &rng);
	}
}
END_TEST

/* Operands that a body does not provide for. */
START_TEST(operands_that_do_not_agree_are_not_fused)
{
	static const struct {
		int id;
		size_t slot;
		uint8_t dst, src;
		int16_t off;
	} spoilt[] = {
		{ EBPF_FUSED_PROLOGUE, 1, DATA, MEM, 8 },
		{ EBPF_FUSED_ENTRY, 1, X, 0, 1 },
		{ EBPF_FUSED_ENTRY_JEQ, 3, BYTES, X, 0 },
		{ EBPF_FUSED_ENTRY_JNE, 0, FRAME_LEN, MEM, 0 },
		{ EBPF_FUSED_ENTRY_JNE_OUT, 2, DATA, EBPF_R1, N_BYTES },
		{ EBPF_FUSED_ENTRY_JNE_OUT, 1, FRAME_LEN, 0, 1 },
		{ EBPF_FUSED_ENTRY_TWICE_JNE_OUT, 5, BYTES, 0, 1 },
		{ EBPF_FUSED_ENTRY_TWICE_JNE, 4, X, 0, 1 },
		{ EBPF_FUSED_ENTRY_LAST_JEQ, 4, BYTES, 0, 1 },
		{ EBPF_FUSED_ENTRY_LAST_JNE, 2, FRAME, MEM, N_BYTES },
		{ EBPF_FUSED_FRAME_B_JNE_OUT, 0, BYTES, DATA, 0 },
		{ EBPF_FUSED_FRAME_H_JSET_OUT, 1, BYTES, 0, 1 },
		{ EBPF_FUSED_ONCE_W_JLE_OUT, 1, A, 0, -1 },
		{ EBPF_FUSED_JLT_W_JEQ_OUT, 0, LEN, 0, 1 },
		{ EBPF_FUSED_THRICE_B_JNE_OUT, 2, X, 0, 1 },
		{ EBPF_FUSED_MASKED_W_JNE, 1, X, 0, 0 },
		{ EBPF_FUSED_MASKED_B_JEQ_OUT, 2, A, 0, 1 },
		{ EBPF_FUSED_RANGE_JGT, 1, X, 0, 0 },
		{ EBPF_FUSED_RANGE_JLE_OUT, 3, A, 0, 1 },
		{ EBPF_FUSED_JLT_RANGE_LAST_JGT, 3, X, 0, 0 },
		{ EBPF_FUSED_PORTS_JLT_JEQ, 1, X, 0, 1 },
		{ EBPF_FUSED_PORTS_JSLT_JNE, 2, LEN, 0, 1 },
		{ EBPF_FUSED_HOSTS_JNE_OUT, 3, BYTES, DATA, 0 },
		{ EBPF_FUSED_HOSTS_JNE32_OUT, 2, LEN, 0, 1 },
		{ EBPF_FUSED_TRANSPORT, 2, BYTES, DATA, 0 },
		{ EBPF_FUSED_TRANSPORT, 3, A, 0, 1 },
		{ EBPF_FUSED_TRANSPORT_SAME, 8, LEN, 0, 1 },
		{ EBPF_FUSED_TRANSPORT_SAME, 7, LEN, X, 0 },
		{ EBPF_FUSED_HLEN_SAME, 3, LEN, X, 0 },
		{ EBPF_FUSED_TEST_LAST_JEQ, 0, A, 0, 1 },
		{ EBPF_FUSED_LAST_B_JEQ, 1, A, 0, 1 },
		{ EBPF_FUSED_LAST_H_JSET, 2, X, 0, 0 },
		{ EBPF_FUSED_JLT_LAST_W_JNE, 2, A, 0, 1 },
		{ EBPF_FUSED_HLEN, 1, X, 0, 0 },
		{ EBPF_FUSED_HLEN, 4, U, X, 0 },
		{ EBPF_FUSED_HLEN, 6, U, DATA, 0 },
		{ EBPF_FUSED_TWICE_H_JNE, 1, X, 0, 1 },
		{ EBPF_FUSED_ONCE_B_JSET, 1, X, 0, 1 },
		{ EBPF_FUSED_JSLT_W_JEQ, 2, X, 0, 1 },
		{ EBPF_FUSED_ABS_W, 0, LEN, 0, 3 },
		{ EBPF_FUSED_ABS_H, 1, 4, 0, 0 },
		{ EBPF_FUSED_ABS_H_JEQ, 4, 4, 0, 0 },
		{ EBPF_FUSED_MSH, 5, 4, 0, 0 },
		{ EBPF_FUSED_IND_B, 1, 4, 0, 0 },
		{ EBPF_FUSED_IND_W, 3, U, X, 0 },
		{ EBPF_FUSED_IND_H, 7, T, U, 0 },
		{ EBPF_FUSED_CMP_JNE, 1, A, U, 1 },
		{ EBPF_FUSED_CMP_JGT, 1, T, T, 1 },
		{ EBPF_FUSED_RET_K, 0, 4, 0, 0 },
	};
	uint64_t rng = suite_seed(0x5b011);

	for (size_t i = 0; i < N_ELEMS(spoilt); i++) {
		const struct ebpf_run *run = &ebpf_runs[spoilt[i].id];
		struct program p = { .n = 0 };
		struct ebpf_insn *insn;
		size_t at;

		add_prologue(&p, &rng);
		at = p.n;
		add_run(&p, run, &rng);
		add_epilogue(&p);
		add_outs(&p, run, at, &rng);
		insn = &p.insns[at + spoilt[i].slot];
		insn->dst_reg = spoilt[i].dst & 0xf;
		insn->src_reg = spoilt[i].src & 0xf;
		insn->off = spoilt[i].off;
		ck_assert_msg(fused_at(&p, at) != spoilt[i].id, "%s, slot %zu", run->name,
			      spoilt[i].slot);
	}
}
END_TEST

/* Contexts of a type whose runs have their data fetched beforehand. */
struct context {
	const uint8_t *data;
	uint32_t number;
};

START_TEST(many_runs_are_so_many_single_ones)
{
	static const struct ebpf_prog_type with_data = {
		.name = "data", .data_near = 1, .data_off = offsetof(struct context, data),
	};
	/* r0 = number; below 10 it is returned by way of a loop, which calls or does not */
	static const struct {
		const char *text;
		ebpf_run_fn run[2];
		ebpf_many_fn many[2];
	} kinds[] = {
		{ "r0 = *(u32 *)(r1 +8)\nr6 = r0\nif r0 > 0xa goto pc+3\n"
		  "call pc+3\nr6 += -1\nif r6 s> 0x0 goto pc-3\nexit\nr0 += 1000\nexit\n",
		  { interp_labels, interp_switch }, { interp_labels_many, interp_switch_many } },
		{ "r0 = *(u32 *)(r1 +8)\nr6 = r0\nif r0 > 0xa goto pc+3\n"
		  "r0 += 1000\nr6 += -1\nif r6 s> 0x0 goto pc-3\nexit\n",
		  { leaf_labels, leaf_switch }, { leaf_labels_many, leaf_switch_many } },
	};
	enum { N = 40 };
	struct context contexts[N];
	uint8_t byte = 0;
	struct ebpf_insn *insns;
	struct ebpf_prog *prog;
	struct ebpf_err err;
	size_t n_insns;

	_Static_assert(offsetof(struct context, number) == sizeof(void *), "the load's offset");
	for (uint32_t i = 0; i < N; i++)
		contexts[i] = (struct context) { &byte, i };
	ck_assert_int_eq(ebpf_asm(kinds[_i].text, strlen(kinds[_i].text), &insns, &n_insns, &err),
			 0);
	insns[0].off = offsetof(struct context, number);
	ck_assert_msg(ebpf_prog_load_trusted(&with_data, insns, n_insns, NULL, &prog, &err) == 0,
		      "%s", err.text);
	/* lengths around the distance at which data is fetched; none written past the end */
	for (size_t n = 0; n <= N; n++) {
		uint32_t results[2][N + 1];

		memset(results, 0xa5, sizeof(results));
		for (int v = 0; v < 2; v++) {
			ck_assert_int_eq(ebpf_prog_set_run(prog, kinds[_i].run[v]), 0);
			kinds[_i].many[v](prog, contexts, sizeof(*contexts), n, results[v]);
		}
		for (size_t i = 0; i < n; i++) {
			uint64_t r0 = ebpf_prog_run(prog, (uintptr_t)&contexts[i], 0);

			ck_assert_uint_eq(results[0][i], (uint32_t)r0);
			ck_assert_uint_eq(results[1][i], (uint32_t)r0);
			ck_assert_uint_eq(r0, i > 10 ? i : i + 1000 * (i > 0 ? i : 1));
		}
		ck_assert_uint_eq(results[0][n], 0xa5a5a5a5);
		ck_assert_uint_eq(results[1][n], 0xa5a5a5a5);
	}
	ebpf_prog_put(prog);
	free(insns);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("ebpf/fuse");
	TCase *tc = tcase_create("runs");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, a_run_does_what_its_slots_do, 0, EBPF_N_FUSED);
	tcase_add_test(tc, chains_of_tests_stop_where_they_should);
	tcase_add_loop_test(tc, many_runs_are_so_many_single_ones, 0, 2);
	tcase_add_test(tc, operands_that_do_not_agree_are_not_fused);
	suite_add_tcase(s, tc);
	return s;
}
