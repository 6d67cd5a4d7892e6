/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Expressions of pcap-filter(7), compiled by libpcap.  The one file that
 * includes libpcap for this, and where its struct bpf_insn becomes ours.
 */
#include "config.h"     /* system extensions: libpcap's headers want u_int */

#include <bpfsift/filter.h>

#include <errno.h>
#include <limits.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include "ebpf/err.h"

_Static_assert(SIFT_NETMASK_UNKNOWN == PCAP_NETMASK_UNKNOWN, "passed on as it is");
_Static_assert(sizeof(struct cbpf_insn) == sizeof(struct bpf_insn), "copied as bytes");
#define SAME_FIELD(f)                                                                              \
	_Static_assert(offsetof(struct cbpf_insn, f) == offsetof(struct bpf_insn, f) &&            \
			       sizeof(((struct cbpf_insn *)0)->f) ==                               \
				       sizeof(((struct bpf_insn *)0)->f),                          \
		       "copied as bytes")
SAME_FIELD(code);
SAME_FIELD(jt);
SAME_FIELD(jf);
SAME_FIELD(k);
#undef SAME_FIELD

static int
copy_insns(const struct bpf_program *from, struct cbpf_insn **insns, size_t *n_insns,
	   struct ebpf_err *err)
{
	struct cbpf_insn *copy = calloc(from->bf_len, sizeof(*copy));

	if (copy == NULL)
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	memcpy(copy, from->bf_insns, from->bf_len * sizeof(*copy));
	*insns = copy;
	*n_insns = from->bf_len;
	return 0;
}

int
sift_expr_compile(const char *expr, int dlt, uint32_t snaplen, uint32_t netmask, unsigned flags,
		  struct cbpf_insn **insns, size_t *n_insns, struct ebpf_err *err)
{
	struct bpf_program program;
	pcap_t *pcap;
	int rc;

	if (flags & ~SIFT_EXPR_NO_OPTIMIZE)
		return ebpf_err_set(err, -EINVAL, "unknown flags 0x%x", flags);
	if (snaplen > INT_MAX)
		return ebpf_err_set(err, -EINVAL, "snapshot length %lu, but the limit is %d",
				    (unsigned long)snaplen, INT_MAX);
	pcap = pcap_open_dead(dlt, (int)snaplen);
	if (pcap == NULL)
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	if (pcap_compile(pcap, &program, expr != NULL ? expr : "",
			 (flags & SIFT_EXPR_NO_OPTIMIZE) == 0, netmask) < 0) {
		rc = ebpf_err_set(err, -EINVAL, "%s", pcap_geterr(pcap));
	} else {
		rc = copy_insns(&program, insns, n_insns, err);
		pcap_freecode(&program);
	}
	pcap_close(pcap);
	return rc;
}
