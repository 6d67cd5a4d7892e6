/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "filter/mapped.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t
page_of(const struct sift_mapped *m, uint64_t off)
{
	return off - off % m->page;
}

static uint64_t
page_behind(const struct sift_mapped *m, uint64_t off)
{
	return page_of(m, off + m->page - 1);
}

static void *
address_of(const struct sift_mapped *m, uint64_t off)
{
	return (void *)(uintptr_t)(m->bytes + (off - m->begin));
}

#ifdef MADV_POPULATE_READ

static bool
populate(const struct sift_mapped *m, uint64_t from, uint64_t to)
{
	int rc;

	do
		rc = madvise(address_of(m, from), to - from, MADV_POPULATE_READ);
	while (rc < 0 && (errno == EINTR || errno == EAGAIN));
	return rc == 0;
}

#else

static bool
populate(const struct sift_mapped *m, uint64_t from, uint64_t to)
{
	(void)m;
	(void)from;
	(void)to;
	return false;
}

#endif

int
sift_mapped_open(struct sift_mapped *m, int fd, uint64_t begin, uint64_t end)
{
	void *bytes;
	size_t len;

	m->page = (size_t)sysconf(_SC_PAGESIZE);
	begin = page_of(m, begin);
	len = (size_t)(page_behind(m, end) - begin);
	if (sizeof(void *) < sizeof(uint64_t) || begin >= end)
		return -ENOTSUP;
	bytes = mmap(NULL, len, PROT_READ, MAP_SHARED, fd, (off_t)begin);
	if (bytes == MAP_FAILED)
		return -errno;
	m->bytes = bytes;
	m->begin = begin;
	m->end = end;
	m->fd = fd;
	atomic_store(&m->is_lost, false);
	atomic_store(&m->len, len);
	/* older systems do not know it */
	if (!populate(m, begin, begin + m->page)) {
		sift_mapped_close(m);
		return -ENOTSUP;
	}
	return 0;
}

void
sift_mapped_close(struct sift_mapped *m)
{
	munmap(address_of(m, m->begin), atomic_exchange(&m->len, 0));
}

/* Of what is not in the cache, a stretch is read while the one before is looked at. */
enum { STRETCH = 2 << 20 };

static void
want(const struct sift_mapped *m, uint64_t from)
{
	uint64_t end = page_behind(m, m->end), left = from < end ? end - from : 0;

	if (left > 0)
		madvise(address_of(m, from), left < STRETCH ? left : STRETCH, MADV_WILLNEED);
}

/* Where one begins that is asked for, the next but one is wanted; at first, all up to that. */
static void
read_ahead(const struct sift_mapped *m, uint64_t from, uint64_t to)
{
	if (from == m->begin) {
		want(m, from);
		want(m, from - from % STRETCH + STRETCH);
	}
	for (from += STRETCH - 1 - (from + STRETCH - 1) % STRETCH; from < to; from += STRETCH)
		want(m, from + 2 * (uint64_t)STRETCH);
}

bool
sift_mapped_have(const struct sift_mapped *m, uint64_t from, uint64_t to)
{
	from = page_of(m, from);
	read_ahead(m, from, to);
	return populate(m, from, page_behind(m, to));
}

void
sift_mapped_drop(const struct sift_mapped *m, uint64_t from, uint64_t to)
{
	from = page_of(m, from);
	to = page_of(m, to);
	if (from < to)
		madvise(address_of(m, from), (size_t)(to - from), MADV_DONTNEED);
}

bool
sift_mapped_is_lost(const struct sift_mapped *m)
{
	struct stat st;

	return atomic_load(&m->is_lost) || fstat(m->fd, &st) < 0 || (uint64_t)st.st_size < m->end;
}

bool
sift_mapped_forgive(struct sift_mapped *m, const void *addr)
{
	size_t len = atomic_load(&m->len), at;
	int saved = errno;
	void *zeros;

	if (len == 0 || (uintptr_t)addr - (uintptr_t)m->bytes >= len)
		return false;
	at = (size_t)((uintptr_t)addr - (uintptr_t)m->bytes);
	at -= at % m->page;
	/* first: who sees a zero that another thread's handler has put there sees this too */
	atomic_store(&m->is_lost, true);
	zeros = mmap((void *)(uintptr_t)(m->bytes + at), len - at, PROT_READ,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	errno = saved;
	return zeros != MAP_FAILED;
}
