/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A map in an object file is a variable whose type says what it is: members that are
 * pointers, to arrays for numbers, to types for types.  In C:
 *
 *	struct {
 *		int (*type)[BPF_MAP_TYPE_PERCPU_ARRAY];
 *		unsigned int *key;
 *		struct counter { unsigned long long packets, bytes; } *value;
 *		int (*max_entries)[1];
 *	} counters __attribute__((section(".maps")));
 */
#include "config.h"

#include "tools/cbpf2ebpf_btf.h"

#include "tools/cbpf2ebpf_counter.h"

#include <stdint.h>
#include <string.h>

/* Kinds of types, in bits 24 to 28 of what begins with how many members there are. */
enum { INT = 1, PTR = 2, ARRAY = 3, STRUCT = 4, VAR = 14, DATASEC = 15 };
#define KIND(kind, n_members) ((uint32_t)(kind) << 24 | (n_members))

/* Numbers of types: they are counted from 1. */
enum {
	VOID, T_U32, T_U64, T_COUNTER, T_TYPE, T_TYPE_PTR, T_ONE, T_ONE_PTR, T_KEY_PTR, T_VALUE_PTR,
	T_MAP, T_VAR,
};

/* Names, by offset. */
static const char strings[] = "\0unsigned int\0unsigned long long\0counter\0packets\0bytes\0"
			      "type\0key\0value\0max_entries\0" COUNTER_MAP "\0.maps";

static uint32_t
name_of(const char *name)
{
	for (size_t at = 1; at < sizeof(strings); at += strlen(strings + at) + 1) {
		if (strcmp(strings + at, name) == 0)
			return (uint32_t)at;
	}
	return 0;
}

enum { HEADER_WORDS = 6, MAX_WORDS = 128 };

struct section {
	uint32_t words[MAX_WORDS];
	size_t n;
};

static void
put(struct section *s, uint32_t a, uint32_t b, uint32_t c)
{
	s->words[s->n++] = a;
	s->words[s->n++] = b;
	s->words[s->n++] = c;
}

static void
put_types(struct section *s)
{
	put(s, name_of("unsigned int"), KIND(INT, 0), 4);
	s->words[s->n++] = 32;
	put(s, name_of("unsigned long long"), KIND(INT, 0), 8);
	s->words[s->n++] = 64;
	put(s, name_of("counter"), KIND(STRUCT, 2), COUNTER_VALUE_SIZE);
	put(s, name_of("packets"), T_U64, 0);
	put(s, name_of("bytes"), T_U64, 64);
	put(s, 0, KIND(ARRAY, 0), 0);
	put(s, T_U32, T_U32, COUNTER_MAP_TYPE);
	put(s, 0, KIND(PTR, 0), T_TYPE);
	put(s, 0, KIND(ARRAY, 0), 0);
	put(s, T_U32, T_U32, 1);
	put(s, 0, KIND(PTR, 0), T_ONE);
	put(s, 0, KIND(PTR, 0), T_U32);
	put(s, 0, KIND(PTR, 0), T_COUNTER);
	put(s, 0, KIND(STRUCT, 4), BTF_MAP_SIZE);
	put(s, name_of("type"), T_TYPE_PTR, 0);
	put(s, name_of("key"), T_KEY_PTR, 64);
	put(s, name_of("value"), T_VALUE_PTR, 128);
	put(s, name_of("max_entries"), T_ONE_PTR, 192);
	put(s, name_of(COUNTER_MAP), KIND(VAR, 0), T_MAP);
	s->words[s->n++] = 1;           /* global */
	put(s, name_of(".maps"), KIND(DATASEC, 1), BTF_MAP_SIZE);
	put(s, T_VAR, 0, BTF_MAP_SIZE);
}

const void *
btf_of_counter(size_t *n)
{
	static struct section s;
	uint32_t n_types;

	s.n = HEADER_WORDS;
	put_types(&s);
	n_types = (uint32_t)(s.n - HEADER_WORDS) * 4;
	/* magic, version and flags of 16, 8 and 8 bits; bytes of the header; types; strings */
	memcpy(s.words, &(struct { uint16_t magic; uint8_t version, flags; }){ 0xeb9f, 1, 0 }, 4);
	s.words[1] = HEADER_WORDS * 4;
	s.words[2] = 0;
	s.words[3] = n_types;
	s.words[4] = n_types;
	s.words[5] = sizeof(strings);
	memcpy(&s.words[s.n], strings, sizeof(strings));
	*n = s.n * 4 + sizeof(strings);
	return s.words;
}
