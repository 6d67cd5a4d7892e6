/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bytes of a file, decompressed where its content says that it is compressed.
 *
 * gzip, zstd, lz4 and xz are told by their first bytes, never by a name.  A thread
 * of its own decompresses them into a ring of blocks.  All else is handed out as it
 * is read, by the caller's thread.
 *
 * Members, frames and streams that follow each other are read as one file, as the
 * formats' own tools do: zstd and lz4 with frames to be skipped between them, gzip
 * with zeros behind the last, xz with zeros by the four behind any.  lz4's legacy
 * format is not known, and zstd's dictionaries are not.
 *
 * With n_threads more than one, xz's blocks are decompressed side by side where their
 * headers tell their sizes, as xz -T writes them, and so are zstd's frames where they
 * do and are short, as pzstd writes them, unless they come from a pipe.  A large regular
 * file is read ahead by a thread of its own, too, with n_threads or processors more than one;
 * see ahead.h.
 *
 * One thread at a time uses an inflow; sift_inflow_free() may cut short only what is
 * done for it by its own threads.
 */
#ifndef BPFSIFT_FILTER_INFLOW_H
#define BPFSIFT_FILTER_INFLOW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "filter/codec.h"

/* More than xz -9 and zstd -22 need to be read. */
#define SIFT_INFLOW_MEMLIMIT ((uint64_t)512 << 20)

struct sift_inflow_opts {
	int fd;                        /* borrowed; its offset is ours while the inflow lives */
	const atomic_bool *is_stopped; /* ends what waits, within 50 ms; NULL: never */
	const char *name;              /* for messages; borrowed */
	uint64_t memlimit;             /* bytes a decompressor may need; 0: SIFT_INFLOW_MEMLIMIT */
	bool is_followed;              /* a regular file's end is one only once it is stopped */
	unsigned n_threads;            /* that decompress, see above; 0: one */
	const uint8_t *read;           /* bytes of the file that were read already */
	size_t n_read;
};

struct sift_inflow;

/*
 * Reads as much as tells the kind, which may wait.  A read that fails is reported
 * by the first call that wants the bytes.
 *
 * 0; -ENOTSUP: compressed in a way that this build leaves out; -ENOMEM; a negative
 * errno of eventfd(2), or of a thread that cannot be made.
 */
int sift_inflow_new(const struct sift_inflow_opts *opts, struct sift_inflow **out,
		    struct ebpf_err *err);

/* Also while its thread waits for a pipe, or for room. */
void sift_inflow_free(struct sift_inflow *flow);

/* How the file is compressed. */
enum sift_codec sift_inflow_kind(const struct sift_inflow *flow);

/*
 * The bytes that come next: 1, with at least one of them, which stay until the next
 * call; 0: the end, or stopped.
 *
 * What could be decompressed before an error is handed out before it: -EINVAL:
 * truncated or damaged ("NAME: offset N: zstd: truncated", the offset being that
 * in the file as it is); -E2BIG: over the memory limit; -ENOMEM; or the errno of
 * read(2).  It stays the answer of all later calls.
 */
int sift_inflow_next(struct sift_inflow *flow, const uint8_t **block, size_t *n,
		     struct ebpf_err *err);

/* Whether the end was one because the reader was stopped. */
bool sift_inflow_is_stopped(const struct sift_inflow *flow);

/*
 * Of a regular file that is handed out as it is: its descriptor, which pread(2) reads at
 * the offsets of what is handed out.  -1 of all else.
 */
int sift_inflow_fd(const struct sift_inflow *flow);

/* Go on at an offset in such a file, whatever was read before. */
void sift_inflow_seek(struct sift_inflow *flow, uint64_t off);

/* As read(2): up to n > 0 bytes; 0: the end, or stopped; errors as above. */
ssize_t sift_inflow_read(struct sift_inflow *flow, void *to, size_t n, struct ebpf_err *err);

#endif
