/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Extended programs as a function in C: a variable a register, a statement an
 * instruction, a label where a jump leads.  It is made for clang -target bpf, whose
 * verifier has to follow what becomes of it, and for compilers of user space.
 */
#include "tools/cbpf2ebpf_forms.h"

#include "tools/cbpf2ebpf_say.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define U64 "unsigned long long"
#define U32 "unsigned int"

struct function {
	const struct translation *t;
	const char *name;
	bool *is_target;        /* by slot, one more than there are */
	bool names[EBPF_MAX_REG];
	int stack;              /* bytes */
};

static bool
is_jump(const struct ebpf_insn *i)
{
	uint8_t class = EBPF_CLASS(i->code), op = i->code & 0xf0;

	return (class == EBPF_JMP || class == EBPF_JMP32) && op != EBPF_CALL && op != EBPF_EXIT;
}

static size_t
target_of(const struct ebpf_insn *i, size_t pc)
{
	bool is_long = i->code == (EBPF_JMP32 | EBPF_JA);

	return (size_t)((int64_t)pc + 1 + (is_long ? i->imm : i->off));
}

/* Helpers by number: how many arguments they take; -1: no kernel's. */
static int
n_args(int32_t helper)
{
	switch (helper) {
	case 7:         /* get_prandom_u32 */
	case 8:         /* get_smp_processor_id */
		return 0;
	case 188:       /* xdp_get_buff_len */
		return 1;
	case 26:        /* skb_load_bytes */
	case 189:       /* xdp_load_bytes */
		return 4;
	case 68:        /* skb_load_bytes_relative */
		return 5;
	default:
		return -1;
	}
}

static void
look_at(struct function *f)
{
	const struct cbpf_lowered *l = f->t->ebpf;

	for (size_t pc = 0; pc < l->n_insns; pc++) {
		const struct ebpf_insn *i = &l->insns[pc];
		uint8_t class = EBPF_CLASS(i->code);

		if (class == EBPF_LD && (i->code & 0xe0) != EBPF_IMM)
			die("--function: C has no word for the loads of target socket; "
			    "target tc has none of them");
		if (i->code == (EBPF_JMP | EBPF_CALL) && n_args(i->imm) < 0)
			die("--function: the program calls helper %" PRId32
			    ", which is not the kernel's", i->imm);
		if (is_jump(i))
			f->is_target[target_of(i, pc)] = true;
		f->names[i->dst_reg] = f->names[i->src_reg] = true;
		pc += i->code == (EBPF_LD | EBPF_IMM | EBPF_DW);
	}
	f->stack = (stack_bytes(l) + 7) / 8 * 8;
}

/* ---- statements ---- */

static const char *
type_of_size(uint8_t code)
{
	switch (code & 0x18) {
	case EBPF_B:
		return "u8";
	case EBPF_H:
		return "u16";
	case EBPF_W:
		return "u32";
	default:
		return "u64";
	}
}

static void
operand(FILE *out, const struct ebpf_insn *i, bool narrow)
{
	if (i->code & EBPF_X)
		fprintf(out, narrow ? "(" U32 ")r%u" : "r%u", i->src_reg);
	else if (narrow)
		fprintf(out, "%" PRIu32 "u", (uint32_t)i->imm);
	else if (i->imm >= 0)
		fprintf(out, "%" PRId32, i->imm);
	else
		fprintf(out, "(" U64 ")%" PRId32 "ll", i->imm);
}

static const char *
sign_of(uint8_t code)
{
	static const char *const signs[] = { "+", "-", "*", "/", "|", "&", "<<", ">>",
					     NULL, "%", "^" };

	return signs[code >> 4];
}

/* The lowering guards divisors and cuts counts; C leaves other ones undefined. */
static void
arithmetic(FILE *out, const struct ebpf_insn *i)
{
	bool narrow = EBPF_CLASS(i->code) == EBPF_ALU;
	uint8_t op = i->code & 0xf0;
	bool is_shift = op == EBPF_LSH || op == EBPF_RSH;

	if (op == EBPF_MOV) {
		fprintf(out, "r%u = ", i->dst_reg);
		operand(out, i, narrow);
	} else if (op == EBPF_NEG) {
		fprintf(out, narrow ? "r%u = (" U32 ")-(" U32 ")r%u" : "r%u = -r%u", i->dst_reg,
			i->dst_reg);
	} else if (op == EBPF_END) {
		const char *type = i->imm == 16 ? "short" : "int";

		fprintf(out,
			"r%u = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? "
			"__builtin_bswap%d((unsigned %s)r%u) : (unsigned %s)r%u",
			i->dst_reg, i->imm, type, i->dst_reg, type, i->dst_reg);
	} else {
		bool is_cut = is_shift && i->code & EBPF_X;

		fprintf(out, narrow ? "r%u = (" U32 ")((" U32 ")r%u %s " : "r%u = r%u %s ",
			i->dst_reg, i->dst_reg, sign_of(i->code));
		fprintf(out, "%s", is_cut ? "(" : "");
		operand(out, i, narrow);
		fprintf(out, "%s%s", !is_cut ? "" : narrow ? " & 31)" : " & 63)", narrow ? ")" : "");
	}
}

static void
jump(FILE *out, const struct ebpf_insn *i, size_t pc)
{
	static const char *const signs[] = { NULL, "==", ">", ">=", "&", "!=", ">", ">=",
					     NULL, NULL, "<", "<=", "<", "<=" };
	bool narrow = EBPF_CLASS(i->code) == EBPF_JMP32;
	uint8_t op = i->code & 0xf0;
	bool is_signed = op == EBPF_JSGT || op == EBPF_JSGE || op == EBPF_JSLT || op == EBPF_JSLE;
	const char *cast = is_signed ? (narrow ? "(int)" : "(long long)") : narrow ? "(" U32 ")" : "";

	if (op != EBPF_JA) {
		fprintf(out, "if (%sr%u %s %s", cast, i->dst_reg, signs[op >> 4],
			is_signed ? cast : "");
		operand(out, i, narrow);
		fprintf(out, ")\n\t\t");
	}
	fprintf(out, "goto l%zu", target_of(i, pc));
}

static void
call(FILE *out, const struct ebpf_insn *i)
{
	int n = n_args(i->imm);

	fprintf(out, "r0 = ((" U64 " (*)(%s", n == 0 ? "void" : "");
	for (int arg = 0; arg < n; arg++)
		fprintf(out, "%s" U64, arg > 0 ? ", " : "");
	fprintf(out, "))(unsigned long)%" PRId32 ")(", i->imm);
	for (int arg = 0; arg < n; arg++)
		fprintf(out, "%sr%d", arg > 0 ? ", " : "", arg + 1);
	fprintf(out, ")");
}

static void
address(FILE *out, const struct function *f, const struct ebpf_insn *i, unsigned reg)
{
	fprintf(out, "*(%s_%s *)(unsigned long)(r%u %c %d)", f->name, type_of_size(i->code), reg,
		i->off < 0 ? '-' : '+', abs(i->off));
}

static void
statement(FILE *out, const struct function *f, size_t pc)
{
	const struct ebpf_insn *i = &f->t->ebpf->insns[pc];

	switch (EBPF_CLASS(i->code)) {
	case EBPF_ALU:
	case EBPF_ALU64:
		arithmetic(out, i);
		return;
	case EBPF_JMP:
	case EBPF_JMP32:
		if (i->code == (EBPF_JMP | EBPF_EXIT))
			fprintf(out, "return (%s)r0", target_acts(f->t->options->target) ? "int" : U32);
		else if (i->code == (EBPF_JMP | EBPF_CALL))
			call(out, i);
		else
			jump(out, i, pc);
		return;
	case EBPF_LDX:
		fprintf(out, "r%u = ", i->dst_reg);
		address(out, f, i, i->src_reg);
		return;
	case EBPF_ST:
		address(out, f, i, i->dst_reg);
		fprintf(out, " = (%s_%s)%" PRId32, f->name, type_of_size(i->code), i->imm);
		return;
	case EBPF_STX:
		address(out, f, i, i->dst_reg);
		fprintf(out, " = (%s_%s)r%u", f->name, type_of_size(i->code), i->src_reg);
		return;
	default:        /* a constant of two slots */
		fprintf(out, "r%u = 0x%" PRIx32 "%08" PRIx32 "ull", i->dst_reg,
			(uint32_t)f->t->ebpf->insns[pc + 1].imm, (uint32_t)i->imm);
		return;
	}
}

/* ---- the function ---- */

/* Bytes may be anywhere; for an eBPF machine they are loaded as they are anyway. */
static void
write_types(FILE *out, const char *name)
{
	static const char *const types[][2] = {
		{ "char", "u8" }, { "short", "u16" }, { "int", "u32" }, { "long long", "u64" },
	};

	fprintf(out,
		"#ifdef __bpf__\n"
		"#define %s_BYTES __attribute__((may_alias))\n"
		"#else\n"
		"#define %s_BYTES __attribute__((may_alias, aligned(1)))\n"
		"#endif\n",
		name, name);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		fprintf(out, "typedef unsigned %s %s_%s %s_BYTES;\n", types[i][0], name,
			types[i][1], name);
	fprintf(out, "#undef %s_BYTES\n\n", name);
}

static void
write_head(FILE *out, const struct function *f)
{
	static const char *const arguments[] = {
		[CBPF_TARGET_PACKET] = "const struct sift_view *r1_",
		[CBPF_TARGET_BUFFER] = "const void *r1_, unsigned int r2_",
		[CBPF_TARGET_TC] = "struct __sk_buff *r1_",
		[CBPF_TARGET_XDP] = "struct xdp_md *r1_",
	};
	enum cbpf_target target = f->t->options->target;
	const char *separator = "";

	write_types(out, f->name);
	fprintf(out, "static inline __attribute__((always_inline)) %s\n%s(%s)\n{\n\t" U64 " ",
		target_acts(f->t->options->target) ? "int" : U32, f->name, arguments[target]);
	for (unsigned r = 0; r < EBPF_MAX_REG - 1; r++) {
		if (!f->names[r] && r != 0)
			continue;
		fprintf(out, r == 1 ? "%sr%u = (unsigned long)r1_" : r == 2 && target == CBPF_TARGET_BUFFER
			? "%sr%u = r2_" : "%sr%u = 0", separator, r);
		separator = ", ";
	}
	fprintf(out, ";\n");
	if (f->names[EBPF_R10])
		fprintf(out, "\t" U64 " stack[%d];\n\t" U64 " r10 = (unsigned long)(stack + %d);\n",
			f->stack / 8, f->stack / 8);
	if (!f->names[1])
		fprintf(out, "\n\t(void)r1_;\n");
	if (target == CBPF_TARGET_BUFFER && !f->names[2])
		fprintf(out, "\n\t(void)r2_;\n");
	fprintf(out, "\n");
}

void
write_function(FILE *out, const struct translation *t)
{
	struct function f = { .t = t, .name = t->options->function };
	uint32_t before = UINT32_MAX;

	f.is_target = must(calloc(t->ebpf->n_insns + 1, sizeof(*f.is_target)));
	look_at(&f);
	write_head(out, &f);
	for (size_t pc = 0; pc < t->ebpf->n_insns; pc++) {
		uint32_t origin = t->ebpf->origin[pc];

		if (origin != before && origin != UINT32_MAX)
			fprintf(out, "\t/* %s */\n", t->cbpf_lines[origin]);
		before = origin;
		if (f.is_target[pc])
			fprintf(out, "l%zu:\n", pc);
		fprintf(out, "\t");
		statement(out, &f, pc);
		fprintf(out, ";\n");
		pc += t->ebpf->insns[pc].code == (EBPF_LD | EBPF_IMM | EBPF_DW);
	}
	fprintf(out, "}\n");
	free(f.is_target);
}
