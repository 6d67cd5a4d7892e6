/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Machine code for programs that run without tests: those that were verified,
 * and our own.
 *
 * A back end is a struct jit_target, see ebpf/jit/pass.h.  Each is built for
 * every machine, so that none rots, and used where it is for the machine.  What
 * it makes keeps what C functions keep; where it has registers is its own
 * matter, but for its inner entry, which takes R1-R5 where C functions have
 * their first five arguments and gives R0 as they do.
 */
#ifndef BPFSIFT_EBPF_JIT_JIT_H
#define BPFSIFT_EBPF_JIT_JIT_H

#include "ebpf/prog.h"

/* The back ends. */
extern const struct jit_target ebpf_jit_x86_64;
extern const struct jit_target ebpf_jit_aarch64;

/* Whether there is one for this machine, and which. */
#if defined(__x86_64__)
#define EBPF_HAS_JIT 1
#define EBPF_JIT_TARGET (&ebpf_jit_x86_64)
#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define EBPF_HAS_JIT 1
#define EBPF_JIT_TARGET (&ebpf_jit_aarch64)
#else
#define EBPF_HAS_JIT 0
#define EBPF_JIT_TARGET NULL
#endif

/* What runs that may go on to another program know of themselves. */
struct ebpf_jit_run {
	uint64_t r2;            /* as the run was given it */
	uint64_t saved_r0;      /* across the search for a callee */
	uint64_t saved_r1;
	uint64_t next_r2;       /* what the callee is to be entered with */
	uint32_t n_tail_calls;
	uint32_t depth;         /* frames in use, less the first */
};

/* Where the parts of a program's code begin, in bytes from its first. */
struct ebpf_jit_entries {
	size_t run;             /* as ebpf_run_fn */
	size_t many;            /* as ebpf_many_fn; at the end: not there */
	size_t inner;           /* the first function, from within a run */
};

/*
 * Translate what runs of a trusted program into code of a machine, n bytes, that
 * may lie anywhere that the machine aligns its code to.  The caller frees code.
 * starts: one for each slot, and one more, which receive where its code begins
 * and where the last one's ends.
 * 0; -ENOMEM; -E2BIG: more than a jump reaches.
 */
int ebpf_jit_translate(const struct jit_target *target, const struct ebpf_prog *prog,
		       uint8_t **code, size_t *n, struct ebpf_jit_entries *entries,
		       uint32_t *starts);

/*
 * Make machine code for a trusted program, whose pages can still be written,
 * and enter it by that.  0; -ENOTSUP: no back end for this machine, or no memory
 * to execute; -ENOMEM; -E2BIG.
 */
int ebpf_jit_compile(struct ebpf_prog *prog);

/* Give the code back; fine without any. */
void ebpf_jit_free(struct ebpf_prog_aux *aux);

/* Where a tail call goes on, NULL: nowhere.  Called by machine code. */
const void *ebpf_jit_tail_callee(const struct ebpf_map *map, uint32_t index,
				 struct ebpf_jit_run *run);

/* ---- memory to execute ---- */

/* Bytes of code in executable pages. */
struct ebpf_jit_text {
	struct jit_group *group;        /* NULL: none */
	const uint8_t *code;
	size_t n;
	uint32_t *starts;               /* as the back end has left them */
};

/*
 * Copy code into pages that can be executed and not written, no matter when.
 * It is aligned to 32 bytes, and begins up to pad bytes later.  0; -ENOTSUP: the
 * system gives no such memory; -ENOMEM.
 */
int ebpf_jit_text_new(struct ebpf_jit_text *text, const uint8_t *code, size_t n, size_t pad);
void ebpf_jit_text_free(struct ebpf_jit_text *text);

#endif
