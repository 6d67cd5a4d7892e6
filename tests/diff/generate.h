/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random valid classic programs, and packets for them to judge.
 *
 * A case is one program and DIFF_PACKETS packets.  It is a function of dialect,
 * seed and index alone, so that any part of a run can be made again.
 */
#ifndef TESTS_DIFF_GENERATE_H
#define TESTS_DIFF_GENERATE_H

#include <bpfsift/filter.h>

#include <stdbool.h>

#define DIFF_PACKETS 16
#define DIFF_MAX_FRAME 1514

/* The address that frames for the receiving host are sent to (dialect kernel). */
#define DIFF_HOST_MAC                                                                              \
	{                                                                                          \
		0x02, 0x00, 0x00, 0x00, 0x00, 0x0b                                                 \
	}

struct diff_packet {
	uint8_t *frame; /* what is put on the wire, allocated to its length */
	uint32_t len;
	/* The packet as programs see it; the data of a new case is the frame. */
	struct sift_view view;
	bool is_unseen;      /* by the oracle: it does not take such packets */
	uint32_t pay_offset; /* what the ancillary load of that name gives */
};

struct diff_case {
	enum cbpf_dialect dialect;
	uint64_t seed, index;
	struct cbpf_insn *insns;
	size_t n_insns;
	struct diff_packet packets[DIFF_PACKETS];
};

/* Make a case, to be freed with diff_case_fini().  No memory: abort(). */
void diff_case_init(struct diff_case *c, enum cbpf_dialect dialect, uint64_t seed, uint64_t index);
void diff_case_fini(struct diff_case *c);

#endif
