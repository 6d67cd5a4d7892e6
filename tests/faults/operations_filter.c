/* SPDX-License-Identifier: BSD-2-Clause */
/* Expressions, filters, sources, sinks and pipelines, with files in a directory of their own. */
#include "config.h"

#include "tests/faults/operations.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/suite.h"
#include "tests/support/tempfile.h"

enum { ETHERNET = 1, SNAPLEN = 262144, N_CODECS = SIFT_CODEC_XZ + 1, N_LARGE = 6000,
       N_LARGE_PACKETS = 40, LARGE_PACKET = 60000 };

/* ---- filters ---- */

static const struct cbpf_insn ipv4[] = {
	CBPF_STMT(CBPF_LD | CBPF_H | CBPF_ABS, 12),
	CBPF_JUMP(CBPF_JMP | CBPF_JEQ | CBPF_K, 0x800, 0, 1),
	CBPF_STMT(CBPF_RET | CBPF_K, SNAPLEN),
	CBPF_STMT(CBPF_RET | CBPF_K, 0),
};
static struct cbpf_prog *checked;

static void
make_checked(void)
{
	if (checked == NULL)
		ck_assert_int_eq(cbpf_check(ipv4, N_ELEMS(ipv4), CBPF_DIALECT_PCAP, &checked, NULL),
				 0);
}

static int
make_filter(struct ebpf_err *err)
{
	static const uint8_t frame[60] = { [12] = 0x08 };
	struct sift_filter *filter = UNTOUCHED;
	struct sift_view view;
	int rc = sift_filter_new(checked, NULL, &filter, err);

	if (rc < 0) {
		EXPECT(filter == UNTOUCHED);
		return rc;
	}
	sift_view_init(&view, ETHERNET, frame, sizeof(frame), sizeof(frame));
	EXPECT(sift_filter_match(filter, &view) == SNAPLEN);
	sift_filter_free(filter);
	return 0;
}

/* A program of eBPF that loads as classic ones do, of which each load becomes a few. */
static int
load_packet_program(struct ebpf_err *err)
{
	static const struct ebpf_insn text[] = {
		{ .code = EBPF_ALU64 | EBPF_MOV | EBPF_X, .dst_reg = 6, .src_reg = 1 },
		{ .code = EBPF_LD | EBPF_ABS | EBPF_H, .imm = 12 },
		{ .code = EBPF_JMP | EBPF_EXIT },
	};
	const struct ebpf_load_opts opts = { .size = sizeof(opts), .verify = EBPF_VERIFY_ON };
	static const uint8_t frame[60] = { [12] = 0x08 };
	struct ebpf_prog *prog = UNTOUCHED;
	struct sift_view view;
	uint64_t r0 = 0;
	int rc = ebpf_prog_load_opts(sift_prog_type_packet(), text, N_ELEMS(text), &opts, &prog,
				     err);

	if (rc < 0) {
		EXPECT(prog == UNTOUCHED);
		return rc;
	}
	sift_view_init(&view, ETHERNET, frame, sizeof(frame), sizeof(frame));
	EXPECT(ebpf_prog_exec(prog, &view, sizeof(view), &r0, err) == 0);
	EXPECT(r0 == 0x800);
	ebpf_prog_put(prog);
	return 0;
}

#ifdef HAVE_PCAP
static int
compile(struct ebpf_err *err)
{
	struct cbpf_insn *insns = UNTOUCHED;
	size_t n = 0;
	int rc = sift_expr_compile("vlan and tcp port 80", ETHERNET, SNAPLEN, 0,
				   SIFT_EXPR_TAG_APART, &insns, &n, err);

	if (rc < 0)
		EXPECT(insns == UNTOUCHED);
	else
		free(insns);
	return rc;
}

/* What libpcap knows of the frames comes from a header made for it. */
static int
compile_for_swapped_file(struct ebpf_err *err)
{
	struct cbpf_insn *insns = UNTOUCHED;
	size_t n = 0;
	int rc = sift_expr_compile("tcp port 80", ETHERNET, SNAPLEN, 0,
				   SIFT_EXPR_SAVEFILE | SIFT_EXPR_SWAPPED, &insns, &n, err);

	if (rc < 0)
		EXPECT(insns == UNTOUCHED);
	else
		free(insns);
	return rc;
}

static int
list_interfaces(struct ebpf_err *err)
{
	struct sift_interface *list = UNTOUCHED;
	size_t n = 0;
	int rc = sift_interfaces_list(&list, &n, err);

	if (rc < 0)
		EXPECT(list == UNTOUCHED);
	else
		sift_interfaces_free(list, n);
	return rc;
}

/* ---- files ---- */

static char out_path[TEMPFILE_PATH];
static char codec_paths[N_CODECS][TEMPFILE_PATH];
static char large_path[TEMPFILE_PATH], large_blocks_path[TEMPFILE_PATH];
static char large_packets_path[TEMPFILE_PATH];
static char paths[4][TEMPFILE_PATH + 64];
static uint64_t n_in_demo;

static const char *
data(int i, const char *name)
{
	snprintf(paths[i], sizeof(paths[i]), "%s", suite_data(name));
	return paths[i];
}

/* How many packets are handed on before the end or a failure. */
static int
drain(struct sift_source *source, uint64_t *n, struct ebpf_err *err)
{
	const struct sift_view *views;
	size_t n_views;
	int rc;

	for (*n = 0; (rc = sift_source_next(source, &views, &n_views, err)) == 1;)
		*n += n_views;
	return rc;
}

static int
open_source(const char *path, unsigned flags, unsigned threads, struct sift_source **source,
	    struct ebpf_err *err)
{
	const struct sift_reader_opts opts = { .size = sizeof(opts), .flags = flags,
					       .threads = threads };
	int rc;

	*source = UNTOUCHED;
	if ((rc = sift_source_open_savefile_opts(path, &opts, source, err)) < 0) {
		EXPECT(*source == UNTOUCHED);
		*source = NULL;
	}
	return rc;
}

/* All of a file is read, or an error is told. */
static int
read_file(const char *path, unsigned flags, unsigned threads, uint64_t expected,
	  struct ebpf_err *err)
{
	struct sift_source *source;
	uint64_t n = 0;
	int rc = open_source(path, flags, threads, &source, err);

	if (rc == 0)
		rc = drain(source, &n, err);
	if (rc == 0)
		EXPECT(n == expected);
	sift_source_close(source);
	return rc;
}

static struct sift_savefile_opts
savefile(enum sift_format format, enum sift_codec codec)
{
	return (struct sift_savefile_opts){ .size = sizeof(struct sift_savefile_opts),
					    .dlt = ETHERNET, .snaplen = SNAPLEN,
					    .precision = SIFT_PRECISION_NANO, .format = format,
					    .codec = codec, .threads = 2 };
}

/* From a source through a pipeline into a sink, both of which this closes. */
static int
pass_through(struct sift_source *source, struct sift_sink *sink, unsigned threads,
	     struct ebpf_err *err)
{
	const struct sift_pipeline_opts opts = { .size = sizeof(opts), .source = source,
						 .sink = sink, .threads = threads };
	struct sift_pipeline *pipeline = UNTOUCHED;
	int rc = sift_pipeline_new(&opts, &pipeline, err), closed;

	if (rc < 0) {
		EXPECT(pipeline == UNTOUCHED);
		pipeline = NULL;
	} else {
		rc = sift_pipeline_run(pipeline, err);
	}
	sift_pipeline_free(pipeline);
	closed = sift_sink_close(sink, rc < 0 ? NULL : err);
	sift_source_close(source);
	return rc < 0 ? rc : closed;
}

static int
copy_file(const char *from, const char *to, const struct sift_savefile_opts *opts,
	  unsigned threads, struct ebpf_err *err)
{
	struct sift_source *source;
	struct sift_sink *sink = UNTOUCHED;
	int rc = open_source(from, 0, 0, &source, err);

	if (rc < 0)
		return rc;
	if ((rc = sift_sink_open_savefile(to, opts, &sink, err)) < 0) {
		EXPECT(sink == UNTOUCHED);
		sift_source_close(source);
		return rc;
	}
	return pass_through(source, sink, threads, err);
}

static bool
is_built(enum sift_codec codec)
{
	const struct sift_savefile_opts opts = savefile(SIFT_FORMAT_PCAP, codec);
	struct sift_sink *sink;
	int rc = sift_sink_open_savefile(out_path, &opts, &sink, NULL);

	if (rc == 0)
		sift_sink_close(sink, NULL);
	return rc != -ENOTSUP;
}

/* Packets of so many bytes. */
static void
make_packets(const char *path, uint32_t len, int n)
{
	static const uint32_t header[6] = { 0xa1b23c4d, 4u << 16 | 2, 0, 0, SNAPLEN, ETHERNET };
	const uint32_t record[4] = { 1700000000, 5, len, len };
	static const uint8_t bytes[LARGE_PACKET];
	FILE *f = fopen(path, "wb");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(header, sizeof(header), 1, f), 1);
	for (int i = 0; i < n; i++) {
		ck_assert_uint_eq(fwrite(record, sizeof(record), 1, f), 1);
		ck_assert_uint_eq(fwrite(bytes, len, 1, f), 1);
	}
	ck_assert_int_eq(fclose(f), 0);
}

static void
remove_files(void)
{
	unlink(out_path);
	unlink(large_path);
	unlink(large_blocks_path);
	unlink(large_packets_path);
	for (int codec = 0; codec < N_CODECS; codec++)
		unlink(codec_paths[codec]);
}

static pid_t owner;

static void
remove_own_files(void)
{
	if (owner == getpid())
		remove_files();
}

static void
make_files(void)
{
	struct sift_source *source;
	struct ebpf_err err = { "" };

	tempfile_create(out_path);
	tempfile_create(large_path);
	/* of more than a block, so that it is filtered by several threads */
	make_packets(large_path, 1000, N_LARGE);
	owner = getpid();
	atexit(remove_own_files);
	ck_assert_int_eq(open_source(data(0, "demo.pcap"), 0, 0, &source, &err), 0);
	ck_assert_int_eq(drain(source, &n_in_demo, &err), 0);
	sift_source_close(source);
	ck_assert_uint_gt(n_in_demo, 100);
	for (int codec = 0; codec < N_CODECS; codec++) {
		const struct sift_savefile_opts opts = savefile(SIFT_FORMAT_PCAP, codec);

		tempfile_create(codec_paths[codec]);
		if (is_built(codec))
			ck_assert_msg(copy_file(data(0, "demo.pcap"), codec_paths[codec], &opts, 1,
						&err) == 0, "%s", err.text);
		else
			unlink(codec_paths[codec]);
	}
}

/* ---- sources ---- */

static int
read_plain(struct ebpf_err *err)
{
	return read_file(data(0, "demo.pcap"), 0, 0, n_in_demo, err);
}

static int
read_by_libpcap(struct ebpf_err *err)
{
	return read_file(data(0, "demo.pcap"), SIFT_READER_LIBPCAP, 0, n_in_demo, err);
}

/* More bytes in a batch than there is room for at first. */
static void
make_large_packets(void)
{
	make_files();
	tempfile_create(large_packets_path);
	make_packets(large_packets_path, LARGE_PACKET, N_LARGE_PACKETS);
}

static int
read_large_by_libpcap(struct ebpf_err *err)
{
	return read_file(large_packets_path, SIFT_READER_LIBPCAP, 0, N_LARGE_PACKETS, err);
}

static int
read_salvaging(struct ebpf_err *err)
{
	return read_file(data(0, "demo.pcap"), SIFT_READER_SALVAGE, 0, n_in_demo, err);
}

static int
read_blocks(struct ebpf_err *err)
{
	struct sift_source *source;
	uint64_t n;
	int rc = open_source(data(0, "ng-blocks.pcapng"), SIFT_READER_MIXED, 0, &source, err);

	if (rc == 0)
		rc = drain(source, &n, err);
	sift_source_close(source);
	return rc;
}

static int
read_compressed(struct ebpf_err *err)
{
	int rc = 0;

	for (int codec = SIFT_CODEC_GZIP; rc == 0 && codec < N_CODECS; codec++)
		for (unsigned threads = 1; rc == 0 && threads <= 2; threads++)
			if (access(codec_paths[codec], R_OK) == 0)
				rc = read_file(codec_paths[codec], 0, threads, n_in_demo, err);
	return rc;
}

static int
read_merged(struct ebpf_err *err)
{
	struct sift_source *parts[3], *merged = UNTOUCHED;
	uint64_t n = 0;
	int rc = 0;
	size_t n_parts = 0;

	while (rc == 0 && n_parts < 3)
		if ((rc = open_source(data(0, "demo.pcap"), 0, 0, &parts[n_parts], err)) == 0)
			n_parts++;
	if (rc == 0 && (rc = sift_source_open_merged(parts, 3, &merged, err)) == 0) {
		if ((rc = drain(merged, &n, err)) == 0)
			EXPECT(n == 3 * n_in_demo);
		sift_source_close(merged);
		return rc;
	}
	EXPECT(merged == UNTOUCHED);
	while (n_parts > 0)
		sift_source_close(parts[--n_parts]);
	return rc;
}

/* Of a file n times; *rc: 1, or what sift_series_add() has returned. */
static struct sift_series *
begin_series(const char *path, size_t n, int *rc, struct ebpf_err *err)
{
	struct sift_series *series = UNTOUCHED;

	if ((*rc = sift_series_new(&series, err)) < 0) {
		EXPECT(series == UNTOUCHED);
		return NULL;
	}
	for (*rc = 1; *rc == 1 && n > 0; n--) {
		struct sift_source_info info = { .size = sizeof(info) };
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		EXPECT(fd >= 0);
		if ((*rc = sift_series_add(series, path, fd, 20000, &info, err)) != 1)
			close(fd);
	}
	return series;
}

static int
run_series(struct sift_series *series, size_t n, struct ebpf_err *err)
{
	struct sift_pipeline_counters counters = { .size = sizeof(counters) };
	struct sift_pipeline_opts opts = { .size = sizeof(opts), .threads = 2 };
	struct sift_source *source = UNTOUCHED;
	struct sift_pipeline *pipeline;
	int rc = sift_source_open_series(series, 0, n, &source, err);

	if (rc < 0) {
		EXPECT(source == UNTOUCHED);
		return rc;
	}
	opts.source = source;
	if ((rc = sift_pipeline_new(&opts, &pipeline, err)) == 0) {
		if ((rc = sift_pipeline_run(pipeline, err)) == 0) {
			EXPECT(sift_series_done(source) == n);
			EXPECT(sift_pipeline_counters(pipeline, &counters, NULL) == 0);
			EXPECT(counters.matched == n * n_in_demo);
		}
		sift_pipeline_free(pipeline);
	}
	sift_source_close(source);
	return rc;
}

static int
read_series(struct ebpf_err *err)
{
	enum { N = 20 };
	const char *path = data(0, "demo.pcap");
	int rc;
	struct sift_series *series = begin_series(path, N, &rc, err);

	if (rc == 1)
		rc = run_series(series, N, err);
	else if (rc == 0) /* for want of memory libpcap knows no header */
		rc = read_file(path, 0, 1, n_in_demo, err);
	sift_series_free(series);
	return rc;
}

/* ---- sinks ---- */

static int
write_codecs(struct ebpf_err *err)
{
	int rc = 0;

	for (int codec = 0; rc == 0 && codec < N_CODECS; codec++) {
		const struct sift_savefile_opts opts = savefile(SIFT_FORMAT_PCAP, codec);

		if (access(codec_paths[codec], R_OK) == 0)
			rc = copy_file(data(0, "demo.pcap"), out_path, &opts, 1, err);
	}
	return rc;
}

/* The last one that was written. */
static void
look_at_demo(void)
{
	ck_assert_int_eq(read_file(out_path, 0, 1, n_in_demo, NULL), 0);
}

static int
write_blocks(struct ebpf_err *err)
{
	struct sift_savefile_opts opts = savefile(SIFT_FORMAT_PCAPNG, SIFT_CODEC_NONE);
	int rc = copy_file(data(0, "demo.pcap"), out_path, &opts, 1, err);

	if (rc < 0)
		return rc;
	opts.flags = SIFT_SAVEFILE_SECTIONS;
	return copy_file(data(0, "ng-blocks.pcapng"), out_path, &opts, 1, err);
}

/* Of several megabytes: by a thread, if there is one. */
static int
write_behind(struct ebpf_err *err)
{
	struct sift_savefile_opts opts = savefile(SIFT_FORMAT_PCAP, SIFT_CODEC_NONE);

	opts.flags = SIFT_SAVEFILE_BEHIND;
	return copy_file(large_path, out_path, &opts, 1, err);
}

static int
write_rotated(struct ebpf_err *err)
{
	const struct sift_savefile_opts opts = savefile(SIFT_FORMAT_PCAP, SIFT_CODEC_NONE);
	const struct sift_rotate_opts rotate = { .size = sizeof(rotate), .max_bytes = 20000,
						 .max_files = 1,
						 .flags = SIFT_ROTATE_PACKET_CLOCK };
	struct sift_source *source;
	struct sift_sink *sink = UNTOUCHED;
	int rc = open_source(data(0, "demo.pcap"), 0, 0, &source, err);

	if (rc < 0)
		return rc;
	if ((rc = sift_sink_open_rotated(out_path, &opts, &rotate, &sink, err)) < 0) {
		EXPECT(sink == UNTOUCHED);
		sift_source_close(source);
		return rc;
	}
	return pass_through(source, sink, 1, err);
}

/* The summary and the file get the same. */
static int
write_both(struct ebpf_err *err)
{
	const struct sift_savefile_opts opts = savefile(SIFT_FORMAT_PCAP, SIFT_CODEC_NONE);
	const struct sift_summary_opts lines = { .size = sizeof(lines), .dlt = ETHERNET };
	struct sift_sink *first, *second, *tee = UNTOUCHED;
	struct sift_source *source;
	int rc = open_source(data(0, "demo.pcap"), 0, 0, &source, err);

	if (rc < 0)
		return rc;
	if ((rc = sift_sink_open_savefile(out_path, &opts, &first, err)) < 0)
		goto no_first;
	if ((rc = sift_sink_open_summary("/dev/null", &lines, &second, err)) < 0)
		goto no_second;
	if ((rc = sift_sink_open_tee(first, second, &tee, err)) < 0)
		goto no_tee;
	return pass_through(source, tee, 1, err);
no_tee:
	EXPECT(tee == UNTOUCHED);
	sift_sink_close(second, NULL);
no_second:
	sift_sink_close(first, NULL);
no_first:
	sift_source_close(source);
	return rc;
}

/* ---- pipelines ---- */

static int
run_threads(struct ebpf_err *err)
{
	const struct sift_savefile_opts opts = savefile(SIFT_FORMAT_PCAP, SIFT_CODEC_NONE);

	return copy_file(large_path, out_path, &opts, 3, err);
}

/* The same packets in pcapng. */
static void
make_large_blocks(void)
{
	const struct sift_savefile_opts opts = savefile(SIFT_FORMAT_PCAPNG, SIFT_CODEC_NONE);
	struct ebpf_err err = { "" };

	make_files();
	tempfile_create(large_blocks_path);
	ck_assert_msg(copy_file(large_path, large_blocks_path, &opts, 1, &err) == 0, "%s",
		      err.text);
}

static int
run_threads_on_blocks(struct ebpf_err *err)
{
	const struct sift_savefile_opts opts = savefile(SIFT_FORMAT_PCAP, SIFT_CODEC_NONE);

	return copy_file(large_blocks_path, out_path, &opts, 3, err);
}

static int
run_threads_on_sections(struct ebpf_err *err)
{
	struct sift_savefile_opts opts = savefile(SIFT_FORMAT_PCAPNG, SIFT_CODEC_NONE);

	opts.flags = SIFT_SAVEFILE_SECTIONS;
	return copy_file(large_blocks_path, out_path, &opts, 3, err);
}

static void
look_at_large(void)
{
	ck_assert_int_eq(read_file(out_path, 0, 0, N_LARGE, NULL), 0);
}
#endif

const struct operation operations_filter[] = {
	{ "a filter", make_checked, make_filter },
	{ "a program over packets", NULL, load_packet_program },
#ifdef HAVE_PCAP
	{ "an expression", NULL, compile },
	{ "an expression for a file of the other byte order", NULL, compile_for_swapped_file },
	{ "the list of interfaces", NULL, list_interfaces },
	{ "a pcap file is read", make_files, read_plain },
	{ "a pcap file is read by libpcap", make_files, read_by_libpcap },
	{ "large packets are read by libpcap", make_large_packets, read_large_by_libpcap },
	{ "a pcap file is salvaged", make_files, read_salvaging },
	{ "a pcapng file is read", make_files, read_blocks },
	{ "compressed files are read", make_files, read_compressed },
	{ "files are merged", make_files, read_merged },
	{ "files are read as a series", make_files, read_series },
	{ "files are written, compressed too", make_files, write_codecs, look_at_demo },
	{ "pcapng files are written", make_files, write_blocks },
	{ "a file is written behind", make_files, write_behind, look_at_large },
	{ "rotated files are written", make_files, write_rotated },
	{ "a file and lines are written", make_files, write_both, look_at_demo },
	{ "several threads filter", make_files, run_threads, look_at_large },
	{ "several threads filter pcapng", make_large_blocks, run_threads_on_blocks,
	  look_at_large },
	{ "several threads copy pcapng", make_large_blocks, run_threads_on_sections,
	  look_at_large },
#endif
};
const size_t n_operations_filter = N_ELEMS(operations_filter);
