/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The filter of system calls is made when bpfsift is built, by seccomp_filter.c: making it
 * takes libseccomp longer than a small file takes to be read.
 */
#include "config.h"

#include "tools/bpfsift_confine.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef HAVE_SECCOMP
#include <linux/filter.h>
#include <linux/seccomp.h>

#include "tools/seccomp_filter.h"
#endif

#include "tools/bpfsift_say.h"

#ifndef BPFSIFT_INSTRUMENTED

/* ---- Landlock, as linux/landlock.h has it, which older systems lack ---- */

#define LANDLOCK_VERSION 1u

/* In the order in which they came; all machines have the same numbers. */
enum { CREATE_RULESET = 444, RESTRICT_SELF = 446 };

/* Grew from version to version: a kernel is given the part that it knows. */
struct ruleset {
	uint64_t access_fs;
	uint64_t access_net; /* from version 4 on */
	uint64_t scoped;     /* from version 6 on */
};

/* What the version can deny, which is all that it handles and no rule allows. */
static size_t
choose_rights(long version, struct ruleset *rights)
{
	/* Of files: 13 rights, then refer, truncate, ioctl. */
	unsigned n_fs = version < 2 ? 13 : version < 3 ? 14 : version < 5 ? 15 : 16;

	*rights = (struct ruleset){
		.access_fs = ((uint64_t)1 << n_fs) - 1,
		.access_net = 3, /* TCP: bind, connect */
		.scoped = 3,     /* abstract sockets of others, signals to others */
	};
	if (version >= 6)
		return sizeof(*rights);
	return version >= 4 ? offsetof(struct ruleset, scoped)
			    : offsetof(struct ruleset, access_net);
}

static int
deny_files(struct bpfsift_confinement *holds, struct ebpf_err *err)
{
	long version = syscall(CREATE_RULESET, NULL, 0, LANDLOCK_VERSION);
	struct ruleset rights;
	int fd, error = 0;

	/* Not there, switched off, or, as some containers have it, not to be asked for. */
	if (version < 0 && (errno == ENOSYS || errno == EOPNOTSUPP || errno == EPERM)) {
		holds->why_not = "the system has no Landlock";
		return 0;
	}
	if (version < 1)
		return refuse(err, -errno, "Landlock: %s", strerror(errno));
	fd = (int)syscall(CREATE_RULESET, &rights, choose_rights(version, &rights), 0);
	if (fd < 0 || syscall(RESTRICT_SELF, fd, 0) < 0)
		error = errno;
	if (fd >= 0)
		close(fd);
	if (error != 0)
		return refuse(err, -error, "Landlock: %s", strerror(error));
	holds->has_landlock = true;
	return 0;
}

/* ---- seccomp ---- */

#ifdef HAVE_SECCOMP
static int
deny_calls(bool may_make_code, struct bpfsift_confinement *holds, struct ebpf_err *err)
{
	const struct sock_fprog program = {
		.len = may_make_code ? sizeof(seccomp_with_code) / sizeof(seccomp_with_code[0])
				     : sizeof(seccomp_without_code) /
					       sizeof(seccomp_without_code[0]),
		.filter = (struct sock_filter *)(uintptr_t)(may_make_code ? seccomp_with_code
									  : seccomp_without_code),
	};
	long rc = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC,
			  &program);

	if (rc < 0 && (errno == ENOSYS || errno == EINVAL)) {
		holds->why_not = "the system has no seccomp filters";
		return 0;
	}
	if (rc < 0)
		return refuse(err, -errno, "seccomp: %s", strerror(errno));
	/* The thread that could not be synchronised. */
	if (rc > 0)
		return refuse(err, -ESRCH, "seccomp: thread %ld keeps out", rc);
	holds->has_seccomp = true;
	return 0;
}
#else
static int
deny_calls(bool may_make_code, struct bpfsift_confinement *holds, struct ebpf_err *err)
{
	(void)may_make_code;
	(void)err;
	holds->why_not = "built without libseccomp";
	return 0;
}
#endif

int
bpfsift_confine(bool may_make_code, struct bpfsift_confinement *holds, struct ebpf_err *err)
{
	int rc;

	*holds = (struct bpfsift_confinement){ .why_not = NULL };
	/* Both ask for it: what is executed has no more rights than who executes it. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return refuse(err, -errno, "no new privileges: %s", strerror(errno));
	if ((rc = deny_files(holds, err)) < 0)
		return rc;
	return deny_calls(may_make_code, holds, err);
}

#else

/* The sanitizers and coverage open files and start threads of their own at the end. */
int
bpfsift_confine(bool may_make_code, struct bpfsift_confinement *holds, struct ebpf_err *err)
{
	(void)may_make_code;
	(void)err;
	*holds = (struct bpfsift_confinement){ .why_not = "built with " BPFSIFT_INSTRUMENTED };
	return 0;
}

#endif

const char *
bpfsift_confinement_name(const struct bpfsift_confinement *holds)
{
	if (holds->has_landlock)
		return holds->has_seccomp ? "Landlock and seccomp" : "Landlock";
	return holds->has_seccomp ? "seccomp" : "nothing";
}
