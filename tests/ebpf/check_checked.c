/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the checked interpreter tests at each instruction, row by row of the
 * list, in both dispatch variants: jumps out of the program, accesses outside of
 * memory, atomic ones that are not aligned, steps; and that tracing shows each
 * instruction, and changes nothing.
 */
#include "ebpf/insn.h"
#include "tests/ebpf/variants.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEM_SIZE = 16 };

struct program {
	struct ebpf_insn insns[8];
	size_t n;
	size_t at;              /* where the row's instruction is */
};

/* The row's instruction on R3 and R4, with these other fields. */
static struct ebpf_insn
row_insn(int row, int16_t off, int32_t imm)
{
	const struct ebpf_op_desc *d = &ebpf_ops[row];
	unsigned uses = ebpf_form_uses[d->form];
	struct ebpf_insn insn = { .code = d->code };

	if (uses & EBPF_USES_DST)
		insn.dst_reg = 3;
	if (uses & EBPF_USES_SRC)
		insn.src_reg = 4;
	if (uses & EBPF_USES_OFF)
		insn.off = off;
	if (uses & EBPF_USES_IMM)
		insn.imm = imm;
	if (d->by == EBPF_BY_OFF)
		insn.off = (int16_t)d->val;
	else if (d->by == EBPF_BY_SRC)
		insn.src_reg = (uint8_t)d->val & 0xf;
	else if (d->by == EBPF_BY_IMM)
		insn.imm = d->val;
	return insn;
}

/* r3 = ..., r4 = ..., the instruction, exit; registers that are to be R1's are -1. */
static struct program
program_of(struct ebpf_insn insn, int32_t r3, int32_t r4)
{
	struct program p = { .n = 0 };
	const int32_t values[] = { r3, r4 };

	for (uint8_t i = 0; i < 2; i++) {
		bool is_memory = values[i] == -1;

		p.insns[p.n++] = (struct ebpf_insn){
			.code = EBPF_ALU64 | EBPF_MOV | (is_memory ? EBPF_X : EBPF_K),
			.dst_reg = (3 + i) & 0xf,
			.src_reg = is_memory ? EBPF_R1 : 0,
			.imm = is_memory ? 0 : values[i],
		};
	}
	p.at = p.n;
	p.insns[p.n++] = insn;
	if (ebpf_code_is_wide(insn.code))
		p.insns[p.n++] = (struct ebpf_insn){ 0 };
	p.insns[p.n++] = (struct ebpf_insn){ .code = EBPF_JMP | EBPF_EXIT };
	return p;
}

struct seen {
	size_t n;
	size_t pcs[8];
};

static void
see(void *arg, size_t pc, const uint64_t regs[EBPF_MAX_REG])
{
	struct seen *seen = arg;

	(void)regs;
	ck_assert_uint_lt(seen->n, N_ELEMS(seen->pcs));
	seen->pcs[seen->n++] = pc;
}

/* By both variants, traced and not: they agree. */
static int
run(const struct program *p, uint64_t max_steps, struct seen *seen, struct ebpf_err *err)
{
	int first_rc = 0;

	for (int i = 0; i < 4; i++) {
		_Alignas(8) uint8_t mem[MEM_SIZE] = { 1, 2, 3, 4 };
		struct ebpf_run_opts opts = { .size = sizeof(opts), .max_steps = max_steps };
		struct ebpf_err now = { "" };
		struct ebpf_prog *prog;
		uint64_t r0 = 4711;
		int rc;

		*seen = (struct seen){ .n = 0 };
		opts.trace = i & 2 ? see : NULL;
		opts.trace_arg = seen;
		rc = ebpf_prog_load(ebpf_prog_type_raw(), p->insns, p->n, &prog, &now);
		ck_assert_msg(rc == 0, "%s", now.text);
		rc = (i & 1 ? checked_switch : checked_labels)(prog, mem, sizeof(mem), &opts, &r0,
							       &now);
		ebpf_prog_put(prog);
		ck_assert(rc == 0 || r0 == 4711);
		ck_assert_msg(i == 0 || (rc == first_rc && strcmp(now.text, err->text) == 0),
			      "%d %s, not %d %s", rc, now.text, first_rc, err->text);
		first_rc = rc;
		*err = now;
	}
	return first_rc;
}

static bool
is_conditional(int row)
{
	return ebpf_ops[row].form == EBPF_FORM_JMP_K || ebpf_ops[row].form == EBPF_FORM_JMP_X;
}

static struct ebpf_insn
jump_insn(int row, int16_t off, int32_t b)
{
	if (ebpf_ops[row].form == EBPF_FORM_JA32)
		return row_insn(row, 0, off);
	return row_insn(row, off, ebpf_ops[row].form == EBPF_FORM_JMP_K ? b : 0);
}

/* Taken by one of these pairs of operands and not by another, whatever it compares. */
START_TEST(jumps_stay_in_the_program)
{
	static const int32_t operands[][2] = { { 1, 1 }, { 2, 1 }, { 1, 2 }, { 0, 0 }, { 0, 1 } };
	static const int16_t offs[] = { -4, 2, INT16_MIN, INT16_MAX };
	unsigned n_taken = 0, n_not = 0;
	struct seen seen;
	struct ebpf_err err;

	if (!is_conditional(_i) && _i != EBPF_OP_JA && _i != EBPF_OP_JA32)
		return;
	for (size_t i = 0; i < N_ELEMS(operands); i++) {
		int32_t a = operands[i][0], b = operands[i][1];
		struct program p = program_of(jump_insn(_i, 1, b), a, b);
		bool is_taken;

		/* one over the exit, to another */
		p.insns[p.n++] = (struct ebpf_insn){ .code = EBPF_JMP | EBPF_EXIT };
		ck_assert_int_eq(run(&p, 0, &seen, &err), 0);
		ck_assert_uint_eq(seen.n, 4);
		is_taken = seen.pcs[3] == 4;
		n_taken += is_taken;
		n_not += !is_taken;
		for (size_t k = 0; k < N_ELEMS(offs); k++) {
			char expected[80];

			p = program_of(jump_insn(_i, offs[k], b), a, b);
			snprintf(expected, sizeof(expected),
				 "insn 2: jump to %d, but the program has 4", 3 + offs[k]);
			ck_assert_int_eq(run(&p, 0, &seen, &err), is_taken ? -EINVAL : 0);
			ck_assert_str_eq(err.text, is_taken ? expected : "");
		}
	}
	ck_assert_uint_gt(n_taken, 0);
	ck_assert(n_not > 0 || !is_conditional(_i));
}
END_TEST

static unsigned
size_of(uint8_t code)
{
	static const unsigned sizes[] = { 4, 2, 1, 8 };

	return sizes[code >> 3 & 3];
}

START_TEST(accesses_stay_in_memory)
{
	const struct ebpf_op_desc *d = &ebpf_ops[_i];
	bool is_atomic = d->form >= EBPF_FORM_ATOMIC && d->form <= EBPF_FORM_STORE_REL;
	int size = (int)size_of(d->code);
	struct seen seen;
	struct ebpf_err err;

	if (!is_atomic && d->form != EBPF_FORM_LDX && d->form != EBPF_FORM_ST &&
	    d->form != EBPF_FORM_STX)
		return;
	for (int off = -size; off <= MEM_SIZE; off++) {
		bool is_inside = off >= 0 && off + size <= MEM_SIZE;
		bool is_load = d->form == EBPF_FORM_LDX || d->form == EBPF_FORM_LOAD_ACQ;
		struct program p = program_of(row_insn(_i, (int16_t)off, 5), is_load ? 5 : -1,
					      is_load ? -1 : 5);
		char expected[128];
		int rc = run(&p, 0, &seen, &err);

		if (is_inside && is_atomic && off % size != 0) {
			ck_assert_int_eq(rc, -EFAULT);
			snprintf(expected, sizeof(expected), "insn 2: atomic access of %d bytes at", size);
			ck_assert_mem_eq(err.text, expected, strlen(expected));
		} else if (is_inside) {
			ck_assert_msg(rc == 0, "%s", err.text);
		} else {
			ck_assert_int_eq(rc, -EFAULT);
			snprintf(expected, sizeof(expected),
				 "insn 2: %d bytes at offset %d of the memory, which has 16", size, off);
			ck_assert_str_eq(err.text, expected);
		}
	}
}
END_TEST

/* Each instruction that goes on to the next is seen, and takes a step. */
START_TEST(steps_are_counted_and_traced)
{
	const struct ebpf_op_desc *d = &ebpf_ops[_i];
	bool is_access = d->form >= EBPF_FORM_LDX && d->form <= EBPF_FORM_STORE_REL;
	bool is_load = d->form == EBPF_FORM_LDX || d->form == EBPF_FORM_LOAD_ACQ;
	bool is_64 = EBPF_CLASS(d->code) != EBPF_ALU || d->form != EBPF_FORM_END;
	struct program p = program_of(row_insn(_i, 0, is_64 ? 0 : 16),
				      is_access && !is_load ? -1 : 5, is_load ? -1 : 5);
	struct seen seen;
	struct ebpf_err err;

	if (d->form == EBPF_FORM_CALL || d->form == EBPF_FORM_CALL_LOCAL ||
	    d->form == EBPF_FORM_EXIT || d->form == EBPF_FORM_LDABS || d->form == EBPF_FORM_LDIND ||
	    (d->form == EBPF_FORM_LDDW && _i != EBPF_OP_LDDW))
		return;
	ck_assert_msg(run(&p, 0, &seen, &err) == 0, "%s: %s", d->name, err.text);
	ck_assert_uint_eq(seen.n, 4);
	ck_assert_uint_eq(seen.pcs[2], p.at);
	ck_assert_uint_eq(seen.pcs[3], p.n - 1);
	ck_assert_int_eq(run(&p, 4, &seen, &err), 0);
	for (uint64_t steps = 1; steps <= 3; steps++) {
		char expected[80];

		ck_assert_int_eq(run(&p, steps, &seen, &err), -ELOOP);
		ck_assert_uint_eq(seen.n, steps);
		snprintf(expected, sizeof(expected),
			 "insn %zu: still running after %d instructions",
			 steps == 3 ? p.n - 1 : (size_t)steps, (int)steps);
		ck_assert_str_eq(err.text, expected);
	}
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("ebpf/interp_checked");
	TCase *tc = tcase_create("rows");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, jumps_stay_in_the_program, 0, EBPF_N_OPS);
	tcase_add_loop_test(tc, accesses_stay_in_memory, 0, EBPF_N_OPS);
	tcase_add_loop_test(tc, steps_are_counted_and_traced, 0, EBPF_N_OPS);
	suite_add_tcase(s, tc);
	return s;
}
