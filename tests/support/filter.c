/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/support/filter.h"

#include <stdlib.h>

#include "tests/support/suite.h"

enum { ETHERNET = 1 };

struct sift_filter *
filter_make(const char *expression, uint32_t snaplen)
{
	struct cbpf_insn *insns;
	struct cbpf_prog *prog;
	struct sift_filter *filter;
	struct ebpf_err err;
	size_t n;

	ck_assert_int_eq(sift_expr_compile(expression, ETHERNET, snaplen, 0, 0, &insns, &n, &err),
			 0);
	ck_assert_int_eq(cbpf_check(insns, n, CBPF_DIALECT_PCAP, &prog, &err), 0);
	ck_assert_int_eq(sift_filter_new(prog, NULL, &filter, &err), 0);
	cbpf_prog_free(prog);
	free(insns);
	return filter;
}
