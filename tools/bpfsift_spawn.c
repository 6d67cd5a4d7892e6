/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "tools/bpfsift_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tools/bpfsift_privileges.h"
#include "tools/bpfsift_say.h"

enum { LOWEST_PRIORITY = 19 };

/* Those that run. */
static struct running {
	pid_t pid;
	uint32_t child;
} *running;
static size_t n_running;

static void
move_fd(int fd, int to)
{
	if (fd == to)
		fcntl(fd, F_SETFD, 0);
	else if (fd >= 0)
		dup2(fd, to);
}

/* In the child: become the program. */
static void
become(const struct bpfsift_spawn *spec, int report_fd)
{
	sigset_t set = *spec->mask;
	int error;

	if (spec->is_shielded) {
		/* Blocked, not ignored: it may have handlers of its own for them. */
		sigaddset(&set, SIGINT);
		sigaddset(&set, SIGTERM);
		sigaddset(&set, SIGHUP);
		sigaddset(&set, SIGQUIT);
	}
	sigprocmask(SIG_SETMASK, &set, NULL);
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

static void
wait_for(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

int
bpfsift_spawn(const struct bpfsift_spawn *spec, struct ebpf_err *err)
{
	struct running *larger = reallocarray(running, n_running + 1, sizeof(*running));
	int report[2], error;
	pid_t pid;

	if (larger == NULL)
		return refuse(err, -ENOMEM, "out of memory");
	running = larger;
	if (pipe2(report, O_CLOEXEC) < 0)
		return refuse(err, -errno, "%s: %s", spec->argv[0], strerror(errno));
	pid = fork();
	if (pid == 0)
		become(spec, report[1]);
	error = pid < 0 ? errno : 0;
	close(report[1]);
	if (pid > 0 && (error = listen_to(report[0])) != 0)
		wait_for(pid);
	close(report[0]);
	if (error != 0)
		return refuse(err, -error, "%s: %s", spec->argv[0], strerror(error));
	running[n_running++] = (struct running){ .pid = pid, .child = spec->child };
	return 0;
}

bool
bpfsift_spawn_reap(uint32_t *child, int *status)
{
	for (size_t i = 0; i < n_running; i++) {
		pid_t got;

		while ((got = waitpid(running[i].pid, status, WNOHANG)) < 0 && errno == EINTR)
			;
		if (got <= 0)
			continue;
		*child = running[i].child;
		running[i] = running[--n_running];
		return true;
	}
	return false;
}
