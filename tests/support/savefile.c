/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "tests/support/savefile.h"

#include <check.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

const struct savefile_kind savefile_kinds[N_SAVEFILE_KINDS] = {
	{ "pcap, little-endian, micro", false, false, false },
	{ "pcap, little-endian, nano", false, false, true },
	{ "pcap, big-endian, micro", false, true, false },
	{ "pcap, big-endian, nano", false, true, true },
	{ "pcapng, little-endian, micro", true, false, false },
	{ "pcapng, little-endian, nano", true, false, true },
	{ "pcapng, big-endian, micro", true, true, false },
	{ "pcapng, big-endian, nano", true, true, true },
};

static void
put(struct savefile *file, const struct savefile_kind *kind, uint64_t value, size_t width)
{
	for (size_t i = 0; i < width; i++) {
		size_t shift = 8 * (kind->is_big_endian ? width - 1 - i : i);

		file->bytes[file->len++] = (uint8_t)(value >> shift);
	}
}

struct savefile_packet
savefile_packet(const struct savefile_kind *kind, size_t i)
{
	struct savefile_packet packet = {
		.caplen = (uint32_t)(20 + 7 * i),
		.wirelen = (uint32_t)(20 + 9 * i),
		.ts_sec = 1700000000 + (int64_t)i,
		.ts_nsec = 123456000 + (kind->is_nano ? 789 : 0),
	};

	for (size_t b = 0; b < packet.caplen; b++)
		packet.data[b] = (uint8_t)(16 * i + b);
	return packet;
}

static void
put_pcap(struct savefile *file, const struct savefile_kind *kind)
{
	put(file, kind, kind->is_nano ? 0xa1b23c4d : 0xa1b2c3d4, 4);
	put(file, kind, 2, 2);
	put(file, kind, 4, 2);
	put(file, kind, 0, 8);
	put(file, kind, SAVEFILE_SNAPLEN, 4);
	put(file, kind, 1, 4);
	for (size_t i = 0; i < SAVEFILE_PACKETS; i++) {
		struct savefile_packet packet = savefile_packet(kind, i);

		file->at[i] = file->len;
		put(file, kind, (uint64_t)packet.ts_sec, 4);
		put(file, kind, kind->is_nano ? packet.ts_nsec : packet.ts_nsec / 1000, 4);
		put(file, kind, packet.caplen, 4);
		put(file, kind, packet.wirelen, 4);
		memcpy(file->bytes + file->len, packet.data, packet.caplen);
		file->len += packet.caplen;
	}
}

static void
put_pcapng(struct savefile *file, const struct savefile_kind *kind)
{
	put(file, kind, 0x0a0d0d0a, 4);
	put(file, kind, 28, 4);
	put(file, kind, 0x1a2b3c4d, 4);
	put(file, kind, 1, 2);
	put(file, kind, 0, 2);
	put(file, kind, UINT64_MAX, 8);
	put(file, kind, 28, 4);

	put(file, kind, 1, 4);
	put(file, kind, 32, 4);
	put(file, kind, 1, 2);
	put(file, kind, 0, 2);
	put(file, kind, SAVEFILE_SNAPLEN, 4);
	put(file, kind, 9, 2); /* if_tsresol */
	put(file, kind, 1, 2);
	file->bytes[file->len++] = kind->is_nano ? 9 : 6;
	put(file, kind, 0, 3);
	put(file, kind, 0, 4); /* end of options */
	put(file, kind, 32, 4);
	for (size_t i = 0; i < SAVEFILE_PACKETS; i++) {
		struct savefile_packet packet = savefile_packet(kind, i);
		uint64_t time = (uint64_t)packet.ts_sec * 1000000000u + packet.ts_nsec;
		uint32_t padded = (packet.caplen + 3) & ~3u;

		if (!kind->is_nano)
			time /= 1000;
		file->at[i] = file->len;
		put(file, kind, 6, 4);
		put(file, kind, 32 + padded, 4);
		put(file, kind, 0, 4);
		put(file, kind, time >> 32, 4);
		put(file, kind, time & UINT32_MAX, 4);
		put(file, kind, packet.caplen, 4);
		put(file, kind, packet.wirelen, 4);
		memcpy(file->bytes + file->len, packet.data, padded);
		file->len += padded;
		put(file, kind, 32 + padded, 4);
	}
}

void
savefile_make(struct savefile *file, const struct savefile_kind *kind)
{
	*file = (struct savefile){ .len = 0 };
	if (kind->is_pcapng)
		put_pcapng(file, kind);
	else
		put_pcap(file, kind);
	file->at[SAVEFILE_PACKETS] = file->len;
}

const char *
savefile_path(void)
{
	static char path[64];

	snprintf(path, sizeof(path), "savefile-%ld.tmp", (long)getpid());
	return path;
}

const char *
savefile_write(const uint8_t *bytes, size_t len)
{
	const char *path = savefile_path();
	FILE *file = fopen(path, "wb");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(bytes, 1, len, file), len);
	ck_assert_int_eq(fclose(file), 0);
	return path;
}
