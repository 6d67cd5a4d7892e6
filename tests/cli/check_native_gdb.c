/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of symbol files, as a debugger reads it. */
#include "tools/native_gdb.h"

#include "ebpf/jit/jit.h"
#include "tests/support/suite.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

/* As the GDB manual has them. */
struct jit_code_entry {
	struct jit_code_entry *next_entry;
	struct jit_code_entry *prev_entry;
	const char *symfile_addr;
	uint64_t symfile_size;
};

extern struct jit_descriptor {
	uint32_t version;
	uint32_t action_flag;
	struct jit_code_entry *relevant_entry;
	struct jit_code_entry *first_entry;
} __jit_debug_descriptor;

static struct ebpf_prog *
load(enum ebpf_jit jit)
{
	static const struct ebpf_insn insns[] = {
		{ .code = EBPF_ALU64 | EBPF_MOV, .imm = 7 },
		{ .code = EBPF_JMP | EBPF_EXIT },
	};
	struct ebpf_policy policy = { .size = sizeof(policy), .jit = jit };
	struct ebpf_load_opts opts = { .size = sizeof(opts), .policy = &policy,
				       .verify = EBPF_VERIFY_ON };
	struct ebpf_prog *prog;
	struct ebpf_err err;

	ck_assert_msg(ebpf_prog_load_opts(ebpf_prog_type_raw(), insns, N_ELEMS(insns), &opts, &prog,
					  &err) == 0, "%s", err.text);
	return prog;
}

/* A file of one section and one symbol, those of the program's code. */
static void
is_of(const struct jit_code_entry *entry, const struct ebpf_prog *prog, const char *name)
{
	struct ebpf_native native = { .size = sizeof(native) };
	const char *file = entry->symfile_addr, *strings;
	const Elf64_Shdr *sections;
	const Elf64_Sym *symbol;
	Elf64_Ehdr head;

	ck_assert_int_eq(ebpf_prog_native(prog, &native, NULL), 0);
	memcpy(&head, file, sizeof(head));
	ck_assert_mem_eq(head.e_ident, ELFMAG, SELFMAG);
	ck_assert_uint_eq(head.e_type, ET_REL);
	ck_assert_uint_ne(head.e_machine, EM_NONE);
	ck_assert_uint_le(head.e_shoff + head.e_shnum * sizeof(*sections), entry->symfile_size);
	sections = (const Elf64_Shdr *)(uintptr_t)(file + head.e_shoff);
	strings = file + sections[head.e_shstrndx].sh_offset;
	ck_assert_str_eq(strings + sections[1].sh_name, ".text");
	ck_assert_str_eq(strings + sections[2].sh_name, ".symtab");
	ck_assert_str_eq(strings + sections[3].sh_name, ".strtab");
	ck_assert_uint_eq(sections[1].sh_addr, (uintptr_t)native.code);
	ck_assert_uint_eq(sections[1].sh_size, native.n);
	ck_assert_uint_eq(sections[2].sh_size, 2 * sizeof(*symbol));
	ck_assert_uint_eq(sections[3].sh_offset + sections[3].sh_size, entry->symfile_size);
	symbol = (const Elf64_Sym *)(uintptr_t)(file + sections[2].sh_offset) + 1;
	ck_assert_str_eq(strings + symbol->st_name, name);
	ck_assert_uint_eq(symbol->st_shndx, 1);
	ck_assert_uint_eq(symbol->st_value, 0);
	ck_assert_uint_eq(symbol->st_size, native.n);
}

START_TEST(each_program_has_a_symbol_file)
{
	struct ebpf_prog *one = load(EBPF_JIT_ON), *other = load(EBPF_JIT_ON);
	const struct jit_descriptor *d = &__jit_debug_descriptor;
	struct ebpf_err err;

	ck_assert_uint_eq(d->version, 1);
	ck_assert_ptr_null(d->first_entry);
	if (EBPF_HAS_JIT) {
		ck_assert_int_eq(native_gdb(one, "one", &err), 0);
		ck_assert_int_eq(native_gdb(other, "other", &err), 0);
		ck_assert_uint_eq(d->action_flag, 1);
		ck_assert_ptr_eq(d->relevant_entry, d->first_entry);
		is_of(d->first_entry, other, "other");
		is_of(d->first_entry->next_entry, one, "one");
		ck_assert_ptr_eq(d->first_entry->next_entry->prev_entry, d->first_entry);
		ck_assert_ptr_null(d->first_entry->next_entry->next_entry);
	}
	ebpf_prog_put(one);
	ebpf_prog_put(other);
}
END_TEST

START_TEST(a_program_that_is_interpreted_has_none)
{
	struct ebpf_prog *prog = load(EBPF_JIT_OFF);
	struct ebpf_err err;

	ck_assert_int_eq(native_gdb(prog, "none", &err), -ENOENT);
	ck_assert_str_eq(err.text, "the program is not machine code");
	ck_assert_ptr_null(__jit_debug_descriptor.first_entry);
	ebpf_prog_put(prog);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("tools/native_gdb");
	TCase *tc = tcase_create("symbol files");

	tcase_add_test(tc, each_program_has_a_symbol_file);
	tcase_add_test(tc, a_program_that_is_interpreted_has_none);
	suite_add_tcase(s, tc);
	return s;
}
