/* SPDX-License-Identifier: BSD-2-Clause */
/* Times, and the middle of several. */
#ifndef BENCH_FIGURES_H
#define BENCH_FIGURES_H

#include <stdlib.h>
#include <time.h>

static inline double
now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static inline int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Of n > 0 samples, which it sorts. */
static inline double
median_of(double *samples, size_t n)
{
	qsort(samples, n, sizeof(double), by_value);
	return samples[n / 2];
}

#endif
