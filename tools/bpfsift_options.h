/* SPDX-License-Identifier: BSD-2-Clause */
/* What the command line of bpfsift asks for. */
#ifndef TOOLS_BPFSIFT_OPTIONS_H
#define TOOLS_BPFSIFT_OPTIONS_H

#include <bpfsift/filter.h>

#include <stdbool.h>

enum bpfsift_action {
	BPFSIFT_RUN = 0,
	BPFSIFT_HELP,
	BPFSIFT_VERSION,
	BPFSIFT_LIST_INTERFACES, /* -D */
	BPFSIFT_LIST_TSTAMP_TYPES, /* -J */
};

enum bpfsift_stats { BPFSIFT_STATS_NONE = 0, BPFSIFT_STATS_TEXT, BPFSIFT_STATS_JSON };

enum bpfsift_progress {
	BPFSIFT_PROGRESS_AUTO = 0, /* files, on a terminal */
	BPFSIFT_PROGRESS_ALWAYS,
	BPFSIFT_PROGRESS_NEVER,
};

/* What is to be read: a file, or the files that one lists. */
struct bpfsift_operand {
	const char *path;
	bool is_list; /* -V */
};

struct bpfsift_options {
	enum bpfsift_action action;
	enum cbpf_form dump_form; /* -d, -dd, -ddd; CBPF_FORM_AUTO: none of them */
	bool list_linktypes;      /* -L; asked of interfaces, not of files */
	struct bpfsift_operand *inputs; /* -r and -V, in their order */
	size_t n_inputs;
	bool recursive; /* --recursive: directories among them */
	bool merge;     /* --merge: by time */
	const char *write_path;   /* -w */
	const char *interface;    /* -i */
	const char *filter_path;  /* -F */
	uint64_t max_matched;     /* -c; 0: no limit */
	uint32_t snaplen;         /* -s; 0: not asked for */
	enum ebpf_jit jit;        /* --engine */
	bool wants_kernel;        /* --engine=kernel */
	bool tries_kernel;        /* and auto */
	unsigned reader_flags;    /* --reader: SIFT_READER_* */
	unsigned processors;      /* that the process may use */
	unsigned threads;         /* one for each of them, unless said otherwise */
	uint64_t memlimit;        /* --memlimit, bytes; 0: the library's */
	bool has_codec, has_format; /* --compress, --format */
	enum sift_codec codec;    /* --compress, or the suffix of -w */
	int level;                /* of it; 0: the codec's own */
	enum sift_format format;  /* --format, or the suffix of -w */
	uint64_t max_bytes;       /* -C; 0: as large as it gets */
	uint32_t interval_s;      /* -G; 0: none */
	uint32_t max_files;       /* -W; 0: not asked for */
	const char *command;      /* -z */
	bool command_last;        /* --postrotate-last */
	bool has_clock;           /* --rotate-clock */
	bool packet_clock;        /* by it, or for files that are read */
	bool rotate_align;        /* --rotate-align */
	const char *user;         /* -Z; NULL: not said */
	bool has_linktype;        /* -y */
	int dlt;
	bool no_optimize;   /* -O */
	bool no_promisc;    /* -p */
	bool monitor;       /* -I */
	bool immediate;     /* --immediate-mode */
	uint32_t buffer_kib; /* -B; 0: not asked for */
	const char *tstamp_type; /* -j */
	enum sift_direction direction; /* -Q */
	bool packet_buffered; /* -U */
	bool line_buffered; /* -l */
	bool foreign;       /* -f; a printer that reads a file knows no networks */
	bool print;         /* --print */
	const char *printer; /* --printer; NULL: tcpdump */
	char **print_args;  /* the options that are the printer's */
	size_t n_print_args;
	unsigned verbosity; /* -v */
	bool count;         /* --count */
	enum bpfsift_stats stats;       /* --stats */
	enum bpfsift_progress progress; /* --progress */
	bool no_sandbox;    /* --no-sandbox */
	bool reload;        /* --reload: -F, on SIGHUP */
	bool dump_native;   /* --dump-native */
	bool gdb;           /* --gdb */
	bool perf_map;      /* --perf-map */
	bool has_precision; /* --micro, --nano, --time-stamp-precision */
	enum sift_precision precision;
	char **expression; /* the remaining arguments, NULL at the end */
};

/*
 * Read the command line into options to be freed, whatever is returned.  0; -EINVAL:
 * err tells why, or is empty where getopt has said it and the usage should follow;
 * -ENOMEM.
 */
int bpfsift_options_read(int argc, char **argv, struct bpfsift_options *options,
			 struct ebpf_err *err);

void bpfsift_options_free(struct bpfsift_options *options);

/* The usage message. */
extern const char bpfsift_usage[];

#endif
