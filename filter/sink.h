/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every sink of packets is behind <bpfsift/filter.h>: a struct of
 * functions.  A new kind is a file of its own that embeds struct sift_sink as
 * its first member and brings a table and an opening function.
 */
#ifndef BPFSIFT_FILTER_SINK_H
#define BPFSIFT_FILTER_SINK_H

#include <bpfsift/filter.h>

#include <stdbool.h>

struct sift_sink_ops {
	/*
	 * What is written from here on is of another source, of which no packet is longer than
	 * snaplen.  NULL: the sink takes one kind of packets alone.
	 */
	int (*begin)(struct sift_sink *sink, const struct sift_source_info *info,
		     uint32_t snaplen, struct ebpf_err *err);
	/* It is of another kind, of the same source.  NULL as begin() is. */
	int (*turn)(struct sift_sink *sink, const struct sift_source_info *info, uint32_t snaplen,
		    struct ebpf_err *err);
	/* As the public functions of these names; not called after one failed. */
	int (*write)(struct sift_sink *sink, const struct sift_view *views, const uint32_t *keep,
		     size_t n, struct ebpf_err *err);
	/*
	 * Write whole packets, n > 0 bytes, as they are in the sink: pcap records with
	 * fractions of a second in units of ts_scale nanoseconds, or, where there is format(),
	 * what that made.  NULL: the sink takes packets one by one.
	 */
	int (*append)(struct sift_sink *sink, const uint8_t *packets, size_t n,
		      struct ebpf_err *err);
	/*
	 * Make of a packet, cut to caplen, what write() would write, at to, where there is room
	 * for SIFT_SINK_AROUND bytes beside it.  Returns how long that is.  By any thread, as
	 * long as no other kind of packets begins.  NULL: the sink writes pcap records, or
	 * there is no append().
	 */
	size_t (*format)(const struct sift_sink *sink, const struct sift_view *view,
			 uint32_t caplen, uint8_t *to);
	/*
	 * Write whole pcapng blocks, n > 0 bytes, the first ones of a source with the head of
	 * its section.  NULL: the sink does not write sections.
	 */
	int (*carry)(struct sift_sink *sink, const uint8_t *blocks, size_t n, struct ebpf_err *err);
	/* Write what the source of the last packets counted; NULL: there is no place for that. */
	int (*put_stats)(struct sift_sink *sink, const struct sift_source_stats *stats,
			 struct ebpf_err *err);
	/*
	 * Several threads append to it by turns from here on, or no longer.  NULL: it need not
	 * know.
	 */
	int (*share)(struct sift_sink *sink, bool is_shared, struct ebpf_err *err);
	int (*flush)(struct sift_sink *sink, struct ebpf_err *err);
	/* Close and free, sink included; the buffer is flushed or of no use. */
	int (*close)(struct sift_sink *sink, struct ebpf_err *err);
};

struct sift_outfile;

/* What format() puts before and behind a packet, at most. */
enum { SIFT_SINK_AROUND = 40 };

struct sift_sink {
	const struct sift_sink_ops *ops;
	int failed; /* what write, append or flush failed with, or 0 */
	uint32_t ts_scale; /* of a sink that appends records */
	struct sift_outfile *file; /* that a savefile is; else NULL */
};

/* Whether what it appends are pcap records. */
static inline bool
sift_sink_has_records(const struct sift_sink *sink)
{
	return sink->ops->append != NULL && sink->ops->format == NULL;
}

/* Take a caller's options over and check them; -EINVAL. */
int sift_savefile_opts_take(struct sift_savefile_opts *known, const struct sift_savefile_opts *opts,
			    struct ebpf_err *err);

/* sift_sink_open_savefile() for SIFT_FORMAT_PCAPNG, with options that were checked. */
int sift_sink_open_pcapng(const char *path, const struct sift_savefile_opts *opts,
			  struct sift_sink **out, struct ebpf_err *err);

/* As sift_sink_write(), for the functions of these names; not where they are NULL. */
int sift_sink_begin(struct sift_sink *sink, const struct sift_source_info *info, uint32_t snaplen,
		    struct ebpf_err *err);
int sift_sink_turn(struct sift_sink *sink, const struct sift_source_info *info, uint32_t snaplen,
		   struct ebpf_err *err);
int sift_sink_carry(struct sift_sink *sink, const uint8_t *blocks, size_t n, struct ebpf_err *err);
int sift_sink_put_stats(struct sift_sink *sink, const struct sift_source_stats *stats,
			struct ebpf_err *err);
int sift_sink_append(struct sift_sink *sink, const uint8_t *packets, size_t n,
		     struct ebpf_err *err);

/*
 * Room in a savefile for n bytes of what append() takes, until the next call; and have as many
 * of them written as were put there.  0, or what the sink failed with.
 */
int sift_sink_reserve(struct sift_sink *sink, size_t n, uint8_t **room, struct ebpf_err *err);
void sift_sink_commit(struct sift_sink *sink, size_t n);

/* As share(), if there is one.  0, or the sink's failure. */
int sift_sink_share(struct sift_sink *sink, bool is_shared, struct ebpf_err *err);

#endif
