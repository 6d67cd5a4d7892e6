/* SPDX-License-Identifier: BSD-2-Clause */
/* Both interpreters in both dispatch variants, compiled for the tests. */
#ifndef TESTS_EBPF_VARIANTS_H
#define TESTS_EBPF_VARIANTS_H

#include "ebpf/prog.h"

uint64_t interp_labels(const struct ebpf_prog *prog, uint64_t r1, uint64_t r2);
uint64_t interp_switch(const struct ebpf_prog *prog, uint64_t r1, uint64_t r2);
int checked_labels(const struct ebpf_prog *prog, void *mem, size_t len,
		   const struct ebpf_run_opts *opts, uint64_t *r0, struct ebpf_err *err);
int checked_switch(const struct ebpf_prog *prog, void *mem, size_t len,
		   const struct ebpf_run_opts *opts, uint64_t *r0, struct ebpf_err *err);

#endif
