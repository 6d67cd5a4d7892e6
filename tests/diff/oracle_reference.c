/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reference interpreter, for machines where nobody else can be asked: in
 * emulation, or without libpcap.  Of dialect kernel too, where the kernel
 * itself would take too long.
 */
#include "filter/dissect.h"
#include "tests/diff/compare.h"
#include "tests/support/suite.h"

/* Metadata as a host might have it, some of it not known, headers not always there. */
static int
meet_kernel(void *state, struct diff_case *c, struct ebpf_err *err)
{
	uint64_t rng = c->seed ^ c->index;

	(void)state, (void)err;
	for (size_t i = 0; i < DIFF_PACKETS; i++) {
		struct sift_view *v = &c->packets[i].view;

		v->wirelen = v->caplen + (rng_below(&rng, 4) == 0 ? rng_below(&rng, 2000) : 0);
		v->mac_off = rng_below(&rng, 8) == 0 ? SIFT_OFF_NONE : 0;
		v->net_off = rng_below(&rng, 8) == 0 ? SIFT_OFF_NONE : 14 + 4 * rng_below(&rng, 2);
		v->known = rng_below(&rng, 4) == 0 ? 0 : (uint32_t)rng_next(&rng);
		v->protocol = (uint16_t)rng_next(&rng);
		v->pkttype = (uint8_t)rng_below(&rng, 5);
		v->ifindex = rng_below(&rng, 10);
		v->hatype = (uint16_t)rng_next(&rng);
		v->queue = (uint16_t)rng_below(&rng, 8);
		v->rxhash = (uint32_t)rng_next(&rng);
		v->cpu = rng_below(&rng, 8);
		v->vlan_present = (uint8_t)rng_below(&rng, 2);
		v->vlan_tci = (uint16_t)rng_next(&rng);
		v->vlan_proto = 0x8100;
		c->packets[i].pay_offset = sift_dissect_payload(v);
	}
	return 0;
}

static int
judge_as(enum cbpf_dialect dialect, const struct cbpf_insn *insns,
	 const struct diff_packet *packets, size_t n, const bool *skip, uint32_t *verdicts)
{
	for (size_t i = 0; i < n; i++) {
		if (!skip[i])
			verdicts[i] = reference_run(insns, dialect, &packets[i].view,
						    packets[i].pay_offset)
					      .verdict;
	}
	return 0;
}

static int
judge(void *state, const struct cbpf_insn *insns, size_t n_insns, const struct diff_packet *packets,
      size_t n, const bool *skip, uint32_t *verdicts, struct ebpf_err *err)
{
	(void)state, (void)n_insns, (void)err;
	return judge_as(CBPF_DIALECT_PCAP, insns, packets, n, skip, verdicts);
}

static int
judge_kernel(void *state, const struct cbpf_insn *insns, size_t n_insns,
	     const struct diff_packet *packets, size_t n, const bool *skip, uint32_t *verdicts,
	     struct ebpf_err *err)
{
	(void)state, (void)n_insns, (void)err;
	return judge_as(CBPF_DIALECT_KERNEL, insns, packets, n, skip, verdicts);
}

const struct diff_oracle diff_oracle_reference = {
	.name = "reference",
	.dialect = CBPF_DIALECT_PCAP,
	.judge = judge,
};

const struct diff_oracle diff_oracle_reference_kernel = {
	.name = "reference-kernel",
	.dialect = CBPF_DIALECT_KERNEL,
	.meet = meet_kernel,
	.judge = judge_kernel,
};
