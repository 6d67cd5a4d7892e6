/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "tools/bpfsift_signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

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

/* ---- counts, of which a handler may call nothing that prints ---- */

enum { LINE = 256 };

static const struct bpfsift_counted *volatile counted;
static volatile sig_atomic_t wants_flush;

static size_t
put_text(char *line, size_t at, const char *text)
{
	while (*text != '\0' && at < LINE - 1)
		line[at++] = *text++;
	return at;
}

/* "3 packets", and what they are. */
static size_t
put_packets(char *line, size_t at, uint64_t n, const char *what)
{
	char digits[24], *digit = digits + sizeof(digits) - 1;
	uint64_t rest = n;

	*digit = '\0';
	do
		*--digit = (char)('0' + rest % 10);
	while ((rest /= 10) != 0);
	at = put_text(line, at, digit);
	at = put_text(line, at, n == 1 ? " packet" : " packets");
	return put_text(line, at, what);
}

static void
write_line(const char *line, size_t len)
{
	if (write(STDERR_FILENO, line, len) < 0)
		return; /* there is nobody to tell */
}

static void
print_counts(const struct bpfsift_counted *of)
{
	struct sift_pipeline_counters counters = { .size = sizeof(counters) };
	struct sift_source_stats stats = { .size = sizeof(stats) };
	char line[LINE];
	size_t len = put_text(line, 0, "bpfsift: ");

	sift_pipeline_counters(of->pipeline, &counters, NULL);
	len = put_packets(line, len, of->matched + counters.matched, " captured, ");
	if (sift_source_stats(of->source, &stats, NULL) == 0) {
		len = put_packets(line, len, stats.received, " received by filter, ");
		len = put_packets(line, len, stats.dropped_kernel, " dropped by kernel");
		if (stats.dropped_interface != 0) {
			len = put_text(line, len, ", ");
			len = put_packets(line, len, stats.dropped_interface,
					  " dropped by interface");
		}
	} else {
		/* A file drops nothing. */
		len = put_packets(line, len, of->seen + counters.seen, " received by filter, ");
		len = put_packets(line, len, 0, " dropped by kernel");
	}
	line[len++] = '\n';
	write_line(line, len);
}

void
bpfsift_signals_tell_of(const struct bpfsift_counted *now)
{
	counted = now;
}

static void
on_counts(int signo)
{
	int saved = errno;

	(void)signo;
	if (counted != NULL)
		print_counts(counted);
	errno = saved;
}

static void
on_flush(int signo)
{
	int saved = errno;

	(void)signo;
	wants_flush = 1;
	if (source_to_stop != NULL)
		sift_source_wake(source_to_stop);
	errno = saved;
}

bool
bpfsift_signals_take_flush(void)
{
	bool wanted = wants_flush;

	if (wanted)
		wants_flush = 0;
	return wanted;
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
	struct sigaction counts = { .sa_handler = on_counts, .sa_flags = SA_RESTART };
	struct sigaction flush = { .sa_handler = on_flush, .sa_flags = SA_RESTART };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct sigaction old;

	sigemptyset(&stop.sa_mask);
	sigemptyset(&child.sa_mask);
	sigemptyset(&counts.sa_mask);
	sigemptyset(&flush.sa_mask);
	sigemptyset(&ignore.sa_mask);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	/* nohup(1) has a say in this one. */
	if (sigaction(SIGHUP, NULL, &old) == 0 && old.sa_handler == SIG_DFL)
		sigaction(SIGHUP, &stop, NULL);
	sigaction(SIGCHLD, &child, NULL);
	sigaction(SIGUSR1, &counts, NULL);
	sigaction(SIGUSR2, &flush, NULL);
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
