/* SPDX-License-Identifier: BSD-2-Clause */
/* What bpfsift does when signals come: it stops, with whole files. */
#ifndef TOOLS_BPFSIFT_SIGNALS_H
#define TOOLS_BPFSIFT_SIGNALS_H

#include <bpfsift/filter.h>

#include <stdbool.h>

#include "tools/bpfsift_options.h"

void bpfsift_signals_catch(const struct bpfsift_options *options);

/* What is to be stopped, at once if a signal has come before; NULL: nothing, it will be closed. */
void bpfsift_signals_stop(struct sift_source *source);

/* What SIGUSR1 tells of: a run of these, after packets of others; NULL: none. */
struct bpfsift_counted {
	const struct sift_pipeline *pipeline;
	struct sift_source *source;
	bool is_live;
	uint64_t seen, matched; /* before */
};
void bpfsift_signals_tell_of(const struct bpfsift_counted *counted);

/* What a signal asks to have done between two batches. */
enum bpfsift_signal {
	BPFSIFT_FLUSH,          /* SIGUSR2 */
	BPFSIFT_RELOAD,         /* SIGHUP, with --reload */
	BPFSIFT_COUNTS,         /* SIGUSR1; of files it is done at once */
	BPFSIFT_PROGRESS,       /* SIGALRM, of a timer */
	BPFSIFT_N_SIGNALS
};

/* Whether one has asked since this was called last. */
bool bpfsift_signals_take(enum bpfsift_signal request);

/* What SIGUSR1 tells, on standard error; not in a handler. */
void bpfsift_signals_print_counts(void);

/* Stop, as a signal would.  Async-signal-safe. */
void bpfsift_stop(void);
bool bpfsift_is_stopping(void);

/* Whether that was a signal indeed. */
bool bpfsift_is_interrupted(void);

#endif
