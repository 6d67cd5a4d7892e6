/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * GDB reads a list of symbol files at __jit_debug_descriptor, and stops where
 * __jit_debug_register_code is called to look again.  A file here is an ELF
 * object in memory: one section, where the code lies already, and one symbol.
 * Source: the GDB manual, "JIT Compilation Interface".
 */
#include "config.h"

#include "tools/native_gdb.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#define MACHINE EM_X86_64
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
#else
#define MACHINE EM_NONE         /* no program is machine code */
#endif

/* ---- the interface: names, layouts and numbers are GDB's ---- */

enum { JIT_NOACTION, JIT_REGISTER_FN, JIT_UNREGISTER_FN };

struct jit_code_entry {
	struct jit_code_entry *next_entry;
	struct jit_code_entry *prev_entry;
	const void *symfile_addr;
	uint64_t symfile_size;
};

struct jit_descriptor {
	uint32_t version;
	uint32_t action_flag;
	struct jit_code_entry *relevant_entry;
	struct jit_code_entry *first_entry;
};

#define SEEN_BY_GDB __attribute__((visibility("default"), used))

extern struct jit_descriptor __jit_debug_descriptor;
void __jit_debug_register_code(void);

SEEN_BY_GDB struct jit_descriptor __jit_debug_descriptor = { .version = 1 };

/* GDB's breakpoint is here. */
SEEN_BY_GDB __attribute__((noinline)) void
__jit_debug_register_code(void)
{
	__asm__ volatile("" ::: "memory");
}

/* ---- a symbol file ---- */

enum { NO_SECTION, TEXT, SYMBOLS, STRINGS, N_SECTIONS };

#define NAMES "\0.text\0.symtab\0.strtab"
enum { TEXT_NAME = 1, SYMBOLS_NAME = 7, STRINGS_NAME = 15, CODE_NAME = sizeof(NAMES) };

struct symbol_file {
	struct jit_code_entry entry;
	Elf64_Ehdr head;                /* the file begins here */
	Elf64_Shdr sections[N_SECTIONS];
	Elf64_Sym symbols[2];           /* the first is none */
	char strings[];
};

static uint64_t
offset_of(const struct symbol_file *f, const void *part)
{
	return (uint64_t)((const char *)part - (const char *)&f->head);
}

static void
write_head(struct symbol_file *f)
{
	static const unsigned char ident[EI_NIDENT] = {
		ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT,
	};

	memcpy(f->head.e_ident, ident, sizeof(ident));
	f->head.e_type = ET_REL;
	f->head.e_machine = MACHINE;
	f->head.e_version = EV_CURRENT;
	f->head.e_shoff = offset_of(f, f->sections);
	f->head.e_ehsize = sizeof(f->head);
	f->head.e_shentsize = sizeof(f->sections[0]);
	f->head.e_shnum = N_SECTIONS;
	f->head.e_shstrndx = STRINGS;
}

static void
write_sections(struct symbol_file *f, const struct ebpf_native *native, size_t n_strings)
{
	f->sections[TEXT] = (Elf64_Shdr){
		.sh_name = TEXT_NAME, .sh_type = SHT_NOBITS, .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
		.sh_addr = (uintptr_t)native->code, .sh_size = native->n, .sh_addralign = 1,
	};
	f->sections[SYMBOLS] = (Elf64_Shdr){
		.sh_name = SYMBOLS_NAME, .sh_type = SHT_SYMTAB,
		.sh_offset = offset_of(f, f->symbols), .sh_size = sizeof(f->symbols),
		.sh_link = STRINGS, .sh_info = 1, .sh_entsize = sizeof(f->symbols[0]),
		.sh_addralign = 8,
	};
	f->sections[STRINGS] = (Elf64_Shdr){
		.sh_name = STRINGS_NAME, .sh_type = SHT_STRTAB,
		.sh_offset = offset_of(f, f->strings), .sh_size = n_strings, .sh_addralign = 1,
	};
	f->symbols[1] = (Elf64_Sym){
		.st_name = CODE_NAME, .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
		.st_shndx = TEXT, .st_size = native->n,
	};
}

static void
tell_gdb(struct jit_code_entry *entry)
{
	struct jit_descriptor *d = &__jit_debug_descriptor;

	entry->next_entry = d->first_entry;
	if (entry->next_entry != NULL)
		entry->next_entry->prev_entry = entry;
	d->first_entry = entry;
	d->relevant_entry = entry;
	d->action_flag = JIT_REGISTER_FN;
	__jit_debug_register_code();
}

int
native_gdb(const struct ebpf_prog *prog, const char *name, struct ebpf_err *err)
{
	struct ebpf_native native = { .size = sizeof(native) };
	size_t n_strings = CODE_NAME + strlen(name) + 1;
	struct symbol_file *f;
	int rc = ebpf_prog_native(prog, &native, err);

	if (rc < 0)
		return rc;
	f = calloc(1, sizeof(*f) + n_strings);
	if (f == NULL) {
		snprintf(err->text, sizeof(err->text), "symbols for gdb: out of memory");
		return -ENOMEM;
	}
	write_head(f);
	write_sections(f, &native, n_strings);
	memcpy(f->strings, NAMES, sizeof(NAMES));
	strcpy(f->strings + CODE_NAME, name);
	f->entry.symfile_addr = &f->head;
	f->entry.symfile_size = offset_of(f, f->strings) + n_strings;
	tell_gdb(&f->entry);
	return 0;
}
