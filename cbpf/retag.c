/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program twice: as it is, and with each load moved to where the bytes are that
 * it would have found, had the tag been in its place.
 *
 *	wire    0        12     14     16
 *	        addresses TPID  TCI    type ...
 *	kernel  0        12
 *	        addresses type ...                and TPID and TCI as metadata
 *
 *	    ldb [vlan_avail]
 *	    jeq #0, plain
 *	    the program for frames without their tag
 *	plain: the program
 */
#include "cbpf/retag.h"

#include "cbpf/insn.h"
#include "cbpf/lower.h"
#include "cbpf/relay.h"
#include "ebpf/err.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

enum { TAG = 12, TAG_SIZE = 4, TAG_END = TAG + TAG_SIZE, PROLOGUE = 4 };

struct retag {
	struct relay relay; /* first: put_retagged() finds the rest by it */
	uint32_t slot[3];   /* scratch slots that the program does not use */
	bool has_slots;
	struct ebpf_err *err;
	int failed;
};

static void
put_jump(struct retag *r, unsigned code, uint8_t jt, uint8_t jf, uint32_t k)
{
	relay_put_jump(&r->relay, code, jt, jf, k);
}

static void
put(struct retag *r, unsigned code, uint32_t k)
{
	relay_put(&r->relay, code, k);
}

static uint32_t
slot(struct retag *r, unsigned i)
{
	if (!r->has_slots && r->failed == 0)
		r->failed = ebpf_err_set(r->err, -EINVAL, "insn %zu: no scratch slots to spare "
					 "for what a VLAN tag takes", r->relay.pc);
	return r->slot[i];
}

static void
find_slots(struct retag *r)
{
	uint32_t used = 0, n = 0;

	for (size_t pc = 0; pc < r->relay.n_insns; pc++) {
		const struct cbpf_insn *insn = &r->relay.insns[pc];
		unsigned class = CBPF_CLASS(insn->code);
		bool is_load = class == CBPF_LD || class == CBPF_LDX;

		if ((is_load && (insn->code & 0xe0) == CBPF_MEM) || class == CBPF_ST ||
		    class == CBPF_STX)
			used |= 1u << (insn->k % CBPF_MEMWORDS);
	}
	for (uint32_t k = 0; k < CBPF_MEMWORDS && n < 3; k++) {
		if (!(used >> k & 1))
			r->slot[n++] = k;
	}
	r->has_slots = n == 3;
}

/* ---- loads ---- */

static void
load_metadata(struct retag *r, uint32_t ad)
{
	put(r, CBPF_LD | CBPF_W | CBPF_ABS, (uint32_t)CBPF_AD_OFF + ad);
}

/* A = the byte at an offset of the frame with its tag. */
static void
load_byte(struct retag *r, uint32_t off)
{
	if (off < TAG || off >= TAG_END) {
		put(r, CBPF_LD | CBPF_B | CBPF_ABS, off < TAG ? off : off - TAG_SIZE);
		return;
	}
	load_metadata(r, off < TAG + 2 ? CBPF_AD_VLAN_TPID : CBPF_AD_VLAN_TAG);
	if (off % 2 == 0)
		put(r, CBPF_ALU | CBPF_RSH | CBPF_K, 8);
	else
		put(r, CBPF_ALU | CBPF_AND | CBPF_K, 0xff);
}

/* A = bytes of which some are the tag's; X stays as it is. */
static void
load_bytes(struct retag *r, uint32_t off, uint32_t size)
{
	load_byte(r, off);
	if (size == 1)
		return;
	put(r, CBPF_STX, slot(r, 1));
	for (uint32_t i = 1; i < size; i++) {
		put(r, CBPF_ALU | CBPF_LSH | CBPF_K, 8);
		put(r, CBPF_ST, slot(r, 0));
		load_byte(r, off + i);
		put(r, CBPF_LDX | CBPF_MEM, slot(r, 0));
		put(r, CBPF_ALU | CBPF_OR | CBPF_X, 0);
	}
	put(r, CBPF_LDX | CBPF_MEM, slot(r, 1));
}

/* Where bytes outside of the tag are without it; what is no offset in the data stays. */
static uint32_t
offset_apart(uint32_t k)
{
	return k >= TAG_END && k <= INT32_MAX ? k - TAG_SIZE : k;
}

static void
load_abs(struct retag *r, const struct cbpf_insn *insn)
{
	uint32_t k = insn->k, size = lower_size_bytes(insn->code & 0x18);

	if (k >= TAG_END || k + size <= TAG)
		put(r, insn->code, offset_apart(k));
	else if (size == 2 && k == TAG)
		load_metadata(r, CBPF_AD_VLAN_TPID);
	else if (size == 2 && k == TAG + 2)
		load_metadata(r, CBPF_AD_VLAN_TAG);
	else
		load_bytes(r, k, size);
}

/* Put a jump forward that skips what comes until land(): its place. */
static size_t
put_skip(struct retag *r, unsigned code, uint32_t k)
{
	put(r, code, k);
	return r->relay.n - 1;
}

/* What the jump skipped ends here: its true way, or its only one. */
static void
land(struct retag *r, size_t jump)
{
	size_t skipped = r->relay.n - jump - 1;

	if (r->relay.out == NULL)
		return;
	if (r->relay.out[jump].code == (CBPF_JMP | CBPF_JA))
		r->relay.out[jump].k = (uint32_t)skipped;
	else
		r->relay.out[jump].jt = (uint8_t)skipped;
}

/*
 * A = bytes at X, which is in or near the tag: one way for each offset.  On the last
 * the program goes on; the others are the places of jumps that are to do so too.
 */
static size_t
load_in_tag(struct retag *r, uint32_t size, size_t done[])
{
	size_t n = 0;

	for (uint32_t off = TAG - size + 1; off < TAG_END; off++) {
		size_t test = put_skip(r, CBPF_JMP | CBPF_JEQ | CBPF_K, off);
		size_t next = put_skip(r, CBPF_JMP | CBPF_JA, 0);

		/* equal: over the jump */
		if (r->relay.out != NULL)
			r->relay.out[test].jt = 1;
		load_bytes(r, off, size);
		if (off + 1 < TAG_END)
			done[n++] = put_skip(r, CBPF_JMP | CBPF_JA, 0);
		land(r, next);
	}
	return n;
}

/*
 * X + k may be before the tag, in it or behind it.  What is no offset in the data is
 * left to the load as it was.
 *
 *	    A = X + k; X = A
 *	    if A > INT32_MAX goto as_is
 *	    if A >= TAG_END goto behind
 *	    if A <= TAG - size goto as_is
 *	    bytes one by one                goto done
 *	behind: X = A - TAG_SIZE
 *	as_is: A = [X]
 *	done: X = what it was
 */
static void
load_anywhere(struct retag *r, const struct cbpf_insn *insn)
{
	uint32_t size = lower_size_bytes(insn->code & 0x18);
	size_t negative, behind, before, done[TAG_END], n;

	put(r, CBPF_STX, slot(r, 2));
	put(r, CBPF_MISC | CBPF_TXA, 0);
	put(r, CBPF_ALU | CBPF_ADD | CBPF_K, insn->k);
	put(r, CBPF_MISC | CBPF_TAX, 0);
	negative = put_skip(r, CBPF_JMP | CBPF_JGT | CBPF_K, INT32_MAX);
	behind = put_skip(r, CBPF_JMP | CBPF_JGE | CBPF_K, TAG_END);
	/* not greater is the way that skips */
	put_jump(r, CBPF_JMP | CBPF_JGT | CBPF_K, 1, 0, TAG - size);
	before = put_skip(r, CBPF_JMP | CBPF_JA, 0);
	n = load_in_tag(r, size, done);
	done[n++] = put_skip(r, CBPF_JMP | CBPF_JA, 0);
	land(r, behind);
	put(r, CBPF_ALU | CBPF_SUB | CBPF_K, TAG_SIZE);
	put(r, CBPF_MISC | CBPF_TAX, 0);
	land(r, negative);
	land(r, before);
	put(r, insn->code, 0);
	while (n > 0)
		land(r, done[--n]);
	put(r, CBPF_LDX | CBPF_MEM, slot(r, 2));
}

static void
load_ind(struct retag *r, const struct cbpf_insn *insn)
{
	if (insn->k >= TAG_END && insn->k <= INT32_MAX)
		put(r, insn->code, insn->k - TAG_SIZE);
	else
		load_anywhere(r, insn);
}

static void
load_msh(struct retag *r, const struct cbpf_insn *insn)
{
	if (insn->k < TAG || insn->k >= TAG_END) {
		put(r, insn->code, offset_apart(insn->k));
		return;
	}
	put(r, CBPF_ST, slot(r, 0));
	load_byte(r, insn->k);
	put(r, CBPF_ALU | CBPF_AND | CBPF_K, 0xf);
	put(r, CBPF_ALU | CBPF_LSH | CBPF_K, 2);
	put(r, CBPF_MISC | CBPF_TAX, 0);
	put(r, CBPF_LD | CBPF_MEM, slot(r, 0));
}

static void
load_len(struct retag *r, bool to_x)
{
	if (to_x)
		put(r, CBPF_ST, slot(r, 0));
	put(r, CBPF_LD | CBPF_W | CBPF_LEN, 0);
	put(r, CBPF_ALU | CBPF_ADD | CBPF_K, TAG_SIZE);
	if (!to_x)
		return;
	put(r, CBPF_MISC | CBPF_TAX, 0);
	put(r, CBPF_LD | CBPF_MEM, slot(r, 0));
}

/* ---- the program ---- */

static void
put_retagged(struct relay *relay)
{
	struct retag *r = (struct retag *)relay;
	const struct cbpf_insn *insn = &relay->insns[relay->pc];

	switch ((enum cbpf_shape)cbpf_ops[cbpf_op_of(insn->code)].shape) {
	case CBPF_SHAPE_ABS:
		load_abs(r, insn);
		return;
	case CBPF_SHAPE_IND:
		load_ind(r, insn);
		return;
	case CBPF_SHAPE_MSH:
		load_msh(r, insn);
		return;
	case CBPF_SHAPE_LEN:
		load_len(r, CBPF_CLASS(insn->code) == CBPF_LDX);
		return;
	default:
		break;
	}
	relay_put_same(relay);
}

static void
put_all(struct retag *r)
{
	struct relay *l = &r->relay;
	size_t plain = l->start[l->n_insns];

	l->n = 0;
	put(r, CBPF_LD | CBPF_B | CBPF_ABS, (uint32_t)CBPF_AD_OFF + CBPF_AD_VLAN_TAG_PRESENT);
	put_jump(r, CBPF_JMP | CBPF_JEQ | CBPF_K, 0, 1, 0);
	put(r, CBPF_JMP | CBPF_JA, (uint32_t)(plain - l->n - 1));
	put(r, CBPF_LD | CBPF_IMM, 0);
	relay_place(l);
	for (size_t pc = 0; pc < l->n_insns; pc++) {
		const struct cbpf_insn *insn = &l->insns[pc];

		put_jump(r, insn->code, insn->jt, insn->jf, insn->k);
	}
}

int
cbpf_retag(const struct cbpf_insn *insns, size_t n_insns, struct cbpf_insn **out, size_t *n_out,
	   struct ebpf_err *err)
{
	struct retag r = { .relay = { .insns = insns, .n_insns = n_insns, .put = put_retagged },
			   .err = err };

	find_slots(&r);
	r.failed = relay_init(&r.relay, err);
	if (r.failed < 0)
		return r.failed;
	r.relay.n = PROLOGUE;
	relay_place(&r.relay);
	if (r.failed == 0 &&
	    (r.relay.out = calloc(r.relay.n + n_insns, sizeof(*r.relay.out))) == NULL)
		r.failed = ebpf_err_set(err, -ENOMEM, "out of memory");
	if (r.failed == 0) {
		put_all(&r);
		*out = r.relay.out;
		*n_out = r.relay.n;
	}
	relay_destroy(&r.relay);
	return r.failed;
}
