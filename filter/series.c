/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "filter/series.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ebpf/err.h"
#include "ebpf/sized.h"
#include "filter/read_at.h"
#include "filter/records.h"
#include "filter/savefile.h"

#ifdef BPFSIFT_DEBUG
enum { BATCH = 1 }; /* what is rare elsewhere */
#else
enum { BATCH = SIFT_BATCH_MAX };
#endif

/* Of a stretch, in bytes and in files; one larger file has it to itself. */
enum { BLOCK = 128 << 10, STRETCH = 64 };

/* Files that begin with the same bytes. */
struct kind {
	uint8_t header[SIFT_SAVEFILE_HEADER];
	struct sift_source_info info;
	struct sift_record_format format;
};

struct file {
	const char *path;
	int fd; /* -1: done with */
	uint32_t kind;
	uint32_t size; /* as it was said to be */
};

struct sift_series {
	struct kind *kinds;
	size_t n_kinds;
	struct file *files;
	size_t n_files, room;
};

struct run {
	struct sift_source source;
	struct sift_series *series;
	struct kind kind; /* of all files that it reads */
	size_t first, n;
	size_t next;      /* file that is read next, from the first one on */
	uint64_t n_bytes; /* in those before */
	bool has_file;    /* its packets are being handed out */
	struct sift_series_block block;
	const uint8_t *at;
	struct sift_view views[BATCH];
};

/* ---- the files ---- */

int
sift_series_new(struct sift_series **out, struct ebpf_err *err)
{
	struct sift_series *series = calloc(1, sizeof(*series));

	if (series == NULL)
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	*out = series;
	return 0;
}

static void
close_file(struct file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

void
sift_series_free(struct sift_series *series)
{
	if (series == NULL)
		return;
	for (size_t i = 0; i < series->n_files; i++)
		close_file(&series->files[i]);
	free(series->files);
	free(series->kinds);
	free(series);
}

/* A descriptor of one's own that reads the same. */
static int
open_again(void *arg, const char *path)
{
	int fd = fcntl(*(const int *)arg, F_DUPFD_CLOEXEC, 0);

	(void)path;
	return fd < 0 ? -errno : fd;
}

/*
 * What the reader of single files makes of one.  1: filled, but for the header; 0: it is none
 * that is read here; -ENOMEM.
 */
static int
ask_reader(const char *path, int fd, struct kind *kind)
{
	const struct sift_reader_opts opts = { .size = sizeof(opts),
					       .open_file = open_again,
					       .open_arg = &fd };
	struct sift_source *source;
	int rc = sift_source_open_savefile_opts(path, &opts, &source, NULL);

	if (rc == 0) {
		rc = source->records != NULL;
		kind->info = source->info;
		kind->info.name = NULL;
		if (rc == 1)
			kind->format = *sift_records_format(source->records);
		sift_source_close(source);
	}
	lseek(fd, 0, SEEK_SET);
	return rc == -ENOMEM ? rc : rc == 1;
}

/* The number of the file's kind: 1; 0: it is none of them; -ENOMEM. */
static int
find_kind(struct sift_series *series, const char *path, int fd, uint32_t *number)
{
	struct kind kind = { .info.size = sizeof(kind.info) }, *larger;
	int rc;

	if (sift_read_at(fd, kind.header, SIFT_SAVEFILE_HEADER, 0) != SIFT_SAVEFILE_HEADER ||
	    !sift_records_begin(kind.header))
		return 0;
	for (size_t i = series->n_kinds; i > 0; i--) {
		if (memcmp(series->kinds[i - 1].header, kind.header, SIFT_SAVEFILE_HEADER) == 0) {
			*number = (uint32_t)(i - 1);
			return 1;
		}
	}
	if ((rc = ask_reader(path, fd, &kind)) != 1)
		return rc;
	larger = reallocarray(series->kinds, series->n_kinds + 1, sizeof(*larger));
	if (larger == NULL)
		return -ENOMEM;
	series->kinds = larger;
	larger[series->n_kinds] = kind;
	*number = (uint32_t)series->n_kinds++;
	return 1;
}

/* Each doubling makes room. */
static bool
make_room(struct sift_series *series)
{
	size_t room = series->room > 0 ? 2 * series->room : 16;
	struct file *larger;

	if (series->n_files < series->room)
		return true;
	if ((larger = reallocarray(series->files, room, sizeof(*larger))) == NULL)
		return false;
	series->files = larger;
	series->room = room;
	return true;
}

int
sift_series_add(struct sift_series *series, const char *path, int fd, uint64_t size,
		struct sift_source_info *info, struct ebpf_err *err)
{
	struct sift_source_info known;
	uint32_t kind;
	int rc;

	if (size > SIFT_SERIES_FILE_MAX)
		return 0;
	if (!make_room(series) || (rc = find_kind(series, path, fd, &kind)) < 0)
		return ebpf_err_set(err, -ENOMEM, "%s: out of memory", path);
	if (rc == 0)
		return 0;
	known = series->kinds[kind].info;
	known.name = path;
	if ((rc = ebpf_sized_give("source info", &known, sizeof(known), info,
				  EBPF_SIZED_LEAST(struct sift_source_info, warning), err)) < 0)
		return rc;
	series->files[series->n_files++] = (struct file){ path, fd, kind, (uint32_t)size };
	return 1;
}

/* ---- reading ---- */

int
sift_series_block_init(struct sift_series_block *block)
{
	/* one byte more shows a file that is longer */
	*block = (struct sift_series_block){ .room = malloc(BLOCK + SIFT_SERIES_FILE_MAX + 1) };
	if (block->room == NULL)
		return -ENOMEM;
	block->records = block->room + SIFT_SAVEFILE_HEADER;
	return 0;
}

void
sift_series_block_destroy(struct sift_series_block *block)
{
	free(block->room);
}

const struct sift_record_format *
sift_series_format(const struct sift_source *source)
{
	return &((const struct run *)source)->kind.format;
}

size_t
sift_series_length(const struct sift_source *source)
{
	return ((const struct run *)source)->n;
}

size_t
sift_series_stretch(const struct sift_source *source, size_t i)
{
	const struct run *r = (const struct run *)source;
	size_t n = 0, n_bytes = 0;

	for (; i + n < r->n && n < STRETCH; n++) {
		size_t size = r->series->files[r->first + i + n].size;

		if (n > 0 && size > BLOCK - n_bytes)
			break;
		n_bytes += size < BLOCK - n_bytes ? size : BLOCK - n_bytes;
	}
	return n;
}

/*
 * The header comes to lie on the last of the records before, which are put back: so records
 * lie one behind the other without a copy.
 */
bool
sift_series_read(const struct sift_source *source, size_t i, struct sift_series_block *block)
{
	const struct run *r = (const struct run *)source;
	uint8_t *at = block->records + block->n - SIFT_SAVEFILE_HEADER;
	size_t room = SIFT_SERIES_FILE_MAX + 1;
	uint8_t kept[SIFT_SAVEFILE_HEADER];
	bool is_alike;
	ssize_t n;

	/* files that have grown since their sizes were told fill it early */
	if (i >= r->n || block->n > BLOCK)
		return false;
	memcpy(kept, at, sizeof(kept));
	n = sift_read_at(r->series->files[r->first + i].fd, at, room, 0);
	is_alike = n >= SIFT_SAVEFILE_HEADER && n <= SIFT_SERIES_FILE_MAX &&
		   memcmp(at, r->kind.header, SIFT_SAVEFILE_HEADER) == 0;
	memcpy(at, kept, sizeof(kept));
	if (!is_alike)
		return false;
	n -= SIFT_SAVEFILE_HEADER;
	if (!sift_records_are_whole(&r->kind.format, block->records + block->n, (size_t)n))
		return false;
	block->n += (size_t)n;
	return true;
}

void
sift_series_close(struct sift_source *source, size_t i)
{
	struct run *r = (struct run *)source;

	assert(i < r->n);
	close_file(&r->series->files[r->first + i]);
}

void
sift_series_go_on(struct sift_source *source, size_t i, uint64_t n_bytes)
{
	struct run *r = (struct run *)source;

	r->next = i;
	r->n_bytes = n_bytes;
}

uint64_t
sift_series_bytes(const struct sift_source *source)
{
	return ((const struct run *)source)->n_bytes;
}

/* ---- the source ---- */

static void
end_file(struct run *r)
{
	if (!r->has_file)
		return;
	r->has_file = false;
	sift_series_close(&r->source, r->next);
	sift_series_go_on(&r->source, r->next + 1, r->n_bytes + SIFT_SAVEFILE_HEADER + r->block.n);
}

static int
series_next(struct sift_source *source, const struct sift_view **views, size_t *n,
	    struct ebpf_err *err)
{
	struct run *r = (struct run *)source;

	if (r->block.room == NULL && sift_series_block_init(&r->block) < 0)
		return ebpf_err_set(err, -ENOMEM, "%s: out of memory", source->info.name);
	for (;;) {
		const uint8_t *end = r->block.records + r->block.n;

		if (r->has_file && r->at < end) {
			*n = sift_record_views(&r->kind.format, SIFT_DETAIL_ALL, &r->at, end,
					       r->views, BATCH);
			*views = r->views;
			return 1;
		}
		end_file(r);
		r->block.n = 0;
		if (!sift_series_read(source, r->next, &r->block))
			return 0;
		r->has_file = true;
		r->at = r->block.records;
	}
}

static uint64_t
series_position(const struct sift_source *source)
{
	const struct run *r = (const struct run *)source;

	return r->n_bytes + (r->has_file ? (uint64_t)(r->at - r->block.room) : 0);
}

static void
series_close(struct sift_source *source)
{
	struct run *r = (struct run *)source;

	sift_series_block_destroy(&r->block);
	free(r);
}

static const struct sift_source_ops series_ops = {
	.next = series_next,
	.position = series_position,
	.close = series_close,
};

int
sift_source_open_series(struct sift_series *series, size_t first, size_t n,
			struct sift_source **out, struct ebpf_err *err)
{
	const struct file *files;
	struct run *r;
	size_t n_alike = 1;

	if (n == 0 || first >= series->n_files || n > series->n_files - first)
		return ebpf_err_set(err, -EINVAL, "files %zu to %zu, but the series has %zu", first,
				    first + n, series->n_files);
	if ((r = calloc(1, sizeof(*r))) == NULL)
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	files = &series->files[first];
	while (n_alike < n && files[n_alike].kind == files[0].kind)
		n_alike++;
	r->source.ops = &series_ops;
	r->kind = series->kinds[files[0].kind];
	r->source.info = r->kind.info;
	r->source.info.name = files[0].path;
	r->source.is_series = true;
	atomic_init(&r->source.is_stopped, false);
	r->series = series;
	r->first = first;
	r->n = n_alike;
	*out = &r->source;
	return 0;
}

size_t
sift_series_done(const struct sift_source *source)
{
	assert(source->is_series);
	return ((const struct run *)source)->next;
}
