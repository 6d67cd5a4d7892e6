/* SPDX-License-Identifier: BSD-2-Clause */
/* Filters of expressions, for Ethernet. */
#ifndef TESTS_SUPPORT_FILTER_H
#define TESTS_SUPPORT_FILTER_H

#include <bpfsift/filter.h>

/* Whose verdict on a match is snaplen; to be freed. */
struct sift_filter *filter_make(const char *expression, uint32_t snaplen);

#endif
