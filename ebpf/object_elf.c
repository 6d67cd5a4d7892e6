/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Object files, as clang makes them for the target bpf.
 *
 * Opening reads sections, symbols and relocations into tables of our own, and
 * makes the maps: those of the sections .maps (defined by types) and maps
 * (by numbers), and one of one value for each section of data.  Loading puts a
 * program together: a function, and each one that it calls, once; calls and
 * 64-bit loads then get the numbers that ebpf_prog_load_opts() wants.
 *
 * The file is nobody's friend.  libelf says where things are, and each offset,
 * size and index is tested here before it is used.
 */
#include "config.h"

#include "ebpf/arith.h"
#include "ebpf/btf.h"
#include "ebpf/err.h"
#include "ebpf/insn.h"
#include "ebpf/link.h"
#include "ebpf/map.h"

#include <errno.h>
#include <gelf.h>
#include <inttypes.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>

#ifndef EM_BPF
#define EM_BPF 247
#endif

/* Relocations of the target, see LLVM's BPF.def. */
#define R_BPF_64_64_ 1          /* a 64-bit load */
#define R_BPF_64_32_ 10         /* a call */

#define INSN_SIZE 8u
#define NO_MAP UINT32_MAX
#define ELEM_OVERHEAD 96u       /* of an element, at most, in any kind of map */

struct section {
	const char *name;
	uint32_t type;
	uint64_t flags;
	uint64_t size;
	const uint8_t *bytes;   /* NULL: none in the file */
	uint32_t link, info;
	uint32_t map;           /* of a section of data; NO_MAP */
};

struct symbol {
	const char *name;
	uint64_t value, size;
	uint32_t section;
	uint8_t type;
};

struct reloc {
	uint32_t section;
	uint32_t symbol;
	uint32_t type;
	uint64_t off;
};

/* A map that symbols of a section of definitions name. */
struct named_map {
	uint32_t section;
	uint64_t off;
};

struct ebpf_object {
	char *bytes;
	Elf *elf;
	bool is_big_endian;
	struct section *sections;
	uint32_t n_sections;
	struct symbol *symbols;
	uint32_t n_symbols;
	struct reloc *relocs;   /* by section and offset */
	size_t n_relocs;
	struct ebpf_btf *btf;
	struct ebpf_map **maps;
	struct named_map *named;        /* as maps; section 0: of data */
	uint32_t n_maps;
	uint64_t n_map_bytes;           /* at most EBPF_OBJECT_MAX_BYTES */
};

static int
out_of_memory(struct ebpf_err *err)
{
	return ebpf_err_set(err, -ENOMEM, "object file: out of memory");
}

static int
damaged(struct ebpf_err *err, const char *what)
{
	return ebpf_err_set(err, -EINVAL, "object file: %s", what);
}

static uint32_t
load32(const struct ebpf_object *o, const uint8_t *p)
{
	if (o->is_big_endian)
		return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static bool
has_prefix(const char *name, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(name, prefix, n) == 0 && (name[n] == '\0' || name[n] == '.');
}

static bool
is_code(const struct section *s)
{
	return s->type == SHT_PROGBITS && (s->flags & SHF_EXECINSTR) && s->bytes != NULL &&
	       s->size >= INSN_SIZE;
}

static bool
is_data(const struct section *s)
{
	return (s->flags & SHF_ALLOC) && s->size > 0 &&
	       (has_prefix(s->name, ".rodata") || has_prefix(s->name, ".data") ||
		has_prefix(s->name, ".bss"));
}

/* ---- opening: tables ---- */

static int
read_section(struct ebpf_object *o, Elf_Scn *scn, size_t names, struct section *s,
	     struct ebpf_err *err)
{
	GElf_Shdr shdr;
	Elf_Data *data;

	if (gelf_getshdr(scn, &shdr) == NULL)
		return damaged(err, "damaged section header");
	s->name = elf_strptr(o->elf, names, shdr.sh_name);
	if (s->name == NULL)
		s->name = "";
	s->type = shdr.sh_type;
	s->flags = shdr.sh_flags;
	s->size = shdr.sh_size;
	s->link = shdr.sh_link;
	s->info = shdr.sh_info;
	s->map = NO_MAP;
	if (shdr.sh_type == SHT_NOBITS || shdr.sh_type == SHT_NULL || shdr.sh_size == 0)
		return 0;
	data = elf_rawdata(scn, NULL);
	if (data == NULL || data->d_buf == NULL || data->d_size != shdr.sh_size)
		return ebpf_err_set(err, -EINVAL, "section %s: passes the end of the file",
				    s->name);
	s->bytes = data->d_buf;
	return 0;
}

static int
read_sections(struct ebpf_object *o, struct ebpf_err *err)
{
	size_t n, names;
	int rc;

	if (elf_getshdrnum(o->elf, &n) != 0 || elf_getshdrstrndx(o->elf, &names) != 0 || n == 0 ||
	    n > UINT16_MAX)
		return damaged(err, "no sections");
	o->sections = calloc(n, sizeof(*o->sections));
	if (o->sections == NULL)
		return out_of_memory(err);
	o->n_sections = (uint32_t)n;
	for (size_t i = 0; i < n; i++) {
		Elf_Scn *scn = elf_getscn(o->elf, i);

		if (scn == NULL)
			return damaged(err, "damaged section table");
		if ((rc = read_section(o, scn, names, &o->sections[i], err)) < 0)
			return rc;
	}
	return 0;
}

/* Entries of a table, translated by libelf; NULL: it has none that fit. */
static Elf_Data *
table(struct ebpf_object *o, uint32_t i, Elf_Type type, size_t *n)
{
	Elf_Scn *scn = elf_getscn(o->elf, i);
	Elf_Data *data = scn != NULL ? elf_getdata(scn, NULL) : NULL;
	size_t size = gelf_fsize(o->elf, type, 1, EV_CURRENT);

	if (data == NULL || data->d_buf == NULL || data->d_type != type || size == 0)
		return NULL;
	*n = data->d_size / size;
	return *n > 0 && *n <= INT32_MAX ? data : NULL;
}

static int
read_symbols(struct ebpf_object *o, struct ebpf_err *err)
{
	for (uint32_t i = 1; i < o->n_sections; i++) {
		Elf_Data *data;
		size_t n;

		if (o->sections[i].type != SHT_SYMTAB)
			continue;
		if (o->symbols != NULL)
			return damaged(err, "two symbol tables");
		if ((data = table(o, i, ELF_T_SYM, &n)) == NULL)
			return damaged(err, "damaged symbol table");
		o->symbols = calloc(n, sizeof(*o->symbols));
		if (o->symbols == NULL)
			return out_of_memory(err);
		for (size_t k = 0; k < n; k++) {
			struct symbol *s = &o->symbols[k];
			GElf_Sym sym;

			if (gelf_getsym(data, (int)k, &sym) == NULL)
				return damaged(err, "damaged symbol");
			s->name = elf_strptr(o->elf, o->sections[i].link, sym.st_name);
			if (s->name == NULL)
				s->name = "";
			s->value = sym.st_value;
			s->size = sym.st_size;
			s->type = GELF_ST_TYPE(sym.st_info);
			s->section = sym.st_shndx < o->n_sections ? sym.st_shndx : 0;
		}
		o->n_symbols = (uint32_t)n;
	}
	return 0;
}

static int
by_place(const void *a, const void *b)
{
	const struct reloc *x = a, *y = b;

	if (x->section != y->section)
		return x->section < y->section ? -1 : 1;
	return x->off < y->off ? -1 : x->off > y->off;
}

static int
read_relocs(struct ebpf_object *o, struct ebpf_err *err)
{
	for (uint32_t i = 1; i < o->n_sections; i++) {
		const struct section *s = &o->sections[i];
		struct reloc *grown;
		Elf_Data *data;
		size_t n;

		if (s->type != SHT_REL || s->info >= o->n_sections || s->size == 0)
			continue;
		if (is_data(&o->sections[s->info]))
			return ebpf_err_set(err, -EINVAL, "section %s: addresses in data",
					    o->sections[s->info].name);
		if (!is_code(&o->sections[s->info]))
			continue;
		if ((data = table(o, i, ELF_T_REL, &n)) == NULL)
			return ebpf_err_set(err, -EINVAL, "section %s: damaged", s->name);
		grown = reallocarray(o->relocs, o->n_relocs + n, sizeof(*grown));
		if (grown == NULL)
			return out_of_memory(err);
		o->relocs = grown;
		for (size_t k = 0; k < n; k++) {
			GElf_Rel rel;

			if (gelf_getrel(data, (int)k, &rel) == NULL)
				return ebpf_err_set(err, -EINVAL, "section %s: damaged", s->name);
			if (GELF_R_SYM(rel.r_info) >= o->n_symbols)
				return ebpf_err_set(err, -EINVAL,
						    "section %s: relocation of no symbol", s->name);
			o->relocs[o->n_relocs++] = (struct reloc){
				.section = s->info,
				.symbol = (uint32_t)GELF_R_SYM(rel.r_info),
				.type = (uint32_t)GELF_R_TYPE(rel.r_info),
				.off = rel.r_offset,
			};
		}
	}
	if (o->n_relocs > 0)
		qsort(o->relocs, o->n_relocs, sizeof(*o->relocs), by_place);
	return 0;
}

/* ---- opening: maps ---- */

static int
add_map(struct ebpf_object *o, const struct ebpf_map_opts *opts, uint32_t section, uint64_t off,
	struct ebpf_err *err)
{
	uint64_t n_bytes = ((uint64_t)opts->key_size + opts->value_size + ELEM_OVERHEAD) *
			   opts->max_entries;
	struct named_map *named;
	struct ebpf_map **maps;
	int rc;

	/* Sizes first: their product with the entries may wrap. */
	if (opts->key_size > EBPF_OBJECT_MAX_BYTES || opts->value_size > EBPF_OBJECT_MAX_BYTES ||
	    n_bytes > EBPF_OBJECT_MAX_BYTES - o->n_map_bytes)
		return ebpf_err_set(err, -E2BIG, "map %s: the maps are over %u bytes together",
				    opts->name, EBPF_OBJECT_MAX_BYTES);
	o->n_map_bytes += n_bytes;
	maps = reallocarray(o->maps, (size_t)o->n_maps + 1, sizeof(*maps));
	if (maps == NULL)
		return out_of_memory(err);
	o->maps = maps;
	named = reallocarray(o->named, (size_t)o->n_maps + 1, sizeof(*named));
	if (named == NULL)
		return out_of_memory(err);
	o->named = named;
	if ((rc = ebpf_map_new(opts, &o->maps[o->n_maps], err)) < 0)
		return rc;
	o->named[o->n_maps++] = (struct named_map){ section, off };
	return 0;
}

/* As numbers: type, key_size, value_size, max_entries, map_flags. */
static int
legacy_map(const struct ebpf_object *o, const struct symbol *sym, struct ebpf_map_opts *opts,
	   struct ebpf_err *err)
{
	const struct section *s = &o->sections[sym->section];
	uint32_t *fields[] = { &opts->type, &opts->key_size, &opts->value_size,
			       &opts->max_entries, &opts->flags };
	const size_t len = 4 * sizeof(fields) / sizeof(fields[0]);

	if (s->bytes == NULL || sym->value > s->size || s->size - sym->value < len)
		return ebpf_err_set(err, -EINVAL, "map %s: passes the end of its section",
				    sym->name);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		*fields[i] = load32(o, s->bytes + sym->value + 4 * i);
	return 0;
}

static int
add_defined_maps(struct ebpf_object *o, struct ebpf_err *err)
{
	for (uint32_t i = 1; i < o->n_symbols; i++) {
		const struct symbol *sym = &o->symbols[i];
		const char *section = o->sections[sym->section].name;
		struct ebpf_map_opts opts = { .size = sizeof(opts), .name = sym->name };
		bool is_legacy = strcmp(section, "maps") == 0;
		int rc;

		if (sym->section == 0 || sym->type == STT_SECTION || sym->name[0] == '\0' ||
		    (!is_legacy && strcmp(section, ".maps") != 0))
			continue;
		if (is_legacy)
			rc = legacy_map(o, sym, &opts, err);
		else if (o->btf == NULL)
			rc = ebpf_err_set(err, -EINVAL, "map %s: defined by types, but there is no .BTF (clang -g)",
					  sym->name);
		else
			rc = ebpf_btf_map(o->btf, sym->name, &opts, err);
		/* Sizes that kinds have anyway are often left out. */
		if (opts.type == EBPF_MAP_PROG_ARRAY && opts.value_size == 0)
			opts.key_size = opts.value_size = sizeof(uint32_t);
		if (rc < 0 || (rc = add_map(o, &opts, sym->section, sym->value, err)) < 0)
			return rc;
	}
	return 0;
}

static bool
host_is_big_endian(void)
{
	const uint16_t one = 1;
	uint8_t first;

	memcpy(&first, &one, 1);
	return first == 0;
}

static int
add_data(struct ebpf_object *o, struct ebpf_err *err)
{
	for (uint32_t i = 1; i < o->n_sections; i++) {
		struct section *s = &o->sections[i];
		struct ebpf_map_opts opts = { .size = sizeof(opts), .type = EBPF_MAP_ARRAY,
					      .key_size = sizeof(uint32_t), .max_entries = 1,
					      .value_size = (uint32_t)s->size, .name = s->name };
		const uint32_t key = 0;
		int rc;

		if (!is_data(s))
			continue;
		if (o->is_big_endian != host_is_big_endian())
			return ebpf_err_set(err, -EINVAL, "section %s: not in this machine's byte order",
					    s->name);
		if (s->size > INT32_MAX)
			return ebpf_err_set(err, -E2BIG, "section %s: %" PRIu64 " bytes", s->name,
					    s->size);
		if (!(s->flags & SHF_WRITE))
			opts.flags = EBPF_MAP_RDONLY_PROG;
		if ((rc = add_map(o, &opts, 0, 0, err)) < 0)
			return rc;
		s->map = o->n_maps - 1;
		if (s->bytes != NULL)
			ebpf_map_update(o->maps[s->map], &key, s->bytes, EBPF_ANY);
	}
	return 0;
}

static int
read_btf(struct ebpf_object *o, struct ebpf_err *err)
{
	for (uint32_t i = 1; i < o->n_sections; i++) {
		const struct section *s = &o->sections[i];

		if (strcmp(s->name, ".BTF") == 0 && s->bytes != NULL)
			return ebpf_btf_open(s->bytes, (size_t)s->size, o->is_big_endian, &o->btf,
					     err);
	}
	return 0;
}

static int
read_header(struct ebpf_object *o, size_t len, struct ebpf_err *err)
{
	GElf_Ehdr ehdr;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return damaged(err, "libelf is too old");
	o->elf = elf_memory(o->bytes, len);
	if (o->elf == NULL)
		return damaged(err, "not an ELF file");
	if (elf_kind(o->elf) != ELF_K_ELF || gelf_getehdr(o->elf, &ehdr) == NULL)
		return damaged(err, "not an ELF file");
	if (gelf_getclass(o->elf) != ELFCLASS64 || ehdr.e_type != ET_REL ||
	    (ehdr.e_machine != EM_BPF && ehdr.e_machine != EM_NONE))
		return damaged(err, "not a relocatable file for bpf");
	o->is_big_endian = ehdr.e_ident[EI_DATA] == ELFDATA2MSB;
	return 0;
}

int
ebpf_object_open(const void *bytes, size_t len, struct ebpf_object **out, struct ebpf_err *err)
{
	struct ebpf_object *o = calloc(1, sizeof(*o));
	int rc;

	if (o == NULL)
		return out_of_memory(err);
	/* libelf wants aligned bytes that it may write. */
	o->bytes = malloc(len > 0 ? len : 1);
	if (o->bytes == NULL) {
		rc = out_of_memory(err);
		goto fail;
	}
	if (len > 0)
		memcpy(o->bytes, bytes, len);
	if ((rc = read_header(o, len, err)) < 0 || (rc = read_sections(o, err)) < 0 ||
	    (rc = read_symbols(o, err)) < 0 || (rc = read_relocs(o, err)) < 0 ||
	    (rc = read_btf(o, err)) < 0 || (rc = add_defined_maps(o, err)) < 0 ||
	    (rc = add_data(o, err)) < 0)
		goto fail;
	*out = o;
	return 0;
fail:
	ebpf_object_close(o);
	return rc;
}

void
ebpf_object_close(struct ebpf_object *o)
{
	if (o == NULL)
		return;
	for (uint32_t i = 0; i < o->n_maps; i++)
		ebpf_map_put(o->maps[i]);
	ebpf_btf_close(o->btf);
	if (o->elf != NULL)
		elf_end(o->elf);
	free(o->named);
	free(o->maps);
	free(o->relocs);
	free(o->symbols);
	free(o->sections);
	free(o->bytes);
	free(o);
}

struct ebpf_map *
ebpf_object_map(const struct ebpf_object *o, const char *name)
{
	for (uint32_t i = 0; i < o->n_maps; i++) {
		if (strcmp(o->maps[i]->opts.name, name) == 0)
			return o->maps[i];
	}
	return NULL;
}

/* ---- loading ---- */

/* A function, or a section that has none, and where it goes in the program. */
struct unit {
	uint32_t section;
	uint32_t start;         /* slot in its section */
	uint32_t n;
	uint32_t at;            /* slot in the program */
};

struct linking {
	const struct ebpf_object *o;
	struct unit *units;
	uint32_t n_units;
	struct ebpf_insn *insns;
	uint32_t n_insns;
	struct ebpf_err *err;
};

static int
refuse(const struct linking *l, const struct unit *u, uint32_t i, const char *what,
       const char *name)
{
	return ebpf_err_set(l->err, -EINVAL, "section %s, insn %" PRIu32 ": %s%s",
			    l->o->sections[u->section].name, u->start + i, what, name);
}

/* The function around a slot. */
static struct unit
unit_around(const struct ebpf_object *o, uint32_t section, uint32_t slot)
{
	uint32_t n_slots = (uint32_t)(o->sections[section].size / INSN_SIZE);
	struct unit u = { .section = section, .start = 0, .n = n_slots };
	bool found = false;

	for (uint32_t i = 0; i < o->n_symbols; i++) {
		const struct symbol *s = &o->symbols[i];
		uint64_t start = s->value / INSN_SIZE, n = s->size / INSN_SIZE;

		if (s->section != section || s->type != STT_FUNC || start > slot ||
		    n <= slot - start || n > n_slots - start || (found && start < u.start))
			continue;
		u.start = (uint32_t)start;
		u.n = (uint32_t)n;
		found = true;
	}
	return u;
}

static struct ebpf_insn
insn_at(const struct ebpf_object *o, const uint8_t *p)
{
	uint32_t regs = p[1], imm = load32(o, p + 4);
	uint32_t off = o->is_big_endian ? (uint32_t)p[2] << 8 | p[3] : p[2] | (uint32_t)p[3] << 8;

	if (o->is_big_endian)
		regs = regs >> 4 | (regs & 0xf) << 4;
	if (off & 0x8000)
		off |= 0xffff0000;
	return (struct ebpf_insn){ .code = p[0], .dst_reg = regs & 0xf, .src_reg = regs >> 4,
				   .off = (int16_t)s32(off), .imm = s32(imm) };
}

/* Where a slot of a section is in the program, its function added if it is not there. */
static int
place(struct linking *l, uint32_t section, int64_t slot, uint32_t *at)
{
	const struct section *s = &l->o->sections[section];
	struct unit u, *units;
	struct ebpf_insn *insns;

	if (!is_code(s) || slot < 0 || (uint64_t)slot >= s->size / INSN_SIZE ||
	    s->size / INSN_SIZE > EBPF_MAXINSNS)
		return -EINVAL;
	for (uint32_t i = 0; i < l->n_units; i++) {
		u = l->units[i];
		if (u.section == section && slot >= u.start && slot - u.start < u.n) {
			*at = u.at + (uint32_t)(slot - u.start);
			return 0;
		}
	}
	u = unit_around(l->o, section, (uint32_t)slot);
	if (u.n > EBPF_MAXINSNS - l->n_insns)
		return -E2BIG;
	u.at = l->n_insns;
	insns = reallocarray(l->insns, (size_t)l->n_insns + u.n, sizeof(*insns));
	if (insns == NULL)
		return -ENOMEM;
	l->insns = insns;
	for (uint32_t i = 0; i < u.n; i++)
		insns[u.at + i] = insn_at(l->o, s->bytes + (size_t)(u.start + i) * INSN_SIZE);
	units = reallocarray(l->units, (size_t)l->n_units + 1, sizeof(*units));
	if (units == NULL)
		return -ENOMEM;
	l->units = units;
	l->units[l->n_units++] = u;
	l->n_insns += u.n;
	*at = u.at + ((uint32_t)slot - u.start);
	return 0;
}

static const struct symbol *
symbol_for(const struct ebpf_object *o, uint32_t section, uint32_t slot, uint32_t type)
{
	struct reloc key = { .section = section, .off = (uint64_t)slot * INSN_SIZE };
	const struct reloc *r;

	if (o->n_relocs == 0)
		return NULL;
	r = bsearch(&key, o->relocs, o->n_relocs, sizeof(*r), by_place);
	return r != NULL && r->type == type ? &o->symbols[r->symbol] : NULL;
}

/* Make what is at insns[at] name a slot of the program, from the slot after it. */
static int
name_slot(struct linking *l, const struct unit *u, uint32_t i, uint32_t section, int64_t slot)
{
	uint32_t to = 0;
	int rc = place(l, section, slot, &to);

	if (rc == -ENOMEM)
		return out_of_memory(l->err);
	if (rc < 0)
		return refuse(l, u, i, "calls no function of ", l->o->sections[section].name);
	l->insns[u->at + i].imm = (int32_t)to - (int32_t)(u->at + i + 1);
	return 0;
}

static int
link_call(struct linking *l, const struct unit *u, uint32_t i)
{
	const struct symbol *sym = symbol_for(l->o, u->section, u->start + i, R_BPF_64_32_);
	int64_t distance = (int64_t)l->insns[u->at + i].imm + 1;

	if (sym == NULL)
		return name_slot(l, u, i, u->section, (int64_t)u->start + i + distance);
	if (sym->section == 0 || sym->value > INT32_MAX)
		return refuse(l, u, i, "calls an unknown ", sym->name);
	return name_slot(l, u, i, sym->section, (int64_t)(sym->value / INSN_SIZE) + distance);
}

static int
link_load(struct linking *l, const struct unit *u, uint32_t i)
{
	const struct symbol *sym = symbol_for(l->o, u->section, u->start + i, R_BPF_64_64_);
	struct ebpf_insn *insn = &l->insns[u->at + i];
	const struct section *s;
	int64_t off;

	if (sym == NULL)
		return 0;
	s = &l->o->sections[sym->section];
	if (sym->section == 0 || sym->value > INT32_MAX)
		return refuse(l, u, i, "address of an unknown ", sym->name);
	off = (int64_t)sym->value + insn[0].imm;
	if (is_code(s)) {
		insn[0].src_reg = 4;
		insn[1].imm = 0;
		return name_slot(l, u, i, sym->section, off / (int64_t)INSN_SIZE);
	}
	if (s->map != NO_MAP && off >= 0 && off < (int64_t)s->size) {
		insn[0].src_reg = 2;
		insn[0].imm = (int32_t)s->map;
		insn[1].imm = (int32_t)off;
		return 0;
	}
	for (uint32_t m = 0; m < l->o->n_maps; m++) {
		if (l->o->named[m].section != sym->section || off < 0 ||
		    l->o->named[m].off != (uint64_t)off)
			continue;
		insn[0].src_reg = 1;
		insn[0].imm = (int32_t)m;
		insn[1].imm = 0;
		return 0;
	}
	return refuse(l, u, i, "address in what is neither map nor data nor code: ", s->name);
}

static int
link_unit(struct linking *l, struct unit u)
{
	int rc = 0;

	for (uint32_t i = 0; i < u.n && rc == 0; i++) {
		const struct ebpf_insn *insn = &l->insns[u.at + i];

		if (ebpf_code_is_wide(insn->code)) {
			if (u.n - i < 2)
				return refuse(l, &u, i, "second half is missing", "");
			rc = link_load(l, &u, i);
			i++;
		} else if (insn->code == (EBPF_JMP | EBPF_CALL) && insn->src_reg == 1) {
			rc = link_call(l, &u, i);
		}
	}
	return rc;
}

/* The section of that name; where there is none, the first with code, .text last. */
static int
find_section(const struct ebpf_object *o, const char *name, uint32_t *section,
	     struct ebpf_err *err)
{
	uint32_t found = 0;

	for (uint32_t i = 1; i < o->n_sections; i++) {
		const struct section *s = &o->sections[i];

		if (!is_code(s) || (name != NULL && strcmp(s->name, name) != 0))
			continue;
		if (found == 0 || strcmp(o->sections[found].name, ".text") == 0)
			found = i;
	}
	if (found == 0)
		return ebpf_err_set(err, -ENOENT, "object file: no section %s with code",
				    name != NULL ? name : "at all");
	*section = found;
	return 0;
}

static int
find_function(const struct ebpf_object *o, uint32_t section, const char *name, int64_t *slot,
	      struct ebpf_err *err)
{
	*slot = 0;
	if (name == NULL)
		return 0;
	for (uint32_t i = 0; i < o->n_symbols; i++) {
		const struct symbol *s = &o->symbols[i];

		if (s->section == section && s->type == STT_FUNC && s->value <= INT32_MAX &&
		    strcmp(s->name, name) == 0) {
			*slot = (int64_t)(s->value / INSN_SIZE);
			return 0;
		}
	}
	return ebpf_err_set(err, -ENOENT, "section %s: no function %s", o->sections[section].name,
			    name);
}

int
ebpf_object_load(const struct ebpf_object *o, const char *section, const char *function,
		 const struct ebpf_prog_type *type, const struct ebpf_load_opts *caller_opts,
		 struct ebpf_prog **out, struct ebpf_err *err)
{
	struct linking l = { .o = o, .err = err };
	struct ebpf_load_opts opts = { 0 };
	uint32_t first = 0, at;
	int64_t slot = 0;
	int rc;

	if (caller_opts != NULL && (rc = ebpf_load_opts_take(&opts, caller_opts, err)) < 0)
		return rc;
	if (opts.n_maps != 0)
		return ebpf_err_set(err, -EINVAL, "object file: has its own maps");
	opts.size = sizeof(opts);
	opts.maps = o->maps;
	opts.n_maps = o->n_maps;
	if ((rc = find_section(o, section, &first, err)) < 0 ||
	    (rc = find_function(o, first, function, &slot, err)) < 0)
		return rc;
	rc = place(&l, first, slot, &at);
	if (rc < 0)
		rc = ebpf_err_set(err, rc, "section %s: no program of at most %d instructions",
				  o->sections[first].name, EBPF_MAXINSNS);
	for (uint32_t i = 0; rc == 0 && i < l.n_units; i++)
		rc = link_unit(&l, l.units[i]);
	if (rc == 0)
		rc = ebpf_prog_load_opts(type, l.insns, l.n_insns, &opts, out, err);
	free(l.insns);
	free(l.units);
	return rc;
}
