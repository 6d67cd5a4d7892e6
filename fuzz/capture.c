/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Savefiles, compressed or not: our readers find the packets that libpcap finds in them,
 * and fail where it does; mixed and damaged ones are read to an end as well.
 */
#include "fuzz/file.h"

#include <string.h>

#include "fuzz/fuzz.h"

/* What a reader made of a file. */
struct outcome {
	int opened, ended;
	uint64_t n, hash;
};

static uint64_t
mix(uint64_t hash, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ p[i]) * 0x100000001b3u;
	return hash;
}

static uint64_t
mix_view(uint64_t hash, const struct sift_view *view)
{
	const uint64_t fields[] = { view->caplen, view->wirelen, (uint64_t)view->ts_sec,
				    view->ts_nsec, view->ts_excess };

	return mix(mix(hash, fields, sizeof(fields)), view->data, view->caplen);
}

static struct outcome
read_all(const char *path, unsigned flags)
{
	const struct sift_reader_opts opts = { .size = sizeof(opts),
					       .flags = flags,
					       .memlimit = 32 << 20 };
	struct outcome outcome = { 0, 0, 0, 0 };
	const struct sift_view *views;
	struct sift_source *source;
	struct ebpf_err err;
	size_t n;

	outcome.opened = sift_source_open_savefile_opts(path, &opts, &source, &err);
	if (outcome.opened < 0)
		return outcome;
	while ((outcome.ended = sift_source_next(source, &views, &n, &err)) == 1) {
		for (size_t i = 0; i < n; i++)
			outcome.hash = mix_view(outcome.hash, &views[i]);
		outcome.n += n;
	}
	sift_source_close(source);
	return outcome;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = fuzz_file(data, size);
	struct outcome ours = read_all(path, 0), theirs = read_all(path, SIFT_READER_LIBPCAP);

	FUZZ_MUST(ours.opened == theirs.opened);
	FUZZ_MUST(ours.n == theirs.n && ours.hash == theirs.hash);
	FUZZ_MUST(ours.ended == theirs.ended);
	read_all(path, SIFT_READER_MIXED);
	read_all(path, SIFT_READER_SALVAGE);
	return 0;
}
