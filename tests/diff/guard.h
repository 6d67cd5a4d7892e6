/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets that end where memory does: who reads on, dies. */
#ifndef TESTS_DIFF_GUARD_H
#define TESTS_DIFF_GUARD_H

#include "tests/diff/generate.h"

struct diff_guard {
	uint8_t *memory;
	size_t slot; /* bytes of each packet's part, the page behind it included */
};

/* 0, or -ENOMEM. */
int diff_guard_open(struct diff_guard *guard);
void diff_guard_close(struct diff_guard *guard);

/* Copy what the views show to where it ends with its page, for as long as the guard is open. */
void diff_guard_take(const struct diff_guard *guard, struct diff_packet *packets, size_t n);

#endif
