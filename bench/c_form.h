/* SPDX-License-Identifier: BSD-2-Clause */
/* A classic program as straight C, each load bounds-checked, for a C compiler. */
#ifndef BENCH_C_FORM_H
#define BENCH_C_FORM_H

#include <bpfsift/cbpf.h>
#include <stdio.h>

/*
 * Write the function uint64_t filter(const uint8_t *p, uint64_t len).  The
 * program is one that libpcap made: no scratch slot is read before it is
 * written, no division, no backward jump.
 */
void c_form_write(const struct cbpf_insn *insns, size_t n_insns, FILE *out);

#endif
