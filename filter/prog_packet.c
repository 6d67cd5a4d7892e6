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

static const struct ebpf_helper helpers[] = {
	{ SIFT_HELPER_RANDOM, "get_prandom_u32", helper_random },
	{ SIFT_HELPER_NLATTR, "nlattr", helper_nlattr },
	{ SIFT_HELPER_NLATTR_NEST, "nlattr_nest", helper_nlattr_nest },
	{ SIFT_HELPER_PAY_OFFSET, "pay_offset", helper_pay_offset },
};

static const struct ebpf_prog_type packet = {
	.name = "packet",
	.has_data = true,
	.data_off = offsetof(struct sift_view, data),
	.helpers = helpers,
	.n_helpers = sizeof(helpers) / sizeof(helpers[0]),
};

const struct ebpf_prog_type *
sift_prog_type_packet(void)
{
	return &packet;
}
