/* SPDX-License-Identifier: BSD-2-Clause */
#include "filter/salvage_blocks.h"

enum { CHAIN = 3 };

enum answer { NO, YES, MORE };

/* What a chain has said so far of the section that it is in. */
struct place {
	bool is_swapped;
	size_t n_interfaces;
};

/* Types that tell of something: those that the format has, and custom blocks. */
static bool
is_known(uint32_t type)
{
	return (type >= 1 && type <= 10) || type == SIFT_BLOCK_SECTION || type == 0xbad ||
	       type == 0x40000bad;
}

static bool
is_plausible_packet(const struct place *place, struct sift_block_body *body)
{
	struct sift_block_packet packet;

	return sift_block_read_packet(&packet, body, UINT32_MAX) &&
	       packet.interface < place->n_interfaces && packet.wirelen >= packet.caplen &&
	       (body->type == SIFT_BLOCK_SIMPLE || packet.caplen <= body->len);
}

/* Whether a block that is framed well makes sense where it is. */
static bool
is_plausible(struct place *place, const struct sift_section_rule *rule,
	     struct sift_block_body *body)
{
	struct sift_section section = { .is_swapped = place->is_swapped };
	struct sift_blocks_interface itf;

	if (sift_block_is_packet(body->type))
		return is_plausible_packet(place, body);
	switch (body->type) {
	case SIFT_BLOCK_SECTION:
		if (sift_section_begin(&section, body, NULL) < 0)
			return false;
		*place = (struct place){ .is_swapped = section.is_swapped };
		return true;
	case SIFT_BLOCK_INTERFACE:
		if (sift_block_read_interface(&itf, body, NULL) < 0 ||
		    sift_block_read_options(&itf, body, NULL) < 0 ||
		    (!rule->is_mixed && itf.linktype != rule->dlt))
			return false;
		place->n_interfaces++;
		return true;
	default:
		return is_known(body->type);
	}
}

/* The block at p, of which n bytes are there; its length in *total. */
static enum answer
is_block(struct place *place, const struct sift_section_rule *rule, const uint8_t *p, size_t n,
	 uint32_t *total)
{
	const struct sift_section section = { .is_swapped = place->is_swapped };
	struct sift_block_body body;
	bool is_swapped;

	if (n < SIFT_BLOCK_HEADER + SIFT_BLOCK_TRAILER)
		return MORE;
	is_swapped = sift_section_order(&section, rule, p, n);
	*total = load32(p + 4, is_swapped);
	if (sift_block_check_length(*total, NULL) < 0 || *total > SIFT_SALVAGE_BLOCK ||
	    !is_known(load32(p, is_swapped)))
		return NO;
	if (*total > n)
		return MORE;
	if (load32(p + *total - SIFT_BLOCK_TRAILER, is_swapped) != *total)
		return NO;
	body = sift_block_body(p, *total, is_swapped);
	return is_plausible(place, rule, &body) ? YES : NO;
}

/* Whether a chain of plausible blocks begins at an offset; the file may cut the last of it. */
static enum answer
has_chain(const struct sift_section *section, const struct sift_section_rule *rule,
	  const struct sift_stretch *stretch, size_t at)
{
	struct place place = { section->is_swapped, section->n_interfaces };

	for (unsigned n = 0; n < CHAIN; n++) {
		uint32_t total;
		enum answer answer =
			is_block(&place, rule, stretch->p + at, stretch->n - at, &total);

		if (answer == MORE && stretch->is_last)
			return n > 0 ? YES : NO;
		if (answer != YES)
			return answer;
		at += total;
	}
	return YES;
}

bool
sift_salvage_find_block(const struct sift_section *section, const struct sift_section_rule *rule,
			const struct sift_stretch *stretch, size_t *skip)
{
	for (size_t at = 1; at < stretch->n; at++) {
		enum answer answer = has_chain(section, rule, stretch, at);

		if (answer == NO)
			continue;
		/* what was looked at is out */
		*skip = answer == MORE ? at - 1 : at;
		return answer == YES;
	}
	*skip = stretch->is_last ? stretch->n : stretch->n - 1;
	return false;
}
