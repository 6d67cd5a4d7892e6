/* SPDX-License-Identifier: BSD-2-Clause */
#include "config.h"

#include "filter/section.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ebpf/err.h"

void
sift_section_destroy(struct sift_section *section)
{
	free(section->interfaces);
}

/* Room for so many interfaces. */
static int
grow(struct sift_section *section, size_t n, struct ebpf_err *err)
{
	size_t room = 2 * section->room > n ? 2 * section->room : n + 3;
	struct sift_blocks_interface *grown;

	if (n <= section->room)
		return 0;
	grown = reallocarray(section->interfaces, room, sizeof(*grown));
	if (grown == NULL)
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	section->interfaces = grown;
	section->room = room;
	return 0;
}

int
sift_section_add(struct sift_section *section, const struct sift_blocks_interface *itf,
		 struct ebpf_err *err)
{
	int rc = grow(section, section->n_interfaces + 1, err);

	if (rc < 0)
		return rc;
	section->interfaces[section->n_interfaces] = *itf;
	section->interfaces[section->n_interfaces].index = (uint32_t)section->n_interfaces;
	section->n_interfaces++;
	if (itf->snaplen > section->snaplen)
		section->snaplen = itf->snaplen;
	return 0;
}

int
sift_section_copy(struct sift_section *section, const struct sift_section *from,
		  struct ebpf_err *err)
{
	int rc = grow(section, from->n_interfaces, err);

	if (rc < 0)
		return rc;
	section->is_swapped = from->is_swapped;
	section->snaplen = from->snaplen;
	section->n_interfaces = from->n_interfaces;
	if (from->n_interfaces > 0)
		memcpy(section->interfaces, from->interfaces,
		       from->n_interfaces * sizeof(*from->interfaces));
	return 0;
}

/* libpcap holds a number of savefiles against one of programs; so is it here. */
static int
check_same(const struct sift_section_rule *rule, const struct sift_blocks_interface *itf,
	   uint32_t snaplen, struct ebpf_err *err)
{
	if (itf->linktype != rule->dlt)
		return ebpf_err_set(
			err, -EINVAL,
			"an interface has a type %u different from the type of the first interface",
			itf->linktype);
	if (itf->snaplen != rule->snaplen)
		return ebpf_err_set(
			err, -EINVAL,
			"an interface has a snapshot length %u different from the snapshot length of the first interface",
			snaplen);
	return 0;
}

int
sift_section_take_interface(struct sift_section *section, const struct sift_section_rule *rule,
			    struct sift_block_body *body, uint64_t off, struct ebpf_err *err)
{
	struct sift_blocks_interface itf;
	const uint8_t *fixed = body->p;
	int rc;

	if ((rc = sift_block_read_interface(&itf, body, err)) < 0 ||
	    (!rule->is_mixed &&
	     (rc = check_same(rule, &itf, load32(fixed + 4, body->is_swapped), err)) < 0) ||
	    (rc = sift_block_read_options(&itf, body, err)) < 0)
		return rc;
	itf.off = off;
	return sift_section_add(section, &itf, err);
}

int
sift_section_begin(struct sift_section *section, struct sift_block_body *body, struct ebpf_err *err)
{
	const uint8_t *fixed = sift_block_take(body, 16);
	uint16_t major;

	if (fixed == NULL)
		return sift_block_too_short(body, err);
	switch (load32(fixed, body->is_swapped)) {
	case SIFT_BYTE_ORDER_MAGIC:
		break;
	case SIFT_BYTE_ORDER_SWAPPED:
		return ebpf_err_set(err, -EINVAL,
				    "the file has sections with different byte orders");
	default:
		return ebpf_err_set(err, -EINVAL,
				    "the file has a section with a bad byte order magic field");
	}
	if ((major = load16(fixed + 4, body->is_swapped)) != 1)
		return ebpf_err_set(err, -EINVAL, "unknown pcapng savefile major version number %u",
				    major);
	section->is_swapped = body->is_swapped;
	section->n_interfaces = 0;
	return 0;
}
