/* SPDX-License-Identifier: BSD-2-Clause */
/* The interpreters in both dispatch variants, compiled for the tests. */
#ifndef TESTS_EBPF_VARIANTS_H
#define TESTS_EBPF_VARIANTS_H

#include "ebpf/prog.h"

uint64_t interp_labels(const struct ebpf_prog *prog, uint64_t r1, uint64_t r2);
uint64_t interp_switch(const struct ebpf_prog *prog, uint64_t r1, uint64_t r2);
void interp_labels_many(const struct ebpf_prog *prog, const void *ctxs, size_t stride, size_t n,
			uint32_t *results);
void interp_switch_many(const struct ebpf_prog *prog, const void *ctxs, size_t stride, size_t n,
			uint32_t *results);
uint64_t leaf_labels(const struct ebpf_prog *prog, uint64_t r1, uint64_t r2);
uint64_t leaf_switch(const struct ebpf_prog *prog, uint64_t r1, uint64_t r2);
void leaf_labels_many(const struct ebpf_prog *prog, const void *ctxs, size_t stride, size_t n,
		      uint32_t *results);
void leaf_switch_many(const struct ebpf_prog *prog, const void *ctxs, size_t stride, size_t n,
		      uint32_t *results);
int checked_labels(const struct ebpf_prog *prog, void *mem, size_t len,
		   const struct ebpf_run_opts *opts, uint64_t *r0, struct ebpf_err *err);
int checked_switch(const struct ebpf_prog *prog, void *mem, size_t len,
		   const struct ebpf_run_opts *opts, uint64_t *r0, struct ebpf_err *err);

#endif
