/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The helper's side.  Whoever takes the other process over can have the files opened that
 * the options lead to, and no others, and the programs started that they name.
 *
 * It keeps the descriptors that bpfsift was started with: names such as /dev/fd/63 mean
 * them.
 */
#include "config.h"

#include "tools/bpfsift_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "tools/bpfsift_output.h"
#include "tools/bpfsift_printer.h"
#include "tools/bpfsift_privileges.h"
#include "tools/bpfsift_say.h"
#include "tools/bpfsift_spawn.h"
#include "tools/native.h"

static struct {
	const struct bpfsift_helper_knows *knows;
	const struct bpfsift_filters *filters, *before; /* what is compiled, NULL: nothing */
	struct bpfsift_filters again[2];                /* read later, in turn */
	int asking, ended;                              /* sockets */
	int signals;                                    /* of children, -1: there were none */
	pid_t other;                                    /* the process that asks */
	sigset_t mask;                                  /* of signals, as bpfsift was started */
	char last[SIFT_ROTATE_NAME_MAX];                /* the rotated file that was opened last */
} own = { .asking = -1, .ended = -1, .signals = -1 };

/* ---- opening ---- */

static void
on_alarm(int signo)
{
	(void)signo;
}

static bool
is_alone(void)
{
	struct pollfd other = { .fd = own.asking };

	return poll(&other, 1, 0) > 0 && (other.revents & (POLLHUP | POLLERR)) != 0;
}

static void
set_alarms(time_t seconds)
{
	const struct itimerval each = { { seconds, 0 }, { seconds, 0 } };

	setitimer(ITIMER_REAL, &each, NULL);
}

/* A FIFO waits for its other end, and may wait for ever: with each alarm it is seen for whom. */
static int
open_awaited(const char *path, int flags)
{
	int fd;

	while ((fd = open(path, flags | O_CLOEXEC, 0666)) < 0 && errno == EINTR) {
		if (is_alone())
			exit(EXIT_SUCCESS);
	}
	return fd < 0 ? -errno : fd;
}

static int
open_patiently(const char *path, int flags)
{
	int fd;

	set_alarms(1);
	fd = open_awaited(path, flags);
	set_alarms(0);
	return fd;
}

/* A file that is new is the user's, who may have to do with it; others stay whose they are. */
static int
create(const char *path)
{
	int fd = open_patiently(path, O_WRONLY | O_CREAT | O_EXCL), rc;

	if (fd == -EEXIST)
		return open_patiently(path, O_WRONLY | O_CREAT | O_TRUNC);
	if (fd >= 0 && (rc = bpfsift_privileges_give(fd)) < 0) {
		close(fd);
		return rc;
	}
	return fd;
}

static int
open_rotated(const struct bpfsift_request *request)
{
	const struct bpfsift_options *options = own.knows->options;
	struct sift_rotate_opts rotate = bpfsift_output_rotation(options);
	int rc = sift_rotate_name(options->write_path, &rotate, request->time, request->number,
				  own.last, NULL);

	return rc < 0 ? rc : create(own.last);
}

static int
open_wished(const struct bpfsift_request *request)
{
	const char *output = own.knows->options->write_path;

	switch (request->wish) {
	case BPFSIFT_WISH_OUTPUT:
		return output != NULL ? create(output) : -EPERM;
	case BPFSIFT_WISH_ROTATED:
		return output != NULL ? open_rotated(request) : -EPERM;
	case BPFSIFT_WISH_PERF_MAP:
		return own.knows->options->perf_map ? native_perf_map_open(own.other) : -EPERM;
	default:
		return -EPERM;
	}
}

static int
answer(const struct bpfsift_answer *answer, int fd)
{
	return bpfsift_message_send(own.asking, answer, sizeof(*answer), &fd, fd >= 0);
}

/* Whether opening it keeps nobody waiting. */
static bool
is_opened_ahead(const struct bpfsift_input *input)
{
	return input->is_regular && strcmp(input->path, "-") != 0;
}

/*
 * Of inputs that follow each other as many as are wished for.  What is wrong with one of them
 * is told when it is the first.
 */
static int
open_inputs(const struct bpfsift_request *request, int fds[BPFSIFT_MESSAGE_FDS], size_t *n)
{
	const struct bpfsift_inputs *inputs = own.knows->inputs;
	size_t number = request->number;
	int fd = -EPERM;

	while (inputs != NULL && number < inputs->n && *n < BPFSIFT_MESSAGE_FDS &&
	       (*n == 0 || (*n < request->count && is_opened_ahead(&inputs->list[number]))) &&
	       (fd = open_awaited(inputs->list[number].path, O_RDONLY)) >= 0) {
		fds[(*n)++] = fd;
		number++;
	}
	return *n > 0 ? 0 : fd;
}

static int
serve_inputs(const struct bpfsift_request *request)
{
	int fds[BPFSIFT_MESSAGE_FDS], rc;
	struct bpfsift_answer got = { .status = 0 };
	size_t n = 0;

	set_alarms(1);
	got.status = open_inputs(request, fds, &n);
	set_alarms(0);
	rc = bpfsift_message_send(own.asking, &got, sizeof(got), fds, n);
	while (n > 0)
		close(fds[--n]);
	return rc;
}

static int
serve_file(const struct bpfsift_request *request)
{
	int fd = open_wished(request);
	const struct bpfsift_answer got = { .status = fd < 0 ? fd : 0 };
	int rc = answer(&got, fd);

	if (fd >= 0)
		close(fd);
	return rc;
}

/* ---- compiling ---- */

static int
serve_program(const struct bpfsift_request *request)
{
	struct bpfsift_answer got = { .status = -EPERM };
	struct cbpf_insn *insns = NULL;
	size_t n = 0;
	int rc;

	if (own.filters != NULL)
		got.status =
			bpfsift_filters_compile(own.filters, &request->kind, &insns, &n, &got.err);
	got.n_insns = (uint32_t)n;
	rc = answer(&got, -1);
	for (size_t done = 0, part; rc == 0 && done < n; done += part) {
		part = n - done < BPFSIFT_MESSAGE_INSNS ? n - done : BPFSIFT_MESSAGE_INSNS;
		rc = bpfsift_message_send(own.asking, insns + done, part * sizeof(*insns), NULL, 0);
	}
	free(insns);
	return rc;
}

/* The other process reads it too, to show it. */
static int
read_again(struct ebpf_err *err)
{
	const struct bpfsift_options *options = own.knows->options;
	struct bpfsift_filters *read = &own.again[own.filters == &own.again[0]];
	int fd, copy, rc;

	if (!options->reload)
		return refuse(err, -EPERM, "no --reload");
	if ((fd = open_patiently(options->filter_path, O_RDONLY)) < 0)
		return refuse(err, fd, "can't open %s: %s", options->filter_path, strerror(-fd));
	if ((copy = fcntl(fd, F_DUPFD_CLOEXEC, 0)) < 0) {
		rc = refuse(err, -errno, "%s: %s", options->filter_path, strerror(errno));
		close(fd);
		return rc;
	}
	bpfsift_filters_destroy(read);
	if ((rc = bpfsift_filters_read(read, options, copy, err)) < 0) {
		close(fd);
		return rc;
	}
	lseek(fd, 0, SEEK_SET);
	own.before = own.filters;
	own.filters = read;
	return fd;
}

static int
serve_filter(const struct bpfsift_request *request)
{
	struct bpfsift_answer got = { .status = 0 };
	int fd = -1, rc;

	if (request->wish == BPFSIFT_WISH_FILTER)
		got.status = fd = read_again(&got.err);
	else
		own.filters = own.before;
	if (got.status > 0)
		got.status = 0;
	rc = answer(&got, fd);
	if (fd >= 0)
		close(fd);
	return rc;
}

/* ---- programs ---- */

static int
run_command(struct bpfsift_spawn spec, struct ebpf_err *err)
{
	const char *command = own.knows->options->command;
	char *argv[] = { (char *)(uintptr_t)command, own.last, NULL };

	if (command == NULL || own.last[0] == '\0')
		return refuse(err, -EPERM, "no command and file");
	spec.argv = argv;
	spec.is_background = true;
	return bpfsift_spawn(&spec, err);
}

static int
run_printer(struct bpfsift_spawn spec, const int fds[BPFSIFT_PRINTER_FDS], struct ebpf_err *err)
{
	const struct bpfsift_options *options = own.knows->options;
	char **argv = bpfsift_printer_arguments(options);
	int rc = -ENOENT;

	if (argv == NULL)
		return refuse(err, -ENOMEM, "out of memory");
	spec.is_shielded = true;
	spec.stdin_fd = fds[0];
	spec.stderr_fd = fds[1];
	spec.argv = argv;
	for (size_t i = 0; rc == -ENOENT; i++) {
		const char *program = bpfsift_printer_program(options, i);

		if (program == NULL)
			break;
		argv[0] = (char *)(uintptr_t)program;
		rc = bpfsift_spawn(&spec, err);
	}
	free(argv);
	return rc;
}

static void
hear_of_children(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	if (own.signals < 0)
		own.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int
serve_start(const struct bpfsift_request *request, const int fds[BPFSIFT_PRINTER_FDS])
{
	struct bpfsift_spawn spec = {
		.stdin_fd = -1, .stderr_fd = -1, .mask = &own.mask, .child = request->number
	};
	struct bpfsift_answer got = { .status = 0 };

	hear_of_children();
	if (own.signals < 0)
		got.status = refuse(&got.err, -errno, "signals: %s", strerror(errno));
	else
		got.status = request->wish == BPFSIFT_WISH_COMMAND
				     ? run_command(spec, &got.err)
				     : run_printer(spec, fds, &got.err);
	return answer(&got, -1);
}

static void
tell_of_ended(void)
{
	struct signalfd_siginfo info;
	struct bpfsift_ended ended;

	while (read(own.signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		;
	while (bpfsift_spawn_reap(&ended.child, &ended.status)) {
		if (bpfsift_message_send(own.ended, &ended, sizeof(ended), NULL, 0) == 0)
			kill(own.other, SIGCHLD);
	}
}

/* ---- its life ---- */

static int
serve_request(void)
{
	struct bpfsift_request request;
	int fds[BPFSIFT_MESSAGE_FDS], rc;

	if ((rc = bpfsift_message_receive(own.asking, &request, sizeof(request), fds)) < 0)
		return rc == -EINTR ? 0 : rc;
	switch (request.wish) {
	case BPFSIFT_WISH_INPUT:
		rc = serve_inputs(&request);
		break;
	case BPFSIFT_WISH_COMPILE:
		rc = serve_program(&request);
		break;
	case BPFSIFT_WISH_FILTER:
	case BPFSIFT_WISH_FILTER_BACK:
		rc = serve_filter(&request);
		break;
	case BPFSIFT_WISH_COMMAND:
	case BPFSIFT_WISH_PRINTER:
		rc = serve_start(&request, fds);
		break;
	default:
		rc = serve_file(&request);
		break;
	}
	for (int i = 0; i < BPFSIFT_MESSAGE_FDS; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	return rc;
}

_Noreturn static void
serve(void)
{
	struct sigaction alarm = { .sa_handler = on_alarm }, child = { .sa_handler = SIG_DFL };
	sigset_t but_alarm;

	/* What a terminal sends is for the other. */
	sigfillset(&but_alarm);
	sigdelset(&but_alarm, SIGALRM);
	sigemptyset(&alarm.sa_mask);
	sigemptyset(&child.sa_mask);
	sigaction(SIGALRM, &alarm, NULL);
	sigaction(SIGCHLD, &child, NULL);
	sigprocmask(SIG_SETMASK, &but_alarm, &own.mask);
	for (;;) {
		struct pollfd fds[] = { { .fd = own.asking, .events = POLLIN },
					{ .fd = own.signals, .events = POLLIN } };

		/* Until there are children, requests are all that can come. */
		if (own.signals >= 0 && poll(fds, 2, -1) < 0)
			continue;
		if (fds[1].revents != 0)
			tell_of_ended();
		if ((own.signals < 0 || fds[0].revents != 0) && serve_request() < 0)
			exit(EXIT_SUCCESS);
	}
}

int
bpfsift_helper_start(const struct bpfsift_helper_knows *knows, int *asking, int *ended,
		     struct ebpf_err *err)
{
	int ask[2], end[2];
	pid_t self = getpid(), pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ask) < 0)
		return refuse(err, -errno, "a pair of sockets: %s", strerror(errno));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, end) < 0) {
		close(ask[0]);
		close(ask[1]);
		return refuse(err, -errno, "a pair of sockets: %s", strerror(errno));
	}
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		close(ask[0]);
		close(end[0]);
		own.knows = knows;
		own.filters = knows->filters;
		own.asking = ask[1];
		own.ended = end[1];
		own.other = self;
		serve();
	}
	close(ask[1]);
	close(end[1]);
	if (pid < 0) {
		close(ask[0]);
		close(end[0]);
		return refuse(err, -errno, "a helper to open files: %s", strerror(errno));
	}
	*asking = ask[0];
	*ended = end[0];
	return 0;
}
