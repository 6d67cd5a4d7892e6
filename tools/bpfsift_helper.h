/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The helper opens files, compiles the expression and starts programs for the process that
 * reads packets, which has given up the right to.  It is forked before that, works with its
 * own copy of the options, and takes no names: of an input, of a kind of packets and of a
 * rotated file it is told numbers.  It ends with the other process.
 */
#ifndef TOOLS_BPFSIFT_HELPER_H
#define TOOLS_BPFSIFT_HELPER_H

#include "tools/bpfsift_filter.h"
#include "tools/bpfsift_inputs.h"
#include "tools/bpfsift_options.h"

#include <stdint.h>

/* What it makes the names of. */
struct bpfsift_helper_knows {
	const struct bpfsift_options *options;
	const struct bpfsift_inputs *inputs;   /* NULL: none */
	const struct bpfsift_filters *filters; /* NULL: it compiles nothing */
};

enum bpfsift_wish {
	BPFSIFT_WISH_INPUT,    /* to read input number, and up to count that are regular files */
	BPFSIFT_WISH_OUTPUT,   /* to write what -w names */
	BPFSIFT_WISH_ROTATED,  /* the same, of that time and number */
	BPFSIFT_WISH_PERF_MAP, /* to append to the file that perf looks for */
	BPFSIFT_WISH_COMPILE,  /* the expression, for kind */
	BPFSIFT_WISH_FILTER,   /* to read -F, as the helper does, which compiles it from then on */
	BPFSIFT_WISH_FILTER_BACK, /* to have what was before compiled again */
	BPFSIFT_WISH_COMMAND,  /* to start -z on the rotated file opened last, as child number */
	BPFSIFT_WISH_PRINTER,  /* to start the printer, as child number: reads and says, in pipes */
};

struct bpfsift_request {
	enum bpfsift_wish wish;
	uint32_t number, count;
	int64_t time;
	struct bpfsift_kind kind;
};

/* A descriptor goes with it where one was wished for, or several; instructions follow it. */
struct bpfsift_answer {
	int status; /* 0 or a negative errno */
	uint32_t n_insns;
	struct ebpf_err err;
};

/* A program that was started has ended. */
struct bpfsift_ended {
	uint32_t child;
	int status; /* as of waitpid() */
};

/*
 * Start it.  *asking is for requests and their answers, *ended for a message of each child,
 * which SIGCHLD announces.  0; a negative errno, err tells.
 */
int bpfsift_helper_start(const struct bpfsift_helper_knows *knows, int *asking, int *ended,
			 struct ebpf_err *err);

/* Messages with at most so many descriptors, over the sockets between the two. */
enum { BPFSIFT_MESSAGE_FDS = 64, BPFSIFT_MESSAGE_INSNS = 4096 };

/* Of BPFSIFT_WISH_PRINTER: where it reads, and says what is wrong. */
enum { BPFSIFT_PRINTER_FDS = 2 };

/* Send size bytes, and descriptors.  0 or a negative errno. */
int bpfsift_message_send(int socket, const void *bytes, size_t size, const int *fds,
			 size_t n_fds);

/*
 * Receive size bytes, and descriptors, -1 where there are fewer.  0; -EPIPE: the other one
 * is gone; -EINTR; another negative errno.
 */
int bpfsift_message_receive(int socket, void *bytes, size_t size, int fds[BPFSIFT_MESSAGE_FDS]);

#endif
