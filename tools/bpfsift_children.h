/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs that bpfsift has the helper start, and what becomes of them. */
#ifndef TOOLS_BPFSIFT_CHILDREN_H
#define TOOLS_BPFSIFT_CHILDREN_H

#include "tools/bpfsift_helper.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Start -z on the file that is complete, path, or the printer, which is given the
 * descriptors, and without which bpfsift stops.  The program has been found and runs when
 * this returns.  0; negative errno; *id for bpfsift_child_wait().
 */
int bpfsift_child_start_command(const char *command, const char *path, struct ebpf_err *err);
int bpfsift_child_start_printer(const int fds[BPFSIFT_PRINTER_FDS], size_t *id,
				struct ebpf_err *err);

/* It may end. */
void bpfsift_child_relax(size_t id);

/* Wait for it to end.  Its status as of waitpid(). */
int bpfsift_child_wait(size_t id);

/* Tell of those that failed and have not been told of or waited for. */
void bpfsift_children_report(void);

/* Wait for all, and tell of those. */
void bpfsift_children_wait(void);

/* Hear of those that have ended: for SIGCHLD.  Async-signal-safe. */
void bpfsift_children_reap(void);

#endif
