/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Finding blocks of a pcapng file again behind damage.
 *
 * A block is plausible if its length, found again at its end, is one that packets have, its
 * type is a known one, and what it says of itself agrees: a packet with an interface that
 * there is, and with the block's length.  Behind damage the next block is where three
 * plausible ones follow each other, or as many as there are to the end of the file.
 */
#ifndef BPFSIFT_FILTER_SALVAGE_BLOCKS_H
#define BPFSIFT_FILTER_SALVAGE_BLOCKS_H

#include "filter/salvage.h"
#include "filter/section.h"

/* No block that is looked for is longer, and so many bytes always give an answer. */
enum { SIFT_SALVAGE_BLOCK = 512 << 10, SIFT_SALVAGE_BLOCKS_WINDOW = 4 * SIFT_SALVAGE_BLOCK };

/*
 * Look for a block behind the first byte of a stretch, n > 0, which is none.  *skip receives
 * how many bytes are out, 0 if more are wanted to tell; whether a block begins behind them.
 */
bool sift_salvage_find_block(const struct sift_section *section,
			     const struct sift_section_rule *rule,
			     const struct sift_stretch *stretch, size_t *skip);

#endif
