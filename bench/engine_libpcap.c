/* SPDX-License-Identifier: BSD-2-Clause */
/* libpcap's bpf_filter(), the peer that every ratio is against. */
#include "config.h"

#include "bench/engine.h"

#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(struct bpf_insn) == sizeof(struct cbpf_insn), "one layout");

static void *
prepare(const struct cbpf_insn *insns, size_t n_insns)
{
	struct bpf_insn *copy = calloc(n_insns, sizeof(*copy));

	if (copy != NULL)
		memcpy(copy, insns, n_insns * sizeof(*copy));
	return copy;
}

static size_t
run(void *state, const struct sift_view *views, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		kept += bpf_filter(state, views[i].data, views[i].wirelen, views[i].caplen) != 0;
	return kept;
}

const struct engine engine_libpcap = { "libpcap", prepare, run, free, NULL };
