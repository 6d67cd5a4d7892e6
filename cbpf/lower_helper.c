/* SPDX-License-Identifier: BSD-2-Clause */
#include "cbpf/lower_helper.h"

/* Below M[] and the budget of backward jumps. */
#define BYTES_OFF (-4 * CBPF_MEMWORDS - 8)

void
lower_helper_prologue(struct lowering *l, bool loads, bool needs_len)
{
	(void)loads, (void)needs_len;
	if (!l->has_ctx)
		emit(&l->e, insn_alu64_x(EBPF_MOV, REG_CTX, EBPF_R1));
}

void
lower_helper_args(struct lowering *l, uint8_t size)
{
	emit(&l->e, insn_alu64_x(EBPF_MOV, EBPF_R1, REG_CTX));
	emit(&l->e, insn_alu64_x(EBPF_MOV, EBPF_R3, REG_FP));
	emit(&l->e, insn_alu64_k(EBPF_ADD, EBPF_R3, BYTES_OFF));
	emit(&l->e, insn_alu32_k(EBPF_MOV, EBPF_R4, lower_size_bytes(size)));
}

void
lower_helper_load(struct lowering *l, uint8_t size)
{
	lower_helper_args(l, size);
	emit(&l->e, insn_call(l->target->helpers->load));
}

void
lower_helper_take(struct lowering *l, uint8_t size, uint8_t dst)
{
	emit(&l->e, insn_ldx(size, dst, REG_FP, BYTES_OFF));
	if (size != EBPF_B)
		emit(&l->e, insn_be(dst, (int32_t)lower_size_bytes(size) * 8));
}

static void
end_unless_loaded(struct lowering *l)
{
	emit(&l->e, insn_jmp_k(EBPF_JEQ, EBPF_R0, 0, 2));
	lower_ret_k(l, 0);
}

static void
load_from_header(struct lowering *l, enum lower_window window, uint8_t size)
{
	emit(&l->e, insn_alu64_x(EBPF_MOV, REG_SUM, REG_TMP));
	if (window == WINDOW_NET)
		l->target->helpers->load_net(l, size);
	else
		l->target->helpers->load_ll(l, size);
}

int
lower_helper_abs(struct lowering *l, uint32_t k, uint8_t size, uint8_t dst)
{
	uint32_t off;
	enum lower_window window = lower_window(l, k, &off);

	if (window == WINDOW_NET && !l->target->helpers->has_net(l))
		return lower_refuse_header(l);
	if (dst != REG_A)
		emit(&l->e, insn_alu64_x(EBPF_MOV, REG_SAVED, REG_A));
	emit(&l->e, insn_alu32_k(EBPF_MOV, REG_TMP, off));
	if (window == WINDOW_DATA)
		lower_helper_load(l, size);
	else
		load_from_header(l, window, size);
	end_unless_loaded(l);
	lower_helper_take(l, size, dst);
	if (dst != REG_A)
		emit(&l->e, insn_alu64_x(EBPF_MOV, REG_A, REG_SAVED));
	return 0;
}

/* In dialect pcap X + k does not wrap, and there are no windows. */
static void
sum_pcap(struct lowering *l, uint32_t k)
{
	if (k != 0)
		emit(&l->e, insn_alu64_k(EBPF_ADD, REG_TMP, (int32_t)k));
	emit(&l->e, insn_alu32_k(EBPF_MOV, REG_TMP2, INT32_MAX));
	emit(&l->e, insn_jmp_x(EBPF_JGE, REG_TMP2, REG_TMP, 2));
	lower_ret_k(l, 0);
}

static size_t
jump_from(struct lowering *l, uint32_t least)
{
	size_t jump;

	emit(&l->e, insn_alu32_k(EBPF_MOV, REG_TMP2, least));
	jump = l->e.n;
	emit(&l->e, insn_jmp_x(EBPF_JGE, REG_TMP, REG_TMP2, 0));
	return jump;
}

/*
 * The sum in TMP says by its range what it counts from:
 *
 *	    if TMP > INT32_MAX goto header
 *	    load at TMP;                            goto done
 *	header: if TMP >= NET_OFF goto net
 *	    if TMP >= LL_OFF goto ll
 *	    return 0
 *	ll: TMP -= LL_OFF;  load from that header;  goto done
 *	net: TMP -= NET_OFF; load from that header
 *	done:
 */
static void
load_by_window(struct lowering *l, uint8_t size)
{
	size_t header, net, ll, data_done, ll_done;

	header = jump_from(l, (uint32_t)INT32_MAX + 1);
	lower_helper_load(l, size);
	data_done = l->e.n;
	emit(&l->e, insn_ja(0));
	emit_land(&l->e, header);
	net = jump_from(l, (uint32_t)CBPF_NET_OFF);
	ll = jump_from(l, (uint32_t)CBPF_LL_OFF);
	lower_ret_k(l, 0);
	emit_land(&l->e, ll);
	emit(&l->e, insn_alu32_k(EBPF_ADD, REG_TMP, -(uint32_t)CBPF_LL_OFF));
	load_from_header(l, WINDOW_LL, size);
	ll_done = l->e.n;
	emit(&l->e, insn_ja(0));
	emit_land(&l->e, net);
	if (l->target->helpers->has_net(l)) {
		emit(&l->e, insn_alu32_k(EBPF_ADD, REG_TMP, -(uint32_t)CBPF_NET_OFF));
		load_from_header(l, WINDOW_NET, size);
	} else {
		lower_ret_k(l, 0);
	}
	emit_land(&l->e, data_done);
	emit_land(&l->e, ll_done);
}

void
lower_helper_ind(struct lowering *l, uint32_t k, uint8_t size)
{
	emit(&l->e, insn_alu32_x(EBPF_MOV, REG_TMP, REG_X));
	if (l->dialect == CBPF_DIALECT_PCAP) {
		sum_pcap(l, k);
		lower_helper_load(l, size);
	} else {
		if (k != 0)
			emit(&l->e, insn_alu32_k(EBPF_ADD, REG_TMP, k));
		load_by_window(l, size);
	}
	end_unless_loaded(l);
	lower_helper_take(l, size, REG_A);
}
