/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "tools/bpfsift_inputs.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/bpfsift_ask.h"
#include "tools/bpfsift_printer.h"
#include "tools/bpfsift_say.h"

/*
 * What else is open, files that the helper has opened ahead included; and how many small ones
 * are at most: the system has to hold something for each, and others want to open files, too.
 */
enum { OTHER_FILES = BPFSIFT_MESSAGE_FDS + 64, MOST_SMALL = 16384 };

/* Room for one more; every doubling makes it. */
static struct bpfsift_input *
make_room(struct bpfsift_inputs *inputs)
{
	struct bpfsift_input *larger;

	if (inputs->n == inputs->room) {
		size_t room = inputs->room > 0 ? 2 * inputs->room : 16;

		if ((larger = reallocarray(inputs->list, room, sizeof(*larger))) == NULL)
			return NULL;
		inputs->list = larger;
		inputs->room = room;
	}
	return &inputs->list[inputs->n];
}

/* What is known of it; st NULL: nothing is. */
static int
add(struct bpfsift_inputs *inputs, const char *path, bool was_found, const struct stat *st,
    struct ebpf_err *err)
{
	struct bpfsift_input *input = make_room(inputs);

	if (input == NULL)
		return refuse(err, -ENOMEM, "out of memory");
	*input = (struct bpfsift_input){
		.path = strdup(path),
		.number = (uint32_t)inputs->n,
		.was_found = was_found,
		.fd = -1,
		.info.size = sizeof(input->info),
	};
	if (input->path == NULL)
		return refuse(err, -ENOMEM, "out of memory");
	if (st != NULL && S_ISREG(st->st_mode)) {
		input->is_regular = true;
		input->dev = st->st_dev;
		input->ino = st->st_ino;
		input->size = (uint64_t)st->st_size;
	}
	inputs->n++;
	return 0;
}

static int
by_name(const FTSENT **left, const FTSENT **right)
{
	return strcmp((*left)->fts_name, (*right)->fts_name);
}

/* All regular files below a directory, by name; links are not followed. */
static int
add_directory(struct bpfsift_inputs *inputs, const char *path, struct ebpf_err *err)
{
	char *name = strdup(path), *const paths[] = { name, NULL };
	FTS *fts = name != NULL ? fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, by_name) : NULL;
	FTSENT *entry;
	int rc = 0;

	if (fts == NULL)
		rc = refuse(err, -errno, "%s: %s", path, strerror(errno));
	while (rc == 0 && (entry = fts_read(fts)) != NULL) {
		if (entry->fts_info == FTS_F)
			rc = add(inputs, entry->fts_path, true, entry->fts_statp, err);
		else if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR ||
			 entry->fts_info == FTS_NS)
			rc = refuse(err, -entry->fts_errno, "%s: %s", entry->fts_path,
				    strerror(entry->fts_errno));
	}
	if (fts != NULL)
		fts_close(fts);
	free(name);
	return rc;
}

static int add_path(struct bpfsift_inputs *inputs, const char *path, struct ebpf_err *err);

/* The files that a pattern matches, by name. */
static int
add_matches(struct bpfsift_inputs *inputs, const char *pattern, struct ebpf_err *err)
{
	glob_t found;
	int rc = glob(pattern, GLOB_ERR, NULL, &found);

	if (rc == GLOB_NOMATCH)
		return refuse(err, -ENOENT, "%s: no such file, and none that matches", pattern);
	if (rc != 0)
		return refuse(err, rc == GLOB_NOSPACE ? -ENOMEM : -EACCES, "%s: %s", pattern,
			      rc == GLOB_NOSPACE ? "out of memory" : "a directory cannot be read");
	for (size_t i = 0; rc == 0 && i < found.gl_pathc; i++)
		rc = add_path(inputs, found.gl_pathv[i], err);
	globfree(&found);
	return rc;
}

/* A file, or what a directory or a pattern stands for; a name that is there is no pattern. */
static int
add_path(struct bpfsift_inputs *inputs, const char *path, struct ebpf_err *err)
{
	bool is_stdin = strcmp(path, "-") == 0, is_there;
	struct stat st;

	if (is_stdin)
		return add(inputs, path, false, fstat(STDIN_FILENO, &st) == 0 ? &st : NULL, err);
	is_there = stat(path, &st) == 0;
	/* a link that leads nowhere is a name too */
	if (!is_there && errno == ENOENT && strpbrk(path, "*?[") != NULL && lstat(path, &st) < 0)
		return add_matches(inputs, path, err);
	if (!is_there || !S_ISDIR(st.st_mode))
		/* opening it will say what is wrong */
		return add(inputs, path, false, is_there ? &st : NULL, err);
	if (!inputs->options->recursive)
		return refuse(err, -EISDIR, "%s: a directory (--recursive reads what is in it)",
			      path);
	return add_directory(inputs, path, err);
}

/* The files named in a file, one a line. */
static int
add_list(struct bpfsift_inputs *inputs, const char *path, struct ebpf_err *err)
{
	FILE *list = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	int rc = 0;

	if (list == NULL)
		return refuse(err, -errno, "can't open %s: %s", path, strerror(errno));
	while (rc == 0 && (len = getline(&line, &size, list)) > 0) {
		if (line[len - 1] == '\n')
			line[--len] = '\0';
		if (len > 0)
			rc = add_path(inputs, line, err);
	}
	/* Without memory for a line there is neither an end nor an error of the stream. */
	if (rc == 0 && !feof(list))
		rc = refuse(err, -errno, "read %s: %s", path, strerror(errno));
	free(line);
	if (list != stdin)
		fclose(list);
	return rc;
}

static void
tell_skipped(void *arg, const char *name, uint64_t off, uint64_t n_bytes)
{
	(void)arg;
	warn("%s: offset %" PRIu64 ": passed over %" PRIu64 " damaged bytes", name, off, n_bytes);
}

static int
open_source(const struct bpfsift_inputs *inputs, struct bpfsift_input *input, struct ebpf_err *err)
{
	unsigned flags = inputs->options->reader_flags | SIFT_READER_MAPPED;
	bool is_mixed = !(flags & SIFT_READER_LIBPCAP); /* which reads no such files */
	const struct sift_reader_opts opts = { .size = sizeof(opts),
					       .flags = flags | (is_mixed ? SIFT_READER_MIXED : 0),
					       .memlimit = inputs->options->memlimit,
					       .threads = inputs->options->threads,
					       .on_skip = tell_skipped,
					       .open_file = bpfsift_ask_input,
					       .open_arg = input };
	int rc = sift_source_open_savefile_opts(input->path, &opts, &input->source, err);

	if (rc < 0)
		return rc;
	input->size = sift_source_size(input->source);
	return sift_source_info(input->source, &input->info, err);
}

/* ---- opening lines ---- */

/* What several of them are put together in: standard error has no buffer of its own. */
struct lines {
	size_t used;
	char text[8192];
	int dlt; /* what linktype says, unless it is empty: to find that takes libpcap a search */
	char linktype[LINKTYPE_TEXT];
};

static void
write_lines(struct lines *lines)
{
	if (lines->used > 0)
		fwrite(lines->text, 1, lines->used, stderr);
	lines->used = 0;
}

static bool
put_opening(struct lines *lines, const struct bpfsift_input *input)
{
	size_t room = sizeof(lines->text) - lines->used;
	int len = snprintf(lines->text + lines->used, room,
			   "reading from file %s, %s, snapshot length %" PRIu32 "\n", input->path,
			   lines->linktype, input->info.snaplen);

	if (len < 0 || (size_t)len >= room)
		return false;
	lines->used += (size_t)len;
	return true;
}

static void
add_opening(struct lines *lines, const struct bpfsift_input *input)
{
	const char *name = sift_linktype_name(input->info.dlt);

	if (lines->linktype[0] == '\0' || lines->dlt != input->info.dlt)
		linktype_text(lines->dlt = input->info.dlt, lines->linktype);
	if (!put_opening(lines, input)) {
		write_lines(lines);
		put_opening(lines, input); /* no path is longer */
	}
	if (name != NULL && strcmp(name, "LINUX_SLL2") == 0) {
		write_lines(lines);
		fprintf(stderr, "Warning: interface names might be incorrect\n");
	}
}

static void
print_opening(const struct bpfsift_input *input)
{
	struct lines lines = { .used = 0 };

	add_opening(&lines, input);
	write_lines(&lines);
}

/* ---- looking at them ---- */

/* 1: it joins the series, which has it open; 0: it is none of those. */
static int
join_series(struct bpfsift_inputs *inputs, struct bpfsift_input *input, size_t *n_joined,
	    struct ebpf_err *err)
{
	int rc;

	if (input->fd < 0)
		return 0;
	rc = sift_series_add(inputs->series, input->path, input->fd, input->size, &input->info,
			     err);
	if (rc == 1) {
		input->n_in_series = 1;
		input->series_number = (*n_joined)++;
	} else {
		close(input->fd);
	}
	input->fd = -1;
	return rc;
}

static int
open_single(struct bpfsift_inputs *inputs, struct bpfsift_input *input, struct ebpf_err *err)
{
	int rc = open_source(inputs, input, err);

	if (rc < 0)
		return rc;
	if (inputs->n == 1 || inputs->options->merge)
		print_opening(input);
	else if (strcmp(input->path, "-") != 0)
		bpfsift_input_close(input);
	return 0;
}

/* Look at an input, and leave it open if it is to be.  1: so it is; 0: it is passed over. */
static int
look_at(struct bpfsift_inputs *inputs, struct bpfsift_input *input, size_t *n_joined,
	struct ebpf_err *err)
{
	int rc = join_series(inputs, input, n_joined, err);

	if (rc == 0)
		rc = open_single(inputs, input, err);
	if (rc < 0 && input->was_found && rc != -ENOMEM) {
		warn("%s: passed over", err->text);
		return 0;
	}
	if (rc < 0)
		return rc;
	if (input->info.snaplen > inputs->snaplen)
		inputs->snaplen = input->info.snaplen;
	if (input->info.precision == SIFT_PRECISION_NANO)
		inputs->precision = SIFT_PRECISION_NANO;
	return 1;
}

int
bpfsift_inputs_init(struct bpfsift_inputs *inputs, const struct bpfsift_options *options,
		    struct ebpf_err *err)
{
	const char *list = NULL; /* one that names nothing */
	int rc = 0;

	*inputs = (struct bpfsift_inputs){ .options = options };
	for (size_t i = 0; rc == 0 && i < options->n_inputs; i++) {
		const struct bpfsift_operand *operand = &options->inputs[i];

		rc = operand->is_list ? add_list(inputs, operand->path, err)
				      : add_path(inputs, operand->path, err);
		if (operand->is_list && inputs->n == 0)
			list = operand->path;
	}
	if (rc == 0 && inputs->n == 0 && list != NULL)
		rc = refuse(err, -ENOENT, "Nothing in %s", list);
	if (rc == 0 && inputs->n > 1 && options->reader_flags & SIFT_READER_FOLLOW)
		rc = refuse(err, -EINVAL, "--follow is for one file");
	return rc;
}

/* Who prints begins a printer for each link type, and sections are begun for each input. */
static bool
is_for_series(const struct bpfsift_options *options)
{
	return !options->merge && options->reader_flags == 0 &&
	       !bpfsift_printer_is_wanted(options) &&
	       (options->write_path == NULL || options->format == SIFT_FORMAT_PCAP);
}

/* How many can stay open, with the hard limit on that where the soft one is too low. */
static size_t
most_open(size_t wanted)
{
	struct rlimit limit;
	size_t most;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	if (limit.rlim_cur < wanted + OTHER_FILES) {
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit) < 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
			return 0;
	}
	most = limit.rlim_cur > OTHER_FILES ? limit.rlim_cur - OTHER_FILES : 0;
	return most < wanted ? most : wanted;
}

int
bpfsift_inputs_open_small(struct bpfsift_inputs *inputs, struct ebpf_err *err)
{
	size_t most, n = 0;

	if (inputs->n < 2 || !is_for_series(inputs->options))
		return 0;
	most = most_open(inputs->n < MOST_SMALL ? inputs->n : MOST_SMALL);
	for (size_t i = 0; i < inputs->n && n < most; i++) {
		struct bpfsift_input *input = &inputs->list[i];

		/* what is wrong with a file is told when it is looked at */
		if (input->is_regular && input->size <= SIFT_SERIES_FILE_MAX &&
		    strcmp(input->path, "-") != 0 &&
		    (input->fd = open(input->path, O_RDONLY | O_CLOEXEC)) >= 0)
			n++;
	}
	return sift_series_new(&inputs->series, err);
}

int
bpfsift_inputs_look(struct bpfsift_inputs *inputs, struct ebpf_err *err)
{
	size_t n_found = inputs->n, n_kept = 0, n_joined = 0;
	int rc = 0;

	for (size_t i = 0; i < n_found; i++) {
		struct bpfsift_input input = inputs->list[i];

		if (rc >= 0)
			rc = look_at(inputs, &input, &n_joined, err);
		if (rc == 0) {
			free(input.path);
			inputs->n--; /* a single one that is left stays open */
		} else {
			inputs->list[n_kept++] = input;
		}
	}
	for (size_t i = inputs->n; i-- > 1;) {
		if (inputs->list[i - 1].n_in_series > 0)
			inputs->list[i - 1].n_in_series += inputs->list[i].n_in_series;
	}
	if (rc >= 0 && inputs->n == 0)
		rc = refuse(err, -ENOENT, "no files to read");
	return rc < 0 ? rc : 0;
}

void
bpfsift_inputs_destroy(struct bpfsift_inputs *inputs)
{
	for (size_t i = 0; i < inputs->n; i++) {
		bpfsift_input_close(&inputs->list[i]);
		if (inputs->list[i].fd >= 0)
			close(inputs->list[i].fd);
		free(inputs->list[i].path);
	}
	sift_series_free(inputs->series);
	free(inputs->list);
}

int
bpfsift_input_open(const struct bpfsift_inputs *inputs, struct bpfsift_input *input,
		   struct ebpf_err *err)
{
	int rc = 0;

	/* named when it was looked at */
	if (input->source != NULL && (inputs->n == 1 || inputs->options->merge))
		return 0;
	if (input->source == NULL && (rc = open_source(inputs, input, err)) < 0)
		return rc;
	print_opening(input);
	return 0;
}

void
bpfsift_input_close(struct bpfsift_input *input)
{
	sift_source_close(input->source);
	input->source = NULL;
}

void
bpfsift_inputs_print_openings(const struct bpfsift_inputs *inputs, size_t first, size_t n)
{
	struct lines lines = { .used = 0 };

	for (size_t i = 0; i < n; i++)
		add_opening(&lines, &inputs->list[first + i]);
	write_lines(&lines);
}

struct bpfsift_kind
bpfsift_input_kind(const struct bpfsift_input *input)
{
	return (struct bpfsift_kind){ .dlt = input->info.dlt,
				      .expr_flags = input->info.expr_flags,
				      .snaplen = input->info.snaplen };
}

int
bpfsift_inputs_check_output(const struct bpfsift_inputs *inputs, const char *path,
			    struct ebpf_err *err)
{
	struct stat out;

	if (strcmp(path, "-") == 0 ? fstat(STDOUT_FILENO, &out) < 0 : stat(path, &out) < 0)
		return 0;
	for (size_t i = 0; S_ISREG(out.st_mode) && i < inputs->n; i++) {
		const struct bpfsift_input *in = &inputs->list[i];

		if (in->is_regular && in->dev == out.st_dev && in->ino == out.st_ino)
			return refuse(err, -EINVAL, "%s: the output is an input as well", in->path);
	}
	return 0;
}

int
bpfsift_inputs_check_linktypes(const struct bpfsift_inputs *inputs, struct ebpf_err *err)
{
	const struct bpfsift_input *first = &inputs->list[0];

	for (size_t i = 1; i < inputs->n; i++) {
		const struct bpfsift_input *input = &inputs->list[i];

		if (input->info.dlt != first->info.dlt ||
		    input->info.linktype_ext != first->info.linktype_ext)
			return refuse(err, -EINVAL, "%s and %s have different link types, which %s",
				      first->path, input->path,
				      inputs->options->format == SIFT_FORMAT_PCAPNG
					      ? "rotated files cannot hold"
				      : inputs->options->merge
					      ? "one pcap file cannot hold: --format=pcapng can"
					      : "one pcap file cannot hold: write a file for each, "
						"or --format=pcapng");
	}
	return 0;
}
