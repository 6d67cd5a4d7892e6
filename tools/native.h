/* SPDX-License-Identifier: BSD-2-Clause */
/* A program's machine code, for people and for profilers. */
#ifndef TOOLS_NATIVE_H
#define TOOLS_NATIVE_H

#include <bpfsift/ebpf.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

/*
 * Write each extended instruction, and behind it the machine code made of it:
 * disassembled where that was built in, else as bytes.  0; -ENOENT: the program
 * is not machine code, err tells.
 */
int native_dump(const struct ebpf_prog *prog, FILE *out, struct ebpf_err *err);

/*
 * Have the library that disassembles, which is a file, for a process that will open none.
 * False: there is none, and code is shown as bytes.
 */
bool native_prepare(void);

/* Open the file where perf looks for code that has none.  A descriptor; a negative errno. */
int native_perf_map_open(pid_t pid);

/*
 * Name the program's code there.  fd: the file, which is closed, or the negative errno of
 * opening it.  0; -ENOENT; or what opening and writing gives, err tells.
 */
int native_perf_map(const struct ebpf_prog *prog, const char *name, int fd, struct ebpf_err *err);

#endif
