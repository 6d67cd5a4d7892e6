/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * BPF type information.
 *
 *	header  u16 magic, u8 version, u8 flags, u32 length of the header, then
 *	        offset (from its end) and length of the types and the strings
 *	types   u32 name, u32 info, u32 size or type, and what the kind adds;
 *	        numbered from 1.  info: 0-15 count, 24-28 kind
 *
 * The definition of a map is a struct of pointers: "type", "key_size",
 * "value_size", "max_entries" and "map_flags" point to arrays whose length is
 * the number, "key" and "value" to the type.  Everything is checked where it
 * is used: references may point anywhere and in circles.
 *
 * Source: the kernel's Documentation/bpf/btf.rst, and libbpf's for maps.
 */
#include "config.h"

#include "ebpf/btf.h"

#include "ebpf/err.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum kind {
	KIND_INT = 1, KIND_PTR, KIND_ARRAY, KIND_STRUCT, KIND_UNION, KIND_ENUM, KIND_FWD,
	KIND_TYPEDEF, KIND_VOLATILE, KIND_CONST, KIND_RESTRICT, KIND_FUNC, KIND_FUNC_PROTO,
	KIND_VAR, KIND_DATASEC, KIND_FLOAT, KIND_DECL_TAG, KIND_TYPE_TAG, KIND_ENUM64,
	N_KINDS,
};

/* Bytes behind the first 12 of a type: so many, and so many for each of count. */
static const uint8_t extra[N_KINDS][2] = {
	[KIND_INT] = { 4, 0 }, [KIND_ARRAY] = { 12, 0 }, [KIND_STRUCT] = { 0, 12 },
	[KIND_UNION] = { 0, 12 }, [KIND_ENUM] = { 0, 8 }, [KIND_FUNC_PROTO] = { 0, 8 },
	[KIND_VAR] = { 4, 0 }, [KIND_DATASEC] = { 0, 12 }, [KIND_DECL_TAG] = { 4, 0 },
	[KIND_ENUM64] = { 0, 12 },
};

#define MAGIC 0xeb9f
#define HEADER_SIZE 24
#define TYPE_SIZE 12
#define MAX_DEPTH 32            /* types behind types */

struct ebpf_btf {
	const uint8_t *types;
	size_t types_len;
	const char *strings;
	size_t strings_len;
	bool is_big_endian;
	uint32_t *offs;         /* of types, by number; [0]: void */
	uint32_t n;             /* numbers, that of void included */
};

static uint32_t
load32(const struct ebpf_btf *btf, const uint8_t *p)
{
	if (btf->is_big_endian)
		return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Fields of a type: 0 name, 1 info, 2 size or type, and the words behind. */
static uint32_t
word(const struct ebpf_btf *btf, uint32_t type, size_t i)
{
	return load32(btf, btf->types + btf->offs[type] + 4 * i);
}

static uint32_t
kind_of(const struct ebpf_btf *btf, uint32_t type)
{
	return type == 0 || type >= btf->n ? 0 : word(btf, type, 1) >> 24 & 0x1f;
}

static const char *
string_at(const struct ebpf_btf *btf, uint32_t off)
{
	return off < btf->strings_len ? btf->strings + off : "";
}

/* ---- opening ---- */

static int
damaged(struct ebpf_err *err, const char *what)
{
	return ebpf_err_set(err, -EINVAL, ".BTF: %s", what);
}

/* The length of the type at off; 0: it does not fit. */
static size_t
type_len(const struct ebpf_btf *btf, size_t off)
{
	size_t room = btf->types_len - off, len;
	uint32_t info, kind;

	if (room < TYPE_SIZE)
		return 0;
	info = load32(btf, btf->types + off + 4);
	kind = info >> 24 & 0x1f;
	if (kind == 0 || kind >= N_KINDS)
		return 0;
	len = TYPE_SIZE + extra[kind][0] + (size_t)extra[kind][1] * (info & 0xffff);
	return len <= room ? len : 0;
}

static int
index_types(struct ebpf_btf *btf, struct ebpf_err *err)
{
	size_t off = 0, len;

	btf->offs = calloc(btf->types_len / TYPE_SIZE + 1, sizeof(*btf->offs));
	if (btf->offs == NULL)
		return ebpf_err_set(err, -ENOMEM, ".BTF: out of memory");
	for (btf->n = 1; off < btf->types_len; off += len) {
		if ((len = type_len(btf, off)) == 0)
			return ebpf_err_set(err, -EINVAL, ".BTF: type %" PRIu32 " is damaged",
					    btf->n);
		btf->offs[btf->n++] = (uint32_t)off;
	}
	return 0;
}

static int
find_parts(struct ebpf_btf *btf, const uint8_t *bytes, size_t len, struct ebpf_err *err)
{
	uint32_t hdr_len, type_off, str_off;

	if (len < HEADER_SIZE || len > INT32_MAX)
		return damaged(err, "no header");
	if ((bytes[0] | bytes[1] << 8) != (btf->is_big_endian ? 0x9feb : MAGIC))
		return damaged(err, "wrong magic number");
	hdr_len = load32(btf, bytes + 4);
	if (hdr_len < HEADER_SIZE || hdr_len > len)
		return damaged(err, "header passes the end");
	bytes += hdr_len;
	len -= hdr_len;
	type_off = load32(btf, bytes - hdr_len + 8);
	btf->types_len = load32(btf, bytes - hdr_len + 12);
	str_off = load32(btf, bytes - hdr_len + 16);
	btf->strings_len = load32(btf, bytes - hdr_len + 20);
	if (type_off > len || btf->types_len > len - type_off)
		return damaged(err, "types pass the end");
	if (str_off > len || btf->strings_len > len - str_off)
		return damaged(err, "strings pass the end");
	btf->types = bytes + type_off;
	btf->strings = (const char *)bytes + str_off;
	if (btf->strings_len == 0 || btf->strings[btf->strings_len - 1] != '\0')
		return damaged(err, "strings do not end");
	return 0;
}

int
ebpf_btf_open(const uint8_t *bytes, size_t len, bool is_big_endian, struct ebpf_btf **out,
	      struct ebpf_err *err)
{
	struct ebpf_btf *btf = calloc(1, sizeof(*btf));
	int rc;

	if (btf == NULL)
		return ebpf_err_set(err, -ENOMEM, ".BTF: out of memory");
	btf->is_big_endian = is_big_endian;
	if ((rc = find_parts(btf, bytes, len, err)) < 0 || (rc = index_types(btf, err)) < 0) {
		ebpf_btf_close(btf);
		return rc;
	}
	*out = btf;
	return 0;
}

void
ebpf_btf_close(struct ebpf_btf *btf)
{
	if (btf == NULL)
		return;
	free(btf->offs);
	free(btf);
}

/* ---- types ---- */

/* The type behind names and qualifiers; 0: none, or too many of them. */
static uint32_t
strip(const struct ebpf_btf *btf, uint32_t type)
{
	for (int depth = 0; depth < MAX_DEPTH; depth++) {
		switch (kind_of(btf, type)) {
		case KIND_TYPEDEF:
		case KIND_VOLATILE:
		case KIND_CONST:
		case KIND_RESTRICT:
		case KIND_TYPE_TAG:
			type = word(btf, type, 2);
			break;
		default:
			return type;
		}
	}
	return 0;
}

/* Bytes of a type; 0: not known, or over INT32_MAX. */
static uint32_t
size_of(const struct ebpf_btf *btf, uint32_t type)
{
	uint64_t n = 1;

	for (int depth = 0; depth < MAX_DEPTH; depth++) {
		type = strip(btf, type);
		switch (kind_of(btf, type)) {
		case KIND_ARRAY:
			n *= word(btf, type, 5);
			if (n > INT32_MAX)
				return 0;
			type = word(btf, type, 3);
			continue;
		case KIND_PTR:
			n *= 8;
			break;
		case KIND_INT:
		case KIND_STRUCT:
		case KIND_UNION:
		case KIND_ENUM:
		case KIND_ENUM64:
		case KIND_FLOAT:
			n *= word(btf, type, 2);
			break;
		default:
			return 0;
		}
		return n <= INT32_MAX ? (uint32_t)n : 0;
	}
	return 0;
}

/* What a member points to; 0: not a pointer. */
static uint32_t
target_of(const struct ebpf_btf *btf, uint32_t type)
{
	type = strip(btf, type);
	return kind_of(btf, type) == KIND_PTR ? strip(btf, word(btf, type, 2)) : 0;
}

/* ---- maps ---- */

static void
take_member(const struct ebpf_btf *btf, const char *name, uint32_t type,
	    struct ebpf_map_opts *opts)
{
	uint32_t to = target_of(btf, type);
	uint32_t number = kind_of(btf, to) == KIND_ARRAY ? word(btf, to, 5) : 0;

	if (strcmp(name, "type") == 0)
		opts->type = number;
	else if (strcmp(name, "key_size") == 0)
		opts->key_size = number;
	else if (strcmp(name, "value_size") == 0)
		opts->value_size = number;
	else if (strcmp(name, "max_entries") == 0)
		opts->max_entries = number;
	else if (strcmp(name, "map_flags") == 0)
		opts->flags = number;
	else if (strcmp(name, "key") == 0)
		opts->key_size = size_of(btf, to);
	else if (strcmp(name, "value") == 0)
		opts->value_size = size_of(btf, to);
}

int
ebpf_btf_map(const struct ebpf_btf *btf, const char *name, struct ebpf_map_opts *opts,
	     struct ebpf_err *err)
{
	for (uint32_t i = 1; i < btf->n; i++) {
		uint32_t type;

		if (kind_of(btf, i) != KIND_VAR ||
		    strcmp(string_at(btf, word(btf, i, 0)), name) != 0)
			continue;
		type = strip(btf, word(btf, i, 2));
		if (kind_of(btf, type) != KIND_STRUCT)
			return ebpf_err_set(err, -EINVAL, "map %s: its definition is no struct",
					    name);
		for (uint32_t m = 0; m < (word(btf, type, 1) & 0xffff); m++)
			take_member(btf, string_at(btf, word(btf, type, 3 + 3 * m)),
				    word(btf, type, 4 + 3 * m), opts);
		return 0;
	}
	return ebpf_err_set(err, -EINVAL, "map %s: no definition in .BTF", name);
}
