/* SPDX-License-Identifier: BSD-2-Clause */
/* A program that counts what it keeps: packets and bytes, by processor. */
#ifndef TOOLS_CBPF2EBPF_COUNTER_H
#define TOOLS_CBPF2EBPF_COUNTER_H

#include "tools/cbpf2ebpf_options.h"

/* The map: a per-CPU array of one element, two numbers of 64 bits, packets and bytes. */
#define COUNTER_MAP "counters"
enum { COUNTER_MAP_TYPE = 6, COUNTER_KEY_SIZE = 4, COUNTER_VALUE_SIZE = 16 };

/*
 * Have the program count before it ends with a match.  map_at receives the slot of
 * the instruction that loads the map's address, which an object file's relocation
 * fills in.
 */
void add_counter(const struct options *o, struct cbpf_lowered *l, size_t *map_at);

#endif
