/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The door: a program that passes here can be lowered and run without further
 * questions.
 *
 * Invariants of a struct cbpf_prog, whatever its dialect: each code has a row
 * in insn.def, each jump (both ways of a test) stays in the program, each
 * scratch slot exists, no constant divides by 0, and the last instruction
 * returns, so that control never leaves the program's end.
 *
 * Dialect kernel adds what Linux asks of SO_ATTACH_FILTER: at most 4096
 * instructions, no jump backwards, no constant shift of 32 and more, known
 * ancillary offsets, no scratch slot read before it was written.  Dialect pcap
 * is libpcap's bpf_validate(), less the codes that bpf_filter() then aborts on.
 */
#include "cbpf/prog.h"

#include "cbpf/ancillary.h"
#include "cbpf/insn.h"
#include "ebpf/err.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* bpf_validate() takes the length as an int. */
#define PCAP_MAXINSNS INT32_MAX

struct checker {
	const struct cbpf_insn *insns;
	size_t n_insns;
	enum cbpf_dialect dialect;
	struct ebpf_err *err;
};

static int
check_length(const struct checker *c)
{
	size_t max = c->dialect == CBPF_DIALECT_KERNEL ? CBPF_MAXINSNS : PCAP_MAXINSNS;

	if (c->insns == NULL || c->n_insns == 0)
		return ebpf_err_set(c->err, -EINVAL, "program has no instructions");
	if (c->n_insns > max)
		return ebpf_err_set(c->err, -EINVAL, "program has %zu instructions, limit is %zu",
				    c->n_insns, max);
	return 0;
}

static int
check_target(const struct checker *c, size_t pc, uint64_t target)
{
	if (target < c->n_insns)
		return 0;
	return ebpf_err_set(c->err, -EINVAL,
			    "insn %zu: jump to %" PRIu64 ", but the program has %zu", pc, target,
			    c->n_insns);
}

static int
check_ja(const struct checker *c, size_t pc)
{
	uint64_t target = (uint64_t)pc + 1 + c->insns[pc].k;
	uint32_t wrapped = (uint32_t)target;

	/* libpcap's protochain loops: there the sum wraps on purpose. */
	if (c->dialect == CBPF_DIALECT_PCAP)
		return check_target(c, pc, wrapped);
	if (wrapped <= pc)
		return ebpf_err_set(c->err, -EINVAL,
				    "insn %zu: jump back to %" PRIu32 ", which the kernel refuses",
				    pc, wrapped);
	return check_target(c, pc, target);
}

static int
check_branches(const struct checker *c, size_t pc)
{
	int rc = check_target(c, pc, (uint64_t)pc + 1 + c->insns[pc].jt);

	return rc < 0 ? rc : check_target(c, pc, (uint64_t)pc + 1 + c->insns[pc].jf);
}

static int
check_slot(const struct checker *c, size_t pc)
{
	uint32_t k = c->insns[pc].k;

	if (k < CBPF_MEMWORDS)
		return 0;
	return ebpf_err_set(c->err, -EINVAL, "insn %zu: scratch slot %" PRIu32 ", the last is %d",
			    pc, k, CBPF_MEMWORDS - 1);
}

/* From CBPF_AD_OFF up an absolute load names ancillary data, not a byte. */
static int
check_ancillary(const struct checker *c, size_t pc)
{
	uint32_t k = c->insns[pc].k;

	if (c->dialect != CBPF_DIALECT_KERNEL || k < (uint32_t)CBPF_AD_OFF)
		return 0;
	if (cbpf_ancillary_at(k) != NULL)
		return 0;
	return ebpf_err_set(c->err, -EINVAL,
			    "insn %zu: load at 0x%" PRIx32 ": no ancillary data at offset %" PRIu32,
			    pc, k, k - (uint32_t)CBPF_AD_OFF);
}

static int
check_constant(const struct checker *c, size_t pc)
{
	const struct cbpf_insn *insn = &c->insns[pc];

	switch (insn->code) {
	case CBPF_ALU | CBPF_DIV | CBPF_K:
	case CBPF_ALU | CBPF_MOD | CBPF_K:
		if (insn->k == 0)
			return ebpf_err_set(c->err, -EINVAL, "insn %zu: %s by constant 0", pc,
					    cbpf_ops[cbpf_op_of(insn->code)].text);
		return 0;
	case CBPF_ALU | CBPF_LSH | CBPF_K:
	case CBPF_ALU | CBPF_RSH | CBPF_K:
		if (c->dialect == CBPF_DIALECT_KERNEL && insn->k > 31)
			return ebpf_err_set(c->err, -EINVAL,
					    "insn %zu: shift by %" PRIu32 ", the most is 31", pc,
					    insn->k);
		return 0;
	default:
		return 0;
	}
}

static int
check_insn(const struct checker *c, size_t pc)
{
	int op = cbpf_op_of(c->insns[pc].code);

	if (op < 0)
		return ebpf_err_set(c->err, -EINVAL, "insn %zu: unknown code 0x%02x", pc,
				    c->insns[pc].code);
	switch ((enum cbpf_shape)cbpf_ops[op].shape) {
	case CBPF_SHAPE_MEM:
		return check_slot(c, pc);
	case CBPF_SHAPE_ABS:
		return check_ancillary(c, pc);
	case CBPF_SHAPE_ALU_K:
		return check_constant(c, pc);
	case CBPF_SHAPE_JA:
		return check_ja(c, pc);
	case CBPF_SHAPE_JMP_K:
	case CBPF_SHAPE_JMP_X:
		return check_branches(c, pc);
	case CBPF_SHAPE_NONE:
	case CBPF_SHAPE_IMM:
	case CBPF_SHAPE_LEN:
	case CBPF_SHAPE_IND:
	case CBPF_SHAPE_MSH:
	case CBPF_SHAPE_ALU_X:
	case CBPF_SHAPE_RET_K:
	case CBPF_SHAPE_RET_A:
		return 0;
	}
	return 0;
}

static int
check_last(const struct checker *c)
{
	size_t last = c->n_insns - 1;

	if (CBPF_CLASS(c->insns[last].code) == CBPF_RET)
		return 0;
	return ebpf_err_set(c->err, -EINVAL, "insn %zu: the program does not end with ret", last);
}

/*
 * No scratch slot is read before it was written, by the kernel's reckoning: one
 * pass forwards with the slots written so far, which jumps meet (by
 * intersection) at their targets.  Two of its ways are part of the dialect: a
 * ret does not end the flow, so that what it knew goes on to the instruction
 * behind; and behind a jump everything counts as written until another jump
 * arrives there.  Jumps are known to go forwards.
 */
static int
check_scratch(const struct checker *c)
{
	uint16_t at[CBPF_MAXINSNS];
	uint16_t written = 0;

	memset(at, 0xff, sizeof(at));
	for (size_t pc = 0; pc < c->n_insns; pc++) {
		const struct cbpf_insn *insn = &c->insns[pc];

		written &= at[pc];
		switch (insn->code) {
		case CBPF_ST:
		case CBPF_STX:
			written |= (uint16_t)(1u << insn->k);
			continue;
		case CBPF_LD | CBPF_MEM:
		case CBPF_LDX | CBPF_MEM:
			if (written & 1u << insn->k)
				continue;
			return ebpf_err_set(c->err, -EINVAL,
					    "insn %zu: M[%" PRIu32 "] read before it is written",
					    pc, insn->k);
		default:
			break;
		}
		if (CBPF_CLASS(insn->code) != CBPF_JMP)
			continue;
		if (insn->code == (CBPF_JMP | CBPF_JA)) {
			at[pc + 1 + insn->k] &= written;
		} else {
			at[pc + 1 + insn->jt] &= written;
			at[pc + 1 + insn->jf] &= written;
		}
		written = UINT16_MAX;
	}
	return 0;
}

static int
check(const struct checker *c)
{
	int rc;

	if (c->dialect != CBPF_DIALECT_KERNEL && c->dialect != CBPF_DIALECT_PCAP)
		return ebpf_err_set(c->err, -EINVAL, "unknown dialect %d", (int)c->dialect);
	if ((rc = check_length(c)) < 0)
		return rc;
	for (size_t pc = 0; pc < c->n_insns; pc++)
		if ((rc = check_insn(c, pc)) < 0)
			return rc;
	if ((rc = check_last(c)) < 0)
		return rc;
	return c->dialect == CBPF_DIALECT_KERNEL ? check_scratch(c) : 0;
}

int
cbpf_check(const struct cbpf_insn *insns, size_t n_insns, enum cbpf_dialect dialect,
	   struct cbpf_prog **out, struct ebpf_err *err)
{
	const struct checker c = { insns, n_insns, dialect, err };
	struct cbpf_prog *prog;
	int rc = check(&c);

	if (rc < 0)
		return rc;
	if (n_insns > (SIZE_MAX - sizeof(*prog)) / sizeof(*insns))
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	prog = malloc(sizeof(*prog) + n_insns * sizeof(*insns));
	if (prog == NULL)
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	prog->dialect = dialect;
	prog->n_insns = n_insns;
	memcpy(prog->insns, insns, n_insns * sizeof(*insns));
	*out = prog;
	return 0;
}

void
cbpf_prog_free(struct cbpf_prog *prog)
{
	free(prog);
}

const struct cbpf_insn *
cbpf_prog_insns(const struct cbpf_prog *prog, size_t *n_insns)
{
	*n_insns = prog->n_insns;
	return prog->insns;
}

enum cbpf_dialect
cbpf_prog_dialect(const struct cbpf_prog *prog)
{
	return prog->dialect;
}
