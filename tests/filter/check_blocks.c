/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcapng files, which are read in blocks, hold the packets that libpcap finds in
 * them, and end as it says: files of every kind of block, option and packet, whose
 * contents look like blocks, cut and damaged anywhere; from a file, and from a pipe
 * that hands out any number of bytes at a time.
 *
 * What libpcap refuses and a mixed reader takes, files of several link types and
 * byte orders, is held against what was written.
 */
#include "config.h"

#include "filter/blocks.h"

#include "tests/support/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "filter/dlt.h"

enum { MAX_CAPLEN = 262144, MAX_FILE = 4 << 20, MAX_PACKETS = 600, MAX_INTERFACES = 6 };

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

/* ---- files ---- */

struct interface {
	uint16_t linktype;
	uint32_t snaplen;
	uint8_t resolution, fcs_len;
	int64_t offset_s;
};

/* What was written, for files that libpcap does not read. */
struct expected {
	struct interface interface;
	uint32_t index, caplen, wirelen;
	uint64_t time;
	size_t at; /* of its bytes in the file */
};

struct file {
	uint8_t *bytes;
	size_t n;
	bool is_swapped;
	bool is_mixed;
	struct interface kind; /* of all interfaces, unless it is mixed */
	struct interface interfaces[MAX_INTERFACES];
	size_t n_interfaces;
	size_t blocks[4 * MAX_PACKETS]; /* where they begin */
	size_t n_blocks;
	struct expected packets[MAX_PACKETS];
	size_t n_packets;
	char path[64];
};

static void
put_bytes(struct file *f, const void *from, size_t n)
{
	memcpy(f->bytes + f->n, from, n);
	f->n += n;
}

static void
put64(struct file *f, uint64_t v)
{
	if (f->is_swapped)
		v = __builtin_bswap64(v);
	put_bytes(f, &v, sizeof(v));
}

static void
put32(struct file *f, uint32_t v)
{
	if (f->is_swapped)
		v = __builtin_bswap32(v);
	put_bytes(f, &v, sizeof(v));
}

static void
put16(struct file *f, uint16_t v)
{
	if (f->is_swapped)
		v = __builtin_bswap16(v);
	put_bytes(f, &v, sizeof(v));
}

/* Bytes that a reader which has lost its place would take for blocks. */
static void
put_payload(struct file *f, size_t n, uint64_t *rng)
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
begin_block(struct file *f, uint32_t type)
{
	size_t at = f->n;

	if (f->n_blocks < N_ELEMS(f->blocks))
		f->blocks[f->n_blocks++] = at;
	put32(f, type);
	put32(f, 0);
	return at;
}

static void
end_block(struct file *f, size_t at)
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
put_option(struct file *f, uint16_t code, const void *value, uint16_t len)
{
	put16(f, code);
	put16(f, len);
	put_bytes(f, value, len);
	while (f->n % 4 != 0)
		f->bytes[f->n++] = 0;
}

static void
put_any_options(struct file *f, uint64_t *rng)
{
	static const char text[80] = "a comment, or some such thing, longer or shorter than others";

	while (rng_below(rng, 3) == 0)
		put_option(f, (uint16_t)(rng_below(rng, 2) == 0 ? 1 : 2 + rng_below(rng, 6)), text,
			   (uint16_t)rng_below(rng, sizeof(text)));
}

static void
put_section(struct file *f, uint64_t *rng)
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
static struct interface
any_interface(uint64_t *rng)
{
	static const uint16_t linktypes[] = { 0, 9, 12, 101, 104, 105, 113, 127, 228, 229, 276 };
	static const uint32_t snaplens[] = { 96,      65535,      MAX_CAPLEN, MAX_CAPLEN,
					     1000000, UINT32_MAX, 0 };
	static const uint8_t resolutions[] = { 0,    3,    6,    7,    9,    9,    10,   12,  19,
					       0x80, 0x81, 0x8a, 0x93, 0x94, 0x9d, 0x9e, 0xa2 };
	struct interface i = { .linktype = 1, .resolution = 6 };

	if (rng_below(rng, 3) == 0)
		i.linktype = linktypes[rng_below(rng, N_ELEMS(linktypes))];
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
put_interface(struct file *f, uint64_t *rng)
{
	struct interface i = any_interface(rng);
	size_t at;

	if (f->n_interfaces == MAX_INTERFACES)
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
	static const uint32_t edges[] = { 0,     1,      2,      3,      4,      65535,
					  65536, 131040, 131072, 131073, 262143, MAX_CAPLEN };

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

static uint32_t
limit_of(const struct interface *interface)
{
	return interface->snaplen == 0 || interface->snaplen > INT32_MAX ? MAX_CAPLEN
									 : interface->snaplen;
}

static void
put_packet(struct file *f, uint64_t *rng)
{
	static const uint32_t types[] = { SIMPLE, PACKET, ENHANCED, ENHANCED, ENHANCED, ENHANCED };
	uint32_t type = types[rng_below(rng, N_ELEMS(types))];
	struct expected p = { .caplen = any_caplen(rng) };
	uint32_t limit;
	size_t at;

	if (f->n_interfaces == 0 || f->n_packets == MAX_PACKETS)
		return;
	if (type != SIMPLE) {
		p.index = rng_below(rng, (uint32_t)f->n_interfaces);
		p.time = rng_below(rng, 20) == 0 ? rng_next(rng) : rng_next(rng) >> 13;
	}
	p.interface = f->interfaces[p.index];
	limit = limit_of(&p.interface);
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
put_other(struct file *f, size_t max, uint64_t *rng)
{
	static const uint32_t types[] = { NAMES, STATISTICS, SECRETS, CUSTOM, CUSTOM_NO_COPY, 7 };
	size_t at = begin_block(f, types[rng_below(rng, N_ELEMS(types))]);

	put_payload(f, rng_below(rng, (uint32_t)max), rng);
	end_block(f, at);
}

static void
put_interfaces(struct file *f, uint64_t *rng)
{
	do
		put_interface(f, rng);
	while (rng_below(rng, 3) == 0);
}

/* ---- what is wrong with a file ---- */

/* The block that was written last, as it is overwritten. */
static void
patch32(struct file *f, size_t off, uint32_t v)
{
	size_t end = f->n;

	f->n = f->blocks[f->n_blocks - 1] + off;
	if (f->n + 4 <= end)
		put32(f, v);
	f->n = end;
}

static void
put_bad_interface(struct file *f, uint64_t *rng)
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
put_bad_section(struct file *f, uint64_t *rng)
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
put_damage(struct file *f, uint64_t *rng)
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
		patch32(f, 8, rng_below(rng, 2) == 0 ? MAX_INTERFACES : UINT32_MAX);
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

/* Bits that change in the fields of blocks. */
static void
flip_bits(struct file *f, uint64_t *rng)
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
begin_file(struct file *f, uint64_t *rng)
{
	f->n = f->n_blocks = f->n_packets = 0;
	f->kind = any_interface(rng);
	put_section(f, rng);
	while (rng_below(rng, 6) == 0)
		put_other(f, rng_below(rng, 10) == 0 ? 6000 : 60, rng);
	if (rng_below(rng, 100) != 0)
		put_interfaces(f, rng);
}

static void
make(struct file *f, uint64_t *rng)
{
	size_t n_packets =
		rng_below(rng, 10) == 0 ? rng_below(rng, 4) : rng_below(rng, MAX_PACKETS);
	size_t damaged =
		rng_below(rng, 3) == 0 ? rng_below(rng, (uint32_t)n_packets + 1) : SIZE_MAX;

	begin_file(f, rng);
	for (size_t i = 0; i < n_packets && f->n < MAX_FILE; i++) {
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
		flip_bits(f, rng);
	if (rng_below(rng, 3) == 0)
		f->n = rng_below(rng, 8) == 0 ? rng_below(rng, 200)
					      : rng_below(rng, (uint32_t)f->n + 1);
}

static void
save(const struct file *f)
{
	FILE *out = fopen(f->path, "wb");

	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(fwrite(f->bytes, 1, f->n, out), f->n);
	ck_assert_int_eq(fclose(out), 0);
}

/* A child that writes the file into a pipe, some bytes at a time; the reader's end. */
static int
open_pipe(const struct file *f, uint64_t seed, pid_t *child)
{
	uint32_t most = rng_below(&seed, 4) == 0 ? 100 : 70000;
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	*child = fork();
	ck_assert_int_ge(*child, 0);
	if (*child == 0) {
		size_t at = 0;

		close(fds[0]);
		while (at < f->n) {
			size_t left = f->n - at;
			size_t some = 1 + rng_below(&seed, at < 20000 ? most : 70000);
			ssize_t done = write(fds[1], f->bytes + at, some < left ? some : left);

			if (done < 0)
				_exit(1);
			at += (size_t)done;
		}
		_exit(0);
	}
	close(fds[1]);
	return fds[0];
}

static void
make_buffer(struct file *f)
{
	const char *dir = getenv("TMPDIR");
	int fd;

	/* a packet, a long block and some damage may still be on their way */
	f->bytes = malloc(MAX_FILE + 4 * MAX_CAPLEN);
	ck_assert_ptr_nonnull(f->bytes);
	snprintf(f->path, sizeof(f->path), "%.40s/blocks-XXXXXX", dir != NULL ? dir : "/tmp");
	ck_assert_int_ge(fd = mkstemp(f->path), 0);
	close(fd);
}

static void
free_buffer(struct file *f)
{
	unlink(f->path);
	free(f->bytes);
}

/* ---- a mixed reader ---- */

static struct sift_blocks *
open_mixed(const struct file *f, int fd, struct sift_inflow **flow)
{
	const struct sift_inflow_opts flow_opts = { .fd = fd, .name = "mixed" };
	struct sift_blocks_head head;
	struct sift_blocks_opts opts = {
		.name = "mixed",
		.head = &head,
		.is_mixed = true,
	};
	struct sift_blocks *blocks;
	struct ebpf_err err = { "" };

	ck_assert_int_eq(sift_blocks_look(f->bytes, f->n, &head), 1);
	ck_assert_uint_eq(lseek(fd, (off_t)head.len, SEEK_SET), head.len);
	opts.read = f->bytes;
	opts.n_read = head.len;
	ck_assert_int_eq(sift_inflow_new(&flow_opts, flow, &err), 0);
	opts.flow = *flow;
	ck_assert_int_eq(sift_blocks_new(&opts, &blocks, &err), 0);
	return blocks;
}

static uint64_t
count_mixed(const struct file *f)
{
	int fd = open(f->path, O_RDONLY), rc;
	struct sift_inflow *flow;
	struct sift_blocks *blocks = open_mixed(f, fd, &flow);
	const struct sift_view *views;
	struct ebpf_err err = { "" };
	uint64_t seen = 0;
	size_t n;

	while ((rc = sift_blocks_next(blocks, &views, &n, &err)) == 1)
		seen += n;
	ck_assert(rc == 0 || rc == -EINVAL);
	sift_blocks_free(blocks);
	sift_inflow_free(flow);
	close(fd);
	return seen;
}

/* ---- a source beside libpcap's ---- */

struct totals {
	uint64_t n_files, n_packets, n_ours, n_changes, n_failed, n_refused;
};

/* Packets of a source one by one. */
struct cursor {
	struct sift_source *source;
	const struct sift_view *views;
	size_t n, i;
	struct ebpf_err err;
};

static int
open_cursor(struct cursor *c, const char *path, unsigned flags)
{
	const struct sift_reader_opts opts = { .size = sizeof(opts), .flags = flags };

	*c = (struct cursor){ .source = NULL };
	return sift_source_open_savefile_opts(path, &opts, &c->source, &c->err);
}

static int
next_view(struct cursor *c, const struct sift_view **view)
{
	if (c->i == c->n) {
		int rc = sift_source_next(c->source, &c->views, &c->n, &c->err);

		c->i = 0;
		if (rc != 1) {
			c->n = 0;
			return rc;
		}
	}
	*view = &c->views[c->i++];
	return 1;
}

static void
compare_views(const struct sift_view *ours, const struct sift_view *theirs)
{
	struct sift_view a = *ours, b = *theirs;

	ck_assert_uint_eq(a.caplen, b.caplen);
	ck_assert_uint_eq(a.wirelen, b.wirelen);
	ck_assert_int_eq(a.ts_sec, b.ts_sec);
	ck_assert_uint_eq(a.ts_nsec, b.ts_nsec);
	ck_assert_uint_eq(a.ts_excess, b.ts_excess);
	ck_assert(a.caplen == 0 || memcmp(a.data, b.data, a.caplen) == 0);
	a.data = b.data = NULL;
	ck_assert_mem_eq(&a, &b, sizeof(a));
}

static void
compare_infos(struct cursor *ours, struct cursor *theirs)
{
	struct sift_source_info a = { .size = sizeof(a) }, b = { .size = sizeof(b) };

	ck_assert_int_eq(sift_source_info(ours->source, &a, NULL), 0);
	ck_assert_int_eq(sift_source_info(theirs->source, &b, NULL), 0);
	a.name = b.name = NULL;
	ck_assert_int_eq(a.dlt, b.dlt);
	ck_assert_uint_eq(a.snaplen, b.snaplen);
	ck_assert_int_eq(a.precision, b.precision);
	ck_assert_uint_eq(a.expr_flags, b.expr_flags);
	ck_assert_uint_eq(a.linktype_ext, b.linktype_ext);
	ck_assert_ptr_eq(a.warning, b.warning);
}

/*
 * Code and message, whatever the name.  libpcap's reader looks for the damaged block
 * in the file, so where it reads a pipe the offset may be of one before it.
 */
static void
compare_failures(int ours, const struct cursor *a, const char *name, int theirs,
		 const struct cursor *b, const char *path, bool has_offset)
{
	const char *our_text = a->err.text + strlen(name), *their_text = b->err.text + strlen(path);

	ck_assert_int_eq(ours, theirs);
	if (ours >= 0)
		return;
	ck_assert_mem_eq(a->err.text, name, strlen(name));
	ck_assert_mem_eq(b->err.text, path, strlen(path));
	if (!has_offset) {
		our_text = strstr(our_text + 2, ": ");
		their_text = strstr(their_text + 2, ": ");
		ck_assert(our_text != NULL && their_text != NULL);
	}
	ck_assert_str_eq(our_text, their_text);
}

/* Whether no libpcap is to read the file: its beginning is sound, and not long. */
static bool
is_ours(const struct file *f)
{
	struct sift_blocks_head head;

	return sift_blocks_look(f->bytes, f->n < 4096 ? f->n : 4096, &head) == 1 &&
	       sift_blocks_take(&head);
}

/* From the first packet to the end of both. */
static void
compare(const struct file *f, const char *name, struct totals *totals)
{
	const struct sift_view *ours, *theirs;
	uint64_t before = totals->n_packets;
	struct cursor a, b;
	int rc = open_cursor(&a, name, 0),
	    theirs_rc = open_cursor(&b, f->path, SIFT_READER_LIBPCAP);
	bool is_file = strcmp(name, f->path) == 0;

	totals->n_files++;
	compare_failures(rc, &a, name, theirs_rc, &b, f->path, is_file);
	if (rc < 0) {
		totals->n_refused++;
		return;
	}
	totals->n_ours += is_ours(f);
	compare_infos(&a, &b);
	while ((rc = next_view(&a, &ours)) == 1) {
		ck_assert_msg((theirs_rc = next_view(&b, &theirs)) == 1, "after %llu: %d %s",
			      (unsigned long long)totals->n_packets, theirs_rc, b.err.text);
		compare_views(ours, theirs);
		totals->n_packets++;
	}
	theirs_rc = next_view(&b, &theirs);
	compare_failures(rc, &a, name, theirs_rc, &b, f->path, is_file || is_ours(f));
	totals->n_failed += rc < 0;
	/* a mixed reader takes all that, and may take more */
	if (is_file && is_ours(f))
		ck_assert_uint_ge(count_mixed(f), totals->n_packets - before);
	sift_source_close(a.source);
	sift_source_close(b.source);
}

START_TEST(packets_are_those_that_libpcap_finds)
{
	uint64_t rng = suite_seed(0xb10c), n_files = suite_scaled(1000);
	struct file *f = calloc(1, sizeof(*f));
	struct totals totals = { .n_files = 0 };

	ck_assert_ptr_nonnull(f);
	make_buffer(f);
	for (uint64_t i = 0; i < n_files; i++) {
		char name[64];
		pid_t child;
		int status, fd;

		make(f, &rng);
		save(f);
		compare(f, f->path, &totals);
		fd = open_pipe(f, rng, &child);
		snprintf(name, sizeof(name), "/dev/fd/%d", fd);
		compare(f, name, &totals);
		close(fd);
		ck_assert_int_eq(waitpid(child, &status, 0), child);
	}
	free_buffer(f);
	free(f);
	printf("%llu files, %llu packets, %llu without libpcap, %llu with an error at the end, %llu refused\n",
	       (unsigned long long)totals.n_files, (unsigned long long)totals.n_packets,
	       (unsigned long long)totals.n_ours, (unsigned long long)totals.n_failed,
	       (unsigned long long)totals.n_refused);
	ck_assert(n_files < 100 || totals.n_failed > n_files / 4);
	ck_assert(n_files < 100 || totals.n_ours > n_files);
}
END_TEST

/* ---- what a mixed reader finds ---- */

static uint64_t
power_of_10(unsigned exponent)
{
	return exponent == 0 ? 1 : 10 * power_of_10(exponent - 1);
}

/* The time that was written; powers of 2 as fine as 2^-34 do not wrap. */
static void
check_time(const struct expected *p, const struct sift_view *view)
{
	uint8_t exponent = p->interface.resolution & 0x7f;
	bool is_binary = p->interface.resolution & 0x80;
	uint64_t units = is_binary ? (uint64_t)1 << exponent : power_of_10(exponent);
	uint64_t fraction = p->time % units;

	if (is_binary)
		fraction = fraction * 1000000000 >> exponent;
	else if (exponent <= 9)
		fraction *= power_of_10(9u - exponent);
	else
		fraction /= power_of_10(exponent - 9u);
	ck_assert_int_eq(view->ts_sec, (int64_t)(p->time / units) + p->interface.offset_s);
	ck_assert_uint_eq(view->ts_nsec, fraction);
	ck_assert_uint_eq(view->ts_excess, 0);
}

static void
check_interface(const struct expected *p, const struct sift_blocks_interface *interface)
{
	ck_assert_uint_eq(interface->index, p->index);
	ck_assert_uint_eq(interface->linktype, p->interface.linktype);
	ck_assert_int_eq(interface->dlt,
			 p->interface.linktype == 101 ? DLT_RAW : p->interface.linktype);
	ck_assert_uint_eq(interface->snaplen, limit_of(&p->interface));
	ck_assert_uint_eq(interface->fcs_len, p->interface.fcs_len);
	ck_assert_int_eq(interface->offset_s, p->interface.offset_s);
}

/* Where they are swapped, libpcap changes a field. */
static bool
has_sll(const struct file *f)
{
	for (size_t i = 0; i < f->n_packets; i++)
		if (f->packets[i].interface.linktype == 113)
			return true;
	return false;
}

static void
check_mixed(const struct file *f, struct totals *totals)
{
	int fd = open(f->path, O_RDONLY), rc, last_dlt = -1;
	struct sift_inflow *flow;
	struct sift_blocks *blocks = open_mixed(f, fd, &flow);
	const struct sift_view *views;
	struct ebpf_err err = { "" };
	size_t seen = 0, n;

	while ((rc = sift_blocks_next(blocks, &views, &n, &err)) == 1) {
		for (size_t i = 0; i < n; i++, seen++) {
			const struct expected *p = &f->packets[seen];

			ck_assert_uint_lt(seen, f->n_packets);
			ck_assert_uint_eq(views[i].caplen, p->caplen);
			ck_assert_uint_eq(views[i].wirelen, p->wirelen);
			ck_assert_mem_eq(views[i].data, f->bytes + p->at, p->caplen);
			check_time(p, &views[i]);
			check_interface(p, sift_blocks_interface(blocks, i));
			ck_assert_int_eq(sift_blocks_interface(blocks, i)->dlt,
					 sift_blocks_dlt(blocks));
		}
		totals->n_changes += sift_blocks_dlt(blocks) != last_dlt;
		last_dlt = sift_blocks_dlt(blocks);
	}
	if (rc < 0) {
		ck_assert_msg(has_sll(f), "%s", err.text);
		ck_assert_ptr_nonnull(strstr(err.text, "link type 113, which is not read here"));
		totals->n_failed++;
	} else {
		ck_assert_uint_eq(seen, f->n_packets);
	}
	totals->n_files++;
	totals->n_packets += seen;
	sift_blocks_free(blocks);
	sift_inflow_free(flow);
	close(fd);
}

START_TEST(a_mixed_reader_finds_what_was_written)
{
	uint64_t rng = suite_seed(0xb10d), n_files = suite_scaled(200);
	struct file *f = calloc(1, sizeof(*f));
	struct totals totals = { .n_files = 0 };
	struct sift_blocks_head head;

	ck_assert_ptr_nonnull(f);
	make_buffer(f);
	f->is_mixed = true;
	for (uint64_t i = 0; i < n_files; i++) {
		do
			make(f, &rng);
		while (f->n_packets == 0);
		save(f);
		check_mixed(f, &totals);
		flip_bits(f, &rng);
		save(f);
		if (sift_blocks_look(f->bytes, f->n, &head) == 1)
			ck_assert_uint_le(count_mixed(f), f->n / 16);
	}
	free_buffer(f);
	free(f);
	printf("%llu files, %llu packets, %llu changes of the link type, %llu ended by swapped ones\n",
	       (unsigned long long)totals.n_files, (unsigned long long)totals.n_packets,
	       (unsigned long long)totals.n_changes, (unsigned long long)totals.n_failed);
	ck_assert(n_files < 100 || totals.n_failed < n_files);
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("filter/blocks");
	TCase *tc = tcase_create("libpcap");

	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, packets_are_those_that_libpcap_finds);
	tcase_add_test(tc, a_mixed_reader_finds_what_was_written);
	suite_add_tcase(s, tc);
	return s;
}
