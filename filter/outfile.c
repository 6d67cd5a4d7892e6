/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "filter/outfile.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ebpf/err.h"
#include "filter/outflow.h"
#include "filter/writer.h"

#ifdef BPFSIFT_DEBUG
enum { BUFFER_SIZE = 64 }; /* each record meets its end */
#else
enum { BUFFER_SIZE = 128 << 10 };
#endif

/* From here on a call of write() costs less than to copy the bytes first. */
enum { MANY = BUFFER_SIZE / 4 };

/*
 * A call of write() with more gains nothing.  But ext4 takes the larger pieces of memory for it
 * then, which the host of a virtual machine may have taken back: four times slower was seen.
 */
enum { MOST_AT_ONCE = 512 << 10 };

/* Bytes, without a flush between them, that are worth a thread. */
enum { WORTH_WRITER = 8 * BUFFER_SIZE };

/* How many of the first done bytes of records, of which there are n, are whole ones. */
static size_t
whole_records(const struct sift_outfile *out, const uint8_t *records, size_t n, size_t done)
{
	size_t whole = 0;

	while (whole < done) {
		size_t len = out->off + whole == 0 && out->head_len != 0
				     ? out->head_len
				     : out->record_len(records + whole, n - whole);

		if (len > done - whole)
			break;
		whole += len;
	}
	return whole;
}

/* The last write left partial bytes of a record.  What a pipe or terminal has got stays there. */
static void
cut_off(const struct sift_outfile *out, size_t partial)
{
	struct stat st;
	off_t end;

	if (partial == 0 || fstat(out->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	/* Standard output may be a file that others have written to before. */
	end = lseek(out->fd, 0, SEEK_CUR);
	if (end < (off_t)partial || ftruncate(out->fd, end - (off_t)partial) < 0)
		return; /* the write's own error is reported */
	lseek(out->fd, end - (off_t)partial, SEEK_SET);
}

/* Write n bytes: of whole records, or as many whole ones as can be; or of a compressed file. */
static int
put_bytes(struct sift_outfile *out, const uint8_t *bytes, size_t n, struct ebpf_err *err)
{
	size_t done = 0;

	while (done < n) {
		size_t left = n - done;
		ssize_t put = write(out->fd, bytes + done,
				    left < MOST_AT_ONCE ? left : MOST_AT_ONCE);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0) {
			int error = put < 0 ? errno : EIO;

			ebpf_err_set(err, 0, "%s: offset %llu: %s", out->name,
				     (unsigned long long)(out->off + done), strerror(error));
			if (out->flow == NULL)
				cut_off(out, done - whole_records(out, bytes, n, done));
			return -error;
		}
		done += (size_t)put;
	}
	out->off += done;
	return 0;
}

static int
put_coded(void *out, const uint8_t *bytes, size_t n, struct ebpf_err *err)
{
	return put_bytes(out, bytes, n, err);
}

static int
begin_flow(struct sift_outfile *out, const struct sift_savefile_opts *opts, struct ebpf_err *err)
{
	const struct sift_outflow_opts flow = {
		.codec = opts->codec,
		.level = opts->level,
		.n_threads = opts->threads,
		.put = put_coded,
		.arg = out,
		.name = out->name,
	};

	return opts->codec != SIFT_CODEC_NONE ? sift_outflow_new(&flow, &out->flow, err) : 0;
}

static int
open_path(struct sift_outfile *out, const char *path, const struct sift_savefile_opts *opts,
	  struct ebpf_err *err)
{
	if (opts != NULL && opts->open_file != NULL) {
		out->fd = opts->open_file(opts->open_arg, path);
	} else {
		out->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
		if (out->fd < 0)
			out->fd = -errno;
	}
	if (out->fd < 0)
		return ebpf_err_set(err, out->fd, "%s: %s", path, strerror(-out->fd));
	out->owns_fd = true;
	return 0;
}

int
sift_outfile_open(struct sift_outfile *out, const char *path, sift_record_len_fn record_len,
		  const struct sift_savefile_opts *opts, struct ebpf_err *err)
{
	bool is_stdout = strcmp(path, "-") == 0;
	int rc;

	*out = (struct sift_outfile){
		.fd = STDOUT_FILENO,
		.size = BUFFER_SIZE,
		.buf = malloc(BUFFER_SIZE),
		.record_len = record_len,
		.is_behind = opts != NULL && opts->flags & SIFT_SAVEFILE_BEHIND,
		.name = strdup(is_stdout ? "standard output" : path),
	};
	if (out->buf == NULL || out->name == NULL) {
		rc = ebpf_err_set(err, -ENOMEM, "%s: out of memory", path);
		goto fail;
	}
	if (opts != NULL && (rc = begin_flow(out, opts, err)) < 0)
		goto fail;
	if (!is_stdout && (rc = open_path(out, path, opts, err)) < 0)
		goto fail;
	return 0;
fail:
	out->has_failed = true;
	sift_outfile_close(out, NULL);
	return rc;
}

/* Write n bytes of whole records. */
static int
put(void *outfile, const uint8_t *records, size_t n, struct ebpf_err *err)
{
	struct sift_outfile *out = outfile;

	return out->flow != NULL ? sift_outflow_write(out->flow, records, n, err)
				 : put_bytes(out, records, n, err);
}

/* Note whether that has failed. */
static int
note(struct sift_outfile *out, int rc)
{
	out->has_failed |= rc < 0;
	return rc;
}

static int
give(struct sift_outfile *out, struct ebpf_err *err)
{
	struct sift_writer_buffer buffer = { out->buf, out->used, out->size };
	int rc = sift_writer_give(out->writer, &buffer, err);

	out->buf = buffer.bytes;
	out->size = buffer.size;
	return rc;
}

/* Have the buffer written, whatever is in it. */
static int
empty(struct sift_outfile *out, struct ebpf_err *err)
{
	size_t used = out->used;
	int rc;

	if (used == 0)
		return 0;
	rc = out->writer != NULL ? give(out, err) : put(out, out->buf, used, err);
	out->coded += used;
	out->used = 0;
	return note(out, rc);
}

/* Before anything is written: by another thread from here on, if enough was. */
static void
choose_writer(struct sift_outfile *out)
{
	if (out->is_behind && !out->is_shared && out->writer == NULL &&
	    out->coded - out->steady_from >= WORTH_WRITER &&
	    sift_writer_new(put, out, BUFFER_SIZE, &out->writer) < 0)
		out->is_behind = false;
}

static int
make_room(struct sift_outfile *out, struct ebpf_err *err)
{
	choose_writer(out);
	return empty(out, err);
}

/* Have written what has left the buffer. */
static int
settle(struct sift_outfile *out, struct ebpf_err *err)
{
	return out->writer != NULL ? note(out, sift_writer_wait(out->writer, err)) : 0;
}

static int
grow(struct sift_outfile *out, size_t len, struct ebpf_err *err)
{
	uint8_t *buf;

	assert(out->used == 0);
	buf = realloc(out->buf, len);
	if (buf == NULL)
		return ebpf_err_set(err, -ENOMEM, "%s: out of memory", out->name);
	out->buf = buf;
	out->size = len;
	return 0;
}

int
sift_outfile_reserve(struct sift_outfile *out, size_t len, uint8_t **room, struct ebpf_err *err)
{
	int rc;

	if (len > out->size - out->used && (rc = make_room(out, err)) < 0)
		return rc;
	if (len > out->size && (rc = grow(out, len, err)) < 0)
		return rc;
	*room = out->buf + out->used;
	return 0;
}

int
sift_outfile_flush(struct sift_outfile *out, struct ebpf_err *err)
{
	int rc = empty(out, err);

	out->steady_from = out->coded;
	if (rc < 0 || (rc = settle(out, err)) < 0 || out->flow == NULL)
		return rc;
	return note(out, sift_outflow_flush(out->flow, err));
}

int
sift_outfile_share(struct sift_outfile *out, bool is_shared, struct ebpf_err *err)
{
	int rc = settle(out, err);

	sift_writer_free(out->writer);
	out->writer = NULL;
	out->is_shared = is_shared;
	out->steady_from = out->coded;
	return rc;
}

static int
put_many(struct sift_outfile *out, const uint8_t *records, size_t n, struct ebpf_err *err)
{
	int rc;

	if ((rc = empty(out, err)) < 0 || (rc = settle(out, err)) < 0)
		return rc;
	out->coded += n;
	return note(out, put(out, records, n, err));
}

int
sift_outfile_append(struct sift_outfile *out, const uint8_t *records, size_t n,
		    struct ebpf_err *err)
{
	uint8_t *to;
	int rc;

	if (n >= MANY)
		choose_writer(out);
	if (n >= MANY && (out->writer == NULL || n > BUFFER_SIZE))
		return put_many(out, records, n, err);
	if ((rc = sift_outfile_reserve(out, n, &to, err)) < 0)
		return rc;
	memcpy(to, records, n);
	out->used += n;
	return 0;
}

uint64_t
sift_outfile_length(const struct sift_outfile *out)
{
	return out->coded + out->used;
}

int
sift_outfile_close(struct sift_outfile *out, struct ebpf_err *err)
{
	int rc = 0;

	sift_writer_free(out->writer);
	/* A failure was told of before. */
	if (out->flow != NULL && !out->has_failed)
		rc = sift_outflow_finish(out->flow, err);
	sift_outflow_free(out->flow);
	/* Linux has closed the descriptor whatever close() says: no second try. */
	if (out->owns_fd && close(out->fd) < 0 && errno != EINTR && rc == 0)
		rc = ebpf_err_set(err, -errno, "%s: %s", out->name, strerror(errno));
	free(out->buf);
	free(out->name);
	*out = (struct sift_outfile){ .fd = -1 };
	return rc;
}
