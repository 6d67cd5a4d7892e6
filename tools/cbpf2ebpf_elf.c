/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An object file as clang -target bpf makes them: one program in the section that
 * loaders go by, its licence, and a symbol for it.
 *
 *	section  0       1          2          3          4
 *	         (none)  .strtab    program    license    .symtab
 *
 * libelf lays it out; all that goes in is known beforehand, so that the same
 * program gives the same bytes.
 */
#include "config.h"

#include "tools/cbpf2ebpf_forms.h"

#include "tools/cbpf2ebpf_say.h"

#include <errno.h>
#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SYMBOL "filter"
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define HOST_ORDER ELFDATA2MSB
#else
#define HOST_ORDER ELFDATA2LSB
#endif

static char license[] = "BSD";

/* Names, by offset. */
struct names {
	char bytes[64];
	size_t n;
};

static uint32_t
add_name(struct names *names, const char *name)
{
	size_t at = names->n, len = strlen(name) + 1;

	memcpy(names->bytes + at, name, len);
	names->n += len;
	return (uint32_t)at;
}

/* libelf gives NULL or 0 where it has no memory, and nothing else can be wrong. */
static void
must_do(int done)
{
	if (!done)
		die("object file: %s", elf_errmsg(-1));
}

static void
add_section(Elf *elf, uint32_t name, const Elf64_Shdr *like, void *bytes, size_t n, Elf_Type type)
{
	Elf_Scn *scn = elf_newscn(elf);
	Elf_Data *data;
	Elf64_Shdr *head;

	must_do(scn != NULL);
	must_do((data = elf_newdata(scn)) != NULL);
	data->d_buf = bytes;
	data->d_size = n;
	data->d_type = type;
	data->d_align = like->sh_addralign;
	data->d_version = EV_CURRENT;
	must_do((head = elf64_getshdr(scn)) != NULL);
	*head = *like;
	head->sh_name = name;
}

static void
fill(Elf *elf, const struct translation *t)
{
	static const Elf64_Shdr strings = { .sh_type = SHT_STRTAB, .sh_addralign = 1 };
	static const Elf64_Shdr code = { .sh_type = SHT_PROGBITS, .sh_addralign = 8,
					 .sh_flags = SHF_ALLOC | SHF_EXECINSTR };
	static const Elf64_Shdr data = { .sh_type = SHT_PROGBITS, .sh_addralign = 1,
					 .sh_flags = SHF_ALLOC | SHF_WRITE };
	/* one local symbol before the global one: the undefined one */
	static const Elf64_Shdr symbols = { .sh_type = SHT_SYMTAB, .sh_addralign = 8,
					    .sh_entsize = sizeof(Elf64_Sym), .sh_link = 1,
					    .sh_info = 1 };
	static struct names names = { .n = 1 };
	static Elf64_Sym table[3];
	size_t n_bytes = t->ebpf->n_insns * sizeof(*t->ebpf->insns);
	uint32_t strtab = add_name(&names, ".strtab"), symtab = add_name(&names, ".symtab");
	uint32_t section = add_name(&names, target_name(t->options->target));
	uint32_t license_name = add_name(&names, "license");        /* section and symbol */
	Elf64_Ehdr *head = elf64_newehdr(elf);

	must_do(head != NULL);
	head->e_ident[EI_DATA] = HOST_ORDER;
	head->e_type = ET_REL;
	head->e_machine = EM_BPF;
	head->e_version = EV_CURRENT;
	head->e_shstrndx = 1;
	table[1] = (Elf64_Sym){ .st_name = add_name(&names, SYMBOL), .st_shndx = 2,
				.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
				.st_size = n_bytes };
	table[2] = (Elf64_Sym){ .st_name = license_name, .st_shndx = 3,
				.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT),
				.st_size = sizeof(license) };
	add_section(elf, strtab, &strings, names.bytes, names.n, ELF_T_BYTE);
	add_section(elf, section, &code, t->ebpf->insns, n_bytes, ELF_T_BYTE);
	add_section(elf, license_name, &data, license, sizeof(license), ELF_T_BYTE);
	add_section(elf, symtab, &symbols, table, sizeof(table), ELF_T_SYM);
	must_do(elf_update(elf, ELF_C_NULL) >= 0);
}

void
write_elf(FILE *out, const struct translation *t)
{
	FILE *file = tmpfile();
	char block[4096];
	Elf *elf;
	size_t n;

	if (file == NULL)
		die("temporary file: %s", strerror(errno));
	must_do(elf_version(EV_CURRENT) != EV_NONE);
	must_do((elf = elf_begin(fileno(file), ELF_C_WRITE, NULL)) != NULL);
	fill(elf, t);
	if (elf_update(elf, ELF_C_WRITE) < 0)
		die("temporary file: %s", elf_errmsg(-1));
	elf_end(elf);
	rewind(file);
	while ((n = fread(block, 1, sizeof(block), file)) > 0)
		fwrite(block, 1, n, out);
	if (ferror(file))
		die("temporary file: %s", strerror(errno));
	fclose(file);
}
