/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file that is mapped is the file; truncated under who looks at it, it ends where it was
 * cut, for who reads on too, and not the process.
 */
#include "config.h"

#include "filter/mapped.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "filter/pipeline.h"
#include "tests/support/capture.h"
#include "tests/support/filter.h"
#include "tests/support/suite.h"
#include "tests/support/tempfile.h"

/* ---- stretches ---- */

enum { N_PAGES = 40 };

static size_t page;
static atomic_int n_forgiven, n_others;
static struct sift_mapped *volatile mapped_now; /* or */
static struct sift_source *volatile source_now;

static void
on_bus_error(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)context;
	if (mapped_now != NULL ? sift_mapped_forgive(mapped_now, info->si_addr)
			       : sift_source_forgive(source_now, info->si_addr)) {
		n_forgiven++;
		return;
	}
	n_others++;
	_exit(1);
}

static void
catch_bus_errors(void)
{
	struct sigaction bus = { .sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO };

	sigemptyset(&bus.sa_mask);
	ck_assert_int_eq(sigaction(SIGBUS, &bus, NULL), 0);
}

struct file {
	char path[TEMPFILE_PATH];
	uint8_t *bytes;
	size_t n;
	int fd;
};

static void
make_file(struct file *file, size_t n)
{
	uint64_t rng = suite_seed(0x3a99);

	*file = (struct file){ .bytes = malloc(n), .n = n };
	ck_assert_ptr_nonnull(file->bytes);
	for (size_t i = 0; i < n; i++)
		file->bytes[i] = (uint8_t)(1 + rng_below(&rng, 255));
	tempfile_create(file->path);
	tempfile_save(file->path, file->bytes, n);
	file->fd = open(file->path, O_RDWR | O_CLOEXEC);
	ck_assert_int_ge(file->fd, 0);
}

static void
remove_file(struct file *file)
{
	close(file->fd);
	unlink(file->path);
	free(file->bytes);
}

/* Whether this process has the file mapped. */
static bool
is_mapped(const char *path)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	bool is_there = false;
	char line[512];

	ck_assert_ptr_nonnull(maps);
	while (!is_there && fgets(line, sizeof(line), maps) != NULL)
		is_there = strstr(line, path) != NULL;
	fclose(maps);
	return is_there;
}

/* false, and told: this system maps no files. */
static bool
open_mapped(struct sift_mapped *mapped, const struct file *file, uint64_t begin)
{
	int rc = sift_mapped_open(mapped, file->fd, begin, file->n);

	if (rc == -ENOTSUP) {
		suite_skip("no MADV_POPULATE_READ here, or addresses of 32 bits: files are read");
		return false;
	}
	ck_assert_int_eq(rc, 0);
	return true;
}

START_TEST(a_stretch_is_the_file)
{
	struct sift_mapped mapped = { .fd = -1 };
	struct file file;

	make_file(&file, N_PAGES * page - 100);
	for (uint64_t begin = 0; begin < file.n; begin += 7 * page + 123) {
		uint64_t from;

		if (!open_mapped(&mapped, &file, begin))
			break;
		ck_assert(is_mapped(file.path));
		ck_assert_uint_eq(mapped.begin, begin / page * page);
		ck_assert_uint_eq(mapped.end, file.n);
		for (from = begin; from < file.n; from += 3 * page) {
			uint64_t to = from + 3 * page < file.n ? from + 3 * page : file.n;

			ck_assert(sift_mapped_have(&mapped, from, to));
			ck_assert(memcmp(mapped.bytes + (from - mapped.begin), file.bytes + from,
					 to - from) == 0);
			sift_mapped_drop(&mapped, from, to);
		}
		/* what was dropped can be had again */
		ck_assert(memcmp(mapped.bytes, file.bytes + mapped.begin, file.n - mapped.begin) ==
			  0);
		ck_assert(!sift_mapped_is_lost(&mapped));
		sift_mapped_close(&mapped);
		ck_assert(!is_mapped(file.path));
	}
	remove_file(&file);
}
END_TEST

/* Pages of the file that take room in this process. */
static unsigned long
resident_pages(const char *path)
{
	FILE *maps = fopen("/proc/self/smaps", "r");
	unsigned long kilobytes = 0;
	bool is_there = false;
	char line[512];

	ck_assert_ptr_nonnull(maps);
	while (fgets(line, sizeof(line), maps) != NULL) {
		is_there |= strstr(line, path) != NULL;
		if (is_there && sscanf(line, "Rss: %lu", &kilobytes) == 1)
			break;
	}
	fclose(maps);
	ck_assert(is_there);
	return kilobytes / (page / 1024);
}

START_TEST(what_was_dropped_takes_no_room)
{
	struct sift_mapped mapped = { .fd = -1 };
	struct file file;

	make_file(&file, N_PAGES * page);
	if (open_mapped(&mapped, &file, 0)) {
		uint64_t from = 0, to;

		ck_assert(sift_mapped_have(&mapped, 0, file.n));
		ck_assert_uint_eq(resident_pages(file.path), N_PAGES);
		for (to = 0; to < file.n; from = to, to += page / 4 * 3) {
			sift_mapped_drop(&mapped, from, to);
			ck_assert_uint_eq(resident_pages(file.path), N_PAGES - to / page);
		}
		sift_mapped_close(&mapped);
	}
	remove_file(&file);
}
END_TEST

START_TEST(what_was_cut_off_reads_as_zeros)
{
	struct sift_mapped mapped = { .fd = -1 };
	struct file file;

	catch_bus_errors();
	make_file(&file, N_PAGES * page);
	mapped_now = &mapped;
	if (open_mapped(&mapped, &file, 0)) {
		ck_assert(sift_mapped_have(&mapped, 0, file.n));
		ck_assert_int_eq(ftruncate(file.fd, (off_t)(10 * page + 5)), 0);
		/* seen without a look at what is gone */
		ck_assert(sift_mapped_is_lost(&mapped));
		ck_assert(memcmp(mapped.bytes, file.bytes, 10 * page + 5) == 0);
		ck_assert_int_eq(n_forgiven, 0);
		for (size_t at = 10 * page + 5; at < file.n; at++)
			ck_assert_uint_eq(mapped.bytes[at], 0);
		ck_assert_int_eq(n_forgiven, 1);
		/* and it stays so, whatever comes of the file */
		ck_assert_int_eq(ftruncate(file.fd, (off_t)file.n), 0);
		ck_assert(sift_mapped_is_lost(&mapped));
		sift_mapped_close(&mapped);
		ck_assert(!is_mapped(file.path));
		/* the next is not lost for that */
		ck_assert(open_mapped(&mapped, &file, 0));
		ck_assert(!sift_mapped_is_lost(&mapped));
		sift_mapped_close(&mapped);
	}
	remove_file(&file);
}
END_TEST

START_TEST(pages_that_are_gone_cannot_be_had)
{
	struct sift_mapped mapped = { .fd = -1 };
	struct file file;

	make_file(&file, N_PAGES * page);
	if (open_mapped(&mapped, &file, 0)) {
		ck_assert_int_eq(ftruncate(file.fd, (off_t)(5 * page)), 0);
		ck_assert(sift_mapped_have(&mapped, 0, 5 * page));
		ck_assert(!sift_mapped_have(&mapped, 4 * page, 6 * page));
		sift_mapped_close(&mapped);
	}
	remove_file(&file);
}
END_TEST

START_TEST(other_addresses_are_not_forgiven)
{
	struct sift_mapped mapped = { .fd = -1 };
	const uint8_t *bytes;
	struct file file;

	make_file(&file, N_PAGES * page);
	ck_assert(!sift_mapped_forgive(&mapped, NULL));
	ck_assert(!sift_mapped_forgive(&mapped, file.bytes));
	if (open_mapped(&mapped, &file, 0)) {
		bytes = mapped.bytes;
		ck_assert(!sift_mapped_forgive(&mapped, bytes - 1));
		ck_assert(!sift_mapped_forgive(&mapped, bytes + N_PAGES * page));
		ck_assert(!sift_mapped_is_lost(&mapped));
		ck_assert(memcmp(bytes, file.bytes, file.n) == 0);
		sift_mapped_close(&mapped);
		ck_assert(!sift_mapped_forgive(&mapped, bytes));
	}
	remove_file(&file);
}
END_TEST

/* ---- pipelines ---- */

enum { N_PACKETS = 30000, PACKET = 60, RECORD = 16 + PACKET, HEAD = 24 };

/* A file with a header, to be closed. */
static FILE *
begin_capture(const char *path)
{
	static const uint32_t header[] = { 0xa1b2c3d4, 0x00040002, 0, 0, 262144, 1 };
	FILE *file = fopen(path, "wb");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(header, 1, sizeof(header), file), sizeof(header));
	return file;
}

static void
make_capture(const char *path, size_t n_bytes)
{
	FILE *file = begin_capture(path);
	uint8_t packet[PACKET] = { 0 };

	for (uint32_t i = 0; i < N_PACKETS; i++) {
		const uint32_t record[] = { 1700000000 + i, 0, PACKET, PACKET };

		memcpy(packet, &i, sizeof(i));
		packet[sizeof(i)] = (uint8_t)i;
		packet[PACKET - 1] = 1;
		ck_assert_uint_eq(fwrite(record, 1, sizeof(record), file), sizeof(record));
		ck_assert_uint_eq(fwrite(packet, 1, sizeof(packet), file), sizeof(packet));
	}
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_int_eq(truncate(path, (off_t)n_bytes), 0);
}

/* What is done to the file between two batches, or blocks. */
struct change {
	const char *path;
	off_t cut_to;
	bool is_input; /* its offset is moved: it is standard input, which others have, too */
	bool is_done, was_mapped;
};

static int
change(void *arg, struct ebpf_err *err)
{
	struct change *c = arg;

	(void)err;
	if (c->is_done)
		return 0;
	c->is_done = true;
	c->was_mapped = is_mapped(c->path);
	if (c->is_input)
		ck_assert_int_ge(lseek(STDIN_FILENO, c->cut_to, SEEK_SET), 0);
	else
		ck_assert_int_eq(truncate(c->path, c->cut_to), 0);
	return 0;
}

/* Bytes that this process has read by calls; 0: the system does not tell. */
static unsigned long long
bytes_read(void)
{
	FILE *io = fopen("/proc/self/io", "r");
	unsigned long long n = 0;

	if (io == NULL)
		return 0;
	if (fscanf(io, "rchar: %llu", &n) != 1)
		n = 0;
	fclose(io);
	return n;
}

struct outcome {
	unsigned long long n_read; /* while it ran */
	struct sift_pipeline_counters counters;
	int rc;
	struct ebpf_err err;
	uint8_t *bytes;
	size_t n;
};

static void
slurp(const char *path, struct outcome *outcome)
{
	FILE *file = fopen(path, "rb");

	ck_assert_ptr_nonnull(file);
	outcome->n = tempfile_size(path);
	outcome->bytes = malloc(outcome->n + 1);
	ck_assert_ptr_nonnull(outcome->bytes);
	ck_assert_uint_eq(fread(outcome->bytes, 1, outcome->n + 1, file), outcome->n);
	fclose(file);
}

/* How it is read, in blocks of which size, and what it becomes. */
static unsigned reader_flags = SIFT_READER_MAPPED;
static size_t block_size = 64 << 10;
static enum sift_format out_format = SIFT_FORMAT_PCAP;

static struct sift_sink *
open_sink(const char *path)
{
	const struct sift_savefile_opts opts = { .size = sizeof(opts),
						 .dlt = 1,
						 .snaplen = 262144,
						 .format = out_format };
	struct ebpf_err err = { "" };
	struct sift_sink *sink;

	ck_assert_msg(sift_sink_open_savefile(path, &opts, &sink, &err) == 0, "%s", err.text);
	return sink;
}

static void
run(struct change *c, unsigned threads, const struct sift_filter *filter, struct outcome *outcome)
{
	const struct sift_reader_opts reader = { .size = sizeof(reader), .flags = reader_flags };
	struct sift_pipeline_opts opts = { .size = sizeof(opts),
					   .filter = filter,
					   .threads = threads,
					   .between = c->is_done ? NULL : change,
					   .between_arg = c };
	struct sift_pipeline *pipeline;
	char out[TEMPFILE_PATH];

	*outcome = (struct outcome){ .counters.size = sizeof(outcome->counters) };
	tempfile_create(out);
	ck_assert_int_eq(sift_source_open_savefile_opts(c->is_input ? "-" : c->path, &reader,
							&opts.source, &outcome->err),
			 0);
	source_now = opts.source;
	opts.sink = open_sink(out);
	ck_assert_int_eq(sift_pipeline_new(&opts, &pipeline, &outcome->err), 0);
	sift_pipeline_set_blocks(pipeline, block_size, 1);
	outcome->n_read = bytes_read();
	outcome->rc = sift_pipeline_run(pipeline, &outcome->err);
	outcome->n_read = bytes_read() - outcome->n_read;
	ck_assert_int_eq(sift_pipeline_counters(pipeline, &outcome->counters, NULL), 0);
	sift_pipeline_free(pipeline);
	ck_assert_int_eq(sift_sink_close(opts.sink, NULL), 0);
	sift_source_close(opts.source);
	ck_assert(!is_mapped(c->path));
	slurp(out, outcome);
	unlink(out);
}

static const off_t cuts[] = {
	5 * 4096,                  /* where a page ends, here, and one of the second batch begins */
	HEAD + 300L * RECORD,      /* between records */
	HEAD + 300L * RECORD + 20, /* in one */
	HEAD + 20000L * RECORD + 5, /* behind what is asked for at once */
	10 * 4096,                 /* where a page ends, here */
	HEAD,
	3,
};

/* One thread has read no farther than it was when the file was cut. */
START_TEST(a_cut_file_ends_where_it_is_cut)
{
	struct sift_filter *filter = filter_make("ether[4] & 3 = 0", 65535);
	struct change c = { .cut_to = cuts[_i] }, none = { .is_done = true };
	struct outcome outcome, wanted;
	char path[TEMPFILE_PATH], copy[TEMPFILE_PATH];
	size_t seen;

	catch_bus_errors();
	tempfile_create(path);
	tempfile_create(copy);
	c.path = path;
	none.path = copy;
	make_capture(path, HEAD + (size_t)N_PACKETS * RECORD);
	run(&c, 1, filter, &outcome);
	ck_assert(c.is_done);
	if (!c.was_mapped)
		suite_skip("files are read here");
	/* what was seen before that is seen all the same */
	seen = (size_t)outcome.counters.seen;
	make_capture(copy, (size_t)c.cut_to > HEAD + seen * RECORD ? (size_t)c.cut_to
								    : HEAD + seen * RECORD);
	run(&none, 1, filter, &wanted);
	ck_assert_uint_eq(outcome.counters.seen, wanted.counters.seen);
	ck_assert_uint_eq(outcome.counters.matched, wanted.counters.matched);
	ck_assert_uint_eq(outcome.counters.written, wanted.counters.written);
	ck_assert_uint_eq(outcome.n, wanted.n);
	ck_assert(memcmp(outcome.bytes, wanted.bytes, wanted.n) == 0);
	ck_assert_int_eq(outcome.rc, wanted.rc);
	if (wanted.rc < 0)
		ck_assert_str_eq(strchr(outcome.err.text, ':'), strchr(wanted.err.text, ':'));
#ifndef BPFSIFT_DEBUG /* whose batches are too short */
	if (c.was_mapped && _i == 0 && page == 4096)
		ck_assert_int_gt(n_forgiven, 0);
#endif
	ck_assert_int_eq(n_others, 0);
	free(outcome.bytes);
	free(wanted.bytes);
	unlink(path);
	unlink(copy);
	sift_filter_free(filter);
}
END_TEST

/* Several threads may have been anywhere in the file. */
START_TEST(what_several_threads_write_of_a_cut_file_was_there)
{
	struct sift_filter *filter = filter_make("ether[4] & 3 = 0", 65535);
	struct change c = { .cut_to = cuts[_i] }, none = { .is_done = true };
	struct outcome outcome, whole;
	char path[TEMPFILE_PATH];
	int n_mapped = 0;

	catch_bus_errors();
	tempfile_create(path);
	c.path = none.path = path;
	make_capture(path, HEAD + (size_t)N_PACKETS * RECORD);
	run(&none, 1, filter, &whole);
	ck_assert_int_eq(whole.rc, 0);
	for (int i = 0; i < 5; i++) {
		make_capture(path, HEAD + (size_t)N_PACKETS * RECORD);
		c.is_done = false;
		run(&c, 3, filter, &outcome);
		n_mapped += c.was_mapped;
		ck_assert(outcome.rc == 0 || outcome.rc == -EINVAL);
		ck_assert_uint_le(outcome.n, whole.n);
		ck_assert(memcmp(outcome.bytes, whole.bytes, outcome.n) == 0);
		ck_assert_uint_eq(outcome.n, HEAD + outcome.counters.written * RECORD);
		ck_assert_uint_eq(outcome.counters.written, outcome.counters.matched);
		free(outcome.bytes);
	}
	if (n_mapped == 0)
		suite_skip("files are read here, or this thread came too late to see it");
	ck_assert_int_eq(n_others, 0);
	free(whole.bytes);
	unlink(path);
	sift_filter_free(filter);
}
END_TEST

START_TEST(an_offset_that_others_move_does_not_matter)
{
	struct sift_filter *filter = filter_make("ether[4] & 3 = 0", 65535);
	struct change none = { .is_done = true };
	struct outcome outcome, whole;
	char path[TEMPFILE_PATH];

	tempfile_create(path);
	none.path = path;
	make_capture(path, HEAD + (size_t)N_PACKETS * RECORD);
	run(&none, 1, filter, &whole);
	for (unsigned threads = 1; threads <= 3; threads++) {
		struct change c = { .path = path, .cut_to = 7, .is_input = true };
		int fd = open(path, O_RDONLY | O_CLOEXEC), saved = dup(STDIN_FILENO);

		ck_assert_int_ge(dup2(fd, STDIN_FILENO), 0);
		run(&c, threads, filter, &outcome);
		ck_assert_int_ge(dup2(saved, STDIN_FILENO), 0);
		close(saved);
		close(fd);
		if (!c.was_mapped)
			suite_skip("files are read here, or this thread came too late to see it");
		else
			ck_assert_msg(outcome.rc == 0, "%s", outcome.err.text);
		if (c.was_mapped) {
			ck_assert_uint_eq(outcome.n, whole.n);
			ck_assert(memcmp(outcome.bytes, whole.bytes, whole.n) == 0);
		}
		free(outcome.bytes);
	}
	free(whole.bytes);
	unlink(path);
	sift_filter_free(filter);
}
END_TEST

/* What was judged is counted, whatever becomes of it. */
START_TEST(a_batch_that_cannot_be_written_was_seen)
{
	enum { LIMIT = 400000 };
	struct sift_filter *filter = filter_make("ether[4] & 3 = 0", 65535);
	struct rlimit limit = { LIMIT, RLIM_INFINITY };
	struct change none = { .is_done = true };
	struct outcome outcome;
	char path[TEMPFILE_PATH];

	signal(SIGXFSZ, SIG_IGN);
	tempfile_create(path);
	none.path = path;
	make_capture(path, HEAD + (size_t)N_PACKETS * RECORD);
	setrlimit(RLIMIT_FSIZE, &limit);
	run(&none, 1, filter, &outcome);
	limit.rlim_cur = RLIM_INFINITY;
	setrlimit(RLIMIT_FSIZE, &limit);
	ck_assert_int_eq(outcome.rc, -EFBIG);
	ck_assert_uint_eq(outcome.n, HEAD + (LIMIT - HEAD) / RECORD * RECORD);
	ck_assert_uint_gt(outcome.counters.matched, outcome.counters.written);
	free(outcome.bytes);
	unlink(path);
	sift_filter_free(filter);
}
END_TEST

/*
 * Whose packets are too large for what is asked for at once, or for a guess; empty ones are
 * none to go by.  Where guesses are right, hardly anything is read; nor by one thread, unless
 * it keeps what it sees.
 */
START_TEST(packets_of_any_size_are_found)
{
	static const uint32_t sizes[] = { 0, 1, 1500, 9000, 65000, 140000, 262144 };
	bool is_guessed = sizes[_i] > 0 && sizes[_i] <= 9000;
	struct change none = { .is_done = true };
	static uint8_t packet[262144];
	struct outcome outcome;
	char path[TEMPFILE_PATH];
	uint32_t n_packets = 2000000 / (sizes[_i] + 16);
	struct sift_filter *nothing = filter_make("len > 262144", 65535);
	uint64_t n_bytes;
	struct sift_mapped mapped = { .fd = -1 };
	struct file any;
	bool can_map;
	FILE *file;

	make_file(&any, N_PAGES * page);
	if ((can_map = open_mapped(&mapped, &any, 0)))
		sift_mapped_close(&mapped);
	remove_file(&any);

	tempfile_create(path);
	none.path = path;
	file = begin_capture(path);
	for (uint32_t i = 0; i < n_packets; i++) {
		const uint32_t record[] = { 1700000000, i % 1000000, sizes[_i], sizes[_i] };

		fwrite(record, 1, sizeof(record), file);
		fwrite(packet, 1, sizes[_i], file);
	}
	ck_assert_int_eq(fclose(file), 0);
	n_bytes = n_packets * (16 + (uint64_t)sizes[_i]);
	for (unsigned k = 0; k < 6; k++) {
		unsigned threads = 1 + k / 2;
		bool is_kept = k % 2 == 0;

		run(&none, threads, is_kept ? NULL : nothing, &outcome);
		ck_assert_int_eq(outcome.rc, 0);
		ck_assert_uint_eq(outcome.counters.seen, n_packets);
		ck_assert_uint_eq(outcome.n, HEAD + (is_kept ? n_bytes : 0));
		if (can_map && outcome.n_read > 0 && (threads == 1 ? !is_kept : is_guessed))
			ck_assert_uint_lt(outcome.n_read, n_bytes / 8);
		if (can_map && outcome.n_read > 0 && threads == 1 && is_kept && is_guessed)
			ck_assert_uint_gt(outcome.n_read, n_bytes / 3);
		free(outcome.bytes);
	}
	sift_filter_free(nothing);
	unlink(path);
}
END_TEST

/* By one thread, once it has seen that it keeps it; whatever becomes of it. */
START_TEST(what_is_kept_is_read)
{
	struct change none = { .is_done = true };
	uint64_t n_bytes = HEAD + (uint64_t)N_PACKETS * RECORD;
	struct outcome outcome;
	char path[TEMPFILE_PATH];

	out_format = _i == 0 ? SIFT_FORMAT_PCAP : SIFT_FORMAT_PCAPNG;
	tempfile_create(path);
	none.path = path;
	make_capture(path, n_bytes);
	run(&none, 1, NULL, &outcome);
	ck_assert_int_eq(outcome.rc, 0);
	ck_assert_uint_eq(outcome.counters.written, N_PACKETS);
#ifndef BPFSIFT_DEBUG /* whose batches are too short to tell */
	if (outcome.n_read > 0) {
		ck_assert_uint_gt(outcome.n_read, n_bytes - n_bytes / 4);
		ck_assert_uint_lt(outcome.n_read, n_bytes + n_bytes / 4);
	}
#endif
	free(outcome.bytes);
	unlink(path);
}
END_TEST

/* Blocks of several stretches, as large ones are divided, that are each followed in lanes. */
START_TEST(large_blocks_are_followed_in_lanes)
{
	enum { N = 30000, MOST = 1514 };
	struct sift_filter *filter = filter_make("ether[0] & 3 = 0", 65535);
	struct change none = { .is_done = true };
	uint64_t rng = suite_seed(0xb10c);
	struct outcome wanted, outcome;
	uint8_t packet[MOST];
	char path[TEMPFILE_PATH];
	FILE *file;

	tempfile_create(path);
	none.path = path;
	file = begin_capture(path);
	for (uint32_t i = 0; i < N; i++) {
		uint32_t caplen = rng_below(&rng, MOST + 1);
		const uint32_t record[] = { 1700000000, i, caplen, caplen };

		for (size_t k = 0; k < caplen; k += 1 + rng_below(&rng, 16))
			packet[k] = (uint8_t)rng_next(&rng);
		fwrite(record, 1, sizeof(record), file);
		fwrite(packet, 1, caplen, file);
	}
	ck_assert_int_eq(fclose(file), 0);
	reader_flags = 0;
	run(&none, 1, filter, &wanted);
	reader_flags = SIFT_READER_MAPPED;
	block_size = 3 << 20;
	for (unsigned threads = 1; threads <= 3; threads++) {
		run(&none, threads, filter, &outcome);
		ck_assert_int_eq(outcome.rc, 0);
		ck_assert_uint_eq(outcome.counters.seen, N);
		ck_assert_uint_eq(outcome.counters.matched, wanted.counters.matched);
		ck_assert_uint_eq(outcome.n, wanted.n);
		ck_assert(memcmp(outcome.bytes, wanted.bytes, wanted.n) == 0);
		free(outcome.bytes);
	}
	free(wanted.bytes);
	unlink(path);
	sift_filter_free(filter);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("filter/mapped");
	TCase *tc = tcase_create("mapped");

	page = (size_t)sysconf(_SC_PAGESIZE);
	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, a_stretch_is_the_file);
	tcase_add_test(tc, what_was_dropped_takes_no_room);
	tcase_add_test(tc, what_was_cut_off_reads_as_zeros);
	tcase_add_test(tc, pages_that_are_gone_cannot_be_had);
	tcase_add_test(tc, other_addresses_are_not_forgiven);
	tcase_add_loop_test(tc, a_cut_file_ends_where_it_is_cut, 0, (int)N_ELEMS(cuts));
	tcase_add_loop_test(tc, what_several_threads_write_of_a_cut_file_was_there, 0,
			    (int)N_ELEMS(cuts));
	tcase_add_test(tc, an_offset_that_others_move_does_not_matter);
	tcase_add_test(tc, a_batch_that_cannot_be_written_was_seen);
	tcase_add_loop_test(tc, packets_of_any_size_are_found, 0, 7);
	tcase_add_loop_test(tc, what_is_kept_is_read, 0, 2);
	tcase_add_test(tc, large_blocks_are_followed_in_lanes);
	suite_add_tcase(s, tc);
	return s;
}
