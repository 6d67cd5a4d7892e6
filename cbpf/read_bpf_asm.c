/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The language of the kernel's bpf_asm:
 *
 *	        ldh [12]                ; comments: this, C's, and '#' in column 0
 *	        jne #0x800, drop
 *	        ret #-1
 *	drop:   ret #0
 *
 * Blanks and ends of lines separate words and mean nothing else.  Numbers lose
 * what is above 32 bits.  Letter case counts in labels only; of labels defined
 * twice the first holds.  Two things are read that bpf_asm cannot read:
 * "[x+4]" without blanks, which its own debugger prints, and more labels than
 * one before an instruction.
 *
 * Labels are resolved when all is read: until then an instruction has a struct
 * reference for each label that it names.
 */
#include "cbpf/operand.h"

#include "cbpf/ancillary.h"
#include "ebpf/err.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct label {
	struct cbpf_word name;
	size_t pc;
};

enum field { FIELD_K, FIELD_JT, FIELD_JF };

struct reference {
	struct cbpf_word name;
	size_t pc;
	enum field field;
};

struct assembler {
	struct cbpf_scan *s;
	struct cbpf_vec *vec;
	struct label *labels;
	size_t n_labels, label_room;
	struct reference *references;
	size_t n_references, reference_room;
};

/* Other words for the mnemonics in insn.def. */
static const struct alias {
	const char *word, *mnemonic;
	bool is_swapped;        /* the label is where to go when the test fails */
	bool is_immediate;      /* the '#' may be left out */
} aliases[] = {
	{ "ldi", "ld", false, true },
	{ "ldxi", "ldx", false, true },
	{ "jmp", "ja", false, false },
	{ "jne", "jeq", true, false },
	{ "jneq", "jeq", true, false },
	{ "jlt", "jge", true, false },
	{ "jle", "jgt", true, false },
};

/* Further names of ancillary data. */
static const struct {
	const char *word;
	uint32_t ad;
} ancillary_aliases[] = {
	{ "vlan_pr", CBPF_AD_VLAN_TAG_PRESENT },
};

static struct cbpf_word
word_of(const char *text)
{
	return (struct cbpf_word){ text, strlen(text) };
}

static const struct alias *
find_alias(struct cbpf_word word)
{
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (cbpf_word_is(word, aliases[i].word))
			return &aliases[i];
	return NULL;
}

static bool
find_ancillary(struct cbpf_word word, uint32_t *k)
{
	for (uint32_t i = 0; i < CBPF_N_ANCILLARY; i++) {
		const char *name = cbpf_ancillaries[i].assembly;

		if (name != NULL && cbpf_word_is(word, name)) {
			*k = (uint32_t)CBPF_AD_OFF + 4 * i;
			return true;
		}
	}
	for (size_t i = 0; i < sizeof(ancillary_aliases) / sizeof(ancillary_aliases[0]); i++) {
		if (cbpf_word_is(word, ancillary_aliases[i].word)) {
			*k = (uint32_t)CBPF_AD_OFF + ancillary_aliases[i].ad;
			return true;
		}
	}
	return false;
}

/* Words of the language cannot be labels. */
static bool
is_keyword(struct cbpf_word word)
{
	uint32_t k;

	return cbpf_op_is_bare(word) >= 0 || find_alias(word) != NULL ||
	       cbpf_word_is(word, "len") || find_ancillary(word, &k);
}

/* ---- labels ---- */

static int
add_label(struct assembler *as, struct cbpf_word name)
{
	if (as->n_labels == as->label_room) {
		size_t room = as->label_room == 0 ? 16 : as->label_room * 2;
		struct label *labels = realloc(as->labels, room * sizeof(*labels));

		if (labels == NULL)
			return ebpf_err_set(as->s->err, -ENOMEM, "out of memory");
		as->labels = labels;
		as->label_room = room;
	}
	as->labels[as->n_labels++] = (struct label){ name, as->vec->n };
	return 0;
}

/* A label's use, by the instruction that is going to be the next. */
static int
add_reference(struct assembler *as, struct cbpf_word name, enum field field)
{
	if (as->n_references == as->reference_room) {
		size_t room = as->reference_room == 0 ? 16 : as->reference_room * 2;
		struct reference *references = realloc(as->references, room * sizeof(*references));

		if (references == NULL)
			return ebpf_err_set(as->s->err, -ENOMEM, "out of memory");
		as->references = references;
		as->reference_room = room;
	}
	as->references[as->n_references++] = (struct reference){ name, as->vec->n, field };
	return 0;
}

static int
compare_names(struct cbpf_word a, struct cbpf_word b)
{
	int order = memcmp(a.at, b.at, a.len < b.len ? a.len : b.len);

	return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* By name; labels of one name in the order of the text. */
static int
compare_labels(const void *left, const void *right)
{
	const struct label *a = left, *b = right;
	int order = compare_names(a->name, b->name);

	return order != 0 ? order : (a->name.at > b->name.at) - (a->name.at < b->name.at);
}

static const struct label *
find_label(const struct assembler *as, struct cbpf_word name)
{
	size_t low = 0, high = as->n_labels;

	/* The first one that is not less: of equals the one defined first. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_names(as->labels[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == as->n_labels || compare_names(as->labels[low].name, name) != 0)
		return NULL;
	return &as->labels[low];
}

static int
resolve(struct assembler *as, const struct reference *ref)
{
	const struct label *label = find_label(as, ref->name);
	struct cbpf_insn *insn = &as->vec->insns[ref->pc];
	int len = ref->name.len < 40 ? (int)ref->name.len : 40;
	struct cbpf_scan where = *as->s;

	where.at = ref->name.at;
	if (label == NULL)
		return cbpf_scan_fail(&where, -EINVAL, "no label '%.*s'", len, ref->name.at);
	if (ref->field == FIELD_K) {
		/* Backwards too: the sum wraps, and cbpf_check() decides. */
		insn->k = (uint32_t)label->pc - (uint32_t)ref->pc - 1;
		return 0;
	}
	if (label->pc <= ref->pc)
		return cbpf_scan_fail(&where, -EINVAL,
				      "label '%.*s' lies behind: a test cannot jump there", len,
				      ref->name.at);
	if (label->pc - ref->pc - 1 > UINT8_MAX)
		return cbpf_scan_fail(&where, -EINVAL,
				      "label '%.*s' is %zu instructions away, limit is %d", len,
				      ref->name.at, label->pc - ref->pc - 1, UINT8_MAX);
	*(ref->field == FIELD_JT ? &insn->jt : &insn->jf) = (uint8_t)(label->pc - ref->pc - 1);
	return 0;
}

static int
resolve_all(struct assembler *as)
{
	int rc;

	if (as->n_labels > 0)
		qsort(as->labels, as->n_labels, sizeof(as->labels[0]), compare_labels);
	for (size_t i = 0; i < as->n_references; i++)
		if ((rc = resolve(as, &as->references[i])) < 0)
			return rc;
	return 0;
}

/* ---- instructions ---- */

static int
read_label_use(struct assembler *as, enum field field)
{
	struct cbpf_scan before = *as->s;
	struct cbpf_word name = cbpf_scan_word(as->s);

	if (name.len == 0 || is_keyword(name))
		return cbpf_scan_expected(&before, "a label");
	return add_reference(as, name, field);
}

/* "T,F" or one label; the next instruction is the other way then. */
static int
read_branches(struct assembler *as, bool is_swapped)
{
	int rc;

	if ((rc = cbpf_scan_need(as->s, ',')) < 0)
		return rc;
	if ((rc = read_label_use(as, is_swapped ? FIELD_JF : FIELD_JT)) < 0)
		return rc;
	if (is_swapped || !cbpf_scan_char(as->s, ','))
		return 0;
	return read_label_use(as, FIELD_JF);
}

static int
read_word_operand(struct cbpf_scan *s, struct cbpf_operand *operand)
{
	struct cbpf_scan before = *s;
	bool has_hash = cbpf_scan_char(s, '#');
	bool has_percent = !has_hash && cbpf_scan_char(s, '%');
	struct cbpf_word word = cbpf_scan_word(s);

	if (!has_hash && cbpf_word_is(word, "x")) {
		operand->kind = CBPF_OPERAND_X;
	} else if (!has_hash && cbpf_word_is(word, "a")) {
		operand->kind = CBPF_OPERAND_A;
	} else if (has_percent) {
		return cbpf_scan_expected(&before, "%x or %a");
	} else if (!has_hash && cbpf_word_is(word, "M")) {
		return cbpf_read_slot(s, operand);
	} else if (cbpf_word_is(word, "len")) {
		operand->kind = CBPF_OPERAND_LEN;
	} else if (find_ancillary(word, &operand->k)) {
		operand->kind = CBPF_OPERAND_ABS;
	} else {
		return cbpf_scan_expected(&before, "an operand");
	}
	return 0;
}

static int
read_operand(struct cbpf_scan *s, struct cbpf_operand *operand)
{
	struct cbpf_scan ahead;
	char c = cbpf_scan_peek(s);

	*operand = (struct cbpf_operand){ CBPF_OPERAND_NONE, 0 };
	if (c == '[')
		return cbpf_read_address(s, false, operand);
	ahead = *s;
	if (c == '#')
		ahead.at++;
	if (c == '%' || cbpf_scan_word(&ahead).len > 0)
		return read_word_operand(s, operand);
	return cbpf_read_number_operand(s, operand);
}

static int
find_code(struct cbpf_word mnemonic, const struct alias *alias, struct cbpf_operand *operand)
{
	int op;

	if (alias != NULL && alias->is_immediate) {
		if (operand->kind != CBPF_OPERAND_NUMBER && operand->kind != CBPF_OPERAND_K)
			return -1;
		operand->kind = CBPF_OPERAND_K;
	}
	if (operand->kind == CBPF_OPERAND_MSH && cbpf_word_is(mnemonic, "ldx"))
		mnemonic = word_of("ldxb");
	if (operand->kind == CBPF_OPERAND_X && cbpf_word_is(mnemonic, "ret"))
		return CBPF_RET | CBPF_X;
	op = cbpf_op_find(mnemonic, operand->kind);
	return op < 0 ? -1 : cbpf_ops[op].code;
}

static int
read_insn(struct assembler *as, const struct cbpf_scan *before, struct cbpf_word word)
{
	const struct alias *alias = find_alias(word);
	struct cbpf_word mnemonic = alias != NULL ? word_of(alias->mnemonic) : word;
	struct cbpf_operand operand = { CBPF_OPERAND_NONE, 0 };
	struct cbpf_insn insn = { 0 };
	int rc, code;

	if (cbpf_op_is_bare(mnemonic) < 0)
		return cbpf_scan_expected(before, "an instruction");
	if (cbpf_word_is(mnemonic, "ja")) {
		if ((rc = read_label_use(as, FIELD_K)) < 0)
			return rc;
		insn.code = CBPF_JMP | CBPF_JA;
		return cbpf_vec_add(as->vec, as->s, insn);
	}
	if (!cbpf_op_is_bare(mnemonic) && (rc = read_operand(as->s, &operand)) < 0)
		return rc;
	if ((code = find_code(mnemonic, alias, &operand)) < 0)
		return cbpf_scan_fail(before, -EINVAL, "'%.*s' takes no such operand",
				      (int)word.len, word.at);
	insn.code = (uint16_t)code;
	insn.k = operand.k;
	if (CBPF_CLASS(code) == CBPF_JMP &&
	    (rc = read_branches(as, alias != NULL && alias->is_swapped)) < 0)
		return rc;
	return cbpf_vec_add(as->vec, as->s, insn);
}

static int
check_label(const struct cbpf_scan *where, struct cbpf_word name)
{
	if (name.len == 1)
		return cbpf_scan_fail(where, -EINVAL, "label '%c' has one character, needs two",
				      name.at[0]);
	if (is_keyword(name))
		return cbpf_scan_fail(where, -EINVAL, "'%.*s' cannot be a label", (int)name.len,
				      name.at);
	return 0;
}

static int
read_all(struct assembler *as)
{
	bool is_labelled = false;
	int rc;

	for (;;) {
		struct cbpf_scan before;
		struct cbpf_word word;

		cbpf_skip_asm(as->s);
		if (as->s->at == as->s->end)
			break;
		before = *as->s;
		word = cbpf_scan_word(as->s);
		if (word.len == 0)
			return cbpf_scan_expected(&before, "an instruction or a label");
		is_labelled = cbpf_scan_char(as->s, ':');
		if (is_labelled) {
			if ((rc = check_label(&before, word)) < 0 || (rc = add_label(as, word)) < 0)
				return rc;
		} else if ((rc = read_insn(as, &before, word)) < 0) {
			return rc;
		}
	}
	if (is_labelled)
		return cbpf_scan_expected(as->s, "an instruction behind the label");
	return resolve_all(as);
}

int
cbpf_read_assembly(struct cbpf_scan *s, struct cbpf_vec *vec)
{
	struct assembler as = { .s = s, .vec = vec };
	int rc;

	s->skip = cbpf_skip_asm;
	s->is_wrapping = true;
	rc = read_all(&as);
	free(as.labels);
	free(as.references);
	return rc;
}
