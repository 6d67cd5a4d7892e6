/* SPDX-License-Identifier: BSD-2-Clause */
/* The checked interpreter, whatever the library chose, dispatching by switch. */
#include "tests/ebpf/variants.h"

#define EBPF_CHECKED_NAME checked_switch
#define LOOP_LABELS 0
#include "ebpf/interp_checked.c"
