/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How instructions are written, once for disassembler and assembler: one
 * template for each form.
 *
 * A letter after % stands for
 *
 *   d s    destination, source: r1, or w1 in the 32-bit classes
 *   D S    the same, always r1
 *   t      the row's text
 *   n      the row's value in decimal
 *   z      the type of the size: u8 ... u64
 *   y      64 where that is u64, else nothing
 *   i      imm, signed decimal
 *   x      imm, unsigned hexadecimal
 *   o      off with its sign
 *   j      imm with its sign
 *   h      imm as a helper: bpf_name#imm
 *   q      both halves of a 64-bit immediate, hexadecimal
 *   m      the second half, signed decimal
 *
 * and a blank for itself or, to the assembler, for any white space and none.
 */
#ifndef BPFSIFT_EBPF_NOTATION_H
#define BPFSIFT_EBPF_NOTATION_H

#include "ebpf/insn.h"

/* The template of a row. */
const char *ebpf_notation(enum ebpf_op row);

/* The kernel's name of a helper, without "bpf_"; NULL: it has none. */
const char *ebpf_helper_name(int32_t id);

/* The kernel's helper of that name, which has len bytes; -1: there is none. */
int32_t ebpf_helper_by_name(const char *name, size_t len);

/* "u8" ... "u64": the type that a load or store of this code has. */
const char *ebpf_size_name(uint8_t code);

#endif
