/* SPDX-License-Identifier: BSD-2-Clause */
/* Maps as the other files here see them; each kind is a file of its own. */
#ifndef BPFSIFT_EBPF_MAP_H
#define BPFSIFT_EBPF_MAP_H

#include <bpfsift/ebpf.h>
#include <stdatomic.h>
#include <stdbool.h>

struct ebpf_map {
	struct ebpf_map_kind kind;      /* a copy: what its maker did not know is NULL */
	void *state;
	struct ebpf_map_opts opts;
	_Atomic uint32_t n_refs;        /* all of them */
	_Atomic uint32_t n_user_refs;   /* those of the host */
	char name[EBPF_MAP_NAME_SIZE];
};

extern const struct ebpf_map_kind ebpf_map_array;
extern const struct ebpf_map_kind ebpf_map_percpu_array;
extern const struct ebpf_map_kind ebpf_map_hash;
extern const struct ebpf_map_kind ebpf_map_lpm_trie;
extern const struct ebpf_map_kind ebpf_map_prog_array;
extern const struct ebpf_map_kind ebpf_map_ringbuf;

/* A program's reference: it keeps the map, but not the programs in it. */
void ebpf_map_hold(struct ebpf_map *map);
void ebpf_map_release(struct ebpf_map *map);

/*
 * What programs may do with the value that is at addr: whether these bytes lie
 * within one, and within one that they may write.
 */
bool ebpf_map_owns(const struct ebpf_map *map, uint64_t addr, uint64_t len, bool is_write);

/* The address of the only value; NULL: the map has not just one. */
void *ebpf_map_direct(const struct ebpf_map *map);

/* ---- what one kind has and the others have not; -EOPNOTSUPP from those ---- */

/* The program at an index of a program array, borrowed for the run; NULL: none. */
struct ebpf_prog *ebpf_prog_array_get(const struct ebpf_map *map, uint32_t index);

/* Claim a program array for a type; -EINVAL: it has programs of another. */
int ebpf_prog_array_claim(struct ebpf_map *map, const struct ebpf_prog_type *type);

/* Append a record: 0; -EAGAIN: no room now; -E2BIG: never. */
int ebpf_ringbuf_output(struct ebpf_map *map, const void *data, uint64_t len);

/* The kernel's queries 0-3: bytes not consumed, size, and both positions. */
uint64_t ebpf_ringbuf_query(const struct ebpf_map *map, uint64_t what);

/* The functions of single kinds behind the public ones. */
int ebpf_percpu_lookup(void *state, const void *key, size_t i, void *value);
int ebpf_prog_array_set(void *state, uint32_t index, struct ebpf_prog *prog);
void ebpf_prog_array_empty(void *state);
void ebpf_prog_array_reap(void *state);
int ebpf_ringbuf_take(void *state, int (*fn)(void *arg, const void *data, size_t len), void *arg);

#endif
