/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What libpcap knows without anything being open: names and numbers of link
 * types, the interfaces, its version.
 */
#include "config.h"

#include <bpfsift/filter.h>

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ebpf/err.h"
#include "filter/savefile.h"

int
sift_linktype_from_name(const char *name, int *dlt)
{
	int found = pcap_datalink_name_to_val(name);

	if (found < 0)
		return -ENOENT;
	*dlt = found;
	return 0;
}

const char *
sift_linktype_name(int dlt)
{
	return pcap_datalink_val_to_name(dlt);
}

const char *
sift_linktype_description(int dlt)
{
	return pcap_datalink_val_to_description(dlt);
}

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

/*
 * libpcap tells the LINKTYPE_* of a DLT_* only in the last field of a
 * savefile's header: one is written into memory.
 */
int
sift_savefile_linktype(int dlt, uint32_t *linktype, struct ebpf_err *err)
{
	pcap_t *pcap = pcap_open_dead(dlt, 1);
	char *bytes = NULL;
	size_t len = 0;
	int rc;

	if (pcap == NULL)
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	rc = write_empty(pcap, dlt, &bytes, &len, err);
	if (rc == 0)
		memcpy(linktype, bytes + len - sizeof(*linktype), sizeof(*linktype));
	free(bytes);
	pcap_close(pcap);
	return rc;
}

const char *
sift_libpcap_version(void)
{
	return pcap_lib_version();
}

static enum sift_connection
connection_of(bpf_u_int32 flags)
{
	switch (flags & PCAP_IF_CONNECTION_STATUS) {
	case PCAP_IF_CONNECTION_STATUS_CONNECTED:
		return SIFT_CONNECTION_YES;
	case PCAP_IF_CONNECTION_STATUS_DISCONNECTED:
		return SIFT_CONNECTION_NO;
	case PCAP_IF_CONNECTION_STATUS_NOT_APPLICABLE:
		return SIFT_CONNECTION_NOT_APPLICABLE;
	default:
		return SIFT_CONNECTION_UNKNOWN;
	}
}

static int
copy_interface(const pcap_if_t *from, struct sift_interface *to)
{
	to->name = strdup(from->name);
	to->description = from->description != NULL ? strdup(from->description) : NULL;
	to->flags = (from->flags & PCAP_IF_UP ? SIFT_INTERFACE_UP : 0) |
		    (from->flags & PCAP_IF_RUNNING ? SIFT_INTERFACE_RUNNING : 0) |
		    (from->flags & PCAP_IF_LOOPBACK ? SIFT_INTERFACE_LOOPBACK : 0) |
		    (from->flags & PCAP_IF_WIRELESS ? SIFT_INTERFACE_WIRELESS : 0);
	to->connection = connection_of(from->flags);
	if (to->name == NULL || (from->description != NULL && to->description == NULL))
		return -ENOMEM;
	return 0;
}

/* The array of n elements is made with one to spare, so that n may be 0. */
static int
copy_interfaces(const pcap_if_t *all, struct sift_interface **list, size_t *n)
{
	struct sift_interface *copy;
	size_t count = 0, done = 0;
	int rc = 0;

	for (const pcap_if_t *each = all; each != NULL; each = each->next)
		count++;
	copy = calloc(count + 1, sizeof(*copy));
	if (copy == NULL)
		return -ENOMEM;
	for (const pcap_if_t *each = all; each != NULL && rc == 0; each = each->next)
		rc = copy_interface(each, &copy[done++]);
	if (rc < 0) {
		sift_interfaces_free(copy, done);
		return rc;
	}
	*list = copy;
	*n = count;
	return 0;
}

int
sift_interfaces_list(struct sift_interface **list, size_t *n, struct ebpf_err *err)
{
	char text[PCAP_ERRBUF_SIZE];
	pcap_if_t *all;
	int rc;

	if (pcap_findalldevs(&all, text) < 0)
		return ebpf_err_set(err, -EIO, "%s", text);
	rc = copy_interfaces(all, list, n);
	pcap_freealldevs(all);
	return rc < 0 ? ebpf_err_set(err, rc, "out of memory") : 0;
}

void
sift_interfaces_free(struct sift_interface *list, size_t n)
{
	if (list == NULL)
		return;
	for (size_t i = 0; i < n; i++) {
		free(list[i].name);
		free(list[i].description);
	}
	free(list);
}
