/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several threads write what one does, and what one does whose packets libpcap reads:
 * the same bytes, the same counts, the same error at the end; for captures that are cut
 * or damaged anywhere and whose contents look like records, in blocks of any size.
 */
#include "config.h"

#include "filter/pipeline.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "filter/source.h"
#include "tests/support/capture.h"
#include "tests/support/filter.h"
#include "tests/support/suite.h"
#include "tests/support/tempfile.h"

enum { ETHERNET = 1 };

/* libpcap's reader, ours with one thread or several, the same of a file that is mapped. */
enum way { LIBPCAP, ONE, SEVERAL, MAPPED_ONE, MAPPED_SEVERAL, N_WAYS };

/* How an output came to be. */
struct outcome {
	char path[80];
	uint64_t seen, matched, written;
	int rc;
	struct ebpf_err err;
};

/* What is asked of every way alike. */
struct order {
	const char *path;
	size_t size; /* of the file there */
	const struct sift_filter *filter;
	enum sift_precision precision;
	uint32_t snaplen;
	bool is_written;
	enum sift_format format;
	unsigned flags;
};

static struct sift_source *
open_source(const char *path, unsigned flags)
{
	const struct sift_reader_opts opts = { .size = sizeof(opts), .flags = flags };
	struct sift_source *source;
	struct ebpf_err err = { "" };

	ck_assert_msg(sift_source_open_savefile_opts(path, &opts, &source, &err) == 0, "%s",
		      err.text);
	return source;
}

static struct sift_sink *
open_sink(const struct order *order, const char *path)
{
	const struct sift_savefile_opts opts = {
		.size = sizeof(opts),
		.dlt = ETHERNET,
		.snaplen = 262144,
		.precision = order->precision,
		.format = order->format,
		.flags = order->flags,
	};
	struct ebpf_err err = { "" };
	struct sift_sink *sink = NULL;

	ck_assert_msg(!order->is_written || sift_sink_open_savefile(path, &opts, &sink, &err) == 0,
		      "%s", err.text);
	return sink;
}

static void
run_pipeline(const struct order *order, struct sift_source *source, struct sift_sink *sink,
	     struct outcome *outcome, unsigned threads, size_t block_size)
{
	const struct sift_pipeline_opts opts = {
		.size = sizeof(opts),
		.source = source,
		.filter = order->filter,
		.sink = sink,
		.snaplen = order->snaplen,
		.threads = threads,
	};
	struct sift_pipeline_counters counters = { .size = sizeof(counters) };
	struct sift_pipeline *pipeline;

	ck_assert_int_eq(sift_pipeline_new(&opts, &pipeline, &outcome->err), 0);
	if (block_size != 0)
		sift_pipeline_set_blocks(pipeline, block_size, 1);
	outcome->rc = sift_pipeline_run(pipeline, &outcome->err);
	ck_assert_int_eq(sift_pipeline_counters(pipeline, &counters, NULL), 0);
	outcome->seen += counters.seen;
	outcome->matched += counters.matched;
	outcome->written += counters.written;
	sift_pipeline_free(pipeline);
}

/* Blocks of a size that no pipeline would choose, but not too many of them. */
static size_t
any_block_size(size_t file_size, uint64_t *rng)
{
	static const size_t sizes[] = { 16, 17, 64, 1000, 4096, 65536, 131072 };
	size_t size;

	do
		size = sizes[rng_below(rng, N_ELEMS(sizes))];
	while (file_size / size > 20000);
	return size;
}

static void
run(const struct order *order, enum way way, struct outcome *outcome, uint64_t *rng)
{
	struct sift_source *source = open_source(order->path, way == LIBPCAP ? SIFT_READER_LIBPCAP
							      : way >= MAPPED_ONE
								      ? SIFT_READER_MAPPED
								      : 0);
	struct sift_sink *sink;

	*outcome = (struct outcome){ .rc = 0 };
	snprintf(outcome->path, sizeof(outcome->path), "%s-%u", order->path, way);
	sink = open_sink(order, outcome->path);
	ck_assert(way == LIBPCAP || source->records != NULL);
	run_pipeline(order, source, sink, outcome,
		     way == SEVERAL || way == MAPPED_SEVERAL ? 2 + rng_below(rng, 4) : 1,
		     way >= SEVERAL ? any_block_size(order->size, rng) : 0);
	ck_assert_int_eq(sift_sink_close(sink, &outcome->err), 0);
	sift_source_close(source);
}

static size_t
slurp(const char *path, uint8_t *to)
{
	FILE *file = fopen(path, "rb");
	size_t n;

	ck_assert_ptr_nonnull(file);
	n = fread(to, 1, 3 * CAPTURE_MAX, file);
	ck_assert(feof(file));
	fclose(file);
	return n;
}

static void
compare(const struct order *order, const struct outcome *wanted, const struct outcome *got)
{
	static uint8_t theirs[3 * CAPTURE_MAX], ours[3 * CAPTURE_MAX];

	ck_assert_uint_eq(got->seen, wanted->seen);
	ck_assert_uint_eq(got->matched, wanted->matched);
	ck_assert_uint_eq(got->written, wanted->written);
	ck_assert_int_eq(got->rc, wanted->rc);
	if (wanted->rc < 0)
		ck_assert_str_eq(got->err.text, wanted->err.text);
	if (order->is_written) {
		size_t n = slurp(wanted->path, theirs);

		ck_assert_uint_eq(slurp(got->path, ours), n);
		ck_assert(memcmp(ours, theirs, n) == 0);
	}
}

static const char *const expressions[] = {
	NULL, "ether[0] < 128", "len > 100", "ether[12:2] > 60000 or len < 60", "ip", "len >= 0",
};

START_TEST(several_threads_do_what_one_does)
{
	uint64_t rng = suite_seed(0x9a7a), n_files = suite_scaled(3000), n_failed = 0, matched = 0;
	struct sift_filter *filters[N_ELEMS(expressions)] = { NULL };
	struct outcome outcomes[N_WAYS];
	struct capture capture;

	for (size_t i = 1; i < N_ELEMS(expressions); i++)
		filters[i] = filter_make(expressions[i], 65535);
	capture_init(&capture);
	for (uint64_t i = 0; i < n_files; i++) {
		struct order order = {
			.path = capture.path,
			.filter = filters[rng_below(&rng, N_ELEMS(filters))],
			.precision = rng_below(&rng, 2) ? SIFT_PRECISION_NANO
							: SIFT_PRECISION_MICRO,
			.snaplen = rng_below(&rng, 4) == 0 ? 1 + rng_below(&rng, 200) : 0,
			.is_written = rng_below(&rng, 8) != 0,
		};
		static const struct {
			enum sift_format format;
			unsigned flags;
		} outputs[] = { { SIFT_FORMAT_PCAP, 0 },
				{ SIFT_FORMAT_PCAP, 0 },
				{ SIFT_FORMAT_PCAPNG, 0 },
				{ SIFT_FORMAT_PCAPNG, SIFT_SAVEFILE_SECTIONS } };
		size_t output = rng_below(&rng, N_ELEMS(outputs));

		order.format = outputs[output].format;
		order.flags = outputs[output].flags |
			      (rng_below(&rng, 2) ? SIFT_SAVEFILE_BEHIND : 0);
		capture_make(&capture, i % 8 == 0 ? 2000 : 150, &rng);
		order.size = capture.n;
		for (unsigned way = LIBPCAP; way < N_WAYS; way++)
			run(&order, way, &outcomes[way], &rng);
		for (unsigned way = ONE; way < N_WAYS; way++)
			compare(&order, &outcomes[LIBPCAP], &outcomes[way]);
		for (unsigned way = LIBPCAP; way < N_WAYS; way++)
			unlink(outcomes[way].path);
		n_failed += outcomes[LIBPCAP].rc < 0;
		matched += outcomes[LIBPCAP].matched;
	}
	capture_destroy(&capture);
	for (size_t i = 1; i < N_ELEMS(expressions); i++)
		sift_filter_free(filters[i]);
	printf("%llu files, %llu with an error at the end, %llu packets matched\n",
	       (unsigned long long)n_files, (unsigned long long)n_failed,
	       (unsigned long long)matched);
	ck_assert(n_files < 100 || (n_failed > n_files / 4 && matched > n_files));
}
END_TEST

/* ---- one large capture, as the pipeline itself divides it ---- */

enum { N_PACKETS = 20000, PACKET = 600 };

static void
make_large(struct capture *capture)
{
	static const uint32_t header[] = { 0xa1b2c3d4, 0x00040002, 0, 0, 262144, ETHERNET };
	FILE *file = fopen(capture->path, "wb");
	uint8_t packet[PACKET] = { 0 };

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(header, 1, sizeof(header), file), sizeof(header));
	for (uint32_t i = 0; i < N_PACKETS; i++) {
		const uint32_t record[] = { i, 0, PACKET, PACKET };

		memcpy(packet, &i, sizeof(i));
		ck_assert_uint_eq(fwrite(record, 1, sizeof(record), file), sizeof(record));
		ck_assert_uint_eq(fwrite(packet, 1, sizeof(packet), file), sizeof(packet));
	}
	ck_assert_int_eq(fclose(file), 0);
}

START_TEST(a_failing_sink_ends_all_threads)
{
	struct rlimit limit = { 5000000, RLIM_INFINITY };
	struct capture capture;
	struct order order = { .is_written = true };
	struct outcome outcome = { .rc = 0 };
	struct sift_source *source;
	struct sift_sink *sink;

	signal(SIGXFSZ, SIG_IGN);
	capture_init(&capture);
	make_large(&capture);
	order.path = capture.path;
	snprintf(outcome.path, sizeof(outcome.path), "%s-out", capture.path);
	source = open_source(capture.path, 0);
	sink = open_sink(&order, outcome.path);
	setrlimit(RLIMIT_FSIZE, &limit);
	run_pipeline(&order, source, sink, &outcome, 3, 0);
	limit.rlim_cur = RLIM_INFINITY;
	setrlimit(RLIMIT_FSIZE, &limit);
	ck_assert_int_eq(outcome.rc, -EFBIG);
	ck_assert_ptr_nonnull(strstr(outcome.err.text, ": offset 5000000: File too large"));
	ck_assert_uint_le(outcome.written, outcome.matched);
	/* cut to whole records, the first ones */
	ck_assert_uint_eq(tempfile_size(outcome.path),
			  24 + 5000000 / (16 + PACKET) * (16 + PACKET));
	ck_assert_int_eq(sift_sink_close(sink, &outcome.err), 0);
	sift_source_close(source);
	unlink(outcome.path);
	capture_destroy(&capture);
}
END_TEST

static void *
stop_soon(void *source)
{
	usleep(1000);
	sift_source_stop(source);
	return NULL;
}

START_TEST(a_stopped_source_ends_all_threads)
{
	struct capture capture;
	struct order order = { .is_written = true };

	capture_init(&capture);
	make_large(&capture);
	order.path = capture.path;
	for (int i = 0; i < 20; i++) {
		struct outcome outcome = { .rc = 0 };
		struct sift_source *source = open_source(capture.path, 0);
		struct sift_sink *sink;
		pthread_t stopper;

		snprintf(outcome.path, sizeof(outcome.path), "%s-out", capture.path);
		sink = open_sink(&order, outcome.path);
		ck_assert_int_eq(pthread_create(&stopper, NULL, stop_soon, source), 0);
		run_pipeline(&order, source, sink, &outcome, 3, 0);
		pthread_join(stopper, NULL);
		ck_assert_int_eq(outcome.rc, 0);
		ck_assert_uint_eq(outcome.written, outcome.seen);
		ck_assert_int_eq(sift_sink_close(sink, &outcome.err), 0);
		ck_assert_uint_eq(tempfile_size(outcome.path),
				  24 + outcome.written * (16 + PACKET));
		sift_source_close(source);
		unlink(outcome.path);
	}
	capture_destroy(&capture);
}
END_TEST

START_TEST(views_are_whole_again_after_a_run)
{
	struct capture capture;
	struct sift_pipeline_opts opts = { .size = sizeof(opts), .max_matched = 1 };
	const struct sift_view *views;
	struct sift_pipeline *pipeline;
	struct ebpf_err err;
	size_t n;

	capture_init(&capture);
	make_large(&capture);
	opts.source = open_source(capture.path, 0);
	ck_assert_int_eq(sift_pipeline_new(&opts, &pipeline, &err), 0);
	ck_assert_int_eq(sift_pipeline_run(pipeline, &err), 0);
	ck_assert_int_eq(sift_source_next(opts.source, &views, &n, &err), 1);
	ck_assert_int_gt(views[0].ts_sec, 0);
	ck_assert_uint_eq(views[0].hatype, 1);
	ck_assert_uint_eq(views[0].known & SIFT_KNOWN_HATYPE, SIFT_KNOWN_HATYPE);
	sift_pipeline_free(pipeline);
	sift_source_close(opts.source);
	capture_destroy(&capture);
}
END_TEST

/* ---- between ---- */

/* What is done between blocks, or batches. */
struct interval {
	struct sift_source *source;
	struct sift_filter *filter, *with; /* they change places; NULL: none */
	unsigned n_calls, last;            /* the last one answers with rc; 0: there is none */
	int rc;
	uint64_t position;
};

static int
between(void *arg, struct ebpf_err *err)
{
	struct interval *i = arg;
	uint64_t position = sift_source_position(i->source);

	ck_assert_uint_ge(position, i->position);
	i->position = position;
	if (i->filter != NULL)
		sift_filter_replace(i->filter, i->with);
	if (++i->n_calls != i->last)
		return 0;
	if (i->rc < 0)
		snprintf(err->text, sizeof(err->text), "enough of it");
	return i->rc;
}

static struct sift_pipeline_counters
run_between(struct interval *interval, unsigned threads, struct sift_sink *sink, int *rc,
	    struct ebpf_err *err)
{
	const struct sift_pipeline_opts opts = {
		.size = sizeof(opts),
		.source = interval->source,
		.filter = interval->filter,
		.sink = sink,
		.threads = threads,
		.between = between,
		.between_arg = interval,
	};
	struct sift_pipeline_counters counters = { .size = sizeof(counters) };
	struct sift_pipeline *pipeline;

	ck_assert_int_eq(sift_pipeline_new(&opts, &pipeline, err), 0);
	*rc = sift_pipeline_run(pipeline, err);
	ck_assert_int_eq(sift_pipeline_counters(pipeline, &counters, NULL), 0);
	sift_pipeline_free(pipeline);
	return counters;
}

/* Matches whatever has a network layer, which takes more of a view than its bytes. */
static struct sift_filter *
make_impure(void)
{
	static const struct cbpf_insn insns[] = {
		CBPF_STMT(CBPF_LD | CBPF_B | CBPF_ABS, (uint32_t)CBPF_NET_OFF),
		CBPF_STMT(CBPF_RET | CBPF_K, 1),
	};
	struct sift_filter *filter;
	struct cbpf_prog *prog;
	struct ebpf_err err;

	ck_assert_int_eq(cbpf_check(insns, 2, CBPF_DIALECT_KERNEL, &prog, &err), 0);
	ck_assert_int_eq(sift_filter_new(prog, NULL, &filter, &err), 0);
	cbpf_prog_free(prog);
	return filter;
}

/* By one that looks at more than views have had so far, and back: all match by each. */
START_TEST(filters_are_replaced_while_they_run)
{
	struct capture capture;
	struct interval interval = { .with = make_impure(), .filter = filter_make("len > 0", 1) };
	struct sift_pipeline_counters counters;
	struct order order = { .is_written = _i % 2 };
	char path[80];
	struct sift_sink *sink;
	struct ebpf_err err;
	int rc;

	capture_init(&capture);
	make_large(&capture);
	snprintf(path, sizeof(path), "%s-out", capture.path);
	interval.source = open_source(capture.path, 0);
	sink = open_sink(&order, path);
	counters = run_between(&interval, _i < 2 ? 1 : 3, sink, &rc, &err);
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_eq(counters.seen, N_PACKETS);
	ck_assert_uint_eq(counters.matched, N_PACKETS);
	/* of several threads, this one may have come too late for any block */
	ck_assert(interval.n_calls > 1 || _i >= 2);
	ck_assert_uint_eq(sift_source_position(interval.source), tempfile_size(capture.path));
	ck_assert_uint_eq(sift_source_size(interval.source), tempfile_size(capture.path));
	ck_assert_int_eq(sift_sink_close(sink, &err), 0);
	if (order.is_written)
		ck_assert_uint_eq(tempfile_size(path), tempfile_size(capture.path));
	sift_source_close(interval.source);
	sift_filter_free(interval.filter);
	sift_filter_free(interval.with);
	unlink(path);
	capture_destroy(&capture);
}
END_TEST

static const struct {
	unsigned threads;
	int asked, rc;
} ends[] = {
	{ 1, 1, 0 },
	{ 3, 1, 0 },
	{ 1, -ECANCELED, -ECANCELED },
	{ 3, -ECANCELED, -ECANCELED },
};

/* Whether it was asked often enough; with others at work, this thread may come too late. */
static bool
end_run(const char *path, unsigned threads, int asked, int wanted)
{
	struct interval interval = { .source = open_source(path, 0), .last = 2, .rc = asked };
	struct order order = { .is_written = true };
	struct sift_pipeline_counters counters;
	char out_path[80];
	struct sift_sink *sink;
	struct ebpf_err err;
	int rc;

	snprintf(out_path, sizeof(out_path), "%s-out", path);
	sink = open_sink(&order, out_path);
	counters = run_between(&interval, threads, sink, &rc, &err);
	if (interval.n_calls >= 2) {
		ck_assert_int_eq(rc, wanted);
		if (rc < 0)
			ck_assert_str_eq(err.text, "enough of it");
		ck_assert_uint_eq(interval.n_calls, 2);
	}
	ck_assert_uint_eq(counters.written, counters.seen);
	ck_assert_int_eq(sift_sink_close(sink, &err), 0);
	ck_assert_uint_eq(tempfile_size(out_path), 24 + counters.written * (16 + PACKET));
	sift_source_close(interval.source);
	unlink(out_path);
	return interval.n_calls >= 2 && counters.seen < N_PACKETS;
}

START_TEST(between_ends_the_run)
{
	struct capture capture;
	int tries = 0;

	capture_init(&capture);
	make_large(&capture);
	while (!end_run(capture.path, ends[_i].threads, ends[_i].asked, ends[_i].rc))
		ck_assert_int_lt(++tries, 100);
	capture_destroy(&capture);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("filter/parallel");
	TCase *tc = tcase_create("parallel");

	tcase_set_timeout(tc, 900);
	tcase_add_test(tc, several_threads_do_what_one_does);
	tcase_add_test(tc, a_failing_sink_ends_all_threads);
	tcase_add_test(tc, a_stopped_source_ends_all_threads);
	tcase_add_test(tc, views_are_whole_again_after_a_run);
	tcase_add_loop_test(tc, filters_are_replaced_while_they_run, 0, 4);
	tcase_add_loop_test(tc, between_ends_the_run, 0, (int)N_ELEMS(ends));
	suite_add_tcase(s, tc);
	return s;
}
