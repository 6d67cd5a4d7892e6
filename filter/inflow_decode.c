/* SPDX-License-Identifier: BSD-2-Clause */
/* The thread that decompresses: frame by frame into the ring's blocks, to the file's end. */
#include "config.h"

#include "filter/inflow_parts.h"

#include "ebpf/err.h"

/* ---- the ring, filled ---- */

bool
sift_inflow_have_room(struct sift_inflow *f)
{
	bool is_wanted;

	if (f->room != NULL)
		return true;
	pthread_mutex_lock(&f->lock);
	while (f->n_full == SIFT_INFLOW_BLOCKS && !f->is_freed)
		pthread_cond_wait(&f->is_emptied, &f->lock);
	is_wanted = !f->is_freed;
	pthread_mutex_unlock(&f->lock);
	f->room = f->blocks[f->tail].bytes;
	f->used = 0;
	return is_wanted;
}

static void
hand_over(struct sift_inflow *f, unsigned worth_waking)
{
	pthread_mutex_lock(&f->lock);
	if (f->room != NULL && f->used > 0) {
		f->room = NULL;
		f->blocks[f->tail].n = f->used;
		f->tail = (f->tail + 1) % SIFT_INFLOW_BLOCKS;
		f->n_full++;
	}
	if (f->n_full >= worth_waking)
		pthread_cond_signal(&f->is_filled);
	pthread_mutex_unlock(&f->lock);
}

void
sift_inflow_hand_over(struct sift_inflow *f)
{
	hand_over(f, 1);
}

void
sift_inflow_hand_over_full(struct sift_inflow *f)
{
	hand_over(f, SIFT_INFLOW_WORTH_WAKING);
}

/* ---- failing ---- */

int
sift_inflow_fail_format(struct sift_inflow *f, const char *what, const char *detail)
{
	f->failed = ebpf_err_set(&f->failure, -EINVAL, "%s: offset %llu: %s: %s%s%s", f->opts.name,
				 (unsigned long long)f->in.off, sift_codec_name(f->kind), what,
				 detail != NULL ? ": " : "", detail != NULL ? detail : "");
	return -EINVAL;
}

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
	return io->what != NULL ? sift_inflow_fail_format(f, "corrupt", io->what)
				: sift_inflow_fail_format(f, "checksum mismatch", NULL);
}

/* The end of the file, or a failed read, in the midst of a frame. */
static int
fail_short(struct sift_inflow *f)
{
	return f->failed != 0 ? f->failed : sift_inflow_fail_format(f, "truncated", NULL);
}

/* ---- what is in the file ---- */

int
sift_inflow_decode_frame(struct sift_inflow *f)
{
	struct sift_codec_io io = { .in = f->in.bytes + f->in.begin,
				    .n_in = f->in.end - f->in.begin };
	int rc = f->ops->begin(f->decoder, &io);

	while (rc == 0) {
		bool is_last = f->in.has_ended, is_stuck;
		size_t n_in = f->in.end - f->in.begin, n_out;

		if (!sift_inflow_have_room(f))
			return SIFT_INFLOW_GONE;
		n_out = SIFT_INFLOW_BLOCK - f->used;
		io = (struct sift_codec_io){
			.in = f->in.bytes + f->in.begin,
			.n_in = n_in,
			.out = f->room + f->used,
			.n_out = n_out,
		};
		rc = f->ops->decode(f->decoder, &io, is_last);
		is_stuck = io.n_in == n_in && io.n_out == n_out;
		sift_inflow_use(f, n_in - io.n_in);
		f->used += n_out - io.n_out;
		if (io.n_out == 0)
			sift_inflow_hand_over_full(f);
		if (rc != 0 || io.n_out == 0 || (io.n_in > 0 && !is_stuck))
			continue;
		/* All input is used, and what it holds is out. */
		if (io.n_in > 0)
			return sift_inflow_fail_format(f, "corrupt",
						       "the decompressor takes no more");
		if (is_stuck && is_last)
			return fail_short(f);
		if (sift_inflow_refill(f) < 0)
			return f->failed;
	}
	return rc < 0 ? fail_decoding(f, rc, &io) : 0;
}

uint64_t
sift_inflow_skippable_len(const uint8_t *p, size_t n)
{
	if (n < SIFT_CODEC_SKIPPABLE_HEAD)
		return 0;
	return SIFT_CODEC_SKIPPABLE_HEAD +
	       ((uint64_t)p[4] | (uint64_t)p[5] << 8 | (uint64_t)p[6] << 16 | (uint64_t)p[7] << 24);
}

/* Leave out n bytes.  Whether there were so many. */
static bool
skip(struct sift_inflow *f, uint64_t n)
{
	while (n > 0) {
		size_t there = sift_inflow_want(f, 1);

		if (there == 0)
			return false;
		if (there > n)
			there = (size_t)n;
		sift_inflow_use(f, there);
		n -= there;
	}
	return true;
}

int
sift_inflow_skip_frame(struct sift_inflow *f)
{
	size_t n = sift_inflow_want(f, SIFT_CODEC_SKIPPABLE_HEAD);
	uint64_t len = sift_inflow_skippable_len(f->in.bytes + f->in.begin, n);

	return len > 0 && skip(f, len) ? 0 : fail_short(f);
}

bool
sift_inflow_can_skip(enum sift_codec kind)
{
	return kind == SIFT_CODEC_ZSTD || kind == SIFT_CODEC_LZ4;
}

/* Zeros behind gzip's last member, as tapes leave them, and behind xz's streams. */
static int
skip_zeros(struct sift_inflow *f)
{
	size_t n_mod_4 = 0;

	while (sift_inflow_want(f, 1) > 0 && f->in.bytes[f->in.begin] == 0) {
		sift_inflow_use(f, 1);
		n_mod_4 = (n_mod_4 + 1) % 4;
	}
	if (f->failed != 0)
		return f->failed;
	if (f->kind == SIFT_CODEC_XZ && n_mod_4 != 0)
		return sift_inflow_fail_format(f, "corrupt", "padding is no multiple of 4 bytes");
	if (f->kind == SIFT_CODEC_GZIP && f->in.begin < f->in.end)
		return sift_inflow_fail_format(f, "followed by something else", NULL);
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
		return sift_inflow_decode_frame(f);
	if (sift_inflow_can_skip(f->kind) && sift_codec_is_skippable(p, n))
		return sift_inflow_skip_frame(f);
	if (can_be_padded(f->kind) && *p == 0)
		return skip_zeros(f);
	return sift_inflow_fail_format(f, "followed by something else", NULL);
}

/* ---- the decompressor's thread ---- */

void *
sift_inflow_decode(void *arg)
{
	struct sift_inflow *f = arg;
	size_t n;
	int rc = f->failed;

	sift_inflow_begin_frames(f);
	while (rc == 0) {
		if (f->frames != NULL && (rc = sift_inflow_decode_frames(f)) < 0)
			break;
		if ((n = sift_inflow_want(f, SIFT_CODEC_HEAD)) == 0)
			break;
		rc = decode_next(f, n);
	}
	sift_inflow_end_frames(f);
	if (rc != SIFT_INFLOW_GONE)
		sift_inflow_hand_over(f);
	pthread_mutex_lock(&f->lock);
	f->is_over = true;
	pthread_cond_signal(&f->is_filled);
	pthread_mutex_unlock(&f->lock);
	return NULL;
}
