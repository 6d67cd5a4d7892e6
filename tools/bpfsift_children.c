/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The handler of SIGCHLD, which the helper sends, walks the table, so it is changed only
 * while that signal is blocked, and by the one thread that does not always block it.
 */
#include "config.h"

#include "tools/bpfsift_children.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "tools/bpfsift_ask.h"
#include "tools/bpfsift_say.h"
#include "tools/bpfsift_signals.h"

struct child {
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
note(const struct bpfsift_ended *ended)
{
	struct child *child;

	if (ended->child >= n_children)
		return;
	child = &children[ended->child];
	child->status = ended->status;
	child->has_ended = true;
	if (child->is_vital)
		bpfsift_stop();
}

void
bpfsift_children_reap(void)
{
	struct bpfsift_ended ended;

	while (bpfsift_ask_ended(false, &ended) > 0)
		note(&ended);
}

/* Until it has ended; with the helper gone nobody will say. */
static void
await(struct child *child)
{
	struct bpfsift_ended ended;

	while (!child->has_ended) {
		if (bpfsift_ask_ended(true, &ended) > 0) {
			note(&ended);
			continue;
		}
		warn("%s: the helper that started it has ended", child->what);
		child->has_ended = child->is_known = true;
		child->status = EXIT_FAILURE << 8;
	}
}

/* Room for one more, of which what is told in messages. */
static int
grow(char *what, struct ebpf_err *err)
{
	struct child *larger =
		what != NULL ? reallocarray(children, n_children + 1, sizeof(*children)) : NULL;

	if (larger == NULL)
		return refuse(err, -ENOMEM, "out of memory");
	children = larger;
	children[n_children] = (struct child){ .what = what };
	return 0;
}

/* what is taken over, whatever the result. */
static int
start(enum bpfsift_wish wish, char *what, const int fds[BPFSIFT_PRINTER_FDS], size_t *id,
      struct ebpf_err *err)
{
	sigset_t old;
	int rc;

	block(true, &old);
	if ((rc = grow(what, err)) == 0)
		rc = bpfsift_ask_program(wish, (uint32_t)n_children, fds, err);
	if (rc == 0) {
		children[n_children].is_vital = wish == BPFSIFT_WISH_PRINTER;
		*id = n_children++;
	} else {
		free(what);
	}
	block(false, &old);
	return rc;
}

int
bpfsift_child_start_command(const char *command, const char *path, struct ebpf_err *err)
{
	char *what;
	size_t id;

	if (asprintf(&what, "%s %s", command, path) < 0)
		what = NULL;
	return start(BPFSIFT_WISH_COMMAND, what, NULL, &id, err);
}

int
bpfsift_child_start_printer(const int fds[BPFSIFT_PRINTER_FDS], size_t *id, struct ebpf_err *err)
{
	char *what;

	if (asprintf(&what, "the printer") < 0)
		what = NULL;
	return start(BPFSIFT_WISH_PRINTER, what, fds, id, err);
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
	await(child);
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
		await(&children[i]);
		report(&children[i]);
		free(children[i].what);
	}
	free(children);
	children = NULL;
	n_children = 0;
	block(false, &old);
}
