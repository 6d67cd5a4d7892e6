/* SPDX-License-Identifier: BSD-2-Clause */
/* What readers of a tally see was there together: in another thread, and in a handler. */
#include "config.h"

#include "filter/tally.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/time.h>

#include "tests/support/suite.h"

static struct sift_tally tally;
static atomic_bool is_over;
static volatile sig_atomic_t n_handled, n_torn;

/* Of a sum in 32 bits, both halves change at once now and then. */
enum { STEP = 0x10000001 };

static void
fill(uint64_t n)
{
	tally.now.seen = n * STEP;
	tally.now.matched = n * STEP * 2;
	tally.now.written = n * STEP * 3;
	tally.now.too_short = ~(n * STEP);
}

static bool
belongs_together(const struct sift_pipeline_counters *c)
{
	return c->matched == 2 * c->seen && c->written == 3 * c->seen && c->too_short == ~c->seen;
}

static void *
read_in_thread(void *arg)
{
	_Atomic uint32_t *n_read = arg;
	uint64_t before = 0;

	while (!atomic_load(&is_over)) {
		struct sift_pipeline_counters c = sift_tally_read(&tally);

		ck_assert(belongs_together(&c));
		ck_assert_uint_ge(c.seen, before);
		before = c.seen;
		atomic_fetch_add(n_read, 1);
	}
	return NULL;
}

static void
read_in_handler(int signo)
{
	struct sift_pipeline_counters c = sift_tally_read(&tally);

	(void)signo;
	n_handled = n_handled + 1;
	if (!belongs_together(&c))
		n_torn = n_torn + 1;
}

static void
begin(void)
{
	atomic_init(&is_over, false);
	sift_tally_init(&tally);
	fill(0);
	sift_tally_publish(&tally);
}

START_TEST(threads_see_what_was_there_together)
{
	static _Atomic uint32_t n_read[2];
	pthread_t readers[2];

	begin();
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&readers[i], NULL, read_in_thread, &n_read[i]), 0);
	/* until both have been at it */
	for (uint64_t n = 1; n < suite_scaled(3000000) || atomic_load(&n_read[0]) < 1000 ||
			     atomic_load(&n_read[1]) < 1000;
	     n++) {
		fill(n);
		sift_tally_publish(&tally);
	}
	atomic_store(&is_over, true);
	for (int i = 0; i < 2; i++)
		pthread_join(readers[i], NULL);
}
END_TEST

/* It interrupts the writer anywhere, and has nothing to wait for. */
START_TEST(a_handler_sees_what_was_there_together)
{
	const struct itimerval often = { { 0, 50 }, { 0, 50 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigaction action = { .sa_handler = read_in_handler, .sa_flags = SA_RESTART };

	begin();
	sigemptyset(&action.sa_mask);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (uint64_t n = 1; n_handled < 200; n++) {
		fill(n);
		sift_tally_publish(&tally);
	}
	setitimer(ITIMER_REAL, &never, NULL);
	ck_assert_int_eq(n_torn, 0);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("filter/tally");
	TCase *tc = tcase_create("tally");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, threads_see_what_was_there_together);
	tcase_add_test(tc, a_handler_sees_what_was_there_together);
	suite_add_tcase(s, tc);
	return s;
}
