/* SPDX-License-Identifier: BSD-2-Clause */
/* What a writer is given is written, in that order, up to what cannot be; and then it is said. */
#include "config.h"

#include "filter/writer.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ebpf/err.h"
#include "tests/support/suite.h"

/* What was written, by one thread at a time. */
struct file {
	uint32_t next;  /* number of the buffer that comes */
	uint32_t full;  /* of the one that cannot be written, */
	uint32_t calls; /* and how often it was tried to */
	bool is_slow;
};

static int
put(void *arg, const uint8_t *bytes, size_t n, struct ebpf_err *err)
{
	struct file *file = arg;
	uint32_t number;

	file->calls++;
	if (file->is_slow)
		sched_yield();
	ck_assert_uint_ge(n, sizeof(number));
	memcpy(&number, bytes, sizeof(number));
	ck_assert_uint_eq(number, file->next);
	for (size_t i = sizeof(number); i < n; i++)
		ck_assert_uint_eq(bytes[i], number % 251);
	if (number == file->full)
		return ebpf_err_set(err, -ENOSPC, "buffer %u", number);
	file->next++;
	return 0;
}

static void
fill(struct sift_writer_buffer *buffer, uint32_t number, uint64_t *rng)
{
	size_t size = sizeof(number) + rng_below(rng, 3000);

	/* its owner may need a larger one than before */
	if (size > buffer->size) {
		free(buffer->bytes);
		buffer->bytes = malloc(size);
		ck_assert_ptr_nonnull(buffer->bytes);
		buffer->size = size;
	}
	memcpy(buffer->bytes, &number, sizeof(number));
	memset(buffer->bytes + sizeof(number), (int)(number % 251), size - sizeof(number));
	buffer->used = size;
}

START_TEST(what_is_given_is_written_in_that_order)
{
	uint64_t rng = suite_seed(0x3417e), n_files = suite_scaled(100);

	for (uint64_t i = 0; i < n_files; i++) {
		uint32_t n = rng_below(&rng, 200);
		struct file file = { .full = UINT32_MAX, .is_slow = rng_below(&rng, 2) };
		struct sift_writer_buffer buffer = { NULL, 0, 0 };
		struct sift_writer *writer;

		ck_assert_int_eq(sift_writer_new(put, &file, 1000, &writer), 0);
		for (uint32_t number = 0; number < n; number++) {
			fill(&buffer, number, &rng);
			ck_assert_int_eq(sift_writer_give(writer, &buffer, NULL), 0);
			ck_assert_ptr_nonnull(buffer.bytes);
			ck_assert_uint_eq(buffer.used, 0);
			if (rng_below(&rng, 50) > 0)
				continue;
			ck_assert_int_eq(sift_writer_wait(writer, NULL), 0);
			ck_assert_uint_eq(file.next, number + 1);
		}
		sift_writer_free(writer);
		ck_assert_uint_eq(file.next, n);
		free(buffer.bytes);
	}
}
END_TEST

START_TEST(a_failure_is_told_and_nothing_follows_it)
{
	uint64_t rng = suite_seed(0xfa11), n_files = suite_scaled(100);

	for (uint64_t i = 0; i < n_files; i++) {
		struct file file = { .full = rng_below(&rng, 20), .is_slow = rng_below(&rng, 2) };
		struct sift_writer_buffer buffer = { NULL, 0, 0 };
		struct ebpf_err err = { "" };
		struct sift_writer *writer;
		char text[32];
		int rc = 0;

		ck_assert_int_eq(sift_writer_new(put, &file, 1000, &writer), 0);
		for (uint32_t number = 0; number < 30; number++) {
			fill(&buffer, number, &rng);
			/* all that follow fail once one has */
			ck_assert_int_le(sift_writer_give(writer, &buffer, &err), rc);
			if (err.text[0] != '\0')
				rc = -ENOSPC;
			ck_assert(rc == 0 || number >= file.full);
		}
		err.text[0] = '\0';
		ck_assert_int_eq(sift_writer_wait(writer, &err), -ENOSPC);
		snprintf(text, sizeof(text), "buffer %u", file.full);
		ck_assert_str_eq(err.text, text);
		sift_writer_free(writer);
		ck_assert_uint_eq(file.calls, file.full + 1);
		free(buffer.bytes);
	}
	sift_writer_free(NULL);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("filter/writer");
	TCase *tc = tcase_create("writer");

	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, what_is_given_is_written_in_that_order);
	tcase_add_test(tc, a_failure_is_told_and_nothing_follows_it);
	suite_add_tcase(s, tc);
	return s;
}
