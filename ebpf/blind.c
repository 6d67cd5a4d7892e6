/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Constant blinding.
 *
 * Who can choose a program's constants chooses bytes that a JIT would put into
 * executable memory, and who jumps into the middle of them runs his own code.
 * So each immediate k becomes k ^ r, with a random r of its own:
 *
 *	dst op= k       AX = k ^ r; AX ^= r; dst op= AX
 *	if dst cond k   AX = k ^ r; AX ^= r; if dst cond AX
 *	*(dst + off) = k        AX = k ^ r; AX ^= r; *(dst + off) = AX
 *	dst = k (64 bits)       the upper half in AX, shifted up; the lower in AX, or-ed
 *	dst = 0         dst ^= dst
 *
 * In 64 bits both halves are sign-extended, which cancels out.  Not blinded:
 * shift counts, displacements, widths of byte swaps, numbers of helpers and
 * addresses of functions: a program's author does not choose them freely.
 */
#include "config.h"

#include "ebpf/blind.h"

#include "ebpf/err.h"
#include "ebpf/insn.h"
#include "ebpf/prog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Slots that a wide instruction becomes: the most of all. */
enum { MAX_SLOTS = 7 };

/* Random numbers, drawn in bulk: a system call each would cost more than all else. */
struct random {
	uint32_t values[64];    /* 256 bytes come in one piece, signals or not */
	size_t n_left;
};

struct blinder {
	struct random random;
	struct ebpf_insn *insns;        /* new ones, of all edits */
	size_t n;
	struct ebpf_edit *edits;
	size_t n_edits;
	bool far;       /* jumps go by gotol: some would not reach otherwise */
};

static int
draw(struct random *random, uint32_t *value)
{
	if (random->n_left == 0) {
		ssize_t n;

		do
			n = getrandom(random->values, sizeof(random->values), 0);
		while (n < 0 && errno == EINTR);
		if (n != (ssize_t)sizeof(random->values))
			return n < 0 ? -errno : -EIO;
		random->n_left = sizeof(random->values) / sizeof(random->values[0]);
	}
	*value = random->values[--random->n_left];
	return 0;
}

static void
put(struct blinder *b, int code, unsigned int dst, unsigned int src, int16_t off, uint32_t imm)
{
	b->insns[b->n++] = (struct ebpf_insn){
		.code = (uint8_t)code, .dst_reg = dst & 0xf, .src_reg = src & 0xf, .off = off,
		.imm = (int32_t)imm,
	};
}

/* AX = k, in the class's width. */
static int
put_constant(struct blinder *b, int class, int32_t k)
{
	uint32_t r = 0;
	int rc = draw(&b->random, &r);

	if (rc < 0)
		return rc;
	put(b, class | EBPF_MOV | EBPF_K, EBPF_AX, 0, 0, (uint32_t)k ^ r);
	put(b, class | EBPF_XOR | EBPF_K, EBPF_AX, 0, 0, r);
	return 0;
}

static int
put_wide(struct blinder *b, const struct ebpf_insn *insn)
{
	int rc = put_constant(b, EBPF_ALU64, insn[1].imm);

	if (rc < 0)
		return rc;
	put(b, EBPF_ALU64 | EBPF_LSH | EBPF_K, EBPF_AX, 0, 0, 32);
	put(b, EBPF_ALU64 | EBPF_MOV | EBPF_X, insn->dst_reg, EBPF_AX, 0, 0);
	if ((rc = put_constant(b, EBPF_ALU, insn->imm)) < 0)
		return rc;
	put(b, EBPF_ALU64 | EBPF_OR | EBPF_X, insn->dst_reg, EBPF_AX, 0, 0);
	return 0;
}

/* The same with a register in place of the constant. */
static int
put_by_register(struct blinder *b, int class, const struct ebpf_insn *insn)
{
	int rc = put_constant(b, class, insn->imm);

	if (rc < 0)
		return rc;
	put(b, insn->code | EBPF_X, insn->dst_reg, EBPF_AX, insn->off, 0);
	return 0;
}

/*
 * The jump just put, made to reach anywhere: to a gotol, which the goto before
 * it skips where the jump is not taken.
 */
static void
put_far(struct blinder *b, int32_t distance)
{
	struct ebpf_insn *jump = &b->insns[b->n - 1];

	if (jump->code == (EBPF_JMP | EBPF_JA)) {
		b->n--;
	} else {
		jump->off = 1;
		put(b, EBPF_JMP | EBPF_JA, 0, 0, 1, 0);
	}
	put(b, EBPF_JMP32 | EBPF_JA, 0, 0, 0, (uint32_t)distance);
}

static int
put_jump(struct blinder *b, const struct ebpf_insn *insn, bool has_constant)
{
	int rc = 0;

	if (has_constant)
		rc = put_by_register(b, EBPF_CLASS(insn->code) == EBPF_JMP ? EBPF_ALU64 : EBPF_ALU,
				     insn);
	else if (b->far)
		b->insns[b->n++] = *insn;
	if (rc == 0 && b->far)
		put_far(b, insn->off);
	return rc;
}

static int
put_store(struct blinder *b, const struct ebpf_insn *insn)
{
	int rc = put_constant(b, EBPF_ALU64, insn->imm);

	if (rc < 0)
		return rc;
	put(b, (insn->code & ~0x07) | EBPF_STX, insn->dst_reg, EBPF_AX, insn->off, 0);
	return 0;
}

static bool
is_shift(const struct ebpf_insn *insn)
{
	int op = insn->code & 0xf0;

	return op == EBPF_LSH || op == EBPF_RSH || op == EBPF_ARSH;
}

/* What stands for an instruction; nothing where it stays as it is. */
static int
blind_insn(struct blinder *b, const struct ebpf_insn *insn)
{
	int row = ebpf_op_of(insn), class = EBPF_CLASS(insn->code);

	switch (row < 0 ? EBPF_FORM_EXIT : (enum ebpf_form)ebpf_ops[row].form) {
	case EBPF_FORM_ALU_K:
		if (is_shift(insn))
			return 0;
		if ((insn->code & 0xf0) == EBPF_MOV && insn->imm == 0) {
			put(b, EBPF_ALU64 | EBPF_XOR | EBPF_X, insn->dst_reg, insn->dst_reg, 0, 0);
			return 0;
		}
		return put_by_register(b, class, insn);
	case EBPF_FORM_JMP_K:
	case EBPF_FORM_JMP_X:
	case EBPF_FORM_JA:
		return put_jump(b, insn, ebpf_ops[row].form == EBPF_FORM_JMP_K);
	case EBPF_FORM_ST:
		return put_store(b, insn);
	case EBPF_FORM_LDDW:
		return row == EBPF_OP_LDDW ? put_wide(b, insn) : 0;
	default:        /* of the forms, not of the rows: no constant of the author's choice */
		return 0;
	}
}

static int
blind_all(struct blinder *b, const struct ebpf_text *text)
{
	for (uint32_t pc = 0; pc < text->n; pc++) {
		const struct ebpf_insn *insn = &text->insns[pc];
		uint32_t n_slots = ebpf_code_is_wide(insn->code) ? 2 : 1;
		size_t n_before = b->n;
		int rc = blind_insn(b, insn);

		if (rc < 0)
			return rc;
		if (b->n > n_before)
			b->edits[b->n_edits++] = (struct ebpf_edit){
				.at = pc, .n_old = n_slots, .n_new = (uint32_t)(b->n - n_before),
				.takes_jump = true, .insns = &b->insns[n_before],
			};
		pc += n_slots - 1;
	}
	return 0;
}

static int
blind(struct ebpf_text *text, bool far, struct ebpf_err *err)
{
	struct blinder b = { .far = far };
	int rc;

	b.insns = calloc(text->n, MAX_SLOTS * sizeof(*b.insns));
	b.edits = calloc(text->n, sizeof(*b.edits));
	if (b.insns == NULL || b.edits == NULL)
		rc = ebpf_err_set(err, -ENOMEM, "program of %zu instructions: out of memory",
				  (size_t)text->n);
	else if ((rc = blind_all(&b, text)) < 0)
		ebpf_err_set(err, rc, "random numbers: %s", strerror(-rc));
	else
		rc = ebpf_patch(text, b.edits, b.n_edits, err);
	explicit_bzero(&b.random, sizeof(b.random));
	free(b.edits);
	free(b.insns);
	return rc;
}

int
ebpf_blind(struct ebpf_text *text, struct ebpf_err *err)
{
	struct ebpf_err near_err;
	int rc = blind(text, false, &near_err);

	if (rc == -ERANGE)
		return blind(text, true, err);
	return rc < 0 ? ebpf_err_set(err, rc, "%s", near_err.text) : 0;
}
