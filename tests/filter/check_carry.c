/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcapng files that are written as pcapng again: what comes out is held against the
 * input, block by block, by a walk over both that knows nothing of the reader; mixed files,
 * damaged and cut ones too, from files and pipes.
 */
#include "config.h"

#include <bpfsift/filter.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "filter/blocks.h"
#include "filter/dlt.h"
#include "tests/support/pcapng.h"
#include "tests/support/savefile.h"
#include "tests/support/suite.h"

enum { SECTION = 0x0a0d0d0a, PACKET = 2, SIMPLE = 3, ENHANCED = 6 };

/* Packets of at least so many bytes on the wire. */
enum { THRESHOLD = 700 };

/* ---- what is to be written ---- */

struct model {
	uint8_t *bytes;
	size_t n;
	size_t n_packets, n_matched;
};

static uint32_t
get32(const uint8_t *p, bool is_swapped)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return is_swapped ? __builtin_bswap32(v) : v;
}

static void
set32(uint8_t *p, uint32_t v, bool is_swapped)
{
	if (is_swapped)
		v = __builtin_bswap32(v);
	memcpy(p, &v, sizeof(v));
}

static size_t
padded(size_t n)
{
	return (n + 3) / 4 * 4;
}

/* A block with no more than keep bytes of its packet. */
static size_t
cut(const uint8_t *block, uint32_t keep, bool is_swapped, uint8_t *to)
{
	uint32_t total = get32(block + 4, is_swapped), caplen = get32(block + 20, is_swapped);
	size_t options_at = 28 + padded(caplen), n_options = total - 4 - options_at, n;

	n = 28 + padded(keep) + n_options + 4;
	memcpy(to, block, 28 + (size_t)keep);
	memset(to + 28 + keep, 0, padded(keep) - keep);
	memcpy(to + 28 + padded(keep), block + options_at, n_options);
	set32(to + 20, keep, is_swapped);
	set32(to + 4, (uint32_t)n, is_swapped);
	set32(to + n - 4, (uint32_t)n, is_swapped);
	return n;
}

/* A simple packet that is cut has a captured length, so it is no simple one any more. */
static size_t
cut_simple(const uint8_t *block, uint32_t keep, bool is_swapped, uint8_t *to)
{
	size_t n = 28 + padded(keep) + 4;

	memset(to, 0, n);
	set32(to, ENHANCED, is_swapped);
	set32(to + 4, (uint32_t)n, is_swapped);
	set32(to + 20, keep, is_swapped);
	set32(to + 24, get32(block + 8, is_swapped), is_swapped);
	memcpy(to + 28, block + 12, keep);
	set32(to + n - 4, (uint32_t)n, is_swapped);
	return n;
}

/* The packet block at p, if it is to be written. */
static void
model_packet(struct model *m, const uint8_t *p, uint32_t type, bool is_swapped, uint32_t threshold,
	     uint32_t keep)
{
	uint32_t total = get32(p + 4, is_swapped);
	uint32_t wirelen = get32(p + (type == SIMPLE ? 8 : 24), is_swapped);
	uint32_t caplen = type == SIMPLE ? wirelen : get32(p + 20, is_swapped);
	uint8_t *to = m->bytes + m->n;

	/* of a simple packet that the snapshot length has cut, as much as is there */
	if (type == SIMPLE && caplen > total - 16)
		caplen = total - 16;
	m->n_packets++;
	if (wirelen < threshold)
		return;
	m->n_matched++;
	if (caplen <= keep) {
		memcpy(to, p, total);
		m->n += total;
	} else {
		m->n += type == SIMPLE ? cut_simple(p, keep, is_swapped, to)
				       : cut(p, keep, is_swapped, to);
	}
}

/* What is to be made of the first n bytes of a file, which are whole blocks. */
static void
model(struct model *m, const uint8_t *bytes, size_t n, uint32_t threshold, uint32_t keep)
{
	bool is_swapped = false;

	m->n = m->n_packets = m->n_matched = 0;
	for (size_t at = 0, total; at < n; at += total) {
		uint32_t type = get32(bytes + at, false);

		if (type == SECTION)
			is_swapped = get32(bytes + at + 8, false) != 0x1a2b3c4d;
		type = get32(bytes + at, is_swapped);
		total = get32(bytes + at + 4, is_swapped);
		ck_assert_uint_le(total, n - at);
		ck_assert_uint_ge(total, 12);
		if (type == PACKET || type == SIMPLE || type == ENHANCED) {
			model_packet(m, bytes + at, type, is_swapped, threshold, keep);
			continue;
		}
		memcpy(m->bytes + m->n, bytes + at, total);
		if (type == SECTION)
			memset(m->bytes + m->n + 16, 0xff, 8);
		m->n += total;
	}
}

/* ---- what is written ---- */

struct filters {
	bool is_impure; /* all but Ethernet's, which is none */
	struct sift_filter *by_dlt[UINT16_MAX];
	int n_asked;
};

/* For any link type: by the length; or by the protocol, of which not just the bytes tell. */
static struct sift_filter *
make_filter(bool is_impure)
{
	static const struct cbpf_insn programs[2][4] = {
		{
			CBPF_STMT(CBPF_LD | CBPF_W | CBPF_LEN, 0),
			CBPF_JUMP(CBPF_JMP | CBPF_JGE | CBPF_K, THRESHOLD, 0, 1),
			CBPF_STMT(CBPF_RET | CBPF_K, 1),
			CBPF_STMT(CBPF_RET | CBPF_K, 0),
		},
		{
			CBPF_STMT(CBPF_LD | CBPF_W | CBPF_ABS, (uint32_t)-0x1000),
			CBPF_JUMP(CBPF_JMP | CBPF_JEQ | CBPF_K, 0x800, 0, 1),
			CBPF_STMT(CBPF_RET | CBPF_K, 1),
			CBPF_STMT(CBPF_RET | CBPF_K, 0),
		},
	};
	struct sift_filter *filter;
	struct cbpf_prog *prog;

	ck_assert_int_eq(cbpf_check(programs[is_impure], 4, CBPF_DIALECT_KERNEL, &prog, NULL), 0);
	ck_assert_int_eq(sift_filter_new(prog, NULL, &filter, NULL), 0);
	cbpf_prog_free(prog);
	return filter;
}

static int
filter_for(void *arg, int dlt, unsigned expr_flags, const struct sift_filter **filter,
	   struct ebpf_err *err)
{
	struct filters *filters = arg;
	struct sift_filter **ours = &filters->by_dlt[dlt];

	(void)err, (void)expr_flags;
	filters->n_asked++;
	if (filters->is_impure && dlt == DLT_EN10MB)
		return 0; /* all match */
	if (*ours == NULL)
		*ours = make_filter(filters->is_impure);
	*filter = *ours;
	return 0;
}

static void
free_filters(struct filters *filters)
{
	for (size_t i = 0; i < N_ELEMS(filters->by_dlt); i++)
		sift_filter_free(filters->by_dlt[i]);
	free(filters);
}

static struct filters *
new_filters(bool is_impure)
{
	struct filters *filters = calloc(1, sizeof(*filters));

	ck_assert_ptr_nonnull(filters);
	filters->is_impure = is_impure;
	return filters;
}

static int
open_mixed(const char *path, struct sift_source **source, struct ebpf_err *err)
{
	const struct sift_reader_opts opts = { .size = sizeof(opts), .flags = SIFT_READER_MIXED };

	return sift_source_open_savefile_opts(path, &opts, source, err);
}

static struct sift_sink *
open_sink(const struct sift_source *source, enum sift_format format)
{
	struct sift_savefile_opts opts = {
		.size = sizeof(opts),
		.format = format,
		.flags = format == SIFT_FORMAT_PCAPNG ? SIFT_SAVEFILE_SECTIONS : 0,
	};
	struct sift_source_info info = { .size = sizeof(info) };
	struct sift_sink *sink;
	struct ebpf_err err;

	ck_assert_int_eq(sift_source_info(source, &info, NULL), 0);
	opts.dlt = info.dlt;
	opts.snaplen = info.snaplen;
	opts.precision = info.precision;
	ck_assert_msg(sift_sink_open_savefile(savefile_path(), &opts, &sink, &err) == 0, "%s",
		      err.text);
	return sink;
}

/* What a run makes of a file; the output is at savefile_path(). */
static int
run(const char *path, struct filters *filters, enum sift_format format, uint32_t snaplen,
    struct sift_pipeline_counters *counters, struct ebpf_err *err)
{
	struct sift_pipeline_opts opts = {
		.size = sizeof(opts),
		.snaplen = snaplen,
		.filter_for = filters != NULL ? filter_for : NULL,
		.filter_arg = filters,
	};
	struct sift_pipeline *pipeline;
	int rc = open_mixed(path, &opts.source, err);

	if (rc < 0)
		return rc;
	opts.sink = open_sink(opts.source, format);
	ck_assert_int_eq(sift_pipeline_new(&opts, &pipeline, NULL), 0);
	rc = sift_pipeline_run(pipeline, err);
	*counters = (struct sift_pipeline_counters){ .size = sizeof(*counters) };
	ck_assert_int_eq(sift_pipeline_counters(pipeline, counters, NULL), 0);
	sift_pipeline_free(pipeline);
	ck_assert_int_eq(sift_sink_close(opts.sink, NULL), 0);
	sift_source_close(opts.source);
	return rc;
}

static uint8_t *
slurp(size_t *n)
{
	FILE *file = fopen(savefile_path(), "rb");
	uint8_t *bytes = malloc(PCAPNG_MAX_FILE + 8 * PCAPNG_MAX_CAPLEN);

	ck_assert(file != NULL && bytes != NULL);
	*n = fread(bytes, 1, PCAPNG_MAX_FILE + 8 * PCAPNG_MAX_CAPLEN, file);
	fclose(file);
	return bytes;
}

/* ---- files ---- */

/* Whether the reader here reads it. */
static bool
is_ours(const struct pcapng *f)
{
	struct sift_blocks_head head;

	return sift_blocks_look(f->bytes, f->n < 4096 ? f->n : 4096, &head) == 1 &&
	       sift_blocks_take(&head) && head.first.linktype < 284;
}

/* Where the damage is that a message tells of. */
static size_t
offset_in(const char *text)
{
	const char *offset = strstr(text, "offset ");

	ck_assert_msg(offset != NULL, "%s", text);
	return strtoull(offset + 7, NULL, 10);
}

static void
check_same(const struct model *m)
{
	size_t n;
	uint8_t *bytes = slurp(&n);

	ck_assert_uint_eq(n, m->n);
	ck_assert(memcmp(bytes, m->bytes, n) == 0);
	free(bytes);
}

struct totals {
	unsigned long long n_files, n_packets, n_matched, n_failed, n_asked;
};

/* The file at a path, with a filter or all of it, its packets whole or cut. */
static void
check_carried(const struct pcapng *f, const char *path, uint32_t threshold, uint32_t snaplen,
	      struct model *m, struct totals *totals)
{
	struct filters *filters = threshold != 0 ? new_filters(false) : NULL;
	struct sift_pipeline_counters counters;
	struct ebpf_err err = { "" };
	int rc = run(path, filters, SIFT_FORMAT_PCAPNG, snaplen, &counters, &err);
	size_t whole = f->n;

	ck_assert_msg(rc == 0 || rc == -EINVAL, "%d %s", rc, err.text);
	if (rc < 0)
		whole = offset_in(err.text);
	if (getenv("DBG")) printf("rc %d %s thr %u snap %u\n", rc, err.text, threshold, snaplen);
	ck_assert_uint_le(whole, f->n);
	model(m, f->bytes, whole, threshold, snaplen != 0 ? snaplen : UINT32_MAX);
	check_same(m);
	ck_assert_uint_eq(counters.seen, m->n_packets);
	ck_assert_uint_eq(counters.matched, m->n_matched);
	ck_assert_uint_eq(counters.written, m->n_matched);
	totals->n_files++;
	totals->n_packets += counters.seen;
	totals->n_matched += counters.matched;
	totals->n_failed += rc < 0;
	if (filters != NULL) {
		totals->n_asked += (unsigned long long)filters->n_asked;
		free_filters(filters);
	}
}

static void
check_piped(const struct pcapng *f, struct model *m, uint64_t seed, struct totals *totals)
{
	char name[64];
	pid_t child;
	int status, fd = pcapng_open_pipe(f, seed, &child);

	snprintf(name, sizeof(name), "/dev/fd/%d", fd);
	check_carried(f, name, THRESHOLD, 0, m, totals);
	close(fd);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
}

/* Plain files, damaged ones and ones that end anywhere; mixed ones. */
START_TEST(a_file_is_carried)
{
	uint64_t rng = suite_seed(0xca44 + (uint64_t)_i), n_files = suite_scaled(200);
	struct pcapng *f = calloc(1, sizeof(*f));
	struct model m = { .bytes = malloc(PCAPNG_MAX_FILE + 8 * PCAPNG_MAX_CAPLEN) };
	struct totals totals = { .n_files = 0 };

	ck_assert(f != NULL && m.bytes != NULL);
	pcapng_init(f);
	f->is_mixed = _i != 0;
	for (uint64_t i = 0; i < n_files; i++) {
		do
			pcapng_make(f, &rng);
		while (!is_ours(f));
		if (f->is_mixed && i % 4 == 0)
			f->n -= rng_below(&rng, (uint32_t)f->n / 2);
		if (!is_ours(f))
			continue;
		pcapng_save(f);
		check_carried(f, f->path, 0, 0, &m, &totals);
		check_carried(f, f->path, THRESHOLD, 0, &m, &totals);
		check_carried(f, f->path, i % 2 ? 0 : THRESHOLD, 1 + rng_below(&rng, 100), &m,
			      &totals);
		check_piped(f, &m, rng, &totals);
	}
	pcapng_destroy(f);
	free(f);
	free(m.bytes);
	unlink(savefile_path());
	printf("%llu runs, %llu packets, %llu written, %llu with an error at the end, %llu filters asked for\n",
	       totals.n_files, totals.n_packets, totals.n_matched, totals.n_failed, totals.n_asked);
	ck_assert(n_files < 50 || totals.n_failed > 0);
	ck_assert_uint_gt(totals.n_matched, 0);
}
END_TEST

/* ---- mixed into pcap, and judged ---- */

/* How many packets come before the first that the output cannot hold. */
static uint64_t
read_mixed(const struct pcapng *f, bool *is_refused, struct filters *impure, uint64_t *matched)
{
	struct sift_source_info info = { .size = sizeof(info) }, first = { .size = sizeof(first) };
	const struct sift_view *views;
	const struct sift_filter *filter;
	struct sift_source *source;
	uint64_t held = 0;
	size_t n;

	*is_refused = false;
	*matched = 0;
	ck_assert_int_eq(open_mixed(f->path, &source, NULL), 0);
	ck_assert_int_eq(sift_source_info(source, &first, NULL), 0);
	while (sift_source_next(source, &views, &n, NULL) == 1) {
		ck_assert_uint_gt(n, 0);
		ck_assert_int_eq(sift_source_info(source, &info, NULL), 0);
		filter = NULL;
		filter_for(impure, info.dlt, info.expr_flags, &filter, NULL);
		for (size_t i = 0; i < n; i++) {
			*matched += filter == NULL || sift_filter_match(filter, &views[i]) != 0;
			if (*is_refused || info.dlt != first.dlt ||
			    views[i].caplen > first.snaplen)
				*is_refused = true;
			else
				held++;
		}
	}
	sift_source_close(source);
	return held;
}

static uint64_t
count_pcap(void)
{
	const struct sift_view *views;
	struct sift_source *source;
	struct ebpf_err err;
	uint64_t count = 0;
	size_t n;
	int rc;

	ck_assert_int_eq(sift_source_open_savefile(savefile_path(), &source, &err), 0);
	while ((rc = sift_source_next(source, &views, &n, &err)) == 1)
		count += n;
	ck_assert_msg(rc == 0, "%s", err.text);
	sift_source_close(source);
	return count;
}

static uint64_t
count_matched(const struct pcapng *f, struct filters *filters)
{
	struct sift_pipeline_counters counters = { .size = sizeof(counters) };
	struct sift_pipeline_opts opts = {
		.size = sizeof(opts),
		.filter_for = filter_for,
		.filter_arg = filters,
	};
	struct sift_pipeline *pipeline;

	ck_assert_int_eq(open_mixed(f->path, &opts.source, NULL), 0);
	ck_assert_int_eq(sift_pipeline_new(&opts, &pipeline, NULL), 0);
	sift_pipeline_run(pipeline, NULL);
	ck_assert_int_eq(sift_pipeline_counters(pipeline, &counters, NULL), 0);
	sift_pipeline_free(pipeline);
	sift_source_close(opts.source);
	return counters.matched;
}

START_TEST(mixed_packets_are_judged_each_by_its_filter)
{
	uint64_t rng = suite_seed(0xca46), n_files = suite_scaled(100);
	struct filters *impure = new_filters(true);
	struct pcapng *f = calloc(1, sizeof(*f));
	unsigned long long n_refused = 0, n_matched = 0;

	ck_assert_ptr_nonnull(f);
	pcapng_init(f);
	f->is_mixed = true;
	for (uint64_t i = 0; i < n_files; i++) {
		struct sift_pipeline_counters counters;
		uint64_t held, matched;
		struct ebpf_err err;
		bool is_refused;
		int rc;

		do
			pcapng_make(f, &rng);
		while (!is_ours(f));
		pcapng_save(f);
		held = read_mixed(f, &is_refused, impure, &matched);
		ck_assert_uint_eq(count_matched(f, impure), matched);
		rc = run(f->path, NULL, SIFT_FORMAT_PCAP, 0, &counters, &err);
		if (is_refused) {
			ck_assert_msg(rc == -EPROTOTYPE, "%d %s", rc, err.text);
			ck_assert(strstr(err.text, "cannot hold beside") != NULL ||
				  strstr(err.text, "has a snapshot length of") != NULL);
			ck_assert_uint_lt(offset_in(err.text), f->n);
		} else {
			ck_assert(rc == 0 || rc == -EINVAL);
		}
		ck_assert_uint_eq(count_pcap(), held);
		n_refused += is_refused;
		n_matched += matched;
	}
	pcapng_destroy(f);
	free(f);
	free_filters(impure);
	unlink(savefile_path());
	printf("%llu packets matched, %llu files refused as pcap\n", n_matched, n_refused);
	ck_assert(n_files < 50 || (n_refused > 0 && n_refused < n_files));
}
END_TEST

/* ---- sections of several inputs ---- */

/* As a capture has it: a pipeline over each, into one sink. */
START_TEST(each_input_begins_a_section)
{
	struct sift_pipeline_opts opts = { .size = sizeof(opts) };
	struct sift_pipeline *pipeline;
	static const char *const inputs[] = { "ether.pcap", "ng-be.pcapng", "sll2.pcap" };
	struct filters *filters = new_filters(false);
	struct sift_pipeline_counters counters = { .size = sizeof(counters) }, back;
	uint64_t matched = 0, n_sections = 0;
	uint8_t *bytes;
	char *copy;
	size_t n;

	opts.filter_for = filter_for;
	opts.filter_arg = filters;
	for (size_t i = 0; i < N_ELEMS(inputs); i++) {
		ck_assert_int_eq(open_mixed(suite_data(inputs[i]), &opts.source, NULL), 0);
		if (opts.sink == NULL)
			opts.sink = open_sink(opts.source, SIFT_FORMAT_PCAPNG);
		ck_assert_int_eq(sift_pipeline_new(&opts, &pipeline, NULL), 0);
		ck_assert_int_eq(sift_pipeline_run(pipeline, NULL), 0);
		ck_assert_int_eq(sift_pipeline_counters(pipeline, &counters, NULL), 0);
		matched += counters.matched;
		sift_pipeline_free(pipeline);
		sift_source_close(opts.source);
	}
	ck_assert_int_eq(sift_sink_close(opts.sink, NULL), 0);
	bytes = slurp(&n);
	for (size_t i = 0; i + 4 <= n; i += 4)
		n_sections += get32(bytes + i, false) == SECTION;
	ck_assert_uint_eq(n_sections, N_ELEMS(inputs));
	free(bytes);
	/* and what is there can be read again, and is itself */
	ck_assert_ptr_nonnull(copy = malloc(strlen(savefile_path()) + 6));
	sprintf(copy, "%s.copy", savefile_path());
	ck_assert_int_eq(rename(savefile_path(), copy), 0);
	ck_assert_int_eq(run(copy, filters, SIFT_FORMAT_PCAPNG, 0, &back, NULL), 0);
	ck_assert_uint_eq(back.seen, matched);
	ck_assert_uint_eq(back.matched, matched);
	unlink(copy);
	unlink(savefile_path());
	free(copy);
	free_filters(filters);
}
END_TEST

/* A file is never without a section. */
START_TEST(no_pipeline_no_packets_one_section)
{
	struct sift_savefile_opts opts = {
		.size = sizeof(opts),
		.dlt = DLT_RAW,
		.snaplen = 96,
		.format = SIFT_FORMAT_PCAPNG,
		.flags = SIFT_SAVEFILE_SECTIONS,
	};
	struct sift_blocks_head head;
	struct sift_sink *sink;
	uint8_t *bytes;
	size_t n;

	ck_assert_int_eq(sift_sink_open_savefile(savefile_path(), &opts, &sink, NULL), 0);
	ck_assert_int_eq(sift_sink_close(sink, NULL), 0);
	bytes = slurp(&n);
	ck_assert_int_eq(sift_blocks_look(bytes, n, &head), 1);
	ck_assert_uint_eq(head.len, n);
	ck_assert_int_eq(head.first.dlt, DLT_RAW);
	free(bytes);
	unlink(savefile_path());
}
END_TEST

/* Blocks were passed that the output would lack: then a section of ours is begun. */
START_TEST(a_source_that_was_read_from_is_not_carried)
{
	struct sift_pipeline_opts opts = { .size = sizeof(opts) };
	struct sift_pipeline_counters counters = { .size = sizeof(counters) };
	struct sift_pipeline *pipeline;
	const struct sift_view *views;
	size_t n;

	ck_assert_int_eq(open_mixed(suite_data("ng-blocks.pcapng"), &opts.source, NULL), 0);
	ck_assert_int_eq(sift_source_next(opts.source, &views, &n, NULL), 1);
	opts.sink = open_sink(opts.source, SIFT_FORMAT_PCAPNG);
	ck_assert_int_eq(sift_pipeline_new(&opts, &pipeline, NULL), 0);
	ck_assert_int_eq(sift_pipeline_run(pipeline, NULL), 0);
	ck_assert_int_eq(sift_pipeline_counters(pipeline, &counters, NULL), 0);
	sift_pipeline_free(pipeline);
	sift_source_close(opts.source);
	ck_assert_int_eq(sift_sink_close(opts.sink, NULL), 0);
	ck_assert_uint_eq(count_pcap(), counters.matched);
	unlink(savefile_path());
}
END_TEST

START_TEST(says_what_is_not_possible)
{
	struct sift_reader_opts reader = { .size = sizeof(reader),
					   .flags = SIFT_READER_MIXED | SIFT_READER_LIBPCAP };
	struct sift_savefile_opts savefile = { .size = sizeof(savefile),
					       .dlt = DLT_EN10MB,
					       .snaplen = 96,
					       .flags = SIFT_SAVEFILE_SECTIONS };
	struct sift_pipeline_opts opts = { .size = sizeof(opts) };
	struct sift_source *source = NULL;
	struct sift_pipeline *pipeline = NULL;
	struct filters *filters = new_filters(false);
	struct sift_sink *sink = NULL;
	char name[256], want[512];
	struct ebpf_err err;

	snprintf(name, sizeof(name), "%s", suite_data("ng-le.pcapng"));
	ck_assert_int_eq(sift_source_open_savefile_opts(name, &reader, &source, &err), -EINVAL);
	snprintf(want, sizeof(want), "%s: libpcap reads no mixed files", name);
	ck_assert_str_eq(err.text, want);
	ck_assert_ptr_null(source);
	ck_assert_int_eq(sift_sink_open_savefile("none.tmp", &savefile, &sink, &err), -EINVAL);
	ck_assert_str_eq(err.text, "none.tmp: a pcap file has no sections");
	savefile.flags = 0x80;
	ck_assert_int_eq(sift_sink_open_savefile("none.tmp", &savefile, &sink, &err), -EINVAL);
	ck_assert_str_eq(err.text, "none.tmp: unknown flags 0x80");
	ck_assert_ptr_null(sink);
	ck_assert_int_eq(access("none.tmp", F_OK), -1);

	ck_assert_int_eq(open_mixed(name, &source, &err), 0);
	opts.source = source;
	filter_for(filters, DLT_EN10MB, SIFT_EXPR_SAVEFILE, &opts.filter, NULL);
	ck_assert_int_eq(sift_pipeline_new(&opts, &pipeline, &err), -EINVAL);
	ck_assert_str_eq(err.text, "one filter for mixed packets");
	opts.filter_for = filter_for;
	ck_assert_int_eq(sift_pipeline_new(&opts, &pipeline, &err), -EINVAL);
	ck_assert_str_eq(err.text, "filter and filter_for");
	ck_assert_ptr_null(pipeline);
	sift_source_close(source);
	free_filters(filters);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("filter/carry");
	TCase *tc = tcase_create("pcapng");

	tcase_set_timeout(tc, 300);
	tcase_add_loop_test(tc, a_file_is_carried, 0, 2);
	tcase_add_test(tc, mixed_packets_are_judged_each_by_its_filter);
	tcase_add_test(tc, each_input_begins_a_section);
	tcase_add_test(tc, no_pipeline_no_packets_one_section);
	tcase_add_test(tc, a_source_that_was_read_from_is_not_carried);
	tcase_add_test(tc, says_what_is_not_possible);
	suite_add_tcase(s, tc);
	return s;
}
