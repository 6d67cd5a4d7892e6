/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The bytes from begin to end in the buffer are what was read and not handed out
 * yet.  Blocks are taken off their front; what is left of one at the buffer's end
 * goes to its front before more is read behind it.  A block is judged when it is
 * whole, and its length when its first 8 bytes are there: in this order libpcap
 * finds what is wrong.
 */
#include "config.h"

#include "filter/blocks.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ebpf/err.h"
#include "filter/bytes.h"
#include "filter/dlt.h"

/*
 * A block: type and total length, four bytes each, the body, and the length again.
 * The section header's type reads the same in both byte orders.
 */
enum {
	HEADER = 8,
	TRAILER = 4,
	SECTION_LENGTH_AT = HEADER + 8, /* of 8 bytes */
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 2,
	BLOCK_SIMPLE = 3,
	BLOCK_ENHANCED = 6,
};
#define BYTE_ORDER_MAGIC 0x1a2b3c4du
#define BYTE_ORDER_SWAPPED 0x4d3c2b1au

enum {
	OPTION_END = 0,
	OPTION_TSRESOL = 9,
	OPTION_FCSLEN = 13,
	OPTION_TSOFFSET = 14,
};

enum {
	MAX_SNAPLEN = 262144, /* libpcap's, for the link types taken here, */
	MAX_BLOCK = 16 << 20, /* and for them the longest block */
};
#define NANO 1000000000u

#ifdef BPFSIFT_DEBUG
enum { BATCH = 1, BUFFER = 64 }; /* what is rare elsewhere */
#else
enum { BATCH = SIFT_BATCH_MAX, BUFFER = 128 << 10 };
#endif

struct sift_blocks {
	struct sift_inflow *flow;
	const char *name;
	bool is_mixed;
	bool is_swapped; /* the section */
	int first_dlt;   /* what all interfaces have to agree with */
	uint32_t first_snaplen, snaplen; /* and the greatest of all so far */
	enum sift_detail detail;
	bool has_begun;   /* some was handed out */
	bool is_carrying;
	uint8_t *head;
	size_t head_len;
	struct sift_blocks_interface *interfaces; /* of the section */
	size_t n_interfaces, interfaces_room;
	uint8_t *buf;
	size_t size, begin, end;
	size_t batch; /* where its bytes begin, which end at begin */
	uint64_t off; /* in the file, of the buffer's first byte */
	bool has_ended;
	int failed;              /* a negative errno that waits behind the batch, */
	struct ebpf_err failure; /* and its message */
	size_t n;                /* of the batch */
	int dlt;
	struct sift_view views[BATCH];
	uint32_t from[BATCH]; /* interface of each */
	struct sift_blocks_place places[BATCH];
};

/* ---- fields ---- */

/* What is left of a block's body, or of its options. */
struct body {
	const uint8_t *p;
	size_t len;
	uint32_t type;
	bool is_swapped;
};

/* The next n bytes of a body; NULL: it has fewer. */
static const uint8_t *
take(struct body *body, size_t n)
{
	const uint8_t *p = body->p;

	if (n > body->len)
		return NULL;
	body->p += n;
	body->len -= n;
	return p;
}

static int
too_short(const struct body *body, struct ebpf_err *err)
{
	return ebpf_err_set(err, -EINVAL, "block of type %u in pcapng dump file is too short",
			    body->type);
}

/* ---- interfaces ---- */

/* Where a number is not listed, libpcap takes it for the same in programs. */
static int
dlt_of(uint16_t linktype)
{
	static const struct {
		int dlt;
		uint16_t linktype;
	} rows[] = {
#define L(name, dlt, linktype) { dlt, linktype },
#include "filter/linktype.def"
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].linktype == linktype)
			return rows[i].dlt;
	return linktype;
}

static uint32_t
adjusted_snaplen(uint32_t snaplen)
{
	return snaplen == 0 || snaplen > INT_MAX ? MAX_SNAPLEN : snaplen;
}

static int
set_resolution(struct sift_blocks_interface *itf, uint8_t resolution, struct ebpf_err *err)
{
	uint8_t exponent = resolution & 0x7f;
	bool is_binary = resolution & 0x80;

	if (exponent > (is_binary ? 63 : 19))
		return ebpf_err_set(
			err, -EINVAL,
			"Interface Description Block if_tsresol option resolution %d^-%u is too high",
			is_binary ? 2 : 10, exponent);
	if (is_binary) {
		itf->units = (uint64_t)1 << exponent;
		/* beyond 2^-34 the product wraps: libpcap's nanoseconds are wrong there, too */
		itf->mul = NANO;
		itf->div = itf->units;
		return 0;
	}
	itf->units = 1;
	while (exponent-- > 0)
		itf->units *= 10;
	itf->mul = itf->units < NANO ? NANO / itf->units : 1;
	itf->div = itf->units > NANO ? itf->units / NANO : 1;
	return 0;
}

static int
wrong_len(const char *option, size_t len, int wanted, struct ebpf_err *err)
{
	return ebpf_err_set(err, -EINVAL,
			    "Interface Description Block has %s option with length %zu != %d",
			    option, len, wanted);
}

static int
repeated(const char *option, struct ebpf_err *err)
{
	return ebpf_err_set(err, -EINVAL, "Interface Description Block has more than one %s option",
			    option);
}

static int
read_options(struct sift_blocks_interface *itf, struct body *body, struct ebpf_err *err)
{
	bool has_resolution = false, has_offset = false;

	while (body->len > 0) {
		const uint8_t *option = take(body, 4), *value;
		uint16_t code, len;
		int rc = 0;

		if (option == NULL)
			return too_short(body, err);
		code = load16(option, body->is_swapped);
		len = load16(option + 2, body->is_swapped);
		if ((value = take(body, ((size_t)len + 3) & ~(size_t)3)) == NULL)
			return too_short(body, err);
		switch (code) {
		case OPTION_END:
			return len == 0 ? 0 : wrong_len("opt_endofopt", len, 0, err);
		case OPTION_TSRESOL:
			rc = len != 1         ? wrong_len("if_tsresol", len, 1, err)
			     : has_resolution ? repeated("if_tsresol", err)
					      : set_resolution(itf, *value, err);
			has_resolution = true;
			break;
		case OPTION_TSOFFSET:
			rc = len != 8     ? wrong_len("if_tsoffset", len, 8, err)
			     : has_offset ? repeated("if_tsoffset", err)
					  : 0;
			if (rc == 0)
				itf->offset_s = (int64_t)load64(value, body->is_swapped);
			has_offset = true;
			break;
		case OPTION_FCSLEN:
			if (len == 1)
				itf->fcs_len = *value;
			break;
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* The part of an interface's block that each has; libpcap looks at the options later. */
static int
read_fixed(struct sift_blocks_interface *itf, struct body *body, struct ebpf_err *err)
{
	const uint8_t *fixed = take(body, 8);

	if (fixed == NULL)
		return too_short(body, err);
	*itf = (struct sift_blocks_interface){
		.linktype = load16(fixed, body->is_swapped),
		.snaplen = adjusted_snaplen(load32(fixed + 4, body->is_swapped)),
		.units = 1000000,
		.mul = 1000,
		.div = 1,
	};
	itf->dlt = dlt_of(itf->linktype);
	return 0;
}

/* ---- the head ---- */

static bool
is_packet(uint32_t type)
{
	return type == BLOCK_PACKET || type == BLOCK_SIMPLE || type == BLOCK_ENHANCED;
}

/*
 * The next of the blocks that precede packets, at *at of a file's first n bytes.  1: it is in
 * *body, and *at is behind it; 0: it is not whole; -EINVAL: it is a packet's, or damaged.
 */
static int
next_before_packets(const uint8_t *bytes, size_t n, bool is_swapped, size_t *at, struct body *body)
{
	uint32_t total;

	if (n - *at < HEADER)
		return 0;
	body->p = bytes + *at + HEADER;
	body->type = load32(bytes + *at, is_swapped);
	body->is_swapped = is_swapped;
	total = load32(bytes + *at + 4, is_swapped);
	if (is_packet(body->type) || total < HEADER + TRAILER || total > MAX_BLOCK)
		return -EINVAL;
	if (total > n - *at)
		return 0;
	body->len = total - HEADER - TRAILER;
	*at += total;
	return 1;
}

static int
read_interface(struct sift_blocks_interface *itf, struct body *body)
{
	int rc = read_fixed(itf, body, NULL);

	return rc < 0 ? rc : read_options(itf, body, NULL);
}

int
sift_blocks_look(const uint8_t *bytes, size_t n, struct sift_blocks_head *head)
{
	size_t begin = 0, at = 0;
	struct body body;
	int rc;

	if (n < HEADER + 4)
		return 0;
	if (load_be32(bytes) != BLOCK_SECTION)
		return -EINVAL;
	head->is_swapped = load32(bytes + HEADER, false) == BYTE_ORDER_SWAPPED;
	while ((rc = next_before_packets(bytes, n, head->is_swapped, &at, &body)) == 1 &&
	       body.type != BLOCK_INTERFACE)
		begin = at;
	if (rc != 1 || (rc = read_interface(&head->first, &body)) < 0)
		return rc;
	head->len = at;
	head->first.off = begin;
	return 1;
}

bool
sift_blocks_look_on(const uint8_t *bytes, size_t n, const struct sift_blocks_head *head,
		    struct sift_blocks_survey *survey)
{
	size_t at = head->len;
	struct sift_blocks_interface itf;
	struct body body;
	int rc;

	*survey = (struct sift_blocks_survey){ head->first.snaplen, head->first.units > 1000000 };
	while ((rc = next_before_packets(bytes, n, head->is_swapped, &at, &body)) == 1 &&
	       body.type != BLOCK_SECTION) {
		/* of what is damaged the reader will tell */
		if (body.type != BLOCK_INTERFACE || read_interface(&itf, &body) < 0)
			continue;
		survey->snaplen = itf.snaplen > survey->snaplen ? itf.snaplen : survey->snaplen;
		survey->is_nano |= itf.units > 1000000;
	}
	return rc != 0;
}

bool
sift_blocks_take(const struct sift_blocks_head *head)
{
	return sift_record_is_plain(head->first.dlt, head->is_swapped);
}

/* ---- failing ---- */

/* What was found wrong with the block at begin; b->failure has the text. */
static bool
fail(struct sift_blocks *b, int code)
{
	b->failed = ebpf_err_prefix(&b->failure, code, "%s: offset %llu", b->name,
				    (unsigned long long)(b->off + b->begin));
	return false;
}

#define FAIL(b, ...) fail(b, ebpf_err_set(&(b)->failure, -EINVAL, __VA_ARGS__))

/* ---- blocks that tell about packets ---- */

/* Room for another interface. */
static int
grow_interfaces(struct sift_blocks *b)
{
	size_t room = b->interfaces_room == 0 ? 4 : 2 * b->interfaces_room;
	struct sift_blocks_interface *grown;

	if (b->n_interfaces < b->interfaces_room)
		return 0;
	grown = reallocarray(b->interfaces, room, sizeof(*grown));
	if (grown == NULL)
		return ebpf_err_set(&b->failure, -ENOMEM, "out of memory");
	b->interfaces = grown;
	b->interfaces_room = room;
	return 0;
}

/* libpcap holds a number of savefiles against one of programs; so is it here. */
static int
check_same(struct sift_blocks *b, const struct sift_blocks_interface *itf, uint32_t snaplen)
{
	if (itf->linktype != b->first_dlt)
		return ebpf_err_set(
			&b->failure, -EINVAL,
			"an interface has a type %u different from the type of the first interface",
			itf->linktype);
	if (itf->snaplen != b->first_snaplen)
		return ebpf_err_set(
			&b->failure, -EINVAL,
			"an interface has a snapshot length %u different from the snapshot length of the first interface",
			snaplen);
	return 0;
}

static bool
take_interface(struct sift_blocks *b, struct body *body)
{
	struct sift_blocks_interface itf;
	const uint8_t *fixed = body->p;
	int rc;

	if ((rc = read_fixed(&itf, body, &b->failure)) < 0 ||
	    (!b->is_mixed &&
	     (rc = check_same(b, &itf, load32(fixed + 4, body->is_swapped))) < 0) ||
	    (rc = read_options(&itf, body, &b->failure)) < 0 || (rc = grow_interfaces(b)) < 0)
		return fail(b, rc);
	itf.index = (uint32_t)b->n_interfaces;
	itf.off = b->off + b->begin;
	b->snaplen = itf.snaplen > b->snaplen ? itf.snaplen : b->snaplen;
	b->interfaces[b->n_interfaces++] = itf;
	return true;
}

/* A section's block, in which its length is said to be unknown. */
static void
leave_length_open(uint8_t *block, size_t len)
{
	if (len >= SECTION_LENGTH_AT + 8 + TRAILER)
		memset(block + SECTION_LENGTH_AT, 0xff, 8);
}

/* In a section of the other byte order all is read so from its own block on. */
static bool
take_section(struct sift_blocks *b, struct body *body)
{
	const uint8_t *fixed = take(body, 16);
	uint16_t major;

	if (fixed == NULL)
		return fail(b, too_short(body, &b->failure));
	switch (load32(fixed, body->is_swapped)) {
	case BYTE_ORDER_MAGIC:
		break;
	case BYTE_ORDER_SWAPPED:
		return FAIL(b, "the file has sections with different byte orders");
	default:
		return FAIL(b, "the file has a section with a bad byte order magic field");
	}
	if ((major = load16(fixed + 4, body->is_swapped)) != 1)
		return FAIL(b, "unknown pcapng savefile major version number %u", major);
	b->is_swapped = body->is_swapped;
	b->n_interfaces = 0;
	if (b->is_carrying)
		leave_length_open(b->buf + b->begin, SECTION_LENGTH_AT + 8 + TRAILER);
	return true;
}

/* ---- packets ---- */

struct packet {
	uint32_t interface, caplen, wirelen;
	uint64_t time;
};

/* The fields before a packet's bytes, of which simple ones have few. */
static bool
read_packet(const struct sift_blocks *b, struct body *body, struct packet *packet)
{
	bool is_swapped = body->is_swapped;
	const uint8_t *fixed = take(body, body->type == BLOCK_SIMPLE ? 4 : 20);
	uint32_t snaplen;

	if (fixed == NULL)
		return false;
	if (body->type == BLOCK_SIMPLE) {
		/* where there is no interface, that is what is wrong */
		snaplen = b->n_interfaces > 0 ? b->interfaces[0].snaplen : 0;
		packet->interface = 0;
		packet->time = 0;
		packet->wirelen = load32(fixed, is_swapped);
		packet->caplen = packet->wirelen < snaplen ? packet->wirelen : snaplen;
		return true;
	}
	packet->interface = body->type == BLOCK_PACKET ? load16(fixed, is_swapped)
						       : load32(fixed, is_swapped);
	packet->time =
		(uint64_t)load32(fixed + 4, is_swapped) << 32 | load32(fixed + 8, is_swapped);
	packet->caplen = load32(fixed + 12, is_swapped);
	packet->wirelen = load32(fixed + 16, is_swapped);
	return true;
}

static void
set_time(const struct sift_blocks_interface *itf, uint64_t time, struct sift_view *view)
{
	uint64_t fraction = time % itf->units * itf->mul;

	view->ts_sec = (int64_t)(time / itf->units + (uint64_t)itf->offset_s);
	view->ts_nsec = (uint32_t)(itf->div == 1 ? fraction : fraction / itf->div);
}

/* A packet whose block was found to be sound joins the batch. */
static inline void
add_packet(struct sift_blocks *b, const struct packet *packet, const uint8_t *data)
{
	const struct sift_blocks_interface *itf = &b->interfaces[packet->interface];
	struct sift_view *view = &b->views[b->n];

	b->dlt = itf->dlt;
	b->from[b->n++] = packet->interface;
	if (b->detail == SIFT_DETAIL_ALL) {
		sift_view_init(view, itf->dlt, data, packet->caplen, packet->wirelen);
	} else {
		view->data = data;
		view->caplen = packet->caplen;
		view->wirelen = packet->wirelen;
	}
	if (b->detail != SIFT_DETAIL_BARE)
		set_time(itf, packet->time, view);
}

/* A packet joins the batch; not if that is of another link type. */
static bool
take_packet(struct sift_blocks *b, struct body *body)
{
	const struct sift_blocks_interface *itf;
	const uint8_t *data;
	struct packet packet;

	if (!read_packet(b, body, &packet))
		return fail(b, too_short(body, &b->failure));
	if (packet.interface >= b->n_interfaces)
		return FAIL(
			b,
			"a packet arrived on interface %u, but there's no Interface Description Block for that interface",
			packet.interface);
	itf = &b->interfaces[packet.interface];
	if (packet.caplen > itf->snaplen)
		return FAIL(b, "invalid packet capture length %u, bigger than snaplen of %u",
			    packet.caplen, itf->snaplen);
	if ((data = take(body, packet.caplen)) == NULL)
		return fail(b, too_short(body, &b->failure));
	if (b->is_mixed && !sift_record_is_plain(itf->dlt, body->is_swapped))
		return FAIL(b, "a packet has link type %u, which is not read here", itf->linktype);
	if (b->n > 0 && itf->dlt != b->dlt)
		return false;
	add_packet(b, &packet, data);
	return true;
}

/* ---- blocks ---- */

/* The byte order of the block at begin: a section's own block tells its. */
static bool
order_of(const struct sift_blocks *b, const uint8_t *block, size_t left)
{
	if (b->is_mixed && left >= HEADER + 4 && load_be32(block) == BLOCK_SECTION &&
	    load32(block + HEADER, b->is_swapped) == BYTE_ORDER_SWAPPED)
		return !b->is_swapped;
	return b->is_swapped;
}

static bool
check_length(struct sift_blocks *b, uint32_t total)
{
	if (total < HEADER + TRAILER)
		return FAIL(b, "block in pcapng dump file has a length of %u < %d", total,
			    HEADER + TRAILER);
	if (total % 4 != 0)
		return FAIL(
			b,
			"block in pcapng dump file has a length of %u that is not a multiple of 4",
			total);
	if (total > MAX_BLOCK)
		return FAIL(b, "pcapng block size %u > maximum %d", total, MAX_BLOCK);
	return true;
}

/* The packet that was added last has its block at begin. */
static void
set_place(struct sift_blocks *b, uint32_t total)
{
	b->places[b->n - 1] = (struct sift_blocks_place){
		.begin = (uint32_t)(b->begin - b->batch),
		.end = (uint32_t)(b->begin - b->batch + total),
	};
}

/* Take what is in a block; false: it stays, and what comes next is up to the caller. */
static bool
take_body(struct sift_blocks *b, struct body *body)
{
	if (is_packet(body->type))
		return take_packet(b, body);
	switch (body->type) {
	case BLOCK_INTERFACE:
		return take_interface(b, body);
	case BLOCK_SECTION:
		/* the batch's interfaces are still asked for */
		return b->n == 0 && take_section(b, body);
	default:
		return true;
	}
}

/* The block at begin; false: more bytes, a new batch or a failure is next. */
static bool
take_block(struct sift_blocks *b)
{
	const uint8_t *block = b->buf + b->begin;
	size_t left = b->end - b->begin;
	struct body body;
	uint32_t total;

	/* with no block shorter than that, all that tells the length is there */
	if (left < HEADER || (b->is_mixed && left < HEADER + TRAILER))
		return false;
	body.is_swapped = order_of(b, block, left);
	body.type = load32(block, body.is_swapped);
	total = load32(block + 4, body.is_swapped);
	if (!check_length(b, total) || left < total)
		return false;
	if (load32(block + total - TRAILER, body.is_swapped) != total)
		return FAIL(b, "block total length in header and trailer don't match");
	body.p = block + HEADER;
	body.len = total - HEADER - TRAILER;
	if (!take_body(b, &body))
		return false;
	if (is_packet(body.type))
		set_place(b, total);
	b->begin += total;
	return true;
}

/*
 * What most of a file is, in little of the time: sound enhanced packets, in this machine's
 * byte order, of the batch's link type.  The block behind them is for take_block() to judge.
 */
static void
take_usual(struct sift_blocks *b)
{
	enum { FIXED = 20, LEAST = HEADER + FIXED + TRAILER };

	while (b->n < BATCH && b->end - b->begin >= LEAST && !b->is_swapped) {
		const uint8_t *block = b->buf + b->begin, *fixed = block + HEADER;
		uint32_t total = load32(block + 4, false);
		const struct sift_blocks_interface *itf;
		struct packet packet;

		if (load32(block, false) != BLOCK_ENHANCED || total < LEAST || total % 4 != 0 ||
		    total > b->end - b->begin || load32(block + total - TRAILER, false) != total)
			return;
		packet.interface = load32(fixed, false);
		packet.caplen = load32(fixed + 12, false);
		if (packet.interface >= b->n_interfaces)
			return;
		itf = &b->interfaces[packet.interface];
		if (packet.caplen > itf->snaplen || packet.caplen > total - LEAST ||
		    itf->dlt != b->dlt || b->n == 0)
			return;
		packet.wirelen = load32(fixed + 16, false);
		packet.time = (uint64_t)load32(fixed + 4, false) << 32 | load32(fixed + 8, false);
		add_packet(b, &packet, fixed + FIXED);
		set_place(b, total);
		b->begin += total;
	}
}

/* ---- reading ---- */

/* The file has ended: between blocks, or in one. */
static void
end(struct sift_blocks *b)
{
	const uint8_t *block = b->buf + b->begin;
	size_t left = b->end - b->begin, wanted = HEADER;
	uint32_t total;

	b->has_ended = true;
	if (left == 0)
		return;
	if (left >= HEADER) {
		total = load32(block + 4, order_of(b, block, left));
		if (!check_length(b, total))
			return;
		wanted = total - HEADER;
		left -= HEADER;
	}
	FAIL(b, "truncated pcapng dump file; tried to read %zu bytes, only got %zu", wanted, left);
}

/* How far the buffer is to be filled for the block at begin, which is at its front. */
static size_t
wanted(const struct sift_blocks *b)
{
	uint32_t total;

	if (b->end < HEADER + TRAILER) /* not checked yet */
		return BUFFER;
	total = load32(b->buf + 4, order_of(b, b->buf, b->end));
	return total > BUFFER ? total : BUFFER;
}

/* Room for the block at begin; how much of it is to be filled, 0 on failure. */
static size_t
make_room(struct sift_blocks *b)
{
	size_t left = b->end - b->begin, size;
	uint8_t *grown;

	memmove(b->buf, b->buf + b->begin, left);
	b->off += b->begin;
	b->begin = b->batch = 0;
	b->end = left;
	size = wanted(b);
	if (size <= b->size)
		return size;
	if ((grown = realloc(b->buf, size)) == NULL) {
		fail(b, ebpf_err_set(&b->failure, -ENOMEM, "out of memory"));
		return 0;
	}
	b->buf = grown;
	b->size = size;
	return size;
}

/* Some more bytes, or the end. */
static void
refill(struct sift_blocks *b)
{
	size_t size = make_room(b);
	ssize_t got;

	if (size == 0)
		return;
	got = sift_inflow_read(b->flow, b->buf + b->end, size - b->end, &b->failure);
	if (got < 0)
		b->failed = (int)got;
	else if (got > 0)
		b->end += (size_t)got;
	else if (sift_inflow_is_stopped(b->flow))
		b->has_ended = true;
	else
		end(b);
}

/* Whether there is something in the batch: blocks count for who carries them. */
static bool
has_some(const struct sift_blocks *b)
{
	return b->n > 0 || (b->is_carrying && b->begin > b->batch);
}

int
sift_blocks_next(struct sift_blocks *b, const struct sift_view **views, size_t *n,
		 struct ebpf_err *err)
{
	b->has_begun = true;
	b->n = 0;
	b->batch = b->begin;
	while (b->failed == 0) {
		while (b->n < BATCH && take_block(b))
			take_usual(b);
		/* views point into the buffer: it is refilled once they are done with */
		if (has_some(b) || b->failed != 0 || b->has_ended)
			break;
		refill(b);
	}
	if (has_some(b)) {
		*views = b->views;
		*n = b->n;
		return 1;
	}
	return b->failed != 0 ? ebpf_err_set(err, b->failed, "%s", b->failure.text) : 0;
}

int
sift_blocks_dlt(const struct sift_blocks *blocks)
{
	return blocks->dlt;
}

bool
sift_blocks_is_swapped(const struct sift_blocks *blocks)
{
	return blocks->is_swapped;
}

uint32_t
sift_blocks_snaplen(const struct sift_blocks *blocks)
{
	return blocks->snaplen;
}

const struct sift_blocks_interface *
sift_blocks_interface(const struct sift_blocks *blocks, size_t i)
{
	assert(i < blocks->n);
	return &blocks->interfaces[blocks->from[i]];
}

/* The body of packet i's block. */
static struct body
body_of(const struct sift_blocks *b, size_t i)
{
	const uint8_t *block = b->buf + b->batch + b->places[i].begin;

	return (struct body){
		.p = block + HEADER,
		.len = b->places[i].end - b->places[i].begin - HEADER - TRAILER,
		.type = load32(block, b->is_swapped),
		.is_swapped = b->is_swapped,
	};
}

void
sift_blocks_set_detail(struct sift_blocks *blocks, enum sift_detail detail)
{
	blocks->detail = detail;
}

void
sift_blocks_complete(struct sift_blocks *blocks)
{
	for (size_t i = 0; i < blocks->n; i++) {
		const struct sift_blocks_interface *itf = sift_blocks_interface(blocks, i);
		struct sift_view *view = &blocks->views[i];
		struct body body = body_of(blocks, i);
		struct packet packet;
		bool is_whole = read_packet(blocks, &body, &packet);

		assert(is_whole && "it was read before");
		(void)is_whole;
		sift_view_init(view, itf->dlt, view->data, packet.caplen, packet.wirelen);
		set_time(itf, packet.time, view);
	}
}

/* ---- carrying ---- */

bool
sift_blocks_carry(struct sift_blocks *blocks)
{
	blocks->is_carrying = !blocks->has_begun;
	return blocks->is_carrying;
}

void
sift_blocks_carry_no_more(struct sift_blocks *blocks)
{
	blocks->is_carrying = false;
}

const uint8_t *
sift_blocks_head(const struct sift_blocks *blocks, size_t *n)
{
	*n = blocks->head_len;
	return blocks->head;
}

const uint8_t *
sift_blocks_bytes(const struct sift_blocks *blocks, size_t *n)
{
	*n = blocks->begin - blocks->batch;
	return blocks->buf + blocks->batch;
}

const struct sift_blocks_place *
sift_blocks_places(const struct sift_blocks *blocks)
{
	return blocks->places;
}

/* An enhanced packet's fields, which a simple one has not. */
enum { ENHANCED_FIXED = 20 };

size_t
sift_blocks_cut_max(const struct sift_blocks_place *place)
{
	return place->end - place->begin + ENHANCED_FIXED;
}

static void
put32(uint8_t *p, uint32_t v, bool is_swapped)
{
	v = is_swapped ? __builtin_bswap32(v) : v;
	memcpy(p, &v, sizeof(v));
}

static size_t
padded(uint32_t len)
{
	return ((size_t)len + 3) & ~(size_t)3;
}

size_t
sift_blocks_cut(const struct sift_blocks *blocks, size_t i, uint32_t caplen, uint8_t *to)
{
	bool is_swapped = blocks->is_swapped;
	struct body body = body_of(blocks, i);
	uint32_t type = body.type == BLOCK_PACKET ? BLOCK_PACKET : BLOCK_ENHANCED;
	const uint8_t *fixed = body.p;
	uint8_t *end = to + HEADER;
	struct packet packet;
	bool is_whole = read_packet(blocks, &body, &packet);

	assert(is_whole && caplen < packet.caplen);
	(void)is_whole;
	if (body.type == BLOCK_SIMPLE) /* which has no time, and interface 0 */
		memset(end, 0, 12);
	else
		memcpy(end, fixed, 12);
	put32(end + 12, caplen, is_swapped);
	put32(end + 16, packet.wirelen, is_swapped);
	end += ENHANCED_FIXED;
	memcpy(end, body.p, caplen);
	memset(end + caplen, 0, padded(caplen) - caplen);
	end += padded(caplen);
	/* options, if any, stand behind the padded bytes */
	if (body.type != BLOCK_SIMPLE && take(&body, padded(packet.caplen)) != NULL) {
		memcpy(end, body.p, body.len);
		end += body.len;
	}
	end += TRAILER;
	put32(to, type, is_swapped);
	put32(to + 4, (uint32_t)(end - to), is_swapped);
	put32(end - TRAILER, (uint32_t)(end - to), is_swapped);
	return (size_t)(end - to);
}

static bool
keep_head(struct sift_blocks *b, const uint8_t *bytes, size_t len)
{
	size_t total;

	if ((b->head = malloc(len)) == NULL)
		return false;
	memcpy(b->head, bytes, len);
	b->head_len = len;
	for (size_t at = 0; at < len; at += total) {
		total = load32(b->head + at + 4, b->is_swapped);
		if (load_be32(b->head + at) == BLOCK_SECTION)
			leave_length_open(b->head + at, total);
	}
	return true;
}

int
sift_blocks_new(const struct sift_blocks_opts *opts, struct sift_blocks **out, struct ebpf_err *err)
{
	const struct sift_blocks_head *head = opts->head;
	size_t n_read = opts->n_read - head->len;
	size_t size = n_read > BUFFER ? n_read : BUFFER;
	struct sift_blocks *b = calloc(1, sizeof(*b));

	if (b != NULL)
		b->is_swapped = head->is_swapped;
	if (b == NULL || (b->buf = malloc(size)) == NULL || grow_interfaces(b) < 0 ||
	    !keep_head(b, opts->read, head->len)) {
		sift_blocks_free(b);
		return ebpf_err_set(err, -ENOMEM, "%s: out of memory", opts->name);
	}
	b->flow = opts->flow;
	b->name = opts->name;
	b->is_mixed = opts->is_mixed;
	b->first_dlt = b->dlt = head->first.dlt;
	b->first_snaplen = b->snaplen = head->first.snaplen;
	b->interfaces[b->n_interfaces++] = head->first;
	b->size = size;
	b->end = n_read;
	b->off = head->len;
	memcpy(b->buf, opts->read + head->len, n_read);
	*out = b;
	return 0;
}

void
sift_blocks_free(struct sift_blocks *blocks)
{
	if (blocks == NULL)
		return;
	free(blocks->interfaces);
	free(blocks->head);
	free(blocks->buf);
	free(blocks);
}
