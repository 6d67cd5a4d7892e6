/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "filter/inflow.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ebpf/err.h"
#include "filter/inflow_parts.h"
#include "filter/lock.h"
#include "filter/thread.h"

bool
sift_inflow_is_stopped(const struct sift_inflow *f)
{
	return f->opts.is_stopped != NULL && atomic_load(f->opts.is_stopped);
}

/* ---- the ring, emptied ---- */

/* Wait for a change of what the lock guards, but not for long. */
static void
wait_a_little(struct sift_inflow *f)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += SIFT_INFLOW_STOP_MS * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	pthread_cond_timedwait(&f->is_filled, &f->lock, &until);
}

/* Exchange the block held, which is done with, for the next.  Whether there is one. */
static bool
next_block(struct sift_inflow *f)
{
	const struct sift_inflow_block *b;

	pthread_mutex_lock(&f->lock);
	if (f->holds_block) {
		f->head = (f->head + 1) % SIFT_INFLOW_BLOCKS;
		f->n_full--;
		if (SIFT_INFLOW_BLOCKS - f->n_full >= SIFT_INFLOW_WORTH_WAKING)
			pthread_cond_signal(&f->is_emptied);
	}
	while (f->n_full == 0 && !f->is_over && !sift_inflow_is_stopped(f))
		wait_a_little(f);
	f->holds_block = f->n_full > 0 && !sift_inflow_is_stopped(f);
	pthread_mutex_unlock(&f->lock);
	if (!f->holds_block)
		return false;
	b = &f->blocks[f->head];
	f->piece = b->bytes;
	f->n_piece = b->n;
	return true;
}

/* What was read with the file's first bytes, or a read of its own. */
static bool
next_input(struct sift_inflow *f)
{
	if (f->in.begin == f->in.end && sift_inflow_refill(f) != 1)
		return false;
	f->piece = f->in.bytes + f->in.begin;
	f->n_piece = f->in.end - f->in.begin;
	sift_inflow_use(f, f->n_piece);
	return true;
}

/*
 * No bytes came: 0, or the failure that waited behind them.  Where the source was not
 * stopped the thread is over, so the failure may be looked at.
 */
static int
end(const struct sift_inflow *f, struct ebpf_err *err)
{
	if (sift_inflow_is_stopped(f) || f->failed == 0)
		return 0;
	return ebpf_err_set(err, f->failed, "%s", f->failure.text);
}

static bool
next_piece(struct sift_inflow *f)
{
	return f->has_thread ? next_block(f) : next_input(f);
}

int
sift_inflow_next(struct sift_inflow *f, const uint8_t **block, size_t *n, struct ebpf_err *err)
{
	if (f->n_piece == 0 && !next_piece(f))
		return end(f, err);
	*block = f->piece;
	*n = f->n_piece;
	f->n_piece = 0;
	return 1;
}

/* What is not compressed goes from the file to where it is wanted. */
static ssize_t
read_through(struct sift_inflow *f, void *to, size_t n, struct ebpf_err *err)
{
	size_t got;
	int rc = f->failed == 0 && !f->in.has_ended ? sift_inflow_read_some(f, to, n, &got) : 0;

	if (rc == 1) {
		f->in.off += got;
		return (ssize_t)got;
	}
	f->in.has_ended = true;
	if (rc < 0)
		sift_inflow_fail(f, rc, strerror(-rc));
	return end(f, err);
}

ssize_t
sift_inflow_read(struct sift_inflow *f, void *to, size_t n, struct ebpf_err *err)
{
	if (f->n_piece == 0 && !f->has_thread && f->in.begin == f->in.end)
		return read_through(f, to, n, err);
	if (f->n_piece == 0 && !next_piece(f))
		return end(f, err);
	if (n > f->n_piece)
		n = f->n_piece;
	memcpy(to, f->piece, n);
	f->piece += n;
	f->n_piece -= n;
	return (ssize_t)n;
}

int
sift_inflow_fd(const struct sift_inflow *f)
{
	/* Standard input may begin in the middle of a file: then offsets are not its own. */
	if (f->kind != SIFT_CODEC_NONE || f->can_wait || f->failed != 0 ||
	    lseek(f->opts.fd, 0, SEEK_CUR) != (off_t)(f->in.off + (f->in.end - f->in.begin)))
		return -1;
	return f->opts.fd;
}

void
sift_inflow_seek(struct sift_inflow *f, uint64_t off)
{
	/* whoever shares the descriptor may have moved it since it was asked for */
	assert(f->kind == SIFT_CODEC_NONE && !f->can_wait);
	lseek(f->opts.fd, (off_t)off, SEEK_SET);
	f->in.off = off;
	f->in.begin = f->in.end = f->n_piece = 0;
	f->in.has_ended = false;
}

enum sift_codec
sift_inflow_kind(const struct sift_inflow *f)
{
	return f->kind;
}

/* ---- its life ---- */

/*
 * By the first bytes, and where these are of frames to skip, as pzstd writes them,
 * by those behind.
 */
static void
find_kind(struct sift_inflow *f)
{
	size_t n = sift_inflow_want(f, SIFT_CODEC_MAGIC);
	bool has_skipped = false;

	while (sift_codec_is_skippable(f->in.bytes + f->in.begin, n)) {
		has_skipped = true;
		f->kind = SIFT_CODEC_ZSTD; /* for the message */
		if (sift_inflow_skip_frame(f) < 0)
			return;
		n = sift_inflow_want(f, SIFT_CODEC_MAGIC);
	}
	f->kind = sift_codec_by_magic(f->in.bytes + f->in.begin, n);
	if (has_skipped && !sift_inflow_can_skip(f->kind))
		f->kind = SIFT_CODEC_ZSTD;
}

static int
take_opts(struct sift_inflow *f, const struct sift_inflow_opts *opts)
{
	struct stat st;

	f->opts = *opts;
	if (opts->memlimit == 0)
		f->opts.memlimit = SIFT_INFLOW_MEMLIMIT;
	if (opts->n_threads == 0)
		f->opts.n_threads = 1;
	f->can_wait = fstat(opts->fd, &st) == 0 && !S_ISREG(st.st_mode);
	f->in.size = opts->n_read > SIFT_INFLOW_INPUT ? opts->n_read : SIFT_INFLOW_INPUT;
	f->in.bytes = f->in.buffer = malloc(f->in.size);
	if (f->in.bytes == NULL)
		return -ENOMEM;
	if (opts->n_read > 0)
		memcpy(f->in.bytes, opts->read, opts->n_read);
	f->in.end = opts->n_read;
	return 0;
}

static int
make_ring(struct sift_inflow *f, struct ebpf_err *err)
{
	for (unsigned i = 0; i < SIFT_INFLOW_BLOCKS; i++) {
		f->blocks[i].bytes = malloc(SIFT_INFLOW_BLOCK);
		if (f->blocks[i].bytes == NULL)
			return ebpf_err_set(err, -ENOMEM, "%s: out of memory", f->opts.name);
	}
	f->wake_fd = eventfd(0, EFD_CLOEXEC);
	if (f->wake_fd < 0)
		return ebpf_err_set(err, -errno, "%s: eventfd: %s", f->opts.name, strerror(errno));
	return 0;
}

static int
start_thread(struct sift_inflow *f, struct ebpf_err *err)
{
	int rc;

	f->has_thread = true; /* which it looks at */
	if ((rc = sift_thread_start(&f->thread, sift_inflow_decode, f)) == 0)
		return 0;
	f->has_thread = false;
	return ebpf_err_set(err, rc, "%s: no thread: %s", f->opts.name, strerror(-rc));
}

static int
begin_decoding(struct sift_inflow *f, struct ebpf_err *err)
{
	int rc;

	f->ops = sift_codec_decoder(f->kind);
	if (f->ops == NULL)
		return ebpf_err_set(err, -ENOTSUP,
				    "%s: compressed with %s, which this build leaves out",
				    f->opts.name, sift_codec_name(f->kind));
	if ((rc = f->ops->open(f->opts.memlimit, f->opts.n_threads, &f->decoder)) < 0)
		return ebpf_err_set(err, rc, "%s: out of memory", f->opts.name);
	if ((rc = make_ring(f, err)) < 0)
		return rc;
	return start_thread(f, err);
}

int
sift_inflow_new(const struct sift_inflow_opts *opts, struct sift_inflow **out, struct ebpf_err *err)
{
	struct sift_inflow *f = calloc(1, sizeof(*f));
	int rc;

	if (f == NULL)
		return ebpf_err_set(err, -ENOMEM, "%s: out of memory", opts->name);
	if ((rc = sift_lock_init(&f->lock, &f->is_filled, &f->is_emptied)) < 0) {
		free(f);
		return ebpf_err_set(err, rc, "%s: out of memory", opts->name);
	}
	f->wake_fd = -1;
	if ((rc = take_opts(f, opts)) < 0) {
		ebpf_err_set(err, rc, "%s: out of memory", opts->name);
		goto fail;
	}
	find_kind(f);
	if (f->kind != SIFT_CODEC_NONE && (rc = begin_decoding(f, err)) < 0)
		goto fail;
	*out = f;
	return 0;
fail:
	sift_inflow_free(f);
	return rc;
}

static void
stop_thread(struct sift_inflow *f)
{
	static const uint64_t one = 1;
	ssize_t done;

	pthread_mutex_lock(&f->lock);
	f->is_freed = true;
	pthread_cond_signal(&f->is_emptied);
	pthread_mutex_unlock(&f->lock);
	do
		done = write(f->wake_fd, &one, sizeof(one));
	while (done < 0 && errno == EINTR);
	pthread_join(f->thread, NULL);
}

void
sift_inflow_free(struct sift_inflow *f)
{
	if (f == NULL)
		return;
	if (f->has_thread)
		stop_thread(f);
	if (f->wake_fd >= 0)
		close(f->wake_fd);
	if (f->decoder != NULL)
		f->ops->close(f->decoder);
	for (unsigned i = 0; i < SIFT_INFLOW_BLOCKS; i++)
		free(f->blocks[i].bytes);
	sift_lock_destroy(&f->lock, &f->is_filled, &f->is_emptied);
	sift_ahead_free(f->ahead);
	free(f->in.buffer);
	free(f);
}
