/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Started by root, bpfsift becomes another user before it reads packets.  What it has to
 * open after that is opened by a helper that stays root, and takes no names: of a rotated
 * file only the two numbers in it, of an input only one that was named before.
 */
#ifndef TOOLS_BPFSIFT_PRIVILEGES_H
#define TOOLS_BPFSIFT_PRIVILEGES_H

#include "tools/bpfsift_inputs.h"
#include "tools/bpfsift_options.h"

/* Look the user up who is to be become, if any. */
int bpfsift_privileges_find_user(const struct bpfsift_options *options, struct ebpf_err *err);

/* Become that user, and start the helper if it will be needed; inputs may be NULL. */
int bpfsift_privileges_drop(const struct bpfsift_options *options,
			    const struct bpfsift_inputs *inputs, struct ebpf_err *err);

/* Become that user, and no more.  0; a negative errno.  Async-signal-safe. */
int bpfsift_privileges_become_user(void);

/* Open files, before and after: for struct sift_reader_opts, _savefile_opts, _rotate_opts. */
int bpfsift_privileges_open_input(void *arg, const char *path);
int bpfsift_privileges_open_output(void *arg, const char *path);
int bpfsift_privileges_open_rotated(void *arg, const char *path, int64_t time, uint32_t number);

#endif
