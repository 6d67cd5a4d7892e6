/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Target socket: a kernel socket filter, whose R1 is struct __sk_buff and which
 * loads bytes as classic programs do, from headers before the data too.
 *
 * Those loads want the context in R6, give their result in R0, take R1-R5, and
 * end the program with 0 where there is nothing to load.
 */
#include "cbpf/lower.h"

#include "cbpf/ancillary.h"

/* Fields of struct __sk_buff, of 32 bits each: their offsets in the kernel's interface. */
enum {
	SKB_LEN = 0,
	SKB_PKT_TYPE = 4,
	SKB_MARK = 8,
	SKB_QUEUE_MAPPING = 12,
	SKB_PROTOCOL = 16,      /* network order */
	SKB_VLAN_PRESENT = 20,
	SKB_VLAN_TCI = 24,
	SKB_VLAN_PROTO = 28,    /* network order */
	SKB_IFINDEX = 40,
	SKB_HASH = 68,
};

/* The kernel's helpers, none of which asks for its licence. */
enum { GET_PRANDOM_U32 = 7, GET_SMP_PROCESSOR_ID = 8 };

/* Where A waits while a load has R0. */
#define REG_SAVED EBPF_R8

static void
prologue(struct lowering *l, bool loads, bool needs_len)
{
	(void)loads, (void)needs_len;
	emit(&l->e, insn_alu64_x(EBPF_MOV, REG_CTX, EBPF_R1));
}

static void
field(struct lowering *l, uint8_t dst, int16_t off)
{
	emit(&l->e, insn_ldx(EBPF_W, dst, REG_CTX, off));
}

static void
len(struct lowering *l, uint8_t dst)
{
	field(l, dst, SKB_LEN);
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

static int
plain(struct lowering *l, int16_t off)
{
	field(l, REG_A, off);
	return 0;
}

static int
in_network_order(struct lowering *l, int16_t off)
{
	field(l, REG_A, off);
	emit(&l->e, insn_be(REG_A, 16));
	return 0;
}

/* Without an interface the program ends with A as it is. */
static int
interface(struct lowering *l)
{
	field(l, REG_TMP, SKB_IFINDEX);
	emit(&l->e, insn_jmp_k(EBPF_JNE, REG_TMP, 0, 1));
	emit(&l->e, insn_exit());
	emit(&l->e, insn_alu32_x(EBPF_MOV, REG_A, REG_TMP));
	return 0;
}

static int
call(struct lowering *l, int32_t helper)
{
	emit(&l->e, insn_call(helper));
	emit(&l->e, insn_alu32_x(EBPF_MOV, REG_A, EBPF_R0));
	return 0;
}

static int
ancillary(struct lowering *l, uint32_t ad)
{
	switch (ad) {
	case CBPF_AD_PROTOCOL:
		return in_network_order(l, SKB_PROTOCOL);
	case CBPF_AD_PKTTYPE:
		return plain(l, SKB_PKT_TYPE);
	case CBPF_AD_IFINDEX:
		return interface(l);
	case CBPF_AD_MARK:
		return plain(l, SKB_MARK);
	case CBPF_AD_QUEUE:
		return plain(l, SKB_QUEUE_MAPPING);
	case CBPF_AD_RXHASH:
		return plain(l, SKB_HASH);
	case CBPF_AD_CPU:
		return call(l, GET_SMP_PROCESSOR_ID);
	case CBPF_AD_VLAN_TAG:
		field(l, REG_A, SKB_VLAN_TCI);
		/* libpcap has the identifier alone */
		if (l->dialect == CBPF_DIALECT_PCAP)
			emit(&l->e, insn_alu32_k(EBPF_AND, REG_A, 0xfff));
		return 0;
	case CBPF_AD_VLAN_TAG_PRESENT:
		return plain(l, SKB_VLAN_PRESENT);
	case CBPF_AD_RANDOM:
		return call(l, GET_PRANDOM_U32);
	case CBPF_AD_VLAN_TPID:
		return in_network_order(l, SKB_VLAN_PROTO);
	case CBPF_AD_HATYPE:
		return lower_refuse(l, "the interface's type: struct __sk_buff has it not, "
				       "target packet has");
	case CBPF_AD_NLATTR:
	case CBPF_AD_NLATTR_NEST:
		return lower_refuse(l, "a netlink attribute: socket filters have no helper for it, "
				       "target packet has");
	case CBPF_AD_PAY_OFFSET:
		return lower_refuse(l, "the payload's offset: socket filters have no helper for it, "
				       "target packet has");
	default:
		return lower_refuse(l, "unknown ancillary load");
	}
}

const struct lower_target lower_socket = {
	.name = "socket",
	.has_vlan_tag = true,
	.prologue = prologue,
	.len = len,
	.abs = load_abs,
	.ind = load_ind,
	.ancillary = ancillary,
};
