/* SPDX-License-Identifier: BSD-2-Clause */
/* A program's machine code, for debuggers. */
#ifndef TOOLS_NATIVE_GDB_H
#define TOOLS_NATIVE_GDB_H

#include <bpfsift/ebpf.h>

/*
 * Name the program's code to a debugger that knows GDB's interface for code made
 * at run time, now or once it attaches.  The program lives as long as the
 * process does.  0; -ENOENT: the program is not machine code; -ENOMEM; err tells.
 */
int native_gdb(const struct ebpf_prog *prog, const char *name, struct ebpf_err *err);

#endif
