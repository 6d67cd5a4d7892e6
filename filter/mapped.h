/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A stretch of a file that is looked at where the system's cache has it: what is copied is
 * what is written.
 *
 * Whoever truncates the file takes its pages away, and who looks at them gets SIGBUS.  With
 * a handler that calls sift_mapped_forgive() they read as zeros from then on, as the rest of
 * the file's last page does.  The stretch is lost then: what was made of it since it was
 * last asked is worth nothing.
 */
#ifndef BPFSIFT_FILTER_MAPPED_H
#define BPFSIFT_FILTER_MAPPED_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One of zeros is closed. */
struct sift_mapped {
	const uint8_t *bytes; /* from begin on */
	uint64_t begin, end;  /* offsets in the file; begin is a page's */
	int fd;               /* borrowed */
	size_t page;          /* bytes of one */
	_Atomic size_t len;   /* of all pages; 0: closed */
	atomic_bool is_lost;  /* seen by a handler */
};

/*
 * Map a regular file from the page on that begin is in, to end.  0; a negative errno: the
 * system cannot, or will not: it is to be read.
 */
int sift_mapped_open(struct sift_mapped *mapped, int fd, uint64_t begin, uint64_t end);
void sift_mapped_close(struct sift_mapped *mapped);

/*
 * Have the pages from one offset to another, so that looking at them costs no more than
 * memory does.  Whether they are all there.
 */
bool sift_mapped_have(const struct sift_mapped *mapped, uint64_t from, uint64_t to);

/* What lies in front of an offset is not wanted any more, down to another: whole pages. */
void sift_mapped_drop(const struct sift_mapped *mapped, uint64_t from, uint64_t to);

/* Whether zeros may have been seen that were never in the file. */
bool sift_mapped_is_lost(const struct sift_mapped *mapped);

/* For a handler of SIGBUS at an address: whether it was in here.  Async-signal-safe. */
bool sift_mapped_forgive(struct sift_mapped *mapped, const void *addr);

#endif
