/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "tools/bpfsift_stats.h"

#include <inttypes.h>
#include <stdio.h>

#include "tools/bpfsift_privileges.h"
#include "tools/bpfsift_say.h"

static const char *
runtime_of(const struct bpfsift_figures *figures, bool is_in_kernel)
{
	if (is_in_kernel)
		return "the kernel";
	return figures->runtime == EBPF_RUNTIME_JIT ? "machine code" : "the interpreter";
}

/* ---- text ---- */

static void
print_figures(const struct bpfsift_figures *figures, bool is_in_kernel)
{
	fprintf(stderr,
		"  filter            %s\n"
		"  classic program   %zu instructions\n"
		"  extended program  %zu instructions\n"
		"  run by            %s\n",
		figures->expression != NULL ? figures->expression : "(none: every packet)",
		figures->n_classic, figures->n_extended, runtime_of(figures, is_in_kernel));
	if (figures->stats.runs != 0)
		fprintf(stderr, "  runs              %" PRIu64 ", of %.1f ns\n", figures->stats.runs,
			(double)figures->stats.nanoseconds / (double)figures->stats.runs);
	else
		fprintf(stderr, "  runs              0\n");
}

static void
print_text(const struct bpfsift_totals *totals, const struct bpfsift_filters *filters,
	   const struct sift_source_stats *live)
{
	for (const struct bpfsift_figures *f = filters->past; f != NULL; f = f->next)
		print_figures(f, totals->is_in_kernel);
	for (const struct bpfsift_filter *f = filters->first; f != NULL; f = f->next) {
		const struct bpfsift_figures figures = bpfsift_filters_figures(filters, f);

		print_figures(&figures, totals->is_in_kernel);
	}
	bpfsift_privileges_print(stderr);
	fprintf(stderr,
		"  packets in        %" PRIu64 "\n"
		"  packets out       %" PRIu64 "\n"
		"  too short         %" PRIu64 "\n"
		"  written           %" PRIu64 "\n",
		totals->seen, totals->matched, totals->too_short, totals->written);
	if (live != NULL)
		fprintf(stderr,
			"  received          %" PRIu64 "\n"
			"  dropped: kernel   %" PRIu64 "\n"
			"  dropped: device   %" PRIu64 "\n",
			live->received, live->dropped_kernel, live->dropped_interface);
}

/* ---- JSON ---- */

/* What is not ASCII, which no expression needs, is shown as what cannot be shown. */
static void
put_string(const char *text)
{
	fputc('"', stderr);
	for (const char *p = text; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;

		if (c >= 0x80)
			fputs("\\ufffd", stderr);
		else if (c < 0x20 || c == 0x7f)
			fprintf(stderr, "\\u%04x", c);
		else if (c == '"' || c == '\\')
			fprintf(stderr, "\\%c", c);
		else
			fputc(c, stderr);
	}
	fputc('"', stderr);
}

static void
put_figures(const struct bpfsift_figures *figures, bool is_in_kernel, const char *separator)
{
	const char *linktype = sift_linktype_name(figures->dlt);

	fprintf(stderr, "%s{\"expression\":", separator);
	put_string(figures->expression != NULL ? figures->expression : "");
	fprintf(stderr, ",\"link_type\":");
	put_string(linktype != NULL ? linktype : "");
	fprintf(stderr,
		",\"classic_instructions\":%zu,\"extended_instructions\":%zu,"
		"\"run_by\":\"%s\",\"runs\":%" PRIu64 ",\"nanoseconds\":%" PRIu64
		",\"misses\":%" PRIu64 "}",
		figures->n_classic, figures->n_extended, runtime_of(figures, is_in_kernel),
		figures->stats.runs, figures->stats.nanoseconds, figures->stats.misses);
}

static void
print_json(const struct bpfsift_totals *totals, const struct bpfsift_filters *filters,
	   const struct sift_source_stats *live)
{
	const char *separator = "";

	fprintf(stderr,
		"{\"packets\":{\"seen\":%" PRIu64 ",\"matched\":%" PRIu64 ",\"too_short\":%" PRIu64
		",\"written\":%" PRIu64 "},",
		totals->seen, totals->matched, totals->too_short, totals->written);
	if (live != NULL)
		fprintf(stderr,
			"\"interface\":{\"received\":%" PRIu64 ",\"dropped_by_kernel\":%" PRIu64
			",\"dropped_by_interface\":%" PRIu64 "},",
			live->received, live->dropped_kernel, live->dropped_interface);
	fprintf(stderr, "\"filters\":[");
	for (const struct bpfsift_figures *f = filters->past; f != NULL; f = f->next) {
		put_figures(f, totals->is_in_kernel, separator);
		separator = ",";
	}
	for (const struct bpfsift_filter *f = filters->first; f != NULL; f = f->next) {
		const struct bpfsift_figures figures = bpfsift_filters_figures(filters, f);

		put_figures(&figures, totals->is_in_kernel, separator);
		separator = ",";
	}
	fprintf(stderr, "]}\n");
}

void
bpfsift_print_stats(const struct bpfsift_totals *totals, const struct bpfsift_filters *filters)
{
	struct sift_source_stats stats = { .size = sizeof(stats) };
	const struct sift_source_stats *live = NULL;
	struct ebpf_err err;

	if (totals->live != NULL) {
		if (sift_source_stats(totals->live, &stats, &err) == 0)
			live = &stats;
		else
			complain(&err);
	}
	if (filters->options->stats == BPFSIFT_STATS_JSON)
		print_json(totals, filters, live);
	else
		print_text(totals, filters, live);
}
