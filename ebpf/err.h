/* SPDX-License-Identifier: BSD-2-Clause */
/* Filling struct ebpf_err, for every floor. */
#ifndef BPFSIFT_EBPF_ERR_H
#define BPFSIFT_EBPF_ERR_H

#include <bpfsift/ebpf.h>

/* Set the message (err may be NULL) and return rc. */
__attribute__((format(printf, 3, 4))) int
ebpf_err_set(struct ebpf_err *err, int rc, const char *fmt, ...);

/* Put "where: " before a message already set, and return rc. */
__attribute__((format(printf, 3, 4))) int
ebpf_err_prefix(struct ebpf_err *err, int rc, const char *fmt, ...);

#endif
