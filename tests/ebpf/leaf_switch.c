/* SPDX-License-Identifier: BSD-2-Clause */
/* The interpreter of leaf programs, whatever the library chose, dispatching by switch. */
#include "tests/ebpf/variants.h"

#define EBPF_LEAF_NAME leaf_switch
#define EBPF_LEAF_MANY_NAME leaf_switch_many
#define LOOP_LABELS 0
#include "ebpf/interp_leaf.c"
