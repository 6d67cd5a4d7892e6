/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libpcap's bpf_filter().  What it leaves undefined is not asked of it: the
 * caller skips pairs that execute a constant shift of 32 and more (undefined in
 * C), read a scratch slot that was not written (1.10.3: whatever the stack
 * held) or loop for longer than we do; programs hold no code that makes it
 * abort().  It is called without auxiliary data: the interface that takes them
 * is not exported.
 */
#include "config.h" /* system extensions: libpcap's headers want u_int */

#include "tests/diff/compare.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stddef.h>

_Static_assert(sizeof(struct bpf_insn) == sizeof(struct cbpf_insn) &&
		       offsetof(struct bpf_insn, jt) == offsetof(struct cbpf_insn, jt) &&
		       offsetof(struct bpf_insn, jf) == offsetof(struct cbpf_insn, jf) &&
		       offsetof(struct bpf_insn, k) == offsetof(struct cbpf_insn, k),
	       "one layout");

static int
judge(void *state, const struct cbpf_insn *insns, size_t n_insns, const struct diff_packet *packets,
      size_t n, const bool *skip, uint32_t *verdicts, struct ebpf_err *err)
{
	const struct bpf_insn *code = (const struct bpf_insn *)(const void *)insns;

	(void)state;
	if (!bpf_validate(code, (int)n_insns)) {
		snprintf(err->text, sizeof(err->text), "bpf_validate() says no");
		return -EINVAL;
	}
	for (size_t i = 0; i < n; i++) {
		const struct sift_view *v = &packets[i].view;

		if (!skip[i])
			verdicts[i] = bpf_filter(code, v->data, v->wirelen, v->caplen);
	}
	return 0;
}

const struct diff_oracle diff_oracle_pcap = {
	.name = "pcap",
	.dialect = CBPF_DIALECT_PCAP,
	.judge = judge,
};
