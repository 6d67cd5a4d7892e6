/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program type `packet`: R1 is a struct sift_view.
 *
 * Its helpers stand in for what the Linux kernel's socket filters reach with
 * ancillary loads that are more than a field of the packet.  The lowering
 * calls them with (context, A, X), and their u32 result becomes A.
 */
#include "filter/prog_packet.h"

#include <string.h>

#include "ebpf/prog.h"
#include "filter/bytes.h"
#include "filter/dissect.h"
#include "filter/view.h"

static const struct sift_view *
view_of(uint64_t r1)
{
	return (const struct sift_view *)(uintptr_t)r1;
}

/*
 * The n-th number of splitmix64, its upper half: the state is a counter, so
 * threads that share a filter take numbers without a lock, each its own.
 */
static uint64_t
helper_random(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, void *arg)
{
	struct sift_packet_env *env = arg;
	uint64_t n = atomic_fetch_add_explicit(&env->draws, 1, memory_order_relaxed);
	uint64_t z = env->random_seed + (n + 1) * 0x9e3779b97f4a7c15u;

	(void)r1, (void)r2, (void)r3, (void)r4, (void)r5;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return (z ^ (z >> 31)) >> 32;
}

/*
 * A netlink attribute, in the byte order of the host that made it:
 *
 *	u16 len         header and value, not the padding to a multiple of 4
 *	u16 type        two flag bits, then 14 bits of type
 */
#define NLATTR_SIZE 4u
#define NLATTR_TYPE_MASK 0x3fffu

struct nlattr {
	uint16_t len;
	uint16_t type;
};

static struct nlattr
load_nlattr(const uint8_t *p)
{
	struct nlattr attr;

	memcpy(&attr.len, p, sizeof(attr.len));
	memcpy(&attr.type, p + sizeof(attr.len), sizeof(attr.type));
	return attr;
}

/*
 * The offset of the first attribute of a type among those that stand one after
 * another in data[off ... end); 0: there is none before one that is malformed.
 */
static uint32_t
find_nlattr(const uint8_t *data, uint32_t off, uint32_t end, uint32_t type)
{
	while (end - off >= NLATTR_SIZE) {
		struct nlattr attr = load_nlattr(data + off);
		uint32_t padded = (attr.len + 3u) & ~3u;

		if (attr.len < NLATTR_SIZE || attr.len > end - off)
			break;
		if ((attr.type & NLATTR_TYPE_MASK) == type)
			return off;
		if (padded >= end - off)
			break;
		off += padded;
	}
	return 0;
}

/* Among the attributes from A on, the one of type X. */
static uint64_t
helper_nlattr(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, void *env)
{
	const struct sift_view *v = view_of(r1);
	uint32_t a = (uint32_t)r2, x = (uint32_t)r3;

	(void)r4, (void)r5, (void)env;
	if (!bytes_have(v->caplen, a, NLATTR_SIZE))
		return 0;
	return find_nlattr(v->data, a, v->caplen, x);
}

/* Among the attributes inside the one at A, the one of type X. */
static uint64_t
helper_nlattr_nest(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, void *env)
{
	const struct sift_view *v = view_of(r1);
	uint32_t a = (uint32_t)r2, x = (uint32_t)r3;
	uint32_t len;

	(void)r4, (void)r5, (void)env;
	if (!bytes_have(v->caplen, a, NLATTR_SIZE))
		return 0;
	len = load_nlattr(v->data + a).len;
	if (len < NLATTR_SIZE || len > v->caplen - a)
		return 0;
	return find_nlattr(v->data, a + NLATTR_SIZE, a + len, x);
}

/* Where the payload starts; 0: not known. */
static uint64_t
helper_pay_offset(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, void *env)
{
	(void)r2, (void)r3, (void)r4, (void)r5, (void)env;
	return sift_dissect_payload(view_of(r1));
}

/* ---- packet loads ---- */

/* Offsets from here up count from the network header, and below from the link-layer one. */
#define NET_WINDOW (-0x100000)
#define LL_WINDOW (-0x200000)

/* The offset in data that an instruction's offset means; UINT64_MAX: none. */
static uint64_t
data_offset(const struct sift_view *v, int64_t off)
{
	if (off >= 0)
		return (uint64_t)off;
	if (off >= NET_WINDOW)
		return v->net_off != SIFT_OFF_NONE ? (uint64_t)(off - NET_WINDOW) + v->net_off
						   : UINT64_MAX;
	if (off >= LL_WINDOW)
		return v->mac_off != SIFT_OFF_NONE ? (uint64_t)(off - LL_WINDOW) + v->mac_off
						   : UINT64_MAX;
	return UINT64_MAX;
}

/* Big-endian, width bytes at s32(R2); all ones, which no value is: out of the packet. */
static uint64_t
load(uint64_t r1, uint64_t r2, uint32_t width)
{
	const struct sift_view *v = view_of(r1);
	uint32_t low = (uint32_t)r2;
	uint64_t at = data_offset(v, low <= INT32_MAX ? (int64_t)low : (int64_t)low - 0x100000000);
	uint64_t value = 0;

	if (at > v->caplen || width > v->caplen - at)
		return UINT64_MAX;
	for (uint32_t i = 0; i < width; i++)
		value = value << 8 | v->data[at + i];
	return value;
}

#define LOADER(name, width)                                                                        \
	static uint64_t name(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5,      \
			     void *env)                                                            \
	{                                                                                          \
		(void)r3, (void)r4, (void)r5, (void)env;                                           \
		return load(r1, r2, width);                                                        \
	}
LOADER(helper_load8, 1)
LOADER(helper_load16, 2)
LOADER(helper_load32, 4)
#undef LOADER

static struct ebpf_insn
insn(uint8_t code, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
	return (struct ebpf_insn){ .code = code, .dst_reg = dst, .src_reg = src, .off = off,
				   .imm = imm };
}

/*
 * r2 = offset; r1 = r6; call; and where the result is negative, r0 = 0; exit.
 * The offset is cut to 32 bits by the helper, after the addition.
 */
static size_t
expand(const struct ebpf_insn *old, struct ebpf_insn *out)
{
	static const int32_t helper_of[] = { SIFT_HELPER_LOAD32, SIFT_HELPER_LOAD16,
					     SIFT_HELPER_LOAD8 };
	size_t n = 0;

	if ((old->code & 0xe0) == EBPF_ABS) {
		out[n++] = insn(EBPF_ALU64 | EBPF_MOV, EBPF_R2, 0, 0, old->imm);
	} else {
		out[n++] = insn(EBPF_ALU64 | EBPF_MOV | EBPF_X, EBPF_R2, old->src_reg, 0, 0);
		out[n++] = insn(EBPF_ALU64 | EBPF_ADD, EBPF_R2, 0, 0, old->imm);
	}
	out[n++] = insn(EBPF_ALU64 | EBPF_MOV | EBPF_X, EBPF_R1, EBPF_R6, 0, 0);
	out[n++] = insn(EBPF_JMP | EBPF_CALL, 0, 0, 0, helper_of[(old->code & 0x18) >> 3]);
	out[n++] = insn(EBPF_JMP | EBPF_JSGE, EBPF_R0, 0, 2, 0);
	out[n++] = insn(EBPF_ALU64 | EBPF_MOV, EBPF_R0, 0, 0, 0);
	out[n++] = insn(EBPF_JMP | EBPF_EXIT, 0, 0, 0, 0);
	return n;
}

static const struct ebpf_helper helpers[] = {
	{ .id = SIFT_HELPER_LOAD8, .name = "load8", .fn = helper_load8,
	  .args = { EBPF_ARG_CTX, EBPF_ARG_SCALAR } },
	{ .id = SIFT_HELPER_LOAD16, .name = "load16", .fn = helper_load16,
	  .args = { EBPF_ARG_CTX, EBPF_ARG_SCALAR } },
	{ .id = SIFT_HELPER_LOAD32, .name = "load32", .fn = helper_load32,
	  .args = { EBPF_ARG_CTX, EBPF_ARG_SCALAR } },
	{ .id = SIFT_HELPER_RANDOM, .name = "get_prandom_u32", .fn = helper_random,
	  .args = { EBPF_ARG_CTX, EBPF_ARG_SCALAR, EBPF_ARG_SCALAR } },
	{ .id = SIFT_HELPER_NLATTR, .name = "nlattr", .fn = helper_nlattr,
	  .args = { EBPF_ARG_CTX, EBPF_ARG_SCALAR, EBPF_ARG_SCALAR } },
	{ .id = SIFT_HELPER_NLATTR_NEST, .name = "nlattr_nest", .fn = helper_nlattr_nest,
	  .args = { EBPF_ARG_CTX, EBPF_ARG_SCALAR, EBPF_ARG_SCALAR } },
	{ .id = SIFT_HELPER_PAY_OFFSET, .name = "pay_offset", .fn = helper_pay_offset,
	  .args = { EBPF_ARG_CTX, EBPF_ARG_SCALAR, EBPF_ARG_SCALAR } },
};

#define FIELD(name, k)                                                                             \
	{ .off = offsetof(struct sift_view, name),                                                 \
	  .size = sizeof(((struct sift_view *)0)->name), .kind = EBPF_CTX_##k }

/* What programs may read of a view; they write nothing. */
static const struct ebpf_ctx_field fields[] = {
	FIELD(data, PACKET),
	FIELD(caplen, PACKET_LEN),
	FIELD(wirelen, SCALAR),
	FIELD(ts_sec, SCALAR),
	FIELD(ts_nsec, SCALAR),
	FIELD(mac_off, SCALAR),
	FIELD(net_off, SCALAR),
	FIELD(known, SCALAR),
	FIELD(protocol, SCALAR),
	FIELD(pkttype, SCALAR),
	FIELD(vlan_present, SCALAR),
	FIELD(hatype, SCALAR),
	FIELD(queue, SCALAR),
	FIELD(ifindex, SCALAR),
	FIELD(mark, SCALAR),
	FIELD(rxhash, SCALAR),
	FIELD(cpu, SCALAR),
	FIELD(vlan_tci, SCALAR),
	FIELD(vlan_proto, SCALAR),
};
#undef FIELD

/* An Ethernet header, an IPv4 header without options, two ports. */
enum { NEAR = 14 + 20 + 4 };

static const struct ebpf_prog_type packet = {
	.name = "packet",
	.ctx_fields = fields,
	.n_ctx_fields = sizeof(fields) / sizeof(fields[0]),
	.ctx_size = sizeof(struct sift_view),
	.data_near = NEAR,
	.data_off = offsetof(struct sift_view, data),
	.helpers = helpers,
	.n_helpers = sizeof(helpers) / sizeof(helpers[0]),
	.expand = expand,
};

const struct ebpf_prog_type *
sift_prog_type_packet(void)
{
	return &packet;
}
