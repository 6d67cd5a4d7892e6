/* SPDX-License-Identifier: BSD-2-Clause */
/* An inflow's file: read as long as anybody wants it, into a buffer whose front is used up. */
#include "config.h"

#include "filter/inflow_parts.h"

#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "ebpf/err.h"
#include "filter/thread.h"

int
sift_inflow_fail(struct sift_inflow *f, int code, const char *what)
{
	f->failed = ebpf_err_set(&f->failure, code, "%s: offset %llu: %s", f->opts.name,
				 (unsigned long long)f->in.off, what);
	return code;
}

/* Until there is something to read: 1; 0: nobody wants it any more; a negative errno. */
static int
wait_for_bytes(struct sift_inflow *f)
{
	struct pollfd fds[] = {
		{ .fd = f->opts.fd, .events = POLLIN },
		{ .fd = f->wake_fd, .events = POLLIN },
	};
	int timeout = 0;

	for (;;) {
		int rc;

		if (!f->has_thread && sift_inflow_is_stopped(f))
			return 0;
		rc = poll(fds, 2, timeout);
		if (rc < 0 && errno != EINTR)
			return -errno;
		if (rc > 0)
			return fds[1].revents == 0;
		/* The pipe is slow: nobody should wait for what is there already. */
		if (rc == 0 && timeout == 0 && f->has_thread)
			sift_inflow_hand_over(f);
		timeout = f->has_thread ? -1 : SIFT_INFLOW_STOP_MS;
	}
}

/* Let a file grow a while.  Whether anybody wants more of it then; or a negative errno. */
static int
wait_for_growth(struct sift_inflow *f)
{
	struct pollfd wake = { .fd = f->wake_fd, .events = POLLIN };
	int rc;

	if (f->has_thread)
		sift_inflow_hand_over(f);
	rc = poll(&wake, 1, SIFT_INFLOW_STOP_MS);
	if (rc < 0 && errno != EINTR)
		return -errno;
	return !sift_inflow_is_stopped(f) && (rc <= 0 || wake.revents == 0);
}

int
sift_inflow_read_some(struct sift_inflow *f, void *to, size_t n, size_t *got)
{
	for (;;) {
		ssize_t done;
		int rc;

		if (!f->has_thread && sift_inflow_is_stopped(f))
			return 0;
		if (f->can_wait && (rc = wait_for_bytes(f)) != 1)
			return rc;
		done = read(f->opts.fd, to, n < SSIZE_MAX ? n : SSIZE_MAX);
		if (done > 0) {
			*got = (size_t)done;
			return 1;
		}
		if (done == 0) {
			if (!f->opts.is_followed || f->can_wait)
				return 0;
			if ((rc = wait_for_growth(f)) != 1)
				return rc;
			continue;
		}
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
	}
}

/*
 * Of a large file that does not grow, once it is clear how it is read, and where a thread more
 * has a processor, or is among those that were asked for.  lz4 is decoded in
 * little more time than reading takes: there a third thread was in the way of the other two.
 */
static bool
may_be_read_ahead(const struct sift_inflow *f)
{
	return f->has_thread && !f->can_wait && !f->opts.is_followed &&
	       f->kind != SIFT_CODEC_LZ4 &&
	       (f->opts.n_threads > 1 || sift_thread_processors() > 1);
}

/* Whether it is from here on, all that was read before being used. */
static bool
is_read_ahead(struct sift_inflow *f)
{
	if (f->ahead == NULL && !f->is_alone && f->in.off >= SIFT_INFLOW_SMALL)
		f->is_alone = !may_be_read_ahead(f) ||
			      sift_ahead_new(f->opts.fd, SIFT_INFLOW_INPUT, &f->ahead) < 0;
	return f->ahead != NULL;
}

/* Behind what is in the buffer, where n bytes are free. */
static int
take_copied(struct sift_inflow *f, size_t n, size_t *got)
{
	uint8_t *bytes;
	int rc = sift_ahead_next(f->ahead, &bytes, got);

	if (rc != 1)
		return rc;
	if (*got > n) {
		sift_ahead_leave(f->ahead, *got - n);
		*got = n;
	}
	memcpy(f->in.bytes + f->in.end, bytes, *got);
	return 1;
}

/* What is left goes to the front of the buffer. */
static void
move_to_front(struct sift_inflow_input *in)
{
	size_t left = in->end - in->begin;

	memmove(in->buffer, in->bytes + in->begin, left);
	in->bytes = in->buffer;
	in->begin = 0;
	in->end = left;
}

int
sift_inflow_refill(struct sift_inflow *f)
{
	struct sift_inflow_input *in = &f->in;
	size_t left = in->end - in->begin, room, got = 0;
	int rc;

	if (f->failed != 0)
		return f->failed;
	if (in->has_ended)
		return 0;
	if (left == 0 && is_read_ahead(f)) {
		in->begin = in->end = 0;
		rc = sift_ahead_next(f->ahead, &in->bytes, &got);
	} else {
		if (left == 0 || in->bytes != in->buffer || in->size - in->end < SIFT_INFLOW_INPUT)
			move_to_front(in);
		room = in->size - in->end;
		room = room < SIFT_INFLOW_INPUT ? room : SIFT_INFLOW_INPUT;
		rc = f->ahead != NULL ? take_copied(f, room, &got)
				      : sift_inflow_read_some(f, in->bytes + in->end, room, &got);
	}
	in->end += got;
	in->has_ended = rc == 0;
	if (rc < 0) {
		in->off += left;
		sift_inflow_fail(f, rc, strerror(-rc));
		in->off -= left;
	}
	return rc;
}

size_t
sift_inflow_want(struct sift_inflow *f, size_t n)
{
	while (f->in.end - f->in.begin < n && sift_inflow_refill(f) == 1)
		;
	return f->in.end - f->in.begin;
}
