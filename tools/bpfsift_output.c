/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "tools/bpfsift_output.h"

#include <inttypes.h>
#include <stdio.h>

#include "tools/bpfsift_ask.h"
#include "tools/bpfsift_children.h"
#include "tools/bpfsift_say.h"
#include "tools/bpfsift_signals.h"

/* -z: a command that fails is told of, and the capture goes on. */
static void
run_command(const char *command, const char *path)
{
	struct ebpf_err err;

	bpfsift_children_report();
	if (bpfsift_child_start_command(command, path, &err) < 0)
		warn("%s", err.text);
}

static void
on_event(void *arg, enum sift_rotate_event event, const char *path, uint64_t n)
{
	struct bpfsift_output *output = arg;
	const struct bpfsift_options *options = output->options;

	switch (event) {
	case SIFT_ROTATE_CLOSED:
		if (options->command != NULL)
			run_command(options->command, path);
		break;
	case SIFT_ROTATE_LAST:
		if (options->command != NULL && options->command_last)
			run_command(options->command, path);
		break;
	case SIFT_ROTATE_FULL:
		fprintf(stderr, "Maximum file limit reached: %" PRIu32 "\n", options->max_files);
		output->is_full = true;
		output->n_packets = n;
		bpfsift_stop();
		break;
	}
}

bool
bpfsift_output_is_rotated(const struct bpfsift_options *options)
{
	return options->max_bytes != 0 || options->interval_s != 0;
}

struct sift_rotate_opts
bpfsift_output_rotation(const struct bpfsift_options *options)
{
	return (struct sift_rotate_opts){
		.size = sizeof(struct sift_rotate_opts),
		.max_bytes = options->max_bytes,
		.interval_s = options->interval_s,
		.max_files = options->max_files,
		.flags = (options->packet_clock ? SIFT_ROTATE_PACKET_CLOCK : 0) |
			 (options->rotate_align ? SIFT_ROTATE_ALIGN : 0),
	};
}

int
bpfsift_output_open(struct bpfsift_output *output, const struct sift_source_info *info,
		    uint32_t cut, struct sift_sink **sink, struct ebpf_err *err)
{
	const struct bpfsift_options *options = output->options;
	bool is_rotated = bpfsift_output_is_rotated(options);
	const struct sift_savefile_opts opts = {
		.size = sizeof(opts),
		.dlt = info->dlt,
		.linktype_ext = info->linktype_ext,
		.snaplen = cut != 0 && cut < info->snaplen ? cut : info->snaplen,
		.precision = options->has_precision ? options->precision : info->precision,
		.codec = options->codec,
		.level = options->level,
		.threads = options->threads,
		.format = options->format,
		.open_file = bpfsift_ask_output,
		/* a section is not begun anew with each file */
		.flags = (options->format == SIFT_FORMAT_PCAPNG && !is_rotated
				  ? SIFT_SAVEFILE_SECTIONS
				  : 0) |
			 (options->processors > 1 ? SIFT_SAVEFILE_BEHIND : 0),
	};
	struct sift_rotate_opts rotate = bpfsift_output_rotation(options);

	rotate.on_event = on_event;
	rotate.arg = output;
	rotate.open_file = bpfsift_ask_rotated;
	if (!is_rotated)
		return sift_sink_open_savefile(options->write_path, &opts, sink, err);
	return sift_sink_open_rotated(options->write_path, &opts, &rotate, sink, err);
}
