/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Run when bpfsift is built: prints the filters of system calls that it confines itself by,
 * as C.  What they do not allow fails with EPERM, so that libraries can do without.
 *
 * What a process needs that reads packets from open files, filters and writes them, asks
 * the helper over a socket, and has threads.  No call opens a file, makes a socket, starts
 * a program or looks into another process.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/sockios.h>

/* Whatever their arguments are; those that a machine has not are left out. */
static const char *const allowed[] = {
	/* files and sockets that are open */
	"read", "readv", "pread64", "preadv", "write", "writev", "pwrite64", "lseek", "_llseek",
	"close", "fstat", "fstat64", "ftruncate", "ftruncate64", "fsync", "fdatasync", "fadvise64",
	"fadvise64_64", "arm_fadvise64_64", "sendmsg", "recvmsg", "sendto", "recvfrom", "shutdown",
	"getsockopt", "setsockopt", "poll", "ppoll", "ppoll_time64", "pipe2", "eventfd2",
	/* memory */
	"brk", "munmap", "mremap", "madvise",
	/* threads */
	"futex", "futex_time64", "set_robust_list", "rseq", "gettid", "sched_yield",
	"sched_getaffinity", "getcpu", "exit", "exit_group",
	/* signals that come */
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigreturn", "sigaltstack",
	"restart_syscall", "wait4",
	/* time, chance, and who we are */
	"clock_gettime", "clock_gettime64", "clock_getres", "clock_getres_time64",
	"clock_nanosleep", "clock_nanosleep_time64", "nanosleep", "gettimeofday", "time",
	"setitimer", "getrandom", "getpid", "getppid", "getuid", "geteuid", "getgid", "getegid",
	"getrusage", "sysinfo", "uname",
};

/* Of the first argument's commands: terminals, interfaces, usbmon's all. */
static const unsigned long ioctls[] = {
	TCGETS, TIOCGWINSZ, TIOCGPGRP, FIONREAD, SIOCGIFNAME, SIOCGIFINDEX, SIOCGIFFLAGS,
};
enum { USBMON = 0x92 };

static const int fcntls[] = { F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC };

static void
stop(const char *what, int rc)
{
	if (rc == 0)
		return;
	fprintf(stderr, "seccomp_filter: %s: error %d\n", what, -rc);
	exit(EXIT_FAILURE);
}

/* With at most one condition on an argument. */
static void
allow(scmp_filter_ctx filter, const char *name, unsigned n, struct scmp_arg_cmp condition)
{
	int call = seccomp_syscall_resolve_name(name);

	/* Negative, but not that: another machine's, of which libseccomp makes nothing. */
	if (call == __NR_SCMP_ERROR) {
		fprintf(stderr, "seccomp_filter: %s: unknown\n", name);
		exit(EXIT_FAILURE);
	}
	if (call >= 0)
		stop(name, seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, n, &condition));
}

static struct scmp_arg_cmp
masked(unsigned argument, uint64_t mask, uint64_t value)
{
	return (struct scmp_arg_cmp){ argument, SCMP_CMP_MASKED_EQ, mask, value };
}

static struct scmp_arg_cmp
equal(unsigned argument, uint64_t value)
{
	return (struct scmp_arg_cmp){ argument, SCMP_CMP_EQ, value, 0 };
}

/* Memory that can be executed takes part in nothing but making code. */
static void
allow_memory(scmp_filter_ctx filter, bool may_make_code)
{
	static const char *const calls[] = { "mmap", "mmap2", "mprotect" };

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		allow(filter, calls[i], may_make_code ? 0 : 1, masked(2, PROT_EXEC, 0));
	if (may_make_code)
		allow(filter, "memfd_create", 0, equal(0, 0));
}

static void
allow_some(scmp_filter_ctx filter)
{
	/* Threads, and no other processes.  clone3 hides its flags: libc then uses clone. */
#ifdef __s390__
	const unsigned flags = 1;
#else
	const unsigned flags = 0;
#endif
	allow(filter, "clone", 1,
	      masked(flags, CLONE_VM | CLONE_THREAD, CLONE_VM | CLONE_THREAD));
	stop("clone3", seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0));
	/* fstat() by its new names. */
	allow(filter, "newfstatat", 1, masked(3, AT_EMPTY_PATH, AT_EMPTY_PATH));
	allow(filter, "fstatat64", 1, masked(3, AT_EMPTY_PATH, AT_EMPTY_PATH));
	allow(filter, "statx", 1, masked(2, AT_EMPTY_PATH, AT_EMPTY_PATH));
	for (size_t i = 0; i < sizeof(ioctls) / sizeof(ioctls[0]); i++)
		allow(filter, "ioctl", 1, equal(1, ioctls[i]));
	allow(filter, "ioctl", 1, masked(1, 0xff00, USBMON << 8));
	for (size_t i = 0; i < sizeof(fcntls) / sizeof(fcntls[0]); i++) {
		allow(filter, "fcntl", 1, equal(1, (uint64_t)fcntls[i]));
		allow(filter, "fcntl64", 1, equal(1, (uint64_t)fcntls[i]));
	}
}

static void
print(const char *name, scmp_filter_ctx filter)
{
	FILE *file = tmpfile();
	struct sock_filter insn;

	if (file == NULL)
		stop("a temporary file", -errno);
	stop("export", seccomp_export_bpf(filter, fileno(file)));
	rewind(file);
	printf("static const struct sock_filter %s[] = {\n", name);
	while (fread(&insn, sizeof(insn), 1, file) == 1)
		printf("\t{ 0x%04x, %u, %u, 0x%08lx },\n", insn.code, insn.jt, insn.jf,
		       (unsigned long)insn.k);
	printf("};\n");
	fclose(file);
}

static void
make(const char *name, bool may_make_code)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));

	if (filter == NULL)
		stop("init", -ENOMEM);
	/* A search by halves; the kernel notes which calls need none. */
	stop("optimize", seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2));
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		allow(filter, allowed[i], 0, equal(0, 0));
	allow_memory(filter, may_make_code);
	allow_some(filter);
	print(name, filter);
	seccomp_release(filter);
}

int
main(void)
{
	printf("/* Made by seccomp_filter.c. */\n");
	make("seccomp_with_code", true);
	make("seccomp_without_code", false);
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
