/* SPDX-License-Identifier: BSD-2-Clause */
/* What bpfsift does when signals come: it stops, with whole files. */
#ifndef TOOLS_BPFSIFT_SIGNALS_H
#define TOOLS_BPFSIFT_SIGNALS_H

#include <bpfsift/filter.h>

#include <stdbool.h>

void bpfsift_signals_catch(void);

/* What is to be stopped, at once if a signal has come before; NULL: nothing, it will be closed. */
void bpfsift_signals_stop(struct sift_source *source);

/* What SIGUSR1 tells of: a run of these, after packets of others; NULL: none. */
struct bpfsift_counted {
	const struct sift_pipeline *pipeline;
	struct sift_source *source;
	uint64_t seen, matched; /* before */
};
void bpfsift_signals_tell_of(const struct bpfsift_counted *counted);

/* Say "Got", and how many, once a second: as tcpdump with -v and -w. */
void bpfsift_signals_tell_each_second(void);

/* Whether SIGUSR2 has asked to flush since this was called last. */
bool bpfsift_signals_take_flush(void);

/* Stop, as a signal would.  Async-signal-safe. */
void bpfsift_stop(void);
bool bpfsift_is_stopping(void);

/* Whether that was a signal indeed. */
bool bpfsift_is_interrupted(void);

#endif
