/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sinks seen from outside, by one that notes what it is asked and fails when told
 * to: no call follows one that failed; and two of them behind a tee.
 */
#include "filter/sink.h"

#include "tests/support/suite.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ebpf/err.h"

struct spy {
	struct sift_sink sink;
	char told[64];          /* a letter for each call */
	char fails_at;          /* at this one */
	int rc;
	bool is_closed;
};

static int
tell(struct sift_sink *sink, char what, struct ebpf_err *err)
{
	struct spy *spy = (struct spy *)sink;
	size_t n = strlen(spy->told);

	ck_assert_uint_lt(n, sizeof(spy->told) - 1);
	ck_assert(!spy->is_closed);
	spy->told[n] = what;
	return what == spy->fails_at ? ebpf_err_set(err, spy->rc, "failed at %c", what) : 0;
}

static int
spy_begin(struct sift_sink *sink, const struct sift_source_info *info, uint32_t snaplen,
	  struct ebpf_err *err)
{
	(void)info, (void)snaplen;
	return tell(sink, 'b', err);
}

static int
spy_write(struct sift_sink *sink, const struct sift_view *views, const uint32_t *keep, size_t n,
	  struct ebpf_err *err)
{
	(void)views, (void)keep;
	ck_assert_uint_eq(n, 3);
	return tell(sink, 'w', err);
}

static int
spy_append(struct sift_sink *sink, const uint8_t *records, size_t n, struct ebpf_err *err)
{
	ck_assert_uint_eq(n, 7);
	ck_assert_mem_eq(records, "records", 7);
	return tell(sink, 'a', err);
}

static int
spy_carry(struct sift_sink *sink, const uint8_t *blocks, size_t n, struct ebpf_err *err)
{
	(void)blocks, (void)n;
	return tell(sink, 'c', err);
}

static int
spy_put_stats(struct sift_sink *sink, const struct sift_source_stats *stats, struct ebpf_err *err)
{
	(void)stats;
	return tell(sink, 's', err);
}

static int
spy_flush(struct sift_sink *sink, struct ebpf_err *err)
{
	return tell(sink, 'f', err);
}

static int
spy_close(struct sift_sink *sink, struct ebpf_err *err)
{
	int rc = tell(sink, 'x', err);

	((struct spy *)sink)->is_closed = true;
	return rc;
}

static const struct sift_sink_ops spy_ops = {
	.begin = spy_begin,
	.write = spy_write,
	.append = spy_append,
	.carry = spy_carry,
	.put_stats = spy_put_stats,
	.flush = spy_flush,
	.close = spy_close,
};
static const struct sift_sink_ops spy_views_ops = {
	.write = spy_write,
	.flush = spy_flush,
	.close = spy_close,
};

static struct spy
spy_of(const struct sift_sink_ops *ops, uint32_t ts_scale, char fails_at)
{
	return (struct spy){ .sink = { .ops = ops, .ts_scale = ts_scale },
			     .fails_at = fails_at,
			     .rc = -ENOSPC };
}

/* One call of each kind, by the letter that stands for it. */
static int
call(struct sift_sink *sink, char what, struct ebpf_err *err)
{
	static const struct sift_view views[3];
	static const uint32_t keep[3];

	switch (what) {
	case 'b':
		return sift_sink_begin(sink, NULL, 0, err);
	case 'w':
		return sift_sink_write(sink, views, keep, 3, err);
	case 'a':
		return sift_sink_append(sink, (const uint8_t *)"records", 7, err);
	case 'c':
		return sift_sink_carry(sink, NULL, 0, err);
	case 's':
		return sift_sink_put_stats(sink, NULL, err);
	case 'f':
		return sift_sink_flush(sink, err);
	}
	return sift_sink_close(sink, err);
}

static const char calls[] = "bwacsf";

START_TEST(no_call_follows_one_that_failed)
{
	struct spy spy = spy_of(&spy_ops, 1, calls[_i]);
	struct ebpf_err err = { "" };
	char text[16];

	ck_assert_int_eq(call(&spy.sink, calls[_i], &err), -ENOSPC);
	snprintf(text, sizeof(text), "failed at %c", calls[_i]);
	ck_assert_str_eq(err.text, text);
	for (const char *next = calls; *next != '\0'; next++) {
		ck_assert_int_eq(call(&spy.sink, *next, &err), -ENOSPC);
		ck_assert_str_eq(err.text, "writing has failed before");
	}
	/* nor is it flushed before it is closed */
	ck_assert_int_eq(sift_sink_close(&spy.sink, &err), 0);
	snprintf(text, sizeof(text), "%cx", calls[_i]);
	ck_assert_str_eq(spy.told, text);
}
END_TEST

START_TEST(the_first_failure_is_told)
{
	struct spy flush = spy_of(&spy_ops, 1, 'f'), close = spy_of(&spy_ops, 1, 'x');
	struct ebpf_err err = { "" };

	ck_assert_int_eq(sift_sink_close(&flush.sink, &err), -ENOSPC);
	ck_assert_str_eq(err.text, "failed at f");
	ck_assert_str_eq(flush.told, "fx");
	ck_assert_int_eq(sift_sink_close(&close.sink, &err), -ENOSPC);
	ck_assert_str_eq(err.text, "failed at x");
	ck_assert_str_eq(close.told, "fx");
}
END_TEST

static struct sift_sink *
tee_of(struct spy *first, struct spy *second)
{
	struct sift_sink *tee;
	struct ebpf_err err;

	ck_assert_int_eq(sift_sink_open_tee(&first->sink, &second->sink, &tee, &err), 0);
	return tee;
}

START_TEST(both_sinks_get_what_a_tee_is_given)
{
	struct spy first = spy_of(&spy_ops, 1000, 0), second = spy_of(&spy_ops, 1000, 0);
	struct sift_sink *tee = tee_of(&first, &second);
	struct ebpf_err err;

	ck_assert(tee->ops->append != NULL);
	ck_assert_uint_eq(tee->ts_scale, 1000);
	for (const char *next = "wawf"; *next != '\0'; next++)
		ck_assert_int_eq(call(tee, *next, &err), 0);
	ck_assert_int_eq(sift_sink_close(tee, &err), 0);
	ck_assert_str_eq(first.told, "wawfffx");
	ck_assert_str_eq(second.told, "wawfffx");
}
END_TEST

/* Records are taken only where both take them, in the same units. */
START_TEST(a_tee_takes_records_if_both_do)
{
	const struct {
		struct spy first, second;
	} pairs[] = {
		{ spy_of(&spy_ops, 1000, 0), spy_of(&spy_ops, 1, 0) },
		{ spy_of(&spy_ops, 1000, 0), spy_of(&spy_views_ops, 0, 0) },
		{ spy_of(&spy_views_ops, 0, 0), spy_of(&spy_ops, 1000, 0) },
	};

	for (size_t i = 0; i < N_ELEMS(pairs); i++) {
		struct spy first = pairs[i].first, second = pairs[i].second;
		struct sift_sink *tee = tee_of(&first, &second);
		struct ebpf_err err;

		ck_assert(tee->ops->append == NULL);
		ck_assert_int_eq(call(tee, 'w', &err), 0);
		ck_assert_int_eq(sift_sink_close(tee, &err), 0);
		ck_assert_str_eq(first.told, "wffx");
		ck_assert_str_eq(second.told, "wffx");
	}
}
END_TEST

/*
 * Where one has failed, the other still gets what it was given; both are closed.  Each is
 * flushed with the tee, and before it is closed.
 */
START_TEST(one_sink_of_a_tee_fails)
{
	static const struct {
		char at, first, second;         /* which call, and whose */
		const char *first_told, *second_told;
	} rows[] = {
		{ 'w', 1, 0, "wx", "ffx" },
		{ 'w', 0, 1, "wffx", "wx" },
		{ 'a', 1, 0, "ax", "ffx" },
		{ 'a', 0, 1, "affx", "ax" },
		{ 'f', 1, 0, "fx", "ffx" },
		{ 'f', 0, 1, "ffx", "fx" },
		{ 'f', 1, 1, "fx", "fx" },
		{ 'x', 1, 0, "ffx", "ffx" },
		{ 'x', 0, 1, "ffx", "ffx" },
	};
	struct spy first = spy_of(&spy_ops, 1, rows[_i].first ? rows[_i].at : 0);
	struct spy second = spy_of(&spy_ops, 1, rows[_i].second ? rows[_i].at : 0);
	struct sift_sink *tee = tee_of(&first, &second);
	struct ebpf_err err = { "" };
	char text[16];
	int rc = 0;

	second.rc = -EIO;
	if (rows[_i].at == 'w' || rows[_i].at == 'a')
		rc = call(tee, rows[_i].at, &err);
	if (rc == 0) {
		rc = sift_sink_close(tee, &err);
	} else {
		/* what the tee was given before has to come to who can take it */
		ck_assert_int_eq(tee->ops->flush(tee, NULL), 0);
		ck_assert_int_eq(sift_sink_close(tee, NULL), 0);
	}
	ck_assert_int_eq(rc, rows[_i].first ? -ENOSPC : -EIO);
	snprintf(text, sizeof(text), "failed at %c", rows[_i].at);
	ck_assert_str_eq(err.text, text);
	ck_assert(first.is_closed && second.is_closed);
	ck_assert_str_eq(first.told, rows[_i].first_told);
	ck_assert_str_eq(second.told, rows[_i].second_told);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("filter/sink, filter/sink_tee");
	TCase *tc = tcase_create("spies");

	tcase_add_loop_test(tc, no_call_follows_one_that_failed, 0, sizeof(calls) - 1);
	tcase_add_test(tc, the_first_failure_is_told);
	tcase_add_test(tc, both_sinks_get_what_a_tee_is_given);
	tcase_add_test(tc, a_tee_takes_records_if_both_do);
	tcase_add_loop_test(tc, one_sink_of_a_tee_fails, 0, 9);
	suite_add_tcase(s, tc);
	return s;
}
