/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An object file as clang -target bpf makes them: one program in the section that
 * loaders go by, its licence, and a symbol for it; and where it counts, the map, its
 * type, and the instruction that its address goes into.
 *
 *	1 .strtab  2 program  3 license  4 .symtab  5 .maps  6 .BTF  7 .rel + program
 *
 * libelf lays it out; all that goes in is known beforehand, so that the same
 * program gives the same bytes.
 */
#include "config.h"

#include "tools/cbpf2ebpf_forms.h"

#include "tools/cbpf2ebpf_btf.h"
#include "tools/cbpf2ebpf_counter.h"
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

enum { STRTAB = 1, PROGRAM, LICENSE, SYMTAB, MAPS };

static char license[] = "BSD";

/* Names, by offset. */
struct names {
	char bytes[128];
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

/* What of a section is always so. */
static const Elf64_Shdr strings = { .sh_type = SHT_STRTAB, .sh_addralign = 1 };
static const Elf64_Shdr code = { .sh_type = SHT_PROGBITS, .sh_addralign = 8,
				 .sh_flags = SHF_ALLOC | SHF_EXECINSTR };
static const Elf64_Shdr data = { .sh_type = SHT_PROGBITS, .sh_addralign = 8,
				 .sh_flags = SHF_ALLOC | SHF_WRITE };
static const Elf64_Shdr notes = { .sh_type = SHT_PROGBITS, .sh_addralign = 4 };
/* one local symbol before the global ones: the undefined one */
static const Elf64_Shdr symbols = { .sh_type = SHT_SYMTAB, .sh_addralign = 8,
				    .sh_entsize = sizeof(Elf64_Sym), .sh_link = STRTAB,
				    .sh_info = 1 };
static const Elf64_Shdr relocations = { .sh_type = SHT_REL, .sh_addralign = 8,
					.sh_entsize = sizeof(Elf64_Rel), .sh_link = SYMTAB,
					.sh_info = PROGRAM };

enum { SYM_NONE, SYM_FILTER, SYM_LICENSE, SYM_MAP, N_SYMS };

static Elf64_Sym
symbol(uint32_t name, unsigned char type, uint16_t section, size_t size)
{
	return (Elf64_Sym){ .st_name = name, .st_info = ELF64_ST_INFO(STB_GLOBAL, type),
			    .st_shndx = section, .st_size = size };
}

/* A map's place, which only its type says something of; that; and who points to it. */
static void
add_map(Elf *elf, const uint32_t names[3], size_t map_at)
{
	static char place[BTF_MAP_SIZE];
	static Elf64_Rel rel;
	size_t n;
	const void *btf = btf_of_counter(&n);

	rel = (Elf64_Rel){ .r_offset = map_at * sizeof(struct ebpf_insn),
			   .r_info = ELF64_R_INFO(SYM_MAP, R_BPF_64_64) };
	add_section(elf, names[0], &data, place, sizeof(place), ELF_T_BYTE);
	add_section(elf, names[1], &notes, (void *)(uintptr_t)btf, n, ELF_T_BYTE);
	add_section(elf, names[2], &relocations, &rel, sizeof(rel), ELF_T_REL);
}

static void
fill(Elf *elf, const struct translation *t)
{
	static struct names names = { .n = 1 };
	static Elf64_Sym table[N_SYMS];
	bool counts = t->options->counter;
	size_t n_bytes = t->ebpf->n_insns * sizeof(*t->ebpf->insns);
	uint32_t strtab = add_name(&names, ".strtab"), symtab = add_name(&names, ".symtab");
	uint32_t rel = add_name(&names, ".rel"), section, license_name;
	Elf64_Ehdr *head = elf64_newehdr(elf);

	must_do(head != NULL);
	head->e_ident[EI_DATA] = HOST_ORDER;
	head->e_type = ET_REL;
	head->e_machine = EM_BPF;
	head->e_version = EV_CURRENT;
	head->e_shstrndx = STRTAB;
	/* ".relxdp", of which "xdp" is the end */
	names.n = rel + sizeof(".rel") - 1;
	section = add_name(&names, target_name(t->options->target));
	license_name = add_name(&names, "license");     /* section and symbol */
	table[SYM_FILTER] = symbol(add_name(&names, SYMBOL), STT_FUNC, PROGRAM, n_bytes);
	table[SYM_LICENSE] = symbol(license_name, STT_OBJECT, LICENSE, sizeof(license));
	table[SYM_MAP] = symbol(add_name(&names, COUNTER_MAP), STT_OBJECT, MAPS, BTF_MAP_SIZE);
	{
		const uint32_t map_names[] = { add_name(&names, ".maps"), add_name(&names, ".BTF"),
					       rel };

		add_section(elf, strtab, &strings, names.bytes, names.n, ELF_T_BYTE);
		add_section(elf, section, &code, t->ebpf->insns, n_bytes, ELF_T_BYTE);
		add_section(elf, license_name, &data, license, sizeof(license), ELF_T_BYTE);
		add_section(elf, symtab, &symbols, table,
			    (counts ? N_SYMS : SYM_MAP) * sizeof(table[0]), ELF_T_SYM);
		if (counts)
			add_map(elf, map_names, t->map_at);
	}
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
