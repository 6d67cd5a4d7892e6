/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A thread that writes one buffer while its owner fills the next.
 *
 * What it is given is written in that order.  After a failure nothing is, and all that
 * follows fails as well.
 */
#ifndef BPFSIFT_FILTER_WRITER_H
#define BPFSIFT_FILTER_WRITER_H

#include <stddef.h>
#include <stdint.h>

struct ebpf_err;

/* From malloc(); the first used bytes are to be written. */
struct sift_writer_buffer {
	uint8_t *bytes;
	size_t used, size;
};

/*
 * Write n bytes, all of them, by the thread: 0, or a negative errno with its message in err.
 */
typedef int (*sift_writer_put_fn)(void *arg, const uint8_t *bytes, size_t n, struct ebpf_err *err);

struct sift_writer;

/* With buffers of size bytes to give for the first that it gets.  0, -ENOMEM or another errno. */
int sift_writer_new(sift_writer_put_fn put, void *arg, size_t size, struct sift_writer **out);

/* Once all that it was given is written, or given up. */
void sift_writer_free(struct sift_writer *writer);

/*
 * Give it a buffer, which becomes another, with nothing in it; waits while there is none.
 * 0, or a failure of what it was given before.
 */
int sift_writer_give(struct sift_writer *writer, struct sift_writer_buffer *buffer,
		     struct ebpf_err *err);

/* Wait until all is written that it was given.  0 or a failure. */
int sift_writer_wait(struct sift_writer *writer, struct ebpf_err *err);

#endif
