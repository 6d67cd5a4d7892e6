/* SPDX-License-Identifier: BSD-2-Clause */
/* The filters that are measured. */
#ifndef BENCH_FILTERS_H
#define BENCH_FILTERS_H

#include <stddef.h>

enum { N_FILTERS = 11 };

/* Two of them, by their places. */
enum { FILTER_IP = 0, FILTER_HOSTS = 9 };

/* The i-th filter's expression; in buf, of size bytes, where it is made up. */
const char *filter_expression(size_t i, char *buf, size_t size);

#endif
