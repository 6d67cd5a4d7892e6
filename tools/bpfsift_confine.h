/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a process that reads packets does without: Landlock keeps it from files, and a
 * seccomp filter from all system calls but those that reading, writing, threads and
 * memory take.  Files that are open stay so.
 */
#ifndef TOOLS_BPFSIFT_CONFINE_H
#define TOOLS_BPFSIFT_CONFINE_H

#include <bpfsift/ebpf.h>

#include <stdbool.h>

/* What holds. */
struct bpfsift_confinement {
	bool has_landlock, has_seccomp;
	const char *why_not; /* where one of them is missing */
};

/*
 * Confine all threads by seccomp, and by Landlock this one and those that it will start:
 * call it before there are others.  0, also where the system has not what is asked for;
 * a negative errno, err tells: it has, and refuses.
 *
 * may_make_code: memory can become executable afterwards, which filters made later need.
 */
int bpfsift_confine(bool may_make_code, struct bpfsift_confinement *holds, struct ebpf_err *err);

/* What holds, in words: "Landlock and seccomp". */
const char *bpfsift_confinement_name(const struct bpfsift_confinement *holds);

#endif
