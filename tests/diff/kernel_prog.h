/* SPDX-License-Identifier: BSD-2-Clause */
/* Extended programs in the running kernel: loaded as anybody's, and run on bytes. */
#ifndef TESTS_DIFF_KERNEL_PROG_H
#define TESTS_DIFF_KERNEL_PROG_H

#include <bpfsift/cbpf.h>

enum kernel_prog_type { KERNEL_SOCKET_FILTER, KERNEL_TC, KERNEL_XDP };

/*
 * Load a program, with no more rights than a BSD licence gives.  A file
 * descriptor; -EPERM, -EOPNOTSUPP: not on this machine; -E2BIG: the verifier saw
 * no end of it; -EACCES: refused.  err has the last line of the verifier's log.
 */
int kernel_prog_load(enum kernel_prog_type type, const struct ebpf_insn *insns, size_t n_insns,
		     struct ebpf_err *err);

/* Run it on a frame; *result is what it returns.  0, or a negative code, err set. */
int kernel_prog_run(int prog, const uint8_t *frame, uint32_t len, uint32_t *result,
		    struct ebpf_err *err);

#endif
