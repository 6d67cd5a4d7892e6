/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Filtering a stretch of a savefile with several threads, the output in the
 * input's order.
 *
 * Each thread takes the next block of the file, reads it, and waits till it is
 * told where the first record in it begins: by the thread that has the block
 * before, as soon as that has followed the record headers through its own.  Then it
 * judges the block's records, gathers those that match, and writes them when the
 * block before has been written.
 *
 * A file that may be mapped is, and in larger blocks, which no cache holds from one
 * look to the next.  There a block's first record is guessed, so that each is looked at
 * once, and what was judged counts where the block before has ended there.  Else its
 * headers are followed as above: a wrong guess costs time, and nothing else.
 *
 * What is particular to a format is a struct of functions: parallel_records.c for
 * pcap, parallel_blocks.c for pcapng, whose blocks are the records.
 */
#ifndef BPFSIFT_FILTER_PARALLEL_H
#define BPFSIFT_FILTER_PARALLEL_H

#include <stdatomic.h>

#include "filter/blocks.h"
#include "filter/filter.h"
#include "filter/records.h"
#include "filter/tally.h"

struct sift_parallel_ops;

/* All borrowed. */
struct sift_parallel {
	const struct sift_parallel_ops *ops;
	const char *name;                       /* of the input, for messages */
	const atomic_bool *is_stopped;
	const struct sift_record_format *format;        /* of pcap, or */
	struct sift_blocks *blocks;             /* pcapng's reader, which goes on behind this */
	struct sift_extent extent;
	/* What packets are judged by; those of no kind are left to who goes on. */
	const struct sift_kind *kinds;
	size_t n_kinds;
	struct sift_sink *sink;                 /* NULL: matches are counted */
	bool is_carried;                        /* into it, with carry(); else with append() */
	int sink_dlt;                           /* what it is for, of mixed packets, */
	uint32_t sink_snaplen;                  /* and no longer ones */
	uint32_t keep;                          /* bytes to write of a packet at most */
	size_t block_size;                      /* any but 0 */
	struct sift_mapped *map;                /* closed, to map it by; NULL: it may not be */
	size_t mapped_block;                    /* of the extent then; any but 0 */
	unsigned n_threads;
	uint64_t max_matched;                   /* of a series: as of a pipeline */
	struct sift_tally *tally;               /* added to */
	/*
	 * Called by the thread that runs this, between two blocks that are written, with the
	 * offset in the file up to which they are: as of struct sift_pipeline_opts; or NULL.
	 */
	int (*between)(void *arg, uint64_t next, struct ebpf_err *err);
	void *between_arg;
};

extern const struct sift_parallel_ops sift_parallel_records, sift_parallel_blocks;

/*
 * Judge the extent's records, up to its end, to the first that is damaged, not all there,
 * or of no known kind, or till the source is stopped.  *next receives the offset behind the
 * last that was judged.  0; 1: between has ended it; negative errno: the sink failed, or
 * between; -ENOMEM.
 */
int sift_parallel_run(const struct sift_parallel *parallel, uint64_t *next, struct ebpf_err *err);

/*
 * Judge the files of a series, which is at its beginning, up to the first that is not all
 * sound, has the last packet that is wanted, or till the source is stopped.  What comes behind
 * is then next in the source.  0, 1 and errors as above.
 */
int sift_parallel_run_series(const struct sift_parallel *parallel, struct sift_source *series,
			     struct ebpf_err *err);

/* ---- delivery: parallel_deliver.c ---- */

/* What threads have judged on its way to the sink, in the order of the input. */
struct sift_delivery {
	const struct sift_parallel *job;
	atomic_int ended; /* 1: between has ended the run; a negative errno: it failed; 0 */
	struct ebpf_err failure;
};

struct sift_judged;

/* Count and write it; not once that has failed. */
void sift_deliver(struct sift_delivery *delivery, const struct sift_judged *judged);

/* Call between, by the caller's thread, unless the run has ended. */
void sift_deliver_between(struct sift_delivery *delivery, uint64_t next);

/* As of sift_parallel_run(). */
int sift_delivery_end(const struct sift_delivery *delivery, struct ebpf_err *err);

/* ---- formats ---- */

/* Following records through a block, of which n bytes at p are there, from off in the file on. */
struct sift_walk {
	const uint8_t *p;
	size_t n;
	uint64_t off;
	uint64_t next;  /* offset of the first not followed, which is moved on */
	uint64_t stop;  /* who begins from here on is another block's */
	uint64_t end;   /* of the file, as far as it goes */
	bool has_ended; /* the next cannot be followed: left to the reader that goes on */
};

/* What came of a block. */
struct sift_judged {
	size_t n_seen, n_matched, n_too_short;
	const uint8_t *bytes; /* to be written, valid until the next block is judged */
	size_t n;
	uint64_t end; /* offset of the first not judged */
};

struct sift_parallel_ops {
	/*
	 * What the walk knows, and each thread for itself.  NULL: out of memory.  Where each record
	 * stands alone there is no walker, and the functions for it are NULL.
	 */
	void *(*walker_new)(const struct sift_parallel *job);
	void (*walker_free)(void *walker);
	void *(*judge_new)(const struct sift_parallel *job);
	void (*judge_free)(void *judge);
	/*
	 * One thread at a time: follow the records that begin in a block, which the judge is
	 * given then.  Returns how many bytes of the block are wanted first, or 0.
	 */
	size_t (*follow)(void *walker, void *judge, struct sift_walk *walk);
	/* Judge n bytes of whole records, and end before those that cannot be. */
	void (*judge)(void *judge, uint8_t *p, size_t n, uint64_t off, struct sift_judged *judged);
	/*
	 * Guess where a record begins that others follow, among n bytes that may begin within
	 * one; n: not clear.  NULL, as the next is then: one never knows.
	 */
	size_t (*guess)(void *judge, const uint8_t *p, size_t n);
	/*
	 * Judge, of n bytes from off on, the records that begin before stop of them, up to one
	 * that is not whole or none at all.  Whether there was memory for it, and nobody wrote
	 * there meanwhile.
	 */
	bool (*judge_front)(void *judge, const uint8_t *p, size_t n, size_t stop, uint64_t off,
			    struct sift_judged *judged);
	/* One thread at a time, where a judge ended early: what it knows is what holds. */
	void (*halt)(void *walker, void *judge);
	/* At last: the reader goes on where the walk, or the judge, has ended. */
	void (*finish)(void *walker, const struct sift_parallel *job);
};

#endif
