/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/c_form.h"

#include <inttypes.h>

static const char head[] =
	"typedef unsigned char uint8_t;\n"
	"typedef unsigned short __attribute__((may_alias)) uint16_t;\n"
	"typedef unsigned int __attribute__((may_alias)) uint32_t;\n"
	"typedef unsigned long long uint64_t;\n"
	"#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__\n"
	"#define BE16(x) __builtin_bswap16(x)\n"
	"#define BE32(x) __builtin_bswap32(x)\n"
	"#else\n"
	"#define BE16(x) (x)\n"
	"#define BE32(x) (x)\n"
	"#endif\n"
	"#define LOAD1(o) (p[o])\n"
	"#define LOAD2(o) BE16(*(const uint16_t *)(p + (o)))\n"
	"#define LOAD4(o) BE32(*(const uint32_t *)(p + (o)))\n"
	"#define NEED(o, n) if ((uint64_t)(o) + (n) > len) return 0\n"
	"__attribute__((section(\"socket\"))) uint64_t filter(const uint8_t *p, uint64_t len)\n"
	"{\n"
	"\tuint32_t a = 0, x = 0, m[16];\n";

static unsigned
size_of(const struct cbpf_insn *insn)
{
	switch (insn->code & 0x18) {
	case CBPF_W:
		return 4;
	case CBPF_H:
		return 2;
	default:
		return 1;
	}
}

static void
write_load(const struct cbpf_insn *insn, FILE *out)
{
	char to = CBPF_CLASS(insn->code) == CBPF_LD ? 'a' : 'x';
	unsigned n = size_of(insn);

	switch (insn->code & 0xe0) {
	case CBPF_IMM:
		fprintf(out, "%c = %" PRIu32 "u;\n", to, insn->k);
		return;
	case CBPF_LEN:
		fprintf(out, "%c = (uint32_t)len;\n", to);
		return;
	case CBPF_MEM:
		fprintf(out, "%c = m[%" PRIu32 "];\n", to, insn->k);
		return;
	case CBPF_ABS:
		fprintf(out, "NEED(%" PRIu32 "u, %u); a = LOAD%u(%" PRIu32 "u);\n", insn->k, n, n,
			insn->k);
		return;
	case CBPF_IND:
		fprintf(out,
			"NEED((uint64_t)x + %" PRIu32 "u, %u); a = LOAD%u((uint64_t)x + %" PRIu32
			"u);\n",
			insn->k, n, n, insn->k);
		return;
	default:
		fprintf(out, "NEED(%" PRIu32 "u, 1); x = (LOAD1(%" PRIu32 "u) & 15) * 4;\n",
			insn->k, insn->k);
	}
}

static void
write_operand(const struct cbpf_insn *insn, FILE *out)
{
	if (insn->code & CBPF_X)
		fprintf(out, "x");
	else
		fprintf(out, "%" PRIu32 "u", insn->k);
}

static void
write_alu(const struct cbpf_insn *insn, FILE *out)
{
	static const char *const ops[16] = { "+",  "-",  "*", "/", "|", "&",
					     "<<", ">>", "",  "%", "^" };

	if ((insn->code & 0xf0) == CBPF_NEG) {
		fprintf(out, "a = -a;\n");
		return;
	}
	fprintf(out, "a = a %s ", ops[insn->code >> 4 & 0xf]);
	write_operand(insn, out);
	fprintf(out, ";\n");
}

static void
write_jump(const struct cbpf_insn *insn, size_t pc, FILE *out)
{
	static const char *const tests[] = { "", "==", ">", ">=", "&" };

	if (insn->code == (CBPF_JMP | CBPF_JA)) {
		fprintf(out, "goto l%zu;\n", pc + 1 + insn->k);
		return;
	}
	fprintf(out, "if (a %s ", tests[insn->code >> 4 & 0xf]);
	write_operand(insn, out);
	fprintf(out, ") goto l%zu; else goto l%zu;\n", pc + 1 + insn->jt, pc + 1 + insn->jf);
}

void
c_form_write(const struct cbpf_insn *insns, size_t n_insns, FILE *out)
{
	fputs(head, out);
	for (size_t pc = 0; pc < n_insns; pc++) {
		const struct cbpf_insn *insn = &insns[pc];

		fprintf(out, "l%zu:\t", pc);
		switch (CBPF_CLASS(insn->code)) {
		case CBPF_LD:
		case CBPF_LDX:
			write_load(insn, out);
			break;
		case CBPF_ST:
			fprintf(out, "m[%" PRIu32 "] = a;\n", insn->k);
			break;
		case CBPF_STX:
			fprintf(out, "m[%" PRIu32 "] = x;\n", insn->k);
			break;
		case CBPF_ALU:
			write_alu(insn, out);
			break;
		case CBPF_JMP:
			write_jump(insn, pc, out);
			break;
		case CBPF_RET:
			if (insn->code == (CBPF_RET | CBPF_A))
				fprintf(out, "return a;\n");
			else
				fprintf(out, "return %" PRIu32 "u;\n", insn->k);
			break;
		default:
			fprintf(out, insn->code == (CBPF_MISC | CBPF_TXA) ? "a = x;\n" : "x = a;\n");
		}
	}
	fprintf(out, "}\n");
}
