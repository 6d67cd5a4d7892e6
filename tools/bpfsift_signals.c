/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "tools/bpfsift_signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "tools/bpfsift_children.h"
#include "tools/bpfsift_say.h"

/* Outlive every signal that may come: the source is NULL before it is closed. */
static struct sift_source *volatile source_to_stop;
static volatile sig_atomic_t is_stopping, is_interrupted;

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

bool
bpfsift_is_interrupted(void)
{
	return is_interrupted;
}

/*
 * Asked once it ends in order; asked again, be it in a write that blocks, it dies.  But
 * timeout(1) and terminals say the same thing twice at once.
 */
static void
on_stop(int signo)
{
	static time_t first;
	struct timespec now = { 0, 0 };
	int saved = errno;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!is_interrupted)
		first = now.tv_sec;
	else if (now.tv_sec - first > 1)
		_exit(128 + signo);
	is_interrupted = 1;
	bpfsift_stop();
	errno = saved;
}

/* ---- counts, of which a handler may call nothing that prints ---- */

enum { LINE = 256 };

static const struct bpfsift_counted *volatile counted;

static size_t
put_text(char *line, size_t at, const char *text)
{
	while (*text != '\0' && at < LINE - 1)
		line[at++] = *text++;
	return at;
}

static size_t
put_number(char *line, size_t at, uint64_t n)
{
	char digits[24], *digit = digits + sizeof(digits) - 1;

	*digit = '\0';
	do
		*--digit = (char)('0' + n % 10);
	while ((n /= 10) != 0);
	return put_text(line, at, digit);
}

/* "3 packets", and what they are. */
static size_t
put_packets(char *line, size_t at, uint64_t n, const char *what)
{
	at = put_number(line, at, n);
	at = put_text(line, at, n == 1 ? " packet" : " packets");
	return put_text(line, at, what);
}

static void
write_line(const char *line, size_t len)
{
	if (write(STDERR_FILENO, line, len) < 0)
		return; /* there is nobody to tell */
}

/* Of a live source only where no handler is: libpcap is asked. */
static void
print_counts(const struct bpfsift_counted *of)
{
	struct sift_pipeline_counters counters = { .size = sizeof(counters) };
	struct sift_source_stats stats = { .size = sizeof(stats) };
	char line[LINE];
	size_t len = put_text(line, 0, "bpfsift: ");

	sift_pipeline_counters(of->pipeline, &counters, NULL);
	len = put_packets(line, len, of->matched + counters.matched, " captured, ");
	if (of->is_live && sift_source_stats(of->source, &stats, NULL) == 0) {
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
	if (line_is_shown())
		len = put_text(line, len, "\033[K");
	line[len++] = '\n';
	write_line(line, len);
}

void
bpfsift_signals_tell_of(const struct bpfsift_counted *now)
{
	counted = now;
}

/* ---- what is done between two batches ---- */

static volatile sig_atomic_t is_asked[BPFSIFT_N_SIGNALS];

/* Whoever waits for packets is woken: from files they come soon, or are waited for. */
static void
ask(enum bpfsift_signal request)
{
	is_asked[request] = 1;
	if (source_to_stop != NULL)
		sift_source_wake(source_to_stop);
}

bool
bpfsift_signals_take(enum bpfsift_signal request)
{
	bool asked = is_asked[request];

	if (asked)
		is_asked[request] = 0;
	return asked;
}

void
bpfsift_signals_print_counts(void)
{
	if (counted != NULL)
		print_counts(counted);
}

/* Files may be waited for, and what was counted of them can be told at any time. */
static void
on_counts(int signo)
{
	int saved = errno;

	(void)signo;
	if (counted != NULL && counted->is_live)
		ask(BPFSIFT_COUNTS);
	else
		bpfsift_signals_print_counts();
	errno = saved;
}

static void
on_request(int signo)
{
	int saved = errno;

	if (signo == SIGUSR2)
		ask(BPFSIFT_FLUSH);
	else if (signo == SIGHUP)
		ask(BPFSIFT_RELOAD);
	else if (signo == SIGALRM)
		ask(BPFSIFT_PROGRESS);
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

/* A file that is looked at where it is was truncated; or something is wrong, or we were sent it. */
static void
on_bus_error(int signo, siginfo_t *info, void *context)
{
	(void)context;
	if (info->si_code > 0 && source_to_stop != NULL &&
	    sift_source_forgive(source_to_stop, info->si_addr))
		return;
	signal(signo, SIG_DFL); /* and it comes again; but one that was sent does not, */
	if (info->si_code <= 0 && raise(signo) != 0)
		_exit(128 + signo); /* and may not be sent by who is confined */
}

/*
 * Signals that ask to stop end the capture with a whole file.  A broken pipe
 * and a file at its size limit are errors of write() and reported as such.
 * No SA_RESTART for those that stop: a wait for input has to end.
 */
void
bpfsift_signals_catch(const struct bpfsift_options *options)
{
	struct sigaction stop = { .sa_handler = on_stop };
	struct sigaction child = { .sa_handler = on_child, .sa_flags = SA_RESTART | SA_NOCLDSTOP };
	struct sigaction counts = { .sa_handler = on_counts, .sa_flags = SA_RESTART };
	struct sigaction request = { .sa_handler = on_request, .sa_flags = SA_RESTART };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct sigaction bus = { .sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO };
	struct sigaction old;

	sigemptyset(&stop.sa_mask);
	sigemptyset(&child.sa_mask);
	sigemptyset(&counts.sa_mask);
	sigemptyset(&request.sa_mask);
	sigemptyset(&ignore.sa_mask);
	sigemptyset(&bus.sa_mask);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	/* nohup(1) has a say in this one, unless it is to do something else. */
	if (options->reload)
		sigaction(SIGHUP, &request, NULL);
	else if (sigaction(SIGHUP, NULL, &old) == 0 && old.sa_handler == SIG_DFL)
		sigaction(SIGHUP, &stop, NULL);
	sigaction(SIGCHLD, &child, NULL);
	sigaction(SIGUSR1, &counts, NULL);
	sigaction(SIGUSR2, &request, NULL);
	sigaction(SIGALRM, &request, NULL);
	sigaction(SIGBUS, &bus, NULL);
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
