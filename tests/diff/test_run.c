/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Classifiers run on frames of 14 to 3712 bytes, and where those say IPv4 or IPv6
 * on none without such a header: the kernel's rules for test runs.
 */
#include "config.h" /* system extensions: sched_setaffinity() */

#include "tests/diff/test_run.h"

#include "ebpf/err.h"
#include "tests/support/suite.h"

#include <endian.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

enum { MIN_FRAME = 14 };

/* Offsets in the context of a classifier, and of an XDP program. */
enum { PKTTYPE, PROTOCOL, IFINDEX, RXHASH };
static const int16_t skb_fields[TEST_RUN_FIELDS] = {
	[PKTTYPE] = 4,
	[PROTOCOL] = 16,
	[IFINDEX] = 40,
	[RXHASH] = 68,
};
#define XDP_IFINDEX 12

static int
open_field(enum kernel_prog_type type, int16_t off, struct ebpf_err *err)
{
	const struct ebpf_insn insns[] = {
		{ .code = EBPF_LDX | EBPF_MEM | EBPF_W, .dst_reg = 0, .src_reg = 1, .off = off },
		{ .code = EBPF_JMP | EBPF_EXIT },
	};

	return kernel_prog_load(type, insns, N_ELEMS(insns), err);
}

static int
stay_on_cpu(struct ebpf_err *err)
{
	int cpu = sched_getcpu();
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned)cpu, &set);
	if (cpu < 0 || sched_setaffinity(0, sizeof(set), &set) < 0)
		return ebpf_err_set(err, -EIO, "staying on a processor: %s", strerror(errno));
	return 0;
}

int
test_run_open(struct test_run *run, enum kernel_prog_type type, struct ebpf_err *err)
{
	int rc;

	run->type = type;
	for (int i = 0; i < TEST_RUN_FIELDS; i++)
		run->fields[i] = -1;
	if ((rc = stay_on_cpu(err)) < 0)
		return rc;
	for (int i = 0; i < TEST_RUN_FIELDS; i++) {
		if (type == KERNEL_XDP && i != IFINDEX)
			continue;
		rc = open_field(type, type == KERNEL_XDP ? XDP_IFINDEX : skb_fields[i], err);
		if (rc < 0) {
			test_run_close(run);
			return rc;
		}
		run->fields[i] = rc;
	}
	return 0;
}

void
test_run_close(struct test_run *run)
{
	for (int i = 0; i < TEST_RUN_FIELDS; i++) {
		if (run->fields[i] >= 0)
			close(run->fields[i]);
		run->fields[i] = -1;
	}
}

bool
test_run_takes(const struct diff_packet *p)
{
	unsigned type;

	if (p->len < MIN_FRAME)
		return false;
	type = (unsigned)p->frame[12] << 8 | p->frame[13];
	return p->len >= (type == 0x800 ? 34u : type == 0x86dd ? 54u : MIN_FRAME);
}

int
test_run_see(const struct test_run *run, struct diff_packet *p, struct ebpf_err *err)
{
	uint32_t values[TEST_RUN_FIELDS] = { 0 };
	struct sift_view *v = &p->view;
	int rc;

	for (int i = 0; i < TEST_RUN_FIELDS; i++) {
		if (run->fields[i] < 0)
			continue;
		rc = kernel_prog_run(run->fields[i], p->frame, p->len, &values[i], err);
		if (rc < 0)
			return rc;
	}
	v->mac_off = 0;
	v->net_off = 14;
	v->wirelen = v->caplen;
	v->mark = 0;
	v->queue = 0;
	v->known = SIFT_KNOWN_IFINDEX | SIFT_KNOWN_CPU;
	v->cpu = (uint32_t)sched_getcpu();
	v->ifindex = values[IFINDEX];
	if (run->type == KERNEL_XDP)
		return 0;
	v->known |= SIFT_KNOWN_PROTOCOL | SIFT_KNOWN_PKTTYPE | SIFT_KNOWN_MARK | SIFT_KNOWN_QUEUE |
		    SIFT_KNOWN_RXHASH | SIFT_KNOWN_VLAN;
	v->pkttype = (uint8_t)values[PKTTYPE];
	v->protocol = be16toh((uint16_t)values[PROTOCOL]);
	v->rxhash = values[RXHASH];
	return 0;
}
