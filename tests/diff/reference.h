/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A classic interpreter in the plainest C, for both dialects: the third opinion
 * where two oracles differ, and the trace of what the random programs execute.
 * It shares no code with the library.
 */
#ifndef TESTS_DIFF_REFERENCE_H
#define TESTS_DIFF_REFERENCE_H

#include <bpfsift/filter.h>

#include <stdbool.h>

/*
 * Special loads, dialect kernel: 16 kinds of ancillary data that were not 0 (the
 * CPU may be), by offset / 4; then three ways to load from either header.
 */
enum {
	REFERENCE_NET_ABS = 16,
	REFERENCE_NET_IND,
	REFERENCE_NET_MSH,
	REFERENCE_LL_ABS,
	REFERENCE_LL_IND,
	REFERENCE_LL_MSH,
	REFERENCE_N_SPECIAL,
};

/* What became of one packet in one program. */
struct reference_run {
	uint32_t verdict;
	uint32_t n_steps;  /* instructions executed */
	uint64_t codes[4]; /* which codes were, a bit each */
	uint32_t special;  /* REFERENCE_*: which special loads succeeded, a bit each */
	/*
	 * Dialect pcap: bpf_filter() has no defined answer, since a constant
	 * shift of 32 and more was executed or a scratch slot read that was
	 * never written.  The verdict is the one that the dialect defines.
	 */
	bool is_undefined;
	/* Ended by a load past what was captured, but not past what was on the wire. */
	bool is_too_short;
	/* Dialect pcap: ended by the budget of backward jumps; bpf_filter() would go on. */
	bool is_exhausted;
};

/*
 * Run a program that cbpf_check() accepts.  pay_offset is the answer to the
 * ancillary load of that name, which takes a flow dissector to find.
 */
struct reference_run reference_run(const struct cbpf_insn *insns, enum cbpf_dialect dialect,
				   const struct sift_view *view, uint32_t pay_offset);

#endif
