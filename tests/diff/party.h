/* SPDX-License-Identifier: BSD-2-Clause */
/* Who is compared with an oracle: each engine, level and target of user space. */
#ifndef TESTS_DIFF_PARTY_H
#define TESTS_DIFF_PARTY_H

#include "tests/diff/generate.h"

#include <stdbool.h>

enum { DIFF_PARTIES = 24 };

extern const struct diff_party {
	const char *name;
	/* On which cases: those whose index modulo n_turns is turn; n_turns 1: all. */
	unsigned n_turns, turn;
	bool is_buffer;         /* target buffer, with packets as a buffer has them */
	bool is_checked;        /* not trusted: the interpreter tests each access */
	enum cbpf_level level;
	struct ebpf_policy policy;
} diff_parties[DIFF_PARTIES];

/* Whether it is a party's turn at a case. */
bool diff_party_is_on(const struct diff_party *party, uint64_t index);

/* Whether it is that of one for target buffer. */
bool diff_asks_buffer(uint64_t index);

/*
 * What a party says of n packets, at most DIFF_PACKETS.  -ENOTSUP: the program asks
 * for what its target has not; else 0, or the code of a refusal, err set.
 */
int diff_party_ask(const struct diff_party *party, const struct cbpf_prog *prog,
		   const struct diff_packet *packets, size_t n, uint32_t *verdicts,
		   struct ebpf_err *err);

#endif
