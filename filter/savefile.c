/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The header of pcap savefiles, as libpcap writes it: magic number, version 2.4,
 * time zone and precision, which are always 0, snapshot length, link type.
 */
#include "filter/savefile.h"

#include <string.h>

#define MAGIC_MICRO 0xa1b2c3d4u
#define MAGIC_NANO 0xa1b23c4du

enum { VERSION_MAJOR = 2, VERSION_MINOR = 4 };

struct header {
	uint32_t magic;
	uint16_t version_major, version_minor;
	uint32_t zone, precision;
	uint32_t snaplen;
	uint32_t linktype;
};
_Static_assert(sizeof(struct header) == SIFT_SAVEFILE_HEADER, "written as bytes");

int
sift_savefile_header(int dlt, uint32_t snaplen, enum sift_precision precision,
		     uint8_t header[SIFT_SAVEFILE_HEADER], struct ebpf_err *err)
{
	struct header fields = {
		.magic = precision == SIFT_PRECISION_NANO ? MAGIC_NANO : MAGIC_MICRO,
		.version_major = VERSION_MAJOR,
		.version_minor = VERSION_MINOR,
		.snaplen = snaplen,
	};
	int rc = sift_savefile_linktype(dlt, &fields.linktype, err);

	if (rc == 0)
		memcpy(header, &fields, sizeof(fields));
	return rc;
}
