/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets on standard output: tcpdump prints them, or, where there is none, we do in short. */
#ifndef TOOLS_BPFSIFT_PRINTER_H
#define TOOLS_BPFSIFT_PRINTER_H

#include "tools/bpfsift_options.h"

#include <pthread.h>
#include <stdio.h>

struct bpfsift_printer {
	const struct bpfsift_options *options;
	bool was_missing;       /* and told of */
	bool is_running;
	size_t child;
	pthread_t relay;        /* of what it says on standard error, */
	FILE *messages;         /* which it reads here */
	bool has_lost_reader;   /* nobody reads standard output any more */
};

/* Whether packets are to be shown. */
bool bpfsift_printer_is_wanted(const struct bpfsift_options *options);

/* Begin to print packets like those of a source; what the sink gets is shown. */
int bpfsift_printer_open(struct bpfsift_printer *printer, const struct sift_source_info *info,
			 enum sift_precision precision, uint32_t snaplen, struct sift_sink **sink,
			 struct ebpf_err *err);

/* Whether err is that of a printer which ends, of which it will have told itself. */
bool bpfsift_printer_has_failed(const struct bpfsift_printer *printer, const struct ebpf_err *err);

/* Before the sink is closed: its end is no reason to stop any more. */
void bpfsift_printer_finish(struct bpfsift_printer *printer);

/* Once the sink is closed: wait until all is printed.  An exit status. */
int bpfsift_printer_wait(struct bpfsift_printer *printer);

/* For the helper, which starts it: the i-th program to try, NULL: no more. */
const char *bpfsift_printer_program(const struct bpfsift_options *options, size_t i);

/* Its arguments, without the program's name, in an array to be freed with free(). */
char **bpfsift_printer_arguments(const struct bpfsift_options *options);

#endif
