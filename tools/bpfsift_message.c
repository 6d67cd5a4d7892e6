/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/bpfsift_helper.h"

union control {
	struct cmsghdr header;
	char room[CMSG_SPACE(BPFSIFT_MESSAGE_FDS * sizeof(int))];
};

int
bpfsift_message_send(int socket, const void *bytes, size_t size, const int *fds, size_t n_fds)
{
	union control control = { .room = { 0 } };
	struct iovec part = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = size };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	ssize_t n;

	if (n_fds > 0) {
		message.msg_control = control.room;
		message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		control.header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(n_fds * sizeof(int)),
						   .cmsg_level = SOL_SOCKET,
						   .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), fds, n_fds * sizeof(int));
	}
	while ((n = sendmsg(socket, &message, MSG_NOSIGNAL)) < 0 && errno == EINTR)
		;
	return n < 0 ? -errno : 0;
}

static void
take_fds(struct msghdr *message, int fds[BPFSIFT_MESSAGE_FDS])
{
	const struct cmsghdr *header = CMSG_FIRSTHDR(message);

	if (header == NULL || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
		return;
	/* There is no room for more. */
	memcpy(fds, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
}

int
bpfsift_message_receive(int socket, void *bytes, size_t size, int fds[BPFSIFT_MESSAGE_FDS])
{
	union control control;
	struct iovec part = { .iov_base = bytes, .iov_len = size };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control.room,
				  .msg_controllen = sizeof(control.room) };
	ssize_t n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);

	for (int i = 0; i < BPFSIFT_MESSAGE_FDS; i++)
		fds[i] = -1;
	if (n <= 0)
		return n < 0 ? -errno : -EPIPE;
	take_fds(&message, fds);
	if ((size_t)n == size && !(message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
		return 0;
	for (int i = 0; i < BPFSIFT_MESSAGE_FDS; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
	return -EPROTO;
}
