/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/support/capture.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/suite.h"

enum { FILE_HEADER = 24, RECORD_HEADER = 16, MAX_CAPLEN = 262144, ETHERNET = 1 };

static void
put32(struct capture *f, uint32_t v)
{
	if (f->is_swapped)
		v = __builtin_bswap32(v);
	memcpy(f->bytes + f->n, &v, sizeof(v));
	f->n += sizeof(v);
}

static void
put16(struct capture *f, uint16_t v)
{
	if (f->is_swapped)
		v = __builtin_bswap16(v);
	memcpy(f->bytes + f->n, &v, sizeof(v));
	f->n += sizeof(v);
}

static uint32_t
any_caplen(uint64_t *rng)
{
	static const uint32_t edges[] = { 0, 1, 14, 15, 16, 17, 65535, 65536, 131071, 131072,
					  131073, MAX_CAPLEN };

	switch (rng_below(rng, 40)) {
	case 0:
		return edges[rng_below(rng, N_ELEMS(edges))];
	case 1:
	case 2:
		return rng_below(rng, 9000);
	default:
		return rng_below(rng, 8) == 0 ? rng_below(rng, 32) : 40 + rng_below(rng, 1475);
	}
}

/* Bytes that a reader which has lost its place would take for records. */
static void
put_payload(struct capture *f, uint32_t n, uint64_t *rng)
{
	size_t end = f->n + n;

	while (f->n + RECORD_HEADER <= end && rng_below(rng, 50) != 0) {
		put32(f, 1700000000);
		put32(f, rng_below(rng, 1000000));
		put32(f, rng_below(rng, 100));
		put32(f, rng_below(rng, 100));
	}
	while (f->n < end)
		f->bytes[f->n++] = (uint8_t)rng_next(rng);
}

static void
make(struct capture *f, uint32_t max_packets, uint64_t *rng)
{
	static const uint32_t snaplens[] = { 96, 65535, MAX_CAPLEN, MAX_CAPLEN, 1000000, 0 };
	size_t n_packets = rng_below(rng, rng_below(rng, 10) == 0 ? 4 : max_packets);
	uint32_t damaged = rng_below(rng, 8) == 0 ? rng_below(rng, max_packets) : UINT32_MAX;

	f->n = 0;
	f->is_swapped = rng_below(rng, 2);
	f->is_nano = rng_below(rng, 2);
	put32(f, f->is_nano ? 0xa1b23c4d : 0xa1b2c3d4);
	put16(f, 2);
	put16(f, 4);
	put32(f, 0);
	put32(f, 0);
	put32(f, snaplens[rng_below(rng, N_ELEMS(snaplens))]);
	put32(f, f->linktype);
	for (size_t i = 0; i < n_packets; i++) {
		uint32_t caplen = any_caplen(rng);

		if (f->n + RECORD_HEADER + caplen > CAPTURE_MAX)
			break;
		put32(f, (uint32_t)rng_next(rng));
		put32(f, rng_below(rng, 20) == 0 ? (uint32_t)rng_next(rng) >> 1
						 : rng_below(rng, 1000000));
		put32(f, i == damaged ? MAX_CAPLEN + 1 + rng_below(rng, 1000) : caplen);
		put32(f, rng_below(rng, 3) == 0 ? caplen + rng_below(rng, 1000) : caplen);
		put_payload(f, caplen, rng);
	}
	if (rng_below(rng, 2) == 0)
		f->n = FILE_HEADER + rng_below(rng, (uint32_t)(f->n - FILE_HEADER) + 1);
}

void
capture_init(struct capture *f)
{
	*f = (struct capture){ .bytes = malloc(CAPTURE_MAX + RECORD_HEADER), .linktype = 1 };
	ck_assert_ptr_nonnull(f->bytes);
	tempfile_create(f->path);
}

void
capture_destroy(struct capture *f)
{
	unlink(f->path);
	free(f->bytes);
}

void
capture_make(struct capture *f, uint32_t n_packets, uint64_t *rng)
{
	make(f, n_packets, rng);
	tempfile_save(f->path, f->bytes, f->n);
}

struct sift_sink *
capture_sink(const char *path, enum sift_precision precision)
{
	const struct sift_savefile_opts opts = { .size = sizeof(opts),
						 .dlt = ETHERNET,
						 .snaplen = MAX_CAPLEN,
						 .precision = precision };
	struct sift_sink *sink;
	struct ebpf_err err = { "" };

	ck_assert_msg(sift_sink_open_savefile(path, &opts, &sink, &err) == 0, "%s", err.text);
	return sink;
}
