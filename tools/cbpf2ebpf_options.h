/* SPDX-License-Identifier: BSD-2-Clause */
/* What the command line of cbpf2ebpf asks for. */
#ifndef TOOLS_CBPF2EBPF_OPTIONS_H
#define TOOLS_CBPF2EBPF_OPTIONS_H

#include <bpfsift/cbpf.h>
#include <stdbool.h>

/* What --to says: a classic form, or one of these. */
enum to {
	TO_ASM = 100,
	TO_C,
	TO_HEX,
	TO_RAW,
	TO_JSON,
	TO_DOT,
	TO_ELF,
};

enum { FROM_EXPR = 100 };

struct options {
	int dlt;
	uint32_t snaplen;
	enum cbpf_dialect dialect;
	int from; /* enum cbpf_form or FROM_EXPR */
	enum cbpf_target target;
	const char *match, *miss;       /* NULL: not given */
	struct cbpf_actions actions;    /* TC, XDP: what they or their defaults say */
	int to; /* enum cbpf_form or enum to */
	enum cbpf_cpu cpu;
	enum cbpf_level level;
	bool trace_passes;
	bool no_pcap_opt;
	bool side_by_side;      /* TO_ASM: beside the classic instructions */
	bool classic;           /* TO_DOT: draw that program */
	const char *function;   /* TO_C: NULL, or the name of a function */
	bool counter;           /* TO_ELF: count what matches in a map */
	bool in_line;           /* exits lead to the program's end */
	const char *expression; /* NULL: none on the command line */
	const char *in;         /* NULL: standard input */
	const char *out;        /* NULL: standard output */
	bool load;              /* ask the running kernel; implied by pin and attach */
	bool log;               /* and show what its verifier says */
	const char *pin;        /* NULL, or a path */
	const char *attach;     /* NULL, or an interface */
	const char *detach;     /* NULL, or an interface: then nothing else is done */
	bool has_to;            /* --to was given */
};

/* Ends the process where the command line is wrong or asks for no more than help. */
struct options parse_options(int argc, char **argv);

/* Whether the target's result is an action. */
bool target_acts(enum cbpf_target target);

/* What messages call the input. */
const char *input_name(const struct options *o);

/* As the options have them. */
const char *dialect_name(enum cbpf_dialect dialect);
const char *target_name(enum cbpf_target target);
const char *cpu_name(enum cbpf_cpu cpu);

#endif
