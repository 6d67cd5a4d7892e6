/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random extended programs that are nearly valid: most accesses are guarded,
 * most loops end, most registers are written before they are read.
 */
#ifndef TESTS_SUPPORT_EBPF_GEN_H
#define TESTS_SUPPORT_EBPF_GEN_H

#include <bpfsift/ebpf.h>
#include <stdbool.h>

#define EBPF_GEN_MAX 512

/* What R1 is. */
enum ebpf_gen_entry {
	EBPF_GEN_MEMORY,        /* mem_size bytes */
	EBPF_GEN_SOCKET,        /* struct __sk_buff */
	EBPF_GEN_PACKET,        /* struct ebpf_gen_ctx; there are maps and helpers too */
};

struct ebpf_gen_opts {
	enum ebpf_gen_entry entry;
	uint32_t mem_size;      /* multiple of 8 */
};

/* A context that leads to a packet. */
struct ebpf_gen_ctx {
	uint32_t numbers[8];    /* the last four can be written */
	const uint8_t *data;
	const uint8_t *end;
	uint32_t len;
	uint32_t reserved;
};

/* Maps of such programs, by descriptor, both with values of EBPF_GEN_VALUE bytes. */
enum {
	EBPF_GEN_ARRAY = 0,     /* EBPF_GEN_ENTRIES of them, to be looked up */
	EBPF_GEN_DIRECT = 1,    /* one, with an address */
	EBPF_GEN_VALUE = 64,
	EBPF_GEN_ENTRIES = 4,
};

/* Helpers beside map_lookup_elem and get_prandom_u32. */
enum {
	EBPF_GEN_SUM = 1000,    /* of r2 bytes at r1, which may be 0 */
	EBPF_GEN_FILL = 1001,   /* r2 bytes at r1, 1 or more, with r3 */
};

struct ebpf_gen_prog {
	struct ebpf_insn insns[EBPF_GEN_MAX];
	size_t n;
	bool has_variable;      /* an access at a variable offset, guarded by a check */
	bool has_loop;
	bool has_call;          /* of an own function */
};

void ebpf_gen(struct ebpf_gen_prog *prog, const struct ebpf_gen_opts *opts, uint64_t *rng);

#endif
