/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the files that wrap libpcap offer, in a library that was configured
 * --without-pcap.  Link types have their names and their numbers in savefiles
 * from the list; what it takes libpcap to do is refused, so that programs link
 * with either library and find out at run time.
 */
#include "config.h"

#include <bpfsift/filter.h>

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "ebpf/err.h"
#include "filter/savefile.h"

static const struct {
	const char *name;
	int dlt;
	uint32_t linktype;
} linktypes[] = {
#define L(name, dlt, linktype) { #name, dlt, linktype },
#include "filter/linktype.def"
};

enum { N_LINKTYPES = sizeof(linktypes) / sizeof(linktypes[0]) };

/*
 * Numbers that are the same in programs and in savefiles although they have no
 * row: old hardware, and what was given out since both are counted together, of
 * which 147 to 162 are for private use.
 */
enum { OLD_MIN = 2, OLD_MAX = 5, COMMON_MIN = 104, COMMON_MAX = 289 };

/* ---- link types ---- */

/* Upper case of a letter, whatever the locale. */
static int
upper(char c)
{
	return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c;
}

static bool
is_same_name(const char *a, const char *b)
{
	while (upper(*a) == upper(*b)) {
		if (*a == '\0')
			return true;
		a++, b++;
	}
	return false;
}

int
sift_linktype_from_name(const char *name, int *dlt)
{
	for (size_t i = 0; i < N_LINKTYPES; i++) {
		if (is_same_name(linktypes[i].name, name)) {
			*dlt = linktypes[i].dlt;
			return 0;
		}
	}
	return -ENOENT;
}

const char *
sift_linktype_name(int dlt)
{
	for (size_t i = 0; i < N_LINKTYPES; i++)
		if (linktypes[i].dlt == dlt)
			return linktypes[i].name;
	return NULL;
}

const char *
sift_linktype_description(int dlt)
{
	(void)dlt;
	return NULL;
}

int
sift_savefile_linktype(int dlt, uint32_t *linktype, struct ebpf_err *err)
{
	for (size_t i = 0; i < N_LINKTYPES; i++) {
		if (linktypes[i].dlt == dlt) {
			*linktype = linktypes[i].linktype;
			return 0;
		}
	}
	if ((dlt < OLD_MIN || dlt > OLD_MAX) && (dlt < COMMON_MIN || dlt > COMMON_MAX))
		return ebpf_err_set(err, -EINVAL, "savefiles have no number for link type %d", dlt);
	*linktype = (uint32_t)dlt;
	return 0;
}

/* ---- what is left out ---- */

const char *
sift_libpcap_version(void)
{
	return "without libpcap";
}

int
sift_expr_compile(const char *expr, int dlt, uint32_t snaplen, uint32_t netmask, unsigned flags,
		  struct cbpf_insn **insns, size_t *n_insns, struct ebpf_err *err)
{
	(void)expr, (void)dlt, (void)snaplen, (void)netmask, (void)flags, (void)insns,
		(void)n_insns;
	return ebpf_err_set(err, -ENOTSUP, "expressions need libpcap, built without it");
}

int
sift_source_open_savefile_opts(const char *path, const struct sift_reader_opts *opts,
			       struct sift_source **out, struct ebpf_err *err)
{
	(void)opts;
	return sift_source_open_savefile(path, out, err);
}

int
sift_source_open_savefile(const char *path, struct sift_source **out, struct ebpf_err *err)
{
	(void)out;
	return ebpf_err_set(err, -ENOTSUP, "%s: reading savefiles needs libpcap, built without it",
			    path);
}

int
sift_source_open_live(const char *interface, const struct sift_live_opts *opts,
		      struct sift_source **out, struct ebpf_err *err)
{
	(void)opts, (void)out;
	return ebpf_err_set(err, -ENOTSUP, "%s: capturing needs libpcap, built without it",
			    interface);
}

int
sift_interfaces_list(struct sift_interface **list, size_t *n, struct ebpf_err *err)
{
	(void)list, (void)n;
	return ebpf_err_set(err, -ENOTSUP, "listing interfaces needs libpcap, built without it");
}

void
sift_interfaces_free(struct sift_interface *list, size_t n)
{
	(void)list, (void)n;
}

int
sift_tstamp_type_exists(const char *name)
{
	(void)name;
	return 0;
}

int
sift_tstamp_types_list(const char *interface,
		       void (*each)(void *arg, const char *name, const char *description),
		       void *arg, struct ebpf_err *err)
{
	(void)each, (void)arg;
	return ebpf_err_set(err, -ENOTSUP, "%s: built without libpcap", interface);
}
