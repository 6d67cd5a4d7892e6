/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The helper is forked before the drop and asked over a pair of sockets.  It works with
 * its own copy of the options: whoever takes the other process over can have the files
 * opened that the options lead to, and no others.  It ends with that process.
 */
#include "config.h"

#include "tools/bpfsift_privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/bpfsift_output.h"
#include "tools/bpfsift_say.h"

enum { MAX_GROUPS = 256, FALLBACK_DESCRIPTORS = 1024 };

/* Who to become. */
static struct {
	bool is_wanted;
	uid_t uid;
	gid_t gid;
	gid_t groups[MAX_GROUPS];
	int n_groups;
} user;

static int helper = -1; /* the socket to ask it by */

/* ---- the user ---- */

static const struct passwd *
find(const struct bpfsift_options *options)
{
	const struct passwd *found;

	if (options->user != NULL)
		return getpwnam(options->user);
	found = getpwnam(BPFSIFT_USER);
	return found != NULL ? found : getpwnam("nobody");
}

int
bpfsift_privileges_find_user(const struct bpfsift_options *options, struct ebpf_err *err)
{
	const struct passwd *found;

	if (getuid() != 0 && geteuid() != 0)
		return 0;
	found = find(options);
	if (found == NULL)
		return refuse(err, -ENOENT, "Couldn't find user '%s'",
			      options->user != NULL ? options->user : "nobody");
	if (found->pw_uid == 0)
		return 0;
	user.uid = found->pw_uid;
	user.gid = found->pw_gid;
	user.n_groups = MAX_GROUPS;
	if (getgrouplist(found->pw_name, found->pw_gid, user.groups, &user.n_groups) < 0)
		user.n_groups = MAX_GROUPS; /* of more than that, the first */
	user.is_wanted = true;
	return 0;
}

int
bpfsift_privileges_become_user(void)
{
	if (!user.is_wanted || getuid() == user.uid)
		return 0;
	if (setgroups((size_t)user.n_groups, user.groups) < 0 || setgid(user.gid) < 0 ||
	    setuid(user.uid) < 0)
		return -errno;
	/* There must be no way back. */
	return setuid(0) == 0 ? -EPERM : 0;
}

/* ---- opening ---- */

/* A file that is new is the user's, who may have to do with it; others stay whose they are. */
static int
create(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

	if (fd < 0 && errno == EEXIST) {
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
		return fd < 0 ? -errno : fd;
	}
	if (fd < 0)
		return -errno;
	if (user.is_wanted && fchown(fd, user.uid, user.gid) < 0) {
		int error = errno;

		close(fd);
		return -error;
	}
	return fd;
}

static int
open_to_read(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* ---- the helper ---- */

/* What it is asked for. */
struct request {
	bool is_input;
	int64_t time;    /* in the name of a rotated file, */
	uint32_t number; /* and its number; or of the input, from 0 */
};

static int
open_requested(const struct request *request, const struct bpfsift_options *options,
	       const struct bpfsift_inputs *inputs)
{
	struct sift_rotate_opts rotate = bpfsift_output_rotation(options);
	char name[SIFT_ROTATE_NAME_MAX];
	int rc;

	if (request->is_input)
		return inputs != NULL && request->number < inputs->n
			       ? open_to_read(inputs->list[request->number].path)
			       : -EPERM;
	if (options->write_path == NULL)
		return -EPERM;
	rc = sift_rotate_name(options->write_path, &rotate, request->time, request->number, name,
			      NULL);
	return rc < 0 ? rc : create(name);
}

/* A descriptor, or the negative errno in its place. */
static int
send_fd(int to, int fd)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { .room = { 0 } };
	int status = fd < 0 ? fd : 0;
	struct iovec bytes = { .iov_base = &status, .iov_len = sizeof(status) };
	struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1 };

	if (fd >= 0) {
		message.msg_control = control.room;
		message.msg_controllen = sizeof(control.room);
		control.header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
						   .cmsg_level = SOL_SOCKET,
						   .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &fd, sizeof(fd));
	}
	return sendmsg(to, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int
receive_fd(int from)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	int status = -EIO, fd;
	struct iovec bytes = { .iov_base = &status, .iov_len = sizeof(status) };
	struct msghdr message = { .msg_iov = &bytes,
				  .msg_iovlen = 1,
				  .msg_control = control.room,
				  .msg_controllen = sizeof(control.room) };
	const struct cmsghdr *header;
	ssize_t n;

	while ((n = recvmsg(from, &message, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
		;
	if (n != (ssize_t)sizeof(status))
		return n < 0 ? -errno : -EIO;
	header = CMSG_FIRSTHDR(&message);
	if (status < 0 || header == NULL || header->cmsg_type != SCM_RIGHTS)
		return status < 0 ? status : -EIO;
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

/* Pipes and sockets of the other process end when it ends, and not with this one. */
static void
close_others(int kept)
{
	long last = sysconf(_SC_OPEN_MAX);

	if (last < 0 || last > 65536)
		last = FALLBACK_DESCRIPTORS;
	for (int fd = 0; fd < last; fd++) {
		if (fd != kept)
			close(fd);
	}
}

_Noreturn static void
serve(int socket, const struct bpfsift_options *options, const struct bpfsift_inputs *inputs)
{
	struct request request;
	sigset_t all;

	/* What a terminal sends is for the other. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	close_others(socket);
	while (recv(socket, &request, sizeof(request), 0) == (ssize_t)sizeof(request)) {
		int fd = open_requested(&request, options, inputs);

		if (send_fd(socket, fd) < 0)
			break;
		if (fd >= 0)
			close(fd);
	}
	_exit(0);
}

static int
ask(const struct request *request)
{
	ssize_t n;

	while ((n = send(helper, request, sizeof(*request), MSG_NOSIGNAL)) < 0 && errno == EINTR)
		;
	return n < 0 ? -errno : receive_fd(helper);
}

static int
start_helper(const struct bpfsift_options *options, const struct bpfsift_inputs *inputs,
	     struct ebpf_err *err)
{
	int sockets[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
		return refuse(err, -errno, "a pair of sockets: %s", strerror(errno));
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		serve(sockets[1], options, inputs);
	close(sockets[1]);
	if (pid < 0) {
		close(sockets[0]);
		return refuse(err, -errno, "a helper to open files: %s", strerror(errno));
	}
	helper = sockets[0];
	return 0;
}

/* ---- the drop ---- */

static const struct bpfsift_inputs *known_inputs;

static bool
will_open_more(const struct bpfsift_options *options, const struct bpfsift_inputs *inputs)
{
	return (inputs != NULL && inputs->n > 1) ||
	       (options->write_path != NULL && bpfsift_output_is_rotated(options));
}

int
bpfsift_privileges_drop(const struct bpfsift_options *options, const struct bpfsift_inputs *inputs,
			struct ebpf_err *err)
{
	int rc;

	if (!user.is_wanted)
		return 0;
	known_inputs = inputs;
	if (will_open_more(options, inputs) && (rc = start_helper(options, inputs, err)) < 0)
		return rc;
	if ((rc = bpfsift_privileges_become_user()) < 0)
		return refuse(err, rc, "Couldn't change to user %ld: %s", (long)user.uid,
			      strerror(-rc));
	return 0;
}

int
bpfsift_privileges_open_input(void *arg, const char *path)
{
	(void)arg;
	if (helper < 0 || known_inputs == NULL)
		return open_to_read(path);
	for (size_t i = 0; i < known_inputs->n; i++) {
		const struct request request = { .is_input = true, .number = (uint32_t)i };

		if (strcmp(known_inputs->list[i].path, path) == 0)
			return ask(&request);
	}
	return -EPERM;
}

int
bpfsift_privileges_open_output(void *arg, const char *path)
{
	(void)arg;
	return create(path);
}

int
bpfsift_privileges_open_rotated(void *arg, const char *path, int64_t time, uint32_t number)
{
	const struct request request = { .time = time, .number = number };

	(void)arg;
	return helper < 0 ? create(path) : ask(&request);
}
