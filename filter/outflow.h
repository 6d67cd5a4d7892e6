/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bytes compressed on their way into a file.
 *
 * Nothing is written before the first byte or the end, and then as it comes.  After
 * a failure what was written may end anywhere, and each later call fails as well.
 */
#ifndef BPFSIFT_FILTER_OUTFLOW_H
#define BPFSIFT_FILTER_OUTFLOW_H

#include <stddef.h>
#include <stdint.h>

#include "filter/codec.h"

/* Take n > 0 bytes, all of them: 0, or a negative errno with its message in err. */
typedef int (*sift_outflow_put_fn)(void *arg, const uint8_t *bytes, size_t n, struct ebpf_err *err);

struct sift_outflow_opts {
	enum sift_codec codec;
	int level;               /* 1 and up, as far as the codec's go; 0: its default */
	unsigned n_threads;      /* zstd, xz: that compress beside the caller's; 0: none */
	sift_outflow_put_fn put; /* NULL: into fd */
	void *arg;               /* its first argument */
	int fd;                  /* borrowed */
	const char *name;        /* for messages; borrowed */
};

struct sift_outflow;

/*
 * 0; -EINVAL: no such codec or level; -ENOTSUP: this build leaves the codec out;
 * -ENOMEM.
 */
int sift_outflow_new(const struct sift_outflow_opts *opts, struct sift_outflow **out,
		     struct ebpf_err *err);

/* What was not finished is cut off wherever it is. */
void sift_outflow_free(struct sift_outflow *out);

/* 0, -ENOMEM, -EINVAL: the library refuses, or the errno of write(2). */
int sift_outflow_write(struct sift_outflow *out, const void *bytes, size_t n, struct ebpf_err *err);

/* Write out all that was given so far, so that it can be read.  As above. */
int sift_outflow_flush(struct sift_outflow *out, struct ebpf_err *err);

/* Complete the file; nothing can be added after that.  As above. */
int sift_outflow_finish(struct sift_outflow *out, struct ebpf_err *err);

/* Bytes written so far. */
uint64_t sift_outflow_written(const struct sift_outflow *out);

#endif
