/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "tests/support/pcapng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/suite.h"

enum {
	SECTION = 0x0a0d0d0a,
	INTERFACE = 1,
	PACKET = 2,
	SIMPLE = 3,
	NAMES = 4,
	STATISTICS = 5,
	ENHANCED = 6,
	SECRETS = 10,
	CUSTOM = 0xbad,
	CUSTOM_NO_COPY = 0x40000bad,
};

static void
put_bytes(struct pcapng *f, const void *from, size_t n)
{
	memcpy(f->bytes + f->n, from, n);
	f->n += n;
}

static void
put64(struct pcapng *f, uint64_t v)
{
	if (f->is_swapped)
		v = __builtin_bswap64(v);
	put_bytes(f, &v, sizeof(v));
}

static void
put32(struct pcapng *f, uint32_t v)
{
	if (f->is_swapped)
		v = __builtin_bswap32(v);
	put_bytes(f, &v, sizeof(v));
}

static void
put16(struct pcapng *f, uint16_t v)
{
	if (f->is_swapped)
		v = __builtin_bswap16(v);
	put_bytes(f, &v, sizeof(v));
}

/* Bytes that a reader which has lost its place would take for blocks. */
static void
put_payload(struct pcapng *f, size_t n, uint64_t *rng)
{
	static const uint32_t types[] = { SECTION, INTERFACE, PACKET, SIMPLE, ENHANCED };
	size_t end = f->n + n;

	while (f->n + 32 <= end && rng_below(rng, 50) != 0) {
		put32(f, types[rng_below(rng, N_ELEMS(types))]);
		put32(f, 32);
		put32(f, rng_below(rng, 4) == 0 ? 0x1a2b3c4d : 0);
		put32(f, 1);
		put64(f, 0);
		put32(f, rng_below(rng, 2) == 0 ? 0 : 60);
		put32(f, 32);
	}
	while (f->n < end)
		f->bytes[f->n++] = (uint8_t)rng_next(rng);
}

/* The blocks' frame: what is written between the two is the body. */
static size_t
begin_block(struct pcapng *f, uint32_t type)
{
	size_t at = f->n;

	if (f->n_blocks < N_ELEMS(f->blocks))
		f->blocks[f->n_blocks++] = at;
	put32(f, type);
	put32(f, 0);
	return at;
}

static void
end_block(struct pcapng *f, size_t at)
{
	size_t end;

	while ((f->n - at) % 4 != 0)
		f->bytes[f->n++] = 0;
	end = f->n;
	f->n = at + 4;
	put32(f, (uint32_t)(end - at + 4));
	f->n = end;
	put32(f, (uint32_t)(end - at + 4));
}

static void
put_option(struct pcapng *f, uint16_t code, const void *value, uint16_t len)
{
	put16(f, code);
	put16(f, len);
	put_bytes(f, value, len);
	while (f->n % 4 != 0)
		f->bytes[f->n++] = 0;
}

static void
put_any_options(struct pcapng *f, uint64_t *rng)
{
	static const char text[80] = "a comment, or some such thing, longer or shorter than others";

	while (rng_below(rng, 3) == 0)
		put_option(f, (uint16_t)(rng_below(rng, 2) == 0 ? 1 : 2 + rng_below(rng, 6)), text,
			   (uint16_t)rng_below(rng, sizeof(text)));
}

static void
put_section(struct pcapng *f, uint64_t *rng)
{
	size_t at;

	if (f->is_mixed || f->n == 0)
		f->is_swapped = rng_below(rng, 2);
	f->n_interfaces = 0;
	at = begin_block(f, SECTION);
	put32(f, 0x1a2b3c4d);
	put16(f, 1);
	put16(f, rng_below(rng, 4) == 0 ? 2 : 0);
	put64(f, rng_below(rng, 2) == 0 ? UINT64_MAX : rng_below(rng, 100000));
	put_any_options(f, rng);
	end_block(f, at);
}

/* What an interface may be: mostly what is usual. */
static struct pcapng_interface
any_interface(uint64_t *rng)
{
	static const uint16_t linktypes[] = { 0, 9, 12, 101, 104, 105, 113, 127, 228, 229, 276 };
	static const uint32_t snaplens[] = {
		96, 65535, PCAPNG_MAX_CAPLEN, PCAPNG_MAX_CAPLEN, 1000000, UINT32_MAX, 0
	};
	static const uint8_t resolutions[] = { 0,    3,    6,    7,    9,    9,    10,   12,  19,
					       0x80, 0x81, 0x8a, 0x93, 0x94, 0x9d, 0x9e, 0xa2 };
	struct pcapng_interface i = { .linktype = 1, .resolution = 6 };

	if (rng_below(rng, 3) == 0)
		i.linktype = linktypes[rng_below(rng, N_ELEMS(linktypes))];
	if (rng_below(rng, 12) == 0)
		i.linktype = (uint16_t)(104 + rng_below(rng, 180));
	i.snaplen = snaplens[rng_below(rng, N_ELEMS(snaplens))];
	if (rng_below(rng, 2) == 0)
		i.resolution = resolutions[rng_below(rng, N_ELEMS(resolutions))];
	if (rng_below(rng, 4) == 0)
		i.offset_s = (int64_t)rng_below(rng, 1000) - 500;
	if (rng_below(rng, 4) == 0)
		i.fcs_len = 32;
	return i;
}

static void
put_interface(struct pcapng *f, uint64_t *rng)
{
	struct pcapng_interface i = any_interface(rng);
	size_t at;

	if (f->n_interfaces == PCAPNG_MAX_INTERFACES)
		return;
	if (!f->is_mixed) {
		i.linktype = f->kind.linktype;
		i.snaplen = f->kind.snaplen;
		/* libpcap's own arithmetic, where it goes wrong, is not to be explained here */
		if (rng_below(rng, 10) == 0)
			i.resolution = (uint8_t)(0x80 | (35 + rng_below(rng, 29)));
		if (rng_below(rng, 10) == 0)
			i.offset_s = (int64_t)rng_next(rng);
	}
	f->interfaces[f->n_interfaces++] = i;
	at = begin_block(f, INTERFACE);
	put16(f, i.linktype);
	put16(f, 0);
	put32(f, i.snaplen);
	put_any_options(f, rng);
	if (i.resolution != 6 || rng_below(rng, 4) == 0)
		put_option(f, 9, &i.resolution, 1);
	if (i.offset_s != 0) {
		uint64_t offset = (uint64_t)i.offset_s;

		if (f->is_swapped)
			offset = __builtin_bswap64(offset);
		put_option(f, 14, &offset, 8);
	}
	if (i.fcs_len != 0)
		put_option(f, 13, &i.fcs_len, 1);
	if (rng_below(rng, 2) == 0)
		put_option(f, 0, "", 0);
	end_block(f, at);
}

static uint32_t
any_caplen(uint64_t *rng)
{
	static const uint32_t edges[] = { 0,      1,      2,      3,      4,      65535, 65536,
					  131040, 131072, 131073, 262143, PCAPNG_MAX_CAPLEN };

	switch (rng_below(rng, 60)) {
	case 0:
		return edges[rng_below(rng, N_ELEMS(edges))];
	case 1:
	case 2:
		return rng_below(rng, 9000);
	default:
		return rng_below(rng, 8) == 0 ? rng_below(rng, 32) : 40 + rng_below(rng, 1475);
	}
}

uint32_t
pcapng_limit(const struct pcapng_interface *interface)
{
	return interface->snaplen == 0 || interface->snaplen > INT32_MAX ? PCAPNG_MAX_CAPLEN
									 : interface->snaplen;
}

static void
put_packet(struct pcapng *f, uint64_t *rng)
{
	static const uint32_t types[] = { SIMPLE, PACKET, ENHANCED, ENHANCED, ENHANCED, ENHANCED };
	uint32_t type = types[rng_below(rng, N_ELEMS(types))];
	struct pcapng_packet p = { .caplen = any_caplen(rng) };
	uint32_t limit;
	size_t at;

	if (f->n_interfaces == 0 || f->n_packets == PCAPNG_MAX_PACKETS)
		return;
	if (type != SIMPLE) {
		p.index = rng_below(rng, (uint32_t)f->n_interfaces);
		p.time = rng_below(rng, 20) == 0 ? rng_next(rng) : rng_next(rng) >> 13;
	}
	p.interface = f->interfaces[p.index];
	limit = pcapng_limit(&p.interface);
	p.wirelen = rng_below(rng, 3) == 0 ? p.caplen + rng_below(rng, 1000) : p.caplen;
	if (type == SIMPLE)
		p.caplen = p.wirelen;
	if (p.caplen > limit)
		p.caplen = limit;
	at = begin_block(f, type);
	if (type == SIMPLE) {
		put32(f, p.wirelen);
	} else {
		if (type == ENHANCED) {
			put32(f, p.index);
		} else {
			put16(f, (uint16_t)p.index);
			put16(f, (uint16_t)rng_next(rng));
		}
		put32(f, (uint32_t)(p.time >> 32));
		put32(f, (uint32_t)p.time);
		put32(f, p.caplen);
		put32(f, p.wirelen);
	}
	p.at = f->n;
	put_payload(f, p.caplen, rng);
	if (p.interface.linktype == 113 && p.caplen >= 16 && rng_below(rng, 4) == 0)
		memcpy(f->bytes + p.at + 14, "\0\14", 2); /* CAN, whose identifier libpcap swaps */
	while (f->n % 4 != 0)
		f->bytes[f->n++] = 0;
	if (type != SIMPLE)
		put_any_options(f, rng);
	end_block(f, at);
	f->packets[f->n_packets++] = p;
}

/* One that readers pass over. */
static void
put_other(struct pcapng *f, size_t max, uint64_t *rng)
{
	static const uint32_t types[] = { NAMES, STATISTICS, SECRETS, CUSTOM, CUSTOM_NO_COPY, 7 };
	size_t at = begin_block(f, types[rng_below(rng, N_ELEMS(types))]);

	put_payload(f, rng_below(rng, (uint32_t)max), rng);
	end_block(f, at);
}

static void
put_interfaces(struct pcapng *f, uint64_t *rng)
{
	do
		put_interface(f, rng);
	while (rng_below(rng, 3) == 0);
}

/* ---- what is wrong with a file ---- */

/* The block that was written last, as it is overwritten. */
static void
patch32(struct pcapng *f, size_t off, uint32_t v)
{
	size_t end = f->n;

	f->n = f->blocks[f->n_blocks - 1] + off;
	if (f->n + 4 <= end)
		put32(f, v);
	f->n = end;
}

static void
put_bad_interface(struct pcapng *f, uint64_t *rng)
{
	uint8_t resolution = 6;
	size_t at = begin_block(f, INTERFACE);

	put16(f, f->kind.linktype);
	put16(f, 0);
	put32(f, f->kind.snaplen);
	switch (rng_below(rng, 8)) {
	case 0:
		resolution = (uint8_t)rng_next(rng);
		put_option(f, 9, &resolution, 1);
		break;
	case 1:
		put_option(f, 9, &resolution, 1);
		put_option(f, 9, &resolution, 1);
		break;
	case 2:
		put_option(f, 9, "\6\6\6", (uint16_t)rng_below(rng, 3));
		break;
	case 3:
		put_option(f, 14, "12345678",
			   (uint16_t)(rng_below(rng, 2) == 0 ? 8 : rng_below(rng, 9)));
		put_option(f, 14, "12345678", 8);
		break;
	case 4:
		put_option(f, 0, "abcd", (uint16_t)rng_below(rng, 4));
		put16(f, 9);
		break;
	case 5: /* longer than the block */
		put16(f, 1);
		put16(f, (uint16_t)rng_next(rng));
		break;
	case 6: /* of another kind */
		f->n -= 8;
		if (rng_below(rng, 2) == 0) {
			put16(f, 147);
			put16(f, 0);
			put32(f, f->kind.snaplen);
		} else {
			put16(f, f->kind.linktype);
			put16(f, 0);
			put32(f, 1234);
		}
		break;
	case 7: /* cut */
		f->n = at + 8 + 4 * (size_t)rng_below(rng, 2);
		break;
	}
	end_block(f, at);
}

static void
put_bad_section(struct pcapng *f, uint64_t *rng)
{
	static const uint32_t magics[] = { 0x4d3c2b1a, 0x1a2b3c4e, 0x1a2b3c4d };
	size_t at = begin_block(f, SECTION);

	put32(f, magics[rng_below(rng, N_ELEMS(magics))]);
	put16(f, (uint16_t)(1 + rng_below(rng, 2)));
	put16(f, (uint16_t)rng_below(rng, 3));
	if (rng_below(rng, 4) != 0)
		put64(f, UINT64_MAX);
	end_block(f, at);
	/* and a packet of an interface that is forgotten */
	if (rng_below(rng, 2) == 0)
		put_packet(f, rng);
}

static void
put_damage(struct pcapng *f, uint64_t *rng)
{
	static const uint32_t lengths[] = { 0,         8,  11, 12,       16,
					    28,        30, 33, 16 << 20, (16 << 20) + 4,
					    UINT32_MAX };

	switch (rng_below(rng, 7)) {
	case 0:
		put_bad_interface(f, rng);
		break;
	case 1:
		put_bad_section(f, rng);
		break;
	case 2: /* an interface that there is not, or a length, as it comes */
		put_packet(f, rng);
		patch32(f, 8, rng_below(rng, 2) == 0 ? PCAPNG_MAX_INTERFACES : UINT32_MAX);
		break;
	case 3: /* captured bytes: more than the block has, or than the snapshot length */
		put_packet(f, rng);
		patch32(f, 20, rng_below(rng, 2) == 0 ? rng_below(rng, 100000) : UINT32_MAX);
		break;
	case 4:
		put_packet(f, rng);
		patch32(f, 4, lengths[rng_below(rng, N_ELEMS(lengths))]);
		break;
	case 5: /* the length at its end */
		put_packet(f, rng);
		patch32(f, f->n - f->blocks[f->n_blocks - 1] - 4, rng_below(rng, 1000));
		break;
	case 6: { /* a packet's block without room for its fields */
		size_t at = begin_block(f, rng_below(rng, 2) == 0 ? ENHANCED : SIMPLE);

		put_payload(f, 4 * (size_t)rng_below(rng, 5), rng);
		end_block(f, at);
		break;
	}
	}
}

void
pcapng_flip_bits(struct pcapng *f, uint64_t *rng)
{
	uint32_t n = 1 + rng_below(rng, 3);

	while (n-- > 0) {
		size_t at = f->blocks[rng_below(rng, (uint32_t)f->n_blocks)];

		at += rng_below(rng, 3) == 0 ? -(size_t)rng_below(rng, 4) : rng_below(rng, 40);
		if (at < f->n)
			f->bytes[at] ^= (uint8_t)(1u << rng_below(rng, 8));
	}
}

static void
begin_file(struct pcapng *f, uint64_t *rng)
{
	f->n = f->n_blocks = f->n_packets = 0;
	f->kind = any_interface(rng);
	put_section(f, rng);
	while (rng_below(rng, 6) == 0)
		put_other(f, rng_below(rng, 10) == 0 ? 6000 : 60, rng);
	if (rng_below(rng, 100) != 0)
		put_interfaces(f, rng);
}

void
pcapng_make(struct pcapng *f, uint64_t *rng)
{
	size_t n_packets =
		rng_below(rng, 10) == 0 ? rng_below(rng, 4) : rng_below(rng, PCAPNG_MAX_PACKETS);
	size_t damaged =
		rng_below(rng, 3) == 0 ? rng_below(rng, (uint32_t)n_packets + 1) : SIZE_MAX;

	begin_file(f, rng);
	for (size_t i = 0; i < n_packets && f->n < PCAPNG_MAX_FILE; i++) {
		if (i == damaged && !f->is_mixed)
			put_damage(f, rng);
		switch (rng_below(rng, 40)) {
		case 0:
		case 1:
			put_other(f, rng_below(rng, 20) == 0 ? 300000 : 200, rng);
			break;
		case 2:
			put_interface(f, rng);
			break;
		case 3:
			if (f->is_mixed || rng_below(rng, 4) == 0) {
				put_section(f, rng);
				put_interfaces(f, rng);
			}
			break;
		}
		put_packet(f, rng);
	}
	if (f->is_mixed)
		return;
	if (rng_below(rng, 4) == 0)
		pcapng_flip_bits(f, rng);
	if (rng_below(rng, 3) == 0)
		f->n = rng_below(rng, 8) == 0 ? rng_below(rng, 200)
					      : rng_below(rng, (uint32_t)f->n + 1);
}

void
pcapng_save(const struct pcapng *f)
{
	tempfile_save(f->path, f->bytes, f->n);
}

int
pcapng_open_pipe(const struct pcapng *f, uint64_t seed, pid_t *child)
{
	uint32_t most = rng_below(&seed, 4) == 0 ? 100 : 70000;

	return tempfile_pipe(f->bytes, f->n, most, seed, child);
}

void
pcapng_init(struct pcapng *f)
{
	/* a packet, a long block and some damage may still be on their way */
	f->bytes = malloc(PCAPNG_MAX_FILE + 4 * PCAPNG_MAX_CAPLEN);
	ck_assert_ptr_nonnull(f->bytes);
	tempfile_create(f->path);
}

void
pcapng_destroy(struct pcapng *f)
{
	unlink(f->path);
	free(f->bytes);
}
