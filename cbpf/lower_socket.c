/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Target socket: a kernel socket filter, whose R1 is struct __sk_buff and which
 * loads bytes as classic programs do, from headers before the data too.
 *
 * Those loads want the context in R6, give their result in R0, take R1-R5, and
 * end the program with 0 where there is nothing to load.
 */
#include "cbpf/lower_skb.h"
#include "cbpf/opt.h"

static void
prologue(struct lowering *l, bool loads, bool needs_len)
{
	(void)loads, (void)needs_len;
	emit(&l->e, insn_alu64_x(EBPF_MOV, REG_CTX, EBPF_R1));
}

static int
load_abs(struct lowering *l, uint32_t k, uint8_t size, uint8_t dst)
{
	const struct ebpf_insn load = { .code = EBPF_LD | EBPF_ABS | size, .imm = (int32_t)k };

	if (dst == REG_A) {
		emit(&l->e, load);
		return 0;
	}
	emit(&l->e, insn_alu64_x(EBPF_MOV, REG_SAVED, REG_A));
	emit(&l->e, load);
	emit(&l->e, insn_alu32_x(EBPF_MOV, dst, EBPF_R0));
	emit(&l->e, insn_alu64_x(EBPF_MOV, REG_A, REG_SAVED));
	return 0;
}

/* X + k wraps in 32 bits, as the kernel's own does; in dialect pcap the sum is no less than k. */
static void
load_ind(struct lowering *l, uint32_t k, uint8_t size)
{
	struct ebpf_insn load = { .code = EBPF_LD | EBPF_IND | size, .src_reg = REG_X,
				  .imm = (int32_t)k };

	if (l->dialect == CBPF_DIALECT_PCAP) {
		emit(&l->e, insn_alu32_x(EBPF_MOV, REG_TMP, REG_X));
		if (k != 0)
			emit(&l->e, insn_alu64_k(EBPF_ADD, REG_TMP, (int32_t)k));
		emit(&l->e, insn_alu32_k(EBPF_MOV, REG_TMP2, INT32_MAX));
		emit(&l->e, insn_jmp_x(EBPF_JGE, REG_TMP2, REG_TMP, 2));
		lower_ret_k(l, 0);
		load.src_reg = REG_TMP;
		load.imm = 0;
	}
	emit(&l->e, load);
}

const struct lower_target lower_socket = {
	.name = "socket",
	.has_vlan_tag = true,
	.prologue = prologue,
	.len = lower_skb_len,
	.abs = load_abs,
	.ind = load_ind,
	.ancillary = lower_skb_ancillary,
	.opt = &opt_socket,
};
