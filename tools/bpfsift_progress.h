/* SPDX-License-Identifier: BSD-2-Clause */
/* How far a run is, told while it lasts: tcpdump's "Got 3", or a line of our own. */
#ifndef TOOLS_BPFSIFT_PROGRESS_H
#define TOOLS_BPFSIFT_PROGRESS_H

#include "tools/bpfsift_inputs.h"
#include "tools/bpfsift_options.h"

/* What there is to tell of. */
struct bpfsift_done {
	uint64_t seen, matched; /* packets */
	uint64_t bytes;         /* of the files; of an interface none */
};

/* Have bpfsift_progress_tell() called now and then, if there is to be; inputs NULL: live. */
void bpfsift_progress_begin(const struct bpfsift_options *options,
			    const struct bpfsift_inputs *inputs);
void bpfsift_progress_end(void);

void bpfsift_progress_tell(const struct bpfsift_done *done);

#endif
