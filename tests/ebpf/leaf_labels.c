/* SPDX-License-Identifier: BSD-2-Clause */
/* The interpreter of leaf programs, whatever the library chose, dispatching by labels. */
#include "tests/ebpf/variants.h"

#define EBPF_LEAF_NAME leaf_labels
#define EBPF_LEAF_MANY_NAME leaf_labels_many
#define LOOP_LABELS 1
#include "ebpf/interp_leaf.c"
