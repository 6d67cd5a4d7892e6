/* SPDX-License-Identifier: BSD-2-Clause */
/* What bpfsift has its helper do, see bpfsift_helper.h.  For the thread that reads packets. */
#ifndef TOOLS_BPFSIFT_ASK_H
#define TOOLS_BPFSIFT_ASK_H

#include "tools/bpfsift_helper.h"

#include <stdbool.h>

/* Start the helper, before anything is opened that it should not have. */
int bpfsift_ask_start(const struct bpfsift_helper_knows *knows, struct ebpf_err *err);

/* Open files: for struct sift_reader_opts, where arg is the input, _savefile_opts, _rotate_opts. */
int bpfsift_ask_input(void *arg, const char *path);
int bpfsift_ask_output(void *arg, const char *path);
int bpfsift_ask_rotated(void *arg, const char *path, int64_t time, uint32_t number);

/* A descriptor, or a negative errno. */
int bpfsift_ask_perf_map(void);

/* As bpfsift_filters_compile(), of the filters that the helper knows. */
int bpfsift_ask_compile(const struct bpfsift_kind *kind, struct cbpf_insn **insns, size_t *n_insns,
			struct ebpf_err *err);

/*
 * Have the file of -F read again, which the helper compiles from then on: a descriptor to
 * read it, or a negative errno, and nothing has changed; or what was before.
 */
int bpfsift_ask_filter(struct ebpf_err *err);
void bpfsift_ask_filter_back(void);

/* Start a program: BPFSIFT_WISH_COMMAND or _PRINTER, which gets the descriptors. */
int bpfsift_ask_program(enum bpfsift_wish wish, uint32_t child,
			const int fds[BPFSIFT_PRINTER_FDS], struct ebpf_err *err);

/*
 * A program that has ended: 1; 0: none, if it is not to be waited for; -EPIPE: the helper
 * has ended.  Async-signal-safe.
 */
int bpfsift_ask_ended(bool is_awaited, struct bpfsift_ended *ended);

#endif
