/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The handler of SIGCHLD walks the table, so it is changed only while that signal is
 * blocked, and by the one thread that does not always block it.  Children that nobody
 * here started are not touched.
 */
#include "config.h"

#include "tools/bpfsift_children.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/bpfsift_privileges.h"
#include "tools/bpfsift_say.h"
#include "tools/bpfsift_signals.h"

enum { LOWEST_PRIORITY = 19 };

struct child {
	pid_t pid;
	int status;
	bool is_vital;
	bool has_ended;
	bool is_known; /* how it ended was told of */
	char *what;    /* the command, for messages */
};

static struct child *children;
static size_t n_children;

static void
block(bool is_blocked, sigset_t *old)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	if (is_blocked)
		pthread_sigmask(SIG_BLOCK, &set, old);
	else
		pthread_sigmask(SIG_SETMASK, old, NULL);
}

static void
take_status(struct child *child, int options)
{
	pid_t got;

	while ((got = waitpid(child->pid, &child->status, options)) < 0 && errno == EINTR)
		;
	if (got == 0)
		return;
	/* Nobody else waits for it; but had someone, it is over too. */
	child->has_ended = true;
}

void
bpfsift_children_reap(void)
{
	for (size_t i = 0; i < n_children; i++) {
		struct child *child = &children[i];

		if (child->has_ended)
			continue;
		take_status(child, WNOHANG);
		if (child->has_ended && child->is_vital)
			bpfsift_stop();
	}
}

static char *
join(char *const *argv)
{
	size_t len = 0;
	char *joined;

	for (char *const *each = argv; *each != NULL; each++)
		len += strlen(*each) + 1;
	joined = malloc(len);
	if (joined == NULL)
		return NULL;
	len = 0;
	for (char *const *each = argv; *each != NULL; each++)
		len += (size_t)sprintf(joined + len, "%s%s", *each, each[1] != NULL ? " " : "");
	return joined;
}

static void
move_fd(int fd, int to)
{
	if (fd == to)
		fcntl(fd, F_SETFD, 0);
	else if (fd >= 0)
		dup2(fd, to);
}

/* In the child, where only async-signal-safe functions may be called: become the program. */
static void
become(const struct bpfsift_child_spec *spec, int report_fd, const sigset_t *mask)
{
	struct sigaction standard = { .sa_handler = SIG_DFL };
	sigset_t set = *mask;
	int error;

	sigemptyset(&standard.sa_mask);
	sigaction(SIGPIPE, &standard, NULL);
	sigaction(SIGXFSZ, &standard, NULL);
	if (spec->is_shielded) {
		/* Blocked, not ignored: it may have handlers of its own for them. */
		sigaddset(&set, SIGINT);
		sigaddset(&set, SIGTERM);
		sigaddset(&set, SIGHUP);
		sigaddset(&set, SIGQUIT);
	}
	pthread_sigmask(SIG_SETMASK, &set, NULL);
	if (spec->is_background)
		setpriority(PRIO_PROCESS, 0, LOWEST_PRIORITY);
	if (bpfsift_privileges_become_user() < 0)
		_exit(126);
	move_fd(spec->stdin_fd, STDIN_FILENO);
	move_fd(spec->stderr_fd, STDERR_FILENO);
	execvp(spec->argv[0], spec->argv);
	error = errno;
	if (write(report_fd, &error, sizeof(error)) < 0)
		_exit(126);
	_exit(127);
}

/* Room for one more. */
static int
grow(char *const *argv, struct ebpf_err *err)
{
	struct child *larger = reallocarray(children, n_children + 1, sizeof(*children));

	if (larger == NULL)
		return refuse(err, -ENOMEM, "out of memory");
	children = larger;
	children[n_children] = (struct child){ .what = join(argv) };
	return children[n_children].what == NULL ? refuse(err, -ENOMEM, "out of memory") : 0;
}

/* What the child says before it becomes another program: nothing, or an errno. */
static int
listen_to(int fd)
{
	int error = 0;
	ssize_t n;

	while ((n = read(fd, &error, sizeof(error))) < 0 && errno == EINTR)
		;
	return n == (ssize_t)sizeof(error) ? error : 0;
}

static int
start(const struct bpfsift_child_spec *spec, const sigset_t *mask, struct ebpf_err *err)
{
	struct child *child;
	int report[2], error, rc;

	if ((rc = grow(spec->argv, err)) < 0)
		return rc;
	child = &children[n_children];
	if (pipe2(report, O_CLOEXEC) < 0)
		return refuse(err, -errno, "%s: %s", spec->argv[0], strerror(errno));
	child->pid = fork();
	if (child->pid == 0)
		become(spec, report[1], mask);
	error = errno;
	close(report[1]);
	if (child->pid > 0) {
		error = listen_to(report[0]);
		if (error != 0)
			take_status(child, 0);
	}
	close(report[0]);
	if (error == 0 || (child->pid > 0 && !child->has_ended)) {
		child->is_vital = spec->is_vital;
		n_children++;
		return 0;
	}
	free(child->what);
	return refuse(err, -error, "%s: %s", spec->argv[0], strerror(error));
}

int
bpfsift_child_start(const struct bpfsift_child_spec *spec, size_t *id, struct ebpf_err *err)
{
	sigset_t old;
	int rc;

	block(true, &old);
	rc = start(spec, &old, err);
	*id = n_children - 1;
	block(false, &old);
	return rc;
}

void
bpfsift_child_relax(size_t id)
{
	sigset_t old;

	block(true, &old);
	children[id].is_vital = false;
	block(false, &old);
}

int
bpfsift_child_wait(size_t id)
{
	struct child *child;
	sigset_t old;
	int status;

	block(true, &old);
	child = &children[id];
	if (!child->has_ended)
		take_status(child, 0);
	child->is_known = true;
	status = child->status;
	block(false, &old);
	return status;
}

static void
report(struct child *child)
{
	if (!child->has_ended || child->is_known)
		return;
	if (WIFSIGNALED(child->status))
		warn("%s: ended by signal %d", child->what, WTERMSIG(child->status));
	else if (WEXITSTATUS(child->status) != 0)
		warn("%s: exit status %d", child->what, WEXITSTATUS(child->status));
	child->is_known = true;
}

void
bpfsift_children_report(void)
{
	sigset_t old;

	block(true, &old);
	for (size_t i = 0; i < n_children; i++)
		report(&children[i]);
	block(false, &old);
}

void
bpfsift_children_wait(void)
{
	sigset_t old;

	block(true, &old);
	for (size_t i = 0; i < n_children; i++) {
		if (!children[i].has_ended)
			take_status(&children[i], 0);
		report(&children[i]);
		free(children[i].what);
	}
	free(children);
	children = NULL;
	n_children = 0;
	block(false, &old);
}
