/* SPDX-License-Identifier: BSD-2-Clause */
/* The checked interpreter, whatever the library chose, dispatching by labels. */
#include "tests/ebpf/variants.h"

#define EBPF_CHECKED_NAME checked_labels
#define LOOP_LABELS 1
#include "ebpf/interp_checked.c"
