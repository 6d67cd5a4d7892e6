/* SPDX-License-Identifier: BSD-2-Clause */
/* Instructions to text: the templates of notation.c, filled in. */
#include "ebpf/notation.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A line that grows; what does not fit is cut, as by snprintf(). */
struct line {
	char *buf;
	size_t size;
	size_t used;
};

__attribute__((format(printf, 2, 3))) static void
put(struct line *line, const char *fmt, ...)
{
	size_t room = line->size > line->used ? line->size - line->used : 0;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(room > 0 ? line->buf + line->used : NULL, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		line->used += (size_t)n;
}

static void
put_helper(struct line *line, int32_t id)
{
	const char *name = ebpf_helper_name(id);

	if (name != NULL)
		put(line, "bpf_%s#%" PRId32, name, id);
	else
		put(line, "unknown#%" PRId32, id);
}

static void
put_field(struct line *line, char letter, enum ebpf_op row, const struct ebpf_insn *insn)
{
	const struct ebpf_op_desc *d = &ebpf_ops[row];
	unsigned int class = EBPF_CLASS(insn->code);
	char width = class == EBPF_ALU || class == EBPF_JMP32 ? 'w' : 'r';

	switch (letter) {
	case 'd':
		put(line, "%c%u", width, insn->dst_reg);
		break;
	case 's':
		put(line, "%c%u", width, insn->src_reg);
		break;
	case 'D':
		put(line, "r%u", insn->dst_reg);
		break;
	case 'S':
		put(line, "r%u", insn->src_reg);
		break;
	case 't':
		put(line, "%s", d->text);
		break;
	case 'n':
		put(line, "%" PRId32, d->val);
		break;
	case 'z':
		put(line, "%s", ebpf_size_name(insn->code));
		break;
	case 'y':
		put(line, "%s", (insn->code & EBPF_DW) == EBPF_DW ? "64" : "");
		break;
	case 'i':
		put(line, "%" PRId32, insn->imm);
		break;
	case 'x':
		put(line, "0x%" PRIx32, (uint32_t)insn->imm);
		break;
	case 'o':
		put(line, "%+d", insn->off);
		break;
	case 'j':
		put(line, "%+" PRId32, insn->imm);
		break;
	case 'h':
		put_helper(line, insn->imm);
		break;
	case 'q':
		put(line, "0x%" PRIx64,
		    (uint32_t)insn[0].imm | (uint64_t)(uint32_t)insn[1].imm << 32);
		break;
	case 'm':
		put(line, "%" PRId32, insn[1].imm);
		break;
	}
}

size_t
ebpf_disasm(const struct ebpf_insn *insn, size_t n, char *buf, size_t size)
{
	struct line line = { .buf = buf, .size = size };
	int row = ebpf_op_of(insn);
	bool is_wide = ebpf_code_is_wide(insn->code);

	put(&line, "(%02x) ", insn->code);
	if (row < 0 || (is_wide && n < 2)) {
		put(&line, "unknown");
		return 1;
	}
	for (const char *p = ebpf_notation((enum ebpf_op)row); *p != '\0'; p++) {
		if (*p == '%')
			put_field(&line, *++p, (enum ebpf_op)row, insn);
		else
			put(&line, "%c", *p);
	}
	return is_wide ? 2 : 1;
}
