/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs that bpfsift starts, and what becomes of them. */
#ifndef TOOLS_BPFSIFT_CHILDREN_H
#define TOOLS_BPFSIFT_CHILDREN_H

#include <bpfsift/ebpf.h>

#include <stdbool.h>
#include <sys/types.h>

/* How one is started; descriptors: -1 is ours. */
struct bpfsift_child_spec {
	char *const *argv;  /* the program, looked for on PATH, and its arguments */
	bool is_background; /* at the lowest priority */
	bool is_shielded;   /* what a terminal's keys send is not for it */
	bool is_vital;      /* bpfsift stops when it ends */
	int stdin_fd, stderr_fd;
};

/*
 * Start a program, which has to be found and runs when this returns.  0; negative errno;
 * *id for bpfsift_child_wait().
 */
int bpfsift_child_start(const struct bpfsift_child_spec *spec, size_t *id, struct ebpf_err *err);

/* It is not vital any more. */
void bpfsift_child_relax(size_t id);

/* Wait for it to end.  Its status as of waitpid(). */
int bpfsift_child_wait(size_t id);

/* Tell of those that failed and have not been told of or waited for. */
void bpfsift_children_report(void);

/* Wait for all, and tell of those. */
void bpfsift_children_wait(void);

/* Take the status of those that have ended: for SIGCHLD.  Async-signal-safe. */
void bpfsift_children_reap(void);

#endif
