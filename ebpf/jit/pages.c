/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Executable memory.  Programs are packed into groups of pages, with
 * breakpoints around them.  No page can be written and executed: a group is a
 * file in memory, mapped to be executed for good and to be written while code
 * is copied; or, where there are no such files, pages of one program which
 * change from the one to the other.
 */
#include "config.h"

#include "ebpf/jit/jit.h"

#include "ebpf/jit/pass.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#if defined(__aarch64__)
#include <sys/auxv.h>
#endif
#include <sys/mman.h>
#include <unistd.h>

#define GROUP_SIZE ((size_t)64 * 1024)
#define ALIGN 32
#define GUARD 32                /* breakpoints between programs, at least */

struct jit_group {
	int fd;                 /* -1: pages of one program */
	uint8_t *exec;
	size_t size;
	size_t used;            /* bytes given out, freed ones too */
	size_t n_live;          /* programs in it */
	unsigned n_forks;       /* of the process, when it was made */
};

/* Of the process: programs of all its threads share groups. */
static struct {
	pthread_mutex_t lock;
	pthread_once_t once;
	struct jit_group *current;      /* the one that is being filled */
	unsigned n_forks;
} jit_pages = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_ONCE_INIT, NULL, 0 };

static void
group_free(struct jit_group *g)
{
	if (g->exec != MAP_FAILED)
		munmap(g->exec, g->size);
	if (g->fd >= 0)
		close(g->fd);
	free(g);
}

/* ---- forks ---- */

/*
 * Parent and child have the groups that there were before, and each may still
 * run what the other has freed: from then on neither writes to them.
 */
static void
begin_anew(void)
{
	if (jit_pages.current != NULL && jit_pages.current->n_live == 0)
		group_free(jit_pages.current);
	jit_pages.current = NULL;
	jit_pages.n_forks++;
}

static bool
may_write(const struct jit_group *g)
{
	return g->fd >= 0 && g->n_forks == jit_pages.n_forks;
}

static void
before_fork(void)
{
	pthread_mutex_lock(&jit_pages.lock);
}

static void
in_parent(void)
{
	begin_anew();
	pthread_mutex_unlock(&jit_pages.lock);
}

static void
in_child(void)
{
	begin_anew();
	pthread_mutex_init(&jit_pages.lock, NULL);
}

static void
watch_forks(void)
{
	pthread_atfork(before_fork, in_parent, in_child);
}

/* ---- groups ---- */

static size_t
round_up(size_t n, size_t to)
{
	return (n + to - 1) / to * to;
}

/*
 * To be read and executed; where the processor has that, indirect branches
 * arrive at landing pads only.
 */
static int
protection(void)
{
#if defined(PROT_BTI) && defined(HWCAP2_BTI)
	if (getauxval(AT_HWCAP2) & HWCAP2_BTI)
		return PROT_READ | PROT_EXEC | PROT_BTI;
#endif
	return PROT_READ | PROT_EXEC;
}

/* Breakpoints, at an address that such instructions may have. */
static void
fill(uint8_t *p, size_t n)
{
	const struct jit_target *target = EBPF_JIT_TARGET;

	for (size_t i = 0; target != NULL && i < n; i++)
		p[i] = target->breakpoint[i % 4];
}

/* Whether programs may come to where others have been. */
static bool
may_reuse(void)
{
	const struct jit_target *target = EBPF_JIT_TARGET;

	return target != NULL && target->is_coherent;
}

/*
 * Let processors execute what has been written.  Another one may keep what it
 * had from there, if there was something, until an event of its own.
 */
static void
flush(uint8_t *exec, size_t n)
{
	__builtin___clear_cache((char *)exec, (char *)exec + n);
}

/* Write code, or breakpoints where it is NULL, through a mapping that does not outlast it. */
static int
file_write(const struct jit_group *g, size_t at, const uint8_t *code, size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), start = at / page * page;
	uint8_t *p = mmap(NULL, at + n - start, PROT_READ | PROT_WRITE, MAP_SHARED, g->fd,
			  (off_t)start);

	if (p == MAP_FAILED)
		return -errno;
	if (code != NULL)
		memcpy(p + (at - start), code, n);
	else
		fill(p + (at - start), n);
	munmap(p, at + n - start);
	flush(g->exec + at, n);
	return 0;
}

static struct jit_group *
group_new(size_t size)
{
	struct jit_group *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	g->size = size;
	g->exec = MAP_FAILED;
	g->fd = memfd_create("bpfsift-jit", MFD_CLOEXEC);
	if (g->fd >= 0 && ftruncate(g->fd, (off_t)size) == 0)
		g->exec = mmap(NULL, size, protection(), MAP_SHARED, g->fd, 0);
	g->n_forks = jit_pages.n_forks;
	if (g->exec == MAP_FAILED || file_write(g, 0, NULL, size) < 0) {
		group_free(g);
		return NULL;
	}
	return g;
}

/* Pages that are written once, and then executed. */
static struct jit_group *
sealed_new(const uint8_t *code, size_t n, size_t at)
{
	struct jit_group *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	g->fd = -1;
	g->size = round_up(at + n + GUARD, (size_t)sysconf(_SC_PAGESIZE));
	g->exec = mmap(NULL, g->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (g->exec == MAP_FAILED)
		goto fail;
	fill(g->exec, g->size);
	memcpy(g->exec + at, code, n);
	if (mprotect(g->exec, g->size, protection()) == 0) {
		flush(g->exec, g->size);
		return g;
	}
fail:
	group_free(g);
	return NULL;
}

/* Room for n bytes at *at of a group that is a file; NULL: there are no files. */
static struct jit_group *
take_room(size_t n, size_t pad, size_t *at)
{
	size_t needed = n + pad + ALIGN + 2 * GUARD;
	struct jit_group *g = jit_pages.current;

	if (g == NULL || g->size - g->used < needed) {
		if ((g = group_new(round_up(needed, GROUP_SIZE))) == NULL)
			return NULL;
		if (jit_pages.current != NULL && jit_pages.current->n_live == 0)
			group_free(jit_pages.current);
		jit_pages.current = g;
	}
	*at = round_up(g->used + GUARD, ALIGN) + pad;
	return g;
}

static int
text_in_file(struct ebpf_jit_text *text, const uint8_t *code, size_t n, size_t pad)
{
	size_t at;
	struct jit_group *g = take_room(n, pad, &at);
	int rc;

	if (g == NULL)
		return -ENOTSUP;
	if ((rc = file_write(g, at, code, n)) < 0)
		return rc;
	g->used = at + n;
	g->n_live++;
	text->group = g;
	text->code = g->exec + at;
	text->n = n;
	return 0;
}

int
ebpf_jit_text_new(struct ebpf_jit_text *text, const uint8_t *code, size_t n, size_t pad)
{
	struct jit_group *g;
	int rc;

	pthread_once(&jit_pages.once, watch_forks);
	pthread_mutex_lock(&jit_pages.lock);
	rc = text_in_file(text, code, n, pad);
	pthread_mutex_unlock(&jit_pages.lock);
	if (rc == 0)
		return 0;
	g = sealed_new(code, n, GUARD + pad);
	if (g == NULL)
		return -ENOTSUP;
	g->n_live = 1;
	text->group = g;
	text->code = g->exec + GUARD + pad;
	text->n = n;
	return 0;
}

void
ebpf_jit_text_free(struct ebpf_jit_text *text)
{
	struct jit_group *g = text->group;

	if (g == NULL)
		return;
	pthread_mutex_lock(&jit_pages.lock);
	if (--g->n_live == 0 && g != jit_pages.current) {
		group_free(g);
	} else {
		/* where that fails, code stays that nobody calls */
		if (may_write(g))
			file_write(g, (size_t)(text->code - g->exec), NULL, text->n);
		if (g->n_live == 0 && may_reuse())
			g->used = 0;    /* filled again from its start */
	}
	pthread_mutex_unlock(&jit_pages.lock);
	text->group = NULL;
}
