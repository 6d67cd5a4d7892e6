/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What ended the program leads to a common end, where a match is counted.  The
 * context waits on the stack, below all that the program uses of it.
 */
#include "config.h"

#include "tools/cbpf2ebpf_counter.h"

#include "tools/cbpf2ebpf_forms.h"
#include "tools/cbpf2ebpf_say.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MAP_LOOKUP_ELEM = 1, XDP_GET_BUFF_LEN = 188, SKB_LEN = 0 };

#define INSN(c, d, s, o, i)                                                                        \
	((struct ebpf_insn){ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (int16_t)(o),     \
			     .imm = (i) })
#define MOV(d, s) INSN(EBPF_ALU64 | EBPF_MOV | EBPF_X, d, s, 0, 0)
#define LOAD(size, d, s, o) INSN(EBPF_LDX | EBPF_MEM | (size), d, s, o, 0)
#define STORE(size, d, o, s) INSN(EBPF_STX | EBPF_MEM | (size), d, s, o, 0)
#define ADD(d, s) INSN(EBPF_ALU64 | EBPF_ADD | EBPF_X, d, s, 0, 0)
#define CALL(helper) INSN(EBPF_JMP | EBPF_CALL, 0, 0, 0, helper)
#define EXIT INSN(EBPF_JMP | EBPF_EXIT, 0, 0, 0, 0)

/* Lower bound of what counting takes; each a multiple of 8. */
struct frame {
	int context, key;
};

static size_t
put_end(const struct options *o, struct frame f, struct ebpf_insn *out, size_t *map_at)
{
	bool is_xdp = o->target == CBPF_TARGET_XDP;
	size_t n = 0, to_end, to_result;

	to_end = n;
	out[n++] = target_acts(o->target)
			? INSN(EBPF_JMP | EBPF_JNE, 0, 0, 0, o->actions.match)
			: INSN(EBPF_JMP | EBPF_JEQ, 0, 0, 0, 0);
	out[n++] = MOV(EBPF_R8, EBPF_R0);
	out[n++] = LOAD(EBPF_DW, EBPF_R1, EBPF_R10, f.context);
	if (is_xdp) {
		out[n++] = CALL(XDP_GET_BUFF_LEN);
		out[n++] = MOV(EBPF_R7, EBPF_R0);
	} else {
		out[n++] = LOAD(EBPF_W, EBPF_R7, EBPF_R1, SKB_LEN);
	}
	out[n++] = INSN(EBPF_ST | EBPF_MEM | EBPF_W, EBPF_R10, 0, f.key, 0);
	*map_at = n;
	out[n++] = INSN(EBPF_LD | EBPF_IMM | EBPF_DW, EBPF_R1, 0, 0, 0);
	out[n++] = INSN(0, 0, 0, 0, 0);
	out[n++] = MOV(EBPF_R2, EBPF_R10);
	out[n++] = INSN(EBPF_ALU64 | EBPF_ADD | EBPF_K, EBPF_R2, 0, 0, f.key);
	out[n++] = CALL(MAP_LOOKUP_ELEM);
	to_result = n;
	out[n++] = INSN(EBPF_JMP | EBPF_JEQ, 0, 0, 0, 0);
	out[n++] = LOAD(EBPF_DW, EBPF_R1, EBPF_R0, 0);
	out[n++] = INSN(EBPF_ALU64 | EBPF_ADD | EBPF_K, EBPF_R1, 0, 0, 1);
	out[n++] = STORE(EBPF_DW, EBPF_R0, 0, EBPF_R1);
	out[n++] = LOAD(EBPF_DW, EBPF_R1, EBPF_R0, 8);
	out[n++] = ADD(EBPF_R1, EBPF_R7);
	out[n++] = STORE(EBPF_DW, EBPF_R0, 8, EBPF_R1);
	out[to_result].off = (int16_t)(n - to_result - 1);
	out[n++] = MOV(EBPF_R0, EBPF_R8);
	out[to_end].off = (int16_t)(n - to_end - 1);
	out[n++] = EXIT;
	return n;
}

void
add_counter(const struct options *o, struct cbpf_lowered *l, size_t *map_at)
{
	enum { MOST = 32 };
	int low = -(stack_bytes(l) + 7) / 8 * 8;
	struct frame frame = { .context = low - 8, .key = low - 16 };
	size_t n = l->n_insns, n_end;
	struct ebpf_insn *insns = must(calloc(n + MOST, sizeof(*insns)));
	uint32_t *origin = must(calloc(n + MOST, sizeof(*origin)));

	if (frame.key < -EBPF_STACK_SIZE)
		die("%s: no room on the stack to count by", input_name(o));
	if (n > INT16_MAX)
		die("%s: too long to count by: %zu instructions", input_name(o), n);
	insns[0] = STORE(EBPF_DW, EBPF_R10, frame.context, EBPF_R1);
	memcpy(insns + 1, l->insns, n * sizeof(*insns));
	memset(origin, 0xff, (n + MOST) * sizeof(*origin));
	memcpy(origin + 1, l->origin, n * sizeof(*origin));
	for (size_t pc = 1; pc <= n; pc++) {
		if (insns[pc].code == (EBPF_JMP | EBPF_EXIT))
			insns[pc] = INSN(EBPF_JMP | EBPF_JA, 0, 0, n - pc, 0);
	}
	n_end = put_end(o, frame, insns + n + 1, map_at);
	*map_at += n + 1;
	cbpf_lowered_free(l);
	*l = (struct cbpf_lowered){ insns, n + 1 + n_end, origin };
}
