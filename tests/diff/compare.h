/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One case at a time through everything that should agree on it: an oracle that
 * is not ours, the reference interpreter, and the library.
 */
#ifndef TESTS_DIFF_COMPARE_H
#define TESTS_DIFF_COMPARE_H

#include "tests/diff/generate.h"
#include "tests/diff/party.h"
#include "tests/diff/reference.h"

#include <stdbool.h>
#include <stdio.h>

/* Whose judgement is asked for. */
struct diff_oracle {
	const char *name;
	enum cbpf_dialect dialect;
	bool is_kernel;         /* the running one is asked */
	bool tells_match;       /* of a verdict no more than whether it is 0 */
	/* Of these four, NULL: there is nothing to do. */
	/*
	 * Get ready.  0; -EPERM, -EOPNOTSUPP: not on this machine, err says why;
	 * else negative, err set.
	 */
	int (*open)(void **state, struct ebpf_err *err);
	void (*close)(void *state);
	/*
	 * Show the oracle the packets: their views become what it sees, and which it
	 * does not see is marked.
	 */
	int (*meet)(void *state, struct diff_case *c, struct ebpf_err *err);
	void (*part)(struct diff_case *c);
	/*
	 * Judge n packets, those with skip[i] excepted.  -EINVAL: it refuses the
	 * program; -ENOTSUP: what is to be run cannot express it; -E2BIG: it is more
	 * than the oracle looks at; other negative codes: the oracle itself has failed.
	 */
	int (*judge)(void *state, const struct cbpf_insn *insns, size_t n_insns,
		     const struct diff_packet *packets, size_t n, const bool *skip,
		     uint32_t *verdicts, struct ebpf_err *err);
};

/*
 * socket: the running kernel too, but what it runs is our lowering for its socket
 * filters, where that target can express the program.
 */
extern const struct diff_oracle diff_oracle_socket;
/* How many programs that oracle has lowered. */
uint64_t diff_n_lowered(const void *state);

/* The running kernel's test runs of our lowering for tc and xdp, by either dialect. */
extern const struct diff_oracle diff_oracle_tc, diff_oracle_tc_pcap, diff_oracle_xdp,
	diff_oracle_xdp_pcap;

/* As the functions of its own. */
int diff_oracle_open(const struct diff_oracle *oracle, void **state, struct ebpf_err *err);
void diff_oracle_close(const struct diff_oracle *oracle, void *state);

extern const struct diff_oracle diff_oracle_pcap, diff_oracle_kernel, diff_oracle_reference,
	diff_oracle_reference_kernel;

#define DIFF_STEPS 1024

/* What was compared; plain numbers, so that processes can share one by adding. */
struct diff_tally {
	uint64_t n_cases;
	uint64_t n_pairs;     /* compared with the oracle */
	uint64_t n_nonzero;   /* of these: verdict not 0, in both */
	uint64_t n_undefined; /* compared with the reference alone */
	uint64_t n_inexpressible; /* programs that the oracle's target cannot express */
	uint64_t n_too_long;  /* and those that are more than it looks at */
	uint64_t n_differences;
	uint64_t judged[DIFF_PARTIES];         /* pairs, by who judged them */
	uint64_t executed[256];                /* by code: pairs that executed it */
	uint64_t special[REFERENCE_N_SPECIAL]; /* likewise: pairs with such a load */
	uint64_t steps[DIFF_STEPS + 1];        /* by path length, the last: and longer */
};

void diff_tally_add(struct diff_tally *sum, const struct diff_tally *tally);

/* Print what was compared. */
void diff_tally_print(const struct diff_tally *tally, FILE *out);

/*
 * Whether the pairs say enough: a quarter of the verdicts not 0, each legal
 * code executed by 1000 pairs, half of the paths 8 instructions and more, and
 * in dialect kernel each special load by 100 pairs.  Prints what is missing.
 */
bool diff_tally_suffices(const struct diff_tally *tally, enum cbpf_dialect dialect, FILE *out);

/*
 * Compare cases first ... first + n - 1 of a seed; each difference is printed
 * with its program made as small as it gets.  Stops early after five.
 * Returns 0, or the negative code of an oracle that failed, err set.
 */
int diff_compare(const struct diff_oracle *oracle, void *state, uint64_t seed, uint64_t first,
		 uint64_t n, struct diff_tally *tally, FILE *out, struct ebpf_err *err);

#endif
