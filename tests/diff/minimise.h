/* SPDX-License-Identifier: BSD-2-Clause */
/* Making the program of a difference smaller. */
#ifndef TESTS_DIFF_MINIMISE_H
#define TESTS_DIFF_MINIMISE_H

#include <bpfsift/cbpf.h>

#include <stdbool.h>

/* Whether a program still shows what is looked for; it may be an invalid one. */
typedef bool diff_shows_fn(void *arg, const struct cbpf_insn *insns, size_t n_insns);

/*
 * Take out of a program whatever can go while it shows the same, and make what stays
 * plainer.  insns is written to; returns its new length.
 */
size_t diff_minimise(struct cbpf_insn *insns, size_t n_insns, diff_shows_fn *shows, void *arg);

#endif
