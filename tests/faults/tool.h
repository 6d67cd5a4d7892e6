/* SPDX-License-Identifier: BSD-2-Clause */
/* A tool, built with the failures of wrap.c and wrap_io.c, run in a directory of its own. */
#ifndef TESTS_FAULTS_TOOL_H
#define TESTS_FAULTS_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tool_run {
	const char *tool;
	const char *args;  /* separated by blanks; %d/ is the folder of the captures */
	const char *input; /* standard input; NULL: nothing */
};

/* A file's bytes; what is not there has none. */
struct tool_bytes {
	uint8_t *p;
	size_t n;
	bool is_there;
};

/* The status of a tool that could not be started. */
enum { TOOL_NOT_STARTED = 98 };

struct tool_outcome {
	int status;      /* of waitpid() */
	bool has_failed; /* a request of wrap.c */
	struct tool_bytes out, err, file; /* the one that is called "out" */
};

/* A directory to run in, for all tests of a program; empty but for what a test makes. */
void tool_prepare(void);

/* Remove it, with these files and those that a run makes: what is left then fails the test. */
void tool_clean_up(const char *const *files, size_t n);

/* With what it finds in its environment: "NAME=VALUE" each, up to NULL. */
struct tool_outcome tool_run(const struct tool_run *run, const char *const *environment);
void tool_outcome_free(struct tool_outcome *outcome);

struct tool_bytes tool_read_file(const char *path);
void tool_write_file(const char *path, const void *bytes, size_t n);

/* The folder of the captures. */
const char *tool_data(void);

bool tool_is_same(const struct tool_bytes *a, const struct tool_bytes *b);

/* Whether b begins with a. */
bool tool_begins(const struct tool_bytes *a, const struct tool_bytes *b);

/* Whether it is a pcap header and whole records, or nothing at all. */
bool tool_holds_whole_packets(const struct tool_bytes *bytes);

/* It ended by itself, and with that status. */
bool tool_ended_with(const struct tool_outcome *outcome, int status);

/* Its last line is a message, with its name before it; there are at most n lines. */
bool tool_says_why(const struct tool_run *run, const struct tool_outcome *outcome, size_t n);

size_t tool_n_lines(const struct tool_bytes *bytes);

#endif
