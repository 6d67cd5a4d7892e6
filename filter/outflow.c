/* SPDX-License-Identifier: BSD-2-Clause */
/* The encoder fills a buffer, which is written when it is full or the bytes are asked for. */
#include "config.h"

#include "filter/outflow.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ebpf/err.h"

#ifdef BPFSIFT_DEBUG
enum { BUFFER = 61 }; /* each step meets its end */
#else
enum { BUFFER = 128 << 10 };
#endif

struct sift_outflow {
	struct sift_outflow_opts opts;
	const struct sift_encoder_ops *ops;
	void *encoder;
	uint64_t off; /* bytes written */
	int failed;   /* a negative errno, for all that follows, */
	struct ebpf_err failure;
	bool is_finished;
	size_t used;
	uint8_t buf[BUFFER];
};

int
sift_outflow_new(const struct sift_outflow_opts *opts, struct sift_outflow **out,
		 struct ebpf_err *err)
{
	const struct sift_encoder_ops *ops;
	struct sift_outflow *f;
	int level = opts->level, rc;

	if ((rc = sift_codec_encoder(opts->codec, &level, &ops, err)) < 0)
		return ebpf_err_prefix(err, rc, "%s", opts->name);
	f = calloc(1, sizeof(*f));
	if (f == NULL || ops->open(level, opts->n_threads, &f->encoder) < 0) {
		free(f);
		return ebpf_err_set(err, -ENOMEM, "%s: out of memory", opts->name);
	}
	f->opts = *opts;
	f->ops = ops;
	*out = f;
	return 0;
}

void
sift_outflow_free(struct sift_outflow *f)
{
	if (f == NULL)
		return;
	f->ops->close(f->encoder);
	free(f);
}

uint64_t
sift_outflow_written(const struct sift_outflow *f)
{
	return f->off;
}

/* All of the buffer into the descriptor; f->off tells how far it came. */
static int
put_fd(struct sift_outflow *f)
{
	size_t done = 0;

	while (done < f->used) {
		ssize_t put = write(f->opts.fd, f->buf + done, f->used - done);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0) {
			int error = put < 0 ? errno : EIO;

			return ebpf_err_set(&f->failure, -error, "%s: offset %llu: %s",
					    f->opts.name, (unsigned long long)f->off,
					    strerror(error));
		}
		done += (size_t)put;
		f->off += (size_t)put;
	}
	return 0;
}

static int
put(struct sift_outflow *f)
{
	int rc;

	if (f->used == 0)
		return 0;
	if (f->opts.put == NULL) {
		rc = put_fd(f);
	} else {
		rc = f->opts.put(f->opts.arg, f->buf, f->used, &f->failure);
		if (rc == 0)
			f->off += f->used;
	}
	f->used = 0;
	return rc;
}

static int
fail_encoding(struct sift_outflow *f, int rc, const char *what)
{
	if (rc == -ENOMEM)
		return ebpf_err_set(&f->failure, rc, "%s: out of memory", f->opts.name);
	return ebpf_err_set(&f->failure, rc, "%s: %s: %s", f->opts.name,
			    sift_codec_name(f->opts.codec), what);
}

/* Encode n bytes and do what `until` says, writing out each buffer that is full. */
static int
encode(struct sift_outflow *f, const void *bytes, size_t n, enum sift_encode_until until)
{
	struct sift_codec_io io = { .in = bytes, .n_in = n };

	for (;;) {
		int rc;

		if (f->used == sizeof(f->buf) && (rc = put(f)) < 0)
			return rc;
		io.out = f->buf + f->used;
		io.n_out = sizeof(f->buf) - f->used;
		rc = f->ops->encode(f->encoder, &io, until);
		f->used = sizeof(f->buf) - io.n_out;
		if (rc < 0)
			return fail_encoding(f, rc, io.what);
		if (rc == 1)
			return until == SIFT_ENCODE_MORE ? 0 : put(f);
	}
}

static int
step(struct sift_outflow *f, const void *bytes, size_t n, enum sift_encode_until until,
     struct ebpf_err *err)
{
	assert(!f->is_finished);
	if (f->failed == 0)
		f->failed = encode(f, bytes, n, until);
	return f->failed < 0 ? ebpf_err_set(err, f->failed, "%s", f->failure.text) : 0;
}

int
sift_outflow_write(struct sift_outflow *f, const void *bytes, size_t n, struct ebpf_err *err)
{
	return n > 0 ? step(f, bytes, n, SIFT_ENCODE_MORE, err) : 0;
}

/* Codecs move their pointer by what they took, which for NULL would be undefined. */
static const uint8_t nothing[1];

int
sift_outflow_flush(struct sift_outflow *f, struct ebpf_err *err)
{
	return step(f, nothing, 0, SIFT_ENCODE_FLUSH, err);
}

int
sift_outflow_finish(struct sift_outflow *f, struct ebpf_err *err)
{
	int rc = step(f, nothing, 0, SIFT_ENCODE_END, err);

	f->is_finished = true;
	return rc;
}
