/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The walk: all paths, depth first, one instruction after another.
 *
 *   verify_flow.c    what is known before: functions, joins, live registers
 *   verify_state.c   what is known at a point of a path, and comparing it
 *   verify_prune.c   ending paths that bring nothing new
 *   verify_alu.c, verify_branch.c, verify_mem.c, verify_call.c
 *                    what instructions do to a state, and what they may not
 *   scalar.c, tnum.c the numbers
 */
#include "config.h"

#include "ebpf/verify.h"

#include "ebpf/check.h"
#include "ebpf/err.h"
#include "ebpf/insn.h"
#include "ebpf/verify_prune.h"
#include "ebpf/verify_walk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_MAX_VISITED = 1000000, MAX_PENDING = 8192 };

/* ---- what the verifier's files share ---- */

int
ebpf_walk_refuse(struct walk *w, int rc, const char *fmt, ...)
{
	char why[EBPF_ERR_SIZE];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	return ebpf_err_set(w->err, rc, "insn %u: %.480s", w->at, why);
}

int
ebpf_walk_no_memory(struct walk *w)
{
	return ebpf_err_set(w->err, -ENOMEM, "verify: out of memory");
}

struct ebpf_walk_text
ebpf_walk_reg(const struct walk *w, unsigned regno)
{
	const struct ebpf_reg *r = &ebpf_state_frame(&w->state)->regs[regno];
	struct ebpf_walk_text out;
	char text[EBPF_REG_TEXT_SIZE];

	ebpf_reg_text(r, text, sizeof(text));
	snprintf(out.text, sizeof(out.text), "r%u (%s)", regno, text);
	return out;
}

int
ebpf_walk_readable(struct walk *w, unsigned regno)
{
	if (ebpf_walk_regs(w)[regno].kind == EBPF_REG_NONE)
		return ebpf_walk_refuse(w, -EACCES, "r%u is read, but was not written", regno);
	return 0;
}

uint32_t
ebpf_walk_id(struct walk *w, struct ebpf_reg *r)
{
	if (r->id == 0)
		r->id = ++w->state.next_id;
	return r->id;
}

int
ebpf_walk_fork(struct walk *w, uint32_t pc, struct ebpf_verify_state **out)
{
	struct ebpf_verify_state *fork;

	if (w->n_pending == MAX_PENDING)
		return ebpf_walk_refuse(w, -E2BIG, "more than %d branches left open", MAX_PENDING);
	if (w->n_pending == w->max_pending) {
		size_t n = w->max_pending > 0 ? 2 * w->max_pending : 16;

		fork = reallocarray(w->pending, n, sizeof(*fork));
		if (fork == NULL)
			return ebpf_walk_no_memory(w);
		w->pending = fork;
		w->max_pending = n;
	}
	fork = &w->pending[w->n_pending];
	if (!ebpf_state_copy(fork, &w->state))
		return ebpf_walk_no_memory(w);
	w->n_pending++;
	fork->pc = pc;
	if (fork->parent != NULL)
		fork->parent->n_branches++;
	*out = fork;
	return 0;
}

/* ---- one instruction ---- */

static int
load_constant(struct walk *w, const struct ebpf_insn *insn)
{
	uint64_t value = (uint32_t)insn[0].imm | (uint64_t)(uint32_t)insn[1].imm << 32;

	ebpf_reg_set_scalar(&ebpf_walk_regs(w)[insn->dst_reg], ebpf_scalar_const(value));
	return 0;
}

static int
load_map(struct walk *w, const struct ebpf_insn *insn, enum ebpf_op row)
{
	bool by_fd = row == EBPF_OP_LDDW_MAP_FD || row == EBPF_OP_LDDW_MAP_VALUE;
	bool is_value = row == EBPF_OP_LDDW_MAP_VALUE || row == EBPF_OP_LDDW_MAP_IDX_VALUE;
	struct ebpf_reg *dst = &ebpf_walk_regs(w)[insn->dst_reg];
	const struct ebpf_verify_map *map;
	size_t i = 0;

	while (i < w->env->n_maps &&
	       (by_fd ? w->env->maps[i].fd != insn->imm : i != (uint32_t)insn->imm))
		i++;
	if (i == w->env->n_maps)
		return ebpf_walk_refuse(w, -EINVAL, "no map %s %d", by_fd ? "with descriptor" : "number",
					insn->imm);
	if (!is_value && insn[1].imm != 0)
		return ebpf_walk_refuse(w, -EINVAL, "second half of a map's load is not 0");
	if (!is_value) {
		ebpf_reg_set_pointer(dst, EBPF_REG_MAP);
		dst->map = (uint16_t)i;
		return 0;
	}
	map = &w->env->maps[i];
	if (!map->direct_value)
		return ebpf_walk_refuse(w, -EINVAL, "map %zu has no value to point at", i);
	if ((uint32_t)insn[1].imm >= map->value_size)
		return ebpf_walk_refuse(w, -EINVAL, "offset %u in a map value of %u",
					(uint32_t)insn[1].imm, map->value_size);
	ebpf_reg_set_pointer(dst, EBPF_REG_MAP_VALUE);
	dst->map = (uint16_t)i;
	dst->off = insn[1].imm;
	return 0;
}

static int
load_wide(struct walk *w, const struct ebpf_insn *insn, enum ebpf_op row)
{
	w->state.pc += 2;
	switch (row) {
	case EBPF_OP_LDDW:
		return load_constant(w, insn);
	case EBPF_OP_LDDW_MAP_FD:
	case EBPF_OP_LDDW_MAP_IDX:
	case EBPF_OP_LDDW_MAP_VALUE:
	case EBPF_OP_LDDW_MAP_IDX_VALUE:
		return load_map(w, insn, row);
	default:        /* of its form's rows */
		return ebpf_walk_refuse(w, -EINVAL, "%s is not supported", ebpf_ops[row].name);
	}
}

static int
jump(struct walk *w, const struct ebpf_insn *insn, enum ebpf_op row)
{
	uint32_t target = (uint32_t)((int64_t)w->state.pc + 1 +
				     (row == EBPF_OP_JA32 ? insn->imm : insn->off));
	struct ebpf_verify_state *fork;
	int rc;

	w->state.n_jumps++;
	if (row != EBPF_OP_MAY_GOTO) {
		w->state.pc = target;
		return 0;
	}
	w->result.has_may_goto = true;
	w->state.pc++;
	if ((rc = ebpf_walk_fork(w, target, &fork)) < 0)
		return rc;
	w->state.n_may_goto++;
	return 0;
}

static int
step(struct walk *w, bool *ends)
{
	const struct ebpf_insn *insn = &w->insns[w->state.pc];
	enum ebpf_op row = (enum ebpf_op)ebpf_op_of(insn);
	int rc;

	switch ((enum ebpf_form)ebpf_ops[row].form) {
	case EBPF_FORM_ALU_K:
	case EBPF_FORM_ALU_X:
	case EBPF_FORM_NEG:
	case EBPF_FORM_MOVSX:
	case EBPF_FORM_END:
		rc = ebpf_verify_alu(w, insn, row);
		w->state.pc++;
		return rc;
	case EBPF_FORM_JMP_K:
	case EBPF_FORM_JMP_X:
		w->state.n_jumps++;
		return ebpf_verify_branch(w, insn);
	case EBPF_FORM_JA:
	case EBPF_FORM_JA32:
		return jump(w, insn, row);
	case EBPF_FORM_CALL:
		return ebpf_verify_helper_call(w, insn);
	case EBPF_FORM_CALL_LOCAL:
		w->state.n_jumps++;
		return ebpf_verify_local_call(w, insn);
	case EBPF_FORM_EXIT:
		return ebpf_verify_exit(w, ends);
	case EBPF_FORM_LDX:
		return ebpf_verify_load(w, insn, row);
	case EBPF_FORM_ST:
	case EBPF_FORM_STX:
		return ebpf_verify_store(w, insn, row);
	case EBPF_FORM_ATOMIC:
	case EBPF_FORM_FETCH:
	case EBPF_FORM_XCHG:
	case EBPF_FORM_CMPXCHG:
	case EBPF_FORM_LOAD_ACQ:
	case EBPF_FORM_STORE_REL:
		return ebpf_verify_atomic(w, insn, row);
	case EBPF_FORM_LDDW:
		return load_wide(w, insn, row);
	case EBPF_FORM_LDABS:
	case EBPF_FORM_LDIND:
		return ebpf_verify_packet_load(w, insn, row);
	}
	return 0;
}

/* ---- the walk ---- */

static void
log_line(struct walk *w, uint32_t pc, const char *what, const struct ebpf_verify_state *before)
{
	char text[2048], line[2200];

	ebpf_state_text(&w->state, before, text, sizeof(text));
	snprintf(line, sizeof(line), "%u: %s%s%s", pc, what, text[0] != '\0' ? " ; " : "", text);
	w->env->log(w->env->log_arg, line);
}

/* One instruction, and what it changed. */
static int
logged_step(struct walk *w, bool *ends)
{
	struct ebpf_verify_state before;
	char line[EBPF_DISASM_SIZE];
	int rc;

	if (w->env->log == NULL)
		return step(w, ends);
	if (!ebpf_state_copy(&before, &w->state))
		return ebpf_walk_no_memory(w);
	ebpf_disasm(&w->insns[w->at], w->flow.n_insns - w->at, line, sizeof(line));
	if ((rc = step(w, ends)) == 0)
		log_line(w, w->at, line, &before);
	ebpf_state_clear(&before);
	return rc;
}

static int
visit(struct walk *w, bool *ends)
{
	uint64_t max = w->env->max_visited != 0 ? w->env->max_visited : DEFAULT_MAX_VISITED;
	int rc;

	w->at = w->state.pc;
	if (w->flow.marks[w->at] & EBPF_FLOW_JOIN) {
		if ((rc = ebpf_prune(w, ends)) < 0)
			return rc;
		if (*ends) {
			if (w->env->log != NULL)
				log_line(w, w->at, "as before", NULL);
			return 0;
		}
	}
	if (w->n_visited++ >= max)
		return ebpf_walk_refuse(w, -E2BIG, "not proven safe within %" PRIu64
					" instructions", max);
	w->state.n_insns++;
	if (w->env->observe != NULL)
		w->env->observe(w->env->observe_arg, w->at, &w->state);
	return logged_step(w, ends);
}

static void
next_path(struct walk *w)
{
	ebpf_state_clear(&w->state);
	w->state = w->pending[--w->n_pending];
}

static int
walk_all(struct walk *w)
{
	for (;;) {
		bool ends = false;
		int rc = visit(w, &ends);

		if (rc < 0)
			return rc;
		if (!ends)
			continue;
		ebpf_prune_end_path(w);
		if (w->n_pending == 0)
			return 0;
		next_path(w);
		if (w->env->log != NULL)
			log_line(w, w->state.pc, "other way", NULL);
	}
}

static void
set_context(struct walk *w, unsigned regno)
{
	ebpf_reg_set_pointer(&ebpf_walk_regs(w)[regno],
			     w->env->n_ctx_fields > 0 ? EBPF_REG_CTX : EBPF_REG_MEM);
}

/* A function, its arguments any of these kinds; NULL: the program as its type enters it. */
static int
enter(struct walk *w, uint32_t start, const uint8_t args[5])
{
	ebpf_state_clear(&w->state);
	memset(&w->state, 0, sizeof(w->state));
	if (!ebpf_state_push_frame(&w->state, w->flow.func_of[start], 0, ebpf_walk_fill(w)))
		return ebpf_walk_no_memory(w);
	w->state.pc = start;
	w->in_function = args != NULL;
	if (args == NULL) {
		set_context(w, EBPF_R1);
		if (w->env->n_ctx_fields == 0)
			ebpf_reg_set_scalar(&ebpf_walk_regs(w)[EBPF_R2],
					    ebpf_scalar_const(w->env->mem_size));
		return 0;
	}
	for (unsigned regno = EBPF_R1; regno <= EBPF_R5; regno++) {
		if (args[regno - 1] == EBPF_ARG_CTX)
			set_context(w, regno);
		else if (args[regno - 1] == EBPF_ARG_SCALAR)
			ebpf_reg_set_scalar(&ebpf_walk_regs(w)[regno], ebpf_scalar_unknown());
	}
	return 0;
}

static int
walk_from(struct walk *w, uint32_t start, const uint8_t *args)
{
	int rc = enter(w, start, args);

	return rc < 0 ? rc : walk_all(w);
}

/* The program, and each function that nobody is followed into. */
static int
walk_functions(struct walk *w)
{
	int rc = walk_from(w, 0, w->env->entry_args);

	for (size_t i = 0; i < w->env->n_globals && rc == 0; i++) {
		const struct ebpf_verify_global *g = &w->env->globals[i];

		rc = walk_from(w, g->start, g->args);
	}
	return rc;
}

/* Of each chain of calls, the stacks together; calls do not recurse. */
static int
check_stack_depth(struct walk *w)
{
	unsigned total[EBPF_MAX_FUNCS];
	struct ebpf_verify_result *res = &w->result;

	for (size_t f = 0; f < res->n_funcs; f++)
		total[f] = (res->funcs[f].stack_depth + 15) / 16 * 16;
	for (unsigned round = 1; round < EBPF_MAX_FRAMES; round++) {
		unsigned next[EBPF_MAX_FUNCS];

		for (size_t f = 0; f < res->n_funcs; f++)
			next[f] = (res->funcs[f].stack_depth + 15) / 16 * 16;
		for (uint32_t pc = 0; pc < w->flow.n_insns; pc++) {
			unsigned caller = w->flow.func_of[pc], callee, sum;

			if (w->flow.marks[pc] & EBPF_FLOW_SECOND ||
			    ebpf_op_of(&w->insns[pc]) != EBPF_OP_CALL_LOCAL)
				continue;
			callee = w->flow.func_of[(int64_t)pc + 1 + w->insns[pc].imm];
			sum = (res->funcs[caller].stack_depth + 15) / 16 * 16 + total[callee];
			if (sum > next[caller])
				next[caller] = sum;
		}
		memcpy(total, next, res->n_funcs * sizeof(*total));
	}
	res->stack_depth = total[0];
	if (total[0] > EBPF_STACK_SIZE)
		return ebpf_err_set(w->err, -EACCES, "program: calls use %u bytes of stack together, limit is %d",
				    total[0], EBPF_STACK_SIZE);
	return 0;
}

/* Each is a function that something calls. */
static int
check_globals(const struct walk *w)
{
	for (size_t i = 0; i < w->env->n_globals; i++) {
		uint32_t start = w->env->globals[i].start;

		if (start == 0 || start >= w->flow.n_insns ||
		    !(w->flow.marks[start] & EBPF_FLOW_FUNC))
			return ebpf_err_set(w->err, -EINVAL,
					    "insn %" PRIu32 ": not the first of a function", start);
	}
	return 0;
}

static void
fill_functions(struct walk *w)
{
	struct ebpf_verify_result *res = &w->result;

	res->n_funcs = w->flow.n_funcs;
	res->max_frames = 1;
	res->has_loops = w->flow.has_loops;
	for (uint32_t f = 0; f < w->flow.n_funcs; f++) {
		uint32_t end = f + 1 < w->flow.n_funcs ? w->flow.starts[f + 1] : w->flow.n_insns;

		res->funcs[f] = (struct ebpf_verify_func){ .start = w->flow.starts[f],
							   .n_insns = end - w->flow.starts[f] };
	}
}

static int
check_length(size_t n, struct ebpf_err *err)
{
	if (n == 0)
		return ebpf_err_set(err, -EINVAL, "program has no instructions");
	if (n > EBPF_MAXINSNS)
		return ebpf_err_set(err, -E2BIG, "program has %zu instructions, limit is %d", n,
				    EBPF_MAXINSNS);
	return 0;
}

static void
walk_free(struct walk *w)
{
	while (w->n_pending > 0)
		ebpf_state_clear(&w->pending[--w->n_pending]);
	free(w->pending);
	ebpf_state_clear(&w->state);
	ebpf_prune_free(w);
	ebpf_flow_free(&w->flow);
	free(w);
}

/* What no engine can run is refused on paths too that the walk finds never taken. */
static int
check_env(const struct ebpf_insn *insns, size_t n, const struct ebpf_verify_env *env,
	  struct ebpf_err *err)
{
	for (size_t pc = 0; pc < n; pc++) {
		int row = ebpf_op_of(&insns[pc]);

		if (ebpf_ops[row].group == EBPF_GROUP_PACKET && !env->has_packet_loads)
			return ebpf_err_set(err, -EINVAL,
					    "insn %zu: packet load, but there is no packet", pc);
		if (row == EBPF_OP_CALL && ebpf_verify_helper_of(env, insns[pc].imm) == NULL)
			return ebpf_err_set(err, -EINVAL, "insn %zu: no helper %" PRId32, pc,
					    insns[pc].imm);
		pc += ebpf_code_is_wide(insns[pc].code);
	}
	return 0;
}

int
ebpf_verify(const struct ebpf_insn *insns, size_t n, const struct ebpf_verify_env *env,
	    struct ebpf_verify_result *out, struct ebpf_err *err)
{
	struct walk *w;
	int rc;

	if ((rc = check_length(n, err)) < 0 || (rc = ebpf_check_form(NULL, insns, n, err)) < 0 ||
	    (rc = ebpf_check_structure(NULL, insns, n, NULL, err)) < 0 ||
	    (rc = check_env(insns, n, env, err)) < 0)
		return rc;
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return ebpf_err_set(err, -ENOMEM, "verify: out of memory");
	w->insns = insns;
	w->env = env;
	w->err = err;
	if ((rc = ebpf_flow_make(&w->flow, insns, n, env, err)) < 0)
		goto out;
	w->checkpoints = calloc(n, sizeof(*w->checkpoints));
	if (w->checkpoints == NULL) {
		rc = ebpf_walk_no_memory(w);
		goto out;
	}
	fill_functions(w);
	if ((rc = check_globals(w)) < 0 || (rc = walk_functions(w)) < 0 ||
	    (rc = check_stack_depth(w)) < 0)
		goto out;
	w->result.n_visited = w->n_visited;
	if (out != NULL)
		*out = w->result;
out:
	walk_free(w);
	return rc;
}
