/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocks are taken off the front of what is in the buffer; what is left of one at its end
 * goes to its front before more is read behind it.
 */
#include "config.h"

#include "filter/blocks.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ebpf/err.h"
#include "filter/blocks_parts.h"
#include "filter/salvage_blocks.h"
#include "filter/section.h"

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
		total = load32(block + 4, sift_blocks_order(b, block, left));
		if (!sift_blocks_check_length(b, total))
			return;
		wanted = total - SIFT_BLOCK_HEADER;
		left -= SIFT_BLOCK_HEADER;
	}
	sift_blocks_fail(
		b, ebpf_err_set(&b->failure, -EINVAL,
				"truncated pcapng dump file; tried to read %zu bytes, only got %zu",
				wanted, left));
}

/* How far the buffer is to be filled for the block at begin, which is at its front. */
static size_t
wanted(const struct sift_blocks *b)
{
	uint32_t total;

	if (b->is_lost)
		return SIFT_SALVAGE_BLOCKS_WINDOW;
	if (b->end < SIFT_BLOCK_HEADER + SIFT_BLOCK_TRAILER) /* not checked yet */
		return SIFT_BLOCKS_BUFFER;
	total = load32(b->buf + 4, sift_blocks_order(b, b->buf, b->end));
	return total > SIFT_BLOCKS_BUFFER ? total : SIFT_BLOCKS_BUFFER;
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
		sift_blocks_fail(b, ebpf_err_set(&b->failure, -ENOMEM, "out of memory"));
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
	is_swapped = sift_blocks_order(b, block, left);
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
		sift_blocks_take_batch(b);
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
			sift_blocks_leave_length_open(b->head + at, total);
	}
	return true;
}

int
sift_blocks_new(const struct sift_blocks_opts *opts, struct sift_blocks **out, struct ebpf_err *err)
{
	const struct sift_blocks_head *head = opts->head;
	size_t n_read = opts->n_read - head->len;
	size_t size = n_read > SIFT_BLOCKS_BUFFER ? n_read : SIFT_BLOCKS_BUFFER;
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
