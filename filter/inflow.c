/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file is read by one thread only: the caller's while the kind is found out,
 * and to the end of what is not compressed; the decompressor's after that.
 *
 * The ring: the decompressor fills blocks[tail], the caller holds blocks[head], and
 * n_full of them, the one held included, are the caller's.  The lock guards these
 * numbers, is_over and is_freed; a block's bytes belong to whom the numbers say.
 * failed and failure are the decompressor's until is_over, the caller's after that.
 */
#include "config.h"

#include "filter/inflow.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ebpf/err.h"
#include "filter/frames.h"

/* All of them stay in a second-level cache, and few are the times that threads meet. */
#ifdef BPFSIFT_DEBUG
enum { BLOCK = 1021, INPUT = 509 }; /* everything meets an end */
#else
enum { BLOCK = 256 << 10, INPUT = 128 << 10 };
#endif
enum { N_BLOCKS = 4 };

/* The longest frame that is decoded beside others; pzstd makes them of 8 MiB and less. */
enum { MAX_FRAME = 16 << 20 };

/* Nothing wakes a thread when is_stopped is set: so often it looks. */
enum { STOP_MS = 50 };

/* Whether a decompressor's own thread was told to go; no errno that a file gives. */
enum { GONE = -ECANCELED };

struct block {
	uint8_t *bytes;
	size_t n;
};

/* Of the file, what was read and not used yet. */
struct input {
	uint8_t *bytes;
	size_t begin, end, size;
	uint64_t off; /* in the file, of bytes[begin] */
	bool has_ended;
};

struct sift_inflow {
	struct sift_inflow_opts opts;
	enum sift_codec kind;
	const struct sift_decoder_ops *ops;
	void *decoder;
	struct sift_frames *frames; /* that come one after the other, or NULL */

	bool can_wait; /* reading the file may: it is no regular one */
	struct input in;

	int failed;              /* a negative errno that waits behind the bytes, */
	struct ebpf_err failure; /* and its message */

	/* What was handed out, or is next. */
	const uint8_t *piece;
	size_t n_piece;
	bool holds_block;

	/* The thread that decompresses. */
	bool has_thread;
	pthread_t thread;
	int wake_fd; /* readable once is_freed */
	uint8_t *room;
	size_t used; /* of room, which is blocks[tail].bytes, or NULL */
	pthread_mutex_t lock;
	pthread_cond_t is_filled, is_emptied;
	bool is_over, is_freed;
	unsigned head, tail, n_full;
	struct block blocks[N_BLOCKS];
};

static bool
is_stopped(const struct sift_inflow *f)
{
	return f->opts.is_stopped != NULL && atomic_load(f->opts.is_stopped);
}

/* ---- the file ---- */

static int
fail(struct sift_inflow *f, int code, const char *what)
{
	f->failed = ebpf_err_set(&f->failure, code, "%s: offset %llu: %s", f->opts.name,
				 (unsigned long long)f->in.off, what);
	return code;
}

static int
fail_format(struct sift_inflow *f, const char *what, const char *detail)
{
	f->failed = ebpf_err_set(&f->failure, -EINVAL, "%s: offset %llu: %s: %s%s%s", f->opts.name,
				 (unsigned long long)f->in.off, sift_codec_name(f->kind), what,
				 detail != NULL ? ": " : "", detail != NULL ? detail : "");
	return -EINVAL;
}

static void hand_over(struct sift_inflow *f);

/* Until there is something to read: 1; 0: nobody wants it any more; a negative errno. */
static int
wait_for_bytes(struct sift_inflow *f)
{
	struct pollfd fds[] = {
		{ .fd = f->opts.fd, .events = POLLIN },
		{ .fd = f->wake_fd, .events = POLLIN },
	};
	int timeout = 0;

	for (;;) {
		int rc;

		if (!f->has_thread && is_stopped(f))
			return 0;
		rc = poll(fds, 2, timeout);
		if (rc < 0 && errno != EINTR)
			return -errno;
		if (rc > 0)
			return fds[1].revents == 0;
		/* The pipe is slow: nobody should wait for what is there already. */
		if (rc == 0 && timeout == 0 && f->has_thread)
			hand_over(f);
		timeout = f->has_thread ? -1 : STOP_MS;
	}
}

/* Let a file grow a while.  Whether anybody wants more of it then; or a negative errno. */
static int
wait_for_growth(struct sift_inflow *f)
{
	struct pollfd wake = { .fd = f->wake_fd, .events = POLLIN };
	int rc;

	if (f->has_thread)
		hand_over(f);
	rc = poll(&wake, 1, STOP_MS);
	if (rc < 0 && errno != EINTR)
		return -errno;
	return !is_stopped(f) && (rc <= 0 || wake.revents == 0);
}

/*
 * read(2) that waits as long as it is wanted.  1, 0 at the end or when no longer
 * wanted, or a negative errno.
 */
static int
read_some(struct sift_inflow *f, void *to, size_t n, size_t *got)
{
	for (;;) {
		ssize_t done;
		int rc;

		if (!f->has_thread && is_stopped(f))
			return 0;
		if (f->can_wait && (rc = wait_for_bytes(f)) != 1)
			return rc;
		done = read(f->opts.fd, to, n < SSIZE_MAX ? n : SSIZE_MAX);
		if (done > 0) {
			*got = (size_t)done;
			return 1;
		}
		if (done == 0) {
			if (!f->opts.is_followed || f->can_wait)
				return 0;
			if ((rc = wait_for_growth(f)) != 1)
				return rc;
			continue;
		}
		if (errno != EINTR && errno != EAGAIN)
			return -errno;
	}
}

/* Add to the input, behind what is left of it.  As read_some(). */
static int
refill(struct sift_inflow *f)
{
	struct input *in = &f->in;
	size_t left = in->end - in->begin, room, got = 0;
	int rc;

	if (f->failed != 0)
		return f->failed;
	if (in->has_ended)
		return 0;
	if (left == 0 || in->size - in->end < INPUT) {
		memmove(in->bytes, in->bytes + in->begin, left);
		in->begin = 0;
		in->end = left;
	}
	room = in->size - in->end;
	rc = read_some(f, in->bytes + in->end, room < INPUT ? room : INPUT, &got);
	in->end += got;
	in->has_ended = rc == 0;
	if (rc < 0) {
		in->off += left;
		fail(f, rc, strerror(-rc));
		in->off -= left;
	}
	return rc;
}

/* Have n bytes in the input, or all there are up to the end or a failure: so many. */
static size_t
want(struct sift_inflow *f, size_t n)
{
	while (f->in.end - f->in.begin < n && refill(f) == 1)
		;
	return f->in.end - f->in.begin;
}

static void
use(struct sift_inflow *f, size_t n)
{
	f->in.begin += n;
	f->in.off += n;
}

/* Leave out n bytes.  Whether there were so many. */
static bool
skip(struct sift_inflow *f, uint64_t n)
{
	while (n > 0) {
		size_t there = want(f, 1);

		if (there == 0)
			return false;
		if (there > n)
			there = (size_t)n;
		use(f, there);
		n -= there;
	}
	return true;
}

/* ---- the ring, filled ---- */

/* Room to decompress into.  false: nobody wants it any more. */
static bool
have_room(struct sift_inflow *f)
{
	bool is_wanted;

	if (f->room != NULL)
		return true;
	pthread_mutex_lock(&f->lock);
	while (f->n_full == N_BLOCKS && !f->is_freed)
		pthread_cond_wait(&f->is_emptied, &f->lock);
	is_wanted = !f->is_freed;
	pthread_mutex_unlock(&f->lock);
	f->room = f->blocks[f->tail].bytes;
	f->used = 0;
	return is_wanted;
}

/* Give the block to the caller, if there is anything in it. */
static void
hand_over(struct sift_inflow *f)
{
	if (f->room == NULL || f->used == 0)
		return;
	f->room = NULL;
	pthread_mutex_lock(&f->lock);
	f->blocks[f->tail].n = f->used;
	f->tail = (f->tail + 1) % N_BLOCKS;
	f->n_full++;
	pthread_cond_signal(&f->is_filled);
	pthread_mutex_unlock(&f->lock);
}

/* ---- what is in the file ---- */

static int
fail_memory(struct sift_inflow *f, uint64_t needs)
{
	unsigned long long limit = f->opts.memlimit >> 20;

	if (needs == 0)
		f->failed = ebpf_err_set(&f->failure, -E2BIG,
					 "%s: needs more than the limit of %llu MiB to decompress",
					 f->opts.name, limit);
	else
		f->failed = ebpf_err_set(
			&f->failure, -E2BIG,
			"%s: needs %llu MiB to decompress, the limit is %llu MiB", f->opts.name,
			(unsigned long long)(needs >> 20) + (needs % (1 << 20) != 0), limit);
	return f->failed;
}

static int
fail_decoding(struct sift_inflow *f, int rc, const struct sift_codec_io *io)
{
	if (rc == -E2BIG)
		return fail_memory(f, io->needs);
	if (rc == -ENOMEM)
		return f->failed = ebpf_err_set(&f->failure, rc, "%s: out of memory", f->opts.name);
	return io->what != NULL ? fail_format(f, "corrupt", io->what)
				: fail_format(f, "checksum mismatch", NULL);
}

/* The end of the file, or a failed read, in the midst of a frame. */
static int
fail_short(struct sift_inflow *f)
{
	return f->failed != 0 ? f->failed : fail_format(f, "truncated", NULL);
}

/* One frame, from its first byte to its last.  0 or what failed. */
static int
decode_frame(struct sift_inflow *f)
{
	struct sift_codec_io io = { .in = f->in.bytes + f->in.begin,
				    .n_in = f->in.end - f->in.begin };
	int rc = f->ops->begin(f->decoder, &io);

	while (rc == 0) {
		bool is_last = f->in.has_ended, is_stuck;
		size_t n_in = f->in.end - f->in.begin, n_out;

		if (!have_room(f))
			return GONE;
		n_out = BLOCK - f->used;
		io = (struct sift_codec_io){
			.in = f->in.bytes + f->in.begin,
			.n_in = n_in,
			.out = f->room + f->used,
			.n_out = n_out,
		};
		rc = f->ops->decode(f->decoder, &io, is_last);
		is_stuck = io.n_in == n_in && io.n_out == n_out;
		use(f, n_in - io.n_in);
		f->used += n_out - io.n_out;
		if (io.n_out == 0)
			hand_over(f);
		if (rc != 0 || io.n_out == 0 || (io.n_in > 0 && !is_stuck))
			continue;
		/* All input is used, and what it holds is out. */
		if (io.n_in > 0)
			return fail_format(f, "corrupt", "the decompressor takes no more");
		if (is_stuck && is_last)
			return fail_short(f);
		if (refill(f) < 0)
			return f->failed;
	}
	return rc < 0 ? fail_decoding(f, rc, &io) : 0;
}

/* Of the frame to be skipped at p; 0: less than its head is there. */
static uint64_t
skippable_len(const uint8_t *p, size_t n)
{
	if (n < SIFT_CODEC_SKIPPABLE_HEAD)
		return 0;
	return SIFT_CODEC_SKIPPABLE_HEAD +
	       ((uint64_t)p[4] | (uint64_t)p[5] << 8 | (uint64_t)p[6] << 16 | (uint64_t)p[7] << 24);
}

static int
skip_frame(struct sift_inflow *f)
{
	size_t n = want(f, SIFT_CODEC_SKIPPABLE_HEAD);
	uint64_t len = skippable_len(f->in.bytes + f->in.begin, n);

	return len > 0 && skip(f, len) ? 0 : fail_short(f);
}

static bool
can_skip_frames(enum sift_codec kind)
{
	return kind == SIFT_CODEC_ZSTD || kind == SIFT_CODEC_LZ4;
}

/* Zeros behind gzip's last member, as tapes leave them, and behind xz's streams. */
static int
skip_zeros(struct sift_inflow *f)
{
	size_t n_mod_4 = 0;

	while (want(f, 1) > 0 && f->in.bytes[f->in.begin] == 0) {
		use(f, 1);
		n_mod_4 = (n_mod_4 + 1) % 4;
	}
	if (f->failed != 0)
		return f->failed;
	if (f->kind == SIFT_CODEC_XZ && n_mod_4 != 0)
		return fail_format(f, "corrupt", "padding is no multiple of 4 bytes");
	if (f->kind == SIFT_CODEC_GZIP && f->in.begin < f->in.end)
		return fail_format(f, "followed by something else", NULL);
	return 0;
}

static bool
can_be_padded(enum sift_codec kind)
{
	return kind == SIFT_CODEC_GZIP || kind == SIFT_CODEC_XZ;
}

/* Whatever the input begins with, where n > 0 bytes are seen. */
static int
decode_next(struct sift_inflow *f, size_t n)
{
	const uint8_t *p = f->in.bytes + f->in.begin;

	if (sift_codec_may_begin(f->kind, p, n))
		return decode_frame(f);
	if (can_skip_frames(f->kind) && sift_codec_is_skippable(p, n))
		return skip_frame(f);
	if (can_be_padded(f->kind) && *p == 0)
		return skip_zeros(f);
	return fail_format(f, "followed by something else", NULL);
}

/* ---- frames side by side ---- */

/*
 * Give it up: the frames are long, or do not tell.  All that were put are taken.
 */
static void
end_frames(struct sift_inflow *f)
{
	sift_frames_free(f->frames);
	f->frames = NULL;
}

/* Leave out short frames that are to be skipped, as pzstd puts one before each. */
static size_t
skip_short_frames(struct sift_inflow *f)
{
	size_t n = want(f, SIFT_CODEC_HEAD);

	while (sift_codec_is_skippable(f->in.bytes + f->in.begin, n)) {
		uint64_t len = skippable_len(f->in.bytes + f->in.begin, n);

		if (len == 0 || len > n)
			break;
		use(f, (size_t)len);
		n = want(f, SIFT_CODEC_HEAD);
	}
	return n;
}

/*
 * Have the next frame in the input, whole.  0 where something else comes next, or
 * the frame is cut: that is for who reads them one by one.  -1: so is all that follows.
 */
static int
have_frame(struct sift_inflow *f, struct sift_frame_size *size)
{
	size_t n = skip_short_frames(f), before;
	uint64_t most = f->opts.memlimit / sift_frames_most(f->frames);
	int rc;

	do {
		const uint8_t *p = f->in.bytes + f->in.begin;

		if (n == 0 || !sift_codec_may_begin(f->kind, p, n))
			return 0;
		rc = f->ops->measure(p, n, size);
		if (rc > 0 && (size->coded > most || size->content > most - size->coded))
			return -1;
		if (rc != 0)
			return rc;
		before = n;
		n = want(f, n < MAX_FRAME - INPUT ? n + INPUT : MAX_FRAME);
	} while (n > before);
	return n == MAX_FRAME ? -1 : 0;
}

/* A frame that its thread found to be no good: all that can be had of it, and why. */
static int
decode_again(struct sift_inflow *f, const struct sift_frame *frame)
{
	struct input ahead = f->in;
	int rc;

	f->in = (struct input){
		.bytes = frame->coded,
		.end = frame->size.coded,
		.size = frame->size.coded,
		.off = frame->off,
		.has_ended = true,
	};
	rc = decode_frame(f);
	f->in = ahead;
	return rc;
}

/* Hand on what the oldest frame holds. */
static int
take_frame(struct sift_inflow *f)
{
	const struct sift_frame *frame = sift_frames_take(f->frames);
	size_t done = 0;

	if (!frame->is_good)
		return decode_again(f, frame);
	while (done < frame->size.content) {
		size_t n = frame->size.content - done;

		if (!have_room(f))
			return GONE;
		if (n > BLOCK - f->used)
			n = BLOCK - f->used;
		memcpy(f->room + f->used, frame->content + done, n);
		f->used += n;
		done += n;
		if (f->used == BLOCK)
			hand_over(f);
	}
	return 0;
}

/* As many frames as follow each other, until something else does. */
static int
decode_frames(struct sift_inflow *f)
{
	struct sift_frame_size size;
	int found = 1, rc = 0;

	while (rc == 0) {
		while (found == 1 && sift_frames_pending(f->frames) < sift_frames_most(f->frames) &&
		       (found = have_frame(f, &size)) == 1) {
			if (sift_frames_put(f->frames, f->in.bytes + f->in.begin, &size,
					    f->in.off) < 0)
				found = -1;
			else
				use(f, size.coded);
		}
		if (sift_frames_pending(f->frames) == 0)
			break;
		rc = take_frame(f);
	}
	if (found < 0)
		end_frames(f);
	return rc;
}

/*
 * Where a frame's length is seen only by reading it, reading ahead must not wait:
 * not from a pipe.  Without threads or memory for it, all goes on one by one.
 */
static void
begin_frames(struct sift_inflow *f)
{
	uint8_t *larger;

	if (f->opts.n_threads < 2 || f->ops->measure == NULL || f->can_wait ||
	    sift_frames_new(f->ops, f->opts.n_threads, &f->frames) < 0)
		return;
	if ((larger = realloc(f->in.bytes, f->in.size + MAX_FRAME + INPUT)) == NULL) {
		end_frames(f);
		return;
	}
	f->in.bytes = larger;
	f->in.size += MAX_FRAME + INPUT;
}

/* ---- the decompressor's thread ---- */

static void *
decode(void *arg)
{
	struct sift_inflow *f = arg;
	size_t n;
	int rc = f->failed;

	begin_frames(f);
	while (rc == 0) {
		if (f->frames != NULL && (rc = decode_frames(f)) < 0)
			break;
		if ((n = want(f, SIFT_CODEC_HEAD)) == 0)
			break;
		rc = decode_next(f, n);
	}
	end_frames(f);
	if (rc != GONE)
		hand_over(f);
	pthread_mutex_lock(&f->lock);
	f->is_over = true;
	pthread_cond_signal(&f->is_filled);
	pthread_mutex_unlock(&f->lock);
	return NULL;
}

/* ---- the ring, emptied ---- */

/* Wait for a change of what the lock guards, but not for long. */
static void
wait_a_little(struct sift_inflow *f)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += STOP_MS * 1000000L;
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
	const struct block *b;

	pthread_mutex_lock(&f->lock);
	if (f->holds_block) {
		f->head = (f->head + 1) % N_BLOCKS;
		f->n_full--;
		pthread_cond_signal(&f->is_emptied);
	}
	while (f->n_full == 0 && !f->is_over && !is_stopped(f))
		wait_a_little(f);
	f->holds_block = f->n_full > 0 && !is_stopped(f);
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
	if (f->in.begin == f->in.end && refill(f) != 1)
		return false;
	f->piece = f->in.bytes + f->in.begin;
	f->n_piece = f->in.end - f->in.begin;
	use(f, f->n_piece);
	return true;
}

/*
 * No bytes came: 0, or the failure that waited behind them.  Where the source was not
 * stopped the thread is over, so the failure may be looked at.
 */
static int
end(const struct sift_inflow *f, struct ebpf_err *err)
{
	if (is_stopped(f) || f->failed == 0)
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
	int rc = f->failed == 0 && !f->in.has_ended ? read_some(f, to, n, &got) : 0;

	if (rc == 1) {
		f->in.off += got;
		return (ssize_t)got;
	}
	f->in.has_ended = true;
	if (rc < 0)
		fail(f, rc, strerror(-rc));
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

bool
sift_inflow_is_stopped(const struct sift_inflow *f)
{
	return is_stopped(f);
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
	assert(sift_inflow_fd(f) >= 0);
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
	size_t n = want(f, SIFT_CODEC_MAGIC);
	bool has_skipped = false;

	while (sift_codec_is_skippable(f->in.bytes + f->in.begin, n)) {
		has_skipped = true;
		f->kind = SIFT_CODEC_ZSTD; /* for the message */
		if (skip_frame(f) < 0)
			return;
		n = want(f, SIFT_CODEC_MAGIC);
	}
	f->kind = sift_codec_by_magic(f->in.bytes + f->in.begin, n);
	if (has_skipped && !can_skip_frames(f->kind))
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
	f->in.size = opts->n_read > INPUT ? opts->n_read : INPUT;
	f->in.bytes = malloc(f->in.size);
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
	for (unsigned i = 0; i < N_BLOCKS; i++) {
		f->blocks[i].bytes = malloc(BLOCK);
		if (f->blocks[i].bytes == NULL)
			return ebpf_err_set(err, -ENOMEM, "%s: out of memory", f->opts.name);
	}
	f->wake_fd = eventfd(0, EFD_CLOEXEC);
	if (f->wake_fd < 0)
		return ebpf_err_set(err, -errno, "%s: eventfd: %s", f->opts.name, strerror(errno));
	return 0;
}

/* Signals are for the threads of those who asked for them. */
static int
start_thread(struct sift_inflow *f, struct ebpf_err *err)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	f->has_thread = true; /* which it looks at */
	error = pthread_create(&f->thread, NULL, decode, f);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error == 0)
		return 0;
	f->has_thread = false;
	return ebpf_err_set(err, -error, "%s: no thread: %s", f->opts.name, strerror(error));
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
	pthread_condattr_t monotonic;
	int rc;

	if (f == NULL)
		return ebpf_err_set(err, -ENOMEM, "%s: out of memory", opts->name);
	f->wake_fd = -1;
	pthread_mutex_init(&f->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&f->is_filled, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_cond_init(&f->is_emptied, NULL);
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
	for (unsigned i = 0; i < N_BLOCKS; i++)
		free(f->blocks[i].bytes);
	pthread_cond_destroy(&f->is_emptied);
	pthread_cond_destroy(&f->is_filled);
	pthread_mutex_destroy(&f->lock);
	free(f->in.bytes);
	free(f);
}
