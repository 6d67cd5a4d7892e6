/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Small files that are read as a series give what they give one by one, be they damaged or no
 * captures at all: the same bytes, the same counts, the same errors, whatever the number of
 * threads.
 */
#include "config.h"

#include <bpfsift/filter.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
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

enum { ETHERNET = 1, MOST = 40, ERRORS = MOST * 160 };

static struct {
	char paths[MOST][TEMPFILE_PATH + 16];
	size_t n;
} files;

/* What is asked for. */
struct order {
	const struct sift_filter *filter;
	enum sift_precision precision;
	uint32_t snaplen;
	uint64_t max_matched;
	unsigned flags, threads;
	bool is_written;
};

struct outcome {
	char path[TEMPFILE_PATH + 16];
	uint64_t seen, matched, written;
	char errors[ERRORS]; /* a line each */
	size_t n_series;     /* files that were read in one */
};

static struct sift_sink *
open_sink(const struct order *order, const char *path)
{
	return order->is_written ? capture_sink(path, order->precision) : NULL;
}

static void
note(struct outcome *outcome, const struct ebpf_err *err)
{
	ck_assert_uint_lt(strlen(outcome->errors) + strlen(err->text) + 2, ERRORS);
	strcat(outcome->errors, err->text);
	strcat(outcome->errors, "\n");
}

static void
run_pipeline(const struct order *order, struct sift_source *source, struct sift_sink *sink,
	     struct outcome *outcome)
{
	const struct sift_pipeline_opts opts = {
		.size = sizeof(opts),
		.source = source,
		.filter = order->filter,
		.sink = sink,
		.max_matched = order->max_matched != 0 ? order->max_matched - outcome->matched : 0,
		.snaplen = order->snaplen,
		.flags = order->flags,
		.threads = order->threads,
	};
	struct sift_pipeline_counters counters = { .size = sizeof(counters) };
	struct sift_pipeline *pipeline;
	struct ebpf_err err = { "" };

	ck_assert_int_eq(sift_pipeline_new(&opts, &pipeline, &err), 0);
	sift_pipeline_set_blocks(pipeline, 4096, 1);
	if (sift_pipeline_run(pipeline, &err) < 0)
		note(outcome, &err);
	ck_assert_int_eq(sift_pipeline_counters(pipeline, &counters, NULL), 0);
	outcome->seen += counters.seen;
	outcome->matched += counters.matched;
	outcome->written += counters.written;
	sift_pipeline_free(pipeline);
}

static bool
has_enough(const struct order *order, const struct outcome *outcome)
{
	return order->max_matched != 0 && outcome->matched >= order->max_matched;
}

static void
run_single(const struct order *order, size_t i, struct sift_sink *sink, struct outcome *outcome)
{
	struct sift_source *source;
	struct ebpf_err err = { "" };

	if (sift_source_open_savefile(files.paths[i], &source, &err) < 0) {
		note(outcome, &err);
		return;
	}
	run_pipeline(order, source, sink, outcome);
	sift_source_close(source);
}

/* What may be said of its size, as a file may have grown since, and be longer than that. */
static uint64_t
size_of(size_t i)
{
	uint64_t size = tempfile_size(files.paths[i]);

	return size > SIFT_SERIES_FILE_MAX && i % 2 == 0 ? 0 : size;
}

/* The numbers that files have in a series; SIZE_MAX: they are none for it. */
static struct sift_series *
make_series(size_t *numbers)
{
	struct sift_series *series;
	size_t n = 0;

	ck_assert_int_eq(sift_series_new(&series, NULL), 0);
	for (size_t i = 0; i < files.n; i++) {
		struct sift_source_info info = { .size = sizeof(info) };
		int fd = open(files.paths[i], O_RDONLY | O_CLOEXEC), rc;

		ck_assert_int_ge(fd, 0);
		rc = sift_series_add(series, files.paths[i], fd, size_of(i), &info, NULL);
		ck_assert_int_ge(rc, 0);
		numbers[i] = rc == 1 ? n++ : SIZE_MAX;
		if (rc == 0)
			close(fd);
		else
			ck_assert_ptr_eq(info.name, files.paths[i]);
	}
	return series;
}

static size_t
run_series(const struct order *order, struct sift_series *series, size_t first, size_t n,
	   struct sift_sink *sink, struct outcome *outcome)
{
	struct sift_source *source;
	size_t done;

	ck_assert_int_eq(sift_source_open_series(series, first, n, &source, NULL), 0);
	run_pipeline(order, source, sink, outcome);
	done = sift_series_done(source);
	ck_assert_uint_le(done, n);
	sift_source_close(source);
	return done;
}

/* As much as goes as a series, and what does not by itself. */
static void
run_all(const struct order *order, struct sift_sink *sink, struct outcome *outcome)
{
	size_t numbers[MOST];
	struct sift_series *series = make_series(numbers);

	for (size_t i = 0, done; i < files.n && !has_enough(order, outcome); i += done) {
		size_t n = 0;

		while (numbers[i] != SIZE_MAX && i + n < files.n && numbers[i + n] != SIZE_MAX)
			n++;
		done = n > 0 ? run_series(order, series, numbers[i], n, sink, outcome) : 0;
		outcome->n_series += done;
		if (done == 0 && !has_enough(order, outcome)) {
			run_single(order, i, sink, outcome);
			done = 1;
		}
	}
	sift_series_free(series);
}

static void
run(const struct order *order, bool is_series, const char *path, struct outcome *outcome)
{
	struct sift_sink *sink;

	*outcome = (struct outcome){ .seen = 0 };
	snprintf(outcome->path, sizeof(outcome->path), "%s-%d", path, is_series);
	sink = open_sink(order, outcome->path);
	if (is_series)
		run_all(order, sink, outcome);
	for (size_t i = 0; !is_series && i < files.n && !has_enough(order, outcome); i++)
		run_single(order, i, sink, outcome);
	ck_assert_int_eq(sift_sink_close(sink, NULL), 0);
}

static bool
are_same_files(const char *left, const char *right)
{
	FILE *a = fopen(left, "rb"), *b = fopen(right, "rb");
	int c, d;

	ck_assert(a != NULL && b != NULL);
	do {
		c = getc(a);
		d = getc(b);
	} while (c == d && c != EOF);
	fclose(a);
	fclose(b);
	return c == d;
}

static void
compare(const struct order *order, const struct outcome *wanted, const struct outcome *got)
{
	ck_assert_str_eq(got->errors, wanted->errors);
	ck_assert_uint_eq(got->seen, wanted->seen);
	ck_assert_uint_eq(got->matched, wanted->matched);
	ck_assert_uint_eq(got->written, wanted->written);
	if (order->is_written)
		ck_assert(are_same_files(got->path, wanted->path));
}

/* Another one, often one like that before, and now and then one that is no capture. */
static void
make_files(struct capture *capture, uint64_t *rng)
{
	size_t most = 1 + rng_below(rng, MOST);

	for (files.n = 0; files.n < most; files.n++) {
		char *path = files.paths[files.n];

		snprintf(path, sizeof(files.paths[0]), "%s.%zu", capture->path, files.n);
		if (files.n == 0 || rng_below(rng, 3) == 0)
			capture_make(capture, rng_below(rng, 20) == 0 ? 2000 : 30, rng);
		if (rng_below(rng, 20) == 0)
			tempfile_save(path, capture->bytes, rng_below(rng, 24));
		else
			tempfile_save(path, capture->bytes, capture->n);
	}
}

static void
remove_files(void)
{
	for (size_t i = 0; i < files.n; i++)
		unlink(files.paths[i]);
}

/* How many match in the first files, up to any of them: a limit that the last of one meets. */
static uint64_t
count_in_some(const struct order *order, const char *path, uint64_t *rng)
{
	static struct outcome outcome;
	size_t n = files.n;

	files.n = 1 + rng_below(rng, (uint32_t)n);
	run(order, false, path, &outcome);
	files.n = n;
	unlink(outcome.path);
	return outcome.matched;
}

static const char *const expressions[] = { NULL, "ether[0] < 128", "len > 100", "ip", "len >= 0" };

START_TEST(a_series_gives_what_its_files_do)
{
	uint64_t rng = suite_seed(0x5e71e5), n_runs = suite_scaled(600), n_read = 0, n_failed = 0;
	struct sift_filter *filters[N_ELEMS(expressions)] = { NULL };
	static struct outcome wanted, got;
	struct capture capture;

	for (size_t i = 1; i < N_ELEMS(expressions); i++)
		filters[i] = filter_make(expressions[i], 65535);
	capture_init(&capture);
	for (uint64_t i = 0; i < n_runs; i++) {
		struct order order = {
			.filter = filters[rng_below(&rng, N_ELEMS(filters))],
			.precision =
				rng_below(&rng, 2) ? SIFT_PRECISION_NANO : SIFT_PRECISION_MICRO,
			.snaplen = rng_below(&rng, 4) == 0 ? 1 + rng_below(&rng, 200) : 0,
			.flags = rng_below(&rng, 8) == 0 ? SIFT_PIPELINE_FLUSH : 0,
			.threads = 1,
			.is_written = rng_below(&rng, 8) != 0,
		};

		make_files(&capture, &rng);
		if (rng_below(&rng, 2) == 0)
			order.max_matched = rng_below(&rng, 2) == 0
						    ? count_in_some(&order, capture.path, &rng)
						    : 1 + rng_below(&rng, 300);
		run(&order, false, capture.path, &wanted);
		order.threads = 1 + rng_below(&rng, 4);
		run(&order, true, capture.path, &got);
		compare(&order, &wanted, &got);
		n_read += got.n_series;
		n_failed += got.errors[0] != '\0';
		unlink(wanted.path);
		unlink(got.path);
		remove_files();
	}
	capture_destroy(&capture);
	for (size_t i = 1; i < N_ELEMS(expressions); i++)
		sift_filter_free(filters[i]);
	printf("%llu runs, %llu with errors, %llu files read in series\n",
	       (unsigned long long)n_runs, (unsigned long long)n_failed,
	       (unsigned long long)n_read);
	ck_assert(n_runs < 100 || (n_failed > n_runs / 4 && n_read > n_runs));
}
END_TEST

/* ---- files that are alike ---- */

enum { N_ALIKE = 30, PACKETS = 100, PACKET = 200 };

/* Packets of zeros in the first files, and behind them of ones. */
static void
make_alike(const char *path, size_t n_zeros)
{
	static const uint32_t header[] = { 0xa1b2c3d4, 0x00040002, 0, 0, 262144, ETHERNET };
	const uint32_t record[] = { 1, 2, PACKET, PACKET };
	static uint8_t bytes[sizeof(header) + PACKETS * (sizeof(record) + PACKET)];

	for (files.n = 0; files.n < N_ALIKE; files.n++) {
		memset(bytes, files.n < n_zeros ? 0 : 0xff, sizeof(bytes));
		memcpy(bytes, header, sizeof(header));
		for (size_t i = 0; i < PACKETS; i++)
			memcpy(bytes + sizeof(header) + i * (sizeof(record) + PACKET), record,
			       sizeof(record));
		snprintf(files.paths[files.n], sizeof(files.paths[0]), "%s.%zu", path, files.n);
		tempfile_save(files.paths[files.n], bytes, sizeof(bytes));
	}
}

/* Of bytes in a savefile of so many packets. */
static uint64_t
length(uint64_t n_packets)
{
	return 24 + n_packets * (16 + PACKET);
}

static struct sift_source *
open_alike(struct sift_series **series)
{
	struct sift_source *source;
	size_t numbers[MOST];

	*series = make_series(numbers);
	for (size_t i = 0; i < files.n; i++)
		ck_assert_uint_eq(numbers[i], i);
	ck_assert_int_eq(sift_source_open_series(*series, 0, files.n, &source, NULL), 0);
	return source;
}

/* Wherever stretches of them end: nothing behind is read, in which nothing matches. */
START_TEST(a_limit_that_a_last_packet_meets_ends_the_run)
{
	struct sift_filter *filter = filter_make("ether[0] < 128", 65535);
	struct order order = { .filter = filter, .is_written = true };
	static struct outcome wanted, got;
	char path[TEMPFILE_PATH];

	tempfile_create(path);
	for (size_t n = 1; n < 16; n++) {
		make_alike(path, n);
		order.max_matched = n * PACKETS;
		order.threads = 1;
		run(&order, false, path, &wanted);
		ck_assert_uint_eq(wanted.seen, n * PACKETS);
		order.threads = (unsigned)_i;
		run(&order, true, path, &got);
		compare(&order, &wanted, &got);
		unlink(wanted.path);
		unlink(got.path);
	}
	remove_files();
	unlink(path);
	sift_filter_free(filter);
}
END_TEST

START_TEST(a_failing_sink_ends_the_run)
{
	struct order order = { .threads = (unsigned)_i, .is_written = true };
	struct rlimit limit = { 300000, RLIM_INFINITY };
	struct outcome outcome = { .seen = 0 };
	struct sift_series *series;
	struct sift_source *source;
	struct sift_sink *sink;
	char path[TEMPFILE_PATH];

	signal(SIGXFSZ, SIG_IGN);
	tempfile_create(path);
	make_alike(path, N_ALIKE);
	source = open_alike(&series);
	sink = open_sink(&order, path);
	setrlimit(RLIMIT_FSIZE, &limit);
	run_pipeline(&order, source, sink, &outcome);
	limit.rlim_cur = RLIM_INFINITY;
	setrlimit(RLIMIT_FSIZE, &limit);
	ck_assert_ptr_nonnull(strstr(outcome.errors, ": offset 300000: File too large"));
	ck_assert_uint_eq(tempfile_size(path), length(300000 / (16 + PACKET)));
	ck_assert_uint_lt(sift_series_done(source), N_ALIKE);
	sift_sink_close(sink, NULL);
	sift_source_close(source);
	sift_series_free(series);
	remove_files();
	unlink(path);
}
END_TEST

/* What is done between files. */
struct interval {
	struct sift_source *source;
	unsigned n_calls, last; /* the last one ends the run */
	uint64_t position;
	size_t done;
};

static int
between(void *arg, struct ebpf_err *err)
{
	struct interval *i = arg;

	(void)err;
	ck_assert_uint_ge(sift_source_position(i->source), i->position);
	ck_assert_uint_ge(sift_series_done(i->source), i->done);
	i->position = sift_source_position(i->source);
	i->done = sift_series_done(i->source);
	return ++i->n_calls == i->last;
}

/* However few threads there are, and whether a filter lets several of them work. */
START_TEST(between_is_told_of_files)
{
	struct interval interval = { .last = _i % 2 ? 3 : UINT32_MAX };
	struct order order = { .is_written = true };
	struct sift_pipeline_opts opts = { .size = sizeof(opts),
					   .threads = 1 + (unsigned)_i / 2,
					   .between = between,
					   .between_arg = &interval };
	struct sift_pipeline_counters counters = { .size = sizeof(counters) };
	struct sift_pipeline *pipeline;
	struct sift_series *series;
	char path[TEMPFILE_PATH];

	tempfile_create(path);
	make_alike(path, N_ALIKE);
	opts.source = interval.source = open_alike(&series);
	opts.sink = open_sink(&order, path);
	ck_assert_int_eq(sift_pipeline_new(&opts, &pipeline, NULL), 0);
	sift_pipeline_set_blocks(pipeline, 4096, 1);
	ck_assert_int_eq(sift_pipeline_run(pipeline, NULL), 0);
	sift_pipeline_counters(pipeline, &counters, NULL);
	if (interval.n_calls < interval.last) {
		ck_assert_uint_eq(sift_series_done(opts.source), N_ALIKE);
		ck_assert_uint_eq(sift_source_position(opts.source), N_ALIKE * length(PACKETS));
	} else {
		ck_assert_uint_eq(interval.n_calls, interval.last);
	}
	ck_assert_uint_eq(counters.written, sift_series_done(opts.source) * PACKETS);
	sift_pipeline_free(pipeline);
	ck_assert_int_eq(sift_sink_close(opts.sink, NULL), 0);
	ck_assert_uint_eq(tempfile_size(path), length(counters.written));
	sift_source_close(opts.source);
	sift_series_free(series);
	remove_files();
	unlink(path);
}
END_TEST

static void *
stop_soon(void *source)
{
	usleep(100);
	sift_source_stop(source);
	return NULL;
}

START_TEST(a_stopped_series_ends_between_files)
{
	struct order order = { .threads = 3, .is_written = true };
	char path[TEMPFILE_PATH];

	tempfile_create(path);
	make_alike(path, N_ALIKE);
	for (int i = 0; i < 20; i++) {
		struct outcome outcome = { .seen = 0 };
		struct sift_series *series;
		struct sift_source *source = open_alike(&series);
		struct sift_sink *sink = open_sink(&order, path);
		pthread_t stopper;

		ck_assert_int_eq(pthread_create(&stopper, NULL, stop_soon, source), 0);
		run_pipeline(&order, source, sink, &outcome);
		pthread_join(stopper, NULL);
		ck_assert_str_eq(outcome.errors, "");
		ck_assert_uint_eq(outcome.written, outcome.seen);
		ck_assert_uint_eq(outcome.written, sift_series_done(source) * PACKETS);
		ck_assert_int_eq(sift_sink_close(sink, NULL), 0);
		ck_assert_uint_eq(tempfile_size(path), length(outcome.written));
		sift_source_close(source);
		sift_series_free(series);
	}
	remove_files();
	unlink(path);
}
END_TEST

/* ---- what is not read ---- */

START_TEST(a_series_ends_in_front_of_what_has_changed)
{
	static const uint32_t others[] = { 0xa1b23c4d, 0x00040002, 0, 0, 262144, ETHERNET };
	static uint8_t longer[SIFT_SERIES_FILE_MAX + 1];
	const struct sift_view *views;
	struct sift_series *series;
	struct sift_source *source;
	char path[TEMPFILE_PATH];
	size_t n, n_packets = 0;

	tempfile_create(path);
	make_alike(path, N_ALIKE);
	source = open_alike(&series);
	switch (_i) {
	case 0: /* cut */
		ck_assert_int_eq(truncate(files.paths[3], 1000), 0);
		break;
	case 1: /* another's header */
		tempfile_save(files.paths[3], (const uint8_t *)others, sizeof(others));
		break;
	case 2: /* grown beyond what is read here */
		memcpy(longer, (const uint32_t[]){ 0xa1b2c3d4, 0x00040002, 0, 0, 262144, ETHERNET },
		       24);
		tempfile_save(files.paths[3], longer, sizeof(longer));
		break;
	}
	while (sift_source_next(source, &views, &n, NULL) == 1)
		n_packets += n;
	ck_assert_uint_eq(sift_series_done(source), 3);
	ck_assert_uint_eq(n_packets, 3 * PACKETS);
	ck_assert_uint_eq(sift_source_position(source), 3 * length(PACKETS));
	sift_source_close(source);
	/* what comes behind can be gone on with */
	ck_assert_int_eq(sift_source_open_series(series, 4, 2, &source, NULL), 0);
	ck_assert_int_eq(sift_source_next(source, &views, &n, NULL), 1);
	ck_assert_int_eq(views[0].ts_sec, 1);
	ck_assert_uint_eq(views[0].known & SIFT_KNOWN_HATYPE, SIFT_KNOWN_HATYPE);
	sift_source_close(source);
	sift_series_free(series);
	remove_files();
	unlink(path);
}
END_TEST

/* A file's first bytes; 0: it is not for a series. */
static const struct {
	uint32_t fields[6];
	size_t n;
	int rc;
} beginnings[] = {
	{ { 0xa1b2c3d4, 0x00040002, 0, 0, 262144, ETHERNET }, 24, 1 },
	{ { 0xd4c3b2a1, 0x04000200, 0, 0, 0x00000400, 0x01000000 }, 24, 1 },
	{ { 0xa1b23c4d, 0x00040002, 0, 0, 96, 113 }, 24, 1 },
	{ { 0xa1b2c3d4, 0x00040002, 0, 0, 262144, ETHERNET }, 23, 0 },
	{ { 0 }, 0, 0 },
	{ { 0xa1b2c3d4, 0x00030002, 0, 0, 262144, ETHERNET }, 24, 0 }, /* an older version */
	{ { 0xa1b2c3d4, 0x00040003, 0, 0, 262144, ETHERNET }, 24, 0 }, /* none that there is */
	{ { 0xa1b2cd34, 0x00040002, 0, 0, 262144, ETHERNET }, 24, 0 }, /* modified */
	{ { 0xd4c3b2a1, 0x04000200, 0, 0, 0x00000400, 0x71000000 }, 24, 0 }, /* cooked, swapped */
	{ { 0xa1b2c3d4, 0x00040002, 0, 0, 262144, 189 }, 24, 0 }, /* USB, which libpcap changes */
	{ { 0x0a0d0d0a, 28, 0x1a2b3c4d, 1, 0xffffffff, 0xffffffff }, 24, 0 }, /* pcapng */
	{ { 0x00088b1f, 0, 0, 0, 0, 0 }, 24, 0 },                             /* gzip */
};

START_TEST(only_plain_pcap_is_for_a_series)
{
	struct sift_source_info info = { .size = sizeof(info) }, alone = { .size = sizeof(alone) },
				small = { .size = 4 };
	struct sift_series *series;
	struct sift_source *source;
	char path[TEMPFILE_PATH];
	int fd;

	tempfile_create(path);
	tempfile_save(path, (const uint8_t *)beginnings[_i].fields, beginnings[_i].n);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(sift_series_new(&series, NULL), 0);
	if (beginnings[_i].rc == 1)
		ck_assert_int_eq(sift_series_add(series, path, fd, 24, &small, NULL), -EINVAL);
	ck_assert_int_eq(sift_series_add(series, path, fd, 24, &info, NULL), beginnings[_i].rc);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 0);
	ck_assert_int_eq(sift_series_add(series, path, fd, SIFT_SERIES_FILE_MAX + 1, &info, NULL),
			 0);
	if (beginnings[_i].rc == 1) {
		ck_assert_int_eq(sift_source_open_savefile(path, &source, NULL), 0);
		ck_assert_int_eq(sift_source_info(source, &alone, NULL), 0);
		ck_assert_int_eq(info.dlt, alone.dlt);
		ck_assert_uint_eq(info.linktype_ext, alone.linktype_ext);
		ck_assert_uint_eq(info.snaplen, alone.snaplen);
		ck_assert_int_eq(info.precision, alone.precision);
		ck_assert_uint_eq(info.expr_flags, alone.expr_flags);
		sift_source_close(source);
	} else {
		close(fd);
	}
	sift_series_free(series);
	unlink(path);
}
END_TEST

START_TEST(no_more_files_than_there_are)
{
	struct sift_series *series;
	struct sift_source *source = NULL;
	struct sift_source_info info = { .size = sizeof(info) };
	struct ebpf_err err;
	int ends[2];

	ck_assert_int_eq(sift_series_new(&series, NULL), 0);
	ck_assert_int_eq(sift_source_open_series(series, 0, 0, &source, &err), -EINVAL);
	ck_assert_int_eq(sift_source_open_series(series, 0, 1, &source, &err), -EINVAL);
	ck_assert_str_eq(err.text, "files 0 to 1, but the series has 0");
	ck_assert_int_eq(sift_source_open_series(series, SIZE_MAX, 1, &source, &err), -EINVAL);
	ck_assert_ptr_null(source);
	/* a pipe has no beginning to go back to */
	ck_assert_int_eq(pipe(ends), 0);
	ck_assert_int_eq(write(ends[1], "\324\303\262\241", 4), 4);
	ck_assert_int_eq(sift_series_add(series, "a pipe", ends[0], 0, &info, &err), 0);
	close(ends[0]);
	close(ends[1]);
	sift_series_free(series);
	sift_series_free(NULL);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("filter/series");
	TCase *tc = tcase_create("series");

	tcase_set_timeout(tc, 900);
	tcase_add_test(tc, a_series_gives_what_its_files_do);
	tcase_add_loop_test(tc, a_limit_that_a_last_packet_meets_ends_the_run, 1, 4);
	tcase_add_loop_test(tc, a_failing_sink_ends_the_run, 1, 4);
	tcase_add_loop_test(tc, between_is_told_of_files, 0, 8);
	tcase_add_test(tc, a_stopped_series_ends_between_files);
	tcase_add_loop_test(tc, a_series_ends_in_front_of_what_has_changed, 0, 3);
	tcase_add_loop_test(tc, only_plain_pcap_is_for_a_series, 0, (int)N_ELEMS(beginnings));
	tcase_add_test(tc, no_more_files_than_there_are);
	suite_add_tcase(s, tc);
	return s;
}
