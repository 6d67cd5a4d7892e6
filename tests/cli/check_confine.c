/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What bpfsift cannot do any more once it is confined, and what it can: each is tried by a
 * process of its own, in the first thread and in others.
 */
#include "config.h"

#include "tools/bpfsift_confine.h"

#include "tests/support/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Before it was confined: a file that is open, and a pipe. */
static int null_fd, pipe_fds[2];

/* ---- what is tried: 0, or an errno ---- */

static int
result(long rc)
{
	return rc < 0 ? errno : 0;
}

static int
try_open(void)
{
	return result(open("/dev/null", O_RDONLY));
}

static int
try_create(void)
{
	return result(open("/tmp/bpfsift-confined", O_WRONLY | O_CREAT, 0600));
}

static int
try_openat2(void)
{
	uint64_t how[3] = { O_RDONLY, 0, 0 };

	return result(syscall(437, AT_FDCWD, "/dev/null", how, sizeof(how)));
}

static int
try_unlink(void)
{
	return result(unlink("/tmp/bpfsift-confined"));
}

static int
try_stat(void)
{
	struct stat st;

	return result(stat("/", &st));
}

static int
try_socket(void)
{
	return result(socket(AF_INET, SOCK_STREAM, 0));
}

static int
try_execve(void)
{
	char name[] = "/bin/true", *argv[] = { name, NULL };

	return result(execv(name, argv));
}

static int
try_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return result(pid);
}

static int
try_ptrace(void)
{
	return result(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int
try_read_other(void)
{
	char here, there;
	struct iovec local = { &here, 1 }, remote = { &there, 1 };

	return result(process_vm_readv(getppid(), &local, 1, &remote, 1, 0));
}

static int
try_kill(void)
{
	return result(kill(getppid(), 0));
}

static int
try_bpf(void)
{
#ifdef SYS_bpf
	return result(syscall(SYS_bpf, 0, NULL, 0));
#else
	return EPERM;
#endif
}

static int
try_executable(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? errno : 0;
}

static int
try_to_make_executable(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return ENOMEM;
	return result(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}

static int
try_memfd(void)
{
	return result(memfd_create("code", MFD_CLOEXEC));
}

static int
try_memory(void)
{
	char *large = malloc(1 << 22);

	if (large == NULL)
		return ENOMEM;
	memset(large, 1, 1 << 22);
	large = realloc(large, 1 << 24);
	if (large == NULL)
		return ENOMEM;
	free(large);
	return 0;
}

static int
try_write(void)
{
	struct stat st;
	char c = 'x';

	if (write(null_fd, &c, 1) != 1 || fstat(null_fd, &st) < 0 ||
	    write(pipe_fds[1], &c, 1) != 1 || read(pipe_fds[0], &c, 1) != 1)
		return errno;
	return 0;
}

static void *
do_nothing(void *arg)
{
	return arg;
}

static int
try_thread(void)
{
	pthread_t thread;
	int rc = pthread_create(&thread, NULL, do_nothing, NULL);

	return rc != 0 ? rc : pthread_join(thread, NULL);
}

enum { ALWAYS = 1, WITH_CODE = 2 };

static const struct {
	const char *what;
	int (*attempt)(void);
	int is_allowed;
} attempts[] = {
	{ "open a file", try_open, 0 },
	{ "create a file", try_create, 0 },
	{ "open a file by another call", try_openat2, 0 },
	{ "remove a file", try_unlink, 0 },
	{ "look at a file by name", try_stat, 0 },
	{ "make a socket", try_socket, 0 },
	{ "become another program", try_execve, 0 },
	{ "make a process", try_fork, 0 },
	{ "be traced", try_ptrace, 0 },
	{ "read another process's memory", try_read_other, 0 },
	{ "send a signal", try_kill, 0 },
	{ "load a program into the kernel", try_bpf, 0 },
	{ "have memory that can be executed", try_executable, WITH_CODE },
	{ "make memory executable", try_to_make_executable, WITH_CODE },
	{ "make a file of memory", try_memfd, WITH_CODE },
	{ "have memory", try_memory, ALWAYS },
	{ "read and write what is open", try_write, ALWAYS },
	{ "have threads", try_thread, ALWAYS },
};

/* ---- who tries ---- */

enum { NOT_HELD = 250, FAILED = 251 };

static void *
try_in_thread(void *attempt)
{
	int (*const *of)(void) = attempt;
	static int error;

	error = (*of)();
	return &error;
}

/* In a process that confines itself: an errno, NOT_HELD, or FAILED. */
static int
attempt_confined(int (*attempt)(void), bool may_make_code, bool in_thread)
{
	struct bpfsift_confinement holds;
	struct ebpf_err err;
	pthread_t thread;
	void *error;

	if (bpfsift_confine(may_make_code, &holds, &err) < 0)
		return FAILED;
	if (!holds.has_seccomp)
		return NOT_HELD;
	if (!in_thread)
		return attempt();
	if (pthread_create(&thread, NULL, try_in_thread, &attempt) != 0 ||
	    pthread_join(thread, &error) != 0)
		return FAILED;
	return *(int *)error;
}

static int
status_of(int (*attempt)(void), bool may_make_code, bool in_thread)
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(attempt_confined(attempt, may_make_code, in_thread));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status), "ended by signal %d", WTERMSIG(status));
	ck_assert_int_ne(WEXITSTATUS(status), FAILED);
	return WEXITSTATUS(status);
}

static void
set_up(void)
{
	null_fd = open("/dev/null", O_WRONLY);
	ck_assert_int_ge(null_fd, 0);
	ck_assert_int_eq(pipe(pipe_fds), 0);
}

START_TEST(what_is_confined_cannot_do_these)
{
	for (int i = 0; i < 4; i++) {
		bool may_make_code = i & 1, in_thread = i & 2;
		bool is_allowed = attempts[_i].is_allowed == ALWAYS ||
				  (attempts[_i].is_allowed == WITH_CODE && may_make_code);
		int status = status_of(attempts[_i].attempt, may_make_code, in_thread);

		if (status == NOT_HELD) {
			suite_skip("%s: there is no seccomp", attempts[_i].what);
			return;
		}
		ck_assert_msg(is_allowed ? status == 0 : status == EPERM,
			      "%s, code %d, thread %d: %s", attempts[_i].what, may_make_code,
			      in_thread, strerror(status));
	}
}
END_TEST

/* They are possible else, or the test above says nothing. */
START_TEST(what_is_not_confined_can)
{
	static int (*const possible[])(void) = { try_open, try_stat, try_socket, try_fork,
						 try_ptrace, try_kill, try_executable,
						 try_to_make_executable, try_memfd };
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(possible[_i]());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	/* An emulated machine may have no ptrace(). */
	ck_assert_msg(WIFEXITED(status) &&
			      (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == ENOSYS),
		      "status 0x%x", status);
}
END_TEST

static pthread_barrier_t barrier;

static void *
wait_and_open(void *arg)
{
	static int error;

	(void)arg;
	pthread_barrier_wait(&barrier); /* it runs */
	pthread_barrier_wait(&barrier); /* the first thread is confined */
	error = try_open();
	return &error;
}

static int
attempt_before(void)
{
	struct bpfsift_confinement holds;
	struct ebpf_err err;
	pthread_t thread;
	void *error;

	pthread_barrier_init(&barrier, NULL, 2);
	if (pthread_create(&thread, NULL, wait_and_open, NULL) != 0)
		return FAILED;
	pthread_barrier_wait(&barrier);
	if (bpfsift_confine(false, &holds, &err) < 0)
		return FAILED;
	pthread_barrier_wait(&barrier);
	if (pthread_join(thread, &error) != 0)
		return FAILED;
	return holds.has_seccomp ? *(int *)error : NOT_HELD;
}

START_TEST(threads_that_were_there_before_are_confined)
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(attempt_before());
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_HELD) {
		suite_skip("there is no seccomp");
		return;
	}
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == EPERM, "status 0x%x", status);
}
END_TEST

START_TEST(what_holds_has_a_name)
{
	const struct bpfsift_confinement both = { true, true, NULL }, none = { false, false, "" },
					 first = { true, false, "" }, second = { false, true, "" };

	ck_assert_str_eq(bpfsift_confinement_name(&both), "Landlock and seccomp");
	ck_assert_str_eq(bpfsift_confinement_name(&first), "Landlock");
	ck_assert_str_eq(bpfsift_confinement_name(&second), "seccomp");
	ck_assert_str_eq(bpfsift_confinement_name(&none), "nothing");
}
END_TEST

Suite *
suite(void)
{
	Suite *s = suite_create("tools/bpfsift_confine");
	TCase *tc = tcase_create("confined");

	tcase_add_unchecked_fixture(tc, set_up, NULL);
	tcase_add_loop_test(tc, what_is_confined_cannot_do_these, 0, N_ELEMS(attempts));
	tcase_add_loop_test(tc, what_is_not_confined_can, 0, 9);
	tcase_add_test(tc, threads_that_were_there_before_are_confined);
	tcase_add_test(tc, what_holds_has_a_name);
	suite_add_tcase(s, tc);
	return s;
}
