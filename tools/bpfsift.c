/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bpfsift: what tcpdump does with -r, -w and a filter, on our own engine.
 *
 * Options, messages and exit status; the work is the library's.  Messages are
 * worded as tcpdump's where tcpdump has them, since scripts read them.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/bpfsift_ask.h"
#include "tools/bpfsift_children.h"
#include "tools/bpfsift_filter.h"
#include "tools/bpfsift_inputs.h"
#include "tools/bpfsift_live.h"
#include "tools/bpfsift_options.h"
#include "tools/bpfsift_output.h"
#include "tools/bpfsift_printer.h"
#include "tools/bpfsift_privileges.h"
#include "tools/bpfsift_progress.h"
#include "tools/bpfsift_say.h"
#include "tools/bpfsift_signals.h"
#include "tools/bpfsift_stats.h"
#include "tools/native.h"

enum { DEFAULT_SNAPLEN = 262144 };
enum { ETHERNET = 1 }; /* DLT_EN10MB, assumed where nothing else is said */

/* What a run has at hand. */
struct run {
	const struct bpfsift_options *options;
	struct bpfsift_filters filters;
	struct bpfsift_output output;
	struct bpfsift_printer printer;
	struct sift_sink *sink; /* NULL: none, or not yet */
	int shown_dlt;          /* of the packets that are printed, */
	uint32_t shown_ext;     /* and what a savefile's header says beside it */
	int status;             /* EXIT_FAILURE: a printer failed */
	uint32_t snaplen;       /* that packets are cut to; 0: they are not */
	bool is_in_kernel;      /* the filter: what comes matches */
	uint64_t seen, matched, too_short, written;
	uint64_t bytes; /* of files that are done with */
	/* The run that lasts; else NULL. */
	struct sift_source *source;
	const struct sift_pipeline *pipeline;
	/* Where it is a series: of which inputs, from the first on, and how many have been told. */
	const struct bpfsift_inputs *inputs;
	size_t first, n_opened;
};

static void
print_version(FILE *to)
{
	fprintf(to, "bpfsift version %s\n%s\n", VERSION, sift_libpcap_version());
}

/* stdout is checked once, here: a full disk is not a success. */
static int
finish_stdout(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "bpfsift: standard output: %s\n", strerror(errno));
	return EXIT_FAILURE;
}

/* ---- running ---- */

static enum sift_precision
precision_of(const struct bpfsift_options *options, const struct sift_source_info *info)
{
	return options->has_precision ? options->precision : info->precision;
}

/* Lines on standard output, for packets of one link type. */
static int
open_printer(struct run *run, const struct sift_source_info *info, struct sift_sink **sink,
	     struct ebpf_err *err)
{
	uint32_t cut = run->snaplen;

	run->shown_dlt = info->dlt;
	run->shown_ext = info->linktype_ext;
	return bpfsift_printer_open(&run->printer, info, precision_of(run->options, info),
				    cut != 0 && cut < info->snaplen ? cut : info->snaplen, sink,
				    err);
}

/* Both the savefile and the lines. */
static int
open_both(struct run *run, const struct sift_source_info *info, struct ebpf_err *err)
{
	struct sift_sink *file, *lines;
	int rc = bpfsift_output_open(&run->output, info, run->snaplen, &file, err);

	if (rc < 0)
		return rc;
	if ((rc = open_printer(run, info, &lines, err)) < 0)
		goto fail_lines;
	if ((rc = sift_sink_open_tee(file, lines, &run->sink, err)) < 0)
		goto fail_tee;
	return 0;
fail_tee:
	sift_sink_close(lines, NULL);
fail_lines:
	sift_sink_close(file, NULL);
	return rc;
}

/* Where packets go, if anywhere. */
static int
open_output(struct run *run, const struct sift_source_info *info, struct ebpf_err *err)
{
	bool is_printed = bpfsift_printer_is_wanted(run->options);

	if (run->options->write_path == NULL)
		return is_printed ? open_printer(run, info, &run->sink, err) : 0;
	if (is_printed)
		return open_both(run, info, err);
	return bpfsift_output_open(&run->output, info, run->snaplen, &run->sink, err);
}

static int
close_output(struct run *run, struct ebpf_err *err)
{
	struct sift_sink *sink = run->sink;
	int rc;

	run->sink = NULL;
	/* What came in the batch after the last packet that was wanted does not count. */
	if (run->output.is_full) {
		run->matched = run->output.n_packets + 1;
		run->written = run->output.n_packets;
	}
	bpfsift_printer_finish(&run->printer);
	rc = sift_sink_close(sink, err);
	if (rc < 0 && bpfsift_printer_has_failed(&run->printer, err))
		rc = 0;
	if (bpfsift_printer_wait(&run->printer) != EXIT_SUCCESS)
		run->status = EXIT_FAILURE;
	return rc;
}

/* One printer after the other: for packets of another link type it takes another one. */
static int
turn_to_input(struct run *run, const struct sift_source_info *info, struct ebpf_err *err)
{
	int rc;

	if (run->sink != NULL &&
	    (run->options->write_path != NULL ||
	     (run->shown_dlt == info->dlt && run->shown_ext == info->linktype_ext)))
		return 0;
	if ((rc = close_output(run, err)) < 0)
		return rc;
	return run->options->write_path == NULL ? open_output(run, info, err) : 0;
}

/* Say what failed, unless it is the printer: that has spoken, or will. */
static int
fail(const struct run *run, const struct ebpf_err *err)
{
	return bpfsift_printer_has_failed(&run->printer, err) ? EXIT_SUCCESS : complain(err);
}

static bool
is_flushed(const struct bpfsift_options *options)
{
	return options->packet_buffered || options->line_buffered ||
	       options->reader_flags & SIFT_READER_FOLLOW ||
	       (bpfsift_printer_is_wanted(options) &&
		(options->n_inputs == 0 || isatty(STDOUT_FILENO)));
}

static void
tell_progress(const struct run *run)
{
	struct sift_pipeline_counters counters = { .size = sizeof(counters) };
	struct bpfsift_done done = { .bytes = run->bytes + sift_source_position(run->source) };

	sift_pipeline_counters(run->pipeline, &counters, NULL);
	done.seen = run->seen + counters.seen;
	done.matched = run->matched + counters.matched;
	bpfsift_progress_tell(&done);
}

/* Another filter, or the one that was there and a line that says why. */
static void
reload(struct run *run)
{
	struct ebpf_err err;

	clear_line();
	if (bpfsift_filters_reload(&run->filters, &err) < 0)
		fprintf(stderr, "bpfsift: %s (the filter stays as it was)\n", err.text);
	else
		fprintf(stderr, "bpfsift: filter read again from %s\n", run->options->filter_path);
	/* the packets of an interface are judged by this thread alone */
	if (run->options->n_inputs == 0)
		bpfsift_filters_release(&run->filters);
}

/* Opening lines, of the first n files of a series, as far as they are still to be said. */
static void
tell_opened(struct run *run, size_t n)
{
	if (n <= run->n_opened)
		return;
	clear_line();
	bpfsift_inputs_print_openings(run->inputs, run->first + run->n_opened, n - run->n_opened);
	run->n_opened = n;
}

/* What signals have asked for since the last batch. */
static int
do_what_is_asked(void *arg, struct ebpf_err *err)
{
	struct run *run = arg;

	if (run->inputs != NULL)
		tell_opened(run, sift_series_done(run->source));
	if (bpfsift_signals_take(BPFSIFT_RELOAD))
		reload(run);
	if (bpfsift_signals_take(BPFSIFT_PROGRESS))
		tell_progress(run);
	if (bpfsift_signals_take(BPFSIFT_COUNTS))
		bpfsift_signals_print_counts();
	if (!bpfsift_signals_take(BPFSIFT_FLUSH) || run->sink == NULL)
		return 0;
	return sift_sink_flush(run->sink, err);
}

/* For packets of a link type, which a file's later interfaces may have for the first time. */
static int
filter_for(void *arg, int dlt, unsigned expr_flags, const struct sift_filter **filter,
	   struct ebpf_err *err)
{
	struct run *run = arg;
	const struct bpfsift_kind kind = { dlt, expr_flags, DEFAULT_SNAPLEN,
					   .may_match_none = true };
	const struct bpfsift_filter *found;
	const char *name = sift_linktype_name(dlt);
	struct ebpf_err why;
	int rc = bpfsift_filters_get(&run->filters, &kind, &found, &why);

	if (rc < 0)
		return refuse(err, rc, "link type %s: %s", name != NULL ? name : "(unnamed)",
			      why.text);
	*filter = found->filter;
	return 0;
}

static int
run_pipeline(struct run *run, struct sift_source *source, struct ebpf_err *err)
{
	const struct bpfsift_options *options = run->options;
	struct sift_pipeline_opts opts = {
		.size = sizeof(opts),
		.source = source,
		.filter_for = run->is_in_kernel ? NULL : filter_for,
		.filter_arg = run,
		.sink = run->sink,
		.max_matched = options->max_matched != 0 ? options->max_matched - run->matched : 0,
		.snaplen = run->snaplen,
		/* Children are this thread's to start: see bpfsift_children.c. */
		.threads = options->command != NULL ? 1 : options->threads,
		.between = do_what_is_asked,
		.between_arg = run,
	};
	struct sift_pipeline_counters counters = { .size = sizeof(counters) };
	struct bpfsift_counted counted = { .source = source,
					   .is_live = options->n_inputs == 0,
					   .seen = run->seen,
					   .matched = run->matched };
	struct sift_pipeline *pipeline;
	int rc;

	if (is_flushed(options))
		opts.flags |= SIFT_PIPELINE_FLUSH;
	if ((rc = sift_pipeline_new(&opts, &pipeline, err)) < 0)
		return rc;
	counted.pipeline = run->pipeline = pipeline;
	run->source = source;
	bpfsift_signals_tell_of(&counted);
	bpfsift_signals_stop(source);
	rc = sift_pipeline_run(pipeline, err);
	bpfsift_signals_stop(NULL);
	bpfsift_signals_tell_of(NULL);
	clear_line();
	sift_pipeline_counters(pipeline, &counters, NULL);
	run->seen += counters.seen;
	run->matched += counters.matched;
	run->too_short += counters.too_short;
	run->written += counters.written;
	run->bytes += sift_source_position(source);
	sift_pipeline_free(pipeline);
	bpfsift_filters_release(&run->filters);
	if (rc == -EPROTOTYPE &&
	    (options->write_path == NULL || options->format == SIFT_FORMAT_PCAP)) {
		struct ebpf_err why = *err;

		/* what prints reads pcap */
		refuse(err, rc, "%s: %s can", why.text,
		       options->write_path == NULL ? "--printer=none" : "--format=pcapng");
	}
	return rc;
}

static void
print_stats(const struct run *run, struct sift_source *live)
{
	const struct bpfsift_totals totals = { .seen = run->seen,
					       .matched = run->matched,
					       .too_short = run->too_short,
					       .written = run->written,
					       .live = live,
					       .is_in_kernel = run->is_in_kernel };

	if (run->options->stats != BPFSIFT_STATS_NONE)
		bpfsift_print_stats(&totals, &run->filters);
}

/*
 * As tcpdump: what was interrupted may have left "^C" on the line where the counts are to
 * begin.
 */
static void
end_line(const struct bpfsift_options *options)
{
	if (bpfsift_is_interrupted() && options->write_path == NULL) {
		putchar('\n');
		fflush(stdout);
	}
}

/* ---- savefiles ---- */

/* -c: the last packet was found. */
static bool
is_full(const struct run *run)
{
	return run->options->max_matched != 0 && run->matched >= run->options->max_matched;
}

static bool
has_enough(const struct run *run)
{
	return bpfsift_is_stopping() || is_full(run);
}

/*
 * Whether it has, after a run that ended with rc.  If so by what was not seen before, that is
 * told, too; that memory is out is said once.
 */
static bool
has_output_failed(const struct run *run, int rc)
{
	struct ebpf_err err = { "" };
	int flushed;

	if (run->sink == NULL || sift_sink_has_failed(run->sink))
		return run->sink != NULL;
	if ((flushed = sift_sink_flush(run->sink, &err)) == 0)
		return false;
	if (flushed != -ENOMEM || rc != -ENOMEM)
		fail(run, &err);
	return true;
}

/*
 * Small files from input i on; *n_done becomes how many are done with.  Only what is wrong with
 * the output is told: all else, the next file meets by itself, or does not.
 */
static int
move_series(struct run *run, const struct bpfsift_inputs *inputs, size_t i, size_t *n_done,
	    struct ebpf_err *err)
{
	size_t n = inputs->list[i].n_in_series;
	struct sift_source *source;
	int rc;

	if (sift_source_open_series(inputs->series, inputs->list[i].series_number, n, &source,
				    err) < 0)
		return 0;
	run->inputs = inputs;
	run->first = i;
	run->n_opened = 0;
	rc = run_pipeline(run, source, err);
	if (rc < 0 && !has_output_failed(run, rc))
		rc = 0;
	*n_done = sift_series_done(source);
	/* one more was begun where the output has failed, or the last packet was found */
	tell_opened(run, *n_done + (*n_done < n && (rc < 0 || is_full(run))));
	run->inputs = NULL;
	sift_source_close(source);
	return rc;
}

static int
open_single(struct run *run, struct bpfsift_inputs *inputs, size_t i, struct ebpf_err *err)
{
	struct bpfsift_input *input = &inputs->list[i];
	struct bpfsift_kind kind = bpfsift_input_kind(input);
	const struct bpfsift_filter *filter;
	struct sift_source_info info;
	int rc;

	if ((rc = bpfsift_filters_get(&run->filters, &kind, &filter, err)) < 0 ||
	    (rc = bpfsift_input_open(inputs, input, err)) < 0)
		return rc;
	info = input->info;
	info.snaplen = inputs->snaplen; /* a printer may be for those behind it too */
	return turn_to_input(run, &info, err);
}

/* One input after another; a damaged one is told of, and the next one begun. */
static int
move_inputs(struct run *run, struct bpfsift_inputs *inputs, struct ebpf_err *err)
{
	int status = EXIT_SUCCESS;

	for (size_t i = 0, n_done; i < inputs->n && !has_enough(run); i += n_done) {
		struct bpfsift_input *input = &inputs->list[i];
		int rc = 0;

		n_done = 0;
		if (input->n_in_series > 0) {
			rc = move_series(run, inputs, i, &n_done, err);
			/* the one in front of which it has ended, if any, is read by itself */
			if (n_done == 0)
				input->n_in_series = 0;
		} else {
			if (open_single(run, inputs, i, err) < 0)
				return fail(run, err);
			rc = run_pipeline(run, input->source, err);
			bpfsift_input_close(input);
			n_done = 1;
		}
		if (rc < 0) {
			status = fail(run, err);
			if (has_output_failed(run, rc))
				return status;
		}
	}
	return status;
}

static int
move_merged(struct run *run, struct bpfsift_inputs *inputs, struct ebpf_err *err)
{
	struct sift_source **sources = calloc(inputs->n, sizeof(struct sift_source *)), *merged;
	struct sift_source_info info = { .size = sizeof(info) };
	struct bpfsift_kind kind = bpfsift_input_kind(&inputs->list[0]);
	const struct bpfsift_filter *filter;
	int rc;

	if (sources == NULL) {
		refuse(err, -ENOMEM, "out of memory");
		return complain(err);
	}
	for (size_t i = 0; i < inputs->n; i++)
		sources[i] = inputs->list[i].source;
	rc = sift_source_open_merged(sources, inputs->n, &merged, err);
	free(sources);
	if (rc < 0)
		return complain(err);
	for (size_t i = 0; i < inputs->n; i++)
		inputs->list[i].source = NULL; /* the merged one's now */
	if ((rc = sift_source_info(merged, &info, err)) == 0 &&
	    (rc = bpfsift_filters_get(&run->filters, &kind, &filter, err)) == 0 &&
	    (rc = turn_to_input(run, &info, err)) == 0)
		rc = run_pipeline(run, merged, err);
	sift_source_close(merged);
	return rc < 0 ? fail(run, err) : EXIT_SUCCESS;
}

static bool
holds_one_linktype(const struct bpfsift_options *options)
{
	return options->write_path != NULL &&
	       (options->format == SIFT_FORMAT_PCAP || bpfsift_output_is_rotated(options));
}

/* What can be wrong with any of the inputs, before anything is written. */
static int
prepare_inputs(struct run *run, const struct bpfsift_inputs *inputs, struct ebpf_err *err)
{
	struct sift_source_info info = inputs->list[0].info;
	int rc;

	for (size_t i = 0; i < inputs->n; i++) {
		struct bpfsift_kind kind = bpfsift_input_kind(&inputs->list[i]);
		const struct bpfsift_filter *filter;

		if ((rc = bpfsift_filters_get(&run->filters, &kind, &filter, err)) < 0)
			return rc;
	}
	if (holds_one_linktype(run->options) &&
	    (rc = bpfsift_inputs_check_linktypes(inputs, err)) < 0)
		return rc;
	info.snaplen = inputs->snaplen;
	info.precision = inputs->precision;
	return run->options->write_path != NULL ? open_output(run, &info, err) : 0;
}

static int
filter_inputs(struct run *run, struct bpfsift_inputs *inputs)
{
	const struct bpfsift_options *options = run->options;
	struct ebpf_err err;
	int status;

	run->snaplen = options->snaplen;
	bpfsift_signals_catch(options);
	if (prepare_inputs(run, inputs, &err) < 0)
		return fail(run, &err);
	bpfsift_progress_begin(options, inputs);
	status = options->merge && inputs->n > 1 ? move_merged(run, inputs, &err)
						 : move_inputs(run, inputs, &err);
	bpfsift_progress_end();
	if (close_output(run, &err) < 0)
		status = complain(&err);
	end_line(options);
	if (options->count)
		print_packets(stdout, run->matched, "");
	print_stats(run, NULL);
	return status;
}

/* ---- interfaces ---- */

static int
filter_live(struct run *run, struct bpfsift_live *live)
{
	const struct bpfsift_kind kind = { .dlt = live->info.dlt,
					   .expr_flags = live->info.expr_flags,
					   .snaplen = live->info.snaplen };
	const struct bpfsift_filter *filter;
	struct ebpf_err err;
	int status = EXIT_SUCCESS;

	bpfsift_signals_catch(run->options);
	if (bpfsift_filters_get(&run->filters, &kind, &filter, &err) < 0)
		return complain(&err);
	/* -s after the filter, which judges packets whole. */
	run->snaplen = run->options->snaplen != 0 ? live->info.snaplen : 0;
	/* Before the drop: the kernel takes programs from the privileged. */
	bpfsift_live_attach(live, filter->filter, run->filters.expression != NULL);
	run->is_in_kernel = live->is_in_kernel;
	if (bpfsift_privileges_drop(run->options, run->options->reload, &err) < 0 ||
	    open_output(run, &live->info, &err) < 0)
		return fail(run, &err);
	if (run->options->foreign && bpfsift_printer_is_wanted(run->options))
		warn("-f has no effect: the printer does not know the networks");
	bpfsift_live_print_opening(live);
	bpfsift_progress_begin(run->options, NULL);
	if (run_pipeline(run, live->source, &err) < 0)
		status = fail(run, &err);
	bpfsift_progress_end();
	if (close_output(run, &err) < 0)
		status = complain(&err);
	end_line(run->options);
	bpfsift_live_print_counts(live, run->matched);
	print_stats(run, live->source);
	return status;
}

/* ---- what is asked for ---- */

static int
dump_classic(const struct run *run, const struct bpfsift_kind *kind, struct ebpf_err *err)
{
	struct cbpf_insn *insns;
	size_t n_insns, len;
	char *text;
	int rc = bpfsift_filters_compile(&run->filters, kind, &insns, &n_insns, err);

	if (rc < 0)
		return rc;
	rc = cbpf_print(insns, n_insns, run->options->dump_form, &text, &len, err);
	free(insns);
	if (rc < 0)
		return rc;
	fwrite(text, 1, len, stdout);
	free(text);
	return 0;
}

static int
dump(struct run *run, const struct bpfsift_kind *kind)
{
	const struct bpfsift_filter *filter;
	struct ebpf_err err;
	int rc;

	if (run->options->dump_form != CBPF_FORM_AUTO)
		rc = dump_classic(run, kind, &err);
	else if ((rc = bpfsift_filters_get(&run->filters, kind, &filter, &err)) == 0)
		rc = native_dump(sift_filter_ebpf(filter->filter), stdout, &err);
	return rc < 0 ? complain(&err) : EXIT_SUCCESS;
}

static bool
is_dump(const struct bpfsift_options *options)
{
	return options->dump_form != CBPF_FORM_AUTO || options->dump_native;
}

/* Nothing of a file is read before privileges go; what is not open then the helper opens. */
static int
begin_inputs(struct run *run, struct bpfsift_inputs *inputs,
	     const struct bpfsift_helper_knows *knows, struct ebpf_err *err)
{
	const struct bpfsift_options *options = run->options;
	struct ebpf_err later;
	int rc, filter_rc;

	if ((rc = bpfsift_inputs_init(inputs, options, err)) < 0)
		return rc;
	/* What is wrong with the first file is said first. */
	filter_rc = bpfsift_filters_init(&run->filters, options, &later);
	if (options->write_path != NULL &&
	    (rc = bpfsift_inputs_check_output(inputs, options->write_path, err)) < 0)
		return rc;
	if (options->dump_native)
		native_prepare();
	if ((rc = bpfsift_ask_start(knows, err)) < 0)
		return rc;
	if (!is_dump(options) && (rc = bpfsift_inputs_open_small(inputs, err)) < 0)
		return rc;
	/* What is compiled for depends on what the files say. */
	if ((rc = bpfsift_privileges_drop(options, true, err)) < 0)
		return rc;
	if ((rc = bpfsift_inputs_look(inputs, err)) < 0)
		return rc;
	return filter_rc < 0 ? refuse(err, filter_rc, "%s", later.text) : 0;
}

static int
run_inputs(struct run *run)
{
	struct bpfsift_inputs inputs;
	const struct bpfsift_helper_knows knows = { run->options, &inputs, &run->filters };
	struct ebpf_err err;
	int status;

	if (begin_inputs(run, &inputs, &knows, &err) < 0) {
		status = complain(&err);
	} else if (is_dump(run->options)) {
		struct bpfsift_kind kind = bpfsift_input_kind(&inputs.list[0]);

		status = bpfsift_input_open(&inputs, &inputs.list[0], &err) < 0 ? complain(&err)
										: dump(run, &kind);
	} else {
		status = filter_inputs(run, &inputs);
	}
	bpfsift_inputs_destroy(&inputs);
	return status;
}

static int
run_live(struct run *run)
{
	struct bpfsift_live live = { .options = run->options, .info.size = sizeof(live.info) };
	/* What it compiles is what it has read again. */
	const struct bpfsift_helper_knows knows = { .options = run->options };
	struct ebpf_err err;
	int status = EXIT_SUCCESS;

	/* The interface is no matter of the helper, which is there before it. */
	if (bpfsift_ask_start(&knows, &err) < 0 || bpfsift_live_open(&live, &err) < 0) {
		status = complain(&err);
	} else if (run->options->list_linktypes) {
		if (bpfsift_live_list_linktypes(&live, &err) < 0)
			status = complain(&err);
	} else if (bpfsift_filters_init(&run->filters, run->options, &err) < 0) {
		status = complain(&err);
	} else if (is_dump(run->options)) {
		const struct bpfsift_kind kind = { .dlt = live.info.dlt,
						   .expr_flags = live.info.expr_flags,
						   .snaplen = live.info.snaplen };

		status = dump(run, &kind);
	} else {
		status = filter_live(run, &live);
	}
	sift_source_close(live.source);
	free(live.interface);
	return status;
}

/* -d without a file or interface. */
static int
run_dump(struct run *run)
{
	const struct bpfsift_options *options = run->options;
	const struct bpfsift_kind kind = {
		.dlt = options->has_linktype ? options->dlt : ETHERNET,
		.snaplen = options->snaplen != 0 ? options->snaplen : DEFAULT_SNAPLEN,
	};
	struct ebpf_err err;

	if (!options->has_linktype)
		fprintf(stderr, "Warning: assuming Ethernet\n");
	if (bpfsift_filters_init(&run->filters, options, &err) < 0)
		return complain(&err);
	return dump(run, &kind);
}

static int
run_options(const struct bpfsift_options *options)
{
	struct run run = { .options = options,
			   .output.options = options,
			   .printer.options = options };
	struct ebpf_err err;
	int status;

	if (options->n_inputs != 0)
		status = run_inputs(&run);
	else if (!is_dump(options) || options->interface != NULL)
		status = run_live(&run);
	else
		status = run_dump(&run);
	close_output(&run, &err);
	bpfsift_children_wait();
	bpfsift_filters_destroy(&run.filters);
	return status == EXIT_SUCCESS ? run.status : status;
}

static int
usage(FILE *to, int status)
{
	print_version(to);
	fputs(bpfsift_usage, to);
	return status;
}

static int
act(const struct bpfsift_options *options)
{
	struct ebpf_err err;

	switch (options->action) {
	case BPFSIFT_HELP:
		return usage(stdout, EXIT_SUCCESS);
	case BPFSIFT_VERSION:
		print_version(stdout);
		return EXIT_SUCCESS;
	case BPFSIFT_LIST_INTERFACES:
		return bpfsift_list_interfaces(&err) < 0 ? complain(&err) : EXIT_SUCCESS;
	case BPFSIFT_LIST_TSTAMP_TYPES:
		if (options->n_inputs != 0)
			break; /* files have none, and are read */
		return bpfsift_list_tstamp_types(options, &err) < 0 ? complain(&err) : EXIT_SUCCESS;
	case BPFSIFT_RUN:
		break;
	}
	if (bpfsift_privileges_find_user(options, &err) < 0)
		return complain(&err);
	return run_options(options);
}

/*
 * What one file is read with, the next is: of many small ones, giving memory back and asking
 * for it again would be a good part.
 */
static void
keep_memory(void)
{
#ifdef M_TRIM_THRESHOLD
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	mallopt(M_TRIM_THRESHOLD, 4 << 20);
#endif
}

int
main(int argc, char **argv)
{
	struct bpfsift_options options;
	struct ebpf_err err = { "" };
	int status;

	keep_memory();
	if (bpfsift_options_read(argc, argv, &options, &err) == 0)
		status = act(&options);
	else
		status = err.text[0] != '\0' ? complain(&err) : usage(stderr, EXIT_FAILURE);
	bpfsift_options_free(&options);
	return finish_stdout(status);
}
