/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs that use the library and fork, get signals in the middle of a batch, or cancel
 * threads, as libbpfsift(3) allows.
 */
#include "config.h"

#include <bpfsift/filter.h>

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/suite.h"
#include "tests/support/tempfile.h"

enum { ETHERNET = 1, SNAPLEN = 262144, N_VIEWS = 256, PACKET = 1000, N_PACKETS = 20000 };

static struct sift_filter *
make_filter(void)
{
	static const struct cbpf_insn insns[] = {
		CBPF_STMT(CBPF_LD | CBPF_H | CBPF_ABS, 12),
		CBPF_JUMP(CBPF_JMP | CBPF_JEQ | CBPF_K, 0x800, 0, 1),
		CBPF_STMT(CBPF_RET | CBPF_K, SNAPLEN),
		CBPF_STMT(CBPF_RET | CBPF_K, 0),
	};
	struct cbpf_prog *prog;
	struct sift_filter *filter;

	if (cbpf_check(insns, N_ELEMS(insns), CBPF_DIALECT_PCAP, &prog, NULL) < 0 ||
	    sift_filter_new(prog, NULL, &filter, NULL) < 0)
		abort();
	cbpf_prog_free(prog);
	return filter;
}

/* Every other frame is IPv4. */
static void
make_views(struct sift_view *views)
{
	static const uint8_t frames[2][60] = { { [12] = 0x08 }, { [12] = 0x86, 0xdd } };

	for (size_t i = 0; i < N_VIEWS; i++)
		sift_view_init(&views[i], ETHERNET, frames[i % 2], 60, 60);
}

/* Without Check, since it may be called where that must not be. */
static bool
judges_well(const struct sift_filter *filter, const struct sift_view *views)
{
	uint32_t verdicts[N_VIEWS];

	sift_filter_batch(filter, views, N_VIEWS, verdicts);
	for (size_t i = 0; i < N_VIEWS; i++)
		if (verdicts[i] != (i % 2 == 0 ? (uint32_t)SNAPLEN : 0))
			return false;
	return sift_filter_match(filter, &views[0]) == SNAPLEN &&
	       sift_filter_match(filter, &views[1]) == 0;
}

/* ---- fork ---- */

static atomic_bool is_over;

/* Filters come and go, and run, while the process is forked. */
static void *
make_and_run(void *views)
{
	while (!atomic_load(&is_over)) {
		struct sift_filter *filter = make_filter();

		if (!judges_well(filter, views))
			abort();
		sift_filter_free(filter);
	}
	return NULL;
}

/* In a child: the parent's filter, and one of its own. */
_Noreturn static void
be_child(struct sift_filter *inherited, const struct sift_view *views)
{
	struct sift_filter *own = make_filter();
	bool is_well = judges_well(inherited, views) && judges_well(own, views);

	sift_filter_free(inherited);
	is_well = is_well && judges_well(own, views);
	sift_filter_free(own);
	_exit(is_well ? 0 : 1);
}

START_TEST(children_run_and_free_what_they_have)
{
	struct sift_view views[N_VIEWS];
	struct sift_filter *filter = make_filter();
	pthread_t thread;
	bool has_thread = _i == 1;
	uint64_t n = suite_scaled(100);

	make_views(views);
	atomic_store(&is_over, false);
	if (has_thread)
		ck_assert_int_eq(pthread_create(&thread, NULL, make_and_run, views), 0);
	for (uint64_t i = 0; i < n; i++) {
		pid_t child = fork();
		int status;

		ck_assert_int_ge(child, 0);
		if (child == 0)
			be_child(filter, views);
		ck_assert(judges_well(filter, views));
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		ck_assert_int_eq(status, 0);
	}
	atomic_store(&is_over, true);
	if (has_thread)
		ck_assert_int_eq(pthread_join(thread, NULL), 0);
	sift_filter_free(filter);
}
END_TEST

/* ---- signals in the middle of a batch ---- */

static const struct sift_filter *handler_filter;
static const struct sift_view *handler_views;
static atomic_ulong n_signals, n_wrong;

static void
on_alarm(int signo)
{
	(void)signo;
	if (!judges_well(handler_filter, handler_views))
		atomic_fetch_add(&n_wrong, 1);
	atomic_fetch_add(&n_signals, 1);
}

static void
start_alarms(void (*handler)(int), long microseconds)
{
	const struct itimerval often = { { 0, microseconds }, { 0, microseconds } };
	struct sigaction action = { .sa_handler = handler };

	sigemptyset(&action.sa_mask);
	atomic_store(&n_signals, 0);
	ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
	ck_assert_int_eq(setitimer(ITIMER_REAL, &often, NULL), 0);
}

static void
stop_alarms(void)
{
	const struct itimerval never = { { 0, 0 }, { 0, 0 } };

	ck_assert_int_eq(setitimer(ITIMER_REAL, &never, NULL), 0);
}

/* The handler runs the filter that it interrupted, by the one engine and by the other. */
START_TEST(a_handler_runs_the_filter_that_it_interrupts)
{
	struct sift_view views[N_VIEWS];
	struct sift_filter *filter = make_filter();
	unsigned long wanted = (unsigned long)suite_scaled(500), n_bad = 0;

	make_views(views);
	handler_filter = filter;
	handler_views = views;
	start_alarms(on_alarm, 200);
	while (atomic_load(&n_signals) < wanted)
		n_bad += !judges_well(filter, views);
	stop_alarms();
	ck_assert_uint_eq(n_bad, 0);
	ck_assert_uint_eq(atomic_load(&n_wrong), 0);
	sift_filter_free(filter);
}
END_TEST

#ifdef HAVE_PCAP
/* ---- a pipeline, and what disturbs it ---- */

struct flow {
	struct sift_source *source;
	struct sift_sink *sink;
	struct sift_pipeline *pipeline;
	char in[TEMPFILE_PATH], out[TEMPFILE_PATH];
};

static void
make_capture(const char *path)
{
	static const uint32_t header[6] = { 0xa1b23c4d, 4u << 16 | 2, 0, 0, SNAPLEN, ETHERNET };
	static uint32_t record[4 + PACKET / 4] = { 1700000000, 5, PACKET, PACKET };
	FILE *f = fopen(path, "wb");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(header, sizeof(header), 1, f), 1);
	for (uint32_t i = 0; i < N_PACKETS; i++) {
		record[4] = i;
		ck_assert_uint_eq(fwrite(record, sizeof(record), 1, f), 1);
	}
	ck_assert_int_eq(fclose(f), 0);
}

static void
flow_open(struct flow *f, unsigned threads)
{
	const struct sift_savefile_opts file = { .size = sizeof(file), .dlt = ETHERNET,
						 .snaplen = SNAPLEN,
						 .precision = SIFT_PRECISION_NANO };
	struct sift_pipeline_opts opts = { .size = sizeof(opts), .threads = threads };

	tempfile_create(f->in);
	tempfile_create(f->out);
	make_capture(f->in);
	ck_assert_int_eq(sift_source_open_savefile(f->in, &f->source, NULL), 0);
	ck_assert_int_eq(sift_sink_open_savefile(f->out, &file, &f->sink, NULL), 0);
	opts.source = f->source;
	opts.sink = f->sink;
	ck_assert_int_eq(sift_pipeline_new(&opts, &f->pipeline, NULL), 0);
}

/* The packets of a file, which are the first ones of the capture. */
static uint64_t
count_first(const char *path)
{
	struct sift_source *source;
	const struct sift_view *views;
	uint64_t seen = 0;
	size_t n;
	int rc;

	ck_assert_int_eq(sift_source_open_savefile(path, &source, NULL), 0);
	while ((rc = sift_source_next(source, &views, &n, NULL)) == 1) {
		for (size_t i = 0; i < n; i++, seen++) {
			uint32_t number;

			ck_assert_uint_eq(views[i].caplen, PACKET);
			memcpy(&number, views[i].data, sizeof(number));
			ck_assert_uint_eq(number, seen);
		}
	}
	ck_assert_int_eq(rc, 0);
	sift_source_close(source);
	return seen;
}

static void
flow_close(struct flow *f)
{
	sift_pipeline_free(f->pipeline);
	ck_assert_int_eq(sift_sink_close(f->sink, NULL), 0);
	sift_source_close(f->source);
}

static void
flow_remove(const struct flow *f)
{
	unlink(f->in);
	unlink(f->out);
}

static struct flow flow;
static atomic_ulong stop_at;

static void
on_alarm_look(int signo)
{
	struct sift_pipeline_counters counters = { .size = sizeof(counters) };
	int saved = errno;

	(void)signo;
	if (sift_pipeline_counters(flow.pipeline, &counters, NULL) < 0 ||
	    counters.written > counters.matched || counters.matched > N_PACKETS)
		atomic_fetch_add(&n_wrong, 1);
	sift_source_wake(flow.source);
	if (atomic_fetch_add(&n_signals, 1) >= atomic_load(&stop_at))
		sift_source_stop(flow.source);
	errno = saved;
}

/* Stopped after so many signals, or never: what was counted is what is in the file. */
START_TEST(signals_leave_a_file_with_what_was_counted)
{
	static const unsigned long after[] = { 0, 1, 5, 20, ULONG_MAX };
	struct sift_pipeline_counters counters = { .size = sizeof(counters) };
	sigset_t alarm_only;

	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	flow_open(&flow, _i % 2 == 0 ? 1 : 3);
	atomic_store(&stop_at, after[_i / 2]);
	start_alarms(on_alarm_look, 100);
	ck_assert_int_eq(sift_pipeline_run(flow.pipeline, NULL), 0);
	stop_alarms();
	pthread_sigmask(SIG_BLOCK, &alarm_only, NULL);
	ck_assert_uint_eq(atomic_load(&n_wrong), 0);
	ck_assert_int_eq(sift_pipeline_counters(flow.pipeline, &counters, NULL), 0);
	flow_close(&flow);
	ck_assert_uint_eq(count_first(flow.out), counters.written);
	if (after[_i / 2] == ULONG_MAX)
		ck_assert_uint_eq(counters.written, N_PACKETS);
	flow_remove(&flow);
}
END_TEST
#endif

/* ---- cancelled threads ---- */

struct batches {
	struct sift_filter *filter;
	const struct sift_view *views;
	atomic_bool is_running, has_cleaned_up;
	unsigned long n, n_bad;
};

static void
clean_up(void *arg)
{
	struct batches *b = arg;

	atomic_store(&b->has_cleaned_up, true);
}

/* Cancelled somewhere in here, it ends between two batches. */
static void *
run_batches(void *arg)
{
	struct batches *b = arg;

	pthread_cleanup_push(clean_up, b);
	for (;;) {
		b->n_bad += !judges_well(b->filter, b->views);
		b->n++;
		atomic_store(&b->is_running, true);
		pthread_testcancel();
	}
	pthread_cleanup_pop(1);
	return NULL;
}

START_TEST(a_thread_that_runs_batches_is_cancelled)
{
	uint64_t n = suite_scaled(100);
	struct sift_view views[N_VIEWS];
	struct sift_filter *filter = make_filter();

	make_views(views);
	for (uint64_t i = 0; i < n; i++) {
		struct batches b = { .filter = filter, .views = views };
		pthread_t thread;
		void *result;

		ck_assert_int_eq(pthread_create(&thread, NULL, run_batches, &b), 0);
		while (!atomic_load(&b.is_running))
			;
		ck_assert_int_eq(pthread_cancel(thread), 0);
		ck_assert_int_eq(pthread_join(thread, &result), 0);
		ck_assert_ptr_eq(result, PTHREAD_CANCELED);
		ck_assert(atomic_load(&b.has_cleaned_up));
		ck_assert_uint_eq(b.n_bad, 0);
	}
	ck_assert(judges_well(filter, views));
	sift_filter_free(filter);
}
END_TEST

#ifdef HAVE_PCAP
static atomic_int run_rc;

static void *
run_pipeline(void *arg)
{
	struct flow *f = arg;

	atomic_store(&run_rc, 1);
	atomic_store(&run_rc, sift_pipeline_run(f->pipeline, NULL));
	/* Which may be over before anybody has asked. */
	for (;;)
		pause();
	return NULL;
}

/* The run is over before the thread is; stopped or not, the file is whole. */
START_TEST(a_thread_that_runs_a_pipeline_is_cancelled)
{
	struct sift_pipeline_counters counters = { .size = sizeof(counters) };
	pthread_t thread;
	void *result;

	flow_open(&flow, _i / 2 == 0 ? 1 : 3);
	atomic_store(&run_rc, -1);
	ck_assert_int_eq(pthread_create(&thread, NULL, run_pipeline, &flow), 0);
	while (atomic_load(&run_rc) == -1)
		;
	ck_assert_int_eq(pthread_cancel(thread), 0);
	if (_i % 2 == 1)
		sift_source_stop(flow.source);
	ck_assert_int_eq(pthread_join(thread, &result), 0);
	ck_assert_ptr_eq(result, PTHREAD_CANCELED);
	ck_assert_int_eq(atomic_load(&run_rc), 0);
	ck_assert_int_eq(sift_pipeline_counters(flow.pipeline, &counters, NULL), 0);
	flow_close(&flow);
	ck_assert_uint_eq(count_first(flow.out), counters.written);
	if (_i % 2 == 0)
		ck_assert_uint_eq(counters.written, N_PACKETS);
	flow_remove(&flow);
}
END_TEST

static int fifo[2];

/* A frame of its own, which sanitizers take for one in use where it is left by cancellation. */
__attribute__((noinline)) static void
drain(struct sift_source *source)
{
	const struct sift_view *views;
	size_t n;

	while (sift_source_next(source, &views, &n, NULL) == 1)
		;
}

static void *
read_pipe(void *source)
{
	drain(source);
	pthread_testcancel();
	return NULL;
}

/* It waits for a pipe that stays silent, until the source is stopped. */
START_TEST(a_thread_that_waits_is_cancelled_once_it_is_stopped)
{
	static const uint32_t header[6] = { 0xa1b2c3d4, 4u << 16 | 2, 0, 0, SNAPLEN, ETHERNET };
	char path[64];
	struct sift_source *source;
	pthread_t thread;
	void *result;

	ck_assert_int_eq(pipe(fifo), 0);
	ck_assert_int_eq(write(fifo[1], header, sizeof(header)), (ssize_t)sizeof(header));
	snprintf(path, sizeof(path), "/dev/fd/%d", fifo[0]);
	ck_assert_int_eq(sift_source_open_savefile(path, &source, NULL), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, read_pipe, source), 0);
	ck_assert_int_eq(pthread_cancel(thread), 0);
	sift_source_stop(source);
	ck_assert_int_eq(pthread_join(thread, &result), 0);
	ck_assert_ptr_eq(result, PTHREAD_CANCELED);
	sift_source_close(source);
	close(fifo[0]);
	close(fifo[1]);
}
END_TEST
#endif

Suite *
suite(void)
{
	Suite *s = suite_create("faults/process");
	TCase *tc = tcase_create("forks, signals, cancelled threads");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, children_run_and_free_what_they_have, 0, 2);
	tcase_add_test(tc, a_handler_runs_the_filter_that_it_interrupts);
	tcase_add_test(tc, a_thread_that_runs_batches_is_cancelled);
#ifdef HAVE_PCAP
	tcase_add_loop_test(tc, signals_leave_a_file_with_what_was_counted, 0, 10);
	tcase_add_loop_test(tc, a_thread_that_runs_a_pipeline_is_cancelled, 0, 4);
	tcase_add_test(tc, a_thread_that_waits_is_cancelled_once_it_is_stopped);
#endif
	suite_add_tcase(s, tc);
	return s;
}
