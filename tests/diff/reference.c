/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/diff/reference.h"

#include <string.h>

#define BACKWARD_JUMPS 65536

struct machine {
	const struct sift_view *view;
	enum cbpf_dialect dialect;
	uint32_t pay_offset;
	uint32_t a, x;
	uint32_t mem[CBPF_MEMWORDS];
	uint16_t written; /* slots of mem */
	uint32_t n_backward;
	bool is_over;  /* the verdict is known */
	uint16_t code; /* of the instruction being executed */
	struct reference_run run;
};

static void
end(struct machine *m, uint32_t verdict)
{
	m->is_over = true;
	m->run.verdict = verdict;
}

/* Bytes at an offset from a base in the packet; outside of it the program ends. */
static uint32_t
bytes_at(struct machine *m, uint64_t base, uint64_t off, unsigned size)
{
	uint32_t value = 0;

	if (base == SIFT_OFF_NONE || base + off + size > m->view->caplen) {
		m->run.is_too_short =
			base != SIFT_OFF_NONE && base + off + size <= m->view->wirelen;
		end(m, 0);
		return 0;
	}
	for (unsigned i = 0; i < size; i++)
		value = value << 8 | m->view->data[base + off + i];
	return value;
}

/* A load through a header, by ABS, IND or MSH: worth counting if it succeeds. */
static uint32_t
header_bytes(struct machine *m, unsigned special, uint64_t base, uint64_t off, unsigned size)
{
	uint32_t value = bytes_at(m, base, off, size);
	unsigned how = m->code == 0xb1 ? 2 : (m->code & 0xe0) == 0x40 ? 1 : 0;

	if (!m->is_over)
		m->run.special |= (uint32_t)1 << (special + how);
	return value;
}

/* The kernel's view of a 32-bit offset: packet, network or link-layer header. */
static uint32_t
load_kernel(struct machine *m, uint32_t off, unsigned size)
{
	if (off < 0x80000000u)
		return bytes_at(m, 0, off, size);
	if (off >= 0xfff00000u)
		return header_bytes(m, REFERENCE_NET_ABS, m->view->net_off, off - 0xfff00000u,
				    size);
	if (off >= 0xffe00000u)
		return header_bytes(m, REFERENCE_LL_ABS, m->view->mac_off, off - 0xffe00000u, size);
	end(m, 0);
	return 0;
}

/* x + k: libpcap's sum does not wrap. */
static uint32_t
load(struct machine *m, uint32_t x, uint32_t k, unsigned size)
{
	if (m->dialect == CBPF_DIALECT_KERNEL)
		return load_kernel(m, x + k, size);
	return bytes_at(m, 0, (uint64_t)x + k, size);
}

/* ---- ancillary data ---- */

static uint32_t
host16(const uint8_t *p)
{
	uint16_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

/* Look for a netlink attribute in data[at ... stop). */
static uint32_t
nlattr_search(struct machine *m, int64_t at, int64_t stop)
{
	const uint8_t *data = m->view->data;

	while (stop - at >= 4) {
		int64_t len = host16(data + at);

		if (len < 4 || at + len > stop)
			return 0;
		if ((host16(data + at + 2) & 0x3fff) == m->x)
			return (uint32_t)at;
		at += (len + 3) / 4 * 4;
	}
	return 0;
}

static uint32_t
nlattr(struct machine *m, bool is_nested)
{
	int64_t at = m->a, stop = m->view->caplen;

	if (at + 4 > stop)
		return 0;
	if (is_nested) {
		int64_t len = host16(m->view->data + at);

		if (at + len > stop)
			return 0;
		stop = at + len;
		at += 4;
	}
	return nlattr_search(m, at, stop);
}

/* A field that only a packet with an interface has; without, A is the verdict. */
static uint32_t
of_interface(struct machine *m, uint32_t known, uint32_t value)
{
	if (!(m->view->known & known))
		end(m, m->a);
	return value;
}

static uint32_t
ancillary_kernel(struct machine *m, uint32_t k)
{
	const struct sift_view *v = m->view;

	switch (k - 0xfffff000u) {
	case 0:
		return v->protocol;
	case 4:
		return v->pkttype;
	case 8:
		return of_interface(m, SIFT_KNOWN_IFINDEX, v->ifindex);
	case 12:
		return nlattr(m, false);
	case 16:
		return nlattr(m, true);
	case 20:
		return v->mark;
	case 24:
		return v->queue;
	case 28:
		return of_interface(m, SIFT_KNOWN_HATYPE, v->hatype);
	case 32:
		return v->rxhash;
	case 36:
		return v->cpu;
	case 40:
		return m->a ^ m->x;
	case 44:
		return v->vlan_tci;
	case 48:
		return v->vlan_present;
	case 52:
		return m->pay_offset;
	case 56:
		return 0x5eed5eed; /* any number: programs must not depend on it */
	case 60:
		return v->vlan_proto;
	default:
		end(m, 0);
		return 0;
	}
}

/* The VLAN tag that a live capture hands to libpcap beside the packet. */
static uint32_t
ancillary_pcap(struct machine *m, uint32_t k)
{
	if (!(m->view->known & SIFT_KNOWN_VLAN)) {
		end(m, 0);
		return 0;
	}
	return k == 0xfffff02c ? m->view->vlan_tci & 0xfffu : m->view->vlan_present;
}

static uint32_t
load_absolute(struct machine *m, uint32_t k, unsigned size)
{
	if (m->dialect == CBPF_DIALECT_KERNEL && k >= 0xfffff000u) {
		uint32_t value = ancillary_kernel(m, k);

		if (value != 0 || k == 0xfffff024u)
			m->run.special |= (uint32_t)1 << (k - 0xfffff000u) / 4;
		return value;
	}
	if (m->dialect == CBPF_DIALECT_PCAP && (k == 0xfffff02cu || k == 0xfffff030u))
		return ancillary_pcap(m, k);
	return load(m, 0, k, size);
}

/* ---- arithmetic and scratch memory ---- */

static uint32_t
shift_count(struct machine *m, uint32_t count, bool is_constant)
{
	if (m->dialect == CBPF_DIALECT_KERNEL)
		return count % 32;
	if (is_constant && count >= 32)
		m->run.is_undefined = true;
	return count;
}

static uint32_t
arithmetic(struct machine *m, unsigned op, uint32_t b, bool is_constant)
{
	uint32_t a = m->a;

	switch (op) {
	case 0x00:
		return a + b;
	case 0x10:
		return a - b;
	case 0x20:
		return a * b;
	case 0x30:
	case 0x90:
		if (b == 0) {
			end(m, 0);
			return a;
		}
		return op == 0x30 ? a / b : a % b;
	case 0x40:
		return a | b;
	case 0x50:
		return a & b;
	case 0x60:
		b = shift_count(m, b, is_constant);
		return b < 32 ? a << b : 0;
	case 0x70:
		b = shift_count(m, b, is_constant);
		return b < 32 ? a >> b : 0;
	case 0x80:
		return 0u - a;
	case 0xa0:
		return a ^ b;
	default:
		end(m, 0);
		return a;
	}
}

static uint32_t
read_slot(struct machine *m, uint32_t k)
{
	if (!(m->written >> k & 1))
		m->run.is_undefined = true;
	return m->mem[k];
}

static void
write_slot(struct machine *m, uint32_t k, uint32_t value)
{
	m->written |= (uint16_t)(1u << k);
	m->mem[k] = value;
}

/* ---- control ---- */

static bool
test(unsigned op, uint32_t a, uint32_t b)
{
	switch (op) {
	case 0x10:
		return a == b;
	case 0x20:
		return a > b;
	case 0x30:
		return a >= b;
	default:
		return (a & b) != 0;
	}
}

/* How many instructions are skipped, modulo 2^32. */
static uint32_t
jump(struct machine *m, const struct cbpf_insn *insn)
{
	if ((insn->code & 0xf0) != 0)
		return test(insn->code & 0xf0, m->a, insn->code & 8 ? m->x : insn->k) ? insn->jt
										      : insn->jf;
	if (insn->k >= 0x80000000u && m->n_backward++ == BACKWARD_JUMPS) {
		m->run.is_exhausted = true;
		end(m, 0);
	}
	return insn->k;
}

/* One instruction; returns how many to skip after it. */
static uint32_t
step(struct machine *m, const struct cbpf_insn *insn)
{
	static const unsigned sizes[] = { 4, 2, 1, 0 };
	unsigned size = sizes[insn->code >> 3 & 3];
	uint32_t k = insn->k, value;

	switch (insn->code) {
	case 0x00:
		m->a = k;
		return 0;
	case 0x01:
		m->x = k;
		return 0;
	case 0x80:
		m->a = m->view->wirelen;
		return 0;
	case 0x81:
		m->x = m->view->wirelen;
		return 0;
	case 0x60:
		m->a = read_slot(m, k);
		return 0;
	case 0x61:
		m->x = read_slot(m, k);
		return 0;
	case 0x02:
		write_slot(m, k, m->a);
		return 0;
	case 0x03:
		write_slot(m, k, m->x);
		return 0;
	case 0x20:
	case 0x28:
	case 0x30:
		m->a = load_absolute(m, k, size);
		return 0;
	case 0x40:
	case 0x48:
	case 0x50:
		m->a = load(m, m->x, k, size);
		return 0;
	case 0xb1:
		value = load(m, 0, k, 1);
		m->x = (value & 15) * 4;
		return 0;
	case 0x06:
		end(m, k);
		return 0;
	case 0x16:
		end(m, m->a);
		return 0;
	case 0x07:
		m->x = m->a;
		return 0;
	case 0x87:
		m->a = m->x;
		return 0;
	default:
		break;
	}
	if ((insn->code & 7) == 5)
		return jump(m, insn);
	m->a = arithmetic(m, insn->code & 0xf0, insn->code & 8 ? m->x : k, !(insn->code & 8));
	return 0;
}

struct reference_run
reference_run(const struct cbpf_insn *insns, enum cbpf_dialect dialect,
	      const struct sift_view *view, uint32_t pay_offset)
{
	struct machine m = { .view = view, .dialect = dialect, .pay_offset = pay_offset };

	for (uint32_t pc = 0; !m.is_over; pc++) {
		unsigned code = insns[pc].code & 0xff;

		m.run.codes[code / 64] |= (uint64_t)1 << code % 64;
		m.run.n_steps++;
		m.code = insns[pc].code;
		pc += step(&m, &insns[pc]);
	}
	return m.run;
}
