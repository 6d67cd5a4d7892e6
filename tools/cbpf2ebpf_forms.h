/* SPDX-License-Identifier: BSD-2-Clause */
/* The forms in which extended programs are written. */
#ifndef TOOLS_CBPF2EBPF_FORMS_H
#define TOOLS_CBPF2EBPF_FORMS_H

#include "tools/cbpf2ebpf_options.h"

#include <stdio.h>

/* A program before and after, and how each instruction of it reads. */
struct translation {
	const struct options *options;
	const struct cbpf_insn *cbpf;
	size_t n_cbpf;
	const struct cbpf_lowered *ebpf;
	size_t map_at;          /* where it counts: the slot that loads the map's address */
	char *const *cbpf_lines; /* as tcpdump -d has them */
	char *const *ebpf_lines; /* NULL: second half of the one before */
};

/* How many bytes of the stack a program uses, from R10 down. */
int stack_bytes(const struct cbpf_lowered *lowered);

void write_asm(FILE *out, const struct translation *t);
void write_c(FILE *out, const struct translation *t);
/* As a function in C, named by the options. */
void write_function(FILE *out, const struct translation *t);
void write_hex(FILE *out, const struct translation *t);
void write_raw(FILE *out, const struct translation *t);
void write_json(FILE *out, const struct translation *t);
void write_dot(FILE *out, const struct translation *t);
/* An object file; without libelf the process ends. */
void write_elf(FILE *out, const struct translation *t);

#endif
