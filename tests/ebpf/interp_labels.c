/* SPDX-License-Identifier: BSD-2-Clause */
/* The fast interpreter, whatever the library chose, dispatching by labels. */
#include "tests/ebpf/variants.h"

#define EBPF_INTERP_NAME interp_labels
#define EBPF_INTERP_MANY_NAME interp_labels_many
#define LOOP_LABELS 1
#include "ebpf/interp.c"
