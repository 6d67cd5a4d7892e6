/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "tools/bpfsift_filter.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/bpfsift_ask.h"
#include "tools/bpfsift_privileges.h"
#include "tools/bpfsift_say.h"
#include "tools/native.h"
#include "tools/native_gdb.h"

static int
join_arguments(char **arguments, char **joined, struct ebpf_err *err)
{
	size_t len = 0;
	char *to;

	if (arguments[0] == NULL)
		return 0;
	for (char **each = arguments; *each != NULL; each++)
		len += strlen(*each) + 1;
	*joined = to = malloc(len);
	if (to == NULL)
		return refuse(err, -ENOMEM, "out of memory");
	for (char **each = arguments; *each != NULL; each++) {
		len = strlen(*each);
		memcpy(to, *each, len);
		to += len;
		*to++ = each[1] != NULL ? ' ' : '\0';
	}
	return 0;
}

static int
read_all(FILE *file, const char *path, char **text, struct ebpf_err *err)
{
	size_t len = 0, size = 0;
	char *buf = NULL;

	do {
		char *larger = realloc(buf, size = 2 * size + 4096);

		if (larger == NULL) {
			free(buf);
			return refuse(err, -ENOMEM, "%s: out of memory", path);
		}
		buf = larger;
		len += fread(buf + len, 1, size - 1 - len, file);
	} while (len == size - 1);
	if (ferror(file)) {
		free(buf);
		return refuse(err, -EIO, "read %s: %s", path, strerror(errno));
	}
	buf[len] = '\0';
	*text = buf;
	return 0;
}

/* A file of -F, in which '#' starts a comment; it is closed. */
static int
read_filter(FILE *file, const char *path, char **text, struct ebpf_err *err)
{
	int rc;

	if (file == NULL)
		return refuse(err, -errno, "can't open %s: %s", path, strerror(errno));
	rc = read_all(file, path, text, err);
	if (file != stdin)
		fclose(file);
	if (rc < 0)
		return rc;
	for (char *p = *text; (p = strchr(p, '#')) != NULL;) {
		size_t len = strcspn(p, "\n");

		memset(p, ' ', len);
		p += len;
	}
	return 0;
}

int
bpfsift_filters_init(struct bpfsift_filters *filters, const struct bpfsift_options *options,
		     struct ebpf_err *err)
{
	const char *path = options->filter_path;

	*filters = (struct bpfsift_filters){ .options = options, .past_end = &filters->past };
	if (path != NULL)
		return read_filter(strcmp(path, "-") == 0 ? stdin : fopen(path, "r"), path,
				   &filters->expression, err);
	return join_arguments(options->expression, &filters->expression, err);
}

int
bpfsift_filters_read(struct bpfsift_filters *filters, const struct bpfsift_options *options, int fd,
		     struct ebpf_err *err)
{
	FILE *file = fdopen(fd, "r");

	*filters = (struct bpfsift_filters){ .options = options, .past_end = &filters->past };
	if (file == NULL)
		close(fd);
	return read_filter(file, options->filter_path, &filters->expression, err);
}

static void
filter_free(struct bpfsift_filter *f)
{
	sift_filter_free(f->filter);
	free(f->insns);
	free(f);
}

static void
free_list(struct bpfsift_filters *filters)
{
	struct bpfsift_filter *next;

	for (struct bpfsift_filter *f = filters->first; f != NULL; f = next) {
		next = f->next;
		filter_free(f);
	}
	free(filters->expression);
}

void
bpfsift_filters_destroy(struct bpfsift_filters *filters)
{
	struct bpfsift_figures *next;

	bpfsift_filters_release(filters);
	for (struct bpfsift_figures *f = filters->past; f != NULL; f = next) {
		next = f->next;
		free((char *)(uintptr_t)f->expression);
		free(f);
	}
	free_list(filters);
}

int
bpfsift_filters_compile(const struct bpfsift_filters *filters, const struct bpfsift_kind *kind,
			struct cbpf_insn **insns, size_t *n_insns, struct ebpf_err *err)
{
	unsigned flags = filters->options->no_optimize ? SIFT_EXPR_NO_OPTIMIZE : 0;

	/* Names in it are looked up, in files and on the network. */
	if (bpfsift_privileges_are_dropped())
		return bpfsift_ask_compile(kind, insns, n_insns, err);
	/* Netmask 0, as tcpdump has it: 'ip broadcast' then means the two that all nets have. */
	return sift_expr_compile(filters->expression, kind->dlt, kind->snaplen, 0,
				 kind->expr_flags | flags, insns, n_insns, err);
}

/* To those who look at the process from outside, as far as they were announced. */
static int
name_code(const struct bpfsift_options *options, const struct ebpf_prog *prog,
	  struct ebpf_err *err)
{
	int rc = 0;

	if (options->perf_map)
		rc = native_perf_map(prog, "bpfsift_filter",
				     bpfsift_privileges_are_dropped()
					     ? bpfsift_ask_perf_map()
					     : native_perf_map_open(getpid()),
				     err);
	if (rc == 0 && options->gdb)
		rc = native_gdb(prog, "bpfsift_filter", err);
	return rc;
}

/*
 * Of several link types one may be such that no packet of it matches: libpcap's optimiser
 * would find that out, and refuse.
 */
static int
compile_anyway(const struct bpfsift_filters *filters, const struct bpfsift_kind *kind,
	       struct cbpf_insn **insns, size_t *n_insns)
{
	struct bpfsift_kind plain = *kind;
	struct ebpf_err unsaid;

	plain.expr_flags |= SIFT_EXPR_NO_OPTIMIZE;
	return bpfsift_filters_compile(filters, &plain, insns, n_insns, &unsaid);
}

static int
make_filter(const struct bpfsift_options *options, struct bpfsift_filter *f, struct ebpf_err *err)
{
	struct ebpf_policy policy = { .size = sizeof(policy), .jit = options->jit };
	struct sift_filter_opts opts = { .size = sizeof(opts), .policy = &policy };
	struct cbpf_prog *prog;
	int rc = cbpf_check(f->insns, f->n_insns, CBPF_DIALECT_PCAP, &prog, err);

	if (rc < 0)
		return rc;
	if (options->stats != BPFSIFT_STATS_NONE)
		opts.flags = SIFT_FILTER_TELLS_TOO_SHORT | SIFT_FILTER_COUNTED;
	rc = sift_filter_new(prog, &opts, &f->filter, err);
	cbpf_prog_free(prog);
	return rc < 0 ? rc : name_code(options, sift_filter_ebpf(f->filter), err);
}

int
bpfsift_filters_get(struct bpfsift_filters *filters, const struct bpfsift_kind *kind,
		    const struct bpfsift_filter **filter, struct ebpf_err *err)
{
	struct bpfsift_filter **link = &filters->first, *f;
	int rc;

	for (; (f = *link) != NULL; link = &f->next) {
		if (f->kind.dlt == kind->dlt && f->kind.expr_flags == kind->expr_flags) {
			*filter = f;
			return 0;
		}
	}
	f = calloc(1, sizeof(*f));
	if (f == NULL)
		return refuse(err, -ENOMEM, "out of memory");
	f->kind = *kind;
	rc = bpfsift_filters_compile(filters, kind, &f->insns, &f->n_insns, err);
	if (rc < 0 && kind->may_match_none &&
	    compile_anyway(filters, kind, &f->insns, &f->n_insns) == 0)
		rc = 0;
	if (rc < 0 || (rc = make_filter(filters->options, f, err)) < 0) {
		filter_free(f);
		return rc;
	}
	*filter = *link = f;
	return 0;
}

/* ---- replacing ---- */

/* Filters for the same kinds of packets, in the same order, of what the helper has read. */
static int
make_alike(const struct bpfsift_filters *filters, struct bpfsift_filters *made,
	   struct ebpf_err *err)
{
	const char *path = filters->options->filter_path;
	struct ebpf_err why;
	int fd, rc;

	if ((fd = bpfsift_ask_filter(&why)) < 0)
		return refuse(err, fd, "%s", why.text);
	if ((rc = bpfsift_filters_read(made, filters->options, fd, &why)) < 0)
		refuse(err, rc, "%s", why.text);
	for (const struct bpfsift_filter *f = filters->first; rc == 0 && f != NULL; f = f->next) {
		const struct bpfsift_filter *unused;

		if ((rc = bpfsift_filters_get(made, &f->kind, &unused, &why)) < 0)
			refuse(err, rc, "%s: %s", path, why.text);
	}
	if (rc < 0)
		bpfsift_ask_filter_back();
	return rc;
}

int
bpfsift_filters_reload(struct bpfsift_filters *filters, struct ebpf_err *err)
{
	struct bpfsift_filters *made = calloc(1, sizeof(*made));
	struct bpfsift_filter *with;
	char *expression;
	int rc;

	if (made == NULL)
		return refuse(err, -ENOMEM, "out of memory");
	if ((rc = make_alike(filters, made, err)) < 0) {
		free_list(made);
		free(made);
		return rc;
	}
	with = made->first;
	for (struct bpfsift_filter *f = filters->first; f != NULL; f = f->next) {
		struct bpfsift_filter before = *f;

		assert(with != NULL); /* made alike: there are as many */
		sift_filter_replace(f->filter, with->filter);
		f->insns = with->insns;
		f->n_insns = with->n_insns;
		with->insns = before.insns;
		with->n_insns = before.n_insns;
		with = with->next;
	}
	expression = filters->expression;
	filters->expression = made->expression;
	made->expression = expression;
	made->replaced = filters->replaced;
	filters->replaced = made;
	return 0;
}

struct bpfsift_figures
bpfsift_filters_figures(const struct bpfsift_filters *filters, const struct bpfsift_filter *f)
{
	const struct ebpf_prog *prog = sift_filter_ebpf(f->filter);
	struct bpfsift_figures figures = {
		.expression = filters->expression,
		.dlt = f->kind.dlt,
		.n_classic = f->n_insns,
		.runtime = ebpf_prog_runtime(prog),
		.stats.size = sizeof(figures.stats),
	};

	ebpf_prog_insns(prog, &figures.n_extended);
	ebpf_prog_stats(prog, &figures.stats);
	return figures;
}

/* Where memory has run out, there is one line less in the statistics. */
static void
keep_figures(struct bpfsift_filters *filters, const struct bpfsift_filters *of,
	     const struct bpfsift_filter *f)
{
	struct bpfsift_figures *kept = malloc(sizeof(*kept));

	if (kept == NULL)
		return;
	*kept = bpfsift_filters_figures(of, f);
	if (kept->expression != NULL && (kept->expression = strdup(kept->expression)) == NULL) {
		free(kept);
		return;
	}
	*filters->past_end = kept;
	filters->past_end = &kept->next;
}

/* The oldest of them are at the end. */
void
bpfsift_filters_release(struct bpfsift_filters *filters)
{
	while (filters->replaced != NULL) {
		struct bpfsift_filters **link = &filters->replaced, *oldest;

		while ((*link)->replaced != NULL)
			link = &(*link)->replaced;
		oldest = *link;
		*link = NULL;
		for (struct bpfsift_filter *f = oldest->first;
		     f != NULL && filters->options->stats != BPFSIFT_STATS_NONE; f = f->next)
			keep_figures(filters, oldest, f);
		free_list(oldest);
		free(oldest);
	}
}
