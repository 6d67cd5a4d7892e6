/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "bench/packets.h"

#include <errno.h>
#include <pcap/dlt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { SMALL = 60, MEDIUM = 590, LARGE = PACKETS_MAX_LEN };

/* splitmix64 */
static uint64_t
next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static uint32_t
below(uint64_t *state, uint32_t n)
{
	return (uint32_t)(((next(state) >> 32) * n) >> 32);
}

static void
put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void
put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

static uint32_t
address(uint64_t *rng)
{
	switch (below(rng, 4)) {
	case 0:
		return 0xc0a80100u + below(rng, 64);    /* 192.168.1.0/26 */
	case 1:
		return 0x0a000000u + below(rng, 1 << 16);
	default:
		return (uint32_t)next(rng);
	}
}

static uint32_t
port(uint64_t *rng)
{
	static const uint16_t known[] = { 80, 443, 53, 22, 25, 1234, 8080, 123 };

	return below(rng, 2) == 0 ? known[below(rng, sizeof(known) / sizeof(known[0]))]
				  : 1024 + below(rng, 64000);
}

static void
tcp(uint64_t *rng, uint8_t *p)
{
	static const uint8_t flags[] = { 0x10, 0x10, 0x10, 0x18, 0x18, 0x02, 0x12, 0x11 };

	put16(p, port(rng));
	put16(p + 2, port(rng));
	p[12] = 5 << 4;
	p[13] = flags[below(rng, sizeof(flags))];
	if (below(rng, 8) == 0)
		memcpy(p + 20, "GET ", 4);
}

static void
udp(uint64_t *rng, uint8_t *p, uint32_t len)
{
	put16(p, port(rng));
	put16(p + 2, port(rng));
	put16(p + 4, len);
}

static void
ipv4(uint64_t *rng, uint8_t *p, uint32_t len)
{
	uint32_t kind = below(rng, 16);

	p[0] = 0x45;
	put16(p + 2, len);
	p[8] = (uint8_t)(32 + below(rng, 96));
	p[9] = kind < 10 ? 6 : kind < 15 ? 17 : 1;
	put32(p + 12, address(rng));
	put32(p + 16, address(rng));
	if (p[9] == 6)
		tcp(rng, p + 20);
	else if (p[9] == 17)
		udp(rng, p + 20, len - 20);
	else
		p[20] = 8;
}

static void
ipv6(uint64_t *rng, uint8_t *p, uint32_t len)
{
	uint32_t kind = below(rng, 8);

	p[0] = 0x60;
	put16(p + 4, len - 40);
	p[6] = kind < 4 ? 6 : kind < 7 ? 17 : 58;
	p[7] = 64;
	for (size_t i = 8; i < 40; i += 4)
		put32(p + i, (uint32_t)next(rng));
	if (len < 40 + 24)
		p[6] = 59;
	else if (p[6] == 6)
		tcp(rng, p + 40);
	else if (p[6] == 17)
		udp(rng, p + 40, len - 40);
}

/* Of 32 frames 22 are IPv4, 5 IPv6, 3 IPv4 behind a VLAN tag, 2 ARP. */
static void
frame(uint64_t *rng, uint8_t *p, uint32_t len)
{
	uint32_t kind = below(rng, 32);

	put32(p, (uint32_t)next(rng) & 0xfeffffffu);
	put32(p + 6, (uint32_t)next(rng) & 0xfeffffffu);
	if (kind < 22) {
		put16(p + 12, 0x0800);
		ipv4(rng, p + 14, len - 14);
	} else if (kind < 27) {
		put16(p + 12, 0x86dd);
		ipv6(rng, p + 14, len - 14);
	} else if (kind < 30) {
		put16(p + 12, 0x8100);
		put16(p + 14, below(rng, 4096));
		put16(p + 16, 0x0800);
		ipv4(rng, p + 18, len - 18);
	} else {
		put16(p + 12, 0x0806);
		put16(p + 14, 1);
		put16(p + 16, 0x0800);
	}
}

/* Zeroed, and on large pages where the system gives them. */
static void *
allocate(size_t size)
{
	enum { LARGE_PAGE = 2 << 20 };
	void *p = NULL;

	if (posix_memalign(&p, LARGE_PAGE, size) != 0)
		return NULL;
#ifdef MADV_HUGEPAGE
	madvise(p, size, MADV_HUGEPAGE);
#endif
	memset(p, 0, size);
	return p;
}

int
packets_make(struct packets *p, size_t n, uint64_t seed)
{
	static const uint32_t imix[] = { SMALL, SMALL, SMALL, SMALL, SMALL, SMALL, SMALL,
					 MEDIUM, MEDIUM, MEDIUM, MEDIUM, LARGE };
	uint64_t rng = seed;
	size_t at = 0, total = 0;

	for (size_t i = 0; i < n; i++)
		total += imix[i % 12] + 16;
	/* 16 bytes between frames: where a savefile has its record header */
	p->bytes = allocate(total);
	p->views = allocate(n * sizeof(*p->views));
	p->n = n;
	if (p->bytes == NULL || p->views == NULL) {
		packets_free(p);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		uint32_t len = imix[below(&rng, 12)];
		uint64_t before;

		if (at + 16 + len > total)
			len = SMALL;
		at += 16;
		if (at + len > total) {
			p->n = i;
			break;
		}
		before = len;
		memcpy(p->bytes + at - sizeof(before), &before, sizeof(before));
		frame(&rng, p->bytes + at, len);
		sift_view_init(&p->views[i], DLT_EN10MB, p->bytes + at, len, len);
		at += len;
	}
	return 0;
}

void
packets_free(struct packets *p)
{
	free(p->bytes);
	free(p->views);
	p->bytes = NULL;
	p->views = NULL;
}
