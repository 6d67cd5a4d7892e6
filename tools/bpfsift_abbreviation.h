/* SPDX-License-Identifier: BSD-2-Clause */
/* Long options cut short, as tcpdump takes them. */
#ifndef TOOLS_BPFSIFT_ABBREVIATION_H
#define TOOLS_BPFSIFT_ABBREVIATION_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Whether the argument that getopt_long() comes to next, from argv[next] on, is a long option
 * of tcpdump's, cut short as far as it is clear to tcpdump.  We have options which begin alike:
 * it is then to be looked up among those that bpfsift_abbreviation_theirs() leaves.
 */
bool bpfsift_abbreviation_is_theirs(int argc, char **argv, int next);

/* Those of all[], which ends with a NULL name, that tcpdump has: into theirs[], as long. */
void bpfsift_abbreviation_theirs(const struct option *all, struct option *theirs);

#endif
