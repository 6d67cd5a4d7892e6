/* SPDX-License-Identifier: BSD-2-Clause */
#include "ebpf/verify_flow.h"

#include "ebpf/err.h"
#include "ebpf/insn.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define REG(r) ((uint16_t)(1u << (r)))
#define ARGS (REG(1) | REG(2) | REG(3) | REG(4) | REG(5))

const struct ebpf_verify_helper *
ebpf_verify_helper_of(const struct ebpf_verify_env *env, int32_t id)
{
	for (size_t i = 0; i < env->n_helpers; i++) {
		if (env->helpers[i].id == id)
			return &env->helpers[i];
	}
	return NULL;
}

const struct ebpf_verify_global *
ebpf_verify_global_of(const struct ebpf_verify_env *env, uint32_t start)
{
	for (size_t i = 0; i < env->n_globals; i++) {
		if (env->globals[i].start == start)
			return &env->globals[i];
	}
	return NULL;
}

unsigned
ebpf_flow_next(const struct ebpf_insn *insns, uint32_t pc, uint32_t next[2])
{
	const struct ebpf_insn *insn = &insns[pc];
	enum ebpf_op row = (enum ebpf_op)ebpf_op_of(insn);

	next[0] = pc + 1 + ebpf_code_is_wide(insn->code);
	switch ((enum ebpf_form)ebpf_ops[row].form) {
	case EBPF_FORM_EXIT:
		return 0;
	case EBPF_FORM_JA32:
		next[0] = (uint32_t)((int64_t)pc + 1 + insn->imm);
		return 1;
	case EBPF_FORM_JA:
	case EBPF_FORM_JMP_K:
	case EBPF_FORM_JMP_X:
		if (row == EBPF_OP_JA) {
			next[0] = (uint32_t)((int64_t)pc + 1 + insn->off);
			return 1;
		}
		next[1] = (uint32_t)((int64_t)pc + 1 + insn->off);
		return 2;
	default:        /* of the forms, not of the rows: all others go on */
		return 1;
	}
}

static int
find_functions(struct ebpf_flow *flow, const struct ebpf_insn *insns, struct ebpf_err *err)
{
	flow->marks[0] |= EBPF_FLOW_FUNC;
	for (uint32_t pc = 0; pc < flow->n_insns; pc++) {
		if (ebpf_op_of(&insns[pc]) == EBPF_OP_CALL_LOCAL)
			flow->marks[(int64_t)pc + 1 + insns[pc].imm] |= EBPF_FLOW_FUNC;
		if (ebpf_code_is_wide(insns[pc].code))
			flow->marks[++pc] |= EBPF_FLOW_SECOND;
	}
	for (uint32_t pc = 0; pc < flow->n_insns; pc++) {
		if (flow->marks[pc] & EBPF_FLOW_FUNC) {
			if (flow->n_funcs == EBPF_MAX_FUNCS)
				return ebpf_err_set(err, -E2BIG, "insn %u: more than %d functions",
						    pc, EBPF_MAX_FUNCS);
			flow->starts[flow->n_funcs++] = pc;
		}
		flow->func_of[pc] = (uint16_t)(flow->n_funcs - 1);
	}
	return 0;
}

/* Depth first from a function's start; a jump onto the path is a loop. */
static void
walk_function(struct ebpf_flow *flow, const struct ebpf_insn *insns, uint32_t start,
	      uint32_t *stack)
{
	size_t depth = 0;

	if (flow->marks[start] & EBPF_FLOW_REACHED)
		return;
	flow->marks[start] |= EBPF_FLOW_REACHED | EBPF_FLOW_ON_PATH;
	stack[depth++] = start;
	while (depth > 0) {
		uint32_t pc = stack[depth - 1], next[2];
		unsigned n = ebpf_flow_next(insns, pc, next), i;

		for (i = 0; i < n; i++) {
			uint8_t *mark = &flow->marks[next[i]];

			if (*mark & EBPF_FLOW_ON_PATH)
				flow->has_loops = true;
			if (*mark & EBPF_FLOW_REACHED)
				continue;
			*mark |= EBPF_FLOW_REACHED | EBPF_FLOW_ON_PATH;
			stack[depth++] = next[i];
			break;
		}
		if (i == n) {
			flow->marks[pc] &= (uint8_t)~EBPF_FLOW_ON_PATH;
			depth--;
		}
	}
}

/* Each function is called by a reached one, or was not reached itself. */
static int
check_reached(struct ebpf_flow *flow, const struct ebpf_insn *insns, struct ebpf_err *err)
{
	uint32_t *stack = calloc(flow->n_insns, sizeof(*stack));
	bool grew = true;

	assert(flow->n_insns > 0); /* a program that is empty is refused before */
	if (stack == NULL)
		return ebpf_err_set(err, -ENOMEM, "verify: out of memory");
	walk_function(flow, insns, 0, stack);
	while (grew) {
		grew = false;
		for (uint32_t pc = 0; pc < flow->n_insns; pc++) {
			uint32_t to = (uint32_t)((int64_t)pc + 1 + insns[pc].imm);

			if (!(flow->marks[pc] & EBPF_FLOW_REACHED) ||
			    ebpf_op_of(&insns[pc]) != EBPF_OP_CALL_LOCAL ||
			    flow->marks[to] & EBPF_FLOW_REACHED)
				continue;
			walk_function(flow, insns, to, stack);
			grew = true;
		}
	}
	free(stack);
	for (uint32_t pc = 0; pc < flow->n_insns; pc++) {
		if (!(flow->marks[pc] & (EBPF_FLOW_REACHED | EBPF_FLOW_SECOND)))
			return ebpf_err_set(err, -EINVAL, "insn %u: unreachable", pc);
	}
	return 0;
}

static void
mark_joins(struct ebpf_flow *flow, const struct ebpf_insn *insns)
{
	for (uint32_t pc = 0; pc < flow->n_insns; pc++) {
		enum ebpf_op row;
		uint32_t next[2];
		unsigned n;

		if (flow->marks[pc] & EBPF_FLOW_SECOND)
			continue;
		row = (enum ebpf_op)ebpf_op_of(&insns[pc]);
		n = ebpf_flow_next(insns, pc, next);
		if (n == 2 || row == EBPF_OP_JA || row == EBPF_OP_JA32)
			flow->marks[next[n - 1]] |= EBPF_FLOW_JOIN;
		if (row == EBPF_OP_MAY_GOTO || flow->marks[pc] & EBPF_FLOW_FUNC)
			flow->marks[pc] |= EBPF_FLOW_JOIN;
		if (row == EBPF_OP_CALL_LOCAL)
			flow->marks[pc + 1] |= EBPF_FLOW_JOIN;
	}
}

/* ---- live registers ---- */

static uint16_t
helper_reads(const struct ebpf_verify_env *env, int32_t id)
{
	const struct ebpf_verify_helper *h = ebpf_verify_helper_of(env, id);
	uint16_t reads = 0;

	for (unsigned i = 0; h != NULL && i < 5; i++) {
		if (h->args[i] != EBPF_ARG_NONE)
			reads |= REG(i + 1);
	}
	return reads;
}

/* A function that may be replaced is given all that it could read. */
static uint16_t
function_reads(const struct ebpf_flow *flow, uint32_t start, const struct ebpf_verify_env *env)
{
	const struct ebpf_verify_global *g = ebpf_verify_global_of(env, start);
	uint16_t reads = 0;

	if (g == NULL)
		return flow->live[start] & ARGS;
	for (unsigned i = 0; i < 5; i++) {
		if (g->args[i] != EBPF_ARG_NONE)
			reads |= REG(i + 1);
	}
	return reads;
}

/* What an instruction reads and writes; reading too much only costs time. */
static void
effects(const struct ebpf_flow *flow, const struct ebpf_insn *insns, uint32_t pc,
	const struct ebpf_verify_env *env, uint16_t *reads, uint16_t *writes)
{
	const struct ebpf_insn *insn = &insns[pc];
	enum ebpf_op row = (enum ebpf_op)ebpf_op_of(insn);
	uint16_t dst = REG(insn->dst_reg), src = REG(insn->src_reg);

	*reads = *writes = 0;
	switch ((enum ebpf_form)ebpf_ops[row].form) {
	case EBPF_FORM_ALU_K:
	case EBPF_FORM_ALU_X:
		if ((insn->code & 0xf0) != EBPF_MOV)
			*reads |= dst;
		if ((insn->code & 0x08) == EBPF_X)
			*reads |= src;
		*writes = dst;
		break;
	case EBPF_FORM_NEG:
	case EBPF_FORM_END:
		*reads = dst;
		*writes = dst;
		break;
	case EBPF_FORM_MOVSX:
	case EBPF_FORM_LDX:
	case EBPF_FORM_LOAD_ACQ:
		*reads = src;
		*writes = dst;
		break;
	case EBPF_FORM_JMP_K:
		*reads = dst;
		break;
	case EBPF_FORM_JMP_X:
	case EBPF_FORM_STX:
	case EBPF_FORM_ATOMIC:
	case EBPF_FORM_FETCH:
	case EBPF_FORM_XCHG:
	case EBPF_FORM_STORE_REL:
		*reads = dst | src;
		break;
	case EBPF_FORM_CMPXCHG:
		*reads = dst | src | REG(0);
		break;
	case EBPF_FORM_ST:
		*reads = dst;
		break;
	case EBPF_FORM_LDDW:
		*writes = dst;
		break;
	case EBPF_FORM_CALL:
		*reads = helper_reads(env, insn->imm);
		*writes = REG(0) | ARGS;
		break;
	case EBPF_FORM_CALL_LOCAL:
		*reads = function_reads(flow, (uint32_t)((int64_t)pc + 1 + insn->imm), env);
		*writes = REG(0) | ARGS;
		break;
	case EBPF_FORM_LDABS:
	case EBPF_FORM_LDIND:
		*reads = REG(6) | (ebpf_ops[row].form == EBPF_FORM_LDIND ? src : 0);
		*writes = REG(0) | ARGS;
		break;
	case EBPF_FORM_EXIT:
		*reads = REG(0);
		break;
	case EBPF_FORM_JA:
	case EBPF_FORM_JA32:
		break;
	}
}

static void
find_live(struct ebpf_flow *flow, const struct ebpf_insn *insns,
	  const struct ebpf_verify_env *env)
{
	bool grew = true;

	while (grew) {
		grew = false;
		for (uint32_t pc = flow->n_insns; pc-- > 0;) {
			uint16_t reads, writes, live = 0;
			uint32_t next[2];
			unsigned n;

			if (flow->marks[pc] & EBPF_FLOW_SECOND)
				continue;
			n = ebpf_flow_next(insns, pc, next);
			for (unsigned i = 0; i < n; i++)
				live |= flow->live[next[i]];
			effects(flow, insns, pc, env, &reads, &writes);
			live = (uint16_t)((live & ~writes) | reads);
			if (live != flow->live[pc])
				grew = true;
			flow->live[pc] = live;
		}
	}
}

int
ebpf_flow_make(struct ebpf_flow *flow, const struct ebpf_insn *insns, size_t n,
	       const struct ebpf_verify_env *env, struct ebpf_err *err)
{
	int rc;

	*flow = (struct ebpf_flow){ .n_insns = (uint32_t)n };
	flow->marks = calloc(n, sizeof(*flow->marks));
	flow->live = calloc(n, sizeof(*flow->live));
	flow->func_of = calloc(n, sizeof(*flow->func_of));
	if (flow->marks == NULL || flow->live == NULL || flow->func_of == NULL)
		return ebpf_err_set(err, -ENOMEM, "verify: out of memory");
	if ((rc = find_functions(flow, insns, err)) < 0 ||
	    (rc = check_reached(flow, insns, err)) < 0)
		return rc;
	mark_joins(flow, insns);
	find_live(flow, insns, env);
	return 0;
}

void
ebpf_flow_free(struct ebpf_flow *flow)
{
	free(flow->func_of);
	free(flow->live);
	free(flow->marks);
}
