/* SPDX-License-Identifier: BSD-2-Clause */
/* How cbpf2ebpf ends when something is wrong: one line, and the exit status. */
#ifndef TOOLS_CBPF2EBPF_SAY_H
#define TOOLS_CBPF2EBPF_SAY_H

enum { EXIT_USAGE = 2 };

/* Refused: exit status 1. */
__attribute__((format(printf, 1, 2), noreturn)) void die(const char *fmt, ...);

/* A wrong command line: exit status EXIT_USAGE. */
__attribute__((format(printf, 1, 2), noreturn)) void usage(const char *fmt, ...);

/* p, which is not NULL: out of memory otherwise. */
void *must(void *p);

#endif
