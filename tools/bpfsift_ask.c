/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "tools/bpfsift_ask.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/bpfsift_say.h"
#include "tools/bpfsift_signals.h"

/* How long one who was asked to stop waits for the end of a FIFO that nobody opens. */
enum { PATIENCE_MS = 1000 };

static int asking = -1, ended_socket = -1;

int
bpfsift_ask_start(const struct bpfsift_helper_knows *knows, struct ebpf_err *err)
{
	return bpfsift_helper_start(knows, &asking, &ended_socket, err);
}

/* Who is asked to stop may be so before the wait begins: it is looked at again and again. */
static int
receive(void *bytes, size_t size, int fds[BPFSIFT_MESSAGE_FDS])
{
	struct pollfd from = { .fd = asking, .events = POLLIN };
	int n, rc;

	while ((n = poll(&from, 1, PATIENCE_MS)) <= 0) {
		if (n < 0 ? errno != EINTR : bpfsift_is_stopping())
			return n < 0 ? -errno : -EINTR;
	}
	while ((rc = bpfsift_message_receive(asking, bytes, size, fds)) == -EINTR)
		;
	return rc;
}

/* Nothing can be asked any more: an answer that comes late is not for what is asked next. */
static int
give_up(int rc)
{
	close(asking);
	asking = -1;
	return rc;
}

/* As many descriptors as come with the answer go to fds, behind which stands -1. */
static int
ask_for_many(const struct bpfsift_request *request, const int *given, size_t n_given,
	     struct bpfsift_answer *got, int fds[BPFSIFT_MESSAGE_FDS])
{
	int rc;

	if (asking < 0)
		return -EPIPE;
	if ((rc = bpfsift_message_send(asking, request, sizeof(*request), given, n_given)) < 0 ||
	    (rc = receive(got, sizeof(*got), fds)) < 0)
		return give_up(rc);
	return got->status;
}

/* One descriptor, or -1. */
static int
ask(const struct bpfsift_request *request, struct bpfsift_answer *got, int *fd)
{
	int fds[BPFSIFT_MESSAGE_FDS], rc = ask_for_many(request, NULL, 0, got, fds);

	if (rc >= 0)
		*fd = fds[0];
	return rc;
}

static int
ask_file(const struct bpfsift_request *request)
{
	struct bpfsift_answer got;
	int fd, rc = ask(request, &got, &fd);

	return rc < 0 ? rc : fd >= 0 ? fd : -EPROTO;
}

/* ---- inputs ---- */

/*
 * Who opens one input after the other is soon asked for many at a time: those that the helper
 * has opened ahead, the first of them input number next.
 */
static struct {
	int fds[BPFSIFT_MESSAGE_FDS];
	size_t at, n;
	uint32_t next;
	uint32_t wished; /* how many, last time */
} ahead;

static void
close_ahead(void)
{
	while (ahead.at < ahead.n)
		close(ahead.fds[ahead.at++]);
	ahead.at = ahead.n = 0;
}

static int
ask_ahead(uint32_t number)
{
	struct bpfsift_request request = { .wish = BPFSIFT_WISH_INPUT, .number = number };
	struct bpfsift_answer got;
	int rc;

	close_ahead();
	ahead.wished = number == ahead.next && ahead.wished > 0 ? 2 * ahead.wished : 1;
	if (ahead.wished > BPFSIFT_MESSAGE_FDS)
		ahead.wished = BPFSIFT_MESSAGE_FDS;
	ahead.next = number;
	request.count = ahead.wished;
	if ((rc = ask_for_many(&request, NULL, 0, &got, ahead.fds)) < 0)
		return rc;
	while (ahead.n < BPFSIFT_MESSAGE_FDS && ahead.fds[ahead.n] >= 0)
		ahead.n++;
	return ahead.n > 0 ? 0 : -EPROTO;
}

int
bpfsift_ask_input(void *arg, const char *path)
{
	const struct bpfsift_input *input = arg;
	int rc;

	(void)path;
	if ((ahead.at == ahead.n || ahead.next != input->number) &&
	    (rc = ask_ahead(input->number)) < 0)
		return rc;
	ahead.next++;
	return ahead.fds[ahead.at++];
}

/* ---- other files ---- */

int
bpfsift_ask_output(void *arg, const char *path)
{
	const struct bpfsift_request request = { .wish = BPFSIFT_WISH_OUTPUT };

	(void)arg;
	(void)path;
	return ask_file(&request);
}

int
bpfsift_ask_rotated(void *arg, const char *path, int64_t time, uint32_t number)
{
	const struct bpfsift_request request = { .wish = BPFSIFT_WISH_ROTATED,
						 .number = number,
						 .time = time };

	(void)arg;
	(void)path;
	return ask_file(&request);
}

int
bpfsift_ask_perf_map(void)
{
	const struct bpfsift_request request = { .wish = BPFSIFT_WISH_PERF_MAP };

	return ask_file(&request);
}

int
bpfsift_ask_compile(const struct bpfsift_kind *kind, struct cbpf_insn **insns, size_t *n_insns,
		    struct ebpf_err *err)
{
	const struct bpfsift_request request = { .wish = BPFSIFT_WISH_COMPILE, .kind = *kind };
	struct bpfsift_answer got = { .err = { "" } };
	int fds[BPFSIFT_MESSAGE_FDS], rc = ask_for_many(&request, NULL, 0, &got, fds);
	struct cbpf_insn *list;

	if (rc < 0)
		return refuse(err, rc, "%s",
			      got.err.text[0] != '\0' ? got.err.text : strerror(-rc));
	list = calloc(got.n_insns, sizeof(*list));
	if (list == NULL)
		return refuse(err, give_up(-ENOMEM), "out of memory");
	for (size_t done = 0, part; rc == 0 && done < got.n_insns; done += part) {
		part = got.n_insns - done < BPFSIFT_MESSAGE_INSNS ? got.n_insns - done
								  : BPFSIFT_MESSAGE_INSNS;
		rc = receive(list + done, part * sizeof(*list), fds);
	}
	if (rc < 0) {
		free(list);
		return refuse(err, give_up(rc), "the helper: %s", strerror(-rc));
	}
	*insns = list;
	*n_insns = got.n_insns;
	return 0;
}

int
bpfsift_ask_filter(struct ebpf_err *err)
{
	const struct bpfsift_request request = { .wish = BPFSIFT_WISH_FILTER };
	struct bpfsift_answer got = { .err = { "" } };
	int fd = -1, rc = ask(&request, &got, &fd);

	if (rc == 0 && fd < 0)
		rc = -EPROTO;
	if (rc < 0)
		return refuse(err, rc, "%s",
			      got.err.text[0] != '\0' ? got.err.text : strerror(-rc));
	return fd;
}

/* Where it cannot be asked, it compiles nothing. */
void
bpfsift_ask_filter_back(void)
{
	const struct bpfsift_request request = { .wish = BPFSIFT_WISH_FILTER_BACK };
	struct bpfsift_answer got;
	int fd;

	ask(&request, &got, &fd);
}

int
bpfsift_ask_program(enum bpfsift_wish wish, uint32_t child, const int fds[BPFSIFT_PRINTER_FDS],
		    struct ebpf_err *err)
{
	const struct bpfsift_request request = { .wish = wish, .number = child };
	struct bpfsift_answer got = { .err = { "" } };
	int back[BPFSIFT_MESSAGE_FDS];
	int rc = ask_for_many(&request, fds, fds != NULL ? BPFSIFT_PRINTER_FDS : 0, &got, back);

	if (rc < 0)
		return refuse(err, rc, "%s",
			      got.err.text[0] != '\0' ? got.err.text : strerror(-rc));
	return 0;
}

int
bpfsift_ask_ended(bool is_awaited, struct bpfsift_ended *ended)
{
	ssize_t n;

	if (ended_socket < 0)
		return -EPIPE;
	while ((n = recv(ended_socket, ended, sizeof(*ended), is_awaited ? 0 : MSG_DONTWAIT)) < 0 &&
	       errno == EINTR)
		;
	if (n == (ssize_t)sizeof(*ended))
		return 1;
	return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : -EPIPE;
}
