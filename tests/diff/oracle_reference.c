/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reference interpreter, for machines where nobody else can be asked: in
 * emulation, or without libpcap.
 */
#include "tests/diff/compare.h"

static int
open_reference(void **state, struct ebpf_err *err)
{
	(void)err;
	*state = NULL;
	return 0;
}

static void
close_reference(void *state)
{
	(void)state;
}

static int
meet(void *state, struct diff_case *c, struct ebpf_err *err)
{
	(void)state, (void)c, (void)err;
	return 0;
}

static void
part(struct diff_case *c)
{
	(void)c;
}

static int
judge(void *state, const struct cbpf_insn *insns, size_t n_insns, const struct diff_packet *packets,
      size_t n, const bool *skip, uint32_t *verdicts, struct ebpf_err *err)
{
	(void)state, (void)n_insns, (void)err;
	for (size_t i = 0; i < n; i++) {
		if (!skip[i])
			verdicts[i] = reference_run(insns, CBPF_DIALECT_PCAP, &packets[i].view,
						    packets[i].pay_offset)
					      .verdict;
	}
	return 0;
}

const struct diff_oracle diff_oracle_reference = {
	.name = "reference",
	.dialect = CBPF_DIALECT_PCAP,
	.open = open_reference,
	.close = close_reference,
	.meet = meet,
	.part = part,
	.judge = judge,
};
