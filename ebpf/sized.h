/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Public structs that grow: their first member is a size_t, in which the caller
 * says how large the struct was when it was compiled.
 *
 * A caller's struct may be older, and shorter, or newer, and longer, than ours.
 * What one of them has not is 0.  The least size is that of the struct's first
 * version, up to its last member: padding behind that is not counted, so that
 * it holds on every machine.  A new member must not lie in an older version's
 * padding, where callers have left anything.
 */
#ifndef BPFSIFT_EBPF_SIZED_H
#define BPFSIFT_EBPF_SIZED_H

#include <bpfsift/ebpf.h>

/* The least size of a struct whose first version ended with the member last. */
#define EBPF_SIZED_LEAST(type, last) (offsetof(type, last) + sizeof(((type *)0)->last))

/*
 * Take a caller's struct over into one of ours, of ours_size bytes.  what names
 * it in the message.  0; -EINVAL: it is below the least size, and ours is
 * untouched.
 */
int ebpf_sized_take(const char *what, void *ours, size_t ours_size, const void *theirs,
		    size_t least, struct ebpf_err *err);

/*
 * Fill a caller's struct from one of ours, its size left as it is.  0; -EINVAL:
 * it is below the least size, and untouched.
 */
int ebpf_sized_give(const char *what, const void *ours, size_t ours_size, void *theirs,
		    size_t least, struct ebpf_err *err);

#endif
