/* SPDX-License-Identifier: BSD-2-Clause */
/* A program's machine code, for people and for profilers. */
#ifndef TOOLS_NATIVE_H
#define TOOLS_NATIVE_H

#include <bpfsift/ebpf.h>
#include <stdio.h>

/*
 * Write each extended instruction, and behind it the machine code made of it:
 * disassembled where that was built in, else as bytes.  0; -ENOENT: the program
 * is not machine code, err tells.
 */
int native_dump(const struct ebpf_prog *prog, FILE *out, struct ebpf_err *err);

/*
 * Name the program's code in /tmp/perf-PID.map, where perf looks for what has
 * no file.  0; -ENOENT; or what opening and writing gives, err tells.
 */
int native_perf_map(const struct ebpf_prog *prog, const char *name, struct ebpf_err *err);

#endif
