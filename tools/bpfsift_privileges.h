/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Before it reads packets bpfsift becomes another user, if root has started it, and
 * confines itself, whoever has.
 */
#ifndef TOOLS_BPFSIFT_PRIVILEGES_H
#define TOOLS_BPFSIFT_PRIVILEGES_H

#include "tools/bpfsift_options.h"

#include <stdio.h>

/* Look the user up who is to be become, if any. */
int bpfsift_privileges_find_user(const struct bpfsift_options *options, struct ebpf_err *err);

/*
 * Become that user, and be confined.  may_make_code: filters will be made after that.  There
 * are no threads but this one, and the helper of bpfsift_ask.h does what this cannot do then.
 */
int bpfsift_privileges_drop(const struct bpfsift_options *options, bool may_make_code,
			    struct ebpf_err *err);
bool bpfsift_privileges_are_dropped(void);

/* Become that user, and no more.  0; a negative errno.  Async-signal-safe. */
int bpfsift_privileges_become_user(void);

/* Make a new file that user's.  0; a negative errno. */
int bpfsift_privileges_give(int fd);

/* What it is confined by, a line of --stats. */
void bpfsift_privileges_print(FILE *to);

#endif
