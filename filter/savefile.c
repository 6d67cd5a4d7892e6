/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libpcap alone knows the LINKTYPE_* of each DLT_*, and tells it only in the
 * header of a savefile: one is written into memory.
 */
#include "config.h"

#include "filter/savefile.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ebpf/err.h"

/* Have libpcap write an empty savefile; dlt says of which link type. */
static int
write_empty(pcap_t *pcap, int dlt, char **bytes, size_t *len, struct ebpf_err *err)
{
	FILE *memory = open_memstream(bytes, len);
	pcap_dumper_t *dumper;

	if (memory == NULL)
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	dumper = pcap_dump_fopen(pcap, memory);
	if (dumper == NULL) {
		fclose(memory);
		return ebpf_err_set(err, -EINVAL, "savefiles have no number for link type %d", dlt);
	}
	pcap_dump_close(dumper);
	/* The header fits: the one thing that can fail in memory is to get some. */
	if (*len != SIFT_SAVEFILE_HEADER)
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	return 0;
}

int
sift_savefile_header(int dlt, uint32_t snaplen, enum sift_precision precision,
		     uint8_t header[SIFT_SAVEFILE_HEADER], struct ebpf_err *err)
{
	pcap_t *pcap = pcap_open_dead_with_tstamp_precision(dlt, (int)snaplen,
							    precision == SIFT_PRECISION_NANO
								    ? PCAP_TSTAMP_PRECISION_NANO
								    : PCAP_TSTAMP_PRECISION_MICRO);
	char *bytes = NULL;
	size_t len = 0;
	int rc;

	if (pcap == NULL)
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	rc = write_empty(pcap, dlt, &bytes, &len, err);
	if (rc == 0)
		memcpy(header, bytes, SIFT_SAVEFILE_HEADER);
	free(bytes);
	pcap_close(pcap);
	return rc;
}
