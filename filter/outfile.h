/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file that is written record by record through a buffer.
 *
 * The buffer always begins with the first byte of a record and holds whole
 * ones, so that a regular file can be cut to whole records when the disk is
 * full.  Every write and the close are checked; a short write is continued.
 *
 * A file that is written behind has a thread for that, and to compress it, once as many bytes
 * as several buffers hold have left without a flush; but not while several threads write it by
 * turns.
 */
#ifndef BPFSIFT_FILTER_OUTFILE_H
#define BPFSIFT_FILTER_OUTFILE_H

#include <bpfsift/filter.h>

#include <stdbool.h>

/* Length of the record at the front of the len > 0 bytes at p, which hold it whole. */
typedef size_t (*sift_record_len_fn)(const uint8_t *p, size_t len);

struct sift_outflow;
struct sift_writer;

struct sift_outfile {
	int fd;
	bool owns_fd;
	uint64_t off;   /* bytes written so far by us; the writer's, while it has something */
	uint64_t coded; /* bytes of records that have left the buffer, before they are coded */
	uint8_t *buf;
	size_t used, size;
	size_t head_len; /* of the file's first record, where it is a header; or 0 */
	sift_record_len_fn record_len;
	struct sift_outflow *flow; /* that codes the bytes; NULL: nothing does */
	bool is_behind, is_shared; /* a writer may be had, but not now */
	uint64_t steady_from;      /* coded when it was flushed or shared last */
	struct sift_writer *writer; /* one, or NULL */
	bool has_failed;
	char *name; /* for messages */
};

/*
 * Create a file, or take standard output for "-".  Of opts, which may be NULL, it is asked how
 * the file is opened and compressed; where that cannot be had, -EINVAL or -ENOTSUP, and the
 * file is as it was.
 */
int sift_outfile_open(struct sift_outfile *out, const char *path, sift_record_len_fn record_len,
		      const struct sift_savefile_opts *opts, struct ebpf_err *err);

/*
 * Room for a record of len bytes behind those in the buffer, which may be
 * written out for it.  The caller fills it and adds what it used to out->used.
 * On failure *room is untouched.
 */
int sift_outfile_reserve(struct sift_outfile *out, size_t len, uint8_t **room,
			 struct ebpf_err *err);

/*
 * Write whole records, n bytes, behind those in the buffer.  Many are written at
 * once and never copied; where there is a writer, those alone that no buffer holds.
 */
int sift_outfile_append(struct sift_outfile *out, const uint8_t *records, size_t n,
			struct ebpf_err *err);

/*
 * Write out the buffer.  On failure it is lost, and a regular file that is not
 * compressed ends after the last whole record in it.
 */
int sift_outfile_flush(struct sift_outfile *out, struct ebpf_err *err);

/*
 * Several threads append to it from here on, or no longer.  Where there was a writer, all that
 * it had is written first: 0, or what that failed with.
 */
int sift_outfile_share(struct sift_outfile *out, bool is_shared, struct ebpf_err *err);

/* Bytes of the file with those that are not written yet, were it not compressed. */
uint64_t sift_outfile_length(const struct sift_outfile *out);

/* Close without flushing the buffer, and free what it holds.  An unopened, zeroed one is fine. */
int sift_outfile_close(struct sift_outfile *out, struct ebpf_err *err);

#endif
