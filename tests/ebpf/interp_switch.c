/* SPDX-License-Identifier: BSD-2-Clause */
/* The fast interpreter, whatever the library chose, dispatching by switch. */
#include "tests/ebpf/variants.h"

#define EBPF_INTERP_NAME interp_switch
#define EBPF_INTERP_MANY_NAME interp_switch_many
#define LOOP_LABELS 0
#include "ebpf/interp.c"
