/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs that the helper starts: they run as the user whom bpfsift has become. */
#ifndef TOOLS_BPFSIFT_SPAWN_H
#define TOOLS_BPFSIFT_SPAWN_H

#include <bpfsift/ebpf.h>

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct bpfsift_spawn {
	char *const *argv;    /* the program, looked for on PATH, and its arguments */
	bool is_background;   /* at the lowest priority */
	bool is_shielded;     /* what a terminal's keys send is not for it */
	int stdin_fd, stderr_fd; /* -1: ours */
	const sigset_t *mask; /* of signals, but for those */
	uint32_t child;       /* its number, for bpfsift_spawn_reap() */
};

/* Start a program, which has to be found and runs when this returns.  0; a negative errno. */
int bpfsift_spawn(const struct bpfsift_spawn *spec, struct ebpf_err *err);

/* One that has ended: true, its number, and its status as of waitpid(). */
bool bpfsift_spawn_reap(uint32_t *child, int *status);

#endif
