/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What dialect pcap has end a program with 0, or shift out, is spelled out where dialect
 * kernel would do something else:
 *
 *	[k], [x + k] above INT32_MAX    no packet is so long, but for the kernel headers and
 *	                                metadata begin there, and x + k wraps
 *	shifts by 32 and more           taken modulo 32 by the kernel, refused if constant
 *
 * Where x is small enough the optimiser sees that, and takes the tests away again.
 */
#include "cbpf/to_kernel.h"

#include <errno.h>
#include <stdlib.h>

#include "cbpf/insn.h"
#include "cbpf/relay.h"
#include "ebpf/err.h"

struct to_kernel {
	struct relay relay; /* first: put_insn() finds the rest by it */
	uint32_t slot;      /* of scratch, that the program does not use; or CBPF_MEMWORDS */
	struct ebpf_err *err;
	int failed;
};

static void
refuse(struct to_kernel *t, const char *what)
{
	if (t->failed == 0)
		t->failed = ebpf_err_set(t->err, -EINVAL, "insn %zu: %s", t->relay.pc, what);
}

static uint32_t
find_slot(const struct cbpf_insn *insns, size_t n_insns)
{
	uint32_t used = 0, k = 0;

	for (size_t pc = 0; pc < n_insns; pc++) {
		unsigned class = CBPF_CLASS(insns[pc].code);

		if (class == CBPF_ST || class == CBPF_STX ||
		    cbpf_ops[cbpf_op_of(insns[pc].code)].shape == CBPF_SHAPE_MEM)
			used |= 1u << insns[pc].k % CBPF_MEMWORDS;
	}
	while (k < CBPF_MEMWORDS && used >> k & 1)
		k++;
	return k;
}

/* A load at k. */
static void
load(struct to_kernel *t, const struct cbpf_insn *insn)
{
	uint32_t ad = insn->k - (uint32_t)CBPF_AD_OFF;

	if (insn->k <= INT32_MAX)
		relay_put_same(&t->relay);
	else if (ad == CBPF_AD_VLAN_TAG || ad == CBPF_AD_VLAN_TAG_PRESENT)
		refuse(t, "asks for a VLAN tag beside the packet");
	else
		relay_put(&t->relay, CBPF_RET | CBPF_K, 0);
}

/* A load at x + k, with A to spare. */
static void
load_indexed(struct to_kernel *t, const struct cbpf_insn *insn)
{
	struct relay *r = &t->relay;

	if (insn->k > INT32_MAX) {
		relay_put(r, CBPF_RET | CBPF_K, 0);
		return;
	}
	relay_put(r, CBPF_MISC | CBPF_TXA, 0);
	relay_put_jump(r, CBPF_JMP | CBPF_JGT | CBPF_K, 0, 1, INT32_MAX - insn->k);
	relay_put(r, CBPF_RET | CBPF_K, 0);
	relay_put_same(r);
}

static void
shift_by_x(struct to_kernel *t)
{
	struct relay *r = &t->relay;

	if (t->slot == CBPF_MEMWORDS)
		refuse(t, "no scratch slot to spare for a shift");
	relay_put(r, CBPF_ST, t->slot);
	relay_put(r, CBPF_MISC | CBPF_TXA, 0);
	relay_put_jump(r, CBPF_JMP | CBPF_JGT | CBPF_K, 3, 0, 31);
	relay_put(r, CBPF_LD | CBPF_MEM, t->slot);
	relay_put_same(r);
	relay_put(r, CBPF_JMP | CBPF_JA, 1);
	relay_put(r, CBPF_LD | CBPF_IMM, 0);
}

static void
put_insn(struct relay *r)
{
	struct to_kernel *t = (struct to_kernel *)r;
	const struct cbpf_insn *insn = &r->insns[r->pc];

	switch (insn->code) {
	case CBPF_ALU | CBPF_LSH | CBPF_X:
	case CBPF_ALU | CBPF_RSH | CBPF_X:
		shift_by_x(t);
		return;
	case CBPF_ALU | CBPF_LSH | CBPF_K:
	case CBPF_ALU | CBPF_RSH | CBPF_K:
		if (insn->k > 31)
			relay_put(r, CBPF_LD | CBPF_IMM, 0);
		else
			relay_put_same(r);
		return;
	default:
		break;
	}
	switch ((enum cbpf_shape)cbpf_ops[cbpf_op_of(insn->code)].shape) {
	case CBPF_SHAPE_ABS:
	case CBPF_SHAPE_MSH:
		load(t, insn);
		return;
	case CBPF_SHAPE_IND:
		load_indexed(t, insn);
		return;
	default:
		relay_put_same(r);
	}
}

/* No verifier follows them. */
static int
refuse_backward_jumps(const struct cbpf_insn *insns, size_t n_insns, struct ebpf_err *err)
{
	for (size_t pc = 0; pc < n_insns; pc++) {
		if (insns[pc].code == (CBPF_JMP | CBPF_JA) &&
		    (uint32_t)(pc + 1 + insns[pc].k) <= pc)
			return ebpf_err_set(err, -EINVAL, "insn %zu: it jumps backward", pc);
	}
	return 0;
}

int
cbpf_to_kernel(const struct cbpf_insn *insns, size_t n_insns, struct cbpf_insn **out, size_t *n_out,
	       struct ebpf_err *err)
{
	struct to_kernel t = { .relay = { .insns = insns, .n_insns = n_insns, .put = put_insn },
			       .slot = find_slot(insns, n_insns),
			       .err = err };
	int rc;

	if ((rc = refuse_backward_jumps(insns, n_insns, err)) < 0 ||
	    (rc = relay_init(&t.relay, err)) < 0)
		return rc;
	relay_place(&t.relay);
	if (t.failed == 0 && (t.relay.out = calloc(t.relay.n, sizeof(*t.relay.out))) == NULL)
		t.failed = ebpf_err_set(err, -ENOMEM, "out of memory");
	if (t.failed == 0) {
		t.relay.n = 0;
		relay_place(&t.relay);
		*out = t.relay.out;
		*n_out = t.relay.n;
	}
	relay_destroy(&t.relay);
	return t.failed;
}
