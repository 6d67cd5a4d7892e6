/* SPDX-License-Identifier: BSD-2-Clause */
/* Random bytes from the system, for seeds. */
#ifndef BPFSIFT_EBPF_RANDOM_H
#define BPFSIFT_EBPF_RANDOM_H

#include <stddef.h>

/*
 * Fill n bytes, at most 256.  Before the system has collected enough, early at
 * boot, they may be what the clock and addresses give: seeds never wait.
 */
void ebpf_random(void *out, size_t n);

#endif
