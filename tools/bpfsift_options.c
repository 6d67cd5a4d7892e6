/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "tools/bpfsift_options.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tools/bpfsift_abbreviation.h"
#include "tools/bpfsift_say.h"

enum { MAXIMUM_SNAPLEN = 262144, MAXIMUM_THREADS = 256, MAXIMUM_LEVEL = 99 };

const char bpfsift_usage[] =
	"Usage: bpfsift [-AbdDefhHIJKlLnNOpqStuUvxX#] [-B size] [-c count] [--count]\n"
	"\t\t[-C file_size] [-E algo:secret] [-F file] [-G seconds]\n"
	"\t\t[-i interface] [--immediate-mode] [-j tstamptype] [-m module]\n"
	"\t\t[-M secret] [--number] [--print] [-Q in|out|inout]\n"
	"\t\t[-r file] [-s snaplen] [-T type] [-V file] [-w file]\n"
	"\t\t[-W filecount] [-y datalinktype] [-z postrotate-command]\n"
	"\t\t[-Z user] [--printer program] [--postrotate-last]\n"
	"\t\t[--rotate-align] [--rotate-clock packet|wall]\n"
	"\t\t[--merge] [--recursive] [--memlimit size] [--follow] [--salvage]\n"
	"\t\t[--compress none|gzip|zstd|lz4|xz[:level]] [--format pcap|pcapng]\n"
	"\t\t[--time-stamp-precision precision] [--micro] [--nano]\n"
	"\t\t[--engine auto|interp|jit|kernel] [--reader auto|libpcap] [--threads n]\n"
	"\t\t[--dump-native] [--gdb] [--no-sandbox] [--perf-map]\n"
	"\t\t[--progress[=auto|always|never]] [--reload] [--stats[=text|json]]\n"
	"\t\t[--version] [expression]\n";

enum {
	OPTION_VERSION = 256,
	OPTION_PRECISION,
	OPTION_MICRO,
	OPTION_NANO,
	OPTION_COUNT,
	OPTION_STATS,
	OPTION_DUMP_NATIVE,
	OPTION_GDB,
	OPTION_PERF_MAP,
	OPTION_ENGINE,
	OPTION_READER,
	OPTION_THREADS,
	OPTION_MERGE,
	OPTION_RECURSIVE,
	OPTION_COMPRESS,
	OPTION_FORMAT,
	OPTION_FOLLOW,
	OPTION_SALVAGE,
	OPTION_MEMLIMIT,
	OPTION_COMMAND_LAST,
	OPTION_ROTATE_CLOCK,
	OPTION_ROTATE_ALIGN,
	OPTION_PRINT,
	OPTION_PRINTER,
	OPTION_IMMEDIATE,
	OPTION_NO_SANDBOX,
	OPTION_PROGRESS,
	OPTION_RELOAD,
};

static const char short_options[] =
	"#aAbB:c:C:dDeE:fF:G:hHi:Ij:JKlLm:M:nNr:OpqQ:s:StT:uUvV:w:W:xXy:z:Z:";
/* Those of them that the printer is given; it understands -l and -v as we do. */
static const char print_options[] = "#AbeEHKlmMnNqStTuvxX";
static const struct option long_options[] = {
	{ "absolute-tcp-sequence-numbers", no_argument, NULL, 'S' },
	{ "buffer-size", required_argument, NULL, 'B' },
	{ "compress", required_argument, NULL, OPTION_COMPRESS },
	{ "count", no_argument, NULL, OPTION_COUNT },
	{ "direction", required_argument, NULL, 'Q' },
	{ "dont-verify-checksums", no_argument, NULL, 'K' },
	{ "dump-native", no_argument, NULL, OPTION_DUMP_NATIVE },
	{ "engine", required_argument, NULL, OPTION_ENGINE },
	{ "follow", no_argument, NULL, OPTION_FOLLOW },
	{ "format", required_argument, NULL, OPTION_FORMAT },
	{ "gdb", no_argument, NULL, OPTION_GDB },
	{ "help", no_argument, NULL, 'h' },
	{ "immediate-mode", no_argument, NULL, OPTION_IMMEDIATE },
	{ "interface", required_argument, NULL, 'i' },
	{ "linktype", required_argument, NULL, 'y' },
	{ "list-data-link-types", no_argument, NULL, 'L' },
	{ "list-interfaces", no_argument, NULL, 'D' },
	{ "list-time-stamp-types", no_argument, NULL, 'J' },
	{ "memlimit", required_argument, NULL, OPTION_MEMLIMIT },
	{ "merge", no_argument, NULL, OPTION_MERGE },
	{ "micro", no_argument, NULL, OPTION_MICRO },
	{ "monitor-mode", no_argument, NULL, 'I' },
	{ "nano", no_argument, NULL, OPTION_NANO },
	{ "no-optimize", no_argument, NULL, 'O' },
	{ "no-promiscuous-mode", no_argument, NULL, 'p' },
	{ "no-sandbox", no_argument, NULL, OPTION_NO_SANDBOX },
	{ "number", no_argument, NULL, '#' },
	{ "packet-buffered", no_argument, NULL, 'U' },
	{ "perf-map", no_argument, NULL, OPTION_PERF_MAP },
	{ "postrotate-last", no_argument, NULL, OPTION_COMMAND_LAST },
	{ "print", no_argument, NULL, OPTION_PRINT },
	{ "printer", required_argument, NULL, OPTION_PRINTER },
	{ "progress", optional_argument, NULL, OPTION_PROGRESS },
	{ "reader", required_argument, NULL, OPTION_READER },
	{ "recursive", no_argument, NULL, OPTION_RECURSIVE },
	{ "relinquish-privileges", required_argument, NULL, 'Z' },
	{ "reload", no_argument, NULL, OPTION_RELOAD },
	{ "rotate-align", no_argument, NULL, OPTION_ROTATE_ALIGN },
	{ "rotate-clock", required_argument, NULL, OPTION_ROTATE_CLOCK },
	{ "salvage", no_argument, NULL, OPTION_SALVAGE },
	{ "snapshot-length", required_argument, NULL, 's' },
	{ "stats", optional_argument, NULL, OPTION_STATS },
	{ "threads", required_argument, NULL, OPTION_THREADS },
	{ "time-stamp-precision", required_argument, NULL, OPTION_PRECISION },
	{ "time-stamp-type", required_argument, NULL, 'j' },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ NULL, 0, NULL, 0 },
};

static int
read_count(const char *text, uint64_t *count, struct ebpf_err *err)
{
	char *end;
	long long n;

	errno = 0;
	n = strtoll(text, &end, 10);
	if (end == text || *end != '\0' || errno != 0 || n <= 0)
		return refuse(err, -EINVAL, "invalid packet count %s", text);
	*count = (uint64_t)n;
	return 0;
}

/* Millions of bytes, or with a letter behind it units of 1024, of 1024 of those, and so on. */
static int
read_file_size(const char *text, uint64_t *size, struct ebpf_err *err)
{
	static const char letters[] = "kKmMgG";
	const char *letter;
	uint64_t unit = 1000000;
	char *end;
	long long n;

	errno = 0;
	n = strtoll(text, &end, 10);
	if (end != text && *end != '\0' && (letter = strchr(letters, *end)) != NULL) {
		unit = (uint64_t)1 << (10 * ((letter - letters) / 2 + 1));
		end++;
	}
	if (end == text || *end != '\0' || errno != 0 || n <= 0)
		return refuse(err, -EINVAL, "invalid file size %s", text);
	if ((uint64_t)n > INT64_MAX / unit)
		return refuse(err, -EINVAL, "file size %s is too large", text);
	*size = (uint64_t)n * unit;
	return 0;
}

/* At least `least`; what names it in the message. */
static int
read_number(const char *text, int least, const char *what, uint32_t *number, struct ebpf_err *err)
{
	char *end;
	long long n;

	errno = 0;
	n = strtoll(text, &end, 10);
	if (end == text || *end != '\0' || errno != 0 || n < least || n > INT32_MAX)
		return refuse(err, -EINVAL, "invalid %s %s", what, text);
	*number = (uint32_t)n;
	return 0;
}

static int
read_direction(const char *text, enum sift_direction *direction, struct ebpf_err *err)
{
	if (strcasecmp(text, "in") == 0)
		*direction = SIFT_DIRECTION_IN;
	else if (strcasecmp(text, "out") == 0)
		*direction = SIFT_DIRECTION_OUT;
	else if (strcasecmp(text, "inout") == 0)
		*direction = SIFT_DIRECTION_BOTH;
	else
		return refuse(err, -EINVAL, "unknown capture direction `%s'", text);
	return 0;
}

static int
read_tstamp_type(const char *text, const char **type, struct ebpf_err *err)
{
	if (!sift_tstamp_type_exists(text))
		return refuse(err, -EINVAL, "invalid time stamp type %s", text);
	*type = text;
	return 0;
}

static int
read_clock(const char *text, struct bpfsift_options *options, struct ebpf_err *err)
{
	options->packet_clock = strcmp(text, "packet") == 0;
	if (!options->packet_clock && strcmp(text, "wall") != 0)
		return refuse(err, -EINVAL, "unknown clock %s (must be packet or wall)", text);
	options->has_clock = true;
	return 0;
}

static int
read_snaplen(const char *text, uint32_t *snaplen, struct ebpf_err *err)
{
	char *end;
	long n = strtol(text, &end, 0);

	if (end == text || *end != '\0' || n < 0 || n > MAXIMUM_SNAPLEN)
		return refuse(err, -EINVAL, "invalid snaplen %s (must be >= 0 and <= %d)", text,
			      MAXIMUM_SNAPLEN);
	*snaplen = (uint32_t)n;
	return 0;
}

static int
read_linktype(const char *text, struct bpfsift_options *options, struct ebpf_err *err)
{
	if (sift_linktype_from_name(text, &options->dlt) < 0)
		return refuse(err, -EINVAL, "invalid data link type %s", text);
	options->has_linktype = true;
	return 0;
}

static int
set_precision(enum sift_precision precision, struct bpfsift_options *options)
{
	options->precision = precision;
	options->has_precision = true;
	return 0;
}

/* As tcpdump, which looks at the beginning only: "microseconds" will do. */
static int
read_precision(const char *text, struct bpfsift_options *options, struct ebpf_err *err)
{
	if (strncmp(text, "nano", 4) == 0)
		return set_precision(SIFT_PRECISION_NANO, options);
	if (strncmp(text, "micro", 5) == 0)
		return set_precision(SIFT_PRECISION_MICRO, options);
	return refuse(err, -EINVAL, "unsupported time stamp precision");
}

static int
read_engine(const char *text, struct bpfsift_options *options, struct ebpf_err *err)
{
	options->wants_kernel = strcmp(text, "kernel") == 0;
	options->tries_kernel = options->wants_kernel || strcmp(text, "auto") == 0;
	if (options->tries_kernel)
		options->jit = EBPF_JIT_ON;
	else if (strcmp(text, "interp") == 0)
		options->jit = EBPF_JIT_OFF;
	else if (strcmp(text, "jit") == 0)
		options->jit = EBPF_JIT_REQUIRED;
	else
		return refuse(err, -EINVAL, "unknown engine %s", text);
	return 0;
}

static int
read_reader(const char *text, struct bpfsift_options *options, struct ebpf_err *err)
{
	if (strcmp(text, "auto") == 0)
		options->reader_flags &= ~SIFT_READER_LIBPCAP;
	else if (strcmp(text, "libpcap") == 0)
		options->reader_flags |= SIFT_READER_LIBPCAP;
	else
		return refuse(err, -EINVAL, "unknown reader %s", text);
	return 0;
}

static int
read_threads(const char *text, unsigned *threads, struct ebpf_err *err)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (end == text || *end != '\0' || n <= 0 || n > MAXIMUM_THREADS)
		return refuse(err, -EINVAL, "invalid number of threads %s (must be 1 to %d)", text,
			      MAXIMUM_THREADS);
	*threads = (unsigned)n;
	return 0;
}

/* "zstd" or "zstd:19"; what levels there are the library knows. */
static int
read_compression(const char *text, struct bpfsift_options *options, struct ebpf_err *err)
{
	const char *colon = strchr(text, ':');
	char name[8], *end;
	long level = 0;

	snprintf(name, sizeof(name), "%.*s", colon != NULL ? (int)(colon - text) : 7, text);
	if (colon != NULL) {
		level = strtol(colon + 1, &end, 10);
		if (end == colon + 1 || *end != '\0' || level <= 0 || level > MAXIMUM_LEVEL)
			return refuse(err, -EINVAL, "invalid compression level %s", colon + 1);
	}
	if (sift_codec_from_name(name, &options->codec) < 0)
		return refuse(err, -EINVAL,
			      "unknown compression %s (must be none, gzip, zstd, lz4 or xz)", text);
	options->level = (int)level;
	options->has_codec = true;
	return 0;
}

static int
read_format(const char *text, struct bpfsift_options *options, struct ebpf_err *err)
{
	if (strcmp(text, "pcap") == 0)
		options->format = SIFT_FORMAT_PCAP;
	else if (strcmp(text, "pcapng") == 0)
		options->format = SIFT_FORMAT_PCAPNG;
	else
		return refuse(err, -EINVAL, "unknown format %s (must be pcap or pcapng)", text);
	options->has_format = true;
	return 0;
}

/* Bytes, or with K, M or G behind them so many times 1024. */
static int
read_size(const char *text, uint64_t *size, struct ebpf_err *err)
{
	static const char units[] = "KMG";
	const char *unit;
	unsigned shift = 0;
	char *end;
	long long n;

	errno = 0;
	n = strtoll(text, &end, 10);
	if (*end != '\0' && end[1] == '\0' && (unit = strchr(units, *end)) != NULL) {
		shift = 10 * (unsigned)(unit - units + 1);
		end++;
	}
	if (end == text || *end != '\0' || errno != 0 || n <= 0 || n > INT64_MAX >> shift)
		return refuse(err, -EINVAL, "invalid size %s", text);
	*size = (uint64_t)n << shift;
	return 0;
}

static int
read_stats(const char *text, enum bpfsift_stats *stats, struct ebpf_err *err)
{
	if (text == NULL || strcmp(text, "text") == 0)
		*stats = BPFSIFT_STATS_TEXT;
	else if (strcmp(text, "json") == 0)
		*stats = BPFSIFT_STATS_JSON;
	else
		return refuse(err, -EINVAL, "unknown statistics %s (must be text or json)", text);
	return 0;
}

static int
read_progress(const char *text, enum bpfsift_progress *progress, struct ebpf_err *err)
{
	if (text == NULL || strcmp(text, "always") == 0)
		*progress = BPFSIFT_PROGRESS_ALWAYS;
	else if (strcmp(text, "auto") == 0)
		*progress = BPFSIFT_PROGRESS_AUTO;
	else if (strcmp(text, "never") == 0)
		*progress = BPFSIFT_PROGRESS_NEVER;
	else
		return refuse(err, -EINVAL, "unknown progress %s (must be auto, always or never)",
			      text);
	return 0;
}

/* The forms of -d, -dd and -ddd, in this order; more of them change nothing. */
static enum cbpf_form
next_dump_form(enum cbpf_form form)
{
	if (form == CBPF_FORM_AUTO)
		return CBPF_FORM_D;
	return form == CBPF_FORM_D ? CBPF_FORM_DD : CBPF_FORM_DDD;
}

static bool
is_print_option(int option)
{
	return option < OPTION_VERSION && strchr(print_options, option) != NULL;
}

/* One more argument of the printer's, for which there is room: text, which is taken over. */
static int
add_print_arg(char *text, struct bpfsift_options *options, struct ebpf_err *err)
{
	if (text == NULL)
		return refuse(err, -ENOMEM, "out of memory");
	options->print_args[options->n_print_args++] = text;
	return 0;
}

/* An option that says how packets are printed: for the printer, as it is. */
static int
keep_print_arg(int option, const char *argument, struct bpfsift_options *options,
	       struct ebpf_err *err)
{
	/* One that is empty is an argument of its own, or the next would be taken for it. */
	bool is_empty = argument != NULL && argument[0] == '\0';
	char **larger = reallocarray(options->print_args, options->n_print_args + 2,
				     sizeof(*options->print_args));
	char *text;
	int rc;

	if (larger == NULL)
		return refuse(err, -ENOMEM, "out of memory");
	options->print_args = larger;
	if (asprintf(&text, "-%c%s", option, argument != NULL ? argument : "") < 0)
		text = NULL;
	rc = add_print_arg(text, options, err);
	return rc < 0 || !is_empty ? rc : add_print_arg(strdup(""), options, err);
}

/* "--nano" in the printer's words; of several the last one counts. */
static int
keep_precision(struct bpfsift_options *options, struct ebpf_err *err)
{
	return !options->has_precision
		       ? 0
		       : keep_print_arg(
				 '-', options->precision == SIFT_PRECISION_NANO ? "nano" : "micro",
				 options, err);
}

static int
read_option(int option, struct bpfsift_options *options, struct ebpf_err *err)
{
	switch (option) {
	case 'a': /* as in tcpdump, which had a meaning for it once */
		return 0;
	case 'B':
		return read_number(optarg, 1, "packet buffer size", &options->buffer_kib, err);
	case 'c':
		return read_count(optarg, &options->max_matched, err);
	case 'C':
		return read_file_size(optarg, &options->max_bytes, err);
	case 'd':
		options->dump_form = next_dump_form(options->dump_form);
		return 0;
	case 'D':
		options->action = BPFSIFT_LIST_INTERFACES;
		return 0;
	case 'f':
		options->foreign = true;
		return 0;
	case 'F':
		options->filter_path = optarg;
		return 0;
	case 'G':
		return read_number(optarg, 0, "number of seconds", &options->interval_s, err);
	case 'i':
		options->interface = optarg;
		return 0;
	case 'I':
		options->monitor = true;
		return 0;
	case 'j':
		return read_tstamp_type(optarg, &options->tstamp_type, err);
	case 'J':
		options->action = BPFSIFT_LIST_TSTAMP_TYPES;
		return 0;
	case 'L':
		options->list_linktypes = true;
		return 0;
	case 'l':
		options->line_buffered = true;
		return 0;
	case 'v':
		options->verbosity++;
		return 0;
	case 'r':
	case 'V':
		options->inputs[options->n_inputs++] =
			(struct bpfsift_operand){ .path = optarg, .is_list = option == 'V' };
		return 0;
	case 'O':
		options->no_optimize = true;
		return 0;
	case 'p':
		options->no_promisc = true;
		return 0;
	case 'Q':
		return read_direction(optarg, &options->direction, err);
	case 's':
		return read_snaplen(optarg, &options->snaplen, err);
	case 'U':
		options->packet_buffered = true;
		return 0;
	case 'w':
		options->write_path = optarg;
		return 0;
	case 'W':
		return read_number(optarg, 1, "number of output files", &options->max_files, err);
	case 'z':
		options->command = optarg;
		return 0;
	case 'Z':
		options->user = optarg;
		return 0;
	case OPTION_COMMAND_LAST:
		options->command_last = true;
		return 0;
	case OPTION_ROTATE_CLOCK:
		return read_clock(optarg, options, err);
	case OPTION_ROTATE_ALIGN:
		options->rotate_align = true;
		return 0;
	case 'y':
		return read_linktype(optarg, options, err);
	case OPTION_PRECISION:
		return read_precision(optarg, options, err);
	case OPTION_MICRO:
		return set_precision(SIFT_PRECISION_MICRO, options);
	case OPTION_NANO:
		return set_precision(SIFT_PRECISION_NANO, options);
	case OPTION_COMPRESS:
		return read_compression(optarg, options, err);
	case OPTION_FORMAT:
		return read_format(optarg, options, err);
	case OPTION_MEMLIMIT:
		return read_size(optarg, &options->memlimit, err);
	case OPTION_FOLLOW:
		options->reader_flags |= SIFT_READER_FOLLOW;
		return 0;
	case OPTION_SALVAGE:
		options->reader_flags |= SIFT_READER_SALVAGE;
		return 0;
	case OPTION_MERGE:
		options->merge = true;
		return 0;
	case OPTION_RECURSIVE:
		options->recursive = true;
		return 0;
	case OPTION_IMMEDIATE:
		options->immediate = true;
		return 0;
	case OPTION_PRINT:
		options->print = true;
		return 0;
	case OPTION_PRINTER:
		options->printer = optarg;
		return 0;
	case OPTION_COUNT:
		options->count = true;
		return 0;
	case OPTION_DUMP_NATIVE:
		options->dump_native = true;
		return 0;
	case OPTION_GDB:
		options->gdb = true;
		return 0;
	case OPTION_PERF_MAP:
		options->perf_map = true;
		return 0;
	case OPTION_STATS:
		return read_stats(optarg, &options->stats, err);
	case OPTION_PROGRESS:
		return read_progress(optarg, &options->progress, err);
	case OPTION_RELOAD:
		options->reload = true;
		return 0;
	case OPTION_NO_SANDBOX:
		options->no_sandbox = true;
		return 0;
	case OPTION_ENGINE:
		return read_engine(optarg, options, err);
	case OPTION_READER:
		return read_reader(optarg, options, err);
	case OPTION_THREADS:
		return read_threads(optarg, &options->threads, err);
	default:
		return is_print_option(option) ? 0 : refuse(err, -EINVAL, "%s", "");
	}
}

/* Where an option has not said it, the name of the output does: "web.pcapng.zst". */
static void
judge_by_suffix(struct bpfsift_options *options)
{
	enum sift_codec codec = sift_codec_from_suffix(options->write_path);
	const char *path = options->write_path;
	size_t len = strlen(path);
	static const char pcapng[] = ".pcapng";

	if (!options->has_codec)
		options->codec = codec;
	if (options->has_format)
		return;
	if (codec != SIFT_CODEC_NONE)
		len = (size_t)(strrchr(path, '.') - path);
	if (len > sizeof(pcapng) - 1 &&
	    memcmp(path + len - (sizeof(pcapng) - 1), pcapng, sizeof(pcapng) - 1) == 0)
		options->format = SIFT_FORMAT_PCAPNG;
}

/* No file says which network is at hand. */
static int
check_foreign(const struct bpfsift_options *options, struct ebpf_err *err)
{
	if (!options->foreign || options->n_inputs == 0)
		return 0;
	return refuse(err, -EINVAL, "-f can not be used with -V or -r");
}

/*
 * Standard input is read once, and the kernel takes no programs once privileges are dropped:
 * a filter that is to be replaced runs here.
 */
static int
check_reload(struct bpfsift_options *options, struct ebpf_err *err)
{
	if (!options->reload)
		return 0;
	if (options->filter_path == NULL || strcmp(options->filter_path, "-") == 0)
		return refuse(err, -EINVAL, "--reload reads a file named with -F");
	if (options->wants_kernel)
		return refuse(err, -EINVAL, "--reload replaces no filter that the kernel runs");
	options->tries_kernel = false;
	return 0;
}

/* Standard output is one file: what is asked to follow it has to have a name. */
static int
check_rotation(const struct bpfsift_options *options, struct ebpf_err *err)
{
	if (options->write_path == NULL || strcmp(options->write_path, "-") != 0 ||
	    options->interval_s == 0)
		return 0;
	return refuse(err, -EINVAL, "-G begins new files, and standard output is one");
}

/* The processors that this process may use. */
static unsigned
count_processors(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

int
bpfsift_options_read(int argc, char **argv, struct bpfsift_options *options, struct ebpf_err *err)
{
	struct option theirs[sizeof(long_options) / sizeof(long_options[0])];
	int option, rc = 0;

	*options = (struct bpfsift_options){
		.action = BPFSIFT_RUN,
		.tries_kernel = true,
		.processors = count_processors(),
		/* there are no more than arguments */
		.inputs = calloc((size_t)argc, sizeof(*options->inputs)),
	};
	if (options->inputs == NULL)
		return refuse(err, -ENOMEM, "out of memory");
	options->threads = options->processors;
	bpfsift_abbreviation_theirs(long_options, theirs);
	while (rc == 0 &&
	       (option = getopt_long(
			argc, argv, short_options,
			bpfsift_abbreviation_is_theirs(argc, argv, optind) ? theirs : long_options,
			NULL)) != -1) {
		/* These two are obeyed at once, whatever stands behind them. */
		if (option == 'h' || option == OPTION_VERSION) {
			options->action = option == 'h' ? BPFSIFT_HELP : BPFSIFT_VERSION;
			return 0;
		}
		rc = read_option(option, options, err);
		if (rc == 0 && is_print_option(option))
			rc = keep_print_arg(option, optarg, options, err);
	}
	/* Of a printer that reads a file, -U alone leaves lines in a buffer. */
	if (rc == 0 && options->packet_buffered)
		rc = keep_print_arg('l', NULL, options, err);
	if (rc < 0 || (rc = keep_precision(options, err)) < 0)
		return rc;
	options->expression = argv + optind;
	/* What a file says of its packets' time is what happened. */
	if (!options->has_clock)
		options->packet_clock = options->n_inputs != 0;
	if (options->write_path != NULL)
		judge_by_suffix(options);
	if (options->wants_kernel && options->n_inputs != 0)
		return refuse(err, -EINVAL,
			      "the kernel filters no files: no --engine=kernel with "
			      "-r and -V");
	if ((rc = check_foreign(options, err)) < 0 || (rc = check_reload(options, err)) < 0)
		return rc;
	return check_rotation(options, err);
}

void
bpfsift_options_free(struct bpfsift_options *options)
{
	for (size_t i = 0; i < options->n_print_args; i++)
		free(options->print_args[i]);
	free(options->print_args);
	free(options->inputs);
}
