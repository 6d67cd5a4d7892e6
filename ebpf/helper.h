/* SPDX-License-Identifier: BSD-2-Clause */
/* Helpers of program types, by number. */
#ifndef BPFSIFT_EBPF_HELPER_H
#define BPFSIFT_EBPF_HELPER_H

#include "ebpf/prog.h"

/* The place of a helper in its type's table; -1: there is none. */
int32_t ebpf_helper_index(const struct ebpf_prog_type *type, int32_t id);

#endif
