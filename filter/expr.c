/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Expressions of pcap-filter(7), compiled by libpcap.  The one file that
 * includes libpcap for this, and where its struct bpf_insn becomes ours.
 */
#include "config.h" /* system extensions: libpcap's headers want u_int */

#include <bpfsift/filter.h>

#include <errno.h>
#include <limits.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cbpf/retag.h"
#include "ebpf/err.h"
#include "filter/savefile.h"

_Static_assert(SIFT_NETMASK_UNKNOWN == PCAP_NETMASK_UNKNOWN, "passed on as it is");
_Static_assert(sizeof(struct cbpf_insn) == sizeof(struct bpf_insn), "copied as bytes");
#define SAME_FIELD(f)                                                                              \
	_Static_assert(offsetof(struct cbpf_insn, f) == offsetof(struct bpf_insn, f) &&            \
			       sizeof(((struct cbpf_insn *)0)->f) ==                               \
				       sizeof(((struct bpf_insn *)0)->f),                          \
		       "copied as bytes")
SAME_FIELD(code);
SAME_FIELD(jt);
SAME_FIELD(jf);
SAME_FIELD(k);
#undef SAME_FIELD

/* Fields of a savefile's header: magic, two versions, zone, precision, snaplen, linktype. */
static void
swap_header(uint8_t header[SIFT_SAVEFILE_HEADER])
{
	static const uint8_t widths[] = { 4, 2, 2, 4, 4, 4, 4 };

	for (size_t i = 0; i < sizeof(widths); header += widths[i++]) {
		for (size_t lo = 0, hi = widths[i] - 1u; lo < hi; lo++, hi--) {
			uint8_t byte = header[lo];

			header[lo] = header[hi];
			header[hi] = byte;
		}
	}
}

static int
copy_insns(const struct bpf_program *from, struct cbpf_insn **insns, size_t *n_insns,
	   struct ebpf_err *err)
{
	struct cbpf_insn *copy = calloc(from->bf_len, sizeof(*copy));

	if (copy == NULL)
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	memcpy(copy, from->bf_insns, from->bf_len * sizeof(*copy));
	*insns = copy;
	*n_insns = from->bf_len;
	return 0;
}

/*
 * libpcap compiles otherwise for a savefile than for no file at all, and for a
 * byte-swapped one otherwise again: open one that is empty, in memory.  NULL:
 * out of memory.  A link type that no savefile has makes no difference.
 */
static pcap_t *
open_empty(int dlt, uint32_t snaplen, bool is_swapped)
{
	uint8_t header[SIFT_SAVEFILE_HEADER];
	char text[PCAP_ERRBUF_SIZE];
	pcap_t *pcap;
	FILE *file;

	if (sift_savefile_header(dlt, snaplen, SIFT_PRECISION_MICRO, header, NULL) < 0)
		return pcap_open_dead(dlt, (int)snaplen);
	if (is_swapped)
		swap_header(header);
	file = fmemopen(header, sizeof(header), "r");
	if (file == NULL)
		return NULL;
	pcap = pcap_fopen_offline(file, text);
	if (pcap == NULL)
		fclose(file);
	return pcap;
}

static bool
is_of_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("_.-:\\", c) != NULL);
}

/* Keywords cannot be anything else, unless a backslash is before them. */
static bool
has_word(const char *expr, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = expr; (at = strstr(at, word)) != NULL; at += len) {
		if ((at == expr || !is_of_word(at[-1])) && !is_of_word(at[len]))
			return true;
	}
	return false;
}

int
sift_expr_compile(const char *expr, int dlt, uint32_t snaplen, uint32_t netmask, unsigned flags,
		  struct cbpf_insn **insns, size_t *n_insns, struct ebpf_err *err)
{
	struct bpf_program program;
	pcap_t *pcap;
	int rc;

	if (flags & ~(SIFT_EXPR_NO_OPTIMIZE | SIFT_EXPR_SAVEFILE | SIFT_EXPR_SWAPPED |
		      SIFT_EXPR_TAG_APART))
		return ebpf_err_set(err, -EINVAL, "unknown flags 0x%x", flags);
	if (snaplen > INT_MAX)
		return ebpf_err_set(err, -EINVAL, "snapshot length %lu, but the limit is %d",
				    (unsigned long)snaplen, INT_MAX);
	if (flags & (SIFT_EXPR_SAVEFILE | SIFT_EXPR_SWAPPED))
		pcap = open_empty(dlt, snaplen, flags & SIFT_EXPR_SWAPPED);
	else
		pcap = pcap_open_dead(dlt, (int)snaplen);
	if (pcap == NULL)
		return ebpf_err_set(err, -ENOMEM, "out of memory");
	if (pcap_compile(pcap, &program, expr != NULL ? expr : "",
			 (flags & SIFT_EXPR_NO_OPTIMIZE) == 0, netmask) < 0) {
		rc = ebpf_err_set(err, -EINVAL, "%s", pcap_geterr(pcap));
	} else {
		bool is_apart = flags & SIFT_EXPR_TAG_APART && dlt == DLT_EN10MB &&
				expr != NULL && has_word(expr, "vlan");

		rc = is_apart ? cbpf_retag((const struct cbpf_insn *)program.bf_insns,
					   program.bf_len, insns, n_insns, err)
			      : copy_insns(&program, insns, n_insns, err);
		pcap_freecode(&program);
	}
	pcap_close(pcap);
	return rc;
}
