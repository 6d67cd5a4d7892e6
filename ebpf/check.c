/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two checks that follow no path: the form of each instruction, for every
 * program, and the structure of the whole, without which the fast interpreter
 * could leave the program.  Nothing here looks at values or memory; that is
 * the verifier's job.
 */
#include "ebpf/check.h"

#include "ebpf/err.h"
#include "ebpf/helper.h"
#include "ebpf/insn.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

/* ---- form ---- */

/* Whether an instruction of this form writes the register in its field dst. */
static bool
writes_dst(enum ebpf_form form)
{
	switch (form) {
	case EBPF_FORM_ALU_K:
	case EBPF_FORM_ALU_X:
	case EBPF_FORM_NEG:
	case EBPF_FORM_MOVSX:
	case EBPF_FORM_END:
	case EBPF_FORM_LDX:
	case EBPF_FORM_LOAD_ACQ:
	case EBPF_FORM_LDDW:
		return true;
	case EBPF_FORM_JMP_K:
	case EBPF_FORM_JMP_X:
	case EBPF_FORM_JA:
	case EBPF_FORM_JA32:
	case EBPF_FORM_CALL:
	case EBPF_FORM_CALL_LOCAL:
	case EBPF_FORM_EXIT:
	case EBPF_FORM_ST:
	case EBPF_FORM_STX:
	case EBPF_FORM_ATOMIC:
	case EBPF_FORM_FETCH:
	case EBPF_FORM_XCHG:
	case EBPF_FORM_CMPXCHG:
	case EBPF_FORM_STORE_REL:
	case EBPF_FORM_LDABS:
	case EBPF_FORM_LDIND:
		return false;
	}
	return false;
}

static bool
writes_src(enum ebpf_form form)
{
	return form == EBPF_FORM_FETCH || form == EBPF_FORM_XCHG;
}

/* Why no row of the table is this instruction. */
static int
refuse_unknown(const struct ebpf_insn *insn, size_t pc, struct ebpf_err *err)
{
	if (insn->code == (EBPF_JMP | EBPF_CALL | EBPF_X))
		return ebpf_err_set(err, -EINVAL, "insn %zu: call through a register", pc);
	if (insn->code == (EBPF_JMP | EBPF_CALL | EBPF_K) && insn->src_reg == 2)
		return ebpf_err_set(err, -EINVAL, "insn %zu: call of a kernel function", pc);
	for (int row = 0; row < EBPF_N_OPS; row++) {
		const struct ebpf_op_desc *d = &ebpf_ops[row];

		if (d->code != insn->code)
			continue;
		switch ((enum ebpf_by)d->by) {
		case EBPF_BY_OFF:
			return ebpf_err_set(err, -EINVAL, "insn %zu: code 0x%02x has no form with offset %d",
					    pc, insn->code, insn->off);
		case EBPF_BY_SRC:
			return ebpf_err_set(err, -EINVAL, "insn %zu: code 0x%02x has no form with source %d",
					    pc, insn->code, insn->src_reg);
		case EBPF_BY_IMM:
			return ebpf_err_set(err, -EINVAL,
					    "insn %zu: code 0x%02x has no form with immediate 0x%" PRIx32,
					    pc, insn->code, (uint32_t)insn->imm);
		case EBPF_BY_NONE:
			break;
		}
	}
	return ebpf_err_set(err, -EINVAL, "insn %zu: unknown code 0x%02x", pc, insn->code);
}

/* Rows that the table has and no program type here. */
static int
check_supported(const struct ebpf_prog_type *type, const struct ebpf_op_desc *d, enum ebpf_op row,
		size_t pc, struct ebpf_err *err)
{
	if (type == NULL)
		return 0;
	if (row == EBPF_OP_LDDW_VAR)
		return ebpf_err_set(err, -EINVAL,
				    "insn %zu: loads a %s, and program type %s has none", pc, d->text,
				    type->name);
	if (type->expand == NULL && (d->form == EBPF_FORM_LDABS || d->form == EBPF_FORM_LDIND))
		return ebpf_err_set(err, -EINVAL,
				    "insn %zu: packet load, and program type %s has no packet", pc,
				    type->name);
	return 0;
}

static int
check_unused(const struct ebpf_op_desc *d, const struct ebpf_insn *insn, size_t pc,
	     struct ebpf_err *err)
{
	unsigned int uses = ebpf_form_uses[d->form];

	if (!(uses & EBPF_USES_DST) && insn->dst_reg != 0)
		return ebpf_err_set(err, -EINVAL, "insn %zu: unused destination is %d, not 0", pc,
				    insn->dst_reg);
	if (!(uses & EBPF_USES_SRC) && d->by != EBPF_BY_SRC && insn->src_reg != 0)
		return ebpf_err_set(err, -EINVAL, "insn %zu: unused source is %d, not 0", pc,
				    insn->src_reg);
	if (!(uses & EBPF_USES_OFF) && d->by != EBPF_BY_OFF && insn->off != 0)
		return ebpf_err_set(err, -EINVAL, "insn %zu: unused offset is %d, not 0", pc,
				    insn->off);
	if (!(uses & EBPF_USES_IMM) && d->by != EBPF_BY_IMM && insn->imm != 0)
		return ebpf_err_set(err, -EINVAL, "insn %zu: unused immediate is %" PRId32 ", not 0",
				    pc, insn->imm);
	return 0;
}

static int
check_registers(const struct ebpf_op_desc *d, const struct ebpf_insn *insn, size_t pc,
		struct ebpf_err *err)
{
	unsigned int uses = ebpf_form_uses[d->form];

	if ((uses & EBPF_USES_DST) && insn->dst_reg >= EBPF_MAX_REG)
		return ebpf_err_set(err, -EINVAL, "insn %zu: no register r%d", pc, insn->dst_reg);
	if ((uses & EBPF_USES_SRC) && insn->src_reg >= EBPF_MAX_REG)
		return ebpf_err_set(err, -EINVAL, "insn %zu: no register r%d", pc, insn->src_reg);
	if ((writes_dst((enum ebpf_form)d->form) && insn->dst_reg == EBPF_R10) ||
	    (writes_src((enum ebpf_form)d->form) && insn->src_reg == EBPF_R10))
		return ebpf_err_set(err, -EINVAL, "insn %zu: writes r10, which is read-only", pc);
	return 0;
}

static int
check_second_slot(const struct ebpf_insn *insns, size_t n_insns, size_t pc, struct ebpf_err *err)
{
	const struct ebpf_insn *second = &insns[pc + 1];

	if (n_insns - pc < 2)
		return ebpf_err_set(err, -EINVAL, "insn %zu: second half is missing", pc);
	if (second->code != 0 || second->dst_reg != 0 || second->src_reg != 0 || second->off != 0)
		return ebpf_err_set(err, -EINVAL, "insn %zu: second half has more than an immediate",
				    pc);
	return 0;
}

int
ebpf_check_form(const struct ebpf_prog_type *type, const struct ebpf_insn *insns, size_t n_insns,
		struct ebpf_err *err)
{
	for (size_t pc = 0; pc < n_insns; pc++) {
		const struct ebpf_insn *insn = &insns[pc];
		const struct ebpf_op_desc *d;
		int row = ebpf_op_of(insn), rc;

		if (row < 0)
			return refuse_unknown(insn, pc, err);
		d = &ebpf_ops[row];
		if ((rc = check_supported(type, d, (enum ebpf_op)row, pc, err)) < 0 ||
		    (rc = check_unused(d, insn, pc, err)) < 0 ||
		    (rc = check_registers(d, insn, pc, err)) < 0)
			return rc;
		if (ebpf_code_is_wide(insn->code)) {
			if ((rc = check_second_slot(insns, n_insns, pc, err)) < 0)
				return rc;
			pc++;
		}
	}
	return 0;
}

/* ---- structure ---- */

/* What is known of each slot and each function. */
struct layout {
	uint32_t *func_of;      /* by slot: its function, in the order of their starts */
	uint8_t *marks;         /* by slot */
	uint8_t *level;         /* by function: frames when it runs; 0: never called */
	size_t n_funcs;
};

enum { STARTS_FUNC = 1, IS_SECOND = 2 };

static bool
is_call_local(const struct ebpf_insn *insn)
{
	return ebpf_op_of(insn) == EBPF_OP_CALL_LOCAL;
}

/* Whether insn jumps, and if so how far from the slot after it. */
static bool
is_jump(const struct ebpf_insn *insn, int64_t *distance)
{
	int row = ebpf_op_of(insn);

	switch (row < 0 ? EBPF_FORM_EXIT : (enum ebpf_form)ebpf_ops[row].form) {
	case EBPF_FORM_JMP_K:
	case EBPF_FORM_JMP_X:
	case EBPF_FORM_JA:
		*distance = insn->off;
		return true;
	case EBPF_FORM_JA32:
		*distance = insn->imm;
		return true;
	default:        /* of the forms, not of the rows: all others do not jump */
		return false;
	}
}

static int
check_target(const struct layout *l, size_t n_insns, size_t pc, int64_t distance,
	     const char *what, struct ebpf_err *err)
{
	int64_t to = (int64_t)pc + 1 + distance;

	if (to < 0 || to >= (int64_t)n_insns)
		return ebpf_err_set(err, -EINVAL, "insn %zu: %s to %" PRId64
				    ", but the program has %zu", pc, what, to, n_insns);
	if (l->marks[to] & IS_SECOND)
		return ebpf_err_set(err, -EINVAL,
				    "insn %zu: %s to %" PRId64 ", the second half of an instruction",
				    pc, what, to);
	return 0;
}

static int
find_functions(struct layout *l, const struct ebpf_insn *insns, size_t n_insns,
	       struct ebpf_err *err)
{
	for (size_t pc = 0; pc < n_insns; pc++) {
		if (ebpf_code_is_wide(insns[pc].code))
			l->marks[++pc] |= IS_SECOND;
	}
	l->marks[0] |= STARTS_FUNC;
	for (size_t pc = 0; pc < n_insns; pc++) {
		int rc;

		if (l->marks[pc] & IS_SECOND || !is_call_local(&insns[pc]))
			continue;
		if ((rc = check_target(l, n_insns, pc, insns[pc].imm, "call", err)) < 0)
			return rc;
		l->marks[(int64_t)pc + 1 + insns[pc].imm] |= STARTS_FUNC;
	}
	for (size_t pc = 0; pc < n_insns; pc++) {
		l->n_funcs += l->marks[pc] & STARTS_FUNC;
		l->func_of[pc] = (uint32_t)l->n_funcs - 1;
	}
	return 0;
}

static int
check_jumps(const struct layout *l, const struct ebpf_insn *insns, size_t n_insns,
	    struct ebpf_err *err)
{
	for (size_t pc = 0; pc < n_insns; pc++) {
		int64_t distance;
		int rc;

		if (l->marks[pc] & IS_SECOND || !is_jump(&insns[pc], &distance))
			continue;
		if ((rc = check_target(l, n_insns, pc, distance, "jump", err)) < 0)
			return rc;
		if (l->func_of[(int64_t)pc + 1 + distance] != l->func_of[pc])
			return ebpf_err_set(err, -EINVAL,
					    "insn %zu: jump to %" PRId64 ", into another function", pc,
					    (int64_t)pc + 1 + distance);
	}
	return 0;
}

/* No function may run into the next, nor the last one off the end. */
static int
check_ends(const struct layout *l, const struct ebpf_insn *insns, size_t n_insns,
	   struct ebpf_err *err)
{
	for (size_t pc = 0; pc < n_insns; pc++) {
		int row = l->marks[pc] & IS_SECOND ? -1 : ebpf_op_of(&insns[pc]);

		if (pc + 1 < n_insns && !(l->marks[pc + 1] & STARTS_FUNC))
			continue;
		if (row != EBPF_OP_EXIT && row != EBPF_OP_JA && row != EBPF_OP_JA32)
			return ebpf_err_set(err, -EINVAL,
					    "insn %zu: last of its function, but neither exit nor goto",
					    pc);
	}
	return 0;
}

static int
check_helpers(const struct layout *l, const struct ebpf_prog_type *type,
	      const struct ebpf_insn *insns, size_t n_insns, struct ebpf_err *err)
{
	for (size_t pc = 0; type != NULL && pc < n_insns; pc++) {
		if (l->marks[pc] & IS_SECOND || ebpf_op_of(&insns[pc]) != EBPF_OP_CALL)
			continue;
		if (ebpf_helper_index(type, insns[pc].imm) < 0)
			return ebpf_err_set(err, -EINVAL,
					    "insn %zu: program type %s has no helper %" PRId32, pc,
					    type->name, insns[pc].imm);
	}
	return 0;
}

/*
 * The level of a function is one more than that of its deepest caller.  Levels
 * only grow; those in a cycle grow past the limit, so this ends after at most
 * EBPF_MAX_FRAMES rounds over the calls.
 */
static int
check_depth(struct layout *l, const struct ebpf_insn *insns, size_t n_insns, struct ebpf_err *err)
{
	bool grew;

	l->level[0] = 1;
	do {
		grew = false;
		for (size_t pc = 0; pc < n_insns; pc++) {
			uint8_t *callee, level = l->level[l->func_of[pc]];

			if (l->marks[pc] & IS_SECOND || level == 0 || !is_call_local(&insns[pc]))
				continue;
			callee = &l->level[l->func_of[(int64_t)pc + 1 + insns[pc].imm]];
			if (*callee > level)
				continue;
			if (level == EBPF_MAX_FRAMES)
				return ebpf_err_set(err, -E2BIG, "insn %zu: calls nested deeper than %d frames",
						    pc, EBPF_MAX_FRAMES);
			*callee = level + 1;
			grew = true;
		}
	} while (grew);
	return 0;
}

int
ebpf_check_structure(const struct ebpf_prog_type *type, const struct ebpf_insn *insns,
		     size_t n_insns, uint32_t *n_frames, struct ebpf_err *err)
{
	struct layout l = { 0 };
	int rc;

	l.func_of = calloc(n_insns, sizeof(*l.func_of));
	l.marks = calloc(n_insns, sizeof(*l.marks));
	l.level = calloc(n_insns, sizeof(*l.level));
	if (l.func_of == NULL || l.marks == NULL || l.level == NULL) {
		rc = ebpf_err_set(err, -ENOMEM, "program of %zu instructions: out of memory", n_insns);
		goto out;
	}
	if ((rc = find_functions(&l, insns, n_insns, err)) < 0 ||
	    (rc = check_jumps(&l, insns, n_insns, err)) < 0 ||
	    (rc = check_ends(&l, insns, n_insns, err)) < 0 ||
	    (rc = check_helpers(&l, type, insns, n_insns, err)) < 0 ||
	    (rc = check_depth(&l, insns, n_insns, err)) < 0)
		goto out;
	for (size_t i = 0; n_frames != NULL && i < l.n_funcs; i++) {
		if (*n_frames < l.level[i])
			*n_frames = l.level[i];
	}
out:
	free(l.level);
	free(l.marks);
	free(l.func_of);
	return rc;
}

bool
ebpf_is_leaf(const struct ebpf_insn *insns, size_t n_insns)
{
	for (size_t pc = 0; pc < n_insns; pc++) {
		int row = ebpf_op_of(&insns[pc]);

		if (row == EBPF_OP_CALL || row == EBPF_OP_CALL_LOCAL || row == EBPF_OP_MAY_GOTO)
			return false;
		pc += ebpf_code_is_wide(insns[pc].code);
	}
	return true;
}
