/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/support/suite.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

uint64_t
suite_scaled(uint64_t n)
{
	const char *scale = getenv("TEST_SCALE");
	uint64_t percent = scale != NULL ? strtoull(scale, NULL, 10) : 100;

	n = n * percent / 100;
	return n > 0 ? n : 1;
}

uint64_t
suite_seed(uint64_t otherwise)
{
	const char *text = getenv("TEST_SEED");
	uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : otherwise;

	printf("SEED: %" PRIu64 "\n", seed);
	fflush(stdout);
	return seed;
}

void
suite_skip(const char *reason, ...)
{
	va_list ap;

	printf("SKIPPED: ");
	va_start(ap, reason);
	vprintf(reason, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
}

void
suite_pairs(uint64_t n)
{
	printf("PAIRS: %" PRIu64 "\n", n);
	fflush(stdout);
}

const char *
suite_data(const char *name)
{
	static char path[4096];
	const char *srcdir = getenv("srcdir");

	snprintf(path, sizeof(path), "%s/tests/data/%s", srcdir != NULL ? srcdir : ".", name);
	return path;
}

int
main(void)
{
	SRunner *runner = srunner_create(suite());
	int n_failed;

	srunner_run_all(runner, CK_NORMAL);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
