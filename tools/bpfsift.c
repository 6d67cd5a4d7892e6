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
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/bpfsift_options.h"
#include "tools/native.h"

enum { DEFAULT_SNAPLEN = 262144, TERMINAL_TIMEOUT_MS = 100 };
enum { ETHERNET = 1 }; /* DLT_EN10MB, assumed where nothing else is said */

/* One run's parts, each NULL until it is made. */
struct run {
	const struct bpfsift_options *options;
	char *expression; /* NULL: none */
	char *interface;  /* the name found for it; NULL: no live capture */
	struct sift_source *source;
	struct sift_source_info info;
	struct cbpf_insn *insns;
	size_t n_insns;
	struct sift_filter *filter;
	struct sift_sink *sink;
	struct sift_pipeline *pipeline;
};

/* ---- messages ---- */

static int
complain(const struct ebpf_err *err)
{
	fflush(stdout);
	fprintf(stderr, "bpfsift: %s\n", err->text);
	return EXIT_FAILURE;
}

static void
warn(const char *text)
{
	fprintf(stderr, "bpfsift: WARNING: %s\n", text);
}

__attribute__((format(printf, 3, 4))) static int
refuse(struct ebpf_err *err, int rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return rc;
}

static void
print_packets(FILE *to, uint64_t n, const char *what)
{
	fprintf(to, "%" PRIu64 " packet%s%s\n", n, n == 1 ? "" : "s", what);
}

/* ", link-type EN10MB (Ethernet)" */
static void
print_linktype(FILE *to, int dlt)
{
	const char *name = sift_linktype_name(dlt);

	if (name == NULL)
		fprintf(to, ", link-type %d", dlt);
	else
		fprintf(to, ", link-type %s (%s)", name, sift_linktype_description(dlt));
}

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

/* ---- interfaces ---- */

static void
print_interface(size_t number, const struct sift_interface *interface)
{
	static const struct {
		unsigned flag;
		const char *name;
	} flags[] = {
		{ SIFT_INTERFACE_UP, "Up" },
		{ SIFT_INTERFACE_RUNNING, "Running" },
		{ SIFT_INTERFACE_LOOPBACK, "Loopback" },
		{ SIFT_INTERFACE_WIRELESS, "Wireless" },
	};
	static const char *const wired[] = { ", Connection status unknown", ", Connected",
					     ", Disconnected", "" };
	static const char *const wireless[] = { ", Association status unknown", ", Associated",
						", Not associated", "" };
	const char *separator = "";

	printf("%zu.%s", number, interface->name);
	if (interface->description != NULL)
		printf(" (%s)", interface->description);
	printf(" [");
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		if (interface->flags & flags[i].flag) {
			printf("%s%s", separator, flags[i].name);
			separator = ", ";
		}
	}
	if (interface->flags == 0)
		printf("none");
	printf("%s]\n",
	       (interface->flags & SIFT_INTERFACE_WIRELESS ? wireless
							   : wired)[interface->connection]);
}

static int
list_interfaces(struct ebpf_err *err)
{
	struct sift_interface *list;
	size_t n;
	int rc = sift_interfaces_list(&list, &n, err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n; i++)
		print_interface(i + 1, &list[i]);
	sift_interfaces_free(list, n);
	return 0;
}

/* The n-th interface of -D, n from 1, in a string of its own. */
static int
find_interface(unsigned long number, char **name, struct ebpf_err *err)
{
	struct sift_interface *list;
	size_t n;
	int rc = sift_interfaces_list(&list, &n, err);

	if (rc < 0)
		return rc;
	if (number == 0 || number > n)
		rc = refuse(err, -ENODEV, "Invalid adapter index");
	else if ((*name = strdup(list[number - 1].name)) == NULL)
		rc = refuse(err, -ENOMEM, "out of memory");
	sift_interfaces_free(list, n);
	return rc;
}

static int
list_linktypes(struct run *run, struct ebpf_err *err)
{
	int *dlts;
	size_t n;
	int rc = sift_source_linktypes(run->source, &dlts, &n, err);

	if (rc < 0)
		return rc;
	/* On stderr, as tcpdump has it. */
	fprintf(stderr, "Data link types for %s (use option -y to set):\n", run->interface);
	for (size_t i = 0; i < n; i++) {
		const char *name = sift_linktype_name(dlts[i]);

		if (name != NULL)
			fprintf(stderr, "  %s (%s)\n", name, sift_linktype_description(dlts[i]));
		else
			fprintf(stderr, "  DLT %d\n", dlts[i]);
	}
	free(dlts);
	return 0;
}

/* ---- the expression ---- */

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

/* A file of -F, in which '#' starts a comment. */
static int
read_filter(const char *path, char **text, struct ebpf_err *err)
{
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
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

static int
compile(struct run *run, int dlt, uint32_t snaplen, struct ebpf_err *err)
{
	const struct bpfsift_options *options = run->options;
	int rc;

	if (options->filter_path != NULL)
		rc = read_filter(options->filter_path, &run->expression, err);
	else
		rc = join_arguments(options->expression, &run->expression, err);
	if (rc < 0)
		return rc;
	/* Netmask 0, as tcpdump has it: 'ip broadcast' then means the two that all nets have. */
	return sift_expr_compile(run->expression, dlt, snaplen, 0,
				 run->info.expr_flags |
					 (options->no_optimize ? SIFT_EXPR_NO_OPTIMIZE : 0),
				 &run->insns, &run->n_insns, err);
}

static int
dump(const struct run *run, struct ebpf_err *err)
{
	char *text;
	size_t len;
	int rc = cbpf_print(run->insns, run->n_insns, run->options->dump_form, &text, &len, err);

	if (rc < 0)
		return rc;
	fwrite(text, 1, len, stdout);
	free(text);
	return 0;
}

static int
make_filter(struct run *run, struct ebpf_err *err)
{
	struct ebpf_policy policy = { .size = sizeof(policy), .jit = run->options->jit };
	struct sift_filter_opts opts = { .size = sizeof(opts), .policy = &policy };
	struct cbpf_prog *prog;
	int rc = cbpf_check(run->insns, run->n_insns, CBPF_DIALECT_PCAP, &prog, err);

	if (rc < 0)
		return rc;
	rc = sift_filter_new(prog, &opts, &run->filter, err);
	cbpf_prog_free(prog);
	return rc;
}

static int
dump_machine_code(struct run *run, struct ebpf_err *err)
{
	int rc = make_filter(run, err);

	return rc < 0 ? rc : native_dump(sift_filter_ebpf(run->filter), stdout, err);
}

/* ---- sources ---- */

static int
open_savefile(struct run *run, struct ebpf_err *err)
{
	const struct sift_reader_opts opts = { .size = sizeof(opts),
					       .flags = run->options->reader_flags };
	const char *path = run->options->read_path;
	const char *name;
	int rc = sift_source_open_savefile_opts(path, &opts, &run->source, err);

	if (rc < 0 || (rc = sift_source_info(run->source, &run->info, err)) < 0)
		return rc;
	fprintf(stderr, "reading from file %s", path);
	print_linktype(stderr, run->info.dlt);
	fprintf(stderr, ", snapshot length %" PRIu32 "\n", run->info.snaplen);
	name = sift_linktype_name(run->info.dlt);
	if (name != NULL && strcmp(name, "LINUX_SLL2") == 0)
		fprintf(stderr, "Warning: interface names might be incorrect\n");
	return 0;
}

static int
open_interface(struct run *run, const char *interface, struct ebpf_err *err)
{
	const struct bpfsift_options *options = run->options;
	struct sift_live_opts opts = {
		.size = sizeof(opts),
		.snaplen = options->snaplen,
		.flags = options->no_promisc ? SIFT_LIVE_NO_PROMISC : 0,
	};

	if (options->has_precision && options->precision == SIFT_PRECISION_NANO)
		opts.flags |= SIFT_LIVE_NANO;
	/* Somebody is looking. */
	if (options->write_path == NULL && isatty(STDOUT_FILENO))
		opts.timeout_ms = TERMINAL_TIMEOUT_MS;
	return sift_source_open_live(interface, &opts, &run->source, err);
}

/* By name or, where there is no such name, by its number in -D; else the first. */
static int
choose_interface(struct run *run, struct ebpf_err *err)
{
	const char *wanted = run->options->interface;
	unsigned long number;
	char *end;
	int rc;

	if (wanted == NULL) {
		if (find_interface(1, &run->interface, err) < 0)
			return refuse(err, -ENODEV, "no interfaces available for capture");
		return open_interface(run, run->interface, err);
	}
	rc = open_interface(run, wanted, err);
	number = strtoul(wanted, &end, 10);
	if (rc != -ENODEV || end == wanted || *end != '\0') {
		run->interface = strdup(wanted);
		return rc == 0 && run->interface == NULL ? refuse(err, -ENOMEM, "out of memory")
							 : rc;
	}
	if ((rc = find_interface(number, &run->interface, err)) < 0)
		return rc;
	return open_interface(run, run->interface, err);
}

/* -y, and what 'any' has where nothing is asked for. */
static int
set_linktype(struct run *run, struct ebpf_err *err)
{
	const char *interface = run->options->interface;
	int dlt = run->options->dlt;
	int rc;

	if (!run->options->has_linktype &&
	    (interface == NULL || strncmp(interface, "any", 3) != 0 ||
	     sift_linktype_from_name("LINUX_SLL2", &dlt) < 0))
		return 0;
	if ((rc = sift_source_set_linktype(run->source, dlt, err)) < 0)
		return rc;
	fprintf(stderr, "bpfsift: data link type %s\n", sift_linktype_name(dlt));
	return 0;
}

static int
open_live(struct run *run, struct ebpf_err *err)
{
	uint32_t wanted = run->options->snaplen;
	int rc = choose_interface(run, err);

	if (rc < 0 || (rc = sift_source_info(run->source, &run->info, err)) < 0)
		return rc;
	if (run->info.warning != NULL)
		warn(run->info.warning);
	if (run->options->list_linktypes)
		return 0;
	if ((rc = set_linktype(run, err)) < 0 ||
	    (rc = sift_source_info(run->source, &run->info, err)) < 0)
		return rc;
	if (wanted != 0 && wanted != run->info.snaplen)
		fprintf(stderr, "bpfsift: WARNING: snaplen %s from %" PRIu32 " to %" PRIu32 "\n",
			wanted < run->info.snaplen ? "raised" : "lowered", wanted,
			run->info.snaplen);
	return 0;
}

/* ---- running ---- */

/* Outlives every signal that may come: NULL before it is closed. */
static struct sift_source *volatile source_to_stop;

static void
on_signal(int signo)
{
	int saved = errno;

	(void)signo;
	if (source_to_stop != NULL)
		sift_source_stop(source_to_stop);
	errno = saved;
}

/*
 * Signals that ask to stop end the capture with a whole file.  A broken pipe
 * and a file at its size limit are errors of write() and reported as such.
 * No SA_RESTART: a wait for input has to end.
 */
static void
catch_signals(struct sift_source *source)
{
	/* Asked once it ends in order; asked again, be it in a write that blocks, it dies. */
	struct sigaction stop = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	struct sigaction old;

	source_to_stop = source;
	sigemptyset(&stop.sa_mask);
	sigemptyset(&ignore.sa_mask);
	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	/* nohup(1) has a say in this one. */
	if (sigaction(SIGHUP, NULL, &old) == 0 && old.sa_handler == SIG_DFL)
		sigaction(SIGHUP, &stop, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGXFSZ, &ignore, NULL);
}

/* -s cuts what comes from a file; live, libpcap has cut already. */
static uint32_t
snaplen_to_cut(const struct run *run)
{
	return run->options->read_path != NULL ? run->options->snaplen : 0;
}

static int
open_sink(struct run *run, struct ebpf_err *err)
{
	const struct bpfsift_options *options = run->options;
	enum sift_precision precision =
		options->has_precision ? options->precision : run->info.precision;
	uint32_t cut = snaplen_to_cut(run);

	if (options->write_path != NULL) {
		struct sift_savefile_opts opts = {
			.size = sizeof(opts),
			.dlt = run->info.dlt,
			.linktype_ext = run->info.linktype_ext,
			.snaplen = cut != 0 && cut < run->info.snaplen ? cut : run->info.snaplen,
			.precision = precision,
		};

		return sift_sink_open_savefile(options->write_path, &opts, &run->sink, err);
	}
	if (!options->count) {
		struct sift_summary_opts opts = {
			.size = sizeof(opts),
			.dlt = run->info.dlt,
			.precision = precision,
		};

		return sift_sink_open_summary("-", &opts, &run->sink, err);
	}
	return 0;
}

static void
print_listening(const struct run *run)
{
	fprintf(stderr, "bpfsift: listening on %s", run->interface);
	print_linktype(stderr, run->info.dlt);
	fprintf(stderr, ", snapshot length %" PRIu32 " bytes\n", run->info.snaplen);
	fflush(stderr);
}

static void
print_live_counts(const struct run *run, const struct sift_pipeline_counters *counters)
{
	struct sift_source_stats stats = { .size = sizeof(stats) };
	struct ebpf_err err;

	if (sift_source_stats(run->source, &stats, &err) < 0) {
		complain(&err);
		return;
	}
	print_packets(stderr, counters->matched, " captured");
	print_packets(stderr, stats.received, " received by filter");
	print_packets(stderr, stats.dropped_kernel, " dropped by kernel");
	if (stats.dropped_interface != 0)
		print_packets(stderr, stats.dropped_interface, " dropped by interface");
}

static void
print_stats(const struct run *run, const struct sift_pipeline_counters *counters)
{
	size_t n_ebpf;
	bool is_jit;

	ebpf_prog_insns(sift_filter_ebpf(run->filter), &n_ebpf);
	is_jit = ebpf_prog_runtime(sift_filter_ebpf(run->filter)) == EBPF_RUNTIME_JIT;
	fprintf(stderr,
		"  filter            %s\n"
		"  classic program   %zu instructions\n"
		"  extended program  %zu instructions\n"
		"  run by            %s\n"
		"  packets in        %" PRIu64 "\n"
		"  packets out       %" PRIu64 "\n",
		run->expression != NULL ? run->expression : "(none: every packet)", run->n_insns,
		n_ebpf, is_jit ? "machine code" : "the interpreter", counters->seen, counters->matched);
}

/* The processors that this process may use. */
static unsigned
count_processors(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

/* Move the packets; then say how many, also where something failed on the way. */
static int
move_packets(struct run *run)
{
	const struct bpfsift_options *options = run->options;
	struct sift_pipeline_counters counters = { .size = sizeof(counters) };
	struct ebpf_err err;
	int status = EXIT_SUCCESS;

	if (sift_pipeline_run(run->pipeline, &err) < 0)
		status = complain(&err);
	if (sift_sink_close(run->sink, &err) < 0)
		status = complain(&err);
	run->sink = NULL;
	sift_pipeline_counters(run->pipeline, &counters, NULL);
	if (options->read_path == NULL)
		print_live_counts(run, &counters);
	if (options->count && options->read_path != NULL)
		print_packets(stdout, counters.matched, "");
	if (options->stats)
		print_stats(run, &counters);
	return status;
}

static int
capture(struct run *run)
{
	const struct bpfsift_options *options = run->options;
	struct sift_pipeline_opts opts = {
		.size = sizeof(opts),
		.source = run->source,
		.max_matched = options->max_matched,
		.snaplen = snaplen_to_cut(run),
		.threads = options->threads != 0 ? options->threads : count_processors(),
	};
	struct ebpf_err err;

	catch_signals(run->source);
	if (make_filter(run, &err) < 0 ||
	    (options->perf_map &&
	     native_perf_map(sift_filter_ebpf(run->filter), "bpfsift_filter", &err) < 0) ||
	    open_sink(run, &err) < 0)
		return complain(&err);
	opts.filter = run->filter;
	opts.sink = run->sink;
	if (options->write_path == NULL && isatty(STDOUT_FILENO))
		opts.flags |= SIFT_PIPELINE_FLUSH;
	if (sift_pipeline_new(&opts, &run->pipeline, &err) < 0)
		return complain(&err);
	if (options->read_path == NULL)
		print_listening(run);
	return move_packets(run);
}

/* Where packets come from, or would: its link type and snapshot length. */
static int
open_source(struct run *run, struct ebpf_err *err)
{
	const struct bpfsift_options *options = run->options;

	if (options->read_path != NULL)
		return open_savefile(run, err);
	if ((options->dump_form == CBPF_FORM_AUTO && !options->dump_native) ||
	    options->interface != NULL)
		return open_live(run, err);
	if (!options->has_linktype)
		fprintf(stderr, "Warning: assuming Ethernet\n");
	run->info.dlt = options->has_linktype ? options->dlt : ETHERNET;
	run->info.snaplen = options->snaplen != 0 ? options->snaplen : DEFAULT_SNAPLEN;
	return 0;
}

static int
run_options(struct run *run)
{
	const struct bpfsift_options *options = run->options;
	struct ebpf_err err;
	int rc;

	if (open_source(run, &err) < 0)
		return complain(&err);
	if (run->interface != NULL && options->list_linktypes)
		rc = list_linktypes(run, &err);
	else if ((rc = compile(run, run->info.dlt, run->info.snaplen, &err)) < 0)
		return complain(&err);
	else if (options->dump_form != CBPF_FORM_AUTO)
		rc = dump(run, &err);
	else if (options->dump_native)
		rc = dump_machine_code(run, &err);
	else
		return capture(run);
	return rc < 0 ? complain(&err) : EXIT_SUCCESS;
}

static void
run_free(struct run *run)
{
	source_to_stop = NULL;
	sift_pipeline_free(run->pipeline);
	sift_sink_close(run->sink, NULL);
	sift_filter_free(run->filter);
	sift_source_close(run->source);
	free(run->insns);
	free(run->interface);
	free(run->expression);
}

static int
usage(FILE *to, int status)
{
	print_version(to);
	fputs(bpfsift_usage, to);
	return status;
}

int
main(int argc, char **argv)
{
	struct bpfsift_options options;
	struct ebpf_err err = { "" };
	struct run run = { .options = &options, .info.size = sizeof(run.info) };
	int status = EXIT_SUCCESS;

	if (bpfsift_options_read(argc, argv, &options, &err) < 0)
		return err.text[0] != '\0' ? complain(&err) : usage(stderr, EXIT_FAILURE);
	switch (options.action) {
	case BPFSIFT_HELP:
		usage(stdout, EXIT_SUCCESS);
		break;
	case BPFSIFT_VERSION:
		print_version(stdout);
		break;
	case BPFSIFT_LIST_INTERFACES:
		if (list_interfaces(&err) < 0)
			status = complain(&err);
		break;
	case BPFSIFT_RUN:
		status = run_options(&run);
		run_free(&run);
		break;
	}
	return finish_stdout(status);
}
