/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads allocate too: the countdown is atomic, the table of what lives has a lock.
 * A tool is told by its environment, before main(): FAULTS_AT=n, FAULTS_LATER=1, and
 * FAULTS_TOLD=path of a file that gets a byte when a request has failed.
 */
#include "config.h"

#include "tests/faults/wrap.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#ifdef HAVE_PCAP
#include <pcap/pcap.h>
#endif

/* Where off_t is made to have 64 bits, mmap() has another name. */
#if defined(_FILE_OFFSET_BITS) && !defined(__LP64__)
#define __wrap_mmap __wrap_mmap64
#define __real_mmap __real_mmap64
#endif

static atomic_long countdown = -1; /* requests that are granted; below 0: all */
static atomic_bool fails_later;
static _Atomic(const char *) failed;
static int told_fd = -1;

/* Whether this request is the one.  errno is what it fails with. */
static bool
fails(const char *what, int error)
{
	const char *none = NULL;

	if (atomic_load(&countdown) < 0)
		return false;
	if (atomic_fetch_sub(&countdown, 1) > 0)
		return false;
	if (atomic_load(&fails_later))
		atomic_store(&countdown, 0);
	if (atomic_compare_exchange_strong(&failed, &none, what) && told_fd >= 0 &&
	    write(told_fd, what, 1) < 0)
		abort();
	errno = error;
	return true;
}

void
wrap_arm(long n, bool and_later)
{
	atomic_store(&failed, NULL);
	atomic_store(&fails_later, and_later);
	atomic_store(&countdown, n);
}

const char *
wrap_disarm(void)
{
	atomic_store(&countdown, -1);
	return atomic_load(&failed);
}

/* What counts coverage writes its counts behind the last of the tool's own doings. */
static void
disarm_at_exit(void)
{
	wrap_disarm();
}

__attribute__((constructor)) static void
arm_by_environment(void)
{
	const char *at = getenv("FAULTS_AT"), *told = getenv("FAULTS_TOLD");

	if (at == NULL)
		return;
	if (told != NULL)
		told_fd = open(told, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (atexit(disarm_at_exit) != 0)
		abort();
	wrap_arm(strtol(at, NULL, 10), getenv("FAULTS_LATER") != NULL);
}

/* ---- what lives ---- */

enum { N_SLOTS = 1 << 16 };

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static uintptr_t table[N_SLOTS]; /* linear probing; 0: free */
static size_t n_live;

static size_t
home_of(uintptr_t p)
{
	return (size_t)((p >> 4) * 0x9e3779b97f4a7c15u >> 48) % N_SLOTS;
}

static void *
born(void *p)
{
	size_t i;

	if (p == NULL)
		return p;
	pthread_mutex_lock(&table_lock);
	if (n_live >= N_SLOTS / 2)
		abort();
	for (i = home_of((uintptr_t)p); table[i] != 0; i = (i + 1) % N_SLOTS)
		;
	table[i] = (uintptr_t)p;
	n_live++;
	pthread_mutex_unlock(&table_lock);
	return p;
}

/* Others may hand out what is freed here, which is not in the table. */
static void
died(uintptr_t p)
{
	size_t i, hole;

	pthread_mutex_lock(&table_lock);
	for (i = home_of(p); table[i] != p && table[i] != 0; i = (i + 1) % N_SLOTS)
		;
	hole = i;
	if (table[i] != 0)
		n_live--;
	/* Those behind the hole that would no longer be found move into it. */
	while (table[i] != 0) {
		i = (i + 1) % N_SLOTS;
		if (table[i] != 0 &&
		    (i - home_of(table[i])) % N_SLOTS >= (i - hole) % N_SLOTS) {
			table[hole] = table[i];
			hole = i;
		}
	}
	table[hole] = 0;
	pthread_mutex_unlock(&table_lock);
}

size_t
wrap_n_live(void)
{
	size_t n;

	pthread_mutex_lock(&table_lock);
	n = n_live;
	pthread_mutex_unlock(&table_lock);
	return n;
}

/* ---- memory ---- */

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *
__wrap_malloc(size_t size)
{
	return fails("malloc", ENOMEM) ? NULL : born(__real_malloc(size));
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *
__wrap_calloc(size_t n, size_t size)
{
	return fails("calloc", ENOMEM) ? NULL : born(__real_calloc(n, size));
}

void *__real_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *
__wrap_realloc(void *p, size_t size)
{
	uintptr_t was = (uintptr_t)p;
	void *grown;

	if (fails("realloc", ENOMEM))
		return NULL;
	/* Before, since another thread may get the address that is given up. */
	died(was);
	grown = __real_realloc(p, size);
	return born(grown != NULL ? grown : p) != NULL ? grown : NULL;
}

void *__real_reallocarray(void *p, size_t n, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
void *
__wrap_reallocarray(void *p, size_t n, size_t size)
{
	uintptr_t was = (uintptr_t)p;
	void *grown;

	if (fails("reallocarray", ENOMEM))
		return NULL;
	died(was);
	grown = __real_reallocarray(p, n, size);
	return born(grown != NULL ? grown : p) != NULL ? grown : NULL;
}

void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void *
__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return fails("aligned_alloc", ENOMEM) ? NULL
					      : born(__real_aligned_alloc(alignment, size));
}

char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
char *
__wrap_strdup(const char *text)
{
	return fails("strdup", ENOMEM) ? NULL : born(__real_strdup(text));
}

/* Checked or not, as the C library's headers have it. */
int __wrap_asprintf(char **text, const char *format, ...) __attribute__((format(printf, 2, 3)));
int
__wrap_asprintf(char **text, const char *format, ...)
{
	va_list ap;
	int len;

	if (fails("asprintf", ENOMEM))
		return -1;
	va_start(ap, format);
	len = vasprintf(text, format, ap);
	va_end(ap);
	if (len >= 0)
		born(*text);
	return len;
}

int __wrap___asprintf_chk(char **text, int flag, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int
__wrap___asprintf_chk(char **text, int flag, const char *format, ...)
{
	va_list ap;
	int len;

	(void)flag;
	if (fails("asprintf", ENOMEM))
		return -1;
	va_start(ap, format);
	len = vasprintf(text, format, ap);
	va_end(ap);
	if (len >= 0)
		born(*text);
	return len;
}

char *__real_realpath(const char *path, char *resolved);
char *__wrap_realpath(const char *path, char *resolved);
char *
__wrap_realpath(const char *path, char *resolved)
{
	return fails("realpath", ENOMEM) ? NULL : __real_realpath(path, resolved);
}

void __real_free(void *p);
void __wrap_free(void *p);
void
__wrap_free(void *p)
{
	if (p != NULL)
		died((uintptr_t)p);
	__real_free(p);
}

/* ---- pages ---- */

void *__real_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off);
void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off);
void *
__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t off)
{
	return fails("mmap", ENOMEM) ? MAP_FAILED : __real_mmap(addr, len, prot, flags, fd, off);
}

void *__real_mremap(void *addr, size_t old_len, size_t len, int flags, ...);
void *__wrap_mremap(void *addr, size_t old_len, size_t len, int flags, ...);
void *
__wrap_mremap(void *addr, size_t old_len, size_t len, int flags, ...)
{
	return fails("mremap", ENOMEM) ? MAP_FAILED : __real_mremap(addr, old_len, len, flags);
}

int __real_mprotect(void *addr, size_t len, int prot);
int __wrap_mprotect(void *addr, size_t len, int prot);
int
__wrap_mprotect(void *addr, size_t len, int prot)
{
	return fails("mprotect", ENOMEM) ? -1 : __real_mprotect(addr, len, prot);
}

int __real_memfd_create(const char *name, unsigned flags);
int __wrap_memfd_create(const char *name, unsigned flags);
int
__wrap_memfd_create(const char *name, unsigned flags)
{
	return fails("memfd_create", ENFILE) ? -1 : __real_memfd_create(name, flags);
}

/* ---- streams ---- */

FILE *__real_open_memstream(char **bytes, size_t *len);
FILE *__wrap_open_memstream(char **bytes, size_t *len);
FILE *
__wrap_open_memstream(char **bytes, size_t *len)
{
	return fails("open_memstream", ENOMEM) ? NULL : __real_open_memstream(bytes, len);
}

FILE *__real_fopencookie(void *cookie, const char *mode, cookie_io_functions_t functions);
FILE *__wrap_fopencookie(void *cookie, const char *mode, cookie_io_functions_t functions);
FILE *
__wrap_fopencookie(void *cookie, const char *mode, cookie_io_functions_t functions)
{
	return fails("fopencookie", ENOMEM) ? NULL : __real_fopencookie(cookie, mode, functions);
}

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *
__wrap_fopen(const char *path, const char *mode)
{
	return fails("fopen", ENOMEM) ? NULL : __real_fopen(path, mode);
}

FILE *__real_fdopen(int fd, const char *mode);
FILE *__wrap_fdopen(int fd, const char *mode);
FILE *
__wrap_fdopen(int fd, const char *mode)
{
	return fails("fdopen", ENOMEM) ? NULL : __real_fdopen(fd, mode);
}

/* getline() is often this one; it can fail without an error that ferror() tells of. */
ssize_t __real___getdelim(char **line, size_t *size, int delimiter, FILE *stream);
ssize_t __wrap___getdelim(char **line, size_t *size, int delimiter, FILE *stream);
ssize_t
__wrap___getdelim(char **line, size_t *size, int delimiter, FILE *stream)
{
	return fails("getline", ENOMEM) ? -1 : __real___getdelim(line, size, delimiter, stream);
}

FILE *__real_fmemopen(void *bytes, size_t size, const char *mode);
FILE *__wrap_fmemopen(void *bytes, size_t size, const char *mode);
FILE *
__wrap_fmemopen(void *bytes, size_t size, const char *mode)
{
	return fails("fmemopen", ENOMEM) ? NULL : __real_fmemopen(bytes, size, mode);
}

ssize_t __real_getline(char **line, size_t *size, FILE *stream);
ssize_t __wrap_getline(char **line, size_t *size, FILE *stream);
ssize_t
__wrap_getline(char **line, size_t *size, FILE *stream)
{
	return fails("getline", ENOMEM) ? -1 : __real_getline(line, size, stream);
}

/* ---- threads, processes and their descriptors ---- */

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
			  void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
			  void *arg);
int
__wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
		      void *arg)
{
	return fails("pthread_create", EAGAIN) ? EAGAIN
					       : __real_pthread_create(thread, attr, run, arg);
}

int __real_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attr);
int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attr);
int
__wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attr)
{
	return fails("pthread_mutex_init", ENOMEM) ? ENOMEM
						   : __real_pthread_mutex_init(mutex, attr);
}

int __real_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attr);
int __wrap_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attr);
int
__wrap_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attr)
{
	return fails("pthread_cond_init", ENOMEM) ? ENOMEM : __real_pthread_cond_init(cond, attr);
}

int __real_pthread_key_create(pthread_key_t *key, void (*destroy)(void *));
int __wrap_pthread_key_create(pthread_key_t *key, void (*destroy)(void *));
int
__wrap_pthread_key_create(pthread_key_t *key, void (*destroy)(void *))
{
	return fails("pthread_key_create", EAGAIN) ? EAGAIN
						   : __real_pthread_key_create(key, destroy);
}

int __real_pthread_setspecific(pthread_key_t key, const void *value);
int __wrap_pthread_setspecific(pthread_key_t key, const void *value);
int
__wrap_pthread_setspecific(pthread_key_t key, const void *value)
{
	return fails("pthread_setspecific", ENOMEM) ? ENOMEM
						    : __real_pthread_setspecific(key, value);
}

int __real_eventfd(unsigned count, int flags);
int __wrap_eventfd(unsigned count, int flags);
int
__wrap_eventfd(unsigned count, int flags)
{
	return fails("eventfd", EMFILE) ? -1 : __real_eventfd(count, flags);
}

int __real_pipe2(int fds[2], int flags);
int __wrap_pipe2(int fds[2], int flags);
int
__wrap_pipe2(int fds[2], int flags)
{
	return fails("pipe2", EMFILE) ? -1 : __real_pipe2(fds, flags);
}

int __real_socketpair(int domain, int type, int protocol, int fds[2]);
int __wrap_socketpair(int domain, int type, int protocol, int fds[2]);
int
__wrap_socketpair(int domain, int type, int protocol, int fds[2])
{
	return fails("socketpair", EMFILE) ? -1 : __real_socketpair(domain, type, protocol, fds);
}

pid_t __real_fork(void);
pid_t __wrap_fork(void);
pid_t
__wrap_fork(void)
{
	return fails("fork", EAGAIN) ? -1 : __real_fork();
}

/* ---- what the system has little of ---- */

ssize_t __real_getrandom(void *to, size_t n, unsigned flags);
ssize_t __wrap_getrandom(void *to, size_t n, unsigned flags);
ssize_t
__wrap_getrandom(void *to, size_t n, unsigned flags)
{
	return fails("getrandom", EAGAIN) ? -1 : __real_getrandom(to, n, flags);
}

#ifdef HAVE_PCAP
pcap_t *__real_pcap_open_dead(int dlt, int snaplen);
pcap_t *__wrap_pcap_open_dead(int dlt, int snaplen);
pcap_t *
__wrap_pcap_open_dead(int dlt, int snaplen)
{
	return fails("pcap_open_dead", ENOMEM) ? NULL : __real_pcap_open_dead(dlt, snaplen);
}
#endif
