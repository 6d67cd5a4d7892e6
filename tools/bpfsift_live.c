/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "tools/bpfsift_live.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/bpfsift_say.h"

enum { TERMINAL_TIMEOUT_MS = 100 };

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

int
bpfsift_list_interfaces(struct ebpf_err *err)
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

int
bpfsift_live_list_linktypes(struct bpfsift_live *live, struct ebpf_err *err)
{
	int *dlts;
	size_t n;
	int rc = sift_source_linktypes(live->source, &dlts, &n, err);

	if (rc < 0)
		return rc;
	/* On stderr, as tcpdump has it. */
	fprintf(stderr, "Data link types for %s (use option -y to set):\n", live->interface);
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

static void
print_tstamp_type(void *arg, const char *name, const char *description)
{
	const char **interface = arg;

	if (*interface != NULL)
		fprintf(stderr, "Time stamp types for %s (use option -j to set):\n", *interface);
	*interface = NULL;
	fprintf(stderr, "  %s (%s)\n", name, description);
}

int
bpfsift_list_tstamp_types(const struct bpfsift_options *options, struct ebpf_err *err)
{
	char *interface = NULL;
	const char *unsaid;
	int rc;

	if (options->interface != NULL)
		interface = strdup(options->interface);
	else if ((rc = find_interface(1, &interface, err)) < 0)
		return rc;
	if (interface == NULL)
		return refuse(err, -ENOMEM, "out of memory");
	unsaid = interface;
	rc = sift_tstamp_types_list(interface, print_tstamp_type, &unsaid, err);
	if (rc == 0)
		fprintf(stderr, "Time stamp type cannot be set for %s\n", interface);
	free(interface);
	return rc;
}

static int
open_interface(struct bpfsift_live *live, const char *interface, struct ebpf_err *err)
{
	const struct bpfsift_options *options = live->options;
	struct sift_live_opts opts = {
		.size = sizeof(opts),
		.snaplen = options->snaplen,
		.flags = SIFT_LIVE_WHOLE | (options->no_promisc ? SIFT_LIVE_NO_PROMISC : 0),
		.tstamp_type = options->tstamp_type,
		.buffer_kib = options->buffer_kib,
		.direction = options->direction,
	};

	if (options->has_precision && options->precision == SIFT_PRECISION_NANO)
		opts.flags |= SIFT_LIVE_NANO;
	if (options->monitor)
		opts.flags |= SIFT_LIVE_MONITOR;
	if (options->immediate)
		opts.flags |= SIFT_LIVE_IMMEDIATE;
	/*
	 * Somebody is looking.  tcpdump captures in immediate mode then, in which the kernel's
	 * buffer of standard size holds 32 packets: a burst of 60 was cut in half.
	 */
	else if (options->line_buffered || (options->write_path == NULL && isatty(STDOUT_FILENO)))
		opts.timeout_ms = TERMINAL_TIMEOUT_MS;
	return sift_source_open_live(interface, &opts, &live->source, err);
}

/* By name or, where there is no such name, by its number in -D; else the first. */
static int
choose_interface(struct bpfsift_live *live, struct ebpf_err *err)
{
	const char *wanted = live->options->interface;
	unsigned long number;
	char *end;
	int rc;

	if (wanted == NULL) {
		if (find_interface(1, &live->interface, err) < 0)
			return refuse(err, -ENODEV, "no interfaces available for capture");
		return open_interface(live, live->interface, err);
	}
	rc = open_interface(live, wanted, err);
	number = strtoul(wanted, &end, 10);
	if (rc != -ENODEV || end == wanted || *end != '\0') {
		live->interface = strdup(wanted);
		return rc == 0 && live->interface == NULL ? refuse(err, -ENOMEM, "out of memory")
							  : rc;
	}
	if ((rc = find_interface(number, &live->interface, err)) < 0)
		return rc;
	return open_interface(live, live->interface, err);
}

/* -y, and what 'any' has where nothing is asked for. */
static int
set_linktype(struct bpfsift_live *live, struct ebpf_err *err)
{
	const char *interface = live->options->interface;
	int dlt = live->options->dlt;
	int rc;

	if (!live->options->has_linktype &&
	    (interface == NULL || strncmp(interface, "any", 3) != 0 ||
	     sift_linktype_from_name("LINUX_SLL2", &dlt) < 0))
		return 0;
	if ((rc = sift_source_set_linktype(live->source, dlt, err)) < 0)
		return rc;
	fprintf(stderr, "bpfsift: data link type %s\n", sift_linktype_name(dlt));
	return 0;
}

int
bpfsift_live_open(struct bpfsift_live *live, struct ebpf_err *err)
{
	uint32_t wanted = live->options->snaplen;
	int rc = choose_interface(live, err);

	if (rc < 0 || (rc = sift_source_info(live->source, &live->info, err)) < 0)
		return rc;
	if (live->info.warning != NULL)
		warn("%s", live->info.warning);
	if (live->options->list_linktypes)
		return 0;
	if ((rc = set_linktype(live, err)) < 0 ||
	    (rc = sift_source_info(live->source, &live->info, err)) < 0)
		return rc;
	if (wanted != 0 && wanted != live->info.snaplen)
		fprintf(stderr, "bpfsift: WARNING: snaplen %s from %" PRIu32 " to %" PRIu32 "\n",
			wanted < live->info.snaplen ? "raised" : "lowered", wanted,
			live->info.snaplen);
	return 0;
}

void
bpfsift_live_attach(struct bpfsift_live *live, const struct sift_filter *filter, bool is_asked_for)
{
	const struct bpfsift_options *options = live->options;

	live->filter = is_asked_for ? filter : NULL;
	live->reason.text[0] = '\0';
	/* One that accepts all still has the kernel cut to -s, in whose buffer more fits then. */
	if (options->tries_kernel && (is_asked_for || options->snaplen != 0))
		live->is_in_kernel = sift_source_attach(live->source, filter, &live->reason) == 0;
}

/* Where the filter runs, and why not in the kernel. */
static void
print_engine(const struct bpfsift_live *live)
{
	if (live->filter == NULL)
		return;
	if (live->is_in_kernel) {
		fprintf(stderr, ", filter in the kernel");
		return;
	}
	fprintf(stderr, ", filter in user space by %s",
		ebpf_prog_runtime(sift_filter_ebpf(live->filter)) == EBPF_RUNTIME_JIT
			? "machine code"
			: "the interpreter");
	if (live->reason.text[0] != '\0')
		fprintf(stderr, " (%s)", live->reason.text);
}

void
bpfsift_live_print_opening(const struct bpfsift_live *live)
{
	const struct bpfsift_options *options = live->options;
	char linktype[LINKTYPE_TEXT];

	/* As tcpdump has it. */
	if (options->write_path == NULL && options->verbosity == 0)
		fprintf(stderr, "bpfsift: verbose output suppressed, use -v[v]... for full "
				"protocol decode\n");
	else
		fprintf(stderr, "bpfsift: ");
	fprintf(stderr, "listening on %s, %s", live->interface,
		linktype_text(live->info.dlt, linktype));
	fprintf(stderr, ", snapshot length %" PRIu32 " bytes", live->info.snaplen);
	print_engine(live);
	fputc('\n', stderr);
	fflush(stderr);
}

void
bpfsift_live_print_counts(const struct bpfsift_live *live, uint64_t n)
{
	struct sift_source_stats stats = { .size = sizeof(stats) };
	struct ebpf_err err;

	if (sift_source_stats(live->source, &stats, &err) < 0) {
		complain(&err);
		return;
	}
	print_packets(stderr, n, " captured");
	print_packets(stderr, stats.received, " received by filter");
	print_packets(stderr, stats.dropped_kernel, " dropped by kernel");
	if (stats.dropped_interface != 0)
		print_packets(stderr, stats.dropped_interface, " dropped by interface");
}
