/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "tools/bpfsift_signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>

#include "tools/bpfsift_children.h"

/* Outlive every signal that may come: the source is NULL before it is closed. */
static struct sift_source *volatile source_to_stop;
static volatile sig_atomic_t is_stopping;

void
bpfsift_stop(void)
{
	is_stopping = 1;
	if (source_to_stop != NULL)
		sift_source_stop(source_to_stop);
}

bool
bpfsift_is_stopping(void)
{
	return is_stopping;
}

static void
on_stop(int signo)
{
	int saved = errno;

	(void)signo;
	bpfsift_stop();
	errno = saved;
}

static void
on_child(int signo)
{
	int saved = errno;

	(void)signo;
	bpfsift_children_reap();
	errno = saved;
}

/*
 * Signals that ask to stop end the capture with a whole file.  A broken pipe
 * and a file at its size limit are errors of write() and reported as such.
 * No SA_RESTART for those that stop: a wait for input has to end.
 */
void
bpfsift_signals_catch(void)
{
	/* Asked once it ends in order; asked again, be it in a write that blocks, it dies. */
	struct sigaction stop = { .sa_handler = on_stop, .sa_flags = (int)SA_RESETHAND };
	struct sigaction child = { .sa_handler = on_child, .sa_flags = SA_RESTART | SA_NOCLDSTOP };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct sigaction old;

	sigemptyset(&stop.sa_mask);
	sigemptyset(&child.sa_mask);
	sigemptyset(&ignore.sa_mask);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	/* nohup(1) has a say in this one. */
	if (sigaction(SIGHUP, NULL, &old) == 0 && old.sa_handler == SIG_DFL)
		sigaction(SIGHUP, &stop, NULL);
	sigaction(SIGCHLD, &child, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGXFSZ, &ignore, NULL);
}

/* A signal that came before it was known here stops it too. */
void
bpfsift_signals_stop(struct sift_source *source)
{
	source_to_stop = source;
	if (is_stopping && source != NULL)
		sift_source_stop(source);
}
