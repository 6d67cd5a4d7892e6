/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads, writes, waits and the clock, which a tool is told by its environment to disturb:
 *   FAULTS_SHORT=n      reads and writes move at most n bytes, some of them one alone
 *   FAULTS_EINTR=n      that many calls in a row are interrupted, then one is not
 *   FAULTS_CHANGE=n:how:path  before the n-th read the file is "cut" to half, "grown" by
 *                       what is in path.more, or "replaced" by path.other; pages that are
 *                       asked for are a read, and it is changed behind that
 *   FAULTS_CLOCK=a,b,...  what time() says, one after the other, and the last for good
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(_FILE_OFFSET_BITS) && !defined(__LP64__)
#define __wrap_pread __wrap_pread64
#define __real_pread __real_pread64
#endif

ssize_t __real_read(int fd, void *to, size_t n);
ssize_t __wrap_read(int fd, void *to, size_t n);
ssize_t __wrap___read_chk(int fd, void *to, size_t n, size_t size);
ssize_t __real_pread(int fd, void *to, size_t n, off_t off);
ssize_t __wrap_pread(int fd, void *to, size_t n, off_t off);
ssize_t __real_write(int fd, const void *from, size_t n);
ssize_t __wrap_write(int fd, const void *from, size_t n);
int __real_poll(struct pollfd *fds, nfds_t n, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout);
pid_t __real_waitpid(pid_t pid, int *status, int options);
pid_t __wrap_waitpid(pid_t pid, int *status, int options);
time_t __wrap_time(time_t *t);
int __real_madvise(void *addr, size_t len, int advice);
int __wrap_madvise(void *addr, size_t len, int advice);

static size_t most; /* bytes a call; 0: any number */
static unsigned n_interrupted;
static atomic_uint n_calls, n_pieces;
static atomic_long n_until_change = -1;
static char how[16], changed[4096];
static const char *clock_at;

__attribute__((constructor)) static void
read_environment(void)
{
	const char *text = getenv("FAULTS_SHORT");

	if (text != NULL)
		most = strtoul(text, NULL, 10);
	if ((text = getenv("FAULTS_EINTR")) != NULL)
		n_interrupted = (unsigned)strtoul(text, NULL, 10);
	if ((text = getenv("FAULTS_CHANGE")) != NULL) {
		long n;

		if (sscanf(text, "%ld:%15[^:]:%4000[^\n]", &n, how, changed) != 3)
			abort();
		atomic_store(&n_until_change, n);
	}
	clock_at = getenv("FAULTS_CLOCK");
}

static bool
is_interrupted(void)
{
	if (n_interrupted == 0 || atomic_fetch_add(&n_calls, 1) % (n_interrupted + 1) == 0)
		return false;
	errno = EINTR;
	return true;
}

static size_t
piece_of(size_t n)
{
	if (most == 0 || n == 0)
		return n;
	if (atomic_fetch_add(&n_pieces, 1) % 3 == 0)
		return 1;
	return n < most ? n : most;
}

/* ---- a file changes while it is read ---- */

static void
grow(void)
{
	char more[4200], bytes[65536];
	int from, to;
	ssize_t n;

	snprintf(more, sizeof(more), "%s.more", changed);
	if ((from = open(more, O_RDONLY)) < 0 || (to = open(changed, O_WRONLY | O_APPEND)) < 0)
		abort();
	while ((n = __real_read(from, bytes, sizeof(bytes))) > 0)
		if (__real_write(to, bytes, (size_t)n) != n)
			abort();
	close(from);
	close(to);
}

static int
cut(void)
{
	struct stat st;

	return stat(changed, &st) < 0 ? -1 : truncate(changed, st.st_size / 2);
}

static void
change(void)
{
	char other[4200];

	if (strcmp(how, "grown") == 0) {
		grow();
		return;
	}
	snprintf(other, sizeof(other), "%s.other", changed);
	if (strcmp(how, "cut") == 0 ? cut() < 0 : rename(other, changed) < 0)
		abort();
}

/*
 * Held by threads that read beside each other, and by the one who changes the file: of a file
 * that is being cut a read may get zeros to its end, where the kernel has cut already.
 */
static pthread_rwlock_t change_lock = PTHREAD_RWLOCK_INITIALIZER;

static void
count_read(void)
{
	if (atomic_load(&n_until_change) < 0 || atomic_fetch_sub(&n_until_change, 1) != 0)
		return;
	pthread_rwlock_wrlock(&change_lock);
	change();
	pthread_rwlock_unlock(&change_lock);
}

/* ---- the calls ---- */

ssize_t
__wrap_read(int fd, void *to, size_t n)
{
	if (is_interrupted())
		return -1;
	count_read();
	return __real_read(fd, to, piece_of(n));
}

ssize_t
__wrap___read_chk(int fd, void *to, size_t n, size_t size)
{
	if (n > size)
		abort();
	return __wrap_read(fd, to, n);
}

ssize_t
__wrap_pread(int fd, void *to, size_t n, off_t off)
{
	ssize_t got;

	if (is_interrupted())
		return -1;
	count_read();
	pthread_rwlock_rdlock(&change_lock);
	got = __real_pread(fd, to, piece_of(n), off);
	pthread_rwlock_unlock(&change_lock);
	return got;
}

/* The name that checked calls have for it, whatever off_t is. */
ssize_t __wrap___pread64_chk(int fd, void *to, size_t n, off_t off, size_t size);
ssize_t
__wrap___pread64_chk(int fd, void *to, size_t n, off_t off, size_t size)
{
	if (n > size)
		abort();
	return __wrap_pread(fd, to, n, off);
}

ssize_t __wrap___pread_chk(int fd, void *to, size_t n, off_t off, size_t size);
ssize_t
__wrap___pread_chk(int fd, void *to, size_t n, off_t off, size_t size)
{
	return __wrap___pread64_chk(fd, to, n, off, size);
}

int
__wrap_madvise(void *addr, size_t len, int advice)
{
	int rc = __real_madvise(addr, len, advice);

#ifdef MADV_POPULATE_READ
	if (advice == MADV_POPULATE_READ)
		count_read();
#endif
	return rc;
}

ssize_t
__wrap_write(int fd, const void *from, size_t n)
{
	if (is_interrupted())
		return -1;
	return __real_write(fd, from, piece_of(n));
}

int
__wrap_poll(struct pollfd *fds, nfds_t n, int timeout)
{
	return is_interrupted() ? -1 : __real_poll(fds, n, timeout);
}

int __wrap___poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t size);
int
__wrap___poll_chk(struct pollfd *fds, nfds_t n, int timeout, size_t size)
{
	(void)size;
	return __wrap_poll(fds, n, timeout);
}

pid_t
__wrap_waitpid(pid_t pid, int *status, int options)
{
	return is_interrupted() ? -1 : __real_waitpid(pid, status, options);
}

time_t
__wrap_time(time_t *t)
{
	struct timespec now;
	time_t says;

	if (clock_at != NULL) {
		const char *comma = strchr(clock_at, ',');

		says = (time_t)strtoll(clock_at, NULL, 10);
		if (comma != NULL)
			clock_at = comma + 1;
	} else {
		clock_gettime(CLOCK_REALTIME, &now);
		says = now.tv_sec;
	}
	if (t != NULL)
		*t = says;
	return says;
}
