/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lowering, level 0: each classic instruction becomes the same few extended
 * ones wherever it stands.  cbpf_lower() at the end tells the order of things,
 * and which level a program gets.
 *
 * In: a checked program.  Out: a program that ends on every path, jumps only
 * forward (dialect pcap: backward too, on a budget), reads no register or
 * scratch slot that was not written, and holds no unreachable instruction:
 * extended verifiers refuse those, so unreachable classic code is left out.
 */
#include "cbpf/lower.h"

#include "cbpf/insn.h"
#include "cbpf/opt.h"
#include "cbpf/too_short.h"
#include "ebpf/err.h"
#include "ebpf/sized.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Backward jumps that a packet may spend (dialect pcap), and where they count. */
#define BUDGET_STEPS 65536
#define BUDGET_OFF (-4 * CBPF_MEMWORDS - 4)

uint32_t
lower_result(const struct lowering *l, uint32_t k)
{
	if (!l->target->acts)
		return k;
	return (uint32_t)(k != 0 ? l->actions.match : l->actions.miss);
}

void
lower_ret_k(struct lowering *l, uint32_t k)
{
	emit(&l->e, insn_alu32_k(EBPF_MOV, REG_A, lower_result(l, k)));
	emit(&l->e, insn_exit());
}

void
lower_ret_a(struct lowering *l)
{
	if (!l->target->acts) {
		emit(&l->e, insn_exit());
		return;
	}
	emit(&l->e, insn_jmp_k(EBPF_JEQ, REG_A, 0, 2));
	lower_ret_k(l, 1);
	lower_ret_k(l, 0);
}

int
lower_call(struct lowering *l, int32_t helper)
{
	emit(&l->e, insn_call(helper));
	emit(&l->e, insn_alu32_x(EBPF_MOV, REG_A, EBPF_R0));
	return 0;
}

int
lower_refuse(struct lowering *l, const char *what)
{
	return ebpf_err_set(l->err, -EINVAL, "insn %zu: %s", l->pc, what);
}

enum lower_window
lower_window(const struct lowering *l, uint32_t k, uint32_t *off)
{
	*off = k;
	if (k <= INT32_MAX)
		return WINDOW_DATA;
	if (l->dialect == CBPF_DIALECT_PCAP)
		return WINDOW_NONE;
	if (k >= (uint32_t)CBPF_NET_OFF) {
		*off = k - (uint32_t)CBPF_NET_OFF;
		return WINDOW_NET;
	}
	if (k >= (uint32_t)CBPF_LL_OFF) {
		*off = k - (uint32_t)CBPF_LL_OFF;
		return WINDOW_LL;
	}
	return WINDOW_NONE;
}

static int16_t
scratch_off(uint32_t k)
{
	return (int16_t)(-4 * (int32_t)k - 4);
}

static bool
is_ancillary(const struct cbpf_insn *insn)
{
	uint32_t ad = insn->k - (uint32_t)CBPF_AD_OFF;

	return ad < CBPF_AD_MAX && ad % 4 == 0;
}

/* ---- what the program needs ---- */

/*
 * Whether a load ends the program whatever the packet, and so goes on nowhere:
 * its offset is in no window, or past any packet's end.
 */
bool
lower_always_fails(const struct lowering *l, const struct cbpf_insn *insn)
{
	uint32_t k = insn->k, ad = k - (uint32_t)CBPF_AD_OFF, off;
	bool is_pcap = l->dialect == CBPF_DIALECT_PCAP;

	switch ((enum cbpf_shape)cbpf_ops[cbpf_op_of(insn->code)].shape) {
	case CBPF_SHAPE_IND:
		return is_pcap && k > INT32_MAX;
	case CBPF_SHAPE_ABS:
		if (is_ancillary(insn) && is_pcap)
			return !l->target->has_vlan_tag ||
			       (ad != CBPF_AD_VLAN_TAG && ad != CBPF_AD_VLAN_TAG_PRESENT);
		if (is_ancillary(insn))
			return false;
		break;
	case CBPF_SHAPE_MSH:
		break;
	default:
		return false;
	}
	switch (lower_window(l, k, &off)) {
	case WINDOW_DATA:
		return k > INT32_MAX - lower_size_bytes(insn->code & 0x18);
	case WINDOW_NONE:
		return true;
	case WINDOW_NET:
	case WINDOW_LL:
		break;
	}
	return false;
}

/* Facts about a program that its prologue and its code depend on. */
struct survey {
	uint8_t *reachable;     /* by classic instruction */
	bool loads;             /* reads packet bytes */
	bool needs_len;         /* asks for the length */
	bool backward;          /* jumps backward */
	uint16_t unwritten;     /* scratch slots that may be read before written */
};

/* Where an instruction may go on: at most two places. */
static size_t
successors(const struct lowering *l, size_t pc, size_t next[2])
{
	const struct cbpf_insn *insn = &l->insns[pc];

	if (lower_always_fails(l, insn))
		return 0;
	switch (CBPF_CLASS(insn->code)) {
	case CBPF_RET:
		return 0;
	case CBPF_JMP:
		if (insn->code == (CBPF_JMP | CBPF_JA)) {
			next[0] = (uint32_t)(pc + 1 + insn->k);
			return 1;
		}
		next[0] = pc + 1 + insn->jt;
		next[1] = pc + 1 + insn->jf;
		return 2;
	default:
		next[0] = pc + 1;
		return 1;
	}
}

static int
mark_reachable(struct lowering *l, struct survey *s)
{
	/* each instruction is put on the stack once */
	size_t *stack = malloc(l->n_insns * sizeof(*stack));
	size_t n = 0, next[2];

	if (stack == NULL)
		return -ENOMEM;
	s->reachable[0] = 1;
	stack[n++] = 0;
	while (n > 0) {
		size_t pc = stack[--n];
		size_t n_next = successors(l, pc, next);

		for (size_t i = 0; i < n_next; i++) {
			if (next[i] <= pc)
				s->backward = true;
			if (s->reachable[next[i]])
				continue;
			s->reachable[next[i]] = 1;
			stack[n++] = next[i];
		}
	}
	free(stack);
	return 0;
}

/*
 * Scratch slots that some path may read before writing them.  A program with
 * backward jumps needs no finer answer: all that it reads.
 */
static int
find_unwritten(struct lowering *l, struct survey *s)
{
	uint16_t *written = malloc(l->n_insns * sizeof(*written));
	size_t next[2];

	if (written == NULL)
		return -ENOMEM;
	memset(written, 0xff, l->n_insns * sizeof(*written));
	written[0] = 0;
	for (size_t pc = 0; pc < l->n_insns; pc++) {
		const struct cbpf_insn *insn = &l->insns[pc];
		uint16_t now = s->backward ? 0 : written[pc];
		size_t n_next;

		if (!s->reachable[pc])
			continue;
		if (insn->code == (CBPF_LD | CBPF_MEM) || insn->code == (CBPF_LDX | CBPF_MEM))
			s->unwritten |= (uint16_t)(1u << insn->k & ~(unsigned)now);
		if (insn->code == CBPF_ST || insn->code == CBPF_STX)
			now |= (uint16_t)(1u << insn->k);
		n_next = successors(l, pc, next);
		for (size_t i = 0; i < n_next; i++)
			written[next[i]] &= now;
	}
	free(written);
	return 0;
}

static void
find_loads(struct lowering *l, struct survey *s)
{
	for (size_t pc = 0; pc < l->n_insns; pc++) {
		const struct cbpf_insn *insn = &l->insns[pc];
		int op = cbpf_op_of(insn->code);
		enum cbpf_shape shape = (enum cbpf_shape)cbpf_ops[op].shape;

		if (!s->reachable[pc] || lower_always_fails(l, insn))
			continue;
		if (shape == CBPF_SHAPE_IND || shape == CBPF_SHAPE_MSH ||
		    (shape == CBPF_SHAPE_ABS && !is_ancillary(insn)))
			s->loads = true;
		if (shape == CBPF_SHAPE_LEN)
			s->needs_len = true;
	}
}

static int
survey(struct lowering *l, struct survey *s)
{
	int rc;

	memset(s, 0, sizeof(*s));
	s->reachable = calloc(l->n_insns, 1);
	if (s->reachable == NULL)
		return -ENOMEM;
	if ((rc = mark_reachable(l, s)) < 0 || (rc = find_unwritten(l, s)) < 0)
		return rc;
	find_loads(l, s);
	return 0;
}

/* ---- instructions ---- */

static void
prologue(struct lowering *l, const struct survey *s)
{
	l->target->prologue(l, s->loads, s->needs_len);
	emit(&l->e, insn_alu32_k(EBPF_MOV, REG_A, 0));
	emit(&l->e, insn_alu32_k(EBPF_MOV, REG_X, 0));
	for (uint32_t k = 0; k < CBPF_MEMWORDS; k++) {
		if (s->unwritten >> k & 1)
			emit(&l->e, insn_st(EBPF_W, REG_FP, scratch_off(k), 0));
	}
	if (s->backward)
		emit(&l->e, insn_st(EBPF_W, REG_FP, BUDGET_OFF, BUDGET_STEPS));
}

/* X = 0 ends the program with 0; eBPF alone would go on. */
static void
divide_by_x(struct lowering *l, uint8_t op)
{
	emit(&l->e, insn_jmp_k(EBPF_JNE, REG_X, 0, 2));
	lower_ret_k(l, 0);
	emit(&l->e, insn_alu32_x(op, REG_A, REG_X));
}

/*
 * Dialect kernel takes the count modulo 32, as eBPF does.  In dialect pcap all
 * bits are shifted out.
 */
static void
shift_by_x(struct lowering *l, uint8_t op)
{
	if (l->dialect == CBPF_DIALECT_PCAP) {
		emit(&l->e, insn_jmp_k(EBPF_JGT, REG_X, 31, 2));
		emit(&l->e, insn_alu32_x(op, REG_A, REG_X));
		emit(&l->e, insn_ja(1));
		emit(&l->e, insn_alu32_k(EBPF_MOV, REG_A, 0));
	} else {
		emit(&l->e, insn_alu32_x(op, REG_A, REG_X));
	}
}

static void
shift_by_k(struct lowering *l, uint8_t op, uint32_t k)
{
	if (k > 31)
		emit(&l->e, insn_alu32_k(EBPF_MOV, REG_A, 0));
	else
		emit(&l->e, insn_alu32_k(op, REG_A, k));
}

static int
load_abs(struct lowering *l, const struct cbpf_insn *insn, uint8_t size)
{
	uint32_t ad = insn->k - (uint32_t)CBPF_AD_OFF;

	if (!is_ancillary(insn))
		return l->target->abs(l, insn->k, size, REG_A);
	if (ad == CBPF_AD_ALU_XOR_X && l->dialect == CBPF_DIALECT_KERNEL) {
		emit(&l->e, insn_alu32_x(EBPF_XOR, REG_A, REG_X));
		return 0;
	}
	return l->target->ancillary(l, ad);
}

/* The load's failure leaves A alone, so the byte goes to X directly. */
static int
load_msh(struct lowering *l, uint32_t k)
{
	int rc = l->target->abs(l, k, EBPF_B, REG_X);

	emit(&l->e, insn_alu32_k(EBPF_AND, REG_X, 0xf));
	emit(&l->e, insn_alu32_k(EBPF_LSH, REG_X, 2));
	return rc;
}

/* A backward jump takes a step of the budget, and ends the program without one. */
static void
jump_always(struct lowering *l, uint32_t k)
{
	size_t target = (uint32_t)(l->pc + 1 + k);

	if (target <= l->pc) {
		emit(&l->e, insn_ldx(EBPF_W, REG_TMP, REG_FP, BUDGET_OFF));
		emit(&l->e, insn_jmp_k(EBPF_JNE, REG_TMP, 0, 2));
		lower_ret_k(l, 0);
		emit(&l->e, insn_alu64_k(EBPF_ADD, REG_TMP, -1));
		emit(&l->e, insn_stx(EBPF_W, REG_FP, BUDGET_OFF, REG_TMP));
	}
	emit_jump(&l->e, insn_ja(0), l->label_base + (uint32_t)target);
}

/* The opposite test, where that has an opcode before v2 or cpu is later. */
static bool
inverse(const struct lowering *l, uint8_t op, uint8_t *inverted)
{
	switch (op) {
	case EBPF_JEQ:
		*inverted = EBPF_JNE;
		return true;
	case EBPF_JGT:
		*inverted = EBPF_JLE;
		return l->cpu >= CBPF_CPU_V2;
	case EBPF_JGE:
		*inverted = EBPF_JLT;
		return l->cpu >= CBPF_CPU_V2;
	default:
		return false;
	}
}

/*
 * Compare A with X or k in 64 bits.  A constant above INT32_MAX would be
 * sign-extended there, so it goes through a register.
 */
static struct ebpf_insn
compare(struct lowering *l, const struct cbpf_insn *insn, uint8_t op)
{
	if (insn->code & CBPF_X)
		return insn_jmp_x(op, REG_A, REG_X, 0);
	if (insn->k <= INT32_MAX)
		return insn_jmp_k(op, REG_A, (int32_t)insn->k, 0);
	emit(&l->e, insn_alu32_k(EBPF_MOV, REG_TMP, insn->k));
	return insn_jmp_x(op, REG_A, REG_TMP, 0);
}

static void
jump_if(struct lowering *l, const struct cbpf_insn *insn, uint8_t op)
{
	uint32_t next = l->label_base + (uint32_t)l->pc + 1;
	uint8_t inverted;

	if (insn->jt == 0 && insn->jf != 0 && inverse(l, op, &inverted)) {
		emit_jump(&l->e, compare(l, insn, inverted), next + insn->jf);
		return;
	}
	emit_jump(&l->e, compare(l, insn, op), next + insn->jt);
	if (insn->jf != 0)
		emit_jump(&l->e, insn_ja(0), next + insn->jf);
}

static int
lower_insn(struct lowering *l, const struct cbpf_insn *insn)
{
	struct emit *e = &l->e;
	uint32_t k = insn->k;

	if (lower_always_fails(l, insn)) {
		lower_ret_k(l, 0);
		return 0;
	}
	switch ((enum cbpf_op)cbpf_op_of(insn->code)) {
	case CBPF_OP_LD_IMM:
		emit(e, insn_alu32_k(EBPF_MOV, REG_A, k));
		return 0;
	case CBPF_OP_LDX_IMM:
		emit(e, insn_alu32_k(EBPF_MOV, REG_X, k));
		return 0;
	case CBPF_OP_LD_LEN:
		l->target->len(l, REG_A);
		return 0;
	case CBPF_OP_LDX_LEN:
		l->target->len(l, REG_X);
		return 0;
	case CBPF_OP_LD_MEM:
		emit(e, insn_ldx(EBPF_W, REG_A, REG_FP, scratch_off(k)));
		return 0;
	case CBPF_OP_LDX_MEM:
		emit(e, insn_ldx(EBPF_W, REG_X, REG_FP, scratch_off(k)));
		return 0;
	case CBPF_OP_ST:
		emit(e, insn_stx(EBPF_W, REG_FP, scratch_off(k), REG_A));
		return 0;
	case CBPF_OP_STX:
		emit(e, insn_stx(EBPF_W, REG_FP, scratch_off(k), REG_X));
		return 0;

	case CBPF_OP_LD_W_ABS:
		return load_abs(l, insn, EBPF_W);
	case CBPF_OP_LD_H_ABS:
		return load_abs(l, insn, EBPF_H);
	case CBPF_OP_LD_B_ABS:
		return load_abs(l, insn, EBPF_B);
	case CBPF_OP_LD_W_IND:
		l->target->ind(l, k, EBPF_W);
		return 0;
	case CBPF_OP_LD_H_IND:
		l->target->ind(l, k, EBPF_H);
		return 0;
	case CBPF_OP_LD_B_IND:
		l->target->ind(l, k, EBPF_B);
		return 0;
	case CBPF_OP_LDX_MSH:
		return load_msh(l, k);

	case CBPF_OP_ADD_K:
	case CBPF_OP_SUB_K:
	case CBPF_OP_MUL_K:
	case CBPF_OP_DIV_K:
	case CBPF_OP_MOD_K:
	case CBPF_OP_OR_K:
	case CBPF_OP_AND_K:
	case CBPF_OP_XOR_K:
		emit(e, insn_alu32_k(insn->code & 0xf0, REG_A, k));
		return 0;
	case CBPF_OP_ADD_X:
	case CBPF_OP_SUB_X:
	case CBPF_OP_MUL_X:
	case CBPF_OP_OR_X:
	case CBPF_OP_AND_X:
	case CBPF_OP_XOR_X:
		emit(e, insn_alu32_x(insn->code & 0xf0, REG_A, REG_X));
		return 0;
	case CBPF_OP_DIV_X:
	case CBPF_OP_MOD_X:
		divide_by_x(l, insn->code & 0xf0);
		return 0;
	case CBPF_OP_LSH_K:
	case CBPF_OP_RSH_K:
		shift_by_k(l, insn->code & 0xf0, k);
		return 0;
	case CBPF_OP_LSH_X:
	case CBPF_OP_RSH_X:
		shift_by_x(l, insn->code & 0xf0);
		return 0;
	case CBPF_OP_NEG:
		emit(e, insn_alu32_k(EBPF_NEG, REG_A, 0));
		return 0;

	case CBPF_OP_JA:
		jump_always(l, k);
		return 0;
	case CBPF_OP_JEQ_K:
	case CBPF_OP_JEQ_X:
	case CBPF_OP_JGT_K:
	case CBPF_OP_JGT_X:
	case CBPF_OP_JGE_K:
	case CBPF_OP_JGE_X:
	case CBPF_OP_JSET_K:
	case CBPF_OP_JSET_X:
		jump_if(l, insn, insn->code & 0xf0);
		return 0;

	case CBPF_OP_RET_K:
		lower_ret_k(l, k);
		return 0;
	case CBPF_OP_RET_A:
		lower_ret_a(l);
		return 0;
	case CBPF_OP_TAX:
		emit(e, insn_alu32_x(EBPF_MOV, REG_X, REG_A));
		return 0;
	case CBPF_OP_TXA:
		emit(e, insn_alu32_x(EBPF_MOV, REG_A, REG_X));
		return 0;
	}
	return lower_refuse(l, "unknown code");
}

/* Classic and extended operations have the same encoding where both exist. */
_Static_assert(CBPF_ADD == EBPF_ADD && CBPF_SUB == EBPF_SUB && CBPF_MUL == EBPF_MUL &&
		       CBPF_DIV == EBPF_DIV && CBPF_MOD == EBPF_MOD && CBPF_OR == EBPF_OR &&
		       CBPF_AND == EBPF_AND && CBPF_XOR == EBPF_XOR && CBPF_LSH == EBPF_LSH &&
		       CBPF_RSH == EBPF_RSH,
	       "arithmetic");
_Static_assert(CBPF_JEQ == EBPF_JEQ && CBPF_JGT == EBPF_JGT && CBPF_JGE == EBPF_JGE &&
		       CBPF_JSET == EBPF_JSET,
	       "jumps");

static int
lower_all(struct lowering *l, const struct survey *s)
{
	int rc;

	prologue(l, s);
	for (l->pc = 0; l->pc < l->n_insns; l->pc++) {
		if (!s->reachable[l->pc])
			continue;
		l->e.origin = (uint32_t)l->pc;
		emit_label(&l->e, l->label_base + (uint32_t)l->pc);
		if ((rc = lower_insn(l, &l->insns[l->pc])) < 0)
			return rc;
	}
	return 0;
}

/* An embedder may have made it: each field must be one load away. */
static int
check_layout(const struct cbpf_packet_layout *layout, struct ebpf_err *err)
{
	if (layout == NULL)
		return ebpf_err_set(err, -EINVAL, "target packet needs the layout of its context");
	if (layout->size < EBPF_SIZED_LEAST(struct cbpf_packet_layout, fields))
		return ebpf_err_set(err, -EINVAL, "layout of %zu bytes, but %zu are the least: set size",
				    layout->size,
				    EBPF_SIZED_LEAST(struct cbpf_packet_layout, fields));
	for (size_t i = 0; i < CBPF_N_FIELDS; i++) {
		uint8_t width = layout->fields[i].width;
		bool is_data = i == CBPF_FIELD_DATA;

		if (is_data ? width != sizeof(void *) : width != 1 && width != 2 && width != 4)
			return ebpf_err_set(err, -EINVAL, "layout: field %zu is %u bytes wide", i,
					    width);
		if (layout->fields[i].off > INT16_MAX - width)
			return ebpf_err_set(err, -EINVAL, "layout: field %zu is at offset %u", i,
					    layout->fields[i].off);
	}
	if (layout->known_off > INT16_MAX - 4)
		return ebpf_err_set(err, -EINVAL, "layout: 'known' is at offset %" PRIu32,
				    layout->known_off);
	return 0;
}

/* Likewise; and no sum of these wraps in the code that they go into. */
static int
check_net_base(const struct cbpf_net_base *base, struct ebpf_err *err)
{
	if (base == NULL)
		return 0;
	if (base->off > INT32_MAX && base->off != UINT32_MAX)
		return ebpf_err_set(err, -EINVAL,
				    "net base: network layer at offset %" PRIu32 ", limit is %" PRId32,
				    base->off, INT32_MAX);
	if (base->vlan_at > INT16_MAX - 2)
		return ebpf_err_set(err, -EINVAL,
				    "net base: ethertype at offset %" PRIu32 ", limit is %d",
				    base->vlan_at, INT16_MAX - 2);
	return 0;
}

static int
choose_target(struct lowering *l, enum cbpf_target target)
{
	switch (target) {
	case CBPF_TARGET_PACKET:
		l->target = &lower_packet;
		return check_layout(l->opts->layout, l->err);
	case CBPF_TARGET_BUFFER:
		l->target = &lower_buffer;
		return check_net_base(l->opts->net_base, l->err);
	case CBPF_TARGET_SOCKET:
		l->target = &lower_socket;
		return 0;
	case CBPF_TARGET_TC:
		l->target = &lower_tc;
		return check_net_base(l->opts->net_base, l->err);
	case CBPF_TARGET_XDP:
		l->target = &lower_xdp;
		return check_net_base(l->opts->net_base, l->err);
	}
	return ebpf_err_set(l->err, -EINVAL, "no target %d", (int)target);
}

static int
lower_here(struct lowering *l)
{
	struct survey s = { 0 };
	int rc = survey(l, &s);

	if (rc < 0)
		ebpf_err_set(l->err, rc, "out of memory");
	else
		rc = lower_all(l, &s);
	free(s.reachable);
	return rc;
}

int
lower_append(struct lowering *l, uint32_t label_base)
{
	l->label_base = label_base;
	l->has_ctx = true;
	return lower_here(l);
}

static int
lower_plain(struct lowering *l, struct cbpf_lowered *out)
{
	int rc;

	emit_init(&l->e, l->n_insns);
	if ((rc = lower_here(l)) == 0)
		rc = emit_link(&l->e, l->cpu, out, l->err);
	emit_fini(&l->e);
	return rc;
}

static bool
jumps_back(const struct lowering *l)
{
	for (size_t pc = 0; pc < l->n_insns; pc++) {
		if (l->insns[pc].code == (CBPF_JMP | CBPF_JA) &&
		    (uint32_t)(pc + 1 + l->insns[pc].k) <= pc)
			return true;
	}
	return false;
}

/*
 * What jumps backward gets level 0, and so does what would become longer than
 * is good for anybody.
 */
static int
lower_at_level(struct lowering *l, struct cbpf_lowered *out)
{
	int rc = OPT_GIVE_UP;

	switch (l->opts->level) {
	case CBPF_LEVEL_0:
		break;
	case CBPF_LEVEL_1:
	case CBPF_LEVEL_DEFAULT:
	case CBPF_LEVEL_2:
		if (l->target->opt != NULL && !jumps_back(l))
			rc = opt_lower(l, l->opts->level == CBPF_LEVEL_1 ? 1 : 2, out);
		break;
	default:
		return ebpf_err_set(l->err, -EINVAL, "no level %d", (int)l->opts->level);
	}
	return rc == OPT_GIVE_UP ? lower_plain(l, out) : rc;
}

static int
take_opts(struct lowering *l, struct cbpf_lower_opts *known, const struct cbpf_prog *prog,
	  const struct cbpf_lower_opts *opts)
{
	int rc;

	*known = (struct cbpf_lower_opts){ .size = sizeof(*known) };
	if (opts != NULL &&
	    (rc = ebpf_sized_take("lowering options", known, sizeof(*known), opts,
				  EBPF_SIZED_LEAST(struct cbpf_lower_opts, net_base), l->err)) < 0)
		return rc;
	l->opts = known;
	l->insns = cbpf_prog_insns(prog, &l->n_insns);
	l->dialect = cbpf_prog_dialect(prog);
	l->cpu = known->cpu == CBPF_CPU_DEFAULT ? CBPF_CPU_V3 : known->cpu;
	return 0;
}

int
cbpf_lower(const struct cbpf_prog *prog, enum cbpf_target target,
	   const struct cbpf_lower_opts *opts, struct cbpf_lowered *out, struct ebpf_err *err)
{
	struct cbpf_lower_opts known;
	struct lowering l = { .err = err };
	int rc;

	if ((rc = take_opts(&l, &known, prog, opts)) < 0 || (rc = choose_target(&l, target)) < 0)
		return rc;
	l.actions = known.actions != NULL ? *known.actions : l.target->actions;
	return lower_at_level(&l, out);
}

int
cbpf_lower_too_short(const struct cbpf_prog *prog, const struct cbpf_lower_opts *opts,
		     struct cbpf_lowered *out, struct ebpf_err *err)
{
	struct cbpf_lower_opts known;
	struct lowering l = { .target = &lower_too_short, .err = err };
	int rc;

	if ((rc = take_opts(&l, &known, prog, opts)) < 0 ||
	    (rc = check_layout(known.layout, err)) < 0)
		return rc;
	l.actions = l.target->actions;
	return lower_plain(&l, out);
}

void
cbpf_lowered_free(struct cbpf_lowered *lowered)
{
	if (lowered == NULL)
		return;
	free(lowered->insns);
	free(lowered->origin);
	memset(lowered, 0, sizeof(*lowered));
}
