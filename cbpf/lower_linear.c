/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packet loads of targets whose packet is one piece of memory: HLEN bytes at
 * DATA, no more than INT32_MAX.
 *
 * Guards compare in 64 bits.  A constant offset is compared with HLEN; for a
 * computed one the guard is HLEN - offset >= size, signed, so that no sum can
 * wrap and a verifier that knows HLEN can follow.
 */
#include "cbpf/lower.h"

#include "ebpf/err.h"

#include <errno.h>

uint32_t
lower_size_bytes(uint8_t size)
{
	return size == EBPF_W ? 4 : size == EBPF_H ? 2 : 1;
}

/* dst, just loaded in the packet's byte order, in the host's. */
static void
to_host_order(struct lowering *l, uint8_t size, uint8_t dst)
{
	if (size != EBPF_B)
		emit(&l->e, insn_be(dst, (int32_t)lower_size_bytes(size) * 8));
}

/* dst = size bytes at off of the data, a constant. */
static void
load_at_constant(struct lowering *l, uint32_t off, uint8_t size, uint8_t dst)
{
	uint32_t end = off + lower_size_bytes(size);
	size_t guard = l->e.n;

	emit(&l->e, insn_jmp_k(EBPF_JGE, REG_HLEN, (int32_t)end, 0));
	if (l->target->past_end != NULL) {
		emit(&l->e, insn_alu32_k(EBPF_MOV, REG_TMP, off));
		l->target->past_end(l, size);
	} else {
		lower_ret_k(l, 0);
	}
	emit_land(&l->e, guard);
	if (off <= INT16_MAX) {
		emit(&l->e, insn_ldx(size, dst, REG_DATA, (int16_t)off));
	} else {
		emit(&l->e, insn_alu64_x(EBPF_MOV, REG_TMP, REG_DATA));
		emit(&l->e, insn_alu64_k(EBPF_ADD, REG_TMP, (int32_t)off));
		emit(&l->e, insn_ldx(size, dst, REG_TMP, 0));
	}
	to_host_order(l, size, dst);
}

/*
 * dst = size bytes at TMP of the data; TMP is a 64-bit number below 2^33, of
 * which too large a one ends the program.
 */
static void
load_at_tmp(struct lowering *l, uint8_t size, uint8_t dst)
{
	size_t guard;

	emit(&l->e, insn_alu64_x(EBPF_MOV, REG_TMP2, REG_HLEN));
	emit(&l->e, insn_alu64_x(EBPF_SUB, REG_TMP2, REG_TMP));
	guard = l->e.n;
	emit(&l->e, insn_jmp_k(EBPF_JSGE, REG_TMP2, (int32_t)lower_size_bytes(size), 0));
	if (l->target->past_end != NULL)
		l->target->past_end(l, size);
	else
		lower_ret_k(l, 0);
	emit_land(&l->e, guard);
	emit(&l->e, insn_alu64_x(EBPF_ADD, REG_TMP, REG_DATA));
	emit(&l->e, insn_ldx(size, dst, REG_TMP, 0));
	to_host_order(l, size, dst);
}

int
lower_refuse_header(struct lowering *l)
{
	return ebpf_err_set(l->err, -EINVAL,
			    "insn %zu: a load from the link- or network-layer header: "
			    "target %s needs a link type to find it", l->pc, l->target->name);
}

int
lower_linear_abs(struct lowering *l, uint32_t k, uint8_t size, uint8_t dst, lower_base_fn *base)
{
	uint32_t off;
	enum lower_window window = lower_window(l, k, &off);

	switch (window) {
	case WINDOW_DATA:
		load_at_constant(l, off, size, dst);
		break;
	case WINDOW_NET:
	case WINDOW_LL:
		if (base == NULL)
			return lower_refuse_header(l);
		base(l, window, REG_TMP);
		emit(&l->e, insn_alu64_k(EBPF_ADD, REG_TMP, (int32_t)off));
		load_at_tmp(l, size, dst);
		break;
	case WINDOW_NONE:
		/* always_fails() keeps these away */
		lower_ret_k(l, 0);
		break;
	}
	return 0;
}

/*
 * TMP is a 32-bit sum.  In the negative half it becomes an offset in the data
 * through the header of its window:
 *
 *	    if TMP <= 0x7fffffff goto done
 *	    if TMP >= NET_OFF goto net
 *	    if TMP >= LL_OFF goto ll
 *	    return 0
 *	ll: TMP -= LL_OFF;   TMP2 = link-layer header;     goto add
 *	net: TMP -= NET_OFF; TMP2 = network-layer header
 *	add: TMP += TMP2
 *	done:
 */
static void
windows_of_tmp(struct lowering *l, lower_base_fn *base)
{
	size_t to_done, to_net, to_ll, to_add;

	emit(&l->e, insn_alu32_k(EBPF_MOV, REG_TMP2, INT32_MAX));
	to_done = l->e.n;
	emit(&l->e, insn_jmp_x(EBPF_JGE, REG_TMP2, REG_TMP, 0));
	emit(&l->e, insn_alu32_k(EBPF_MOV, REG_TMP2, (uint32_t)CBPF_NET_OFF));
	to_net = l->e.n;
	emit(&l->e, insn_jmp_x(EBPF_JGE, REG_TMP, REG_TMP2, 0));
	emit(&l->e, insn_alu32_k(EBPF_MOV, REG_TMP2, (uint32_t)CBPF_LL_OFF));
	to_ll = l->e.n;
	emit(&l->e, insn_jmp_x(EBPF_JGE, REG_TMP, REG_TMP2, 0));
	lower_ret_k(l, 0);
	emit_land(&l->e, to_ll);
	emit(&l->e, insn_alu32_k(EBPF_ADD, REG_TMP, -(uint32_t)CBPF_LL_OFF));
	base(l, WINDOW_LL, REG_TMP2);
	to_add = l->e.n;
	emit(&l->e, insn_ja(0));
	emit_land(&l->e, to_net);
	emit(&l->e, insn_alu32_k(EBPF_ADD, REG_TMP, -(uint32_t)CBPF_NET_OFF));
	base(l, WINDOW_NET, REG_TMP2);
	emit_land(&l->e, to_add);
	emit(&l->e, insn_alu64_x(EBPF_ADD, REG_TMP, REG_TMP2));
	emit_land(&l->e, to_done);
}

/* In dialect pcap X + k does not wrap, and there are no windows. */
static void
ind_pcap(struct lowering *l, uint32_t k, uint8_t size)
{
	emit(&l->e, insn_alu32_x(EBPF_MOV, REG_TMP, REG_X));
	if (k != 0)
		emit(&l->e, insn_alu64_k(EBPF_ADD, REG_TMP, (int32_t)k));
	load_at_tmp(l, size, REG_A);
}

void
lower_linear_ind(struct lowering *l, uint32_t k, uint8_t size, lower_base_fn *base)
{
	if (l->dialect == CBPF_DIALECT_PCAP) {
		ind_pcap(l, k, size);
		return;
	}
	emit(&l->e, insn_alu32_x(EBPF_MOV, REG_TMP, REG_X));
	if (k != 0)
		emit(&l->e, insn_alu32_k(EBPF_ADD, REG_TMP, k));
	if (base != NULL)
		windows_of_tmp(l, base);
	load_at_tmp(l, size, REG_A);
}
