/* SPDX-License-Identifier: BSD-2-Clause */
/* What bpfsift says, and where.  Wordings are tcpdump's where tcpdump has them. */
#ifndef TOOLS_BPFSIFT_SAY_H
#define TOOLS_BPFSIFT_SAY_H

#include <bpfsift/filter.h>

#include <stdbool.h>
#include <stdio.h>

/*
 * A line on a terminal, cut to so many columns, which the next one is written over; whoever
 * says something else clears it before, and a signal handler can know of it.
 */
void print_line(const char *text, int columns);
void clear_line(void);
bool line_is_shown(void);

/* One line on standard error, behind what stands on standard output; EXIT_FAILURE. */
int complain(const struct ebpf_err *err);
__attribute__((format(printf, 1, 2))) void warn(const char *fmt, ...);

/* Fill err; rc. */
__attribute__((format(printf, 3, 4))) int refuse(struct ebpf_err *err, int rc, const char *fmt,
						 ...);

/* "3 packets captured" */
void print_packets(FILE *to, uint64_t n, const char *what);

/* "link-type EN10MB (Ethernet)", in text, which it returns. */
enum { LINKTYPE_TEXT = 256 };
const char *linktype_text(int dlt, char text[LINKTYPE_TEXT]);

#endif
