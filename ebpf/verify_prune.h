/* SPDX-License-Identifier: BSD-2-Clause */
/* Keeping states at joins, and ending paths that bring nothing new. */
#ifndef BPFSIFT_EBPF_VERIFY_PRUNE_H
#define BPFSIFT_EBPF_VERIFY_PRUNE_H

#include "ebpf/verify_walk.h"

/*
 * At a join: compare the current state with those kept there, and perhaps keep
 * it.  *known: all that can happen from here has been looked at, or is being.
 * -ELOOP: the path came back to where it was; -ENOMEM.
 */
int ebpf_prune(struct walk *w, bool *known);

/* The current path has ended. */
void ebpf_prune_end_path(struct walk *w);

void ebpf_prune_free(struct walk *w);

#endif
