/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Object files that are damaged: a sound one, made by clang from the source
 * here, cut at every length, and with bytes changed at random.  What opens is
 * loaded and run too; nothing may be touched that is not the object's, which
 * the sanitizers see.
 */
#include "config.h"

#include <bpfsift/ebpf.h>

#include "ebpf/err.h"
#include "tests/support/object.h"
#include "tests/support/suite.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char source[] =
	"typedef const struct { int a; char b[3]; } pair;\n"
	"struct { int (*type)[2]; int (*max_entries)[3]; unsigned *key; pair (*value)[2][3];\n"
	"	int (*map_flags)[128]; } pairs __attribute__((section(\".maps\"), used));\n"
	"struct { int (*type)[1]; int (*max_entries)[5]; volatile enum { A } *key; void *(*value)[4]; }\n"
	"	pointers __attribute__((section(\".maps\"), used));\n"
	"struct { int (*type)[2]; int (*max_entries)[2]; unsigned *key; unsigned long long *value; }\n"
	"	counts __attribute__((section(\".maps\"), used));\n"
	"struct { unsigned t, k, v, n, f; } old __attribute__((section(\"maps\"), used)) = { 1, 4, 8, 4, 0 };\n"
	"static void *(*lookup)(void *, const void *) = (void *)1;\n"
	"int total = 5;\n"
	"__attribute__((noinline)) int twice(int x) { return x * 2 + total; }\n"
	"__attribute__((section(\"xdp\"))) int entry(void *ctx)\n"
	"{ unsigned k = 1; unsigned long long *p = lookup(&counts, &k);\n"
	"  return p ? twice(++*p) + (lookup(&old, &k) == 0) : 0; }\n";

static uint8_t *object;
static size_t object_len;

/* What the other byte order can have: code and maps, no data. */
static const char plain_source[] =
	"struct { int (*type)[2]; int (*max_entries)[2]; unsigned *key; unsigned long long *value; }\n"
	"	counts __attribute__((section(\".maps\"), used));\n"
	"struct { unsigned t, k, v, n, f; } old __attribute__((section(\"maps\"), used)) = { 1, 4, 8, 4, 0 };\n"
	"static void *(*const lookup)(void *, const void *) = (void *)1;\n"
	"__attribute__((noinline)) int twice(int x) { return x * 2 - 300; }\n"
	"__attribute__((section(\"xdp\"))) int entry(void *ctx)\n"
	"{ unsigned k = 1; unsigned long long *p = lookup(&counts, &k);\n"
	"  return p ? twice(++*p + 0x1234) + (lookup(&old, &k) == 0) : 0; }\n";

/* Whether it opens, loads and runs; each refusal is one line. */
static bool
try_object(const uint8_t *bytes, size_t len, uint64_t *r0)
{
	struct ebpf_run_opts opts = { .size = sizeof(opts), .max_steps = 1000 };
	struct ebpf_object *o = NULL;
	struct ebpf_prog *prog = NULL;
	struct ebpf_err err = { "" };
	uint8_t mem[8] = { 0 };
	int rc = ebpf_object_open(bytes, len, &o, &err);

	if (rc == 0) {
		rc = ebpf_object_load(o, NULL, NULL, ebpf_prog_type_raw(), NULL, &prog, &err);
		ebpf_object_close(o);
	}
	if (rc == 0)
		rc = ebpf_prog_run_checked(prog, mem, sizeof(mem), &opts, r0, &err);
	ebpf_prog_put(prog);
	if (rc < 0) {
		ck_assert_uint_gt(strlen(err.text), 0);
		ck_assert_ptr_null(strchr(err.text, '\n'));
	}
	return rc == 0;
}

static bool
is_skipped(const char *text, const char *target)
{
	const char *why = object_make(text, target, &object, &object_len);
	struct ebpf_object *o;
	struct ebpf_err err;

	if (why == NULL && ebpf_object_open(object, object_len, &o, &err) == 0) {
		ebpf_object_close(o);
		return false;
	}
	if (why == NULL && strstr(err.text, "without libelf") == NULL)
		ck_abort_msg("%s", err.text);
	suite_skip("%s", why != NULL ? why : "built without libelf");
	return true;
}

START_TEST(an_object_cut_anywhere_is_refused_or_runs)
{
	uint64_t r0 = 0;
	size_t n_refused = 0;

	if (is_skipped(source, "bpf"))
		return;
	ck_assert(try_object(object, object_len, &r0));
	ck_assert_uint_eq(r0, 1 * 2 + 5 + 1);
	for (size_t len = 0; len < object_len; len++) {
		/* A block of its own, so that a byte past it is seen. */
		uint8_t *copy = malloc(len > 0 ? len : 1);

		memcpy(copy, object, len);
		n_refused += !try_object(copy, len, &r0);
		free(copy);
	}
	/* The section headers are at the end: nothing works without them. */
	ck_assert_uint_eq(n_refused, object_len);
	free(object);
}
END_TEST

START_TEST(an_object_with_bytes_changed_is_refused_or_runs)
{
	uint64_t rng = suite_seed(31), n = suite_scaled(20000), n_ran = 0, r0;

	if (is_skipped(source, "bpf"))
		return;
	for (uint64_t i = 0; i < n; i++) {
		uint8_t *copy = malloc(object_len);
		uint32_t n_changes = 1 + rng_below(&rng, 4);

		memcpy(copy, object, object_len);
		for (uint32_t k = 0; k < n_changes; k++) {
			/* Half of them in the headers, where it hurts. */
			uint32_t at = rng_below(&rng, (uint32_t)object_len);

			if (rng_below(&rng, 2))
				at = (uint32_t)object_len - 1 - rng_below(&rng, 64 * 32);
			if (rng_below(&rng, 2))
				copy[at] = (uint8_t)rng_next(&rng);
			else
				copy[at] ^= (uint8_t)(1 << rng_below(&rng, 8));
		}
		n_ran += try_object(copy, object_len, &r0);
		free(copy);
	}
	ck_assert_uint_gt(n_ran, n / 100);
	ck_assert_uint_lt(n_ran, n);
	free(object);
}
END_TEST

/* ---- one thing wrong ---- */

/* What is overwritten: a field of the file's header, of a section's, of a symbol, or contents. */
enum part { HEADER, SECTION, SYMBOL, CONTENTS };

#define FIELD(type, name) offsetof(type, name), sizeof(((type *)0)->name)

static const struct {
	const char *says;
	enum part part;
	const char *of;         /* the section or the symbol */
	size_t at, width;
	uint64_t value;
	const char *section;    /* its number is the value */
} wrong[] = {
	{ "object file: not a relocatable file for bpf", HEADER, NULL, FIELD(Elf64_Ehdr, e_machine),
	  EM_X86_64, NULL },
	{ "object file: not a relocatable file for bpf", HEADER, NULL, FIELD(Elf64_Ehdr, e_type),
	  ET_EXEC, NULL },
	{ "object file: not an ELF file", HEADER, NULL, EI_CLASS, 1, 7, NULL },
	{ "object file: no sections", HEADER, NULL, FIELD(Elf64_Ehdr, e_shnum), 0, NULL },
	{ "section xdp: passes the end of the file", SECTION, "xdp", FIELD(Elf64_Shdr, sh_offset),
	  1 << 20, NULL },
	{ "object file: no section xdp with code", SECTION, "xdp", FIELD(Elf64_Shdr, sh_flags), 0,
	  NULL },
	/* tables */
	{ "object file: two symbol tables", SECTION, ".relxdp", FIELD(Elf64_Shdr, sh_type),
	  SHT_SYMTAB, NULL },
	{ "object file: damaged symbol table", SECTION, ".symtab", FIELD(Elf64_Shdr, sh_size), 0,
	  NULL },
	{ ": relocation of no symbol", SECTION, ".symtab",
	  FIELD(Elf64_Shdr, sh_type), SHT_PROGBITS, NULL },
	{ "section .data: addresses in data", SECTION, ".relxdp", FIELD(Elf64_Shdr, sh_info), 0,
	  ".data" },
	/* types */
	{ ".BTF: no header", SECTION, ".BTF", FIELD(Elf64_Shdr, sh_size), 23, NULL },
	{ ".BTF: wrong magic number", CONTENTS, ".BTF", 0, 2, 0, NULL },
	{ ".BTF: header passes the end", CONTENTS, ".BTF", 4, 4, 23, NULL },
	{ ".BTF: header passes the end", CONTENTS, ".BTF", 4, 4, 1 << 20, NULL },
	{ ".BTF: types pass the end", CONTENTS, ".BTF", 8, 4, 1 << 20, NULL },
	{ ".BTF: types pass the end", CONTENTS, ".BTF", 12, 4, 1 << 20, NULL },
	{ ".BTF: strings pass the end", CONTENTS, ".BTF", 16, 4, 1 << 20, NULL },
	{ ".BTF: strings pass the end", CONTENTS, ".BTF", 20, 4, 1 << 20, NULL },
	{ ".BTF: strings do not end", CONTENTS, ".BTF", 20, 4, 0, NULL },
	{ ".BTF: strings do not end", CONTENTS, ".BTF", 20, 4, 2, NULL },
	{ ".BTF: type 1 is damaged", CONTENTS, ".BTF", 24 + 7, 1, 31, NULL },
	{ ".BTF: type 1 is damaged", CONTENTS, ".BTF", 24 + 7, 1, 0, NULL },
	{ ".BTF: type 1 is damaged", CONTENTS, ".BTF", 12, 4, 11, NULL },
	{ "map counts: defined by types, but there is no .BTF (clang -g)", SECTION, ".BTF",
	  FIELD(Elf64_Shdr, sh_type), SHT_NOBITS, NULL },
	{ "map counts: no definition in .BTF", CONTENTS, ".BTF", 12, 4, 12, NULL },
	/* maps by numbers */
	{ "map old: passes the end of its section", SECTION, "maps", FIELD(Elf64_Shdr, sh_size), 19,
	  NULL },
	{ "map old: passes the end of its section", SYMBOL, "old", FIELD(Elf64_Sym, st_value), 1,
	  NULL },
	{ "map old: the maps are over 268435456 bytes together", CONTENTS, "maps", 8, 4,
	  UINT32_MAX, NULL },
	{ "map old: the maps are over 268435456 bytes together", CONTENTS, "maps", 12, 4, 1 << 26,
	  NULL },
	{ "map old: unknown type 4711", CONTENTS, "maps", 0, 4, 4711, NULL },
	/* what code refers to */
	{ ": calls an unknown twice", SYMBOL, "twice", FIELD(Elf64_Sym, st_shndx), 0, NULL },
	{ ": calls no function of .text", SYMBOL, "twice", FIELD(Elf64_Sym, st_value), 4096, NULL },
	{ ": calls no function of maps", SYMBOL, "twice", FIELD(Elf64_Sym, st_shndx), 0, "maps" },
	{ ": address of an unknown counts", SYMBOL, "counts", FIELD(Elf64_Sym, st_shndx), 0, NULL },
	{ ": address in what is neither map nor data nor code: .BTF", SYMBOL, "counts",
	  FIELD(Elf64_Sym, st_shndx), 0, ".BTF" },
};

static uint8_t *
section_header(const char *name, uint16_t *number)
{
	const Elf64_Ehdr *ehdr = (const void *)object;
	const Elf64_Shdr *names =
		(const void *)(object + ehdr->e_shoff + ehdr->e_shstrndx * sizeof(*names));

	for (uint16_t i = 0; i < ehdr->e_shnum; i++) {
		uint8_t *at = object + ehdr->e_shoff + i * sizeof(Elf64_Shdr);

		if (strcmp((const char *)object + names->sh_offset +
				   ((const Elf64_Shdr *)(const void *)at)->sh_name,
			   name) == 0) {
			if (number != NULL)
				*number = i;
			return at;
		}
	}
	ck_abort_msg("no section %s", name);
}

static uint8_t *
symbol(const char *name)
{
	const Elf64_Ehdr *ehdr = (const void *)object;
	const Elf64_Shdr *table = (const void *)section_header(".symtab", NULL);
	const Elf64_Shdr *names =
		(const void *)(object + ehdr->e_shoff + table->sh_link * sizeof(*names));

	for (size_t i = 0; i < table->sh_size / sizeof(Elf64_Sym); i++) {
		uint8_t *at = object + table->sh_offset + i * sizeof(Elf64_Sym);

		if (strcmp((const char *)object + names->sh_offset +
				   ((const Elf64_Sym *)(const void *)at)->st_name,
			   name) == 0)
			return at;
	}
	ck_abort_msg("no symbol %s", name);
}

START_TEST(what_is_wrong_is_named)
{
	struct ebpf_object *o = NULL;
	struct ebpf_prog *prog = NULL;
	struct ebpf_err err = { "" };
	uint64_t value = wrong[_i].value;
	uint8_t *at = NULL;
	uint16_t number;
	int rc;

	if (is_skipped(source, "bpf"))
		return;
	if (wrong[_i].section != NULL) {
		section_header(wrong[_i].section, &number);
		value = number;
	}
	switch (wrong[_i].part) {
	case HEADER:
		at = object;
		break;
	case SECTION:
		at = section_header(wrong[_i].of, NULL);
		break;
	case SYMBOL:
		at = symbol(wrong[_i].of);
		break;
	case CONTENTS:
		at = section_header(wrong[_i].of, NULL);
		at = object + ((const Elf64_Shdr *)(const void *)at)->sh_offset;
		break;
	}
	for (size_t i = 0; i < wrong[_i].width; i++)
		at[wrong[_i].at + i] = (uint8_t)(value >> 8 * i);
	rc = ebpf_object_open(object, object_len, &o, &err);
	if (rc == 0)
		rc = ebpf_object_load(o, "xdp", NULL, ebpf_prog_type_raw(), NULL, &prog, &err);
	ck_assert_msg(rc < 0, "%s", wrong[_i].says);
	ck_assert_msg(strstr(err.text, wrong[_i].says) != NULL, "%s, not %s", err.text,
		      wrong[_i].says);
	ck_assert_ptr_null(prog);
	ebpf_object_close(o);
	free(object);
}
END_TEST

/* Both have the same source, and so they do the same. */
START_TEST(the_other_byte_order_does_the_same)
{
	static const char *const targets[] = { "bpfel", "bpfeb" };
	uint64_t r0 = 0;

	if (is_skipped(plain_source, targets[_i]))
		return;
	ck_assert(try_object(object, object_len, &r0));
	ck_assert_int_eq((int32_t)r0, (1 + 0x1234) * 2 - 300 + 1);
	free(object);
}
END_TEST

START_TEST(data_in_the_other_byte_order_is_refused)
{
	const uint16_t one = 1;
	struct ebpf_object *o;
	struct ebpf_err err;
	uint8_t first;

	memcpy(&first, &one, 1);
	if (is_skipped(plain_source, "bpf"))
		return;
	free(object);
	ck_assert_ptr_null(object_make(source, first == 1 ? "bpfeb" : "bpfel", &object,
				       &object_len));
	ck_assert_int_eq(ebpf_object_open(object, object_len, &o, &err), -EINVAL);
	ck_assert_str_eq(err.text, "section .data: not in this machine's byte order");
	free(object);
}
END_TEST

START_TEST(maps_are_as_their_types_say)
{
	struct ebpf_map_opts opts = { .size = sizeof(opts) };
	struct ebpf_object *o;
	struct ebpf_err err;

	if (is_skipped(source, "bpf"))
		return;
	ck_assert_int_eq(ebpf_object_open(object, object_len, &o, &err), 0);
	ck_assert_ptr_null(ebpf_object_map(o, "nosuch"));
	ebpf_map_describe(ebpf_object_map(o, "pairs"), &opts);
	ck_assert_uint_eq(opts.type, EBPF_MAP_ARRAY);
	ck_assert_uint_eq(opts.key_size, 4);
	ck_assert_uint_eq(opts.value_size, 2 * 3 * 8);
	ck_assert_uint_eq(opts.max_entries, 3);
	ck_assert_uint_eq(opts.flags, EBPF_MAP_RDONLY_PROG);
	ebpf_map_describe(ebpf_object_map(o, "pointers"), &opts);
	ck_assert_uint_eq(opts.type, EBPF_MAP_HASH);
	ck_assert_uint_eq(opts.key_size, 4);
	ck_assert_uint_eq(opts.value_size, 4 * 8);
	ck_assert_uint_eq(opts.max_entries, 5);
	ebpf_object_close(o);
	free(object);
}
END_TEST

/* A helper that is given a function of the program, whose first instruction gives 77. */
static const char callback_source[] =
	"struct { int (*type)[3]; int (*max_entries)[4]; } progs\n"
	"	__attribute__((section(\".maps\"), used));\n"
	"static long (*each)(void *) = (void *)1000;\n"
	"static int callback(void *arg) { return 77; }\n"
	"__attribute__((section(\"xdp\"))) int entry(void *ctx) { return each(callback); }\n";

static uint64_t
take_anything(uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5, void *env)
{
	(void)r1, (void)r2, (void)r3, (void)r4, (void)r5, (void)env;
	return 5;
}

START_TEST(the_address_of_a_function_leads_to_it)
{
	const struct ebpf_helper_opts helper = { .size = sizeof(helper), .id = 1000,
						 .name = "each", .fn = take_anything,
						 .args = { EBPF_ARG_ANYTHING } };
	const struct ebpf_helper_opts *const helpers[] = { &helper };
	const struct ebpf_load_opts opts = { .size = sizeof(opts), .helpers = helpers,
					     .n_helpers = 1 };
	struct ebpf_map_opts map = { .size = sizeof(map) };
	const struct ebpf_insn *insns;
	struct ebpf_prog *prog;
	struct ebpf_object *o;
	struct ebpf_err err;
	size_t n, n_found = 0;

	if (is_skipped(callback_source, "bpf"))
		return;
	ck_assert_int_eq(ebpf_object_open(object, object_len, &o, &err), 0);
	/* keys and values of a program array need no telling */
	ebpf_map_describe(ebpf_object_map(o, "progs"), &map);
	ck_assert_uint_eq(map.type, EBPF_MAP_PROG_ARRAY);
	ck_assert_uint_eq(map.key_size, 4);
	ck_assert_uint_eq(map.value_size, 4);
	ck_assert_uint_eq(map.max_entries, 4);
	ck_assert_msg(ebpf_object_load(o, NULL, NULL, ebpf_prog_type_raw(), &opts, &prog, &err) ==
			      0,
		      "%s", err.text);
	insns = ebpf_prog_insns(prog, &n);
	for (size_t pc = 0; pc < n; pc++) {
		if (insns[pc].code == (EBPF_LD | EBPF_DW) && insns[pc].src_reg == 4) {
			size_t to = pc + 1 + (size_t)insns[pc].imm;

			ck_assert_uint_lt(to, n);
			ck_assert_int_eq(insns[to].imm, 77);
			ck_assert_int_eq(insns[to].dst_reg, EBPF_R0);
			n_found++;
		}
	}
	ck_assert_uint_eq(n_found, 1);
	ebpf_prog_put(prog);
	ebpf_object_close(o);
	free(object);
}
END_TEST

START_TEST(what_is_asked_for_must_be_there)
{
	struct ebpf_load_opts opts = { .size = sizeof(opts), .n_maps = 1 };
	struct ebpf_prog *prog = NULL;
	struct ebpf_object *o;
	struct ebpf_err err;
	struct ebpf_map *map;

	if (is_skipped(source, "bpf"))
		return;
	ck_assert_int_eq(ebpf_object_open(object, object_len, &o, &err), 0);
	ck_assert_int_eq(ebpf_object_load(o, "xdp", "twice", ebpf_prog_type_raw(), NULL, &prog, &err),
			 -ENOENT);
	ck_assert_str_eq(err.text, "section xdp: no function twice");
	ck_assert_int_eq(ebpf_object_load(o, ".BTF", NULL, ebpf_prog_type_raw(), NULL, &prog, &err),
			 -ENOENT);
	ck_assert_str_eq(err.text, "object file: no section .BTF with code");
	map = ebpf_object_map(o, "counts");
	opts.maps = &map;
	ck_assert_int_eq(ebpf_object_load(o, "xdp", NULL, ebpf_prog_type_raw(), &opts, &prog, &err),
			 -EINVAL);
	ck_assert_str_eq(err.text, "object file: has its own maps");
	ck_assert_ptr_null(prog);
	ck_assert_int_eq(ebpf_object_load(o, "xdp", "entry", ebpf_prog_type_raw(), NULL, &prog, &err),
			 0);
	ebpf_object_close(o);
	ebpf_prog_put(prog);
	free(object);
}
END_TEST

/* A name of an object or a section, made to look like lines of ours, or to clear a screen. */
START_TEST(names_stay_in_the_line_that_tells_of_them)
{
	struct ebpf_err err;

	ck_assert_int_eq(ebpf_err_set(&err, -EINVAL, "map %s: too large", "a\nb\x1b[2J\x7f\t\u00e9"),
			 -EINVAL);
	ck_assert_str_eq(err.text, "map a?b?[2J??\u00e9: too large");
	ck_assert_int_eq(ebpf_err_prefix(&err, -ENOENT, "%s", "x\ry"), -ENOENT);
	ck_assert_str_eq(err.text, "x?y: map a?b?[2J??\u00e9: too large");
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("ebpf/object");
	TCase *tc = tcase_create("object");

	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, names_stay_in_the_line_that_tells_of_them);
	tcase_add_test(tc, an_object_cut_anywhere_is_refused_or_runs);
	tcase_add_test(tc, an_object_with_bytes_changed_is_refused_or_runs);
	tcase_add_loop_test(tc, what_is_wrong_is_named, 0, N_ELEMS(wrong));
	tcase_add_loop_test(tc, the_other_byte_order_does_the_same, 0, 2);
	tcase_add_test(tc, data_in_the_other_byte_order_is_refused);
	tcase_add_test(tc, maps_are_as_their_types_say);
	tcase_add_test(tc, the_address_of_a_function_leads_to_it);
	tcase_add_test(tc, what_is_asked_for_must_be_there);
	suite_add_tcase(s, tc);
	return s;
}
