/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tcpdump reads a savefile from a pipe and prints to our standard output, so that lines
 * are its own to the letter.
 *
 * Its standard error is a pipe too, since it announces a file that the user has not named.
 * A thread hands on the other lines.  Keys that interrupt go to all programs of a terminal:
 * they are kept from tcpdump, which ends when the pipe does and has printed all by then.
 */
#include "config.h"

#include "tools/bpfsift_printer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/bpfsift_children.h"
#include "tools/bpfsift_say.h"

static const char no_printer[] = "none";

/* Where a user's PATH may not lead. */
static const char *const standard_printers[] = { "tcpdump", "/usr/sbin/tcpdump", NULL };

bool
bpfsift_printer_is_wanted(const struct bpfsift_options *options)
{
	return options->write_path != NULL ? options->print : !options->count;
}

static int
open_short(const struct sift_source_info *info, enum sift_precision precision,
	   struct sift_sink **sink, struct ebpf_err *err)
{
	const struct sift_summary_opts opts = {
		.size = sizeof(opts),
		.dlt = info->dlt,
		.precision = precision,
	};

	return sift_sink_open_summary("-", &opts, sink, err);
}

/* ---- what it says ---- */

/* We have said what is read, and with what reservations. */
static bool
is_ours_to_say(const char *line)
{
	return strncmp(line, "reading from file -, ", 21) == 0 ||
	       strcmp(line, "Warning: interface names might be incorrect\n") == 0;
}

static void *
relay_messages(void *arg)
{
	static const char lost_reader[] = "Unable to write output: Broken pipe\n";
	struct bpfsift_printer *printer = arg;
	FILE *messages = printer->messages;
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, messages) > 0) {
		if (strstr(line, lost_reader) != NULL)
			printer->has_lost_reader = true;
		else if (!is_ours_to_say(line))
			fputs(line, stderr);
	}
	if (!feof(messages))
		warn("what the printer said was lost: %s", strerror(errno));
	free(line);
	fclose(messages);
	return NULL;
}

/* Signals are for the thread that reads packets.  fd is its own, or closed. */
static int
start_relay(struct bpfsift_printer *printer, int fd, struct ebpf_err *err)
{
	sigset_t all, old;
	int error;

	printer->messages = fdopen(fd, "r");
	if (printer->messages == NULL) {
		error = errno;
		close(fd);
		return refuse(err, -error, "a pipe: %s", strerror(error));
	}
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&printer->relay, NULL, relay_messages, printer);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error == 0)
		return 0;
	fclose(printer->messages);
	return refuse(err, -error, "a thread: %s", strerror(error));
}

/* ---- how it is started ---- */

const char *
bpfsift_printer_program(const struct bpfsift_options *options, size_t i)
{
	if (options->printer == NULL)
		return standard_printers[i];
	return i == 0 ? options->printer : NULL;
}

char **
bpfsift_printer_arguments(const struct bpfsift_options *options)
{
	static char option[] = "-r", file[] = "-";
	char **argv = calloc(options->n_print_args + 4, sizeof(*argv));

	if (argv == NULL)
		return NULL;
	argv[1] = option;
	argv[2] = file;
	for (size_t i = 0; i < options->n_print_args; i++)
		argv[3 + i] = options->print_args[i];
	return argv;
}

/* Of sift_savefile_opts: the pipe is there already. */
static int
give_pipe(void *arg, const char *path)
{
	int *pipe_end = arg, fd = *pipe_end;

	(void)path;
	*pipe_end = -1; /* the sink's now */
	return fd;
}

static int
open_pipe(const struct sift_source_info *info, enum sift_precision precision, uint32_t snaplen,
	  int fd, struct sift_sink **sink, struct ebpf_err *err)
{
	const struct sift_savefile_opts opts = {
		.size = sizeof(opts),
		.dlt = info->dlt,
		.linktype_ext = info->linktype_ext,
		.snaplen = snaplen,
		.precision = precision,
		.open_file = give_pipe,
		.open_arg = &fd,
	};
	struct ebpf_err why;
	int rc = sift_sink_open_savefile("the printer", &opts, sink, &why);

	if (fd >= 0)
		close(fd);
	/* Gone already, it says why. */
	if (rc == -EPIPE)
		return refuse(err, rc, "%s", why.text);
	/* Otherwise it is not to blame, nor will it say why it gets nothing. */
	return rc < 0 ? refuse(err, rc, "a pipe: %s", why.text) : 0;
}

static void
close_pair(const int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

static int
open_pipes(int packets[2], int messages[2], struct ebpf_err *err)
{
	int rc;

	if (pipe2(packets, O_CLOEXEC) < 0)
		return refuse(err, -errno, "a pipe: %s", strerror(errno));
	if (pipe2(messages, O_CLOEXEC) == 0)
		return 0;
	rc = refuse(err, -errno, "a pipe: %s", strerror(errno));
	close_pair(packets);
	return rc;
}

int
bpfsift_printer_open(struct bpfsift_printer *printer, const struct sift_source_info *info,
		     enum sift_precision precision, uint32_t snaplen, struct sift_sink **sink,
		     struct ebpf_err *err)
{
	const char *wanted = printer->options->printer;
	int packets[2], messages[2], rc;

	if (printer->was_missing || (wanted != NULL && strcmp(wanted, no_printer) == 0))
		return open_short(info, precision, sink, err);
	if ((rc = open_pipes(packets, messages, err)) < 0)
		return rc;
	rc = bpfsift_child_start_printer((const int[]){ packets[0], messages[1] }, &printer->child,
					 err);
	close(packets[0]);
	close(messages[1]);
	if (rc < 0) {
		close(packets[1]);
		close(messages[0]);
		if (wanted != NULL)
			return rc;
		warn("tcpdump is not to be had (%s): packets are shown in short", strerror(-rc));
		printer->was_missing = true;
		return open_short(info, precision, sink, err);
	}
	printer->is_running = true;
	if ((rc = start_relay(printer, messages[0], err)) < 0) {
		close(packets[1]);
		bpfsift_child_relax(printer->child);
		bpfsift_child_wait(printer->child);
		printer->is_running = false;
		return rc;
	}
	/* It may have refused its options and be gone: that is told of at the end. */
	return open_pipe(info, precision, snaplen, packets[1], sink, err);
}

bool
bpfsift_printer_has_failed(const struct bpfsift_printer *printer, const struct ebpf_err *err)
{
	return printer->is_running && strncmp(err->text, "the printer", 11) == 0;
}

void
bpfsift_printer_finish(struct bpfsift_printer *printer)
{
	if (printer->is_running)
		bpfsift_child_relax(printer->child);
}

int
bpfsift_printer_wait(struct bpfsift_printer *printer)
{
	int status;

	if (!printer->is_running)
		return EXIT_SUCCESS;
	bpfsift_printer_finish(printer);
	status = bpfsift_child_wait(printer->child);
	pthread_join(printer->relay, NULL);
	printer->is_running = false;
	/* head(1) has seen enough. */
	if (printer->has_lost_reader || (WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE))
		return EXIT_SUCCESS;
	if (WIFSIGNALED(status))
		warn("the printer was ended by signal %d", WTERMSIG(status));
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
