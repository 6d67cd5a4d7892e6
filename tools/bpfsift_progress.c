/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A timer's signal asks for it, and between two batches it is said: short runs say nothing,
 * and what runs is not held up by looking at a clock.
 */
#include "config.h"

#include "tools/bpfsift_progress.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "tools/bpfsift_printer.h"
#include "tools/bpfsift_say.h"

enum { FIRST_S = 1, REDRAW_US = 250000, LINE = 160, FALLBACK_COLUMNS = 80 };

static struct {
	enum { NOTHING, GOT, PROGRESS } kind;
	bool is_terminal;
	bool is_live;
	uint64_t total;         /* bytes of all files; 0: not known */
	struct timespec begun;
	uint64_t got;           /* what was said last; UINT64_MAX: nothing */
} now;

/* ---- whether, and of what ---- */

/* Bytes of all files, where all are files that end. */
static uint64_t
total_of(const struct bpfsift_inputs *inputs)
{
	uint64_t total = 0;

	for (size_t i = 0; i < inputs->n; i++) {
		if (inputs->list[i].size == 0)
			return 0;
		total += inputs->list[i].size;
	}
	return total;
}

/* By itself for files alone, and where no packets are printed in between. */
static bool
is_wanted(const struct bpfsift_options *options, const struct bpfsift_inputs *inputs)
{
	switch (options->progress) {
	case BPFSIFT_PROGRESS_NEVER:
		return false;
	case BPFSIFT_PROGRESS_ALWAYS:
		return true;
	case BPFSIFT_PROGRESS_AUTO:
		break;
	}
	return now.is_terminal && inputs != NULL &&
	       !(bpfsift_printer_is_wanted(options) && isatty(STDOUT_FILENO));
}

void
bpfsift_progress_begin(const struct bpfsift_options *options, const struct bpfsift_inputs *inputs)
{
	struct itimerval timer = { .it_value.tv_sec = FIRST_S, .it_interval.tv_sec = FIRST_S };

	now.is_terminal = isatty(STDERR_FILENO);
	now.is_live = inputs == NULL;
	now.got = UINT64_MAX;
	if (is_wanted(options, inputs))
		now.kind = PROGRESS;
	else if (inputs == NULL && options->verbosity > 0 && options->write_path != NULL &&
		 !options->print)
		now.kind = GOT;
	if (now.kind == NOTHING)
		return;
	if (inputs != NULL && !(options->reader_flags & SIFT_READER_FOLLOW))
		now.total = total_of(inputs);
	if (now.kind == PROGRESS && now.is_terminal)
		timer.it_interval = (struct timeval){ .tv_usec = REDRAW_US };
	clock_gettime(CLOCK_MONOTONIC, &now.begun);
	setitimer(ITIMER_REAL, &timer, NULL);
}

void
bpfsift_progress_end(void)
{
	const struct itimerval never = { { 0, 0 }, { 0, 0 } };

	clear_line();
	if (now.kind != NOTHING)
		setitimer(ITIMER_REAL, &never, NULL);
	now.kind = NOTHING;
}

/* ---- the line ---- */

struct line {
	char text[LINE];
	size_t len;
};

__attribute__((format(printf, 2, 3))) static void
put(struct line *line, const char *fmt, ...)
{
	size_t room = sizeof(line->text) - line->len;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line->text + line->len, room, fmt, ap);
	va_end(ap);
	if (n > 0)
		line->len += (size_t)n < room ? (size_t)n : room - 1;
}

/* Three digits or so: "950", "1.3 k", "27.1 M". */
static void
put_scaled(struct line *line, double n, const char *unit)
{
	static const char prefixes[] = "kMGTP";
	int prefix = -1;

	while (n >= 999.5 && prefix < 4) {
		n /= 1000;
		prefix++;
	}
	if (prefix < 0)
		put(line, "%.0f %s", n, unit);
	else
		put(line, "%.1f %c%s", n, prefixes[prefix], unit);
}

static void
put_bytes(struct line *line, uint64_t bytes)
{
	put_scaled(line, (double)bytes, "B");
	if (now.total != 0) {
		put(line, " of ");
		put_scaled(line, (double)now.total, "B");
		put(line, " (%.0f%%)", 100.0 * (double)bytes / (double)now.total);
	}
	put(line, ", ");
}

static double
seconds_since(const struct timespec *begun)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)(t.tv_sec - begun->tv_sec) + (double)(t.tv_nsec - begun->tv_nsec) * 1e-9;
}

/* At the rate so far. */
static void
put_time_left(struct line *line, uint64_t bytes, double seconds)
{
	uint64_t left;

	if (now.total == 0 || bytes == 0 || bytes > now.total)
		return;
	left = (uint64_t)(seconds * (double)(now.total - bytes) / (double)bytes + 0.5);
	if (left < 3600)
		put(line, ", %" PRIu64 ":%02" PRIu64 " left", left / 60, left % 60);
	else
		put(line, ", %" PRIu64 ":%02" PRIu64 ":%02" PRIu64 " left", left / 3600,
		    left / 60 % 60, left % 60);
}

static void
show(const struct line *line)
{
	struct winsize size = { .ws_col = 0 };
	int columns = FALLBACK_COLUMNS;

	if (!now.is_terminal) {
		fprintf(stderr, "%s\n", line->text);
		return;
	}
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1)
		columns = size.ws_col;
	/* In the last column some terminals would begin a new line. */
	print_line(line->text, columns - 1);
}

static void
tell_got(uint64_t matched)
{
	if (matched != now.got)
		fprintf(stderr, "Got %" PRIu64 "\r", matched);
	now.got = matched;
}

void
bpfsift_progress_tell(const struct bpfsift_done *done)
{
	struct line line = { .len = 0 };
	double seconds = seconds_since(&now.begun);

	if (now.kind == GOT)
		tell_got(done->matched);
	if (now.kind != PROGRESS)
		return;
	if (!now.is_live)
		put_bytes(&line, done->bytes);
	put(&line, "%" PRIu64 " packets, ", done->seen);
	put_scaled(&line, seconds > 0 ? (double)done->seen / seconds : 0, "packets/s");
	put(&line, ", %" PRIu64 " matched", done->matched);
	if (!now.is_live)
		put_time_left(&line, done->bytes, seconds);
	show(&line);
}
