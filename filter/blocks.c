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
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ebpf/err.h"
#include "filter/salvage_blocks.h"
#include "filter/section.h"

enum { SECTION_LENGTH_AT = SIFT_BLOCK_HEADER + 8 }; /* of 8 bytes */

#ifdef BPFSIFT_DEBUG
enum { BATCH = 1, BUFFER = 64 }; /* what is rare elsewhere */
#else
enum { BATCH = SIFT_BATCH_MAX, BUFFER = 128 << 10 };
#endif

struct sift_blocks {
	struct sift_inflow *flow; /* NULL: the buffer is all there is, and somebody else's */
	const char *name;
	struct sift_section_rule rule;
	struct sift_section section;
	enum sift_detail detail;
	bool has_begun; /* some was handed out */
	bool is_carrying;
	uint8_t *head;
	size_t head_len;
	uint8_t *buf;
	size_t size, begin, end;
	size_t batch; /* where its bytes begin, which end at begin */
	uint64_t off; /* in the file, of the buffer's first byte */
	bool has_ended;
	bool is_salvaged;                                           /* damage is passed over, */
	void (*on_skip)(void *arg, uint64_t off, uint64_t n_bytes); /* and told; or NULL */
	void *on_skip_arg;
	bool is_damaged;                   /* the block at begin */
	bool is_lost;                      /* what is at begin may be none */
	uint64_t skipped_from, skipped_to; /* not told yet: offsets */
	int failed;                        /* a negative errno that waits behind the batch, */
	struct ebpf_err failure;           /* and its message */
	size_t n;                          /* of the batch */
	int dlt;
	struct sift_view views[BATCH];
	uint32_t from[BATCH]; /* interface of each */
	struct sift_blocks_place places[BATCH];
};

/* ---- failing ---- */

/* What was found wrong with the block at begin; b->failure has the text. */
static bool
fail(struct sift_blocks *b, int code)
{
	if (b->is_salvaged && code == -EINVAL) {
		b->is_damaged = true;
		return false;
	}
	b->failed = ebpf_err_prefix(&b->failure, code, "%s: offset %llu", b->name,
				    (unsigned long long)(b->off + b->begin));
	return false;
}

#define FAIL(b, ...) fail(b, ebpf_err_set(&(b)->failure, -EINVAL, __VA_ARGS__))

/* ---- blocks that tell about packets ---- */

static bool
take_interface(struct sift_blocks *b, struct sift_block_body *body)
{
	int rc = sift_section_take_interface(&b->section, &b->rule, body, b->off + b->begin,
					     &b->failure);

	return rc < 0 ? fail(b, rc) : true;
}

/* A section's block, in which its length is said to be unknown. */
static void
leave_length_open(uint8_t *block, size_t len)
{
	if (len >= SECTION_LENGTH_AT + 8 + SIFT_BLOCK_TRAILER)
		memset(block + SECTION_LENGTH_AT, 0xff, 8);
}

/* In a section of the other byte order all is read so from its own block on. */
static bool
take_section(struct sift_blocks *b, struct sift_block_body *body)
{
	int rc = sift_section_begin(&b->section, body, &b->failure);

	if (rc < 0)
		return fail(b, rc);
	if (b->is_carrying)
		leave_length_open(b->buf + b->begin, SECTION_LENGTH_AT + 8 + SIFT_BLOCK_TRAILER);
	return true;
}

/* ---- packets ---- */

/* A packet whose block was found to be sound joins the batch. */
static inline void
add_packet(struct sift_blocks *b, const struct sift_block_packet *packet, const uint8_t *data)
{
	const struct sift_blocks_interface *itf = &b->section.interfaces[packet->interface];
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
		sift_block_set_time(itf, packet->time, view);
}

/* A packet joins the batch; not if that is of another link type. */
static bool
take_packet(struct sift_blocks *b, struct sift_block_body *body)
{
	const struct sift_blocks_interface *itf;
	const uint8_t *data;
	struct sift_block_packet packet;

	if (!sift_block_read_packet(&packet, body, sift_section_first_snaplen(&b->section)))
		return fail(b, sift_block_too_short(body, &b->failure));
	if (packet.interface >= b->section.n_interfaces)
		return FAIL(
			b,
			"a packet arrived on interface %u, but there's no Interface Description Block for that interface",
			packet.interface);
	itf = &b->section.interfaces[packet.interface];
	if (packet.caplen > itf->snaplen)
		return FAIL(b, "invalid packet capture length %u, bigger than snaplen of %u",
			    packet.caplen, itf->snaplen);
	if ((data = sift_block_take(body, packet.caplen)) == NULL)
		return fail(b, sift_block_too_short(body, &b->failure));
	if (b->rule.is_mixed && !sift_record_is_plain(itf->dlt, body->is_swapped))
		return FAIL(b, "a packet has link type %u, which is not read here", itf->linktype);
	if (b->n > 0 && itf->dlt != b->dlt)
		return false;
	add_packet(b, &packet, data);
	return true;
}

/* ---- blocks ---- */

/* The byte order of the block at begin. */
static bool
order_of(const struct sift_blocks *b, const uint8_t *block, size_t left)
{
	return sift_section_order(&b->section, &b->rule, block, left);
}

static bool
check_length(struct sift_blocks *b, uint32_t total)
{
	int rc = sift_block_check_length(total, &b->failure);

	return rc < 0 ? fail(b, rc) : true;
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
take_body(struct sift_blocks *b, struct sift_block_body *body)
{
	if (sift_block_is_packet(body->type))
		return take_packet(b, body);
	switch (body->type) {
	case SIFT_BLOCK_INTERFACE:
		return take_interface(b, body);
	case SIFT_BLOCK_SECTION:
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
	struct sift_block_body body;
	bool is_swapped;
	uint32_t total;

	/* with no block shorter than that, all that tells the length is there */
	if (left < SIFT_BLOCK_HEADER ||
	    (b->rule.is_mixed && left < SIFT_BLOCK_HEADER + SIFT_BLOCK_TRAILER))
		return false;
	is_swapped = order_of(b, block, left);
	total = load32(block + 4, is_swapped);
	if (!check_length(b, total) || left < total)
		return false;
	if (load32(block + total - SIFT_BLOCK_TRAILER, is_swapped) != total)
		return FAIL(b, "block total length in header and trailer don't match");
	body = sift_block_body(block, total, is_swapped);
	if (!take_body(b, &body))
		return false;
	if (sift_block_is_packet(body.type))
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
	enum { FIXED = 20, LEAST = SIFT_BLOCK_HEADER + FIXED + SIFT_BLOCK_TRAILER };

	while (b->n < BATCH && b->end - b->begin >= LEAST && !b->section.is_swapped) {
		const uint8_t *block = b->buf + b->begin, *fixed = block + SIFT_BLOCK_HEADER;
		uint32_t total = load32(block + 4, false);
		const struct sift_blocks_interface *itf;
		struct sift_block_packet packet;

		if (load32(block, false) != SIFT_BLOCK_ENHANCED || total < LEAST ||
		    total % 4 != 0 || total > b->end - b->begin ||
		    load32(block + total - SIFT_BLOCK_TRAILER, false) != total)
			return;
		packet.interface = load32(fixed, false);
		packet.caplen = load32(fixed + 12, false);
		if (packet.interface >= b->section.n_interfaces)
			return;
		itf = &b->section.interfaces[packet.interface];
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
	size_t left = b->end - b->begin, wanted = SIFT_BLOCK_HEADER;
	uint32_t total;

	if (left == 0 || b->is_salvaged)
		return;
	if (left >= SIFT_BLOCK_HEADER) {
		total = load32(block + 4, order_of(b, block, left));
		if (!check_length(b, total))
			return;
		wanted = total - SIFT_BLOCK_HEADER;
		left -= SIFT_BLOCK_HEADER;
	}
	FAIL(b, "truncated pcapng dump file; tried to read %zu bytes, only got %zu", wanted, left);
}

/* How far the buffer is to be filled for the block at begin, which is at its front. */
static size_t
wanted(const struct sift_blocks *b)
{
	uint32_t total;

	if (b->is_lost)
		return SIFT_SALVAGE_BLOCKS_WINDOW;
	if (b->end < SIFT_BLOCK_HEADER + SIFT_BLOCK_TRAILER) /* not checked yet */
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
	size_t size;
	ssize_t got;

	if (b->flow == NULL) {
		b->has_ended = true;
		return;
	}
	if ((size = make_room(b)) == 0)
		return;
	got = sift_inflow_read(b->flow, b->buf + b->end, size - b->end, &b->failure);
	if (got > 0) {
		b->end += (size_t)got;
		return;
	}
	b->has_ended = true;
	if (got < 0)
		b->failed = (int)got;
	else if (!sift_inflow_is_stopped(b->flow))
		end(b);
	else
		b->begin = b->batch = b->end; /* nobody wants it any more */
}

/* Whether there is something in the batch: blocks count for who carries them. */
static bool
has_some(const struct sift_blocks *b)
{
	return b->n > 0 || (b->is_carrying && b->begin > b->batch);
}

/* ---- passing over damage ---- */

/* Tell of a stretch of damage, once its end is known. */
static void
tell_skipped(struct sift_blocks *b)
{
	if (b->skipped_from != b->skipped_to && b->on_skip != NULL)
		b->on_skip(b->on_skip_arg, b->skipped_from, b->skipped_to - b->skipped_from);
	b->skipped_from = b->skipped_to = 0;
}

static void
skip(struct sift_blocks *b, size_t n)
{
	uint64_t off = b->off + b->begin;

	/* a sound block that nobody sees may stand between them */
	if (b->skipped_to != off) {
		tell_skipped(b);
		b->skipped_from = off;
	}
	b->begin += n;
	b->batch = b->begin;
	b->skipped_to = off + n;
}

/* The length of the block at begin where both ends agree on it, whatever is wrong inside. */
static uint32_t
framed_length(const struct sift_blocks *b)
{
	const uint8_t *block = b->buf + b->begin;
	size_t left = b->end - b->begin;
	bool is_swapped;
	uint32_t total;

	if (left < SIFT_BLOCK_HEADER + SIFT_BLOCK_TRAILER)
		return 0;
	is_swapped = order_of(b, block, left);
	total = load32(block + 4, is_swapped);
	if (sift_block_check_length(total, NULL) < 0 || total > left ||
	    load32(block + total - SIFT_BLOCK_TRAILER, is_swapped) != total)
		return 0;
	return total;
}

/* Leave out the damaged block at begin, or all up to the next that can be found, if it can. */
static void
pass_over(struct sift_blocks *b)
{
	const struct sift_stretch stretch = { b->buf + b->begin, b->end - b->begin, b->has_ended };
	uint32_t total = b->is_damaged ? framed_length(b) : 0;
	size_t n = 0;

	b->is_damaged = false;
	if (total > 0) {
		skip(b, total);
		return;
	}
	b->is_lost = true;
	if (stretch.n == 0) {
		b->is_lost = !b->has_ended;
		return;
	}
	if (sift_salvage_find_block(&b->section, &b->rule, &stretch, &n) || b->has_ended)
		b->is_lost = false;
	if (n > 0)
		skip(b, n);
}

int
sift_blocks_next(struct sift_blocks *b, const struct sift_view **views, size_t *n,
		 struct ebpf_err *err)
{
	b->has_begun = true;
	b->n = 0;
	b->batch = b->begin;
	for (;;) {
		if (b->is_damaged || b->is_lost)
			pass_over(b);
		while (b->n < BATCH && !b->is_lost && take_block(b))
			take_usual(b);
		/* views point into the buffer: it is refilled once they are done with */
		if (has_some(b))
			break;
		/* what is left of a block at the end is no block */
		b->is_damaged |= b->is_salvaged && b->has_ended && b->begin < b->end;
		if (b->is_damaged)
			continue;
		if (b->failed != 0 || b->has_ended)
			break;
		refill(b);
	}
	tell_skipped(b);
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
	return blocks->section.is_swapped;
}

uint32_t
sift_blocks_snaplen(const struct sift_blocks *blocks)
{
	return blocks->section.snaplen;
}

const struct sift_blocks_interface *
sift_blocks_interface(const struct sift_blocks *blocks, size_t i)
{
	assert(i < blocks->n);
	return &blocks->section.interfaces[blocks->from[i]];
}

/* The body of packet i's block. */
static struct sift_block_body
body_of(const struct sift_blocks *b, size_t i)
{
	const struct sift_blocks_place *place = &b->places[i];

	return sift_block_body(b->buf + b->batch + place->begin, place->end - place->begin,
			       b->section.is_swapped);
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
		struct sift_block_body body = body_of(blocks, i);
		struct sift_block_packet packet;
		bool is_whole = sift_block_read_packet(
			&packet, &body, sift_section_first_snaplen(&blocks->section));

		assert(is_whole && "it was read before");
		(void)is_whole;
		sift_view_init(view, itf->dlt, view->data, packet.caplen, packet.wirelen);
		sift_block_set_time(itf, packet.time, view);
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

size_t
sift_blocks_cut(const struct sift_blocks *blocks, size_t i, uint32_t caplen, uint8_t *to)
{
	return sift_block_cut(body_of(blocks, i), sift_section_first_snaplen(&blocks->section),
			      caplen, to);
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
		total = load32(b->head + at + 4, b->section.is_swapped);
		if (load_be32(b->head + at) == SIFT_BLOCK_SECTION)
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

	if (b != NULL) {
		b->flow = opts->flow;
		b->section.is_swapped = head->is_swapped;
	}
	if (b == NULL || (b->buf = malloc(size)) == NULL ||
	    sift_section_add(&b->section, &head->first, NULL) < 0 ||
	    !keep_head(b, opts->read, head->len)) {
		sift_blocks_free(b);
		return ebpf_err_set(err, -ENOMEM, "%s: out of memory", opts->name);
	}
	b->name = opts->name;
	b->is_salvaged = opts->is_salvaged;
	b->on_skip = opts->on_skip;
	b->on_skip_arg = opts->on_skip_arg;
	b->rule =
		(struct sift_section_rule){ opts->is_mixed, head->first.dlt, head->first.snaplen };
	b->dlt = head->first.dlt;
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
	sift_section_destroy(&blocks->section);
	free(blocks->head);
	if (blocks->flow != NULL)
		free(blocks->buf);
	free(blocks);
}

/* ---- several threads ---- */

bool
sift_blocks_extent(const struct sift_blocks *blocks, struct sift_extent *extent)
{
	int fd = sift_inflow_fd(blocks->flow);
	struct stat st;

	if (fd < 0 || blocks->is_salvaged || blocks->failed != 0 || blocks->has_ended ||
	    fstat(fd, &st) < 0)
		return false;
	*extent = (struct sift_extent){
		.fd = fd,
		.begin = blocks->off + blocks->begin,
		.end = (uint64_t)st.st_size,
	};
	return extent->begin < extent->end;
}

void
sift_blocks_resume(struct sift_blocks *blocks, uint64_t off)
{
	sift_inflow_seek(blocks->flow, off);
	blocks->off = off;
	blocks->begin = blocks->end = blocks->batch = 0;
	blocks->n = 0;
}

const struct sift_section_rule *
sift_blocks_rule(const struct sift_blocks *blocks)
{
	return &blocks->rule;
}

const struct sift_section *
sift_blocks_section(const struct sift_blocks *blocks)
{
	return &blocks->section;
}

int
sift_blocks_set_section(struct sift_blocks *blocks, const struct sift_section *section,
			struct ebpf_err *err)
{
	return sift_section_copy(&blocks->section, section, err);
}

void
sift_blocks_swap_section(struct sift_blocks *blocks, struct sift_section *section)
{
	struct sift_section was = blocks->section;

	blocks->section = *section;
	*section = was;
}

int
sift_blocks_new_part(const struct sift_blocks *whole, struct sift_blocks **out,
		     struct ebpf_err *err)
{
	struct sift_blocks *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return ebpf_err_set(err, -ENOMEM, "%s: out of memory", whole->name);
	b->name = whole->name;
	b->rule = whole->rule;
	b->is_carrying = whole->is_carrying;
	b->dlt = whole->dlt;
	*out = b;
	return 0;
}

void
sift_blocks_point(struct sift_blocks *part, uint8_t *bytes, size_t n, uint64_t off)
{
	assert(part->flow == NULL);
	part->buf = bytes;
	part->begin = 0;
	part->end = n;
	part->off = off;
	part->failed = 0;
	part->has_ended = false;
}

uint64_t
sift_blocks_offset(const struct sift_blocks *part)
{
	return part->off + part->begin;
}

void
sift_blocks_go_back(struct sift_blocks *part, size_t i)
{
	struct sift_section *section = &part->section;

	assert(i < part->n);
	part->begin = part->batch + part->places[i].begin;
	part->n = i;
	while (section->n_interfaces > 0 &&
	       section->interfaces[section->n_interfaces - 1].off >= sift_blocks_offset(part))
		section->n_interfaces--;
}
