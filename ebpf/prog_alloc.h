/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory of program objects. */
#ifndef BPFSIFT_EBPF_PROG_ALLOC_H
#define BPFSIFT_EBPF_PROG_ALLOC_H

#include "ebpf/prog.h"

/*
 * An object with room for n_insns decoded slots, in zeroed pages of its own that
 * can be written, and a copy of the instructions in its aux.  It has one
 * reference and runs nothing.  NULL: out of memory.
 */
struct ebpf_prog *ebpf_prog_alloc(const struct ebpf_prog_type *type,
				  const struct ebpf_insn *insns, size_t n_insns);

/*
 * Room for another number of slots, within the last page or in more pages: what
 * is there is kept, what is new is 0.  The object may move, so nobody but the
 * caller knows it yet.  NULL: out of memory, and prog is as it was.
 */
struct ebpf_prog *ebpf_prog_realloc(struct ebpf_prog *prog, size_t n_insns);

/* Give all of it back. */
void ebpf_prog_free(struct ebpf_prog *prog);

size_t ebpf_round_to_pages(size_t n_bytes);

#endif
